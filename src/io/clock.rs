//! The clocks, and the one timer that runs on them. Nothing else in vend reads a clock.
//!
//! Timers run on CLOCK_BOOTTIME (order-life, rule 29): it never jumps, and unlike the CLOCK_MONOTONIC under tokio's
//! own timers it goes on during suspend, so an order cannot outlive its 20 minutes in a sleeping controller.

use super::clock_word::{self, NoWord};
use crate::order::time::{BootId, BootMs, Now, UnixMs};
use rtime_clock::adjtime::{Timex, adjtimex};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How long the kernel's word about synchronisation is kept, in ms of boot time. The flag changes once or twice in
/// a boot, while the core asks for the time at every step.
const SYNCHRONISED_KEPT_MS: u64 = 1_000;

/// The kernel's bound for the error of a clock that nobody disciplines (NTP_PHASE_LIMIT), in µs. It starts there at
/// boot and after every setting of the clock, and grows back to it within nine hours without synchronisation.
const ERROR_OF_UNSYNCHRONISED_US: i64 = 16_000_000;

/// Where the kernel tells the boot's name.
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// Milliseconds since boot, suspend included.
#[must_use]
pub fn boot_now() -> BootMs {
    BootMs(to_ms(clock_gettime(ClockId::Boottime)))
}

/// Microseconds since 1970 by the wall clock, for a line of the log.
#[must_use]
pub fn wall_us() -> u64 {
    let time = clock_gettime(ClockId::Realtime);
    let sub_us = u64::try_from(time.tv_nsec / 1_000).unwrap_or(0);
    u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1_000_000).saturating_add(sub_us)
}

/// Whole milliseconds of a clock; a clock set before 1970 counts as 1970.
fn to_ms(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let sub_ms = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
    seconds.saturating_mul(1_000).saturating_add(sub_ms)
}

/// Whether the kernel holds the wall clock for synchronised: the estimated error is below 16 s. `timedatectl` shows
/// the same as "System clock synchronized" (systemd since 239). STA_UNSYNC alone would deny it under a chronyd
/// that is told to leave the hardware clock alone.
///
/// # Errors
/// When the call is forbidden, as `ProtectClock=yes` of the daemon's unit does.
pub fn kernel_synchronised() -> io::Result<bool> {
    let mut timex = Timex::new();
    adjtimex(&mut timex)?;
    #[allow(clippy::useless_conversion, reason = "the field has 32 bits on 32-bit ARM controllers")]
    let error_us = i64::from(timex.0.maxerror);
    Ok(error_us < ERROR_OF_UNSYNCHRONISED_US)
}

/// Whether the wall clock is synchronised: the kernel's word, or where it may not be asked, what `vend-clock.service` wrote
/// of it ([`clock_word`]).
///
/// # Errors
/// When neither tells.
pub fn synchronised() -> Result<bool, NoWord> {
    match kernel_synchronised() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            clock_word::read(Path::new(clock_word::WORD_FILE), boot_now())
        }
        told => Ok(told?),
    }
}

/// The name of this boot: rule 28 compares ages by boot time only within one.
///
/// # Errors
/// When the file is unreadable or holds no UUID; without a name every start must count as a reboot.
pub fn boot_id() -> io::Result<BootId> {
    let text = std::fs::read_to_string(BOOT_ID_FILE)?;
    parse_boot_id(text.trim_end()).ok_or_else(|| {
        let what = format!("{BOOT_ID_FILE} holds {text:?}, which is not a UUID");
        io::Error::new(io::ErrorKind::InvalidData, what)
    })
}

fn parse_boot_id(uuid: &str) -> Option<BootId> {
    let digits: Vec<u8> = uuid.bytes().filter(|&b| b != b'-').collect();
    let mut id = [0; 16];
    if digits.len() != 2 * id.len() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(BootId(id))
}

/// The clock of the core: cheap enough for every step, since the synchronised flag is asked at most once a second.
#[derive(Debug, Default)]
pub struct Clock {
    /// The kernel's last word and when it was asked.
    synchronised: Option<(bool, BootMs)>,
}

impl Clock {
    /// A clock that has not asked the kernel yet.
    #[must_use]
    pub const fn new() -> Self {
        Clock { synchronised: None }
    }

    /// What all clocks say now. Where nobody tells, the wall clock counts as not synchronised: commands are then held
    /// rather than driven on a guess (`doctor` says so).
    pub fn now(&mut self) -> Now {
        let boot = boot_now();
        let wall = UnixMs(to_ms(clock_gettime(ClockId::Realtime)));
        let synchronised = match self.synchronised {
            Some((kept, asked)) if boot.since_ms(asked) < SYNCHRONISED_KEPT_MS => kept,
            _ => {
                let fresh = synchronised().unwrap_or(false);
                self.synchronised = Some((fresh, boot));
                fresh
            }
        };
        Now { boot, wall, synchronised }
    }
}

/// A timer on CLOCK_BOOTTIME: one file descriptor that is set again for every sleep.
///
/// A timerfd wakes exactly once, at its time or right at the resume that found it passed. Tokio's timers would
/// have to be cut into short sleeps and checked again, on a device that is idle nearly always.
#[derive(Debug)]
pub struct Alarm {
    timer: AsyncFd<OwnedFd>,
    /// When it goes off, if it was set and nobody heard it yet. Most sleeps are cut short and the next ends later, so a
    /// timer that is set to an earlier time is left as it is: it goes off once for nothing, and not once a sleep is set.
    set_to: Option<BootMs>,
}

