//! What stands before every value of the journal: its format, its check sum, its version.
//!
//! | bytes | meaning |
//! |---|---|
//! | 1 | format, at most [`FORMAT`] |
//! | 4 | CRC-32 (little endian) over format, key, counter and body |
//! | 8 | counter of the commit that wrote it (little endian): the version of this key |
//! | … | body |
//!
//! The first five bytes mean the same in all formats to come, so that a value of a newer program can be told from
//! a damaged one.

/// The format this program writes, and the newest it can read. Values are the same in all; a digest of format 2 says that
/// the newest commits lie in the lead (`super::lead`), without which the journal would be an older one, and of format 3 that
/// the lead has halves, of which a vend of before would read one.
pub const FORMAT: u8 = 3;
/// The first format that has a lead.
pub(super) const LEAD_FORMAT: u8 = 2;
/// The first format whose lead has halves.
pub(super) const HALVES_FORMAT: u8 = 3;
/// Bytes before the body.
pub const HEADER_BYTES: usize = 1 + 4 + 8;

/// A value whose check sum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    /// Counter of the commit that wrote it.
    pub counter: u64,
    /// What was put.
    pub body: &'a [u8],
}

/// Why bytes are no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Fewer bytes than the header has.
    #[error("has {found_bytes} bytes, fewer than the {HEADER_BYTES} of its header")]
    Short {
        /// Its length.
        found_bytes: usize,
    },
    /// The check sum is wrong.
    #[error("has a wrong check sum")]
    CheckSum,
    /// The check sum is right, and no program ever wrote this format.
    #[error("has format {0}, which does not exist")]
    Format(u8),
    /// The check sum is right and the format is one of a newer program.
    #[error("has format {0}, which only a newer vend knows")]
    Newer(u8),
    /// The header is right and the body has not the length it must have.
    #[error("has a body of {found_bytes} bytes, which cannot be")]
    Body {
        /// The body's length.
        found_bytes: usize,
    },
}

fn check_sum(format: u8, key: &[u8], after_check_sum: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[format]);
    hasher.update(key);
    hasher.update(after_check_sum);
    hasher.finalize()
}

/// Header and body in one piece.
#[must_use]
pub fn seal(key: &[u8], counter: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES.saturating_add(body.len()));
    bytes.push(FORMAT);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&counter.to_le_bytes());
    bytes.extend_from_slice(body);
    let sum = check_sum(FORMAT, key, &bytes[5..]);
    bytes[1..5].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Reads what [`seal`] made for the same key.
///
/// # Errors
/// [`Unreadable`] says what is wrong with the bytes.
pub fn unseal<'a>(key: &[u8], bytes: &'a [u8]) -> Result<Value<'a>, Unreadable> {
    let short = Unreadable::Short { found_bytes: bytes.len() };
    let Some((&[format], rest)) = bytes.split_first_chunk::<1>() else { return Err(short) };
    let Some((&sum, sealed)) = rest.split_first_chunk::<4>() else { return Err(short) };
    if check_sum(format, key, sealed) != u32::from_le_bytes(sum) {
        return Err(Unreadable::CheckSum);
    }
    match format {
        1..=FORMAT => {}
        0 => return Err(Unreadable::Format(format)),
        newer => return Err(Unreadable::Newer(newer)),
    }
    let Some((&counter, body)) = sealed.split_first_chunk::<8>() else { return Err(short) };
    Ok(Value { counter: u64::from_le_bytes(counter), body })
}

/// A value as another format would write it.
#[cfg(test)]
pub(super) fn seal_as(format: u8, key: &[u8], counter: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = seal(key, counter, body);
    bytes[0] = format;
    let sum = check_sum(format, key, &bytes[5..]);
    bytes[1..5].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_as_it_was_put() {
        let bytes = seal(b"key", 7, b"body");
        assert_eq!(unseal(b"key", &bytes), Ok(Value { counter: 7, body: b"body" }));
        assert_eq!(bytes.len(), HEADER_BYTES + 4);
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_noticed() {
        let bytes = seal(b"key", 7, b"body");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unseal(b"key", &flipped), Err(Unreadable::CheckSum), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(unseal(b"key", &bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_value_under_another_key_is_noticed() {
        assert_eq!(unseal(b"kez", &seal(b"key", 7, b"body")), Err(Unreadable::CheckSum));
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        assert_eq!(unseal(b"k", &seal_as(FORMAT + 1, b"k", 1, b"")), Err(Unreadable::Newer(FORMAT + 1)));
        assert_eq!(unseal(b"k", &seal_as(0, b"k", 1, b"")), Err(Unreadable::Format(0)));
    }
}
