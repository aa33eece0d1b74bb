//! Words and what expands in them.

use super::quote::{push, push_char, push_text};
use super::reader::{Read, Reader};
use super::{Op, Parameter, Part, Place, Word};

/// What ends the text inside `${…}`.
#[derive(Clone, Copy, PartialEq)]
enum Stop {
    Brace,
    Slash,
    Bracket,
}

impl Reader<'_, '_> {
    /// The word here. `array`: whether `NAME=(` begins an array; `pattern`: whether parentheses belong to the word, as
    /// in `[[ x =~ (a|b) ]]`.
    pub(super) fn word(&mut self, array: bool, pattern: bool) -> Read<Word> {
        let from = self.pos;
        self.down()?;
        let mut parts = Vec::new();
        let mut open = 0_u32;
        loop {
            match self.peek() {
                Some(b'(') if pattern => {
                    self.pos += 1;
                    open += 1;
                    push_char(&mut parts, '(', false);
                }
                Some(b')') if open > 0 => {
                    self.pos += 1;
                    open -= 1;
                    push_char(&mut parts, ')', false);
                }
                Some(b'|') if pattern && (open > 0 || self.byte(1) != Some(b'|')) => {
                    self.pos += 1;
                    push_char(&mut parts, '|', false);
                }
                Some(b'(') if array && assigns(self.raw(from)) => {
                    self.pos += 1;
                    let elements = self.elements()?;
                    parts.push(Part::Array(elements));
                }
                Some(b'(') if parts.is_empty() => {
                    return self.problem(from, "a parenthesis where a word should stand");
                }
                _ if self.at_word_end() => break,
                Some(b'<' | b'>') => {
                    let at = self.pos;
                    let writes = self.peek() == Some(b'>');
                    self.pos += 2;
                    let list = self.nested(at)?;
                    parts.push(Part::Process { list, writes, span: self.span(at) });
                }
                Some(b'\\') => {
                    self.pos += 1;
                    match self.next_char() {
                        None => push_char(&mut parts, '\\', true),
                        Some('\n') => {}
                        Some(c) => push_char(&mut parts, c, true),
                    }
                }
                Some(b'\'') => {
                    self.pos += 1;
                    let part = self.single()?;
                    push(&mut parts, part);
                }
                Some(begin @ (b'"' | b'$' | b'`')) => self.begun(begin, false, &mut parts)?,
                _ => {
                    let text = self.run(|b| {
                        matches!(
                            b,
                            b' ' | b'\t'
                                | b'\n'
                                | b'|'
                                | b'&'
                                | b';'
                                | b'('
                                | b')'
                                | b'<'
                                | b'>'
                                | b'\\'
                                | b'\''
                                | b'"'
                                | b'$'
                                | b'`'
                        )
                    });
                    push_text(&mut parts, text, false);
                }
            }
        }
        if open > 0 {
            return self.problem(from, "a parenthesis is not closed in a pattern");
        }
        self.up();
        Ok(Word { parts, span: self.span(from) })
    }

    /// The elements of an array after its `(`.
    fn elements(&mut self) -> Read<Vec<Word>> {
        let from = self.pos;
        self.no_pending()?;
        let mut words = Vec::new();
        loop {
            self.blank_lines()?;
            match self.peek() {
                Some(b')') => {
                    self.pos += 1;
                    return Ok(words);
                }
                None | Some(b'&' | b'|' | b';' | b'(') => {
                    return self.problem(from, "the elements of an array are not understood");
                }
                _ if self.at_word_end() => {
                    return self.problem(from, "the elements of an array are not understood");
                }
                _ => words.push(self.word(false, false)?),
            }
        }
    }

    /// The commands of a substitution up to its `)`; the opener has been read.
    fn nested(&mut self, from: usize) -> Read<super::List> {
        self.down()?;
        let outer = std::mem::take(&mut self.pending);
        let list = self.list(&[])?;
        if self.peek() != Some(b')') {
            return self.problem(from, "a substitution is not closed");
        }
        self.pos += 1;
        self.no_pending()?;
        self.pending = outer;
        if self.raw(from).contains('\n') {
            self.no_pending()?;
        }
        self.up();
        Ok(list)
    }

