//! What the simulation found, each in its smallest form.

use super::world::World;
use crate::board::driver::Finding;
use crate::core::event::Event;

const URL: &str = "https://shop.example/notify";

#[test]
fn a_driver_that_gives_up_as_the_life_begins_does_not_let_the_report_out_before_it_is_durable() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1").with("notify_url", URL));
    w.disk_is_quick = false;
    w.restart();
    w.driver_has(Finding::Unproven("the board remembers nothing"));
    w.commit();
    assert_eq!((w.requests.len(), w.count_said("device.delivery.response")), (0, 0), "its commit is under way");
    w.commit();
    assert_eq!((w.requests.len(), w.count_said("device.delivery.response")), (1, 1));
}

#[test]
fn another_body_is_no_conflict_before_the_first_one_is_durable() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1"));
    w.step(Event::Disconnected);
    w.connect(false);
    let other = w.deliver(&w.put("1", "1").with("code", "6"));
    assert!(!w.acks.contains(&other));
    w.commit();
    assert!(w.acks.contains(&other));
    assert_eq!(w.received_states().last().unwrap(), "refused conflict");
}
