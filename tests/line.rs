//! The serial line's task against pseudo terminals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use vend::board::driver::Written;
use vend::board::profile::Parity;
use vend::io::line::{FromLine, LineConfig, LineTrouble, ToLine, run};
use vend::io::mark::MotorMark;
use vend::order::mark::Mark;
use vend::order::time::{BootId, BootMs};

/// Far more than anything here takes, the 5 s between two attempts to open included.
const DEADLINE: Duration = Duration::from_secs(30);
/// So fast that the time-out of a long write is short.
const BAUD: u32 = 4_000_000;

/// The board's end of a line, plugged in under a stable name.
struct Plug {
    master: OwnedFd,
    slave: PathBuf,
}

impl Plug {
    fn into(link: &Path) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = PathBuf::from(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let _ = std::fs::remove_file(link);
        std::os::unix::fs::symlink(&slave, link).unwrap();
        Plug { master, slave }
    }

    fn send(&self, bytes: &[u8]) {
        assert_eq!(rustix::io::write(&self.master, bytes).unwrap(), bytes.len());
    }

    /// Exactly so many bytes.
    fn receive(&self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
            let limit = Timespec { tv_sec: 30, tv_nsec: 0 };
            assert_eq!(poll(&mut fds, Some(&limit)).unwrap(), 1, "no byte came after {bytes:?}");
            let mut buffer = vec![0; count - bytes.len()];
            let read = rustix::io::read(&self.master, &mut buffer).unwrap();
            bytes.extend_from_slice(&buffer[..read]);
        }
        bytes
    }

    /// A second way to the same device, past the lock: to fill its buffer.
    fn slave(&self) -> OwnedFd {
        rustix::fs::open(&self.slave, OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK, Mode::empty()).unwrap()
    }
}

/// Fills the device until it takes no more. The kernel goes on moving bytes to the reader's buffer after the first
/// refusal; only when that buffer is full too, a refusal is final.
fn stuff(plug: &Plug, slave: &OwnedFd) {
    const READERS_BUFFER_BYTES: u64 = 4_095;
    loop {
        let full = rustix::io::ioctl_fionread(&plug.master).unwrap() >= READERS_BUFFER_BYTES;
        while rustix::io::write(slave, &[0x55; 4_096]).is_ok() {}
        if full {
            break;
        }
        std::thread::yield_now();
    }
}

struct Running {
    to: mpsc::Sender<ToLine>,
    from: mpsc::Receiver<FromLine>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(port: &Path) -> Self {
        Running::with(port, Parity::None, 64)
    }

    fn with(port: &Path, parity: Parity, capacity: usize) -> Self {
        Running::marking(port, parity, capacity, None)
    }

    fn marking(port: &Path, parity: Parity, capacity: usize, mark: Option<Arc<MotorMark>>) -> Self {
        Running::of(LineConfig { port: port.to_owned(), baud: BAUD, parity }, capacity, mark)
    }

    fn of(config: LineConfig, capacity: usize, mark: Option<Arc<MotorMark>>) -> Self {
        let (to, commands) = mpsc::channel(capacity);
        let (events, from) = mpsc::channel(capacity);
        Running { to, from, task: tokio::spawn(run(config, mark, commands, events)) }
    }

    async fn next(&mut self) -> FromLine {
        timeout(DEADLINE, self.from.recv()).await.expect("an event in time").expect("the task lives")
    }

    async fn closed(&mut self) -> LineTrouble {
        match self.next().await {
            FromLine::Closed { why } => why,
            other => panic!("{other:?}"),
        }
    }

    async fn write(&mut self, id: u64, bytes: &[u8], not_after: Option<BootMs>) {
        self.to.send(ToLine::Write { id, bytes: bytes.to_vec(), not_after, intent: None }).await.unwrap();
    }

    /// Bytes until there are `count`, and nothing else.
    async fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < count {
            match self.next().await {
                FromLine::Bytes { bytes, .. } => all.extend(bytes),
                other => panic!("{other:?}"),
            }
        }
        all
    }

    async fn stop(self) {
        self.to.send(ToLine::Stop).await.unwrap();
        timeout(DEADLINE, self.task).await.expect("it ends").unwrap();
    }
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("board");
    (directory, link)
}

