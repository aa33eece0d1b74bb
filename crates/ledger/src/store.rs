//! Appending: lock, write, let go, and only then sync and seal.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::error::{LedgerError, Result, io_error};
use crate::files::{LockFile, Paths, length, make_dir, open_read, open_rw, write_whole};
use crate::frame::{self, RECORD};
use crate::head::Head;
use crate::keys::{self, Key};
use crate::kind::Kind;
use crate::note::PublicKey;
use crate::offsets::{EVERY, Mark};
use crate::read::Reader;
use crate::record::{Durability, Prepared, Record, Recorded};
use crate::recover::{self, Recovered};
use crate::seal::{Fresh, Sealer};
use crate::sidecar;
use crate::tree::leaf_hash;
use crate::walk::SegmentHeader;

/// How a ledger is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How long to wait for another process before giving up with [`LedgerError::Busy`].
    pub lock_wait: Duration,
    /// Size in bytes above which a new segment begins.
    pub segment_bytes: u64,
    /// How often relaxed records are sealed.
    pub seal_every: Duration,
}

impl Default for Options {
    /// Two seconds, 64 MiB, one second.
    fn default() -> Self {
        Self {
            lock_wait: Duration::from_secs(2),
            segment_bytes: 64 << 20,
            seal_every: Duration::from_secs(1),
        }
    }
}

/// The ledger of a state directory, open for appending. Any number of processes and threads may have it open.
#[derive(Debug)]
pub struct Ledger {
    paths: Paths,
    options: Options,
    files: Mutex<Files>,
    sealer: Mutex<Sealer>,
}

#[derive(Debug)]
struct Files {
    lock: LockFile,
    io: Io,
}

/// Open files and buffers, kept from record to record.
#[derive(Debug)]
struct Io {
    head: File,
    segment: Option<Segment>,
    line: Vec<u8>,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Segment {
    first: u64,
    data: File,
    side: Option<File>,
}

/// A panic elsewhere leaves nothing half done here that the files do not tell, so its poison is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an append leaves behind for sealing.
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) recorded: Recorded,
    pub(crate) head: Head,
    /// Whether the ledger had to be recovered, so that it must be sealed anew.
    pub(crate) recovered: bool,
}

impl Ledger {
    /// Opens the ledger in `state`: records in `state/ledger`, keys in `state/keys`. Reads nothing of it: a ledger that
    /// does not exist yet is begun by the first record.
    ///
    /// # Errors
    /// If the directories cannot be made or written.
    pub fn open(state: &Path, options: Options) -> Result<Self> {
        let paths = Paths::new(state);
        make_dir(&paths.ledger)?;
        make_dir(&paths.keys)?;
        let lock = LockFile::open(paths.lock())?;
        let io = Io { head: open_rw(&paths.head())?, segment: None, line: Vec::new(), bytes: Vec::new() };
        let sealer = Sealer::open(&paths)?;
        Ok(Self { paths, options, files: Mutex::new(Files { lock, io }), sealer: Mutex::new(sealer) })
    }

    /// Appends a record. When this returns, every other process sees it; a durable one is on disk and sealed too.
    /// `now` becomes its time.
    ///
    /// # Errors
    /// Any error means: do not let the action happen. The record may be in the ledger all the same, which then shows as
    /// a decision without an outcome.
    pub fn append(&self, record: &Record, durability: Durability, now: Timestamp) -> Result<Recorded> {
        let prepared = Prepared::new(record, now)?;
        let appended = match self.put(&prepared, now)? {
            Some(appended) => appended,
            None => {
                self.create(now)?;
                let gone = || LedgerError::Unreadable {
                    path: self.paths.ledger.clone(),
                    why: "the ledger went away while it was begun".to_owned(),
                };
                self.put(&prepared, now)?.ok_or_else(gone)?
            }
        };
        let durable = durability == Durability::Durable || appended.recovered;
        let fresh = Fresh { paths: &self.paths, options: &self.options, appended: &appended, durable, now };
        lock(&self.sealer).seal(fresh)?;
        Ok(appended.recorded)
    }

