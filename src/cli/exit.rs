//! How a command ends. `docs/exit-codes.md` is the same table for people; a test holds the two together.

use std::process::ExitCode;

/// The code that `vend` leaves with. Scripts and the unit rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done, or healthy.
    Done = 0,
    /// Failed, or unhealthy.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The daemon does not run.
    NotRunning = 3,
    /// No permission.
    NoPermission = 4,
    /// Refused: busy or unsafe now.
    Refused = 5,
    /// Not found.
    NotFound = 6,
    /// Device fault or time-out.
    Device = 7,
    /// Network or cloud.
    Network = 8,
    /// Cancelled, or a confirmation is missing.
    Cancelled = 9,
    /// The configuration or a credential is wrong; starting again does not help (sysexits.h EX_CONFIG).
    Configuration = 78,
    /// Ctrl-C (128 + SIGINT).
    Interrupted = 130,
}

impl Exit {
    /// All of them, rising.
    pub const ALL: [Exit; 12] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::NotRunning,
        Exit::NoPermission,
        Exit::Refused,
        Exit::NotFound,
        Exit::Device,
        Exit::Network,
        Exit::Cancelled,
        Exit::Configuration,
        Exit::Interrupted,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, as in `docs/exit-codes.md`.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done, or healthy",
            Exit::Failed => "failed, or unhealthy",
            Exit::Usage => "the command line makes no sense",
            Exit::NotRunning => "the daemon does not run",
            Exit::NoPermission => "no permission",
            Exit::Refused => "refused: busy or unsafe now",
            Exit::NotFound => "not found",
            Exit::Device => "device fault or time-out",
            Exit::Network => "network or cloud",
            Exit::Cancelled => "cancelled, or a confirmation is missing",
            Exit::Configuration => "the configuration or a credential is wrong",
            Exit::Interrupted => "Ctrl-C",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_documentation_and_the_code_say_the_same() {
        let documented: Vec<String> = include_str!("../../docs/exit-codes.md")
            .lines()
            .filter(|line| line.starts_with("| ") && line.as_bytes().get(2).is_some_and(u8::is_ascii_digit))
            .map(|line| line.split('|').skip(1).take(2).map(str::trim).collect::<Vec<_>>().join(" "))
            .collect();
        let coded: Vec<String> = Exit::ALL.iter().map(|e| format!("{} {}", e.code(), e.meaning())).collect();
        assert_eq!(documented, coded);
    }

    #[test]
    fn the_unit_does_not_restart_after_a_wrong_configuration() {
        let unit = include_str!("../../systemd/vend.service");
        let line = format!("RestartPreventExitStatus={}", Exit::Configuration.code());
        assert!(unit.lines().any(|l| l == line), "{line}");
    }
}
