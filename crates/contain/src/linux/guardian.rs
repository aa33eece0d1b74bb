//! Watches protected names that no mount can hold, because they are not there or are links. Whoever makes or replaces one
//! ends the command; what was made is set aside before anything outside would carry it out.

use crate::error::{ContainError, Result};
use crate::protect::Watched;
use model::AbsPath;
use rustix::fd::OwnedFd;
use rustix::fs::inotify;
use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The watch over the names of one run.
#[derive(Debug)]
pub(super) struct Guardian {
    watcher: Option<OwnedFd>,
    names: Vec<Watched>,
    kept: Vec<Kept>,
    /// Directories that must stay where they are, by device and inode.
    pinned: Vec<(AbsPath, (u64, u64))>,
    aside: PathBuf,
}

/// A protected name that is there, where no mount can hold it: what it was, and a copy of it.
#[derive(Debug)]
struct Kept {
    path: AbsPath,
    marks: Vec<Mark>,
    copy: PathBuf,
}

/// One file or directory as it was: its path below the name, device and inode, time of change in nanoseconds, size.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    path: PathBuf,
    inode: (u64, u64),
    changed: (i64, i64),
    size: u64,
}

/// Files and bytes of what is kept, at most; more is not protected by copies, and the command is refused.
const MOST_FILES: usize = 5000;
const MOST_BYTES: u64 = 64 << 20;

/// A name that was made or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) path: AbsPath,
    /// Where what was made lies now; `None` when it could only be removed, or was renamed back.
    pub(super) aside: Option<PathBuf>,
}

impl Guardian {
    /// Keeps these names as they are by copies of them, and these directories where they are.
    ///
    /// # Errors
    /// When one cannot be copied or is too large.
    pub(super) fn keep(mut self, names: &[AbsPath], directories: &[AbsPath]) -> Result<Self> {
        for path in directories {
            if let Ok(meta) = fs::symlink_metadata(path.as_std()) {
                self.pinned.push((path.clone(), (meta.dev(), meta.ino())));
            }
        }
        for (at, path) in names.iter().enumerate() {
            let fail = |e| ContainError::setup(format!("keeping a copy of `{path}`"), e);
            let marks = marks(path.as_std()).map_err(fail)?;
            if marks.len() >= MOST_FILES || marks.iter().map(|m| m.size).sum::<u64>() > MOST_BYTES {
                return Err(fail(std::io::Error::other("it is too large")));
            }
            let copy = self.aside.join(format!("kept-{at}"));
            copy_all(path.as_std(), &copy).map_err(fail)?;
            self.kept.push(Kept { path: path.clone(), marks, copy });
        }
        Ok(self)
    }

    /// Begins to watch. `aside` is the directory into which is put what is made.
    pub(super) fn begin(names: Vec<Watched>, aside: PathBuf) -> Self {
        Self { watcher: None, names, kept: Vec::new(), pinned: Vec::new(), aside }
    }

    /// From now on [`Guardian::watcher`] tells of changes. Till then the caller looks every few milliseconds: to close a
    /// watcher takes the kernel more than ten, which a command that is short should not wait for.
    pub(super) fn arm(&mut self) {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let Ok(watcher) = inotify::init(flags) else { return };
        let beside = inotify::WatchFlags::CREATE
            | inotify::WatchFlags::MOVE
            | inotify::WatchFlags::DELETE
            | inotify::WatchFlags::ONLYDIR;
        let mut parents: Vec<AbsPath> = self.names.iter().filter_map(|w| w.path.parent()).collect();
        parents.sort();
        parents.dedup();
        for parent in parents {
            // One that cannot be watched is looked at when the command ends.
            let _ = inotify::add_watch(&watcher, parent.as_str(), beside);
        }
        let itself = inotify::WatchFlags::ATTRIB
            | inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::CREATE
            | inotify::WatchFlags::MOVE
            | inotify::WatchFlags::DELETE
            | inotify::WatchFlags::MOVE_SELF
            | inotify::WatchFlags::DELETE_SELF;
        for kept in &self.kept {
            for mark in &kept.marks {
                let _ = inotify::add_watch(&watcher, joined(kept.path.as_std(), &mark.path), itself);
            }
        }
        self.watcher = Some(watcher);
    }

    /// Readable when something happened beside a name; `None` until armed.
    pub(super) fn watcher(&self) -> Option<&OwnedFd> {
        self.watcher.as_ref()
    }

