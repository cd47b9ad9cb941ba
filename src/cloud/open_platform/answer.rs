//! The envelope of every answer (cloud 1.3), what is wrong with it, and what to do next (cloud 1.8).

use crate::cloud::api_codes::{self, RetryClass};
use crate::cloud::envelope::shown;
use crate::order::key::Id;
use crate::order::said::{InChinese, Said, Word, said};
use serde_json::Value;

/// Longest answer that is read, in bytes: a list of all slots of the largest machine, with prose, is a third of it.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Most entries of one list: eight driver boards of a hundred slots, and room for a merchant's machines.
pub const LIST_ITEMS_MAX: usize = 1_000;
/// Most characters that are kept of a name, an address or a description; people see the rest in the console.
pub const TEXT_CHARS_MAX: usize = 256;

/// What an answer has too many of, where no list does.
const BYTES: Word = Word { json: "bytes", zh: "字节" };

/// Why an answer is not the wanted one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// HTTP 401.
    #[error("the cloud does not know us (401{}): check app_id in [cloud] and the credential app_secret", told(*.code, .message))]
    Unauthorized {
        /// The platform's code, 0 when the body has none.
        code: u32,
        /// The platform's text.
        message: String,
    },
    /// Another HTTP status than 2xx, without a code of the platform.
    #[error("the cloud answered with HTTP {status} and nothing readable")]
    Http {
        /// The status.
        status: u16,
    },
    /// A page of a proxy, half a body, or nothing.
    #[error(
        "the answer is not JSON of the platform, it begins with {start:?}: check url in [cloud], and for a proxy or log-in page on the network"
    )]
    NotPlatform {
        /// How it begins.
        start: String,
    },
    /// The platform refused.
    #[error("the cloud refused with code {code}{}: {message}", api_codes::find(*.code).map(|known| format!(" ({})", known.meaning)).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The platform's code.
        code: u32,
        /// The platform's text.
        message: String,
    },
    /// `code` is 0, but what would prove the success is not there.
    #[error("the cloud's answer does not prove success: {} is missing, and it says {message:?}", wanted.en)]
    NotProven {
        /// What would prove it.
        wanted: Said,
        /// The platform's text.
        message: String,
    },
    /// An answer about another order.
    #[error("the cloud answered about order {answered:?} instead of {asked}")]
    OtherOrder {
        /// The order that was asked for.
        asked: Id,
        /// The order in the answer.
        answered: String,
    },
    /// More than is read.
    #[error("the answer is too large: {found} {}, at most {max} are read", what.json)]
    TooLarge {
        /// Of what: bytes, or the list's name.
        what: Word,
        /// How many came.
        found: usize,
        /// How many are taken.
        max: usize,
    },
}

impl InChinese for ApiError {
    fn zh(&self) -> String {
        match self {
            ApiError::Unauthorized { code, message } => format!(
                "云端不认可我们的凭据（401{}）：请检查 [cloud] app_id 与密钥 app_secret",
                match (code, message.as_str()) {
                    (0, "") => String::new(),
                    (0, message) => format!("，{message}"),
                    (code, message) => format!("，代码 {code} {message}"),
                }
            ),
            ApiError::Http { status } => format!("云端以 HTTP {status} 应答，内容不可读"),
            ApiError::NotPlatform { start } => {
                format!("应答不是平台的 JSON，开头为 {start:?}：请检查 [cloud] url，以及网络中的代理或登录页面")
            }
            ApiError::Refused { status: _, code, message } => {
                let meaning = api_codes::find(*code).map(|known| format!("（{}）", known.meaning_zh));
                format!("云端拒绝，代码 {code}{}：{message}", meaning.unwrap_or_default())
            }
            ApiError::NotProven { wanted, message } => {
                format!("云端的应答不能证明成功：缺少 {}，其文字为 {message:?}", wanted.zh)
            }
            ApiError::OtherOrder { asked, answered } => format!("云端应答的是订单 {answered:?}，而不是 {asked}"),
            ApiError::TooLarge { what, found, max } => format!("应答过大：{found} {}，至多读取 {max}", what.zh),
        }
    }
}

fn told(code: u32, message: &str) -> String {
    match (code, message) {
        (0, "") => String::new(),
        (0, message) => format!(", {message}"),
        (code, message) => format!(", code {code} {message}"),
    }
}

