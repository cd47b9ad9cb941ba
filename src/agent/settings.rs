//! What more than one part of the core needs of the configuration, and what sales need of it.

use super::{StartError, app_key_of};
use crate::cloud::open_platform::{Account, AppSecret};
use crate::cloud::orders::row::Merchant;
use crate::cloud::orders::seller::Seller;
use crate::config::credentials::Credentials;
use crate::config::file::WhenUnknown;
use crate::config::{self, Config};
use crate::core::{Goods, SaleSettings};

/// What the core must know of sales.
pub(super) fn sale(
    config: &Config,
    credentials: &Credentials,
    sale: &config::Sale,
) -> Result<SaleSettings, StartError> {
    let url = sale.endpoint.as_ref().or(config.cloud.as_ref().map(|cloud| &cloud.endpoint));
    let goods = |goods: &config::Goods| {
        let known =
            Goods { number: goods.number, name: goods.name.clone(), price: goods.price, label: goods.label.clone() };
        ((goods.address, goods.slot), known)
    };
    let merchant = account(config, credentials)?.map(|account| Merchant {
        account,
        machine_no: config.machine_no.clone(),
        notify_url: sale.notify_url.clone().unwrap_or_default(),
    });
    // Who is logged in is the core's to know: sessions come and go.
    let cloud = Seller::new(sale.cloud, merchant.as_ref()).ok_or_else(|| {
        StartError::configuration(
            "[sale] cloud = \"platform\" needs [cloud]",
            "[sale] cloud = \"platform\" 需要 [cloud]",
        )
    })?;
    Ok(SaleSettings {
        cloud,
        url: url.map(ToString::to_string).unwrap_or_default(),
        pay_url: sale.pay_url.clone(),
        notify_url: sale.notify_url.clone(),
        closes: sale.close,
        keypad: sale.keypad,
        refund_unknown: sale.when_unknown == WhenUnknown::Refund,
        deaf_ms: sale.serve_after_restart_s.saturating_mul(1_000),
        goods: sale.goods.iter().map(goods).collect(),
    })
}

/// The merchant's account at the open API, where there is one.
pub(crate) fn account(config: &Config, credentials: &Credentials) -> Result<Option<Account>, StartError> {
    Ok(match (&config.cloud, &credentials.app_key, &credentials.app_secret) {
        (Some(cloud), Some(app_key), Some(secret)) => Some(Account {
            app_id: cloud.app_id.clone(),
            app_secret: AppSecret::new(secret.reveal()),
            app_key: app_key_of(Some(app_key))?,
        }),
        _ => None,
    })
}
