//! What is counted and timed: each prepares what it needs, and is then repeated.

use super::common::command::{APP_KEY, MACHINE_NO, put};
use super::machine::{Stored, profile, settings};
use std::fmt;
use std::hint::black_box;
use vend::board::driver::{Driver, LineState, Output, Written};
use vend::board::driver_for;
use vend::cloud::report::Report;
use vend::cloud::{device, sign};
use vend::core::event::Event;
use vend::io::journal::{Batch, Opened, Store, value};
use vend::order::motor::{Address, FloorType, MotorCommand, Slot};
use vend::order::record;
use vend::order::time::BootMs;
use vend::sim::board::fault::Faults;
use vend::sim::board::{Emulator, emulator_for};

/// One thing that is done again and again.
pub struct Subject {
    pub name: &'static str,
    pub what: &'static str,
    prepare: fn(&Stored) -> Box<dyn FnMut()>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Subject {
    pub fn find(name: &str) -> &'static Subject {
        ALL.iter().find(|subject| subject.name == name).unwrap_or_else(|| panic!("no subject {name}"))
    }

    pub fn prepare(&self, stored: &Stored) -> Box<dyn FnMut()> {
        (self.prepare)(stored)
    }
}

/// All of them.
pub static ALL: [Subject; 13] = [
    Subject { name: "read", what: "a command: Base64, JSON, signature, fields", prepare: read },
    Subject { name: "sign", what: "a signature over ten fields", prepare: sign_fields },
    Subject { name: "report", what: "a report's body for the merchant, signed", prepare: report },
    Subject { name: "encode", what: "an order's record, written", prepare: encode },
    Subject { name: "decode", what: "an order's record, read", prepare: decode },
    Subject { name: "seal", what: "a value of the journal: check sum and header", prepare: seal },
    Subject { name: "commit", what: "a commit of one record (timed: in memory, without a disk)", prepare: commit },
    Subject { name: "tcn", what: "tcn-00ff: a vend, driver and emulator, every frame", prepare: tcn },
    Subject { name: "poll", what: "xy-v3: a poll and its answer, driver and emulator", prepare: poll },
    Subject { name: "wake", what: "a step of the core in which nothing is due", prepare: wake },
    Subject { name: "arrival", what: "a command until it is acknowledged, without its vend", prepare: arrival },
    Subject { name: "vend", what: "a whole vend: core, driver, emulator, both reports", prepare: vend },
    Subject { name: "status", what: "the status for `vend status`", prepare: status },
];

/// `repeat SUBJECT TOMBSTONES PENDING REPORTS TIMES`: what callgrind looks at.
pub fn repeat(words: &[String]) {
    let number = |at: usize| words[at].parse::<usize>().expect("a number");
    let stored = Stored { tombstones: number(1), pending: number(2), reports: number(3) };
    let mut run = Subject::find(&words[0]).prepare(&stored);
    for _ in 0..number(4) {
        run();
    }
}

fn read(_: &Stored) -> Box<dyn FnMut()> {
    let settings = settings();
    let payload = put("10000", "1").notify("https://merchant.example/notify").payload();
    Box::new(move || {
        black_box(device::decode(black_box(&payload), &settings.machine_no, &settings.mqtt_key, &settings.profile))
            .expect("a good command");
    })
}

fn sign_fields(_: &Stored) -> Box<dyn FnMut()> {
    let key = sign::SigningKey::new(APP_KEY).expect("a key");
    let fields: Vec<(String, String)> = (0..10).map(|n| (format!("field_{n}"), format!("value of {n}"))).collect();
    Box::new(move || {
        black_box(sign::sign(black_box(&fields).iter().map(|(n, v)| (n.as_str(), v.as_str())), &key));
    })
}

fn report(_: &Stored) -> Box<dyn FnMut()> {
    let settings = settings();
    let order = Stored { reports: 1, ..Stored::default() }.records().1.orders.remove(0);
    Box::new(move || {
        let last = order.reports.last().expect("a report");
        let report = Report {
            machine_no: &settings.machine_no,
            key: &order.key,
            echo: &order.echo,
            units: &last.units,
            sequence: last.sequence,
            timestamp_s: last.timestamp_s,
        };
        drop(black_box(report.http_body(&settings.mqtt_key)));
    })
}

fn encode(_: &Stored) -> Box<dyn FnMut()> {
    let order = Stored { reports: 1, ..Stored::default() }.records().1.orders.remove(0);
    Box::new(move || drop(black_box(record::encode_order(black_box(&order)))))
}

