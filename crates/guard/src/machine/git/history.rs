//! Commits: what is checked out, whether the index holds just that, and whether a remote has it. Read from git's files,
//! within bounds; whatever lies beyond them is unknown.

use super::Repository;
use bstr::{BStr, ByteSlice};
use gix_index::extension::Tree;
use gix_index::hash::ObjectId;
use gix_object::{CommitRefIter, Find, Kind, TreeRefIter};
use model::{AbsPath, Tri};
use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

/// Objects larger than this are not read, so that a made-up repository cannot fill the memory.
const MAX_OBJECT: usize = 16 << 20;
/// Files with lists of refs larger than this are not read.
const MAX_REFS: u64 = 4 << 20;
/// Branches of remotes that are looked at.
const MAX_TIPS: usize = 2_000;
/// Commits that are looked at.
const MAX_COMMITS: usize = 5_000;
/// How far clocks of committers may be apart, in seconds.
const SKEW: i64 = 24 * 60 * 60;

/// The objects of a repository.
struct Objects {
    store: gix_odb::Handle,
    buffer: Vec<u8>,
}

impl Objects {
    fn open(common_dir: &Path) -> Option<Self> {
        let options = gix_odb::store::init::Options {
            alloc_limit_bytes: Some(MAX_OBJECT),
            // Paths of alternates are absolute or lie beneath the objects.
            current_dir: Some(common_dir.to_owned()),
            ..gix_odb::store::init::Options::default()
        };
        let objects = common_dir.join("objects");
        let store = gix_odb::at_opts(objects, gix_index::hash::Kind::Sha1, None, options).ok()?;
        Some(Self { store, buffer: Vec::new() })
    }

    fn get(&mut self, id: &ObjectId, kind: Kind) -> Option<&[u8]> {
        let found = self.store.try_find(id, &mut self.buffer).ok()??;
        (found.kind == kind).then_some(found.data)
    }

    fn tree_of(&mut self, commit: &ObjectId) -> Option<ObjectId> {
        let data = self.get(commit, Kind::Commit)?;
        CommitRefIter::from_bytes(data, gix_index::hash::Kind::Sha1).tree_id().ok()
    }

    /// The time of a commit in seconds since 1970, and its parents.
    fn commit(&mut self, id: &ObjectId) -> Option<(i64, Vec<ObjectId>)> {
        let data = self.get(id, Kind::Commit)?;
        let iter = || CommitRefIter::from_bytes(data, gix_index::hash::Kind::Sha1);
        Some((iter().committer().ok()?.seconds(), iter().parent_ids().collect()))
    }
}

impl Repository {
    /// The commit that is checked out; `None` where there is none yet, or it cannot be read.
    fn head(&self) -> Option<ObjectId> {
        let head = std::fs::read_to_string(self.git_dir.join("HEAD")).ok()?;
        match head.trim().strip_prefix("ref: ") {
            Some(name) => self.find_ref(name.trim())?,
            None => ObjectId::from_hex(head.trim().as_bytes()).ok(),
        }
    }

    /// What a ref points to, if it is there; the outer `None` when that cannot be read.
    fn find_ref(&self, name: &str) -> Option<Option<ObjectId>> {
        if name.split('/').any(|part| part == ".." || part.is_empty()) {
            return None;
        }
        if let Ok(text) = std::fs::read_to_string(self.common_dir.join(name)) {
            return Some(Some(ObjectId::from_hex(text.trim().as_bytes()).ok()?));
        }
        let mut found = None;
        self.packed(|packed, id| {
            if packed == name {
                found = Some(id);
            }
        })?;
        Some(found)
    }

    /// Whether a ref is there; `None` when that cannot be told.
    pub(super) fn has_ref(&self, name: &str) -> Option<bool> {
        // Another way of storing refs than files is not read.
        if self.common_dir.join("reftable").exists() {
            return None;
        }
        self.find_ref(name).map(|id| id.is_some())
    }

    /// Calls `f` for each of the packed refs. `None` when they cannot be read.
    fn packed(&self, mut f: impl FnMut(&str, ObjectId)) -> Option<()> {
        let file = self.common_dir.join("packed-refs");
        let Ok(meta) = std::fs::metadata(&file) else { return Some(()) };
        if meta.len() > MAX_REFS {
            return None;
        }
        let text = std::fs::read_to_string(file).ok()?;
        for line in text.lines().filter(|l| !l.starts_with(['#', '^'])) {
            let (id, name) = line.split_once(' ')?;
            f(name, ObjectId::from_hex(id.as_bytes()).ok()?);
        }
        Some(())
    }

