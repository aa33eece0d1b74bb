//! Here-documents.

use super::reader::{Read, Reader};
use super::{Part, Place, Word};
use std::cell::OnceCell;
use std::rc::Rc;

/// A here-document whose body comes after this line.
pub(super) struct Pending {
    pub(super) delimiter: String,
    pub(super) literal: bool,
    pub(super) strip: bool,
    pub(super) body: Rc<OnceCell<Word>>,
}

impl Reader<'_, '_> {
    /// Reads the body that begins here, up to and with its delimiter's line.
    pub(super) fn body(&mut self, pending: Pending) -> Read<()> {
        let from = self.pos;
        let mut text = String::new();
        let mut joined = false;
        loop {
            let rest = self.text.get(self.pos..).unwrap_or_default();
            if rest.is_empty() {
                self.pos = from;
                return self.problem(from, format!("the here-document has no end `{}`", pending.delimiter));
            }
            let line = rest.split_inclusive('\n').next().unwrap_or(rest);
            let bare = line.strip_suffix('\n').unwrap_or(line);
            let shown = if pending.strip { bare.trim_start_matches('\t') } else { bare };
            let ends = shown == pending.delimiter;
            if ends && joined {
                return self.problem(from, "a here-document's last line ends in a backslash");
            }
            if ends {
                let to = self.pos;
                // The newline after the delimiter is left for the list, as a separator.
                self.pos += bare.len();
                let span = self.place.span(from, to);
                let place = if pending.strip || pending.literal {
                    Place::Of(span)
                } else {
                    match self.place {
                        Place::At(base) => {
                            Place::At(base.saturating_add(u32::try_from(from).unwrap_or(u32::MAX)))
                        }
                        Place::Of(outer) => Place::Of(outer),
                    }
                };
                let parts = if pending.literal {
                    vec![Part::Text { text, quoted: true }]
                } else {
                    let mut inner = Reader::new(&text, place, self.budget);
                    inner.heredoc_parts()?
                };
                if self.peek() == Some(b'\n') {
                    self.pos += 1;
                    // Blank lines stand for the newline that ends the command's line.
                }
                // A body is filled once: each has its own cell.
                let _ = pending.body.set(Word { parts, span });
                return Ok(());
            }
            joined = !pending.literal && bare.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
            text.push_str(shown);
            text.push('\n');
            self.pos += line.len();
        }
    }
}
