//! The stand-ins, asked with our own calls and read with our own readers.

use super::course::{Album, SimCourse};
use super::mall::{Item, NoDate, SimMall};
use super::songshu::SimSongshu;
use super::*;
use crate::cloud::api_codes::RetryClass;
use crate::cloud::open_platform::{ApiRequest, Fen};
use crate::cloud::orders::course::{self, Paid, PaidWith, PaymentResult, TradeNo, read_told};
use crate::cloud::orders::interface::{Ask, Failure, News, OrderCloud, PayState, Said};
use crate::cloud::orders::songshu::{self, NoticeSecret, OpenId, StatusForm};
use crate::cloud::orders::walk::ListWalk;
use crate::cloud::orders::{Refusal, Session, mall};
use crate::order::civil::Zone;
use crate::order::key::Id;
use crate::order::time::UnixMs;
use crate::sim::cloud::{Mishap, fault::Fault};
use crate::sim::sample;

const NOW: UnixMs = UnixMs(1_612_438_083_000);

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn carry(cloud: &mut dyn StandIn, request: &ApiRequest) -> stand_in::Told {
    cloud.tick(NOW.seconds());
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    cloud.tell(request.method, &request.path, &headers, &request.body)
}

fn ask(cloud: &mut dyn StandIn, account: &dyn OrderCloud, ask: &Ask) -> Result<Said, Failure> {
    let told = carry(cloud, &account.request(ask, NOW).unwrap());
    account.read(ask, told.status, &told.body)
}

fn refusal(said: Result<Said, Failure>) -> (Option<Refusal>, RetryClass) {
    let error = said.unwrap_err();
    let class = error.class();
    match error {
        Failure::Answer(error) => (error.refusal(), class),
        error => panic!("{error}"),
    }
}

fn news(paid: bool) -> News {
    News {
        order: id("60"),
        trade_no: Some(id("5-10001-6d2d")),
        openid: Some(OpenId::parse("oBHx1s775pANd1HWQ").unwrap()),
        created_at: NOW,
        paid: paid.then(|| sample::payment(NOW)),
        amount: Fen(8_000),
        title: Some("他与星辰皆璀璨".to_owned()),
        is_test: false,
    }
}

// --- songshu ----------------------------------------------------------------------------------------------------------

fn songshu_account(secret: Option<&str>) -> songshu::Account {
    songshu::Account {
        app_id: id("wx570bc396a51b8ff8"),
        secret: secret.map(|secret| NoticeSecret::new(secret).unwrap()),
        zone: Zone::CHINA,
        status_form: StatusForm::Number,
    }
}

#[test]
fn songshu_hears_of_an_order_created_and_paid_and_of_the_same_any_number_of_times() {
    let mut cloud = SimSongshu::new(None, Some(NoticeSecret::new("hush").unwrap()));
    let account = songshu_account(Some("hush"));
    for paid in [false, true, true] {
        assert_eq!(ask(&mut cloud, &account, &Ask::Notify(&news(paid))), Ok(Said::Done));
        let heard = &cloud.orders["60"];
        assert_eq!((heard.is_paid, heard.amount, heard.is_test), (paid, Fen(8_000), false));
        assert_eq!(heard.pay_time.is_empty(), !paid);
    }
    let bodies = &cloud.orders["60"].bodies;
    assert!(bodies.len() == 3 && bodies[1] == bodies[2] && bodies[0] != bodies[1]);
    let as_text = songshu::Account { status_form: StatusForm::Text, ..account };
    let test = News { is_test: true, order: id("61"), ..news(true) };
    assert_eq!(ask(&mut cloud, &as_text, &Ask::Notify(&test)), Ok(Said::Done));
    assert!(cloud.orders["61"].is_test && cloud.orders["61"].is_paid);
}

