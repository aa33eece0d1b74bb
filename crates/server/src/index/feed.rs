//! Keeping the index: records are read in batches and put in, one transaction a batch.

use super::Index;
use super::rows::{RecordRow, changes, place, sealed_text, some, tally};
use crate::error::{Result, ServerError};
use crate::opened::Opened;
use data_encoding::HEXLOWER;
use ledger::{Entry, Kind, LedgerError, Reader};
use sqlx::{QueryBuilder, Sqlite, Transaction};
use tokio::task::JoinHandle;

/// Records in one transaction.
const BATCH: usize = 4096;
/// Rows in one statement: SQLite takes 32,766 values.
const ROWS: usize = 512;

/// Reads the ledger into the index, from where the index stands on.
#[derive(Debug)]
pub struct Feeder {
    index: Index,
    reader: Reader,
    /// Index of the next record to put in.
    next: u64,
    /// The batch after the last one, which is read while that one is put in.
    ahead: Option<JoinHandle<Result<Batch>>>,
}

impl Feeder {
    /// Takes up where the index stands. If the ledger is not the one that the index was made of, the index begins anew.
    ///
    /// # Errors
    /// If index or ledger cannot be read.
    pub async fn new(index: Index, reader: Reader) -> Result<Self> {
        let mut next = 0;
        if let Some(stored) = index.meta("next").await? {
            next = stored.parse().map_err(|_| ServerError::BadIndex(stored))?;
        }
        let leaf = index.meta("leaf").await?;
        let mut feeder = Self { index, reader, next, ahead: None };
        if next > 0 {
            let reader = feeder.reader.clone();
            let last = blocking(move || Ok(reader.get(next - 1)?)).await?;
            if last.map(|entry| HEXLOWER.encode(&entry.leaf())) != leaf {
                feeder.forget().await?;
            }
        }
        Ok(feeder)
    }

