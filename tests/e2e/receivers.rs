//! The merchant's receiver is away, overloaded, broken or hostile: the report is told in the end, over MQTT in any case.

use crate::common::command::put;
use crate::common::http_server::Answer;
use crate::common::receiver::Receiver;
use crate::common::world::World;
use std::time::{Duration, Instant};

#[test]
fn a_receiver_that_was_away_gets_its_report_when_it_is_back() {
    let mut world = World::start("tcn-00ff");
    world.receiver.server.go_away();
    world.send(put("60", "78"));
    assert_eq!(world.response("60", "78")["outcome"], "dispensed");
    world.receiver.server.come_back();
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.board.turned_slots(), [5]);
}

#[test]
fn a_receiver_with_trouble_is_tried_again_with_the_same_words() {
    let world = World::start("tcn-00ff");
    world.receiver.will([Answer::status(500), Answer::status(503), Answer::Cut(b""), Answer::status(204)]);
    world.send(put("60", "78"));
    world.receiver.wait_for_tries("60", "78", 4);
    world.wait_until_settled();
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.receiver.tries("60", "78").len(), 4);
    assert_eq!(world.board.turned_slots(), [5]);
}

#[test]
fn a_receiver_that_asks_for_a_pause_gets_it() {
    const PAUSE: Duration = Duration::from_secs(3);
    let world = World::start("tcn-00ff");
    world.receiver.will([Answer::with_header(429, "Retry-After: 3")]);
    world.send(put("60", "78"));
    world.receiver.wait_for_tries("60", "78", 1);
    let asked_at = Instant::now();
    world.receiver.wait_for_tries("60", "78", 2);
    // The first try was seen a moment before we looked at the clock.
    assert!(asked_at.elapsed() > PAUSE.mul_f64(0.9), "{:?}", asked_at.elapsed());
}

#[test]
fn any_2xx_settles_whatever_comes_with_it() {
    let world = World::with("tcn-00ff", |s| s.turn_ms = 50);
    let huge = Answer::Whole { status: 200, headers: String::new(), body: vec![b'x'; 10 << 20] };
    let cut = Answer::Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    let slow = Answer::After(Duration::from_secs(1), Box::new(Answer::status(202)));
    for (k, answer) in [Answer::Endless, huge, cut, slow].into_iter().enumerate() {
        let record = k.to_string();
        world.receiver.will([answer]);
        world.send(put("60", &record));
        world.report("60", &record);
        world.wait_until_settled();
        assert_eq!(world.receiver.tries("60", &record).len(), 1, "answer {k}");
    }
    assert_eq!(world.board.turned_slots(), [5; 4]);
}

#[test]
fn a_slow_receiver_does_not_hold_up_others() {
    let world = World::with("tcn-00ff", |s| s.turn_ms = 50);
    world.receiver.will([Answer::After(Duration::from_secs(10), Box::new(Answer::status(204)))]);
    world.send(put("60", "78"));
    world.receiver.wait_for_tries("60", "78", 1);
    let other = Receiver::start(None);
    let begun = Instant::now();
    world.send(put("61", "1").notify(&other.url()));
    other.wait_for_tries("61", "1", 1);
    assert!(begun.elapsed() < Duration::from_secs(9), "it waited for the slow one: {:?}", begun.elapsed());
}

#[test]
fn a_404_is_tried_again_before_it_is_given_up() {
    let mut world = World::start("tcn-00ff");
    world.receiver.will((0..10).map(|_| Answer::status(404)));
    world.send(put("60", "78"));
    world.receiver.wait_for_tries("60", "78", 2);
    world.response("60", "78");
    assert_eq!(world.stop_agent().code(), Some(0));
    let report = world.dumped("60")["reports"][0].clone();
    assert_eq!(report["state"], "pending", "{report}");
    assert!(report["attempts"].as_u64().unwrap() >= 1, "{report}");
}

#[test]
fn bad_targets_become_dead_letters_and_the_report_still_goes_up() {
    let mut world = World::with("tcn-00ff", |s| s.turn_ms = 50);
    let elsewhere = Receiver::start(None);
    world.receiver.will([Answer::with_header(302, &format!("Location: {}", elsewhere.url()))]);
    let port = world.receiver.server.port();
    let targets = [
        ("60", world.receiver.url()),
        ("61", "file:///etc/passwd".to_owned()),
        ("62", format!("http://user:secret@127.0.0.1:{port}/notify")),
        ("63", format!("http://127.0.0.1:{port}@evil.invalid/notify")),
    ];
    for (order, url) in &targets {
        world.send(put(order, "1").notify(url));
        assert_eq!(world.response(order, "1")["outcome"], "dispensed", "{url}");
    }
    // The one that was sent elsewhere is asked once more.
    world.wait_until_settled();
    assert!(elsewhere.server.requests().all().is_empty(), "a redirect elsewhere was followed");
    assert_eq!(world.receiver.server.requests().all().len(), 2, "only the redirecting URL may be called");
    assert_eq!(world.board.turned_slots(), [5; 4]);
    assert_eq!(world.stop_agent().code(), Some(0));
    for (order, url) in &targets {
        let state = if *order == "60" { "settled" } else { "dead" };
        assert_eq!(world.dumped(order)["reports"][0]["state"], state, "{url}");
    }
}

#[test]
fn a_private_address_is_a_bad_target_unless_it_is_allowed() {
    let mut world = World::with("tcn-00ff", |s| s.private_targets = false);
    world.send(put("60", "78"));
    assert_eq!(world.response("60", "78")["outcome"], "dispensed");
    world.wait_until_settled();
    assert!(world.receiver.server.requests().all().is_empty());
    assert_eq!(world.stop_agent().code(), Some(0));
    assert_eq!(world.dumped("60")["reports"][0]["state"], "dead");
}

#[test]
fn a_receiver_with_a_foreign_certificate_sees_nothing() {
    let mut world = World::with("tcn-00ff", |s| (s.secure_receiver, s.trusts_receiver) = (true, false));
    world.send(put("60", "78"));
    assert_eq!(world.response("60", "78")["outcome"], "dispensed");
    world.wait_for_note("report_not_taken");
    assert!(world.receiver.server.requests().all().is_empty());
    assert_eq!(world.stop_agent().code(), Some(0));
    assert_eq!(world.dumped("60")["reports"][0]["state"], "pending", "the certificate may be mended");
}