#[test]
fn songshu_refuses_a_wrong_signature_a_strange_account_and_what_is_missing() {
    let mut cloud = SimSongshu::new(Some("wx570bc396a51b8ff8".to_owned()), Some(NoticeSecret::new("hush").unwrap()));
    for secret in [None, Some("hash")] {
        let said = ask(&mut cloud, &songshu_account(secret), &Ask::Notify(&news(true)));
        assert_eq!(refusal(said), (Some(Refusal::NotAllowed), RetryClass::Final), "{secret:?}");
    }
    let stranger = songshu::Account { app_id: id("wx1"), ..songshu_account(Some("hush")) };
    assert_eq!(refusal(ask(&mut cloud, &stranger, &Ask::Notify(&news(true)))).1, RetryClass::Final);
    assert!(cloud.orders.is_empty());
    cloud.secret = None;
    let good = songshu_account(None).request(&Ask::Notify(&news(true)), NOW).unwrap();
    let good_body = String::from_utf8(good.body.clone()).unwrap();
    let bad = [
        ("\"amount\":80.00", "\"amount\":\"80.00\""),
        ("\"pay_status\":1", "\"pay_status\":2"),
        ("\"pay_status\":1", "\"pay_status\":0"),
        ("\"openid\":\"oBHx1s775pANd1HWQ\"", "\"openid\":\"\""),
        ("\"order_id\":\"60\"", "\"order_id\":\"61\""),
        ("\"create_time\":\"20", "\"create_time\":\"x20"),
    ];
    for (right, wrong) in bad {
        assert!(good_body.contains(right), "{right}");
        let body = good_body.replace(right, wrong).into_bytes();
        let told = carry(&mut cloud, &ApiRequest { body, ..good.clone() });
        let error = songshu::read_notified(told.status, &told.body).unwrap_err();
        assert_eq!(error.refusal(), Some(Refusal::BadRequest), "{wrong}");
    }
    let told = carry(&mut cloud, &good);
    assert_eq!(songshu::read_notified(told.status, &told.body), Ok(()));
}

#[test]
fn songshu_tells_what_it_has_heard_page_by_page_to_who_signs_with_the_time() {
    let secret = NoticeSecret::new("hush").unwrap();
    let mut cloud = SimSongshu::new(None, Some(secret.clone()));
    let account = songshu_account(Some("hush"));
    for n in 0..150 {
        let news = News { order: id(&format!("o{n:03}")), ..news(n % 3 != 0) };
        assert_eq!(ask(&mut cloud, &account, &Ask::Notify(&news)), Ok(Said::Done));
    }
    let mut list = |query: &str, time_s: u64, secret: &NoticeSecret| {
        let path = format!("/v1/wx5/orders?{query}&time={time_s}");
        let signature = secret.sign(path.as_bytes());
        let told = cloud.tell("GET", &path, &[("x-hub-signature", &signature)], b"");
        let answer: serde_json::Value = serde_json::from_slice(&told.body).unwrap();
        (answer["errcode"].as_i64(), answer["total"].as_u64(), answer["orders"].as_array().map_or(0, Vec::len))
    };
    let now_s = NOW.seconds();
    assert_eq!(list("page=1", now_s, &secret), (None, Some(150), 100));
    assert_eq!(list("page=2", now_s, &secret), (None, Some(150), 50));
    assert_eq!(list("page=1&pay_status=0", now_s, &secret), (None, Some(50), 50));
    assert_eq!(list("page=1&openid=nobody", now_s, &secret), (None, Some(0), 0));
    assert_eq!(list("page=1", now_s - 301, &secret).0, Some(41_000));
    assert_eq!(list("page=1", now_s, &NoticeSecret::new("hash").unwrap()).0, Some(40_100));
    assert_eq!(list("page=0", now_s, &secret).0, Some(40_000));
}

// --- course -----------------------------------------------------------------------------------------------------------

fn course_cloud() -> SimCourse {
    let album = |price, is_owned| Album { name: "我的直播课".to_owned(), price, is_owned };
    let albums = BTreeMap::from([(2, album(Fen(1_250), false)), (3, album(Fen(0), false)), (4, album(Fen(900), true))]);
    SimCourse { albums, ..SimCourse::default() }
}

const COURSE: course::Account = course::Account { session: None };

fn create(goods: u64, trade_no: &Id) -> Ask<'_> {
    Ask::Create { goods, trade_no }
}

