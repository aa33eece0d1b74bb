//! Which stand-ins there are, where they stand in a request, and what takes their place.

use super::scrub::{Patterns, json, percent};
use super::{Lent, Place, Scrubber};
use crate::http::RequestHead;
use crate::name::Target;
use aho_corasick::AhoCorasick;
use data_encoding::BASE64;
use model::Host;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// Bytes with true values in them, wiped when dropped.
pub(crate) type Held = Zeroizing<Vec<u8>>;

/// A stand-in where it may not stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misuse {
    pub(crate) id: String,
    pub(crate) place: &'static str,
    /// Why it may not be used, where the place would be right but its lease is over.
    pub(crate) over: Option<String>,
}

/// All that is lent to one command.
#[derive(Debug)]
pub(crate) struct Book {
    lent: Vec<Lent>,
    finder: Option<AhoCorasick>,
    longest: usize,
    /// Finders for answers, by which credentials they look for.
    patterns: Mutex<HashMap<Vec<usize>, Option<Arc<Patterns>>>>,
}

impl Book {
    /// `None` when no finder can be built for the stand-ins.
    pub(crate) fn new(lent: &[Lent]) -> Option<Self> {
        let finder = match lent {
            [] => None,
            _ => Some(AhoCorasick::new(lent.iter().map(Lent::sentinel)).ok()?),
        };
        let longest = lent.iter().map(|l| l.sentinel().len()).max().unwrap_or(1);
        Some(Self { lent: lent.to_vec(), finder, longest, patterns: Mutex::default() })
    }

    /// What cleans the answers of a host. `Ok(None)` when nothing is lent to it.
    pub(crate) fn scrubber(&self, host: &Host) -> Result<Option<Scrubber>, ()> {
        let which: Vec<usize> =
            self.lent.iter().enumerate().filter(|(_, l)| l.names(host)).map(|(i, _)| i).collect();
        if which.is_empty() {
            return Ok(None);
        }
        let mut known = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        let patterns = known.entry(which).or_insert_with_key(|which| {
            Patterns::new(which.iter().filter_map(|i| self.lent.get(*i))).map(Arc::new)
        });
        patterns.clone().map(|p| Some(Scrubber::with(p))).ok_or(())
    }

    /// Looks for any stand-in in a request that goes where nothing is lent to, or not in verified TLS.
    pub(crate) fn refuse_all(&self, head: &RequestHead) -> Result<(), Misuse> {
        self.refuse(head.target.as_bytes(), "request line")?;
        self.refuse(&unescaped(head.target.as_bytes()), "request line")?;
        for (name, value) in &head.headers {
            self.refuse(name.as_bytes(), "header")?;
            self.refuse(value, "header")?;
            if let Some((_, plain)) = basic(name, value) {
                self.refuse(&plain, "basic authorization")?;
            }
        }
        Ok(())
    }

    fn refuse(&self, bytes: &[u8], place: &'static str) -> Result<(), Misuse> {
        self.find(bytes).map_or(Ok(()), |(l, _)| Err(misuse(l, place)))
    }

    fn find(&self, bytes: &[u8]) -> Option<(&Lent, usize)> {
        let hit = self.finder.as_ref()?.find(bytes)?;
        Some((self.lent.get(hit.pattern().as_usize())?, hit.start()))
    }

    /// Puts true values into a request's head on its way into verified TLS to `target`. Gives the ids that were used.
    pub(crate) fn exchange_head(
        &self,
        target: &Target,
        head: &mut RequestHead,
    ) -> Result<Vec<String>, Misuse> {
        let mut used = Vec::new();
        if self.finder.is_none() {
            return Ok(used);
        }
        let (method, path) = (head.method.clone(), head.path().to_owned());
        let request = Request { target, method: &method, path: &path };
        self.refuse(head.method.as_bytes(), "method")?;
        self.refuse(&unescaped(path.as_bytes()), "path")?;
        if let Some(query) = head.query() {
            let new = self.put(
                query.as_bytes(),
                &request,
                &Place::Query,
                "query",
                |v| percent(v, true, false),
                &mut used,
            )?;
            if let Some(new) = new {
                let new = Zeroizing::new(String::from_utf8(new.to_vec()).map_err(|_| Misuse {
                    id: used.join(","),
                    place: "query",
                    over: None,
                })?);
                head.target = format!("{path}?{}", new.as_str());
            } else {
                self.refuse(&unescaped(query.as_bytes()), "query")?;
            }
        }
        for (name, value) in &mut head.headers {
            self.refuse(name.as_bytes(), "header")?;
            if let Some((scheme, plain)) = basic(name, value) {
                if let Some(new) = self.put(
                    &plain,
                    &request,
                    &Place::Basic,
                    "basic authorization",
                    <[u8]>::to_vec,
                    &mut used,
                )? {
                    *value = format!("{scheme} {}", BASE64.encode(&new)).into_bytes();
                }
                self.refuse(value, "header")?;
                continue;
            }
            let place = Place::Header(name.to_ascii_lowercase());
            if let Some(new) = self.put(value, &request, &place, "header", <[u8]>::to_vec, &mut used)? {
                if new.iter().any(|b| *b < 0x20 && *b != b'\t' || *b == 0x7f) {
                    return Err(Misuse { id: used.join(","), place: "header", over: None });
                }
                *value = new.to_vec();
            }
        }
        Ok(used)
    }

