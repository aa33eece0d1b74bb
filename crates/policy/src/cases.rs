//! Cases: what a policy must say of given calls, kept beside the policy as a TOML file.
//!
//! ```toml
//! preset = "standard"              # or "strict": which built-in rules the file is about
//!
//! [[case]]
//! name = "the whole project"
//! command = "rm -rf ."             # or `effects`, for calls without a command
//! offers = { contain = true }      # what can be conceded; both when left out
//! session = { sandbox = true }     # sandbox (true), untrusted_seen, sensitive_read, attended (false); agent
//! groups = ["production"]          # the approver groups that exist; this one when left out
//! expect = "ask"                   # allow, contain, ask, deny
//! rule = "delete-asks"             # optional: the rule that must decide
//! snapshot = false                 # optional: whether a snapshot must be part of it
//! approvers = ["developer"]        # optional: whose consent it must need
//! ```
//!
//! An effect is a table of its kind and facts, `{ kind = "delete", target = "/home/ann/app/x", git = "dirty" }`, with
//! `remote = { name = "web1", environment = "production" }` for another machine. Facts left out are those of an ordinary
//! harmless target: a clean, tracked source file of the project, an understood program of the system, a public host.

use crate::source::position;
use crate::{CaseError, Policy, PolicyError, Preset, Subject};
use model::{Action, Effect, EffectKind, Offers, RemotePlace, VerdictKind};
use serde::Deserialize;
use serde_json::{Value, json};

/// A file of cases.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// Its name, for messages.
    pub file: String,
    /// The built-in rules it is about.
    pub preset: Preset,
    /// The cases in their order.
    pub cases: Vec<Case>,
}

/// What a case is about.
#[derive(Debug, Clone, PartialEq)]
pub enum CaseEffects {
    /// A shell command, which the caller turns into effects.
    Command(String),
    /// Effects as they are.
    Effects(Vec<Effect>),
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Its line in the file, from 1.
    pub line: usize,
    /// The call.
    pub call: CaseEffects,
    /// What can be conceded.
    pub offers: Offers,
    /// What is known of the session.
    pub subject: Subject,
    /// The approver groups that exist.
    pub groups: Vec<String>,
    /// The verdict it must get.
    pub expect: VerdictKind,
    /// The rule that must decide.
    pub rule: Option<String>,
    /// Whether a snapshot must be part of it.
    pub snapshot: Option<bool>,
    /// Whose consent it must need.
    pub approvers: Option<Vec<String>>,
}

/// A case that came out otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFailure {
    /// The file.
    pub file: String,
    /// The case's line.
    pub line: usize,
    /// The case's name.
    pub name: String,
    /// What was expected and what came.
    pub message: String,
}

