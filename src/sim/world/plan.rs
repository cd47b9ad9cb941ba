//! What a run is made of: the machine, the orders, and what goes wrong. All of it follows from the seed, and is data,
//! so that a failing run can be told again with one fault less.

use crate::board::driver::Written;
use crate::core::VerifyOrders;
use crate::sim::board::fault::{Fault as BoardFault, FaultKind};
use std::fmt;

/// One profile of every board that behaves differently; m109e and mp2404 are m102 under other names.
pub const PROFILES: [&str; 8] = ["adh814", "adh815", "lock-8a", "lock-cu", "m102", "tcn-00ff", "uling-zdm8", "xy-v3"];
/// Merchants' receivers.
pub(super) const HOSTS: u8 = 3;
/// Orders of one run at most: enough for a queue, few enough for a story that a person reads.
const ORDERS_MAX: usize = 6;
/// Faults of one run at most.
const FAULTS_MAX: usize = 9;
/// The first command comes at this time, in ms: the journal was born before, or rule 6 would end all.
const FIRST_COMMAND_MS: u64 = 15_000;
/// Commands are issued within this time, in ms.
const ISSUED_WITHIN_MS: u64 = 90_000;
/// 31 days, in ms: longer than any session is kept.
const LONG_NIGHT_MS: u64 = 31 * 86_400_000;

/// An order as the platform sells it.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    /// Its number on the platform; its record is always 1.
    pub(super) order_id: u64,
    pub(super) code: u16,
    pub(super) address: u8,
    pub(super) quantity: u8,
    pub(super) drop_check: bool,
    /// The merchant's receiver, if the command names one.
    pub(super) host: Option<u8>,
    pub(super) issued_at_ms: u64,
    /// `expired_at`, in s after the command.
    pub(super) expires_after_s: Option<u64>,
    pub(super) paid: bool,
}

/// What the platform sends down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// The command as it was issued.
    Put,
    /// The command again, with a new timestamp.
    PutAnew,
    /// The same key with another body.
    OtherBody,
    /// The question for the result.
    Get,
}

/// One message at its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending {
    pub(super) at_ms: u64,
    /// Which order.
    pub(super) order: usize,
    pub(super) message: Message,
}

/// An instant that the core, the disk or the board makes: between two of them lies every place for a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beat {
    /// A batch is handed to the disk.
    Commit,
    /// The disk has the batch.
    Synced,
    /// An acknowledgement leaves.
    Ack,
    /// A message leaves for the broker.
    Publish,
    /// A request leaves.
    Http,
    /// A motor frame is written.
    MotorWrite,
    /// The motor turns.
    Turn,
    /// Bytes from the board reach the core while a unit is on the line.
    Heard,
}

const BEATS: [Beat; 8] =
    [Beat::Commit, Beat::Synced, Beat::Ack, Beat::Publish, Beat::Http, Beat::MotorWrite, Beat::Turn, Beat::Heard];

/// When a cut comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At this time, in ms.
    At(u64),
    /// Just before the n-th beat of a kind, counted from 1.
    Before(Beat, u32),
    /// Just after it.
    After(Beat, u32),
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

/// One run: everything that is decided before it begins.
#[derive(Debug, Clone)]
pub struct Plan {
    /// All chance of the run comes from it.
    pub seed: u64,
    /// The board.
    pub profile: &'static str,
    /// How long a motor turns, in ms.
    pub(super) turn_ms: u64,
    pub(super) verify_orders: VerifyOrders,
    pub(super) refund_failed: bool,
    pub(super) lock_slot_after_unknown: bool,
    pub(super) first_clock: BootClock,
    pub(super) orders: Vec<Placed>,
    pub(super) sendings: Vec<Sending>,
    /// What goes wrong; a shorter story has fewer.
    pub faults: Vec<Fault>,
    /// From then on nothing goes wrong any more.
    pub(super) calm_at_ms: u64,
}

impl Plan {
    /// The run of a seed.
    #[must_use]
    pub fn of_seed(seed: u64) -> Plan {
        let mut chance = fastrand::Rng::with_seed(seed);
        let profile = chance.choice(PROFILES).unwrap_or(PROFILES[0]);
        let orders: Vec<Placed> = (0..chance.usize(1..=ORDERS_MAX)).map(|n| placed(&mut chance, n)).collect();
        let mut sendings = Vec::new();
        for (order, placed) in orders.iter().enumerate() {
            send(&mut chance, order, placed, &mut sendings);
        }
        let last_ms = sendings.iter().map(|s| s.at_ms).max().unwrap_or(0);
        let faults = (0..chance.usize(0..=FAULTS_MAX)).map(|_| fault(&mut chance, last_ms + 60_000)).collect();
        Plan {
            seed,
            profile,
            turn_ms: chance.u64(300..=6_000),
            verify_orders: one_of(&mut chance, &[VerifyOrders::Never, VerifyOrders::Late, VerifyOrders::Always]),
            refund_failed: chance.bool(),
            lock_slot_after_unknown: chance.u8(..4) == 0,
            first_clock: boot_clock(&mut chance),
            orders,
            sendings,
            faults,
            calm_at_ms: last_ms + chance.u64(60_000..=200_000),
        }
    }