fn boot_now() -> BootMs {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    BootMs(u64::try_from(time.tv_sec).unwrap() * 1_000 + u64::try_from(time.tv_nsec).unwrap() / 1_000_000)
}

#[tokio::test]
async fn a_port_that_is_not_there_is_told_once_and_opened_when_it_comes() {
    let (_directory, link) = place();
    let mut line = Running::start(&link);
    assert_eq!(line.closed().await, LineTrouble::NotFound { port: link.clone() });
    line.write(1, b"lost", None).await;
    assert_eq!(line.next().await, FromLine::Written { id: 1, written: Written::Nothing });
    let several_attempts = Duration::from_secs(2);
    let again = timeout(several_attempts, line.from.recv()).await;
    assert!(again.is_err(), "the same trouble is not told again: {again:?}");
    let _plug = Plug::into(&link);
    assert_eq!(line.next().await, FromLine::Opened);
    line.stop().await;
}

#[tokio::test]
async fn bytes_go_both_ways_unchanged_and_carry_the_time_of_their_reading() {
    let all_bytes: Vec<u8> = (0..=255).collect();
    for parity in [Parity::None, Parity::Even, Parity::Odd] {
        let (_directory, link) = place();
        let plug = Plug::into(&link);
        let mut line = Running::with(&link, parity, 64);
        assert_eq!(line.next().await, FromLine::Opened);
        line.write(7, &all_bytes, None).await;
        assert_eq!(line.next().await, FromLine::Written { id: 7, written: Written::All });
        assert_eq!(plug.receive(256), all_bytes);

        let before = boot_now();
        plug.send(b"\x03\x04\r\n\x11\x13\x7f");
        let FromLine::Bytes { read_at, bytes } = line.next().await else { panic!("no bytes") };
        assert!(before <= read_at && read_at <= boot_now(), "{before:?} {read_at:?}");
        let rest = line.bytes(7 - bytes.len()).await;
        assert_eq!([bytes, rest].concat(), b"\x03\x04\r\n\x11\x13\x7f");
        line.stop().await;
    }
}

#[tokio::test]
async fn a_motor_frame_that_is_written_is_marked_and_others_are_not() {
    let (_directory, link) = place();
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = memory.path().join("control.mark");
    let boot_id = BootId([1; 16]);
    let (mark, new) = MotorMark::open(&path, boot_id).unwrap();
    let unmarked = std::fs::read(&path).unwrap();
    let plug = Plug::into(&link);
    let mut line = Running::marking(&link, Parity::None, 64, Some(Arc::new(mark)));
    assert_eq!(line.next().await, FromLine::Opened);
    line.write(1, b"status", None).await;
    assert_eq!(line.next().await, FromLine::Written { id: 1, written: Written::All });
    assert_eq!(plug.receive(6), b"status");
    assert_eq!(std::fs::read(&path).unwrap(), unmarked);
    line.to.send(ToLine::Write { id: 2, bytes: b"motor".to_vec(), not_after: None, intent: Some(42) }).await.unwrap();
    assert_eq!(line.next().await, FromLine::Written { id: 2, written: Written::All });
    assert_eq!(plug.receive(5), b"motor");
    let marked = std::fs::read(&path).unwrap();
    assert_ne!(marked, unmarked);
    // One that is too late for its window is not written, and not marked.
    let too_late = ToLine::Write { id: 3, bytes: b"late".to_vec(), not_after: Some(BootMs(1)), intent: Some(43) };
    line.to.send(too_late).await.unwrap();
    assert_eq!(line.next().await, FromLine::Written { id: 3, written: Written::Nothing });
    assert_eq!(std::fs::read(&path).unwrap(), marked);
    line.stop().await;
    assert_eq!(MotorMark::open(&path, boot_id).unwrap().1, Mark { written: 42, ..new });
}

#[tokio::test]
async fn bytes_of_before_the_port_was_opened_do_not_come() {
    let (_directory, link) = place();
    let plug = Plug::into(&link);
    let keeps_the_bytes = plug.slave();
    plug.send(b"old\n");
    let mut line = Running::start(&link);
    assert_eq!(line.next().await, FromLine::Opened);
    plug.send(b"new");
    assert_eq!(line.bytes(3).await, b"new");
    drop(keeps_the_bytes);
    line.stop().await;
}

