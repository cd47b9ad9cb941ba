//! What the agent has logged in its present life: only to choose and to name the instants of kills, never as proof.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// The log since the last start.
#[derive(Debug, Default)]
pub struct LifeLog {
    read_bytes: u64,
    text: String,
}

impl LifeLog {
    /// A new life begins: what came before is the former one's.
    pub fn begin(&mut self, file: &Path) {
        self.look(file);
        self.text.clear();
    }

    /// Reads what is new.
    pub fn look(&mut self, file: &Path) {
        let Ok(mut file) = File::open(file) else { return };
        let mut new = Vec::new();
        file.seek(SeekFrom::Start(self.read_bytes)).expect("to seek");
        file.read_to_end(&mut new).expect("to read");
        self.read_bytes += new.len() as u64;
        self.text.push_str(&String::from_utf8_lossy(&new));
    }

    fn last(&self, what: &str) -> Option<usize> {
        self.text.rfind(&format!("what=\"{what}\""))
    }

    pub fn is_subscribed(&self) -> bool {
        self.last("subscribed").is_some()
    }

    /// The board is being asked what became of a unit.
    pub fn is_recovering(&self) -> bool {
        let ended = ["unit", "unknown", "not_taken"].iter().filter_map(|what| self.last(what)).max();
        self.last("recovering") > ended
    }
}
