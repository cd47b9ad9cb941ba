//! The stand-in, asked with our own calls and read with our own readers.

use super::*;
use crate::cloud::api_codes::RetryClass;
use crate::cloud::open_platform::{
    ApiError, ApiRequest, NewStatus, Verdict, may_drive, read_order, read_ping, read_update,
};
use crate::cloud::sign::SigningKey;
use crate::order::key::Id;
use crate::order::outcome::Reason;

/// Order 60, paid, with record 78 waiting.
fn cloud() -> SimCloud {
    let mut cloud = SimCloud::new(account(), machine());
    let records = BTreeMap::from([(78, "WAITING_PICKED_UP".to_owned())]);
    cloud.orders.insert(60, SimOrder { status: "SUCCESS".to_owned(), records });
    cloud
}

fn carry(cloud: &mut SimCloud, request: &ApiRequest) -> (u16, Vec<u8>) {
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    cloud.answer(request.method, &request.path, &headers, &request.body)
}

fn ping(cloud: &mut SimCloud, account: &Account) -> Result<(), ApiError> {
    let (status, body) = carry(cloud, &account.ping(&machine(), 7));
    read_ping(status, &body)
}

fn update(cloud: &mut SimCloud, order_id: &str, to: NewStatus) -> Result<(), ApiError> {
    let (status, body) = carry(cloud, &account().update_order(&machine(), &id(order_id), to, 7));
    read_update(status, &body)
}

fn verdict(cloud: &mut SimCloud) -> Verdict {
    let (status, body) = carry(cloud, &account().query_order(&machine(), &id("60"), 7));
    may_drive(&read_order(status, &body, &id("60")).unwrap(), &id("78"))
}

fn code(error: ApiError) -> u32 {
    match error {
        ApiError::Refused { code, .. } | ApiError::Unauthorized { code, .. } => code,
        other => panic!("{other}"),
    }
}

#[test]
fn a_paid_order_is_answered_and_changes_when_it_is_told() {
    let mut cloud = cloud();
    assert_eq!(ping(&mut cloud, &account()), Ok(()));
    assert_eq!(verdict(&mut cloud), Verdict::Drive);
    let again = update(&mut cloud, "60", NewStatus::Paid).unwrap_err();
    assert_eq!((again.class(), code(again)), (RetryClass::AlreadyDone, 6049));
    assert_eq!(update(&mut cloud, "60", NewStatus::Refund), Ok(()));
    assert_eq!(verdict(&mut cloud), Verdict::Refuse(Reason::Closed));
    let late = update(&mut cloud, "60", NewStatus::Closed).unwrap_err();
    assert_eq!((late.class(), code(late)), (RetryClass::Final, 6043));
}

#[test]
fn both_generations_of_codes_are_spoken() {
    let wrong = |change: fn(&mut Account)| {
        let mut account = account();
        change(&mut account);
        account
    };
    let accounts = [
        (wrong(|a| a.app_id.clear()), 10_008, 4000),
        (wrong(|a| a.app_id.push('0')), 10_014, 4001),
        (wrong(|a| a.app_secret = AppSecret::new("hist")), 10_013, 4009),
        (wrong(|a| a.app_key = SigningKey::new("kvb").unwrap()), 10_001, 4006),
    ];
    for (codes, five) in [(Codes::FiveDigits, true), (Codes::FourDigits, false)] {
        let mut cloud = cloud();
        cloud.codes = codes;
        cloud.orders.insert(61, SimOrder { status: "9".to_owned(), records: BTreeMap::new() });
        for (account, five_digits, four_digits) in &accounts {
            let error = ping(&mut cloud, account).unwrap_err();
            assert_eq!(error.class(), RetryClass::Final);
            assert_eq!(code(error), if five { *five_digits } else { *four_digits });
        }
        let expired = update(&mut cloud, "61", NewStatus::Paid).unwrap_err();
        assert_eq!(code(expired), if five { 40_005 } else { 6042 });
        let absent = update(&mut cloud, "62", NewStatus::Paid).unwrap_err();
        assert_eq!(code(absent), if five { 80_002 } else { 4004 });
    }
}

