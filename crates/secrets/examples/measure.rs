//! Measures recall in each shape in which agents meet secrets, precision, speed, and alarms on clean code, beside the
//! targets.
//!
//! `cargo run --release -p secrets --example measure -- [PATH…]`: the paths are clean code. Every secret is generated.
#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a program for developers, which prints its report"
)]

#[path = "../tests/suite/shapes.rs"]
mod shapes;

use secrets::{Key, Known, Scanner, Surroundings, detectors, sample};
use shapes::{SHAPES, covered, generic, placed};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() -> std::io::Result<()> {
    let verbose = std::env::args().any(|a| a == "-v");
    let mut corpus = Vec::new();
    for path in std::env::args().skip(1).filter(|a| a != "-v") {
        gather(std::path::Path::new(&path), &mut corpus)?;
    }
    recall(verbose);
    known();
    near_misses(verbose);
    speed(&corpus);
    clean(&corpus, verbose);
    Ok(())
}

/// Prefixed kinds and generic values in every shape.
fn recall(verbose: bool) {
    let scanner = Scanner::new();
    let mut total = (0, 0);
    let mut by_kind: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let (mut right, mut wrong) = (0, 0);
    println!("recall by shape (target .95 each, .97 overall)");
    for shape in SHAPES {
        let (mut hit, mut all) = (0, 0);
        for (number, detector) in detectors().iter().filter(|d| d.announced_by_prefix()).enumerate() {
            for round in 0..4 {
                let secret = sample(detector, round * 7919 + number as u64);
                let (text, span) = shapes::announced(shape, detector, &secret, round);
                let found = scanner.scan(text.as_bytes());
                let ok = covered(&found, &span);
                let entry = by_kind.entry(detector.id).or_default();
                entry.1 += 1;
                all += 1;
                if ok {
                    hit += 1;
                    entry.0 += 1;
                } else if verbose && entry.1 - entry.0 <= 2 {
                    println!("   missed {} in {}: {}", detector.id, shape.name, text.escape_debug());
                }
                for f in &found {
                    if f.span.start < span.end && span.start < f.span.end { right += 1 } else { wrong += 1 }
                }
            }
        }
        let (mut ghit, mut gall) = (0, 0);
        for round in 0..400 {
            let (name, secret) = generic(round);
            let (text, span) = shapes::named(shape, name, &secret, round);
            gall += 1;
            let found = scanner.scan(text.as_bytes());
            if covered(&found, &span) {
                ghit += 1;
            } else if verbose && gall - ghit <= 3 {
                println!("   missed generic in {}: {}", shape.name, text.escape_debug());
            }
            for f in &found {
                if f.span.start < span.end && span.start < f.span.end {
                    right += 1
                } else {
                    wrong += 1;
                    if verbose && wrong < 20 {
                        println!("   wrong {} in {}: {}", f.kind, shape.name, text.escape_debug());
                    }
                }
            }
        }
        println!(
            "  {:<14} {:.3} of {all} tokens, {:.3} of {gall} named values",
            shape.name,
            share(hit, all),
            share(ghit, gall)
        );
        total.0 += hit + ghit;
        total.1 += all + gall;
    }
    println!(
        "  overall        {:.4} of {}; precision {:.4}",
        share(total.0, total.1),
        total.1,
        share(right, right + wrong)
    );
    let weak: Vec<String> = by_kind
        .iter()
        .filter(|(_, (h, a))| h * 100 < a * 90)
        .map(|(k, (h, a))| format!("{k} {h}/{a}"))
        .collect();
    println!("  kinds under .90: {}", if weak.is_empty() { "none".to_owned() } else { weak.join(", ") });
}

/// Known values in every shape and encoding.
fn known() {
    let key = Key::from_bytes([7; 32]);
    let (mut hit, mut all) = (0, 0);
    for round in 0..60 {
        let (_, secret) = generic(round);
        let mut index = Known::new(&key);
        if index.add("mine", secret.as_bytes(), true).is_err() {
            continue;
        }
        let scanner = Scanner::new().with_known(Arc::new(index));
        for shape in SHAPES {
            let (text, span) = placed(shape, &secret, round);
            all += 1;
            hit += usize::from(covered(&scanner.scan(text.as_bytes()), &span));
        }
        for (_, text, span) in shapes::encoded(&secret) {
            all += 1;
            let found = scanner.scan(&text);
            hit += usize::from(covered(&found, &span));
        }
    }
    println!("known values in every shape and encoding: {:.4} of {all} (target 1.00)", share(hit, all));
}

