//! The repository lints itself: the rules of the house that no compiler knows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by panicking what is wrong")]

#[path = "common/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use tree::{files, in_backticks, item_exists, read, root};
use vend::cloud::orders::table::SellingCloud;

/// Lines of one file; what is longer has two subjects.
const FILE_LINES_MAX: usize = 800;

/// Source lines without comments and without what follows `#[cfg(test)] mod`: what the daemon runs.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].lines().enumerate().map(|(n, line)| {
        let code = line.find("//").filter(|&at| !line[..at].ends_with(':')).map_or(line, |at| &line[..at]);
        (n + 1, code)
    })
}

fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// The floor of a source file: its folder or its name below `src/`.
fn floor(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap();
    below.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Fails with every finding, one a line.
fn none(what: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{what}:\n{}", findings.join("\n"));
}

/// Lines of the shipped source on these floors in which a needle stands.
fn mentions(floors: &[&str], needles: &[&str], excused: &dyn Fn(&str, &str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, text) in files("src", ".rs") {
        if !floors.contains(&floor(&path)) || is_test_file(&path) {
            continue;
        }
        for (n, line) in code_lines(&text) {
            for needle in needles.iter().filter(|needle| line.contains(**needle)) {
                if !excused(&path, needle) {
                    findings.push(format!("{path}:{n}: {needle}"));
                }
            }
        }
    }
    findings
}

#[test]
fn no_file_is_longer_than_one_subject_needs() {
    let sources = files("src", ".rs").into_iter().chain(files("tests", ".rs"));
    let long = sources.filter_map(|(path, text)| {
        let lines = text.lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{path}: {lines} lines"))
    });
    none("files over 800 lines", long.collect());
}

#[test]
fn nothing_is_left_to_be_done_later() {
    // In two parts, or this file would find itself.
    let needles: Vec<String> =
        [("todo", "!("), ("unimplemented", "!("), ("dbg", "!("), ("TO", "DO"), ("FIX", "ME"), ("XX", "X")]
            .iter()
            .map(|(a, b)| format!("{a}{b}"))
            .collect();
    let mut findings = Vec::new();
    for (path, text) in files("src", ".rs").into_iter().chain(files("tests", ".rs")) {
        for (n, line) in text.lines().enumerate() {
            for needle in needles.iter().filter(|needle| line.contains(needle.as_str())) {
                findings.push(format!("{path}:{}: {needle}", n + 1));
            }
        }
    }
    none("promises instead of code", findings);
}

#[test]
fn every_allowance_has_its_reason() {
    let mut findings = Vec::new();
    for (path, text) in files("src", ".rs") {
        let mut rest = text.as_str();
        while let Some(at) = rest.find("#[allow(").or_else(|| rest.find("#![allow(")) {
            let attribute = rest[at..].split(")]").next().unwrap();
            if !attribute.contains("reason = ") {
                findings.push(format!("{path}: {attribute}"));
            }
            rest = &rest[at + "#[allow(".len()..];
        }
    }
    none("allow without a reason", findings);
}

/// Everything outside `io/` decides and touches nothing; `cli` and `agent` are the edge too, and `config` reads files.
#[test]
fn what_decides_touches_neither_sockets_nor_files_nor_clocks() {
    const PURE: [&str; 10] = ["order", "board", "cloud", "core", "control", "doctor", "excerpt", "qr", "sim", "web"];
    const WORLD: [&str; 18] = [
        "tokio",
        "std::fs",
        "std::net",
        "std::os",
        "std::process",
        "std::thread",
        "std::env::",
        "std::time::Instant",
        "SystemTime",
        "hyper",
        "sled::",
        "rumqttc",
        "tokio_serial",
        "mio_serial",
        "serialport",
        "rustix",
        "rustls",
        "tracing::",
    ];
    // Of the simulators this one runs: a pty.
    const RUNNERS: [&str; 1] = ["src/sim/pty.rs"];
    let excused = |path: &str, needle: &str| {
        RUNNERS.iter().any(|runner| path.starts_with(runner))
            // A question carries the channel for its answer.
            || (needle == "tokio" && path.starts_with("src/control/"))
    };
    none("the world, named where only decisions are made", mentions(&PURE, &WORLD, &excused));
}

/// Who may know whom: each floor and the floors that it must not use.
#[test]
fn each_floor_knows_only_the_floors_below_it() {
    const FORBIDDEN: [(&str, &[&str]); 10] = [
        ("order", &["board", "core", "io", "cloud", "cli", "agent", "config", "control", "sim", "doctor"]),
        ("board", &["core", "io", "cloud", "cli", "agent", "config", "control", "sim", "doctor"]),
        ("cloud", &["core", "io", "cli", "agent", "config", "control", "sim", "doctor"]),
        ("core", &["io", "cli", "agent", "config", "control", "sim", "doctor"]),
        ("config", &["core", "io", "cli", "agent", "control", "sim", "doctor"]),
        ("doctor", &["io", "cli", "agent", "sim"]),
        ("web", &["io", "cli", "agent", "cloud", "sim"]),
        ("control", &["io", "cli", "agent", "config", "cloud", "sim", "doctor"]),
        ("io", &["cli", "agent", "cloud", "sim"]),
        ("sim", &["agent", "cli", "config"]),
    ];
    let mut findings = Vec::new();
    for (from, to) in FORBIDDEN {
        let needles: Vec<String> = to.iter().map(|floor| format!("crate::{floor}")).collect();
        let needles: Vec<&str> = needles.iter().map(String::as_str).collect();
        findings.extend(mentions(&[from], &needles, &|_, _| false));
    }
    none("a floor that knows one above it", findings);
}

/// What a cloud that sells is, its own file says; whoever sells, asks or is configured learns it from the table. The
/// platform is no stranger anywhere.
#[test]
fn a_cloud_that_sells_is_named_in_its_file_and_the_table_alone() {
    let names: Vec<&str> =
        SellingCloud::all().filter(|cloud| !cloud.is_platform()).map(|cloud| cloud.name().0).collect();
    assert!(names.len() > 1, "{names:?}");
    let mut findings = Vec::new();
    for (path, text) in files("src", ".rs") {
        // Stand-ins, and what the tool that starts them says.
        let is_stand_in =
            path.starts_with("src/sim/") || ["src/cli/cloud/simulate.rs", "src/cli/help.rs"].contains(&&*path);
        let is_table = ["src/cloud/orders/mod.rs", "src/cloud/orders/table.rs"].contains(&&*path);
        if is_stand_in || is_table || is_test_file(&path) {
            continue;
        }
        for (n, line) in code_lines(&text) {
            let words = line.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_lowercase);
            let named = words.filter(|word| names.contains(&&**word) && path != format!("src/cloud/orders/{word}.rs"));
            findings.extend(named.map(|word| format!("{path}:{n}: {word}")));
        }
    }
    none("a cloud that sells, named outside its file and the table", findings);
}

