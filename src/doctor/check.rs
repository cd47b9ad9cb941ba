//! The list of checks, as data: id, what it needs, which probe it asks, and its texts. `docs/doctor.md` is printed from
//! it. An id is never given to another check: technicians know them by heart.

use crate::config::problem::Both;

/// What a check is about; the letter of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// C.
    Configuration,
    /// S.
    Service,
    /// D.
    Data,
    /// P.
    Port,
    /// N.
    Network,
    /// T.
    Time,
    /// O.
    Orders,
}

impl Group {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Group; 7] =
        [Group::Configuration, Group::Service, Group::Data, Group::Port, Group::Network, Group::Time, Group::Orders];

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Group::Configuration => "configuration",
            Group::Service => "service",
            Group::Data => "data",
            Group::Port => "port",
            Group::Network => "network",
            Group::Time => "time",
            Group::Orders => "orders",
        }
    }

    /// For people.
    #[must_use]
    pub fn title(self) -> Both {
        let (en, zh) = match self {
            Group::Configuration => ("configuration", "配置"),
            Group::Service => ("service", "服务"),
            Group::Data => ("data", "数据"),
            Group::Port => ("port", "串口"),
            Group::Network => ("network", "网络"),
            Group::Time => ("time", "时间"),
            Group::Orders => ("orders", "订单"),
        };
        Both::new(en, zh)
    }
}

/// One look at the world. Several checks may be judged from what it brings; its time-out is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// The configuration, with the files it names.
    Configuration,
    /// The files of secrets.
    Credentials,
    /// The last day of each certificate file.
    Certificates,
    /// `systemctl show`, and the user of the unit.
    Unit,
    /// The control socket.
    Daemon,
    /// State directory and file system.
    Disk,
    /// Who holds the journal's lock.
    Lock,
    /// A copy of the journal, when no daemon answers.
    Journal,
    /// The serial port as a file, who holds it, and its driver.
    Port,
    /// Opening the serial port, when nobody uses it.
    PortOpen,
    /// The routes.
    Route,
    /// Names, TCP and TLS of the servers.
    Network,
    /// CONNECT, when the daemon is not connected.
    Broker,
    /// The open API.
    Platform,
    /// The hosts that results wait for.
    Merchants,
    /// The proxies of the environment.
    Proxy,
    /// Clocks and time zone.
    Clock,
    /// Orders, reports and slots: from the daemon, else from the copy of the journal.
    Work,
}

impl Probe {
    /// It, and those whose findings the judges of its checks look at too.
    #[must_use]
    pub fn with_what_it_needs(self) -> Vec<Probe> {
        let others: &[Probe] = match self {
            Probe::Configuration | Probe::Route | Probe::Network | Probe::Proxy | Probe::Platform => &[],
            // What keeps the daemon down is often its journal.
            Probe::Unit => &[Probe::Port, Probe::Daemon, Probe::Disk, Probe::Lock, Probe::Journal],
            Probe::Lock => &[Probe::Daemon],
            Probe::Credentials => &[Probe::Unit],
            Probe::Certificates => &[Probe::Clock],
            Probe::Daemon => &[Probe::Unit, Probe::Port, Probe::Disk, Probe::Lock, Probe::Journal],
            Probe::Disk => &[Probe::Unit],
            Probe::Journal | Probe::Broker => &[Probe::Daemon, Probe::Credentials],
            Probe::Port => &[Probe::Unit, Probe::Daemon, Probe::Lock],
            Probe::PortOpen => &[Probe::Daemon, Probe::Lock, Probe::Port],
            Probe::Merchants | Probe::Work => &[Probe::Daemon, Probe::Journal],
            Probe::Clock => &[Probe::Daemon, Probe::Disk],
        };
        others.iter().copied().chain([self, Probe::Configuration]).collect()
    }

    /// How long it may take, in s. The configuration comes first, then all that ask nobody, then those that ask what
    /// those found, then the merchants: 2 + 6 + 4 + 3 s is the longest that the doctor takes.
    #[must_use]
    pub const fn time_out_s(self) -> u64 {
        match self {
            Probe::Configuration => 2,
            Probe::Credentials | Probe::Certificates | Probe::Disk | Probe::Lock | Probe::Route | Probe::Clock => 3,
            Probe::Unit | Probe::Port | Probe::PortOpen => 4,
            Probe::Daemon | Probe::Network | Probe::Platform | Probe::Proxy => 6,
            Probe::Broker | Probe::Journal | Probe::Work => 4,
            Probe::Merchants => 3,
        }
    }
}

