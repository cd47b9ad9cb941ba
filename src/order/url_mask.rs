//! URLs as others may read them: in logs, in errors, in a bundle for whoever helps from afar.

/// What stands in place of what may be a secret.
pub const MASK: &str = "***";
/// A URL in a text ends with one of these, or a blank.
const URL_ENDS: [char; 4] = ['"', '\'', ',', ')'];
/// A part of a path that is a token is so long at least, in bytes: half of a key of 128 bits in hex. Words of a path
/// are shorter.
const TOKEN_BYTES_MIN: usize = 16;
/// So many digits among letters stand in no word, nor in a version behind one.
const TOKEN_DIGITS_MIN: usize = 2;
/// So many large letters among small ones stand in no word that is written together out of several.
const TOKEN_LARGE_MIN: usize = 5;

/// The text without what may be a secret in a URL of somebody: what stands before an `@` or behind a `?`, and what in its
/// path looks like a token.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://").map(|at| at + "://".len()) {
        let (before, url) = rest.split_at(at);
        let end = url.find(|c: char| c.is_whitespace() || URL_ENDS.contains(&c)).unwrap_or(url.len());
        let (url, behind) = url.split_at(end);
        masked.push_str(before);
        let authority = url.find(['/', '?']).unwrap_or(url.len());
        let (authority, path) = url.split_at(authority);
        match authority.rsplit_once('@') {
            Some((_, host)) => masked.extend([MASK, "@", host]),
            None => masked.push_str(authority),
        }
        masked.push_str(&masked_path(path));
        rest = behind;
    }
    masked.push_str(rest);
    masked
}

/// The same of what stands behind the host, or of a place that names none.
#[must_use]
pub fn masked_path(path: &str) -> String {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let parts: Vec<&str> = path.split('/').map(|part| if is_token(part) { MASK } else { part }).collect();
    let mut masked = parts.join("/");
    match query {
        Some("") => masked.push('?'),
        Some(_) => masked.extend(["?", MASK]),
        None => {}
    }
    masked
}

/// Long, and mixed as no word is. A number alone is none: orders and machines have those.
fn is_token(part: &str) -> bool {
    let count = |is: fn(&u8) -> bool| part.as_bytes().iter().filter(|byte| is(byte)).count();
    let (digits, large, small) =
        (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    let is_mixed = (digits >= TOKEN_DIGITS_MIN && large + small >= TOKEN_DIGITS_MIN)
        || (large >= TOKEN_LARGE_MIN && small >= TOKEN_LARGE_MIN);
    part.len() >= TOKEN_BYTES_MIN && is_mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_in_a_url_is_masked() {
        for (text, wanted) in [
            ("\"https://shop.example/x?token=1\",", "\"https://shop.example/x?***\","),
            ("mqtts://user:pass@host:8883 and more", "mqtts://***@host:8883 and more"),
            ("https://a/b@c https://d?e", "https://a/b@c https://d?***"),
            ("https://a?b/c@d", "https://a?***"),
            ("https://a/b?", "https://a/b?"),
            ("://", "://"),
            ("://x@", "://***@"),
        ] {
            assert_eq!(masked(text), wanted);
        }
        assert_eq!(masked_path("/login?next=1"), "/login?***");
    }

    #[test]
    fn a_token_in_a_path_is_masked_and_words_and_numbers_stay() {
        for token in [
            "0123456789abcdef",
            "6f1e9c1a-3a55-4d0b-9c2e-0b1c2d3e4f50",
            "XkPqRtYuWzabCdEfGhij",
            "eyJhbGciOiJIUzI1NiJ9",
            "sk_live_51H8xyzABCDEF",
        ] {
            assert_eq!(
                masked(&format!("at https://shop.example/hook/{token}/x: no")),
                "at https://shop.example/hook/***/x: no"
            );
            assert_eq!(masked_path(&format!("/hook/{token}")), "/hook/***");
        }
        for path in [
            "/openapi/v1/machines/16327129/orders/202404291454500000000001",
            "/api/order-notify-callback-v2.php",
            "/orderNotifyCallbackHandler",
            "/device.delivery.response",
            "/hook/short1",
        ] {
            assert_eq!(masked(&format!("https://shop.example{path}")), format!("https://shop.example{path}"));
        }
    }
}
