//! The three other order clouds over the real HTTP client: each verb of the interface, each fault of the transport and
//! of the answers, with and without TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by panicking what is wrong")]
#![allow(clippy::disallowed_methods, reason = "deadlines of tests, and the wall clock of the stand-ins")]

mod common;

use bytes::Bytes;
use common::RUNTIME;
use common::certificates::Ca;
use common::order_clouds::Served;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use vend::cloud::api_codes::RetryClass;
use vend::cloud::open_platform::{ApiRequest, Fen};
use vend::cloud::orders::course;
use vend::cloud::orders::interface::{Ask, Failure, News, OrderCloud, PayState, Said};
use vend::cloud::orders::songshu::{self, NoticeSecret, OpenId, StatusForm};
use vend::cloud::orders::{Refusal, mall};
use vend::io::http::authorities::Authorities;
use vend::io::http::client::{self, Client, Kind};
use vend::io::http::proxy::Proxies;
use vend::io::http::resolver;
use vend::io::http::supply::{TlsFiles, TlsSupply};
use vend::io::http::target::TargetRules;
use vend::order::civil::Zone;
use vend::order::key::Id;
use vend::order::time::UnixMs;
use vend::sim::cloud::{Mishap, StandIn};
use vend::sim::clouds::Door;
use vend::sim::clouds::course::{Album, SimCourse};
use vend::sim::clouds::mall::{Item, SimMall};
use vend::sim::clouds::songshu::SimSongshu;
use vend::sim::sample;

const NOW: UnixMs = UnixMs(1_612_438_083_000);
/// Of every part of a call: a loopback answers within a fraction of it, and no test waits longer for silence.
const TIME_OUT: Duration = Duration::from_secs(2);

/// The client as the daemon makes it for a configured cloud, but for its patience.
fn client(ca_file: Option<PathBuf>) -> Client {
    let own = TargetRules::operators_own(true);
    Client::new(client::Parts {
        tls: TlsSupply::open(TlsFiles { ca_file, identity: None }, None, &Authorities::default()).unwrap(),
        report: own.clone(),
        cloud: own,
        proxies: Proxies::default(),
        resolver: Arc::new(resolver::System),
        time_outs: client::TimeOuts { connect: TIME_OUT, tls: TIME_OUT, response: TIME_OUT, total: TIME_OUT },
    })
}

fn send(client: &Client, url: &str, request: &ApiRequest) -> Result<client::Answer, client::Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        headers.insert(HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    let request = client::Request {
        method: Method::try_from(request.method).unwrap(),
        url: format!("{url}{}", request.path),
        headers,
        body: Bytes::from(request.body.clone()),
        kind: Kind::Cloud,
    };
    RUNTIME.block_on(client.send(request))
}

/// What came of a question, or that nothing came.
#[derive(Debug, PartialEq)]
enum Heard {
    Said(Said),
    Failed(Failure),
    Silence,
}

struct Caller<'c> {
    client: &'c Client,
    url: String,
    cloud: Box<dyn OrderCloud>,
}

impl Caller<'_> {
    fn ask(&self, ask: &Ask) -> Heard {
        let request = self.cloud.request(ask, NOW).unwrap();
        match send(self.client, &self.url, &request) {
            Err(_) => Heard::Silence,
            Ok(answer) => match self.cloud.read(ask, answer.status.as_u16(), &answer.body) {
                Ok(said) => Heard::Said(said),
                Err(failure) => Heard::Failed(failure),
            },
        }
    }

    fn said(&self, ask: &Ask) -> Said {
        match self.ask(ask) {
            Heard::Said(said) => said,
            other => panic!("{other:?}"),
        }
    }
}

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn account() -> songshu::Account {
    songshu::Account {
        app_id: id("wx570bc396a51b8ff8"),
        secret: Some(NoticeSecret::new("hush").unwrap()),
        zone: Zone::CHINA,
        status_form: StatusForm::Number,
    }
}

fn news() -> News {
    News {
        order: id("60"),
        trade_no: Some(id("5-10001-6d2d")),
        openid: Some(OpenId::parse("oB").unwrap()),
        created_at: NOW,
        paid: Some(sample::payment(NOW)),
        amount: Fen(1_250),
        title: Some("他与星辰皆璀璨".to_owned()),
        is_test: false,
    }
}

