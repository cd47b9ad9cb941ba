//! What goes wrong in a run, and when. Data, so that a failing run can be told again with one fault less.

use super::{FIRST_COMMAND_MS, HOSTS, one_of};
use crate::board::driver::Written;
use crate::sim::board::fault::{Fault as BoardFault, FaultKind};
use std::fmt;

/// 31 days, in ms: longer than any session is kept, and than a tombstone must be.
pub(in crate::sim::world) const LONG_NIGHT_MS: u64 = 31 * 86_400_000;

/// An instant that the core, the disk, the line or somebody outside makes. Each has a place for a cut before it and
/// one after it, so that there is one between any two effects, and between an effect and what it causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beat {
    /// A batch is handed to the disk.
    Commit,
    /// The disk has the batch.
    Synced,
    /// An acknowledgement leaves.
    Ack,
    /// It reaches the broker.
    Acknowledged,
    /// A message leaves for the broker.
    Publish,
    /// It reaches the platform.
    AtPlatform,
    /// A request leaves.
    Http,
    /// It reaches its receiver.
    AtReceiver,
    /// Something reaches the core: a message, an answer, the word that a message was taken.
    ToCore,
    /// A motor frame is written.
    MotorWrite,
    /// The motor mark has its intent, and nothing of it is written.
    Marked,
    /// It reaches the board.
    AtBoard,
    /// The motor turns.
    Turn,
    /// Bytes from the board reach the core while a motor may turn.
    Heard,
}

const BEATS: [Beat; 14] = [
    Beat::Commit,
    Beat::Synced,
    Beat::Ack,
    Beat::Acknowledged,
    Beat::Publish,
    Beat::AtPlatform,
    Beat::Http,
    Beat::AtReceiver,
    Beat::ToCore,
    Beat::MotorWrite,
    Beat::Marked,
    Beat::AtBoard,
    Beat::Turn,
    Beat::Heard,
];

/// When a cut comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At this time, in ms.
    At(u64),
    /// Just before the n-th beat of a kind, counted from 1.
    Before(Beat, u32),
    /// Just after it.
    After(Beat, u32),
    /// So many places after the cut of this kind before it, in the order of the plan; the first one counts from the
    /// first command. This is how a storm follows a run wherever the cuts before have led it.
    Later(u32),
}

/// What loses its power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The process is killed; kernel, boot and what the page cache has go on.
    Agent,
    /// The computer: what was not synced may be gone, and a new boot follows. The board goes on.
    Computer,
    /// The board alone.
    Board,
    /// Both.
    Both,
}

/// What the wall clock shows after a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootClock {
    /// Right, and the kernel knows it.
    Synchronised,
    /// Wrong by so many ms, synchronised after a while.
    Wrong(i64),
    /// 1970, synchronised after a while.
    Epoch,
}

/// How a receiver or the cloud behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// An HTTP status and perhaps `Retry-After`, in s; nothing is taken.
    Status(u16, Option<u64>),
    /// Nobody answers; nothing is taken.
    Silent,
    /// The request is taken, and its answer is lost.
    AnswerLost,
}

