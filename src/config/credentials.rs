//! Secrets: one file each, in a directory that only the daemon can read. They are read only if something uses them.

use super::file::{self, WebTokenFor, cloud_asked_by};
use super::problem::Both;
use super::{Config, MqttSigning};
use crate::order::constant_time;
use crate::order::said::{InChinese, said};
use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest secret, in bytes: far above any key or password, and a directory entry that is a device cannot fill memory.
pub const SECRET_BYTES_MAX: u64 = 4_096;

/// A secret. It shows itself to nobody who prints it.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        constant_time::equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl Secret {
    /// Takes a text into custody.
    pub fn new(text: impl Into<Box<str>>) -> Secret {
        Secret(text.into())
    }

    /// The secret that a file with these bytes holds.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn of_file(bytes: &[u8]) -> Result<Secret, CredentialFault> {
        if bytes.len() as u64 > SECRET_BYTES_MAX {
            return Err(CredentialFault::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| CredentialFault::NotOneLine)?;
        // Editors and `echo` end a file with a line end; no key has one.
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(CredentialFault::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(CredentialFault::NotOneLine);
        }
        Ok(Secret::new(text))
    }

    /// The secret itself, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Which secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// The merchant's AppSecret: logs in to the open API.
    AppSecret,
    /// The merchant's AppKey: signs.
    AppKey,
    /// The password to `broker.username`.
    MqttPassword,
    /// The log-in at `sale.url`, as the text of a Cookie header.
    SaleSession,
    /// Opens the pages.
    WebToken,
    /// Signs what songshu is told.
    NotifySecret,
    /// The password to `sale.log_in_name`.
    SalePassword,
}

impl Credential {
    /// All of them.
    pub const ALL: [Credential; 7] = [
        Credential::AppSecret,
        Credential::AppKey,
        Credential::MqttPassword,
        Credential::SaleSession,
        Credential::WebToken,
        Credential::NotifySecret,
        Credential::SalePassword,
    ];

    /// The name of its file.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Credential::AppSecret => "app_secret",
            Credential::AppKey => "app_key",
            Credential::MqttPassword => "mqtt_password",
            Credential::SaleSession => "sale_session",
            Credential::WebToken => "web_token",
            Credential::NotifySecret => "notify_secret",
            Credential::SalePassword => "sale_password",
        }
    }

    /// The setting that needs it, or `None` when this configuration does without.
    #[must_use]
    pub fn needed_by(self, config: &Config) -> Option<&'static str> {
        let selling = config.sale.as_ref().map(|sale| sale.cloud);
        let calls = config.cloud.as_ref().and_then(|cloud| cloud_asked_by(cloud.verify_orders, cloud.refund_failed));
        let calls = calls.or_else(|| selling.and_then(file::sold_by));
        match self {
            Credential::AppSecret => calls,
            Credential::AppKey if config.mqtt_signing == MqttSigning::AppKey => Some("signing.mqtt_key = \"app_key\""),
            Credential::AppKey => calls,
            Credential::MqttPassword => config.broker.username.as_ref().map(|_| "broker.username"),
            Credential::SaleSession => {
                let sale = config.sale.as_ref().filter(|sale| sale.log_in.is_none())?;
                sale.endpoint.as_ref().map(|_| "sale.url")
            }
            Credential::SalePassword => config.sale.as_ref()?.log_in.as_ref().map(|_| "sale.log_in_path"),
            Credential::WebToken => match config.web.as_ref().map(|web| web.token) {
                Some(WebTokenFor::Service) => Some("web.token = \"service\""),
                Some(WebTokenFor::Always) => Some("web.token = \"always\""),
                Some(WebTokenFor::Never) | None => None,
            },
            Credential::NotifySecret => {
                config.notify.as_ref().filter(|notify| notify.is_signed).map(|_| "notify.signed = true")
            }
        }
    }
}

/// The secrets that a configuration uses; what it does not use is not read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// See [`Credential::AppSecret`].
    pub app_secret: Option<Secret>,
    /// See [`Credential::AppKey`].
    pub app_key: Option<Secret>,
    /// See [`Credential::MqttPassword`].
    pub mqtt_password: Option<Secret>,
    /// See [`Credential::SaleSession`].
    pub sale_session: Option<Secret>,
    /// See [`Credential::WebToken`].
    pub web_token: Option<Secret>,
    /// See [`Credential::NotifySecret`].
    pub notify_secret: Option<Secret>,
    /// See [`Credential::SalePassword`].
    pub sale_password: Option<Secret>,
    /// Files that more people than their owner can read.
    pub exposed: Vec<Exposed>,
}

/// A file with a secret that its group or everyone can read. A warning: the agent works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// The file.
    pub path: PathBuf,
    /// Its permissions.
    pub mode: u32,
}

