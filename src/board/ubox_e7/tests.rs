//! What the driver says to which message, and what it proves: to the millisecond and to the number.

use super::*;
use crate::board::driver::{FloorType, Slot};
use crate::order::outcome::{DropSensor, Evidence, Motor};
use crate::order::said::Said;
use std::path::Path;
use told::SlotByte;

const POLL_MS: u64 = 500;
const HARDWARE: [u8; 4] = [1, 2, 3, 4];

fn profile() -> Profile {
    Profile::find("ubox-e7", Path::new(".")).unwrap()
}

fn motor(slot: u16) -> MotorCommand {
    let address = Address::new(1).unwrap();
    MotorCommand { address, slot: Slot(slot), floor_type: FloorType::Spring, lift: false, drop_check: true }
}

/// A driver whose board is the test.
struct Line {
    driver: UboxE7,
    now: BootMs,
    number: u8,
    online: u32,
    slots: Vec<u8>,
    hardware: [u8; 4],
    /// Slots that were sold for nothing while nobody listened.
    log: Vec<u8>,
    /// What the board does not answer.
    mute: Vec<(u8, u8)>,
    findings: Vec<Finding>,
}

impl Line {
    fn new(profile: &Profile) -> Line {
        let mut line = Line {
            driver: UboxE7::new(profile),
            now: BootMs(1_000),
            number: 0,
            online: 41,
            slots: vec![5; 80],
            hardware: HARDWARE,
            log: Vec::new(),
            mute: Vec::new(),
            findings: Vec::new(),
        };
        line.driver.opened(line.now);
        line
    }

    fn idle() -> Line {
        let mut line = Line::new(&profile());
        line.until_idle();
        line.findings.clear();
        line
    }

    fn until_idle(&mut self) {
        for _ in 0..60 {
            if self.driver.state() == LineState::Idle {
                return;
            }
            self.poll();
        }
        panic!("not idle: {:?}", self.findings);
    }

    fn hear(&mut self, needs_answer: bool, kind: u8, number: u8, data: &[u8]) -> Vec<Frame> {
        let frame = Frame { needs_answer, kind, number, data: data.to_vec() };
        self.driver.received(self.now, self.now, &frame.bytes());
        self.said()
    }

    /// What goes out now; findings are kept apart. A motor frame is written.
    fn said(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(output) = self.driver.next_output() {
            match output {
                Output::Finding(finding) => self.findings.push(finding),
                Output::Write(write) => {
                    let mut deframer = Deframer::default();
                    deframer.push(self.now, &write.bytes);
                    frames.push(deframer.next_frame().unwrap().unwrap());
                    if write.motor {
                        self.driver.motor_written(self.now, Written::All);
                    }
                }
            }
        }
        frames
    }

    /// A new poll half a second later; the board answers what it is asked. Returns the kind of what the host said.
    fn poll(&mut self) -> u8 {
        self.now = self.now.plus_ms(POLL_MS);
        self.number = self.number.wrapping_add(1);
        self.poll_again()
    }

    /// The poll as it was.
    fn poll_again(&mut self) -> u8 {
        let said = self.hear(true, wire::POLL, self.number, &[]);
        let [said] = said.as_slice() else { panic!("{said:?}") };
        assert_eq!(said.number, self.number);
        let about = said.data.first().copied().unwrap_or_default();
        if self.mute.contains(&(said.kind, about)) {
            return said.kind;
        }
        let (kind, data) = match (said.kind, about) {
            (wire::GET_OFFLINE_DATA, _) => {
                self.number += 1;
                let number = self.number;
                let records = self.log.drain(..).flat_map(|slot| [0, 0, 0, 1, slot, 0, 0]);
                let data: Vec<u8> = std::iter::once(wire::LOG_OF_VENDS).chain(records).collect();
                assert_eq!(self.hear(true, wire::OFFLINE_DATA_RPT, number, &data)[0].kind, wire::ACK);
                return said.kind;
            }
            (wire::GET_INFO, wire::INFO_COUNTERS) => {
                let mut counters = [0u32; 13];
                counters[8] = self.online;
                let counters = counters.iter().flat_map(|c| c.to_be_bytes());
                (wire::INFO_RPT, std::iter::once(wire::INFO_COUNTERS).chain(counters).collect())
            }
            (wire::GET_INFO, wire::INFO_FIRMWARE) => (wire::INFO_RPT, vec![wire::INFO_FIRMWARE, b'V', b'1']),
            (wire::GET_INFO, _) => (wire::INFO_RPT, [&[about], &self.hardware[..]].concat()),
            (wire::GET_STATUS, _) => (wire::STATUS_RPT, vec![0, 1, 0, 0, 0x82, 0xFE, 0xFE, 0xFE, 0, 0]),
            (wire::GET_HUODAO, _) => (wire::HUODAO_RPT, [&[0], self.slots.as_slice()].concat()),
            _ => return said.kind,
        };
        assert!(self.hear(false, kind, 200, &data).is_empty());
        said.kind
    }