impl std::fmt::Display for CaseFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.name, self.message)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFile {
    #[serde(default)]
    preset: Preset,
    case: Vec<toml::Spanned<WireCase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCase {
    name: String,
    command: Option<String>,
    effects: Option<Vec<serde_json::Map<String, Value>>>,
    #[serde(default)]
    offers: WireOffers,
    #[serde(default)]
    session: WireSession,
    groups: Option<Vec<String>>,
    expect: VerdictKind,
    rule: Option<String>,
    snapshot: Option<bool>,
    approvers: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WireOffers {
    snapshot: bool,
    contain: bool,
}

impl Default for WireOffers {
    fn default() -> Self {
        Self { snapshot: true, contain: true }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WireSession {
    sandbox: bool,
    untrusted_seen: bool,
    sensitive_read: bool,
    attended: bool,
    agent: String,
}

impl Default for WireSession {
    fn default() -> Self {
        Self {
            sandbox: true,
            untrusted_seen: false,
            sensitive_read: false,
            attended: false,
            agent: String::new(),
        }
    }
}

impl CaseFile {
    /// Reads a file of cases.
    ///
    /// # Errors
    /// [`CaseError`] with the place of the first mistake.
    pub fn parse(file: &str, text: &str) -> Result<Self, CaseError> {
        let error = |byte: usize, message: String| {
            let (line, column) = position(text, byte);
            CaseError { file: file.to_owned(), line, column, message }
        };
        let wire: WireFile = toml::from_str(text)
            .map_err(|e| error(e.span().map_or(0, |s| s.start), e.message().to_owned()))?;
        let mut cases = Vec::with_capacity(wire.case.len());
        for spanned in wire.case {
            let from = spanned.span().start;
            let case = spanned.into_inner();
            let call = match (case.command, case.effects) {
                (Some(command), None) => CaseEffects::Command(command),
                (None, Some(effects)) => CaseEffects::Effects(
                    effects
                        .into_iter()
                        .map(effect)
                        .collect::<Result<_, _>>()
                        .map_err(|message| error(from, format!("`{}`: {message}", case.name)))?,
                ),
                _ => return Err(error(from, format!("`{}` needs either `command` or `effects`", case.name))),
            };
            let s = case.session;
            cases.push(Case {
                name: case.name,
                line: position(text, from).0,
                call,
                offers: Offers { snapshot: case.offers.snapshot, contain: case.offers.contain },
                subject: Subject {
                    session: "case".to_owned(),
                    agent: s.agent,
                    sandbox: s.sandbox,
                    untrusted_seen: s.untrusted_seen,
                    sensitive_read: s.sensitive_read,
                    attended: s.attended,
                    now: 0,
                },
                groups: case.groups.unwrap_or_else(|| vec!["production".to_owned()]),
                expect: case.expect,
                rule: case.rule,
                snapshot: case.snapshot,
                approvers: case.approvers,
            });
        }
        Ok(Self { file: file.to_owned(), preset: wire.preset, cases })
    }
}

/// Runs the cases; `effects_of` turns a command into effects.
///
/// # Errors
/// [`PolicyError`] when policy itself cannot answer.
pub fn run_cases(
    file: &CaseFile,
    policy: &Policy,
    effects_of: &dyn Fn(&str) -> Vec<Effect>,
) -> Result<Vec<CaseFailure>, PolicyError> {
    let mut failures = Vec::new();
    for case in &file.cases {
        let effects = match &case.call {
            CaseEffects::Command(command) => effects_of(command),
            CaseEffects::Effects(effects) => effects.clone(),
        };
        let verdict = policy.judge(&case.subject, &effects, case.offers, &case.groups, &[])?;
        let mut wrong = Vec::new();
        let mut compare = |what: &str, expected: String, got: String| {
            if expected != got {
                wrong.push(format!("{what} is {got}, not {expected}"));
            }
        };
        compare("the verdict", case.expect.to_string(), verdict.kind().to_string());
        if let Some(rule) = &case.rule {
            compare("the rule", rule.clone(), verdict.rule().to_owned());
        }
        if let Some(snapshot) = case.snapshot {
            compare("snapshot", snapshot.to_string(), verdict.snapshot().to_string());
        }
        if let Some(approvers) = &case.approvers {
            compare("approvers", approvers.join(", "), verdict.needs().approvers.join(", "));
        }
        if !wrong.is_empty() {
            failures.push(CaseFailure {
                file: file.file.clone(),
                line: case.line,
                name: case.name.clone(),
                message: format!(
                    "{} (decided by `{}`: {})",
                    wrong.join("; "),
                    verdict.rule(),
                    verdict.reason()
                ),
            });
        }
    }
    Ok(failures)
}

fn effect(mut table: serde_json::Map<String, Value>) -> Result<Effect, String> {
    let word = match table.remove("kind") {
        Some(Value::String(word)) => word,
        _ => return Err("an effect needs a `kind`".to_owned()),
    };
    let kind = EffectKind::from_word(&word).ok_or_else(|| format!("`{word}` is no kind of effect"))?;
    // A push has a fact of this name, which is a text.
    let remote = match table.get("remote").filter(|place| place.is_object()).cloned() {
        Some(place) => {
            table.remove("remote");
            Some(serde_json::from_value::<RemotePlace>(place).map_err(|e| format!("`remote`: {e}"))?)
        }
        None => None,
    };
    let mut facts = ordinary(kind);
    let is_path =
        matches!(kind, EffectKind::Read | EffectKind::Write | EffectKind::Create | EffectKind::Delete);
    for (key, value) in table {
        let value = match value {
            Value::String(path) if is_path && key == "target" => {
                if path.starts_with('/') {
                    json!({ "known": path })
                } else {
                    json!({ "unknown": path })
                }
            }
            other => other,
        };
        match facts.get_mut(&key) {
            Some(slot) => *slot = value,
            None => return Err(format!("`{word}` has no fact `{key}`")),
        }
    }
    let action: Action =
        serde_json::from_value(json!({ "kind": word, "facts": facts })).map_err(|e| e.to_string())?;
    Ok(Effect { action, span: None, remote })
}

/// The facts of an ordinary harmless target.
fn ordinary(kind: EffectKind) -> Value {
    match kind {
        EffectKind::Read | EffectKind::Write | EffectKind::Create | EffectKind::Delete => json!({
            "target": { "known": "/home/ann/app/src/main.rs" }, "zone": "workspace", "class": "source", "vital": "none",
            "git": "clean", "exists": "yes", "made_by_session": false, "recursive": false, "size": null,
        }),
        EffectKind::Discard => {
            json!({ "repository": "/home/ann/app", "what": "worktree", "dirty": "no", "in_workspace": true })
        }
        EffectKind::Rewrite => {
            json!({ "reference": "work", "history": false, "protected": false, "pushed": "no" })
        }
        EffectKind::Push => json!({
            "remote": "origin", "host": "git.example.com", "environment": "unknown", "own": false, "known": "yes",
            "reference": "work", "force": false, "deletes": false, "protected": "no",
        }),
        EffectKind::Run => {
            json!({ "program": "ls", "understood": true, "why": null, "origin": "system", "task": "other" })
        }
        EffectKind::Escalate => json!({ "what": "user", "target": "root" }),
        EffectKind::Persist => json!({ "mechanism": "cron", "place": "crontab" }),
        EffectKind::Signal => json!({ "process": "%1", "own": "yes", "machine": false }),
        EffectKind::Install | EffectKind::Publish => json!({
            "registry": "npm", "known_registry": true, "package": "", "runs_scripts": false, "global": false,
        }),
        EffectKind::Operate => json!({
            "provider": "kubernetes", "verb": "read", "resource": "pods", "environment": "non_production", "dry_run": false,
        }),
        EffectKind::Query => json!({ "database": "dev", "class": "read", "environment": "local" }),
        EffectKind::UseSecret => json!({ "name": "test-key", "program": "npm", "host": "", "terms": "none" }),
        EffectKind::Reveal => json!({ "what": "environment", "name": "" }),
        EffectKind::Send | EffectKind::Fetch => json!({
            "host": "example.com", "zone": "public", "port": null, "method": "get", "allowlisted": false,
            "carries_sensitive": false, "carries_data": false, "environment": "unknown", "configured": false,
        }),
        EffectKind::Call => json!({
            "server": "docs", "tool": "search", "verb": "read", "guessed": false, "pinned": "yes",
            "environment": "non_production",
        }),
        EffectKind::Message => json!({ "channel": "issue", "target": "example/app" }),
        EffectKind::Tamper => json!({ "what": "settings", "target": "/home/ann/.ambit/ambit.toml" }),
    }
}
