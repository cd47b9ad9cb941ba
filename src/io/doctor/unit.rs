//! The unit of the service, by `systemctl show`, and its user, by the files in /etc.

use super::Root;
use crate::doctor::seen::{Account, Fact, Unit};
use crate::io::clock::boot_now;
use crate::order::said::Said;
use std::io;
use std::process::Stdio;
use tokio::process::Command;

/// The unit.
const NAME: &str = "vend.service";
/// What is asked of systemd.
const PROPERTIES: &str = "--property=LoadState,UnitFileState,ActiveState,SubState,ExecMainStatus,NRestarts,\
    ActiveEnterTimestampMonotonic,MainPID,WatchdogUSec,User,SupplementaryGroups";

/// Asks systemd for the unit. Nothing where systemd does not run this machine.
pub async fn unit(root: &Root) -> Fact<Option<Unit>> {
    let mut command = Command::new("systemctl");
    command.args(["show", NAME, PROPERTIES]).stdin(Stdio::null()).kill_on_drop(true).env("LC_ALL", "C");
    let output = match command.output().await {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Fact::Is(None),
        Err(error) => return Fact::Unknown(Said::word(format!("systemctl: {error}"))),
    };
    let told = String::from_utf8_lossy(&output.stdout);
    if !told.contains("LoadState=") {
        let why = String::from_utf8_lossy(&output.stderr);
        let not_here = ["not been booted with systemd", "Failed to connect to bus", "Host is down"];
        return match not_here.iter().any(|text| why.contains(text)) {
            true => Fact::Is(None),
            false => {
                let why = why.lines().next().map_or_else(|| Said::new("no answer", "没有应答"), Said::word);
                Fact::Unknown(Said::word("systemctl").then(&why))
            }
        };
    }
    let mut unit = read(&told);
    unit.account = account(root, &unit);
    Fact::Is(Some(unit))
}

fn read(told: &str) -> Unit {
    let of = |name: &str| {
        let value = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().to_owned()
    };
    let active_since_us: Option<u64> = of("ActiveEnterTimestampMonotonic").parse().ok().filter(|us| *us > 0);
    let is_active = of("ActiveState") == "active";
    Unit {
        load_state: of("LoadState"),
        file_state: of("UnitFileState"),
        active_state: of("ActiveState"),
        sub_state: of("SubState"),
        exit_code: of("ExecMainStatus").parse().ok(),
        restarts: of("NRestarts").parse().unwrap_or(0),
        // Without suspend both clocks are one; with it the service seems older by that, which excuses an old restart.
        active_for_s: active_since_us.filter(|_| is_active).map(|us| boot_now().0.saturating_sub(us / 1_000) / 1_000),
        main_pid: of("MainPID").parse().ok().filter(|pid| *pid > 0),
        watchdog: !matches!(of("WatchdogUSec").as_str(), "" | "0" | "infinity"),
        user: of("User"),
        account: None,
        groups: of("SupplementaryGroups").split_whitespace().map(str::to_owned).collect(),
    }
}

/// The user of the unit, with the groups it is in and those that the unit adds.
fn account(root: &Root, unit: &Unit) -> Option<Account> {
    let name = if unit.user.is_empty() { "root" } else { &unit.user };
    let passwd = root.read("etc/passwd").unwrap_or_default();
    let groups = root.read("etc/group").unwrap_or_default();
    let user: Vec<&str> =
        passwd.lines().map(|line| line.split(':').collect()).find(|c: &Vec<&str>| c.first() == Some(&name))?;
    let uid = user.get(2)?.parse().ok()?;
    let mut gids: Vec<u32> = user.get(3).and_then(|gid| gid.parse().ok()).into_iter().collect();
    for line in groups.lines() {
        let [group, _, gid, members] = line.split(':').collect::<Vec<_>>()[..] else { continue };
        if unit.groups.iter().any(|added| added == group) || members.split(',').any(|member| member == name) {
            gids.extend(gid.parse::<u32>().ok());
        }
    }
    Some(Account { uid, gids })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_says_is_read_and_the_groups_are_numbers() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/passwd"), "root:x:0:0::/:/bin/sh\nvend:x:998:997::/var/lib/vend:/x\n")
            .unwrap();
        std::fs::write(root.path().join("etc/group"), "dialout:x:20:\nvend:x:997:\nplugdev:x:46:pi,vend\nadm:x:4:pi\n")
            .unwrap();
        let mut unit = read(
            "LoadState=loaded\nActiveState=active\nNRestarts=2\nWatchdogUSec=30s\nUser=vend\n\
            SupplementaryGroups=dialout\nMainPID=77\nExecMainStatus=0\nActiveEnterTimestampMonotonic=5\n",
        );
        assert_eq!(
            (unit.load_state.as_str(), unit.restarts, unit.watchdog, unit.main_pid),
            ("loaded", 2, true, Some(77))
        );
        assert!(unit.active_for_s.is_some());
        unit.account = account(&Root::below(root.path()), &unit);
        assert_eq!(unit.account, Some(Account { uid: 998, gids: vec![997, 20, 46] }));
        let nobody = Unit { user: "nobody-here".to_owned(), ..unit };
        assert_eq!(account(&Root::below(root.path()), &nobody), None);
    }
}
