//! Patterns of file names and values, as far as they are needed here.

use model::matches;

/// Where the pattern in an unquoted text begins, if it has one. `closes`: whether a `]` follows anywhere in the word.
pub(crate) fn start(text: &str, closes: bool) -> Option<usize> {
    text.char_indices().find(|(_, c)| matches!(c, '*' | '?') || (*c == '[' && closes)).map(|(at, _)| at)
}

/// Whether a pattern (quoted characters escaped) holds no wildcard.
pub(crate) fn is_literal(pattern: &str) -> bool {
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '*' | '?' | '[' => return false,
            _ => {}
        }
    }
    true
}

/// The text with its escapes taken away.
pub(crate) fn unescape(pattern: &str) -> String {
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        text.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    text
}

/// The text with every special character escaped.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '?' | '[' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// `text` without the shortest or longest beginning or end that matches `pattern`; `None` when the pattern is more
/// than literal text, `*` and `?`, or the work would be too much.
pub(crate) fn trim(text: &str, pattern: &str, suffix: bool, longest: bool) -> Option<String> {
    if text.len() > 400 || pattern.len() > 100 || pattern.contains('[') || pattern.contains('\\') {
        return None;
    }
    let mut cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    // The shortest prefix is the first cut, the shortest suffix the last.
    if suffix != longest {
        cuts.reverse();
    }
    for cut in cuts {
        let (head, tail) = text.split_at_checked(cut)?;
        let (part, rest) = if suffix { (tail, head) } else { (head, tail) };
        if matches(pattern, part) {
            return Some(rest.to_owned());
        }
    }
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trims_like_the_shell() {
        assert_eq!(trim("a/b/c.txt", "*/", false, true).as_deref(), Some("c.txt"));
        assert_eq!(trim("a/b/c.txt", "*/", false, false).as_deref(), Some("b/c.txt"));
        assert_eq!(trim("a/b/c.txt", "/*", true, false).as_deref(), Some("a/b"));
        assert_eq!(trim("a/b/c.txt", "/*", true, true).as_deref(), Some("a"));
        assert_eq!(trim("c.txt", ".txt", true, false).as_deref(), Some("c"));
        assert_eq!(trim("c.txt", ".py", true, false).as_deref(), Some("c.txt"));
    }
}
