//! Effects that the table lists for a program, with the facts that only the machine knows.

use super::net::{Traffic, place};
use super::paths::Touch;
use crate::context::Context;
use model::{
    Action, ChannelFacts, EffectKind, Environment, FetchMethod, Host, HostZone, InstallFacts, Named, Origin,
    PersistFacts, PushFacts, QueryClass, QueryFacts, RefFacts, RepoFacts, RevealFacts, RunFacts,
    ServiceFacts, SignalFacts, Span, TamperFacts, Task, Tri, Verb,
};
use programs::{Fact, Field, MatchedEffect};
use std::collections::BTreeMap;

/// The facts of a template by name.
struct Facts<'a>(&'a BTreeMap<String, Fact>);

impl Facts<'_> {
    fn text(&self, name: &str) -> String {
        match self.0.get(name) {
            Some(Fact::Text(text, _)) => text.trim().to_owned(),
            _ => String::new(),
        }
    }
    fn unknown(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Fact::Text(_, true)))
    }
    fn is(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Fact::Bool(true)))
    }
    fn is_or(&self, name: &str, default: bool) -> bool {
        match self.0.get(name) {
            Some(Fact::Bool(b)) => *b,
            _ => default,
        }
    }
}

/// What else is known of the command.
pub(crate) struct Given<'a> {
    /// The program's name.
    pub(crate) command: String,
    /// Variables set for it.
    pub(crate) assignments: &'a [(String, Field)],
    /// Whether the directory it works in is another repository than the session's.
    pub(crate) sensitive: bool,
}

