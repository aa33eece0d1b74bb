//! The shipped cases against the shipped policies.

use policy::{CaseFile, Policy, run_cases};
use std::path::Path;

fn run(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/cases").join(file);
    let cases = CaseFile::parse(file, &fs_err::read_to_string(path).unwrap()).unwrap();
    assert!(cases.cases.len() > 10, "{file} has too few cases to mean anything");
    let policy = Policy::preset(cases.preset).unwrap();
    let failures = run_cases(&cases, &policy, &|c| panic!("`{c}`: these cases are effects")).unwrap();
    let shown: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn floor() {
    run("floor.toml");
}
