//! Pickup codes: kept, entered, used once (rules 31–34).
//!
//! The platform says which codes there are; the machine alone says which are used. A code's use and its order are one
//! batch, so that no cut can part them, and the order's key is made of the code's id, so that a code can never become
//! two orders.

use super::commit::After;
use super::event::{Effect, Level, Tag, Token};
use super::own::Reply;
use super::{Core, OrderLine, Phase};
use crate::board::driver::LineState;
use crate::board::profile::Defaults;
use crate::cloud::pickup as cloud_pickup;
use crate::order::command::Turns;
use crate::order::key::{Id, Key};
use crate::order::life::Arrival;
use crate::order::pickup::{
    CodeBook, CodeSays, CodeState, CodeWord, Digits, NewCode, OpenCode, PickupCode, Salt, Sealed,
};
use crate::order::record::{self, RecordError, RecordKey};
use crate::order::said::{Said, said, words};
use crate::order::time::{BootMs, Now, UnixMs};
use crate::sabotage::{self, Clause};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Codes that are kept at once: those that may be entered, and those that are used or gone and must be known again.
/// A machine sells a few hundred things a day, and a code holds for hours; all of them are compared with each entry.
pub const CODES_MAX: usize = 2_000;
/// So many wrong codes in a row are believed to be slips of the finger.
pub const WRONG_FREE: u32 = 5;
/// The pause after them, in ms; each further wrong code doubles it.
pub const WRONG_PAUSE_MS: u64 = 30_000;
/// The longest pause, in ms: with [`CODES_MAX`] codes open, whoever tries all day needs a year for an even chance.
pub const WRONG_PAUSE_MAX_MS: u64 = 3_600_000;
/// Wrong codes are forgotten when none came for this time, in ms: slips of different people do not add up.
pub const WRONG_FORGOTTEN_MS: u64 = 3_600_000;

/// What whoever entered a code is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum Entry {
    /// It is used now, and its order is durable.
    Accepted {
        /// The order.
        order: OrderLine,
    },
    /// It was used before.
    Used {
        /// Its order, as long as it is remembered.
        order: Option<OrderLine>,
    },
    /// There is no such code.
    Wrong,
    /// Too many wrong codes: nothing is looked at for so long.
    Paused {
        /// In s.
        wait_s: u64,
    },
    /// Its time is over.
    Expired,
    /// It has a time, and nobody knows what time it is.
    TimeUnknown,
    /// It is older than this machine's journal, and may have been used before that was lost.
    MayBeUsed,
    /// Nobody knows in which slot its product lies.
    NoSlot,
    /// Its slot is out of use until a person looked.
    SlotLocked,
    /// The board is not there.
    BoardAway,
    /// Too many orders are open.
    Busy,
    /// The machine takes nothing now: it starts, stops, lacks room, or its journal failed.
    Unavailable,
}

/// Where a code stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeStanding {
    /// It may be entered.
    Open,
    /// Its time is over.
    Expired,
    /// It was used.
    Used,
    /// The platform took it back, or it was forgotten.
    Gone,
}

words! {
    CodeStanding {
        CodeStanding::Open => "open", "可用";
        CodeStanding::Expired => "expired", "已过期";
        CodeStanding::Used => "used", "已使用";
        CodeStanding::Gone => "gone", "已收回";
    }
}

/// A code for people: without its digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeLine {
    /// The platform's id.
    pub id: String,
    /// open, expired, used or gone.
    pub state: String,
    /// The platform's product, of one that is open.
    pub product_id: Option<String>,
    /// Units, of one that is open.
    pub quantity: Option<u8>,
    /// Until when it may be entered, in Unix ms.
    pub expires_at_ms: Option<u64>,
    /// What became of its order, of one that is used.
    pub order: Option<OrderLine>,
}

#[derive(Debug, Default)]
pub(super) struct Codes {
    by_id: BTreeMap<Id, PickupCode>,
    book: Option<CodeBook>,
    paused_until: BootMs,
    last_wrong: BootMs,
}

