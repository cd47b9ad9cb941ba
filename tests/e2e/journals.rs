//! The state directory is in use, damaged, read-only or full, and the configuration is wrong.

use crate::common::agent::{Agent, vend};
use crate::common::command::{get, put};
use crate::common::mount::Mount;
use crate::common::record::wait_until;
use crate::common::world::World;
use std::fs;
use std::path::Path;

#[test]
fn a_state_directory_in_use_is_refused() {
    let world = World::start("tcn-00ff");
    assert_eq!(Agent::start(world.path()).wait_for_end().code(), Some(5));
    assert!(world.log().contains("in use"), "the error names the cause");
    world.a_good_order_is_served("61");
    assert_eq!(world.dump().0, Some(5), "a directory in use is not read either");
}

/// Flips one bit of the journal, inside a record that holds `marker`.
fn flip_a_bit(state: &Path, marker: &str) {
    let file = state.join("journal/lead");
    let mut bytes = fs::read(&file).unwrap();
    let places: Vec<usize> =
        bytes.windows(marker.len()).enumerate().filter(|(_, w)| *w == marker.as_bytes()).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the journal does not hold {marker}");
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(&file, bytes).unwrap();
}

#[test]
fn a_flipped_bit_ends_in_quarantine_until_a_person_accepts_the_loss() {
    let mut world = World::with("tcn-00ff", |s| s.turn_ms = 50);
    world.send(put("60", "78").with("delivery_id", "marker-of-order-60"));
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.stop_agent().code(), Some(0));
    flip_a_bit(&world.state(), "marker-of-order-60");
    assert_eq!(world.dump().0, Some(1), "the dump says that it is damaged");

    world.start_agent();
    assert_eq!(world.status()["phase"], "quarantine");
    world.send(put("61", "1").code("6"));
    world.send(get("60", "78"));
    world.received("60", "unavailable");
    assert!(world.everything_told_up("61").is_empty(), "nothing is answered in quarantine");
    assert_eq!(world.stop_agent().code(), Some(0));
    world.start_agent();
    assert_eq!(world.status()["phase"], "quarantine", "it does not end by itself");
    assert_eq!(world.stop_agent().code(), Some(0));

    let accepted = vend(&["journal", "accept-loss", "--reason", "a test", "--directory"]).arg(world.state()).output();
    assert!(accepted.unwrap().status.success());
    world.start_agent();
    // Redelivered by a session that served a former life.
    world.one_truth("61", "1", "unknown");
    world.a_good_order_is_served("62");
    assert_eq!(world.board.turned_slots(), [5, 9]);
}

#[test]
fn a_read_only_state_directory_ends_the_agent_and_loses_no_order() {
    let Some(mount) = Mount::tmpfs(64) else { return };
    let mut world = World::with("tcn-00ff", |s| s.state = Some(mount.path().join("state")));
    world.a_good_order_is_served("59");
    assert_eq!(world.stop_agent().code(), Some(0));
    mount.set("ro");
    world.send(put("60", "78"));
    world.start_agent();
    assert_eq!(world.wait_for_end().code(), Some(1));
    mount.set("rw");
    world.start_agent();
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.board.turned_slots(), [9, 5]);
}

#[test]
fn new_orders_wait_at_the_broker_while_the_disk_is_nearly_full() {
    let Some(mount) = Mount::tmpfs(64) else { return };
    let mut world = World::with("tcn-00ff", |s| s.state = Some(mount.path().join("state")));
    world.a_good_order_is_served("59");
    assert_eq!(world.stop_agent().code(), Some(0));
    let filler = mount.path().join("filler");
    fs::write(&filler, vec![0; 50 << 20]).unwrap();
    world.start_agent();
    wait_until("word about the space", || (world.status()["has_space"] == false).then_some(()));
    world.send(put("60", "78"));
    // A known key is answered: what came before it was dealt with.
    world.send(get("59", "1"));
    world.platform.up().wait("repeated result", |up| {
        let of_59 = up.iter().map(|p| crate::common::command::opened(p)).filter(|m| m["order_id"] == "59");
        (of_59.filter(|m| m["method"] == "device.delivery.response").count() == 2).then_some(())
    });
    assert!(world.everything_told_up("60").is_empty());
    assert_eq!(world.board.turned_slots(), [9]);
    fs::remove_file(&filler).unwrap();
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.board.turned_slots(), [9, 5]);
}

#[test]
fn a_disk_that_fills_up_in_mid_vend_ends_the_agent_and_loses_no_outcome() {
    let Some(mount) = Mount::tmpfs(64) else { return };
    let mut world = World::with("adh814", |s| {
        (s.state, s.turn_ms) = (Some(mount.path().join("state")), 1_000);
    });
    world.send(put("60", "78"));
    world.board.wait_for_turns(1);
    let filler = mount.path().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4_096]).is_ok() {}
    // sled writes into the space that its file already has, until it has none left.
    for record in 1..2_000 {
        world.send(get("60", &record.to_string()));
        world.send(put("61", &record.to_string()).code("6"));
        if !world.agent().is_running() || world.log().contains("journal_failed") {
            break;
        }
    }
    let ended = world.log().contains("journal_failed");
    if ended {
        assert_eq!(world.wait_for_end().code(), Some(1));
    } else {
        world.kill9();
    }
    drop(file);
    fs::remove_file(&filler).unwrap();
    world.start_agent();
    world.one_truth("60", "78", "dispensed");
    assert_eq!(world.board.turned_slots().iter().filter(|slot| **slot == 5).count(), 1);
}

#[test]
fn a_wrong_configuration_ends_with_78_and_its_place() {
    let mut world = World::without_agent("tcn-00ff", |_| {});
    let config = world.path().join("vend.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("16327129", "1632712")).unwrap();
    world.start_agent();
    assert_eq!(world.wait_for_end().code(), Some(78));
    assert!(world.log().contains("vend.toml:1:"), "{}", world.log());
}
