//! What git knows of a path and what a repository's configuration would make git run, read from its files: no program
//! runs, since reading an untrusted repository with git itself is what must be judged.

use bstr::{BStr, ByteSlice};
use gix_index::entry::Stat;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use model::{AbsPath, GitConfig, GitLoss, GitState, Tri};
use std::path::{Path, PathBuf};

/// Indexes larger than this are not read: their state is unknown.
const MAX_INDEX: u64 = 48 << 20;
/// Configuration files larger than this are not read.
const MAX_CONFIG: u64 = 1 << 20;
/// Entries whose files are compared to find out whether a work tree is dirty.
const MAX_COMPARED: usize = 5_000;

/// A repository found above a path.
#[derive(Debug)]
pub(crate) struct Repository {
    /// The root of the work tree.
    pub(crate) root: AbsPath,
    /// The directory of this work tree's own git data.
    git_dir: PathBuf,
    /// The directory that all work trees of the repository share.
    common_dir: PathBuf,
    index: Option<gix_index::File>,
}

impl Repository {
    /// The repository whose work tree holds `path`, which need not exist.
    pub(crate) fn above(path: &AbsPath) -> Option<Self> {
        let mut dir = Some(path.clone());
        while let Some(here) = dir {
            let dot = here.as_std().join(".git");
            if let Ok(meta) = std::fs::symlink_metadata(&dot) {
                let git_dir = if meta.is_dir() { Some(dot) } else { linked(&dot) };
                if let Some(git_dir) = git_dir.filter(|d| d.join("HEAD").exists()) {
                    let common_dir = std::fs::read_to_string(git_dir.join("commondir"))
                        .map_or_else(|_| git_dir.clone(), |t| git_dir.join(t.trim()));
                    return Some(Self { root: here, git_dir, common_dir, index: None });
                }
            }
            dir = here.parent();
        }
        None
    }

    fn index(&mut self) -> Option<&gix_index::File> {
        if self.index.is_none() {
            let path = self.git_dir.join("index");
            if std::fs::metadata(&path).ok()?.len() > MAX_INDEX {
                return None;
            }
            let options =
                gix_index::decode::Options { thread_limit: Some(1), ..gix_index::decode::Options::default() };
            self.index = gix_index::File::at(path, gix_index::hash::Kind::Sha1, true, options).ok();
        }
        self.index.as_ref()
    }

    /// What git knows of a file or directory beneath the root.
    pub(crate) fn state(&mut self, path: &AbsPath) -> GitState {
        let Some(relative) = path.relative_to(&self.root).map(|r| r.as_str().to_owned()) else {
            return GitState::Outside;
        };
        if relative.is_empty() {
            return match self.dirty() {
                Tri::Yes => GitState::Dirty,
                _ => GitState::Unknown,
            };
        }
        let root = self.root.clone();
        let no_index = !self.git_dir.join("index").exists();
        let Some(index) = self.index() else {
            return if no_index { ignored_or_untracked(&root, path) } else { GitState::Unknown };
        };
        if let Some(entry) = index.entry_by_path(BStr::new(&relative)) {
            return if same(&entry.stat, path.as_std()) { GitState::Clean } else { GitState::Dirty };
        }
        let prefix = format!("{relative}/");
        if let Some(entries) = index.prefixed_entries(BStr::new(&prefix)) {
            // A directory with tracked files: only the worst of what lies in it counts, and untracked files are the
            // caller's to count.
            if entries.len() > MAX_COMPARED {
                return GitState::Unknown;
            }
            let clean = entries.iter().all(|e| {
                let file = e.path(index).to_str().map(|p| root.join(p));
                file.is_ok_and(|f| same(&e.stat, f.as_std()))
            });
            return if clean { GitState::Clean } else { GitState::Dirty };
        }
        ignored_or_untracked(&root, path)
    }

    /// Whether git could give a file back: tracked and unchanged.
    pub(crate) fn keeps(&mut self, path: &Path) -> bool {
        let Some(path) = path.to_str().and_then(|p| AbsPath::parse(p).ok()) else { return false };
        let Some(relative) = path.relative_to(&self.root).map(|r| r.as_str().to_owned()) else {
            return false;
        };
        self.index().is_some_and(|index| {
            index.entry_by_path(BStr::new(&relative)).is_some_and(|e| same(&e.stat, path.as_std()))
        })
    }

