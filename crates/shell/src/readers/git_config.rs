//! What a repository's configuration makes git run, and which sub-commands that touches.

/// Settings that name no program, library, place or account whatever their value. Endings with `.` stand for a whole
/// section. From git-config(1), version 2.45.
const PLAIN: &[&str] = &[
    "user.name",
    "user.email",
    "author.",
    "committer.",
    "color.",
    "advice.",
    "column.",
    "core.quotepath",
    "core.autocrlf",
    "core.eol",
    "core.filemode",
    "core.ignorecase",
    "core.longpaths",
    "core.abbrev",
    "core.safecrlf",
    "core.symlinks",
    "core.whitespace",
    "core.precomposeunicode",
    "core.compression",
    "core.bigfilethreshold",
    "core.preloadindex",
    "core.untrackedcache",
    "commit.gpgsign",
    "commit.verbose",
    "commit.status",
    "tag.gpgsign",
    "tag.sort",
    "init.defaultbranch",
    "pull.rebase",
    "pull.ff",
    "push.default",
    "push.autosetupremote",
    "push.followtags",
    "fetch.prune",
    "fetch.parallel",
    "merge.ff",
    "merge.conflictstyle",
    "merge.renamelimit",
    "merge.log",
    "merge.stat",
    "diff.algorithm",
    "diff.renames",
    "diff.renamelimit",
    "diff.context",
    "diff.interhunkcontext",
    "diff.mnemonicprefix",
    "diff.noprefix",
    "diff.colormoved",
    "diff.submodule",
    "diff.wserrorhighlight",
    "diff.indentheuristic",
    "diff.suppressblankempty",
    "log.",
    "format.pretty",
    "rebase.autostash",
    "rebase.autosquash",
    "rebase.stat",
    "rebase.updaterefs",
    "rerere.enabled",
    "rerere.autoupdate",
    "status.",
    "stash.showpatch",
    "stash.showstat",
    "grep.linenumber",
    "grep.patterntype",
    "grep.column",
    "grep.fallbacktonoindex",
    "blame.",
    "branch.sort",
    "branch.autosetupmerge",
    "branch.autosetuprebase",
    "gc.auto",
    "gc.autodetach",
    "http.postbuffer",
    "http.version",
    "http.lowspeedlimit",
    "http.lowspeedtime",
    "pack.",
    "index.",
    "feature.",
    "maintenance.auto",
    "help.",
    "apply.",
    "transfer.fsckobjects",
    "fetch.fsckobjects",
    "i18n.",
    "checkout.",
    "clone.defaultremotename",
    "submodule.recurse",
    "versionsort.",
    "worktree.guessremote",
];

/// Why a setting given on the command line (`-c KEY=VALUE`) is not understood; `None` when it is harmless.
pub(super) fn given(key: &str, value: &str, filter: impl Fn(&str) -> bool) -> Option<String> {
    let lower = key.to_ascii_lowercase();
    let plain = PLAIN.iter().any(|p| match p.strip_suffix('.') {
        Some(section) => lower.strip_prefix(section).is_some_and(|rest| rest.starts_with('.')),
        None => lower == *p,
    });
    if plain {
        return None;
    }
    let off = matches!(value, "" | "false" | "no" | "off" | "0");
    let harmless = match lower.as_str() {
        "core.fsmonitor" => off || value == "true",
        "core.pager" => off || filter(value),
        "diff.external"
        | "core.editor"
        | "sequence.editor"
        | "credential.helper"
        | "core.sshcommand"
        | "core.askpass"
        | "gpg.program"
        | "interactive.difffilter" => value.is_empty() || matches!(value, "true" | ":"),
        "core.hookspath" => value == "/dev/null",
        "core.attributesfile" | "core.excludesfile" => value == "/dev/null",
        k if k.starts_with("pager.") => off || filter(value),
        _ => false,
    };
    (!harmless).then(|| format!("the setting `{key}={value}` may name a program, a place or an account"))
}

