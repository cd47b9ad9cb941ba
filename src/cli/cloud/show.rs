//! The calls that only look, and how answers are shown.

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::lang::Lang;
use super::super::output::Output;
use super::ProductsArgs;
use super::caller::Caller;
use crate::cloud::open_platform::{
    self, Banner, Category, Channel, Delivery, Floor, Machine, MachineDetail, Order, OrderRecord, Price, Product,
    ProductId, ProductQuery, StoredCode,
};
use crate::order::key::Id;
use serde_json::{Value, json};

/// Products that are asked for at once: a page of them with prose stays far below what is read of an answer.
const PER_PAGE: u32 = 50;
/// Pages that are asked for: more than any machine has products.
const PAGES_MAX: u32 = 40;

/// A status in the reader's language, and as it came where nobody documents it.
fn said(lang: Lang, meaning: Option<(&str, &str)>, came: &str) -> String {
    match meaning {
        Some((en, zh)) => lang.say(en, zh).to_owned(),
        None if came.is_empty() => "-".to_owned(),
        None => format!("{} {came:?}", lang.say("unknown word", "未知值")),
    }
}

fn yes_no(lang: Lang, truth: bool) -> String {
    if truth { lang.say("yes", "是") } else { lang.say("no", "否") }.to_owned()
}

fn money(lang: Lang, price: &Price) -> String {
    match price {
        Ok(fen) => fen.to_string(),
        Err(bad) => format!("{} {:?}", lang.say("unreadable", "不可读"), bad.found),
    }
}

/// Fen, or what could not be read as an amount.
fn money_json(price: &Price) -> Value {
    match price {
        Ok(fen) => fen.0.into(),
        Err(bad) => json!({ "unreadable": bad.found }),
    }
}

pub(super) fn ping(caller: &mut Caller, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now_s = caller.now_s();
    caller.ask(caller.account.ping(&caller.machine_no, now_s), open_platform::read_ping)?;
    if out.is_json() {
        out.json(&json!({ "answered": true }))?;
    } else {
        out.good(
            out.lang.say("the cloud knows us: url, credentials and key are right", "云端认可：url、凭据与密钥正确"),
        )?;
    }
    Ok(Exit::Done)
}

