//! What a git command would lose. `No` is said only when everything that could be lost was looked at in time.

use super::{MAX_COMPARED, MAX_HASHED, Repository, same};
use bstr::{BStr, ByteSlice};
use gix_index::entry::{Flags, Mode, Stage};
use ignore::WalkBuilder;
use model::{AbsPath, GitLoss, Tri};
use std::time::Instant;

/// Files in git's directory that tell of an operation that is not finished; taking the work tree back loses its state.
const UNFINISHED: &[&str] =
    &["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "BISECT_LOG"];

impl Repository {
    /// Whether a command would lose something of this kind.
    pub(crate) fn loss(&mut self, loss: GitLoss, deadline: Instant) -> Tri {
        match loss {
            GitLoss::Worktree => self.worktree(deadline),
            GitLoss::Untracked { ignored } => self.untracked(ignored, deadline),
            GitLoss::Stash => self.has_ref("refs/stash").map_or(Tri::Unknown, Tri::from),
        }
    }

    /// Whether tracked files differ from the index, as far as files can be compared; `None` when that is not known.
    pub(super) fn changed(&mut self) -> Option<bool> {
        let root = self.root.clone();
        let index = self.index()?;
        if index.entries().len() > MAX_COMPARED || index.is_sparse() {
            return None;
        }
        let mut left = MAX_HASHED;
        let mut known = true;
        for entry in index.entries() {
            // What a submodule holds is a repository of its own; what is left out or told to be unchanged is not seen.
            if entry.mode == Mode::COMMIT
                || entry.flags.intersects(Flags::SKIP_WORKTREE | Flags::ASSUME_VALID)
            {
                known = false;
                continue;
            }
            let file = entry.path(index).to_str().map(|p| root.join(p));
            let unmerged = entry.stage() != Stage::Unconflicted;
            if unmerged || !file.is_ok_and(|f| same(index, entry, f.as_std(), &mut left)) {
                return Some(true);
            }
        }
        known.then_some(false)
    }

    fn worktree(&mut self, deadline: Instant) -> Tri {
        if UNFINISHED.iter().any(|name| self.git_dir.join(name).exists()) {
            return Tri::Unknown;
        }
        match self.changed() {
            None => Tri::Unknown,
            Some(true) => Tri::Yes,
            // What is staged and not committed is lost too.
            Some(false) => match self.index_is_head(deadline) {
                None => Tri::Unknown,
                Some(same) => (!same).into(),
            },
        }
    }

    fn untracked(&mut self, ignored: bool, deadline: Instant) -> Tri {
        let root = self.root.clone();
        let git_dir = root.as_std().join(".git");
        let Some(index) = self.index() else { return Tri::Unknown };
        let mut walk = WalkBuilder::new(root.as_std());
        // Only what lies in the repository counts: of the person's own list of ignored files nothing is known here.
        walk.standard_filters(false).follow_links(false);
        if !ignored {
            walk.git_ignore(true).git_exclude(true).require_git(false);
        }
        walk.filter_entry(move |e| e.path() != git_dir);
        for entry in walk.build() {
            if Instant::now() >= deadline {
                return Tri::Unknown;
            }
            let Ok(entry) = entry else { return Tri::Unknown };
            if entry.file_type().is_none_or(|t| t.is_dir()) {
                continue;
            }
            let path = entry.path().to_str().and_then(|p| AbsPath::parse(p).ok());
            let tracked = path.and_then(|p| p.relative_to(&root).map(|r| r.as_str().to_owned()));
            if tracked.is_none_or(|r| index.entry_by_path(BStr::new(&r)).is_none()) {
                return Tri::Yes;
            }
        }
        Tri::No
    }
}
