//! What the disk gives back: records of orders, the ledger, the values around them, the second file.

use super::{Script, one_byte_changed};
use std::collections::BTreeMap;
use vend::io::journal::Digest;
use vend::io::journal::lead::{self, Broken, LEAD_BYTES, Place};
use vend::io::journal::second_file::{SLOT_KEYS, Seen, USED_BYTES, newest};
use vend::io::journal::value::{FORMAT, HEADER_BYTES, Unreadable, Value, seal, unseal};
use vend::order::life::Order;
use vend::order::motor::Address;
use vend::order::record::{
    self, Ledger, RECORD_BYTES_MAX, RecordError, RecordKey, Records, decode_ledger, decode_order, encode_ledger,
    encode_order, encode_sale, read_order,
};
use vend::order::sale::{self, Sale};

/// Any bytes as the record of an order, and as the ledger.
pub fn journal_record(data: &[u8]) {
    for bytes in [data.to_vec(), [&[record::FORMAT], data].concat()] {
        let known = bytes.first().is_some_and(|format| (1..=record::FORMAT).contains(format));
        match read_order(&bytes) {
            Ok(order) => order_again(&order),
            Err(error) => assert_eq!(matches!(error, RecordError::Format { .. }), !known, "{error}"),
        }
        match decode_ledger(&bytes) {
            Ok(ledger) => ledger_again(&ledger),
            Err(error) => assert_eq!(matches!(error, RecordError::Format { .. }), !known, "{error}"),
        }
    }
}

/// What was read is written and read as the same, and only under its own key.
fn order_again(order: &Order) {
    assert!(order.turns.is_none_or(|turns| is_address(turns.address)), "{:?}", order.turns);
    let bytes = match encode_order(order) {
        Ok(bytes) => bytes,
        Err(error) => return assert!(matches!(error, RecordError::TooLarge { bytes } if bytes > RECORD_BYTES_MAX)),
    };
    assert!(bytes.len() <= RECORD_BYTES_MAX);
    let key = order.key.to_bytes();
    if order.units.is_empty() {
        assert!(decode_order(&key, &bytes).is_err(), "an order without a unit");
        return;
    }
    assert_eq!(decode_order(&key, &bytes).as_ref(), Ok(order));
    let other = one_byte_changed(&key, &mut Script(&bytes));
    assert!(decode_order(&other, &bytes).is_err(), "read under another key");
    for newer in [0, record::FORMAT + 1, u8::MAX] {
        let mut bytes = bytes.clone();
        bytes[0] = newer;
        assert_eq!(read_order(&bytes), Err(RecordError::Format { found: Some(newer) }));
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(read_order(&longer), Err(RecordError::Content(_))), "bytes behind the end");
    assert!(read_order(&bytes[..bytes.len() - 1]).is_err(), "a record cut short");
    // Whatever state it is in can be asked for.
    let _ = (order.state(), order.has_open_copy());
}

fn ledger_again(ledger: &Ledger) {
    for address in ledger.last_intents.keys().chain(ledger.locked.iter().map(|(address, _)| address)) {
        assert!(is_address(*address), "{address:?}");
    }
    match encode_ledger(ledger) {
        Ok(bytes) => {
            assert!(bytes.len() <= RECORD_BYTES_MAX);
            assert_eq!(decode_ledger(&bytes).as_ref(), Ok(ledger));
            assert!(decode_ledger(&bytes[..bytes.len() - 1]).is_err(), "a ledger cut short");
        }
        Err(error) => assert!(matches!(error, RecordError::TooLarge { .. }), "{error}"),
    }
}

fn is_address(address: Address) -> bool {
    Address::new(address.get()).is_some()
}

/// Any bytes as the record of a sale: money hangs on it, so it is the one that was written or none.
pub fn sale_record(data: &[u8]) {
    for bytes in [data.to_vec(), [&[record::FORMAT], data].concat()] {
        // Its number is known to whoever reads it under a wrong one.
        let number = match read_sale(0, &bytes) {
            Err(RecordError::MisplacedSale { inside }) => inside,
            Ok(sale) => sale.number,
            Err(_) => continue,
        };
        sale_again(&read_sale(number, &bytes).expect("it lies under its own key"));
    }
}

/// Reads a sale that lies under this number.
fn read_sale(number: u64, bytes: &[u8]) -> Result<Sale, RecordError> {
    let mut records = Records::default();
    records.take(&RecordKey::Sale(number).to_bytes(), bytes)?;
    assert_eq!(records.sales.len(), 1, "what lies under a sale's key is a sale");
    Ok(records.sales.remove(0))
}

