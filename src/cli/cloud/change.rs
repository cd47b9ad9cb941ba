//! The calls that change something: each asks first.

use super::super::exit::Exit;
use super::super::failure::Failure;
use super::super::lang::Lang;
use super::super::output::Output;
use super::caller::{Caller, failed};
use super::show;
use super::{
    CancelArgs, ChangeArgs, CodesArgs, ConsumeArgs, CreateArgs, DispenseArgs, OrderChangeArgs, RestockArgs, TestArgs,
};
use crate::cloud::open_platform::{
    self, Consume, NewCodes, NewOrder, NewStatus, OrderLine, Restock, order_of_used_code,
};
use crate::order::key::Id;
use crate::order::said::{InChinese, Said, said};
use serde_json::json;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// What a person types to go on.
const AGREEMENT: &str = "yes";

/// Goes on only if a person, or `--yes`, says so.
fn confirm(change: &ChangeArgs, lang: Lang, en: &str, zh: &str) -> Result<(), Failure> {
    if change.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::told(
            Exit::Cancelled,
            said!(
                "{what}: this changes something, and nobody can be asked\n  = say --yes",
                "{what}：此操作会作出更改，而无人可确认\n  = 请加 --yes",
                what = Said::new(en, zh)
            ),
        ));
    }
    let question = lang.say(format!("{en}. Type {AGREEMENT} to go on: "), format!("{zh}。输入 {AGREEMENT} 继续："));
    let mut stderr = std::io::stderr();
    let asked = write!(stderr, "{question}").and_then(|()| stderr.flush());
    let mut line = String::new();
    let heard = asked.and_then(|()| std::io::stdin().lock().read_line(&mut line));
    if heard.is_ok() && line.trim() == AGREEMENT {
        return Ok(());
    }
    Err(Failure::told(Exit::Cancelled, said!("nothing was changed", "未作任何更改")))
}

/// A call that cannot be made as asked.
fn senseless(error: impl InChinese) -> Failure {
    Failure::of(Exit::Usage, &error)
}

/// Says that it is done, with what belongs to it.
fn done(out: &mut Output<'_>, document: &serde_json::Value, en: &str, zh: &str) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(document)?;
    } else {
        out.good(out.lang.say(en, zh))?;
    }
    Ok(Exit::Done)
}

/// A number for the merchant's books: 24 digits, as the platform likes them, and never the same twice.
fn trade_id(given: Option<&Id>, now_s: u64) -> Result<Id, Failure> {
    match given {
        Some(id) => Ok(id.clone()),
        None => Id::parse(&format!("{now_s:010}{:014}", fastrand::u64(..100_000_000_000_000))).map_err(senseless),
    }
}

pub(super) fn create(caller: &mut Caller, args: &CreateArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let trade_id = trade_id(args.merchant.trade_id.as_ref(), caller.now_s())?;
    let line = |&(product_id, quantity): &(_, _)| OrderLine { product_id, quantity };
    let order = NewOrder::new(trade_id.clone(), &args.merchant.notify_url, args.products.iter().map(line).collect());
    let order = order.map_err(senseless)?;
    let (n, lang) = (args.products.len(), out.lang);
    confirm(
        &args.merchant.change,
        lang,
        &format!("create an order of {n} products"),
        &format!("创建含 {n} 种产品的订单"),
    )?;
    let order_id = caller.ask(caller.account.create_order(&caller.machine_no, &order), open_platform::read_created)?;
    if out.is_json() {
        out.json(&json!({ "order_id": order_id, "trade_id": trade_id }))?;
    } else {
        out.table(
            &[lang.say("order", "订单"), lang.say("trade id", "商户订单号")],
            &[vec![order_id.to_string(), trade_id.to_string()]],
        )?;
    }
    Ok(Exit::Done)
}

pub(super) fn pay(caller: &mut Caller, args: &OrderChangeArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let id = &args.order_id;
    confirm(&args.change, out.lang, &format!("order {id} becomes paid"), &format!("将订单 {id} 标记为已支付"))?;
    update(caller, id, NewStatus::Paid)?;
    done(
        out,
        &json!({ "order_id": id, "status": "SUCCESS" }),
        &format!("order {id} is paid"),
        &format!("订单 {id} 已支付"),
    )
}

pub(super) fn cancel(caller: &mut Caller, args: &OrderChangeArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let id = &args.order_id;
    confirm(&args.change, out.lang, &format!("order {id} is closed for ever"), &format!("永久关闭订单 {id}"))?;
    update(caller, id, NewStatus::Closed)?;
    done(
        out,
        &json!({ "order_id": id, "status": "CLOSED" }),
        &format!("order {id} is closed"),
        &format!("订单 {id} 已关闭"),
    )
}

fn update(caller: &mut Caller, order_id: &Id, to: NewStatus) -> Result<(), Failure> {
    let now_s = caller.now_s();
    caller.ask(caller.account.update_order(&caller.machine_no, order_id, to, now_s), open_platform::read_update)
}

