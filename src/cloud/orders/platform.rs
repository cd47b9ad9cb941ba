//! The platform behind the interface of all order clouds. Its own words stand in
//! [`open_platform`].

use super::answer::CloudName;
use super::interface::{Ask, Failure, OrderCloud, PayState, Said, Seen, Unfit, Verb};
use super::row::{Cloud, Door, Merchant, Sells};
use crate::cloud::open_platform::{self, ApiRequest, NewOrder, NewStatus, OrderLine, OrderStatus, ProductId};
use crate::order::key::Id;
use crate::order::time::UnixMs;
use std::sync::Arc;

/// Its row. Paying is the merchant's own matter. It alone sees the trade_no and refuses the second order under it
/// (6040, cloud 1.8), and gives money back by PUT status 2.
pub(super) const CLOUD: Cloud = Cloud {
    name: CloudName("platform"),
    can: &[Verb::Create, Verb::Query, Verb::Close, Verb::Notify],
    sells: Some(Sells { door: Door::Merchant(|merchant| Arc::new(merchant.clone())), makes_once: true, refunds: true }),
};

const NEEDS_ORDER: Unfit = Unfit::Needs("the order's number: it knows no other name");

impl OrderCloud for Merchant {
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
