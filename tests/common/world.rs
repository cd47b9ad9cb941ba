//! One machine and everything it talks to.

use super::agent::{Agent, log_file, vend};
use super::board::Board;
use super::certificates::Ca;
use super::cloud::{APP_ID, APP_SECRET, Cloud};
use super::command::{APP_KEY, Command, MACHINE_NO, checked, now_s, opened};
use super::mosquitto::Mosquitto;
use super::platform::Platform;
use super::receiver::Receiver;
use super::record::wait_until;
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use tempfile::TempDir;
use vend::board::profile::Profile;
use vend::io::journal::{Batch, Opened, Store};
use vend::order::key::MachineNo;
use vend::order::record::{Birth, Ledger, encode_ledger};

pub const MQTT_PASSWORD: &str = "right-31c7f0a9-mqtt";
pub const NOTIFY_SECRET: &str = "right-31c7f0a9-notify";
pub const SALE_PASSWORD: &str = "right-31c7f0a9-sale";

/// How a world is to be. The defaults are plain, quick and without faults.
#[derive(Debug, Clone)]
pub struct Setup {
    pub profile: &'static str,
    /// `[board] port`; the world's own board is at "port".
    pub port: &'static str,
    /// `[broker] protocol`.
    pub protocol: &'static str,
    /// A broker over TLS that asks for a password.
    pub secure_broker: bool,
    /// That broker wants client certificates too and names its clients by them; the agent's ends in so many days.
    pub client_certificate_days: Option<u64>,
    /// A receiver over TLS with a certificate of its own authority.
    pub secure_receiver: bool,
    /// The agent trusts that authority.
    pub trusts_receiver: bool,
    /// How long a motor turns.
    pub turn_ms: u64,
    /// Faults of the board.
    pub faults: Vec<&'static str>,
    /// Another `longest_vend_ms` than the profile's, for tests that must see it pass.
    pub longest_vend_ms: Option<u64>,
    /// What makes the built-in profile one of the machine's own, in a file.
    pub own_profile: Option<fn(&mut toml::Table)>,
    /// `[time] trust`.
    pub trust: &'static str,
    /// `[cloud] verify_orders`.
    pub verify_orders: &'static str,
    /// `[cloud] refund_failed`.
    pub refund_failed: bool,
    /// `[cloud] sync`.
    pub sync: &'static str,
    /// `[remote] allow`.
    pub remote_allow: &'static str,
    /// `[cloud] catalogue`.
    pub catalogue: bool,
    /// `[sale]`: slot 5 is sold at the platform.
    pub sells: bool,
    /// Another `[sale]` than that: its lines but for `notify_url`, which is the world's receiver.
    pub sale: Option<String>,
    /// `[web]`: the pages, on a port of loopback that is free.
    pub web: bool,
    /// `[notify] url`.
    pub notify: Option<String>,
    /// `[telemetry] climate_s`.
    pub climate_s: Option<u32>,
    /// `[report] allow_private_targets`.
    pub private_targets: bool,
    /// The journal began so many seconds ago.
    pub journal_age_s: Option<u64>,
    /// `[state] directory`, when it is not in the world's own folder.
    pub state: Option<PathBuf>,
}

/// What a command of the tool left behind.
pub struct Told {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A running machine. Everything ends when it is dropped.
pub struct World {
    pub broker: Mosquitto,
    pub broker_ca: Ca,
    pub board: Board,
    pub receiver: Receiver,
    pub cloud: Cloud,
    pub platform: Platform,
    pub setup: Setup,
    agent: Option<Agent>,
    directory: TempDir,
    /// For what a machine has below /run: control socket and motor mark.
    memory: TempDir,
}

impl World {
    /// Everything is up, and commands can come.
    pub fn start(profile: &'static str) -> World {
        World::with(profile, |_| {})
    }

    pub fn with(profile: &'static str, change: impl FnOnce(&mut Setup)) -> World {
        let mut world = World::without_agent(profile, change);
        world.start_agent();
        world.wait_for_subscription(1);
        world
    }

