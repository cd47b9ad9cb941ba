//! Merchants' receivers, the cloud and the platform: what was said to them, and how they answer.

use super::judge::{Broken, Channel, Judge};
use super::plan::{Closing, Deal, Fault, Manner, Placed, Plan};
use crate::board::profile::Profile;
use crate::cloud::envelope::{self, Fields};
use crate::cloud::open_platform::{Account, AppSecret, OrderStatus};
use crate::cloud::orders::batch::Pace;
use crate::cloud::orders::row::Merchant;
use crate::cloud::orders::seller::Seller;
use crate::cloud::orders::songshu::{self, NoticeSecret, OpenId, StatusForm};
use crate::cloud::orders::table::SellingCloud;
use crate::cloud::pickup::PUT_METHOD;
use crate::cloud::report::REPORT_METHOD;
use crate::cloud::sign::SigningKey;
use crate::cloud::telemetry::{PRODUCT_METHOD, RESTOCK_METHOD};
use crate::core::NotifySettings;
use crate::core::event::{Audience, FailureKind, HttpAnswer, HttpFailure, Request};
use crate::core::{Goods, SaleSettings};
use crate::order::call::{CallRecord, Operation, Way};
use crate::order::civil::Zone;
use crate::order::key::{Id, IdError, Key, MachineNo};
use crate::order::motor::{Address, Slot};
use crate::order::said::Said;
use crate::order::stock::{Fen, SlotRecord};
use crate::order::time::UnixMs;
use crate::sim::cloud::{Closes, SimCloud, SimOrder, SimProduct, StandIn as _};
use crate::sim::clouds::songshu::SimSongshu;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Base of the simulated cloud.
pub(super) const CLOUD_URL: &str = "https://cloud.example";
/// Base of the simulated songshu.
const SONGSHU_URL: &str = "https://songshu.example";
/// Batches come so often, in ms.
const BATCH_MS: u64 = 300_000;
/// Each slot is filled with so many goods, more than any run takes out.
pub(super) const FILLED_WITH: u16 = 500;
/// Every order's record.
pub(super) const RECORD: u64 = 1;
/// Where the merchant hears of sales at the machine.
const SALE_URL: &str = "https://merchant0.example/sold";
/// What is sold at the machine, at the platform; it lies in no slot of the platform's, so that its stock there is none of
/// ours.
const SOLD: u64 = 90_001;
/// What it costs.
const SOLD_FOR: Fen = Fen(350);
/// A client gives up on a silent receiver after this time, in ms.
const TIME_OUT_MS: u64 = 20_000;

/// The key of an order of the plan.
pub(super) fn key_of(order: &Placed) -> Result<Key, IdError> {
    Ok(Key { order_id: Id::parse(&order.order_id.to_string())?, record_id: Id::parse(&RECORD.to_string())? })
}

/// Where a merchant wants the result.
pub(super) fn notify_url(host: u8) -> String {
    format!("https://merchant{host}.example/notify")
}

/// Everyone whom the agent speaks to beside the broker.
pub(super) struct Outside {
    cloud: SimCloud,
    /// Orders that were paid at the machine.
    paid: BTreeSet<u64>,
    /// An order may be paid although it is closed, or its time is over.
    is_paid_late: bool,
    songshu: SimSongshu,
    /// When each command is given up, by the platform's order, in ms of the run.
    given_up_at_ms: BTreeMap<u64, u64>,
}

/// The platform gives a command up so long after it was issued, in ms (cloud 1.7).
const GIVEN_UP_AFTER_MS: u64 = 120_000;

/// An answer and when it is there, in ms.
pub(super) type Answered = (u64, Result<HttpAnswer, HttpFailure>);

