//! `vend cloud`: every call against the stand-in, over HTTP and TLS, with faults; and a whole sale with a real agent.

use crate::certificates::Ca;
use crate::mosquitto::Mosquitto;
use crate::support::{Ended, Machine, Process, run, vend, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use vend::io::http::server::{self, Answer, Request};

/// Where nobody is told anything: port 1 refuses.
const NOBODY: &str = "http://127.0.0.1:1/n";

/// A machine, and its platform.
pub struct Shop {
    pub machine: Machine,
    platform: Process,
    url: String,
}

/// Starts `vend cloud simulate` on a free port and points the machine's configuration at it.
pub fn open(machine: Machine, arguments: &[&str]) -> Shop {
    let config = fs::read_to_string(machine.path("vend.toml")).unwrap();
    let write = |cloud: &str| {
        let cloud = format!("[cloud]\n{cloud}\napp_id = \"ds069ed4223ac1660f\"\nverify_orders = \"never\"\n");
        fs::write(machine.path("vend.toml"), config.replace("[cloud]\nverify_orders = \"never\"\n", &cloud)).unwrap();
    };
    // The port is not known yet, and the stand-in does not look at the url.
    write("url = \"http://127.0.0.1:1\"");
    fs::write(machine.path("app_secret"), "hush\n").unwrap();
    let mut command = vend(["cloud", "simulate", "--listen", "127.0.0.1:0"]);
    command.args(machine.place()).args(arguments).stdout(Stdio::piped());
    let mut platform = Process::spawn(command, machine.path("platform"));
    let mut url = String::new();
    BufReader::new(platform.take_stdout()).read_line(&mut url).unwrap();
    let url = url.trim().to_owned();
    assert!(!url.is_empty(), "{}", platform.log());
    match url.strip_prefix("https://127.0.0.1:") {
        Some(port) => write(&format!("url = \"https://localhost:{port}\"\nca_file = \"ca.pem\"")),
        None => write(&format!("url = \"{url}\"")),
    }
    Shop { machine, platform, url }
}

impl Shop {
    fn call(&self, arguments: &[&str]) -> Ended {
        let mut command = vend(["cloud"]);
        command.args(arguments).args(self.machine.place());
        run(command)
    }

    /// The document of a call that succeeds.
    fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.call(&[arguments, &["--json"]].concat());
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{arguments:?}");
        let document = ended.documents().remove(0);
        assert_eq!(document["schema_version"], 1);
        document
    }

    /// The number of an order for one unit of each.
    fn order(&self, products: &[&str], notify_url: &str) -> String {
        let products = products.iter().flat_map(|product| ["--product", product]);
        let arguments: Vec<&str> =
            ["order", "create", "--yes", "--notify-url", notify_url].into_iter().chain(products).collect();
        let created = self.json(&arguments);
        assert_eq!(created["trade_id"].as_str().unwrap().len(), 24);
        created["order_id"].as_str().unwrap().to_owned()
    }

    fn status(&self, order: &str, record: usize) -> Value {
        self.json(&["order", "show", order])["records"][record]["status"].clone()
    }

    /// A request to the stand-in's own door.
    fn faults(&self, method: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        let length = body.len();
        write!(stream, "{method} /faults HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    }
}

#[test]
fn every_call_is_answered_by_the_stand_in_and_nothing_is_changed_unasked() {
    let shop = open(Machine::new(), &["--slot", "5=3.50", "--slot", "6"]);
    assert_eq!(shop.call(&["ping"]).out, "the cloud knows us: url, credentials and key are right\n");
    assert_eq!(shop.json(&["machines"])["machines"][0]["machine_no"], "16327129");
    assert_eq!(shop.json(&["machine"])["machine_type"], "1");
    assert_eq!(shop.call(&["categories"]).out, "1\tstand-in\t100\tyes\n");
    assert_eq!(shop.call(&["banners"]).out, "");
    assert_eq!(
        shop.call(&["products"]).out,
        "121\tA5\t5\t1\tslot 5\t3.50\t10/10\n122\tA6\t6\t1\tslot 6\t1.00\t10/10\n"
    );
    assert_eq!(shop.call(&["products", "--addr", "2"]).out, "");
    assert_eq!(shop.json(&["channels"])["channels"][0]["floor_status"], "1");

    let order = shop.order(&["121=2", "122"], NOBODY);
    let shown = shop.json(&["order", "show", &order]);
    assert_eq!((&shown["status"], &shown["amount_fen"]), (&"NOTPAY".into(), &800.into()));
    let record = shown["records"][0]["record_id"].as_str().unwrap().to_owned();
    assert_eq!(shop.json(&["products"])["products"][0]["current_inventory"], 8);
    for changing in [
        ["order", "pay", &order].as_slice(),
        &["order", "cancel", &order],
        &["dispense", &order, &record],
        &["test-channel", "A5", "--notify-url", NOBODY],
        &["pickup", "create", "--product", "121"],
        &["pickup", "cancel", "--all"],
        &["pickup", "consume", "123456", "--product", "121", "--notify-url", NOBODY],
        &["restock", "--full"],
        &["order", "create", "--product", "121", "--notify-url", NOBODY],
    ] {
        let refused = shop.call(changing);
        assert_eq!((refused.code, refused.out.as_str()), (Some(9), ""), "{changing:?} {}", refused.err);
        assert!(refused.err.contains("--yes"), "{}", refused.err);
    }
    assert_eq!(shop.json(&["order", "show", &order]), shown, "nothing was changed unasked");

    let unpaid = shop.call(&["dispense", &order, &record, "--yes"]);
    assert_eq!(unpaid.code, Some(5), "{}", unpaid.err);
    assert!(unpaid.err.contains("6054") && unpaid.err.contains("订单未支付"), "{}", unpaid.err);
    assert_eq!(shop.call(&["order", "pay", &order, "--yes"]).out, format!("order {order} is paid\n"));
    assert_eq!(shop.call(&["order", "pay", &order, "--yes"]).code, Some(5));
    let sent = shop.json(&["dispense", &order, &record, "--yes"]);
    let delivery = sent["delivery_id"].as_str().unwrap();
    assert_eq!(shop.json(&["delivery", "show", delivery])["status"], "未取货或正在出货");
    assert!(shop.call(&["delivery", "show", delivery]).out.contains("\twaiting or being dispensed\t"));
    assert!(
        run({
            let mut zh = vend(["--lang", "zh", "cloud", "order", "show", &order]);
            zh.args(shop.machine.place());
            zh
        })
        .out
        .contains("已支付")
    );

    shop.json(&[
        "pickup",
        "create",
        "--product",
        "121",
        "--count",
        "2",
        "--length",
        "8",
        "--expires",
        "2099-12-31 23:59:59",
        "--yes",
    ]);
    let codes = shop.json(&["pickup", "list", "--product", "121"]);
    let code = codes["pickup_codes"][0]["code"].as_str().unwrap();
    assert_eq!((code.len(), &codes["pickup_codes"][0]["expired_at"]), (8, &"2099-12-31 23:59:59".into()));
    let consume = ["pickup", "consume", code, "--product", "121", "--notify-url", NOBODY, "--yes"];
    let bought = shop.json(&consume);
    assert_eq!(bought["status"], "PICKUPCODE");
    let used = shop.call(&consume);
    assert_eq!(used.code, Some(5));
    let order_id = bought["order_id"].as_str().unwrap();
    assert!(used.err.contains(&format!("the code became order {order_id}")), "{}", used.err);
    let number = codes["pickup_codes"][1]["id"].to_string();
    shop.json(&["pickup", "cancel", &number, "--yes"]);
    assert_eq!(shop.call(&["pickup", "cancel", &number, "--yes"]).code, Some(6));
    shop.json(&["restock", "--product", "121", "--added", "3", "--yes"]);
    let over = shop.call(&["restock", "--product", "121", "--added", "1", "--yes"]);
    assert_eq!(over.code, Some(5), "a failure with code 0: {}", over.err);
    shop.json(&["restock", "--full", "--yes"]);
    shop.json(&["order", "cancel", &shop.order(&["122"], NOBODY), "--yes"]);

    assert_eq!(shop.call(&["order", "show", "7"]).code, Some(6));
    assert_eq!(shop.call(&["delivery", "show", "7"]).code, Some(6));
    for senseless in [
        ["order", "show", "a b"].as_slice(),
        &["order", "create", "--product", "0", "--notify-url", NOBODY, "--yes"],
        &["order", "create", "--product", "121", "--product", "121", "--notify-url", NOBODY, "--yes"],
        &["order", "create", "--product", "121", "--notify-url", "nowhere", "--yes"],
        &["pickup", "consume", "12345", "--product", "121", "--notify-url", NOBODY, "--yes"],
        &["pickup", "create", "--product", "121", "--length", "5", "--yes"],
        &["restock", "--full", "--product", "121", "--added", "1", "--yes"],
        &["restock", "--product", "121", "--yes"],
        &["products", "--cabinet", "A", "--addr", "1"],
    ] {
        assert_eq!(shop.call(senseless).code, Some(2), "{senseless:?}");
    }
    let log = shop.platform.log();
    assert!(log.contains("POST /api/openapi/v1/deliveries method=device.delivery.put"), "{log}");
    for secret in ["hush", "kva", code, "sign"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
fn on_a_terminal_a_change_waits_for_a_yes() {
    let shop = open(Machine::new(), &["--slot", "5"]);
    for (typed, code) in [("no\n", 9), ("\n", 9), ("yes\n", 0)] {
        let ours = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).unwrap();
        rustix::pty::grantpt(&ours).unwrap();
        rustix::pty::unlockpt(&ours).unwrap();
        let name = rustix::pty::ptsname(&ours, Vec::new()).unwrap();
        let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        // The terminal keeps the line until somebody reads it.
        File::from(ours.try_clone().unwrap()).write_all(typed.as_bytes()).unwrap();
        let mut command = vend(["cloud", "restock", "--full"]);
        command.args(shop.machine.place()).stdin(theirs);
        let ended = run(command);
        assert_eq!(ended.code, Some(code), "{typed:?}: {}", ended.err);
        assert!(ended.err.starts_with("the platform takes every slot for full. Type yes to go on: "), "{}", ended.err);
    }
    let asked = shop.platform.log().matches("/replenishments").count();
    assert_eq!(asked, 1, "only the yes reached the platform");
}

#[test]
fn faults_come_on_demand_and_each_ends_with_its_code() {
    let mut shop = open(Machine::new(), &["--digits", "five", "--fault", "html", "--fault", "code:40006@2"]);
    let ping = |shop: &Shop| shop.call(&["ping"]);
    let html = ping(&shop);
    assert!(html.code == Some(8) && html.err.contains("<!DOCTYPE html>"), "{}", html.err);
    assert_eq!([ping(&shop).code, ping(&shop).code, ping(&shop).code], [Some(5), Some(5), Some(0)]);
    for (fault, code) in [
        ("code-zero", 5),
        ("status:503", 8),
        ("half-body", 8),
        ("down", 8),
        ("unauthorized", 78),
        ("busy:30", 8),
        ("code:80002", 6),
        ("code:6015", 8),
        ("wrong-date:-86400", 0),
        ("slow:1", 0),
    ] {
        assert_eq!(shop.faults("POST", fault), "HTTP/1.1 200");
        let ended = ping(&shop);
        assert_eq!(ended.code, Some(code), "{fault}: {}", ended.err);
        assert_eq!(ping(&shop).code, Some(0), "{fault} met one call");
    }
    assert_eq!(
        (shop.faults("POST", "fire"), shop.faults("GET", "")),
        ("HTTP/1.1 400".to_owned(), "HTTP/1.1 405".to_owned())
    );
    assert_eq!(shop.faults("POST", "status:500@all"), "HTTP/1.1 200");
    assert_eq!([ping(&shop).code, ping(&shop).code], [Some(8), Some(8)]);
    assert_eq!(shop.faults("DELETE", ""), "HTTP/1.1 200");
    assert_eq!(ping(&shop).code, Some(0));

    fs::write(shop.machine.path("app_secret"), "wrong").unwrap();
    let wrong = ping(&shop);
    assert!(
        wrong.code == Some(78) && wrong.err.contains("app_secret") && !wrong.err.contains("wrong\n"),
        "{}",
        wrong.err
    );
    fs::remove_file(shop.machine.path("app_secret")).unwrap();
    assert_eq!(ping(&shop).code, Some(78));
    fs::write(shop.machine.path("app_secret"), "hush").unwrap();
    assert_eq!(shop.platform.terminate(), Some(0));
    assert_eq!(ping(&shop).code, Some(8));
}

#[test]
fn the_stand_in_speaks_tls_and_nobody_else_is_believed() {
    let machine = Machine::new();
    let ca = Ca::new(machine.directory.path(), "ca");
    assert_eq!(ca.file, machine.path("ca.pem"));
    let (certificate, key) = ca.server_files(machine.directory.path());
    let (certificate, key) = (certificate.to_str().unwrap().to_owned(), key.to_str().unwrap().to_owned());
    let mut shop = open(machine, &["--tls-certificate", &certificate, "--tls-key", &key]);
    assert!(shop.url.starts_with("https://"));
    assert_eq!(shop.call(&["ping"]).code, Some(0));
    Ca::new(shop.machine.directory.path(), "other");
    fs::rename(shop.machine.path("other.pem"), shop.machine.path("ca.pem")).unwrap();
    let refused = shop.call(&["ping"]);
    assert!(refused.code == Some(8) && refused.err.contains("TLS"), "{}", refused.err);
    shop.platform.signal(Signal::INT);
    assert_eq!(shop.platform.wait(), Some(130));
}

#[test]
fn without_a_ca_file_the_authorities_of_the_system_are_believed_and_their_absence_is_told() {
    let machine = Machine::new();
    let ca = Ca::new(machine.directory.path(), "ca");
    let (certificate, key) = ca.server_files(machine.directory.path());
    let (certificate, key) = (certificate.to_str().unwrap().to_owned(), key.to_str().unwrap().to_owned());
    let shop = open(machine, &["--tls-certificate", &certificate, "--tls-key", &key]);
    let file = shop.machine.path("vend.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("ca_file = \"ca.pem\"\n", "")).unwrap();
    let nothing = shop.machine.path("nothing");
    fs::create_dir(&nothing).unwrap();
    let ping = |lang: &str, authorities: &std::path::Path| {
        let mut command = vend(["--lang", lang, "cloud", "ping"]);
        command.args(shop.machine.place()).env("SSL_CERT_FILE", authorities).env("SSL_CERT_DIR", &nothing);
        run(command)
    };
    let believed = ping("en", &ca.file);
    assert_eq!(believed.code, Some(0), "{}", believed.err);
    // What is there is nobody's certificate, or is not there.
    for lacking in ["nothing.pem", "vend.toml"] {
        let ended = ping("en", &shop.machine.path(lacking));
        assert_eq!(ended.code, Some(8), "{}", ended.err);
        assert!(ended.err.contains("install ca-certificates, or set ca_file"), "{}", ended.err);
        let ended = ping("zh", &shop.machine.path(lacking));
        assert!(ended.err.contains("系统没有受信任的证书"), "{}", ended.err);
    }
}

/// What was POSTed to a merchant.
#[derive(Clone, Default)]
struct Merchant(Arc<Mutex<Vec<Value>>>);

impl Merchant {
    /// Its url. It listens as long as the test lives.
    fn open(&self) -> String {
        let (told, posts) = (std::sync::mpsc::channel(), self.0.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.0.send(listener.local_addr().unwrap()).unwrap();
                let take = move |request: &Request| {
                    posts.lock().unwrap().push(serde_json::from_slice(&request.body).unwrap());
                    Answer::status(200)
                };
                server::serve(listener, None, Arc::new(take)).await;
            });
        });
        format!("http://{}/notify", told.1.recv().unwrap())
    }
}

