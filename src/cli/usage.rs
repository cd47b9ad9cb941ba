//! A command line that is wrong, said in Chinese: by the kind of the mistake and by what it names. In English clap says it.

use crate::cloud::open_platform::{BadNumber, BadPickup};
use crate::order::key::KeyError;
use crate::order::said::{InChinese, Said};
use crate::sim::{board, cloud};
use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::fmt;
use std::net::AddrParseError;
use std::num::{IntErrorKind, ParseIntError};

/// What one of our own readers of values says of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread(pub Said);

/// In English: clap puts it behind the value.
impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.en)
    }
}

impl std::error::Error for Misread {}

impl<E: InChinese> From<E> for Misread {
    fn from(error: E) -> Misread {
        Misread(error.said())
    }
}

/// The mistake; nothing for what is none: help and version.
pub(super) fn in_chinese(error: &Error) -> Option<String> {
    let argument = || named(error, ContextKind::InvalidArg);
    let value = || named(error, ContextKind::InvalidValue);
    let what = match error.kind() {
        ErrorKind::InvalidValue if value().is_empty() => format!("\"{}\"需要一个值", argument()),
        ErrorKind::InvalidValue => format!("\"{}\"的值\"{}\"无效", argument(), value()),
        ErrorKind::ValueValidation => match reason(error) {
            Some(reason) => format!("\"{}\"的值\"{}\"无效：{reason}", argument(), value()),
            None => format!("\"{}\"的值\"{}\"无效", argument(), value()),
        },
        ErrorKind::UnknownArgument => format!("未知参数\"{}\"", argument()),
        ErrorKind::InvalidSubcommand => format!("未知命令\"{}\"", named(error, ContextKind::InvalidSubcommand)),
        ErrorKind::NoEquals => format!("\"{}\"的值须以 = 写出", argument()),
        ErrorKind::TooManyValues => format!("\"{}\"多余，\"{}\"不再接受值", value(), argument()),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => format!("\"{}\"的值的个数不对", argument()),
        ErrorKind::ArgumentConflict => match named(error, ContextKind::PriorArg) {
            prior if prior.is_empty() || prior == argument() => format!("\"{}\"只能写一次", argument()),
            prior => format!("\"{}\"不能与\"{prior}\"同用", argument()),
        },
        ErrorKind::MissingRequiredArgument => format!("缺少参数：{}", argument()),
        ErrorKind::MissingSubcommand => "缺少命令".to_owned(),
        ErrorKind::InvalidUtf8 => "参数不是 UTF-8 文本".to_owned(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::DisplayVersion => {
            return None;
        }
        // Writing failed, or a kind that a newer clap has.
        _ => "命令行有误".to_owned(),
    };
    let hint = |kind, lead: &str| match error.get(kind) {
        Some(ContextValue::String(name)) => Some(format!("\n  = {lead}{name:?}")),
        Some(ContextValue::Strings(all)) if !all.is_empty() => {
            let names: Vec<String> = all.iter().map(|name| format!("{name:?}")).collect();
            Some(format!("\n  = {lead}{}", names.join(", ")))
        }
        _ => None,
    };
    let hints = [
        hint(ContextKind::ValidValue, "可用的值："),
        hint(ContextKind::ValidSubcommand, "可用的命令："),
        hint(ContextKind::SuggestedValue, "是否想写："),
        hint(ContextKind::SuggestedArg, "是否想写："),
        hint(ContextKind::SuggestedSubcommand, "是否想写："),
        error.get(ContextKind::Usage).map(|usage| {
            let usage = usage.to_string();
            format!("\n  = 用法：{}", usage.trim().trim_start_matches("Usage:").trim_start())
        }),
    ];
    let hints: String = hints.into_iter().flatten().collect();
    Some(format!("{what}{hints}\n  = 更多说明请用 --help"))
}

/// What the error names, one or several; nothing when it names none of the kind.
fn named(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(all)) => all.join(", "),
        _ => String::new(),
    }
}

/// Of values that read themselves.
fn read_by_type(source: &(dyn std::error::Error + 'static)) -> Option<String> {
    fn of<E: std::error::Error + InChinese + 'static>(source: &(dyn std::error::Error + 'static)) -> Option<String> {
        source.downcast_ref::<E>().map(InChinese::zh)
    }
    let readers = [
        of::<KeyError>,
        of::<BadNumber>,
        of::<BadPickup>,
        of::<board::fault::FaultError>,
        of::<cloud::fault::BadFault>,
    ];
    readers.iter().find_map(|read| read(source))
}

/// Why a value is none: in our own words, or of clap's readers of numbers.
fn reason(error: &Error) -> Option<String> {
    let source = std::error::Error::source(error)?;
    if let Some(Misread(said)) = source.downcast_ref() {
        return Some(said.zh.clone());
    }
    if let Some(zh) = read_by_type(source) {
        return Some(zh);
    }
    if source.is::<AddrParseError>() {
        return Some("应写作 IP:PORT".to_owned());
    }
    if let Some(number) = source.downcast_ref::<ParseIntError>() {
        return Some(match number.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "数值超出范围".to_owned(),
            _ => "应为整数".to_owned(),
        });
    }
    // Of a reader with bounds there are only words: "9 is not in 1..=8".
    let text = source.to_string();
    let (_, bounds) = text.rsplit_once(" is not in ")?;
    Some(format!("不在 {bounds} 之内"))
}
