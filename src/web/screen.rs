//! What customers see: what is sold, for how much, and whether it can be had now.

use super::sale::SaleShown;
use super::texts::Text;
use crate::board::driver::LineState;
use crate::core::{SaleView, SlotLine, Status};
use crate::order::label::Label;
use serde::Serialize;

/// Whether anything can be sold at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// It can.
    Open,
    /// It will in a moment.
    Starting,
    /// Somebody must look after the machine first.
    OutOfOrder,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 3] = [Service::Open, Service::Starting, Service::OutOfOrder];

    /// What it says, where there is something to say.
    #[must_use]
    pub const fn text(self) -> Option<Text> {
        match self {
            Service::Open => None,
            Service::Starting => Some(Text::Starting),
            Service::OutOfOrder => Some(Text::OutOfOrder),
        }
    }

    /// The machine as a customer sees it. A broker that is away stops no sale at the machine.
    fn of(status: &Status) -> Service {
        match (status.phase.as_str(), status.line) {
            ("running", LineState::Idle | LineState::Busy | LineState::Held) if status.has_space => Service::Open,
            ("opening", _) | ("running", LineState::Settling) => Service::Starting,
            _ => Service::OutOfOrder,
        }
    }
}

/// Whether a slot's goods can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// They can.
    ForSale,
    /// None is left.
    SoldOut,
    /// There are some, and the slot is out of use.
    OutOfUse,
}

impl State {
    /// All of them.
    pub const ALL: [State; 3] = [State::ForSale, State::SoldOut, State::OutOfUse];

    /// What it says, where there is something to say.
    #[must_use]
    pub const fn text(self) -> Option<Text> {
        match self {
            State::ForSale => None,
            State::SoldOut => Some(Text::SoldOut),
            State::OutOfUse => Some(Text::OutOfUse),
        }
    }
}

/// One slot that something is sold from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The driver board.
    pub address: u8,
    /// The slot on it.
    pub slot: u16,
    /// What is printed at the slot.
    pub label: Label,
    /// What it is called.
    pub name: String,
    /// What it costs, in fen.
    pub price_fen: u64,
    /// Whether it can be had.
    pub state: State,
    /// The key of the text for that, if it cannot.
    pub text: Option<&'static str>,
}

/// Everything on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Screen {
    /// Whose screen this is.
    pub machine_no: String,
    /// Whether anything can be sold.
    pub service: Service,
    /// The key of the text for that, if nothing can.
    pub text: Option<&'static str>,
    /// What is sold, by driver board and slot.
    pub offers: Vec<Offer>,
    /// The sale that somebody stands there for, or the last one.
    pub sale: Option<SaleShown>,
}

impl Screen {
    /// The screen of a machine in this state.
    #[must_use]
    pub fn of(status: &Status, slots: &[SlotLine], sale: Option<&SaleView>) -> Screen {
        let service = Service::of(status);
        Screen {
            machine_no: status.machine_no.clone(),
            service,
            text: service.text().map(Text::key),
            offers: slots.iter().filter_map(Offer::of).collect(),
            sale: sale.map(SaleShown::of),
        }
    }
}

impl Offer {
    /// Nothing is offered from a slot whose goods have no name or no price: nobody could say what is paid for.
    fn of(line: &SlotLine) -> Option<Offer> {
        let state = match (line.for_sale, line.condition.as_str(), line.locked, line.count) {
            (true, ..) => State::ForSale,
            (false, "well", false, 0) => State::SoldOut,
            (false, ..) => State::OutOfUse,
        };
        Some(Offer {
            address: line.address,
            slot: line.slot,
            label: line.label.clone().unwrap_or_else(|| line.code.unwrap_or(line.slot).into()),
            name: line.product.clone()?,
            price_fen: line.price_fen?,
            state,
            text: state.text().map(Text::key),
        })
    }
}
