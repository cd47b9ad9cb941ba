//! What a command says was paid is held against the platform's books (rule 59).

use super::world::{Put, T0_S, World, settings};
use crate::core::VerifyOrders;

const RESPONSE: &str = "device.delivery.response";

fn asking() -> World {
    let mut s = settings();
    s.cloud.verify_orders = VerifyOrders::Always;
    World::with(s)
}

/// Order 60, paid, of record 78 alone, with what the books say of its amount.
fn books(amount: &str) -> String {
    format!(
        r#"{{"code":0,"message":"ok","data":{{"order_id":60,"status":"SUCCESS"{amount},
        "records":[{{"id":78,"status":"WAITING_PICKED_UP"}}]}}}}"#
    )
}

fn command(w: &World, amount: Option<&str>) -> Put {
    let put = w.put("60", "78");
    match amount {
        Some(amount) => put.with("amount", amount),
        None => put,
    }
}

#[test]
fn rule_59_another_amount_than_the_books_is_refused_and_the_same_or_none_is_driven() {
    let said = r#","amount":"3.50""#;
    for (amount, on_the_books, driven) in [
        (Some("3.50"), said, 1),
        (Some("3.5"), said, 1),
        (Some("3.51"), said, 0),
        (Some("350"), said, 0),
        (Some("0"), said, 0),
        // Either side says nothing, or nothing that reads as money.
        (None, said, 1),
        (Some(""), said, 1),
        (Some("much"), said, 1),
        (Some("-3.51"), said, 1),
        (Some("3.51"), "", 1),
        (Some("3.51"), r#","amount":"3,50""#, 1),
    ] {
        let mut w = asking();
        w.deliver(&command(&w, amount));
        assert_eq!(w.driven(), 0, "the cloud is asked first");
        w.answer(200, &books(on_the_books));
        assert_eq!(w.driven(), driven, "{amount:?} {on_the_books}");
        let outcome = w.outcome_on_disk("60", "78");
        assert_eq!(outcome == ["refused"], driven == 0, "{outcome:?}");
        if driven == 0 {
            let told = w.last_said(RESPONSE);
            assert_eq!((&*told["outcome"], &*told["reason"]), ("refused", "amount"));
        }
    }
}

#[test]
fn rule_59_the_refusal_is_durable_before_it_is_told_and_its_key_is_never_driven() {
    let mut w = asking();
    w.deliver(&command(&w, Some("3.51")));
    w.disk_is_quick = false;
    w.answer(200, &books(r#","amount":"3.50""#));
    assert_eq!((w.count_said(RESPONSE), w.pending.is_some()), (0, true));
    w.commit();
    w.disk_is_quick = true;
    assert_eq!((w.count_said(RESPONSE), &*w.last_said(RESPONSE)["reason"]), (1, "amount"));
    // Rule 10: the same turns under the same key are the same command, and the first one's amount counts.
    w.deliver(&command(&w, Some("3.50")));
    assert_eq!(w.received_states().last().map(String::as_str), Some("duplicate"));
    assert_eq!((w.driven(), w.requests.len()), (0, 0));
}

#[test]
fn rule_59_the_first_commands_amount_counts() {
    let mut w = asking();
    w.deliver(&command(&w, Some("3.50")));
    w.deliver(&command(&w, Some("3.51")));
    assert_eq!(w.received_states().last().map(String::as_str), Some("duplicate"));
    w.answer(200, &books(r#","amount":"3.50""#));
    assert_eq!(w.driven(), 1);
}

#[test]
fn rule_59_a_power_cut_between_the_command_and_the_answer_forgets_no_amount() {
    for (amount, driven) in [("3.51", 0), ("3.50", 1)] {
        let mut w = asking();
        w.deliver(&command(&w, Some(amount)));
        w.reboot(T0_S + 20, true);
        assert_eq!((w.driven(), w.on_disk("60", "78").unwrap().state.as_str()), (0, "accepted"));
        w.answer(200, &books(r#","amount":"3.50""#));
        assert_eq!(w.driven(), driven, "{amount}");
        assert_eq!(w.outcome_on_disk("60", "78") == ["refused"], driven == 0, "{amount}");
        w.reboot(T0_S + 40, true);
        assert_eq!(w.driven(), 0, "and it stays so");
    }
}
