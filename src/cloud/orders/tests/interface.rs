//! The interface over all order clouds.

use super::id;
use crate::cloud::api_codes::RetryClass;
use crate::cloud::open_platform::Fen;
use crate::cloud::orders::course::{self, PaidWith};
use crate::cloud::orders::interface::{Ask, Failure, News, OrderCloud, PaidBy, PayState, Said, Seen, Unfit, Verb};
use crate::cloud::orders::row::{Cloud, Merchant};
use crate::cloud::orders::songshu::{self, OpenId, StatusForm};
use crate::cloud::orders::table::TABLE;
use crate::cloud::orders::{AnswerError, mall};
use crate::order::civil::Zone;
use crate::order::time::UnixMs;
use crate::sim::sample::{account, machine};

const NOW: UnixMs = UnixMs(1_714_128_358_000);

/// All clouds, as in the table.
fn clouds() -> [Box<dyn OrderCloud>; 4] {
    let songshu =
        songshu::Account { app_id: id("wx5"), secret: None, zone: Zone::CHINA, status_form: StatusForm::Number };
    [
        Box::new(Merchant {
            account: account(),
            machine_no: machine(),
            notify_url: "https://merchant.example/notify".to_owned(),
        }),
        Box::new(songshu),
        Box::new(course::Account { session: None }),
        Box::new(mall::Account { session: None }),
    ]
}

fn news() -> News {
    News {
        order: id("60"),
        trade_no: Some(id("5-9")),
        openid: Some(OpenId::parse("oB").unwrap()),
        created_at: UnixMs(0),
        paid: Some(PaidBy {
            at: UnixMs(1_000),
            with: PaidWith::Alipay,
            third_trade_no: "7".to_owned(),
            third_buyer_id: "8".to_owned(),
        }),
        amount: Fen(1_250),
        title: None,
        is_test: false,
    }
}

/// Runs with one question of each kind.
fn with_asks(check: impl Fn(&Ask)) {
    let (order, news) = (id("60"), news());
    let asks = [
        Ask::Create { goods: 2, trade_no: &order },
        Ask::Pay { order: &order, name: "可乐", amount: Fen(1_250) },
        Ask::Query { order: Some(&order), trade_no: None },
        Ask::List { page: 1 },
        Ask::Close { order: &order },
        Ask::Notify(&news),
    ];
    assert_eq!(asks.map(|ask| ask.verb()), Verb::ALL);
    asks.iter().for_each(check);
}

#[test]
fn each_cloud_does_what_its_row_says_and_nothing_else() {
    with_asks(|ask| {
        for (cloud, Cloud { name, can, .. }) in clouds().iter().zip(&TABLE) {
            let can = can.contains(&ask.verb());
            let request = cloud.request(ask, NOW);
            assert_eq!(request.is_ok(), can, "{name}: {ask:?}");
            let answer = cloud.read(ask, 502, b"");
            if can {
                assert_eq!(answer.unwrap_err().class(), RetryClass::Retry, "{name}: {ask:?}");
            } else {
                assert_eq!(request, Err(Unfit::Cannot(ask.verb())), "{name}");
                assert_eq!(answer, Err(Failure::Unfit(Unfit::Cannot(ask.verb()))), "{name}");
            }
        }
    });
}

#[test]
fn the_same_question_leaves_in_each_clouds_own_words() {
    let said = |cloud: usize, ask: &Ask| {
        let call = clouds()[cloud].request(ask, NOW).unwrap();
        format!("{} {}", call.method, call.path)
    };
    let (order, news) = (id("60"), news());
    let query = Ask::Query { order: Some(&order), trade_no: Some(&order) };
    assert_eq!(said(0, &query), "POST /api/openapi/v1/orders/60");
    assert_eq!(said(2, &query), "GET /orders/get?id=60");
    assert_eq!(said(2, &Ask::Query { order: None, trade_no: Some(&order) }), "GET /orders/get?trade_no=60");
    assert_eq!(said(3, &query), "GET /orders/60");
    assert_eq!(said(0, &Ask::Close { order: &order }), "PUT /api/openapi/v1/orders/60");
    assert_eq!(said(0, &Ask::Notify(&news)), "PUT /api/openapi/v1/orders/60");
    assert_eq!(said(1, &Ask::Notify(&news)), "POST /v1/wx5/order/60");
    assert_eq!(said(2, &Ask::Notify(&news)), "POST /orders/alipay");
    assert_eq!(said(0, &Ask::Create { goods: 2, trade_no: &order }), "POST /api/openapi/v1/orders");
    assert_eq!(said(2, &Ask::Create { goods: 2, trade_no: &order }), "POST /orders/create?album_id=2");
    assert_eq!(said(3, &Ask::Create { goods: 6_806, trade_no: &order }), "POST /orders");
}

#[test]
fn what_is_missing_is_said_before_anything_leaves() {
    let needs = |cloud: usize, ask: &Ask| {
        let unfit = clouds()[cloud].request(ask, NOW).unwrap_err();
        assert!(matches!(unfit, Unfit::Needs(_)), "{unfit}");
        assert_eq!(Failure::from(unfit).class(), RetryClass::Final);
    };
    let unpaid = News { paid: None, ..news() };
    let nobody = News { openid: None, trade_no: None, ..news() };
    needs(0, &Ask::Notify(&unpaid));
    needs(1, &Ask::Notify(&nobody));
    needs(2, &Ask::Notify(&unpaid));
    needs(2, &Ask::Notify(&nobody));
    let name = id("5-9");
    for cloud in [0, 2, 3] {
        needs(cloud, &Ask::Query { order: None, trade_no: None });
    }
    needs(3, &Ask::Query { order: Some(&name), trade_no: None });
    assert!(clouds()[1].request(&Ask::Notify(&unpaid), NOW).is_ok(), "songshu hears of every order");
}