#[test]
fn a_mishap_spoils_one_call_and_half_a_body_still_did_its_work() {
    let mut cloud = cloud();
    let mishaps = [Mishap::Code(6025), Mishap::FailureWithCodeZero, Mishap::Status(503), Mishap::Html];
    cloud.mishaps.extend(mishaps.iter().cloned());
    for mishap in mishaps {
        let error = update(&mut cloud, "60", NewStatus::Refund).unwrap_err();
        assert_eq!(error.class(), RetryClass::Retry, "{mishap:?}: {error}");
    }
    assert_eq!(verdict(&mut cloud), Verdict::Drive, "none of them reached the books");
    cloud.mishaps.extend([Mishap::HalfBody]);
    let error = update(&mut cloud, "60", NewStatus::Refund).unwrap_err();
    assert_eq!(error.class(), RetryClass::Retry);
    assert_eq!(verdict(&mut cloud), Verdict::Refuse(Reason::Closed));
}

#[test]
fn what_is_no_call_is_told_so() {
    let mut cloud = cloud();
    let mut request = account().ping(&machine(), 7);
    request.path = "/api/openapi/v1/nothing".to_owned();
    assert_eq!(carry(&mut cloud, &request).0, 404);
    request.path = "/elsewhere".to_owned();
    assert_eq!(carry(&mut cloud, &request).0, 404);
    request.path = "/api/openapi/v1/ping".to_owned();
    request.body = b"{}".to_vec();
    assert!(String::from_utf8(carry(&mut cloud, &request).1).unwrap().contains("4003"));
}

// --- the shop, codes, commands ----------------------------------------------------------------------------------------

use crate::cloud::open_platform::{
    BadOrder, CODE_LENGTH_DEFAULT, Consume, DeliveryState, Fen, NewCodes, NewOrder, OrderLine, OrderStatus,
    PickupCodeId, Place, ProductId, ProductQuery, RecordStatus, Restock, order_of_used_code, read_categories,
    read_codes, read_codes_changed, read_consumed, read_created, read_delivery, read_dispensed, read_floors,
    read_machine, read_machines, read_products, read_restocked,
};
use crate::cloud::report::REPORT_METHOD;
use crate::sim::cloud::fault::Fault;
use crate::sim::sample::{account, id, machine};

const T0: u64 = 1_714_373_688;
const NOTIFY: &str = "https://m.example/n";

/// Two products: 121 in slot 5 for 3.50, 122 in slot 6 for 1.00, of each 4 of 10.
fn shop() -> SimCloud {
    let mut cloud = SimCloud::new(account(), machine());
    for (id, code, price) in [(121, "5", 350), (122, "6", 100)] {
        let product = SimProduct {
            name: format!("slot {code}"),
            price: Fen(price),
            channel_name: format!("A{code}"),
            code: code.to_owned(),
            addr: 1,
            stock: 4,
            capacity: 10,
        };
        cloud.products.insert(id, product);
    }
    cloud.tick(T0);
    cloud
}

fn told<T>(
    cloud: &mut SimCloud,
    call: &ApiRequest,
    read: impl Fn(u16, &[u8]) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let (status, body) = carry(cloud, call);
    read(status, &body)
}

fn buy(cloud: &mut SimCloud, trade_id: &str, lines: &[(u64, u32)]) -> Result<Id, ApiError> {
    let line = |&(id, quantity): &(u64, u32)| OrderLine { product_id: ProductId(id), quantity };
    let order = NewOrder::new(id(trade_id), NOTIFY, lines.iter().map(line).collect());
    let order = order.unwrap_or_else(|e: BadOrder| panic!("{e}"));
    told(cloud, &account().create_order(&machine(), &order), read_created)
}

