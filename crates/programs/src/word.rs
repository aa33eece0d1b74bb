//! A word of a command after expansion: what is known of it, and what is not.

use model::Span;

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Piece {
    /// Text that is known.
    Text(String),
    /// An unquoted pattern (`*`, `?`, `[a-z]`), which the shell replaces by file names.
    Glob(String),
    /// Something that is not known before the command runs, as written (`$X`, `$(date)`).
    Unknown(String),
}

/// A word of a command after expansion.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its parts in order; none for an empty word.
    pub pieces: Vec<Piece>,
    /// Where it stands in the command.
    pub span: Span,
    /// Whether it may become any number of words (an unquoted expansion or a pattern): then what follows it may
    /// stand at another position than it seems.
    pub many: bool,
}

impl Field {
    /// A word that is known whole.
    #[must_use]
    pub fn text(text: impl Into<String>, span: Span) -> Self {
        let text = text.into();
        let pieces = if text.is_empty() { Vec::new() } else { vec![Piece::Text(text)] };
        Self { pieces, span, many: false }
    }

    /// A word of which nothing is known; `as_written` is for the person who reads it.
    #[must_use]
    pub fn unknown(as_written: impl Into<String>, span: Span, many: bool) -> Self {
        Self { pieces: vec![Piece::Unknown(as_written.into())], span, many }
    }

    /// The whole text, when all of it is known and none of it is a pattern.
    #[must_use]
    pub fn known(&self) -> Option<String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(t) => text.push_str(t),
                Piece::Glob(_) | Piece::Unknown(_) => return None,
            }
        }
        Some(text)
    }

    /// The known text it begins with.
    #[must_use]
    pub fn prefix(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(t) => text.push_str(t),
                Piece::Glob(_) | Piece::Unknown(_) => break,
            }
        }
        text
    }

    /// Whether any part of it is not known before the command runs.
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        self.pieces.iter().any(|p| matches!(p, Piece::Unknown(_)))
    }

    /// Whether any part of it is a pattern.
    #[must_use]
    pub fn has_glob(&self) -> bool {
        self.pieces.iter().any(|p| matches!(p, Piece::Glob(_)))
    }

    /// The word for the person who reads it: known text, patterns and unknown parts as written.
    #[must_use]
    pub fn shown(&self) -> String {
        self.pieces
            .iter()
            .map(|p| match p {
                Piece::Text(t) | Piece::Glob(t) | Piece::Unknown(t) => t.as_str(),
            })
            .collect()
    }

    /// The word without its first `bytes` bytes of known text, as the value in `--option=value`.
    /// `None` when fewer bytes than that are known.
    #[must_use]
    pub fn strip(&self, bytes: usize) -> Option<Self> {
        let mut left = bytes;
        let mut pieces = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(t) if left > 0 => {
                    let rest = t.get(left.min(t.len())..)?;
                    left -= left.min(t.len());
                    if !rest.is_empty() {
                        pieces.push(Piece::Text(rest.to_owned()));
                    }
                }
                _ if left > 0 => return None,
                other => pieces.push(other.clone()),
            }
        }
        (left == 0).then_some(Self { pieces, span: self.span, many: self.many })
    }
}
