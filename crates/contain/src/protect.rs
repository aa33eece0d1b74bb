//! Names in a project that a contained command may not make, replace or rename: what stands there is carried out by
//! programs outside of the sandbox, later, with the person's authority.

use model::AbsPath;
use std::fs;
use std::path::Path;

/// Names directly in the project. Files or directories; a directory is held with all that is in it.
const NAMES: &[&str] = &[
    // Git and editors run what stands in these.
    ".gitmodules",
    ".gitattributes",
    ".envrc",
    ".vscode",
    ".idea",
    // Agents: settings, hooks, servers, instructions.
    ".claude",
    ".mcp.json",
    ".codex",
    ".gemini",
    ".qwen",
    ".cursor",
    ".cursorrules",
    ".copilot",
    ".opencode",
    "opencode.json",
    "AGENTS.md",
    "CLAUDE.md",
    "CLAUDE.local.md",
    "GEMINI.md",
    ".github/copilot-instructions.md",
    // What the forge runs with the project's secrets.
    ".github/workflows",
    ".gitlab-ci.yml",
    // Ambit's own.
    ".ambit",
];

/// Names in a repository's directory that make git run programs or read other configuration.
const GIT_NAMES: &[&str] = &["config", "config.worktree", "hooks", "commondir", "gitdir"];

/// How deep submodules' directories are looked for, and how many at most.
const MODULES_DEPTH: usize = 4;
const MODULES_MAX: usize = 64;

/// A name that could not be held by a mount, because it is not there or is a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watched {
    /// The name.
    pub(crate) path: AbsPath,
    /// The link's text, if it was a link; `None` if it was not there.
    pub(crate) link: Option<String>,
}

/// How the protected names of a project are held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Protection {
    /// Laid over themselves read-only.
    pub(crate) held: Vec<AbsPath>,
    /// Laid over themselves, so that they cannot be renamed away with what is held in them.
    pub(crate) pinned: Vec<AbsPath>,
    /// Watched: whoever makes or replaces one ends the command.
    pub(crate) watched: Vec<Watched>,
    /// Directories outside of the project that a worktree's git needs to write to.
    pub(crate) beside: Vec<AbsPath>,
}

impl Protection {
    /// Looks at the project. `free` are names that are given free.
    pub(crate) fn of(project: &AbsPath, free: &[String]) -> Self {
        let mut found = Self::default();
        for name in NAMES.iter().filter(|n| !free.iter().any(|f| f == *n)) {
            found.take(project, name);
        }
        if !free.iter().any(|f| f == ".git") {
            found.git(project);
        }
        found
    }

    fn take(&mut self, base: &AbsPath, name: &str) {
        if let Some((parent, _)) = name.split_once('/') {
            let parent_path = base.join(parent);
            match fs::symlink_metadata(parent_path.as_std()) {
                Ok(meta) if meta.is_dir() => self.pin(parent_path),
                // The parent is a link, or not there: it is what must stay.
                _ => return self.take(base, parent),
            }
        }
        let path = base.join(name);
        match fs::symlink_metadata(path.as_std()) {
            Ok(meta) if !meta.is_symlink() => push(&mut self.held, path),
            Ok(_) => self.link(base, path),
            Err(_) => self.watch(path, None),
        }
    }

    /// A protected name that is a link: the link is watched, and what it names, if it lies in the project, is held.
    fn link(&mut self, project: &AbsPath, path: AbsPath) {
        let text = fs::read_link(path.as_std()).ok().and_then(|t| t.to_str().map(str::to_owned));
        let target = fs::canonicalize(path.as_std())
            .ok()
            .and_then(|t| AbsPath::parse(t.to_str()?).ok())
            .filter(|t| t.is_under(project) && t != project);
        if let Some(target) = target {
            push(&mut self.held, target);
        }
        self.watch(path, Some(text.unwrap_or_default()));
    }

    fn git(&mut self, project: &AbsPath) {
        let dot_git = project.join(".git");
        match fs::symlink_metadata(dot_git.as_std()) {
            Ok(meta) if meta.is_dir() => self.repository(dot_git),
            Ok(meta) if meta.is_file() => {
                let Some(dir) = worktree_dir(project, &dot_git) else { return push(&mut self.held, dot_git) };
                push(&mut self.held, dot_git);
                // The worktree's own directory lies in that of the repository, which holds objects and refs.
                let common = common_dir(&dir);
                self.beside.push(common.clone());
                self.repository(common.clone());
                if dir != common {
                    self.pin(dir.clone());
                    self.names_in(&dir);
                }
            }
            Ok(_) => self.link(project, dot_git),
            Err(_) => self.watch(dot_git, None),
        }
    }

    fn repository(&mut self, dir: AbsPath) {
        self.pin(dir.clone());
        self.names_in(&dir);
        let mut left = MODULES_MAX;
        self.modules(&dir.join("modules"), MODULES_DEPTH, &mut left);
    }

    fn names_in(&mut self, dir: &AbsPath) {
        for name in GIT_NAMES {
            let path = dir.join(name);
            match fs::symlink_metadata(path.as_std()) {
                Ok(meta) if !meta.is_symlink() => push(&mut self.held, path),
                Ok(_) => self.link(dir, path),
                Err(_) => self.watch(path, None),
            }
        }
    }

