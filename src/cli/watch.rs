//! `vend status --watch`: one screen that is right on 80×24, with Chinese text, and without colour.

use super::exit::Exit;
use super::failure::Failure;
use super::lang::Lang;
use super::order::units_of;
use super::output::{COLUMNS_DEFAULT, Output, ROWS_DEFAULT, Screen};
use super::status::{line, phase};
use crate::control::{Ask, Orders, Slots};
use crate::core::words::About;
use crate::core::{OrderLine, SlotLine, Status};
use crate::io::clock::Clock;
use crate::io::control_client::{self, AskError};
use crate::order::local_time::show_date_time;
use crate::order::said::Said;
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Columns of a slot in the grid: board, slot, goods, state, and a blank.
const CELL: usize = 10;
/// Columns of how much an event matters, and a blank.
const LEVEL: usize = 6;
/// Lines of the grid at most; more slots are counted.
const GRID_LINES_MAX: usize = 7;
/// Orders shown by name.
const ORDERS_MAX: usize = 4;
/// Events shown at least.
const EVENTS_MIN: usize = 3;

/// What one look saw.
pub(super) struct Look {
    status: Status,
    slots: Vec<SlotLine>,
    orders: Vec<OrderLine>,
    now_s: u64,
}

/// Looks again and again.
///
/// # Errors
/// No daemon at the first look, no permission, or a standard output that takes no more.
pub(super) fn run(socket: &Path, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut interrupt = runtime.block_on(async { signal(SignalKind::interrupt()) })?;
    let screen = out.screen();
    let mut last: Option<Look> = None;
    loop {
        let away = match look(socket) {
            Ok(look) => {
                last = Some(look);
                None
            }
            Err(error) if last.is_some() => Some(error),
            Err(error) => return Err(error.into()),
        };
        let Some(look) = &last else { return Ok(Exit::NotRunning) };
        if out.is_json() {
            if away.is_none() {
                out.json(&look.status)?;
            }
        } else {
            show(look, away.is_some(), screen, out)?;
        }
        out.finish()?;
        let is_over = runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => false,
                _ = interrupt.recv() => true,
            }
        });
        if is_over {
            return Ok(Exit::Interrupted);
        }
    }
}

fn look(socket: &Path) -> Result<Look, AskError> {
    let status = control_client::ask(socket, Ask::Status)?;
    let Slots { slots } = control_client::ask(socket, Ask::Slots)?;
    let Orders { orders, .. } = control_client::ask(socket, Ask::Orders)?;
    let now_s = Clock::new().now().wall.seconds();
    Ok(Look { status, slots, orders, now_s })
}

/// In place on a terminal, one under the other elsewhere.
fn show(look: &Look, is_away: bool, screen: Option<Screen>, out: &mut Output<'_>) -> std::io::Result<()> {
    let (columns, rows) = screen.map_or((COLUMNS_DEFAULT, ROWS_DEFAULT), |screen| (screen.columns, screen.rows));
    // The last line stays free: a line end there would move the screen up.
    let mut text = frame(look, is_away, (columns.into(), usize::from(rows) - 1), out.lang);
    if let Some(Screen { colour, .. }) = screen {
        // Home, each line to its end, and whatever is below.
        let lines: Vec<String> = text
            .lines()
            .enumerate()
            .map(|(n, line)| match n {
                0 if colour => format!("\x1b[1m{line}\x1b[0m\x1b[K"),
                _ => format!("{line}\x1b[K"),
            })
            .collect();
        text = format!("\x1b[H{}\x1b[J", lines.join("\r\n"));
    }
    out.line(&text)
}

