//! The interface of every board family: bytes and time in, bytes and findings out.
//!
//! A driver owns the conversation on one line. It never sleeps, reads a clock or touches a port; it is told the
//! time, and it says when it wants to be woken. It never decides whether an order may be driven: the core does,
//! and calls [`Driver::drive`] only after the intent is durable. It promises, in return:
//!
//! 1. One call of `drive` puts at most one motor command on the line, ever. Never resent (order-life, rule 15).
//! 2. After an outcome it holds the board's result (does not acknowledge, clear or overwrite it) until
//!    [`Driver::release`]: the outcome is durable only then (rules 14, 22).
//! 3. It says [`LineState::Idle`] only when a new motor command cannot meet an old one: the board was seen idle
//!    after the last result was released, or the longest vend time has passed, and the line is drained (rule 16).
//!    A family whose board holds no result (classes 4 and 6) may say so as soon as the outcome is there, so that the
//!    next intent shares its commit; the core releases before it drives.
//! 4. Exactly one of [`Finding::Outcome`], [`Finding::NotTaken`] and [`Finding::Unproven`] ends each `drive` or
//!    `resume`, unless the core gives up first; what becomes known afterwards is a [`Finding::Late`].
//! 5. It never turns silence, noise or a restart of the board into a proof.

use super::service::{Reading, Service, ServiceError};
pub use crate::order::motor::{Address, FloorType, MotorCommand, Reference, Slot};
use crate::order::outcome::{Evidence, Reason};
use crate::order::time::BootMs;
use serde::{Deserialize, Serialize};

/// Whether a motor command may go to the line now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// The port is not open.
    Closed,
    /// Open, but the board has not yet been heard, or has not proven that it is idle.
    Settling,
    /// A motor command may go out.
    Idle,
    /// A motor command is under way.
    Busy,
    /// An outcome was found and is not yet released, on a board that holds it.
    Held,
}

/// How a family's outcome can be known after the agent was away (boards.md, section 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveryClass {
    /// Class 1: the board holds the result until it is acknowledged.
    HeldUntilAcknowledged,
    /// Classes 1b and 1c: the board tells the result of its last command until the next one, and nothing says which
    /// command that was: it counts only against what the board said just before.
    LastResult,
    /// Class 2: the board holds the result until it is read once.
    ReadClears,
    /// Class 3 and counters: the board counts what it has sold and forgets no count without power.
    Counters,
    /// Class 4: the board pushes the result once.
    PushOnly,
    /// Class 5: what can be seen of the mechanism itself, a latch.
    PhysicalState,
    /// Class 6: the board remembers nothing.
    None,
}

/// What a driver learned. The core turns it into the order's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The board took the motor command of the running `drive`.
    Taken,
    /// The board is at it; a code of the family, for people.
    Progress(u8),
    /// The outcome of the running `drive` or `resume`. Held on the board until [`Driver::release`] where it can be.
    Outcome(Evidence),
    /// Proof that the board did not take the command and the motor did not turn, with the reason to tell.
    /// During `resume` it proves "never received" for this very command.
    NotTaken(Reason),
    /// No proof can come any more: *unknown*. The text says why, for people.
    Unproven(&'static str),
    /// Evidence for the command that last ended in *unknown* on this line (by `Unproven` or [`Driver::give_up`], or,
    /// on boards that hold a result, in an earlier life: then it is what the board held when it was first asked).
    /// The core credits it to the last unresolved intent at that address and slot, or to nothing.
    /// Held until [`Driver::release`] like an outcome.
    Late {
        /// The driver board that said so.
        address: Address,
        /// The slot it named, where the protocol names one.
        slot: Option<Slot>,
        /// What it said.
        evidence: Evidence,
    },
    /// The board restarted (banner, start-up message): "idle" proves nothing about what came before.
    BoardRestarted,
    /// Model, version or serial number, as the board tells it.
    Identity(String),
    /// Somebody chose a slot at the board's own keys, once for each press. It asks for nothing: the board waits for no
    /// answer, and turns nothing by itself.
    Selected {
        /// The driver board with the keys.
        address: Address,
        /// The slot; nothing when the choice was given up.
        slot: Option<Slot>,
    },
    /// What became of the running [`Driver::serve`]; exactly one for each.
    Served(Result<Reading, ServiceError>),
    /// Something on the line that a technician should know: bad check, noise, foreign frame, time-out.
    Fault(LineFault),
}

/// What passed over the line since the driver was made, for cable faults that look like faults of the program. Bytes,
/// reopenings and [`LineFault`]s are counted by the core, which sees them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Frames that the board sent and whose check was good.
    pub frames_in: u64,
    /// Frames for the board.
    pub frames_out: u64,
    /// Of these, those that said again what was not answered. Never a motor command (rule 15).
    pub resends: u64,
    /// Questions that were answered: how many round trips the times below are of.
    pub round_trips: u64,
    /// All round trips together, in ms.
    pub round_trips_ms: u64,
    /// The longest, in ms.
    pub longest_round_trip_ms: u64,
}

