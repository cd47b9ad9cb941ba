//! What became of a unit and of an order, and the words in which the merchant hears it (order-life, section 3).

use super::said::words;
use crate::sabotage::{self, Clause};
use serde::{Deserialize, Serialize};

/// What the motor did, apart from whether goods fell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Motor {
    /// Turned and stopped as it should.
    Ok,
    /// No current: the circuit is open.
    Open,
    /// Too much current: jammed or short.
    OverCurrent,
    /// No stop signal, or another fault of the drive in time.
    Timeout,
    /// There is no motor at this slot.
    Absent,
}

/// What the drop sensor saw, apart from what the motor did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropSensor {
    /// Goods fell.
    Seen,
    /// Armed, and nothing fell.
    NotSeen,
    /// Not fitted or not armed: it says nothing.
    None,
}

/// What a board said about one motor command, motor and sensor apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// The motor.
    pub motor: Motor,
    /// The drop sensor.
    pub drop_sensor: DropSensor,
}

/// Why an order or unit was refused. Only *refused* promises that the motor did not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Past min(expired_at, timestamp + 1200 s).
    Expired,
    /// Too many orders or reports are open.
    Busy,
    /// Issued in the future of a trusted clock.
    Clock,
    /// The same key with another body.
    Conflict,
    /// The key is older than the oldest that was forgotten.
    Stale,
    /// The board has no such slot.
    Slot,
    /// The slot is locked until a person looked.
    Locked,
    /// The board could not be reached and no byte of the command left.
    BoardOffline,
    /// A technician works on the machine.
    ServiceMode,
    /// The cloud says that the order is not paid.
    Unpaid,
    /// The cloud says that the order is closed, refunded or given up.
    Closed,
    /// An earlier unit of the same order was not dispensed.
    PreviousUnit,
    /// A value holds what the signature could not tell from a field.
    Ambiguous,
    /// A field is missing or out of range.
    Invalid,
    /// The command names another amount than the cloud's books.
    Amount,
    /// The cloud says that the order was served already. Last, since journals hold reasons by their number.
    Served,
}

words! {
    Reason {
        Reason::Expired => "expired", "已过期";
        Reason::Busy => "busy", "过忙";
        Reason::Clock => "clock", "时钟不符";
        Reason::Conflict => "conflict", "内容冲突";
        Reason::Stale => "stale", "过旧";
        Reason::Slot => "slot", "无此货道";
        Reason::Locked => "locked", "货道停用";
        Reason::BoardOffline => "board_offline", "板卡离线";
        Reason::ServiceMode => "service_mode", "维护中";
        Reason::Unpaid => "unpaid", "未付款";
        Reason::Closed => "closed", "订单已关闭";
        Reason::PreviousUnit => "previous_unit", "前一件未出货";
        Reason::Ambiguous => "ambiguous", "含义不清";
        Reason::Invalid => "invalid", "字段无效";
        Reason::Amount => "amount", "金额不符";
        Reason::Served => "served", "订单已出货";
    }
}

/// What became of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UnitOutcome {
    /// The drop was seen. The motor may still have had a warning.
    Dispensed(Motor),
    /// The motor was fine and there is no sensor.
    DispensedUnverified,
    /// The motor failed and nothing was seen to fall.
    NotDispensed(Motor, DropSensor),
    /// The motor was fine, the sensor armed, and nothing fell.
    NoDrop,
    /// The motor did not move.
    Refused(Reason),
    /// Power or link was lost and nothing proves what happened.
    Unknown,
}

words! {
    UnitOutcome {
        UnitOutcome::Dispensed(_) => "dispensed", "已出货";
        UnitOutcome::DispensedUnverified => "dispensed_unverified", "已出货（未检测）";
        UnitOutcome::NotDispensed(..) => "not_dispensed", "未出货";
        UnitOutcome::NoDrop => "no_drop", "未掉货";
        UnitOutcome::Refused(_) => "refused", "已拒绝";
        UnitOutcome::Unknown => "unknown", "未知";
    }
}

impl UnitOutcome {
    /// The outcome that follows from what the board said.
    #[must_use]
    pub const fn from_evidence(e: Evidence) -> Self {
        match (e.motor, e.drop_sensor) {
            (motor, DropSensor::Seen) => UnitOutcome::Dispensed(motor),
            (Motor::Ok, DropSensor::None) => UnitOutcome::DispensedUnverified,
            (Motor::Ok, DropSensor::NotSeen) => UnitOutcome::NoDrop,
            (motor, sensor) => UnitOutcome::NotDispensed(motor, sensor),
        }
    }

    /// Goods are taken to have left the machine.
    #[must_use]
    pub const fn is_dispensed(self) -> bool {
        matches!(self, UnitOutcome::Dispensed(_) | UnitOutcome::DispensedUnverified)
    }

