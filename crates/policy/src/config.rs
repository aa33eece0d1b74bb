//! `ambit.toml`: facts about the organisation that rules speak of. Data, not rules.

use crate::ConfigError;
use crate::asking::Asking;
use crate::source::position;
use model::{EffectKind, Environment, Host, Named, SecretTerms, Verb, matches};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether verdicts are carried out or only recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Verdicts are recorded; every call runs, except what the floor forbids where the caller so decides.
    Observe,
    /// Verdicts are carried out.
    #[default]
    Enforce,
}

/// The rules in force where an organisation brings none of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Broad freedom in the project, a person at its edge.
    #[default]
    Standard,
    /// The same with further forbids: no network, installs or production without or at all.
    Strict,
}

/// Names of things of one environment. Each is a pattern in which `*` stands for any text; case does not count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Names {
    /// Hosts.
    pub hosts: Vec<String>,
    /// Kubernetes contexts.
    pub contexts: Vec<String>,
    /// Cloud profiles, projects, accounts.
    pub profiles: Vec<String>,
    /// Branches from which is deployed; they are protected too.
    pub branches: Vec<String>,
    /// Directories.
    pub paths: Vec<String>,
    /// Databases by name or URL.
    pub databases: Vec<String>,
    /// Terraform workspaces.
    pub workspaces: Vec<String>,
    /// MCP servers.
    pub servers: Vec<String>,
    /// Any other name on a command line: namespaces, stacks, apps.
    pub names: Vec<String>,
}

/// The network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Hosts that may be read from, besides [`READ_HOSTS`].
    pub read_hosts: Vec<String>,
}

/// Branches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Branches {
    /// Protected branches, besides `main`, `master`, `trunk`, `production`, `prod`, `release` and `release/*`.
    pub protected: Vec<String>,
}

/// Who may decide: group to persons. `developer` stands for the person at the keyboard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Approvers(pub BTreeMap<String, Vec<String>>);

/// What a repository's own rules may permit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delegates {
    /// The kinds of effects.
    pub kinds: Vec<EffectKind>,
}

/// Directories of the project.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkspaceDirs {
    /// Further directories that belong to the project.
    pub extra: Vec<String>,
}

/// Paths.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    /// Patterns of paths that hold credentials, besides those Ambit knows.
    pub credentials: Vec<String>,
}

/// What an MCP tool does, where its own declaration is missing or wrong. The first that matches counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpOverride {
    /// The server; `*` stands for any text.
    pub server: String,
    /// The tool; `*` stands for any text.
    pub tool: String,
    /// What it does.
    pub verb: Verb,
}

/// One `ambit.toml`, or several merged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether verdicts are carried out; `None` leaves it to the file above.
    pub mode: Option<Mode>,
    /// The preset; `None` leaves it to the file above.
    pub preset: Option<Preset>,
    /// What is production.
    pub production: Names,
    /// What is not production, though its name suggests it.
    pub not_production: Names,
    /// The network.
    pub network: Network,
    /// Branches.
    pub branches: Branches,
    /// Who may decide.
    pub approvers: Approvers,
    /// Whose account is whose: person to accounts. People are counted, not accounts.
    pub people: BTreeMap<String, Vec<String>>,
    /// How people are asked.
    pub approvals: Asking,
    /// What a repository's own rules may permit.
    pub delegates: Delegates,
    /// Directories of the project.
    pub workspace: WorkspaceDirs,
    /// Paths.
    pub paths: Paths,
    /// What MCP tools do.
    pub mcp: Vec<McpOverride>,
    /// Where secrets lie, and to whom each may be lent.
    pub secrets: SecretTerms,
}

/// Hosts that may be read from everywhere: documentation and code. Package registries are reached by their
/// clients, whose commands say so. `*` stands for any text.
/// Hosts on which anybody may receive what a request carries (gists, pastes, buckets) are not among them.
pub const READ_HOSTS: &[&str] = &[
    "docs.rs",
    "doc.rust-lang.org",
    "static.rust-lang.org",
    "docs.python.org",
    "*.readthedocs.io",
    "nodejs.org",
    "developer.mozilla.org",
    "go.dev",
    "pkg.go.dev",
    "github.com",
    "codeload.github.com",
    "raw.githubusercontent.com",
    "objects.githubusercontent.com",
    "docs.github.com",
    "gitlab.com",
    "bitbucket.org",
    "codeberg.org",
    "kubernetes.io",
    "docs.docker.com",
    "www.postgresql.org",
    "sqlite.org",
    "www.rfc-editor.org",
    "www.w3.org",
    "learn.microsoft.com",
    "docs.aws.amazon.com",
    "cloud.google.com",
    "developer.hashicorp.com",
];