fn show(cloud: &mut SimCloud, order_id: &Id) -> crate::cloud::open_platform::Order {
    let call = account().query_order(&machine(), order_id, 7);
    told(cloud, &call, |status, body| read_order(status, body, order_id)).unwrap()
}

fn dispense(cloud: &mut SimCloud, order_id: &Id, record_id: &str) -> Result<Id, ApiError> {
    let call = account().dispense(&machine(), order_id, &id(record_id), 7);
    told(cloud, &call, read_dispensed).map(|(delivery_id, _)| delivery_id)
}

fn stock(cloud: &SimCloud) -> [u64; 2] {
    [121, 122].map(|id| cloud.products[&id].stock)
}

/// The callbacks and commands that wait, as JSON.
fn outward(cloud: &mut SimCloud) -> Vec<Value> {
    std::iter::from_fn(|| cloud.next_outward())
        .map(|outward| match outward {
            Outward::Notify { url, body } => {
                assert_eq!(url, NOTIFY);
                serde_json::from_slice(&body).unwrap()
            }
            Outward::Command(payload) => {
                let fields = envelope::open(&payload).unwrap();
                assert_eq!(envelope::verify(&fields, &account().app_key), Ok(()));
                fields.iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect::<Map<_, _>>().into()
            }
        })
        .collect()
}

fn says(cloud: &mut SimCloud, fields: &[(&str, &str)]) {
    let common = [("client_id", "16327129"), ("timestamp", "7")];
    let all = common.into_iter().chain(fields.iter().copied()).map(|(name, text)| (name, text.into()));
    cloud.hear(&envelope::seal(all, &account().app_key)).unwrap();
}

#[test]
fn an_order_takes_its_goods_and_whatever_is_not_paid_gives_them_back_once() {
    for status in NewStatus::ALL {
        let mut cloud = shop();
        let order = buy(&mut cloud, "t1", &[(121, 3), (122, 1)]).unwrap();
        assert_eq!(stock(&cloud), [1, 3]);
        let shown = show(&mut cloud, &order);
        assert_eq!((shown.status, shown.amount, shown.trade_id.as_str()), (OrderStatus::NotPaid, Ok(Fen(1_150)), "t1"));
        assert_eq!(shown.date, "2024-04-29");
        assert!(shown.records.iter().all(|record| record.status.is_none()), "said only once it is paid");
        assert_eq!(update(&mut cloud, order.as_str(), status), Ok(()));
        let shown = show(&mut cloud, &order);
        assert_eq!(shown.status, status.becomes());
        if status == NewStatus::Paid {
            assert_eq!(stock(&cloud), [1, 3]);
            assert!(shown.records.iter().all(|record| record.status == Some(RecordStatus::WaitingPickedUp)));
            assert_eq!(update(&mut cloud, order.as_str(), NewStatus::Refund), Ok(()));
        } else {
            let _ = update(&mut cloud, order.as_str(), NewStatus::Closed);
        }
        assert_eq!(stock(&cloud), [4, 4], "{status:?}: given back once");
    }
}

#[test]
fn what_cannot_be_sold_is_refused_in_both_generations() {
    for (codes, low, absent, twice) in
        [(Codes::FiveDigits, 60_003, 80_002, 10_001), (Codes::FourDigits, 6047, 6045, 6040)]
    {
        let mut cloud = shop();
        cloud.codes = codes;
        assert_eq!(code(buy(&mut cloud, "t1", &[(121, 1), (122, 5)]).unwrap_err()), low);
        assert_eq!(code(buy(&mut cloud, "t1", &[(121, 1), (7, 1)]).unwrap_err()), absent);
        // Our own calls name a product once; others' may not.
        let mut twice_named = account().create_order(
            &machine(),
            &NewOrder::new(id("t1"), NOTIFY, vec![OrderLine { product_id: ProductId(121), quantity: 3 }]).unwrap(),
        );
        let line = r#"{"product_id":121,"quantity":3}"#;
        let body = String::from_utf8(twice_named.body).unwrap().replace(line, &format!("{line},{line}"));
        twice_named.body = body.into_bytes();
        assert_eq!(code(told(&mut cloud, &twice_named, read_created).unwrap_err()), low);
        assert_eq!(stock(&cloud), [4, 4], "all or nothing");
        buy(&mut cloud, "t1", &[(121, 1)]).unwrap();
        assert_eq!(code(buy(&mut cloud, "t1", &[(121, 1)]).unwrap_err()), twice);
    }
}