fn decode(_: &Stored) -> Box<dyn FnMut()> {
    let order = Stored { reports: 1, ..Stored::default() }.records().1.orders.remove(0);
    let bytes = record::encode_order(&order).expect("a record");
    Box::new(move || drop(black_box(record::read_order(black_box(&bytes)))))
}

fn seal(_: &Stored) -> Box<dyn FnMut()> {
    Box::new(|| drop(black_box(value::seal(black_box(b"10000\x001"), 7, black_box(&[0x5a; 300])))))
}

fn commit(_: &Stored) -> Box<dyn FnMut()> {
    let folder = tempfile::tempdir_in("/dev/shm").expect("memory");
    let Opened::Sound { mut store, .. } = Store::open(&folder.path().join("state")).expect("a journal") else {
        panic!("a new journal is sound")
    };
    let mut n = 0_u32;
    Box::new(move || {
        let _kept = &folder;
        n += 1;
        let batch = Batch { puts: vec![((n % 64).to_be_bytes().to_vec(), vec![0x5a; 300])], ..Batch::default() };
        store.commit(&batch).expect("a commit");
    })
}

/// A driver and its board, and the time between them.
struct Line {
    now: BootMs,
    driver: Box<dyn Driver>,
    board: Box<dyn Emulator>,
}

impl Line {
    fn new(name: &str) -> Line {
        let profile = profile(name);
        let board = emulator_for(&profile, 100, Faults::default());
        let mut line = Line { now: BootMs(1_000), driver: driver_for(&profile), board };
        line.driver.opened(line.now);
        line.pass_until(|line| line.driver.state() == LineState::Idle);
        line
    }

    fn exchange(&mut self) {
        loop {
            let mut is_quiet = true;
            while let Some(output) = self.driver.next_output() {
                if let Output::Write(write) = output {
                    is_quiet = false;
                    self.board.received(self.now, &write.bytes);
                    if write.motor {
                        self.driver.motor_written(self.now, Written::All);
                    }
                }
            }
            while let Some(bytes) = self.board.next_output() {
                is_quiet = false;
                self.driver.received(self.now, self.now, &bytes);
            }
            if is_quiet {
                return;
            }
        }
    }

    /// To the next instant at which either side wants to do something.
    fn pass(&mut self) {
        let next = self.driver.deadline().into_iter().chain(self.board.deadline()).min();
        self.now = next.unwrap_or(self.now.plus_ms(1)).max(self.now);
        if self.board.deadline().is_some_and(|at| at <= self.now) {
            self.board.wake(self.now);
        }
        self.exchange();
        if self.driver.deadline().is_some_and(|at| at <= self.now) {
            self.driver.wake(self.now);
        }
        self.exchange();
    }

    fn pass_until(&mut self, is_so: impl Fn(&Line) -> bool) {
        for _ in 0..10_000 {
            if is_so(self) {
                return;
            }
            self.pass();
        }
        panic!("the line never came to it");
    }
}

fn tcn(_: &Stored) -> Box<dyn FnMut()> {
    let mut line = Line::new("tcn-00ff");
    let command = MotorCommand {
        address: Address::new(1).expect("an address"),
        slot: Slot(5),
        floor_type: FloorType::Spring,
        lift: false,
        drop_check: false,
    };
    Box::new(move || {
        let reference = line.driver.reference(&command);
        let turns = line.board.turns().len();
        line.driver.drive(line.now, &command, &reference);
        line.exchange();
        line.pass_until(|line| line.board.turns().len() > turns && line.driver.state() != LineState::Busy);
        line.driver.release(line.now);
        line.pass_until(|line| line.driver.state() == LineState::Idle);
    })
}

fn poll(_: &Stored) -> Box<dyn FnMut()> {
    let mut line = Line::new("xy-v3");
    Box::new(move || line.pass())
}

fn wake(stored: &Stored) -> Box<dyn FnMut()> {
    let mut machine = stored.machine();
    Box::new(move || machine.step(Event::Wake))
}

fn arrival(stored: &Stored) -> Box<dyn FnMut()> {
    // Without a line nothing is driven.
    let stored = Stored { pending: stored.pending.max(1), ..*stored };
    let mut machine = stored.machine();
    Box::new(move || machine.deliver(&machine.next_put()))
}

fn vend(stored: &Stored) -> Box<dyn FnMut()> {
    let mut machine = stored.machine();
    Box::new(move || machine.vend())
}

fn status(stored: &Stored) -> Box<dyn FnMut()> {
    let machine = stored.machine();
    assert_eq!(machine.core.status(machine.now).machine_no, MACHINE_NO);
    Box::new(move || drop(black_box(machine.core.status(machine.now))))
}
