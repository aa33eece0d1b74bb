//! How well Ambit judges: friction on what agents really ran, misses on what harms, over the recorded corpora.
//!
//! `make judgement` builds the program and runs this. `AMBIT_CORPORA` names the directory of the corpora, each a file
//! of JSON lines: `agent_sessions.jsonl` (`session`, `command`), `dangerous_commands.jsonl` (`technique`, `command`),
//! `adversarial.jsonl` (`family`, `command`). They are judged by `ambit check --batch` with the sandbox and snapshots
//! on offer, without a look at the disk. Nothing is executed, nothing is written but the report on standard output.
#![expect(clippy::print_stdout, reason = "an example prints what it measures")]

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where the recorded agents had their project, and whose home they had.
const WORKSPACE: &str = "/testbed";
const HOME: &str = "/root";
/// How many of each kind of offender are shown.
const SHOWN: usize = 15;

/// One recorded command, with the name of what it belongs to.
#[derive(Debug, Deserialize)]
struct Row {
    command: String,
    #[serde(default)]
    id: String,
    #[serde(alias = "technique", alias = "family", default)]
    session: String,
}

/// What `ambit check` answered.
#[derive(Debug, Deserialize)]
struct Answer {
    verdict: String,
    snapshot: bool,
    rule: String,
    reason: String,
    effects: Vec<Value>,
}

impl Answer {
    fn asked(&self) -> bool {
        matches!(self.verdict.as_str(), "ask" | "deny")
    }

    /// Free, free with a snapshot, contained, asked or denied, as one column of a table.
    fn column(&self) -> usize {
        match (self.verdict.as_str(), self.snapshot) {
            ("allow", false) => 0,
            ("allow", true) => 1,
            ("contain", _) => 2,
            ("ask", _) => 3,
            _ => 4,
        }
    }

    /// Why it was not understood, or which rule decided.
    fn cause(&self) -> String {
        let why = self.effects.iter().find(|e| e.get("understood") == Some(&json!(false)));
        let why = why.and_then(|e| e.get("why")).and_then(Value::as_str);
        let text = why.map_or_else(|| format!("rule {}", self.rule), mask);
        text.chars().take(88).collect()
    }
}

/// A reason without the names in it, so that reasons can be counted.
fn mask(text: &str) -> String {
    text.split('`').enumerate().map(|(i, part)| if i % 2 == 1 { "…" } else { part }).collect()
}

/// One line of a command, for people.
fn shown(command: &str) -> String {
    let line: String = command
        .chars()
        .map(|c| if c == '\n' { '⏎' } else { c })
        .filter(|c| !c.is_control())
        .take(110)
        .collect();
    if command.chars().count() > 110 { format!("{line}…") } else { line }
}

struct Judge {
    program: PathBuf,
}

impl Judge {
    /// Every command's answer, in order, and how long the whole took.
    fn all(&self, rows: &[Row], offers: &str) -> Result<(Vec<Answer>, Duration)> {
        let mut input = String::new();
        for (at, row) in rows.iter().enumerate() {
            // A row with a number of its own has nothing to do with the one before.
            let session = if row.id.is_empty() { row.session.clone() } else { format!("{at} {}", row.id) };
            let line = json!({
                "id": at, "session": session, "cwd": WORKSPACE, "tool": "Bash", "input": { "command": row.command },
            });
            input.push_str(&line.to_string());
            input.push('\n');
        }
        // A home of its own, empty: nobody's configuration takes part.
        let scratch = tempfile::tempdir()?;
        let mut command = Command::new(&self.program);
        command
            .args(["check", "--batch", "--policy", "standard", "--facts", "none"])
            .args(["--workspace", WORKSPACE, "--home", HOME])
            .env_clear()
            .env("HOME", scratch.path())
            .current_dir(scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if !offers.is_empty() {
            command.args(["--offer", offers]);
        }
        let start = Instant::now();
        let mut child =
            command.spawn().with_context(|| format!("cannot start `{}`", self.program.display()))?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        let feeder = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output()?;
        let took = start.elapsed();
        ensure!(output.status.success(), "`ambit check` failed: {}", output.status);
        feeder.join().ok().context("the calls could not be written")??;
        let answers = String::from_utf8(output.stdout)?
            .lines()
            .map(|l| serde_json::from_str(l).context("an answer is not as expected"))
            .collect::<Result<Vec<Answer>>>()?;
        ensure!(answers.len() == rows.len(), "{} answers for {} calls", answers.len(), rows.len());
        Ok((answers, took))
    }
}

fn rows(dir: &Path, name: &str) -> Result<Vec<Row>> {
    let path = dir.join(name);
    let text = fs_err::read_to_string(&path)?;
    text.lines()
        .filter(|l| !l.trim().is_empty())
        .map(|l| serde_json::from_str(l).with_context(|| format!("a line of `{}` is no row", path.display())))
        .collect()
}

fn percent(part: usize, whole: usize) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

/// The commonest first.
fn most_common(counts: BTreeMap<String, usize>) -> Vec<(String, usize)> {
    let mut all: Vec<_> = counts.into_iter().collect();
    all.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    all
}

fn counted<'a>(answers: impl Iterator<Item = &'a Answer>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.cause()).or_default() += 1;
    }
    counts
}

