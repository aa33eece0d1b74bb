//! Checking, compiling, keeping and layering policies; grants.

use model::{Effect, EffectKind, Offers, VerdictKind};
use policy::{
    CaseEffects, CaseFile, Grant, GrantScope, Layer, Policy, PolicyError, Preset, Severity, Snapshot,
    SnapshotError, Source, Sources, Subject, Verdict, check, compile,
};
use std::error::Error;

type Tested = Result<(), Box<dyn Error>>;

fn one(layer: Layer, text: &str) -> Source {
    Source { layer, file: "x.cedar".to_owned(), text: text.to_owned() }
}

fn effect(table: &str) -> Result<Effect, Box<dyn Error>> {
    let text = format!("[[case]]\nname = \"x\"\neffects = [{table}]\nexpect = \"allow\"\n");
    let case = CaseFile::parse("x", &text)?.cases.pop().ok_or("no case")?;
    match case.call {
        CaseEffects::Effects(mut effects) => effects.pop().ok_or_else(|| "no effect".into()),
        CaseEffects::Command(_) => Err("a command".into()),
    }
}

fn subject() -> Subject {
    Subject { session: "s".to_owned(), sandbox: true, ..Subject::default() }
}

fn judge(policy: &Policy, effect: &Effect, grants: &[Grant]) -> Result<Verdict, PolicyError> {
    let all = Offers { snapshot: true, contain: true };
    policy.judge(&subject(), std::slice::from_ref(effect), all, &["production".to_owned()], grants)
}

fn found(sources: &Sources) -> Vec<String> {
    check(sources).iter().map(|d| format!("{:?} {d}", d.severity)).collect()
}

#[test]
fn the_presets_have_nothing_to_mend_and_few_rules_a_kind() -> Tested {
    for preset in [Preset::Standard, Preset::Strict] {
        let sources = Sources::preset(preset);
        assert_eq!(found(&sources), [] as [&str; 0]);
        let compiled = compile(&sources)?;
        for kind in EffectKind::ALL {
            assert!((1..=15).contains(&compiled.count(kind)), "`{}`: {}", kind.word(), compiled.count(kind));
        }
        for rule in compiled.rules() {
            assert!(rule.line > 1 && rule.text.contains(&rule.id) && !rule.kinds.is_empty());
            assert_eq!(rule.layer == Layer::Floor, rule.id.starts_with("floor-"));
            if rule.layer == Layer::Floor {
                assert!(rule.unconditional, "`{}` gives way to a concession", rule.id);
            }
        }
    }
    Ok(())
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let broken = |text: &str| found(&Sources::organisation(vec![one(Layer::Organisation, text)]));
    assert_eq!(
        broken("@id(\"a\")\n@reason(\"r\")\npermit (principal, action == Action::\"read\" resource);\n"),
        ["Error x.cedar:3:45: unexpected token `resource`"]
    );
    assert_eq!(
        broken(
            "@reason(\"r\")\npermit (principal, action == Action::\"tamper\", resource);\n\n@id(\"b\")\nforbid (principal, action, resource);"
        ),
        ["Error x.cedar:1:1: the rule has no `@id`", "Error x.cedar:4:1: the rule has no `@reason`"]
    );
    let typo = broken(
        "@id(\"a\")\n@reason(\"r\")\npermit (principal, action == Action::\"read\", resource)\nwhen { context.zome == \"x\" };",
    );
    assert!(typo.iter().all(|t| t.starts_with("Error x.cedar:4:8: ") && t.contains("rule `a`")), "{typo:?}");
    let action =
        broken("@id(\"a\")\n@reason(\"r\")\nforbid (principal, action == Action::\"raed\", resource);");
    assert!(action.iter().any(|t| t.starts_with("Error x.cedar:3:") && t.contains("raed")), "{action:?}");
    let twice =
        "@id(\"floor-tamper\")\n@reason(\"r\")\nforbid (principal, action == Action::\"read\", resource);";
    let twice = broken(twice);
    assert!(
        twice.iter().any(|t| t.starts_with(
            "Error x.cedar:1:1: `floor-tamper` is also the id of a rule at policies/floor/system.cedar:"
        )),
        "{twice:?}"
    );
}

#[test]
fn rules_that_never_count_are_shown() {
    let warned = |text: &str| found(&Sources::organisation(vec![one(Layer::Organisation, text)]));
    let rule = |id: &str, rest: &str| format!("@id(\"{id}\")\n@reason(\"r\")\n{rest}\n");
    let forbidden = warned(&rule("a", "permit (principal, action == Action::\"tamper\", resource);"));
    assert_eq!(forbidden, ["Warning x.cedar:1:1: `a` never counts: `floor-tamper` forbids all of it"]);
    let same = "permit (principal, action == Action::\"read\", resource) when { context.remote };";
    let same = warned(&(rule("a", same) + &rule("b", same)));
    assert_eq!(same, ["Warning x.cedar:4:1: `b` says the same as `a`"]);
    let never = warned(&rule("a", "permit (principal, action == Action::\"read\", resource is Host);"));
    assert!(never.iter().any(|t| t.contains("`a` can never match")), "{never:?}");
}