impl Codes {
    pub(super) fn record(&self, id: &Id) -> Result<Option<Vec<u8>>, RecordError> {
        self.by_id.get(id).map(record::encode_code).transpose()
    }

    pub(super) fn book_record(&self) -> Result<Option<Vec<u8>>, RecordError> {
        self.book.as_ref().map(record::encode_code_book).transpose()
    }

    /// Every open code that is of these digits, and a used one, in a time that does not depend on them.
    fn find(&self, digits: Digits) -> (Option<Id>, Option<Id>) {
        let salt = self.book.map_or(Salt([0; 16]), |book| book.salt);
        let sealed = digits.seal(salt);
        let (mut open, mut used) = (None, None);
        for code in self.by_id.values() {
            match &code.state {
                CodeState::Open(code_open) if code_open.sealed.is_of_same(&sealed) => open = Some(code.id.clone()),
                CodeState::Used(of) if of.is_of_same(&sealed) => used = Some(code.id.clone()),
                CodeState::Open(_) | CodeState::Used(_) | CodeState::Gone => {}
            }
        }
        (open, used)
    }
}

/// How long nothing is believed after so many wrong codes in a row, in ms.
const fn pause_ms(wrong: u32) -> u64 {
    match wrong.checked_sub(WRONG_FREE) {
        None => 0,
        Some(doublings) => {
            let factor = match 1_u64.checked_shl(doublings) {
                Some(factor) => factor,
                None => u64::MAX,
            };
            let pause_ms = WRONG_PAUSE_MS.saturating_mul(factor);
            if pause_ms < WRONG_PAUSE_MAX_MS { pause_ms } else { WRONG_PAUSE_MAX_MS }
        }
    }
}

impl Core {
    /// What the journal knew. A code whose order is still open is written again with it (rule 1): were its use only
    /// seen, the next cut would give it back.
    pub(super) fn recall_codes(&mut self, now: Now, codes: Vec<PickupCode>, book: Option<CodeBook>) {
        for code in codes {
            let is_open = Key::of_pickup(&code.id).is_ok_and(|key| self.orders.contains_key(&key));
            if is_open && matches!(code.state, CodeState::Used(_)) {
                self.save_record(RecordKey::Code(code.id.clone()), None);
            }
            self.codes.by_id.insert(code.id.clone(), code);
        }
        self.codes.book = book;
        self.codes.last_wrong = now.boot;
        let wrong = book.map_or(0, |book| book.wrong);
        if !sabotage::is_out(Clause::R33PauseOutlivesRestart) {
            self.codes.paused_until = if wrong < WRONG_FREE { BootMs(0) } else { now.boot.plus_ms(pause_ms(wrong)) };
        }
    }

    /// The platform says something about a code. Acknowledged when that is durable.
    pub(super) fn on_code(&mut self, now: Now, tag: Tag, word: CodeWord, redelivered: bool) {
        let CodeWord { id, issued_at_s, says } = word;
        match self.heed(now, &id, issued_at_s, says, redelivered) {
            Ok(()) => {
                self.note(Level::Info, "pickup_code", format!("code {id} is {}", self.standing(&id).as_str()));
                self.save_record(RecordKey::Code(id), [After::Ack(tag)]);
            }
            Err(why) => {
                self.keep_in_ring(now, 0, said!("pickup code {id}: {why}", "取货码 {id}：{why}", why; id));
                // What it says anew may only have been seen by this life (rule 1): it is written again before the
                // acknowledgement.
                self.save_record(RecordKey::Code(id), [After::Ack(tag)]);
            }
        }
    }

    fn standing(&self, id: &Id) -> CodeStanding {
        match self.codes.by_id.get(id).map(|code| &code.state) {
            Some(CodeState::Open(_)) => CodeStanding::Open,
            Some(CodeState::Used(_)) => CodeStanding::Used,
            Some(CodeState::Gone) | None => CodeStanding::Gone,
        }
    }