    /// A backtick substitution; `inside` says whether it stands in double quotes.
    pub(super) fn backtick(&mut self, inside: bool) -> Read<Part> {
        let from = self.pos;
        self.pos += 1;
        self.down()?;
        let mut text = String::new();
        let mut literal = true;
        loop {
            match self.next_char() {
                None => return self.problem(from, "a backtick is not closed"),
                Some('`') => break,
                Some('\\') => match self.next_char() {
                    Some(c @ ('$' | '`' | '\\')) => {
                        literal = false;
                        text.push(c);
                    }
                    Some('"') if inside => {
                        return self
                            .problem(from, "a quoted quote in backticks inside quotes is not understood");
                    }
                    Some(c) => {
                        text.push('\\');
                        text.push(c);
                    }
                    None => return self.problem(from, "a backtick is not closed"),
                },
                Some(c) => text.push(c),
            }
        }
        if text.contains('\n') {
            self.no_pending()?;
        }
        let span = self.span(from);
        let place = match self.place {
            Place::At(base) if literal => {
                Place::At(base.saturating_add(u32::try_from(from + 1).unwrap_or(u32::MAX)))
            }
            _ => Place::Of(span),
        };
        let mut inner = Reader::new(&text, place, self.budget);
        let list = inner.script()?;
        self.up();
        Ok(Part::Command { list, span })
    }

