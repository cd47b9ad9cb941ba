//! Where the audience looks: one line for everything that happens, as it happens.

use crate::cli::lang::Lang;
use crate::cli::output::colour_wanted;
use crate::io::clock::boot_now;
use crate::order::time::BootMs;
use std::io::{self, IsTerminal as _, Write as _};

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends commands.
    Platform,
    /// Keeps them until they are acknowledged.
    Broker,
    /// The real one.
    Agent,
    /// Turns motors.
    Board,
    /// Takes reports.
    Merchant,
    /// Knows which orders are paid.
    Cloud,
}

impl Role {
    /// Its name, padded to one width, and its colour on a terminal.
    const fn look(self, lang: Lang) -> (&'static str, u8) {
        let (en, zh, colour) = match self {
            Role::Platform => ("platform", "平台    ", 34),
            Role::Broker => ("broker  ", "消息代理", 36),
            Role::Agent => ("agent   ", "代理程序", 33),
            Role::Board => ("board   ", "板卡    ", 35),
            Role::Merchant => ("merchant", "商户    ", 32),
            Role::Cloud => ("cloud   ", "云接口  ", 34),
        };
        let name = match lang {
            Lang::En => en,
            Lang::Zh => zh,
        };
        (name, colour)
    }
}

/// Standard output.
pub struct Stage {
    /// The audience's.
    pub lang: Lang,
    /// Standard output is a terminal that wants it.
    pub colour: bool,
    begin: BootMs,
    scenes: usize,
}

impl Stage {
    /// The curtain rises now.
    #[must_use]
    pub fn new(lang: Lang) -> Stage {
        let colour = io::stdout().is_terminal() && colour_wanted(|name| std::env::var(name).ok());
        Stage { lang, colour, begin: boot_now(), scenes: 0 }
    }

    /// A new scene.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn scene(&mut self, title: &str) -> io::Result<()> {
        self.scenes += 1;
        let number = self.scenes;
        if self.colour {
            self.line(&format!("\n\x1b[1m{number}. {title}\x1b[0m"))
        } else {
            self.line(&format!("\n{number}. {title}"))
        }
    }

    /// Something happened.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn tell(&self, role: Role, text: &str) -> io::Result<()> {
        let ms = boot_now().since_ms(self.begin);
        let (seconds, tenths) = (ms / 1_000, ms % 1_000 / 100);
        let (name, colour) = role.look(self.lang);
        if self.colour {
            self.line(&format!("{seconds:4}.{tenths} s  \x1b[{colour}m{name}\x1b[0m  {text}"))
        } else {
            self.line(&format!("{seconds:4}.{tenths} s  {name}  {text}"))
        }
    }

    /// A line as it is.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn line(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }
}
