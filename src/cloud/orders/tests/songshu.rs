//! songshu, seed 000.

use super::{header, id};
use crate::cloud::api_codes::RetryClass;
use crate::cloud::open_platform::Fen;
use crate::cloud::orders::songshu::{
    Account, BadOpenId, BadQuestion, EmptySecret, NAME, Notice, NoticeSecret, OpenId, Payment, SIGNATURE_HEADER,
    StatusForm, read_notified,
};
use crate::cloud::orders::{AnswerError, Refusal};
use crate::order::civil::Zone;
use crate::order::time::UnixMs;
use proptest::prelude::*;
use serde_json::Value;

const NOTICE: &str = include_str!("examples/songshu_notice.json");
const ANSWER: &str = include_str!("examples/songshu_answer.json");

fn account() -> Account {
    Account { app_id: id("wx570bc396a51b8ff8"), secret: None, zone: Zone::CHINA, status_form: StatusForm::Number }
}

/// What the document's example tells.
fn notice() -> Notice {
    Notice {
        order_id: id("4200000429201912071609677638"),
        openid: OpenId::parse("oBHx1s775pANd1HWQ-aS-ou49kNA").unwrap(),
        created_at: UnixMs::from_seconds(1_575_734_381),
        payment: Payment::PaidAt(UnixMs::from_seconds(1_575_734_386)),
        amount: Fen(8_000),
        title: Some("他与星辰皆璀璨".to_owned()),
        is_test: false,
    }
}

/// JSON without the blanks and line ends that mean nothing.
fn squeezed(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |c: &char| {
        let was_in_string = in_string;
        in_string = if in_string { escaped || *c != '"' } else { *c == '"' };
        escaped = was_in_string && !escaped && *c == '\\';
        was_in_string || !c.is_whitespace()
    };
    json.chars().filter(keep).collect()
}

fn body(account: &Account, notice: &Notice) -> Value {
    serde_json::from_slice(&account.notify(notice).body).unwrap()
}

#[test]
fn the_documents_body_is_sent_to_the_byte() {
    let call = account().notify(&notice());
    assert_eq!(String::from_utf8(call.body.clone()).unwrap(), squeezed(NOTICE));
    assert_eq!(
        (call.method, call.path.as_str()),
        ("POST", "/v1/wx570bc396a51b8ff8/order/4200000429201912071609677638")
    );
    assert_eq!(call.headers, [("Content-Type", "application/json".to_owned())]);
}

#[test]
fn a_test_order_says_so_in_the_path_and_others_say_nothing() {
    let test = Notice { is_test: true, ..notice() };
    assert!(account().notify(&test).path.ends_with("/4200000429201912071609677638?test=1"));
    assert!(!account().notify(&notice()).path.contains('?'));
    assert_eq!(account().notify(&test).body, account().notify(&notice()).body);
}

#[test]
fn pay_status_is_a_number_or_a_text_and_an_unpaid_order_has_no_time_of_payment() {
    let unpaid = Notice { payment: Payment::Unpaid, ..notice() };
    let as_text = Account { status_form: StatusForm::Text, ..account() };
    let table: [(&Account, &Notice, Value, &str); 4] = [
        (&account(), &notice(), 1.into(), "2019-12-07 23:59:46"),
        (&account(), &unpaid, 0.into(), ""),
        (&as_text, &notice(), "1".into(), "2019-12-07 23:59:46"),
        (&as_text, &unpaid, "0".into(), ""),
    ];
    for (account, notice, status, time) in table {
        let body = body(account, notice);
        assert_eq!((&body["pay_status"], body["pay_time"].as_str()), (&status, Some(time)));
        assert_eq!(body["create_time"], "2019-12-07 23:59:41");
    }
}

#[test]
fn times_are_written_in_the_clouds_zone() {
    let account = Account { zone: Zone::from_minutes(-60).unwrap(), ..account() };
    assert_eq!(body(&account, &notice())["pay_time"], "2019-12-07 14:59:46");
}

#[test]
fn amounts_are_numbers_with_two_decimals_whatever_they_are() {
    for (fen, text) in [(0, "0.00"), (1, "0.01"), (29, "0.29"), (8_000, "80.00"), (u64::MAX, "184467440737095516.15")] {
        let call = account().notify(&Notice { amount: Fen(fen), ..notice() });
        let body = String::from_utf8(call.body).unwrap();
        assert!(body.starts_with(&format!("{{\"amount\":{text},\"order_id\"")), "{body}");
    }
}

