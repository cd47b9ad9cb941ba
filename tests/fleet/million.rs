//! The machines of a whole country come back to a broker that was away: virtual time, and the back-off that is shipped.

use fastrand::Rng;
use std::time::Duration;
use vend::io::broker::Trouble;
use vend::io::broker::retry::{MAX_MS, Retry};

/// Time goes on in steps of this many ms: far below the shortest range of the back-off.
const STEP_MS: u64 = 100;
const STEPS_A_SECOND: u64 = 1_000 / STEP_MS;
/// No pause is longer, so no machine is due beyond this many steps.
const STEPS_AHEAD: usize = (MAX_MS / STEP_MS + 2) as usize;
/// How long the connections had stood before: long enough for the back-off to begin anew.
const LIVED: Duration = Duration::from_secs(86_400);
/// What all draw who have no chance of their own: any number that is no multiple of a range.
const SAME: u64 = 777_777_777;

/// What is played.
#[derive(Debug, Clone, Copy)]
pub struct Storm {
    pub machines: u32,
    /// The broker is away for so long.
    pub outage_s: u64,
    /// Then it takes so many connections a second, and refuses the others.
    pub accepts_per_s: u64,
    /// Each machine draws its own chance, as they do. Without it all draw the same number: what jitter is there against.
    pub jitter: bool,
    pub seed: u64,
}

/// What came of it. Seconds count from the broker's return.
#[derive(Debug, Clone, Default)]
pub struct Return {
    /// Tries in each second since the connection was lost, the outage included.
    pub tries: Vec<u32>,
    /// Connections that were made in each second since the broker's return.
    pub back: Vec<u32>,
    /// Where in `tries` the broker returns.
    pub returned_at_s: usize,
}

impl Return {
    /// The most tries of one second while the broker is away.
    pub fn peak_away(&self) -> u32 {
        self.tries[..self.returned_at_s].iter().copied().max().unwrap_or(0)
    }

    /// The most tries of one second since it is back.
    pub fn peak(&self) -> u32 {
        self.tries[self.returned_at_s..].iter().copied().max().unwrap_or(0)
    }

    /// After so many seconds this share of the machines was back.
    pub fn back_after_s(&self, share: f64) -> usize {
        let all: f64 = self.back.iter().map(|n| f64::from(*n)).sum();
        let mut sum = 0.0;
        let at = self.back.iter().position(|n| {
            sum += f64::from(*n);
            sum >= share * all
        });
        at.unwrap_or(self.back.len()) + 1
    }
}

/// Plays it until the last machine is back.
pub fn play(storm: Storm) -> Return {
    let mut rng = Rng::with_seed(storm.seed);
    let refused = Trouble::Unreachable(String::new());
    let mut machines = vec![Retry::default(); storm.machines as usize];
    // Who is due when: a ring of steps.
    let mut due: Vec<Vec<u32>> = vec![Vec::new(); STEPS_AHEAD];
    let mut pause = |retry: &mut Retry, lived, trouble: &Trouble| {
        retry.lost(lived, trouble);
        retry.pause_ms(if storm.jitter { rng.u64(..) } else { SAME })
    };
    for (n, retry) in machines.iter_mut().enumerate() {
        let first_ms = pause(retry, Some(LIVED), &Trouble::ClosedByBroker);
        due[(first_ms / STEP_MS) as usize].push(n as u32);
    }
    let returned_at = storm.outage_s * STEPS_A_SECOND;
    let mut told = Return { returned_at_s: storm.outage_s as usize, ..Return::default() };
    let (mut away, mut step, mut room) = (storm.machines, 0_u64, 0_u64);
    while away > 0 {
        if step.is_multiple_of(STEPS_A_SECOND) {
            told.tries.push(0);
            if step >= returned_at {
                told.back.push(0);
            }
        }
        // Room that nobody took in its step is gone.
        if step >= returned_at {
            room = storm.accepts_per_s * (step + 1) / STEPS_A_SECOND - storm.accepts_per_s * step / STEPS_A_SECOND;
        }
        let at = (step % STEPS_AHEAD as u64) as usize;
        let mut queue = std::mem::take(&mut due[at]);
        let mut next = 0;
        while let Some(&n) = queue.get(next) {
            next += 1;
            *told.tries.last_mut().expect("a second") += 1;
            if room > 0 {
                room -= 1;
                away -= 1;
                *told.back.last_mut().expect("a second") += 1;
                continue;
            }
            let pause_ms = pause(&mut machines[n as usize], None, &refused);
            match (pause_ms / STEP_MS) as usize {
                // Still in this step.
                0 => queue.push(n),
                steps => due[(at + steps) % STEPS_AHEAD].push(n),
            }
        }
        step += 1;
    }
    told
}
