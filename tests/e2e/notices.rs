//! songshu hears of every order, signed, and after a kill as well; its troubles hold up nobody.

use crate::common::command::put;
use crate::common::order_clouds::Served;
use crate::common::record::wait_until;
use crate::common::world::{NOTIFY_SECRET, World};
use vend::cloud::orders::songshu::NoticeSecret;
use vend::order::stock::Fen;
use vend::sim::cloud::Mishap;
use vend::sim::clouds::songshu::SimSongshu;

#[test]
fn songshu_hears_of_each_order_and_of_one_that_it_missed_after_the_agent_was_killed() {
    let secret = NoticeSecret::new(NOTIFY_SECRET).unwrap();
    let mut songshu = Served::start(SimSongshu::new(Some("wx5".to_owned()), Some(secret)), None);
    let url = songshu.url();
    let mut world = World::with("tcn-00ff", |s| (s.turn_ms, s.notify) = (50, Some(url)));
    songshu.books().mishaps.extend([Mishap::Html, Mishap::AnswerLost]);
    world.send(put("60", "78").with("amount", "3.50").with("openid", "oBuyer"));
    world.one_truth("60", "78", "dispensed");
    let told = |songshu: &Served<SimSongshu>, order: &str| songshu.books().orders.get(order).cloned();
    let heard = wait_until("the notice", || told(&songshu, "60-78"));
    assert_eq!((heard.is_paid, heard.amount, heard.openid.as_str()), (true, Fen(350), "oBuyer"));

    songshu.server.go_away();
    world.send(put("61", "79").with("amount", "1.00"));
    world.one_truth("61", "79", "dispensed");
    world.kill9();
    songshu.server.come_back();
    world.start_agent();
    let heard = wait_until("the notice after the kill", || told(&songshu, "61-79"));
    assert_eq!((heard.amount, heard.openid.as_str()), (Fen(100), "oMachine"));
    assert!(heard.bodies.windows(2).all(|two| two[0] == two[1]));
    let faults = world.tool(&["cloud", "faults", "--json"], "");
    assert!(faults.out.contains("\"schema_version\":1") && faults.out.contains("\"faults\":[]"), "{}", faults.err);
    assert!(!world.log().contains("oBuyer") && !world.log().contains(NOTIFY_SECRET));
}
