//! One spelling of a command as it was read, and the characters that deceive the eye.

use super::{
    Assignment, Command, Item, Kind, List, Op, Parameter, Part, Pipeline, Redirect, RedirectKind, TestItem,
    Word,
};
use std::fmt::Write;

/// Whether a character is shown by its number: controls, invisible and direction-changing characters.
pub(crate) fn strange(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() && c != '\n' && c != '\t';
    }
    c.is_control()
        || matches!(u32::from(c),
            0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff9..=0xfffb
            | 0xe0000..=0xe01ef)
        || c.is_whitespace()
}

/// Whether a text is of ordinary ASCII characters only, none of them strange.
pub(crate) fn ordinary(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n' | b'\t'))
}

/// A list as text.
pub(crate) fn shown(list: &List) -> String {
    let mut out = String::new();
    list_to(&mut out, list, "; ");
    if ordinary(&out) { out } else { visible(&out) }
}

/// The text with strange characters as `\u{…}`.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if strange(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn list_to(out: &mut String, list: &List, separator: &str) {
    let mut first = true;
    for item in &list.items {
        if !first && !out.ends_with('\n') {
            out.push_str(if out.ends_with('&') { " " } else { separator });
        }
        first = false;
        item_to(out, item);
    }
}

fn item_to(out: &mut String, item: &Item) {
    let mut bodies = Vec::new();
    pipeline_to(out, &item.first, &mut bodies);
    for (and, pipeline) in &item.rest {
        out.push_str(if *and { " && " } else { " || " });
        pipeline_to(out, pipeline, &mut bodies);
    }
    if item.background {
        out.push_str(" &");
    }
    for body in bodies {
        out.push('\n');
        out.push_str(&body);
    }
}

fn pipeline_to(out: &mut String, pipeline: &Pipeline, bodies: &mut Vec<String>) {
    if pipeline.timed {
        out.push_str("time ");
    }
    if pipeline.negated {
        out.push_str("! ");
    }
    for (at, command) in pipeline.commands.iter().enumerate() {
        if at > 0 {
            out.push_str(" | ");
        }
        command_to(out, command, bodies);
    }
}

fn block(out: &mut String, list: &List) {
    list_to(out, list, "; ");
    out.push_str(if out.ends_with(['&', '\n']) { " " } else { "; " });
}

fn command_to(out: &mut String, command: &Command, bodies: &mut Vec<String>) {
    match &command.kind {
        Kind::Simple { assignments, words } => {
            let mut parts: Vec<String> = assignments.iter().map(assignment_text).collect();
            parts.extend(words.iter().map(word_text));
            out.push_str(&parts.join(" "));
            if !parts.is_empty() && !command.redirects.is_empty() {
                out.push(' ');
            }
        }
        Kind::Subshell(list) => {
            out.push('(');
            list_to(out, list, "; ");
            out.push(')');
        }
        Kind::Group(list) => {
            out.push_str("{ ");
            block(out, list);
            out.push('}');
        }
        Kind::If { arms, otherwise } => {
            for (at, (condition, body)) in arms.iter().enumerate() {
                out.push_str(if at == 0 { "if " } else { "elif " });
                block(out, condition);
                out.push_str("then ");
                block(out, body);
            }
            if let Some(body) = otherwise {
                out.push_str("else ");
                block(out, body);
            }
            out.push_str("fi");
        }
        Kind::For { name, words, body, select } => {
            out.push_str(if *select { "select " } else { "for " });
            out.push_str(name);
            if let Some(words) = words {
                out.push_str(" in");
                for word in words {
                    out.push(' ');
                    out.push_str(&word_text(word));
                }
            }
            out.push_str("; do ");
            block(out, body);
            out.push_str("done");
        }
        Kind::Count { head, body } => {
            let _ = write!(out, "for (({})); do ", quoted_text(head));
            block(out, body);
            out.push_str("done");
        }
        Kind::While { condition, body, until } => {
            out.push_str(if *until { "until " } else { "while " });
            block(out, condition);
            out.push_str("do ");
            block(out, body);
            out.push_str("done");
        }
        Kind::Case { word, arms } => {
            let _ = write!(out, "case {} in ", word_text(word));
            for (patterns, body) in arms {
                let patterns: Vec<String> = patterns.iter().map(word_text).collect();
                let _ = write!(out, "{}) ", patterns.join(" | "));
                list_to(out, body, "; ");
                out.push_str(if out.ends_with('\n') { ";; " } else { " ;; " });
            }
            out.push_str("esac");
        }
        Kind::Test(items) => {
            out.push_str("[[ ");
            for item in items {
                match item {
                    TestItem::Operator(sign) => out.push_str(sign),
                    TestItem::Operand(word) => out.push_str(&word_text(word)),
                }
                out.push(' ');
            }
            out.push_str("]]");
        }
        Kind::Arithmetic(parts) => {
            let _ = write!(out, "(({}))", quoted_text(parts));
        }
        Kind::Function { name, body } => {
            let _ = write!(out, "{name}() ");
            command_to(out, body, bodies);
        }
        Kind::Coproc(inner) => {
            out.push_str("coproc ");
            command_to(out, inner, bodies);
        }
    }
    for (at, redirect) in command.redirects.iter().enumerate() {
        if at > 0 || !matches!(command.kind, Kind::Simple { .. }) {
            out.push(' ');
        }
        redirect_to(out, redirect, bodies);
    }
}

