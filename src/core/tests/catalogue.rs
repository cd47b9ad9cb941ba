//! What the platform sells here: all pages of all boards, kept for days offline, asked for gently, deciding nothing.

use super::slots::restock;
use super::world::{DISPENSED, OPEN, World, settings};
use crate::board::driver::{Finding, LineState};
use crate::cloud::envelope;
use crate::cloud::telemetry::{CHANNEL_METHOD as CHANNEL, PRODUCT_METHOD as PRODUCT, RESTOCK_METHOD as RESTOCK};
use crate::core::event::{Event, Request};
use crate::core::{Settings, SlotAct, SlotLine};
use crate::order::host::Host;
use crate::order::motor::{Address, Slot};
use crate::order::said::Said;
use serde_json::{Value, json};

const DAY_S: u64 = 86_400;

/// One board of the two ways in which the platform is asked: a whole machine, or board by board.
fn asks(boards: u8) -> Settings {
    let mut s = settings();
    s.cloud.catalogue = true;
    s.profile.addresses.count = boards;
    s.profile.slots.hundred_an_address = boards > 1;
    s
}

pub(super) fn product(id: u64, code: &str, addr: u64, count: u64) -> Value {
    json!({
        "id": id, "category": {"id": 2, "title": "第二层"},
        "good": {"name": "可乐", "price": "0.10", "original_price": "0.00"},
        "channel": {"name": "A21", "cabinet_name": "A", "code": code, "x": "2", "y": "0", "addr": addr},
        "current_inventory": count, "inventory": 9,
    })
}

fn page(products: &[Value], page: u64, last: u64) -> String {
    let data = json!({"data": products, "total": 6, "current_page": page, "last_page": last, "per_page": 20});
    json!({"code": 0, "message": "ok", "data": data}).to_string()
}

/// What a request asks for.
fn asked(request: &Request) -> (String, String) {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let fields = envelope::open(body["payload"].as_str().unwrap().as_bytes()).unwrap();
    let field = |name| fields.get(name).unwrap_or("-").to_owned();
    assert!(request.url.ends_with("/products"), "{}", request.url);
    (field("addr"), field("page"))
}

impl World {
    fn sold(&self) -> Vec<SlotLine> {
        self.core.slots()
    }

    /// The platform says that something changed, and is asked.
    fn refreshed(&mut self, products: &[Value]) {
        self.core.tell_and_ask_anew(self.now);
        self.pass_s(5);
        self.is_told(products);
    }

    /// An order comes, and the connection is gone before anything can be told.
    fn connect_silently(&mut self, deliver: impl FnOnce(&mut World)) {
        self.broker_is_quick = false;
        self.connect(true);
        deliver(self);
        self.step(Event::Disconnected { why: Said::word("gone") });
        self.said.clear();
        self.broker_is_quick = true;
    }

    /// The whole catalogue in one page.
    pub(super) fn is_told(&mut self, products: &[Value]) {
        self.answer(200, &page(products, 1, 1));
    }
}

/// A world that sells one product, five of which are there.
pub(super) fn selling(id: u64, code: &str) -> World {
    let mut w = World::with(asks(1));
    w.is_told(&[product(id, code, 1, 5)]);
    w.pass_s(60);
    w
}

/// A world with coke in slot 5, five of them.
fn stocked() -> World {
    selling(20, "005")
}

#[test]
fn the_catalogue_is_asked_for_within_a_minute_of_the_start_and_once_a_day() {
    let mut w = World::with(asks(1));
    assert_eq!(asked(&w.requests[0].1), ("-".to_owned(), "1".to_owned()));
    w.is_told(&[product(20, "005", 1, 5)]);
    let slots = w.sold();
    let line = &slots[0];
    assert_eq!((slots.len(), line.slot, line.product_id, line.product.as_deref()), (1, 5, Some(20), Some("可乐")));
    assert_eq!((line.price_fen, line.count, line.capacity), (Some(10), 5, Some(9)));
    w.pass_s(DAY_S - 3_600);
    assert!(w.requests.is_empty());
    w.pass_s(2 * 3_600);
    assert_eq!(w.requests.len(), 1);
}

