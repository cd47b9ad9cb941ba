//! Switches that take one clause of a rule out of the code, to prove that the simulation, or a test, misses it.
//!
//! A proof that cannot fail proves nothing. `tests/sabotage.rs` runs the simulation once for each [`Clause`] without
//! it and expects that the promise breaks. The switches exist with the feature `sabotage` alone, which the shipped
//! binary never has: without it [`is_out`] is constantly false, and the compiler removes every trace.

#[cfg(feature = "sabotage")]
use std::cell::Cell;

macro_rules! clauses {
    ($($(#[doc = $doc:literal])+ $rule:literal $name:ident,)+) => {
        /// What a rule of `docs/order-life.md` demands, named by the number of the rule (00: the states and
        /// the machine itself, which stand above all rules) and by what holds while it is in.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Clause {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Clause {
            /// All of them, by rule.
            pub const ALL: &[Clause] = &[$(Clause::$name,)+];

            /// The number of its rule; 0 for the states.
            #[must_use]
            pub const fn rule(self) -> u8 {
                match self {
                    $(Clause::$name => $rule,)+
                }
            }

            /// Its name, as it is written.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Clause::$name => stringify!($name),)+
                }
            }
        }
    };
}

clauses! {
    /// A command is acknowledged only when it is durable.
    0 R00AckAfterDurable,
    /// A report leaves only when it is durable.
    0 R00ReportAfterDurable,
    /// An acknowledgement leaves on the connection that brought the message, or never.
    0 R00AckOnItsConnection,
    /// A unit that was on the line when the last life ended is asked about, not driven again.
    0 R00NotDrivenAgain,
    /// Reports that were not settled are sent again after a restart.
    0 R00OutboxKept,
    /// A mark of another journal, or of another life of it, proves nothing.
    0 R00MarkNamedByJournal,
    /// A mark of another boot proves nothing.
    0 R00MarkOfThisBoot,
    /// A mark that begins to count calls no older intent unwritten.
    0 R00MarkBeginsHigh,
    /// The mark is written before the first byte.
    0 R00MarkBeforeFrame,
    /// What the platform may have the machine do to itself stands in the configuration.
    0 R00InstructionAllowed,
    /// An instruction that is no longer fresh is not followed.
    0 R00InstructionFresh,
    /// An instruction that is not newer than the last of its kind is not followed.
    0 R00InstructionNewer,
    /// A factory reset waits until nothing is owed.
    0 R00ResetWhenSettled,
    /// The machine does nothing to itself while an order is open.
    0 R00ActWaitsForOrders,
    /// While the machine is about to go, no motor is driven.
    0 R00ActHoldsTheLine,
    /// An act leaves only after its audit entry is durable.
    0 R00ActAfterDurable,
    /// An order that came while the entry was written goes first.
    0 R00ActAskedWhenDurable,
    /// An act that may have left in an earlier life is not asked for again.
    0 R00ActOnce,
    /// What was only seen after a restart is written again.
    1 R01WrittenAgain,
    /// Nothing follows from it before it is durable.
    1 R01NothingBefore,
    /// What is seen in the lead is durable before anything is written after it.
    1 R01LeadSynced,
    /// The second file counts nothing that a batch of sled's under way may move.
    1 R01BatchBeforeSecond,
    /// Fields too long for a small record are not kept, and the command is refused.
    2 R02LongFieldsLeftOut,
    /// A blob file is a failure.
    2 R02BlobFileFails,
    /// The records are held against their digest.
    3 R03DigestChecked,
    /// A second file ahead of the journal is damage.
    3 R03SecondFileAhead,
    /// A commit in the lead that cannot be reached is damage.
    3 R03HoleNoticed,
    /// Half the lead is written over only when sled has what it held.
    3 R03HalfKept,
    /// A used journal without its marker is damage.
    4 R04MarkerMissed,
    /// In quarantine no command is acknowledged.
    5 R05NothingAcknowledged,
    /// In quarantine nothing is read from the line.
    5 R05LineLeftAlone,
    /// In quarantine a question is answered *unavailable*.
    5 R05UnavailableSaid,
    /// A journal that lies elsewhere than where it was written is in doubt.
    5 R05ElsewhereDoubted,
    /// A quarantine lasts over restarts.
    5 R05QuarantineLasts,
    /// A command issued before the journal's birth is never driven.
    6 R06BirthBarrier,
    /// What an old session redelivers to a new journal is never driven.
    6 R06OldSession,
    /// A failed sync is not taken for a good one.
    7 R07FailureBelieved,
    /// After a failure no message is taken.
    7 R07NothingAccepted,
    /// After a failure no motor is driven.
    7 R07NothingDriven,
    /// After a failure the same handle is never used again.
    7 R07NotTriedAgain,
    /// Without space a new command waits unacknowledged.
    7 R07SpaceAwaited,
    /// One process works in a state directory.
    8 R08OneProcess,
    /// A refused order takes its key.
    9 R09RefusalTakesKey,
    /// A refusal is durable before it is acknowledged and told.
    9 R09RefusalDurable,
    /// What not even the reserve can keep waits at the broker.
    9 R09ReserveKept,
    /// A key that is known starts no second order.
    10 R10KeyKnown,
    /// Another body under a known key is a conflict.
    10 R10OtherBodyConflicts,
    /// What is turned is what the first body said.
    10 R10FirstBodyStays,
    /// The first notify_url stays.
    10 R10FirstUrlStays,
    /// The first deadline stays.
    10 R10FirstDeadlineStays,
    /// A conflict is not answered with the key's result.
    10 R10ConflictWithoutResult,
    /// A signature is verified.
    11 R11SignatureVerified,
    /// A command for another machine is put aside.
    11 R11ThisMachineOnly,
    /// The ring of rejected messages is bounded.
    11 R11RingBounded,
    /// Tombstones are kept long enough.
    12 R12KeptLongEnough,
    /// The newest issue time that was forgotten is kept.
    12 R12IssueTimeKept,
    /// An unknown key that may have been forgotten is stale.
    12 R12StaleRefused,
    /// What can never be accepted is acknowledged.
    13 R13UnreadableAcknowledged,
    /// The next intent waits until the board has let go of the last result.
    14 R14IntentAfterRelease,
    /// A result found before the motor command is an older turn's.
    14 R14FoundBeforeIsFormer,
    /// A result is released only when it is durable.
    14 R14ReleasedWhenDurable,
    /// Late evidence that names a slot is for that slot's order.
    14 R14SlotCompared,
    /// An intent that was taken back leaves what the board holds to the one before.
    14 R14FormerRestored,
    /// A polled board that does not answer a motor command is not sent it again.
    15 R15NotResentPolled,
    /// An xy-v3 board that does not acknowledge a motor command is not sent it again.
    15 R15NotResentXy,
    /// Sequence numbers go on from the last journaled one.
    15 R15NumbersGoOn,
    /// After *unknown* a polled board must be idle long enough.
    16 R16AwaitedPolled,
    /// After *unknown* and a restart a board that says what is, is awaited for its longest vend.
    16 R16AwaitedAsked,
    /// After *unknown* a tcn-00ff board is awaited for its longest vend.
    16 R16AwaitedTcn,
    /// After *unknown* an xy-v3 board is awaited for its longest vend.
    16 R16AwaitedXy,
    /// The line is drained of old frames.
    16 R16Drained,
    /// After a restart an idle board never proves that it did not take the command.
    17 R17IdleProvesNothing,
    /// A motor frame of which some was written may have been heard.
    18 R18SomeMayBeHeard,
    /// A port that is lost after the motor frame proves nothing.
    18 R18LostPortProvesNothing,
    /// No motor command leaves before its intent is durable.
    19 R19IntentDurableFirst,
    /// A board that turned and is idle without a result has lost it; it did not refuse.
    20 R20IdleAfterTurning,
    /// A restart that an xy-v3 board announces ends the running command without proof.
    20 R20RestartNoticed,
    /// Recovery ends.
    21 R21Bounded,
    /// Recovery waits for port and board.
    21 R21Patient,
    /// Late evidence corrects an *unknown*.
    21 R21Corrected,
    /// A final frame is acknowledged only when it is durable.
    22 R22FinalFrameDurable,
    /// After a unit that was not dispensed the rest is refused.
    23 R23RestRefused,
    /// One outcome ends one unit.
    23 R23OneByOne,
    /// Each unit has its own expiry check.
    23 R23EachUnitExpires,
    /// Reports carry rising sequence numbers.
    24 R24SequenceRises,
    /// A report's body is frozen.
    24 R24BodyFrozen,
    /// A correction comes once, and only for *unknown*.
    24 R24CorrectedOnce,
    /// A correction waits for the report before it.
    24 R24CorrectionWaits,
    /// Nothing corrects what a person decided.
    24 R24PersonStands,
    /// No refund when a unit was dispensed.
    25 R25NotWhenDispensed,
    /// No refund when a unit is unknown.
    25 R25NotWhenUnknown,
    /// Open orders are bounded.
    26 R26OrdersBounded,
    /// Reports that are not settled are bounded.
    26 R26ReportsBounded,
    /// An order is not driven after its deadline.
    27 R27Deadline,
    /// No deadline is later than twenty minutes after the command.
    27 R27TwentyMinutes,
    /// The gate is asked again when the intent is durable.
    27 R27AskedWhenDurable,
    /// The cloud is asked about what is late.
    27 R27LateAsked,
    /// No answer of the cloud is no permission.
    27 R27SilenceHolds,
    /// What the cloud denies is refused.
    27 R27DenialRefuses,
    /// A clock that nothing vouches for is not trusted.
    28 R28NotTrusted,
    /// Within a boot the age counts by the boot clock.
    28 R28AgeByBoot,
    /// After a reboot the boot clock says nothing about the age.
    28 R28RebootForgets,
    /// One witness does not turn time back.
    28 R28HighestStands,
    /// A pause before the next try runs on the boot clock.
    29 R29PausesOnBoot,
    /// No message names an order of the machine's own.
    30 R30OwnUnnamed,
    /// What is for somebody who stands there is not driven when he has gone.
    30 R30NotForTheAbsent,
    /// A code is used in the very batch that carries its order.
    31 R31UsedWithOrder,
    /// Nothing is driven or told of it before that is durable.
    31 R31ToldWhenDurable,
    /// A used code stays used, whatever the platform sends.
    31 R31UsedForEver,
    /// An older word about a code changes nothing.
    31 R31OlderIgnored,
    /// A code is not believed after its time, nor when nobody knows the time.
    32 R32Expires,
    /// A code that may be older than the journal is not believed.
    32 R32NotOfAFormerLife,
    /// After some wrong codes nothing is believed for a while.
    33 R33WrongCodesPause,
    /// A restart does not end the pause.
    33 R33PauseOutlivesRestart,
    /// A used code is told with what became of its order.
    34 R34UsedIsTold,
    /// It is told as soon as it is used.
    34 R34ToldAtUse,
    /// A test vend is refused while an order waits.
    35 R35OrdersFirst,
    /// A test vend ends with the life that began it.
    35 R35EndsWithItsLife,
    /// A test vend is reported to nobody.
    35 R35ToldToNobody,
    /// A call leaves only when it is durable.
    40 R40CallAfterDurable,
    /// Calls that were not taken are sent again after a restart.
    41 R41CallsKept,
    /// Calls about one subject leave in their order.
    42 R42SubjectInOrder,
    /// Open calls are bounded.
    43 R43CallsBounded,
    /// After a result the cloud is asked whether it agrees.
    44 R44ResultsAsked,
    /// The questions about results are spread.
    45 R45Spread,
    /// What is asked about results survives a restart.
    46 R46SyncSurvives,
    /// A report that may mend a difference is published once more.
    47 R47ReportRepeated,
    /// No refund when another record of the platform's order was or may have been dispensed.
    48 R48WholeOrder,
    /// An order is asked for only when its sale is durable.
    50 R50AskedWhenDurable,
    /// Where nobody knows whether an order was made, none is asked for again.
    50 R50CreateOnce,
    /// A pay code is shown only when its order's number is durable.
    51 R51ShownWhenDurable,
    /// Payment and own order are one batch.
    52 R52PaidWithOrder,
    /// One order of a cloud is served once.
    52 R52OrderOnce,
    /// Order, question and price agree on the amount.
    53 R53AmountsAgree,
    /// Who is found to have paid too late is not served.
    54 R54LateNotServed,
    /// Who has paid and is not served gets the money back.
    54 R54RefundAsked,
    /// A refund that is refused for the order's status is asked about before it counts as refused.
    54 R54RefusalAsked,
    /// An order is asked about, and its money given back, only at the cloud that has made it.
    54 R54AskedWhereMade,
    /// A close is no end before the cloud, asked after it, says that it is closed.
    55 R55CloseAsked,
    /// Late payments are looked for.
    55 R55Watched,
    /// What nobody knows about goods that were paid for is not called served.
    56 R56UnknownStands,
    /// How a sale ended is told.
    57 R57Reported,
    /// No message has an order driven that a sale at the machine has made.
    58 R58NotFromOutside,
    /// A command that names another amount than the books is refused.
    59 R59AmountCompared,
    /// A person's word is not taken while the motor may still turn.
    60 R60NotWhileItMayTurn,
    /// A person's word leaves an audit entry.
    60 R60Audited,
    /// A dead letter leaves again only when that is durable.
    61 R61RetriedWhenDurable,
}

