//! What must be in the journal, in 24 bytes: it notices a record that is missing, too many or out of date
//! (order-life, rule 3).

use super::value::{self, Unreadable};
use std::fmt;

/// Number of entries, highest counter and XOR over hash(key, version).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    /// Counter of the newest commit; 0 before the first.
    pub counter: u64,
    /// Entries: the records, and the core's own small record when there is one.
    pub entries: u64,
    /// XOR over hash(key, version) of all entries.
    pub xor: u64,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries at counter {} ({:016x})", self.entries, self.counter, self.xor)
    }
}

/// A hash that must never change: FNV-1a, then the finisher of MurmurHash3, since FNV's own bits are too alike
/// under XOR when keys differ in their last bytes only.
fn hash(key: &[u8], version: u64) -> u64 {
    let mut h: u64 = 0xcbf2_9ce4_8422_2325;
    for &byte in key.iter().chain(&version.to_le_bytes()) {
        h = (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    h = (h ^ (h >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

impl Digest {
    /// One entry more.
    pub(super) fn add(&mut self, key: &[u8], version: u64) {
        self.entries = self.entries.wrapping_add(1);
        self.xor ^= hash(key, version);
    }

    /// One entry less.
    pub(super) fn remove(&mut self, key: &[u8], version: u64) {
        self.entries = self.entries.wrapping_sub(1);
        self.xor ^= hash(key, version);
    }

    /// The digest as a value under `key`; its counter is the value's.
    #[must_use]
    pub fn seal(&self, key: &[u8]) -> Vec<u8> {
        let mut body = [0; 16];
        body[..8].copy_from_slice(&self.entries.to_le_bytes());
        body[8..].copy_from_slice(&self.xor.to_le_bytes());
        value::seal(key, self.counter, &body)
    }

    /// Reads what [`Digest::seal`] made.
    ///
    /// # Errors
    /// [`Unreadable`] says what is wrong with the bytes.
    pub fn unseal(key: &[u8], bytes: &[u8]) -> Result<Digest, Unreadable> {
        let value = value::unseal(key, bytes)?;
        let wrong = Unreadable::Body { found_bytes: value.body.len() };
        let Some((&entries, rest)) = value.body.split_first_chunk::<8>() else { return Err(wrong) };
        let Ok(xor) = <[u8; 8]>::try_from(rest) else { return Err(wrong) };
        Ok(Digest { counter: value.counter, entries: u64::from_le_bytes(entries), xor: u64::from_le_bytes(xor) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes() {
        // A digest on some machine's disk was made with these; they come from another program.
        assert_eq!(hash(b"", 0), 0x7bd3_144f_29c0_cc9e);
        assert_eq!(hash(b"order", 1), 0x6037_3582_e523_61e0);
    }

    #[test]
    fn order_of_changes_does_not_matter_and_versions_do() {
        let mut one = Digest::default();
        one.add(b"a", 1);
        one.add(b"b", 2);
        let mut other = Digest::default();
        other.add(b"b", 2);
        other.add(b"c", 9);
        other.add(b"a", 1);
        other.remove(b"c", 9);
        assert_eq!(one, other);
        other.remove(b"b", 2);
        other.add(b"b", 3);
        assert_ne!(one, other);
    }

    #[test]
    fn a_digest_comes_back_and_a_body_of_another_length_is_noticed() {
        let digest = Digest { counter: 5, entries: 3, xor: 77 };
        assert_eq!(Digest::unseal(b"d", &digest.seal(b"d")), Ok(digest));
        for len in [0, 8, 15, 17] {
            let sealed = value::seal(b"d", 5, &vec![0; len]);
            assert_eq!(Digest::unseal(b"d", &sealed), Err(Unreadable::Body { found_bytes: len }));
        }
    }
}
