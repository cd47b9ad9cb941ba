//! Where something is asked: each path, and how it is asked there.

/// Where something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `GET /v1/status`: one [`crate::core::Status`].
    Status,
    /// `GET /v1/orders`: the [`super::Orders`].
    Orders,
    /// `GET /v1/audit`: the [`super::Audit`].
    Audit,
    /// `GET /v1/faults`: the [`crate::core::FaultLines`].
    Faults,
    /// `POST /v1/service` with a [`crate::board::service::Service`]: one [`crate::board::service::Reading`].
    Service,
    /// `POST /v1/pickup` with `{"code":"…"}`: one [`crate::core::Entry`].
    Pickup,
    /// `GET /v1/pickup/codes`: the [`super::Codes`], without their digits.
    Codes,
    /// `POST /v1/slot/test` with a [`crate::core::SlotTest`]: the [`super::Testing`], once the motor may turn.
    Test,
    /// `GET /v1/slot/last-test`: the [`super::LastTest`].
    LastTest,
    /// `GET /v1/slots`: the [`super::Slots`].
    Slots,
    /// `POST /v1/slots/act` with a [`crate::core::SlotAct`]: the [`super::Slots`] after it, durable.
    SlotAct,
    /// `GET /v1/sale`: the [`super::CurrentSale`].
    Sale,
    /// `POST /v1/sale` with a [`crate::core::SaleChoice`] or a [`crate::core::SaleCode`]: the [`crate::core::SaleView`], durable. Its pay code comes with [`Place::Sale`].
    SaleStart,
    /// `POST /v1/sale/cancel`: the [`crate::core::SaleView`] after it, durable.
    SaleCancel,
    /// `GET /v1/sales`: the [`super::Sales`].
    Sales,
    /// `POST /v1/sale/settle` with a [`crate::core::Settle`]: the [`crate::core::SaleView`] after it, durable.
    SaleSettle,
    /// `POST /v1/sale/callback` with a [`crate::core::Callback`]: the [`crate::core::PaymentHeard`], durable.
    SaleCallback,
    /// `GET /v1/books`: the [`crate::core::Books`].
    Books,
    /// `POST /v1/books/act` with a [`crate::core::BooksAct`]: the [`crate::core::Books`] after it, durable.
    BooksAct,
    /// `GET /v1/order?order_id=…&record_id=…`: one [`crate::core::OrderStory`].
    Order,
    /// `POST /v1/order/decide` with a [`crate::core::Decision`]: the [`crate::core::OrderLine`] after it, durable.
    Decide,
    /// `GET /v1/reports`: the [`crate::core::Letters`].
    Reports,
    /// `GET /v1/frames`: a [`super::FrameLine`] for each frame on the line, as it passes.
    Frames,
    /// `GET /v1/messages`: a [`super::MessageLine`] for each message of the platform, as it comes.
    Messages,
    /// `POST /v1/log` with a [`super::LogLevel`]: the [`super::LogLevel`] that holds.
    Log,
    /// `GET /v1/broker`: the [`super::BrokerTrip`].
    BrokerTrip,
    /// `GET /v1/report?order_id=…&record_id=…`: the [`crate::core::Letters`] of one order, with what they say.
    Report,
}

impl Place {
    /// All of them.
    pub const ALL: [Place; 27] = [
        Place::Status,
        Place::Orders,
        Place::Audit,
        Place::Faults,
        Place::Service,
        Place::Pickup,
        Place::Codes,
        Place::Test,
        Place::LastTest,
        Place::Slots,
        Place::SlotAct,
        Place::Sale,
        Place::SaleStart,
        Place::SaleCancel,
        Place::Sales,
        Place::SaleSettle,
        Place::SaleCallback,
        Place::Books,
        Place::BooksAct,
        Place::Order,
        Place::Decide,
        Place::Reports,
        Place::Report,
        Place::Frames,
        Place::Messages,
        Place::Log,
        Place::BrokerTrip,
    ];

    /// Its path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Place::Status => "/v1/status",
            Place::Orders => "/v1/orders",
            Place::Audit => "/v1/audit",
            Place::Faults => "/v1/faults",
            Place::Service => "/v1/service",
            Place::Pickup => "/v1/pickup",
            Place::Codes => "/v1/pickup/codes",
            Place::Test => "/v1/slot/test",
            Place::LastTest => "/v1/slot/last-test",
            Place::Slots => "/v1/slots",
            Place::SlotAct => "/v1/slots/act",
            Place::Sale | Place::SaleStart => "/v1/sale",
            Place::SaleCancel => "/v1/sale/cancel",
            Place::Sales => "/v1/sales",
            Place::SaleSettle => "/v1/sale/settle",
            Place::SaleCallback => "/v1/sale/callback",
            Place::Books => "/v1/books",
            Place::BooksAct => "/v1/books/act",
            Place::Order => "/v1/order",
            Place::Decide => "/v1/order/decide",
            Place::Reports => "/v1/reports",
            Place::Report => "/v1/report",
            Place::Frames => "/v1/frames",
            Place::Messages => "/v1/messages",
            Place::Log => "/v1/log",
            Place::BrokerTrip => "/v1/broker",
        }
    }

    /// How it is asked: what only reads the daemon's own memory by GET, what wants something done by POST.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Place::Status
            | Place::Orders
            | Place::Audit
            | Place::Faults
            | Place::Codes
            | Place::LastTest
            | Place::Slots
            | Place::Sale
            | Place::Sales
            | Place::Books
            | Place::Order
            | Place::Reports
            | Place::Report
            | Place::Frames
            | Place::Messages
            | Place::BrokerTrip => "GET",
            Place::Service
            | Place::Pickup
            | Place::Test
            | Place::SlotAct
            | Place::SaleStart
            | Place::SaleCancel
            | Place::SaleSettle
            | Place::SaleCallback
            | Place::BooksAct
            | Place::Decide
            | Place::Log => "POST",
        }
    }
}
