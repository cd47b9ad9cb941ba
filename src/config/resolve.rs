//! From the keys as written to the configuration in use: every value checked, each mistake with its place.

use super::endpoint::{self, Endpoint, Schemes};
use super::file::{self, File, MqttKey, cloud_asked_by};
use super::host::HostPattern;
use super::pem::{self, PemFault};
use super::problem::{Both, Complaint, ConfigError, Problem};
use super::{Board, Broker, ClientIdentity, Cloud, Config, Loaded, MqttSigning, Report, Telemetry};
use crate::board::profile::Profile;
use crate::excerpt::Source;
use crate::order::key::MachineNo;
use crate::order::said::InChinese as _;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Checks everything, so that all mistakes are told at once, and only then gives the configuration out.
pub(super) fn resolve(source: &Source<'_>, mut file: File) -> Result<Loaded, ConfigError> {
    let base = source.path.parent().unwrap_or(Path::new("/"));
    make_absolute(&mut file, base);
    let mut check = Check { source, problems: Vec::new() };

    let machine_no = check.machine_no(&file);
    let broker = check.broker(&file.broker);
    let cloud = check.cloud(&file);
    let mqtt_signing = check.mqtt_signing(&file);
    let board = check.board(&file.board, base);
    let report = check.report(&file.report);
    let telemetry = check.telemetry(&file.telemetry);
    let sale = check.sale(&file, board.as_ref());
    let web = check.web(&file.web);
    let notify = check.notify(&file.notify);

    let wrong = |problems| ConfigError::Wrong { path: source.path.to_owned(), problems };
    match (machine_no, broker, cloud, mqtt_signing, board, telemetry) {
        (Some(machine_no), Some(broker), cloud, Some(mqtt_signing), Some(board), Some(telemetry))
            if check.problems.is_empty() =>
        {
            let config = Config {
                machine_no,
                broker,
                cloud,
                mqtt_signing,
                board,
                report,
                sale,
                telemetry,
                notify,
                time_trust: file.time.trust,
                remote_allow: file.remote.allow.clone(),
                state_directory: file.state.directory.clone(),
                control_socket: file.control.socket.clone(),
                web,
            };
            Ok(Loaded { config, effective: file })
        }
        _ => {
            check.problems.sort_by_key(|problem| (problem.place.line, problem.place.column));
            Err(wrong(check.problems))
        }
    }
}

/// Paths of the file begin where the file is.
fn make_absolute(file: &mut File, base: &Path) {
    let broker = [&mut file.broker.ca_file, &mut file.broker.client_certificate, &mut file.broker.client_key];
    let cloud = [&mut file.cloud.ca_file, &mut file.cloud.client_certificate, &mut file.cloud.client_key];
    let others = [&mut file.report.ca_file, &mut file.sale.ca_file, &mut file.notify.ca_file, &mut file.board.port];
    for path in broker.into_iter().chain(cloud).chain(others).flatten() {
        // An empty path stays empty: it is a mistake that the check tells.
        if !path.as_ref().as_os_str().is_empty() {
            *path.as_mut() = base.join(path.as_ref());
        }
    }
    file.state.directory = base.join(&file.state.directory);
    file.control.socket = base.join(&file.control.socket);
}

