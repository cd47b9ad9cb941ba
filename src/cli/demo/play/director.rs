//! Keeps the play together: sends commands, shows and keeps what the witnesses tell, waits for what must follow.

use super::broker::Seen;
use super::cast::{Cast, pay_code};
use super::evidence::{Fact, Record, Saying, order_of};
use super::stage::{Closed, Role, Stage};
use super::verdict::Played;
use crate::cloud::device::{PUT_METHOD, down_topic};
use crate::cloud::envelope;
use crate::cloud::sign::SigningKey;
use crate::io::clock::Clock;
use crate::order::said::{InChinese, Said, said};
use std::io;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long anything in the play may take: the slowest is three turns, or the third try at a merchant that was down,
/// on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(60);
/// The record_id of every order.
pub const RECORD_ID: u64 = 1;

/// Why the play ended early.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    /// Something that must follow did not.
    #[error("waited {} s in vain for {}", PATIENCE.as_secs(), what.en)]
    Waited {
        /// For what.
        what: Said,
    },
    /// The agent is gone, and nobody killed it.
    #[error("the agent ended by itself: {0}")]
    AgentEnded(ExitStatus),
    /// One of the cast is gone.
    #[error("the {} cannot go on: {}", who.en, why.en)]
    Broke {
        /// Who.
        who: Said,
        /// What the system said.
        why: Said,
    },
    /// Evidence is missing.
    #[error("more happened at once than could be recorded; try again on a machine with less work")]
    Missed,
    /// Nobody looks any more.
    #[error("standard output: {0}")]
    Closed(#[from] Closed),
    /// The agent cannot be started, killed or stopped.
    #[error("the agent: {0}")]
    Agent(#[from] io::Error),
}

impl InChinese for Cut {
    fn zh(&self) -> String {
        match self {
            Cut::Waited { what } => format!("等待{}，{} 秒内没有等到", what.zh, PATIENCE.as_secs()),
            Cut::AgentEnded(status) => format!("代理程序自行结束：{status}"),
            Cut::Broke { who, why } => format!("{}无法继续：{}", who.zh, why.zh),
            Cut::Missed => "同时发生的事过多，未能全部记录；请在较空闲的机器上重试".to_owned(),
            Cut::Closed(Closed(error)) => format!("标准输出：{}", error.zh()),
            Cut::Agent(error) => format!("代理程序：{}", error.zh()),
        }
    }
}

/// A dispense command.
#[derive(Debug, Clone)]
pub struct Command {
    /// Names the order.
    pub order_id: u64,
    /// What to turn.
    pub slot: u16,
    /// How many.
    pub quantity: u8,
    /// How long ago it was issued, in s.
    pub age_s: u64,
    /// Its time is over already.
    pub is_expired: bool,
    /// Signed with a key that is not the merchant's.
    pub is_forged: bool,
}

impl Command {
    /// One unit, now.
    #[must_use]
    pub const fn new(order_id: u64, slot: u16) -> Command {
        Command { order_id, slot, quantity: 1, age_s: 0, is_expired: false, is_forged: false }
    }
}

/// See the module.
pub struct Director {
    /// Everybody.
    pub cast: Cast,
    /// Where the audience looks.
    pub stage: Stage,
    /// What was seen so far.
    pub record: Record,
    /// The orders so far.
    pub played: Vec<Played>,
    clock: Clock,
}

impl Director {
    /// Takes over.
    #[must_use]
    pub fn new(cast: Cast, stage: Stage, clock: Clock) -> Director {
        Director { cast, stage, record: Record::default(), played: Vec::new(), clock }
    }

    /// Begins a scene about an order.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn scene(&mut self, order: Played) -> Result<(), Cut> {
        self.stage.scene(order.title)?;
        self.played.push(order);
        Ok(())
    }

    /// Narrates, in one of two languages.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn tell(&mut self, role: Role, en: &str, zh: &str) -> Result<(), Cut> {
        let text = self.stage.lang.say(en, zh);
        Ok(self.stage.tell(role, text)?)
    }

    /// The platform sends a command; gives its payload back, by which its acknowledgement is known.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub async fn send(&mut self, command: &Command) -> Result<Vec<u8>, Cut> {
        let issued_at_s = self.clock.now().wall.seconds().saturating_sub(command.age_s);
        let mut fields: Vec<(&str, String)> = vec![
            ("method", PUT_METHOD.to_owned()),
            ("client_id", self.cast.machine_no.to_string()),
            ("timestamp", issued_at_s.to_string()),
            ("order_id", command.order_id.to_string()),
            ("record_id", RECORD_ID.to_string()),
            ("code", command.slot.to_string()),
            ("quantity", command.quantity.to_string()),
            ("notify_url", self.cast.notify_url()),
        ];
        if command.is_expired {
            fields.push(("expired_at", issued_at_s.saturating_sub(1).to_string()));
        }
        let key = match command.is_forged {
            true => SigningKey::new("not-the-merchants-key").map_err(io::Error::other)?,
            false => self.cast.signing.clone(),
        };
        let payload = envelope::seal(fields.into_iter().map(|(name, text)| (name, text.into())), &key);
        let Command { order_id, slot, quantity, .. } = command;
        self.tell(
            Role::Platform,
            &format!("order {order_id}: {quantity} of slot {slot}"),
            &format!("订单 {order_id}：货道 {slot}，{quantity} 件"),
        )?;
        self.cast.publish(down_topic(&self.cast.machine_no), payload.clone()).await;
        Ok(payload)
    }

    /// Waits until the record shows it.
    ///
    /// # Errors
    /// [`Cut`], when it does not come or cannot come any more.
    pub async fn until(&mut self, what: Said, shown: impl Fn(&Record) -> bool) -> Result<(), Cut> {
        let deadline = Instant::now() + PATIENCE;
        while !shown(&self.record) {
            match timeout_at(deadline, self.next_fact()).await {
                Ok(fact) => self.take(&fact?)?,
                Err(_) => return Err(Cut::Waited { what }),
            }
        }
        Ok(())
    }

    /// Waits until an order's result has reached merchant and platform.
    ///
    /// # Errors
    /// As [`Director::until`].
    pub async fn until_told(&mut self, order_id: u64) -> Result<(), Cut> {
        let order_id = order_id.to_string();
        self.until(said!("the result of an order", "订单的结果"), |record| record.is_told(&order_id)).await
    }

    /// Waits for nothing: whatever still comes is shown and kept.
    ///
    /// # Errors
    /// As [`Director::until`].
    pub async fn watch(&mut self, time: Duration) -> Result<(), Cut> {
        let deadline = Instant::now() + time;
        while let Ok(fact) = timeout_at(deadline, self.next_fact()).await {
            self.take(&fact?)?;
        }
        Ok(())
    }

    async fn next_fact(&mut self) -> Result<Fact, Cut> {
        if self.cast.missed.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Cut::Missed);
        }
        tokio::select! {
            biased;
            fact = self.cast.facts.recv() => match fact {
                Some(Fact::Broke { who, why }) => Err(Cut::Broke { who, why }),
                Some(fact) => Ok(fact),
                None => Err(Cut::Missed),
            },
            status = self.cast.agent.ended() => Err(Cut::AgentEnded(status?)),
        }
    }

    /// Somebody buys what lies in the slot, and reads what the tool shows; the order that the cloud makes of it is the
    /// scene's.
    ///
    /// # Errors
    /// As [`Director::until`].
    pub async fn buy(&mut self, slot: u16) -> Result<String, Cut> {
        let before = self.record.made.len();
        self.tell(
            Role::Buyer,
            &format!("chooses slot {slot}: vend sale start --slot {slot}"),
            &format!("选择货道 {slot}：vend sale start --slot {slot}"),
        )?;
        self.cast.buy(slot, self.stage.lang)?;
        self.until(said!("the cloud's order", "云接口的订单"), |record| record.made.len() > before).await?;
        let order_id = self.record.made.last().cloned().unwrap_or_default();
        if let Some(order) = self.played.last_mut() {
            order.order_id.clone_from(&order_id);
        }
        let pay_code = pay_code(&order_id);
        self.until(said!("the pay code", "支付码"), |record| {
            record.shown.iter().any(|line| line.starts_with(&pay_code))
        })
        .await?;
        self.tell(Role::Buyer, "scans the code and pays", "扫码并付款")?;
        self.cast.pay(&order_id);
        Ok(order_id)
    }

    fn take(&mut self, fact: &Fact) -> Result<(), Cut> {
        self.record.keep(fact, &self.cast.signing);
        if let (Fact::HungUp, Some(order)) = (fact, self.played.last_mut()) {
            order.hung_up += 1;
        }
        if let Fact::Shown(line) = fact {
            return Ok(self.stage.line(line)?);
        }
        let (role, en, zh) = self.words(fact);
        self.tell(role, &en, &zh)
    }

    /// What a fact looks like to the audience.
    fn words(&self, fact: &Fact) -> (Role, String, String) {
        let both = |role, en: String, zh: String| (role, en, zh);
        match fact {
            Fact::Turn(turn) => both(
                Role::Board,
                format!("the motor of slot {} turns", turn.slot),
                format!("货道 {} 的电机转动", turn.slot),
            ),
            Fact::Posted(post) => both(
                Role::Merchant,
                format!("gets the report of order {}: {} (sequence {})", post.order_id, post.outcome, post.sequence),
                format!("收到订单 {} 的结果：{}（序号 {}）", post.order_id, post.outcome, post.sequence),
            ),
            Fact::HungUp => both(Role::Merchant, "is down: hangs up".into(), "已停机：拒绝连接".into()),
            Fact::Asked { order_id } => both(
                Role::Cloud,
                format!("is asked whether order {order_id} is still paid"),
                format!("被询问订单 {order_id} 是否有效"),
            ),
            Fact::Made { order_id } => both(
                Role::Cloud,
                format!("makes order {order_id} for the machine"),
                format!("为机器创建订单 {order_id}"),
            ),
            Fact::Refunded { order_id } => both(
                Role::Cloud,
                format!("gives the money of order {order_id} back"),
                format!("退还订单 {order_id} 的款项"),
            ),
            Fact::Shown(line) => both(Role::Buyer, line.clone(), line.clone()),
            Fact::Broke { who, why } => {
                both(Role::Broker, format!("{}: {}", who.en, why.en), format!("{}：{}", who.zh, why.zh))
            }
            Fact::Broker(seen) => self.broker_words(seen),
        }
    }

    fn broker_words(&self, seen: &Seen) -> (Role, String, String) {
        let (role, en, zh): (Role, String, String) = match seen {
            Seen::Connected { session_present: true, .. } => {
                (Role::Broker, "the agent is back; its session was kept".into(), "代理程序重新连接，会话仍在".into())
            }
            Seen::Connected { session_present: false, .. } => {
                (Role::Broker, "the agent connects for the first time".into(), "代理程序首次连接".into())
            }
            Seen::Subscribed { topic, .. } => (
                Role::Broker,
                format!("keeps everything on {topic} for the agent"),
                format!("为代理程序保留 {topic} 上的消息"),
            ),
            Seen::Gone { politely: true, .. } => {
                (Role::Broker, "the agent takes its leave".into(), "代理程序正常断开".into())
            }
            Seen::Gone { politely: false, .. } => (Role::Broker, "the agent is gone".into(), "代理程序连接中断".into()),
            Seen::Kept { payload, .. } => {
                let order = order_of(payload);
                (
                    Role::Broker,
                    format!("keeps order {order} until the agent is back"),
                    format!("暂存订单 {order}，等待代理程序"),
                )
            }
            Seen::Handed { payload, again, .. } => {
                let order = order_of(payload);
                match again {
                    false => (Role::Broker, format!("hands over order {order}"), format!("投递订单 {order}")),
                    true => {
                        (Role::Broker, format!("hands over order {order} once more"), format!("再次投递订单 {order}"))
                    }
                }
            }
            Seen::Acknowledged { payload, .. } => {
                let order = order_of(payload);
                (Role::Agent, format!("acknowledges order {order}"), format!("确认订单 {order}"))
            }
            Seen::Said { payload, .. } => match Saying::read(payload, &self.cast.signing) {
                Saying::Received { order_id, state, reason } => {
                    let behind = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
                    (
                        Role::Agent,
                        format!("answers order {order_id}: {state}{behind}"),
                        format!("答复订单 {order_id}：{state}{behind}"),
                    )
                }
                Saying::Reported { order_id, outcome, sequence } => (
                    Role::Agent,
                    format!("tells the platform about order {order_id}: {outcome} (sequence {sequence})"),
                    format!("向平台上报订单 {order_id}：{outcome}（序号 {sequence}）"),
                ),
                Saying::Offline => {
                    (Role::Broker, "publishes the agent's will: offline".into(), "发布代理程序的遗嘱：离线".into())
                }
                Saying::OfItself { method } => {
                    (Role::Agent, format!("tells of itself: {method}"), format!("上报自身状态：{method}"))
                }
                Saying::Strange => {
                    (Role::Agent, "says something that nobody can read".into(), "发出无法识别的消息".into())
                }
            },
        };
        (role, en, zh)
    }
}
