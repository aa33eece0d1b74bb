//! Which facts an effect of each kind may have in the table, and what values they take.
//!
//! The names are those of the model's fact structures; a test holds the two together.

use model::EffectKind;

/// What values a fact takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactType {
    /// Any text, which may hold `$…`.
    Text,
    /// `true` or `false`.
    Bool,
    /// One of these words, written as they are.
    Word(&'static [&'static str]),
    /// Where to look for an environment: `local`, or `PREFIX:TEXT` separated by spaces.
    Places,
}

/// The prefixes of `environment`.
pub(crate) const PLACES: &[&str] = &["kube", "cloud", "terraform", "database", "host", "dir", "name"];

const ORIGINS: &[&str] = &["system", "project", "session", "downloaded", "inline", "elsewhere", "unknown"];
const TASKS: &[&str] = &["build", "test", "lint", "start", "other"];
const VERBS: &[&str] = &["read", "write", "delete", "admin", "unknown"];
const CLASSES: &[&str] = &["read", "write", "schema", "unbounded", "drop", "admin", "unknown"];
const METHODS: &[&str] = &["get", "change", "connect", "probe", "unknown"];
const LOST: &[&str] = &["worktree", "untracked", "stash", "branch", "commits", "reflog"];
const WIDENED: &[&str] = &["user", "mode", "owner", "capability", "account", "group", "firewall", "checks"];
const MECHANISMS: &[&str] =
    &["cron", "service", "shell_rc", "git_hook", "git_config", "autostart", "at", "kernel", "ssh_key"];
const REVEALED: &[&str] = &[
    "environment",
    "credential_file",
    "metadata",
    "keychain",
    "token",
    "process_environment",
    "key",
    "password",
];
const CHANNELS: &[&str] = &["pull_request", "issue", "comment", "mail", "chat", "release", "review"];
const TAMPERED: &[&str] = &["settings", "policy", "program", "state", "approval", "process", "environment"];

const PATH: &[(&str, FactType)] = &[("path", FactType::Text), ("recursive", FactType::Bool)];
const PACKAGE: &[(&str, FactType)] = &[
    ("registry", FactType::Text),
    ("package", FactType::Text),
    ("known_registry", FactType::Bool),
    ("runs_scripts", FactType::Bool),
    ("global", FactType::Bool),
];
const NET: &[(&str, FactType)] =
    &[("host", FactType::Text), ("method", FactType::Word(METHODS)), ("carries_data", FactType::Bool)];

/// The facts that effects of this kind may have in the table; `None` for kinds that no entry may name.
#[must_use]
pub fn facts_of(kind: EffectKind) -> Option<&'static [(&'static str, FactType)]> {
    Some(match kind {
        EffectKind::Read | EffectKind::Write | EffectKind::Create | EffectKind::Delete => PATH,
        EffectKind::Discard => &[("what", FactType::Word(LOST))],
        EffectKind::Rewrite => &[("reference", FactType::Text), ("history", FactType::Bool)],
        EffectKind::Push => &[
            ("remote", FactType::Text),
            ("reference", FactType::Text),
            ("force", FactType::Bool),
            ("deletes", FactType::Bool),
        ],
        EffectKind::Run => &[
            ("program", FactType::Text),
            ("understood", FactType::Bool),
            ("why", FactType::Text),
            ("origin", FactType::Word(ORIGINS)),
            ("task", FactType::Word(TASKS)),
        ],
        EffectKind::Escalate => &[("what", FactType::Word(WIDENED)), ("target", FactType::Text)],
        EffectKind::Persist => &[("mechanism", FactType::Word(MECHANISMS)), ("place", FactType::Text)],
        EffectKind::Signal => &[("process", FactType::Text), ("machine", FactType::Bool)],
        EffectKind::Install | EffectKind::Publish => PACKAGE,
        EffectKind::Operate => &[
            ("provider", FactType::Text),
            ("verb", FactType::Word(VERBS)),
            ("resource", FactType::Text),
            ("environment", FactType::Places),
            ("dry_run", FactType::Bool),
        ],
        EffectKind::Query => &[
            ("database", FactType::Text),
            ("class", FactType::Word(CLASSES)),
            ("environment", FactType::Places),
        ],
        EffectKind::Reveal => &[("what", FactType::Word(REVEALED)), ("name", FactType::Text)],
        EffectKind::Send | EffectKind::Fetch => NET,
        EffectKind::Message => &[("channel", FactType::Word(CHANNELS)), ("target", FactType::Text)],
        EffectKind::Tamper => &[("what", FactType::Word(TAMPERED)), ("target", FactType::Text)],
        EffectKind::UseSecret | EffectKind::Call => return None,
    })
}

