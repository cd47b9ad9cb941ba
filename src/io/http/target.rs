//! Where vend may send to. A `notify_url` comes from a message, so it must not be a way into the machine's own
//! network: http(s) only, no user part, listed hosts, public addresses (order-life, section 4; contract, section 1).
//!
//! The URL is read more strictly than browsers do: what two readers could take for different hosts (a backslash,
//! `0x7f.1`, an unencoded name in Chinese) is refused instead of repaired.

use crate::config::host::{Host, HostPattern};
use crate::order::said::{InChinese as _, Said};
use http::uri::PathAndQuery;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How much of a foreign text an error repeats.
const QUOTED_CHARS_MAX: usize = 120;

/// Why nothing is sent to a URL. All of these are final: another try would end the same way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It cannot be read, or not in one way only.
    #[error("the URL {}", .why.en)]
    Malformed {
        /// What is wrong with it, read behind "the URL".
        why: Said,
    },
    /// Neither http nor https.
    #[error("only http:// and https:// are possible, not {scheme}:")]
    Scheme {
        /// What stands there instead.
        scheme: String,
    },
    /// `user@host`.
    #[error("the URL has a user part before the host (…@), which could hide where it leads")]
    UserPart,
    /// The host is not one that the operator allows.
    #[error("{host} is not in [report] allow_hosts; add it there if it is the merchant's")]
    NotListed {
        /// The host.
        host: Host,
    },
    /// A proxy would resolve the name, so the address could not be checked.
    #[error(
        "through a proxy only hosts listed in [report] allow_hosts can be reached; add {host} there, or to no_proxy"
    )]
    NotListedForProxy {
        /// The host.
        host: Host,
    },
    /// Loopback, link-local, private, or otherwise not on the public Internet.
    #[error("{address} is not a public address; [report] allow_private_targets = true would allow it")]
    Private {
        /// The literal or resolved address.
        address: IpAddr,
    },
    /// Unspecified, multicast or broadcast: nobody receives there.
    #[error("{address} cannot be anyone's address")]
    NoReceiver {
        /// The literal or resolved address.
        address: IpAddr,
    },
    /// Plain http that would leave this machine.
    #[error(
        "plain http:// to {host} would be readable on the way; use https://, or set allow_plaintext = true in its section"
    )]
    Plaintext {
        /// The host.
        host: Host,
    },
}

/// The first characters of a foreign text.
pub(super) fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

/// http or https.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Readable on the way.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The port when the URL names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }

    /// The word before `://`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// Scheme, host and port: what must stay the same in a redirect, and what a kept connection belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// http or https.
    pub scheme: Scheme,
    /// The host.
    pub host: Host,
    /// The port, filled in.
    pub port: u16,
}

impl Origin {
    /// `host` or `host:port`, as the Host header wants it.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A URL that was read in the only way it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where the connection goes.
    pub origin: Origin,
    /// What is asked for there. The fragment is gone: it is never sent.
    pub path: PathAndQuery,
}

impl Target {
    /// Reads an absolute http(s) URL.
    ///
    /// # Errors
    /// [`Refused::Malformed`], [`Refused::Scheme`] or [`Refused::UserPart`].
    pub fn parse(url: &str) -> Result<Self, Refused> {
        let malformed = |en: &str, zh: &str| Refused::Malformed { why: Said::new(en, zh) };
        if url.bytes().any(|b| b <= b' ' || b == 0x7F || b == b'\\') {
            return Err(malformed("holds a space, a control character or a backslash", "含有空格、控制字符或反斜杠"));
        }
        let (scheme, rest) = url
            .split_once(':')
            .ok_or_else(|| malformed("does not begin with http:// or https://", "须以 http:// 或 https:// 开头"))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(Refused::Scheme { scheme: quoted(scheme) }),
        };
        let rest = rest.strip_prefix("//").ok_or_else(|| malformed("lacks // after the scheme", "协议之后缺少 //"))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(Refused::UserPart);
        }
        let (host, port) = split_port(authority).map_err(|why| Refused::Malformed { why })?;
        let host = Host::parse(host).map_err(|error| Refused::Malformed { why: error.said() })?;
        let origin = Origin { scheme, host, port: port.unwrap_or(scheme.default_port()) };
        let path = path_and_query(path);
        Ok(Target {
            origin, path: path.ok_or_else(|| malformed("has a path that cannot be sent", "的路径无法发送"))?
        })
    }

    /// Where a Location header leads, seen from here.
    ///
    /// # Errors
    /// As [`Target::parse`].
    pub fn resolve(&self, location: &str) -> Result<Self, Refused> {
        let before_path = location.split(['/', '?', '#']).next().unwrap_or_default();
        if before_path.contains(':') {
            return Target::parse(location);
        }
        let origin = &self.origin;
        if location.starts_with("//") {
            return Target::parse(&format!("{}:{location}", origin.scheme.as_str()));
        }
        let path = if location.starts_with('/') {
            location.to_owned()
        } else if location.starts_with('?') {
            format!("{}{location}", self.path.path())
        } else {
            let folder = self.path.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{location}")
        };
        Target::parse(&format!("{}://{}:{}{path}", origin.scheme.as_str(), origin.host, origin.port))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.origin.scheme.as_str(), self.origin.authority(), self.path)
    }
}

