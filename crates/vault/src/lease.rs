//! Leases: one secret, for one call, until a time, so many uses. The value is not in them.

use crate::{Name, Result, VaultError, files};
use jiff::{SignedDuration, Timestamp};
use model::LendTerms;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How long a lease lasts where the terms do not say, in minutes.
const MINUTES: u32 = 15;

/// A secret lent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Its name: 32 hexadecimal digits.
    pub id: String,
    /// The secret.
    pub secret: Name,
    /// The session it is lent in.
    pub session: String,
    /// The call it is lent to.
    pub call: String,
    /// The program that has it.
    pub program: String,
    /// Whose terms it is lent under.
    pub terms: String,
    /// The backend the value came from.
    pub backend: String,
    /// What to give back at the end.
    pub made: Option<String>,
    /// When it began.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// How often it may still be used; `None` without a limit.
    pub uses_left: Option<u32>,
    /// How often it was used.
    pub used: u32,
    /// Whether it was taken back.
    pub revoked: bool,
}

impl Lease {
    /// Whether it may be used now.
    ///
    /// # Errors
    /// [`VaultError::Over`] with the reason.
    pub fn check(&self, now: Timestamp) -> Result<()> {
        let over = |why| Err(VaultError::Over { name: self.secret.to_string(), why });
        if self.revoked {
            over("it was taken back")
        } else if now >= self.expires {
            over("its time is up")
        } else if self.uses_left == Some(0) {
            over("it has been used as often as it may")
        } else {
            Ok(())
        }
    }

    /// A new one for `terms`, with a random name. The backend may shorten it.
    ///
    /// # Errors
    /// [`VaultError::NoRandom`].
    pub fn new(secret: Name, terms: &LendTerms, seconds: Option<u64>, now: Timestamp) -> Result<Self> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).map_err(|_| VaultError::NoRandom)?;
        let own = u64::from(terms.minutes.unwrap_or(MINUTES)) * 60;
        let length = i64::try_from(seconds.unwrap_or(own).min(own)).unwrap_or(0);
        Ok(Self {
            id: data_encoding::HEXLOWER.encode(&bytes),
            secret,
            session: String::new(),
            call: String::new(),
            program: String::new(),
            terms: String::new(),
            backend: String::new(),
            made: None,
            issued: now,
            expires: now.checked_add(SignedDuration::from_secs(length)).unwrap_or(now),
            uses_left: terms.uses,
            used: 0,
            revoked: false,
        })
    }
}

/// The leases of one machine: a file each.
#[derive(Debug, Clone)]
pub struct Leases(PathBuf);

impl Leases {
    /// The leases kept in `dir`.
    #[must_use]
    pub fn new(dir: &std::path::Path) -> Self {
        Self(dir.join("leases"))
    }

    fn path(&self, id: &str) -> Result<PathBuf> {
        let plain = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        let wrong = || VaultError::Damaged { path: self.0.clone(), why: format!("`{id}` names no lease") };
        plain.then(|| self.0.join(format!("{id}.json"))).ok_or_else(wrong)
    }

    fn load(&self, id: &str) -> Result<Lease> {
        let path = self.path(id)?;
        let lease: Option<Lease> = files::load(&path)?;
        lease.ok_or_else(|| VaultError::Damaged { path, why: "there is no such lease".to_owned() })
    }

    /// Keeps a new lease.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn issue(&self, lease: &Lease) -> Result<()> {
        files::store(&self.path(&lease.id)?, lease)
    }

    /// Counts one use and returns the lease as it is after it. Many may ask at once: no use is counted twice or lost.
    ///
    /// # Errors
    /// [`VaultError::Over`] if it may not be used any more.
    pub fn use_once(&self, id: &str, now: Timestamp) -> Result<Lease> {
        self.change(id, |lease| {
            lease.check(now)?;
            lease.uses_left = lease.uses_left.map(|left| left - 1);
            lease.used += 1;
            Ok(())
        })
    }

    /// Takes a lease back.
    ///
    /// # Errors
    /// If there is none, or the file cannot be written.
    pub fn revoke(&self, id: &str) -> Result<Lease> {
        self.change(id, |lease| {
            lease.revoked = true;
            Ok(())
        })
    }

    fn change(&self, id: &str, f: impl FnOnce(&mut Lease) -> Result<()>) -> Result<Lease> {
        let path = self.path(id)?;
        let _lock = files::lock(&path)?;
        let mut lease = self.load(id)?;
        f(&mut lease)?;
        files::store(&path, &lease)?;
        Ok(lease)
    }

    /// Forgets a lease; what was lent is over.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub fn end(&self, id: &str) -> Result<()> {
        let path = self.path(id)?;
        for file in [path.with_extension("lock"), path] {
            match std::fs::remove_file(&file) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(crate::error::io("remove", &file)(e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// All that are kept, over or not, oldest first.
    ///
    /// # Errors
    /// If a file is damaged.
    pub fn list(&self) -> Result<Vec<Lease>> {
        let entries = match std::fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(crate::error::io("list", &self.0)(e)),
        };
        let mut out = Vec::new();
        for entry in entries {
            let name = entry.map_err(crate::error::io("list", &self.0))?.file_name();
            if let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".json")) {
                out.push(self.load(id)?);
            }
        }
        out.sort_by_key(|lease: &Lease| lease.issued);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn lease(terms: &LendTerms, seconds: Option<u64>) -> Lease {
        Lease::new("github".parse().unwrap(), terms, seconds, at(0)).unwrap()
    }

    #[test]
    fn a_lease_ends_by_time_by_uses_and_when_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let leases = Leases::new(dir.path());
        let terms = LendTerms { minutes: Some(1), uses: Some(2), ..LendTerms::default() };
        let a = lease(&terms, None);
        leases.issue(&a).unwrap();
        assert_eq!(leases.use_once(&a.id, at(59)).unwrap().uses_left, Some(1));
        assert!(leases.use_once(&a.id, at(60)).unwrap_err().to_string().contains("time is up"));
        assert_eq!(leases.use_once(&a.id, at(1)).unwrap().used, 2);
        assert!(leases.use_once(&a.id, at(1)).unwrap_err().to_string().contains("as often"));
        let b = lease(&LendTerms::default(), Some(30));
        leases.issue(&b).unwrap();
        assert_eq!(b.expires, at(30));
        leases.revoke(&b.id).unwrap();
        assert!(leases.use_once(&b.id, at(1)).unwrap_err().to_string().contains("taken back"));
        assert_eq!(leases.list().unwrap().len(), 2);
        leases.end(&a.id).unwrap();
        assert_eq!(leases.list().unwrap().len(), 1);
        assert!(leases.use_once("../../etc/passwd", at(1)).is_err());
    }

    #[test]
    fn many_uses_at_once_are_counted_once_each() {
        let dir = tempfile::tempdir().unwrap();
        let leases = Leases::new(dir.path());
        let lease = lease(&LendTerms { uses: Some(20), ..LendTerms::default() }, None);
        leases.issue(&lease).unwrap();
        let good = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| (0..10).filter(|_| leases.use_once(&lease.id, at(1)).is_ok()).count())
                })
                .collect();
            all.into_iter().map(|t| t.join().unwrap()).sum::<usize>()
        });
        assert_eq!(good, 20);
    }
}
