//! N: routes, names, the broker, the platform, merchants and proxies.

use super::super::seen::{Login, NoConnection, Platform, PlatformWord, Seen, Server, Tried};
use super::super::{Check, Verdict};
use super::{Judged, known, some_of, some_said};
use crate::config::Config;
use crate::order::said::Said;

/// Every server of the configuration is this very machine: then no network is needed.
fn all_on_this_machine(config: &Config) -> bool {
    config.broker.endpoint.host.is_this_machine()
        && config.cloud.as_ref().is_none_or(|cloud| cloud.endpoint.host.is_this_machine())
}

pub(super) fn default_route(seen: &Seen) -> Judged {
    if seen.config().is_some_and(all_on_this_machine) {
        return Ok(Verdict::not_applicable("every server is this machine", "所有服务器都在本机"));
    }
    Ok(match known(seen, &seen.route)? {
        Some(interface) => Verdict::ok(format!("over {interface}"), format!("经由 {interface}")),
        None => Verdict::failed("there is no default route", "没有默认路由"),
    })
}

pub(super) fn names_resolve(seen: &Seen) -> Judged {
    let broker = known(seen, &seen.broker)?;
    let mut good = Vec::new();
    let mut bad = Vec::new();
    let cloud = seen.config().and_then(|config| config.cloud.as_ref()).map(|cloud| cloud.endpoint.host.to_string());
    let platform = seen.platform_name.value().zip(cloud);
    let both = [Some((broker.host.clone(), &broker.addresses)), platform.map(|(found, host)| (host, found))];
    for (host, found) in both.into_iter().flatten() {
        match found {
            Ok(addresses) => good.push(format!("{host} → {}", some_of(addresses))),
            Err(why) => bad.push(Said::word(host).then(why)),
        }
    }
    let good = good.join("; ");
    Ok(match bad.is_empty() {
        true => Verdict::ok(good.clone(), good),
        false => {
            let all = |of: fn(&Said) -> &str| bad.iter().map(of).collect::<Vec<_>>().join("; ");
            Verdict::failed(all(|said| &said.en), format!("域名无法解析：{}", all(|said| &said.zh)))
        }
    })
}

fn broker(seen: &Seen) -> Result<&Server, Verdict> {
    known(seen, &seen.broker)
}

pub(super) fn broker_reached(seen: &Seen) -> Judged {
    let server = broker(seen)?;
    let place = format!("{}:{}", server.host, server.port);
    Ok(match &server.tcp {
        None => return Err(Verdict::skipped(Check::NamesResolve)),
        Some(Ok(address)) => Verdict::ok(format!("{place} ({address})"), format!("{place}（{address}）")),
        Some(Err(NoConnection { why, refused })) => {
            let failed = Verdict::failed_for(&Said::word(place), why);
            match refused {
                true => failed.fix(
                    "the server is there and has no broker at this port: look at host and port in [broker] url; ask the operator whether the broker runs",
                    "服务器可达，但该端口没有消息服务器：请检查 [broker] url 的主机与端口，并询问运营方服务是否运行",
                ),
                false => failed,
            }
        }
    })
}

pub(super) fn broker_tls(seen: &Seen) -> Judged {
    Ok(match &broker(seen)?.tls {
        None => Verdict::not_applicable("the url is without TLS", "url 未使用 TLS"),
        Some(Ok(())) => Verdict::ok("TLS stands", "TLS 已建立"),
        Some(Err(why)) => Verdict::failed(&why.en, &why.zh),
    })
}

pub(super) fn broker_lets_in(seen: &Seen) -> Judged {
    Ok(match known(seen, &seen.login)? {
        Login::Connected => Verdict::ok("the daemon is connected", "守护进程已连接"),
        Login::LetIn => Verdict::ok("it does", "允许"),
        Login::Refused(why) => Verdict::failed(&why.en, &why.zh),
        Login::Failed(why) => Verdict::failed(&why.en, format!("无法登录：{}", why.zh))
            .fix("as it says; N1 to N4 tell how far the way goes", "请按提示处理；N1 至 N4 说明通到何处"),
        Login::OtherIdRefused => Verdict::not_applicable(
            "it lets in the machine's own client id only, which is left to the daemon",
            "它只允许本机自己的 client id，须由守护进程使用",
        ),
    })
}

