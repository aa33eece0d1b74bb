//! What a repository's configuration says: the programs it names, and where its remotes lie.

use crate::AbsPath;

/// Something that a git command can lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GitLoss {
    /// Changes of tracked files, staged or not, that no commit holds.
    Worktree,
    /// Files that git does not track; with `ignored`, those that it ignores as well.
    Untracked {
        /// Whether ignored files count.
        ignored: bool,
    },
    /// What was put aside with `git stash`.
    Stash,
}

/// What a repository's own git configuration would make git run, and where git goes by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GitConfig {
    /// Whether the configuration could be read. When not, nothing else here may be relied on.
    pub known: bool,
    /// Keys (lower case) whose values name programs: `core.fsmonitor`, `diff.external`, `filter.x.clean`,
    /// `core.sshcommand`, `credential.helper`, `core.pager`, `core.hookspath` …, from the repository's own files.
    pub programs: Vec<(String, String)>,
    /// Aliases: name to text.
    pub aliases: Vec<(String, String)>,
    /// Names of hooks that are present and executable in the hooks directory.
    pub hooks: Vec<String>,
    /// Remotes: name to URL as written (`remote.NAME.url`); a name stands once for each of its URLs.
    pub remotes: Vec<(String, String)>,
    /// Remotes without `remote.NAME.fetch`: the repository keeps no note of what they have.
    pub untracked_remotes: Vec<String>,
    /// Where pushes to a remote go instead: name to URL (`remote.NAME.pushurl`).
    pub push_urls: Vec<(String, String)>,
    /// Branch to the remote it follows (`branch.NAME.remote`).
    pub upstreams: Vec<(String, String)>,
    /// Branch to the remote it is pushed to (`branch.NAME.pushRemote`).
    pub push_remotes: Vec<(String, String)>,
    /// The remote that branches are pushed to by default (`remote.pushDefault`).
    pub push_default: Option<String>,
    /// (`url.BASE.insteadOf`, `BASE`): URLs that begin with the first begin with the second in truth.
    pub instead: Vec<(String, String)>,
    /// The same for pushes only (`url.BASE.pushInsteadOf`).
    pub push_instead: Vec<(String, String)>,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// The work tree's root.
    pub root: Option<AbsPath>,
}

/// The last value of a name: in git's configuration the last one counts.
fn last<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// All values of a name, in order.
fn all(pairs: &[(String, String)], name: &str) -> Vec<String> {
    pairs.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect()
}

/// The URL with its longest listed beginning replaced; `None` when no beginning is listed.
fn replaced(rules: &[(String, String)], url: &str) -> Option<String> {
    let fitting = rules.iter().filter(|(from, _)| !from.is_empty() && url.starts_with(from.as_str()));
    let (from, to) = fitting.max_by_key(|(from, _)| from.len())?;
    url.strip_prefix(from.as_str()).map(|rest| format!("{to}{rest}"))
}

impl GitConfig {
    /// The remote that `git fetch` takes when none is named, as git-fetch(1) says: that of the branch, else the only
    /// one, else `origin`.
    #[must_use]
    pub fn fetch_remote(&self) -> String {
        let upstream = self.branch.as_deref().and_then(|b| last(&self.upstreams, b));
        let mut names: Vec<&str> = self.remotes.iter().map(|(n, _)| n.as_str()).collect();
        names.dedup();
        match (upstream, names.as_slice()) {
            (Some(upstream), _) => upstream.to_owned(),
            (None, [only]) => (*only).to_owned(),
            (None, _) => "origin".to_owned(),
        }
    }

    /// The remote that `git push` takes when none is named: `branch.NAME.pushRemote`, else `remote.pushDefault`, else
    /// that which `git fetch` takes (git-config(1)).
    #[must_use]
    pub fn push_remote(&self) -> String {
        self.branch
            .as_deref()
            .and_then(|b| last(&self.push_remotes, b))
            .or(self.push_default.as_deref())
            .map_or_else(|| self.fetch_remote(), str::to_owned)
    }

    /// Whether the configuration has a remote of this name.
    #[must_use]
    pub fn has_remote(&self, name: &str) -> bool {
        self.remotes.iter().chain(&self.push_urls).any(|(n, _)| n == name)
    }

    /// Where fetches from a remote or an address go, after `insteadOf`.
    #[must_use]
    pub fn fetch_url(&self, remote: &str) -> String {
        let url = self.remotes.iter().find(|(n, _)| n == remote).map_or(remote, |(_, url)| url.as_str());
        replaced(&self.instead, url).unwrap_or_else(|| url.to_owned())
    }

    /// Everywhere that pushes to a remote or an address go, after `pushInsteadOf` and `insteadOf`.
    #[must_use]
    pub fn push_urls(&self, remote: &str) -> Vec<String> {
        let instead = |url: String| replaced(&self.instead, &url).unwrap_or(url);
        let own = all(&self.push_urls, remote);
        if !own.is_empty() {
            return own.into_iter().map(instead).collect();
        }
        let mut urls = all(&self.remotes, remote);
        if urls.is_empty() {
            urls.push(remote.to_owned());
        }
        urls.into_iter()
            .map(|url| replaced(&self.push_instead, &url).unwrap_or_else(|| instead(url)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn the_remote_that_git_takes_by_itself() {
        let mut config = GitConfig { branch: Some("topic".into()), ..GitConfig::default() };
        assert_eq!(config.fetch_remote(), "origin");
        config.remotes = pairs(&[("up", "https://a.example/x")]);
        assert_eq!((config.fetch_remote(), config.push_remote()), ("up".into(), "up".into()));
        config.remotes.extend(pairs(&[("fork", "https://b.example/x")]));
        assert_eq!(config.fetch_remote(), "origin");
        config.upstreams = pairs(&[("topic", "up"), ("main", "origin")]);
        assert_eq!((config.fetch_remote(), config.push_remote()), ("up".into(), "up".into()));
        config.push_default = Some("fork".into());
        assert_eq!((config.fetch_remote(), config.push_remote()), ("up".into(), "fork".into()));
        config.push_remotes = pairs(&[("topic", "mine")]);
        assert_eq!(config.push_remote(), "mine");
    }

    #[test]
    fn where_a_remote_lies() {
        let config = GitConfig {
            remotes: pairs(&[
                ("origin", "gh:a/b"),
                ("two", "https://a.example/"),
                ("two", "https://b.example/"),
            ]),
            push_urls: pairs(&[("two", "gh:push/it")]),
            instead: pairs(&[("gh:", "https://github.com/"), ("gh:a/", "https://inner.example/")]),
            push_instead: pairs(&[("gh:", "git@github.com:")]),
            ..GitConfig::default()
        };
        assert_eq!(config.fetch_url("origin"), "https://inner.example/b");
        assert_eq!(config.push_urls("origin"), ["git@github.com:a/b"]);
        assert_eq!(config.push_urls("two"), ["https://github.com/push/it"]);
        assert_eq!(config.fetch_url("two"), "https://a.example/");
        assert_eq!(config.fetch_url("https://c.example/x"), "https://c.example/x");
        assert!(config.has_remote("two") && !config.has_remote("three"));
    }
}
