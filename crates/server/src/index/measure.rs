//! What the numbers say: friction, questions, rules that stop, effects by surface.

use super::Index;
use crate::error::Result;
use jiff::Timestamp;

/// Calls of a span of time by what was answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Friction {
    /// Ran freely.
    pub free: u64,
    /// Ran contained.
    pub contained: u64,
    /// A person was asked.
    pub asked: u64,
    /// Denied.
    pub denied: u64,
}

impl Friction {
    /// All calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.free + self.contained + self.asked + self.denied
    }

    /// Share of calls that went without a person, in tenths of a percent; `None` without calls.
    #[must_use]
    pub fn without_person(&self) -> Option<u64> {
        ((self.free + self.contained) * 1000).checked_div(self.calls())
    }

    /// Questions per 100 calls, in tenths; `None` without calls.
    #[must_use]
    pub fn questions(&self) -> Option<u64> {
        (self.asked * 1000).checked_div(self.calls())
    }

    fn add(&mut self, verdict: &str, count: u64) {
        match verdict {
            "allow" => self.free += count,
            "contain" => self.contained += count,
            "ask" => self.asked += count,
            _ => self.denied += count,
        }
    }
}

/// A span of time with its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where the span begins.
    pub begin: Timestamp,
    /// Its calls.
    pub friction: Friction,
}

/// A name with a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// How often.
    pub count: u64,
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl Index {
    /// Calls since a time, to the hour, by what was answered.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn friction(&self, since: Timestamp) -> Result<Friction> {
        let mut out = Friction::default();
        for named in self.tallied("verdict", since, 100).await? {
            out.add(&named.name, named.count);
        }
        Ok(out)
    }

    /// Calls of spans of `hours` each, from the hour of `since` on, in order; spans without calls are there too, up to
    /// `now`.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn friction_by(&self, since: Timestamp, now: Timestamp, hours: u16) -> Result<Vec<Span>> {
        let (begin, span) = (hour(since), i64::from(hours.max(1)));
        let rows: Vec<(i64, String, i64)> = sqlx::query_as(
            "SELECT (hour - $1) / $2, name, sum(count) FROM tally WHERE what = 'verdict' AND hour >= $1 GROUP BY 1, 2",
        )
        .bind(begin)
        .bind(span)
        .fetch_all(self.pool())
        .await?;
        let spans = ((hour(now) - begin) / span + 1).clamp(1, 400);
        Ok((0..spans)
            .map(|at| {
                let mut friction = Friction::default();
                for (_, verdict, count) in rows.iter().filter(|(span, ..)| *span == at) {
                    friction.add(verdict, unsigned(*count));
                }
                let second = begin.saturating_add(at.saturating_mul(span)).saturating_mul(3600);
                Span { begin: Timestamp::from_second(second).unwrap_or(since), friction }
            })
            .collect())
    }

    /// Rules that stopped calls (a question or a denial) since a time, to the hour, the most frequent first.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn stopping_rules(&self, since: Timestamp, limit: u32) -> Result<Vec<Named>> {
        self.tallied("stopped", since, limit).await
    }

    /// Effects by surface or by kind since a time, to the hour, the most frequent first.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn effects(&self, by_surface: bool, since: Timestamp) -> Result<Vec<Named>> {
        self.tallied(if by_surface { "surface" } else { "effect" }, since, 100).await
    }

    async fn tallied(&self, what: &str, since: Timestamp, limit: u32) -> Result<Vec<Named>> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT name, sum(count) AS n FROM tally WHERE what = $1 AND hour >= $2 GROUP BY name ORDER BY n DESC, name LIMIT $3",
        )
        .bind(what)
        .bind(hour(since))
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?;
        Ok(named(rows))
    }

    /// Number of records.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn len(&self) -> Result<u64> {
        let (last,): (Option<i64>,) =
            sqlx::query_as("SELECT max(idx) FROM record").fetch_one(self.pool()).await?;
        Ok(last.map_or(0, |last| unsigned(last) + 1))
    }
}

/// Hours since 1970.
fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3600)
}

fn named(rows: Vec<(String, i64)>) -> Vec<Named> {
    rows.into_iter().map(|(name, count)| Named { name, count: unsigned(count) }).collect()
}
