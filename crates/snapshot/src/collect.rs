//! What lies at the planned paths: names and kinds, within a budget, before anything is copied.

use crate::error::NotTaken;
use crate::keep::PACKED_TO;
use crate::pattern::candidates;
use crate::plan::{Place, Plan, Target};
use crate::take::Budget;
use model::AbsPath;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::Instant;

/// Everything that was found, by path, and what had to be left out.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// `None` where nothing is.
    pub(crate) paths: BTreeMap<AbsPath, Option<Metadata>>,
    pub(crate) left_out: Vec<String>,
    bytes: u64,
    /// The file system on which large files can be kept by a hard link, which costs nothing.
    links_on: Option<u64>,
}

/// Walks what is planned.
pub(crate) fn collect(
    plan: &Plan,
    store_device: u64,
    budget: &Budget,
    deadline: Instant,
) -> Result<Found, NotTaken> {
    let links_on = plan.only_unlinks.then_some(store_device);
    let mut found = Found { links_on, ..Found::default() };
    // What is needed comes first, so that the rest gets only what is left of the budget.
    let (needed, rest): (Vec<_>, Vec<_>) = plan.targets.iter().partition(|t| t.needed);
    for target in needed {
        found.target(target, budget, deadline)?;
    }
    for target in rest {
        let before = (found.paths.clone(), found.bytes);
        if let Err(e) = found.target(target, budget, deadline) {
            (found.paths, found.bytes) = before;
            found.left_out.push(e.to_string());
        }
    }
    Ok(found)
}

impl Found {
    fn target(&mut self, target: &Target, budget: &Budget, deadline: Instant) -> Result<(), NotTaken> {
        match &target.place {
            Place::Path(path) => self.tree(path, target.deep, budget, deadline),
            Place::Matching { base, pattern } => {
                let paths = candidates(base, pattern)
                    .map_err(|why| NotTaken::Path { path: base.as_std().to_owned(), why })?;
                for path in paths {
                    let path = settled(&path)?;
                    self.tree(&path, target.deep, budget, deadline)?;
                }
                Ok(())
            }
        }
    }

    /// Adds a path and, if `deep`, all beneath it.
    pub(crate) fn tree(
        &mut self,
        path: &AbsPath,
        deep: bool,
        budget: &Budget,
        deadline: Instant,
    ) -> Result<(), NotTaken> {
        let meta = match std::fs::symlink_metadata(path.as_std()) {
            Ok(meta) => Some(meta),
            Err(e)
                if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
            {
                None
            }
            Err(e) => return Err(NotTaken::path(path.as_std())(e)),
        };
        let directory = meta.as_ref().is_some_and(Metadata::is_dir);
        self.add(path.clone(), meta, budget, deadline)?;
        let mut dirs = if directory && deep { vec![path.clone()] } else { Vec::new() };
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir.as_std()).map_err(NotTaken::path(dir.as_std()))? {
                let entry = entry.map_err(NotTaken::path(dir.as_std()))?;
                let at = utf8(&entry.path())?;
                let meta = entry.metadata().map_err(NotTaken::path(at.as_std()))?;
                if meta.is_dir() {
                    dirs.push(at.clone());
                }
                self.add(at, Some(meta), budget, deadline)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        path: AbsPath,
        meta: Option<Metadata>,
        budget: &Budget,
        deadline: Instant,
    ) -> Result<(), NotTaken> {
        if let Some(meta) = &meta {
            let kind = meta.file_type();
            if kind.is_block_device() || kind.is_char_device() {
                return Err(NotTaken::Path { path: path.as_std().to_owned(), why: "it is a device".into() });
            }
            if kind.is_file() && !self.paths.contains_key(&path) && !linkable(meta, self.links_on) {
                // What is not there on the disk (holes) costs nothing to keep.
                self.bytes += meta.size().min(meta.blocks().saturating_mul(512).max(4096));
            }
        }
        self.paths.insert(path, meta);
        if self.paths.len() > budget.files {
            return Err(NotTaken::TooMuch(format!("more than {} files", budget.files)));
        }
        if self.bytes > budget.bytes {
            return Err(NotTaken::TooMuch(format!("more than {} MiB", budget.bytes >> 20)));
        }
        if Instant::now() > deadline {
            return Err(NotTaken::TooMuch(format!("it takes longer than {} ms", budget.time.as_millis())));
        }
        Ok(())
    }
}

/// Whether a file is large enough for a hard link and can have one: nobody else has it under another name, by which it
/// could be changed later.
pub(crate) fn linkable(meta: &Metadata, links_on: Option<u64>) -> bool {
    meta.is_file() && meta.size() > PACKED_TO && meta.nlink() == 1 && links_on == Some(meta.dev())
}

/// A path with the links on the way to it followed, itself not.
fn settled(path: &AbsPath) -> Result<AbsPath, NotTaken> {
    let (Some(parent), Some(name)) = (path.parent(), path.name()) else { return Ok(path.clone()) };
    let parent = std::fs::canonicalize(parent.as_std()).map_err(NotTaken::path(parent.as_std()))?;
    Ok(utf8(&parent)?.join(name))
}

/// A path of the file system in the form that lists can hold.
pub(crate) fn utf8(path: &Path) -> Result<AbsPath, NotTaken> {
    path.to_str().and_then(|p| AbsPath::parse(p).ok()).ok_or_else(|| NotTaken::Path {
        path: path.to_owned(),
        why: "its name is not valid UTF-8".to_owned(),
    })
}
