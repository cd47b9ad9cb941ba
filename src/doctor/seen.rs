//! What was seen of the machine: plain data, filled in by the probes, judged by nobody here.

use super::check::Check;
use crate::config::Config;
use crate::config::problem::{Both, Complaint, ConfigError};
use crate::core::words::About;
use crate::core::{LineQuality, SlotLine, Status, Waiting};
use crate::order::said::Said;
use crate::order::stock::Condition;
use std::path::PathBuf;

/// What became of one probe.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Fact<T> {
    /// The probe was not asked: nothing wanted it, or there is no configuration to ask by.
    #[default]
    NotAsked,
    /// It did not end in time, in s.
    TimedOut(u64),
    /// It needs root.
    NoPermission,
    /// The system could not tell, and why.
    Unknown(Said),
    /// What was seen.
    Is(T),
}

impl<T> Fact<T> {
    /// What was seen, if it was.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Fact::Is(value) => Some(value),
            _ => None,
        }
    }
}

/// A place and whether it takes connections, or why not.
pub type Tried = (String, Result<(), Said>);

/// Everything.
#[derive(Debug, Default)]
pub struct Seen {
    /// This tool's version.
    pub version: String,
    /// The configuration, or what is wrong with it.
    pub configuration: Option<Result<Config, ConfigError>>,
    /// The secrets that the configuration uses, each by its file.
    pub secrets: Fact<Vec<SecretFile>>,
    /// Certificate files that the configuration names.
    pub certificates: Fact<Vec<CertificateFile>>,
    /// The unit of the service; nothing where systemd does not run the machine.
    pub unit: Fact<Option<Unit>>,
    /// The daemon, if it answers.
    pub daemon: Fact<Result<Daemon, NoDaemon>>,
    /// The state directory.
    pub disk: Fact<Disk>,
    /// Who holds the journal's lock.
    pub lock: Fact<Lock>,
    /// A copy of the journal.
    pub journal: Fact<Journal>,
    /// The serial port.
    pub port: Fact<Port>,
    /// Opening it.
    pub port_opens: Fact<Result<(), Said>>,
    /// The interface of the default route.
    pub route: Fact<Option<String>>,
    /// The broker's server.
    pub broker: Fact<Server>,
    /// The platform's server, when it is reached directly.
    pub platform_name: Fact<Result<Vec<String>, Said>>,
    /// CONNECT.
    pub login: Fact<Login>,
    /// The open API.
    pub platform: Fact<Platform>,
    /// The hosts that results wait for.
    pub merchants: Fact<Vec<Tried>>,
    /// The proxies of the environment and whether each can be reached; or what is wrong with the variables.
    pub proxies: Fact<Result<Vec<Tried>, Said>>,
    /// Clocks.
    pub clock: Fact<Clock>,
    /// What waits.
    pub work: Fact<Option<Work>>,
}

/// A file with a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// Where it is, or its name where no directory is known.
    pub path: PathBuf,
    /// The setting that needs it.
    pub needed_by: &'static str,
    /// What is wrong with what it holds; never what it holds.
    pub fault: Option<Both>,
    /// It could not be looked at without being root.
    pub forbidden: bool,
    /// Its permissions, and the numbers of its owner and group.
    pub rights: Option<Rights>,
}

/// Permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// The permission bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// A certificate of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFile {
    /// The file.
    pub path: PathBuf,
    /// The last second in which the first to end is good, in Unix seconds.
    pub not_after_s: Option<u64>,
}

/// What systemd says of the unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// `loaded`, `not-found`, `masked`, `bad-setting` …
    pub load_state: String,
    /// `enabled`, `disabled` …
    pub file_state: String,
    /// `active`, `inactive`, `failed`, `activating` …
    pub active_state: String,
    /// `running`, `auto-restart` …
    pub sub_state: String,
    /// The exit code of the last main process.
    pub exit_code: Option<i32>,
    /// Restarts by systemd since a person started it.
    pub restarts: u64,
    /// For how long it is active, in s.
    pub active_for_s: Option<u64>,
    /// The main process.
    pub main_pid: Option<u32>,
    /// The watchdog is set.
    pub watchdog: bool,
    /// `User=`.
    pub user: String,
    /// Its numbers, if there is such a user: its own, its groups' and those that the unit adds.
    pub account: Option<Account>,
    /// `SupplementaryGroups=`.
    pub groups: Vec<String>,
}

/// A user and all the groups it works with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub uid: u32,
    /// Its groups' numbers.
    pub gids: Vec<u32>,
}

/// A daemon that answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Daemon {
    /// Its status.
    pub status: Box<Status>,
    /// Its slots.
    pub slots: Vec<SlotLine>,
}

/// Why no daemon answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoDaemon {
    /// Nobody listens.
    NotRunning(PathBuf),
    /// The socket is not for this user.
    NoPermission(PathBuf),
    /// Anything else, in words.
    Other(Said),
}

