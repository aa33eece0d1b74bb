//! What is fuzzed: whatever reads a text that a stranger may have written. No input may make any of it panic.

use model::{AbsPath, Action, AsWritten};
use programs::Table;
use std::sync::LazyLock;

/// A target: its name, which is also its folder of seeds, and what it does with an input.
pub const TARGETS: &[(&str, fn(&[u8]))] =
    &[("commands", commands), ("table", table), ("payload", payload), ("config", config)];

static TABLE: LazyLock<Table> = LazyLock::new(Table::builtin);

static FACTS: LazyLock<AsWritten> = LazyLock::new(|| {
    let root = AbsPath::root();
    AsWritten::new(root.join("work"), root.join("home"))
});

/// Shell commands: understanding never fails, and what cannot be read is one effect that is not understood.
///
/// # Panics
/// When a command that cannot be read has no such effect, or an effect stands outside the command.
pub fn commands(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let analysis = shell::analyse(&text, &FACTS.workspace, &*FACTS, &TABLE);
    let opaque = |e: &model::Effect| matches!(&e.action, Action::Run(run) if !run.understood);
    assert!(analysis.canonical.is_some() || analysis.effects.iter().any(opaque), "neither read nor refused");
    for span in analysis.effects.iter().filter_map(|e| e.span) {
        let (from, to) = (span.from as usize, span.to as usize);
        assert!(from <= to && to <= text.len(), "an effect stands outside the command: {from}..{to}");
    }
    assert!(
        analysis.canonical.is_some() || shell::commands(&text).is_empty(),
        "commands of what is not read"
    );
}

/// Files of the table: every one is taken whole, or refused with the place of each fault.
///
/// # Panics
/// When a fault has no place.
pub fn table(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    for fault in programs::check(&[("extra.toml".to_owned(), text)]) {
        assert!(fault.line > 0 && !fault.message.is_empty(), "a fault without a place: {fault}");
    }
}

/// What an agent writes to its hook: read, or refused with a reason.
///
/// # Panics
/// When a refusal gives no reason.
pub fn payload(bytes: &[u8]) {
    if let Err(error) = agents::claude_code::parse(bytes) {
        assert!(!error.to_string().is_empty(), "refused without a reason");
    }
}

/// An organisation's settings: read, or refused with a place.
///
/// # Panics
/// When a refusal has no place.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = policy::Config::parse("ambit.toml", &text) {
        assert!(error.line > 0 && !error.message.is_empty(), "refused without a place: {error}");
    }
}
