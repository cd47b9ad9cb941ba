//! `vend serial send`: raw bytes on the line, for whoever looks for a fault of board or cable. Only while the agent does not
//! run: the state directory is held as the agent holds it, so that both never have the line.

use super::ask_person::{ask, can_ask};
use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::log_level::read_time;
use super::output::{Output, OutputArgs};
use super::serial::frame;
use super::{ask_person, warn};
use crate::board::frame::hex;
use crate::board::meaning::{Reader, reader_for};
use crate::board::profile::Profile;
use crate::board::seal::sealed;
use crate::cli::usage::Misread;
use crate::config::Config;
use crate::control::FrameLine;
use crate::core::{AtTheLine, may_use_the_line};
use crate::io::clock::{self, Clock};
use crate::io::console::{self, Console, ConsoleError, Heard};
use crate::io::journal::{Batch, OpenError, Opened, Store};
use crate::io::line::{LineConfig, LineTrouble};
use crate::order::record::{Records, decode_ledger};
use crate::order::said::{InChinese, Said, said};
use crate::order::time::BootMs;
use clap::Args;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest frame that is sent, in bytes: what the longest protocol's length can count, and its check.
const FRAME_BYTES_MAX: usize = 260;
/// Longest line that is read: the longest frame with a blank after each byte.
const LINE_BYTES_MAX: u64 = 1_024;
/// Quiet times that make sense, in ms: a byte at 9600 baud takes one, and nobody waits for a minute.
const QUIET_MS: std::ops::RangeInclusive<u64> = 10..=60_000;
/// What is typed to confirm.
const WORD: &str = "SEND";

/// Arguments of `vend serial send`.
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// The frame in hex, with or without blanks; without it lines are read from standard input
    #[arg(id = "raw_frame", value_name = "HEX", num_args = 1..)]
    pub frame: Vec<String>,
    /// Append the check sum of the board's family (tcn-00ff: the complement after each byte)
    #[arg(long)]
    pub crc: bool,
    /// Stop listening when nothing came for so long, in ms
    #[arg(long = "quiet", value_name = "MS", default_value_t = 1_000, value_parser = read_quiet)]
    pub quiet_ms: u64,
    /// Stop listening after this time, however much comes: 10s or 2m
    #[arg(id = "listen_for", long = "for", value_name = "TIME", default_value = "10s", value_parser = read_time)]
    pub for_s: u64,
    /// Do not ask: the bytes leave at once
    #[arg(id = "yes_raw", long = "yes")]
    pub yes: bool,
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

fn read_quiet(text: &str) -> Result<u64, Misread> {
    let (least, most) = (QUIET_MS.start(), QUIET_MS.end());
    let wrong = || Misread(said!("{least} to {most} ms are possible", "可为 {least} 至 {most} 毫秒"; least, most));
    text.parse().ok().filter(|ms| QUIET_MS.contains(ms)).ok_or_else(wrong)
}

/// Reads `00 ff 05`, `00ff05` or `00:ff:05`.
fn read_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !matches!(c, ' ' | ':' | ','))
        .map(|c| c.to_digit(16)?.try_into().ok())
        .collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    (1..=FRAME_BYTES_MAX).contains(&bytes.len()).then_some(bytes)
}

fn no_frame(text: &str) -> Failure {
    Failure::told(
        Exit::Usage,
        said!(
            "{text:?} is no frame: 1 to {max} bytes in hex, like 00 ff 05 fa",
            "{text:?} 不是帧：应为 1 至 {max} 字节的十六进制，如 00 ff 05 fa";
            text, max = FRAME_BYTES_MAX
        ),
    )
}

/// Runs `vend serial send`.
///
/// # Errors
/// No frame, no confirmation, an agent that runs, another user than the journal's, an order that waits for the board's
/// word, a port that does not open.
pub fn run(args: &SendArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let typed = args.frame.join(" ");
    let once = (!args.frame.is_empty()).then(|| read_hex(&typed).ok_or_else(|| no_frame(&typed))).transpose()?;
    let config = Config::load(&args.config)?.config;
    confirm(args, out.lang)?;
    let (store, entry) = take_the_line(&config.state_directory)?;
    let profile = config.board.profile;
    let line = LineConfig { port: config.board.port, baud: profile.link.baud, parity: profile.link.parity };
    let console = Console::open(&line).map_err(lost)?;
    let mut bench = Bench { args, console, store, entry, reader: reader_for(&profile), profile };
    match once {
        Some(bytes) => bench.exchange(bytes, out),
        None => bench.lines(out),
    }
}

