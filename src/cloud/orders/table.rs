//! All clouds that orders come from. A new one is its file and its line here; nobody above this file knows which one it
//! speaks with.

use super::answer::CloudName;
use super::interface::Verb;
use super::row::{Cloud, Door, Hears, Sells};
use super::session::LogInWay;
use super::{course, mall, platform, songshu};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use std::sync::LazyLock;

/// The clouds.
pub static TABLE: [Cloud; 4] = [platform::CLOUD, songshu::CLOUD, course::CLOUD, mall::CLOUD];

/// The names of those that sell, for whoever wrote another word.
static SELLING: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| TABLE.iter().filter(|cloud| cloud.sells.is_some()).map(|cloud| cloud.name.0).collect());

/// A cloud of the table at which orders of sales can be made: the word of `sale.cloud`.
#[derive(Clone, Copy)]
pub struct SellingCloud {
    cloud: &'static Cloud,
    sells: &'static Sells,
}

impl SellingCloud {
    /// The cloud of this name, if it sells.
    #[must_use]
    pub fn named(name: &str) -> Option<SellingCloud> {
        let cloud = TABLE.iter().find(|cloud| cloud.name.0 == name)?;
        Some(SellingCloud { cloud, sells: cloud.sells.as_ref()? })
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = SellingCloud> {
        TABLE.iter().filter_map(|cloud| Some(SellingCloud { cloud, sells: cloud.sells.as_ref()? }))
    }

    /// The word of a configuration.
    #[must_use]
    pub const fn name(self) -> CloudName {
        self.cloud.name
    }

    /// Whether it can do this.
    #[must_use]
    pub fn can(self, verb: Verb) -> bool {
        self.cloud.can.contains(&verb)
    }

    /// What it says about sales.
    #[must_use]
    pub const fn sells(self) -> &'static Sells {
        self.sells
    }

    /// It is the platform, which is spoken with anyway, as the merchant.
    #[must_use]
    pub const fn is_platform(self) -> bool {
        matches!(self.sells.door, Door::Merchant(_))
    }

    /// How one logs in there, and how it is told of payments, if it wants to be; nothing where nobody logs in.
    #[must_use]
    pub const fn log_in(self) -> Option<(LogInWay, Option<Hears>)> {
        match self.sells.door {
            Door::Merchant(_) => None,
            Door::Session { log_in, hears, .. } => Some((log_in, hears)),
        }
    }
}

impl PartialEq for SellingCloud {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for SellingCloud {}

impl fmt::Debug for SellingCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().0)
    }
}

impl Serialize for SellingCloud {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name().0)
    }
}

impl<'de> Deserialize<'de> for SellingCloud {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SellingCloud, D::Error> {
        let word = String::deserialize(deserializer)?;
        SellingCloud::named(&word).ok_or_else(|| D::Error::unknown_variant(&word, &SELLING))
    }
}