    /// What is known of the motor.
    #[must_use]
    pub const fn of_motor(self) -> OfMotor {
        match self {
            UnitOutcome::Dispensed(motor) | UnitOutcome::NotDispensed(motor, _) => OfMotor::Ran(motor),
            UnitOutcome::DispensedUnverified | UnitOutcome::NoDrop => OfMotor::Ran(Motor::Ok),
            UnitOutcome::Refused(_) => OfMotor::NotDriven,
            UnitOutcome::Unknown => OfMotor::Unknown,
        }
    }

    /// What is known of the drop sensor.
    #[must_use]
    pub const fn of_sensor(self) -> OfSensor {
        match self {
            UnitOutcome::Dispensed(_) => OfSensor::Says(DropSensor::Seen),
            UnitOutcome::NoDrop => OfSensor::Says(DropSensor::NotSeen),
            UnitOutcome::NotDispensed(_, sensor) => OfSensor::Says(sensor),
            UnitOutcome::DispensedUnverified | UnitOutcome::Refused(_) => OfSensor::Says(DropSensor::None),
            UnitOutcome::Unknown => OfSensor::Unknown,
        }
    }

    /// The report's `motor` word.
    #[must_use]
    pub const fn motor(self) -> &'static str {
        self.of_motor().as_str()
    }

    /// The report's `drop_sensor` word.
    #[must_use]
    pub const fn drop_sensor(self) -> &'static str {
        self.of_sensor().as_str()
    }
}

/// What is known of a unit's motor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfMotor {
    /// It was driven, and the board said so.
    Ran(Motor),
    /// It was not.
    NotDriven,
    /// Nothing proves what it did.
    Unknown,
}

words! {
    OfMotor {
        OfMotor::Ran(Motor::Ok) => "ok", "正常";
        OfMotor::Ran(Motor::Open) => "open", "开路";
        OfMotor::Ran(Motor::OverCurrent) => "over_current", "过流";
        OfMotor::Ran(Motor::Timeout) => "timeout", "超时";
        OfMotor::Ran(Motor::Absent) => "absent", "无电机";
        OfMotor::NotDriven => "not_driven", "未驱动";
        OfMotor::Unknown => "unknown", "未知";
    }
}

/// What is known of a unit's fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfSensor {
    /// What the drop sensor said.
    Says(DropSensor),
    /// Nothing proves what it saw.
    Unknown,
}

words! {
    OfSensor {
        OfSensor::Says(DropSensor::Seen) => "seen", "检测到掉货";
        OfSensor::Says(DropSensor::NotSeen) => "not_seen", "未检测到掉货";
        OfSensor::Says(DropSensor::None) => "none", "无检测";
        OfSensor::Unknown => "unknown", "未知";
    }
}

/// What became of a whole order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderOutcome {
    /// All units alike, or the first failing unit's outcome when none was dispensed.
    All(UnitOutcome),
    /// Some dispensed and some not; holds the first unit that was not.
    Partial(UnitOutcome),
}

