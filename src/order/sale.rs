//! The life of a sale at the machine: somebody chooses a slot, the cloud makes an order, a pay code is shown, and who
//! has paid is served or gets the money back (rules 50–58). One small record of the journal; [`step`] is the table of
//! what may follow what.

use super::key::Id;
use super::life::Arrival;
use super::motor::{Address, Slot};
use super::outcome::UnitOutcome;
use super::said::words;
use super::stock::Fen;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Characters of a person's reason that are kept: a sentence, and the record stays small.
pub const SETTLED_CHARS_MAX: usize = 200;
/// Longest pay code that is kept, in bytes: a QR code of a size that telephones read from a screen.
pub const PAY_CODE_BYTES_MAX: usize = 512;

/// Where a sale stands. A record of the journal: variants are added at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A slot is chosen; the cloud is asked for an order.
    Chosen,
    /// The cloud has an order. Nobody has seen a pay code.
    Created,
    /// The pay code is shown.
    Waiting,
    /// It will not be served; its order is to be closed.
    Leaving,
    /// Its order is closed, as far as the cloud can. Who pays all the same is noticed for a while.
    Watched,
    /// Paid: its own order has the goods taken out.
    Serving,
    /// Paid and not served: the money is to go back.
    Refunding,
    /// The goods came out.
    Served,
    /// The cloud took the refund.
    Refunded,
    /// Nobody has paid.
    Closed,
    /// There never was anything that could have been paid.
    Failed,
    /// The money is to go back, and the machine cannot do it: a person must.
    Owed,
    /// Nobody knows whether the buyer has what was paid for: a person must look.
    Doubt,
    /// A person has settled it.
    Settled,
}

words! {
    State {
        State::Chosen => "chosen", "已选货";
        State::Created => "created", "已下单";
        State::Waiting => "waiting", "待支付";
        State::Leaving => "leaving", "关闭订单中";
        State::Watched => "watched", "留意迟到付款";
        State::Serving => "serving", "出货中";
        State::Refunding => "refunding", "退款中";
        State::Served => "served", "已出货";
        State::Refunded => "refunded", "已退款";
        State::Closed => "closed", "已关闭";
        State::Failed => "failed", "下单失败";
        State::Owed => "owed", "待人工退款";
        State::Doubt => "doubt", "存疑";
        State::Settled => "settled", "已人工处理";
    }
}

impl State {
    /// All of them.
    pub const ALL: [State; 14] = [
        State::Chosen,
        State::Created,
        State::Waiting,
        State::Leaving,
        State::Watched,
        State::Serving,
        State::Refunding,
        State::Served,
        State::Refunded,
        State::Closed,
        State::Failed,
        State::Owed,
        State::Doubt,
        State::Settled,
    ];

    /// Somebody stands there for it: no other sale begins.
    #[must_use]
    pub const fn is_attended(self) -> bool {
        matches!(self, State::Chosen | State::Created | State::Waiting | State::Serving)
    }

