//! Where a journal lives. A card that was cloned into another controller, a controller whose card was exchanged, a backup
//! that was put back: each of them has a journal that is whole, and nothing proves that it is the newest. What it says was
//! not vended may have been. So the journal keeps what names its place, and one that finds itself elsewhere is in doubt:
//! nothing is driven, acknowledged or reported until a person says that this is its place now
//! ([`super::accept_move`]).
//!
//! What tells a place: the system's machine-id (hashed: it is nobody's business), the controller's serial number (device
//! tree), the disk's (card, SSD or NVMe) and, on file systems that keep them, the inode of the journal's file. What cannot
//! be read says nothing. Not noticed is what has all of these: an image of the whole disk on the very same disk, a backup
//! that is copied over the files that are there, and one whose file gets the number of the deleted one again.

use super::database::DB;
use super::layout::{self, Layout};
use crate::order::said::{Said, words};
use crate::sabotage::{self, Clause};
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Makes of the machine-id a name that is only ours, as machine-id(5) wants.
const MACHINE_ID_KEY: &[u8] = b"vend: the place of a journal";
/// ext2 to 4 (`linux/magic.h`, as those below).
pub(super) const EXT4: i64 = 0xEF53;
/// File systems whose inodes name a file over restarts: beside these XFS, Btrfs, F2FS. FAT numbers them anew with each
/// mount, network and overlay file systems may.
const INODES_LAST: [i64; 4] = [EXT4, 0x5846_5342, 0x9123_683E, 0xF2F5_2010];
/// tmpfs: a machine-id that lies there was made at this start and names nothing.
const TMPFS: i64 = 0x0102_1994;
/// Where the kernel shows the serial number of a disk, from its folder in /sys: MMC (the register with maker and serial
/// number), NVMe, SCSI and SATA, virtio.
const DISK_NAMES: [&str; 5] = ["device/cid", "device/serial", "device/wwid", "wwid", "serial"];
/// Longest name that is kept; the longest in use, of a SCSI disk, has about 80.
const NAME_CHARS_MAX: usize = 128;

/// One thing that tells a place. Their English names are written into the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// The system's.
    MachineId,
    /// The controller's serial number.
    Controller,
    /// The disk's.
    Disk,
    /// The inode of the journal's file.
    File,
}

words! {
    Fact {
        Fact::MachineId => "machine-id", "machine-id";
        Fact::Controller => "controller", "主控板";
        Fact::Disk => "disk", "磁盘";
        Fact::File => "file", "文件";
    }
}

impl Fact {
    const ALL: [Fact; 4] = [Fact::MachineId, Fact::Controller, Fact::Disk, Fact::File];

    /// Their names.
    pub(super) fn list(facts: &[Fact]) -> Said {
        let names: Vec<Said> = facts.iter().map(|fact| fact.word().said()).collect();
        Said::list(&names)
    }
}

/// What is known of a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Home {
    facts: BTreeMap<Fact, String>,
    /// A person said that this is its place now, and no life has begun on it yet.
    pub(super) moved: bool,
}

/// What is written for [`Home::moved`].
const MOVED: &str = "moved";

impl Home {
    /// The place of the journal that is there.
    pub(super) fn here(layout: &Layout) -> Home {
        Home::below(Path::new("/"), layout)
    }

    fn below(root: &Path, layout: &Layout) -> Home {
        let found = [
            (Fact::MachineId, machine_id(root)),
            (Fact::Controller, name_in(&root.join("sys/firmware/devicetree/base/serial-number"))),
            (Fact::Disk, disk_of(root, &layout.state_dir)),
            (Fact::File, inode_of(&layout.journal.join(DB))),
        ];
        Home { facts: found.into_iter().filter_map(|(fact, name)| Some((fact, name?))).collect(), moved: false }
    }

    /// The journal had its sled, whose file has a number that lasts.
    fn knows_a_file(&self) -> bool {
        self.facts.contains_key(&Fact::File)
    }

    /// This place, because a person said so.
    pub(super) fn accepted(layout: &Layout) -> Home {
        Home { moved: true, ..Home::here(layout) }
    }

