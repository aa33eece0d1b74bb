//! Runs examples of the table of programs.

use model::{AbsPath, Action, AsWritten, Effect};
use programs::{Case, Expect, Table, missing_forms};
use shell::analyse;

const WORKSPACE: &str = "/home/ann/app";

/// Facts of a workspace of which nothing is known.
fn facts() -> Option<AsWritten> {
    Some(AsWritten::new(AbsPath::parse(WORKSPACE).ok()?, AbsPath::parse("/home/ann").ok()?))
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
    let Some(facts) = facts() else { return Some("the workspace is no path".to_owned()) };
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

/// The examples that fail, each with what is wrong.
pub(crate) fn failures(table: &Table) -> Vec<String> {
    table.cases().iter().filter_map(|c| fails(table, c)).collect()
}

/// The programs that lack an example of a form which their entry describes.
pub(crate) fn missing(table: &Table) -> Vec<String> {
    let cases = table.cases();
    let mut programs: Vec<_> = table.names().iter().filter_map(|name| table.get(name)).collect();
    programs.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
    programs.dedup_by(|a, b| a.name == b.name);
    programs
        .iter()
        .filter_map(|program| {
            let forms: Vec<&str> = missing_forms(program, &cases).into_iter().map(|f| f.word()).collect();
            (!forms.is_empty()).then(|| {
                format!(
                    "{}: `{}` has no example of its form: {}",
                    program.file,
                    program.name,
                    forms.join(", ")
                )
            })
        })
        .collect()
}
