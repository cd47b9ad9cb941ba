//! The keys of the configuration file, as a person writes them. Types are by serde; whether the values make sense
//! together is checked in `resolve`.

use super::problem::{Complaint, ConfigError, Problem};
use crate::cloud::orders::table::SellingCloud;
use crate::excerpt::Source;
use crate::order::instruction::Permission;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use toml::Spanned;

/// Seconds between pings. Below 5 the client library refuses; above 600 a half-open connection, noticed after twice
/// the time, would outlive the 1,200 s in which a command may be driven.
pub const KEEP_ALIVE_S: RangeInclusive<i64> = 5..=600;
/// Seconds between pings unless the file says otherwise: the vendor's sample value.
pub const KEEP_ALIVE_DEFAULT_S: i64 = 60;
/// Seconds for which the broker keeps our session. A shorter time than the 1,200 s of a command would lose paid
/// orders; tombstones are kept at least as long as the session, hence the year.
pub const SESSION_EXPIRY_S: RangeInclusive<i64> = 1_200..=31_536_000;
/// A week: a machine that stood dark over a holiday still gets what was sent.
pub const SESSION_EXPIRY_DEFAULT_S: i64 = 604_800;
/// Seconds between heartbeats. The platform takes a machine for offline after 600 s without one: two must fit into that
/// time and a lost one between them. More often than once a minute it would only cost traffic.
pub const HEARTBEAT_S: RangeInclusive<i64> = 60..=300;
/// Every five minutes, as the vendor asks.
pub const HEARTBEAT_DEFAULT_S: i64 = 300;
/// Seconds between questions for the climate. Each takes the line for a moment, in which an order waits; goods warm up in
/// tens of minutes, and a day is the longest that says anything.
pub const CLIMATE_S: RangeInclusive<i64> = 300..=86_400;
/// Seconds of deafness (a power cut, a network that was away) after which a payment that is found is not served any more
/// but given back. At 0 only a payment that is seen at once is served; nobody waits longer than ten minutes.
pub const SERVE_AFTER_RESTART_S: RangeInclusive<i64> = 0..=600;
/// Long enough for a controller that starts anew, short enough for somebody who has paid and sees a dark screen.
pub const SERVE_AFTER_RESTART_DEFAULT_S: i64 = 60;
/// Slots with goods of their own in the file: as many as are kept in all.
pub const GOODS_MAX: usize = crate::order::stock::SLOTS_MAX;
/// Seconds between two batches of notices: the document allows five minutes, and what comes sooner than every ten
/// seconds is no batch; after an hour nobody would call it news.
pub const BATCH_S: RangeInclusive<i64> = 10..=3_600;
/// The document's five minutes.
pub const BATCH_DEFAULT_S: i64 = 300;
/// Where the journal is unless the file says otherwise.
pub const STATE_DIRECTORY_DEFAULT: &str = "/var/lib/vend";
/// Where the daemon listens unless the file says otherwise.
pub const CONTROL_SOCKET_DEFAULT: &str = "/run/vend/control.sock";

/// Who must show the credential `web_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebTokenFor {
    /// Nobody: the pages are for whoever is at this very machine.
    #[default]
    Never,
    /// The technician's page and the metrics.
    Service,
    /// Everything but the empty pages.
    Always,
}

/// Version of MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Protocol {
    /// MQTT 5.
    #[default]
    #[serde(rename = "5")]
    V5,
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
}

/// Whether the platform is asked about an order before it is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifyOrders {
    /// Before every order.
    Always,
    /// Before an order that is late (order-life, rule 27).
    #[default]
    Late,
    /// Never.
    Never,
}

/// What is compared with the platform's books.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sync {
    /// Every result, until they agree (order-life, rule 44).
    #[default]
    Results,
    /// Nothing.
    Never,
}

