//! What must hold of every call: more rules, more effects and fewer concessions never make a verdict laxer.

use model::{Effect, EffectKind, Offers};
use policy::{CaseEffects, CaseFile, Layer, Policy, Preset, Source, Sources, Subject, compile};
use proptest::prelude::*;
use std::sync::LazyLock;

const CASES: [&str; 3] = [
    include_str!("../../../policies/cases/floor.toml"),
    include_str!("../../../policies/cases/standard.toml"),
    include_str!("../../../policies/cases/strict.toml"),
];

/// Every effect of the shipped cases.
static POOL: LazyLock<Vec<Effect>> = LazyLock::new(|| {
    CASES
        .iter()
        .filter_map(|text| CaseFile::parse("cases", text).ok())
        .flat_map(|file| file.cases)
        .flat_map(|case| match case.call {
            CaseEffects::Effects(effects) => effects,
            CaseEffects::Command(_) => Vec::new(),
        })
        .collect()
});

const FORBIDS: [&str; 5] = [
    "forbid (principal, action, resource) when { context.remote };",
    "forbid (principal, action == Action::\"delete\", resource) unless { context.reversible };",
    "forbid (principal, action == Action::\"run\", resource) unless { context.contained };",
    "forbid (principal, action, resource) when { context.untrusted_seen } unless { context.approvals >= 1 };",
    "forbid (principal, action in [Action::\"push\", Action::\"rewrite\"], resource) unless { context.approvals >= 2 };",
];

static PLAIN: LazyLock<Option<Policy>> = LazyLock::new(|| Policy::preset(Preset::Standard).ok());
static STRICT: LazyLock<Option<Policy>> = LazyLock::new(|| Policy::preset(Preset::Strict).ok());
static FORBIDDEN: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    FORBIDS
        .iter()
        .filter_map(|forbid| {
            let text = format!("@id(\"more\")\n@reason(\"more\")\n{forbid}");
            let source = Source { layer: Layer::Repository, file: "more.cedar".to_owned(), text };
            compile(&Sources::preset(Preset::Standard).with_repository(vec![source], &[]))
                .ok()
                .map(Policy::from)
        })
        .collect()
});

fn effects() -> impl Strategy<Value = Vec<Effect>> {
    prop::collection::vec(any::<prop::sample::Index>(), 1..5)
        .prop_map(|at| at.iter().map(|i| i.get(&POOL).clone()).collect())
}

fn subject() -> impl Strategy<Value = Subject> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(sandbox, untrusted_seen, sensitive_read)| {
        Subject { session: "s".to_owned(), sandbox, untrusted_seen, sensitive_read, ..Subject::default() }
    })
}

fn offers() -> impl Strategy<Value = Offers> {
    (any::<bool>(), any::<bool>()).prop_map(|(snapshot, contain)| Offers { snapshot, contain })
}

fn rank(policy: Option<&Policy>, subject: &Subject, effects: &[Effect], offers: Offers) -> (u8, u8) {
    let groups = ["production".to_owned()];
    let verdict = policy.and_then(|p| p.judge(subject, effects, offers, &groups, &[]).ok());
    // Policy that is missing or cannot answer would fail every property at once.
    verdict.map_or((u8::MAX, u8::MAX), |v| (v.kind() as u8, v.needs().approvals))
}

#[test]
fn the_pool_and_the_policies_are_there() {
    assert!(POOL.len() > 120 && FORBIDDEN.len() == FORBIDS.len() && PLAIN.is_some() && STRICT.is_some());
    for kind in EffectKind::ALL {
        assert!(POOL.iter().any(|e| e.kind() == kind), "no case for `{}`", kind.word());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_forbid_never_loosens(e in effects(), s in subject(), o in offers(), which in 0..FORBIDS.len()) {
        prop_assert!(rank(FORBIDDEN.get(which), &s, &e, o) >= rank(PLAIN.as_ref(), &s, &e, o));
    }

    #[test]
    fn strict_is_never_laxer(e in effects(), s in subject(), o in offers()) {
        prop_assert!(rank(STRICT.as_ref(), &s, &e, o) >= rank(PLAIN.as_ref(), &s, &e, o));
    }

    #[test]
    fn an_effect_never_loosens(e in effects(), more in effects(), s in subject(), o in offers()) {
        let both: Vec<Effect> = e.iter().chain(&more).cloned().collect();
        prop_assert!(rank(PLAIN.as_ref(), &s, &both, o) >= rank(PLAIN.as_ref(), &s, &e, o));
    }

    #[test]
    fn an_offer_never_makes_stricter(e in effects(), s in subject(), o in offers()) {
        let all = Offers { snapshot: true, contain: true };
        let (less, more) = (rank(PLAIN.as_ref(), &s, &e, o), rank(PLAIN.as_ref(), &s, &e, all));
        prop_assert!(more <= less);
        prop_assert!(rank(PLAIN.as_ref(), &s, &e, o) <= rank(PLAIN.as_ref(), &s, &e, Offers::default()));
    }

    #[test]
    fn the_order_of_effects_does_not_matter(e in effects(), s in subject(), o in offers()) {
        let back: Vec<Effect> = e.iter().rev().cloned().collect();
        prop_assert_eq!(rank(PLAIN.as_ref(), &s, &e, o), rank(PLAIN.as_ref(), &s, &back, o));
    }
}