#[test]
fn all_pages_of_all_boards_are_asked_for_one_after_the_other() {
    let mut w = World::with(asks(2));
    let mut asked_for = Vec::new();
    for (last, products) in [
        (2, vec![product(20, "005", 1, 5)]),
        (2, vec![product(21, "006", 1, 5)]),
        // The second cabinet's code says so in its hundreds, too.
        (1, vec![product(22, "105", 2, 5), product(23, "099", 7, 1)]),
    ] {
        assert_eq!(w.requests.len(), 1, "one at a time");
        let (addr, number) = asked(&w.requests[0].1);
        let number: u64 = number.parse().unwrap();
        w.answer(200, &page(&products, number, last));
        asked_for.push((addr, number));
    }
    let asked_for: Vec<(&str, u64)> = asked_for.iter().map(|(addr, page)| (&**addr, *page)).collect();
    assert_eq!(asked_for, [("1", 1), ("1", 2), ("2", 1)]);
    let sold: Vec<(u8, u16, Option<u64>)> = w.sold().iter().map(|l| (l.address, l.slot, l.product_id)).collect();
    assert_eq!(sold, [(1, 5, Some(20)), (1, 6, Some(21)), (2, 5, Some(22))], "a board that is not there is left out");
}

#[test]
fn the_catalogue_is_there_offline_after_a_power_cut() {
    let mut w = stocked();
    w.restart();
    assert_eq!(w.sold()[0].product.as_deref(), Some("可乐"));
    w.requests.clear();
    w.pass_s(3 * DAY_S);
    assert_eq!(w.sold()[0].product_id, Some(20));
}

#[test]
fn an_unchanged_catalogue_writes_nothing() {
    let mut w = stocked();
    let commits = w.commits;
    w.pass_s(DAY_S + 3_600);
    w.is_told(&[product(20, "005", 1, 5)]);
    w.pass_s(3_600);
    assert_eq!(w.commits, commits);
    w.core.tell_and_ask_anew(w.now);
    w.pass_s(5);
    w.is_told(&[product(20, "005", 1, 9)]);
    w.pass_s(60);
    assert_eq!((w.commits, w.sold()[0].count), (commits + 1, 9), "filled at the platform's desk");
}

#[test]
fn what_is_no_longer_sold_is_forgotten_but_not_what_only_people_know_of() {
    let mut w = stocked();
    w.act(restock(6, Some(3)));
    w.refreshed(&[]);
    w.pass_s(60);
    let kept = |w: &World| w.sold().iter().map(|line| (line.slot, line.count)).collect::<Vec<_>>();
    assert_eq!(kept(&w), [(6, 3)]);
    w.restart();
    assert_eq!(kept(&w), [(6, 3)], "also in the journal");
}

#[test]
fn an_outcome_tells_the_platform_the_new_count_in_its_own_batch() {
    let mut w = stocked();
    let put = w.put("60", "78");
    w.deliver(&put);
    assert_eq!(w.count_said(PRODUCT), 0);
    w.disk_is_quick = false;
    w.board_ends(DISPENSED);
    assert_eq!(w.count_said(PRODUCT), 0, "not before it is durable");
    w.disk_is_quick = true;
    w.restart();
    assert_eq!(w.count_said(PRODUCT), 0, "the batch was lost, and its message with it");
    w.board_ends(DISPENSED);
    let said = w.last_said(PRODUCT);
    assert_eq!((&*said["product_id"], &*said["current_inventory"], said.get("operation")), ("20", "4", None));
}

#[test]
fn a_week_offline_leaves_the_last_count_of_each_slot_and_every_change_of_sale() {
    let mut locks = asks(1);
    locks.lock_slot_after_unknown = true;
    let mut w = World::with(locks);
    w.is_told(&[product(20, "005", 1, 50), product(21, "006", 1, 50)]);
    w.pass_s(60);
    w.step(Event::Disconnected { why: Said::word("gone") });
    for n in 0..30 {
        w.connect_silently(|w| {
            let put = w.put(&format!("{n}"), "1");
            w.deliver(&put);
        });
        w.board_ends(if n % 3 == 2 { OPEN } else { DISPENSED });
    }
    w.requests.clear();
    w.restart();
    let counts: Vec<&str> =
        w.said.iter().filter(|m| m["method"] == PRODUCT).map(|m| &*m["current_inventory"]).collect();
    assert_eq!(counts.last(), Some(&"30"));
    assert!(counts.len() <= 3, "{counts:?}");
    assert_eq!(w.last_said(CHANNEL)["floor_status"], "3");
}