/// What looks like a token and is none.
fn near_misses(verbose: bool) {
    let scanner = Scanner::new();
    let (mut alarms, mut all) = (0, 0);
    for detector in detectors().iter().filter(|d| d.announced_by_prefix()) {
        for text in shapes::near_misses(detector) {
            all += 1;
            let alarm = scanner.scan(text.as_bytes()).iter().any(|f| f.kind == detector.id);
            alarms += usize::from(alarm);
            if alarm && verbose {
                println!("   {}: {}", detector.id, text.escape_debug());
            }
        }
    }
    println!("near misses taken for their kind: {alarms} of {all}");
}

fn speed(corpus: &[(String, Vec<u8>)]) {
    let mut text: Vec<u8> = corpus.iter().flat_map(|(_, t)| t.iter().copied()).take(32 << 20).collect();
    if text.is_empty() {
        text = include_bytes!("measure.rs").repeat(500);
    }
    let megabytes = text.len() as f64 / 1e6;
    for (name, scanner, target) in
        [("structural", Scanner::new().structural_only(), 160), ("with context", Scanner::new(), 80)]
    {
        let best = (0..3)
            .map(|_| {
                let start = Instant::now();
                std::hint::black_box(scanner.scan(&text));
                start.elapsed()
            })
            .min()
            .unwrap_or_default();
        println!("{name}: {:.0} MB/s (target {target})", megabytes / best.as_secs_f64());
    }
    let scanner = Scanner::new();
    let cold = Instant::now();
    std::hint::black_box(Scanner::new().scan(&text[..20_000.min(text.len())]));
    let cold = cold.elapsed();
    let mut times: Vec<Duration> = text
        .chunks(20_000)
        .cycle()
        .take(4000)
        .map(|piece| {
            let start = Instant::now();
            std::hint::black_box(scanner.scan(piece));
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "20 KB: first {} µs, p50 {} µs (target 100), p99 {} µs (target 300)",
        cold.as_micros(),
        times[times.len() / 2].as_micros(),
        times[times.len() * 99 / 100].as_micros()
    );
}

fn clean(corpus: &[(String, Vec<u8>)], verbose: bool) {
    let (mut bytes, mut all, mut blocking) = (0, 0, 0);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (path, text) in corpus {
        bytes += text.len();
        for f in Scanner::new().in_surroundings(Surroundings::of_path(path)).scan(text) {
            all += 1;
            blocking += usize::from(f.blocks());
            *kinds.entry(format!("{}{}", f.kind, if f.blocks() { "!" } else { "" })).or_default() += 1;
            if verbose {
                let from = text[..f.span.start]
                    .iter()
                    .rposition(|b| *b == b'\n')
                    .map_or(0, |p| p + 1)
                    .max(f.span.start.saturating_sub(80));
                let to = (f.span.end + 20).min(text.len()).min(from + 200);
                println!(
                    "   {}{} {path}: {}",
                    f.kind,
                    if f.blocks() { "!" } else { "" },
                    String::from_utf8_lossy(&text[from..to]).escape_debug()
                );
            }
        }
    }
    let megabytes = bytes as f64 / 1e6;
    println!(
        "clean code: {all} findings in {megabytes:.0} MB, {:.2} a MB (target 1.0); blocking {blocking}, {:.2} a MB",
        all as f64 / megabytes.max(1e-9),
        blocking as f64 / megabytes.max(1e-9)
    );
    println!("  {kinds:?}");
}

fn gather(path: &std::path::Path, out: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            gather(&entry?.path(), out)?;
        }
    } else if path.is_file() && out.iter().map(|(_, t)| t.len()).sum::<usize>() < 300 << 20 {
        let text = std::fs::read(path)?;
        if !text.contains(&0) && text.len() < 4 << 20 {
            out.push((path.display().to_string(), text));
        }
    }
    Ok(())
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / (whole.max(1)) as f64
}
