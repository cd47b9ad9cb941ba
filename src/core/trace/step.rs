//! One step of an order's course, kept as what happened: words are made for whoever asks.

use crate::board::driver::Written;
use crate::board::frame::hex;
use crate::cloud::up::ReceivedState;
use crate::core::event::{HttpAnswer, HttpFailure};
use crate::core::status::{Standing, UnitStanding};
use crate::order::life::State;
use crate::order::said::Said;
use crate::order::sync::Difference;

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The platform said something.
    Message(Message),
    /// The order is another than before.
    Changed(Change),
    /// How far the motor frame got.
    MotorFrame(Written),
    /// A frame left.
    Out(Vec<u8>),
    /// Bytes came.
    In {
        bytes: Vec<u8>,
        /// The step of the frame that left before it.
        asked: Option<u64>,
    },
    /// A report was tried.
    Report(Try),
    /// A line of the log, which is English.
    Note {
        /// Its event.
        what: &'static str,
        text: String,
    },
}

/// A message of the platform about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core) enum Message {
    /// The order came, and this is what the platform was told.
    Put(ReceivedState),
    /// It came again.
    Again,
    /// It came again, as another.
    Another,
    /// The platform asked for its result.
    Get,
}

/// What is another now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The first that is known of it.
    Begins { is_new: bool, state: State },
    /// A unit, counted from 1.
    Unit { number: usize, unit: UnitStanding },
    /// A report was written.
    Report { sequence: u32 },
    /// The order as a whole.
    Order(State),
    /// What the platform's books do not agree about.
    Books(Option<Difference>),
}

/// A try to report.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Try {
    pub(super) sequence: u32,
    /// The host, of one over HTTP.
    pub(super) host: Option<Box<str>>,
    pub(super) became: Became,
}

/// What became of a try.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// It is on its way.
    Sent,
    /// The broker has it.
    Taken,
    /// The receiver answered.
    Status(u16),
    /// Why not.
    Failed(Said),
}

impl What {
    /// Its kind, in JSON too, and its text.
    pub(super) fn told(&self) -> (&'static str, Said) {
        match self {
            What::Message(message) => ("message", message.said()),
            What::Changed(change) => ("state", change.said()),
            What::MotorFrame(written) => ("state", written_words(*written)),
            What::Out(bytes) => ("frame_out", Said::word(hex(bytes))),
            What::In { bytes, .. } => ("frame_in", Said::word(hex(bytes))),
            What::Report(tried) => ("report", tried.said()),
            What::Note { what, text } => ("note", Said::word(format!("{what}: {text}"))),
        }
    }
}

impl Message {
    fn said(self) -> Said {
        let put = "device.delivery.put";
        match self {
            Message::Put(state) => Said::word(put).then(&state.word().said()),
            Message::Again => Said::new(format!("{put} again: duplicate"), format!("{put} 重复")),
            Message::Another => Said::new(
                format!("{put} with another body: refused, conflict"),
                format!("{put} 内容不同：已拒绝，冲突"),
            ),
            Message::Get => Said::word("device.delivery.get"),
        }
    }
}

impl Change {
    /// What is another in `now`.
    pub(super) fn between(seen: &Standing, now: &Standing) -> Vec<Change> {
        let mut changes = Vec::new();
        for (k, unit) in now.units.iter().enumerate() {
            if seen.units.get(k) != Some(unit) {
                changes.push(Change::Unit { number: k + 1, unit: *unit });
            }
        }
        for report in now.reports.iter().filter(|report| seen.reports.iter().all(|r| r.sequence != report.sequence)) {
            changes.push(Change::Report { sequence: report.sequence });
        }
        if seen.state != now.state {
            changes.push(Change::Order(now.state));
        }
        if seen.difference != now.difference {
            changes.push(Change::Books(now.difference));
        }
        changes
    }

    fn said(&self) -> Said {
        match self {
            Change::Begins { is_new: true, state } => Said::new("new", "新订单").then(&state.word().said()),
            Change::Begins { is_new: false, state } => {
                Said::new("found in the journal", "自日志恢复").then(&state.word().said())
            }
            Change::Unit { number, unit } => {
                let stands = || unit.state.word().said();
                unit_number(*number).then(&unit.outcome.map_or_else(stands, |outcome| outcome.word().said()))
            }
            Change::Report { sequence } => report_written(*sequence),
            Change::Order(state) => Said::new("order", "订单").then(&state.word().said()),
            Change::Books(difference) => {
                let agrees = || Said::new("agrees", "一致");
                let said = difference.map_or_else(agrees, |differs| differs.word().said());
                Said::new("the platform's books", "平台账目").then(&said)
            }
        }
    }
}

impl Try {
    fn said(&self) -> Said {
        let sequence = self.sequence;
        let way = match &self.host {
            Some(host) => Said::new(
                format!("report {sequence} over HTTP to {host}"),
                format!("上报 {sequence} 经 HTTP 至 {host}"),
            ),
            None => Said::new(format!("report {sequence} over MQTT"), format!("上报 {sequence} 经 MQTT")),
        };
        way.then(&match &self.became {
            Became::Sent => Said::new("sent", "已发出"),
            Became::Taken => Said::new("taken", "已接收"),
            Became::Status(status) => Said::new(format!("status {status}"), format!("状态码 {status}")),
            Became::Failed(why) => why.clone(),
        })
    }
}

impl Became {
    pub(super) fn of(answer: &Result<HttpAnswer, HttpFailure>) -> Became {
        match answer {
            Ok(answer) => Became::Status(answer.status),
            Err(failure) => Became::Failed(failure.why.clone()),
        }
    }
}

/// Which unit.
pub(super) fn unit_number(number: usize) -> Said {
    Said::new(format!("unit {number}"), format!("第 {number} 件"))
}

/// Which report.
pub(super) fn report_written(sequence: u32) -> Said {
    Said::new(format!("report {sequence} written"), format!("写入上报 {sequence}"))
}

fn written_words(written: Written) -> Said {
    match written {
        Written::All => Said::new("motor frame written: all", "电机指令已写出：全部"),
        Written::Some => Said::new("motor frame written: some", "电机指令已写出：部分"),
        Written::Nothing => Said::new("motor frame written: nothing", "电机指令未写出"),
    }
}
