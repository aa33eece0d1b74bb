//! Where secrets lie, and the terms under which one is lent to a process without the agent seeing it.
//!
//! A secret has a [`Name`]; commands and configuration speak of it as `secret://NAME`. Its value comes from a
//! [`Backend`], and only under a [`Lease`] that says to which call, until when and how often. Values are wiped from
//! memory when dropped and have no `Debug`; nothing here writes one anywhere but into the encrypted file.

mod backend;
mod error;
mod files;
mod grant;
mod identity;
mod lease;
mod name;
mod sentinel;

pub use backend::{Backend, Given, Programs, open};
pub use backend::{age_file::AgeFile, command::Command, hashicorp::HashiCorp, keyring::Keyring};
pub use error::VaultError;
pub use grant::{Grant, Grants, Wish, allowance};
pub use identity::{Identity, Unlocked};
pub use lease::{Lease, Leases};
pub use name::{Name, references};
pub use sentinel::sentinel;

/// A secret's value.
pub type Value = secrecy::SecretSlice<u8>;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, VaultError>;
