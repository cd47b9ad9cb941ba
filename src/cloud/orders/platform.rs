//! The platform behind the interface of all order clouds. Its own words stand in
//! [`open_platform`](crate::cloud::open_platform).

use super::interface::{Ask, Failure, OrderCloud, PayState, Said, Seen, Unfit, Verb};
use crate::cloud::open_platform::{self, Account, ApiRequest, NewStatus, OrderStatus};
use crate::order::key::MachineNo;
use crate::order::time::UnixMs;

/// What it can do here. It creates orders too, of products and for a notify_url; the sale does that when it is there.
pub(super) const CAN: &[Verb] = &[Verb::Query, Verb::Close, Verb::Notify];

/// The merchant's account, for this machine.
#[derive(Debug, Clone)]
pub struct Platform {
    /// The merchant.
    pub account: Account,
    /// The machine.
    pub machine_no: MachineNo,
}

const NEEDS_ORDER: Unfit = Unfit::Needs("the order's number: it knows no other name");

impl OrderCloud for Platform {
    fn request(&self, ask: &Ask, now: UnixMs) -> Result<ApiRequest, Unfit> {
        let update = |order, to| Ok(self.account.update_order(&self.machine_no, order, to, now.seconds()));
        match ask {
            Ask::Query { order, .. } => {
                Ok(self.account.query_order(&self.machine_no, order.ok_or(NEEDS_ORDER)?, now.seconds()))
            }
            Ask::Close { order } => update(order, NewStatus::Closed),
            Ask::Notify(news) if news.paid.is_some() => update(&news.order, NewStatus::Paid),
            Ask::Notify(_) => Err(Unfit::Needs("a payment: it knows the order since it was created")),
            Ask::Create { .. } | Ask::Pay { .. } | Ask::List { .. } => Err(Unfit::Cannot(ask.verb())),
        }
    }

    fn read(&self, ask: &Ask, status: u16, body: &[u8]) -> Result<Said, Failure> {
        match ask {
            Ask::Query { order, .. } => {
                let order = open_platform::read_order(status, body, order.ok_or(NEEDS_ORDER)?)?;
                let state = state(&order.status);
                Ok(Said::Order(Seen { order: order.order_id, trade_no: None, amount: None, state }))
            }
            Ask::Close { .. } | Ask::Notify(_) => {
                open_platform::read_update(status, body)?;
                Ok(Said::Done)
            }
            Ask::Create { .. } | Ask::Pay { .. } | Ask::List { .. } => Err(Unfit::Cannot(ask.verb()).into()),
        }
    }
}

fn state(status: &OrderStatus) -> PayState {
    match status {
        OrderStatus::Success | OrderStatus::PickupCode | OrderStatus::TestPaid => PayState::Paid,
        OrderStatus::NotPaid | OrderStatus::UserPaying => PayState::Unpaid,
        OrderStatus::Refund | OrderStatus::Closed | OrderStatus::Revoked | OrderStatus::TimedOut => PayState::Closed,
        OrderStatus::PaymentError => PayState::Failed,
        OrderStatus::Unknown(_) => PayState::Unclear,
    }
}