/// The setting by which the open API is called with the merchant's keys, if any.
#[must_use]
pub const fn cloud_asked_by(verify_orders: VerifyOrders, refund_failed: bool) -> Option<&'static str> {
    match (verify_orders, refund_failed) {
        (VerifyOrders::Always, _) => Some("cloud.verify_orders = \"always\""),
        (VerifyOrders::Late, _) => Some("cloud.verify_orders = \"late\""),
        (VerifyOrders::Never, true) => Some("cloud.refund_failed = true"),
        (VerifyOrders::Never, false) => None,
    }
}

/// The setting by which a sale calls the open API, if it does.
#[must_use]
pub const fn sold_by(cloud: SellingCloud) -> Option<&'static str> {
    if cloud.is_platform() { Some("sale.cloud = \"platform\"") } else { None }
}

/// Which of the merchant's credentials signs messages over MQTT; the vendor's page and examples disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MqttKey {
    /// As in the examples.
    #[default]
    AppKey,
    /// As on the page.
    AppId,
}

/// What is done for a buyer of whose goods nobody knows whether they came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenUnknown {
    /// The merchant is told, and a person decides.
    #[default]
    Report,
    /// The money goes back.
    Refund,
}

/// When time counts (order-life, rule 28).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeTrust {
    /// Once the kernel is synchronised or the platform's Date header has told it.
    #[default]
    Synchronised,
    /// At once: a controller with a battery-backed clock and no NTP.
    System,
}

/// When songshu is told of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyMode {
    /// At once.
    #[default]
    Realtime,
    /// Together, every `batch_s`.
    Batch,
}

/// How songshu's `pay_status` is written; its table and its example disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PayStatusForm {
    /// As in the example.
    #[default]
    Number,
    /// As in the table.
    Text,
}

/// The whole file. Absent keys have their default; what must be written is an `Option` that the check asks for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// The machine: 8 digits.
    pub machine_no: Option<Spanned<String>>,
    /// Where commands come from.
    pub broker: BrokerSection,
    /// The platform's open API.
    pub cloud: CloudSection,
    /// Signatures.
    pub signing: SigningSection,
    /// The controller board.
    pub board: BoardSection,
    /// Where results may be POSTed.
    pub report: ReportSection,
    /// Sales at the machine.
    pub sale: SaleSection,
    /// What the machine tells of itself.
    pub telemetry: TelemetrySection,
    /// Who is told of orders.
    pub notify: NotifySection,
    /// Time.
    pub time: TimeSection,
    /// What the platform may have the machine do to itself.
    pub remote: RemoteSection,
    /// The journal.
    pub state: StateSection,
    /// The daemon's socket.
    pub control: ControlSection,
    /// The pages.
    pub web: WebSection,
}

/// `[broker]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrokerSection {
    /// mqtt:// or mqtts://.
    pub url: Option<Spanned<String>>,
    /// Plain mqtt:// to another host than loopback is meant.
    pub allow_plaintext: bool,
    /// MQTT 5 or 3.1.1.
    pub protocol: Protocol,
    /// Log in by this name, with the credential mqtt_password.
    pub username: Option<Spanned<String>>,
    /// See [`KEEP_ALIVE_S`].
    pub keep_alive_s: Spanned<i64>,
    /// See [`SESSION_EXPIRY_S`].
    pub session_expiry_s: Spanned<i64>,
    /// Trust these certificates instead of the system's.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// The client's own certificate.
    pub client_certificate: Option<Spanned<PathBuf>>,
    /// Its key.
    pub client_key: Option<Spanned<PathBuf>>,
}

impl Default for BrokerSection {
    fn default() -> Self {
        BrokerSection {
            url: None,
            allow_plaintext: false,
            protocol: Protocol::default(),
            username: None,
            keep_alive_s: Spanned::new(0..0, KEEP_ALIVE_DEFAULT_S),
            session_expiry_s: Spanned::new(0..0, SESSION_EXPIRY_DEFAULT_S),
            ca_file: None,
            client_certificate: None,
            client_key: None,
        }
    }
}

