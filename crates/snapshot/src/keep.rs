//! Keeping what was found: one packed file for small files, one file each for large ones.

use crate::collect::{Found, linkable};
use crate::error::NotTaken;
use crate::manifest::{Content, Digest, Kept};
use crate::take::Budget;
use data_encoding::BASE64;
use model::AbsPath;
use rustix::fs::{AtFlags, Mode, OFlags, XattrFlags};
use sha2::{Digest as _, Sha256};
use std::fs::{File, Metadata};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Files up to this many bytes go into the packed file.
pub(crate) const PACKED_TO: u64 = 256 << 10;
/// The packed file's name.
pub(crate) const PACK: &str = "pack";
/// Extended attributes larger than this in all are not kept.
const MAX_ATTRIBUTES: usize = 64 << 10;

/// Writes into the directory of a snapshot that is being taken.
#[derive(Debug)]
pub(crate) struct Keeper {
    dir: PathBuf,
    pack: std::io::BufWriter<File>,
    packed: u64,
    copied: u64,
    files: u64,
    buffer: Vec<u8>,
}

impl Keeper {
    pub(crate) fn new(dir: &Path) -> std::io::Result<Self> {
        let pack = std::io::BufWriter::with_capacity(1 << 20, File::create_new(dir.join(PACK))?);
        Ok(Self { dir: dir.to_owned(), pack, packed: 0, copied: 0, files: 0, buffer: Vec::new() })
    }

    /// Bytes that the snapshot takes on the disk, links included: they keep a file that would be gone.
    pub(crate) fn bytes(&self) -> u64 {
        self.packed + self.copied
    }

    /// Everything that was found, as entries of the list.
    pub(crate) fn all(
        &mut self,
        found: &Found,
        links_on: Option<u64>,
        budget: &Budget,
        deadline: Instant,
    ) -> Result<Vec<Kept>, NotTaken> {
        let mut out = Vec::with_capacity(found.paths.len());
        for (path, meta) in &found.paths {
            out.push(self.one(path, meta.as_ref(), links_on)?);
            if Instant::now() > deadline {
                return Err(NotTaken::TooMuch(format!(
                    "it takes longer than {} ms",
                    budget.time.as_millis()
                )));
            }
        }
        Ok(out)
    }

    fn one(
        &mut self,
        path: &AbsPath,
        meta: Option<&Metadata>,
        links_on: Option<u64>,
    ) -> Result<Kept, NotTaken> {
        let Some(meta) = meta else {
            return Ok(Kept {
                path: path.clone(),
                content: Content::Absent,
                mode: 0,
                mtime: (0, 0),
                attributes: Vec::new(),
            });
        };
        let kind = meta.file_type();
        let content = if kind.is_dir() {
            Content::Directory
        } else if kind.is_symlink() {
            let target = std::fs::read_link(path.as_std()).map_err(NotTaken::path(path.as_std()))?;
            let target = target.to_str().map(str::to_owned).ok_or_else(|| NotTaken::Path {
                path: path.as_std().to_owned(),
                why: "it points to a name that is not valid UTF-8".to_owned(),
            })?;
            Content::Link { target }
        } else if kind.is_file() {
            return self.file(path, links_on);
        } else if kind.is_fifo() || kind.is_socket() {
            Content::Special
        } else {
            return Err(NotTaken::Path { path: path.as_std().to_owned(), why: "it is a device".to_owned() });
        };
        let attributes = if kind.is_dir() { attributes(path)? } else { Vec::new() };
        Ok(kept(path, meta, content, attributes))
    }

    fn file(&mut self, path: &AbsPath, links_on: Option<u64>) -> Result<Kept, NotTaken> {
        let failed = || NotTaken::path(path.as_std());
        // What lies there may be another thing than was found: it is opened without following a link or waiting.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(path.as_std(), flags, Mode::empty())
            .map_err(|e| failed()(std::io::Error::from(e)))?;
        let mut file = File::from(file);
        let meta = file.metadata().map_err(failed())?;
        if !meta.is_file() {
            return Err(failed()(std::io::Error::other("it changed while it was being kept")));
        }
        let attributes = attributes_of(&file, path)?;
        let content = if meta.size() <= PACKED_TO {
            self.buffer.clear();
            let mut limited = file.take(PACKED_TO + 1);
            limited.read_to_end(&mut self.buffer).map_err(failed())?;
            if self.buffer.len() as u64 > PACKED_TO {
                return Err(failed()(std::io::Error::other("it grew while it was being kept")));
            }
            let (at, size) = (self.packed, self.buffer.len() as u64);
            let digest = Digest(Sha256::digest(&self.buffer).into());
            self.pack.write_all(&self.buffer)?;
            self.packed += size;
            Content::Packed { at, size, digest }
        } else {
            let name = format!("file-{}", self.files);
            self.files += 1;
            let to = self.dir.join(&name);
            keep_file(&mut file, path.as_std(), &to, linkable(&meta, links_on)).map_err(failed())?;
            let copy = std::fs::symlink_metadata(&to)?;
            self.copied += copy.blocks().saturating_mul(512);
            Content::File { name, size: copy.size(), stamp: stamp(&copy) }
        };
        Ok(kept(path, &meta, content, attributes))
    }

