//! Boards that are asked and answer, with a [`Mechanism`] behind them: what all of these have in common on the line.

use super::mechanism::Mechanism;
use super::{Emulator, Turn};
use crate::order::time::BootMs;

/// What such a family adds to it.
pub trait Answering: Send {
    /// Its motors, and what it says.
    fn mechanism(&self) -> &Mechanism;
    /// The same.
    fn mechanism_mut(&mut self) -> &mut Mechanism;
    /// How long the request is that bytes begin with, if it is whole and its check is good.
    fn whole(&self, bytes: &[u8]) -> Option<usize>;
    /// The answer to a whole request, if there is one.
    fn answer(&mut self, now: BootMs, request: &[u8]) -> Option<Vec<u8>>;

    /// The cable gives back what the host says.
    fn echoes(&self) -> bool {
        false
    }
    /// Says what it says by itself.
    fn tell(&mut self, _now: BootMs) {}
    /// When it will do that next.
    fn tells_at(&self) -> Option<BootMs> {
        None
    }
    /// What it forgets with its power, beside what the mechanism does.
    fn forget(&mut self) {}
}

impl<B: Answering> Emulator for B {
    fn received(&mut self, now: BootMs, bytes: &[u8]) {
        self.tell(now);
        if self.echoes() {
            self.mechanism_mut().say(bytes.to_vec());
        }
        let mut reader = std::mem::take(&mut self.mechanism_mut().reader);
        let requests = reader.requests(now, bytes, |bytes| self.whole(bytes));
        self.mechanism_mut().reader = reader;
        for request in requests {
            if let Some(answer) = self.answer(now, &request) {
                self.mechanism_mut().say(answer);
            }
        }
    }

    fn wake(&mut self, now: BootMs) {
        self.tell(now);
    }

    fn deadline(&self) -> Option<BootMs> {
        self.tells_at()
    }

    fn next_output(&mut self) -> Option<Vec<u8>> {
        self.mechanism_mut().outputs.pop_front()
    }

    fn turns(&self) -> &[Turn] {
        self.mechanism().turns()
    }

    fn power_cycle(&mut self, now: BootMs) {
        self.mechanism_mut().power_cycle(now);
        self.forget();
    }
}