pub(super) fn platform_reached(seen: &Seen) -> Judged {
    Ok(match known(seen, &seen.platform)? {
        Platform::None => Verdict::not_applicable("no [cloud] is configured", "未配置 [cloud]"),
        Platform::Silent(why) => Verdict::failed(&why.en, format!("平台无应答：{}", why.zh)),
        Platform::Answered { .. } => Verdict::ok("somebody answers", "有应答"),
    })
}

fn word(seen: &Seen) -> Result<&PlatformWord, Verdict> {
    match known(seen, &seen.platform)? {
        Platform::None => Err(Verdict::not_applicable("no [cloud] is configured", "未配置 [cloud]")),
        Platform::Silent(_) => Err(Verdict::skipped(Check::PlatformReached)),
        Platform::Answered { word, .. } => Ok(word),
    }
}

pub(super) fn platform_knows_us(seen: &Seen) -> Judged {
    Ok(match word(seen)? {
        PlatformWord::Accepted => Verdict::ok("it does", "认可"),
        PlatformWord::NotAsked => {
            Verdict::not_applicable("the configuration uses no secret for it", "配置未使用其密钥")
        }
        PlatformWord::Unauthorised(why) | PlatformWord::Refused(why) => {
            Verdict::failed(&why.en, format!("平台拒绝：{}", why.zh))
        }
        PlatformWord::SomebodyElse(_) => return Err(Verdict::skipped(Check::NoPortal)),
    })
}

pub(super) fn no_portal(seen: &Seen) -> Judged {
    Ok(match word(seen)? {
        PlatformWord::SomebodyElse(start) => {
            let what = Said::new("what answers at [cloud] url is not the platform", "[cloud] url 处应答的不是平台");
            Verdict::failed_for(&what, start)
        }
        _ => Verdict::ok("the platform itself answers", "由平台本身应答"),
    })
}

pub(super) fn merchants_reached(seen: &Seen) -> Judged {
    let tried = known(seen, &seen.merchants)?;
    if tried.is_empty() {
        return Ok(Verdict::not_applicable("no result waits for a merchant", "没有结果等待商户接收"));
    }
    let bad = unreached(tried);
    Ok(if bad.is_empty() {
        let all: Vec<String> = tried.iter().map(|(host, _)| host.clone()).collect();
        Verdict::ok(some_of(&all), some_of(&all))
    } else {
        // One merchant's server is that merchant's trouble, and everybody is still served.
        let Said { en, zh } = some_said(&bad);
        Verdict::warning(en, format!("无法连接：{zh}"))
    })
}

/// Those that take no connection, and why.
fn unreached(tried: &[Tried]) -> Vec<Said> {
    tried.iter().filter_map(|(place, result)| Some(Said::word(place).then(result.as_ref().err()?))).collect()
}

pub(super) fn proxy_works(seen: &Seen) -> Judged {
    let proxies = match known(seen, &seen.proxies)? {
        Ok(proxies) => proxies,
        Err(why) => return Ok(Verdict::failed(&why.en, format!("代理设置有误：{}", why.zh))),
    };
    if proxies.is_empty() {
        return Ok(Verdict::not_applicable("none is set", "未设置代理"));
    }
    let bad = unreached(proxies);
    if !bad.is_empty() {
        let Said { en, zh } = some_said(&bad);
        return Ok(Verdict::failed(en, format!("代理无法连接：{zh}")));
    }
    let names: Vec<String> = proxies.iter().map(|(name, _)| name.clone()).collect();
    if seen.config().is_some_and(|config| config.report.allow_hosts.is_empty()) {
        let names = some_of(&names);
        return Ok(Verdict::warning(
            format!("{names} answers, but through a proxy only hosts in [report] allow_hosts are called"),
            format!("{names} 有应答，但经代理只会访问 [report] allow_hosts 中的主机"),
        )
        .fix("list the merchants' hosts in [report] allow_hosts", "请在 [report] allow_hosts 中列出商户的主机"));
    }
    Ok(Verdict::ok(some_of(&names), some_of(&names)))
}
