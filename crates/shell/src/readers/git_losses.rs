//! What git commands lose, rewrite or push.

use super::git::given_option;
use crate::context::Context;
use crate::meaning::{Call, Touch};
use model::{Action, EffectKind, FileKind, PathTarget, RefFacts, RepoFacts, Tri};
use programs::{Field, Role};

/// Adds what a sub-command loses. Effects of the same kind that the table lists already are not repeated.
pub(super) fn losses(cx: &mut Context<'_>, call: &mut Call, sub: &str) {
    let listed = |call: &Call, kind: EffectKind| call.found.effects.iter().any(|e| e.kind == kind);
    let has = |names: &[&str]| given_option(call, names);
    let second =
        call.found.path.get(1).cloned().or_else(|| call.found.operands.first().and_then(Field::known));
    let second = second.as_deref().unwrap_or_default();
    if !listed(call, EffectKind::Discard) {
        let what: Option<&str> = match sub {
            "reset" if has(&["--hard", "--merge"]) => Some("worktree"),
            "checkout" if has(&["-f", "--force"]) => Some("worktree"),
            "switch" if has(&["-f", "--force", "--discard-changes"]) => Some("worktree"),
            "clean" if has(&["-f", "--force"]) && !has(&["-n", "--dry-run"]) => Some("untracked"),
            "stash" if matches!(second, "drop" | "clear") => Some("stash"),
            "branch" if has(&["-D"]) || (has(&["-d", "--delete"]) && has(&["-f", "--force"])) => {
                Some("branch")
            }
            "reflog" if matches!(second, "expire" | "delete") => Some("reflog"),
            "gc" if call.inv.words.iter().any(|w| w.prefix().starts_with("--prune")) => Some("commits"),
            "prune" if !has(&["-n", "--dry-run"]) => Some("commits"),
            "update-ref" if has(&["-d", "--delete"]) => Some("branch"),
            "worktree" if second == "remove" && has(&["-f", "--force"]) => Some("worktree"),
            "read-tree" if has(&["-u", "--reset"]) => Some("worktree"),
            "checkout-index" if has(&["-f", "--force"]) => Some("worktree"),
            "submodule" if second == "deinit" || has(&["--force"]) => Some("worktree"),
            _ => None,
        };
        if let Some(what) = what {
            discard(cx, call, what);
        }
    }
    let written_already =
        call.found.roles.iter().any(|(role, _)| matches!(role, Role::Write | Role::WriteTree | Role::Create));
    let paths = match sub {
        "checkout" => checkout(cx, call),
        "restore" if !has(&["-S", "--staged"]) || has(&["-W", "--worktree"]) => call.found.operands.clone(),
        _ => Vec::new(),
    };
    if !paths.is_empty() {
        if !listed(call, EffectKind::Discard) {
            discard(cx, call, "worktree");
        }
        if !written_already {
            written(cx, &paths);
        }
    }
    if !listed(call, EffectKind::Rewrite) {
        let rewrites = match sub {
            "rebase" => !has(&["--abort", "--quit", "--show-current-patch", "--edit-todo"]),
            "commit" => has(&["--amend"]),
            "filter-branch" | "filter-repo" | "replace" => true,
            "reset" => call.found.operands.iter().filter(|_| !has(&["--"])).any(moves),
            "update-ref" => !has(&["-d", "--delete"]),
            "branch" => has(&["-f", "--force", "-M", "-C"]) && !has(&["-D", "-d", "--delete"]),
            "tag" => has(&["-d", "--delete", "-f", "--force"]),
            "checkout" => has(&["-B"]),
            "switch" => has(&["-C", "--force-create"]),
            _ => false,
        };
        if rewrites {
            let named = match sub {
                "branch" | "tag" | "update-ref" | "checkout" | "switch" => {
                    call.found.operands.first().map(Field::shown)
                }
                _ => None,
            };
            let reference = named.or_else(|| cx.repository().branch).unwrap_or_else(|| "HEAD".to_owned());
            let facts = RefFacts {
                repository: cx.repository_dir(),
                protected: cx.facts.protected_branch(reference.trim_start_matches("refs/heads/")),
                history: true,
                reference,
                // Of the others more than the commit that is checked out changes.
                pushed: if sub == "commit" { cx.head_pushed() } else { Tri::Unknown },
            };
            cx.emit(Action::Rewrite(facts), call.span());
        }
    }
}

/// Whether an operand of `git reset` is another commit than the current one.
fn moves(operand: &Field) -> bool {
    match operand.known() {
        Some(text) => {
            text != "HEAD"
                && (text.contains(['~', '^', '@'])
                    || text.len() >= 7 && text.chars().all(|c| c.is_ascii_hexdigit())
                    || text.starts_with("origin/"))
        }
        None => true,
    }
}

fn discard(cx: &mut Context<'_>, call: &Call, what: &str) {
    let git = cx.repository();
    let sub = call.found.path.first().map(String::as_str).unwrap_or_default();
    let dirty = match sub {
        // Another work tree, or a repository inside this one: what lies there was not looked at.
        "worktree" | "submodule" => Tri::Unknown,
        "clean" => cx.losable(what, given_option(call, &["-x", "-X"])),
        _ => cx.losable(what, true),
    };
    let facts = RepoFacts {
        repository: git
            .root
            .map_or_else(|| cx.cwd().map(ToString::to_string).unwrap_or_default(), |r| r.to_string()),
        what: what.to_owned(),
        dirty,
        in_workspace: cx.in_workspace(),
    };
    cx.emit(Action::Discard(facts), call.span());
}

/// The paths that `git checkout PATHS` takes back; none for `git checkout BRANCH`.
fn checkout(cx: &Context<'_>, call: &Call) -> Vec<Field> {
    if given_option(call, &["-b", "-B", "--orphan", "--detach", "--track", "-t"]) {
        return Vec::new();
    }
    let words: Vec<Field> = call.inv.words.clone();
    let after = words.iter().position(|w| w.known().as_deref() == Some("--"));
    if let Some(at) = after {
        return words.get(at + 1..).unwrap_or_default().to_vec();
    }
    match call.found.operands.as_slice() {
        [one] if is_path(cx, one) => vec![one.clone()],
        [] | [_] => Vec::new(),
        [_, rest @ ..] => rest.to_vec(),
    }
}

/// Whether a single operand names a file. Where nothing is known of the machine, a name with an ending does.
fn is_path(cx: &Context<'_>, word: &Field) -> bool {
    let Some(text) = word.known() else { return true };
    if text == "." || text == ".." || text.ends_with('/') || word.has_glob() {
        return true;
    }
    match cx.path(word) {
        PathTarget::Known(path) => match cx.kind_at(&path) {
            FileKind::Absent => false,
            FileKind::Unknown => text.rsplit('/').next().is_some_and(|n| n.contains('.')),
            _ => true,
        },
        _ => true,
    }
}

fn written(cx: &mut Context<'_>, paths: &[Field]) {
    for path in paths {
        let target = cx.path(path);
        cx.touch(Touch::Write, target, true, path.span);
    }
}
