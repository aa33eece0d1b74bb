//! A path parsed once: absolute and without `.`, `..` or doubled slashes.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

/// An absolute path whose components are all ordinary names.
///
/// Comparison is by component, so that `/a/bc` is not under `/a/b`. Symlinks are a fact about the machine and
/// are followed by [`crate::Facts::resolve`], not here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AbsPath(Utf8PathBuf);

/// Why a text is not an absolute path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The text does not begin with `/`.
    #[error("`{0}` is not an absolute path; give the path from the root")]
    Relative(String),
    /// The text holds a NUL byte, which no path can.
    #[error("the path holds a NUL byte, which no file name can; remove it")]
    Nul,
}

impl AbsPath {
    /// The root directory.
    #[must_use]
    pub fn root() -> Self {
        Self(Utf8PathBuf::from("/"))
    }

    /// Parses an absolute path and normalises it lexically.
    ///
    /// # Errors
    /// [`PathError`] when the text is relative or holds a NUL byte.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.contains('\0') {
            return Err(PathError::Nul);
        }
        if !text.starts_with('/') {
            return Err(PathError::Relative(text.to_owned()));
        }
        Ok(Self::normal(text))
    }

    /// `text` as seen from this directory: absolute texts stand for themselves.
    #[must_use]
    pub fn join(&self, text: &str) -> Self {
        if text.starts_with('/') { Self::normal(text) } else { Self::normal(&format!("{}/{text}", self.0)) }
    }

    fn normal(text: &str) -> Self {
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                name => parts.push(name),
            }
        }
        Self(Utf8PathBuf::from(format!("/{}", parts.join("/"))))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The path for the standard library's file functions.
    #[must_use]
    pub fn as_std(&self) -> &std::path::Path {
        self.0.as_std_path()
    }

    /// Whether this path is `ancestor` or lies beneath it.
    #[must_use]
    pub fn is_under(&self, ancestor: &AbsPath) -> bool {
        self.0.starts_with(&ancestor.0)
    }

    /// The directory that holds this path, if it is not the root.
    #[must_use]
    pub fn parent(&self) -> Option<AbsPath> {
        self.0.parent().map(|p| Self(p.to_owned()))
    }

    /// The last component, if this is not the root.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.file_name()
    }

    /// The components below the root.
    pub fn components(&self) -> impl Iterator<Item = &str> + '_ {
        self.0.as_str().split('/').filter(|c| !c.is_empty())
    }

    /// The path relative to `base`, if it lies beneath it.
    #[must_use]
    pub fn relative_to(&self, base: &AbsPath) -> Option<&Utf8Path> {
        self.0.strip_prefix(&base.0).ok()
    }
}

impl std::fmt::Display for AbsPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl TryFrom<String> for AbsPath {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, PathError> {
        Self::parse(&text)
    }
}

impl From<AbsPath> for String {
    fn from(path: AbsPath) -> String {
        path.0.into_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_and_compares_by_component() {
        let p = |s: &str| AbsPath::parse(s).unwrap();
        assert_eq!(p("/a/./b//../c/").as_str(), "/a/c");
        assert_eq!(p("/../..").as_str(), "/");
        assert_eq!(p("/a").join("../b/x").as_str(), "/b/x");
        assert!(p("/a/b").is_under(&p("/a")));
        assert!(!p("/ab").is_under(&p("/a")));
        assert!(AbsPath::parse("a/b").is_err());
        assert!(AbsPath::parse("/a\0b").is_err());
    }
}
