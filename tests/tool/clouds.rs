//! `vend cloud simulate --kind`: the other order clouds, for a person with curl.

use crate::support::{Machine, Process, vend};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

/// The answer to one request, head and body.
fn ask(url: &str, method: &str, path: &str, headers: &str, body: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn start(machine: &Machine, kind: &str, arguments: &[&str]) -> (Process, String) {
    let mut command = vend(["cloud", "simulate", "--listen", "127.0.0.1:0", "--kind", kind]);
    command.args(arguments).stdout(Stdio::piped());
    let mut cloud = Process::spawn(command, machine.path(kind));
    let mut url = String::new();
    BufReader::new(cloud.take_stdout()).read_line(&mut url).unwrap();
    assert!(url.starts_with("http://"), "{}", cloud.log());
    (cloud, url.trim().to_owned())
}

#[test]
fn a_person_sells_at_each_cloud_says_what_is_paid_and_logs_everyone_out_without_a_configuration() {
    let machine = Machine::new();
    let (course, url) = start(&machine, "course", &["--slot", "5=3.50"]);
    let made = ask(&url, "POST", "/orders/create?album_id=2", "", "");
    assert!(made.contains(r#""amount":"3.50""#) && made.contains(r#""status":0"#), "{made}");
    assert!(ask(&url, "POST", "/paid", "", "5").ends_with("ok\n"), "{}", course.log());
    assert!(ask(&url, "GET", "/orders/get?id=5", "", "").contains(r#""pay_status":"2""#));
    assert!(ask(&url, "POST", "/paid", "", "77").starts_with("HTTP/1.1 404"));

    fs::write(machine.path("password"), "hush\n").unwrap();
    let (_mall, url) = start(&machine, "mall", &["--secret-file", &machine.text("password"), "--fault", "html"]);
    let order = || ask(&url, "POST", "/orders", "", r#"{"shippingId":6806}"#);
    assert!(order().contains("<!DOCTYPE html>"), "the fault meets the first call");
    assert!(order().contains(r#""status":10"#));
    let inside = ask(&url, "POST", "/user/login", "", r#"{"username":"vend","password":"hush"}"#);
    let cookie = inside.split("Set-Cookie: ").nth(1).unwrap().split(';').next().unwrap();
    let cookie = format!("Cookie: {cookie}\r\n");
    assert!(ask(&url, "POST", "/orders", &cookie, r#"{"shippingId":6806}"#).contains("orderItemVoList"));
    assert!(ask(&url, "POST", "/log-out", "", "").ends_with("ok\n"));
    assert!(ask(&url, "POST", "/orders", &cookie, r#"{"shippingId":6806}"#).contains(r#""status":10"#));

    let (mut songshu, url) = start(&machine, "songshu", &["--secret-file", &machine.text("password")]);
    let told = ask(&url, "POST", "/v1/wx5/order/60", "", "{}");
    assert!(told.contains(r#""errcode":40100"#), "{told}");
    assert_eq!(songshu.terminate(), Some(0), "{}", songshu.log());
    assert!(songshu.log().contains("POST /v1/wx5/order/60 -> 200 errcode 40100"), "{}", songshu.log());
}

#[test]
fn a_secret_file_that_cannot_be_read_is_told_before_anything_listens() {
    let machine = Machine::new();
    let mut command = vend(["cloud", "simulate", "--kind", "mall", "--listen", "127.0.0.1:0", "--secret-file"]);
    command.arg(machine.path("none"));
    let ended = crate::support::run(command);
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    assert!(ended.err.contains("none"), "{}", ended.err);
}
