//! Redirections as they are written.

use super::heredoc::Pending;
use super::reader::{Read, Reader};
use super::{Part, Redirect, RedirectKind, Word};
use std::cell::OnceCell;
use std::rc::Rc;

impl Reader<'_, '_> {
    /// The redirection here, if there is one.
    pub(super) fn redirect(&mut self) -> Read<Option<Redirect>> {
        let from = self.pos;
        let mut fd = None;
        let mut fd_name = None;
        if self.eat("{") {
            let name = self.name().map(str::to_owned);
            if name.is_none() || !self.eat("}") || !matches!(self.peek(), Some(b'<' | b'>')) {
                self.pos = from;
                return Ok(None);
            }
            fd_name = name;
        } else {
            while self.peek().is_some_and(|b| b.is_ascii_digit()) {
                self.pos += 1;
            }
            if self.pos > from {
                if !matches!(self.peek(), Some(b'<' | b'>')) {
                    self.pos = from;
                    return Ok(None);
                }
                fd = Some(self.raw(from).parse().unwrap_or(u32::MAX));
            }
        }
        let numbered = fd.is_some() || fd_name.is_some();
        if !numbered && matches!(self.peek(), Some(b'<' | b'>')) && self.byte(1) == Some(b'(') {
            return Ok(None);
        }
        let operators: [(&str, RedirectKind); 13] = [
            ("<<<", RedirectKind::HereString),
            ("<<-", RedirectKind::HereDoc { literal: false }),
            ("<<", RedirectKind::HereDoc { literal: false }),
            ("<>", RedirectKind::ReadWrite),
            ("<&", RedirectKind::DupIn),
            ("<", RedirectKind::Read),
            (">>", RedirectKind::Append),
            (">|", RedirectKind::Write),
            (">&", RedirectKind::DupOut),
            (">", RedirectKind::Write),
            ("&>>", RedirectKind::Both),
            ("&>", RedirectKind::Both),
            ("", RedirectKind::Read),
        ];
        let found =
            operators.into_iter().find(|(sign, _)| self.at(sign) && (!numbered || !sign.starts_with('&')));
        let Some((sign, mut kind)) = found.filter(|(sign, _)| !sign.is_empty()) else {
            self.pos = from;
            return Ok(None);
        };
        self.pos += sign.len();
        if self.at("\\\n") {
            return self.problem(from, "a line continuation right after an operator is not understood");
        }
        self.blanks();
        if self.at_word_end() {
            return self.problem(from, "a redirection has no target");
        }
        let at = self.pos;
        let target = self.word(false, false)?;
        let span = self.span(from);
        let mut body = None;
        if let RedirectKind::HereDoc { .. } = kind {
            let raw = self.raw(at);
            if raw.contains(['$', '`', '\n']) || raw.contains("<(") || raw.contains(">(") {
                return self.problem(at, "the delimiter of a here-document is not understood");
            }
            let (delimiter, literal) = delimiter(&target);
            let cell = Rc::new(OnceCell::new());
            self.pending.push(Pending { delimiter, literal, strip: sign == "<<-", body: Rc::clone(&cell) });
            kind = RedirectKind::HereDoc { literal };
            body = Some(cell);
        }
        Ok(Some(Redirect { fd, fd_name, kind, target, body, span }))
    }
}

/// The delimiter of a here-document without its quotes, and whether it had any.
fn delimiter(word: &Word) -> (String, bool) {
    let mut text = String::new();
    let mut literal = false;
    for part in &word.parts {
        match part {
            Part::Text { text: t, quoted } => {
                text.push_str(t);
                literal |= *quoted;
            }
            Part::Double(parts) => {
                literal = true;
                for part in parts {
                    if let Part::Text { text: t, .. } = part {
                        text.push_str(t);
                    }
                }
            }
            _ => {}
        }
    }
    (text, literal)
}
