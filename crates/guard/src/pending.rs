//! Calls that a person was asked about: what they will have done, kept until the agent reports their end.

use crate::roots::Roots;
use crate::session::{Marks, SessionError};
use crate::settings::{hash_text, write_atomically};
use agents::Context;
use model::{AbsPath, ToolCall};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is kept of a call that waits for a person.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The rule that asked.
    pub(crate) rule: String,
    paths: Vec<(AbsPath, u8)>,
    own: u8,
}

impl Pending {
    pub(crate) fn new(paths: &[(AbsPath, Marks)], own: Marks, rule: &str) -> Self {
        Self {
            rule: rule.to_owned(),
            paths: paths.iter().map(|(p, m)| (p.clone(), m.bits())).collect(),
            own: own.bits(),
        }
    }

    pub(crate) fn paths(&self) -> Vec<(AbsPath, Marks)> {
        self.paths.iter().map(|(p, m)| (p.clone(), Marks::from_bits(*m))).collect()
    }

    pub(crate) fn own(&self) -> Marks {
        Marks::from_bits(self.own)
    }

    fn file(roots: &Roots, context: &Context, call: &ToolCall) -> Option<PathBuf> {
        let id = call.call.as_ref()?;
        let name: String = hash_text(&format!("{}\0{}", context.session.0, id.0)).chars().take(32).collect();
        Some(roots.state.join("pending").join(name))
    }

    /// Keeps it. A call without an identifier cannot be found again and is not kept.
    pub(crate) fn keep(&self, roots: &Roots, context: &Context, call: &ToolCall) -> Result<(), SessionError> {
        let Some(file) = Self::file(roots, context, call) else { return Ok(()) };
        if let Some(dir) = file.parent() {
            fs_err::create_dir_all(dir)?;
        }
        let bytes = serde_json::to_vec(self).map_err(std::io::Error::from)?;
        Ok(write_atomically(&file, &bytes)?)
    }

    /// Takes it away; `None` when the call was never asked about. Of two that take it, one gets it.
    pub(crate) fn take(
        roots: &Roots,
        context: &Context,
        call: &ToolCall,
    ) -> Result<Option<Self>, SessionError> {
        let Some(file) = Self::file(roots, context, call) else { return Ok(None) };
        let bytes = match fs_err::read(&file) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        match fs_err::remove_file(&file) {
            Ok(()) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}
