//! The merchant's machines: POST /rent/machines and /rent/machines/{machine_no}.

use super::account::{Account, ApiRequest};
use super::answer::{Answer, ApiError, entries, prose, text, truth, word};
use super::number::CategoryId;
use super::product::{Category, category};
use super::status::{MachineStatus, MachineType};
use crate::order::key::MachineNo;
use crate::order::said::Word;
use serde_json::Value;

/// One line of the merchant's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its number; 8 digits, longer for special merchants.
    pub machine_no: String,
    /// What the merchant calls it.
    pub name: String,
    /// The platform has a connection to it.
    pub is_online: bool,
    /// It is in operation.
    pub in_operation: bool,
    /// Where it stands.
    pub address: String,
    /// The platform's last note about it.
    pub notify_message: String,
    /// Longitude and latitude, "116.549815,39.922273".
    pub lng_lat: String,
    /// When it was added, the platform's time.
    pub created_at: String,
    /// Who looks after it.
    pub contact: String,
    /// That person's telephone.
    pub tel: String,
}

/// What prices are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency {
    /// "CNY".
    pub code: String,
    /// "¥".
    pub symbol: String,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineDetail {
    /// What the merchant calls it.
    pub name: String,
    /// Where it stands.
    pub address: String,
    /// Longitude and latitude.
    pub lng_lat: String,
    /// The platform has a connection to it.
    pub is_online: bool,
    /// Whether it serves; absent in older answers.
    pub status: Option<MachineStatus>,
    /// What kind of machine it is; absent in older answers.
    pub machine_type: Option<MachineType>,
    /// The names of its cabinets; "A" is the main one.
    pub cabinet_names: Vec<String>,
    /// Its categories.
    pub categories: Vec<Category>,
    /// What is announced on its screen.
    pub announcement: String,
    /// Whose it is.
    pub merchant: String,
    /// What its prices are in, where the platform says so.
    pub currency: Option<Currency>,
}

impl Account {
    /// Asks for all machines of the merchant: POST /rent/machines. `machine_no` signs; the list has all of them. The
    /// answer goes to [`read_machines`].
    #[must_use]
    pub fn machines(&self, machine_no: &MachineNo, timestamp_s: u64) -> ApiRequest {
        self.signed("POST", "/rent/machines", machine_no, timestamp_s, [])
    }

    /// Asks for one machine: POST /rent/machines/{machine_no}. The answer goes to [`read_machine`].
    #[must_use]
    pub fn machine(&self, machine_no: &MachineNo, timestamp_s: u64) -> ApiRequest {
        self.signed("POST", &format!("/rent/machines/{machine_no}"), machine_no, timestamp_s, [])
    }
}

/// Reads the answer to [`Account::machines`]. Its proof is a list.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_machines(status: u16, body: &[u8]) -> Result<Vec<Machine>, ApiError> {
    Answer::read(status, body)?.list(Word { json: "machines", zh: "台机器" }, |machine| {
        Some(Machine {
            machine_no: Some(word(&machine["machine_no"])).filter(|no| !no.is_empty())?,
            name: prose(&machine["machine_name"]),
            is_online: truth(&machine["is_online"]),
            in_operation: truth(&machine["status"]),
            address: prose(&machine["address"]),
            notify_message: prose(&machine["notify_message"]),
            lng_lat: word(&machine["lng_lat"]),
            created_at: word(&machine["created_at"]),
            contact: prose(&machine["contact"]),
            tel: word(&machine["tel"]),
        })
    })
}

/// Reads the answer to [`Account::machine`]. Its proof is `data.machine_name`.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_machine(status: u16, body: &[u8]) -> Result<MachineDetail, ApiError> {
    let answer = Answer::read(status, body)?;
    let data = &answer.data;
    let name = Some(prose(&data["machine_name"])).filter(|name| !name.is_empty());
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let currency = &data["currency"];
    Ok(MachineDetail {
        name: name.ok_or_else(|| answer.not_proven("data.machine_name"))?,
        address: prose(&data["address"]),
        lng_lat: word(&data["lng_lat"]),
        is_online: truth(&data["is_online"]),
        status: text(&data["status"]).map(|text| MachineStatus::parse(&text)),
        machine_type: text(&data["machine_type"]).map(|text| MachineType::parse(&text)),
        cabinet_names: entries(
            Word { json: "cabinets", zh: "个货柜" },
            &list(&data["model"]["cabinet_names"]),
            |name| Some(word(name)),
        )?,
        categories: entries(Word { json: "categories", zh: "个分类" }, &list(&data["categories"]), |value| {
            CategoryId::read(&value["id"]).map(|id| category(id, value))
        })?,
        announcement: prose(&data["announcement"]["title"]),
        merchant: prose(&data["merchant"]["title"]),
        currency: currency
            .is_object()
            .then(|| Currency { code: word(&currency["code"]), symbol: word(&currency["symbol"]) }),
    })
}
