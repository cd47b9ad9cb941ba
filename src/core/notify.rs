//! songshu is told of every order that the machine sees paid or makes (seed 000): a call in the batch of its reason,
//! and from then on the way of all calls. `cloud::orders::batch` says when one may leave.
//!
//! Told is every order that comes by MQTT under a new key, whatever becomes of it: the platform sends only what is
//! paid. A sale is told when it is made and when it is paid ([`Core::notify`]). Not told are pickups, since the order
//! that was paid is the one in which the code was sold, and whoever sold it has told it; and test vends, which are
//! orders to nobody.

use super::Core;
use super::event::{Audience, Level, Request};
use super::outbox::Parcel;
use crate::cloud::orders::batch::{Batch, Pace};
use crate::cloud::orders::songshu::{self, Account};
use crate::order::call::{Call, Operation, Subject, SubjectKind, Way};
use crate::order::command::Put;
use crate::order::payment::{Notice, OpenId, Payment};
use crate::order::time::{BootMs, Now, UnixMs};

/// Notices that may be open at once: those of weeks. Beyond it the oldest goes to the dead letters, so that a cloud
/// which only wants to know stops no vend. They do not count among the calls that do ([`super::CALLS_OPEN_MAX`]).
pub const NOTICES_OPEN_MAX: usize = 5_000;

/// What the core must know of `[notify]`.
#[derive(Debug, Clone)]
pub struct NotifySettings {
    /// Base of `/v1`.
    pub url: String,
    /// The operator's account.
    pub account: Account,
    /// Who buys, where a command does not say it.
    pub openid: OpenId,
    /// How soon.
    pub pace: Pace,
    /// `?test=1`: none of it counts.
    pub is_test: bool,
}

/// What waits for its batch.
#[derive(Debug, Default)]
pub(super) struct Notices {
    batch: Batch,
}

impl Notices {
    pub(super) fn deadline(&self) -> Option<BootMs> {
        self.batch.next_due()
    }
}

impl Core {
    /// An order came under a new key: paid, since the platform sends no other.
    pub(super) fn notify_of_command(&mut self, now: Now, put: &Put) {
        let (Some(settings), Some(order_id)) = (&self.settings.notify, songshu::name_of(&put.key)) else { return };
        let product = put.turns.ok().and_then(|turns| {
            let product = self.slots.get((turns.address, turns.slot))?.product.as_ref()?;
            Some((product.clone(), turns.quantity))
        });
        let price = product.as_ref().and_then(|(product, quantity)| product.price?.times(u64::from(*quantity)));
        let at = UnixMs::from_seconds;
        let notice = Notice {
            order_id,
            openid: put.sold.openid.clone().unwrap_or_else(|| settings.openid.clone()),
            created_at: at(put.issued_at_s),
            payment: Payment::PaidAt(at(put.paid_at_s.unwrap_or(put.issued_at_s))),
            amount: put.sold.amount.or(price).unwrap_or_default(),
            title: product.map(|(product, _)| product.name.to_string()),
            is_test: settings.is_test,
        };
        if put.sold.amount.or(price).is_none() {
            // A notice must have a number. Not to tell of an order that is paid would be worse.
            let text = format!("order {}: nobody said what it costs; it is told with 0.00", put.key);
            self.note(Level::Warn, "notice_without_amount", text);
        }
        self.notify(now, notice);
    }

    /// songshu is to be told, with the batch of this step. What was paid replaces what was only made as long as that
    /// has not left, and nothing unpaid follows it. Nothing is done without `[notify]`.
    pub(super) fn notify(&mut self, now: Now, notice: Notice) {
        if self.settings.notify.is_none() {
            return;
        }
        let subject = Subject::new(SubjectKind::Notice, &notice.order_id);
        if notice.payment == Payment::Unpaid && self.calls.tells_a_payment(&subject) {
            return;
        }
        self.call(now, Call { subject, way: Way::Http(Operation::Notify(Box::new(notice))), newest_wins: true });
        while self.calls.open_notices() > NOTICES_OPEN_MAX {
            let oldest = self.calls.notices().find(|number| !self.is_under_way(&Parcel::Call(*number)));
            let Some(oldest) = oldest else { break };
            self.bury_call(now, oldest);
        }
    }

    /// The notice waits for its batch; false for every other call, and for one that may leave now.
    pub(super) fn waits_for_its_batch(&mut self, now: Now, number: u64) -> bool {
        let Some(settings) = &self.settings.notify else { return false };
        let Some(notice) = self.calls.notice(number) else { return false };
        self.notices.batch.waits(settings.pace, number, notice.is_test, now.boot)
    }

    /// The batch goes when it is time.
    pub(super) fn send_the_batch(&mut self, now: Now) {
        for number in self.notices.batch.take_due(now.boot) {
            self.enter_call(now, number);
        }
    }

    /// The request of a notice; nothing when the configuration does not say any more who is told.
    pub(super) fn request_of_notice(&self, notice: &Notice) -> Option<Request> {
        let settings = self.settings.notify.as_ref()?;
        let call = settings.account.notify(notice);
        Some(Request {
            audience: Audience::Notify,
            method: call.method,
            url: format!("{}{}", settings.url.trim_end_matches('/'), call.path),
            headers: call.headers,
            body: call.body,
        })
    }
}
