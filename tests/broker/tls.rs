//! TLS with the broker: own authorities, client certificates, and their renewal while the session lives.

use super::certificates::Ca;
use super::mosquitto::Mosquitto;
use super::{Agent, BOTH, config, timeout};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use vend::core::event::{CertificateNews, CertificateOf};
use vend::io::broker::{BrokerConfig, Protocol, ToBroker, Trouble};
use vend::io::http::authorities::Authorities;
use vend::io::http::supply::{Listener, TlsFiles, TlsSupply};
use vend::io::http::tls::Identity;
use vend::order::said::Said;

/// Long enough for a reconnection that must not come to be seen, where one that must takes milliseconds.
const QUIET: Duration = Duration::from_millis(300);

/// A broker on localhost over TLS. With `clients` it lets in only who shows a certificate of that authority, and calls
/// him by the name in it.
fn broker(ca: &Ca, clients: bool) -> Mosquitto {
    Mosquitto::start_with(|directory| {
        let (certificate, key) = ca.server_files(directory);
        let clients = match clients {
            true => format!("require_certificate true\nuse_identity_as_username true\ncafile {}\n", ca.file.display()),
            false => "allow_anonymous true\n".to_owned(),
        };
        format!("{clients}certfile {}\nkeyfile {}\n", certificate.display(), key.display())
    })
}

fn secure(broker: &Mosquitto, protocol: Protocol, tls: Arc<TlsSupply>) -> BrokerConfig {
    BrokerConfig { host: "localhost".to_owned(), tls: Some(tls), ..config(broker.port(), protocol) }
}

fn trusting(ca: &Ca) -> Arc<TlsSupply> {
    TlsSupply::open(TlsFiles { ca_file: Some(ca.file.clone()), identity: None }, None, &Authorities::default()).unwrap()
}

/// A supply with the files client.pem and client.key, and its news.
fn identified(ca: &Ca, directory: &Path) -> (Arc<TlsSupply>, mpsc::Receiver<CertificateNews>) {
    let (to, news) = mpsc::channel(16);
    let identity = Identity { certificate: directory.join("client.pem"), key: directory.join("client.key") };
    let listener = Listener { to, own: CertificateOf::OwnForBroker, server: Some(CertificateOf::Broker) };
    let files = TlsFiles { ca_file: Some(ca.file.clone()), identity: Some(identity) };
    (TlsSupply::open(files, Some(listener), &Authorities::default()).unwrap(), news)
}

/// How often the broker let in a client whose certificate bears this name.
fn logins(broker: &Mosquitto, name: &str) -> usize {
    broker.log().matches(&format!("u'{name}'")).count()
}

#[tokio::test]
async fn tls_needs_the_ca_that_signed_the_broker_and_the_error_says_what_to_do() {
    let directory = TempDir::new().unwrap();
    let (ca, stranger) = (Ca::new(directory.path(), "ca"), Ca::new(directory.path(), "stranger"));
    let broker = broker(&ca, false);
    for protocol in BOTH {
        let trouble = Agent::start(secure(&broker, protocol, trusting(&stranger))).lost().await;
        let Trouble::Tls(Said { en: why, zh }) = trouble else { panic!("{protocol:?}: {trouble:?}") };
        assert!(why.contains("UnknownIssuer") && why.contains("ca_file"), "{protocol:?}: {why}");
        assert!(zh.contains("不受信任") && zh.contains("ca_file"), "{protocol:?}: {zh}");
        let by_address = BrokerConfig { host: "127.0.0.1".to_owned(), ..secure(&broker, protocol, trusting(&ca)) };
        let trouble = Agent::start(by_address).lost().await;
        let Trouble::Tls(Said { en: why, zh }) = trouble else { panic!("{protocol:?}: {trouble:?}") };
        assert!(why.contains("not for 127.0.0.1") && why.contains("localhost"), "{protocol:?}: {why}");
        assert!(zh.contains("不属于 127.0.0.1") && zh.contains("localhost"), "{protocol:?}: {zh}");
        let (mut agent, epoch, _) = Agent::ready(secure(&broker, protocol, trusting(&ca))).await;
        agent.barrier(epoch).await;
    }
}

