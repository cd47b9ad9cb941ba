//! What of a Chinese text is English: words that nobody who reads Chinese has to know.

/// Names, units, formats and keys that are the same in every language.
const NAMES: [&str; 61] = [
    "ADH",
    "API",
    "ASCII",
    "AppSecret",
    "Appid",
    "BEGIN",
    "Base64",
    "CERTIFICATE",
    "Cookie",
    "Ctrl",
    "DIR",
    "END",
    "Ed25519",
    "FILE",
    "GMT",
    "HTTP",
    "HTTPS",
    "Host",
    "ID",
    "IMEI",
    "IP",
    "IPv6",
    "JSON",
    "KEY",
    "MOS",
    "MQTT",
    "NAME",
    "NEW",
    "PATH",
    "PEM",
    "POST",
    "PRIVATE",
    "RS232",
    "RS485",
    "RSA",
    "RX",
    "TCP",
    "TEXT",
    "TLS",
    "TOML",
    "TX",
    "URL",
    "Unix",
    "VALUE",
    "broker",
    "cloud",
    "data",
    "dialout",
    "error",
    "names",
    "openid",
    "os",
    "root",
    "sale",
    "signing",
    "sled",
    "systemd",
    "timestamp",
    "tmpfs",
    "url",
    "vendapin",
];

/// What begins a command that somebody is to type; the rest of it is no prose.
const COMMANDS: [&str; 8] = ["vend", "systemctl", "sudo", "openssl", "install", "chmod", "journalctl", "ls"];

/// A part of a text that is a thing and no word: a key, a path, a flag, a number, an address.
fn is_thing(word: &str) -> bool {
    word.len() < 2
        || word.contains(['-', '_', '.', '/', '=', ':', '*', '%', '\\', '~', '#', '@', '{', '}', '[', ']', '<', '>'])
        || word.bytes().any(|byte| byte.is_ascii_digit())
}

/// The English words of a Chinese text. What stands in quotes is quoted, and what follows a command's name belongs to it.
pub fn english_words(text: &str) -> Vec<&str> {
    // Lines of somebody's file, shown with a caret.
    let is_quoted = |line: &&str| line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).starts_with('|');
    text.lines().filter(|line| !is_quoted(line)).flat_map(of_line).collect()
}

fn of_line(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, part) in line.split(['"', '`']).enumerate() {
        // What stands between two quotation marks.
        if at % 2 == 1 {
            continue;
        }
        for run in part.split(|c: char| !c.is_ascii() || matches!(c, ';' | '(' | ')' | ',')) {
            let mut is_key = false;
            for word in run.split(' ').filter(|word| !word.is_empty()) {
                if COMMANDS.contains(&word) {
                    break;
                }
                let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
                if !is_key && !is_thing(word) && !is_thing(bare) && !NAMES.contains(&bare) {
                    found.push(bare);
                }
                // What follows a section's name is a key in it.
                is_key = word.ends_with(']');
            }
        }
    }
    found
}

/// Fails unless a text is Chinese and nothing in it English.
#[track_caller]
pub fn assert_chinese(text: &str) {
    assert!(text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "nothing is Chinese: {text}");
    assert_eq!(english_words(text), [""; 0], "{text}");
}

#[test]
fn an_english_word_is_found_and_a_thing_is_none() {
    for (text, words) in [
        ("日志无法打开：the disk is full", &["the", "disk", "is", "full"][..]),
        ("没有此订单；vend order list 会列出订单", &[]),
        ("[cloud] url 与 /var/lib/vend：不存在 (os error 2)", &[]),
        ("请用 sudo，或 --socket PATH 指定", &[]),
        ("消息 \"what it says\" 不是 JSON", &[]),
        ("machine_no 必须是 8 位数字：refused", &["refused"]),
    ] {
        assert_eq!(english_words(text), words, "{text}");
    }
}
