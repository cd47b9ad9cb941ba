//! A disk that may lose power: what was written, what was promised, and every state in between.
//!
//! ext4 in its default mode gives more than is asked for here. Its journal commits changes of directories in their
//! order, and syncing a new file makes its name durable as well; data of a longer file is written before its size.
//! This disk promises a name only when its directory was synced, with what that directory needs, and lets data, sizes
//! and names go to disk apart from each other. A page goes to disk as it stood at some moment.

use super::trace::{Event, What};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

/// What the kernel writes at once, in bytes.
pub const PAGE_BYTES: u64 = 4096;
/// What a disk writes whole, in bytes.
pub const SECTOR_BYTES: u64 = 512;

#[derive(Debug)]
struct Page {
    bytes: Vec<u8>,
    digest: u64,
}

/// Bytes of one file. Pages that are not there are zeros; pages are shared between states.
#[derive(Debug, Clone, Default)]
pub struct Content {
    len: u64,
    pages: BTreeMap<u64, Arc<Page>>,
}

fn zeros() -> &'static [u8] {
    &[0; PAGE_BYTES as usize]
}

fn index(n: u64) -> usize {
    usize::try_from(n).expect("64 bits")
}

impl Content {
    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        let mut at = offset;
        while at < end {
            let number = at / PAGE_BYTES;
            let until = end.min((number + 1) * PAGE_BYTES);
            self.write_page(number, at - number * PAGE_BYTES, &bytes[index(at - offset)..index(until - offset)]);
            at = until;
        }
        self.len = self.len.max(end);
    }

    fn write_page(&mut self, number: u64, from: u64, part: &[u8]) {
        let mut bytes = self.pages.get(&number).map_or_else(|| zeros().to_vec(), |page| page.bytes.clone());
        bytes[index(from)..index(from) + part.len()].copy_from_slice(part);
        self.put_page(number, bytes);
    }

    fn put_page(&mut self, number: u64, bytes: Vec<u8>) {
        if bytes == zeros() {
            self.pages.remove(&number);
            return;
        }
        let mut hasher = DefaultHasher::new();
        (number, &bytes).hash(&mut hasher);
        self.pages.insert(number, Arc::new(Page { bytes, digest: hasher.finish() }));
    }

    fn set_len(&mut self, len: u64) {
        if len < self.len {
            let kept = len.div_ceil(PAGE_BYTES);
            self.pages.retain(|&number, _| number < kept);
            let (last, used) = (len / PAGE_BYTES, index(len % PAGE_BYTES));
            if let Some(page) = self.pages.get(&last) {
                let mut bytes = page.bytes.clone();
                bytes[used..].fill(0);
                self.put_page(last, bytes);
            }
        }
        self.len = len;
    }

    fn digest(&self) -> u64 {
        self.pages.values().fold(self.len, |sum, page| sum.wrapping_add(page.digest))
    }

    fn read(path: &Path) -> Content {
        let mut content = Content::default();
        content.write(0, &fs::read(path).expect("a file"));
        content
    }

    fn save(&self, path: &Path) {
        let file = fs::File::create(path).expect("a file");
        file.set_len(self.len).expect("room");
        for (number, page) in &self.pages {
            let at = number * PAGE_BYTES;
            let used = index(self.len.saturating_sub(at).min(PAGE_BYTES));
            file.write_all_at(&page.bytes[..used], at).expect("room");
        }
    }
}

/// A file or a directory.
type Id = usize;
/// Names in a directory.
type Names = BTreeMap<String, Id>;

/// A change of one file that is not durable.
#[derive(Debug, Clone)]
struct Change {
    file: Id,
    ended: usize,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Write {
        offset: u64,
        bytes: Arc<[u8]>,
    },
    SetLen(u64),
    /// Names that come and go together.
    Names(Vec<(Id, String, Option<Id>)>),
}

/// Everything below one directory. Id 0 is that directory.
#[derive(Debug, Clone)]
pub struct Image {
    files: BTreeMap<Id, Content>,
    folders: BTreeMap<Id, Names>,
}

impl Image {
    fn empty() -> Image {
        Image { files: BTreeMap::new(), folders: BTreeMap::from([(0, Names::new())]) }
    }