/// The state directory and what it lies on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disk {
    /// The directory.
    pub directory: PathBuf,
    /// Its rights; nothing when it is not there yet.
    pub rights: Option<Rights>,
    /// It is there and no directory.
    pub not_a_directory: bool,
    /// Room for a user without privileges, in bytes; of the nearest directory that is there.
    pub free_bytes: u64,
    /// The daemon takes no orders with less room, in bytes.
    pub needed_bytes: u64,
    /// Files that can be made; nothing where the file system does not count them.
    pub free_inodes: Option<u64>,
    /// Mounted read-only.
    pub read_only: bool,
    /// What the journal takes, in bytes; nothing when that cannot be looked at.
    pub journal_bytes: Option<u64>,
    /// Where the motor mark is or would be.
    pub mark_directory: PathBuf,
    /// That is on a tmpfs.
    pub mark_in_memory: bool,
    /// When the journal was last written, in Unix seconds.
    pub written_s: Option<u64>,
}

/// The journal's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lock {
    /// There is no lock file yet.
    Absent,
    /// Nobody holds it.
    Free,
    /// This process does.
    Held {
        /// Its number.
        pid: u32,
        /// Its name.
        name: String,
    },
}

/// A copy of the journal, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Journal {
    /// The daemon answers, and its word counts.
    DaemonsOwn,
    /// None was born yet.
    Absent,
    /// Some process uses it that does not answer.
    InUse,
    /// It is larger than what is copied.
    TooLarge,
    /// It cannot be opened for a reason that is not its own.
    Closed(Said),
    /// A newer vend wrote it.
    Newer(Said),
    /// It was read.
    Read {
        /// What is wrong with it.
        damage: Option<Said>,
        /// Whose it is.
        machine_no: Option<String>,
    },
}

/// The serial port as a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Port {
    /// As the configuration names it.
    pub path: PathBuf,
    /// What it leads to; nothing when nothing is there.
    pub device: Option<PathBuf>,
    /// It is a character device.
    pub is_device: bool,
    /// Its rights.
    pub rights: Option<Rights>,
    /// This process may read and write it.
    pub ours: bool,
    /// Processes that have it open, by number and name; without the daemon.
    pub holders: Vec<(u32, String)>,
    /// Not every process could be looked at.
    pub holders_hidden: bool,
    /// ModemManager runs.
    pub modem_manager: bool,
    /// It is a device that ModemManager tries: USB, and not marked as to be left alone.
    pub modem_like: bool,
    /// The driver; nothing for a device that has none, like a pty.
    pub driver: Option<String>,
    /// Serial adapters that are there, by name.
    pub adapters: Vec<String>,
    /// Whether an adapter that is plugged in finds its driver.
    pub usb_driver: UsbDriver,
}

/// The kernel's drivers for USB serial adapters. They are loaded when the first adapter is plugged in, so that a machine
/// that never saw one has none loaded and lacks nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UsbDriver {
    /// This kernel has none.
    #[default]
    Missing,
    /// One is there already.
    Loaded,
    /// It lies on the disk and is loaded when it is wanted.
    Loadable,
    /// Only another kernel's lie on the disk: it was upgraded, and the machine not started anew.
    OfAnotherKernel,
    /// Whoever looks may not see them, as inside the service's sandbox.
    Hidden,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Its addresses.
    pub addresses: Result<Vec<String>, Said>,
    /// The first address that took a connection.
    pub tcp: Option<Result<String, NoConnection>>,
    /// TLS on it, where it is to be spoken.
    pub tls: Option<Result<(), Said>>,
}

/// Why a server takes no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoConnection {
    /// In words.
    pub why: Said,
    /// Somebody answered, and refused: no firewall swallowed it, and the cable is good.
    pub refused: bool,
}

/// What the broker said to CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// The daemon is connected.
    Connected,
    /// It let us in.
    LetIn,
    /// User or password are wrong, or it has no right.
    Refused(Said),
    /// It refused a client id that is not the machine's own, so nothing is known of the machine's.
    OtherIdRefused,
    /// Anything else.
    Failed(Said),
}

/// What the open API said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Platform {
    /// None is configured.
    None,
    /// No answer, and why.
    Silent(Said),
    /// It answered.
    Answered {
        /// Platform time less ours, in s.
        ahead_s: Option<i64>,
        /// What it thinks of the call.
        word: PlatformWord,
    },
}

/// What the platform thinks of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformWord {
    /// All is right.
    Accepted,
    /// There were no secrets to ask with; something that is the platform answered.
    NotAsked,
    /// It does not know us, or our signature.
    Unauthorised(Said),
    /// It refused for another reason.
    Refused(Said),
    /// A page of somebody else.
    SomebodyElse(Said),
}

