//! Names, connections and routes. Each server gets one connection, which says nothing before it is closed.

use super::Root;
use crate::config::Config;
use crate::config::host::Host;
use crate::doctor::seen::{Fact, NoConnection, Server, Tried};
use crate::io::http::proxy::Proxies;
use crate::io::http::resolver::{Resolve as _, System};
use crate::io::http::secure;
use crate::io::http::supply::TlsSupply;
use crate::io::http::target::TargetRules;
use crate::order::said::{InChinese as _, Said};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

/// Of one name.
const RESOLVE_TIME_OUT: Duration = Duration::from_secs(2);
/// Of one connection.
const CONNECT_TIME_OUT: Duration = Duration::from_secs(2);
/// Of one handshake; with the two above less than what the whole probe may take.
const TLS_TIME_OUT: Duration = Duration::from_millis(1_800);
/// Addresses of one name that are tried, as by the client for reports.
const ADDRESSES_MAX: usize = 4;

/// The addresses of a host.
///
/// # Errors
/// What the resolver said.
pub async fn resolve(host: &Host) -> Result<Vec<IpAddr>, Said> {
    let name = match host {
        Host::Address(address) => return Ok(vec![*address]),
        Host::Name(name) => name,
    };
    match timeout(RESOLVE_TIME_OUT, System.resolve(name)).await {
        Ok(Ok(found)) if found.is_empty() => Err(Said::new("the name has no address", "域名没有地址")),
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(error.said()),
        Err(_) => {
            let s = RESOLVE_TIME_OUT.as_secs();
            Err(Said::new(
                format!("the name server does not answer within {s} s"),
                format!("域名服务器在 {s} 秒内未应答"),
            ))
        }
    }
}

/// A task of ours did not come to its end.
#[must_use]
pub fn failed(error: &JoinError) -> Said {
    Said::new(error.to_string(), if error.is_panic() { "检查任务崩溃" } else { "检查任务被取消" })
}

/// A connection to the first address that takes one. They are tried at once: there is little time, and one dead address
/// must not hide a good one.
async fn connect(addresses: &[IpAddr], port: u16) -> Result<(TcpStream, IpAddr), NoConnection> {
    let mut attempts = JoinSet::new();
    for address in addresses.iter().take(ADDRESSES_MAX).copied() {
        attempts.spawn(async move {
            let (refused, why) = match timeout(CONNECT_TIME_OUT, TcpStream::connect((address, port))).await {
                Ok(Ok(stream)) => return Ok((stream, address)),
                Ok(Err(error)) => (error.kind() == ErrorKind::ConnectionRefused, error.said()),
                Err(_) => {
                    let s = CONNECT_TIME_OUT.as_secs();
                    (false, Said::new(format!("no answer within {s} s"), format!("{s} 秒内没有应答")))
                }
            };
            Err(NoConnection { why: Said::word(address.to_string()).then(&why), refused })
        });
    }
    let mut none = NoConnection { why: Said::new("no address may be used", "没有可用的地址"), refused: false };
    while let Some(ended) = attempts.join_next().await {
        none = match ended {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(none)) => none,
            Err(error) => NoConnection { why: failed(&error), refused: false },
        };
    }
    Err(none)
}

/// The broker's server: its name, TCP, and TLS where `tls` says how.
pub async fn broker(config: &Config, tls: Option<Result<Arc<TlsSupply>, Said>>) -> Fact<Server> {
    let endpoint = &config.broker.endpoint;
    let found = resolve(&endpoint.host).await;
    let mut server = Server {
        host: endpoint.host.to_string(),
        port: endpoint.port,
        addresses: found.as_ref().map(|all| all.iter().map(ToString::to_string).collect()).map_err(Said::clone),
        tcp: None,
        tls: None,
    };
    let Ok(addresses) = found else { return Fact::Is(server) };
    match connect(&addresses, endpoint.port).await {
        Err(none) => server.tcp = Some(Err(none)),
        Ok((stream, address)) => {
            server.tcp = Some(Ok(address.to_string()));
            server.tls = match tls {
                None => None,
                Some(Err(why)) => Some(Err(why)),
                Some(Ok(supply)) => Some(match timeout(TLS_TIME_OUT, secure(&supply, stream, &endpoint.host)).await {
                    Ok(secured) => secured.map(drop).map_err(|failure| failure.said()),
                    Err(_) => {
                        let ms = TLS_TIME_OUT.as_millis();
                        Err(Said::new(
                            format!("no TLS handshake within {ms} ms"),
                            format!("{ms} 毫秒内未完成 TLS 握手"),
                        ))
                    }
                }),
            };
        }
    }
    Fact::Is(server)
}

