//! Was the promise kept? Held against what the witnesses saw, order by order.

use super::evidence::Record;
use crate::cli::lang::Lang;
use comfy_table::{Cell, CellAlignment, Color, Table, presets};
use std::collections::BTreeSet;

/// What must become of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// So many motor turns, and this outcome reported.
    Result {
        /// By the board's own log.
        turns: usize,
        /// The order's, in the word of the report.
        outcome: &'static str,
    },
    /// A sale at the machine: so many motor turns, and told to have ended so.
    Sale {
        /// By the board's own log.
        turns: usize,
        /// Its last state, in the word of the report.
        ended: &'static str,
    },
    /// No turn and no report: the command is not the platform's.
    Silence,
}

/// An order that was played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// Names it; the record_id is always the same.
    pub order_id: String,
    /// What happens to it, for people.
    pub title: &'static str,
    /// Its slot. No other order has it, so a turn of it belongs to this order.
    pub slot: u16,
    /// A slot that a command under its key also named, in vain.
    pub forbidden_slot: Option<u16>,
    /// What must become of it.
    pub expected: Expected,
    /// How often somebody came for its report while the merchant was down.
    pub hung_up: usize,
}

/// How the promise was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// A motor turned more or less often than it had to.
    Turns {
        /// Of this slot.
        slot: u16,
        /// By the board's log.
        seen: usize,
        /// What was paid for and could be driven.
        wanted: usize,
    },
    /// A motor turned that nobody had asked for.
    Stray {
        /// Of this slot.
        slot: u16,
    },
    /// No report reached the merchant.
    NotTold,
    /// No copy reached the platform, or its last says something else.
    CopyDiffers,
    /// Something was reported where nothing may be.
    Told,
    /// The last report says something else than what happened.
    Outcome {
        /// What it says.
        told: String,
        /// What happened.
        wanted: &'static str,
    },
    /// The money of a sale went back for goods that came out, or stayed for goods that did not.
    Money,
    /// More units are told as dispensed than the board saw fall.
    Untrue {
        /// In the last report.
        told: usize,
        /// By the board's log.
        fell: usize,
    },
    /// A report's signature or Idempotency-Key does not fit its body.
    Unsigned,
    /// Reports came out of sequence, or one sequence came with two bodies.
    Sequence,
}

impl Breach {
    /// For people.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        match self {
            Breach::Turns { slot, seen, wanted } => lang.say(
                format!("slot {slot} turned {seen} times instead of {wanted}"),
                format!("货道 {slot} 转动 {seen} 次，应为 {wanted} 次"),
            ),
            Breach::Stray { slot } => {
                lang.say(format!("slot {slot} turned, and no order is for it"), format!("货道 {slot} 无订单却转动"))
            }
            Breach::NotTold => lang.say("the merchant was told nothing".into(), "商户未收到结果".into()),
            Breach::CopyDiffers => lang
                .say("the platform was not told the same as the merchant".into(), "平台与商户收到的结果不一致".into()),
            Breach::Told => lang.say("a result was reported for a forgery".into(), "伪造的指令却有结果上报".into()),
            Breach::Outcome { told, wanted } => {
                lang.say(format!("told as {told}, and it was {wanted}"), format!("上报为 {told}，实为 {wanted}"))
            }
            Breach::Money => lang.say("the money is not where it belongs".into(), "款项去向有误".into()),
            Breach::Untrue { told, fell } => lang.say(
                format!("{told} units told as dispensed, {fell} fell"),
                format!("上报出货 {told} 件，实际掉落 {fell} 件"),
            ),
            Breach::Unsigned => {
                lang.say("a report's signature or key is wrong".into(), "上报的签名或幂等键有误".into())
            }
            Breach::Sequence => lang.say("reports out of sequence".into(), "上报序号有误".into()),
        }
    }
}