    fn apply(&mut self, change: &Change) {
        match &change.kind {
            Kind::Write { offset, bytes } => self.files.entry(change.file).or_default().write(*offset, bytes),
            Kind::SetLen(len) => self.files.entry(change.file).or_default().set_len(*len),
            Kind::Names(names) => {
                for (folder, name, id) in names {
                    let folder = self.folders.entry(*folder).or_default();
                    match id {
                        Some(id) => folder.insert(name.clone(), *id),
                        None => folder.remove(name),
                    };
                }
            }
        }
    }

    fn find(&self, path: &Path) -> Option<Id> {
        path.iter().try_fold(0, |id, name| self.folders.get(&id)?.get(name.to_str()?).copied())
    }

    /// All paths with the digests of what is there.
    fn walk(&self, id: Id, path: &Path, visit: &mut dyn FnMut(&Path, Option<&Content>)) {
        let empty = Content::default();
        for (name, child) in self.folders.get(&id).into_iter().flatten() {
            let path = path.join(name);
            if self.folders.contains_key(child) {
                visit(&path, None);
                self.walk(*child, &path, visit);
            } else {
                visit(&path, Some(self.files.get(child).unwrap_or(&empty)));
            }
        }
    }

    /// Tells equal states apart from others.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.walk(0, Path::new(""), &mut |path, content| (path, content.map(Content::digest)).hash(&mut hasher));
        hasher.finish()
    }

    /// Writes it below a directory; without what tells that it is a copy (`io::journal::home`), since it stands for the
    /// disk itself.
    pub fn save(&self, root: &Path) {
        self.walk(0, root, &mut |path, content| match content {
            None => fs::create_dir(path).expect("a directory"),
            Some(_) if path.ends_with("journal.home") => {}
            Some(content) => content.save(path),
        });
    }

    /// Paths in which it differs from what lies below a directory.
    pub fn differences(&self, root: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        self.walk(0, root, &mut |path, content| {
            seen.insert(path.to_owned());
            let same = match content {
                None => path.is_dir(),
                Some(content) => path.is_file() && Content::read(path).digest() == content.digest(),
            };
            if !same {
                found.push(format!("{}", path.display()));
            }
        });
        let mut folders: Vec<_> = seen.iter().filter(|path| path.is_dir()).cloned().collect();
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(folder).expect("a directory").map(|e| e.expect("an entry").path());
            found.extend(entries.filter(|p| !seen.contains(p)).map(|p| format!("{} too many", p.display())));
        }
        found
    }
}

/// How a state came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// The process was killed and the machine was not.
    Everything,
    /// Nothing but what a sync had promised.
    Synced,
    /// What came first, up to some write.
    Prefix,
    /// The same, and of the last write whole sectors from its beginning.
    Torn,
    /// Each page as it stood at some moment, sizes and names apart from them.
    Pages,
    /// All sizes and names, and zeros where pages did not come.
    Zeros,
}

impl How {
    pub const ALL: [How; 6] = [How::Everything, How::Synced, How::Prefix, How::Torn, How::Pages, How::Zeros];
}

/// The disk.
#[derive(Debug, Clone)]
pub struct Disk {
    now: Image,
    durable: Image,
    pending: Vec<Change>,
    next_id: Id,
}

impl Disk {
    /// An empty directory, durable.
    pub fn empty() -> Disk {
        Disk::of(Image::empty())
    }

    /// What a cut left is durable: it is all there is.
    pub fn of(image: Image) -> Disk {
        let highest = image.files.keys().chain(image.folders.keys()).max().copied().unwrap_or(0);
        Disk { now: image.clone(), durable: image, pending: Vec::new(), next_id: highest + 1 }
    }

