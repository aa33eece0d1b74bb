//! Roles: what a word of a command is to the program that gets it.

use serde::{Deserialize, Serialize};

/// What a word is to the program that gets it. The words of the table's format, described in `docs/programs.md`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Nothing to Ambit: a number, a pattern, a format, a message.
    Text,
    /// A path that is read; `-` is standard input.
    Read,
    /// A path that is written; `-` is standard output.
    Write,
    /// A path that is made.
    Create,
    /// A path that is lost.
    Delete,
    /// A path read with everything beneath it.
    ReadTree,
    /// A path written with everything beneath it.
    WriteTree,
    /// A path made with everything beneath it.
    CreateTree,
    /// A path lost with everything beneath it.
    DeleteTree,
    /// A directory whose names are listed, or a file whose metadata is shown.
    List,
    /// A destination: a file that is overwritten, or a directory into which the operands before it go.
    Into,
    /// A path that moves away.
    Move,
    /// The directory in which the rest happens.
    Chdir,
    /// A command line for the shell.
    Command,
    /// With everything after it, the words of a command.
    Argv,
    /// A program that is run with arguments not seen here.
    Program,
    /// A script file that this interpreter runs; the operands after it are its arguments.
    Script,
    /// A program text in the named language.
    Code(String),
    /// A URL that is fetched.
    Url,
    /// A URL that is sent to.
    UrlSend,
    /// A host that is connected to.
    Host,
    /// A host whose name is looked up or which is pinged.
    HostProbe,
    /// `[user@]host:path` or a local path.
    RemotePath,
    /// The same as destination.
    RemoteInto,
    /// Data that is sent; `@file` reads the file, `@-` standard input.
    Body,
    /// A git remote's name, URL or path.
    GitRemote,
    /// What is pushed or fetched.
    Refspec,
    /// A branch or commit.
    Branch,
    /// A package to be installed or published.
    Package,
    /// An account.
    User,
    /// A group.
    Group,
    /// A pid, name or pattern of processes.
    Process,
    /// A unit of the service manager.
    Service,
    /// `NAME=VALUE` put into the environment of what follows.
    Assign,
    /// `key=value` of a configuration that may name programs.
    Config,
    /// A database's URL, file or name.
    Database,
    /// A secret given in clear.
    Secret,
    /// Permission bits as `chmod` takes them.
    Mode,
    /// Present but not understood.
    Unknown,
}

/// The roles that are one word in the format, with their words.
const WORDS: &[(&str, Role)] = &[
    ("text", Role::Text),
    ("read", Role::Read),
    ("write", Role::Write),
    ("create", Role::Create),
    ("delete", Role::Delete),
    ("read-tree", Role::ReadTree),
    ("write-tree", Role::WriteTree),
    ("create-tree", Role::CreateTree),
    ("delete-tree", Role::DeleteTree),
    ("list", Role::List),
    ("into", Role::Into),
    ("move", Role::Move),
    ("chdir", Role::Chdir),
    ("command", Role::Command),
    ("argv", Role::Argv),
    ("program", Role::Program),
    ("script", Role::Script),
    ("url", Role::Url),
    ("url-send", Role::UrlSend),
    ("host", Role::Host),
    ("host-probe", Role::HostProbe),
    ("remote-path", Role::RemotePath),
    ("remote-into", Role::RemoteInto),
    ("body", Role::Body),
    ("git-remote", Role::GitRemote),
    ("refspec", Role::Refspec),
    ("branch", Role::Branch),
    ("package", Role::Package),
    ("user", Role::User),
    ("group", Role::Group),
    ("process", Role::Process),
    ("service", Role::Service),
    ("assign", Role::Assign),
    ("config", Role::Config),
    ("database", Role::Database),
    ("secret", Role::Secret),
    ("mode", Role::Mode),
    ("unknown", Role::Unknown),
];

impl Role {
    /// The role with this word; `code:LANG` for any language of lower-case letters, digits and `-`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        if let Some(language) = word.strip_prefix("code:") {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            return (!language.is_empty() && language.chars().all(plain))
                .then(|| Self::Code(language.to_owned()));
        }
        WORDS.iter().find(|(w, _)| *w == word).map(|(_, role)| role.clone())
    }

    /// The word of the format.
    #[must_use]
    pub fn word(&self) -> String {
        if let Self::Code(language) = self {
            return format!("code:{language}");
        }
        WORDS.iter().find(|(_, role)| role == self).map_or_else(String::new, |(word, _)| (*word).to_owned())
    }

    /// The same role for a path with everything beneath it; roles that have no such form stay.
    #[must_use]
    pub fn tree(&self) -> Self {
        match self {
            Self::Read => Self::ReadTree,
            Self::Write => Self::WriteTree,
            Self::Create => Self::CreateTree,
            Self::Delete => Self::DeleteTree,
            other => other.clone(),
        }
    }

    /// Whether a word of this role can do no more than be read or shown, whatever it says.
    #[must_use]
    pub fn only_shows(&self) -> bool {
        matches!(self, Self::Text | Self::Read | Self::ReadTree | Self::List)
    }
}