#[tokio::test]
async fn a_broker_that_asks_for_a_certificate_gets_it_and_a_missing_or_strange_one_is_named() {
    let directory = TempDir::new().unwrap();
    let (ca, stranger) = (Ca::new(directory.path(), "ca"), Ca::new(directory.path(), "stranger"));
    let broker = broker(&ca, true);
    for protocol in BOTH {
        let trouble = Agent::start(secure(&broker, protocol, trusting(&ca))).lost().await;
        let Trouble::Tls(Said { en: why, zh }) = trouble else { panic!("{protocol:?}: {trouble:?}") };
        assert!(why.contains("client certificate"), "{protocol:?}: {why}");
        assert!(zh.contains("客户端证书"), "{protocol:?}: {zh}");
        stranger.client_files(directory.path(), "client", "machine-1", 90);
        let (tls, _) = identified(&ca, directory.path());
        let trouble = Agent::start(secure(&broker, protocol, tls)).lost().await;
        let Trouble::Tls(Said { en: why, zh }) = trouble else { panic!("{protocol:?}: {trouble:?}") };
        assert!(why.contains("does not accept our client certificate"), "{protocol:?}: {why}");
        assert!(zh.contains("不接受本机的客户端证书"), "{protocol:?}: {zh}");
        ca.client_files(directory.path(), "client", "machine-1", 90);
        let (tls, mut news) = identified(&ca, directory.path());
        let (mut agent, epoch, _) = Agent::ready(secure(&broker, protocol, tls)).await;
        agent.barrier(epoch).await;
        for of in [CertificateOf::OwnForBroker, CertificateOf::Broker] {
            let told = news.recv().await.unwrap();
            assert!(matches!(told, CertificateNews::InUse { of: who, .. } if who == of), "{told:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_stands_takes_a_renewed_certificate_when_it_is_asked_to_and_only_then() {
    let directory = TempDir::new().unwrap();
    let here = directory.path();
    let ca = Ca::new(here, "ca");
    let broker = broker(&ca, true);
    ca.client_files(here, "client", "machine-1", 1);
    let (tls, _news) = identified(&ca, here);
    let (mut agent, epoch, _) = Agent::ready(secure(&broker, Protocol::V5, tls)).await;

    // Nothing newer: asking changes nothing.
    agent.to.send(ToBroker::RenewTls).await.unwrap();
    agent.barrier(epoch).await;
    // Newer files: nothing happens by itself.
    ca.client_files(here, "client", "machine-2", 90);
    agent.barrier(epoch).await;
    assert!(timeout(QUIET, agent.from.recv()).await.is_err(), "the connection is torn down needlessly");
    agent.to.send(ToBroker::RenewTls).await.unwrap();
    assert_eq!(agent.lost().await, Trouble::TlsRenewed);
    let (epoch, _) = agent.connected().await;
    agent.barrier(epoch).await;
    assert_eq!((logins(&broker, "machine-1"), logins(&broker, "machine-2")), (1, 1), "{}", broker.log());
}

#[tokio::test]
async fn files_that_are_not_good_leave_the_old_ones_in_use_and_are_told_once() {
    let directory = TempDir::new().unwrap();
    let here = directory.path();
    let ca = Ca::new(here, "ca");
    let (certificate, key) = ca.client_files(here, "client", "machine-1", 90);
    let (tls, mut news) = identified(&ca, here);
    news.recv().await.unwrap();
    let good = [&certificate, &key, &ca.file].map(|file| std::fs::read(file).unwrap());

    // One after the other: cut off, another's key, encrypted, a CA that is none, gone.
    ca.client_files(here, "other", "machine-9", 90);
    let encrypted = String::from_utf8(good[1].clone()).unwrap().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let bad: [(&Path, Option<Vec<u8>>, &str); 5] = [
        (&certificate, Some(good[0][..good[0].len() / 2].to_vec()), "cut off"),
        (&key, Some(std::fs::read(here.join("other.key")).unwrap()), "does not belong to the certificate"),
        (&key, Some(encrypted.into_bytes()), "openssl pkey"),
        (&ca.file, Some(b"nothing\n".to_vec()), "holds no certificate"),
        (&key, None, "client.key"),
    ];
    for (file, content, word) in bad {
        let first = tls.current().await.unwrap();
        match content {
            Some(content) => std::fs::write(file, content).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
        for _ in 0..3 {
            assert!(Arc::ptr_eq(&first, &tls.current().await.unwrap()), "{word}");
        }
        let told = news.try_recv();
        let Ok(CertificateNews::Kept { why: Said { en: why, .. }, .. }) = &told else { panic!("{word}: {told:?}") };
        assert!(why.contains(word) && why.contains(&file.display().to_string()), "{word}: {why}");
        assert!(news.try_recv().is_err(), "{word}: told again");
        for (file, content) in [&certificate, &key, &ca.file].into_iter().zip(&good) {
            std::fs::write(file, content).unwrap();
        }
        // Good again, and so taken.
        assert!(!Arc::ptr_eq(&first, &tls.current().await.unwrap()), "{word}");
        assert!(matches!(news.try_recv(), Ok(CertificateNews::InUse { .. })), "{word}");
    }
}