    /// Does what the event says, for paths below `root`. True when it changed something or promised something.
    pub fn follow(&mut self, event: &Event, root: &Path) -> bool {
        let below = |path: &Path| path.strip_prefix(root).ok().filter(|p| is_kept(p)).map(Path::to_owned);
        match &event.what {
            What::Create { path, empty } => {
                let Some(path) = below(path) else { return false };
                match self.now.find(&path) {
                    Some(file) if *empty => self.change(event, file, Kind::SetLen(0)),
                    Some(_) => return false,
                    None => {
                        let id = self.new_id();
                        self.name(event, &path, Some(id));
                    }
                }
            }
            What::Write { path, offset, bytes } => {
                let Some(path) = below(path) else { return false };
                let file = self.now.find(&path).unwrap_or_else(|| panic!("{path:?} was never created"));
                self.change(event, file, Kind::Write { offset: *offset, bytes: bytes.as_slice().into() });
            }
            What::SetLength { path, bytes } => {
                let Some(path) = below(path) else { return false };
                let file = self.now.find(&path).expect("a file that was created");
                self.change(event, file, Kind::SetLen(*bytes));
            }
            What::MakeDir { path } => {
                let Some(path) = below(path) else { return false };
                let id = self.new_id();
                self.now.folders.insert(id, Names::new());
                self.durable.folders.insert(id, Names::new());
                self.name(event, &path, Some(id));
            }
            What::Remove { path } => {
                let Some(path) = below(path) else { return false };
                self.name(event, &path, None);
            }
            What::Rename { from, to } => {
                let (Some(from), Some(to)) = (below(from), below(to)) else { return false };
                let id = self.now.find(&from).expect("a name that exists");
                let (old, new) = (self.place(&from), self.place(&to));
                self.change(event, id, Kind::Names(vec![(old.0, old.1, None), (new.0, new.1, Some(id))]));
            }
            What::Sync { path } => {
                let Some(path) = path.strip_prefix(root).ok() else { return false };
                let Some(id) = self.now.find(path) else { return false };
                self.promise(id, event.began);
            }
            What::Sent { .. } | What::Received { .. } | What::Line { .. } => return false,
        }
        true
    }

    fn new_id(&mut self) -> Id {
        self.next_id += 1;
        self.next_id
    }

    /// The directory of a path, and its last name.
    fn place(&self, path: &Path) -> (Id, String) {
        let folder = self.now.find(path.parent().expect("below the root")).expect("a directory");
        (folder, path.file_name().and_then(|n| n.to_str()).expect("a name").to_owned())
    }

    fn name(&mut self, event: &Event, path: &Path, id: Option<Id>) {
        let (folder, name) = self.place(path);
        self.change(event, folder, Kind::Names(vec![(folder, name, id)]));
    }

    fn change(&mut self, event: &Event, file: Id, kind: Kind) {
        let change = Change { file, ended: event.ended, kind };
        self.now.apply(&change);
        self.pending.push(change);
    }

    /// A sync that began in this line has ended.
    fn promise(&mut self, id: Id, began: usize) {
        let wanted: Vec<bool> = if self.now.folders.contains_key(&id) {
            self.needed_by_names(|change| touches(change, id) && change.ended < began)
        } else {
            self.pending.iter().map(|c| c.file == id && !is_names(c) && c.ended < began).collect()
        };
        let mut kept = Vec::new();
        for (change, wanted) in std::mem::take(&mut self.pending).into_iter().zip(wanted) {
            if wanted {
                self.durable.apply(&change);
            } else {
                kept.push(change);
            }
        }
        self.pending = kept;
    }

    /// Changes of names that fit, and the earlier ones in the same directories, without which they make no sense.
    fn needed_by_names(&self, fits: impl Fn(&Change) -> bool) -> Vec<bool> {
        let mut folders: BTreeSet<Id> = BTreeSet::new();
        let mut wanted = vec![false; self.pending.len()];
        for (n, change) in self.pending.iter().enumerate().rev() {
            let Kind::Names(names) = &change.kind else { continue };
            if fits(change) || names.iter().any(|(folder, ..)| folders.contains(folder)) {
                wanted[n] = true;
                folders.extend(names.iter().map(|(folder, ..)| *folder));
            }
        }
        wanted
    }

    /// A cut leaves this name, whatever else it takes.
    pub fn promises(&self, path: &Path) -> bool {
        self.durable.find(path).is_some()
    }

