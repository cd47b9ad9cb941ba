//! The serial ports of this computer: what may have a board at its other end, by which names it is found again, and which
//! processes hold it.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Names of serial ports that may have a board: adapters, modems, chips on the mainboard. A pty is none.
const KINDS: [&str; 4] = ["ttyUSB", "ttyACM", "ttyAMA", "ttyS"];
/// Where udev keeps names that last.
const LASTING: [&str; 2] = ["serial/by-id", "serial/by-path"];

/// One serial port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SerialPort {
    /// Its name in /dev.
    pub path: String,
    /// Names that it keeps when it is plugged in again.
    pub names: Vec<String>,
    /// Processes that hold it, as far as we may see.
    pub holders: Vec<Holder>,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

/// The serial ports of this computer.
#[must_use]
pub fn list() -> Vec<SerialPort> {
    list_in(Path::new("/dev"), Path::new("/sys/class/tty"), Path::new("/proc"))
}

fn list_in(dev: &Path, class: &Path, proc: &Path) -> Vec<SerialPort> {
    let is_port = |name: &str| KINDS.iter().any(|kind| name.strip_prefix(kind).is_some_and(is_number));
    // Each of the mainboard's chips has 4 to 32 names; those without hardware have no driver behind their device.
    let is_there = |name: &str| !name.starts_with("ttyS") || class.join(name).join("device/driver").exists();
    let names = file_names(dev).into_iter().filter(|name| is_port(name) && is_there(name));
    let mut ports: BTreeMap<PathBuf, SerialPort> = names
        .map(|name| {
            let path = dev.join(name);
            let port = SerialPort { path: path.display().to_string(), names: Vec::new(), holders: Vec::new() };
            (path, port)
        })
        .collect();
    for folder in LASTING.map(|folder| dev.join(folder)) {
        for name in file_names(&folder) {
            let link = folder.join(name);
            if let Some(port) = fs::canonicalize(&link).ok().and_then(|target| ports.get_mut(&target)) {
                port.names.push(link.display().to_string());
            }
        }
    }
    for pid in file_names(proc).iter().filter_map(|name| name.parse::<u32>().ok()) {
        let folder = proc.join(pid.to_string());
        let mut held: Vec<PathBuf> = file_names(&folder.join("fd"))
            .iter()
            .filter_map(|descriptor| fs::read_link(folder.join("fd").join(descriptor)).ok())
            .collect();
        held.sort();
        held.dedup();
        for target in held {
            if let Some(port) = ports.get_mut(&target) {
                let name = fs::read_to_string(folder.join("comm")).unwrap_or_default().trim().to_owned();
                port.holders.push(Holder { pid, name });
            }
        }
    }
    ports.into_values().collect()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What is in a folder, in order; nothing if we may not look.
fn file_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_port_is_told_with_its_lasting_names_and_its_holders() {
        let folder = tempfile::tempdir().unwrap();
        // As the kernel names what is open: without links on the way.
        let root = fs::canonicalize(folder.path()).unwrap();
        let (dev, class, proc) = (root.join("dev"), root.join("class"), root.join("proc"));
        for made in ["dev/serial/by-id", "proc/7/fd", "proc/self", "class/ttyS0/device/driver", "class/ttyS1/device"] {
            fs::create_dir_all(root.join(made)).unwrap();
        }
        for name in ["ttyUSB0", "ttyS0", "ttyS1", "tty0", "ttyUSBx"] {
            fs::write(dev.join(name), "").unwrap();
        }
        symlink("../../ttyUSB0", dev.join("serial/by-id/usb-1a86")).unwrap();
        fs::write(proc.join("7/comm"), "vend\n").unwrap();
        symlink(dev.join("ttyUSB0"), proc.join("7/fd/9")).unwrap();
        symlink(dev.join("ttyUSB0"), proc.join("7/fd/10")).unwrap();
        let ports = list_in(&dev, &class, &proc);
        let told: Vec<(&str, usize, Option<u32>)> = ports
            .iter()
            .map(|p| (p.path.rsplit('/').next().unwrap(), p.names.len(), p.holders.first().map(|h| h.pid)))
            .collect();
        assert_eq!(told, [("ttyS0", 0, None), ("ttyUSB0", 1, Some(7))]);
        assert_eq!((ports[1].holders.len(), ports[1].holders[0].name.as_str()), (1, "vend"));
    }
}