/// `[cloud]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudSection {
    /// Base of /api/openapi/v1.
    pub url: Option<Spanned<String>>,
    /// Plain http:// to another host than loopback is meant.
    pub allow_plaintext: bool,
    /// The merchant's public id.
    pub app_id: Option<Spanned<String>>,
    /// Ask before driving.
    pub verify_orders: VerifyOrders,
    /// Ask for a refund after a failed vend.
    pub refund_failed: bool,
    /// Ask after a result whether the platform agrees.
    pub sync: Sync,
    /// Ask what is sold at this machine.
    pub catalogue: bool,
    /// Trust these certificates instead of the system's.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// The client's own certificate.
    pub client_certificate: Option<Spanned<PathBuf>>,
    /// Its key.
    pub client_key: Option<Spanned<PathBuf>>,
}

impl Default for CloudSection {
    fn default() -> Self {
        CloudSection {
            url: None,
            allow_plaintext: false,
            app_id: None,
            verify_orders: VerifyOrders::default(),
            refund_failed: false,
            sync: Sync::default(),
            catalogue: true,
            ca_file: None,
            client_certificate: None,
            client_key: None,
        }
    }
}

/// `[signing]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SigningSection {
    /// The key of messages over MQTT.
    pub mqtt_key: MqttKey,
}

/// `[board]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoardSection {
    /// A built-in profile, or a path to one.
    pub profile: Option<Spanned<String>>,
    /// The serial port.
    pub port: Option<Spanned<PathBuf>>,
    /// Keep a slot out of use after *unknown*.
    pub lock_slot_after_unknown: bool,
}

/// `[report]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportSection {
    /// Hosts that a notify_url may name.
    pub allow_hosts: Vec<Spanned<String>>,
    /// Private ranges may be targets too.
    pub allow_private_targets: bool,
    /// Plain http:// to another host than loopback is meant.
    pub allow_plaintext: bool,
    /// Trust these certificates instead of the system's.
    pub ca_file: Option<Spanned<PathBuf>>,
}

/// `[sale]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SaleSection {
    /// Who makes the orders; without it nothing is sold at the machine.
    pub cloud: Option<Spanned<SellingCloud>>,
    /// Base of a cloud of its own.
    pub url: Option<Spanned<String>>,
    /// Plain http:// to another host than loopback is meant.
    pub allow_plaintext: bool,
    /// Trust these certificates instead of the system's.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// What the pay code says where the cloud gives none, with {order}, {trade_no} and {amount}.
    pub pay_url: Option<Spanned<String>>,
    /// Who hears how each sale ended.
    pub notify_url: Option<Spanned<String>>,
    /// Where the machine logs in itself.
    pub log_in_path: Option<Spanned<String>>,
    /// As whom.
    pub log_in_name: Option<Spanned<String>>,
    /// What the two fields are called.
    pub log_in_fields: Spanned<[String; 2]>,
    /// An order that was given up is closed at the cloud; otherwise its time runs out there.
    pub close: bool,
    /// A slot that somebody chose at the board's own keys begins a sale.
    pub keypad: bool,
    /// After a vend of which nobody knows how it ended.
    pub when_unknown: WhenUnknown,
    /// See [`SERVE_AFTER_RESTART_S`].
    pub serve_after_restart_s: Spanned<i64>,
    /// What lies in which slot, where the platform's catalogue does not say it.
    pub goods: Vec<Spanned<GoodsEntry>>,
}

impl Default for SaleSection {
    fn default() -> Self {
        SaleSection {
            cloud: None,
            url: None,
            allow_plaintext: false,
            ca_file: None,
            pay_url: None,
            notify_url: None,
            log_in_path: None,
            log_in_name: None,
            log_in_fields: Spanned::new(0..0, ["name".to_owned(), "password".to_owned()]),
            close: true,
            keypad: true,
            when_unknown: WhenUnknown::default(),
            serve_after_restart_s: Spanned::new(0..0, SERVE_AFTER_RESTART_DEFAULT_S),
            goods: Vec::new(),
        }
    }
}

