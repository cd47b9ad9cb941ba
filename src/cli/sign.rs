//! `vend sign`: a JSON object in, the same object with `sign` out.

use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use crate::cloud::envelope::MESSAGE_BYTES_MAX;
use crate::cloud::sign::{SIGN_FIELD, SigningKey, sign};
use crate::config::credentials::{Secret, read_secret};
use crate::order::said::{InChinese as _, Said, said};
use clap::Args;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Arguments of `vend sign`.
#[derive(Debug, Clone, Args)]
pub struct SignArgs {
    /// The file with the signing key, as one line
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
}

/// Signs the object on `input`. Texts and whole numbers are signed; a list or an object, like the `units` of a report,
/// is carried along (contract, section 3).
///
/// # Errors
/// A key that is not there, an input that is no such object, or a standard output that takes no more.
pub fn run(args: &SignArgs, input: impl Read, out: &mut Output<'_>) -> Result<Exit, Failure> {
    let secret = secret_in(&args.key_file)?;
    let key = SigningKey::new(secret.reveal()).map_err(|error| Failure::of(Exit::Configuration, &error))?;
    let signed = signed(input, &key)
        .map_err(|why| Failure::told(Exit::Failed, said!("standard input: {why}", "标准输入：{why}", why)))?;
    out.line(&signed)?;
    Ok(Exit::Done)
}

/// The secret in a file that a person named.
pub(super) fn secret_in(path: &Path) -> Result<Secret, Failure> {
    match read_secret(path) {
        Ok(found) => Ok(found.secret),
        Err(fault) => {
            let why = fault.text();
            Err(Failure::told(Exit::Configuration, said!("{path}: {why}", "{path}：{why}", why; path = path.display())))
        }
    }
}

fn signed(input: impl Read, key: &SigningKey) -> Result<String, Said> {
    let mut json = Vec::new();
    let most = u64::try_from(MESSAGE_BYTES_MAX).unwrap_or(u64::MAX);
    input.take(most.saturating_add(1)).read_to_end(&mut json).map_err(|e| e.said())?;
    if json.len() > MESSAGE_BYTES_MAX {
        return Err(said!(
            "more than {max} bytes, which no machine takes",
            "超过 {max} 字节，没有机器接收";
            max = MESSAGE_BYTES_MAX
        ));
    }
    let mut object: Map<String, Value> =
        serde_json::from_slice(&json).map_err(|e| said!("no JSON object: {e}", "不是 JSON 对象：{e}", e))?;
    let mut fields = Vec::with_capacity(object.len());
    for (name, value) in &object {
        match value {
            Value::String(text) => fields.push((name.as_str(), text.clone())),
            Value::Number(number) if !number.is_f64() => fields.push((name.as_str(), number.to_string())),
            Value::Array(_) | Value::Object(_) => {}
            other => {
                return Err(said!(
                    "{name} is {other}; a value is a text or a whole number",
                    "{name} 为 {other}；值应为文本或整数";
                    name, other = other.to_string()
                ));
            }
        }
    }
    let signature = sign(fields.iter().map(|(name, text)| (*name, text.as_str())), key);
    object.insert(SIGN_FIELD.to_owned(), signature.as_str().into());
    serde_json::to_string(&object).map_err(|e| Said::word(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<String, Said> {
        signed(json.as_bytes(), &SigningKey::new("kva").unwrap())
    }

    #[test]
    fn texts_and_whole_numbers_are_signed_and_a_list_is_carried_along() {
        let expected = sign([("a", "1"), ("b", "60")], &SigningKey::new("kva").unwrap());
        let out = of(r#"{"b":60,"units":[{"unit":1}],"a":"1","empty":"","sign":"old"}"#).unwrap();
        let object: Map<String, Value> = serde_json::from_str(&out).unwrap();
        assert_eq!(object["sign"], expected.as_str());
        assert_eq!((&object["b"], &object["empty"]), (&60.into(), &"".into()));
        assert_eq!(object["units"][0]["unit"], 1);
    }

    #[test]
    fn what_no_signature_covers_is_refused() {
        for bad in ["", "[]", "\"x\"", "{", r#"{"a":1.5}"#, r#"{"a":true}"#, r#"{"a":null}"#, r#"{"a":"1"} x"#] {
            assert!(of(bad).is_err(), "{bad}");
        }
        assert!(of(&format!(r#"{{"a":"{}"}}"#, "x".repeat(MESSAGE_BYTES_MAX))).is_err());
    }
}
