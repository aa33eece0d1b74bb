//! Writing where a path says and nowhere else: no link on the way is followed, whoever put it there meanwhile.

use model::AbsPath;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;

/// An open directory and a name in it.
#[derive(Debug)]
pub(crate) struct Place {
    dir: OwnedFd,
    name: String,
}

impl Place {
    /// The place of a path. Directories on the way that are missing are made.
    pub(crate) fn of(path: &AbsPath) -> std::io::Result<Self> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(std::io::Error::other("the root itself is not given back"));
        };
        Ok(Self { dir: directory(&parent, true)?, name: name.to_owned() })
    }

    /// A new file beside the place, by a name that nobody has.
    pub(crate) fn beside(&self, id: &str) -> std::io::Result<(File, String)> {
        let name = format!(".ambit-undo-{id}-{}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, name.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
        Ok((File::from(file), name))
    }

    /// Gives the file beside the place its name. Where nothing may be overwritten, what is there stays.
    pub(crate) fn put(&self, beside: &str, overwrite: bool) -> std::io::Result<()> {
        let flags = if overwrite { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        match rustix::fs::renameat_with(&self.dir, beside, &self.dir, self.name.as_str(), flags) {
            Ok(()) => Ok(()),
            // File systems that know no such flag: the check before is all there is.
            Err(Errno::INVAL) if !overwrite => {
                Ok(rustix::fs::renameat(&self.dir, beside, &self.dir, self.name.as_str())?)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Removes a file beside the place.
    pub(crate) fn discard(&self, beside: &str) -> std::io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.dir, beside, AtFlags::empty())?)
    }

    /// Makes a symbolic link there, in place of whatever file or link is there.
    pub(crate) fn link(&self, target: &str, id: &str) -> std::io::Result<()> {
        let beside = format!(".ambit-undo-{id}-{}", std::process::id());
        rustix::fs::symlinkat(target, &self.dir, beside.as_str())?;
        self.put(&beside, true)
    }

    /// Makes a directory there; one that is there already is good.
    pub(crate) fn make(&self) -> std::io::Result<()> {
        match rustix::fs::mkdirat(&self.dir, self.name.as_str(), Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Removes what is there: an empty directory, or anything else.
    pub(crate) fn remove(&self, directory: bool) -> std::io::Result<()> {
        let flags = if directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        Ok(rustix::fs::unlinkat(&self.dir, self.name.as_str(), flags)?)
    }
}

/// Opens a directory without following a link; missing ones are made if `make`.
pub(crate) fn directory(path: &AbsPath, make: bool) -> std::io::Result<OwnedFd> {
    match open(path) {
        Err(Errno::NOENT) if make => {
            let place = Place::of(path)?;
            place.make()?;
            Ok(open(path)?)
        }
        other => Ok(other?),
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

#[cfg(target_os = "linux")]
fn open(path: &AbsPath) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let root = rustix::fs::open("/", DIRECTORY, Mode::empty())?;
    let relative = path.as_str().trim_start_matches('/');
    if relative.is_empty() {
        return Ok(root);
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(&root, relative, DIRECTORY, Mode::empty(), resolve)
}

#[cfg(not(target_os = "linux"))]
fn open(path: &AbsPath) -> rustix::io::Result<OwnedFd> {
    let mut dir = rustix::fs::open("/", DIRECTORY, Mode::empty())?;
    for name in path.components() {
        dir = rustix::fs::openat(&dir, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(dir)
}
