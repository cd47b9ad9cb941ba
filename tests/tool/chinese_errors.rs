//! Errors of ours provoked through the tool with `--lang zh`: what a person reads is Chinese, with names, numbers and paths in
//! it and no English word.

use crate::chinese::{assert_chinese, english_words};
use crate::cloud::open;
use crate::mosquitto::Mosquitto;
use crate::support::{Ended, Machine, board, run, vend, wait_for};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};

/// A command of a technician who reads Chinese.
fn chinese(arguments: &[&str]) -> Ended {
    run(vend([&["--lang", "zh"], arguments].concat()))
}

/// It fails, with this code, says so in Chinese alone, and names what it is about.
#[track_caller]
fn fails(ended: &Ended, code: i32, wanted: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}{}", ended.out, ended.err);
    assert_chinese(&ended.err);
    for wanted in wanted {
        assert!(ended.err.contains(wanted), "{wanted} in\n{}", ended.err);
    }
}

/// The same with what the machine's place is.
#[track_caller]
fn fails_there(machine: &Machine, arguments: &[&str], code: i32, wanted: &[&str]) {
    let place = machine.place();
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    fails(&chinese(&[arguments, &place].concat()), code, wanted);
}

#[test]
fn a_command_line_that_is_wrong_is_told_in_chinese() {
    for (arguments, wanted) in [
        (vec!["statsu"], vec!["未知命令\"statsu\"", "\"status\""]),
        (vec!["status", "--jsn"], vec!["未知参数\"--jsn\"", "是否想写：\"--json\"", "用法：vend status"]),
        (vec!["order", "resolve", "60:1"], vec!["缺少参数", "--as <OUTCOME>", "--reason <TEXT>"]),
        (vec!["order", "resolve", "60:1", "--as", "gone", "--reason", "x"], vec!["的值\"gone\"无效", "dispensed"]),
        (vec!["order", "resolve", "60:1", "--as", "failed", "--reason", " "], vec!["请写明原因"]),
        (vec!["order", "resolve", "60:1", "--as"], vec!["\"--as <OUTCOME>\"需要一个值"]),
        (vec!["status", "--json", "--json"], vec!["只能写一次"]),
        (vec!["status", "--json", "--plain"], vec!["\"--json\"不能与\"--plain\"同用"]),
        (vec!["doctor", "--only", "Z9"], vec!["没有此编号的检查", "vend doctor --list"]),
        (vec!["log-level", "debug", "--for", "3d"], vec!["90s、10m 或 2h", "24h"]),
        (vec!["mqtt", "ping", "--count", "0"], vec!["不在 1..=1000 之内"]),
        (vec!["mqtt", "ping", "--count", "many"], vec!["应为整数"]),
        (vec!["slot", "test", "5", "--address", "99"], vec!["地址为 1 至"]),
        (vec!["cloud", "order", "show", "a b"], vec!["的值\"a b\"无效", "只能用 0-9 A-Z a-z"]),
        (vec!["order", "resolve", "a", "--as", "failed", "--reason", "x"], vec!["应写作 ORDER_ID:RECORD_ID"]),
        (vec!["order", "show", "a:b c"], vec!["只能用 0-9 A-Z a-z"]),
        (vec!["cloud", "simulate", "--listen", "here"], vec!["应写作 IP:PORT"]),
        (vec!["setup", "--secret", "key"], vec!["应写作 NAME=FILE"]),
        (vec!["sale", "start", "--code", "A 3!"], vec!["的值\"A 3!\"无效"]),
        (vec!["serial", "send", "00", "--quiet", "1"], vec!["毫秒"]),
    ] {
        let ended = chinese(&arguments);
        fails(&ended, 2, &wanted);
        let english = run(vend(arguments));
        assert_eq!(english.code, Some(2));
        assert!(english.err.starts_with("error: "), "{}", english.err);
    }
    let help = chinese(&["status", "--help"]);
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
}

