//! `vend slot test`: a technician sees a slot turn. It is never an order: nobody is told, no stock changes.

use super::ask_person::{ask, can_ask};
use super::exit::Exit;
use super::failure::Failure;
use super::interrupts::Interrupts;
use super::lang::Lang;
use super::output::{Output, OutputArgs};
use super::service::address;
use super::status::SocketArgs;
use super::warn;
use crate::board::driver::{Address, Slot};
use crate::control::{Ask, LastTest, Testing};
use crate::core::words::About;
use crate::core::{SlotTest, TestLine};
use crate::io::control_client;
use crate::order::life::State;
use crate::order::said::Said;
use crate::order::said::said;
use clap::Args;
use std::time::Duration;

/// How often it is looked how far the test is.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// And how often at most: five minutes, beyond the longest vend of any profile and the wait for a board that went away.
const LOOKS_MAX: u32 = 1_500;

/// Arguments of `vend slot test`.
#[derive(Debug, Clone, Args)]
pub struct TestArgs {
    /// The slot, as the board numbers it
    pub slot: u16,
    /// The driver board, from 1
    #[arg(long, value_name = "N", default_value = "1", value_parser = address)]
    pub address: Address,
    /// Do not ask: the motor turns at once
    #[arg(long)]
    pub yes: bool,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `vend slot test`.
///
/// # Errors
/// No confirmation, no daemon, no permission, a machine that is busy, or a board that is not there.
pub fn run(args: &TestArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    confirm(args, out.lang)?;
    let test = SlotTest { address: args.address, slot: Slot(args.slot) };
    let socket = &args.socket.socket;
    let mut interrupts = Interrupts::new()?;
    let Testing { test } = control_client::ask(socket, Ask::Test(test))?;
    let mut told = String::new();
    for _ in 0..LOOKS_MAX {
        let LastTest { last } = control_client::ask(socket, Ask::LastTest)?;
        let Some(line) = last.filter(|line| line.test == test) else { break };
        if line.outcome.is_some() {
            return show(&line, out);
        }
        let progress = progress(&line, out.lang);
        if progress != told {
            warn(&progress, "");
            told = progress;
        }
        interrupts.pass(
            LOOK_EVERY,
            "the motor is not stopped by Ctrl-C; what became of it stands in vend audit list",
            "Ctrl-C 不会停止电机；结果见 vend audit list",
        )?;
    }
    Err(Failure::told(
        Exit::Device,
        said!(
            "nobody knows what became of the test; look at the slot, and at vend status",
            "测试结果未知；请查看货道与 vend status"
        ),
    ))
}

/// The slot's number is typed once more, since a motor turns and goods may fall.
fn confirm(args: &TestArgs, lang: Lang) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let cancelled = |en: &str, zh: &str| Failure::told(Exit::Cancelled, Said::new(en, zh));
    if !can_ask() {
        return Err(cancelled(
            "the motor will turn, and there is nobody to ask: use --yes",
            "电机将转动，而无人可询问：请使用 --yes",
        ));
    }
    let (slot, board) = (args.slot, args.address.get());
    let typed = ask(&lang.say(
        format!("the motor of slot {slot} of board {board} will turn. Type the slot's number: "),
        format!("板 {board} 货道 {slot} 的电机将转动。请输入货道号确认："),
    ))?;
    if typed.parse() == Ok(slot) {
        Ok(())
    } else {
        Err(cancelled("not confirmed; nothing turned", "未确认；电机未转动"))
    }
}

fn progress(line: &TestLine, lang: Lang) -> String {
    match (line.state.as_str(), line.progress) {
        (_, Some(code)) => lang.say(format!("the board says {code:#04x}"), format!("板卡报告 {code:#04x}")),
        (state, None) if state == State::Intent.as_str() => lang.say("with the board…", "已交板卡…").to_owned(),
        (_, None) => lang.say("waiting for the line…", "等待串口线…").to_owned(),
    }
}

/// Motor and drop sensor apart. What did not dispense is a fault of the device.
fn show(line: &TestLine, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if out.is_json() {
        out.json(line)?;
    } else {
        let header = out.lang.say(["what", "value"], ["项目", "值"]);
        let rows = rows(line, out.lang);
        out.table(&header, &rows)?;
    }
    let is_good = line.outcome.as_deref().is_some_and(|outcome| outcome.starts_with("dispensed"));
    Ok(if is_good { Exit::Done } else { Exit::Device })
}

/// What is known of a test that ended.
pub(super) fn rows(line: &TestLine, lang: Lang) -> Vec<Vec<String>> {
    let rows = [
        (lang.say("outcome", "结果"), About::Outcome, &line.outcome),
        (lang.say("reason", "原因"), About::Reason, &line.reason),
        (lang.say("motor", "电机"), About::Motor, &line.motor),
        (lang.say("drop sensor", "掉货检测"), About::Sensor, &line.drop_sensor),
    ];
    let row = |(key, about, value): (&str, About, &Option<String>)| {
        Some(vec![key.to_owned(), lang.word(about, value.as_deref()?)])
    };
    rows.into_iter().filter_map(row).collect()
}
