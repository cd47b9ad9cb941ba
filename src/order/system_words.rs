//! What the operating system says when something fails, in Chinese: the frequent errors by their kind, in one place.
//! Wherever a text for people quotes one, `order::said::Said::new` puts it in; what is not here stays English.

use std::io::{Error, ErrorKind};

/// Behind the system's words stands its number, in the words of Rust's library.
const NUMBER: (&str, char) = (" (os error ", ')');

/// Errors of the system's name service and of ours, which have no number.
const WITHOUT_NUMBER: [(&str, &str); 11] = [
    ("failed to lookup address information: Name or service not known", "域名不存在"),
    ("failed to lookup address information: Temporary failure in name resolution", "域名暂时无法解析"),
    ("failed to lookup address information: No address associated with hostname", "域名没有地址"),
    ("deadline has elapsed", "超时"),
    ("unexpected end of file", "意外结束"),
    ("timed out", "超时"),
    // What the library for serial ports makes of their numbers.
    ("Not a typewriter", "不是串口"),
    ("No such device or address", "没有此设备"),
    ("No such device", "没有此设备"),
    ("I/O error", "输入输出错误"),
    ("Is a directory", "是目录"),
];

/// Nothing for kinds that are rare.
const fn of_kind(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::NotFound => "不存在",
        ErrorKind::PermissionDenied => "没有权限",
        ErrorKind::AlreadyExists => "已存在",
        ErrorKind::NotADirectory => "不是目录",
        ErrorKind::IsADirectory => "是目录",
        ErrorKind::ConnectionRefused => "连接被拒绝",
        ErrorKind::ConnectionReset => "连接被对方重置",
        ErrorKind::ConnectionAborted => "连接中断",
        ErrorKind::NotConnected => "未连接",
        ErrorKind::BrokenPipe => "对方已关闭",
        ErrorKind::NetworkUnreachable => "网络不可达",
        ErrorKind::HostUnreachable => "主机不可达",
        ErrorKind::NetworkDown => "网络已断开",
        ErrorKind::AddrInUse => "地址已被占用",
        ErrorKind::AddrNotAvailable => "地址不可用",
        ErrorKind::TimedOut => "超时",
        ErrorKind::StorageFull => "磁盘空间不足",
        ErrorKind::QuotaExceeded => "超出磁盘配额",
        ErrorKind::ReadOnlyFilesystem => "文件系统只读",
        ErrorKind::ResourceBusy => "设备忙",
        _ => return None,
    })
}

/// Those that have no kind: the adapter was pulled out, or is none.
const fn of_number(number: i32) -> Option<&'static str> {
    match number {
        5 => Some("输入输出错误"),
        6 | 19 => Some("没有此设备"),
        25 => Some("不是串口"),
        _ => None,
    }
}

/// The text with each frequent error of the system in Chinese; its number stays.
#[must_use]
pub fn in_chinese(text: String) -> String {
    let mut text = text;
    let (before, after) = NUMBER;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(before)) {
        let end = at + found;
        at = end + before.len();
        let Some(rest) = text.get(at..) else { break };
        let Some(number) = rest.split(after).next().and_then(|digits| digits.parse::<i32>().ok()) else { continue };
        let error = Error::from_raw_os_error(number);
        let said = error.to_string();
        let Some(english) = said.split(before).next().filter(|english| text[..end].ends_with(english)) else {
            continue;
        };
        if let Some(chinese) = of_number(number).or(of_kind(error.kind())) {
            text.replace_range(end - english.len()..end, chinese);
            at = at - english.len() + chinese.len();
        }
    }
    // After those with a number, which may hold the same words.
    for (english, chinese) in WITHOUT_NUMBER {
        if text.contains(english) {
            text = text.replace(english, chinese);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chinese(text: &str) -> String {
        in_chinese(text.to_owned())
    }

    #[test]
    fn frequent_errors_of_the_system_are_chinese_wherever_they_stand() {
        for (number, wanted) in [
            (2, "不存在"),
            (13, "没有权限"),
            (111, "连接被拒绝"),
            (110, "超时"),
            (28, "磁盘空间不足"),
            (16, "设备忙"),
            (19, "没有此设备"),
        ] {
            let error = Error::from_raw_os_error(number);
            assert_eq!(
                chinese(&format!("配置：{error}；请检查")),
                format!("配置：{wanted} (os error {number})；请检查")
            );
        }
        let two = format!("{} / {}", Error::from_raw_os_error(111), Error::from_raw_os_error(2));
        assert_eq!(chinese(&two), "连接被拒绝 (os error 111) / 不存在 (os error 2)");
        let name = "failed to lookup address information: Name or service not known";
        assert_eq!(chinese(&format!("x.test：{name}")), "x.test：域名不存在");
    }

    #[test]
    fn what_is_no_error_of_the_system_stays_as_it_is() {
        for text in
            ["", "x (os error 2)", "y (os error abc)", "z (os error ", "Exec format error (os error 8)", "(os error 2)"]
        {
            assert_eq!(chinese(text), text);
        }
    }
}