    /// Whether the work tree differs from the index. Changes that are only staged are not seen: then unknown.
    pub(crate) fn dirty(&mut self) -> Tri {
        let root = self.root.clone();
        let Some(index) = self.index() else { return Tri::Unknown };
        if index.entries().len() > MAX_COMPARED {
            return Tri::Unknown;
        }
        let changed = index.entries().iter().any(|e| {
            let file = e.path(index).to_str().map(|p| root.join(p));
            !file.is_ok_and(|f| same(&e.stat, f.as_std()))
        });
        if changed { Tri::Yes } else { Tri::Unknown }
    }

    /// Whether a command would lose something of this kind.
    pub(crate) fn loss(&mut self, loss: GitLoss, _deadline: std::time::Instant) -> Tri {
        match loss {
            GitLoss::Worktree => self.dirty(),
            GitLoss::Untracked { .. } | GitLoss::Stash => Tri::Unknown,
        }
    }

    /// The repository's own configuration.
    pub(crate) fn config(&mut self) -> GitConfig {
        let mut out = GitConfig { root: Some(self.root.clone()), ..GitConfig::default() };
        let mut hooks_dir = self.common_dir.join("hooks");
        let files = [self.common_dir.join("config"), self.git_dir.join("config.worktree")];
        for file in files {
            let Ok(meta) = std::fs::metadata(&file) else { continue };
            if meta.len() > MAX_CONFIG {
                return out;
            }
            let Ok(config) = gix_config::File::from_path_no_includes(file, gix_config::Source::Local) else {
                return out;
            };
            read_config(&config, &mut out, &mut hooks_dir, &self.root);
        }
        read_attributes(&self.root, &self.common_dir, &mut out);
        out.hooks = executable_files(&hooks_dir);
        out.branch = std::fs::read_to_string(self.git_dir.join("HEAD"))
            .ok()
            .and_then(|head| head.trim().strip_prefix("ref: refs/heads/").map(str::to_owned));
        out.known = true;
        out
    }
}

/// `gitdir: PATH` in a `.git` file, as work trees and submodules have it.
fn linked(file: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(file).ok()?;
    let target = text.trim().strip_prefix("gitdir:")?.trim();
    Some(file.parent()?.join(target))
}

/// Whether a file is as the index has it, by size and whole seconds: what git itself trusts at first.
fn same(stat: &Stat, file: &Path) -> bool {
    let Ok(meta) = gix_index::fs::Metadata::from_path_no_follow(file) else { return false };
    let Ok(now) = Stat::from_fs(&meta) else { return false };
    let options = gix_index::entry::stat::Options {
        trust_ctime: false,
        check_stat: false,
        use_nsec: false,
        use_stdev: false,
    };
    stat.matches(&now, options)
}

fn ignored_or_untracked(root: &AbsPath, path: &AbsPath) -> GitState {
    if is_ignored(root, path) { GitState::Ignored } else { GitState::Untracked }
}

/// Whether `.gitignore` files from the root down to the path, or `.git/info/exclude`, ignore it.
fn is_ignored(root: &AbsPath, path: &AbsPath) -> bool {
    let is_dir = path.as_std().is_dir();
    let mut dirs = Vec::new();
    let mut dir = path.parent();
    while let Some(here) = dir.filter(|d| d.is_under(root)) {
        dirs.push(here.clone());
        dir = here.parent();
    }
    // The innermost file that says anything decides.
    for here in dirs {
        let mut builder = GitignoreBuilder::new(here.as_std());
        let file = here.as_std().join(".gitignore");
        if file.is_file()
            && builder.add(&file).is_none()
            && let Ok(rules) = builder.build()
            && let Some(ignored) = verdict(&rules, path, is_dir)
        {
            return ignored;
        }
    }
    let mut builder = GitignoreBuilder::new(root.as_std());
    builder.add(root.as_std().join(".git/info/exclude"));
    builder.build().ok().and_then(|rules| verdict(&rules, path, is_dir)).unwrap_or(false)
}