    /// Takes the platform's word, unless the machine knows better.
    fn heed(&mut self, now: Now, id: &Id, issued_at_s: u64, says: CodeSays, redelivered: bool) -> Result<(), Said> {
        let is_create = matches!(says, CodeSays::Create(_));
        // Rule 6: what an old session gives to a new journal may have been used in a former life.
        if is_create && redelivered && self.arrivals.session_is_older() {
            return Err(said!("an old session brings it to a new journal", "旧会话把它带到新日志"));
        }
        match self.codes.by_id.get(id) {
            Some(PickupCode { state: CodeState::Used(_), .. }) if !sabotage::is_out(Clause::R31UsedForEver) => {
                return Err(said!("it is used", "已使用"));
            }
            // Of two words of one second the deletion counts.
            Some(known)
                if (issued_at_s < known.told_at_s
                    || issued_at_s == known.told_at_s && is_create && known.state == CodeState::Gone)
                    && !sabotage::is_out(Clause::R31OlderIgnored) =>
            {
                return Err(said!("an older word", "较旧的消息"));
            }
            Some(_) => {}
            None => self.make_room_for_code(now, id, issued_at_s)?,
        }
        let state = match says {
            CodeSays::Gone => CodeState::Gone,
            CodeSays::Create(new) => CodeState::Open(self.open_code(now, new)),
        };
        self.codes.by_id.insert(id.clone(), PickupCode { id: id.clone(), told_at_s: issued_at_s, state });
        Ok(())
    }

    fn open_code(&mut self, now: Now, new: NewCode) -> OpenCode {
        let salt = self.book().salt;
        OpenCode {
            sealed: new.digits.seal(salt),
            product_id: new.product_id,
            quantity: new.quantity,
            expires_at: new.expires_at,
            turns: new.turns,
            arrival: Arrival {
                wall: now.wall,
                boot: now.boot,
                boot_id: self.settings.boot_id,
                trusted: self.time.trusted(now),
            },
        }
    }

    /// What is known beside the codes; begun with the first one.
    fn book(&mut self) -> &mut CodeBook {
        if self.codes.book.is_none() {
            let salt = Salt(self.random.u128(..).to_le_bytes());
            self.codes.book = Some(CodeBook { salt, forgotten_s: 0, wrong: 0 });
            self.save_record(RecordKey::CodeBook, None);
        }
        self.codes.book.get_or_insert(CodeBook { salt: Salt([0; 16]), forgotten_s: 0, wrong: 0 })
    }

    /// Room for a code that is not known: the oldest that nobody may enter any more is forgotten for it.
    fn make_room_for_code(&mut self, now: Now, id: &Id, issued_at_s: u64) -> Result<(), Said> {
        let is_known_order = |key: &Key| self.orders.contains_key(key) || self.archive.record(key).is_some();
        if Key::of_pickup(id).is_ok_and(|key| is_known_order(&key)) && !sabotage::is_out(Clause::R31UsedForEver) {
            return Err(said!("it is used", "已使用"));
        }
        if self.codes.book.is_some_and(|book| issued_at_s <= book.forgotten_s) {
            return Err(said!("it may be one that was forgotten", "可能是已清除的取货码"));
        }
        if self.codes.by_id.len() < CODES_MAX {
            return Ok(());
        }
        let may_go = |code: &&PickupCode| match &code.state {
            CodeState::Gone => true,
            CodeState::Used(_) => Key::of_pickup(&code.id).is_ok_and(|key| !self.orders.contains_key(&key)),
            CodeState::Open(open) => self.is_expired(open, now) == Some(true),
        };
        let oldest = self.codes.by_id.values().filter(may_go).min_by_key(|code| code.told_at_s);
        let Some((oldest, told_at_s)) = oldest.map(|code| (code.id.clone(), code.told_at_s)) else {
            self.note(Level::Error, "pickup_codes_full", format!("{CODES_MAX} codes are open; more are not kept"));
            return Err(said!("too many codes are open", "未用的取货码过多"));
        };
        self.codes.by_id.remove(&oldest);
        let book = self.book();
        book.forgotten_s = book.forgotten_s.max(told_at_s);
        self.save_record(RecordKey::Code(oldest), None);
        self.save_record(RecordKey::CodeBook, None);
        Ok(())
    }

