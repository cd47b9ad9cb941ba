//! Every text of the pages, in both languages. One that lacks a language, or a key, does not compile.

use crate::core::words::About;
use serde::Serialize;
use std::collections::BTreeMap;

/// Makes the texts: an enum with all of them, and what each says in English and in Chinese.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $key:literal: $en:literal, $zh:literal;)*) => {
        /// A text of a page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Text {
            $(#[doc = $en] $name,)*
        }

        impl Text {
            /// All of them.
            pub const ALL: &[Text] = &[$(Text::$name,)*];

            /// What the pages call it.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Text::$name => $key,)* }
            }

            /// In English and in Chinese.
            #[must_use]
            pub const fn said(self) -> [&'static str; 2] {
                match self { $(Text::$name => [$en, $zh],)* }
            }
        }
    };
}

texts! {
    // Both pages.
    Offline = "offline": "No connection to the machine. Trying again…", "与机器的连接中断，正在重试…";
    TokenWanted = "token_wanted": "This page needs the token.", "此页面需要口令。";
    TokenLabel = "token_label": "Token", "口令";
    TokenEnter = "token_enter": "Open", "打开";

    // The customer's screen.
    Choose = "choose": "Please choose", "请选择商品";
    Machine = "machine": "Machine", "机器";
    SoldOut = "sold_out": "Sold out", "已售完";
    OutOfUse = "out_of_use": "Not available", "暂停销售";
    OutOfOrder = "out_of_order": "Out of order", "暂停服务";
    OutOfOrderMore = "out_of_order_more": "Please try again later.", "请稍后再试。";
    Starting = "starting": "One moment, please", "请稍候";
    NothingOnSale = "nothing_on_sale": "Nothing is on sale here yet.", "暂无商品。";
    Slot = "slot": "Slot", "货道";
    TimeLeft = "time_left": "Time left", "剩余时间";
    Cancel = "cancel": "Cancel", "取消";
    Done = "done": "Done", "完成";

    // The technician's page.
    ServiceTitle = "service_title": "Service", "维护";
    FactsTitle = "facts_title": "State", "状态";
    FactPhase = "fact_phase": "Phase", "阶段";
    FactBroker = "fact_broker": "Broker", "消息服务器";
    Connected = "connected": "connected", "已连接";
    Away = "away": "away", "未连接";
    FactBoard = "fact_board": "Board", "板卡";
    FactLine = "fact_line": "Line", "串口线";
    FactTime = "fact_time": "Time trusted", "时间可信";
    FactDisk = "fact_disk": "Room on the disk", "磁盘空间足够";
    Yes = "yes": "yes", "是";
    No = "no": "no", "否";
    FactUptime = "fact_uptime": "Running for", "已运行";
    UnitDays = "unit_days": "d", "天";
    UnitHours = "unit_hours": "h", "小时";
    UnitMinutes = "unit_minutes": "min", "分钟";
    UnitSeconds = "unit_seconds": "s", "秒";
    FactOpen = "fact_open": "Orders open", "未完成订单";
    FactUnsent = "fact_unsent": "Reports not taken", "未送达的结果";
    FactOldest = "fact_oldest": "Oldest of them", "其中最早的";
    FactDoubt = "fact_doubt": "Orders in doubt", "存疑订单";
    FactDiffer = "fact_differ": "Differences with the cloud", "与平台不一致";
    FactTrouble = "fact_trouble": "Trouble", "故障";
    SlotsTitle = "slots_title": "Slots", "货道";
    NoSlots = "no_slots": "No slot is known yet.", "尚无货道信息。";
    Turning = "turning": "turning", "转动中";
    Locked = "locked": "locked", "已锁定";
    OrdersTitle = "orders_title": "Orders to look after", "待处理订单";
    NoOrders = "no_orders": "None.", "无。";
    Unit = "unit": "unit", "件";
    ReportWord = "report": "report", "结果";
    Tries = "tries": "tries", "次尝试";
    Differs = "differs": "the cloud disagrees", "与平台不一致";
    LineTitle = "line_title": "Line, last 24 hours", "串口线（最近 24 小时）";
    LineFaults = "line_faults": "faults an hour", "每小时错误";
    VendsTitle = "vends_title": "Vends, last 24 hours", "出货（最近 24 小时）";
    VendsDispensed = "vends_dispensed": "dispensed", "成功";
    VendsFailed = "vends_failed": "failed", "失败";
    VendsUnknown = "vends_unknown": "unknown", "未知";
    HoursAgo = "hours_ago": "hours ago", "小时前";
    RoundTrip = "round_trip": "mean answer, ms", "平均应答（毫秒）";
    AsNumbers = "as_numbers": "As numbers", "查看数值";
    CountedSince = "counted_since": "Counted since the agent was started, which was so long ago", "自代理程序启动起计数，启动距今";
    NoSettled = "no_settled": "None since the agent was started.", "代理程序启动后尚无。";
    SettledTitle = "settled_title": "Last orders, settled", "最近已了结的订单";
    KindJournal = "kind_journal": "journal", "日志";
    KindGap = "kind_gap": "gap", "缺失";
    KindMessage = "kind_message": "message", "消息";
    KindState = "kind_state": "state", "状态";
    KindNote = "kind_note": "note", "记录";
    ToBoard = "to_board": "to board", "发往板卡";
    FromBoard = "from_board": "from board", "来自板卡";
    SinceBoot = "since_boot": "boot +", "开机后";
    NotKnown = "not_known": "not known", "未知";
    ByPerson = "by_person": "a person has said what became of it", "已由人工认定结果";
    FramesTitle = "frames_title": "Frames on the line", "串口数据帧";
    FramesStart = "frames_start": "Watch", "开始查看";
    FramesStop = "frames_stop": "Stop watching", "停止查看";
    FramesHint = "frames_hint": "What passes between agent and board, in words. Nothing is copied while nobody watches.", "以文字显示代理程序与板卡之间的数据；无人查看时不做任何复制。";
    FramesNone = "frames_none": "Nothing has passed yet.", "尚无数据。";
    FramesLost = "frames_lost": "lines passed unseen: this page was too slow", "行未能显示：页面过慢";
    FramesRefused = "frames_refused": "Too many watch already, at the machine too. This is tried again.", "查看者过多（包括机器上的命令），正在重试。";
    DoctorTitle = "doctor_title": "What is wrong", "故障检查";
    DoctorHint = "doctor_hint": "Has the doctor check this machine. It takes some seconds and disturbs nothing.", "检查本机，需数秒，不影响运行。";
    DoctorLook = "doctor_look": "Check the machine", "检查本机";
    DoctorLooking = "doctor_looking": "Checking…", "检查中…";
    DoctorAt = "doctor_at": "Looked at", "检查时间";
    DoctorError = "doctor_error": "The doctor could not look:", "无法检查：";
    DoctorWell = "doctor_well": "Nothing is wrong.", "未发现故障。";
    DoctorAll = "doctor_all": "All other checks", "其余检查";
    DoctorOutside = "doctor_outside": "What only root sees (the unit, rights, other programs at the port): sudo vend doctor at the machine.", "仅 root 可见的内容（服务单元、权限、占用串口的程序）：在机器上执行 sudo vend doctor。";
    StateFailed = "state_failed": "failed", "失败";
    StateWarning = "state_warning": "warnings", "警告";
    StateSkipped = "state_skipped": "skipped", "跳过";
    StateNotApplicable = "state_not_applicable": "n/a", "不适用";
    StateOk = "state_ok": "ok", "正常";
    EventsTitle = "events_title": "Last events", "最近事件";

    // Words of the core that the technician's page shows.
    Opening = "opening": "opening", "启动中";
    Running = "running": "running", "运行中";
    Quarantine = "quarantine": "QUARANTINE: nothing is sold", "隔离：停止出货";
    FailedPhase = "failed": "FAILED: the journal cannot be written", "失败：日志无法写入";
    Stopping = "stopping": "stopping", "停止中";
    Closed = "closed": "closed", "已关闭";
    Settling = "settling": "waiting for the board", "等待板卡";
    Idle = "idle": "ready", "就绪";
    Busy = "busy": "busy", "忙";
    Held = "held": "keeping an outcome safe", "正在保存结果";

    // A sale.
    Preparing = "preparing": "One moment…", "正在下单…";
    ToPay = "to_pay": "Scan to pay", "请扫码支付";
    ToPayMore = "to_pay_more": "Scan it with the app that you pay with.", "请用手机支付应用扫描。";
    Dispensing = "dispensing": "Thank you, you have paid", "支付成功";
    DispensingMore = "dispensing_more": "Your goods are on their way.", "正在出货，请稍候。";
    Thanks = "thanks": "Enjoy!", "谢谢惠顾！";
    ThanksMore = "thanks_more": "Please take your goods.", "请取走您的商品。";
    Refund = "refund": "Your refund is on its way", "正在为您退款";
    RefundMore = "refund_more": "Nothing came out. The money goes back the way it came.", "未能出货，款项将原路退回。";
    Owed = "owed": "We owe you a refund", "需要为您退款";
    OwedMore = "owed_more": "Nothing came out. The operator has been told and gives the money back.", "未能出货，已通知运营方为您退款。";
    Doubt = "doubt": "Did your goods come out?", "您的商品出来了吗？";
    DoubtMore = "doubt_more": "We are not sure. If nothing came out, the operator settles it; please keep your receipt.", "我们无法确认。如未出货，运营方将会处理，请保留支付凭证。";
    Expired = "expired": "The time to pay is over", "支付超时";
    Cancelled = "cancelled": "Cancelled", "已取消";
    NothingPaid = "nothing_paid": "Please do not pay by the old code. A late payment is given back.", "请勿再扫描旧的付款码；超时支付的款项将会退回。";
    NotSold = "not_sold": "This could not be sold", "暂时无法购买";
    NotSoldMore = "not_sold_more": "Please choose again, or try later.", "请重新选择，或稍后再试。";
    SettledByPerson = "settled": "The operator has settled this", "运营方已处理完毕";

    // A choice that is not taken.
    AnotherBuys = "another_buys": "Somebody else is buying. One moment, please.", "有其他顾客正在购买，请稍候。";
    ChooseAnother = "choose_another": "This is not available. Please choose another.", "此商品无法购买，请选择其他商品。";
    TooLateToCancel = "too_late_to_cancel": "This can no longer be cancelled.", "现在无法取消。";
    NotNow = "not_now": "Nothing can be sold at the moment. Please try again later.", "暂时无法销售，请稍后再试。";
}

