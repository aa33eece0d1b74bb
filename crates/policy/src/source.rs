//! Where policies come from: layers, files, and the single policies in a file.

use crate::{PolicyError, Preset, floor_sources, preset_sources};
use model::EffectKind;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Who made a rule. A lower layer (later in this list) may forbid more, and permit only what is delegated to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Built in: what never happens.
    Floor,
    /// Built in: the preset that stands in for an organisation's own rules.
    Preset,
    /// The organisation.
    Organisation,
    /// The repository (`.ambit/policies`).
    Repository,
    /// What a person granted to this session.
    Grant,
    /// No rule: Cedar's own default.
    BuiltIn,
}

impl Layer {
    /// The word used in listings and records.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Preset => "preset",
            Self::Organisation => "organisation",
            Self::Repository => "repository",
            Self::Grant => "grant",
            Self::BuiltIn => "built-in",
        }
    }
}

/// One file of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Who made it.
    pub layer: Layer,
    /// Its name, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
}

/// All the files that make up one policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// The files, from the highest layer to the lowest.
    pub files: Vec<Source>,
    /// The kinds of effects for which a repository's permits count.
    pub delegates: Vec<EffectKind>,
}

impl Sources {
    /// The floor and a preset.
    #[must_use]
    pub fn preset(preset: Preset) -> Self {
        let mut files = floor_sources();
        files.extend(preset_sources(preset));
        Self { files, delegates: Vec::new() }
    }

    /// The floor and an organisation's own rules, which take the place of a preset.
    #[must_use]
    pub fn organisation(files: Vec<Source>) -> Self {
        let mut all = floor_sources();
        all.extend(files);
        Self { files: all, delegates: Vec::new() }
    }

    /// Adds the repository's rules; its permits count only for the kinds delegated.
    #[must_use]
    pub fn with_repository(mut self, files: Vec<Source>, delegates: &[EffectKind]) -> Self {
        self.files.extend(files);
        self.delegates = delegates.to_vec();
        self
    }
}

/// Reads the `.cedar` files of a directory, in order of their names. A directory that is not there holds none.
///
/// # Errors
/// [`PolicyError::Io`] when the directory or a file cannot be read.
pub fn load_dir(dir: &Path, layer: Layer) -> Result<Vec<Source>, PolicyError> {
    let entries = match fs_err::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(PolicyError::Io(e)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(PolicyError::Io)?.path();
        if path.extension().is_some_and(|e| e == "cedar") {
            paths.push(path);
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs_err::read_to_string(&path).map_err(PolicyError::Io)?;
            Ok(Source { layer, file: path.display().to_string(), text })
        })
        .collect()
}

/// The policies of a text as `[from, to)` byte ranges, each ending with its semicolon; a last one may lack it.
pub(crate) fn split(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let (mut parts, mut start, mut at) = (Vec::new(), None, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at = bytes.iter().skip(at).position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n);
                continue;
            }
            b'"' => {
                start.get_or_insert(at);
                at += 1;
                while let Some(inner) = bytes.get(at) {
                    match inner {
                        b'\\' => at += 1,
                        b'"' => break,
                        _ => {}
                    }
                    at += 1;
                }
            }
            b';' => parts.push((start.take().unwrap_or(at), at + 1)),
            b if b.is_ascii_whitespace() => {}
            _ => {
                start.get_or_insert(at);
            }
        }
        at += 1;
    }
    if let Some(from) = start {
        parts.push((from, text.len()));
    }
    parts
}

/// Line and column (both from 1, column in characters) of a byte.
pub(crate) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_told_apart() {
        let text = "// a; b\n@id(\"x;\\\"\")\npermit (principal, action, resource);\n\nforbid (principal, action, resource); // end;\n";
        let parts: Vec<&str> = split(text).into_iter().filter_map(|(a, b)| text.get(a..b)).collect();
        assert_eq!(
            parts,
            [
                "@id(\"x;\\\"\")\npermit (principal, action, resource);",
                "forbid (principal, action, resource);"
            ]
        );
        assert_eq!(position(text, text.find("forbid").unwrap()), (5, 1));
        assert_eq!(split("permit (").len(), 1);
    }
}
