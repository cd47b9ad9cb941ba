//! `vend board`: the profiles, and an emulated board.

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use super::simulate::{self, SimulateArgs};
use crate::board::driver::RecoveryClass;
use crate::board::profile::{Family, Profile, ProfileError};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::Path;

/// What to do with boards.
#[derive(Debug, Clone, Subcommand)]
pub enum BoardCommand {
    /// The built-in profiles
    List(OutputArgs),
    /// One profile
    Show(ShowArgs),
    /// An emulated board on a pty, until SIGINT or SIGTERM; SIGUSR1 takes its power and gives it back
    Simulate(SimulateArgs),
}

/// Arguments of `vend board show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// A built-in profile's name, or the path of a file
    pub name: String,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl BoardCommand {
    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        match self {
            BoardCommand::List(output) => *output,
            BoardCommand::Show(args) => args.output,
            BoardCommand::Simulate(_) => OutputArgs::default(),
        }
    }
}

/// Runs `vend board …`.
///
/// # Errors
/// A profile that is not there or wrong, or a standard output that takes no more.
pub fn run(command: &BoardCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    match command {
        BoardCommand::List(_) => list(out),
        BoardCommand::Show(args) => show(&args.name, out),
        BoardCommand::Simulate(args) => simulate::run(args, out),
    }
}

fn list(out: &mut Output<'_>) -> Result<Exit, Failure> {
    let profiles: Result<Vec<Profile>, ProfileError> =
        Profile::built_in().into_iter().map(|(name, _)| Profile::find(name, Path::new("."))).collect();
    let profiles = profiles?;
    if out.is_json() {
        let boards: Vec<_> = profiles.iter().map(|p| json!({ "name": p.name, "title": p.title })).collect();
        out.json(&json!({ "boards": boards }))?;
        return Ok(Exit::Done);
    }
    let header = out.lang.say(["name", "title", "recovery"], ["名称", "型号", "断电恢复"]);
    let rows: Vec<Vec<String>> =
        profiles.iter().map(|p| vec![p.name.clone(), p.title.clone(), recovery(p.recovery_class, out)]).collect();
    out.table(&header, &rows)?;
    Ok(Exit::Done)
}

fn show(name: &str, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let profile = Profile::find(name, Path::new("."))?;
    let lacks = if profile.lacks.is_empty() { "-".to_owned() } else { profile.lacks.join("; ") };
    if out.is_json() {
        out.json(&json!({
            "name": profile.name, "title": profile.title, "source": profile.source,
            "family": family(profile.family), "baud": profile.link.baud, "lacks": profile.lacks,
            "addresses": profile.addresses.count, "first_slot": profile.slots.first, "last_slot": profile.slots.last,
            "longest_vend_ms": profile.timing.longest_vend_ms,
        }))?;
        return Ok(Exit::Done);
    }
    let lang = out.lang;
    let rows = [
        (lang.say("name", "名称"), profile.name.clone()),
        (lang.say("title", "型号"), profile.title.clone()),
        (lang.say("source", "来源"), profile.source.clone()),
        (lang.say("protocol family", "协议族"), family(profile.family).to_owned()),
        (lang.say("recovery", "断电恢复"), recovery(profile.recovery_class, out)),
        (lang.say("lacks", "缺少"), lacks),
        (lang.say("baud", "波特率"), profile.link.baud.to_string()),
        (lang.say("addresses", "地址数"), profile.addresses.count.to_string()),
        (lang.say("slots", "货道"), format!("{}-{}", profile.slots.first, profile.slots.last)),
        (lang.say("longest vend", "最长出货时间"), format!("{} ms", profile.timing.longest_vend_ms)),
    ];
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(key, value)| vec![key.to_owned(), value]).collect();
    out.table(&lang.say(["what", "value"], ["项目", "值"]), &rows)?;
    Ok(Exit::Done)
}

const fn family(family: Family) -> &'static str {
    match family {
        Family::UlingModbus => "uling-modbus",
        Family::XyV3 => "xy-v3",
        Family::Adh => "adh",
        Family::Tcn00ff => "tcn-00ff",
        Family::M102 => "m102",
        Family::Lock8a => "lock-8a",
        Family::LockCu => "lock-cu",
        Family::Vendapin => "vendapin",
        Family::Vmc96 => "vmc96",
    }
}

/// What becomes of an outcome while the agent is away.
fn recovery(class: RecoveryClass, out: &Output<'_>) -> String {
    let (en, zh) = match class {
        RecoveryClass::HeldUntilAcknowledged => ("kept until acknowledged", "保留至确认"),
        RecoveryClass::LastResult => ("told until the next command", "保留至下一命令"),
        RecoveryClass::Counters => ("counted", "累计计数"),
        RecoveryClass::PhysicalState => ("seen at the latch", "以锁舌状态为准"),
        RecoveryClass::ReadClears => ("kept until read once", "读取一次后清除"),
        RecoveryClass::PushOnly => ("told once", "仅上报一次"),
        RecoveryClass::None => ("forgotten", "不保留"),
    };
    out.lang.say(en, zh).to_owned()
}
