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
    table(&story, out)?;
    Ok(Exit::Done)
}

fn table(story: &OrderStory, out: &mut Output<'_>) -> std::io::Result<()> {
    let header = out
        .lang
        .say(["time (GMT+8)", "kind", "what", "times", "meaning"], ["时间 (GMT+8)", "类别", "内容", "次数", "含义"]);
    let header = if out.is_plain() { &header[..] } else { &header[..4] };
    let rows: Vec<Vec<String>> = story.steps.iter().map(|step| row(step, out.is_plain(), out.lang)).collect();
    out.table(header, &rows)
}

/// One step. A frame's meaning stands above its bytes where a person looks, and in a column of its own for programs.
/// Lines of the log are English.
fn row(step: &StepLine, is_plain: bool, lang: Lang) -> Vec<String> {
    let kind = match step.kind.as_str() {
        "journal" => lang.say("journal", "日志"),
        "gap" => lang.say("gap", "缺失"),
        "message" => lang.say("message", "消息"),
        "state" => lang.say("state", "状态"),
        "frame_out" => lang.say("to board", "发往板卡"),
        "frame_in" => lang.say("from board", "来自板卡"),
        "report" => lang.say("report", "上报"),
        "note" => lang.say("note", "记录"),
        other => other,
    };
    let times = if step.times > 1 { format!("×{}", step.times) } else { String::new() };
    let (text, meaning) = (lang.say(&step.text, &step.text_zh), step.meaning.clone().map(|said| lang.pick(said)));
    let mut row = vec![moment(step, lang), kind.to_owned()];
    match meaning {
        Some(meaning) if !is_plain => row.extend([format!("{meaning}\n{text}"), times]),
        meaning => {
            row.extend([text.clone(), times]);
            row.extend(is_plain.then(|| meaning.unwrap_or_default()));
        }
    }
    row
}

/// When it was: by trusted time, else since the machine was switched on.
fn moment(step: &StepLine, lang: Lang) -> String {
    match (step.trusted_ms, step.since_boot_ms) {
        (Some(ms), Some(_)) => format!("{}.{:03}", show_date_time(ms / 1_000), ms % 1_000),
        (Some(ms), None) => show_date_time(ms / 1_000),
        (None, Some(ms)) => {
            let at = format!("{}.{:03}", ms / 1_000, ms % 1_000);
            lang.say(format!("boot +{at} s"), format!("开机后 {at} 秒"))
        }
        (None, None) => lang.say("not known", "未知").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::on_terminal;
    use super::*;
    use crate::core::OrderLine;
    use crate::core::words::About;
    use crate::order::said::Said;
    use std::collections::BTreeSet;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn a_step_is_told_with_trusted_time_or_since_boot_and_says_how_often_it_was() {
        let mut step = StepLine {
            since_boot_ms: Some(61_005),
            trusted_ms: Some(1_714_373_690_042),
            kind: "frame_out".to_owned(),
            text: "00 ff".to_owned(),
            text_zh: "00 ff".to_owned(),
            meaning: Some(Said::new("TURN slot 5", "转动货道 5")),
            times: 3,
            last_since_boot_ms: Some(62_000),
        };
        assert_eq!(row(&step, false, Lang::En), ["2024-04-29 14:54:50.042", "to board", "TURN slot 5\n00 ff", "×3"]);
        assert_eq!(row(&step, true, Lang::En)[1..], ["to board", "00 ff", "×3", "TURN slot 5"]);
        step.trusted_ms = None;
        step.times = 1;
        assert_eq!(row(&step, false, Lang::Zh), ["开机后 61.005 秒", "发往板卡", "转动货道 5\n00 ff", ""]);
        step.since_boot_ms = None;
        assert_eq!(row(&step, false, Lang::En)[0], "not known");
    }

    #[test]
    fn the_course_fits_80_columns_and_is_aligned_in_both_languages() {
        let step = |kind: &str, said: Said, meaning: Option<Said>| StepLine {
            since_boot_ms: Some(61_005),
            trusted_ms: Some(1_714_373_690_042),
            kind: kind.to_owned(),
            text: said.en,
            text_zh: said.zh,
            meaning,
            times: 12,
            last_since_boot_ms: None,
        };
        let turn = Said::new("to 0: TURN slot 5, drop sensor armed", "发往 0：转动货道 5，掉货检测开启");
        let frame = || Said::word(["00 ff 05 fa aa 55"; 8].join(" "));
        let story = OrderStory {
            order: OrderLine {
                order_id: "60".to_owned(),
                record_id: "78".to_owned(),
                state: "settled".to_owned(),
                units: Vec::new(),
                reports: Vec::new(),
                difference: None,
            },
            issued_at_s: 0,
            drive_until_s: 0,
            address: None,
            slot: None,
            resolved_by_person: false,
            whole: true,
            left_out: 0,
            steps: vec![
                step("gap", Said::new("older steps ".repeat(9), "较早的步骤过多，未保留".repeat(5)), None),
                step("state", Said::new("unit 1", "第 1 件").then(&About::Outcome.said("no_drop")), None),
                step("frame_out", frame(), Some(turn.clone())),
                step("frame_in", frame(), Some(Said::new("fine ".repeat(20), "正常，检测到掉货；".repeat(12)))),
            ],
        };
        for lang in [Lang::En, Lang::Zh] {
            let shown = on_terminal(80, lang, |out| table(&story, out));
            let widths: BTreeSet<usize> = shown.lines().map(UnicodeWidthStr::width).collect();
            assert!(widths.len() == 1 && widths.iter().all(|width| *width <= 80), "{widths:?}\n{shown}");
            assert_eq!(shown.matches("×12").count(), 4, "{shown}");
            assert!(shown.contains(lang.say("TURN slot 5", "转动货道 5")), "{shown}");
        }
        let chinese = on_terminal(80, Lang::Zh, |out| table(&story, out));
        assert!(chinese.contains("第 1 件：未掉货") && !chinese.contains("no_drop"), "{chinese}");
    }
}
