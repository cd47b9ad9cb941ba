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
    assert_eq!(orders, serde_json::json!({ "schema_version": 1, "orders": [], "settled": [] }));

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
    let answer = http(&machine, "GET /v1/service HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.to_lowercase().contains("allow: post"), "{answer}");
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
    assert_eq!(orders.documents(), [serde_json::json!({ "schema_version": 1, "orders": [], "settled": [] })]);
    assert_eq!(machine.tool(&["order", "list", "--plain"]).out, "");
}

fn post(machine: &Machine, service: &str) -> (String, serde_json::Value) {
    let head = format!("POST /v1/service HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", service.len());
    let answer = http(machine, &format!("{head}{service}"));
    (answer[..12].to_owned(), body(&answer))
}

#[test]
fn a_service_that_cannot_be_served_is_refused_with_its_reason() {
    let machine = Machine::new();
    let _daemon = machine.daemon();
    // The port is not there.
    for (service, status, why) in [
        (r#"{"service":"climate","address":1}"#, "HTTP/1.1 503", "away"),
        (r#"{"service":"reset","address":1}"#, "HTTP/1.1 501", "not_offered"),
        (r#"{"service":"slot_state","address":1,"slot":5}"#, "HTTP/1.1 503", "away"),
        (r#"{"service":"slot_state","address":1,"slot":81}"#, "HTTP/1.1 501", "not_offered"),
    ] {
        let (told, refusal) = post(&machine, service);
        assert_eq!((told.as_str(), &refusal["why"]), (status, &why.into()), "{service}: {refusal}");
        assert_eq!(refusal["lacks"].is_array(), why == "not_offered", "{refusal}");
    }
    let long = format!("{{\"service\":\"{}\"}}", "x".repeat(5_000));
    for (service, status) in [
        ("", "HTTP/1.1 400"),
        (r#"{"service":"motor","address":1}"#, "HTTP/1.1 400"),
        (r#"{"service":"hold","address":1,"mode":"heat","target_c":90}"#, "HTTP/1.1 400"),
        (long.as_str(), "HTTP/1.1 413"),
    ] {
        let (told, refusal) = post(&machine, service);
        assert_eq!(told, status, "{refusal}");
        assert!(refusal["error"].is_string() && refusal["why"].is_null(), "{refusal}");
    }
    assert_eq!(machine.status()["phase"], "running");
}

#[test]
fn the_tool_tells_why_the_board_was_not_asked_in_both_languages() {
    let machine = Machine::new();
    for command in [["board", "ask", "door"].as_slice(), &["board", "reset"]] {
        assert_eq!(machine.tool(command).code, Some(3), "no daemon");
    }
    let _daemon = machine.daemon();
    for (command, code, en, zh) in [
        (["board", "ask", "climate"].as_slice(), 7, "its port is closed", "串口未打开"),
        (&["board", "ask", "slot", "5", "--addr", "8"], 7, "its port is closed", "串口未打开"),
        (&["board", "switch", "fan", "on"], 6, "no such question", "没有此项"),
        (&["board", "hold", "cool", "4"], 7, "its port is closed", "串口未打开"),
    ] {
        for (lang, words) in [("en", en), ("zh", zh)] {
            let ended = machine.tool(&[command, &["--lang", lang]].concat());
            assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{command:?}: {}", ended.err);
            assert!(ended.err.contains(words), "{command:?}: {}", ended.err);
        }
    }
    for senseless in [
        ["board", "ask", "weather"].as_slice(),
        &["board", "ask", "slot"],
        &["board", "ask", "door", "--addr", "9"],
        &["board", "switch", "motor", "on"],
        &["board", "hold", "cool"],
        &["board", "hold", "heat", "71"],
    ] {
        assert_eq!(machine.tool(senseless).code, Some(2), "{senseless:?}");
    }
}

#[test]
fn a_member_of_the_group_may_look_and_not_act() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can be somebody else");
        return;
    }
    let machine = Machine::new();
    let daemon = machine.daemon();
    fs::set_permissions(machine.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let others = |arguments: &[&str]| {
        let mut command = vend(arguments);
        // Nobody's user in the socket's own group.
        command.args(["--socket", &machine.text("control.sock")]).uid(65_533).gid(0);
        match command.output() {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => None,
            output => output.map(|o| (o.status.code(), String::from_utf8(o.stderr).unwrap())).ok(),
        }
    };
    let Some((code, err)) = others(&["board", "ask", "climate"]) else {
        eprintln!("SKIPPED: others cannot run the binary where it was built");
        return;
    };
    assert_eq!(code, Some(7), "asked, and the port is not there: {err}");
    for command in [["board", "switch", "light", "on"].as_slice(), &["board", "hold", "off"], &["board", "reset"]] {
        let (code, err) = others(command).unwrap();
        assert_eq!(code, Some(4), "{command:?}: {err}");
        assert!(err.contains("root") && err.contains("sudo"), "{err}");
    }
    daemon.wait_for_log("act_refused");
    assert!(daemon.log().contains("uid=65533"), "{}", daemon.log());
}

#[test]
fn a_profile_says_which_services_its_family_offers() {
    for (profile, services) in [
        ("tcn-00ff", "ask climate; ask door; ask self-check; ask slot; hold; switch light; switch glass-heater"),
        ("xy-v3", "ask climate; ask door; ask self-check; ask slot; hold; reset"),
        ("uling-zdm8", "ask climate; ask door; ask self-check; reset"),
        ("lock-8a", "ask slot"),
    ] {
        let shown = run(vend(["board", "show", profile, "--plain"]));
        let row = format!("services\tcan be asked and switched\t{services}\n");
        assert!(shown.out.contains(&row), "{profile}: {}", shown.out);
    }
    let shown = run(vend(["board", "show", "adh814", "--json"]));
    assert_eq!(shown.documents()[0]["services"], serde_json::json!(["ask climate", "hold"]));
}
