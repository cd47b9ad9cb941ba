//! The socket: what it answers, and what cannot disturb it.

use crate::support::{MACHINE_NO, Machine, run, vend, wait_for};
use rustix::process::Signal;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::Duration;

/// Longer than the daemon lets any client hang.
const GENEROUS: Duration = Duration::from_secs(60);

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    stream
}

/// Sends bytes and reads to the end.
fn http(machine: &Machine, request: &str) -> String {
    let mut stream = connect(&machine.path("control.sock"));
    // The daemon may have refused, and closed, before it has read all.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn body(answer: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    serde_json::from_str(body).unwrap()
}

#[test]
fn the_socket_answers_plain_http_and_refuses_the_rest_in_json() {
    let machine = Machine::new();
    let _daemon = machine.daemon();
    let status = http(&machine, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(status.starts_with("HTTP/1.1 200 "), "{status}");
    let status = body(&status);
    assert_eq!((&status["schema_version"], &status["machine_no"]), (&1.into(), &MACHINE_NO.into()));
    assert_eq!((&status["board"], &status["line"]), (&"tcn-00ff".into(), &"closed".into()));
    let orders = body(&http(&machine, "GET /v1/orders HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_eq!(orders, serde_json::json!({ "schema_version": 1, "orders": [] }));

    let long = "x".repeat(5_000);
    for (request, wanted) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "404"),
        ("GET /v1/status/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "404"),
        ("POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".to_owned(), "405"),
        (format!("GET /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{long}"), "413"),
    ] {
        let answer = http(&machine, &request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {wanted} ")), "{answer}");
        let refusal = body(&answer);
        assert!(refusal["error"].is_string() && refusal["schema_version"] == 1, "{refusal}");
        assert_eq!(answer.to_lowercase().contains("allow: get"), wanted == "405", "{answer}");
    }
    let head = format!("GET /v1/status HTTP/1.1\r\nHost: x\r\nX: {long}{long}\r\n\r\n");
    assert!(http(&machine, &head).starts_with("HTTP/1.1 431 "));
    assert!(http(&machine, "\x16\x03\x01 nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    assert_eq!(machine.status()["phase"], "running");
}

#[test]
fn clients_that_hang_give_their_places_back_and_a_flood_passes() {
    let machine = Machine::new();
    let mut daemon = machine.daemon();
    for _ in 0..100 {
        let _ = connect(&machine.path("control.sock")).write_all(b"GET /v1/st");
    }
    let mut hanging: Vec<UnixStream> = (0..8).map(|_| connect(&machine.path("control.sock"))).collect();
    hanging[0].write_all(b"GET /v1/status HTTP/1.1\r\nHost:").unwrap();
    hanging[1].write_all(b"GET /v1/status HTTP/1.1\r\nContent-Length: 9\r\n\r\n").unwrap();
    // All places are taken; this one waits for the first of them.
    assert_eq!(machine.tool(&["status"]).code, Some(0));
    for mut stream in hanging {
        let mut rest = Vec::new();
        assert!(stream.read_to_end(&mut rest).is_ok(), "the daemon never let go of it");
    }
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn the_socket_is_for_user_and_group_and_goes_with_its_daemon() {
    let machine = Machine::new();
    let mut daemon = machine.daemon();
    let socket = machine.path("control.sock");
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o7777, 0o660);
    assert_eq!(daemon.terminate(), Some(0), "{}", daemon.log());
    assert!(!socket.exists());
}

#[test]
fn the_socket_of_a_killed_daemon_is_replaced() {
    let machine = Machine::new();
    let mut daemon = machine.daemon();
    daemon.signal(Signal::KILL);
    daemon.wait();
    let socket = machine.path("control.sock");
    let stale = fs::metadata(&socket).unwrap();
    assert!(stale.file_type().is_socket());
    assert_eq!(machine.tool(&["status"]).code, Some(3));
    let _daemon = machine.daemon();
    assert_eq!(machine.status()["phase"], "running");
}

/// A daemon that goes on without its socket: it says so, and still ends cleanly.
fn goes_on_without(machine: &Machine, why: &str) {
    let mut daemon = machine.start();
    daemon.wait_for_log("no control socket");
    assert!(daemon.log().contains(why), "{}", daemon.log());
    assert!(daemon.is_running());
    assert_eq!(daemon.terminate(), Some(0), "{}", daemon.log());
}

#[test]
fn a_daemon_goes_on_without_a_socket_that_another_process_serves() {
    let machine = Machine::new();
    let other = UnixListener::bind(machine.path("control.sock")).unwrap();
    goes_on_without(&machine, "another process answers there");
    drop(other);
    assert!(machine.path("control.sock").exists(), "it was not ours to remove");
}

#[test]
fn a_daemon_goes_on_without_a_socket_and_leaves_what_is_in_its_place() {
    let machine = Machine::new();
    fs::write(machine.path("control.sock"), "precious").unwrap();
    goes_on_without(&machine, "no socket");
    assert_eq!(fs::read_to_string(machine.path("control.sock")).unwrap(), "precious");
}

#[test]
fn a_daemon_goes_on_without_a_socket_whose_path_is_too_long_or_leads_nowhere() {
    for (socket, why) in [("x".repeat(120), "at most 107"), ("nowhere/control.sock".to_owned(), "No such file")] {
        let machine = Machine::new();
        let config = fs::read_to_string(machine.path("vend.toml")).unwrap();
        fs::write(machine.path("vend.toml"), config.replace("control.sock", &socket)).unwrap();
        goes_on_without(&machine, why);
    }
}

#[test]
fn a_second_daemon_on_the_same_state_is_refused_and_leaves_the_first_its_socket() {
    let machine = Machine::new();
    let _first = machine.daemon();
    let mut command = vend(["run"]);
    command.args(machine.place());
    let second = run(command);
    assert_eq!(second.code, Some(5), "{}", second.err);
    assert!(second.err.contains("in use"), "{}", second.err);
    assert_eq!(machine.status()["phase"], "running");
}

#[test]
fn without_a_daemon_the_tool_ends_with_3_and_names_socket_and_unit() {
    let machine = Machine::new();
    for (lang, word) in [("en", "no daemon"), ("zh", "守护进程")] {
        for command in [["status"].as_slice(), &["order", "list"]] {
            let mut arguments = vec!["--lang", lang];
            arguments.extend(command);
            let ended = machine.tool(&arguments);
            assert_eq!((ended.code, ended.out.as_str()), (Some(3), ""));
            for part in [word, &machine.text("control.sock"), "systemctl status vend"] {
                assert!(ended.err.contains(part), "{part}: {}", ended.err);
            }
        }
    }
}

#[test]
fn a_user_outside_the_group_is_told_so_with_4() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can be somebody else");
        return;
    }
    let machine = Machine::new();
    let _daemon = machine.daemon();
    fs::set_permissions(machine.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = vend(["status", "--socket", &machine.text("control.sock")]);
    // The last ids: whoever has them, it is not us.
    command.uid(65_533).gid(65_533);
    let output = match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            eprintln!("SKIPPED: others cannot run the binary where it was built");
            return;
        }
        output => output.unwrap(),
    };
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{err}");
    assert!(err.contains("control.sock") && err.contains("group"), "{err}");
}

#[test]
fn a_daemon_that_hangs_or_speaks_otherwise_is_no_daemon_of_ours() {
    let machine = Machine::new();
    let listener = UnixListener::bind(machine.path("control.sock")).unwrap();
    let answer = |text: &'static str| {
        let listener = listener.try_clone().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1_024];
            let _ = stream.read(&mut request).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            stream.write_all(head.as_bytes()).unwrap();
        })
    };
    for (text, why) in [("{\"schema_version\":2}", "version 2"), ("{\"schema_version\":1}", "missing"), ("no", "read")]
    {
        let server = answer(text);
        let ended = machine.tool(&["status"]);
        server.join().unwrap();
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(ended.err.contains(why) && ended.err.contains("systemctl restart vend"), "{}", ended.err);
    }
    // Nobody accepts this one.
    let ended = machine.tool(&["status"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("no answer within"), "{}", ended.err);
}

