//! `vend doctor`: everything that can be wrong with a machine, and what to do about it.

mod look;
mod platform;

use super::ConfigArgs;
use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::output::{Output, OutputArgs};
use crate::cli::usage::Misread;
use crate::doctor::{self, Check, Finding, Report, State};
use crate::order::said::Said;
use clap::Args;
use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// Arguments of `vend doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// Where configuration and secrets are; the secrets, unless it is said, beside the configuration in `credentials`.
    #[command(flatten)]
    pub place: ConfigArgs,
    /// The daemon's socket, if it is not the configuration's
    #[arg(long = "socket", id = "other_socket", value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Only these checks, like N3; may be repeated
    #[arg(long, value_name = "ID", value_parser = check, value_delimiter = ',')]
    pub only: Vec<Check>,
    /// Not these checks, like T1; may be repeated
    #[arg(long, value_name = "ID", value_parser = check, value_delimiter = ',')]
    pub skip: Vec<Check>,
    /// The checks there are; looks at nothing
    #[arg(long)]
    pub list: bool,
    /// Warnings are failures too
    #[arg(long)]
    pub strict: bool,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

fn check(id: &str) -> Result<Check, Misread> {
    let no_such = || {
        Said::new(
            "no check has this id; vend doctor --list shows them",
            "没有此编号的检查；vend doctor --list 列出全部",
        )
    };
    Check::by_id(id).ok_or_else(|| Misread(no_such()))
}

/// Runs `vend doctor`. Healthy, or only warnings: [`Exit::Done`]; something of the configuration failed:
/// [`Exit::Configuration`]; something else: [`Exit::Failed`].
///
/// # Errors
/// The system gives no runtime, or standard output takes no more.
pub fn run(args: &DoctorArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if args.list {
        return list(&wanted(args).0, out);
    }
    let shows = !out.is_json() && std::io::stderr().is_terminal();
    let (wanted, left_out) = wanted(args);
    let report = report(&args.place, args.socket.as_deref(), &wanted, &left_out, shows.then_some(out.lang))?;
    if out.is_json() {
        out.json(&report)?;
    } else {
        show(&report, out)?;
    }
    Ok(exit(&report, args.strict))
}

/// The checks that are wanted, and those that are left out.
fn wanted(args: &DoctorArgs) -> (BTreeSet<Check>, BTreeSet<Check>) {
    let left_out: BTreeSet<Check> = args.skip.iter().copied().collect();
    let asked_for = if args.only.is_empty() { Check::ALL.to_vec() } else { args.only.clone() };
    (asked_for.into_iter().filter(|check| !left_out.contains(check)).collect(), left_out)
}

/// Looks, and judges the wanted checks. The progress is shown on standard error in a language, or not at all.
///
/// # Errors
/// The system gives no runtime.
pub fn report(
    place: &ConfigArgs,
    socket: Option<&Path>,
    wanted: &BTreeSet<Check>,
    left_out: &BTreeSet<Check>,
    shows: Option<Lang>,
) -> Result<Report, Failure> {
    let seen = look::look(place, socket, &doctor::asked_by(wanted, left_out), shows)?;
    Ok(doctor::examine(&seen, wanted, left_out))
}

/// How a look ends: [`Exit::Done`] though there are warnings, unless they count.
pub(super) fn exit(report: &Report, strict: bool) -> Exit {
    if report.configuration_failed() {
        Exit::Configuration
    } else if report.count(State::Failed) > 0 || strict && report.count(State::Warning) > 0 {
        Exit::Failed
    } else {
        Exit::Done
    }
}

fn list(wanted: &BTreeSet<Check>, out: &mut Output<'_>) -> Result<Exit, Failure> {
    if out.is_json() {
        let checks: Vec<serde_json::Value> = wanted
            .iter()
            .map(|check| {
                let entry = check.entry();
                let needs: Vec<&str> = entry.needs.iter().map(|need| need.entry().id).collect();
                serde_json::json!({
                    "id": entry.id, "group": entry.group.as_str(), "title": check.title(), "needs": needs,
                    "time_out_s": entry.probe.time_out_s(),
                })
            })
            .collect();
        out.json(&serde_json::json!({ "checks": checks }))?;
        return Ok(Exit::Done);
    }
    let lang = out.lang;
    let row = |check: &Check| {
        let entry = check.entry();
        let needs: Vec<&str> = entry.needs.iter().map(|need| need.entry().id).collect();
        vec![entry.id.to_owned(), lang.pick(entry.group.title()), lang.pick(check.title()), needs.join(" ")]
    };
    let rows: Vec<Vec<String>> = wanted.iter().map(row).collect();
    out.table(&lang.say(["id", "group", "check", "needs"], ["编号", "组", "检查", "依赖"]), &rows)?;
    Ok(Exit::Done)
}

/// The word for people. Never colour alone.
const fn word(state: State, lang: Lang) -> &'static str {
    let (en, zh) = match state {
        State::Ok => ("ok", "正常"),
        State::NotApplicable => ("n/a", "不适用"),
        State::Skipped => ("skipped", "跳过"),
        State::Warning => ("WARNING", "警告"),
        State::Failed => ("FAILED", "失败"),
    };
    match lang {
        Lang::En => en,
        Lang::Zh => zh,
    }
}

/// The findings and their sum, for people.
pub(super) fn show(report: &Report, out: &mut Output<'_>) -> Result<(), Failure> {
    let lang = out.lang;
    let fix = |finding: &Finding| finding.fix.clone().map_or_else(String::new, |fix| lang.pick(fix));
    let row = |finding: &Finding| {
        let saw = lang.pick(finding.saw.clone());
        let last = match out.is_plain() {
            true => saw,
            // Below what was seen, where it can be read and typed.
            false if finding.fix.is_some() => format!("{saw}\n→ {}", fix(finding)),
            false => saw,
        };
        let mut row = vec![
            finding.id.clone(),
            if out.is_plain() { finding.state.as_str() } else { word(finding.state, lang) }.to_owned(),
            lang.pick(finding.title.clone()),
            last,
        ];
        if out.is_plain() {
            row.push(fix(finding));
        }
        row
    };
    let rows: Vec<Vec<String>> = report.findings.iter().map(row).collect();
    out.table(&lang.say(["id", "state", "check", "what was seen"], ["编号", "状态", "检查", "所见"]), &rows)?;
    if out.is_plain() {
        return Ok(());
    }
    let count = |state| report.count(state);
    let (failed, warnings, skipped) = (count(State::Failed), count(State::Warning), count(State::Skipped));
    let summary = lang.say(
        format!("{} ok, {warnings} warnings, {failed} failed, {skipped} skipped", count(State::Ok)),
        format!("正常 {}，警告 {warnings}，失败 {failed}，跳过 {skipped}", count(State::Ok)),
    );
    if failed == 0 && warnings == 0 {
        out.good(&summary)?
    } else {
        out.line(&summary)?
    }
    Ok(())
}