/// Every breach of the promise to one order.
#[must_use]
pub fn judge(order: &Played, record: &Record) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let wanted = match order.expected {
        Expected::Result { turns, .. } | Expected::Sale { turns, .. } => turns,
        Expected::Silence => 0,
    };
    for (slot, wanted) in std::iter::once((order.slot, wanted)).chain(order.forbidden_slot.map(|slot| (slot, 0))) {
        let seen = record.turns_of(slot).count();
        if seen != wanted {
            breaches.push(Breach::Turns { slot, seen, wanted });
        }
    }
    let posts: Vec<_> = record.posts_of(&order.order_id).collect();
    let (outcome, is_sale) = match order.expected {
        Expected::Result { outcome, .. } => (outcome, false),
        Expected::Sale { ended, .. } => (ended, true),
        Expected::Silence => {
            if !posts.is_empty() || record.copies(&order.order_id).next().is_some() {
                breaches.push(Breach::Told);
            }
            return breaches;
        }
    };
    let Some(last) = posts.last() else {
        breaches.push(Breach::NotTold);
        return breaches;
    };
    if posts.iter().any(|post| !post.is_signed || !post.is_keyed) {
        breaches.push(Breach::Unsigned);
    }
    let in_order = |pair: &[&super::evidence::Post]| match pair {
        [former, latter] if former.sequence == latter.sequence => former.body == latter.body,
        [former, latter] => former.sequence < latter.sequence,
        _ => true,
    };
    if !posts.windows(2).all(in_order) {
        breaches.push(Breach::Sequence);
    }
    if last.outcome != outcome {
        breaches.push(Breach::Outcome { told: last.outcome.clone(), wanted: outcome });
    }
    let told = last.units.iter().filter(|unit| unit.starts_with("dispensed")).count();
    let fell = record.turns_of(order.slot).filter(|turn| turn.dropped).count();
    if told > fell {
        breaches.push(Breach::Untrue { told, fell });
    }
    if is_sale {
        // Only the merchant hears of a sale; the cloud knows what it did with the money.
        let fell = record.turns_of(order.slot).any(|turn| turn.dropped);
        if record.refunded.contains(&order.order_id) == fell {
            breaches.push(Breach::Money);
        }
    } else if record.copies(&order.order_id).last() != Some((last.sequence, &*last.outcome)) {
        breaches.push(Breach::CopyDiffers);
    }
    breaches
}

/// Turns that belong to no order.
#[must_use]
pub fn strays(orders: &[Played], record: &Record) -> Vec<Breach> {
    let known: BTreeSet<u16> =
        orders.iter().flat_map(|order| [Some(order.slot), order.forbidden_slot]).flatten().collect();
    record.turns.iter().filter(|t| !known.contains(&t.slot)).map(|t| Breach::Stray { slot: t.slot }).collect()
}

