//! Finding in the index: records by everything a person may ask for, sessions by their state.

use super::rows::{COLUMNS, SessionRow, opened};
use super::{Db, Index};
use crate::error::Result;
use crate::opened::Opened;
use jiff::Timestamp;
use sqlx::QueryBuilder;

/// What to find. Everything that is set must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The session's identifier, or its beginning.
    pub session: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// The person's name, or the beginning of the pseudonym.
    pub person: Option<String>,
    /// A path, and what is beneath it; part of a path will do.
    pub path: Option<String>,
    /// A host, and those beneath it.
    pub host: Option<String>,
    /// The kind of an effect.
    pub effect: Option<String>,
    /// The surface of an effect.
    pub surface: Option<String>,
    /// The verdict, given or by the rules alone.
    pub verdict: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The kind of record, or all kinds below a word (`session`).
    pub kind: Option<String>,
    /// A text anywhere in it; case does not matter.
    pub text: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Only records before this one, for the next page.
    pub before: Option<u64>,
    /// Only records from this one on, for the newest.
    pub from: Option<u64>,
}

/// A page of what was found, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The records.
    pub records: Vec<Opened>,
    /// Give this as [`Filter::before`] for the next page; `None` on the last.
    pub next: Option<u64>,
}

/// A text as a pattern of `LIKE` with `\` as escape.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// The first text that is greater than every text that begins with `begin`.
fn after(begin: &str) -> String {
    format!("{begin}\u{10ffff}")
}

