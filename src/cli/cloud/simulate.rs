//! `vend cloud simulate`: a stand-in for the platform over HTTP and at the broker, or for one of the other order clouds
//! over HTTP.

use super::super::ConfigArgs;
use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::output::Output;
use super::super::send::{BrokerArgs, apply};
use crate::agent;
use crate::cli::usage::Misread;
use crate::cloud::device;
use crate::cloud::open_platform::{Account, AppSecret, Fen};
use crate::cloud::orders::songshu::NoticeSecret;
use crate::cloud::sign::SigningKey;
use crate::config::Config;
use crate::config::credentials::{Credentials, Secret};
use crate::core::event::Epoch;
use crate::io::broker::{self, BrokerConfig, FromBroker, ToBroker};
use crate::io::clock::Clock;
use crate::io::http::authorities::Authorities;
use crate::io::http::client::{self, Kind};
use crate::io::http::proxy::Proxies;
use crate::io::http::resolver;
use crate::io::http::server::{self, Answer, Request};
use crate::io::http::supply::{TlsFiles, TlsSupply};
use crate::io::http::target::TargetRules;
use crate::io::http::tls;
use crate::order::said::{InChinese, Said, said};
use crate::sim::cloud::fault::Fault;
use crate::sim::cloud::{Codes, Outward, SimCloud, SimProduct, StandIn, over_http};
use crate::sim::clouds::Door;
use crate::sim::clouds::course::{Album, SimCourse};
use crate::sim::clouds::mall::{Item, SimMall};
use crate::sim::clouds::songshu::SimSongshu;
use clap::{Args, ValueEnum};
use std::collections::VecDeque;
use std::future::pending;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};

/// Where it listens unless told otherwise: this computer only, and not where the pages usually are.
const LISTEN_DEFAULT: &str = "127.0.0.1:8490";
/// How often unpaid orders and unanswered commands are looked at.
const TICK: Duration = Duration::from_millis(500);
/// Events and wishes between the stand-in and its MQTT client: a sale causes three.
const BROKER_QUEUE: usize = 64;
/// Commands that wait for the broker: the platform sends one at a time.
const WAITING_MAX: usize = 64;
/// Callbacks that wait for the merchant; the oldest is lost, like at the real platform, which documents no retry.
const CALLBACKS_MAX: usize = 64;
/// Products unless they are named: the first slots of the board.
const PRODUCTS_DEFAULT: usize = 8;
/// Products begin with this id, that of the vendor's examples.
const FIRST_PRODUCT_ID: u64 = 121;
/// What a product costs unless told otherwise.
const PRICE_DEFAULT: Fen = Fen(100);
/// Units in a slot, and as many fit.
const CAPACITY: u64 = 10;
/// Albums of course and goods of mall begin with this number, that of course's example.
const FIRST_GOODS: u64 = 2;
/// The machine's address at mall: that of its example.
const ADDRESS: u64 = 6_806;

/// Arguments of `vend cloud simulate`.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Which cloud it is
    #[arg(long, value_enum, default_value = "platform", hide_possible_values = true)]
    pub kind: CloudKind,
    /// Whose platform it is: machine, account and keys.
    #[command(flatten)]
    pub place: ConfigArgs,
    /// What opens songshu, course or mall: songshu's shared secret, the others' password; without it all may call
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN_DEFAULT)]
    pub listen: SocketAddr,
    /// Speak TLS with this certificate, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's key, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Also speak the device side, at the broker that --broker names.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// A fault, KIND or KIND:VALUE, perhaps with @TIMES, like html, code:40006@3, slow:5 or down@all; may be repeated
    ///
    /// KIND is one of code:N, code-zero, status:N, html, half-body, slow:S, down, wrong-date:S, unauthorized, busy:S,
    /// answer-lost. While it runs: POST /faults with the same words, DELETE /faults; POST /paid with ORDER or
    /// ORDER=STATUS; POST /log-out.
    #[arg(long = "fault", value_name = "FAULT")]
    pub cloud_fault: Vec<Fault>,
    /// Which generation of error codes it speaks: four or five digits
    #[arg(long, value_enum, default_value = "four", hide_possible_values = true)]
    pub digits: Digits,
    /// A slot that is sold, and its price, like 5 or 5=3.50; may be repeated
    #[arg(long = "slot", value_name = "CODE[=PRICE]", value_parser = sold)]
    pub sold: Vec<(u16, Fen)>,
}