/// What was read is written and read as the same, and only under its own key and whole.
fn sale_again(sale: &Sale) {
    assert!(is_address(sale.address), "{sale:?}");
    let bytes = match encode_sale(sale) {
        Ok(bytes) => bytes,
        Err(error) => return assert!(matches!(error, RecordError::TooLarge { .. }), "{error}"),
    };
    assert_eq!(read_sale(sale.number, &bytes).as_ref(), Ok(sale));
    let other = sale.number ^ 1;
    assert_eq!(read_sale(other, &bytes), Err(RecordError::MisplacedSale { inside: sale.number }));
    assert!(read_sale(sale.number, &bytes[..bytes.len() - 1]).is_err(), "a sale cut short");
    assert!(read_sale(sale.number, &[&bytes[..], &[0]].concat()).is_err(), "bytes behind the end");
    for newer in [0, record::FORMAT + 1, u8::MAX] {
        let bytes = [&[newer], &bytes[1..]].concat();
        assert_eq!(read_sale(sale.number, &bytes), Err(RecordError::Format { found: Some(newer) }));
    }
    // Whatever happens to it next: the table takes it, or nothing is changed.
    for event in sale::Event::ALL {
        let mut next = sale.clone();
        match next.take(event) {
            Ok(state) => assert_eq!(Some(state), sale::step(sale.state, event)),
            Err(_) => assert_eq!(next, *sale),
        }
    }
}

/// Any bytes as a value of the journal and as the slots of the second file.
pub fn journal_value(data: &[u8]) {
    let mut script = Script(data);
    let (key, counter) = (script.piece().to_vec(), u64::from(script.u16()) << (script.byte() % 48));
    let choice = script.take(3);
    let body = script.rest();

    // What was never sealed is read only if its check sum happens to be right.
    if let Ok(value) = unseal(&key, body)
        && body.first() == Some(&FORMAT)
    {
        assert_eq!(seal(&key, value.counter, value.body), body);
    }
    let sealed = seal(&key, counter, body);
    assert_eq!(sealed.len(), HEADER_BYTES + body.len());
    assert_eq!(unseal(&key, &sealed), Ok(Value { counter, body }));
    // A CRC-32 sees every burst of 32 bits.
    let changed = one_byte_changed(&sealed, &mut Script(choice));
    assert_eq!(unseal(&key, &changed), Err(Unreadable::CheckSum));
    if !key.is_empty() {
        let other = one_byte_changed(&key, &mut Script(choice));
        assert_eq!(unseal(&other, &sealed), Err(Unreadable::CheckSum));
    }
    let cut = &sealed[..usize::from(choice.first().copied().unwrap_or_default()) % HEADER_BYTES];
    assert!(unseal(&key, cut).is_err());

    let digest = Digest { counter, entries: body.len() as u64, xor: counter.rotate_left(7) };
    assert_eq!(Digest::unseal(&key, &digest.seal(&key)), Ok(digest));
    assert!(Digest::unseal(&key, &sealed).is_err() || body.len() == 16);
    second_file(digest, body, choice);
}

/// One slot is whole, the other anything: the whole one is read, or nothing if it is damaged too.
fn second_file(digest: Digest, noise: &[u8], choice: &[u8]) {
    for (place, key) in SLOT_KEYS.into_iter().enumerate() {
        let whole = digest.seal(key);
        assert_eq!(whole.len(), USED_BYTES);
        let pair = |here: &[u8]| {
            let seen = |slots: [&[u8]; 2]| newest(slots.map(Some));
            if place == 0 { seen([here, noise]) } else { seen([noise, here]) }
        };
        let other_key = SLOT_KEYS[1 - place];
        match (Digest::unseal(other_key, noise), pair(&whole)) {
            (Ok(other), Seen::Digest(found, _)) => assert!(found.counter >= other.counter.max(digest.counter)),
            (Err(Unreadable::Newer(_)), seen) => assert!(matches!(seen, Seen::Newer(_))),
            (_, seen) => assert_eq!(seen, Seen::Digest(digest, place)),
        }
        let torn = one_byte_changed(&whole, &mut Script(choice));
        if Digest::unseal(other_key, noise) == Err(Unreadable::CheckSum) {
            assert_eq!(pair(&torn), Seen::Nothing);
        }
        // A slot copied over the other is none.
        let copied = if place == 0 { [None, Some(&whole[..])] } else { [Some(&whole[..]), None] };
        assert_eq!(newest(copied), Seen::Nothing);
    }
    // Of two whole slots the one that knows more is read, wherever it stands.
    let older = Digest { counter: digest.counter.saturating_sub(1), ..digest };
    for place in [0, 1] {
        let mut both = [older, older];
        both[place] = digest;
        let slots = [both[0].seal(SLOT_KEYS[0]), both[1].seal(SLOT_KEYS[1])];
        let place = if older.counter == digest.counter { 0 } else { place };
        assert_eq!(newest([Some(&slots[0]), Some(&slots[1])]), Seen::Digest(digest, place));
    }
    assert_eq!(newest([None, None]), Seen::Nothing);
}

