//! Walks over the characters of a small language.

/// A place in a text of a small language.
#[derive(Debug)]
pub(crate) struct Cursor {
    chars: Vec<char>,
    at: usize,
}

impl Cursor {
    pub(crate) fn new(text: &str) -> Self {
        Self { chars: text.chars().collect(), at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(crate) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    pub(crate) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    /// Takes the character if it is the next one.
    pub(crate) fn eat(&mut self, c: char) -> bool {
        let is = self.peek() == Some(c);
        if is {
            self.at += 1;
        }
        is
    }

    /// Takes characters while `test` holds.
    pub(crate) fn take_while(&mut self, test: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| test(*c)) {
            text.push(c);
            self.at += 1;
        }
        text
    }

    /// Takes the rest of the line without its end.
    pub(crate) fn line(&mut self) -> String {
        self.take_while(|c| c != '\n')
    }
}
