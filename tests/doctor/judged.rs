//! What no test can do to the computer it runs on: the finding of a probe is made up, the judge is the real one.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use vend::config::Config;
use vend::core::{Counters, LineCounts, LineQuality, Waiting};
use vend::doctor::seen::{
    Clock, Daemon, Disk, Fact, Journal, Lock, Login, NoConnection, NoDaemon, Platform, PlatformWord, Port, Rights,
    Seen, Server, Unit, UsbDriver, Work,
};
use vend::doctor::{Check, Finding, State, examine};
use vend::order::said::Said;

const CONFIG: &str = "machine_no = \"16327129\"\n[broker]\nurl = \"mqtts://broker.test\"\n[cloud]\nverify_orders = \"never\"\n\
    [board]\nprofile = \"tcn-00ff\"\nport = \"port\"\n";

fn config(text: &str) -> Config {
    Config::parse(Path::new("/etc/vend.toml"), text).unwrap().config
}

/// A daemon that is well.
fn daemon(change: impl FnOnce(&mut Value)) -> Daemon {
    let quality = LineQuality { counted_for_s: 9_000, total: LineCounts::default(), unanswered: 0, hours: Vec::new() };
    let mut status = json!({
        "version": "0.1.0", "machine_no": "16327129", "phase": "running", "broker_connected": true,
        "board": "tcn-00ff", "board_identity": null, "line": "idle", "line_quality": quality, "time_trusted": true,
        "orders_open": 0, "reports_open": 0, "calls_open": 0, "calls_dead": 0, "dead_calls": [], "results_open": 0,
        "differences": 0, "differing": [], "orders_settled": 0, "has_space": true, "verifies_orders": false,
        "counters": Counters::default(), "rejected": [], "recent": [],
    });
    change(&mut status);
    Daemon { status: Box::new(serde_json::from_value(status).unwrap()), slots: Vec::new() }
}

/// Everything is well.
fn well() -> Seen {
    let clock = Clock { wall_s: 1_800_000_000, synchronised: Some(Ok(true)), rtc_s: Some(1_800_000_001), zone: None };
    Seen {
        version: "0.1.0".to_owned(),
        configuration: Some(Ok(config(CONFIG))),
        daemon: Fact::Is(Ok(daemon(|_| {}))),
        disk: Fact::Is(Disk { journal_bytes: Some(3 << 20), ..Disk::default() }),
        port: Fact::Is(Port { usb_driver: UsbDriver::Loadable, modem_like: true, ..Port::default() }),
        route: Fact::Is(Some("wwan0".to_owned())),
        clock: Fact::Is(clock),
        work: Fact::Is(Some(Work::default())),
        ..Seen::default()
    }
}

/// The one check by itself.
fn finding(seen: &Seen, id: &str) -> Finding {
    let check = Check::by_id(id).unwrap();
    let others: BTreeSet<Check> = Check::ALL.into_iter().filter(|other| *other != check).collect();
    examine(seen, &BTreeSet::from([check]), &others).findings.remove(0)
}

/// Good on a machine that is well, and so after the change.
fn breaks(id: &str, state: State, saw: &str, change: impl FnOnce(&mut Seen)) -> Finding {
    let mut seen = well();
    let before = finding(&seen, id);
    assert_eq!(before.state, State::Ok, "{before:?}");
    change(&mut seen);
    let after = finding(&seen, id);
    assert_eq!(after.state, state, "{after:?}");
    assert!(after.saw.en.contains(saw), "{after:?}");
    assert_eq!(after.fix.is_some(), matches!(state, State::Warning | State::Failed));
    after
}

fn with_daemon(seen: &mut Seen, change: impl FnOnce(&mut Value)) {
    seen.daemon = Fact::Is(Ok(daemon(change)));
}

#[test]
fn s9_a_daemon_of_another_version_is_told() {
    let change = |seen: &mut Seen| with_daemon(seen, |status| status["version"] = "0.0.9".into());
    breaks("S9", State::Warning, "daemon 0.0.9, tool 0.1.0", change);
}

#[test]
fn d8_a_journal_that_grows_without_end_is_told() {
    let disk = Disk { journal_bytes: Some(600 << 20), ..Disk::default() };
    breaks("D8", State::Warning, "600 MiB", |seen| seen.disk = Fact::Is(disk));
}