impl Outside {
    pub(super) fn new(plan: &Plan, profile: &Profile, account: Account, machine_no: MachineNo) -> Outside {
        let mut cloud = SimCloud::new(account, machine_no);
        for order in &plan.orders {
            let status = if order.paid { "SUCCESS" } else { "NOTPAY" }.to_owned();
            let records = BTreeMap::from([(RECORD, "WAITING_PICKED_UP".to_owned())]);
            cloud.orders.insert(order.order_id, SimOrder { status, records });
        }
        for order in &plan.orders {
            // Its codes are those of the profile, as the platform's are; what is no slot of the board is not sold.
            let Some(code) = profile.slots.code_of(Slot(order.code)) else { continue };
            let id = u64::from(order.address) * 10_000 + u64::from(order.code);
            let product = SimProduct {
                name: format!("goods {id}"),
                price: Fen(100),
                channel_name: format!("A{code}"),
                code: format!("{code:03}"),
                addr: order.address,
                stock: FILLED_WITH.into(),
                capacity: FILLED_WITH.into(),
            };
            cloud.products.insert(id, product);
        }
        let gives_up = |order: &&Placed| plan.gives_up && order.paid;
        let at_ms = |order: &Placed| (order.order_id, order.issued_at_ms + GIVEN_UP_AFTER_MS);
        let given_up_at_ms = plan.orders.iter().filter(gives_up).map(at_ms).collect();
        if !plan.deals.is_empty() {
            let product = SimProduct {
                name: "sold here".to_owned(),
                price: SOLD_FOR,
                channel_name: "Z99".to_owned(),
                code: "999".to_owned(),
                addr: 9,
                stock: FILLED_WITH.into(),
                capacity: FILLED_WITH.into(),
            };
            cloud.products.insert(SOLD, product);
        }
        cloud.closes = match plan.closing {
            Closing::Refused => Closes::Refuses,
            Closing::PaymentStands | Closing::PaidAfterwards => Closes::Stands,
            Closing::NeverClosed => Closes::Overtakes,
        };
        Outside {
            cloud,
            paid: BTreeSet::new(),
            is_paid_late: plan.closing == Closing::PaidAfterwards,
            songshu: SimSongshu::new(None, Some(notice_secret())),
            given_up_at_ms,
        }
    }

    /// The machine sells at the platform, whatever slot is chosen.
    #[allow(clippy::expect_used, reason = "the platform is in the table, and its merchant stands beside it")]
    pub(super) fn sale(account: Account, machine_no: MachineNo, plan: &Plan) -> SaleSettings {
        let slots = plan.deals.iter().filter_map(|dealt| match dealt.deal {
            Deal::Choose { slot, address } => Some((Address::new(address)?, Slot(slot))),
            Deal::Look | Deal::Pay | Deal::GiveUp => None,
        });
        let merchant = Merchant { account, machine_no, notify_url: SALE_URL.to_owned() };
        let cloud = SellingCloud::named("platform").and_then(|cloud| Seller::new(cloud, Some(&merchant)));
        SaleSettings {
            cloud: cloud.expect("the platform sells"),
            url: CLOUD_URL.to_owned(),
            pay_url: Some("https://pay.example/{order}".to_owned()),
            notify_url: Some(SALE_URL.to_owned()),
            refund_unknown: plan.refund_failed,
            closes: plan.closing != Closing::NeverClosed,
            keypad: true,
            deaf_ms: 60_000,
            goods: slots
                .map(|at| (at, Goods { number: SOLD, name: "sold here".into(), price: SOLD_FOR, label: None }))
                .collect(),
        }
    }

    /// A buyer pays; false where the order is not open any more, and no money is taken.
    pub(super) fn pay(&mut self, order: u64) -> bool {
        let late = [OrderStatus::Closed.as_str(), OrderStatus::TimedOut.as_str()];
        let may_be_paid = |status: &str| status == "NOTPAY" || self.is_paid_late && late.contains(&status);
        let open = self.cloud.orders.get_mut(&order).filter(|open| may_be_paid(&open.status));
        if let Some(open) = open {
            "SUCCESS".clone_into(&mut open.status);
            self.paid.insert(order);
            return true;
        }
        false
    }

