//! The broker goes and comes, forgets, or lets somebody else in with our name.

use crate::common::command::{MACHINE_NO, put};
use crate::common::record::wait_until;
use crate::common::world::World;
use std::io::{Read, Write};
use std::net::TcpStream;

const PROTOCOLS: [&str; 2] = ["5", "3.1.1"];

#[test]
fn a_broker_that_was_killed_and_kept_its_sessions_loses_nothing() {
    for protocol in PROTOCOLS {
        let mut world = World::with("tcn-00ff", |s| (s.protocol, s.turn_ms) = (protocol, 1_000));
        world.send(put("60", "78"));
        world.board.wait_for_turns(1);
        world.broker.kill();
        world.send_when_possible(put("61", "1").code("6"));
        // The merchant is told without the broker.
        assert_eq!(world.report("60", "78")["outcome"], "dispensed");
        world.broker.restart();
        world.one_truth("61", "1", "dispensed");
        world.one_truth("60", "78", "dispensed");
        assert_eq!(world.board.turned_slots(), [5, 6], "{protocol}");
    }
}

#[test]
fn a_broker_that_forgot_its_sessions_is_subscribed_to_again() {
    for protocol in PROTOCOLS {
        let mut world = World::with("tcn-00ff", |s| s.protocol = protocol);
        world.a_good_order_is_served("59");
        let before = world.subscriptions();
        world.broker.kill();
        world.broker.restart_without_memory();
        world.wait_for_subscription(before + 1);
        world.send_when_possible(put("60", "78"));
        world.report("60", "78");
        assert_eq!(world.board.turned_slots(), [9, 5], "{protocol}");
    }
}

#[test]
fn orders_that_were_sent_while_the_agent_was_down_are_served_when_it_is_back() {
    for protocol in PROTOCOLS {
        let mut world = World::with("tcn-00ff", |s| s.protocol = protocol);
        world.kill9();
        for slot in ["5", "6", "7"] {
            world.send(put("60", slot).code(slot));
        }
        world.start_agent();
        for slot in ["5", "6", "7"] {
            world.one_truth("60", slot, "dispensed");
        }
        assert_eq!(world.board.turned_slots(), [5, 6, 7], "{protocol}");
    }
}

/// MQTT 3.1.1 CONNECT with our id, to keep the session; returns when the broker has accepted it.
fn intrude(port: u16) -> TcpStream {
    let mut packet = vec![0x10, 12 + MACHINE_NO.len() as u8, 0, 4, b'M', b'Q', b'T', b'T', 4, 0, 0, 60, 0];
    packet.push(MACHINE_NO.len() as u8);
    packet.extend_from_slice(MACHINE_NO.as_bytes());
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(&packet).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!((answer[0], answer[3]), (0x20, 0), "CONNACK");
    stream
}

#[test]
fn a_second_client_with_our_id_raises_a_fault_and_no_fight() {
    for protocol in PROTOCOLS {
        let world = World::with("tcn-00ff", |s| s.protocol = protocol);
        let has_fault = || {
            let notes = world.status()["recent"].clone();
            let all = notes.as_array().unwrap();
            all.iter().any(|n| n["text"].as_str().unwrap().contains("another client uses")).then_some(())
        };
        let mut intrusions = 0;
        while has_fault().is_none() {
            assert!(intrusions < 20, "no fault after {intrusions} intrusions");
            let mut stream = intrude(world.broker.port());
            intrusions += 1;
            // Until the agent takes its session back.
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
        }
        // Each connection of ours answers one of theirs: the agent never pushes itself in front.
        let connections = world.broker.log().matches(&format!("as {MACHINE_NO} ")).count();
        assert!(connections <= 2 * intrusions + 2, "{connections} connections, {intrusions} intrusions");
        wait_until("connection after the intruder has gone", || {
            (world.status()["broker_connected"] == true).then_some(())
        });
        world.a_good_order_is_served("61");
    }
}