/// What is known of a check without looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Read over the telephone.
    pub id: &'static str,
    /// What it is about.
    pub group: Group,
    /// Where what it judges comes from.
    pub probe: Probe,
    /// When one of these failed, this says nothing.
    pub needs: &'static [Check],
}

/// Whatever needs the configuration in force: what else can be wrong with it hides nothing but itself. A configuration
/// that could not be taken for another mistake leaves its probes unasked, and the judge names that mistake.
const CONFIGURATION: &[Check] =
    &[Check::FileReadable, Check::FileRight, Check::BoardProfile, Check::CertificatesGood, Check::ReportRules];

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// C1: the configuration can be read.
    FileReadable,
    /// C2: its keys and values are right.
    FileRight,
    /// C3: the machine has its number.
    MachineNumber,
    /// C4: the board profile can be used.
    BoardProfile,
    /// C5: broker and platform have their addresses.
    Addresses,
    /// C6: the certificate files can be used.
    CertificatesGood,
    /// C7: results may go where merchants are, and nowhere else.
    ReportRules,
    /// C8: the secrets are there that the configuration uses.
    SecretsThere,
    /// C9: nobody else can read the secrets.
    SecretsRights,
    /// C10: the certificate files are not about to end.
    CertificatesEnd,
    /// S1: the service is installed.
    UnitInstalled,
    /// S2: the service starts with the machine.
    UnitEnabled,
    /// S3: the service runs.
    UnitActive,
    /// S4: the service does not restart again and again.
    UnitCalm,
    /// S5: the watchdog watches the service.
    UnitWatched,
    /// S6: the service has its user and the group of serial ports.
    UnitUser,
    /// S7: the daemon answers.
    DaemonAnswers,
    /// S8: the daemon serves orders.
    DaemonServes,
    /// S9: the daemon is of the same version as this tool.
    SameVersion,
    /// D1: the state directory belongs to the service alone.
    StateDirectory,
    /// D2: there is room on the disk.
    FreeBytes,
    /// D3: the disk can take more files.
    FreeInodes,
    /// D4: the disk can be written.
    DiskWritable,
    /// D5: only the daemon uses the journal.
    OneOwner,
    /// D6: the journal is sound.
    JournalSound,
    /// D7: the journal is of this machine and version.
    JournalOurs,
    /// D8: the journal has a usual size.
    JournalSize,
    /// D9: the motor mark lies in memory.
    MarkInMemory,
    /// P1: the serial port is there.
    PortThere,
    /// P2: the service may open the serial port.
    PortRights,
    /// P3: nobody else holds the serial port.
    PortFree,
    /// P4: the serial port takes the profile's settings.
    PortOpens,
    /// P5: the board answers.
    BoardAnswers,
    /// P6: the line to the board is clean.
    LineQuality,
    /// P7: ModemManager leaves the port alone.
    NoModemManager,
    /// P8: the kernel has a driver for the port.
    PortDriver,
    /// N1: there is a way to the network.
    DefaultRoute,
    /// N2: the servers' names have addresses.
    NamesResolve,
    /// N3: the broker's port is open.
    BrokerReached,
    /// N4: the broker's certificate is good.
    BrokerTls,
    /// N5: the broker lets this machine in.
    BrokerLetsIn,
    /// N6: the platform answers.
    PlatformReached,
    /// N7: the platform accepts this machine's secrets.
    PlatformKnowsUs,
    /// N8: the merchants that wait for results can be reached.
    MerchantsReached,
    /// N9: the proxy can be reached.
    ProxyWorks,
    /// N10: no log-in page stands before the network.
    NoPortal,
    /// T1: somebody vouches for the clock.
    ClockSynchronised,
    /// T2: the clock says a possible time.
    ClockSane,
    /// T3: the clock agrees with the platform's.
    ClockAgrees,
    /// T4: the time zone can be read.
    TimeZone,
    /// T5: the battery-backed clock is right.
    RealTimeClock,
    /// O1: no order waits too long.
    OrdersMove,
    /// O2: results reach the merchants.
    ReportsLeave,
    /// O3: no merchant refused a result for good.
    NoDeadReports,
    /// O4: the platform refused nothing for good.
    NoDeadCalls,
    /// O5: the platform's books agree with the results.
    BooksAgree,
    /// O6: no slot is out of use.
    SlotsWell,
    /// O7: it is known of all goods whether they fell.
    NothingDoubtful,
    /// O8: no certificate in use is about to end.
    CertificatesInUse,
    /// O9: commands come with the right signature.
    CommandsFit,
}