#[test]
fn a_configuration_that_cannot_be_used_is_told_in_chinese() {
    let machine = Machine::new();
    let (file, text) = (machine.text("vend.toml"), fs::read_to_string(machine.path("vend.toml")).unwrap());
    let check = |code: i32, wanted: &[&str]| fails(&chinese(&["config", "check", "--config", &file]), code, wanted);
    let with = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        fs::write(&file, changed).unwrap();
    };
    fails(&chinese(&["config", "check", "--config", "/nowhere/vend.toml"]), 78, &["/nowhere/vend.toml", "不存在"]);
    let profile = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/boards/tcn-00ff.toml")).unwrap();
    for (from, to, wanted) in [
        ("baud = 9600", "baud = 0", "必须大于 0"),
        ("count = 8", "count = 9", "必须为 1 至 8"),
        ("last = 80", "last = 81", "不大于 80"),
        ("last = 80", "last = 80\ngaps = [81]", "本来就不是货道"),
        ("reply_ms = 1000", "reply_ms = 60001", "必须为 1 至 60000"),
    ] {
        fs::write(machine.path("mine.toml"), profile.replace(from, to)).unwrap();
        with("profile = \"tcn-00ff\"", "profile = \"./mine.toml\"");
        check(78, &["板卡配置不可用", "mine.toml:", wanted, "boards/README.md"]);
        fails(&chinese(&["board", "show", &machine.text("mine.toml")]), 78, &[wanted]);
    }
    with("profile = \"tcn-00ff\"", "profile = \"tcn\"");
    check(78, &["没有板卡配置 \"tcn\"", "tcn-00ff"]);
    with("profile = \"tcn-00ff\"", "profile = \"./none.toml\"");
    check(78, &["none.toml：不存在 (os error 2)"]);
    for (pem, wanted) in [
        ("", "其中没有证书"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n", "没有结尾的 -----END 行"),
        ("-----BEGIN CERTIFICATE-----\n$$$$\n-----END CERTIFICATE-----\n", "Base64 有误"),
    ] {
        fs::write(machine.path("ca.pem"), pem).unwrap();
        with("mqtt://127.0.0.1:1\"", "mqtts://broker.example:1\"\nca_file = \"ca.pem\"");
        check(78, &["broker.ca_file 不可用", wanted]);
    }
    fs::remove_file(machine.path("ca.pem")).unwrap();
    check(78, &["ca.pem：不存在"]);
    fails(&chinese(&["board", "show", "nonsense"]), 6, &["nonsense"]);
}

#[test]
fn a_journal_that_cannot_be_used_is_told_in_chinese() {
    let machine = Machine::new();
    let state = machine.text("state");
    let journal = |arguments: &[&str]| {
        let mut all = vec!["journal"];
        all.extend(arguments);
        all.extend(["--directory", &state]);
        chinese(&all)
    };
    fails(&journal(&["dump"]), 6, &[&state]);
    fails(&journal(&["unfinished"]), 6, &[&state]);
    let place = machine.place();
    fails(&chinese(&["serial", "send", "--yes", "00", "--config", &place[1]]), 6, &[&state]);
    let mut daemon = machine.daemon();
    fails(&journal(&["dump"]), 5, &[&state]);
    fails(&journal(&["accept-loss", "--reason", "x"]), 5, &[&state]);
    fails(&chinese(&["serial", "send", "--yes", "00", "--config", &place[1]]), 5, &["systemctl stop vend"]);
    fails(&chinese(&["board", "detect", "--port", "/nowhere/port", "--config", &place[1]]), 5, &[&state]);
    // A second daemon would drive the same board.
    let second = chinese(&["run", "--config", &place[1], "--credentials", &place[3]]);
    assert_eq!(second.code, Some(5), "{}", second.err);
    let told = second.err.lines().find(|line| line.starts_with("错误：")).unwrap();
    assert_chinese(told);
    assert_eq!(daemon.terminate(), Some(0));
    fails(&journal(&["accept-loss", "--reason", "x"]), 5, &[&state]);
    fails(&journal(&["accept-move", "--reason", "x"]), 5, &[&state]);
    fails(&journal(&["accept-loss", "--reason", " "]), 2, &["journal.losses"]);
    fs::remove_file(machine.path("state/journal/lead")).unwrap();
    fails(&journal(&["dump"]), 1, &["损坏：", "journal/lead"]);
    fails(&chinese(&["serial", "send", "--yes", "00", "--config", &place[1]]), 5, &["隔离", "journal/lead"]);
    fs::remove_dir_all(machine.path("state/journal/db")).ok();
    fs::remove_file(machine.path("state/journal/db")).ok();
    // What sled says stands behind the Chinese, as it says it.
    let damaged = journal(&["dump"]);
    assert_eq!(damaged.code, Some(1));
    assert!(damaged.err.starts_with("损坏："), "{}", damaged.err);
}

