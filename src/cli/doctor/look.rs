//! Looking at everything at once: each probe with its own time-out, in two rounds, since some ask what others found.

use super::super::ConfigArgs;
use super::super::failure::Failure;
use super::super::lang::Lang;
use super::platform;
use crate::agent;
use crate::config::Config;
use crate::config::credentials::Credentials;
use crate::config::file::CONTROL_SOCKET_DEFAULT;
use crate::config::problem::ConfigError;
use crate::control::{Ask, Slots};
use crate::core::Status;
use crate::doctor::Probe;
use crate::doctor::seen::{Daemon, Fact, Journal, Lock, Login, NoDaemon, Seen, Tried, Work};
use crate::io::broker::{self, BrokerConfig, Trouble};
use crate::io::clock::Clock;
use crate::io::control_client::{self, AskError};
use crate::io::doctor::{self as probes, Root};
use crate::io::http::authorities::Authorities;
use crate::io::http::proxy::Proxies;
use crate::io::http::supply::TlsSupply;
use crate::io::http::target::TargetRules;
use crate::order::said::{InChinese as _, Said};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Of one merchant, in ms: each is named with what became of it, so they end before their probe does.
const RECEIVER_TIME_OUT_MS: u64 = 2_500;

/// Asks these probes.
///
/// # Errors
/// The system gives no runtime.
pub(super) fn look(
    place: &ConfigArgs,
    socket: Option<&Path>,
    probes: &BTreeSet<Probe>,
    shows: Option<Lang>,
) -> Result<Seen, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let looker = Looker { place, socket, probes, ended: Cell::new(0), shows, root: Root::default() };
    let seen = runtime.block_on(looker.look());
    looker.wipe();
    // What hangs in the system is not waited for.
    runtime.shutdown_background();
    Ok(seen)
}

struct Looker<'a> {
    place: &'a ConfigArgs,
    /// The daemon's, if it is not the configuration's.
    socket: Option<&'a Path>,
    /// Those that are asked.
    probes: &'a BTreeSet<Probe>,
    /// Of them so many have ended.
    ended: Cell<usize>,
    /// The progress is shown, in this language.
    shows: Option<Lang>,
    root: Root,
}

/// Runs what may hang in the system on a thread of its own.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Fact<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => Fact::Is(value),
        Err(error) => Fact::Unknown(Said::new("it failed", "检查失败").then(&probes::failed(&error))),
    }
}

/// The same for a probe that says itself what became of it.
async fn blocking_fact<T: Send + 'static>(work: impl FnOnce() -> Fact<T> + Send + 'static) -> Fact<T> {
    match blocking(work).await {
        Fact::Is(fact) => fact,
        Fact::Unknown(why) => Fact::Unknown(why),
        Fact::NotAsked | Fact::TimedOut(_) | Fact::NoPermission => Fact::NotAsked,
    }
}

