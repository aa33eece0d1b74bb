//! A repository's own `ambit.toml` beneath the organisation's: a cloned repository may be anybody's, so what it says
//! makes rules stricter, and makes them laxer only where the person trusts it.

use crate::{Asking, Config, Mode, Names};
use model::Verb;

/// A key of a repository's file that was not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The key.
    pub key: String,
    /// Why, and what to do.
    pub why: String,
}

/// Merges a repository's configuration into the organisation's.
///
/// Untrusted, the repository adds names of production, protected branches, credential paths, stricter MCP verbs,
/// a stricter preset, and `mode = "enforce"`; everything else it says is reported and not followed. Trusted,
/// everything counts, and its `mode` and `preset` replace the organisation's.
#[must_use]
pub fn restrict(repo: &Config, org: &Config, trusted: bool) -> (Config, Vec<Ignored>) {
    let mut merged = org.clone();
    let mut ignored = Vec::new();
    let mut refuse = |key: &str| {
        ignored.push(Ignored {
            key: key.to_owned(),
            why: "it would loosen the rules, and the repository is not trusted; run `ambit trust` if it is yours"
                .to_owned(),
        });
    };

    let mode = org.mode.unwrap_or_default();
    match repo.mode {
        Some(Mode::Observe) if !trusted && mode != Mode::Observe => refuse("mode"),
        Some(mode) => merged.mode = Some(mode),
        None => {}
    }
    let preset = org.preset.unwrap_or_default();
    match repo.preset {
        Some(asked) if asked < preset && !trusted => refuse("preset"),
        Some(asked) => merged.preset = Some(asked),
        None => {}
    }

    add_names(&mut merged.production, &repo.production);
    add(&mut merged.branches.protected, &repo.branches.protected);
    add(&mut merged.paths.credentials, &repo.paths.credentials);
    for one in &repo.mcp {
        if trusted || matches!(one.verb, Verb::Delete | Verb::Admin | Verb::Unknown) {
            // A repository comes after the organisation, whose first match counts; what tightens comes before.
            if trusted { merged.mcp.push(one.clone()) } else { merged.mcp.insert(0, one.clone()) }
        } else {
            refuse(&format!("mcp {}/{}", one.server, one.tool));
        }
    }

    let loosening: [(&str, bool); 10] = [
        ("not_production", repo.not_production != Names::default()),
        ("network.read_hosts", !repo.network.read_hosts.is_empty()),
        ("approvers", !repo.approvers.0.is_empty()),
        ("people", !repo.people.is_empty()),
        ("approvals", repo.approvals != Asking::default()),
        ("delegates", !repo.delegates.kinds.is_empty()),
        ("workspace.extra", !repo.workspace.extra.is_empty()),
        ("secrets.lend", !repo.secrets.lend.is_empty()),
        ("secrets.backends", !repo.secrets.backends.is_empty()),
        ("secrets.ca_file", repo.secrets.ca_file.is_some()),
    ];
    if trusted {
        add_names(&mut merged.not_production, &repo.not_production);
        add(&mut merged.network.read_hosts, &repo.network.read_hosts);
        add(&mut merged.workspace.extra, &repo.workspace.extra);
        add(&mut merged.delegates.kinds, &repo.delegates.kinds);
        for (group, persons) in &repo.approvers.0 {
            // Who decides for the organisation's groups is the organisation's to say.
            merged.approvers.0.entry(group.clone()).or_insert_with(|| persons.clone());
        }
        for (person, accounts) in &repo.people {
            merged.people.entry(person.clone()).or_insert_with(|| accounts.clone());
        }
        merged.approvals = merged.approvals.or(&repo.approvals);
        for (secret, terms) in &repo.secrets.lend {
            merged.secrets.lend.entry(secret.clone()).or_insert_with(|| terms.clone());
        }
        for (backend, terms) in &repo.secrets.backends {
            merged.secrets.backends.entry(backend.clone()).or_insert_with(|| terms.clone());
        }
        merged.secrets.ca_file = merged.secrets.ca_file.or_else(|| repo.secrets.ca_file.clone());
    } else {
        loosening.iter().filter(|(_, set)| *set).for_each(|(key, _)| refuse(key));
    }
    (merged, ignored)
}

