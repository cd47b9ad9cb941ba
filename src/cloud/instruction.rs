//! Reads what the platform wants of the machine beside vending (cloud 1.9). The fields are the vendor's; who sends what
//! is read strictly, and what nobody can mean is refused as a whole.

use super::body::Body;
use super::body::unix_seconds as whole_number;
use super::envelope::ambiguous_beside;
use super::envelope::{Fields, Rejected, shown};
use super::inbound::Inbound;
use crate::board::profile::Profile;
use crate::order::instruction::{Instruction, Kind, Setting, Settings, Wish};
use crate::order::local_time::{read_date_time, read_time_of_day};
use crate::order::schedule::{Cycle, Once};

const REBOOT: &str = "client.machine.reboot";
const SHUTDOWN: &str = "client.machine.shutdown";
const SCHEDULE_ONCE: &str = "client.power.schedule.once";
const SCHEDULE_CYCLE: &str = "client.power.schedule.cycle";
const SCHEDULE_CLEAR: &str = "client.power.schedule.clear";
const PASSWORD: &str = "client.machine.password.modified";
const CONFIGURATION: &str = "client.machine.config.push";
const FAULT_CLEAR: &str = "client.channel.fault.clear";
const FACTORY_RESET: &str = "client.factory.reset";
const CHANNEL_TEST: &str = "client.channel.debugging";
/// What the platform keeps about the machine has changed.
const REFRESH: &str = "client.machine.refresh";
/// The old name of [`REFRESH`].
const INVALIDATE: &str = "client.machine.invalidate";
/// Before the methods about advertisements: push, update, delete.
const ADS: &str = "client.ads.";

/// Fields with a meaning here beside those of orders and of [`Setting`].
const FIELDS: [&str; 8] =
    ["password", "power_on", "power_off", "weekdays", "product_ids", "floor_status", "reset_type", "order_type"];

/// Products in one `client.channel.fault.clear`: more than any machine has slots.
const PRODUCTS_MAX: usize = 1_000;
/// Longest URL of a picture that is kept, in bytes: both fit a small record.
const PICTURE_BYTES_MAX: usize = 512;
/// Languages to choose from.
const LANGUAGES_MAX: usize = 16;
/// Digits after the point of a price: no currency has more.
const PRICE_DIGITS_MAX: u64 = 4;
/// What the vendor documents for both time-outs of the screen, in s.
const SCREEN_TIMEOUT_S: std::ops::RangeInclusive<u64> = 30..=180;

fn kind_of(method: &str) -> Option<Kind> {
    Some(match method {
        REBOOT => Kind::Reboot,
        SHUTDOWN => Kind::Shutdown,
        SCHEDULE_ONCE | SCHEDULE_CYCLE | SCHEDULE_CLEAR => Kind::Schedule,
        PASSWORD => Kind::Password,
        CONFIGURATION => Kind::Configuration,
        FAULT_CLEAR => Kind::FaultClear,
        FACTORY_RESET => Kind::FactoryReset,
        CHANNEL_TEST => Kind::ChannelTest,
        _ => return None,
    })
}

/// Without `client_id` an instruction for one machine of a merchant would hold for all of them. The vendor's own example
/// of a pushed configuration leaves it out, and that one is harmless.
pub(super) fn must_name_its_machine(method: &str) -> bool {
    kind_of(method).is_some_and(|kind| kind != Kind::Configuration)
}

/// Reads a verified message that is no command; nothing when its method is none of these.
pub(super) fn read(method: &str, fields: &Fields, profile: &Profile) -> Option<Result<Inbound, Rejected>> {
    if matches!(method, REFRESH | INVALIDATE) {
        return Some(Ok(Inbound::Refresh));
    }
    if method.starts_with(ADS) {
        return Some(Ok(Inbound::Advertisement { method: method.to_owned() }));
    }
    kind_of(method).map(|kind| instruction(kind, method, fields, profile).map(Inbound::Instruction))
}

fn instruction(kind: Kind, method: &str, fields: &Fields, profile: &Profile) -> Result<Instruction, Rejected> {
    let names: Vec<&str> = FIELDS.into_iter().chain(Setting::ALL.map(Setting::as_str)).collect();
    if let Some(name) = ambiguous_beside(fields, &names) {
        return Err(Rejected::Ambiguous { name: shown(name) });
    }
    let issued_at_s = fields.get("timestamp").unwrap_or_default();
    let issued_at_s = whole_number(issued_at_s).ok_or_else(|| Rejected::BadTimestamp { found: shown(issued_at_s) })?;
    let wish = match method {
        REBOOT => Ok(Wish::Reboot),
        SHUTDOWN => Ok(Wish::Shutdown),
        SCHEDULE_ONCE => once(fields),
        SCHEDULE_CYCLE => cycle(fields),
        SCHEDULE_CLEAR => Ok(Wish::ClearSchedule),
        PASSWORD => fields.get("password").map(|_| Wish::Password).ok_or("password"),
        CONFIGURATION => settings(fields).map(Wish::Configure),
        FAULT_CLEAR => fault_clear(fields),
        CHANNEL_TEST => channel_test(fields, profile),
        _ => match fields.get("reset_type").unwrap_or("1") {
            "1" => Ok(Wish::FactoryReset),
            _ => Err("reset_type"),
        },
    };
    Ok(Instruction { kind, issued_at_s, wish })
}