    /// What was written down; nothing in a journal of an earlier vend, or in one that was never opened whole.
    pub(super) fn read(layout: &Layout) -> io::Result<Option<Home>> {
        match fs::read_to_string(&layout.home) {
            Ok(text) => Ok(Some(Home::parse(&text))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn parse(text: &str) -> Home {
        let mut home = Home { moved: text.lines().any(|line| line == MOVED), ..Home::default() };
        for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            if let Some(fact) = Fact::ALL.into_iter().find(|fact| fact.as_str() == name) {
                home.facts.insert(fact, value.to_owned());
            }
        }
        home
    }

    /// Durable when it returns, old or new at any moment before.
    pub(super) fn write(&self, layout: &Layout) -> io::Result<()> {
        let new = layout.home.with_extension("home-new");
        layout.write_durably(&new, &self.to_string())?;
        fs::rename(&new, &layout.home)?;
        layout::sync_dir(&layout.state_dir)
    }

    /// What is known of both places and differs; empty when nothing speaks against their being one.
    pub(super) fn differences(&self, here: &Home) -> Vec<Fact> {
        let differs =
            |fact: &Fact| matches!((self.facts.get(fact), here.facts.get(fact)), (Some(a), Some(b)) if a != b);
        Fact::ALL.into_iter().filter(differs).collect()
    }

    /// This place with what was known of it before and cannot be read now.
    pub(super) fn with(mut self, before: &Home) -> Home {
        for (fact, name) in &before.facts {
            self.facts.entry(*fact).or_insert_with(|| name.clone());
        }
        self
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (fact, name) in &self.facts {
            writeln!(f, "{} {name}", fact.as_str())?;
        }
        if self.moved { writeln!(f, "{MOVED}") } else { Ok(()) }
    }
}

/// Nothing speaks against it, or what does.
pub(super) fn doubt(layout: &Layout) -> io::Result<Vec<Fact>> {
    if sabotage::is_out(Clause::R05ElsewhereDoubted) {
        return Ok(Vec::new());
    }
    Ok(Home::read(layout)?.map(|home| home.differences(&Home::here(layout))).unwrap_or_default())
}

/// sled was made here, and its file is gone. Nothing, if it is there; and where files have no lasting numbers nobody knows.
pub(super) fn has_lost_sled(layout: &Layout) -> io::Result<bool> {
    let is_gone = !layout::exists(&layout.journal.join(DB))?;
    Ok(is_gone && Home::read(layout)?.is_some_and(|home| home.knows_a_file()))
}

/// One line, without what no name has.
fn name_in(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let name = text.trim_end_matches('\0').trim();
    let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(NAME_CHARS_MAX).collect();
    (!name.is_empty()).then_some(name)
}

fn machine_id(root: &Path) -> Option<String> {
    let path = root.join("etc/machine-id");
    let id = name_in(&path).filter(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()))?;
    if kind_of_file_system(&File::open(&path).ok()?)? == TMPFS {
        return None;
    }
    let mut mac = Hmac::<Sha1>::new_from_slice(MACHINE_ID_KEY).ok()?;
    mac.update(id.as_bytes());
    let mut hex = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(hex, "{byte:02x}").ok()?;
    }
    Some(hex)
}

/// The serial number of the disk on which a folder lies.
fn disk_of(root: &Path, folder: &Path) -> Option<String> {
    let device = fs::metadata(folder).ok()?.dev();
    let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let block: PathBuf = fs::canonicalize(root.join("sys/dev/block").join(number)).ok()?;
    // A partition lies in the folder of its disk.
    let disk = if block.join("partition").exists() { block.parent()?.to_owned() } else { block };
    DISK_NAMES.iter().find_map(|name| name_in(&disk.join(name)))
}

fn inode_of(path: &Path) -> Option<String> {
    let inode = fs::metadata(path).ok()?.ino();
    INODES_LAST.contains(&kind_of_file_system(&File::open(path).ok()?)?).then(|| inode.to_string())
}