fn add<T: Clone + PartialEq>(to: &mut Vec<T>, from: &[T]) {
    for one in from {
        if !to.contains(one) {
            to.push(one.clone());
        }
    }
}

fn add_names(to: &mut Names, from: &Names) {
    add(&mut to.hosts, &from.hosts);
    add(&mut to.contexts, &from.contexts);
    add(&mut to.profiles, &from.profiles);
    add(&mut to.branches, &from.branches);
    add(&mut to.paths, &from.paths);
    add(&mut to.databases, &from.databases);
    add(&mut to.workspaces, &from.workspaces);
    add(&mut to.servers, &from.servers);
    add(&mut to.names, &from.names);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    fn config(text: &str) -> Config {
        Config::parse("ambit.toml", text).unwrap()
    }

    const HOSTILE: &str = "mode = \"observe\"\npreset = \"standard\"\n\
        [production]\nhosts = [\"a\"]\n[not_production]\nhosts = [\"*\"]\n[network]\nread_hosts = [\"evil.example\"]\n\
        [branches]\nprotected = [\"keep\"]\n[approvers]\nproduction = [\"mallory\"]\n[delegates]\nkinds = [\"run\"]\n\
        [workspace]\nextra = [\"/\"]\n[paths]\ncredentials = [\"*/vault/*\"]\n\
        [[mcp]]\nserver = \"s\"\ntool = \"drop\"\nverb = \"read\"\n[[mcp]]\nserver = \"s\"\ntool = \"x\"\nverb = \"admin\"\n";

    #[test]
    fn an_untrusted_repository_only_tightens() {
        let org = config("preset = \"strict\"\n[approvers]\nproduction = [\"ann\"]\n");
        let (merged, ignored) = restrict(&config(HOSTILE), &org, false);
        let keys: Vec<&str> = ignored.iter().map(|i| i.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "mode",
                "preset",
                "mcp s/drop",
                "not_production",
                "network.read_hosts",
                "approvers",
                "delegates",
                "workspace.extra"
            ]
        );
        assert_eq!(merged.mode.unwrap_or_default(), Mode::Enforce);
        assert_eq!(merged.preset, Some(Preset::Strict));
        assert_eq!(merged.production.hosts, ["a"]);
        assert_eq!(merged.branches.protected, ["keep"]);
        assert_eq!(merged.paths.credentials, ["*/vault/*"]);
        assert_eq!(merged.mcp.len(), 1);
        assert_eq!(merged.members("production"), ["ann"]);
        assert!(merged.workspace.extra.is_empty() && merged.delegates.kinds.is_empty());
    }

    #[test]
    fn a_trusted_repository_may_loosen_but_names_no_approvers_of_the_organisation() {
        let org = config("preset = \"strict\"\n[approvers]\nproduction = [\"ann\"]\n");
        let (merged, ignored) = restrict(&config(HOSTILE), &org, true);
        assert!(ignored.is_empty());
        assert_eq!(merged.mode, Some(Mode::Observe));
        assert_eq!(merged.preset, Some(Preset::Standard));
        assert_eq!(merged.network.read_hosts, ["evil.example"]);
        assert_eq!(merged.members("production"), ["ann"]);
        assert_eq!(merged.mcp.len(), 2);
    }

    #[test]
    fn enforcing_is_always_followed() {
        let (merged, ignored) = restrict(&config("mode = \"enforce\""), &config("mode = \"observe\""), false);
        assert_eq!((merged.mode, ignored.len()), (Some(Mode::Enforce), 0));
    }
}