/// Whether this clause is taken out.
#[cfg(not(feature = "sabotage"))]
#[inline(always)]
#[must_use]
pub const fn is_out(_clause: Clause) -> bool {
    false
}

#[cfg(feature = "sabotage")]
thread_local! {
    /// A test binary is run as a whole without a clause by the variable `SABOTAGE`.
    static OUT: Cell<Option<Clause>> = Cell::new(named_by_environment());
}

#[cfg(feature = "sabotage")]
fn named_by_environment() -> Option<Clause> {
    let name = std::env::var("SABOTAGE").ok()?;
    Clause::ALL.iter().copied().find(|clause| clause.name() == name)
}

/// Whether this clause is taken out on this thread.
#[cfg(feature = "sabotage")]
#[must_use]
pub fn is_out(clause: Clause) -> bool {
    OUT.get() == Some(clause)
}

/// Takes a clause out on this thread while it lives.
#[cfg(feature = "sabotage")]
#[derive(Debug)]
#[must_use]
pub struct Without {
    before: Option<Clause>,
}

#[cfg(feature = "sabotage")]
impl Without {
    /// Without this clause from here on.
    pub fn new(clause: Clause) -> Without {
        Without { before: OUT.replace(Some(clause)) }
    }
}

#[cfg(feature = "sabotage")]
impl Drop for Without {
    fn drop(&mut self) {
        OUT.set(self.before);
    }
}

#[cfg(all(test, feature = "sabotage"))]
mod tests {
    use super::*;

    #[test]
    fn a_clause_is_out_on_one_thread_and_only_while_its_guard_lives() {
        let at_first = OUT.get();
        {
            let _out = Without::new(Clause::R27Deadline);
            assert!(is_out(Clause::R27Deadline) && !is_out(Clause::R27LateAsked));
            assert_eq!(std::thread::spawn(|| OUT.get()).join().unwrap(), at_first);
        }
        assert_eq!(OUT.get(), at_first);
    }
}
