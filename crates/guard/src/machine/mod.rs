//! Facts about the real machine: files, git, the organisation's names. Runs no program and keeps a time budget; what
//! the budget does not reach is unknown, which is never the same as harmless.

mod git;
mod tree;

use crate::rails::Rails;
use crate::session::{Marks, Session};
use git::Repository;
use model::{
    AbsPath, Environment, Facts, FileKind, GitConfig, GitLoss, GitState, Host, Named, Resolved, TreeSize, Tri,
};
use policy::Config;
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// How long all facts of one call may take together.
pub const BUDGET: Duration = Duration::from_millis(20);

/// Facts about this machine, for one call.
pub struct Machine<'a> {
    workspace: AbsPath,
    extra: Vec<AbsPath>,
    home: Option<AbsPath>,
    config: &'a Config,
    session: Option<&'a Session>,
    rails: &'a Rails,
    variables: &'a dyn Fn(&str) -> Option<String>,
    deadline: Instant,
    repositories: RefCell<Vec<Repository>>,
}

impl std::fmt::Debug for Machine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

impl<'a> Machine<'a> {
    /// Facts for a call in `workspace` by a person whose home is `home`. `variables` answers for the environment.
    #[must_use]
    pub fn new(
        workspace: AbsPath,
        home: Option<AbsPath>,
        config: &'a Config,
        session: Option<&'a Session>,
        rails: &'a Rails,
        variables: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let extra = config.workspace.extra.iter().map(|d| workspace.join(d)).collect();
        Self {
            workspace: follow(&workspace).path,
            extra,
            home: home.map(|h| follow(&h).path),
            config,
            session,
            rails,
            variables,
            deadline: Instant::now() + BUDGET,
            repositories: RefCell::new(Vec::new()),
        }
    }

    fn in_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    fn with_repository<T>(&self, path: &AbsPath, f: impl FnOnce(&mut Repository) -> T) -> Option<T> {
        let mut all = self.repositories.borrow_mut();
        // The innermost one that is open already serves only if no repository lies between it and the path.
        let found = Repository::above(path)?;
        let at = all.iter().position(|r| r.root == found.root);
        match at.and_then(|at| all.get_mut(at)) {
            Some(open) => Some(f(open)),
            None => {
                all.push(found);
                all.last_mut().map(f)
            }
        }
    }

    /// The name that is current where a command names none: kube context, cloud profile.
    fn current(&self, named: &Named<'_>) -> Option<String> {
        match named {
            Named::KubeContext(None) => self.kube_context(),
            Named::CloudProfile("aws", None) => (self.variables)("AWS_PROFILE"),
            Named::CloudProfile("gcloud", None) => (self.variables)("CLOUDSDK_CORE_PROJECT"),
            Named::TerraformWorkspace(None) => (self.variables)("TF_WORKSPACE").or_else(|| {
                let file = self.workspace.join(".terraform/environment");
                std::fs::read_to_string(file.as_std()).ok().map(|t| t.trim().to_owned())
            }),
            Named::Database(None) => (self.variables)("DATABASE_URL").or_else(|| (self.variables)("PGHOST")),
            _ => None,
        }
    }

    fn kube_context(&self) -> Option<String> {
        let file = match (self.variables)("KUBECONFIG") {
            Some(list) => AbsPath::parse(list.split(':').next()?).ok()?,
            None => self.home.as_ref()?.join(".kube/config"),
        };
        if std::fs::metadata(file.as_std()).ok()?.len() > 1 << 20 {
            return None;
        }
        let text = std::fs::read_to_string(file.as_std()).ok()?;
        // The one top-level scalar that is needed; nothing else of the file is read or kept.
        let line = text.lines().find_map(|l| l.strip_prefix("current-context:"))?;
        Some(line.trim().trim_matches(['"', '\'']).to_owned())
    }
}

/// Follows symlinks as far as the path exists; a dangling link is followed to where it points.
pub(crate) fn follow(path: &AbsPath) -> Resolved {
    follow_from(path, 0)
}

fn follow_from(path: &AbsPath, links: u8) -> Resolved {
    let mut existing = path.clone();
    let mut rest: Vec<String> = Vec::new();
    loop {
        match std::fs::canonicalize(existing.as_std()) {
            Ok(real) => {
                let Some(real) = real.to_str().and_then(|r| AbsPath::parse(r).ok()) else {
                    return Resolved { path: path.clone(), kind: FileKind::Unknown };
                };
                if rest.is_empty() {
                    let kind = match std::fs::metadata(real.as_std()) {
                        Ok(m) if m.is_dir() => FileKind::Directory,
                        Ok(m) if m.is_file() => FileKind::File,
                        Ok(_) => FileKind::Special,
                        Err(_) => FileKind::Unknown,
                    };
                    return Resolved { path: real, kind };
                }
                let path = rest.iter().rev().fold(real, |p, name| p.join(name));
                return Resolved { path, kind: FileKind::Absent };
            }
            Err(e)
                if e.kind() == std::io::ErrorKind::NotFound
                    || e.kind() == std::io::ErrorKind::NotADirectory =>
            {
                if let Ok(target) = std::fs::read_link(existing.as_std())
                    && links < 16
                    && let (Some(target), Some(dir)) = (target.to_str(), existing.parent())
                {
                    let target = rest.iter().rev().fold(dir.join(target), |p, name| p.join(name));
                    return follow_from(&target, links + 1);
                }
                let (Some(name), Some(parent)) = (existing.name().map(str::to_owned), existing.parent())
                else {
                    return Resolved { path: path.clone(), kind: FileKind::Absent };
                };
                rest.push(name);
                existing = parent;
            }
            Err(_) => return Resolved { path: path.clone(), kind: FileKind::Unknown },
        }
    }
}

