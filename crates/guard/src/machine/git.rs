//! What git knows of a path and what a repository's configuration would make git run, read from its files: no program
//! runs, since reading an untrusted repository with git itself is what must be judged.

mod config;
mod history;
mod losses;

use bstr::{BStr, ByteSlice};
use gix_index::Entry;
use gix_index::entry::{Mode, Stat};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use model::{AbsPath, GitState};
use std::path::{Path, PathBuf};

/// Indexes larger than this are not read: their state is unknown.
const MAX_INDEX: u64 = 48 << 20;
/// Entries whose files are compared to find out whether a work tree is dirty.
const MAX_COMPARED: usize = 5_000;
/// Files whose content is compared because their times tell nothing, in one call.
const MAX_HASHED: usize = 200;
/// Files larger than this are not compared by content.
const MAX_CONTENT: u64 = 1 << 20;

/// A repository found above a path.
#[derive(Debug)]
pub(crate) struct Repository {
    /// The root of the work tree.
    pub(crate) root: AbsPath,
    /// The directory of this work tree's own git data.
    git_dir: PathBuf,
    /// The directory that all work trees of the repository share.
    common_dir: PathBuf,
    index: Option<gix_index::File>,
}

impl Repository {
    /// The repository whose work tree holds `path`, which need not exist.
    pub(crate) fn above(path: &AbsPath) -> Option<Self> {
        let mut dir = Some(path.clone());
        while let Some(here) = dir {
            let dot = here.as_std().join(".git");
            if let Ok(meta) = std::fs::symlink_metadata(&dot) {
                let git_dir = if meta.is_dir() { Some(dot) } else { linked(&dot) };
                if let Some(git_dir) = git_dir.filter(|d| d.join("HEAD").exists()) {
                    let common_dir = std::fs::read_to_string(git_dir.join("commondir"))
                        .map_or_else(|_| git_dir.clone(), |t| git_dir.join(t.trim()));
                    return Some(Self { root: here, git_dir, common_dir, index: None });
                }
            }
            dir = here.parent();
        }
        None
    }

    fn index(&mut self) -> Option<&gix_index::File> {
        if self.index.is_none() {
            let path = self.git_dir.join("index");
            if std::fs::metadata(&path).ok()?.len() > MAX_INDEX {
                return None;
            }
            let options =
                gix_index::decode::Options { thread_limit: Some(1), ..gix_index::decode::Options::default() };
            self.index = gix_index::File::at(path, gix_index::hash::Kind::Sha1, true, options).ok();
        }
        self.index.as_ref()
    }

    /// What git knows of a file or directory beneath the root.
    pub(crate) fn state(&mut self, path: &AbsPath) -> GitState {
        let Some(relative) = path.relative_to(&self.root).map(|r| r.as_str().to_owned()) else {
            return GitState::Outside;
        };
        if relative.is_empty() {
            return match self.changed() {
                Some(true) => GitState::Dirty,
                _ => GitState::Unknown,
            };
        }
        let root = self.root.clone();
        let no_index = !self.git_dir.join("index").exists();
        let Some(index) = self.index() else {
            return if no_index { ignored_or_untracked(&root, path) } else { GitState::Unknown };
        };
        if let Some(entry) = index.entry_by_path(BStr::new(&relative)) {
            let mut left = MAX_HASHED;
            return if same(index, entry, path.as_std(), &mut left) {
                GitState::Clean
            } else {
                GitState::Dirty
            };
        }
        let prefix = format!("{relative}/");
        if let Some(entries) = index.prefixed_entries(BStr::new(&prefix)) {
            // A directory with tracked files: only the worst of what lies in it counts, and untracked files are the
            // caller's to count.
            if entries.len() > MAX_COMPARED {
                return GitState::Unknown;
            }
            let mut left = MAX_HASHED;
            let clean = entries.iter().all(|e| {
                let file = e.path(index).to_str().map(|p| root.join(p));
                file.is_ok_and(|f| same(index, e, f.as_std(), &mut left))
            });
            return if clean { GitState::Clean } else { GitState::Dirty };
        }
        ignored_or_untracked(&root, path)
    }