impl Looker<'_> {
    /// One probe, if it is asked, within its time.
    async fn bounded<T>(&self, probe: Probe, work: impl Future<Output = Fact<T>>) -> Fact<T> {
        if !self.probes.contains(&probe) {
            return Fact::NotAsked;
        }
        let limit_s = probe.time_out_s();
        let fact = tokio::time::timeout(Duration::from_secs(limit_s), work).await;
        self.ended.set(self.ended.get() + 1);
        if let Some(lang) = self.shows {
            let (ended, all) = (self.ended.get(), self.probes.len());
            let _ = write!(std::io::stderr(), "\r{} {ended}/{all}", lang.say("looking", "检查中"));
        }
        fact.unwrap_or(Fact::TimedOut(limit_s))
    }

    /// The same for one that needs the configuration.
    async fn by_config<T, F: Future<Output = Fact<T>>>(
        &self,
        probe: Probe,
        config: &Option<Arc<Config>>,
        work: impl FnOnce(Arc<Config>) -> F,
    ) -> Fact<T> {
        match config {
            Some(config) => self.bounded(probe, work(config.clone())).await,
            None => Fact::NotAsked,
        }
    }

    /// Takes the progress away.
    fn wipe(&self) {
        if self.shows.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    async fn look(&self) -> Seen {
        let path = self.place.config.clone();
        let directory = self.place.secrets_directory();
        let beside = directory.clone();
        // The secrets too: those who log in with them need them before the first round.
        let load = move || -> (Result<Config, ConfigError>, Option<Credentials>) {
            let config = Config::load(&path).map(|loaded| loaded.config);
            let credentials = config.as_ref().ok().and_then(|config| Credentials::load(Some(&beside), config).ok());
            (config, credentials)
        };
        let (configuration, credentials) = match self.bounded(Probe::Configuration, blocking(load)).await {
            Fact::Is((read, credentials)) => (Some(read), credentials),
            _ => (None, None),
        };
        let config = configuration.as_ref().and_then(|read| read.as_ref().ok()).cloned().map(Arc::new);
        let mut seen = Seen { version: env!("CARGO_PKG_VERSION").to_owned(), configuration, ..Seen::default() };
        self.first_round(&mut seen, &config, directory, credentials.as_ref()).await;
        self.second_round(&mut seen, &config, credentials.as_ref()).await;
        seen
    }

    async fn first_round(
        &self,
        seen: &mut Seen,
        config: &Option<Arc<Config>>,
        directory: PathBuf,
        credentials: Option<&Credentials>,
    ) {
        let root = &self.root;
        let configured = config.as_ref().map(|config| config.control_socket.clone());
        let socket = self.socket.map(Path::to_owned).or(configured);
        let socket = socket.unwrap_or_else(|| CONTROL_SOCKET_DEFAULT.into());
        let to_pid = socket.clone();
        let secrets = self.by_config(Probe::Credentials, config, |config| {
            blocking_fact(move || probes::secrets(&directory, &config))
        });
        let certificates =
            self.by_config(Probe::Certificates, config, |config| blocking_fact(move || probes::certificates(&config)));
        let unit = self.bounded(Probe::Unit, probes::unit(root));
        let daemon = self.bounded(Probe::Daemon, blocking(move || ask_daemon(&socket)));
        let disk = self.by_config(Probe::Disk, config, |config| blocking_fact(move || probes::disk(&config)));
        let lock = self.by_config(Probe::Lock, config, |config| {
            let root = root.clone();
            blocking_fact(move || probes::lock(&root, &config))
        });
        let port = self.by_config(Probe::Port, config, |config| {
            let root = root.clone();
            blocking_fact(move || {
                let daemon = control_client::listener(&to_pid);
                let holder = probes::lock(&root, &config);
                let holder = holder.value().and_then(|lock| match lock {
                    Lock::Held { pid, .. } => Some(*pid),
                    Lock::Absent | Lock::Free => None,
                });
                let own: Vec<u32> = daemon.into_iter().chain(holder).collect();
                probes::port(&root, &config, &own)
            })
        });
        let route = self.bounded(Probe::Route, async { probes::route(root) });
        let server = self.by_config(Probe::Network, config, |config| async move { reach_broker(&config).await });
        let name = self.by_config(Probe::Network, config, |config| async move { resolve_platform(&config).await });
        let platform =
            self.by_config(Probe::Platform, config, |config| async move { platform::ask(&config, credentials).await });
        let proxies = self.bounded(Probe::Proxy, probes::proxies());
        let clock = {
            let root = root.clone();
            self.bounded(Probe::Clock, blocking_fact(move || probes::clock(&root)))
        };
        (seen.secrets, seen.certificates, seen.unit, seen.daemon) = tokio::join!(secrets, certificates, unit, async {
            let (disk, lock, port, route, server, name, platform, proxies, clock, daemon) =
                tokio::join!(disk, lock, port, route, server, name, platform, proxies, clock, daemon);
            (seen.disk, seen.lock, seen.port, seen.route) = (disk, lock, port, route);
            (seen.broker, seen.platform_name, seen.platform) = (server, name, platform);
            (seen.proxies, seen.clock) = (proxies, clock);
            daemon
        });
    }

    /// What depends on whether a daemon answers, and on what it says.
    async fn second_round(&self, seen: &mut Seen, config: &Option<Arc<Config>>, credentials: Option<&Credentials>) {
        let daemon = seen.daemon().cloned();
        let answers = daemon.is_some();
        let journal = self.by_config(Probe::Journal, config, |config| async move {
            if answers {
                return Fact::Is((Fact::Is(Journal::DaemonsOwn), Fact::Is(None)));
            }
            blocking(move || probes::journal(&config)).await
        });
        let is_free = |lock: &Lock| matches!(lock, Lock::Free | Lock::Absent);
        let may_open = !answers
            && seen.lock.value().is_some_and(is_free)
            && seen.port.value().is_some_and(|port| port.is_device && port.holders.is_empty());
        let opens = self.by_config(Probe::PortOpen, config, |config| async move {
            if may_open { probes::opens(&config) } else { Fact::NotAsked }
        });
        let is_connected = daemon.as_ref().is_some_and(|daemon| daemon.status.broker_connected);
        let login = self.by_config(Probe::Broker, config, |config| async move {
            match credentials {
                _ if is_connected => Fact::Is(Login::Connected),
                Some(credentials) => log_in(&config, credentials).await,
                None => Fact::NotAsked,
            }
        });
        let (journal, opens, login) = tokio::join!(journal, opens, login);
        (seen.port_opens, seen.login) = (opens, login);
        let (journal, copied) = match journal {
            Fact::Is(both) => both,
            Fact::NotAsked => (Fact::NotAsked, Fact::NotAsked),
            Fact::NoPermission => (Fact::NoPermission, Fact::NoPermission),
            Fact::TimedOut(s) => (Fact::TimedOut(s), Fact::TimedOut(s)),
            Fact::Unknown(why) => (Fact::Unknown(why.clone()), Fact::Unknown(why)),
        };
        seen.journal = journal;
        seen.work = match &daemon {
            Some(daemon) => Fact::Is(Some(Work::of_daemon(daemon))),
            None => copied,
        };
        let receivers = seen.work.value().and_then(Option::as_ref).map(|work| work.waiting.receivers.clone());
        seen.merchants = self
            .by_config(Probe::Merchants, config, |config| async move {
                let receivers = receivers.unwrap_or_default();
                reach_merchants(&config, receivers).await
            })
            .await;
    }
}

