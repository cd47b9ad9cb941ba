//! `vend pickup`: a code is entered at the machine, and which codes there are. The digits are never shown, and never
//! stand on a command line, which other users can read.

use super::ask_person::ask_secretly;
use super::exit::Exit;
use super::failure::Failure;
use super::interrupts::Interrupts;
use super::lang::Lang;
use super::order::units_of;
use super::output::{Output, OutputArgs};
use super::status::SocketArgs;
use crate::control::{Ask, Codes};
use crate::core::words::About;
use crate::core::{CodeLine, Entry, OrderLine};
use crate::io::control_client;
use crate::order::pickup::Digits;
use crate::order::said::{Said, said};
use clap::{Args, Subcommand};
use std::time::Duration;

/// How often it is looked what became of the code's order.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// And how often at most: two minutes, the longest that anybody waits before a machine.
const LOOKS_MAX: u32 = 480;

/// What to do with pickup codes.
#[derive(Debug, Clone, Subcommand)]
pub enum PickupCommand {
    /// Enter a code, from standard input or a prompt without echo; it dispenses once, ever
    Enter(EnterArgs),
    /// The codes that the machine knows, without their digits
    List(ListArgs),
}

/// Arguments of `vend pickup enter`.
#[derive(Debug, Clone, Args)]
pub struct EnterArgs {
    /// Do not wait for what becomes of it
    #[arg(long)]
    pub no_wait: bool,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `vend pickup list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl PickupCommand {
    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        match self {
            PickupCommand::Enter(args) => args.output,
            PickupCommand::List(args) => args.output,
        }
    }
}

/// Runs `vend pickup …`.
///
/// # Errors
/// No daemon, no permission, no code, or a standard output that takes no more.
pub fn run(command: &PickupCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    match command {
        PickupCommand::Enter(args) => enter(args, out),
        PickupCommand::List(args) => list(args, out),
    }
}

fn enter(args: &EnterArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let typed = ask_secretly(out.lang.say("pickup code: ", "取货码："))?;
    let digits = Digits::parse(&typed)
        .ok_or_else(|| Failure::told(Exit::Usage, said!("a pickup code has eight digits", "取货码为 8 位数字")))?;
    let socket = &args.socket.socket;
    let mut interrupts = Interrupts::new()?;
    let mut entry: Entry = control_client::ask(socket, Ask::Pickup(digits))?;
    if let Entry::Accepted { .. } = entry
        && !args.no_wait
    {
        // The code itself asks what became of it: to anybody else it is used.
        for _ in 0..LOOKS_MAX {
            interrupts.pass(
                LOOK_EVERY,
                "the goods are not stopped by Ctrl-C; what became of them stands in vend order list",
                "Ctrl-C 不会停止出货；结果见 vend order list",
            )?;
            let Entry::Used { order: Some(order) } = control_client::ask(socket, Ask::Pickup(digits))? else { break };
            let is_over = order.units.iter().all(|unit| unit.outcome.is_some());
            entry = Entry::Accepted { order };
            if is_over {
                break;
            }
        }
    }
    if out.is_json() {
        out.json(&entry)?;
    } else {
        out.line(&said(&entry, out.lang))?;
    }
    Ok(exit_of(&entry))
}

fn exit_of(entry: &Entry) -> Exit {
    match entry {
        Entry::Accepted { order } if units(order).any(|outcome| !outcome.starts_with("dispensed")) => Exit::Failed,
        Entry::Accepted { .. } => Exit::Done,
        Entry::Wrong | Entry::NoSlot => Exit::NotFound,
        Entry::BoardAway => Exit::Device,
        Entry::Used { .. }
        | Entry::Paused { .. }
        | Entry::Expired
        | Entry::TimeUnknown
        | Entry::MayBeUsed
        | Entry::SlotLocked
        | Entry::Busy
        | Entry::Unavailable => Exit::Refused,
    }
}

/// The outcomes so far.
fn units(order: &OrderLine) -> impl Iterator<Item = &str> {
    order.units.iter().filter_map(|unit| unit.outcome.as_deref())
}

/// The units of an order in one line.
fn order_text(order: &OrderLine, lang: Lang) -> String {
    lang.pick(Said::word(&order.order_id).then(&Said::word(units_of(order, lang))))
}

fn said(entry: &Entry, lang: Lang) -> String {
    let both = |en: &str, zh: &str| lang.say(en, zh).to_owned();
    match entry {
        Entry::Accepted { order } => lang.say("order ", "订单 ").to_owned() + &order_text(order, lang),
        Entry::Used { order: None } => both("the code is used", "此取货码已使用"),
        Entry::Used { order: Some(order) } => {
            lang.say("the code is used; order ", "此取货码已使用；订单 ").to_owned() + &order_text(order, lang)
        }
        Entry::Wrong => both("there is no such code", "取货码不存在"),
        Entry::Paused { wait_s } => {
            lang.say(format!("too many wrong codes: wait {wait_s} s"), format!("错误次数过多：请等待 {wait_s} 秒"))
        }
        Entry::Expired => both("the code's time is over", "取货码已过期"),
        Entry::TimeUnknown => both(
            "the machine does not know what time it is, and the code has a time; try again when it is online",
            "机器时间未知，而此取货码有时限；请联网后重试",
        ),
        Entry::MayBeUsed => both(
            "the code is older than the machine's journal and may have been used; ask the operator",
            "此取货码早于机器日志，可能已使用；请联系运营方",
        ),
        Entry::NoSlot => both("nobody told the machine where this product lies", "机器不知道此商品所在货道"),
        Entry::SlotLocked => both("its slot is out of use until somebody looked", "该货道已停用，须人工检查"),
        Entry::BoardAway => both("the board is not there; see vend status", "板卡未就绪；请看 vend status"),
        Entry::Busy => both("too many orders are open; try again", "未完成订单过多；请稍后重试"),
        Entry::Unavailable => both("the machine takes nothing now; see vend status", "机器暂不可用；请看 vend status"),
    }
}

fn list(args: &ListArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let codes: Codes = control_client::ask(&args.socket.socket, Ask::Codes)?;
    if out.is_json() {
        out.json(&codes)?;
    } else {
        let lang = out.lang;
        let header = lang.say(
            ["id", "state", "product", "units", "expires at (Unix ms)", "order"],
            ["id", "状态", "商品", "件数", "过期时间（Unix 毫秒）", "订单"],
        );
        let rows: Vec<Vec<String>> = codes.codes.iter().map(|code| row(code, lang)).collect();
        out.table(&header, &rows)?;
    }
    Ok(Exit::Done)
}

/// One code.
pub(super) fn row(code: &CodeLine, lang: Lang) -> Vec<String> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        code.id.clone(),
        lang.word(About::Code, &code.state),
        or_none(code.product_id.clone()),
        or_none(code.quantity.map(|n| n.to_string())),
        or_none(code.expires_at_ms.map(|ms| ms.to_string())),
        or_none(code.order.as_ref().map(|order| order_text(order, lang))),
    ]
}
