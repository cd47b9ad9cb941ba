//! A sync that fails leaves in memory what the disk does not have, and no later sync writes it. Played on a file system of
//! our own: what a commit wrote is taken back from the disk below it, while the kernel keeps it.

use crate::common::mount::Mount;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use vend::io::journal::{Batch, Opened, Store};

const DISK_BYTES: u64 = 48 << 20;
const BLOCK_BYTES: usize = 4_096;

/// A disk whose contents can be seen and set below its file system.
struct Disk {
    image: PathBuf,
    mount: Option<Mount>,
    _folder: TempDir,
}

impl Disk {
    fn new() -> Option<Disk> {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        File::create(&image).unwrap().set_len(DISK_BYTES).unwrap();
        let made = Command::new("mkfs.ext4").args(["-q", "-O", "^has_journal"]).arg(&image).status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: no mkfs.ext4 here");
            return None;
        }
        let mount = Mount::ext4(&image)?;
        Some(Disk { image, mount: Some(mount), _folder: folder })
    }

    fn state(&self) -> PathBuf {
        self.mount.as_ref().unwrap().path().join("state")
    }

    fn sync(&self) {
        rustix::fs::syncfs(File::open(self.state()).unwrap()).unwrap();
    }

    fn contents(&self) -> Vec<u8> {
        self.sync();
        fs::read(&self.image).unwrap()
    }

    /// What the disk has is what it had, and the kernel does not know.
    fn take_back(&self, before: &[u8]) {
        let now = self.contents();
        let image = File::options().write(true).open(&self.image).unwrap();
        for (at, (is, was)) in now.chunks(BLOCK_BYTES).zip(before.chunks(BLOCK_BYTES)).enumerate() {
            if is != was {
                image.write_all_at(was, (at * BLOCK_BYTES) as u64).unwrap();
            }
        }
    }

    /// What is in memory only is gone.
    fn lose_power(&mut self) {
        self.mount = None;
        self.mount = Mount::ext4(&self.image);
    }
}

fn opened(state: &Path) -> (Store, usize) {
    match Store::open(state).unwrap() {
        Opened::Sound { store, records, .. } => (store, records.len()),
        Opened::Quarantined { damage, .. } => panic!("{damage:?}"),
    }
}

/// One commit that takes more than a block of the lead.
fn commit(store: &mut Store, number: u32) {
    let puts = (0..2).map(|part| (format!("{number:04}.{part}").into_bytes(), vec![0x5a; 3_000])).collect();
    store.commit(&Batch { puts, ..Batch::default() }).unwrap();
}

/// The last commit's sync fails: so the second file never heard of it.
fn sync_fails(disk: &Disk, mut store: Store, number: u32) {
    let before = disk.contents();
    commit(&mut store, number);
    drop(store);
    disk.take_back(&before);
    let second = File::open(disk.state().join("journal.second")).unwrap();
    rustix::fs::fadvise(&second, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

#[test]
fn what_a_failed_sync_left_in_memory_is_not_taken_for_what_the_disk_has() {
    let Some(mut disk) = Disk::new() else { return };
    let (mut store, _) = opened(&disk.state());
    commit(&mut store, 1);
    sync_fails(&disk, store, 2);
    let (mut store, records) = opened(&disk.state());
    assert_eq!(records, 2, "the first commit's");
    commit(&mut store, 3);
    drop(store);
    disk.lose_power();
    assert_eq!(opened(&disk.state()).1, 4, "the first commit's and the third's");
}

#[test]
fn nor_is_what_a_failed_sync_of_sleds_file_left_there() {
    let Some(mut disk) = Disk::new() else { return };
    let (mut store, _) = opened(&disk.state());
    let mut last = 0;
    while !disk.state().join("journal/db").exists() {
        last += 1;
        commit(&mut store, last);
    }
    // As many again fill the lead again, and the last of them is a batch of sled's.
    let round = last;
    while last < 2 * round - 1 {
        last += 1;
        commit(&mut store, last);
    }
    sync_fails(&disk, store, last + 1);
    let (mut store, records) = opened(&disk.state());
    assert_eq!(records, 2 * last as usize);
    commit(&mut store, last + 1);
    drop(store);
    disk.lose_power();
    assert_eq!(opened(&disk.state()).1, 2 * (last + 1) as usize);
}
