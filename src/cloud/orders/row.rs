//! What a cloud says about itself, beside its words: its name, what it can, and, if orders of sales are made there, how
//! one gets in. Each cloud's file holds one; the [`table`](super::table) lists them.

use super::answer::{AnswerError, CloudName};
use super::interface::{OrderCloud, Verb};
use super::request::Session;
use super::session::LogInWay;
use crate::cloud::open_platform::{Account, ApiRequest};
use crate::order::key::MachineNo;
use crate::order::payment::Paid;
use std::sync::Arc;

/// A cloud that orders come from.
#[derive(Debug)]
pub struct Cloud {
    /// The word of a configuration.
    pub name: CloudName,
    /// What it can do, in the order of [`Verb::ALL`].
    pub can: &'static [Verb],
    /// Set where orders of sales can be made.
    pub sells: Option<Sells>,
}

/// What only a cloud that sells has to say. None of it decides anything about a sale.
#[derive(Debug)]
pub struct Sells {
    /// How one gets in.
    pub door: Door,
    /// Asking twice for an order under one trade_no makes one order.
    pub makes_once: bool,
    /// It gives money back when it is told to.
    pub refunds: bool,
}

/// How one gets in. What a configuration must and must not say follows from it.
#[derive(Debug)]
pub enum Door {
    /// At the address of `[cloud]` with the merchant's keys: the platform. Its catalogue says what lies in a slot, and it
    /// tells results to a notify_url.
    Merchant(fn(&Merchant) -> Arc<dyn OrderCloud>),
    /// At an address of its own, as somebody who is logged in.
    Session {
        /// The account of whoever is logged in; without a session of nobody.
        account: fn(Option<Session>) -> Arc<dyn OrderCloud>,
        /// How one logs in.
        log_in: LogInWay,
        /// Set where it wants to hear of payments that the machine learned of elsewhere.
        hears: Option<Hears>,
    },
}

/// How a cloud is told of a payment.
#[derive(Debug, Clone, Copy)]
pub struct Hears {
    /// The request, as whoever is logged in.
    pub tell: fn(Option<&Session>, &Paid) -> ApiRequest,
    /// Reads the answer to it.
    pub read: fn(u16, &[u8]) -> Result<(), AnswerError>,
}

/// The merchant's account, for this machine.
#[derive(Debug, Clone)]
pub struct Merchant {
    /// The merchant.
    pub account: Account,
    /// The machine.
    pub machine_no: MachineNo,
    /// Where the platform tells the results of orders that are created here.
    pub notify_url: String,
}
