//! The same against RabbitMQ, which speaks MQTT 3.1.1 over queues of its own: `make test-brokers`. Each test says loudly
//! that it was skipped where RabbitMQ is not installed.

use crate::common::RUNTIME;
use crate::common::command::{checked, opened, put};
use crate::common::receiver::Receiver;
use crate::common::record::{DEADLINE, wait_until, wait_within};
use crate::hub::{Hub, Login};
use crate::machines::{Door, Machine, UP, down, password_of};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Not the one in the PATH: that one changes its user and knows one configuration only.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// An Erlang machine starts in five seconds, and in thirty on a busy computer.
const START: Duration = Duration::from_secs(120);
const PLATFORM: Login<'static> = Login { client_id: "platform", user: "platform", password: "right-31c7f0a9-platform" };
const MACHINES: [&str; 2] = ["50000001", "50000002"];

/// A broker of its own for a test, with durable queues.
struct Rabbit {
    child: Child,
    mqtt_port: u16,
    amqp_port: u16,
    between_nodes_port: u16,
    names_port: u16,
    place: TempDir,
}

impl Rabbit {
    /// Nothing where it is not installed.
    fn start() -> Option<Rabbit> {
        if !Path::new(PROGRAM).exists() {
            eprintln!("SKIPPED: RabbitMQ is not installed (apt-get install rabbitmq-server)");
            return None;
        }
        let place = tempfile::tempdir().unwrap();
        let free: Vec<TcpListener> = (0..4).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
        let ports: Vec<u16> = free.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(free);
        let [mqtt_port, amqp_port, between_nodes_port, names_port] = ports[..] else { panic!("four ports") };
        let definitions = place.path().join("definitions.json");
        fs::write(&definitions, definitions_of(&MACHINES).to_string()).unwrap();
        let config = format!(
            "listeners.tcp.1 = 127.0.0.1:{amqp_port}\nmqtt.listeners.tcp.1 = 127.0.0.1:{mqtt_port}\n\
             mqtt.allow_anonymous = false\nmqtt.subscription_ttl = 604800000\nload_definitions = {}\n",
            definitions.display()
        );
        fs::write(place.path().join("rabbit.conf"), config).unwrap();
        fs::write(place.path().join("enabled_plugins"), "[rabbitmq_mqtt].\n").unwrap();
        let child = spawn(place.path(), between_nodes_port, names_port);
        let rabbit = Rabbit { child, mqtt_port, amqp_port, between_nodes_port, names_port, place };
        rabbit.wait_until_it_listens();
        Some(rabbit)
    }

    fn wait_until_it_listens(&self) {
        wait_within(START, "RabbitMQ", || {
            let ports = [self.mqtt_port, self.amqp_port];
            ports.iter().all(|port| std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok()).then_some(())
        });
    }

    fn kill(&mut self) {
        kill_process_group(Pid::from_child(&self.child), Signal::KILL).unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = spawn(self.place.path(), self.between_nodes_port, self.names_port);
        self.wait_until_it_listens();
    }

