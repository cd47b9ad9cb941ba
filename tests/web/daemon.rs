//! The real daemon and its pages.

use crate::browser::Browser;
use crate::support::{MACHINE_NO, Machine, Process, wait_for};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use vend::doctor::Check;

/// Adds this to the machine's configuration.
fn with_web(machine: &Machine, section: &str) {
    let path = machine.path("vend.toml");
    let text = fs::read_to_string(&path).unwrap();
    let before = text.split("[web]").next().unwrap();
    fs::write(&path, format!("{before}[web]\n{section}\n")).unwrap();
}

/// Where the log says that the pages are.
fn port(daemon: &Process) -> u16 {
    wait_for("the pages", || {
        let log = daemon.log();
        log.split("the pages are at http://127.0.0.1:").nth(1)?.split('/').next()?.parse().ok()
    })
}

#[test]
fn nothing_listens_unless_the_configuration_says_where() {
    let machine = Machine::new();
    let daemon = machine.daemon();
    assert_eq!(listening(&daemon), 0);
    drop(daemon);
    with_web(&machine, "listen = \"127.0.0.1:0\"");
    let daemon = machine.daemon();
    let port = port(&daemon);
    assert_eq!(listening(&daemon), 1);
    let answer = asked(port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\nboard\n"), "no board: {answer}");
}

/// What the pages' listener answers.
fn asked(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_core_itself_answers_the_screen_and_refuses_a_sale_where_nothing_is_sold() {
    let machine = Machine::new();
    with_web(&machine, "listen = \"127.0.0.1:0\"");
    let daemon = machine.daemon();
    let port = port(&daemon);
    let document = |answer: String| {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].to_owned(), serde_json::from_str::<serde_json::Value>(body).unwrap())
    };
    let (code, screen) = document(asked(port, "GET /api/screen HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(
        (&*code, &screen["machine_no"], &screen["service"]),
        ("200", &MACHINE_NO.into(), &"out_of_order".into())
    );
    assert_eq!((&screen["offers"], &screen["sale"]), (&serde_json::json!([]), &serde_json::Value::Null));
    let post = |path: &str, body: &str| {
        let length = body.len();
        document(asked(
            port,
            &format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            ),
        ))
    };
    let (code, refused) = post("/api/sale", "{\"address\":1,\"slot\":5}");
    assert_eq!((&*code, &refused["sale"], &refused["text"]), ("409", &"not_configured".into(), &"not_now".into()));
    let (code, refused) = post("/api/sale/cancel", "{}");
    assert_eq!((&*code, &refused["text"]), ("409", &"too_late_to_cancel".into()));
    assert_eq!(post("/api/sale", "{\"slot\":\"5\"}").0, "400");
    assert_eq!(document(asked(port, &get("/api/order?order_id=80001&record_id=1"))).0, "404");
    for path in ["/api/status", "/api/orders", "/api/slots", "/api/frames", "/api/doctor"] {
        let (code, told) = document(asked(port, &get(path)));
        assert_eq!((&*code, &told["schema_version"]), ("200", &1.into()), "{path}");
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[test]
fn the_page_finds_with_the_doctor_what_the_tool_finds_but_for_what_is_seen_from_beside_only() {
    let machine = Machine::new();
    with_web(&machine, "listen = \"127.0.0.1:0\"");
    let daemon = machine.daemon();
    let port = port(&daemon);
    let body = |answer: String| -> serde_json::Value {
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let post = "POST /api/doctor HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 2\r\n\r\n{}";
    assert_eq!(body(asked(port, post))["looking"], true);
    // The core goes on meanwhile.
    assert_eq!(machine.status()["phase"], "running");
    let found = wait_for("what the doctor found", || {
        let told = body(asked(port, &get("/api/doctor")));
        (told["looking"] == false).then_some(told)
    });
    assert_eq!(found["error"], serde_json::Value::Null, "{found}");
    let states = |report: &serde_json::Value| -> Vec<(String, String)> {
        let word = |it: &serde_json::Value| it.as_str().unwrap().to_owned();
        report["findings"].as_array().unwrap().iter().map(|it| (word(&it["id"]), word(&it["state"]))).collect()
    };
    let mut tool = crate::support::vend(["doctor", "--json"]);
    tool.args(machine.place());
    let by_tool = states(&crate::support::run(tool).documents()[0]);
    let by_page = states(&found["report"]);
    let outside: Vec<&str> = Check::OUTSIDE_ONLY.iter().map(|check| check.entry().id).collect();
    assert!(by_page.iter().all(|(id, _)| !outside.contains(&id.as_str())), "{by_page:?}");
    assert_eq!(by_page.len() + outside.len(), by_tool.len());
    let state = |id: &str| by_page.iter().find(|(other, _)| other == id).map(|(_, state)| state.as_str());
    assert_eq!(
        [state("S7"), state("D6"), state("P1"), state("N3")],
        [Some("ok"), Some("ok"), Some("failed"), Some("failed")]
    );
    assert!(by_tool.contains(&("P1".to_owned(), "failed".to_owned())), "{by_tool:?}");
    // No secret comes with it.
    assert!(!found.to_string().contains("kva"), "{found}");
}

/// How many TCP sockets of this process listen, as the kernel counts them.
fn listening(daemon: &Process) -> usize {
    let pid = daemon.pid();
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .collect();
    let tables =
        ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines());
    let listens = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // State 0A is LISTEN; the tenth word is the inode.
        words.get(3) == Some(&"0A") && words.get(9).is_some_and(|inode| sockets.contains(&format!("socket:[{inode}]")))
    };
    lines.filter(listens).count()
}

#[test]
fn a_screen_comes_back_by_itself_after_the_daemon_was_gone() {
    let machine = Machine::new();
    with_web(&machine, "listen = \"127.0.0.1:0\"");
    let mut daemon = machine.daemon();
    let port = port(&daemon);
    let mut browser = Browser::start(360, 640);
    browser.open(&format!("http://127.0.0.1:{port}/"));
    // Its board is not there.
    browser.wait_for_text("Out of order");
    browser.wait_for_text(MACHINE_NO);
    browser.is_content();
    daemon.terminate();
    browser.wait_for_text("No connection to the machine");
    with_web(&machine, &format!("listen = \"127.0.0.1:{port}\""));
    let _daemon = machine.daemon();
    browser.wait("document.getElementById('offline').hidden");
    browser.wait_for_text("Out of order");
}

#[test]
fn a_port_that_somebody_else_has_is_told_and_the_vend_goes_on() {
    let machine = Machine::new();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    with_web(&machine, &format!("listen = \"{}\"", other.local_addr().unwrap()));
    let mut daemon = machine.daemon();
    daemon.wait_for_log("the pages cannot be served");
    assert_eq!(machine.status()["phase"], "running");
    assert_eq!(daemon.terminate(), Some(0));
}
