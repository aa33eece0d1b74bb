//! Who may have a secret: the terms in `ambit.toml`, and what a person grants for a time.

use crate::{Name, Result, VaultError, files};
use jiff::Timestamp;
use model::{Delivery, LendTerms, SecretTerms};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a person granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its short name: `G` and a number.
    pub id: String,
    /// The secret.
    pub secret: Name,
    /// To whom.
    pub terms: LendTerms,
    /// Until when.
    pub until: Timestamp,
    /// Who granted it.
    pub by: String,
    /// Why.
    pub why: String,
}

/// The grants of one machine.
#[derive(Debug, Clone)]
pub struct Grants(PathBuf);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// How many were ever given: numbers are not used twice.
    given: u64,
    grants: Vec<Grant>,
}

impl Grants {
    /// The grants kept in `dir`.
    #[must_use]
    pub fn new(dir: &std::path::Path) -> Self {
        Self(dir.join("grants.json"))
    }

    /// Those in force, oldest first.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn list(&self, now: Timestamp) -> Result<Vec<Grant>> {
        let mut kept: Kept = files::load(&self.0)?;
        kept.grants.retain(|grant| now < grant.until);
        Ok(kept.grants)
    }

    /// Adds one and returns it with its name.
    ///
    /// # Errors
    /// If the file is damaged or cannot be written.
    pub fn add(&self, mut grant: Grant, now: Timestamp) -> Result<Grant> {
        let _lock = files::lock(&self.0)?;
        let mut kept: Kept = files::load(&self.0)?;
        kept.given += 1;
        grant.id = format!("G{}", kept.given);
        kept.grants.retain(|grant| now < grant.until);
        kept.grants.push(grant.clone());
        files::store(&self.0, &kept)?;
        Ok(grant)
    }

    /// Takes back the grant of this name, or all of a secret; returns what was taken back.
    ///
    /// # Errors
    /// If the file is damaged or cannot be written.
    pub fn revoke(&self, which: &str) -> Result<Vec<Grant>> {
        let _lock = files::lock(&self.0)?;
        let mut kept: Kept = files::load(&self.0)?;
        let (gone, rest): (Vec<_>, Vec<_>) =
            kept.grants.into_iter().partition(|grant| grant.id == which || grant.secret.as_str() == which);
        kept.grants = rest;
        if !gone.is_empty() {
            files::store(&self.0, &kept)?;
        }
        Ok(gone)
    }
}

/// What a call asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish<'a> {
    /// The secret.
    pub secret: &'a Name,
    /// The program that would have it.
    pub program: &'a str,
}

/// The terms under which `wish` may be fulfilled, and whose they are: `ambit.toml`, or the name of a grant. Terms that
/// need no further consent come before those that do, and what was granted before what is configured.
///
/// # Errors
/// [`VaultError::NotLent`] with what does not fit.
pub fn allowance(configured: &SecretTerms, grants: &[Grant], wish: &Wish<'_>) -> Result<(LendTerms, String)> {
    let name = wish.secret.as_str();
    let granted = grants.iter().filter(|g| g.secret == *wish.secret).map(|g| (&g.terms, g.id.clone()));
    let configured = configured.lend.get(name).map(|terms| (terms, "ambit.toml".to_owned()));
    let all: Vec<_> = granted.chain(configured).collect();
    let grant = format!("a person may run `ambit secrets grant {name} --program {}`", wish.program);
    let no = |why: String| VaultError::NotLent { name: name.to_owned(), why, mend: grant.clone() };
    if all.is_empty() {
        return Err(no("no terms say to whom it may be lent".to_owned()));
    }
    let mut fitting: Vec<_> =
        all.iter().filter(|(terms, _)| terms.programs.iter().any(|p| p == wish.program)).collect();
    fitting.sort_by_key(|(terms, _)| terms.ask);
    let Some((terms, whose)) = fitting.first() else {
        let mut programs: Vec<&str> = all.iter().flat_map(|(t, _)| &t.programs).map(String::as_str).collect();
        programs.dedup();
        let whom = if programs.is_empty() { "nobody".to_owned() } else { programs.join(", ") };
        return Err(no(format!("`{}` is not among those that may have it ({whom})", wish.program)));
    };
    if terms.how == Delivery::Sentinel && terms.hosts.is_empty() {
        return Err(no("a stand-in needs at least one host that the value may be sent to".to_owned()));
    }
    Ok(((*terms).clone(), whose.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(program: &str, ask: bool) -> LendTerms {
        LendTerms {
            programs: vec![program.to_owned()],
            hosts: vec!["api.example.com".to_owned()],
            ask,
            ..LendTerms::default()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn grant(program: &str, until: i64) -> Grant {
        Grant {
            id: String::new(),
            secret: "github".parse().unwrap(),
            terms: terms(program, false),
            until: at(until),
            by: "ann".to_owned(),
            why: "release".to_owned(),
        }
    }

    #[test]
    fn grants_end_and_are_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let grants = Grants::new(dir.path());
        assert_eq!(grants.add(grant("gh", 10), at(0)).unwrap().id, "G1");
        assert_eq!(grants.add(grant("curl", 20), at(0)).unwrap().id, "G2");
        assert_eq!(grants.list(at(9)).unwrap().len(), 2);
        assert_eq!(grants.list(at(10)).unwrap().len(), 1);
        assert_eq!(grants.add(grant("git", 30), at(10)).unwrap().id, "G3");
        assert_eq!(grants.revoke("G2").unwrap().len(), 1);
        assert_eq!(grants.revoke("github").unwrap().len(), 1);
        assert!(grants.list(at(11)).unwrap().is_empty());
    }

    #[test]
    fn only_fitting_terms_count() {
        let secret: Name = "github".parse().unwrap();
        let mut configured = SecretTerms::default();
        let wish = Wish { secret: &secret, program: "gh" };
        let error = allowance(&configured, &[], &wish).unwrap_err().to_string();
        assert!(error.contains("no terms") && error.contains("ambit secrets grant github --program gh"));
        configured.lend.insert("github".to_owned(), terms("curl", false));
        assert!(allowance(&configured, &[], &wish).unwrap_err().to_string().contains("(curl)"));
        configured.lend.insert("github".to_owned(), terms("gh", true));
        assert_eq!(allowance(&configured, &[], &wish).unwrap().1, "ambit.toml");
        assert_eq!(
            allowance(&configured, &[grant("gh", 9)], &wish).unwrap(),
            (terms("gh", false), String::new())
        );
        configured.lend.insert("github".to_owned(), LendTerms { hosts: Vec::new(), ..terms("gh", false) });
        assert!(allowance(&configured, &[], &wish).unwrap_err().to_string().contains("host"));
    }
}
