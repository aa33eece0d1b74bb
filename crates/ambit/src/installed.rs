//! What an installation wrote, and what was there before, so that it can be taken out byte for byte.

use agents::claude_code::Change;
use anyhow::{Context as _, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The memory of installations, below Ambit's state.
#[derive(Debug)]
pub(crate) struct Installed {
    dir: PathBuf,
}

/// One file that was written.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) before: Option<Vec<u8>>,
    pub(crate) written: Vec<u8>,
    dir: PathBuf,
}

impl Installed {
    pub(crate) fn at(state: &Path) -> Self {
        Self { dir: state.join("installed") }
    }

    /// Keeps the bytes before the first installation; a later one only renews what was written last.
    pub(crate) fn remember(&self, change: &Change) -> Result<()> {
        let name: String = Sha256::digest(change.path.as_os_str().as_encoded_bytes())
            .iter()
            .take(8)
            .map(|b| format!("{b:02x}"))
            .collect();
        let dir = self.dir.join(name);
        let first = !dir.join("path").exists();
        fs_err::create_dir_all(&dir)?;
        if first && let Some(before) = &change.before {
            fs_err::write(dir.join("before"), before)?;
        }
        fs_err::write(dir.join("written"), change.after.as_deref().unwrap_or_default())?;
        let path = change.path.to_str().context("the path is not valid UTF-8")?;
        fs_err::write(dir.join("path"), path)?;
        Ok(())
    }

    /// Every file that was written and not yet restored.
    pub(crate) fn all(&self) -> Result<Vec<File>> {
        let entries = match fs_err::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e.into()),
        };
        let mut files = Vec::new();
        for entry in entries {
            let dir = entry?.path();
            let path = PathBuf::from(fs_err::read_to_string(dir.join("path"))?);
            let before = dir.join("before");
            let before = before.exists().then(|| fs_err::read(before)).transpose()?;
            files.push(File { path, before, written: fs_err::read(dir.join("written"))?, dir });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    pub(crate) fn forget(&self, file: &File) -> Result<()> {
        fs_err::remove_dir_all(&file.dir)?;
        Ok(())
    }
}

/// Writes a change: beside the file and renamed, so that a reader sees the old or the new one whole. A link is
/// written through, as people keep their settings elsewhere.
pub(crate) fn apply(change: &Change) -> Result<()> {
    let path = fs_err::canonicalize(&change.path).unwrap_or_else(|_| change.path.clone());
    match &change.after {
        Some(bytes) => {
            let dir = path.parent().context("the path has no directory")?;
            fs_err::create_dir_all(dir)?;
            let temporary = path.with_extension(format!("ambit-{}", std::process::id()));
            fs_err::write(&temporary, bytes)?;
            if let Ok(meta) = fs_err::metadata(&path) {
                fs_err::set_permissions(&temporary, meta.permissions())?;
            }
            fs_err::rename(&temporary, &path)?;
        }
        None => {
            fs_err::remove_file(&path)?;
            // A directory that the installation made goes with its last file.
            if let Some(dir) = path.parent() {
                let _ = std::fs::remove_dir(dir);
            }
        }
    }
    Ok(())
}
