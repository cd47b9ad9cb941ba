//! The serial port as a file: is it there, who holds it, which driver serves it. It is opened by [`opens`] alone.

use super::Root;
use super::files::rights_of;
use crate::config::Config;
use crate::doctor::seen::{Fact, Port, UsbDriver};
use crate::io::line::{self, LineConfig};
use crate::order::said::{InChinese as _, Said};
use rustix::fs::{Access, access};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

/// Kernel modules that serve USB serial adapters and boards.
const USB_MODULES: [&str; 2] = ["usbserial", "cdc_acm"];
/// The same where they are built into the kernel.
const USB_BUILT_IN: [&str; 2] = ["sys/bus/usb-serial", "sys/bus/usb/drivers/cdc_acm"];
/// Numbers of the drivers of pseudo-terminals, on which boards are simulated (`Documentation/admin-guide/devices.txt`).
/// Containers have some with the same numbers, which are others.
const PSEUDO_TERMINALS: std::ops::RangeInclusive<u32> = 136..=143;
/// Their files on the disk, up to what says how they are compressed.
const USB_FILES: [&str; 2] = ["usbserial.ko", "cdc-acm.ko"];
/// What udev notes of a device that ModemManager must leave alone.
const LEFT_ALONE: &str = "E:ID_MM_DEVICE_IGNORE=1";

/// Looks at the port of `config`. `own` are the processes of the daemon, which may hold it.
#[must_use]
pub fn port(root: &Root, config: &Config, own: &[u32]) -> Fact<Port> {
    let path = &config.board.port;
    let found = fs::metadata(path).ok();
    let device = found.as_ref().and_then(|_| fs::canonicalize(path).ok());
    let is_device = found.as_ref().is_some_and(|found| found.file_type().is_char_device());
    let name = device.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    let processes = root.processes();
    let number = found.as_ref().filter(|_| is_device).map(|found| found.rdev());
    let held = found.as_ref().filter(|_| is_device).map(|found| holders(root, &processes, found, own));
    let (holders, holders_hidden) = held.unwrap_or_default();
    let is_usb = ["ttyUSB", "ttyACM"].iter().any(|kind| name.starts_with(kind));
    let left_alone = number.is_some_and(|number| is_left_alone(root, number));
    let driver = fs::canonicalize(root.at(&format!("sys/class/tty/{name}/device/driver"))).ok();
    Fact::Is(Port {
        path: path.clone(),
        is_device,
        rights: found.as_ref().map(rights_of),
        ours: access(path, Access::READ_OK | Access::WRITE_OK).is_ok(),
        holders,
        holders_hidden,
        modem_manager: processes.iter().any(|(_, name)| name == "ModemManager"),
        modem_like: is_usb && !left_alone,
        driver: driver.and_then(|driver| Some(driver.file_name()?.to_str()?.to_owned())),
        adapters: root.names("dev/serial/by-id"),
        usb_driver: usb_driver(root),
        device,
    })
}

fn usb_driver(root: &Root) -> UsbDriver {
    let modules = root.read("proc/modules").unwrap_or_default();
    let is_loaded = |module: &&str| modules.lines().any(|line| line.split(' ').next() == Some(module));
    if USB_MODULES.iter().any(is_loaded) || USB_BUILT_IN.iter().any(|place| root.at(place).exists()) {
        return UsbDriver::Loaded;
    }
    let release = root.read("proc/sys/kernel/osrelease").unwrap_or_default();
    // One line for each module: its file, a colon, and what it needs.
    let is_wanted = |line: &str| {
        let file = line.split(':').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        USB_FILES.iter().any(|wanted| file.starts_with(wanted))
    };
    match root.read(&format!("lib/modules/{}/modules.dep", release.trim())) {
        Ok(all) if all.lines().any(is_wanted) => UsbDriver::Loadable,
        Ok(_) => UsbDriver::Missing,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => UsbDriver::Hidden,
        Err(_) if root.names("lib/modules").is_empty() => UsbDriver::Missing,
        Err(_) => UsbDriver::OfAnotherKernel,
    }
}

