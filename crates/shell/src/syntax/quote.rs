//! Quoting: what a quoted text stands for.

use super::Part;
use super::reader::{Read, Reader};

impl Reader<'_, '_> {
    /// `'…'` after its first quote.
    pub(super) fn single(&mut self) -> Read<Part> {
        let from = self.pos;
        let rest = self.text.get(from..).unwrap_or_default();
        let Some(len) = rest.find('\'') else {
            return self.problem(from, "a single quote is not closed");
        };
        let text = rest.get(..len).unwrap_or_default();
        if text.contains('\n') {
            self.no_pending()?;
        }
        self.pos += len + 1;
        Ok(Part::Text { text: text.to_owned(), quoted: true })
    }

    /// `$'…'` after its first quote.
    pub(super) fn ansi(&mut self) -> Read<Part> {
        let from = self.pos;
        let mut text = String::new();
        loop {
            match self.next_char() {
                None => return self.problem(from, "a `$'` quote is not closed"),
                Some('\'') => return Ok(Part::Text { text, quoted: true }),
                Some('\n') => {
                    self.no_pending()?;
                    text.push('\n');
                }
                Some('\\') => match self.ansi_escape() {
                    Some(c) => text.push_str(&c),
                    None => return self.problem(from, "an escape in a `$'…'` quote is not understood"),
                },
                Some(c) => text.push(c),
            }
        }
    }

    fn ansi_escape(&mut self) -> Option<String> {
        let c = self.next_char()?;
        let plain = match c {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'e' | 'E' => '\u{1b}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '\'' | '"' | '?' => c,
            'x' => return self.digits(16, 2, 0x7f, 0),
            'u' => return self.digits(16, 4, 0x0010_ffff, 0),
            'U' => return self.digits(16, 8, 0x0010_ffff, 0),
            '0'..='7' => {
                let first = c.to_digit(8)?;
                return self.digits(8, 2, 0x7f, first);
            }
            _ => return None,
        };
        Some(plain.to_string())
    }

    /// Up to `most` digits after `first`. NUL ends the text in bash, and bytes above `limit` are no characters: neither
    /// is understood.
    fn digits(&mut self, base: u32, most: usize, limit: u32, first: u32) -> Option<String> {
        let mut value = first;
        let mut count = usize::from(base == 8);
        for _ in 0..most {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(base)) else { break };
            value = value.checked_mul(base)?.checked_add(digit)?;
            count += 1;
            self.pos += 1;
        }
        if count == 0 || value == 0 || value > limit {
            return None;
        }
        char::from_u32(value).map(String::from)
    }

    /// `"…"` after its first quote.
    pub(super) fn double(&mut self) -> Read<Vec<Part>> {
        let from = self.pos;
        self.down()?;
        let mut parts = Vec::new();
        loop {
            match self.peek() {
                None => {
                    self.pos = from;
                    return self.problem(from, "a double quote is not closed");
                }
                Some(b'"') => {
                    self.pos += 1;
                    self.up();
                    return Ok(parts);
                }
                _ => self.inside(&mut parts, true)?,
            }
        }
    }

    /// The body of a here-document, whole.
    pub(super) fn heredoc_parts(&mut self) -> Read<Vec<Part>> {
        let mut parts = Vec::new();
        while self.peek().is_some() {
            self.inside(&mut parts, false)?;
        }
        Ok(parts)
    }

    /// One step inside double quotes, a here-document or arithmetic (`quote`: whether `\"` stands for `"`).
    pub(super) fn inside(&mut self, parts: &mut Vec<Part>, quote: bool) -> Read<()> {
        match self.peek() {
            Some(b'$') => {
                let part = self.dollar(true)?;
                push(parts, part);
            }
            Some(b'`') => {
                let part = self.backtick(quote)?;
                parts.push(part);
            }
            Some(b'\\') => {
                self.pos += 1;
                match self.peek() {
                    Some(b'\n') => self.pos += 1,
                    Some(b @ (b'$' | b'`' | b'\\')) => {
                        self.pos += 1;
                        push_char(parts, char::from(b), true);
                    }
                    Some(b'"') if quote => {
                        self.pos += 1;
                        push_char(parts, '"', true);
                    }
                    _ => push_char(parts, '\\', true),
                }
            }
            first => {
                if first == Some(b'\n') {
                    self.no_pending()?;
                }
                // What any of the callers looks at ends the run.
                let text = self.run(|b| {
                    matches!(b, b'$' | b'`' | b'\\' | b'"' | b'\n' | b'(' | b')' | b'\'' | b'{' | b'}' | b'#')
                });
                push_text(parts, text, true);
            }
        }
        Ok(())
    }
}

/// Adds a character.
pub(super) fn push_char(parts: &mut Vec<Part>, c: char, quoted: bool) {
    push_text(parts, c.encode_utf8(&mut [0; 4]), quoted);
}

/// Adds a text, joined to the one before when that is of the same kind.
pub(super) fn push_text(parts: &mut Vec<Part>, text: &str, quoted: bool) {
    match parts.last_mut() {
        Some(Part::Text { text: before, quoted: was }) if *was == quoted => before.push_str(text),
        _ => parts.push(Part::Text { text: text.to_owned(), quoted }),
    }
}

/// Adds a part, joined to the one before when both are text of the same kind.
pub(super) fn push(parts: &mut Vec<Part>, part: Part) {
    match part {
        Part::Text { text, quoted } if !parts.is_empty() => push_text(parts, &text, quoted),
        other => parts.push(other),
    }
}
