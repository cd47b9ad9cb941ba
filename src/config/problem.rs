//! What can be wrong with a configuration, where, and what to do about it: in English for logs and in Chinese for
//! technicians, both texts side by side.
//!
//! The TOML reader places its own mistakes; it cannot place ours (its errors take no span from outside), so both
//! are shown by one hand here, from the reader's spans.

use super::endpoint::{EndpointError, Schemes};
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Both {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

impl Both {
    /// Both texts, side by side.
    pub fn new(en: impl Into<String>, zh: impl Into<String>) -> Both {
        Both { en: en.into(), zh: zh.into() }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// The TOML reader's own words.
    Toml {
        /// In English.
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
        /// In English.
        message: String,
    },
    /// A certificate or key file that cannot be used.
    Pem {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// In English.
        message: String,
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
}

/// Names that a person may try to write into the file, and that are credentials.
const SECRETS: [&str; 3] = ["app_secret", "app_key", "mqtt_password"];
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
            Complaint::Profile { message } => {
                Both::new(format!("the board profile cannot be used: {message}"), format!("板卡配置不可用：{message}"))
            }
            Complaint::Pem { key, path, message } => Both::new(
                format!("{key} cannot be used: {}: {message}", path.display()),
                format!("{key} 不可用：{}：{message}", path.display()),
            ),
            Complaint::Pair { given, missing } => {
                Both::new(format!("{given} is there without {missing}"), format!("有 {given}，却没有 {missing}"))
            }
            Complaint::TlsUnused { key, .. } => Both::new(
                format!("{key} has no effect: the url speaks no TLS"),
                format!("{key} 不起作用：url 未使用 TLS"),
            ),
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

/// A text with the name of the file it came from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The file.
    pub path: &'a Path,
    /// What it holds.
    pub text: &'a str,
}

impl<'a> Source<'a> {
    /// The line that holds the byte at `offset`, without its end.
    pub(super) fn line_of(&self, offset: usize) -> &'a str {
        self.text.get(self.line_start(offset)..).and_then(|rest| rest.lines().next()).unwrap_or_default()
    }

    fn line_start(&self, offset: usize) -> usize {
        self.text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
    }

    /// Where a section's header stands, or the end of the file, where it can be added.
    pub(super) fn section(&self, name: &str) -> Range<usize> {
        let header = format!("[{name}]");
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            if line.trim_start().starts_with(&header) {
                let indent = line.len() - line.trim_start().len();
                return start + indent..start + indent + header.len();
            }
            start += line.len();
        }
        start..start
    }

    /// The place of a span of bytes, for people: lines and columns count from 1, columns in characters.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let start = span.start.min(self.text.len());
        let line_start = self.line_start(start);
        let line = self.line_of(start);
        let before = self.text.get(line_start..start).unwrap_or_default();
        let marked = self.text.get(start..span.end).unwrap_or_default().lines().next().unwrap_or_default();
        let text = masked(line);
        let column = before.chars().count() + 1;
        let room = (text.chars().count() + 1).saturating_sub(column);
        Place {
            line: self.text.get(..line_start).map_or(1, |above| above.matches('\n').count() + 1),
            column,
            carets: marked.chars().count().min(room).max(1),
            text,
        }
    }
}

/// A line as it may be shown: errors end in logs, and a secret that stands here by mistake must not.
fn masked(line: &str) -> String {
    match line.split_once('=') {
        Some((key, value)) if SECRETS.contains(&key.trim()) || (value.contains("://") && value.contains('@')) => {
            format!("{key}= (hidden)")
        }
        _ => line.to_owned(),
    }
}

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// How many characters are meant.
    pub carets: usize,
    /// The line's text.
    pub text: String,
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
            ConfigError::Read { path, source } => {
                let path = path.display();
                Both::new(
                    format!("{path}: {source}\n  = write the file, or name another one with --config FILE"),
                    format!("{path}：{source}\n  = 请编写此文件，或用 --config FILE 指定其他文件"),
                )
            }
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

fn show(out: &mut String, path: &Path, place: &Place, message: &str, hint: &str) {
    let Place { line, column, carets, text } = place;
    let gutter = " ".repeat(line.to_string().len());
    // Tabs before the mark stay tabs, so that the caret stands below it whatever their width.
    let lead: String = text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let marks = "^".repeat(*carets);
    let new_line = if out.is_empty() { "" } else { "\n" };
    let shown: fmt::Result = write!(
        out,
        "{new_line}{}:{line}:{column}: {message}\n{gutter} |\n{line} | {text}\n{gutter} | {lead}{marks}\n{gutter} = {hint}",
        path.display()
    );
    debug_assert!(shown.is_ok(), "a String takes every text");
}
