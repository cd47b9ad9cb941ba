//! What the core must know of the clouds beside the platform, out of configuration and credentials.

use super::StartError;
use crate::cloud::orders::batch::Pace;
use crate::cloud::orders::songshu::{Account, NoticeSecret, StatusForm};
use crate::config::credentials::{Credentials, Secret};
use crate::config::{Config, NotifyPace};
use crate::core::NotifySettings;
use crate::order::civil::Zone;

/// Who is told of every order.
///
/// # Errors
/// When the secret is empty, which the credentials do not allow.
pub(super) fn notify(config: &Config, credentials: &Credentials) -> Result<Option<NotifySettings>, StartError> {
    let Some(notify) = &config.notify else { return Ok(None) };
    let secret = credentials.notify_secret.as_ref().filter(|_| notify.is_signed);
    let secret = secret.map(Secret::reveal).map(NoticeSecret::new).transpose().map_err(StartError::configuration)?;
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
