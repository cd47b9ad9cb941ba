//! The play: what happens to each order.

use super::cast::{JAM_SLOT, NO_DROP_SLOT, SALE_JAM_SLOT, SALE_SLOT};
use super::director::{Command, Cut, Director, RECORD_ID};
use super::evidence::{Record, Saying};
use super::stage::Role;
use super::verdict::{Expected, Played};
use crate::order::said::said;
use std::time::Duration;

/// The first order's number.
const FIRST_ORDER: u64 = 1_001;
/// The age at which an order is late, in s: the cloud must be asked from 100 s on, and the motor may turn until 1,200.
const LATE_S: u64 = 110;
/// How often somebody must find the merchant down before it comes up: the second time proves a retry.
const TRIES_WHILE_DOWN: usize = 2;
/// How long the audience waits at the end for what must not come.
const QUIET: Duration = Duration::from_secs(2);

impl Director {
    /// Begins a scene: one order in its own slot.
    fn order(&mut self, slot: u16, title: (&'static str, &'static str), expected: Expected) -> Result<Command, Cut> {
        let order_id = FIRST_ORDER.saturating_add(self.played.len() as u64);
        let title = self.stage.lang.say(title.0, title.1);
        let order_text = order_id.to_string();
        let played = Played { order_id: order_text, title, slot, forbidden_slot: None, expected, hung_up: 0 };
        self.scene(played)?;
        Ok(Command::new(order_id, slot))
    }

    /// A scene of somebody who buys at the machine.
    async fn sale(&mut self, slot: u16, title: (&'static str, &'static str), expected: Expected) -> Result<(), Cut> {
        let title = self.stage.lang.say(title.0, title.1);
        // The cloud names the order when there is one.
        let played = Played { order_id: String::new(), title, slot, forbidden_slot: None, expected, hung_up: 0 };
        self.scene(played)?;
        let order_id = self.buy(slot).await?;
        self.until(said!("the end of a sale", "销售结束"), |record| record.posts_of(&order_id).next().is_some()).await
    }

    async fn until_received(&mut self, command: &Command, state: &str, reason: &str) -> Result<(), Cut> {
        let order_id = command.order_id.to_string();
        let answered = |record: &Record| record.received(&order_id).any(|said| said == (state, reason));
        self.until(said!("the answer to a command", "指令的应答"), answered).await
    }
}

const fn result(turns: usize, outcome: &'static str) -> Expected {
    Expected::Result { turns, outcome }
}

/// Plays all scenes.
///
/// # Errors
/// [`Cut`], when one of them cannot end.
pub async fn play(d: &mut Director) -> Result<(), Cut> {
    d.cast.agent.start()?;
    d.tell(Role::Agent, "starts", "启动")?;
    d.until(said!("the agent's subscription", "代理程序订阅"), |record| record.subscribed > 0).await?;

    all_goes_well(d).await?;
    the_motor_jams(d).await?;
    nothing_falls(d).await?;
    three_units(d).await?;
    sent_twice(d).await?;
    another_body(d).await?;
    forged(d).await?;
    expired(d).await?;
    merchant_down(d).await?;
    late(d).await?;
    agent_killed(d).await?;
    board_power_lost(d).await?;
    life_goes_on(d).await?;
    somebody_buys(d).await?;
    goods_are_stuck(d).await?;

    d.watch(QUIET).await?;
    d.tell(Role::Agent, "is asked to stop", "收到停止请求")?;
    d.cast.agent.stop().await?;
    d.watch(Duration::ZERO).await
}

async fn somebody_buys(d: &mut Director) -> Result<(), Cut> {
    d.sale(SALE_SLOT, ("bought at the machine", "现场扫码购买"), Expected::Sale { turns: 1, ended: "served" }).await
}

async fn goods_are_stuck(d: &mut Director) -> Result<(), Cut> {
    let title = ("bought, and the slot breaks", "购买后货道故障");
    d.sale(SALE_JAM_SLOT, title, Expected::Sale { turns: 1, ended: "refunded" }).await
}

async fn life_goes_on(d: &mut Director) -> Result<(), Cut> {
    let command = d.order(20, ("the next order", "下一个订单"), result(1, "dispensed"))?;
    // Order-life, rule 16: an idle board that has just lost its memory proves nothing.
    d.tell(Role::Agent, "drives nothing before the longest vend is surely over", "在最长出货时间过去之前不再驱动")?;
    d.send(&command).await?;
    d.until_told(command.order_id).await
}

async fn all_goes_well(d: &mut Director) -> Result<(), Cut> {
    let command = d.order(11, ("all goes well", "一切正常"), result(1, "dispensed"))?;
    d.send(&command).await?;
    d.until_told(command.order_id).await
}

async fn the_motor_jams(d: &mut Director) -> Result<(), Cut> {
    let command = d.order(JAM_SLOT, ("the motor jams", "电机卡住"), result(1, "not_dispensed"))?;
    d.send(&command).await?;
    d.until_told(command.order_id).await
}

