//! Writing to standard output and error: the only place that does.

use std::io::Write;

/// Writes to standard output. A closed pipe ends the program quietly, as `ambit log | head` expects.
pub(crate) fn print(text: &str) {
    let mut out = anstream::stdout();
    if let Err(e) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        && e.kind() == std::io::ErrorKind::BrokenPipe
    {
        #[expect(clippy::exit, reason = "nobody reads any more, and nothing is left to be done")]
        std::process::exit(0);
    }
}

/// Writes a line to standard output.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut whole = text.as_ref().to_owned();
    whole.push('\n');
    print(&whole);
}

/// Writes a line to standard error.
pub(crate) fn complain(text: impl AsRef<str>) {
    let mut err = anstream::stderr();
    let _ = writeln!(err, "{}", text.as_ref());
}

/// Replaces the line of progress on standard error; an empty text takes it away. For terminals only.
pub(crate) fn status(text: &str) {
    let mut err = anstream::stderr();
    let _ = write!(err, "\r\x1b[K{text}");
    let _ = err.flush();
}

/// Styles, named by what they say.
pub(crate) mod style {
    use anstyle::{AnsiColor, Style};
    use model::VerdictKind;

    /// Headings and names.
    pub(crate) const STRONG: Style = Style::new().bold();
    /// What matters less.
    pub(crate) const FAINT: Style = Style::new().dimmed();
    /// Good.
    pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
    /// Needs attention.
    pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default();
    /// Bad.
    pub(crate) const BAD: Style = AnsiColor::Red.on_default();
    /// Contained.
    pub(crate) const NOTE: Style = AnsiColor::Cyan.on_default();

    /// The style of a verdict.
    pub(crate) fn verdict(kind: VerdictKind) -> Style {
        match kind {
            VerdictKind::Allow => GOOD,
            VerdictKind::Contain => NOTE,
            VerdictKind::Ask => WARNING,
            VerdictKind::Deny => BAD.bold(),
        }
    }

    /// A text in a style.
    pub(crate) fn paint(style: Style, text: &str) -> String {
        format!("{style}{text}{style:#}")
    }
}
