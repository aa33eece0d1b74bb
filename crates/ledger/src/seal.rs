//! Sealing: a signed checkpoint over the tree, appended to the file `checkpoints`, one note after the other with an
//! empty line after each.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use jiff::Timestamp;
use memchr::memmem;

use crate::error::{LedgerError, Result, io_error};
use crate::files::{LockFile, Paths, length, make_dir, open_read, open_rw, write_whole};
use crate::head::Head;
use crate::keys::{self, Key};
use crate::kind::Kind;
use crate::note::{Checkpoint, SignedCheckpoint};
use crate::read::Reader;
use crate::store::{Appended, Options, sync_segment};

/// Longer than any note of ours, in bytes.
const WINDOW: u64 = 4096;

/// Whoever seals: one at a time, so that checkpoints grow in order and one sync serves all who wait.
#[derive(Debug)]
pub(crate) struct Sealer {
    lock: LockFile,
    signer: Signer,
}

/// What is needed under the seal lock.
#[derive(Debug, Default)]
pub(crate) struct Signer {
    /// The key in force, with the file's text that it was read from.
    key: Option<(String, Key)>,
    /// Time of the last checkpoint that was seen, to spare reading it for every relaxed record.
    last: Option<Timestamp>,
}

fn recent(last: Timestamp, now: Timestamp, every: Duration) -> bool {
    // A clock that stepped back is no reason to stop sealing.
    last <= now && now.duration_since(last).unsigned_abs() < every
}

/// What was just appended and is to be sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fresh<'a> {
    pub(crate) paths: &'a Paths,
    pub(crate) options: &'a Options,
    pub(crate) appended: &'a Appended,
    /// At once and on disk, else only if the last checkpoint is old enough.
    pub(crate) durable: bool,
    pub(crate) now: Timestamp,
}

impl Sealer {
    pub(crate) fn open(paths: &Paths) -> Result<Self> {
        Ok(Self { lock: LockFile::open(paths.seal_lock())?, signer: Signer::default() })
    }

    /// Runs `work` under the seal lock.
    pub(crate) fn locked<T>(
        &mut self,
        wait: Duration,
        work: impl FnOnce(&mut Signer) -> Result<T>,
    ) -> Result<T> {
        let _held = self.lock.acquire(wait)?;
        work(&mut self.signer)
    }

    /// Seals what was appended: at once and on disk if it is durable, else if the last checkpoint is old enough.
    pub(crate) fn seal(&mut self, fresh: Fresh<'_>) -> Result<()> {
        let Fresh { options, durable, now, .. } = fresh;
        if !durable && self.signer.last.is_some_and(|last| recent(last, now, options.seal_every)) {
            return Ok(());
        }
        let wait = if durable { options.lock_wait } else { Duration::ZERO };
        let done = self.locked(wait, |signer| signer.seal(fresh));
        match done {
            // Whoever holds the lock is sealing.
            Err(LedgerError::Busy { .. }) if !durable => Ok(()),
            done => done,
        }
    }
}

impl Signer {
    fn seal(&mut self, fresh: Fresh<'_>) -> Result<()> {
        let Fresh { paths, options, appended, durable, now } = fresh;
        let last = last_checkpoint(paths)?.0.map(|note| note.checkpoint().clone());
        self.last = last.as_ref().and_then(|last| last.time);
        let file = open_read(&paths.head())?;
        // Without the lock the head may be caught while it is written; soon after it is whole.
        let newer = file.and_then(|file| (0..4).find_map(|_| Head::read(&file)));
        let head = newer
            .as_ref()
            .filter(|new| new.tree.size() > appended.head.tree.size())
            .unwrap_or(&appended.head);
        if let Some(last) = last {
            // One who came later may have synced and sealed for us; not if the ledger has shrunk since.
            let covered = last.durable > appended.recorded.index && last.size <= head.tree.size();
            let fresh = self.last.is_some_and(|last| recent(last, now, options.seal_every));
            if if durable { covered && !appended.recovered } else { fresh } {
                return Ok(());
            }
        }
        self.settle(paths)?;
        self.refresh(paths)?;
        let Some((text, key)) = self.key.take() else {
            return Err(LedgerError::KeyMissing(keys::current_path(paths)));
        };
        let signed = self.sign(paths, head, &key, durable, now);
        self.key = Some((text, key));
        signed
    }

    /// Reads the key again if its file changed.
    fn refresh(&mut self, paths: &Paths) -> Result<()> {
        let path = keys::current_path(paths);
        let text = keys::read(&path)?.ok_or_else(|| LedgerError::KeyMissing(path.clone()))?;
        if self.key.as_ref().is_none_or(|(known, _)| *known != text) {
            let key = keys::parse(&path, &text)?;
            self.key = Some((text, key));
        }
        Ok(())
    }