#[test]
fn the_status_is_one_screen_in_words_in_both_languages_and_forms() {
    let machine = Machine::new();
    let _daemon = machine.daemon();
    // The first commit, a broker that is not there and a port that is not there.
    let status = wait_for("all that is wrong", || {
        let status = machine.status();
        let events = status["recent"].to_string();
        (status["phase"] == "running" && events.contains("port")).then_some(status)
    });
    assert_eq!(status["schema_version"], 1);
    let plain = machine.tool(&["status", "--plain"]);
    assert_eq!((plain.code, plain.err.as_str()), (Some(0), ""));
    assert!(plain.out.lines().all(|line| line.split('\t').count() == 2), "{}", plain.out);
    for line in ["machine\t16327129", "phase\trunning", "broker\taway", "line\tclosed", "time trusted\tyes"] {
        assert!(plain.out.contains(line), "{line}: {}", plain.out);
    }
    assert!(plain.out.lines().count() < 24, "more than a screen:\n{}", plain.out);
    assert!(!plain.out.contains('\x1b'));
    let chinese = machine.tool(&["--lang", "zh", "status", "--plain"]).out;
    assert!(chinese.contains("阶段\t运行中") && chinese.contains("未连接"), "{chinese}");
    let orders = machine.tool(&["order", "list", "--json"]);
    assert_eq!(orders.documents(), [serde_json::json!({ "schema_version": 1, "orders": [] })]);
    assert_eq!(machine.tool(&["order", "list", "--plain"]).out, "");
}
