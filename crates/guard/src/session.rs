//! What a session has done and seen, kept in files between one hook call and the next.
//!
//! A directory a session holds a sorted `table` and an append-only `log` of the newest entries, both of fixed-size
//! entries with a checksum, so that a lookup costs a binary search however long the session is, and a torn write is
//! seen. Calls of one session run side by side: writing is under a lock with a deadline.

use model::AbsPath;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of an entry: 16 of key, 1 of marks, 11 of zeros, 4 of checksum.
const ENTRY: usize = 32;
/// Bytes of the table's header: magic, version, number of entries, marks of the session, checksum.
const HEADER: usize = 32;
const MAGIC: &[u8; 8] = b"ambitses";
const VERSION: u32 = 1;
/// The log is merged into the table when it has grown to this many entries.
const MERGE_AT: u64 = 256;

/// What is known of a path or of the session: bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks(u8);

impl Marks {
    /// The session created the path where nothing was before.
    pub const CREATED: Self = Self(1);
    /// The session wrote the path.
    pub const WROTE: Self = Self(2);
    /// The session downloaded the path.
    pub const DOWNLOADED: Self = Self(4);
    /// The session has seen content that strangers may have written (of the session itself).
    pub const UNTRUSTED_SEEN: Self = Self(8);
    /// The session has read sensitive data (of the session itself).
    pub const SENSITIVE_READ: Self = Self(16);

    /// Whether all of `other`'s marks are set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of marks.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether no mark is set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Why a session's state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A file cannot be read or written.
    #[error("cannot keep the session's state: {0}; make room or mend the permissions of that directory")]
    Io(#[from] std::io::Error),
    /// Another process holds the lock and does not let go.
    #[error("another process has held the session's lock at `{path}` for {seconds} s; end it or wait, then run the call again", path = path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
}

/// A session's state, open for lookups; [`Session::add`] writes.
#[derive(Debug)]
pub struct Session {
    dir: PathBuf,
    table: Option<Table>,
    recent: Vec<([u8; 16], Marks)>,
    own: Marks,
    /// What was found torn, foreign or of another version when opening; the state is then incomplete.
    pub damage: Option<String>,
    /// Whether nothing was there: a new session, or one whose state was lost.
    pub fresh: bool,
}

#[derive(Debug)]
struct Table {
    file: File,
    entries: u64,
}

fn key(path: &AbsPath) -> [u8; 16] {
    digest16(path.as_str().as_bytes())
}

fn digest16(bytes: &[u8]) -> [u8; 16] {
    let full = Sha256::digest(bytes);
    let mut out = [0u8; 16];
    for (o, b) in out.iter_mut().zip(full) {
        *o = b;
    }
    out
}

/// A file's name for any text.
pub(crate) fn name_of(text: &str) -> String {
    digest16(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// The directory of a session's state below `sessions`.
pub(crate) fn directory(sessions: &Path, session: &str) -> PathBuf {
    sessions.join(name_of(session))
}

/// The key under which marks of the session itself stand: no path hashes to zeros.
const OWN: [u8; 16] = [0; 16];

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let full = Sha256::digest(bytes);
    let mut out = [0u8; 4];
    for (o, b) in out.iter_mut().zip(full) {
        *o = b;
    }
    out
}

fn encode(key: &[u8; 16], marks: Marks) -> [u8; ENTRY] {
    let mut body = [0u8; ENTRY];
    for (slot, byte) in body.iter_mut().zip(key.iter().chain(std::iter::once(&marks.0))) {
        *slot = *byte;
    }
    let sum = checksum(body.get(..28).unwrap_or(&[]));
    for (slot, byte) in body.iter_mut().skip(28).zip(sum) {
        *slot = byte;
    }
    body
}

fn decode(bytes: &[u8]) -> Option<([u8; 16], Marks)> {
    let body = bytes.get(..28)?;
    if bytes.get(28..ENTRY)? != checksum(body) {
        return None;
    }
    let key: [u8; 16] = body.get(..16)?.try_into().ok()?;
    Some((key, Marks(*body.get(16)?)))
}

fn header(entries: u64, own: Marks) -> [u8; HEADER] {
    let mut out = [0u8; HEADER];
    let body = MAGIC
        .iter()
        .copied()
        .chain(VERSION.to_le_bytes())
        .chain(entries.to_le_bytes())
        .chain(std::iter::once(own.0));
    for (slot, byte) in out.iter_mut().zip(body) {
        *slot = byte;
    }
    let sum = checksum(out.get(..28).unwrap_or(&[]));
    for (slot, byte) in out.iter_mut().skip(28).zip(sum) {
        *slot = byte;
    }
    out
}

fn parse_header(bytes: &[u8; HEADER]) -> Result<(u64, Marks), &'static str> {
    if bytes.get(..8) != Some(MAGIC.as_slice()) {
        return Err("it is not a session table");
    }
    if bytes.get(8..12) != Some(VERSION.to_le_bytes().as_slice()) {
        return Err("it was written by another version of Ambit");
    }
    if bytes.get(28..) != Some(checksum(bytes.get(..28).unwrap_or(&[])).as_slice()) {
        return Err("its header is torn");
    }
    let entries = bytes.get(12..20).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
    Ok((entries.unwrap_or(0), Marks(bytes.get(20).copied().unwrap_or(0))))
}

impl Session {
    /// Opens the state of a session below `sessions`. Damage is reported in [`Session::damage`] and never hides what
    /// can still be read; the caller rebuilds the rest from the ledger.
    ///
    /// # Errors
    /// [`SessionError`] when the directory cannot be made or read.
    pub fn open(sessions: &Path, session: &str) -> Result<Self, SessionError> {
        let dir = directory(sessions, session);
        let fresh = !dir.join("log").exists() && !dir.join("table").exists();
        if fresh {
            fs_err::create_dir_all(&dir)?;
        }
        let mut out =
            Self { dir, table: None, recent: Vec::new(), own: Marks::default(), damage: None, fresh };
        if !fresh {
            out.load()?;
        }
        Ok(out)
    }