/// One of `sale.goods`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoodsEntry {
    /// The driver board, from 1.
    #[serde(default = "first_board")]
    pub address: i64,
    /// The slot, as the board numbers it.
    pub slot: i64,
    /// The number on the cloud's books: product_id, album_id or shippingId.
    pub goods: i64,
    /// What buyers read.
    pub name: String,
    /// Like "3.00".
    pub price: String,
    /// What is printed at the slot, where that is not the platform's code of it.
    pub label: Option<String>,
}

const fn first_board() -> i64 {
    1
}

/// `[telemetry]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySection {
    /// See [`HEARTBEAT_S`].
    pub heartbeat_s: Spanned<i64>,
    /// See [`CLIMATE_S`]; never without it.
    pub climate_s: Option<Spanned<i64>>,
}

impl Default for TelemetrySection {
    fn default() -> Self {
        TelemetrySection { heartbeat_s: Spanned::new(0..0, HEARTBEAT_DEFAULT_S), climate_s: None }
    }
}

/// `[notify]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifySection {
    /// Base of `/v1`; without it nobody is told.
    pub url: Option<Spanned<String>>,
    /// Plain http:// to another host than loopback is meant.
    pub allow_plaintext: bool,
    /// Trust these certificates instead of the system's.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// The operator's account.
    pub app_id: Option<Spanned<String>>,
    /// Who buys, where a command does not say it.
    pub openid: Option<Spanned<String>>,
    /// Sign with the credential notify_secret.
    pub signed: bool,
    /// When.
    pub mode: NotifyMode,
    /// See [`BATCH_S`].
    pub batch_s: Spanned<i64>,
    /// How `pay_status` is written.
    pub pay_status: PayStatusForm,
    /// None of it counts: `?test=1`.
    pub test: bool,
}

impl Default for NotifySection {
    fn default() -> Self {
        NotifySection {
            url: None,
            allow_plaintext: false,
            ca_file: None,
            app_id: None,
            openid: None,
            signed: true,
            mode: NotifyMode::default(),
            batch_s: Spanned::new(0..0, BATCH_DEFAULT_S),
            pay_status: PayStatusForm::default(),
            test: false,
        }
    }
}

/// `[time]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeSection {
    /// When time counts.
    pub trust: TimeTrust,
}

/// `[remote]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RemoteSection {
    /// Words for what is allowed.
    pub allow: BTreeSet<Permission>,
}

/// `[state]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StateSection {
    /// The journal's directory.
    pub directory: PathBuf,
}

impl Default for StateSection {
    fn default() -> Self {
        StateSection { directory: STATE_DIRECTORY_DEFAULT.into() }
    }
}

/// `[control]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlSection {
    /// The socket.
    pub socket: PathBuf,
}

impl Default for ControlSection {
    fn default() -> Self {
        ControlSection { socket: CONTROL_SOCKET_DEFAULT.into() }
    }
}

/// `[web]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebSection {
    /// Address and port; without it there are no pages.
    pub listen: Option<Spanned<String>>,
    /// Who must show the token.
    pub token: WebTokenFor,
    /// Names that the pages are reached by.
    pub names: Vec<Spanned<String>>,
}

