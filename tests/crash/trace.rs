//! What strace wrote, as events in the order in which they could matter.
//!
//! A write may reach the disk, and a message the world, from the moment its call begins. A sync promises something
//! only when it has ended, and only about writes that had ended before it began. strace stops a thread on both sides
//! of a call, so whatever one thread does because another's call has ended stands behind that end in the trace.

use super::told::Name;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// One thing that the process did.
#[derive(Debug, Clone)]
pub struct Event {
    /// The line of the trace in which the call began.
    pub began: usize,
    /// The line in which it ended.
    pub ended: usize,
    /// When it began, in µs since 1970.
    pub at_us: u64,
    pub thread: u32,
    pub what: What,
}

/// What was done, with what.
#[derive(Debug, Clone)]
pub enum What {
    /// A name was made, if there was none, for a file, which was perhaps emptied.
    Create {
        path: PathBuf,
        empty: bool,
    },
    Write {
        path: PathBuf,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLength {
        path: PathBuf,
        bytes: u64,
    },
    /// fsync or fdatasync of a file or a directory. ext4's fdatasync makes a changed size durable too.
    Sync {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    MakeDir {
        path: PathBuf,
    },
    /// To a port of 127.0.0.1; `connection` tells two connections apart.
    Sent {
        connection: String,
        port: u16,
        bytes: Vec<u8>,
    },
    Received {
        connection: String,
        port: u16,
        bytes: Vec<u8>,
    },
    /// To the board; with the orders whose motors turn by it, once `told` has noted them.
    Line {
        bytes: Vec<u8>,
        turned: Vec<Name>,
    },
}

/// A call whose end is known.
struct Call {
    began: usize,
    ended: usize,
    at_us: u64,
    thread: u32,
    name: String,
    arguments: String,
    result: i64,
    /// The path behind a file descriptor that was returned.
    returned: Option<String>,
}

/// Reads a whole trace. `first_line` is the number of its first line, so that the lives of one disk can follow each
/// other.
pub fn read(text: &str, first_line: usize) -> Vec<Event> {
    let mut positions: HashMap<String, u64> = HashMap::new();
    let mut events: Vec<Event> = calls(text, first_line).into_iter().filter_map(|c| event(c, &mut positions)).collect();
    // Promises count from their end, all else from its beginning.
    events.sort_by_key(|e| if matches!(e.what, What::Sync { .. } | What::Received { .. }) { e.ended } else { e.began });
    events
}

fn calls(text: &str, first_line: usize) -> Vec<Call> {
    let mut open: HashMap<&str, (usize, u64, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let n = first_line + n;
        let (process, rest) = line.split_once(' ').expect("a process");
        let (time, rest) = rest.trim_start().split_once(' ').expect("a time");
        let at_us = time.replace('.', "").parse().expect("seconds and microseconds");
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        let (began, at_us, whole) = if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            open.insert(process, (n, at_us, begun.to_owned()));
            continue;
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let (_, end) = resumed.split_once(" resumed>").expect("a resumed call");
            let Some((began, at_us, begun)) = open.remove(process) else { continue };
            (began, at_us, begun + end)
        } else {
            (n, at_us, rest.to_owned())
        };
        let Some((call, result)) = whole.rsplit_once(" = ") else { panic!("no result in {whole}") };
        // `?`: the process was killed in it. What it did is compared with the directory that was left.
        let result = match result.split([' ', '<']).next() {
            // An address.
            Some(result) if result.starts_with("0x") => 0,
            Some(result) => match result.parse() {
                Ok(result) => result,
                Err(_) => continue,
            },
            None => continue,
        };
        let returned = whole.rsplit_once(" = ").and_then(|(_, r)| Some(r.split(['<', '>']).nth(1)?.to_owned()));
        let call = call.trim_end();
        let (name, arguments) = call.split_once('(').expect("arguments");
        let arguments = arguments.strip_suffix(')').expect("their end").to_owned();
        let thread = process.parse().expect("a thread's number");
        calls.push(Call { began, ended: n, at_us, thread, name: name.to_owned(), arguments, result, returned });
    }
    calls
}

fn event(call: Call, positions: &mut HashMap<String, u64>) -> Option<Event> {
    if call.result < 0 {
        return None;
    }
    let result = u64::try_from(call.result).expect("not negative");
    let texts = texts(&call.arguments);
    let path = |nth: usize| PathBuf::from(String::from_utf8(texts[nth].clone()).expect("a path in UTF-8"));
    let all = || texts.concat();
    let what = match call.name.as_str() {
        "openat" | "creat" => {
            let fd = result.to_string();
            positions.insert(fd, 0);
            let opened = PathBuf::from(String::from_utf8(unescape(call.returned.as_deref()?)).ok()?);
            assert!(!call.arguments.contains("O_APPEND") || is_log(&opened), "appending is not modelled: {opened:?}");
            if !call.arguments.contains("O_CREAT") {
                return None;
            }
            What::Create { path: opened, empty: call.arguments.contains("O_TRUNC") }
        }
        "write" | "pwrite64" | "writev" | "sendto" | "read" | "readv" | "recvfrom" => {
            let (fd, target) = target(&call.arguments)?;
            let out = !matches!(call.name.as_str(), "read" | "readv" | "recvfrom");
            let mut bytes = if target.starts_with("TCP:") || out { all() } else { return None };
            bytes.truncate(usize::try_from(result).expect("a length"));
            if let Some((connection, port)) = connection(&target) {
                match out {
                    true => What::Sent { connection, port, bytes },
                    false => What::Received { connection, port, bytes },
                }
            } else if target.starts_with("/dev/pts/") {
                What::Line { bytes, turned: Vec::new() }
            } else if !target.starts_with('/') {
                return None;
            } else {
                let offset = match call.name.as_str() {
                    "pwrite64" => call.arguments.rsplit(", ").next()?.parse().expect("an offset"),
                    _ => {
                        let position = positions.entry(fd).or_default();
                        let before = *position;
                        *position += result;
                        before
                    }
                };
                What::Write { path: target.into(), offset, bytes }
            }
        }
        "fsync" | "fdatasync" => What::Sync { path: target(&call.arguments)?.1.into() },
        "ftruncate" => What::SetLength {
            path: target(&call.arguments)?.1.into(),
            bytes: call.arguments.rsplit(", ").next()?.parse().expect("a length"),
        },
        "rename" => What::Rename { from: path(0), to: path(1) },
        "unlink" | "rmdir" => What::Remove { path: path(0) },
        "unlinkat" => {
            let (_, folder) = target(&call.arguments)?;
            What::Remove { path: Path::new(&folder).join(path(0)) }
        }
        "mkdir" => What::MakeDir { path: path(0) },
        "mmap" => {
            let shared = call.arguments.contains("MAP_SHARED") && call.arguments.contains("PROT_WRITE");
            assert!(!shared || call.arguments.contains("MAP_ANONYMOUS"), "mapped files are not modelled");
            return None;
        }
        other => panic!("{other} is not modelled: {}", call.arguments),
    };
    Some(Event { began: call.began, ended: call.ended, at_us: call.at_us, thread: call.thread, what })
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "log") || path.starts_with("/dev")
}