    fn load(&mut self) -> Result<(), SessionError> {
        match fs_err::File::open(self.dir.join("table")) {
            Ok(file) => {
                let mut file = file.into_parts().0;
                let mut bytes = [0u8; HEADER];
                let length = file.metadata()?.len();
                let parsed = file.read_exact(&mut bytes).map_err(|_| "it is shorter than its header");
                match parsed.and_then(|()| parse_header(&bytes)) {
                    Ok((entries, own)) if length == HEADER as u64 + entries.saturating_mul(ENTRY as u64) => {
                        self.own = self.own.and(own);
                        self.table = Some(Table { file, entries });
                    }
                    Ok(_) => self.damage = Some("the session's table is torn".to_owned()),
                    Err(why) => self.damage = Some(format!("the session's table cannot be used: {why}")),
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(e.into()),
        }
        let log = match fs_err::read(self.dir.join("log")) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(e.into()),
        };
        let mut chunks = log.chunks_exact(ENTRY);
        for chunk in &mut chunks {
            match decode(chunk) {
                Some((OWN, marks)) => self.own = self.own.and(marks),
                Some(entry) => self.recent.push(entry),
                None => self.damage = Some("an entry of the session's log is torn".to_owned()),
            }
        }
        if !chunks.remainder().is_empty() {
            self.damage = Some("the end of the session's log is torn".to_owned());
        }
        Ok(())
    }

    /// The marks of the session itself.
    #[must_use]
    pub fn own(&self) -> Marks {
        self.own
    }

    /// The marks of a path.
    #[must_use]
    pub fn marks(&self, path: &AbsPath) -> Marks {
        let key = key(path);
        let mut marks =
            self.recent.iter().filter(|(k, _)| *k == key).fold(Marks::default(), |m, (_, n)| m.and(*n));
        if let Some(table) = &self.table {
            marks = marks.and(table.find(&key));
        }
        marks
    }

    /// Adds marks to paths and to the session itself, and merges the log when it has grown.
    ///
    /// # Errors
    /// [`SessionError::Busy`] when the lock is not free within `wait`, or an I/O error.
    pub fn add(
        &mut self,
        paths: &[(AbsPath, Marks)],
        own: Marks,
        wait: Duration,
    ) -> Result<(), SessionError> {
        let mut bytes = Vec::with_capacity((paths.len() + 1) * ENTRY);
        for (path, marks) in paths {
            if !self.marks(path).has(*marks) {
                bytes.extend_from_slice(&encode(&key(path), *marks));
                self.recent.push((key(path), *marks));
            }
        }
        if !self.own.has(own) || (self.fresh && bytes.is_empty()) {
            bytes.extend_from_slice(&encode(&OWN, own));
            self.own = self.own.and(own);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let _lock = lock(&self.dir.join("lock"), wait)?;
        let mut log = File::options().create(true).append(true).open(self.dir.join("log"))?;
        let length = log.seek(SeekFrom::End(0))?;
        let torn = length % ENTRY as u64;
        if torn != 0 {
            // A write that was cut off: what it would have said is rebuilt from the ledger, the frame is restored.
            log.set_len(length - torn)?;
        }
        log.write_all(&bytes)?;
        self.fresh = false;
        if (length + bytes.len() as u64) / ENTRY as u64 >= MERGE_AT {
            self.merge()?;
        }
        Ok(())
    }

    /// Writes what can still be read as a whole table again, after damage. What was lost is for the caller to add.
    ///
    /// # Errors
    /// As [`Session::add`].
    pub fn repair(&mut self, wait: Duration) -> Result<(), SessionError> {
        let _lock = lock(&self.dir.join("lock"), wait)?;
        if !self.dir.join("log").exists() {
            fs_err::write(self.dir.join("log"), [])?;
        }
        self.merge()
    }

    /// Merges log and table into a new table. The caller holds the lock.
    fn merge(&mut self) -> Result<(), SessionError> {
        // Other processes may have appended since this one opened: both files are read anew under the lock.
        let mut now = Self {
            dir: self.dir.clone(),
            table: None,
            recent: Vec::new(),
            own: Marks::default(),
            damage: None,
            fresh: false,
        };
        now.load()?;
        let mut all: Vec<([u8; 16], Marks)> =
            now.table.as_ref().map(Table::all).transpose()?.unwrap_or_default();
        all.append(&mut now.recent);
        all.sort_by_key(|e| e.0);
        all.dedup_by(|b, a| {
            let same = a.0 == b.0;
            if same {
                a.1 = a.1.and(b.1);
            }
            same
        });
        let own = self.own.and(now.own);
        let mut bytes = Vec::with_capacity(HEADER + all.len() * ENTRY);
        bytes.extend_from_slice(&header(all.len() as u64, own));
        for (key, marks) in &all {
            bytes.extend_from_slice(&encode(key, *marks));
        }
        let new = self.dir.join("table.new");
        fs_err::write(&new, &bytes)?;
        fs_err::rename(&new, self.dir.join("table"))?;
        File::options().write(true).open(self.dir.join("log"))?.set_len(0)?;
        self.recent.clear();
        self.own = own;
        self.damage = None;
        self.table = None;
        self.load()
    }
}

impl Table {
    fn entry(&self, at: u64) -> Option<([u8; 16], Marks)> {
        let mut bytes = [0u8; ENTRY];
        self.file.read_exact_at(&mut bytes, HEADER as u64 + at * ENTRY as u64).ok()?;
        decode(&bytes)
    }

    fn find(&self, key: &[u8; 16]) -> Marks {
        let (mut low, mut high) = (0, self.entries);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.entry(middle) {
                Some((k, marks)) if k == *key => return marks,
                Some((k, _)) if k < *key => low = middle + 1,
                Some(_) => high = middle,
                None => return Marks::default(),
            }
        }
        Marks::default()
    }

    fn all(&self) -> std::io::Result<Vec<([u8; 16], Marks)>> {
        let mut bytes = vec![0u8; usize::try_from(self.entries).unwrap_or(0).saturating_mul(ENTRY)];
        self.file.read_exact_at(&mut bytes, HEADER as u64)?;
        Ok(bytes.chunks_exact(ENTRY).filter_map(decode).collect())
    }
}

/// Takes an exclusive lock, trying until `wait` has passed. The kernel lets go of it when the holder dies.
pub(crate) fn lock(path: &Path, wait: Duration) -> Result<File, SessionError> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    let begin = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
            Err(e) => return Err(std::io::Error::from(e).into()),
        }
        if begin.elapsed() >= wait {
            return Err(SessionError::Busy { path: path.to_owned(), seconds: wait.as_secs() });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(5);
    fn path(i: usize) -> AbsPath {
        AbsPath::parse(&format!("/w/file-{i}")).unwrap()
    }

    #[test]
    fn keeps_marks_over_many_calls_and_merges() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..700 {
            let mut s = Session::open(dir.path(), "s").unwrap();
            assert_eq!(s.fresh, i == 0);
            s.add(&[(path(i), Marks::CREATED), (path(i % 7), Marks::WROTE)], Marks::default(), WAIT).unwrap();
        }
        let mut s = Session::open(dir.path(), "s").unwrap();
        s.add(&[], Marks::UNTRUSTED_SEEN, WAIT).unwrap();
        let s = Session::open(dir.path(), "s").unwrap();
        assert!(s.damage.is_none());
        assert!(s.own().has(Marks::UNTRUSTED_SEEN) && !s.own().has(Marks::SENSITIVE_READ));
        assert!((0..700).all(|i| s.marks(&path(i)).has(Marks::CREATED)));
        assert!((0..7).all(|i| s.marks(&path(i)).has(Marks::WROTE)));
        assert!(s.marks(&path(9_999)).is_empty());
        assert!(Session::open(dir.path(), "other").unwrap().marks(&path(1)).is_empty());
    }