#[test]
fn one_word_alone_lets_an_order_be_served() {
    let order = id("60");
    let ask = Ask::Query { order: Some(&order), trade_no: None };
    let state = |cloud: usize, body: &str| match clouds()[cloud].read(&ask, 200, body.as_bytes()) {
        Ok(Said::Order(seen)) => seen.state,
        other => panic!("{body}: {other:?}"),
    };
    use PayState::{Closed, Failed, Paid, Served, Unclear, Unpaid};
    let platform = [
        ("SUCCESS", Paid),
        ("PICKUPCODE", Paid),
        ("TESTPAY", Paid),
        ("NOTPAY", Unpaid),
        ("USERPAYING", Unpaid),
        ("PAYERROR", Failed),
        ("REFUND", Closed),
        ("CLOSED", Closed),
        ("REVOKED", Closed),
        ("9", Closed),
        ("", Unclear),
    ];
    for (word, expected) in platform {
        let body = format!("{{\"data\":{{\"order_id\":60,\"amount\":\"3.00\",\"status\":\"{word}\"}}}}");
        assert_eq!(state(0, &body), expected, "{word}");
    }
    let body = br#"{"data":{"order_id":60,"amount":"3.00","trade_id":"5-9","status":"SUCCESS"}}"#;
    let seen = Seen { order: id("60"), trade_no: Some(id("5-9")), amount: Some(Fen(300)), state: Paid };
    assert_eq!(clouds()[0].read(&ask, 200, body), Ok(Said::Order(seen)));
    for (number, expected) in [(0, Unpaid), (2, Paid), (4, Failed), (1, Unclear), (20, Unclear)] {
        let items = format!("[{{\"id\":60,\"amount\":1,\"pay_status\":{number}}}]");
        assert_eq!(state(2, &format!("{{\"code\":0,\"data\":{{\"items\":{items}}}}}")), expected, "{number}");
    }
    let mall =
        [(0, Closed), (10, Unpaid), (20, Paid), (30, Served), (40, Served), (50, Served), (60, Closed), (2, Unclear)];
    for (number, expected) in mall {
        let data = format!("{{\"orderNo\":60,\"payment\":1,\"status\":{number}}}");
        assert_eq!(state(3, &format!("{{\"status\":0,\"data\":{data}}}")), expected, "{number}");
    }
}

#[test]
fn a_new_order_says_what_it_costs_and_whether_it_is_paid_or_only_its_number() {
    let name = id("60");
    let ask = Ask::Create { goods: 2, trade_no: &name };
    let created = |cloud: usize, body: &str| clouds()[cloud].read(&ask, 200, body.as_bytes());
    let free = Seen { order: id("5"), trade_no: Some(id("5-9996-6d2d")), amount: Some(Fen(0)), state: PayState::Paid };
    assert_eq!(created(2, include_str!("examples/course_6_1_created.json")), Ok(Said::Created(id("5"), Some(free))));
    assert_eq!(created(2, r#"{"code":0,"err_desc":"6"}"#), Ok(Said::Created(id("6"), None)));
    assert_eq!(created(0, r#"{"code":0,"message":"ok","data":{"order_id":60}}"#), Ok(Said::Created(id("60"), None)));
    let number = id("1612438083648");
    let seen = Seen { order: number.clone(), trade_no: None, amount: Some(Fen(409_800)), state: PayState::Unpaid };
    assert_eq!(created(3, include_str!("examples/mall_orders.json")), Ok(Said::Created(number, Some(seen))));
}

#[test]
fn pay_codes_pages_and_what_is_done_are_heard() {
    let (order, news) = (id("60"), news());
    let pay = Ask::Pay { order: &order, name: "x", amount: Fen(1) };
    let code = clouds()[3].read(&pay, 200, include_bytes!("examples/mall_pay.json"));
    assert_eq!(code, Ok(Said::PayCode("weixin://wxpay/bizpayurl?pr=kqKif46zz".to_owned())));
    let list = clouds()[2].read(&Ask::List { page: 1 }, 200, include_bytes!("examples/course_6_3_order.json"));
    let Ok(Said::Orders(page)) = list else { panic!("{list:?}") };
    assert_eq!((page.orders.len(), page.pages, page.orders[0].state), (1, None, PayState::Unpaid));
    for (cloud, body) in [(0, r#"{"message":"ok"}"#), (1, r#"{"errcode":0}"#), (2, r#"{"code":0}"#)] {
        assert_eq!(clouds()[cloud].read(&Ask::Notify(&news), 200, body.as_bytes()), Ok(Said::Done), "{cloud}");
    }
    let refused = clouds()[2].read(&Ask::Notify(&news), 200, br#"{"code":4}"#).unwrap_err();
    assert!(matches!(&refused, Failure::Answer(AnswerError::Refused { code: 4, .. })), "{refused}");
    assert!(matches!(clouds()[0].read(&Ask::Close { order: &order }, 401, b""), Err(Failure::Api(_))));
}

#[test]
fn a_configuration_finds_each_cloud_by_one_name() {
    for (at, Cloud { name, can, .. }) in TABLE.iter().enumerate() {
        assert!(TABLE[..at].iter().all(|other| other.name != *name));
        let order: Vec<_> = can.iter().map(|verb| Verb::ALL.iter().position(|known| known == verb)).collect();
        assert!(!can.is_empty() && order.is_sorted(), "{name}: {can:?}");
    }
}
