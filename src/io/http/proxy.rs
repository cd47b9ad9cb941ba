//! Proxies from the environment: `https_proxy`, `http_proxy`, `all_proxy`, `no_proxy`, in both cases.

use super::target::{Origin, Scheme, quoted, split_port};
use crate::config::host::Host;
use crate::order::said::{InChinese as _, Said};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use std::net::IpAddr;

/// An environment variable that names no usable proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {variable} {}; write http://host:port or http://user:password@host:port", .why.en)]
pub struct BadProxy {
    /// The variable, in the case in which it is set.
    pub variable: String,
    /// What is wrong with it. The value is not repeated: it may hold a password.
    pub why: Said,
}

/// One HTTP proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its host.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// `Proxy-Authorization`, marked sensitive.
    pub authorization: Option<HeaderValue>,
}

impl Proxy {
    fn parse(value: &str) -> Result<Self, Said> {
        let rest = match value.split_once("://") {
            None => value,
            Some(("http", rest)) => rest,
            // What stands before :// may be the beginning of a password that holds these three characters.
            Some((scheme, _)) if scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                let scheme = quoted(scheme);
                return Err(Said::new(
                    format!("asks for a {scheme} proxy, only http:// is possible"),
                    format!("指定了 {scheme} 代理，只能使用 http://"),
                ));
            }
            Some(_) => return Err(Said::new("does not begin with http://", "须以 http:// 开头")),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, port) = split_port(place)?;
        let authorization = user.map(basic_authorization).transpose()?;
        Ok(Proxy {
            host: Host::parse(host).map_err(|error| error.said())?,
            port: port.unwrap_or(Scheme::Http.default_port()),
            authorization,
        })
    }
}

fn basic_authorization(user: &str) -> Result<HeaderValue, Said> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let mut plain = percent_decoded(name);
    plain.push(b':');
    plain.extend(percent_decoded(password));
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(plain)));
    let mut value = value.map_err(|e| Said::new(e.to_string(), format!("的用户名或密码无法发送（{e}）")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Decodes %XX; a percent sign that begins no such triple stays as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = text.get(at + 1..at + 3).filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) if byte == b'%' => {
                decoded.push(value);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

/// One entry of `no_proxy`, with the port where it names one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Direct {
    /// `*`.
    Everything,
    /// A name and all below it.
    Name(Box<str>, Option<u16>),
    /// An address.
    Address(IpAddr, Option<u16>),
    /// A range of addresses.
    Range(IpAddr, u8),
}

impl Direct {
    /// An entry that is no host matches nothing, as in other clients: it cannot open anything.
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Direct::Everything);
        }
        if let Some((network, bits)) = entry.split_once('/') {
            let network: IpAddr = network.parse().ok()?;
            let bits: u8 = bits.parse().ok()?;
            let longest = if network.is_ipv4() { 32 } else { 128 };
            return (bits <= longest).then_some(Direct::Range(network, bits));
        }
        if let Ok(address) = entry.parse::<IpAddr>() {
            return Some(Direct::Address(address.to_canonical(), None));
        }
        let (host, port) = split_port(entry).ok()?;
        let host = host.strip_prefix('*').unwrap_or(host);
        match Host::parse(host.strip_prefix('.').unwrap_or(host)).ok()? {
            Host::Name(name) => Some(Direct::Name(name, port)),
            Host::Address(address) => Some(Direct::Address(address, port)),
        }
    }

    fn matches(&self, origin: &Origin) -> bool {
        let port_fits = |port: &Option<u16>| port.is_none_or(|port| port == origin.port);
        match (self, &origin.host) {
            (Direct::Everything, _) => true,
            (Direct::Name(parent, port), Host::Name(name)) => {
                let below = name.strip_suffix(&**parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                below && port_fits(port)
            }
            (Direct::Address(listed, port), Host::Address(address)) => listed == address && port_fits(port),
            (Direct::Range(network, bits), Host::Address(address)) => in_range(*address, *network, *bits),
            _ => false,
        }
    }
}

fn in_range(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let bits = u32::from(bits);
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => (a.to_bits() ^ n.to_bits()).leading_zeros() >= bits,
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits() ^ n.to_bits()).leading_zeros() >= bits,
        _ => false,
    }
}

/// Which proxy is asked for which target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    direct: Vec<Direct>,
}

impl Proxies {
    /// The proxies that this process was given.
    ///
    /// # Errors
    /// [`BadProxy`] names the variable: without its proxy every request would hang, so it is better said at start.
    pub fn from_environment() -> Result<Self, BadProxy> {
        Self::parse(|name| std::env::var(name).ok())
    }

