//! Puts an emulated board on a pseudo terminal, for the real agent to open like a serial port.
//!
//! Only the master is owned, so the agent sees a port that nobody else holds. When the agent goes away, output is
//! dropped, as on a cable that leads nowhere. One thing a pty does not do like a USB port: the exclusive lock of an
//! agent that was killed stays on the slave for as long as the master lives. Then the board moves to a new pty and
//! the link follows it.

use super::board::{Emulator, Turn};
use crate::io::clock::boot_now;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, QueueSelector};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

/// How often a port that nobody has open is looked at.
const NOBODY_WAIT_MS: u64 = 20;
/// No frame of any board here is longer than 260 bytes.
const READ_BYTES: usize = 1_024;

/// What a person or a test does to the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PtyCommand {
    /// Takes its power and gives it back.
    PowerCycle,
    /// Chooses this slot at its keys, if it has any; 0 gives the choice up.
    Press(u16),
}

/// A pty with a board's end of the line.
#[derive(Debug)]
pub struct PtyBoard {
    master: Arc<OwnedFd>,
    slave_path: PathBuf,
    link: Option<PathBuf>,
}

impl PtyBoard {
    /// Makes a pty, and a symbolic link to its slave that replaces whatever link is there. Inside a tokio runtime
    /// with I/O only.
    ///
    /// # Errors
    /// When the system has no pty left or the link cannot be made, or a file that is no link is in its place.
    pub fn open(link: Option<PathBuf>) -> io::Result<Self> {
        let (master, slave_path) = new_pty()?;
        if let Some(link) = &link {
            make_link(&slave_path, link)?;
        }
        Ok(PtyBoard { master, slave_path, link })
    }

    /// The slave's device. It changes only when an agent died with an exclusive lock on it; the link does not.
    #[must_use]
    pub fn slave_path(&self) -> &Path {
        &self.slave_path
    }