/// The line in the running hour.
fn line(seen: &mut Seen, hours_ago: u8, counts: LineCounts) {
    with_daemon(seen, |status| {
        status["line_quality"]["hours"] = json!([{ "hours_ago": hours_ago, "counts": counts }]);
    });
}

#[test]
fn p6_a_line_that_loses_frames_is_told_in_steps_and_a_bad_hour_of_yesterday_is_not() {
    let counts = LineCounts { frames_in: 10_000, ..LineCounts::default() };
    let few = LineCounts { time_outs: 4, frames_in: 10, ..counts };
    breaks("P6", State::Ok, "4 time-outs", |seen| line(seen, 0, few));
    let some = LineCounts { bad_checks: 60, time_outs: 50, resends: 40, ..counts };
    breaks("P6", State::Warning, "60 bad checks, 0 noise, 0 unexpected, 50 time-outs, 40 said again", |seen| {
        line(seen, 2, some);
    });
    let many = LineCounts { bad_checks: 2_000, ..counts };
    breaks("P6", State::Failed, "2000 bad checks", |seen| line(seen, 0, many));
    breaks("P6", State::Ok, "0 bad checks", |seen| line(seen, 3, many));
    let restarts = LineCounts { board_restarts: 3, ..counts };
    let told = breaks("P6", State::Warning, "3 board restarts", |seen| line(seen, 1, restarts));
    assert!(told.fix.unwrap().en.contains("power supply"));
    let reopened = LineCounts { reopenings: 5, ..counts };
    let told = breaks("P6", State::Warning, "5 reopened", |seen| line(seen, 1, reopened));
    assert!(told.fix.unwrap().en.contains("USB"));
}

#[test]
fn p7_modem_manager_is_told_only_where_it_tries_the_port() {
    let runs = |modem_like| Port { modem_manager: true, modem_like, ..Port::default() };
    breaks("P7", State::Warning, "tries every USB serial port", |seen| seen.port = Fact::Is(runs(true)));
    breaks("P7", State::Ok, "leaves this port alone", |seen| seen.port = Fact::Is(runs(false)));
}

#[test]
fn p8_an_adapter_that_is_missing_is_told_once_by_p1_with_the_driver_that_it_may_lack() {
    let missing = |usb_driver| {
        let mut seen = well();
        seen.port = Fact::Is(Port { usb_driver, ..Port::default() });
        finding(&seen, "P1")
    };
    let told = missing(UsbDriver::Missing);
    assert!(told.state == State::Failed && told.saw.en.contains("no driver for USB adapters"), "{told:?}");
    assert!(told.fix.unwrap().en.contains("modprobe"));
    let told = breaks("P8", State::Skipped, "because of P1", |seen| seen.port = Fact::Is(Port::default()));
    assert_eq!(told.skipped_because_of.as_deref(), Some("P1"));
    let told = missing(UsbDriver::OfAnotherKernel);
    assert!(told.fix.unwrap().en.contains("restart the machine"));
    // Where there is one nothing is said of drivers.
    for usb_driver in [UsbDriver::Loaded, UsbDriver::Loadable, UsbDriver::Hidden] {
        let told = missing(usb_driver);
        assert!(told.saw.en.contains("does not exist") && !told.saw.en.contains("driver"), "{told:?}");
    }
    let has = |usb_driver| Fact::Is(Port { usb_driver, ..Port::default() });
    breaks("P8", State::Skipped, "because of P1", |seen| seen.port = has(UsbDriver::OfAnotherKernel));
    breaks("P8", State::Ok, "are loaded", |seen| seen.port = has(UsbDriver::Loaded));
    breaks("P8", State::Skipped, "only root may look", |seen| seen.port = has(UsbDriver::Hidden));
}

#[test]
fn n1_a_machine_without_a_default_route_is_told_and_one_that_needs_none_is_not() {
    breaks("N1", State::Failed, "no default route", |seen| seen.route = Fact::Is(None));
    breaks("N1", State::NotApplicable, "this machine", |seen| {
        seen.route = Fact::Is(None);
        seen.configuration = Some(Ok(config(&CONFIG.replace("broker.test", "localhost"))));
    });
}

