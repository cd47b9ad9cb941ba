//! `vend board`: what the board can be asked, the profiles, and an emulated board.

use super::detect::{self, DetectArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::output::{Output, OutputArgs};
use super::service::{self, HoldArgs, Question, ServiceArgs, SwitchArgs};
use super::simulate::{self, SimulateArgs};
use crate::board::driver::RecoveryClass;
use crate::board::profile::{Parity, Profile, ProfileError};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io;
use std::path::Path;

/// What to do with boards.
#[derive(Debug, Clone, Subcommand)]
pub enum BoardCommand {
    /// The built-in profiles
    List(OutputArgs),
    /// One profile
    Show(ShowArgs),
    /// Ask the board of the running daemon, while no order is served
    #[command(subcommand)]
    Ask(Question),
    /// Switch something on the board on or off; for root and the daemon's user
    Switch(SwitchArgs),
    /// Hold a temperature, or none; for root and the daemon's user
    Hold(HoldArgs),
    /// Reset what can be reset without turning a slot: the lift, the memory of faults; for root and the daemon's user
    Reset(ServiceArgs),
    /// Which board is on a port that nobody uses: listens, then asks what turns nothing
    Detect(DetectArgs),
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
            BoardCommand::Ask(question) => question.output(),
            BoardCommand::Switch(args) => args.service.output,
            BoardCommand::Hold(args) => args.service.output,
            BoardCommand::Reset(args) => args.output,
            BoardCommand::Detect(args) => args.output,
            BoardCommand::Simulate(_) => OutputArgs::default(),
        }
    }
}

/// Runs `vend board …`.
///
/// # Errors
/// A profile that is not there or wrong, a daemon or board that does not do it, or a standard output that takes no more.
pub fn run(command: &BoardCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    match command {
        BoardCommand::List(_) => list(out),
        BoardCommand::Show(args) => show(&args.name, out),
        BoardCommand::Ask(question) => service::ask(question, out),
        BoardCommand::Switch(args) => service::switch(args, out),
        BoardCommand::Hold(args) => service::hold(args, out),
        BoardCommand::Reset(args) => service::reset(args, out),
        BoardCommand::Detect(args) => detect::run(args, out),
        BoardCommand::Simulate(args) => simulate::run(args, out),
    }
}

fn list(out: &mut Output<'_>) -> Result<Exit, Failure> {
    let profiles: Result<Vec<Profile>, ProfileError> =
        Profile::built_in().into_iter().map(|(name, _)| Profile::find(name, Path::new("."))).collect();
    let profiles = profiles?;
    if out.is_json() {
        let boards: Vec<_> = profiles
            .iter()
            .map(|p| {
                json!({
                    "name": p.name, "title": p.title, "family": p.family, "link": p.link,
                    "recovery_class": p.recovery_class,
                })
            })
            .collect();
        out.json(&json!({ "boards": boards }))?;
        return Ok(Exit::Done);
    }
    let header =
        out.lang.say(["name", "title", "family", "link", "recovery"], ["名称", "型号", "协议族", "串口", "断电恢复"]);
    let mut rows = Vec::new();
    for p in &profiles {
        let keys = serde_json::to_value(p).map_err(io::Error::from)?;
        let family = text_of(&keys["family"], out.lang);
        let link = format!("{} {}", p.link.baud, framing(p.link.parity));
        rows.push(vec![p.name.clone(), p.title.clone(), family, link, recovery(p.recovery_class, out.lang).to_owned()]);
    }
    out.table(&header, &rows)?;
    Ok(Exit::Done)
}

