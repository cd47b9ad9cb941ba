//! Certificates: servers', our own, good ones and bad ones, and their renewal.

use super::support::{Ca, ServerTls, TLS12_ONLY, TLS13_ONLY, serve, serve_raw};
use super::{Client, Failure, Kind, Parts, Phase, TimeOuts, ok, parts, patient, post, report, secure, send, supply};
use http::StatusCode;
use rcgen::KeyPair;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use vend::config::pem::PemFault;
use vend::core::event::{CertificateNews, CertificateOf};
use vend::io::http::authorities::Authorities;
use vend::io::http::supply::{Listener, TlsFiles, TlsSupply};
use vend::io::http::tls::{Identity, TlsError};
use vend::order::said::InChinese as _;

#[tokio::test]
async fn an_own_ca_is_accepted_and_the_connection_kept() {
    let ca = Ca::new();
    let (port, seen) = serve(Some(ca.server("localhost").config()), ok).await;
    let client = Client::new(parts(&ca));
    for _ in 0..2 {
        assert_eq!(send(&client, report(secure(port))).await.unwrap().status, StatusCode::OK);
    }
    assert_eq!(seen.connections(), 1);
}

#[tokio::test]
async fn a_server_with_tls_1_2_only_is_reached() {
    let ca = Ca::new();
    let config = ServerTls { versions: &TLS12_ONLY, ..ca.server("localhost") }.config();
    let (port, _) = serve(Some(config), ok).await;
    assert_eq!(send(&Client::new(parts(&ca)), report(secure(port))).await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_bad_certificate_is_named_and_tried_again_and_nothing_is_sent() {
    let ca = Ca::new();
    let table = [
        (Ca::new().server("localhost").config(), "in ca_file", "的签发机构不受信任（UnknownIssuer）；请用 ca_file"),
        (
            ca.server("other.example").config(),
            "not for localhost but for DnsName(\"other.example\")",
            "不属于 localhost，而属于 DnsName(\"other.example\")",
        ),
        (
            ServerTls { expired: true, ..ca.server("localhost") }.config(),
            "expired on 2002-01-01",
            "已于 2002-01-01 到期，而本机时钟为",
        ),
    ];
    let client = Client::new(parts(&ca));
    for (config, word, chinese) in table {
        let (port, seen) = serve(Some(config), ok).await;
        let failure = send(&client, report(secure(port))).await.unwrap_err();
        assert!(matches!(&failure, Failure::Tls { why } if why.en.contains(word)), "{word}: {failure:?}");
        assert!(failure.zh().starts_with("TLS：服务器证书") && failure.zh().contains(chinese), "{}", failure.zh());
        assert!(!failure.is_final());
        assert!(seen.requests().is_empty());
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let ca = Ca::new();
    for versions in [&TLS12_ONLY, &TLS13_ONLY] {
        let config = ServerTls { ask_client: true, versions, ..ca.server("localhost") }.config();
        let (port, seen) = serve(Some(config), ok).await;
        let failure = send(&Client::new(parts(&ca)), report(secure(port))).await.unwrap_err();
        assert!(matches!(failure, Failure::Tls { .. } | Failure::Lost { .. }), "{failure:?}");
        assert!(seen.requests().is_empty());
        let tls = supply(&ca, Some(ca.identity()));
        let client = Client::new(Parts { tls, ..parts(&ca) });
        assert_eq!(send(&client, report(secure(port))).await.unwrap().status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_runs_out_of_time_or_is_named() {
    let time_outs = TimeOuts { tls: Duration::from_millis(300), ..patient() };
    let client = Client::new(Parts { time_outs, ..parts(&Ca::new()) });
    let port =
        serve_raw(|mut stream, _| async move { while stream.read(&mut [0; 512]).await.unwrap_or(0) > 0 {} }).await;
    let failure = send(&client, report(secure(port))).await.unwrap_err();
    assert_eq!(failure, Failure::TimeOut { phase: Phase::Tls });
    let (port, _) = serve(None, ok).await;
    let failure = send(&client, report(secure(port))).await.unwrap_err();
    assert!(matches!(failure, Failure::Tls { .. }), "{failure:?}");
    assert!(failure.zh().starts_with("TLS：服务器发来的不是 TLS（"), "{}", failure.zh());
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_says_so_and_one_that_refuses_ours_too() {
    let ca = Ca::new();
    let config = ServerTls { ask_client: true, ..ca.server("localhost") }.config();
    let (port, seen) = serve(Some(config), ok).await;
    let stranger = Ca::new();
    for (identity, word, chinese) in [
        (None, "set client_certificate", "服务器要求客户端证书"),
        (Some(stranger.identity()), "does not accept our client certificate", "服务器不接受本机的客户端证书"),
    ] {
        let client = Client::new(Parts { tls: supply(&ca, identity), ..parts(&ca) });
        let failure = send(&client, report(secure(port))).await.unwrap_err();
        assert!(matches!(&failure, Failure::Tls { why } if why.en.contains(word)), "{word}: {failure:?}");
        assert!(failure.zh().contains(chinese), "{}", failure.zh());
        assert!(!failure.is_final() && seen.requests().is_empty());
    }
}

#[tokio::test]
async fn a_renewed_authority_and_certificate_are_used_by_the_next_connection() {
    let (old, new) = (Ca::new(), Ca::new());
    let identity = old.identity();
    let (to, mut news) = mpsc::channel(16);
    let listener = Listener { to, own: CertificateOf::OwnForCloud, server: Some(CertificateOf::Cloud) };
    let files = TlsFiles { ca_file: Some(old.file("ca.pem")), identity: Some(identity.clone()) };
    let tls = TlsSupply::open(files, Some(listener), &Authorities::default()).unwrap();
    let client = Client::new(Parts { tls, ..parts(&old) });
    let call = |port| post(secure(port), Kind::Cloud);
    let strict = |ca: &Ca| ServerTls { ask_client: true, ..ca.server("localhost") }.config();
    let (before, _) = serve(Some(strict(&old)), ok).await;
    let (after, _) = serve(Some(strict(&new)), ok).await;
    assert_eq!(send(&client, call(before)).await.unwrap().status, StatusCode::OK);
    assert!(matches!(send(&client, call(after)).await, Err(Failure::Tls { .. })));
    let renewed = new.identity();
    for (from, to) in [(new.file("ca.pem"), old.file("ca.pem")), (renewed.certificate, identity.certificate)] {
        std::fs::copy(from, to).unwrap();
    }
    // The key is still the old one: nothing is taken, and it is told.
    assert!(matches!(send(&client, call(after)).await, Err(Failure::Tls { .. })));
    std::fs::copy(renewed.key, identity.key).unwrap();
    assert_eq!(send(&client, call(after)).await.unwrap().status, StatusCode::OK);
    let mut told = Vec::new();
    while let Ok(news) = news.try_recv() {
        told.push(match news {
            CertificateNews::InUse { of, .. } => format!("{of:?}"),
            CertificateNews::Kept { why, .. } => {
                why.en.contains("does not belong").then_some("kept").unwrap().to_owned()
            }
        });
    }
    assert_eq!(told, ["OwnForCloud", "Cloud", "kept", "OwnForCloud", "Cloud"]);
}

#[test]
fn a_file_that_cannot_be_used_for_tls_is_named() {
    let ca = Ca::new();
    let identity = ca.identity();
    let (empty, torn) = (ca.file("empty.pem"), ca.file("torn.pem"));
    std::fs::write(&empty, "nothing here\n").unwrap();
    std::fs::write(&torn, "-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap();
    let open = |ca_file: PathBuf, identity| {
        TlsSupply::open(TlsFiles { ca_file: Some(ca_file), identity }, None, &Authorities::default())
    };
    let own_ca = |file: &PathBuf| open(file.clone(), None).unwrap_err();
    assert!(matches!(own_ca(&ca.file("absent")), TlsError::Unreadable { .. }));
    for (file, expected) in [(&empty, "holds no certificate"), (&torn, "cut off")] {
        let told = own_ca(file).to_string();
        assert!(told.contains(expected) && told.contains(&file.display().to_string()), "{told}");
    }
    let strange = ca.file("strange.key");
    std::fs::write(&strange, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let other_key = open(ca.file("ca.pem"), Some(Identity { key: strange, ..identity }));
    assert!(matches!(other_key, Err(TlsError::File { fault: PemFault::KeyDoesNotFit, .. })));
}