impl Exposed {
    /// The warning, and what to do.
    #[must_use]
    pub fn text(&self) -> Both {
        let (path, mode) = (self.path.display(), self.mode);
        Both::new(
            format!("others can read {path} (mode {mode:04o}); do: chmod 0600 {path}"),
            format!("其他用户可以读取 {path}（权限 {mode:04o}）；请执行：chmod 0600 {path}"),
        )
    }
}

/// Why a secret is not there.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.text().en)]
pub enum CredentialError {
    /// No directory was named, and a secret is needed.
    NoDirectory {
        /// Which secret.
        credential: Credential,
        /// The setting that needs it.
        needed_by: &'static str,
    },
    /// The file cannot be used.
    File {
        /// Which secret.
        credential: Credential,
        /// The setting that needs it.
        needed_by: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: CredentialFault,
    },
}

/// What is wrong with a secret's file.
#[derive(Debug, Clone)]
pub enum CredentialFault {
    /// It cannot be read.
    Read(Arc<std::io::Error>),
    /// It holds nothing.
    Empty,
    /// It holds more than [`SECRET_BYTES_MAX`].
    TooLong,
    /// It holds something else than one line of text.
    NotOneLine,
    /// It is too short for a token, or has characters that no header can carry.
    NoWebToken,
}

impl CredentialError {
    /// The text for people: which file, why it is needed, how to make it.
    #[must_use]
    pub fn text(&self) -> Both {
        match self {
            CredentialError::NoDirectory { credential, needed_by } => {
                let name = credential.file_name();
                said!(
                    "{needed_by} needs the secret {name}, and no directory of credentials is known\n  = name it with --credentials DIR; the unit does so with LoadCredential=",
                    "{needed_by} 需要密钥 {name}，但未指定凭据目录\n  = 请用 --credentials DIR 指定；systemd 单元使用 LoadCredential=";
                    needed_by, name
                )
            }
            CredentialError::File { credential, needed_by, path, fault } => {
                let (shown, name) = (path.display(), credential.file_name());
                // Whoever may not read it must not be told to make it anew: that would empty it.
                let hint = match fault {
                    CredentialFault::Read(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Both::new(
                        "the secrets are not for this user: the same with sudo",
                        "当前用户无权读取密钥：请加 sudo 再执行",
                    ),
                    _ => Both::new(
                        format!(
                            "make it: install -m 0600 /dev/null {shown}, then write the secret into it as one line"
                        ),
                        format!("请创建：install -m 0600 /dev/null {shown}，然后把密钥作为一行写入"),
                    ),
                };
                said!(
                    "{shown}: {fault}; {needed_by} needs the secret {name}\n  = {hint}",
                    "{shown}：{fault}；{needed_by} 需要密钥 {name}\n  = {hint}",
                    fault = fault.text(), hint; shown, needed_by, name
                )
            }
        }
    }
}

impl InChinese for CredentialError {
    fn zh(&self) -> String {
        self.text().zh
    }
}

impl CredentialFault {
    /// What is wrong, for people.
    #[must_use]
    pub fn text(&self) -> Both {
        match self {
            CredentialFault::Read(error) => error.said(),
            CredentialFault::Empty => Both::new("the file is empty", "文件为空"),
            CredentialFault::TooLong => {
                Both::new(format!("longer than {SECRET_BYTES_MAX} bytes"), format!("超过 {SECRET_BYTES_MAX} 字节"))
            }
            CredentialFault::NotOneLine => Both::new("not one line of UTF-8 text", "不是一行 UTF-8 文本"),
            CredentialFault::NoWebToken => Both::new(
                format!("not a token of {WEB_TOKEN_CHARS_MIN} or more ASCII characters without blanks"),
                format!("不是至少 {WEB_TOKEN_CHARS_MIN} 个无空格 ASCII 字符的口令"),
            ),
        }
    }
}

impl Credentials {
    /// Reads the secrets that `config` uses from `directory`.
    ///
    /// # Errors
    /// The first secret that is needed and not there.
    pub fn load(directory: Option<&Path>, config: &Config) -> Result<Credentials, CredentialError> {
        let mut credentials = Credentials::default();
        for credential in Credential::ALL {
            let Some(needed_by) = credential.needed_by(config) else { continue };
            let (secret, exposed) = read_credential(directory, credential, needed_by)?;
            credentials.exposed.extend(exposed);
            match credential {
                Credential::AppSecret => credentials.app_secret = Some(secret),
                Credential::AppKey => credentials.app_key = Some(secret),
                Credential::MqttPassword => credentials.mqtt_password = Some(secret),
                Credential::SaleSession => credentials.sale_session = Some(secret),
                Credential::WebToken => credentials.web_token = Some(secret),
                Credential::NotifySecret => credentials.notify_secret = Some(secret),
                Credential::SalePassword => credentials.sale_password = Some(secret),
            }
        }
        Ok(credentials)
    }

