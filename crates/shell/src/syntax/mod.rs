//! The grammar of bash, read into a small tree of our own.
//!
//! The world is closed: what this reader does not know for certain is a [`Problem`] that names the construct, and the
//! whole text is then not understood. It never guesses how bash would go on.

mod agree;
mod grammar;
mod heredoc;
mod quote;
mod reader;
mod redirect;
mod show;
mod word;

use model::Span;
use std::cell::OnceCell;
use std::rc::Rc;

pub(crate) use grammar::assignment;
pub(crate) use show::{ordinary, shown, strange};
pub(crate) use word::{is_name, selects_all};

/// The longest text that is read, in bytes.
pub(crate) const MAX_BYTES: usize = 100_000;
/// The most simple commands in a text.
pub(crate) const MAX_COMMANDS: u32 = 500;
/// The deepest nesting of commands, quotes and substitutions.
pub(crate) const MAX_NESTING: u32 = 40;

/// Why a text is not understood, and where.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    pub(crate) why: String,
    pub(crate) span: Span,
}

/// Commands one after the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct List {
    pub(crate) items: Vec<Item>,
}

/// Pipelines joined by `&&` and `||`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) first: Pipeline,
    /// `true` for `&&`.
    pub(crate) rest: Vec<(bool, Pipeline)>,
    pub(crate) background: bool,
}

/// Commands joined by pipes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pipeline {
    pub(crate) negated: bool,
    pub(crate) timed: bool,
    pub(crate) commands: Vec<Command>,
}

/// A command with its redirections.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Command {
    pub(crate) kind: Kind,
    pub(crate) redirects: Vec<Redirect>,
    pub(crate) span: Span,
}

/// The kinds of commands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Simple {
        assignments: Vec<Assignment>,
        words: Vec<Word>,
    },
    Subshell(List),
    Group(List),
    If {
        arms: Vec<(List, List)>,
        otherwise: Option<List>,
    },
    /// `for NAME in WORDS`, and `select`. Without `in` the positional parameters are meant.
    For {
        name: String,
        words: Option<Vec<Word>>,
        body: List,
        select: bool,
    },
    /// `for ((a; b; c))`.
    Count {
        head: Vec<Part>,
        body: List,
    },
    While {
        condition: List,
        body: List,
        until: bool,
    },
    Case {
        word: Word,
        arms: Vec<(Vec<Word>, List)>,
    },
    /// `[[ … ]]`.
    Test(Vec<TestItem>),
    /// `(( … ))`.
    Arithmetic(Vec<Part>),
    Function {
        name: String,
        body: Rc<Command>,
    },
    Coproc(Box<Command>),
}

/// A part of `[[ … ]]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TestItem {
    /// `-f`, `==`, `&&`, `(` …
    Operator(String),
    Operand(Word),
}

/// `NAME=VALUE`, `NAME+=VALUE`, `NAME[I]=VALUE`, `NAME=(…)`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    /// The parts between the brackets.
    pub(crate) subscript: Option<Vec<Part>>,
    pub(crate) append: bool,
    pub(crate) value: Word,
}

/// A redirection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Redirect {
    /// The descriptor that is redirected, as far as it is a number.
    pub(crate) fd: Option<u32>,
    /// `{NAME}>`: the variable that gets the descriptor.
    pub(crate) fd_name: Option<String>,
    pub(crate) kind: RedirectKind,
    pub(crate) target: Word,
    /// The body of a here-document, filled in when its line is reached.
    pub(crate) body: Option<Rc<OnceCell<Word>>>,
    pub(crate) span: Span,
}

/// The kinds of redirections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RedirectKind {
    /// `<`
    Read,
    /// `>` and `>|`
    Write,
    /// `>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `&>` and `&>>`
    Both,
    /// `>&`
    DupOut,
    /// `<&`
    DupIn,
    /// `<<<`
    HereString,
    /// `<<` and `<<-`; whether its text is taken literally
    HereDoc { literal: bool },
}

/// A word.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Word {
    pub(crate) parts: Vec<Part>,
    pub(crate) span: Span,
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// Text as such. What is not quoted may still be a pattern, a tilde or braces.
    Text { text: String, quoted: bool },
    /// `"…"`
    Double(Vec<Part>),
    /// `$X`, `${X…}`
    Parameter(Box<Parameter>),
    /// `$(…)` and backticks
    Command { list: List, span: Span },
    /// `$((…))`
    Arithmetic { parts: Vec<Part>, span: Span },
    /// `<(…)` and `>(…)`
    Process { list: List, writes: bool, span: Span },
    /// `(…)` of an array assignment
    Array(Vec<Word>),
}

/// A parameter expansion.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    /// A name, a number, or one of `@ * # ? - $ !`.
    pub(crate) name: String,
    /// The parts between the brackets.
    pub(crate) subscript: Option<Vec<Part>>,
    pub(crate) op: Op,
    pub(crate) span: Span,
    /// As written.
    pub(crate) raw: String,
}

/// What a parameter expansion does with the value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Op {
    /// Nothing.
    Value,
    /// `${#x}`
    Length,
    /// `${!x}`
    Indirect,
    /// `${!x@}`, `${!x[@]}`: names or keys.
    Names,
    /// `${x:-w}` and its kin; the sign is one of `- = + ?`.
    Default { sign: char, colon: bool, word: Vec<Part> },
    /// `${x#p}`, `##`, `%`, `%%`
    Trim { suffix: bool, longest: bool, pattern: Vec<Part> },
    /// `${x/p/r}`; `all` for `//`, the anchor `#` or `%` if any.
    Replace { all: bool, anchor: Option<char>, pattern: Vec<Part>, with: Vec<Part> },
    /// `${x^p}`, `^^`, `,`, `,,`
    Case { upper: bool, all: bool, pattern: Vec<Part> },
    /// `${x:o:l}`
    Slice { parts: Vec<Part> },
    /// `${x@Q}`
    Transform(char),
}

/// Reads a whole text.
///
/// `place` says where the text stands in the outermost one: its first byte there, or, when it does not stand there
/// literally, the span of the word it comes from.
pub(crate) fn parse(text: &str, place: Place) -> Result<List, Problem> {
    let whole = place.span(0, text.len());
    if text.len() > MAX_BYTES {
        return Err(Problem {
            why: format!("the command is too long to judge (more than {} kB)", MAX_BYTES / 1000),
            span: whole,
        });
    }
    let mut budget = reader::Budget::default();
    let list = reader::Reader::new(text, place, &mut budget).script()?;
    agree::check(text, &list, place)?;
    Ok(list)
}

/// Where a text stands in the outermost text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// It begins at this byte.
    At(u32),
    /// It comes from this word.
    Of(Span),
}

impl Place {
    fn span(self, from: usize, to: usize) -> Span {
        let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        match self {
            Self::At(base) => Span { from: base.saturating_add(at(from)), to: base.saturating_add(at(to)) },
            Self::Of(span) => span,
        }
    }
}

impl Word {
    /// The text of a word that is one piece of unquoted text.
    pub(crate) fn bare(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text { text, quoted: false }] => Some(text),
            _ => None,
        }
    }
}