/// Everything that a frame goes through.
struct Bench<'a> {
    args: &'a SendArgs,
    console: Console,
    store: Store,
    entry: AtTheLine,
    reader: Box<dyn Reader>,
    profile: Profile,
}

impl Bench<'_> {
    /// Frames from standard input, one a line, until its end or Ctrl-C. What is no frame is said, and nothing is sent.
    fn lines(&mut self, out: &mut Output<'_>) -> Result<Exit, Failure> {
        let lang = out.lang;
        if can_ask() {
            warn(lang.say("one frame in hex a line; Ctrl-D ends", "每行一帧（十六进制）；Ctrl-D 结束"), "");
        }
        let mut lines = console::standard_input(LINE_BYTES_MAX);
        let mut ended = Exit::Done;
        loop {
            let Ok(line) = self.console.next_line(&mut lines) else { return Ok(Exit::Interrupted) };
            match line {
                None => return Ok(ended),
                Some(line) if line.is_empty() => {}
                Some(line) => match read_hex(&line) {
                    None => {
                        ended = Exit::Usage;
                        warn(&no_frame(&line).text(lang).unwrap_or_default(), "");
                    }
                    Some(bytes) => match self.exchange(bytes, out)? {
                        Exit::Interrupted => return Ok(Exit::Interrupted),
                        Exit::Device => ended = Exit::Device,
                        _ => {}
                    },
                },
            }
        }
    }

    /// Keeps, sends, listens. That nothing came is a time-out of the device.
    fn exchange(&mut self, bytes: Vec<u8>, out: &mut Output<'_>) -> Result<Exit, Failure> {
        let bytes = if self.args.crc { sealed(&self.profile, &bytes) } else { bytes };
        let changes = self.entry.sends(&bytes).map_err(|error| not_kept(&error))?;
        let (puts, removes) = changes;
        self.store.commit(&Batch { puts, removes, meta: None }).map_err(|error| not_kept(&error))?;
        let mut clock = Clock::new();
        let now = clock.now();
        let meaning = self.reader.sent(&bytes);
        show(&frame_line(&mut clock, now.boot, "to_board", &bytes, meaning), out)?;
        self.console.send(&bytes).map_err(lost)?;
        let Bench { console, reader, args, .. } = self;
        let mut came = false;
        let quiet = Duration::from_millis(args.quiet_ms);
        let heard = console.listen(quiet, Duration::from_secs(args.for_s), |at, bytes| {
            came = true;
            for heard in reader.received(at, bytes) {
                show(&frame_line(&mut clock, at, "from_board", &heard.bytes, heard.meaning), out)?;
            }
            Ok(())
        });
        match heard.map_err(lost)? {
            Heard::Interrupted => Ok(Exit::Interrupted),
            Heard::Enough if came => Ok(Exit::Done),
            Heard::Enough => {
                let quiet_ms = args.quiet_ms;
                warn(
                    &out.lang.say(
                        format!(
                            "nothing came within {quiet_ms} ms; check the board's power, the cable and the address"
                        ),
                        format!("{quiet_ms} 毫秒内没有应答；请检查板卡电源、线缆与地址"),
                    ),
                    "",
                );
                Ok(Exit::Device)
            }
        }
    }
}

fn frame_line(clock: &mut Clock, at: BootMs, way: &str, bytes: &[u8], said: Said) -> FrameLine {
    let wall_ms = clock.now().wall.0;
    FrameLine {
        since_boot_ms: at.0,
        wall_ms,
        way: way.to_owned(),
        hex: hex(bytes),
        meaning: said.en,
        meaning_zh: said.zh,
        lost: None,
    }
}

fn show(line: &FrameLine, out: &mut Output<'_>) -> io::Result<()> {
    if out.is_json() {
        out.json(line)?;
    } else {
        out.line(&frame(line, false, out.lang))?;
    }
    out.finish()
}

/// A word is typed: what is sent may turn a motor, and nobody checks it.
fn confirm(args: &SendArgs, lang: Lang) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let cancelled = |en: &str, zh: &str| Failure::told(Exit::Cancelled, Said::new(en, zh));
    if !can_ask() {
        return Err(cancelled(
            "a raw frame may turn a motor, and there is nobody to ask: use --yes",
            "原始帧可能使电机转动，而无人可询问：请使用 --yes",
        ));
    }
    let question = lang.say(
        format!("a raw frame may turn a motor, and nothing checks it. Type {WORD}: "),
        format!("原始帧可能使电机转动，且不作任何检查。请输入 {WORD} 确认："),
    );
    if ask(&question)? == WORD {
        Ok(())
    } else {
        Err(cancelled("not confirmed; nothing was sent", "未确认；未发送"))
    }
}