/// `--kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CloudKind {
    /// Seed 003, with its side at the broker.
    Platform,
    /// Seed 000.
    Songshu,
    /// Seed 001.
    Course,
    /// Seed 002.
    Mall,
}

/// `--digits`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Digits {
    /// The table of June 2024.
    Four,
    /// The pages' examples.
    Five,
}

fn sold(text: &str) -> Result<(u16, Fen), Misread> {
    let (code, price) =
        text.split_once('=').map_or((text, Ok(PRICE_DEFAULT)), |(code, price)| (code, Fen::parse(price)));
    let no_number = |_| Misread(Said::new("a slot is a number", "货道应为数字"));
    Ok((code.parse().map_err(no_number)?, price?))
}

/// Writes its url, as one line, and then is the platform until SIGINT (exit 130) or SIGTERM (exit 0). What it is
/// asked and what it hears goes to standard error, secrets left out.
///
/// # Errors
/// A wrong configuration, a missing secret, an address that is taken.
pub(super) fn run(args: &SimulateArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let (mut cloud, broker) = match args.kind {
        CloudKind::Platform => {
            let mut config = Config::load(&args.place.config)?.config;
            let mut credentials = Credentials::load(Some(&args.place.secrets_directory()), &config)?;
            apply(&args.broker, &mut config, &mut credentials)?;
            let broker = args.broker.broker.as_ref().map(|_| broker_config(&config, &credentials)).transpose()?;
            (Box::new(stand_in(args, &config, &credentials)?) as Box<dyn StandIn>, broker)
        }
        kind => (other_stand_in(args, kind)?, None),
    };
    cloud.tick(Clock::new().now().wall.seconds());
    for fault in &args.cloud_fault {
        cloud.mishaps().meet(fault.clone());
    }
    let tls = match (&args.tls_certificate, &args.tls_key) {
        (Some(certificate), Some(key)) => {
            let identity = tls::Identity { certificate: certificate.clone(), key: key.clone() };
            Some(tls::server_config(&identity).map_err(|e| Failure::of(Exit::Configuration, &e))?)
        }
        _ => None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| broken(&e))?;
    let stage = Stage { cloud: Arc::new(Mutex::new(cloud)), asked: Arc::new(Notify::new()) };
    runtime.block_on(async {
        let listener = TcpListener::bind(args.listen).await.map_err(|e| {
            let listen = args.listen.to_string();
            Failure::told(Exit::Failed, said!("cannot listen on {listen}: {e}", "无法监听 {listen}：{e}", e; listen))
        })?;
        let address = listener.local_addr().map_err(|e| broken(&e))?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        out.line(&format!("{scheme}://{address}"))?;
        out.finish()?;
        let decider = stage.clone();
        let server = server::serve(listener, tls, Arc::new(move |request: &Request| decider.answer(request)));
        stage.play(server, broker).await
    })
}

fn broken(error: &io::Error) -> Failure {
    Failure::told(Exit::Failed, said!("the stand-in: {error}", "模拟平台：{error}", error))
}

/// The books, with the account of the configuration.
fn stand_in(args: &SimulateArgs, config: &Config, credentials: &Credentials) -> Result<SimCloud, Failure> {
    let merchant = Credentials::of_merchant(Some(&args.place.secrets_directory()))?;
    let account = Account {
        app_id: config.cloud.as_ref().map(|cloud| cloud.app_id.clone()).unwrap_or_default(),
        app_secret: AppSecret::new(merchant.app_secret.reveal()),
        app_key: SigningKey::new(merchant.app_key.reveal()).map_err(|e| Failure::of(Exit::Configuration, &e))?,
    };
    let mut cloud = SimCloud::new(account, config.machine_no.clone());
    cloud.mqtt_key = agent::mqtt_key(config, credentials)?;
    cloud.codes = match args.digits {
        Digits::Four => Codes::FourDigits,
        Digits::Five => Codes::FiveDigits,
    };
    let slots = &config.board.profile.slots;
    let first = || (0..=999).filter(|&code| slots.slot_of(code).is_some()).map(|code| (code, PRICE_DEFAULT));
    let sold: Vec<(u16, Fen)> =
        if args.sold.is_empty() { first().take(PRODUCTS_DEFAULT).collect() } else { args.sold.clone() };
    for (id, (code, price)) in (FIRST_PRODUCT_ID..).zip(sold) {
        let product = SimProduct {
            name: format!("slot {code}"),
            price,
            channel_name: format!("A{code}"),
            code: code.to_string(),
            addr: 1,
            stock: CAPACITY,
            capacity: CAPACITY,
        };
        cloud.products.insert(id, product);
    }
    Ok(cloud)
}

