//! Checking policies before they are in force: syntax, schema, names, delegation, rules that can never matter.

use crate::compile::{Rule, RuleEffect};
use crate::source::{position, split};
use crate::{Layer, SCHEMA, Source, Sources};
use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic as _;
use model::EffectKind;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Whether a diagnostic keeps the policy from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy is used all the same.
    Warning,
    /// The policy is not used.
    Error,
}

/// Something to mend in a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it keeps the policy from being used.
    pub severity: Severity,
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// One policy that could be read.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) policy: Policy,
    pub(crate) rule: Rule,
    source: usize,
    /// Where its text begins in the file, in bytes.
    offset: usize,
    /// Cedar's own form of it without annotations.
    pub(crate) form: Value,
}

/// Everything that is to be mended in these sources, in the order of files and lines.
#[must_use]
pub fn check(sources: &Sources) -> Vec<Diagnostic> {
    examine(sources).1
}

/// Reads all policies, and says what is wrong with them.
pub(crate) fn examine(sources: &Sources) -> (Vec<Parsed>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let schema = match Schema::from_cedarschema_str(SCHEMA) {
        Ok((schema, _)) => schema,
        Err(e) => {
            found.push(Diagnostic {
                severity: Severity::Error,
                file: "policies/schema.cedarschema".to_owned(),
                line: 1,
                column: 1,
                message: e.to_string(),
                help: None,
            });
            return (Vec::new(), found);
        }
    };
    let mut parsed = Vec::new();
    for (at, source) in sources.files.iter().enumerate() {
        for (from, to) in split(&source.text) {
            read(
                at,
                source,
                from,
                source.text.get(from..to).unwrap_or_default(),
                &schema,
                &mut parsed,
                &mut found,
            );
        }
    }
    duplicates(sources, &parsed, &mut found);
    validate(sources, &parsed, schema, &mut found);
    delegation(sources, &parsed, &mut found);
    shadows(sources, &parsed, &mut found);
    let order = |d: &Diagnostic| sources.files.iter().position(|s| s.file == d.file).unwrap_or(0);
    found.sort_by_key(|d| (order(d), d.line, d.column));
    (parsed, found)
}

fn at(
    source: &Source,
    byte: usize,
    severity: Severity,
    message: impl Into<String>,
    help: Option<&str>,
) -> Diagnostic {
    let (line, column) = position(&source.text, byte);
    Diagnostic {
        severity,
        file: source.file.clone(),
        line,
        column,
        message: message.into(),
        help: help.map(str::to_owned),
    }
}

fn of(
    sources: &Sources,
    parsed: &Parsed,
    severity: Severity,
    message: String,
    help: &str,
) -> Option<Diagnostic> {
    let source = sources.files.get(parsed.source)?;
    Some(at(source, parsed.offset, severity, message, Some(help)))
}

/// Where Cedar points, in bytes from the start of what it was given.
fn pointed(diagnostic: &dyn miette::Diagnostic) -> usize {
    diagnostic.labels().and_then(|mut l| l.next()).map_or(0, |l| l.offset())
}

fn read(
    index: usize,
    source: &Source,
    from: usize,
    text: &str,
    schema: &Schema,
    parsed: &mut Vec<Parsed>,
    found: &mut Vec<Diagnostic>,
) {
    let error =
        |byte: usize, message: String, help: Option<&str>| at(source, byte, Severity::Error, message, help);
    let policy = match Policy::parse(Some(PolicyId::new(parsed.len().to_string())), text) {
        Ok(policy) => policy,
        Err(errors) => {
            found.extend(errors.iter().map(|e| {
                let help = e.help().map(|h| h.to_string());
                error(from + pointed(e), e.to_string(), help.as_deref())
            }));
            return;
        }
    };
    let mut form = match policy.to_json() {
        Ok(form) => form,
        Err(e) => {
            found.push(error(from, e.to_string(), None));
            return;
        }
    };
    if let Some(map) = form.as_object_mut() {
        map.remove("annotations");
    }
    let annotation = |name: &str| policy.annotation(name).filter(|t| !t.trim().is_empty()).map(str::to_owned);
    let id = annotation("id");
    if id.is_none() {
        found.push(error(
            from,
            "the rule has no `@id`".to_owned(),
            Some("put `@id(\"a-short-name\")` above it: verdicts and records name rules by it"),
        ));
    }
    let reason = annotation("reason");
    if reason.is_none() {
        found.push(error(
            from,
            "the rule has no `@reason`".to_owned(),
            Some("put `@reason(\"why, in words for the person who is stopped\")` above it"),
        ));
    }
    let (Some(id), Some(reason)) = (id, reason) else { return };
    let possible: HashSet<EffectKind> = policy
        .get_valid_request_envs(schema)
        .filter_map(|env| EffectKind::from_word(env.action().id().unescaped()))
        .collect();
    let rule = Rule {
        id,
        layer: source.layer,
        file: source.file.clone(),
        line: position(&source.text, from).0,
        effect: if policy.effect() == Effect::Permit { RuleEffect::Permit } else { RuleEffect::Forbid },
        kinds: EffectKind::ALL.into_iter().filter(|k| possible.contains(k)).collect(),
        reason,
        instead: annotation("instead"),
        unconditional: !asks_for_concessions(&form),
        text: text.to_owned(),
    };
    parsed.push(Parsed { policy, rule, source: index, offset: from, form });
}

