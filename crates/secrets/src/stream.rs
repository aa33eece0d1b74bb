//! Hiding secrets in a stream, with a bounded stretch held back.

use crate::finding::Finding;
use crate::key::Key;
use crate::pem;
use crate::redact::{Found, hide};
use crate::scan::Scanner;
use crate::vault::Vault;

/// How much is held back at most, in bytes: a secret may begin in it and end later.
pub const HOLD: usize = 16 << 10;

/// How much of what was passed on is looked at again, for the name before a value.
const CONTEXT: usize = 512;

/// After how many bytes without an end of line a scan is made.
const STEP: usize = 4096;

/// What is swallowed until it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Swallow {
    /// A private key, whose placeholder is written.
    Key,
    /// A token that is longer than [`HOLD`].
    Token,
}

/// Takes bytes in and gives them back without secrets. At most [`HOLD`] bytes wait inside; [`Redactor::idle`] lets go of
/// those that no secret can begin with, [`Redactor::finish`] of all.
#[derive(Debug)]
pub struct Redactor<'a> {
    scanner: Scanner,
    key: &'a Key,
    /// Up to [`CONTEXT`] bytes that were passed on, and those that wait.
    buffer: Vec<u8>,
    /// Where those that wait begin.
    waiting: usize,
    /// How long the buffer was at the last scan.
    scanned: usize,
    swallow: Option<Swallow>,
    found: Vec<Found>,
}

impl<'a> Redactor<'a> {
    /// A redactor with this scanner, which writes placeholders under this key.
    #[must_use]
    pub fn new(scanner: Scanner, key: &'a Key) -> Self {
        Self { scanner, key, buffer: Vec::new(), waiting: 0, scanned: 0, swallow: None, found: Vec::new() }
    }

