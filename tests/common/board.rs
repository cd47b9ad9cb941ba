//! A board on a pty that outlives cables and agents, and whose own log of motor turns is the truth.

use super::RUNTIME;
use super::record::{Record, wait_until};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use vend::board::profile::Profile;
use vend::io::clock::boot_now;
use vend::order::time::BootMs;
use vend::sim::board::fault::Faults;
use vend::sim::board::{Emulator, Turn, emulator_for};
use vend::sim::pty::{PtyBoard, PtyCommand};

type Shared = Arc<Mutex<Box<dyn Emulator>>>;

fn lock(emulator: &Shared) -> MutexGuard<'_, Box<dyn Emulator>> {
    emulator.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The board's end of one cable: when the cable is pulled, the board goes on.
struct Socket {
    emulator: Shared,
    turns: Vec<Turn>,
}

impl Socket {
    fn after<R>(&mut self, act: impl FnOnce(&mut dyn Emulator) -> R) -> R {
        let mut emulator = lock(&self.emulator);
        let result = act(&mut **emulator);
        self.turns = emulator.turns().to_vec();
        result
    }
}

impl Emulator for Socket {
    fn received(&mut self, now: BootMs, bytes: &[u8]) {
        self.after(|e| e.received(now, bytes));
    }

    fn wake(&mut self, now: BootMs) {
        self.after(|e| e.wake(now));
    }

    fn deadline(&self) -> Option<BootMs> {
        lock(&self.emulator).deadline()
    }

    fn next_output(&mut self) -> Option<Vec<u8>> {
        self.after(|e| e.next_output())
    }

    fn turns(&self) -> &[Turn] {
        &self.turns
    }

    fn power_cycle(&mut self, now: BootMs) {
        self.after(|e| e.power_cycle(now));
    }

    fn press(&mut self, slot: u16) -> bool {
        self.after(|e| e.press(slot))
    }
}

struct Cable {
    commands: mpsc::Sender<PtyCommand>,
    task: JoinHandle<std::io::Result<()>>,
}

/// A board and its cable.
pub struct Board {
    emulator: Shared,
    link: PathBuf,
    turn_ms: u64,
    /// Grows with each turn, and whenever the cable is plugged in again.
    moved: Arc<Record<Turn>>,
    cable: Option<Cable>,
}

impl Board {
    /// Plugged in, under the name `link`.
    pub fn new(profile: &Profile, turn_ms: u64, faults: &[&str], link: &Path) -> Board {
        let faults = Faults::new(faults.iter().map(|f| f.parse().expect("a fault")));
        let emulator = Arc::new(Mutex::new(emulator_for(profile, turn_ms, faults)));
        let mut board = Board { emulator, link: link.to_owned(), turn_ms, moved: Arc::default(), cable: None };
        board.plug_in();
        board
    }

    pub fn plug_in(&mut self) {
        let socket = Socket { emulator: self.emulator.clone(), turns: Vec::new() };
        let moved = self.moved.clone();
        let (commands, queue) = mpsc::channel(1);
        let _in_runtime = RUNTIME.enter();
        let pty = PtyBoard::open(Some(self.link.clone())).expect("a pty");
        let task = RUNTIME.spawn(pty.run(Box::new(socket), queue, move |turn| moved.push(*turn)));
        self.cable = Some(Cable { commands, task });
    }

    /// Another board takes this one's place at the same port, with a past of its own.
    pub fn replace(&mut self, board: Box<dyn Emulator>) {
        self.unplug();
        self.emulator = Arc::new(Mutex::new(board));
        self.plug_in();
    }

    /// The agent's port is gone; the board keeps its power.
    pub fn unplug(&mut self) {
        let Cable { commands, task } = self.cable.take().expect("a cable");
        drop(commands);
        RUNTIME.block_on(task).expect("no panic").expect("no failure of the pty");
    }

    /// The board loses its power for a moment.
    pub fn lose_power(&self) {
        let cable = self.cable.as_ref().expect("a cable");
        RUNTIME.block_on(cable.commands.send(PtyCommand::PowerCycle)).expect("the board runs");
    }

    /// Somebody presses a key: what the board has to say of it goes out with its next poll.
    pub fn press(&self, slot: u16) {
        assert!(lock(&self.emulator).press(slot), "a board with keys");
    }

    /// All motor turns, in order, by the board's own log.
    pub fn turns(&self) -> Vec<Turn> {
        lock(&self.emulator).turns().to_vec()
    }

    /// The slots of [`Board::turns`].
    pub fn turned_slots(&self) -> Vec<u16> {
        self.turns().iter().map(|t| t.slot).collect()
    }

    /// The agent has a port.
    pub fn is_plugged_in(&self) -> bool {
        self.cable.is_some()
    }

    /// Waits until so many motors have begun to turn in all.
    pub fn wait_for_turns(&self, count: usize) {
        self.moved.wait(&format!("turn number {count}"), |_| (self.turned_slots().len() >= count).then_some(()));
    }

    /// Waits until the last turn is over, by the clock that the board goes by.
    pub fn wait_for_rest(&self) {
        let over = lock(&self.emulator).turns().last().expect("a turn").at.plus_ms(self.turn_ms);
        wait_until("end of the turn", || {
            // The board itself only looks when it is spoken to.
            lock(&self.emulator).wake(boot_now());
            (boot_now() > over).then_some(())
        });
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        if let Some(cable) = self.cable.take() {
            cable.task.abort();
        }
    }
}
