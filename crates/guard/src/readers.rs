//! What each tool's call would do, as effects. Shell commands are read by the `shell` room, the rest here.

use model::{
    AbsPath, Action, ChannelFacts, Effect, Environment, Facts, FetchMethod, Host, HostZone, Named, NetFacts,
    Origin, PathClass, PathFacts, PathTarget, PersistFacts, RevealFacts, RunFacts, TamperFacts, Task, Tool,
    ToolFacts, Tri, Verb, path_facts,
};
use policy::Config;
use programs::Table;

/// What a call would do, with what a person should know about how it is written.
#[derive(Debug, Default)]
pub struct Reading {
    /// The effects, in the order in which they stand in the call.
    pub effects: Vec<Effect>,
    /// The command in one canonical spelling, where there is a command.
    pub canonical: Option<String>,
    /// Invisible or misleading characters and the like.
    pub warnings: Vec<String>,
}

/// Reads a call.
#[must_use]
pub fn read_call(tool: &Tool, cwd: &AbsPath, facts: &dyn Facts, table: &Table, config: &Config) -> Reading {
    let path = |text: &str| PathTarget::Known(expand_home(text, facts).unwrap_or_else(|| cwd.join(text)));
    let effects = match tool {
        Tool::Shell { command, .. } => {
            let analysis = shell::analyse(command, cwd, facts, table);
            return Reading {
                effects: analysis.effects,
                canonical: analysis.canonical,
                warnings: analysis.warnings,
            };
        }
        Tool::ReadFile { path: p } => reads(path_facts(facts, path(p), false)),
        Tool::EditFile { path: p, .. } | Tool::WriteFile { path: p, .. } => {
            writes(path_facts(facts, path(p), false))
        }
        Tool::Glob { path: p, .. } => {
            vec![Action::Read(path_facts(
                facts,
                p.as_deref().map_or(PathTarget::Known(cwd.clone()), path),
                false,
            ))]
        }
        Tool::Grep { path: p, .. } => {
            reads(path_facts(facts, p.as_deref().map_or(PathTarget::Known(cwd.clone()), path), true))
        }
        Tool::FetchUrl { url } => vec![fetch(url, facts)],
        Tool::WebSearch { .. } => vec![Action::Fetch(NetFacts {
            host: "the agent's web search".to_owned(),
            zone: HostZone::Public,
            port: None,
            method: FetchMethod::Get,
            allowlisted: true,
            carries_sensitive: false,
            carries_data: true,
            environment: Environment::Unknown,
            configured: false,
        })],
        Tool::Delegate { .. } | Tool::Internal { .. } => Vec::new(),
        Tool::Mcp { server, name, .. } => calls(server, name, facts, config),
        Tool::Unknown { name, .. } => vec![Action::Run(RunFacts {
            program: name.clone(),
            understood: false,
            why: Some(format!(
                "the tool `{name}` is not known to Ambit, or its input has an unexpected shape"
            )),
            origin: Origin::Unknown,
            task: Task::Other,
        })],
    };
    Reading { effects: effects.into_iter().map(|a| Effect::here(a, None)).collect(), ..Reading::default() }
}

fn expand_home(text: &str, facts: &dyn Facts) -> Option<AbsPath> {
    let home = facts.home()?;
    if text == "~" { Some(home.clone()) } else { text.strip_prefix("~/").map(|rest| home.join(rest)) }
}

/// A read, and what it reveals.
fn reads(facts: PathFacts) -> Vec<Action> {
    let reveal =
        |what: &str| Action::Reveal(RevealFacts { what: what.to_owned(), name: facts.target.to_string() });
    let more = match facts.class {
        PathClass::Credential => Some(reveal("credential_file")),
        PathClass::ProcessMemory => Some(reveal("process_environment")),
        _ => None,
    };
    std::iter::once(Action::Read(facts)).chain(more).collect()
}

/// A write, and what it sets up or frees.
fn writes(facts: PathFacts) -> Vec<Action> {
    let place = facts.target.to_string();
    let persist = |mechanism: &str| {
        Action::Persist(PersistFacts { mechanism: mechanism.to_owned(), place: place.clone() })
    };
    let more = match facts.class {
        PathClass::GuardRail => {
            Some(Action::Tamper(TamperFacts { what: "settings".to_owned(), target: place.clone() }))
        }
        PathClass::ShellRc => Some(persist("shell_rc")),
        PathClass::Hook => Some(persist("git_hook")),
        _ => None,
    };
    std::iter::once(Action::Write(facts)).chain(more).collect()
}

