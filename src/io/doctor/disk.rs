//! The state directory, its file system, the journal's lock, and the journal by a copy.

use super::Root;
use super::files::rights_of;
use crate::config::Config;
use crate::core::{DOUBT_TOLD_FOR_S, Waiting, is_in_doubt};
use crate::doctor::seen::{Disk, Fact, Journal, Lock, Work};
use crate::io::clock::{self, Clock};
use crate::io::journal::{self, InspectError, OpenError};
use crate::io::mark::{self, MotorMark};
use crate::order::call::CallRecord;
use crate::order::record::{self, Records};
use crate::order::said::{InChinese as _, Said};
use crate::order::stock::{Condition, SlotRecord};
use crate::order::sync::Sync;
use rustix::fs::{StatVfsMountFlags, statvfs};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Journals above this are not copied, in bytes: a controller's flash would take longer than the
/// probe may, and /tmp may lie in memory.
const COPY_BYTES_MAX: u64 = 48 << 20;

/// The nearest directory above that is there.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// The state directory as it stands.
#[must_use]
pub fn disk(config: &Config) -> Fact<Disk> {
    let directory = &config.state_directory;
    let found = match fs::metadata(directory) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Fact::NoPermission,
        Err(_) => None,
    };
    let space = match statvfs(existing(directory)) {
        Ok(space) => space,
        Err(error) => {
            return Fact::Unknown(Said::word(directory.display().to_string()).then(&io::Error::from(error).said()));
        }
    };
    let mark = MotorMark::path(&config.control_socket);
    let mark_directory = mark.parent().unwrap_or(Path::new("/")).to_owned();
    let outside = journal::Outside::of(directory);
    Fact::Is(Disk {
        directory: directory.clone(),
        rights: found.as_ref().map(rights_of),
        not_a_directory: found.as_ref().is_some_and(|found| !found.is_dir()),
        free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        needed_bytes: journal::FREE_BYTES_MIN,
        free_inodes: (space.f_files > 0).then_some(space.f_favail),
        read_only: space.f_flag.contains(StatVfsMountFlags::RDONLY),
        journal_bytes: outside.bytes,
        mark_in_memory: mark::lies_in_memory(&existing(&mark_directory)).unwrap_or(false),
        mark_directory,
        written_s: outside.written_s,
    })
}

/// Who holds the journal's lock, by the kernel's list: the lock itself is left alone.
#[must_use]
pub fn lock(root: &Root, config: &Config) -> Fact<Lock> {
    match journal::lock_holder(&config.state_directory) {
        Ok(None) => Fact::Is(Lock::Absent),
        Ok(Some(None)) => Fact::Is(Lock::Free),
        Ok(Some(Some(pid))) => Fact::Is(Lock::Held { pid, name: root.name_of(pid) }),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Fact::NoPermission,
        Err(error) => Fact::Unknown(error.said()),
    }
}

/// Reads a copy of the journal, and what waits in it.
#[must_use]
pub fn journal(config: &Config) -> (Fact<Journal>, Fact<Option<Work>>) {
    let directory = &config.state_directory;
    if journal::Outside::of(directory).bytes.is_some_and(|bytes| bytes > COPY_BYTES_MAX) {
        return (Fact::Is(Journal::TooLarge), Fact::Is(None));
    }
    let inspected = match journal::read_copy(directory) {
        Ok(inspected) => inspected,
        Err(error) => {
            let text = error.said();
            let journal = match error {
                InspectError::InUse { .. } => Journal::InUse,
                InspectError::Absent { .. } => Journal::Absent,
                InspectError::Copy { source, .. } | InspectError::Open(OpenError::Io { source, .. })
                    if source.kind() == io::ErrorKind::PermissionDenied =>
                {
                    return (Fact::NoPermission, Fact::NoPermission);
                }
                InspectError::Open(OpenError::Newer { .. }) => Journal::Newer(text),
                _ => Journal::Closed(text),
            };
            return (Fact::Is(journal), Fact::Is(None));
        }
    };
    let machine_no = inspected.meta.as_deref().and_then(|meta| record::decode_ledger(meta).ok());
    let machine_no = machine_no.map(|ledger| ledger.machine_no.to_string());
    let mut damage = inspected.damage.map(|damage| damage.said());
    let mut records = Records::default();
    for (key, value) in &inspected.records {
        if let Err(error) = records.take(key, value) {
            damage.get_or_insert_with(|| error.said());
        }
    }
    (Fact::Is(Journal::Read { damage, machine_no }), Fact::Is(Some(work(&records))))
}

fn work(records: &Records) -> Work {
    let boot_id = clock::boot_id().unwrap_or_default();
    let orders = || records.orders.iter().filter(|order| !order.key.is_test());
    let dead: Vec<Said> = records.calls.iter().filter(|call| call.copy.is_dead()).map(CallRecord::said).collect();
    let differing: Vec<Said> = orders()
        .filter_map(|order| match order.sync {
            Sync::Differs(difference) => Some(Said::word(order.key.to_string()).beside(&difference.word().said())),
            Sync::No | Sync::Asking { .. } | Sync::Agreed => None,
        })
        .collect();
    let place = |slot: &SlotRecord| Said::word(format!("{}/{}", slot.address.get(), slot.slot.0));
    let out = records.slots.iter().filter(|slot| slot.condition != Condition::Well);
    let doubtful = records.slots.iter().filter(|slot| slot.doubtful > 0);
    let now = Clock::new().now();
    let since_s = now.wall.seconds().saturating_sub(DOUBT_TOLD_FOR_S);
    let in_doubt = orders().filter(|order| is_in_doubt(order) && order.issued_at_s >= since_s);
    let in_doubt: Vec<Said> = in_doubt.map(|order| Said::word(order.key.to_string())).collect();
    Work {
        waiting: Waiting::of(orders(), now, boot_id),
        in_doubt: (in_doubt.len(), in_doubt),
        dead_calls: (dead.len(), dead),
        differences: (differing.len(), differing),
        slots_out: out.map(|slot| place(slot).beside(&slot.condition.word().said())).collect(),
        slots_doubtful: doubtful.map(|slot| place(slot).beside(&Said::word(format!("({})", slot.doubtful)))).collect(),
    }
}