    /// Empties the index; what people saved stays.
    async fn forget(&mut self) -> Result<()> {
        let mut transaction = self.index.pool().begin().await?;
        for statement in [
            "DELETE FROM record",
            "DELETE FROM effect",
            "DELETE FROM session",
            "DELETE FROM tally",
            "DELETE FROM meta WHERE name <> 'version'",
        ] {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        self.next = 0;
        Ok(())
    }

    /// Begins to read a batch.
    fn begin(&self, from: u64) -> JoinHandle<Result<Batch>> {
        let reader = self.reader.clone();
        tokio::task::spawn_blocking(move || read(&reader, from, BATCH))
    }

    /// Number of records that are in the index.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Puts in what the ledger has more than the index, one batch at most, and says how many records that were: call it
    /// again until it says 0.
    ///
    /// # Errors
    /// If index or ledger fail. The index is then as before the batch.
    pub async fn step(&mut self) -> Result<usize> {
        let batch = match self.ahead.take() {
            Some(ahead) => ahead.await.map_err(|_| ServerError::Ended("reading the record"))??,
            None => self.begin(self.next).await.map_err(|_| ServerError::Ended("reading the record"))??,
        };
        let Some(end) = batch.end else { return Ok(0) };
        if batch.rows.len() == BATCH {
            self.ahead = Some(self.begin(batch.next));
        }
        let erased: Vec<u64> = batch
            .rows
            .iter()
            .filter(|row| row.opened.kind == Kind::LEDGER_ERASED)
            .filter_map(|row| row.opened.number("index"))
            .collect();
        let again = if erased.is_empty() {
            Vec::new()
        } else {
            let reader = self.reader.clone();
            let until = batch.next;
            blocking(move || {
                let mut rows = Vec::new();
                for index in erased.into_iter().filter(|index| *index < until) {
                    rows.extend(
                        read(&reader, index, 1)?.rows.into_iter().filter(|r| r.opened.index == index),
                    );
                }
                Ok(rows)
            })
            .await?
        };
        // What was read ahead counts only if this batch gets in.
        let ahead = self.ahead.take();
        let mut transaction = self.index.pool().begin().await?;
        put(&mut transaction, &batch.rows).await?;
        for row in &again {
            put_again(&mut transaction, row).await?;
        }
        for (name, value) in [("next", batch.next.to_string()), ("leaf", end)] {
            sqlx::query(
                "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            )
            .bind(name)
            .bind(value)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        if !again.is_empty() {
            // The pages as they were are still in the write-ahead log.
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(self.index.pool()).await?;
        }
        let count = usize::try_from(batch.next - self.next).unwrap_or(usize::MAX);
        self.next = batch.next;
        self.ahead = ahead;
        Ok(count)
    }
}

/// Runs what reads files away from the tasks that answer.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ServerError::Ended("reading the record"))?
}

#[derive(Debug)]
struct Batch {
    rows: Vec<RecordRow>,
    /// Index after the last record.
    next: u64,
    /// Leaf hash of the last record.
    end: Option<String>,
}

/// Reads at most `count` records from `from` on. Damaged ones are passed over; verification tells of them.
fn read(reader: &Reader, from: u64, count: usize) -> Result<Batch> {
    let mut batch = Batch { rows: Vec::new(), next: from, end: None };
    let mut last: Option<Entry> = None;
    for found in reader.forward_sealed(from)? {
        match found {
            Ok((entry, record, sealed)) => {
                batch.next = entry.index() + 1;
                batch.rows.push(RecordRow::new(Opened::new(record, sealed)));
                last = Some(entry);
            }
            Err(LedgerError::Canonical { .. }) => {}
            Err(LedgerError::Corrupt { .. }) => break,
            Err(e) => return Err(e.into()),
        }
        if batch.rows.len() >= count {
            break;
        }
    }
    batch.end = last.map(|entry| HEXLOWER.encode(&entry.leaf()));
    Ok(batch)
}

fn number(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

async fn put(transaction: &mut Transaction<'_, Sqlite>, rows: &[RecordRow]) -> Result<()> {
    for chunk in rows.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO record (idx, at, kind, agent, session, call, subject, person, tool, verdict, judged, rule, title, \
             search, body) ",
        );
        query.push_values(chunk, |mut values, row| {
            let opened = &row.opened;
            values.push_bind(number(opened.index));
            values.push_bind(opened.at.as_microsecond());
            values.push_bind(opened.kind.as_str());
            values.push_bind(opened.agent.as_deref());
            values.push_bind(opened.session.as_deref());
            values.push_bind(opened.call.as_deref());
            values.push_bind(opened.subject.as_deref());
            values.push_bind(sealed_text(opened, "person"));
            values.push_bind(some(opened.clear("tool")));
            values.push_bind(row.verdict());
            values.push_bind(row.judged());
            values.push_bind(some(opened.clear("rule")));
            values.push_bind(row.title.as_str());
            values.push_bind(row.search.as_str());
            values.push_bind(row.body.as_str());
        });
        query.push(" ON CONFLICT (idx) DO NOTHING");
        query.build().execute(&mut **transaction).await?;
    }
    let effects: Vec<_> = rows
        .iter()
        .flat_map(|row| {
            row.opened.effects().enumerate().map(move |(at, effect)| (row.opened.index, at, effect))
        })
        .collect();
    for chunk in effects.chunks(ROWS) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO effect (idx, place, kind, surface, target) ");
        query.push_values(chunk, |mut values, (index, at, effect)| {
            values.push_bind(number(*index));
            values.push_bind(i64::try_from(*at).unwrap_or(i64::MAX));
            values.push_bind(effect.kind);
            values.push_bind(effect.surface);
            values.push_bind(effect.target.map(place));
        });
        query.push(" ON CONFLICT (idx, place) DO NOTHING");
        query.build().execute(&mut **transaction).await?;
    }
    for ((hour, what, name), count) in tally(rows) {
        sqlx::query(
            "INSERT INTO tally (hour, what, name, count) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (what, hour, name) DO UPDATE SET count = tally.count + excluded.count",
        )
        .bind(hour)
        .bind(what)
        .bind(name)
        .bind(count)
        .execute(&mut **transaction)
        .await?;
    }
    for (id, change) in changes(rows) {
        let [records, free, contained, asked, denied, ran, failed] = change.counts;
        sqlx::query(
            "INSERT INTO session (id, agent, subject, person, workspace, mode, attended, first, last, ended, records, free, \
             contained, asked, denied, ran, failed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
             ON CONFLICT (id) DO UPDATE SET agent = COALESCE(excluded.agent, session.agent), \
             subject = COALESCE(excluded.subject, session.subject), person = COALESCE(excluded.person, session.person), \
             workspace = COALESCE(excluded.workspace, session.workspace), mode = COALESCE(excluded.mode, session.mode), \
             attended = CASE WHEN excluded.attended > session.attended THEN excluded.attended ELSE session.attended END, \
             first = CASE WHEN excluded.first < session.first THEN excluded.first ELSE session.first END, \
             last = CASE WHEN excluded.last > session.last THEN excluded.last ELSE session.last END, \
             ended = excluded.ended, records = session.records + excluded.records, free = session.free + excluded.free, \
             contained = session.contained + excluded.contained, asked = session.asked + excluded.asked, \
             denied = session.denied + excluded.denied, ran = session.ran + excluded.ran, \
             failed = session.failed + excluded.failed",
        )
        .bind(id)
        .bind(change.agent)
        .bind(change.subject)
        .bind(change.person)
        .bind(change.workspace)
        .bind(change.mode)
        .bind(i64::from(change.attended))
        .bind(change.first)
        .bind(change.last)
        .bind(i64::from(change.ended))
        .bind(records)
        .bind(free)
        .bind(contained)
        .bind(asked)
        .bind(denied)
        .bind(ran)
        .bind(failed)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// Puts a record in anew whose sealed values were erased: what is gone from the record must be gone here too.
async fn put_again(transaction: &mut Transaction<'_, Sqlite>, row: &RecordRow) -> Result<()> {
    let index = number(row.opened.index);
    let person = sealed_text(&row.opened, "person");
    sqlx::query("UPDATE record SET person = $1, title = $2, search = $3, body = $4 WHERE idx = $5")
        .bind(person)
        .bind(row.title.as_str())
        .bind(row.search.as_str())
        .bind(row.body.as_str())
        .bind(index)
        .execute(&mut **transaction)
        .await?;
    if !row.opened.body.sealed.contains_key("targets") {
        sqlx::query("UPDATE effect SET target = NULL WHERE idx = $1")
            .bind(index)
            .execute(&mut **transaction)
            .await?;
    }
    if let (None, Some(session)) = (person, &row.opened.session) {
        sqlx::query("UPDATE session SET person = NULL WHERE id = $1")
            .bind(session)
            .execute(&mut **transaction)
            .await?;
    }
    if row.opened.kind == Kind::SESSION_START
        && let (None, Some(session)) = (sealed_text(&row.opened, "workspace"), &row.opened.session)
    {
        sqlx::query("UPDATE session SET workspace = NULL WHERE id = $1")
            .bind(session)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