    /// Whether the code's time is over; nothing when nobody knows.
    fn is_expired(&self, code: &OpenCode, now: Now) -> Option<bool> {
        let Some(expires_at) = code.expires_at else { return Some(false) };
        Some(self.time_since(&code.arrival, now)? > expires_at)
    }

    /// Somebody entered a code.
    pub(super) fn on_code_entered(&mut self, now: Now, token: Token, digits: Digits) {
        let entry = match self.try_code(now, token, digits) {
            Ok(()) => return,
            Err(entry) => entry,
        };
        let reply = Reply::Entered(entry.clone());
        if entry == Entry::Wrong {
            self.counters.codes_wrong += 1;
            let wrong = self.count_wrong(now);
            self.note(Level::Warn, "pickup_code_wrong", format!("{wrong} wrong codes in a row"));
            // Told when it is counted for good: pulling the plug gives no further try.
            self.save_record(RecordKey::CodeBook, [After::Reply { token, reply }]);
        } else {
            self.effects.push(Effect::Reply { token, reply });
        }
    }

    fn count_wrong(&mut self, now: Now) -> u32 {
        let is_alone = now.boot.since_ms(self.codes.last_wrong) >= WRONG_FORGOTTEN_MS;
        self.codes.last_wrong = now.boot;
        let book = self.book();
        book.wrong = if is_alone { 1 } else { book.wrong.saturating_add(1) };
        let wrong = book.wrong;
        let pause_ms = pause_ms(wrong);
        if pause_ms > 0 && !sabotage::is_out(Clause::R33WrongCodesPause) {
            self.codes.paused_until = now.boot.plus_ms(pause_ms);
        }
        wrong
    }

    /// Uses the code, if it may be used now. Whatever stands against that leaves the code as it was.
    #[allow(clippy::result_large_err, reason = "it is made once for each code that a person enters")]
    fn try_code(&mut self, now: Now, token: Token, digits: Digits) -> Result<(), Entry> {
        if self.phase != Phase::Running
            || self.failed.is_some()
            || self.stopping
            || self.machine_is_going()
            || self.arrivals.lacks_space()
        {
            return Err(Entry::Unavailable);
        }
        if now.boot < self.codes.paused_until {
            return Err(Entry::Paused { wait_s: self.codes.paused_until.since_ms(now.boot).div_ceil(1_000) });
        }
        let (id, code) = match self.codes.find(digits) {
            (Some(id), _) => match self.codes.by_id.get(&id) {
                Some(PickupCode { state: CodeState::Open(open), told_at_s, .. }) => (id, (open, *told_at_s)),
                _ => return Err(Entry::Wrong),
            },
            (None, Some(used)) => return Err(Entry::Used { order: self.order_of_code(&used) }),
            (None, None) => return Err(Entry::Wrong),
        };
        let (open, told_at_s) = code;
        if self.may_be_of_a_former_life(told_at_s) && !sabotage::is_out(Clause::R32NotOfAFormerLife) {
            return Err(Entry::MayBeUsed);
        }
        match self.is_expired(open, now) {
            _ if sabotage::is_out(Clause::R32Expires) => {}
            Some(false) => {}
            Some(true) => return Err(Entry::Expired),
            None => return Err(Entry::TimeUnknown),
        }
        let (turns, sealed) = (self.where_it_lies(open)?, open.sealed);
        match self.line.state() {
            LineState::Closed | LineState::Settling => return Err(Entry::BoardAway),
            LineState::Idle | LineState::Busy | LineState::Held => {}
        }
        if !self.has_room_for_orders() {
            return Err(Entry::Busy);
        }
        let key = Key::of_pickup(&id).map_err(|_| Entry::NoSlot)?;
        self.use_code(now, token, (id, sealed), key, turns);
        Ok(())
    }

