//! Addresses of servers.

use super::host::Host;
use std::fmt;

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
        let host = Host::parse(host).map_err(|_| EndpointError::Host)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Host {
        Host::Name(text.into())
    }

    #[test]
    fn a_url_is_taken_apart_and_gets_the_port_of_its_scheme() {
        let plain = Endpoint::parse("mqtt://localhost", &MQTT).unwrap();
        assert_eq!((plain.tls, plain.port, plain.host.is_this_machine()), (false, 1883, true));
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
}
