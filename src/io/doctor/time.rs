//! Clocks and the time zone.

use super::Root;
use crate::doctor::seen::{Clock, Fact};
use crate::io::clock;
use crate::order::said::{InChinese as _, Said};
use std::path::Path;

/// Looks at all of them.
#[must_use]
pub fn clock(root: &Root) -> Fact<Clock> {
    Fact::Is(Clock {
        wall_s: clock::Clock::new().now().wall.seconds(),
        synchronised: Some(clock::synchronised().map_err(|error| error.said())),
        rtc_s: rtc_s(root),
        zone: zone(root),
    })
}

/// The battery-backed clock. One that keeps local time (`LOCAL` in /etc/adjtime) cannot be compared without the rules of
/// its zone, and counts as none.
fn rtc_s(root: &Root) -> Option<u64> {
    let keeps_local_time = root.read("etc/adjtime").is_ok_and(|text| text.lines().any(|line| line.trim() == "LOCAL"));
    let seconds = root.read("sys/class/rtc/rtc0/since_epoch").ok()?.trim().parse().ok();
    seconds.filter(|_| !keeps_local_time)
}

/// The zone's name; nothing without a file, which means UTC.
fn zone(root: &Root) -> Option<Result<String, Said>> {
    let file = root.at("etc/localtime");
    let link = std::fs::read_link(&file);
    if !file.exists() {
        let why = |to: &Path| {
            let to = to.display();
            let en = format!("/etc/localtime leads to {to}, which is not there");
            Err(Said::new(en, format!("/etc/localtime 指向 {to}，但它不存在")))
        };
        return link.ok().map(|to| why(&to));
    }
    let name = link.ok().and_then(|to| {
        let to = to.to_string_lossy().into_owned();
        to.split_once("zoneinfo/").map(|(_, name)| name.to_owned())
    });
    Some(Ok(name.unwrap_or_else(|| "/etc/localtime".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_battery_backed_clock_is_read_unless_it_keeps_local_time() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::below(folder.path());
        assert_eq!(rtc_s(&root), None, "there is none");
        fs::create_dir_all(folder.path().join("sys/class/rtc/rtc0")).unwrap();
        fs::create_dir_all(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("sys/class/rtc/rtc0/since_epoch"), "1714373690\n").unwrap();
        assert_eq!(rtc_s(&root), Some(1_714_373_690));
        fs::write(folder.path().join("etc/adjtime"), "0.0 0 0\n0\nUTC\n").unwrap();
        assert_eq!(rtc_s(&root), Some(1_714_373_690));
        fs::write(folder.path().join("etc/adjtime"), "0.0 0 0\n0\nLOCAL\n").unwrap();
        assert_eq!(rtc_s(&root), None);
    }

    #[test]
    fn a_time_zone_that_leads_nowhere_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::below(folder.path());
        fs::create_dir_all(folder.path().join("etc")).unwrap();
        assert_eq!(zone(&root), None, "UTC");
        symlink("../usr/share/zoneinfo/Asia/Shanghai", folder.path().join("etc/localtime")).unwrap();
        assert!(zone(&root).unwrap().unwrap_err().zh.contains("Asia/Shanghai"));
        fs::create_dir_all(folder.path().join("usr/share/zoneinfo/Asia")).unwrap();
        fs::write(folder.path().join("usr/share/zoneinfo/Asia/Shanghai"), "TZif").unwrap();
        assert_eq!(zone(&root), Some(Ok("Asia/Shanghai".to_owned())));
    }
}
