//! course, seed 001.

use super::{at, header, id};
use crate::cloud::api_codes::RetryClass;
use crate::cloud::open_platform::Fen;
use crate::cloud::orders::course::{
    Account, AlbumId, Created, Due, NAME, NewOrder, Order, OrderId, Paid, PaidWith, PayStatus, PaymentResult, Servicer,
    TradeNo, Which, read_created, read_order, read_page, read_told,
};
use crate::cloud::orders::walk::{ListWalk, PAGES_MAX, Turned, WalkEnd};
use crate::cloud::orders::{AnswerError, Refusal, Session, Stamp};
use serde_json::json;

const CREATED: &str = include_str!("examples/course_6_1_created.json");
const CREATE_FAILED: &str = include_str!("examples/course_6_1_failed.json");
const TOLD: &str = include_str!("examples/course_6_2_told.json");
const ORDER: &str = include_str!("examples/course_6_3_order.json");

const NOBODY: Account = Account { session: None };

fn by_id(text: &str) -> Which {
    Which::Id(OrderId(id(text)))
}

fn by_trade_no(text: &str) -> Which {
    Which::TradeNo(TradeNo(id(text)))
}

fn paid() -> Paid {
    Paid {
        with: PaidWith::WeChat,
        result: PaymentResult::Success,
        trade_no: TradeNo(id("5-9996-6d2d")),
        third_trade_no: "42000004 29&x".to_owned(),
        third_buyer_id: "买家".to_owned(),
        amount: Fen(1_250),
    }
}

#[test]
fn section_6_1_creates_with_the_documents_path() {
    let call = NOBODY.create(AlbumId(2));
    assert_eq!((call.method, call.path.as_str()), ("POST", "/orders/create?album_id=2"));
    assert_eq!((call.headers, call.body), (vec![], vec![]));
}

#[test]
fn section_6_1_an_order_that_is_paid_already_is_served_and_not_charged() {
    let order = NewOrder {
        id: OrderId(id("5")),
        name: Some("我的直播课".to_owned()),
        amount: Fen(0),
        trade_no: Some(TradeNo(id("5-9996-6d2d"))),
        due: Due::AlreadyPaid,
    };
    assert_eq!(read_created(200, CREATED.as_bytes()), Ok(Created::Order(order)));
}

#[test]
fn section_6_1_an_order_with_status_0_is_to_be_paid() {
    let body = CREATED.replace("\"status\": 2", "\"status\": 0").replace("0.00", "12.50");
    let Ok(Created::Order(order)) = read_created(200, body.as_bytes()) else { panic!("an order") };
    assert_eq!((order.due, order.amount), (Due::ToPay, Fen(1_250)));
    // What is to be paid needs a name towards the payment system; what is paid already does not.
    let nameless = |status: &str| CREATED.replace("\"5-9996-6d2d\"", "null").replace("\"status\": 2", status);
    let missing = AnswerError::Missing { field: "data.items[0].trade_no".to_owned() };
    assert_eq!(read_created(200, nameless("\"status\": 0").as_bytes()), Err(missing));
    assert!(read_created(200, nameless("\"status\": \"2\"").as_bytes()).is_ok());
}

#[test]
fn section_6_1_any_other_status_of_a_new_order_is_an_error() {
    for status in ["1", "3", "4", "-2", "20", "\"paid\"", "\"02\"", "\"+2\"", "2.0", "true", "[2]"] {
        let body = CREATED.replace("\"status\": 2", &format!("\"status\": {status}"));
        let error = read_created(200, body.as_bytes()).unwrap_err();
        assert!(
            matches!(&error, AnswerError::Odd { field, .. } if field == "data.items[0].status"),
            "{status}: {error}"
        );
        assert_eq!(error.class(), RetryClass::Final);
    }
    let missing = read_created(200, CREATED.replace("\"status\": 2", "\"status\": null").as_bytes()).unwrap_err();
    assert_eq!(missing, AnswerError::Missing { field: "data.items[0].status".to_owned() });
}

#[test]
fn section_6_1_the_failure_names_the_missing_parameter_and_is_final() {
    let error = read_created(200, CREATE_FAILED.as_bytes()).unwrap_err();
    let expected = AnswerError::Refused {
        cloud: NAME,
        status: 200,
        code: 4,
        refusal: Refusal::BadRequest,
        meaning: "a parameter is missing",
        text: "缺少订购内容参数".to_owned(),
    };
    assert_eq!((error.class(), error), (RetryClass::Final, expected));
}

