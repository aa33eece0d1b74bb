//! The table: finds entries by name.

use crate::error::TableError;
use crate::load::load;
use crate::spec::{Case, Program};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The built-in entries, made by the build from `table/`: `BLOB` holds them one after the other, `INDEX` the names in
/// order with the bytes of their entries, `CASES` the examples.
mod built {
    include!(concat!(env!("OUT_DIR"), "/table.rs"));
}

/// The table of programs. Entries are decoded when they are asked for.
#[derive(Debug, Default)]
pub struct Table {
    extra: BTreeMap<String, Arc<Program>>,
    extra_cases: Vec<Case>,
    /// Whether the built-in entries are left out.
    bare: bool,
    decoded: Mutex<BTreeMap<u32, Arc<Program>>>,
}

impl Table {
    /// The table that comes with Ambit.
    #[must_use]
    pub fn builtin() -> Self {
        Self::default()
    }

    /// A table of these files alone, each given by its name and its text, without what comes with Ambit: so a change of
    /// the built-in files is tried before it is built.
    ///
    /// # Errors
    /// Every fault in the files.
    pub fn only(files: &[(String, String)]) -> Result<Self, Vec<TableError>> {
        Self { bare: true, ..Self::default() }.with_extra(files)
    }

    /// The table with the entries of an organisation's files, each given by its name and its text. They may add
    /// programs, but not change what Ambit says of those it knows.
    ///
    /// # Errors
    /// Every fault in the files.
    pub fn with_extra(mut self, files: &[(String, String)]) -> Result<Self, Vec<TableError>> {
        let mut errors = Vec::new();
        for (file, text) in files {
            match load(file, text) {
                Err(faults) => errors.extend(faults),
                Ok(loaded) => {
                    self.extra_cases.extend(loaded.cases);
                    for program in loaded.programs {
                        let program = Arc::new(program);
                        for name in std::iter::once(&program.name).chain(&program.spec.aliases) {
                            let taken = (!self.bare && find(name).is_some())
                                || self.extra.insert(name.clone(), Arc::clone(&program)).is_some();
                            if taken {
                                errors.push(TableError {
                                    file: file.clone(),
                                    line: line_of(text, &program.name),
                                    column: 1,
                                    program: program.name.clone(),
                                    key: String::new(),
                                    message: format!("`{name}` is known already; take this entry away"),
                                });
                            }
                        }
                    }
                }
            }
        }
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }

    /// The entry of the program with this name (not path) or alias.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<Program>> {
        if let Some(program) = self.extra.get(name) {
            return Some(Arc::clone(program));
        }
        let (from, to) = find(name).filter(|_| !self.bare)?;
        let mut decoded = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = decoded.get(&from) {
            return Some(Arc::clone(program));
        }
        let bytes = built::BLOB.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)?;
        let program = Arc::new(postcard::from_bytes::<Program>(bytes).ok()?);
        decoded.insert(from, Arc::clone(&program));
        Some(program)
    }

    /// The names and aliases of all programs, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let built = if self.bare { &[] } else { built::INDEX };
        let mut names: Vec<String> = built.iter().map(|(name, _, _)| (*name).to_owned()).collect();
        names.extend(self.extra.keys().cloned());
        names.sort();
        names
    }

    /// The examples of all entries.
    #[must_use]
    pub fn cases(&self) -> Vec<Case> {
        let built = if self.bare { &[] } else { built::CASES };
        let mut cases: Vec<Case> = postcard::from_bytes(built).unwrap_or_default();
        cases.extend(self.extra_cases.iter().cloned());
        cases
    }
}

/// Checks an organisation's files, each given by its name and its text; empty when they are sound.
#[must_use]
pub fn check(files: &[(String, String)]) -> Vec<TableError> {
    Table::builtin().with_extra(files).err().unwrap_or_default()
}

/// The bytes of the built-in entry of this name.
fn find(name: &str) -> Option<(u32, u32)> {
    let at = built::INDEX.binary_search_by(|(known, _, _)| (*known).cmp(name)).ok()?;
    built::INDEX.get(at).map(|(_, from, to)| (*from, *to))
}

/// The line, counted from 1, on which a program's table begins.
fn line_of(text: &str, program: &str) -> u32 {
    let heads = [format!("[{program}]"), format!("[\"{program}\"]")];
    let at = text.lines().position(|l| heads.iter().any(|h| l.trim_start().starts_with(h.as_str())));
    at.and_then(|n| u32::try_from(n + 1).ok()).unwrap_or(1)
}