/// Whether a merchant's server takes connections, at an address that a report could go to.
///
/// # Errors
/// Why not, without more of its URL than the host.
pub async fn receiver(origin: &str, rules: &TargetRules, proxies: &Proxies) -> Result<(), Said> {
    let target = rules.check_url(origin).map_err(|refused| refused.said())?;
    let origin = &target.origin;
    if proxies.for_origin(origin).is_some() {
        // The proxy has a check of its own.
        return rules.check_proxied(origin).map_err(|refused| refused.said());
    }
    let addresses = resolve(&origin.host).await?;
    let mut allowed = Vec::new();
    let mut refused = None;
    for address in addresses {
        match rules.check_address(origin, address) {
            Ok(()) => allowed.push(address),
            Err(why) => refused = Some(why.said()),
        }
    }
    match refused {
        Some(why) if allowed.is_empty() => Err(why),
        _ => connect(&allowed, origin.port).await.map(drop).map_err(|none| none.why),
    }
}

/// Whether each proxy of the environment takes connections.
///
/// # Errors
/// What is wrong with a variable; never its value, which may hold a password.
pub async fn proxies() -> Fact<Result<Vec<Tried>, Said>> {
    let proxies = match Proxies::from_environment() {
        Ok(proxies) => proxies,
        Err(error) => return Fact::Is(Err(error.said())),
    };
    let mut tried = Vec::new();
    for proxy in proxies.all() {
        let name = format!("{}:{}", proxy.host, proxy.port);
        if tried.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let reached = match resolve(&proxy.host).await {
            Ok(addresses) => connect(&addresses, proxy.port).await.map(drop).map_err(|none| none.why),
            Err(why) => Err(why),
        };
        tried.push((name, reached));
    }
    Fact::Is(Ok(tried))
}

/// The interface of the default route, of either version of IP.
#[must_use]
pub fn route(root: &Root) -> Fact<Option<String>> {
    /// An address of zeros in /proc/net/ipv6_route.
    const NOWHERE: &str = "00000000000000000000000000000000";
    let v4 = root.read("proc/self/net/route").unwrap_or_default();
    let v6 = root.read("proc/self/net/ipv6_route").unwrap_or_default();
    let over_v6 = v6.lines().find_map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        match cells[..] {
            [NOWHERE, "00", _, _, gateway, .., name] if gateway != NOWHERE && name != "lo" => Some(name.to_owned()),
            _ => None,
        }
    });
    Fact::Is(crate::io::host::default_interface(&v4).or(over_v6))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(v4: &str, v6: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let net = folder.path().join("proc/self/net");
        std::fs::create_dir_all(&net).unwrap();
        std::fs::write(net.join("route"), v4).unwrap();
        std::fs::write(net.join("ipv6_route"), v6).unwrap();
        route(&Root::below(folder.path())).value().cloned().flatten()
    }

    #[test]
    fn a_default_route_of_either_version_is_one() {
        let nowhere = "0".repeat(32);
        let gateway = "fe800000000000000000000000000001";
        let v6 = format!("{nowhere} 00 {nowhere} 00 {gateway} 00000400 00000001 00000000 00450003    wwan0\n");
        let loopback = format!("{nowhere} 00 {nowhere} 00 {nowhere} ffffffff 00000001 00000000 00200200       lo\n");
        let v4 = "Iface\tDestination\tGateway\tFlags\nwlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n";
        assert_eq!(routes(v4, "").as_deref(), Some("wlan0"));
        assert_eq!(routes("", &v6).as_deref(), Some("wwan0"));
        assert_eq!(routes("", &loopback), None);
    }
}