fn songshu_cloud() -> SimSongshu {
    SimSongshu::new(Some("wx570bc396a51b8ff8".to_owned()), Some(NoticeSecret::new("hush").unwrap()))
}

fn course_cloud() -> SimCourse {
    let album = Album { name: "我的直播课".to_owned(), price: Fen(1_250), is_owned: false };
    SimCourse { albums: BTreeMap::from([(2, album)]), ..SimCourse::default() }
}

fn mall_cloud() -> SimMall {
    let item = Item { product_id: 36, name: "Redmi".to_owned(), price: Fen(1_250), quantity: 1 };
    SimMall { cart: vec![item], addresses: vec![6_806], comments: true, ..SimMall::default() }
}

#[test]
fn course_sells_an_order_from_its_making_to_its_payment_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::new(folder.path(), "ca");
    let cloud = Served::start(course_cloud(), Some(ca.server_config()));
    let client = client(Some(ca.file.clone()));
    let caller = Caller { client: &client, url: cloud.url(), cloud: Box::new(course::Account { session: None }) };
    let own = id("t");
    let Said::Created(order, Some(seen)) = caller.said(&Ask::Create { goods: 2, trade_no: &own }) else { panic!() };
    assert_eq!((seen.state, seen.amount), (PayState::Unpaid, Some(Fen(1_250))));
    let query = Ask::Query { order: Some(&order), trade_no: None };
    assert!(matches!(caller.said(&query), Said::Order(seen) if seen.state == PayState::Unpaid));
    assert_eq!(caller.said(&Ask::Notify(&News { trade_no: seen.trade_no, ..news() })), Said::Done);
    assert!(matches!(caller.said(&query), Said::Order(seen) if seen.state == PayState::Paid));
    assert!(matches!(caller.said(&Ask::List { page: 1 }), Said::Orders(page) if page.orders.len() == 1));
}

#[test]
fn mall_sells_an_order_whose_payment_a_person_says_over_http() {
    let cloud = Served::start(mall_cloud(), None);
    let client = client(None);
    let caller = Caller { client: &client, url: cloud.url(), cloud: Box::new(mall::Account { session: None }) };
    let own = id("t");
    let Said::Created(order, Some(seen)) = caller.said(&Ask::Create { goods: 6_806, trade_no: &own }) else { panic!() };
    let pay = Ask::Pay { order: &order, name: "slot 5", amount: seen.amount.unwrap() };
    assert!(matches!(caller.said(&pay), Said::PayCode(text) if text.starts_with("weixin://")));
    let query = Ask::Query { order: Some(&order), trade_no: None };
    let post = |path: &str, body: String| {
        let request = ApiRequest { method: "POST", path: path.to_owned(), headers: vec![], body: body.into_bytes() };
        send(&client, &cloud.url(), &request).unwrap().status.as_u16()
    };
    for (word, state) in [("", PayState::Paid), ("=50", PayState::Served), ("=60", PayState::Closed)] {
        assert_eq!(post("/paid", format!("{order}{word}")), 200);
        assert!(matches!(caller.said(&query), Said::Order(seen) if seen.state == state), "{word}");
    }
    assert_eq!((post("/paid", "7".to_owned()), post("/paid", String::new())), (404, 400));
    assert_eq!(post("/faults", "html@2".to_owned()), 200);
    assert!(matches!(caller.ask(&query), Heard::Failed(failure) if failure.class() == RetryClass::Retry));
    let end = ApiRequest { method: "DELETE", path: "/faults".to_owned(), headers: vec![], body: vec![] };
    assert_eq!(send(&client, &cloud.url(), &end).unwrap().status.as_u16(), 200);
    assert!(matches!(caller.ask(&query), Heard::Said(_)));
}