#[test]
fn course_creates_an_order_that_is_to_be_paid_or_is_paid_already() {
    let mut cloud = course_cloud();
    let own = id("t");
    for (album, state, amount) in [(2, PayState::Unpaid, 1_250), (3, PayState::Paid, 0), (4, PayState::Paid, 0)] {
        let Ok(Said::Created(order, Some(seen))) = ask(&mut cloud, &COURSE, &create(album, &own)) else {
            panic!("{album}")
        };
        assert_eq!((seen.state, seen.amount), (state, Some(Fen(amount))), "{album}");
        let query = Ask::Query { order: Some(&order), trade_no: None };
        let Ok(Said::Order(asked)) = ask(&mut cloud, &COURSE, &query) else { panic!("{album}") };
        assert_eq!((asked.state, asked.trade_no), (state, seen.trade_no));
    }
    let said = ask(&mut cloud, &COURSE, &create(9, &own));
    assert_eq!(refusal(said), (Some(Refusal::BadRequest), RetryClass::Final));
    cloud.answers_number_only = true;
    assert_eq!(ask(&mut cloud, &COURSE, &create(2, &own)), Ok(Said::Created(id("8"), None)));
}

#[test]
fn course_is_told_of_payments_in_both_spellings_and_once_paid_stays_paid() {
    for (result, with) in [(PaymentResult::Two, PaidWith::Alipay), (PaymentResult::Success, PaidWith::WeChat)] {
        let mut cloud = course_cloud();
        assert!(ask(&mut cloud, &COURSE, &create(2, &id("t"))).is_ok());
        let paid = Paid {
            with,
            result,
            trade_no: TradeNo(id("5-10001-6d2d")),
            third_trade_no: "4200".to_owned(),
            third_buyer_id: "oB".to_owned(),
            amount: Fen(1_250),
        };
        let mut tell = |paid: &Paid| {
            let told = carry(&mut cloud, &COURSE.tell_paid(paid));
            read_told(told.status, &told.body)
        };
        assert_eq!(tell(&paid), Ok(()));
        assert_eq!(tell(&paid), Ok(()), "the same again");
        assert_eq!(tell(&Paid { result: PaymentResult::Failed, ..paid.clone() }), Ok(()));
        for wrong in [
            Paid { amount: Fen(1_249), ..paid.clone() },
            Paid { trade_no: TradeNo(id("5-10002")), ..paid.clone() },
            Paid { third_trade_no: String::new(), ..paid.clone() },
        ] {
            assert_eq!(tell(&wrong).unwrap_err().refusal(), Some(Refusal::BadRequest));
        }
        let order = &cloud.orders[&5];
        assert_eq!((order.pay_status, order.servicer), (2, Some(if with == PaidWith::WeChat { 1 } else { 2 })));
    }
    let mut cloud = course_cloud();
    assert!(ask(&mut cloud, &COURSE, &create(2, &id("t"))).is_ok());
    assert_eq!(cloud.set_order("5", Some("4")), Ok(()));
    let query = Ask::Query { order: None, trade_no: Some(&id("5-10001-6d2d")) };
    let Ok(Said::Order(seen)) = ask(&mut cloud, &COURSE, &query) else { panic!() };
    assert_eq!(seen.state, PayState::Failed);
    assert!(cloud.set_order("6", None).is_err() && cloud.set_order("5", Some("paid")).is_err());
}

#[test]
fn course_asks_for_a_session_and_has_another_code_for_what_a_log_in_may_not_do() {
    let mut cloud = SimCourse { door: Door::locked("hush"), ..course_cloud() };
    let own = id("t");
    assert_eq!(
        refusal(ask(&mut cloud, &COURSE, &create(2, &own))),
        (Some(Refusal::LogIn), RetryClass::Retry),
        "nobody is logged in"
    );
    assert!(cloud.tell("POST", super::course::LOG_IN_PATH, &[], b"name=vend&password=hash").set_cookie.is_none());
    let told = cloud.tell("POST", super::course::LOG_IN_PATH, &[], b"name=vend&password=hush");
    let session = told.set_cookie.unwrap().split(';').next().unwrap().to_owned();
    let account = course::Account { session: Some(Session::new(&session).unwrap()) };
    assert!(ask(&mut cloud, &account, &create(2, &own)).is_ok());
    cloud.forbids = true;
    assert_eq!(refusal(ask(&mut cloud, &account, &create(2, &own))), (Some(Refusal::NotAllowed), RetryClass::Final));
    cloud.forbids = false;
    cloud.log_all_out();
    assert_eq!(refusal(ask(&mut cloud, &account, &create(2, &own))).0, Some(Refusal::LogIn));
}

