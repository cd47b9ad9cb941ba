//! `vend setup`: makes a machine of an installation. It writes configuration and secrets, whole or not at all, has doctor
//! look at what they lead to, and the same once more changes nothing.

use super::ConfigArgs;
use super::ask_person;
use super::detect;
use super::doctor;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use crate::cli::usage::Misread;
use crate::config::credentials::{Credential, CredentialError, Secret, read_secret};
use crate::config::file::STATE_DIRECTORY_DEFAULT;
use crate::config::{Config, edit};
use crate::doctor::{Check, Group};
use crate::order::said::{Said, said};
use clap::Args;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Every key with its default and a word about it: what a new configuration begins with.
const EXAMPLE: &str = include_str!("../../systemd/vend.toml.example");
/// Where udev names ports by the place in which their adapter is plugged: such a name means the same port after a restart.
const PORTS: &str = "/dev/serial/by-path";
/// The section of `--from` that goes into files of their own.
const SECRETS: &str = "secrets";
/// Everyone may read the configuration: it holds no secret.
const CONFIG_MODE: u32 = 0o644;
/// Nobody else may read a secret, or see which there are.
const SECRET_MODE: u32 = 0o600;
const SECRETS_FOLDER_MODE: u32 = 0o700;

/// Arguments of `vend setup`.
#[derive(Debug, Clone, Args)]
pub struct SetupArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// The directory with the secrets; "credentials" beside the configuration unless given
    #[arg(long, value_name = "DIR")]
    pub credentials: Option<PathBuf>,
    /// Take keys from this file, written like the configuration, and secrets from its section `secrets`
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// The machine's number on the platform, 8 digits
    #[arg(long, value_name = "DIGITS")]
    pub machine_no: Option<String>,
    /// The broker, mqtt:// or mqtts://
    #[arg(long = "broker", value_name = "URL")]
    pub broker_url: Option<String>,
    /// The name to log in to the broker with
    #[arg(long = "username", value_name = "NAME")]
    pub broker_username: Option<String>,
    /// The platform's open API, https://; "none" does without
    #[arg(long, value_name = "URL")]
    pub cloud: Option<String>,
    /// The merchant's AppId
    #[arg(long, value_name = "ID")]
    pub app_id: Option<String>,
    /// The board's profile, see vend board list; "detect" looks which board is on the port
    #[arg(long, visible_alias = "board", value_name = "NAME")]
    pub profile: Option<String>,
    /// The serial port; "auto" takes the only adapter that is plugged in
    #[arg(long, value_name = "PATH")]
    pub port: Option<String>,
    /// A secret and the file that holds it as one line, like app_key=FILE; may be repeated
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = secret_file)]
    pub secret_files: Vec<(Credential, PathBuf)>,
    /// Ask nothing: what is missing is an error
    #[arg(long)]
    pub no_questions: bool,
    /// Write, and do not look whether broker, platform and port are there
    #[arg(long)]
    pub no_checks: bool,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `NAME=FILE`.
fn secret_file(text: &str) -> Result<(Credential, PathBuf), Misread> {
    let no_pair = || Misread(Said::new("NAME=FILE is wanted", "应写作 NAME=FILE"));
    let (name, file) = text.split_once('=').ok_or_else(no_pair)?;
    Ok((credential_of(name).ok_or_else(|| Misread(no_such_secret()))?, PathBuf::from(file)))
}

fn credential_of(name: &str) -> Option<Credential> {
    Credential::ALL.into_iter().find(|credential| credential.file_name() == name)
}

fn no_such_secret() -> Said {
    let names = Credential::ALL.map(Credential::file_name).join(", ");
    said!("there are the secrets {names}", "可用的密钥有 {names}"; names)
}

/// A key that is asked for, and what it is about.
struct Question {
    section: &'static str,
    key: &'static str,
    en: &'static str,
    zh: &'static str,
}

const QUESTIONS: [Question; 7] = [
    Question { section: "", key: "machine_no", en: "machine number (8 digits)", zh: "机器编号（8 位数字）" },
    Question { section: "broker", key: "url", en: "broker (mqtts://…)", zh: "消息服务器（mqtts://…）" },
    Question {
        section: "broker",
        key: "username",
        en: "this machine's user at the broker, or none",
        zh: "本机在消息服务器的用户名，或 none",
    },
    Question {
        section: "cloud", key: "url", en: "platform (https://…, or none)", zh: "平台（https://…，或 none）"
    },
    Question { section: "cloud", key: "app_id", en: "AppId", zh: "AppId" },
    Question {
        section: "board",
        key: "profile",
        en: "board (vend board list), or detect",
        zh: "板卡（vend board list），或 detect",
    },
    Question { section: "board", key: "port", en: "serial port, or auto", zh: "串口，或 auto" },
];