    /// Reads what the open API asks for, whatever the daemon needs of it.
    ///
    /// # Errors
    /// The first secret that is not there.
    pub fn of_merchant(directory: Option<&Path>) -> Result<Merchant, CredentialError> {
        let read = |credential| read_credential(directory, credential, "vend cloud").map(|(secret, _)| secret);
        Ok(Merchant { app_secret: read(Credential::AppSecret)?, app_key: read(Credential::AppKey)? })
    }
}

/// The secrets of the open API.
pub struct Merchant {
    /// See [`Credential::AppSecret`].
    pub app_secret: Secret,
    /// See [`Credential::AppKey`].
    pub app_key: Secret,
}

fn read_credential(
    directory: Option<&Path>,
    credential: Credential,
    needed_by: &'static str,
) -> Result<(Secret, Option<Exposed>), CredentialError> {
    let directory = directory.ok_or(CredentialError::NoDirectory { credential, needed_by })?;
    let path = directory.join(credential.file_name());
    let read = read_secret(&path);
    let fits = |found: FoundSecret| match credential {
        Credential::WebToken if !is_web_token(found.secret.reveal()) => Err(CredentialFault::NoWebToken),
        _ => Ok(found),
    };
    let found = read.and_then(fits).map_err(|fault| CredentialError::File {
        credential,
        needed_by,
        path: path.clone(),
        fault,
    })?;
    Ok((found.secret, found.exposed_mode.map(|mode| Exposed { path, mode })))
}

/// Fewest characters of a token for the pages: with the 64 of Base64 what nobody tries out.
pub const WEB_TOKEN_CHARS_MIN: usize = 16;

/// Whether a text is long enough for a token, and has only what a header of HTTP can carry.
#[must_use]
pub fn is_web_token(text: &str) -> bool {
    text.len() >= WEB_TOKEN_CHARS_MIN && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a file of the credentials holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSecret {
    /// The secret.
    pub secret: Secret,
    /// The permissions, when they let others read. The group root does not count: nobody else is in it, and systemd
    /// gives its credentials out by an access list that shows as read permission of that group.
    pub exposed_mode: Option<u32>,
}

/// Reads one secret.
///
/// # Errors
/// What is wrong with the file.
pub fn read_secret(path: &Path) -> Result<FoundSecret, CredentialFault> {
    let read = |error: std::io::Error| CredentialFault::Read(error.into());
    let file = std::fs::File::open(path).map_err(read)?;
    let metadata = file.metadata().map_err(read)?;
    let mode = metadata.mode() & 0o7777;
    let exposed = mode & 0o007 != 0 || (mode & 0o070 != 0 && metadata.gid() != 0);
    let mut bytes = Vec::new();
    file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(read)?;
    Ok(FoundSecret { secret: Secret::of_file(&bytes)?, exposed_mode: exposed.then_some(mode) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn write(directory: &Path, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn config(text: &str) -> Config {
        let rest = "[board]\nprofile = \"tcn-00ff\"\nport = \"p\"\n";
        let whole = format!("machine_no = \"00012345\"\n{text}\n{rest}");
        Config::parse(Path::new("/x/vend.toml"), &whole).unwrap().config
    }

    const ALONE: &str = "[broker]\nurl = \"mqtt://localhost\"\n[cloud]\nverify_orders = \"never\"\n\
                         app_id = \"ds1\"\n[signing]\nmqtt_key = \"app_id\"";

    #[test]
    fn a_secret_shows_itself_to_nobody_who_prints_it() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "… Secret(…)");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn one_line_end_is_not_part_of_a_secret_and_blanks_are() {
        let directory = tempfile::tempdir().unwrap();
        for (written, secret) in [("kva", "kva"), ("kva\n", "kva"), ("kva\r\n", "kva"), (" k v \n", " k v ")] {
            let path = write(directory.path(), "app_key", written.as_bytes(), 0o600);
            assert_eq!(read_secret(&path).unwrap().secret.reveal(), secret);
        }
    }

    #[test]
    fn a_file_that_is_no_secret_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let fault = |bytes: &[u8]| read_secret(&write(directory.path(), "app_key", bytes, 0o600)).unwrap_err();
        assert!(matches!(fault(b"\n"), CredentialFault::Empty));
        assert!(matches!(fault(b"a\nb\n"), CredentialFault::NotOneLine));
        assert!(matches!(fault(&[0xff, 0xfe]), CredentialFault::NotOneLine));
        assert!(matches!(fault(&[b'x'; 4_097]), CredentialFault::TooLong));
        assert!(matches!(read_secret(&directory.path().join("none")), Err(CredentialFault::Read(_))));
    }

    #[test]
    fn a_token_that_is_short_or_that_no_header_carries_is_refused_at_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let config = config(&format!("{ALONE}\n[web]\nlisten = \"0.0.0.0:80\"\ntoken = \"always\""));
        for (token, is_good) in [("x".repeat(16), true), ("x".repeat(15), false), ("密码".repeat(6), false)] {
            write(directory.path(), "web_token", token.as_bytes(), 0o600);
            let loaded = Credentials::load(Some(directory.path()), &config);
            assert_eq!(loaded.is_ok(), is_good, "{token}");
            assert!(is_good || loaded.unwrap_err().to_string().contains("16 or more"));
        }
    }

    #[test]
    fn the_unit_loads_every_secret_and_the_package_creates_each_of_them() {
        let names: Vec<&str> = Credential::ALL.iter().map(|credential| credential.file_name()).collect();
        let unit = include_str!("../../systemd/vend.service");
        let loaded = unit.lines().filter_map(|line| line.strip_prefix("LoadCredential=")?.split(':').next());
        assert_eq!(loaded.collect::<Vec<_>>(), names);
        assert_eq!(crate::excerpt::SECRETS.to_vec(), names, "what is masked wherever a file is shown");
        // systemd does not start a unit that lacks one.
        let created = format!("for name in {}; do", names.join(" "));
        assert!(include_str!("../../package/postinst").contains(&created), "package/postinst: {created}");
    }

    #[test]
    fn a_secret_that_everyone_can_read_is_warned_of_and_used() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "app_key", b"kva", 0o644);
        let config = config(&ALONE.replace("\"app_id\"", "\"app_key\""));
        let credentials = Credentials::load(Some(directory.path()), &config).unwrap();
        assert_eq!(credentials.app_key, Some(Secret::new("kva")));
        assert!(credentials.exposed[0].text().en.contains("chmod 0600"));
        write(directory.path(), "app_key", b"kva", 0o600);
        assert_eq!(Credentials::load(Some(directory.path()), &config).unwrap().exposed, []);
    }

