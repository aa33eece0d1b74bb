//! Fuzzes without special tools: changes seeds at random for a given time and tries what comes of it.
//!
//! `drive [TARGET] [SECONDS]`. An input that makes a target panic, or takes longer than two seconds, is written to
//! `fuzz/found/` and ends the run with a fault. It has no eye for coverage; `cargo fuzz` with the same targets has.

use ambit_fuzz::TARGETS;
use anyhow::{Context, Result, bail};
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest that one input may take, in a build without optimisation of our own crates.
const LIMIT: Duration = Duration::from_secs(2);

/// Longer inputs are cut: every target refuses long texts early, which is quickly seen and then learns nothing.
const LENGTH: usize = 8192;

/// What the grammars are made of.
const TOKENS: &[&str] = &[
    ";",
    "&&",
    "||",
    "|",
    "&",
    "(",
    ")",
    "{",
    "}",
    "$(",
    "`",
    "\"",
    "'",
    "\\",
    "\n",
    "<<E\n",
    "<(",
    ">",
    "2>&1",
    "$x",
    "${x:-",
    "$((",
    "[[ ",
    " ]]",
    "if ",
    "then ",
    "fi",
    "case ",
    "esac",
    "for x in ",
    "do ",
    "done",
    "f() ",
    "eval ",
    "sudo ",
    "xargs ",
    "find . -exec ",
    "git ",
    "bash -c '",
    "sed -e '",
    "awk '",
    "--",
    "-",
    "=",
    "*",
    "~",
    "\0",
    "\u{202e}",
    "\u{fe0f}",
    "[",
    "]",
    "[[",
    "]]",
    "=\"",
    "\" = ",
    "{ kind = \"",
    "$each",
    ".options]\n",
    ":",
    ",",
    "null",
    "1e999",
    "\\u0000",
    "\r",
    "\t",
];

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let wanted = words.next().unwrap_or_else(|| "all".to_owned());
    let seconds: u64 = words.next().map_or(Ok(30), |s| s.parse()).context("SECONDS is no number")?;
    let mut ran = false;
    for (name, target) in TARGETS.iter().filter(|(name, _)| wanted == "all" || wanted == *name) {
        ran = true;
        drive(name, *target, Duration::from_secs(seconds))?;
    }
    if !ran {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        bail!("there is no target `{wanted}`; the targets are {}, or `all`", names.join(", "));
    }
    Ok(())
}

fn drive(name: &str, target: fn(&[u8]), time: Duration) -> Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = Vec::new();
    for entry in
        fs::read_dir(here.join("seeds").join(name)).with_context(|| format!("`{name}` has no seeds"))?
    {
        let file = entry?.path();
        let bytes = fs::read(&file)?;
        attempt(here, name, target, &bytes)?;
        seeds.push(bytes);
    }
    if seeds.is_empty() {
        bail!("`{name}` has no seeds");
    }
    let mut random = fastrand::Rng::new();
    let (begin, mut count) = (Instant::now(), 0_u64);
    while begin.elapsed() < time {
        let input = change(&mut random, &seeds);
        attempt(here, name, target, &input)?;
        count += 1;
    }
    println!("{name}: {count} inputs in {} s from {} seeds, none fails", time.as_secs(), seeds.len());
    Ok(())
}

/// Tries one input.
fn attempt(here: &Path, name: &str, target: fn(&[u8]), input: &[u8]) -> Result<()> {
    let begin = Instant::now();
    let done = catch_unwind(|| target(input)).is_ok();
    let took = begin.elapsed();
    if done && took < LIMIT {
        return Ok(());
    }
    let folder = here.join("found");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}-{:016x}", fastrand::u64(..)));
    fs::write(&file, input)?;
    let what = if done { format!("takes {} ms", took.as_millis()) } else { "panics".to_owned() };
    bail!("`{name}` {what} on the input in {}", file.display());
}

/// A seed with one to eight changes.
fn change(random: &mut fastrand::Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let pick = |random: &mut fastrand::Rng| random.choice(seeds).cloned().unwrap_or_default();
    let mut input = pick(random);
    for _ in 0..random.usize(1..=8) {
        let at = random.usize(0..=input.len());
        let to = random.usize(at..=input.len().min(at + 64));
        match random.u8(0..6) {
            0 => drop(input.drain(at..to)),
            1 => {
                let again: Vec<u8> = input.get(at..to).unwrap_or_default().to_vec();
                input.splice(at..at, again.repeat(random.usize(1..=4)));
            }
            2 => drop(input.splice(at..to, pick(random))),
            3 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = random.u8(..);
                }
            }
            _ => {
                let token = random.choice(TOKENS).map_or("", |t| t);
                input.splice(at..at, token.bytes());
            }
        }
    }
    input.truncate(LENGTH);
    input
}
