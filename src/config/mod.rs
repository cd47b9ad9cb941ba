//! Configuration and credentials. A file is read into [`file::File`] (the keys as written), checked as a whole, and
//! becomes a [`Config`] (what the daemon uses: typed, with absolute paths). Every mistake is told with its place and
//! with what to do about it; `docs/configuration.md` describes the keys.

pub mod credentials;
pub mod edit;
pub mod endpoint;
pub mod file;
pub mod host;
mod notify;
pub mod pem;
pub mod problem;
mod profile;
mod resolve;
mod sale;
mod web;

use crate::board::profile::Profile;
use crate::cloud::orders::table::SellingCloud;
use crate::excerpt::Source;
use crate::order::instruction::Permission;
use crate::order::key::{Id, MachineNo};
use crate::order::label::Label;
use crate::order::motor::{Address, Slot};
use crate::order::payment::OpenId;
use crate::order::stock::Fen;
use endpoint::Endpoint;
use file::{File, Protocol, Sync, TimeTrust, VerifyOrders, WebTokenFor, WhenUnknown};
use host::{Host, HostPattern};
use problem::ConfigError;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the configuration is, unless `--config` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/vend/vend.toml";

/// A configuration that was found to be right.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The machine.
    pub machine_no: MachineNo,
    /// Where commands come from.
    pub broker: Broker,
    /// The platform's open API; `None` when the configuration names none, and then nothing needs it.
    pub cloud: Option<Cloud>,
    /// What the messages over MQTT are signed with.
    pub mqtt_signing: MqttSigning,
    /// The controller board.
    pub board: Board,
    /// Where results may be POSTed.
    pub report: Report,
    /// Sales at the machine; `None` where there are none.
    pub sale: Option<Sale>,
    /// How often the machine tells of itself.
    pub telemetry: Telemetry,
    /// Who is told of every order; `None` where nobody is.
    pub notify: Option<Notify>,
    /// When time counts.
    pub time_trust: TimeTrust,
    /// What the platform may have the machine do to itself.
    pub remote_allow: BTreeSet<Permission>,
    /// The journal's directory.
    pub state_directory: PathBuf,
    /// The Unix socket on which the daemon answers the tool.
    pub control_socket: PathBuf,
    /// The pages; nothing when none are served.
    pub web: Option<Web>,
}

/// The pages that the daemon serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// Where.
    pub listen: SocketAddr,
    /// Who must show the token.
    pub token: WebTokenFor,
    /// Names that they are reached by, beside the address.
    pub names: Vec<Host>,
}

/// The MQTT session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Host, port, and whether TLS is spoken.
    pub endpoint: Endpoint,
    /// The protocol's version.
    pub protocol: Protocol,
    /// The name to log in with; without one the session is anonymous.
    pub username: Option<String>,
    /// Seconds of silence after which the client pings.
    pub keep_alive_s: u16,
    /// Seconds for which the broker keeps the session of a client that is away.
    pub session_expiry_s: u32,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How the client proves who it is, where the broker asks for a certificate.
    pub client_identity: Option<ClientIdentity>,
}

/// A client certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The chain, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// The platform's open API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    /// The base of /api/openapi/v1.
    pub endpoint: Endpoint,
    /// The merchant's public id.
    pub app_id: String,
    /// Whether the platform is asked before an order is driven.
    pub verify_orders: VerifyOrders,
    /// Ask the platform for a refund when nothing came out.
    pub refund_failed: bool,
    /// Whether results are compared with the platform's books.
    pub sync: Sync,
    /// Ask what the platform sells at this machine.
    pub catalogue: bool,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// How the client proves who it is, where the platform asks for a certificate.
    pub client_identity: Option<ClientIdentity>,
}

/// How often the machine tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telemetry {
    /// From one heartbeat to the next, in s.
    pub heartbeat_s: u64,
    /// From one question for the climate to the next, in s; nothing if it is never asked.
    pub climate_s: Option<u64>,
}

