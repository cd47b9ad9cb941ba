//! Every state in which a recorded life could have been cut, opened and judged.

use super::disk::{Disk, How, Image};
use super::record::Recording;
use super::told::{Cast, Told};
use super::trace::Event;
use super::verdict::{self, Found};
use crate::common::agent::vend;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Every so many states are read by [`vend::io::journal::read_copy`] too, as `vend journal dump` reads them.
const INSPECTED_EVERY: usize = 4;
/// Every so many states are given to `vend journal dump` itself.
const DUMPED_EVERY: usize = 40;
/// A journal whose marker is durable was born, and may never be set aside.
const MARKER: &str = "state/journal.created";

/// A state that a cut could leave, with what the world knew then.
#[derive(Clone)]
pub struct State {
    pub image: Image,
    pub told: Told,
    pub how: How,
    /// The number of the call before which power failed.
    pub call: usize,
    /// The time of that call, in µs since 1970.
    pub at_us: u64,
    /// How many lives there were before: 0 in the first recording, more in lives that began in a cut state.
    pub depth: usize,
}

/// What was tried, and what became of it.
#[derive(Debug, Default)]
pub struct Tally {
    pub judged: BTreeMap<How, usize>,
    /// States that no other equals.
    pub distinct: HashSet<u64>,
    pub inspected: usize,
    pub dumped: usize,
    pub in_later_lives: usize,
    /// Begun anew, inside the first creation.
    pub begun_anew: usize,
    pub set_aside: usize,
    pub restarts: usize,
    /// Writes into segments of the journal that had been passed before: cleaned and used again.
    pub segments_used_again: usize,
    /// How often a half of the lead was full, and went to sled while commits went on in the other.
    pub turns: usize,
    /// Commits that the core waited for itself, the disk being quick.
    pub of_the_core: usize,
    pub failures: Vec<String>,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        for (how, count) in other.judged {
            *self.judged.entry(how).or_default() += count;
        }
        self.distinct.extend(other.distinct);
        self.inspected += other.inspected;
        self.dumped += other.dumped;
        self.in_later_lives += other.in_later_lives;
        self.begun_anew += other.begun_anew;
        self.set_aside += other.set_aside;
        self.restarts += other.restarts;
        self.segments_used_again += other.segments_used_again;
        self.turns += other.turns;
        self.of_the_core += other.of_the_core;
        self.failures.extend(other.failures);
    }

    pub fn print(&self) {
        println!("states judged           {:>8}", self.judged.values().sum::<usize>());
        for how in How::ALL {
            println!("  {:<22}{:>8}", format!("{how:?}").to_lowercase(), self.judged.get(&how).unwrap_or(&0));
        }
        for (what, count) in [
            ("distinct", self.distinct.len()),
            ("in later lives", self.in_later_lives),
            ("inspected as well", self.inspected),
            ("dumped as well", self.dumped),
            ("begun anew", self.begun_anew),
            ("set aside", self.set_aside),
            ("restarts of the daemon", self.restarts),
            ("segments used again", self.segments_used_again),
            ("turns of the lead", self.turns),
            ("commits of the core", self.of_the_core),
            ("failures", self.failures.len()),
        ] {
            println!("{what:<24}{count:>8}");
        }
    }
}

/// Where states are laid out: memory, where there is a file system in it, since durability is the model's affair.
pub fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// The life that is cut: a disk and a knowledge to begin with, and what happened.
pub struct Life<'a> {
    pub disk: Disk,
    pub told: Told,
    pub events: &'a [Event],
    pub cast: &'a Cast,
    /// The directory above the state directory, in the trace.
    pub root: PathBuf,
    pub depth: usize,
    pub seed: u64,
}