    /// Everything is up but the agent, whose session the broker does not know.
    pub fn without_agent(profile: &'static str, change: impl FnOnce(&mut Setup)) -> World {
        let mut setup = Setup {
            profile,
            port: "port",
            protocol: "5",
            secure_broker: false,
            client_certificate_days: None,
            secure_receiver: false,
            trusts_receiver: true,
            turn_ms: 300,
            faults: Vec::new(),
            longest_vend_ms: None,
            own_profile: None,
            trust: "system",
            verify_orders: "never",
            refund_failed: false,
            // Whoever counts questions wants only those that he caused.
            sync: "never",
            remote_allow: "[]",
            catalogue: false,
            sells: false,
            sale: None,
            web: false,
            notify: None,
            climate_s: None,
            private_targets: true,
            journal_age_s: None,
            state: None,
        };
        change(&mut setup);
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let (broker_ca, report_ca) = (Ca::new(here, "broker-ca"), Ca::new(here, "report-ca"));
        let broker = start_broker(&setup, &broker_ca);
        if let Some(days) = setup.client_certificate_days {
            broker_ca.client_files(here, "client", "machine-1", days);
        }
        let platform = connect_platform(&setup, &broker, &broker_ca, here);
        let receiver = Receiver::start(setup.secure_receiver.then(|| report_ca.server_config()));
        let cloud = Cloud::start();
        let profile = profile_of(&setup, here);
        let board = Board::new(&profile, setup.turn_ms, &setup.faults, &here.join("port"));
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        write_config(&setup, here, memory.path(), broker.port(), &cloud.url(), &receiver.url());
        if let Some(age_s) = setup.journal_age_s {
            begin_journal(&here.join("state"), now_s() - age_s);
        }
        World { broker, broker_ca, board, receiver, cloud, platform, setup, agent: None, directory, memory }
    }

    // --- the agent --------------------------------------------------------------------------------------------------

    pub fn start_agent(&mut self) {
        assert!(self.agent.is_none(), "one agent at a time");
        self.agent = Some(Agent::start(self.path()));
    }

    /// Starts the agent with this log; see [`vend::io::log`].
    pub fn start_agent_logging(&mut self, filter: &str) {
        assert!(self.agent.is_none(), "one agent at a time");
        self.agent = Some(Agent::start_logging(self.path(), filter));
    }

    /// Starts the agent under strace; see [`Agent::start_traced`].
    pub fn start_agent_traced(&mut self, trace: &Path) {
        assert!(self.agent.is_none(), "one agent at a time");
        self.agent = Some(Agent::start_traced(self.path(), trace));
    }

    /// SIGKILL.
    pub fn kill9(&mut self) {
        self.agent.take().expect("a running agent").kill9();
    }

    /// SIGKILL for an agent that may have ended by itself: whether it was killed.
    pub fn kill9_if_alive(&mut self) -> bool {
        self.agent.take().expect("an agent").kill9_if_alive()
    }

    /// SIGTERM, to the end.
    pub fn stop_agent(&mut self) -> ExitStatus {
        self.agent().ask_to_stop();
        self.wait_for_end()
    }

    pub fn agent(&mut self) -> &mut Agent {
        self.agent.as_mut().expect("a running agent")
    }

    /// The agent ends by itself.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        self.agent.take().expect("a running agent").wait_for_end()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(log_file(self.path())).unwrap_or_default()
    }

    /// Waits until the broker has confirmed so many subscriptions of the agent.
    pub fn wait_for_subscription(&self, count: usize) {
        wait_until("subscription", || (self.subscriptions() >= count).then_some(()));
    }