    /// The board itself may lose or hide a result.
    pub(super) fn has_treacherous_board(&self) -> bool {
        self.faults.iter().any(|fault| match fault {
            Fault::Board(fault) => !matches!(fault.kind, FaultKind::Jam | FaultKind::NoDrop | FaultKind::OpenMotor),
            _ => false,
        })
    }

    /// The same run without one of its faults.
    #[must_use]
    pub fn without(&self, fault: usize) -> Plan {
        let mut plan = self.clone();
        plan.faults.remove(fault);
        plan
    }
}

fn one_of<T: Copy>(chance: &mut fastrand::Rng, all: &[T]) -> T {
    all[chance.usize(..all.len())]
}

fn placed(chance: &mut fastrand::Rng, n: usize) -> Placed {
    Placed {
        order_id: 100 + u64::try_from(n).unwrap_or(0),
        // Few slots and addresses, so that orders meet what others left there.
        code: chance.u16(5..=7),
        address: chance.u8(1..=2),
        quantity: if chance.bool() { 1 } else { chance.u8(1..=4) },
        drop_check: chance.u8(..4) > 0,
        host: (chance.u8(..5) > 0).then(|| chance.u8(..HOSTS)),
        issued_at_ms: chance.u64(FIRST_COMMAND_MS..=FIRST_COMMAND_MS + ISSUED_WITHIN_MS),
        expires_after_s: (chance.u8(..5) == 0).then(|| chance.u64(20..=200)),
        paid: chance.u8(..10) > 0,
    }
}

fn send(chance: &mut fastrand::Rng, order: usize, placed: &Placed, sendings: &mut Vec<Sending>) {
    // The network is quick, slow, or a back road.
    let delay_ms = match chance.u8(..10) {
        0 => chance.u64(90_000..=130_000),
        1 | 2 => chance.u64(1_000..=30_000),
        _ => chance.u64(10..=300),
    };
    let first_ms = placed.issued_at_ms + delay_ms;
    sendings.push(Sending { at_ms: first_ms, order, message: Message::Put });
    for _ in 0..chance.u8(..4) {
        let message = one_of(chance, &[Message::Put, Message::Put, Message::PutAnew, Message::OtherBody, Message::Get]);
        let after_ms = one_of(chance, &[0, 5, 400, 4_000, 60_000]);
        sendings.push(Sending { at_ms: first_ms + chance.u64(0..=after_ms), order, message });
    }
}

fn boot_clock(chance: &mut fastrand::Rng) -> BootClock {
    match chance.u8(..4) {
        0 => BootClock::Epoch,
        1 => BootClock::Wrong(one_of(chance, &[-86_400_000, -600_000, -2_000, 2_000, 600_000, 86_400_000])),
        _ => BootClock::Synchronised,
    }
}

fn fault(chance: &mut fastrand::Rng, within_ms: u64) -> Fault {
    let at_ms = chance.u64(FIRST_COMMAND_MS..=within_ms);
    let for_ms = one_of(chance, &[50, 1_000, 10_000, 100_000]);
    let for_ms = chance.u64(1..=for_ms);
    match chance.u8(..25) {
        0..=7 => cut(chance, at_ms),
        8 => Fault::Unplugged { at_ms, for_ms },
        9 => Fault::Noise { at_ms, for_ms, percent: one_of(chance, &[5, 30, 100]) },
        10 => Fault::MotorWrite { nth: chance.u32(1..=4), written: one_of(chance, &[Written::Some, Written::Nothing]) },
        11..=13 => Fault::Board(board_fault(chance)),
        14 | 15 => Fault::BrokerAway { at_ms, for_ms },
        16 => Fault::SessionLost { at_ms },
        17 | 18 => Fault::Receiver { at_ms, for_ms, host: chance.u8(..HOSTS), manner: manner(chance) },
        19 => Fault::Cloud { at_ms, for_ms, manner: manner(chance) },
        20 => Fault::CommitFails { nth: chance.u32(1..=30), seen: chance.bool() },
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

fn cut(chance: &mut fastrand::Rng, at_ms: u64) -> Fault {
    let beat = one_of(chance, &BEATS);
    let nth = chance.u32(1..=if beat == Beat::Turn || beat == Beat::MotorWrite { 6 } else { 20 });
    let when = match chance.u8(..5) {
        0 => When::At(at_ms),
        1 | 2 => When::Before(beat, nth),
        _ => When::After(beat, nth),
    };
    let whom = one_of(chance, &[Whom::Agent, Whom::Agent, Whom::Computer, Whom::Board, Whom::Both]);
    let off_ms = match chance.u8(..40) {
        // Only where nothing goes on meanwhile: a board that polls through a month would be most of the run.
        0..=3 if whom == Whom::Both => LONG_NIGHT_MS,
        0..=3 => chance.u64(60_000..=1_500_000),
        4..=19 => chance.u64(1_000..=30_000),
        _ => chance.u64(5..=1_500),
    };
    Fault::Cut { when, whom, off_ms, clock: boot_clock(chance) }
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
