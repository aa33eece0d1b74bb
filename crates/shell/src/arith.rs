//! Arithmetic: what it may run. A variable's value is itself an expression there, and subscripts hold substitutions, so
//! that only numbers are harmless.

use crate::context::Context;
use crate::state::Value;
use crate::syntax::{Parameter, Part};
use model::Span;
use programs::Piece;

impl Context<'_> {
    /// Walks an arithmetic expression: substitutions for their effects, variables for what their values may run.
    pub(crate) fn arithmetic(&mut self, parts: &[Part], span: Span) {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text { text: t, .. } => text.push_str(t),
                Part::Double(inner) => {
                    self.arithmetic(inner, span);
                    text.push('0');
                }
                Part::Parameter(p) => {
                    let value = self.value_quoted(std::slice::from_ref(part), span);
                    self.must_be_number(&value, p, span);
                    text.push('0');
                }
                Part::Command { .. } | Part::Arithmetic { .. } | Part::Process { .. } | Part::Array(_) => {
                    let value = self.value_quoted(std::slice::from_ref(part), span);
                    if !self.is_number(&value) && !value.known().is_some_and(|t| Value::text(t).number) {
                        let written = value.field(span).shown();
                        self.opaque(
                            &written,
                            format!("`{written}` is evaluated as arithmetic, and its text is not known"),
                            span,
                        );
                    }
                    text.push('0');
                }
            }
        }
        self.names(&text, span);
    }

    /// Whether a value is a number for arithmetic, where nothing at all counts as zero.
    fn is_number(&self, value: &Value) -> bool {
        value.number
            || matches!(value.pieces.as_slice(), [Piece::Unknown(written)] if self.numbers.get(written) == Some(&true))
    }

    fn must_be_number(&mut self, value: &Value, p: &Parameter, span: Span) {
        let known = value.known();
        if self.is_number(value) || known.as_deref().is_some_and(|t| t.is_empty() || Value::text(t).number) {
            return;
        }
        match known {
            // A known text is an expression of its own.
            Some(text) if text.len() < 200 && !text.contains(['$', '`']) => self.names(&text, span),
            _ => self.opaque(
                &p.raw,
                format!("`{}` is evaluated as arithmetic, and its value is not known", p.raw),
                span,
            ),
        }
    }

    /// The variables that an expression reads and writes.
    fn names(&mut self, text: &str, span: Span) {
        let bytes = text.as_bytes();
        let byte = |at: usize| bytes.get(at).copied();
        let mut at = 0;
        while let Some(b) = byte(at) {
            if b.is_ascii_digit() {
                while byte(at).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
                    at += 1;
                }
                continue;
            }
            if !(b.is_ascii_alphabetic() || b == b'_') {
                at += 1;
                continue;
            }
            let from = at;
            while byte(at).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
                at += 1;
            }
            let name = text.get(from..at).unwrap_or_default().to_owned();
            let rest = text.get(at..).unwrap_or_default().trim_start();
            let plain = rest.starts_with('=') && !rest.starts_with("==");
            let writes = plain
                || ["++", "--"].iter().any(|s| rest.starts_with(s))
                || text.get(..from).is_some_and(|t| t.ends_with("++") || t.ends_with("--"))
                || ["+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "^=", "|="]
                    .iter()
                    .any(|s| rest.starts_with(s));
            if rest.starts_with('[') {
                let keyed = self.state.variables.get(&name).is_some_and(|v| v.keyed);
                if !keyed {
                    self.opaque(
                        &name,
                        format!("`{name}[…]` is evaluated, and the array's values are not known"),
                        span,
                    );
                }
                continue;
            }
            if !plain {
                self.reads(&name, span);
            }
            if writes {
                self.state.set(&name, Value::some_number(format!("${name}")));
            }
        }
    }

    fn reads(&mut self, name: &str, span: Span) {
        let value = match name {
            "RANDOM" | "SECONDS" | "LINENO" | "UID" | "EUID" | "PPID" | "BASHPID" | "EPOCHSECONDS" => return,
            name => self.variable(name),
        };
        let number = match &value {
            Some(value) => value.pieces.is_empty() || self.is_number(value),
            // Unset in this text, and not known of the environment.
            None => self.state.variables.contains_key(name),
        };
        if !number {
            self.opaque(
                name,
                format!("the arithmetic reads `{name}`, whose value is not known to be a number"),
                span,
            );
        }
    }

    /// A subscript: arithmetic, unless the array's keys are texts.
    pub(crate) fn subscript(&mut self, name: &str, parts: &[Part], span: Span) {
        if self.state.variables.get(name).is_some_and(|v| v.keyed) {
            self.value(parts, span);
        } else {
            self.arithmetic(parts, span);
        }
    }
}

/// The offset and length of `${x:2:3}` when both are plain numbers.
pub(crate) fn slice_bounds(parts: &[Part]) -> Option<(usize, Option<usize>)> {
    let [Part::Text { text, .. }] = parts else { return None };
    match text.split_once(':') {
        Some((from, len)) => Some((from.trim().parse().ok()?, Some(len.trim().parse().ok()?))),
        None => Some((text.trim().parse().ok()?, None)),
    }
}
