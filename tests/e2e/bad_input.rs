//! Nonsense over the wire: nothing turns, nothing is answered, it is kept for people, and what comes after is served.

use crate::common::command::{Command, envelope, now_s, put};
use crate::common::world::World;

fn json(order: &str) -> String {
    put(order, "1").code("5").json()
}

#[test]
fn nonsense_is_put_aside_and_what_comes_after_is_served() {
    let world = World::with("tcn-00ff", |s| s.turn_ms = 20);
    let many_fields = (0..100).fold(put("70", "1"), |command, k| command.with(&format!("field{k}"), "x"));
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("not Base64", b"%%%".to_vec()),
        ("bytes", vec![0, 0xFF, 0xFE]),
        ("not JSON", envelope(b"{\"method\":")),
        ("not an object", envelope(b"[1,2]")),
        ("nested", envelope(json("70").replacen('{', "{\"extra\":{\"code\":\"5\"},", 1).as_bytes())),
        ("very deep", envelope(deep.as_bytes())),
        ("a key twice", envelope(json("70").replacen('{', "{\"code\":\"6\",", 1).as_bytes())),
        ("a wrong signature", envelope(json("70").replace("\"code\":\"5\"", "\"code\":\"6\"").as_bytes())),
        ("a foreign key", put("70", "1").signed_with("kvb").payload()),
        ("another machine", put("70", "1").with("client_id", "16327130").payload()),
        ("no machine", put("70", "1").without("client_id").payload()),
        ("no order_id", put("70", "1").without("order_id").payload()),
        ("an empty record_id", put("70", "").payload()),
        ("a path as order_id", put("../../etc", "1").payload()),
        ("no timestamp", put("70", "1").without("timestamp").payload()),
        ("no method", put("70", "1").without("method").payload()),
        ("an unknown method", put("70", "1").with("method", "device.self.destruct").payload()),
        ("too many fields", many_fields.payload()),
        ("too long a field", put("70", "1").with("extra", &"x".repeat(5_000)).payload()),
        ("300 kB", put("70", "1").with("extra", &"x".repeat(225_000)).payload()),
    ];
    let count = bad.len();
    for (k, (what, payload)) in bad.into_iter().enumerate() {
        world.platform.send(payload);
        world.a_good_order_is_served(&format!("{}", 100 + k));
        let rejected = world.status()["counters"]["rejected"].as_u64();
        assert_eq!(rejected, Some(k as u64 + 1), "{what} was not put aside");
    }
    assert_eq!(world.board.turned_slots(), vec![9; count]);
    assert!(world.everything_told_up("70").is_empty(), "something was answered");
    assert!(world.receiver.tries("70", "1").is_empty(), "something was reported");
}

#[test]
fn a_signed_order_that_cannot_be_driven_is_refused_with_a_report() {
    let world = World::with("tcn-00ff", |s| s.turn_ms = 20);
    let far = (now_s() + 2_000_000_000).to_string();
    let orders: Vec<(&str, Command, &str)> = vec![
        ("1", put("60", "1").with("quantity", "0"), "invalid"),
        ("2", put("60", "2").with("quantity", "-1"), "invalid"),
        ("3", put("60", "3").with("quantity", "11"), "invalid"),
        ("4", put("60", "4").with("quantity", "1000000000"), "invalid"),
        ("5", put("60", "5").without("code"), "invalid"),
        ("6", put("60", "6").code(""), "invalid"),
        ("7", put("60", "7").code("abc"), "invalid"),
        ("8", put("60", "8").code("99999999999999999999"), "invalid"),
        ("9", put("60", "9").code("81"), "slot"),
        ("10", put("60", "10").with("expired_at", "soon"), "invalid"),
        ("11", put("60", "11").with("timestamp", &far), "clock"),
        ("12", put("60", "12").with("delivery_id", "x&code=6"), "ambiguous"),
    ];
    for (record, command, reason) in orders {
        world.send(command);
        let report = world.report("60", record);
        assert_eq!((&report["outcome"], &report["error_msg"]), (&"refused".into(), &reason.into()), "{report}");
    }
    world.a_good_order_is_served("61");
    assert_eq!(world.board.turned_slots(), [9]);
}
