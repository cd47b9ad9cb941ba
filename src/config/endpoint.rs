//! Addresses of servers, and patterns of hosts.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A host by name or by literal address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name, lower case.
    Name(String),
    /// A literal address.
    Address(IpAddr),
}

impl Host {
    /// Reads a host as it stands in a URL; an IPv6 address may have its brackets.
    #[must_use]
    pub fn parse(text: &str) -> Option<Host> {
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Some(Host::Address(address));
        }
        is_host_name(text).then(|| Host::Name(text.to_ascii_lowercase()))
    }

    /// The host is this computer, whatever a name server says.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Host::Name(name) => name == "localhost",
            Host::Address(address) => address.is_loopback(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => write!(f, "{address}"),
        }
    }
}

/// Letters, digits, `-` and `_` in labels of 1–63, 253 in all (RFC 1035, with the underscore that private names use).
fn is_host_name(text: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(label) && !text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// What a URL of the configuration may begin with, without and with TLS, and the ports that go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schemes {
    /// Scheme and default port without TLS.
    pub plain: (&'static str, u16),
    /// Scheme and default port with TLS.
    pub tls: (&'static str, u16),
    /// A path may follow the host.
    pub path: bool,
}

/// `[broker] url`.
pub const MQTT: Schemes = Schemes { plain: ("mqtt", 1883), tls: ("mqtts", 8883), path: false };
/// `[cloud] url`.
pub const HTTP: Schemes = Schemes { plain: ("http", 80), tls: ("https", 443), path: true };

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// TLS is spoken.
    pub tls: bool,
    /// The host.
    pub host: Host,
    /// The port, the scheme's own where the URL has none.
    pub port: u16,
    /// What stands before the path of every request: empty, or `/…` without a slash at its end.
    pub base_path: String,
}

/// Why a text is not an [`Endpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointError {
    /// It does not begin with one of the two schemes.
    Scheme,
    /// A user or a password stands before the host.
    UserPart,
    /// No host, or one that cannot be a host.
    Host,
    /// The port is not 1…65535.
    Port,
    /// A path, query or fragment where none can be.
    Rest,
}

impl Endpoint {
    /// Reads `scheme://host[:port][/path]`.
    ///
    /// # Errors
    /// The first part that is wrong.
    pub fn parse(text: &str, schemes: &Schemes) -> Result<Endpoint, EndpointError> {
        let (scheme, rest) = text.split_once("://").ok_or(EndpointError::Scheme)?;
        let (tls, default_port) = match scheme.to_ascii_lowercase() {
            s if s == schemes.tls.0 => (true, schemes.tls.1),
            s if s == schemes.plain.0 => (false, schemes.plain.1),
            _ => return Err(EndpointError::Scheme),
        };
        let cut = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(cut);
        if authority.contains('@') {
            return Err(EndpointError::UserPart);
        }
        // The colon of a port stands after the bracket that closes an IPv6 address.
        let port_colon = authority.rfind(':').filter(|&colon| authority.rfind(']').is_none_or(|b| b < colon));
        let (host, port) = match port_colon {
            None => (authority, default_port),
            Some(colon) => {
                let digits = &authority[colon + 1..];
                let port = digits.parse().ok().filter(|&p| p > 0 && !digits.starts_with('+'));
                (&authority[..colon], port.ok_or(EndpointError::Port)?)
            }
        };
        let host = Host::parse(host).ok_or(EndpointError::Host)?;
        let base_path = path.trim_end_matches('/');
        let path_fits = if schemes.path {
            base_path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'))
        } else {
            base_path.is_empty()
        };
        if !path_fits {
            return Err(EndpointError::Rest);
        }
        Ok(Endpoint { tls, host, port, base_path: base_path.to_owned() })
    }
}

/// Host, port and base path with the HTTP schemes, as a request's URL begins.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { HTTP.tls.0 } else { HTTP.plain.0 };
        write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.base_path)
    }
}

