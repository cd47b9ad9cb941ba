//! Somebody buys at the machine: the real binary, the platform's stand-in, an emulated board, and the tool.

use crate::common::command::put;
use crate::common::record::wait_until;
use crate::common::world::World;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

impl World {
    /// A machine that sells slot 5 for 3.05 at the platform.
    fn that_sells(change: impl FnOnce(&mut crate::common::world::Setup)) -> World {
        let world = World::with("uling-zdm8", |s| {
            (s.sells, s.turn_ms) = (true, 600);
            change(s);
        });
        world.cloud.sells(20_001, "5", 9, 9);
        world.wait_until_line_is("idle");
        world
    }

    /// Chooses slot 5; the cloud's order once its pay code is shown.
    fn choose(&self) -> u64 {
        let told = self.tool(&["sale", "start", "--slot", "5", "--no-wait", "--json"], "");
        assert_eq!(told.code, Some(0), "{}", told.err);
        let sale = wait_until("pay code", || Some(self.sale()).filter(|sale| sale["pay_code"].is_string()));
        let order = sale["order"].as_str().unwrap().to_owned();
        assert_eq!(sale["pay_code"], format!("https://pay.example/{order}?a=3.05"));
        order.parse().unwrap()
    }
}

#[test]
fn a_buyer_who_pays_while_the_machine_is_dead_is_served_once_when_it_is_back() {
    let mut world = World::that_sells(|_| {});
    let order = world.choose();
    world.kill9();
    world.cloud.pay(order);
    world.start_agent();
    world.board.wait_for_turns(1);
    world.kill9();
    world.start_agent();
    world.wait_for_sale("served");
    world.wait_until_settled();
    assert_eq!((world.board.turned_slots(), world.cloud.order_status(order).as_str()), (vec![5], "SUCCESS"));
    assert_eq!(world.sales_told(), [("served".to_owned(), "1".to_owned())]);
    // The merchant's own command for that order turns nothing.
    world.send(put(&order.to_string(), "1"));
    assert_eq!(world.received(&order.to_string(), "refused")["reason"], "conflict");
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [5, 9]);
}

#[test]
fn a_buyer_whose_goods_are_stuck_gets_the_money_back() {
    let world = World::that_sells(|s| s.faults = vec!["jam:5"]);
    // What somebody filled is counted, and its faults are known.
    assert_eq!(world.tool(&["slot", "restock", "5", "9"], "").code, Some(0));
    let order = world.choose();
    world.cloud.pay(order);
    world.wait_for_sale("refunded");
    world.wait_until_settled();
    assert_eq!(world.cloud.order_status(order), "REFUND");
    assert_eq!(world.sales_told(), [("refunded".to_owned(), "1".to_owned())]);
    // The slot is out of order now, and says so.
    world.wait_until_line_is("idle");
    let told = world.tool(&["sale", "start", "--slot", "5"], "");
    assert_eq!(told.code, Some(5), "{}", told.err);
}

#[test]
fn the_tool_shows_the_code_and_follows_to_the_end_and_ctrl_c_gives_up_what_is_not_paid() {
    let world = World::that_sells(|_| {});
    let child = world.begin_tool(&["sale", "start", "--slot", "5"]);
    let order: u64 = world.wait_for_sale("waiting")["order"].as_str().unwrap().parse().unwrap();
    world.cloud.pay(order);
    let ended = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert_eq!(ended.status.code(), Some(0), "{out} {err}");
    assert!(out.contains("the goods came out"), "{out}");
    assert!(err.contains('█') && err.contains(&format!("https://pay.example/{order}?a=3.05")), "{err}");

    let child = world.begin_tool(&["sale", "start", "--slot", "5"]);
    let order: u64 = world.wait_for_sale("waiting")["order"].as_str().unwrap().parse().unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(9), "{}", String::from_utf8_lossy(&ended.stderr));
    world.wait_for_sale("watched");
    assert_eq!(world.cloud.order_status(order), "CLOSED");
    let told = world.tool(&["sale", "list", "--plain"], "");
    assert_eq!(told.out.lines().count(), 2, "{}", told.out);
    assert_eq!(world.tool(&["sale", "cancel"], "").code, Some(5));
    assert_eq!(world.tool(&["sale", "settle", "1", "--reason", "none"], "").code, Some(5));
    assert_eq!(world.board.turned_slots(), [5]);
}