impl File {
    /// Reads the keys. The first mistake ends it: after one, the TOML reader has lost its place.
    pub(super) fn parse(source: &Source<'_>) -> Result<File, ConfigError> {
        toml::from_str(source.text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let complaint = Complaint::from_toml(error.message(), source.line_of(span.start));
            ConfigError::Wrong {
                path: source.path.to_owned(),
                problems: vec![Problem { place: source.place(span), complaint }],
            }
        })
    }

    /// Every key with a value, as TOML. Keys without one are left out.
    ///
    /// # Errors
    /// When a path is not UTF-8, which TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use serde_json::Value;
    use std::collections::BTreeMap;
    use std::path::Path;

    /// Every key of the code with its default: an empty file, serialised.
    fn coded() -> BTreeMap<String, String> {
        let Value::Object(top) = serde_json::to_value(File::default()).unwrap() else { panic!("not an object") };
        let mut keys = BTreeMap::new();
        for (name, value) in top {
            match value {
                Value::Object(section) => {
                    keys.extend(section.into_iter().map(|(key, value)| (format!("{name}.{key}"), value.to_string())));
                }
                value => drop(keys.insert(name, value.to_string())),
            }
        }
        keys
    }

    /// What an empty file is told to be missing, whatever else it says.
    fn required() -> BTreeSet<String> {
        let empty = "[cloud]\nverify_orders = \"never\"";
        let Err(ConfigError::Wrong { problems, .. }) = Config::parse(Path::new("/vend.toml"), empty) else {
            panic!("an empty file is not enough")
        };
        let told = problems.iter().map(|p| p.complaint.message().en);
        told.map(|text| text.strip_suffix(" is missing").unwrap().to_owned()).collect()
    }

    #[test]
    fn the_documentation_has_every_key_with_its_default_and_no_other() {
        let required = required();
        let documented: BTreeMap<String, String> = include_str!("../../docs/configuration.md")
            .split("\n## ")
            .find(|section| section.starts_with("Keys"))
            .unwrap()
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| {
                let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
                let default = match (cells[2], required.contains(cells[1])) {
                    ("required", true) | ("none", false) => "null",
                    (default, _) => default,
                };
                (cells[1].to_owned(), default.to_owned())
            })
            .collect();
        assert_eq!(documented, coded());
        for (key, range) in [
            ("broker.keep_alive_s", KEEP_ALIVE_S),
            ("broker.session_expiry_s", SESSION_EXPIRY_S),
            ("telemetry.heartbeat_s", HEARTBEAT_S),
            ("sale.serve_after_restart_s", SERVE_AFTER_RESTART_S),
            ("notify.batch_s", BATCH_S),
        ] {
            let row = format!("`{key}` | `{}` | {} to {} |", coded()[key], range.start(), range.end());
            assert!(include_str!("../../docs/configuration.md").contains(&row), "{row}");
        }
    }

    #[test]
    fn the_example_names_every_key_and_what_it_comments_out_is_the_default() {
        let example = include_str!("../../systemd/vend.toml.example");
        // A comment that sets something has no blank after its sign.
        let all: String = example
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
            .map(|line| format!("{line}\n"))
            .collect();
        let count = |text: &str| {
            let table: toml::Table = text.parse().unwrap();
            table.values().map(|v| v.as_table().map_or(1, toml::Table::len)).sum::<usize>()
        };
        assert_eq!(count(&all), coded().len());
        let (with, without): (File, File) = (toml::from_str(&all).unwrap(), toml::from_str(example).unwrap());
        let mut with = with;
        with.broker.username = None;
        let (broker, cloud) = (&mut with.broker, &mut with.cloud);
        for path in [&mut broker.ca_file, &mut broker.client_certificate, &mut broker.client_key] {
            *path = None;
        }
        (cloud.client_certificate, cloud.client_key) = (None, None);
        let sale = &mut with.sale;
        (sale.cloud, sale.url, sale.pay_url, sale.notify_url, sale.ca_file) = (None, None, None, None, None);
        (sale.log_in_path, sale.log_in_name) = (None, None);
        let notify = &mut with.notify;
        (notify.url, notify.app_id, notify.openid, notify.ca_file) = (None, None, None, None);
        (with.cloud.ca_file, with.report.ca_file, with.telemetry.climate_s) = (None, None, None);
        with.web.listen = None;
        assert_eq!(with.to_toml().unwrap(), without.to_toml().unwrap());
    }
}
