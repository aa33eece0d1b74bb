//! Giving back what a repository lost: refs, the index, tracked files as the index had them, what was put aside.

use crate::git::Git;
use crate::manifest::{After, AfterRepository, KeptRepository, Manifest, State};
use crate::repository::is_object;
use crate::settle::{places, repository_now};
use crate::undo::{Step, StepKind, Wish, tracked};
use model::AbsPath;
use std::path::Path;

/// What is to become of a repository.
#[derive(Debug)]
pub(crate) struct Meant<'a> {
    kept: &'a KeptRepository,
    refs: Vec<(String, Option<String>, StepKind)>,
    head: Option<StepKind>,
    index: Option<StepKind>,
    files: Vec<(String, State, StepKind)>,
    stashes: Vec<(String, String)>,
    failed: Option<String>,
}

/// What is to become of one thing: as before, the call's doing, or newer.
fn kind<T: PartialEq>(before: &T, now: &T, after: Option<&T>, absent: bool, wish: Wish) -> StepKind {
    if before == now {
        StepKind::Same
    } else if wish.over_newer || after.map_or(absent, |a| a == now) {
        StepKind::GivenBack
    } else {
        StepKind::LeftNewer
    }
}

/// Compares a repository with what was kept and with what the call left.
pub(crate) fn meant<'a>(
    manifest: &Manifest,
    kept: &'a KeptRepository,
    after: Option<&After>,
    wish: Wish,
    dir: &Path,
) -> Meant<'a> {
    let mut out = Meant {
        kept,
        refs: Vec::new(),
        head: None,
        index: None,
        files: Vec::new(),
        stashes: Vec::new(),
        failed: None,
    };
    let now = match repository_now(manifest, kept, dir) {
        Ok(now) => now,
        Err(e) => {
            out.failed = Some(e.to_string());
            return out;
        }
    };
    let after: Option<&AfterRepository> =
        after.and_then(|a| a.repositories.iter().find(|r| r.root == kept.root));
    for (name, object) in &kept.refs {
        let there = now.refs.get(name).cloned();
        let left = after.map(|a| a.refs.get(name).cloned());
        let kind = kind(&Some(object.clone()), &there, left.as_ref(), there.is_none(), wish);
        out.refs.push((name.clone(), there, kind));
    }
    out.head = Some(kind(&kept.head, &now.head, after.map(|a| &a.head), false, wish));
    if let Some(index) = &kept.index {
        let digest = Some(index.digest);
        out.index = Some(kind(&digest, &now.index, after.map(|a| &a.index), now.index.is_none(), wish));
    }
    for (name, there) in now.files {
        let left = after.and_then(|a| a.files.get(&name));
        let untouched = left.map_or(there == State::Absent, |l| l.same(&there));
        let kind = if there == State::Directory {
            StepKind::Failed("a directory is there now; move it away and run this again".to_owned())
        } else if untouched || wish.over_newer {
            StepKind::GivenBack
        } else {
            StepKind::LeftNewer
        };
        out.files.push((name, there, kind));
    }
    match places(kept).stashes() {
        Ok(there) => {
            out.stashes =
                kept.stashes.iter().filter(|(o, _)| !there.iter().any(|(t, _)| t == o)).cloned().collect();
        }
        Err(e) => out.failed = Some(e.to_string()),
    }
    out
}