const PROTECTED: &[&str] = &["main", "master", "trunk", "production", "prod", "release", "release/*"];

/// A whole `ambit.toml` with every key explained, for `ambit init`.
pub const COMMENTED_EXAMPLE: &str = include_str!("example.toml");

fn any(patterns: &[String], text: &str) -> bool {
    let text = text.to_lowercase();
    patterns.iter().any(|p| matches(&p.to_lowercase(), &text))
}

/// The host in a database's URL (`scheme://user@host:port/name`), or the whole text where it can be a host itself.
fn database_host(name: &str) -> Option<String> {
    let authority = match name.split_once("://") {
        Some((_, rest)) => rest.split(['/', '?', '#']).next()?,
        None => name,
    };
    let host = authority.rsplit('@').next()?;
    let host = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(h, _)| h),
    };
    Host::parse(host).map(|h| h.to_string())
}

impl Names {
    fn holds(&self, named: &Named<'_>) -> bool {
        match named {
            Named::Host(host) => any(&self.hosts, &host.to_string()),
            Named::KubeContext(Some(name)) => any(&self.contexts, name),
            Named::CloudProfile(_, Some(name)) => any(&self.profiles, name),
            Named::TerraformWorkspace(Some(name)) => any(&self.workspaces, name),
            Named::Database(Some(name)) => {
                any(&self.databases, name) || database_host(name).is_some_and(|h| any(&self.hosts, &h))
            }
            Named::Directory(path) => {
                let text = path.as_str();
                any(&self.paths, text)
                    || self.paths.iter().any(|p| any(&[format!("{}/*", p.trim_end_matches('/'))], text))
            }
            Named::McpServer(name) => any(&self.servers, name),
            Named::Other(name) => any(&self.names, name),
            Named::KubeContext(None)
            | Named::CloudProfile(_, None)
            | Named::TerraformWorkspace(None)
            | Named::Database(None) => false,
        }
    }
}

