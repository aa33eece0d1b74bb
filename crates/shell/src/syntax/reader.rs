//! The cursor over the text, with the limits that hold for all of it.

use super::heredoc::Pending;
use super::{MAX_COMMANDS, MAX_NESTING, Place, Problem};
use model::Span;

/// What may still be read.
#[derive(Debug, Default)]
pub(super) struct Budget {
    pub(super) commands: u32,
    pub(super) depth: u32,
}

/// A cursor over a text.
pub(super) struct Reader<'t, 'b> {
    pub(super) text: &'t str,
    pub(super) pos: usize,
    pub(super) place: Place,
    pub(super) budget: &'b mut Budget,
    /// Here-documents of this line whose bodies begin on the next.
    pub(super) pending: Vec<Pending>,
}

pub(super) type Read<T> = Result<T, Problem>;

impl<'t, 'b> Reader<'t, 'b> {
    pub(super) fn new(text: &'t str, place: Place, budget: &'b mut Budget) -> Self {
        Self { text, pos: 0, place, budget, pending: Vec::new() }
    }

    /// The byte `n` places on.
    pub(super) fn byte(&self, n: usize) -> Option<u8> {
        self.text.as_bytes().get(self.pos + n).copied()
    }

    /// The byte here.
    pub(super) fn peek(&self) -> Option<u8> {
        self.byte(0)
    }

    pub(super) fn at(&self, what: &str) -> bool {
        self.text.get(self.pos..).is_some_and(|rest| rest.starts_with(what))
    }

    /// Goes past `what` if it stands here. A line continuation inside an operator is left to the caller to refuse.
    pub(super) fn eat(&mut self, what: &str) -> bool {
        let found = self.at(what);
        if found {
            self.pos += what.len();
        }
        found
    }

    /// The character here, and past it.
    pub(super) fn next_char(&mut self) -> Option<char> {
        let c = self.text.get(self.pos..)?.chars().next()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    /// The character here and all after it up to the first byte that `stops`, and past them. `stops` knows ASCII only.
    pub(super) fn run(&mut self, stops: impl Fn(u8) -> bool) -> &'t str {
        let from = self.pos;
        if self.next_char().is_some() {
            let rest = self.text.as_bytes().get(self.pos..).unwrap_or_default();
            self.pos += rest.iter().position(|b| b.is_ascii() && stops(*b)).unwrap_or(rest.len());
        }
        self.raw(from)
    }

    pub(super) fn span(&self, from: usize) -> Span {
        self.place.span(from, self.pos)
    }

    pub(super) fn raw(&self, from: usize) -> &'t str {
        self.text.get(from..self.pos).unwrap_or_default()
    }

    pub(super) fn problem<T>(&self, from: usize, why: impl Into<String>) -> Read<T> {
        Err(Problem {
            why: why.into(),
            span: self.place.span(from, self.pos.max(from + 1).min(self.text.len())),
        })
    }

    /// Goes one level down; [`Self::up`] goes back. Errors need no way back: they end the reading.
    pub(super) fn down(&mut self) -> Read<()> {
        self.budget.depth += 1;
        if self.budget.depth > MAX_NESTING {
            return self.problem(self.pos, "the command is too deep to judge (more than 40 levels)");
        }
        Ok(())
    }

    pub(super) fn up(&mut self) {
        self.budget.depth = self.budget.depth.saturating_sub(1);
    }

    pub(super) fn count_command(&mut self) -> Read<()> {
        self.budget.commands += 1;
        if self.budget.commands > MAX_COMMANDS {
            return self.problem(self.pos, "the command is too long to judge (more than 500 commands)");
        }
        Ok(())
    }

    /// Spaces, tabs and line continuations.
    pub(super) fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.pos += 1,
                Some(b'\\') if self.byte(1) == Some(b'\n') => self.pos += 2,
                _ => break,
            }
        }
    }

    /// Blanks and a comment.
    pub(super) fn blanks_and_comment(&mut self) {
        self.blanks();
        if self.peek() == Some(b'#') {
            while self.peek().is_some_and(|b| b != b'\n') {
                self.pos += 1;
            }
        }
    }

    /// Blanks, comments and newlines; bodies of here-documents are read where their line ends.
    pub(super) fn blank_lines(&mut self) -> Read<()> {
        loop {
            self.blanks_and_comment();
            if self.peek() != Some(b'\n') {
                return Ok(());
            }
            self.newline()?;
        }
    }

    /// The newline here, with the bodies that begin after it.
    pub(super) fn newline(&mut self) -> Read<()> {
        self.pos += 1;
        for pending in std::mem::take(&mut self.pending) {
            self.body(pending)?;
        }
        Ok(())
    }

    /// A newline inside quotes while a here-document waits for its body: shells differ in where that body begins.
    pub(super) fn no_pending(&self) -> Read<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.problem(
            self.pos,
            "a here-document whose line ends inside quotes or a substitution is not understood",
        )
    }

    /// Whether a word ends here.
    pub(super) fn at_word_end(&self) -> bool {
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'(' | b')') => true,
            Some(b'<' | b'>') => self.byte(1) != Some(b'('),
            Some(_) => false,
        }
    }

    /// The reserved word here, if the unquoted word here is one.
    pub(super) fn reserved(&self) -> Option<&'static str> {
        const WORDS: [&str; 20] = [
            "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac",
            "select", "function", "{", "}", "[[", "time", "!", "coproc",
        ];
        let rest = self.text.get(self.pos..)?;
        let end = rest
            .bytes()
            .position(|b| matches!(b, b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'(' | b')' | b'<' | b'>'))
            .unwrap_or(rest.len());
        let word = rest.get(..end)?;
        WORDS.into_iter().find(|w| *w == word)
    }

    /// The reserved word here is this one; goes past it.
    pub(super) fn eat_reserved(&mut self, word: &str) -> bool {
        let found = self.reserved() == Some(word);
        if found {
            self.pos += word.len();
        }
        found
    }

    /// A name (`[A-Za-z_][A-Za-z0-9_]*`) here, and past it.
    pub(super) fn name(&mut self) -> Option<&'t str> {
        let from = self.pos;
        if !self.peek().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') {
            return None;
        }
        while self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
            self.pos += 1;
        }
        Some(self.raw(from))
    }
}
