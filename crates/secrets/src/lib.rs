//! Secrets: found in any bytes, hidden from the model, put back where they came from.
//!
//! Three tiers find them, the surest first: values that are known ([`Known`], by keyed hash, in every encoding), tokens and
//! other forms by their structure ([`detectors`]), and `name = value` by name and rarity. A [`Scanner`] goes over a text
//! once, in time that grows with its length only; its tables are constants, so making one costs nothing.
//!
//! [`redact`] puts a stable placeholder, `{{secret:KIND:HASH}}`, in the place of each, and keeps the value in a [`Vault`];
//! [`restore`] puts them back. [`Store`] keeps key and vault between processes, in a directory that comes in by
//! argument. Nothing here reads the environment or the clock, and no `Debug` prints a secret.

mod checksum;
mod class;
mod context;
mod decode;
mod encodings;
mod finding;
mod hooks;
mod http;
mod key;
mod known;
mod pem;
mod placeholder;
mod rarity;
mod redact;
mod rules;
mod sample;
mod scan;
mod shape;
mod spec;
mod store;
mod stream;
mod table;
mod text;
mod tokens;
mod trigram;
mod url;
mod vault;

pub use finding::{Certainty, Finding, Tier};
pub use key::Key;
pub use known::{Known, LONGEST, SHORTEST, Unfit};
pub use redact::{BUDGET, CLOSE, Found, OPEN, Redacted, Restored, Withheld, placeholders, redact, restore};
pub use rules::{Rules, RulesError};
pub use sample::sample;
pub use scan::{Scanner, Surroundings};
pub use spec::Detector;
pub use store::{Store, StoreError};
pub use stream::{HOLD, Redactor};
pub use table::{detector_of, detectors};
pub use vault::{Vault, VaultError};