    fn door(&self, machine_no: &str, protocol: &'static str) -> Door<'static> {
        let broker = format!("url = \"mqtt://127.0.0.1:{}\"\nusername = \"{machine_no}\"", self.mqtt_port);
        Door { broker, protocol }
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        // Erlang's service of names goes on without its nodes.
        let port = self.names_port.to_string();
        let _ = Command::new("epmd").args(["-port", &port, "-kill"]).stdout(Stdio::null()).status();
    }
}

fn spawn(place: &Path, between_nodes_port: u16, names_port: u16) -> Child {
    let log = fs::File::options().create(true).append(true).open(place.join("out")).unwrap();
    Command::new(PROGRAM)
        .env("HOME", place)
        .env("RABBITMQ_NODENAME", format!("vend{names_port}@localhost"))
        .env("RABBITMQ_MNESIA_BASE", place.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", place.join("log"))
        .env("RABBITMQ_CONFIG_FILE", place.join("rabbit.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", place.join("enabled_plugins"))
        .env("RABBITMQ_DIST_PORT", between_nodes_port.to_string())
        .env("ERL_EPMD_PORT", names_port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// What docs/fleet.md gives to operators as commands: a machine has its own queue, may bind it to its own topic, and may
/// publish to one topic. Topics have dots for slashes here.
fn definitions_of(machines: &[&str]) -> Value {
    let user = |name: &str, password: &str| json!({ "name": name, "password": password, "tags": [] });
    let mut users = vec![user(PLATFORM.user, PLATFORM.password)];
    let all = ".*";
    let mut permissions =
        vec![json!({ "user": PLATFORM.user, "vhost": "/", "configure": all, "write": all, "read": all })];
    let mut topics = vec![json!({
        "user": PLATFORM.user, "vhost": "/", "exchange": "amq.topic",
        "write": "^\\.clients\\..*$", "read": "^\\.server\\.app$",
    })];
    for machine_no in machines {
        users.push(user(machine_no, &password_of(machine_no)));
        let queue = format!("mqtt-subscription-{machine_no}qos[01]");
        let both = format!("^({queue}|amq\\.topic)$");
        permissions.push(json!({
            "user": machine_no, "vhost": "/", "configure": format!("^{queue}$"), "write": both, "read": both,
        }));
        topics.push(json!({
            "user": machine_no, "vhost": "/", "exchange": "amq.topic",
            "write": "^\\.server\\.app$", "read": "^\\.clients\\.{username}$",
        }));
    }
    json!({ "vhosts": [{ "name": "/" }], "users": users, "permissions": permissions, "topic_permissions": topics })
}

/// Waits until the merchant has heard of so many orders; each told once and true.
fn told_once(receiver: &Receiver, count: usize) {
    let reports = receiver.server.requests().wait("report of every order", |requests| {
        let reports: Vec<Value> = requests.iter().map(|request| checked(&request.body)).collect();
        let mut orders: Vec<String> = reports.iter().map(|report| report["event_id"].to_string()).collect();
        orders.sort();
        orders.dedup();
        (orders.len() >= count).then_some(reports)
    });
    for report in &reports {
        assert_eq!((&report["outcome"], &report["sequence"]), (&"dispensed".into(), &1.into()), "{report}");
    }
}

/// Until commands can come: what is sent to a topic before anybody has subscribed is lost.
fn wait_until_subscribed(machine: &Machine, times: usize) {
    wait_until("subscription at RabbitMQ", || {
        (machine.log().matches("what=\"subscribed\"").count() >= times).then_some(())
    });
}

#[test]
#[ignore = "make test-brokers: wants RabbitMQ"]
fn rabbitmq_keeps_what_is_sent_while_agent_or_broker_is_down_and_each_order_is_served_once() {
    let Some(mut rabbit) = Rabbit::start() else { return };
    let receiver = Receiver::start(None);
    let platform = Hub::connect(rabbit.mqtt_port, PLATFORM, &[UP]);
    let place = tempfile::tempdir().unwrap();
    let mut machine = Machine::new(place.path(), MACHINES[0], "tcn-00ff", &rabbit.door(MACHINES[0], "3.1.1"));
    machine.start();
    wait_until_subscribed(&machine, 1);
    machine.order(&platform, &receiver.url());
    told_once(&receiver, 1);
    // The session lasts without the agent.
    machine.kill9();
    for _ in 0..2 {
        machine.order(&platform, &receiver.url());
    }
    platform.wait_until_taken();
    machine.start();
    told_once(&receiver, 3);
    // And without the broker: it dies with an order in its queue that nobody has taken.
    machine.kill9();
    machine.order(&platform, &receiver.url());
    platform.wait_until_taken();
    rabbit.kill();
    rabbit.restart();
    machine.start();
    told_once(&receiver, 4);
    // A command that the broker retains comes again with every subscription, and is a duplicate each time.
    let retained = put("retained", "1").with("client_id", MACHINES[0]).notify(&receiver.url());
    platform.send_retained(&down(MACHINES[0]), retained.payload());
    told_once(&receiver, 5);
    machine.kill9();
    machine.start();
    machine.order(&platform, &receiver.url());
    told_once(&receiver, 6);
    assert_eq!(machine.board.turned_slots(), [5; 6]);
    let responses = platform.heard().into_iter().map(|message| opened(&message.payload));
    assert!(responses.filter(|m| m["method"] == "device.delivery.response").count() >= 6, "over MQTT too");
}

/// Polls until a message comes.
fn next_message(events: &mut EventLoop, client: &AsyncClient, topic: &str) -> Publish {
    RUNTIME.block_on(async {
        tokio::time::timeout(DEADLINE, async {
            loop {
                match events.poll().await.expect("a connection") {
                    Event::Incoming(Packet::ConnAck(_)) => client.try_subscribe(topic, QoS::AtLeastOnce).expect("room"),
                    Event::Incoming(Packet::Publish(publish)) => return publish,
                    _ => {}
                }
            }
        })
        .await
        .expect("a message")
    })
}

#[test]
#[ignore = "make test-brokers: wants RabbitMQ"]
fn rabbitmq_gives_again_what_was_not_acknowledged_and_lets_nobody_at_anothers_topics() {
    let Some(rabbit) = Rabbit::start() else { return };
    let platform = Hub::connect(rabbit.mqtt_port, PLATFORM, &[UP]);
    let [mine, other] = MACHINES;
    // As the agent does: acknowledged by hand, and here never.
    let mut options = MqttOptions::new(mine, "127.0.0.1", rabbit.mqtt_port);
    options.set_clean_session(false).set_manual_acks(true).set_credentials(mine, password_of(mine));
    let (client, mut events) = AsyncClient::new(options.clone(), 8);
    let sent = put("60", "78").with("client_id", mine).payload();
    platform.send(&down(mine), sent.clone());
    // It was sent before anybody had subscribed, so it is lost: the platform gives a command up and sends it again.
    let listening = std::thread::scope(|scope| {
        let first = scope.spawn(|| next_message(&mut events, &client, &down(mine)));
        wait_until("first delivery", || {
            platform.send(&down(mine), sent.clone());
            platform.wait_until_taken();
            first.is_finished().then_some(())
        });
        first.join().unwrap()
    });
    assert_eq!(listening.payload, sent);
    drop((client, events));
    let (client, mut events) = AsyncClient::new(options, 8);
    let again = next_message(&mut events, &client, &down(mine));
    assert_eq!(again.payload, sent);
    println!("RabbitMQ gives it again with dup = {}", again.dup);
    drop((client, events));

    // Whoever has one machine's password neither hears nor commands another one.
    let login = Login { client_id: mine, user: mine, password: &password_of(mine) };
    let spy = Hub::connect_for(rabbit.mqtt_port, login, &[&down(other)]);
    let stolen = put("stolen", "1").with("client_id", other).payload();
    let victim = Login { client_id: other, user: other, password: &password_of(other) };
    let victim = Hub::connect(rabbit.mqtt_port, victim, &[&down(other)]);
    spy.send(&down(other), stolen);
    let good = put("good", "1").with("client_id", other).payload();
    platform.send(&down(other), good.clone());
    wait_until("the platform's own command", || (victim.heard().iter().any(|m| m.payload == good)).then_some(()));
    let heard: Vec<Vec<u8>> = victim.heard().into_iter().map(|message| message.payload).collect();
    assert_eq!(heard, [good], "what a thief sent");
    assert!(spy.heard().iter().all(|message| message.topic != down(other)), "{:?}", spy.heard());
    assert!(!spy.granted().contains(&true), "RabbitMQ granted {}", down(other));
}

#[test]
#[ignore = "make test-brokers: wants RabbitMQ"]
fn an_agent_that_speaks_mqtt_5_says_so_when_rabbitmq_does_not() {
    let Some(rabbit) = Rabbit::start() else { return };
    let place = tempfile::tempdir().unwrap();
    let mut machine = Machine::new(place.path(), MACHINES[0], "tcn-00ff", &rabbit.door(MACHINES[0], "5"));
    machine.start();
    wait_until("word about the protocol", || {
        machine.log().contains("check that it speaks this version of MQTT").then_some(())
    });
    machine.kill9();
}
