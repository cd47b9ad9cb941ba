//! What stands on the wire of a family whose host asks and whose board says what *is*, not what became of a command:
//! the words that [`Asked`](super::asked::Asked) speaks without knowing their bytes, and the judgement that turns two
//! pictures of a board into evidence.

use super::profile::{Profile, Timing};
use super::protocol::{Fit, Turn};
use super::service::{Reading, Service};
use crate::order::outcome::{Evidence, Reason};

/// What the host asks of one board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// What do you say at rest? Part 0 … [`Words::look_parts`] − 1.
    Look(u8),
    /// What do you say that this turn changes? Part 0 … [`Words::follow_parts`] − 1.
    Follow(Turn, u8),
    /// Who are you? Part 0 … [`Words::IDENTITY_PARTS`] − 1.
    Identity(u8),
    /// Turn a motor, open a lock.
    Drive(Turn),
    /// Stand still: what follows [`Verdict::Halt`].
    Halt,
    /// Something beside a vend, of what [`Words::serves`]. Part 0 … [`Words::service_parts`] − 1.
    Service(Service, u8),
}

/// What a board answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<L> {
    /// To [`Question::Look`], [`Question::Follow`] and [`Question::Halt`]: this part of the picture.
    Look(L),
    /// To [`Question::Drive`]: taken.
    Taken,
    /// To [`Question::Drive`]: not taken, the motor stays. To [`Question::Service`]: no.
    Refused(Reason),
    /// To [`Question::Drive`]: says nothing certain; what is asked next decides.
    Unclear,
    /// To [`Question::Identity`].
    Identity(String),
    /// To [`Question::Service`].
    Reading(Reading),
}

/// A frame that answers no question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unasked<L> {
    /// The board tells a part of the picture by itself.
    Look(L),
    /// Something changed: the board has to be asked.
    Changed,
    /// The board has started anew.
    Restarted,
}

/// What was seen of a command beside the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The board said that it took the command.
    pub taken: bool,
    /// A picture showed the motor turning.
    pub turning: bool,
    /// The board started anew since the command: what is unchanged proves nothing.
    pub restarted: bool,
    /// The command was written in an earlier life of the agent, if at all.
    pub resumed: bool,
    /// The command left in part only: a board that did nothing may not have understood it.
    pub cut_short: bool,
    /// Since the command was written, or since it was resumed, in ms.
    pub since_ms: u64,
    /// The longest time since then without a whole picture, in ms: what may have come and gone unseen.
    pub blind_ms: u64,
    /// Since the motor was last seen turning, a question got no frame for an answer, or the port was away: the board may
    /// have started anew, where its first picture looks like a result.
    pub was_silent: bool,
    /// The last question got no answer: what the board said is not what it says now.
    pub is_silent: bool,
    /// The longest vend time is over: this judgement is the last.
    pub is_over: bool,
}

/// What two pictures say of the command between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Waiting,
    /// The motor turns.
    Turning,
    /// Where the host ends a turn: it is time to. The judgement comes again when the motor stands still.
    Halt,
    /// It is over, and only this command can have done it.
    Ended(Evidence),
    /// Nothing can be proven; the text says why, for people.
    CannotTell(&'static str),
}

/// What stands on the wire, and what it proves.
pub trait Words: Send {
    /// What one board says of itself; the default is *nothing yet*.
    type Look: Clone + Default + Send;

    /// How many [`Question::Identity`] parts there are.
    const IDENTITY_PARTS: u8;
    /// Replies do not say which board speaks, or an old picture would be mistaken for a new one: after a time-out, and
    /// when the port is opened, the line is left alone for a reply time, so that a late answer is not taken for another
    /// question's.
    const REPLIES_ARE_ANONYMOUS: bool;

    /// An answer names neither turn nor time, and one picture is enough to end a turn. So after an answer that did not
    /// come a result counts only when two pictures in a row say it: the one that is missing may come at any time, in
    /// the place of another.
    const MISSING_ANSWERS_ARE_FEARED: bool = false;

