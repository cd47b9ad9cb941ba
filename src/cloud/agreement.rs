//! Do the platform's books agree with what became of an order here (rule 44)? A table, and nothing else.

use super::open_platform::{Order, OrderStatus, RecordStatus};
use crate::order::key::Id;
use crate::order::outcome::{OrderOutcome, UnitOutcome};
use crate::order::sync::Difference;

/// What became of an order, as far as money is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ours {
    /// All of it was dispensed.
    Served,
    /// A part of it was.
    Partly,
    /// For certain nothing left the machine: what may be refunded (rule 25).
    Nothing,
    /// Nothing was seen to leave the machine, and something may have.
    Doubtful,
}

impl Ours {
    /// Sums up the units of a report.
    #[must_use]
    pub fn of(units: &[UnitOutcome]) -> Ours {
        match OrderOutcome::of(units) {
            OrderOutcome::All(outcome) if outcome.is_dispensed() => Ours::Served,
            OrderOutcome::Partial(_) => Ours::Partly,
            OrderOutcome::All(_) if OrderOutcome::may_refund(units) => Ours::Nothing,
            OrderOutcome::All(_) => Ours::Doubtful,
        }
    }
}

/// What the platform's books say about one record of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theirs {
    /// Paid, and the platform waits for a result (`WAITING_PICKED_UP`, `IS_DELIVERING`, nothing yet).
    Open,
    /// `IS_SUCCESS`, `IS_PICKED_UP`.
    Served,
    /// `IS_FAILED`, or `IS_TIMEOUT` after 120 s without a result (cloud 1.7).
    GaveUp,
    /// The money went back, or the order was closed: by a refund, by somebody, or after 20 minutes (cloud 1.7).
    MoneyBack,
    /// Not paid, or not yet.
    Unpaid,
    /// The order has no such record.
    NoRecord,
    /// A word that nobody documents.
    Unreadable,
}

impl Theirs {
    /// Reads the record of an order.
    #[must_use]
    pub fn of(order: &Order, record_id: &Id) -> Theirs {
        match order.status {
            OrderStatus::Success | OrderStatus::PickupCode | OrderStatus::TestPaid => {}
            OrderStatus::Refund | OrderStatus::Closed | OrderStatus::Revoked | OrderStatus::TimedOut => {
                return Theirs::MoneyBack;
            }
            OrderStatus::NotPaid | OrderStatus::UserPaying | OrderStatus::PaymentError => return Theirs::Unpaid,
            OrderStatus::Unknown(_) => return Theirs::Unreadable,
        }
        let Some(record) = order.records.iter().find(|record| record.id == record_id.as_str()) else {
            return Theirs::NoRecord;
        };
        match record.status {
            None | Some(RecordStatus::WaitingPickedUp | RecordStatus::Delivering) => Theirs::Open,
            Some(RecordStatus::Success | RecordStatus::PickedUp) => Theirs::Served,
            Some(RecordStatus::Failed | RecordStatus::TimedOut) => Theirs::GaveUp,
            Some(RecordStatus::Refunded | RecordStatus::Cancelled) => Theirs::MoneyBack,
            Some(RecordStatus::Unknown(_)) => Theirs::Unreadable,
        }
    }
}

/// What follows from both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// Nothing is to be done.
    Agrees,
    /// The platform may not be done with it; if it stays so, this is the difference.
    Wait(Difference),
    /// Time will not mend it.
    Differs(Difference),
}

