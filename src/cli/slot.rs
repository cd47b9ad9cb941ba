//! `vend slot`: what lies in the slots, and what people did there. Only a test turns a motor.

use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::output::{Output, OutputArgs};
use super::service::ServiceArgs;
use super::slot_test;
use super::status::SocketArgs;
use crate::control::{Ask, Slots};
use crate::core::words::About;
use crate::core::{SlotAct, SlotLine};
use crate::io::control_client;
use crate::order::motor::Slot;
use crate::order::said::said;
use crate::order::stock::{COUNT_MAX, Condition, Fen};
use clap::{Args, Subcommand};

/// What to do with slots.
#[derive(Debug, Clone, Subcommand)]
pub enum SlotCommand {
    /// Turn a slot's motor once, as a vend does; for root and the daemon's user
    Test(slot_test::TestArgs),
    /// What each slot sells, for how much, how many are there, and how it is
    List(ListArgs),
    /// A slot was filled: keep how many are there now; for root and the daemon's user
    Restock(RestockArgs),
    /// One slot
    Show(ShowArgs),
    /// Keep a slot out of use until it is cleared; for root and the daemon's user
    Lock(ClearArgs),
    /// Somebody looked at a slot: it is well, and may be used; for root and the daemon's user
    Clear(ClearArgs),
}

/// Arguments of `vend slot list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `vend slot restock`.
#[derive(Debug, Clone, Args)]
pub struct RestockArgs {
    /// The slot, as the board numbers it
    #[arg(required_unless_present = "all_full", conflicts_with = "all_full")]
    pub slot: Option<u16>,
    /// How many are there now; without it as many as fit
    #[arg(id = "goods", value_name = "COUNT", conflicts_with = "all_full", value_parser = clap::value_parser!(u16).range(..=i64::from(COUNT_MAX)))]
    pub count: Option<u16>,
    /// Every slot whose capacity is known is full
    #[arg(id = "all_full", long = "all")]
    pub all: bool,
    /// Whom to ask, and how to tell.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Arguments of `vend slot show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The slot, as the board numbers it
    pub slot: u16,
    /// Whom to ask, and how to tell.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Arguments of `vend slot clear` and `lock`.
#[derive(Debug, Clone, Args)]
pub struct ClearArgs {
    /// The slot, as the board numbers it
    pub slot: u16,
    /// Whom to ask, and how to tell.
    #[command(flatten)]
    pub service: ServiceArgs,
}

impl SlotCommand {
    /// The form of the result.
    #[must_use]
    pub const fn output(&self) -> OutputArgs {
        match self {
            SlotCommand::List(args) => args.output,
            SlotCommand::Restock(args) => args.service.output,
            SlotCommand::Show(args) => args.service.output,
            SlotCommand::Clear(args) | SlotCommand::Lock(args) => args.service.output,
            SlotCommand::Test(args) => args.output,
        }
    }
}

/// Runs `vend slot …`.
///
/// # Errors
/// No daemon, no permission, a slot that the board has not, or a standard output that takes no more.
pub fn run(command: &SlotCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut only = None;
    let (socket, ask) = match command {
        SlotCommand::Show(args) => {
            only = Some((args.service.addr.get(), args.slot));
            (&args.service.socket, Ask::Slots)
        }
        SlotCommand::Lock(args) => {
            let act = SlotAct::Lock { address: args.service.addr, slot: Slot(args.slot) };
            (&args.service.socket, Ask::SlotAct(act))
        }
        SlotCommand::Test(args) => return slot_test::run(args, out),
        SlotCommand::List(args) => (&args.socket, Ask::Slots),
        SlotCommand::Restock(args) => {
            let address = args.service.addr;
            let act = args.slot.map_or(SlotAct::RestockAll, |slot| SlotAct::Restock {
                address,
                slot: Slot(slot),
                count: args.count,
            });
            (&args.service.socket, Ask::SlotAct(act))
        }
        SlotCommand::Clear(args) => {
            let act = SlotAct::Clear { address: args.service.addr, slot: Slot(args.slot) };
            (&args.service.socket, Ask::SlotAct(act))
        }
    };
    let mut answer: Slots = control_client::ask(&socket.socket, ask.clone())?;
    // Of an act only what it was about.
    if let Ask::SlotAct(
        SlotAct::Restock { address, slot, .. } | SlotAct::Clear { address, slot } | SlotAct::Lock { address, slot },
    ) = ask
    {
        only = Some((address.get(), slot.0));
    }
    if let Some(only) = only {
        answer.slots.retain(|line| (line.address, line.slot) == only);
    }
    if answer.slots.is_empty() && matches!(command, SlotCommand::Show(_)) {
        return Err(Failure::told(
            Exit::NotFound,
            said!(
                "nothing is known of this slot: nobody filled it, and the platform sells nothing from it",
                "对此货道一无所知：无人补货，平台也未从中出售商品"
            ),
        ));
    }
    if out.is_json() {
        out.json(&answer)?;
    } else {
        let header = out.lang.say(
            ["board", "slot", "code", "product", "price", "stock", "state"],
            ["驱动板", "货道", "编号", "商品", "价格", "库存", "状态"],
        );
        let rows: Vec<Vec<String>> = answer.slots.iter().map(|line| row(line, out.lang)).collect();
        out.table(&header, &rows)?;
    }
    Ok(Exit::Done)
}

pub(super) fn row(line: &SlotLine, lang: Lang) -> Vec<String> {
    let none = || "-".to_owned();
    let product = match (&line.product, line.product_id) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        // Only the configuration of sales says what lies there.
        (Some(name), None) => name.clone(),
        (None, _) => none(),
    };
    let mut stock = match line.capacity {
        Some(capacity) => format!("{}/{capacity}", line.count),
        None => line.count.to_string(),
    };
    if line.doubtful > 0 {
        stock.push_str(&lang.say(format!(", {} doubtful", line.doubtful), format!("，{} 件存疑", line.doubtful)));
    }
    let mut state = match lang {
        Lang::En => in_english(&line.condition),
        Lang::Zh => About::Slot.said(&line.condition).zh,
    };
    if line.turning {
        state.push_str(lang.say(", TURNING", "，转动中"));
    }
    if line.locked {
        state.push_str(lang.say(", LOCKED until somebody looked", "，已锁定，待人工检查"));
    }
    vec![
        line.address.to_string(),
        line.slot.to_string(),
        line.label.as_ref().map(ToString::to_string).or(line.code.map(|code| code.to_string())).unwrap_or_else(none),
        product,
        line.price_fen.map_or_else(none, |fen| Fen(fen).to_string()),
        stock,
        state,
    ]
}

