//! What is taken out of a bundle: every secret of this machine in each form in which it could have got there, and what may be
//! somebody else's.

use crate::order::url_mask::{self, MASK};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter texts are no secrets: masking them would leave nothing to read.
const SECRET_BYTES_MIN: usize = 3;
/// A disguise of a short secret is a few letters and stands in half of all numbers.
const DISGUISE_BYTES_MIN: usize = 8;
/// What URLs leave as it is beside letters and digits: by RFC 3986, in forms, and in JavaScript.
const KEPT_IN_URLS: [&str; 3] = ["-._~", "*-._", "-._~!'()*"];
/// A private key in PEM, of whatever kind, begins with the first and this and ends with the second and this.
const KEY_WORDS: &str = "PRIVATE KEY-----";
/// See [`KEY_WORDS`].
const KEY_BEGIN: &str = "-----BEGIN ";
/// See [`KEY_WORDS`].
const KEY_END: &str = "-----END ";

/// What must not be read in any part.
#[derive(Debug, Default)]
pub(super) struct Masks(Vec<String>);

impl Masks {
    /// For these secrets, and for the private keys in these texts.
    pub(super) fn new(secrets: &[String], keys: &[String]) -> Masks {
        let lines = keys.iter().flat_map(|key| key.lines()).map(str::trim);
        // The lines of a key, should one stand somewhere alone. Its armour is no secret.
        let lines = lines.filter(|line| line.len() >= DISGUISE_BYTES_MIN && !line.starts_with("-----"));
        let mut all: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
        all.extend(lines.map(str::to_owned));
        // The longest first, or what a shorter one left of it could be read.
        all.sort_by_key(|form| std::cmp::Reverse(form.len()));
        all.dedup();
        Masks(all)
    }

    /// The text without them, without private keys, and without what may be one in a URL.
    pub(super) fn mask(&self, text: &str) -> String {
        let known = self.0.iter().fold(text.to_owned(), |text, form| match text.contains(form.as_str()) {
            true => text.replace(form.as_str(), MASK),
            false => text,
        });
        url_mask::masked(&mask_keys(&known))
    }
}

/// A secret as it is, as JSON, TOML and URLs write it, in hex, and in base64 at each place in a longer text.
fn forms(secret: &str) -> Vec<String> {
    if secret.len() < SECRET_BYTES_MIN {
        return Vec::new();
    }
    let bytes = secret.as_bytes();
    let quoted = serde_json::to_string(secret).unwrap_or_default();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // Without its quotes.
    let quoted = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
    let mut disguises = vec![quoted, hex.to_ascii_uppercase(), hex];
    for kept in KEPT_IN_URLS {
        disguises.extend(["%20", "+"].map(|blank| in_url(bytes, blank, kept, |byte| format!("%{byte:02X}"))));
        disguises.extend(["%20", "+"].map(|blank| in_url(bytes, blank, kept, |byte| format!("%{byte:02x}"))));
    }
    for skipped in 0..3 {
        // Whole groups of three bytes look the same wherever the text stands.
        let rest = bytes.get(skipped..).unwrap_or_default();
        let whole = &rest[..rest.len() / 3 * 3];
        disguises.extend([STANDARD_NO_PAD.encode(whole), URL_SAFE_NO_PAD.encode(whole)]);
    }
    disguises.retain(|disguise| disguise.len() >= DISGUISE_BYTES_MIN);
    disguises.push(secret.to_owned());
    disguises
}

/// As in a URL: letters, digits and what else is kept stand for themselves.
fn in_url(bytes: &[u8], blank: &str, kept: &str, escaped: fn(u8) -> String) -> String {
    let one = |&byte: &u8| match char::from(byte) {
        ' ' => blank.to_owned(),
        c if c.is_ascii_alphanumeric() || kept.contains(c) => c.to_string(),
        _ => escaped(byte),
    };
    bytes.iter().map(one).collect()
}

