//! Sales for the two clouds that are somewhere else: the real binary logs in at the stand-in of course or mall, sells
//! from an emulated board, and songshu and the merchant hear of it.

use crate::common::order_clouds::Served;
use crate::common::record::wait_until;
use crate::common::world::{NOTIFY_SECRET, SALE_PASSWORD, World};
use serde_json::Value;
use std::collections::BTreeMap;
use vend::cloud::orders::songshu::NoticeSecret;
use vend::order::stock::Fen;
use vend::sim::cloud::StandIn;
use vend::sim::clouds::Door;
use vend::sim::clouds::course::{self, Album, SimCourse};
use vend::sim::clouds::mall::{self, Item, NoDate, SimMall};
use vend::sim::clouds::songshu::SimSongshu;

/// A machine that sells 3.05 from slot 5, and the same from slot 6, whose motor is stuck, and slot 7.
struct Shop<S> {
    cloud: Served<S>,
    songshu: Served<SimSongshu>,
    world: World,
}

impl<S: StandIn + 'static> Shop<S> {
    /// `lines`: what this cloud needs in `[sale]`; `goods`: its numbers of what lies in the three slots.
    fn open(cloud: S, name: &str, lines: &str, goods: [u64; 3]) -> Shop<S> {
        let cloud = Served::start(cloud, None);
        let secret = NoticeSecret::new(NOTIFY_SECRET).unwrap();
        let songshu = Served::start(SimSongshu::new(Some("wx5".to_owned()), Some(secret)), None);
        let entries: Vec<String> = (5..)
            .zip(goods)
            .map(|(slot, goods)| format!("{{ slot = {slot}, goods = {goods}, name = \"可乐\", price = \"3.05\" }}"))
            .collect();
        let sale = format!(
            "cloud = \"{name}\"\nurl = \"{}\"\nlog_in_name = \"machine\"\n{lines}\ngoods = [{}]",
            cloud.url(),
            entries.join(", ")
        );
        let world = World::with("uling-zdm8", |s| {
            (s.sale, s.notify, s.turn_ms) = (Some(sale), Some(songshu.url()), 300);
            s.faults = vec!["jam:6"];
        });
        world.wait_until_line_is("idle");
        Shop { cloud, songshu, world }
    }

    /// Somebody chooses: the sale once its pay code is shown.
    fn choose(&self, slot: &str) -> Value {
        // A sale is told as served while the board is still being asked to forget it.
        self.world.wait_until_line_is("idle");
        let told = self.world.tool(&["sale", "start", "--slot", slot, "--no-wait", "--json"], "");
        assert_eq!(told.code, Some(0), "{}", told.err);
        wait_until("the pay code", || Some(self.world.sale()).filter(|sale| sale["pay_code"].is_string()))
    }

    /// And pays, at the cloud, which notices by itself.
    fn pay(&self, sale: &Value) {
        self.cloud.books().set_order(sale["order"].as_str().unwrap(), None).unwrap();
    }

    /// What songshu has heard of a sale: paid, and how much.
    fn songshu_heard(&self, sale: &Value) -> Option<(bool, Fen)> {
        let books = self.songshu.books();
        books.orders.get(sale["trade_no"].as_str().unwrap()).map(|order| (order.is_paid, order.amount))
    }

    /// One sale that ends well, whose session was over when it was paid, and one whose goods are stuck.
    fn serves_one_and_owes_one(&self) {
        let sale = self.choose("5");
        wait_until("songshu to hear of the order", || self.songshu_heard(&sale).filter(|(paid, _)| !paid));
        self.cloud.books().log_all_out();
        self.pay(&sale);
        self.world.wait_for_sale("served");
        wait_until("songshu to hear of the payment", || {
            self.songshu_heard(&sale).filter(|heard| *heard == (true, Fen(305)))
        });

        let stuck = self.choose("6");
        assert_ne!(stuck["order"], sale["order"]);
        self.pay(&stuck);
        let owed = self.world.wait_for_sale("owed");
        assert_eq!((&owed["needs_person"], &owed["why"]), (&true.into(), &"not_dispensed".into()));
        let number = stuck["sale"].to_string();
        let told = self.world.tool(&["sale", "settle", &number, "--reason", "paid back in cash"], "");
        assert_eq!(told.code, Some(0), "{}", told.err);
        self.world.wait_until_settled();
        let told: Vec<(String, String)> = self.world.sales_told();
        let expected = [("served", "1"), ("owed", "0"), ("settled", "1")].map(|(s, f)| (s.to_owned(), f.to_owned()));
        assert_eq!((told, self.world.board.turned_slots()), (expected.to_vec(), vec![5, 6]));
        assert!(!self.world.log().contains(SALE_PASSWORD));
    }
}

#[test]
fn at_course_a_sale_is_served_another_is_owed_and_what_is_paid_already_is_never_charged() {
    let album = |is_owned| Album { name: "可乐".to_owned(), price: Fen(305), is_owned };
    let course = SimCourse {
        albums: BTreeMap::from([(2, album(false)), (3, album(true))]),
        door: Door::locked(SALE_PASSWORD),
        ..SimCourse::default()
    };
    let lines =
        format!("log_in_path = \"{}\"\npay_url = \"https://pay.example/{{order}}?a={{amount}}\"", course::LOG_IN_PATH);
    let shop = Shop::open(course, "course", &lines, [2, 2, 3]);
    shop.serves_one_and_owes_one();
    // Status 2: nobody is shown a code, and the goods come.
    shop.world.wait_until_line_is("idle");
    let told = shop.world.tool(&["sale", "start", "--slot", "7"], "");
    assert_eq!(told.code, Some(0), "{} {}", told.out, told.err);
    assert!(!told.err.contains("pay.example"), "{}", told.err);
    assert_eq!(shop.world.board.turned_slots(), [5, 6, 7]);
    // What course said itself it is not told.
    assert!(shop.cloud.books().orders.values().all(|order| order.told == 0));
}

#[test]
fn at_mall_a_sale_is_served_and_another_is_owed_in_both_shapes_of_its_orders() {
    let item = Item { product_id: 36, name: "可乐".to_owned(), price: Fen(305), quantity: 1 };
    let mall = SimMall {
        cart: vec![item],
        addresses: vec![6_806],
        door: Door::locked(SALE_PASSWORD),
        comments: true,
        ..SimMall::default()
    };
    let log_in = format!("log_in_path = \"{}\"\nlog_in_fields = [\"username\", \"password\"]", mall::LOG_IN_PATH);
    let shop = Shop::open(mall, "mall", &log_in, [6_806; 3]);
    shop.serves_one_and_owes_one();
    (shop.cloud.books().other_shape, shop.cloud.books().no_date) = (true, NoDate::Null);
    let sale = shop.choose("7");
    let code = format!("weixin://wxpay/bizpayurl?pr={}", sale["order"].as_str().unwrap());
    assert_eq!(sale["pay_code"], code);
    shop.cloud.books().no_date = NoDate::Absent;
    shop.pay(&sale);
    shop.world.wait_for_sale("served");
    assert_eq!(shop.world.board.turned_slots(), [5, 6, 7]);
}
