//! O: what waits, and what somebody should look after.

use super::super::seen::{Seen, Work};
use super::super::{Check, Verdict};
use super::{Judged, known, some_said};
use crate::cloud::envelope::Rejected;
use crate::core::CertificateState;
use crate::order::said::Said;

/// A queue of slow vends may take minutes; after 20 minutes no order is driven any more.
const ORDER_WARNING_S: u64 = 600;
/// See [`ORDER_WARNING_S`]; by then it should have ended as *expired*.
const ORDER_FAILURE_S: u64 = 1_500;
/// A receiver that restarts is back by then.
const REPORT_WARNING_S: u64 = 900;
/// A merchant that has not heard for a day may have given the money back.
const REPORT_FAILURE_S: u64 = 86_400;
fn work(seen: &Seen) -> Result<&Work, Verdict> {
    known(seen, &seen.work)?
        .as_ref()
        .ok_or_else(|| Verdict::not_applicable("there is no journal to ask", "没有可查询的日志"))
}

pub(super) fn orders_move(seen: &Seen) -> Judged {
    Ok(match work(seen)?.waiting.oldest_order_s {
        None => Verdict::ok("none waits", "没有等待的订单"),
        Some(s) => {
            let age = Said::duration(s);
            let told = (format!("the oldest has waited for {}", age.en), format!("最早的已等待 {}", age.zh));
            match s {
                ORDER_FAILURE_S.. => Verdict::failed(told.0, told.1),
                ORDER_WARNING_S.. => Verdict::warning(told.0, told.1),
                _ => Verdict::ok(told.0, told.1),
            }
        }
    })
}

pub(super) fn reports_leave(seen: &Seen) -> Judged {
    Ok(match work(seen)?.waiting.oldest_report_s {
        None => Verdict::ok("every result was taken", "所有结果均已接收"),
        Some(s) => {
            let age = Said::duration(s);
            let told = (format!("the oldest has waited for {}", age.en), format!("最早的已等待 {}", age.zh));
            match s {
                REPORT_FAILURE_S.. => Verdict::failed(told.0, told.1),
                REPORT_WARNING_S.. => Verdict::warning(told.0, told.1),
                _ => Verdict::ok(told.0, told.1),
            }
        }
    })
}

pub(super) fn no_dead_reports(seen: &Seen) -> Judged {
    Ok(match work(seen)?.waiting.orders_dead {
        0 => Verdict::ok("none", "无"),
        n => Verdict::warning(format!("the results of {n} orders"), format!("{n} 个订单的结果")),
    })
}

/// None, or a warning that counts and names them.
fn none_of((count, named): &(usize, Vec<Said>)) -> Verdict {
    match count {
        0 => Verdict::ok("none", "无"),
        n => {
            let said = Said::word(n.to_string()).then(&some_said(named));
            Verdict::warning(said.en, said.zh)
        }
    }
}

pub(super) fn no_dead_calls(seen: &Seen) -> Judged {
    Ok(none_of(&work(seen)?.dead_calls))
}

pub(super) fn books_agree(seen: &Seen) -> Judged {
    Ok(none_of(&work(seen)?.differences))
}

pub(super) fn slots_well(seen: &Seen) -> Judged {
    let out = &work(seen)?.slots_out;
    Ok(none_of(&(out.len(), out.clone())))
}

pub(super) fn nothing_doubtful(seen: &Seen) -> Judged {
    let Work { slots_doubtful, in_doubt, .. } = work(seen)?;
    if in_doubt.0 > 0 {
        let orders = none_of(in_doubt);
        return Ok(orders.fix(
            "look whether the goods are still there, then: vend order resolve ORDER_ID:RECORD_ID --as dispensed|failed|unknown --reason …",
            "请查看商品是否仍在，然后执行：vend order resolve ORDER_ID:RECORD_ID --as dispensed|failed|unknown --reason …",
        ));
    }
    Ok(none_of(&(slots_doubtful.len(), slots_doubtful.clone())))
}

pub(super) fn certificates_in_use(seen: &Seen) -> Judged {
    let Some(daemon) = seen.daemon() else { return Err(Verdict::skipped(Check::DaemonAnswers)) };
    let lines = &daemon.status.certificates;
    if lines.is_empty() {
        return Ok(Verdict::not_applicable("none is in use", "没有在用证书"));
    }
    let ending = lines.iter().filter(|line| line.state > CertificateState::Good);
    let named: Vec<Said> = ending.map(|line| line.of.said().then(&Said::word(&line.not_after))).collect();
    let expired = lines.iter().any(|line| line.state == CertificateState::Expired);
    let Said { en, zh } = some_said(&named);
    Ok(match (named.is_empty(), expired) {
        (true, _) => Verdict::ok(format!("{} are good", lines.len()), format!("{} 个均有效", lines.len())),
        (false, true) => Verdict::failed(en, zh),
        (false, false) => Verdict::warning(en, zh),
    })
}

pub(super) fn commands_fit(seen: &Seen) -> Judged {
    let Some(daemon) = seen.daemon() else { return Err(Verdict::skipped(Check::DaemonAnswers)) };
    let status = &daemon.status;
    let wrong = Rejected::WrongSignature.to_string();
    let misfits = status.rejected.iter().filter(|entry| entry.why == wrong).count();
    let accepted = status.counters.accepted;
    Ok(match (misfits, accepted) {
        (0, _) => Verdict::ok(format!("{accepted} accepted"), format!("已接受 {accepted} 条")),
        (n, 0) => Verdict::failed(
            format!("none was accepted, {n} had a wrong signature"),
            format!("未接受任何指令，{n} 条签名错误"),
        ),
        // Somebody tries the topic, or an old key is still in use somewhere: orders come all the same.
        (n, _) => Verdict::warning(
            format!("{accepted} were accepted, and {n} had a wrong signature"),
            format!("已接受 {accepted} 条，另有 {n} 条签名错误"),
        ),
    })
}
