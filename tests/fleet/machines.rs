//! Real agents with emulated boards at one broker that knows each of them, and what must be true of their orders.

use crate::common::agent::Agent;
use crate::common::board::Board;
use crate::common::certificates::Ca;
use crate::common::command::{APP_KEY, checked, opened, put};
use crate::common::mosquitto::Mosquitto;
use crate::common::receiver::Receiver;
use crate::common::record::wait_within;
use crate::hub::{Hub, Login};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use vend::board::profile::Profile;

/// Of five machines one shows a certificate, the others a password.
const ONE_IN_WITH_CERTIFICATE: usize = 5;
/// A board of each way to be driven, one after the other: polled, asked, silent, and two that poll themselves.
const PROFILES: [&str; 5] = ["adh815", "uling-zdm8", "xy-v3", "tcn-00ff", "ubox-e7"];
/// How long a motor turns.
const TURN_MS: u64 = 500;
/// The platform's log-in.
const PLATFORM: Login<'static> = Login { client_id: "platform", user: "platform", password: "right-31c7f0a9-platform" };

/// Where all machines report to, by the vendor's protocol.
pub const UP: &str = "/server/app";

/// Where a machine's commands come from.
pub fn down(machine_no: &str) -> String {
    format!("/clients/{machine_no}")
}

/// The password of a machine in these tests.
pub fn password_of(machine_no: &str) -> String {
    format!("right-31c7f0a9-{machine_no}")
}

/// How a machine finds the broker, as lines of `[broker]`.
pub struct Door<'a> {
    pub broker: String,
    pub protocol: &'a str,
}

/// A machine.
pub struct Machine {
    pub machine_no: String,
    pub profile: String,
    pub directory: PathBuf,
    /// For what a machine has below /run: control socket and motor mark.
    _memory: TempDir,
    pub board: Board,
    agent: Option<Agent>,
    /// Orders that were sent to it.
    orders: Vec<String>,
}

impl Machine {
    /// Set up in a folder below `place`, with a board of this profile; not started.
    pub fn new(place: &Path, machine_no: &str, profile: &str, door: &Door<'_>) -> Machine {
        let directory = place.join(machine_no);
        fs::create_dir_all(directory.join("credentials")).unwrap();
        let Door { broker, protocol } = door;
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let socket = memory.path().join("control.sock");
        let config = format!(
            "machine_no = \"{machine_no}\"\n[broker]\n{broker}\nprotocol = \"{protocol}\"\n[cloud]\nverify_orders = \
             \"never\"\n[board]\nprofile = \"{profile}\"\nport = \"port\"\n[report]\nallow_private_targets = true\n\
             [time]\ntrust = \"system\"\n[state]\ndirectory = \"state\"\n[control]\nsocket = \"{}\"\n",
            socket.display()
        );
        fs::write(directory.join("vend.toml"), config).unwrap();
        for (name, secret) in [("app_key", APP_KEY), ("mqtt_password", &password_of(machine_no))] {
            let path = directory.join("credentials").join(name);
            let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(path).unwrap();
            file.write_all(secret.as_bytes()).unwrap();
        }
        let parsed = Profile::find(profile, Path::new(".")).unwrap();
        let board = Board::new(&parsed, TURN_MS, &[], &directory.join("port"));
        let (machine_no, profile) = (machine_no.to_owned(), profile.to_owned());
        Machine { machine_no, profile, directory, _memory: memory, board, agent: None, orders: Vec::new() }
    }

    pub fn start(&mut self) {
        self.agent = Some(Agent::start(&self.directory));
    }

    pub fn kill9(&mut self) {
        self.agent.take().expect("a running agent").kill9();
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.agent.as_ref().expect("a running agent").id()
    }

    /// Sends an order for slot 5, the next of its number.
    pub fn order(&mut self, platform: &Hub, notify_url: &str) {
        let order_id = format!("o{}", self.orders.len() + 1);
        let command = put(&order_id, "1").with("client_id", &self.machine_no).notify(notify_url);
        platform.send(&down(&self.machine_no), command.payload());
        self.orders.push(order_id);
    }

    pub fn orders(&self) -> usize {
        self.orders.len()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("agent.log")).unwrap_or_default()
    }
}

/// The ports of a broker with both doors.
struct Doors {
    secure_port: u16,
}

/// Machines, their broker, the platform and the merchant.
pub struct Fleet {
    pub broker: Mosquitto,
    pub platform: Hub,
    pub receiver: Receiver,
    pub machines: Vec<Machine>,
    _place: TempDir,
}

impl Fleet {
    /// So many machines, none of them started.
    pub fn new(count: usize) -> Fleet {
        let place = tempfile::tempdir().unwrap();
        let ca = Ca::new(place.path(), "fleet-ca");
        let numbers: Vec<String> = (1..=count).map(|n| format!("{:08}", 40_000_000 + n)).collect();
        let (broker, doors) = start_broker(&ca, &numbers);
        let platform = Hub::connect(broker.port(), PLATFORM, &[UP]);
        let receiver = Receiver::start(None);
        let machines = numbers.iter().enumerate().map(|(n, machine_no)| {
            let protocol = if n.is_multiple_of(2) { "5" } else { "3.1.1" };
            let lines = match n % ONE_IN_WITH_CERTIFICATE {
                0 => {
                    ca.client_files(place.path(), machine_no, machine_no, 90);
                    format!(
                        "url = \"mqtts://localhost:{}\"\nca_file = \"../fleet-ca.pem\"\nclient_certificate = \
                         \"../{machine_no}.pem\"\nclient_key = \"../{machine_no}.key\"",
                        doors.secure_port
                    )
                }
                _ => format!("url = \"mqtt://127.0.0.1:{}\"\nusername = \"{machine_no}\"", broker.port()),
            };
            let profile = PROFILES[n % PROFILES.len()];
            Machine::new(place.path(), machine_no, profile, &Door { broker: lines, protocol })
        });
        let machines = machines.collect();
        Fleet { broker, platform, receiver, machines, _place: place }
    }