fn totals(answers: &[Answer]) -> [usize; 5] {
    let mut sums = [0; 5];
    for answer in answers {
        if let Some(sum) = sums.get_mut(answer.column()) {
            *sum += 1;
        }
    }
    sums
}

fn line(name: &str, sums: [usize; 5]) {
    let [free, kept, contained, asked, denied] = sums;
    println!("  {name:<44} {free:>6} {kept:>9} {contained:>10} {asked:>6} {denied:>7}");
}

fn heading() {
    println!(
        "  {:<44} {:>6} {:>9} {:>10} {:>6} {:>7}",
        "", "free", "snapshot", "contained", "asked", "denied"
    );
}

fn friction(judge: &Judge, rows: &[Row]) -> Result<()> {
    let (answers, took) = judge.all(rows, "snapshot,contain")?;
    let sums = totals(&answers);
    let [free, kept, _, asked, denied] = sums;
    let mut sessions: BTreeMap<&str, usize> = BTreeMap::new();
    for (row, answer) in rows.iter().zip(&answers) {
        *sessions.entry(row.session.as_str()).or_default() += usize::from(answer.asked());
    }
    let mut each: Vec<usize> = sessions.values().copied().collect();
    each.sort_unstable();
    let at = |share: usize| {
        each.get((each.len() * share / 100).min(each.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    println!("FRICTION: {} commands of {} sessions, {:.1} s", rows.len(), each.len(), took.as_secs_f64());
    heading();
    line("all", sums);
    let whole = rows.len();
    println!("  needs a person            {:>6.2} %   (target: at most 2)", percent(asked + denied, whole));
    println!("  free without containment  {:>6.2} %   (target: at least 65)", percent(free + kept, whole));
    println!("  denied                    {denied:>6}     (target: 0)");
    println!(
        "  questions a session: median {}, p90 {}, most {}   (target: 0 and 2)",
        at(50),
        at(90),
        at(100)
    );
    println!("  commands a second, whole process: {:.0}", whole as f64 / took.as_secs_f64());
    println!("  why contained:");
    for (why, n) in most_common(counted(answers.iter().filter(|a| a.column() == 2))).into_iter().take(SHOWN) {
        println!("    {n:>5}  {why}");
    }
    println!("  asked or denied:");
    for (row, answer) in rows.iter().zip(&answers).filter(|(_, a)| a.asked()).take(SHOWN) {
        println!("    {} by {}: {}", answer.verdict, answer.rule, answer.reason);
        println!("        {}", shown(&row.command));
    }
    let (bare, _) = judge.all(rows, "")?;
    let [free, kept, contained, asked, denied] = totals(&bare);
    println!(
        "  with neither sandbox nor snapshot: {:.1} % free, {:.1} % asked\n",
        percent(free + kept + contained, whole),
        percent(asked + denied, whole)
    );
    Ok(())
}

fn misses(judge: &Judge, rows: &[Row], title: &str) -> Result<()> {
    let (answers, _) = judge.all(rows, "snapshot,contain")?;
    println!("{title}: {} commands", rows.len());
    let mut groups: BTreeMap<&str, [usize; 5]> = BTreeMap::new();
    for (row, answer) in rows.iter().zip(&answers) {
        let group = groups.entry(row.session.as_str()).or_default();
        if let Some(n) = group.get_mut(answer.column()) {
            *n += 1;
        }
    }
    heading();
    for (name, sums) in groups {
        line(name, sums);
    }
    let sums = totals(&answers);
    line("all", sums);
    let [free, kept, ..] = sums;
    println!(
        "  neither asked, denied nor contained: {} ({:.2} %)",
        free + kept,
        percent(free + kept, rows.len())
    );
    for (row, answer) in rows.iter().zip(&answers).filter(|(_, a)| a.column() < 2) {
        let kept = if answer.snapshot { " (snapshot)" } else { "" };
        println!("    {}{kept}: {}", row.session, shown(&row.command));
    }
    println!();
    Ok(())
}

fn main() -> Result<()> {
    let program = std::env::args().nth(1).map(PathBuf::from).context("usage: judgement AMBIT")?;
    let program = std::path::absolute(program)?;
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    let dir = std::env::var_os("AMBIT_CORPORA").map_or(beside, PathBuf::from);
    if !dir.is_dir() {
        bail!("there are no corpora in `{}`; name their directory in AMBIT_CORPORA", dir.display());
    }
    let judge = Judge { program };
    friction(&judge, &rows(&dir, "agent_sessions.jsonl")?)?;
    misses(&judge, &rows(&dir, "dangerous_commands.jsonl")?, "WHAT HARMS")?;
    misses(&judge, &rows(&dir, "adversarial.jsonl")?, "WHAT LOOKS HARMLESS AND IS NOT")
}
