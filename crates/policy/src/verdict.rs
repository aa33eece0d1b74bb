//! A verdict: what policy says of a call. Only this crate can make one.

use crate::Layer;
use model::{EffectKind, Needs, VerdictKind};

/// What policy says of one effect of the call, taken alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectResult {
    /// The effect's place in the call.
    pub index: usize,
    /// Its kind.
    pub effect: EffectKind,
    /// The verdict under which it would be permitted.
    pub kind: VerdictKind,
    /// Whether a snapshot is part of that.
    pub snapshot: bool,
    /// Whose consent is part of that.
    pub needs: Needs,
    /// The rule that decided.
    pub rule: String,
    /// Who made that rule.
    pub layer: Layer,
    /// Why, in the person's words.
    pub reason: String,
    /// The safer way, if the rule names one.
    pub instead: Option<String>,
}

/// What policy says of a call: proof that it was asked.
///
/// It cannot be made, copied or read from anywhere outside this crate, so whatever demands a `Verdict` cannot be
/// reached without policy.
#[derive(Debug)]
#[must_use = "a verdict that nobody looks at guards nothing"]
pub struct Verdict {
    pub(crate) kind: VerdictKind,
    pub(crate) snapshot: bool,
    pub(crate) contained: bool,
    pub(crate) needs: Needs,
    pub(crate) rule: String,
    pub(crate) layer: Layer,
    pub(crate) reason: String,
    pub(crate) instead: Option<String>,
    pub(crate) deciding: Option<usize>,
    pub(crate) effects: Vec<EffectResult>,
}

impl Verdict {
    /// Allow, contain, ask or deny.
    #[must_use]
    pub fn kind(&self) -> VerdictKind {
        self.kind
    }

    /// Whether what would be lost must be kept before the call runs (also after a consent).
    #[must_use]
    pub fn snapshot(&self) -> bool {
        self.snapshot
    }

    /// Whether the call must run in the sandbox (also after a consent).
    #[must_use]
    pub fn contained(&self) -> bool {
        self.contained
    }

    /// Whose consent the call needs; nobody's unless the kind is `ask`.
    #[must_use]
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// The `@id` of the rule that decided; `default-deny`, `no-effect`, or `grant:ID` where no rule did.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Who made that rule.
    #[must_use]
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// Why, in the person's words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The safer way, if the rule names one.
    #[must_use]
    pub fn instead(&self) -> Option<&str> {
        self.instead.as_deref()
    }

    /// The place of the effect that decided: the strictest one, the first among equals.
    #[must_use]
    pub fn deciding(&self) -> Option<usize> {
        self.deciding
    }

    /// What policy says of each effect alone, in the call's order.
    #[must_use]
    pub fn effects(&self) -> &[EffectResult] {
        &self.effects
    }
}
