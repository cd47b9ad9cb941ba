//! What a board says of itself, in words for people: the picture, or the part of one, that an answer tells.

use super::latch::{Latch, Latches};
use super::{col_ed, ff0055, lift_c7, m102, vendapin, vmc96};
use crate::order::said::Said;

/// Can be told to people.
pub trait InWords {
    /// In both languages; what has no name keeps its number.
    fn said(&self) -> Said;
}

/// Several things one after the other; what tells nothing is said so.
fn listed(all: impl IntoIterator<Item = Said>) -> Said {
    let all: Vec<Said> = all.into_iter().collect();
    if all.is_empty() { Said::new("nothing", "无内容") } else { Said::list(&all) }
}

/// A code that the sources name, or its number.
fn code(code: u8, names: &[(u8, &'static str, &'static str)]) -> Said {
    match names.iter().find(|(known, ..)| *known == code) {
        Some((_, en, zh)) => Said::new(*en, *zh),
        None => Said::new(format!("code {code:#04x}"), format!("代码 {code:#04x}")),
    }
}

impl InWords for Latches {
    fn said(&self) -> Said {
        let open = |latch: &Latch| if latch.is_open { ("open", "开") } else { ("shut", "关") };
        let item = |latch: &Latch| match latch.item {
            None => ("", ""),
            Some(true) => (" with goods", "有货"),
            Some(false) => (" without goods", "无货"),
        };
        let doors = self.0.iter().map(|(number, latch)| {
            let (state, goods) = (open(latch), item(latch));
            Said::new(format!("door {number} {}{}", state.0, goods.0), format!("门 {number} {}{}", state.1, goods.1))
        });
        let shut = self.0.values().filter(|latch| !latch.is_open).count();
        match self.0.len() {
            // A whole board of them says more as a sum; those that are open are what somebody looks for.
            all if all > DOORS_NAMED_MAX => {
                let named = doors.zip(self.0.values()).filter(|(_, latch)| latch.is_open).map(|(said, _)| said);
                let sum = Said::new(format!("{shut} of {all} doors shut"), format!("{all} 个门中 {shut} 个关闭"));
                listed(std::iter::once(sum).chain(named.take(DOORS_NAMED_MAX)))
            }
            _ => listed(doors),
        }
    }
}

/// So many doors are named: what fits on a line or two.
const DOORS_NAMED_MAX: usize = 4;

impl InWords for lift_c7::Look {
    fn said(&self) -> Said {
        use lift_c7::{BAD_DATA, BUSY, DOOR_SHUT, EMPTY, GOODS_LEFT, NOT_TAKEN, STUCK};
        let faults = [
            (BAD_DATA, "bad data", "数据错误"),
            (EMPTY, "empty", "已空"),
            (STUCK, "stuck", "卡住"),
            (DOOR_SHUT, "the door is shut", "门未打开"),
            (NOT_TAKEN, "the goods were not taken", "商品未被取走"),
        ];
        let result = self.result.map(|last| match last {
            last if last.is_vending() => Said::new("still vending", "出货中"),
            last if last.is_success() => Said::new("the last vend went well", "上次出货成功"),
            last => Said::new("the last vend failed", "上次出货失败").then(&code(last.reason, &faults)),
        });
        let status = self.status.map(|[state, fault]| {
            let busy = match state & BUSY {
                0 => Said::new("idle", "空闲"),
                _ => Said::new("busy", "忙"),
            };
            let goods = (state & GOODS_LEFT != 0).then(|| Said::new("goods are still in it", "商品仍在其中"));
            let fault = (fault != 0).then(|| Said::new("fault", "故障").then(&code(fault, &[])));
            listed(std::iter::once(busy).chain(goods).chain(fault))
        });
        listed(result.into_iter().chain(status))
    }
}

impl InWords for vendapin::Dispenser {
    fn said(&self) -> Said {
        use vendapin::{BUSY, CARD_HELD, CHECK_SENSORS, DISABLED, EMPTY, LOW, READY, STUCK};
        let names = [
            (READY, "ready", "就绪"),
            (BUSY, "busy", "忙"),
            (EMPTY, "empty", "已空"),
            (STUCK, "stuck", "卡住"),
            (CARD_HELD, "a card is held out", "卡片待取"),
            (DISABLED, "disabled", "已停用"),
            (CHECK_SENSORS, "check the sensors", "请检查传感器"),
            (LOW, "nearly empty", "即将用完"),
        ];
        let status = self.status.map(|status| code(status, &names));
        let count = self.count.as_ref().map(|count| {
            let hex = super::frame::hex(count);
            Said::new(format!("counted {hex}"), format!("计数 {hex}"))
        });
        listed(status.into_iter().chain(count))
    }
}