impl Config {
    /// Reads an `ambit.toml`.
    ///
    /// # Errors
    /// [`ConfigError`] with the place of the first mistake: bad TOML, an unknown key, a value of the wrong kind.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|e| {
            let (line, column) = position(text, e.span().map_or(0, |s| s.start));
            ConfigError { file: file.to_owned(), line, column, message: e.message().to_owned() }
        })
    }

    /// The names of all approver groups. `production` exists even where nobody was named: then the developer is in it.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = self.approvers.0.keys().cloned().collect();
        if !groups.iter().any(|g| g == "production") {
            groups.push("production".to_owned());
        }
        groups
    }

    /// Who is in a group: persons, or `developer` for the person at the keyboard. A group that nobody was named for
    /// is the developer alone, as on a laptop.
    #[must_use]
    pub fn members(&self, group: &str) -> Vec<String> {
        self.approvers.0.get(group).cloned().unwrap_or_else(|| vec!["developer".to_owned()])
    }

    /// Which environment something belongs to: what is named here, else what its name suggests. Production wins.
    #[must_use]
    pub fn environment(&self, named: &Named<'_>) -> Environment {
        if self.production.holds(named) {
            Environment::Production
        } else if self.not_production.holds(named) {
            Environment::NonProduction
        } else {
            named.guess()
        }
    }

    /// Whether a branch is protected.
    #[must_use]
    pub fn protected_branch(&self, branch: &str) -> bool {
        let branch = branch.strip_prefix("refs/heads/").unwrap_or(branch);
        PROTECTED.iter().any(|p| matches(p, branch))
            || any(&self.branches.protected, branch)
            || any(&self.production.branches, branch)
    }

    /// Whether a host may be read from.
    #[must_use]
    pub fn allowed_host(&self, host: &Host) -> bool {
        let text = host.to_string();
        READ_HOSTS.iter().any(|p| matches(p, &text)) || any(&self.network.read_hosts, &text)
    }

    /// Whether a path holds credentials by what is configured here.
    #[must_use]
    pub fn is_credential(&self, path: &str) -> bool {
        self.paths.credentials.iter().any(|p| matches(p, path))
    }

    /// What an MCP tool does, if that is configured here.
    #[must_use]
    pub fn mcp_verb(&self, server: &str, tool: &str) -> Option<Verb> {
        self.mcp.iter().find(|o| matches(&o.server, server) && matches(&o.tool, tool)).map(|o| o.verb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::AbsPath;

    #[test]
    fn the_example_is_read_and_names_every_key() {
        let config = Config::parse("ambit.toml", COMMENTED_EXAMPLE).unwrap();
        assert_eq!(config.mode, Some(Mode::Enforce));
        assert_eq!(config.preset, None);
        let serde_json::Value::Object(tables) = serde_json::to_value(&config).unwrap() else {
            panic!("a table")
        };
        for (table, value) in tables {
            assert!(COMMENTED_EXAMPLE.contains(&table), "`{table}` is not in the example");
            for key in value.as_object().into_iter().flat_map(|keys| keys.keys()) {
                assert!(COMMENTED_EXAMPLE.contains(key), "`{table}.{key}` is not in the example");
            }
        }
    }

    #[test]
    fn mistakes_have_places() {
        let error =
            Config::parse("ambit.toml", "mode = \"enforce\"\n[production]\nhost = [\"a\"]\n").unwrap_err();
        assert_eq!((error.line, error.column), (3, 1));
        assert!(error.message.contains("unknown field `host`"), "{error}");
        let error = Config::parse("ambit.toml", "\nmode = \"off\"\n").unwrap_err();
        assert_eq!((error.line, error.column), (2, 8));
        assert!(Config::parse("ambit.toml", "[branches\n").is_err());
    }

    #[test]
    fn names_and_guesses() {
        let config = Config::parse(
            "ambit.toml",
            "[production]\nhosts = [\"*.corp.example\"]\npaths = [\"/srv/live\"]\ncontexts = [\"blue\"]\n\
             [not_production]\ncontexts = [\"prod-copy\"]\n[branches]\nprotected = [\"hotfix/*\"]\n\
             [network]\nread_hosts = [\"docs.example.org\"]\n[[mcp]]\nserver = \"db\"\ntool = \"get_*\"\nverb = \"write\"\n",
        )
        .unwrap();
        let host = Host::parse("DB.corp.example").unwrap();
        assert_eq!(config.environment(&Named::Host(&host)), Environment::Production);
        for database in
            ["db.corp.example", "postgres://ann:x@db.corp.example:5432/app", "mysql://DB.corp.example/a"]
        {
            assert_eq!(
                config.environment(&Named::Database(Some(database))),
                Environment::Production,
                "{database}"
            );
        }
        assert_eq!(
            config.environment(&Named::Database(Some("postgres://db.example/db.corp.example"))),
            Environment::Unknown
        );
        assert_eq!(config.environment(&Named::KubeContext(Some("Blue"))), Environment::Production);
        assert_eq!(config.environment(&Named::KubeContext(Some("prod-copy"))), Environment::NonProduction);
        assert_eq!(config.environment(&Named::KubeContext(Some("prod-1"))), Environment::LikelyProduction);
        assert_eq!(config.environment(&Named::KubeContext(None)), Environment::Unknown);
        let path = AbsPath::parse("/srv/live/app").unwrap();
        assert_eq!(config.environment(&Named::Directory(&path)), Environment::Production);
        assert!(config.protected_branch("refs/heads/main") && config.protected_branch("hotfix/1"));
        assert!(!config.protected_branch("feature/main"));
        assert!(config.allowed_host(&Host::parse("docs.example.org").unwrap()));
        assert!(config.allowed_host(&Host::parse("docs.rs").unwrap()));
        assert!(!config.allowed_host(&Host::parse("docs.rs.evil.example").unwrap()));
        assert_eq!(config.mcp_verb("db", "get_all"), Some(Verb::Write));
        assert_eq!(config.mcp_verb("db", "put"), None);
        assert_eq!(config.groups(), ["production"]);
        assert_eq!(config.members("production"), ["developer"]);
    }
}
