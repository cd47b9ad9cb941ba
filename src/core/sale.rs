//! Sales at the machine: somebody chooses a slot, pays by telephone and is served by an order of the machine's own
//! (rules 50–58). The cloud's order is durable before a pay code is shown; who has paid is served, refunded, or stands
//! for a person; nothing of that needs the program to live on.
//!
//! | file | subject |
//! |---|---|
//! | this one | what somebody at the machine may do, and what they see |
//! | `codes` | slots that are chosen by what is printed at them |
//! | `asking` | what the cloud is asked, and what its answers do |
//! | `counts` | sales by where they stand |
//! | `kept` | all sales that are kept, and what is counted of them |
//! | `keys` | slots that are chosen at the board's own keys |
//! | `ending` | payment, the own order's outcome, refund, report, and what a new life finds |

mod asking;
mod codes;
mod counts;
mod ending;
mod kept;
mod keys;

use super::commit::After;
use super::event::{Effect, Level, Token};
use super::outbox::host_of;
use super::own::Reply;
use super::slots::At;
use super::{Core, Phase};
use crate::board::driver::LineState;
use crate::cloud::orders::poll::POLL_FOR_MS;
use crate::cloud::orders::seller::Seller;
use crate::order::label::Label;
use crate::order::life::Arrival;
use crate::order::motor::{Address, Slot};
use crate::order::record::{self, RecordError, RecordKey};
use crate::order::said::InChinese;
use crate::order::sale::{MadeAt, SETTLED_CHARS_MAX, Sale, State, Why};
use crate::order::stock::{Condition, Fen};
use crate::order::time::{BootMs, Now};
use crate::sabotage::{self, Clause};
use asking::Asking;
pub use codes::SaleCode;
pub use counts::{REFUND_LATE_S, SaleCounts};
pub use ending::SALE_METHOD;
use kept::Kept;
pub use keys::KEY_NOTED_EVERY_MS;
use keys::Keys;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sales that have not ended and are kept at once. One is attended; the rest are watched for late payments, which takes
/// two hours each. Beyond it nobody can begin another, so that no payment is forgotten for lack of room.
pub const SALES_OPEN_MAX: usize = 256;
/// Sales that have ended and are kept, for people: some days of a busy machine.
pub const SALES_KEPT: usize = 200;
/// A payment is looked for so long after its order was given up, in ms: a pay code of WeChat's is good for two hours.
pub const WATCH_FOR_MS: u64 = 7_200_000;

/// What the core must know of the configuration.
#[derive(Debug, Clone)]
pub struct SaleSettings {
    /// Who makes the orders.
    pub cloud: Seller,
    /// The base of its paths.
    pub url: String,
    /// What the pay code says where the cloud gives none.
    pub pay_url: Option<String>,
    /// Who hears how each sale ended.
    pub notify_url: Option<String>,
    /// The money goes back when nobody knows whether goods came out; otherwise a person decides.
    pub refund_unknown: bool,
    /// An order that was given up is closed at the cloud, where it can; otherwise its time runs out there.
    pub closes: bool,
    /// A slot that somebody chose at the board's own keys begins a sale.
    pub keypad: bool,
    /// A payment that is found after a longer deafness is not served, in ms.
    pub deaf_ms: u64,
    /// What is sold from slots of which the catalogue says nothing, or something else.
    pub goods: BTreeMap<(Address, Slot), Goods>,
}

impl SaleSettings {
    /// Where an order is made now.
    fn place(&self) -> MadeAt {
        MadeAt { cloud: self.cloud.name().into(), host: host_of(&self.url).into() }
    }
}

/// What is sold from a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goods {
    /// The number on the cloud's books.
    pub number: u64,
    /// What buyers read.
    pub name: Box<str>,
    /// What it costs.
    pub price: Fen,
    /// What is printed at the slot, where that is not the platform's code of it.
    pub label: Option<Label>,
}

/// Somebody wants to buy what lies in this slot, by the board's own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaleChoice {
    /// Which board; the first where none is named.
    #[serde(default = "first_board")]
    pub address: Address,
    /// Which slot.
    pub slot: Slot,
}

fn first_board() -> Address {
    Address::FIRST
}

/// A person has settled a sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// Its number.
    pub sale: u64,
    /// How, for whoever reads the list later.
    pub reason: String,
}

