//! `vend sale`: somebody buys at the machine, and what became of sales. The pay code is a QR code in the terminal.

use super::exit::Exit;
use super::failure::Failure;
use super::interrupts::Interrupts;
use super::lang::Lang;
use super::output::{Output, OutputArgs};
use super::service::address;
use super::status::SocketArgs;
use super::warn;
use crate::board::driver::{Address, Slot};
use crate::cli::usage::Misread;
use crate::control::{Ask, CurrentSale, Sales};
use crate::core::{SaleChoice, SaleCode, SaleView, Settle};
use crate::io::control_client;
use crate::order::label::Label;
use crate::order::said::said;
use crate::order::sale::{State, Why};
use crate::order::stock::Fen;
use crate::qr;
use clap::{ArgGroup, Args, Subcommand};
use std::time::Duration;

/// How often it is looked how far the sale is.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// And how often at most: the twenty minutes of a pay code, the longest vend, and what a refund's first try takes.
const LOOKS_MAX: u32 = 6_000;

/// What to do with sales.
#[derive(Debug, Clone, Subcommand)]
pub enum SaleCommand {
    /// Buy what lies in a slot: shows the pay code and follows to the end; Ctrl-C gives up what is not paid
    Start(StartArgs),
    /// The sale that somebody stands there for, or the last one
    Show(ShowArgs),
    /// Every sale that is kept; those that wait for a person first
    List(ShowArgs),
    /// Give up the sale that is not paid yet
    Cancel(ShowArgs),
    /// A person has settled a sale: the money is given back, or the goods handed over; for root and the daemon's user
    Settle(SettleArgs),
}