/// One screen of at most so many columns and lines.
pub(super) fn frame(look: &Look, is_away: bool, (columns, rows): (usize, usize), lang: Lang) -> String {
    let Look { status, .. } = look;
    let yes = |it: bool, en, zh| if it { lang.say(en, zh) } else { lang.say("AWAY", "未连接") };
    let mut lines = vec![
        format!("vend {}  {}  {}", status.version, status.machine_no, phase(&status.phase, lang)),
        lang.say(
            format!(
                "{}  {}",
                show_date_time(look.now_s),
                if status.time_trusted { "time trusted" } else { "TIME NOT TRUSTED" }
            ),
            format!("{}  {}", show_date_time(look.now_s), if status.time_trusted { "时间可信" } else { "时间不可信" }),
        ),
        format!(
            "{}: {}   {}: {}",
            lang.say("broker", "消息服务器"),
            yes(status.broker_connected, "connected", "已连接"),
            status.board,
            line(status.line, lang),
        ),
    ];
    lines.extend(status.troubles.iter().map(|line| lang.pick(line.said())));
    lines.extend([quality(look, lang), reports(look, lang)]);
    if is_away {
        let text = lang.say("NO DAEMON ANSWERS; this is what it said last", "守护进程未应答；以下为最后一次的状态");
        lines.insert(1, text.to_owned());
    }
    lines.push(rule(columns, lang.say("slots", "货道")));
    lines.extend(grid(&look.slots, columns, lang));
    lines.push(rule(columns, lang.say("orders", "订单")));
    lines.extend(orders(&look.orders, lang));
    lines.push(rule(columns, lang.say("events", "事件")));
    let room = rows.saturating_sub(lines.len()).max(EVENTS_MIN);
    let skipped = status.recent.len().saturating_sub(room);
    lines.extend(
        status
            .recent
            .iter()
            .skip(skipped)
            .map(|e| format!("{}{}", pad(&lang.word(About::Level, &e.level), LEVEL), e.text)),
    );
    lines.truncate(rows);
    let lines: Vec<String> = lines.iter().map(|text| cut(text, columns)).collect();
    lines.join("\n")
}

fn quality(look: &Look, lang: Lang) -> String {
    let total = look.status.line_quality.total;
    let faults = total.faults();
    let mean = total
        .mean_round_trip_ms()
        .map_or_else(|| "-".to_owned(), |ms| lang.say(format!("{ms} ms"), format!("{ms} 毫秒")));
    lang.say(
        format!(
            "line: {} frames out, {} in, answers in {mean}, {faults} faults, {} reopened",
            total.frames_out, total.frames_in, total.reopenings
        ),
        format!(
            "线路：发 {} 帧，收 {} 帧，应答 {mean}，故障 {faults}，重新打开 {}",
            total.frames_out, total.frames_in, total.reopenings
        ),
    )
}

fn reports(look: &Look, lang: Lang) -> String {
    let Look { status, .. } = look;
    let oldest = status.oldest_unsent_s.map(|s| lang.pick(Said::duration(s)));
    let oldest = oldest.unwrap_or_else(|| "-".to_owned());
    lang.say(
        format!(
            "orders open: {}   reports not taken: {}, oldest {oldest}   calls: {}",
            status.orders_open, status.reports_open, status.calls_open
        ),
        format!(
            "未完成订单：{}   待接收上报：{}，最早 {oldest}   平台通知：{}",
            status.orders_open, status.reports_open, status.calls_open
        ),
    )
}

/// A heading in a line across the screen.
fn rule(columns: usize, heading: &str) -> String {
    let rest = columns.saturating_sub(heading.width() + 4);
    format!("── {heading} {}", "─".repeat(rest))
}