#[test]
fn a_title_in_any_script_is_kept_and_none_is_left_out() {
    for title in ["他与星辰皆璀璨", "Кофе \"№1\"\n", "☕🥤", "قهوة", "\u{0}"] {
        assert_eq!(body(&account(), &Notice { title: Some(title.to_owned()), ..notice() })["book"], title);
    }
    assert_eq!(body(&account(), &Notice { title: None, ..notice() }).get("book"), None);
    let long = "单".repeat(300);
    let cut = body(&account(), &Notice { title: Some(long), ..notice() });
    assert_eq!(cut["book"].as_str().map(|text| text.chars().count()), Some(256));
}

/// The digits were computed apart, with Python's hmac and with openssl.
#[test]
fn the_body_is_signed_when_a_secret_was_agreed_on() {
    let signing = Account { secret: Some(NoticeSecret::new("kva").unwrap()), ..account() };
    let call = signing.notify(&notice());
    assert_eq!(header(&call, SIGNATURE_HEADER), Some("sha1=3d221ee2961ac085739067ff5eb6605dc126cef2"));
    // RFC 2202, test case 2.
    let secret = NoticeSecret::new("Jefe").unwrap();
    let signature = "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
    assert_eq!(secret.sign(b"what do ya want for nothing?"), signature);
    assert!(secret.signs(b"what do ya want for nothing?", signature));
    assert_eq!(NoticeSecret::new("").err(), Some(EmptySecret));
    assert!(!format!("{signing:?} {call:?}").contains("kva"));
}

#[test]
fn only_the_whole_signature_signs() {
    let secret = NoticeSecret::new("kva").unwrap();
    let good = secret.sign(b"x");
    assert!(secret.signs(b"x", &good) && secret.signs(b"x", &good.to_uppercase().replace("SHA1", "sha1")));
    let wrong = [
        "",
        "sha1=",
        &good[5..],
        &good[..44],
        &good[..43],
        &format!("{good}0"),
        &format!("{good}00"),
        &good.replace("sha1", "sha256"),
        &format!(" {good}"),
        &format!("sha1={}", "g".repeat(40)),
        &format!("sha1={}", "é".repeat(20)),
        &NoticeSecret::new("kvb").unwrap().sign(b"x"),
        &secret.sign(b"y"),
    ];
    for header in wrong {
        assert!(!secret.signs(b"x", header), "{header}");
    }
}

/// The path is the one of the platform's page about signatures.
#[test]
fn a_question_is_answered_when_it_is_signed_and_of_now() {
    const ASKED: &str = "/v1/wx570bc396a51b8ff8/users?time=1575883879&openid=oP7TW1X--NjWFwpApzzsS75vVHuI,\
                         oP7TW1Q2eC0T-p3TI5j5cQakwbcs";
    let secret = NoticeSecret::new("kva").unwrap();
    let signature = "sha1=0c23ee5eaa6451aee6e88375c9c0b06f8127a1ae";
    assert_eq!(secret.sign(ASKED.as_bytes()), signature);
    let at = |s| UnixMs::from_seconds(s);
    for s in [1_575_883_579, 1_575_883_879, 1_575_884_179] {
        assert_eq!(secret.check_question(ASKED, signature, at(s)), Ok(()), "{s}");
    }
    for s in [0, 1_575_883_578, 1_575_884_180, u64::MAX / 1_000] {
        assert_eq!(secret.check_question(ASKED, signature, at(s)), Err(BadQuestion::Expired), "{s}");
    }
    let other = ASKED.replace("1575883879", "1575883880");
    assert_eq!(secret.check_question(&other, signature, at(1_575_883_879)), Err(BadQuestion::Signature));
    for path in ["/v1/a/users", "/v1/a?", "/v1/a?time=", "/v1/a?time=x", "/v1/a?time=7&time=7", "/v1/a?xtime=7"] {
        let signature = secret.sign(path.as_bytes());
        assert_eq!(secret.check_question(path, &signature, at(7)), Err(BadQuestion::Time), "{path}");
    }
}