fn verdict(rules: &Gitignore, path: &AbsPath, is_dir: bool) -> Option<bool> {
    match rules.matched_path_or_any_parents(path.as_std(), is_dir) {
        ignore::Match::Ignore(_) => Some(true),
        ignore::Match::Whitelist(_) => Some(false),
        ignore::Match::None => None,
    }
}

/// Keys whose values are programs that git runs, from git-config(1) of git 2.47.
fn names_program(section: &str, subsection: bool, name: &str, value: &str) -> bool {
    let boolean = matches!(value, "" | "true" | "false" | "yes" | "no" | "on" | "off" | "1" | "0");
    match (section, name) {
        ("core", "fsmonitor") => !boolean,
        (
            "core",
            "pager" | "editor" | "sshcommand" | "askpass" | "gitproxy" | "alternaterefscommand" | "hookspath",
        ) => true,
        ("diff", "external") => true,
        ("diff", "textconv" | "command") if subsection => true,
        ("merge", "driver") | ("filter", "clean" | "smudge" | "process") => true,
        ("mergetool" | "difftool", "cmd" | "path") => true,
        ("credential", "helper")
        | ("gpg", "program")
        | ("sequence", "editor")
        | ("interactive", "difffilter") => true,
        ("pager", _) => !boolean,
        ("remote", "uploadpack" | "receivepack" | "vcs") => true,
        ("uploadpack", "packobjectshook") | ("trailer", "command" | "cmd") => true,
        ("browser" | "man", "cmd" | "path") | ("instaweb", "httpd") => true,
        ("include" | "includeif", "path") => true,
        ("submodule", "update") => value.starts_with('!'),
        ("protocol", "allow") => value == "always",
        ("init", "templatedir") | ("sendemail", "smtpserver" | "tocmd" | "cccmd" | "sendmailcmd") => true,
        _ => false,
    }
}

fn read_config(config: &gix_config::File, out: &mut GitConfig, hooks_dir: &mut PathBuf, root: &AbsPath) {
    for section in config.sections() {
        let header = section.header();
        let name = header.name().to_string().to_ascii_lowercase();
        let sub = header.subsection_name().map(ToString::to_string);
        let body = section.body();
        for key in body.value_names() {
            let lower = key.to_ascii_lowercase();
            for value in body.values(&key) {
                let value = value.to_string();
                if names_program(&name, sub.is_some(), &lower, value.trim()) {
                    let full = match &sub {
                        Some(sub) => format!("{name}.{sub}.{lower}"),
                        None => format!("{name}.{lower}"),
                    };
                    out.programs.push((full, value.clone()));
                }
                match (name.as_str(), lower.as_str()) {
                    ("alias", _) => out.aliases.push((key.clone(), value.clone())),
                    ("remote", "url") => out.remotes.push((sub.clone().unwrap_or_default(), value.clone())),
                    ("core", "hookspath") => *hooks_dir = root.join(&value).as_std().to_owned(),
                    _ => {}
                }
            }
        }
    }
    out.programs.dedup();
}

/// Attributes that bind files to filters and drivers: the drivers themselves come from configuration, the person's own
/// included, so that an attribute of the repository alone decides nothing; it is told for the explanation.
fn read_attributes(root: &AbsPath, common_dir: &Path, out: &mut GitConfig) {
    let repository_has_driver =
        out.programs.iter().any(|(k, _)| k.starts_with("filter.") || k.starts_with("diff."));
    if !repository_has_driver {
        return;
    }
    for file in [root.as_std().join(".gitattributes"), common_dir.join("info/attributes")] {
        if std::fs::metadata(&file).is_ok_and(|m| m.len() <= MAX_CONFIG)
            && let Ok(text) = std::fs::read_to_string(&file)
        {
            for word in text.split_whitespace().filter(|w| w.starts_with("filter=") || w.starts_with("diff="))
            {
                out.programs.push(("attributes".to_owned(), word.to_owned()));
            }
        }
    }
}

fn executable_files(dir: &Path) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|e| e.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0))
        .filter_map(|e| e.file_name().into_string().ok())
        .filter(|n| !n.ends_with(".sample"))
        .collect();
    names.sort();
    names
}
