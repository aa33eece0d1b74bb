//! Runs the examples of table files that are not built in yet: `cargo run -p shell --example cases -- DIRECTORY`.
//!
//! It says which files have faults, which examples fail and which forms of a program lack an example, as the tests do
//! for the built-in table.
#![expect(clippy::print_stdout, reason = "an example prints")]

#[path = "../tests/common/mod.rs"]
mod common;

use programs::Table;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| "crates/programs/table".to_owned());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(Path::new(&directory))? {
        let path = entry?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.extension().is_some_and(|e| e == "toml") {
            files.push((name, std::fs::read_to_string(&path)?));
        }
    }
    files.sort();
    let table = match Table::only(&files) {
        Ok(table) => table,
        Err(faults) => {
            for fault in faults {
                println!("{fault}");
            }
            return Err("the files have faults".into());
        }
    };
    let failed = common::failures(&table);
    let missing = common::missing(&table);
    for line in failed.iter().chain(&missing) {
        println!("{line}");
    }
    println!("{} examples fail; {} programs lack forms", failed.len(), missing.len());
    Ok(())
}
