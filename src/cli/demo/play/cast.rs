//! Who plays: an emulated board, a merchant, the cloud, a broker, all in this process, and the real agent as a child,
//! so that it can be killed and they live on as witnesses.

use super::broker::{Broker, Message};
use super::evidence::{Fact, Post};
use crate::board::profile::Profile;
use crate::cli::lang::Lang;
use crate::cloud::open_platform::{Account, AppSecret, BASE_PATH, Fen, OrderStatus};
use crate::cloud::sign::SigningKey;
use crate::io::http::server::{self, Answer, Request};
use crate::io::journal::{Batch, Opened, Store};
use crate::order::key::MachineNo;
use crate::order::record::{self, Birth, Ledger};
use crate::order::said::{InChinese as _, Said, said};
use crate::sim::board::emulator_for;
use crate::sim::board::fault::{Fault, FaultKind, Faults};
use crate::sim::cloud::{SimCloud, SimOrder, SimProduct, StandIn as _};
use crate::sim::pty::{PtyBoard, PtyCommand};
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::spawn_local;

/// How long a motor turns, in ms: long enough that a kill falls into the turn.
const TURN_MS: u64 = 1_500;
/// The board: its result outlives the agent, so even a kill in mid-turn ends in the known outcome.
const PROFILE: &str = "adh815";
/// This slot's motor jams.
pub const JAM_SLOT: u16 = 3;
/// This slot's motor turns and nothing falls.
pub const NO_DROP_SLOT: u16 = 4;
/// Somebody at the machine buys from this slot.
pub const SALE_SLOT: u16 = 21;
/// Somebody buys from this slot too, and its motor jams.
pub const SALE_JAM_SLOT: u16 = 22;
/// What is sold from these two.
const SALE_PRICE: Fen = Fen(350);
/// The cloud's number of what lies in slot 0; the others follow.
const PRODUCTS_FROM: u64 = 20_000;
/// The last order that the cloud made before the curtain rose.
const SOLD_BEFORE: u64 = 2_000;
/// How often a buyer looks whether the machine sells: not while its board settles after a vend.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// What the two slots are sold for; the buyer's telephone opens it.
const PAY_CODE: &str = "https://pay.example/{order}";
/// Facts that wait to be shown. A scene causes a few dozen.
const FACTS_MAX: usize = 1_024;
/// Messages and commands of the script on their way: it sends one and waits for what follows.
const COMMANDS_MAX: usize = 8;
/// How long the agent may take to end: a running motor may finish first.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// Lines of the agent's log that are shown when something went wrong.
const LOG_LINES_SHOWN: usize = 20;
/// Proxies are for the world outside; everything here is on loopback.
const PROXY_VARIABLES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// A secret that everybody may know.
const APP_KEY: &str = "demo-app-key";
const APP_SECRET: &str = "demo-app-secret";
const APP_ID: &str = "ds0000000000000000";
/// What the two slots sell, in a script that the promise does not mind.
const NAME: &str = "可乐";
/// The agent's control socket.
const SOCKET: &str = "control.sock";
const MACHINE_NO: &str = "10000001";

/// What the pay code of an order says.
#[must_use]
pub fn pay_code(order_id: &str) -> String {
    PAY_CODE.replace("{order}", order_id)
}

/// Carries facts to the director.
#[derive(Clone)]
struct Ear {
    facts: mpsc::Sender<Fact>,
    missed: Arc<AtomicBool>,
}

impl Ear {
    fn tell(&self, fact: Fact) {
        // The director notices, so that no play is judged on half of the evidence.
        if self.facts.try_send(fact).is_err() {
            self.missed.store(true, Ordering::Relaxed);
        }
    }

    /// Runs one of the cast. Nobody may leave before the end.
    fn watch(&self, who: Said, task: impl Future<Output = io::Result<()>> + 'static) {
        let ear = self.clone();
        spawn_local(async move {
            if let Err(error) = task.await {
                ear.tell(Fact::Broke { who, why: error.said() });
            }
        });
    }
}

/// Everybody.
pub struct Cast {
    /// What they see.
    pub facts: mpsc::Receiver<Fact>,
    /// More happened than could be told.
    pub missed: Arc<AtomicBool>,
    /// The real one.
    pub agent: Agent,
    /// Signs commands and verifies reports.
    pub signing: SigningKey,
    /// Whose machine it is.
    pub machine_no: MachineNo,
    ear: Ear,
    to_broker: mpsc::Sender<Message>,
    to_board: mpsc::Sender<PtyCommand>,
    merchant_is_up: Arc<AtomicBool>,
    merchant: SocketAddr,
    cloud: Arc<Mutex<SimCloud>>,
}

