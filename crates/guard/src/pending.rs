//! Calls that a person was asked about: what they will have done, kept until the agent reports their end.

use crate::roots::Roots;
use crate::session::{Marks, SessionError};
use crate::settings::{hash_text, write_atomically};
use agents::Context;
use model::{AbsPath, CallId, ToolCall};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

fn named(roots: &Roots, key: &str) -> PathBuf {
    let name: String = hash_text(key).chars().take(32).collect();
    roots.state.join("pending").join(name)
}

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

    fn file(roots: &Roots, context: &Context, id: &CallId) -> PathBuf {
        named(roots, &format!("{}\0{}", context.session.0, id.0))
    }

    /// Where the identifiers of calls with this tool and input are kept: the agent's question names no call.
    fn alike(roots: &Roots, context: &Context, call: &ToolCall) -> Option<PathBuf> {
        let tool = serde_json::to_string(&call.tool).ok()?;
        let maker = call.subagent.as_deref().unwrap_or_default();
        Some(named(roots, &format!("alike\0{}\0{maker}\0{}\0{tool}", context.session.0, call.cwd)))
    }

    /// The calls that wait for a person and are the same to the letter: session, sub-agent, directory, tool and input;
    /// the newest last.
    pub(crate) fn waiting(roots: &Roots, context: &Context, call: &ToolCall) -> Vec<CallId> {
        let list = Self::alike(roots, context, call).and_then(|file| fs_err::read(file).ok());
        let ids: Vec<CallId> = list.and_then(|l| serde_json::from_slice(&l).ok()).unwrap_or_default();
        ids.into_iter().filter(|id| Self::file(roots, context, id).exists()).collect()
    }

    /// Keeps it. A call without an identifier cannot be found again and is not kept.
    pub(crate) fn keep(&self, roots: &Roots, context: &Context, call: &ToolCall) -> Result<(), SessionError> {
        let Some(id) = &call.call else { return Ok(()) };
        let file = Self::file(roots, context, id);
        if let Some(dir) = file.parent() {
            fs_err::create_dir_all(dir)?;
        }
        let bytes = serde_json::to_vec(self).map_err(std::io::Error::from)?;
        write_atomically(&file, &bytes)?;
        // Two calls that are alike and are kept at the same time may leave one of them out: then the question about it
        // is recorded with the other, and with how many wait.
        if let Some(list) = Self::alike(roots, context, call) {
            let mut ids = Self::waiting(roots, context, call);
            ids.retain(|known| known != id);
            ids.push(id.clone());
            write_atomically(&list, &serde_json::to_vec(&ids).map_err(std::io::Error::from)?)?;
        }
        Ok(())
    }

    /// Takes it away; `None` when the call was never asked about. Of two that take it, one gets it.
    pub(crate) fn take(
        roots: &Roots,
        context: &Context,
        call: &ToolCall,
    ) -> Result<Option<Self>, SessionError> {
        let Some(id) = &call.call else { return Ok(None) };
        let file = Self::file(roots, context, id);
        let bytes = match fs_err::read(&file) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let removed = fs_err::remove_file(&file);
        if let Some(list) = Self::alike(roots, context, call)
            && list.exists()
            && Self::waiting(roots, context, call).is_empty()
        {
            // Another process may take it away too.
            let _ = fs_err::remove_file(&list);
        }
        match removed {
            Ok(()) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}