/// All texts by their keys, as the pages load them; and the words of documents, each by what it is about, a point, and
/// itself, like `order.settled`.
#[derive(Debug, Serialize)]
pub struct Texts {
    /// English.
    pub en: BTreeMap<String, &'static str>,
    /// Chinese, simplified.
    pub zh: BTreeMap<String, &'static str>,
}

impl Texts {
    /// Every text.
    #[must_use]
    pub fn all() -> Texts {
        let texts = Text::ALL.iter().map(|text| (text.key().to_owned(), text.said()));
        let words = About::ALL.iter().flat_map(|about| {
            about.words().iter().map(|word| (format!("{}.{}", about.key(), word.json), [word.json, word.zh]))
        });
        let all: Vec<(String, [&'static str; 2])> = texts.chain(words).collect();
        let in_language = |n: usize| all.iter().map(|(key, said)| (key.clone(), said[n])).collect();
        Texts { en: in_language(0), zh: in_language(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use std::collections::BTreeSet;

    const FILES: [&str; 7] = [
        include_str!("assets/screen.html"),
        include_str!("assets/screen.js"),
        include_str!("assets/service.html"),
        include_str!("assets/service.js"),
        include_str!("assets/plots.js"),
        include_str!("assets/watch.js"),
        include_str!("assets/common.js"),
    ];

    /// What stands between a mark and the next quotation mark.
    fn after(text: &'static str, mark: &'static str) -> impl Iterator<Item = String> {
        let is_call = |at: usize| text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let found = text.match_indices(mark).filter(move |(at, _)| is_call(*at));
        found.filter_map(move |(at, _)| text[at + mark.len()..].split_once('"')).map(|(key, _)| key.to_owned())
    }

    /// What the pages ask for: `t("…")` in scripts, `data-text="…"` in pages.
    fn asked_for() -> BTreeSet<String> {
        // Words of the core are looked up as they come.
        let words = ["opening", "running", "quarantine", "failed", "stopping", "closed", "settling", "idle", "busy"];
        let words = words.into_iter().chain(["held"]).map(str::to_owned);
        let states = State::ALL.into_iter().map(|state| format!("state_{}", state.as_str()));
        // Of a list of orders that is empty.
        let words = words.chain(states).chain(["no_orders", "no_settled"].map(str::to_owned));
        let asked = FILES.into_iter().flat_map(|text| after(text, "t(\"").chain(after(text, "data-text=\"")));
        asked.chain(words).collect()
    }

    /// What the server puts into its documents as the key of a text.
    fn told_by_us() -> BTreeSet<String> {
        use crate::web::sale::{REFUSALS, Step};
        use crate::web::screen::{Service, State};
        let services = Service::ALL.iter().filter_map(|service| service.text());
        let states = State::ALL.iter().filter_map(|state| state.text());
        let steps = Step::ALL.iter().map(|step| step.texts()).flat_map(|(text, more)| [Some(text), more]).flatten();
        services.chain(states).chain(steps).chain(REFUSALS).map(|text| text.key().to_owned()).collect()
    }

    #[test]
    fn the_pages_use_every_text_and_no_other() {
        let known: BTreeSet<String> = Text::ALL.iter().map(|text| text.key().to_owned()).collect();
        assert_eq!(known.len(), Text::ALL.len(), "two texts with one key");
        let used: BTreeSet<String> = asked_for().union(&told_by_us()).cloned().collect();
        let missing: Vec<_> = used.difference(&known).collect();
        let idle: Vec<_> = known.difference(&used).collect();
        assert!(missing.is_empty() && idle.is_empty(), "asked for and not there: {missing:?}; unused: {idle:?}");
    }

    #[test]
    fn every_word_of_a_document_is_there_in_both_languages_and_pages_ask_for_no_other_kind() {
        let Texts { en, zh } = Texts::all();
        assert_eq!(en.keys().collect::<Vec<_>>(), zh.keys().collect::<Vec<_>>());
        for about in About::ALL {
            for word in about.words() {
                let key = format!("{}.{}", about.key(), word.json);
                assert_eq!((en.get(&key), zh.get(&key)), (Some(&word.json), Some(&word.zh)), "{key}");
            }
        }
        let asked: BTreeSet<String> = FILES.into_iter().flat_map(|text| after(text, "word(\"")).collect();
        let known: BTreeSet<String> = About::ALL.iter().map(|about| about.key().to_owned()).collect();
        assert_eq!(asked.difference(&known).collect::<Vec<_>>(), [""; 0], "kinds of words that nobody has");
        for about in ["order", "outcome", "copy", "difference", "slot", "level"] {
            assert!(asked.contains(about), "the technician's page shows {about}");
        }
    }

    #[test]
    fn the_languages_are_what_they_say() {
        let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        for text in Text::ALL {
            let [en, zh] = text.said();
            assert!(!en.is_empty() && !is_chinese(en), "{en}");
            assert!(is_chinese(zh), "{zh}");
        }
    }

    #[test]
    fn no_text_stands_in_a_page_itself() {
        for page in [include_str!("assets/screen.html"), include_str!("assets/service.html")] {
            let body = page.split_once("<body").unwrap().1;
            for piece in body.split('>').skip(1) {
                let text = piece.split('<').next().unwrap().trim();
                assert!(text.is_empty() || ["EN", "中文"].contains(&text), "{text}");
            }
        }
    }
}