#[test]
fn t1_a_clock_that_nobody_vouches_for_is_told_unless_the_daemon_or_the_operator_trusts_it() {
    let clock =
        |synchronised| Fact::Is(Clock { wall_s: 1_800_000_000, synchronised: Some(synchronised), ..Clock::default() });
    let distrusts = |seen: &mut Seen| with_daemon(seen, |status| status["time_trusted"] = false.into());
    breaks("T1", State::Failed, "nobody vouches", |seen| {
        distrusts(seen);
        seen.clock = clock(Ok(false));
    });
    breaks("T1", State::Warning, "does not tell", |seen| {
        distrusts(seen);
        seen.clock = clock(Err(Said::word("EPERM")));
    });
    breaks("T1", State::Failed, "vend-clock", |seen| {
        distrusts(seen);
        seen.clock = clock(Ok(true));
    });
    breaks("T1", State::Ok, "the daemon trusts", |seen| seen.clock = clock(Ok(false)));
    breaks("T1", State::Ok, "this clock is good", |seen| {
        distrusts(seen);
        seen.clock = clock(Ok(false));
        seen.configuration = Some(Ok(config(&format!("{CONFIG}[time]\ntrust = \"system\"\n"))));
    });
}

#[test]
fn t2_a_clock_of_1970_is_told() {
    let clock = Clock { wall_s: 75, ..Clock::default() };
    breaks("T2", State::Failed, "it says 1970-01-01", |seen| seen.clock = Fact::Is(clock));
}

#[test]
fn t4_a_time_zone_that_cannot_be_read_is_told() {
    let zone = Some(Err(Said::word("/etc/localtime leads to nowhere")));
    let clock = Clock { wall_s: 1_800_000_000, zone, ..Clock::default() };
    breaks("T4", State::Warning, "leads to nowhere", |seen| seen.clock = Fact::Is(clock));
}

#[test]
fn t5_a_battery_backed_clock_that_is_off_is_told() {
    let at = |rtc_s| Fact::Is(Clock { wall_s: 1_800_000_000, rtc_s, ..Clock::default() });
    breaks("T5", State::Warning, "it is 20833 d off", |seen| seen.clock = at(Some(0)));
    breaks("T5", State::NotApplicable, "there is none", |seen| seen.clock = at(None));
}

fn waiting(waiting: Waiting) -> impl FnOnce(&mut Seen) {
    |seen| seen.work = Fact::Is(Some(Work { waiting, ..Work::default() }))
}

#[test]
fn o1_an_order_that_waits_is_told_in_steps() {
    let of = |s| waiting(Waiting { oldest_order_s: Some(s), ..Waiting::default() });
    breaks("O1", State::Ok, "90 s", of(90));
    breaks("O1", State::Warning, "15 min", of(900));
    breaks("O1", State::Failed, "50 min", of(3_000));
}

#[test]
fn o2_a_result_that_waits_is_told_in_steps() {
    let of = |s| waiting(Waiting { oldest_report_s: Some(s), ..Waiting::default() });
    breaks("O2", State::Ok, "5 min", of(300));
    breaks("O2", State::Warning, "2 h", of(7_200));
    breaks("O2", State::Failed, "3 d", of(3 * 86_400));
}

fn work(work: Work) -> impl FnOnce(&mut Seen) {
    |seen| seen.work = Fact::Is(Some(work))
}

#[test]
fn o4_a_call_that_the_platform_refused_for_good_is_told() {
    let dead = Work { dead_calls: (1, vec![Said::word("call 7 about order 5: to be refunded")]), ..Work::default() };
    breaks("O4", State::Warning, "1: call 7", work(dead));
}

#[test]
fn o5_books_that_do_not_agree_are_told() {
    let differ = Work { differences: (9, vec![Said::word("5:1 served_refunded"); 9]), ..Work::default() };
    breaks("O5", State::Warning, "9: 5:1 served_refunded", work(differ));
}

#[test]
fn o7_goods_of_which_nobody_knows_are_told() {
    let in_doubt = Work { in_doubt: (1, vec![Said::word("80002:1")]), ..Work::default() };
    let told = breaks("O7", State::Warning, "1: 80002:1", |seen| seen.work = Fact::Is(Some(in_doubt)));
    assert!(told.fix.unwrap().en.contains("vend order resolve ORDER_ID:RECORD_ID --as"));
    let doubtful = Work { slots_doubtful: vec![Said::word("1/5 (2)")], ..Work::default() };
    breaks("O7", State::Warning, "1: 1/5 (2)", work(doubtful));
}

