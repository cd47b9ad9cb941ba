//! What stands on the wire of a family whose host asks and whose boards answer: the words that
//! [`Polled`](super::polled::Polled) speaks without knowing their bytes.

use super::driver::{MotorCommand, Slot};
use super::frame::crc16_modbus;
use super::profile::Profile;
use super::service::{Reading, Service};
use crate::order::outcome::{Evidence, Reason};

/// What the host asks of one board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// What are you doing?
    Status,
    /// Who are you? Part 0 … [`Protocol::IDENTITY_PARTS`] − 1.
    Identity(u8),
    /// Arm or disarm the drop sensor for the commands to come. Turns nothing.
    DropMode(bool),
    /// Turn a motor.
    Drive(Turn),
    /// The result is kept elsewhere; forget it.
    Forget,
    /// Something beside a vend, of what [`Protocol::serves`].
    Service(Service),
}

/// A motor command with its slot as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The slot's number on the wire.
    pub slot: u8,
    /// The command.
    pub command: MotorCommand,
}

/// What a board answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::Drive`]: taken.
    Accepted,
    /// To [`Request::Drive`]: not taken, the motor stays.
    Refused(Reason),
    /// To [`Request::Drive`]: the board failed at it; holds a result for [`Protocol::evidence`].
    Failed(u16),
    /// To [`Request::Drive`]: a code without a documented meaning. Proves nothing.
    Unclear,
    /// To [`Request::Identity`].
    Identity(String),
    /// To [`Request::DropMode`] and [`Request::Forget`].
    Done,
    /// To [`Request::Service`]; a [`Reply::Refused`] is an answer to it too.
    Reading(Reading),
}

/// What a board is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing, and it holds no result.
    Idle,
    /// A motor turns.
    Turning(Option<Slot>),
    /// A turn has ended; the result is for [`Protocol::evidence`].
    Finished(Option<Slot>, u16),
}

/// Whether bytes begin with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// A frame of this many bytes with a good check sum.
    Whole(usize),
    /// Long enough for its kind, and the check sum is wrong.
    BadCheck,
    /// No frame, or not yet a whole one.
    No,
}

impl Fit {
    /// How long the frame is, if it is whole.
    #[must_use]
    pub const fn whole_len(self) -> Option<usize> {
        match self {
            Fit::Whole(len) => Some(len),
            Fit::BadCheck | Fit::No => None,
        }
    }
}

/// What stands on the wire.
pub trait Protocol: Send {
    /// The result stays until [`Request::Forget`]; otherwise reading it has cleared it.
    const HOLDS_RESULT: bool;
    /// Replies do not say which board speaks: after a time-out, and when the port is opened, the line is left alone for
    /// a reply time, so that a late answer is not taken for another board's.
    const REPLIES_ARE_ANONYMOUS: bool;
    /// An idle board proves nothing before the longest vend time while the motor command was never answered.
    const UNANSWERED_WAITS_LONGEST_VEND: bool;
    /// How many [`Request::Identity`] parts there are.
    const IDENTITY_PARTS: u8;

    /// What the profile says about the family's switches.
    fn new(profile: &Profile) -> Self;
    /// Whether [`Request::DropMode`] exists; otherwise the command itself carries it, or the board decides.
    fn has_drop_mode(&self) -> bool;
    /// Whether the family has a frame for this.
    fn serves(&self, service: &Service) -> bool;
    /// The frame that asks the board at this wire address.
    fn request(&self, wire_address: u8, request: &Request) -> Vec<u8>;
    /// Whether `bytes` begin with any frame of the family.
    fn fit(&self, bytes: &[u8]) -> Fit;
    /// The meaning of a whole frame as the answer to this request, if it can be that.
    fn reply(&self, wire_address: u8, request: &Request, frame: &[u8]) -> Option<Reply>;
    /// What a result says about motor and drop sensor.
    fn evidence(&self, result: u16, drop_check: bool) -> Evidence;
}

/// Appends the check sum of these families, low byte first. Over the whole frame the CRC is then 0.
#[must_use]
pub fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(crc16_modbus(&bytes).to_le_bytes());
    bytes
}
