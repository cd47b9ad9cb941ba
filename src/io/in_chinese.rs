//! What can be wrong with the line, the motor mark, the control socket and the clocks, in Chinese. The English stands with
//! the errors.

use super::clock_word::NoWord;
use super::console::ConsoleError;
use super::control_client::AskError;
use super::detect::DetectError;
use super::line::LineTrouble;
use super::mark::MarkError;
use crate::order::said::InChinese;

impl InChinese for LineTrouble {
    fn zh(&self) -> String {
        match self {
            LineTrouble::NotFound { port } => format!("{} 不存在；板卡的适配器插好了吗？", port.display()),
            LineTrouble::Busy { port } => {
                format!("{} 正被其他程序使用；`fuser {}` 可查", port.display(), port.display())
            }
            LineTrouble::Permission { port } => {
                format!("没有 {} 的权限；用户须在其用户组（dialout）中", port.display())
            }
            LineTrouble::Unplugged => "串口消失了；适配器被拔出了吗？".to_owned(),
            LineTrouble::WriteTimeOut { bytes, time_out_ms } => {
                format!("串口在 {time_out_ms} 毫秒内未能发出 {bytes} 字节；是否被流控阻塞？")
            }
            LineTrouble::Io(why) => format!("串口出错：{why}"),
        }
    }
}

impl InChinese for MarkError {
    fn zh(&self) -> String {
        match self {
            MarkError::NotInMemory { path } => {
                format!("{} 不在 tmpfs 上；请把 [control] socket 放在 /run 之下", path.display())
            }
            MarkError::Held { path } => {
                format!("{} 属于另一个守护进程；请让每个守护进程使用各自的 [control] socket", path.display())
            }
            MarkError::Io { path, source } => format!("{}：{source}", path.display()),
        }
    }
}

impl InChinese for ConsoleError {
    fn zh(&self) -> String {
        match self {
            ConsoleError::Line(trouble) => trouble.zh(),
            ConsoleError::Io(error) | ConsoleError::Told(error) => error.zh(),
        }
    }
}

impl InChinese for DetectError {
    fn zh(&self) -> String {
        match self {
            DetectError::State(error) => error.zh(),
            DetectError::Line(trouble) => trouble.zh(),
        }
    }
}

impl InChinese for AskError {
    fn zh(&self) -> String {
        match self {
            AskError::NotRunning { socket, source } => {
                format!("{} 没有守护进程应答：{source}", socket.display())
            }
            AskError::NoPermission { socket } => {
                format!("{} 仅限 root、用户 vend 及其用户组的成员", socket.display())
            }
            AskError::TimeOut { socket, after } => {
                format!("{} 的守护进程在 {} 秒内没有应答", socket.display(), after.as_secs())
            }
            AskError::Refused { status: _, refusal } => format!("守护进程答复：{}", refusal.zh()),
            AskError::Unreadable { socket, why } => format!("{} 的应答无法读取：{}", socket.display(), why.zh),
            AskError::Io(error) => error.zh(),
        }
    }
}

impl InChinese for NoWord {
    fn zh(&self) -> String {
        match self {
            NoWord::Kernel(error) => error.zh(),
            NoWord::Unreadable { file, source } => {
                format!("{}：{source}（systemctl status vend-clock）", file.display())
            }
            NoWord::Unknown { file, text } => {
                format!("{}：{text:?} 与时钟无关（systemctl status vend-clock）", file.display())
            }
            NoWord::TooOld { file, asked, now } => format!(
                "{}：写于开机后 {} 毫秒，而现在是 {} 毫秒（systemctl status vend-clock）",
                file.display(),
                asked.0,
                now.0
            ),
        }
    }
}

#[cfg(test)]
mod tests;