impl Cast {
    /// Brings everybody on; the agent is not started yet. `directory` is theirs alone. `in_service_since_s`: since
    /// when (Unix s) the machine's journal exists; older commands are never driven (order-life, rule 6).
    ///
    /// # Errors
    /// When the system has no pty, port or place for files left.
    pub async fn enter(directory: &Path, in_service_since_s: u64) -> io::Result<Cast> {
        let signing = SigningKey::new(APP_KEY).map_err(io::Error::other)?;
        let machine_no = MachineNo::parse(MACHINE_NO).map_err(io::Error::other)?;
        let (facts_in, facts) = mpsc::channel(FACTS_MAX);
        let missed = Arc::new(AtomicBool::new(false));
        let ear = Ear { facts: facts_in, missed: missed.clone() };

        let broker = Broker::open().await?;
        let broker_address = broker.address();
        let (to_broker, messages) = mpsc::channel(COMMANDS_MAX);
        let own_ear = ear.clone();
        ear.watch(said!("broker", "消息代理"), broker.run(messages, move |seen| own_ear.tell(Fact::Broker(seen))));

        let profile = Profile::find(PROFILE, directory).map_err(io::Error::other)?;
        let fault = |kind, slot| Fault { kind, slot: Some(slot), nth: None };
        let jams = [JAM_SLOT, SALE_JAM_SLOT].map(|slot| fault(FaultKind::Jam, slot));
        let faults = Faults::new(jams.into_iter().chain([fault(FaultKind::NoDrop, NO_DROP_SLOT)]));
        let board = PtyBoard::open(Some(directory.join("board")))?;
        let (to_board, commands) = mpsc::channel(COMMANDS_MAX);
        let own_ear = ear.clone();
        let emulator = emulator_for(&profile, TURN_MS, faults);
        ear.watch(said!("board", "板卡"), board.run(emulator, commands, move |turn| own_ear.tell(Fact::Turn(*turn))));

        let merchant_is_up = Arc::new(AtomicBool::new(true));
        let merchant = open_merchant(&ear, merchant_is_up.clone(), &signing).await?;
        let account =
            Account { app_id: APP_ID.to_owned(), app_secret: AppSecret::new(APP_SECRET), app_key: signing.clone() };
        let mut cloud = SimCloud::new(account, machine_no.clone());
        cloud.products.extend([SALE_SLOT, SALE_JAM_SLOT].map(|slot| (PRODUCTS_FROM + u64::from(slot), product(slot))));
        // It numbers its orders onward from the highest that it knows: nobody takes them for those of the script.
        let before = SimOrder { status: OrderStatus::Closed.as_str().to_owned(), records: BTreeMap::new() };
        cloud.orders.insert(SOLD_BEFORE, before);
        let cloud = Arc::new(Mutex::new(cloud));
        let cloud_address = open_cloud(&ear, cloud.clone()).await?;

        write_machine(directory, broker_address, cloud_address, merchant)?;
        begin_journal(&directory.join("state"), machine_no.clone(), in_service_since_s)?;
        let agent = Agent { directory: directory.to_owned(), child: None };
        let cast = Cast {
            facts,
            missed,
            agent,
            signing,
            machine_no,
            ear,
            to_broker,
            to_board,
            merchant_is_up,
            merchant,
            cloud,
        };
        Ok(cast)
    }

    /// Where reports go.
    #[must_use]
    pub fn notify_url(&self) -> String {
        format!("http://{}/vend/results", self.merchant)
    }

    /// The platform gives the broker a message for the machine.
    pub async fn publish(&self, topic: String, payload: Vec<u8>) {
        // If the broker is gone, that has been told.
        let _ = self.to_broker.send(Message { topic, payload }).await;
    }

    /// Takes the board's power and gives it back.
    pub async fn power_cycle_board(&self) {
        // If the board is gone, that has been told.
        let _ = self.to_board.send(PtyCommand::PowerCycle).await;
    }

    /// The merchant hangs up on everybody, or serves again.
    pub fn set_merchant(&self, is_up: bool) {
        self.merchant_is_up.store(is_up, Ordering::Relaxed);
    }