impl Check {
    /// Those that only somebody beside the service sees rightly: inside its sandbox there are neither other processes
    /// nor other users, and what systemd says of the unit is said to persons. The page leaves them out.
    pub const OUTSIDE_ONLY: [Check; 10] = [
        Check::SecretsRights,
        Check::UnitInstalled,
        Check::UnitEnabled,
        Check::UnitActive,
        Check::UnitCalm,
        Check::UnitWatched,
        Check::UnitUser,
        Check::PortRights,
        Check::PortFree,
        Check::NoModemManager,
    ];

    /// All of them, in the order in which they are judged and shown.
    pub const ALL: [Check; 60] = [
        Check::FileReadable,
        Check::FileRight,
        Check::MachineNumber,
        Check::BoardProfile,
        Check::Addresses,
        Check::CertificatesGood,
        Check::ReportRules,
        Check::SecretsThere,
        Check::SecretsRights,
        Check::CertificatesEnd,
        Check::UnitInstalled,
        Check::UnitEnabled,
        Check::UnitActive,
        Check::UnitCalm,
        Check::UnitWatched,
        Check::UnitUser,
        Check::DaemonAnswers,
        Check::DaemonServes,
        Check::SameVersion,
        Check::StateDirectory,
        Check::FreeBytes,
        Check::FreeInodes,
        Check::DiskWritable,
        Check::OneOwner,
        Check::JournalSound,
        Check::JournalOurs,
        Check::JournalSize,
        Check::MarkInMemory,
        Check::PortThere,
        Check::PortRights,
        Check::PortFree,
        Check::PortOpens,
        Check::BoardAnswers,
        Check::LineQuality,
        Check::NoModemManager,
        Check::PortDriver,
        Check::DefaultRoute,
        Check::NamesResolve,
        Check::BrokerReached,
        Check::BrokerTls,
        Check::BrokerLetsIn,
        Check::PlatformReached,
        Check::PlatformKnowsUs,
        Check::MerchantsReached,
        Check::ProxyWorks,
        Check::NoPortal,
        Check::ClockSynchronised,
        Check::ClockSane,
        Check::ClockAgrees,
        Check::TimeZone,
        Check::RealTimeClock,
        Check::OrdersMove,
        Check::ReportsLeave,
        Check::NoDeadReports,
        Check::NoDeadCalls,
        Check::BooksAgree,
        Check::SlotsWell,
        Check::NothingDoubtful,
        Check::CertificatesInUse,
        Check::CommandsFit,
    ];