#[test]
fn a_whole_sale_goes_through_platform_broker_agent_and_board_to_the_merchant() {
    let broker = Mosquitto::start();
    let machine = Machine::with_broker(broker.port(), "5");
    let (link, turns) = (machine.text("port"), machine.text("turns"));
    let mut board =
        vend(["board", "simulate", "--profile", "tcn-00ff", "--turn-time", "20", "--fault", "open-motor:4"]);
    board.args(["--link", &link, "--log", &turns]).stdout(Stdio::null());
    let _board = Process::spawn(board, machine.path("board"));
    let url = format!("mqtt://127.0.0.1:{}", broker.port());
    let shop = open(machine, &["--broker", &url, "--slot", "3=3.50", "--slot", "4"]);
    shop.platform.wait_for_log("at the broker");
    let mut daemon = shop.machine.daemon();
    wait_for("the broker and the board", || {
        let status = shop.machine.status();
        (status["broker_connected"] == true && status["line"] == "idle").then_some(())
    });
    wait_for("the subscription", || broker.log().contains("Sending SUBACK to 16327129").then_some(()));

    let merchant = Merchant::default();
    let order = shop.order(&["121", "122"], &merchant.open());
    shop.json(&["order", "pay", &order, "--yes"]);
    let shown = shop.json(&["order", "show", &order]);
    let record = |n: usize| shown["records"][n]["record_id"].as_str().unwrap().to_owned();
    let sent = shop.json(&["dispense", &order, &record(0), "--yes"]);
    wait_for("the goods", || (shop.status(&order, 0) == "IS_SUCCESS").then_some(()));
    let over = shop.json(&["delivery", "show", sent["delivery_id"].as_str().unwrap()]);
    assert_eq!((&over["status"], &over["fail_reason"]), (&"出货完成".into(), &"".into()));
    shop.json(&["dispense", &order, &record(1), "--yes"]);
    wait_for("the failure", || (shop.status(&order, 1) == "IS_FAILED").then_some(()));
    assert_eq!(shop.call(&["dispense", &order, &record(0), "--yes"]).code, Some(5), "nothing goes twice");

    let posts = wait_for("both callbacks", || {
        let posts = merchant.0.lock().unwrap().clone();
        (posts.len() == 2).then_some(posts)
    });
    assert_eq!((&posts[0]["deliver_status"], &posts[0]["method"]), (&"1".into(), &"device.delivery.response".into()));
    assert_eq!(posts[0]["order_id"].to_string(), order);
    assert_eq!((&posts[1]["deliver_status"], &posts[1]["error_msg"]), (&"0".into(), &"Load No Current".into()));
    assert_eq!(shop.json(&["machines"])["machines"][0]["is_online"], true);
    let turns = fs::read_to_string(&turns).unwrap();
    assert_eq!(turns.matches("slot=3 dropped=true").count(), 1, "{turns}");
    assert_eq!(shop.machine.status()["counters"]["driven"], 2);
    assert_eq!(daemon.terminate(), Some(0));
}