    /// Reads the variables through `variable`. Lower case goes before upper case, the scheme's own before `all_proxy`.
    ///
    /// # Errors
    /// [`BadProxy`].
    pub fn parse(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadProxy> {
        let set = |name: &str| {
            [name.to_owned(), name.to_ascii_uppercase()].into_iter().find_map(|name| {
                let value = variable(&name)?.trim().to_owned();
                (!value.is_empty()).then_some((name, value))
            })
        };
        let proxy = |name: &str| match set(name).or_else(|| set("all_proxy")) {
            None => Ok(None),
            Some((variable, value)) => Proxy::parse(&value).map(Some).map_err(|why| BadProxy { variable, why }),
        };
        let direct = set("no_proxy").map_or_else(Vec::new, |(_, list)| {
            list.split([',', ' ']).filter(|entry| !entry.is_empty()).filter_map(Direct::parse).collect()
        });
        Ok(Proxies { http: proxy("http_proxy")?, https: proxy("https_proxy")?, direct })
    }

    /// Every proxy that is set.
    pub fn all(&self) -> impl Iterator<Item = &Proxy> {
        self.http.iter().chain(&self.https)
    }

    /// The proxy for a target; none for this machine itself and for what `no_proxy` lists.
    #[must_use]
    pub fn for_origin(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = match origin.scheme {
            Scheme::Http => self.http.as_ref(),
            Scheme::Https => self.https.as_ref(),
        };
        proxy.filter(|_| !origin.host.is_this_machine() && !self.direct.iter().any(|direct| direct.matches(origin)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::target::Target;
    use super::*;
    use std::collections::HashMap;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, BadProxy> {
        let map: HashMap<_, _> = variables.iter().copied().collect();
        Proxies::parse(|name| map.get(name).map(|&value| value.to_owned()))
    }

    fn port_for(proxies: &Proxies, url: &str) -> Option<u16> {
        proxies.for_origin(&Target::parse(url).unwrap().origin).map(|proxy| proxy.port)
    }

    #[test]
    fn each_scheme_has_its_proxy_and_lower_case_goes_first() {
        let p = proxies(&[
            ("http_proxy", "http://proxy.example:1"),
            ("HTTPS_PROXY", "proxy.example:2"),
            ("https_proxy", "proxy.example:3"),
        ])
        .unwrap();
        assert_eq!(port_for(&p, "http://shop.example/"), Some(1));
        assert_eq!(port_for(&p, "https://shop.example/"), Some(3));
        let p = proxies(&[("ALL_PROXY", "http://[2001:db8::1]:4/"), ("http_proxy", "http://proxy.example")]).unwrap();
        assert_eq!(port_for(&p, "http://shop.example/"), Some(80));
        assert_eq!(port_for(&p, "https://shop.example/"), Some(4));
        assert_eq!(port_for(&proxies(&[("https_proxy", " ")]).unwrap(), "https://shop.example/"), None);
    }

    #[test]
    fn no_proxy_takes_names_addresses_ranges_and_ports() {
        let p = proxies(&[
            ("all_proxy", "http://proxy.example:1"),
            (
                "no_proxy",
                "near.example, .dot.example,*.star.example,ported.example:8443,192.0.2.7,10.0.0.0/8,2001:db8::/32,!",
            ),
        ])
        .unwrap();
        let direct = [
            "https://near.example",
            "https://a.near.example",
            "https://NEAR.example.",
            "https://b.dot.example",
            "https://c.star.example",
            "https://ported.example:8443",
            "https://192.0.2.7",
            "http://10.1.2.3",
            "http://[2001:db8::5]",
            "http://localhost:9",
            "http://127.0.0.1",
            "http://[::1]",
        ];
        for url in direct {
            assert_eq!(port_for(&p, url), None, "{url}");
        }
        for url in ["https://far.example", "https://notnear.example", "https://ported.example", "http://11.0.0.1"] {
            assert_eq!(port_for(&p, url), Some(1), "{url}");
        }
        assert_eq!(port_for(&proxies(&[("all_proxy", "p:1"), ("NO_PROXY", "*")]).unwrap(), "http://x.example"), None);
    }

    #[test]
    fn credentials_become_a_header_that_debug_does_not_show() {
        let p = proxies(&[("https_proxy", "http://al%40ice:p%3Aw%@proxy.example:3128")]).unwrap();
        let header = p.https.as_ref().unwrap().authorization.clone().unwrap();
        assert_eq!(header.to_str().unwrap(), format!("Basic {}", STANDARD.encode("al@ice:p:w%")));
        assert!(!format!("{p:?}").contains(header.to_str().unwrap()));
    }

    #[test]
    fn an_unusable_proxy_is_named_by_its_variable_and_never_repeated() {
        for value in [
            "socks5://u:secret@p:1",
            "https://u:secret@p:1",
            "http://u:secret@p:0",
            "http://u:secret@",
            "u:secret://more@p:1",
        ] {
            let error = proxies(&[("HTTPS_PROXY", value)]).unwrap_err();
            assert_eq!(error.variable, "HTTPS_PROXY");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
