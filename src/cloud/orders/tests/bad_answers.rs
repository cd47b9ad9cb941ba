//! What a cloud may answer instead: pages of proxies, half a body, other types, amounts that nobody could pay.

use super::id;
use crate::cloud::api_codes::RetryClass::{self, Final, Retry};
use crate::cloud::orders::course::{OrderId, Which, read_created, read_order as read_course, read_page, read_told};
use crate::cloud::orders::mall::{read_order as read_mall, read_pay_code};
use crate::cloud::orders::songshu::read_notified;
use crate::cloud::orders::{ANSWER_BYTES_MAX, AnswerError};
use proptest::prelude::*;

/// Every reader, with nothing but what went wrong.
fn all(status: u16, body: &[u8]) -> Vec<(&'static str, Result<(), AnswerError>)> {
    vec![
        ("songshu notify", read_notified(status, body)),
        ("course create", read_created(status, body).map(drop)),
        ("course told", read_told(status, body)),
        ("course query", read_course(status, body, &Which::Id(OrderId(id("1")))).map(drop)),
        ("course list", read_page(status, body).map(drop)),
        ("mall order", read_mall(status, body, None).map(drop)),
        ("mall pay", read_pay_code(status, body).map(drop)),
    ]
}

/// The code 0 in the words of all three.
const ZERO: &str = r#""errcode":0,"code":0,"status":0"#;

#[test]
fn what_is_no_answer_of_the_cloud_is_asked_for_again() {
    let bodies = [
        "",
        " ",
        "<html><body>Please log in</body></html>",
        "{",
        "{\"code\":0,\"da",
        "{\"errcode\":0",
        "null",
        "[]",
        "\"ok\"",
        "0",
        "{}",
        "{\"data\":{}}",
        "{\"errcode\":null,\"code\":null,\"status\":null}",
        "{\"errcode\":\"\",\"code\":\"\",\"status\":\"\"}",
        "{\"errcode\":0.0,\"code\":0.0,\"status\":0.0}",
        "{\"errcode\":0e0,\"code\":0e0,\"status\":0e0}",
        "{\"errcode\":false,\"code\":false,\"status\":false}",
        "{\"errcode\":[0],\"code\":[0],\"status\":[0]}",
        "{\"errcode\":\"ok\",\"code\":\"ok\",\"status\":\"ok\"}",
        "{\"errcode\":99999999999999999999,\"code\":99999999999999999999,\"status\":99999999999999999999}",
        "{\"errcode\":0,\"errcode\":0,\"code\":0,\"code\":0,\"status\":0,\"status\":0}",
        "{\"errcode\":0,\"code\":0,\"status\":0}}",
    ];
    for body in bodies {
        for (reader, answer) in all(200, body.as_bytes()) {
            let error = answer.expect_err(reader);
            assert!(matches!(error, AnswerError::NotTheCloud { .. }), "{reader}: {body}: {error:?}");
            assert_eq!(error.class(), Retry, "{reader}: {body}");
            assert!(error.to_string().contains("check its url"), "{error}");
        }
    }
    for body in [&b"\xff\xfe"[..], b"{\"errcode\":0,\"code\":0,\"status\":0,\"msg\":\"\xff\"}"] {
        for (reader, answer) in all(200, body) {
            assert!(matches!(answer, Err(AnswerError::NotTheCloud { .. })), "{reader}");
        }
    }
}

#[test]
fn http_statuses_without_a_code_have_their_class() {
    let table = [
        (301, Final),
        (302, Final),
        (400, Final),
        (401, Final),
        (403, Final),
        (404, Final),
        (408, Retry),
        (425, Retry),
        (429, Retry),
        (500, Retry),
        (502, Retry),
        (503, Retry),
        (599, Retry),
    ];
    for (status, class) in table {
        let success_all_the_same = format!("{{{ZERO}}}");
        for body in ["", "<html>bad gateway</html>", &success_all_the_same] {
            for (reader, answer) in all(status, body.as_bytes()) {
                let error = answer.expect_err(reader);
                assert!(
                    matches!(error, AnswerError::Http { status: told, .. } if told == status),
                    "{reader}: {error:?}"
                );
                assert_eq!(error.class(), class, "{reader}: {status}");
            }
        }
    }
}