impl Meant<'_> {
    pub(crate) fn root(&self) -> &AbsPath {
        &self.kept.root
    }

    /// Whether refs, index or `HEAD` change.
    pub(crate) fn changes(&self) -> bool {
        let given = |k: &StepKind| *k == StepKind::GivenBack;
        self.refs.iter().any(|(_, _, k)| given(k))
            || self.head.as_ref().is_some_and(given)
            || self.index.as_ref().is_some_and(given)
    }

    /// The files that git will write over.
    pub(crate) fn overwritten(&self) -> Vec<AbsPath> {
        let given =
            self.files.iter().filter(|(_, now, k)| *k == StepKind::GivenBack && *now != State::Absent);
        given.map(|(name, _, _)| tracked(&self.kept.root, name)).collect()
    }

    /// Does what is meant, and says what became of it.
    pub(crate) fn carry_out(self, dir: &Path, id: &str, wish: Wish, git: Option<&Git<'_>>) -> Vec<Step> {
        let root = self.kept.root.clone();
        let step = |what: &str, kind: StepKind| Step { what: format!("{root} ({what})"), kind };
        if let Some(why) = self.failed {
            return vec![step("repository", StepKind::Failed(why))];
        }
        let mut runner = Runner { kept: self.kept, git, id, look: wish.only_look };
        let mut out = Vec::new();
        let index = self.kept.index.as_ref().map(|i| dir.join(&i.name));
        if let Some(index) = &index {
            let names: Vec<&str> = self
                .files
                .iter()
                .filter(|(_, _, k)| *k == StepKind::GivenBack)
                .map(|(name, _, _)| name.as_str())
                .collect();
            let failed = runner.check_out(index, &names).err();
            for (name, _, kind) in self.files {
                let kind = match (&failed, kind) {
                    (Some(e), StepKind::GivenBack) => StepKind::Failed(e.to_string()),
                    (_, kind) => kind,
                };
                out.push(Step { what: tracked(&root, &name).to_string(), kind });
            }
        }
        for (name, there, kind) in self.refs {
            let object = self.kept.refs.get(&name).cloned().unwrap_or_default();
            let kind = runner.done(kind, |r| r.update_ref(&name, &object, there.as_deref()));
            if kind != StepKind::Same {
                out.push(step(&name, kind));
            }
        }
        if let Some(kind) = self.head {
            let kind = runner.done(kind, |r| r.set_head());
            if kind != StepKind::Same {
                out.push(step("HEAD", kind));
            }
        }
        if let (Some(kind), Some(index)) = (self.index, &index) {
            let kind = runner.done(kind, |r| r.put_index(index));
            if kind != StepKind::Same {
                out.push(step("index", kind));
            }
        }
        // The oldest first: each goes on top.
        for (object, message) in self.stashes.iter().rev() {
            let kind = runner.done(StepKind::GivenBack, |r| {
                r.git(None, &["stash", "store", "-m", message, object], b"").map(|_| ())
            });
            out.push(step(&format!("stash: {message}"), kind));
        }
        out
    }
}

struct Runner<'a> {
    kept: &'a KeptRepository,
    git: Option<&'a Git<'a>>,
    id: &'a str,
    look: bool,
}

impl Runner<'_> {
    fn done(&mut self, kind: StepKind, act: impl FnOnce(&mut Self) -> std::io::Result<()>) -> StepKind {
        if kind != StepKind::GivenBack || self.look {
            return kind;
        }
        match act(self) {
            Ok(()) => kind,
            Err(e) => StepKind::Failed(e.to_string()),
        }
    }

    fn git(&self, index: Option<&Path>, arguments: &[&str], input: &[u8]) -> std::io::Result<String> {
        let git = self.git.ok_or_else(|| std::io::Error::other("the program `git` was not found"))?;
        git.run(&places(self.kept), index, arguments, input)
    }

    fn check_out(&mut self, index: &Path, names: &[&str]) -> std::io::Result<()> {
        if self.look || names.is_empty() {
            return Ok(());
        }
        let mut input = Vec::new();
        for name in names {
            input.extend_from_slice(name.as_bytes());
            input.push(0);
        }
        // A copy, because git notes in it what it has written, and the kept one stays as it was.
        let copy = index.with_extension("undo");
        std::fs::copy(index, &copy)?;
        let result = self.git(Some(&copy), &["checkout-index", "-f", "-z", "--stdin"], &input);
        std::fs::remove_file(&copy)?;
        result.map(|_| ())
    }

    fn update_ref(&mut self, name: &str, object: &str, now: Option<&str>) -> std::io::Result<()> {
        let why = format!("ambit undo {}", self.id);
        // Git itself refuses if the ref was moved since it was looked at.
        let none = "0".repeat(object.len());
        let now = now.unwrap_or(&none);
        self.git(None, &["update-ref", "--no-deref", "--create-reflog", "-m", &why, name, object, now], b"")
            .map(|_| ())
    }

    fn set_head(&mut self) -> std::io::Result<()> {
        let why = format!("ambit undo {}", self.id);
        let head = &self.kept.head;
        if let Some(name) = head.strip_prefix("ref: ") {
            return self.git(None, &["symbolic-ref", "-m", &why, "HEAD", name.trim()], b"").map(|_| ());
        }
        if !is_object(head) {
            return Err(std::io::Error::other("what `HEAD` held is not understood"));
        }
        self.git(None, &["update-ref", "--no-deref", "-m", &why, "HEAD", head], b"").map(|_| ())
    }

    fn put_index(&mut self, index: &Path) -> std::io::Result<()> {
        let places = places(self.kept);
        let lock = places.git_dir.join("index.lock");
        let bytes = std::fs::read(index)?;
        let mut file = std::fs::File::create_new(lock.as_std())?;
        let written = std::io::Write::write_all(&mut file, &bytes).and_then(|()| file.sync_data());
        if let Err(e) = written {
            std::fs::remove_file(lock.as_std())?;
            return Err(e);
        }
        std::fs::rename(lock.as_std(), places.index().as_std())
    }
}
