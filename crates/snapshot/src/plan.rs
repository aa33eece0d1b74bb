//! What would be lost, from a call's effects alone.

use crate::error::NotPlanned;
use model::{AbsPath, Action, Effect, EffectKind, Origin, PathClass, PathFacts, PathTarget, Tri};

/// What must be kept so that a call can be undone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub(crate) targets: Vec<Target>,
    pub(crate) repositories: Vec<RepositoryPlan>,
    /// Whether files may be kept by hard links: nothing in the call writes to a file that it deletes.
    pub(crate) only_unlinks: bool,
}

/// Paths that would be lost or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) place: Place,
    /// Whether all that lies beneath is kept too; otherwise a directory is only noted.
    pub(crate) deep: bool,
    /// Whether the concession depends on it; what policy lets go freely is kept where it costs little.
    pub(crate) needed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Path(AbsPath),
    Matching { base: AbsPath, pattern: String },
}

/// What would be lost of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RepositoryPlan {
    /// A directory in it.
    pub(crate) dir: AbsPath,
    /// Its index and tracked files that differ from it.
    pub(crate) worktree: bool,
    /// Files that git does not track; with `ignored`, also those it ignores.
    pub(crate) untracked: bool,
    pub(crate) ignored: bool,
    /// What was put aside.
    pub(crate) stash: bool,
    pub(crate) needed: bool,
}

impl Plan {
    /// Whether nothing would be lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.repositories.is_empty()
    }

    /// How many things are named: paths, patterns and repositories.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len() + self.repositories.len()
    }

    /// Says on which effects the concession depends, by their place in the call: what belongs only to others may be
    /// left out when it is too large.
    #[must_use]
    pub fn needing(self, effects: &[Effect], needed: &dyn Fn(usize) -> bool) -> Self {
        let mut out = Self { only_unlinks: self.only_unlinks, ..Self::default() };
        for (at, effect) in effects.iter().enumerate() {
            let mut own = Self::default();
            // It was planned before, so it can be planned again.
            if own.add(effect).is_err() {
                continue;
            }
            let needed = needed(at);
            own.targets.iter_mut().for_each(|t| t.needed = needed);
            own.repositories.iter_mut().for_each(|r| r.needed = needed);
            out.join(own);
        }
        out
    }

    fn join(&mut self, other: Self) {
        for target in other.targets {
            match self.targets.iter_mut().find(|t| t.place == target.place) {
                Some(known) => {
                    known.deep |= target.deep;
                    known.needed |= target.needed;
                }
                None => self.targets.push(target),
            }
        }
        for repository in other.repositories {
            match self.repositories.iter_mut().find(|r| r.dir == repository.dir) {
                Some(known) => {
                    known.worktree |= repository.worktree;
                    known.untracked |= repository.untracked;
                    known.ignored |= repository.ignored;
                    known.stash |= repository.stash;
                    known.needed |= repository.needed;
                }
                None => self.repositories.push(repository),
            }
        }
    }

    fn add(&mut self, effect: &Effect) -> Result<(), NotPlanned> {
        let loses = matches!(
            effect.kind(),
            EffectKind::Delete | EffectKind::Write | EffectKind::Discard | EffectKind::Rewrite
        );
        if let (Some(place), true) = (&effect.remote, loses) {
            return Err(NotPlanned(format!("it lies on another machine, `{}`", place.name)));
        }
        if effect.remote.is_some() {
            return Ok(());
        }
        match &effect.action {
            Action::Delete(facts) => self.path(facts, true),
            Action::Write(facts) => self.path(facts, true),
            Action::Create(facts) => self.path(facts, false),
            Action::Discard(facts) => self.discard(&facts.repository, &facts.what),
            Action::Rewrite(facts) if facts.history => self.repository(&facts.repository, |r| {
                r.worktree = true;
            }),
            _ => Ok(()),
        }
    }

    fn path(&mut self, facts: &PathFacts, deep: bool) -> Result<(), NotPlanned> {
        let name = facts.target.to_string();
        match facts.class {
            PathClass::NullDevice => return Ok(()),
            PathClass::Device | PathClass::Disk | PathClass::ProcessMemory => {
                return Err(NotPlanned(format!("`{name}` is a device")));
            }
            _ => {}
        }
        let place = match &facts.target {
            PathTarget::Known(path) => Place::Path(path.clone()),
            PathTarget::Under { base, pattern, may_escape: false } => {
                Place::Matching { base: base.clone(), pattern: pattern.clone() }
            }
            PathTarget::Under { .. } | PathTarget::Unknown(_) => {
                return Err(NotPlanned(format!("nobody can tell before it runs what `{name}` is")));
            }
        };
        let mut own = Self { targets: vec![Target { place, deep, needed: true }], ..Self::default() };
        // A link that is named is lost itself, not only what it leads to.
        if let Some(named) = &facts.named {
            own.targets.push(Target { place: Place::Path(named.clone()), deep: false, needed: true });
        }
        self.join(own);
        Ok(())
    }

    fn discard(&mut self, repository: &str, what: &str) -> Result<(), NotPlanned> {
        match what {
            // What git does not track goes too where a file of the other state stands in its place.
            "worktree" => self.repository(repository, |r| {
                r.worktree = true;
                r.untracked = true;
            }),
            "untracked" => self.repository(repository, |r| r.untracked = true),
            "ignored" => self.repository(repository, |r| {
                r.untracked = true;
                r.ignored = true;
            }),
            "stash" => self.repository(repository, |r| r.stash = true),
            // Branches are kept with every repository.
            "branch" => self.repository(repository, |_| ()),
            other => Err(NotPlanned(format!("{other} of a repository are not kept"))),
        }
    }

    fn repository(&mut self, dir: &str, set: impl FnOnce(&mut RepositoryPlan)) -> Result<(), NotPlanned> {
        let dir = AbsPath::parse(dir)
            .map_err(|_| NotPlanned("nobody can tell which repository is meant".to_owned()))?;
        let mut repository = RepositoryPlan {
            dir,
            worktree: false,
            untracked: false,
            ignored: false,
            stash: false,
            needed: true,
        };
        set(&mut repository);
        self.join(Self { repositories: vec![repository], ..Self::default() });
        Ok(())
    }
}

/// What must be kept before a call with these effects. An empty plan says that nothing would be lost. Looks at nothing
/// but the effects.
///
/// # Errors
/// [`NotPlanned`] when part of what would be lost cannot be known or kept.
pub fn plan(effects: &[Effect]) -> Result<Plan, NotPlanned> {
    let mut out = Plan::default();
    let mut loses = false;
    for effect in effects {
        out.add(effect)?;
        loses |= match &effect.action {
            Action::Write(facts) => facts.exists != Tri::No,
            Action::Rewrite(facts) => facts.history,
            Action::Delete(_) | Action::Discard(_) => true,
            _ => false,
        };
    }
    if !loses {
        return Ok(Plan::default());
    }
    out.only_unlinks = effects.iter().all(|effect| match &effect.action {
        Action::Run(run) => run.understood && run.origin == Origin::System,
        _ => matches!(effect.kind(), EffectKind::Delete | EffectKind::Read),
    });
    Ok(out)
}
