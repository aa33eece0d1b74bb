//! When sources break, the last good ones stay in force whole: rules, configuration and programs.

use guard::{Roots, Settings};
use model::AbsPath;
use std::fs::{create_dir_all, write};

#[test]
fn broken_rules_do_not_take_the_organisations_programs_along() {
    let dir = tempfile::tempdir().unwrap();
    let at = |p: &str| dir.path().join(p);
    let roots =
        Roots { home: None, state: at("state"), config: at("config"), admin: at("no-admin"), program: None };
    let workspace = AbsPath::parse(at("work").to_str().unwrap()).unwrap();
    for made in ["config/policies", "config/programs", "work"] {
        create_dir_all(at(made)).unwrap();
    }
    let rule = "@id(\"reads\")\n@reason(\"reading is free\")\npermit (principal, action == Action::\"read\", resource);\n";
    write(at("config/policies/rules.cedar"), rule).unwrap();
    let program = "[corp-deploy]\nabout = \"rolls out\"\nsource = \"its own help\"\noperands = \"text*\"\n\
                   [[corp-deploy.cases]]\ncommand = \"corp-deploy shop\"\neffects = [\"run corp-deploy\"]\n";
    write(at("config/programs/corp.toml"), program).unwrap();
    let good = Settings::load(&roots, &workspace).unwrap();
    assert!(good.table.get("corp-deploy").is_some() && good.broken.is_none(), "{:?}", good.broken);

    write(at("config/policies/rules.cedar"), "permit (principal").unwrap();
    let kept = Settings::load(&roots, &workspace).unwrap();
    assert!(kept.broken.is_some());
    assert!(kept.table.get("corp-deploy").is_some(), "the organisation's programs are lost");
    assert_eq!(kept.version, good.version);

    // A broken file of programs leaves those that were good before.
    write(at("config/policies/rules.cedar"), rule).unwrap();
    write(at("config/programs/corp.toml"), "[corp-deploy\n").unwrap();
    let kept = Settings::load(&roots, &workspace).unwrap();
    assert!(kept.broken.is_some() && kept.table.get("corp-deploy").is_some());
    assert!(kept.table.get("corp-rollback").is_none());
}