#[test]
fn an_unpaid_order_runs_out_after_20_minutes_and_a_paid_one_is_no_longer_dispensed() {
    let mut cloud = shop();
    let (unpaid, paid) = (buy(&mut cloud, "t1", &[(121, 1)]).unwrap(), buy(&mut cloud, "t2", &[(122, 1)]).unwrap());
    update(&mut cloud, paid.as_str(), NewStatus::Paid).unwrap();
    cloud.tick(T0 + ORDER_TIME_OUT_S - 1);
    assert_eq!((show(&mut cloud, &unpaid).status, outward(&mut cloud).len()), (OrderStatus::NotPaid, 0));
    cloud.tick(T0 + ORDER_TIME_OUT_S);
    cloud.tick(T0 + ORDER_TIME_OUT_S + 1);
    assert_eq!((show(&mut cloud, &unpaid).status, stock(&cloud)), (OrderStatus::TimedOut, [4, 3]));
    let [callback] = &outward(&mut cloud)[..] else { panic!("one callback, once") };
    assert_eq!((&callback["deliver_status"], &callback["error_msg"]), (&"0".into(), &"order expired".into()));
    let record = show(&mut cloud, &paid).records[0].id.clone();
    assert_eq!(code(dispense(&mut cloud, &paid, &record).unwrap_err()), 6042);
    assert_eq!(code(update(&mut cloud, unpaid.as_str(), NewStatus::Paid).unwrap_err()), 6042);
}

