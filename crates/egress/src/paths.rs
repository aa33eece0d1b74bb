//! Patterns of request paths, and which paths two servers could read differently.

use crate::rules::RuleError;
use std::fmt;

/// Which request paths are meant. Paths are compared as they stand on the wire, without their query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// This path and what lies beneath it (`/repos` means `/repos` and `/repos/x`, but not `/repository`).
    Beneath(String),
    /// Paths that begin so (`/api/v1*`).
    Begins(String),
    /// Paths that end so (`*/git-upload-pack`).
    Ends(String),
}

impl PathPattern {
    /// Reads `/path`, `/path*` or `*/end`.
    ///
    /// # Errors
    /// [`RuleError::Path`] for anything else, and for a pattern whose own text is ambiguous.
    pub fn read(text: &str) -> Result<Self, RuleError> {
        let bad = || RuleError::Path { text: text.to_owned() };
        let pattern = match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (Some(end), None) => Self::Ends(end.to_owned()),
            (None, Some(begin)) => Self::Begins(begin.to_owned()),
            (None, None) => Self::Beneath(text.strip_suffix('/').unwrap_or(text).to_owned()),
            (Some(_), Some(_)) => return Err(bad()),
        };
        let (Self::Beneath(core) | Self::Begins(core) | Self::Ends(core)) = &pattern;
        let good = (core.starts_with('/') || text == "/")
            && !core.contains(['*', '?', '#'])
            && is_plain(if core.is_empty() { "/" } else { core });
        good.then_some(pattern).ok_or_else(bad)
    }

    /// Whether the path is meant. A path that two servers could read differently never is.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        is_plain(path)
            && match self {
                Self::Beneath(top) => path
                    .strip_prefix(top.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
                Self::Begins(begin) => path.starts_with(begin.as_str()),
                Self::Ends(end) => path.ends_with(end.as_str()),
            }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beneath(top) if top.is_empty() => f.write_str("/"),
            Self::Beneath(top) => f.write_str(top),
            Self::Begins(begin) => write!(f, "{begin}*"),
            Self::Ends(end) => write!(f, "*{end}"),
        }
    }
}

/// Whether every server reads the path alike: it begins with `/`, has no empty, `.` or `..` segment (nor such with a
/// parameter, `..;x`), no backslash, and no escape that hides one of these, a slash or a NUL.
#[must_use]
pub fn is_plain(path: &str) -> bool {
    if !path.starts_with('/') || path.contains('\\') {
        return false;
    }
    let lower = path.to_ascii_lowercase();
    if ["%2e", "%2f", "%5c", "%00", "%25", "%3b"].iter().any(|e| lower.contains(e)) {
        return false;
    }
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let name = segment.split(';').next().unwrap_or("");
        let last = segments.peek().is_none();
        if (name.is_empty() && !(last && segment.is_empty())) || name == "." || name == ".." {
            return false;
        }
    }
    true
}