    /// Orders that were paid at the machine.
    pub(super) fn paid(&self) -> impl Iterator<Item = u64> {
        self.paid.iter().copied()
    }

    pub(super) fn is_paid(&self, order: u64) -> bool {
        self.paid.contains(&order)
    }

    pub(super) fn is_refunded(&self, order: u64) -> bool {
        self.cloud.orders.get(&order).is_some_and(|order| order.status == "REFUND")
    }

    /// Who is told of every order; half of the runs in batches.
    pub(super) fn notify(seed: u64) -> Option<NotifySettings> {
        Some(NotifySettings {
            url: SONGSHU_URL.to_owned(),
            account: songshu::Account {
                app_id: Id::parse("wx5").ok()?,
                secret: Some(notice_secret()),
                zone: Zone::CHINA,
                status_form: StatusForm::default(),
            },
            openid: OpenId::parse("oB").ok()?,
            pace: if seed.is_multiple_of(2) { Pace::NearRealTime } else { Pace::Batches { every_ms: BATCH_MS } },
            is_test: false,
        })
    }

    /// At the end songshu knows of each of these orders, or the machine shows that it could not tell; and whatever was
    /// told more than once was the same.
    pub(super) fn hold_against_the_notices<'k>(
        &self,
        keys: impl Iterator<Item = &'k Key>,
        calls: &[CallRecord],
        journal_was_lost: bool,
    ) -> Result<(), Broken> {
        for key in keys {
            let Some(name) = songshu::name_of(key) else { continue };
            let is_dead = calls.iter().any(|record| match &record.call.way {
                Way::Http(Operation::Notify(notice)) => notice.order_id == name,
                _ => false,
            });
            let heard = self.songshu.orders.get(name.as_str());
            if !is_dead && !heard.is_some_and(|heard| heard.is_paid) {
                return Err(Broken::NotNoticed(key.clone()));
            }
            // A journal that was lost knows neither when an order came nor that it was told.
            if !journal_was_lost && heard.is_some_and(|heard| heard.bodies.windows(2).any(|two| two[0] != two[1])) {
                return Err(Broken::BodyChanged(format!("{key} at songshu")));
            }
        }
        Ok(())
    }

    /// What the platform has waited for long enough is given up; the books say so from then on.
    pub(super) fn give_up(&mut self, now_ms: u64) {
        let over = self.given_up_at_ms.iter().filter(|(_, at_ms)| **at_ms <= now_ms).map(|(id, _)| *id);
        for order_id in over.collect::<Vec<_>>() {
            self.given_up_at_ms.remove(&order_id);
            self.book(order_id, "IS_TIMEOUT");
        }
    }

    /// The platform's books about an order's record; what it has given up stays so.
    fn book(&mut self, order_id: u64, word: &str) {
        let record = self.cloud.orders.get_mut(&order_id).and_then(|order| order.records.get_mut(&RECORD));
        if let Some(record) = record.filter(|record| *record != "IS_TIMEOUT") {
            word.clone_into(record);
        }
    }

    /// The words of the books about an order and its record.
    pub(super) fn books(&self, order: &Placed) -> Option<(String, String)> {
        let order = self.cloud.orders.get(&order.order_id)?;
        Some((order.status.clone(), order.records.get(&RECORD)?.clone()))
    }

    /// The merchant's account at the cloud.
    pub(super) fn account(key: &SigningKey) -> Account {
        Account {
            app_id: "ds069ed4223ac1660f".to_owned(),
            app_secret: AppSecret::new("simulated"),
            app_key: key.clone(),
        }
    }

    /// At the end platform and machine agree on how many are there.
    pub(super) fn hold_against_the_slots(&self, slots: &[SlotRecord]) -> Result<(), Broken> {
        for record in slots {
            let Some(product) = &record.product else { continue };
            let told = self.cloud.products.get(&product.id.0).map(|product| product.stock);
            if told != Some(record.count.into()) {
                return Err(Broken::StockNotTold { slot: record.slot.0, count: record.count, told });
            }
        }
        Ok(())
    }

    /// Orders that the cloud was told to refund.
    pub(super) fn refunded(&self, placed: &[(Key, Placed)]) -> BTreeSet<Key> {
        let refunded = |order: &Placed| self.cloud.orders.get(&order.order_id).is_some_and(|o| o.status == "REFUND");
        placed.iter().filter(|(_, order)| refunded(order)).map(|(key, _)| key.clone()).collect()
    }

    /// A request arrives.
    pub(super) fn take(
        &mut self,
        request: &Request,
        manner: Option<Manner>,
        true_ms: u64,
        delay_ms: u64,
        judge: &mut Judge,
    ) -> Result<Answered, Broken> {
        self.cloud.tick(true_ms / 1_000);
        let failed = |why: &str| Err(HttpFailure { kind: FailureKind::NoAnswer, why: Said::word(why) });
        let refused = match manner {
            Some(Manner::Silent) => return Ok((TIME_OUT_MS, failed("no answer"))),
            Some(Manner::Status(status, retry_after_s)) => Some((status, retry_after_s)),
            Some(Manner::AnswerLost) | None => None,
        };
        let (status, body) = match (request.audience, refused) {
            (Audience::Merchant, refused) if request.url == SALE_URL => {
                let body = serde_json::from_slice(&request.body).unwrap_or_default();
                let status = refused.map_or(204, |(status, _)| status);
                if refused.is_none() || status == 404 {
                    judge.sale_told(&body, refused.is_none())?;
                }
                (status, Vec::new())
            }
            (Audience::Merchant, None) => {
                let (key, sequence, units) = read_report(&request.body)?;
                judge.heard(Channel::Http, &key, sequence, &units, &request.body)?;
                (204, Vec::new())
            }
            (Audience::Merchant, Some((status, _))) => {
                if status == 404 {
                    judge.unwelcome(read_report(&request.body)?.0);
                }
                (status, Vec::new())
            }
            (Audience::Cloud, Some((status, _))) => {
                if status == 404 && request.method == "PUT" {
                    let order_id = request.url.rsplit('/').next().unwrap_or_default();
                    judge.cloud_refused(key(order_id, &RECORD.to_string())?);
                }
                (status, Vec::new())
            }
            (Audience::Notify, None) => {
                let path = request.url.strip_prefix(SONGSHU_URL).unwrap_or(&request.url);
                let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let (status, body) = self.songshu.answer(request.method, path, &headers, &request.body);
                if body != br#"{"errcode":0}"# {
                    return Err(Broken::ReportUnreadable(String::from_utf8_lossy(&body).into_owned()));
                }
                (status, body)
            }
            (Audience::Notify, Some((status, _))) => (status, Vec::new()),
            // The simulated machine sells at the platform.
            (Audience::Seller, _) => (404, Vec::new()),
            (Audience::Cloud, None) => {
                let path = request.url.strip_prefix(CLOUD_URL).unwrap_or(&request.url);
                let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                self.cloud.answer(request.method, path, &headers, &request.body)
            }
        };
        if manner == Some(Manner::AnswerLost) {
            return Ok((delay_ms, failed("connection reset")));
        }
        let retry_after_s = refused.and_then(|(_, retry_after_s)| retry_after_s);
        Ok((delay_ms, Ok(HttpAnswer { status, date: Some(UnixMs(true_ms)), retry_after_s, session: None, body })))
    }

    /// The message tells a result.
    pub(super) fn is_report(payload: &[u8]) -> bool {
        envelope::open(payload).is_ok_and(|fields| tells_a_result(&fields))
    }

    /// A message arrives at the platform; what is left of an old connection (not `is_on`) changes no stock any more, since
    /// it is sent again on the new one.
    pub(super) fn hear(&mut self, payload: &[u8], is_on: bool, judge: &mut Judge) -> Result<(), Broken> {
        let unreadable = |why: &str| Broken::ReportUnreadable(why.to_owned());
        let fields = envelope::open(payload).map_err(|e| unreadable(&e.to_string()))?;
        match fields.get("method") {
            Some(_) if tells_a_result(&fields) => {}
            Some(PRODUCT_METHOD | RESTOCK_METHOD) if !is_on => return Ok(()),
            Some(PRODUCT_METHOD) => {
                let number = |name| fields.get(name).and_then(|text| text.parse::<u64>().ok());
                let (Some(id), Some(count)) = (number("product_id"), number("current_inventory")) else {
                    return Err(unreadable(PRODUCT_METHOD));
                };
                self.cloud.products.get_mut(&id).ok_or_else(|| unreadable("product_id"))?.stock = count;
                return Ok(());
            }
            Some(RESTOCK_METHOD) => {
                let ids: Vec<String> = fields
                    .get("product_ids")
                    .and_then(|text| serde_json::from_str(text).ok())
                    .ok_or_else(|| unreadable("product_ids"))?;
                for id in ids {
                    let product = id.parse().ok().and_then(|id: u64| self.cloud.products.get_mut(&id));
                    let product = product.ok_or_else(|| unreadable("product_ids"))?;
                    product.stock = product.capacity;
                }
                return Ok(());
            }
            _ => return Ok(()),
        }
        let field = |name| fields.get(name).ok_or_else(|| unreadable(name));
        let key = key(field("order_id")?, field("record_id")?)?;
        let sequence = field("sequence")?.parse().map_err(|_| unreadable("sequence"))?;
        let units: Value = serde_json::from_str(field("units")?).map_err(|e| unreadable(&e.to_string()))?;
        judge.heard(Channel::Mqtt, &key, sequence, &units, payload)?;
        if let Ok(order_id) = key.order_id.as_str().parse() {
            self.given_up_at_ms.remove(&order_id);
            self.book(order_id, if field("deliver_status")? == "1" { "IS_SUCCESS" } else { "IS_FAILED" });
        }
        Ok(())
    }
}

