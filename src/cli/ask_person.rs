//! What a command asks of the person before it, on the terminal that standard input is.

use super::exit::Exit;
use super::failure::Failure;
use super::interrupts::Interrupts;
use crate::order::said::said;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead as _, IsTerminal as _, Stdin, Write as _};

/// Longest line that is read, in bytes: many times a code or a slot number.
const LINE_BYTES_MAX: u64 = 256;

/// Somebody can be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Asks on standard error, so that standard output holds the result only, and reads one line.
///
/// # Errors
/// When standard input or standard error fails.
pub(super) fn ask(question: &str) -> io::Result<String> {
    let mut stderr = io::stderr();
    write!(stderr, "{question}")?;
    stderr.flush()?;
    read_line()
}

/// Reads one line of standard input: what stands before its end, without the end.
///
/// # Errors
/// When standard input fails.
pub(super) fn read_line() -> io::Result<String> {
    let mut line = String::new();
    io::Read::take(io::stdin().lock(), LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Asks for a secret: on a terminal nobody sees what is typed, from a pipe nothing is asked. However it ends, the terminal
/// shows again what is typed.
///
/// # Errors
/// When standard input or standard error fails, or at Ctrl-C.
pub(super) fn ask_secretly(question: &str) -> Result<String, Failure> {
    if !can_ask() {
        return Ok(read_line()?);
    }
    let mut interrupts = Interrupts::new()?;
    let stdin = io::stdin();
    let silence = Silence::over(&stdin)?;
    let (to, line) = tokio::sync::oneshot::channel();
    let asked = question.to_owned();
    // A line that nobody waits for any more ends with the process.
    std::thread::spawn(move || to.send(ask(&asked)));
    let line = interrupts.or(line);
    drop(silence);
    // The line end that was typed was not shown either.
    writeln!(io::stderr())?;
    let gone = |_| Failure::told(Exit::Failed, said!("nothing was read", "未读到输入"));
    Ok(line?.map_err(gone)??)
}

/// The terminal shows nothing of what is typed while this lives.
struct Silence<'a> {
    stdin: &'a Stdin,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn over(stdin: &'a Stdin) -> io::Result<Silence<'a>> {
        let before = tcgetattr(stdin)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(stdin, OptionalActions::Flush, &silent)?;
        Ok(Silence { stdin, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(self.stdin, OptionalActions::Flush, &self.before);
    }
}

/// Who sits there: the user that logged in, whatever `sudo` made of them (`/proc/self/loginuid`, proc(5)), else the user of
/// this process.
pub(super) fn who() -> u32 {
    let login = std::fs::read_to_string("/proc/self/loginuid").ok();
    let login = login.and_then(|text| text.trim().parse().ok()).filter(|uid| *uid != u32::MAX);
    login.unwrap_or_else(|| rustix::process::getuid().as_raw())
}
