//! Hosts, by name or by address, and patterns of hosts. Read more strictly than browsers do: what two readers could take
//! for different hosts (`0x7f.1`, an unencoded name in Chinese) is refused instead of repaired.

use crate::order::said::InChinese;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest DNS name (RFC 1035, without the root's dot).
const NAME_CHARS_MAX: usize = 253;
/// Longest label of a DNS name (RFC 1035).
const LABEL_CHARS_MAX: usize = 63;

/// Why a text is no host; read behind "the URL" or "the entry".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// A bracket that is not closed.
    #[error("has a host with [ but without ]")]
    Unclosed,
    /// No IPv6 address in the brackets.
    #[error("has something in [ ] that is not an IPv6 address")]
    NotIpv6,
    /// A name that is not encoded.
    #[error("has a host with letters outside ASCII; write it in Punycode (xn--…)")]
    NotAscii,
    /// Nothing.
    #[error("has no host")]
    NoHost,
    /// What inet_aton would take, and others not.
    #[error("has a host in numbers that is not like 192.0.2.1")]
    NotIpv4,
    /// Too long, or with letters that no name has.
    #[error("has a host that is not a DNS name")]
    NotAName,
    /// `*.` before an address.
    #[error("has *. before an address")]
    PatternOfAddress,
}

impl InChinese for HostError {
    fn zh(&self) -> String {
        match self {
            HostError::Unclosed => "的主机有 [ 而没有 ]",
            HostError::NotIpv6 => "的 [ ] 中不是 IPv6 地址",
            HostError::NotAscii => "的主机含有非 ASCII 字符；请写成 Punycode（xn--…）",
            HostError::NoHost => "没有主机",
            HostError::NotIpv4 => "的主机是数字，但不是 192.0.2.1 这样的地址",
            HostError::NotAName => "的主机不是域名",
            HostError::PatternOfAddress => "在 IP 地址前有 *.",
        }
        .to_owned()
    }
}

/// A host: a name in lower case without trailing dot, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A DNS name.
    Name(Box<str>),
    /// A literal address; an IPv4-mapped IPv6 address is kept as the IPv4 address that it reaches.
    Address(IpAddr),
}

impl Host {
    /// Reads a host as it stands in a URL (IPv6 in brackets).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if let Some(v6) = text.strip_prefix('[') {
            let inner = v6.strip_suffix(']').ok_or(HostError::Unclosed)?;
            let address: Ipv6Addr = inner.parse().map_err(|_| HostError::NotIpv6)?;
            return Ok(Host::Address(IpAddr::V6(address).to_canonical()));
        }
        if !text.is_ascii() {
            return Err(HostError::NotAscii);
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.is_empty() {
            return Err(HostError::NoHost);
        }
        // A name that ends in a number is an address to inet_aton, in octal, hex or with parts left out.
        let last = name.rsplit('.').next().unwrap_or_default();
        let in_digits = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
        if in_digits || last.starts_with("0x") {
            let address: Ipv4Addr = name.parse().map_err(|_| HostError::NotIpv4)?;
            return Ok(Host::Address(IpAddr::V4(address)));
        }
        let label_fits = |label: &str| {
            (1..=LABEL_CHARS_MAX).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if name.len() > NAME_CHARS_MAX || !name.split('.').all(label_fits) {
            return Err(HostError::NotAName);
        }
        Ok(Host::Name(name.into()))
    }

    /// By its own words this very machine: what is sent there leaves no wire, and goes through no proxy.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        match self {
            Host::Name(name) => &**name == "localhost" || name.ends_with(".localhost"),
            Host::Address(address) => address.is_loopback(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
            Host::Address(IpAddr::V4(v4)) => v4.fmt(f),
        }
    }
}

/// Hosts that a notify_url may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This host.
    Exactly(Host),
    /// `*.name`: every host below it, at any depth, and not the name itself. Kept with its leading dot.
    Below(Box<str>),
}

impl HostPattern {
    /// Reads an entry of `allow_hosts`: a name, `*.` and a name, or an address (IPv6 with or without brackets).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if let Some(parent) = text.strip_prefix("*.") {
            return match Host::parse(parent)? {
                Host::Name(name) => Ok(HostPattern::Below(format!(".{name}").into())),
                Host::Address(_) => Err(HostError::PatternOfAddress),
            };
        }
        match text.parse::<Ipv6Addr>() {
            Ok(bare) => Ok(HostPattern::Exactly(Host::Address(IpAddr::V6(bare).to_canonical()))),
            Err(_) => Host::parse(text).map(HostPattern::Exactly),
        }
    }

    /// Whether the pattern covers this host.
    #[must_use]
    pub fn covers(&self, host: &Host) -> bool {
        match (self, host) {
            (HostPattern::Exactly(listed), _) => listed == host,
            (HostPattern::Below(suffix), Host::Name(name)) => name.ends_with(&**suffix) && name.len() > suffix.len(),
            (HostPattern::Below(_), Host::Address(_)) => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exactly(host) => host.fmt(f),
            HostPattern::Below(suffix) => write!(f, "*{suffix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_with_a_star_covers_what_is_below_and_nothing_else() {
        let below = HostPattern::parse("*.Example").unwrap();
        assert_eq!(below.to_string(), "*.example");
        for covered in ["shop.example", "a.shop.example", "SHOP.example."] {
            assert!(below.covers(&Host::parse(covered).unwrap()), "{covered}");
        }
        for other in ["example", "badexample", "shop.example.evil", "192.0.2.7"] {
            assert!(!below.covers(&Host::parse(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn an_address_is_the_same_in_every_way_of_writing_it() {
        for (pattern, host) in
            [("192.0.2.7", "192.0.2.7"), ("2620:fe::9", "[2620:fe:0::9]"), ("[2620:fe::9]", "[2620:fe::9]")]
        {
            assert!(HostPattern::parse(pattern).unwrap().covers(&Host::parse(host).unwrap()), "{pattern}");
        }
        assert!(HostPattern::parse("9.9.9.9").unwrap().covers(&Host::parse("[::ffff:9.9.9.9]").unwrap()));
    }

    #[test]
    fn an_entry_that_is_no_host_is_refused() {
        for entry in [
            "",
            "*",
            "*.",
            "a.*",
            "a*.example",
            "https://shop.example",
            "shop.example:443",
            "*.10.0.0.1",
            "單.example",
            "0x7f.1",
        ] {
            assert!(HostPattern::parse(entry).is_err(), "{entry}");
        }
    }
}
