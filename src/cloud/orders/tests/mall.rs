//! mall, seed 002.

use super::{at, header};
use crate::cloud::api_codes::RetryClass;
use crate::cloud::open_platform::Fen;
use crate::cloud::orders::mall::{
    Account, Item, NAME, Order, OrderNo, PayType, PaymentType, ShippingId, Status, read_order, read_pay_code,
};
use crate::cloud::orders::{AnswerError, Refusal, Session, Stamp};

const CREATED: &str = include_str!("examples/mall_orders.json");
const TEST_DATA: &str = include_str!("examples/mall_test_data.json");
const QUERIED: &str = include_str!("examples/mall_orders_1612438083648.json");
const PAY: &str = include_str!("examples/mall_pay.json");
const POLLED: &str = include_str!("examples/mall_poll.json");

const NOBODY: Account = Account { session: None };

fn picture(file: &str) -> Option<String> {
    Some(format!("https://cdn.cnbj1.fds.api.mi-img.com/mi-mall/{file}"))
}

fn item(product_id: u64, name: &str, image: Option<String>, yuan: u64, created: Stamp) -> Item {
    let name = Some(name.to_owned());
    let (unit_price, total) = (Fen(yuan * 100), Fen(yuan * 100));
    Item { product_id, name, image, unit_price, quantity: 1, total, created }
}

/// What the document's orders have in common.
fn unpaid(order_no: u64, yuan: u64, items: Vec<Item>) -> Order {
    Order {
        order_no: OrderNo(order_no),
        payment: Fen(yuan * 100),
        payment_type: Some(PaymentType::Online),
        payment_type_text: Some("在线支付".to_owned()),
        postage: Fen(0),
        status: Status::Unpaid,
        status_text: Some("未支付".to_owned()),
        paid: Stamp::Absent,
        sent: Stamp::Absent,
        ended: Stamp::Absent,
        closed: Stamp::Absent,
        created: Stamp::Absent,
        items,
        image_host: None,
        shipping: Some(ShippingId(6_806)),
    }
}

fn redmi(created: &Stamp) -> Vec<Item> {
    let (note, k20) = ("6f2493e6c6fe8e2485c407e5d75e3651.jpg", "8737a33c78a94bc36afb860ab23b3939.jpg");
    vec![
        item(36, "Redmi Note 8 Pro", picture(note), 1_399, created.clone()),
        item(38, "Redmi K20 Pro 尊享版", picture(k20), 2_699, created.clone()),
    ]
}

#[test]
fn an_order_is_created_with_the_documents_parameter() {
    let call = NOBODY.create(ShippingId(6_806));
    assert_eq!(
        (call.method, call.path.as_str(), call.body.as_slice()),
        ("POST", "/orders", &b"{\"shippingId\":6806}"[..])
    );
    assert_eq!(header(&call, "Content-Type"), Some("application/json"));
}

#[test]
fn the_created_order_is_read_in_spite_of_its_comment_and_its_empty_dates() {
    assert!(CREATED.contains("//后续支付了改变status为另一个值"));
    let order = read_order(200, CREATED.as_bytes(), None).unwrap();
    assert_eq!(order, unpaid(1_612_438_083_648, 4_098, redmi(&Stamp::Absent)));
    assert!(order.adds_up());
}

#[test]
fn the_test_data_in_the_other_shape_is_read_with_its_nulls() {
    let order = read_order(200, TEST_DATA.as_bytes(), Some(OrderNo(1_217_212_161))).unwrap();
    let created = at("2021-02-06 11:37:18");
    let items =
        vec![item(4, "小米11", None, 4_299, created.clone()), item(3, "Redmi K20 Pro", None, 1_418, created.clone())];
    let expected = Order {
        created,
        image_host: Some("www.mi.com".to_owned()),
        shipping: Some(ShippingId(2)),
        ..unpaid(1_217_212_161, 5_717, items)
    };
    assert_eq!(order, expected);
    assert!(order.adds_up());
}

#[test]
fn the_order_that_is_asked_for_by_its_number_is_read() {
    let call = NOBODY.query(OrderNo(1_612_438_083_648));
    assert_eq!((call.method, call.path.as_str()), ("GET", "/orders/1612438083648"));
    let order = read_order(200, QUERIED.as_bytes(), Some(OrderNo(1_612_438_083_648))).unwrap();
    let created = at("2021-02-04 19:28:03");
    assert_eq!(order, Order { items: redmi(&created), created, ..unpaid(1_612_438_083_648, 4_098, vec![]) });
}