impl Context<'_> {
    /// Adds an effect of the table.
    pub(crate) fn template(&mut self, effect: &MatchedEffect, given: &Given<'_>) {
        let f = Facts(&effect.facts);
        let span = effect.span;
        let action = match effect.kind {
            EffectKind::Read => return self.template_path(Touch::Read, &f, span),
            EffectKind::Write => return self.template_path(Touch::Write, &f, span),
            EffectKind::Create => return self.template_path(Touch::Create, &f, span),
            EffectKind::Delete => return self.template_path(Touch::Delete, &f, span),
            EffectKind::Run => {
                let program = f.text("program");
                Action::Run(RunFacts {
                    program: if program.is_empty() { given.command.clone() } else { program },
                    understood: f.is_or("understood", true),
                    why: Some(f.text("why")).filter(|w| !w.is_empty()),
                    origin: origin(&f.text("origin")),
                    task: task(&f.text("task")),
                })
            }
            EffectKind::Discard => {
                let git = self.repository();
                let what = f.text("what");
                Action::Discard(RepoFacts {
                    repository: git.root.map_or_else(
                        || self.cwd().map(ToString::to_string).unwrap_or_default(),
                        |root| root.to_string(),
                    ),
                    dirty: self.losable(&what, true),
                    what,
                    in_workspace: self.in_workspace(),
                })
            }
            EffectKind::Rewrite => {
                let given_ref = f.text("reference");
                let branch = self.repository().branch;
                let reference = if given_ref.is_empty() { branch.unwrap_or_default() } else { given_ref };
                Action::Rewrite(RefFacts {
                    repository: self.repository_dir(),
                    protected: self.facts.protected_branch(&reference),
                    history: f.is_or("history", true),
                    reference,
                    pushed: Tri::Unknown,
                })
            }
            EffectKind::Push => {
                let remote = f.text("remote");
                let reference = f.text("reference");
                Action::Push(self.push(&remote, reference, f.is("force"), f.is("deletes")))
            }
            EffectKind::Escalate => {
                self.escalate(&f.text("what"), f.text("target"), span);
                return;
            }
            EffectKind::Persist => {
                Action::Persist(PersistFacts { mechanism: f.text("mechanism"), place: f.text("place") })
            }
            EffectKind::Signal => Action::Signal(SignalFacts {
                process: f.text("process"),
                own: Tri::Unknown,
                machine: f.is("machine"),
            }),
            EffectKind::Install => Action::Install(install(&f)),
            EffectKind::Publish => Action::Publish(install(&f)),
            EffectKind::Operate => {
                let verb = f.text("verb");
                Action::Operate(ServiceFacts {
                    provider: f.text("provider"),
                    verb: [Verb::Read, Verb::Write, Verb::Delete, Verb::Admin]
                        .into_iter()
                        .find(|v| v.word() == verb)
                        .unwrap_or(Verb::Unknown),
                    resource: f.text("resource"),
                    environment: self.environment_at(&f, given),
                    dry_run: f.is("dry_run"),
                })
            }
            EffectKind::Query => {
                let class = f.text("class");
                Action::Query(QueryFacts {
                    database: without_password(&f.text("database")),
                    class: class_of(&class),
                    environment: self.environment_at(&f, given),
                })
            }
            EffectKind::Reveal => Action::Reveal(RevealFacts { what: f.text("what"), name: f.text("name") }),
            EffectKind::Send | EffectKind::Fetch => {
                let send = effect.kind == EffectKind::Send;
                let method = match f.text("method").as_str() {
                    "get" => FetchMethod::Get,
                    "change" => FetchMethod::Change,
                    "connect" => FetchMethod::Connect,
                    "probe" => FetchMethod::Probe,
                    _ if send => FetchMethod::Change,
                    _ => FetchMethod::Get,
                };
                let unknown = f.unknown("host");
                let host = f.text("host");
                let found = if unknown || host.is_empty() { None } else { Some(place(&host)) };
                let traffic = Traffic {
                    method,
                    send,
                    data: f.is_or("carries_data", send) || unknown,
                    sensitive: given.sensitive,
                };
                let (known, port) = found.map_or((None, None), |p| (p.host, p.port));
                let mut facts = self.net_facts(known.as_ref(), port, traffic);
                if let Some(ecosystem) = host.strip_prefix("registry:") {
                    // Whichever host the package client is set up for: reading metadata there is as good as listed.
                    facts.host = format!("the {ecosystem} registry");
                    facts.zone = HostZone::Public;
                    facts.allowlisted = true;
                } else if known.is_none() && !unknown {
                    // A name of the table's own for what is no host (`relay of croc`).
                    facts.host = host;
                }
                if send { Action::Send(facts) } else { Action::Fetch(facts) }
            }
            EffectKind::Message => {
                Action::Message(ChannelFacts { channel: f.text("channel"), target: f.text("target") })
            }
            EffectKind::Tamper => {
                Action::Tamper(TamperFacts { what: f.text("what"), target: f.text("target") })
            }
            EffectKind::UseSecret | EffectKind::Call => return,
        };
        self.emit(action, span);
    }

    fn template_path(&mut self, touch: Touch, f: &Facts<'_>, span: Span) {
        let text = f.text("path");
        if text.is_empty() && !f.unknown("path") {
            return;
        }
        let target = if f.unknown("path") {
            self.path(&Field::unknown(text, span, false))
        } else {
            match (text.strip_prefix("~/"), self.facts.home()) {
                (Some(rest), Some(home)) => model::PathTarget::Known(home.join(rest)),
                _ => self.path_of(&text),
            }
        };
        self.touch(touch, target, f.is("recursive"), span);
    }

    /// The strictest environment of the places that the table says to look at.
    fn environment_at(&self, f: &Facts<'_>, given: &Given<'_>) -> Environment {
        let unknown = f.unknown("environment");
        let mut found: Vec<Environment> = Vec::new();
        for entry in f.text("environment").split_whitespace() {
            let (kind, value) = entry.split_once(':').unwrap_or((entry, ""));
            let value = Some(value).filter(|v| !v.is_empty());
            let set = |names: &[&str]| -> Option<String> {
                value.map(str::to_owned).or_else(|| {
                    names.iter().find_map(|n| {
                        let assigned = given.assignments.iter().rev().find(|(name, _)| name == n);
                        assigned.and_then(|(_, v)| v.known()).or_else(|| self.facts.variable(n))
                    })
                })
            };
            found.push(match kind {
                "local" => Environment::Local,
                "kube" => self.facts.environment(&Named::KubeContext(value)),
                "cloud" => {
                    let (provider, profile) = value.map_or(("", None), |v| match v.split_once(':') {
                        Some((provider, "")) => (provider, None),
                        Some((provider, profile)) => (provider, Some(profile)),
                        None => (v, None),
                    });
                    let named = profile.map(str::to_owned).or_else(|| {
                        let names: &[&str] = match provider {
                            "aws" => &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"],
                            "gcloud" | "gcp" => &["CLOUDSDK_CORE_PROJECT", "GOOGLE_CLOUD_PROJECT"],
                            _ => &[],
                        };
                        names.iter().find_map(|n| {
                            let assigned = given.assignments.iter().rev().find(|(name, _)| name == n);
                            assigned.and_then(|(_, v)| v.known())
                        })
                    });
                    self.facts.environment(&Named::CloudProfile(provider, named.as_deref()))
                }
                "terraform" => {
                    let named = set(&["TF_WORKSPACE"]);
                    self.facts.environment(&Named::TerraformWorkspace(named.as_deref()))
                }
                "database" => {
                    let named = set(&["DATABASE_URL", "PGHOST", "MYSQL_HOST", "PGDATABASE"]);
                    self.facts.environment(&Named::Database(named.as_deref()))
                }
                "host" => match value.and_then(Host::parse) {
                    Some(host) => self.facts.environment(&Named::Host(&host)),
                    None if value.is_none() => continue,
                    None => Environment::Unknown,
                },
                "dir" => {
                    let dir = match value {
                        Some(v) => self.path_of(v),
                        None => self.path_of("."),
                    };
                    match dir {
                        model::PathTarget::Known(dir) => self.facts.environment(&Named::Directory(&dir)),
                        _ => Environment::Unknown,
                    }
                }
                "name" => match value {
                    Some(v) => self.facts.environment(&Named::Other(v)),
                    None => continue,
                },
                _ => Environment::Unknown,
            });
        }
        match strictest(&found) {
            // A name that is not known whole may be any.
            Environment::NonProduction | Environment::Local if unknown => Environment::Unknown,
            environment => environment,
        }
    }

    /// The facts of a push to a remote, given by name or address, as far as its words tell.
    pub(crate) fn push(&self, remote: &str, reference: String, force: bool, deletes: bool) -> PushFacts {
        let git = self.repository();
        let name = match reference.rsplit(':').next().unwrap_or_default() {
            "" | "HEAD" => git.branch.clone(),
            name => Some(name.trim_start_matches("refs/heads/").to_owned()),
        };
        let known = match (remote, git.known) {
            ("", _) => Tri::Yes,
            (_, false) => {
                // Without the configuration a plain name can only be a remote of the repository.
                if remote.contains([':', '/', '.', '$']) { Tri::No } else { Tri::Unknown }
            }
            (name, true) => git.remotes.iter().any(|(n, url)| n == name || url == name).into(),
        };
        PushFacts {
            remote: without_password(remote),
            host: String::new(),
            environment: self.facts.environment(&Named::Other(remote)),
            own: false,
            known,
            protected: name.map_or(Tri::Unknown, |n| self.facts.protected_branch(&n).into()),
            reference,
            force,
            deletes,
        }
    }
}