pub(super) fn machines(caller: &mut Caller, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now_s = caller.now_s();
    let machines = caller.ask(caller.account.machines(&caller.machine_no, now_s), open_platform::read_machines)?;
    let lang = out.lang;
    if out.is_json() {
        let json = |m: &Machine| {
            json!({
                "machine_no": m.machine_no, "name": m.name, "is_online": m.is_online,
                "in_operation": m.in_operation, "address": m.address, "lng_lat": m.lng_lat,
                "created_at": m.created_at, "contact": m.contact, "tel": m.tel, "notify_message": m.notify_message,
            })
        };
        out.json(&json!({ "machines": machines.iter().map(json).collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    let row = |m: &Machine| {
        vec![
            m.machine_no.clone(),
            m.name.clone(),
            yes_no(lang, m.is_online),
            yes_no(lang, m.in_operation),
            m.address.clone(),
            m.contact.clone(),
        ]
    };
    let header = lang.say(
        ["machine", "name", "online", "in operation", "address", "contact"],
        ["机器", "名称", "在线", "运营中", "地址", "负责人"],
    );
    out.table(&header, &machines.iter().map(row).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

pub(super) fn machine(caller: &mut Caller, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now_s = caller.now_s();
    let m: MachineDetail =
        caller.ask(caller.account.machine(&caller.machine_no, now_s), open_platform::read_machine)?;
    let lang = out.lang;
    if out.is_json() {
        out.json(&json!({
            "machine_no": caller.machine_no, "name": m.name, "is_online": m.is_online, "address": m.address,
            "lng_lat": m.lng_lat, "merchant": m.merchant, "announcement": m.announcement,
            "status": m.status.as_ref().map(|s| s.as_str()),
            "machine_type": m.machine_type.as_ref().map(|t| t.as_str()),
            "cabinets": m.cabinet_names, "categories": m.categories.iter().map(category_json).collect::<Vec<_>>(),
            "currency": m.currency.as_ref().map(|c| json!({ "code": c.code, "symbol": c.symbol })),
        }))?;
        return Ok(Exit::Done);
    }
    let kind = m.machine_type.as_ref().map(|t| said(lang, t.meaning(), t.as_str()));
    let state = m.status.as_ref().map(|s| said(lang, s.meaning(), s.as_str()));
    let titles: Vec<&str> = m.categories.iter().map(|c| c.title.as_str()).collect();
    let currency = m.currency.as_ref().map(|c| format!("{} {}", c.code, c.symbol));
    let rows = [
        (("machine", "机器"), caller.machine_no.to_string()),
        (("name", "名称"), m.name),
        (("online", "在线"), yes_no(lang, m.is_online)),
        (("state", "状态"), state.unwrap_or_else(|| "-".to_owned())),
        (("kind", "类型"), kind.unwrap_or_else(|| "-".to_owned())),
        (("address", "地址"), m.address),
        (("cabinets", "柜"), m.cabinet_names.join(" ")),
        (("categories", "分类"), titles.join(", ")),
        (("merchant", "商户"), m.merchant),
        (("currency", "币种"), currency.unwrap_or_else(|| "-".to_owned())),
    ];
    pairs(out, rows)
}

/// Names and values, one pair a line.
fn pairs<const N: usize>(out: &mut Output<'_>, rows: [((&str, &str), String); N]) -> Result<Exit, Failure> {
    let lang = out.lang;
    let rows = rows.map(|((en, zh), value)| vec![lang.say(en, zh).to_owned(), value]);
    out.table(&lang.say(["what", "value"], ["项目", "值"]), &rows)?;
    Ok(Exit::Done)
}

pub(super) fn products(caller: &mut Caller, args: &ProductsArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut products: Vec<Product> = Vec::new();
    for page in 1..=PAGES_MAX {
        let query =
            ProductQuery { page, per_page: PER_PAGE, category: args.category, place: args.part.place(), all: args.all };
        let now_s = caller.now_s();
        let call = caller.account.products(&caller.machine_no, &query, now_s);
        let found = caller.ask(call, open_platform::read_products)?;
        let (is_empty, last_page) = (found.products.is_empty(), found.last_page);
        products.extend(found.products);
        if is_empty || u64::from(page) >= last_page {
            break;
        }
    }
    let lang = out.lang;
    if out.is_json() {
        let json = |p: &Product| {
            json!({
                "id": p.id.0, "name": p.good.name, "good_no": p.good.good_no, "category": p.category,
                "price_fen": money_json(&p.good.price), "original_price_fen": money_json(&p.good.original_price),
                "channel": channel_json(&p.channel), "current_inventory": p.current_inventory, "inventory": p.inventory,
            })
        };
        out.json(&json!({ "products": products.iter().map(json).collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    let row = |p: &Product| {
        vec![
            p.id.to_string(),
            p.channel.name.clone(),
            p.channel.code.clone(),
            p.channel.addr.to_string(),
            p.good.name.clone(),
            money(lang, &p.good.price),
            format!("{}/{}", p.current_inventory, p.inventory),
        ]
    };
    let header = lang.say(
        ["product", "slot", "code", "board", "name", "price", "stock"],
        ["产品", "货道", "编号", "驱动板", "名称", "价格", "库存"],
    );
    out.table(&header, &products.iter().map(row).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

fn channel_json(channel: &Channel) -> Value {
    json!({
        "name": channel.name, "cabinet": channel.cabinet_name, "code": channel.code, "row": channel.row,
        "column": channel.column, "addr": channel.addr,
    })
}

pub(super) fn channels(caller: &mut Caller, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now_s = caller.now_s();
    let floors = caller.ask(caller.account.floors(&caller.machine_no, now_s), open_platform::read_floors)?;
    let lang = out.lang;
    if out.is_json() {
        let json = |f: &Floor| {
            json!({
                "channel": channel_json(&f.channel), "floor_status": f.status.as_str(), "name": f.good.name,
                "price_fen": money_json(&f.good.price), "current_inventory": f.current_inventory,
                "inventory": f.inventory,
            })
        };
        out.json(&json!({ "channels": floors.iter().map(json).collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    let row = |f: &Floor| {
        vec![
            f.channel.name.clone(),
            f.channel.code.clone(),
            f.channel.addr.to_string(),
            said(lang, f.status.meaning(), f.status.as_str()),
            f.good.name.clone(),
            format!("{}/{}", f.current_inventory, f.inventory),
        ]
    };
    let header = lang
        .say(["slot", "code", "board", "state", "name", "stock"], ["货道", "编号", "驱动板", "状态", "名称", "库存"]);
    out.table(&header, &floors.iter().map(row).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

fn category_json(category: &Category) -> Value {
    json!({
        "id": category.id.0, "title": category.title, "sort_id": category.sort_id, "is_visible": category.is_visible,
    })
}

pub(super) fn categories(caller: &mut Caller, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now_s = caller.now_s();
    let call = caller.account.categories(&caller.machine_no, now_s);
    let categories = caller.ask(call, open_platform::read_categories)?;
    let lang = out.lang;
    if out.is_json() {
        out.json(&json!({ "categories": categories.iter().map(category_json).collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    let row = |c: &Category| vec![c.id.to_string(), c.title.clone(), c.sort_id.to_string(), yes_no(lang, c.is_visible)];
    let header = lang.say(["category", "title", "order", "visible"], ["分类", "名称", "排序", "可见"]);
    out.table(&header, &categories.iter().map(row).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

pub(super) fn banners(caller: &mut Caller, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now_s = caller.now_s();
    let banners = caller.ask(caller.account.banners(&caller.machine_no, now_s), open_platform::read_banners)?;
    let lang = out.lang;
    if out.is_json() {
        let json = |b: &Banner| {
            json!({
                "id": b.id, "status": b.status, "is_visible": b.is_visible, "cover_image": b.cover_image,
                "sort_id": b.sort_id, "hit_count": b.hit_count, "views_count": b.views_count,
            })
        };
        out.json(&json!({ "banners": banners.iter().map(json).collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    let row = |b: &Banner| {
        vec![
            b.id.to_string(),
            b.status.clone(),
            yes_no(lang, b.is_visible),
            b.views_count.to_string(),
            b.cover_image.clone(),
        ]
    };
    let header =
        lang.say(["banner", "review", "visible", "shown", "picture"], ["图片", "审核", "可见", "展现", "地址"]);
    out.table(&header, &banners.iter().map(row).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

pub(super) fn order(caller: &mut Caller, order_id: &Id, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now_s = caller.now_s();
    let call = caller.account.query_order(&caller.machine_no, order_id, now_s);
    let order = caller.ask(call, |status, body| open_platform::read_order(status, body, order_id))?;
    order_told(&order, out)
}

/// Shows an order: itself, and a line for each record.
pub(super) fn order_told(order: &Order, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let lang = out.lang;
    if out.is_json() {
        let json = |r: &OrderRecord| {
            json!({
                "record_id": r.id, "product_id": r.product_id.map(|id| id.0), "quantity": r.quantity,
                "price_fen": money_json(&r.price), "status": r.status.as_ref().map(|s| s.as_str()),
                "notify_sent": r.notify_sent,
            })
        };
        out.json(&json!({
            "order_id": order.order_id, "trade_id": order.trade_id, "date": order.date,
            "amount_fen": money_json(&order.amount), "status": order.status.as_str(),
            "notify_send_count": order.notify_send_count, "pickup_code_id": order.pickup_code_id.map(|id| id.0),
            "records": order.records.iter().map(json).collect::<Vec<_>>(),
        }))?;
        return Ok(Exit::Done);
    }
    let row = |r: &OrderRecord| {
        vec![
            order.order_id.to_string(),
            said(lang, order.status.meaning(), order.status.as_str()),
            r.id.clone(),
            r.product_id.map(|id| id.to_string()).unwrap_or_default(),
            r.quantity.to_string(),
            money(lang, &r.price),
            r.status.as_ref().map_or_else(|| "-".to_owned(), |s| said(lang, s.meaning(), s.as_str())),
        ]
    };
    let mut rows: Vec<_> = order.records.iter().map(row).collect();
    if rows.is_empty() {
        let status = said(lang, order.status.meaning(), order.status.as_str());
        let blank = || "-".to_owned();
        rows.push(vec![
            order.order_id.to_string(),
            status,
            blank(),
            blank(),
            blank(),
            money(lang, &order.amount),
            blank(),
        ]);
    }
    let header = lang.say(
        ["order", "state", "record", "product", "units", "price", "goods"],
        ["订单", "状态", "记录", "产品", "件数", "金额", "出货"],
    );
    out.table(&header, &rows)?;
    Ok(Exit::Done)
}

pub(super) fn delivery(caller: &mut Caller, delivery_id: &Id, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now_s = caller.now_s();
    let call = caller.account.delivery(&caller.machine_no, delivery_id, now_s);
    let delivery = caller.ask(call, open_platform::read_delivery)?;
    delivery_told(delivery_id, &delivery, out)
}

pub(super) fn delivery_told(delivery_id: &Id, delivery: &Delivery, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let lang = out.lang;
    if out.is_json() {
        out.json(&json!({
            "delivery_id": delivery_id, "status": delivery.state.as_str(), "delivered_at": delivery.delivered_at,
            "pickup_at": delivery.pickup_at, "fail_reason": delivery.fail_reason,
        }))?;
        return Ok(Exit::Done);
    }
    let row = vec![
        delivery_id.to_string(),
        said(lang, delivery.state.meaning(), delivery.state.as_str()),
        delivery.delivered_at.clone(),
        delivery.pickup_at.clone(),
        delivery.fail_reason.clone(),
    ];
    let header = lang.say(
        ["delivery", "state", "sent", "over", "failed because"],
        ["出货编号", "状态", "发送时间", "完成时间", "失败原因"],
    );
    out.table(&header, &[row])?;
    Ok(Exit::Done)
}

pub(super) fn codes(caller: &mut Caller, product: ProductId, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now_s = caller.now_s();
    let codes =
        caller.ask(caller.account.pickup_codes(&caller.machine_no, product, now_s), open_platform::read_codes)?;
    let lang = out.lang;
    if out.is_json() {
        let json = |c: &StoredCode| {
            json!({
                "id": c.id.0, "code": c.code.reveal(), "status": c.status.as_str(), "created_at": c.created_at,
                "expired_at": c.expired_at, "quantity": c.quantity,
            })
        };
        out.json(&json!({ "pickup_codes": codes.iter().map(json).collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    let row = |c: &StoredCode| {
        let until = if c.expired_at.is_empty() { lang.say("for ever", "长期有效") } else { c.expired_at.as_str() };
        vec![
            c.id.to_string(),
            c.code.reveal().to_owned(),
            said(lang, c.status.meaning(), c.status.as_str()),
            c.created_at.clone(),
            until.to_owned(),
        ]
    };
    let header =
        lang.say(["number", "code", "state", "made", "good until"], ["编号", "取货码", "状态", "生成时间", "有效至"]);
    out.table(&header, &codes.iter().map(row).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}