/// Whether the answer of a policy in Cedar's JSON form can depend on a concession: it names one, or looks at the
/// whole context.
fn asks_for_concessions(form: &Value) -> bool {
    match form {
        Value::Object(map) => map.iter().any(|(key, value)| {
            let of_context =
                value.get("left").and_then(|l| l.get("Var")).and_then(Value::as_str) == Some("context");
            match (key.as_str(), value) {
                ("." | "has", _) if of_context => {
                    value.get("attr").and_then(Value::as_str).is_none_or(|attr| {
                        matches!(attr, "reversible" | "contained" | "approvals" | "approvers")
                    })
                }
                ("Var", Value::String(name)) => name == "context",
                _ => asks_for_concessions(value),
            }
        }),
        Value::Array(items) => items.iter().any(asks_for_concessions),
        _ => false,
    }
}

fn duplicates(sources: &Sources, parsed: &[Parsed], found: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<&str, &Rule> = HashMap::new();
    for one in parsed {
        match seen.get(one.rule.id.as_str()) {
            Some(first) => found.extend(of(
                sources,
                one,
                Severity::Error,
                format!("`{}` is also the id of a rule at {}:{}", one.rule.id, first.file, first.line),
                "give each rule an id of its own",
            )),
            None => {
                seen.insert(&one.rule.id, &one.rule);
            }
        }
    }
}

fn validate(sources: &Sources, parsed: &[Parsed], schema: Schema, found: &mut Vec<Diagnostic>) {
    let set = match PolicySet::from_policies(parsed.iter().map(|p| p.policy.clone())) {
        Ok(set) => set,
        Err(e) => {
            found.extend(parsed.first().and_then(|p| of(sources, p, Severity::Error, e.to_string(), "")));
            return;
        }
    };
    let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
    let mut put = |id: &PolicyId, byte: usize, severity: Severity, message: String, help: Option<String>| {
        let one = id.to_string().parse::<usize>().ok().and_then(|n| parsed.get(n));
        if let Some((one, source)) = one.and_then(|o| Some((o, sources.files.get(o.source)?))) {
            // Cedar names a policy by our number for it; a person knows it by its id.
            let message = message.replace(&format!("policy `{id}`"), &format!("rule `{}`", one.rule.id));
            found.push(at(source, one.offset + byte, severity, message, help.as_deref()));
        }
    };
    let help = |e: &dyn miette::Diagnostic| e.help().map(|h| h.to_string());
    for e in result.validation_errors() {
        put(e.policy_id(), pointed(e), Severity::Error, e.to_string(), help(e));
    }
    for w in result.validation_warnings() {
        put(w.policy_id(), pointed(w), Severity::Warning, w.to_string(), help(w));
    }
    // A rule that does not fit the schema matches nothing either, which the error says better.
    let wrong: HashSet<String> = result.validation_errors().map(|e| e.policy_id().to_string()).collect();
    let impossible = |(n, p): &(usize, &Parsed)| p.rule.kinds.is_empty() && !wrong.contains(&n.to_string());
    for (_, one) in parsed.iter().enumerate().filter(impossible) {
        found.extend(of(
            sources,
            one,
            Severity::Warning,
            format!("`{}` can never match: no action has such a resource", one.rule.id),
            "name the action and the resource type as the schema pairs them",
        ));
    }
}

fn delegation(sources: &Sources, parsed: &[Parsed], found: &mut Vec<Diagnostic>) {
    for one in parsed {
        if one.rule.layer != Layer::Repository || one.rule.effect != RuleEffect::Permit {
            continue;
        }
        let missing: Vec<&str> =
            one.rule.kinds.iter().filter(|k| !sources.delegates.contains(k)).map(|k| k.word()).collect();
        if !missing.is_empty() {
            let help = format!(
                "make it a `forbid`, or have the organisation delegate the kinds: `[delegates] kinds = [\"{}\"]`",
                missing.join("\", \"")
            );
            let message = format!(
                "`{}` permits {}, which is not the repository's to permit",
                one.rule.id,
                missing.join(", ")
            );
            found.extend(of(sources, one, Severity::Error, message, &help));
        }
    }
}

fn shadows(sources: &Sources, parsed: &[Parsed], found: &mut Vec<Diagnostic>) {
    let bare = |p: &Parsed| {
        p.form.get("conditions").and_then(Value::as_array).is_none_or(Vec::is_empty)
            && ["principal", "resource"].iter().all(|scope| {
                p.form.get(*scope).and_then(|s| s.get("op")).and_then(Value::as_str) == Some("All")
            })
    };
    for (n, one) in parsed.iter().enumerate() {
        let covering = parsed.iter().find(|other| {
            other.rule.effect == RuleEffect::Forbid
                && one.rule.effect == RuleEffect::Permit
                && !one.rule.kinds.is_empty()
                && bare(other)
                && one.rule.kinds.iter().all(|k| other.rule.kinds.contains(k))
        });
        if let Some(other) = covering {
            found.extend(of(
                sources,
                one,
                Severity::Warning,
                format!("`{}` never counts: `{}` forbids all of it", one.rule.id, other.rule.id),
                "remove one of the two",
            ));
        }
        let same = parsed.iter().take(n).find(|other| other.form == one.form);
        if let Some(other) = same {
            found.extend(of(
                sources,
                one,
                Severity::Warning,
                format!("`{}` says the same as `{}`", one.rule.id, other.rule.id),
                "remove one of the two",
            ));
        }
    }
}
