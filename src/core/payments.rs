//! course is told of payments that the machine learned of in another way, and what went wrong with telling it is kept in
//! the log that its document demands (seed 001, section 6.2).

use super::Core;
use super::commit::After;
use super::event::{Audience, Effect, HttpAnswer, HttpFailure, Level, Request, Token};
use super::own::Reply;
use super::sale::SaleRefusal;
use crate::cloud::open_platform::ApiRequest;
use crate::cloud::orders::row::Hears;
use crate::cloud::orders::session::LogIn;
use crate::cloud::orders::{AnswerError, Refusal, Session, fault_log};
use crate::order::call::{Call, Operation, Subject, SubjectKind, Way};
use crate::order::civil::Zone;
use crate::order::fault::Fault;
use crate::order::key::Id;
use crate::order::payment::{Paid, PaidWith, PaymentResult, TradeNo};
use crate::order::record::RecordKey;
use crate::order::stock::Fen;
use crate::order::time::{BootMs, Now};
use serde::{Deserialize, Serialize};

/// What the core must know to be somebody at the cloud that sells, where that is not the platform.
#[derive(Debug, Clone)]
pub struct PaymentSettings {
    /// Base of its paths.
    pub url: String,
    /// How it is told of payments, if it wants to be.
    pub hears: Option<Hears>,
    /// The operator's log-in, if it was given.
    pub session: Option<Session>,
    /// How one logs in, if the machine may do it itself.
    pub log_in: Option<LogIn>,
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

/// Longest name that a payment system gives a payment or a buyer, in bytes: twice those of WeChat and Alipay.
pub const THIRD_NAME_BYTES_MAX: usize = 64;

/// What a payment system says of a payment, as a gateway at the machine relays it: the fields of seed 001, section 6.2.
/// It carries no signature, so it is believed as far as whoever may settle a sale is, and never as far as a motor: it
/// has the clouds asked and told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    /// Where it was made: `wxpay` or `alipay`, the last part of the document's path.
    pub path: String,
    /// 2 or SUCCESS, as a number or a text: paid. Anything else: not paid.
    pub result: PayWord,
    /// Which order.
    pub trade_no: String,
    /// The payment system's name of the payment.
    pub third_trade_no: String,
    /// The payment system's name of the buyer.
    pub third_buyer_id: String,
    /// What was paid, in yuan, like "3.50".
    pub amount: String,
}

/// A word that comes as a text or as a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PayWord {
    /// As a number.
    Number(i64),
    /// As a text.
    Text(String),
}

impl Callback {
    /// What it says, read.
    ///
    /// # Errors
    /// The field that is wrong, for people.
    pub fn paid(&self) -> Result<Paid, String> {
        let result = match &self.result {
            PayWord::Number(number) => PaymentResult::parse(&number.to_string()),
            PayWord::Text(text) => PaymentResult::parse(text),
        };
        let fits = |name: &str, text: &str| match text.len() {
            ..=THIRD_NAME_BYTES_MAX if !text.chars().any(char::is_control) => Ok(text.to_owned()),
            _ => Err(format!("{name} is a text of at most {THIRD_NAME_BYTES_MAX} bytes")),
        };
        let with = [PaidWith::WeChat, PaidWith::Alipay].into_iter().find(|with| with.as_str() == self.path);
        Ok(Paid {
            with: with.ok_or("path is \"wxpay\" or \"alipay\"")?,
            result,
            trade_no: TradeNo(Id::parse(&self.trade_no).map_err(|error| format!("trade_no: {error}"))?),
            third_trade_no: fits("third_trade_no", &self.third_trade_no)?,
            third_buyer_id: fits("third_buyer_id", &self.third_buyer_id)?,
            amount: Fen::parse(&self.amount).map_err(|error| format!("amount: {error}"))?,
        })
    }
}

impl From<&Paid> for Callback {
    fn from(paid: &Paid) -> Callback {
        Callback {
            path: paid.with.as_str().to_owned(),
            result: PayWord::Text(paid.result.as_str().to_owned()),
            trade_no: paid.trade_no.0.to_string(),
            third_trade_no: paid.third_trade_no.clone(),
            third_buyer_id: paid.third_buyer_id.clone(),
            amount: paid.amount.to_string(),
        }
    }
}

/// What follows from a payment that the machine was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentHeard {
    /// The cloud that wants to hear of payments is told, durably.
    pub cloud_told: bool,
    /// So many sales are asked about at once instead of at their next time.
    pub sales_asked: usize,
}

