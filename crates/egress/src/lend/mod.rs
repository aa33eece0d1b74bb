//! Credentials that a command uses without having them: it holds a worthless stand-in, and the true value is put in on the
//! way out, into verified TLS to the declared host, method and path.

mod book;
mod scrub;

pub(crate) use book::{Book, Misuse};
pub use scrub::Scrubber;

use crate::paths::PathPattern;
use crate::rules::{HostPattern, RuleError};
use model::Host;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The shortest stand-in: shorter ones could stand in a text by chance.
pub const MIN_SENTINEL: usize = 16;

/// The shortest value: shorter ones could not be taken out of answers without damage.
pub const MIN_VALUE: usize = 8;

/// A credential's true value. It is wiped from memory when dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the value.
    #[must_use]
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where in a request a stand-in may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the value of the header with this name (lower case).
    Header(String),
    /// In the value of any header, but for Basic credentials.
    AnyHeader,
    /// In the user or password of `Authorization: Basic`.
    Basic,
    /// In the URL's query.
    Query,
    /// In the body.
    Body,
}

/// A credential that is lent.
#[derive(Debug, Clone)]
pub struct Lent {
    id: String,
    sentinel: String,
    value: Secret,
    /// The hosts to which the value may go.
    pub hosts: Vec<HostPattern>,
    /// The ports; none means 443 only.
    pub ports: Vec<u16>,
    /// The methods in capital letters; none means every method.
    pub methods: Vec<String>,
    /// The paths; none means every path.
    pub paths: Vec<PathPattern>,
    /// The places.
    pub places: Vec<Place>,
    /// Asked before the value is put into a request's head or body; without it every fitting use is permitted.
    pub gate: Option<Gate>,
}

/// Says of each use whether it may be made, and counts it: a lease that has a time and a number.
#[derive(Clone)]
pub struct Gate(Arc<dyn Fn() -> Result<(), String> + Send + Sync>);

impl Gate {
    /// A gate that asks `may`, which gives the reason in words where it may not.
    pub fn new(may: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(may))
    }

    pub(crate) fn pass(&self) -> Result<(), String> {
        (self.0)()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate(…)")
    }
}

impl Lent {
    /// Lends `value` under `id` by the stand-in `sentinel`, to no host and no place yet.
    ///
    /// # Errors
    /// [`RuleError::Lent`] when the stand-in is shorter than [`MIN_SENTINEL`] or holds other characters than letters,
    /// digits, `_`, `-` and `.`; when the value is shorter than [`MIN_VALUE`]; or when one holds the other.
    pub fn new(id: impl Into<String>, sentinel: impl Into<String>, value: Secret) -> Result<Self, RuleError> {
        let (id, sentinel) = (id.into(), sentinel.into());
        let bad = |why| RuleError::Lent { id: id.clone(), why };
        if sentinel.len() < MIN_SENTINEL
            || !sentinel.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        {
            return Err(bad(
                "its stand-in needs 16 characters or more, of letters, digits, `_`, `-` and `.`",
            ));
        }
        if value.bytes().len() < MIN_VALUE {
            return Err(bad("its value is shorter than 8 bytes"));
        }
        let holds = |a: &[u8], b: &[u8]| memchr::memmem::find(a, b).is_some();
        if holds(value.bytes(), sentinel.as_bytes()) || holds(sentinel.as_bytes(), value.bytes()) {
            return Err(bad("its value and its stand-in hold one another"));
        }
        Ok(Self {
            id,
            sentinel,
            value,
            hosts: Vec::new(),
            ports: Vec::new(),
            methods: Vec::new(),
            paths: Vec::new(),
            places: Vec::new(),
            gate: None,
        })
    }

    /// The id for records.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The stand-in.
    #[must_use]
    pub fn sentinel(&self) -> &str {
        &self.sentinel
    }

    pub(crate) fn value(&self) -> &Secret {
        &self.value
    }

    /// Whether the value may ever go to this host.
    #[must_use]
    pub fn names(&self, host: &Host) -> bool {
        self.hosts.iter().any(|p| p.matches(host))
    }
}