/// Any bytes as a lead; and a lead that was written in one half and then in the other, of which a cut or a fault changes a
/// byte: what is read is what was committed, up to some commit, and only the newest may be missing without a word.
pub fn journal_lead(data: &[u8]) {
    let mut script = Script(data);
    let known = u64::from(script.byte()) + 2;
    let _ = lead::read(script.0, known);

    let mut commits = Vec::new();
    for n in 1..=u64::from(script.byte() % 6) {
        let digest = Digest { counter: known + n, entries: n, xor: u64::from(script.u16()) };
        let changes: BTreeMap<Vec<u8>, Option<Vec<u8>>> = (0..script.byte() % 4)
            .map(|_| (script.piece().to_vec(), (script.byte() % 3 > 0).then(|| script.piece().to_vec())))
            .collect();
        commits.push((digest, changes));
    }
    let (turn, first) = (usize::from(script.byte() % 7), Place::START);
    let mut bytes = vec![0; LEAD_BYTES];
    let mut next = if script.byte() % 2 == 0 { first } else { first.other_half() };
    let mut written = Vec::new();
    for (n, (digest, changes)) in commits.iter().enumerate() {
        let changes = changes.iter().map(|(key, body)| (key.clone(), body.as_deref())).collect();
        let entry = lead::encode(digest, &changes).expect("pieces are short");
        let place = if n == turn { next.other_half() } else { next };
        next = place.after(entry.len());
        written.push(place.offset()..next.offset());
        bytes[place.offset()..next.offset()].copy_from_slice(&entry);
    }
    // What an earlier round left behind it: older commits, whole or not.
    let old = Digest { counter: known, entries: 1, xor: 1 };
    let old = [lead::encode(&old, &BTreeMap::new()).expect("it is short"), vec![0xee; 512]].concat();
    bytes[next.offset()..][..old.len()].copy_from_slice(&old);
    let same = |read: &[lead::Entry<'_>], count: usize| {
        assert_eq!(read.len(), count);
        for (entry, (digest, changes)) in read.iter().zip(&commits) {
            let found: BTreeMap<Vec<u8>, Option<Vec<u8>>> =
                entry.changes.iter().map(|(key, body)| (key.to_vec(), body.map(<[u8]>::to_vec))).collect();
            assert_eq!((entry.digest, &found), (*digest, changes));
        }
    };
    let (entries, found) = lead::read(&bytes, known).expect("nothing is wrong with it");
    same(&entries, commits.len());
    // sled has lost commits.
    assert_eq!(lead::read(&bytes, known - 2), Err(Broken::Hole { last: known - 2, beyond: known }));
    let Some((newest, _)) = commits.last() else {
        assert_eq!(found, Place::START);
        return;
    };
    assert_eq!(found, next);
    // sled has it all.
    assert_eq!(lead::read(&bytes, newest.counter), Ok((Vec::new(), Place::START)));
    let broken = usize::from(script.byte()) % commits.len();
    let at = written[broken].start + usize::from(script.u16()) % written[broken].len();
    bytes[at] ^= script.byte().max(1);
    match lead::read(&bytes, known) {
        // In what fills the last sector of an entry.
        Ok((entries, _)) if entries.len() == commits.len() => same(&entries, commits.len()),
        Ok((entries, _)) => {
            same(&entries, commits.len() - 1);
            assert_eq!(broken, commits.len() - 1, "only the newest may be missing");
        }
        Err(Broken::Hole { last, beyond }) => {
            assert!(broken < commits.len() - 1);
            assert_eq!((last, beyond), (known + broken as u64, known + broken as u64 + 2));
        }
        Err(Broken::Newer(format)) => panic!("a check sum that is right by chance, of format {format}"),
    }
}
