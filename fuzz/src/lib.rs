//! What is fuzzed: whatever reads a text that a stranger may have written. No input may make any of it panic.

use model::{AbsPath, Action, AsWritten};
use programs::Table;
use std::sync::LazyLock;

/// A target: its name, which is also its folder of seeds, and what it does with an input.
pub const TARGETS: &[(&str, fn(&[u8]))] =
    &[("commands", commands), ("table", table), ("payload", payload), ("config", config), ("secrets_scan", secrets_scan)];

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

/// Secrets: whatever the bytes, findings lie in them in order, and what is hidden can be put back.
///
/// # Panics
/// When findings overlap or stand outside, or a text does not come back as it was.
pub fn secrets_scan(bytes: &[u8]) {
    let scanner = secrets::Scanner::new();
    let mut last = 0;
    for finding in scanner.scan(bytes) {
        let span = finding.span;
        assert!(last <= span.start && span.start < span.end && span.end <= bytes.len(), "a finding at {span:?}");
        last = span.end;
    }
    let key = secrets::Key::from_bytes([1; 32]);
    let mut vault = secrets::Vault::new();
    let Ok(shown) = secrets::redact(bytes, &scanner, &key, &mut vault, secrets::BUDGET) else { return };
    if secrets::placeholders(bytes).is_empty() {
        assert!(secrets::restore(&shown.text, &vault).text == bytes, "a text does not come back");
    }
    let mut redactor = secrets::Redactor::new(scanner, &key);
    let mut out = Vec::new();
    bytes.chunks(61).for_each(|piece| redactor.write(piece, &mut out, &mut vault));
    redactor.finish(&mut out, &mut vault);
}