#[test]
fn a_repository_forbids_but_permits_only_what_is_delegated() -> Tested {
    let permit =
        "@id(\"mine\")\n@reason(\"ours\")\npermit (principal, action == Action::\"push\", resource);";
    let base = || Sources::preset(Preset::Standard);
    let refused = compile(&base().with_repository(vec![one(Layer::Repository, permit)], &[EffectKind::Run]));
    let Err(PolicyError::Invalid(errors)) = refused else { return Err("it was compiled".into()) };
    assert!(errors.iter().all(|e| e.severity == Severity::Error
        && e.help.as_deref().is_some_and(|h| h.contains("kinds = [\"push\"]"))));
    let push = effect("{ kind = \"push\" }")?;
    let granted: Policy =
        compile(&base().with_repository(vec![one(Layer::Repository, permit)], &[EffectKind::Push]))?.into();
    let verdict = judge(&granted, &push, &[])?;
    assert_eq!(
        (verdict.kind(), verdict.rule(), verdict.layer()),
        (VerdictKind::Allow, "mine", Layer::Repository)
    );
    let forbid = "@id(\"never\")\n@reason(\"not {target} from {agent}\")\n@instead(\"ask for {reference}\")\nforbid (principal, action == Action::\"push\", resource);";
    let forbidding: Policy =
        compile(&base().with_repository(vec![one(Layer::Repository, forbid)], &[]))?.into();
    let verdict = judge(&forbidding, &push, &[])?;
    assert_eq!((verdict.kind(), verdict.rule()), (VerdictKind::Deny, "never"));
    assert_eq!(verdict.reason(), "not origin work from {agent}");
    assert_eq!(verdict.instead(), Some("ask for work"));
    Ok(())
}

#[test]
fn a_snapshot_judges_as_its_sources() -> Tested {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("policy");
    let sources = Sources::preset(Preset::Standard);
    let compiled = compile(&sources)?;
    compiled.write(&path)?;
    let snapshot = Snapshot::open(&path)?;
    assert_eq!(snapshot.digest(), sources.digest());
    let (kept, fresh) = (Policy::from(snapshot), Policy::from(compiled));
    for text in [
        include_str!("../../../policies/cases/floor.toml"),
        include_str!("../../../policies/cases/standard.toml"),
    ] {
        for case in CaseFile::parse("cases", text)?.cases {
            let CaseEffects::Effects(effects) = &case.call else { continue };
            let ask = |p: &Policy| p.judge(&case.subject, effects, case.offers, &case.groups, &[]);
            assert_eq!(format!("{:?}", ask(&kept)?), format!("{:?}", ask(&fresh)?), "{}", case.name);
        }
    }
    Ok(())
}

#[test]
fn other_sources_have_another_digest() {
    let base = Sources::preset(Preset::Standard);
    let mut changed = base.clone();
    if let Some(first) = changed.files.first_mut() {
        first.text.push(' ');
    }
    assert_ne!(base.digest(), changed.digest());
    assert_ne!(base.digest(), base.clone().with_repository(Vec::new(), &[EffectKind::Run]).digest());
    assert_ne!(base.digest(), Sources::preset(Preset::Strict).digest());
}

#[test]
fn a_damaged_snapshot_is_refused() -> Tested {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("policy");
    let bytes = compile(&Sources::preset(Preset::Standard))?.bytes()?;
    let open = |bytes: &[u8]| -> Result<Result<Snapshot, SnapshotError>, std::io::Error> {
        fs_err::write(&path, bytes)?;
        Ok(Snapshot::open(&path))
    };
    assert!(matches!(Snapshot::open(&dir.path().join("none")), Err(SnapshotError::Io(_))));
    assert!(matches!(open(b"hello")?, Err(SnapshotError::NotASnapshot(_))));
    assert!(matches!(open(bytes.get(..100).ok_or("short")?)?, Err(SnapshotError::Damaged { .. })));
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1);
        bytes
    };
    assert!(matches!(open(&changed(8))?, Err(SnapshotError::Version { expected: 2, .. })));
    assert!(matches!(open(&changed(60))?, Err(SnapshotError::Damaged { .. })));
    // The last byte belongs to the last kind: others are still judged, that one is refused.
    let policy = Policy::from(open(&changed(bytes.len() - 1))??);
    assert!(judge(&policy, &effect("{ kind = \"read\" }")?, &[]).is_ok());
    let refused = judge(&policy, &effect("{ kind = \"tamper\" }")?, &[]);
    assert!(matches!(refused, Err(PolicyError::Snapshot(SnapshotError::Damaged { .. }))));
    Ok(())
}