#[test]
fn the_pay_code_of_the_document_is_read() {
    let code = read_pay_code(200, PAY.as_bytes()).unwrap();
    assert_eq!(code.as_str(), "weixin://wxpay/bizpayurl?pr=kqKif46zz");
}

/// The document shows only the answer; the request is that of the shop's public pages.
#[test]
fn a_pay_code_is_asked_for_with_the_exact_amount() {
    let call = NOBODY.pay(OrderNo(1_612_569_652_281), "可乐 \"330 ml\"", Fen(2_099_801), PayType::WeChat);
    let body = r#"{"orderId":"1612569652281","orderName":"可乐 \"330 ml\"","amount":20998.01,"payType":2}"#;
    assert_eq!(
        (call.method, call.path.as_str(), String::from_utf8(call.body).unwrap()),
        ("POST", "/pay", body.to_owned())
    );
    let alipay = NOBODY.pay(OrderNo(1), "x", Fen(1), PayType::Alipay);
    assert_eq!(alipay.body, br#"{"orderId":"1","orderName":"x","amount":0.01,"payType":1}"#);
}

#[test]
fn a_page_or_an_endless_text_is_no_pay_code() {
    let long = format!("weixin://{}", "x".repeat(510));
    let odd =
        ["<form action=\\\"https://a\\\">", "kqKif46zz", "://a", "weixin://", "weixin://a b", "weixin://支付", &long];
    for content in odd {
        let body = format!("{{\"status\":0,\"data\":{{\"content\":\"{content}\"}}}}");
        let error = read_pay_code(200, body.as_bytes()).unwrap_err();
        assert!(matches!(&error, AnswerError::Odd { field, .. } if field == "data.content"), "{content}: {error}");
        assert_eq!(error.class(), RetryClass::Final);
    }
    for content in ["7", "true", "{}"] {
        let body = format!("{{\"status\":0,\"data\":{{\"content\":{content}}}}}");
        assert!(matches!(read_pay_code(200, body.as_bytes()), Err(AnswerError::Odd { .. })), "{content}");
    }
    for body in [r#"{"status":0}"#, r#"{"status":0,"data":null}"#, r#"{"status":0,"data":{"content":""}}"#] {
        assert!(matches!(read_pay_code(200, body.as_bytes()), Err(AnswerError::Missing { .. })), "{body}");
    }
}

#[test]
fn the_polled_order_is_read() {
    let order = read_order(200, POLLED.as_bytes(), Some(OrderNo(1_612_569_652_281))).unwrap();
    let created = at("2021-02-06 08:00:52");
    let items = vec![
        item(35, "小米MIX Alpha", picture("5d19da60f9f62eb2aa5dcdbd7df19f0f.png"), 19_999, created.clone()),
        item(37, "Redmi Note 8", picture("4c87947d104ee5833913e4c520108f16.jpg"), 999, created.clone()),
    ];
    assert_eq!(order, Order { created, ..unpaid(1_612_569_652_281, 20_998, items) });
}

#[test]
fn every_status_is_known_and_only_one_says_paid() {
    let read = |status: &str| {
        let body = QUERIED.replace("\"status\": 10", &format!("\"status\": {status}"));
        read_order(200, body.as_bytes(), None).map(|order| order.status)
    };
    let table = [
        ("0", Status::Cancelled),
        ("10", Status::Unpaid),
        ("20", Status::Paid),
        ("30", Status::Shipped),
        ("40", Status::Shipped),
        ("50", Status::Done),
        ("60", Status::Closed),
        ("\"20\"", Status::Paid),
        ("21", Status::Unknown(21)),
        ("-20", Status::Unknown(-20)),
    ];
    for (text, status) in table {
        assert_eq!(read(text), Ok(status), "{text}");
    }
    assert_eq!(read("null"), Err(AnswerError::Missing { field: "data.status".to_owned() }));
    for text in ["20.0", "\"paid\"", "99999999999999999999", "true"] {
        assert!(matches!(read(text), Err(AnswerError::Odd { field, .. }) if field == "data.status"), "{text}");
    }
}

#[test]
fn every_response_status_has_its_class() {
    use Refusal::{BadRequest, LogIn, NoSuchOrder, NotAllowed, NotForSale, Trouble, Undocumented, WrongStatus};
    use RetryClass::{Final, Retry};
    let table = [
        (-1, Trouble, Retry),
        (1, NotAllowed, Final),
        (2, BadRequest, Final),
        (3, BadRequest, Final),
        (4, BadRequest, Final),
        (10, LogIn, Retry),
        (11, NotAllowed, Final),
        (12, NotForSale, Final),
        (13, NotForSale, Final),
        (14, NotForSale, Final),
        (15, NotForSale, Final),
        (16, BadRequest, Final),
        (17, BadRequest, Final),
        (18, NotForSale, Final),
        (19, NoSuchOrder, Final),
        (20, WrongStatus, Final),
        (21, Undocumented, Retry),
        (500, Undocumented, Retry),
    ];
    for (status, refusal, class) in table {
        let body = format!("{{\"status\":{status},\"msg\":\"订单不存在\"}}");
        let error = read_order(200, body.as_bytes(), None).unwrap_err();
        assert_eq!((error.refusal(), error.class()), (Some(refusal), class), "{status}");
        assert!(error.to_string().contains("订单不存在"), "{error}");
    }
}

#[test]
fn items_of_both_shapes_at_once_or_of_another_order_are_no_answer() {
    let both = QUERIED.replace("\"imageHost\": null", "\"orderItemList\": [{}]");
    assert!(
        matches!(read_order(200, both.as_bytes(), None), Err(AnswerError::Odd { field, .. }) if field == "data.orderItemList")
    );
    let other = QUERIED.replacen("\"orderNo\": 1612438083648,\n\"productId\"", "\"orderNo\": 7,\n\"productId\"", 1);
    let expected = AnswerError::OtherOrder { cloud: NAME, asked: "1612438083648".to_owned(), answered: "7".to_owned() };
    assert_eq!(read_order(200, other.as_bytes(), None), Err(expected.clone()));
    assert_eq!(
        read_order(200, QUERIED.as_bytes(), Some(OrderNo(7))),
        Err(AnswerError::OtherOrder { cloud: NAME, asked: "7".to_owned(), answered: "1612438083648".to_owned() })
    );
}

#[test]
fn what_is_left_out_is_absent_and_what_proves_an_order_is_not() {
    let bare = r#"{"status":0,"data":{"orderNo":"7","payment":0.3,"status":20}}"#;
    let order = read_order(200, bare.as_bytes(), Some(OrderNo(7))).unwrap();
    assert_eq!((order.payment, order.status, order.items.len()), (Fen(30), Status::Paid, 0));
    assert_eq!((order.created, order.payment_type, order.shipping), (Stamp::Absent, None, None));
    for name in ["orderNo", "payment", "status"] {
        let body = bare.replace(&format!("\"{name}\":"), "\"x\":").replace("{\"x\":0,", "{\"status\":0,");
        let missing = AnswerError::Missing { field: format!("data.{name}") };
        assert_eq!(read_order(200, body.as_bytes(), None), Err(missing), "{body}");
    }
    for list in ["orderItemVoList", "orderItemList"] {
        for value in ["null", "[]", "\"\""] {
            let body = bare.replace("\"status\":20", &format!("\"status\":20,\"{list}\":{value}"));
            assert_eq!(read_order(200, body.as_bytes(), None).map(|order| order.items), Ok(vec![]), "{body}");
        }
    }
}

#[test]
fn numbers_that_do_not_agree_are_noticed() {
    let read = |from: &str, to: &str| read_order(200, QUERIED.replace(from, to).as_bytes(), None).unwrap();
    assert!(read("\"quantity\": 1", "\"quantity\": 1").adds_up());
    for (from, to) in [
        ("\"quantity\": 1", "\"quantity\": 2"),
        ("\"totalPrice\": 1399", "\"totalPrice\": 1399.01"),
        ("\"payment\": 4098", "\"payment\": 4097.99"),
        ("\"postage\": 0", "\"postage\": 10"),
        ("\"currentUnitPrice\": 2699", "\"currentUnitPrice\": 184467440737095516.15"),
    ] {
        assert!(!read(from, to).adds_up(), "{to}");
    }
    let with_postage = read("\"postage\": 0", "\"postage\": 10").postage;
    assert_eq!(with_postage, Fen(1_000));
}

#[test]
fn the_session_goes_with_every_call() {
    let account = Account { session: Some(Session::new("JSESSIONID=hush").unwrap()) };
    for call in [
        account.create(ShippingId(1)),
        account.query(OrderNo(1)),
        account.pay(OrderNo(1), "x", Fen(1), PayType::WeChat),
    ] {
        assert_eq!(header(&call, "Cookie"), Some("JSESSIONID=hush"), "{call:?}");
        assert!(!format!("{call:?} {account:?}").contains("hush"));
    }
}
