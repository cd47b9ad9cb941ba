//! Every decoder with its properties (`tests/decoders`): against the kept inputs of fuzzing, against each former
//! crash, and against valid inputs that were changed at random. `make fuzz` goes on where this ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by panicking what is wrong")]

mod decoders;

use decoders::{ALL, Decoder};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestError, TestRunner};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use vend::order::command::{BodyDigest, ECHO_BYTES_MAX, Echo, NOTIFY_URL_BYTES_MAX, QUANTITY_MAX, Turns};
use vend::order::key::{Id, Key};
use vend::order::life::{Arrival, Intent, Order, Refund, Unit};
use vend::order::motor::{Address, FloorType, Reference, Slot};
use vend::order::outcome::{DropSensor, Motor, Reason, UnitOutcome};
use vend::order::record::{decode_order, encode_order};
use vend::order::report::{Copy, DeadReason, Report};
use vend::order::stock::Fen;
use vend::order::sync::{Difference, Sync};
use vend::order::time::{BootId, BootMs, UnixMs};

/// Changed inputs for each decoder: all decoders together take half a minute at most in a debug build on two cores.
const CASES: u32 = 3_000;
/// Longest input after its changes, in bytes.
const INPUT_BYTES_MAX: usize = 16 * 1024;

/// A folder of inputs: names and contents, sorted; nothing if there is no such folder.
fn inputs(kind: &str, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(kind).join(name);
    let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Runs the decoder; a broken property comes back as its message.
fn broken(decoder: Decoder, input: &[u8]) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| decoder(input))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
    })
}

/// One change of an input. Places are relative, so that they fit any length.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Set(Index, u8),
    Remove(Index, u8),
    Insert(Index, Vec<u8>),
    Repeat(Index, u8, u8),
    /// From here on, what another input has from there on.
    Splice(Index, Index, Index),
}

fn any_change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at(), 1u8..20).prop_map(|(at, n)| Change::Remove(at, n)),
        (at(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), 1u8..40, 1u8..6).prop_map(|(at, n, times)| Change::Repeat(at, n, times)),
        (at(), at(), at()).prop_map(|(at, from, other)| Change::Splice(at, from, other)),
    ]
}

