//! Runs every example of the table of programs.

mod common;

use programs::Table;

#[test]
fn every_example_holds() {
    let table = Table::builtin();
    let cases = table.cases();
    assert!(cases.len() > 50, "the table has only {} examples", cases.len());
    let failed = common::failures(&table);
    assert!(failed.is_empty(), "{} of {} examples fail:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn every_form_has_an_example() {
    let missing = common::missing(&Table::builtin());
    assert!(missing.is_empty(), "{} programs lack examples:\n{}", missing.len(), missing.join("\n"));
}
