//! What the kernel tells of this controller and its network, read from small files. Nothing is asked over a socket.

use crate::order::host::{Host, Network, NetworkKind};
use std::fs;
use std::path::{Path, PathBuf};

/// Most characters of a text that is told on: what is longer is no name.
const TEXT_CHARS_MAX: usize = 64;
/// `RTF_UP` of the kernel's `linux/route.h`: the route can be used.
const ROUTE_UP: u16 = 1;

/// Looks at the files below a root: `/` but in tests.
#[derive(Debug, Clone)]
pub struct HostFiles {
    root: PathBuf,
}

impl Default for HostFiles {
    fn default() -> Self {
        HostFiles::below(Path::new("/"))
    }
}

impl HostFiles {
    /// The files below `root`.
    #[must_use]
    pub fn below(root: &Path) -> HostFiles {
        HostFiles { root: root.to_owned() }
    }

    /// What they say now. What cannot be read is absent: no vend hangs on it.
    #[must_use]
    pub fn look(&self) -> Host {
        Host {
            network: self.network(),
            system: self.read("etc/os-release").as_deref().and_then(system_of),
            kernel: self.text("proc/sys/kernel/osrelease"),
            model: self
                .text("sys/firmware/devicetree/base/model")
                .or_else(|| self.text("sys/class/dmi/id/product_name")),
            serial_no: self.text("sys/firmware/devicetree/base/serial-number"),
        }
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read(self.root.join(path)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// One line. The device tree ends its texts with a 0.
    fn text(&self, path: &str) -> Option<String> {
        shown(&self.read(path)?)
    }

    /// The interface of the default route, and what passed over it. /proc/self/net is also there where a hardened unit
    /// hides the rest of /proc.
    fn network(&self) -> Option<Network> {
        let name = default_interface(&self.read("proc/self/net/route")?)?;
        let [received_bytes, received_packets, sent_bytes, sent_packets] =
            counts_of(&self.read("proc/self/net/dev")?, &name)?;
        let kind = self.kind_of(&name);
        let rssi_dbm = self.read("proc/self/net/wireless").and_then(|text| rssi_of(&text, &name));
        Some(Network { kind, rssi_dbm, sent_bytes, received_bytes, sent_packets, received_packets })
    }

    fn kind_of(&self, name: &str) -> NetworkKind {
        let class = format!("sys/class/net/{name}");
        let device_type = self.read(&format!("{class}/uevent"));
        let device_type = device_type.as_deref().and_then(|text| text.lines().find_map(|l| l.strip_prefix("DEVTYPE=")));
        match device_type {
            Some("wlan") => NetworkKind::Wifi,
            Some("wwan") => NetworkKind::Cellular,
            // A modem that is dialled has no type of device, only its name.
            _ if ["ppp", "wwan"].iter().any(|modem| name.starts_with(modem)) => NetworkKind::Cellular,
            _ if self.root.join(class).join("wireless").exists() => NetworkKind::Wifi,
            _ => NetworkKind::Ethernet,
        }
    }
}

/// A text of one line, without what no name has.
fn shown(text: &str) -> Option<String> {
    let text: String =
        text.trim_end_matches('\0').trim().chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

/// `PRETTY_NAME`, else nothing.
fn system_of(os_release: &str) -> Option<String> {
    let name = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    shown(name.trim_matches('"'))
}

/// Of the usable default routes the one with the smallest metric.
pub(super) fn default_interface(routes: &str) -> Option<String> {
    let default = routes.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [name, "00000000", _, flags, _, _, metric, "00000000", ..] = cells[..] else { return None };
        let is_up = u16::from_str_radix(flags, 16).ok()? & ROUTE_UP != 0;
        is_up.then_some((metric.parse::<u64>().ok()?, name))
    });
    default.min_by_key(|(metric, _)| *metric).map(|(_, name)| name.to_owned())
}

/// Bytes and packets received, bytes and packets sent, of a line of /proc/net/dev.
fn counts_of(devices: &str, name: &str) -> Option<[u64; 4]> {
    let (_, counts) = devices.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| n.trim() == name)?;
    let counts: Vec<u64> = counts.split_whitespace().map_while(|count| count.parse().ok()).collect();
    Some([*counts.first()?, *counts.get(1)?, *counts.get(8)?, *counts.get(9)?])
}