    /// The commits that branches of remotes stood at when the repository last heard of them.
    fn tips(&self) -> Option<HashSet<ObjectId>> {
        let mut tips = HashSet::new();
        self.packed(|name, id| {
            if name.starts_with("refs/remotes/") {
                tips.insert(id);
            }
        })?;
        let mut dirs = vec![self.common_dir.join("refs/remotes")];
        let mut seen = 0usize;
        while let Some(dir) = dirs.pop() {
            let Ok(entries) = std::fs::read_dir(&dir) else { continue };
            for entry in entries {
                let entry = entry.ok()?;
                seen += 1;
                if seen > MAX_TIPS {
                    return None;
                }
                if entry.file_type().ok()?.is_dir() {
                    dirs.push(entry.path());
                    continue;
                }
                let text = std::fs::read_to_string(entry.path()).ok()?;
                // `origin/HEAD` names another of them.
                if !text.starts_with("ref: ") {
                    tips.insert(ObjectId::from_hex(text.trim().as_bytes()).ok()?);
                }
            }
        }
        (tips.len() <= MAX_TIPS).then_some(tips)
    }

    /// Whether the index holds exactly what the commit that is checked out holds; `None` when that is not known.
    pub(super) fn index_is_head(&mut self, deadline: Instant) -> Option<bool> {
        let head = self.head()?;
        let mut objects = Objects::open(&self.common_dir)?;
        let tree = objects.tree_of(&head)?;
        let index = self.index()?;
        let mut compared = Compared { index, objects, deadline, entries: 0, differs: false };
        compared.tree(tree, "", index.tree())?;
        Some(!compared.differs && compared.entries == index.entries().len())
    }

    /// Whether a branch of a remote reaches the commit that is checked out.
    pub(crate) fn pushed(&mut self, home: Option<&AbsPath>, deadline: Instant) -> Tri {
        self.reached(home, deadline).map_or(Tri::Unknown, Tri::from)
    }

    fn reached(&mut self, home: Option<&AbsPath>, deadline: Instant) -> Option<bool> {
        if self.common_dir.join("reftable").exists() {
            return None;
        }
        let head = self.head()?;
        let tips = self.tips()?;
        if tips.contains(&head) {
            return Some(true);
        }
        let config = self.config(home);
        if !config.known || !config.untracked_remotes.is_empty() {
            return None;
        }
        let mut objects = Objects::open(&self.common_dir)?;
        let (made, _) = objects.commit(&head)?;
        let mut seen: HashSet<ObjectId> = tips.clone();
        let mut next: Vec<ObjectId> = tips.into_iter().collect();
        while let Some(id) = next.pop() {
            if id == head {
                return Some(true);
            }
            if seen.len() > MAX_COMMITS || Instant::now() >= deadline {
                return None;
            }
            let (time, parents) = objects.commit(&id)?;
            // What was committed long before cannot have it among its forebears.
            if time.saturating_add(SKEW) >= made {
                next.extend(parents.into_iter().filter(|p| seen.insert(*p)));
            }
        }
        Some(false)
    }
}

/// An index on its way through a commit's trees.
struct Compared<'a> {
    index: &'a gix_index::File,
    objects: Objects,
    deadline: Instant,
    /// Entries found to be the same.
    entries: usize,
    differs: bool,
}

impl Compared<'_> {
    /// Compares one tree, whose paths begin with `prefix`, with the index; `known` is what the index remembers of it.
    /// `None` when it cannot be read in time.
    fn tree(&mut self, id: ObjectId, prefix: &str, known: Option<&Tree>) -> Option<()> {
        if let Some(Tree { id: same, num_entries: Some(entries), .. }) = known
            && *same == id
        {
            self.entries += usize::try_from(*entries).ok()?;
            return Some(());
        }
        if Instant::now() >= self.deadline {
            return None;
        }
        let data = self.objects.get(&id, Kind::Tree)?.to_vec();
        for entry in TreeRefIter::from_bytes(&data, gix_index::hash::Kind::Sha1) {
            let entry = entry.ok()?;
            let path = format!("{prefix}{}", entry.filename.to_str().ok()?);
            if entry.mode.is_tree() {
                let child = known
                    .and_then(|k| k.children.iter().find(|c| c.name.as_slice() == entry.filename.as_bytes()));
                self.tree(entry.oid.to_owned(), &format!("{path}/"), child)?;
            } else {
                let there = self.index.entry_by_path(BStr::new(&path));
                let mode = there.and_then(|e| e.mode.to_tree_entry_mode());
                if there.is_some_and(|e| e.id == entry.oid) && mode == Some(entry.mode) {
                    self.entries += 1;
                } else {
                    self.differs = true;
                }
            }
            if self.differs {
                return Some(());
            }
        }
        Some(())
    }
}