/// What doctor looks at in the end: what was set here, and where it leads. The rest is the daemon's, which does not run yet.
const PROVED: [Group; 3] = [Group::Configuration, Group::Port, Group::Network];

/// Does without the platform, or without a user at the broker.
const NONE: &str = "none";
/// Takes the only port there is.
const AUTO: &str = "auto";
/// Looks which board is on the port.
const DETECT: &str = "detect";

/// Makes configuration and secrets of arguments, file and answers; checks them; writes what changed.
///
/// # Errors
/// A value that is wrong or missing, before anything is written; a folder that takes no files.
pub fn run(args: &SetupArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let asks = !args.no_questions && args.from.is_none() && ask_person::can_ask();
    let before = match fs::read_to_string(&args.config) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(cannot(&said!("read", "读取"), &args.config, &error)),
    };
    let mut text = before.clone().unwrap_or_else(|| EXAMPLE.to_owned());
    let mut secrets: Vec<(Credential, Secret)> = Vec::new();

    if let Some(from) = &args.from {
        text = take_file(from, text, &mut secrets)?;
    }
    let given = [
        &args.machine_no,
        &args.broker_url,
        &args.broker_username,
        &args.cloud,
        &args.app_id,
        &args.profile,
        &args.port,
    ];
    let mut detects = false;
    for (question, given) in QUESTIONS.iter().zip(given) {
        let answer = match given {
            Some(given) => Some(given.clone()),
            // Who has no platform has no number there.
            None if asks && !(question.key == "app_id" && set(&text, "cloud", "url").is_empty()) => {
                ask(question, &text, out)?
            }
            None => None,
        };
        if let Some(answer) = answer {
            if (question.section, question.key) == ("board", "profile") {
                // The port comes after it.
                detects = answer == DETECT;
                if detects {
                    continue;
                }
            }
            text = put(question, &answer, &text)?;
        }
    }
    if detects {
        text = edit::set(&text, "board", "profile", &Value::String(detected(args, &text, asks, out)?));
    }
    let config = Config::parse(&args.config, &text)?.config;

    let directory = args.credentials.clone().unwrap_or_else(|| args.config.with_file_name("credentials"));
    for (credential, path) in &args.secret_files {
        let found = read_secret(path).map_err(|fault| wrong_secret(*credential, "vend setup", path, fault))?;
        secrets.push((*credential, found.secret));
    }
    for credential in Credential::ALL {
        let Some(needed_by) = credential.needed_by(&config) else { continue };
        let path = directory.join(credential.file_name());
        let known = match secrets.iter().any(|(c, _)| *c == credential) {
            true => continue,
            false => read_secret(&path),
        };
        match known {
            Ok(_) => {}
            Err(_) if asks => {
                let typed = ask_person::ask_secretly(&format!("{}: ", credential.file_name()))?;
                let secret = Secret::of_file(typed.as_bytes())
                    .map_err(|fault| wrong_secret(credential, needed_by, &path, fault))?;
                secrets.push((credential, secret));
            }
            Err(fault) => return Err(wrong_secret(credential, needed_by, &path, fault)),
        }
    }
    let written = write(args, &directory, before.as_deref(), &text, &secrets)?;
    prove(args, directory, &written, out)
}

/// Keys and secrets of a file that is written like a configuration.
fn take_file(from: &Path, mut text: String, secrets: &mut Vec<(Credential, Secret)>) -> Result<String, Failure> {
    let file = fs::read_to_string(from).map_err(|error| cannot(&said!("read", "读取"), from, &error))?;
    let told = |why: Said| {
        let why = said!("{shown}: {why}", "{shown}：{why}", why; shown = from.display());
        Failure::told(Exit::Configuration, why)
    };
    // In the words of the TOML reader.
    let table: Table = file
        .parse()
        .map_err(|error: toml::de::Error| told(said!("{error}", "TOML 有误：{error}"; error = error.to_string())))?;
    for (name, value) in &table {
        let keys = match value {
            Value::Table(keys) => keys,
            value => {
                text = edit::set(&text, "", name, value);
                continue;
            }
        };
        for (key, value) in keys {
            if name != SECRETS {
                text = edit::set(&text, name, key, value);
                continue;
            }
            let (Some(credential), Some(secret)) = (credential_of(key), value.as_str()) else {
                return Err(told(said!(
                    "[{section}] {key}: {why}, each a text",
                    "[{section}] {key}：{why}，均为文本",
                    why = no_such_secret(); section = SECRETS, key
                )));
            };
            let secret = Secret::of_file(secret.as_bytes())
                .map_err(|fault| {
                    told(said!("[{section}] {key}: {why}", "[{section}] {key}：{why}", why = fault.text(); section = SECRETS, key))
                })?;
            secrets.push((credential, secret));
        }
    }
    Ok(text)
}

