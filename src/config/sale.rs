//! `[sale]`: what belongs together, and what one cloud needs and another has no use for, as its row says.

use super::endpoint;
use super::file::{self, File, SaleSection};
use super::problem::{Both, Complaint};
use super::resolve::Check;
use super::{Board, Goods, LogIn, Sale};
use crate::cloud::orders::interface::Verb;
use crate::cloud::orders::table::SellingCloud;
use crate::order::command::NOTIFY_URL_BYTES_MAX;
use crate::order::label::{LABEL_CHARS_MAX, Label};
use crate::order::motor::{Address, Slot};
use crate::order::stock::{Fen, short_name};
use toml::Spanned;

/// What a pay_url may hold between braces.
pub const PAY_URL_WORDS: [&str; 3] = ["{order}", "{trade_no}", "{amount}"];
/// Longest pay_url, in bytes: with the names filled in it still is a code that telephones read.
const PAY_URL_BYTES_MAX: usize = 300;

impl Check<'_> {
    /// Sales; nothing where there are none.
    pub(super) fn sale(&mut self, file: &File, board: Option<&Board>) -> Option<Sale> {
        let section = &file.sale;
        let Some(cloud) = section.cloud.as_ref().map(|cloud| *cloud.as_ref()) else {
            if section.url.is_some() || section.pay_url.is_some() || !section.goods.is_empty() {
                self.missing("sale", "cloud = \"platform\"", Some("[sale]"));
            }
            return None;
        };
        let is_platform = cloud.is_platform();
        let endpoint = match (&section.url, is_platform) {
            (Some(url), true) => {
                let message = Both::new(
                    "sale.url beside sale.cloud = \"platform\"",
                    "sale.cloud = \"platform\" 时不应有 sale.url",
                );
                let hint =
                    Both::new("delete the line: the platform is at [cloud] url", "请删除此行：平台地址在 [cloud] url");
                self.complain(url.span(), Complaint::Unfit { message, hint });
                None
            }
            (None, true) => None,
            (Some(url), false) => self.url(url, "sale", "sale.url", endpoint::HTTP, section.allow_plaintext),
            (None, false) => {
                self.missing("sale", "url = \"https://host\"", Some("sale.cloud"));
                None
            }
        };
        let ca_file = if is_platform {
            if let Some(ca_file) = &section.ca_file {
                let message = Both::new(
                    "sale.ca_file beside sale.cloud = \"platform\"",
                    "sale.cloud = \"platform\" 时不应有 sale.ca_file",
                );
                let hint = Both::new("write it as ca_file under [cloud]", "请写在 [cloud] 的 ca_file");
                self.complain(ca_file.span(), Complaint::Unfit { message, hint });
            }
            None
        } else {
            self.ca_file(&section.ca_file, "sale.ca_file")
        };
        if endpoint.as_ref().is_some_and(|endpoint| !endpoint.tls) {
            self.tls_used(&section.ca_file, "sale.ca_file", endpoint::HTTP.tls.0);
        }
        let pay_url = self.pay_url(section, cloud);
        let notify_url = self.notify_url(section, is_platform);
        let log_in = self.log_in(section, is_platform);
        let range = file::SERVE_AFTER_RESTART_S;
        let serve_s = self.number(&section.serve_after_restart_s, "sale.serve_after_restart_s", range);
        let goods = self.goods(&section.goods, board);
        Some(Sale {
            cloud,
            endpoint,
            ca_file,
            pay_url,
            notify_url,
            log_in,
            close: section.close,
            keypad: section.keypad,
            when_unknown: section.when_unknown,
            serve_after_restart_s: serve_s?,
            goods,
        })
    }

    /// Where the cloud gives no pay code, somebody takes the money at a page of their own.
    fn pay_url(&mut self, section: &SaleSection, cloud: SellingCloud) -> Option<String> {
        let Some(written) = &section.pay_url else {
            if !cloud.can(Verb::Pay) {
                self.missing("sale", "pay_url = \"https://host/pay?order={order}\"", Some("sale.cloud"));
            }
            return None;
        };
        if cloud.can(Verb::Pay) {
            let name = cloud.name();
            let message = Both::new(
                format!("sale.pay_url beside sale.cloud = \"{name}\""),
                format!("sale.cloud = \"{name}\" 时不应有 sale.pay_url"),
            );
            let hint =
                Both::new("delete the line: the shop gives the pay code itself", "请删除此行：商城自己给出支付码");
            self.complain(written.span(), Complaint::Unfit { message, hint });
            return None;
        }
        let text = written.as_ref();
        let rest = PAY_URL_WORDS.iter().fold(text.clone(), |rest, word| rest.replace(word, ""));
        let is_one_order = text.contains("{order}") || text.contains("{trade_no}");
        let fits = text.len() <= PAY_URL_BYTES_MAX
            && text.split_once("://").is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty())
            && rest.bytes().all(|b| b.is_ascii_graphic() && !b"{}<>\"".contains(&b));
        if fits && is_one_order {
            return Some(text.clone());
        }
        let message =
            Both::new("sale.pay_url is no address of one order's payment", "sale.pay_url 不是某个订单的支付地址");
        let hint = Both::new(
            "an address in ASCII with {order} or {trade_no} in it, perhaps {amount} too, of at most 300 bytes: https://host/pay?order={order}",
            "应为含 {order} 或 {trade_no}（可含 {amount}）的 ASCII 地址，最多 300 字节：https://host/pay?order={order}",
        );
        self.complain(written.span(), Complaint::Unfit { message, hint });
        None
    }

    /// Where one must be logged in, the clouds' documents do not say how that is done.
    fn log_in(&mut self, section: &SaleSection, is_platform: bool) -> Option<LogIn> {
        let written = section.log_in_path.as_ref()?;
        let path = written.as_ref();
        let fits = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        if is_platform || !fits {
            let message = Both::new(
                "sale.log_in_path is no path of a log-in at sale.url",
                "sale.log_in_path 不是 sale.url 处的登录路径",
            );
            let hint = Both::new(
                "write it like /user/login; with sale.cloud = \"platform\" delete the line",
                "形如 /user/login；sale.cloud = \"platform\" 时请删除此行",
            );
            self.complain(written.span(), Complaint::Unfit { message, hint });
            return None;
        }
        let Some(name) = section.log_in_name.as_ref().map(AsRef::as_ref).filter(|name: &&String| !name.is_empty())
        else {
            self.missing("sale", "log_in_name = \"NAME\"", Some("sale.log_in_path"));
            return None;
        };
        let fields = section.log_in_fields.as_ref().clone();
        if fields.iter().any(String::is_empty) || fields[0] == fields[1] {
            let message = Both::new("sale.log_in_fields are not two names", "sale.log_in_fields 不是两个字段名");
            let hint = Both::new(
                "write the field of the name and that of the password: [\"name\", \"password\"]",
                "请写用户名与密码的字段名：[\"name\", \"password\"]",
            );
            self.complain(section.log_in_fields.span(), Complaint::Unfit { message, hint });
            return None;
        }
        Some(LogIn { path: path.clone(), name: name.clone(), fields })
    }

    fn notify_url(&mut self, section: &SaleSection, is_platform: bool) -> Option<String> {
        let Some(written) = &section.notify_url else {
            if is_platform {
                self.missing("sale", "notify_url = \"https://host/path\"", Some("sale.cloud = \"platform\""));
            }
            return None;
        };
        // Its path counts, so it is checked as a notify_url of a message is: when it is called.
        let text = written.as_ref();
        if (text.starts_with("https://") || text.starts_with("http://")) && text.len() <= NOTIFY_URL_BYTES_MAX {
            return Some(text.clone());
        }
        let message = Both::new(
            "sale.notify_url is no http:// or https:// address",
            "sale.notify_url 不是 http:// 或 https:// 地址",
        );
        let hint = Both::new("write it like https://host/path", "请写成 https://host/path");
        self.complain(written.span(), Complaint::Unfit { message, hint });
        None
    }

    fn goods(&mut self, entries: &[Spanned<file::GoodsEntry>], board: Option<&Board>) -> Vec<Goods> {
        let mut goods: Vec<Goods> = Vec::new();
        for written in entries {
            let entry = written.as_ref();
            let why = match goods_of(entry, board) {
                Ok(one) if goods.iter().any(|g| (g.address, g.slot) == (one.address, one.slot)) => {
                    Both::new("this slot has goods already", "该货道已有商品")
                }
                Ok(one)
                    if one.label.is_some()
                        && goods.iter().any(|g| (g.address, &g.label) == (one.address, &one.label)) =>
                {
                    Both::new("this label is printed at another slot", "该编号已印在另一货道")
                }
                Ok(_) if goods.len() >= file::GOODS_MAX => Both::new("too many slots", "货道过多"),
                Ok(one) => {
                    goods.push(one);
                    continue;
                }
                Err(why) => why,
            };
            let message = Both::new(format!("sale.goods: {}", why.en), format!("sale.goods：{}", why.zh));
            let hint = Both::new(
                "each entry is like { slot = 12, goods = 20001, name = \"Cola\", price = \"3.00\" }",
                "每项形如 { slot = 12, goods = 20001, name = \"可乐\", price = \"3.00\" }",
            );
            self.complain(written.span(), Complaint::Unfit { message, hint });
        }
        goods
    }
}