/// Holds the state directory as the agent does, and finds out whether the board's word is owed to an order.
fn take_the_line(state_directory: &Path) -> Result<(Store, AtTheLine), Failure> {
    let refused = |why: Said| Failure::told(Exit::Refused, why);
    let shown = state_directory.display();
    let Ok(found) = std::fs::metadata(state_directory.join("journal")) else {
        return Err(Failure::told(
            Exit::NotFound,
            said!(
                "no journal in {shown}, which is to know what is sent: start the agent once",
                "{shown} 中没有日志，而所发送的内容须记入其中：请先启动一次守护进程";
                shown
            ),
        ));
    };
    // What another user writes there could not be read by the agent any more.
    let (owner, me) = (found.uid(), rustix::process::geteuid().as_raw());
    if owner != me {
        return Err(Failure::told(
            Exit::NoPermission,
            said!(
                "the journal belongs to user {owner}: sudo -u '#{owner}' -g dialout vend serial send …",
                "日志属于用户 {owner}：请执行 sudo -u '#{owner}' -g dialout vend serial send …";
                owner
            ),
        ));
    }
    let opened = Store::open(state_directory).map_err(|error| match &error {
        OpenError::InUse { .. } => refused(said!(
            "{error}\n  = the line is the agent's: systemctl stop vend, and start it afterwards",
            "{error}\n  = 串口线由守护进程使用：请先 systemctl stop vend，之后再启动",
            error
        )),
        _ => Failure::of(Exit::Failed, &error),
    })?;
    let (store, records, meta) = match opened {
        Opened::Quarantined { damage, .. } => {
            return Err(refused(said!("the journal is in quarantine: {damage}", "日志处于隔离：{damage}", damage)));
        }
        Opened::Sound { moved: true, .. } => {
            return Err(refused(said!(
                "the journal was moved: start the agent once",
                "日志已被移动：请先启动一次守护进程"
            )));
        }
        Opened::Sound { store, records, meta, .. } => (store, records, meta),
    };
    let ledger = match meta.as_deref().map(decode_ledger) {
        Some(ledger) => ledger.map_err(|error| Failure::of(Exit::Failed, &error))?,
        None => {
            let why = said!(
                "nothing was ever committed to it: start the agent once",
                "日志中从未提交过任何内容：请先启动一次守护进程"
            );
            return Err(Failure::told(Exit::Failed, why));
        }
    };
    let records = Records::read(records).map_err(|error| Failure::of(Exit::Failed, &error))?;
    may_use_the_line(&ledger, &records).map_err(|owed| Failure::of(Exit::Refused, &owed))?;
    let boot_id = clock::boot_id()?;
    let entry = AtTheLine::begin(&records, ask_person::who(), Clock::new().now(), boot_id);
    Ok((store, entry))
}

fn not_kept(error: &dyn InChinese) -> Failure {
    Failure::told(
        Exit::Failed,
        said!("not kept in the journal, so nothing was sent: {error}", "未能记入日志，因此未发送：{error}", error),
    )
}

fn lost(error: ConsoleError) -> Failure {
    let exit = match &error {
        ConsoleError::Line(LineTrouble::NotFound { .. }) => Exit::NotFound,
        ConsoleError::Line(LineTrouble::Busy { .. }) => Exit::Refused,
        ConsoleError::Line(LineTrouble::Permission { .. }) => Exit::NoPermission,
        ConsoleError::Line(_) | ConsoleError::Io(_) => Exit::Device,
        ConsoleError::Told(_) => Exit::Failed,
    };
    match error {
        ConsoleError::Told(error) => Failure::Output(error),
        error => Failure::of(exit, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_with_or_without_blanks_and_nothing_else_is() {
        for text in ["00 ff 05", "00ff05", "00:FF:05", " 0 0ff05 "] {
            assert_eq!(read_hex(text), Some(vec![0, 0xff, 5]), "{text}");
        }
        let long = "00".repeat(FRAME_BYTES_MAX + 1);
        for wrong in ["", " ", "0", "0x00", "00 ff 0", "gg", "００", long.as_str()] {
            assert_eq!(read_hex(wrong), None, "{wrong}");
        }
    }
}
