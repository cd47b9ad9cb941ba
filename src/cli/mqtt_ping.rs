//! `vend mqtt ping`: how long broker and machine take for a question and its answer.
//!
//! While the agent runs its own session is measured, by the keep-alive that the session says anyway (PINGREQ, PINGRESP): it
//! needs no right to any topic, and puts nothing between commands and their acknowledgements. Otherwise each is a log-in
//! of its own, with the configured user and another client id than the machine's, whose session stays untouched.

use super::ConfigArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::interrupts::Interrupts;
use super::output::{Output, OutputArgs};
use crate::agent;
use crate::config::Config;
use crate::config::credentials::Credentials;
use crate::control::{Ask, BrokerTrip};
use crate::io::broker::{self, BrokerConfig};
use crate::io::clock::{Clock, boot_now};
use crate::io::control_client::{self, AskError};
use crate::io::http::authorities::Authorities;
use crate::order::said::{Spoken, said};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the agent is asked whether its session was measured anew.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A session that says nothing for so many keep-alives is lost, and the agent knows it.
const KEEP_ALIVES_MAX: u64 = 2;
/// Above that, in ms, until the agent has noticed.
const SLACK_MS: u64 = 5_000;
/// Between two log-ins: a broker that bans who knocks too often is not to be provoked.
const LOG_IN_EVERY: Duration = Duration::from_secs(1);

/// Arguments of `vend mqtt ping`.
#[derive(Debug, Clone, Args)]
pub struct PingArgs {
    /// How often
    #[arg(id = "pings", long = "count", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub count: u32,
    /// The daemon's socket, if another than the configuration's
    #[arg(id = "other_socket", long = "socket", value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Where configuration and secrets are, for when the daemon does not run.
    #[command(flatten)]
    pub place: ConfigArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Trip {
    /// session or log_in.
    way: &'static str,
    round_trip_ms: u64,
    /// How long ago, of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
}

/// Runs `vend mqtt ping`.
///
/// # Errors
/// No permission, a wrong configuration, a broker that is not there or says no, Ctrl-C.
pub fn run(args: &PingArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let loaded = Config::load(&args.place.config);
    let socket = match (&args.socket, &loaded) {
        (Some(socket), _) => socket.clone(),
        (None, Ok(loaded)) => loaded.config.control_socket.clone(),
        (None, Err(_)) => crate::config::file::CONTROL_SOCKET_DEFAULT.into(),
    };
    let mut interrupts = Interrupts::new()?;
    match ask(&socket) {
        Ok(first) => over_the_session(args, first, &socket, &mut interrupts, out),
        Err(AskError::NotRunning { .. }) => {
            let config = loaded?.config;
            let credentials = Credentials::load(Some(&args.place.secrets_directory()), &config)?;
            over_log_ins(args, &config, &credentials, &mut interrupts, out)
        }
        Err(error) => Err(error.into()),
    }
}

fn ask(socket: &Path) -> Result<BrokerTrip, AskError> {
    control_client::ask(socket, Ask::BrokerTrip)
}

fn away(why: &impl Spoken) -> Failure {
    Failure::told(
        Exit::Network,
        said!("{why}\n  = what is wrong with it: vend doctor", "{why}\n  = 请查看原因：vend doctor", why),
    )
}

fn over_the_session(
    args: &PingArgs,
    mut told: BrokerTrip,
    socket: &Path,
    interrupts: &mut Interrupts,
    out: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let mut shown = 0;
    let mut last = None;
    let mut since = boot_now();
    loop {
        if !told.connected {
            return Err(away(&said!("the agent has no connection to the broker", "守护进程未连接消息服务器")));
        }
        if let Some(trip) = told.last.filter(|trip| Some(trip.since_boot_ms) != last) {
            last = Some(trip.since_boot_ms);
            since = boot_now();
            show(Trip { way: "session", round_trip_ms: trip.round_trip_ms, age_ms: Some(trip.age_ms) }, out)?;
            shown += 1;
            if shown >= args.count {
                return Ok(Exit::Done);
            }
        }
        let longest_ms = u64::from(told.keep_alive_s) * 1_000 * KEEP_ALIVES_MAX + SLACK_MS;
        if boot_now().since_ms(since) > longest_ms {
            return Err(away(&said!("the broker answered no keep-alive in time", "消息服务器未按时应答心跳")));
        }
        interrupts.pass(LOOK_EVERY, "nothing was measured any more", "测量已中止")?;
        told = ask(socket)?;
    }
}

fn over_log_ins(
    args: &PingArgs,
    config: &Config,
    credentials: &Credentials,
    interrupts: &mut Interrupts,
    out: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let key = agent::mqtt_key(config, credentials)?;
    let now_s = Clock::new().now().wall.seconds();
    let machines = agent::broker_config(config, credentials, &key, now_s, None, &Authorities::default())?;
    for n in 0..args.count {
        if n > 0 {
            interrupts.pass(LOG_IN_EVERY, "nothing was measured any more", "测量已中止")?;
        }
        let own = BrokerConfig { client_id: format!("vend-ping-{:08x}", fastrand::u32(..)), ..machines.clone() };
        let began = boot_now();
        interrupts.or(broker::log_in_once(&own))?.map_err(|trouble| away(&trouble))?;
        let round_trip_ms = boot_now().since_ms(began);
        show(Trip { way: "log_in", round_trip_ms, age_ms: None }, out)?;
    }
    Ok(Exit::Done)
}

fn show(trip: Trip, out: &mut Output<'_>) -> Result<(), Failure> {
    if out.is_json() {
        out.json(&trip)?;
    } else if out.is_plain() {
        let age = trip.age_ms.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
        out.line(&format!("{}\t{}\t{age}", trip.way, trip.round_trip_ms))?;
    } else {
        let ms = trip.round_trip_ms;
        let text = match trip.age_ms {
            Some(age_ms) => out.lang.say(
                format!("the daemon's session: {ms} ms, {} s ago", age_ms / 1_000),
                format!("守护进程的会话：{ms} 毫秒，{} 秒前", age_ms / 1_000),
            ),
            None => out.lang.say(
                format!("a log-in of its own: {ms} ms, with name look-up and TLS"),
                format!("单独登录：{ms} 毫秒，含域名解析与 TLS"),
            ),
        };
        out.line(&text)?;
    }
    out.finish()?;
    Ok(())
}
