//! Slots that are chosen at the board's own keys.

use super::super::world::World;
use super::{AT, CREATE, mall_world};
use crate::board::driver::{Finding, LineState, Slot};
use crate::core::KEY_NOTED_EVERY_MS;

impl World {
    fn key(&mut self, slot: Option<u16>) {
        self.board_says(Finding::Selected { address: AT.0, slot: slot.map(Slot) });
        // A press is no outcome, and leaves the line as it was.
        self.line_is(LineState::Idle);
    }

    fn refused_keys(&self) -> Vec<String> {
        let recent = self.core.status(self.now).recent;
        recent.into_iter().filter(|note| note.what == "key_refused").map(|note| note.text).collect()
    }
}

#[test]
fn a_slot_that_is_chosen_at_the_keys_begins_a_sale_and_the_cancel_key_ends_it() {
    let mut w = mall_world();
    w.key(Some(5));
    assert_eq!((w.sale().slot, w.sale().state.as_str()), (5, "chosen"));
    assert!(w.waits_for(CREATE) && w.replies.is_empty(), "nobody waits for an answer");
    // Another press changes nothing.
    w.key(Some(5));
    assert_eq!(w.core.sale_views(w.now).len(), 1);
    w.mall_order(CREATE, 10, "3.50");
    w.reply_to("POST https://shop.example/pay", 200, r#"{"status":0,"data":{"content":"weixin://wxpay/x"}}"#);
    w.is("waiting", None);
    w.key(None);
    w.is("leaving", Some("cancelled"));
    assert_eq!(w.driven(), 0);
}

#[test]
fn a_board_that_settles_after_a_vend_is_there_for_whoever_presses_its_keys() {
    let mut w = mall_world();
    w.line_is(LineState::Settling);
    w.board_says(Finding::Selected { address: AT.0, slot: Some(AT.1) });
    assert_eq!(w.sale().state, "chosen");
}

#[test]
fn a_choice_at_the_keys_that_sells_nothing_is_noted_and_not_more_often_than_that() {
    let mut w = mall_world();
    for _ in 0..5 {
        w.key(Some(6));
    }
    assert_eq!(w.refused_keys().len(), 1);
    // Another reason is worth a line of its own.
    w.key(None);
    let noted = w.refused_keys();
    assert!(noted[0].starts_with("slot 6 at the board's keys: nothing with a price"), "{noted:?}");
    assert!(noted[1].contains("cancel key") && noted[1].contains("4 more"), "{noted:?}");
    w.key(None);
    assert_eq!(w.refused_keys().len(), 2);
    w.pass_s(KEY_NOTED_EVERY_MS / 1_000);
    w.key(None);
    assert!(w.refused_keys()[2].contains("1 more"), "{:?}", w.refused_keys());
}

#[test]
fn keys_mean_nothing_where_nothing_is_sold_or_the_configuration_says_so() {
    let mut w = mall_world();
    w.settings.sale.as_mut().unwrap().keypad = false;
    w.kill();
    w.key(Some(5));
    let mut nothing_sold = World::new();
    nothing_sold.key(Some(5));
    for w in [w, nothing_sold] {
        assert_eq!((w.core.current_sale(w.now), w.refused_keys()), (None, Vec::new()));
    }
}