    pub fn start_agents(&mut self) {
        for machine in &mut self.machines {
            machine.start();
        }
    }

    /// How often the broker has confirmed each machine's subscription.
    pub fn subscriptions(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for line in self.broker.log().lines() {
            if let Some((_, to)) = line.split_once("Sending SUBACK to ") {
                *counts.entry(to.to_owned()).or_insert(0) += 1;
            }
        }
        counts
    }

    /// Each machine is subscribed for the so-manieth time.
    pub fn wait_until_all_are_there(&self, deadline: Duration, times: usize) {
        wait_within(deadline, "subscription of every machine", || {
            let counts = self.subscriptions();
            self.machines.iter().all(|m| counts.get(&m.machine_no).is_some_and(|n| *n >= times)).then_some(())
        });
    }

    /// One order for each machine; the broker has it when this returns.
    pub fn order_from_all(&mut self) {
        let url = self.receiver.url();
        for machine in &mut self.machines {
            machine.order(&self.platform, &url);
        }
        self.platform.wait_until_taken();
    }

    /// Waits until the merchant and the platform were told of every order. Each has one result, the same over HTTP and
    /// MQTT; what was told as dispensed turned once, what was refused did not turn. Gives back profile and outcome of those
    /// that were not dispensed: on a computer that is too busy for all these boards one may miss a command or be late with
    /// its answer, and then nobody turns it again.
    pub fn every_order_ends_once(&self, deadline: Duration) -> Vec<(String, String)> {
        let mut failed = Vec::new();
        let wanted: usize = self.machines.iter().map(Machine::orders).sum();
        let over_http = wait_within(deadline, "report of every order over HTTP", || {
            let reports = by_order(self.receiver.server.requests().all().iter().map(|r| checked(&r.body)));
            (reports.len() >= wanted).then_some(reports)
        });
        let over_mqtt = wait_within(deadline, "report of every order over MQTT", || {
            let messages = self.platform.heard().into_iter().map(|message| opened(&message.payload));
            let responses = by_order(messages.filter(|m| m["method"] == "device.delivery.response"));
            (responses.len() >= wanted).then_some(responses)
        });
        for machine in &self.machines {
            let (mut dispensed, mut unknown) = (0, 0);
            for order_id in &machine.orders {
                let key = (machine.machine_no.clone(), order_id.clone());
                let told = &over_http[&key];
                assert!(told.windows(2).all(|two| two[0] == two[1]), "two truths: {told:?}");
                assert_eq!(told[0]["sequence"], 1, "{key:?}");
                assert!(over_mqtt[&key].iter().all(|m| m["event_id"] == told[0]["event_id"]), "{key:?}");
                match told[0]["outcome"].as_str() {
                    Some("dispensed") => {
                        dispensed += 1;
                        continue;
                    }
                    Some("unknown") => unknown += 1,
                    Some("refused") => {}
                    other => panic!("{key:?} ended {other:?}:\n{}", machine.log()),
                }
                failed.push((machine.profile.clone(), told[0]["outcome"].to_string()));
            }
            let turned = machine.board.turned_slots();
            let is_right =
                turned.iter().all(|slot| *slot == 5) && (dispensed..=dispensed + unknown).contains(&turned.len());
            assert!(is_right, "{}: {dispensed} dispensed, turned {turned:?}:\n{}", machine.machine_no, machine.log());
        }
        assert_eq!((over_http.len(), over_mqtt.len()), (wanted, wanted), "orders that nobody sent");
        failed
    }
}

fn by_order(reports: impl Iterator<Item = Value>) -> BTreeMap<(String, String), Vec<Value>> {
    let mut found: BTreeMap<_, Vec<Value>> = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for report in reports {
        // Over MQTT the machine is the part of the event before the order.
        let machine_no = text(&report["event_id"]).split(':').next().unwrap_or_default().to_owned();
        found.entry((machine_no, text(&report["order_id"]))).or_default().push(report);
    }
    found
}

/// A broker with two doors, a password file and what each may: docs/fleet.md gives these very lines to operators.
fn start_broker(ca: &Ca, machines: &[String]) -> (Mosquitto, Doors) {
    let secure_port = AtomicU16::new(0);
    let broker = Mosquitto::start_with(|directory| {
        let (certificate, key) = ca.server_files(directory);
        let passwords = directory.join("passwords");
        let mut lines = format!("{}:{}\n", PLATFORM.user, PLATFORM.password);
        for machine_no in machines {
            lines += &format!("{machine_no}:{}\n", password_of(machine_no));
        }
        fs::write(&passwords, lines).unwrap();
        assert!(Command::new("mosquitto_passwd").arg("-U").arg(&passwords).status().unwrap().success());
        let permissions = directory.join("permissions");
        fs::write(&permissions, PERMISSIONS).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        secure_port.store(free, Ordering::SeqCst);
        format!(
            "allow_anonymous false\npassword_file {}\nacl_file {}\nlistener {free} 127.0.0.1\ncafile {}\ncertfile {}\n\
             keyfile {}\nrequire_certificate true\nuse_identity_as_username true\n",
            passwords.display(),
            permissions.display(),
            ca.file.display(),
            certificate.display(),
            key.display()
        )
    });
    (broker, Doors { secure_port: secure_port.into_inner() })
}

/// `%u` is the name that a machine logged in by: its machine_no, from the password file or its certificate.
pub const PERMISSIONS: &str = "\
user platform
topic read /server/app
topic write /clients/#
pattern read /clients/%u
pattern write /server/app
";