pub(super) struct Check<'a> {
    source: &'a Source<'a>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    pub(super) fn complain(&mut self, span: Range<usize>, complaint: Complaint) {
        self.problems.push(Problem { place: self.source.place(span), complaint });
    }

    pub(super) fn missing(&mut self, section: &'static str, example: &'static str, asked_by: Option<&'static str>) {
        let span = if section.is_empty() { 0..0 } else { self.source.section(section) };
        self.complain(span, Complaint::Missing { section, example, asked_by });
    }

    /// A text that must be there and say something.
    fn text(&mut self, value: &Option<Spanned<String>>, key: &'static str) -> Option<String> {
        let value = value.as_ref()?;
        if value.as_ref().trim().is_empty() {
            self.complain(value.span(), Complaint::Empty { key });
            return None;
        }
        Some(value.as_ref().clone())
    }

    pub(super) fn number<T: TryFrom<i64>>(
        &mut self,
        value: &Spanned<i64>,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<T> {
        let found = *value.as_ref();
        let number = range.contains(&found).then(|| T::try_from(found).ok()).flatten();
        if number.is_none() {
            self.complain(value.span(), Complaint::Range { key, found, min: *range.start(), max: *range.end() });
        }
        number
    }

    fn machine_no(&mut self, file: &File) -> Option<MachineNo> {
        let Some(written) = &file.machine_no else {
            self.missing("", "machine_no = \"00012345\"", None);
            return None;
        };
        let parsed = MachineNo::parse(written.as_ref());
        if parsed.is_err() {
            self.complain(written.span(), Complaint::MachineNo { found: written.as_ref().clone() });
        }
        parsed.ok()
    }

    pub(super) fn url(
        &mut self,
        value: &Spanned<String>,
        section: &'static str,
        key: &'static str,
        schemes: Schemes,
        allow_plaintext: bool,
    ) -> Option<Endpoint> {
        match Endpoint::parse(value.as_ref(), &schemes) {
            Err(error) => {
                self.complain(value.span(), Complaint::Url { key, schemes, error });
                None
            }
            Ok(endpoint) => {
                if !endpoint.tls && !endpoint.host.is_this_machine() && !allow_plaintext {
                    let host = endpoint.host.to_string();
                    self.complain(value.span(), Complaint::Plaintext { section, host, tls_scheme: schemes.tls.0 });
                }
                Some(endpoint)
            }
        }
    }

    fn broker(&mut self, section: &file::BrokerSection) -> Option<Broker> {
        let endpoint = match &section.url {
            None => {
                self.missing("broker", "url = \"mqtts://host:8883\"", None);
                None
            }
            Some(url) => self.url(url, "broker", "broker.url", endpoint::MQTT, section.allow_plaintext),
        };
        let username = self.text(&section.username, "broker.username");
        let keep_alive_s = self.number(&section.keep_alive_s, "broker.keep_alive_s", file::KEEP_ALIVE_S);
        let session_expiry_s =
            self.number(&section.session_expiry_s, "broker.session_expiry_s", file::SESSION_EXPIRY_S);
        let ca_file = self.ca_file(&section.ca_file, "broker.ca_file");
        let client_identity = self.identity(
            (&section.client_certificate, "broker.client_certificate"),
            (&section.client_key, "broker.client_key"),
        );
        let endpoint = endpoint?;
        if !endpoint.tls {
            let tls_scheme = endpoint::MQTT.tls.0;
            for (path, key) in [
                (&section.ca_file, "broker.ca_file"),
                (&section.client_certificate, "broker.client_certificate"),
                (&section.client_key, "broker.client_key"),
            ] {
                self.tls_used(path, key, tls_scheme);
            }
        }
        Some(Broker {
            endpoint,
            protocol: section.protocol,
            username,
            keep_alive_s: keep_alive_s?,
            session_expiry_s: session_expiry_s?,
            ca_file,
            client_identity,
        })
    }

    pub(super) fn tls_used(&mut self, path: &Option<Spanned<PathBuf>>, key: &'static str, tls_scheme: &'static str) {
        if let Some(path) = path {
            self.complain(path.span(), Complaint::TlsUnused { key, tls_scheme });
        }
    }

    fn cloud(&mut self, file: &File) -> Option<Cloud> {
        let section = &file.cloud;
        let sold_by = file.sale.cloud.as_ref().and_then(|cloud| file::sold_by(*cloud.as_ref()));
        let asked_by = cloud_asked_by(section.verify_orders, section.refund_failed).or(sold_by);
        let app_id = self.text(&section.app_id, "cloud.app_id");
        let ca_file = self.ca_file(&section.ca_file, "cloud.ca_file");
        let client_identity = self.identity(
            (&section.client_certificate, "cloud.client_certificate"),
            (&section.client_key, "cloud.client_key"),
        );
        let needs_app_id = asked_by.is_some() || section.url.is_some();
        if needs_app_id && section.app_id.is_none() {
            self.missing("cloud", "app_id = \"ds0000000000000000\"", asked_by.or(Some("cloud.url")));
        }
        let Some(url) = &section.url else {
            if asked_by.is_some() {
                self.missing("cloud", "url = \"https://host\"", asked_by);
            }
            return None;
        };
        let endpoint = self.url(url, "cloud", "cloud.url", endpoint::HTTP, section.allow_plaintext)?;
        if !endpoint.tls {
            let tls_scheme = endpoint::HTTP.tls.0;
            for (path, key) in [
                (&section.ca_file, "cloud.ca_file"),
                (&section.client_certificate, "cloud.client_certificate"),
                (&section.client_key, "cloud.client_key"),
            ] {
                self.tls_used(path, key, tls_scheme);
            }
        }
        Some(Cloud {
            endpoint,
            app_id: app_id?,
            verify_orders: section.verify_orders,
            refund_failed: section.refund_failed,
            sync: section.sync,
            catalogue: section.catalogue,
            ca_file,
            client_identity,
        })
    }

    fn mqtt_signing(&mut self, file: &File) -> Option<MqttSigning> {
        match (file.signing.mqtt_key, &file.cloud.app_id) {
            (MqttKey::AppKey, _) => Some(MqttSigning::AppKey),
            (MqttKey::AppId, Some(app_id)) => Some(MqttSigning::AppId(app_id.as_ref().clone())),
            (MqttKey::AppId, None) => {
                // The cloud's check asks for it already when the cloud is used.
                let asked_by = cloud_asked_by(file.cloud.verify_orders, file.cloud.refund_failed);
                if file.cloud.url.is_none() && asked_by.is_none() {
                    let by = "signing.mqtt_key = \"app_id\"";
                    self.missing("cloud", "app_id = \"ds0000000000000000\"", Some(by));
                }
                None
            }
        }
    }

    fn board(&mut self, section: &file::BoardSection, base: &Path) -> Option<Board> {
        let profile = match &section.profile {
            None => {
                self.missing("board", "profile = \"NAME\"", None);
                None
            }
            Some(name) => match Profile::find(name.as_ref(), base) {
                Ok(profile) => Some(profile),
                Err(error) => {
                    let Both { en, zh } = error.said();
                    let why = Both { en: en.trim_end().to_owned(), zh: zh.trim_end().to_owned() };
                    self.complain(name.span(), Complaint::Profile { why });
                    None
                }
            },
        };
        let port = match &section.port {
            None => {
                self.missing("board", "port = \"/dev/vend-dispenser\"", None);
                None
            }
            Some(port) if port.as_ref().as_os_str().is_empty() => {
                self.complain(port.span(), Complaint::Empty { key: "board.port" });
                None
            }
            Some(port) => Some(port.as_ref().clone()),
        };
        Some(Board { profile: profile?, port: port?, lock_slot_after_unknown: section.lock_slot_after_unknown })
    }

    fn report(&mut self, section: &file::ReportSection) -> Report {
        let mut allow_hosts = Vec::new();
        for written in &section.allow_hosts {
            match HostPattern::parse(written.as_ref()) {
                Ok(pattern) => allow_hosts.push(pattern),
                Err(_) => self.complain(written.span(), Complaint::HostPattern { found: written.as_ref().clone() }),
            }
        }
        Report {
            allow_hosts,
            allow_private_targets: section.allow_private_targets,
            allow_plaintext: section.allow_plaintext,
            ca_file: self.ca_file(&section.ca_file, "report.ca_file"),
        }
    }

    fn telemetry(&mut self, section: &file::TelemetrySection) -> Option<Telemetry> {
        let heartbeat_s = self.number(&section.heartbeat_s, "telemetry.heartbeat_s", file::HEARTBEAT_S);
        let climate_s = match &section.climate_s {
            None => Some(None),
            Some(written) => self.number(written, "telemetry.climate_s", file::CLIMATE_S).map(Some),
        };
        Some(Telemetry { heartbeat_s: heartbeat_s?, climate_s: climate_s? })
    }

    /// A client certificate and its key: both or none, each good, and of one pair.
    fn identity(
        &mut self,
        (certificate, certificate_key): (&Option<Spanned<PathBuf>>, &'static str),
        (key, key_key): (&Option<Spanned<PathBuf>>, &'static str),
    ) -> Option<ClientIdentity> {
        let read_certificate = self.pem(certificate, certificate_key, pem::chain);
        let read_key = self.pem(key, key_key, pem::private_key);
        match (certificate, key) {
            (Some(given), None) => {
                self.complain(given.span(), Complaint::Pair { given: certificate_key, missing: key_key });
            }
            (None, Some(given)) => {
                self.complain(given.span(), Complaint::Pair { given: key_key, missing: certificate_key });
            }
            _ => {}
        }
        let ((certificate, chain), (key_path, secret)) = read_certificate.zip(read_key)?;
        if let (Err(fault), Some(written)) = (pem::pair(&chain, &secret), key) {
            let path = key_path.clone();
            self.complain(written.span(), Complaint::Pem { key: key_key, path, why: fault.text() });
        }
        Some(ClientIdentity { certificate, key: key_path })
    }

    pub(super) fn ca_file(&mut self, value: &Option<Spanned<PathBuf>>, key: &'static str) -> Option<PathBuf> {
        self.pem(value, key, pem::authorities).map(|(path, _)| path)
    }

    /// A file that must be readable and hold what `read` finds in it.
    fn pem<T>(
        &mut self,
        value: &Option<Spanned<PathBuf>>,
        key: &'static str,
        read: impl FnOnce(&[u8]) -> Result<T, PemFault>,
    ) -> Option<(PathBuf, T)> {
        let value = value.as_ref()?;
        let path = value.as_ref().clone();
        if path.as_os_str().is_empty() {
            self.complain(value.span(), Complaint::Empty { key });
            return None;
        }
        let read = match std::fs::read(&path) {
            Ok(bytes) => read(&bytes).map_err(|fault| fault.text()),
            Err(error) => Err(error.said()),
        };
        match read {
            Ok(found) => Some((path, found)),
            Err(why) => {
                self.complain(value.span(), Complaint::Pem { key, path, why });
                None
            }
        }
    }
}