impl Life<'_> {
    /// A recorded life, from an empty disk.
    pub fn first(recording: &Recording, seed: u64) -> Life<'_> {
        let root = recording.world.path().to_owned();
        Life { events: &recording.events, root, seed, ..Life::nothing(&recording.cast) }
    }

    /// An empty disk, and nothing happens.
    pub fn nothing(cast: &Cast) -> Life<'_> {
        let (disk, told) = (Disk::empty(), Told::default());
        Life { disk, told, events: &[], cast, root: PathBuf::new(), depth: 0, seed: 0 }
    }

    /// Draws about `wanted` states, spread over all calls, judges those that are not equal, and keeps about `kept` of them for restarts.
    pub fn explore(mut self, wanted: usize, kept: usize, random: &mut fastrand::Rng, tally: &mut Tally) -> Vec<State> {
        let places = self.places();
        let kinds = How::ALL.len();
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let (rate, keep) = (wanted as f64 / (places * kinds) as f64, kept as f64 / wanted as f64);
        let scratch = scratch();
        let mut states = Vec::new();
        let mut seen = HashSet::new();
        let mut learned = 0_usize;
        for (call, event) in self.events.iter().enumerate() {
            let changed = self.disk.follow(event, &self.root);
            let heard = self.told.follow(event, self.cast);
            learned += usize::from(heard);
            let born = self.disk.promises(Path::new(MARKER));
            if !changed && !heard {
                continue;
            }
            for how in How::ALL {
                // The first creation is short and has most of the rare states.
                let mut due = if born { rate } else { rate.max(2.0) };
                while due > 0.0 && random.f64() < due {
                    due -= 1.0;
                    let image = self.disk.cut(how, random);
                    let digest = image.digest();
                    if !seen.insert((digest, learned)) {
                        continue;
                    }
                    let state =
                        State { image, told: self.told.clone(), how, call, at_us: event.at_us, depth: self.depth };
                    *tally.judged.entry(how).or_default() += 1;
                    tally.distinct.insert(digest);
                    tally.in_later_lives += usize::from(self.depth > 0);
                    if let Err(failure) = self.judge(&state, !born, scratch.path(), tally) {
                        tally.failures.push(format!("{}: {failure}", self.name_of(&state)));
                    }
                    if random.f64() < keep {
                        states.push(state);
                    }
                }
            }
        }
        states
    }

    /// Calls that change the disk or tell the world something.
    fn places(&self) -> usize {
        let (mut disk, mut told) = (self.disk.clone(), self.told.clone());
        let matters = |e: &&Event| disk.follow(e, &self.root) | told.follow(e, self.cast);
        self.events.iter().filter(matters).count().max(1)
    }

    fn name_of(&self, state: &State) -> String {
        format!("seed {}, life {}, call {}, {:?}", self.seed, state.depth + 1, state.call, state.how)
    }

    fn judge(&self, state: &State, in_birth: bool, scratch: &Path, tally: &mut Tally) -> Result<(), String> {
        let root = scratch.join("root");
        fs::create_dir(&root).unwrap();
        state.image.save(&root);
        let judged: usize = tally.judged.values().sum();
        let exists = root.join("state/journal").exists();
        let aside_before = set_aside(&root);
        let verdict = (|| {
            if exists && judged.is_multiple_of(INSPECTED_EVERY) {
                let inspected = verdict::judge_inspected(&root, &state.told)?;
                tally.inspected += 1;
                if judged.is_multiple_of(DUMPED_EVERY) {
                    tally.dumped += 1;
                    dump_agrees(&root, inspected.records.len())?;
                }
            }
            let found = verdict::judge(&root, &state.told)?;
            // A life that began on an unfinished creation has set one aside itself.
            let aside = set_aside(&root) > aside_before;
            tally.begun_anew += usize::from(found == Found::BegunAnew);
            tally.set_aside += usize::from(aside);
            match aside && !in_birth {
                true => Err("was set aside after its creation had ended".to_owned()),
                false => Ok(()),
            }
        })();
        if let (Err(_), Some(folder)) = (&verdict, std::env::var_os("KEEP")) {
            let kept = Path::new(&folder).join(self.name_of(state).replace([' ', ','], "-"));
            fs::create_dir_all(&kept).unwrap();
            state.image.save(&kept);
        }
        fs::remove_dir_all(&root).unwrap();
        verdict
    }
}

/// Journals that were set aside.
fn set_aside(root: &Path) -> usize {
    let names = fs::read_dir(root.join("state")).into_iter().flatten().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("journal.unfinished-")).count()
}

fn dump_agrees(root: &Path, records: usize) -> Result<(), String> {
    let output = vend(&["journal", "dump", "--json", "--directory"]).arg(root.join("state")).output().unwrap();
    let lines = String::from_utf8_lossy(&output.stdout).lines().count();
    if output.status.code() == Some(0) && lines == records {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!("vend journal dump shows {lines} of {records} orders, {}: {error}", output.status))
}
