//! The examples of docs/policy.md do what the page says.

use policy::{CaseFile, Layer, Policy, Preset, Source, Sources, check, run_cases};
use std::error::Error;

const PAGE: &str = include_str!("../../../docs/policy.md");

fn blocks(language: &str) -> Vec<&'static str> {
    PAGE.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

#[test]
fn the_rules_are_valid() {
    let rules = blocks("cedar");
    assert!(!rules.is_empty());
    for text in rules {
        let source = Source { layer: Layer::Repository, file: "docs".to_owned(), text: text.to_owned() };
        let sources = Sources::preset(Preset::Standard).with_repository(vec![source], &[]);
        assert_eq!(check(&sources), []);
    }
}

#[test]
fn the_cases_hold() -> Result<(), Box<dyn Error>> {
    let cases = blocks("toml");
    assert!(!cases.is_empty());
    for text in cases {
        let file = CaseFile::parse("docs/policy.md", text)?;
        assert_eq!(run_cases(&file, &Policy::preset(file.preset)?, &|_| Vec::new())?, []);
    }
    Ok(())
}

#[test]
fn every_kind_is_in_the_table() {
    for kind in model::EffectKind::ALL {
        assert!(PAGE.contains(&format!("`{}`", kind.word())), "`{}` is missing", kind.word());
    }
}