/// Rule 19: no motor turns outside an order without an intent of its own; so there is one place that drives.
#[test]
fn rule_19_one_place_sends_motor_commands_and_only_after_an_intent() {
    let mut callers = Vec::new();
    for (path, text) in files("src", ".rs") {
        // The emulated boards' duels are tests that live beside what they test.
        if is_test_file(&path) || path.starts_with("src/sim/") {
            continue;
        }
        callers.extend(code_lines(&text).filter(|(_, l)| l.contains(".drive(")).map(|_| path.clone()));
    }
    assert_eq!(callers, ["src/core/drive.rs"]);
    let text = read("src/core/drive.rs");
    let drive_now = text.split("fn drive_now").nth(1).unwrap();
    let body = drive_now.split("\n    }\n").next().unwrap();
    assert!(body.contains(".drive("), "the driver is called in drive_now alone");
    assert!(read("src/core/commit.rs").contains("After::Drive(sequence) => self.intent_is_durable(now, sequence)"));
}

#[test]
fn nothing_points_at_a_developers_machine() {
    // In two parts, or this file would find itself.
    let needles: Vec<String> = [("/ro", "ot/"), ("/ho", "me/"), ("/wo", "rk/"), ("/Us", "ers/")]
        .iter()
        .map(|(a, b)| format!("{a}{b}"))
        .collect();
    let mut texts = Vec::new();
    for (folder, ending) in [
        ("src", ".rs"),
        ("tests", ".rs"),
        ("docs", ".md"),
        ("boards", ".toml"),
        ("systemd", ""),
        ("scripts", ""),
        ("package", ""),
    ] {
        texts.extend(files(folder, ending));
    }
    for path in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "Makefile", "Cargo.toml", "deny.toml", ".ci/run"] {
        texts.push((path.to_owned(), read(path)));
    }
    let mut findings = Vec::new();
    for (path, text) in texts {
        for (n, line) in text.lines().enumerate() {
            for needle in needles.iter().filter(|needle| line.contains(needle.as_str())) {
                findings.push(format!("{path}:{}: {needle}", n + 1));
            }
        }
    }
    none("paths of one machine", findings);
}