/// Slots side by side: number, goods, and a letter for whatever is not well.
fn grid(slots: &[SlotLine], columns: usize, lang: Lang) -> Vec<String> {
    if slots.is_empty() {
        return vec![lang.say("nothing is known of any slot", "尚无货道信息").to_owned()];
    }
    let several = slots.iter().any(|slot| slot.address != 1);
    let cells: Vec<String> = slots.iter().map(|slot| pad(&cell(slot, several), CELL)).collect();
    let in_a_line = (columns / CELL).max(1);
    let mut lines: Vec<String> = cells.chunks(in_a_line).map(<[String]>::concat).collect();
    if lines.len() > GRID_LINES_MAX {
        let hidden = cells.len() - (GRID_LINES_MAX - 1) * in_a_line;
        lines.truncate(GRID_LINES_MAX - 1);
        lines.push(
            lang.say(format!("… and {hidden} more: vend slot list"), format!("… 另有 {hidden} 个：vend slot list")),
        );
    }
    let is_odd = |slot: &&SlotLine| slot.turning || slot.locked || slot.condition != "well";
    if slots.iter().any(|slot| is_odd(&slot)) {
        lines.push(
            lang.say(
                "T turning, L locked, J jammed, F motor failed, A no motor, E empty",
                "T 转动中，L 锁定，J 卡货，F 电机故障，A 无电机，E 售空",
            )
            .to_owned(),
        );
    }
    lines
}

/// State is a letter, never colour alone; that a motor turns comes before all else.
fn cell(slot: &SlotLine, several: bool) -> String {
    let state = match slot.condition.as_str() {
        _ if slot.turning => "T",
        _ if slot.locked => "L",
        "jammed" => "J",
        "faulty" => "F",
        "absent" => "A",
        _ if slot.count == 0 => "E",
        _ => "",
    };
    let goods = match slot.capacity {
        Some(capacity) => format!("{}/{capacity}", slot.count),
        None => slot.count.to_string(),
    };
    let at = if several { format!("{}.{}", slot.address, slot.slot) } else { slot.slot.to_string() };
    format!("{at}:{goods}{state}")
}

fn orders(orders: &[OrderLine], lang: Lang) -> Vec<String> {
    if orders.is_empty() {
        return vec![lang.say("none", "无").to_owned()];
    }
    let told = |order: &OrderLine| {
        let state = lang.word(About::Order, &order.state);
        format!("{}:{}  {state}  {}", order.order_id, order.record_id, units_of(order, lang))
    };
    let mut lines: Vec<String> = orders.iter().take(ORDERS_MAX).map(told).collect();
    if orders.len() > ORDERS_MAX {
        let more = orders.len() - ORDERS_MAX;
        lines.push(
            lang.say(format!("… and {more} more: vend order list"), format!("… 另有 {more} 个：vend order list")),
        );
    }
    lines
}

