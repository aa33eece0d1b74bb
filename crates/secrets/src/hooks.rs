//! Literals, other than the prefixes of tokens, at which a closer look begins. Part of the build script too.

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
    /// `name = value`, at a word of the name.
    Assign,
}

/// Literals in small letters (case does not matter in the text) and who looks.
pub(crate) const HOOKS: &[(&str, Hook)] = &[
    ("begin ", Hook::Pem),
    ("://", Hook::Url),
    ("bearer", Hook::Scheme),
    ("basic", Hook::Scheme),
    ("-u ", Hook::User),
    ("--user", Hook::User),
    ("pass", Hook::Assign),
    ("pwd", Hook::Assign),
    ("pswd", Hook::Assign),
    ("psw", Hook::Assign),
    ("_pw", Hook::Assign),
    ("_pat", Hook::Assign),
    ("secret", Hook::Assign),
    ("token", Hook::Assign),
    ("key", Hook::Assign),
    ("auth", Hook::Assign),
    ("cred", Hook::Assign),
    ("cookie", Hook::Assign),
    ("session", Hook::Assign),
    ("salt", Hook::Assign),
    ("signature", Hook::Assign),
    ("sig=", Hook::Assign),
    ("webhook", Hook::Assign),
    ("mnemonic", Hook::Assign),
    ("identified by", Hook::Assign),
];