/// Arguments of `vend sale start`.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("choice").required(true).args(["slot", "printed"]))]
pub struct StartArgs {
    /// The slot, as the board numbers it
    #[arg(long)]
    pub slot: Option<u16>,
    /// What is printed at the slot, like A3, instead of its number
    #[arg(long = "code", value_name = "CODE", value_parser = label)]
    pub printed: Option<Label>,
    /// The driver board, from 1; with --slot the first one where none is named
    #[arg(long, value_name = "N", value_parser = address)]
    pub address: Option<Address>,
    /// Do not follow it: end when the sale has begun
    #[arg(long)]
    pub no_wait: bool,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `vend sale show`, `list` and `cancel`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `vend sale settle`.
#[derive(Debug, Clone, Args)]
pub struct SettleArgs {
    /// The sale's number
    pub sale: u64,
    /// What was done, for whoever reads the list
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl SaleCommand {
    /// The form of the result.
    #[must_use]
    pub const fn output(&self) -> OutputArgs {
        match self {
            SaleCommand::Start(args) => args.output,
            SaleCommand::Show(args) | SaleCommand::List(args) | SaleCommand::Cancel(args) => args.output,
            SaleCommand::Settle(args) => args.output,
        }
    }
}

fn label(text: &str) -> Result<Label, Misread> {
    Ok(Label::parse(text)?)
}

/// Runs `vend sale …`.
///
/// # Errors
/// No daemon, no permission, a sale that is refused, or a standard output that takes no more.
pub fn run(command: &SaleCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    match command {
        SaleCommand::Start(args) => start(args, out),
        SaleCommand::Show(args) => {
            let CurrentSale { sale } = control_client::ask(&args.socket.socket, Ask::Sale)?;
            let none = || Failure::told(Exit::NotFound, said!("there was no sale yet", "还没有任何销售"));
            let sale = sale.ok_or_else(none)?;
            show(&sale, out)?;
            Ok(Exit::Done)
        }
        SaleCommand::List(args) => list(&control_client::ask(&args.socket.socket, Ask::Sales)?, out),
        SaleCommand::Cancel(args) => {
            show(&control_client::ask(&args.socket.socket, Ask::SaleCancel)?, out)?;
            Ok(Exit::Done)
        }
        SaleCommand::Settle(args) => {
            let settle = Settle { sale: args.sale, reason: args.reason.clone() };
            // The daemon takes the user from the kernel.
            show(&control_client::ask(&args.socket.socket, Ask::SaleSettle(settle))?, out)?;
            Ok(Exit::Done)
        }
    }
}

fn start(args: &StartArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let socket = &args.socket.socket;
    let choice = match (&args.printed, args.slot) {
        (Some(code), _) => Ask::SaleCode(SaleCode { code: code.clone(), address: args.address }),
        // One of the two is there, or the arguments were refused.
        (None, slot) => Ask::SaleStart(SaleChoice {
            address: args.address.unwrap_or(Address::FIRST),
            slot: Slot(slot.unwrap_or_default()),
        }),
    };
    let begun: SaleView = control_client::ask(socket, choice)?;
    if args.no_wait {
        show(&begun, out)?;
        return Ok(Exit::Done);
    }
    let mut interrupts = Interrupts::new()?;
    let (mut told, mut shown) = (String::new(), false);
    for _ in 0..LOOKS_MAX {
        let Sales { sales } = control_client::ask(socket, Ask::Sales)?;
        let Some(sale) = sales.into_iter().find(|sale| sale.sale == begun.sale) else { break };
        if is_over(&sale) {
            show(&sale, out)?;
            return Ok(exit_of(&sale));
        }
        if let Some(code) = sale.pay_code.as_deref().filter(|_| !shown) {
            shown = true;
            tell_pay_code(code, &sale, out.lang);
        }
        let words = words_of(&sale.state, out.lang);
        if words != told {
            warn(words, "");
            words.clone_into(&mut told);
        }
        if interrupts.came_within(LOOK_EVERY) {
            // What is paid by now goes on; whoever asks sees what became of it.
            let cancelled: Result<SaleView, _> = control_client::ask(socket, Ask::SaleCancel);
            if let Ok(sale) = cancelled {
                show(&sale, out)?;
                return Ok(Exit::Cancelled);
            }
        }
    }
    Err(Failure::told(
        Exit::Failed,
        said!("the sale is not over yet; see vend sale show", "销售尚未结束；请看 vend sale show"),
    ))
}

/// On standard error: standard output holds the result only.
fn tell_pay_code(code: &str, sale: &SaleView, lang: Lang) {
    let (price, name) = (Fen(sale.price_fen), &sale.name);
    // Of the last minute, too, something is left.
    let minutes = sale.expires_in_s.unwrap_or_default().div_ceil(60);
    let amount = lang.say(
        format!("{name}: {price} to be paid within {minutes} min; Ctrl-C gives it up"),
        format!("{name}：应付 {price} 元，请在 {minutes} 分钟内支付；Ctrl-C 放弃"),
    );
    match qr::terminal(code) {
        Ok(picture) => warn(&format!("{picture}\n{code}\n{amount}"), ""),
        // Too long for a terminal: the address itself can still be opened.
        Err(_) => warn(&format!("{code}\n{amount}"), ""),
    }
}

/// Whoever stands there need not wait any longer.
fn is_over(sale: &SaleView) -> bool {
    !sale.attended && sale.state != "refunding" || sale.needs_person
}

fn exit_of(sale: &SaleView) -> Exit {
    match sale.state.as_str() {
        "served" => Exit::Done,
        "failed" => Exit::Network,
        "leaving" | "watched" | "closed" => Exit::Cancelled,
        _ => Exit::Failed,
    }
}

fn words_of(state: &str, lang: Lang) -> &'static str {
    let Some(state) = State::ALL.into_iter().find(|known| known.as_str() == state) else {
        return lang.say("a state that this vend does not know", "未知状态");
    };
    match state {
        State::Chosen => lang.say("the order is being made…", "正在下单…"),
        State::Created => lang.say("the pay code is being made…", "正在生成支付码…"),
        State::Waiting => lang.say("waiting for the payment…", "等待支付…"),
        State::Leaving => lang.say("given up; the order is being closed", "已放弃；正在关闭订单"),
        State::Watched => lang.say("given up; late payments are still looked for", "已放弃；仍在查找迟到的付款"),
        State::Serving => lang.say("paid; the goods are coming out…", "已支付；正在出货…"),
        State::Refunding => lang.say("the refund is on its way…", "正在退款…"),
        State::Served => lang.say("the goods came out", "已出货"),
        State::Refunded => lang.say("the money went back", "已退款"),
        State::Closed => lang.say("closed, nobody has paid", "已关闭，无人付款"),
        State::Failed => lang.say("no order could be made", "无法下单"),
        State::Owed => lang.say("A REFUND IS OWED: a person must give the money back", "须人工退款"),
        State::Doubt => lang.say("IN DOUBT: a person must look", "存疑：须人工核查"),
        State::Settled => lang.say("settled by a person", "已由人工处理"),
    }
}

fn why_of(why: &str, lang: Lang) -> &'static str {
    let Some(why) = Why::ALL.into_iter().find(|known| known.as_str() == why) else {
        return lang.say("another reason", "其他原因");
    };
    match why {
        Why::Cancelled => lang.say("the buyer gave it up", "买家放弃"),
        Why::TooOld => lang.say("not paid within 20 minutes", "20 分钟内未支付"),
        Why::Price => lang.say("the cloud wants another amount", "云端金额不符"),
        Why::ClosedThere => lang.say("the cloud closed the order", "云端已关闭订单"),
        Why::PaymentFailed => lang.say("the payment went wrong", "支付失败"),
        Why::ServedThere => lang.say("the cloud says that somebody handed it over", "云端显示已交付"),
        Why::Restarted => lang.say("the machine started anew", "机器已重启"),
        Why::AnswerLost => lang.say("the cloud's answer never came", "未收到云端应答"),
        Why::Refused => lang.say("the cloud refused", "云端拒绝"),
        Why::SoldBefore => lang.say("the cloud gave an order that was sold before", "云端给出的订单已售出"),
        Why::PaidLate => lang.say("the payment came too late", "付款过迟"),
        Why::PaidOther => lang.say("another amount was paid", "付款金额不符"),
        Why::NotDispensed => lang.say("nothing came out", "未出货"),
        Why::Unknown => lang.say("nobody knows whether something came out", "是否出货未知"),
        Why::NotAsked => lang.say("the cloud could not be asked", "无法询问云端"),
    }
}

