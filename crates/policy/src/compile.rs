//! From policy text to compiled policy: validated strictly, sorted into one shard an effect kind.

use crate::check::{Parsed, examine};
use crate::memory::Named;
use crate::{Layer, PolicyError, SCHEMA, Severity, Sources};
use cedar_policy::proto::traits::Protobuf;
use cedar_policy::{Policy, PolicyId, PolicySet};
use model::EffectKind;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Permit or forbid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleEffect {
    /// The rule permits.
    Permit,
    /// The rule forbids, and a forbid beats every permit.
    Forbid,
}

/// One rule, as listings and explanations show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its `@id`.
    pub id: String,
    /// Who made it.
    pub layer: Layer,
    /// The file it stands in.
    pub file: String,
    /// Its first line, from 1.
    pub line: usize,
    /// Whether it permits or forbids.
    pub effect: RuleEffect,
    /// The kinds of effects it speaks of.
    pub kinds: Vec<EffectKind>,
    /// Its `@reason`, with placeholders.
    pub reason: String,
    /// Its `@instead`, with placeholders.
    pub instead: Option<String>,
    /// Whether no concession can change its answer.
    pub unconditional: bool,
    /// Its Cedar text.
    pub text: String,
}

/// The part of a rule that a verdict needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Brief {
    pub(crate) id: String,
    pub(crate) layer: Layer,
    pub(crate) forbids: bool,
    pub(crate) unconditional: bool,
    pub(crate) reason: String,
    pub(crate) instead: Option<String>,
    /// The facts that its conditions name; `None` when it looks at more than single facts.
    pub(crate) names: Option<Vec<String>>,
}

/// The rules of one kind of effect. The Cedar policies are named by their place in `rules`.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) rules: Vec<Brief>,
    policies: OnceLock<PolicySet>,
    /// The policies in their stored form, until they are needed.
    stored: Vec<u8>,
    /// The facts that the rules name, gathered when an answer is first looked for in memory.
    names: OnceLock<Named>,
}

impl Shard {
    /// A shard whose policies are at hand.
    pub(crate) fn whole(rules: Vec<Brief>, policies: PolicySet) -> Self {
        Self { rules, policies: OnceLock::from(policies), stored: Vec::new(), names: OnceLock::new() }
    }

    /// A shard whose policies are decoded when they are needed; the caller has checked that the bytes are the ones
    /// that were encoded from validated policies.
    pub(crate) fn stored(rules: Vec<Brief>, stored: Vec<u8>) -> Self {
        Self { rules, policies: OnceLock::new(), stored, names: OnceLock::new() }
    }

    /// The policies.
    ///
    /// # Errors
    /// [`PolicyError::Request`] when their stored form cannot be decoded.
    pub(crate) fn policies(&self) -> Result<&PolicySet, PolicyError> {
        if let Some(policies) = self.policies.get() {
            return Ok(policies);
        }
        let decoded = PolicySet::decode_unchecked(self.stored.as_slice())
            .map_err(|e| PolicyError::Request(e.to_string()))?;
        Ok(self.policies.get_or_init(|| decoded))
    }

    /// The facts that its rules name.
    pub(crate) fn names(&self) -> &Named {
        self.names.get_or_init(|| {
            let none = Named::Only(BTreeSet::new());
            self.rules.iter().fold(none, |all, rule| match &rule.names {
                Some(names) => all.and(&Named::Only(names.iter().cloned().collect())),
                None => Named::All,
            })
        })
    }
}

/// Compiled policy: valid, and ready to judge or to be kept in a file.
#[derive(Debug)]
pub struct Compiled {
    pub(crate) key: [u8; 32],
    pub(crate) shards: Vec<Shard>,
    rules: Vec<Rule>,
}

/// Checks the sources and compiles them.
///
/// # Errors
/// [`PolicyError::Invalid`] with everything that [`crate::check`] calls an error.
pub fn compile(sources: &Sources) -> Result<Compiled, PolicyError> {
    let (parsed, diagnostics) = examine(sources);
    let errors: Vec<_> = diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect();
    if !errors.is_empty() {
        return Err(PolicyError::Invalid(errors));
    }
    let shards = EffectKind::ALL.into_iter().map(|kind| shard(kind, &parsed)).collect::<Result<_, _>>()?;
    Ok(Compiled { key: key(sources), shards, rules: parsed.into_iter().map(|p| p.rule).collect() })
}

/// The digest that names a compiled policy: all sources, what is delegated, the schema, and this program's version.
pub(crate) fn key(sources: &Sources) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(env!("CARGO_PKG_VERSION").as_bytes());
    part(&crate::snapshot::FORMAT.to_le_bytes());
    part(SCHEMA.as_bytes());
    for kind in &sources.delegates {
        part(kind.word().as_bytes());
    }
    for source in &sources.files {
        part(source.layer.word().as_bytes());
        part(source.file.as_bytes());
        part(source.text.as_bytes());
    }
    hash.finalize().into()
}

fn shard(kind: EffectKind, parsed: &[Parsed]) -> Result<Shard, PolicyError> {
    let encode = |e: &dyn std::fmt::Display| PolicyError::Encode(e.to_string());
    let mut rules = Vec::new();
    let mut policies = PolicySet::new();
    for one in parsed.iter().filter(|p| p.rule.kinds.contains(&kind)) {
        // Annotations are kept in `rules`; Cedar would parse the name of each again whenever a shard is read.
        let id = PolicyId::new(rules.len().to_string());
        let policy = Policy::from_json(Some(id), one.form.clone()).map_err(|e| encode(&e))?;
        policies.add(policy).map_err(|e| encode(&e))?;
        rules.push(Brief {
            id: one.rule.id.clone(),
            layer: one.rule.layer,
            forbids: one.rule.effect == RuleEffect::Forbid,
            unconditional: one.rule.unconditional,
            reason: one.rule.reason.clone(),
            instead: one.rule.instead.clone(),
            names: match Named::of(&one.form) {
                Named::All => None,
                Named::Only(names) => Some(names.into_iter().collect()),
            },
        });
    }
    // What the snapshot gives back must be what was compiled here, so the form is checked while it can be refused.
    policies.encode().map_err(|e| encode(&e))?;
    Ok(Shard::whole(rules, policies))
}

impl Compiled {
    /// Every rule, in the order of the sources.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The digest of the sources as lower-case hexadecimal text.
    #[must_use]
    pub fn digest(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.key)
    }

    /// How many rules speak of this kind of effect.
    #[must_use]
    pub fn count(&self, kind: EffectKind) -> usize {
        self.shards.get(index(kind)).map_or(0, |s| s.rules.len())
    }
}

impl Sources {
    /// The digest that a snapshot of these sources carries, as lower-case hexadecimal text.
    #[must_use]
    pub fn digest(&self) -> String {
        data_encoding::HEXLOWER.encode(&key(self))
    }
}

/// The place of a kind's shard.
pub(crate) fn index(kind: EffectKind) -> usize {
    EffectKind::ALL.iter().position(|k| *k == kind).unwrap_or(usize::MAX)
}