impl OrderOutcome {
    /// Sums up the units (order-life, section 3). An order has at least one unit.
    #[must_use]
    pub fn of(units: &[UnitOutcome]) -> Self {
        let first_failing = units.iter().copied().find(|u| !u.is_dispensed());
        let any_dispensed = units.iter().any(|u| u.is_dispensed());
        match first_failing {
            None if units.contains(&UnitOutcome::DispensedUnverified) => {
                OrderOutcome::All(UnitOutcome::DispensedUnverified)
            }
            None => OrderOutcome::All(units.first().copied().unwrap_or(UnitOutcome::Unknown)),
            Some(failing) if any_dispensed => OrderOutcome::Partial(failing),
            Some(_) if units.contains(&UnitOutcome::Unknown) => OrderOutcome::All(UnitOutcome::Unknown),
            Some(failing) => OrderOutcome::All(failing),
        }
    }

    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            OrderOutcome::All(u) => u.as_str(),
            OrderOutcome::Partial(_) => "partial",
        }
    }

    const fn telling(self) -> UnitOutcome {
        match self {
            OrderOutcome::All(u) | OrderOutcome::Partial(u) => u,
        }
    }

    /// `deliver_status`: "1" when everything was dispensed.
    #[must_use]
    pub const fn deliver_status(self) -> &'static str {
        match self {
            OrderOutcome::All(u) if u.is_dispensed() => "1",
            _ => "0",
        }
    }

    /// `floor_status` (cloud 1.5), absent for refusals: the slot's health was not tried.
    #[must_use]
    pub const fn floor_status(self) -> Option<&'static str> {
        Some(match self.telling() {
            UnitOutcome::Dispensed(_) | UnitOutcome::DispensedUnverified => "1",
            UnitOutcome::NoDrop => "2",
            UnitOutcome::NotDispensed(Motor::Absent, _) => "0",
            UnitOutcome::NotDispensed(..) => "3",
            UnitOutcome::Unknown => "47",
            UnitOutcome::Refused(_) => return None,
        })
    }

    /// `error_msg` = `fail_reason` (cloud 1.6).
    #[must_use]
    pub const fn error_msg(self) -> &'static str {
        match self.telling() {
            UnitOutcome::Dispensed(_) | UnitOutcome::DispensedUnverified => "",
            UnitOutcome::NoDrop => "Goods are Stuck",
            UnitOutcome::NotDispensed(Motor::Open, _) => "Load No Current",
            UnitOutcome::NotDispensed(Motor::OverCurrent, _) => "Over Current",
            UnitOutcome::NotDispensed(Motor::Absent, _) => "Slot Invalid",
            UnitOutcome::NotDispensed(Motor::Timeout | Motor::Ok, _) => "Feedback Error",
            UnitOutcome::Unknown => "Slave Comm Error",
            UnitOutcome::Refused(reason) => reason.as_str(),
        }
    }

    /// The report's `reason`, for refusals only.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self.telling() {
            UnitOutcome::Refused(reason) => Some(reason),
            _ => None,
        }
    }

    /// A refund may be asked for (rule 25): not when any unit was dispensed, no_drop or unknown, nor when the cloud says
    /// that it was served, whoever served it.
    #[must_use]
    pub fn may_refund(units: &[UnitOutcome]) -> bool {
        let excused = |u: &UnitOutcome| match u {
            UnitOutcome::Unknown => sabotage::is_out(Clause::R25NotWhenUnknown),
            other => other.is_dispensed() && sabotage::is_out(Clause::R25NotWhenDispensed),
        };
        let failed = |u: &UnitOutcome| match u {
            UnitOutcome::Refused(reason) => *reason != Reason::Served,
            other => matches!(other, UnitOutcome::NotDispensed(..)),
        };
        !units.is_empty() && units.iter().all(|u| failed(u) || excused(u))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use UnitOutcome::{Dispensed, DispensedUnverified, NoDrop, NotDispensed, Refused, Unknown};

    const OPEN: UnitOutcome = NotDispensed(Motor::Open, DropSensor::None);

    #[test]
    fn an_order_is_summed_up_from_its_units_as_documented() {
        type Row = (&'static [UnitOutcome], &'static str, &'static str, Option<&'static str>, &'static str);
        let table: &[Row] = &[
            (&[Dispensed(Motor::Ok)], "dispensed", "1", Some("1"), ""),
            (&[Dispensed(Motor::Ok), DispensedUnverified], "dispensed_unverified", "1", Some("1"), ""),
            (
                &[Dispensed(Motor::Ok), NoDrop, Refused(Reason::PreviousUnit)],
                "partial",
                "0",
                Some("2"),
                "Goods are Stuck",
            ),
            (&[Dispensed(Motor::Ok), Unknown], "partial", "0", Some("47"), "Slave Comm Error"),
            (&[Unknown, Refused(Reason::PreviousUnit)], "unknown", "0", Some("47"), "Slave Comm Error"),
            (&[OPEN, Unknown], "unknown", "0", Some("47"), "Slave Comm Error"),
            (&[NoDrop], "no_drop", "0", Some("2"), "Goods are Stuck"),
            (&[OPEN, Refused(Reason::PreviousUnit)], "not_dispensed", "0", Some("3"), "Load No Current"),
            (&[NotDispensed(Motor::OverCurrent, DropSensor::NotSeen)], "not_dispensed", "0", Some("3"), "Over Current"),
            (&[NotDispensed(Motor::Timeout, DropSensor::None)], "not_dispensed", "0", Some("3"), "Feedback Error"),
            (&[NotDispensed(Motor::Absent, DropSensor::None)], "not_dispensed", "0", Some("0"), "Slot Invalid"),
            (&[Refused(Reason::Expired)], "refused", "0", None, "expired"),
        ];
        for (units, word, deliver, floor, error) in table {
            let o = OrderOutcome::of(units);
            assert_eq!(
                (o.as_str(), o.deliver_status(), o.floor_status(), o.error_msg()),
                (*word, *deliver, *floor, *error),
                "{units:?}"
            );
        }
    }

    #[test]
    fn rule_25_a_refund_only_when_nothing_was_dispensed_partial_unknown_or_no_drop() {
        assert!(OrderOutcome::may_refund(&[OPEN]));
        assert!(OrderOutcome::may_refund(&[OPEN, Refused(Reason::PreviousUnit)]));
        assert!(OrderOutcome::may_refund(&[Refused(Reason::Expired)]));
        assert!(!OrderOutcome::may_refund(&[Refused(Reason::Served)]));
        for not in [Dispensed(Motor::Ok), DispensedUnverified, NoDrop, Unknown] {
            assert!(!OrderOutcome::may_refund(&[not]), "{not:?}");
            assert!(!OrderOutcome::may_refund(&[not, OPEN]), "{not:?}");
        }
        assert!(!OrderOutcome::may_refund(&[]));
    }

    #[test]
    fn motor_and_drop_sensor_are_kept_apart() {
        let seen_with_warning = Evidence { motor: Motor::OverCurrent, drop_sensor: DropSensor::Seen };
        assert_eq!(UnitOutcome::from_evidence(seen_with_warning), Dispensed(Motor::OverCurrent));
        let nothing_fell = Evidence { motor: Motor::Ok, drop_sensor: DropSensor::NotSeen };
        assert_eq!(UnitOutcome::from_evidence(nothing_fell), NoDrop);
    }
}
