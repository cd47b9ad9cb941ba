//! The daemon itself on a cut state: it must come to rest, with no unit turned twice and every promise kept.

use super::disk::{Disk, How};
use super::record::{Recording, finished};
use super::states::{Life, State, Tally};
use super::told::{Name, OnLine, Told, name, note_turns};
use super::trace::{self, Event};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use vend::io::clock::boot_now;
use vend::sim::board::Turn;

/// States of a life that began in a cut state.
const STATES_OF_A_LATER_LIFE: usize = 40;
/// Of them, restarted in their turn.
const RESTARTS_OF_A_LATER_LIFE: usize = 1;
/// Lives that are cut again and again end somewhere.
const DEPTH_MAX: usize = 3;
/// Every so many restarts are recorded and cut in their turn.
const RECORDED_EVERY: usize = 5;

/// Says which restart it was when the test ends in it.
struct Label(String);

impl Drop for Label {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- in the restart of {}", self.0);
        }
    }
}

/// Restarts the daemon on `wanted` of the states, and on states of the lives that follow.
pub fn restart_all(
    recording: &mut Recording,
    mut states: Vec<State>,
    wanted: usize,
    seed: u64,
    random: &mut fastrand::Rng,
    tally: &mut Tally,
) {
    random.shuffle(&mut states);
    for n in 0..wanted {
        let Some(mut state) = states.pop() else { return };
        let label = Label(format!("seed {seed}, life {}, call {}, {:?}", state.depth + 1, state.call, state.how));
        let record = n % RECORDED_EVERY == 0 && state.depth < DEPTH_MAX;
        let dark = random.bool();
        if dark {
            state.told.line.push(OnLine::Dark { at_us: state.at_us });
        }
        let served = format!("good-{seed}-{n}");
        let events = restart(recording, &state, &served, record);
        tally.restarts += 1;
        if let Err(failure) = check(recording, &state.told) {
            tally.failures.push(format!("{}, board {}: {failure}", label.0, if dark { "dark" } else { "kept" }));
        }
        let Some(events) = events else { continue };
        let life = Life {
            disk: Disk::of(state.image),
            told: state.told,
            events: &events,
            cast: &recording.cast,
            root: recording.world.path().to_owned(),
            depth: state.depth + 1,
            seed,
        };
        states.extend(life.explore(STATES_OF_A_LATER_LIFE, RESTARTS_OF_A_LATER_LIFE, random, tally));
    }
}

/// Lays the state out, starts the daemon on it with a broker that knows nothing but what was not acknowledged, and
/// waits until all is settled and one more order was served. Returns what it did, when that was recorded.
fn restart(recording: &mut Recording, state: &State, served: &str, record: bool) -> Option<Vec<Event>> {
    let Recording { world, cast, .. } = recording;
    world.broker.kill();
    world.broker.restart_without_memory();
    match fs::remove_dir_all(world.state()) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => panic!("{e}"),
        _ => state.image.save(world.path()),
    }
    world.board.replace(state.told.board(cast, state.at_us, boot_now()));
    world.receiver.server.requests().clear();
    let subscriptions = world.subscriptions();
    let trace = world.path().join("trace-of-restart");
    if record {
        let _ = fs::remove_file(&trace);
        world.start_agent_traced(&trace);
    } else {
        world.start_agent();
    }
    world.wait_for_subscription(subscriptions + 1);
    for payload in state.told.undelivered() {
        world.platform.send_when_possible(payload);
    }
    world.a_good_order_is_served(served);
    world.wait_until_settled();
    world.kill9();
    record.then(|| {
        let mut events = trace::read(&finished(&trace), 0);
        note_turns(&mut events, &state.told, cast);
        let mut disk = Disk::of(state.image.clone());
        for event in &events {
            disk.follow(event, world.path());
        }
        let everything = disk.cut(How::Everything, &mut fastrand::Rng::new());
        let mut differences = everything.differences(world.path());
        differences.retain(|path| path.contains("/state/"));
        assert!(differences.is_empty(), "the rebuilt directory is not the one that was left: {differences:?}");
        events
    })
}

/// Holds what the merchant heard, before the cut and after it, against what the board did.
fn check(recording: &Recording, told: &Told) -> Result<(), String> {
    let world = &recording.world;
    let mut reports: BTreeMap<Name, BTreeMap<u64, Vec<u8>>> =
        told.orders.iter().map(|(name, order)| (name.clone(), order.http.clone())).collect();
    for request in world.receiver.server.requests().all() {
        let report: Value = serde_json::from_slice(&request.body).map_err(|e| e.to_string())?;
        let sequence = report["sequence"].as_u64().ok_or("a report without a sequence")?;
        let before = reports.entry(name(&report)).or_default().insert(sequence, request.body.clone());
        if before.is_some_and(|before| before != request.body) {
            return Err(format!("report {sequence} of {:?} was told in two ways", name(&report)));
        }
    }
    for (name, _) in told.orders.iter().filter(|(_, order)| order.accepted) {
        if reports.get(name).is_none_or(BTreeMap::is_empty) {
            return Err(format!("order {name:?} was acknowledged and has no result"));
        }
    }
    let turns = world.board.turns();
    let first = recording.cast.profile.addresses.first_on_wire;
    for order in &recording.cast.orders {
        let here = |turn: &&Turn| turn.slot == order.slot && turn.wire_address == first + order.address - 1;
        let turned = turns.iter().filter(here).count();
        let last = reports.get(&order.name).and_then(|all| all.values().next_back());
        let last = last.map_or(Ok(Value::Null), |body| serde_json::from_slice(body)).map_err(|e| e.to_string())?;
        turns_fit(turned, order.quantity, &last).map_err(|why| format!("order {:?}: {why}", order.name))?;
    }
    Ok(())
}

/// At most one turn a unit, and as many as the merchant heard: what is unknown may have turned.
///
/// # Errors
/// Says what does not fit.
pub fn turns_fit(turned: usize, quantity: usize, last_report: &Value) -> Result<(), String> {
    let units = last_report["units"].as_array().map_or(&[][..], Vec::as_slice);
    let count = |word| units.iter().filter(|u| u["outcome"].as_str().is_some_and(|o| o.starts_with(word))).count();
    let (dispensed, unknown) = (count("dispensed"), count("unknown"));
    if turned > quantity {
        return Err(format!("{turned} turns for {quantity} units"));
    }
    if turned < dispensed || turned > dispensed + unknown {
        return Err(format!("{turned} turns, and the merchant heard {last_report}"));
    }
    Ok(())
}