/// The type of this fact in the first kind that has it; for facts that options set on whatever effects there are.
#[must_use]
pub(crate) fn fact_of_any(name: &str) -> Option<FactType> {
    EffectKind::ALL
        .into_iter()
        .filter_map(facts_of)
        .flatten()
        .find(|(fact, _)| *fact == name)
        .map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Action, Origin, QueryClass, Task, Tri, Verb};

    #[test]
    fn words_are_those_of_the_model() {
        let from = |word: &str| serde_json::Value::String(word.to_owned());
        for word in ORIGINS {
            assert!(serde_json::from_value::<Origin>(from(word)).is_ok(), "{word}");
        }
        for word in TASKS {
            assert!(serde_json::from_value::<Task>(from(word)).is_ok(), "{word}");
        }
        for word in VERBS {
            assert!(serde_json::from_value::<Verb>(from(word)).is_ok(), "{word}");
        }
        for word in CLASSES {
            assert!(serde_json::from_value::<QueryClass>(from(word)).is_ok(), "{word}");
        }
        for word in METHODS {
            assert!(serde_json::from_value::<model::FetchMethod>(from(word)).is_ok(), "{word}");
        }
    }

    #[test]
    fn facts_are_those_of_the_model() {
        let install = model::InstallFacts {
            registry: String::new(),
            known_registry: true,
            package: String::new(),
            runs_scripts: false,
            global: false,
        };
        let net = model::NetFacts {
            host: String::new(),
            zone: model::HostZone::Public,
            port: None,
            method: model::FetchMethod::Get,
            allowlisted: false,
            carries_sensitive: false,
            carries_data: false,
            environment: model::Environment::Local,
            configured: false,
        };
        let actions = [
            Action::Discard(model::RepoFacts {
                repository: String::new(),
                what: String::new(),
                dirty: Tri::No,
                in_workspace: true,
            }),
            Action::Rewrite(model::RefFacts {
                repository: String::new(),
                reference: String::new(),
                history: false,
                protected: false,
                pushed: Tri::No,
            }),
            Action::Push(model::PushFacts {
                remote: String::new(),
                host: String::new(),
                environment: model::Environment::Local,
                own: false,
                known: Tri::No,
                reference: String::new(),
                force: false,
                deletes: false,
                protected: Tri::No,
            }),
            Action::Run(model::RunFacts {
                program: String::new(),
                understood: true,
                why: None,
                origin: Origin::System,
                task: Task::Other,
            }),
            Action::Escalate(model::EscalateFacts { what: String::new(), target: String::new() }),
            Action::Persist(model::PersistFacts { mechanism: String::new(), place: String::new() }),
            Action::Signal(model::SignalFacts { process: String::new(), own: Tri::No, machine: false }),
            Action::Install(install.clone()),
            Action::Publish(install),
            Action::Operate(model::ServiceFacts {
                provider: String::new(),
                verb: Verb::Read,
                resource: String::new(),
                environment: model::Environment::Local,
                dry_run: false,
            }),
            Action::Query(model::QueryFacts {
                database: String::new(),
                class: QueryClass::Read,
                environment: model::Environment::Local,
            }),
            Action::Reveal(model::RevealFacts { what: String::new(), name: String::new() }),
            Action::Send(net.clone()),
            Action::Fetch(net),
            Action::Message(model::ChannelFacts { channel: String::new(), target: String::new() }),
            Action::Tamper(model::TamperFacts { what: String::new(), target: String::new() }),
        ];
        for action in actions {
            let kind = action.kind();
            let fields = serde_json::to_value(&action).unwrap();
            for (name, _) in facts_of(kind).unwrap() {
                assert!(fields["facts"].get(name).is_some(), "{} {name}", kind.word());
            }
        }
    }

    #[test]
    fn kinds_without_entries() {
        assert!(facts_of(EffectKind::UseSecret).is_none());
        assert!(facts_of(EffectKind::Call).is_none());
        assert_eq!(fact_of_any("force"), Some(FactType::Bool));
        assert_eq!(fact_of_any("colour"), None);
    }
}