#[test]
fn a_daemon_that_does_not_do_it_is_told_in_chinese() {
    let machine = Machine::new();
    let socket = machine.text("control.sock");
    let ask = |arguments: &[&str]| chinese(&[arguments, &["--socket", &socket]].concat());
    fails(&ask(&["status"]), 3, &[&socket, "systemctl status vend"]);
    fs::write(&socket, "no socket").unwrap();
    fails(&ask(&["status"]), 3, &[&socket]);
    fs::remove_file(&socket).unwrap();
    // Somebody else serves it.
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let liar = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while head.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
    });
    fails(&ask(&["status"]), 1, &[&socket, "systemctl restart vend"]);
    liar.join().unwrap();
    fs::remove_file(&socket).unwrap();
    let mut daemon = machine.daemon();
    for (arguments, code) in [
        (&["order", "show", "1:1"][..], 6),
        (&["order", "resolve", "1:1", "--as", "failed", "--reason", "x", "--yes"], 6),
        (&["report", "retry", "1:1"], 6),
        (&["slot", "restock", "999", "3"], 6),
        (&["slot", "restock", "5"], 5),
        (&["slot", "test", "999", "--yes"], 6),
        (&["call", "retry", "5"], 6),
        (&["call", "drop", "5", "--reason", "x"], 6),
        (&["difference", "ask", "1:1"], 6),
        (&["sale", "start", "--slot", "5"], 78),
        (&["sale", "cancel"], 5),
        (&["sale", "show"], 6),
        (&["board", "ask", "door"], 7),
    ] {
        fails(&ask(arguments), code, &[]);
    }
    // What its profile says that a board lacks is in the profile's words, below.
    let reset = ask(&["board", "reset"]);
    assert_eq!(reset.code, Some(6), "{}", reset.err);
    assert_chinese(reset.err.lines().next().unwrap());
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_line_a_file_or_a_network_that_is_not_there_is_told_in_chinese() {
    let machine = Machine::new();
    let text = |name: &str| machine.text(name);
    fails_there(&machine, &["mqtt", "ping"], 8, &["连接被拒绝", "vend doctor"]);
    let dispense = ["send", "dispense", "--order-id", "1", "--record-id", "1", "--code", "5"];
    fails_there(&machine, &dispense, 8, &["消息未送达", "连接被拒绝"]);
    fails_there(&machine, &["cloud", "ping"], 78, &["[cloud]", "url", "app_id"]);
    fails(&chinese(&["sign", "--key-file", "/nowhere/key"]), 78, &["/nowhere/key：不存在"]);
    fs::write(machine.path("empty"), "").unwrap();
    fails(&chinese(&["sign", "--key-file", &text("empty")]), 78, &["empty"]);
    fails(&chinese(&["sign", "--key-file", &text("app_key")]), 1, &["标准输入", "JSON"]);
    fails(&chinese(&["man", "--directory", "/nowhere/man"]), 1, &["/nowhere/man：不存在"]);
    fails(&chinese(&["clock", "--file", "/nowhere/word"]), 1, &["/nowhere/word", "不存在"]);
    fs::write(machine.path("bundle"), "").unwrap();
    fails(&chinese(&["support", "bundle", "--output", &text("bundle")]), 5, &["bundle：已存在"]);
    let simulate = |arguments: &[&str]| chinese(&[&["board", "simulate", "--profile", "tcn-00ff"], arguments].concat());
    fails(&simulate(&["--link", "/nowhere/port"]), 1, &["模拟板卡", "不存在"]);
    fails(&simulate(&["--log", "/nowhere/log"]), 1, &["/nowhere/log：不存在"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let songshu = |arguments: &[&str]| chinese(&[&["cloud", "simulate", "--kind", "songshu"], arguments].concat());
    fails(&songshu(&["--listen", &address]), 1, &[&address, "地址已被占用"]);
    fails(&songshu(&["--listen", "127.0.0.1:0", "--secret-file", "/nowhere/it"]), 78, &["/nowhere/it：不存在"]);
    fails(&songshu(&["--listen", "127.0.0.1:0", "--secret-file", &text("empty")]), 78, &["文件为空"]);
    let (pem, key) = (text("empty"), text("app_key"));
    fails(&songshu(&["--listen", "127.0.0.1:0", "--tls-certificate", &pem, "--tls-key", &key]), 78, &["其中没有证书"]);
    let from = ["setup", "--no-checks", "--from", "/nowhere/keys"];
    fails_there(&machine, &from, 6, &["/nowhere/keys：不存在"]);
    fs::write(machine.path("keys"), "[secrets]\nanother = \"x\"\n").unwrap();
    fails_there(&machine, &["setup", "--no-checks", "--from", &text("keys")], 78, &["[secrets] another", "app_key"]);
    fs::write(machine.path("keys"), "[secrets]\napp_key = \"\"\n").unwrap();
    fails_there(&machine, &["setup", "--no-checks", "--from", &text("keys")], 78, &["app_key：文件为空"]);
    let detect = ["board", "detect", "--port", "/nowhere/port", "--config", &text("vend.toml")];
    fails(&chinese(&detect), 6, &["/nowhere/port"]);
    fs::create_dir(machine.path("unreadable")).unwrap();
    fails(
        &chinese(&["board", "detect", "--port", &text("unreadable"), "--config", &text("vend.toml")]),
        7,
        &["是目录"],
    );
}

#[test]
fn a_cloud_that_answers_wrongly_is_told_in_chinese() {
    let machine = Machine::new();
    let file = machine.path("vend.toml");
    let cloud = "[cloud]\nurl = \"http://127.0.0.1:1\"\napp_id = \"ds069ed4223ac1660f\"\nverify_orders = \"never\"\n";
    let text = fs::read_to_string(&file).unwrap().replace("[cloud]\nverify_orders = \"never\"\n", cloud);
    fs::write(&file, text).unwrap();
    fails_there(&machine, &["cloud", "ping"], 78, &["app_secret：不存在"]);
    fs::write(machine.path("app_secret"), "hush\n").unwrap();
    fails_there(&machine, &["cloud", "ping"], 8, &["云端没有应答", "连接被拒绝"]);
    for (fault, code, wanted) in
        [("html", 8, "不是平台的 JSON"), ("status:502", 8, "HTTP 502"), ("half-body", 8, "不是平台的 JSON")]
    {
        let shop = open(Machine::new(), &["--fault", &format!("{fault}@all")]);
        let machine = &shop.machine;
        fails_there(machine, &["cloud", "machine"], code, &[wanted]);
    }
    // What the platform itself says is quoted as it says it, behind the meaning of its code.
    for (fault, code, wanted) in [
        ("unauthorized", 78, "云端不认可我们的凭据（401，代码 10013 "),
        ("code:6042", 5, "云端拒绝，代码 6042（订单已过期）："),
        ("code:6025", 8, "云端拒绝，代码 6025（平台认为机器离线）："),
    ] {
        let shop = open(Machine::new(), &["--fault", &format!("{fault}@all")]);
        let machine = &shop.machine;
        let place = machine.place();
        let place: Vec<&str> = place.iter().map(String::as_str).collect();
        let ended = chinese(&[&["cloud", "machine"][..], &place].concat());
        assert_eq!(ended.code, Some(code), "{}", ended.err);
        assert!(ended.err.contains(wanted), "{}", ended.err);
    }
    let shop = open(Machine::new(), &[]);
    let machine = &shop.machine;
    let create = ["cloud", "order", "create", "--yes", "--notify-url", "ftp://x", "--product", "121"];
    fails_there(machine, &create, 2, &["notify_url", "https://"]);
    let create = ["cloud", "order", "create", "--notify-url", "http://127.0.0.1:1/n", "--product", "121"];
    fails_there(machine, &create, 9, &["--yes"]);
    fails_there(machine, &["cloud", "order", "show", "1"], 6, &["没有此记录"]);
}

#[test]
fn what_a_status_and_a_course_quote_is_told_in_chinese() {
    let mosquitto = Mosquitto::start();
    let machine = Machine::with_broker(mosquitto.port(), "5");
    let file = machine.path("vend.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + "[report]\nallow_private_targets = true\nallow_plaintext = true\n").unwrap();
    let _board = board(&machine, &["--turn-time", "50"]);
    let mut daemon = machine.daemon();
    daemon.wait_for_log("commands can come");
    wait_for("the line is idle", || (machine.status()["line"] == "idle").then_some(()));
    let send = |order_id: &str, key: &str, url: &str| {
        let mut command = vend(["send", "dispense", "--record-id", "1", "--order-id", order_id, "--code", "3"]);
        fs::write(machine.path("app_key"), key).unwrap();
        command.args(machine.place()).args(["--notify-url", url]);
        let sent = run(command);
        assert_eq!(sent.code, Some(0), "{}", sent.err);
    };
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    send("60", "another\n", "http://127.0.0.1:1/");
    send("61", "kva\n", &format!("http://{closed}/"));
    let tool = |arguments: &[&str]| machine.tool(&[&["--lang", "zh"], arguments].concat()).out;
    let course = wait_for("a try that failed", || {
        let course = tool(&["order", "show", "61:1"]);
        course.lines().any(|line| line.contains("连接被拒绝")).then_some(course)
    });
    for line in course.lines().filter(|line| line.contains("\t上报\t")) {
        assert_eq!(english_words(line), [""; 0], "{line}");
    }
    let status = wait_for("a message that was turned away", || {
        let status = tool(&["status"]);
        status.contains("最近拒收").then_some(status)
    });
    let rejected = status.lines().find(|line| line.starts_with("最近拒收")).unwrap();
    assert_chinese(rejected);
    assert!(rejected.contains("签名有误"), "{rejected}");
    // JSON says it in both, and scripts find what they know.
    let entry = &machine.status()["rejected"][0];
    assert!(entry["why"].as_str().unwrap().starts_with("the signature is wrong"), "{entry}");
    assert!(entry["why_zh"].as_str().unwrap().starts_with("签名有误"), "{entry}");
    assert_eq!(daemon.terminate(), Some(0));
}
