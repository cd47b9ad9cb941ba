//! A sale as its buyer sees it: what to do, what happens, how it ended. What a buyer need not know stays away.

use super::texts::Text;
use crate::core::{SaleRefusal, SaleView};
use crate::order::sale::{State, Why};
use crate::qr::{self, Outline};
use serde::Serialize;

/// What the screen shows of a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The cloud makes the order.
    Preparing,
    /// The code is there to be paid by.
    ToPay,
    /// The goods come.
    Dispensing,
    /// The goods are there.
    Thanks,
    /// The money goes back.
    Refund,
    /// The money is to go back, and somebody must see to it.
    Owed,
    /// Nobody knows whether the goods came out.
    Doubt,
    /// The time to pay is over.
    Expired,
    /// The buyer gave it up.
    Cancelled,
    /// It could not be sold, and nothing was paid.
    NotSold,
    /// Somebody has settled it.
    Settled,
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 11] = [
        Step::Preparing,
        Step::ToPay,
        Step::Dispensing,
        Step::Thanks,
        Step::Refund,
        Step::Owed,
        Step::Doubt,
        Step::Expired,
        Step::Cancelled,
        Step::NotSold,
        Step::Settled,
    ];

    /// The headline, and what stands below it.
    #[must_use]
    pub const fn texts(self) -> (Text, Option<Text>) {
        match self {
            Step::Preparing => (Text::Preparing, None),
            Step::ToPay => (Text::ToPay, Some(Text::ToPayMore)),
            Step::Dispensing => (Text::Dispensing, Some(Text::DispensingMore)),
            Step::Thanks => (Text::Thanks, Some(Text::ThanksMore)),
            Step::Refund => (Text::Refund, Some(Text::RefundMore)),
            Step::Owed => (Text::Owed, Some(Text::OwedMore)),
            Step::Doubt => (Text::Doubt, Some(Text::DoubtMore)),
            Step::Expired => (Text::Expired, Some(Text::NothingPaid)),
            Step::Cancelled => (Text::Cancelled, Some(Text::NothingPaid)),
            Step::NotSold => (Text::NotSold, Some(Text::NotSoldMore)),
            Step::Settled => (Text::SettledByPerson, None),
        }
    }

    fn of(state: State, why: Option<&str>) -> Step {
        match state {
            State::Chosen | State::Created => Step::Preparing,
            State::Waiting => Step::ToPay,
            State::Serving => Step::Dispensing,
            State::Served => Step::Thanks,
            State::Refunding | State::Refunded => Step::Refund,
            State::Owed => Step::Owed,
            State::Doubt => Step::Doubt,
            State::Settled => Step::Settled,
            State::Leaving | State::Watched | State::Closed | State::Failed => {
                // Who has paid meanwhile is found while it is watched; the screen tells it then.
                if why == Some(Why::Cancelled.as_str()) {
                    Step::Cancelled
                } else if why == Some(Why::TooOld.as_str()) {
                    Step::Expired
                } else {
                    Step::NotSold
                }
            }
        }
    }
}

/// A sale on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SaleShown {
    /// Its number.
    pub sale: u64,
    /// What is shown.
    pub step: Step,
    /// Somebody stands there for it, and nobody else can choose.
    pub attended: bool,
    /// The key of the headline.
    pub text: &'static str,
    /// The key of what stands below it.
    pub more: Option<&'static str>,
    /// What is bought.
    pub name: String,
    /// What it costs, in fen.
    pub price_fen: u64,
    /// The code to pay by, drawn.
    pub qr: Option<Outline>,
    /// How long the code can be paid yet, in s.
    pub expires_in_s: Option<u64>,
    /// It can be given up.
    pub may_cancel: bool,
}

impl SaleShown {
    /// What a buyer sees of it.
    #[must_use]
    pub fn of(view: &SaleView) -> SaleShown {
        let state = State::ALL.into_iter().find(|state| state.as_str() == view.state);
        // A state of another program's: it does not happen, and were it so, nothing could be promised.
        let step = state.map_or(Step::Doubt, |state| Step::of(state, view.why.as_deref()));
        let (text, more) = step.texts();
        // Who gave it up before there was a code has none to leave alone.
        let more = more.filter(|_| step != Step::Cancelled || state != Some(State::Failed));
        SaleShown {
            sale: view.sale,
            step,
            attended: view.attended,
            text: text.key(),
            more: more.map(Text::key),
            name: view.name.clone(),
            price_fen: view.price_fen,
            // What is too long to be drawn is longer than the core keeps.
            qr: view.pay_code.as_deref().and_then(|code| qr::outline(code).ok()),
            expires_in_s: view.expires_in_s,
            may_cancel: matches!(step, Step::Preparing | Step::ToPay),
        }
    }
}

/// What a buyer reads when a choice is not taken.
#[must_use]
pub const fn refused(why: SaleRefusal) -> Text {
    match why {
        SaleRefusal::Open => Text::AnotherBuys,
        SaleRefusal::NoSuchSlot
        | SaleRefusal::NoSuchCode
        | SaleRefusal::AmbiguousCode
        | SaleRefusal::NotForSale
        | SaleRefusal::Empty
        | SaleRefusal::OutOfOrder => Text::ChooseAnother,
        SaleRefusal::NotOpen | SaleRefusal::NoSuchSale | SaleRefusal::NothingOwed => Text::TooLateToCancel,
        SaleRefusal::NotConfigured
        | SaleRefusal::BoardAway
        | SaleRefusal::CloudAway
        | SaleRefusal::Busy
        | SaleRefusal::Unavailable => Text::NotNow,
    }
}

/// Every text that [`refused`] can give, for the test that holds texts and pages together.
#[cfg(test)]
pub(super) const REFUSALS: [Text; 4] = [Text::AnotherBuys, Text::ChooseAnother, Text::TooLateToCancel, Text::NotNow];
