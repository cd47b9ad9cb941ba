//! What was seen, and what it means: one pure function for each check.

mod configuration;
mod data;
mod network;
mod orders;
mod port;
mod service;
mod time;

use super::seen::{Fact, Seen};
use super::{Check, Verdict};
use crate::order::said::Said;

/// A verdict, either way: `Err` ends a judge early because what it needs was not seen.
type Judged = Result<Verdict, Verdict>;

pub(super) fn judge(check: Check, seen: &Seen) -> Verdict {
    let judged = match check {
        Check::FileReadable => configuration::file_readable(seen),
        Check::FileRight
        | Check::MachineNumber
        | Check::BoardProfile
        | Check::Addresses
        | Check::CertificatesGood
        | Check::ReportRules => configuration::mistakes(check, seen),
        Check::SecretsThere => configuration::secrets_there(seen),
        Check::SecretsRights => configuration::secrets_rights(seen),
        Check::CertificatesEnd => configuration::certificates_end(seen),
        Check::UnitInstalled => service::unit_installed(seen),
        Check::UnitEnabled => service::unit_enabled(seen),
        Check::UnitActive => service::unit_active(seen),
        Check::UnitCalm => service::unit_calm(seen),
        Check::UnitWatched => service::unit_watched(seen),
        Check::UnitUser => service::unit_user(seen),
        Check::DaemonAnswers => service::daemon_answers(seen),
        Check::DaemonServes => service::daemon_serves(seen),
        Check::SameVersion => service::same_version(seen),
        Check::StateDirectory => data::state_directory(seen),
        Check::FreeBytes => data::free_bytes(seen),
        Check::FreeInodes => data::free_inodes(seen),
        Check::DiskWritable => data::disk_writable(seen),
        Check::OneOwner => data::one_owner(seen),
        Check::JournalSound => data::journal_sound(seen),
        Check::JournalOurs => data::journal_ours(seen),
        Check::JournalSize => data::journal_size(seen),
        Check::MarkInMemory => data::mark_in_memory(seen),
        Check::PortThere => port::there(seen),
        Check::PortRights => port::rights(seen),
        Check::PortFree => port::free(seen),
        Check::PortOpens => port::opens(seen),
        Check::BoardAnswers => port::board_answers(seen),
        Check::LineQuality => port::line_quality(seen),
        Check::NoModemManager => port::no_modem_manager(seen),
        Check::PortDriver => port::driver(seen),
        Check::DefaultRoute => network::default_route(seen),
        Check::NamesResolve => network::names_resolve(seen),
        Check::BrokerReached => network::broker_reached(seen),
        Check::BrokerTls => network::broker_tls(seen),
        Check::BrokerLetsIn => network::broker_lets_in(seen),
        Check::PlatformReached => network::platform_reached(seen),
        Check::PlatformKnowsUs => network::platform_knows_us(seen),
        Check::MerchantsReached => network::merchants_reached(seen),
        Check::ProxyWorks => network::proxy_works(seen),
        Check::NoPortal => network::no_portal(seen),
        Check::ClockSynchronised => time::synchronised(seen),
        Check::ClockSane => time::sane(seen),
        Check::ClockAgrees => time::agrees(seen),
        Check::TimeZone => time::zone(seen),
        Check::RealTimeClock => time::real_time_clock(seen),
        Check::OrdersMove => orders::orders_move(seen),
        Check::ReportsLeave => orders::reports_leave(seen),
        Check::NoDeadReports => orders::no_dead_reports(seen),
        Check::NoDeadCalls => orders::no_dead_calls(seen),
        Check::BooksAgree => orders::books_agree(seen),
        Check::SlotsWell => orders::slots_well(seen),
        Check::NothingDoubtful => orders::nothing_doubtful(seen),
        Check::CertificatesInUse => orders::certificates_in_use(seen),
        Check::CommandsFit => orders::commands_fit(seen),
    };
    judged.unwrap_or_else(|early| early)
}

/// What a probe saw, or the verdict that follows from its silence.
fn known<'a, T>(seen: &Seen, fact: &'a Fact<T>) -> Result<&'a T, Verdict> {
    match fact {
        Fact::Is(value) => Ok(value),
        Fact::NotAsked => Err(Verdict::skipped(seen.unusable_because_of())),
        Fact::NoPermission => Err(Verdict::not_permitted()),
        Fact::TimedOut(s) => Err(Verdict::failed(format!("no answer within {s} s"), format!("{s} 秒内没有应答"))),
        Fact::Unknown(why) => {
            let Said { en, zh } = Said::new("cannot be told", "无法判断").then(why);
            Err(Verdict::warning(en, zh))
        }
    }
}

/// So many are named; the commands in the fixes show them all.
const NAMED_MAX: usize = 4;

/// A few of many, for one line.
fn some_of(all: &[String]) -> String {
    let mut text = all.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > NAMED_MAX {
        text.push_str(", …");
    }
    text
}

/// The same of what is said in two languages.
fn some_said(all: &[Said]) -> Said {
    let more = (all.len() > NAMED_MAX).then(|| Said::word("…"));
    Said::list(all.iter().take(NAMED_MAX).chain(&more))
}

/// Bytes as a person says them.
fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
