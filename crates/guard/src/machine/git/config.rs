//! A repository's configuration: which programs it names, and where its remotes lie.

use super::Repository;
use model::{AbsPath, GitConfig};
use std::path::{Path, PathBuf};

/// Configuration files larger than this are not read.
const MAX_CONFIG: u64 = 1 << 20;

impl Repository {
    /// The repository's own configuration; of the person's, where git goes by itself.
    pub(crate) fn config(&mut self, home: Option<&AbsPath>) -> GitConfig {
        let mut out = GitConfig { root: Some(self.root.clone()), ..GitConfig::default() };
        if let Some(home) = home {
            persons(home, &mut out);
        }
        let mut tracked = Vec::new();
        let mut hooks_dir = self.common_dir.join("hooks");
        let files = [self.common_dir.join("config"), self.git_dir.join("config.worktree")];
        for file in files {
            if !file.exists() {
                continue;
            }
            let Some(config) = open(&file, gix_config::Source::Local) else { return out };
            read_config(&config, &mut out, &mut hooks_dir, &self.root);
            tracked.extend(config.sections().filter_map(|s| {
                let header = s.header();
                let remote = header.name().to_string().eq_ignore_ascii_case("remote");
                let fetch = s.body().value_names().any(|k| k.eq_ignore_ascii_case("fetch"));
                header.subsection_name().filter(|_| remote && fetch).map(ToString::to_string)
            }));
        }
        read_attributes(&self.root, &self.common_dir, &mut out);
        out.hooks = executable_files(&hooks_dir);
        out.branch = std::fs::read_to_string(self.git_dir.join("HEAD"))
            .ok()
            .and_then(|head| head.trim().strip_prefix("ref: refs/heads/").map(str::to_owned));
        out.untracked_remotes = out.remotes.iter().map(|(name, _)| name.clone()).collect();
        out.untracked_remotes.retain(|name| !tracked.contains(name));
        out.known = true;
        out
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
                    ("core", "hookspath") => *hooks_dir = root.join(&value).as_std().to_owned(),
                    _ => remotes(&name, sub.as_deref(), &lower, value, out),
                }
            }
        }
    }
    out.programs.dedup();
}

/// What a setting says of where git goes by itself.
fn remotes(section: &str, sub: Option<&str>, key: &str, value: String, out: &mut GitConfig) {
    let name = sub.unwrap_or_default().to_owned();
    match (section, key) {
        ("remote", "url") => out.remotes.push((name, value)),
        ("remote", "pushurl") => out.push_urls.push((name, value)),
        ("remote", "pushdefault") => out.push_default = Some(value),
        ("branch", "remote") => out.upstreams.push((name, value)),
        ("branch", "pushremote") => out.push_remotes.push((name, value)),
        ("url", "insteadof") => out.instead.push((value, name)),
        ("url", "pushinsteadof") => out.push_instead.push((value, name)),
        _ => {}
    }
}

/// What the person's own configuration says of where git goes by itself; the programs it names are the person's
/// business. Files that it includes are not read.
fn persons(home: &AbsPath, out: &mut GitConfig) {
    for file in [".config/git/config", ".gitconfig"] {
        let Some(config) = open(home.join(file).as_std(), gix_config::Source::User) else {
            continue;
        };
        for section in config.sections() {
            let header = section.header();
            let name = header.name().to_string().to_ascii_lowercase();
            let sub = header.subsection_name().map(ToString::to_string);
            for key in section.body().value_names() {
                for value in section.body().values(&key) {
                    remotes(&name, sub.as_deref(), &key.to_ascii_lowercase(), value.to_string(), out);
                }
            }
        }
    }
}

fn open(file: &Path, source: gix_config::Source) -> Option<gix_config::File> {
    if std::fs::metadata(file).ok()?.len() > MAX_CONFIG {
        return None;
    }
    gix_config::File::from_path_no_includes(file.to_owned(), source).ok()
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