/// Splits `host[:port]`; an empty port counts as none.
pub(super) fn split_port(authority: &str) -> Result<(&str, Option<u16>), Said> {
    let after_brackets = authority.rfind(']').map_or(0, |end| end + 1);
    let Some(colon) = authority[after_brackets..].find(':').map(|at| after_brackets + at) else {
        return Ok((authority, None));
    };
    let (host, port) = (&authority[..colon], &authority[colon + 1..]);
    if port.is_empty() {
        return Ok((host, None));
    }
    let digits_only = port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits_only && number > 0 => Ok((host, Some(number))),
        _ => Err(Said::new("has a port that is not a number from 1 to 65535", "的端口不是 1 到 65535 的数字")),
    }
}

/// Path and query without the fragment; bytes outside ASCII are percent-encoded, as every browser does.
fn path_and_query(text: &str) -> Option<PathAndQuery> {
    let text = text.split('#').next().unwrap_or_default();
    let mut encoded = String::with_capacity(text.len() + 1);
    if !text.starts_with('/') {
        encoded.push('/');
    }
    for byte in text.bytes() {
        if byte.is_ascii() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    PathAndQuery::try_from(encoded).ok()
}

/// Which hosts may be reached without looking at their addresses first.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    /// `[report] allow_hosts`.
    Listed(Vec<HostPattern>),
    /// Whatever the operator wrote into the configuration.
    OperatorsOwn,
}

/// The rules for one kind of target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRules {
    hosts: Hosts,
    allow_private: bool,
    allow_plaintext: bool,
}

impl TargetRules {
    /// The rules for `notify_url` from `[report]`. An empty list allows any public host.
    #[must_use]
    pub const fn new(allow_hosts: Vec<HostPattern>, allow_private: bool, allow_plaintext: bool) -> Self {
        TargetRules { hosts: Hosts::Listed(allow_hosts), allow_private, allow_plaintext }
    }

    /// The rules for `[cloud] url`: the operator chose the host, so it may stand anywhere.
    #[must_use]
    pub const fn operators_own(allow_plaintext: bool) -> Self {
        TargetRules { hosts: Hosts::OperatorsOwn, allow_private: true, allow_plaintext }
    }

