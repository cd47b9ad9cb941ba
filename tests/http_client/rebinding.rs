//! A name whose addresses change between two looks: the address that was checked is the one that is connected to.

use super::support::{Ca, serve};
use super::{Client, Failure, Kind, Parts, hosts, ok, parts, post, report, send, status};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use vend::io::http::client::TimeOuts;
use vend::io::http::resolver::{Resolve, Resolved};
use vend::io::http::target::{Refused, TargetRules};

/// Answers each question with the next of its lines; the last one stays.
struct Changing {
    lines: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
    names: Mutex<Vec<String>>,
}

impl Changing {
    fn new(lines: &[&str]) -> Arc<Self> {
        let lines = lines.iter().map(|line| line.split(' ').map(|a| a.parse().unwrap()).collect()).collect();
        Arc::new(Changing { lines, asked: AtomicUsize::new(0), names: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Changing {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolved<'a> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        self.names.lock().unwrap().push(name.to_owned());
        let line = self.lines[number.min(self.lines.len() - 1)].clone();
        Box::pin(async move { Ok(line) })
    }
}

/// A client that reaches public addresses only, by such names. It gives up a public address at once: nobody is there.
fn client(names: &Arc<Changing>) -> Client {
    let public = TargetRules::new(hosts(&["shop.example"]), false, true);
    let time_outs = TimeOuts { connect: std::time::Duration::from_millis(200), ..super::patient() };
    Client::new(Parts { report: public, resolver: names.clone(), time_outs, ..parts(&Ca::new()) })
}

fn misled(failure: &Failure) -> bool {
    matches!(failure, Failure::Misled { why: Refused::Private { .. } | Refused::NoReceiver { .. }, .. })
}

#[tokio::test]
async fn every_way_to_write_an_inner_address_is_refused_when_a_name_has_it() {
    let inner = [
        "127.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::",
        "2001:0:7f00:1::",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "224.0.0.1",
        "255.255.255.255",
    ];
    for address in inner {
        let names = Changing::new(&[address]);
        let failure = send(&client(&names), report("http://shop.example/".to_owned())).await.unwrap_err();
        assert!(misled(&failure), "{address}: {failure:?}");
        assert!(!failure.is_final(), "{address}: the name may be right again tomorrow");
    }
}

#[tokio::test]
async fn a_redirect_is_resolved_and_checked_like_the_first_request() {
    // The connection is closed after the redirect, so that the second request needs one of its own.
    let (port, seen) = serve(None, |_| {
        let mut redirect = status(308, "location", "/again");
        redirect.headers_mut().insert("connection", "close".parse().unwrap());
        redirect
    })
    .await;
    let names = Changing::new(&["127.0.0.1", "10.0.0.1"]);
    // Loopback counts as allowed here, other private addresses do not reach anyone: 10.0.0.1 is never connected to.
    let rules = TargetRules::new(hosts(&["shop.example"]), true, false);
    let client = Client::new(Parts { report: rules, resolver: names.clone(), ..parts(&Ca::new()) });
    let failure = send(&client, report(format!("http://shop.example:{port}/"))).await.unwrap_err();
    assert!(matches!(&failure, Failure::Misled { why: Refused::Plaintext { .. }, .. }), "{failure:?}");
    assert_eq!((names.asked(), seen.requests().len()), (2, 1));
}

#[tokio::test]
async fn of_several_addresses_only_those_that_may_be_used_are_and_each_is_the_one_that_was_checked() {
    let (port, seen) = serve(None, ok).await;
    let names = Changing::new(&["10.0.0.1 169.254.169.254 127.0.0.1", "10.0.0.1"]);
    let rules = TargetRules::new(hosts(&["shop.example"]), true, false);
    let client = Client::new(Parts { report: rules, resolver: names.clone(), ..parts(&Ca::new()) });
    let url = format!("http://shop.example:{port}/");
    send(&client, report(url.clone())).await.unwrap();
    // The kept connection needs no name; a look at it would now lead astray.
    send(&client, report(url.clone())).await.unwrap();
    assert_eq!((names.asked(), seen.connections(), seen.requests().len()), (1, 1, 2));
    // What another kind of request made is not borrowed.
    assert!(send(&client, post(url, Kind::Cloud)).await.is_err());
    assert_eq!(*names.names.lock().unwrap(), ["shop.example", "shop.example"]);
}

#[tokio::test]
async fn addresses_of_one_family_that_lead_nowhere_do_not_use_up_all_tries() {
    let (port, seen) = serve(None, ok).await;
    let names = Changing::new(&["fd00::1 fd00::2 fd00::3 fd00::4 127.0.0.1"]);
    let rules = TargetRules::new(hosts(&["shop.example"]), true, true);
    let time_outs = TimeOuts { connect: std::time::Duration::from_millis(200), ..super::patient() };
    let client = Client::new(Parts { report: rules, resolver: names, time_outs, ..parts(&Ca::new()) });
    send(&client, report(format!("http://shop.example:{port}/"))).await.unwrap();
    assert_eq!(seen.requests().len(), 1);
}