    /// A reader of the same ledger.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(self.paths.clone())
    }

    /// The key in force, for whoever checks the ledger elsewhere; `None` before the first record.
    ///
    /// # Errors
    /// If the key cannot be read.
    pub fn public_key(&self) -> Result<Option<PublicKey>> {
        Ok(keys::load(&keys::current_path(&self.paths))?.map(|key| key.public()))
    }

    /// Erases a sealed value for good. The erasure is recorded first, in `record`, which says who erases (its kind
    /// becomes [`Kind::LEDGER_ERASED`]); proofs of the erased record hold as before. `reason` stays readable for ever.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchRecord`], [`LedgerError::NoSuchField`], or as [`Ledger::append`]. If it fails after
    /// recording, do it again.
    pub fn erase(
        &self,
        index: u64,
        field: &str,
        reason: &str,
        record: Record,
        now: Timestamp,
    ) -> Result<Recorded> {
        let reader = self.reader();
        let entry = reader.get(index)?.ok_or(LedgerError::NoSuchRecord(index))?;
        if !entry.record()?.sealed.contains_key(field) {
            return Err(LedgerError::NoSuchField { index, field: field.to_owned() });
        }
        let record = record
            .of_kind(Kind::LEDGER_ERASED)
            .with("index", index)
            .with("field", field)
            .with("reason", reason);
        let recorded = self.append(&record, Durability::Durable, now)?;
        for slot in reader.slots(&entry)?.iter().filter(|slot| slot.name == field) {
            sidecar::erase(&self.paths, entry.segment(), slot)?;
        }
        Ok(recorded)
    }

    /// Puts a new signing key in force, signed by the old one, and overwrites the old one: from then on nobody can sign
    /// the past again. Returns the new public key.
    ///
    /// # Errors
    /// As [`Ledger::append`]; [`LedgerError::KeyMissing`] before the first record. A change that was interrupted is
    /// finished, or undone, by the next seal.
    pub fn rotate_key(&self, now: Timestamp) -> Result<PublicKey> {
        let mut sealer = lock(&self.sealer);
        let wait = self.options.lock_wait;
        sealer.locked(wait, |sealer| {
            sealer.settle(&self.paths)?;
            let current = keys::current_path(&self.paths);
            let old = keys::load(&current)?.ok_or(LedgerError::KeyMissing(current))?;
            let new = Key::random(Some(old.origin.clone()), old.epoch + 1)?;
            let public = new.public();
            new.write(&keys::next_path(&self.paths))?;
            let record = Record::new(Kind::KEY_ROTATED)
                .with("epoch", new.epoch)
                .with("old", old.public().to_string())
                .with("key", public.to_string())
                .with("signature", old.hand_over(&public));
            let prepared = Prepared::new(&record, now)?;
            let appended = self.put(&prepared, now)?.ok_or(LedgerError::NoSuchRecord(0))?;
            sealer.sign(&self.paths, &appended.head, &old, true, now)?;
            keys::promote(&self.paths)?;
            Ok(public)
        })
    }

    /// Writes a record under the lock; `None` if there is no ledger yet.
    fn put(&self, prepared: &Prepared, now: Timestamp) -> Result<Option<Appended>> {
        let mut files = lock(&self.files);
        let Files { lock, io } = &mut *files;
        let _held = lock.acquire(self.options.lock_wait)?;
        let Some(mut writer) = Writer::load(&self.paths, self.options, io, now)? else { return Ok(None) };
        let recorded = writer.put(prepared, now)?;
        Ok(Some(Appended { recorded, head: writer.head, recovered: writer.recovered }))
    }

    /// Begins the ledger: key, first segment, first record. Another process may do the same at the same time.
    fn create(&self, now: Timestamp) -> Result<()> {
        let mut sealer = lock(&self.sealer);
        sealer.locked(self.options.lock_wait, |_| {
            let mut files = lock(&self.files);
            let Files { lock, io } = &mut *files;
            let _held = lock.acquire(self.options.lock_wait)?;
            if !self.paths.segments()?.is_empty() {
                return Ok(());
            }
            let path = keys::current_path(&self.paths);
            let (key, used) = match keys::load(&path)? {
                Some(key) => (key, true),
                None => (Key::random(None, 1)?, false),
            };
            if !used {
                key.write(&path)?;
            }
            let empty = Head { first: 0, offset: 0, side: 0, latest: i64::MIN, tree: Default::default() };
            let header = recover::header_frame(&empty, key.origin.clone());
            write_whole(&self.paths.segment(0), &header)?;
            let head = Head { offset: header.len() as u64, ..empty };
            let mut writer = Writer { paths: &self.paths, options: self.options, io, head, recovered: false };
            // `used` tells that another ledger was here before: its key remains, its records are gone.
            let record = Record::new(Kind::LEDGER_CREATED)
                .with("origin", key.origin.as_str())
                .with("key", key.public().to_string())
                .with("epoch", key.epoch)
                .with("used_key", used);
            let _ = writer.put(&Prepared::new(&record, now)?, now)?;
            Ok(())
        })
    }
}

