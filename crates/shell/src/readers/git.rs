//! Git: its settings, hooks, remotes and what it pushes.

use super::git_config::{VERIFIES, given, hooks, touches};
use crate::context::Context;
use crate::meaning::{Call, Touch, opaque};
use model::{Action, GitConfig, GitLoss, Origin, PathTarget, RunFacts, Task, Tri};
use programs::{Field, Role};

impl Context<'_> {
    /// What is known of the repository that holds the working directory.
    pub(crate) fn repository(&self) -> GitConfig {
        match self.cwd() {
            Some(dir) if self.remote.is_none() => self.facts.git_config(dir),
            _ => GitConfig::default(),
        }
    }

    /// The root of the repository that holds the working directory, else that directory; empty where neither is known.
    pub(crate) fn repository_dir(&self) -> String {
        let root = self.repository().root.map(|r| r.to_string());
        root.unwrap_or_else(|| self.cwd().map(ToString::to_string).unwrap_or_default())
    }

    /// Whether the repository that holds the working directory has anything of this kind to lose: `worktree`,
    /// `untracked`, `stash`. Of branches, commits and reflogs nobody knows what they are worth.
    pub(crate) fn losable(&self, what: &str, ignored: bool) -> Tri {
        let loss = match what {
            "worktree" => GitLoss::Worktree,
            "untracked" => GitLoss::Untracked { ignored },
            "stash" => GitLoss::Stash,
            _ => return Tri::Unknown,
        };
        match self.cwd() {
            Some(dir) if self.remote.is_none() => self.facts.git_loss(dir, loss),
            _ => Tri::Unknown,
        }
    }

    /// Whether somebody else may have the commit that is checked out.
    pub(crate) fn head_pushed(&self) -> Tri {
        match self.cwd() {
            Some(dir) if self.remote.is_none() => self.facts.git_pushed(dir),
            _ => Tri::Unknown,
        }
    }

    /// Whether the working directory lies in the session's workspace.
    pub(crate) fn in_workspace(&self) -> bool {
        self.remote.is_none()
            && self.cwd().is_some_and(|dir| {
                dir.is_under(self.facts.workspace())
                    || self.facts.extra_workspaces().iter().any(|w| dir.is_under(w))
            })
    }

    /// Whether the working directory is the root of the session's workspace, whose configuration git trusts.
    fn at_workspace(&self) -> bool {
        self.remote.is_some()
            || self.cwd().is_some_and(|dir| {
                dir == self.facts.workspace() || self.facts.extra_workspaces().iter().any(|w| dir == w)
            })
    }
}

/// Adds what the repository makes git do, and what is lost or pushed.
pub(super) fn git(cx: &mut Context<'_>, call: &mut Call) {
    let sub = call.found.path.first().cloned().unwrap_or_default();
    let given = settings(cx, call);
    if call.found.stop {
        return;
    }
    let repository = cx.repository();
    let alone = matches!(
        sub.as_str(),
        "" | "init" | "clone" | "version" | "help" | "ls-remote" | "config" | "check-ref-format"
    );
    if repository.known {
        for (key, value) in &repository.programs {
            let overridden = given.iter().any(|g| g.eq_ignore_ascii_case(key)) || harmless(cx, key, value);
            if !overridden && touches(key, &sub, |names| given_option(call, names)) {
                let why = format!("the repository's setting `{key}` makes `git {sub}` run `{value}`");
                opaque(cx, call, why, Origin::Project, call.span());
            }
        }
        run_hooks(cx, call, &repository, &sub, &given);
    } else if !alone && !cx.at_workspace() {
        let dir = cx.cwd().map_or_else(|| "an unknown directory".to_owned(), |d| format!("`{d}`"));
        let why =
            format!("the configuration of the repository in {dir} may name programs and cannot be read");
        opaque(cx, call, why, Origin::Project, call.span());
    }
    super::git_remotes::remotes(cx, call, &repository, &sub);
    if sub == "clone" {
        cloned(cx, call);
    }
    super::git_losses::losses(cx, call, &sub);
}

/// Whether an option was given, by any spelling that the words hold.
pub(super) fn given_option(call: &Call, names: &[&str]) -> bool {
    names.iter().any(|n| call.found.has(n))
        || call.inv.words.iter().filter_map(Field::known).any(|w| {
            names.iter().any(|n| {
                w == *n
                    || (n.starts_with("--") && w.split('=').next() == Some(n))
                    // Letters of a cluster: `-fd`, `-am`.
                    || (n.len() == 2
                        && w.starts_with('-')
                        && !w.starts_with("--")
                        && n.chars().nth(1).is_some_and(|c| {
                            w.chars().skip(1).take_while(|c| c.is_ascii_alphabetic()).any(|x| x == c)
                        }))
            })
        })
}

fn harmless(cx: &Context<'_>, key: &str, value: &str) -> bool {
    given(key, value, |p| cx.is_filter(p)).is_none()
}

/// The settings given with `-c`; those that may name a program are not understood.
fn settings(cx: &mut Context<'_>, call: &mut Call) -> Vec<String> {
    let mut keys = Vec::new();
    for word in call.words(&Role::Config) {
        let Some(text) = word.known() else {
            let why = format!("the setting `{}` is not known", word.shown());
            opaque(cx, call, why, Origin::Unknown, word.span);
            continue;
        };
        // Without a value it means true.
        let (key, value) = text.split_once('=').unwrap_or((text.as_str(), "true"));
        match given(key, value, |p| cx.is_filter(p)) {
            Some(why) => opaque(cx, call, why, Origin::Unknown, word.span),
            None => keys.push(key.to_ascii_lowercase()),
        }
    }
    keys
}

fn run_hooks(cx: &mut Context<'_>, call: &mut Call, repository: &GitConfig, sub: &str, given: &[String]) {
    if given.iter().any(|k| k == "core.hookspath") {
        return;
    }
    let unverified =
        call.has(&["--no-verify"]) || (sub == "commit" && given_option(call, &["-n", "--no-verify"]));
    for hook in hooks(sub).iter().filter(|h| repository.hooks.iter().any(|x| x == *h)) {
        if unverified && VERIFIES.contains(hook) {
            continue;
        }
        let facts = RunFacts {
            program: format!("git hook {hook}"),
            understood: true,
            why: None,
            origin: Origin::Project,
            task: Task::Other,
        };
        cx.emit(Action::Run(facts), call.span());
    }
}

/// The directory that a clone makes: its content is downloaded.
fn cloned(cx: &mut Context<'_>, call: &mut Call) {
    let operands = call.found.operands.clone();
    let Some(from) = operands.first() else { return };
    let made = |target: PathTarget, cx: &mut Context<'_>| {
        cx.wrote(target, crate::state::Made { text: None, origin: Origin::Downloaded });
    };
    if let Some(dir) = operands.get(1) {
        let target = cx.path(dir);
        return made(target, cx);
    }
    let name = from.known().map(|t| {
        let name = t.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default().to_owned();
        name.strip_suffix(".git").map(str::to_owned).unwrap_or(name)
    });
    let field = match name {
        Some(name) => Field::text(name, from.span),
        None => Field::unknown("named by the URL", from.span, false),
    };
    let target = cx.path(&field);
    if !call
        .found
        .roles
        .iter()
        .any(|(r, _)| matches!(r, Role::Create | Role::CreateTree | Role::Write | Role::WriteTree))
    {
        cx.touch(Touch::Create, target.clone(), true, from.span);
    }
    made(target, cx);
}
