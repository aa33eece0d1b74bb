//! Compiles the files under `table/` and `variables.toml` into what the library embeds, so that no TOML is parsed while
//! a hook runs.

#[path = "src/check.rs"]
mod check;
#[expect(unreachable_pub, reason = "the library uses the rest and shows it")]
#[path = "src/error.rs"]
mod error;
#[expect(unreachable_pub, reason = "the library uses the rest and shows it")]
#[path = "src/kinds.rs"]
mod kinds;
#[path = "src/load.rs"]
mod load;
#[expect(dead_code, unreachable_pub, reason = "the library uses the rest and shows it")]
#[path = "src/role.rs"]
mod role;
#[expect(dead_code, unreachable_pub, reason = "the library uses the rest and shows it")]
#[path = "src/spec.rs"]
mod spec;
#[expect(dead_code, unreachable_pub, reason = "the library uses the rest and shows it")]
#[path = "src/template.rs"]
mod template;
#[path = "src/variables_load.rs"]
mod variables_load;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut stdout = std::io::stdout();
    writeln!(stdout, "cargo::rerun-if-changed=table")?;
    writeln!(stdout, "cargo::rerun-if-changed=variables.toml")?;
    writeln!(stdout, "cargo::rerun-if-changed=src")?;
    let mut faults = Vec::new();
    table(&out, &mut faults)?;
    variables(&out, &mut faults)?;
    for fault in &faults {
        writeln!(stdout, "cargo::error={fault}")?;
    }
    if faults.is_empty() { Ok(()) } else { Err(format!("the table has {} faults", faults.len()).into()) }
}

fn table(out: &Path, faults: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir("table")?.collect::<Result<Vec<_>, _>>()?.into_iter().map(|e| e.path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort();
    let mut programs = Vec::new();
    let mut cases = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match load::load(&name, &std::fs::read_to_string(file)?) {
            Ok(loaded) => {
                programs.extend(loaded.programs);
                cases.extend(loaded.cases);
            }
            Err(errors) => faults.extend(errors.iter().map(|e| format!("table/{e}"))),
        }
    }
    let mut blob = Vec::new();
    let mut index: BTreeMap<String, (String, usize, usize)> = BTreeMap::new();
    for program in &programs {
        let from = blob.len();
        blob.extend(postcard::to_stdvec(program)?);
        for name in std::iter::once(&program.name).chain(&program.spec.aliases) {
            if let Some((file, _, _)) = index.insert(name.clone(), (program.file.clone(), from, blob.len())) {
                faults.push(format!(
                    "table/{}: `{name}` is in table/{file} too; keep one of them",
                    program.file
                ));
            }
        }
    }
    let mut source = String::from("pub(super) static INDEX: &[(&str, u32, u32)] = &[\n");
    for (name, (_, from, to)) in &index {
        writeln!(source, "    ({name:?}, {from}, {to}),")?;
    }
    source.push_str("];\n");
    source.push_str(
        "pub(super) static BLOB: &[u8] = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/table.bin\"));\n",
    );
    source.push_str(
        "pub(super) static CASES: &[u8] = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/cases.bin\"));\n",
    );
    std::fs::write(out.join("table.bin"), blob)?;
    std::fs::write(out.join("cases.bin"), postcard::to_stdvec(&cases)?)?;
    std::fs::write(out.join("table.rs"), source)?;
    Ok(())
}

fn variables(out: &Path, faults: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    match variables_load::load("variables.toml", &std::fs::read_to_string("variables.toml")?) {
        Ok(variables) => std::fs::write(out.join("variables.rs"), variables_load::source(&variables)?)?,
        Err(errors) => faults.extend(errors.iter().map(ToString::to_string)),
    }
    Ok(())
}
