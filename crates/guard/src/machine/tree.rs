//! How much lies in a tree, within a budget.

use super::git::Repository;
use model::TreeSize;
use std::path::Path;
use std::time::Instant;

/// Entries looked at before the count is given as "at least".
const MAX_ENTRIES: u64 = 20_000;

/// Counts files and bytes beneath `path` (or of the file itself) until the budget or `deadline` ends it.
pub(crate) fn size(
    path: &Path,
    mut repository: Option<&mut Repository>,
    deadline: Instant,
) -> Option<TreeSize> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    let mut out =
        TreeSize { files: 0, bytes: 0, not_in_git: repository.as_ref().map(|_| 0), at_least: false };
    let mut count = |file: &Path, bytes: u64, out: &mut TreeSize| {
        out.files += 1;
        out.bytes += bytes;
        if let (Some(repository), Some(n)) = (repository.as_mut(), out.not_in_git.as_mut())
            && !repository.keeps(file)
        {
            *n += 1;
        }
    };
    if !meta.is_dir() {
        count(path, meta.len(), &mut out);
        return Some(out);
    }
    let mut dirs = vec![path.to_owned()];
    let mut seen = 0;
    while let Some(dir) = dirs.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            out.at_least = true;
            continue;
        };
        for entry in entries.flatten() {
            seen += 1;
            if seen > MAX_ENTRIES || Instant::now() >= deadline {
                out.at_least = true;
                return Some(out);
            }
            match entry.metadata() {
                Ok(m) if m.is_dir() => dirs.push(entry.path()),
                Ok(m) => count(&entry.path(), m.len(), &mut out),
                Err(_) => out.at_least = true,
            }
        }
    }
    Some(out)
}