    /// Nothing more will happen to it.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, State::Served | State::Refunded | State::Closed | State::Failed | State::Settled)
    }

    /// It waits for a person.
    #[must_use]
    pub const fn needs_person(self) -> bool {
        matches!(self, State::Owed | State::Doubt)
    }

    /// The cloud is asked about it.
    #[must_use]
    pub const fn asks(self) -> bool {
        matches!(self, State::Chosen | State::Created | State::Waiting | State::Leaving | State::Watched)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What may happen to a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The cloud made an order.
    Made,
    /// The cloud made none, or nobody knows.
    NotMade,
    /// The pay code is there, for an order of the right amount.
    Shown,
    /// The buyer goes, the time is over, the amount is wrong, the cloud closed it.
    Left,
    /// The order is closed, or the cloud cannot close.
    LeftBehind,
    /// The cloud says paid, in time and the right amount.
    Paid,
    /// The cloud says paid, and it is not served: too late, another amount.
    PaidInVain,
    /// The time in which late payments are looked for is over, and none came.
    WatchOver,
    /// The cloud could not be asked for so long.
    NobodyKnows,
    /// Its own order ended: the goods came out.
    Dispensed,
    /// Its own order ended: nothing came out.
    NotDispensed,
    /// Its own order ended, and nobody knows.
    Unproven,
    /// The cloud took the refund.
    RefundTaken,
    /// There is no way to give the money back from here.
    NoRefund,
    /// A person has the refund that was refused sent again.
    RefundSentAgain,
    /// A person says that it is settled.
    Person,
    /// The next life begins.
    PowerReturns,
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 17] = [
        Event::Made,
        Event::NotMade,
        Event::Shown,
        Event::Left,
        Event::LeftBehind,
        Event::Paid,
        Event::PaidInVain,
        Event::WatchOver,
        Event::NobodyKnows,
        Event::Dispensed,
        Event::NotDispensed,
        Event::Unproven,
        Event::RefundTaken,
        Event::NoRefund,
        Event::RefundSentAgain,
        Event::Person,
        Event::PowerReturns,
    ];

    /// As the document calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Event::Made => "order made",
            Event::NotMade => "no order made",
            Event::Shown => "pay code there",
            Event::Left => "given up",
            Event::LeftBehind => "closed at the cloud",
            Event::Paid => "paid",
            Event::PaidInVain => "paid in vain",
            Event::WatchOver => "watch over, unpaid",
            Event::NobodyKnows => "watch over, no answer",
            Event::Dispensed => "dispensed",
            Event::NotDispensed => "not dispensed",
            Event::Unproven => "unproven",
            Event::RefundTaken => "refund taken",
            Event::NoRefund => "no refund from here",
            Event::RefundSentAgain => "refund sent again",
            Event::Person => "person settles",
            Event::PowerReturns => "power returns",
        }
    }
}

/// What an event makes of a sale; nothing where it cannot happen, and then nothing changes.
#[must_use]
pub const fn step(state: State, event: Event) -> Option<State> {
    use State::{
        Chosen, Closed, Created, Doubt, Failed, Leaving, Owed, Refunded, Refunding, Served, Serving, Settled, Waiting,
        Watched,
    };
    match (state, event) {
        (Chosen, Event::Made) => Some(Created),
        // After a restart nobody knows whether the question left; no pay code was ever shown for its order.
        (Chosen, Event::NotMade | Event::PowerReturns) => Some(Failed),
        (Created, Event::Shown) => Some(Waiting),
        (Created | Waiting, Event::Left) | (Created, Event::PowerReturns) => Some(Leaving),
        (Leaving, Event::LeftBehind) => Some(Watched),
        (Created | Waiting, Event::Paid) => Some(Serving),
        (Created | Waiting | Leaving | Watched, Event::PaidInVain) => Some(Refunding),
        (Watched, Event::WatchOver) => Some(Closed),
        (Leaving | Watched, Event::NobodyKnows) => Some(Doubt),
        // The second time it is late evidence: nobody owes anything for goods that came out.
        (Serving | Doubt | Owed, Event::Dispensed) => Some(Served),
        (Serving | Doubt, Event::NotDispensed) => Some(Refunding),
        (Serving, Event::Unproven) => Some(Doubt),
        // The second time it was sent again by an older vend, which let the sale stand for a person meanwhile.
        (Refunding | Owed, Event::RefundTaken) => Some(Refunded),
        (Refunding, Event::NoRefund) => Some(Owed),
        // It is on its way again: until it ends nobody settles the sale by hand, or both would pay.
        (Owed, Event::RefundSentAgain) => Some(Refunding),
        (Owed | Doubt, Event::Person) => Some(Settled),
        (_, Event::PowerReturns) => Some(state),
        _ => None,
    }
}

