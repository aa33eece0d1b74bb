//! What looks closer at a place where no token begins.

/// What looks closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// `-----BEGIN … PRIVATE KEY-----`
    Pem,
    /// User and password in a URL.
    Url,
    /// `Bearer`, `Basic` and their like before a credential.
    Scheme,
    /// `-u user:password` and `--user`.
    User,
    /// `-p` before a password.
    Password,
    /// `name = value`, at a word of the name.
    Assign,
}
