//! The session with the broker, as the configuration wants it.

use super::{StartError, tls_files};
use crate::cloud::sign::SigningKey;
use crate::cloud::{device, up};
use crate::config::credentials::Credentials;
use crate::config::{self, Config};
use crate::core::event::{CertificateNews, CertificateOf};
use crate::io::broker::{self, BrokerConfig};
use crate::io::http::authorities::Authorities;
use crate::io::http::supply::{Listener, TlsSupply};
use tokio::sync::mpsc;

/// The machine's own connection to its broker; the will says that it was written at `now_s`. News of the certificates
/// go to `certificates`.
///
/// # Errors
/// When a certificate of the configuration does not read.
pub(crate) fn broker_config(
    config: &Config,
    credentials: &Credentials,
    mqtt_key: &SigningKey,
    now_s: u64,
    certificates: Option<&mpsc::Sender<CertificateNews>>,
    authorities: &Authorities,
) -> Result<BrokerConfig, StartError> {
    let broker = &config.broker;
    let tls = match broker.endpoint.tls {
        true => {
            let listener = certificates.map(|to| Listener {
                to: to.clone(),
                own: CertificateOf::OwnForBroker,
                server: Some(CertificateOf::Broker),
            });
            let files = tls_files(&broker.ca_file, &broker.client_identity);
            Some(TlsSupply::open(files, listener, authorities).map_err(|e| StartError::because(&e))?)
        }
        false => None,
    };
    let machine_no = &config.machine_no;
    Ok(BrokerConfig {
        host: broker.endpoint.host.to_string(),
        port: broker.endpoint.port,
        tls,
        protocol: match broker.protocol {
            config::file::Protocol::V5 => broker::Protocol::V5,
            config::file::Protocol::V311 => broker::Protocol::V311,
        },
        client_id: machine_no.to_string(),
        username: broker.username.clone(),
        password: credentials.mqtt_password.as_ref().map(|p| broker::Password::new(p.reveal().to_owned())),
        keep_alive_s: broker.keep_alive_s,
        session_expiry_s: broker.session_expiry_s,
        subscribe: device::down_topic(machine_no),
        publish: up::UP_TOPIC.to_owned(),
        will: up::offline(machine_no, None, "network_timeout", now_s, mqtt_key),
    })
}
