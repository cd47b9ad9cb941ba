//! `vend support bundle`: one file for whoever helps from afar. It holds no secret that could be read here; which could not is
//! said in it and beside it.

mod mask;
mod secrets;

use super::ConfigArgs;
use super::doctor;
use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::output::Output;
use crate::config::file::CONTROL_SOCKET_DEFAULT;
use crate::config::{self, Config};
use crate::control::{Ask, Audit, LastTest, Orders, Sales, Slots, Versioned};
use crate::core::{Books, FaultLines, Letters, Status};
use crate::doctor::Check;
use crate::io::clock::Clock;
use crate::io::control_client::{self, AskError};
use crate::io::ports;
use crate::order::said::{Said, said};
use clap::{Args, Subcommand};
use flate2::Compression;
use flate2::write::GzEncoder;
use mask::Masks;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tar::{Builder, Header};

/// Lines of the system's journal: an hour of a busy machine, a week of a quiet one.
const LOG_LINES: &str = "5000";
/// Most bytes of one part; what is longer is cut, the newest stays.
const PART_BYTES_MAX: usize = 4 << 20;
/// Where systemd has the secrets of each unit while it runs, the encrypted ones too, in the clear.
const OF_UNITS: &str = "/run/credentials";
/// For whoever unpacks it, and nobody else.
const PART_MODE: u32 = 0o600;

/// What to do for support.
#[derive(Debug, Clone, Subcommand)]
pub enum SupportCommand {
    /// Pack status, orders, configuration without secrets, versions and log; prints the file's path only
    Bundle(BundleArgs),
}

/// Arguments of `vend support bundle`.
#[derive(Debug, Clone, Args)]
pub struct BundleArgs {
    /// The file to write
    #[arg(id = "bundle_output", long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where configuration and secrets are; secrets are read to be masked wherever they stand.
    #[command(flatten)]
    pub place: ConfigArgs,
    /// The daemon's socket, if it is not the configuration's
    #[arg(long = "socket", id = "other_socket", value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// Runs `vend support …`.
///
/// # Errors
/// A file that cannot be written.
pub fn run(command: &SupportCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let SupportCommand::Bundle(args) = command;
    let now_s = Clock::new().now().wall.seconds();
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("vend-support-{now_s}.tar.gz")));
    let (parts, unread) = gather(args);
    let bytes = pack(&parts, now_s)?;
    // It tells much of the machine, if no secret.
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    written.and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all())).map_err(|error| {
        let exit = match error.kind() {
            io::ErrorKind::PermissionDenied => Exit::NoPermission,
            io::ErrorKind::AlreadyExists => Exit::Refused,
            _ => Exit::Failed,
        };
        Failure::told(exit, said!("{shown}: {error}", "{shown}：{error}", error; shown = path.display()))
    })?;
    out.line(&path.display().to_string())?;
    if !unread.is_empty() {
        super::warn(&out.lang.pick(not_masked(&unread)), out.lang.say("warning: ", "警告："));
    }
    Ok(Exit::Done)
}

/// A file in the bundle.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    name: String,
    text: String,
}

/// Everything that can be had, and which secrets could not be looked for in it. What cannot be had says why in its own file.
fn gather(args: &BundleArgs) -> (Vec<Part>, Vec<Said>) {
    let loaded = Config::load(&args.place.config);
    let config = loaded.as_ref().ok().map(|loaded| &loaded.config);
    let socket = args.socket.as_deref().or(config.map(|config| &*config.control_socket));
    let socket = socket.unwrap_or(Path::new(CONTROL_SOCKET_DEFAULT));
    let unit = unit_of(&args.place.config);
    let mut parts = vec![
        asked::<Status>(socket, "status.json", Ask::Status),
        asked::<Orders>(socket, "orders.json", Ask::Orders),
        asked::<Letters>(socket, "reports.json", Ask::Reports),
        asked::<Slots>(socket, "slots.json", Ask::Slots),
        asked::<Audit>(socket, "audit.json", Ask::Audit),
        asked::<LastTest>(socket, "last-test.json", Ask::LastTest),
        asked::<Sales>(socket, "sales.json", Ask::Sales),
        asked::<Books>(socket, "books.json", Ask::Books),
        asked::<FaultLines>(socket, "faults.json", Ask::Faults),
    ];
    let json = |value: &dyn Fn() -> serde_json::Result<String>| value().map_err(|error| error.to_string());
    parts.push(part("ports.json", json(&|| serde_json::to_string_pretty(&ports::list()))));
    let effective = loaded
        .as_ref()
        .map_err(|error| error.text().en)
        .and_then(|loaded| loaded.effective.to_toml().map_err(|error| error.to_string()));
    parts.push(part("configuration.toml", effective));
    parts.push(part("doctor.json", findings(args)));
    parts.push(part("versions.txt", Ok(versions())));
    parts.push(part("log.txt", log(&unit)));
    let folders = [args.place.secrets_directory(), Path::new(OF_UNITS).join(&unit)];
    let (secrets, keys) = (secrets::secrets(&folders, config), secrets::keys(config));
    let masks = Masks::new(&secrets.texts, &keys.texts);
    let unread = [secrets.unread, keys.unread].concat();
    if !unread.is_empty() {
        parts.push(part("masks.json", Err(not_masked(&unread).en)));
    }
    for part in &mut parts {
        part.text = masks.mask(&part.text);
    }
    (parts, unread)
}