#[test]
fn what_was_not_seen_is_never_good() {
    let names = |seen: &Seen| -> Vec<State> {
        let all: BTreeSet<Check> = Check::ALL.into_iter().collect();
        examine(seen, &all, &BTreeSet::new()).findings.into_iter().map(|finding| finding.state).collect()
    };
    assert!(!names(&Seen::default()).contains(&State::Ok), "{:?}", names(&Seen::default()));
}

#[test]
fn no_check_needs_a_later_one_and_every_text_is_there_in_both_languages() {
    let mut ids = BTreeSet::new();
    for check in Check::ALL {
        let entry = check.entry();
        assert!(ids.insert(entry.id), "{} is there twice", entry.id);
        assert!(entry.needs.iter().all(|need| *need < check), "{}", entry.id);
        for text in [check.title(), check.fix()] {
            assert!(!text.en.is_empty() && !text.zh.is_empty(), "{}", entry.id);
            assert!(text.zh.chars().any(|c| c > '\u{2e80}'), "{}: {}", entry.id, text.zh);
        }
    }
    assert!(ids.len() >= 25);
}

#[test]
fn the_first_check_in_the_way_is_named_and_not_what_it_hid_in_turn() {
    let mut seen = well();
    seen.configuration = None;
    let all: BTreeSet<Check> = Check::ALL.into_iter().collect();
    let report = examine(&seen, &all, &BTreeSet::new());
    let of = |id: &str| report.findings.iter().find(|finding| finding.id == id).unwrap();
    assert_eq!(of("C1").state, State::Failed);
    assert_eq!(of("P6").skipped_because_of.as_deref(), Some("C1"));
    let bad = report.findings.iter().filter(|finding| finding.state == State::Failed).count();
    assert_eq!(bad, 1, "one cause is told once");
}

#[test]
fn p4_the_port_of_a_daemon_in_quarantine_is_no_second_fault() {
    let quarantined = |seen: &mut Seen| {
        with_daemon(seen, |status| {
            (status["phase"], status["line"]) = ("quarantine".into(), "closed".into());
        });
    };
    breaks("P4", State::Skipped, "skipped because of S8", quarantined);
    breaks("P4", State::Failed, "the daemon cannot open it", |seen| {
        with_daemon(seen, |status| status["line"] = "closed".into());
    });
}

#[test]
fn p5_a_board_that_was_never_heard_is_not_said_to_answer() {
    let counted = |frames_in: u64, time_outs: u64| {
        let mut seen = well();
        with_daemon(&mut seen, |status| {
            status["line_quality"]["total"]["frames_in"] = frames_in.into();
            status["line_quality"]["total"]["time_outs"] = time_outs.into();
        });
        finding(&seen, "P5")
    };
    assert_eq!(counted(1, 3).state, State::Ok);
    let unasked = counted(0, 0);
    assert_eq!(unasked.state, State::NotApplicable);
    assert!(unasked.saw.en.contains("vend slot test SLOT"), "{unasked:?}");
    let mute = counted(0, 3);
    assert_eq!(mute.state, State::Failed, "{mute:?}");
    assert!(mute.saw.en.contains("asked 3 times"), "{mute:?}");
}

#[test]
fn p5_a_board_that_answered_once_and_is_silent_now_is_told() {
    let silent = |unanswered: u64| {
        let mut seen = well();
        with_daemon(&mut seen, |status| {
            status["line_quality"]["total"]["frames_in"] = 9_000.into();
            status["line_quality"]["unanswered"] = unanswered.into();
        });
        finding(&seen, "P5")
    };
    // One that was lost, and said again: P6 counts it.
    assert_eq!(silent(2).state, State::Ok);
    let found = silent(3);
    assert_eq!(found.state, State::Failed, "{found:?}");
    assert!(found.saw.en.contains("the last 3 questions") && found.fix.unwrap().en.contains("board's power"));
}

