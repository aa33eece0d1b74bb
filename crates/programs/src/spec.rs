//! An entry of the table: what a program or sub-command does with its options and operands.

use crate::role::{Operand, Role};
use crate::template::{Fact, Template};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Readers built into Ambit for what a table cannot say. An entry may name no other.
pub const READERS: &[&str] = &[
    "awk",
    "aws",
    "bash",
    "cargo",
    "chmod",
    "crontab",
    "curl",
    "dd",
    "docker",
    "echo",
    "env",
    "find",
    "gh",
    "git",
    "jq",
    "kill",
    "kubectl",
    "ln",
    "make",
    "mysql",
    "node",
    "none",
    "npm",
    "parallel",
    "perl",
    "pip",
    "printf",
    "psql",
    "python",
    "redis",
    "responses",
    "rsync",
    "ruby",
    "scp",
    "sed",
    "sqlite",
    "ssh",
    "su",
    "sudo",
    "tar",
    "tee",
    "terraform",
    "test",
    "uv",
    "wget",
    "xargs",
    "yarn",
];

/// A program as the table describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Program {
    /// Its name.
    pub name: String,
    /// The file that describes it.
    pub file: String,
    /// What it does.
    pub spec: Spec,
}

/// How options are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Syntax {
    /// GNU's: `--opt=value`, clustered short options, operands and options mixed.
    Gnu,
    /// As GNU's, but the first operand ends the options.
    Posix,
    /// As GNU's, long options never abbreviated unless `abbrev` says so, `-o=value` allowed.
    Clap,
    /// Long options with one dash, `-name value` or `-name=value`; no clusters.
    Dash,
    /// No options at all.
    None,
}

impl Syntax {
    /// The words of the format.
    pub const WORDS: &[(&str, Syntax)] = &[
        ("gnu", Self::Gnu),
        ("posix", Self::Posix),
        ("clap", Self::Clap),
        ("dash", Self::Dash),
        ("none", Self::None),
    ];
}

/// What a program or one of its sub-commands does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Spec {
    /// What it does, in a few words, third person.
    pub about: String,
    /// Where the facts come from: man page, `--help` or documentation, with version. Empty for a sub-command whose
    /// program says it.
    pub source: String,
    /// Other names of the same.
    pub aliases: Vec<String>,
    /// How its options are written.
    pub syntax: Syntax,
    /// Whether unambiguous beginnings of long options are accepted.
    pub abbrev: bool,
    /// Options without a value and without an effect.
    pub flags: Vec<String>,
    /// Options with a value or a meaning.
    pub options: Vec<OptionSpec>,
    /// What its operands are; `None` when no operand is understood.
    pub operands: Option<Vec<Operand>>,
    /// The operands assumed when none is given.
    pub default: Vec<String>,
    /// Its effects besides those of its operands.
    pub effects: Vec<Template>,
    /// Its sub-commands by name.
    pub sub: BTreeMap<String, Sub>,
    /// Other names of sub-commands, each with the name under which `sub` has it.
    pub sub_aliases: BTreeMap<String, String>,
    /// Whether it is itself a command when no sub-command is named (`sub_default = "self"`).
    pub itself: bool,
    /// Whether a sub-command also takes the options of what stands above it.
    pub inherit: bool,
    /// The reader that sees the matched words.
    pub reader: Option<String>,
    /// Whether what it reads from standard input is data and not code.
    pub harmless_stdin: bool,
    /// Whether it does nothing but read standard input and its operands and print, whatever options it is given.
    pub filter: bool,
    /// Why every use of it is not understood.
    pub why: Option<String>,
}

/// A sub-command, which entries of the built-in table keep encoded until it is wanted (so that `git` with its many is
/// found as soon as `ls`).
#[derive(Debug, Clone)]
pub enum Sub {
    /// Decoded.
    Open(Arc<Spec>),
    /// Encoded.
    Packed(&'static [u8]),
}

impl Sub {
    /// The sub-command's entry; `None` only if the encoded form is damaged.
    #[must_use]
    pub fn spec(&self) -> Option<Arc<Spec>> {
        match self {
            Self::Open(spec) => Some(Arc::clone(spec)),
            Self::Packed(bytes) => postcard::from_bytes(bytes).ok().map(Arc::new),
        }
    }
}

impl PartialEq for Sub {
    fn eq(&self, other: &Self) -> bool {
        self.spec() == other.spec()
    }
}

impl Eq for Sub {}

impl Serialize for Sub {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        if serializer.is_human_readable() {
            return self.spec().ok_or_else(|| S::Error::custom("damaged table"))?.serialize(serializer);
        }
        let bytes = match self {
            Self::Open(spec) => Cow::Owned(postcard::to_stdvec(spec.as_ref()).map_err(S::Error::custom)?),
            Self::Packed(bytes) => Cow::Borrowed(*bytes),
        };
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de: 'static> Deserialize<'de> for Sub {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de: 'static> serde::de::Visitor<'de> for Bytes {
            type Value = Sub;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an encoded sub-command")
            }
            fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Sub, E> {
                Ok(Sub::Packed(bytes))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// An option with a value or a meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OptionSpec {
    /// Its spellings; the first is the one by which it is known.
    pub names: Vec<String>,
    /// The roles of its values; empty for a flag.
    pub values: Vec<Role>,
    /// Whether it takes its value only when attached.
    pub attached: bool,
    /// The name under which templates find the value.
    pub name: Option<String>,
    /// Facts that it sets on the command's effects.
    pub facts: Vec<(String, Fact)>,
    /// Effects in addition.
    pub effects: Vec<Template>,
    /// What the operands are instead while it is present.
    pub operands: Option<Vec<Operand>>,
    /// How many of the first operands' roles fall away.
    pub drop_operands: u8,
    /// Whether operands are meant with everything beneath them.
    pub recursive: bool,
    /// Whether nothing is changed, and what would be done is printed.
    pub dry: bool,
    /// Whether nothing is done but printing.
    pub stop: bool,
    /// Why the command is not understood with it.
    pub why: Option<String>,
}

impl OptionSpec {
    /// Whether the option, whatever its value, does nothing but change what is shown.
    #[must_use]
    pub fn only_shows(&self) -> bool {
        self.why.is_none()
            && self.effects.is_empty()
            && self.facts.is_empty()
            && self.values.iter().all(Role::only_shows)
            && self.operands.iter().flatten().all(|o| o.role.only_shows())
    }
}

impl Spec {
    /// The sub-command with this name or alias: its own name and its entry.
    #[must_use]
    pub fn sub(&self, name: &str) -> Option<(String, Arc<Spec>)> {
        let name = self.sub_aliases.get(name).map_or(name, String::as_str);
        self.sub.get(name)?.spec().map(|spec| (name.to_owned(), spec))
    }

    /// Whether the entry has sub-commands.
    #[must_use]
    pub fn has_sub(&self) -> bool {
        !self.sub.is_empty()
    }
}

/// An example of an entry, which runs as a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The program.
    pub program: String,
    /// The file that has it.
    pub file: String,
    /// The line, counted from 1, at which it stands.
    pub line: u32,
    /// The command.
    pub command: String,
    /// What must come of it.
    pub expect: Expect,
}

/// What must come of an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Exactly these effects, each as `KIND TARGET`, in any order.
    Effects(Vec<String>),
    /// These effects among others.
    Includes(Vec<String>),
    /// It is not understood, and the explanation holds this text.
    NotUnderstood(String),
}