async fn nothing_falls(d: &mut Director) -> Result<(), Cut> {
    let command = d.order(NO_DROP_SLOT, ("nothing falls", "没有掉货"), result(1, "no_drop"))?;
    d.send(&command).await?;
    d.until_told(command.order_id).await
}

async fn three_units(d: &mut Director) -> Result<(), Cut> {
    let command = d.order(12, ("three units", "购买三件"), result(3, "dispensed"))?;
    d.send(&Command { quantity: 3, ..command.clone() }).await?;
    d.until_told(command.order_id).await
}

async fn sent_twice(d: &mut Director) -> Result<(), Cut> {
    let command = d.order(13, ("sent twice", "重复下发"), result(1, "dispensed"))?;
    d.send(&command).await?;
    d.until_told(command.order_id).await?;
    d.send(&command).await?;
    d.until_received(&command, "duplicate", "").await
}

async fn another_body(d: &mut Director) -> Result<(), Cut> {
    const OTHER_SLOT: u16 = 15;
    let command = d.order(14, ("same key, another slot", "同一订单改换货道"), result(1, "dispensed"))?;
    if let Some(order) = d.played.last_mut() {
        order.forbidden_slot = Some(OTHER_SLOT);
    }
    d.send(&command).await?;
    d.until_told(command.order_id).await?;
    let other = Command { slot: OTHER_SLOT, ..command };
    d.send(&other).await?;
    d.until_received(&other, "refused", "conflict").await
}

async fn forged(d: &mut Director) -> Result<(), Cut> {
    let command = d.order(16, ("wrong signature", "签名错误"), Expected::Silence)?;
    let payload = d.send(&Command { is_forged: true, ..command }).await?;
    // Acknowledged, so that it does not come back for ever, and nothing else.
    d.until(said!("the forgery's acknowledgement", "伪造指令的确认"), |record| {
        record.acknowledged.iter().any(|p| *p == payload)
    })
    .await
}

async fn expired(d: &mut Director) -> Result<(), Cut> {
    let command = d.order(17, ("expired", "已过期"), result(0, "refused"))?;
    d.send(&Command { is_expired: true, ..command.clone() }).await?;
    d.until_told(command.order_id).await
}

async fn merchant_down(d: &mut Director) -> Result<(), Cut> {
    let command = d.order(18, ("merchant down, then up", "商户停机后恢复"), result(1, "dispensed"))?;
    d.cast.set_merchant(false);
    d.send(&command).await?;
    let before = d.record.hung_up;
    d.until(said!("a retry at the merchant", "向商户重试"), |record| record.hung_up >= before + TRIES_WHILE_DOWN)
        .await?;
    d.cast.set_merchant(true);
    d.tell(Role::Merchant, "is up again", "恢复服务")?;
    d.until_told(command.order_id).await
}

async fn late(d: &mut Director) -> Result<(), Cut> {
    let command = d.order(19, ("late: the cloud is asked", "迟到：先询问云接口"), result(1, "dispensed"))?;
    d.cast.put_on_the_books(command.order_id, RECORD_ID);
    d.send(&Command { age_s: LATE_S, ..command.clone() }).await?;
    let order_id = command.order_id.to_string();
    d.until(said!("the question to the cloud", "对云接口的询问"), |record| record.asked.contains(&order_id)).await?;
    d.until_told(command.order_id).await
}

async fn agent_killed(d: &mut Director) -> Result<(), Cut> {
    let title = ("agent killed in mid-turn", "电机转动时代理程序被杀");
    let command = d.order(5, title, result(1, "dispensed"))?;
    d.send(&command).await?;
    d.until(said!("the motor", "电机转动"), |record| record.turns_of(command.slot).next().is_some()).await?;
    d.cast.agent.kill().await?;
    d.tell(Role::Agent, "is killed with SIGKILL while the motor turns", "在电机转动时被 SIGKILL 杀死")?;
    d.until(said!("the broken connection", "连接断开"), |record| record.sayings.contains(&Saying::Offline)).await?;
    // The platform, which has heard nothing, tries again: the worst that can wait for the agent's next life.
    d.send(&command).await?;
    d.cast.agent.start()?;
    d.tell(Role::Agent, "is started again", "重新启动")?;
    d.until_told(command.order_id).await?;
    d.until_received(&command, "duplicate", "").await
}

async fn board_power_lost(d: &mut Director) -> Result<(), Cut> {
    let title = ("board loses power in mid-turn", "电机转动时板卡断电");
    let command = d.order(9, title, result(1, "unknown"))?;
    d.send(&command).await?;
    d.until(said!("the motor", "电机转动"), |record| record.turns_of(command.slot).next().is_some()).await?;
    d.cast.power_cycle_board().await;
    d.tell(Role::Board, "loses its power, and with it the result", "断电，结果随之丢失")?;
    d.until_told(command.order_id).await?;
    // What is unknown is never driven again, whoever asks for it.
    d.send(&command).await?;
    d.until_received(&command, "duplicate", "").await
}