fn goods_of(entry: &file::GoodsEntry, board: Option<&Board>) -> Result<Goods, Both> {
    let address = u8::try_from(entry.address).ok().and_then(Address::new);
    let address = address.ok_or_else(|| Both::new("address is 1 to 8", "address 应为 1 到 8"))?;
    let slot = u16::try_from(entry.slot).map(Slot);
    let slot = slot.map_err(|_| Both::new("slot is no slot's number", "slot 不是货道号"))?;
    if let Some(Board { profile, .. }) = board
        && (address.get() > profile.addresses.count || !profile.has_slot(slot))
    {
        return Err(Both::new("the board has no such slot", "主板没有该货道"));
    }
    let number = u64::try_from(entry.goods).ok().filter(|&n| n > 0);
    let number = number.ok_or_else(|| Both::new("goods is a number above 0", "goods 应为大于 0 的数字"))?;
    let price = Fen::parse(&entry.price).ok().filter(|&price| price > Fen(0));
    let price = price.ok_or_else(|| Both::new("price is like \"3.00\", and not 0", "price 形如 \"3.00\"，且不为 0"))?;
    let name = entry.name.trim();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(Both::new("name is empty or no text", "name 为空或不是文字"));
    }
    let label = entry.label.as_deref().map(Label::parse).transpose();
    let label = label.map_err(|_| {
        Both::new(
            format!("label is 1 to {LABEL_CHARS_MAX} letters, digits or hyphens"),
            format!("label 应为 1 到 {LABEL_CHARS_MAX} 个字母、数字或连字符"),
        )
    })?;
    Ok(Goods { address, slot, number, name: short_name(name), price, label })
}