    /// Whether git could give a file back: tracked and unchanged.
    pub(crate) fn keeps(&mut self, path: &Path) -> bool {
        let Some(path) = path.to_str().and_then(|p| AbsPath::parse(p).ok()) else { return false };
        let Some(relative) = path.relative_to(&self.root).map(|r| r.as_str().to_owned()) else {
            return false;
        };
        self.index().is_some_and(|index| {
            let entry = index.entry_by_path(BStr::new(&relative));
            entry.is_some_and(|e| same(index, e, path.as_std(), &mut 1))
        })
    }
}

/// `gitdir: PATH` in a `.git` file, as work trees and submodules have it.
fn linked(file: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(file).ok()?;
    let target = text.trim().strip_prefix("gitdir:")?.trim();
    Some(file.parent()?.join(target))
}

/// Whether a file is as the index has it: by size and whole seconds, as git itself looks at first; where those tell
/// nothing (touched, or written within the second in which the index was) by content. `left` counts the contents that
/// may still be compared.
fn same(index: &gix_index::File, entry: &Entry, file: &Path, left: &mut usize) -> bool {
    let Ok(meta) = gix_index::fs::Metadata::from_path_no_follow(file) else { return false };
    let Ok(now) = Stat::from_fs(&meta) else { return false };
    let link = entry.mode == Mode::SYMLINK;
    if meta.is_symlink() != link || meta.is_dir() || entry.stat.size != now.size {
        return false;
    }
    if !link && meta.is_executable() != (entry.mode == Mode::FILE_EXECUTABLE) {
        return false;
    }
    let options = gix_index::entry::stat::Options {
        trust_ctime: false,
        check_stat: false,
        use_nsec: false,
        use_stdev: false,
    };
    if entry.stat.matches(&now, options) && !entry.stat.is_racy(index.timestamp(), options) {
        return true;
    }
    if link || meta.len() > MAX_CONTENT || *left == 0 {
        return false;
    }
    *left -= 1;
    std::fs::read(file).is_ok_and(|bytes| {
        gix_object::compute_hash(index.object_hash(), gix_object::Kind::Blob, &bytes)
            .is_ok_and(|id| id == entry.id)
    })
}

fn ignored_or_untracked(root: &AbsPath, path: &AbsPath) -> GitState {
    if is_ignored(root, path) { GitState::Ignored } else { GitState::Untracked }
}

/// Whether `.gitignore` files from the root down to the path, or `.git/info/exclude`, ignore it.
fn is_ignored(root: &AbsPath, path: &AbsPath) -> bool {
    let is_dir = path.as_std().is_dir();
    let mut dirs = Vec::new();
    let mut dir = path.parent();
    while let Some(here) = dir.filter(|d| d.is_under(root)) {
        dirs.push(here.clone());
        dir = here.parent();
    }
    // The innermost file that says anything decides.
    for here in dirs {
        let mut builder = GitignoreBuilder::new(here.as_std());
        let file = here.as_std().join(".gitignore");
        if file.is_file()
            && builder.add(&file).is_none()
            && let Ok(rules) = builder.build()
            && let Some(ignored) = verdict(&rules, path, is_dir)
        {
            return ignored;
        }
    }
    let mut builder = GitignoreBuilder::new(root.as_std());
    builder.add(root.as_std().join(".git/info/exclude"));
    builder.build().ok().and_then(|rules| verdict(&rules, path, is_dir)).unwrap_or(false)
}

fn verdict(rules: &Gitignore, path: &AbsPath, is_dir: bool) -> Option<bool> {
    match rules.matched_path_or_any_parents(path.as_std(), is_dir) {
        ignore::Match::Ignore(_) => Some(true),
        ignore::Match::Whitelist(_) => Some(false),
        ignore::Match::None => None,
    }
}