    fn drive(&mut self, slot: u16) {
        let reference = self.driver.reference(&motor(slot));
        self.driver.drive(self.now, &motor(slot), &reference);
    }

    /// Drives, and the board takes the command in answer to its next poll.
    fn take(&mut self, slot: u16) {
        self.drive(slot);
        assert_eq!(self.poll(), wire::VENDOUT_IND);
        let number = self.number;
        assert!(self.hear(false, wire::ACK_RPT, number, &[]).is_empty());
    }

    fn result(&mut self, status: u8, slot: u8, class: u8, cost: u8) -> Vec<Frame> {
        self.number = self.number.wrapping_add(1);
        let number = self.number;
        self.hear(true, wire::VENDOUT_RPT, number, &[0, status, slot, class, 0, cost, 0, 0, 4])
    }

    fn ends(&self) -> Vec<&Finding> {
        let is_end = |f: &&Finding| {
            matches!(f, Finding::Outcome(_) | Finding::NotTaken(_) | Finding::Unproven(_) | Finding::Late { .. })
        };
        self.findings.iter().filter(is_end).collect()
    }

    /// Polls until the command has ended.
    fn until_end(&mut self) -> Finding {
        for _ in 0..400 {
            self.poll();
            self.said();
            if let Some(&end) = self.ends().first() {
                return end.clone();
            }
        }
        panic!("no end: {:?}", self.findings);
    }

    fn restart_agent(&mut self, reference: &Reference) {
        self.driver = UboxE7::new(&profile());
        self.driver.resume(self.now, &motor(12), reference);
        self.driver.opened(self.now);
    }
}

fn outcome(motor: Motor, drop_sensor: DropSensor) -> Finding {
    Finding::Outcome(Evidence { motor, drop_sensor })
}

#[test]
fn an_answer_that_would_come_too_late_is_not_given() {
    for (late_ms, said) in [(SPEAK_WITHIN_MS, 1), (SPEAK_WITHIN_MS + 1, 0)] {
        let mut line = Line::idle();
        let poll = Frame { needs_answer: true, kind: wire::POLL, number: 99, data: Vec::new() };
        let read_at = line.now;
        line.driver.received(read_at.plus_ms(late_ms), read_at, &poll.bytes());
        assert_eq!(line.said().len(), said, "{late_ms} ms after the poll");
    }
    let mut line = Line::idle();
    line.drive(12);
    line.now = line.now.plus_ms(POLL_MS);
    let poll = Frame { needs_answer: true, kind: wire::POLL, number: 99, data: Vec::new() };
    line.driver.received(line.now, line.now, &poll.bytes());
    let not_after = std::iter::from_fn(|| line.driver.next_output()).find_map(|output| match output {
        Output::Write(write) if write.motor => write.not_after,
        _ => None,
    });
    assert_eq!(not_after, Some(line.now.plus_ms(SPEAK_WITHIN_MS)));
}

#[test]
fn only_a_message_that_wants_an_answer_gets_one() {
    let mut line = Line::idle();
    for (kind, data) in [(wire::STATUS_RPT, vec![0; 10]), (0x06, vec![0; 5]), (wire::ACTION_RPT, vec![0])] {
        assert!(line.hear(false, kind, 9, &data).is_empty(), "{kind:02X}");
        let said = line.hear(true, kind, 9, &data);
        assert_eq!(said, [message(wire::ACK, &[], 9)], "{kind:02X}");
    }
}

