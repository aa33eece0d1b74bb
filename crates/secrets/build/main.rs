//! Compiles the tables under `detectors/` into constants, so that nothing is parsed or built when a scan begins.

#[expect(dead_code, reason = "the library uses the rest")]
#[path = "../src/class.rs"]
mod class;
mod hooks;
mod load;
#[path = "../src/trigram.rs"]
mod trigram;

use load::{File, Kind, Part};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Words of 64 bits in the filter.
const WORDS: usize = 1024;

/// The first three bytes of a literal as a key of the filter. `None` when it is shorter.
fn first(literal: &[u8]) -> Option<u32> {
    Some(literal.first_chunk::<3>()?.iter().fold(0, |key, byte| trigram::push(key, *byte)))
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut stdout = std::io::stdout();
    for path in ["detectors", "data", "build", "src/class.rs", "src/trigram.rs"] {
        writeln!(stdout, "cargo::rerun-if-changed={path}")?;
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir("detectors")?
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .map(|e| e.path())
        .collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    let mut faults = Vec::new();
    let mut kinds: Vec<(String, String, Kind)> = Vec::new();
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    for path in &files {
        let place = path.display().to_string();
        let file: File = match toml::from_str(&std::fs::read_to_string(path)?) {
            Ok(file) => file,
            Err(e) => {
                faults.push(format!("{place}: {}", e.to_string().replace('\n', " ")));
                continue;
            }
        };
        for vendor in file.vendor {
            for kind in vendor.kinds {
                if let Some(fault) = load::fault(&kind) {
                    faults.push(format!("{place}: `{}`: {fault}", kind.id));
                }
                if let Some(other) = places.insert(kind.id.clone(), place.clone()) {
                    faults.push(format!("{place}: `{}` is in {other} too", kind.id));
                }
                kinds.push((vendor.name.clone(), vendor.source.clone(), kind));
            }
        }
    }
    if faults.is_empty() {
        std::fs::write(out.join("table.rs"), table(&kinds)?)?;
        std::fs::write(out.join("rarity.rs"), rarity(Path::new("data/bigrams.txt"))?)?;
        return Ok(());
    }
    for fault in &faults {
        writeln!(stdout, "cargo::error={fault}")?;
    }
    Err(format!("the tables have {} faults", faults.len()).into())
}

fn table(kinds: &[(String, String, Kind)]) -> Result<String, Box<dyn Error>> {
    let mut source = String::from("pub(crate) static DETECTORS: &[Detector] = &[\n");
    let mut entries: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (at, (vendor, from, kind)) in kinds.iter().enumerate() {
        let check = match kind.check.as_str() {
            "crc32-base62" => "Crc32Base62",
            "base64-json" => "Base64Json",
            _ => "None",
        };
        writeln!(
            source,
            "Detector {{ id: {:?}, vendor: {vendor:?}, about: {:?}, source: {from:?}, prefixes: &{:?}, before: {}, shape: {}, check: Check::{check}, names: &{:?}, keep: {} }},",
            kind.id,
            kind.about,
            kind.prefix,
            segments(&kind.before)?,
            segments(&kind.shape)?,
            kind.names,
            kind.keep,
        )?;
        for (number, prefix) in kind.prefix.iter().enumerate() {
            let key = first(prefix.as_bytes()).ok_or("a prefix is short")?;
            entries.entry(key).or_default().push(format!("Entry::Token({at}, {number})"));
        }
    }
    source.push_str("];\n");
    for (literal, hook) in hooks::HOOKS {
        let key = first(literal.as_bytes()).ok_or("a literal is short")?;
        entries.entry(key).or_default().push(format!("Entry::Hook({literal:?}, Hook::{hook})"));
    }
    let mut filter = vec![0_u64; WORDS];
    for key in entries.keys() {
        let (word, bit) = trigram::place(*key);
        if let Some(word) = filter.get_mut(word) {
            *word |= 1 << bit;
        }
    }
    writeln!(source, "pub(crate) static FILTER: [u64; {}] = {filter:?};", WORDS)?;
    source.push_str("pub(crate) static ENTRIES: &[(u32, &[Entry])] = &[\n");
    for (key, list) in &entries {
        writeln!(source, "    ({key}, &[{}]),", list.join(", "))?;
    }
    source.push_str("];\n");
    // Open addressing: the entry's number plus one, 0 where there is none.
    let mut slots = vec![0_u16; trigram::SLOTS];
    for (number, key) in entries.keys().enumerate() {
        let mut at = trigram::slot(*key);
        while slots.get(at).is_some_and(|s| *s != 0) {
            at = (at + 1) % trigram::SLOTS;
        }
        if let Some(slot) = slots.get_mut(at) {
            *slot = u16::try_from(number + 1)?;
        }
    }
    writeln!(source, "pub(crate) static SLOTS: [u16; {}] = {slots:?};", trigram::SLOTS)?;
    Ok(source)
}

fn segments(text: &str) -> Result<String, Box<dyn Error>> {
    let mut out = String::from("&[");
    for part in load::shape(text)? {
        match part {
            Part::Class { mask, min, max } => {
                write!(out, "Segment::Class {{ mask: {mask}, min: {min}, max: {max} }}, ")?;
            }
            Part::Literal(text) => write!(out, "Segment::Literal({text:?}), ")?,
        }
    }
    out.push(']');
    Ok(out)
}

/// How surprising each pair of signs is in ordinary text: see `examples/bigrams.rs`, which writes the file.
fn rarity(path: &Path) -> Result<String, Box<dyn Error>> {
    let mut numbers = Vec::new();
    for line in std::fs::read_to_string(path)?.lines().filter(|l| !l.starts_with('#')) {
        for word in line.split_ascii_whitespace() {
            numbers.push(word.parse::<u8>()?);
        }
    }
    if numbers.len() != 40 * 40 {
        return Err(
            format!("{}: 1600 numbers are wanted, {} are there", path.display(), numbers.len()).into()
        );
    }
    Ok(format!("pub(crate) static SURPRISE: [u8; 1600] = {numbers:?};\n"))
}
