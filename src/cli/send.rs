//! `vend send`: a signed command to a machine, as the platform would send it. For tests.

use super::ConfigArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use super::sign;
use crate::agent;
use crate::cli::usage::Misread;
use crate::cloud::{device, envelope};
use crate::config::Config;
use crate::config::credentials::Credentials;
use crate::config::endpoint::{Endpoint, MQTT};
use crate::io::broker::{self, BrokerConfig};
use crate::io::clock::Clock;
use crate::io::http::authorities::Authorities;
use crate::order::command::QUANTITY_MAX;
use crate::order::key::{Id, Key};
use crate::order::said::{InChinese as _, Said};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// What to send.
#[derive(Debug, Clone, Subcommand)]
pub enum SendCommand {
    /// A dispense command (device.delivery.put); it turns a motor
    Dispense(DispenseArgs),
}

/// Arguments of `vend send dispense`.
#[derive(Debug, Clone, Args)]
pub struct DispenseArgs {
    /// Where broker, machine and keys are.
    #[command(flatten)]
    pub place: ConfigArgs,
    /// Another way into the broker.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The order: 1 to 64 of 0-9 A-Z a-z _ . -
    #[arg(long, value_name = "ID", value_parser = id)]
    pub order_id: Id,
    /// The line of the order; a new attempt needs a new one
    #[arg(long, value_name = "ID", value_parser = id)]
    pub record_id: Id,
    /// The slot as the platform numbers it: the board's own number unless the profile has other codes
    #[arg(long, value_name = "SLOT")]
    pub code: String,
    /// The driver board, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=8))]
    pub addr: Option<u8>,
    /// Units
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(QUANTITY_MAX)))]
    pub quantity: u8,
    /// Where the result is POSTed
    #[arg(long, value_name = "URL")]
    pub notify_url: Option<String>,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Instead of the configuration's: many brokers let a machine only read where the platform writes.
#[derive(Debug, Clone, Args)]
pub struct BrokerArgs {
    /// Another broker than the configuration's, mqtt:// or mqtts://
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    pub broker: Option<Endpoint>,
    /// Another user at the broker than the configuration's
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// The file with that user's password, as one line
    #[arg(long, value_name = "FILE", requires = "username")]
    pub password_file: Option<PathBuf>,
}

fn id(text: &str) -> Result<Id, Misread> {
    Ok(Id::parse(text)?)
}

/// A broker's URL. Plain text over a network is nothing to type by the way.
fn endpoint(text: &str) -> Result<Endpoint, Misread> {
    let no_url = |_| Misread(Said::new("write mqtts://HOST:PORT", "应写作 mqtts://HOST:PORT"));
    let endpoint = Endpoint::parse(text, &MQTT).map_err(no_url)?;
    if endpoint.tls || endpoint.host.is_this_machine() {
        return Ok(endpoint);
    }
    Err(Misread(Said::new(
        "mqtt:// is for loopback; write mqtts://, or use a configuration with allow_plaintext = true",
        "mqtt:// 仅用于本机；请写 mqtts://，或使用含 allow_plaintext = true 的配置",
    )))
}

impl SendCommand {
    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        let SendCommand::Dispense(args) = self;
        args.output
    }
}

/// Runs `vend send …`: publishes, waits until the broker has taken it over, and writes the key.
///
/// # Errors
/// A wrong configuration, a missing secret, a broker that does not take it, or a standard output that takes no more.
pub fn run(command: &SendCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let SendCommand::Dispense(args) = command;
    let mut config = Config::load(&args.place.config)?.config;
    let mut credentials = Credentials::load(Some(&args.place.secrets_directory()), &config)?;
    apply(&args.broker, &mut config, &mut credentials)?;
    let mqtt_key = agent::mqtt_key(&config, &credentials)?;
    let now_s = Clock::new().now().wall.seconds();
    let (addr, quantity) = (args.addr.map(|n| n.to_string()), args.quantity.to_string());
    let now = now_s.to_string();
    let fields = [
        ("method", Some(device::PUT_METHOD)),
        ("timestamp", Some(now.as_str())),
        ("client_id", Some(config.machine_no.as_str())),
        ("order_id", Some(args.order_id.as_str())),
        ("record_id", Some(args.record_id.as_str())),
        ("code", Some(args.code.as_str())),
        ("addr", addr.as_deref()),
        ("quantity", Some(quantity.as_str())),
        ("notify_url", args.notify_url.as_deref()),
    ];
    let given = fields.into_iter().filter_map(|(name, text)| text.map(|text| (name, text.into())));
    let payload = envelope::seal(given, &mqtt_key);

    let broker = BrokerConfig {
        publish: device::down_topic(&config.machine_no),
        // Of its own: with the machine's, the broker would throw the machine out.
        client_id: format!("vend-send-{:08x}", fastrand::u32(..)),
        ..agent::broker_config(&config, &credentials, &mqtt_key, now_s, None, &Authorities::default())?
    };
    let network = |why: Said| Failure::told(Exit::Network, Said::new(why.en, format!("消息未送达：{}", why.zh)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| network(e.said()))?;
    runtime.block_on(broker::publish_once(&broker, payload)).map_err(|trouble| network(trouble.said()))?;

    let key = Key { order_id: args.order_id.clone(), record_id: args.record_id.clone() };
    if out.is_json() {
        out.json(&json!({ "order_id": key.order_id, "record_id": key.record_id, "timestamp": now_s }))?;
    } else {
        out.line(&key.to_string())?;
    }
    Ok(Exit::Done)
}

/// Puts the flags in the place of the configuration's values.
pub(super) fn apply(args: &BrokerArgs, config: &mut Config, credentials: &mut Credentials) -> Result<(), Failure> {
    if let Some(endpoint) = &args.broker {
        config.broker.endpoint = endpoint.clone();
    }
    if let Some(username) = &args.username {
        config.broker.username = Some(username.clone());
        credentials.mqtt_password = match &args.password_file {
            Some(path) => Some(sign::secret_in(path)?),
            None => None,
        };
    }
    Ok(())
}