#[test]
fn every_board_says_where_its_numbers_come_from() {
    for (path, text) in files("boards", ".toml") {
        let profile: toml::Table = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let source = profile.get("source").and_then(toml::Value::as_str).unwrap_or_default();
        assert!(source.len() > 20, "{path} cites no source");
    }
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent = files("src", ".rs").into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path);
    none("files without a head", silent.collect());
}

/// The makefile's helpers are the only scripts, and they can run.
#[test]
fn scripts_can_be_executed() {
    use std::os::unix::fs::PermissionsExt as _;
    let scripts = files("scripts", "").into_iter().map(|(path, _)| path);
    for path in scripts.chain([".ci/run".to_owned(), "systemd/is-set-up".to_owned(), "systemd/vend-machine".to_owned()])
    {
        let mode = std::fs::metadata(root().join(&path)).unwrap_or_else(|e| panic!("{path}: {e}")).permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{path}");
    }
}

/// What holds a secret neither prints itself nor is compared digit by digit: both would be derived.
#[test]
fn what_holds_a_secret_derives_neither_debug_nor_equality() {
    const HOLDERS: [&str; 8] =
        ["SigningKey", "Signature", "AppSecret", "Secret", "Password", "PickupCode", "NoticeSecret", "Session"];
    let mut found = BTreeSet::new();
    let mut findings = Vec::new();
    for (path, text) in files("src", ".rs") {
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2) {
            let Some(name) = HOLDERS.iter().find(|name| pair[1].starts_with(&format!("pub struct {name}("))) else {
                continue;
            };
            found.insert(*name);
            // A signature is no secret, only what it is compared with must not be found out.
            let prints = pair[0].contains("Debug") && *name != "Signature";
            if prints || pair[0].contains("PartialEq") {
                findings.push(format!("{path}: {name}: {}", pair[0]));
            }
        }
    }
    assert_eq!(found.len(), HOLDERS.len(), "{found:?}");
    none("secrets that derive too much", findings);
}

/// What a document names in backticks exists: `src/…` and other paths as files, `module::name` as an item of that
/// module, `name()` as a function, `CONSTANTS` as constants.
#[test]
fn everything_that_the_documents_name_exists() {
    let sources: Vec<(String, String)> = files("src", ".rs").into_iter().chain(files("tests", ".rs")).collect();
    let mut findings = Vec::new();
    let mut checked = BTreeSet::new();
    for document in ["README.md", "ARCHITECTURE.md", "docs/glossary.md"] {
        let text = read(document);
        for name in in_backticks(&text) {
            let known = if is_path(name) {
                root().join(name).exists()
            } else if let Some(function) = name.strip_suffix("()") {
                item_exists(&sources, function)
            } else if is_item(name) || is_constant(name) {
                item_exists(&sources, name)
            } else {
                continue;
            };
            checked.insert(name.to_owned());
            if !known {
                findings.push(format!("{document}: {name}"));
            }
        }
    }
    assert!(checked.len() > 60, "only {} names were found: the test does not see what it should", checked.len());
    none("names of nothing", findings);
}