/// The right to write, which exists only under the lock.
#[derive(Debug)]
struct Writer<'a> {
    paths: &'a Paths,
    options: Options,
    io: &'a mut Io,
    head: Head,
    recovered: bool,
}

impl<'a> Writer<'a> {
    /// Finds the end of the ledger: by the head if it fits, else by the segments.
    fn load(paths: &'a Paths, options: Options, io: &'a mut Io, now: Timestamp) -> Result<Option<Self>> {
        if io.head.metadata().map_err(io_error("look at", &paths.head()))?.nlink() == 0 {
            // Somebody removed or replaced it: others use its successor, so must we.
            io.head = open_rw(&paths.head())?;
        }
        let found = match Head::read(&io.head) {
            Some(head) => match io.segment_length(paths, head.first)? {
                Some(length) if length == head.offset => {
                    return Ok(Some(Self { paths, options, io, head, recovered: false }));
                }
                Some(length) if length > head.offset => Some(recover::roll_forward(paths, head)?),
                _ => recover::rebuild(paths, Some(head.tree.size()))?,
            },
            None => recover::rebuild(paths, None)?,
        };
        let Some(found) = found else { return Ok(None) };
        let empty = Head { first: 0, offset: 0, side: 0, latest: i64::MIN, tree: Default::default() };
        let mut writer = Self { paths, options, io, head: empty, recovered: false };
        writer.adopt(found, now)?;
        Ok(Some(writer))
    }

    /// Goes on from a recovered end, and records what was found.
    fn adopt(&mut self, found: Recovered, now: Timestamp) -> Result<()> {
        self.head = found.head;
        self.recovered |= !found.notes.is_empty();
        self.io.segment = None;
        if found.fresh {
            self.rotate(now)?;
        }
        self.io.write_head(self.paths, &self.head)?;
        for note in &found.notes {
            let _ = self.put(&Prepared::new(note, now)?, now)?;
        }
        Ok(())
    }

    fn put(&mut self, prepared: &Prepared, now: Timestamp) -> Result<Recorded> {
        // The index has at most 20 digits, so this is at most a few bytes too much.
        prepared.line(self.head.tree.size(), &mut self.io.line);
        let bytes = (self.io.line.len() + frame::PREFIX) as u64;
        if self.head.tree.size() > self.head.first && self.head.offset + bytes > self.options.segment_bytes {
            self.rotate(now)?;
            prepared.line(self.head.tree.size(), &mut self.io.line);
        }
        let index = self.head.tree.size();
        let leaf = leaf_hash(&self.io.line);
        self.io.bytes.clear();
        let Io { line, bytes, .. } = &mut *self.io;
        frame::encode(RECORD, line, bytes);
        let mut next = self.head.clone();
        next.offset += self.io.bytes.len() as u64;
        next.latest = next.latest.max(prepared.at);
        next.tree.push(leaf);
        if !prepared.openings.is_empty() {
            next.side = self.put_side(index, prepared)?;
        }
        if let Err(error) = self.put_data(&next, index) {
            self.undo();
            return Err(error);
        }
        self.head = next;
        Ok(Recorded { index, leaf })
    }

    fn put_data(&mut self, next: &Head, index: u64) -> Result<()> {
        let path = self.paths.segment(self.head.first);
        let mark = Mark { offset: self.head.offset, side: self.head.side, latest: self.head.latest };
        let bytes = std::mem::take(&mut self.io.bytes);
        let segment = self.io.segment(self.paths, self.head.first)?;
        let written = segment.data.write_all_at(&bytes, self.head.offset).map_err(io_error("write", &path));
        self.io.bytes = bytes;
        written?;
        if (index - self.head.first).is_multiple_of(EVERY) {
            // Only a help for readers, who do without it: no reason to refuse the record.
            let _ = mark.write(self.paths, self.head.first, index);
        }
        self.io.write_head(self.paths, next)
    }