/// Why something about a sale is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum SaleRefusal {
    /// The configuration names no cloud for it.
    #[error("nothing is sold at this machine: [sale] cloud is not set")]
    NotConfigured,
    /// Another one is not over.
    #[error("another sale is not over; cancel it, or wait for its end")]
    Open,
    /// The board has no such slot.
    #[error("the board has no such slot")]
    NoSuchSlot,
    /// Nothing that is sold has this code.
    #[error("nothing that is sold here has this code; vend slot list shows the codes")]
    NoSuchCode,
    /// More than one slot has it.
    #[error("more than one slot has this code; say which board: --address, or choose by --slot")]
    AmbiguousCode,
    /// It has no goods with a price.
    #[error("nothing with a price lies in this slot; see vend slot list and [sale] goods")]
    NotForSale,
    /// Its count is 0.
    #[error("the slot is empty")]
    Empty,
    /// Out of use until a person looked.
    #[error("the slot is out of use until somebody looked; then: vend slot clear")]
    OutOfOrder,
    /// The board is not there, or still settles.
    #[error("the board cannot be driven now; see vend status")]
    BoardAway,
    /// Its cloud did not answer lately.
    #[error("the cloud that sells cannot be reached now")]
    CloudAway,
    /// Too many orders or sales are open.
    #[error("too many orders or sales are open")]
    Busy,
    /// The machine starts, stops, is about to go, lacks room, or its journal failed.
    #[error("the machine takes nothing now: it starts or stops, lacks room, or its journal failed; see vend status")]
    Unavailable,
    /// There is no such sale.
    #[error("there is no such sale; see vend sale list")]
    NoSuchSale,
    /// It is paid, or over.
    #[error("there is nothing to cancel: the sale is paid, or over")]
    NotOpen,
    /// Nothing about it waits for a person.
    #[error("nothing about this sale waits for a person")]
    NothingOwed,
}

impl InChinese for SaleRefusal {
    fn zh(&self) -> String {
        match self {
            SaleRefusal::NotConfigured => "本机不销售：未设置 [sale] cloud",
            SaleRefusal::Open => "另一次销售尚未结束；请取消或等待",
            SaleRefusal::NoSuchSlot => "板卡没有此货道",
            SaleRefusal::NoSuchCode => "没有商品使用此编号；vend slot list 会列出编号",
            SaleRefusal::AmbiguousCode => "不止一个货道使用此编号；请用 --address 指明驱动板，或用 --slot 选择",
            SaleRefusal::NotForSale => "此货道没有标价商品；见 vend slot list 与 [sale] goods",
            SaleRefusal::Empty => "货道已空",
            SaleRefusal::OutOfOrder => "货道停用，须人工检查；之后执行 vend slot clear",
            SaleRefusal::BoardAway => "板卡未就绪；请看 vend status",
            SaleRefusal::CloudAway => "销售云端暂时无法连接",
            SaleRefusal::Busy => "未完成的订单或销售过多",
            SaleRefusal::Unavailable => "机器暂不可用：正在启动或停止、空间不足，或日志已失败；请看 vend status",
            SaleRefusal::NoSuchSale => "没有此销售；见 vend sale list",
            SaleRefusal::NotOpen => "没有可取消的：销售已支付或已结束",
            SaleRefusal::NothingOwed => "此销售没有待人工处理的事项",
        }
        .to_owned()
    }
}

/// A sale as people and screens see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleView {
    /// Its number.
    pub sale: u64,
    /// Where it stands: see `order::sale::State`.
    pub state: String,
    /// Somebody stands there for it: no other sale begins.
    pub attended: bool,
    /// It waits for a person.
    pub needs_person: bool,
    /// The driver board, from 1.
    pub address: u8,
    /// As the board numbers it.
    pub slot: u16,
    /// What the buyer reads.
    pub name: String,
    /// What it costs, in fen.
    pub price_fen: u64,
    /// What the QR code says, while it may be paid.
    pub pay_code: Option<String>,
    /// The machine's own name of the order.
    pub trade_no: String,
    /// The cloud's number of the order.
    pub order: Option<String>,
    /// Where its order was made, or is to be: the word of `sale.cloud`, and the host; unknown of a sale of an older vend.
    pub cloud: Option<String>,
    /// See `cloud`.
    pub cloud_host: Option<String>,
    /// When the slot was chosen, in Unix s, by the clock of that time.
    pub chosen_at_s: u64,
    /// The pay code is shown for so long yet, in s.
    pub expires_in_s: Option<u64>,
    /// The last thing the board said of its progress: a code of its family.
    pub progress: Option<u8>,
    /// Why it is not served, or not as the buyer wanted: see `order::sale::Why`.
    pub why: Option<String>,
    /// What became of its own order, in the words of a report.
    pub outcome: Option<String>,
    /// What the cloud says was paid, in fen, where it was not served.
    pub paid_fen: Option<u64>,
    /// A person's reason.
    pub settled: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Sales {
    all: Kept,
    asking: BTreeMap<u64, Asking>,
    questions: BTreeMap<Token, asking::Question>,
    last: u64,
    progress: Option<u8>,
    keys: Keys,
}