#[test]
fn a_grant_stands_for_an_approval_and_for_nothing_else() -> Tested {
    let policy = Policy::preset(Preset::Standard)?;
    let push = effect("{ kind = \"push\" }")?;
    let grant = |effect: &Effect, scope: GrantScope, approver: &str| Grant {
        id: "g1".to_owned(),
        action: effect.action.clone(),
        remote: None,
        scope,
        approvers: vec![approver.to_owned()],
        until: 10,
    };
    let exact = grant(&push, GrantScope::Exact, "developer");
    let verdict = judge(&policy, &push, std::slice::from_ref(&exact))?;
    assert_eq!(
        (verdict.kind(), verdict.rule(), verdict.layer()),
        (VerdictKind::Allow, "grant:g1", Layer::Grant)
    );
    assert!(verdict.needs().approvers.is_empty());
    let asks = |table: &str, grant: &Grant| -> Result<VerdictKind, Box<dyn Error>> {
        Ok(judge(&policy, &effect(table)?, std::slice::from_ref(grant))?.kind())
    };
    assert_eq!(asks("{ kind = \"push\", force = true }", &exact)?, VerdictKind::Ask);
    assert_eq!(asks("{ kind = \"push\", reference = \"other\" }", &exact)?, VerdictKind::Ask);
    assert_eq!(asks("{ kind = \"push\"}", &Grant { until: 0, ..exact.clone() })?, VerdictKind::Ask);
    let elsewhere = "{ kind = \"push\", remote = { name = \"web1\", environment = \"non_production\" } }";
    assert_eq!(asks(elsewhere, &exact)?, VerdictKind::Ask);

    let template = grant(&push, GrantScope::Template("origin work*".to_owned()), "developer");
    assert_eq!(asks("{ kind = \"push\", reference = \"work-2\" }", &template)?, VerdictKind::Allow);
    assert_eq!(asks("{ kind = \"push\", reference = \"else\" }", &template)?, VerdictKind::Ask);
    assert_eq!(
        asks("{ kind = \"push\", reference = \"work-2\", force = true }", &template)?,
        VerdictKind::Ask
    );
    let exposed = Subject { untrusted_seen: true, sensitive_read: true, ..subject() };
    let offers = Offers::default();
    let verdict =
        policy.judge(&exposed, std::slice::from_ref(&push), offers, &[], std::slice::from_ref(&template))?;
    assert_eq!(verdict.kind(), VerdictKind::Ask);

    let run =
        effect("{ kind = \"run\", program = \"python3\", understood = false, origin = \"downloaded\" }")?;
    let again = judge(&policy, &run, &[grant(&run, GrantScope::Exact, "developer")])?;
    assert_eq!((again.kind(), again.rule()), (VerdictKind::Ask, "run-downloaded"));

    let production = effect("{ kind = \"operate\", verb = \"write\", environment = \"production\" }")?;
    let by = |who: &str| judge(&policy, &production, &[grant(&production, GrantScope::Exact, who)]);
    assert_eq!(by("developer")?.kind(), VerdictKind::Ask);
    assert_eq!(by("production")?.kind(), VerdictKind::Allow);
    let root = effect(
        "{ kind = \"delete\", target = \"/\", zone = \"system\", vital = \"root\", recursive = true }",
    )?;
    let verdict = judge(&policy, &root, &[grant(&root, GrantScope::Exact, "developer")])?;
    assert_eq!((verdict.kind(), verdict.rule()), (VerdictKind::Deny, "floor-vital-delete"));
    Ok(())
}

#[test]
fn no_effects_are_allowed_and_results_are_kept_apart() -> Tested {
    let policy = Policy::preset(Preset::Standard)?;
    let none = policy.judge(&subject(), &[], Offers::default(), &[], &[])?;
    assert_eq!((none.kind(), none.rule(), none.deciding()), (VerdictKind::Allow, "no-effect", None));
    let effects =
        [effect("{ kind = \"read\" }")?, effect("{ kind = \"push\" }")?, effect("{ kind = \"read\" }")?];
    let verdict = policy.judge(&subject(), &effects, Offers::default(), &[], &[])?;
    let kinds: Vec<VerdictKind> = verdict.effects().iter().map(|e| e.kind).collect();
    assert_eq!(kinds, [VerdictKind::Allow, VerdictKind::Ask, VerdictKind::Allow]);
    assert_eq!((verdict.deciding(), verdict.rule()), (Some(1), "push-asks"));
    let (deny, kind) = (Sources::organisation(Vec::new()), effect("{ kind = \"read\" }")?);
    let verdict = judge(&compile(&deny)?.into(), &kind, &[])?;
    assert_eq!(
        (verdict.kind(), verdict.rule(), verdict.layer()),
        (VerdictKind::Deny, "default-deny", Layer::BuiltIn)
    );
    Ok(())
}