/// A test's name is a sentence.
fn is_sentence(name: &str) -> bool {
    name.matches('_').count() >= 5 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[test]
fn every_test_that_the_table_of_the_platform_names_exists() {
    let sources: Vec<(String, String)> = files("src", ".rs").into_iter().chain(files("tests", ".rs")).collect();
    let text = read("docs/platform.md");
    let named: BTreeSet<&str> = in_backticks(&text).into_iter().filter(|name| is_sentence(name)).collect();
    assert!(named.len() > 20, "only {} names were found: the test does not see what it should", named.len());
    let missing = named.iter().filter(|name| !item_exists(&sources, name)).map(|name| (*name).to_owned());
    none("tests that do not exist", missing.collect());
}

fn is_item(name: &str) -> bool {
    name.contains("::") && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}

fn is_constant(name: &str) -> bool {
    name.contains('_') && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn is_path(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or_default();
    name.contains('/') && ["src", "tests", "docs", "boards", "systemd", "scripts", "package", ".ci"].contains(&first)
}

#[test]
fn a_name_that_does_not_exist_is_noticed() {
    let sources = files("src", ".rs");
    assert!(item_exists(&sources, "core::arrivals::on_message"));
    assert!(item_exists(&sources, "core::gate::Verdict::NeverDrive"));
    assert!(item_exists(&sources, "Core::step"));
    for wrong in ["core::arrivals::on_massage", "core::gate::on_message", "core::gate::Verdict::Perhaps", "on"] {
        assert!(!item_exists(&sources, wrong), "{wrong}");
    }
}

/// Names of errors: what is called so is English where it is shown by its `Display`.
const ERRORS: [&str; 15] = [
    "cause", "cut", "damage", "e", "err", "error", "failure", "fault", "owed", "problem", "refusal", "refused",
    "source", "trouble", "why",
];

/// Source without comments and tests, and without what stands in `said!(…)`: there the compiler sees to it that nothing is
/// quoted that is English alone.
fn without_said(text: &str) -> String {
    let code: String = code_lines(text).flat_map(|(_, line)| [line, "\n"]).collect();
    let (mut left, mut rest) = (String::new(), code.as_str());
    while let Some(at) = rest.find("said!(") {
        let (before, inside) = rest.split_at(at + "said!(".len());
        left.push_str(before);
        let (mut depth, mut is_text, mut is_escaped) = (1_u32, false, false);
        let end = inside.find(|c| {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' if is_text => is_escaped = true,
                '"' => is_text = !is_text,
                '(' if !is_text => depth += 1,
                ')' if !is_text => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        // Lines are still counted.
        let (said, behind) = inside.split_at(end.unwrap_or(inside.len()));
        left.extend(said.chars().filter(|c| *c == '\n'));
        rest = behind;
    }
    left + rest
}

/// Where a Chinese text quotes an error by its English: by its name in the text, or among what is put into it.
fn english_in_chinese(text: &str) -> Vec<(usize, String)> {
    let mut findings = Vec::new();
    let code = without_said(text);
    let mut line = 1;
    // Between quotation marks stands every second piece; a mark that is escaped is none.
    let code = code.replace("\\\"", "''");
    let pieces: Vec<&str> = code.split('"').collect();
    for (at, piece) in pieces.iter().enumerate() {
        let is_chinese = at % 2 == 1 && piece.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        if is_chinese {
            let named = piece.split('{').skip(1).filter_map(|rest| rest.split([':', '}']).next());
            let behind = pieces.get(at + 1).copied().unwrap_or_default();
            // What is put in, up to the end of the call.
            let put_in = behind.strip_prefix(',').and_then(|rest| rest.split(')').next()).unwrap_or_default();
            let put_in = put_in.split(',').map(|part| part.trim().trim_start_matches('&'));
            let put_in = put_in.map(|part| part.strip_suffix(".to_string(").unwrap_or(part));
            let quoted = named.filter(|_| piece.contains('{')).chain(put_in.filter(|_| piece.contains("{}")));
            findings.extend(quoted.filter(|name| ERRORS.contains(name)).map(|name| (line, name.to_owned())));
        }
        line += piece.matches('\n').count();
    }
    findings
}

#[test]
fn no_chinese_text_quotes_an_error_in_english() {
    // Not src/io: what that quotes is the system's, whose words `Said::new` puts in Chinese, and the libraries'.
    const TOLD: [&str; 10] = ["cli", "doctor", "web", "config", "board", "core", "cloud", "control", "agent", "order"];
    let told = files("src", ".rs").into_iter().filter(|(path, _)| TOLD.contains(&floor(path)) && !is_test_file(path));
    let findings = told.flat_map(|(path, text)| {
        english_in_chinese(&text).into_iter().map(move |(line, name)| format!("{path}:{line}: {{{name}}}; use said!"))
    });
    none("an error's English in a Chinese text", findings.collect());
}

#[test]
fn an_english_error_in_a_chinese_text_is_noticed() {
    for (text, wanted) in [
        ("format!(\"日志无法打开：{why}\")", vec!["why"]),
        ("a(\n  format!(\"x {error}\"),\n  format!(\"日志：{error:?}\"))", vec!["error"]),
        ("format!(\"日志：{}\", error)", vec!["error"]),
        ("format!(\"日志：{}（{n}）\", &why.to_string())", vec!["why"]),
        ("format!(\"日志：{}\", why.zh())", vec![]),
        ("format!(\"日志：{path}\")", vec![]),
        ("said!(\"the journal (x): {why}\", \"日志：{why}\", why = f(a)) + \"日志 {e}\"", vec!["e"]),
        ("format!(\"the journal: {why}\")", vec![]),
    ] {
        let found: Vec<String> = english_in_chinese(text).into_iter().map(|(_, name)| name).collect();
        assert_eq!(found, wanted, "{text}");
    }
    assert_eq!(english_in_chinese("a\nsaid!(\n\"日志\"\n)\nformat!(\"日志 {e}\")")[0].0, 5);
}
