//! Patterns of file names and values, as far as they are needed here.

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

/// Whether a whole text matches a pattern of `*`, `?` and literal characters. Linear in text times stars.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some('?') => {
                p += 1;
                t += 1;
            }
            Some(c) if text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, t));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == '*'))
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

    #[test]
    fn matches_whole() {
        assert!(matches("a*b?c", "axxbyc"));
        assert!(!matches("a*b", "abc"));
        assert!(matches("*", ""));
    }
}