    /// What begins with `$` here; `inside` says whether it stands in double quotes or the like.
    pub(super) fn dollar(&mut self, inside: bool) -> Read<Part> {
        let from = self.pos;
        self.pos += 1;
        match self.peek() {
            Some(b'\\') if self.byte(1) == Some(b'\n') => {
                self.problem(from, "a line continuation after `$` is not understood")
            }
            Some(b'\'') if !inside => {
                self.pos += 1;
                self.ansi()
            }
            Some(b'"') if !inside => {
                self.pos += 1;
                Ok(Part::Double(self.double()?))
            }
            Some(b'(') if self.byte(1) == Some(b'(') => {
                self.pos += 2;
                let parts = self.arithmetic(from)?;
                Ok(Part::Arithmetic { parts, span: self.span(from) })
            }
            Some(b'(') => {
                self.pos += 1;
                let list = self.nested(from)?;
                Ok(Part::Command { list, span: self.span(from) })
            }
            Some(b'[') => self.problem(from, "`$[…]` is an arithmetic form of old that is not understood"),
            Some(b'{') => {
                self.pos += 1;
                self.down()?;
                let part = self.parameter(from, inside)?;
                self.up();
                Ok(part)
            }
            Some(b) if b.is_ascii_alphabetic() || b == b'_' => {
                let name = self.name().unwrap_or_default().to_owned();
                Ok(self.plain(name, from))
            }
            Some(b) if b.is_ascii_digit() || matches!(b, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => {
                self.pos += 1;
                Ok(self.plain(char::from(b).to_string(), from))
            }
            _ => Ok(Part::Text { text: "$".to_owned(), quoted: inside }),
        }
    }

    fn plain(&self, name: String, from: usize) -> Part {
        let raw = self.raw(from).to_owned();
        Part::Parameter(Box::new(Parameter {
            name,
            subscript: None,
            op: Op::Value,
            span: self.span(from),
            raw,
        }))
    }

    /// The text of `((…))` after its opener, with its closer.
    pub(super) fn arithmetic(&mut self, from: usize) -> Read<Vec<Part>> {
        self.down()?;
        let mut parts = Vec::new();
        let mut open = 0_u32;
        loop {
            match self.peek() {
                None => return self.problem(from, "an arithmetic expression is not closed"),
                Some(b'(') => {
                    open += 1;
                    self.inside(&mut parts, true)?;
                }
                Some(b')') if open > 0 => {
                    open -= 1;
                    self.inside(&mut parts, true)?;
                }
                Some(b')') if self.byte(1) == Some(b')') => {
                    self.pos += 2;
                    self.up();
                    return Ok(parts);
                }
                Some(b')') => {
                    return self.problem(
                        from,
                        "`((` may be arithmetic or a subshell in a subshell; write a space between",
                    );
                }
                Some(b'\'' | b'"' | b'{' | b'}' | b'#') => {
                    return self.problem(from, "a quote, brace or base in arithmetic is not understood");
                }
                _ => self.inside(&mut parts, true)?,
            }
        }
    }

    /// `${…}` after its `${`.
    fn parameter(&mut self, from: usize, inside: bool) -> Read<Part> {
        let done = |reader: &Self, name: String, subscript: Option<Vec<Part>>, op: Op| {
            let raw = reader.raw(from).to_owned();
            Part::Parameter(Box::new(Parameter { name, subscript, op, span: reader.span(from), raw }))
        };
        if self.at("#}") || self.at("!}") {
            let name = self.next_char().map(String::from).unwrap_or_default();
            self.pos += 1;
            return Ok(done(self, name, None, Op::Value));
        }
        let length = self.eat("#");
        let indirect = !length && self.eat("!");
        let Some(name) = self.parameter_name() else {
            return self
                .problem(from, format!("`{}…` is an expansion that is not understood", self.raw(from)));
        };
        let mut subscript = None;
        if self.peek() == Some(b'[') {
            self.pos += 1;
            subscript = Some(self.until(Stop::Bracket, from, inside, true)?);
            self.pos += 1;
        }
        if length || indirect {
            let op = if length {
                Op::Length
            } else if self.peek() == Some(b'}') && selects_all(subscript.as_deref()) {
                Op::Names
            } else if (self.at("*}") || self.at("@}")) && subscript.is_none() {
                self.pos += 1;
                Op::Names
            } else {
                // What follows the name does not matter: the value of another variable's name is taken.
                Op::Indirect
            };
            if op == Op::Length && self.peek() != Some(b'}') {
                return self.problem(from, "the expansion `${#…}` is not understood");
            }
            if op == Op::Indirect {
                let _ = self.until(Stop::Brace, from, inside, true)?;
            }
            self.pos += 1;
            return Ok(done(self, name, subscript, op));
        }
        let op = self.operation(from, inside)?;
        if self.peek() != Some(b'}') {
            return self.problem(from, "an expansion `${…}` is not understood");
        }
        self.pos += 1;
        Ok(done(self, name, subscript, op))
    }

    fn parameter_name(&mut self) -> Option<String> {
        if let Some(name) = self.name() {
            return Some(name.to_owned());
        }
        let from = self.pos;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.pos += 1;
        }
        if self.pos == from
            && self.peek().is_some_and(|b| matches!(b, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!'))
        {
            self.pos += 1;
        }
        (self.pos > from).then(|| self.raw(from).to_owned())
    }

    fn operation(&mut self, from: usize, inside: bool) -> Read<Op> {
        let Some(b) = self.peek() else {
            return self.problem(from, "an expansion `${…}` is not closed");
        };
        let colon = b == b':' && matches!(self.byte(1), Some(b'-' | b'=' | b'+' | b'?'));
        match b {
            b'}' => Ok(Op::Value),
            _ if colon || matches!(b, b'-' | b'=' | b'+' | b'?') => {
                self.pos += usize::from(colon);
                let sign = self.next_char().unwrap_or('-');
                Ok(Op::Default { sign, colon, word: self.until(Stop::Brace, from, inside, false)? })
            }
            b':' => {
                self.pos += 1;
                Ok(Op::Slice { parts: self.until(Stop::Brace, from, true, false)? })
            }
            b'#' | b'%' => {
                self.pos += 1;
                let longest = self.peek() == Some(b);
                self.pos += usize::from(longest);
                let pattern = self.until(Stop::Brace, from, inside, true)?;
                Ok(Op::Trim { suffix: b == b'%', longest, pattern })
            }
            b'/' => {
                self.pos += 1;
                let all = self.eat("/");
                let anchor = if !all && self.eat("#") {
                    Some('#')
                } else if !all && self.eat("%") {
                    Some('%')
                } else {
                    None
                };
                let pattern = self.until(Stop::Slash, from, inside, true)?;
                let with =
                    if self.eat("/") { self.until(Stop::Brace, from, inside, true)? } else { Vec::new() };
                Ok(Op::Replace { all, anchor, pattern, with })
            }
            b'^' | b',' => {
                self.pos += 1;
                let all = self.peek() == Some(b);
                self.pos += usize::from(all);
                let pattern = self.until(Stop::Brace, from, inside, true)?;
                Ok(Op::Case { upper: b == b'^', all, pattern })
            }
            b'@' => {
                self.pos += 1;
                let sign = self.next_char().unwrap_or('?');
                Ok(Op::Transform(sign))
            }
            _ => self.problem(from, format!("`{}…` is an expansion that is not understood", self.raw(from))),
        }
    }

    /// The part that a double quote, a dollar or a backtick begins. `inside`: in double quotes.
    fn begun(&mut self, begin: u8, inside: bool, parts: &mut Vec<Part>) -> Read<()> {
        match begin {
            b'"' => {
                self.pos += 1;
                let inner = self.double()?;
                parts.push(Part::Double(inner));
            }
            b'`' => parts.push(self.backtick(inside)?),
            _ => {
                let part = self.dollar(inside)?;
                push(parts, part);
            }
        }
        Ok(())
    }

    /// The text inside `${…}` up to what stops it, which is left. `inside`: in double quotes, where single quotes are
    /// plain characters unless `quotes` (patterns).
    fn until(&mut self, stop: Stop, from: usize, inside: bool, quotes: bool) -> Read<Vec<Part>> {
        self.down()?;
        let mut parts = Vec::new();
        loop {
            match self.peek() {
                None => return self.problem(from, "an expansion `${…}` is not closed"),
                Some(b'}') if stop != Stop::Bracket => break,
                Some(b'/') if stop == Stop::Slash => break,
                Some(b']') if stop == Stop::Bracket => break,
                Some(b'{' | b'}') => {
                    return self.problem(from, "a brace inside `${…}` is not understood; quote it");
                }
                Some(b'[') if stop == Stop::Bracket => {
                    return self.problem(from, "a subscript inside a subscript is not understood");
                }
                Some(b'\'') if !inside || quotes => {
                    self.pos += 1;
                    let part = self.single()?;
                    push(&mut parts, part);
                }
                Some(begin @ (b'"' | b'$' | b'`')) => self.begun(begin, inside, &mut parts)?,
                Some(b'\\') => {
                    self.pos += 1;
                    match self.next_char() {
                        Some('\n') => {}
                        Some(c) => {
                            if inside && !quotes && !matches!(c, '$' | '`' | '"' | '\\' | '}') {
                                push_char(&mut parts, '\\', true);
                            }
                            push_char(&mut parts, c, true);
                        }
                        None => return self.problem(from, "an expansion `${…}` is not closed"),
                    }
                }
                Some(b'<' | b'>') if !inside && self.byte(1) == Some(b'(') => {
                    return self.problem(from, "a process substitution inside `${…}` is not understood");
                }
                first => {
                    if first == Some(b'\n') {
                        self.no_pending()?;
                    }
                    let text = self.run(|b| {
                        matches!(
                            b,
                            b'}' | b'/'
                                | b']'
                                | b'{'
                                | b'['
                                | b'\''
                                | b'"'
                                | b'$'
                                | b'`'
                                | b'\\'
                                | b'<'
                                | b'>'
                                | b'\n'
                        )
                    });
                    push_text(&mut parts, text, inside && !quotes);
                }
            }
        }
        self.up();
        Ok(parts)
    }
}

/// Whether a subscript is `@` or `*`.
pub(crate) fn selects_all(subscript: Option<&[Part]>) -> bool {
    matches!(subscript, Some([Part::Text { text, .. }]) if text == "@" || text == "*")
}

/// Whether `raw` is `NAME=` or `NAME+=`.
fn assigns(raw: &str) -> bool {
    let name = raw.strip_suffix('=').map(|n| n.strip_suffix('+').unwrap_or(n));
    name.is_some_and(is_name)
}

/// Whether a text is a variable's name.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
