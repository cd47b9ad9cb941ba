//! The proof that the proof can fail: every clause of every rule is taken out once, and something must notice.
//!
//! What the simulation can see, it must find within [`SEEDS_MAX`] seeds from 0 on. What it cannot see is shown by a
//! test that is named here, and that fails when the clause is out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says by panicking what is wrong")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;
use vend::sabotage::Clause;
use vend::sim::world::{Broken, Plan, Story, run, run_without};

/// No clause may hide from more seeds than this.
const SEEDS_MAX: u64 = 5_000;
/// The unit test that only a build with switches has.
const TEST_OF_THE_SWITCHES: &str = "a_clause_is_out_on_one_thread_and_only_while_its_guard_lives";
/// A unit test that waits for ever under a switch has noticed it too, after this time.
const TEST_ENDS_WITHIN: Duration = Duration::from_secs(60);

/// What notices that a clause is out.
#[derive(Debug, Clone, Copy)]
enum By {
    /// The simulation.
    Simulation,
    /// A unit test of the library, since the simulated world has no such thing.
    Test(&'static str),
}

use By::{Simulation, Test};

/// Every clause and what notices that it is out.
const TABLE: &[(Clause, By)] = &[
    (Clause::R00AckAfterDurable, Simulation),
    (Clause::R00ReportAfterDurable, Simulation),
    (Clause::R00AckOnItsConnection, Simulation),
    (Clause::R00NotDrivenAgain, Simulation),
    (Clause::R00OutboxKept, Simulation),
    (Clause::R00MarkNamedByJournal, Simulation),
    (Clause::R00MarkOfThisBoot, Simulation),
    (Clause::R00MarkBeginsHigh, Simulation),
    (Clause::R00MarkBeforeFrame, Simulation),
    (
        Clause::R00InstructionAllowed,
        Test("nothing_that_changes_the_machine_is_followed_unless_the_configuration_allows_it"),
    ),
    (Clause::R00InstructionFresh, Test("an_instruction_is_taken_only_while_it_is_fresh_by_trusted_time")),
    (Clause::R00InstructionNewer, Simulation),
    (Clause::R00ResetWhenSettled, Test("a_factory_reset_is_refused_while_anything_is_owed_and_forgets_no_key")),
    (Clause::R00ActWaitsForOrders, Simulation),
    (Clause::R00ActHoldsTheLine, Test("while_the_machine_is_about_to_go_orders_are_kept_and_not_driven")),
    (Clause::R00ActAfterDurable, Simulation),
    (Clause::R00ActAskedWhenDurable, Simulation),
    (Clause::R00ActOnce, Simulation),
    (Clause::R01WrittenAgain, Simulation),
    (Clause::R01NothingBefore, Simulation),
    (
        Clause::R01LeadSynced,
        Test("what_a_killed_process_wrote_and_did_not_sync_is_durable_before_anything_is_written_after_it"),
    ),
    (
        Clause::R01BatchBeforeSecond,
        Test("rule_01_the_second_file_waits_for_sleds_batch_and_a_batch_that_was_only_seen_is_written_again"),
    ),
    (Clause::R02LongFieldsLeftOut, Test("a_field_out_of_range_refuses_the_order_under_its_key")),
    (Clause::R02BlobFileFails, Test("a_blob_file_that_appears_is_a_failure_and_at_the_next_start_damage")),
    (Clause::R03DigestChecked, Test("rule_03_a_record_dropped_doubled_or_put_back_is_noticed")),
    (
        Clause::R03SecondFileAhead,
        Test("rule_03_a_second_file_ahead_of_the_journal_is_noticed_and_one_behind_is_normal"),
    ),
    (Clause::R03HoleNoticed, Test("a_commit_in_the_lead_that_is_not_whole_while_a_later_one_is_there_is_damage")),
    (Clause::R03HalfKept, Test("a_half_that_sled_does_not_have_for_good_is_not_written_over")),
    (Clause::R04MarkerMissed, Test("rule_04_without_a_marker_a_used_journal_is_damage")),
    (Clause::R05NothingAcknowledged, Simulation),
    (Clause::R05LineLeftAlone, Simulation),
    (
        Clause::R05UnavailableSaid,
        Test("rule_05_in_quarantine_nothing_is_acknowledged_driven_or_released_and_get_says_unavailable"),
    ),
    (
        Clause::R05ElsewhereDoubted,
        Test("rule_05_a_journal_that_lies_elsewhere_is_in_doubt_until_it_is_back_or_a_person_says_otherwise"),
    ),
    (Clause::R05QuarantineLasts, Test("a_quarantine_ends_when_a_person_says_why_and_not_before")),
    (Clause::R06BirthBarrier, Test("rule_06_a_command_issued_before_the_journals_birth_is_never_driven")),
    (Clause::R06OldSession, Test("rule_06_what_an_old_session_redelivers_to_a_new_journal_is_never_driven")),
    (Clause::R07FailureBelieved, Simulation),
    (Clause::R07NothingAccepted, Test("rule_07_after_a_failure_not_even_what_needs_no_disk_is_acknowledged")),
    (Clause::R07NothingDriven, Test("rule_07_a_commit_that_answers_after_the_journal_failed_drives_nothing")),
    (Clause::R07NotTriedAgain, Test("a_failed_sync_poisons_for_ever_and_is_never_tried_again")),
    (
        Clause::R07SpaceAwaited,
        Test("rule_07_without_space_new_commands_wait_unacknowledged_and_go_on_when_there_is_room"),
    ),
    (Clause::R08OneProcess, Test("rule_08_only_one_store_works_in_a_state_directory")),
    (Clause::R09RefusalTakesKey, Simulation),
    (Clause::R09RefusalDurable, Simulation),
    (
        Clause::R09ReserveKept,
        Test("rule_26_beyond_20000_open_reports_a_command_is_refused_and_beyond_the_reserve_it_waits"),
    ),
    (Clause::R10KeyKnown, Simulation),
    (Clause::R10OtherBodyConflicts, Test("rule_10_the_same_key_with_another_body_is_a_conflict_and_never_a_result")),
    (Clause::R10FirstBodyStays, Simulation),
    (Clause::R10FirstUrlStays, Test("rule_10_the_first_notify_url_stays")),
    (
        Clause::R10FirstDeadlineStays,
        Test("rule_10_another_time_or_message_id_is_a_duplicate_and_the_first_deadline_stays"),
    ),
    (Clause::R10ConflictWithoutResult, Test("rule_10_the_same_key_with_another_body_is_a_conflict_and_never_a_result")),
    (Clause::R11SignatureVerified, Test("rule_11_a_wrong_signature_or_another_machine_leaves_nothing_but_a_count")),
    (Clause::R11ThisMachineOnly, Test("rule_11_a_wrong_signature_or_another_machine_leaves_nothing_but_a_count")),
    (Clause::R11RingBounded, Test("rule_11_a_wrong_signature_or_another_machine_leaves_nothing_but_a_count")),
    (Clause::R12KeptLongEnough, Simulation),
    (Clause::R12IssueTimeKept, Simulation),
    (Clause::R12StaleRefused, Test("rule_12_an_unknown_key_as_old_as_the_oldest_that_was_forgotten_is_stale")),
    (Clause::R13UnreadableAcknowledged, Simulation),
    (Clause::R14IntentAfterRelease, Simulation),
    (Clause::R14FoundBeforeIsFormer, Test("rule_14_a_result_found_before_the_motor_command_is_an_older_turns")),
    (
        Clause::R14ReleasedWhenDurable,
        Test("rule_14_the_next_intent_waits_until_the_result_is_durable_released_and_the_board_idle"),
    ),
    (Clause::R14SlotCompared, Test("rule_14_a_late_result_of_another_slot_corrects_nothing")),
    (
        Clause::R14FormerRestored,
        Test("rule_14_a_command_that_never_reached_the_board_does_not_take_over_a_held_result"),
    ),
    (Clause::R15NotResentPolled, Simulation),
    (Clause::R15NotResentXy, Simulation),
    (Clause::R15NumbersGoOn, Test("rule_15_numbers_go_on_from_the_last_one_that_was_journaled")),
    (
        Clause::R16AwaitedPolled,
        Test("the_line_settles_only_after_the_longest_vend_when_an_unanswered_command_met_an_idle_board"),
    ),
    (
        Clause::R16AwaitedAsked,
        Test("lock_cu::tests::rule_16_a_latch_that_opens_late_is_not_credited_to_the_next_lifes_command"),
    ),
    (Clause::R16AwaitedTcn, Test("tcn_a_late_reply_is_late_evidence_and_not_the_next_commands")),
    (Clause::R16AwaitedXy, Test("xy_a_late_result_is_late_evidence_and_not_the_next_commands")),
    (Clause::R16Drained, Test("xy_says_its_request_in_the_first_poll_and_never_out_of_turn")),
    (Clause::R17IdleProvesNothing, Simulation),
    (
        Clause::R18SomeMayBeHeard,
        Test("adh::tests::a_motor_frame_of_which_nothing_was_written_is_refused_and_of_which_some_was_is_not"),
    ),
    (Clause::R18LostPortProvesNothing, Simulation),
    (Clause::R19IntentDurableFirst, Simulation),
    (Clause::R20IdleAfterTurning, Simulation),
    (Clause::R20RestartNoticed, Test("an_xy_restart_in_mid_vend_ends_the_wait_at_once")),
    (Clause::R21Bounded, Test("rule_21_recovery_ends_in_unknown_and_later_evidence_corrects_it")),
    (Clause::R21Patient, Test("rule_21_recovery_ends_in_unknown_and_later_evidence_corrects_it")),
    (Clause::R21Corrected, Test("rule_21_recovery_ends_in_unknown_and_later_evidence_corrects_it")),
    (Clause::R22FinalFrameDurable, Test("rule_22_xy_acknowledges_a_result_only_when_it_is_durable")),
    (Clause::R23RestRefused, Simulation),
    (Clause::R23OneByOne, Simulation),
    (Clause::R23EachUnitExpires, Simulation),
    (Clause::R24SequenceRises, Simulation),
    (Clause::R24BodyFrozen, Simulation),
    (Clause::R24CorrectedOnce, Simulation),
    (Clause::R24CorrectionWaits, Test("rule_24_a_correction_comes_once_and_a_report_is_frozen_when_it_is_first_sent")),
    (Clause::R24PersonStands, Test("rule_24_nothing_corrects_what_a_person_decided")),
    (Clause::R25NotWhenDispensed, Simulation),
    (Clause::R25NotWhenUnknown, Simulation),
    (Clause::R26OrdersBounded, Test("rule_26_beyond_1024_open_orders_a_command_is_refused_busy")),
    (
        Clause::R26ReportsBounded,
        Test("rule_26_beyond_20000_open_reports_a_command_is_refused_and_beyond_the_reserve_it_waits"),
    ),
    (Clause::R27Deadline, Simulation),
    (Clause::R27TwentyMinutes, Test("the_motor_must_stand_after_the_earlier_of_expiry_and_twenty_minutes")),
    (Clause::R27AskedWhenDurable, Test("rule_27_a_slow_sync_cannot_make_an_expired_order_turn")),
    (Clause::R27LateAsked, Simulation),
    (Clause::R27SilenceHolds, Test("rule_27_a_late_order_is_driven_only_when_the_cloud_says_so")),
    (Clause::R27DenialRefuses, Simulation),
    (Clause::R28NotTrusted, Simulation),
    (Clause::R28AgeByBoot, Test("rule_28_after_a_reboot_an_order_waits_for_trusted_time_and_then_expires")),
    (Clause::R28RebootForgets, Simulation),
    (
        Clause::R28HighestStands,
        Test("rule_28_the_highest_time_rises_only_from_trusted_time_and_two_witnesses_lower_it"),
    ),
    (Clause::R29PausesOnBoot, Simulation),
    (Clause::R30OwnUnnamed, Test("rule_30_no_message_can_name_what_the_machine_made_itself")),
    (Clause::R30NotForTheAbsent, Simulation),
    (Clause::R31UsedWithOrder, Simulation),
    (Clause::R31ToldWhenDurable, Simulation),
    (Clause::R31UsedForEver, Simulation),
    (Clause::R31OlderIgnored, Test("rule_31_the_newest_word_about_a_code_counts_and_an_older_one_changes_nothing")),
    (Clause::R32Expires, Simulation),
    (Clause::R32NotOfAFormerLife, Test("rule_32_a_code_that_may_be_of_a_former_life_is_not_believed")),
    (Clause::R33WrongCodesPause, Test("rule_33_after_five_wrong_codes_nothing_is_looked_at_for_a_growing_while")),
    (Clause::R33PauseOutlivesRestart, Test("rule_33_a_restart_gives_no_further_try_and_begins_the_pause_anew")),
    (Clause::R34UsedIsTold, Simulation),
    (Clause::R34ToldAtUse, Test("rule_34_a_code_is_told_as_soon_as_it_is_used_and_again_after_any_cut")),
    (Clause::R35OrdersFirst, Simulation),
    (Clause::R35EndsWithItsLife, Simulation),
    (Clause::R35ToldToNobody, Simulation),
    (Clause::R40CallAfterDurable, Simulation),
    (Clause::R41CallsKept, Simulation),
    (Clause::R42SubjectInOrder, Test("rule_42_calls_about_one_subject_leave_in_their_order_and_others_do_not_wait")),
    (Clause::R43CallsBounded, Test("rule_43_beyond_the_open_calls_an_order_is_refused_and_a_state_is_left_out")),
    (Clause::R44ResultsAsked, Simulation),
    (Clause::R45Spread, Test("rule_45_a_thousand_results_of_an_offline_day_are_spread_over_an_hour")),
    (Clause::R46SyncSurvives, Simulation),
    (Clause::R47ReportRepeated, Test("rule_47_what_may_mend_a_difference_is_done_once_more_and_then_it_stands")),
    (Clause::R48WholeOrder, Test("rule_48_an_order_is_refunded_only_when_nothing_of_any_of_its_records_may_have_left")),
    (Clause::R50AskedWhenDurable, Test("rule_50_an_order_is_asked_for_only_when_its_sale_is_durable")),
    (Clause::R50CreateOnce, Test("rule_50_an_order_whose_answer_was_lost_is_never_made_twice")),
    (Clause::R51ShownWhenDurable, Test("rule_51_a_pay_code_is_shown_only_when_its_orders_number_is_durable")),
    (Clause::R52PaidWithOrder, Test("rule_52_a_cut_at_any_commit_leaves_both_payment_and_order_or_neither")),
    (Clause::R52OrderOnce, Test("rule_52_an_order_that_was_sold_before_is_not_served_again")),
    (Clause::R53AmountsAgree, Test("rule_53_an_order_of_another_amount_is_never_shown_and_what_was_paid_goes_back")),
    (Clause::R54LateNotServed, Test("rule_54_a_payment_found_after_a_long_cut_goes_back")),
    (Clause::R54RefundAsked, Test("rule_54_a_refused_refund_stands_for_a_person_until_one_settles_it")),
    (
        Clause::R54RefusalAsked,
        Test("rule_54_a_refund_that_was_taken_and_not_written_down_is_found_by_the_orders_status"),
    ),
    (Clause::R54AskedWhereMade, Test("rule_54_an_order_of_another_cloud_is_neither_asked_about_nor_paid_back_here")),
    (Clause::R55CloseAsked, Test("rule_55_a_close_is_no_end_until_the_cloud_has_said_since_that_the_order_is_closed")),
    (Clause::R55Watched, Test("rule_55_a_sale_that_was_given_up_is_closed_and_watched_for_two_hours")),
    (Clause::R56UnknownStands, Test("rule_56_an_unknown_end_stands_for_a_person_or_goes_back")),
    (Clause::R57Reported, Test("rule_57_each_sale_ends_in_one_final_report")),
    (Clause::R58NotFromOutside, Test("rule_58_no_message_has_an_order_driven_that_a_sale_has_made")),
    (Clause::R59AmountCompared, Simulation),
    (Clause::R60NotWhileItMayTurn, Test("rule_60_a_persons_word_waits_until_the_motor_cannot_turn_any_more")),
    (Clause::R60Audited, Test("rule_60_a_persons_word_its_audit_entry_and_the_report_are_one_batch")),
    (Clause::R61RetriedWhenDurable, Test("rule_61_a_dead_letter_leaves_again_only_when_that_is_durable")),
];

/// The first seed from 0 on whose run breaks the promise, and how.
fn first_found(clause: Clause) -> Option<(u64, Broken)> {
    let (next, first) = (AtomicU64::new(0), Mutex::new(None::<(u64, Broken)>));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SEEDS_MAX {
                        return;
                    }
                    if let Some(broken) = run_without(&Plan::of_seed(seed), clause, Story::default()).broken {
                        next.fetch_max(SEEDS_MAX, Ordering::Relaxed);
                        let mut first = first.lock().unwrap();
                        if first.as_ref().is_none_or(|(earlier, _)| seed < *earlier) {
                            *first = Some((seed, broken));
                        }
                    }
                }
            });
        }
    });
    first.into_inner().unwrap()
}