#[test]
fn an_answer_over_the_limit_is_not_read() {
    let mut body = format!("{{{ZERO},\"x\":\"").into_bytes();
    body.resize(ANSWER_BYTES_MAX - 2, b'x');
    body.extend_from_slice(b"\"}");
    assert_eq!(read_told(200, &body), Ok(()));
    body.push(b' ');
    for (reader, answer) in all(200, &body) {
        let error = answer.expect_err(reader);
        assert!(matches!(error, AnswerError::TooLarge { bytes, .. } if bytes == ANSWER_BYTES_MAX + 1), "{reader}");
        assert_eq!(error.class(), Final);
    }
}

const COURSE_ORDER: &str = r#"{"code":0,"data":{"items":[{"id":"1","name":"x","amount":AMOUNT,"price":AMOUNT,
    "trade_no":"5-9","status":2,"pay_status":2}]}}"#;
const MALL_ORDER: &str = r#"{"status":0,"data":{"orderNo":1,"payment":AMOUNT,"postage":AMOUNT,"status":20,
    "orderItemVoList":[{"productId":1,"quantity":1,"currentUnitPrice":AMOUNT,"totalPrice":AMOUNT}]}}"#;
const MALL_OTHER: &str = r#"{"status":0,"data":{"orderNo":1,"payment":1,"status":20,
    "orderItemList":[{"good_id":1,"count":1,"price":AMOUNT,"productTotalPrice":1}]}}"#;

#[test]
fn no_amount_that_must_be_guessed_is_taken_for_money() {
    let read = |amount: &str| {
        let fill = |text: &str| text.replace("AMOUNT", amount).into_bytes();
        [
            ("create", read_created(200, &fill(COURSE_ORDER)).map(drop)),
            ("query", read_course(200, &fill(COURSE_ORDER), &Which::Id(OrderId(id("1")))).map(drop)),
            ("list", read_page(200, &fill(COURSE_ORDER)).map(drop)),
            ("mall", read_mall(200, &fill(MALL_ORDER), None).map(drop)),
            ("mall, other shape", read_mall(200, &fill(MALL_OTHER), None).map(drop)),
        ]
    };
    for (reader, answer) in read("\"0.00\"").into_iter().chain(read("3")).chain(read("3.50")) {
        assert_eq!(answer, Ok(()), "{reader}");
    }
    let odd = [
        "-1",
        "\"-0.01\"",
        "0.001",
        "\"3.999\"",
        "3e2",
        "1e400",
        "18446744073709551616",
        "\"184467440737095516.16\"",
        "\"three\"",
        "\"3元\"",
        "true",
        "[3]",
        "{\"fen\":3}",
    ];
    for amount in odd {
        for (reader, answer) in read(amount) {
            let error = answer.expect_err(reader);
            assert!(
                matches!(&error, AnswerError::Odd { wanted, .. } if wanted.contains("amount")),
                "{reader}: {error}"
            );
            assert_eq!(error.class(), Final, "{reader}: {amount}");
        }
    }
    // Nor is nothing money.
    for nothing in ["null", "\"\""] {
        for (reader, answer) in read(nothing) {
            assert!(matches!(answer, Err(AnswerError::Missing { .. })), "{reader}: {nothing}");
        }
    }
}

