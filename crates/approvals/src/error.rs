//! Why something could not be asked for, decided or used.

use std::path::{Path, PathBuf};

/// What went wrong. Whoever gets one lets nothing through.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// A file cannot be read or written.
    #[error("cannot {doing} `{path}`: {source}; make room there or mend its permissions", path = path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No random numbers.
    #[error("the system gives no random numbers: {0}; nothing can be signed until it does")]
    Random(getrandom::Error),
    /// The key that signs decisions cannot be read.
    #[error(
        "the key of approvals at `{path}` is damaged; open approvals are void: remove it and ask again",
        path = .0.display()
    )]
    KeyDamaged(PathBuf),
    /// A value has no canonical form.
    #[error("the request cannot be written in canonical form: {0}")]
    Canonical(#[source] serde_json::Error),
    /// A request's own text, or its digest, was changed, or it cannot be read.
    #[error("the request {id} was changed after it was made ({why}); it counts for nothing, ask again")]
    RequestDamaged {
        /// The request.
        id: String,
        /// What does not fit.
        why: String,
    },
    /// An entry of a request was changed, forged or cannot be read.
    #[error("entry {seq} of {id} does not hold ({why}); the request counts for nothing, ask again")]
    EntryDamaged {
        /// The request.
        id: String,
        /// The entry, from 1.
        seq: u32,
        /// What does not fit.
        why: String,
    },
    /// There is no such request.
    #[error("there is no request `{0}`; `ambit approvals list --all` shows those there are")]
    Unknown(String),
    /// A word that names no request.
    #[error("`{0}` names no request; one is named like `A7`")]
    BadId(String),
    /// It was decided, used or too late before.
    #[error("{id} is {state} already; nothing was changed")]
    Settled {
        /// The request.
        id: String,
        /// Its state.
        state: crate::State,
    },
    /// This person may not decide this.
    #[error("`{person}` may not decide {id}: it needs {needs}")]
    NotAllowed {
        /// The request.
        id: String,
        /// Who tried.
        person: String,
        /// Who may.
        needs: String,
    },
    /// This channel does not suffice for this risk.
    #[error(
        "{id} is {risk} and cannot be approved by {channel}; use the console or `ambit approvals` in a terminal"
    )]
    WrongChannel {
        /// The request.
        id: String,
        /// Its risk.
        risk: crate::Risk,
        /// The channel tried.
        channel: crate::Channel,
    },
    /// A critical request was approved without the typed word.
    #[error("{id} is critical: it is approved only with the word `{word}` typed in full")]
    NotConfirmed {
        /// The request.
        id: String,
        /// The word.
        word: String,
    },
    /// A scope that this request cannot have.
    #[error("{id} cannot be approved so: {why}")]
    BadScope {
        /// The request.
        id: String,
        /// Why.
        why: String,
    },
    /// Too many write at once.
    #[error("{id} is being written by too many at once; try again")]
    Contended {
        /// The request.
        id: String,
    },
    /// Breaking glass without saying why.
    #[error(
        "approving {id} out of turn needs a reason of at least {least} letters, for those who look at it afterwards"
    )]
    NoReason {
        /// The request.
        id: String,
        /// The least length in characters.
        least: usize,
    },
}

/// The result of what can go wrong here.
pub type Result<T> = std::result::Result<T, ApprovalError>;

pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ApprovalError {
    let path = path.to_path_buf();
    move |source| ApprovalError::Io { doing, path, source }
}