impl ApiError {
    /// What to do next (cloud 1.8).
    #[must_use]
    pub fn class(&self) -> RetryClass {
        match self {
            ApiError::Unauthorized { .. } | ApiError::OtherOrder { .. } | ApiError::TooLarge { .. } => {
                RetryClass::Final
            }
            ApiError::Http { status } => RetryClass::of_http(*status),
            ApiError::NotPlatform { .. } | ApiError::NotProven { .. } => RetryClass::Retry,
            // A server in trouble is not to be believed about the rest.
            ApiError::Refused { status: 500.., .. } => RetryClass::Retry,
            ApiError::Refused { status, code, .. } => {
                api_codes::find(*code).map_or_else(|| RetryClass::of_http(*status), |known| known.class)
            }
        }
    }
}

/// A readable answer: code 0 or absent, over HTTP 2xx.
pub(super) struct Answer {
    pub(super) message: String,
    pub(super) data: Value,
}

impl Answer {
    pub(super) fn read(status: u16, body: &[u8]) -> Result<Answer, ApiError> {
        if body.len() > ANSWER_BYTES_MAX {
            return Err(ApiError::TooLarge { what: BYTES, found: body.len(), max: ANSWER_BYTES_MAX });
        }
        let json: Option<Value> = serde_json::from_slice(body).ok().filter(Value::is_object);
        let part = |name: &str| json.as_ref().map_or(&Value::Null, |json| &json[name]);
        let message = shown(&text(part("message")).unwrap_or_default());
        // A code that is there but no number is not 0.
        let code = match text(part("code")) {
            None if part("code").is_null() => Some(0),
            text => text.and_then(|text| text.parse().ok()),
        };
        match (status, code) {
            (401, code) => Err(ApiError::Unauthorized { code: code.unwrap_or(0), message }),
            (_, Some(code)) if code != 0 => Err(ApiError::Refused { status, code, message }),
            (200..=299, Some(_)) if json.is_some() => Ok(Answer { message, data: part("data").clone() }),
            (200..=299, _) => Err(ApiError::NotPlatform { start: shown(String::from_utf8_lossy(body).trim()) }),
            _ => Err(ApiError::Http { status }),
        }
    }

    /// A field is missing: its name is the platform's.
    pub(super) fn not_proven(&self, wanted: &'static str) -> ApiError {
        ApiError::NotProven { wanted: Said::word(wanted), message: self.message.clone() }
    }

    /// A field is there, or not, and no list.
    pub(super) fn no_list(&self, name: &'static str) -> ApiError {
        ApiError::NotProven {
            wanted: said!("{name} as a list", "{name}（应为列表）"; name),
            message: self.message.clone(),
        }
    }

    /// For calls whose `data` is empty: `message` "ok" is their proof, since a failure with code 0 has its text there.
    pub(super) fn says_ok(&self) -> Result<(), ApiError> {
        if self.message.eq_ignore_ascii_case("ok") { Ok(()) } else { Err(self.not_proven("message \"ok\"")) }
    }

    /// For calls whose `data` is a list, which the platform writes as `[]` when it is empty.
    pub(super) fn list<T>(&self, what: Word, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, ApiError> {
        let items = self.data.as_array().ok_or_else(|| self.no_list("data"))?;
        entries(what, items, read)
    }
}

/// The entries of a list that can be read; one without what names it is left out.
pub(super) fn entries<T>(what: Word, items: &[Value], read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, ApiError> {
    if items.len() > LIST_ITEMS_MAX {
        return Err(ApiError::TooLarge { what, found: items.len(), max: LIST_ITEMS_MAX });
    }
    Ok(items.iter().filter_map(read).collect())
}

/// A text, or a whole number as its text; the platform is not of one mind about which it sends.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// A text for people: cut at [`TEXT_CHARS_MAX`], empty when it is left out.
pub(super) fn prose(value: &Value) -> String {
    let text = text(value).unwrap_or_default();
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A word or a date: cut short like everything foreign, empty when it is left out.
pub(super) fn word(value: &Value) -> String {
    shown(&text(value).unwrap_or_default())
}

/// A whole number, as a number or as its text; 0 when it is left out or something else.
pub(super) fn whole(value: &Value) -> u64 {
    text(value).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A truth, in any of the forms that were seen; false when it is left out.
pub(super) fn truth(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| whole(value) == 1)
}