fn redirect_to(out: &mut String, redirect: &Redirect, bodies: &mut Vec<String>) {
    if let Some(fd) = redirect.fd {
        let _ = write!(out, "{fd}");
    }
    if let Some(name) = &redirect.fd_name {
        let _ = write!(out, "{{{name}}}");
    }
    out.push_str(match redirect.kind {
        RedirectKind::Read => "<",
        RedirectKind::Write => ">",
        RedirectKind::Append => ">>",
        RedirectKind::ReadWrite => "<>",
        RedirectKind::Both => "&>",
        RedirectKind::DupOut => ">&",
        RedirectKind::DupIn => "<&",
        RedirectKind::HereString => "<<<",
        RedirectKind::HereDoc { .. } => "<<",
    });
    if let Some(body) = redirect.body.as_ref().and_then(|b| b.get()) {
        let literal = redirect.kind == RedirectKind::HereDoc { literal: true };
        let name: String = redirect.target.parts.iter().map(plain).collect();
        out.push_str(&if literal { format!("'{name}'") } else { name.clone() });
        let text: String =
            if literal { body.parts.iter().map(plain).collect() } else { quoted_text(&body.parts) };
        bodies.push(format!("{text}{name}\n"));
        return;
    }
    out.push_str(&word_text(&redirect.target));
}

fn plain(part: &Part) -> String {
    match part {
        Part::Text { text, .. } => text.clone(),
        Part::Double(parts) => parts.iter().map(plain).collect(),
        _ => String::new(),
    }
}

fn assignment_text(assignment: &Assignment) -> String {
    let subscript =
        assignment.subscript.as_ref().map(|s| format!("[{}]", quoted_text(s))).unwrap_or_default();
    let sign = if assignment.append { "+=" } else { "=" };
    format!("{}{subscript}{sign}{}", assignment.name, value_text(&assignment.value))
}

fn value_text(word: &Word) -> String {
    if word.parts.is_empty() { String::new() } else { word_text(word) }
}

/// A word, its quoting in one manner only: what needs no quotes has none, the rest single quotes.
fn word_text(word: &Word) -> String {
    let mut out = String::new();
    for part in &word.parts {
        part_to(&mut out, part);
    }
    if word.parts.is_empty() { "''".to_owned() } else { out }
}

fn part_to(out: &mut String, part: &Part) {
    match part {
        Part::Text { text, quoted: false } => out.push_str(text),
        Part::Text { text, quoted: true } => out.push_str(&single(text)),
        Part::Double(parts) => {
            if let Some(text) = all_text(parts) {
                out.push_str(&single(&text));
            } else {
                let _ = write!(out, "\"{}\"", quoted_text(parts));
            }
        }
        other => out.push_str(&expansion(other)),
    }
}

fn all_text(parts: &[Part]) -> Option<String> {
    parts.iter().map(|p| if let Part::Text { text, .. } = p { Some(text.as_str()) } else { None }).collect()
}

fn single(text: &str) -> String {
    let bare = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ',' | ':' | '@' | '+' | '%' | '=')
    };
    if !text.is_empty() && text.chars().all(bare) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Parts inside double quotes, a here-document or arithmetic.
fn quoted_text(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text { text, .. } => {
                for c in text.chars() {
                    if matches!(c, '"' | '$' | '`' | '\\') {
                        out.push('\\');
                    }
                    out.push(c);
                }
            }
            Part::Double(inner) => out.push_str(&quoted_text(inner)),
            other => out.push_str(&expansion(other)),
        }
    }
    out
}

fn expansion(part: &Part) -> String {
    match part {
        Part::Text { .. } | Part::Double(_) => String::new(),
        Part::Parameter(p) => parameter(p),
        Part::Command { list, .. } => {
            let mut inner = String::new();
            list_to(&mut inner, list, "; ");
            // `$((` would be arithmetic.
            format!("$({}{inner})", if inner.starts_with('(') { " " } else { "" })
        }
        Part::Arithmetic { parts, .. } => format!("$(({}))", quoted_text(parts)),
        Part::Process { list, writes, .. } => {
            let mut inner = String::new();
            list_to(&mut inner, list, "; ");
            format!("{}({inner})", if *writes { '>' } else { '<' })
        }
        Part::Array(words) => {
            let words: Vec<String> = words.iter().map(word_text).collect();
            format!("({})", words.join(" "))
        }
    }
}

fn parameter(p: &Parameter) -> String {
    if p.op == Op::Value && p.subscript.is_none() {
        return if p.name.len() > 1 { format!("${{{}}}", p.name) } else { format!("${}", p.name) };
    }
    p.raw.clone()
}
