//! JSON of flat objects, put together from its texts: every message and every report is one, and most of what serde does
//! for a map of any shape is nothing to them.

use super::envelope::Value;
use serde::Serialize;

/// Around the text of one field, at most: two pairs of quotes, a colon, a comma.
const AROUND_A_FIELD_BYTES: usize = 6;

/// Compact JSON of what this module's neighbours build.
#[allow(clippy::expect_used, reason = "texts, whole numbers, lists and maps with text keys always have a JSON form")]
pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("has a JSON form")
}

/// Compact JSON of an object with these fields, in their order.
pub(super) fn object(fields: &[(&str, Value<'_>)]) -> Vec<u8> {
    let fields_bytes: usize =
        fields.iter().map(|(name, value)| name.len() + value.as_str().len() + AROUND_A_FIELD_BYTES).sum();
    let mut json = Vec::with_capacity(fields_bytes + "{}".len());
    json.push(b'{');
    for (name, value) in fields {
        if json.len() > "{".len() {
            json.push(b',');
        }
        text(&mut json, name);
        json.push(b':');
        match value {
            Value::Text(value) => text(&mut json, value),
            Value::Json(value) => json.extend_from_slice(value.as_bytes()),
        }
    }
    json.push(b'}');
    json
}

#[allow(clippy::expect_used, reason = "a text has a JSON form, and memory takes all that is written into it")]
fn text(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("has a JSON form");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_object_is_to_the_byte_what_serde_json_writes(
            fields in proptest::collection::btree_map("[a-z\"\\\\\u{0}-\u{1f}\u{7f}é]{0,4}", any::<String>(), 0..6),
            number in any::<u64>(),
        ) {
            let mut written: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), Value::from(v.as_str()))).collect();
            let mut expected: serde_json::Map<_, _> = fields.iter().map(|(n, v)| (n.clone(), v.as_str().into())).collect();
            written.push(("~", number.into()));
            expected.insert("~".to_owned(), number.into());
            written.sort_by_key(|(name, _)| *name);
            prop_assert_eq!(object(&written), to_json(&expected));
        }
    }
}