#[test]
fn a_paid_record_goes_to_the_machine_once_and_its_result_to_the_merchant() {
    let mut cloud = shop();
    let order = buy(&mut cloud, "t1", &[(121, 2), (122, 1)]).unwrap();
    let records: Vec<String> = show(&mut cloud, &order).records.into_iter().map(|record| record.id).collect();
    assert_eq!(code(dispense(&mut cloud, &order, &records[0]).unwrap_err()), 6054);
    cloud.codes = Codes::FiveDigits;
    let unpaid = dispense(&mut cloud, &order, &records[0]).unwrap_err();
    assert!(matches!(unpaid, ApiError::NotProven { .. }), "the vendor's example has code 0: {unpaid}");
    update(&mut cloud, order.as_str(), NewStatus::Paid).unwrap();

    let delivery_id = dispense(&mut cloud, &order, &records[0]).unwrap();
    assert_eq!(delivery_id.as_str().len(), 16);
    let [command] = &outward(&mut cloud)[..] else { panic!("one command") };
    for (name, text) in [
        ("method", "device.delivery.put"),
        ("client_id", "16327129"),
        ("code", "5"),
        ("quantity", "2"),
        ("order_id", order.as_str()),
        ("record_id", &records[0]),
        ("delivery_id", delivery_id.as_str()),
        ("trade_id", "t1"),
    ] {
        assert_eq!(command[name], text, "{name}");
    }
    assert_eq!(show(&mut cloud, &order).records[0].status, Some(RecordStatus::Delivering));
    assert!(dispense(&mut cloud, &order, &records[0]).is_err() && dispense(&mut cloud, &order, &records[1]).is_err());
    assert!(outward(&mut cloud).is_empty(), "one thing at a time, and nothing twice");

    let result = |status, sequence| {
        [
            ("method", REPORT_METHOD),
            ("order_id", order.as_str()),
            ("record_id", records[0].as_str()),
            ("deliver_status", status),
            ("floor_status", "2"),
            ("error_msg", "Goods are Stuck"),
            ("sequence", sequence),
        ]
    };
    says(&mut cloud, &result("0", "1"));
    says(&mut cloud, &result("0", "1"));
    let callbacks = outward(&mut cloud);
    let example = json!({"deliver_status": "0", "error_msg": "Goods are Stuck", "floor_status": "2",
        "method": "device.delivery.response", "order_id": 1001, "record_id": 2001});
    assert_eq!(callbacks, [example], "the same report again is no news");
    let shown = show(&mut cloud, &order);
    assert_eq!((shown.records[0].status.clone(), shown.notify_send_count), (Some(RecordStatus::Failed), 1));
    let call = account().delivery(&machine(), &delivery_id, 7);
    let delivery = told(&mut cloud, &call, read_delivery).unwrap();
    assert_eq!((delivery.state, delivery.fail_reason.as_str()), (DeliveryState::Finished, "Goods are Stuck"));
    assert_eq!(
        (delivery.delivered_at.as_str(), delivery.pickup_at.as_str()),
        ("2024-04-29 14:54:48", "2024-04-29 14:54:48")
    );
    says(&mut cloud, &result("1", "2"));
    assert_eq!(show(&mut cloud, &order).records[0].status, Some(RecordStatus::Success), "a correction counts");

    assert!(cloud.hear(b"bm90aGluZw==").is_err());
    let forged = envelope::seal([("method", "client.heartbeat".into())], &SigningKey::new("other").unwrap());
    assert!(cloud.hear(&forged).is_err(), "what is not signed is dropped");
    says(&mut cloud, &[("method", "client.offline")]);
    assert_eq!(code(dispense(&mut cloud, &order, &records[1]).unwrap_err()), 30_002);
    says(&mut cloud, &[("method", "client.heartbeat")]);
    assert!(dispense(&mut cloud, &order, &records[1]).is_ok());
    let absent = account().delivery(&machine(), &id("7"), 7);
    assert_eq!(code(told(&mut cloud, &absent, read_delivery).unwrap_err()), 404);
}

#[test]
fn a_command_without_an_answer_is_given_up_after_120_seconds() {
    let mut cloud = shop();
    let order = buy(&mut cloud, "t1", &[(121, 1)]).unwrap();
    update(&mut cloud, order.as_str(), NewStatus::Paid).unwrap();
    dispense(&mut cloud, &order, "2001").unwrap();
    outward(&mut cloud);
    cloud.tick(T0 + DELIVERY_TIME_OUT_S - 1);
    assert_eq!(show(&mut cloud, &order).records[0].status, Some(RecordStatus::Delivering));
    cloud.tick(T0 + DELIVERY_TIME_OUT_S);
    assert_eq!(show(&mut cloud, &order).records[0].status, Some(RecordStatus::TimedOut));
    assert_eq!(outward(&mut cloud).len(), 1);
    // What the machine finds out later is told all the same.
    says(
        &mut cloud,
        &[("method", REPORT_METHOD), ("order_id", order.as_str()), ("record_id", "2001"), ("deliver_status", "1")],
    );
    assert_eq!(
        (show(&mut cloud, &order).records[0].status.clone(), outward(&mut cloud).len()),
        (Some(RecordStatus::Success), 1)
    );
}

#[test]
fn a_channel_test_is_the_documented_command_and_no_order() {
    let mut cloud = shop();
    let call = |name: &str| account().test_channel(&machine(), &id(name), NOTIFY, 7).unwrap();
    assert!(told(&mut cloud, &call("B9"), read_dispensed).is_err());
    told(&mut cloud, &call("A6"), read_dispensed).unwrap();
    let [command] = &outward(&mut cloud)[..] else { panic!("one command") };
    assert_eq!(
        (&command["method"], &command["code"], &command["order_type"]),
        (&"client.channel.debugging".into(), &"6".into(), &"test".into())
    );
    assert!(command.get("order_id").is_none() && cloud.orders.is_empty());
}