    /// Whether a stand-in in this request's body would be exchanged, so that the body must be held until it is whole.
    pub(crate) fn holds_body(&self, target: &Target, head: &RequestHead) -> bool {
        let request = Request { target, method: &head.method, path: head.path() };
        self.lent.iter().any(|l| permits(l, &request, &Place::Body))
    }

    /// Puts true values into a whole body. Gives the new body, if it changed, and the ids that were used.
    pub(crate) fn exchange_body(
        &self,
        target: &Target,
        head: &RequestHead,
        body: &[u8],
    ) -> Result<(Option<Held>, Vec<String>), Misuse> {
        let request = Request { target, method: &head.method, path: head.path() };
        let kind = head.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let encode: fn(&[u8]) -> Vec<u8> = if kind.starts_with(b"application/x-www-form-urlencoded") {
            |v| percent(v, true, false)
        } else if memchr::memmem::find(&kind, b"json").is_some() {
            |v| json(v, false)
        } else {
            <[u8]>::to_vec
        };
        let mut used = Vec::new();
        let new = self.put(body, &request, &Place::Body, "body", encode, &mut used)?;
        Ok((new, used))
    }

    /// A finder for a body that streams by and in which no stand-in may stand.
    pub(crate) fn stream(&self) -> Stream<'_> {
        Stream { book: self, tail: Vec::new() }
    }

    fn put(
        &self,
        bytes: &[u8],
        request: &Request<'_>,
        place: &Place,
        word: &'static str,
        encode: impl Fn(&[u8]) -> Vec<u8>,
        used: &mut Vec<String>,
    ) -> Result<Option<Held>, Misuse> {
        let Some(finder) = &self.finder else { return Ok(None) };
        let (mut out, mut done) = (Zeroizing::new(Vec::new()), 0);
        for hit in finder.find_iter(bytes) {
            let Some(lent) = self.lent.get(hit.pattern().as_usize()) else { continue };
            if !permits(lent, request, place) {
                return Err(misuse(lent, word));
            }
            // Once a request's head and once its body, however often it stands there.
            if !used.iter().any(|u| u == lent.id())
                && let Some(gate) = &lent.gate
            {
                gate.pass().map_err(|why| Misuse { over: Some(why), ..misuse(lent, word) })?;
            }
            out.extend_from_slice(bytes.get(done..hit.start()).unwrap_or_default());
            out.extend_from_slice(&Zeroizing::new(encode(lent.value().bytes())));
            done = hit.end();
            if !used.iter().any(|u| u == lent.id()) {
                used.push(lent.id().to_owned());
            }
        }
        if done == 0 {
            return Ok(None);
        }
        out.extend_from_slice(bytes.get(done..).unwrap_or_default());
        Ok(Some(out))
    }
}

struct Request<'r> {
    target: &'r Target,
    method: &'r str,
    path: &'r str,
}

fn permits(lent: &Lent, request: &Request<'_>, place: &Place) -> bool {
    let port = request.target.port;
    lent.names(&request.target.host)
        && (if lent.ports.is_empty() { port == 443 } else { lent.ports.contains(&port) })
        && (lent.methods.is_empty() || lent.methods.iter().any(|m| m == request.method))
        && (lent.paths.is_empty() || lent.paths.iter().any(|p| p.matches(request.path)))
        && (lent.places.contains(place)
            || matches!(place, Place::Header(_)) && lent.places.contains(&Place::AnyHeader))
}

fn misuse(lent: &Lent, place: &'static str) -> Misuse {
    Misuse { id: lent.id().to_owned(), place, over: None }
}

/// The scheme's spelling and the decoded credentials of a Basic authorization.
fn basic(name: &str, value: &[u8]) -> Option<(String, Zeroizing<Vec<u8>>)> {
    if !name.eq_ignore_ascii_case("authorization") && !name.eq_ignore_ascii_case("proxy-authorization") {
        return None;
    }
    let text = std::str::from_utf8(value).ok()?;
    let (scheme, rest) = text.split_once(' ')?;
    let decoded = BASE64.decode(rest.trim().as_bytes()).ok()?;
    scheme.eq_ignore_ascii_case("basic").then(|| (scheme.to_owned(), Zeroizing::new(decoded)))
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(b) = rest.next() {
        let mut ahead = rest.clone();
        let digit = |d: Option<u8>| d.and_then(|d| char::from(d).to_digit(16));
        match (b, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(hi), Some(lo)) => {
                out.push(u8::try_from(hi * 16 + lo).unwrap_or(b));
                rest = ahead;
            }
            _ => out.push(b),
        }
    }
    out
}

/// Watches a body that streams by.
#[derive(Debug)]
pub(crate) struct Stream<'b> {
    book: &'b Book,
    tail: Vec<u8>,
}

impl Stream<'_> {
    /// Takes the next bytes and gives those that may be sent on: all but the last few, which may begin a stand-in.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        if self.book.finder.is_none() {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        self.tail.extend_from_slice(bytes);
        self.book.refuse(&self.tail, "body")?;
        let sure = (self.tail.len() + 1).saturating_sub(self.book.longest);
        out.extend(self.tail.drain(..sure));
        Ok(())
    }

    /// Gives what was held back; the body is over.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.tail);
    }
}