/// Whether a setting of the repository, by its key in lower case, changes what this sub-command runs.
pub(super) fn touches(key: &str, sub: &str, options: impl Fn(&[&str]) -> bool) -> bool {
    let network = matches!(
        sub,
        "fetch"
            | "pull"
            | "push"
            | "clone"
            | "ls-remote"
            | "submodule"
            | "remote"
            | "archive"
            | "send-pack"
            | "fetch-pack"
    );
    // Those that look at neither the work tree nor the index.
    let refs_only = matches!(
        sub,
        "log"
            | "show"
            | "rev-parse"
            | "branch"
            | "tag"
            | "remote"
            | "config"
            | "fetch"
            | "push"
            | "reflog"
            | "cat-file"
            | "ls-remote"
            | "ls-tree"
            | "rev-list"
            | "for-each-ref"
            | "shortlog"
            | "merge-base"
            | "show-ref"
            | "name-rev"
            | "symbolic-ref"
            | "init"
            | "version"
            | "help"
            | "cherry"
            | "show-branch"
            | "count-objects"
            | "notes"
            | "fsck"
            | "check-ref-format"
            | "var"
            | "bundle"
            | "gc"
            | "prune"
            | "verify-commit"
            | "verify-tag"
            | "hash-object"
    );
    let ending = key.rsplit('.').next().unwrap_or(key);
    let section = key.split('.').next().unwrap_or(key);
    match (section, ending) {
        ("core", "fsmonitor") | ("filter", _) => !refs_only,
        ("diff", "external" | "command") => match sub {
            "diff" | "difftool" | "stash" | "add" => !options(&["--no-ext-diff"]),
            "log" | "show" | "format-patch" => options(&["--ext-diff"]),
            _ => false,
        },
        ("diff", "textconv") => {
            matches!(
                sub,
                "diff"
                    | "log"
                    | "show"
                    | "blame"
                    | "annotate"
                    | "stash"
                    | "cat-file"
                    | "grep"
                    | "whatchanged"
            ) && !options(&["--no-textconv"])
        }
        ("diff", "cachetextconv" | "binary" | "wordregex" | "xfuncname" | "funcname") => false,
        ("core", "pager") | ("pager", _) => {
            options(&["-p", "--paginate"]) && !matches!(sub, "diff" | "log" | "show" | "add")
        }
        ("core", "hookspath") => false,
        ("core", "sshcommand" | "gitproxy" | "askpass")
        | ("credential" | "url" | "http" | "https" | "ssh", _) => network,
        ("remote", _) => network && sub != "remote",
        ("core" | "sequence", "editor") => {
            matches!(
                sub,
                "commit"
                    | "rebase"
                    | "tag"
                    | "merge"
                    | "revert"
                    | "cherry-pick"
                    | "notes"
                    | "config"
                    | "branch"
            ) && !options(&["-m", "-F", "--message", "--file", "--no-edit", "-C"])
        }
        ("gpg", _) => matches!(
            sub,
            "commit" | "tag" | "merge" | "rebase" | "verify-commit" | "verify-tag" | "push" | "log" | "show"
        ),
        ("merge", _) => {
            matches!(
                sub,
                "merge"
                    | "rebase"
                    | "cherry-pick"
                    | "revert"
                    | "pull"
                    | "stash"
                    | "checkout"
                    | "switch"
                    | "am"
                    | "apply"
            )
        }
        ("mergetool" | "difftool", _) => matches!(sub, "mergetool" | "difftool"),
        ("interactive", _) => options(&["-p", "--patch", "-i", "--interactive"]),
        ("submodule", _) => matches!(sub, "submodule" | "checkout" | "switch" | "pull" | "clone"),
        ("trailer", _) => matches!(sub, "commit" | "interpret-trailers"),
        ("sendemail", _) => sub == "send-email",
        ("alias", _) => false,
        _ => true,
    }
}

/// The hooks that a sub-command runs, in githooks(5)'s names.
pub(super) fn hooks(sub: &str) -> &'static [&'static str] {
    match sub {
        "commit" => &[
            "pre-commit",
            "prepare-commit-msg",
            "commit-msg",
            "post-commit",
            "post-rewrite",
            "post-index-change",
            "reference-transaction",
        ],
        "merge" | "pull" => &[
            "pre-merge-commit",
            "prepare-commit-msg",
            "commit-msg",
            "post-merge",
            "post-checkout",
            "post-rewrite",
            "pre-rebase",
            "post-index-change",
            "reference-transaction",
        ],
        "checkout" | "switch" | "clone" | "worktree" => {
            &["post-checkout", "post-index-change", "reference-transaction"]
        }
        "push" => &["pre-push"],
        "rebase" => &[
            "pre-rebase",
            "post-rewrite",
            "post-checkout",
            "pre-commit",
            "prepare-commit-msg",
            "commit-msg",
            "post-commit",
            "post-index-change",
            "reference-transaction",
        ],
        "am" => &[
            "applypatch-msg",
            "pre-applypatch",
            "post-applypatch",
            "post-index-change",
            "reference-transaction",
        ],
        "cherry-pick" | "revert" => {
            &["prepare-commit-msg", "commit-msg", "post-commit", "post-index-change", "reference-transaction"]
        }
        "gc" => &["pre-auto-gc"],
        "status" | "add" | "rm" | "mv" | "restore" | "diff" | "stash" | "reset" | "read-tree"
        | "update-index" => &["post-index-change", "reference-transaction"],
        "fetch" | "branch" | "tag" | "update-ref" => &["reference-transaction"],
        _ => &[],
    }
}

/// The hooks that `--no-verify` leaves out.
pub(super) const VERIFIES: &[&str] =
    &["pre-commit", "commit-msg", "pre-merge-commit", "pre-push", "applypatch-msg", "pre-applypatch"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_on_the_command_line() {
        let filter = |p: &str| p == "cat";
        for (key, value) in [
            ("user.name", "x"),
            ("color.ui", "always"),
            ("core.fsmonitor", "false"),
            ("core.pager", "cat"),
            ("diff.external", ""),
            ("core.hooksPath", "/dev/null"),
            ("CORE.QuotePath", "off"),
        ] {
            assert_eq!(given(key, value, filter), None, "{key}={value}");
        }
        for (key, value) in [
            ("core.pager", "sh -c id"),
            ("core.fsmonitor", "./x"),
            ("alias.x", "!id"),
            ("core.sshCommand", "./x"),
            ("protocol.ext.allow", "always"),
            ("core.hooksPath", "hooks"),
            ("colorx.ui", "1"),
            ("filter.a.clean", "x"),
        ] {
            assert!(given(key, value, filter).is_some(), "{key}={value}");
        }
    }

    #[test]
    fn which_commands_a_setting_touches() {
        let none = |_: &[&str]| false;
        assert!(touches("core.fsmonitor", "status", none));
        assert!(!touches("core.fsmonitor", "log", none));
        assert!(touches("diff.external", "diff", none));
        assert!(!touches("diff.external", "diff", |o| o.contains(&"--no-ext-diff")));
        assert!(touches("diff.pdf.textconv", "log", none));
        assert!(touches("filter.lfs.clean", "add", none));
        assert!(touches("core.sshcommand", "fetch", none));
        assert!(!touches("core.sshcommand", "status", none));
        assert!(touches("something.new", "status", none));
    }
}
