//! The policies that come with Ambit, embedded in the program.

use crate::{Layer, Preset, Source};

/// The Cedar schema: every kind of effect with its facts.
pub const SCHEMA: &str = include_str!("../../../policies/schema.cedarschema");

/// SHA-256 of the schema and all policies that come with Ambit, in hexadecimal: tells one build's rules from another's.
/// Taken when the crate is built.
pub const POLICIES_DIGEST: &str = env!("AMBIT_POLICIES");

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$((concat!("policies/", $path), include_str!(concat!("../../../policies/", $path)))),*]
    };
}

const FLOOR: &[(&str, &str)] =
    files!["floor/files.cedar", "floor/network.cedar", "floor/secrets.cedar", "floor/system.cedar"];

const STANDARD: &[(&str, &str)] = files![
    "standard/databases.cedar",
    "standard/files.cedar",
    "standard/git.cedar",
    "standard/mcp.cedar",
    "standard/network.cedar",
    "standard/packages.cedar",
    "standard/production.cedar",
    "standard/run.cedar",
    "standard/secrets.cedar",
    "standard/services.cedar",
    "standard/system.cedar",
];

const STRICT: &[(&str, &str)] = files![
    "strict/files.cedar",
    "strict/git.cedar",
    "strict/network.cedar",
    "strict/packages.cedar",
    "strict/production.cedar",
    "strict/run.cedar",
    "strict/services.cedar",
];

fn sources(layer: Layer, files: &[(&str, &str)]) -> impl Iterator<Item = Source> {
    files.iter().map(move |(file, text)| Source { layer, file: (*file).to_owned(), text: (*text).to_owned() })
}

/// The floor: what never happens, whoever agrees. Part of every policy.
#[must_use]
pub fn floor_sources() -> Vec<Source> {
    sources(Layer::Floor, FLOOR).collect()
}

/// The files of a preset, without the floor. `strict` is `standard` with further forbids on top.
#[must_use]
pub fn preset_sources(preset: Preset) -> Vec<Source> {
    match preset {
        Preset::Standard => sources(Layer::Preset, STANDARD).collect(),
        Preset::Strict => sources(Layer::Preset, STANDARD).chain(sources(Layer::Preset, STRICT)).collect(),
    }
}