fn show(sale: &SaleView, out: &mut Output<'_>) -> Result<(), Failure> {
    if out.is_json() {
        out.json(sale)?;
        return Ok(());
    }
    let lang = out.lang;
    let header = lang.say(["what", "value"], ["项目", "值"]);
    let price = |fen: u64| Fen(fen).to_string();
    let rows = [
        (lang.say("sale", "销售"), Some(sale.sale.to_string())),
        (lang.say("state", "状态"), Some(words_of(&sale.state, lang).to_owned())),
        (lang.say("reason", "原因"), sale.why.as_deref().map(|why| why_of(why, lang).to_owned())),
        (lang.say("goods", "商品"), Some(sale.name.clone())),
        (lang.say("price", "价格"), Some(price(sale.price_fen))),
        (lang.say("paid", "已付"), sale.paid_fen.map(price)),
        (lang.say("slot", "货道"), Some(sale.slot.to_string())),
        (lang.say("order", "订单"), sale.order.clone()),
        (
            lang.say("cloud", "云端"),
            sale.cloud.as_ref().zip(sale.cloud_host.as_ref()).map(|(c, host)| format!("{c}, {host}")),
        ),
        (lang.say("trade number", "交易号"), Some(sale.trade_no.clone())),
        (lang.say("pay code", "支付码"), sale.pay_code.clone()),
        (lang.say("time left", "剩余时间"), sale.expires_in_s.map(|s| format!("{}:{:02}", s / 60, s % 60))),
        (lang.say("settled", "处理"), sale.settled.clone()),
    ];
    let rows: Vec<Vec<String>> =
        rows.into_iter().filter_map(|(key, value)| Some(vec![key.to_owned(), value?])).collect();
    out.table(&header, &rows)?;
    Ok(())
}

fn list(sales: &Sales, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(sales)?;
        return Ok(Exit::Done);
    }
    let lang = out.lang;
    let header = lang.say(
        ["sale", "slot", "goods", "price", "state", "reason", "order"],
        ["销售", "货道", "商品", "价格", "状态", "原因", "订单"],
    );
    let mut sorted: Vec<&SaleView> = sales.sales.iter().collect();
    sorted.sort_by_key(|sale| !sale.needs_person);
    let rows: Vec<Vec<String>> = sorted.iter().map(|sale| row(sale, lang)).collect();
    out.table(&header, &rows)?;
    Ok(Exit::Done)
}

/// One sale.
pub(super) fn row(sale: &SaleView, lang: Lang) -> Vec<String> {
    let none = || "-".to_owned();
    vec![
        sale.sale.to_string(),
        sale.slot.to_string(),
        sale.name.clone(),
        Fen(sale.price_fen).to_string(),
        words_of(&sale.state, lang).to_owned(),
        sale.why.as_deref().map_or_else(none, |why| why_of(why, lang).to_owned()),
        sale.order.clone().unwrap_or_else(none),
    ]
}