#[test]
fn every_clause_is_in_the_table_once_and_every_rule_has_one() {
    let listed: Vec<Clause> = TABLE.iter().map(|(clause, _)| *clause).collect();
    assert_eq!(listed, Clause::ALL, "the table and the clauses differ");
    for rule in (1..=35).chain(40..=48) {
        assert!(listed.iter().any(|clause| clause.rule() == rule), "rule {rule} has no clause");
    }
}

#[test]
fn the_simulation_finds_every_clause_that_it_can_see() {
    // `WITHOUT=R14` tries the clauses whose names begin so, those too that only a test shows so far.
    let wanted = std::env::var("WITHOUT").ok();
    let mut missed = Vec::new();
    println!("{:>4}  {:<26} {:>5}  what the judge said", "rule", "without", "seed");
    for &(clause, by) in TABLE {
        let wanted = wanted.as_ref().map_or(matches!(by, Simulation), |begin| clause.name().starts_with(begin));
        if !wanted {
            continue;
        }
        let Some((seed, broken)) = first_found(clause) else {
            println!("{:>4}  {:<26} {:>5}  NOT FOUND in {SEEDS_MAX} seeds", clause.rule(), clause.name(), "-");
            missed.push(clause.name());
            continue;
        };
        println!("{:>4}  {:<26} {seed:>5}  {broken}", clause.rule(), clause.name());
        let whole = run(&Plan::of_seed(seed), Story::default()).broken;
        assert_eq!(whole, None, "seed {seed} fails without sabotage too, so it shows nothing");
    }
    assert!(missed.is_empty(), "not found by the simulation: {missed:?}");
}

