//! How commands are read: cases from a file, properties, and bash itself as the judge of spelling.

#![expect(clippy::unwrap_used, reason = "tests stop where something is wrong")]

use model::{AbsPath, Action, AsWritten};
use programs::Table;
use proptest::prelude::*;
use shell::{Analysis, analyse, commands};
use std::process::Command;
use std::time::{Duration, Instant};

fn analysed(command: &str) -> Analysis {
    let path = |t: &str| AbsPath::parse(t).unwrap();
    let facts = AsWritten::new(path("/work"), path("/home"));
    analyse(command, &path("/work"), &facts, &Table::builtin())
}

/// Explanations of what is not understood.
fn whys(command: &str) -> Vec<String> {
    analysed(command)
        .effects
        .into_iter()
        .filter_map(|e| match e.action {
            Action::Run(run) if !run.understood => run.why,
            _ => None,
        })
        .collect()
}

fn bash(script: &str, check: bool) -> std::process::Output {
    let mut command = Command::new("bash");
    command.env_clear().args(["--norc", "--noprofile"]);
    if check {
        command.arg("-n");
    }
    command.args(["-c", script]).output().unwrap()
}

#[test]
fn cases() {
    let text = include_str!("cases/reading.txt");
    let mut failures = String::new();
    let mut count = 0;
    let mut lines = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).peekable();
    while let Some(line) = lines.next() {
        let command = line.strip_prefix("$ ").unwrap().replace("\\n", "\n").replace("\\t", "\t");
        let mut expected = Vec::new();
        while let Some(line) = lines.next_if(|l| !l.starts_with("$ ")) {
            expected.push(line.to_owned());
        }
        count += 1;
        if let Some(why) = expected.first().and_then(|e| e.strip_prefix("! ")) {
            let found = whys(&command);
            if !found.iter().any(|w| w.contains(why)) {
                failures += &format!("{command}\n  expected: {why}\n  found: {found:?}\n");
            }
            continue;
        }
        let found: Vec<String> = commands(&command).iter().map(|words| words.join(" | ")).collect();
        if found != expected {
            failures +=
                &format!("{command}\n  expected: {expected:#?}\n  found: {found:#?} {:?}\n", whys(&command));
        }
        assert!(bash(&command, true).status.success(), "bash does not read: {command}");
    }
    assert!(count > 60, "only {count} cases were found");
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn padding_is_refused_quickly() {
    for (text, why) in [
        (format!("echo {}; rm -rf /", "a".repeat(1_000_000)), "too long"),
        (format!("{}rm -rf /", "true && ".repeat(3_000)), "too long"),
        (format!("{}rm{}", "$(echo ".repeat(300), ")".repeat(300)), "too deep"),
        (format!("{}rm{}", "{ ".repeat(300), "; }".repeat(300)), "too deep"),
        (format!("{}x{}", "${a:-".repeat(300), "}".repeat(300)), "too deep"),
        (format!("echo \"{}", "$(\"".repeat(3_000)), "too deep"),
    ] {
        let begin = Instant::now();
        let found = whys(&text);
        // Debug builds are slow; the limit is a bound on growth, not a benchmark.
        assert!(begin.elapsed() < Duration::from_millis(1_500), "{why}: {:?}", begin.elapsed());
        assert!(matches!(found.as_slice(), [w] if w.contains(why)), "{why}: {found:?}");
    }
}

#[test]
fn loops_end_at_the_budget() {
    let text = "for a in {1..20}; do for b in {1..20}; do for c in {1..20}; do echo; done; done; done";
    let begin = Instant::now();
    assert!(whys(text).iter().any(|w| w.contains("too long")));
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(whys("f() { f; f; }; f").iter().any(|w| w.contains("too deep") || w.contains("too long")));
}

#[test]
fn hidden_characters_are_shown() {
    let found = analysed("echo a\u{200b}b \u{202e}c");
    assert_eq!(found.warnings.len(), 2, "{:?}", found.warnings);
    assert_eq!(found.canonical.as_deref(), Some("echo a\\u{200b}b \\u{202e}c"));
}

#[test]
fn spelling_does_not_matter() {
    let canonical = |c: &str| analysed(c).canonical;
    let plain = canonical("rm -rf x y");
    assert!(plain.is_some());
    for other in ["rm   -rf 'x' \"y\"", "rm -rf \\\n x y", "'rm' \"-rf\" $'x' y # done"] {
        assert_eq!(canonical(other), plain, "{other}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        // The same texts at every run: new ones are the fuzzing driver's to find.
        rng_seed: proptest::test_runner::RngSeed::Fixed(20_261_122),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,60}") {
        let _ = analysed(&text);
    }

    #[test]
    fn any_shell_like_text_is_answered(
        parts in proptest::collection::vec(prop::sample::select(vec![
            "echo ", "$(", ")", "`", "\"", "'", "${x", "}", "{ ", ";", "\n", "<<A", "A\n", "((", "))", "[[ ", " ]]", "|",
            "&&", "if ", "then ", "fi", "for x in ", "do ", "done", "case x in ", "esac", "a) ", ";;", "<(", ">f", "\\",
            "x=", "x=(", "$x", "!", "#", "é", "*", "[", "]", "~", "f() ", "$((", "{a,b}", ":-", "%%", "/", "@P", "=~ ", " ",
        ]), 0..14)
    ) {
        let text = parts.concat();
        let found = analysed(&text);
        // What is read must be bash: the other way round it may be refused.
        if found.canonical.is_some() {
            prop_assert!(bash(&text, true).status.success(), "bash does not read {text:?}");
        }
    }

    /// Words that run nothing: bash's own `printf` says how it splits and unquotes them.
    #[test]
    fn bash_agrees_on_words(
        words in proptest::collection::vec(proptest::collection::vec(prop::sample::select(vec![
            "a", "b", "'", "\"", "\\", " ", "\\'", "\\\"", "'x y'", "\"x y\"", "$'\\n\\x41'", "{1,2}", "{1..3}", "{", "}", ",",
            "\"a'b\"", "'a\"b'", "\\\\", "#", "=", "-", "$V", "\"$V\"", "${V%c}", "${V:-d}", "${W-d}", "\t",
        ]), 0..6), 1..4)
    ) {
        let words: Vec<String> = words.iter().map(|w| w.concat()).collect();
        let text = format!("V='v w c'; W=; unset W; printf '%s\\0' start {}", words.join(" "));
        let listed = commands(&text);
        if let Some(last) = listed.last().filter(|c| {
            // Quoted braces among others are an unknown word to us, listed as written.
            // A variable that is not set here (`$Vab`) is unknown to us, and empty to that bash.
            c.first().is_some_and(|w| w == "printf") && !c.iter().any(|w| w.contains('$') || (w.contains('{') && w.contains(['\\', '\'', '"'])))
        }) {
            let output = bash(&text, false);
            prop_assert!(output.status.success(), "bash does not run {text:?}");
            let theirs: Vec<String> = String::from_utf8(output.stdout).unwrap()
                .split_terminator('\0').map(str::to_owned).collect();
            prop_assert_eq!(&last[2..], theirs.as_slice(), "{}", text);
        }
    }
}