fn show(name: &str, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let profile = Profile::find(name, Path::new("."))?;
    let mut keys = serde_json::to_value(&profile).map_err(io::Error::from)?;
    keys["services"] = json!(service::offered(&profile));
    if out.is_json() {
        out.json(&keys)?;
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    for (key, en, zh) in KEYS {
        let value = key.split('.').fold(&keys, |table, segment| &table[segment]);
        let text = match *key {
            "recovery_class" => {
                format!("{} ({})", text_of(value, out.lang), recovery(profile.recovery_class, out.lang))
            }
            _ => text_of(value, out.lang),
        };
        if !text.is_empty() {
            rows.push(vec![(*key).to_owned(), out.lang.say(*en, *zh).to_owned(), text]);
        }
    }
    let services = text_of(&keys["services"], out.lang);
    rows.push(vec![
        "services".to_owned(),
        out.lang.say("can be asked and switched", "可查询与控制").to_owned(),
        services,
    ]);
    out.table(&out.lang.say(["key", "what", "value"], ["键", "项目", "值"]), &rows)?;
    Ok(Exit::Done)
}

/// Every key of a profile in the order of the file, and what it says, in both languages. `boards/README.md` says more.
const KEYS: &[(&str, &str, &str)] = &[
    ("name", "name", "名称"),
    ("title", "title", "型号"),
    ("source", "source", "来源"),
    ("family", "protocol family", "协议族"),
    ("recovery_class", "recovery", "断电恢复"),
    ("lacks", "lacks", "缺少"),
    ("link.baud", "baud", "波特率"),
    ("link.parity", "parity", "校验位"),
    ("addresses.first_on_wire", "address 1 on the wire", "地址 1 的线上值"),
    ("addresses.count", "addresses", "地址数"),
    ("slots.first", "lowest of the slots", "货道起始编号"),
    ("slots.last", "highest of the slots", "货道末尾编号"),
    ("slots.gaps", "slots that do not exist", "不存在的货道"),
    ("slots.hundred_an_address", "hundred slots an address", "每地址一百货道"),
    ("slots.rows", "trays", "层数"),
    ("slots.columns", "places on a tray", "每层列数"),
    ("slots.formula", "the board's numbers", "板卡编号方式"),
    ("slots.code_base", "the platform's code of the first slot", "首个货道的平台编号"),
    ("slots.code_formula", "the platform's codes", "平台编号方式"),
    ("defaults.floor_type", "mechanism unless said", "默认货道类型"),
    ("defaults.lift", "lift unless said", "默认使用升降机"),
    ("defaults.drop_check", "drop sensor unless said", "默认掉货检测"),
    ("timing.longest_vend_ms", "longest vend, ms", "最长出货时间（毫秒）"),
    ("timing.reply_ms", "an answer within, ms", "应答时限（毫秒）"),
    ("timing.poll_ms", "time between polls, ms", "轮询间隔（毫秒）"),
    ("timing.min_gap_ms", "silence between frames, ms", "帧间静默（毫秒）"),
    ("timing.retries", "questions again", "询问重试次数"),
    ("options.adh_variant", "ADH variant", "ADH 型号"),
    ("options.direct_drive_len", "bytes of a direct drive", "直接驱动字节数"),
    ("options.motor_type", "wiring of the motors", "电机接线"),
    ("options.crc_suffix", "suffix of the check sum", "校验后缀"),
    ("options.short_when", "contact closed when", "触点闭合条件"),
    ("options.echo", "the cable echoes", "线路回显"),
    ("options.grid", "rows and columns on the wire", "线上行列"),
    ("options.online_type", "counted as", "计数类别"),
    ("options.relays", "what hangs on the relays", "继电器用途"),
    ("outcomes", "meaning of codes", "代码含义"),
];

/// A value of a profile for people; empty when there is none.
fn text_of(value: &Value, lang: Lang) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => lang.say(["no", "yes"], ["否", "是"])[usize::from(*yes)].to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(values) => values.iter().map(|v| text_of(v, lang)).collect::<Vec<_>>().join("; "),
        Value::Object(table) => {
            table.iter().map(|(key, v)| format!("{key}: {}", text_of(v, lang))).collect::<Vec<_>>().join(", ")
        }
    }
}

/// Data bits, parity and stop bits, as every manual writes them.
const fn framing(parity: Parity) -> &'static str {
    match parity {
        Parity::None => "8N1",
        Parity::Even => "8E1",
        Parity::Odd => "8O1",
    }
}

/// What becomes of an outcome while the agent is away.
fn recovery(class: RecoveryClass, lang: Lang) -> &'static str {
    let (en, zh) = match class {
        RecoveryClass::HeldUntilAcknowledged => ("kept until acknowledged", "保留至确认"),
        RecoveryClass::LastResult => ("told until the next command", "保留至下一命令"),
        RecoveryClass::Counters => ("counted", "累计计数"),
        RecoveryClass::PhysicalState => ("seen at the latch", "以锁舌状态为准"),
        RecoveryClass::ReadClears => ("kept until read once", "读取一次后清除"),
        RecoveryClass::PushOnly => ("told once", "仅上报一次"),
        RecoveryClass::None => ("forgotten", "不保留"),
    };
    lang.say(en, zh)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every key that a profile can have; those below `outcomes` are the board's own.
    fn schema() -> BTreeSet<String> {
        let keys = serde_json::to_value(Profile::find("tcn-00ff", Path::new(".")).unwrap()).unwrap();
        let mut all = BTreeSet::new();
        for (name, value) in keys.as_object().unwrap() {
            match value {
                Value::Object(section) if name != "outcomes" => {
                    all.extend(section.keys().map(|key| format!("{name}.{key}")));
                }
                _ => drop(all.insert(name.clone())),
            }
        }
        all
    }

    #[test]
    fn board_show_has_every_key_of_a_profile_and_no_other() {
        assert_eq!(KEYS.iter().map(|(key, ..)| (*key).to_owned()).collect::<BTreeSet<_>>(), schema());
        assert_eq!(KEYS.len(), schema().len());
    }

    #[test]
    fn the_guide_to_profiles_has_every_key_and_no_other() {
        let guide = include_str!("../../boards/README.md");
        let table = guide.split("\n## ").find(|section| section.starts_with("Keys\n")).unwrap();
        let mut documented = BTreeSet::new();
        for row in table.lines().filter(|line| line.starts_with("| `")) {
            let cell = row.split('|').nth(1).unwrap();
            let mut section = "";
            for name in cell.split('`').skip(1).step_by(2) {
                let key = match name.split_once("] ") {
                    Some((header, key)) => {
                        section = header.trim_start_matches('[');
                        key
                    }
                    None => name.trim_matches(['[', ']']),
                };
                let key = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
                assert!(documented.insert(key), "{name} stands there twice");
            }
        }
        assert_eq!(documented, schema());
    }
}
