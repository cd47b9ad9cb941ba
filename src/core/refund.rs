//! A refund that the platform refuses for the order's status: it may have been taken before, by this machine in an
//! earlier life, which lost the answer in a power cut, or by a person. The order is asked about, and its status is the
//! word that counts (rule 54).
//!
//! That it is asked about is kept in memory only: a later life asks for the refund again, is refused again, and asks.

use super::Core;
use super::event::{HttpAnswer, Level, Request};
use super::platform::denies_order;
use crate::cloud::api_codes::RetryClass;
use crate::cloud::call;
use crate::cloud::open_platform::{self, ApiError, OrderStatus};
use crate::cloud::orders::interface::Failure;
use crate::order::key::Id;
use crate::order::report::{Answer, DeadReason};
use crate::sabotage::{self, Clause};

/// The refusal speaks of the order's status, in either generation of codes (cloud 1.8): expired, wrong, delivered, paid,
/// unpaid. None of them says whether the money went back, not even those that mean "done already" to other calls.
pub(super) fn leaves_in_doubt(error: &Failure) -> bool {
    let speaks_of_status = matches!(
        error,
        Failure::Api(ApiError::Refused { status: ..500, code: 40_005 | 40_006 | 6034 | 6042 | 6043 | 6049 | 6054, .. })
    );
    speaks_of_status && !sabotage::is_out(Clause::R54RefusalAsked)
}

impl Core {
    /// The request of a refund: PUT status 2, or, where that was refused for the order's status, the question for it.
    pub(super) fn request_of_refund(&self, number: u64, order_id: &Id, timestamp_s: u64) -> Option<Request> {
        let account = self.settings.cloud.account.as_ref()?;
        let machine_no = &self.settings.machine_no;
        let request = if self.calls.doubted.contains(&number) {
            account.query_order(machine_no, order_id, timestamp_s)
        } else {
            call::refund(account, machine_no, order_id, timestamp_s)
        };
        Some(self.cloud_request(request))
    }

    /// What the order's status says of a refund that was refused.
    pub(super) fn meaning_of_doubted_refund(&mut self, number: u64, order_id: &Id, answer: &HttpAnswer) -> Answer {
        let reason = DeadReason::Status(answer.status);
        let (meaning, text) = match open_platform::read_order(answer.status, &answer.body, order_id) {
            Ok(order) => match order.status {
                OrderStatus::Refund => (Answer::Taken, "it was refunded before".to_owned()),
                OrderStatus::Unknown(word) => (Answer::Unwelcome(reason), format!("its status is {word}")),
                status => (Answer::Never(reason), format!("it is not refunded, its status is {}", status.as_str())),
            },
            Err(error) => {
                let meaning = match error.class() {
                    RetryClass::Final if denies_order(&error) => Answer::Never(reason),
                    RetryClass::Final => Answer::Unwelcome(reason),
                    RetryClass::Retry | RetryClass::AlreadyDone => {
                        Answer::Later { retry_after_s: answer.retry_after_s }
                    }
                };
                (meaning, error.to_string())
            }
        };
        let level = if meaning == Answer::Taken { Level::Info } else { Level::Warn };
        self.note(level, "refund_in_doubt", format!("call {number}, order {order_id}: {text}"));
        meaning
    }
}
