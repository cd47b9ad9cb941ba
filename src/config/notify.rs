//! `[notify]`: who is told of every order that the machine sees paid or makes.

use super::endpoint;
use super::file::{self, NotifyMode, NotifySection};
use super::problem::{Both, Complaint};
use super::resolve::Check;
use super::{Notify, NotifyPace};
use crate::order::key::Id;
use crate::order::payment::OpenId;
use toml::Spanned;

impl Check<'_> {
    /// Nothing where nobody is told.
    pub(super) fn notify(&mut self, section: &NotifySection) -> Option<Notify> {
        let batch_s = self.number(&section.batch_s, "notify.batch_s", file::BATCH_S);
        let Some(url) = &section.url else {
            if section.app_id.is_some() || section.openid.is_some() || section.ca_file.is_some() {
                self.missing("notify", "url = \"https://host\"", Some("[notify]"));
            }
            return None;
        };
        let endpoint = self.url(url, "notify", "notify.url", endpoint::HTTP, section.allow_plaintext);
        let ca_file = self.ca_file(&section.ca_file, "notify.ca_file");
        if endpoint.as_ref().is_some_and(|endpoint| !endpoint.tls) {
            self.tls_used(&section.ca_file, "notify.ca_file", endpoint::HTTP.tls.0);
        }
        let app_id = self.name(
            &section.app_id,
            ("notify.app_id", "app_id = \"wx0000000000000000\""),
            |text| Id::parse(text).ok(),
            ("1 to 64 of 0-9 A-Z a-z _ . -", "1 到 64 个字符：0-9 A-Z a-z _ . -"),
        );
        let openid = self.name(
            &section.openid,
            ("notify.openid", "openid = \"o000000000000000000000000000\""),
            |text| OpenId::parse(text).ok(),
            ("1 to 128 visible ASCII characters", "1 到 128 个可见 ASCII 字符"),
        );
        Some(Notify {
            endpoint: endpoint?,
            ca_file,
            app_id: app_id?,
            openid: openid?,
            is_signed: section.signed,
            pace: match section.mode {
                NotifyMode::Realtime => NotifyPace::Realtime,
                NotifyMode::Batch => NotifyPace::Batch { every_s: batch_s? },
            },
            status_as_text: section.pay_status == file::PayStatusForm::Text,
            is_test: section.test,
        })
    }

    /// A name that must be there and have its form.
    fn name<T>(
        &mut self,
        written: &Option<Spanned<String>>,
        (key, example): (&'static str, &'static str),
        parse: impl FnOnce(&str) -> Option<T>,
        (en, zh): (&'static str, &'static str),
    ) -> Option<T> {
        let Some(written) = written else {
            self.missing("notify", example, Some("notify.url"));
            return None;
        };
        let parsed = parse(written.as_ref());
        if parsed.is_none() {
            let message = Both::new(format!("{key} is none"), format!("{key} 无效"));
            let hint = Both::new(format!("write it as it was given: {en}"), format!("请按平台所给填写：{zh}"));
            self.complain(written.span(), Complaint::Unfit { message, hint });
        }
        parsed
    }
}
