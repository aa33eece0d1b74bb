//! Prints what policy costs: a cold start from a snapshot, and warm judging. Run it with `--release`.
//!
//! `policy_bench PATH` uses PATH for the snapshot; a process that finds it there measures the cold start only:
//! open, load three shards, judge three effects.
#![expect(clippy::print_stdout, reason = "an example prints what it measures")]

use model::{Effect, Offers};
use policy::{CaseEffects, CaseFile, Policy, Preset, Snapshot, Sources, Subject, compile};
use std::path::PathBuf;
use std::time::Instant;

const EFFECTS: &str = r#"
[[case]]
name = "three effects"
effects = [{ kind = "read" }, { kind = "run" }, { kind = "delete", git = "untracked" }]
expect = "allow"
[[case]]
name = "asked"
effects = [{ kind = "push" }]
expect = "ask"
[[case]]
name = "denied by default"
effects = [{ kind = "operate", verb = "write", environment = "production" }]
expect = "ask"
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = PathBuf::from(std::env::args().nth(1).ok_or("usage: policy_bench SNAPSHOT")?);
    let cases = CaseFile::parse("bench", EFFECTS)?;
    let effects = |at: usize| match cases.cases.get(at).map(|c| &c.call) {
        Some(CaseEffects::Effects(effects)) => effects.clone(),
        _ => Vec::<Effect>::new(),
    };
    let subject = Subject { session: "bench".to_owned(), sandbox: true, ..Subject::default() };
    let offers = Offers { snapshot: true, contain: true };
    let groups = ["production".to_owned()];
    if path.exists() {
        let start = Instant::now();
        let snapshot = Snapshot::open(&path)?;
        let opened = start.elapsed();
        let policy = Policy::from(snapshot);
        let first = policy.judge(&subject, &effects(0), offers, &groups, &[])?;
        let judged = start.elapsed();
        let again = Instant::now();
        let second = policy.judge(&subject, &effects(0), offers, &groups, &[])?;
        println!(
            "cold: open {opened:?}, open + 3 shards + 3 effects {judged:?} ({}), the same again {:?} ({})",
            first.kind(),
            again.elapsed(),
            second.kind()
        );
        return Ok(());
    }
    let start = Instant::now();
    let compiled = compile(&Sources::preset(Preset::Standard))?;
    println!("compile: {:?}, {} rules", start.elapsed(), compiled.rules().len());
    for kind in model::EffectKind::ALL {
        println!("  {:<10} {} rules", kind.word(), compiled.count(kind));
    }
    compiled.write(&path)?;
    println!("snapshot: {} bytes", compiled.bytes()?.len());
    let policy = Policy::from(Snapshot::open(&path)?);
    for (at, case) in cases.cases.iter().enumerate() {
        let effects = effects(at);
        let mut times = Vec::new();
        for _ in 0..2000 {
            let start = Instant::now();
            let _ = policy.judge(&subject, &effects, offers, &groups, &[])?;
            times.push(start.elapsed());
        }
        times.sort();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        println!("warm, {}: median {:?}, p99 {:?}", case.name, at(50), at(99));
    }
    let mut judge = policy.begin(&subject, &groups, &[]);
    let simple = effects(0);
    let start = Instant::now();
    for _ in 0..20_000 {
        let _ = judge.judge(&simple, offers)?;
    }
    println!("batch, remembered: {:.0} calls/s", 20_000.0 / start.elapsed().as_secs_f64());
    Ok(())
}
