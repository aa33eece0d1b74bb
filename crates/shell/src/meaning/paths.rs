//! What touching a path means, with what follows from where it lies.

use crate::context::Context;
use model::{
    AbsPath, Action, AsWritten, EscalateFacts, FileKind, PathClass, PathFacts, PathTarget, PersistFacts,
    RevealFacts, Span, TamperFacts, Tri, Zone, path_facts,
};

/// What is done to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Its names or metadata are shown.
    List,
    /// Its content is read.
    Read,
    /// Its content is changed.
    Write,
    /// Something new is made there.
    Create,
    /// It is lost.
    Delete,
}

impl Context<'_> {
    /// The facts of a path on the machine that the command runs on. Of another machine nothing is known but the name.
    pub(crate) fn facts_of(&self, target: PathTarget, recursive: bool) -> PathFacts {
        if self.remote.is_none() {
            return path_facts(self.facts, target, recursive);
        }
        // Places that no machine has: nothing there is this session's workspace or this person's home.
        let nowhere = AbsPath::root().join("nowhere/here");
        path_facts(&AsWritten::new(nowhere.clone(), nowhere), target, recursive)
    }

    /// Adds the effects of touching a path. Gives whether what was read may be a secret, or comes from outside the
    /// workspace.
    pub(crate) fn touch(&mut self, touch: Touch, target: PathTarget, recursive: bool, span: Span) -> bool {
        let mut facts = self.facts_of(target, recursive);
        if facts.class == PathClass::NullDevice {
            return false;
        }
        let name = facts.target.to_string();
        let guarded = facts.class == PathClass::GuardRail;
        match touch {
            Touch::List => {
                // Names and sizes of such files are no secret.
                if matches!(
                    facts.class,
                    PathClass::Credential | PathClass::EnvFile | PathClass::ProcessMemory
                ) {
                    facts.class = PathClass::Source;
                }
                self.emit(Action::Read(facts), span);
                return false;
            }
            Touch::Read => {
                let what = match facts.class {
                    PathClass::Credential | PathClass::EnvFile => Some("credential_file"),
                    PathClass::ProcessMemory => Some("process_environment"),
                    _ => None,
                };
                let sensitive = what.is_some() || !matches!(facts.zone, Zone::Workspace | Zone::Temp);
                self.emit(Action::Read(facts), span);
                if let Some(what) = what {
                    self.emit(Action::Reveal(RevealFacts { what: what.to_owned(), name }), span);
                }
                return sensitive;
            }
            Touch::Write => {
                self.persists(&facts, span);
                self.emit(Action::Write(facts), span);
            }
            Touch::Create => {
                self.persists(&facts, span);
                self.emit(Action::Create(facts), span);
            }
            Touch::Delete => {
                if self.remote.is_none() {
                    facts = facts.with_git_state(self.facts);
                }
                if let (PathTarget::Known(path), None) = (&facts.target, &self.remote)
                    && facts.exists != Tri::No
                {
                    facts.size = self.facts.tree_size(path);
                }
                self.emit(Action::Delete(facts), span);
            }
        }
        if guarded {
            self.emit(Action::Tamper(TamperFacts { what: "settings".to_owned(), target: name }), span);
        }
        false
    }

    /// What is written may run later by itself.
    fn persists(&mut self, facts: &PathFacts, span: Span) {
        let place = facts.target.to_string();
        let has = |part: &str| place.contains(part);
        let mechanism = match facts.class {
            PathClass::Hook => "git_hook",
            PathClass::GitConfig => "git_config",
            PathClass::ShellRc if has("cron") => "cron",
            PathClass::ShellRc if has("systemd") || has("LaunchAgents") || has("init.d") => "service",
            PathClass::ShellRc if has("autostart") => "autostart",
            PathClass::ShellRc => "shell_rc",
            PathClass::Credential if has("authorized_keys") => "ssh_key",
            PathClass::System if has("/cron") => "cron",
            PathClass::System if has("/systemd/") || has("/LaunchDaemons") || has("/LaunchAgents") => {
                "service"
            }
            _ => return,
        };
        self.emit(Action::Persist(PersistFacts { mechanism: mechanism.to_owned(), place }), span);
    }

    /// What is at a path on this machine.
    pub(crate) fn kind_at(&self, path: &AbsPath) -> FileKind {
        if self.remote.is_some() {
            return FileKind::Unknown;
        }
        self.facts.resolve(path).kind
    }

    /// The paths that a copy to `target` writes: the path itself, or one in it for each source when it is a directory.
    pub(crate) fn destinations(
        &self,
        target: &PathTarget,
        written: &str,
        sources: &[PathTarget],
    ) -> Vec<PathTarget> {
        let PathTarget::Known(path) = target else {
            return vec![target.clone()];
        };
        let inside = || -> Vec<PathTarget> {
            sources
                .iter()
                .map(|source| match source {
                    PathTarget::Known(s) => match s.name() {
                        Some(name) => PathTarget::Known(path.join(name)),
                        None => PathTarget::Known(path.clone()),
                    },
                    PathTarget::Under { pattern, .. } => PathTarget::Under {
                        base: path.clone(),
                        pattern: pattern.rsplit('/').next().unwrap_or("*").to_owned(),
                        may_escape: false,
                    },
                    PathTarget::Unknown(text) => PathTarget::Under {
                        base: path.clone(),
                        pattern: text.rsplit('/').next().unwrap_or("*").to_owned(),
                        may_escape: false,
                    },
                })
                .collect()
        };
        let named_directory = written.ends_with('/')
            || matches!(written.rsplit('/').next(), Some("." | ".."))
            || sources.len() > 1
            || self.facts.home() == Some(path)
            || self.facts.workspace() == path;
        match self.kind_at(path) {
            FileKind::Directory => inside(),
            _ if named_directory => inside(),
            FileKind::Unknown => {
                // It may be a directory: what would lie in it counts where that is guarded more.
                let class = self.facts_of(target.clone(), false).class;
                let mut all = vec![target.clone()];
                all.extend(inside().into_iter().filter(|t| {
                    let inner = self.facts_of(t.clone(), false).class;
                    inner != class && inner != PathClass::Source && inner != PathClass::Lockfile
                }));
                all
            }
            FileKind::File | FileKind::Special | FileKind::Absent => vec![target.clone()],
        }
    }

    /// Adds the effect that permissions or privileges are widened.
    pub(crate) fn escalate(&mut self, what: &str, target: impl Into<String>, span: Span) {
        self.emit(Action::Escalate(EscalateFacts { what: what.to_owned(), target: target.into() }), span);
    }
}