#[tokio::test]
async fn an_unplugged_adapter_is_noticed_and_found_again_as_another_device_under_the_same_name() {
    let (_directory, link) = place();
    let first = Plug::into(&link);
    let mut line = Running::start(&link);
    assert_eq!(line.next().await, FromLine::Opened);
    let keeps_the_number = first.slave();
    drop(first.master);
    assert_eq!(line.closed().await, LineTrouble::Unplugged);
    line.write(1, b"nobody hears", None).await;
    loop {
        match line.next().await {
            FromLine::Written { id: 1, written } => break assert_eq!(written, Written::Nothing),
            FromLine::Closed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let second = Plug::into(&link);
    assert_ne!(second.slave, first.slave);
    drop(keeps_the_number);
    loop {
        match line.next().await {
            FromLine::Opened => break,
            FromLine::Closed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    line.write(2, b"hello", None).await;
    assert_eq!(line.next().await, FromLine::Written { id: 2, written: Written::All });
    assert_eq!(second.receive(5), b"hello");
    line.stop().await;
}

#[tokio::test]
async fn a_write_that_the_kernel_takes_in_part_is_told_as_some_and_the_port_is_opened_anew() {
    let (_directory, link) = place();
    let plug = Plug::into(&link);
    let mut line = Running::start(&link);
    assert_eq!(line.next().await, FromLine::Opened);
    let more_than_any_buffer = vec![0xAA; 300_000];
    line.write(1, &more_than_any_buffer, None).await;
    plug.send(b"still heard");
    assert_eq!(line.bytes(11).await, b"still heard", "a stuck write does not stop reading");
    assert_eq!(line.next().await, FromLine::Written { id: 1, written: Written::Some });
    assert!(matches!(line.closed().await, LineTrouble::WriteTimeOut { bytes: 300_000, .. }));
    assert_eq!(line.next().await, FromLine::Opened);
    line.write(2, b"again", None).await;
    assert_eq!(line.next().await, FromLine::Written { id: 2, written: Written::All });
    line.stop().await;
}

#[tokio::test]
async fn a_write_of_which_the_kernel_takes_no_byte_is_told_as_nothing() {
    let (_directory, link) = place();
    let plug = Plug::into(&link);
    let slave = plug.slave();
    let mut line = Running::start(&link);
    assert_eq!(line.next().await, FromLine::Opened);
    stuff(&plug, &slave);
    line.write(1, b"no room", None).await;
    assert_eq!(line.next().await, FromLine::Written { id: 1, written: Written::Nothing });
    assert!(matches!(line.closed().await, LineTrouble::WriteTimeOut { bytes: 7, .. }));
    assert_eq!(line.next().await, FromLine::Opened);
    line.stop().await;
}

#[tokio::test]
async fn a_write_whose_time_has_passed_does_not_touch_the_port() {
    let (_directory, link) = place();
    let plug = Plug::into(&link);
    let mut line = Running::start(&link);
    assert_eq!(line.next().await, FromLine::Opened);
    line.write(1, b"late", Some(BootMs(boot_now().0 - 1))).await;
    line.write(2, b"good", Some(boot_now().plus_ms(60_000))).await;
    assert_eq!(line.next().await, FromLine::Written { id: 1, written: Written::Nothing });
    assert_eq!(line.next().await, FromLine::Written { id: 2, written: Written::All });
    assert_eq!(plug.receive(4), b"good");
    line.stop().await;
}

#[tokio::test]
async fn a_write_that_finds_no_room_until_its_time_has_passed_is_dropped_and_the_port_stays_open() {
    let (_directory, link) = place();
    let plug = Plug::into(&link);
    let slave = plug.slave();
    let mut line = Running::start(&link);
    assert_eq!(line.next().await, FromLine::Opened);
    stuff(&plug, &slave);
    line.write(1, b"no room", Some(boot_now().plus_ms(100))).await;
    assert_eq!(line.next().await, FromLine::Written { id: 1, written: Written::Nothing });
    plug.send(b"open");
    assert_eq!(line.bytes(4).await, b"open");
    line.stop().await;
}

#[tokio::test]
async fn a_write_that_finds_no_room_goes_out_whole_and_once_when_there_is_room_again() {
    const FRAME: [u8; 1_000] = [0xAA; 1_000];
    let (_directory, link) = place();
    let plug = Plug::into(&link);
    let slave = plug.slave();
    // So slow that the write would have 73 s, far more than the deadline here.
    let mut line = Running::of(LineConfig { port: link.clone(), baud: 300, parity: Parity::None }, 64, None);
    assert_eq!(line.next().await, FromLine::Opened);
    stuff(&plug, &slave);
    line.write(1, &FRAME, None).await;
    plug.send(b"still heard");
    assert_eq!(line.bytes(11).await, b"still heard", "the write was tried, and waits");
    let drain = tokio::task::spawn_blocking(move || {
        let mut frame = Vec::new();
        while frame.len() < FRAME.len() {
            frame.extend(plug.receive(1).into_iter().filter(|byte| *byte != 0x55));
        }
        frame
    });
    assert_eq!(line.next().await, FromLine::Written { id: 1, written: Written::All });
    assert_eq!(timeout(DEADLINE, drain).await.expect("it comes").unwrap(), FRAME);
    line.stop().await;
}

/// Each frame that left would wake the daemon once more, only to find that there is room.
#[tokio::test]
async fn the_kernel_is_asked_for_bytes_and_not_for_room() {
    const BYTES_CAME: u64 = 0x1;
    const THERE_IS_ROOM: u64 = 0x4;
    let (_directory, link) = place();
    let plug = Plug::into(&link);
    let mut line = Running::start(&link);
    assert_eq!(line.next().await, FromLine::Opened);
    let descriptors: Vec<String> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| to == plug.slave))
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    // What each epoll set of this process asks for, lines like `tfd:       17 events: 80002001 data: …`.
    let asked: Vec<u64> = std::fs::read_dir("/proc/self/fdinfo")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .flat_map(|set| set.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["tfd:", descriptor, "events:", events, ..] if descriptors.iter().any(|ours| ours == descriptor) => {
                Some(u64::from_str_radix(events, 16).unwrap())
            }
            _ => None,
        })
        .collect();
    assert!(!asked.is_empty(), "the port is waited for");
    assert!(asked.iter().all(|events| events & BYTES_CAME != 0 && events & THERE_IS_ROOM == 0), "{asked:x?}");
    line.stop().await;
}

#[tokio::test]
async fn rule_08_a_second_opener_is_refused_until_the_first_has_gone() {
    let (_directory, link) = place();
    let _plug = Plug::into(&link);
    let mut first = Running::start(&link);
    assert_eq!(first.next().await, FromLine::Opened);
    let mut second = Running::start(&link);
    assert_eq!(second.closed().await, LineTrouble::Busy { port: link.clone() });
    first.stop().await;
    assert_eq!(second.next().await, FromLine::Opened);
    second.stop().await;
}

#[tokio::test]
async fn a_name_that_is_no_serial_port_is_an_error_in_words() {
    let mut line = Running::start(Path::new("/dev/null"));
    assert!(matches!(line.closed().await, LineTrouble::Io(_)));
    line.stop().await;
}

#[tokio::test]
async fn a_core_that_takes_no_events_can_still_get_rid_of_its_writes() {
    let (_directory, link) = place();
    let plug = Plug::into(&link);
    let mut line = Running::with(&link, Parity::None, 1);
    assert_eq!(line.next().await, FromLine::Opened);
    for id in 0..200 {
        plug.send(b"noise");
        timeout(DEADLINE, line.write(id, b"frame", None)).await.expect("the line takes the write");
    }
    let (mut noise, mut written) = (0, Vec::new());
    while written.len() < 200 || noise < 200 * 5 {
        match line.next().await {
            FromLine::Bytes { bytes, .. } => noise += bytes.len(),
            FromLine::Written { id, written: Written::All } => written.push(id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(written, (0..200).collect::<Vec<_>>());
    line.stop().await;
}

#[tokio::test]
async fn the_task_ends_when_the_core_lets_go_of_its_commands() {
    let (_directory, link) = place();
    let _plug = Plug::into(&link);
    for port in [link.as_path(), Path::new("/nowhere/board")] {
        let Running { to, from, task } = Running::start(port);
        drop(to);
        timeout(DEADLINE, task).await.expect("it ends").unwrap();
        drop(from);
    }
}