fn ask_daemon(socket: &Path) -> Result<Daemon, NoDaemon> {
    let no_daemon = |error: AskError| match error {
        AskError::NotRunning { socket, .. } => NoDaemon::NotRunning(socket),
        AskError::NoPermission { socket } => NoDaemon::NoPermission(socket),
        other => NoDaemon::Other(other.said()),
    };
    let status: Status = control_client::ask(socket, Ask::Status).map_err(no_daemon)?;
    let slots: Slots = control_client::ask(socket, Ask::Slots).map_err(no_daemon)?;
    Ok(Daemon { status: Box::new(status), slots: slots.slots })
}

async fn reach_broker(config: &Arc<Config>) -> Fact<crate::doctor::seen::Server> {
    let tls = match config.broker.endpoint.tls {
        false => None,
        true => {
            let files = agent::tls_files(&config.broker.ca_file, &config.broker.client_identity);
            // Reading the system's authorities takes a slow disk a while.
            let opened =
                tokio::task::spawn_blocking(move || TlsSupply::open(files, None, &Authorities::default())).await;
            Some(match opened {
                Ok(supply) => supply.map_err(|error| error.said()),
                Err(error) => Err(probes::failed(&error)),
            })
        }
    };
    probes::broker(config, tls).await
}

/// The platform's name, where this machine itself must know its address.
async fn resolve_platform(config: &Config) -> Fact<Result<Vec<String>, Said>> {
    let Some(cloud) = &config.cloud else { return Fact::NotAsked };
    let proxied = Proxies::from_environment().is_ok_and(|proxies| proxies.all().next().is_some());
    if proxied {
        return Fact::NotAsked;
    }
    let found = probes::resolve(&cloud.endpoint.host).await;
    Fact::Is(found.map(|all| all.iter().map(ToString::to_string).collect()))
}

async fn log_in(config: &Config, credentials: &Credentials) -> Fact<Login> {
    let now_s = Clock::new().now().wall.seconds();
    let prepared = agent::mqtt_key(config, credentials)
        .and_then(|key| agent::broker_config(config, credentials, &key, now_s, None, &Authorities::default()));
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Fact::Is(Login::Failed(error.said())),
    };
    // Of its own: with the machine's, the broker would throw the daemon out, or forget what it keeps for it.
    let broker = BrokerConfig { client_id: format!("vend-doctor-{:08x}", fastrand::u32(..)), ..prepared };
    Fact::Is(match broker::log_in_once(&broker).await {
        Ok(()) => Login::LetIn,
        Err(trouble @ (Trouble::BadCredentials | Trouble::NotAuthorised)) => Login::Refused(trouble.said()),
        Err(Trouble::ClientIdRejected) => Login::OtherIdRefused,
        Err(trouble) => Login::Failed(trouble.said()),
    })
}

async fn reach_merchants(config: &Config, receivers: Vec<String>) -> Fact<Vec<Tried>> {
    let report = &config.report;
    let rules = TargetRules::new(report.allow_hosts.clone(), report.allow_private_targets, report.allow_plaintext);
    let proxies = Proxies::from_environment().unwrap_or_default();
    let mut attempts = JoinSet::new();
    for receiver in receivers {
        let (rules, proxies) = (rules.clone(), proxies.clone());
        attempts.spawn(async move {
            let limit = Duration::from_millis(RECEIVER_TIME_OUT_MS);
            let reached = tokio::time::timeout(limit, probes::receiver(&receiver, &rules, &proxies)).await;
            let reached = reached.unwrap_or_else(|_| Err(Said::new("no answer in time", "超时未应答")));
            (receiver, reached)
        });
    }
    let mut tried = attempts.join_all().await;
    tried.sort_by(|(one, _), (other, _)| one.cmp(other));
    Fact::Is(tried)
}