    /// The check with this id, in either case.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Check> {
        Check::ALL.into_iter().find(|check| check.entry().id.eq_ignore_ascii_case(id))
    }

    /// What is known of it.
    #[must_use]
    pub const fn entry(self) -> Entry {
        let (id, group, probe, needs): (&str, Group, Probe, &[Check]) = match self {
            Check::FileReadable => ("C1", Group::Configuration, Probe::Configuration, &[]),
            Check::FileRight => ("C2", Group::Configuration, Probe::Configuration, &[Check::FileReadable]),
            Check::MachineNumber => {
                ("C3", Group::Configuration, Probe::Configuration, &[Check::FileReadable, Check::FileRight])
            }
            Check::BoardProfile => {
                ("C4", Group::Configuration, Probe::Configuration, &[Check::FileReadable, Check::FileRight])
            }
            Check::Addresses => {
                ("C5", Group::Configuration, Probe::Configuration, &[Check::FileReadable, Check::FileRight])
            }
            Check::CertificatesGood => {
                ("C6", Group::Configuration, Probe::Configuration, &[Check::FileReadable, Check::FileRight])
            }
            Check::ReportRules => {
                ("C7", Group::Configuration, Probe::Configuration, &[Check::FileReadable, Check::FileRight])
            }
            Check::SecretsThere => ("C8", Group::Configuration, Probe::Credentials, CONFIGURATION),
            Check::SecretsRights => ("C9", Group::Configuration, Probe::Credentials, &[Check::SecretsThere]),
            Check::CertificatesEnd => ("C10", Group::Configuration, Probe::Certificates, &[Check::CertificatesGood]),
            Check::UnitInstalled => ("S1", Group::Service, Probe::Unit, &[]),
            Check::UnitEnabled => ("S2", Group::Service, Probe::Unit, &[Check::UnitInstalled]),
            Check::UnitActive => (
                "S3",
                Group::Service,
                Probe::Unit,
                &[Check::MachineNumber, Check::Addresses, Check::SecretsThere, Check::UnitInstalled],
            ),
            Check::UnitCalm => ("S4", Group::Service, Probe::Unit, &[Check::UnitInstalled]),
            Check::UnitWatched => ("S5", Group::Service, Probe::Unit, &[Check::UnitInstalled]),
            Check::UnitUser => ("S6", Group::Service, Probe::Unit, &[Check::UnitInstalled]),
            Check::DaemonAnswers => (
                "S7",
                Group::Service,
                Probe::Daemon,
                &[Check::MachineNumber, Check::Addresses, Check::SecretsThere, Check::UnitActive],
            ),
            Check::DaemonServes => ("S8", Group::Service, Probe::Daemon, &[Check::DaemonAnswers]),
            Check::SameVersion => ("S9", Group::Service, Probe::Daemon, &[Check::DaemonAnswers]),
            Check::StateDirectory => ("D1", Group::Data, Probe::Disk, CONFIGURATION),
            Check::FreeBytes => ("D2", Group::Data, Probe::Disk, CONFIGURATION),
            Check::FreeInodes => ("D3", Group::Data, Probe::Disk, CONFIGURATION),
            Check::DiskWritable => ("D4", Group::Data, Probe::Disk, CONFIGURATION),
            Check::OneOwner => ("D5", Group::Data, Probe::Lock, CONFIGURATION),
            Check::JournalSound => ("D6", Group::Data, Probe::Journal, CONFIGURATION),
            Check::JournalOurs => ("D7", Group::Data, Probe::Journal, &[Check::JournalSound]),
            Check::JournalSize => ("D8", Group::Data, Probe::Disk, CONFIGURATION),
            Check::MarkInMemory => ("D9", Group::Data, Probe::Disk, CONFIGURATION),
            Check::PortThere => ("P1", Group::Port, Probe::Port, CONFIGURATION),
            Check::PortRights => ("P2", Group::Port, Probe::Port, &[Check::PortThere]),
            Check::PortFree => ("P3", Group::Port, Probe::Port, &[Check::PortThere]),
            Check::PortOpens => {
                ("P4", Group::Port, Probe::PortOpen, &[Check::PortThere, Check::PortRights, Check::PortFree])
            }
            Check::BoardAnswers => ("P5", Group::Port, Probe::Daemon, &[Check::PortThere, Check::DaemonAnswers]),
            Check::LineQuality => ("P6", Group::Port, Probe::Daemon, &[Check::BoardAnswers]),
            Check::NoModemManager => ("P7", Group::Port, Probe::Port, &[Check::PortThere]),
            Check::PortDriver => ("P8", Group::Port, Probe::Port, CONFIGURATION),
            Check::DefaultRoute => ("N1", Group::Network, Probe::Route, CONFIGURATION),
            Check::NamesResolve => ("N2", Group::Network, Probe::Network, &[Check::Addresses, Check::DefaultRoute]),
            Check::BrokerReached => ("N3", Group::Network, Probe::Network, &[Check::Addresses, Check::DefaultRoute]),
            Check::BrokerTls => ("N4", Group::Network, Probe::Network, &[Check::BrokerReached]),
            Check::BrokerLetsIn => {
                ("N5", Group::Network, Probe::Broker, &[Check::SecretsThere, Check::BrokerReached, Check::BrokerTls])
            }
            Check::PlatformReached => ("N6", Group::Network, Probe::Platform, &[Check::Addresses, Check::DefaultRoute]),
            Check::PlatformKnowsUs => {
                ("N7", Group::Network, Probe::Platform, &[Check::SecretsThere, Check::PlatformReached])
            }
            Check::MerchantsReached => ("N8", Group::Network, Probe::Merchants, &[Check::DefaultRoute]),
            Check::ProxyWorks => ("N9", Group::Network, Probe::Proxy, &[]),
            Check::NoPortal => ("N10", Group::Network, Probe::Platform, &[Check::PlatformReached]),
            Check::ClockSynchronised => ("T1", Group::Time, Probe::Clock, CONFIGURATION),
            Check::ClockSane => ("T2", Group::Time, Probe::Clock, &[]),
            Check::ClockAgrees => ("T3", Group::Time, Probe::Platform, &[Check::PlatformReached]),
            Check::TimeZone => ("T4", Group::Time, Probe::Clock, &[]),
            Check::RealTimeClock => ("T5", Group::Time, Probe::Clock, &[]),
            Check::OrdersMove => ("O1", Group::Orders, Probe::Work, CONFIGURATION),
            Check::ReportsLeave => ("O2", Group::Orders, Probe::Work, CONFIGURATION),
            Check::NoDeadReports => ("O3", Group::Orders, Probe::Work, CONFIGURATION),
            Check::NoDeadCalls => ("O4", Group::Orders, Probe::Work, CONFIGURATION),
            Check::BooksAgree => ("O5", Group::Orders, Probe::Work, CONFIGURATION),
            Check::SlotsWell => ("O6", Group::Orders, Probe::Work, CONFIGURATION),
            Check::NothingDoubtful => ("O7", Group::Orders, Probe::Work, CONFIGURATION),
            Check::CertificatesInUse => ("O8", Group::Orders, Probe::Daemon, &[Check::DaemonAnswers]),
            Check::CommandsFit => ("O9", Group::Orders, Probe::Daemon, &[Check::DaemonAnswers]),
        };
        Entry { id, group, probe, needs }
    }

    /// What is checked.
    #[must_use]
    pub fn title(self) -> Both {
        let (en, zh) = match self {
            Check::FileReadable => ("the configuration can be read", "配置文件可读"),
            Check::FileRight => ("its keys and values are right", "配置的键与值正确"),
            Check::MachineNumber => ("the machine has its number", "机器编号已填写"),
            Check::BoardProfile => ("the board profile can be used", "板卡配置可用"),
            Check::Addresses => ("broker and platform have their addresses", "消息服务器与平台的地址已填写"),
            Check::CertificatesGood => ("the certificate files can be used", "证书文件可用"),
            Check::ReportRules => ("results may go where merchants are, and nowhere else", "结果只发往商户"),
            Check::SecretsThere => ("the secrets are there that the configuration uses", "配置所用的密钥齐全"),
            Check::SecretsRights => ("nobody else can read the secrets", "其他人不能读取密钥"),
            Check::CertificatesEnd => ("the certificate files are not about to end", "证书文件未临近到期"),
            Check::UnitInstalled => ("the service is installed", "服务已安装"),
            Check::UnitEnabled => ("the service starts with the machine", "服务随机器启动"),
            Check::UnitActive => ("the service runs", "服务正在运行"),
            Check::UnitCalm => ("the service does not restart again and again", "服务未反复重启"),
            Check::UnitWatched => ("the watchdog watches the service", "看门狗已启用"),
            Check::UnitUser => {
                ("the service has its user and the group of serial ports", "服务具有专用用户与串口用户组")
            }
            Check::DaemonAnswers => ("the daemon answers", "守护进程应答"),
            Check::DaemonServes => ("the daemon serves orders", "守护进程可处理订单"),
            Check::SameVersion => ("the daemon is of the same version as this tool", "守护进程与本工具版本相同"),
            Check::StateDirectory => ("the state directory belongs to the service alone", "状态目录仅属于服务"),
            Check::FreeBytes => ("there is room on the disk", "磁盘空间足够"),
            Check::FreeInodes => ("the disk can take more files", "磁盘还能新建文件"),
            Check::DiskWritable => ("the disk can be written", "磁盘可写"),
            Check::OneOwner => ("only the daemon uses the journal", "只有守护进程使用日志"),
            Check::JournalSound => ("the journal is sound", "日志完好"),
            Check::JournalOurs => ("the journal is of this machine and version", "日志属于本机与本版本"),
            Check::JournalSize => ("the journal has a usual size", "日志大小正常"),
            Check::MarkInMemory => ("the motor mark lies in memory", "电机标记位于内存中"),
            Check::PortThere => ("the serial port is there", "串口存在"),
            Check::PortRights => ("the service may open the serial port", "服务有权打开串口"),
            Check::PortFree => ("nobody else holds the serial port", "串口未被其他程序占用"),
            Check::PortOpens => ("the serial port takes the profile's settings", "串口可按板卡配置打开"),
            Check::BoardAnswers => ("the board answers", "板卡应答"),
            Check::LineQuality => ("the line to the board is clean", "与板卡的线路质量良好"),
            Check::NoModemManager => ("ModemManager leaves the port alone", "ModemManager 不干扰串口"),
            Check::PortDriver => ("the kernel has a driver for the port", "内核有串口驱动"),
            Check::DefaultRoute => ("there is a way to the network", "网络有默认路由"),
            Check::NamesResolve => ("the servers' names have addresses", "服务器域名可解析"),
            Check::BrokerReached => ("the broker's port is open", "可连接消息服务器端口"),
            Check::BrokerTls => ("the broker's certificate is good", "消息服务器证书有效"),
            Check::BrokerLetsIn => ("the broker lets this machine in", "消息服务器允许登录"),
            Check::PlatformReached => ("the platform answers", "平台应答"),
            Check::PlatformKnowsUs => ("the platform accepts this machine's secrets", "平台认可本机密钥"),
            Check::MerchantsReached => ("the merchants that wait for results can be reached", "可连接等待结果的商户"),
            Check::ProxyWorks => ("the proxy can be reached", "代理服务器可连接"),
            Check::NoPortal => ("no log-in page stands before the network", "网络没有登录页面"),
            Check::ClockSynchronised => ("somebody vouches for the clock", "时钟已同步"),
            Check::ClockSane => ("the clock says a possible time", "时钟时间合理"),
            Check::ClockAgrees => ("the clock agrees with the platform's", "时钟与平台一致"),
            Check::TimeZone => ("the time zone can be read", "时区可读"),
            Check::RealTimeClock => ("the battery-backed clock is right", "电池时钟正确"),
            Check::OrdersMove => ("no order waits too long", "没有订单等待过久"),
            Check::ReportsLeave => ("results reach the merchants", "结果已送达商户"),
            Check::NoDeadReports => ("no merchant refused a result for good", "没有结果被商户永久拒绝"),
            Check::NoDeadCalls => ("the platform refused nothing for good", "平台没有永久拒绝的通知"),
            Check::BooksAgree => ("the platform's books agree with the results", "与平台的账目一致"),
            Check::SlotsWell => ("no slot is out of use", "没有停用的货道"),
            Check::NothingDoubtful => ("it is known of all goods whether they fell", "所有出货结果均已知"),
            Check::CertificatesInUse => ("no certificate in use is about to end", "在用证书未临近到期"),
            Check::CommandsFit => ("commands come with the right signature", "指令签名正确"),
        };
        Both::new(en, zh)
    }

    /// What a technician can do when it is not so.
    #[must_use]
    pub fn fix(self) -> Both {
        let (en, zh) = match self {
            Check::FileReadable => (
                "put the configuration there, or name it with --config FILE; if it is not permitted: sudo vend doctor",
                "请把配置文件放到该处，或用 --config FILE 指定；无权限时请用 sudo vend doctor",
            ),
            Check::FileRight => {
                ("vend config check shows the line and what to write there", "vend config check 会指出行号与应写的内容")
            }
            Check::MachineNumber => (
                "sudo vend setup asks for it; or copy the 8 digits from the platform, in quotes: machine_no = \"00012345\"",
                "sudo vend setup 会询问；或从平台抄录 8 位编号并加引号：machine_no = \"00012345\"",
            ),
            Check::BoardProfile => (
                "vend board list shows the profiles; write one of them as [board] profile",
                "vend board list 列出可用配置；请写入 [board] profile",
            ),
            Check::Addresses => (
                "sudo vend setup asks for them; or write the addresses that the platform gave you as [broker] url and [cloud] url",
                "sudo vend setup 会询问；或把平台提供的地址写入 [broker] url 与 [cloud] url",
            ),
            Check::CertificatesGood => (
                "copy the file again, the whole of it, readable for the user vend; client_certificate and client_key must be one pair",
                "请重新完整复制该文件，并使用户 vend 可读；client_certificate 与 client_key 必须成对",
            ),
            Check::ReportRules => {
                ("list the merchants' hosts in [report] allow_hosts", "请在 [report] allow_hosts 中列出商户的主机")
            }
            Check::SecretsThere => (
                "write each secret as one line into its file in the credentials directory (mode 0600), then: systemctl restart vend",
                "请把每个密钥作为一行写入凭据目录中的文件（权限 0600），然后执行：systemctl restart vend",
            ),
            Check::SecretsRights => {
                ("chown root:root and chmod 0600 each of these files", "请对这些文件执行 chown root:root 与 chmod 0600")
            }
            Check::CertificatesEnd => (
                "ask whoever issued it for a new one, put it beside the old one and rename it; no restart",
                "请向签发者索取新证书，放在旧文件旁再改名；无需重启",
            ),
            Check::UnitInstalled => (
                "install the package again, or: systemctl unmask vend",
                "请重新安装软件包，或执行：systemctl unmask vend",
            ),
            Check::UnitEnabled => ("systemctl enable vend", "请执行：systemctl enable vend"),
            Check::UnitActive => (
                "systemctl restart vend, then see what it says: journalctl -u vend -n 30",
                "请执行 systemctl restart vend，再查看：journalctl -u vend -n 30",
            ),
            Check::UnitCalm => (
                "see why it ended: journalctl -u vend -p warning -n 50",
                "请查看其退出原因：journalctl -u vend -p warning -n 50",
            ),
            Check::UnitWatched => (
                "remove the drop-in that switches it off: systemctl cat vend; it must say WatchdogSec=30s",
                "请删除将其关闭的附加文件：systemctl cat vend；其中应有 WatchdogSec=30s",
            ),
            Check::UnitUser => (
                "systemd-sysusers, then in the unit: User=vend and SupplementaryGroups=dialout",
                "请执行 systemd-sysusers，单元中应有 User=vend 与 SupplementaryGroups=dialout",
            ),
            Check::DaemonAnswers => (
                "systemctl restart vend; another socket: --socket PATH",
                "请执行：systemctl restart vend；其他套接字用 --socket PATH 指定",
            ),
            Check::DaemonServes => {
                ("journalctl -u vend -n 30 says why; see also D6", "journalctl -u vend -n 30 会说明原因；另见 D6")
            }
            Check::SameVersion => {
                ("when no order is open: systemctl restart vend", "请在没有订单时执行：systemctl restart vend")
            }
            Check::StateDirectory => {
                ("chown -R vend:vend and chmod 0700 the directory", "请对该目录执行 chown -R vend:vend 与 chmod 0700")
            }
            Check::FreeBytes => (
                "make room: journalctl --vacuum-size=50M, apt-get clean; never delete anything in the state directory",
                "请腾出空间：journalctl --vacuum-size=50M、apt-get clean；切勿删除状态目录中的任何内容",
            ),
            Check::FreeInodes => (
                "find the many small files, often in /tmp or /var/spool, and delete those",
                "请找出大量的小文件（常在 /tmp 或 /var/spool）并删除",
            ),
            Check::DiskWritable => (
                "a disk that became read-only is often dying: dmesg | grep -i error; then mount -o remount,rw, and replace it",
                "磁盘变为只读往往是损坏的前兆：dmesg | grep -i error；然后 mount -o remount,rw，并更换磁盘",
            ),
            Check::OneOwner => (
                "end the other process, then: systemctl restart vend",
                "请结束该进程，然后执行：systemctl restart vend",
            ),
            Check::JournalSound => (
                "sell nothing; keep a copy of the state directory, call the operator; then: systemctl stop vend; runuser -u vend -- vend journal accept-loss --reason …; systemctl start vend",
                "请勿售卖；备份状态目录，联系运营方；然后执行：systemctl stop vend；runuser -u vend -- vend journal accept-loss --reason …；systemctl start vend",
            ),
            Check::JournalOurs => (
                "another machine's disk needs another [state] directory; a newer format needs the newer vend",
                "换过磁盘请另设 [state] directory；较新的格式需要较新的 vend",
            ),
            Check::JournalSize => (
                "restart the service when no order is open; if it stays so, send vend journal dump --json to the operator",
                "请在没有订单时重启服务；若仍如此，请把 vend journal dump --json 发给运营方",
            ),
            Check::MarkInMemory => ("put [control] socket below /run", "请把 [control] socket 放在 /run 之下"),
            Check::PortThere => (
                "plug in the board's adapter, on both ends; ls -l /dev/serial/by-id shows what is there",
                "请插好板卡适配器的两端；ls -l /dev/serial/by-id 列出现有串口",
            ),
            Check::PortRights => (
                "the port must be of the group dialout and mode 0660: udevadm trigger, or unplug the adapter and plug it in",
                "串口须属于 dialout 组且权限为 0660：udevadm trigger，或重新插拔适配器",
            ),
            Check::PortFree => ("end that program", "请结束该程序"),
            Check::PortOpens => (
                "try another adapter; the profile's baud and parity: vend board show NAME",
                "请换一个适配器；板卡配置的波特率与校验：vend board show NAME",
            ),
            Check::BoardAnswers => (
                "look at the board's power, at the wires (A and B, RX and TX swapped), at its address and at [board] profile",
                "请检查板卡电源、接线（A/B 或 RX/TX 是否接反）、地址，以及 [board] profile",
            ),
            Check::LineQuality => (
                "screw and plug the cable anew, keep it away from motors and mains, check earth and terminator, try another cable",
                "请重新紧固并插接线缆，远离电机与电源线，检查接地与终端电阻，换线再试",
            ),
            Check::NoModemManager => (
                "systemctl disable --now ModemManager, or mark the port with ID_MM_DEVICE_IGNORE=1 in a udev rule",
                "请执行 systemctl disable --now ModemManager，或在 udev 规则中为该串口设置 ID_MM_DEVICE_IGNORE=1",
            ),
            Check::PortDriver => (
                "modprobe -a usbserial cdc_acm ch341 cp210x ftdi_sio pl2303, and plug the adapter in again",
                "请执行 modprobe -a usbserial cdc_acm ch341 cp210x ftdi_sio pl2303，然后重新插拔适配器",
            ),
            Check::DefaultRoute => (
                "look at the network cable, the SIM card or the WiFi password: ip route",
                "请检查网线、SIM 卡或 WiFi 密码：ip route",
            ),
            Check::NamesResolve => (
                "look at the name server: cat /etc/resolv.conf; and at the names in [broker] url and [cloud] url",
                "请检查域名服务器：cat /etc/resolv.conf，以及 [broker] url 与 [cloud] url 中的域名",
            ),
            Check::BrokerReached => (
                "a firewall may be between: the port in [broker] url must be open to the outside",
                "可能被防火墙阻断：[broker] url 中的端口须允许出站",
            ),
            Check::BrokerTls => ("as it says; look at the clock too (T1, T2)", "请按提示处理；并检查时钟（T1、T2）"),
            Check::BrokerLetsIn => (
                "ask the operator for this machine's user and password: [broker] username and the secret mqtt_password",
                "请向运营方索取本机的用户名与密码：[broker] username 与密钥 mqtt_password",
            ),
            Check::PlatformReached => (
                "look at [cloud] url and at the firewall; vend cloud ping tells more",
                "请检查 [cloud] url 与防火墙；vend cloud ping 有详情",
            ),
            Check::PlatformKnowsUs => (
                "ask the operator for app_id, app_secret and app_key again; look at the clock too (T3)",
                "请向运营方重新索取 app_id、app_secret 与 app_key；并检查时钟（T3）",
            ),
            Check::MerchantsReached => (
                "tell the merchant that its server cannot be reached; the results stay and are sent again",
                "请告知商户其服务器无法连接；结果会保留并重发",
            ),
            Check::ProxyWorks => {
                ("correct http_proxy and https_proxy, or take them out", "请更正或删除 http_proxy 与 https_proxy")
            }
            Check::NoPortal => (
                "open any page in a browser on this network and log in, or use a network without such a page",
                "请在此网络用浏览器打开任意网页并登录，或改用无登录页面的网络",
            ),
            Check::ClockSynchronised => (
                "timedatectl set-ntp true; the port 123/udp must be open. A machine with its own good clock: [time] trust = \"system\"",
                "请执行 timedatectl set-ntp true，并开放 123/udp 端口；自带可靠时钟的机器可设 [time] trust = \"system\"",
            ),
            Check::ClockSane => (
                "set it: timedatectl set-time \"YYYY-MM-DD HH:MM:SS\"; if it is wrong after each power cut, replace the battery",
                "请设置：timedatectl set-time \"YYYY-MM-DD HH:MM:SS\"；若每次断电后都错，请更换电池",
            ),
            Check::ClockAgrees => (
                "timedatectl set-ntp true, or set it: timedatectl set-time \"YYYY-MM-DD HH:MM:SS\"",
                "请执行 timedatectl set-ntp true，或手动设置：timedatectl set-time \"YYYY-MM-DD HH:MM:SS\"",
            ),
            Check::TimeZone => {
                ("timedatectl set-timezone Asia/Shanghai", "请执行：timedatectl set-timezone Asia/Shanghai")
            }
            Check::RealTimeClock => (
                "hwclock --systohc; if it is wrong after each power cut, replace the battery",
                "请执行 hwclock --systohc；若每次断电后都错，请更换电池",
            ),
            Check::OrdersMove => (
                "see P5 and vend order list; the order ends by itself after 20 minutes",
                "请看 P5 与 vend order list；订单 20 分钟后会自行结束",
            ),
            Check::ReportsLeave => {
                ("see N1 to N8; keep the machine switched on until they have left", "请看 N1 至 N8；结果送出前请勿关机")
            }
            Check::NoDeadReports => (
                "vend report list --dead shows them; when the merchant takes them again: vend report retry KEY, or --all; else tell the operator",
                "vend report list --dead 可查看；商户恢复接收后：vend report retry KEY 或 --all；否则请告知运营方",
            ),
            Check::NoDeadCalls => (
                "vend call list shows them: refunds among them must be made by hand, tell the operator; then vend call retry or vend call drop",
                "vend call list 可查看：其中的退款须人工处理，请告知运营方；然后 vend call retry 或 vend call drop",
            ),
            Check::BooksAgree => (
                "vend difference list shows them: tell the operator; then vend difference ask or vend difference accept",
                "vend difference list 可查看：请告知运营方；然后 vend difference ask 或 vend difference accept",
            ),
            Check::SlotsWell => (
                "look at the slot, free what is stuck, then: vend slot clear SLOT",
                "请检查该货道，清除卡货，然后执行：vend slot clear SLOT",
            ),
            Check::NothingDoubtful => (
                "count what lies in these slots, then: vend slot restock SLOT COUNT",
                "请清点这些货道，然后执行：vend slot restock SLOT COUNT",
            ),
            Check::CertificatesInUse => (
                "our own: put new files there, no restart; a server's: tell whoever runs that server",
                "本机证书：放入新文件即可，无需重启；服务器证书：请告知其管理者",
            ),
            Check::CommandsFit => (
                "compare app_key with the platform's; or the other word for [signing] mqtt_key",
                "请与平台核对 app_key；或改用 [signing] mqtt_key 的另一个值",
            ),
        };
        Both::new(en, zh)
    }
}