#[test]
fn a_board_that_stopped_polling_is_not_idle_and_is_asked_anew() {
    let mut line = Line::idle();
    let stale_at = line.now.plus_ms(FRESH_MS);
    assert_eq!(line.driver.deadline(), Some(stale_at));
    line.driver.wake(BootMs(stale_at.0 - 1));
    assert_eq!(line.driver.state(), LineState::Idle);
    line.driver.wake(stale_at);
    assert_eq!(line.driver.state(), LineState::Settling);
    let silent_at = line.now.plus_ms(SILENCE_MS);
    assert_eq!(line.driver.deadline(), Some(silent_at), "then it is gone");
    line.driver.wake(silent_at);
    line.said();
    assert_eq!(line.findings, [Finding::Fault(LineFault::TimeOut)]);
    assert_eq!(line.driver.deadline(), None);
    line.now = silent_at;
    assert_eq!(line.poll(), wire::GET_OFFLINE_DATA);
}

#[test]
fn a_command_that_finds_no_poll_ends_unwritten() {
    let mut line = Line::idle();
    line.drive(12);
    line.driver.wake(line.now.plus_ms(OFFER_MS_MAX - 1));
    line.said();
    assert!(line.ends().is_empty());
    line.driver.wake(line.now.plus_ms(OFFER_MS_MAX));
    line.said();
    assert_eq!(line.ends(), [&Finding::NotTaken(Reason::BoardOffline)]);
}

#[test]
fn a_refusal_counts_only_under_the_number_of_the_command_and_before_the_next_message() {
    let mut line = Line::idle();
    line.drive(12);
    line.poll();
    let number = line.number;
    line.hear(false, wire::NAK_RPT, number.wrapping_add(1), &[]);
    assert!(line.ends().is_empty());
    line.hear(false, wire::NAK_RPT, number, &[]);
    assert_eq!(line.ends(), [&Finding::NotTaken(Reason::Busy)]);

    // The number of the command comes again after the board went on: then it is of something else.
    let mut line = Line::idle();
    line.drive(12);
    line.poll();
    let number = line.number;
    line.poll_again();
    line.hear(false, wire::NAK_RPT, number.wrapping_add(3), &[]);
    assert!(line.ends().is_empty());
    assert_eq!(line.driver.motor, None);
}

#[test]
fn a_refusal_of_a_slot_that_is_faulty_or_not_there_says_so() {
    for (slot, reason) in [(12, Reason::Slot), (13, Reason::Busy), (90, Reason::Slot)] {
        let mut line = Line::new(&profile());
        line.slots[11] = 0x45;
        line.until_idle();
        line.drive(slot);
        line.poll();
        let number = line.number;
        line.hear(false, wire::NAK_RPT, number, &[]);
        assert_eq!(line.ends(), [&Finding::NotTaken(reason)], "{slot}");
    }
}

#[test]
fn only_the_result_of_our_slot_and_class_without_cost_is_ours() {
    let mut line = Line::idle();
    line.take(12);
    for (slot, class, cost) in [(13, 2, 0), (12, 0, 0), (12, 3, 0), (12, 2, 1)] {
        let said = line.result(wire::VENDED, slot, class, cost);
        assert_eq!(said[0].kind, wire::ACK, "acknowledged at once");
        assert!(line.ends().is_empty(), "slot {slot}, class {class}, cost {cost}");
    }
    assert!(line.result(9, 12, 2, 0)[0].kind == wire::ACK && line.ends().is_empty(), "a code without a meaning");
    assert!(line.result(wire::VENDED, 12, 2, 0).is_empty(), "acknowledged only when it is durable");
    assert_eq!(line.ends(), [&outcome(Motor::Ok, DropSensor::Seen)]);
    assert_eq!(line.driver.state(), LineState::Held);
}

#[test]
fn the_same_number_is_the_same_result_and_is_acknowledged_when_it_is_durable() {
    let mut line = Line::idle();
    line.take(12);
    assert!(line.result(wire::VENDED, 12, 2, 0).is_empty());
    line.now = line.now.plus_ms(1_500);
    line.number -= 1;
    assert!(line.result(wire::VENDED, 12, 2, 0).is_empty());
    line.now = line.now.plus_ms(100);
    line.driver.release(line.now);
    let ack = message(wire::ACK, &[], line.number);
    assert_eq!(line.said(), std::slice::from_ref(&ack));
    line.now = line.now.plus_ms(1_400);
    line.number -= 1;
    assert_eq!(line.result(wire::VENDED, 12, 2, 0), [ack], "the acknowledgement was lost");
    assert_eq!(line.ends().len(), 1);
}