/// How often an operand stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// Exactly once.
    Once,
    /// Once or not at all (`?`).
    Optional,
    /// Any number of times (`*`).
    Any,
    /// Once or more (`+`).
    Some,
}

impl Times {
    /// Whether it may stand more than once.
    #[must_use]
    pub fn repeats(self) -> bool {
        matches!(self, Self::Any | Self::Some)
    }

    /// Whether it must stand.
    #[must_use]
    pub fn required(self) -> bool {
        matches!(self, Self::Once | Self::Some)
    }
}

/// One place in a list of operands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operand {
    /// What words in this place are.
    pub role: Role,
    /// How many words the place takes.
    pub times: Times,
}

impl Operand {
    /// Reads a list of operands such as `text read* into?`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write instead.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        let mut list = Vec::new();
        for word in text.split_whitespace() {
            let (name, times) = match word.strip_suffix(['?', '*', '+']) {
                Some(name) if word.ends_with('?') => (name, Times::Optional),
                Some(name) if word.ends_with('*') => (name, Times::Any),
                Some(name) => (name, Times::Some),
                None => (word, Times::Once),
            };
            let role = Role::from_word(name).ok_or_else(|| unknown_role(name))?;
            list.push(Self { role, times });
        }
        Self::check(&list)?;
        Ok(list)
    }

    fn check(list: &[Self]) -> Result<(), String> {
        if list.iter().filter(|o| o.times.repeats()).count() > 1 {
            // `env A=1 B=2 command args…`: assignments are told from the command by their form.
            let after_assignments = match list.split_first() {
                Some((first, rest)) if first.role == Role::Assign => rest,
                _ => list,
            };
            if after_assignments.iter().filter(|o| o.times.repeats()).count() > 1 {
                return Err("more than one operand repeats; at most one may have `*` or `+`".to_owned());
            }
        }
        for (at, operand) in list.iter().enumerate() {
            if operand.role != Role::Argv {
                continue;
            }
            if at + 1 != list.len() {
                return Err("something stands after `argv`; `argv` takes all that follows, so write it last"
                    .to_owned());
            }
            if operand.times.repeats() {
                return Err(
                    "`argv` has a sign; it takes all that follows by itself, so write `argv` or `argv?`"
                        .to_owned(),
                );
            }
            let before = list.get(..at).unwrap_or(&[]);
            if before.iter().any(|o| o.times != Times::Once && o.role != Role::Assign) {
                return Err(
                    "what stands before `argv` is optional, so that its beginning cannot be told; only `assign` may be"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    /// The list as the format writes it.
    #[must_use]
    pub fn show(list: &[Self]) -> String {
        let word = |o: &Self| {
            let sign = match o.times {
                Times::Once => "",
                Times::Optional => "?",
                Times::Any => "*",
                Times::Some => "+",
            };
            format!("{}{sign}", o.role.word())
        };
        list.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

/// The complaint about a word that is no role, with the nearest one.
fn unknown_role(word: &str) -> String {
    match nearest(word, WORDS.iter().map(|(w, _)| *w)) {
        Some(near) => format!("`{word}` is no role; did you mean `{near}`?"),
        None => {
            let all: Vec<&str> = WORDS.iter().map(|(w, _)| *w).collect();
            format!("`{word}` is no role; the roles are {} and code:LANG", all.join(", "))
        }
    }
}

/// The candidate that differs from `word` in at most two letters.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates.map(|c| (distance(word, c), c)).filter(|(d, _)| *d <= 2).min().map(|(_, c)| c)
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            left = (diagonal + usize::from(ca != *cb)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_one_word() {
        for (word, role) in WORDS {
            assert_eq!(Role::from_word(word).as_ref(), Some(role));
            assert_eq!(role.word(), *word);
        }
        assert_eq!(Role::from_word("code:sh").map(|r| r.word()).as_deref(), Some("code:sh"));
        assert_eq!(Role::from_word("code:"), None);
    }

    #[test]
    fn lists_are_read_and_shown() {
        let list = Operand::list("read+ into").unwrap();
        assert_eq!(Operand::show(&list), "read+ into");
        assert!(Operand::list("assign* argv").is_ok());
        assert!(Operand::list("text argv").is_ok());
    }

    #[test]
    fn bad_lists_say_why() {
        let said = |text: &str| Operand::list(text).unwrap_err();
        assert!(said("raed*").contains("did you mean `read`"));
        assert!(said("read* text*").contains("more than one"));
        assert!(said("argv text").contains("write it last"));
        assert!(said("text? argv").contains("cannot be told"));
        assert!(said("argv*").contains("has a sign"));
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }
}
