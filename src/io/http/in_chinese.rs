//! What can be wrong with a request, its target and its certificates, in Chinese. The English stands with the errors.

use super::client::{Failure, REDIRECTS_MAX};
use super::proxy::BadProxy;
use super::target::Refused;
use super::tls::TlsError;
use crate::order::said::InChinese;

impl InChinese for Refused {
    fn zh(&self) -> String {
        match self {
            Refused::Malformed { why } => format!("URL {}", why.zh),
            Refused::Scheme { scheme } => format!("只能使用 http:// 与 https://，不能使用 {scheme}:"),
            Refused::UserPart => "URL 的主机前有用户部分（…@），可能掩盖其真正去向".to_owned(),
            Refused::NotListed { host } => {
                format!("{host} 不在 [report] allow_hosts 中；若属于商户，请加入其中")
            }
            Refused::NotListedForProxy { host } => {
                format!("经代理只能访问 [report] allow_hosts 中的主机；请把 {host} 加入其中，或加入 no_proxy")
            }
            Refused::Private { address } => {
                format!("{address} 不是公网地址；设置 [report] allow_private_targets = true 可允许")
            }
            Refused::NoReceiver { address } => format!("{address} 不可能是任何一方的地址"),
            Refused::Plaintext { host } => format!(
                "以明文 http:// 发往 {host} 会在途中被看到；请使用 https://，或在其配置段设置 allow_plaintext = true"
            ),
        }
    }
}

impl InChinese for Failure {
    fn zh(&self) -> String {
        match self {
            Failure::BadTarget(why) => why.zh(),
            Failure::Misled { host, why } => format!("域名 {host} 指向不允许的地址：{}", why.zh()),
            Failure::Redirect { status, to } => format!(
                "接收方应答 {} 并转向 {to}；只跟随 307 与 308，且协议、主机、端口须相同，最多 {REDIRECTS_MAX} 次",
                status.as_u16()
            ),
            Failure::Tls { why } => format!("TLS：{}", why.zh),
            Failure::Connect { host, why } => format!("无法连接 {host}：{}", why.zh),
            Failure::Proxy { status } => {
                format!("代理拒绝，状态码 {}；请检查 https_proxy 及其用户名与密码", status.as_u16())
            }
            Failure::TimeOut { phase } => format!("超时未应答（{}）", phase.word().zh),
            Failure::Lost { why } => format!("连接中断：{}", why.zh),
            Failure::Protocol { why } => format!("应答无法读取：{}", why.zh),
            Failure::TooLarge { limit_bytes } => format!("应答超过 {limit_bytes} 字节"),
        }
    }
}

impl InChinese for TlsError {
    fn zh(&self) -> String {
        match self {
            TlsError::Unreadable { path, source } => format!("{}：{source}", path.display()),
            TlsError::File { path, fault } => format!("{}：{}", path.display(), fault.text().zh),
            TlsError::NoSystemRoots { why } => {
                format!("系统没有受信任的证书（{}）；请安装 ca-certificates，或设置 ca_file", why.zh)
            }
            TlsError::Setup(why) => format!("TLS 无法建立：{why}"),
        }
    }
}

impl InChinese for BadProxy {
    fn zh(&self) -> String {
        let BadProxy { variable, why } = self;
        format!("环境变量 {variable} {}；请写成 http://host:port 或 http://user:password@host:port", why.zh)
    }
}