/// How a journal is spoilt. Of a batch under way a sound disk leaves all or nothing; these two it does not promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A batch is under way and half of it is written: the digest does not agree.
    Torn,
    /// Commits that had been synced are missing: the second file is ahead.
    Missing,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Power goes, or the process dies.
    Cut {
        /// When.
        when: When,
        /// Whose.
        whom: Whom,
        /// For how long, in ms.
        off_ms: u64,
        /// What the clock shows then.
        clock: BootClock,
    },
    /// The adapter is unplugged.
    Unplugged {
        /// From, in ms.
        at_ms: u64,
        /// How long, in ms.
        for_ms: u64,
    },
    /// Bytes on the line are spoilt or lost.
    Noise {
        /// From, in ms.
        at_ms: u64,
        /// How long, in ms.
        for_ms: u64,
        /// So many chunks in a hundred.
        percent: u8,
    },
    /// The n-th motor frame is not written whole.
    MotorWrite {
        /// Counted from 1.
        nth: u32,
        /// What the kernel took.
        written: Written,
    },
    /// The board's own fault.
    Board(BoardFault),
    /// No connection to the broker.
    BrokerAway {
        /// From, in ms.
        at_ms: u64,
        /// How long, in ms.
        for_ms: u64,
    },
    /// The broker forgets our session, with all that was not acknowledged.
    SessionLost {
        /// When, in ms.
        at_ms: u64,
    },
    /// A merchant's receiver misbehaves.
    Receiver {
        /// From, in ms.
        at_ms: u64,
        /// How long, in ms.
        for_ms: u64,
        /// Which.
        host: u8,
        /// How.
        manner: Manner,
    },
    /// The cloud misbehaves.
    Cloud {
        /// From, in ms.
        at_ms: u64,
        /// How long, in ms.
        for_ms: u64,
        /// How.
        manner: Manner,
    },
    /// The n-th commit fails.
    CommitFails {
        /// Counted from 1.
        nth: u32,
        /// The next process sees its records all the same, in the page cache.
        seen: bool,
    },
    /// The disk is slow.
    DiskSlow {
        /// From, in ms.
        at_ms: u64,
        /// How long, in ms.
        for_ms: u64,
        /// What a sync takes, in ms.
        sync_ms: u64,
    },
    /// Too little room for new orders.
    DiskFull {
        /// From, in ms.
        at_ms: u64,
        /// How long, in ms.
        for_ms: u64,
    },
    /// The wall clock jumps; the kernel notices, or goes on to vouch for it.
    ClockJump {
        /// When, in ms.
        at_ms: u64,
        /// By so much.
        by_ms: i64,
        /// The kernel still says that it is synchronised.
        vouched: bool,
    },
    /// The first loss of power after this time spoils the journal: the next start finds it so (rules 3 and 5). A
    /// person accepts the loss, and a new journal begins (rule 6).
    Damage {
        /// From, in ms.
        at_ms: u64,
        /// What is lost.
        damage: Damage,
        /// How long after the start a person comes, in ms.
        person_after_ms: u64,
    },
    /// SIGTERM, and a new start.
    Terminate {
        /// When, in ms.
        at_ms: u64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

pub(super) fn boot_clock(chance: &mut fastrand::Rng) -> BootClock {
    match chance.u8(..4) {
        0 => BootClock::Epoch,
        1 => BootClock::Wrong(one_of(chance, &[-86_400_000, -600_000, -2_000, 2_000, 600_000, 86_400_000])),
        _ => BootClock::Synchronised,
    }
}

/// Any fault, at any time up to `within_ms`.
pub(super) fn fault(chance: &mut fastrand::Rng, within_ms: u64) -> Fault {
    let at_ms = chance.u64(FIRST_COMMAND_MS..=within_ms);
    let for_ms = one_of(chance, &[50, 1_000, 10_000, 100_000]);
    let for_ms = chance.u64(1..=for_ms);
    match chance.u8(..25) {
        0..=7 => cut(chance, at_ms),
        8 => Fault::Unplugged { at_ms, for_ms },
        9 => Fault::Noise { at_ms, for_ms, percent: one_of(chance, &[5, 30, 100]) },
        10 => Fault::MotorWrite { nth: chance.u32(1..=6), written: one_of(chance, &[Written::Some, Written::Nothing]) },
        11..=13 => Fault::Board(board_fault(chance)),
        14 | 15 => Fault::BrokerAway { at_ms, for_ms },
        16 => Fault::SessionLost { at_ms },
        17 | 18 => Fault::Receiver { at_ms, for_ms, host: chance.u8(..HOSTS), manner: manner(chance) },
        19 => Fault::Cloud { at_ms, for_ms, manner: manner(chance) },
        20 => Fault::CommitFails { nth: early_or_late(chance), seen: chance.bool() },
        21 => Fault::DiskSlow { at_ms, for_ms, sync_ms: one_of(chance, &[300, 3_000, 20_000, 70_000]) },
        22 => Fault::DiskFull { at_ms, for_ms },
        23 => Fault::ClockJump {
            at_ms,
            by_ms: one_of(chance, &[-86_400_000, -3_600_000, -90_000, 90_000, 3_600_000, 400_000_000]),
            vouched: chance.bool(),
        },
        _ => Fault::Terminate { at_ms },
    }
}

/// The how-manyth: early ones are met by every run, late ones reach to the end of the longest.
fn early_or_late(chance: &mut fastrand::Rng) -> u32 {
    let reach = one_of(chance, &[4, 20, 100]);
    chance.u32(1..=reach)
}

/// A cut somewhere in a run.
fn cut(chance: &mut fastrand::Rng, at_ms: u64) -> Fault {
    let beat = one_of(chance, &BEATS);
    let nth = early_or_late(chance);
    let when = match chance.u8(..5) {
        0 => When::At(at_ms),
        1 | 2 => When::Before(beat, nth),
        _ => When::After(beat, nth),
    };
    let whom = one_of(chance, &[Whom::Agent, Whom::Agent, Whom::Computer, Whom::Board, Whom::Both]);
    let off_ms = match chance.u8(..40) {
        // Only where nothing goes on meanwhile: a board that polls through a month would be most of the run.
        0 if whom == Whom::Both => LONG_NIGHT_MS,
        0..=3 => chance.u64(60_000..=1_500_000),
        4..=19 => chance.u64(1_000..=30_000),
        _ => chance.u64(5..=1_500),
    };
    Fault::Cut { when, whom, off_ms, clock: boot_clock(chance) }
}

/// One cut of a storm: soon after the one before, often while the agent still recovers from that.
pub(super) fn cut_of_storm(chance: &mut fastrand::Rng) -> Fault {
    let reach = one_of(chance, &[4, 8, 16, 32, 80]);
    let when = When::Later(chance.u32(1..=reach));
    let whom = one_of(chance, &[Whom::Agent, Whom::Agent, Whom::Agent, Whom::Computer, Whom::Computer, Whom::Both]);
    let off_ms = match chance.u8(..100) {
        0 => chance.u64(60_000..=200_000),
        1..=20 => chance.u64(1_000..=6_000),
        _ => chance.u64(1..=400),
    };
    Fault::Cut { when, whom, off_ms, clock: boot_clock(chance) }
}

/// A month without power, and what may happen in its first hour.
pub(super) fn long_night(chance: &mut fastrand::Rng, at_ms: u64) -> Fault {
    Fault::Cut { when: When::At(at_ms), whom: Whom::Both, off_ms: LONG_NIGHT_MS, clock: boot_clock(chance) }
}

/// A journal that is lost: the damage, and the loss of power that does it.
pub(super) fn damage(chance: &mut fastrand::Rng, within_ms: u64) -> [Fault; 2] {
    let at_ms = chance.u64(FIRST_COMMAND_MS..=within_ms);
    let damage = one_of(chance, &[Damage::Torn, Damage::Missing]);
    let whom = one_of(chance, &[Whom::Computer, Whom::Both]);
    let nth = chance.u32(1..=12);
    let when = match damage {
        Damage::Torn => one_of(chance, &[When::After(Beat::Commit, nth), When::Before(Beat::Synced, nth)]),
        Damage::Missing => When::At(at_ms + 1),
    };
    let at_ms = if damage == Damage::Torn { FIRST_COMMAND_MS } else { at_ms };
    let person_after_ms = one_of(chance, &[5_000, 60_000, 600_000]);
    let off_ms = chance.u64(5..=30_000);
    [Fault::Damage { at_ms, damage, person_after_ms }, Fault::Cut { when, whom, off_ms, clock: boot_clock(chance) }]
}

fn board_fault(chance: &mut fastrand::Rng) -> BoardFault {
    let kind = one_of(
        chance,
        &[
            FaultKind::Jam,
            FaultKind::NoDrop,
            FaultKind::OpenMotor,
            FaultKind::Silence,
            FaultKind::Garble,
            FaultKind::Late,
            FaultKind::Restart,
            FaultKind::PowerLoss,
            FaultKind::Refuse,
        ],
    );
    let slot = chance.bool().then(|| chance.u16(5..=7));
    BoardFault { kind, slot, nth: Some(chance.u32(1..=4)) }
}

fn manner(chance: &mut fastrand::Rng) -> Manner {
    match chance.u8(..8) {
        0 => Manner::Status(429, Some(chance.u64(1..=400))),
        1 => Manner::Status(503, None),
        2 => Manner::Status(500, None),
        3 => Manner::Status(404, None),
        4 | 5 => Manner::Silent,
        _ => Manner::AnswerLost,
    }
}
