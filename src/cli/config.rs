//! `vend config`: check the configuration, show what is in force.

use super::ConfigArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, OutputArgs};
use crate::config::Config;
use crate::config::credentials::{Credential, Credentials};
use crate::config::problem::ConfigError;
use clap::{Args, Subcommand};
use serde_json::json;

/// What to do with the configuration.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Check it, with every file it names; exit 78 if anything is wrong
    Check(CheckArgs),
    /// Show it as TOML; secrets are never part of it
    Show(ShowArgs),
}

/// Arguments of `vend config check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Where configuration and secrets are; secrets are checked only if their directory is named.
    #[command(flatten)]
    pub place: ConfigArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `vend config show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: std::path::PathBuf,
    /// Every key that has a value, with defaults filled in and paths absolute
    #[arg(long, required = true)]
    pub effective: bool,
    /// Each key with its value and where that is from: the file, or the default
    #[arg(long)]
    pub origin: bool,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl ConfigCommand {
    /// The form of the result.
    #[must_use]
    pub fn output(&self) -> OutputArgs {
        match self {
            ConfigCommand::Check(args) => args.output,
            ConfigCommand::Show(args) => args.output,
        }
    }
}

/// Runs `vend config …`.
///
/// # Errors
/// A wrong configuration, a missing secret, or a standard output that takes no more.
pub fn run(command: &ConfigCommand, out: &mut Output<'_>) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Check(args) => check(args, out),
        ConfigCommand::Show(args) => show(args, out),
    }
}

fn check(args: &CheckArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let loaded = match Config::load(&args.place.config) {
        Err(error) if out.is_json() => {
            out.json(&json!({ "valid": false, "problems": problems(&error) }))?;
            return Ok(Exit::Configuration);
        }
        loaded => loaded?,
    };
    let needed: Vec<&str> = Credential::ALL
        .into_iter()
        .filter(|credential| credential.needed_by(&loaded.config).is_some())
        .map(Credential::file_name)
        .collect();
    let mut warnings = Vec::new();
    if let Some(directory) = &args.place.credentials {
        match Credentials::load(Some(directory), &loaded.config) {
            Ok(credentials) => warnings = credentials.exposed,
            Err(error) if out.is_json() => {
                let problems = [json!({ "message": error.to_string() })];
                out.json(&json!({ "valid": false, "problems": problems }))?;
                return Ok(Exit::Configuration);
            }
            Err(error) => return Err(error.into()),
        }
    }
    for warning in &warnings {
        super::warn(&out.lang.pick(warning.text()), out.lang.say("warning: ", "警告："));
    }
    if out.is_json() {
        out.json(&json!({ "valid": true, "problems": [], "needs_credentials": needed }))?;
        return Ok(Exit::Done);
    }
    let path = args.place.config.display();
    out.good(&out.lang.say(format!("{path}: valid"), format!("{path}：有效")))?;
    if !needed.is_empty() {
        let names = needed.join(", ");
        out.line(&out.lang.say(format!("it needs the secrets {names}"), format!("需要的密钥：{names}")))?;
    }
    Ok(Exit::Done)
}

fn problems(error: &ConfigError) -> Vec<serde_json::Value> {
    match error {
        ConfigError::Read { path, source } => vec![json!({ "file": path, "message": source.to_string() })],
        ConfigError::Wrong { path, problems } => problems
            .iter()
            .map(|p| {
                json!({
                    "file": path, "line": p.place.line, "column": p.place.column,
                    "message": p.complaint.message().en, "hint": p.complaint.hint().en,
                })
            })
            .collect(),
    }
}

/// A key with its value and where that is from.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
struct KeyLine {
    key: String,
    value: String,
    /// file or default.
    origin: &'static str,
}

fn show_origin(args: &ShowArgs, effective: &str, out: &mut Output<'_>) -> Result<Exit, Failure> {
    // It was read a moment ago, and found right.
    let written = std::fs::read_to_string(&args.config)?;
    let keys = keys_with_origin(effective, &written);
    if out.is_json() {
        out.json(&json!({ "file": args.config, "keys": keys }))?;
        return Ok(Exit::Done);
    }
    let file = args.config.display().to_string();
    let header = out.lang.say(["key", "value", "from"], ["键", "值", "来源"]);
    let default = out.lang.say("default", "默认值");
    let from = |line: &KeyLine| if line.origin == "file" { file.clone() } else { default.to_owned() };
    let rows: Vec<Vec<String>> =
        keys.iter().map(|line| vec![line.key.clone(), line.value.clone(), from(line)]).collect();
    out.table(&header, &rows)?;
    Ok(Exit::Done)
}

/// Every key in force; what the file does not have is a default.
fn keys_with_origin(effective: &str, written: &str) -> Vec<KeyLine> {
    let read = |text: &str| leaves(&toml::Value::Table(text.parse().unwrap_or_default()), "");
    let written: std::collections::BTreeSet<String> = read(written).into_iter().map(|(key, _)| key).collect();
    let origin = |key: &str| if written.contains(key) { "file" } else { "default" };
    read(effective).into_iter().map(|(key, value)| KeyLine { origin: origin(&key), key, value }).collect()
}

fn leaves(value: &toml::Value, key: &str) -> Vec<(String, String)> {
    let toml::Value::Table(table) = value else { return vec![(key.to_owned(), value.to_string())] };
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    table.iter().flat_map(|(name, value)| leaves(value, &below(name))).collect()
}

fn show(args: &ShowArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let effective = Config::load(&args.config)?.effective;
    if args.origin {
        return show_origin(args, &effective.to_toml()?, out);
    }
    if out.is_json() {
        out.json(&effective)?;
    } else {
        out.line(&effective.to_toml()?)?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_says_whether_the_file_has_it() {
        let effective = "machine_no = \"00012345\"\n[broker]\nurl = \"mqtts://x\"\nkeep_alive_s = 60\n";
        let keys = keys_with_origin(effective, "machine_no = \"00012345\"\n[broker]\nurl = \"mqtts://x\"\n");
        let told: Vec<(&str, &str)> = keys.iter().map(|line| (line.key.as_str(), line.origin)).collect();
        assert_eq!(told, [("broker.keep_alive_s", "default"), ("broker.url", "file"), ("machine_no", "file")]);
        assert_eq!(keys[2].value, "\"00012345\"");
    }
}
