//! The bytes of the journal: small records of several kinds, and the ledger. Pure; `io::journal` adds the check sum.
//!
//! What a record is about stands in its key ([`RecordKey`]): an order's begins with a character of an id, every other
//! kind's with a byte below, which no id has.

use super::call::CallRecord;
use super::fault::Fault;
use super::format_1::Order1;
use super::format_2::Order2;
use super::instruction::{AuditEntry, Memory};
use super::key::{Id, Key, MachineNo};
use super::life::Order;
use super::mark::MarkId;
use super::pickup::{CodeBook, PickupCode};
use super::said::{InChinese, Said, said};
use super::sale::Sale;
use super::stock::SlotRecord;
use super::time::{BootId, BootMs, UnixMs};
use crate::order::motor::{Address, Reference, Slot};
use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

/// The format that this program writes. Raised with each change of the bytes of any kind; older ones are still read.
pub const FORMAT: u8 = 4;
/// The first format: orders held their refund themselves, and there were no calls.
const FORMAT_1: u8 = 1;
/// The second: what a command says was paid was not kept.
const FORMAT_2: u8 = 2;
/// The third: where the order of a sale was made was not kept.
const FORMAT_3: u8 = 3;
/// Before the number in the key of [`RecordKey::Call`].
const CALL_KIND: u8 = 0x20;
/// A record stays under 4 KiB, or sled moves it to a file that is never synced (rule 2). Minus the store's header.
pub const RECORD_BYTES_MAX: usize = 4_000;

/// What the journal knows beside the orders. One record, written with every commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Whose journal this is.
    pub machine_no: MachineNo,
    /// When this journal began (rule 6).
    pub birth: Birth,
    /// The first connection of this journal is over: what a session redelivers now was given to this journal.
    pub first_connection_over: bool,
    /// The highest issue time (Unix s) of a key that was forgotten: unknown keys at or below it are stale (rule 12).
    pub evicted_issued_at_s: u64,
    /// The highest trusted time seen.
    pub highest_time: UnixMs,
    /// Orders so far; the next one's number.
    pub arrivals: u64,
    /// Motor commands so far; the next one's sequence.
    pub intents: u64,
    /// The last motor command of each address.
    pub last_intents: BTreeMap<Address, LastIntent>,
    /// Slots out of use until a person looked (`lock_slot_after_unknown`).
    pub locked: BTreeSet<(Address, Slot)>,
    /// The motor mark that every intent since the start of the last life is kept with.
    pub mark: Option<MarkId>,
}

/// When a journal began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Birth {
    /// In this boot, before any time could be trusted.
    Untimed {
        /// The boot.
        boot_id: BootId,
        /// CLOCK_BOOTTIME then.
        boot: BootMs,
    },
    /// At this whole second of trusted time.
    At {
        /// Unix seconds.
        s: u64,
    },
}

/// The last motor command of one address: what a held result belongs to (rule 14).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastIntent {
    /// Its sequence.
    pub sequence: u64,
    /// The order.
    pub key: Key,
    /// The unit's index.
    pub unit: u8,
    /// The slot.
    pub slot: Slot,
    /// What the driver wanted to find again.
    pub reference: Reference,
}

impl Ledger {
    /// The ledger of a journal that begins now.
    #[must_use]
    pub const fn new(machine_no: MachineNo, birth: Birth) -> Self {
        Ledger {
            machine_no,
            birth,
            first_connection_over: false,
            evicted_issued_at_s: 0,
            highest_time: UnixMs(0),
            arrivals: 0,
            intents: 0,
            last_intents: BTreeMap::new(),
            locked: BTreeSet::new(),
            mark: None,
        }
    }
}

/// Under what a record lies, and so what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKey {
    /// An order, open or a tombstone.
    Order(Key),
    /// The call of this number.
    Call(u64),
    /// The pickup code with this id.
    Code(Id),
    /// What is known of pickup codes beside them.
    CodeBook,
    /// What instructions have left behind.
    Instructions,
    /// The audit entry of this number.
    Audit(u64),
    /// What lies in a slot.
    Slot(Address, Slot),
    /// The sale of this number.
    Sale(u64),
    /// The fault of this number: a payment that could not be told.
    Fault(u64),
}

