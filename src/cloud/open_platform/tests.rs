//! The open API: requests to the byte, the vendor's answers, odd answers.

use super::*;
use crate::cloud::api_codes::RetryClass;
use crate::cloud::envelope;
use crate::order::outcome::Reason;
use crate::order::said::Said;
use crate::sim::sample::{account, id, machine};
use proptest::prelude::*;
use serde_json::Value;

/// A line of one unit for one yuan, of which the merchant was not told.
fn record(id: &str, product_id: u64, status: Option<RecordStatus>) -> OrderRecord {
    OrderRecord {
        id: id.to_owned(),
        product_id: Some(ProductId(product_id)),
        quantity: 1,
        price: Ok(Fen(100)),
        status,
        notify_sent: false,
    }
}

/// Order 60.
fn order(status: OrderStatus, records: Vec<OrderRecord>) -> Order {
    Order {
        order_id: id("60"),
        trade_id: String::new(),
        date: String::new(),
        amount: Ok(Fen(0)),
        status,
        notify_send_count: 0,
        pickup_code_id: None,
        records,
    }
}

#[test]
fn requests_carry_the_documented_path_headers_and_signed_payload() {
    let calls = [
        (account().ping(&machine(), 7), "POST", "/api/openapi/v1/ping", None),
        (account().query_order(&machine(), &id("60"), 7), "POST", "/api/openapi/v1/orders/60", None),
        (
            account().update_order(&machine(), &id("60"), NewStatus::Refund, 7),
            "PUT",
            "/api/openapi/v1/orders/60",
            Some("2"),
        ),
    ];
    for (request, method, path, status) in calls {
        assert_eq!((request.method, request.path.as_str()), (method, path));
        for header in [("Appid", "ds069ed4223ac1660f"), ("AppSecret", "hush"), ("Content-Type", "application/json")] {
            assert!(request.headers.contains(&(header.0, header.1.to_owned())), "{header:?}");
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let fields = envelope::open(body["payload"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(envelope::verify(&fields, &account().app_key), Ok(()));
        assert_eq!((fields.get("machine_no"), fields.get("timestamp")), (Some("16327129"), Some("7")));
        assert_eq!(fields.get("status"), status);
        assert_eq!(fields.iter().count(), 3 + usize::from(status.is_some()));
        assert!(!format!("{request:?} {:?}", account()).contains("hush"));
        assert!(format!("{request:?}").starts_with(&format!("{method} {path} ")), "{request:?}");
    }
}

#[test]
fn an_order_id_never_climbs_out_of_its_path() {
    let path = |text| account().query_order(&machine(), &id(text), 7).path;
    assert_eq!(path(".."), "/api/openapi/v1/orders/%2E%2E");
    assert_eq!(path("a..b_-"), "/api/openapi/v1/orders/a..b_-");
}

#[test]
fn the_vendors_order_is_read_and_what_is_left_out_is_its_default() {
    // The example of the page "query order", shortened to what differs.
    let body = r#"{"code":0,"message":"ok","data":{"order_id":54,"trade_id":"3f2a58ad69b74e86b8a1a3da6fd75cc1",
        "date":"2024-04-26","amount":"3.00","status":"SUCCESS","notify_send_count":1,"records":[
        {"id":70,"product_id":121,"quantity":1,"price":"1.00","status":"未取货","notify_sent":"1"},
        {"id":71,"product_id":122,"quantity":1,"price":"1.00"}]}}"#;
    let order = read_order(200, body.as_bytes(), &id("54")).unwrap();
    assert_eq!(order.status, OrderStatus::Success);
    assert_eq!((order.amount, order.notify_send_count, order.pickup_code_id), (Ok(Fen(300)), 1, None));
    let records = [
        OrderRecord { notify_sent: true, ..record("70", 121, Some(RecordStatus::WaitingPickedUp)) },
        record("71", 122, None),
    ];
    assert_eq!(order.records, records);
    let bare = read_order(200, br#"{"data":{"order_id":"54"}}"#, &id("54")).unwrap();
    assert_eq!((bare.status, bare.records), (OrderStatus::Unknown(String::new()), vec![]));
    let numeric = read_order(200, br#"{"data":{"order_id":54,"status":7}}"#, &id("54")).unwrap();
    assert_eq!(numeric.status, OrderStatus::PickupCode);
}

#[test]
fn every_odd_answer_is_an_error_with_its_class() {
    let not_proven =
        |wanted: &str, message: &str| ApiError::NotProven { wanted: Said::word(wanted), message: message.to_owned() };
    let not_platform = |start: &str| ApiError::NotPlatform { start: start.to_owned() };
    let refused = |status, code, message: &str| ApiError::Refused { status, code, message: message.to_owned() };
    let other = ApiError::OtherOrder { asked: id("54"), answered: "55".to_owned() };
    let unauthorized = |code, message: &str| ApiError::Unauthorized { code, message: message.to_owned() };
    use RetryClass::{AlreadyDone, Final, Retry};
    let half = r#"{"code":0,"message":"ok","da"#;
    let table = [
        (200, r#"{"code":40005,"message":"订单已过期","data":{}}"#, refused(200, 40005, "订单已过期"), Final),
        (200, r#"{"code":6042,"data":null}"#, refused(200, 6042, ""), Final),
        (200, r#"{"code":"40006"}"#, refused(200, 40006, ""), Final),
        (200, r#"{"code":6015}"#, refused(200, 6015, ""), Retry),
        (200, r#"{"code":30002}"#, refused(200, 30002, ""), Retry),
        (200, r#"{"code":4008}"#, refused(200, 4008, ""), Retry),
        (400, r#"{"code":6025}"#, refused(400, 6025, ""), Retry),
        (200, r#"{"code":6034}"#, refused(200, 6034, ""), AlreadyDone),
        (200, r#"{"code":6049}"#, refused(200, 6049, ""), AlreadyDone),
        (200, r#"{"code":4006}"#, refused(200, 4006, ""), Final),
        (404, r#"{"code":404}"#, refused(404, 404, ""), Final),
        (200, r#"{"code":777777}"#, refused(200, 777_777, ""), Retry),
        (400, r#"{"code":777777}"#, refused(400, 777_777, ""), Final),
        (502, r#"{"code":40006}"#, refused(502, 40006, ""), Retry),
        (200, r#"{"code":0,"message":"订单未支付","data":{}}"#, not_proven("data.order_id", "订单未支付"), Retry),
        (200, r#"{"code":0,"message":"ok","data":""}"#, not_proven("data.order_id", "ok"), Retry),
        (200, r#"{"code":0,"message":"ok","data":null}"#, not_proven("data.order_id", "ok"), Retry),
        (200, r#"{"data":[]}"#, not_proven("data.order_id", ""), Retry),
        (200, "{}", not_proven("data.order_id", ""), Retry),
        (200, r#"{"data":{"order_id":55}}"#, other, Final),
        (200, r#"{"code":[],"data":{"order_id":54}}"#, not_platform(r#"{"code":[],"data":{"order_id":54}}"#), Retry),
        (200, r#"{"code":-1,"data":{"order_id":54}}"#, not_platform(r#"{"code":-1,"data":{"order_id":54}}"#), Retry),
        (200, "null", not_platform("null"), Retry),
        (200, "", not_platform(""), Retry),
        (200, half, not_platform(half), Retry),
        (200, " <html>log in</html>", not_platform("<html>log in</html>"), Retry),
        (502, "<html>bad gateway</html>", ApiError::Http { status: 502 }, Retry),
        (503, r#"{"code":0,"message":"ok","data":{"order_id":54}}"#, ApiError::Http { status: 503 }, Retry),
        (429, "", ApiError::Http { status: 429 }, Retry),
        (404, "", ApiError::Http { status: 404 }, Final),
        (302, "", ApiError::Http { status: 302 }, Final),
        (401, "", unauthorized(0, ""), Final),
        (401, r#"{"code":10013,"message":"x"}"#, unauthorized(10013, "x"), Final),
    ];
    for (status, body, error, class) in table {
        let answer = read_order(status, body.as_bytes(), &id("54"));
        assert_eq!(answer.as_ref(), Err(&error), "{status} {body}");
        assert_eq!(error.class(), class, "{status} {body}");
    }
}

#[test]
fn each_call_has_its_own_proof_of_success() {
    assert_eq!(read_ping(200, br#"{"code":0,"message":"ok","data":"pong"}"#), Ok(()));
    assert_eq!(read_ping(200, br#"{"data":"pong"}"#), Ok(()));
    assert!(matches!(read_ping(200, br#"{"code":0,"message":"ok"}"#), Err(ApiError::NotProven { .. })));
    assert_eq!(read_update(200, br#"{"code":0,"message":"ok","data":""}"#), Ok(()));
    assert_eq!(read_update(200, br#"{"message":"ok"}"#), Ok(()));
    let unpaid = read_update(200, r#"{"code":0,"message":"订单未支付","data":{}}"#.as_bytes());
    assert!(matches!(unpaid, Err(ApiError::NotProven { .. })));
    assert!(matches!(read_update(200, b"{}"), Err(ApiError::NotProven { .. })));
}

#[test]
fn errors_tell_a_technician_what_the_code_means() {
    let refused = ApiError::Refused { status: 200, code: 4006, message: "x".to_owned() };
    assert_eq!(refused.to_string(), "the cloud refused with code 4006 (the signature of the payload is wrong): x");
    let unauthorized = ApiError::Unauthorized { code: 10013, message: "no".to_owned() };
    assert!(unauthorized.to_string().contains("(401, code 10013 no): check app_id"), "{unauthorized}");
}

#[test]
fn only_a_paid_order_with_an_unserved_record_may_be_driven() {
    use Verdict::{AskAgain, Drive, Refuse};
    let verdict = |status: &str, line: &str| {
        let state = Some(line).filter(|text| !text.is_empty()).map(RecordStatus::parse);
        let records = vec![record("77", 1, Some(RecordStatus::Refunded)), record("78", 2, state)];
        may_drive(&order(OrderStatus::parse(status), records), &id("78"))
    };
    let (unpaid, closed, served) = (Refuse(Reason::Unpaid), Refuse(Reason::Closed), Refuse(Reason::Served));
    let orders = [
        ("NOTPAY", "0", unpaid),
        ("SUCCESS", "1", Drive),
        ("REFUND", "2", closed),
        ("CLOSED", "3", closed),
        ("REVOKED", "4", closed),
        ("USERPAYING", "5", AskAgain),
        ("PAYERROR", "6", unpaid),
        ("PICKUPCODE", "7", Drive),
        ("TESTPAY", "8", Drive),
        ("9", "9", closed),
        ("", "10", AskAgain),
        ("success", "-1", AskAgain),
    ];
    for (name, number, expected) in orders {
        assert_eq!((verdict(name, "IS_DELIVERING"), verdict(number, "")), (expected, expected), "{name}");
    }
    let records = [
        ("", Drive),
        ("WAITING_PICKED_UP", Drive),
        ("未取货", Drive),
        ("IS_DELIVERING", Drive),
        ("IS_SUCCESS", served),
        ("IS_FAILED", closed),
        ("IS_TIMEOUT", closed),
        ("IS_PICKED_UP", served),
        ("已取货", served),
        ("IS_REFUND", closed),
        ("订单取消", closed),
        ("something new", AskAgain),
    ];
    for (record, expected) in records {
        assert_eq!(verdict("SUCCESS", record), expected, "{record}");
        assert_ne!(verdict("CLOSED", record), Drive, "{record}");
    }
    let nothing = order(OrderStatus::Success, vec![]);
    assert_eq!(may_drive(&nothing, &id("78")), AskAgain);
}

/// Order 60 on the books with these texts of JSON: what it costs, and what record 78 costs of so many records.
fn books(total: &str, price: &str, records: usize) -> Order {
    let others = r#",{"id":79,"price":"9.00"}"#.repeat(records - 1);
    let body =
        format!(r#"{{"data":{{"order_id":60,"amount":{total},"records":[{{"id":78,"price":{price}}}{others}]}}}}"#);
    read_order(200, body.as_bytes(), &id("60")).unwrap()
}

#[test]
fn a_command_names_another_amount_only_where_both_sides_say_one_and_neither_total_nor_price_is_it() {
    let (said, nothing, bad) =
        ("\"3.00\"", "null", ["\"3,00\"", "\"\"", "3.0", "\"much\"", "\"-3.00\"", "\"0.00\"", "{}"]);
    let differs = |fen, total, price, records| names_another_amount(fen, &books(total, price, records), &id("78"));
    let table = [
        (said, said, 1, 300, false),
        (said, said, 1, 299, true),
        (said, said, 1, 30_000, true),
        (said, said, 1, 0, true),
        ("\"12.00\"", said, 2, 300, false),
        ("\"12.00\"", said, 2, 1_200, false),
        ("\"12.00\"", said, 2, 900, true),
        // A discount: the order costs less than its record.
        ("\"2.50\"", said, 1, 300, false),
        ("\"2.50\"", said, 1, 250, false),
        ("\"2.50\"", said, 1, 251, true),
        (nothing, said, 1, 300, false),
        (nothing, said, 1, 301, true),
        (said, nothing, 1, 300, false),
        (said, nothing, 1, 301, true),
        // One of several records: the one that is not said may be what the command names.
        (nothing, said, 2, 301, false),
        (said, nothing, 2, 301, false),
        ("3", "\"3.0\"", 1, 300, false),
        ("3", "\"3.0\"", 1, 301, true),
    ];
    for (total, price, records, fen, expected) in table {
        assert_eq!(differs(Some(Fen(fen)), total, price, records), expected, "{fen}: {total} {price} {records}");
        assert!(!differs(None, total, price, records), "the command says nothing");
    }
    for bad in bad {
        assert!(!differs(Some(Fen(7)), bad, bad, 1), "{bad}");
        assert!(!differs(Some(Fen(300)), bad, said, 1) && differs(Some(Fen(7)), bad, said, 1), "{bad}");
    }
    assert!(!names_another_amount(Some(Fen(7)), &order(OrderStatus::Success, vec![]), &id("78")));
}

proptest! {
    #[test]
    fn any_answer_is_read_without_panic(status in any::<u16>(), body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_order(status, &body, &id("54"));
        prop_assert!(status < 300 || read_update(status, &body).is_err());
    }
}
