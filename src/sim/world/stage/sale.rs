//! Buyers at the machine: they choose, look, pay, give up, and pay all the same.

use super::Stage;
use crate::board::driver::{Address, Slot};
use crate::cloud::envelope;
use crate::core::SaleChoice;
use crate::core::event::{Event, Request, Token};
use crate::order::key::Key;
use crate::order::life::Order;
use crate::order::sale::{Sale, State, Why};
use crate::sim::world::judge::{Broken, UnitId};
use crate::sim::world::outside::CLOUD_URL;
use crate::sim::world::plan::Deal;
use serde_json::Value;

impl Stage<'_> {
    pub(super) fn deal(&mut self, n: usize) -> Result<(), Broken> {
        let Some(visit) = self.plan.deals.get(n).copied() else { return Ok(()) };
        let token = Token(u64::try_from(n).unwrap_or(0));
        self.remember_the_code();
        self.story.tell(self.now_ms, || format!("a buyer: {:?}", visit.deal));
        match visit.deal {
            Deal::Choose { slot, address } => match Address::new(address) {
                Some(address) => {
                    self.tell_if_alive(Event::SaleChosen { token, choice: SaleChoice { address, slot: Slot(slot) } })
                }
                None => Ok(()),
            },
            Deal::GiveUp => self.tell_if_alive(Event::SaleCancelled { token }),
            Deal::Look => Ok(()),
            Deal::Pay => {
                if let Some(order) = self.shown_order
                    && self.outside.pay(order)
                {
                    self.story.tell(self.now_ms, || format!("PAID: order {order}"));
                }
                Ok(())
            }
        }
    }

    fn tell_if_alive(&mut self, event: Event) -> Result<(), Broken> {
        if self.core.is_some() { self.tell(event).map(drop) } else { Ok(()) }
    }

    /// A telephone keeps what it has read.
    fn remember_the_code(&mut self) {
        let sale = self.core.as_ref().and_then(|core| core.current_sale(self.now()));
        let shown = sale.filter(|sale| sale.pay_code.is_some()).and_then(|sale| sale.order?.parse().ok());
        self.shown_order = shown.or(self.shown_order);
    }

    /// What makes or closes an order leaves only after the sale that wants it is durable (rule 50). True for a request
    /// of a sale.
    pub(super) fn hold_against_the_sales(&self, request: &Request) -> Result<bool, Broken> {
        let path = request.url.strip_prefix(CLOUD_URL).unwrap_or_default();
        let path = path.strip_prefix("/api/openapi/v1/orders").unwrap_or("-");
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let sales = self.disk.durable_sales();
        let told = || format!("{} {}", request.method, request.url);
        let is_right = match (request.method, path) {
            ("POST", "") => {
                let wanted = |sale: &Sale| sale.state == State::Chosen && body["trade_id"] == sale.trade_no.as_str();
                sales.iter().any(wanted)
            }
            ("PUT", path) => {
                let payload = body["payload"].as_str().unwrap_or_default();
                let is_close = envelope::open(payload.as_bytes()).is_ok_and(|fields| fields.get("status") == Some("3"));
                if !is_close {
                    return Ok(false);
                }
                let order = path.trim_start_matches('/');
                let is_it = |sale: &Sale| sale.order.as_ref().is_some_and(|id| id.as_str() == order);
                sales.iter().any(|sale| is_it(sale) && sale.state == State::Leaving)
            }
            _ => return Ok(false),
        };
        if is_right { Ok(true) } else { Err(Broken::CallBeforeDurable(told())) }
    }

    /// A motor frame leaves for a sale: only if it is paid.
    pub(super) fn sale_is_driven(&self, order: &Order) -> Result<(), Broken> {
        let Some(number) = order.key.sale() else { return Ok(()) };
        let sales = self.disk.durable_sales();
        let sale = sales.iter().find(|sale| sale.number == number && sale.state == State::Serving);
        let id = sale.and_then(|sale| sale.order.as_ref()?.as_str().parse().ok());
        if id.is_some_and(|id| self.outside.is_paid(id)) {
            Ok(())
        } else {
            Err(Broken::DrivenUnpaid(order.key.clone()))
        }
    }

    /// The end: who has paid was served, has the money back, or stands for a person; nobody else got anything; and the
    /// merchant knows. What went with a lost journal is not judged.
    pub(super) fn judge_sales(&self) -> Result<(), Broken> {
        if self.first_life > 0 {
            return Ok(());
        }
        let sales = self.disk.durable_sales();
        for order in self.outside.paid() {
            let is_it = |sale: &&Sale| sale.order.as_ref().is_some_and(|id| id.as_str() == order.to_string());
            let Some(sale) = sales.iter().find(is_it) else { return Err(Broken::SaleForgotten { order }) };
            self.judge_paid_sale(order, sale)?;
        }
        for sale in &sales {
            let state = sale.state;
            let is_open = !state.is_ended() && !state.needs_person();
            if is_open {
                return Err(Broken::SaleOpen { sale: sale.number, state: state.as_str() });
            }
            if !self.judge.sale_was_told(sale) {
                return Err(Broken::SaleUntold { sale: sale.number, state: state.as_str() });
            }
        }
        Ok(())
    }

    fn judge_paid_sale(&self, order: u64, sale: &Sale) -> Result<(), Broken> {
        let wrong = || Broken::SaleWrong { sale: sale.number, order, state: sale.state.as_str() };
        let key = Key::of_sale(sale.number).map_err(|_| wrong())?;
        let dropped = self.judge.has_dropped(&UnitId { key, unit: 0 });
        let is_refunded = self.outside.is_refunded(order);
        let is_right = match sale.state {
            State::Served => {
                dropped && !is_refunded || sale.outcome.is_some_and(|o| o.as_str() == "dispensed_unverified")
            }
            State::Refunded => is_refunded && (!dropped || sale.why == Some(Why::Unknown)),
            // A refund that was booked is not owed any more, unless nobody would say so.
            State::Owed => !is_refunded || self.judge.is_refused_by_the_cloud(order),
            State::Doubt => true,
            _ => false,
        };
        if is_right { Ok(()) } else { Err(wrong()) }
    }
}
