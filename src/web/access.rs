//! Who may see what: the name that a page was reached by, where a request to change something comes from, the token.

use super::Asking;
use crate::config::Web;
use crate::config::credentials::Secret;
use crate::config::file::WebTokenFor;
use crate::config::host::Host;
use crate::order::constant_time;
use crate::order::said::InChinese;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, Method, StatusCode};

/// For whom something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Holds nothing of this machine, or *good* and *not good*.
    Anyone,
    /// Whoever stands at the machine.
    Customer,
    /// Whoever looks after it.
    Technician,
}

/// The rules of one listener.
#[derive(Clone)]
pub struct Access {
    /// Who must show the token.
    pub token_for: WebTokenFor,
    /// The token; without it nobody who must show one is admitted.
    pub token: Option<Secret>,
    /// Names that the pages may be reached by, beside the address itself and, on loopback, `localhost`.
    pub names: Vec<Host>,
}

/// Why a request is not for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMeant {
    /// It has no Host, or two, or one that is no host; or its target is a whole URL, as for a proxy.
    #[error("a request needs one Host header, and a path as its target")]
    NoHost,
    /// It is for a name that is none of ours: a page of somebody else that had its own name point at us.
    #[error("the pages are not served by this name; [web] names in the configuration has the names that are")]
    OtherName,
    /// A page of another origin wants something done.
    #[error("only a page that was loaded from here may change something, by JSON")]
    OtherOrigin,
}

impl InChinese for NotMeant {
    fn zh(&self) -> String {
        match self {
            NotMeant::NoHost => "请求应有一个 Host 头，目标应为路径",
            NotMeant::OtherName => "页面不以此名称提供；可用的名称见配置中 [web] names",
            NotMeant::OtherOrigin => "只有从此处加载的页面可以更改，且须使用 JSON",
        }
        .to_owned()
    }
}

impl NotMeant {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            NotMeant::NoHost => StatusCode::BAD_REQUEST,
            NotMeant::OtherName => StatusCode::MISDIRECTED_REQUEST,
            NotMeant::OtherOrigin => StatusCode::FORBIDDEN,
        }
    }
}

impl Access {
    /// The rules as configured.
    #[must_use]
    pub fn of(web: &Web, token: Option<&Secret>) -> Access {
        Access { token_for: web.token, token: token.cloned(), names: web.names.clone() }
    }

    /// Whether a browser that sends this was told to by one of our own pages, or by a person.
    ///
    /// A page of another site can have its name resolve to our address and then reads our answers as its own (DNS
    /// rebinding); but the name stays in Host. It can also send us a form without reading the answer; but not JSON,
    /// unless we allowed it, which we never do.
    ///
    /// # Errors
    /// [`NotMeant`].
    pub(super) fn is_meant_for_us(&self, asking: &Asking<'_>) -> Result<(), NotMeant> {
        let head = asking.head;
        let mut hosts = head.headers.get_all(HOST).iter();
        let (Some(written), None, None) = (hosts.next(), hosts.next(), head.uri.authority()) else {
            return Err(NotMeant::NoHost);
        };
        let written = written.to_str().map_err(|_| NotMeant::NoHost)?;
        let host = Host::parse(without_port(written)).map_err(|_| NotMeant::NoHost)?;
        let is_loopback = asking.reached_at.is_this_machine() && host.is_this_machine();
        if !(is_loopback || host == *asking.reached_at || self.names.contains(&host)) {
            return Err(NotMeant::OtherName);
        }
        if head.method == Method::GET {
            return Ok(());
        }
        let is_json = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        let is_ours = head.headers.get(ORIGIN).is_none_or(|origin| {
            origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://")) == Some(written)
        });
        if is_json && is_ours { Ok(()) } else { Err(NotMeant::OtherOrigin) }
    }

    /// Whether this client may have what is for this audience.
    pub(super) fn admits(&self, audience: Audience, headers: &HeaderMap) -> bool {
        let is_free = match (self.token_for, audience) {
            (_, Audience::Anyone) | (WebTokenFor::Never, _) | (WebTokenFor::Service, Audience::Customer) => true,
            (WebTokenFor::Service, Audience::Technician)
            | (WebTokenFor::Always, Audience::Customer | Audience::Technician) => false,
        };
        let shown = || headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        is_free
            || shown()
                .zip(self.token.as_ref())
                .is_some_and(|(it, token)| constant_time::equal(it, token.reveal().as_bytes()))
    }
}