    /// Finishes a change of keys that was interrupted, or undoes it if it never was recorded.
    pub(crate) fn settle(&mut self, paths: &Paths) -> Result<()> {
        let path = keys::next_path(paths);
        let Some(next) = keys::load(&path)? else { return Ok(()) };
        let wanted = next.public().to_string();
        for entry in Reader::new(paths.clone()).backward()? {
            let entry = entry?;
            if entry.kind() == Kind::KEY_ROTATED.as_str() {
                if entry.record()?.text("key") == Some(&wanted) {
                    return keys::promote(paths);
                }
                break;
            }
        }
        std::fs::remove_file(&path).map_err(io_error("remove", &path))
    }

    /// Signs a checkpoint over `head` and appends it; what it covers is synced first if it is to be durable.
    pub(crate) fn sign(
        &mut self,
        paths: &Paths,
        head: &Head,
        key: &Key,
        durable: bool,
        now: Timestamp,
    ) -> Result<()> {
        let (last, end) = last_checkpoint(paths)?;
        let size = head.tree.size();
        if durable {
            sync_segment(paths, head.first, head.side > 0)?;
        }
        let before = last.map_or(0, |last| last.checkpoint().durable.min(size));
        let checkpoint = Checkpoint {
            origin: key.origin.clone(),
            size,
            root: head.tree.root(),
            time: Some(now),
            durable: if durable { size } else { before },
        };
        let path = paths.checkpoints();
        let file = open_rw(&path)?;
        set_aside_torn(paths, &file, end)?;
        let note = checkpoint.sign(&key.secret) + "\n";
        if let Err(error) = file.write_all_at(note.as_bytes(), end) {
            // Half a note is found and set aside by the next seal if this fails too.
            let _ = file.set_len(end);
            return Err(io_error("write", &path)(error));
        }
        self.last = Some(now);
        Ok(())
    }
}

/// Moves half a note at the end of the checkpoints aside.
fn set_aside_torn(paths: &Paths, file: &File, end: u64) -> Result<()> {
    let path = paths.checkpoints();
    let length = length(file, &path)?;
    if length <= end {
        return Ok(());
    }
    let mut bytes = vec![0; usize::try_from(length - end).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, end).map_err(io_error("read", &path))?;
    make_dir(&paths.torn())?;
    write_whole(&paths.torn().join(format!("checkpoints-{end}.bin")), &bytes)?;
    file.set_len(end).map_err(io_error("cut", &path))
}

/// The last whole checkpoint, and where in the file it ends.
pub(crate) fn last_checkpoint(paths: &Paths) -> Result<(Option<SignedCheckpoint>, u64)> {
    let path = paths.checkpoints();
    let Some(file) = open_read(&path)? else { return Ok((None, 0)) };
    let length = length(&file, &path)?;
    let start = length.saturating_sub(WINDOW);
    let mut bytes = vec![0; usize::try_from(length - start).unwrap_or(0)];
    file.read_exact_at(&mut bytes, start).map_err(io_error("read", &path))?;
    // The window may begin within a character.
    let skipped = bytes.iter().take_while(|byte| start > 0 && **byte & 0xC0 == 0x80).count();
    let text = String::from_utf8_lossy(bytes.get(skipped..).unwrap_or_default());
    let mut end = text.rfind("\n\n").map(|at| at + 2);
    while let Some(to) = end {
        let whole = text.get(..to).unwrap_or_default();
        let body = whole.strip_suffix("\n\n").unwrap_or_default();
        if let Some(middle) = body.rfind("\n\n")
            && body.get(middle..).is_some_and(|rest| rest.starts_with("\n\n\u{2014} "))
        {
            let begin = body.get(..middle).and_then(|text| text.rfind("\n\n")).map_or(0, |at| at + 2);
            if let Some(note) = whole.get(begin..to - 1).and_then(|note| note.parse().ok()) {
                return Ok((Some(note), start + (skipped + to) as u64));
            }
        }
        end = body.rfind("\n\n").map(|at| at + 2);
    }
    // Nothing in the window is a note: leave it all for verification, and go on behind it.
    Ok((None, if start > 0 { length } else { 0 }))
}

/// One checkpoint of the file, or bytes that are none.
#[derive(Debug)]
pub(crate) struct Line {
    /// Where it begins, in bytes.
    pub(crate) offset: u64,
    pub(crate) note: Option<SignedCheckpoint>,
}

/// All checkpoints in the file, in order.
pub(crate) fn checkpoints(paths: &Paths) -> Result<Vec<Line>> {
    use std::io::Read;
    let path = paths.checkpoints();
    let Some(mut file) = open_read(&path)? else { return Ok(Vec::new()) };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(io_error("read", &path))?;
    let text = String::from_utf8_lossy(&bytes);
    let (mut out, mut offset, mut rest) = (Vec::new(), 0_u64, text.as_ref());
    while !rest.is_empty() {
        let middle = memmem::find(rest.as_bytes(), "\n\n\u{2014} ".as_bytes());
        let end = middle.and_then(|middle| {
            Some(middle + 2 + memmem::find(rest.as_bytes().get(middle + 2..)?, b"\n\n")? + 2)
        });
        let end = end.unwrap_or(rest.len());
        let note = rest.get(..end.saturating_sub(1)).and_then(|note| note.parse().ok());
        out.push(Line { offset, note });
        offset += end as u64;
        rest = rest.get(end..).unwrap_or_default();
    }
    Ok(out)
}
