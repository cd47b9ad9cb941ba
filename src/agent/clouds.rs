//! What the core must know of the clouds beside the platform, out of configuration and credentials.

use super::StartError;
use crate::cloud::orders::Session;
use crate::cloud::orders::batch::Pace;
use crate::cloud::orders::session::LogIn;
use crate::cloud::orders::songshu::{Account, NoticeSecret, StatusForm};
use crate::config::credentials::{Credentials, Secret};
use crate::config::{Config, NotifyPace};
use crate::core::{NotifySettings, PaymentSettings};
use crate::order::civil::Zone;
use crate::order::said::said;

/// Who is told of every order.
///
/// # Errors
/// When the secret is empty, which the credentials do not allow.
pub(super) fn notify(config: &Config, credentials: &Credentials) -> Result<Option<NotifySettings>, StartError> {
    let Some(notify) = &config.notify else { return Ok(None) };
    let secret = credentials.notify_secret.as_ref().filter(|_| notify.is_signed);
    let secret =
        secret.map(Secret::reveal).map(NoticeSecret::new).transpose().map_err(|error| StartError::because(&error))?;
    Ok(Some(NotifySettings {
        url: notify.endpoint.to_string(),
        account: Account {
            app_id: notify.app_id.clone(),
            secret,
            zone: Zone::CHINA,
            status_form: if notify.status_as_text { StatusForm::Text } else { StatusForm::Number },
        },
        openid: notify.openid.clone(),
        pace: match notify.pace {
            NotifyPace::Realtime => Pace::NearRealTime,
            NotifyPace::Batch { every_s } => Pace::Batches { every_ms: every_s.saturating_mul(1_000) },
        },
        is_test: notify.is_test,
    }))
}

/// Who the machine is at the cloud that sells; nothing where that is the platform.
///
/// # Errors
/// When the session is none.
pub(super) fn payments(config: &Config, credentials: &Credentials) -> Result<Option<PaymentSettings>, StartError> {
    let Some(sale) = &config.sale else { return Ok(None) };
    let Some((way, hears)) = sale.cloud.log_in() else { return Ok(None) };
    let session = credentials.sale_session.as_ref().map(Secret::reveal).map(Session::new).transpose();
    let password = credentials.sale_password.as_ref().map(Secret::reveal).unwrap_or_default();
    let log_in = sale.log_in.as_ref().map(|log_in| {
        let [name, secret] = log_in.fields.clone();
        LogIn {
            path: log_in.path.clone(),
            way,
            name: (name, log_in.name.clone()),
            password: (secret, password.to_owned()),
        }
    });
    Ok(Some(PaymentSettings {
        url: sale.endpoint.as_ref().map(ToString::to_string).unwrap_or_default(),
        hears,
        session: session.map_err(|error| {
            StartError::Configuration(said!("sale_session: {error}", "sale_session：{error}", error))
        })?,
        log_in,
    }))
}