    /// Gives the watcher away at the end.
    pub(super) fn take_watcher(&mut self) -> Option<OwnedFd> {
        self.watcher.take()
    }

    /// Whether some name is not as it was. Forgets what happened till now.
    pub(super) fn is_broken(&self) -> bool {
        if let Some(watcher) = &self.watcher {
            let mut space = [MaybeUninit::uninit(); 4096];
            let mut reader = inotify::Reader::new(watcher, &mut space);
            while reader.next().is_ok() {}
        }
        self.names.iter().any(|w| !is_as_it_was(w)) || self.kept.iter().any(Kept::is_changed)
    }

    /// Sets aside what was made under a name and puts links back. To be called when no process of the command is left.
    pub(super) fn mend(&self) -> Vec<Broken> {
        let back = self.put_back_directories();
        let names = self.names.iter().filter(|w| !is_as_it_was(w));
        let kept = self.kept.iter().filter(|k| k.is_changed());
        let restored = kept.enumerate().map(|(at, kept)| {
            let aside = set_aside(&kept.path, &self.aside, self.names.len() + at);
            // Where it fails the copy stays where it is told of.
            let _ = copy_all(&kept.copy, kept.path.as_std());
            Broken { path: kept.path.clone(), aside }
        });
        let mended: Vec<Broken> = names
            .enumerate()
            .map(|(at, name)| {
                let aside = set_aside(&name.path, &self.aside, at);
                if let Some(link) = &name.link {
                    // Where it fails there is nothing under the name, which harms nobody.
                    let _ = std::os::unix::fs::symlink(link, name.path.as_std());
                }
                Broken { path: name.path.clone(), aside }
            })
            .chain(restored)
            .chain(back)
            .collect();
        if mended.is_empty() {
            // The copies were for nothing.
            let _ = fs::remove_dir_all(&self.aside);
        }
        mended
    }
}

impl Guardian {
    /// Renames directories back that were renamed beside where they were; the outer before the inner.
    fn put_back_directories(&self) -> Vec<Broken> {
        let mut back = Vec::new();
        let inode = |path: &Path| fs::symlink_metadata(path).ok().map(|m| (m.dev(), m.ino()));
        for (at, (path, was)) in self.pinned.iter().enumerate() {
            let Some(parent) = path.parent().filter(|_| inode(path.as_std()) != Some(*was)) else { continue };
            let entries = fs::read_dir(parent.as_std()).into_iter().flatten().flatten();
            if let Some(moved) = entries.map(|e| e.path()).find(|p| inode(p) == Some(*was)) {
                set_aside(path, &self.aside, 1000 + at);
                // Where it fails the copies of what it held are put there.
                let _ = fs::rename(&moved, path.as_std());
                back.push(Broken { path: path.clone(), aside: None });
            }
        }
        back
    }
}

impl Kept {
    fn is_changed(&self) -> bool {
        !marks(self.path.as_std()).is_ok_and(|now| now == self.marks)
    }
}

/// What lies at a path and beneath, sorted; links are not followed.
fn marks(path: &Path) -> std::io::Result<Vec<Mark>> {
    let mut found = Vec::new();
    let mut left = vec![PathBuf::new()];
    while let Some(below) = left.pop() {
        let whole = joined(path, &below);
        let meta = fs::symlink_metadata(&whole)?;
        if meta.is_dir() && found.len() < MOST_FILES {
            for entry in fs::read_dir(&whole)? {
                left.push(below.join(entry?.file_name()));
            }
        }
        found.push(Mark {
            path: below,
            inode: (meta.dev(), meta.ino()),
            changed: (meta.ctime(), meta.ctime_nsec()),
            size: if meta.is_file() { meta.len() } else { 0 },
        });
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// A path below another; an empty one is the other itself, without the slash that says directory.
fn joined(path: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { path.to_owned() } else { path.join(below) }
}

/// Copies a file, a link or a directory with all beneath.
fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    let meta = fs::symlink_metadata(from)?;
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if meta.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    if !meta.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy_all(&from.join(&name), &to.join(&name))?;
    }
    fs::set_permissions(to, meta.permissions())
}

