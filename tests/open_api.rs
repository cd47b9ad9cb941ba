//! The vendor's and the seed's examples of the open API, to the byte: what goes out for each call, and what each
//! printed answer is read as (cloud 1.1–1.5).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use vend::cloud::api_codes::RetryClass;
use vend::cloud::open_platform::*;
use vend::order::motor::Address;
use vend::order::said::{Said, Word};
use vend::sim::sample::{account, id, machine};

/// What is inside the payload of a call.
fn payload(request: &ApiRequest) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 1, "nothing beside the payload: {body}");
    String::from_utf8(BASE64.decode(body["payload"].as_str().unwrap()).unwrap()).unwrap()
}

fn ok(data: &str) -> Vec<u8> {
    format!(r#"{{"code":0,"message":"ok","data":{data}}}"#).into_bytes()
}

// --- what goes out ----------------------------------------------------------------------------------------------------

#[test]
fn the_seeds_update_differs_from_ours_only_in_that_all_our_values_are_texts() {
    let request = account().update_order(&machine(), &id("60"), NewStatus::Refund, 1_714_128_358);
    assert_eq!((request.method, request.path.as_str()), ("PUT", "/api/openapi/v1/orders/60"));
    let ours = payload(&request);
    // The seed's own bytes; its status is the JSON number 2, which signs as the same digits.
    let seeds = BASE64
        .decode(
            "eyJtYWNoaW5lX25vIjoiMTYzMjcxMjkiLCJzaWduIjoiOUM4NEZEMUNFMkM3Njg0OUU3Nzc4QUNGMkM1MEZGRjAiLCJzdGF0dXMiOjIsInRpbWVzdGFtcCI6IjE3MTQxMjgzNTgifQ==",
        )
        .unwrap();
    assert_eq!(ours.replace(r#""status":"2""#, r#""status":2"#).as_bytes(), seeds);
}

#[test]
fn the_vendors_dispense_is_sent_to_the_byte() {
    let request = account().dispense(&machine(), &id("60"), &id("78"), 1_714_373_688);
    assert_eq!((request.method, request.path.as_str()), ("POST", "/api/openapi/v1/deliveries"));
    assert_eq!(
        payload(&request),
        r#"{"machine_no":"16327129","method":"device.delivery.put","order_id":"60","record_id":"78","sign":"2457E8CE3CB49D31EC2054365FC8AD90","timestamp":"1714373688"}"#
    );
}

#[test]
fn the_vendors_pickup_codes_are_asked_for_to_the_byte() {
    let new = NewCodes {
        product: Some((ProductId(1_323_442), 2)),
        expired_at: Some("2024-12-31 23:59:59".parse().unwrap()),
        length: "7".parse().unwrap(),
    };
    let request = account().create_codes(&machine(), &new, 1_714_185_061).unwrap();
    assert_eq!((request.method, request.path.as_str()), ("POST", "/api/openapi/v1/pickup_codes"));
    assert_eq!(
        payload(&request),
        r#"{"code_length":"7","count":"2","expired_at":"2024-12-31 23:59:59","machine_no":"16327129","method":"pickup_code.product.id","product_id":"1323442","quantity":"1","sign":"6C73E1EE2B92089A61DC721E72BB3139","timestamp":"1714185061"}"#
    );
}

#[test]
fn the_vendors_order_is_created_to_the_byte_plain_and_unsigned() {
    let line = |n| OrderLine { product_id: ProductId(n), quantity: 1 };
    let lines = [121, 122, 131].map(line).to_vec();
    let order = NewOrder::new(id("3f2a58ad69b74e86b8a1a3da6fd75cc1"), "https://xxxxxx", lines).unwrap();
    let request = account().create_order(&machine(), &order);
    assert_eq!((request.method, request.path.as_str()), ("POST", "/api/openapi/v1/orders"));
    assert_eq!(
        String::from_utf8(request.body).unwrap(),
        r#"{"machine_no":"16327129","notify_url":"https://xxxxxx","products":[{"product_id":121,"quantity":1},{"product_id":122,"quantity":1},{"product_id":131,"quantity":1}],"trade_id":"3f2a58ad69b74e86b8a1a3da6fd75cc1"}"#
    );
}

/// Without `sign`, whose value the vendor masks for these.
fn unsigned(request: &ApiRequest) -> String {
    let mut fields: Value = serde_json::from_str(&payload(request)).unwrap();
    let fields = fields.as_object_mut().unwrap();
    let sign = fields.remove("sign").unwrap();
    assert_eq!(sign.as_str().unwrap().len(), 32);
    assert!(fields.values().all(Value::is_string), "all values are texts: {fields:?}");
    let machine_no = fields.remove("machine_no");
    let timestamp = fields.remove("timestamp");
    assert_eq!((machine_no, timestamp), (Some("16327129".into()), Some("7".into())));
    serde_json::to_string(fields).unwrap()
}

#[test]
fn every_other_call_has_its_documented_method_path_and_fields() {
    let (account, machine) = (account(), machine());
    let query = ProductQuery { page: 1, per_page: 10, category: None, place: Place::Main, all: false };
    let everything = ProductQuery {
        page: 2,
        per_page: 50,
        category: Some(CategoryId(3)),
        place: Place::Cabinet(Cabinet::new('B').unwrap()),
        all: true,
    };
    let on_board = ProductQuery { place: Place::Board(Address::new(2).unwrap()), ..query };
    let all_codes = NewCodes { product: None, expired_at: None, length: CODE_LENGTH_DEFAULT };
    let consume = Consume::new(
        "5288640".parse().unwrap(),
        ProductId(131),
        "https://m.example/n",
        id("800a7e9500d345c8987d3aafa412c77d"),
    )
    .unwrap();
    let layer = Restock::Category { id: CategoryId(1324), added: 20, place: Place::Main };
    let calls = [
        (account.ping(&machine, 7), "POST", "/ping", "{}"),
        (account.machines(&machine, 7), "POST", "/rent/machines", "{}"),
        (account.machine(&machine, 7), "POST", "/rent/machines/16327129", "{}"),
        (account.products(&machine, &query, 7), "POST", "/products", r#"{"page":"1","per_page":"10"}"#),
        (
            account.products(&machine, &everything, 7),
            "POST",
            "/products",
            r#"{"cabinet_name":"B","category_id":"3","page":"2","per_page":"50","select_all":"1"}"#,
        ),
        (account.products(&machine, &on_board, 7), "POST", "/products", r#"{"addr":"2","page":"1","per_page":"10"}"#),
        (account.floors(&machine, 7), "POST", "/floors", "{}"),
        (account.categories(&machine, 7), "POST", "/categories", "{}"),
        (account.banners(&machine, 7), "POST", "/banners", "{}"),
        (account.query_order(&machine, &id("54"), 7), "POST", "/orders/54", "{}"),
        (account.update_order(&machine, &id("54"), NewStatus::Paid, 7), "PUT", "/orders/54", r#"{"status":"1"}"#),
        (account.delivery(&machine, &id("5121763043809673"), 7), "POST", "/deliveries/5121763043809673", "{}"),
        (
            account.test_channel(&machine, &id("A20"), "https://m.example/notify", 7).unwrap(),
            "POST",
            "/deliveries/debug",
            r#"{"channel_name":"A20","method":"device.delivery.put","notify_url":"https://m.example/notify"}"#,
        ),
        (
            account.create_codes(&machine, &all_codes, 7).unwrap(),
            "POST",
            "/pickup_codes",
            r#"{"code_length":"6","method":"pickup_code.product.all","quantity":"1"}"#,
        ),
        (account.pickup_codes(&machine, ProductId(131), 7), "POST", "/products/131/pickup_code", "{}"),
        (
            account.cancel_codes(&machine, Some(PickupCodeId(1_122_223)), 7),
            "PUT",
            "/pickup_codes",
            r#"{"id":"1122223","method":"pickup_code.delete.id"}"#,
        ),
        (account.cancel_codes(&machine, None, 7), "PUT", "/pickup_codes", r#"{"method":"pickup_code.delete.all"}"#),
        (
            account.consume_code(&machine, &consume, 7),
            "POST",
            "/consumes",
            r#"{"code":"5288640","method":"event.consume.pickup_code","notify_url":"https://m.example/n","product_id":"131","trade_id":"800a7e9500d345c8987d3aafa412c77d"}"#,
        ),
        (
            account.restock(&machine, Restock::Full(Place::Main), 7),
            "POST",
            "/replenishments",
            r#"{"cabinet_name":"A","method":"replenishment.machine.all"}"#,
        ),
        (
            account.restock(&machine, Restock::Product { id: ProductId(1_324_832), added: 20 }, 7),
            "POST",
            "/replenishments",
            r#"{"current_inventory":"20","method":"replenishment.product.id","product_id":"1324832"}"#,
        ),
        (
            account.restock(&machine, layer, 7),
            "POST",
            "/replenishments",
            r#"{"cabinet_name":"A","category_id":"1324","current_inventory":"20","method":"replenishment.category.id"}"#,
        ),
    ];
    for (request, method, path, fields) in calls {
        assert_eq!((request.method, request.path.as_str()), (method, format!("{BASE_PATH}{path}").as_str()));
        assert_eq!(unsigned(&request), fields, "{path}");
        assert!(!format!("{request:?}").contains("hush"));
    }
}

#[test]
fn what_the_platform_would_refuse_is_refused_here() {
    let line = |n, quantity| OrderLine { product_id: ProductId(n), quantity };
    let new = |url: &str, lines| NewOrder::new(id("t"), url, lines).map(|_| ());
    let good = "https://m.example/n";
    assert_eq!(new(good, vec![]), Err(BadOrder::Lines(0)));
    assert_eq!(new(good, (1..=65).map(|n| line(n, 1)).collect()), Err(BadOrder::Lines(65)));
    assert_eq!(new(good, (1..=64).map(|n| line(n, 1)).collect()), Ok(()));
    assert_eq!(new(good, vec![line(1, 0)]), Err(BadOrder::Nothing(ProductId(1))));
    assert_eq!(new(good, vec![line(1, 1), line(2, 1), line(1, 2)]), Err(BadOrder::Twice(ProductId(1))));
    for url in ["", "ftp://m.example", "m.example", &format!("https://{}", "x".repeat(2_000))] {
        assert_eq!(new(url, vec![line(1, 1)]), Err(BadOrder::NotifyUrl), "{url:.20}");
    }
    for (text, is_code) in
        [("123456", true), ("1234567890", true), ("12345", false), ("12345678901", false), ("12345a", false)]
    {
        let code = text.parse::<PickupCode>();
        assert_eq!(code.is_ok(), is_code, "{text}");
        assert!(!format!("{code:?}").contains("12345"), "a code is never shown by the way");
    }
    assert!(
        "5".parse::<CodeLength>().is_err() && "11".parse::<CodeLength>().is_err() && "10".parse::<CodeLength>().is_ok()
    );
    for good in ["2024-02-29 00:00:00", "2000-02-29 23:59:59", "2024-12-31 23:59:59"] {
        assert_eq!(good.parse::<PlatformTime>().unwrap().as_str(), good);
    }
    for bad in [
        "",
        "2023-02-29 00:00:00",
        "1900-02-29 00:00:00",
        "2024-13-01 00:00:00",
        "2024-00-01 00:00:00",
        "2024-01-00 00:00:00",
        "2024-04-31 00:00:00",
        "2024-01-01 24:00:00",
        "2024-01-01 00:60:00",
        "2024-01-01T00:00:00",
        "2024-1-1 0:0:0",
        "2024-01-01 00:00:60",
        "+024-01-01 00:00:00",
        "２０２４-01-01 00:00",
    ] {
        assert!(matches!(bad.parse::<PlatformTime>(), Err(BadPickup::Time(_))), "{bad}");
    }
    let none = NewCodes { product: Some((ProductId(1), 0)), expired_at: None, length: CODE_LENGTH_DEFAULT };
    assert_eq!(account().create_codes(&machine(), &none, 7), Err(BadPickup::Count));
    assert!(account().test_channel(&machine(), &id("A20"), "nowhere", 7).is_err());
    assert!(
        "0".parse::<ProductId>().is_err() && "+1".parse::<ProductId>().is_err() && "".parse::<ProductId>().is_err()
    );
}

// --- what comes back --------------------------------------------------------------------------------------------------

#[test]
fn the_vendors_query_of_an_order_is_read() {
    let body = ok(r#"{"order_id":54,"trade_id":"3f2a58ad69b74e86b8a1a3da6fd75cc1","date":"2024-04-26","amount":"3.00",
        "status":"SUCCESS","notify_send_count":1,"records":[
        {"id":70,"product_id":121,"quantity":1,"price":"1.00","status":"未取货","notify_sent":"1"},
        {"id":71,"product_id":122,"quantity":1,"price":"1.00","status":"未取货","notify_sent":"0"},
        {"id":72,"product_id":131,"quantity":1,"price":"1.00","status":"未取货","notify_sent":"0"}]}"#);
    let order = read_order(200, &body, &id("54")).unwrap();
    assert_eq!((order.amount, order.status), (Ok(Fen(300)), OrderStatus::Success));
    assert_eq!((order.date.as_str(), order.trade_id.len(), order.notify_send_count), ("2024-04-26", 32, 1));
    let told: Vec<_> = order.records.iter().map(|r| (r.id.as_str(), r.product_id.unwrap().0, r.notify_sent)).collect();
    assert_eq!(told, [("70", 121, true), ("71", 122, false), ("72", 131, false)]);
    assert!(order.records.iter().all(|r| r.status == Some(RecordStatus::WaitingPickedUp) && r.price == Ok(Fen(100))));
}

#[test]
fn the_vendors_consumed_code_is_an_order_and_a_used_one_names_its_order() {
    let body = ok(r#"{"order_id":60,"trade_id":"800a7e95-00d3-45c8-987d-3aafa412c77d","date":"2024-04-29",
        "amount":"1.00","status":"PICKUPCODE","records":[{"id":78,"product_id":131,"quantity":1,"price":"1.00",
        "status":"未取货","notify_sent":"0"}],"pickup_code_id":1}"#);
    let order = read_consumed(200, &body).unwrap();
    assert_eq!((order.order_id.as_str(), &order.status), ("60", &OrderStatus::PickupCode));
    assert_eq!(order.pickup_code_id, Some(PickupCodeId(1)));
    assert_eq!(may_drive(&order, &id("78")), Verdict::Drive);

    let used = r#"{"code":10025,"message":"取货码已使用","data":{"order_id":60}}"#.as_bytes();
    let error = read_consumed(200, used).unwrap_err();
    assert_eq!((error.class(), order_of_used_code(used)), (RetryClass::Final, Some(id("60"))));
    assert_eq!(order_of_used_code(b"<html>"), None);
}

#[test]
fn the_vendors_deliveries_are_read_and_an_unpaid_order_has_no_delivery_id() {
    let body =
        ok(r#"{"delivery_id":"5121763043809673","delivered_at":"2024-05-04 16:16:49","status":"未取货或正在出货"}"#);
    let (delivery_id, delivery) = read_dispensed(200, &body).unwrap();
    assert_eq!((delivery_id.as_str(), &delivery.state), ("5121763043809673", &DeliveryState::UnderWay));
    assert_eq!(delivery.delivered_at, "2024-05-04 16:16:49");

    let unpaid = r#"{"code":0,"message":"订单未支付","data":{}}"#.as_bytes();
    let error = read_dispensed(200, unpaid).unwrap_err();
    assert_eq!(error, ApiError::NotProven { wanted: Said::word("data.delivery_id"), message: "订单未支付".to_owned() });

    let over = read_delivery(200, &ok(r#"{"delivered_at":"2024-05-04 16:18:06","status":"出货完成"}"#)).unwrap();
    assert_eq!((&over.state, over.pickup_at.as_str(), over.fail_reason.as_str()), (&DeliveryState::Finished, "", ""));
    let absent = read_delivery(200, br#"{"code":404,"message":"Not Found","data":{}}"#).unwrap_err();
    assert_eq!(absent, ApiError::Refused { status: 200, code: 404, message: "Not Found".to_owned() });
    assert!(
        matches!(read_delivery(200, &ok("{}")), Err(ApiError::NotProven { wanted, .. }) if wanted.en == "data.status")
    );
}

#[test]
fn the_vendors_products_are_read_in_fen_and_an_empty_page_is_a_list() {
    let body =
        ok(r#"{"data":[{"id":20,"category":{"id":2,"title":"第二层"},"good":{"name":"可乐","description":"可乐",
        "thumb":"{url}/storage/a.png","price":"0.10","original_price":"0.00","content":"<p>可口可乐</p>"},
        "channel":{"name":"A21","cabinet_name":"A","code":"020","x":"2","y":"0","addr":1},
        "current_inventory":1,"inventory":2}],"total":6,"current_page":1,"last_page":1,"per_page":10}"#);
    let page = read_products(200, &body).unwrap();
    assert_eq!((page.total, page.current_page, page.last_page), (6, 1, 1));
    let product = &page.products[0];
    assert_eq!((product.id, product.category.as_str()), (ProductId(20), "第二层"));
    assert_eq!((&product.good.price, &product.good.original_price), (&Ok(Fen(10)), &Ok(Fen(0))));
    let channel = &product.channel;
    assert_eq!(
        (channel.name.as_str(), channel.code.as_str(), channel.row, channel.column, channel.addr),
        ("A21", "020", 2, 0, 1)
    );
    assert_eq!((product.current_inventory, product.inventory), (1, 2));
    assert_eq!(read_products(200, &ok("[]")), Ok(ProductPage::default()));
    assert!(matches!(read_products(200, &ok("{}")), Err(ApiError::NotProven { .. })));
}

#[test]
fn the_vendors_channels_are_read_from_either_spelling_of_their_state() {
    let line = |state: &str| {
        format!(
            r#"{{{state}"good":{{"id":131,"name":"橙汁","price":"1.00"}},"channel":{{"id":223,"name":"B1","cabinet_name":"B","code":"200","x":"0","y":"0","addr":1}},"inventory":2}}"#
        )
    };
    let states = [r#""status":"1","#, r#""floor_status":"47","#, r#""floor_status":2,"#, ""].map(line).join(",");
    let floors = read_floors(200, &ok(&format!("[{states}]"))).unwrap();
    let read: Vec<_> = floors.iter().map(|floor| floor.status.clone()).collect();
    let absent = FloorStatus::Unknown(String::new());
    assert_eq!(read, [FloorStatus::Normal, FloorStatus::SerialTimeOut, FloorStatus::Jam, absent]);
    assert_eq!((floors[0].channel.code.as_str(), floors[0].current_inventory, floors[0].inventory), ("200", 0, 2));
}

#[test]
fn the_vendors_machines_are_read_and_what_is_left_out_is_false() {
    let body = ok(r#"[{"machine_name":"a","machine_no":"16327129","is_online":true,"status":true,"address":"未知",
        "notify_message":"[系统检测]: 设备已连接至服务器","lng_lat":"116.549815,39.922273",
        "created_at":"2024-03-18 20:48:23"},{"machine_name":"b","machine_no":"16327127"},{"machine_name":"nameless"}]"#);
    let machines = read_machines(200, &body).unwrap();
    let told: Vec<_> = machines.iter().map(|m| (m.machine_no.as_str(), m.is_online, m.in_operation)).collect();
    assert_eq!(told, [("16327129", true, true), ("16327127", false, false)]);
    assert_eq!(read_machines(200, &ok("[]")), Ok(vec![]));
    let none = read_machines(200, r#"{"code":30001,"message":"没有关联的设备号","data":{}}"#.as_bytes());
    assert!(matches!(none, Err(ApiError::Refused { code: 30_001, .. })));

    let body = ok(r#"{"machine_name":"a","address":"未知","is_online":true,"model":{"cabinet_names":["A"]},
        "machine_type":1,"categories":[{"id":1,"title":"第一层"},{"id":2,"title":"第二层"}],
        "announcement":{"title":"b"},"merchant":{"title":"拼多多","status":"VERIFIED"},
        "currency":{"id":3,"name":"Euro","code":"EUR","symbol":"€"}}"#);
    let machine = read_machine(200, &body).unwrap();
    assert_eq!((machine.machine_type, machine.status), (Some(MachineType::Vending), None));
    assert_eq!(machine.categories.iter().map(|c| c.title.as_str()).collect::<Vec<_>>(), ["第一层", "第二层"]);
    assert_eq!(machine.currency, Some(Currency { code: "EUR".to_owned(), symbol: "€".to_owned() }));
    assert_eq!((machine.merchant.as_str(), machine.cabinet_names), ("拼多多", vec!["A".to_owned()]));
    assert!(
        matches!(read_machine(200, &ok("{}")), Err(ApiError::NotProven { wanted, .. }) if wanted.en == "data.machine_name")
    );
}

#[test]
fn the_vendors_categories_banners_and_codes_are_read() {
    let categories = read_categories(
        200,
        &ok(r#"[{"id":1,"title":"第一层","sort_id":100,"is_visible":true},{"id":5,"title":"x"}]"#),
    )
    .unwrap();
    assert_eq!((categories[0].sort_id, categories[0].is_visible, categories[1].is_visible), (100, true, false));
    let banners = read_banners(200, &ok(r#"[{"id":2,"status":"APPROVED","is_visible":true,"cover_image":"{url}/a.jpg","sort_id":2,"hit_count":1,"views_count":3}]"#)).unwrap();
    assert_eq!((banners[0].status.as_str(), banners[0].hit_count, banners[0].views_count), ("APPROVED", 1, 3));
    let body = ok(r#"[{"id":2111,"code":"9388106","status":"UNUSED","created_at":"2024-04-27 14:00:08",
        "expired_at":"2024-04-28 14:00:08","quantity":1},{"id":2113,"code":"9388116","status":"UNUSED"},
        {"id":2114,"code":"?"}]"#);
    let codes = read_codes(200, &body).unwrap();
    let told: Vec<_> = codes.iter().map(|c| (c.id.0, c.code.reveal(), c.expired_at.as_str(), c.quantity)).collect();
    assert_eq!(told, [(2111, "9388106", "2024-04-28 14:00:08", 1), (2113, "9388116", "", 1)]);
    assert!(!format!("{codes:?}").contains("9388106"));
}

#[test]
fn calls_without_data_are_proven_by_ok_alone() {
    for read in [read_update, read_codes_changed, read_restocked] {
        assert_eq!(read(200, &ok("{}")), Ok(()));
        assert_eq!(read(200, &ok("\"\"")), Ok(()));
        for failure in ["超出货道最大库存", "1 个货道库存更新失败, 超出货道最大库存", "订单未支付", ""]
        {
            let body = format!(r#"{{"code":0,"message":"{failure}","data":{{}}}}"#);
            assert!(matches!(read(200, body.as_bytes()), Err(ApiError::NotProven { .. })), "{failure}");
        }
    }
    assert_eq!(read_created(200, &ok(r#"{"order_id":1111111}"#)), Ok(id("1111111")));
    assert!(matches!(read_created(200, &ok("{}")), Err(ApiError::NotProven { .. })));
    let gone = read_created(200, r#"{"code":60002,"message":"商品已下架","data":{}}"#.as_bytes()).unwrap_err();
    assert_eq!(gone.class(), RetryClass::Final);
}

#[test]
fn what_comes_in_is_bounded() {
    let long = "好".repeat(5_000);
    let machines =
        read_machines(200, &ok(&format!(r#"[{{"machine_no":"16327129","machine_name":"{long}"}}]"#))).unwrap();
    assert_eq!(machines[0].name.chars().count(), TEXT_CHARS_MAX + 1);
    let many = vec![r#"{"machine_no":"16327129"}"#; LIST_ITEMS_MAX + 1].join(",");
    let error = read_machines(200, &ok(&format!("[{many}]"))).unwrap_err();
    assert_eq!(
        error,
        ApiError::TooLarge {
            what: Word { json: "machines", zh: "台机器" },
            found: LIST_ITEMS_MAX + 1,
            max: LIST_ITEMS_MAX
        }
    );
    assert_eq!(error.class(), RetryClass::Final);
    let body = ok(&format!("[\"{}\"]", "x".repeat(ANSWER_BYTES_MAX)));
    assert!(matches!(read_machines(200, &body), Err(ApiError::TooLarge { what: Word { json: "bytes", .. }, .. })));
    let records = vec![r#"{"id":1}"#; LIST_ITEMS_MAX + 1].join(",");
    let error =
        read_order(200, &ok(&format!(r#"{{"order_id":54,"status":"SUCCESS","records":[{records}]}}"#)), &id("54"));
    assert!(matches!(error, Err(ApiError::TooLarge { what: Word { json: "records", .. }, .. })));
}

// --- money and words --------------------------------------------------------------------------------------------------

#[test]
fn amounts_are_fen_and_odd_ones_are_refused() {
    for (text, fen) in [
        ("3.00", 300),
        ("0.10", 10),
        ("0.00", 0),
        ("3.5", 350),
        ("3", 300),
        ("0.01", 1),
        ("184467440737095516.15", u64::MAX),
    ] {
        assert_eq!(Fen::parse(text), Ok(Fen(fen)), "{text}");
    }
    for odd in [
        "",
        ".",
        "3.",
        ".5",
        "-1.00",
        "+1",
        "1,00",
        "1 000.00",
        "¥3.00",
        "3.001",
        "3e2",
        "٣",
        "184467440737095516.16",
        "99999999999999999999",
    ] {
        assert_eq!(Fen::parse(odd), Err(BadAmount { found: odd.to_owned() }), "{odd}");
    }
    let amount =
        |json: &str| read_order(200, &ok(&format!(r#"{{"order_id":54,"amount":{json}}}"#)), &id("54")).unwrap().amount;
    assert_eq!((amount("\"3.00\""), amount("3"), amount("\"\"")), (Ok(Fen(300)), Ok(Fen(300)), Ok(Fen(0))));
    for odd in ["3.0", "0.1", "true", "{}", "-3"] {
        assert!(amount(odd).is_err(), "{odd}: a fraction as a JSON number has lost its digits");
    }
    assert_eq!((Fen(u64::MAX).times(2), Fen(150).times(2)), (None, Some(Fen(300))));
    assert_eq!(Fen(105).to_string(), "1.05");
}

/// One enumeration: what is read, what is written, what people are told.
macro_rules! holds_together {
    ($($name:ident: $count:literal),+) => { $(
        assert_eq!($name::KNOWN.len(), $count, stringify!($name));
        let mut seen: Vec<&str> = Vec::new();
        for (value, spellings) in $name::KNOWN {
            assert_eq!(value.as_str(), spellings[0]);
            let (en, zh) = value.meaning().expect("a meaning");
            assert!(en.is_ascii() && !en.is_empty() && !zh.is_empty(), "{value:?}");
            for spelling in *spellings {
                assert_eq!(&$name::parse(spelling), value);
                assert!(!seen.contains(spelling), "{spelling} means two things");
                seen.push(spelling);
            }
        }
        for foreign in ["", "something new", "-2", "48"] {
            let unknown = $name::parse(foreign);
            assert_eq!((unknown.as_str(), unknown.meaning()), (foreign, None));
            assert_eq!(unknown, $name::Unknown(foreign.to_owned()));
        }
    )+ };
}

#[test]
fn every_enumeration_reads_all_its_spellings_and_keeps_what_it_does_not_know() {
    holds_together!(
        OrderStatus: 10, RecordStatus: 8, DeliveryState: 2, DeliveryLogStatus: 7, PickupCodeStatus: 4, FloorStatus: 5,
        LockStatus: 4, MachineStatus: 3, MachineType: 6, PaymentKind: 9
    );
    for to in NewStatus::ALL {
        assert_eq!(OrderStatus::parse(to.as_str()), to.becomes(), "the digit that is sent is the numeric twin");
    }
}