    /// The slot that its product is taken from.
    #[allow(clippy::result_large_err, reason = "it is made once for each code that a person enters")]
    fn where_it_lies(&self, code: &OpenCode) -> Result<Turns, Entry> {
        let turns = code.turns.or_else(|| self.turns_of_product(code)).ok_or(Entry::NoSlot)?;
        if self.ledger.locked.contains(&(turns.address, turns.slot)) {
            return Err(Entry::SlotLocked);
        }
        Ok(Turns { quantity: code.quantity, ..turns })
    }

    /// Where the code names only its product, the catalogue knows the slot; of several the one with the most goods.
    fn turns_of_product(&self, code: &OpenCode) -> Option<Turns> {
        let (address, slot) = *self.slots_of_product(code.product_id.parse().ok()?).first()?;
        let Defaults { floor_type, lift, drop_check } = self.settings.profile.defaults;
        Some(Turns { address, slot, floor_type, lift, drop_check, quantity: code.quantity })
    }

    /// The code's use and its order, in one batch.
    fn use_code(&mut self, now: Now, token: Token, (id, sealed): (Id, Sealed), key: Key, turns: Turns) {
        self.counters.codes_used += 1;
        if let Some(code) = self.codes.by_id.get_mut(&id) {
            code.state = CodeState::Used(sealed);
        }
        if !sabotage::is_out(Clause::R31UsedWithOrder) {
            self.save_record(RecordKey::Code(id.clone()), None);
        }
        if self.codes.book.is_some_and(|book| book.wrong > 0) {
            self.book().wrong = 0;
            self.save_record(RecordKey::CodeBook, None);
        }
        self.note(Level::Info, "pickup", format!("code {id} becomes order {key}"));
        self.on_own_order(now, key.clone(), turns, None);
        // Nobody may sell or use it elsewhere: the platform hears of it before the motor stands, and after an outage even
        // if its order waits still.
        if !sabotage::is_out(Clause::R34ToldAtUse) {
            self.call(now, cloud_pickup::used_now(&id));
        }
        let Some(order) = self.orders.get(&key).map(OrderLine::of) else { return };
        let reply = Reply::Entered(Entry::Accepted { order });
        if sabotage::is_out(Clause::R31ToldWhenDurable) {
            self.effects.push(Effect::Reply { token, reply });
        } else {
            self.after_next_commit(After::Reply { token, reply });
        }
    }

    fn order_of_code(&self, id: &Id) -> Option<OrderLine> {
        let key = Key::of_pickup(id).ok()?;
        self.known_order(&key).map(|order| OrderLine::of(&order))
    }

    /// Every code, by id, without its digits.
    #[must_use]
    pub fn code_lines(&self, now: Now) -> Vec<CodeLine> {
        let line = |code: &PickupCode| {
            let open = match &code.state {
                CodeState::Open(open) => Some(open),
                CodeState::Used(_) | CodeState::Gone => None,
            };
            let is_expired = open.is_some_and(|open| self.is_expired(open, now) == Some(true));
            let is_used = matches!(code.state, CodeState::Used(_));
            CodeLine {
                id: code.id.to_string(),
                state: if is_expired { CodeStanding::Expired } else { self.standing(&code.id) }.as_str().to_owned(),
                product_id: open.map(|open| open.product_id.to_string()),
                quantity: open.map(|open| open.quantity),
                expires_at_ms: open.and_then(|open| open.expires_at).map(|UnixMs(ms)| ms),
                order: if is_used { self.order_of_code(&code.id) } else { None },
            }
        };
        self.codes.by_id.values().map(line).collect()
    }
}
