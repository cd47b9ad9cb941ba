//! What can be wrong with a configuration, where, and what to do about it: in English for logs and in Chinese for
//! technicians, both texts side by side.

use super::endpoint::{EndpointError, Schemes};
use crate::excerpt::{Place, SECRETS, show};
pub use crate::order::said::Said as Both;
use crate::order::said::{InChinese, said};
use std::path::PathBuf;
use std::sync::Arc;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// The TOML reader's own words.
    Toml {
        /// As it says it.
        message: String,
    },
    /// A number where a text is wanted.
    NeedsQuotes {
        /// The key.
        key: String,
        /// The digits.
        value: String,
    },
    /// No such key, or no such section.
    UnknownKey {
        /// What was written.
        key: String,
        /// What could have been meant, if anything is near.
        nearest: Option<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// A secret's name stands in the file.
    SecretInFile {
        /// The credential.
        key: String,
    },
    /// A word that is none of the allowed ones.
    UnknownWord {
        /// What was written.
        word: String,
        /// What could have been meant, if anything is near.
        nearest: Option<String>,
        /// What is allowed.
        known: Vec<String>,
    },
    /// A key without which nothing works.
    Missing {
        /// The section; empty at the top of the file.
        section: &'static str,
        /// The line to add.
        example: &'static str,
        /// What asks for it, when it is not needed always.
        asked_by: Option<&'static str>,
    },
    /// A text without content.
    Empty {
        /// The key.
        key: &'static str,
    },
    /// Not 8 digits.
    MachineNo {
        /// What was written.
        found: String,
    },
    /// A URL that names no server.
    Url {
        /// The key.
        key: &'static str,
        /// What it may begin with.
        schemes: Schemes,
        /// What is wrong.
        error: EndpointError,
    },
    /// Without TLS to another host than loopback.
    Plaintext {
        /// The section.
        section: &'static str,
        /// The host.
        host: String,
        /// The scheme with TLS.
        tls_scheme: &'static str,
    },
    /// A number out of its range.
    Range {
        /// The key.
        key: &'static str,
        /// What was written.
        found: i64,
        /// The lowest value.
        min: i64,
        /// The highest value.
        max: i64,
    },
    /// The profile cannot be used.
    Profile {
        /// What is wrong with it.
        why: Both,
    },
    /// A certificate or key file that cannot be used.
    Pem {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: Both,
    },
    /// One of two keys that go together.
    Pair {
        /// What is there.
        given: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// TLS settings beside a URL without TLS.
    TlsUnused {
        /// The key.
        key: &'static str,
        /// The scheme with TLS.
        tls_scheme: &'static str,
    },
    /// A host pattern that fits no host.
    HostPattern {
        /// What was written.
        found: String,
    },
    /// A value or a combination that only one place refuses.
    Unfit {
        /// What is wrong.
        message: Both,
        /// What to do.
        hint: Both,
    },
}

/// The TOML reader's message where one of several words is wanted and something else stands.
const ENUM_WANTED: &str = "wanted string or table";
/// A name is taken for a misspelling from this likeness on (Jaro-Winkler, as clap does).
const LIKENESS_MIN: f64 = 0.7;

fn nearest(word: &str, known: &[String]) -> Option<String> {
    known
        .iter()
        .map(|k| (strsim::jaro_winkler(word, k), k))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k.clone())
}