#[test]
fn a_slot_is_chosen_by_what_is_printed_at_it_and_a_code_that_names_none_or_two_is_refused() {
    let world = World::that_sells(|s| {
        let goods = |slot: u16, more: &str| {
            format!("{{ slot = {slot}, goods = 20001, name = \"可乐\", price = \"3.05\"{more} }}")
        };
        let goods = [goods(5, ", label = \"A3\""), goods(6, ""), goods(7, ", label = \"6\"")].join(", ");
        s.sale = Some(format!("cloud = \"platform\"\npay_url = \"https://pay.example/{{order}}\"\ngoods = [{goods}]"));
    });
    let start = |code: &str| world.tool(&["sale", "start", "--code", code, "--no-wait", "--json"], "");
    // 5 is the number of A3, and not what is printed there; 6 is printed at one slot and the number of another.
    for (code, exit, why) in
        [("5", 6, "nothing that is sold here has this code"), ("6", 5, "more than one slot"), ("A 3", 2, "1 to 8")]
    {
        let told = start(code);
        assert_eq!(told.code, Some(exit), "{code}: {}", told.err);
        assert!(told.err.contains(why), "{code}: {}", told.err);
    }
    assert_eq!(world.sale(), Value::Null);
    let told = start("a3");
    let sale: Value = serde_json::from_str(&told.out).unwrap_or_default();
    assert_eq!((told.code, &sale["slot"]), (Some(0), &5.into()), "{}", told.err);
    let listed = world.tool(&["slot", "list", "--plain"], "");
    assert!(listed.out.lines().any(|line| line.starts_with("1\t5\tA3\t")), "{}", listed.out);
}

#[test]
fn a_machine_without_a_cloud_for_it_sells_nothing() {
    let world = World::start("uling-zdm8");
    let told = world.tool(&["sale", "start", "--slot", "5"], "");
    assert_eq!(told.code, Some(78), "{}", told.err);
    assert_eq!(world.tool(&["sale", "show"], "").code, Some(6));
}

#[test]
fn a_slot_that_is_chosen_at_the_boards_own_keys_is_paid_by_telephone_and_served() {
    let world = World::with("xy-v3", |s| (s.sells, s.turn_ms) = (true, 600));
    world.cloud.sells(20_001, "5", 9, 9);
    world.wait_until_line_is("idle");
    // Nothing lies in slot 6: the log says so, and nobody is kept waiting.
    world.board.press(6);
    world.board.press(5);
    let order: u64 = world.wait_for_sale("waiting")["order"].as_str().unwrap().parse().unwrap();
    world.cloud.pay(order);
    world.wait_for_sale("served");
    world.wait_until_settled();
    assert_eq!((world.board.turned_slots(), world.cloud.order_status(order).as_str()), (vec![5], "SUCCESS"));
    // The cancel key gives up what is not paid.
    world.wait_until_line_is("idle");
    world.board.press(5);
    let order: u64 = world.wait_for_sale("waiting")["order"].as_str().unwrap().parse().unwrap();
    world.board.press(0);
    world.wait_for_sale("watched");
    assert_eq!(world.cloud.order_status(order), "CLOSED");
    let status: Value = serde_json::from_str(&world.tool(&["status", "--json"], "").out).unwrap();
    assert_eq!(status["sales"]["by_state"]["served"], 1, "{status}");
    let recent = status["recent"].as_array().unwrap();
    assert!(recent.iter().any(|note| note["what"] == "key_refused"), "{recent:?}");
    assert_eq!(world.board.turned_slots(), [5]);
}