#[test]
fn a_question_that_is_not_answered_gets_the_documents_code() {
    let table = [(BadQuestion::Signature, 40_100), (BadQuestion::Expired, 41_000), (BadQuestion::Time, 40_000)];
    for (why, code) in table {
        let body: Value = serde_json::from_slice(&why.to_body()).unwrap();
        assert_eq!((body["errcode"].as_i64(), body["msg"].as_str()), (Some(code), Some(why.to_string().as_str())));
    }
}

#[test]
fn the_documents_answer_is_a_success() {
    assert_eq!(read_notified(200, ANSWER.as_bytes()), Ok(()));
}

#[test]
fn codes_that_begin_with_4_are_final_and_all_others_pass() {
    let class = |status, code: &str| {
        read_notified(status, format!("{{\"errcode\":{code},\"msg\":\"签名错误\"}}").as_bytes()).unwrap_err().class()
    };
    for code in ["40100", "401000", "41000", "40000", "4", "\"40100\"", "49", "4999999999"] {
        for status in [200, 400, 403, 404] {
            assert_eq!(class(status, code), RetryClass::Final, "{status} {code}");
        }
        // A server in trouble is not believed.
        assert_eq!(class(502, code), RetryClass::Retry, "{code}");
    }
    for code in ["1", "-1", "-4", "14", "500", "50000", "39999", "140000"] {
        assert_eq!((class(200, code), class(400, code)), (RetryClass::Retry, RetryClass::Retry), "{code}");
    }
}

/// The example of the platform's page about codes; its table calls the same 40100.
#[test]
fn the_documents_codes_have_their_meaning() {
    let refusal =
        |code: i64| read_notified(200, format!("{{\"errcode\":{code},\"msg\":\"签名错误\"}}").as_bytes()).unwrap_err();
    let error = refusal(401_000);
    assert!(matches!(&error, AnswerError::Refused { cloud: NAME, code: 401_000, text, .. } if text == "签名错误"));
    assert!(error.to_string().contains("check the secret"), "{error}");
    let table = [
        (40_100, Refusal::NotAllowed),
        (401_000, Refusal::NotAllowed),
        (41_000, Refusal::TooLate),
        (40_000, Refusal::BadRequest),
        (40_001, Refusal::BadRequest),
        (50_000, Refusal::Trouble),
    ];
    for (code, expected) in table {
        assert_eq!(refusal(code).refusal(), Some(expected), "{code}");
    }
}

#[test]
fn an_openid_is_visible_and_bounded_and_not_shown() {
    for text in ["", " ", "a b", "a\n", "é", &"x".repeat(129)] {
        assert_eq!(OpenId::parse(text), Err(BadOpenId), "{text:?}");
    }
    assert!(!format!("{:?}", notice()).contains("oBHx1s775pANd1HWQ"));
}

proptest! {
    #[test]
    fn every_notice_is_json_that_says_what_it_was_given(
        (fen, created, paid) in (any::<u64>(), 0_u64..200_000_000_000, any::<Option<u64>>()),
        (title, order) in (any::<Option<String>>(), "[0-9A-Za-z_.-]{1,64}"),
        is_test: bool,
    ) {
        let notice = Notice {
            order_id: id(&order),
            created_at: UnixMs::from_seconds(created),
            payment: paid.map_or(Payment::Unpaid, |at| Payment::PaidAt(UnixMs(at))),
            amount: Fen(fen),
            title: title.clone(),
            is_test,
            ..notice()
        };
        let call = account().notify(&notice);
        let text = String::from_utf8(call.body.clone()).unwrap();
        let fen_text = Fen(fen).to_string();
        prop_assert!(text.contains(&fen_text));
        let body: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(body["order_id"].as_str(), Some(order.as_str()));
        prop_assert_eq!(body["pay_status"].as_u64(), Some(u64::from(paid.is_some())));
        let kept = title.map(|title| title.chars().take(256).collect::<String>());
        prop_assert_eq!(body["book"].as_str().map(str::to_owned), kept);
        prop_assert!(call.path.bytes().all(|b| b.is_ascii_graphic()));
        prop_assert_eq!(call.path.split('/').count(), 5, "the order stays one part of the path");
        prop_assert!(!call.path.contains("/../") && !call.path.ends_with("/.."));
    }
}
