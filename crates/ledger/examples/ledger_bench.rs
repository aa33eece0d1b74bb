//! Prints how fast the ledger is: `cargo run --release -p ledger --example ledger_bench`. With `verify DIR`, how fast the
//! ledger in DIR is verified, ten times, for a profiler.
#![expect(clippy::print_stdout, reason = "it is a program that prints figures")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ledger::{Durability, Kind, Ledger, Options, Reader, Record, VerifyOptions, verify};
use sha2::{Digest, Sha256};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const PROCESSES: u32 = 8;
const EACH: u32 = 20_000;

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn options() -> Options {
    Options { lock_wait: Duration::from_secs(30), ..Options::default() }
}

/// About 690 bytes, as a decision has.
fn record(sealed: bool) -> Record {
    let record = Record::new(Kind::DECISION)
        .session("0198a7c2-6f1e-7bb0-9c55-2f6c1d0e4a11")
        .call("toolu_01A9fK3mQ2xVtB7cPzLr8Wd5")
        .agent("claude-code")
        .subject("p-7f3a")
        .with("verdict", "allow")
        .with("rule", "floor/read-in-workspace");
    if sealed {
        record.with("pad", "x".repeat(250)).seal("command", "cargo test --workspace -- --nocapture")
    } else {
        record.with("pad", "x".repeat(420))
    }
}

fn child(dir: &Path, sealed: bool) -> Outcome<()> {
    let ledger = Ledger::open(dir, options())?;
    let record = record(sealed);
    for n in 0..EACH {
        let durability = if n % 10 == 9 { Durability::Durable } else { Durability::Relaxed };
        let _ = ledger.append(&record, durability, Timestamp::now())?;
    }
    Ok(())
}

fn run(sealed: bool) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let start = Instant::now();
    let mut children = Vec::new();
    for _ in 0..PROCESSES {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(dir.path()).arg(sealed.to_string()).stdout(Stdio::null());
        children.push(command.spawn()?);
    }
    for child in &mut children {
        if !child.wait()?.success() {
            return Err("a child failed".into());
        }
    }
    let rate = f64::from(PROCESSES * EACH) / start.elapsed().as_secs_f64();
    println!("append, {PROCESSES} processes, 10 % durable, sealed field {sealed}: {rate:.0} records/s");

    let mut cold = Vec::new();
    for _ in 0..2000 {
        let record = record(sealed);
        let now = Timestamp::now();
        let start = Instant::now();
        let ledger = Ledger::open(dir.path(), options())?;
        let _ = ledger.append(&record, Durability::Relaxed, now)?;
        cold.push(start.elapsed());
    }
    cold.sort_unstable();
    let at = |part: usize| cold.get(cold.len() * part / 100).copied().unwrap_or_default().as_micros();
    println!("open and append one, relaxed: p50 {} µs, p99 {} µs", at(50), at(99));

    let mut all = VerifyOptions { now: Some(Timestamp::now()), sealed, ..VerifyOptions::default() };
    for (signatures, pairs) in [(false, false), (true, false), (true, true)] {
        (all.signatures, all.pairs) = (signatures, pairs);
        let start = Instant::now();
        let report = verify(dir.path(), &all, &mut |_| {})?;
        let rate = f64::from(u32::try_from(report.records)?) / start.elapsed().as_secs_f64();
        println!(
            "verify, sealed {sealed}, every signature {signatures}, pairs {pairs}: {rate:.0} records/s, {} checkpoints, intact {}",
            report.checkpoints,
            report.intact()
        );
    }
    let records = verify_alone(dir.path())?;

    let reader = Reader::open(dir.path());
    let start = Instant::now();
    let last = reader.backward()?.take(50).count();
    println!("last {last}: {} µs", start.elapsed().as_micros());
    let start = Instant::now();
    let found = reader.get(records / 2)?.is_some();
    println!("one by index ({found}): {} µs", start.elapsed().as_micros());
    Ok(())
}

/// Verifies records and roots and returns how many records there are. Timed by what this thread alone uses, which other
/// work on the machine does not stretch.
fn verify_alone(dir: &Path) -> Outcome<u64> {
    let start = cpu_time();
    let report = verify(dir, &VerifyOptions::default(), &mut |_| {})?;
    let rate = f64::from(u32::try_from(report.records)?) / (cpu_time() - start).as_secs_f64();
    println!("verify, records and roots, a core: {rate:.0} records/s");
    // What the tree's hashes alone take of it, in the same moment: no verification can be faster.
    let line = vec![b'x'; usize::try_from(report.bytes / report.records.max(1))?];
    let start = cpu_time();
    for _ in 0..report.records {
        let leaf = Sha256::new().chain_update([0]).chain_update(&line).finalize();
        std::hint::black_box(
            Sha256::new().chain_update([1]).chain_update(leaf).chain_update(leaf).finalize(),
        );
    }
    let rate = f64::from(u32::try_from(report.records)?) / (cpu_time() - start).as_secs_f64();
    println!("the tree's hashes of as many bytes alone, a core: {rate:.0} records/s");
    Ok(report.records)
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args_os().skip(1);
    if let (Some(dir), Some(sealed)) = (arguments.next(), arguments.next()) {
        if dir == "verify" {
            return (0..10).try_for_each(|_| verify_alone(Path::new(&sealed)).map(drop));
        }
        return child(Path::new(&dir), sealed == "true");
    }
    run(false)?;
    run(true)
}
