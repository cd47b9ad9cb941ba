//! What stands in the way now, in both languages, for the status: the last word about each thing that the machine cannot
//! do without, until it is well again. The log has each of them when it begins; nobody has to search it.

use super::event::{HttpAnswer, HttpFailure};
use crate::order::key::Key;
use crate::order::record::RecordError;
use crate::order::said::{Said, said};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An order that could not be kept when it was read.
pub(super) fn not_kept(key: &Key, error: &RecordError) -> Said {
    said!("order {key} could not be kept: {error}", "订单 {key} 无法保存：{error}", error; key)
}

/// A settled order that could not be put away.
pub(super) fn not_archived(key: &Key, error: &RecordError) -> Said {
    said!("order {key} could not be archived: {error}", "订单 {key} 无法归档：{error}", error; key)
}

/// One thing that is in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TroubleLine {
    /// journal, line, broker or cloud.
    pub of: String,
    /// Why, and what to do.
    pub why: String,
    /// The same in Chinese.
    pub why_zh: String,
}

impl TroubleLine {
    /// The journal is in quarantine, or failed.
    pub const JOURNAL: &str = "journal";
    /// The port is not open.
    pub const LINE: &str = "line";
    /// The broker is away, or does not let us do what we must.
    pub const BROKER: &str = "broker";
    /// One of the clouds did not answer.
    pub const CLOUD: &str = "cloud";

    fn of(of: &str, why: &Said) -> TroubleLine {
        TroubleLine { of: of.to_owned(), why: why.en.clone(), why_zh: why.zh.clone() }
    }

    /// For people.
    #[must_use]
    pub fn said(&self) -> Said {
        Said::new(&self.why, &self.why_zh)
    }
}

/// The last word about each.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Never cleared: only the next life has another journal.
    pub(super) journal: Option<Said>,
    pub(super) line: Option<Said>,
    pub(super) broker: Option<Said>,
    /// By host: those of the configuration, which are a handful.
    clouds: BTreeMap<String, Said>,
}

impl Troubles {
    /// A cloud answered, whatever it said, or did not.
    pub(super) fn answered(&mut self, host: &str, answer: &Result<HttpAnswer, HttpFailure>) {
        match answer {
            Ok(_) => drop(self.clouds.remove(host)),
            Err(failure) => drop(self.clouds.insert(host.to_owned(), failure.why.clone())),
        }
    }

    pub(super) fn lines(&self) -> Vec<TroubleLine> {
        let cloud = |(host, why): (&String, &Said)| {
            TroubleLine::of(TroubleLine::CLOUD, &said!("the cloud {host}: {why}", "平台 {host}：{why}", why; host))
        };
        let single = [
            (TroubleLine::JOURNAL, &self.journal),
            (TroubleLine::LINE, &self.line),
            (TroubleLine::BROKER, &self.broker),
        ];
        let single = single.into_iter().filter_map(|(of, why)| Some(TroubleLine::of(of, why.as_ref()?)));
        single.chain(self.clouds.iter().map(cloud)).collect()
    }
}
