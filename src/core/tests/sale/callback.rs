//! A gateway at the machine relays what a payment system says: a hint, and a word for the cloud that wants to hear it.

use super::super::world::World;
use super::{QUERY, mall_world};
use crate::core::event::{Event, Token};
use crate::core::{Callback, PayWord, PaymentHeard, PaymentSettings, Reply, SaleRefusal};

fn callback(path: &str, result: PayWord) -> Callback {
    Callback {
        path: path.to_owned(),
        result,
        trade_no: "5-9996-6d2d".to_owned(),
        third_trade_no: "2018070521001".to_owned(),
        third_buyer_id: "2088".to_owned(),
        amount: "3.50".to_owned(),
    }
}

impl World {
    fn relays(&mut self, callback: &Callback) -> Result<PaymentHeard, SaleRefusal> {
        let paid = Box::new(callback.paid().expect("a payment"));
        self.step(Event::PaymentHeard { token: Token(4), paid });
        match self.replies.last() {
            Some(Reply::PaymentHeard(heard)) => *heard,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_callback_has_the_cloud_asked_at_once_and_turns_nothing_by_itself() {
    let mut w = mall_world();
    w.show_at_mall();
    w.shop_says(10);
    assert!(!w.waits_for(QUERY));
    let said = callback("wxpay", PayWord::Text("SUCCESS".to_owned()));
    assert_eq!(w.relays(&said), Ok(PaymentHeard { cloud_told: false, sales_asked: 1 }));
    assert!(w.waits_for(QUERY), "at once, and not after a second");
    w.shop_says(10);
    assert_eq!(w.driven(), 0, "the shop does not know of it");
    w.pass_s(1);
    w.shop_says(20);
    assert_eq!(w.driven(), 1);
}

#[test]
fn both_spellings_of_success_are_told_to_course_durably_as_they_came() {
    for (path, result, wanted) in [
        ("wxpay", PayWord::Text("SUCCESS".to_owned()), "result=SUCCESS&"),
        ("alipay", PayWord::Number(2), "result=2&"),
        ("alipay", PayWord::Text("2".to_owned()), "result=2&"),
        ("wxpay", PayWord::Text("success".to_owned()), "result=FAIL&"),
        ("wxpay", PayWord::Number(0), "result=FAIL&"),
    ] {
        let mut settings = mall_world().settings;
        settings.payments = Some(PaymentSettings {
            url: "https://course.example".to_owned(),
            hears: Some(crate::cloud::orders::course::HEARS),
            session: None,
            log_in: None,
        });
        let mut w = World::with(settings);
        w.disk_is_quick = false;
        let paid = Box::new(callback(path, result).paid().unwrap());
        w.step(Event::PaymentHeard { token: Token(4), paid });
        let to = format!("POST https://course.example/orders/{path}");
        assert!(w.replies.is_empty() && !w.waits_for(&to), "nothing leaves before it is durable");
        w.commit();
        let heard = Ok(PaymentHeard { cloud_told: true, sales_asked: 0 });
        assert_eq!(w.replies.last(), Some(&Reply::PaymentHeard(heard)));
        let body = String::from_utf8(w.reply_to(&to, 200, r#"{"code":0}"#).body).unwrap();
        assert!(body.contains(wanted) && body.contains("trade_no=5-9996-6d2d&"), "{body}");
    }
}

#[test]
fn a_callback_that_cannot_be_read_names_its_field_and_one_without_sales_is_refused() {
    let good = callback("wxpay", PayWord::Number(2));
    let bad = |change: &dyn Fn(&mut Callback)| {
        let mut callback = good.clone();
        change(&mut callback);
        callback.paid().unwrap_err()
    };
    assert!(bad(&|c| c.path = "cash".to_owned()).contains("path"));
    assert!(bad(&|c| c.trade_no = "5 9996".to_owned()).contains("trade_no"));
    assert!(bad(&|c| c.amount = "3.505".to_owned()).contains("amount"));
    assert!(bad(&|c| c.third_trade_no = "9".repeat(65)).contains("third_trade_no"));
    assert!(bad(&|c| c.third_buyer_id = "a\nb".to_owned()).contains("third_buyer_id"));
    assert_eq!(World::new().relays(&good), Err(SaleRefusal::NotConfigured));
}