fn number(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

impl Filter {
    fn push(&self, query: &mut QueryBuilder<Db>) {
        query.push(" WHERE 1 = 1");
        if let Some(session) = &self.session {
            query.push(" AND r.session >= ").push_bind(session.clone());
            query.push(" AND r.session < ").push_bind(after(session));
        }
        if let Some(agent) = &self.agent {
            query.push(" AND r.agent = ").push_bind(agent.clone());
        }
        if let Some(person) = &self.person {
            if person.starts_with("p-") {
                query.push(" AND r.subject >= ").push_bind(person.clone());
                query.push(" AND r.subject < ").push_bind(after(person));
            } else {
                query.push(" AND r.person = ").push_bind(person.clone());
            }
        }
        if let Some(verdict) = &self.verdict {
            query.push(" AND (r.verdict = ").push_bind(verdict.clone());
            query.push(" OR r.judged = ").push_bind(verdict.clone()).push(")");
        }
        if let Some(rule) = &self.rule {
            query.push(" AND r.rule = ").push_bind(rule.clone());
        }
        if let Some(kind) = &self.kind {
            query.push(" AND (r.kind = ").push_bind(kind.clone());
            query.push(" OR r.kind LIKE ").push_bind(format!("{}.%", escaped(kind))).push(" ESCAPE '\\')");
        }
        if let Some(kind) = &self.effect {
            // Common kinds are soon met on the way back from the newest record; rare ones are looked up.
            if matches!(kind.as_str(), "read" | "write" | "create" | "run") {
                query.push(" AND EXISTS (SELECT 1 FROM effect e WHERE e.idx = r.idx AND e.kind = ");
            } else {
                query.push(" AND r.idx IN (SELECT e.idx FROM effect e WHERE e.kind = ");
            }
            query.push_bind(kind.clone()).push(")");
        }
        if let Some(surface) = &self.surface {
            query.push(" AND EXISTS (SELECT 1 FROM effect e WHERE e.idx = r.idx AND e.surface = ");
            query.push_bind(surface.clone()).push(")");
        }
        if let Some(path) = &self.path {
            let path = path.trim_end_matches('/');
            if path.starts_with('/') {
                query
                    .push(" AND r.idx IN (SELECT e.idx FROM effect e WHERE e.target = ")
                    .push_bind(path.to_owned());
                query
                    .push(" UNION SELECT e.idx FROM effect e WHERE e.target >= ")
                    .push_bind(format!("{path}/"));
                query.push(" AND e.target < ").push_bind(format!("{path}0")).push(")");
            } else {
                let middle = format!("%/{}/%", escaped(path));
                let end = format!("%/{}", escaped(path));
                query.push(" AND EXISTS (SELECT 1 FROM effect e WHERE e.idx = r.idx AND (e.target LIKE ");
                query.push_bind(middle).push(" ESCAPE '\\' OR e.target LIKE ");
                query.push_bind(end).push(" ESCAPE '\\'))");
            }
        }
        if let Some(host) = &self.host {
            let host = host.to_lowercase();
            query.push(" AND r.idx IN (SELECT e.idx FROM effect e WHERE e.kind IN ('send', 'fetch', 'push', 'query', 'operate', 'install', 'publish', 'call') AND (lower(e.target) = ");
            query
                .push_bind(host.clone())
                .push(" OR lower(e.target) LIKE ")
                .push_bind(format!("%.{}", escaped(&host)));
            query.push(" ESCAPE '\\' OR (e.kind NOT IN ('send', 'fetch') AND lower(e.target) LIKE ");
            query.push_bind(format!("%{}%", escaped(&host))).push(" ESCAPE '\\')))");
        }
        if let Some(text) = &self.text {
            query.push(" AND r.search LIKE ").push_bind(format!("%{}%", escaped(&text.to_lowercase())));
            query.push(" ESCAPE '\\'");
        }
        if let Some(since) = self.since {
            query.push(" AND r.at >= ").push_bind(since.as_microsecond());
        }
        if let Some(until) = self.until {
            query.push(" AND r.at < ").push_bind(until.as_microsecond());
        }
        if let Some(before) = self.before {
            query.push(" AND r.idx < ").push_bind(number(before));
        }
        if let Some(from) = self.from {
            query.push(" AND r.idx >= ").push_bind(number(from));
        }
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Self { before: None, from: None, ..self.clone() } == Self::default()
    }
}

impl Index {
    /// Records that fit, newest first, `limit` of them at most.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn find(&self, filter: &Filter, limit: u32) -> Result<Page> {
        let mut query = QueryBuilder::<Db>::new("SELECT ");
        query.push(COLUMNS).push(" FROM record r");
        filter.push(&mut query);
        query.push(" ORDER BY r.idx DESC LIMIT ").push_bind(i64::from(limit) + 1);
        let rows = query.build().fetch_all(self.pool()).await?;
        let mut records = rows.iter().map(opened).collect::<Result<Vec<_>, _>>()?;
        let more = records.len() > limit as usize;
        records.truncate(limit as usize);
        let next = records.last().filter(|_| more).map(|r| r.index);
        Ok(Page { records, next })
    }

    /// The records of a session in order, from record `from` on, `limit` of them at most.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn of_session(&self, id: &str, from: u64, limit: u32) -> Result<Vec<Opened>> {
        let mut query = QueryBuilder::<Db>::new("SELECT ");
        query.push(COLUMNS).push(" FROM record r WHERE r.session = ").push_bind(id.to_owned());
        query.push(" AND r.idx >= ").push_bind(number(from));
        query.push(" ORDER BY r.idx LIMIT ").push_bind(i64::from(limit));
        let rows = query.build().fetch_all(self.pool()).await?;
        Ok(rows.iter().map(opened).collect::<Result<Vec<_>, _>>()?)
    }

    /// One record.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn record(&self, index: u64) -> Result<Option<Opened>> {
        let mut query = QueryBuilder::<Db>::new("SELECT ");
        query.push(COLUMNS).push(" FROM record r WHERE r.idx = ").push_bind(number(index));
        let row = query.build().fetch_optional(self.pool()).await?;
        Ok(row.as_ref().map(opened).transpose()?)
    }

    /// All records about a call, in order.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn of_call(&self, call: &str) -> Result<Vec<Opened>> {
        let mut query = QueryBuilder::<Db>::new("SELECT ");
        query.push(COLUMNS).push(" FROM record r WHERE r.call = ").push_bind(call.to_owned());
        query.push(" ORDER BY r.idx LIMIT 100");
        let rows = query.build().fetch_all(self.pool()).await?;
        Ok(rows.iter().map(opened).collect::<Result<Vec<_>, _>>()?)
    }

    /// Sessions whose last record is of `since` or later, the most recent first.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn sessions(&self, since: Timestamp, limit: u32) -> Result<Vec<SessionRow>> {
        let rows = sqlx::query("SELECT * FROM session WHERE last >= $1 ORDER BY last DESC, id LIMIT $2")
            .bind(since.as_microsecond())
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?;
        Ok(rows.iter().map(SessionRow::from_row).collect::<Result<Vec<_>, _>>()?)
    }

    /// A session by its identifier or the beginning of it, if that fits only one.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn session(&self, wanted: &str) -> Result<Option<SessionRow>> {
        let rows = sqlx::query("SELECT * FROM session WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2")
            .bind(wanted)
            .bind(after(wanted))
            .fetch_all(self.pool())
            .await?;
        let found = rows.iter().map(SessionRow::from_row).collect::<Result<Vec<_>, _>>()?;
        let only = found.len() == 1;
        Ok(found.into_iter().find(|row| only || row.id == wanted))
    }

    /// The newest record of a kind in a session.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn last_of(&self, session: &str, kind: &str) -> Result<Option<Opened>> {
        let mut query = QueryBuilder::<Db>::new("SELECT ");
        query.push(COLUMNS).push(" FROM record r WHERE r.session = ").push_bind(session.to_owned());
        query.push(" AND r.kind = ").push_bind(kind.to_owned()).push(" ORDER BY r.idx DESC LIMIT 1");
        let row = query.build().fetch_optional(self.pool()).await?;
        Ok(row.as_ref().map(opened).transpose()?)
    }

    /// The different words of a column of records, for the choices of a form: `agent`, `person` or `rule`.
    ///
    /// # Errors
    /// If the index does not answer.
    pub(crate) async fn words(&self, column: Column) -> Result<Vec<String>> {
        let statement = match column {
            Column::Agent => {
                "SELECT DISTINCT agent FROM session WHERE agent IS NOT NULL ORDER BY agent LIMIT 50"
            }
            Column::Person => {
                "SELECT DISTINCT person FROM session WHERE person IS NOT NULL ORDER BY person LIMIT 200"
            }
            // A skip scan over the index, so that it does not read every record.
            Column::Rule => {
                "WITH RECURSIVE w(rule) AS (SELECT min(rule) FROM record WHERE rule IS NOT NULL UNION ALL SELECT (SELECT \
                 min(r.rule) FROM record r WHERE r.rule IS NOT NULL AND r.rule > w.rule) FROM w WHERE w.rule IS NOT NULL) \
                 SELECT rule FROM w WHERE rule IS NOT NULL LIMIT 500"
            }
        };
        let rows: Vec<(String,)> = sqlx::query_as(statement).fetch_all(self.pool()).await?;
        Ok(rows.into_iter().map(|(word,)| word).collect())
    }
}

/// A column whose words are few.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    /// The agents.
    Agent,
    /// The people by name.
    Person,
    /// The rules that decided.
    Rule,
}