#[test]
fn a_count_for_which_there_was_no_room_is_told_when_there_is() {
    let mut tight = asks(1);
    tight.limits.calls_open = 2;
    let mut w = World::with(tight);
    w.is_told(&[product(20, "005", 1, 5), product(21, "006", 1, 5), product(22, "007", 1, 5)]);
    w.pass_s(60);
    w.broker_is_quick = false;
    for slot in [6, 7, 5] {
        w.act(restock(slot, Some(4)));
    }
    let left_out = w.sold()[0].clone();
    assert_eq!((left_out.count, w.count_said(PRODUCT)), (4, 2));
    w.restart();
    w.refreshed(&[product(20, "005", 1, 9), product(21, "006", 1, 4), product(22, "007", 1, 4)]);
    assert_eq!(w.sold()[0].count, 4, "the platform does not know our count yet");
    w.broker_is_quick = true;
    w.host = Some(Host::default());
    w.connect(true);
    w.pass_s(600);
    let told: Vec<&str> = w.said.iter().filter(|m| m["method"] == PRODUCT).map(|m| &*m["product_id"]).collect();
    assert!(told.contains(&"20"), "{told:?}");
}

#[test]
fn a_call_that_comes_back_with_an_old_count_does_not_take_the_place_of_the_new_one() {
    let mut w = stocked();
    w.broker_is_quick = false;
    w.act(restock(5, Some(7)));
    let (key, old) = w.disk.iter().find(|(key, _)| key[0] == 0x20).map(|(k, v)| (k.clone(), v.clone())).unwrap();
    w.broker_is_quick = true;
    w.act(restock(5, Some(6)));
    w.connect(true);
    w.pass_s(60);
    assert_eq!(w.last_said(PRODUCT)["current_inventory"], "6");
    // That the first was taken was only seen, and power has gone.
    w.disk.insert(key, old);
    w.said.clear();
    w.restart();
    let told: Vec<&str> = w.said.iter().filter(|m| m["method"] == PRODUCT).map(|m| &*m["current_inventory"]).collect();
    assert_eq!(told, ["6"]);
}

#[test]
fn a_fault_of_a_slot_is_told_when_it_comes_and_when_it_is_over() {
    let mut w = stocked();
    for (n, evidence, statuses) in [(0, OPEN, 1), (1, OPEN, 1), (2, DISPENSED, 2), (3, DISPENSED, 2)] {
        let put = w.put(&format!("{n}"), "1");
        w.deliver(&put);
        w.board_ends(evidence);
        assert_eq!(w.count_said(CHANNEL), statuses, "{n}");
    }
    assert_eq!((w.last_said(CHANNEL)["floor_status"].as_str(), w.count_said(PRODUCT)), ("1", 2));
}

#[test]
fn a_slot_out_of_use_is_off_sale_until_somebody_looked() {
    let mut locks = asks(1);
    locks.lock_slot_after_unknown = true;
    let mut w = World::with(locks);
    w.is_told(&[product(20, "005", 1, 5)]);
    w.pass_s(60);
    let put = w.put("60", "78");
    w.deliver(&put);
    w.board_says(Finding::Unproven("the port was lost"));
    w.line_is(LineState::Idle);
    let told = |w: &World| -> Vec<(String, Option<String>)> {
        let puts = w.said.iter().filter(|m| m["method"] == PRODUCT);
        puts.map(|m| (m["current_inventory"].clone(), m.get("operation").cloned())).collect()
    };
    let (off, on) = (Some("0".to_owned()), Some("1".to_owned()));
    assert_eq!(told(&w), [("5".to_owned(), off), ("4".to_owned(), None)]);
    w.act(SlotAct::Clear { address: Address::new(1).unwrap(), slot: Slot(5) });
    assert_eq!(told(&w)[2..], [("4".to_owned(), on)]);
}

#[test]
fn a_filling_is_told_as_the_vendor_does_it() {
    let mut w = stocked();
    w.act(restock(5, Some(7)));
    assert_eq!((w.last_said(PRODUCT)["current_inventory"].as_str(), w.count_said(RESTOCK)), ("7", 0));
    w.act(restock(5, None));
    assert_eq!((w.last_said(RESTOCK)["product_ids"].as_str(), w.count_said(PRODUCT)), ("[\"20\"]", 1));
    w.act(SlotAct::RestockAll);
    assert_eq!(w.count_said(RESTOCK), 2);
    w.act(restock(6, Some(3)));
    assert_eq!((w.count_said(RESTOCK), w.count_said(PRODUCT)), (2, 1), "the platform sells nothing from it");
    w.refreshed(&[product(20, "005", 1, 9), product(21, "006", 1, 8)]);
    assert_eq!((w.sold()[1].count, &*w.last_said(PRODUCT)["current_inventory"]), (3, "3"), "a person's count stands");
}

