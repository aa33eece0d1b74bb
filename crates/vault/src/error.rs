//! What can go wrong. No message holds a secret: what a back end printed is never repeated.

use std::path::PathBuf;

/// Why a secret could not be had, kept or lent.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A name outside the alphabet.
    #[error(
        "`{0}` is no name of a secret: use up to 64 of `a-z`, `0-9`, `.`, `_` and `-`, beginning with a letter or digit"
    )]
    BadName(String),
    /// No such secret.
    #[error("there is no secret `{name}` in {backend}; `ambit secrets list` names those that are there")]
    Missing {
        /// The secret's name or key.
        name: String,
        /// The backend.
        backend: String,
    },
    /// A reference to a backend that the configuration does not describe.
    #[error("no backend `{0}` is described; add `[secrets.backends.{0}]` to ambit.toml")]
    NoBackend(String),
    /// The configuration of a backend cannot work.
    #[error("the backend is described wrongly: {0}; mend `[secrets.backends]` in ambit.toml")]
    BadBackend(String),
    /// The encrypted file cannot be opened now.
    #[error("the vault is locked: {0}; a person runs `ambit secrets unlock`")]
    Locked(String),
    /// The passphrase or key is wrong, or the file was changed.
    #[error(
        "`{0}` cannot be decrypted: the key is another one, or the file is damaged; restore it from a backup"
    )]
    Undecryptable(PathBuf),
    /// A file that Ambit wrote is not what it was.
    #[error("`{path}` is damaged: {why}; restore it from a backup, or remove it and set its content anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// Reading or writing a file failed.
    #[error("cannot {what} `{path}`: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A program that keeps secrets failed. What it printed is not repeated.
    #[error("`{program}` {why}; run it by hand to see what it says")]
    Program {
        /// The program.
        program: String,
        /// How it ended.
        why: String,
    },
    /// A server that keeps secrets failed.
    #[error("the server at `{address}` {why}")]
    Server {
        /// The server.
        address: String,
        /// What happened.
        why: String,
    },
    /// Something that cannot be done with this backend.
    #[error("{backend} can only be read by Ambit; {what} there with its own tools")]
    ReadOnly {
        /// The backend.
        backend: String,
        /// What was asked for: `set it`, `remove it`, `list them`.
        what: &'static str,
    },
    /// Terms and grants do not fit what was asked.
    #[error("`secret://{name}` is not lent for this: {why}; {mend}")]
    NotLent {
        /// The secret.
        name: String,
        /// What does not fit.
        why: String,
        /// What to do.
        mend: String,
    },
    /// The lease is over.
    #[error("the lease of `secret://{name}` is over: {why}; run the command again to ask for a new one")]
    Over {
        /// The secret.
        name: String,
        /// Expired, used up, revoked.
        why: &'static str,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers, so nothing is lent")]
    NoRandom,
}

pub(crate) fn io(what: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> VaultError {
    let path = path.to_path_buf();
    move |source| VaultError::Io { what, path, source }
}