    /// Runs the board until the sender of `commands` is dropped. Each turn is given to `log` once.
    ///
    /// # Errors
    /// When the pty fails, or an agent died with an exclusive lock on it and there is no link to move.
    pub async fn run(
        mut self,
        mut emulator: Box<dyn Emulator>,
        mut commands: mpsc::Receiver<PtyCommand>,
        mut log: impl FnMut(&Turn),
    ) -> io::Result<()> {
        let mut logged = 0;
        // Present while somebody has the slave open.
        let mut watch_master = None;
        loop {
            emulator.wake(boot_now());
            match self.read(&mut *emulator) {
                Ok(()) if watch_master.is_none() => watch_master = Some(watch(&self.master)?),
                Ok(()) => {}
                Err(Errno::IO) => {
                    if watch_master.take().is_some() {
                        self.nobody_any_more()?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
            while let Some(bytes) = emulator.next_output() {
                if watch_master.is_some() {
                    self.write(&bytes)?;
                }
            }
            for turn in emulator.turns().iter().skip(logged) {
                log(turn);
            }
            logged = emulator.turns().len();

            let due_ms = emulator.deadline().map(|at| at.since_ms(boot_now()));
            let wait_ms = match watch_master {
                Some(_) => due_ms,
                None => Some(due_ms.unwrap_or(u64::MAX).min(NOBODY_WAIT_MS)),
            };
            let due = async {
                match wait_ms {
                    Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                    None => std::future::pending().await,
                }
            };
            let readable = async {
                match &watch_master {
                    Some(master) => master.readable().await.map(|mut ready| ready.clear_ready()),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                ready = readable => ready?,
                command = commands.recv() => match command {
                    Some(PtyCommand::PowerCycle) => emulator.power_cycle(boot_now()),
                    Some(PtyCommand::Press(slot)) => {
                        // A board without keys has nothing to say of it.
                        emulator.press(slot);
                    }
                    None => return Ok(()),
                },
            }
        }
    }

    /// Gives the board all that there is to read. [`Errno::IO`] says that nobody has the slave open.
    fn read(&self, emulator: &mut dyn Emulator) -> Result<(), Errno> {
        let mut buffer = [0; READ_BYTES];
        loop {
            match rustix::io::read(&*self.master, &mut buffer) {
                Ok(0) => return Err(Errno::IO),
                Ok(n) => emulator.received(boot_now(), buffer.get(..n).unwrap_or_default()),
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What does not fit is lost, as on a line without flow control.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match rustix::io::write(&*self.master, bytes) {
            Ok(_) | Err(Errno::AGAIN | Errno::IO | Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn nobody_any_more(&mut self) -> io::Result<()> {
        match touch_slave(&self.slave_path) {
            Err(Errno::BUSY) => {}
            other => return Ok(other?),
        }
        let Some(link) = &self.link else {
            return Err(io::Error::other(format!(
                "an agent that held {} exclusively was killed, which locks it for good; start the board with a link, \
                 then it moves to a new one",
                self.slave_path.display()
            )));
        };
        let (master, slave_path) = new_pty()?;
        make_link(&slave_path, link)?;
        (self.master, self.slave_path) = (master, slave_path);
        Ok(())
    }
}

impl Drop for PtyBoard {
    fn drop(&mut self) {
        if let Some(link) = &self.link
            && std::fs::read_link(link).is_ok_and(|target| target == self.slave_path)
        {
            // A link that cannot be removed leads nowhere, and the next board replaces it.
            let _ = std::fs::remove_file(link);
        }
    }
}

/// The line of the turn log: `turn <boot_ms> address=<wire> slot=<slot> dropped=<bool>`.
#[must_use]
pub fn turn_line(turn: &Turn) -> String {
    let Turn { at, wire_address, slot, dropped } = turn;
    format!("turn {} address={wire_address} slot={slot} dropped={dropped}", at.0)
}

/// A master in raw mode whose slave was open once: from then on the kernel tells whether somebody has it open.
fn new_pty() -> io::Result<(Arc<OwnedFd>, PathBuf)> {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let name = rustix::pty::ptsname(&master, Vec::new())?;
    let slave_path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
    let mut termios = rustix::termios::tcgetattr(&master)?;
    termios.make_raw();
    rustix::termios::tcsetattr(&master, OptionalActions::Now, &termios)?;
    touch_slave(&slave_path)?;
    rustix::io::ioctl_fionbio(&master, true)?;
    Ok((Arc::new(master), slave_path))
}

/// Watches a master for bytes. Make a new one whenever somebody opened the slave: the end of the one before stays
/// "ready" for good.
fn watch(master: &Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    #[allow(
        deprecated,
        reason = "its successor is unsafe, and asks that the descriptor stays the same and open: an OwnedFd does"
    )]
    AsyncFd::new(Arc::clone(master))
}

/// Opens the slave and closes it again. If the kernel lets us in, that clears an exclusive lock, and what an agent did
/// not read does not wait for the next one.
fn touch_slave(path: &Path) -> Result<(), Errno> {
    let slave = rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::termios::tcflush(&slave, QueueSelector::IFlush)?;
    rustix::termios::ioctl_tiocnxcl(&slave)
}

/// Made beside its place and moved there: nobody ever finds it missing.
fn make_link(target: &Path, link: &Path) -> io::Result<()> {
    if link.symlink_metadata().is_ok_and(|m| !m.is_symlink()) {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{} exists and is no symbolic link; choose another place for the board's link", link.display()),
        ));
    }
    let mut beside = link.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::os::unix::fs::symlink(target, &beside)?;
    std::fs::rename(&beside, link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::profile::Profile;
    use crate::board::tcn_00ff::request;
    use crate::sim::board::emulator_for;
    use crate::sim::board::fault::Faults;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_serial::SerialPortBuilderExt;

    const GENEROUS: Duration = Duration::from_secs(20);

    async fn vend(path: &Path, slot: u8) -> Vec<u8> {
        let mut port = tokio_serial::new(path.to_str().unwrap(), 9_600).open_native_async().unwrap();
        port.write_all(&request(0, slot, 0xAA)).await.unwrap();
        let mut reply = vec![0; 5];
        tokio::time::timeout(GENEROUS, port.read_exact(&mut reply)).await.unwrap().unwrap();
        reply
    }

    #[tokio::test]
    async fn an_agent_vends_closes_the_port_opens_it_again_and_vends() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("board");
        let board = PtyBoard::open(Some(link.clone())).unwrap();
        assert_eq!(std::fs::read_link(&link).unwrap(), board.slave_path());
        let profile = Profile::find("tcn-00ff", Path::new(".")).unwrap();
        let turns = Arc::new(Mutex::new(Vec::new()));
        let (stop, commands) = mpsc::channel(1);
        let log = Arc::clone(&turns);
        let emulator = emulator_for(&profile, 5, Faults::default());
        let run = tokio::spawn(board.run(emulator, commands, move |turn| log.lock().unwrap().push(turn_line(turn))));

        for slot in [3, 4] {
            assert_eq!(vend(&link, slot).await, [0x00, 0x5D, 0x00, 0xAA, 0x07]);
        }
        stop.send(PtyCommand::PowerCycle).await.unwrap();
        assert_eq!(vend(&link, 5).await, [0x00, 0x5D, 0x00, 0xAA, 0x07]);
        drop(stop);
        tokio::time::timeout(GENEROUS, run).await.unwrap().unwrap().unwrap();

        let turns = turns.lock().unwrap();
        let about: Vec<_> = turns.iter().map(|line| line.splitn(3, ' ').nth(2).unwrap()).collect();
        let wanted = [3, 4, 5].map(|slot| format!("address=0 slot={slot} dropped=true"));
        assert_eq!(about, wanted);
        assert!(!link.is_symlink(), "the link outlived its board");
    }

    #[tokio::test]
    async fn what_nobody_read_does_not_wait_for_the_next_agent() {
        let board = PtyBoard::open(None).unwrap();
        let path = board.slave_path().to_owned();
        let profile = Profile::find("tcn-00ff", Path::new(".")).unwrap();
        let (stop, commands) = mpsc::channel(1);
        let (turned, mut turns) = mpsc::channel(1);
        let emulator = emulator_for(&profile, 0, Faults::new(["no-drop:3".parse().unwrap()]));
        let run = tokio::spawn(board.run(emulator, commands, move |_| turned.try_send(()).unwrap()));
        // An agent that asks and dies before it reads. It opens as a file: a serial library flushes.
        let open = || rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK, Mode::empty()).unwrap();
        let slave = open();
        rustix::io::write(&slave, &request(0, 3, 0xAA)).unwrap();
        tokio::time::timeout(GENEROUS, turns.recv()).await.unwrap().unwrap();
        drop(slave);
        // The queue holds one: when the third is in, the board has looked at the port since.
        for _ in 0..3 {
            stop.send(PtyCommand::PowerCycle).await.unwrap();
        }
        let slave = open();
        assert_eq!(rustix::io::read(&slave, &mut [0; 16]), Err(Errno::AGAIN));
        drop(stop);
        tokio::time::timeout(GENEROUS, run).await.unwrap().unwrap().unwrap();
    }

    /// As root this shows little, for root may open any port.
    #[tokio::test]
    async fn the_lock_of_a_killed_agent_does_not_keep_the_next_one_out() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("board");
        let board = PtyBoard::open(Some(link.clone())).unwrap();
        let profile = Profile::find("tcn-00ff", Path::new(".")).unwrap();
        let (stop, commands) = mpsc::channel(1);
        let run = tokio::spawn(board.run(emulator_for(&profile, 0, Faults::default()), commands, |_| {}));
        let slave = rustix::fs::open(&link, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        rustix::termios::ioctl_tiocexcl(&slave).unwrap();
        for _ in 0..3 {
            stop.send(PtyCommand::PowerCycle).await.unwrap();
        }
        drop(slave);
        for _ in 0..3 {
            stop.send(PtyCommand::PowerCycle).await.unwrap();
        }
        assert_eq!(vend(&link, 4).await, [0x00, 0x5D, 0x00, 0xAA, 0x07]);
        drop(stop);
        tokio::time::timeout(GENEROUS, run).await.unwrap().unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_file_in_the_links_place_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("board");
        std::fs::write(&place, "precious").unwrap();
        let error = PtyBoard::open(Some(place.clone())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(place).unwrap(), "precious");
    }
}
