//! The platform's open API (cloud 1.3–1.8), whole: requests are built and answers read here; somebody else carries
//! them.
//!
//! | file | calls |
//! |---|---|
//! | `account` | who asks: headers, signed payload, and the ping |
//! | `machine` | POST /rent/machines, /rent/machines/{machine_no} |
//! | `product` | POST /products, /floors, /categories, /banners |
//! | `order` | POST /orders, /orders/{order_id}; PUT /orders/{order_id} |
//! | `delivery` | POST /deliveries, /deliveries/{delivery_id}, /deliveries/debug |
//! | `pickup` | POST and PUT /pickup_codes, POST /products/{product_id}/pickup_code, /consumes |
//! | `restock` | POST /replenishments |
//! | `answer` | the envelope, what proves a success, [`ApiError`] |
//! | `status` | the enumerations of cloud 1.5 |
//! | `money`, `number` | fen; ids that are numbers |
//! | `policy` | may this order be driven? |
//!
//! The platform leaves out what is zero, false or empty, and has shown failures with `code` 0. So no answer is taken
//! as a success for what it lacks: each call names the one thing that proves it.

mod account;
mod answer;
mod delivery;
mod machine;
mod money;
mod number;
mod order;
mod pickup;
mod policy;
mod product;
mod restock;
mod status;
#[cfg(test)]
mod tests;

pub use account::{APP_ID_HEADER, APP_SECRET_HEADER, Account, ApiRequest, AppSecret, BASE_PATH, read_ping};
pub use answer::{ANSWER_BYTES_MAX, ApiError, LIST_ITEMS_MAX, TEXT_CHARS_MAX};
pub use delivery::{Delivery, read_delivery, read_dispensed};
pub use machine::{Currency, Machine, MachineDetail, read_machine, read_machines};
pub use money::{BadAmount, Fen, Price};
pub use number::{BadNumber, CategoryId, PickupCodeId, ProductId};
pub use order::{
    BadOrder, NewOrder, NewStatus, ORDER_LINES_MAX, Order, OrderLine, OrderRecord, read_created, read_order,
    read_update,
};
pub use pickup::{
    BadPickup, CODE_LENGTH_DEFAULT, CodeLength, Consume, NewCodes, PickupCode, PlatformTime, StoredCode,
    order_of_used_code, read_codes, read_codes_changed, read_consumed,
};
pub use policy::{Verdict, may_drive, names_another_amount};
pub use product::{
    Banner, Cabinet, Category, Channel, Floor, Good, Place, Product, ProductPage, ProductQuery, read_banners,
    read_categories, read_floors, read_products,
};
pub use restock::{Restock, read_restocked};
pub use status::{
    DeliveryLogStatus, DeliveryState, FloorStatus, LockStatus, MachineStatus, MachineType, OrderStatus, PaymentKind,
    PickupCodeStatus, RecordStatus,
};
