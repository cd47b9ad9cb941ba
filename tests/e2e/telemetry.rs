//! What the machine tells of itself over a real broker, and what it knows of its slots.

use crate::common::command::put;
use crate::common::record::wait_until;
use crate::common::world::World;
use serde_json::{Value, json};

fn slots(world: &World) -> Vec<Value> {
    // Its socket is there when it answers.
    world.status();
    let told = world.tool(&["slot", "list", "--json"], "");
    assert_eq!(told.code, Some(0), "{}", told.err);
    let mut answer: Value = serde_json::from_str(&told.out).unwrap();
    serde_json::from_value(answer["slots"].take()).unwrap()
}

#[test]
fn signs_of_life_begin_with_the_connection_and_the_platform_hears_of_both_ends() {
    let mut world = World::with("tcn-00ff", |s| s.climate_s = Some(300));
    let heartbeat = world.told_up("client.heartbeat", |_| true);
    assert_eq!((&heartbeat["client_id"], &heartbeat["status"]), (&json!("16327129"), &json!("0")));
    let env = world.told_up("client.machine.env.put", |_| true);
    assert_eq!((&env["board_profile"], &env["app_version"]), (&json!("tcn-00ff"), &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!(world.told_up("client.machine.config.put", |_| true)["climate_s"], "300");
    assert_eq!(world.told_up("client.temperature.put", |_| true)["temperature"], "5.0");
    world.kill9();
    world.told_up("client.offline", |message| message["reason"] == "network_timeout");
    world.platform.up().clear();
    world.start_agent();
    world.told_up("client.heartbeat", |_| true);
    assert_eq!(world.stop_agent().code(), Some(0));
    world.told_up("client.offline", |message| message["reason"] == "stopped");
}

#[test]
fn the_catalogue_is_shown_what_is_sold_is_counted_and_both_outlive_a_kill() {
    let mut world = World::without_agent("tcn-00ff", |s| (s.catalogue, s.verify_orders) = (true, "late"));
    world.cloud.sells(20, "005", 4, 9);
    world.start_agent();
    let shown = wait_until("the catalogue", || slots(&world).pop());
    assert_eq!((&shown["slot"], &shown["product"], &shown["price_fen"]), (&json!(5), &json!("可乐"), &json!(305)));
    assert_eq!((&shown["count"], &shown["capacity"], &shown["condition"]), (&json!(4), &json!(9), &json!("well")));
    world.send(put("60", "78").code("5"));
    world.report("60", "78");
    let told = world.told_up("client.product.put", |_| true);
    assert_eq!((&told["product_id"], &told["current_inventory"]), (&json!("20"), &json!("3")));
    world.kill9();
    world.cloud.server.requests().clear();
    world.start_agent();
    assert_eq!(slots(&world)[0]["count"], 3);

    let told = world.tool(&["slot", "restock", "5", "--json"], "");
    assert_eq!(told.code, Some(0), "{}", told.err);
    let told = world.told_up("client.product.restock", |_| true);
    assert_eq!((&told["product_ids"], &told["operation"]), (&json!("[\"20\"]"), &json!("1")));
    assert_eq!(slots(&world)[0]["count"], 9);
    let row = world.tool(&["slot", "restock", "5", "7", "--plain"], "").out;
    assert_eq!(row, "1\t5\t5\t可乐 (20)\t3.05\t7/9\twell\n");
    for (arguments, code) in
        [(["slot", "restock", "999"], 6), (["slot", "clear", "999"], 6), (["slot", "restock", "6"], 5)]
    {
        assert_eq!(world.tool(&arguments, "").code, Some(code), "{arguments:?}");
    }
    assert_eq!(world.tool(&["slot", "clear", "5", "--plain"], "").out, row);
}