    /// Everything about a URL that can be said without resolving its host.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check_url(&self, url: &str) -> Result<Target, Refused> {
        let target = Target::parse(url)?;
        let host = &target.origin.host;
        if let Hosts::Listed(patterns) = &self.hosts
            && !patterns.is_empty()
            && !self.lists(host)
        {
            return Err(Refused::NotListed { host: host.clone() });
        }
        if let Host::Address(address) = *host {
            self.check_address(&target.origin, address)?;
        }
        Ok(target)
    }

    /// Whether a connection for `origin` may be made to exactly this address.
    ///
    /// # Errors
    /// [`Refused::Private`], [`Refused::NoReceiver`] or [`Refused::Plaintext`].
    pub fn check_address(&self, origin: &Origin, address: IpAddr) -> Result<(), Refused> {
        match reach(address) {
            Reach::Nobody => return Err(Refused::NoReceiver { address }),
            Reach::Private if !self.allow_private => return Err(Refused::Private { address }),
            Reach::Private | Reach::Public => {}
        }
        if origin.scheme == Scheme::Http && !self.allow_plaintext && !address.to_canonical().is_loopback() {
            return Err(Refused::Plaintext { host: origin.host.clone() });
        }
        Ok(())
    }

    /// Whether a proxy may be asked for `origin`. The proxy resolves the name, so its address cannot be checked.
    ///
    /// # Errors
    /// [`Refused::NotListedForProxy`] or [`Refused::Plaintext`].
    pub fn check_proxied(&self, origin: &Origin) -> Result<(), Refused> {
        if !self.lists(&origin.host) {
            return Err(Refused::NotListedForProxy { host: origin.host.clone() });
        }
        if origin.scheme == Scheme::Http && !self.allow_plaintext {
            return Err(Refused::Plaintext { host: origin.host.clone() });
        }
        Ok(())
    }

    fn lists(&self, host: &Host) -> bool {
        match &self.hosts {
            Hosts::Listed(patterns) => patterns.iter().any(|pattern| pattern.covers(host)),
            Hosts::OperatorsOwn => true,
        }
    }
}

/// Who hears what is sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// One receiver on the Internet.
    Public,
    /// This machine, its network, or nobody in particular.
    Private,
    /// No single receiver.
    Nobody,
}

fn reach(address: IpAddr) -> Reach {
    match address.to_canonical() {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
}

/// The IANA special-purpose registry for IPv4.
fn reach_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        // Linux connects 0.0.0.0 to itself; the rest of 0/8 is no host.
        [0, ..] | [224..=239, ..] | [255, 255, 255, 255] => Reach::Nobody,
        [10, ..]
        | [100, 64..=127, ..]
        | [127, ..]
        | [169, 254, ..]
        | [172, 16..=31, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [192, 168, ..]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [240..=255, ..] => Reach::Private,
        _ => Reach::Public,
    }
}

