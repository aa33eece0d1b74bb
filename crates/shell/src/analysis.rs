//! The door of this room: a command's text in, its effects out.

use crate::context::{Context, Input};
use crate::syntax::{self, Place};
use model::{AbsPath, AsWritten, Effect, Facts, Origin, Span};
use programs::Table;

/// What a command would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Everything it would do, in the order of the command. What is not understood is one of them.
    pub effects: Vec<Effect>,
    /// One spelling of the command as it was understood, invisible characters shown; `None` when it could not be read.
    pub canonical: Option<String>,
    /// What the person who reads the command should know: invisible, direction-changing and control characters.
    pub warnings: Vec<String>,
}

/// Says what a command would do in `cwd`, by what is known of the machine and of programs.
///
/// It never fails: a text that cannot be read, or is too long or too deep to judge, is one effect that is not understood.
#[must_use]
pub fn analyse(command: &str, cwd: &AbsPath, facts: &dyn Facts, table: &Table) -> Analysis {
    let mut cx = Context::new(facts, table, cwd);
    let canonical = walk(&mut cx, command);
    Analysis { effects: cx.effects, canonical, warnings: warnings(command) }
}

/// The simple commands of a text after expansion, each as its words, in the order in which they would run; unknown
/// parts as written. Empty when the text is not understood.
#[must_use]
pub fn commands(command: &str) -> Vec<Vec<String>> {
    let root = AbsPath::root();
    let facts = AsWritten::new(root.join("work"), root.join("home"));
    let table = Table::builtin();
    let mut cx = Context::new(&facts, &table, &facts.workspace);
    cx.listing = Some(Vec::new());
    match walk(&mut cx, command) {
        Some(_) => cx.listing.unwrap_or_default(),
        None => Vec::new(),
    }
}

fn walk(cx: &mut Context<'_>, command: &str) -> Option<String> {
    let whole = Span { from: 0, to: u32::try_from(command.len()).unwrap_or(u32::MAX) };
    if command.contains('\0') {
        cx.not_understood("sh", "the command holds a NUL byte", Origin::Inline, whole);
        return None;
    }
    match syntax::parse(command, Place::At(0)) {
        Ok(list) => {
            command.clone_into(&mut cx.source);
            cx.list(&list, Input::Inherit);
            Some(syntax::shown(&list))
        }
        Err(problem) => {
            cx.not_understood("sh", problem.why, Origin::Inline, problem.span);
            None
        }
    }
}

/// Characters that make a command look like another one.
fn warnings(command: &str) -> Vec<String> {
    if syntax::ordinary(command) {
        return Vec::new();
    }
    let mut found: Vec<char> = Vec::new();
    for c in command.chars() {
        if syntax::strange(c) && !found.contains(&c) && found.len() < 8 {
            found.push(c);
        }
    }
    found
        .into_iter()
        .map(|c| {
            let what = match c {
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
                    "changes the direction of the text"
                }
                c if c.is_control() => "is a control character",
                c if c.is_whitespace() => "looks like a space and is none for the shell",
                _ => "is invisible",
            };
            format!("the character `\\u{{{:x}}}` {what}", u32::from(c))
        })
        .collect()
}