impl Complaint {
    /// Reads the TOML reader's message about `line`; what is not recognised stays in its words.
    pub(super) fn from_toml(message: &str, line: &str) -> Complaint {
        // serde writes: unknown field `a`, expected one of `b`, `c` – every second piece is quoted.
        let mut quoted = message.split('`').skip(1).step_by(2).map(str::to_owned);
        let plain_line = line.split('#').next().unwrap_or_default();
        let digits = plain_line
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim()))
            .filter(|(_, value)| !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit() || b == b'_'));
        if message.starts_with("unknown field") {
            let key = quoted.next().unwrap_or_default();
            if SECRETS.contains(&key.as_str()) {
                return Complaint::SecretInFile { key };
            }
            let known: Vec<String> = quoted.collect();
            return Complaint::UnknownKey { nearest: nearest(&key, &known), key, known };
        }
        if message.starts_with("unknown variant") {
            let word = quoted.next().unwrap_or_default();
            let known: Vec<String> = quoted.collect();
            return Complaint::UnknownWord { nearest: nearest(&word, &known), word, known };
        }
        match digits {
            // A number with a leading zero is not TOML at all, hence the key's name.
            Some((key, value))
                if key == "machine_no" || message.ends_with("expected a string") || message == ENUM_WANTED =>
            {
                Complaint::NeedsQuotes { key: key.to_owned(), value: value.to_owned() }
            }
            // A price among others on its line: what stands there is shown with the carets.
            _ if message.starts_with("invalid type: ") && message.ends_with("expected a string") => Complaint::Unfit {
                message: Both::new("something else stands here than a text", "此处应为文本"),
                hint: Both::new("put it in quotes, as in price = \"3.00\"", "请加引号，如 price = \"3.00\""),
            },
            _ => Complaint::Toml { message: message.trim_end().to_owned() },
        }
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> Both {
        match self {
            Complaint::Toml { message } => Both::new(message, format!("TOML 有误：{message}")),
            Complaint::NeedsQuotes { key, .. } => {
                Both::new(format!("{key} is a number here and must be a text"), format!("{key} 写成了数字，应为文本"))
            }
            Complaint::UnknownKey { key, .. } => {
                Both::new(format!("there is no key `{key}` here"), format!("此处没有名为 `{key}` 的键"))
            }
            Complaint::SecretInFile { key } => Both::new(
                format!("`{key}` is a secret and never stands in this file"),
                format!("`{key}` 是密钥，绝不能写在此文件中"),
            ),
            Complaint::UnknownWord { word, .. } => {
                Both::new(format!("`{word}` is not a value of this key"), format!("`{word}` 不是此键的有效值"))
            }
            Complaint::Missing { section, example, asked_by } => {
                let key = dotted(section, key_of(example));
                match asked_by {
                    None => Both::new(format!("{key} is missing"), format!("缺少 {key}")),
                    Some(by) => {
                        Both::new(format!("{key} is missing, and {by} needs it"), format!("缺少 {key}，而 {by} 需要它"))
                    }
                }
            }
            Complaint::Empty { key } => Both::new(format!("{key} is empty"), format!("{key} 为空")),
            Complaint::MachineNo { found } => Both::new(
                format!("machine_no must have exactly 8 digits, and this one is {found:?}"),
                format!("machine_no 必须正好是 8 位数字，此处为 {found:?}"),
            ),
            Complaint::Url { key, error, .. } => url_message(key, *error),
            Complaint::Plaintext { section, host, .. } => Both::new(
                format!("{section}.url would go to {host} without encryption"),
                format!("{section}.url 将不加密地连接 {host}"),
            ),
            Complaint::Range { key, found, min, max } => Both::new(
                format!("{key} must be {min} to {max}, and this is {found}"),
                format!("{key} 必须在 {min} 到 {max} 之间，此处为 {found}"),
            ),
            Complaint::Profile { why } => {
                said!("the board profile cannot be used: {why}", "板卡配置不可用：{why}", why)
            }
            Complaint::Pem { key, path, why } => Both::new(
                format!("{key} cannot be used: {}: {}", path.display(), why.en),
                format!("{key} 不可用：{}：{}", path.display(), why.zh),
            ),
            Complaint::Pair { given, missing } => {
                Both::new(format!("{given} is there without {missing}"), format!("有 {given}，却没有 {missing}"))
            }
            Complaint::TlsUnused { key, .. } => Both::new(
                format!("{key} has no effect: the url speaks no TLS"),
                format!("{key} 不起作用：url 未使用 TLS"),
            ),
            Complaint::Unfit { message, .. } => message.clone(),
            Complaint::HostPattern { found } => {
                Both::new(format!("{found:?} can match no host"), format!("{found:?} 不能匹配任何主机"))
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Both {
        match self {
            Complaint::Toml { .. } => Both::new(
                "every key with its form and range is in docs/configuration.md",
                "所有键的格式和范围见 docs/configuration.md",
            ),
            Complaint::NeedsQuotes { key, value } if key == "machine_no" => Both::new(
                format!("put it in quotes: machine_no = \"{value}\" (leading zeros count)"),
                format!("请加引号：machine_no = \"{value}\"（前导零有意义）"),
            ),
            Complaint::NeedsQuotes { key, value } => {
                Both::new(format!("put it in quotes: {key} = \"{value}\""), format!("请加引号：{key} = \"{value}\""))
            }
            Complaint::UnknownKey { nearest, known, .. } | Complaint::UnknownWord { nearest, known, .. } => {
                // Of a word with two spellings the one like all others.
                let is_old = |word: &str| word.contains('-') && known.contains(&word.replace('-', "_"));
                let known: Vec<&str> = known.iter().map(String::as_str).filter(|word| !is_old(word)).collect();
                let all = known.join(", ");
                match nearest {
                    Some(near) => Both::new(
                        format!("did you mean `{near}`? There are: {all}"),
                        format!("是否想写 `{near}`？可用的有：{all}"),
                    ),
                    None => Both::new(format!("there are: {all}"), format!("可用的有：{all}")),
                }
            }
            Complaint::SecretInFile { key } => Both::new(
                format!(
                    "delete the line, put the value into a file named {key} (mode 0600) in the credentials directory, and renew it: others may have read it"
                ),
                format!(
                    "请删除此行，把值写入凭据目录中名为 {key} 的文件（权限 0600），并更换该密钥：它可能已被他人读到"
                ),
            ),
            Complaint::Missing { section: "", example, .. } => {
                Both::new(format!("write at the top of the file: {example}"), format!("请在文件开头写：{example}"))
            }
            Complaint::Missing { section, example, .. } => {
                Both::new(format!("write under [{section}]: {example}"), format!("请在 [{section}] 下写：{example}"))
            }
            Complaint::Empty { .. } => Both::new("give it a value, or delete the line", "请填写值，或删除此行"),
            Complaint::MachineNo { .. } => Both::new(
                "copy the number from the platform, leading zeros included: machine_no = \"00012345\"",
                "请从平台复制编号，包括前导零：machine_no = \"00012345\"",
            ),
            Complaint::Url { schemes, .. } => {
                let example = format!("\"{}://host:{}\"", schemes.tls.0, schemes.tls.1);
                Both::new(format!("write it like this: url = {example}"), format!("写法如：url = {example}"))
            }
            Complaint::Plaintext { section, tls_scheme, .. } => Both::new(
                format!("use {tls_scheme}://, or, if the network is safe, allow_plaintext = true under [{section}]"),
                format!("请使用 {tls_scheme}://；如网络可信，可在 [{section}] 下写 allow_plaintext = true"),
            ),
            Complaint::Range { key, .. } => Both::new(
                format!("choose a number in the range, or delete the line for the default of {key}"),
                format!("请选用范围内的数值，或删除此行以使用 {key} 的默认值"),
            ),
            Complaint::Profile { .. } => {
                Both::new("vend board list shows the profiles", "用 vend board list 查看可用配置")
            }
            Complaint::Pem { .. } => Both::new(
                "give the path of a PEM file that the user vend can read; relative paths begin at the configuration's folder",
                "请给出用户 vend 可读的 PEM 文件路径；相对路径从配置文件所在目录算起",
            ),
            Complaint::Pair { given, missing } => Both::new(
                format!("write {missing} as well, or delete {given}"),
                format!("请同时写 {missing}，或删除 {given}"),
            ),
            Complaint::TlsUnused { tls_scheme, .. } => Both::new(
                format!("use {tls_scheme}:// in url, or delete the line"),
                format!("请在 url 中使用 {tls_scheme}://，或删除此行"),
            ),
            Complaint::Unfit { hint, .. } => hint.clone(),
            Complaint::HostPattern { .. } => Both::new(
                "write a name, `*.` and a name, or an address, without scheme and port",
                "请写主机名、`*.` 加主机名或 IP 地址，不带协议和端口",
            ),
        }
    }
}

fn dotted(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

fn key_of(example: &str) -> &str {
    example.split(' ').next().unwrap_or(example)
}

fn url_message(key: &str, error: EndpointError) -> Both {
    let (en, zh) = match error {
        EndpointError::Scheme => ("has a scheme that is not spoken here", "的协议不受支持"),
        EndpointError::UserPart => {
            ("holds a user part, and secrets never stand in this file", "含有用户信息，而密钥绝不能写在此文件中")
        }
        EndpointError::Host => ("names no usable host", "没有可用的主机名"),
        EndpointError::Port => ("has a port that is not 1 to 65535", "的端口不在 1 到 65535 之间"),
        EndpointError::Rest => ("goes on after its end", "在结尾之后还有多余内容"),
    };
    Both::new(format!("{key} {en}"), format!("{key} {zh}"))
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub complaint: Complaint,
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.text().en)]
pub enum ConfigError {
    /// The file could not be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// The file holds mistakes.
    Wrong {
        /// The file.
        path: PathBuf,
        /// At least one.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// The whole text for people: for each mistake `file:line:column: what`, the line, the caret, and what to do.
    #[must_use]
    pub fn text(&self) -> Both {
        match self {
            ConfigError::Read { path, source } => said!(
                "{path}: {source}\n  = write the file, or name another one with --config FILE",
                "{path}：{source}\n  = 请编写此文件，或用 --config FILE 指定其他文件",
                source; path = path.display()
            ),
            ConfigError::Wrong { path, problems } => {
                let mut all = Both::new("", "");
                for problem in problems {
                    let (message, hint) = (problem.complaint.message(), problem.complaint.hint());
                    show(&mut all.en, path, &problem.place, &message.en, &hint.en);
                    show(&mut all.zh, path, &problem.place, &message.zh, &hint.zh);
                }
                all
            }
        }
    }
}

impl InChinese for ConfigError {
    fn zh(&self) -> String {
        self.text().zh
    }
}