/// Processes other than `own` that have the device open, and whether some could not be looked at.
fn holders(root: &Root, processes: &[(u32, String)], port: &fs::Metadata, own: &[u32]) -> (Vec<(u32, String)>, bool) {
    let number = port.rdev();
    let is_pseudo = PSEUDO_TERMINALS.contains(&rustix::fs::major(number));
    let mut holders = Vec::new();
    let mut hidden = false;
    for (pid, name) in processes {
        if own.contains(pid) || *pid == std::process::id() {
            continue;
        }
        let folder = root.at(&format!("proc/{pid}/fd"));
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                hidden |= error.kind() == std::io::ErrorKind::PermissionDenied;
                continue;
            }
        };
        // Looking at what a descriptor leads to opens nothing.
        let has_it = |found: fs::Metadata| {
            found.file_type().is_char_device()
                && found.rdev() == number
                && (!is_pseudo || (found.dev(), found.ino()) == (port.dev(), port.ino()))
        };
        if entries.flatten().any(|entry| fs::metadata(entry.path()).is_ok_and(has_it)) {
            holders.push((*pid, name.clone()));
        }
    }
    (holders, hidden)
}

fn is_left_alone(root: &Root, number: u64) -> bool {
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let noted = root.read(&format!("run/udev/data/c{major}:{minor}")).unwrap_or_default();
    noted.lines().any(|line| line == LEFT_ALONE)
}

/// Opens the port with the profile's settings and closes it again; nothing is written. Inside a tokio runtime only. For
/// a port that nobody else holds: what the board says meanwhile is lost, as it is while nobody listens.
#[must_use]
pub fn opens(config: &Config) -> Fact<Result<(), Said>> {
    let link = config.board.profile.link;
    let settings = LineConfig { port: config.board.port.clone(), baud: link.baud, parity: link.parity };
    Fact::Is(line::open(&settings).map(drop).map_err(|trouble| trouble.said()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path: PathBuf = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = Root::below(folder.path());
        (folder, root)
    }

    #[test]
    fn udev_says_which_device_modem_manager_leaves_alone() {
        let (_folder, root) = root(&[("run/udev/data/c188:3", "S:vend-dispenser\nE:ID_MM_DEVICE_IGNORE=1\n")]);
        assert!(is_left_alone(&root, rustix::fs::makedev(188, 3)));
        assert!(!is_left_alone(&root, rustix::fs::makedev(188, 4)));
    }

    #[test]
    fn a_driver_that_is_not_loaded_yet_is_found_where_this_kernel_would_load_it_from() {
        let running = ("proc/sys/kernel/osrelease", "6.1.0-30-arm64\n");
        let serial = "kernel/drivers/usb/serial/usbserial.ko.xz:\nkernel/drivers/net/tun.ko: x\n";
        let cases: [(&[(&str, &str)], UsbDriver); 7] = [
            (&[("proc/modules", "usbserial 65536 1 ch341, Live 0x0\n")], UsbDriver::Loaded),
            (&[("sys/bus/usb-serial/drivers/x", "")], UsbDriver::Loaded),
            (&[running, ("lib/modules/6.1.0-30-arm64/modules.dep", serial)], UsbDriver::Loadable),
            (&[running, ("lib/modules/6.1.0-30-arm64/modules.dep", "a/cdc-acm.ko: b\n")], UsbDriver::Loadable),
            (&[running, ("lib/modules/6.1.0-30-arm64/modules.dep", "a/tun.ko: a/usbserial.ko\n")], UsbDriver::Missing),
            (&[running, ("lib/modules/6.1.0-31-arm64/modules.dep", serial)], UsbDriver::OfAnotherKernel),
            (&[running], UsbDriver::Missing),
        ];
        for (files, expected) in cases {
            assert_eq!(usb_driver(&root(files).1), expected, "{files:?}");
        }
    }

    #[test]
    fn a_process_is_known_by_its_name() {
        let (_folder, root) = root(&[("proc/17/comm", "ModemManager\n"), ("proc/self/comm", "x\n")]);
        assert_eq!(root.processes(), [(17, "ModemManager".to_owned())]);
    }
}
