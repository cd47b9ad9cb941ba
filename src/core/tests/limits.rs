//! The limits of what is kept, which take many orders to reach (rules 9, 12, 26).

use super::world::{T0_S, World};
use crate::core::archive::Archive;
use crate::core::{REFUSAL_RESERVE, REPORTS_OPEN_MAX, TOMBSTONE_AGE_MIN_S, TOMBSTONES_KEPT};
use crate::order::command::{BodyDigest, Echo, Put};
use crate::order::key::{Id, Key};
use crate::order::life::{Arrival, Order};
use crate::order::outcome::Reason;
use crate::order::time::{BootId, BootMs, UnixMs};

pub(super) fn refused(number: usize, issued_at_s: u64, drive_until_s: u64) -> Order {
    let put = Put {
        key: Key { order_id: Id::parse(&number.to_string()).unwrap(), record_id: Id::parse("1").unwrap() },
        issued_at_s,
        paid_at_s: None,
        drive_until_s,
        notify_url: None,
        echo: Echo::default(),
        digest: BodyDigest([0; 16]),
        sold: crate::order::command::Sold::default(),
        turns: Err(Reason::Invalid),
    };
    let arrival = Arrival { wall: UnixMs(0), boot: BootMs(0), boot_id: BootId([1; 16]), trusted: None };
    Order::new(&put, u64::try_from(number).unwrap(), arrival)
}

#[test]
fn rule_12_a_tombstone_goes_only_beyond_the_number_kept_and_past_every_age() {
    let session_s = 2 * TOMBSTONE_AGE_MIN_S;
    let deadline_s = T0_S + 3 * TOMBSTONE_AGE_MIN_S;
    // What is old enough by one age is too young by another: 30 days, the session, the deadline.
    for (session_expiry_s, drive_until_s, keep_until_s) in [
        (0, T0_S, T0_S + TOMBSTONE_AGE_MIN_S),
        (session_s, T0_S, T0_S + session_s),
        (session_s, deadline_s, deadline_s),
    ] {
        let mut archive = Archive::default();
        for number in 0..TOMBSTONES_KEPT {
            archive.keep(&refused(number, T0_S, drive_until_s)).unwrap();
        }
        assert_eq!(archive.forget_one(TOMBSTONES_KEPT, u64::MAX, session_expiry_s), None, "not one too many");
        archive.keep(&refused(TOMBSTONES_KEPT, T0_S + 1, drive_until_s)).unwrap();
        assert_eq!(archive.forget_one(TOMBSTONES_KEPT, keep_until_s, session_expiry_s), None);
        let (key, issued_at_s) = archive.forget_one(TOMBSTONES_KEPT, keep_until_s + 1, session_expiry_s).unwrap();
        assert_eq!((key.to_string().as_str(), issued_at_s), ("0:1", T0_S), "the oldest");
        assert!(archive.get(&key).is_none());
        assert_eq!(archive.len(), TOMBSTONES_KEPT);
        assert_eq!(archive.forget_one(TOMBSTONES_KEPT, u64::MAX, session_expiry_s), None, "and no more than needed");
    }
}

#[test]
fn rule_26_beyond_20000_open_reports_a_command_is_refused_and_beyond_the_reserve_it_waits() {
    let mut w = World::new();
    // A broker that takes nothing keeps every report open; refusals make the most of them in the least time.
    w.broker_is_quick = false;
    for number in 0..REPORTS_OPEN_MAX {
        w.deliver(&w.put(&number.to_string(), "1").with("quantity", "11"));
        w.story.clear();
    }
    assert_eq!(w.acks.len(), REPORTS_OPEN_MAX);
    for number in 0..REFUSAL_RESERVE {
        w.deliver(&w.put(&format!("good-{number}"), "1"));
        w.story.clear();
    }
    assert_eq!((w.driven(), w.acks.len()), (0, REPORTS_OPEN_MAX + REFUSAL_RESERVE), "refused, durable, told");
    assert_eq!(w.outcome_on_disk("good-0", "1"), ["refused"]);
    w.deliver(&w.put("one-more", "1"));
    assert_eq!(
        w.acks.len(),
        REPORTS_OPEN_MAX + REFUSAL_RESERVE,
        "its refusal cannot be kept: it stays with the broker"
    );
    assert!(w.on_disk("one-more", "1").is_none());
}

