//! What to type next, for each trouble that `vend status` shows: the command that says more, or mends it.

use super::lang::Lang;
use crate::board::driver::LineState;
use crate::core::{CertificateState, Status};

/// One line for each trouble, the worst first. Nothing when all is well.
pub(super) fn next_steps(status: &Status, lang: Lang) -> Vec<String> {
    let ended = |state: CertificateState| !matches!(state, CertificateState::Good | CertificateState::TimeUnknown);
    let (calls, differences, sales) = (status.calls_dead, status.differences, status.sales_for_people);
    let dead = status.waiting.orders_dead;
    let all = [
        (status.phase == "quarantine", "vend doctor; vend journal dump", "日志已损坏", "the journal is damaged"),
        (
            status.phase == "failed",
            "vend doctor; journalctl -u vend -e",
            "日志无法写入",
            "the journal cannot be written",
        ),
        (
            status.line == LineState::Closed,
            "vend doctor --only P1; vend serial ports",
            "串口未打开",
            "the port is not open",
        ),
        (
            status.line == LineState::Settling,
            "vend doctor; vend serial monitor",
            "板卡未应答",
            "the board does not answer",
        ),
        (!status.broker_connected, "vend mqtt ping; vend doctor", "消息服务器未连接", "the broker is away"),
        (!status.has_space, "vend doctor --only D2", "磁盘空间不足", "the disk is full"),
        (sales > 0, "vend sale list; vend sale settle", "有销售待人工处理", "sales wait for a person"),
        (dead > 0, "vend report list --dead; vend report retry", "有死信", "results were refused for good"),
        (calls > 0, "vend call list; vend call retry", "平台拒绝了通知", "the platform refused calls"),
        (
            differences > 0,
            "vend difference list; vend difference ask",
            "与平台账目不一致",
            "the platform's books differ",
        ),
        (
            status.certificates.iter().any(|line| ended(line.state)),
            "vend doctor --only O8",
            "证书即将到期",
            "a certificate ends",
        ),
        (!status.time_trusted, "vend doctor --only T1", "时间不可信", "the time is not trusted"),
    ];
    let troubles = all.into_iter().filter(|(is_trouble, ..)| *is_trouble);
    troubles.map(|(_, command, zh, en)| format!("{}: {command}", lang.say(en, zh))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    /// A machine without any trouble, as the agent writes it down.
    fn well() -> serde_json::Value {
        serde_json::json!({
            "version": "1", "machine_no": "16327129", "phase": "running", "broker_connected": true, "board": "x",
            "board_identity": null, "line": "idle", "line_quality": { "counted_for_s": 0, "total": crate::core::LineCounts::default(), "hours": [] },
            "time_trusted": true, "orders_open": 0, "reports_open": 0, "calls_open": 0, "calls_dead": 0,
            "dead_calls": [], "results_open": 0, "differences": 0, "differing": [], "orders_settled": 0,
            "has_space": true, "verifies_orders": true, "counters": crate::core::Counters::default(),
            "rejected": [], "recent": [],
        })
    }

    #[test]
    fn each_trouble_names_a_command_that_exists_and_a_well_machine_none() {
        let steps = |status: &serde_json::Value| {
            let status: Status = serde_json::from_value(status.clone()).unwrap();
            [Lang::En, Lang::Zh].map(|lang| next_steps(&status, lang))
        };
        assert_eq!(steps(&well()), [Vec::<String>::new(), Vec::new()]);
        for (key, value) in [
            ("phase", serde_json::json!("quarantine")),
            ("phase", "failed".into()),
            ("line", "closed".into()),
            ("line", "settling".into()),
            ("broker_connected", false.into()),
            ("has_space", false.into()),
            ("sales_for_people", 1.into()),
            ("calls_dead", 1.into()),
            ("differences", 1.into()),
            ("time_trusted", false.into()),
        ] {
            let mut status = well();
            status[key] = value.clone();
            let [english, chinese] = steps(&status);
            assert_eq!((english.len(), chinese.len()), (1, 1), "{key} {value}");
            assert!(!chinese[0].is_ascii() && english[0].is_ascii(), "{english:?} {chinese:?}");
            let (_, commands) = english[0].split_once(": ").unwrap();
            for command in commands.split("; ").filter(|command| command.starts_with("vend ")) {
                let mut found = Cli::command();
                for word in command.split(' ').skip(1).take_while(|word| !word.starts_with("--")) {
                    found = found.find_subcommand(word).unwrap_or_else(|| panic!("no {command}")).clone();
                }
            }
        }
    }
}
