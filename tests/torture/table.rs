//! The figures of a campaign, for people.

use crate::Fared;
use crate::machine::Campaign;
use crate::plan::PHASES;
use crate::verdict::limit_percent;
use comfy_table::Table;

fn percent(part: usize, of: usize) -> String {
    format!("{part} ({:.1} %)", 100.0 * part as f64 / of.max(1) as f64)
}

/// Two tables: what became of the units, and what the kills fell into; for a storm also what else went wrong.
pub fn of(campaign: Campaign, fared: &[Fared]) -> String {
    let mut units = Table::new();
    units.set_header([
        "board",
        "kills",
        "orders",
        "units",
        "turns",
        "cut",
        "unknown of cut",
        "unknown, never turned",
        "all unknown",
        "limit",
        "corrected",
        "refused",
        "reports repeated",
        "duplicates/conflicts/gets",
    ]);
    let mut kills = Table::new();
    kills.set_header(["board".to_owned()].into_iter().chain(PHASES.iter().map(|p| format!("{p:?}").to_lowercase())));
    for Fared { profile, kills: killed, counts, tally } in fared {
        let limit = match limit_percent(profile) {
            _ if campaign == Campaign::EverythingAtOnce => "none".to_owned(),
            Some(limit) => format!("{limit} %"),
            None => "only what was cut".to_owned(),
        };
        units.add_row([
            (*profile).to_owned(),
            killed.to_string(),
            tally.orders.to_string(),
            tally.units.to_string(),
            tally.turns.to_string(),
            tally.cut.to_string(),
            percent(tally.unknown_turned, tally.cut),
            percent(tally.unknown_unturned, tally.units),
            percent(tally.unknown_turned + tally.unknown_unturned, tally.units),
            limit,
            tally.corrected.to_string(),
            tally.refused.to_string(),
            tally.repeated.to_string(),
            format!("{}/{}/{}", counts.duplicates, counts.conflicts, counts.questions),
        ]);
        let phases = PHASES.iter().map(|phase| counts.phases.get(phase).copied().unwrap_or(0).to_string());
        kills.add_row([(*profile).to_owned()].into_iter().chain(phases));
    }
    let mut text = format!("{units}\nWhat the kills fell into:\n{kills}");
    if campaign == Campaign::EverythingAtOnce {
        let mut troubles = Table::new();
        troubles.set_header([
            "board",
            "broker kills",
            "cable pulled",
            "board power lost",
            "disk full",
            "receiver outages",
            "agent ended itself",
        ]);
        for Fared { profile, counts, .. } in fared {
            let numbers = [
                counts.broker_kills,
                counts.cables_pulled,
                counts.board_power_losses,
                counts.disks_full,
                counts.receiver_outages,
                counts.ended_by_themselves,
            ];
            troubles.add_row([(*profile).to_owned()].into_iter().chain(numbers.map(|n| n.to_string())));
        }
        text.push_str(&format!("\nWhat else went wrong:\n{troubles}"));
    }
    text
}