impl Sales {
    /// A look at all of them counts the same.
    pub(super) fn are_tallied(&self) -> bool {
        self.all.are_tallied()
    }

    pub(super) fn record(&self, number: u64) -> Result<Option<Vec<u8>>, RecordError> {
        self.all.get(number).map(record::encode_sale).transpose()
    }
}

impl Core {
    /// When and how trusted it is now.
    pub(super) fn moment(&self, now: Now) -> Arrival {
        Arrival { wall: now.wall, boot: now.boot, boot_id: self.settings.boot_id, trusted: self.time.trusted(now) }
    }

    /// How long ago that was, in ms; nothing when nobody knows.
    pub(super) fn ms_since(&self, then: &Arrival, now: Now) -> Option<u64> {
        if then.boot_id == self.settings.boot_id {
            return Some(now.boot.since_ms(then.boot));
        }
        // A time that was trusted and lies ahead was wrong: then nobody knows either.
        self.time.trusted(now)?.0.checked_sub(then.trusted?.0)
    }

    /// Somebody chose a slot.
    pub(super) fn on_sale_chosen(&mut self, now: Now, token: Token, choice: SaleChoice) {
        match self.begin_sale(now, choice, false) {
            Ok(number) => self.reply_when_durable(now, token, number),
            Err(refusal) => self.effects.push(Effect::Reply { token, reply: Reply::Sale(Err(refusal)) }),
        }
    }

    /// A sale begins: its number. A board that has just told of a key is there, also while it settles after a vend.
    fn begin_sale(&mut self, now: Now, choice: SaleChoice, by_key: bool) -> Result<u64, SaleRefusal> {
        let at = (choice.address, choice.slot);
        self.may_sell(now, by_key)?;
        let goods = self.may_sell_from(at)?;
        let number = self.sales.last.saturating_add(1);
        let trade_no = Sale::trade_no(&self.settings.machine_no, self.told_time_s(now), number);
        let sale = Sale {
            number,
            trade_no: trade_no.map_err(|_| SaleRefusal::Unavailable)?,
            address: choice.address,
            slot: choice.slot,
            goods: goods.number,
            name: goods.name,
            price: goods.price,
            chosen: self.moment(now),
            state: State::Chosen,
            why: None,
            order: None,
            pay_code: None,
            heard: None,
            left: None,
            paid: None,
            outcome: None,
            told: 0,
            settled: None,
            made_at: self.settings.sale.as_ref().map(SaleSettings::place),
        };
        self.note(Level::Info, "sale", format!("sale {number}: slot {} of board {}", at.1.0, at.0.get()));
        self.sales.last = number;
        self.sales.progress = None;
        self.sales.all.insert(sale);
        self.forget_old_sales();
        self.ask_from(now, number, asking::What::Create);
        self.save_sale(number);
        Ok(number)
    }

    /// Whoever asked sees the sale as it is then, once what was done is durable.
    fn reply_when_durable(&mut self, now: Now, token: Token, number: u64) {
        let view = self.sales.all.get(number).map(|sale| Box::new(self.sale_view(sale, now)));
        let reply = Reply::Sale(view.ok_or(SaleRefusal::NoSuchSale));
        self.after_next_commit(After::Reply { token, reply });
    }

