//! What a repository would lose: refs, index, tracked files that differ from it, untracked files, what was put aside.

use crate::collect::{Found, utf8};
use crate::error::NotTaken;
use crate::git;
use crate::keep::{digest_of, private};
use crate::manifest::{KeptIndex, KeptRepository};
use crate::plan::{Plan, RepositoryPlan};
use crate::store::pins;
use crate::take::Budget;
use bstr::ByteSlice;
use gix_index::entry::{Mode, Stat};
use model::AbsPath;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Repositories with more branches and tags are not kept.
const MAX_REFS: usize = 2_000;
/// Larger files of git's own are not read.
const MAX_FILE: u64 = 64 << 20;

/// Where a repository lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) root: AbsPath,
    pub(crate) git_dir: AbsPath,
    pub(crate) common_dir: AbsPath,
}

/// The repositories of a plan, found.
#[derive(Debug, Default)]
pub(crate) struct Repositories(Vec<(Places, RepositoryPlan)>);

fn odd(root: &AbsPath) -> impl Fn(&dyn std::fmt::Display) -> NotTaken + '_ {
    move |why| NotTaken::Repository { path: root.as_std().to_owned(), why: why.to_string() }
}

impl Places {
    /// The repository whose work tree holds `dir`.
    pub(crate) fn above(dir: &AbsPath) -> Result<Self, NotTaken> {
        let odd = odd(dir);
        let real = std::fs::canonicalize(dir.as_std()).map_err(|e| odd(&e))?;
        let mut at = Some(utf8(&real)?);
        while let Some(here) = at {
            let dot = here.join(".git");
            if let Ok(meta) = std::fs::symlink_metadata(dot.as_std()) {
                let git_dir = if meta.is_dir() { dot } else { linked(&here, &dot).map_err(|e| odd(&e))? };
                let common = git_dir.join("commondir");
                let common_dir = match std::fs::read_to_string(common.as_std()) {
                    Ok(text) => git_dir.join(text.trim()),
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => git_dir.clone(),
                    Err(e) => return Err(odd(&e)),
                };
                return Ok(Self { root: here, git_dir, common_dir });
            }
            at = here.parent();
        }
        Err(odd(&"no repository holds it"))
    }

    /// The index's file.
    pub(crate) fn index(&self) -> AbsPath {
        self.git_dir.join("index")
    }

    /// What `HEAD` holds.
    pub(crate) fn head(&self) -> std::io::Result<String> {
        Ok(std::fs::read_to_string(self.git_dir.join("HEAD").as_std())?.trim().to_owned())
    }