#[test]
fn a_session_that_is_over_is_told_as_such_and_no_log_in_is_remembered_by_the_transport() {
    let cloud = Served::start(SimMall { door: Door::locked("hush"), ..mall_cloud() }, None);
    let client = client(None);
    let log_in = |password: &str| {
        let body = format!(r#"{{"username":"vend","password":"{password}"}}"#).into_bytes();
        let headers = vec![("content-type", "application/json".to_owned())];
        let request =
            ApiRequest { method: "POST", path: vend::sim::clouds::mall::LOG_IN_PATH.to_owned(), headers, body };
        send(&client, &cloud.url(), &request).unwrap()
    };
    let caller = Caller { client: &client, url: cloud.url(), cloud: Box::new(mall::Account { session: None }) };
    assert_eq!(log_in("hush").status.as_u16(), 200);
    let own = id("t");
    let Heard::Failed(Failure::Answer(error)) = caller.ask(&Ask::Create { goods: 6_806, trade_no: &own }) else {
        panic!("a cookie jar would keep whoever logged in before")
    };
    assert_eq!((error.refusal(), error.class()), (Some(Refusal::LogIn), RetryClass::Retry));
}

#[test]
fn whatever_goes_wrong_on_the_way_or_in_an_answer_is_told_apart_at_every_cloud() {
    let client = client(None);
    let own = id("t");
    let news = news();
    fn tried<S: StandIn + 'static>(client: &Client, cloud: S, account: Box<dyn OrderCloud>, ask: &Ask) {
        let served = Served::start(cloud, None);
        let caller = Caller { client, url: served.url(), cloud: account };
        let met = |mishap: Mishap| {
            served.books().mishaps().extend([mishap]);
            caller.ask(ask)
        };
        for again in [Mishap::Html, Mishap::HalfBody, Mishap::Status(503), Mishap::Busy(7)] {
            let heard = met(again.clone());
            assert!(matches!(&heard, Heard::Failed(f) if f.class() == RetryClass::Retry), "{again:?}: {heard:?}");
        }
        for silent in [Mishap::Down, Mishap::AnswerLost] {
            assert_eq!(met(silent.clone()), Heard::Silence, "{silent:?}");
        }
        let heard = met(Mishap::Unauthorized);
        assert!(matches!(&heard, Heard::Failed(Failure::Answer(e)) if e.refusal().is_some()), "{heard:?}");
        assert!(matches!(caller.ask(ask), Heard::Said(_)), "and then all is well");
    }
    tried(&client, songshu_cloud(), Box::new(account()), &Ask::Notify(&news));
    let slow = Served::start(songshu_cloud(), None);
    slow.books().mishaps().extend([Mishap::Slow(600)]);
    let caller = Caller { client: &client, url: slow.url(), cloud: Box::new(account()) };
    assert_eq!(caller.ask(&Ask::Notify(&news)), Heard::Silence, "nobody waits for ever");
    let create = Ask::Create { goods: 2, trade_no: &own };
    tried(&client, course_cloud(), Box::new(course::Account { session: None }), &create);
    let create = Ask::Create { goods: 6_806, trade_no: &own };
    tried(&client, mall_cloud(), Box::new(mall::Account { session: None }), &create);
}

#[test]
fn a_cloud_with_a_wrong_certificate_or_a_bad_url_hears_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, stranger) = (Ca::new(folder.path(), "ca"), Ca::new(folder.path(), "stranger"));
    let cloud = Served::start(songshu_cloud(), Some(ca.server_config()));
    let news = news();
    let ask = Ask::Notify(&news);
    let heard = |ca_file: Option<PathBuf>, url: String| {
        let client = client(ca_file);
        Caller { client: &client, url, cloud: Box::new(account()) }.ask(&ask)
    };
    assert_eq!(heard(Some(stranger.file.clone()), cloud.url()), Heard::Silence);
    assert_eq!(heard(None, cloud.url()), Heard::Silence, "nor by the system's authorities");
    let port = cloud.server.port();
    for url in ["https://127.0.0.1", "http://localhost", "ftp://localhost", "https://user@localhost", "nonsense"] {
        assert_eq!(heard(Some(ca.file.clone()), format!("{url}:{port}")), Heard::Silence, "{url}");
    }
    assert!(cloud.books().orders.is_empty());
    assert_eq!(heard(Some(ca.file.clone()), cloud.url()), Heard::Said(Said::Done));
    assert!(cloud.books().orders["60"].is_paid);
}
