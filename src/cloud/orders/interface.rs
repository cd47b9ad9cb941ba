//! One small interface over all clouds that orders come from: what a sale asks, and what it hears.
//!
//! The words stand below the clouds: each is one file with an [`OrderCloud`] for its account and one line of the
//! [`table`](super::table), and speaks them. Nobody who asks knows which one it is.

use super::answer::AnswerError;
use super::walk::Page;
use crate::cloud::api_codes::RetryClass;
use crate::cloud::open_platform::{ApiError, ApiRequest, Fen};
use crate::order::key::Id;
use crate::order::payment::{OpenId, PaidWith};
use crate::order::time::UnixMs;
use std::fmt;

/// What a cloud may be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Makes an order.
    Create,
    /// Gives the text of a pay code for it.
    Pay,
    /// Says whether it is paid.
    Query,
    /// Says which orders there are.
    List,
    /// Ends it unserved.
    Close,
    /// Hears that it was created or paid.
    Notify,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 6] = [Verb::Create, Verb::Pay, Verb::Query, Verb::List, Verb::Close, Verb::Notify];
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verb::Create => "create",
            Verb::Pay => "pay",
            Verb::Query => "query",
            Verb::List => "list",
            Verb::Close => "close",
            Verb::Notify => "notify",
        })
    }
}

/// How an order was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidBy {
    /// When.
    pub at: UnixMs,
    /// Where.
    pub with: PaidWith,
    /// The payment system's name of the payment.
    pub third_trade_no: String,
    /// The payment system's name of the buyer.
    pub third_buyer_id: String,
}

/// What is told of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The order.
    pub order: Id,
    /// Its name towards the payment system.
    pub trade_no: Option<Id>,
    /// Who buys.
    pub openid: Option<OpenId>,
    /// When it was created.
    pub created_at: UnixMs,
    /// How it was paid, if it was.
    pub paid: Option<PaidBy>,
    /// What it costs.
    pub amount: Fen,
    /// What is bought, in any script.
    pub title: Option<String>,
    /// Whether it does not count.
    pub is_test: bool,
}

/// What a sale asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask<'a> {
    /// Make an order of one unit of the goods with this number: the platform's `product_id`, course's `album_id`,
    /// mall's `shippingId` (of what lies in the cart).
    Create {
        /// The number on the cloud's books.
        goods: u64,
        /// The machine's own name of the order, that no other has. Clouds that name orders themselves do not see it.
        trade_no: &'a Id,
    },
    /// Give a pay code.
    Pay {
        /// The order.
        order: &'a Id,
        /// What the buyer's telephone shows.
        name: &'a str,
        /// What is to be paid.
        amount: Fen,
    },
    /// Is it paid? Of two names the order's own wins.
    Query {
        /// The order.
        order: Option<&'a Id>,
        /// Its name towards the payment system.
        trade_no: Option<&'a Id>,
    },
    /// Which orders are there?
    List {
        /// From 1.
        page: u32,
    },
    /// It ends unserved.
    Close {
        /// The order.
        order: &'a Id,
    },
    /// It was created or paid.
    Notify(&'a News),
}

impl Ask<'_> {
    /// What is asked.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        match self {
            Ask::Create { .. } => Verb::Create,
            Ask::Pay { .. } => Verb::Pay,
            Ask::Query { .. } => Verb::Query,
            Ask::List { .. } => Verb::List,
            Ask::Close { .. } => Verb::Close,
            Ask::Notify(_) => Verb::Notify,
        }
    }
}

/// Whether an order may be served, as its cloud says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayState {
    /// Not paid yet.
    Unpaid,
    /// Paid and not served: the only word that lets a motor turn.
    Paid,
    /// Paid, and handed over by somebody.
    Served,
    /// Given up, closed or paid back.
    Closed,
    /// The payment went wrong.
    Failed,
    /// A word that nobody documents: it serves nothing and ends nothing.
    Unclear,
}

/// An order as its cloud knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub order: Id,
    /// Its name towards the payment system.
    pub trade_no: Option<Id>,
    /// What is to be paid, where the answer says so.
    pub amount: Option<Fen>,
    /// Whether it is paid.
    pub state: PayState,
}

/// What a sale hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// There is an order now; where only its number came, ask for it before anything else.
    Created(Id, Option<Seen>),
    /// The text of the pay code.
    PayCode(String),
    /// How it stands.
    Order(Seen),
    /// A page, for a [`ListWalk`](super::walk::ListWalk).
    Orders(Page<Seen>),
    /// It is so.
    Done,
}

/// Why a cloud cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It cannot do that at all.
    #[error("this cloud cannot {0} an order")]
    Cannot(Verb),
    /// Something is missing, or not in the cloud's form.
    #[error("this cloud needs {0}")]
    Needs(&'static str),
}

/// Why a sale hears nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It could not have been asked.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// One of the three clouds.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The platform.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Failure {
    /// What to do next with the call. It says nothing about the order.
    #[must_use]
    pub fn class(&self) -> RetryClass {
        match self {
            Failure::Unfit(_) => RetryClass::Final,
            Failure::Answer(error) => error.class(),
            Failure::Api(error) => error.class(),
        }
    }
}

/// An account at a cloud that orders come from.
pub trait OrderCloud: fmt::Debug + Send + Sync {
    /// The request for a question.
    ///
    /// # Errors
    /// [`Unfit`], when the cloud cannot do that or something is missing.
    fn request(&self, ask: &Ask, now: UnixMs) -> Result<ApiRequest, Unfit>;

    /// What the answer to it says.
    ///
    /// # Errors
    /// [`Failure`], with what to do next in its [`class`](Failure::class).
    fn read(&self, ask: &Ask, status: u16, body: &[u8]) -> Result<Said, Failure>;
}
