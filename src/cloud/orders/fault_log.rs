//! What goes into the local log that course's document demands ([`FaultLog`](crate::order::fault::FaultLog)): an error in answer to a told payment, or
//! no answer at all.

use super::answer::AnswerError;
use crate::cloud::envelope::shown;
use crate::order::fault::Fault;
use crate::order::payment::Paid;
use crate::order::time::UnixMs;

/// An answer that was an error; `attempt` of the call of this number.
#[must_use]
pub fn refused(paid: &Paid, call: u64, at: Option<UnixMs>, attempt: u32, error: &AnswerError) -> Fault {
    fault(paid, call, at, attempt, error.to_string())
}

/// No answer; `why` says what the transport knows of it.
#[must_use]
pub fn unanswered(paid: &Paid, call: u64, at: Option<UnixMs>, attempt: u32, why: &str) -> Fault {
    fault(paid, call, at, attempt, format!("no answer: {}", shown(why)))
}

fn fault(paid: &Paid, call: u64, at: Option<UnixMs>, attempt: u32, why: String) -> Fault {
    Fault {
        // The log gives it its own.
        number: 0,
        call,
        at,
        with: paid.with,
        result: paid.result,
        trade_no: paid.trade_no.0.clone(),
        third_trade_no: shown(&paid.third_trade_no),
        amount: paid.amount,
        why,
        attempt,
        is_told: false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::course::{PaidWith, PaymentResult, TradeNo, read_told};
    use super::*;
    use crate::cloud::open_platform::Fen;
    use crate::order::civil::Zone;
    use crate::order::fault::{FAULTS_KEPT, FaultLog, LINE_BYTES_MAX};
    use crate::order::key::Id;
    use proptest::prelude::*;

    fn paid() -> Paid {
        Paid {
            with: PaidWith::WeChat,
            result: PaymentResult::Success,
            trade_no: TradeNo(Id::parse("5-9996-6d2d").unwrap()),
            third_trade_no: "4200000429201912071609677638".to_owned(),
            third_buyer_id: "oBHx1s775pANd1HWQ".to_owned(),
            amount: Fen(1_250),
        }
    }

    #[test]
    fn a_fault_is_one_line_with_what_the_books_need() {
        let at = Some(UnixMs::from_seconds(1_530_759_438));
        let error = read_told(200, r#"{"code":403,"err_desc":"请先登录"}"#.as_bytes()).unwrap_err();
        assert_eq!(
            refused(&paid(), 1, at, 2, &error).to_line(Zone::CHINA),
            "2018-07-05 10:57:18 wxpay result=SUCCESS trade_no=5-9996-6d2d \
             third_trade_no=\"4200000429201912071609677638\" amount=12.50 attempt=2 course refused with code 403 \
             (nobody is logged in: renew the session) over HTTP 200: 请先登录"
        );
        let silent = unanswered(&paid(), 1, None, 1, "timed out").to_line(Zone::CHINA);
        assert!(silent.starts_with("time-unknown wxpay ") && silent.ends_with(" attempt=1 no answer: timed out"));
        assert!(!silent.contains("oBHx1s775pANd1HWQ"), "the buyer is nobody's business: {silent}");
    }

    #[test]
    fn the_log_keeps_the_newest_and_says_how_many_are_gone() {
        let mut log = FaultLog::default();
        assert_eq!(log.to_text(Zone::CHINA), "");
        for attempt in 1..=u32::try_from(FAULTS_KEPT).unwrap() + 2 {
            let (_, gone) = log.keep(unanswered(&paid(), attempt.into(), None, attempt, "x"));
            assert_eq!(gone, u64::from(attempt).checked_sub(FAULTS_KEPT as u64).filter(|&gone| gone > 0));
        }
        assert_eq!((log.iter().count(), log.dropped()), (FAULTS_KEPT, 2));
        assert_eq!(log.iter().next().map(|fault| fault.attempt), Some(3));
        let text = log.to_text(Zone::CHINA);
        assert!(text.starts_with("2 older faults are gone\ntime-unknown "), "{text}");
        assert_eq!(text.lines().count(), FAULTS_KEPT + 1);
    }

    #[test]
    fn later_tries_of_a_call_change_its_fault_and_are_no_others() {
        let mut log = FaultLog::default();
        assert_eq!(log.keep(unanswered(&paid(), 7, None, 1, "x")), (1, None));
        assert_eq!(log.keep(unanswered(&paid(), 8, None, 1, "x")), (2, None));
        assert_eq!(log.keep(unanswered(&paid(), 7, None, 2, "y")), (1, None));
        assert_eq!((log.told(7), log.told(7), log.told(9)), (Some(1), None, None));
        let text = log.to_text(Zone::CHINA);
        assert!(
            text.starts_with("time-unknown wxpay ") && text.contains(" attempt=2 told later, no answer: y\n"),
            "{text}"
        );
        let mut again = FaultLog::default();
        log.iter().for_each(|fault| again.recall(fault.clone()));
        assert_eq!(again, log);
    }

    proptest! {
        #[test]
        fn nothing_foreign_begins_another_line(why in any::<String>(), trade in any::<String>(), body in any::<String>()) {
            let paid = Paid { third_trade_no: trade, ..paid() };
            let mut faults = vec![unanswered(&paid, 1, None, 1, &why)];
            let answer = format!("{{\"code\":9,\"err_desc\":{}}}", serde_json::to_string(&body).unwrap());
            for (status, text) in [(200, body.as_str()), (200, &answer)] {
                faults.extend(read_told(status, text.as_bytes()).err().map(|e| refused(&paid, 1, None, 1, &e)));
            }
            for fault in faults {
                let line = fault.to_line(Zone::UTC);
                prop_assert!(line.len() <= LINE_BYTES_MAX, "{} bytes", line.len());
                prop_assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{line:?}");
            }
        }
    }
}
