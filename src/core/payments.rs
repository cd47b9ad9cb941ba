//! course is told of payments that the machine learned of in another way, and what went wrong with telling it is kept in
//! the log that its document demands (seed 001, section 6.2).

use super::Core;
use super::event::{Audience, Level, Request};
use crate::cloud::orders::{AnswerError, course, fault_log};
use crate::order::call::{Call, Operation, Subject, Way};
use crate::order::civil::Zone;
use crate::order::fault::Fault;
use crate::order::payment::Paid;
use crate::order::record::RecordKey;
use crate::order::time::Now;
use serde::{Deserialize, Serialize};

/// What the core must know to tell course of payments.
#[derive(Debug, Clone)]
pub struct PaymentSettings {
    /// Base of `/orders`.
    pub url: String,
    /// Who tells.
    pub account: course::Account,
}

/// A fault for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultLine {
    /// Its number.
    pub number: u64,
    /// When the platform was tried last, in Unix s; nothing while nobody vouched for the time.
    pub at_s: Option<u64>,
    /// alipay or wxpay.
    pub path: String,
    /// What should have been told: SUCCESS, 2 or FAIL.
    pub result: String,
    /// Of which order.
    pub trade_no: String,
    /// The payment system's name of the payment.
    pub third_trade_no: String,
    /// What was paid, in yuan.
    pub amount: String,
    /// How often the platform was tried.
    pub attempt: u32,
    /// It was told in the end.
    pub told: bool,
    /// What happened at the last try that went wrong.
    pub why: String,
    /// All of it as one line of a log.
    pub line: String,
}

impl From<&Fault> for FaultLine {
    fn from(fault: &Fault) -> FaultLine {
        FaultLine {
            number: fault.number,
            at_s: fault.at.map(|at| at.seconds()),
            path: fault.with.as_str().to_owned(),
            result: fault.result.as_str().to_owned(),
            trade_no: fault.trade_no.to_string(),
            third_trade_no: fault.third_trade_no.clone(),
            amount: fault.amount.to_string(),
            attempt: fault.attempt,
            told: fault.is_told,
            why: fault.why.clone(),
            line: fault.to_line(Zone::CHINA),
        }
    }
}

/// The log for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultLines {
    /// How many older ones made room.
    pub dropped: u64,
    /// Oldest first.
    pub faults: Vec<FaultLine>,
}

impl Core {
    /// The machine has learned that an order of course's is paid (or that its payment failed), and not from course: it
    /// is told, durably, with the batch of this step, in the order of what was learned of it. What goes wrong with that
    /// stands in the log. Nothing is done where no such cloud is configured.
    pub fn tell_paid(&mut self, now: Now, paid: Paid) {
        if self.settings.payments.is_none() {
            return;
        }
        let subject = Subject::new("payment", &paid.trade_no.0);
        self.call(now, Call { subject, way: Way::Http(Operation::TellPaid(Box::new(paid))), newest_wins: false });
    }

    pub(super) fn request_of_payment(&self, paid: &Paid) -> Option<Request> {
        let settings = self.settings.payments.as_ref()?;
        let call = settings.account.tell_paid(paid);
        Some(Request {
            audience: Audience::Seller,
            method: call.method,
            url: format!("{}{}", settings.url.trim_end_matches('/'), call.path),
            headers: call.headers,
            body: call.body,
        })
    }

    /// A call was not taken: an error, or silence with what the transport knows of it. Of a payment it goes into the log,
    /// durably.
    pub(super) fn log_fault(&mut self, now: Now, number: u64, error: Result<&AnswerError, &str>) {
        let Some(record) = self.calls.get(number) else { return };
        let Way::Http(Operation::TellPaid(paid)) = &record.call.way else { return };
        let (attempt, at) = (record.copy.attempts().saturating_add(1), self.time.trusted(now));
        let fault = match error {
            Ok(error) => fault_log::refused(paid, number, at, attempt, error),
            Err(why) => fault_log::unanswered(paid, number, at, attempt, why),
        };
        let line = fault.to_line(Zone::CHINA);
        let (kept, gone) = self.faults.keep(fault);
        self.save_record(RecordKey::Fault(kept), None);
        if let Some(gone) = gone {
            self.save_record_lazily(now, RecordKey::Fault(gone));
        }
        self.note(Level::Error, "payment_not_told", line);
    }

    /// A call was taken: what went wrong with it before stays in the log, and that it was mended.
    pub(super) fn mend_fault(&mut self, now: Now, number: u64) {
        if let Some(kept) = self.faults.told(number) {
            self.save_record_lazily(now, RecordKey::Fault(kept));
        }
    }

    /// What a power cut left of the log; it is written again like everything that was only seen (rule 1).
    pub(super) fn recall_faults(&mut self, faults: Vec<Fault>) {
        for fault in faults {
            self.save_record(RecordKey::Fault(fault.number), None);
            self.faults.recall(fault);
        }
    }

    /// The log of payments that course could not be told of.
    #[must_use]
    pub fn fault_lines(&self) -> FaultLines {
        FaultLines { dropped: self.faults.dropped(), faults: self.faults.iter().map(FaultLine::from).collect() }
    }
}