    /// Writes the sealed values, before the record that commits to them; returns where the sidecar then ends.
    fn put_side(&mut self, index: u64, prepared: &Prepared) -> Result<u64> {
        let path = self.paths.side(self.head.first);
        let mut bytes = Vec::new();
        sidecar::encode(index, &prepared.openings, &mut bytes);
        let segment = self.io.segment(self.paths, self.head.first)?;
        let side = match &segment.side {
            Some(side) if side.metadata().is_ok_and(|meta| meta.nlink() > 0) => side,
            _ => segment.side.insert(open_rw(&path)?),
        };
        if length(side, &path)? != self.head.side {
            // Longer: values of a record that never came to be. Shorter: values lost, which verification reports.
            self.head.side = recover::end_of_side(self.paths, &self.head)?;
        }
        if let Err(error) = side.write_all_at(&bytes, self.head.side) {
            self.undo();
            return Err(io_error("write", &path)(error));
        }
        Ok(self.head.side + bytes.len() as u64)
    }

    /// Takes back a write that failed. What cannot be taken back is found by the next one.
    fn undo(&mut self) {
        let Head { offset, side, .. } = self.head;
        if let Some(segment) = &self.io.segment {
            let _ = segment.data.set_len(offset);
            if let Some(file) = &segment.side {
                let _ = file.set_len(side);
            }
        }
        let head = self.head.clone();
        let _ = self.io.write_head(self.paths, &head);
    }

    /// Begins a new segment, with all before it on disk.
    fn rotate(&mut self, now: Timestamp) -> Result<()> {
        sync_segment(self.paths, self.head.first, self.head.side > 0)?;
        let first = self.head.tree.size();
        let origin = self.origin()?;
        let path = self.paths.segment(first);
        let header = recover::header_frame(&self.head, origin);
        if let Some(file) = open_read(&path)?
            && length(&file, &path)? > header.len() as u64
        {
            // The head was put back to an older one: there are records that it does not know of.
            let found = recover::rebuild(self.paths, None)?;
            let size = found.as_ref().map_or(0, |found| found.head.tree.size());
            return match found {
                Some(found) if size > first => self.adopt(found, now),
                _ => {
                    Err(LedgerError::Unreadable { path, why: "it is in the way of a new segment".to_owned() })
                }
            };
        }
        write_whole(&path, &header)?;
        self.io.segment = None;
        (self.head.first, self.head.offset, self.head.side) = (first, header.len() as u64, 0);
        self.io.write_head(self.paths, &self.head)
    }

    fn origin(&self) -> Result<String> {
        if let Some((header, _)) = SegmentHeader::read(self.paths, self.head.first)? {
            return Ok(header.origin);
        }
        let path = keys::current_path(self.paths);
        Ok(keys::load(&path)?.ok_or(LedgerError::KeyMissing(path))?.origin)
    }
}

/// Makes a segment and its sidecar survive a power loss.
pub(crate) fn sync_segment(paths: &Paths, first: u64, side: bool) -> Result<()> {
    for path in [Some(paths.segment(first)), side.then(|| paths.side(first))].into_iter().flatten() {
        if let Some(file) = open_read(&path)? {
            file.sync_data().map_err(io_error("sync", &path))?;
        }
    }
    Ok(())
}

impl Io {
    /// Length of a segment, which is opened if need be; `None` if it does not exist.
    fn segment_length(&mut self, paths: &Paths, first: u64) -> Result<Option<u64>> {
        let path = paths.segment(first);
        if let Some(segment) = self.segment.as_ref().filter(|segment| segment.first == first) {
            let meta = segment.data.metadata().map_err(io_error("look at", &path))?;
            if meta.nlink() > 0 {
                return Ok(Some(meta.len()));
            }
        }
        self.segment = None;
        if open_read(&path)?.is_none() {
            return Ok(None);
        }
        length(&self.segment(paths, first)?.data, &path).map(Some)
    }

    fn segment(&mut self, paths: &Paths, first: u64) -> Result<&mut Segment> {
        let known = self.segment.take().filter(|segment| segment.first == first);
        let segment = match known {
            Some(segment) => segment,
            None => Segment { first, data: open_rw(&paths.segment(first))?, side: None },
        };
        Ok(self.segment.insert(segment))
    }

    /// Writes the head in place. A head that is cut short by a crash does not fit its checksum and is made again.
    fn write_head(&mut self, paths: &Paths, head: &Head) -> Result<()> {
        head.encode(&mut self.bytes);
        self.head.write_all_at(&self.bytes, 0).map_err(io_error("write", &paths.head()))
    }
}
