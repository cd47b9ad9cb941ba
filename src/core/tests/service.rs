//! What is wanted of the board beside a vend never comes between an order and its motor.

use super::world::{DISPENSED, World};
use crate::board::driver::{Address, Finding, LineFault, LineState, Slot};
use crate::board::service::{Reading, SERVICE_MS_MAX, Service, ServiceError};
use crate::core::Recovered;
use crate::core::event::{Ending, Event, Token};
use crate::order::said::Said;
use crate::order::time::BootMs;

const UID: u32 = 1_000;

fn door() -> Service {
    Service::Door { address: Address::new(1).unwrap() }
}

impl World {
    fn serve(&mut self, service: Service) {
        self.step(Event::Serve { token: Token(9), uid: UID, service });
    }

    fn board_serves(&mut self) {
        self.script.lock().unwrap().state = LineState::Idle;
        self.board_says(Finding::Served(Ok(Reading::Door { open: true })));
    }

    /// What became of services, in order.
    fn served(&self) -> Vec<&str> {
        self.story.iter().filter_map(|told| told.strip_prefix("served ")).collect()
    }

    fn serving_is(&self, state: LineState) -> bool {
        self.script.lock().unwrap().state == state
    }
}

#[test]
fn a_service_is_served_while_no_order_is_there_and_one_at_a_time() {
    let mut w = World::new();
    w.serve(door());
    assert!(w.serving_is(LineState::Busy) && w.served().is_empty());
    w.serve(door());
    assert_eq!(w.served(), ["Err(Busy)"]);
    w.board_serves();
    assert_eq!(w.served(), ["Err(Busy)", "Ok(Door { open: true })"]);
    w.serve(door());
    assert!(w.serving_is(LineState::Busy), "and again");
}

#[test]
fn what_the_board_or_its_protocol_lacks_is_said_at_once() {
    let mut w = World::new();
    w.serve(Service::Climate { address: Address::new(1).unwrap() });
    w.settings.profile.addresses.count = 1;
    w.restart();
    w.serve(Service::Door { address: Address::new(2).unwrap() });
    assert_eq!(w.served(), ["Err(NotOffered)", "Err(NoSuchBoard)"]);
    assert!(w.serving_is(LineState::Idle));
}

#[test]
fn a_service_is_refused_from_an_orders_arrival_to_its_end() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.deliver(&w.put("1", "1").with("quantity", "2"));
    w.serve(door());
    w.commit();
    assert_eq!(w.driven(), 1);
    w.serve(door());
    w.board_ends(DISPENSED);
    w.serve(door());
    assert_eq!(w.served(), ["Err(Busy)"; 3], "before the intent is durable, on the line, between two units");
    w.disk_is_quick = true;
    w.commit();
    assert_eq!(w.driven(), 2);
    w.board_ends(DISPENSED);
    w.serve(door());
    assert!(w.serving_is(LineState::Busy), "the order is final");
}

#[test]
fn a_service_is_refused_while_an_order_waits_for_the_line() {
    let mut w = World::new();
    w.line_is(LineState::Settling);
    w.deliver(&w.put("1", "1"));
    w.serve(door());
    assert_eq!((w.served(), w.driven()), (vec!["Err(Busy)"], 0));
}

#[test]
fn an_order_that_comes_while_a_service_runs_is_driven_after_it_and_not_before() {
    let mut w = World::new();
    w.serve(door());
    w.deliver(&w.put("1", "1"));
    w.pass_s(1);
    assert_eq!(w.driven(), 0);
    w.board_serves();
    assert_eq!((w.served(), w.driven()), (vec!["Ok(Door { open: true })"], 1));
    w.board_ends(DISPENSED);
    assert_eq!(w.outcome_on_disk("1", "1"), ["dispensed"]);
}

#[test]
fn a_port_that_closes_ends_a_service_and_a_board_that_is_away_is_not_asked() {
    let mut w = World::new();
    w.serve(door());
    w.script.lock().unwrap().state = LineState::Closed;
    w.driver_has(Finding::Served(Err(ServiceError::NoAnswer)));
    w.step(Event::LineClosed { why: Said::word("unplugged") });
    w.serve(door());
    w.line_is(LineState::Settling);
    w.serve(door());
    assert_eq!(w.served(), ["Err(NoAnswer)", "Err(Away)", "Err(Away)"]);
    w.deliver(&w.put("1", "1"));
    w.line_is(LineState::Idle);
    assert_eq!(w.driven(), 1, "nothing is left of it");
}