/// The other clouds know no machine, so no configuration is asked for; what they sell is named like slots.
fn other_stand_in(args: &SimulateArgs, kind: CloudKind) -> Result<Box<dyn StandIn>, Failure> {
    let secret = match &args.secret_file {
        None => None,
        Some(path) => {
            let wrong = |why: Said| {
                let why = said!("{path}: {why}", "{path}：{why}", why; path = path.display());
                Failure::told(Exit::Configuration, why)
            };
            let bytes = std::fs::read(path).map_err(|e| wrong(e.said()))?;
            Some(Secret::of_file(&bytes).map_err(|fault| wrong(fault.text()))?)
        }
    };
    let door = secret.as_ref().map_or_else(Door::default, |secret| Door::locked(secret.reveal()));
    let sold: Vec<(u16, Fen)> = if args.sold.is_empty() { vec![(1, PRICE_DEFAULT)] } else { args.sold.clone() };
    let goods = (FIRST_GOODS..).zip(sold).map(|(id, (code, price))| (id, format!("slot {code}"), price));
    Ok(match kind {
        CloudKind::Platform | CloudKind::Songshu => {
            let secret = secret.and_then(|secret| NoticeSecret::new(secret.reveal()).ok());
            Box::new(SimSongshu::new(None, secret))
        }
        CloudKind::Course => {
            let album = |(id, name, price)| (id, Album { name, price, is_owned: false });
            Box::new(SimCourse { albums: goods.map(album).collect(), door, ..SimCourse::default() })
        }
        CloudKind::Mall => {
            let item = |(product_id, name, price)| Item { product_id, name, price, quantity: 1 };
            let cart = goods.take(1).map(item).collect();
            Box::new(SimMall { cart, addresses: vec![ADDRESS], door, ..SimMall::default() })
        }
    })
}

/// The platform's own connection: what the machine publishes it hears, and the other way round.
fn broker_config(config: &Config, credentials: &Credentials) -> Result<BrokerConfig, Failure> {
    let mqtt_key = agent::mqtt_key(config, credentials)?;
    let machine = agent::broker_config(
        config,
        credentials,
        &mqtt_key,
        Clock::new().now().wall.seconds(),
        None,
        &Authorities::default(),
    )?;
    Ok(BrokerConfig {
        client_id: format!("vend-platform-{:08x}", fastrand::u32(..)),
        // Its session ends with it.
        session_expiry_s: 0,
        subscribe: machine.publish,
        publish: device::down_topic(&config.machine_no),
        will: Vec::new(),
        ..machine
    })
}

/// A line for whoever watches. Whether it gets there changes nothing.
fn log(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[derive(Clone)]
struct Stage {
    cloud: Arc<Mutex<Box<dyn StandIn>>>,
    /// Something may wait to be carried out.
    asked: Arc<Notify>,
}

impl Stage {
    /// Nothing that holds the lock can panic half-way, so poisoned books are still whole.
    fn cloud(&self) -> MutexGuard<'_, Box<dyn StandIn>> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> Answer {
        let now_s = Clock::new().now().wall.seconds();
        let (answer, line) = over_http::answer(&mut **self.cloud(), request, now_s);
        self.asked.notify_one();
        log(&line);
        answer
    }

    /// What the platform wants done, if this is the platform.
    fn next_outward(&self) -> Option<Outward> {
        self.cloud().platform().and_then(SimCloud::next_outward)
    }

    async fn play(&self, server: impl Future<Output = ()>, broker: Option<BrokerConfig>) -> Result<Exit, Failure> {
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| broken(&e))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| broken(&e))?;
        let (to_broker, wishes) = mpsc::channel(BROKER_QUEUE);
        let (events, mut from_broker) = mpsc::channel(BROKER_QUEUE);
        let has_broker = broker.is_some();
        let at_broker = async {
            match broker {
                Some(config) => broker::run(config, wishes, events).await,
                None => pending().await,
            }
        };
        let (callbacks, waiting) = mpsc::channel(CALLBACKS_MAX);
        let telling = tell_merchants(waiting)?;
        tokio::pin!(server, at_broker, telling);
        let mut tick = tokio::time::interval(TICK);
        let mut device = Device { to_broker, epoch: None, waiting: VecDeque::new(), has_broker };
        loop {
            tokio::select! {
                () = &mut server => return Err(broken(&io::Error::other("the server ended"))),
                () = &mut at_broker => return Err(broken(&io::Error::other("the connection to the broker ended"))),
                () = &mut telling => return Err(broken(&io::Error::other("the callbacks ended"))),
                _ = terminate.recv() => return Ok(Exit::Done),
                _ = interrupt.recv() => return Ok(Exit::Interrupted),
                Some(event) = from_broker.recv() => device.on_event(event, self),
                () = self.asked.notified() => {}
                _ = tick.tick() => {}
            }
            self.cloud().tick(Clock::new().now().wall.seconds());
            while let Some(outward) = self.next_outward() {
                match outward {
                    Outward::Command(payload) => device.send(payload),
                    Outward::Notify { url, body } => {
                        if callbacks.try_send((url, body)).is_err() {
                            log("a callback is lost: too many wait");
                        }
                    }
                }
            }
        }
    }
}