    /// Subscriptions of the agent that the broker has confirmed so far.
    pub fn subscriptions(&self) -> usize {
        self.broker.log().matches(&format!("Sending SUBACK to {MACHINE_NO}")).count()
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn state(&self) -> PathBuf {
        self.setup.state.clone().unwrap_or_else(|| self.path().join("state"))
    }

    /// `vend journal dump --json`: the exit code and one document an order.
    pub fn dump(&self) -> (Option<i32>, Vec<Value>) {
        let output = vend(&["journal", "dump", "--json", "--directory"]).arg(self.state()).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// What `vend journal dump --json` says, in all.
    pub fn dump_text(&self) -> Vec<u8> {
        let output = vend(&["journal", "dump", "--json", "--directory"]).arg(self.state()).output().unwrap();
        [output.stdout, output.stderr].concat()
    }

    /// The daemon's control socket.
    pub fn socket(&self) -> PathBuf {
        self.memory.path().join("control.sock")
    }

    /// The order's line of a sound [`World::dump`].
    pub fn dumped(&self, order_id: &str) -> Value {
        let (code, lines) = self.dump();
        assert_eq!(code, Some(0), "the journal is not sound: {lines:?}");
        lines.into_iter().find(|line| line["order_id"] == order_id).expect("the order in the dump")
    }

    /// `GET /v1/status` on the control socket.
    pub fn status(&self) -> Value {
        let socket = self.socket();
        wait_until("answer on the control socket", || {
            let mut stream = UnixStream::connect(&socket).ok()?;
            stream.write_all(b"GET /v1/status HTTP/1.1\r\nHost: vend\r\nConnection: close\r\n\r\n").ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            let (_, body) = answer.split_once("\r\n\r\n")?;
            serde_json::from_str(body).ok()
        })
    }

    /// Where the pages are, as the log says.
    pub fn web_port(&self) -> u16 {
        wait_until("the pages", || {
            self.log().rsplit_once("the pages are at http://127.0.0.1:")?.1.split('/').next()?.parse().ok()
        })
    }

    /// The next life serves the pages at the same port.
    pub fn keep_web_port(&self) {
        let path = self.path().join("vend.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("127.0.0.1:0\"", &format!("127.0.0.1:{}\"", self.web_port()))).unwrap();
    }

    /// The sale that somebody stands there for, or the last one.
    pub fn sale(&self) -> Value {
        let told = self.tool(&["sale", "show", "--json"], "");
        serde_json::from_str(&told.out).unwrap_or(Value::Null)
    }

    /// Waits until it stands so.
    pub fn wait_for_sale(&self, state: &str) -> Value {
        wait_until(&format!("{state} sale"), || Some(self.sale()).filter(|sale| sale["state"] == state))
    }

    /// What the merchant heard of sales, each once however often it was said: state and final.
    pub fn sales_told(&self) -> Vec<(String, String)> {
        let bodies = self.receiver.server.requests().all();
        let sales = bodies.iter().filter(|r| String::from_utf8_lossy(&r.body).contains("vend.sale.ended"));
        let told = sales.map(|request| {
            let body = checked(&request.body);
            assert_eq!(body["event_id"], request.headers["idempotency-key"]);
            (body["state"].as_str().unwrap().to_owned(), body["final"].as_str().unwrap().to_owned())
        });
        let mut told: Vec<(String, String)> = told.collect();
        told.dedup();
        told
    }

    /// Where the agent leaves what it wants root to do.
    pub fn request(&self) -> PathBuf {
        self.memory.path().join(vend::io::machine::REQUEST_FILE)
    }

    /// `vend board …` on the control socket.
    pub fn board(&self, arguments: &[&str]) -> Told {
        self.tool(&[&["board"], arguments].concat(), "")
    }

    /// `vend …` on the control socket, with this on its standard input, which is no terminal.
    pub fn tool(&self, arguments: &[&str], typed: &str) -> Told {
        let mut child = self.begin_tool(arguments);
        // A command that reads nothing may have ended by now.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Told { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The same, not waited for.
    pub fn begin_tool(&self, arguments: &[&str]) -> Child {
        let mut command = vend(arguments);
        command.arg("--socket").arg(self.socket()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Waits until the line is in this state.
    pub fn wait_until_line_is(&self, state: &str) {
        wait_until("state of the line", || (self.status()["line"] == state).then_some(()));
    }

    /// Waits until every order has ended and every report and call is taken or dead.
    pub fn wait_until_settled(&self) {
        wait_until("end of all orders and reports", || self.is_settled().then_some(()));
    }

    /// Every order has ended, and every report and call is taken or dead. An agent that still opens its journal counts
    /// nothing yet.
    pub fn is_settled(&self) -> bool {
        let status = self.status();
        status["phase"] == "running"
            && ["orders_open", "reports_open", "calls_open"].iter().all(|open| status[open] == 0)
    }

    /// Waits until the agent has noted this for people.
    pub fn wait_for_note(&self, what: &str) {
        wait_until(what, || {
            let status = self.status();
            status["recent"].as_array().unwrap().iter().any(|note| note["what"] == what).then_some(())
        });
    }

    /// Waits for a message of this method that is as it should be.
    pub fn told_up(&self, method: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.platform.up().wait(method, |payloads| {
            let mut messages = payloads.iter().map(|payload| opened(payload));
            messages.find(|message| message["method"] == method && is_it(message))
        })
    }

    // --- orders -----------------------------------------------------------------------------------------------------

    fn payload(&self, command: Command) -> Vec<u8> {
        command.or_notify(&self.receiver.url()).payload()
    }

    /// The broker has taken the command when this returns.
    pub fn send(&self, command: Command) {
        self.platform.send(self.payload(command));
    }

    /// The command leaves when the broker is there.
    pub fn send_when_possible(&self, command: Command) {
        self.platform.send_when_possible(self.payload(command));
    }

    /// Waits for the report over HTTP.
    pub fn report(&self, order_id: &str, record_id: &str) -> Value {
        self.receiver.wait_for_tries(order_id, record_id, 1).remove(0)
    }

    /// Sends an order for slot 9 that nothing stands against, and waits for its report. Commands are dealt with in
    /// order: whatever was sent before has had its effect, or never will.
    pub fn a_good_order_is_served(&self, order_id: &str) {
        self.send(super::command::put(order_id, "1").code("9"));
        assert_eq!(self.report(order_id, "1")["outcome"], "dispensed");
    }

    /// Waits for `device.delivery.received` with this state.
    pub fn received(&self, order_id: &str, state: &str) -> Value {
        self.told_up("device.delivery.received", |m| m["order_id"] == order_id && m["state"] == state)
    }

    /// Waits for the first report over MQTT.
    pub fn response(&self, order_id: &str, record_id: &str) -> Value {
        self.told_up("device.delivery.response", |m| m["order_id"] == order_id && m["record_id"] == record_id)
    }

    /// Everything that came up about an order, by method and state or outcome.
    pub fn everything_told_up(&self, order_id: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let messages = self
            .platform
            .up()
            .all()
            .iter()
            .map(|p| opened(p))
            .filter(|m| m["order_id"] == order_id)
            .collect::<Vec<_>>();
        messages.iter().map(|m| (text(&m["method"]), text(m.get("state").unwrap_or(&m["outcome"])))).collect()
    }

    /// Waits for the report that the test expects, over both ways; it is the first and only one, word for word the
    /// same in every try.
    pub fn one_truth(&self, order_id: &str, record_id: &str, outcome: &str) {
        let told = self.report(order_id, record_id);
        assert_eq!((&told["outcome"], &told["sequence"]), (&outcome.into(), &1.into()), "{told}");
        for again in self.receiver.tries(order_id, record_id) {
            assert_eq!(again, told, "a second report said something else");
        }
        let response = self.response(order_id, record_id);
        assert_eq!((&response["outcome"], &response["event_id"]), (&told["outcome"], &told["event_id"]));
    }

    /// Waits for *unknown*, and for the one correction of it.
    pub fn truth_after_unknown(&self, order_id: &str, record_id: &str, outcome: &str) {
        let told: Vec<Value> = self.receiver.wait_for_tries(order_id, record_id, 2);
        let expected: Vec<(Value, Value)> = vec![(1.into(), "unknown".into()), (2.into(), outcome.into())];
        let told: Vec<_> = told.iter().map(|r| (r["sequence"].clone(), r["outcome"].clone())).collect();
        assert_eq!(told, expected);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- turned: {:?}; the agent said:\n{}", self.board.turned_slots(), self.log());
        }
    }
}

fn start_broker(setup: &Setup, ca: &Ca) -> Mosquitto {
    if !setup.secure_broker {
        return Mosquitto::start();
    }
    Mosquitto::start_with(|directory| {
        let (certificate, key) = ca.server_files(directory);
        let passwords = directory.join("passwords");
        fs::write(&passwords, "").unwrap();
        for user in [MACHINE_NO, "platform"] {
            let mut program = std::process::Command::new("mosquitto_passwd");
            assert!(program.arg("-b").arg(&passwords).args([user, MQTT_PASSWORD]).status().unwrap().success());
        }
        let clients = match setup.client_certificate_days {
            Some(_) => {
                format!("require_certificate true\nuse_identity_as_username true\ncafile {}\n", ca.file.display())
            }
            None => String::new(),
        };
        format!(
            "{clients}allow_anonymous false\npassword_file {}\ncertfile {}\nkeyfile {}\n",
            passwords.display(),
            certificate.display(),
            key.display()
        )
    })
}

fn connect_platform(setup: &Setup, broker: &Mosquitto, ca: &Ca, here: &Path) -> Platform {
    if setup.secure_broker {
        let identity = setup.client_certificate_days.map(|days| ca.client_files(here, "platform", "platform", days));
        let config = ca.client_config(identity);
        Platform::connect("localhost", broker.port(), Some(config), Some(("platform", MQTT_PASSWORD)))
    } else {
        Platform::connect("127.0.0.1", broker.port(), None, None)
    }
}

/// The profile, as the agent and the board use it.
fn profile_of(setup: &Setup, directory: &Path) -> Profile {
    let (_, text) = *Profile::built_in().iter().find(|(name, _)| *name == setup.profile).expect("a built-in profile");
    let mut table: toml::Table = text.parse().unwrap();
    if let Some(ms) = setup.longest_vend_ms {
        table["timing"]["longest_vend_ms"] = toml::Value::Integer(ms.try_into().unwrap());
    }
    if let Some(change) = setup.own_profile {
        change(&mut table);
    }
    let text = table.to_string();
    fs::write(directory.join("board.toml"), &text).unwrap();
    Profile::parse("board.toml", &text).unwrap()
}

fn write_config(setup: &Setup, directory: &Path, memory: &Path, broker_port: u16, cloud_url: &str, notify_url: &str) {
    let Setup {
        profile,
        port,
        protocol,
        trust,
        verify_orders,
        refund_failed,
        remote_allow,
        sync,
        catalogue,
        private_targets,
        ..
    } = setup;
    let notify = setup.notify.as_ref();
    let notify =
        notify.map(|url| format!("url = \"{url}\"\napp_id = \"wx5\"\nopenid = \"oMachine\"")).unwrap_or_default();
    let climate = setup.climate_s.map(|s| format!("climate_s = {s}")).unwrap_or_default();
    let goods = "[{ slot = 5, goods = 20001, name = \"可乐\", price = \"3.05\" }]";
    let pay_url = "https://pay.example/{order}?a={amount}";
    let sold = setup.sells.then(|| format!("cloud = \"platform\"\npay_url = \"{pay_url}\"\ngoods = {goods}"));
    let sold = setup.sale.clone().or(sold);
    let sale = sold.map(|lines| format!("{lines}\nnotify_url = \"{notify_url}\"")).unwrap_or_default();
    let web = if setup.web { "listen = \"127.0.0.1:0\"" } else { "" };
    let broker = match setup.secure_broker {
        true => {
            let identity = match setup.client_certificate_days {
                Some(_) => "\nclient_certificate = \"client.pem\"\nclient_key = \"client.key\"",
                None => "",
            };
            let url = format!("mqtts://localhost:{broker_port}");
            format!("url = \"{url}\"\nusername = \"{MACHINE_NO}\"\nca_file = \"broker-ca.pem\"{identity}")
        }
        false => format!("url = \"mqtt://127.0.0.1:{broker_port}\""),
    };
    let is_own = setup.longest_vend_ms.is_some() || setup.own_profile.is_some();
    let profile = if is_own { "board.toml" } else { profile };
    let ca_file = if setup.secure_receiver && setup.trusts_receiver { "ca_file = \"report-ca.pem\"" } else { "" };
    let state = setup.state.clone().unwrap_or_else(|| PathBuf::from("state"));
    let config = format!(
        r#"machine_no = "{MACHINE_NO}"
[broker]
{broker}
protocol = "{protocol}"
[cloud]
url = "{cloud_url}"
app_id = "{APP_ID}"
verify_orders = "{verify_orders}"
refund_failed = {refund_failed}
sync = "{sync}"
catalogue = {catalogue}
[sale]
{sale}
[notify]
{notify}
[web]
{web}
[telemetry]
{climate}
[board]
profile = "{profile}"
port = "{port}"
[report]
allow_private_targets = {private_targets}
{ca_file}
[time]
trust = "{trust}"
[remote]
allow = {remote_allow}
[state]
directory = "{}"
[control]
socket = "{}"
"#,
        state.display(),
        memory.join("control.sock").display()
    );
    fs::write(directory.join("vend.toml"), config).unwrap();
    let credentials = directory.join("credentials");
    fs::create_dir(&credentials).unwrap();
    for (name, secret) in [
        ("app_key", APP_KEY),
        ("app_secret", APP_SECRET),
        ("mqtt_password", MQTT_PASSWORD),
        ("notify_secret", NOTIFY_SECRET),
        ("sale_password", SALE_PASSWORD),
    ] {
        let mut file =
            fs::File::options().write(true).create_new(true).mode(0o600).open(credentials.join(name)).unwrap();
        file.write_all(secret.as_bytes()).unwrap();
    }
}

/// A journal that began in the past, so that older commands may be driven (order-life, rule 6).
fn begin_journal(state: &Path, birth_s: u64) {
    let Opened::Sound { mut store, .. } = Store::open(state).unwrap() else { panic!("a new journal is sound") };
    let ledger = Ledger::new(MachineNo::parse(MACHINE_NO).unwrap(), Birth::At { s: birth_s });
    let meta = Some(encode_ledger(&ledger).unwrap());
    store.commit(&Batch { meta, ..Batch::default() }).unwrap();
}
