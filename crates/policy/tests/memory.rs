//! Remembered answers are the answers that policy gives: for every shipped case, asked cold and asked again.

use model::{AbsPath, Action, AsWritten, Effect, Offers, PathTarget, path_facts};
use policy::{CaseEffects, CaseFile, Layer, Policy, Preset, Snapshot, Source, Sources, Subject, compile};

fn shown(verdict: &policy::Verdict) -> String {
    format!(
        "{} {} {} {:?} {}",
        verdict.kind(),
        verdict.rule(),
        verdict.reason(),
        verdict.needs(),
        verdict.snapshot()
    )
}

#[test]
fn what_is_remembered_is_what_would_be_answered() {
    let dir = tempfile::tempdir().unwrap();
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/cases");
    let mut compared = 0;
    for entry in std::fs::read_dir(cases).unwrap() {
        let path = entry.unwrap().path();
        let file = CaseFile::parse("cases", &std::fs::read_to_string(&path).unwrap()).unwrap();
        let at = dir.path().join(path.file_stem().unwrap());
        let compiled = compile(&Sources::preset(file.preset)).unwrap();
        compiled.write(&at).unwrap();
        let plain: Policy = compiled.into();
        // Three processes one after the other: the first asks Cedar, the others remember.
        for _ in 0..3 {
            let remembering =
                Policy::from(Snapshot::open(&at).unwrap()).remembering(&at.with_extension("answers"));
            for case in &file.cases {
                let CaseEffects::Effects(effects) = &case.call else { continue };
                let ask = |p: &Policy| {
                    shown(&p.judge(&case.subject, effects, case.offers, &case.groups, &[]).unwrap())
                };
                assert_eq!(ask(&remembering), ask(&plain), "{}", case.name);
                compared += 1;
            }
        }
        assert!(std::fs::metadata(at.with_extension("answers")).unwrap().len() > 0, "nothing was remembered");
    }
    assert!(compared > 300, "{compared}");
}

#[test]
fn a_rule_that_names_the_path_is_asked_for_each() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("policy");
    let rule = Source {
        layer: Layer::Organisation,
        file: "o.cedar".to_owned(),
        text: "@id(\"only-docs\") @reason(\"docs\") permit (principal, action == Action::\"read\", resource) when { context.path like \"/w/docs/*\" };"
            .to_owned(),
    };
    compile(&Sources::organisation(vec![rule])).unwrap().write(&at).unwrap();
    let facts = AsWritten::new(AbsPath::parse("/w").unwrap(), AbsPath::parse("/home/ann").unwrap());
    for _ in 0..2 {
        let policy = Policy::from(Snapshot::open(&at).unwrap()).remembering(&dir.path().join("answers"));
        let kind = |path: &str| {
            let target = PathTarget::Known(AbsPath::parse(path).unwrap());
            let effect = Effect::here(Action::Read(path_facts(&facts, target, false)), None);
            policy.judge(&Subject::default(), &[effect], Offers::default(), &[], &[]).unwrap().kind().word()
        };
        assert_eq!([kind("/w/docs/a"), kind("/w/src/a"), kind("/w/docs/b")], ["allow", "deny", "allow"]);
    }
}

#[test]
fn another_policy_has_other_answers() {
    let dir = tempfile::tempdir().unwrap();
    let answers = dir.path().join("answers");
    for preset in [Preset::Standard, Preset::Strict, Preset::Standard] {
        let at = dir.path().join("policy");
        let compiled = compile(&Sources::preset(preset)).unwrap();
        compiled.write(&at).unwrap();
        let plain: Policy = compiled.into();
        let remembering = Policy::from(Snapshot::open(&at).unwrap()).remembering(&answers);
        let file =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/cases/standard.toml");
        let file = CaseFile::parse("cases", &std::fs::read_to_string(file).unwrap()).unwrap();
        for case in &file.cases {
            let CaseEffects::Effects(effects) = &case.call else { continue };
            let ask =
                |p: &Policy| shown(&p.judge(&case.subject, effects, case.offers, &case.groups, &[]).unwrap());
            assert_eq!(ask(&remembering), ask(&plain), "{}", case.name);
        }
    }
}
