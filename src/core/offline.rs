//! What somebody may do at the line while the agent does not run, and what the journal is to know of it. Pure: the tool
//! holds the state directory, and commits what is made here before a byte leaves.

use super::instructions::{AUDIT_KEPT, cut};
use crate::board::frame::hex;
use crate::order::instruction::{AuditEntry, Became, Kind, Memory, Who};
use crate::order::key::Key;
use crate::order::life::Unit;
use crate::order::outcome::UnitOutcome;
use crate::order::record::{self, Ledger, RecordError, RecordKey, Records};
use crate::order::said::InChinese;
use crate::order::time::{BootId, Now};

/// Why the line is not to be used by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineOwed {
    /// A motor command's outcome is still to be asked of the board.
    #[error(
        "order {0} has a motor command whose outcome the board is still to be asked: what it says of another turn would \
         be taken for it. Start the agent, and look at vend order show {0}"
    )]
    UnderWay(Key),
    /// What the board says next may tell what became of it.
    #[error(
        "what became of order {0} is unknown, and what the board says of another turn would be taken for it. Say what \
         became of it first, while the agent runs: vend order resolve {0}"
    )]
    InDoubt(Key),
}

impl InChinese for LineOwed {
    fn zh(&self) -> String {
        match self {
            LineOwed::UnderWay(key) => format!(
                "订单 {key} 的电机指令尚待询问板卡：板卡对另一次转动的回答会被当作它的。请启动守护进程，并查看 vend order \
                 show {key}"
            ),
            LineOwed::InDoubt(key) => format!(
                "订单 {key} 的结果未知，而板卡对另一次转动的回答会被当作它的。请先在守护进程运行时裁定：vend order resolve \
                 {key}"
            ),
        }
    }
}

/// Whether anybody but the agent may have a board turn something: not while its word is owed to an order (rule 14).
///
/// # Errors
/// Which order waits for the board's word.
pub fn may_use_the_line(ledger: &Ledger, records: &Records) -> Result<(), LineOwed> {
    let is_under_way = |unit: &Unit| matches!(unit, Unit::Intent(_));
    if let Some(order) = records.orders.iter().find(|order| order.units.iter().any(is_under_way)) {
        return Err(LineOwed::UnderWay(order.key.clone()));
    }
    for last in ledger.last_intents.values() {
        let order = records.orders.iter().find(|order| order.key == last.key && !order.resolved_by_person);
        let outcome = order.and_then(|order| order.units.get(usize::from(last.unit))).and_then(Unit::outcome);
        // A test vend is nobody's: what became of it interests nobody any more.
        if outcome == Some(UnitOutcome::Unknown) && !last.key.is_test() {
            return Err(LineOwed::InDoubt(last.key.clone()));
        }
    }
    Ok(())
}

/// Keys with what stands under them from now on, and keys that go.
pub type Changes = (Vec<(Vec<u8>, Vec<u8>)>, Vec<Vec<u8>>);

/// Somebody at the line: one audit entry, which tells the number of frames and the last of them.
#[derive(Debug)]
pub struct AtTheLine {
    memory: Memory,
    entry: AuditEntry,
    forgotten: Vec<u64>,
    frames: u64,
}

impl AtTheLine {
    /// `uid` sits down at the line.
    #[must_use]
    pub fn begin(records: &Records, uid: u32, now: Now, boot_id: BootId) -> AtTheLine {
        let mut memory = records.instructions.as_deref().cloned().unwrap_or_default();
        memory.entries = memory.entries.saturating_add(1);
        let now_s = now.wall.seconds();
        let entry = AuditEntry {
            number: memory.entries,
            who: Who::Person(uid),
            kind: Kind::LineSent,
            issued_at_s: now_s,
            came_at_s: now_s,
            boot_id,
            boot: now.boot,
            became: Became::Done,
            on_at_s: None,
            detail: "".into(),
        };
        let too_many = (records.audit.len() + 1).saturating_sub(AUDIT_KEPT);
        let ended = records.audit.iter().filter(|entry| entry.became.is_final());
        let forgotten = ended.take(too_many).map(|entry| entry.number).collect();
        AtTheLine { memory, entry, forgotten, frames: 0 }
    }

    /// What must be durable before these bytes leave.
    ///
    /// # Errors
    /// When the entry could not be written as a record; its size is bounded.
    pub fn sends(&mut self, frame: &[u8]) -> Result<Changes, RecordError> {
        self.frames += 1;
        self.entry.detail = cut(format!("{} raw frames; the last: {}", self.frames, hex(frame)));
        let puts = vec![
            (RecordKey::Instructions.to_bytes(), record::encode_instructions(&self.memory)?),
            (RecordKey::Audit(self.entry.number).to_bytes(), record::encode_audit(&self.entry)?),
        ];
        Ok((puts, self.forgotten.iter().map(|number| RecordKey::Audit(*number).to_bytes()).collect()))
    }
}
