//! What the operating system tells of the controller and its network: plain data, read by `io::host`.

/// How the machine reaches its network (`network_type`, cloud 1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkKind {
    /// A wireless LAN.
    Wifi,
    /// A modem.
    Cellular,
    /// A cable.
    Ethernet,
}

impl NetworkKind {
    /// The word in a heartbeat. The vendor's sample says "4G"; which generation a modem speaks the kernel does not know.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            NetworkKind::Wifi => "WiFi",
            NetworkKind::Cellular => "cellular",
            NetworkKind::Ethernet => "Ethernet",
        }
    }

    /// The number in `client.traffic.put`.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            NetworkKind::Wifi => "1",
            NetworkKind::Cellular => "2",
            NetworkKind::Ethernet => "3",
        }
    }
}

/// The interface of the default route. Its counts are the kernel's: since the interface came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// What kind it is.
    pub kind: NetworkKind,
    /// How strong its signal is, in dBm, where the kernel measures one.
    pub rssi_dbm: Option<i16>,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Packets sent.
    pub sent_packets: u64,
    /// Packets received.
    pub received_packets: u64,
}

/// The controller, at one time. What the system does not tell is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Its way to the network; nothing without a default route.
    pub network: Option<Network>,
    /// The system and its version (`PRETTY_NAME` of os-release).
    pub system: Option<String>,
    /// The kernel's version.
    pub kernel: Option<String>,
    /// The controller's model.
    pub model: Option<String>,
    /// Its serial number.
    pub serial_no: Option<String>,
}
