//! `vend order show`: the course of one order.

use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::output::{Output, OutputArgs};
use super::status::SocketArgs;
use crate::control::Ask;
use crate::core::{OrderStory, StepLine};
use crate::io::control_client;
use crate::order::key::Key;
use crate::order::local_time::show_date_time;
use clap::Args;

/// Arguments of `vend order show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The order: ORDER_ID:RECORD_ID
    #[arg(value_name = "ORDER_ID:RECORD_ID")]
    pub key: Key,
    /// The daemon.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// The form of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `vend order show`.
///
/// # Errors
/// No daemon, no such order, no permission, or a standard output that takes no more.
pub fn run(args: &ShowArgs, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let story: OrderStory = control_client::ask(&args.socket.socket, Ask::Order(args.key.clone()))?;
    if out.is_json() {
        out.json(&story)?;
        return Ok(Exit::Done);
    }
    let header = out.lang.say(["time (GMT+8)", "kind", "what", "times"], ["时间 (GMT+8)", "类别", "内容", "次数"]);
    let rows: Vec<Vec<String>> = story.steps.iter().map(|step| row(step, out.lang)).collect();
    out.table(&header, &rows)?;
    out.finish()?;
    if let Some(text) = what_is_missing(&story, out.lang) {
        super::warn(&text, out.lang.say("note: ", "说明："));
    }
    Ok(Exit::Done)
}

/// What stands before the steps cannot be shown, said so.
fn what_is_missing(story: &OrderStory, lang: Lang) -> Option<String> {
    if story.left_out > 0 {
        return Some(lang.say(
            format!("{} older steps were too many to be kept", story.left_out),
            format!("较早的 {} 步过多，未保留", story.left_out),
        ));
    }
    (!story.whole).then(|| {
        lang.say(
            "the steps before the agent's last start are not kept; lines of kind journal say what the journal knows",
            "代理程序上次启动之前的步骤未保留；类别为“日志”的行是日志所知的内容",
        )
        .to_owned()
    })
}

/// One step. Lines of the log, states and ids are those of JSON, whatever the language.
fn row(step: &StepLine, lang: Lang) -> Vec<String> {
    let kind = match step.kind.as_str() {
        "journal" => lang.say("journal", "日志"),
        "message" => lang.say("message", "消息"),
        "state" => lang.say("state", "状态"),
        "frame_out" => lang.say("to board", "发往板卡"),
        "frame_in" => lang.say("from board", "来自板卡"),
        "report" => lang.say("report", "上报"),
        "note" => lang.say("note", "记录"),
        other => other,
    };
    let times = if step.times > 1 { format!("×{}", step.times) } else { String::new() };
    vec![moment(step, lang), kind.to_owned(), lang.say(&step.text, &step.text_zh).clone(), times]
}

/// When it was: by trusted time, else since the machine was switched on.
fn moment(step: &StepLine, lang: Lang) -> String {
    match (step.trusted_ms, step.since_boot_ms) {
        (Some(ms), Some(_)) => format!("{}.{:03}", show_date_time(ms / 1_000), ms % 1_000),
        (Some(ms), None) => show_date_time(ms / 1_000),
        (None, Some(ms)) => {
            let at = format!("{}.{:03} s", ms / 1_000, ms % 1_000);
            lang.say(format!("boot +{at}"), format!("开机后 {at}"))
        }
        (None, None) => lang.say("not known", "未知").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_with_trusted_time_or_since_boot_and_says_how_often_it_was() {
        let mut step = StepLine {
            since_boot_ms: Some(61_005),
            trusted_ms: Some(1_714_373_690_042),
            kind: "frame_out".to_owned(),
            text: "00 ff".to_owned(),
            text_zh: "00 ff".to_owned(),
            times: 3,
            last_since_boot_ms: Some(62_000),
        };
        assert_eq!(row(&step, Lang::En), ["2024-04-29 14:54:50.042", "to board", "00 ff", "×3"]);
        step.trusted_ms = None;
        step.times = 1;
        assert_eq!(row(&step, Lang::Zh), ["开机后 61.005 s", "发往板卡", "00 ff", ""]);
        step.since_boot_ms = None;
        assert_eq!(row(&step, Lang::En)[0], "not known");
    }
}
