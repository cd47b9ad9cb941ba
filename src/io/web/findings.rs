//! The doctor for the pages: this very program once more, as `vend doctor --json`, in a process of its own. So what it
//! reads, hashes and waits for stands in nobody's way here, and the page and the tool cannot say different things.

use crate::control::Versioned;
use crate::doctor::{Check, Report};
use crate::order::said::{InChinese as _, Said};
use crate::web::live;
use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

/// This program, whatever lies at its path by now: an upgrade replaces the file under a daemon that runs.
const OURSELVES: &str = "/proc/self/exe";
/// The doctor ends within 15 s; a computer that hardly turns gets some more.
const LOOK_TIME: Duration = Duration::from_secs(25);
/// A look that is younger is shown again, whoever asks: pages cannot have the machine do more.
const FRESH_FOR: Duration = Duration::from_secs(15);
/// Many times the longest report in two languages.
const REPORT_BYTES_MAX: u64 = 512 * 1_024;

/// What the doctor found last.
pub struct Findings {
    program: PathBuf,
    arguments: Vec<OsString>,
    is_looking: Cell<bool>,
    last: RefCell<Option<(Instant, Result<Report, Said>)>>,
}

impl Findings {
    /// A doctor for the machine with this configuration; for the checks that can be seen from inside the service.
    #[must_use]
    pub fn of(config: &Path, credentials: Option<&Path>) -> Rc<Findings> {
        let skipped: Vec<&str> = Check::OUTSIDE_ONLY.iter().map(|check| check.entry().id).collect();
        let mut arguments: Vec<OsString> = ["doctor", "--json", "--skip"].map(OsString::from).into();
        arguments.push(skipped.join(",").into());
        arguments.extend(["--config".into(), config.into()]);
        arguments.extend(credentials.into_iter().flat_map(|directory| ["--credentials".into(), directory.into()]));
        Findings::told_by(OURSELVES.into(), arguments)
    }

    /// Whatever tells a report of the doctor on standard output.
    #[must_use]
    pub fn told_by(program: PathBuf, arguments: Vec<OsString>) -> Rc<Findings> {
        Rc::new(Findings { program, arguments, is_looking: Cell::new(false), last: RefCell::new(None) })
    }

    /// Has the doctor look, unless it does or has just done.
    pub(super) fn look(self: &Rc<Findings>) {
        let is_fresh = self.last.borrow().as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH_FOR);
        if is_fresh || self.is_looking.replace(true) {
            return;
        }
        let findings = self.clone();
        tokio::task::spawn_local(async move {
            let found = timeout(LOOK_TIME, run(&findings.program, &findings.arguments)).await;
            let found = found.unwrap_or_else(|_| {
                let s = LOOK_TIME.as_secs();
                Err(Said::new(format!("it took longer than {LOOK_TIME:?}"), format!("超过 {s} 秒仍未完成")))
            });
            *findings.last.borrow_mut() = Some((Instant::now(), found));
            findings.is_looking.set(false);
        });
    }

    /// What it found last, as a document.
    pub(super) fn document(&self) -> Vec<u8> {
        let last = self.last.borrow();
        let (at, found) = last.as_ref().map(|(at, found)| (at, found)).unzip();
        let why = found.and_then(|found| found.as_ref().err());
        let findings = live::Findings {
            looking: self.is_looking.get(),
            age_s: at.map(|at| at.elapsed().as_secs()),
            report: found.and_then(|found| found.as_ref().ok()).cloned(),
            error: why.map(|why| why.en.clone()),
            error_zh: why.map(|why| why.zh.clone()),
        };
        // The types have no key or value that JSON lacks.
        serde_json::to_vec(&Versioned::of(findings)).unwrap_or_default()
    }
}

/// Runs it to its end. It is killed when nobody waits any more.
async fn run(program: &Path, arguments: &[OsString]) -> Result<Report, Said> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| error.said())?;
    let mut told = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(REPORT_BYTES_MAX).read_to_end(&mut told).await.map_err(|error| error.said())?;
    }
    let status = child.wait().await.map_err(|error| error.said())?;
    // Its exit code says whether the machine is healthy, and not whether it looked.
    let report: Result<Report, _> = serde_json::from_slice(&told);
    report.map_err(|error| {
        Said::new(
            format!("it ended with {status} and no report: {error}"),
            format!("检查程序结束（{status}），没有报告：{error}"),
        )
    })
}