impl Facts for Machine<'_> {
    fn workspace(&self) -> &AbsPath {
        &self.workspace
    }
    fn extra_workspaces(&self) -> &[AbsPath] {
        &self.extra
    }
    fn home(&self) -> Option<&AbsPath> {
        self.home.as_ref()
    }
    fn resolve(&self, path: &AbsPath) -> Resolved {
        if self.in_time() { follow(path) } else { Resolved { path: path.clone(), kind: FileKind::Unknown } }
    }
    fn git_state(&self, path: &AbsPath) -> GitState {
        if !self.in_time() {
            return GitState::Unknown;
        }
        self.with_repository(path, |r| r.state(path)).unwrap_or(GitState::Outside)
    }
    fn git_config(&self, dir: &AbsPath) -> GitConfig {
        if !self.in_time() {
            return GitConfig::default();
        }
        self.with_repository(dir, |r| r.config(self.home.as_ref())).unwrap_or_default()
    }
    fn git_loss(&self, dir: &AbsPath, loss: GitLoss) -> Tri {
        if !self.in_time() {
            return Tri::Unknown;
        }
        self.with_repository(dir, |r| r.loss(loss, self.deadline)).unwrap_or_default()
    }
    fn git_pushed(&self, dir: &AbsPath) -> Tri {
        if !self.in_time() {
            return Tri::Unknown;
        }
        let home = self.home.as_ref();
        self.with_repository(dir, |r| r.pushed(home, self.deadline)).unwrap_or_default()
    }
    fn tree_size(&self, path: &AbsPath) -> Option<TreeSize> {
        if !self.in_time() {
            return None;
        }
        match self.with_repository(path, |r| tree::size(path.as_std(), Some(r), self.deadline)) {
            Some(size) => size,
            None => tree::size(path.as_std(), None, self.deadline),
        }
    }
    fn made_by_session(&self, path: &AbsPath) -> bool {
        self.session.is_some_and(|s| s.marks(path).has(Marks::CREATED))
    }
    fn written_by_session(&self, path: &AbsPath) -> bool {
        self.session.is_some_and(|s| {
            let marks = s.marks(path);
            marks.has(Marks::WROTE) || marks.has(Marks::CREATED)
        })
    }
    fn downloaded_by_session(&self, path: &AbsPath) -> bool {
        self.session.is_some_and(|s| s.marks(path).has(Marks::DOWNLOADED))
    }
    fn script(&self, path: &AbsPath, limit: usize) -> Option<String> {
        let meta = std::fs::metadata(path.as_std()).ok()?;
        if !meta.is_file() || meta.len() > limit as u64 || !self.in_time() {
            return None;
        }
        std::fs::read_to_string(path.as_std()).ok()
    }
    fn variable(&self, name: &str) -> Option<String> {
        // Only what names a place: values of other variables may be secrets and are nobody's business here.
        match name {
            "HOME" => self.home.as_ref().map(ToString::to_string),
            "TMPDIR" | "USER" | "LOGNAME" | "SHELL" | "XDG_CONFIG_HOME" | "XDG_CACHE_HOME"
            | "XDG_DATA_HOME" | "VIRTUAL_ENV" | "CARGO_HOME" | "GOPATH" => (self.variables)(name),
            _ => None,
        }
    }
    fn environment(&self, named: &Named<'_>) -> Environment {
        let Some(name) = self.current(named) else { return self.config.environment(named) };
        self.config.environment(&match named {
            Named::KubeContext(_) => Named::KubeContext(Some(&name)),
            Named::CloudProfile(provider, _) => Named::CloudProfile(provider, Some(&name)),
            Named::TerraformWorkspace(_) => Named::TerraformWorkspace(Some(&name)),
            _ => Named::Database(Some(&name)),
        })
    }
    fn protected_branch(&self, branch: &str) -> bool {
        self.config.protected_branch(branch)
    }
    fn allowed_host(&self, host: &Host) -> bool {
        self.config.allowed_host(host)
    }
    fn is_credential(&self, path: &AbsPath) -> bool {
        self.config.is_credential(path.as_str())
    }
    fn is_guard_rail(&self, path: &AbsPath) -> bool {
        self.rails.holds(path)
    }
}

#[cfg(test)]
mod tests;
