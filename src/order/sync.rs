//! Whether the platform's books agree with what became of an order (rules 44–47).

use super::said::words;
use serde::{Deserialize, Serialize};

/// How far the asking is. Part of the order's record, so that a power cut does not forget it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Sync {
    /// Nobody asks: there is no result yet, or the configuration says so.
    #[default]
    No,
    /// The cloud is asked about the last report.
    Asking {
        /// Answers so far that decided nothing.
        answers: u8,
    },
    /// The cloud's record says the same.
    Agreed,
    /// It does not, and asking again would not mend it: a person has to look.
    Differs(Difference),
}

/// What the platform's books and ours do not agree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Difference {
    /// The platform still waits for a result that it has been given.
    NotHeard,
    /// Served here; the platform gave up (`IS_TIMEOUT`, `IS_FAILED`) and may give the money back.
    ServedNotKnown,
    /// Served here, at least in part; there the money went back. Never undone by us.
    ServedRefunded,
    /// Served here, at least in part; there it is not paid.
    ServedUnpaid,
    /// Not served here, or nobody knows; there it is booked as served.
    BookedServed,
    /// Nothing was served, the refund was asked for, and the money has not gone back.
    NotRefunded,
    /// The cloud does not know the order or its record.
    NotThere,
    /// The cloud's word is none that we know.
    Unreadable,
    /// The cloud could not be asked for as long as we try.
    NotAsked,
}

words! {
    Difference {
        Difference::NotHeard => "not_heard", "平台未收到结果";
        Difference::ServedNotKnown => "served_not_known", "平台不知已出货";
        Difference::ServedRefunded => "served_refunded", "已出货却已退款";
        Difference::ServedUnpaid => "served_unpaid", "已出货却未付款";
        Difference::BookedServed => "booked_served", "平台误记已出货";
        Difference::NotRefunded => "not_refunded", "未退款";
        Difference::NotThere => "not_there", "平台无此订单";
        Difference::Unreadable => "unreadable", "平台状态无法识别";
        Difference::NotAsked => "not_asked", "无法询问平台";
    }
}

impl Difference {
    /// All of them.
    pub const ALL: [Difference; 9] = [
        Difference::NotHeard,
        Difference::ServedNotKnown,
        Difference::ServedRefunded,
        Difference::ServedUnpaid,
        Difference::BookedServed,
        Difference::NotRefunded,
        Difference::NotThere,
        Difference::Unreadable,
        Difference::NotAsked,
    ];

    /// The report is published once more, since a lost or late one may be the cause.
    #[must_use]
    pub const fn may_be_mended_by_the_report(self) -> bool {
        matches!(self, Difference::NotHeard | Difference::ServedNotKnown | Difference::BookedServed)
    }

    /// The refund is asked for once more.
    #[must_use]
    pub const fn may_be_mended_by_the_refund(self) -> bool {
        matches!(self, Difference::NotRefunded)
    }
}
