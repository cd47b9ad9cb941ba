//! The cloud at which orders of sales at the machine are made, whichever it is.

use super::Session;
use super::interface::{Ask, Failure, OrderCloud, Said, Unfit, Verb};
use super::row::{Door, Merchant};
use super::table::SellingCloud;
use crate::cloud::open_platform::{ApiError, ApiRequest, Fen};
use crate::order::key::Id;
use crate::order::time::UnixMs;
use std::sync::Arc;

/// A cloud that sells, and an account there.
#[derive(Debug, Clone)]
pub struct Seller {
    cloud: SellingCloud,
    account: Arc<dyn OrderCloud>,
}

impl Seller {
    /// With the merchant's account where one gets in with that, otherwise as nobody yet; nothing where it is wanted and
    /// missing.
    #[must_use]
    pub fn new(cloud: SellingCloud, merchant: Option<&Merchant>) -> Option<Seller> {
        let account = match &cloud.sells().door {
            Door::Merchant(account) => account(merchant?),
            Door::Session { account, .. } => account(None),
        };
        Some(Seller { cloud, account })
    }

    /// The same, as whoever is logged in now.
    #[must_use]
    pub fn with_session(&self, session: Option<&Session>) -> Seller {
        let account = match &self.cloud.sells().door {
            Door::Merchant(_) => Arc::clone(&self.account),
            Door::Session { account, .. } => account(session.cloned()),
        };
        Seller { cloud: self.cloud, account }
    }

    /// Which one it is.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.cloud.name().0
    }

    /// It is the platform, which is spoken with anyway, as the merchant.
    #[must_use]
    pub const fn is_platform(&self) -> bool {
        self.cloud.is_platform()
    }

    /// Whether it can do this.
    #[must_use]
    pub fn can(&self, verb: Verb) -> bool {
        self.cloud.can(verb)
    }

    /// Whether asking twice for an order under one trade_no makes one order.
    #[must_use]
    pub const fn makes_once(&self) -> bool {
        self.cloud.sells().makes_once
    }

    /// See [`OrderCloud::request`].
    ///
    /// # Errors
    /// [`Unfit`], when the cloud cannot do that or something is missing.
    pub fn request(&self, ask: &Ask, now: UnixMs) -> Result<ApiRequest, Unfit> {
        self.account.request(ask, now)
    }

    /// See [`OrderCloud::read`].
    ///
    /// # Errors
    /// [`Failure`].
    pub fn read(&self, ask: &Ask, status: u16, body: &[u8]) -> Result<Said, Failure> {
        self.account.read(ask, status, body)
    }
}

/// The refusal says that there is an order under this trade_no already (cloud 1.8).
#[must_use]
pub const fn exists_already(failure: &Failure) -> bool {
    matches!(failure, Failure::Api(ApiError::Refused { code: 6040, .. }))
}

/// What the pay code says where the cloud gives none.
#[must_use]
pub fn pay_code(pay_url: &str, order: &Id, trade_no: &Id, amount: Fen) -> String {
    let text = pay_url.replace("{order}", order.as_str()).replace("{trade_no}", trade_no.as_str());
    text.replace("{amount}", &amount.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::sample::{account, machine};

    #[test]
    fn a_pay_code_names_the_order_and_what_it_costs() {
        let (order, trade_no) = (Id::parse("77").unwrap(), Id::parse("163271291714373688000007").unwrap());
        let told = pay_code("https://shop.example/pay?o={order}&t={trade_no}&a={amount}", &order, &trade_no, Fen(350));
        assert_eq!(told, "https://shop.example/pay?o=77&t=163271291714373688000007&a=3.50");
    }

    #[test]
    fn every_cloud_that_sells_makes_orders_and_is_asked_about_them() {
        let merchant = Merchant { account: account(), machine_no: machine(), notify_url: "https://m.example".into() };
        for cloud in SellingCloud::all() {
            let seller = Seller::new(cloud, Some(&merchant)).unwrap();
            assert!(seller.can(Verb::Create) && seller.can(Verb::Query), "{cloud:?}");
            assert_eq!(Seller::new(cloud, None).is_none(), cloud.is_platform(), "{cloud:?}");
            assert_eq!((cloud.sells().refunds, seller.makes_once()), (cloud.is_platform(), cloud.is_platform()));
        }
    }

    #[test]
    fn the_word_of_a_configuration_is_a_cloud_of_the_table_that_sells() {
        let words: Vec<String> = SellingCloud::all().map(|cloud| serde_json::to_string(&cloud).unwrap()).collect();
        assert!(words.len() > 2, "{words:?}");
        for (word, cloud) in words.iter().zip(SellingCloud::all()) {
            assert_eq!(serde_json::from_str::<SellingCloud>(word).unwrap(), cloud);
        }
        let error = serde_json::from_str::<SellingCloud>("\"songshu\"").unwrap_err().to_string();
        assert!(error.contains("unknown variant `songshu`, expected one of `platform`, `course`, `mall`"), "{error}");
    }
}