#[test]
fn course_lists_its_orders_page_by_page() {
    let mut cloud = course_cloud();
    for _ in 0..120 {
        assert!(ask(&mut cloud, &COURSE, &create(2, &id("t"))).is_ok());
    }
    let (mut walk, mut found) = (ListWalk::default(), 0);
    loop {
        let Ok(Said::Orders(page)) = ask(&mut cloud, &COURSE, &Ask::List { page: walk.page() }) else { panic!() };
        let turned = walk.turn(page, |seen| &seen.order);
        found += turned.orders.len();
        if turned.end.is_some() {
            break;
        }
    }
    assert_eq!((found, walk.page()), (120, 4));
}

// --- mall -------------------------------------------------------------------------------------------------------------

const MALL: mall::Account = mall::Account { session: None };

fn mall_cloud() -> SimMall {
    let item = |product_id, price, quantity| Item { product_id, name: "小米\"11".to_owned(), price, quantity };
    let cart = vec![item(36, Fen(139_900), 1), item(38, Fen(1_250), 2)];
    SimMall { cart, addresses: vec![6_806], ..SimMall::default() }
}

#[test]
fn mall_tells_one_order_in_both_shapes_with_comments_and_with_every_kind_of_missing_date() {
    for other_shape in [false, true] {
        for comments in [false, true] {
            for no_date in [NoDate::Empty, NoDate::Null, NoDate::Absent] {
                let mut cloud = SimMall { other_shape, comments, no_date, ..mall_cloud() };
                let told = carry(&mut cloud, &MALL.create(mall::ShippingId(6_806)));
                let order = mall::read_order(told.status, &told.body, None).unwrap();
                assert!(order.adds_up(), "{order:?}");
                assert_eq!((order.payment, order.items.len()), (Fen(142_400), 2));
                assert_eq!((order.status, order.paid), (mall::Status::Unpaid, crate::cloud::orders::Stamp::Absent));
                assert_eq!((order.items[1].unit_price, order.items[1].quantity), (Fen(1_250), 2));
                let text = String::from_utf8(told.body).unwrap();
                assert_eq!(text.contains("orderItemList"), other_shape);
                assert_eq!(text.contains("//"), comments);
            }
        }
    }
}

#[test]
fn mall_gives_a_pay_code_for_the_exact_amount_and_its_order_goes_through_every_status() {
    let mut cloud = mall_cloud();
    let own = id("t");
    let Ok(Said::Created(order, Some(seen))) = ask(&mut cloud, &MALL, &create(6_806, &own)) else { panic!() };
    let amount = seen.amount.unwrap();
    let pay = |amount| Ask::Pay { order: &order, name: "slot 5", amount };
    let said = ask(&mut cloud, &MALL, &pay(amount));
    assert_eq!(said, Ok(Said::PayCode(format!("weixin://wxpay/bizpayurl?pr={order}"))));
    assert_eq!(refusal(ask(&mut cloud, &MALL, &pay(Fen(amount.0 + 1)))).0, Some(Refusal::BadRequest));
    let states = [
        (None, PayState::Paid),
        (Some("40"), PayState::Served),
        (Some("50"), PayState::Served),
        (Some("60"), PayState::Closed),
        (Some("0"), PayState::Closed),
        (Some("77"), PayState::Unclear),
    ];
    for (status, state) in states {
        assert_eq!(cloud.set_order(order.as_str(), status), Ok(()));
        let Ok(Said::Order(seen)) = ask(&mut cloud, &MALL, &Ask::Query { order: Some(&order), trade_no: None }) else {
            panic!("{status:?}")
        };
        assert_eq!((seen.state, seen.amount), (state, Some(amount)), "{status:?}");
    }
    assert_eq!(refusal(ask(&mut cloud, &MALL, &pay(amount))).0, Some(Refusal::WrongStatus));
}