/// Hosts that a notify_url may name: a name, `*.` and a name (any host below it, not itself), or a literal address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This host.
    Exactly(Host),
    /// Any host whose name ends in `.` and this.
    Below(String),
}

/// Why a text is not a [`HostPattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a host name, `*.` and a name, or an address without port")]
pub struct HostPatternError;

impl FromStr for HostPattern {
    type Err = HostPatternError;
    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        match text.strip_prefix("*.") {
            Some(name) if is_host_name(name) => Ok(HostPattern::Below(name.to_ascii_lowercase())),
            Some(_) => Err(HostPatternError),
            None => Host::parse(text).map(HostPattern::Exactly).ok_or(HostPatternError),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Exactly(host) => write!(f, "{host}"),
            HostPattern::Below(name) => write!(f, "*.{name}"),
        }
    }
}

impl HostPattern {
    /// Whether the pattern covers this host.
    #[must_use]
    pub fn covers(&self, host: &Host) -> bool {
        match (self, host) {
            (HostPattern::Exactly(pattern), host) => pattern == host,
            (HostPattern::Below(suffix), Host::Name(name)) => {
                name.strip_suffix(suffix.as_str()).is_some_and(|left| left.len() > 1 && left.ends_with('.'))
            }
            (HostPattern::Below(_), Host::Address(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Host {
        Host::Name(text.to_owned())
    }

    #[test]
    fn a_url_is_taken_apart_and_gets_the_port_of_its_scheme() {
        let plain = Endpoint::parse("mqtt://localhost", &MQTT).unwrap();
        assert_eq!((plain.tls, plain.port, plain.host.is_loopback()), (false, 1883, true));
        let tls = Endpoint::parse("MQTTS://Broker.Example:18883/", &MQTT).unwrap();
        assert_eq!((tls.tls, tls.port, tls.host), (true, 18883, name("broker.example")));
        let based = Endpoint::parse("https://[2001:db8::1]/a/b/", &HTTP).unwrap();
        assert_eq!(
            (based.host.to_string().as_str(), based.port, based.base_path.as_str()),
            ("[2001:db8::1]", 443, "/a/b")
        );
    }

    #[test]
    fn each_wrong_part_of_a_url_is_named() {
        for (url, error) in [
            ("broker.example:1883", EndpointError::Scheme),
            ("https://broker.example", EndpointError::Scheme),
            ("mqtt://me:secret@broker.example", EndpointError::UserPart),
            ("mqtt://", EndpointError::Host),
            ("mqtt://a b", EndpointError::Host),
            ("mqtt://[::1", EndpointError::Host),
            ("mqtt://1.2.3.999", EndpointError::Host),
            ("mqtt://broker.example:0", EndpointError::Port),
            ("mqtt://broker.example:65536", EndpointError::Port),
            ("mqtt://broker.example:+1", EndpointError::Port),
            ("mqtt://broker.example/path", EndpointError::Rest),
        ] {
            assert_eq!(Endpoint::parse(url, &MQTT), Err(error), "{url}");
        }
        assert_eq!(Endpoint::parse("https://cloud.example/?a=b", &HTTP), Err(EndpointError::Rest));
    }

    #[test]
    fn a_pattern_with_a_star_covers_what_is_below_and_nothing_else() {
        let below: HostPattern = "*.Example".parse().unwrap();
        assert!(below.covers(&name("shop.example")));
        assert!(below.covers(&name("a.shop.example")));
        for other in ["example", "badexample", ".example", "shop.example.evil"] {
            assert!(!below.covers(&name(other)), "{other}");
        }
        let literal: HostPattern = "192.0.2.7".parse().unwrap();
        assert!(literal.covers(&Host::parse("192.0.2.7").unwrap()));
        for bad in ["", "*", "*.", "a.*", "shop.example:443", "http://shop.example"] {
            assert!(bad.parse::<HostPattern>().is_err(), "{bad}");
        }
    }
}
