//! The cloud at which orders of sales at the machine are made, whichever it is.

use super::interface::{Ask, Failure, OrderCloud, Said, TABLE, Unfit, Verb};
use super::{Session, course, mall, platform};
use crate::cloud::open_platform::{ApiError, ApiRequest, Fen};
use crate::order::key::Id;
use crate::order::time::UnixMs;

/// A cloud that sells.
#[derive(Debug, Clone)]
pub enum Seller {
    /// See [`platform`].
    Platform(platform::Platform),
    /// See [`course`].
    Course(course::Account),
    /// See [`mall`].
    Mall(mall::Account),
}

impl Seller {
    /// The name that a configuration uses.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Seller::Platform(_) => "platform",
            Seller::Course(_) => "course",
            Seller::Mall(_) => "mall",
        }
    }

    /// The same, as whoever is logged in now.
    #[must_use]
    pub fn with_session(&self, session: Option<&Session>) -> Seller {
        let session = session.cloned();
        match self {
            Seller::Platform(platform) => Seller::Platform(platform.clone()),
            Seller::Course(_) => Seller::Course(course::Account { session }),
            Seller::Mall(_) => Seller::Mall(mall::Account { session }),
        }
    }

    /// Whether it can do this.
    #[must_use]
    pub fn can(&self, verb: Verb) -> bool {
        TABLE.iter().any(|(name, can)| *name == self.name() && can.contains(&verb))
    }

    /// Whether asking twice for an order under one trade_no makes one order: only the platform sees it, and refuses the
    /// second (6040, cloud 1.8).
    #[must_use]
    pub const fn makes_once(&self) -> bool {
        matches!(self, Seller::Platform(_))
    }

    /// Whether it gives money back when it is told to: the platform, by PUT status 2.
    #[must_use]
    pub const fn refunds(&self) -> bool {
        matches!(self, Seller::Platform(_))
    }

    fn cloud(&self) -> &dyn OrderCloud {
        match self {
            Seller::Platform(cloud) => cloud,
            Seller::Course(cloud) => cloud,
            Seller::Mall(cloud) => cloud,
        }
    }

    /// See [`OrderCloud::request`].
    ///
    /// # Errors
    /// [`Unfit`], when the cloud cannot do that or something is missing.
    pub fn request(&self, ask: &Ask, now: UnixMs) -> Result<ApiRequest, Unfit> {
        self.cloud().request(ask, now)
    }

    /// See [`OrderCloud::read`].
    ///
    /// # Errors
    /// [`Failure`].
    pub fn read(&self, ask: &Ask, status: u16, body: &[u8]) -> Result<Said, Failure> {
        self.cloud().read(ask, status, body)
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

    #[test]
    fn a_pay_code_names_the_order_and_what_it_costs() {
        let (order, trade_no) = (Id::parse("77").unwrap(), Id::parse("163271291714373688000007").unwrap());
        let told = pay_code("https://shop.example/pay?o={order}&t={trade_no}&a={amount}", &order, &trade_no, Fen(350));
        assert_eq!(told, "https://shop.example/pay?o=77&t=163271291714373688000007&a=3.50");
    }

    #[test]
    fn every_cloud_that_sells_makes_orders_and_is_asked_about_them() {
        for seller in [Seller::Course(course::Account { session: None }), Seller::Mall(mall::Account { session: None })]
        {
            assert!(seller.can(Verb::Create) && seller.can(Verb::Query), "{}", seller.name());
            assert!(!seller.refunds() && !seller.makes_once());
        }
    }
}
