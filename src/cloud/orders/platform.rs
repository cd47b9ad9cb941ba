//! The platform behind the interface of all order clouds. Its own words stand in
//! [`open_platform`].

use super::interface::{Ask, Failure, OrderCloud, PayState, Said, Seen, Unfit, Verb};
use crate::cloud::open_platform::{self, Account, ApiRequest, NewOrder, NewStatus, OrderLine, OrderStatus, ProductId};
use crate::order::key::{Id, MachineNo};
use crate::order::time::UnixMs;

/// What it can do here. Paying is the merchant's own matter.
pub(super) const CAN: &[Verb] = &[Verb::Create, Verb::Query, Verb::Close, Verb::Notify];

/// The merchant's account, for this machine.
#[derive(Debug, Clone)]
pub struct Platform {
    /// The merchant.
    pub account: Account,
    /// The machine.
    pub machine_no: MachineNo,
    /// Where the platform tells the results of orders that are created here.
    pub notify_url: String,
}

const NEEDS_ORDER: Unfit = Unfit::Needs("the order's number: it knows no other name");

impl OrderCloud for Platform {
    fn request(&self, ask: &Ask, now: UnixMs) -> Result<ApiRequest, Unfit> {
        let update = |order, to| Ok(self.account.update_order(&self.machine_no, order, to, now.seconds()));
        match ask {
            Ask::Create { goods, trade_no } => {
                let line = OrderLine { product_id: ProductId(*goods), quantity: 1 };
                let order = NewOrder::new((*trade_no).clone(), &self.notify_url, vec![line]);
                let order = order.map_err(|_| Unfit::Needs("a notify_url with http:// or https:// in its section"))?;
                Ok(self.account.create_order(&self.machine_no, &order))
            }
            Ask::Query { order, .. } => {
                Ok(self.account.query_order(&self.machine_no, order.ok_or(NEEDS_ORDER)?, now.seconds()))
            }
            Ask::Close { order } => update(order, NewStatus::Closed),
            Ask::Notify(news) if news.paid.is_some() => update(&news.order, NewStatus::Paid),
            Ask::Notify(_) => Err(Unfit::Needs("a payment: it knows the order since it was created")),
            Ask::Pay { .. } | Ask::List { .. } => Err(Unfit::Cannot(ask.verb())),
        }
    }

    fn read(&self, ask: &Ask, status: u16, body: &[u8]) -> Result<Said, Failure> {
        match ask {
            // Only its number comes, and no amount.
            Ask::Create { .. } => Ok(Said::Created(open_platform::read_created(status, body)?, None)),
            Ask::Query { order, .. } => {
                let order = open_platform::read_order(status, body, order.ok_or(NEEDS_ORDER)?)?;
                let state = state(&order.status);
                let trade_no = Id::parse(&order.trade_id).ok();
                Ok(Said::Order(Seen { order: order.order_id, trade_no, amount: order.amount.ok(), state }))
            }
            Ask::Close { .. } | Ask::Notify(_) => {
                open_platform::read_update(status, body)?;
                Ok(Said::Done)
            }
            Ask::Pay { .. } | Ask::List { .. } => Err(Unfit::Cannot(ask.verb()).into()),
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