/// Before the id in the key of [`RecordKey::Code`].
const CODE_KIND: u8 = 0x28;
/// The whole key of [`RecordKey::CodeBook`].
const CODE_BOOK_KEY: &[u8] = &[0x29];
/// The whole key of [`RecordKey::Instructions`].
const INSTRUCTIONS_KEY: &[u8] = &[0x10];
/// Before the number in the key of [`RecordKey::Audit`].
const AUDIT_KIND: u8 = 0x11;
/// Before the number in the key of [`RecordKey::Sale`].
const SALE_KIND: u8 = 0x22;
/// Before address and slot in the key of [`RecordKey::Slot`].
const SLOT_KIND: u8 = 0x21;
/// Before the number in the key of [`RecordKey::Fault`].
const FAULT_KIND: u8 = 0x23;

impl RecordKey {
    /// The bytes under which the journal keeps the record.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            RecordKey::Order(key) => key.to_bytes(),
            RecordKey::Call(number) => [&[CALL_KIND][..], &number.to_be_bytes()].concat(),
            RecordKey::Code(id) => [&[CODE_KIND][..], id.as_str().as_bytes()].concat(),
            RecordKey::CodeBook => CODE_BOOK_KEY.to_vec(),
            RecordKey::Instructions => INSTRUCTIONS_KEY.to_vec(),
            RecordKey::Audit(number) => [&[AUDIT_KIND][..], &number.to_be_bytes()].concat(),
            RecordKey::Sale(number) => [&[SALE_KIND][..], &number.to_be_bytes()].concat(),
            RecordKey::Fault(number) => [&[FAULT_KIND][..], &number.to_be_bytes()].concat(),
            RecordKey::Slot(address, slot) => {
                let [high, low] = slot.0.to_be_bytes();
                vec![SLOT_KIND, address.get(), high, low]
            }
        }
    }
}

/// Everything that a journal holds beside its ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// Every order, tombstones too, in the order of their keys.
    pub orders: Vec<Order>,
    /// Calls that were not yet taken, oldest first.
    pub calls: Vec<CallRecord>,
    /// Every pickup code.
    pub codes: Vec<PickupCode>,
    /// What is known beside them, if there ever was one.
    pub code_book: Option<CodeBook>,
    /// What instructions have left behind, if there ever was one.
    pub instructions: Option<Box<Memory>>,
    /// The audit, oldest first.
    pub audit: Vec<AuditEntry>,
    /// What lies in the slots, by address and slot.
    pub slots: Vec<SlotRecord>,
    /// Sales at the machine, oldest first.
    pub sales: Vec<Sale>,
    /// Payments that could not be told, oldest first.
    pub faults: Vec<Fault>,
}

/// Which records of a journal were only seen: no sync is known to have ended well after they were written (rule 1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OnlySeen {
    /// All of them may be.
    #[default]
    All,
    /// Those that lie under these keys.
    Keys(BTreeSet<Vec<u8>>),
}

impl OnlySeen {
    /// Whether the record under this key is one.
    #[must_use]
    pub fn has(&self, key: &RecordKey) -> bool {
        match self {
            OnlySeen::All => true,
            OnlySeen::Keys(keys) => !keys.is_empty() && keys.contains(&key.to_bytes()),
        }
    }
}

impl Records {
    /// Reads all records of a journal.
    ///
    /// # Errors
    /// When one of them is not of a known kind and format, or lies under the wrong key.
    pub fn read<B: AsRef<[u8]>>(records: impl IntoIterator<Item = (B, B)>) -> Result<Records, RecordError> {
        let mut all = Records::default();
        for (key, bytes) in records {
            all.take(key.as_ref(), bytes.as_ref())?;
        }
        Ok(all)
    }