/// Ours × theirs. `refund_asked`: the platform was told to give the money back.
#[must_use]
pub const fn compare(ours: Ours, theirs: Theirs, refund_asked: bool) -> Agreement {
    use Agreement::{Agrees, Differs, Wait};
    match (ours, theirs) {
        (_, Theirs::NoRecord) => Wait(Difference::NotThere),
        (_, Theirs::Unreadable) => Wait(Difference::Unreadable),
        (Ours::Served, Theirs::Served) => Agrees,
        (Ours::Served, Theirs::GaveUp) => Wait(Difference::ServedNotKnown),
        // Whether the order was given up before, or the money went back after a complaint: a person should know.
        (Ours::Served | Ours::Partly, Theirs::MoneyBack) => Differs(Difference::ServedRefunded),
        (Ours::Served | Ours::Partly, Theirs::Unpaid) => Differs(Difference::ServedUnpaid),
        // The platform knows no part of a record: failed is its word for one that is not whole.
        (Ours::Partly, Theirs::GaveUp) => Agrees,
        (Ours::Partly | Ours::Nothing | Ours::Doubtful, Theirs::Served) => Wait(Difference::BookedServed),
        (Ours::Nothing, Theirs::GaveUp | Theirs::Open) if refund_asked => Wait(Difference::NotRefunded),
        (_, Theirs::Open) => Wait(Difference::NotHeard),
        (Ours::Nothing | Ours::Doubtful, Theirs::GaveUp | Theirs::MoneyBack | Theirs::Unpaid) => Agrees,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::open_platform::read_order;
    use crate::order::outcome::{DropSensor, Motor, Reason};

    /// What an answer about order 60 says of its record 78.
    fn read(data: &serde_json::Value) -> Theirs {
        let body = serde_json::json!({"code": 0, "message": "ok", "data": data}).to_string();
        let id = |text| Id::parse(text).unwrap();
        Theirs::of(&read_order(200, body.as_bytes(), &id("60")).unwrap(), &id("78"))
    }

    fn theirs(order: &str, record: &str) -> Theirs {
        read(&serde_json::json!({"order_id": 60, "status": order, "records": [{"id": 78, "status": record}]}))
    }

    #[test]
    fn every_word_of_the_platforms_books_is_read() {
        for (order, record, expected) in [
            ("SUCCESS", "", Theirs::Open),
            ("SUCCESS", "WAITING_PICKED_UP", Theirs::Open),
            ("PICKUPCODE", "IS_DELIVERING", Theirs::Open),
            ("TESTPAY", "IS_SUCCESS", Theirs::Served),
            ("SUCCESS", "IS_PICKED_UP", Theirs::Served),
            ("SUCCESS", "IS_FAILED", Theirs::GaveUp),
            ("SUCCESS", "IS_TIMEOUT", Theirs::GaveUp),
            ("SUCCESS", "IS_REFUND", Theirs::MoneyBack),
            ("SUCCESS", "订单取消", Theirs::MoneyBack),
            ("REFUND", "IS_SUCCESS", Theirs::MoneyBack),
            ("CLOSED", "", Theirs::MoneyBack),
            ("REVOKED", "", Theirs::MoneyBack),
            ("9", "WAITING_PICKED_UP", Theirs::MoneyBack),
            ("NOTPAY", "", Theirs::Unpaid),
            ("USERPAYING", "", Theirs::Unpaid),
            ("PAYERROR", "", Theirs::Unpaid),
            ("something new", "IS_SUCCESS", Theirs::Unreadable),
            ("SUCCESS", "something new", Theirs::Unreadable),
        ] {
            assert_eq!(theirs(order, record), expected, "{order} {record}");
        }
        assert_eq!(read(&serde_json::json!({"order_id": 60, "status": "SUCCESS"})), Theirs::NoRecord);
    }

    #[test]
    fn every_outcome_is_compared_with_every_word_as_the_table_says() {
        use Agreement::{Agrees, Differs, Wait};
        use Difference as D;
        let fell = UnitOutcome::Dispensed(Motor::Ok);
        let open = UnitOutcome::NotDispensed(Motor::Open, DropSensor::NotSeen);
        let rest = UnitOutcome::Refused(Reason::PreviousUnit);
        let table: [(&[&[UnitOutcome]], [Agreement; 7]); 4] = [
            // Open, Served, GaveUp, MoneyBack, Unpaid, NoRecord, Unreadable.
            (
                &[&[fell], &[UnitOutcome::DispensedUnverified, fell]],
                [
                    Wait(D::NotHeard),
                    Agrees,
                    Wait(D::ServedNotKnown),
                    Differs(D::ServedRefunded),
                    Differs(D::ServedUnpaid),
                    Wait(D::NotThere),
                    Wait(D::Unreadable),
                ],
            ),
            (
                &[&[fell, open], &[fell, UnitOutcome::Unknown, rest]],
                [
                    Wait(D::NotHeard),
                    Wait(D::BookedServed),
                    Agrees,
                    Differs(D::ServedRefunded),
                    Differs(D::ServedUnpaid),
                    Wait(D::NotThere),
                    Wait(D::Unreadable),
                ],
            ),
            (
                &[&[open, rest], &[UnitOutcome::Refused(Reason::Expired)]],
                [
                    Wait(D::NotHeard),
                    Wait(D::BookedServed),
                    Agrees,
                    Agrees,
                    Agrees,
                    Wait(D::NotThere),
                    Wait(D::Unreadable),
                ],
            ),
            (
                &[&[UnitOutcome::Unknown], &[UnitOutcome::NoDrop, rest]],
                [
                    Wait(D::NotHeard),
                    Wait(D::BookedServed),
                    Agrees,
                    Agrees,
                    Agrees,
                    Wait(D::NotThere),
                    Wait(D::Unreadable),
                ],
            ),
        ];
        let all = [
            Theirs::Open,
            Theirs::Served,
            Theirs::GaveUp,
            Theirs::MoneyBack,
            Theirs::Unpaid,
            Theirs::NoRecord,
            Theirs::Unreadable,
        ];
        for (outcomes, row) in table {
            for units in outcomes {
                for (theirs, expected) in all.into_iter().zip(row) {
                    assert_eq!(compare(Ours::of(units), theirs, false), expected, "{units:?} {theirs:?}");
                }
            }
        }
        // A refund that was asked for is awaited, and changes nothing else.
        for theirs in all {
            let expected = match theirs {
                Theirs::Open | Theirs::GaveUp => Wait(D::NotRefunded),
                _ => compare(Ours::Nothing, theirs, false),
            };
            assert_eq!(compare(Ours::Nothing, theirs, true), expected, "{theirs:?}");
            assert_eq!(compare(Ours::Doubtful, theirs, true), compare(Ours::Doubtful, theirs, false), "{theirs:?}");
        }
    }
}
