//! What a message says is to be turned: read from its fields, after defaults, and held against the board.

use super::envelope::Fields;
use crate::board::driver::{Address, FloorType};
use crate::board::profile::Profile;
use crate::order::command::{BodyDigest, QUANTITY_MAX, Turns};
use crate::order::outcome::Reason;
use md5::{Digest, Md5};

/// The fields that make two commands of one key the same (order-life, rule 10).
const BODY_FIELDS: [&str; 6] = ["code", "addr", "quantity", "floor_type", "is_lp", "is_dc"];

/// Decimal digits only: no sign, no blank, no fraction.
pub(super) fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

fn floor_type(text: &str) -> Option<FloorType> {
    match text {
        "1" => Some(FloorType::Spring),
        "2" => Some(FloorType::Lock),
        "3" => Some(FloorType::Belt),
        _ => None,
    }
}

const fn floor_type_digit(floor_type: FloorType) -> u8 {
    match floor_type {
        FloorType::Spring => 1,
        FloorType::Lock => 2,
        FloorType::Belt => 3,
    }
}

/// What is to be turned, after defaults, before it is held against the board.
pub(super) struct Body<'a> {
    /// Without leading zeros. Text, since a code too large for any board is still a code.
    code: &'a str,
    address: Address,
    address_given: bool,
    quantity: u8,
    floor_type: FloorType,
    lift: bool,
    drop_check: bool,
}

impl<'a> Body<'a> {
    /// `code_field` is where the slot's code stands.
    ///
    /// # Errors
    /// The name of the first field that is missing or out of its range.
    pub(super) fn read(
        fields: &'a Fields,
        code_field: &'static str,
        profile: &Profile,
    ) -> Result<Body<'a>, &'static str> {
        /// Absent is the default; present but unreadable is nothing.
        fn read<T>(
            fields: &Fields,
            name: &'static str,
            parse: fn(&str) -> Option<T>,
            or: T,
        ) -> Result<T, &'static str> {
            fields.get(name).map_or(Some(or), parse).ok_or(name)
        }
        // "1" but not "01": a number as the platform writes it.
        let small = |text: &str| digits(text).filter(|text| !text.starts_with('0'))?.parse::<u8>().ok();
        let code = fields.get(code_field).and_then(digits).ok_or(code_field)?;
        let defaults = profile.defaults;
        let quantity = read(fields, "quantity", small, 1)?;
        Ok(Body {
            code: match code.trim_start_matches('0') {
                "" => "0",
                code => code,
            },
            address: Address::new(read(fields, "addr", small, 1)?).ok_or("addr")?,
            address_given: fields.get("addr").is_some(),
            quantity: Some(quantity).filter(|n| (1..=QUANTITY_MAX).contains(n)).ok_or("quantity")?,
            floor_type: read(fields, "floor_type", floor_type, defaults.floor_type)?,
            lift: read(fields, "is_lp", flag, defaults.lift)?,
            drop_check: read(fields, "is_dc", flag, defaults.drop_check)?,
        })
    }

    pub(super) fn digest(&self) -> BodyDigest {
        let Body { code, address, quantity, floor_type, lift, drop_check, .. } = self;
        let (addr, floor_type) = (address.get(), floor_type_digit(*floor_type));
        let (lift, drop_check) = (u8::from(*lift), u8::from(*drop_check));
        let canonical = format!(
            "code={code}&addr={addr}&quantity={quantity}&floor_type={floor_type}&is_lp={lift}&is_dc={drop_check}"
        );
        BodyDigest(Md5::digest(canonical).into())
    }

    /// Holds it against the board: [`Reason::Slot`] when the board has no such address or slot.
    pub(super) fn turns(&self, profile: &Profile) -> Result<Turns, Reason> {
        let number: u16 = self.code.parse().map_err(|_| Reason::Slot)?;
        let slot = profile.slots.slot_of_given(number, self.address_given).ok_or(Reason::Slot)?;
        if self.address.get() > profile.addresses.count {
            return Err(Reason::Slot);
        }
        Ok(Turns {
            address: self.address,
            slot,
            floor_type: self.floor_type,
            lift: self.lift,
            drop_check: self.drop_check,
            quantity: self.quantity,
        })
    }
}

/// The digest of a body that cannot be read: over the texts as they came, each with its length, so that a repeated
/// command is known as such. It meets no readable body's, which has `=` where this has `:`.
pub(super) fn digest_of_unreadable(fields: &Fields) -> BodyDigest {
    let mut hash = Md5::new();
    for name in BODY_FIELDS {
        let text = fields.get(name).unwrap_or_default();
        hash.update(format!("{name}:{}:{text};", text.len()));
    }
    BodyDigest(hash.finalize().into())
}
/// A whole number of decimal digits only.
pub(super) fn unix_seconds(text: &str) -> Option<u64> {
    digits(text)?.parse().ok()
}