pub(super) fn kind_of_file_system(file: &File) -> Option<i64> {
    #[allow(clippy::useless_conversion, reason = "the field has 32 bits on 32-bit ARM controllers")]
    let kind = i64::from(rustix::fs::fstatfs(file).ok()?.f_type);
    Some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine's /etc and /sys, and a state directory with a journal.
    struct Machine {
        root: tempfile::TempDir,
        layout: Layout,
    }

    fn machine(id: &str, serial: &str) -> Machine {
        // Not /tmp, which may be a tmpfs: there a machine-id counts for nothing.
        let root = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let layout = Layout::of(&root.path().join("state"));
        for (path, text) in
            [("etc/machine-id", id), ("sys/firmware/devicetree/base/serial-number", serial), ("state/journal/db", "")]
        {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let device = fs::metadata(&layout.state_dir).unwrap().dev();
        let disk = root.path().join("sys/devices/card");
        fs::create_dir_all(disk.join("card1")).unwrap();
        fs::create_dir_all(disk.join("device")).unwrap();
        fs::write(disk.join("card1/partition"), "1\n").unwrap();
        fs::write(disk.join("device/cid"), "275048534431364760bd7e5d5d010a4b\n").unwrap();
        let numbers = root.path().join("sys/dev/block");
        fs::create_dir_all(&numbers).unwrap();
        let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        std::os::unix::fs::symlink(disk.join("card1"), numbers.join(number)).unwrap();
        Machine { root, layout }
    }

    impl Machine {
        fn home(&self) -> Home {
            Home::below(self.root.path(), &self.layout)
        }
    }

    const ID: &str = "0123456789abcdef0123456789abcdef\n";

    #[test]
    fn a_place_is_told_by_machine_controller_disk_and_file() {
        let first = machine(ID, "10000000abcdef01\0");
        let home = first.home();
        assert_eq!(home.differences(&home), []);
        assert!(!home.to_string().contains("0123456789abcdef"), "the machine-id is nobody's business: {home}");
        assert!(home.to_string().contains("disk 275048534431364760bd7e5d5d010a4b\n"), "{home}");
        // The very same card in another controller.
        fs::write(first.root.path().join("sys/firmware/devicetree/base/serial-number"), "10000000abcdef02\0").unwrap();
        assert_eq!(home.differences(&first.home()), [Fact::Controller]);
        // The same system on a new card.
        fs::write(first.root.path().join("sys/devices/card/device/cid"), "another\n").unwrap();
        assert_eq!(home.differences(&first.home()), [Fact::Controller, Fact::Disk]);
        // A backup: another file.
        let db = first.layout.journal.join("db");
        fs::copy(&db, first.layout.journal.join("copy")).unwrap();
        fs::rename(first.layout.journal.join("copy"), &db).unwrap();
        fs::write(first.root.path().join("etc/machine-id"), ID.replace('0', "f")).unwrap();
        let expected = Fact::ALL;
        let kept = inode_of(&db).is_some() && kind_of_file_system(&File::open(&db).unwrap()) != Some(TMPFS);
        if kept {
            assert_eq!(home.differences(&first.home()), expected);
        } else {
            eprintln!("SKIPPED: this file system has no lasting inodes, so a copied file was not looked at");
        }
    }

    #[test]
    fn what_cannot_be_read_says_nothing_and_is_not_forgotten() {
        let first = machine(ID, "10000000abcdef01\0");
        let home = first.home();
        fs::remove_file(first.root.path().join("sys/firmware/devicetree/base/serial-number")).unwrap();
        fs::write(first.root.path().join("etc/machine-id"), "uninitialized\n").unwrap();
        let blind = first.home();
        assert_eq!(home.differences(&blind), []);
        assert_eq!(blind.with(&home), home);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let first = machine(ID, "1");
        assert_eq!(Home::read(&first.layout).unwrap(), None);
        let home = Home { moved: true, ..first.home() };
        home.write(&first.layout).unwrap();
        assert_eq!(Home::read(&first.layout).unwrap(), Some(home));
    }
}