    /// What a cut now may leave.
    pub fn cut(&self, how: How, random: &mut fastrand::Rng) -> Image {
        let mut image = self.durable.clone();
        match how {
            How::Everything => return self.now.clone(),
            How::Synced => {}
            How::Prefix | How::Torn => {
                let count = random.usize(0..=self.pending.len());
                for change in &self.pending[..count] {
                    image.apply(change);
                }
                if how == How::Torn
                    && let Some(change) = self.pending.get(count)
                {
                    image.apply(&torn(change, random));
                }
            }
            How::Pages => {
                let aim = random.usize(0..=self.pending.len());
                let aim = self.pending.get(aim).map_or(usize::MAX, |c| c.ended);
                let names = self.needed_by_names(|c| c.ended == aim);
                self.pending.iter().zip(names).filter(|(_, wanted)| *wanted).for_each(|(c, _)| image.apply(c));
                for (file, changes) in self.by_file() {
                    let content = image.files.entry(file).or_default();
                    *content = pages_of_moments(content, &changes, random);
                }
            }
            How::Zeros => {
                self.pending.iter().filter(|c| is_names(c)).for_each(|c| image.apply(c));
                for (file, changes) in self.by_file() {
                    let old = image.files.entry(file).or_default();
                    let mut content = self.now.files[&file].clone();
                    for number in touched(&changes, content.len) {
                        if random.bool() {
                            match old.pages.get(&number) {
                                Some(page) => content.pages.insert(number, page.clone()),
                                None => content.pages.remove(&number),
                            };
                        }
                    }
                    *old = content;
                }
            }
        }
        image
    }

    /// Changes of contents that are not durable.
    fn by_file(&self) -> BTreeMap<Id, Vec<&Change>> {
        let mut files: BTreeMap<Id, Vec<&Change>> = BTreeMap::new();
        for change in self.pending.iter().filter(|c| !is_names(c)) {
            files.entry(change.file).or_default().push(change);
        }
        files
    }
}

/// The lock and the control socket hold nothing, and what is not the journal's is no concern of this.
fn is_kept(path: &Path) -> bool {
    path.starts_with("state")
}

fn is_names(change: &Change) -> bool {
    matches!(change.kind, Kind::Names(_))
}

fn touches(change: &Change, id: Id) -> bool {
    matches!(&change.kind, Kind::Names(names) if names.iter().any(|(folder, ..)| *folder == id))
}

/// As much of a write as fits into some number of whole sectors.
fn torn(change: &Change, random: &mut fastrand::Rng) -> Change {
    let Kind::Write { offset, bytes } = &change.kind else { return change.clone() };
    let end = offset + bytes.len() as u64;
    let sectors = end.div_ceil(SECTOR_BYTES) - offset / SECTOR_BYTES;
    let border = (offset / SECTOR_BYTES + random.u64(0..=sectors)) * SECTOR_BYTES;
    let kept = index(border.clamp(*offset, end) - offset);
    Change { kind: Kind::Write { offset: *offset, bytes: bytes[..kept].into() }, ..change.clone() }
}

/// The pages that changes touched, up to a length.
fn touched(changes: &[&Change], len: u64) -> BTreeSet<u64> {
    let mut pages = BTreeSet::new();
    for change in changes {
        match &change.kind {
            Kind::Write { offset, bytes } if !bytes.is_empty() => {
                pages.extend(offset / PAGE_BYTES..=(offset + bytes.len() as u64 - 1) / PAGE_BYTES);
            }
            Kind::SetLen(to) => pages.extend(to / PAGE_BYTES..len.div_ceil(PAGE_BYTES)),
            Kind::Write { .. } | Kind::Names(_) => {}
        }
    }
    pages
}

/// Each page as it stood after some of the changes, and the length as it was after others.
fn pages_of_moments(durable: &Content, changes: &[&Change], random: &mut fastrand::Rng) -> Content {
    let mut moments = vec![durable.clone()];
    for change in changes {
        let mut next = moments.last().expect("one").clone();
        match &change.kind {
            Kind::Write { offset, bytes } => next.write(*offset, bytes),
            Kind::SetLen(len) => next.set_len(*len),
            Kind::Names(_) => {}
        }
        moments.push(next);
    }
    let mut mixed = durable.clone();
    let longest = moments.iter().map(|m| m.len).max().unwrap_or(0);
    for number in touched(changes, longest) {
        match random.choice(&moments).expect("one").pages.get(&number) {
            Some(page) => mixed.pages.insert(number, page.clone()),
            None => mixed.pages.remove(&number),
        };
    }
    let len = random.choice(&moments).expect("one").len;
    mixed.len = longest.max(len);
    mixed.set_len(len);
    mixed
}