fn to_seller(url: &str, call: ApiRequest) -> Request {
    Request {
        audience: Audience::Seller,
        method: call.method,
        url: format!("{}{}", url.trim_end_matches('/'), call.path),
        headers: call.headers,
        body: call.body,
    }
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
    /// A gateway at the machine relays what a payment system says. It is a hint and no proof: sales that are open are
    /// asked about at once, and their cloud alone says whether they are paid. course is told.
    pub(super) fn on_payment_heard(&mut self, now: Now, token: Token, paid: Paid) {
        if self.settings.sale.is_none() || !self.may_change_sales() {
            let refusal =
                if self.settings.sale.is_none() { SaleRefusal::NotConfigured } else { SaleRefusal::Unavailable };
            self.effects.push(Effect::Reply { token, reply: Reply::PaymentHeard(Err(refusal)) });
            return;
        }
        let (path, result, trade_no) = (paid.with.as_str(), paid.result.as_str(), &paid.trade_no.0);
        self.note(Level::Info, "payment_heard", format!("{path} says {result} of {trade_no}"));
        let sales_asked = self.ask_about_open_sales_at_once(now);
        let cloud_told = self.tell_paid(now, paid);
        let reply = Reply::PaymentHeard(Ok(PaymentHeard { cloud_told, sales_asked }));
        if cloud_told {
            self.after_next_commit(After::Reply { token, reply });
        } else {
            self.effects.push(Effect::Reply { token, reply });
        }
    }

    /// The machine has learned that an order of course's is paid (or that its payment failed), and not from course: it
    /// is told, durably, with the batch of this step, in the order of what was learned of it. What goes wrong with that
    /// stands in the log. False where no such cloud is configured, or nothing more can be kept for it.
    pub(super) fn tell_paid(&mut self, now: Now, paid: Paid) -> bool {
        if self.settings.payments.as_ref().is_none_or(|payments| payments.hears.is_none()) {
            return false;
        }
        let subject = Subject::new(SubjectKind::Payment, &paid.trade_no.0);
        self.call(now, Call { subject, way: Way::Http(Operation::TellPaid(Box::new(paid))), newest_wins: false })
    }

    pub(super) fn request_of_payment(&self, paid: &Paid) -> Option<Request> {
        let settings = self.settings.payments.as_ref()?;
        Some(to_seller(&settings.url, (settings.hears?.tell)(self.sessions.current(), paid)))
    }

    /// How the machine logs in, and where.
    fn log_in(&self) -> Option<(&LogIn, &str)> {
        let settings = self.settings.payments.as_ref()?;
        Some((settings.log_in.as_ref()?, &settings.url))
    }

    /// When somebody is to log in; nothing where the machine cannot.
    pub(super) fn log_in_deadline(&self) -> Option<BootMs> {
        self.log_in()?;
        self.sessions.due()
    }

    /// Logs in, if the cloud wants it. Calls that were refused meanwhile come again by their own back-off.
    pub(super) fn log_in_if_due(&mut self, now: Now) {
        if self.log_in_deadline().is_none_or(|due| due > now.boot) {
            return;
        }
        let Some((log_in, url)) = self.log_in() else { return };
        let request = to_seller(url, log_in.request());
        self.sessions.asked();
        let token = self.next_token();
        self.log_in_token = Some(token);
        self.effects.push(Effect::Http { token, request });
    }

    /// The answer to a log-in; false when it was none. Neither name nor session is ever in a note.
    pub(super) fn on_logged_in(&mut self, now: Now, token: Token, answer: &Result<HttpAnswer, HttpFailure>) -> bool {
        if self.log_in_token != Some(token) {
            return false;
        }
        self.log_in_token = None;
        let (session, why) = match answer {
            Ok(answer) => match self.log_in().map(|(log_in, _)| log_in.read(answer.status, &answer.body)) {
                Some(Ok(())) => (answer.session.clone(), "the answer gives no session".to_owned()),
                Some(Err(error)) => (None, error.to_string()),
                None => (None, String::new()),
            },
            Err(failure) => (None, failure.why.en.clone()),
        };
        let random = self.random.u64(..);
        if self.sessions.answered(now, session, random) {
            self.note(Level::Info, "logged_in", "a session at the cloud that sells".to_owned());
        } else {
            self.note(Level::Error, "log_in_failed", why);
        }
        true
    }

    /// A cloud's refusal: if nobody is logged in, the session is over.
    pub(super) fn heed_refusal(&mut self, error: &AnswerError) {
        if error.refusal() == Some(Refusal::LogIn) {
            self.sessions.refused();
        }
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