    /// A picture at rest means that no motor of the board turns. Otherwise, what may still turn from an earlier life
    /// has ended only after the longest vend time.
    const TELLS_REST: bool = true;
    /// The board tells a result once and unasked. Then every reply must name its question, since nothing that came
    /// before one is thrown away.
    const PUSHES: bool = false;
    /// The board starts a motor, and the host ends its turn. So a motor must not turn unseen: it is told to stand still
    /// when the port has come back, and when [`Words::must_halt`] says so; and the picture at rest begins with that too,
    /// so a turn that cannot be judged any more is not watched on.
    const HOST_ENDS_TURN: bool = false;
    /// Before the command the board is only looked at: it may leave [`Question::Follow`] unanswered while it has
    /// nothing to tell of that turn.
    const CHECKS_BY_LOOKING: bool = false;

    /// What the profile says about the family's switches.
    fn new(profile: &Profile) -> Self;
    /// What was kept with the last command that was ever journaled: numbers go on from there.
    fn last_kept(&mut self, _bytes: &[u8]) {}

    /// How many questions make the whole picture of a board at rest; at least 1.
    fn look_parts(&self) -> u8 {
        1
    }
    /// How many questions make the part of the picture that one turn changes; at least 1.
    fn follow_parts(&self) -> u8 {
        1
    }
    /// How many questions a service takes; at least 1.
    fn service_parts(&self, _service: &Service) -> u8 {
        1
    }
    /// The answer to the motor command comes within this time; with nothing it has none that could be waited for, and
    /// only what is asked next can tell.
    fn drive_reply_ms(&self, timing: &Timing) -> Option<u64> {
        Some(timing.reply_ms)
    }
    /// Where the host ends a turn: it is time to, whatever the next picture would show. Asked when a question was left
    /// unanswered.
    fn must_halt(&self, _seen: &Seen) -> bool {
        false
    }
    /// The cable gives back what we say.
    fn echoes(&self) -> bool {
        false
    }

    /// Whether the family has a frame for this.
    fn serves(&self, service: &Service) -> bool;
    /// The frame that asks the board at this wire address. `tries` questions before it had no answer.
    fn request(&mut self, wire_address: u8, question: &Question, tries: u8) -> Vec<u8>;
    /// Whether `bytes` begin with any frame of the family.
    fn fit(&self, bytes: &[u8]) -> Fit;
    /// The meaning of a whole frame as the answer to this question, if it can be that.
    fn reply(&self, wire_address: u8, question: &Question, frame: &[u8]) -> Option<Answer<Self::Look>>;
    /// The board at this wire address sent this good frame. Says whether it is news for the board's identity.
    fn heard(&mut self, _wire_address: u8, _frame: &[u8]) -> bool {
        false
    }
    /// The meaning of a whole frame that answers nothing, if it is this board's.
    fn unasked(&self, _wire_address: u8, _frame: &[u8]) -> Option<Unasked<Self::Look>> {
        None
    }

    /// Adds a part to a picture.
    fn absorb(&self, look: &mut Self::Look, part: Self::Look);
    /// No motor may be turning.
    fn rests(&self, look: &Self::Look) -> bool;
    /// Between these two pictures of a board the board started anew.
    fn restarted(&self, _before: &Self::Look, _now: &Self::Look) -> bool {
        false
    }
    /// What of a picture at rest is kept with the intent for this turn, in at most [`KEPT_BYTES_MAX`] bytes.
    fn keep(&self, look: &Self::Look, turn: &Turn) -> Vec<u8>;
    /// The picture that was kept, as far as it was.
    fn kept(&self, bytes: &[u8], turn: &Turn) -> Option<Self::Look>;
    /// Whether the command may go out now: asked of the newest picture, with what was kept of the one before.
    ///
    /// # Errors
    /// The reason to tell when it may not: its effect could not be told from what is there already.
    fn ready(&self, kept: &Self::Look, now: &Self::Look, turn: &Turn) -> Result<(), Reason>;
    /// The command has ended with this picture, and the verdict is told.
    fn ended(&mut self, _turn: &Turn, _now: &Self::Look) {}
    /// What became of the command: what the board said before it, what it says since, and what was seen meanwhile.
    fn judge(&self, turn: &Turn, before: &Self::Look, now: &Self::Look, seen: &Seen) -> Verdict;
}

/// What a family may keep of a picture: the rest of a reference is the mark that the board was heard.
pub const KEPT_BYTES_MAX: usize = super::driver::Reference::BYTES_MAX - 1;