#[test]
fn a_pickup_code_becomes_one_order_ever() {
    let mut cloud = shop();
    let new = |product, expired_at: Option<&str>| NewCodes {
        product,
        expired_at: expired_at.map(|text| text.parse().unwrap()),
        length: CODE_LENGTH_DEFAULT,
    };
    let make = |cloud: &mut SimCloud, codes: &NewCodes| {
        told(cloud, &account().create_codes(&machine(), codes, 7).unwrap(), read_codes_changed)
    };
    let list =
        |cloud: &mut SimCloud| told(cloud, &account().pickup_codes(&machine(), ProductId(121), 7), read_codes).unwrap();
    make(&mut cloud, &new(Some((ProductId(121), 2)), None)).unwrap();
    make(&mut cloud, &new(None, Some("2024-04-29 14:55:00"))).unwrap();
    assert!(make(&mut cloud, &new(Some((ProductId(121), 11)), None)).is_err(), "more than fit");
    let codes = list(&mut cloud);
    assert_eq!((codes.len(), cloud.pickup_codes.len()), (3, 4));
    assert_ne!(codes[0].code, codes[1].code);

    let consume = |code, trade_id| Consume::new(code, ProductId(121), NOTIFY, id(trade_id)).unwrap();
    let call = account().consume_code(&machine(), &consume(codes[0].code.clone(), "t1"), 7);
    let order = told(&mut cloud, &call, read_consumed).unwrap();
    assert_eq!((&order.status, stock(&cloud)), (&OrderStatus::PickupCode, [3, 4]));
    assert_eq!(order.pickup_code_id, Some(codes[0].id));
    assert_eq!(may_drive(&order, &id(&order.records[0].id)), Verdict::Drive);
    let again = account().consume_code(&machine(), &consume(codes[0].code.clone(), "t2"), 7);
    let (status, body) = carry(&mut cloud, &again);
    assert_eq!(code(read_consumed(status, &body).unwrap_err()), 6033);
    assert_eq!((order_of_used_code(&body), stock(&cloud)), (Some(order.order_id.clone()), [3, 4]));

    cloud.tick(T0 + 60);
    assert_eq!(list(&mut cloud).len(), 1, "used and expired ones are not listed");
    let late = account().consume_code(&machine(), &consume(codes[2].code.clone(), "t3"), 7);
    assert_eq!(code(told(&mut cloud, &late, read_consumed).unwrap_err()), 6032);
    let cancel = |id| account().cancel_codes(&machine(), id, 7);
    told(&mut cloud, &cancel(Some(codes[1].id)), read_codes_changed).unwrap();
    assert_eq!(code(told(&mut cloud, &cancel(Some(PickupCodeId(1))), read_codes_changed).unwrap_err()), 4004);
    told(&mut cloud, &cancel(None), read_codes_changed).unwrap();
    assert!(cloud.pickup_codes.is_empty());
}

