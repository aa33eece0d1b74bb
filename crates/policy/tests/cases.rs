//! The shipped cases against the shipped policies.

use policy::{CaseEffects, CaseFile, Policy, run_cases};
use std::error::Error;
use std::path::Path;

fn run(file: &str) -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/cases").join(file);
    let cases = CaseFile::parse(file, &fs_err::read_to_string(path)?)?;
    assert!(cases.cases.len() > 10, "{file} has too few cases to mean anything");
    assert!(cases.cases.iter().all(|c| matches!(c.call, CaseEffects::Effects(_))), "{file} holds a command");
    let policy = Policy::preset(cases.preset)?;
    let failures = run_cases(&cases, &policy, &|_| Vec::new())?;
    let shown: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    Ok(())
}

#[test]
fn floor() -> Result<(), Box<dyn Error>> {
    run("floor.toml")
}

#[test]
fn standard() -> Result<(), Box<dyn Error>> {
    run("standard.toml")
}

#[test]
fn strict() -> Result<(), Box<dyn Error>> {
    run("strict.toml")
}
