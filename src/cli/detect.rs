//! `vend board detect`, and the same inside `vend setup`: which board is on a port that nobody uses.

use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use super::setup;
use crate::board::detect::{DETECTION_MS_MAX, Detection, Detector};
use crate::board::profile::{Profile, ProfileError};
use crate::config::Config;
use crate::config::file::STATE_DIRECTORY_DEFAULT;
use crate::io::detect::{DetectError, detect};
use crate::io::journal::InspectError;
use crate::io::line::LineTrouble;
use crate::order::said::Said;
use clap::Args;
use serde_json::json;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Arguments of `vend board detect`.
#[derive(Debug, Clone, Args)]
pub struct DetectArgs {
    /// The serial port; "auto" takes the only adapter that is plugged in
    #[arg(long, value_name = "PATH")]
    pub port: String,
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Tells which profiles' board is there.
///
/// # Errors
/// A port that is not there or in use, a daemon that runs, a board that nobody understood.
pub fn run(args: &DetectArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    // A machine that was not set up yet has no configuration, or half of one.
    let state = Config::load(&args.config).map(|loaded| loaded.config.state_directory);
    let state = state.unwrap_or_else(|_| PathBuf::from(STATE_DIRECTORY_DEFAULT));
    let port = PathBuf::from(setup::port_named(&args.port)?);
    let detection = look(&port, &state, out)?;
    if detection.profiles.is_empty() && !out.is_json() {
        return Err(nobody(&port, &detection));
    }
    let found: Result<Vec<Profile>, ProfileError> =
        detection.profiles.iter().map(|name| Profile::find(name, Path::new("."))).collect();
    let found = found?;
    if out.is_json() {
        let titles: Vec<_> = found.iter().map(|p| json!({ "profile": p.name, "title": p.title })).collect();
        out.json(&json!({ "port": port, "found": titles, "detection": detection }))?;
        return Ok(if found.is_empty() { Exit::Device } else { Exit::Done });
    }
    let rows: Vec<Vec<String>> = found.iter().map(|p| vec![p.name.clone(), p.title.clone()]).collect();
    out.table(&out.lang.say(["profile", "title"], ["板卡配置", "型号"]), &rows)?;
    if let Some(identity) = &detection.identity {
        out.line(&out.lang.say(format!("the board says: {identity}"), format!("板卡自报：{identity}")))?;
    }
    if found.len() > 1 {
        out.line(out.lang.say(
            "these boards speak alike: take the one whose name is on yours; vend board show NAME tells them apart",
            "这些板卡的通信相同：请选与实物型号一致的一个；vend board show NAME 可查看区别",
        ))?;
    }
    if detection.echoes {
        out.line(out.lang.say(
            "the cable gives back what is sent: lock and m102 boards want [options] echo = true in their profile",
            "线路会回显所发内容：锁板与 m102 板卡须在其配置中设 [options] echo = true",
        ))?;
    }
    Ok(Exit::Done)
}

/// Looks; says on standard error that this takes a while.
///
/// # Errors
/// A port that is not there or in use, or a daemon that runs.
pub(super) fn look(port: &Path, state_dir: &Path, out: &Output<'_>) -> Result<Detection, Failure> {
    let profiles: Result<Vec<Profile>, ProfileError> =
        Profile::built_in().into_iter().map(|(name, _)| Profile::find(name, Path::new("."))).collect();
    let detector = Detector::new(&profiles?);
    let (shown, most_s) = (port.display(), DETECTION_MS_MAX / 1_000);
    let note = out.lang.say(
        format!("listening on {shown}, then asking; nothing turns; up to {most_s} s …"),
        format!("正在监听 {shown}，随后询问；不会转动任何电机；最多 {most_s} 秒 …"),
    );
    // Whether it gets there changes nothing.
    let _ = writeln!(io::stderr(), "{note}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(detect(port, state_dir, detector)).map_err(|error| cannot(&error))
}

/// Nobody was understood: what to check.
pub(super) fn nobody(port: &Path, detection: &Detection) -> Failure {
    let port = port.display();
    let (en, zh) = match detection.strange_bytes {
        bytes if bytes > 0 && detection.questions == 0 => (
            format!(
                "{bytes} bytes came from {port} unasked that no known board sends, so nothing was asked. Check:\n  that the \
                 board is one of vend board list, or of a family for which you can write a profile\n  that no other \
                 program or controller speaks on the same line\n  the cable: a loose one makes noise"
            ),
            format!(
                "{port} 上收到 {bytes} 个字节，不属于任何已知板卡，因此未作询问。请检查：\n  板卡是否在 vend board list \
                 之中，或属于可自写配置的协议族\n  同一线路上是否有其他程序或控制器\n  线缆是否松动（会产生噪声）"
            ),
        ),
        _ => (
            format!(
                "no board was understood on {port}. Check:\n  the board has power\n  the cable: RS232 crosses TX and RX, \
                 RS485 has A on A; swap them once\n  the port: vend serial ports\n  the board's switches: address 1 is asked \
                 (tcn and lock-cu: 0), at the speeds of vend board list\n  some boards cannot be found: m102 boards that \
                 want the maker's suffix, boards whose profile you wrote yourself; name those with --profile"
            ),
            format!(
                "{port} 上没有可识别的板卡。请检查：\n  板卡是否通电\n  线缆：RS232 的 TX 与 RX 须交叉，RS485 的 A 接 A；\
                 可对调再试\n  串口是否正确：vend serial ports\n  板卡拨码：只询问地址 1（tcn 与 lock-cu 为 0），速率见 \
                 vend board list\n  有些板卡无法识别：需要厂家后缀的 m102、自写配置的板卡；请用 --profile 指定"
            ),
        ),
    };
    Failure::told(Exit::Device, Said::new(en, zh))
}

fn cannot(error: &DetectError) -> Failure {
    let exit = match error {
        DetectError::State(InspectError::InUse { .. }) | DetectError::Line(LineTrouble::Busy { .. }) => Exit::Refused,
        DetectError::State(_) => Exit::Failed,
        DetectError::Line(LineTrouble::NotFound { .. }) => Exit::NotFound,
        DetectError::Line(LineTrouble::Permission { .. }) => Exit::NoPermission,
        DetectError::Line(_) => Exit::Device,
    };
    Failure::of(exit, error)
}