impl Tally {
    /// A question was answered after this time.
    pub fn round_trip(&mut self, ms: u64) {
        self.round_trips += 1;
        self.round_trips_ms = self.round_trips_ms.saturating_add(ms);
        self.longest_round_trip_ms = self.longest_round_trip_ms.max(ms);
    }
}

/// What was wrong with bytes or silence on the line. Counted, and shown in the live monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineFault {
    /// A frame whose check sum does not fit.
    BadCheck,
    /// Bytes that belong to no frame.
    Noise,
    /// A frame that answers nothing, or from another address.
    Unexpected,
    /// No answer in time.
    TimeOut,
}

/// Bytes that go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The whole frame.
    pub bytes: Vec<u8>,
    /// This frame can turn a motor. Its write result comes back by [`Driver::motor_written`].
    pub motor: bool,
    /// Useless after this time: the line drops it unwritten (xy-v3's 100 ms window). For a motor frame that is
    /// dropped the result is [`Written::Nothing`] with the port still open.
    pub not_after: Option<BootMs>,
}

/// How the write of a motor frame ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The kernel took all of it.
    All,
    /// The kernel took some of it before an error or time-out: the board may have heard it.
    Some,
    /// The kernel took no byte (rule 18).
    Nothing,
}

/// What a driver wants done or known, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Put these bytes on the line.
    Write(Write),
    /// Tell the core.
    Finding(Finding),
}

/// One protocol family's conversation on one line. See the module's promises.
pub trait Driver: Send {
    /// The port was opened (again). Bytes of before are gone; the board's state is not known yet.
    fn opened(&mut self, now: BootMs);

    /// The port went away. A running command goes on by its class when the port returns.
    fn closed(&mut self, now: BootMs);

    /// Bytes from the line, read at `read_at` (≤ `now`), in any cut.
    fn received(&mut self, now: BootMs, read_at: BootMs, bytes: &[u8]);

    /// The time that [`Driver::deadline`] named has come. Waking early or late is harmless.
    fn wake(&mut self, now: BootMs);

    /// When the driver wants to be woken next, if ever.
    fn deadline(&self) -> Option<BootMs>;

    /// Whether a motor command may go out now.
    fn state(&self) -> LineState;

    /// Nothing is under way on the line, and no board on it ever waits for a word of ours: if nobody listened for some
    /// time, nothing would be answered late and nothing missed. Never true of a family whose boards poll.
    fn is_silent(&self) -> bool {
        false
    }

    /// The reference to keep with the next intent for this command. Called in [`LineState::Idle`] only.
    fn reference(&self, command: &MotorCommand) -> Reference;

    /// The intent is durable: send the command, once. Called in [`LineState::Idle`] only.
    fn drive(&mut self, now: BootMs, command: &MotorCommand, reference: &Reference);

    /// The reference of the last intent that was ever journaled for this line, whatever became of it. Called once,
    /// before [`Driver::resume`] and before the port is opened. Families with sequence numbers go on counting from it
    /// (rule 15); the others have no use for it.
    fn last_reference(&mut self, _reference: &Reference) {}

    /// What became of that intent is not known, so its motor may still turn (rule 16). Called at most once, before the
    /// port is opened. A board that holds its result, and tells it late, needs no telling.
    fn may_still_turn(&mut self) {}

    /// An intent without outcome from an earlier life of the agent. Called before the port is opened, at most once.
    /// Find out what became of it by the family's class; never send it again.
    fn resume(&mut self, now: BootMs, command: &MotorCommand, reference: &Reference);

    /// How the write of the motor frame ended. After [`Written::Nothing`] the driver ends the command with
    /// `NotTaken(BoardOffline)` (or, for a frame dropped by `not_after`, may offer it again: no byte went out).
    fn motor_written(&mut self, now: BootMs, written: Written);

    /// The core stopped waiting and wrote *unknown* (rule 21). Then as after [`Finding::Unproven`].
    fn give_up(&mut self, now: BootMs);

    /// The last outcome or late evidence is durable: the board may forget it.
    fn release(&mut self, now: BootMs);

    /// Whether the family's protocol has this question or switch.
    fn serves(&self, _service: &Service) -> bool {
        false
    }

    /// Asks or switches something beside a vend. Called in [`LineState::Idle`] only, and only for what
    /// [`Driver::serves`]; the line is [`LineState::Busy`] until [`Finding::Served`]. A port that closes ends it.
    fn serve(&mut self, _now: BootMs, _service: &Service) {}

    /// What passed over the line so far.
    fn tally(&self) -> Tally;

    /// What is to be done next, oldest first. The core calls this until it is empty after every other call.
    fn next_output(&mut self) -> Option<Output>;
}
