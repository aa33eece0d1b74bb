//! Secrets that a command refers to are uses of them, by the program that is given the reference.

use model::{AbsPath, Action, AsWritten};
use programs::Table;

/// `NAME PROGRAM HOST` of each use, in order.
fn uses(command: &str) -> Vec<String> {
    let root = AbsPath::root();
    let facts = AsWritten::new(root.join("w"), root.join("h"));
    let found = shell::analyse(command, &facts.workspace.clone(), &facts, &Table::builtin());
    let uses = found.effects.into_iter().filter_map(|e| match e.action {
        Action::UseSecret(s) => Some(format!("{} {} {}", s.name, s.program, s.host).trim_end().to_owned()),
        _ => None,
    });
    uses.collect()
}

#[test]
fn each_program_that_is_given_a_reference_uses_it() {
    for (command, expect) in [
        ("GITHUB_TOKEN=secret://github gh api /user", &["github gh"][..]),
        ("export A=secret://one; gh pr list && git status", &["one gh", "one git"]),
        ("A=secret://one; gh pr list", &[]),
        (
            "curl -H 'Authorization: Bearer secret://api' https://api.example.com/v1",
            &["api curl api.example.com"],
        ),
        ("curl -H \"X: secret://api\" https://a.example/ https://b.example/", &["api curl"]),
        ("env T=secret://api curl https://a.example/", &["api curl a.example"]),
        ("bash -c 'T=secret://api npm publish'", &["api npm"]),
        ("T=$(echo secret://api) /usr/bin/curl https://a.example/", &["api curl a.example"]),
        ("echo secret://api", &[]),
        ("gh api /user", &[]),
        ("gh api secret://", &[]),
    ] {
        let found = uses(command);
        assert_eq!(found, expect, "{command}");
    }
}