/// The IANA special-purpose registry for IPv6; outside 2000::/3 nothing is public but the NAT64 prefix, without
/// which an IPv6-only mobile network reaches no IPv4 host.
fn reach_v6(address: Ipv6Addr) -> Reach {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        reach_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] | [0xFF00..=0xFFFF, ..] => Reach::Nobody,
        [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => embedded(high, low),
        // 2001::/23: Teredo, ORCHID, benchmarking.
        [0x2001, 0..=0x01FF, ..] | [0x2001, 0x0DB8, ..] | [0x3FFF, 0..=0x0FFF, ..] => Reach::Private,
        [0x2002, high, low, ..] => embedded(high, low),
        [0x2000..=0x3FFF, ..] => Reach::Public,
        _ => Reach::Private,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any_public() -> TargetRules {
        TargetRules::new(Vec::new(), false, false)
    }

    fn hosts(texts: &[&str]) -> Vec<HostPattern> {
        texts.iter().map(|text| HostPattern::parse(text).unwrap()).collect()
    }

    fn host(url: &str) -> String {
        Target::parse(url).unwrap_or_else(|e| panic!("{url}: {e}")).origin.host.to_string()
    }

    #[test]
    fn a_url_is_read_in_one_way_only() {
        let same = [
            ("https://Shop.Example./a?b=1#c", "https://shop.example/a?b=1"),
            ("HTTPS://shop.example:443", "https://shop.example/"),
            ("https://shop.example:/x", "https://shop.example/x"),
            ("http://shop.example:8080?q", "http://shop.example:8080/?q"),
            ("http://shop.example:443/", "http://shop.example:443/"),
            ("https://[2001:DB8:0:0::1]:8443/x", "https://[2001:db8::1]:8443/x"),
            ("https://[::ffff:127.0.0.1]/", "https://127.0.0.1/"),
            ("https://xn--fiqs8s.example/", "https://xn--fiqs8s.example/"),
            ("https://shop.example/單?名=1", "https://shop.example/%E5%96%AE?%E5%90%8D=1"),
            ("https://good.example#@evil.example/", "https://good.example/"),
            ("https://good.example/@evil.example", "https://good.example/@evil.example"),
            ("https://good.example?@evil.example", "https://good.example/?@evil.example"),
            ("https://127.0.0.1./", "https://127.0.0.1/"),
        ];
        for (url, read) in same {
            assert_eq!(Target::parse(url).map(|t| t.to_string()).as_deref(), Ok(read), "{url}");
        }
    }

    #[test]
    fn what_two_readers_could_take_for_different_hosts_is_refused() {
        let malformed = [
            "",
            "shop.example",
            "//shop.example/",
            "https:shop.example",
            "https:/shop.example",
            "https://",
            "https:///x",
            "https://:443/",
            "https://./",
            "https://a..example/",
            "https://.example/",
            "https://shop.example../",
            "https://good.example\\@evil.example/",
            "https://good.example\\.evil.example/",
            "https:\\\\good.example/",
            " https://good.example/",
            "https://good.example/a b",
            "https://good.example/\r\nHost: evil.example",
            "https://good.example\t.evil.example/",
            "https://good%2eexample/",
            "https://單.example/",
            "https://example。com/",
            "https://shop.example:0/",
            "https://shop.example:65536/",
            "https://shop.example:+443/",
            "https://shop.example:44x/",
            "https://shop.example:1:2/",
            "https://2001:db8::1/",
            "https://[2001:db8::1/",
            "https://[2001:db8::1]x/",
            "https://[fe80::1%eth0]/",
            "https://[127.0.0.1]/",
            "https://2130706433/",
            "https://017700000001/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://127.1/",
            "https://127.0.0.0x1/",
            "https://0177.0.0.1/",
            "https://1.2.3.4.5/",
            "https://shop.123/",
            "https://a!b.example/",
        ];
        for url in malformed {
            let refused = Target::parse(url);
            let known = matches!(&refused, Err(Refused::Malformed { .. })) || refused == Err(Refused::UserPart);
            assert!(known, "{url:?}: {refused:?}");
        }
        let long_name = format!("https://{}example/", "a.".repeat(130));
        let long_label = format!("https://{}.example/", "a".repeat(64));
        for url in [long_name, long_label] {
            assert!(Target::parse(&url).is_err(), "{url}");
        }
    }

    #[test]
    fn only_http_and_https_and_no_user_part() {
        for url in
            ["ftp://shop.example/", "file:///etc/passwd", "javascript:alert(1)", "mqtt://shop.example", "ws://x/"]
        {
            assert!(matches!(Target::parse(url), Err(Refused::Scheme { .. })), "{url}");
        }
        for url in ["https://user@shop.example/", "https://good.example:pw@evil.example/", "https://@shop.example/"] {
            assert_eq!(Target::parse(url), Err(Refused::UserPart), "{url}");
        }
    }

    #[test]
    fn only_public_addresses_unless_configured() {
        let table = [
            (Reach::Public, "1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 192.0.1.1 198.20.0.1"),
            (
                Reach::Public,
                "223.255.255.255 2606:4700::1111 2400:3200::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1",
            ),
            (
                Reach::Private,
                "127.0.0.1 127.255.255.255 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254",
            ),
            (Reach::Private, "100.64.0.1 100.127.255.255 192.0.0.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1"),
            (Reach::Private, "192.88.99.1 240.0.0.1 ::1 fe80::1 fec0::1 fc00::1 fd12::1 ::ffff:127.0.0.1 ::127.0.0.1"),
            (Reach::Private, "64:ff9b::a00:1 64:ff9b:1::808:808 2002:7f00:1::1 2002:c0a8:101::1 2001::1 2001:db8::1"),
            (Reach::Private, "3fff::1 100::1 5f00::1 ::ffff:192.168.0.1 ::ffff:0:1.1.1.1"),
            (Reach::Nobody, "0.0.0.0 0.1.2.3 224.0.0.1 239.255.255.255 255.255.255.255 :: ff02::1 ::ffff:0.0.0.0"),
        ];
        let origin = Target::parse("https://shop.example/").unwrap().origin;
        let private_too = TargetRules::new(Vec::new(), true, false);
        for (expected, addresses) in table {
            for address in addresses.split(' ') {
                let ip: IpAddr = address.parse().unwrap();
                assert_eq!(reach(ip), expected, "{address}");
                assert_eq!(any_public().check_address(&origin, ip).is_ok(), expected == Reach::Public, "{address}");
                assert_eq!(private_too.check_address(&origin, ip).is_ok(), expected != Reach::Nobody, "{address}");
            }
        }
        assert!(matches!(any_public().check_url("https://[::ffff:127.0.0.1]/"), Err(Refused::Private { .. })));
        assert!(matches!(any_public().check_url("https://0.0.0.0/"), Err(Refused::NoReceiver { .. })));
    }

    #[test]
    fn plain_http_stays_on_this_machine_unless_configured() {
        let rules = |plaintext| TargetRules::new(Vec::new(), true, plaintext);
        for (url, loopback) in [
            ("http://127.0.0.1/", true),
            ("http://[::1]:8/", true),
            ("http://8.8.8.8/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(rules(false).check_url(url).is_ok(), loopback, "{url}");
            assert!(rules(true).check_url(url).is_ok(), "{url}");
            assert!(rules(false).check_url(&url.replace("http:", "https:")).is_ok(), "{url}");
        }
        assert!(TargetRules::operators_own(false).check_url("http://192.0.2.1/").is_err());
        assert!(TargetRules::operators_own(true).check_url("http://192.0.2.1/").is_ok());
        let named = Target::parse("http://shop.example/").unwrap().origin;
        let resolved: IpAddr = "8.8.8.8".parse().unwrap();
        assert_eq!(rules(false).check_address(&named, resolved), Err(Refused::Plaintext { host: named.host.clone() }));
        assert!(rules(true).check_address(&named, resolved).is_ok());
    }

    #[test]
    fn listed_hosts_are_names_patterns_and_addresses() {
        let list = ["Pay.Example.", "*.shop.example", "9.9.9.9", "[2620:fe::fe]", "2620:fe::9", "192.168.1.5"];
        let rules = TargetRules::new(hosts(&list), false, false);
        let allowed = [
            "https://pay.example/",
            "https://PAY.EXAMPLE.:8443/",
            "https://a.shop.example/",
            "https://b.a.shop.example/",
            "https://9.9.9.9/",
            "https://[2620:fe:0::fe]/",
            "https://[2620:fe::9]/",
            "https://[::ffff:9.9.9.9]/",
        ];
        for url in allowed {
            assert!(rules.check_url(url).is_ok(), "{url}: {:?}", rules.check_url(url));
        }
        let others = [
            "https://shop.example/",
            "https://evilshop.example/",
            "https://pay.example.evil.example/",
            "https://x.pay.example/",
            "https://8.8.8.8/",
        ];
        for url in others {
            assert!(matches!(rules.check_url(url), Err(Refused::NotListed { .. })), "{url}");
        }
        let private = rules.check_url("https://192.168.1.5/");
        assert!(matches!(private, Err(Refused::Private { .. })), "listing an address does not make it public");
    }

    #[test]
    fn through_a_proxy_only_listed_hosts() {
        let origin = |url| Target::parse(url).unwrap().origin;
        let listed = TargetRules::new(hosts(&["*.shop.example"]), false, false);
        assert!(listed.check_proxied(&origin("https://a.shop.example/")).is_ok());
        assert!(matches!(listed.check_proxied(&origin("http://a.shop.example/")), Err(Refused::Plaintext { .. })));
        let unlisted = any_public().check_proxied(&origin("https://a.shop.example/"));
        assert!(matches!(unlisted, Err(Refused::NotListedForProxy { .. })), "no list lists nobody");
        assert!(TargetRules::operators_own(false).check_proxied(&origin("https://cloud.example/")).is_ok());
    }

    #[test]
    fn a_location_is_read_from_where_it_was_given() {
        let here = Target::parse("https://shop.example:8443/a/b?c=1").unwrap();
        let table = [
            ("/x?y", "https://shop.example:8443/x?y"),
            ("d", "https://shop.example:8443/a/d"),
            ("d:e", ""),
            ("/d:e", "https://shop.example:8443/d:e"),
            ("?z", "https://shop.example:8443/a/b?z"),
            ("//other.example/x", "https://other.example/x"),
            ("http://shop.example:8443/", "http://shop.example:8443/"),
            ("//user@shop.example:8443/", ""),
        ];
        for (location, read) in table {
            assert_eq!(here.resolve(location).map(|t| t.to_string()).unwrap_or_default(), read, "{location}");
        }
        assert_eq!(host("https://[::1]/"), "[::1]");
    }
}