#[test]
fn n3_a_server_that_is_there_without_a_broker_is_no_firewall() {
    let server = |why: &str, refused: bool| Server {
        host: "broker.test".to_owned(),
        port: 8883,
        addresses: Ok(vec!["192.0.2.1".to_owned()]),
        tcp: Some(Err(NoConnection { why: Said::word(why), refused })),
        tls: None,
    };
    let mut seen = well();
    for (why, refused, fix) in [
        ("192.0.2.1: Connection refused (os error 111)", true, "ask the operator whether the broker runs"),
        ("192.0.2.1: no answer in time", false, "a firewall may be between"),
    ] {
        seen.broker = Fact::Is(server(why, refused));
        let told = finding(&seen, "N3");
        assert_eq!(told.state, State::Failed);
        assert!(told.fix.unwrap().en.contains(fix), "{why}");
    }
}

/// A unit that ended so, on a machine whose daemon is away.
fn ended(exit_code: i32) -> Seen {
    let mut seen = well();
    let unit = Unit {
        load_state: "loaded".to_owned(),
        active_state: "failed".to_owned(),
        sub_state: "failed".to_owned(),
        exit_code: Some(exit_code),
        main_pid: Some(77),
        ..Unit::default()
    };
    seen.unit = Fact::Is(Some(unit));
    seen.daemon = Fact::Is(Err(NoDaemon::NotRunning("/run/vend/control.sock".into())));
    seen
}

/// What S3 and S7 advise, which must be the same: both see the same daemon that is down.
fn advice(seen: &Seen) -> Said {
    let [s3, s7] = ["S3", "S7"].map(|id| {
        let told = finding(seen, id);
        assert_eq!(told.state, State::Failed, "{told:?}");
        told.fix.unwrap()
    });
    if s3.en.contains("is why") {
        assert_eq!(s3, s7);
    }
    s3
}

#[test]
fn s3_names_what_of_the_data_keeps_the_daemon_down_and_else_what_the_unit_says() {
    let theirs = Journal::Read { damage: None, machine_no: Some("00000007".to_owned()) };
    let closed = Journal::Closed(Said::new("no space", "磁盘已满"));
    for (journal, id, en, zh) in [
        (Journal::Newer(Said::word("9")), "D7", "install the newer vend again", "请重新安装较新的 vend"),
        (theirs, "D7", "correct machine_no", "请更正 machine_no"),
        (closed, "D6", "as it says", "请按提示处理"),
    ] {
        let mut seen = ended(78);
        assert!(advice(&seen).en.contains("vend config check"), "the exit code alone says so");
        seen.journal = Fact::Is(journal);
        let told = advice(&seen);
        assert!(told.en.starts_with(&format!("{id} is why: ")) && told.en.contains(en), "{told:?}");
        assert!(told.en.ends_with("then: systemctl restart vend"), "{told:?}");
        assert!(told.zh.starts_with(&format!("原因见 {id}：")) && told.zh.contains(zh), "{told:?}");
    }
    let mut seen = ended(1);
    seen.disk = Fact::Is(Disk { read_only: true, ..Disk::default() });
    assert!(advice(&seen).en.starts_with("D4 is why: "));
    let rights = Some(Rights { mode: 0o644, uid: 5, gid: 5 });
    seen.disk = Fact::Is(Disk { rights, not_a_directory: true, ..Disk::default() });
    assert!(advice(&seen).en.starts_with("D1 is why: move"));
}

#[test]
fn s3_blames_neither_a_quarantine_nor_the_lock_that_the_unit_itself_holds() {
    let mut seen = ended(1);
    let damage = Some(Said::new("torn", "已损坏"));
    seen.journal = Fact::Is(Journal::Read { damage, machine_no: None });
    assert!(!advice(&seen).en.contains("is why"), "a daemon with a damaged journal runs");
    seen.journal = Fact::Is(Journal::InUse);
    let held = |pid| Fact::Is(Lock::Held { pid, name: "vend".to_owned() });
    seen.lock = held(77);
    assert!(!advice(&seen).en.contains("is why"), "it has not answered yet");
    seen.lock = held(78);
    assert!(advice(&seen).en.starts_with("D5 is why: "));
}