/// The clocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clock {
    /// The wall clock, in Unix seconds.
    pub wall_s: u64,
    /// The kernel vouches for it; or why it does not say.
    pub synchronised: Option<Result<bool, Said>>,
    /// The battery-backed clock, in Unix seconds; nothing where there is none.
    pub rtc_s: Option<u64>,
    /// The time zone's name, or why it cannot be read.
    pub zone: Option<Result<String, Said>>,
}

/// What waits, and what is wrong with slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Work {
    /// Orders and reports.
    pub waiting: Waiting,
    /// Calls that the platform refused for good, newest last, and how many there are.
    pub dead_calls: (usize, Vec<Said>),
    /// What the books do not agree about, and how many.
    pub differences: (usize, Vec<Said>),
    /// Orders of which nobody knows what became of them, and how many.
    pub in_doubt: (usize, Vec<Said>),
    /// Slots out of use and why.
    pub slots_out: Vec<Said>,
    /// Slots in which goods may lie that were taken off.
    pub slots_doubtful: Vec<Said>,
}

impl Work {
    /// As the daemon tells it.
    #[must_use]
    pub fn of_daemon(daemon: &Daemon) -> Work {
        let status = &daemon.status;
        let differing = status.differing.iter().map(|it| {
            let order = format!("{}:{}", it.order_id, it.record_id);
            Said::word(order).beside(&About::Difference.said(&it.difference))
        });
        let name = |slot: &SlotLine| Said::word(format!("{}/{}", slot.address, slot.slot));
        let out = |slot: &SlotLine| match (slot.locked, slot.condition.as_str()) {
            (true, _) => Some(name(slot).beside(&Said::new("locked", "已锁定"))),
            (false, condition) if condition == Condition::Well.as_str() => None,
            (false, condition) => Some(name(slot).beside(&About::Slot.said(condition))),
        };
        let dead = status.dead_calls.iter().zip(&status.dead_calls_zh).map(|(en, zh)| Said::new(en, zh));
        let doubtful = daemon.slots.iter().filter(|slot| slot.doubtful > 0);
        Work {
            waiting: status.waiting.clone(),
            dead_calls: (status.calls_dead, dead.collect()),
            differences: (status.differences, differing.collect()),
            in_doubt: (status.orders_in_doubt, status.in_doubt.iter().map(Said::word).collect()),
            slots_out: daemon.slots.iter().filter_map(out).collect(),
            slots_doubtful: doubtful
                .map(|slot| name(slot).beside(&Said::word(format!("({})", slot.doubtful))))
                .collect(),
        }
    }
}

impl Seen {
    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Option<&Config> {
        self.configuration.as_ref()?.as_ref().ok()
    }

    /// The daemon, if it answers.
    #[must_use]
    pub fn daemon(&self) -> Option<&Daemon> {
        self.daemon.value()?.as_ref().ok()
    }

    /// What the daemon says is in the way of its journal, line, broker or cloud, if anything is.
    #[must_use]
    pub fn trouble(&self, of: &str) -> Option<Said> {
        self.daemon()?.status.trouble(of)
    }

    /// The line's quality, by the daemon's word.
    #[must_use]
    pub fn line_quality(&self) -> Option<&LineQuality> {
        self.daemon().map(|daemon| &daemon.status.line_quality)
    }

    /// The check that says why there is no configuration.
    #[must_use]
    pub fn unusable_because_of(&self) -> Check {
        match &self.configuration {
            Some(Err(ConfigError::Wrong { problems, .. })) => {
                problems.iter().map(|problem| check_of(&problem.complaint)).min().unwrap_or(Check::FileRight)
            }
            _ => Check::FileReadable,
        }
    }
}

/// Which check tells of a mistake.
pub(super) fn check_of(complaint: &Complaint) -> Check {
    match complaint {
        Complaint::MachineNo { .. } => Check::MachineNumber,
        Complaint::Missing { section: "", .. } => Check::MachineNumber,
        Complaint::NeedsQuotes { key, .. } if key == "machine_no" => Check::MachineNumber,
        Complaint::Profile { .. } => Check::BoardProfile,
        Complaint::Missing { section: "board", example, .. } if example.starts_with("profile") => Check::BoardProfile,
        Complaint::Url { .. } | Complaint::Plaintext { .. } => Check::Addresses,
        Complaint::Missing { section: "broker" | "cloud", .. } => Check::Addresses,
        Complaint::Pem { .. } | Complaint::Pair { .. } | Complaint::TlsUnused { .. } => Check::CertificatesGood,
        Complaint::HostPattern { .. } => Check::ReportRules,
        Complaint::Toml { .. }
        | Complaint::NeedsQuotes { .. }
        | Complaint::UnknownKey { .. }
        | Complaint::SecretInFile { .. }
        | Complaint::UnknownWord { .. }
        | Complaint::Missing { .. }
        | Complaint::Empty { .. }
        | Complaint::Unfit { .. }
        | Complaint::Range { .. } => Check::FileRight,
    }
}