    /// Whether Ambit can keep this form of repository.
    fn check(&self) -> Result<(), NotTaken> {
        let odd = odd(&self.root);
        let owner = std::fs::symlink_metadata(self.common_dir.as_std()).map_err(|e| odd(&e))?.uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Err(odd(&"it belongs to another account"));
        }
        let config = self.common_dir.join("config");
        if std::fs::metadata(config.as_std()).map_err(|e| odd(&e))?.len() > MAX_FILE {
            return Err(odd(&"its configuration is too large"));
        }
        let config =
            gix_config::File::from_path_no_includes(config.as_std().to_owned(), gix_config::Source::Local)
                .map_err(|e| odd(&e))?;
        for section in config.sections().filter(|s| s.header().name().eq_ignore_ascii_case(b"extensions")) {
            for key in section.body().value_names() {
                let harmless = ["noop", "worktreeconfig", "preciousobjects"]
                    .contains(&key.to_ascii_lowercase().as_str());
                if !harmless {
                    return Err(odd(&format!("it uses the extension `{key}`, which Ambit does not know")));
                }
            }
        }
        Ok(())
    }

    /// Branches and tags with what they name.
    pub(crate) fn refs(&self) -> Result<BTreeMap<String, String>, NotTaken> {
        let odd = odd(&self.root);
        let mut out = BTreeMap::new();
        let packed = self.common_dir.join("packed-refs");
        match std::fs::metadata(packed.as_std()) {
            Ok(meta) if meta.len() > MAX_FILE => return Err(odd(&"its list of refs is too large")),
            Ok(_) => {
                let text = std::fs::read_to_string(packed.as_std()).map_err(|e| odd(&e))?;
                for (object, name) in text.lines().filter_map(|l| l.split_once(' ')) {
                    if kept_ref(name) && is_object(object) {
                        out.insert(name.to_owned(), object.to_owned());
                    }
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(odd(&e)),
        }
        let mut dirs = vec!["refs/heads".to_owned(), "refs/tags".to_owned()];
        while let Some(dir) = dirs.pop() {
            let entries = match std::fs::read_dir(self.common_dir.join(&dir).as_std()) {
                Ok(entries) => entries,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(odd(&e)),
            };
            for entry in entries {
                let entry = entry.map_err(|e| odd(&e))?;
                let name = entry.file_name();
                let name = name.to_str().ok_or_else(|| odd(&"the name of a ref is not valid UTF-8"))?;
                let name = format!("{dir}/{name}");
                let kind = entry.file_type().map_err(|e| odd(&e))?;
                if kind.is_dir() {
                    dirs.push(name);
                } else if !name.ends_with(".lock") {
                    let text = std::fs::read_to_string(entry.path()).map_err(|e| odd(&e))?;
                    let text = text.trim();
                    if !kept_ref(&name) || !is_object(text) {
                        return Err(odd(&format!("its ref `{name}` is not understood")));
                    }
                    out.insert(name, text.to_owned());
                }
            }
        }
        if out.len() > MAX_REFS {
            return Err(odd(&format!("it has more than {MAX_REFS} branches and tags")));
        }
        Ok(out)
    }

    /// What was put aside, the newest first: object and message.
    pub(crate) fn stashes(&self) -> Result<Vec<(String, String)>, NotTaken> {
        let odd = odd(&self.root);
        let text = match std::fs::read(self.common_dir.join("logs/refs/stash").as_std()) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(odd(&e)),
        };
        let mut out = Vec::new();
        for line in String::from_utf8_lossy(&text).lines() {
            let (front, message) = line.split_once('\t').unwrap_or((line, ""));
            let object = front.split(' ').nth(1).filter(|o| is_object(o));
            let object = object.ok_or_else(|| odd(&"the list of what was put aside is not understood"))?;
            out.push((object.to_owned(), message.to_owned()));
        }
        out.reverse();
        Ok(out)
    }

    pub(crate) fn read_index(path: &Path) -> Result<gix_index::File, String> {
        if std::fs::metadata(path).map_err(|e| e.to_string())?.len() > MAX_FILE {
            return Err("its index is too large".to_owned());
        }
        let options = gix_index::decode::Options { thread_limit: Some(1), ..Default::default() };
        let index = gix_index::File::at(path, gix_index::hash::Kind::Sha1, true, options)
            .map_err(|e| format!("its index cannot be read: {e}"))?;
        if index.is_sparse() {
            return Err("its index is sparse".to_owned());
        }
        Ok(index)
    }
}

/// `gitdir: PATH` in a `.git` file, as work trees and submodules have it.
fn linked(dir: &AbsPath, file: &AbsPath) -> std::io::Result<AbsPath> {
    let text = std::fs::read_to_string(file.as_std())?;
    let target = text.trim().strip_prefix("gitdir:").map(str::trim).filter(|t| !t.is_empty());
    target.map(|t| dir.join(t)).ok_or_else(|| std::io::Error::other("its `.git` names no directory"))
}

/// Whether a name is that of a branch or tag and can be part of a path without leading elsewhere.
fn kept_ref(name: &str) -> bool {
    (name.starts_with("refs/heads/") || name.starts_with("refs/tags/"))
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
        && !name.contains(['\0', '\\', ' ', '~', '^', ':', '?', '*', '['])
}