/// The table for people, and whether the promise was kept to everybody.
#[must_use]
pub fn table(orders: &[Played], record: &Record, lang: Lang, colour: bool) -> (String, bool) {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(lang.say(
        ["order", "what happened", "motor turns", "final outcome", "report delivered", "promise"],
        ["订单", "情形", "电机转动", "最终结果", "结果送达", "承诺"],
    ));
    let mut all_kept = true;
    for order in orders {
        let breaches = judge(order, record);
        let posts: Vec<_> = record.posts_of(&order.order_id).collect();
        let tries = posts.len() + order.hung_up;
        let (outcome, delivered) = match posts.last() {
            Some(last) => (
                last.outcome.clone(),
                lang.say(
                    format!(
                        "sequence {}, {}",
                        last.sequence,
                        if tries == 1 { "1 try".into() } else { format!("{tries} tries") }
                    ),
                    format!("序号 {}，尝试 {tries} 次", last.sequence),
                ),
            ),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let slots = [Some(order.slot), order.forbidden_slot];
        let turns: usize = slots.into_iter().flatten().map(|slot| record.turns_of(slot).count()).sum();
        let kept = match breaches.as_slice() {
            [] => Cell::new(lang.say("kept", "守住")),
            some => {
                let why: Vec<String> = some.iter().map(|breach| breach.text(lang)).collect();
                Cell::new(format!("{}: {}", lang.say("BROKEN", "违背"), why.join("; ")))
            }
        };
        let kept = match (colour, breaches.is_empty()) {
            (true, true) => kept.fg(Color::Green),
            (true, false) => kept.fg(Color::Red),
            (false, _) => kept,
        };
        all_kept &= breaches.is_empty();
        table.add_row([
            Cell::new(&order.order_id),
            Cell::new(order.title),
            Cell::new(turns).set_alignment(CellAlignment::Right),
            Cell::new(outcome),
            Cell::new(delivered),
            kept,
        ]);
    }
    let mut text = table.to_string();
    for stray in strays(orders, record) {
        all_kept = false;
        text.push_str(&format!("\n{}: {}", lang.say("BROKEN", "违背"), stray.text(lang)));
    }
    (text, all_kept)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::{Post, Saying};
    use super::*;
    use crate::order::time::BootMs;
    use crate::sim::board::Turn;

    fn turn(slot: u16) -> Turn {
        Turn { at: BootMs(1), wire_address: 1, slot, dropped: true }
    }

    fn order() -> Played {
        Played {
            order_id: "60".to_owned(),
            title: "one unit",
            slot: 5,
            forbidden_slot: Some(6),
            expected: Expected::Result { turns: 1, outcome: "dispensed" },
            hung_up: 0,
        }
    }

    fn post(sequence: u64, outcome: &str) -> Post {
        Post {
            order_id: "60".to_owned(),
            sequence,
            outcome: outcome.to_owned(),
            units: vec![outcome.to_owned()],
            is_signed: true,
            is_keyed: true,
            body: format!("{sequence}").into(),
        }
    }

    fn copy(sequence: u64, outcome: &str) -> Saying {
        Saying::Reported { order_id: "60".to_owned(), sequence, outcome: outcome.to_owned() }
    }

    /// One turn, one report, one copy.
    fn kept() -> Record {
        let mut record = Record::default();
        record.turns.push(turn(5));
        record.posts.push(post(1, "dispensed"));
        record.sayings.push(copy(1, "dispensed"));
        record
    }

    #[test]
    fn one_turn_and_one_true_report_keep_the_promise() {
        assert_eq!(judge(&order(), &kept()), []);
        let (text, all_kept) = table(&[order()], &kept(), Lang::En, false);
        assert!(all_kept && text.contains("kept") && !text.contains('\x1b'), "{text}");
    }

    #[test]
    fn a_second_turn_breaks_it_in_every_language() {
        let mut record = kept();
        record.turns.push(turn(5));
        assert_eq!(judge(&order(), &record), [Breach::Turns { slot: 5, seen: 2, wanted: 1 }]);
        for (lang, word) in [(Lang::En, "BROKEN: slot 5 turned 2 times"), (Lang::Zh, "违背: 货道 5 转动 2 次")] {
            let (text, all_kept) = table(&[order()], &record, lang, false);
            assert!(!all_kept && text.contains(word), "{text}");
        }
    }

    #[test]
    fn a_turn_that_nobody_asked_for_breaks_it() {
        let mut record = kept();
        record.turns.push(turn(6));
        assert_eq!(judge(&order(), &record), [Breach::Turns { slot: 6, seen: 1, wanted: 0 }]);
        record.turns.push(turn(7));
        assert_eq!(strays(&[order()], &record), [Breach::Stray { slot: 7 }]);
        let (text, all_kept) = table(&[order()], &record, Lang::En, false);
        assert!(!all_kept && text.contains("slot 7"), "{text}");
    }

    #[test]
    fn a_result_that_is_missing_false_or_out_of_sequence_breaks_it() {
        type Change = fn(&mut Record);
        let changes: [(Change, &[Breach]); 8] = [
            (|r| r.posts.clear(), &[Breach::NotTold]),
            (|r| r.sayings.clear(), &[Breach::CopyDiffers]),
            (|r| r.posts[0].is_signed = false, &[Breach::Unsigned]),
            (|r| r.posts[0].is_keyed = false, &[Breach::Unsigned]),
            (|r| r.turns[0].dropped = false, &[Breach::Untrue { told: 1, fell: 0 }]),
            (|r| r.posts.insert(0, post(2, "unknown")), &[Breach::Sequence]),
            (
                |r| {
                    r.posts.push(Post { body: "other".into(), ..post(1, "dispensed") });
                },
                &[Breach::Sequence],
            ),
            (
                |r| {
                    r.posts.push(post(2, "unknown"));
                    r.sayings.push(copy(2, "unknown"));
                },
                &[Breach::Outcome { told: String::new(), wanted: "dispensed" }],
            ),
        ];
        for (number, (change, wanted)) in changes.into_iter().enumerate() {
            let mut record = kept();
            change(&mut record);
            let found = judge(&order(), &record);
            let kinds = |list: &[Breach]| list.iter().map(std::mem::discriminant).collect::<Vec<_>>();
            assert_eq!(kinds(&found), kinds(wanted), "change {number}: {found:?}");
        }
    }

    #[test]
    fn a_correction_and_a_repetition_are_in_sequence() {
        let mut record = kept();
        record.posts.splice(0..0, [post(1, "unknown"), post(1, "unknown")]);
        record.posts[2].sequence = 2;
        record.sayings = vec![copy(1, "unknown"), copy(2, "dispensed")];
        assert_eq!(judge(&order(), &record), []);
    }

    #[test]
    fn who_has_paid_has_the_goods_or_the_money_and_not_both() {
        let sale = |ended| Played { expected: Expected::Sale { turns: 1, ended }, ..order() };
        let told = |ended: &str, dropped: bool, refunded: &[&str]| Record {
            turns: vec![Turn { dropped, ..turn(5) }],
            posts: vec![Post { units: vec![], ..post(1, ended) }],
            refunded: refunded.iter().map(|&order| order.to_owned()).collect(),
            ..Record::default()
        };
        assert_eq!(judge(&sale("served"), &told("served", true, &[])), []);
        assert_eq!(judge(&sale("refunded"), &told("refunded", false, &["60"])), []);
        assert_eq!(judge(&sale("served"), &told("served", true, &["60"])), [Breach::Money]);
        assert_eq!(judge(&sale("refunded"), &told("refunded", false, &[])), [Breach::Money]);
        let untrue = [Breach::Outcome { told: "refunded".to_owned(), wanted: "served" }];
        assert_eq!(judge(&sale("served"), &told("refunded", true, &[])), untrue);
    }

    #[test]
    fn a_forgery_causes_nothing() {
        let order = Played { expected: Expected::Silence, ..order() };
        assert_eq!(judge(&order, &Record::default()), []);
        assert_eq!(judge(&order, &kept()), [Breach::Turns { slot: 5, seen: 1, wanted: 0 }, Breach::Told]);
    }
}