/// For who makes the bundle and who gets it.
fn not_masked(unread: &[Said]) -> Said {
    let unread = Said::list(unread);
    said!(
        "these secrets could not be read, so they may stand in this bundle, in its log above all: {unread}. Make it with \
         sudo while the service runs, or read it before it is sent",
        "以下密钥无法读取，因此可能出现在此支持包中，尤其是日志：{unread}。请在服务运行时用 sudo 生成，或在发送前检查内容",
        unread
    )
}

fn asked<T: Serialize + DeserializeOwned>(socket: &Path, name: &str, ask: Ask) -> Part {
    let answer: Result<T, AskError> = control_client::ask(socket, ask);
    let text = answer
        .map_err(|error| error.to_string())
        .and_then(|document| serde_json::to_string_pretty(&Versioned::of(document)).map_err(|error| error.to_string()));
    part(name, text)
}

fn part(name: &str, text: Result<String, String>) -> Part {
    match text {
        Ok(text) => Part { name: name.to_owned(), text: newest(text) },
        Err(why) => Part { name: format!("{name}.missing.txt"), text: format!("{why}\n") },
    }
}

/// The end of a text that is too long, cut between characters.
fn newest(text: String) -> String {
    let from = text.len().saturating_sub(PART_BYTES_MAX);
    let from = (from..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    if from == 0 { text } else { text[from..].to_owned() }
}

/// What the doctor finds now.
fn findings(args: &BundleArgs) -> Result<String, String> {
    let wanted = Check::ALL.into_iter().collect();
    let report = doctor::report(&args.place, args.socket.as_deref(), &wanted, &BTreeSet::new(), None)
        .map_err(|failure| failure.text(Lang::En).unwrap_or_default())?;
    serde_json::to_string_pretty(&Versioned::of(report)).map_err(|error| error.to_string())
}

fn versions() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_else(|error| format!("{path}: {error}\n"));
    let vend = env!("CARGO_PKG_VERSION");
    format!("vend {vend}\n{}{}{}", read("/proc/version"), read("/etc/os-release"), read("/proc/uptime"))
}

/// The unit with this configuration: `vend@NAME.service` has `/etc/vend/NAME/vend.toml`.
fn unit_of(config: &Path) -> String {
    let instance = || {
        let one = Path::new(config::DEFAULT_PATH);
        let config = std::path::absolute(config).ok()?;
        let below = config.strip_prefix(one.parent()?).ok()?;
        let name = below.parent()?.to_str().filter(|name| !name.is_empty() && !name.contains('/'))?;
        (below.file_name() == one.file_name()).then(|| format!("vend@{name}.service"))
    };
    instance().unwrap_or_else(|| "vend.service".to_owned())
}

fn log(unit: &str) -> Result<String, String> {
    let told = Command::new("journalctl").args(["--unit", unit, "--no-pager", "--lines", LOG_LINES]).output();
    match told {
        Ok(told) if told.status.success() => Ok(String::from_utf8_lossy(&told.stdout).into_owned()),
        Ok(told) => Err(String::from_utf8_lossy(&told.stderr).into_owned()),
        Err(error) => Err(format!("journalctl: {error}")),
    }
}

/// A gzipped tar of all parts.
fn pack(parts: &[Part], now_s: u64) -> io::Result<Vec<u8>> {
    let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for part in parts {
        let mut header = Header::new_ustar();
        header.set_mode(PART_MODE);
        header.set_mtime(now_s);
        header.set_size(part.text.len().try_into().map_err(io::Error::other)?);
        tar.append_data(&mut header, format!("vend-support/{}", part.name), part.text.as_bytes())?;
    }
    tar.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tar_itself_reads_what_is_packed() {
        let folder = tempfile::tempdir().unwrap();
        let parts = [
            Part { name: "status.json".to_owned(), text: "x".repeat(1_000) },
            Part { name: "empty.txt".to_owned(), text: String::new() },
        ];
        let file = folder.path().join("bundle.tar.gz");
        fs::write(&file, pack(&parts, 1_714_373_690).unwrap()).unwrap();
        let told = Command::new("tar").args(["-tzvf"]).arg(&file).output().unwrap();
        assert!(told.status.success(), "{told:?}");
        let told = String::from_utf8(told.stdout).unwrap();
        assert!(told.contains("1000") && told.contains("vend-support/status.json"), "{told}");
        assert_eq!(told.lines().count(), 2, "{told}");
        let text = Command::new("tar").args(["-xzOf"]).arg(&file).arg("vend-support/status.json").output().unwrap();
        assert_eq!(text.stdout, parts[0].text.as_bytes());
    }

    #[test]
    fn the_unit_is_the_one_that_has_the_configuration() {
        for (config, unit) in [
            ("/etc/vend/vend.toml", "vend.service"),
            ("/etc/vend/left/vend.toml", "vend@left.service"),
            ("/etc/vend/./left//vend.toml", "vend@left.service"),
            ("/etc/vend/left/other.toml", "vend.service"),
            ("/etc/vend/left/deeper/vend.toml", "vend.service"),
            ("/srv/left/vend.toml", "vend.service"),
        ] {
            assert_eq!(unit_of(Path::new(config)), unit, "{config}");
        }
    }

    #[test]
    fn a_long_part_keeps_its_end() {
        let text = newest(format!("{}可end", "x".repeat(PART_BYTES_MAX)));
        assert!(text.len() <= PART_BYTES_MAX && text.ends_with("可end"));
    }
}
