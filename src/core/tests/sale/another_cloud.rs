//! The configuration names another cloud than the one that made a sale's order: numbers of orders mean something at one
//! cloud only.

use super::super::world::{DISPENSED, OPEN, World};
use super::{CREATE, PLATFORM_ORDER, PLATFORM_PUT, QUERY, mall_world, platform_world};

impl World {
    /// The next life sells as that one does.
    fn sells_as(&mut self, other: World) {
        self.settings.sale = other.settings.sale;
        self.kill();
    }

    fn sells_elsewhere(&mut self, url: &str) {
        self.settings.sale.as_mut().unwrap().url = url.to_owned();
        self.kill();
    }
}

#[test]
fn rule_54_an_order_of_another_cloud_is_neither_asked_about_nor_paid_back_here() {
    let mut w = mall_world();
    w.show_at_mall();
    w.sells_as(platform_world());
    assert!(!w.waits_for(PLATFORM_ORDER), "the platform's order 77 is somebody else's");
    w.is("doubt", Some("not_asked"));
    assert_eq!(w.core.sales_for_people(), 1);
    assert_eq!((w.sale().cloud.as_deref(), w.sale().cloud_host.as_deref()), (Some("mall"), Some("shop.example")));
    let told: serde_json::Value =
        serde_json::from_slice(&w.reply_to("POST https://merchant.example/sold", 200, "").body).unwrap();
    assert_eq!((told["cloud"].as_str(), told["order_id"].as_str()), (Some("mall"), Some("77")));

    // Another shop of the same kind is another cloud as well.
    let mut w = mall_world();
    w.show_at_mall();
    w.sells_elsewhere("https://other.example");
    assert!(!w.waits_for("GET https://other.example"));
    w.is("doubt", Some("not_asked"));
    let mut w = mall_world();
    w.show_at_mall();
    w.sells_elsewhere("https://shop.example/");
    assert!(w.waits_for(QUERY), "the same host is the same shop");

    // Paid at the mall, and nothing came out after the machine had begun to sell at the platform.
    let mut w = mall_world();
    w.show_at_mall();
    w.shop_says(20);
    w.sells_as(platform_world());
    w.board_ends(OPEN);
    assert!(!w.waits_for(PLATFORM_PUT));
    w.is("owed", Some("not_dispensed"));
}

#[test]
fn what_the_platform_sold_is_paid_back_there_also_when_the_machine_sells_elsewhere_by_now() {
    let mut w = platform_world();
    w.show_at_platform();
    w.platform_says("SUCCESS");
    w.sells_as(mall_world());
    w.board_ends(OPEN);
    w.is("refunding", Some("not_dispensed"));
    assert!(w.waits_for(PLATFORM_PUT));

    // A platform at another host has another order 77.
    let mut w = platform_world();
    w.show_at_platform();
    w.platform_says("SUCCESS");
    w.settings.cloud.url = "https://other.example".to_owned();
    w.sells_elsewhere("https://other.example");
    w.board_ends(OPEN);
    w.is("owed", Some("not_dispensed"));
    assert!(!w.waits_for("PUT"));
}

#[test]
fn an_order_of_another_cloud_does_not_stand_in_the_way_of_one_with_its_number() {
    // A message of the platform, about another order 77 than the mall's.
    let mut w = mall_world();
    w.show_at_mall();
    w.shop_says(20);
    w.board_ends(DISPENSED);
    w.deliver(&w.put("77", "1"));
    assert_eq!(w.driven(), 2);
    w.board_ends(DISPENSED);

    // A sale at the platform.
    w.sells_as(platform_world());
    w.pass_s(60);
    w.choose(5).unwrap();
    w.platform_makes_it();
    w.platform_says("NOTPAY");
    w.is("waiting", None);
    w.platform_says("SUCCESS");
    assert_eq!(w.driven(), 1, "the first of this life");
    w.board_ends(DISPENSED);
    w.is("served", None);

    // And back: the mall's own order 77 was served.
    w.sells_as(mall_world());
    w.pass_s(60);
    w.choose(5).unwrap();
    w.mall_order(CREATE, 10, "3.50");
    w.is("failed", Some("sold_before"));
}