#[test]
fn no_judge_quotes_english_in_chinese() {
    type Change = Box<dyn Fn(&mut Seen)>;
    let why = || Said::new("in english words", "中文的话");
    let tried = |result| vec![("shop.test".to_owned(), result)];
    let server =
        move |addresses, tcp, tls| Fact::Is(Server { host: "broker.test".to_owned(), port: 8883, addresses, tcp, tls });
    let good = || Ok(vec!["192.0.2.1".to_owned()]);
    let answered = |word| Fact::Is(Platform::Answered { ahead_s: None, word });
    let away = |seen: &mut Seen| seen.daemon = Fact::Is(Err(NoDaemon::NotRunning("/run/x".into())));
    let trouble = |of: &'static str, phase: &'static str, line: &'static str| -> Change {
        Box::new(move |seen| {
            with_daemon(seen, |status| {
                (status["phase"], status["line"]) = (phase.into(), line.into());
                status["troubles"] = json!([{ "of": of, "why": why().en, "why_zh": why().zh }]);
            });
        })
    };
    let cases: Vec<(&str, Change)> = vec![
        ("S1", Box::new(move |seen| seen.unit = Fact::Unknown(why()))),
        ("S7", Box::new(move |seen| seen.daemon = Fact::Is(Err(NoDaemon::Other(why()))))),
        ("S8", trouble("journal", "quarantine", "closed")),
        ("S8", trouble("journal", "failed", "closed")),
        ("D6", trouble("journal", "quarantine", "closed")),
        ("D6", trouble("journal", "failed", "closed")),
        ("D6", Box::new(move |seen| (away(seen), seen.journal = Fact::Is(Journal::Closed(why()))).1)),
        (
            "D6",
            Box::new(move |seen| {
                away(seen);
                seen.journal = Fact::Is(Journal::Read { damage: Some(why()), machine_no: None });
            }),
        ),
        ("D7", Box::new(move |seen| (away(seen), seen.journal = Fact::Is(Journal::Newer(why()))).1)),
        ("P4", trouble("line", "running", "closed")),
        ("P4", Box::new(move |seen| (away(seen), seen.port_opens = Fact::Is(Err(why()))).1)),
        ("N2", Box::new(move |seen| seen.broker = server(Err(why()), None, None))),
        (
            "N3",
            Box::new(move |seen| {
                seen.broker = server(good(), Some(Err(NoConnection { why: why(), refused: true })), None);
            }),
        ),
        ("N4", Box::new(move |seen| seen.broker = server(good(), Some(Ok("192.0.2.1".to_owned())), Some(Err(why()))))),
        ("N5", Box::new(move |seen| seen.login = Fact::Is(Login::Refused(why())))),
        ("N5", Box::new(move |seen| seen.login = Fact::Is(Login::Failed(why())))),
        ("N6", Box::new(move |seen| seen.platform = Fact::Is(Platform::Silent(why())))),
        ("N7", Box::new(move |seen| seen.platform = answered(PlatformWord::Unauthorised(why())))),
        ("N7", Box::new(move |seen| seen.platform = answered(PlatformWord::Refused(why())))),
        ("N8", Box::new(move |seen| seen.merchants = Fact::Is(tried(Err(why()))))),
        ("N9", Box::new(move |seen| seen.proxies = Fact::Is(Err(why())))),
        ("N9", Box::new(move |seen| seen.proxies = Fact::Is(Ok(tried(Err(why())))))),
        ("N10", Box::new(move |seen| seen.platform = answered(PlatformWord::SomebodyElse(why())))),
        (
            "T1",
            Box::new(move |seen| {
                away(seen);
                let clock = Clock { wall_s: 1_800_000_000, synchronised: Some(Err(why())), ..Clock::default() };
                seen.clock = Fact::Is(clock);
            }),
        ),
        (
            "T4",
            Box::new(move |seen| {
                let clock = Clock { wall_s: 1_800_000_000, zone: Some(Err(why())), ..Clock::default() };
                seen.clock = Fact::Is(clock);
            }),
        ),
    ];
    for (id, change) in cases {
        let mut seen = well();
        change(&mut seen);
        let told = finding(&seen, id);
        assert!(matches!(told.state, State::Failed | State::Warning), "{told:?}");
        assert!(told.saw.en.contains("in english words") && !told.saw.en.contains("中文"), "{told:?}");
        assert!(told.saw.zh.contains("中文的话") && !told.saw.zh.contains("english"), "{told:?}");
    }
}