/// Why a sale is not served, or not as its buyer wanted. A record of the journal: variants are added at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The buyer gave it up.
    Cancelled,
    /// It was not paid in time.
    TooOld,
    /// The cloud wants another amount than the machine shows.
    Price,
    /// The cloud closed the order.
    ClosedThere,
    /// The payment went wrong at the cloud.
    PaymentFailed,
    /// Somebody else handed it over, the cloud says.
    ServedThere,
    /// The machine lost its power, or its program ended, before a pay code was shown.
    Restarted,
    /// The cloud was asked for an order, and its answer never came.
    AnswerLost,
    /// The cloud refused to make the order, or to give a pay code.
    Refused,
    /// The cloud gave an order that an earlier sale had.
    SoldBefore,
    /// The payment was found too late.
    PaidLate,
    /// Another amount was paid.
    PaidOther,
    /// Nothing came out.
    NotDispensed,
    /// Nobody knows whether something came out.
    Unknown,
    /// The cloud could not be asked for too long.
    NotAsked,
}

impl Why {
    /// All of them.
    pub const ALL: [Why; 15] = [
        Why::Cancelled,
        Why::TooOld,
        Why::Price,
        Why::ClosedThere,
        Why::PaymentFailed,
        Why::ServedThere,
        Why::Restarted,
        Why::AnswerLost,
        Why::Refused,
        Why::SoldBefore,
        Why::PaidLate,
        Why::PaidOther,
        Why::NotDispensed,
        Why::Unknown,
        Why::NotAsked,
    ];
}

words! {
    Why {
        Why::Cancelled => "cancelled", "买家取消";
        Why::TooOld => "too_old", "超时未付";
        Why::Price => "price", "标价不符";
        Why::ClosedThere => "closed_there", "云端已关闭";
        Why::PaymentFailed => "payment_failed", "支付失败";
        Why::ServedThere => "served_there", "云端显示已交付";
        Why::Restarted => "restarted", "机器重启";
        Why::AnswerLost => "answer_lost", "应答丢失";
        Why::Refused => "refused", "云端拒绝";
        Why::SoldBefore => "sold_before", "订单曾售出";
        Why::PaidLate => "paid_late", "付款过迟";
        Why::PaidOther => "paid_other", "付款金额不符";
        Why::NotDispensed => "not_dispensed", "未出货";
        Why::Unknown => "unknown", "未知";
        Why::NotAsked => "not_asked", "无法询问云端";
    }
}

/// Where the order of a sale was made: numbers of orders mean something at one cloud only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeAt {
    /// The cloud, as a configuration names it.
    pub cloud: Box<str>,
    /// Its host, with the port where one is given: there may be a cloud of the same kind at another.
    pub host: Box<str>,
}

/// A sale as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// Rises with every sale of a journal.
    pub number: u64,
    /// The machine's own name of the order, which no other has: digits.
    pub trade_no: Id,
    /// The driver board.
    pub address: Address,
    /// The slot on it.
    pub slot: Slot,
    /// The number of the goods on the cloud's books.
    pub goods: u64,
    /// What the buyer reads.
    pub name: Box<str>,
    /// What the machine showed as its price.
    pub price: Fen,
    /// When the slot was chosen.
    pub chosen: Arrival,
    /// Where it stands.
    pub state: State,
    /// Why it is not served.
    pub why: Option<Why>,
    /// The cloud's number of the order.
    pub order: Option<Id>,
    /// What the QR code says.
    pub pay_code: Option<Box<str>>,
    /// When the cloud last said that it is not paid, while the pay code was shown.
    pub heard: Option<Arrival>,
    /// Since when it is not served any more; of one that was paid, since when the money is to go back.
    pub left: Option<Arrival>,
    /// What the cloud says was paid, where it says so.
    pub paid: Option<Fen>,
    /// What became of its own order.
    pub outcome: Option<UnitOutcome>,
    /// Reports so far.
    pub told: u32,
    /// A person's reason.
    pub settled: Option<Box<str>>,
    /// Where its order was made, or is to be; nothing in a sale of a journal of format 3 or before.
    pub made_at: Option<MadeAt>,
}

/// An event that the table forbids was refused; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} cannot happen to a sale that is {state}", event.as_str())]
pub struct Forbidden {
    /// Where it stood.
    pub state: State,
    /// What was tried.
    pub event: Event,
}

impl Sale {
    /// The event happens.
    ///
    /// # Errors
    /// When the table forbids it; nothing is changed then.
    pub fn take(&mut self, event: Event) -> Result<State, Forbidden> {
        self.state = step(self.state, event).ok_or(Forbidden { state: self.state, event })?;
        Ok(self.state)
    }