/// The library's unit tests as this build made them: every test's full name, and the program that has it.
fn lib_tests() -> (PathBuf, Vec<String>) {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let is_ours = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("vend-") && path.extension().is_none() && path.is_file()
    };
    let mut programs: Vec<PathBuf> =
        std::fs::read_dir(deps).unwrap().map(|entry| entry.unwrap().path()).filter(|path| is_ours(path)).collect();
    programs.sort_by_key(|path| std::cmp::Reverse(path.metadata().and_then(|meta| meta.modified()).unwrap()));
    for program in programs {
        let list = Command::new(&program).arg("--list").output().unwrap();
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        let tests: Vec<String> =
            list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect();
        if !named(&tests, TEST_OF_THE_SWITCHES).is_empty() {
            return (program, tests);
        }
    }
    panic!("the library's unit tests are not built beside this one: use `make sabotage`");
}

/// The full names that end in this one, whole parts of it.
fn named<'t>(tests: &'t [String], name: &str) -> Vec<&'t str> {
    let is_named = |full: &&str| full.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with("::"));
    tests.iter().map(String::as_str).filter(is_named).collect()
}

/// Whether the test ends well, without this clause or (`None`) with all of them.
fn passes(program: &Path, full_name: &str, without: Option<Clause>) -> bool {
    let mut command = Command::new(program);
    command.args(["--exact", full_name]).stdout(Stdio::null()).stderr(Stdio::null());
    match without {
        Some(clause) => command.env("SABOTAGE", clause.name()),
        None => command.env_remove("SABOTAGE"),
    };
    let mut child = command.spawn().unwrap();
    let id = child.id();
    let (done, ended) = mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let _ = done.send(());
        child.wait().unwrap().success()
    });
    // The waiter says when it begins; then it ends by itself, or it is ended.
    ended.recv().unwrap();
    let (done, ended) = mpsc::channel();
    let watcher = std::thread::spawn(move || {
        if ended.recv_timeout(TEST_ENDS_WITHIN) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        }
    });
    let passed = waiter.join().unwrap();
    let _ = done.send(());
    watcher.join().unwrap();
    passed
}

#[test]
fn what_the_simulation_cannot_see_is_noticed_by_the_test_that_is_named() {
    let (program, tests) = lib_tests();
    let mut unnoticed = Vec::new();
    println!("{:>4}  {:<26} shown by", "rule", "without");
    for &(clause, by) in TABLE {
        let Test(name) = by else { continue };
        let [full_name] = named(&tests, name)[..] else {
            panic!("{}: not one unit test {name}, but {:?}", clause.name(), named(&tests, name));
        };
        assert!(passes(&program, full_name, None), "{name} fails with all clauses in");
        let noticed = !passes(&program, full_name, Some(clause));
        println!(
            "{:>4}  {:<26} {full_name}{}",
            clause.rule(),
            clause.name(),
            if noticed { "" } else { ": NOT NOTICED" }
        );
        if !noticed {
            unnoticed.push(clause.name());
        }
    }
    assert!(unnoticed.is_empty(), "noticed by nobody: {unnoticed:?}");
}