/// What is not well is shouted.
fn in_english(condition: &str) -> String {
    match Condition::ALL.into_iter().find(|known| known.as_str() == condition) {
        Some(Condition::Well) | None => condition,
        Some(Condition::Jammed) => "JAMMED: goods are stuck",
        Some(Condition::Faulty) => "FAULTY: the motor failed",
        Some(Condition::Absent) => "ABSENT: there is no motor",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_told_in_words_and_doubt_and_lock_are_never_left_out() {
        let line = SlotLine {
            address: 1,
            slot: 20,
            code: Some(20),
            label: None,
            product_id: Some(7),
            product: Some("可乐".to_owned()),
            price_fen: Some(305),
            count: 3,
            doubtful: 1,
            capacity: Some(9),
            condition: "jammed".to_owned(),
            locked: true,
            turning: false,
            for_sale: false,
        };
        let en = [
            "1",
            "20",
            "20",
            "可乐 (7)",
            "3.05",
            "3/9, 1 doubtful",
            "JAMMED: goods are stuck, LOCKED until somebody looked",
        ];
        assert_eq!(row(&line, Lang::En), en);
        assert_eq!(row(&line, Lang::Zh)[5..], ["3/9，1 件存疑", "卡货，已锁定，待人工检查"]);
        let only_named = SlotLine { product_id: None, ..line.clone() };
        assert_eq!(row(&only_named, Lang::En)[3], "可乐");
        let bare = SlotLine { product_id: None, product: None, price_fen: None, capacity: None, code: None, ..line };
        assert_eq!(row(&bare, Lang::En)[2..6], ["-", "-", "-", "3, 1 doubtful"]);
    }
}