pub(super) fn dispense(caller: &mut Caller, args: &DispenseArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let (order_id, record_id) = (&args.order_id, &args.record_id);
    let (en, zh) = (
        format!("the machine dispenses {order_id}:{record_id}, a motor turns"),
        format!("机器将为 {order_id}:{record_id} 出货，电机会转动"),
    );
    confirm(&args.change, out.lang, &en, &zh)?;
    let now_s = caller.now_s();
    let call = caller.account.dispense(&caller.machine_no, order_id, record_id, now_s);
    let (delivery_id, delivery) = caller.ask(call, open_platform::read_dispensed)?;
    show::delivery_told(&delivery_id, &delivery, out)
}

pub(super) fn test_channel(caller: &mut Caller, args: &TestArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let (name, now_s) = (&args.channel_name, caller.now_s());
    let call = caller.account.test_channel(&caller.machine_no, name, &args.notify_url, now_s).map_err(senseless)?;
    let (en, zh) = (format!("slot {name} is tested, its motor turns"), format!("测试货道 {name}，其电机会转动"));
    confirm(&args.change, out.lang, &en, &zh)?;
    let (delivery_id, delivery) = caller.ask(call, open_platform::read_dispensed)?;
    show::delivery_told(&delivery_id, &delivery, out)
}

pub(super) fn create_codes(caller: &mut Caller, args: &CodesArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let new = NewCodes {
        product: args.product.map(|id| (id, args.count)),
        expired_at: args.expires.clone(),
        length: args.length,
    };
    let now_s = caller.now_s();
    let call = caller.account.create_codes(&caller.machine_no, &new, now_s).map_err(senseless)?;
    let (en, zh) = match new.product {
        Some((id, n)) => (format!("{n} pickup codes for product {id}"), format!("为产品 {id} 生成 {n} 个取货码")),
        None => ("a pickup code for every product".to_owned(), "为每个产品生成一个取货码".to_owned()),
    };
    confirm(&args.change, out.lang, &en, &zh)?;
    caller.ask(call, open_platform::read_codes_changed)?;
    done(
        out,
        &json!({ "created": true }),
        "made; vend cloud pickup list shows them",
        "已生成；vend cloud pickup list 可列出",
    )
}

pub(super) fn cancel_codes(caller: &mut Caller, args: &CancelArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let (en, zh) = match args.code_id {
        Some(id) => (format!("pickup code {id} is cancelled"), format!("取消取货码 {id}")),
        None => ("all pickup codes of this machine are cancelled".to_owned(), "取消本机的全部取货码".to_owned()),
    };
    confirm(&args.change, out.lang, &en, &zh)?;
    let now_s = caller.now_s();
    let call = caller.account.cancel_codes(&caller.machine_no, args.code_id, now_s);
    caller.ask(call, open_platform::read_codes_changed)?;
    done(out, &json!({ "cancelled": true }), "cancelled", "已取消")
}

pub(super) fn consume(caller: &mut Caller, args: &ConsumeArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let now_s = caller.now_s();
    let trade_id = trade_id(args.merchant.trade_id.as_ref(), now_s)?;
    let consume =
        Consume::new(args.pickup_code.clone(), args.product, &args.merchant.notify_url, trade_id).map_err(senseless)?;
    confirm(&args.merchant.change, out.lang, "the code is used up and becomes an order", "取货码将被使用并成为订单")?;
    let reply = caller.send(caller.account.consume_code(&caller.machine_no, &consume, now_s))?;
    match open_platform::read_consumed(reply.status, &reply.body) {
        Ok(order) => show::order_told(&order, out),
        Err(error) => {
            if let Some(order_id) = order_of_used_code(&reply.body) {
                let (en, zh) = ("the code became order ", "该取货码已成为订单 ");
                super::super::warn(order_id.as_str(), out.lang.say(en, zh));
            }
            Err(failed(&error))
        }
    }
}

pub(super) fn restock(caller: &mut Caller, args: &RestockArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let place = args.part.place();
    let restock = match (args.product, args.category, args.added) {
        (Some(id), _, Some(added)) => Restock::Product { id, added },
        (None, Some(id), Some(added)) => Restock::Category { id, added, place },
        _ => Restock::Full(place),
    };
    let (en, zh) = match restock {
        Restock::Full(_) => ("the platform takes every slot for full".to_owned(), "平台将认为所有货道已满".to_owned()),
        Restock::Product { id, added } => {
            (format!("product {id} has {added} units more"), format!("产品 {id} 增加 {added} 件"))
        }
        Restock::Category { id, added, .. } => (
            format!("each slot of category {id} has {added} units more"),
            format!("分类 {id} 的每个货道增加 {added} 件"),
        ),
    };
    confirm(&args.change, out.lang, &en, &zh)?;
    let now_s = caller.now_s();
    caller.ask(caller.account.restock(&caller.machine_no, restock, now_s), open_platform::read_restocked)?;
    done(out, &json!({ "restocked": true }), "the platform has noted it", "平台已记录")
}
