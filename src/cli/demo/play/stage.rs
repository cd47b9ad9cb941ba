//! Where the audience looks: one line for everything that happens, as it happens.

use crate::cli::lang::Lang;
use crate::cli::output::colour_wanted;
use crate::io::clock::boot_now;
use crate::order::time::BootMs;
use std::io::{self, IsTerminal as _, Write};

/// ANSI: bold.
const BOLD: u8 = 1;

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
    /// Stands before the machine.
    Buyer,
}

impl Role {
    /// Its name, padded to one width, and its colour in ANSI's numbers.
    const fn look(self, lang: Lang) -> (&'static str, u8) {
        let (en, zh, colour) = match self {
            Role::Platform => ("platform", "平台    ", 34),
            Role::Broker => ("broker  ", "消息代理", 36),
            Role::Agent => ("agent   ", "代理程序", 33),
            Role::Board => ("board   ", "板卡    ", 35),
            Role::Merchant => ("merchant", "商户    ", 32),
            Role::Cloud => ("cloud   ", "云接口  ", 34),
            Role::Buyer => ("buyer   ", "买家    ", 32),
        };
        let name = match lang {
            Lang::En => en,
            Lang::Zh => zh,
        };
        (name, colour)
    }
}

/// Nobody reads any more.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Closed(#[from] pub io::Error);

/// Standard output, usually.
pub struct Stage {
    /// The audience's.
    pub lang: Lang,
    /// The audience sees colour.
    pub colour: bool,
    out: Box<dyn Write>,
    begin: BootMs,
    scenes: usize,
}

impl Stage {
    /// The curtain rises now, on standard output.
    #[must_use]
    pub fn new(lang: Lang) -> Stage {
        let colour = io::stdout().is_terminal() && colour_wanted(|name| std::env::var(name).ok());
        Stage { lang, colour, out: Box::new(io::stdout()), begin: boot_now(), scenes: 0 }
    }

    /// A new scene.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn scene(&mut self, title: &str) -> Result<(), Closed> {
        self.scenes += 1;
        let title = self.painted(BOLD, &format!("{}. {title}", self.scenes));
        self.line(&format!("\n{title}"))
    }

    /// Something happened.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn tell(&mut self, role: Role, text: &str) -> Result<(), Closed> {
        let ms = boot_now().since_ms(self.begin);
        let (seconds, tenths) = (ms / 1_000, ms % 1_000 / 100);
        let (name, colour) = role.look(self.lang);
        let name = self.painted(colour, name);
        self.line(&format!("{seconds:4}.{tenths} s  {name}  {text}"))
    }

    /// A line as it is.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn line(&mut self, text: &str) -> Result<(), Closed> {
        writeln!(self.out, "{text}")?;
        Ok(self.out.flush()?)
    }

    /// A text in a rendition of ANSI terminals, where the audience sees colour.
    fn painted(&self, rendition: u8, text: &str) -> String {
        if self.colour { format!("\x1b[{rendition}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// What a test's audience saw.
    #[derive(Clone, Default)]
    pub struct Seen(Rc<RefCell<Vec<u8>>>);

    impl Seen {
        /// So far.
        pub fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Seen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A stage before an audience that remembers.
    pub fn stage(lang: Lang, colour: bool) -> (Stage, Seen) {
        let seen = Seen::default();
        (Stage { lang, colour, out: Box::new(seen.clone()), begin: boot_now(), scenes: 0 }, seen)
    }

    #[test]
    fn lines_are_plain_unless_colour_is_wanted() {
        for (colour, name) in [(false, "  board     "), (true, "\x1b[35mboard   \x1b[0m")] {
            let (mut stage, seen) = stage(Lang::En, colour);
            stage.scene("a title").unwrap();
            stage.tell(Role::Board, "turns").unwrap();
            let text = seen.text();
            assert!(text.contains("1. a title") && text.contains(name) && text.ends_with("  turns\n"), "{text:?}");
            assert_eq!(text.contains('\x1b'), colour);
        }
    }

    #[test]
    fn all_names_are_equally_wide() {
        use Role::{Agent, Board, Broker, Buyer, Cloud, Merchant, Platform};
        for lang in [Lang::En, Lang::Zh] {
            for role in [Platform, Broker, Agent, Board, Merchant, Cloud, Buyer] {
                let columns: usize = role.look(lang).0.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
                assert_eq!(columns, 8, "{role:?} {lang:?}");
            }
        }
    }
}
