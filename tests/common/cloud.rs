//! The platform's open API, served over HTTP.

use super::command::{APP_KEY, MACHINE_NO};
use super::http_server::{Answer, HttpServer};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use vend::cloud::open_platform::{Account, AppSecret};
use vend::cloud::sign::SigningKey;
use vend::order::key::MachineNo;
use vend::order::stock::Fen;
use vend::sim::cloud::{Mishap, SimCloud, SimOrder, SimProduct, StandIn as _};

pub const APP_ID: &str = "ds069ed4223ac1660f";
pub const APP_SECRET: &str = "hush";

/// The platform as HTTP sees it.
pub struct Cloud {
    pub server: HttpServer,
    books: Arc<Mutex<SimCloud>>,
}

impl Cloud {
    pub fn start() -> Cloud {
        let account = Account {
            app_id: APP_ID.to_owned(),
            app_secret: AppSecret::new(APP_SECRET),
            app_key: SigningKey::new(APP_KEY).unwrap(),
        };
        let books = Arc::new(Mutex::new(SimCloud::new(account, MachineNo::parse(MACHINE_NO).unwrap())));
        let theirs = books.clone();
        let server = HttpServer::start(None, move |request| {
            let headers: Vec<(&str, &str)> = request.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let answer = theirs.lock().unwrap().answer(&request.method, &request.path, &headers, &request.body);
            Answer::Whole { status: answer.0, headers: String::new(), body: answer.1 }
        });
        Cloud { server, books }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    fn books(&self) -> MutexGuard<'_, SimCloud> {
        self.books.lock().unwrap()
    }

    /// Puts an order on the books: paid as `status` says, its one record waiting.
    pub fn has_order(&self, order_id: u64, record_id: u64, status: &str) {
        self.has_on_its_books(order_id, record_id, status, "WAITING_PICKED_UP");
    }

    /// The books say this of an order and its one record.
    pub fn has_on_its_books(&self, order_id: u64, record_id: u64, status: &str, record: &str) {
        let records = BTreeMap::from([(record_id, record.to_owned())]);
        self.books().orders.insert(order_id, SimOrder { status: status.to_owned(), records });
    }

    /// A buyer pays an order that is open.
    pub fn pay(&self, order_id: u64) {
        let mut books = self.books();
        let order = books.orders.get_mut(&order_id).expect("the order is on the books");
        assert_eq!(order.status, "NOTPAY");
        "SUCCESS".clone_into(&mut order.status);
    }

    pub fn order_status(&self, order_id: u64) -> String {
        self.books().orders[&order_id].status.clone()
    }

    /// Sells a product from a slot, as the platform numbers both.
    pub fn sells(&self, product_id: u64, code: &str, stock: u64, capacity: u64) {
        let (name, channel_name, code) = ("可乐".to_owned(), format!("A{code}"), code.to_owned());
        let product = SimProduct { name, price: Fen(305), channel_name, code, addr: 1, stock, capacity };
        self.books().products.insert(product_id, product);
    }

    /// What the next calls meet.
    pub fn meets(&self, mishaps: impl IntoIterator<Item = Mishap>) {
        self.books().mishaps.extend(mishaps);
    }

    /// From now on nothing is amiss.
    pub fn recovers(&self) {
        self.books().mishaps.clear();
    }

    /// Waits for so many calls about this order, by one method.
    pub fn wait_for_calls(&self, method: &str, order_id: u64, count: usize) {
        let path = format!("/orders/{order_id}");
        self.server.requests().wait(&format!("{method} number {count} about order {order_id}"), |requests| {
            let calls = requests.iter().filter(|r| r.method == method && r.path.ends_with(&path)).count();
            (calls >= count).then_some(())
        });
    }

    pub fn calls(&self, method: &str, order_id: u64) -> usize {
        let path = format!("/orders/{order_id}");
        self.server.requests().all().iter().filter(|r| r.method == method && r.path.ends_with(&path)).count()
    }
}