#[test]
fn types_that_are_not_those_of_the_document_are_named_with_their_place() {
    let course = COURSE_ORDER.replace("AMOUNT", "1");
    let mall = MALL_ORDER.replace("AMOUNT", "1");
    let which = Which::Id(OrderId(id("1")));
    let table = [
        (read_course(200, course.replace("\"items\":[", "\"items\":[7,").as_bytes(), &which).map(drop), "data.items"),
        (
            read_course(200, course.replace("\"items\":[", "\"items\":7,\"x\":[").as_bytes(), &which).map(drop),
            "data.items",
        ),
        (read_course(200, br#"{"code":0,"data":[]}"#, &which).map(drop), "data"),
        (
            read_course(200, course.replace("\"id\":\"1\"", "\"id\":\"../1\"").as_bytes(), &which).map(drop),
            "data.items[0].id",
        ),
        (read_course(200, course.replace("\"5-9\"", "5.9").as_bytes(), &which).map(drop), "data.items[0].trade_no"),
        (
            read_course(200, course.replace("\"pay_status\":2", "\"pay_status\":2.5").as_bytes(), &which).map(drop),
            "data.items[0].pay_status",
        ),
        (read_mall(200, mall.replace("\"orderNo\":1", "\"orderNo\":-1").as_bytes(), None).map(drop), "data.orderNo"),
        (read_mall(200, mall.replace("\"orderNo\":1", "\"orderNo\":1.5").as_bytes(), None).map(drop), "data.orderNo"),
        (
            read_mall(200, mall.replace("\"orderNo\":1", "\"orderNo\":99999999999999999999").as_bytes(), None)
                .map(drop),
            "data.orderNo",
        ),
        (
            read_mall(200, mall.replace("\"quantity\":1", "\"quantity\":0").as_bytes(), None).map(drop),
            "data.orderItemVoList[0].quantity",
        ),
        (
            read_mall(200, mall.replace("\"quantity\":1", "\"quantity\":1.5").as_bytes(), None).map(drop),
            "data.orderItemVoList[0].quantity",
        ),
        (
            read_mall(200, mall.replace("\"productId\":1", "\"productId\":{}").as_bytes(), None).map(drop),
            "data.orderItemVoList[0].productId",
        ),
        (
            read_mall(
                200,
                MALL_OTHER.replace("AMOUNT", "1").replace("\"good_id\":1", "\"good_id\":true").as_bytes(),
                None,
            )
            .map(drop),
            "data.orderItemList[0].good_id",
        ),
        (read_mall(200, br#"{"status":0,"data":"x"}"#, None).map(drop), "data"),
        (read_pay_code(200, br#"{"status":0,"data":[]}"#).map(drop), "data"),
    ];
    for (answer, place) in table {
        let error = answer.expect_err(place);
        assert!(matches!(&error, AnswerError::Odd { field, .. } if field == place), "{place}: {error:?}");
    }
    let many = format!("\"orderItemVoList\":[{}", "{},".repeat(64));
    let error = read_mall(200, mall.replace("\"orderItemVoList\":[", &many).as_bytes(), None).unwrap_err();
    assert!(matches!(&error, AnswerError::Odd { wanted, .. } if *wanted == "a shorter list"), "{error}");
}

#[test]
fn errors_are_short_however_long_the_answer_was() {
    let long = "長".repeat(20_000);
    let bodies = [
        long.clone(),
        format!("{{\"code\":4,\"err_desc\":\"{long}\",\"errcode\":7,\"msg\":\"{long}\",\"status\":3}}"),
        format!("{{{ZERO},\"data\":\"{long}\"}}"),
        format!("{{{ZERO},\"{long}\":1,\"{long}\":1}}"),
        COURSE_ORDER.replace("AMOUNT", &format!("\"{long}\"")),
        MALL_ORDER.replace("AMOUNT", &format!("\"{long}\"")),
    ];
    for body in bodies {
        for error in all(200, body.as_bytes()).into_iter().filter_map(|(_, answer)| answer.err()) {
            assert!(error.to_string().chars().count() < 400, "{error}");
        }
    }
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused_without_panic(
        status in prop_oneof![Just(200_u16), any::<u16>()],
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "[\\[\\]{}:,\"a-z0-9.eE/ -]{0,120}".prop_map(String::into_bytes),
        ],
    ) {
        for (reader, answer) in all(status, &body) {
            if let Err(error) = answer {
                let _: RetryClass = error.class();
            } else {
                prop_assert!((200..300).contains(&status), "{reader}");
            }
        }
    }
}
