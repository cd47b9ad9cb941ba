//! The enumerations of cloud 1.5, each with all its spellings and an `Unknown` that keeps what came.

use crate::cloud::envelope::shown;

macro_rules! words {
    ($($(#[$meta:meta])* $name:ident {
        $($(#[$vmeta:meta])* $variant:ident = $first:literal $(| $other:literal)*, $en:literal, $zh:literal;)+
    })+) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// Anything else, or nothing (empty).
            Unknown(String),
        }

        impl $name {
            /// Every documented value with its spellings.
            pub const KNOWN: &'static [(Self, &'static [&'static str])] =
                &[$(($name::$variant, &[$first $(, $other)*])),+];

            /// Reads any spelling.
            #[must_use]
            pub fn parse(text: &str) -> Self {
                match text {
                    $($first $(| $other)* => $name::$variant,)+
                    other => $name::Unknown(shown(other)),
                }
            }

            /// The platform's own word, or what came.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $first,)+
                    $name::Unknown(text) => text,
                }
            }

            /// What it means, in English and Chinese; nothing for what nobody documents.
            #[must_use]
            pub const fn meaning(&self) -> Option<(&'static str, &'static str)> {
                match self {
                    $($name::$variant => Some(($en, $zh)),)+
                    $name::Unknown(_) => None,
                }
            }
        }
    )+ };
}

words! {
    /// An order's status, by name or by its numeric twin.
    OrderStatus {
        /// NOTPAY, 0.
        NotPaid = "NOTPAY" | "0", "not paid", "未支付";
        /// SUCCESS, 1.
        Success = "SUCCESS" | "1", "paid", "已支付";
        /// REFUND, 2.
        Refund = "REFUND" | "2", "to be refunded", "转入退款";
        /// CLOSED, 3.
        Closed = "CLOSED" | "3", "closed", "已关闭";
        /// REVOKED, 4.
        Revoked = "REVOKED" | "4", "revoked", "已撤销";
        /// USERPAYING, 5.
        UserPaying = "USERPAYING" | "5", "the user is paying", "用户支付中";
        /// PAYERROR, 6.
        PaymentError = "PAYERROR" | "6", "the payment failed", "支付失败";
        /// PICKUPCODE, 7: paid by a pickup code.
        PickupCode = "PICKUPCODE" | "7", "pickup code", "取货码订单";
        /// TESTPAY, 8: a test order of the merchant.
        TestPaid = "TESTPAY" | "8", "test order", "测试订单";
        /// 9, without a name: closed by the platform after 20 minutes.
        TimedOut = "9", "closed by time-out", "超时关闭";
    }

    /// A record's status, by name or by the Chinese text of before September 2024.
    RecordStatus {
        /// WAITING_PICKED_UP, 未取货: paid and not dispensed.
        WaitingPickedUp = "WAITING_PICKED_UP" | "未取货", "waiting", "未取货";
        /// IS_DELIVERING: the platform has sent its command.
        Delivering = "IS_DELIVERING", "being dispensed", "正在出货";
        /// IS_SUCCESS: dispensed.
        Success = "IS_SUCCESS", "dispensed", "出货成功";
        /// IS_FAILED: reported as failed.
        Failed = "IS_FAILED", "failed", "出货失败";
        /// IS_TIMEOUT: the platform gave up waiting and told the merchant so.
        TimedOut = "IS_TIMEOUT", "timed out", "出货超时";
        /// IS_PICKED_UP, 已取货: taken.
        PickedUp = "IS_PICKED_UP" | "已取货", "taken", "已取货";
        /// IS_REFUND: the money went back.
        Refunded = "IS_REFUND", "refunded", "已退款";
        /// 订单取消: cancelled.
        Cancelled = "订单取消", "cancelled", "订单取消";
    }

    /// What POST /deliveries and its query say about a command: Chinese text.
    DeliveryState {
        /// 未取货或正在出货: not there yet, or under way.
        UnderWay = "未取货或正在出货", "waiting or being dispensed", "未取货或正在出货";
        /// 出货完成: finished.
        Finished = "出货完成", "finished", "出货完成";
    }

    /// A line of the delivery log (bulk upload of the platform's offline devices).
    DeliveryLogStatus {
        /// -1: waits for the drop.
        Waiting = "-1", "waiting to drop", "待掉落";
        /// 0: failed.
        Failed = "0", "failed", "失败";
        /// 1: dispensed.
        Success = "1", "dispensed", "成功";
        /// 2: cancelled.
        Cancelled = "2", "cancelled", "已取消";
        /// 3: under way.
        Dispensing = "3", "being dispensed", "出货中";
        /// 4: taken.
        PickedUp = "4", "taken", "已取货";
        /// 5: nobody answered.
        TimedOut = "5", "timed out", "超时";
    }

    /// A pickup code's status.
    PickupCodeStatus {
        /// UNUSED: good.
        Unused = "UNUSED", "unused", "未使用";
        /// USED: taken.
        Used = "USED", "used", "已使用";
        /// EXPIRED: too late.
        Expired = "EXPIRED", "expired", "已过期";
        /// UNKNOWN: the platform itself does not know.
        Unclear = "UNKNOWN", "unclear to the platform", "平台未知";
    }

    /// How a slot is, in lists and in results.
    FloorStatus {
        /// 0: there is no such slot.
        Absent = "0", "absent", "货道不存在";
        /// 1: in order.
        Normal = "1", "normal", "正常";
        /// 2: goods are stuck.
        Jam = "2", "jam", "卡货";
        /// 3: the motor is broken.
        MotorFault = "3", "motor fault", "电机故障";
        /// 47: the board did not answer.
        SerialTimeOut = "47", "serial time-out", "串口通讯超时";
    }

    /// How an electronic lock is.
    LockStatus {
        /// -1: there is none.
        Absent = "-1", "absent", "不存在";
        /// 0: open.
        Open = "0", "open", "打开";
        /// 1: closed.
        Closed = "1", "closed", "关闭";
        /// 2: broken.
        Fault = "2", "fault", "故障";
    }

    /// What a machine is for at the moment.
    MachineStatus {
        /// OPERATIONAL: sells.
        Operational = "OPERATIONAL", "in operation", "运营中";
        /// MAINTENANCE: channel tests are allowed.
        Maintenance = "MAINTENANCE", "maintenance", "维护中";
        /// TRANSFER: no service.
        Transfer = "TRANSFER", "being transferred", "转让中";
    }

    /// What kind of machine it is.
    MachineType {
        /// 1.
        Vending = "1", "vending machine", "售卖机";
        /// 2.
        Amusement = "2", "amusement machine", "娱乐机";
        /// 3.
        Claw = "3", "claw machine", "娃娃机";
        /// 4.
        BorrowLocker = "4", "lending locker", "借用柜";
        /// 5.
        ReturnLocker = "5", "return locker", "归还柜";
        /// 6.
        CellLocker = "6", "cell locker", "格子柜";
    }

    /// How an order was paid (`payment_id`).
    PaymentKind {
        /// 0: the platform does not know.
        Unclear = "0", "unclear to the platform", "未知";
        /// 1.
        WeChat = "1", "WeChat", "微信";
        /// 2.
        Alipay = "2", "Alipay", "支付宝";
        /// 3.
        Coins = "3", "coins", "硬币";
        /// 4.
        Notes = "4", "notes", "纸币";
        /// 5.
        Card = "5", "card (POS)", "POS 刷卡";
        /// 6.
        NotesAndCoins = "6", "notes and coins", "纸币与硬币";
        /// 7.
        Online = "7", "online", "在线支付";
        /// 8.
        Balance = "8", "balance", "余额";
    }
}
