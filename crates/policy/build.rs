//! Takes the digest of the policies that are embedded, so that no hook has to.

use sha2::{Digest, Sha256};
use std::error::Error;
use std::io::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files = vec![policies.join("schema.cedarschema")];
    for dir in ["floor", "standard", "strict"] {
        for entry in std::fs::read_dir(policies.join(dir))? {
            files.push(entry?.path());
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in &files {
        let name = file.strip_prefix(&policies)?.to_string_lossy().into_owned();
        let text = std::fs::read(file)?;
        // Each part with its length, so that no two lists of files have one digest.
        for part in [name.as_bytes(), &text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    let digest: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    let mut out = std::io::stdout();
    for watched in ["floor", "standard", "strict", "schema.cedarschema"] {
        writeln!(out, "cargo::rerun-if-changed={}", policies.join(watched).display())?;
    }
    writeln!(out, "cargo::rustc-env=AMBIT_POLICIES={digest}")?;
    Ok(())
}