    /// Writes the rest out and waits until it is on the disk.
    pub(crate) fn finish(mut self) -> std::io::Result<u64> {
        self.pack.flush()?;
        let bytes = self.bytes();
        self.pack.get_ref().sync_data()?;
        Ok(bytes)
    }
}

fn kept(path: &AbsPath, meta: &Metadata, content: Content, attributes: Vec<(String, String)>) -> Kept {
    Kept { path: path.clone(), content, mode: meta.mode() & 0o7777, mtime: stamp(meta), attributes }
}

/// When a file was last changed: seconds and nanoseconds.
pub(crate) fn stamp(meta: &Metadata) -> (i64, u32) {
    (meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap_or(0))
}

/// Keeps a large file: as a clone, which costs nothing and changes with nobody; as a hard link, where the call only
/// unlinks it; else as a copy.
fn keep_file(file: &mut File, path: &Path, to: &Path, link: bool) -> std::io::Result<()> {
    let copy = private(to)?;
    if clone(&copy, file) {
        return copy.sync_data();
    }
    if link {
        drop(copy);
        std::fs::remove_file(to)?;
        let linked = rustix::fs::linkat(rustix::fs::CWD, path, rustix::fs::CWD, to, AtFlags::empty());
        if linked.is_ok() && same_file(file, to)? {
            return Ok(());
        }
        // Another owner's file, another file system, or another file by now.
        if linked.is_ok() {
            std::fs::remove_file(to)?;
        }
        let mut copy = private(to)?;
        std::io::copy(file, &mut copy)?;
        return copy.sync_data();
    }
    let mut copy = copy;
    std::io::copy(file, &mut copy)?;
    copy.sync_data()
}

/// A new file that nobody else can read.
pub(crate) fn private(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).read(true).create_new(true).mode(0o600).open(path)
}

#[cfg(target_os = "linux")]
fn clone(to: &File, from: &File) -> bool {
    rustix::fs::ioctl_ficlone(to.as_fd(), from.as_fd()).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn clone(_to: &File, _from: &File) -> bool {
    false
}

fn same_file(file: &File, path: &Path) -> std::io::Result<bool> {
    let (a, b) = (file.metadata()?, std::fs::symlink_metadata(path)?);
    Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
}

fn attributes_of(file: &File, path: &AbsPath) -> Result<Vec<(String, String)>, NotTaken> {
    let mut none: [u8; 0] = [];
    match rustix::fs::flistxattr(file, &mut none) {
        Ok(0) | Err(rustix::io::Errno::NOTSUP) => Ok(Vec::new()),
        _ => attributes(path),
    }
}

/// The extended attributes that belong to a person or say who may do what; others are the system's own.
fn attributes(path: &AbsPath) -> Result<Vec<(String, String)>, NotTaken> {
    let failed = |e: rustix::io::Errno| NotTaken::path(path.as_std())(e.into());
    let mut names = vec![0u8; MAX_ATTRIBUTES];
    let length = match rustix::fs::llistxattr(path.as_std(), &mut names) {
        Ok(length) => length,
        Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let names = names.get(..length).unwrap_or_default();
    let mut out = Vec::new();
    for name in names.split(|b| *b == 0).filter_map(|n| std::str::from_utf8(n).ok()) {
        if !(name.starts_with("user.") || name.starts_with("system.posix_acl")) {
            continue;
        }
        let mut value = vec![0u8; MAX_ATTRIBUTES];
        let length = rustix::fs::lgetxattr(path.as_std(), name, &mut value).map_err(failed)?;
        out.push((name.to_owned(), BASE64.encode(value.get(..length).unwrap_or_default())));
    }
    Ok(out)
}

/// Puts kept attributes on an open file or directory.
pub(crate) fn put_attributes(to: &File, attributes: &[(String, String)]) -> std::io::Result<()> {
    for (name, value) in attributes {
        let value = BASE64.decode(value.as_bytes()).map_err(std::io::Error::other)?;
        rustix::fs::fsetxattr(to, name.as_str(), &value, XattrFlags::empty())?;
    }
    Ok(())
}

/// The digest of a whole file.
pub(crate) fn digest_of(file: &mut File) -> std::io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 128 << 10];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Digest(hasher.finalize().into()));
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}