/// Asks for a key, with what is set as the answer to an empty line.
fn ask(question: &Question, text: &str, out: &Output<'_>) -> Result<Option<String>, Failure> {
    let set = set(text, question.section, question.key);
    let what = out.lang.say(question.en, question.zh);
    let answer = ask_person::ask(&format!("{what} [{set}]: "))?;
    Ok((!answer.is_empty()).then_some(answer))
}

/// The text that is set there, or nothing.
fn set(text: &str, section: &str, key: &str) -> String {
    let table: Table = text.parse().unwrap_or_default();
    let keys = match section {
        "" => Some(&table),
        section => table.get(section).and_then(Value::as_table),
    };
    keys.and_then(|keys| keys.get(key)).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn put(question: &Question, answer: &str, text: &str) -> Result<String, Failure> {
    let value = |text: &str| Value::String(text.to_owned());
    Ok(match (question.section, question.key) {
        ("cloud", "url") if answer == NONE => {
            // The key goes with its line: an empty url is a mistake.
            let text = edit::unset(text, "cloud", "url");
            edit::set(&text, "cloud", "verify_orders", &value("never"))
        }
        ("broker", "username") if answer == NONE => edit::unset(text, "broker", "username"),
        ("board", "port") => edit::set(text, "board", "port", &value(&port_named(answer)?)),
        (section, key) => edit::set(text, section, key, &value(answer)),
    })
}

/// The profile whose board is on the port of this configuration, which may still lack everything else.
fn detected(args: &SetupArgs, text: &str, asks: bool, out: &Output<'_>) -> Result<String, Failure> {
    let table: Table = text.parse().unwrap_or_default();
    let of = |section: &str, key: &str| {
        let value = table.get(section).and_then(|section| section.get(key)).and_then(Value::as_str);
        value.filter(|text| !text.is_empty()).map(|path| args.config.with_file_name("").join(path))
    };
    let port = of("board", "port").ok_or_else(|| {
        Failure::told(Exit::Usage, said!("name the port of the board: --port PATH", "请指定板卡的串口：--port PATH"))
    })?;
    let state = of("state", "directory").unwrap_or_else(|| PathBuf::from(STATE_DIRECTORY_DEFAULT));
    let detection = detect::look(&port, &state, out)?;
    let names = detection.profiles.join(", ");
    match detection.profiles.as_slice() {
        [] => return Err(detect::nobody(&port, &detection)),
        [only] => return Ok(only.clone()),
        _ if asks => {
            let which = out.lang.say("these boards speak alike; which is it", "这些板卡的通信相同；是哪一个");
            let answer = ask_person::ask(&format!("{which} ({names}): "))?;
            if detection.profiles.contains(&answer) {
                return Ok(answer);
            }
        }
        _ => {}
    }
    Err(Failure::told(
        Exit::Usage,
        said!(
            "these boards speak alike; name yours with --profile: {names}",
            "这些板卡的通信相同；请用 --profile 指定：{names}";
            names
        ),
    ))
}

/// What is meant by `--port`.
pub(super) fn port_named(answer: &str) -> Result<String, Failure> {
    if answer == AUTO { only_port(Path::new(PORTS)) } else { Ok(answer.to_owned()) }
}

/// The one port that is there. Which of several it is, is a person's to say: another one may be another dispenser.
fn only_port(folder: &Path) -> Result<String, Failure> {
    let mut ports: Vec<String> = match fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(|e| e.ok()?.path().to_str().map(str::to_owned)).collect(),
        Err(_) => Vec::new(),
    };
    // udev names a port in two ways, and the one with "usbv2" says less.
    ports.retain(|port| !port.contains("-usbv"));
    ports.sort();
    match ports.as_slice() {
        [port] => Ok(port.clone()),
        [] => Err(Failure::told(
            Exit::NotFound,
            said!(
                "no adapter is plugged in (nothing in {shown}); name the port: --port PATH",
                "未插入适配器（{shown} 中没有）；请指定串口：--port PATH";
                shown = folder.display()
            ),
        )),
        several => Err(Failure::told(
            Exit::Usage,
            said!(
                "there are several ports; name one with --port:\n  {several}",
                "有多个串口；请用 --port 指定一个：\n  {several}";
                several = several.join("\n  ")
            ),
        )),
    }
}