    /// Whether its order is one of that place. A sale that does not tell belongs wherever it is asked about: what was
    /// sold once is not served twice for want of a name.
    #[must_use]
    pub fn may_be_of(&self, is_there: impl FnOnce(&MadeAt) -> bool) -> bool {
        self.made_at.as_ref().is_none_or(is_there)
    }

    /// The name under which the cloud knows the `number`th sale of a machine, chosen in this second: 24 digits, as the
    /// platform likes its trade_id. The second tells sales of a journal that was lost from those of the next one.
    ///
    /// # Errors
    /// Never; it is made of digits.
    pub fn trade_no(machine_no: &super::key::MachineNo, second: u64, number: u64) -> Result<Id, super::key::IdError> {
        Id::parse(&format!("{machine_no}{:010}{:06}", second % 10_000_000_000, number % 1_000_000))
    }
}

/// The table as the document shows it.
#[must_use]
pub fn document() -> String {
    let mut text = "| event \\ state |".to_owned();
    for state in State::ALL.into_iter().filter(|state| !state.is_ended()) {
        text.push_str(&format!(" {state} |"));
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(State::ALL.iter().filter(|state| !state.is_ended()).count()));
    for event in Event::ALL {
        text.push_str(&format!("\n| {} |", event.as_str()));
        for state in State::ALL.into_iter().filter(|state| !state.is_ended()) {
            match step(state, event) {
                Some(next) if next == state => text.push_str(" stays |"),
                Some(next) => text.push_str(&format!(" → {next} |")),
                None => text.push_str(" – |"),
            }
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_the_table_of_a_sale_as_it_is_in_the_code() {
        let told = include_str!("../../docs/order-life.md");
        let begin = "<!-- printed from order::sale::step: begin -->\n\n";
        let (_, rest) = told.split_once(begin).expect("the document has the table");
        let (table, _) = rest.split_once("\n<!-- printed from order::sale::step: end -->").unwrap();
        assert_eq!(table, document());
    }

    #[test]
    fn every_way_through_the_table_ends_and_who_has_paid_is_served_or_refunded_or_stands_for_a_person() {
        // From each state onward: everything that can follow, over and over.
        let reach = |from: State| {
            let mut seen = vec![from];
            let mut at = 0;
            while let Some(&state) = seen.get(at) {
                seen.extend(
                    Event::ALL
                        .iter()
                        .filter_map(|&event| step(state, event))
                        .filter(|s| !seen.contains(s))
                        .collect::<Vec<_>>(),
                );
                seen.dedup();
                at += 1;
            }
            seen
        };
        for state in State::ALL {
            let can_end = reach(state).into_iter().any(State::is_ended);
            assert!(can_end, "{state} never ends");
            let paid = matches!(state, State::Serving | State::Refunding | State::Owed | State::Doubt);
            let forgotten = reach(state).iter().any(|s| matches!(s, State::Closed | State::Failed));
            assert!(!(paid && forgotten), "{state}: a payment is forgotten");
            let served = reach(state).contains(&State::Serving);
            assert!(
                !served || matches!(state, State::Chosen | State::Created | State::Waiting | State::Serving),
                "{state}"
            );
        }
    }

    #[test]
    fn an_event_that_cannot_happen_changes_nothing() {
        for state in State::ALL {
            for event in Event::ALL {
                if state.is_ended() && event != Event::PowerReturns {
                    assert_eq!(step(state, event), None, "{state}: {event:?}");
                }
            }
        }
    }

    #[test]
    fn no_two_sales_of_a_machine_have_the_same_name() {
        let machine = crate::order::key::MachineNo::parse("16327129").unwrap();
        let name = |second, number| Sale::trade_no(&machine, second, number).unwrap();
        assert_eq!(name(1_714_373_688, 7).as_str(), "163271291714373688000007");
        assert_ne!(name(1_714_373_688, 7), name(1_714_373_689, 7), "another journal's seventh");
        assert_ne!(name(1_714_373_688, 7), name(1_714_373_688, 8));
    }
}
