//! What the machine tells of itself: signs of life, its environment and settings, climate, traffic, line quality.
//!
//! All of it is of the moment: told at once while there is a connection and room, else left out. Nothing is stored, so
//! nothing is written to the disk, and an outage leaves nothing that could leave in a storm after it. What must not be
//! lost goes another way (`slots`, `calls`). One timer serves it all: what is due in hours or days is looked at when a
//! heartbeat is.

use super::event::{Effect, Token};
use super::{Core, LineCounts, Phase, VerifyOrders};
use crate::board::driver::Address;
use crate::board::service::{Reading, Service};
use crate::cloud::telemetry::{self, Message};
use crate::cloud::up;
use crate::order::host::{Host, Network};
use crate::order::time::{BootMs, Now};
use std::collections::BTreeMap;

/// The first question for the climate comes so long after the start, in ms: most boards have settled, and orders that
/// waited for the power are on the line.
const CLIMATE_FIRST_MS: u64 = 10_000;
/// While the line is not free, the climate is asked for again after this time, in ms.
const CLIMATE_AGAIN_MS: u64 = 60_000;
/// Line quality with something wrong in it, in ms: at most so often.
const QUALITY_WRONG_MS: u64 = 3_600_000;
/// Line quality without, and traffic.
const DAY_MS: u64 = 86_400_000;
/// The platform's day begins by this clock, in s east of Greenwich: its times are China's (cloud 1.4).
const PLATFORM_EAST_S: u64 = 28_800;
/// What the core asks of the board for itself. Those who ask from outside count from 1.
pub(super) const OWN: Token = Token(0);

/// How often what is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// From one heartbeat to the next, in ms.
    pub heartbeat_ms: u64,
    /// From one question for the climate to the next, in ms; nothing if it is never asked.
    pub climate_ms: Option<u64>,
}

/// What was told and is told again only when it changed or time has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Env(Message),
    Config(Message),
    Traffic(BootMs),
    Quality(BootMs, u64),
}

#[derive(Debug)]
pub(super) struct Telemetry {
    since: BootMs,
    /// While there is a connection.
    beat_at: Option<BootMs>,
    climate_at: BootMs,
    /// What the board answered, until it is told in this very step.
    pub(super) reading: Option<Reading>,
    said_goodbye: bool,
    /// The network as it was seen last, for the word at the end.
    network: Option<Network>,
    env: Option<Message>,
    config: Option<Message>,
    traffic_at: Option<BootMs>,
    quality_at: BootMs,
    /// What was wrong with the line when it was told.
    wrong: u64,
    /// Until the broker has them they are not told.
    on_their_way: BTreeMap<Token, Told>,
}

impl Telemetry {
    pub(super) fn new(now: BootMs) -> Telemetry {
        Telemetry {
            since: now,
            beat_at: None,
            climate_at: now.plus_ms(CLIMATE_FIRST_MS),
            reading: None,
            said_goodbye: false,
            network: None,
            env: None,
            config: None,
            traffic_at: None,
            quality_at: now,
            wrong: 0,
            on_their_way: BTreeMap::new(),
        }
    }

    /// A connection begins: the platform hears of us at once.
    pub(super) fn connected(&mut self, now: BootMs) {
        self.beat_at = Some(now);
    }

    /// It ended: nothing is told, and nothing is kept for later.
    pub(super) fn disconnected(&mut self) {
        self.beat_at = None;
        self.on_their_way.clear();
    }

    /// The broker has taken a message.
    pub(super) fn taken(&mut self, token: Token) {
        match self.on_their_way.remove(&token) {
            Some(Told::Env(message)) => self.env = Some(message),
            Some(Told::Config(message)) => self.config = Some(message),
            Some(Told::Traffic(at)) => self.traffic_at = Some(at),
            Some(Told::Quality(at, wrong)) => (self.quality_at, self.wrong) = (at, wrong),
            None => {}
        }
    }

    /// The broker refused it: it is told with the next heartbeat.
    pub(super) fn refused(&mut self, token: Token) {
        self.on_their_way.remove(&token);
    }

    /// The platform wants to hear it all anew.
    fn forget_what_was_told(&mut self) {
        (self.env, self.config) = (None, None);
    }
}

/// Everything that was wrong: a line like that is looked at.
const fn wrong_with(counts: &LineCounts) -> u64 {
    let faults = counts.faults().saturating_add(counts.resends);
    faults.saturating_add(counts.reopenings).saturating_add(counts.board_restarts)
}

impl Core {
    /// When something is to be told; nothing while nobody could hear it.
    pub(super) fn telemetry_deadline(&self) -> Option<BootMs> {
        let beat_at = self.telemetry.beat_at?;
        let climate_at = self.climate_question().map(|_| self.telemetry.climate_at);
        Some(climate_at.map_or(beat_at, |at| at.min(beat_at)))
    }

    /// The question for the climate, if it is asked at all and this board can tell.
    fn climate_question(&self) -> Option<(Service, u64)> {
        let every_ms = self.settings.telemetry.climate_ms?;
        let climate = Service::Climate { address: Address::new(1)? };
        self.line.serves(&climate).then_some((climate, every_ms))
    }