    /// Reads one record and puts it among those of its kind.
    ///
    /// # Errors
    /// When it is not of a known kind and format, or lies under the wrong key; nothing was taken then.
    pub fn take(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), RecordError> {
        match key.first() {
            Some(&CALL_KIND) => {
                let call: CallRecord = decode(bytes)?;
                if RecordKey::Call(call.number).to_bytes() != key {
                    return Err(RecordError::MisplacedCall { inside: call.number });
                }
                self.calls.push(call);
            }
            Some(&CODE_KIND) => {
                let code: PickupCode = decode(bytes)?;
                if RecordKey::Code(code.id.clone()).to_bytes() != key {
                    return Err(RecordError::MisplacedCode { inside: code.id });
                }
                self.codes.push(code);
            }
            _ if key == CODE_BOOK_KEY => self.code_book = Some(decode(bytes)?),
            Some(&AUDIT_KIND) => {
                let entry: AuditEntry = decode(bytes)?;
                if RecordKey::Audit(entry.number).to_bytes() != key {
                    return Err(RecordError::MisplacedAudit { inside: entry.number });
                }
                self.audit.push(entry);
            }
            Some(&FAULT_KIND) => {
                let fault: Fault = decode(bytes)?;
                if RecordKey::Fault(fault.number).to_bytes() != key {
                    return Err(RecordError::MisplacedFault { inside: fault.number });
                }
                self.faults.push(fault);
            }
            _ if key == INSTRUCTIONS_KEY => self.instructions = Some(Box::new(decode(bytes)?)),
            Some(&SALE_KIND) => {
                let sale = read_sale(bytes)?;
                if RecordKey::Sale(sale.number).to_bytes() != key {
                    return Err(RecordError::MisplacedSale { inside: sale.number });
                }
                self.sales.push(sale);
            }
            Some(&SLOT_KIND) => self.slots.push(decode_slot(key, bytes)?),
            _ => self.orders.push(decode_order(key, bytes)?),
        }
        Ok(())
    }
}

/// Why bytes are not a record of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Empty, or of another format.
    #[error("record format {found:?}, this program knows 1 to {FORMAT}")]
    Format {
        /// The first byte.
        found: Option<u8>,
    },
    /// Not what the format says.
    #[error("record does not read: {}", .0.en)]
    Content(Said),
    /// The record's key is not the key it lies under.
    #[error("record of {inside} lies under another key")]
    Misplaced {
        /// The key inside.
        inside: Key,
    },
    /// The call's number is not the one that it lies under.
    #[error("call {inside} lies under another key")]
    MisplacedCall {
        /// The number inside.
        inside: u64,
    },
    /// The pickup code is not the one that it lies under.
    #[error("the record of pickup code {inside} lies under another key")]
    MisplacedCode {
        /// The id inside.
        inside: Id,
    },
    /// The audit entry's number is not the one that it lies under.
    #[error("the audit entry {inside} lies under another key")]
    MisplacedAudit {
        /// The number inside.
        inside: u64,
    },
    /// The fault's number is not the one that it lies under.
    #[error("fault {inside} lies under another key")]
    MisplacedFault {
        /// The number inside.
        inside: u64,
    },
    /// The sale's number is not the one that it lies under.
    #[error("sale {inside} lies under another key")]
    MisplacedSale {
        /// The number inside.
        inside: u64,
    },
    /// The slot inside is not the one that it lies under.
    #[error("the record of slot {} of board {} lies under another key", slot.0, address.get())]
    MisplacedSlot {
        /// The board inside.
        address: Address,
        /// The slot inside.
        slot: Slot,
    },
    /// Too large for one record.
    #[error("record of {bytes} bytes, at most {RECORD_BYTES_MAX} are kept")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl InChinese for RecordError {
    fn zh(&self) -> String {
        match self {
            RecordError::Format { found: Some(found) } => format!("记录格式为 {found}，本程序识别 1 至 {FORMAT}"),
            RecordError::Format { found: None } => format!("记录为空，没有格式；本程序识别 1 至 {FORMAT}"),
            RecordError::Content(why) => format!("记录无法读取：{}", why.zh),
            RecordError::Misplaced { inside } => format!("订单 {inside} 的记录位于另一个键下"),
            RecordError::MisplacedCall { inside } => format!("通知 {inside} 的记录位于另一个键下"),
            RecordError::MisplacedCode { inside } => format!("取货码 {inside} 的记录位于另一个键下"),
            RecordError::MisplacedAudit { inside } => format!("审计条目 {inside} 位于另一个键下"),
            RecordError::MisplacedFault { inside } => format!("支付故障 {inside} 的记录位于另一个键下"),
            RecordError::MisplacedSale { inside } => format!("销售 {inside} 的记录位于另一个键下"),
            RecordError::MisplacedSlot { address, slot } => {
                format!("驱动板 {} 货道 {} 的记录位于另一个键下", address.get(), slot.0)
            }
            RecordError::TooLarge { bytes } => format!("记录有 {bytes} 字节，至多保存 {RECORD_BYTES_MAX} 字节"),
        }
    }
}