#[test]
fn rule_12_a_timestamp_in_milliseconds_keeps_neither_itself_nor_the_others_for_ever() {
    let mut archive = Archive::default();
    let mut from_the_future = refused(0, T0_S * 1_000, T0_S * 1_000 + 1_200);
    from_the_future.arrival.trusted = Some(UnixMs::from_seconds(T0_S));
    archive.keep(&from_the_future).unwrap();
    for number in 1..=TOMBSTONES_KEPT {
        archive.keep(&refused(number, T0_S, T0_S)).unwrap();
    }
    let forgotten = archive.forget_one(TOMBSTONES_KEPT, T0_S + TOMBSTONE_AGE_MIN_S + 1_000, 0);
    let latest_s = T0_S + crate::core::gate::FUTURE_MAX_S;
    assert_eq!(forgotten.map(|(_, issued_at_s)| issued_at_s), Some(latest_s), "it makes no honest key stale");
}

/// Found by a simulated life: it came while nobody knew the time, was refused when somebody did, and kept itself and all
/// after it.
#[test]
fn rule_12_nor_does_one_that_came_before_the_time_was_known() {
    let mut archive = Archive::default();
    let mut from_the_future = refused(0, T0_S * 1_000, T0_S * 1_000 + 1_200);
    from_the_future.refuse(Reason::Clock).unwrap();
    from_the_future.write_report(T0_S);
    archive.keep(&from_the_future).unwrap();
    for number in 1..=TOMBSTONES_KEPT {
        archive.keep(&refused(number, T0_S, T0_S)).unwrap();
    }
    let forgotten = archive.forget_one(TOMBSTONES_KEPT, T0_S + TOMBSTONE_AGE_MIN_S + 1_000, 0);
    let latest_s = T0_S + crate::core::gate::FUTURE_MAX_S;
    assert_eq!(forgotten.map(|(_, issued_at_s)| issued_at_s), Some(latest_s));
}

#[test]
fn order_ids_with_one_check_sum_are_two_orders() {
    let of = |order_id: &str, number| {
        let mut order = refused(number, T0_S, T0_S);
        order.key.order_id = Id::parse(order_id).unwrap();
        order
    };
    let (first, second) = (of("plumless", 1), of("buckeroo", 2));
    assert_eq!(crc32fast::hash(b"plumless"), crc32fast::hash(b"buckeroo"));
    let mut archive = Archive::default();
    archive.keep(&first).unwrap();
    assert_eq!(archive.get(&second.key), None);
    archive.keep(&second).unwrap();
    assert_eq!((archive.get(&first.key), archive.get(&second.key)), (Some(first.clone()), Some(second.clone())));
    assert_eq!(archive.orders_of(&first.key.order_id).collect::<Vec<_>>(), std::slice::from_ref(&first));
    assert_eq!(archive.take(&first.key), Some(first));
    assert_eq!(archive.get(&second.key), Some(second));
}

#[test]
fn what_settled_last_is_what_the_archive_has_of_it_however_it_changes_after() {
    let settled = refused(1, T0_S, T0_S);
    let mut archive = Archive::default();
    archive.keep(&settled).unwrap();
    archive.remember(settled.clone());
    assert_eq!(archive.get(&settled.key).as_ref(), Some(&settled));
    assert_eq!(archive.get(&refused(2, T0_S, T0_S).key), None, "of no other");
    let changed = Order { issued_at_s: T0_S + 1, ..settled.clone() };
    archive.keep(&changed).unwrap();
    assert_eq!(archive.get(&settled.key).as_ref(), Some(&changed));
    archive.remember(changed.clone());
    assert_eq!(archive.take(&settled.key), Some(changed.clone()));
    assert_eq!(archive.get(&settled.key), None, "it is an open order again");
    archive.keep(&changed).unwrap();
    archive.remember(changed);
    archive.forget_one(0, u64::MAX, 0).unwrap();
    assert_eq!(archive.get(&settled.key), None, "forgotten");
}