/// So many columns of a text: a Chinese character takes two.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut taken = 0;
    for c in text.chars() {
        taken += c.width().unwrap_or(0);
        // One column is for the mark that something is missing.
        if taken + 1 > columns {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}

fn pad(text: &str, columns: usize) -> String {
    let text = cut(text, columns.saturating_sub(1));
    format!("{text}{}", " ".repeat(columns.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::UnitLine;
    use serde_json::json;

    fn slot(slot: u16) -> SlotLine {
        SlotLine {
            address: 1,
            slot,
            code: Some(slot),
            label: None,
            product_id: None,
            product: None,
            price_fen: None,
            count: slot % 10,
            doubtful: 0,
            capacity: Some(9),
            condition: "well".to_owned(),
            locked: slot == 3,
            turning: slot == 5,
            for_sale: false,
        }
    }

    #[test]
    fn what_stands_in_the_way_is_on_the_screen_in_the_language_of_whoever_looks() {
        let mut look = look(60, 3, 32);
        look.status.troubles = (0..5)
            .map(|n| {
                serde_json::from_value(
                    json!({ "of": "cloud", "why": format!("gone {n}"), "why_zh": format!("没有了 {n}") }),
                )
            })
            .collect::<Result<_, _>>()
            .unwrap();
        for (lang, own, other) in [(Lang::En, "gone 4", "没有了"), (Lang::Zh, "没有了 4", "gone")] {
            let text = frame(&look, false, (80, 24), lang);
            assert!(text.contains(own) && !text.contains(other), "{text}");
            fits(&text, 80, 24);
        }
    }

    fn look(slots: u16, orders: usize, events: usize) -> Look {
        let counts = crate::core::LineCounts::default();
        let quality = crate::core::LineQuality { counted_for_s: 9, total: counts, unanswered: 0, hours: Vec::new() };
        let recent: Vec<_> = (0..events)
            .map(|n| json!({"level": "warn", "what": "x", "text": format!("第 {n} 个事件：电机未在时限内停止，请检查货道与线缆，并联系技术人员处理此故障")}))
            .collect();
        let status = serde_json::from_value(json!({
            "version": "0.1.0", "machine_no": "16327129", "phase": "running", "broker_connected": false,
            "board": "tcn-00ff", "board_identity": null, "line": "idle", "line_quality": quality,
            "time_trusted": true, "orders_open": orders, "reports_open": 2, "oldest_unsent_s": 600, "calls_open": 0, "calls_dead": 0,
            "dead_calls": [], "results_open": 0, "differences": 0, "differing": [], "orders_settled": 1,
            "has_space": true, "verifies_orders": false, "counters": crate::core::Counters::default(),
            "rejected": [], "recent": recent,
        }));
        let order = |n: usize| OrderLine {
            order_id: format!("order-{n}-{}", "9".repeat(20)),
            record_id: "78".to_owned(),
            state: "intent".to_owned(),
            units: vec![UnitLine { unit: 1, state: "intent".to_owned(), outcome: None }; 4],
            reports: Vec::new(),
            difference: None,
        };
        Look {
            status: status.unwrap(),
            slots: (1..=slots).map(slot_line).collect(),
            orders: (0..orders).map(order).collect(),
            now_s: 1_714_373_690,
        }
    }

    fn slot_line(number: u16) -> SlotLine {
        slot(number)
    }

    fn fits(text: &str, columns: usize, rows: usize) {
        assert!(text.lines().count() <= rows, "{} lines:\n{text}", text.lines().count());
        let widest = text.lines().map(|line| line.width()).max().unwrap();
        assert!(widest <= columns, "{widest} columns:\n{text}");
        assert!(!text.contains('\x1b'), "colour alone says nothing:\n{text}");
    }

    #[test]
    fn whatever_there_is_to_show_fits_80_by_24_in_both_languages() {
        for lang in [Lang::En, Lang::Zh] {
            for (slots, orders, events) in [(0, 0, 0), (8, 1, 2), (60, 3, 32), (512, 1_000, 32)] {
                for is_away in [false, true] {
                    let text = frame(&look(slots, orders, events), is_away, (80, 24), lang);
                    fits(&text, 80, 24);
                    assert!(events == 0 || text.contains("个事件"), "no event:\n{text}");
                }
            }
            fits(&frame(&look(60, 9, 9), false, (40, 12), lang), 40, 12);
            fits(&frame(&look(60, 9, 9), false, (20, 8), lang), 20, 8);
        }
    }

    #[test]
    fn the_screen_says_what_is_wrong_in_words_and_letters() {
        let text = frame(&look(12, 1, 1), false, (80, 24), Lang::En);
        for part in
            ["16327129", "broker: AWAY", "oldest 10 min", "3:3/9L", "5:5/9T", "10:0/9E", "T turning", "time trusted"]
        {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        // Cells stand under each other.
        let line: Vec<&str> = text.lines().filter(|line| line.contains("/9")).collect();
        assert_eq!((line[0].find("2:2/9"), line[1].find("10:0/9")), (Some(10), Some(10)), "{text}");
        let chinese = frame(&look(12, 1, 1), true, (80, 24), Lang::Zh);
        for part in ["守护进程未应答", "最早 10 分钟", "5:5/9T", "T 转动中", "出货中，出货中", "警告"]
        {
            assert!(chinese.contains(part), "{part}:\n{chinese}");
        }
        assert!(!["intent", "warn"].iter().any(|word| chinese.contains(word)), "{chinese}");
    }

    #[test]
    fn a_cut_text_is_never_wider_than_its_room() {
        assert_eq!(cut("可乐可乐", 5), "可乐…");
        assert_eq!((cut("可乐", 4), cut("abc", 2)), ("可乐".to_owned(), "a…".to_owned()));
        assert_eq!(pad("可乐", 6).width(), 6);
    }
}