/// The signal's level in dBm, of a line of /proc/net/wireless: "wlan0: 0000 54. -56. -256 …".
fn rssi_of(wireless: &str, name: &str) -> Option<i16> {
    let (_, rest) = wireless.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| n.trim() == name)?;
    let level: i16 = rest.split_whitespace().nth(2)?.trim_end_matches('.').parse().ok()?;
    // Drivers that do not know it say 0 or -256.
    (-255..0).contains(&level).then_some(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t0101A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n\
        wwan0\t00000000\t0101A8C0\t0003\t0\t0\t700\t00000000\t0\t0\t0\n\
        wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
        wlan0\t0001A8C0\t00000000\t0001\t0\t0\t1\t00FFFFFF\t0\t0\t0\n";
    const DEVICES: &str = "Inter-|   Receive                        |  Transmit\n face |bytes    packets errs drop fifo frame \
        compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n\
        \x20   lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n\
        wlan0: 2345678 4567 0 0 0 0 0 0 1234567 3456 0 0 0 0 0 0\n";
    const WIRELESS: &str = "Inter-| sta-|   Quality        |   Discarded packets\n \
        wlan0: 0000   54.  -56.  -256        0      0      0      0      0        0\n";

    fn files(files: &[(&str, &str)]) -> (tempfile::TempDir, HostFiles) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let files = HostFiles::below(root.path());
        (root, files)
    }

    #[test]
    fn a_controller_with_all_of_it_is_told_whole() {
        let (_root, files) = files(&[
            ("proc/self/net/route", ROUTES),
            ("proc/self/net/dev", DEVICES),
            ("proc/self/net/wireless", WIRELESS),
            ("sys/class/net/wlan0/uevent", "DEVTYPE=wlan\nINTERFACE=wlan0\n"),
            ("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
            ("proc/sys/kernel/osrelease", "6.1.0-18-arm64\n"),
            ("sys/firmware/devicetree/base/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
            ("sys/firmware/devicetree/base/serial-number", "10000000abcdef\0"),
        ]);
        let network = Network {
            kind: NetworkKind::Wifi,
            rssi_dbm: Some(-56),
            sent_bytes: 1_234_567,
            received_bytes: 2_345_678,
            sent_packets: 3_456,
            received_packets: 4_567,
        };
        let text = |text: &str| Some(text.to_owned());
        let host = Host {
            network: Some(network),
            system: text("Debian GNU/Linux 12 (bookworm)"),
            kernel: text("6.1.0-18-arm64"),
            model: text("Raspberry Pi 4 Model B Rev 1.4"),
            serial_no: text("10000000abcdef"),
        };
        assert_eq!(files.look(), host);
    }

    #[test]
    fn what_is_not_there_or_does_not_read_is_absent() {
        let (_root, empty) = files(&[]);
        assert_eq!(empty.look(), Host::default());
        let nonsense = [("proc/self/net/route", "x\n\u{0}"), ("proc/self/net/dev", ":::"), ("etc/os-release", "\n=")];
        assert_eq!(files(&nonsense).1.look(), Host::default());
        assert!(HostFiles::default().look().kernel.is_some(), "the one we run on");
    }

    #[test]
    fn an_interface_is_known_by_its_device_and_else_by_its_name() {
        let (_root, files) = files(&[
            ("sys/class/net/usb0/uevent", "DEVTYPE=wwan\n"),
            ("sys/class/net/eth0/uevent", "INTERFACE=eth0\n"),
            ("sys/class/net/wl1/wireless/x", ""),
        ]);
        let kinds = ["usb0", "ppp0", "eth0", "wl1", "other"].map(|name| files.kind_of(name));
        let (wifi, modem, cable) = (NetworkKind::Wifi, NetworkKind::Cellular, NetworkKind::Ethernet);
        assert_eq!(kinds, [modem, modem, cable, wifi, cable]);
    }

    #[test]
    fn a_signal_that_the_driver_does_not_know_is_none() {
        for (level, dbm) in [("-256", None), ("0.", None), ("-1.", Some(-1)), ("x", None)] {
            assert_eq!(rssi_of(&format!("wlan0: 0000 54. {level} -256\n"), "wlan0"), dbm, "{level}");
        }
        assert_eq!(rssi_of(WIRELESS, "wlan1"), None);
    }
}
