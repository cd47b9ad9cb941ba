//! Slots that are chosen by what is printed at them.

use super::super::event::{Effect, Token};
use super::super::own::Reply;
use super::super::slots::At;
use super::{Core, SaleChoice, SaleRefusal};
use crate::order::label::Label;
use crate::order::motor::Address;
use crate::order::time::Now;
use serde::{Deserialize, Serialize};

/// Somebody wants to buy what lies in the slot at which this is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaleCode {
    /// What is printed there.
    pub code: Label,
    /// Which board, where more than one prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

impl Core {
    /// Somebody entered what is printed at a slot.
    pub(in crate::core) fn on_sale_code(&mut self, now: Now, token: Token, wanted: &SaleCode) {
        match self.may_sell(now, false).and_then(|()| self.slot_of_code(wanted)) {
            Ok((address, slot)) => self.on_sale_chosen(now, token, SaleChoice { address, slot }),
            Err(refusal) => self.effects.push(Effect::Reply { token, reply: Reply::Sale(Err(refusal)) }),
        }
    }

    /// The one slot with goods that it names.
    fn slot_of_code(&self, wanted: &SaleCode) -> Result<At, SaleRefusal> {
        let printed: Vec<(At, Label)> = self
            .known_slots()
            .filter(|at| wanted.address.is_none_or(|address| address == at.0))
            .filter(|at| self.goods_of(*at).is_some())
            .filter_map(|at| Some((at, self.label_of(at)?)))
            .collect();
        match wanted.code.picks(&printed)[..] {
            [] => Err(SaleRefusal::NoSuchCode),
            [one] => Ok(one),
            _ => Err(SaleRefusal::AmbiguousCode),
        }
    }

    /// What is printed at a slot: as the configuration says, else the platform's code of it.
    fn label_of(&self, at: At) -> Option<Label> {
        let configured = self.configured_label(at).cloned();
        configured.or_else(|| self.settings.profile.slots.code_of(at.1).map(Label::from))
    }

    /// What the configuration says is printed at a slot.
    pub(in crate::core) fn configured_label(&self, at: At) -> Option<&Label> {
        self.settings.sale.as_ref()?.goods.get(&at)?.label.as_ref()
    }
}
