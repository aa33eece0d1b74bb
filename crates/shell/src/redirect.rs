//! Redirections: what a command reads and where its output goes.

use crate::context::{Context, Input, Output};
use crate::meaning::{Touch, Traffic};
use crate::state::Made;
use crate::syntax::{Redirect, RedirectKind};
use model::{Host, Origin, PathTarget, Span};
use programs::Field;

/// Where a command's streams go.
#[derive(Debug)]
pub(crate) struct Streams {
    /// What it reads.
    pub(crate) stdin: Input,
    /// Files that its standard output goes to, and whether it is added to what they hold.
    outputs: Vec<(PathTarget, bool)>,
    /// Hosts that its standard output goes to.
    sends: Vec<(Field, Span)>,
    /// Whether its standard output goes on to where it was.
    open: bool,
}

impl Context<'_> {
    /// Adds the effects of redirections, in order.
    pub(crate) fn redirects(&mut self, redirects: &[Redirect], stdin: Input) -> Streams {
        let mut streams = Streams { stdin, outputs: Vec::new(), sends: Vec::new(), open: true };
        for redirect in redirects {
            self.redirect(redirect, &mut streams);
        }
        streams
    }

    fn redirect(&mut self, redirect: &Redirect, streams: &mut Streams) {
        let span = redirect.span;
        match redirect.kind {
            RedirectKind::HereDoc { .. } => {
                let Some(body) = redirect.body.as_ref().and_then(|b| b.get()) else { return };
                let value = self.value_quoted(&body.parts, body.span);
                self.feed(redirect, value.field(body.span), "", streams);
                return;
            }
            RedirectKind::HereString => {
                let value = self.value(&redirect.target.parts, span);
                self.feed(redirect, value.field(span), "\n", streams);
                return;
            }
            _ => {}
        }
        let mut fields = self.fields(&redirect.target);
        let field = match (fields.pop(), fields.is_empty()) {
            (Some(field), true) => field,
            _ => Field::unknown(self.written(redirect.target.span, "…"), redirect.target.span, true),
        };
        let text = field.known();
        let duplicates = matches!(redirect.kind, RedirectKind::DupIn | RedirectKind::DupOut);
        if duplicates && text.as_deref().is_some_and(is_descriptor) {
            // Standard output that joins another stream is no longer what a pipe reads.
            if redirect.kind == RedirectKind::DupOut
                && redirect.fd.is_none_or(|fd| fd == 1)
                && text.as_deref() != Some("1")
            {
                streams.open = false;
                streams.outputs.clear();
            }
            return;
        }
        if matches!(
            text.as_deref(),
            Some("/dev/null" | "/dev/stdin" | "/dev/stdout" | "/dev/stderr" | "/dev/tty")
        ) || text.as_deref().is_some_and(|t| t.starts_with("/dev/fd/") && !t.contains(".."))
        {
            let null = text.as_deref() == Some("/dev/null");
            match redirect.kind {
                RedirectKind::Read if null && redirect.fd.is_none_or(|fd| fd == 0) => {
                    streams.stdin = Input::Null
                }
                RedirectKind::Read | RedirectKind::ReadWrite | RedirectKind::DupIn => {}
                _ if to_stdout(redirect) && (null || text.as_deref() != Some("/dev/stdout")) => {
                    streams.open = false;
                    streams.outputs.clear();
                }
                _ => {}
            }
            return;
        }
        if field.prefix().starts_with("/dev/tcp") || field.prefix().starts_with("/dev/udp") {
            self.socket(redirect, &field, streams);
            return;
        }
        let target = self.path(&field);
        match redirect.kind {
            RedirectKind::Read | RedirectKind::DupIn => {
                // `<(…)` is a pipe, not a file.
                let pipe = field.shown().starts_with("<(");
                let sensitive = !pipe && self.touch(Touch::Read, target.clone(), false, span);
                if redirect.fd.is_none_or(|fd| fd == 0) {
                    let process = field.pieces.len() == 1 && field.has_unknown() && field.prefix().is_empty();
                    streams.stdin = match self.taint_of(&field) {
                        Some((origin, hidden)) if process => {
                            Input::Pipe { origin, sensitive: sensitive || hidden, names: None }
                        }
                        None if pipe => {
                            Input::Pipe { origin: Origin::Unknown, sensitive: false, names: None }
                        }
                        _ => Input::File(target),
                    };
                }
            }
            RedirectKind::ReadWrite => {
                self.touch(Touch::Read, target.clone(), false, span);
                self.touch(Touch::Write, target.clone(), false, span);
                self.wrote(target, Made { text: None, origin: Origin::Unknown });
                if redirect.fd == Some(1) {
                    streams.open = false;
                }
            }
            _ => {
                // `>(…)` is a pipe, not a file.
                if field.shown().starts_with(">(") {
                    streams.open &= !to_stdout(redirect);
                    return;
                }
                self.touch(Touch::Write, target.clone(), false, span);
                let adds = redirect.kind == RedirectKind::Append;
                if to_stdout(redirect) {
                    streams.open = false;
                    streams.outputs.clear();
                    streams.outputs.push((target, adds));
                } else {
                    self.wrote(target, Made { text: None, origin: Origin::Session });
                }
            }
        }
    }

    fn feed(&mut self, redirect: &Redirect, field: Field, end: &str, streams: &mut Streams) {
        if redirect.fd.is_some_and(|fd| fd != 0) || redirect.fd_name.is_some() {
            return;
        }
        streams.stdin = match (field.known(), self.taint_of(&field)) {
            (Some(text), _) => Input::Text(text + end),
            (None, Some((origin, sensitive))) => Input::Pipe { origin, sensitive, names: None },
            (None, None) => Input::Pipe { origin: Origin::Unknown, sensitive: false, names: None },
        };
    }

    /// `/dev/tcp/HOST/PORT`: bash connects.
    fn socket(&mut self, redirect: &Redirect, field: &Field, streams: &mut Streams) {
        let known = field.known().unwrap_or_default();
        let mut parts = known.split('/').skip(3);
        let host = parts.next().filter(|h| !h.is_empty()).and_then(Host::parse);
        let port = parts.next().and_then(|p| p.parse().ok());
        self.traffic(host, port, Traffic::connect(false), redirect.span);
        if to_stdout(redirect) {
            streams.open = false;
            streams.sends.push((field.clone(), redirect.span));
        }
        if matches!(redirect.kind, RedirectKind::Read | RedirectKind::ReadWrite) {
            streams.stdin = Input::Pipe { origin: Origin::Downloaded, sensitive: false, names: None };
        }
    }

    /// Remembers where the output went, and says what of it goes on.
    pub(crate) fn printed(&mut self, streams: Streams, output: Output) -> Output {
        for (target, adds) in &streams.outputs {
            let text = output.text.clone().filter(|t| !*adds || !t.is_empty());
            let before = match target {
                PathTarget::Known(path) if *adds => Some(self.made(path)),
                _ => None,
            };
            let text = match (before, text) {
                (None, text) => text,
                // What the file held before is known only when this text wrote it.
                (Some(Some(made)), Some(text)) => made.text.map(|before| before + &text),
                (Some(_), _) => None,
            };
            self.wrote(target.clone(), Made { text, origin: output.origin });
        }
        if output.sensitive {
            for (field, span) in &streams.sends {
                let known = field.known().unwrap_or_default();
                let host = known.split('/').nth(3).and_then(Host::parse);
                self.traffic(host, None, Traffic::connect(true), *span);
            }
        }
        if streams.open { output } else { Output::known("") }
    }
}

/// Whether a redirection takes the standard output.
fn to_stdout(redirect: &Redirect) -> bool {
    redirect.fd_name.is_none()
        && (redirect.kind == RedirectKind::Both || redirect.fd.is_none_or(|fd| fd == 1))
        && !matches!(redirect.kind, RedirectKind::Read | RedirectKind::DupIn)
}

fn is_descriptor(text: &str) -> bool {
    let digits = text.strip_suffix('-').unwrap_or(text);
    !text.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}
