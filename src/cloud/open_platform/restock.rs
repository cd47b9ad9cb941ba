//! Replenishment: POST /replenishments.

use super::account::{Account, ApiRequest};
use super::answer::{Answer, ApiError};
use super::number::{CategoryId, ProductId};
use super::product::Place;
use crate::order::key::MachineNo;

/// What was put into the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restock {
    /// Every slot there is full.
    Full(Place),
    /// So many units more of one product.
    Product {
        /// Which.
        id: ProductId,
        /// How many more.
        added: u32,
    },
    /// So many units more in each slot of a category.
    Category {
        /// Which.
        id: CategoryId,
        /// How many more in each.
        added: u32,
        /// In which cabinet; [`Place::Main`] is A.
        place: Place,
    },
}

impl Account {
    /// Tells the platform what was put into the machine: POST /replenishments. The answer goes to [`read_restocked`].
    #[must_use]
    pub fn restock(&self, machine_no: &MachineNo, restock: Restock, timestamp_s: u64) -> ApiRequest {
        // The page insists on a cabinet and says in the same breath that A is its default.
        let place_of = |place: Place| place.field().unwrap_or_else(|| ("cabinet_name", "A".into()));
        let own = match restock {
            Restock::Full(place) => vec![("method", "replenishment.machine.all".into()), place_of(place)],
            Restock::Product { id, added } => vec![
                ("method", "replenishment.product.id".into()),
                ("product_id", id.to_string().into()),
                ("current_inventory", added.to_string().into()),
            ],
            Restock::Category { id, added, place } => vec![
                ("method", "replenishment.category.id".into()),
                ("category_id", id.to_string().into()),
                ("current_inventory", added.to_string().into()),
                place_of(place),
            ],
        };
        self.signed("POST", "/replenishments", machine_no, timestamp_s, own)
    }
}

/// Reads the answer to [`Account::restock`]. Its proof is `message` "ok": too much for a slot is refused with code 0.
///
/// # Errors
/// [`ApiError`], with what to do next in its [`class`](ApiError::class).
pub fn read_restocked(status: u16, body: &[u8]) -> Result<(), ApiError> {
    Answer::read(status, body)?.says_ok()
}