#[allow(clippy::expect_used, reason = "the text is not empty")]
fn notice_secret() -> NoticeSecret {
    NoticeSecret::new("simulated").expect("a secret")
}

/// That a code is used is told at once, without a result, and then with it.
fn tells_a_result(fields: &Fields) -> bool {
    match fields.get("method") {
        Some(REPORT_METHOD) => true,
        Some(PUT_METHOD) => fields.get("sequence").is_some(),
        _ => false,
    }
}

fn key(order_id: &str, record_id: &str) -> Result<Key, Broken> {
    let id = |text| Id::read(text).map_err(|e| Broken::ReportUnreadable(e.to_string()));
    Ok(Key { order_id: id(order_id)?, record_id: id(record_id)? })
}

fn read_report(body: &[u8]) -> Result<(Key, u64, Value), Broken> {
    let mut body: Value = serde_json::from_slice(body).map_err(|e| Broken::ReportUnreadable(e.to_string()))?;
    let sequence = body["sequence"].as_u64().unwrap_or(0);
    let key = key(&body["order_id"].to_string(), &body["record_id"].to_string())?;
    Ok((key, sequence, body["units"].take()))
}

/// How whom a request is for behaves now.
pub(super) fn manner_now(faults: &[Fault], request: &Request, now_ms: u64) -> Option<Manner> {
    let during = |at_ms: u64, for_ms: u64| (at_ms..at_ms.saturating_add(for_ms)).contains(&now_ms);
    faults.iter().find_map(|fault| match (*fault, request.audience) {
        (Fault::Receiver { at_ms, for_ms, host, manner }, Audience::Merchant)
            if during(at_ms, for_ms) && request.url == notify_url(host) =>
        {
            Some(manner)
        }
        (Fault::Cloud { at_ms, for_ms, manner }, Audience::Cloud | Audience::Notify) if during(at_ms, for_ms) => {
            Some(manner)
        }
        _ => None,
    })
}
