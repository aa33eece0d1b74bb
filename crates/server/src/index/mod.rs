//! The index over the ledger: a database that can be deleted at any time and is built again from the record.

mod feed;
mod find;
mod measure;
mod rows;
mod saved;

pub use feed::Feeder;
pub(crate) use feed::blocking;
pub(crate) use find::Column;
pub use find::{Filter, Page};
pub use measure::{Friction, Named, Span};
pub use rows::SessionRow;
pub use saved::Saved;

use crate::error::{Result, ServerError};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The database behind it. All other statements are such that PostgreSQL takes them too.
pub(crate) type Db = sqlx::Sqlite;

/// Version of the schema and of what is put into it; another one means that the index is built again.
const VERSION: &str = "2";
const SCHEMA: &str = include_str!("schema.sql");
/// Name of the index's file below the state directory.
const FILE: &str = "console/index.db";

/// The index, open.
#[derive(Debug, Clone)]
pub struct Index {
    pool: SqlitePool,
}

impl Index {
    /// Opens the index of the state directory `state`, made anew if it is missing or of another version.
    ///
    /// # Errors
    /// [`ServerError::IndexOpen`], or if its directory cannot be made.
    pub async fn open(state: &Path) -> Result<Self> {
        let path = state.join(FILE);
        let directory = path.parent().unwrap_or(state);
        fs_err::create_dir_all(directory)?;
        fs_err::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
        let failed = |source| ServerError::IndexOpen { path: path.clone(), source };
        let index = match Self::at(&path).await {
            Ok(index) => index,
            // Not a database any more: it is only an index.
            Err(_) => {
                remove(&path)?;
                Self::at(&path).await.map_err(failed)?
            }
        };
        if index.meta("version").await?.as_deref() == Some(VERSION) {
            return Ok(index);
        }
        index.pool.close().await;
        remove(&path)?;
        let index = Self::at(&path).await.map_err(failed)?;
        index.create().await.map_err(failed)?;
        Ok(index)
    }

    async fn at(path: &Path) -> std::result::Result<Self, sqlx::Error> {
        // Made by us and not by the database, so that nobody else can ever read it.
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(10))
            .pragma("cache_size", "-32768")
            .pragma("temp_store", "memory")
            // What is erased is overwritten, not only forgotten.
            .pragma("secure_delete", "on")
            .pragma("mmap_size", "1073741824");
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        // A file that is no database fails here and not later.
        sqlx::query("SELECT count(*) FROM sqlite_schema").execute(&pool).await?;
        Ok(Self { pool })
    }

    async fn create(&self) -> std::result::Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        // SQLite's own row number serves as the key, which halves the work of an insert.
        let schema = SCHEMA.replace("idx BIGINT NOT NULL PRIMARY KEY", "idx INTEGER NOT NULL PRIMARY KEY");
        sqlx::raw_sql(sqlx::AssertSqlSafe(schema)).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO meta (name, value) VALUES ('version', $1)")
            .bind(VERSION)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    async fn meta(&self, name: &str) -> Result<Option<String>> {
        let there: Option<(String,)> =
            sqlx::query_as("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'meta'")
                .fetch_optional(&self.pool)
                .await?;
        if there.is_none() {
            return Ok(None);
        }
        let row: Option<(String,)> = sqlx::query_as("SELECT value FROM meta WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|(value,)| value))
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }
}

/// Removes the database with what lies beside it.
fn remove(path: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        match fs_err::remove_file(PathBuf::from(name)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
    }
    Ok(())
}