    /// Submodules' own directories, each a repository's: `modules/NAME`, where a name may have slashes.
    fn modules(&mut self, dir: &AbsPath, depth: usize, left: &mut usize) {
        let Ok(entries) = fs::read_dir(dir.as_std()) else { return };
        for entry in entries.flatten() {
            if *left == 0 || depth == 0 {
                return;
            }
            let name = entry.file_name();
            let (Some(name), true) = (name.to_str(), entry.file_type().is_ok_and(|t| t.is_dir())) else {
                continue;
            };
            let path = dir.join(name);
            *left -= 1;
            if path.join("HEAD").as_std().exists() {
                self.pin(path.clone());
                self.names_in(&path);
                self.modules(&path.join("modules"), depth - 1, left);
            } else {
                self.modules(&path, depth - 1, left);
            }
        }
    }

    fn pin(&mut self, path: AbsPath) {
        push(&mut self.pinned, path);
    }

    fn watch(&mut self, path: AbsPath, link: Option<String>) {
        if !self.watched.iter().any(|w| w.path == path) {
            self.watched.push(Watched { path, link });
        }
    }
}

fn push(list: &mut Vec<AbsPath>, path: AbsPath) {
    if !list.contains(&path) {
        list.push(path);
    }
}

/// The directory that a worktree's `.git` file names, if that directory names the worktree back: else a file in a project
/// could have any directory shown.
fn worktree_dir(project: &AbsPath, dot_git: &AbsPath) -> Option<AbsPath> {
    let text = fs::read_to_string(dot_git.as_std()).ok()?;
    let named = project.join(text.strip_prefix("gitdir:")?.trim());
    let real = canonical(&named)?;
    if !real.join("HEAD").as_std().is_file() {
        return None;
    }
    // A submodule's directory is `…/.git/modules/…` and names its worktree in `config`; a worktree's in `gitdir`.
    let back = fs::read_to_string(real.join("gitdir").as_std()).ok()?;
    (canonical(&AbsPath::parse(back.trim()).ok()?)? == canonical(dot_git)?).then_some(real)
}

/// The repository's directory of a worktree's.
fn common_dir(dir: &AbsPath) -> AbsPath {
    let common = fs::read_to_string(dir.join("commondir").as_std()).ok();
    common
        .and_then(|text| canonical(&dir.join(text.trim())))
        // The worktree's directory must lie in the repository's, as git makes it.
        .filter(|c| dir.is_under(&c.join("worktrees")))
        .unwrap_or_else(|| dir.clone())
}

fn canonical(path: &AbsPath) -> Option<AbsPath> {
    let real = fs::canonicalize::<&Path>(path.as_std()).ok()?;
    AbsPath::parse(real.to_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn names(paths: &[AbsPath], base: &AbsPath) -> Vec<String> {
        paths.iter().map(|p| p.relative_to(base).unwrap().to_string()).collect()
    }

    #[test]
    fn holds_what_is_there_and_watches_what_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let project = canonical(&AbsPath::parse(dir.path().to_str().unwrap()).unwrap()).unwrap();
        let at = |p: &str| project.join(p);
        for d in [".git/hooks", ".claude", ".github/workflows", ".git/modules/a/b"] {
            fs::create_dir_all(at(d).as_std()).unwrap();
        }
        for f in [".git/config", ".git/modules/a/b/HEAD", ".git/modules/a/b/config", "notes.md"] {
            fs::write(at(f).as_std(), "x").unwrap();
        }
        symlink("notes.md", at("CLAUDE.md").as_std()).unwrap();
        let found = Protection::of(&project, &["AGENTS.md".to_owned()]);
        let held = names(&found.held, &project);
        for name in [
            ".git/config",
            ".git/hooks",
            ".claude",
            ".github/workflows",
            "notes.md",
            ".git/modules/a/b/config",
        ] {
            assert!(held.contains(&name.to_owned()), "{name} in {held:?}");
        }
        let pinned = names(&found.pinned, &project);
        assert!(
            [".git", ".github", ".git/modules/a/b"].iter().all(|p| pinned.contains(&(*p).to_owned())),
            "{pinned:?}"
        );
        let watched: Vec<AbsPath> = found.watched.iter().map(|w| w.path.clone()).collect();
        let watched = names(&watched, &project);
        for name in [".mcp.json", "CLAUDE.md", ".git/config.worktree", ".vscode"] {
            assert!(watched.contains(&name.to_owned()), "{name} in {watched:?}");
        }
        assert!(!watched.contains(&"AGENTS.md".to_owned()), "given free");
        assert_eq!(
            found.watched.iter().find(|w| w.path == at("CLAUDE.md")).unwrap().link.as_deref(),
            Some("notes.md")
        );
    }

    #[test]
    fn a_git_file_shows_no_directory_that_does_not_name_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let base = canonical(&AbsPath::parse(dir.path().to_str().unwrap()).unwrap()).unwrap();
        let (main, tree) = (base.join("main/.git"), base.join("tree"));
        let own = main.join("worktrees/t");
        fs::create_dir_all(own.as_std()).unwrap();
        fs::create_dir_all(tree.as_std()).unwrap();
        fs::write(own.join("HEAD").as_std(), "ref: x").unwrap();
        fs::write(own.join("commondir").as_std(), "../..\n").unwrap();
        fs::write(tree.join(".git").as_std(), format!("gitdir: {own}\n")).unwrap();
        assert_eq!(Protection::of(&tree, &[]).beside, []);
        fs::write(own.join("gitdir").as_std(), format!("{}\n", tree.join(".git"))).unwrap();
        assert_eq!(Protection::of(&tree, &[]).beside, [main]);
    }
}
