//! Finding records: filters that look at the line first and parse only what may fit.

use std::fmt;

use jiff::Timestamp;

use crate::error::Result;
use crate::kind::Kind;
use crate::read::{Backward, Entry, Forward, Reader};
use crate::record::{Stored, format_time, peek_at, peek_kind};

/// A caller's own question about a record.
pub type Predicate = Box<dyn Fn(&Stored) -> bool + Send>;

/// What to find. Every filter that is set must fit; the empty query finds everything.
#[derive(Default)]
pub struct Query {
    /// Of this session.
    pub session: Option<String>,
    /// About this call.
    pub call: Option<String>,
    /// Of this agent.
    pub agent: Option<String>,
    /// Of this person, by pseudonym.
    pub subject: Option<String>,
    /// Of one of these kinds; of any if empty.
    pub kinds: Vec<Kind>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// And whatever else the caller asks of a record.
    pub predicate: Option<Predicate>,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("session", &self.session)
            .field("call", &self.call)
            .field("agent", &self.agent)
            .field("subject", &self.subject)
            .field("kinds", &self.kinds)
            .field("since", &self.since)
            .field("until", &self.until)
            .field("predicate", &self.predicate.is_some())
            .finish()
    }
}

/// A query made ready: what its filters look like in a line.
struct Filter {
    query: Query,
    needles: Vec<Vec<u8>>,
    since: Option<String>,
    until: Option<String>,
}

impl Filter {
    fn new(query: Query) -> Self {
        let words = [
            ("session", &query.session),
            ("call", &query.call),
            ("agent", &query.agent),
            ("subject", &query.subject),
        ];
        let needle = |(name, word): (&str, &Option<String>)| {
            let word =
                serde_json_canonicalizer::to_string(&serde_json::Value::from(word.as_deref()?)).ok()?;
            Some(format!("\"{name}\":{word}").into_bytes())
        };
        let needles = words.into_iter().filter_map(needle).collect();
        let (since, until) = (query.since.map(format_time), query.until.map(format_time));
        Self { query, needles, since, until }
    }

    /// Whether a line may fit; never false for one that does.
    fn may(&self, line: &[u8]) -> bool {
        let at = peek_at(line).unwrap_or_default();
        let kind = peek_kind(line).unwrap_or_default();
        self.since.as_ref().is_none_or(|since| at >= since.as_bytes())
            && self.until.as_ref().is_none_or(|until| at < until.as_bytes())
            && (self.query.kinds.is_empty() || self.query.kinds.iter().any(|k| k.as_str().as_bytes() == kind))
            && self.needles.iter().all(|needle| memchr::memmem::find(line, needle).is_some())
    }

    fn fits(&self, record: &Stored) -> bool {
        let same = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        same(&self.query.session, &record.session)
            && same(&self.query.call, &record.call)
            && same(&self.query.agent, &record.agent)
            && same(&self.query.subject, &record.subject)
            && self.query.predicate.as_ref().is_none_or(|predicate| predicate(record))
    }
}

/// What a query finds.
pub struct Hits<I> {
    entries: I,
    filter: Filter,
}

impl<I> fmt::Debug for Hits<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hits").field("query", &self.filter.query).finish_non_exhaustive()
    }
}

impl<I: Iterator<Item = Result<Entry>>> Iterator for Hits<I> {
    type Item = Result<(Entry, Stored)>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            if !self.filter.may(entry.line()) {
                continue;
            }
            match entry.record() {
                Ok(record) if self.filter.fits(&record) => return Some(Ok((entry, record))),
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Reader {
    /// What fits, oldest first. As [`Reader::forward`], it goes on when the ledger has grown.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn find(&self, query: Query) -> Result<Hits<Forward>> {
        let entries = match query.since {
            Some(since) => self.forward_since(since)?,
            None => self.forward(0)?,
        };
        Ok(Hits { entries, filter: Filter::new(query) })
    }

    /// What fits, newest first.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn find_newest(&self, query: Query) -> Result<Hits<Backward>> {
        let entries = match query.since {
            Some(since) => self.backward()?.since(since),
            None => self.backward()?,
        };
        Ok(Hits { entries, filter: Filter::new(query) })
    }
}