#[test]
fn the_board_is_left_alone_in_quarantine_and_before_the_first_commit() {
    let mut w = World::new();
    w.disk_is_quick = false;
    w.restart();
    w.serve(door());
    assert!(w.serving_is(LineState::Idle));
    w.commit();
    w.serve(door());
    assert!(w.serving_is(LineState::Busy), "the first commit is durable");
    w.live_again(Recovered::Quarantine { why: Said::word("test") }, true);
    w.serve(door());
    assert!(w.serving_is(LineState::Idle));
    assert_eq!(w.served(), ["Err(Unavailable)"; 2]);
}

#[test]
fn who_waits_for_the_board_is_told_when_the_journal_fails_and_nothing_is_asked_after() {
    let mut w = World::new();
    w.serve(door());
    w.step(Event::JournalFailed { why: Said::word("test") });
    w.serve(door());
    assert_eq!(w.served(), ["Err(Unavailable)"; 2]);
}

#[test]
fn an_agent_that_is_stopping_begins_no_service() {
    let mut w = World::new();
    w.deliver(&w.put("1", "1"));
    w.step(Event::Stop);
    w.serve(door());
    assert_eq!(w.served(), ["Err(Unavailable)"]);
}

#[test]
fn an_agent_that_is_asked_to_stop_ends_when_the_service_has_ended() {
    let mut w = World::new();
    w.serve(door());
    w.step(Event::Stop);
    w.pass_s(1);
    assert_eq!(w.ended, None, "the board's answer would come to the next life");
    w.board_serves();
    assert_eq!((w.served(), w.ended), (vec!["Ok(Door { open: true })"], Some(Ending::Stopped)));
}

#[test]
fn a_service_that_does_not_end_is_ended_and_the_driver_begins_anew_with_the_line() {
    let mut w = World::new();
    let opened = w.script.lock().unwrap().opened;
    w.serve(door());
    w.deliver(&w.put("1", "1"));
    w.pass_s(SERVICE_MS_MAX / 1_000 - 1);
    assert_eq!((w.served(), w.driven()), (vec![], 0));
    w.pass_s(1);
    assert_eq!(w.served(), ["Err(TookTooLong)"]);
    {
        let script = w.script.lock().unwrap();
        assert_eq!((script.closed, script.opened), (1, opened + 1), "whatever the board says yet is drained");
    }
    // What the driver itself says of the service that it lost is told to nobody.
    w.board_says(Finding::Served(Err(ServiceError::NoAnswer)));
    assert_eq!((w.served(), w.driven()), (vec!["Err(TookTooLong)"], 0));
    w.line_is(LineState::Idle);
    assert_eq!(w.driven(), 1, "the order that waited is served");
}

#[test]
fn an_agent_that_stops_waits_no_longer_for_a_service_than_it_may_take() {
    let mut w = World::new();
    w.serve(door());
    w.step(Event::Stop);
    w.pass_s(SERVICE_MS_MAX / 1_000);
    assert_eq!((w.served(), w.ended), (vec!["Err(TookTooLong)"], Some(Ending::Stopped)));
}

#[test]
fn what_is_wrong_with_the_line_shows_in_the_status() {
    let mut w = World::new();
    let at = w.now.boot;
    w.step(Event::LineBytes { read_at: at, bytes: vec![1, 2, 3] });
    for fault in [LineFault::Noise, LineFault::Noise, LineFault::BadCheck, LineFault::TimeOut] {
        w.board_says(Finding::Fault(fault));
    }
    w.board_says(Finding::BoardRestarted);
    w.step(Event::LineClosed { why: Said::word("unplugged") });
    w.step(Event::LineOpened);
    let status = w.core.status(w.now);
    let total = status.line_quality.total;
    assert_eq!((total.bytes_in, total.noise, total.bad_checks, total.time_outs), (3, 2, 1, 1));
    assert_eq!((total.reopenings, total.board_restarts, total.unexpected), (1, 1, 0));
    assert_eq!((status.counters.line_faults, status.counters.line_opened), (4, 2));
    let hours: Vec<u8> = status.line_quality.hours.iter().map(|h| h.hours_ago).collect();
    assert_eq!(hours, [0]);
    assert_eq!(w.core.status(w.now).line_quality.counted_for_s, at.since_ms(BootMs(1_000)) / 1_000);
    w.serve(Service::SlotState { address: Address::new(1).unwrap(), slot: Slot(1) });
    assert_eq!(w.served(), ["Err(NotOffered)"], "asking costs no line");
    assert_eq!(w.core.status(w.now).line_quality.total, total);
}