/// Without private keys: the lines between their armour.
fn mask_keys(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find(KEY_BEGIN) {
        let (before, armoured) = rest.split_at(begin);
        masked.push_str(before);
        let kind = armoured.get(..armoured.find(KEY_WORDS).map_or(0, |at| at + KEY_WORDS.len())).unwrap_or_default();
        // A certificate, and perhaps a key behind it.
        if kind.is_empty() || kind[KEY_BEGIN.len()..].contains(KEY_BEGIN) || kind.contains('\n') {
            masked.push_str(KEY_BEGIN);
            rest = &armoured[KEY_BEGIN.len()..];
            continue;
        }
        masked.push_str(kind);
        masked.push_str(MASK);
        // One that was cut off in the middle is a key to the end of the text.
        rest = armoured.find(KEY_END).map_or("", |end| &armoured[end..]);
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn masks(secret: &str) -> Masks {
        Masks::new(&[secret.to_owned()], &[])
    }

    #[test]
    fn secrets_and_what_may_be_one_in_a_url_are_masked() {
        for (text, masked) in [
            ("password s3cret-9!", "password ***!"),
            ("\"https://shop.example/x?token=1\",", "\"https://shop.example/x?***\","),
            ("mqtts://user:pass@host:8883 and more", "mqtts://***@host:8883 and more"),
            ("url = \"https://shop.example/hook/0f9a8b7c6d5e4f30\"", "url = \"https://shop.example/hook/***\""),
        ] {
            assert_eq!(masks("s3cret-9").mask(text), masked);
        }
    }

    #[test]
    fn a_secret_is_found_in_every_disguise() {
        let secret = "s3cret \"ü\"/+=&~\\9";
        for (text, masked) in [
            (serde_json::to_string(&format!("<{secret}>")).unwrap(), "\"<***>\""),
            ("x%73 s3cret%20%22%C3%BC%22%2F%2B%3D%26~%5C9 x".to_owned(), "x%73 *** x"),
            ("s3cret+%22%C3%BC%22%2F%2B%3D%26~%5C9".to_owned(), "***"),
            ("s3cret+%22%c3%bc%22%2f%2b%3d%26~%5c9".to_owned(), "***"),
            ("s3cret+%22%C3%BC%22%2F%2B%3D%26%7E%5C9".to_owned(), "***"),
            (secret.bytes().map(|b| format!("{b:02x}")).collect(), "***"),
            (secret.bytes().map(|b| format!("{b:02X}")).collect(), "***"),
        ] {
            assert_eq!(masks(secret).mask(&text), masked, "{text}");
        }
        for before in ["", "u", "us", "use"] {
            let text = STANDARD.encode(format!("{before}{secret}{secret}"));
            let told = masks(secret).mask(&text);
            assert!(told.contains(MASK) && told.len() < text.len() / 2, "{before:?}: {told}");
        }
    }

    #[test]
    fn a_secret_within_another_leaves_nothing_of_it() {
        let both = Masks::new(&["abc".to_owned(), "xabcx-longer".to_owned()], &[]);
        assert_eq!(both.mask("xabcx-longer abc ab"), "*** *** ab");
    }

    #[test]
    fn a_private_key_is_masked_whole_cut_off_and_line_by_line() {
        let key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIABCDEFG\nshort\n-----END EC PRIVATE KEY-----\n";
        let masked = "-----BEGIN EC PRIVATE KEY-----***-----END EC PRIVATE KEY-----\n";
        let certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        let nobodys = Masks::default();
        assert_eq!(nobodys.mask(&format!("a\n{key}b\n{key}")), format!("a\n{masked}b\n{masked}"));
        assert_eq!(nobodys.mask(&format!("{certificate}{key}")), format!("{certificate}{masked}"));
        assert_eq!(nobodys.mask(certificate), certificate);
        assert_eq!(nobodys.mask(&key[..45]), "-----BEGIN EC PRIVATE KEY-----***");
        let ours = Masks::new(&[], &[key.to_owned()]);
        assert_eq!(ours.mask("it says MHcCAQEEIABCDEFG short"), "it says *** short");
    }

    #[test]
    fn a_short_secret_hides_itself_and_no_numbers() {
        assert_eq!(masks("kva").mask("kva a3Zh 6b7661"), "*** a3Zh 6b7661");
        assert_eq!(masks("ab").mask("ab"), "ab");
    }
}