#[test]
fn what_ended_how_is_told_from_status_slot_and_sensor() {
    use DropSensor::{None, NotSeen, Seen};
    for (status, huodao, armed, wanted) in [
        (0, 4, true, (Motor::Ok, Seen)),
        (0, 4, false, (Motor::Ok, None)),
        (2, 4, true, (Motor::Ok, NotSeen)),
        (2, 0x44, true, (Motor::Timeout, NotSeen)),
        (2, 4, false, (Motor::Timeout, None)),
        (2, 0x44, false, (Motor::Timeout, None)),
    ] {
        let told = told::evidence(&profile(), status, SlotByte(huodao), armed).unwrap();
        assert_eq!((told.motor, told.drop_sensor), wanted, "{status} {huodao:02X} {armed}");
    }
    assert_eq!(told::evidence(&profile(), 1, SlotByte(4), true), Option::None);
}

#[test]
fn a_command_that_the_board_never_took_is_a_failure_only_for_an_agent_that_missed_nothing() {
    /// What happens between the command and the end.
    type Meanwhile = fn(&mut Line);
    let cases: [(&str, Meanwhile, bool); 9] = [
        ("nothing", |_| {}, true),
        ("noise", |line| line.driver.received(line.now, line.now, &[0x55]), false),
        ("a gap in the numbers", |line| line.number = line.number.wrapping_add(20), false),
        (
            "a restart",
            |line| {
                line.hear(true, wire::VMC_SETUP, 1, &[0; 10]);
                line.number = 1;
            },
            false,
        ),
        (
            "the port went away",
            |line| {
                line.driver.closed(line.now);
                line.driver.opened(line.now);
            },
            false,
        ),
        ("goods of the slot are gone", |line| line.slots[11] -= 1, false),
        ("the log has a vend of the slot", |line| line.log.push(12), false),
        ("the log has a vend of another slot", |line| line.log.push(13), true),
        ("another count", |line| line.online += 2, false),
    ];
    for (what, meanwhile, is_proven) in cases {
        let mut line = Line::idle();
        line.drive(12);
        assert_eq!(line.poll(), wire::VENDOUT_IND, "{what}");
        // The frame is lost, and the board asks again.
        line.now = line.now.plus_ms(1_500);
        line.poll_again();
        meanwhile(&mut line);
        let end = line.until_end();
        let is_failure = end == outcome(Motor::Timeout, DropSensor::NotSeen);
        assert_eq!(is_failure, is_proven, "{what}: {end:?}");
        assert!(is_proven || matches!(end, Finding::Unproven(_)), "{what}: {end:?}");
    }
}

#[test]
fn one_more_of_our_class_is_a_success_also_after_a_restart_of_agent_and_board() {
    for board_too in [false, true] {
        let mut line = Line::idle();
        let reference = line.driver.reference(&motor(12));
        line.restart_agent(&reference);
        if board_too {
            line.hear(true, wire::VMC_SETUP, 1, &[0; 10]);
            line.number = 1;
        }
        line.online += 1;
        assert_eq!(line.until_end(), outcome(Motor::Ok, DropSensor::Seen));
    }
}

#[test]
fn after_a_restart_of_the_agent_the_same_count_another_or_none_is_unknown_after_the_longest_vend() {
    type Change = fn(&mut Line);
    let changes: [Change; 4] = [
        |_| {},
        |line| line.online += 2,
        |line| line.mute.push((wire::GET_INFO, wire::INFO_COUNTERS)),
        |line| {
            // Another board, whose counter fits by chance.
            line.online += 1;
            line.hardware = [9, 9, 9, 9];
        },
    ];
    for change in changes {
        let mut line = Line::idle();
        let reference = line.driver.reference(&motor(12));
        line.restart_agent(&reference);
        let began = line.now;
        change(&mut line);
        assert!(matches!(line.until_end(), Finding::Unproven(_)));
        assert!(line.now.since_ms(began) >= profile().timing.longest_vend_ms);
    }
    // A reference of something else.
    let mut line = Line::idle();
    line.restart_agent(&Reference(vec![1, 2, 3]));
    line.online += 1;
    assert!(matches!(line.until_end(), Finding::Unproven(_)));
}

/// Another profile's driver may have sent it: boards.md gives xy-v3 slots that a byte of this family cannot say.
#[test]
fn a_command_of_an_earlier_life_whose_slot_this_family_cannot_say_is_unknown_and_never_not_taken() {
    let mut line = Line::new(&profile());
    line.driver = UboxE7::new(&profile());
    line.driver.resume(line.now, &motor(300), &Reference(vec![1, 7, 1, 1, 44]));
    line.driver.opened(line.now);
    line.said();
    assert!(matches!(line.ends()[..], [Finding::Unproven(_)]), "{:?}", line.findings);
    line.until_idle();
}

