//! What a session has done, kept in memory over other facts: for judging a series of calls that never run.

use crate::flow::Provenance;
use crate::session::Marks;
use model::{
    AbsPath, Environment, Facts, GitConfig, GitLoss, GitState, Host, Named, Resolved, TreeSize, Tri,
};
use std::collections::HashMap;

/// Facts with a session's own doing on top.
pub struct Overlay<'a> {
    /// The facts beneath.
    pub facts: &'a dyn Facts,
    /// What the session has done.
    pub done: &'a Done,
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay").field("done", &self.done).finish_non_exhaustive()
    }
}

/// What a session has done and seen.
#[derive(Debug, Clone, Default)]
pub struct Done {
    paths: HashMap<AbsPath, Marks>,
    own: Marks,
}

impl Done {
    /// Adds what a call will have done.
    pub fn add(&mut self, provenance: Provenance) {
        for (path, marks) in provenance.paths {
            // What was made before stays made when it is written again.
            let known = self.paths.entry(path).or_default();
            *known = known.and(marks);
        }
        self.own = self.own.and(provenance.own);
    }

    /// The marks of the session itself.
    #[must_use]
    pub fn own(&self) -> Marks {
        self.own
    }

    fn has(&self, path: &AbsPath, marks: Marks) -> bool {
        self.paths.get(path).is_some_and(|m| m.has(marks))
    }
}

impl Facts for Overlay<'_> {
    fn workspace(&self) -> &AbsPath {
        self.facts.workspace()
    }
    fn extra_workspaces(&self) -> &[AbsPath] {
        self.facts.extra_workspaces()
    }
    fn home(&self) -> Option<&AbsPath> {
        self.facts.home()
    }
    fn resolve(&self, path: &AbsPath) -> Resolved {
        self.facts.resolve(path)
    }
    fn git_state(&self, path: &AbsPath) -> GitState {
        self.facts.git_state(path)
    }
    fn git_config(&self, dir: &AbsPath) -> GitConfig {
        self.facts.git_config(dir)
    }
    fn git_loss(&self, dir: &AbsPath, loss: GitLoss) -> Tri {
        self.facts.git_loss(dir, loss)
    }
    fn git_pushed(&self, dir: &AbsPath) -> Tri {
        self.facts.git_pushed(dir)
    }
    fn tree_size(&self, path: &AbsPath) -> Option<TreeSize> {
        self.facts.tree_size(path)
    }
    fn made_by_session(&self, path: &AbsPath) -> bool {
        self.done.has(path, Marks::CREATED) || self.facts.made_by_session(path)
    }
    fn written_by_session(&self, path: &AbsPath) -> bool {
        self.done.has(path, Marks::WROTE) || self.facts.written_by_session(path)
    }
    fn downloaded_by_session(&self, path: &AbsPath) -> bool {
        self.done.has(path, Marks::DOWNLOADED) || self.facts.downloaded_by_session(path)
    }
    fn script(&self, path: &AbsPath, limit: usize) -> Option<String> {
        self.facts.script(path, limit)
    }
    fn variable(&self, name: &str) -> Option<String> {
        self.facts.variable(name)
    }
    fn environment(&self, named: &Named<'_>) -> Environment {
        self.facts.environment(named)
    }
    fn protected_branch(&self, branch: &str) -> bool {
        self.facts.protected_branch(branch)
    }
    fn allowed_host(&self, host: &Host) -> bool {
        self.facts.allowed_host(host)
    }
    fn is_credential(&self, path: &AbsPath) -> bool {
        self.facts.is_credential(path)
    }
    fn is_guard_rail(&self, path: &AbsPath) -> bool {
        self.facts.is_guard_rail(path)
    }
}