/// How soon songshu is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyPace {
    /// At once.
    Realtime,
    /// Together.
    Batch {
        /// From one batch to the next, in s.
        every_s: u64,
    },
}

/// Who is told of every order that the machine sees paid or makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// Base of `/v1`.
    pub endpoint: Endpoint,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The operator's account.
    pub app_id: Id,
    /// Who buys, where a command does not say it.
    pub openid: OpenId,
    /// The credential notify_secret signs.
    pub is_signed: bool,
    /// How soon.
    pub pace: NotifyPace,
    /// `pay_status` is written as a text.
    pub status_as_text: bool,
    /// None of it counts.
    pub is_test: bool,
}

/// The key of signatures over MQTT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MqttSigning {
    /// The AppKey, from the credentials.
    AppKey,
    /// The AppId, as the configuration gives it.
    AppId(String),
}

/// The controller board and its line.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    /// What kind of board it is.
    pub profile: Profile,
    /// The serial port. It need not exist: an unplugged adapter is a fault to report, not a mistake in the file.
    pub port: PathBuf,
    /// Keep a slot out of use after *unknown* until a person looked.
    pub lock_slot_after_unknown: bool,
}

/// Where results may be POSTed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Hosts that a notify_url may name; empty: any public host.
    pub allow_hosts: Vec<HostPattern>,
    /// Loopback, link-local and private ranges may be targets too.
    pub allow_private_targets: bool,
    /// Plain http:// may be used to hosts other than loopback.
    pub allow_plaintext: bool,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Sales at the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// Who makes the orders.
    pub cloud: SellingCloud,
    /// The base of a cloud of its own; the platform's is [`Cloud::endpoint`].
    pub endpoint: Option<Endpoint>,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// What the pay code says where the cloud gives none.
    pub pay_url: Option<String>,
    /// Who hears how each sale ended.
    pub notify_url: Option<String>,
    /// How the machine logs in itself, if it may.
    pub log_in: Option<LogIn>,
    /// An order that was given up is closed at the cloud; otherwise its time runs out there.
    pub close: bool,
    /// A slot that somebody chose at the board's own keys begins a sale.
    pub keypad: bool,
    /// After a vend of which nobody knows how it ended.
    pub when_unknown: WhenUnknown,
    /// A payment that is found after a longer deafness is not served, in s.
    pub serve_after_restart_s: u64,
    /// What lies in which slot, where the platform's catalogue does not say it.
    pub goods: Vec<Goods>,
}

/// How the machine logs in itself; the password is a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIn {
    /// Below [`Sale::endpoint`].
    pub path: String,
    /// As whom.
    pub name: String,
    /// What the two fields are called.
    pub fields: [String; 2],
}

/// What is sold from a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goods {
    /// The driver board.
    pub address: Address,
    /// The slot on it.
    pub slot: Slot,
    /// The number on the cloud's books.
    pub number: u64,
    /// What buyers read.
    pub name: Box<str>,
    /// What it costs.
    pub price: Fen,
    /// What is printed at the slot, where that is not the platform's code of it.
    pub label: Option<Label>,
}

/// A configuration together with the keys it came from.
#[derive(Debug)]
pub struct Loaded {
    /// What the daemon uses.
    pub config: Config,
    /// Every key with the value in force, defaults filled in and paths absolute.
    pub effective: File,
}

impl Config {
    /// Reads and checks the configuration at `path`, with the profile and the certificates it names.
    ///
    /// # Errors
    /// [`ConfigError`] tells every mistake that can be told at once, each with its place and what to do.
    pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source: source.into() })?;
        Config::parse(path, &text)
    }

    /// Checks a configuration whose text is at hand. `path` names it in errors, and its folder is where relative
    /// paths begin.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
        let path = std::path::absolute(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source: source.into() })?;
        // Notepad writes a byte order mark, which would shift the first line's columns; each program that joins files, one more.
        let text = text.trim_start_matches('\u{feff}');
        let source = Source { path: &path, text };
        let file = File::parse(&source)?;
        resolve::resolve(&source, file)
    }
}