    /// Whether anything can be sold now, whatever is chosen.
    fn may_sell(&self, now: Now, by_key: bool) -> Result<(), SaleRefusal> {
        let settings = self.settings.sale.as_ref().ok_or(SaleRefusal::NotConfigured)?;
        let is_ready =
            self.phase == Phase::Running && self.failed.is_none() && !self.stopping && !self.machine_is_going();
        if !is_ready || self.arrivals.lacks_space() {
            return Err(SaleRefusal::Unavailable);
        }
        if self.sales.all.open().any(|sale| sale.state.is_attended()) {
            return Err(SaleRefusal::Open);
        }
        if !self.has_room_for_orders() || self.sales.all.open().count() >= SALES_OPEN_MAX {
            return Err(SaleRefusal::Busy);
        }
        let settles = self.line.state() == LineState::Settling && !by_key;
        if self.line.state() == LineState::Closed || settles {
            return Err(SaleRefusal::BoardAway);
        }
        let is_away = self.outbox.room_from(host_of(&settings.url)).is_none_or(|from| from > now.boot);
        if is_away { Err(SaleRefusal::CloudAway) } else { Ok(()) }
    }

    /// Whether this slot sells, and what.
    fn may_sell_from(&self, at: At) -> Result<Goods, SaleRefusal> {
        if !self.has_slot(at) {
            return Err(SaleRefusal::NoSuchSlot);
        }
        let goods = self.goods_of(at).filter(|goods| goods.price > Fen(0)).ok_or(SaleRefusal::NotForSale)?;
        let record = self.slots.get(at);
        if self.ledger.locked.contains(&at) || record.is_some_and(|record| record.condition != Condition::Well) {
            return Err(SaleRefusal::OutOfOrder);
        }
        // A slot of which nobody counts the goods is believed to have some.
        if record.is_some_and(|record| record.count == 0) {
            return Err(SaleRefusal::Empty);
        }
        Ok(goods)
    }

    /// What a buyer gets from a slot: as the configuration says, or, where the platform sells, its catalogue.
    pub(super) fn goods_of(&self, at: At) -> Option<Goods> {
        let settings = self.settings.sale.as_ref()?;
        if let Some(goods) = settings.goods.get(&at) {
            return Some(goods.clone());
        }
        let product = self.slots.get(at)?.product.as_ref().filter(|_| settings.cloud.is_platform())?;
        Some(Goods { number: product.id.0, name: product.name.clone(), price: product.price?, label: None })
    }

    /// Whether a buyer could choose it now, as far as the slot is concerned.
    pub(super) fn is_for_sale(&self, at: At) -> bool {
        self.may_sell_from(at).is_ok()
    }

    /// Slots of which only the configuration of sales knows.
    pub(super) fn slots_for_sale(&self) -> impl Iterator<Item = At> {
        self.settings.sale.iter().flat_map(|sale| sale.goods.keys().copied())
    }

    /// The buyer does not want it any more.
    pub(super) fn on_sale_cancelled(&mut self, now: Now, token: Token) {
        match self.cancel_sale(now) {
            Ok(number) => self.reply_when_durable(now, token, number),
            Err(refusal) => self.effects.push(Effect::Reply { token, reply: Reply::Sale(Err(refusal)) }),
        }
    }

    /// The sale that is not paid yet is given up: its number.
    fn cancel_sale(&mut self, now: Now) -> Result<u64, SaleRefusal> {
        if !self.may_change_sales() {
            return Err(SaleRefusal::Unavailable);
        }
        let is_open = |sale: &&Sale| matches!(sale.state, State::Chosen | State::Created | State::Waiting);
        let open = self.sales.all.open().find(is_open).map(|sale| (sale.number, sale.state));
        let (number, state) = open.ok_or(SaleRefusal::NotOpen)?;
        if state == State::Chosen {
            // The question for an order may be under way: its answer tells what there is to be closed.
            self.sales.all.change(number, |sale| sale.why = Some(Why::Cancelled));
            self.save_sale(number);
        } else {
            self.leave_sale(now, number, Why::Cancelled);
        }
        Ok(number)
    }

    pub(super) fn may_change_sales(&self) -> bool {
        self.phase == Phase::Running && self.failed.is_none() && !self.stopping
    }

    /// A person has settled what the machine could not.
    pub(super) fn on_sale_settled(&mut self, now: Now, token: Token, settle: &Settle, uid: u32) {
        let refusal = match self.sales.all.get(settle.sale) {
            _ if !self.may_change_sales() => SaleRefusal::Unavailable,
            None => SaleRefusal::NoSuchSale,
            Some(sale) if !sale.state.needs_person() => SaleRefusal::NothingOwed,
            Some(_) => {
                let reason: String = settle.reason.chars().take(SETTLED_CHARS_MAX).collect();
                self.settle_sale(now, settle.sale, &reason, uid);
                self.reply_when_durable(now, token, settle.sale);
                return;
            }
        };
        self.effects.push(Effect::Reply { token, reply: Reply::Sale(Err(refusal)) });
    }