impl Alarm {
    /// Makes the timer. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[allow(
            deprecated,
            reason = "sound for an OwnedFd, which is one descriptor until its drop; the successor is an unsafe fn"
        )]
        let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
        Ok(Alarm { timer, set_to: None })
    }

    /// Sleeps until `at`; returns at once when it has passed. Cancel-safe: the next call sets the timer anew, unless it
    /// ends no earlier.
    ///
    /// # Errors
    /// When the kernel refuses the timer, which it does not for any `at`.
    pub async fn sleep_until(&mut self, at: BootMs) -> io::Result<()> {
        while at > boot_now() {
            if self.set_to.is_none_or(|set_to| set_to > at) {
                self.set_to = None;
                timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::ABSTIME, &once_at(at))?;
                self.set_to = Some(at);
            }
            let mut expirations = [0; 8];
            self.timer.async_io(Interest::READABLE, |timer| Ok(rustix::io::read(timer, &mut expirations)?)).await?;
            self.set_to = None;
        }
        Ok(())
    }
}

fn once_at(at: BootMs) -> Itimerspec {
    let value = Timespec {
        tv_sec: i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX),
        // Below 10^9: a remainder of 1000 times 10^6.
        tv_nsec: i64::try_from(at.0 % 1_000 * 1_000_000).unwrap_or(0) as _,
    };
    Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_is_after_zero_and_never_goes_back() {
        let first = boot_now();
        assert!(first.0 > 0);
        assert!(boot_now() >= first);
    }

    #[test]
    fn the_flag_is_kept_for_a_second_and_then_asked_again() {
        let real = synchronised().unwrap_or(false);
        let lie = !real;
        let mut clock = Clock { synchronised: Some((lie, boot_now())) };
        assert_eq!(clock.now().synchronised, lie, "a fresh answer is kept");
        clock.synchronised = Some((lie, BootMs(boot_now().0.saturating_sub(SYNCHRONISED_KEPT_MS))));
        assert_eq!(clock.now().synchronised, real, "an old answer is not");
    }

    #[test]
    fn the_boot_id_is_the_kernels_uuid() {
        let id = boot_id().unwrap();
        assert_eq!(boot_id().unwrap(), id);
        assert_ne!(id, BootId::default());
        let parsed = parse_boot_id("00010203-0405-0607-0809-0a0b0c0d0eff").unwrap();
        assert_eq!(parsed.0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        for bad in ["", "0001", "g0010203-0405-0607-0809-0a0b0c0d0eff", "+0010203-0405-0607-0809-0a0b0c0d0eff"] {
            assert_eq!(parse_boot_id(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_clock_before_1970_reads_as_1970() {
        assert_eq!(to_ms(Timespec { tv_sec: -5, tv_nsec: 0 }), 0);
        assert_eq!(to_ms(Timespec { tv_sec: 2, tv_nsec: 3_999_999 }), 2_003);
    }

    #[tokio::test]
    async fn a_sleep_ends_at_its_time_and_not_before() {
        let mut alarm = Alarm::new().unwrap();
        for _ in 0..3 {
            let at = boot_now().plus_ms(20);
            alarm.sleep_until(at).await.unwrap();
            assert!(boot_now() >= at);
        }
        alarm.sleep_until(BootMs(0)).await.unwrap();
    }

    #[tokio::test]
    async fn a_sleep_that_was_cut_short_and_begun_again_ends_at_its_time_and_so_does_the_next() {
        let mut alarm = Alarm::new().unwrap();
        for _ in 0..2 {
            let at = boot_now().plus_ms(40);
            for _ in 0..3 {
                tokio::select! {
                    biased;
                    woken = alarm.sleep_until(at) => woken.unwrap(),
                    () = std::future::ready(()) => {}
                }
            }
            let soon_enough = std::time::Duration::from_secs(20);
            tokio::time::timeout(soon_enough, alarm.sleep_until(at)).await.expect("an end").unwrap();
            assert!(boot_now() >= at);
        }
    }

    #[tokio::test]
    async fn a_sleep_that_ends_later_than_the_one_before_sets_no_timer_and_ends_at_its_time() {
        let mut alarm = Alarm::new().unwrap();
        let (soon, later) = (boot_now().plus_ms(30), boot_now().plus_ms(90));
        for at in [later, soon, later] {
            tokio::select! {
                biased;
                woken = alarm.sleep_until(at) => woken.unwrap(),
                () = std::future::ready(()) => {}
            }
        }
        assert_eq!(alarm.set_to, Some(soon));
        alarm.sleep_until(later).await.unwrap();
        assert!(boot_now() >= later, "it went off for the earlier one, and was set anew");
    }

    #[tokio::test]
    async fn a_cancelled_sleep_does_not_cut_the_next_one_short() {
        let mut alarm = Alarm::new().unwrap();
        let soon = boot_now().plus_ms(5);
        tokio::select! {
            biased;
            woken = alarm.sleep_until(soon) => woken.unwrap(),
            () = std::future::ready(()) => {}
        }
        let mut other = Alarm::new().unwrap();
        other.sleep_until(soon.plus_ms(20)).await.unwrap();
        let at = boot_now().plus_ms(40);
        alarm.sleep_until(at).await.unwrap();
        assert!(boot_now() >= at);
        let far = tokio::time::timeout(std::time::Duration::from_millis(20), alarm.sleep_until(BootMs(u64::MAX)));
        assert!(far.await.is_err(), "the end of time is far, not an error");
    }
}
