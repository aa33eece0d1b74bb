//! Watches protected names that no mount can hold, because they are not there or are links. Whoever makes or replaces one
//! ends the command; what was made is set aside before anything outside would carry it out.

use crate::protect::Watched;
use model::AbsPath;
use rustix::fd::OwnedFd;
use rustix::fs::inotify;
use std::fs;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

/// The watch over the names of one run.
#[derive(Debug)]
pub(super) struct Guardian {
    watcher: Option<OwnedFd>,
    names: Vec<Watched>,
    aside: PathBuf,
}

/// A name that was made or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) path: AbsPath,
    /// Where what was made lies now; `None` when it could only be removed.
    pub(super) aside: Option<PathBuf>,
}

impl Guardian {
    /// Begins to watch. `aside` is the directory into which is put what is made.
    pub(super) fn begin(names: Vec<Watched>, aside: PathBuf) -> Self {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let watcher = inotify::init(flags).ok();
        let events = inotify::WatchFlags::CREATE
            | inotify::WatchFlags::MOVED_TO
            | inotify::WatchFlags::MOVED_FROM
            | inotify::WatchFlags::DELETE
            | inotify::WatchFlags::ONLYDIR;
        if let Some(watcher) = &watcher {
            let mut parents: Vec<AbsPath> = names.iter().filter_map(|w| w.path.parent()).collect();
            parents.sort();
            parents.dedup();
            for parent in parents {
                // One that cannot be watched is looked at when the command ends.
                let _ = inotify::add_watch(watcher, parent.as_str(), events);
            }
        }
        Self { watcher, names, aside }
    }

    /// Readable when something happened beside a name.
    pub(super) fn watcher(&self) -> Option<&OwnedFd> {
        self.watcher.as_ref()
    }

    /// Whether some name is not as it was. Forgets what happened till now.
    pub(super) fn is_broken(&self) -> bool {
        if let Some(watcher) = &self.watcher {
            let mut space = [MaybeUninit::uninit(); 4096];
            let mut reader = inotify::Reader::new(watcher, &mut space);
            while reader.next().is_ok() {}
        }
        self.names.iter().any(|w| !is_as_it_was(w))
    }

    /// Sets aside what was made under a name and puts links back. To be called when no process of the command is left.
    pub(super) fn mend(&self) -> Vec<Broken> {
        let broken = self.names.iter().filter(|w| !is_as_it_was(w));
        broken
            .enumerate()
            .map(|(at, name)| {
                let aside = set_aside(&name.path, &self.aside, at);
                if let Some(link) = &name.link {
                    // Where it fails there is nothing under the name, which harms nobody.
                    let _ = std::os::unix::fs::symlink(link, name.path.as_std());
                }
                Broken { path: name.path.clone(), aside }
            })
            .collect()
    }
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
}