fn changed(mut input: Vec<u8>, changes: &[Change], all: &[Vec<u8>]) -> Vec<u8> {
    for change in changes {
        let len = input.len();
        let place = |at: &Index| at.index(len + 1);
        let piece = |at: usize, n: &u8| at..(at + usize::from(*n)).min(len);
        match change {
            Change::Flip(at, bit) if len > 0 => input[at.index(len)] ^= 1 << bit,
            Change::Set(at, byte) if len > 0 => input[at.index(len)] = *byte,
            Change::Flip(..) | Change::Set(..) => {}
            Change::Remove(at, n) => drop(input.drain(piece(place(at), n))),
            Change::Insert(at, bytes) => drop(input.splice(place(at)..place(at), bytes.iter().copied())),
            Change::Repeat(at, n, times) => {
                let at = place(at);
                let again = input[piece(at, n)].repeat(usize::from(*times));
                drop(input.splice(at..at, again));
            }
            Change::Splice(at, from, other) => {
                let other = &all[other.index(all.len())];
                input.truncate(place(at));
                input.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

/// A decoder against what is kept and against changes of it.
fn holds(name: &str) {
    let (_, decoder) = *ALL.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no decoder {name}"));
    let kept = inputs("corpus", name);
    assert!(kept.len() >= 5, "only {} kept inputs of {name}", kept.len());
    for (path, input) in kept.iter().chain(&inputs("crashes", name)) {
        if let Err(message) = broken(decoder, input) {
            panic!("{}: {message}", path.display());
        }
    }
    let kept: Vec<Vec<u8>> = kept.into_iter().map(|(_, input)| input).collect();
    let strategy = (any::<Index>(), vec(any_change(), 0..8))
        .prop_map(|(which, changes)| changed(kept[which.index(kept.len())].clone(), &changes, &kept));
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let outcome = TestRunner::new(config).run(&strategy, |input| broken(decoder, &input).map_err(TestCaseError::fail));
    if let Err(TestError::Fail(why, input)) = outcome {
        panic!("{name}: {why}\ninput: {}", input.escape_ascii());
    }
}

macro_rules! each_decoder_holds {
    ($($test:ident: $name:ident),+ $(,)?) => {
        $(#[test] fn $test() { holds(stringify!($name)); })+

        #[test]
        fn no_decoder_is_left_out() {
            let here = [$(stringify!($name)),+];
            assert_eq!(ALL.map(|(name, _)| name), here);
            for name in here {
                let target = inputs("targets", "").into_iter().find(|(path, _)| path.ends_with(format!("{name}.rs")));
                let (_, text) = target.unwrap_or_else(|| panic!("{name} is not fuzzed"));
                assert!(String::from_utf8(text).unwrap().contains(&format!("decoders::{name}(data)")), "{name}");
            }
        }
    };
}

each_decoder_holds! {
    a_zdm8_board_may_say_anything: uling_modbus,
    an_adh_board_may_say_anything: adh,
    an_xy_v3_board_may_say_anything: xy_v3,
    a_tcn_board_may_say_anything: tcn_00ff,
    a_lift_may_say_anything: lift_c7,
    a_column_board_may_say_anything: col_ed,
    an_ff0055_board_may_say_anything: ff0055,
    a_ubox_board_may_say_anything: ubox_e7,
    an_m102_board_may_say_anything: m102,
    an_8a_lock_board_may_say_anything: lock_8a,
    a_kerong_lock_board_may_say_anything: lock_cu,
    a_vendapin_dispenser_may_say_anything: vendapin,
    a_vmc96_board_may_say_anything: vmc96,
    an_envelope_opens_or_is_rejected_and_no_changed_byte_passes: envelope,
    a_signed_message_is_read_in_one_way_only: device_message,
    an_answer_of_the_platform_proves_what_it_is_taken_for: platform_answer,
    what_songshu_says_is_final_only_where_its_document_says_so: songshu_message,
    an_answer_of_course_says_paid_only_where_it_stands: course_answer,
    an_answer_of_mall_says_paid_only_where_it_stands: mall_answer,
    an_http_answer_is_bounded_whatever_comes: http_answer,
    a_url_leads_where_it_says: url,
    a_mistake_in_a_configuration_has_its_place: configuration,
    a_profile_that_is_taken_can_be_driven_by: board_profile,
    a_secret_is_one_line_or_refused: credentials,
    a_record_is_read_as_it_was_written_or_not_at_all: journal_record,
    a_value_of_the_journal_is_whole_or_noticed: journal_value,
    the_newest_commits_are_read_as_they_were_written_or_their_loss_is_noticed: journal_lead,
    a_sale_is_read_as_it_was_written_or_not_at_all: sale_record,
    the_control_socket_answers_questions_and_nothing_else: control_request,
}

fn any_id() -> impl Strategy<Value = Id> {
    "[0-9A-Za-z_.-]{1,64}".prop_map(|text| Id::parse(&text).unwrap())
}

fn any_text(bytes_max: usize) -> impl Strategy<Value = Option<Box<str>>> {
    option::of(vec(0x20u8..0x7F, 1..=bytes_max).prop_map(|bytes| String::from_utf8(bytes).unwrap().into()))
}

fn any_motor() -> impl Strategy<Value = Motor> {
    select(&[Motor::Ok, Motor::Open, Motor::OverCurrent, Motor::Timeout, Motor::Absent])
}

fn any_outcome() -> impl Strategy<Value = UnitOutcome> {
    let sensor = select(&[DropSensor::Seen, DropSensor::NotSeen, DropSensor::None]);
    prop_oneof![
        any_motor().prop_map(UnitOutcome::Dispensed),
        Just(UnitOutcome::DispensedUnverified),
        (any_motor(), sensor).prop_map(|(motor, sensor)| UnitOutcome::NotDispensed(motor, sensor)),
        Just(UnitOutcome::NoDrop),
        select(&[Reason::Expired, Reason::Invalid]).prop_map(UnitOutcome::Refused),
        Just(UnitOutcome::Unknown),
    ]
}

fn any_unit() -> impl Strategy<Value = Unit> {
    let reference = vec(any::<u8>(), 0..=Reference::BYTES_MAX).prop_map(Reference);
    prop_oneof![
        Just(Unit::Waiting),
        (any::<u64>(), any::<[u8; 16]>(), reference).prop_map(|(sequence, boot_id, reference)| {
            Unit::Intent(Intent { sequence, boot_id: BootId(boot_id), reference })
        }),
        any_outcome().prop_map(Unit::Done),
    ]
}

fn any_copy() -> impl Strategy<Value = Copy> {
    (any::<u32>(), any::<u16>(), 0..4).prop_map(|(attempts, status, kind)| match kind {
        0 => Copy::None,
        1 => Copy::Pending { attempts },
        2 => Copy::Settled { attempts },
        _ => Copy::Dead { attempts, reason: DeadReason::Status(status) },
    })
}

fn any_report() -> impl Strategy<Value = Report> {
    let units = vec(any_outcome(), 1..=usize::from(QUANTITY_MAX));
    (any::<u32>(), any::<u64>(), units, any_copy(), any_copy())
        .prop_map(|(sequence, timestamp_s, units, http, mqtt)| Report { sequence, timestamp_s, units, http, mqtt })
}

fn any_turns() -> impl Strategy<Value = Turns> {
    let floor_type = select(&[FloorType::Spring, FloorType::Lock, FloorType::Belt]);
    let flags = (any::<bool>(), any::<bool>());
    (1..=Address::MAX, any::<u16>(), floor_type, flags, 1..=QUANTITY_MAX).prop_map(
        |(address, slot, floor_type, (lift, drop_check), quantity)| Turns {
            address: Address::new(address).unwrap(),
            slot: Slot(slot),
            floor_type,
            lift,
            drop_check,
            quantity,
        },
    )
}

fn any_refund() -> impl Strategy<Value = Refund> {
    prop_oneof![Just(Refund::No), Just(Refund::Asked), Just(Refund::Owed)]
}

fn any_sync() -> impl Strategy<Value = Sync> {
    let differs = proptest::sample::select(&Difference::ALL[..]).prop_map(Sync::Differs);
    prop_oneof![Just(Sync::No), any::<u8>().prop_map(|answers| Sync::Asking { answers }), Just(Sync::Agreed), differs]
}

fn any_order() -> impl Strategy<Value = Order> {
    let echo = (any_text(ECHO_BYTES_MAX), any_text(ECHO_BYTES_MAX), any_text(ECHO_BYTES_MAX), any_text(ECHO_BYTES_MAX))
        .prop_map(|(delivery_id, trade_id, machine_id, msg_id)| Echo { delivery_id, trade_id, machine_id, msg_id });
    let arrival = (any::<u64>(), any::<u64>(), any::<[u8; 16]>(), option::of(any::<u64>())).prop_map(
        |(wall, boot, boot_id, trusted)| Arrival {
            wall: UnixMs(wall),
            boot: BootMs(boot),
            boot_id: BootId(boot_id),
            trusted: trusted.map(UnixMs),
        },
    );
    let texts = (any_id(), any_id(), any_text(NOTIFY_URL_BYTES_MAX), echo);
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<[u8; 16]>());
    let work = (option::of(any_turns()), vec(any_unit(), 1..=usize::from(QUANTITY_MAX)), vec(any_report(), 0..3));
    (texts, numbers, arrival, work, (any_refund(), any_sync()), any::<(bool, bool, Option<u64>)>()).prop_map(
        |(
            (order_id, record_id, notify_url, echo),
            numbers,
            arrival,
            (turns, units, reports),
            (refund, sync),
            flags,
        )| Order {
            key: Key { order_id, record_id },
            arrival_number: numbers.0,
            arrival,
            issued_at_s: numbers.1,
            drive_until_s: numbers.2,
            notify_url,
            echo,
            digest: BodyDigest(numbers.3),
            turns,
            units,
            reports,
            refund,
            sync,
            resolved_by_person: flags.0,
            shrunk: flags.1,
            amount: flags.2.map(Fen),
        },
    )
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn every_order_within_the_limits_comes_back_from_its_record(order in any_order()) {
        let bytes = encode_order(&order).unwrap();
        prop_assert_eq!(decode_order(&order.key.to_bytes(), &bytes), Ok(order));
        decoders::journal_record(&bytes);
    }

    #[test]
    fn a_changed_byte_of_a_record_never_breaks_the_reader(
        order in any_order(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode_order(&order).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        decoders::journal_record(&bytes);
    }
}

#[test]
fn a_record_with_an_address_that_no_board_has_is_not_read() {
    let turns = Turns {
        address: Address::new(8).unwrap(),
        slot: Slot(0xAB),
        floor_type: FloorType::Spring,
        lift: false,
        drop_check: false,
        quantity: 1,
    };
    let mut bytes = postcard::to_allocvec(&turns).unwrap();
    assert_eq!(postcard::from_bytes(&bytes), Ok(turns));
    for address in [0, 9, 255] {
        bytes[0] = address;
        assert!(postcard::from_bytes::<Turns>(&bytes).is_err(), "{address}");
    }
}