    /// The board is at the goods of a sale.
    pub(super) const fn note_sale_progress(&mut self, code: u8) {
        self.sales.progress = Some(code);
    }

    /// The attended sale, or the last one.
    #[must_use]
    pub fn current_sale(&self, now: Now) -> Option<SaleView> {
        let attended = self.sales.all.open().find(|sale| sale.state.is_attended());
        attended.or_else(|| self.sales.all.values().next_back()).map(|sale| self.sale_view(sale, now))
    }

    /// Every sale that is kept, oldest first.
    #[must_use]
    pub fn sale_views(&self, now: Now) -> Vec<SaleView> {
        self.sales.all.values().map(|sale| self.sale_view(sale, now)).collect()
    }

    /// Sales that wait for a person.
    #[must_use]
    pub fn sales_for_people(&self) -> usize {
        self.sales.all.open().filter(|sale| sale.state.needs_person()).count()
    }

    fn sale_view(&self, sale: &Sale, now: Now) -> SaleView {
        let is_durable = self.sales.asking.get(&sale.number).is_some_and(|asking| asking.is_durable);
        let is_shown = sale.state == State::Waiting && (is_durable || sabotage::is_out(Clause::R51ShownWhenDurable));
        let age_ms = self.ms_since(&sale.chosen, now);
        let left_s = age_ms.map(|age_ms| POLL_FOR_MS.saturating_sub(age_ms) / 1_000);
        SaleView {
            sale: sale.number,
            state: sale.state.as_str().to_owned(),
            attended: sale.state.is_attended(),
            needs_person: sale.state.needs_person(),
            address: sale.address.get(),
            slot: sale.slot.0,
            name: sale.name.to_string(),
            price_fen: sale.price.0,
            pay_code: sale.pay_code.as_deref().filter(|_| is_shown).map(str::to_owned),
            trade_no: sale.trade_no.to_string(),
            order: sale.order.as_ref().map(ToString::to_string),
            cloud: sale.made_at.as_ref().map(|made_at| made_at.cloud.to_string()),
            cloud_host: sale.made_at.as_ref().map(|made_at| made_at.host.to_string()),
            chosen_at_s: sale.chosen.trusted.unwrap_or(sale.chosen.wall).seconds(),
            expires_in_s: left_s.filter(|_| is_shown),
            progress: self.sales.progress.filter(|_| sale.state == State::Serving),
            why: sale.why.map(|why| why.as_str().to_owned()),
            outcome: sale.outcome.map(|outcome| outcome.as_str().to_owned()),
            paid_fen: sale.paid.map(|paid| paid.0),
            settled: sale.settled.as_deref().map(str::to_owned),
        }
    }

    /// The sale changed: into the next commit, and what is to be asked next waits for it.
    fn save_sale(&mut self, number: u64) {
        if let Some(asking) = self.sales.asking.get_mut(&number) {
            asking.is_durable = false;
        }
        let state = self.sales.all.get(number).map(|sale| (sale.state, sale.why));
        self.save_record(RecordKey::Sale(number), state.map(|state| After::Sale { number, state }));
    }

    /// The sale is durable as it was then.
    pub(super) fn sale_is_durable(&mut self, number: u64, state: (State, Option<Why>)) {
        let is_now = self.sales.all.get(number).is_some_and(|sale| (sale.state, sale.why) == state);
        if let Some(asking) = self.sales.asking.get_mut(&number).filter(|_| is_now) {
            asking.is_durable = true;
        }
    }

    /// Of those that have ended the oldest go, once whoever had to be told of them has been.
    fn forget_old_sales(&mut self) {
        let too_many = self.sales.all.ended().saturating_sub(SALES_KEPT);
        let ended = self.sales.all.values().filter(|sale| sale.state.is_ended()).map(|sale| sale.number);
        for number in ended.take(too_many).collect::<Vec<u64>>() {
            if !self.calls.is_open(&ending::subject(number)) {
                self.sales.all.remove(number);
                self.save_record(RecordKey::Sale(number), None);
            }
        }
    }

    /// When something about sales must be looked at.
    pub(super) fn sales_deadline(&self) -> Option<BootMs> {
        if self.sales.questions.len() >= asking::ASKED_AT_ONCE_MAX {
            return None;
        }
        self.sales.asking.values().filter(|asking| asking.may_be_asked()).map(|asking| asking.at).min()
    }
}