#[test]
fn a_success_with_a_number_in_err_desc_carries_the_new_id() {
    let created = read_created(200, br#"{"code":0,"err_desc":"6"}"#);
    assert_eq!(created, Ok(Created::IdOnly(OrderId(id("6")))));
    // Beside an order the text means nothing.
    let both = CREATED.replacen("\"code\": 0,", "\"code\": 0, \"err_desc\": \"6\",", 1);
    assert!(matches!(read_created(200, both.as_bytes()), Ok(Created::Order(order)) if order.id.0.as_str() == "5"));
    for text in ["\"\"", "null"] {
        let body = format!("{{\"code\":0,\"err_desc\":{text}}}");
        assert_eq!(
            read_created(200, body.as_bytes()),
            Err(AnswerError::Missing { field: "data".to_owned() }),
            "{text}"
        );
    }
    let prose = read_created(200, r#"{"code":0,"err_desc":"成功"}"#.as_bytes()).unwrap_err();
    assert!(matches!(prose, AnswerError::Odd { .. }), "{prose}");
}

#[test]
fn log_in_and_permission_have_codes_of_their_own() {
    let table = [
        (403, Refusal::LogIn, RetryClass::Retry),
        (401, Refusal::NotAllowed, RetryClass::Final),
        (4, Refusal::BadRequest, RetryClass::Final),
        (5, Refusal::Undocumented, RetryClass::Retry),
        (-1, Refusal::Undocumented, RetryClass::Retry),
    ];
    for (code, refusal, class) in table {
        let body = format!("{{\"code\":{code},\"err_desc\":\"x\"}}");
        let error = read_order(200, body.as_bytes(), &by_id("1")).unwrap_err();
        assert_eq!((error.refusal(), error.class()), (Some(refusal), class), "{code}");
        assert_eq!(read_told(503, body.as_bytes()).unwrap_err().class(), RetryClass::Retry, "{code}");
    }
    let undocumented = read_told(404, br#"{"code":5}"#).unwrap_err();
    assert_eq!(undocumented.class(), RetryClass::Final);
}

#[test]
fn section_6_2_payments_are_told_on_two_paths_in_both_spellings() {
    let call = NOBODY.tell_paid(&paid());
    assert_eq!((call.method, call.path.as_str()), ("POST", "/orders/wxpay"));
    assert_eq!(header(&call, "Content-Type"), Some("application/x-www-form-urlencoded"));
    let form = "result=SUCCESS&trade_no=5-9996-6d2d&third_trade_no=42000004%2029%26x\
                &third_buyer_id=%E4%B9%B0%E5%AE%B6&amount=12.50";
    assert_eq!(String::from_utf8(call.body).unwrap(), form);
    let alipay = NOBODY.tell_paid(&Paid { with: PaidWith::Alipay, result: PaymentResult::Two, ..paid() });
    assert_eq!(alipay.path, "/orders/alipay");
    assert!(alipay.body.starts_with(b"result=2&trade_no="));
}

#[test]
fn section_6_2_only_2_and_success_mean_paid() {
    for text in ["2", "SUCCESS"] {
        let result = PaymentResult::parse(text);
        assert!(result.is_paid());
        assert_eq!(result.as_str(), text);
    }
    for text in ["", "0", "1", "02", "2.0", " 2", "success", "Success", "FAIL", "SUCCESS ", "TRADE_SUCCESS"] {
        assert_eq!((PaymentResult::parse(text), PaymentResult::parse(text).is_paid()), (PaymentResult::Failed, false));
    }
    assert_eq!(PaymentResult::parse(PaymentResult::Failed.as_str()), PaymentResult::Failed);
}

#[test]
fn section_6_2_the_documents_answer_is_a_success() {
    assert_eq!(read_told(200, TOLD.as_bytes()), Ok(()));
}

#[test]
fn section_6_3_of_two_names_the_id_wins() {
    let (one, other) = (OrderId(id("1")), TradeNo(id("5-9996-6d2d")));
    assert_eq!(Which::of(Some(one.clone()), Some(other.clone())), Some(by_id("1")));
    assert_eq!(Which::of(None, Some(other)), Some(by_trade_no("5-9996-6d2d")));
    assert_eq!((Which::of(Some(one), None), Which::of(None, None)), (Some(by_id("1")), None));
    assert_eq!(NOBODY.query(&by_id("1")).path, "/orders/get?id=1");
    let call = NOBODY.query(&by_trade_no("5-9996-6d2d"));
    assert_eq!((call.method, call.path.as_str()), ("GET", "/orders/get?trade_no=5-9996-6d2d"));
}

#[test]
fn section_6_3_the_documents_order_is_read_with_its_nulls() {
    let order = Order {
        id: OrderId(id("1")),
        user_id: Some(id("1")),
        puber_id: Some(id("1")),
        album_id: Some(id("1")),
        title: Some("我的直播课".to_owned()),
        price: Some(Fen(0)),
        amount: Fen(0),
        servicer: None,
        trade_no: None,
        third_trade_no: None,
        third_buyer_id: None,
        pay_status: PayStatus::Unpaid,
        add_time: at("2018-07-05 10:57:18"),
        pay_time: at("2018-07-05 10:57:18"),
    };
    assert_eq!(read_order(200, ORDER.as_bytes(), &by_id("1")), Ok(order));
}

#[test]
fn section_6_3_every_status_and_servicer_is_known() {
    let read = |status: &str, servicer: &str| {
        let body = ORDER
            .replace("\"pay_status\": \"0\"", &format!("\"pay_status\": {status}"))
            .replace("\"servicer\": null", &format!("\"servicer\": {servicer}"));
        read_order(200, body.as_bytes(), &by_id("1")).map(|order| (order.pay_status, order.servicer))
    };
    let wechat = Some(Servicer::Known(PaidWith::WeChat));
    assert_eq!(read("\"2\"", "1"), Ok((PayStatus::Paid, wechat)));
    assert_eq!(read("2", "\"2\""), Ok((PayStatus::Paid, Some(Servicer::Known(PaidWith::Alipay)))));
    assert_eq!(read("\"4\"", "\"\""), Ok((PayStatus::Failed, None)));
    assert_eq!(read("1", "3"), Ok((PayStatus::Unknown(1), Some(Servicer::Unknown(3)))));
    assert_eq!(read("null", "1"), Err(AnswerError::Missing { field: "data.items[0].pay_status".to_owned() }));
}

#[test]
fn section_6_3_an_answer_about_another_order_is_no_answer() {
    let other = |asked: &str, answered: &str| AnswerError::OtherOrder {
        cloud: NAME,
        asked: asked.to_owned(),
        answered: answered.to_owned(),
    };
    assert_eq!(read_order(200, ORDER.as_bytes(), &by_id("2")), Err(other("2", "1")));
    let named = ORDER.replace("\"trade_no\": null", "\"trade_no\": \"5-9996-6d2d\"");
    assert!(read_order(200, named.as_bytes(), &by_trade_no("5-9996-6d2d")).is_ok());
    assert_eq!(read_order(200, named.as_bytes(), &by_trade_no("5-9")), Err(other("5-9", "5-9996-6d2d")));
    let missing = AnswerError::Missing { field: "data.items[0].trade_no".to_owned() };
    assert_eq!(read_order(200, ORDER.as_bytes(), &by_trade_no("5-9")), Err(missing));
    let none = ORDER.replace("\"items\": [", "\"items\": [], \"x\": [");
    assert_eq!(
        read_order(200, none.as_bytes(), &by_id("1")),
        Err(AnswerError::Missing { field: "data.items[0]".to_owned() })
    );
    let two = ORDER.replace("\"items\": [", "\"items\": [{},");
    assert!(matches!(read_order(200, two.as_bytes(), &by_id("1")), Err(AnswerError::Odd { .. })));
}

/// A page of the list with these orders.
fn page(ids: &[u32], pages: Option<u32>) -> Vec<u8> {
    let item = |id: &u32| json!({"id": id.to_string(), "amount": "1.00", "pay_status": "2", "trade_no": null});
    let items: Vec<_> = ids.iter().map(item).collect();
    let data = json!({"count": items.len(), "ts": 1_530_765_028, "items": items, "pages": pages});
    serde_json::to_vec(&json!({"code": 0, "data": data})).unwrap()
}

/// A page that came, and was turned.
fn answered(walk: &mut ListWalk, status: u16, body: &[u8]) -> Result<Turned<Order>, AnswerError> {
    read_page(status, body).map(|page| walk.turn(page, |order| &order.id.0))
}

fn ids(turned: &Turned<Order>) -> Vec<&str> {
    turned.orders.iter().map(|order| order.id.0.as_str()).collect()
}

#[test]
fn section_6_4_a_list_is_asked_for_by_page_and_size() {
    let call = NOBODY.list(3);
    assert_eq!((call.method, call.path.as_str()), ("GET", "/orders/list?page=3&page_size=50"));
}

#[test]
fn section_6_4_the_documents_record_is_read_in_a_list_too() {
    let mut walk = ListWalk::default();
    let turned = answered(&mut walk, 200, ORDER.as_bytes()).unwrap();
    assert_eq!((turned.orders[0].add_time.clone(), turned.end), (at("2018-07-05 10:57:18"), None));
    assert_eq!(turned.orders[0].third_trade_no, None);
    assert_eq!(walk.page(), 2);
}

#[test]
fn section_6_4_all_pages_are_walked_and_each_order_is_given_out_once() {
    let mut walk = ListWalk::default();
    let first = answered(&mut walk, 200, &page(&[9, 8], Some(3))).unwrap();
    assert_eq!((ids(&first), first.end, walk.page()), (vec!["9", "8"], None, 2));
    // A new order moved the pages by one.
    let second = answered(&mut walk, 200, &page(&[8, 7], Some(3))).unwrap();
    assert_eq!((ids(&second), second.end), (vec!["7"], None));
    let last = answered(&mut walk, 200, &page(&[6], Some(3))).unwrap();
    assert_eq!((ids(&last), last.end), (vec!["6"], Some(WalkEnd::Complete)));
}

#[test]
fn section_6_4_without_a_number_of_pages_an_empty_one_is_the_last() {
    let mut walk = ListWalk::default();
    assert_eq!(answered(&mut walk, 200, &page(&[1], None)).unwrap().end, None);
    let empty = answered(&mut walk, 200, &page(&[], None)).unwrap();
    assert_eq!((empty.orders.len(), empty.end), (0, Some(WalkEnd::Complete)));
    assert_eq!(answered(&mut ListWalk::default(), 200, &page(&[], Some(0))).unwrap().end, Some(WalkEnd::Complete));
}

#[test]
fn section_6_4_a_platform_that_never_turns_its_pages_does_not_hold_a_walk() {
    let mut walk = ListWalk::default();
    for (pages, end) in [(None, None), (Some(1_000), Some(WalkEnd::StandsStill))] {
        assert_eq!(answered(&mut walk, 200, &page(&[1, 2], pages)).unwrap().end, end);
    }
    let mut endless = ListWalk::default();
    for n in 1..PAGES_MAX {
        assert_eq!(answered(&mut endless, 200, &page(&[n], Some(u32::MAX))).unwrap().end, None);
    }
    assert_eq!(answered(&mut endless, 200, &page(&[0], Some(u32::MAX))).unwrap().end, Some(WalkEnd::TooManyPages));
}

#[test]
fn section_6_4_a_page_that_failed_is_asked_for_again() {
    let mut walk = ListWalk::default();
    assert!(answered(&mut walk, 502, b"<html>").is_err());
    assert_eq!(walk.page(), 1);
    let half = page(&[1, 2], Some(1));
    assert!(answered(&mut walk, 200, &half[..half.len() - 1]).is_err());
    assert_eq!(ids(&answered(&mut walk, 200, &half).unwrap()), ["1", "2"]);
}

#[test]
fn the_session_goes_with_every_call_and_is_never_shown() {
    let account = Account { session: Some(Session::new("PHPSESSID=hush").unwrap()) };
    let calls = [account.create(AlbumId(1)), account.tell_paid(&paid()), account.query(&by_id("1")), account.list(1)];
    for call in calls {
        assert_eq!(header(&call, "Cookie"), Some("PHPSESSID=hush"), "{call:?}");
        assert!(!format!("{call:?} {account:?}").contains("hush"));
    }
}

#[test]
fn an_odd_date_of_a_paid_order_does_not_hide_that_it_is_paid() {
    let body = ORDER.replace("\"2018-07-05 10:57:18\"", "\"0000-00-00 00:00:00\"").replace("\"0\"", "\"2\"");
    let order = read_order(200, body.as_bytes(), &by_id("1")).unwrap();
    assert_eq!(order.pay_status, PayStatus::Paid);
    assert_eq!(order.pay_time, Stamp::Odd("\"0000-00-00 00:00:00\"".to_owned()));
}