/// On again later than off: the vendor promises it, and a machine that is never switched on again sells nothing.
fn once(fields: &Fields) -> Result<Wish, &'static str> {
    let time = |name: &'static str| fields.get(name).and_then(read_date_time).ok_or(name);
    let (off_at_s, on_at_s) = (time("power_off")?, time("power_on")?);
    if on_at_s > off_at_s { Ok(Wish::Once(Once { off_at_s, on_at_s })) } else { Err("power_on") }
}

fn cycle(fields: &Fields) -> Result<Wish, &'static str> {
    let time = |name: &'static str| fields.get(name).and_then(read_time_of_day).ok_or(name);
    let (off, on) = (time("power_off")?, time("power_on")?);
    let mut days = [false; 7];
    let mut marks = fields.get("weekdays").unwrap_or_default().split(',');
    for day in &mut days {
        *day = match marks.next() {
            Some("1") => true,
            Some("0") => false,
            _ => return Err("weekdays"),
        };
    }
    match (marks.next(), days.contains(&true)) {
        (None, true) if on != off => Ok(Wish::Cycle(Cycle { on, off, days })),
        (None, true) => Err("power_on"),
        _ => Err("weekdays"),
    }
}

fn fault_clear(fields: &Fields) -> Result<Wish, &'static str> {
    if !matches!(fields.get("floor_status"), None | Some("1")) {
        return Err("floor_status");
    }
    let products = fields.get("product_ids").unwrap_or_default().split(',');
    let products: Option<Vec<u64>> = products.map(whole_number).collect();
    products.filter(|products| products.len() <= PRODUCTS_MAX).map(Wish::ClearFaults).ok_or("product_ids")
}

/// One turn of one slot, told as in a dispense command. The vendor tests only; whatever else is wanted is no test.
fn channel_test(fields: &Fields, profile: &Profile) -> Result<Wish, &'static str> {
    if !matches!(fields.get("order_type"), None | Some("test")) {
        return Err("order_type");
    }
    let turns = Body::read(fields, "code", profile)?.turns(profile).map_err(|_| "code, addr")?;
    if turns.quantity == 1 { Ok(Wish::TestChannel(turns)) } else { Err("quantity") }
}

/// Those that came, each as it is documented. One that is wrong refuses all: half a configuration is none.
fn settings(fields: &Fields) -> Result<Settings, &'static str> {
    let mut settings = Settings::new();
    for setting in Setting::ALL {
        if let Some(value) = fields.get(setting.as_str()) {
            if !is_right(setting, value) {
                return Err(setting.as_str());
            }
            settings.insert(setting, value.into());
        }
    }
    if settings.is_empty() { Err("settings") } else { Ok(settings) }
}

fn is_right(setting: Setting, value: &str) -> bool {
    match setting {
        Setting::PriceThousands | Setting::PriceLine | Setting::StandbyAdsEnabled | Setting::StandbyAdsAutoplay => {
            matches!(value, "0" | "1")
        }
        Setting::PriceDigits => whole_number(value).is_some_and(|digits| digits <= PRICE_DIGITS_MAX),
        Setting::IdleTimeout | Setting::PaymentWaitTimeout => {
            whole_number(value).is_some_and(|s| SCREEN_TIMEOUT_S.contains(&s))
        }
        Setting::Language => is_language(value),
        Setting::Languages => value.split(',').count() <= LANGUAGES_MAX && value.split(',').all(is_language),
        Setting::AppNavbarLogo | Setting::AppHomeBackground => is_picture(value),
    }
}

/// Like `zh_CN` or `en`.
fn is_language(text: &str) -> bool {
    let (language, region) = text.split_once('_').unwrap_or((text, "CN"));
    let of = |part: &str, is: fn(&u8) -> bool| part.len() == 2 && part.bytes().all(|b| is(&b));
    of(language, u8::is_ascii_lowercase) && of(region, u8::is_ascii_uppercase)
}

/// vend never fetches it: whoever shows it decides whether to.
fn is_picture(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text.len() <= PICTURE_BYTES_MAX
        && rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic()))
}

#[cfg(test)]
mod tests;
