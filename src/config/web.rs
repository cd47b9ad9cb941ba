//! `[web]`: where the pages are served, and to whom.

use super::Web;
use super::file::{WebSection, WebTokenFor};
use super::host::HostPattern;
use super::problem::{Both, Complaint};
use super::resolve::Check;
use std::net::SocketAddr;

impl Check<'_> {
    /// Nobody else than this machine reaches pages that ask for no token.
    pub(super) fn web(&mut self, section: &WebSection) -> Option<Web> {
        let mut names = Vec::new();
        for written in &section.names {
            match HostPattern::parse(written.as_ref()) {
                Ok(HostPattern::Exactly(host)) => names.push(host),
                // A pattern would be an invitation: any name below it can be made to point here.
                Ok(HostPattern::Below(_)) | Err(_) => {
                    let found = written.as_ref();
                    let message = Both::new(format!("{found:?} is no name of a host"), format!("{found:?} 不是主机名"));
                    let hint = Both::new(
                        "write the name or address that people type, without scheme, port and `*`",
                        "请写人们输入的主机名或地址，不带协议、端口和 `*`",
                    );
                    self.complain(written.span(), Complaint::Unfit { message, hint });
                }
            }
        }
        let written = section.listen.as_ref()?;
        let Ok(listen) = written.as_ref().parse::<SocketAddr>() else {
            let found = written.as_ref();
            let message = Both::new(
                format!("web.listen is {found:?}, and that is no address with a port"),
                format!("web.listen 为 {found:?}，不是带端口的地址"),
            );
            let hint = Both::new(
                "write it like this: listen = \"127.0.0.1:8480\" (IPv6 in brackets), or delete the line for no pages",
                "写法如：listen = \"127.0.0.1:8480\"（IPv6 加方括号）；删除此行则不提供页面",
            );
            self.complain(written.span(), Complaint::Unfit { message, hint });
            return None;
        };
        let address = listen.ip();
        if !address.to_canonical().is_loopback() && section.token != WebTokenFor::Always {
            let message = Both::new(
                format!("web.listen would open the pages on {address} to the whole network"),
                format!("web.listen 会把 {address} 上的页面开放给整个网络"),
            );
            let hint = Both::new(
                "write token = \"always\" under [web] and put a token into the credential web_token, or listen on 127.0.0.1",
                "请在 [web] 下写 token = \"always\" 并在凭据 web_token 中放入口令，或改为监听 127.0.0.1",
            );
            self.complain(written.span(), Complaint::Unfit { message, hint });
        }
        Some(Web { listen, token: section.token, names })
    }
}