    /// Takes `bytes` and appends to `out` what can be passed on. Values go to `vault`.
    pub fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>, vault: &mut Vault) {
        // A long write is taken in steps, so that what waits stays bounded.
        for piece in bytes.chunks(HOLD) {
            self.buffer.extend_from_slice(piece);
            if memchr::memchr(b'\n', piece).is_some() || self.buffer.len() - self.scanned >= STEP {
                self.advance(Until::Safe, out, vault);
            }
        }
    }

    /// Nothing came for a while: passes on everything but a last word that may go on to be a secret.
    pub fn idle(&mut self, out: &mut Vec<u8>, vault: &mut Vault) {
        self.advance(Until::Idle, out, vault);
    }

    /// The stream is over: passes on the rest.
    pub fn finish(mut self, out: &mut Vec<u8>, vault: &mut Vault) -> Vec<Found> {
        self.advance(Until::End, out, vault);
        self.found
    }

    /// What was hidden since the last call.
    pub fn take_found(&mut self) -> Vec<Found> {
        std::mem::take(&mut self.found)
    }

    fn advance(&mut self, until: Until, out: &mut Vec<u8>, vault: &mut Vault) {
        if !self.swallowed(until) {
            return;
        }
        let findings = self.scanner.scan(&self.buffer);
        let mut stop = self.safe(until);
        for finding in &findings {
            let goes_on = finding.open && until != Until::End;
            if finding.span.start < stop && (finding.span.end > stop || goes_on) {
                stop = finding.span.start;
            }
        }
        let stop = stop.max(self.waiting);
        let waiting = self.waiting;
        let mut from = waiting;
        for finding in findings.iter().filter(|f| f.span.start >= waiting && f.span.end <= stop) {
            out.extend_from_slice(self.buffer.get(from..finding.span.start).unwrap_or_default());
            self.hide(finding, out, vault);
            from = finding.span.end;
        }
        // A finding that began before what waits was passed on in part: its rest is hidden.
        out.extend_from_slice(self.buffer.get(from.min(stop)..stop).unwrap_or_default());
        self.drop_until(stop);
        self.overflow(until, out, vault);
    }

    /// What waits is more than may wait: it is one secret without an end in sight, or a text without an end of line.
    fn overflow(&mut self, until: Until, out: &mut Vec<u8>, vault: &mut Vault) {
        if until == Until::End || self.buffer.len() - self.waiting <= 2 * HOLD {
            return;
        }
        let findings = self.scanner.scan(&self.buffer);
        let open = findings.iter().find(|f| f.open && f.span.start <= self.waiting + HOLD);
        match open {
            Some(finding) => {
                let start = finding.span.start.max(self.waiting);
                out.extend_from_slice(self.buffer.get(self.waiting..start).unwrap_or_default());
                let swallow = if finding.kind == "private-key" { Swallow::Key } else { Swallow::Token };
                let whole = Finding { span: start..self.buffer.len(), ..finding.clone() };
                self.hide(&whole, out, vault);
                self.drop_until(self.buffer.len());
                self.swallow = Some(swallow);
            }
            None => {
                let stop = self.buffer.len() - HOLD;
                let stop = findings
                    .iter()
                    .filter(|f| f.span.start < stop && f.span.end > stop)
                    .map(|f| f.span.start)
                    .min()
                    .unwrap_or(stop);
                let waiting = self.waiting;
                let mut from = waiting;
                for finding in findings.iter().filter(|f| f.span.start >= waiting && f.span.end <= stop) {
                    out.extend_from_slice(self.buffer.get(from..finding.span.start).unwrap_or_default());
                    self.hide(finding, out, vault);
                    from = finding.span.end;
                }
                out.extend_from_slice(self.buffer.get(from.min(stop)..stop).unwrap_or_default());
                self.drop_until(stop.max(self.waiting));
            }
        }
    }

    fn hide(&mut self, finding: &Finding, out: &mut Vec<u8>, vault: &mut Vault) {
        let value = self.buffer.get(finding.span.clone()).unwrap_or_default();
        let found = hide(value, finding, self.key, vault);
        out.extend_from_slice(found.placeholder.as_bytes());
        self.found.push(found);
    }

    /// Goes on swallowing. Whether there is something to scan now.
    fn swallowed(&mut self, until: Until) -> bool {
        let Some(swallow) = self.swallow else { return true };
        let rest = self.buffer.get(self.waiting..).unwrap_or_default();
        let end = match swallow {
            Swallow::Key => {
                let (end, open, _) = pem::end(rest, 0);
                (!open).then_some(end)
            }
            Swallow::Token => {
                let end = rest.iter().position(|b| {
                    b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b',' | b';' | b'<' | b'>')
                });
                end.or((until == Until::End).then_some(rest.len()))
            }
        };
        match end {
            Some(end) => {
                self.drop_until(self.waiting + end);
                self.swallow = None;
                true
            }
            None if until == Until::End => {
                self.drop_until(self.buffer.len());
                false
            }
            None => {
                // The last bytes may be the beginning of the end.
                let keep = rest.len().min(80);
                self.drop_until(self.buffer.len() - keep);
                false
            }
        }
    }

    /// Up to where the text can be passed on as far as lines and words go.
    fn safe(&self, until: Until) -> usize {
        let length = self.buffer.len();
        match until {
            Until::End => length,
            Until::Idle => {
                let word =
                    self.buffer.iter().rev().take(HOLD).take_while(|b| !b.is_ascii_whitespace()).count();
                let last = self.buffer.get(length - word..).unwrap_or_default();
                if is_prompt(last) { length } else { (length - word).max(self.waiting) }
            }
            Until::Safe => {
                let tail = self.buffer.get(self.waiting..).unwrap_or_default();
                let Some(line) = memchr::memrchr(b'\n', tail) else {
                    return length.saturating_sub(HOLD).max(self.waiting);
                };
                // A line that ends in a long word may be one that was wrapped: its secret ends in the next.
                let stop = self.waiting + line + 1;
                let word = self.buffer.get(self.waiting..stop.saturating_sub(1)).unwrap_or_default();
                let word = word.strip_suffix(b"\r").unwrap_or(word);
                let word = word.iter().rev().take(HOLD).take_while(|b| !b.is_ascii_whitespace()).count();
                if word < 12 { stop } else { stop - 1 - word }
            }
        }
    }

    fn drop_until(&mut self, stop: usize) {
        let context = stop.saturating_sub(CONTEXT);
        self.buffer.drain(..context);
        self.waiting = stop - context;
        self.scanned = self.buffer.len();
    }
}

/// Whether a last word is the end of a question to a person, and not the beginning of a secret.
fn is_prompt(word: &[u8]) -> bool {
    match word.split_last() {
        None => true,
        Some((b'?' | b'>' | b'$' | b'#' | b']' | b')', rest)) => rest.len() < 24,
        Some((b':', rest)) => rest.iter().all(u8::is_ascii_alphabetic),
        Some((b'%', rest)) => rest.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    }
}

/// How far an advance goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// As far as is safe whatever comes.
    Safe,
    /// As far as is reasonable when nothing comes.
    Idle,
    /// To the end.
    End,
}