#[test]
fn lists_come_in_pages_and_a_slot_takes_no_more_than_fits() {
    let mut cloud = shop();
    let query = |page, per_page| ProductQuery { page, per_page, category: None, place: Place::Main, all: false };
    let ask = |cloud: &mut SimCloud, query: &ProductQuery| {
        told(cloud, &account().products(&machine(), query, 7), read_products)
    };
    let first = ask(&mut cloud, &query(1, 1)).unwrap();
    assert_eq!((first.products.len(), first.total, first.last_page), (1, 2, 2));
    assert_eq!((first.products[0].id, first.products[0].good.price.clone()), (ProductId(121), Ok(Fen(350))));
    assert!(ask(&mut cloud, &query(3, 1)).unwrap().products.is_empty());
    assert!(ask(&mut cloud, &query(0, 1)).is_err());
    assert_eq!(told(&mut cloud, &account().floors(&machine(), 7), read_floors).unwrap().len(), 2);
    assert_eq!(told(&mut cloud, &account().categories(&machine(), 7), read_categories).unwrap().len(), 1);
    assert!(!told(&mut cloud, &account().machines(&machine(), 7), read_machines).unwrap()[0].is_online);
    cloud.machine_online = Some(true);
    assert!(told(&mut cloud, &account().machine(&machine(), 7), read_machine).unwrap().is_online);
    let restock = |restock| account().restock(&machine(), restock, 7);
    let add = |added| Restock::Product { id: ProductId(121), added };
    told(&mut cloud, &restock(add(6)), read_restocked).unwrap();
    let over = told(&mut cloud, &restock(add(1)), read_restocked).unwrap_err();
    assert!(matches!(&over, ApiError::NotProven { message, .. } if message == "超出货道最大库存"), "{over}");
    assert_eq!(stock(&cloud), [10, 4]);
    told(&mut cloud, &restock(Restock::Full(Place::Main)), read_restocked).unwrap();
    assert_eq!(stock(&cloud), [10, 10]);
}

#[test]
fn faults_are_read_as_people_write_them_and_meet_so_many_calls() {
    for good in [
        "code:40006",
        "code-zero",
        "status:503@3",
        "html",
        "half-body",
        "slow:5",
        "down@all",
        "wrong-date:-86400",
        "unauthorized",
        "busy:30",
        "answer-lost@2",
    ] {
        assert!(good.parse::<Fault>().is_ok(), "{good}");
    }
    for bad in ["", "html:1", "code", "code:0", "status:200", "slow:601", "html@0", "html@1001", "html@x", "fire"] {
        let error = bad.parse::<Fault>().unwrap_err().to_string();
        assert!(error.contains("KIND[:VALUE]"), "{error}");
    }
    let mut cloud = shop();
    let call = account().ping(&machine(), 7);
    let headers: Vec<_> = call.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for fault in ["busy:30@2", "unauthorized", "down@all"] {
        cloud.mishaps.meet(fault.parse().unwrap());
    }
    let ask = |cloud: &mut SimCloud| cloud.tell(call.method, &call.path, &headers, &call.body);
    let told = [(); 6].map(|()| ask(&mut cloud));
    assert_eq!([told[0].retry_after_s, told[1].retry_after_s, told[2].retry_after_s], [Some(30), Some(30), None]);
    assert_eq!((told[0].status, told[2].status), (429, 401));
    assert!(told[3..].iter().all(|told| told.is_cut));
    cloud.mishaps.clear();
    assert_eq!(read_ping(200, &ask(&mut cloud).body), Ok(()));
    cloud.mishaps.meet("wrong-date:-60".parse().unwrap());
    cloud.mishaps.meet("slow:3".parse().unwrap());
    let (dated, slow) = (ask(&mut cloud), ask(&mut cloud));
    assert_eq!((dated.date_off_s, slow.after_s, read_ping(slow.status, &slow.body)), (-60, 3, Ok(())));
}

#[test]
fn a_log_line_names_things_and_holds_no_secret() {
    let mut cloud = shop();
    let consume = Consume::new("123456".parse().unwrap(), ProductId(121), NOTIFY, id("t1")).unwrap();
    let call = account().consume_code(&machine(), &consume, 7);
    let headers: Vec<_> = call.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let told = cloud.tell(call.method, &call.path, &headers, &call.body);
    let line = cloud.told_line(call.method, &call.path, &call.body, &told);
    assert_eq!(
        line,
        "POST /api/openapi/v1/consumes method=event.consume.pickup_code product_id=121 trade_id=t1 -> 200 code 4004 查不到对应记录"
    );
}