    #[test]
    fn only_what_the_configuration_uses_is_asked_for() {
        let needs = |text: &str| Credential::ALL.map(|c| c.needed_by(&config(text)).is_some());
        assert_eq!(needs(ALONE), [false; 7]);
        assert_eq!(Credentials::load(None, &config(ALONE)).unwrap(), Credentials::default());
        assert_eq!(
            needs(&ALONE.replace("\"app_id\"", "\"app_key\"")),
            [false, true, false, false, false, false, false]
        );
        assert_eq!(
            needs(&ALONE.replace("localhost\"", "localhost\"\nusername = \"u\"")),
            [false, false, true, false, false, false, false]
        );
        let pages = |token: &str| format!("{ALONE}\n[web]\nlisten = \"127.0.0.1:8480\"\ntoken = \"{token}\"");
        let needed = ["never", "service", "always"].map(|token| needs(&pages(token)));
        assert_eq!(
            needed,
            [
                [false; 7],
                [false, false, false, false, true, false, false],
                [false, false, false, false, true, false, false]
            ]
        );
        let told = "\n[notify]\nurl = \"https://songshu.example\"\napp_id = \"wx5\"\nopenid = \"oB\"";
        assert_eq!(needs(&format!("{ALONE}{told}")), [false, false, false, false, false, true, false]);
        assert_eq!(needs(&format!("{ALONE}{told}\nsigned = false")), [false; 7]);
        let shop = format!("{ALONE}\n[sale]\ncloud = \"mall\"\nurl = \"https://shop.example\"");
        assert_eq!(needs(&shop), [false, false, false, true, false, false, false]);
        let itself = format!("{shop}\nlog_in_path = \"/user/login\"\nlog_in_name = \"vend\"");
        assert_eq!(needs(&itself), [false, false, false, false, false, false, true]);
        let cloud = "\nurl = \"https://cloud.example\"\nverify_orders = ";
        let asks = ALONE.replace("\nverify_orders = ", cloud);
        assert_eq!(needs(&asks), [false; 7]);
        assert_eq!(needs(&asks.replace("never", "late")), [true, true, false, false, false, false, false]);
        assert_eq!(
            needs(&asks.replace("\"never\"", "\"never\"\nrefund_failed = true")),
            [true, true, false, false, false, false, false]
        );
    }

    #[test]
    fn a_missing_secret_is_named_with_its_file_its_reason_and_its_remedy() {
        let config = config(&ALONE.replace("\"app_id\"", "\"app_key\""));
        let error = Credentials::load(None, &config).unwrap_err().to_string();
        assert!(error.contains("app_key") && error.contains("--credentials"), "{error}");
        let error = Credentials::load(Some(Path::new("/nowhere")), &config).unwrap_err().to_string();
        for part in ["/nowhere/app_key", "signing.mqtt_key", "0600"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
