//! What this machine's sandbox reaches: tried once, and kept until the boot, the kernel's settings or the program change.

use contain::{Probe, Tier, probe, signature};
use guard::Roots;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The weakest tier in which calls of agents are contained.
pub(crate) const MINIMUM: Tier = Tier::B;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    when: String,
    probe: Probe,
}

fn file(roots: &Roots) -> PathBuf {
    roots.state.join("sandbox.json")
}

/// What an answer depends on: the machine, and which program asks (a profile of the system may be for one program).
fn when(roots: &Roots) -> String {
    let program = roots.program.as_ref().and_then(|p| {
        let meta = std::fs::metadata(p.as_std()).ok()?;
        Some(format!("{p} {} {} {}", meta.ino(), meta.mtime(), meta.mtime_nsec()))
    });
    format!("{} {} {}", env!("CARGO_PKG_VERSION"), signature(), program.unwrap_or_default())
}

/// What the sandbox reaches, from the kept answer where it still holds. An answer that cannot be kept is still one.
pub(crate) fn reached(roots: &Roots) -> Probe {
    let when = when(roots);
    let file = file(roots);
    let kept = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
    if let Some(kept) = kept.filter(|k| k.when == when) {
        return kept.probe;
    }
    tried(roots)
}

/// Tries what the sandbox reaches, and keeps the answer.
pub(crate) fn tried(roots: &Roots) -> Probe {
    let kept = Kept { when: when(roots), probe: probe() };
    let new = file(roots).with_extension(format!("new-{}", std::process::id()));
    let written = serde_json::to_vec(&kept).map_err(std::io::Error::from).and_then(|bytes| {
        std::fs::create_dir_all(&roots.state)?;
        std::fs::write(&new, bytes)?;
        std::fs::rename(&new, file(roots))
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    kept.probe
}

/// Whether calls of agents can be contained here.
pub(crate) fn holds(roots: &Roots) -> bool {
    reached(roots).tier.is_some_and(|tier| tier >= MINIMUM)
}