#[test]
fn what_the_platform_said_before_it_knew_of_a_sale_is_not_taken() {
    let mut w = stocked();
    w.core.tell_and_ask_anew(w.now);
    w.pass_s(5);
    // The answer is on its way, with the old count; meanwhile one is sold, and the platform hears of it.
    let put = w.put("60", "78");
    w.deliver(&put);
    w.board_ends(DISPENSED);
    assert_eq!(w.count_said(PRODUCT), 1);
    let products = w.requests.iter().position(|(_, r)| r.url.ends_with("/products")).unwrap();
    w.requests.rotate_left(products);
    w.is_told(&[product(20, "005", 1, 5)]);
    assert_eq!(w.sold()[0].count, 4);
    // So is an answer to a question that was asked while our count was on its way.
    w.broker_is_quick = false;
    let put = w.put("62", "78");
    w.deliver(&put);
    w.board_ends(DISPENSED);
    w.requests.clear();
    w.core.tell_and_ask_anew(w.now);
    w.pass_s(5);
    for token in std::mem::take(&mut w.published) {
        w.step(Event::Published(token));
    }
    let products = w.requests.iter().position(|(_, r)| r.url.ends_with("/products")).unwrap();
    w.requests.rotate_left(products);
    w.is_told(&[product(20, "005", 1, 4)]);
    assert_eq!(w.sold()[0].count, 3);
    // And while our count waits for the broker, the platform does not know it.
    w.broker_is_quick = false;
    let put = w.put("61", "78");
    w.deliver(&put);
    w.board_ends(DISPENSED);
    w.requests.clear();
    w.refreshed(&[product(20, "005", 1, 3)]);
    assert_eq!(w.sold()[0].count, 2);
}

#[test]
fn a_cloud_that_fails_is_asked_again_more_and_more_seldom_and_half_a_catalogue_is_none() {
    let mut w = World::with(asks(2));
    w.answer(200, &page(&[product(20, "005", 1, 5)], 1, 1));
    w.answer(200, "<!DOCTYPE html>");
    assert!(w.sold().is_empty());
    let mut tries = 0;
    for _ in 0..24 * 60 {
        w.pass_s(60);
        while !w.requests.is_empty() {
            w.no_answer();
            tries += 1;
        }
    }
    assert!((24..200).contains(&tries), "{tries} tries in a day");
}

#[test]
fn a_refresh_asks_soon_and_never_twice_at_once() {
    let mut w = stocked();
    for _ in 0..100 {
        w.core.tell_and_ask_anew(w.now);
        w.step(Event::Wake);
    }
    w.pass_s(5);
    assert_eq!(w.requests.len(), 1);
    w.core.tell_and_ask_anew(w.now);
    w.pass_s(5);
    assert_eq!(w.requests.len(), 1, "another one follows when this is over");
    w.is_told(&[product(20, "005", 1, 5)]);
    w.pass_s(5);
    assert_eq!(w.requests.len(), 1);
}

#[test]
fn an_order_is_driven_whatever_the_catalogue_says() {
    let mut w = stocked();
    w.core.tell_and_ask_anew(w.now);
    w.pass_s(5);
    w.is_told(&[product(20, "005", 1, 0)]);
    for (n, id) in ["60", "61"].into_iter().enumerate() {
        let put = w.put(id, "78").with("code", if n == 0 { "5" } else { "6" });
        w.deliver(&put);
        w.board_ends(DISPENSED);
    }
    assert_eq!(w.driven(), 2);
    assert_eq!(w.sold()[0].count, 4, "and what is sold is counted");
}

#[test]
fn nothing_is_asked_without_an_account() {
    let mut nobody = asks(1);
    nobody.cloud.account = None;
    let mut w = World::with(nobody);
    w.core.tell_and_ask_anew(w.now);
    w.pass_s(3 * DAY_S);
    assert!(w.requests.is_empty());
}
