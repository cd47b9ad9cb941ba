//! `vend board ask`, `switch`, `hold` and `reset`: what the daemon lets the board do beside a vend.

use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::output::{Output, OutputArgs};
use super::status::SocketArgs;
use crate::board::driver::{Address, Slot};
use crate::board::driver_for;
use crate::board::profile::Profile;
use crate::board::service::{ClimateMode, Device, HOLD_C, Reading, Service, tenths};
use crate::cli::usage::Misread;
use crate::control::Ask;
use crate::io::control_client;
use crate::order::said::said;
use clap::{Args, Subcommand, ValueEnum};

/// Whom to ask, and how to tell.
#[derive(Debug, Clone, Args)]
pub struct ServiceArgs {
    /// The driver board, from 1
    #[arg(long, value_name = "N", default_value = "1", value_parser = address)]
    pub addr: Address,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What is asked of the board.
#[derive(Debug, Clone, Subcommand)]
pub enum Question {
    /// How warm and how damp it is
    Climate(ServiceArgs),
    /// Whether the machine's door is open
    Door(ServiceArgs),
    /// Whether the board finds a fault in itself
    SelfCheck(ServiceArgs),
    /// Whether a slot is there and in order; it does not turn
    Slot(SlotArgs),
}

/// Arguments of `vend board ask slot`.
#[derive(Debug, Clone, Args)]
pub struct SlotArgs {
    /// The slot, as the board numbers it
    pub slot: u16,
    /// Whom to ask, and how to tell.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Arguments of `vend board switch`.
#[derive(Debug, Clone, Args)]
pub struct SwitchArgs {
    /// light, cooler, heater, glass-heater or fan
    #[arg(value_parser = device)]
    pub device: Device,
    /// on or off
    #[arg(value_enum, hide_possible_values = true)]
    pub position: Position,
    /// Whom to ask, and how to tell.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Arguments of `vend board hold`.
#[derive(Debug, Clone, Args)]
pub struct HoldArgs {
    /// cool, heat or off
    #[arg(value_enum, hide_possible_values = true)]
    pub mode: Mode,
    /// The temperature to hold, in °C; not with off
    #[arg(
        allow_negative_numbers = true,
        required_if_eq_any([("mode", "cool"), ("mode", "heat")]),
        value_parser = clap::value_parser!(i8).range(i64::from(*HOLD_C.start())..=i64::from(*HOLD_C.end()))
    )]
    pub target_c: Option<i8>,
    /// Whom to ask, and how to tell.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// Where a switch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Position {
    /// On.
    On,
    /// Off.
    Off,
}

/// What the temperature control does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Cool.
    Cool,
    /// Heat.
    Heat,
    /// Nothing.
    Off,
}

pub(super) fn address(text: &str) -> Result<Address, Misread> {
    let number = text.parse().ok().and_then(Address::new);
    let max = Address::MAX;
    number.ok_or_else(|| Misread(said!("an address is 1 to {max}", "地址为 1 至 {max}"; max)))
}

fn device(text: &str) -> Result<Device, Misread> {
    let known = Device::ALL.into_iter().find(|device| device.as_str() == text);
    let names = Device::ALL.map(Device::as_str).join(", ");
    known.ok_or_else(|| Misread(said!("it is one of {names}", "应为下列之一：{names}"; names)))
}

impl Question {
    const fn args(&self) -> &ServiceArgs {
        match self {
            Question::Climate(args) | Question::Door(args) | Question::SelfCheck(args) => args,
            Question::Slot(args) => &args.service,
        }
    }

    /// The form of the result.
    #[must_use]
    pub const fn output(&self) -> OutputArgs {
        self.args().output
    }
}

/// Runs `vend board ask …`.
///
/// # Errors
/// No daemon, no permission, or a board that does not offer it, is busy, refuses or does not answer.
pub fn ask(question: &Question, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let args = question.args();
    let address = args.addr;
    let service = match question {
        Question::Climate(_) => Service::Climate { address },
        Question::Door(_) => Service::Door { address },
        Question::SelfCheck(_) => Service::SelfCheck { address },
        Question::Slot(slot) => Service::SlotState { address, slot: Slot(slot.slot) },
    };
    serve(args, service, out)
}

/// Runs `vend board switch …`.
///
/// # Errors
/// No daemon, no permission, or a board that does not offer it, is busy, refuses or does not answer.
pub fn switch(args: &SwitchArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let (address, on) = (args.service.addr, args.position == Position::On);
    serve(&args.service, Service::Switch { address, device: args.device, on }, out)
}