/// The strictest of several answers: production counts first, a name that says "not production" last.
pub(crate) fn strictest(found: &[Environment]) -> Environment {
    let rank = |e: &Environment| match e {
        Environment::Production => 4,
        Environment::LikelyProduction => 3,
        Environment::NonProduction => 2,
        Environment::Local => 1,
        Environment::Unknown => 0,
    };
    found.iter().copied().max_by_key(rank).unwrap_or_default()
}

/// The class with this word.
pub(crate) fn class_of(word: &str) -> QueryClass {
    [
        QueryClass::Read,
        QueryClass::Write,
        QueryClass::Schema,
        QueryClass::Unbounded,
        QueryClass::Drop,
        QueryClass::Admin,
    ]
    .into_iter()
    .find(|c| c.word() == word)
    .unwrap_or(QueryClass::Unknown)
}

fn install(f: &Facts<'_>) -> InstallFacts {
    InstallFacts {
        registry: f.text("registry"),
        known_registry: f.is_or("known_registry", true),
        package: f.text("package"),
        runs_scripts: f.is_or("runs_scripts", true),
        global: f.is("global"),
    }
}

fn origin(word: &str) -> Origin {
    [Origin::Project, Origin::Session, Origin::Downloaded, Origin::Inline, Origin::Elsewhere, Origin::Unknown]
        .into_iter()
        .find(|o| o.word() == word)
        .unwrap_or(Origin::System)
}

fn task(word: &str) -> Task {
    [Task::Build, Task::Test, Task::Lint, Task::Start]
        .into_iter()
        .find(|t| t.word() == word)
        .unwrap_or(Task::Other)
}

/// A database's URL without the password in it.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((account, rest)) = rest.split_once('@') else { return url.to_owned() };
    let user = account.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}@{rest}")
}