#[test]
fn mall_refuses_what_its_table_of_codes_says() {
    let mut cloud = SimMall { door: Door::locked("hush"), ..mall_cloud() };
    let own = id("t");
    assert_eq!(refusal(ask(&mut cloud, &MALL, &create(6_806, &own))), (Some(Refusal::LogIn), RetryClass::Retry));
    let wrong = cloud.tell("POST", super::mall::LOG_IN_PATH, &[], br#"{"username":"vend","password":"hash"}"#);
    let error = mall::read_order(wrong.status, &wrong.body, None).unwrap_err();
    assert_eq!((error.refusal(), wrong.set_cookie), (Some(Refusal::NotAllowed), None));
    cloud.door = Door::default();
    assert_eq!(refusal(ask(&mut cloud, &MALL, &create(1, &own))).0, Some(Refusal::BadRequest), "no such address");
    cloud.cart.clear();
    assert_eq!(refusal(ask(&mut cloud, &MALL, &create(6_806, &own))).0, Some(Refusal::NotForSale), "an empty cart");
    let query = Ask::Query { order: Some(&id("7")), trade_no: None };
    assert_eq!(refusal(ask(&mut cloud, &MALL, &query)).0, Some(Refusal::NoSuchOrder));
}

// --- faults -----------------------------------------------------------------------------------------------------------

#[test]
fn every_fault_is_met_in_each_clouds_own_words_and_what_is_done_without_an_answer_is_done() {
    let notice = songshu_account(None).request(&Ask::Notify(&news(true)), NOW).unwrap();
    let creation = COURSE.request(&create(2, &id("t")), NOW).unwrap();
    let order = MALL.create(mall::ShippingId(6_806));
    type Read = fn(u16, &[u8]) -> Result<(), crate::cloud::orders::AnswerError>;
    let mut clouds: [(Box<dyn StandIn>, ApiRequest, Read); 3] = [
        (Box::new(SimSongshu::new(None, None)), notice, songshu::read_notified),
        (Box::new(course_cloud()), creation, |status, body| course::read_created(status, body).map(drop)),
        (Box::new(mall_cloud()), order, |status, body| mall::read_order(status, body, None).map(drop)),
    ];
    for (cloud, call, read) in &mut clouds {
        let mut meet = |fault: &str| {
            cloud.mishaps().meet(fault.parse::<Fault>().unwrap());
            let told = carry(&mut **cloud, call);
            (read(told.status, &told.body), told)
        };
        assert_eq!(
            meet("code:41999").0.unwrap_err().class(),
            read(200, &meet("code:41999").1.body).unwrap_err().class()
        );
        for again in ["html", "half-body", "status:503", "busy:30"] {
            let (said, told) = meet(again);
            assert_eq!(said.unwrap_err().class(), RetryClass::Retry, "{again}: {told:?}");
        }
        for final_status in ["status:404", "status:400"] {
            assert_eq!(meet(final_status).0.unwrap_err().class(), RetryClass::Final);
        }
        assert!(meet("unauthorized").0.unwrap_err().refusal().is_some());
        let (said, told) = meet("slow:3");
        assert_eq!((said, told.after_s), (Ok(()), 3));
        assert!(meet("down").1.is_cut);
        assert!(meet("answer-lost").1.is_cut);
        let told = carry(&mut **cloud, call);
        let line = cloud.told_line(call.method, &call.path, &call.body, &told);
        assert!(line.contains(" -> 200 ") && !line.contains("oBHx1s"), "{line}");
    }
    let mut songshu = SimSongshu::new(None, None);
    let account = songshu_account(None);
    for (mishap, heard) in [(Mishap::Down, 0), (Mishap::AnswerLost, 1), (Mishap::HalfBody, 1)] {
        songshu.orders.clear();
        songshu.mishaps.extend([mishap.clone()]);
        let told = carry(&mut songshu, &account.request(&Ask::Notify(&news(true)), NOW).unwrap());
        assert_eq!((songshu.orders.len(), told.is_cut), (heard, mishap != Mishap::HalfBody), "{mishap:?}");
    }
}

#[test]
fn what_stands_in_a_path_a_query_or_a_form_is_read_as_it_was_written() {
    let (path, asked) = parted("/orders/get?a=b%20c+d&e=%E4%BB%96&f&g=%zz%4");
    assert_eq!(path, "/orders/get");
    let all: Vec<_> = asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(all, [("a", "b c d"), ("e", "他"), ("f", ""), ("g", "%zz%4")]);
}