fn is_as_it_was(name: &Watched) -> bool {
    match (fs::symlink_metadata(name.path.as_std()), &name.link) {
        (Err(_), None) => true,
        (Ok(meta), Some(link)) => {
            meta.is_symlink() && fs::read_link(name.path.as_std()).is_ok_and(|t| t == Path::new(link))
        }
        // A link that is gone was taken away; it is put back.
        _ => false,
    }
}

/// Moves a thing out of the project. Never follows it: if it is a link, the link is moved.
fn set_aside(path: &AbsPath, aside: &Path, at: usize) -> Option<PathBuf> {
    let meta = fs::symlink_metadata(path.as_std()).ok()?;
    let name = format!("{at}-{}", path.name().unwrap_or_default());
    let to = aside.join(name);
    if fs::create_dir_all(aside).is_ok() && fs::rename(path.as_std(), &to).is_ok() {
        return Some(to);
    }
    // Another file system: a file is copied, a directory only removed.
    let kept = meta.is_file() && fs::copy(path.as_std(), &to).is_ok();
    let _ = if meta.is_dir() { fs::remove_dir_all(path.as_std()) } else { fs::remove_file(path.as_std()) };
    kept.then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_made_is_set_aside_and_links_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let base = AbsPath::parse(dir.path().to_str().unwrap()).unwrap();
        let p = |n: &str| base.join(n);
        fs::create_dir(p("w").as_std()).unwrap();
        symlink("AGENTS.md", p("w/CLAUDE.md").as_std()).unwrap();
        let names = vec![
            Watched { path: p("w/.mcp.json"), link: None },
            Watched { path: p("w/CLAUDE.md"), link: Some("AGENTS.md".into()) },
            Watched { path: p("w/.vscode"), link: None },
        ];
        let guardian = Guardian::begin(names, p("aside").as_std().to_owned());
        let mut guardian = guardian;
        guardian.arm();
        fs::write(p("w/other").as_std(), "x").unwrap();
        assert!(!guardian.is_broken() && guardian.mend().is_empty());
        fs::write(p("w/.mcp.json").as_std(), "evil").unwrap();
        fs::remove_file(p("w/CLAUDE.md").as_std()).unwrap();
        fs::write(p("w/CLAUDE.md").as_std(), "evil too").unwrap();
        assert!(guardian.is_broken());
        let broken = guardian.mend();
        assert_eq!(broken.len(), 2);
        assert!(!p("w/.mcp.json").as_std().exists());
        assert_eq!(fs::read_link(p("w/CLAUDE.md").as_std()).unwrap(), Path::new("AGENTS.md"));
        let kept = broken.first().unwrap().aside.clone().unwrap();
        assert_eq!(fs::read_to_string(kept).unwrap(), "evil");
        assert!(!guardian.is_broken());
    }

    #[test]
    fn what_is_kept_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let base = AbsPath::parse(dir.path().to_str().unwrap()).unwrap();
        let p = |n: &str| base.join(n);
        fs::create_dir_all(p("w/hooks/deep").as_std()).unwrap();
        fs::write(p("w/hooks/deep/a").as_std(), "good").unwrap();
        fs::write(p("w/config").as_std(), "good").unwrap();
        let begin = || {
            Guardian::begin(Vec::new(), p("aside").as_std().to_owned())
                .keep(&[p("w/hooks"), p("w/config")], &[p("w")])
        };
        let guardian = begin().unwrap();
        assert!(!guardian.is_broken() && guardian.mend().is_empty() && !p("aside").as_std().exists());
        let guardian = begin().unwrap();
        fs::write(p("w/hooks/deep/b").as_std(), "evil").unwrap();
        fs::remove_file(p("w/config").as_std()).unwrap();
        assert!(guardian.is_broken());
        assert_eq!(guardian.mend().len(), 2);
        assert!(!p("w/hooks/deep/b").as_std().exists());
        assert_eq!(fs::read_to_string(p("w/config").as_std()).unwrap(), "good");
        assert_eq!(fs::read_to_string(p("w/hooks/deep/a").as_std()).unwrap(), "good");
        let guardian = begin().unwrap();
        fs::write(p("w/objects").as_std(), "large").unwrap();
        fs::rename(p("w").as_std(), p("w2").as_std()).unwrap();
        assert!(guardian.is_broken());
        guardian.mend();
        assert_eq!(fs::read_to_string(p("w/objects").as_std()).unwrap(), "large");
        assert!(!guardian.is_broken() && !p("w2").as_std().exists());
    }
}
