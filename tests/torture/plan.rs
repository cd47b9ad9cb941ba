//! Seeded choices: when a life of the agent ends, and what else goes wrong meanwhile.

use crate::merchant::Mood;
use fastrand::Rng;

/// Where in a life the kill is aimed at. What it hit is seen afterwards ([`Phase`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    Start,
    Recovery,
    Idle,
    /// Just after a command was sent.
    Arrival,
    /// Just after the agent said `accepted`.
    Accepted,
    Turning,
    /// Just after a report came.
    Report,
    Anywhen,
}

/// Keeps the campaign within its time.
const TURNS_BEFORE_MAX: usize = 8;

/// All aims; the more the machine does in it, the more often.
const AIMS: [Aim; 13] = [
    Aim::Start,
    Aim::Start,
    Aim::Recovery,
    Aim::Idle,
    Aim::Arrival,
    Aim::Arrival,
    Aim::Accepted,
    Aim::Turning,
    Aim::Turning,
    Aim::Turning,
    Aim::Report,
    Aim::Anywhen,
    Aim::Anywhen,
];

/// How one life is to end.
#[derive(Debug, Clone, Copy)]
pub struct End {
    pub aim: Aim,
    /// The kill falls so long after the aim's instant.
    pub after_ms: u64,
    /// Motors that turn in peace before the aim counts. A machine whose every vend is cut would show shares that no
    /// machine has.
    pub turns_before: usize,
}

/// The end of the next life.
pub fn end(chance: &mut Rng, turn_ms: u64) -> End {
    let aim = AIMS[chance.usize(..AIMS.len())];
    let within_ms = match aim {
        Aim::Start => 150,
        Aim::Recovery => 60,
        Aim::Idle => 200,
        Aim::Arrival => 80,
        Aim::Accepted => 20,
        Aim::Turning => turn_ms,
        Aim::Report => 20,
        Aim::Anywhen => 1_200,
    };
    let turns_before = if matches!(aim, Aim::Start | Aim::Recovery) { 0 } else { chance.usize(0..=TURNS_BEFORE_MAX) };
    End { aim, after_ms: chance.u64(0..=within_ms), turns_before }
}

/// What the machine was at when it was killed, by what could be seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not yet subscribed.
    Start,
    /// Asking the board what became of a unit.
    Recovery,
    /// Nothing was open.
    Idle,
    /// A command was on its way in, or its acceptance on its way back.
    Arrival,
    /// An order was acknowledged and not yet driven, or between two units.
    Accepted,
    Turning,
    /// All turns were over, and the platform or the merchant had no report.
    Report,
}

pub const PHASES: [Phase; 7] =
    [Phase::Start, Phase::Recovery, Phase::Idle, Phase::Arrival, Phase::Accepted, Phase::Turning, Phase::Report];

/// A fault beside the kills, and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    BrokerDies,
    BrokerReturns,
    CablePulled,
    CablePluggedIn,
    BoardLosesPower,
    /// Below the floor: commands wait.
    DiskNearlyFull,
    /// Nothing can be written.
    DiskFull,
    DiskHasRoom,
    ReceiverGone,
    ReceiverBack,
    ReceiverIs(Mood),
}

/// The troubles of one life: how many ms after its start each comes. Every one but the board's has its end, which may
/// fall into a later life.
pub fn troubles(chance: &mut Rng) -> Vec<(u64, Trouble)> {
    let mut all = Vec::new();
    for _ in 0..chance.usize(0..=2) {
        let at_ms = chance.u64(0..1_500);
        let end_ms = at_ms + chance.u64(50..1_200);
        let moods = [Mood::Fails, Mood::Overloaded, Mood::Slow, Mood::TakesAndDies];
        let (begins, ends) = match chance.u32(..7) {
            0 => (Trouble::BrokerDies, Trouble::BrokerReturns),
            1 => (Trouble::CablePulled, Trouble::CablePluggedIn),
            2 => (Trouble::DiskNearlyFull, Trouble::DiskHasRoom),
            3 => (Trouble::DiskFull, Trouble::DiskHasRoom),
            4 => (Trouble::ReceiverGone, Trouble::ReceiverBack),
            5 => (Trouble::ReceiverIs(moods[chance.usize(..moods.len())]), Trouble::ReceiverIs(Mood::Takes)),
            _ => {
                all.push((at_ms, Trouble::BoardLosesPower));
                continue;
            }
        };
        all.extend([(at_ms, begins), (end_ms, ends)]);
    }
    all
}