fn column_status(status: u8) -> Said {
    use col_ed::{BUSY, EMPTY, FAILED, FAULT, SENSOR_FAULT};
    let bits = [
        (BUSY, "busy", "忙"),
        (FAILED, "the last vend failed", "上次出货失败"),
        (EMPTY, "empty", "已空"),
        (FAULT, "FAULT", "故障"),
        (SENSOR_FAULT, "the sensor is at fault", "传感器故障"),
    ];
    let set: Vec<Said> =
        bits.iter().filter(|(bit, ..)| status & bit != 0).map(|(_, en, zh)| Said::new(*en, *zh)).collect();
    if set.is_empty() { Said::new("well", "正常") } else { listed(set) }
}

impl InWords for col_ed::Look {
    fn said(&self) -> Said {
        let told = self.told.map(|told| {
            let column = Said::new(format!("vend of column {}", told.column), format!("列 {} 的出货", told.column));
            column.then(&column_status(told.status))
        });
        let status = self.status.map(|status| Said::new("column", "列").then(&column_status(status)));
        listed(told.into_iter().chain(status))
    }
}

impl InWords for vmc96::Picture {
    fn said(&self) -> Said {
        let turning = self.turning.as_ref().map(|motors| match motors.as_slice() {
            [] => Said::new("no motor turns", "无电机转动"),
            motors => {
                let hex = super::frame::hex(motors);
                Said::new(format!("motor {hex} turns"), format!("电机 {hex} 转动中"))
            }
        });
        let fallen = self.samples.map(|samples| match samples {
            [0, 0, 0, 0] => Said::new("nothing fell", "未检测到掉货"),
            samples => {
                let hex = super::frame::hex(&samples);
                Said::new(format!("something fell ({hex})"), format!("检测到掉货（{hex}）"))
            }
        });
        let stopped = self.is_stopped.then(|| Said::new("all motors stand still", "全部电机已停止"));
        let drawn = self.has_drawn.then(|| Said::new("it drew current", "有电流"));
        listed(turning.into_iter().chain(drawn).chain(fallen).chain(stopped))
    }
}

impl InWords for ff0055::Look {
    fn said(&self) -> Said {
        use ff0055::{EYE_FAILED, MOTOR_FAILED, SUCCESS};
        let names = [
            (SUCCESS, "it went well", "成功"),
            (MOTOR_FAILED, "the motor failed", "电机故障"),
            (EYE_FAILED, "nothing was seen to fall", "未检测到掉货"),
        ];
        let there = self.is_there.then(|| Said::new("I am here", "在线"));
        let result = self.result.map(|result| Said::new("last vend", "上次出货").then(&code(result, &names)));
        listed(there.into_iter().chain(result))
    }
}

impl InWords for Option<m102::Poll> {
    fn said(&self) -> Said {
        use m102::{CURTAIN_FAILED, FINISHED, IDLE, OVER_CURRENT, RUNNING, WIRE};
        let Some(poll) = self else { return listed(None) };
        let motor = poll.motor;
        let state = match poll.state {
            IDLE => Said::new("idle", "空闲"),
            RUNNING => Said::new(format!("motor {motor} turns"), format!("电机 {motor} 转动中")),
            FINISHED => Said::new(format!("motor {motor} has ended"), format!("电机 {motor} 已结束")),
            state => code(state, &[]),
        };
        // At rest the rest is of a turn that nobody asks for any more.
        if poll.state != FINISHED {
            return state;
        }
        let names = [
            (0, "well", "正常"),
            (OVER_CURRENT, "over current", "过流"),
            (WIRE, "no current", "开路"),
            (CURTAIN_FAILED, "the light curtain is at fault", "光幕故障"),
        ];
        let fell = match poll.curtain {
            0 => Said::new("nothing was seen to fall", "未检测到掉货"),
            _ => Said::new("goods were seen to fall", "检测到掉货"),
        };
        listed([state, code(poll.result, &names), fell])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn many_doors_are_summed_up_and_the_open_ones_named() {
        let latches = |count: u8| {
            let latch = |n: u8| (n, Latch { is_open: n == 3, item: (n == 3).then_some(true) });
            Latches((1..=count).map(latch).collect::<BTreeMap<_, _>>()).said()
        };
        assert_eq!(
            latches(3),
            Said::new("door 1 shut, door 2 shut, door 3 open with goods", "门 1 关，门 2 关，门 3 开有货")
        );
        assert_eq!(
            latches(24),
            Said::new("23 of 24 doors shut, door 3 open with goods", "24 个门中 23 个关闭，门 3 开有货")
        );
        assert_eq!(latches(0), Said::new("nothing", "无内容"));
    }
}