impl RecordError {
    /// The format, when it is one of a newer program: nothing is wrong with the journal, and this program must leave it
    /// alone.
    #[must_use]
    pub fn newer(&self) -> Option<u8> {
        match self {
            RecordError::Format { found } => found.filter(|&found| found > FORMAT),
            _ => None,
        }
    }
}

/// What the reader and writer of records say, and the most frequent of it in Chinese: a record that is cut off.
fn stumbled(error: postcard::Error) -> Said {
    let zh = match error {
        postcard::Error::DeserializeUnexpectedEnd => "内容不完整".to_owned(),
        postcard::Error::SerdeDeCustom | postcard::Error::SerdeSerCustom => "含有无效的值".to_owned(),
        ref other => format!("内容不合格式（{other}）"),
    };
    Said::new(error.to_string(), zh)
}

/// Room that a record begins with: enough for most, so that it need not be moved while it grows.
const RECORD_BYTES_USUAL: usize = 512;

/// A record that is being written. postcard's own writers begin without room, or write texts byte by byte.
struct Growing(Vec<u8>);

impl Flavor for Growing {
    type Output = Vec<u8>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, RecordError> {
    let mut begun = Vec::with_capacity(RECORD_BYTES_USUAL);
    begun.push(FORMAT);
    let bytes =
        postcard::serialize_with_flavor(value, Growing(begun)).map_err(|e| RecordError::Content(stumbled(e)))?;
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(RecordError::TooLarge { bytes: bytes.len() });
    }
    // Without the room that it did not need: a batch may have thousands.
    Ok(bytes.to_vec())
}

/// Reads what has the same bytes in every format.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordError> {
    match bytes.split_first() {
        Some((FORMAT_1..=FORMAT, rest)) => {
            let (value, left) = postcard::take_from_bytes(rest).map_err(|e| RecordError::Content(stumbled(e)))?;
            if left.is_empty() {
                Ok(value)
            } else {
                let many = left.len();
                Err(RecordError::Content(said!("{many} bytes too many", "多出 {many} 字节"; many)))
            }
        }
        other => Err(RecordError::Format { found: other.map(|(&f, _)| f) }),
    }
}

/// An order as bytes.
///
/// # Errors
/// [`RecordError::TooLarge`]; cannot happen within the limits of `order::command`.
pub fn encode_order(order: &Order) -> Result<Vec<u8>, RecordError> {
    encode(order)
}

/// An order from bytes that this process made or has checked.
///
/// # Errors
/// When the bytes are not an order of a known format.
pub fn read_order(bytes: &[u8]) -> Result<Order, RecordError> {
    match bytes.first() {
        Some(&FORMAT_1) => decode::<Order1>(bytes).map(Order::from),
        Some(&FORMAT_2) => decode::<Order2>(bytes).map(Order::from),
        _ => decode(bytes),
    }
}

/// A sale from bytes of any format. Until the third it ended before [`Sale::made_at`], for which postcard writes one 0
/// where there is nothing.
fn read_sale(bytes: &[u8]) -> Result<Sale, RecordError> {
    match bytes.first() {
        Some(FORMAT_1..=FORMAT_3) => decode(&[bytes, &[0]].concat()),
        _ => decode(bytes),
    }
}