pub(crate) fn is_object(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a file is certainly as the index has it. What was written when the index was may have been changed in the
/// same instant, so it does not count as the same.
pub(crate) fn unchanged(stat: &Stat, path: &Path, index: (u32, u32)) -> bool {
    let Ok(meta) = gix_index::fs::Metadata::from_path_no_follow(path) else { return false };
    let Ok(now) = Stat::from_fs(&meta) else { return false };
    let options = gix_index::entry::stat::Options {
        trust_ctime: true,
        check_stat: true,
        use_nsec: true,
        use_stdev: false,
    };
    (stat.mtime.secs, stat.mtime.nsecs) < index && stat.matches(&now, options)
}

/// When an index was written, in seconds and nanoseconds.
pub(crate) fn written(meta: &std::fs::Metadata) -> (u32, u32) {
    (u32::try_from(meta.mtime()).unwrap_or(0), u32::try_from(meta.mtime_nsec()).unwrap_or(0))
}

impl Repositories {
    /// Finds the repositories of a plan, and adds to `found` the files that only their work trees hold.
    pub(crate) fn find(
        plan: &Plan,
        found: &mut Found,
        budget: &Budget,
        deadline: Instant,
    ) -> Result<Self, NotTaken> {
        let mut out: Vec<(Places, RepositoryPlan)> = Vec::new();
        for repository in &plan.repositories {
            let one = || -> Result<Places, NotTaken> {
                let places = Places::above(&repository.dir)?;
                places.check()?;
                Ok(places)
            };
            match one() {
                Ok(places) => {
                    add_files(&places, repository, found, budget, deadline)?;
                    out.push((places, repository.clone()));
                }
                Err(e) if repository.needed => return Err(e),
                Err(e) => found.left_out.push(e.to_string()),
            }
        }
        Ok(Self(out))
    }

    pub(crate) fn common_dirs(&self) -> Vec<AbsPath> {
        self.0.iter().map(|(places, _)| places.common_dir.clone()).collect()
    }

    /// Keeps refs, index and what was put aside, pinned in each repository.
    pub(crate) fn keep(
        self,
        dir: &Path,
        id: &str,
        git: Option<&Path>,
        deadline: Instant,
    ) -> Result<Vec<KeptRepository>, NotTaken> {
        let mut out: Vec<KeptRepository> = Vec::new();
        for (at, (places, plan)) in self.0.into_iter().enumerate() {
            let odd = odd(&places.root);
            let mut kept = KeptRepository {
                head: places.head().map_err(|e| odd(&e))?,
                refs: places.refs()?,
                index: None,
                stashes: if plan.stash { places.stashes()? } else { Vec::new() },
                root: places.root.clone(),
                git_dir: places.git_dir.clone(),
                common_dir: places.common_dir.clone(),
            };
            if plan.worktree && places.index().as_std().exists() {
                let git = git.ok_or_else(|| odd(&"the program `git` was not found"))?;
                kept.index = Some(keep_index(&places, dir, at, git, deadline).map_err(|e| odd(&e))?);
            }
            let named = at.to_string();
            let below = if out.iter().any(|k| k.common_dir == kept.common_dir) { Some(named) } else { None };
            pin(&kept, id, below.as_deref()).map_err(|e| odd(&e))?;
            out.push(kept);
        }
        Ok(out)
    }
}

/// Files that git could not give back: those that differ from the index, and those it does not track.
fn add_files(
    places: &Places,
    plan: &RepositoryPlan,
    found: &mut Found,
    budget: &Budget,
    deadline: Instant,
) -> Result<(), NotTaken> {
    let odd = odd(&places.root);
    let file = places.index();
    let index = match std::fs::metadata(file.as_std()) {
        Ok(meta) => {
            let index = Places::read_index(file.as_std()).map_err(|e| odd(&e))?;
            Some((index, written(&meta)))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(odd(&e)),
    };
    if let (Some((index, when)), true) = (&index, plan.worktree) {
        for entry in index.entries() {
            if entry.mode == Mode::COMMIT || entry.mode == Mode::DIR {
                continue;
            }
            let path = entry.path(index).to_str().map_err(|e| odd(&e))?;
            let path = places.root.join(path);
            if !unchanged(&entry.stat, path.as_std(), *when) {
                found.tree(&path, false, budget, deadline)?;
            }
        }
    }
    if !plan.untracked {
        return Ok(());
    }
    let tracked = |path: &AbsPath, dir: bool| {
        let Some(relative) = path.relative_to(&places.root) else { return false };
        index.as_ref().is_some_and(|(index, _)| {
            let name = relative.as_str();
            index.entry_by_path(name.into()).is_some()
                || (dir && index.prefixed_entries(format!("{name}/").as_str().into()).is_some())
        })
    };
    // The person's own list of ignored files is not read: what it names is kept too.
    let walk = ignore::WalkBuilder::new(places.root.as_std())
        .standard_filters(false)
        .git_ignore(!plan.ignored)
        .git_exclude(!plan.ignored)
        .require_git(true)
        .filter_entry(|e| e.depth() != 1 || e.file_name() != ".git")
        .build();
    for entry in walk {
        let entry = entry.map_err(|e| odd(&e))?;
        let dir = entry.file_type().is_some_and(|t| t.is_dir());
        let path = utf8(entry.path())?;
        if path != places.root && !tracked(&path, dir) {
            found.tree(&path, false, budget, deadline)?;
        }
    }
    Ok(())
}

fn keep_index(
    places: &Places,
    dir: &Path,
    at: usize,
    git: &Path,
    deadline: Instant,
) -> std::io::Result<KeptIndex> {
    let name = format!("index-{at}");
    let copy = dir.join(&name);
    let bytes = std::fs::read(places.index().as_std())?;
    let mut file = private(&copy)?;
    file.write_all(&bytes)?;
    file.sync_data()?;
    let tree = git::write_tree(git, dir, &copy, places, deadline)?;
    let digest = digest_of(&mut std::fs::File::open(&copy)?)?;
    Ok(KeptIndex { name, digest, tree })
}

/// Writes the refs by which the repository keeps all that was named.
fn pin(kept: &KeptRepository, id: &str, below: Option<&str>) -> std::io::Result<()> {
    for dir in ["refs", "refs/ambit"] {
        let dir = kept.common_dir.join(dir);
        match std::fs::symlink_metadata(dir.as_std()) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(std::io::Error::other(format!("`{dir}` is not a directory"))),
            Err(_) => std::fs::create_dir(dir.as_std())?,
        }
    }
    let base = pins(&kept.common_dir, id);
    let base = match below {
        Some(below) => base.join("more").join(below),
        None => base,
    };
    let mut all: Vec<(PathBuf, &str)> = Vec::new();
    for (name, object) in &kept.refs {
        all.push((base.join(name.strip_prefix("refs/").unwrap_or(name)), object));
    }
    if is_object(&kept.head) {
        all.push((base.join("HEAD"), &kept.head));
    }
    if let Some(index) = &kept.index {
        all.push((base.join("index"), &index.tree));
    }
    for (at, (object, _)) in kept.stashes.iter().enumerate() {
        all.push((base.join("stash").join(at.to_string()), object));
    }
    for (file, object) in all {
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let mut file = std::fs::File::create_new(file)?;
        file.write_all(format!("{object}\n").as_bytes())?;
    }
    Ok(())
}

/// Takes away the refs of a snapshot that was not finished.
pub(crate) fn unpin(common_dirs: &[AbsPath], id: &str) {
    for common_dir in common_dirs {
        let _ = std::fs::remove_dir_all(pins(common_dir, id));
    }
}