#[test]
fn a_profile_without_a_class_proves_nothing_by_counters() {
    let mut profile = profile();
    profile.recovery_class = RecoveryClass::None;
    let mut line = Line::new(&profile);
    line.until_idle();
    let reference = line.driver.reference(&motor(12));
    assert_eq!(Before::kept(&reference).online, None);
    line.driver = UboxE7::new(&profile);
    line.driver.resume(line.now, &motor(12), &reference);
    line.driver.opened(line.now);
    line.said();
    assert!(matches!(line.ends()[..], [Finding::Unproven(_)]), "{:?}", line.findings);
}

#[test]
fn a_board_that_counts_late_is_waited_for_and_one_that_never_does_is_not_believed() {
    for (reads_late, is_believed) in [(0, true), (1, true), (3, true), (9, false)] {
        let mut line = Line::idle();
        line.take(12);
        line.result(wire::VENDED, 12, 2, 0);
        line.driver.release(line.now);
        line.said();
        let mut reads = 0;
        while line.driver.state() != LineState::Idle {
            if reads == reads_late {
                line.online = 42;
            }
            reads += u32::from(line.poll() == wire::GET_INFO);
        }
        let online = Before::kept(&line.driver.reference(&motor(12))).online;
        assert_eq!(online, is_believed.then_some(42), "{reads_late} reads late");
    }
}

#[test]
fn a_board_that_does_not_count_at_all_is_driven_and_only_its_own_words_prove_anything() {
    let mut line = Line::new(&profile());
    line.mute = vec![(wire::GET_INFO, wire::INFO_COUNTERS), (wire::GET_INFO, wire::INFO_HARDWARE)];
    line.until_idle();
    line.take(12);
    line.result(wire::VENDED, 12, 2, 0);
    assert_eq!(line.ends(), [&outcome(Motor::Ok, DropSensor::Seen)]);
}

#[test]
fn the_log_is_drained_message_by_message() {
    let mut line = Line::new(&profile());
    line.mute.push((wire::GET_OFFLINE_DATA, 0));
    for records in [20, 20, 3] {
        assert_eq!(line.poll(), wire::GET_OFFLINE_DATA);
        line.number += 1;
        let number = line.number;
        let data = [&[0][..], &[0; 7].repeat(records)].concat();
        assert_eq!(line.hear(true, wire::OFFLINE_DATA_RPT, number, &data)[0].kind, wire::ACK);
    }
    assert_eq!(line.poll(), wire::GET_INFO);
}

#[test]
fn a_starting_board_is_told_once_however_often_it_says_so() {
    let mut line = Line::idle();
    for (kind, number) in [(wire::VMC_SETUP, 1), (wire::VMC_SETUP, 1), (wire::REQUEST, 2)] {
        assert_eq!(line.hear(true, kind, number, &[1])[0].kind, wire::ACK);
        line.now = line.now.plus_ms(1_500);
    }
    assert_eq!(line.findings.iter().filter(|f| **f == Finding::BoardRestarted).count(), 1);
    // A second start, however soon.
    line.number = 2;
    line.poll();
    line.hear(true, wire::VMC_SETUP, 1, &[1]);
    assert_eq!(line.findings.iter().filter(|f| **f == Finding::BoardRestarted).count(), 2);
    assert_eq!(line.driver.state(), LineState::Settling);
}

fn served(line: &mut Line, service: Service) -> Finding {
    assert!(line.driver.serves(&service), "{service:?}");
    line.driver.serve(line.now, &service);
    for _ in 0..40 {
        line.said();
        if let Some(at) = line.findings.iter().position(|f| matches!(f, Finding::Served(_))) {
            return line.findings.remove(at);
        }
        assert_eq!(line.driver.state(), LineState::Busy);
        line.poll();
    }
    panic!("never served: {service:?}");
}