/// order_id and record_id in the bytes of an order, without the rest: in every format they come first.
#[must_use]
pub fn ids_of_order(bytes: &[u8]) -> Option<(&str, &str)> {
    let (_, rest) = bytes.split_first()?;
    postcard::take_from_bytes(rest).ok().map(|(ids, _)| ids)
}

/// An order from the bytes that lie under `key`.
///
/// # Errors
/// When the bytes are not an order of a known format, or of another key.
pub fn decode_order(key: &[u8], bytes: &[u8]) -> Result<Order, RecordError> {
    let order = read_order(bytes)?;
    if order.key.to_bytes() == key && !order.units.is_empty() {
        Ok(order)
    } else {
        Err(RecordError::Misplaced { inside: order.key })
    }
}

/// A call as bytes.
///
/// # Errors
/// [`RecordError::TooLarge`], when its fields are too long.
pub fn encode_call(call: &CallRecord) -> Result<Vec<u8>, RecordError> {
    encode(call)
}

/// A pickup code as bytes.
///
/// # Errors
/// [`RecordError::TooLarge`]; cannot happen within the limits of `order::pickup`.
pub fn encode_code(code: &PickupCode) -> Result<Vec<u8>, RecordError> {
    encode(code)
}

/// What is known beside the pickup codes, as bytes.
///
/// # Errors
/// Never; it has a fixed size.
pub fn encode_code_book(book: &CodeBook) -> Result<Vec<u8>, RecordError> {
    encode(book)
}

/// What instructions have left behind, as bytes.
///
/// # Errors
/// [`RecordError::TooLarge`]; cannot happen within the limits of `cloud::instruction`.
pub fn encode_instructions(memory: &Memory) -> Result<Vec<u8>, RecordError> {
    encode(memory)
}

/// An audit entry as bytes.
///
/// # Errors
/// [`RecordError::TooLarge`]; cannot happen, since its detail is bounded.
pub fn encode_audit(entry: &AuditEntry) -> Result<Vec<u8>, RecordError> {
    encode(entry)
}

/// A fault as bytes.
///
/// # Errors
/// [`RecordError::TooLarge`]; cannot happen, since what is foreign in it is cut.
pub fn encode_fault(fault: &Fault) -> Result<Vec<u8>, RecordError> {
    encode(fault)
}

/// What lies in a slot, as bytes.
///
/// # Errors
/// [`RecordError::TooLarge`]; cannot happen, since names are cut.
pub fn encode_slot(slot: &SlotRecord) -> Result<Vec<u8>, RecordError> {
    encode(slot)
}

/// A sale as bytes.
///
/// # Errors
/// [`RecordError::TooLarge`]; cannot happen, since its texts are bounded.
pub fn encode_sale(sale: &Sale) -> Result<Vec<u8>, RecordError> {
    encode(sale)
}

/// What lies in the slot of this key.
///
/// # Errors
/// When the bytes are not a slot of a known format, or of another key.
pub fn decode_slot(key: &[u8], bytes: &[u8]) -> Result<SlotRecord, RecordError> {
    let record: SlotRecord = decode(bytes)?;
    let (address, slot) = (record.address, record.slot);
    if RecordKey::Slot(address, slot).to_bytes() == key {
        Ok(record)
    } else {
        Err(RecordError::MisplacedSlot { address, slot })
    }
}

/// The ledger as bytes.
///
/// # Errors
/// [`RecordError::TooLarge`], when hundreds of slots are locked.
pub fn encode_ledger(ledger: &Ledger) -> Result<Vec<u8>, RecordError> {
    encode(ledger)
}