/// The stand-in at the broker.
struct Device {
    to_broker: mpsc::Sender<ToBroker>,
    epoch: Option<Epoch>,
    waiting: VecDeque<Vec<u8>>,
    has_broker: bool,
}

impl Device {
    fn send(&mut self, payload: Vec<u8>) {
        if !self.has_broker {
            log("a command goes nowhere: --broker was not given");
        } else if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(payload);
        } else {
            log("a command is lost: too many wait for the broker");
        }
        self.flush();
    }

    /// What the broker took at once is gone from here; the platform has no memory for the rest of its way.
    fn flush(&mut self) {
        let Some(epoch) = self.epoch else { return };
        while let Some(payload) = self.waiting.pop_front() {
            log(&format!("to the machine: {} bytes", payload.len()));
            let publish = ToBroker::Publish { epoch, token: 0, payload };
            if self.to_broker.try_send(publish).is_err() {
                log("a command is lost: the connection takes no more");
            }
        }
    }

    fn on_event(&mut self, event: FromBroker, stage: &Stage) {
        match event {
            FromBroker::Connected { .. } => {}
            FromBroker::Subscribed { epoch } => {
                log("at the broker");
                self.epoch = Some(epoch);
                self.flush();
            }
            FromBroker::Message { tag, payload, .. } => {
                match stage.cloud().platform().map(|platform| platform.hear(&payload)) {
                    Some(Ok(said)) => log(&format!("from the machine: {said}")),
                    Some(Err(why)) => log(&format!("from somebody: dropped, {why}")),
                    None => {}
                }
                if self.to_broker.try_send(ToBroker::Ack(tag)).is_err() {
                    log("an acknowledgement is lost: the message comes again");
                }
            }
            FromBroker::Published { .. } | FromBroker::RoundTrip { .. } => {}
            FromBroker::Lost { trouble, .. } => {
                self.epoch = None;
                log(&format!("broker: {trouble}"));
            }
            FromBroker::Fault(fault) => log(&format!("broker: {fault}")),
        }
    }
}

/// POSTs callbacks, one after the other, each once.
fn tell_merchants(mut waiting: mpsc::Receiver<(String, Vec<u8>)>) -> Result<impl Future<Output = ()>, Failure> {
    let wrong = |error: &dyn InChinese| Failure::of(Exit::Configuration, error);
    // A stand-in's merchant stands on this computer, or somewhere in the workshop.
    let rules = TargetRules::new(Vec::new(), true, true);
    let client = client::Client::new(client::Parts {
        tls: TlsSupply::open(TlsFiles::default(), None, &Authorities::default()).map_err(|e| wrong(&e))?,
        report: rules.clone(),
        cloud: rules,
        proxies: Proxies::from_environment().map_err(|e| wrong(&e))?,
        resolver: Arc::new(resolver::System),
        time_outs: client::TimeOuts::default(),
    });
    Ok(async move {
        while let Some((url, body)) = waiting.recv().await {
            let mut headers = http::HeaderMap::new();
            headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
            let request =
                client::Request { method: http::Method::POST, url, headers, body: body.into(), kind: Kind::Report };
            match client.send(request).await {
                Ok(answer) => log(&format!("callback: {}", answer.status)),
                Err(failure) => log(&format!("callback: {failure}")),
            }
        }
        pending().await
    })
}
