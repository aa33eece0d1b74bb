//! Searches that a person keeps. They live in the index's file and are the only thing in it that the ledger lacks; a
//! rebuild keeps them.

use super::Index;
use crate::error::Result;

/// A search that a person kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// What the person calls it.
    pub name: String,
    /// The query string of the search page.
    pub query: String,
}

impl Index {
    /// A person's searches by name.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn saved(&self, subject: &str) -> Result<Vec<Saved>> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, query FROM saved WHERE subject = $1 ORDER BY name LIMIT 100")
                .bind(subject)
                .fetch_all(self.pool())
                .await?;
        Ok(rows.into_iter().map(|(name, query)| Saved { name, query }).collect())
    }

    /// Keeps a search, in place of one of the same name.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn save(&self, subject: &str, saved: &Saved) -> Result<()> {
        sqlx::query(
            "INSERT INTO saved (name, subject, query) VALUES ($1, $2, $3) \
             ON CONFLICT (subject, name) DO UPDATE SET query = excluded.query",
        )
        .bind(&saved.name)
        .bind(subject)
        .bind(&saved.query)
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Forgets a search.
    ///
    /// # Errors
    /// If the index does not answer.
    pub async fn unsave(&self, subject: &str, name: &str) -> Result<()> {
        sqlx::query("DELETE FROM saved WHERE subject = $1 AND name = $2")
            .bind(subject)
            .bind(name)
            .execute(self.pool())
            .await?;
        Ok(())
    }
}