fn fetch(url: &str, facts: &dyn Facts) -> Action {
    let host = host_of(url);
    let zone = host.as_ref().map_or(HostZone::Unknown, |(h, _)| h.zone());
    Action::Fetch(NetFacts {
        zone,
        port: host.as_ref().and_then(|(_, p)| *p),
        method: FetchMethod::Get,
        allowlisted: host.as_ref().is_some_and(|(h, _)| facts.allowed_host(h)),
        environment: host.as_ref().map_or(Environment::Unknown, |(h, _)| facts.environment(&Named::Host(h))),
        configured: false,
        carries_sensitive: false,
        // A long query may carry anything; a short one can hardly.
        carries_data: url.split_once('?').is_some_and(|(_, query)| query.len() > 200),
        host: host.map(|(h, _)| h.to_string()).unwrap_or_default(),
    })
}

/// Host and port of an `http` or `https` URL; `None` for anything else.
fn host_of(url: &str) -> Option<(Host, Option<u16>)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, h)| h);
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) if !host_port.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (host_port, None),
    };
    Some((Host::parse(host)?, port))
}

const READING: &[&str] = &[
    "get", "list", "read", "search", "find", "describe", "show", "fetch", "query", "view", "lookup", "count",
    "status", "browse", "inspect", "check", "resolve", "download", "whoami", "help", "explain", "diff",
    "log", "logs",
];
const DELETING: &[&str] =
    &["delete", "remove", "drop", "destroy", "purge", "wipe", "terminate", "truncate", "uninstall"];
const ADMINISTERING: &[&str] =
    &["grant", "revoke", "invite", "permission", "permissions", "role", "admin", "rotate"];
const MESSAGING: &[(&str, &str)] = &[
    ("send_message", "chat"),
    ("post_message", "chat"),
    ("send_email", "mail"),
    ("send_mail", "mail"),
    ("add_comment", "comment"),
    ("create_comment", "comment"),
    ("add_issue_comment", "comment"),
    ("create_issue", "issue"),
    ("create_pull_request", "pull_request"),
    ("reply", "chat"),
];

/// What a tool of an MCP server would do: as the organisation says, else as its name suggests.
fn calls(server: &str, name: &str, facts: &dyn Facts, config: &Config) -> Vec<Action> {
    let said = config.mcp_verb(server, name);
    let verb = said.unwrap_or_else(|| verb_of(name));
    let environment = match facts.environment(&Named::McpServer(server)) {
        Environment::Unknown => facts.environment(&Named::Other(name)),
        known => known,
    };
    let call = Action::Call(ToolFacts {
        server: server.to_owned(),
        tool: name.to_owned(),
        verb,
        guessed: said.is_none(),
        pinned: Tri::Unknown,
        environment,
    });
    let lower = snake(name);
    let message = MESSAGING.iter().find(|(word, _)| lower.contains(word)).map(|(_, channel)| {
        Action::Message(ChannelFacts { channel: (*channel).to_owned(), target: format!("{server}/{name}") })
    });
    std::iter::once(call).chain(message).collect()
}

/// `createIssue`, `create-issue` and `CREATE_ISSUE` are all `create_issue`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && lower {
            out.push('_');
        }
        lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    out
}

fn verb_of(name: &str) -> Verb {
    let lower = snake(name);
    let words: Vec<&str> = lower.split('_').filter(|w| !w.is_empty()).collect();
    let any = |list: &[&str]| words.iter().any(|w| list.contains(w));
    if any(DELETING) {
        Verb::Delete
    } else if any(ADMINISTERING) {
        Verb::Admin
    } else if words.first().is_some_and(|w| READING.contains(w)) {
        // `search_and_replace`: a reading word in front excuses nothing that follows.
        let writes = [
            "write", "update", "create", "set", "put", "replace", "insert", "execute", "run", "send", "push",
            "merge",
        ];
        if any(&writes) { Verb::Write } else { Verb::Read }
    } else if words.len() == 1 || any(&["execute", "run", "eval", "call", "do", "invoke"]) {
        Verb::Unknown
    } else {
        Verb::Write
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_of_tool_names() {
        assert_eq!(verb_of("get_file_contents"), Verb::Read);
        assert_eq!(verb_of("listIssues"), Verb::Read);
        assert_eq!(verb_of("search_and_replace"), Verb::Write);
        assert_eq!(verb_of("write_record"), Verb::Write);
        assert_eq!(verb_of("deleteRepository"), Verb::Delete);
        assert_eq!(verb_of("execute_sql"), Verb::Unknown);
        assert_eq!(verb_of("frobnicate"), Verb::Unknown);
    }

    #[test]
    fn hosts_of_urls() {
        let host = |u: &str| host_of(u).map(|(h, p)| (h.to_string(), p));
        assert_eq!(host("https://Example.com/a?b"), Some(("example.com".into(), None)));
        assert_eq!(host("http://good.com@evil.com:8080/"), Some(("evil.com".into(), Some(8080))));
        assert_eq!(host("https://evil.com\\@good.com/"), Some(("evil.com".into(), None)));
        assert_eq!(host("http://[::1]:80/"), Some(("::1".into(), Some(80))));
        assert_eq!(host("file:///etc/passwd"), None);
        assert_eq!(host("https://a b/"), None);
    }
}
