//! The platform's MD5 signature (cloud 1.1): non-empty fields but `sign`, sorted by name byte by byte, joined raw as
//! `k=v&…`, then `key=` and the signing key; MD5 in 32 upper-case hex digits.
//!
//! Some of the vendor's libraries percent-encode values before hashing. That variant is not accepted: every published
//! example verifies raw, and a second accepted text per signature would open again what the rule against ambiguous
//! values closes.

use crate::order::constant_time;
use crate::order::said::InChinese;
use md5::{Digest, Md5};
use std::fmt;

/// The name under which the signature travels; it never signs itself.
pub const SIGN_FIELD: &str = "sign";
/// Room for what is hashed, from the beginning, in bytes: commands and reports seldom have more.
const SIGNED_BYTES_USUAL: usize = 512;

/// A merchant's key that ends the signed text (AppKey, or AppId where `[signing]` says so). Never shown.
#[derive(Clone)]
pub struct SigningKey(Box<str>);

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        constant_time::equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for SigningKey {}

/// A signing key must not be empty: everyone could sign with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key is empty; put the merchant's key into its credentials file")]
pub struct EmptyKey;

impl InChinese for EmptyKey {
    fn zh(&self) -> String {
        "签名密钥为空；请把商户的密钥写入凭据文件".to_owned()
    }
}

impl SigningKey {
    /// Takes the key exactly as given; whoever reads it from a file cuts the line end off first.
    ///
    /// # Errors
    /// When it is empty.
    pub fn new(text: &str) -> Result<Self, EmptyKey> {
        if text.is_empty() { Err(EmptyKey) } else { Ok(SigningKey(text.into())) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(hidden)")
    }
}

/// 32 upper-case hex digits.
#[derive(Debug, Clone)]
pub struct Signature([u8; 32]);

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        constant_time::equal(&self.0, &other.0)
    }
}

impl Eq for Signature {}

impl Signature {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Always UTF-8: nothing but digits enters.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether `claimed` is this signature, digit for digit and in upper case as documented. Takes the same time
    /// wherever they differ, so that nobody finds a signature digit by digit.
    #[must_use]
    pub fn matches(&self, claimed: &str) -> bool {
        constant_time::equal(&self.0, claimed.as_bytes())
    }
}

/// The bytes that are hashed. They end in the key: for tests and for [`sign`], never for a log.
#[must_use]
pub fn signed_bytes<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>, key: &SigningKey) -> Vec<u8> {
    bytes_of_sorted(sorted(fields.into_iter().collect()), key)
}

/// Apart from [`signed_bytes`], so that it exists once and not for each kind of fields.
fn sorted<'f>(mut fields: Vec<(&'f str, &'f str)>) -> Vec<(&'f str, &'f str)> {
    fields.sort_by_key(|(name, _)| *name);
    fields
}

fn bytes_of_sorted<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>, key: &SigningKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SIGNED_BYTES_USUAL);
    for (name, value) in fields {
        if name != SIGN_FIELD && !value.is_empty() {
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(b'=');
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(b'&');
        }
    }
    bytes.extend_from_slice(b"key=");
    bytes.extend_from_slice(key.0.as_bytes());
    bytes
}

/// Signs fields, each a name and its text. Empty values and a field called `sign` do not count.
#[must_use]
pub fn sign<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>, key: &SigningKey) -> Signature {
    signature_of(&signed_bytes(fields, key))
}

/// [`sign`] for fields that are sorted by name.
pub(super) fn sign_sorted<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>, key: &SigningKey) -> Signature {
    signature_of(&bytes_of_sorted(fields, key))
}

fn signature_of(bytes: &[u8]) -> Signature {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(Md5::digest(bytes)) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 0x0f)];
    }
    Signature(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_shows_itself_and_is_never_empty() {
        let key = SigningKey::new("kva").unwrap();
        assert!(!format!("{key:?}").contains("kva"));
        assert_eq!(SigningKey::new(""), Err(EmptyKey));
    }

    #[test]
    fn a_signature_matches_itself_only() {
        let signature = sign([("a", "1")], &SigningKey::new("kva").unwrap());
        assert!(signature.matches(signature.as_str()));
        let lower = signature.as_str().to_lowercase();
        for wrong in ["", &signature.as_str()[..31], &format!("{}0", signature.as_str()), &lower, &"0".repeat(32)] {
            assert!(!signature.matches(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn sorting_is_by_bytes_and_values_enter_raw() {
        let fields = [("b", "1"), ("B", "x y:/&=%"), ("a_", ""), ("a", "é"), ("sign", "ignored"), ("_", "0")];
        let bytes = signed_bytes(fields, &SigningKey::new("k").unwrap());
        assert_eq!(String::from_utf8(bytes).unwrap(), "B=x y:/&=%&_=0&a=é&b=1&key=k");
    }
}