#[test]
fn what_stands_beside_a_vend_is_asked_and_told() {
    let address = Address::new(1).unwrap();
    let slot = |slot| Service::SlotState { address, slot: Slot(slot) };
    let mut line = Line::idle();
    line.slots[2] = 0x45;
    line.slots[3] = 0;
    let climate = Reading::Climate { temperature_deci_c: Some(-20), humidity_permille: None };
    let faulty = Reading::faulty(Said::new("the board calls the slot faulty", "板卡报告货道故障"));
    for (service, reading) in [
        (Service::SelfCheck { address }, Reading::Healthy),
        (Service::Climate { address }, climate),
        (slot(1), Reading::SlotReady),
        (slot(3), faulty),
        (slot(4), Reading::SlotEmpty),
        (slot(81), Reading::SlotAbsent),
        (slot(0), Reading::SlotAbsent),
    ] {
        assert_eq!(served(&mut line, service), Finding::Served(Ok(reading)), "{service:?}");
        line.until_idle();
    }
    let other = Address::new(2).unwrap();
    for service in [
        Service::SelfCheck { address: other },
        Service::Switch { address, device: crate::board::service::Device::Light, on: true },
        slot(300),
    ] {
        assert!(!line.driver.serves(&service), "{service:?}");
        line.driver.serve(line.now, &service);
        line.said();
        assert_eq!(line.findings.pop(), Some(Finding::Served(Err(ServiceError::NotOffered))));
    }
}

#[test]
fn the_door_is_known_once_it_moved_and_no_more_after_a_restart() {
    let service = Service::Door { address: Address::new(1).unwrap() };
    let mut line = Line::idle();
    assert!(!line.driver.serves(&service));
    for (what, open) in [(wire::DOOR_OPENED, true), (wire::DOOR_CLOSED, false)] {
        line.hear(true, wire::ADMIN_RPT, 50, &[what, 0]);
        assert_eq!(served(&mut line, service), Finding::Served(Ok(Reading::Door { open })));
        line.until_idle();
    }
    line.hear(true, wire::VMC_SETUP, 1, &[0; 10]);
    assert!(!line.driver.serves(&service));
}

#[test]
fn a_question_that_is_refused_or_not_answered_is_told_as_that_and_a_reset_is_said_once() {
    let address = Address::new(1).unwrap();
    let mut line = Line::idle();
    line.mute = vec![(wire::GET_STATUS, 0), (wire::RESET_IND, 0)];
    assert_eq!(served(&mut line, Service::Climate { address }), Finding::Served(Err(ServiceError::NoAnswer)));
    line.mute.clear();
    line.until_idle();

    line.mute = vec![(wire::GET_STATUS, 0)];
    line.driver.serve(line.now, &Service::SelfCheck { address });
    assert_eq!(line.poll(), wire::GET_STATUS);
    let number = line.number;
    line.hear(false, wire::NAK_RPT, number, &[]);
    assert!(line.findings.contains(&Finding::Served(Err(ServiceError::Refused))));
    line.findings.clear();
    line.mute.clear();
    line.until_idle();

    let reset = Service::Reset { address };
    line.driver.serve(line.now, &reset);
    assert_eq!(line.poll(), wire::RESET_IND);
    // The same poll again: the board did not hear of it, and it is not said twice.
    line.now = line.now.plus_ms(1_500);
    assert_eq!(line.poll_again(), wire::ACK);
    assert!(!line.findings.iter().any(|f| matches!(f, Finding::Served(_))));
    line.hear(true, wire::VMC_SETUP, 1, &[0; 10]);
    assert!(line.findings.contains(&Finding::Served(Ok(Reading::Done))));
    line.findings.clear();
    line.number = 1;
    line.until_idle();
    line.driver.serve(line.now, &reset);
    line.driver.closed(line.now);
    line.said();
    assert_eq!(line.findings, [Finding::Served(Err(ServiceError::NoAnswer))]);
}

#[test]
fn a_reset_that_nobody_answers_is_not_said_again() {
    let reset = Service::Reset { address: Address::new(1).unwrap() };
    let mut line = Line::idle();
    line.driver.serve(line.now, &reset);
    assert_eq!(line.poll(), wire::RESET_IND);
    // The board goes on with the poll of before, as if it had not heard; but it may have.
    let mut said = Vec::new();
    while !line.findings.iter().any(|f| matches!(f, Finding::Served(_))) {
        line.now = line.now.plus_ms(1_500);
        said.push(line.poll_again());
        assert!(said.len() < 20, "it is never served");
    }
    assert!(line.findings.contains(&Finding::Served(Err(ServiceError::NoAnswer))), "{:?}", line.findings);
    assert!(!said.contains(&wire::RESET_IND));
}
