//! The HTTP clients: one for each audience, with target rules and certificates of its own.

use super::StartError;
use crate::cloud::orders::Session;
use crate::config::{ClientIdentity, Config};
use crate::core::event::{Audience, CertificateNews, CertificateOf, FailureKind, HttpAnswer, HttpFailure, Request};
use crate::io::http::authorities::Authorities;
use crate::io::http::supply::{Listener, TlsFiles, TlsSupply};
use crate::io::http::{client, proxy::Proxies, resolver, target::TargetRules, tls::Identity};
use crate::order::said::{InChinese as _, Said};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::mpsc;

/// One HTTP client an audience: each has its own target rules and certificates.
pub(super) struct Clients {
    merchant: Rc<client::Client>,
    cloud: Option<Rc<client::Client>>,
    /// The cloud that sells, where that is another one.
    seller: Option<Rc<client::Client>>,
    notify: Option<Rc<client::Client>>,
}

impl Clients {
    pub(super) fn new(
        config: &Config,
        certificates: Option<&mpsc::Sender<CertificateNews>>,
        authorities: &Authorities,
    ) -> Result<Clients, StartError> {
        let proxies = Proxies::from_environment().map_err(|e| StartError::because(&e))?;
        let report = &config.report;
        let rules = TargetRules::new(report.allow_hosts.clone(), report.allow_private_targets, report.allow_plaintext);
        let client = |files: TlsFiles, (own, server), report: TargetRules, cloud: TargetRules| {
            let listener = certificates.map(|to| Listener { to: to.clone(), own, server });
            let tls = TlsSupply::open(files, listener, authorities).map_err(|e| StartError::because(&e))?;
            let time_outs = client::TimeOuts::default();
            Ok::<_, StartError>(Rc::new(client::Client::new(client::Parts {
                tls,
                report,
                cloud,
                proxies: proxies.clone(),
                resolver: Arc::new(resolver::System),
                time_outs,
            })))
        };
        let own = TargetRules::operators_own(true);
        // A merchant sees no certificate of ours: whoever a notify_url names need not learn which machine calls.
        let files = TlsFiles { ca_file: report.ca_file.clone(), identity: None };
        let merchant = client(files, (CertificateOf::Merchants, None), rules.clone(), own.clone())?;
        let seller = match config.sale.as_ref().filter(|sale| sale.endpoint.is_some()) {
            Some(sale) => {
                let files = TlsFiles { ca_file: sale.ca_file.clone(), identity: None };
                Some(client(files, (CertificateOf::Cloud, None), rules.clone(), own.clone())?)
            }
            None => None,
        };
        let cloud = match &config.cloud {
            Some(cloud) => {
                let files = tls_files(&cloud.ca_file, &cloud.client_identity);
                let names = (CertificateOf::OwnForCloud, Some(CertificateOf::Cloud));
                Some(client(files, names, rules.clone(), own.clone())?)
            }
            None => None,
        };
        let notify = match &config.notify {
            Some(notify) => {
                let files = TlsFiles { ca_file: notify.ca_file.clone(), identity: None };
                Some(client(files, (CertificateOf::Notified, None), rules, own)?)
            }
            None => None,
        };
        Ok(Clients { merchant, cloud, seller, notify })
    }

    pub(super) fn send(&self, request: Request) -> impl Future<Output = Result<HttpAnswer, HttpFailure>> + 'static {
        let (client, kind) = match request.audience {
            Audience::Merchant => (Some(self.merchant.clone()), client::Kind::Report),
            Audience::Cloud => (self.cloud.clone(), client::Kind::Cloud),
            Audience::Seller => (self.seller.clone(), client::Kind::Cloud),
            Audience::Notify => (self.notify.clone(), client::Kind::Cloud),
        };
        async move {
            let failed = |kind, why: Said| HttpFailure { kind, why };
            let client = client.ok_or_else(|| {
                let why = Said::new("its section is not configured", "未配置其配置段");
                failed(FailureKind::BadTarget, why)
            })?;
            let request = http_request(request, kind);
            let request = request.map_err(|why| failed(FailureKind::BadTarget, Said::word(why)))?;
            match client.send(request).await {
                Ok(answer) => Ok(HttpAnswer {
                    status: answer.status.as_u16(),
                    date: answer.date,
                    retry_after_s: answer.retry_after_s,
                    session: answer.cookies.reveal().and_then(|text| Session::new(text).ok()),
                    body: answer.body,
                }),
                Err(failure) => {
                    let kind = match failure {
                        client::Failure::BadTarget(_) => FailureKind::BadTarget,
                        client::Failure::Redirect { .. } => FailureKind::SentElsewhere,
                        _ => FailureKind::NoAnswer,
                    };
                    Err(failed(kind, failure.said()))
                }
            }
        }
    }
}

/// The client for calls of the open API, if `[cloud]` is configured; for tools.
///
/// # Errors
/// When a certificate of the configuration does not read, or a proxy of the environment.
pub(crate) fn cloud_client(config: &Config) -> Result<Option<Rc<client::Client>>, StartError> {
    Ok(Clients::new(config, None, &Authorities::default())?.cloud)
}

/// A request of the core in the words of the HTTP client.
///
/// # Errors
/// What HTTP cannot carry in it.
pub(crate) fn http_request(request: Request, kind: client::Kind) -> Result<client::Request, String> {
    let mut headers = http::HeaderMap::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        let name = http::HeaderName::try_from(*name).map_err(|e| e.to_string())?;
        headers.insert(name, http::HeaderValue::try_from(value).map_err(|e| e.to_string())?);
    }
    let method = http::Method::try_from(request.method).map_err(|e| e.to_string())?;
    Ok(client::Request { method, url: request.url, headers, body: request.body.into(), kind })
}

/// The files of one connection.
pub(crate) fn tls_files(ca_file: &Option<PathBuf>, identity: &Option<ClientIdentity>) -> TlsFiles {
    let identity = identity.as_ref();
    TlsFiles {
        ca_file: ca_file.clone(),
        identity: identity.map(|i| Identity { certificate: i.certificate.clone(), key: i.key.clone() }),
    }
}