/// The number and the meaning of the file descriptor that comes first: a path, or `TCP:[from->to]`.
fn target(arguments: &str) -> Option<(String, String)> {
    let (fd, rest) = arguments.split_once('<')?;
    if let Some(address) = rest.strip_prefix("TCP:[") {
        return Some((fd.to_owned(), format!("TCP:[{}]", address.split_once(']')?.0)));
    }
    let name = rest.split(['<', '>']).next()?;
    Some((fd.to_owned(), String::from_utf8(unescape(name)).ok()?))
}

fn connection(target: &str) -> Option<(String, u16)> {
    let address = target.strip_prefix("TCP:[")?.strip_suffix(']')?;
    let port = address.rsplit_once(':')?.1.parse().ok()?;
    Some((address.to_owned(), port))
}

/// Every string among the arguments, without its quotes.
fn texts(arguments: &str) -> Vec<Vec<u8>> {
    let quoted = arguments.split('"').skip(1).step_by(2);
    assert!(!arguments.contains("\"..."), "strace cut a string off");
    quoted.map(unescape).collect()
}

/// `\x41` is A. With `-xx` there is nothing else in a string, but for the unescaped parts of descriptors.
fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() / 4);
    let mut at = 0;
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok()).expect("a hexadecimal digit");
    while at < bytes.len() {
        if bytes[at] == b'\\' && bytes.get(at + 1) == Some(&b'x') {
            out.push(digit(bytes[at + 2]) * 16 + digit(bytes[at + 3]));
            at += 4;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}
