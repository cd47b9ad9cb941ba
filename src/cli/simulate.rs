//! `vend board simulate`: a byte-exact board on a pty.

use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use crate::board::profile::Profile;
use crate::cli::usage::Misread;
use crate::order::said::{Said, said};
use crate::sim::board::emulator_for;
use crate::sim::board::fault::{Fault, Faults};
use crate::sim::pty::{PtyBoard, PtyCommand, turn_line};
use clap::Args;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// How long an emulated motor turns unless told otherwise: a spring's usual turn is 2–3 s, but people wait for it.
pub const TURN_TIME_DEFAULT_MS: u64 = 1_000;
/// Power cycles that wait for the board; it takes one at each look at its line.
const POWER_CYCLES_MAX: usize = 1;

/// Arguments of `vend board simulate`.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// A built-in profile's name, or the path of a file
    #[arg(long, value_name = "NAME")]
    pub profile: String,
    /// Make a symbolic link to the pty; it leads to the board even after an agent was killed
    #[arg(long, value_name = "PATH")]
    pub link: Option<PathBuf>,
    /// A fault, `KIND[:SLOT][@NTH]`, like jam:12 or power-loss@2; may be repeated
    ///
    /// KIND is one of jam, no-drop, open-motor, silence, garble, late, restart, power-loss, refuse.
    #[arg(long, value_name = "FAULT")]
    pub fault: Vec<Fault>,
    /// Somebody chooses a slot at the board's own keys so many seconds after the start, SLOT@S like 12@5; slot 0 gives
    /// the choice up; may be repeated. Boards that tell keys: xy-v3
    #[arg(long, value_name = "SLOT@S", value_parser = key)]
    pub press: Vec<Key>,
    /// How long a motor turns, in ms
    #[arg(long = "turn-time", value_name = "MS", default_value_t = TURN_TIME_DEFAULT_MS)]
    pub turn_time_ms: u64,
    /// Add a line for every motor turn, with time and slot, to this file
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// A key that is pressed at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    slot: u16,
    after_s: u32,
}

fn key(text: &str) -> Result<Key, Misread> {
    let read = || {
        let (slot, after_s) = text.split_once('@')?;
        Some(Key { slot: slot.parse().ok()?, after_s: after_s.parse().ok()? })
    };
    let like = || Said::new("write it like 12@5: slot 12, 5 s after the start", "应写作 12@5：启动 5 秒后的货道 12");
    read().ok_or_else(|| Misread(like()))
}

/// Writes where the board is, as one line, and then is the board until SIGINT (exit 130) or SIGTERM (exit 0).
///
/// # Errors
/// A profile that is not there or wrong, a pty or link that cannot be made, a log that takes no more.
pub fn run(args: &SimulateArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let profile = Profile::find(&args.profile, Path::new("."))?;
    let mut log = args.log.as_deref().map(|path| open_log(path).map_err(|e| no_log(path, &e))).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| broken(&e))?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt, mut cycle) = (
            signal(SignalKind::terminate()).map_err(|e| broken(&e))?,
            signal(SignalKind::interrupt()).map_err(|e| broken(&e))?,
            signal(SignalKind::user_defined1()).map_err(|e| broken(&e))?,
        );
        let board = PtyBoard::open(args.link.clone()).map_err(|e| broken(&e))?;
        let place = args.link.as_deref().unwrap_or(board.slave_path());
        out.line(&place.display().to_string())?;
        out.finish()?;

        let (power, commands) = mpsc::channel(POWER_CYCLES_MAX);
        for Key { slot, after_s } in args.press.iter().copied() {
            let keys = power.clone();
            // It ends with the board, which is all that this program does.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(after_s.into())).await;
                let _ = keys.send(PtyCommand::Press(slot)).await;
            });
        }
        let (failed, mut failures) = mpsc::channel(1);
        let emulator = emulator_for(&profile, args.turn_time_ms, Faults::new(args.fault.iter().copied()));
        let board = board.run(emulator, commands, |turn| {
            if let Some(file) = &mut log
                && let Err(error) = file.write_all(format!("{}\n", turn_line(turn)).as_bytes())
            {
                // One is enough to end it.
                let _ = failed.try_send(error);
            }
        });
        tokio::pin!(board);
        loop {
            tokio::select! {
                ended = &mut board => return ended.map(|()| Exit::Done).map_err(|e| broken(&e)),
                Some(error) = failures.recv() => {
                    return Err(no_log(args.log.as_deref().unwrap_or(Path::new("-")), &error));
                }
                _ = terminate.recv() => return Ok(Exit::Done),
                _ = interrupt.recv() => return Ok(Exit::Interrupted),
                // A full queue means that the power is already about to go.
                _ = cycle.recv() => drop(power.try_send(PtyCommand::PowerCycle)),
            }
        }
    })
}

/// Each line is one write, so that whoever reads the file sees whole turns.
fn open_log(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).open(path)
}

fn no_log(path: &Path, error: &io::Error) -> Failure {
    Failure::told(Exit::Failed, said!("the log {path}: {error}", "日志 {path}：{error}", error; path = path.display()))
}

fn broken(error: &io::Error) -> Failure {
    Failure::told(Exit::Failed, said!("the emulated board: {error}", "模拟板卡：{error}", error))
}
