//! Dispensing through the platform: POST /deliveries, /deliveries/{delivery_id}, /deliveries/debug.

use super::account::{Account, ApiRequest, segment};
use super::answer::{Answer, ApiError, prose, text, word};
use super::order::{BadOrder, checked_notify_url};
use super::status::DeliveryState;
use crate::cloud::device::PUT_METHOD;
use crate::order::key::{Id, MachineNo};

/// What the platform knows of a command that it sent to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// When it was sent, the platform's time.
    pub delivered_at: String,
    /// How far it is.
    pub state: DeliveryState,
    /// When it was over, the platform's time; empty until then.
    pub pickup_at: String,
    /// Why nothing came out; empty when something did.
    pub fail_reason: String,
}

impl Account {
    /// Has the platform send a paid record to the machine: POST /deliveries. It turns a motor. The answer goes to
    /// [`read_dispensed`].
    #[must_use]
    pub fn dispense(&self, machine_no: &MachineNo, order_id: &Id, record_id: &Id, timestamp_s: u64) -> ApiRequest {
        let own = [
            ("method", PUT_METHOD.into()),
            ("order_id", order_id.as_str().into()),
            ("record_id", record_id.as_str().into()),
        ];
        self.signed("POST", "/deliveries", machine_no, timestamp_s, own)
    }

    /// Asks what became of a command: POST /deliveries/{delivery_id}. The answer goes to [`read_delivery`].
    #[must_use]
    pub fn delivery(&self, machine_no: &MachineNo, delivery_id: &Id, timestamp_s: u64) -> ApiRequest {
        let path = format!("/deliveries/{}", segment(delivery_id.as_str()));
        self.signed("POST", &path, machine_no, timestamp_s, [])
    }

    /// Has the platform turn a channel for a test: POST /deliveries/debug, with the method of a sale. It turns a
    /// motor. The answer goes to [`read_dispensed`].
    ///
    /// # Errors
    /// [`BadOrder::NotifyUrl`]: the platform insists on one.
    pub fn test_channel(
        &self,
        machine_no: &MachineNo,
        channel_name: &Id,
        notify_url: &str,
        timestamp_s: u64,
    ) -> Result<ApiRequest, BadOrder> {
        let own = [
            ("method", PUT_METHOD.into()),
            ("channel_name", channel_name.as_str().into()),
            ("notify_url", checked_notify_url(notify_url).ok_or(BadOrder::NotifyUrl)?.into()),
        ];
        Ok(self.signed("POST", "/deliveries/debug", machine_no, timestamp_s, own))
    }
}

fn delivery(answer: &Answer) -> Delivery {
    Delivery {
        delivered_at: word(&answer.data["delivered_at"]),
        state: DeliveryState::parse(&text(&answer.data["status"]).unwrap_or_default()),
        pickup_at: word(&answer.data["pickup_at"]),
        fail_reason: prose(&answer.data["fail_reason"]),
    }
}

/// Reads the answer to [`Account::dispense`] and [`Account::test_channel`]. Its proof is `data.delivery_id`: an unpaid
/// order is refused with code 0.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_dispensed(status: u16, body: &[u8]) -> Result<(Id, Delivery), ApiError> {
    let answer = Answer::read(status, body)?;
    let id = text(&answer.data["delivery_id"]).and_then(|text| Id::parse(&text).ok());
    Ok((id.ok_or_else(|| answer.not_proven("data.delivery_id"))?, delivery(&answer)))
}

/// Reads the answer to [`Account::delivery`]. Its proof is `data.status`.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_delivery(status: u16, body: &[u8]) -> Result<Delivery, ApiError> {
    let answer = Answer::read(status, body)?;
    match delivery(&answer) {
        Delivery { state: DeliveryState::Unknown(text), .. } if text.is_empty() => {
            Err(answer.not_proven("data.status"))
        }
        delivery => Ok(delivery),
    }
}