/// The ledger from its bytes.
///
/// # Errors
/// When they are not a ledger of a known format.
pub fn decode_ledger(bytes: &[u8]) -> Result<Ledger, RecordError> {
    decode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::call::{Call, Subject, SubjectKind, Way};
    use crate::order::life::{Arrival, Refund, State};
    use crate::order::report::Copy;
    use crate::order::sale::{self, MadeAt};
    use crate::order::stock::Fen;

    /// Bytes that stand before the texts: the format, and the text's length in two bytes.
    const FRAME_BYTES: usize = 3;

    #[test]
    fn rule_02_a_record_of_the_largest_size_is_kept_and_every_larger_one_is_refused() {
        let text = |bytes: usize| "x".repeat(bytes - FRAME_BYTES);
        assert_eq!(encode(&text(RECORD_BYTES_MAX)).map(|record| record.len()), Ok(RECORD_BYTES_MAX));
        for bytes in [RECORD_BYTES_MAX + 1, RECORD_BYTES_MAX + 1_000] {
            assert_eq!(encode(&text(bytes)), Err(RecordError::TooLarge { bytes }));
        }
    }

    #[test]
    fn a_slot_reads_as_it_was_written_and_only_under_its_own_key() {
        use crate::order::stock::{COUNT_MAX, Fen, NAME_BYTES_MAX, Product, ProductId};
        let name = "x".repeat(NAME_BYTES_MAX).into();
        let mut largest = SlotRecord::new(Address::new(8).unwrap(), Slot(u16::MAX));
        largest.product = Some(Product { id: ProductId(u64::MAX), name, price: Some(Fen(u64::MAX)) });
        (largest.count, largest.capacity, largest.doubtful) = (COUNT_MAX, Some(COUNT_MAX), COUNT_MAX);
        let (key, bytes) = (RecordKey::Slot(largest.address, largest.slot).to_bytes(), encode_slot(&largest).unwrap());
        let records = Records::read([(key.clone(), bytes.clone())]).unwrap();
        assert_eq!((records.slots, records.orders), (vec![largest.clone()], vec![]));
        let other = RecordKey::Slot(largest.address, Slot(1)).to_bytes();
        let misplaced = RecordError::MisplacedSlot { address: largest.address, slot: largest.slot };
        assert_eq!(Records::read([(other, bytes.clone())]), Err(misplaced));
        assert!(Records::read([(b"1\x002".to_vec(), bytes)]).is_err(), "no order");
    }

    #[test]
    fn what_is_no_record_of_this_format_is_refused() {
        let record = encode(&7_u64).unwrap();
        assert_eq!(decode::<u64>(&record), Ok(7));
        assert_eq!(decode::<u64>(&[]), Err(RecordError::Format { found: None }));
        assert_eq!(decode::<u64>(&[FORMAT + 1, 7]), Err(RecordError::Format { found: Some(FORMAT + 1) }));
        assert!(matches!(decode::<u64>(&record[..1]), Err(RecordError::Content(_))));
        assert!(matches!(decode::<u64>(&[&record[..], &[0]].concat()), Err(RecordError::Content(_))));
    }

    /// Records that the program wrote while the format was 1: an accepted order, one with an outcome, a reported one and a
    /// tombstone.
    const FORMAT_1_JOURNAL: &str = include_str!("../../tests/journals/format_1.txt");

    fn bytes_of(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn a_journal_of_format_1_is_read_and_written_anew_in_the_format_of_today() {
        let lines = |kind: &'static str| FORMAT_1_JOURNAL.lines().filter_map(move |line| line.strip_prefix(kind));
        let orders: Vec<(Vec<u8>, Vec<u8>)> = lines("record ")
            .map(|line| line.split_once(' ').unwrap())
            .map(|(key, value)| (bytes_of(key), bytes_of(value)))
            .collect();
        let expected = [
            (State::Accepted, Refund::No),
            (State::Outcome, Refund::Owed),
            (State::Reported, Refund::Asked),
            (State::Tombstone, Refund::No),
        ];
        assert_eq!(orders.len(), expected.len());
        for ((key, bytes), (state, refund)) in orders.into_iter().zip(expected) {
            let order = read_order(&bytes).unwrap();
            assert_eq!((order.state(), order.refund, bytes[0]), (state, refund, FORMAT_1));
            assert_eq!(order.key.to_bytes(), key);
            assert_eq!(ids_of_order(&bytes), Some((order.key.order_id.as_str(), order.key.record_id.as_str())));
            assert_eq!(order.echo.delivery_id.as_deref(), Some("5121763043809673"));
            let anew = encode_order(&order).unwrap();
            assert_eq!((anew[0], read_order(&anew)), (FORMAT, Ok(order)));
        }
        let ledger = decode_ledger(&bytes_of(lines("ledger ").next().unwrap())).unwrap();
        assert_eq!((ledger.machine_no.to_string().as_str(), ledger.intents), ("16327129", 9));
    }

    /// Records of all kinds that the program wrote while the format was 2.
    const FORMAT_2_JOURNAL: &str = include_str!("../../tests/journals/format_2.txt");

    #[test]
    fn a_journal_of_format_2_is_read_with_orders_that_name_no_amount() {
        let lines = FORMAT_2_JOURNAL.lines().filter_map(|line| line.strip_prefix("record ")?.split_once(' '));
        let records = Records::read(lines.map(|(key, value)| (bytes_of(key), bytes_of(value)))).unwrap();
        assert_eq!((records.orders.len(), records.calls.len(), records.slots.len()), (5, 1, 1));
        for order in records.orders {
            assert_eq!(order.amount, None);
            let bytes = encode_order(&order).unwrap();
            assert_eq!(ids_of_order(&bytes), Some((order.key.order_id.as_str(), order.key.record_id.as_str())));
            assert_eq!((bytes[0], read_order(&bytes)), (FORMAT, Ok(order)));
            let cut_short = [&[FORMAT_2], &bytes[1..bytes.len() - 2]].concat();
            assert!(read_order(&cut_short).is_err(), "{cut_short:?}");
        }
    }

    #[test]
    fn a_sale_of_format_3_is_read_as_one_that_does_not_tell_where_its_order_was_made() {
        let made_at = MadeAt { cloud: "mall".into(), host: "shop.example".into() };
        let chosen = Arrival { wall: UnixMs(9), boot: BootMs(8), boot_id: BootId([7; 16]), trusted: Some(UnixMs(9)) };
        let sale = Sale {
            number: 7,
            trade_no: Id::parse("163271291714373688000007").unwrap(),
            address: Address::FIRST,
            slot: Slot(5),
            goods: 36,
            name: "可乐".into(),
            price: Fen(350),
            chosen,
            state: sale::State::Waiting,
            why: None,
            order: Some(Id::parse("77").unwrap()),
            pay_code: Some("weixin://wxpay/x".into()),
            heard: Some(chosen),
            left: None,
            paid: None,
            outcome: None,
            told: 0,
            settled: None,
            made_at: Some(made_at),
        };
        let bytes = encode_sale(&sale).unwrap();
        assert_eq!((bytes[0], read_sale(&bytes)), (FORMAT, Ok(sale.clone())));

        let sale = Sale { made_at: None, ..sale };
        let bytes = encode_sale(&sale).unwrap();
        // The last byte says that it does not tell; before, it was not there.
        let old = [&[FORMAT_3], &bytes[1..bytes.len() - 1]].concat();
        assert_eq!(read_sale(&old), Ok(sale));
        assert!(read_sale(&[&[FORMAT], &old[1..]].concat()).is_err(), "cut short");
        assert!(read_sale(&old[..old.len() - 1]).is_err(), "cut short");
        assert!(read_sale(&[&old[..], &[0]].concat()).is_err(), "bytes behind the end");
    }

    #[test]
    fn a_call_is_read_under_its_own_number_only() {
        let call = CallRecord {
            number: 7,
            call: Call {
                subject: Subject::new(SubjectKind::SlotStock, &"1:5"),
                way: Way::Publish { method: "client.product.put".into(), fields: vec![("id".into(), "1".into())] },
                newest_wins: true,
            },
            timestamp_s: 1_714_373_688,
            copy: Copy::fresh(),
        };
        let (key, bytes) = (RecordKey::Call(7).to_bytes(), encode_call(&call).unwrap());
        assert_eq!(Records::read([(&key, &bytes)]), Ok(Records { calls: vec![call], ..Records::default() }));
        let other = RecordKey::Call(8).to_bytes();
        assert_eq!(Records::read([(&other, &bytes)]), Err(RecordError::MisplacedCall { inside: 7 }));
        assert!(decode_order(&key, &bytes).is_err(), "it is no order");
    }
}