    /// What is due.
    pub(super) fn tell_of_the_machine(&mut self, now: Now) {
        let reading = self.telemetry.reading.take();
        if self.stopping || self.telemetry.beat_at.is_none() {
            return;
        }
        if let Some(Reading::Climate { temperature_deci_c, humidity_permille }) = reading {
            self.tell_climate(now, temperature_deci_c, humidity_permille);
        }
        if self.telemetry.beat_at.is_some_and(|at| at <= now.boot) {
            self.telemetry.beat_at = Some(now.boot.plus_ms(self.settings.telemetry.heartbeat_ms));
            self.effects.push(Effect::LookAtHost);
        }
        if self.telemetry.climate_at <= now.boot
            && let Some((climate, every_ms)) = self.climate_question()
        {
            // An order that is there comes first, and one that comes now waits for the answer: hence not often.
            let is_asked = self.may_serve(&climate).is_ok();
            self.telemetry.climate_at = now.boot.plus_ms(if is_asked { every_ms } else { CLIMATE_AGAIN_MS });
            if is_asked {
                self.on_serve(now, OWN, &climate);
            }
        }
    }

    /// The system was looked at for a heartbeat.
    pub(super) fn on_host(&mut self, now: Now, host: &Host) {
        self.telemetry.network = host.network;
        if self.phase != Phase::Running || self.stopping || self.failed.is_some() {
            return;
        }
        self.tell(now, &telemetry::heartbeat(host.network, self.uptime_minutes_today(now)), None);
        let env = telemetry::env(env!("CARGO_PKG_VERSION"), host, &self.settings.profile.name, self.line.identity());
        if self.telemetry.env.as_ref() != Some(&env) {
            self.tell(now, &env, Some(Told::Env(env.clone())));
        }
        let config = telemetry::config(self.told_settings());
        if self.telemetry.config.as_ref() != Some(&config) {
            self.tell(now, &config, Some(Told::Config(config.clone())));
        }
        if let Some(network) = host.network
            && self.telemetry.traffic_at.is_none_or(|at| now.boot.since_ms(at) >= DAY_MS)
        {
            self.tell(now, &telemetry::traffic(&network), Some(Told::Traffic(now.boot)));
        }
        self.tell_line_quality(now);
        self.tell_the_untold(now);
    }

    fn tell_line_quality(&mut self, now: Now) {
        let wrong = wrong_with(self.line.quality.total());
        let every_ms = if wrong == self.telemetry.wrong { DAY_MS } else { QUALITY_WRONG_MS };
        if now.boot.since_ms(self.telemetry.quality_at) < every_ms {
            return;
        }
        let counted_for_s = now.boot.since_ms(self.telemetry.since) / 1_000;
        let message = telemetry::line_quality(counted_for_s, &self.line.quality.total().named());
        self.tell(now, &message, Some(Told::Quality(now.boot, wrong)));
    }

    /// The settings that explain what the machine does; nothing of where and with which secrets.
    fn told_settings(&self) -> Vec<(&'static str, String)> {
        let settings = &self.settings;
        let flag = |on: bool| u8::from(on).to_string();
        let verify_orders = match settings.cloud.verify_orders {
            VerifyOrders::Always => "always",
            VerifyOrders::Late => "late",
            VerifyOrders::Never => "never",
        };
        let climate_s = settings.telemetry.climate_ms.map(|ms| (ms / 1_000).to_string());
        let mut told = vec![
            ("verify_orders", verify_orders.to_owned()),
            ("refund_failed", flag(settings.cloud.refund_failed)),
            ("lock_slot_after_unknown", flag(settings.lock_slot_after_unknown)),
            ("session_expiry_s", settings.session_expiry_s.to_string()),
            ("heartbeat_s", (settings.telemetry.heartbeat_ms / 1_000).to_string()),
        ];
        told.extend(climate_s.map(|s| ("climate_s", s)));
        told
    }

    /// Minutes since the controller started, of this day at the platform (cloud 1.9).
    fn uptime_minutes_today(&self, now: Now) -> u64 {
        let today_s = self.told_time_s(now).saturating_add(PLATFORM_EAST_S) % 86_400;
        (today_s / 60).min(now.boot.0 / 60_000)
    }

    /// Told now, or left out.
    fn tell(&mut self, now: Now, message: &Message, told: Option<Told>) {
        if !self.arrivals.has_room_to_publish() {
            return;
        }
        let settings = &self.settings;
        let payload = message.seal(&settings.machine_no, self.told_time_s(now), &settings.mqtt_key);
        let token = self.hand_up(payload, None);
        self.telemetry.on_their_way.extend(told.map(|told| (token, told)));
    }

    /// What has no sensor is not told.
    fn tell_climate(&mut self, now: Now, temperature_deci_c: Option<i16>, humidity_permille: Option<u16>) {
        if let Some(deci_c) = temperature_deci_c {
            self.tell(now, &telemetry::temperature(deci_c), None);
        }
        if let Some(permille) = humidity_permille {
            self.tell(now, &telemetry::humidity(permille), None);
        }
    }

    /// The last words of a life that was asked to stop. The will comes after them, and says the same.
    pub(super) fn say_goodbye(&mut self, now: Now) {
        if std::mem::replace(&mut self.telemetry.said_goodbye, true) {
            return;
        }
        if let Some(network) = self.telemetry.network {
            self.tell(now, &telemetry::traffic(&network), None);
        }
        if self.arrivals.has_room_to_publish() {
            let settings = &self.settings;
            let time_s = self.told_time_s(now);
            let payload = up::offline(&settings.machine_no, None, "stopped", time_s, &settings.mqtt_key);
            self.publish(payload, None);
        }
    }

    /// The platform says that what it told is old: the catalogue is asked for, and the machine tells of itself anew.
    pub(super) fn tell_and_ask_anew(&mut self, now: Now) {
        self.telemetry.forget_what_was_told();
        if self.telemetry.beat_at.is_some() {
            self.telemetry.beat_at = Some(now.boot);
        }
        self.fetch_catalogue_soon(now);
    }
}