    #[test]
    fn side_by_side_calls_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for t in 0..8 {
                let dir = dir.path();
                scope.spawn(move || {
                    for i in 0..100 {
                        let mut s = Session::open(dir, "s").unwrap();
                        s.add(&[(path(t * 1000 + i), Marks::WROTE)], Marks::default(), WAIT).unwrap();
                    }
                });
            }
        });
        let s = Session::open(dir.path(), "s").unwrap();
        assert!(s.damage.is_none(), "{:?}", s.damage);
        assert!((0..8).all(|t| (0..100).all(|i| s.marks(&path(t * 1000 + i)).has(Marks::WROTE))));
    }

    #[test]
    fn damage_is_seen_and_the_rest_stays_readable() {
        let dir = tempfile::tempdir().unwrap();
        let mut s = Session::open(dir.path(), "s").unwrap();
        s.add(&[(path(1), Marks::WROTE), (path(2), Marks::WROTE)], Marks::default(), WAIT).unwrap();
        let log = s.dir.join("log");
        let whole = std::fs::read(&log).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&log, &whole[..cut]).unwrap();
            let s = Session::open(dir.path(), "s").unwrap();
            assert_eq!(s.damage.is_some(), cut % ENTRY != 0, "{cut}");
        }
        std::fs::write(&log, &whole[..ENTRY + 5]).unwrap();
        let mut s = Session::open(dir.path(), "s").unwrap();
        assert!(s.damage.is_some() && s.marks(&path(1)).has(Marks::WROTE));
        s.add(&[(path(3), Marks::WROTE)], Marks::default(), WAIT).unwrap();
        let s = Session::open(dir.path(), "s").unwrap();
        assert!(s.damage.is_none() && s.marks(&path(3)).has(Marks::WROTE));
        std::fs::write(s.dir.join("table"), b"ambitsesxxxx").unwrap();
        let mut s = Session::open(dir.path(), "s").unwrap();
        assert!(s.damage.is_some());
        s.repair(WAIT).unwrap();
        let s = Session::open(dir.path(), "s").unwrap();
        assert!(s.damage.is_none() && s.marks(&path(3)).has(Marks::WROTE));
    }

    #[test]
    fn a_stuck_holder_is_an_error_not_a_wait_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let mut s = Session::open(dir.path(), "s").unwrap();
        s.add(&[], Marks::default(), WAIT).unwrap();
        let _held = lock(&s.dir.join("lock"), WAIT).unwrap();
        let e = s.add(&[(path(1), Marks::WROTE)], Marks::default(), Duration::from_millis(50)).unwrap_err();
        assert!(matches!(e, SessionError::Busy { .. }));
    }
}