/// Runs `vend board hold …`.
///
/// # Errors
/// No daemon, no permission, or a board that does not offer it, is busy, refuses or does not answer.
pub fn hold(args: &HoldArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let mode = match args.mode {
        Mode::Cool => ClimateMode::Cool,
        Mode::Heat => ClimateMode::Heat,
        Mode::Off => ClimateMode::Off,
    };
    let (address, target_c) = (args.service.addr, args.target_c.unwrap_or(0));
    serve(&args.service, Service::Hold { address, mode, target_c }, out)
}

/// Runs `vend board reset …`.
///
/// # Errors
/// No daemon, no permission, or a board that does not offer it, is busy, refuses or does not answer.
pub fn reset(args: &ServiceArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    serve(args, Service::Reset { address: args.addr }, out)
}

/// Asks the daemon and tells what the board said. A fault that the board tells is [`Exit::Failed`], a slot that is not
/// there [`Exit::NotFound`].
///
/// # Errors
/// No daemon, no permission, a board that does not offer it, is busy, refuses or does not answer; or a standard output
/// that takes no more.
fn serve(args: &ServiceArgs, service: Service, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let reading: Reading = control_client::ask(&args.socket.socket, Ask::Service(service))?;
    let exit = match reading {
        Reading::Faulty { .. } => Exit::Failed,
        Reading::SlotAbsent => Exit::NotFound,
        Reading::Done
        | Reading::Healthy
        | Reading::SlotReady
        | Reading::SlotEmpty
        | Reading::Door { .. }
        | Reading::Climate { .. } => Exit::Done,
    };
    if out.is_json() {
        out.json(&reading)?;
    } else {
        let header = out.lang.say(["what", "value"], ["项目", "值"]);
        out.table(&header, &rows(&reading, out.lang))?;
    }
    Ok(exit)
}

fn rows(reading: &Reading, lang: Lang) -> Vec<Vec<String>> {
    let row = |key: &str, value: &str| vec![key.to_owned(), value.to_owned()];
    let slot = lang.say("slot", "货道");
    let board = lang.say("board", "板卡");
    match reading {
        Reading::Done => vec![row(board, lang.say("done", "已完成"))],
        Reading::Healthy => vec![row(board, lang.say("no fault found", "未发现故障"))],
        Reading::Faulty { what, what_zh } => vec![row(lang.say("FAULT", "故障"), lang.say(what, what_zh))],
        Reading::SlotReady => vec![row(slot, lang.say("there and in order", "存在且正常"))],
        Reading::SlotAbsent => vec![row(slot, lang.say("not there", "不存在"))],
        Reading::SlotEmpty => vec![row(slot, lang.say("empty", "已空"))],
        Reading::Door { open: true } => vec![row(lang.say("door", "门"), lang.say("open", "打开"))],
        Reading::Door { open: false } => vec![row(lang.say("door", "门"), lang.say("closed", "关闭"))],
        Reading::Climate { temperature_deci_c, humidity_permille } => {
            let none = lang.say("no sensor", "无传感器");
            let temperature =
                temperature_deci_c.map_or_else(|| none.to_owned(), |t| format!("{} °C", tenths(i32::from(t))));
            let humidity = humidity_permille.map_or_else(|| none.to_owned(), |h| format!("{} %", tenths(i32::from(h))));
            vec![row(lang.say("temperature", "温度"), &temperature), row(lang.say("humidity", "湿度"), &humidity)]
        }
    }
}

/// What the profile's family serves, in the words of the command line.
pub(super) fn offered(profile: &Profile) -> Vec<String> {
    let driver = driver_for(profile);
    let Some(address) = Address::new(1) else { return Vec::new() };
    let slot = Slot(profile.slots.first);
    let switches = Device::ALL
        .map(|device| (format!("switch {}", device.as_str()), Service::Switch { address, device, on: true }));
    let asks = [
        ("ask climate", Service::Climate { address }),
        ("ask door", Service::Door { address }),
        ("ask self-check", Service::SelfCheck { address }),
        ("ask slot", Service::SlotState { address, slot }),
        ("hold", Service::Hold { address, mode: ClimateMode::Cool, target_c: 0 }),
        ("reset", Service::Reset { address }),
    ];
    let asks = asks.map(|(word, service)| (word.to_owned(), service));
    asks.into_iter().chain(switches).filter(|(_, service)| driver.serves(service)).map(|(word, _)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_are_told_with_their_sign() {
        assert_eq!([-205, -5, 0, 7, 210].map(tenths), ["-20.5", "-0.5", "0.0", "0.7", "21.0"]);
    }

    #[test]
    fn a_climate_says_which_sensor_is_missing() {
        let reading = Reading::Climate { temperature_deci_c: Some(-35), humidity_permille: None };
        let told: Vec<String> = rows(&reading, Lang::En).into_iter().map(|row| row.join(" ")).collect();
        assert_eq!(told, ["temperature -3.5 °C", "humidity no sensor"]);
    }
}