    /// Somebody at the machine buys with the tool, and reads what it shows.
    ///
    /// # Errors
    /// When the system cannot start it.
    pub fn buy(&self, slot: u16, lang: Lang) -> io::Result<()> {
        let program = std::env::current_exe()?;
        let (ear, socket) = (self.ear.clone(), self.agent.directory.join(SOCKET));
        let vend = move |arguments: &[&str]| {
            let mut command = Command::new(&program);
            command.args(arguments).arg("--socket").arg(&socket).stdin(Stdio::null()).kill_on_drop(true);
            command
        };
        let slot = slot.to_string();
        self.ear.watch(said!("buyer", "买家"), async move {
            loop {
                let told = vend(&["status", "--json"]).output().await?;
                let status: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap_or_default();
                if status["line"] == "idle" {
                    break;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            let mut command = vend(&["--lang", lang.say("en", "zh"), "sale", "start", "--slot", &slot]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
            let Some(told) = child.stderr.take() else { return Ok(()) };
            let mut lines = BufReader::new(told).lines();
            while let Some(line) = lines.next_line().await? {
                ear.tell(Fact::Shown(line));
            }
            // How it ended the merchant hears, too.
            child.wait().await.map(drop)
        });
        Ok(())
    }

    /// A buyer's telephone pays an order.
    pub fn pay(&self, order_id: &str) {
        let mut books = books(&self.cloud);
        let order = order_id.parse().ok().and_then(|id: u64| books.orders.get_mut(&id));
        if let Some(order) = order.filter(|order| order.status == OrderStatus::NotPaid.as_str()) {
            OrderStatus::Success.as_str().clone_into(&mut order.status);
        }
    }

    /// The cloud knows a paid order whose goods wait.
    pub fn put_on_the_books(&self, order_id: u64, record_id: u64) {
        let records = BTreeMap::from([(record_id, "WAITING_PICKED_UP".to_owned())]);
        books(&self.cloud).orders.insert(order_id, SimOrder { status: "SUCCESS".to_owned(), records });
    }
}

/// Serves HTTP on a free port of loopback, one request a connection, so that "down" is down.
async fn serve_http(
    ear: &Ear,
    who: Said,
    decide: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let decide = Arc::new(decide);
    ear.watch(who, async move {
        server::serve(listener, None, decide).await;
        Ok(())
    });
    Ok(address)
}

fn said(status: u16, body: Vec<u8>) -> Answer {
    Answer::Whole { status, headers: "Connection: close\r\n".to_owned(), body }
}

/// While the merchant is down whoever comes is hung up on: a closed port would look the same to the caller, but count
/// nobody.
async fn open_merchant(ear: &Ear, is_up: Arc<AtomicBool>, signing: &SigningKey) -> io::Result<SocketAddr> {
    let (own_ear, signing) = (ear.clone(), signing.clone());
    serve_http(ear, said!("merchant", "商户"), move |request| {
        if !is_up.load(Ordering::Relaxed) {
            own_ear.tell(Fact::HungUp);
            return Answer::Cut(b"");
        }
        let key = request.headers.get("idempotency-key").map(String::as_str);
        own_ear.tell(Fact::Posted(Post::read(key, Bytes::from(request.body.clone()), &signing)));
        said(200, Vec::new())
    })
    .await
}

async fn open_cloud(ear: &Ear, cloud: Arc<Mutex<SimCloud>>) -> io::Result<SocketAddr> {
    let own_ear = ear.clone();
    serve_http(ear, said!("cloud", "云接口"), move |request| {
        let order_id = request.path.strip_prefix(&format!("{BASE_PATH}/orders/")).map(str::to_owned);
        let of = |status: OrderStatus| -> Vec<u64> {
            let books = books(&cloud);
            books.orders.iter().filter(|(_, order)| order.status == status.as_str()).map(|(id, _)| *id).collect()
        };
        let (unpaid, refunded) = (of(OrderStatus::NotPaid), of(OrderStatus::Refund));
        // Whether it is paid by now is asked each second: that is not worth a line.
        let is_unpaid = |id: &String| unpaid.iter().any(|unpaid| unpaid.to_string() == *id);
        if let Some(order_id) = order_id.filter(|id| request.method == "POST" && !is_unpaid(id)) {
            own_ear.tell(Fact::Asked { order_id });
        }
        let headers: Vec<(&str, &str)> = request.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let (status, body) = books(&cloud).answer(&request.method, &request.path, &headers, &request.body);
        for made in of(OrderStatus::NotPaid).into_iter().filter(|id| !unpaid.contains(id)) {
            own_ear.tell(Fact::Made { order_id: made.to_string() });
        }
        for paid_back in of(OrderStatus::Refund).into_iter().filter(|id| !refunded.contains(id)) {
            own_ear.tell(Fact::Refunded { order_id: paid_back.to_string() });
        }
        said(status, body)
    })
    .await
}

/// Nothing that holds the lock can panic half-way, so poisoned books are still whole.
fn books(cloud: &Mutex<SimCloud>) -> MutexGuard<'_, SimCloud> {
    cloud.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the cloud knows of a slot that sells.
fn product(slot: u16) -> SimProduct {
    let (channel_name, code) = (format!("A{slot}"), slot.to_string());
    SimProduct { name: NAME.to_owned(), price: SALE_PRICE, channel_name, code, addr: 1, stock: 9, capacity: 9 }
}

/// The agent's configuration and secrets, as a technician would write them.
fn write_machine(directory: &Path, broker: SocketAddr, cloud: SocketAddr, merchant: SocketAddr) -> io::Result<()> {
    let goods = |slot: u16| {
        let number = PRODUCTS_FROM + u64::from(slot);
        format!("{{ slot = {slot}, goods = {number}, name = \"{NAME}\", price = \"{SALE_PRICE}\" }}")
    };
    let goods = [SALE_SLOT, SALE_JAM_SLOT].map(goods).join(", ");
    let config = format!(
        r#"machine_no = "{MACHINE_NO}"
[broker]
url = "mqtt://{broker}"
protocol = "3.1.1"
[cloud]
url = "http://{cloud}"
app_id = "{APP_ID}"
verify_orders = "late"
[sale]
cloud = "platform"
pay_url = "{PAY_CODE}"
notify_url = "http://{merchant}/vend/sales"
goods = [{goods}]
[board]
profile = "{PROFILE}"
port = "board"
[report]
allow_hosts = ["127.0.0.1"]
allow_private_targets = true
[time]
trust = "system"
[state]
directory = "state"
[control]
socket = "{SOCKET}"
"#
    );
    std::fs::write(directory.join("vend.toml"), config)?;
    std::fs::create_dir(directory.join("credentials"))?;
    for (name, secret) in [("app_key", APP_KEY), ("app_secret", APP_SECRET)] {
        let path = directory.join("credentials").join(name);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(secret.as_bytes())?;
    }
    Ok(())
}

/// The journal of a machine that has been in service for a while and sold nothing.
fn begin_journal(directory: &Path, machine_no: MachineNo, in_service_since_s: u64) -> io::Result<()> {
    let Opened::Sound { mut store, .. } = Store::open(directory).map_err(io::Error::other)? else {
        return Err(io::Error::other("a new journal is damaged: look at the disk"));
    };
    let mut ledger = Ledger::new(machine_no, Birth::At { s: in_service_since_s });
    ledger.first_connection_over = true;
    let meta = Some(record::encode_ledger(&ledger).map_err(io::Error::other)?);
    store.commit(&Batch { meta, ..Batch::default() }).map_err(io::Error::other)
}

/// The real agent: this very binary as a child, `vend run`.
pub struct Agent {
    directory: PathBuf,
    child: Option<Child>,
}

impl Agent {
    fn log_path(&self) -> PathBuf {
        self.directory.join("agent.log")
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the system cannot.
    pub fn start(&mut self) -> io::Result<()> {
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("run").arg("--config").arg(self.directory.join("vend.toml"));
        command.arg("--credentials").arg(self.directory.join("credentials"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        // It must not report itself ready to whoever started the demonstration.
        for name in PROXY_VARIABLES.into_iter().chain(["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) {
            command.env_remove(name);
        }
        self.child = Some(command.spawn()?);
        Ok(())
    }

    /// SIGKILL: it does nothing more, from one instruction to the next.
    ///
    /// # Errors
    /// When the system cannot.
    pub async fn kill(&mut self) -> io::Result<()> {
        match self.child.take() {
            Some(mut child) => child.kill().await,
            None => Ok(()),
        }
    }

    /// Waits until it ends by itself; for ever when it does not run.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        match &mut self.child {
            Some(child) => child.wait().await,
            None => std::future::pending().await,
        }
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// When it does not end in time or not well.
    pub async fn stop(&mut self) -> io::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM)?;
        }
        let status = tokio::time::timeout(LAST_WORDS, child.wait()).await??;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("the agent ended with {status}"))) }
    }

    /// The end of its log.
    #[must_use]
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES_SHOWN)..).unwrap_or_default().join("\n")
    }
}
