//! Texts cut and wrapped for a terminal. What came from a command or a prompt is made visible first.

use guard::visible;

/// Columns where standard output is no terminal.
const COLUMNS: usize = 100;

/// How many columns to write for: those of the terminal, within what is pleasant to read.
pub(crate) fn width() -> usize {
    let columns = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { COLUMNS } else { columns.clamp(72, 160) }
}

/// The text on one line, with hidden and control characters made visible.
pub(crate) fn one_line(text: &str) -> String {
    visible(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most `width` characters: the middle goes, because both ends of a command say what it does.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let tail = kept / 3;
    let head: String = text.chars().take(kept - tail).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{head}…{end}")
}

/// Exactly `width` characters.
pub(crate) fn fitted(text: &str, width: usize) -> String {
    format!("{:<width$}", fit(text, width))
}

/// Lines of at most `width` characters, broken between words where there are any.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for (at, piece) in letters.chunks(width).enumerate() {
            let gap = usize::from(length > 0 && at == 0);
            if length > 0 && (at > 0 || length + gap + piece.len() > width) {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.extend(piece);
            length += piece.len();
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// The beginning of an identifier, as listings show it; the commands take it in place of the whole.
pub(crate) fn short_id(id: &str) -> String {
    one_line(id).chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_stay() {
        assert_eq!(fit("git push", 8), "git push");
        let cut = fit("echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; rm -rf /", 20);
        assert_eq!(cut.chars().count(), 20);
        assert!(cut.starts_with("echo ") && cut.ends_with("rf /"), "{cut}");
        assert_eq!(fitted("ab", 4), "ab  ");
    }

    #[test]
    fn wrapped_lines_lose_nothing() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("", 8), [""]);
        let long = "x".repeat(20);
        assert_eq!(wrap(&format!("a {long} b"), 8), ["a", "xxxxxxxx", "xxxxxxxx", "xxxx b"]);
        assert_eq!(one_line("a\n b\u{200b}"), "a b\\u{200b}");
    }
}