/// A host without its port; the colon of a port stands after the bracket that closes an IPv6 address.
fn without_port(host: &str) -> &str {
    match host.rfind(':').filter(|&colon| host.rfind(']').is_none_or(|bracket| bracket < colon)) {
        Some(colon) if host[colon + 1..].bytes().all(|byte| byte.is_ascii_digit()) => &host[..colon],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    const TOKEN: &str = "a-token-of-some-length";

    fn access(token_for: WebTokenFor) -> Access {
        let names = vec![Host::parse("vend-7.lan").unwrap()];
        Access { token_for, token: Some(Secret::new(TOKEN)), names }
    }

    fn asked(reached_at: &str, method: &str, headers: &[(&str, &str)]) -> Result<(), NotMeant> {
        asked_for("/api/screen", reached_at, method, headers)
    }

    fn asked_for(uri: &str, reached_at: &str, method: &str, headers: &[(&str, &str)]) -> Result<(), NotMeant> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let reached_at = Host::parse(reached_at).unwrap();
        access(WebTokenFor::Never).is_meant_for_us(&Asking { head: &head, body: b"", reached_at: &reached_at })
    }

    #[test]
    fn pages_are_served_by_their_address_and_their_names_and_by_no_other() {
        for (reached_at, host) in [
            ("127.0.0.1", "127.0.0.1:8480"),
            ("127.0.0.1", "localhost:8480"),
            ("127.0.0.1", "LOCALHOST"),
            ("[::1]", "[::1]:8480"),
            ("[::1]", "[::1]"),
            ("127.0.0.1", "vend-7.lan:8480"),
            ("192.0.2.7", "vend-7.lan"),
            ("192.0.2.7", "192.0.2.7:80"),
        ] {
            assert_eq!(asked(reached_at, "GET", &[("host", host)]), Ok(()), "{host}");
        }
        for (reached_at, host) in [
            ("127.0.0.1", "evil.example:8480"),
            ("127.0.0.1", "127.0.0.1.evil.example"),
            ("127.0.0.1", "localhost.evil.example"),
            ("127.0.0.1", "192.0.2.7"),
            ("192.0.2.7", "localhost"),
            ("192.0.2.7", "127.0.0.1"),
            ("192.0.2.7", "192.0.2.8"),
        ] {
            assert_eq!(asked(reached_at, "GET", &[("host", host)]), Err(NotMeant::OtherName), "{host}");
        }
    }

    #[test]
    fn a_request_without_one_host_is_refused() {
        for hosts in [&[][..], &[("host", "localhost"), ("host", "localhost")], &[("host", "")], &[("host", "a b")]] {
            assert_eq!(asked("127.0.0.1", "GET", hosts), Err(NotMeant::NoHost), "{hosts:?}");
        }
        let whole = asked_for("http://evil.example/", "127.0.0.1", "GET", &[("host", "localhost")]);
        assert_eq!(whole, Err(NotMeant::NoHost), "as a proxy is asked");
    }

    #[test]
    fn only_our_own_pages_may_change_something() {
        let host = ("host", "localhost:8480");
        let json = ("content-type", "application/json");
        assert_eq!(asked("127.0.0.1", "POST", &[host, json, ("origin", "http://localhost:8480")]), Ok(()));
        assert_eq!(asked("127.0.0.1", "POST", &[host, json]), Ok(()), "a person with curl");
        for headers in [
            &[host][..],
            &[host, ("content-type", "text/plain")],
            &[host, ("content-type", "application/x-www-form-urlencoded"), ("origin", "http://localhost:8480")],
            &[host, json, ("origin", "http://evil.example")],
            &[host, json, ("origin", "https://localhost:8480")],
            &[host, json, ("origin", "http://localhost:8481")],
            &[host, json, ("origin", "null")],
        ] {
            assert_eq!(asked("127.0.0.1", "POST", headers), Err(NotMeant::OtherOrigin), "{headers:?}");
        }
    }

    #[test]
    fn the_token_opens_what_needs_it_and_nothing_else_does() {
        let with = |value: &str| HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        let (none, good) = (HeaderMap::new(), with(&format!("Bearer {TOKEN}")));
        let table = [
            (WebTokenFor::Never, [true, true, true]),
            (WebTokenFor::Service, [true, true, false]),
            (WebTokenFor::Always, [true, false, false]),
        ];
        for (token_for, free) in table {
            let access = access(token_for);
            for (audience, is_free) in
                [Audience::Anyone, Audience::Customer, Audience::Technician].into_iter().zip(free)
            {
                assert_eq!(access.admits(audience, &none), is_free, "{token_for:?} {audience:?}");
                assert!(access.admits(audience, &good));
                for wrong in ["Bearer ", "Bearer a-token-of-some-lengtH", TOKEN, "Basic a-token-of-some-length"] {
                    assert_eq!(access.admits(audience, &with(wrong)), is_free, "{wrong}");
                }
                let without = Access { token: None, ..access.clone() };
                assert_eq!(without.admits(audience, &good), is_free, "no token is no open door");
                assert_eq!(without.admits(audience, &with("Bearer ")), is_free);
            }
        }
    }
}