/// What [`write()`] has changed.
struct Written {
    config: bool,
    secrets: Vec<&'static str>,
}

fn write(
    args: &SetupArgs,
    directory: &Path,
    before: Option<&str>,
    text: &str,
    secrets: &[(Credential, Secret)],
) -> Result<Written, Failure> {
    if !directory.is_dir() {
        let made = DirBuilder::new().recursive(true).mode(SECRETS_FOLDER_MODE).create(directory);
        made.map_err(|error| cannot(&said!("make", "建立"), directory, &error))?;
    }
    let mut written = Written { config: before != Some(text), secrets: Vec::new() };
    // Secrets first: a machine with its number and without its keys would start.
    for (credential, secret) in secrets {
        let path = directory.join(credential.file_name());
        let same = read_secret(&path).is_ok_and(|found| found.secret == *secret && found.exposed_mode.is_none());
        if !same {
            replace(&path, format!("{}\n", secret.reveal()).as_bytes(), SECRET_MODE)?;
            written.secrets.push(credential.file_name());
        }
    }
    if written.config {
        replace(&args.config, text.as_bytes(), CONFIG_MODE)?;
    }
    Ok(written)
}

/// Tells what was written, and what doctor says of it: its exit is that of setup.
fn prove(args: &SetupArgs, directory: PathBuf, written: &Written, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let path = args.config.display();
    if !out.is_json() {
        if written.config || !written.secrets.is_empty() {
            out.good(&out.lang.say(format!("{path}: written and valid"), format!("{path}：已写入且有效")))?;
        } else {
            out.good(&out.lang.say(format!("{path}: nothing to change"), format!("{path}：无需更改")))?;
        }
        if !written.secrets.is_empty() {
            let names = written.secrets.join(", ");
            out.line(&out.lang.say(format!("secrets written: {names}"), format!("已写入密钥：{names}")))?;
        }
    }
    let report = match args.no_checks {
        true => None,
        false => {
            let wanted: BTreeSet<Check> =
                Check::ALL.into_iter().filter(|check| PROVED.contains(&check.entry().group)).collect();
            let place = ConfigArgs { config: args.config.clone(), credentials: Some(directory) };
            let shows = (!out.is_json() && io::stderr().is_terminal()).then_some(out.lang);
            Some(doctor::report(&place, None, &wanted, &BTreeSet::new(), shows)?)
        }
    };
    let exit = report.as_ref().map_or(Exit::Done, |report| doctor::exit(report, false));
    if out.is_json() {
        out.json(&json!({
            "config": args.config, "config_changed": written.config, "secrets_written": written.secrets,
            "doctor": report,
        }))?;
        return Ok(exit);
    }
    if let Some(report) = &report {
        doctor::show(report, out)?;
    }
    if written.config || !written.secrets.is_empty() {
        out.line(out.lang.say("now: systemctl restart vend", "下一步：systemctl restart vend"))?;
    }
    Ok(exit)
}

/// Old or new at every moment, never half; durable when it returns.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let failed = |error: io::Error| cannot(&said!("write", "写入"), path, &error);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(&new).map_err(failed)?;
    // The file may be left of an attempt that was cut off, and the mode above only counts for a new one.
    file.set_permissions(fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn cannot(doing: &Said, path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::NoPermission,
        io::ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::Failed,
    };
    let why = said!(
        "cannot {doing} {shown}: {error}",
        "无法{doing} {shown}：{error}",
        doing, error; shown = path.display()
    );
    Failure::told(exit, why)
}

fn wrong_secret(
    credential: Credential,
    needed_by: &'static str,
    path: &Path,
    fault: crate::config::credentials::CredentialFault,
) -> Failure {
    CredentialError::File { credential, needed_by, path: path.to_owned(), fault }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_port_is_taken_and_of_several_a_person_names_one() {
        let folder = tempfile::tempdir().unwrap();
        let port = |name: &str| fs::write(folder.path().join(name), "").unwrap();
        assert_eq!(only_port(folder.path()).unwrap_err().exit(), Exit::NotFound);
        port("pci-0000:00:14.0-usb-0:1:1.0-port0");
        port("pci-0000:00:14.0-usbv2-0:1:1.0-port0");
        assert!(only_port(folder.path()).unwrap().ends_with("/pci-0000:00:14.0-usb-0:1:1.0-port0"));
        port("pci-0000:00:14.0-usb-0:2:1.0-port0");
        let refused = only_port(folder.path()).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        assert!(refused.to_string().contains("usb-0:2"), "{refused}");
    }
}
