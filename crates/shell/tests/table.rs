//! Runs every example of the table of programs.

#![expect(clippy::unwrap_used, reason = "tests stop where something is wrong")]

use model::{AbsPath, Action, AsWritten, Effect};
use programs::{Case, Expect, Table};
use shell::analyse;

const WORKSPACE: &str = "/home/ann/app";

fn facts() -> AsWritten {
    AsWritten::new(AbsPath::parse(WORKSPACE).unwrap(), AbsPath::parse("/home/ann").unwrap())
}

/// Effects as the table's cases write them: paths relative to the working directory.
fn shown(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .map(|e| {
            let target = e.action.target();
            let target = target
                .replace(&format!("{WORKSPACE}/"), "")
                .replace(WORKSPACE, ".")
                .replace("/home/ann/", "../");
            let not = if e.understood() { "" } else { "?" };
            format!("{}{not} {target}", e.kind().word()).trim_end().to_owned()
        })
        .collect()
}

/// What is wrong with an example, if anything.
fn fails(table: &Table, case: &Case) -> Option<String> {
    let facts = facts();
    let analysis = analyse(&case.command, &facts.workspace, &facts, table);
    let got = shown(&analysis.effects);
    let whys: Vec<String> = analysis
        .effects
        .iter()
        .filter_map(|e| match &e.action {
            Action::Run(r) if !r.understood => r.why.clone(),
            _ => None,
        })
        .collect();
    let plain = |text: &str| text.trim_end_matches('/').replace("/./", "/");
    let has = |want: &String| got.iter().any(|g| plain(g) == plain(want));
    let problem = match &case.expect {
        Expect::Effects(want) => {
            let missing: Vec<&String> = want.iter().filter(|w| !has(w)).collect();
            let extra: Vec<&String> =
                got.iter().filter(|g| !want.iter().any(|w| plain(w) == plain(g))).collect();
            (!missing.is_empty() || !extra.is_empty())
                .then(|| format!("missing {missing:?}, too many {extra:?}"))
        }
        Expect::Includes(want) => {
            let missing: Vec<&String> = want.iter().filter(|w| !has(w)).collect();
            (!missing.is_empty()).then(|| format!("missing {missing:?}, got {got:?}"))
        }
        Expect::NotUnderstood(text) => (!whys.iter().any(|w| w.contains(text.as_str())))
            .then(|| format!("wanted `{text}` among {whys:?}, got {got:?}")),
    }?;
    let whys = if whys.is_empty() { String::new() } else { format!("\n      why: {}", whys.join("; ")) };
    Some(format!(
        "{}:{} {}\n   $ {}\n      {problem}{whys}",
        case.file, case.line, case.program, case.command
    ))
}

#[test]
fn every_example_holds() {
    let table = Table::builtin();
    let cases = table.cases();
    assert!(cases.len() > 50, "the table has only {} examples", cases.len());
    let failed: Vec<String> = cases.iter().filter_map(|c| fails(&table, c)).collect();
    assert!(failed.is_empty(), "{} of {} examples fail:\n{}", failed.len(), cases.len(), failed.join("\n"));
}
