//! Secrets that a command prints: 1Password's `op`, AWS's `aws`, or any other.

use crate::backend::{Backend, Given, Programs, field, value};
use crate::{Result, VaultError};
use secrecy::ExposeSecret;

/// What stands for the key in a command's words.
const KEY: &str = "{key}";

/// A command that prints a secret.
#[derive(Debug)]
pub struct Command {
    run: Vec<String>,
    programs: Programs,
    /// Whether `#FIELD` in a key names a part of a JSON value.
    fields: bool,
}

impl Command {
    /// Any command; `{key}` stands for the key.
    ///
    /// # Errors
    /// [`VaultError::BadBackend`] without a program or a place for the key.
    pub fn of(run: &[String], programs: Programs) -> Result<Self> {
        if run.first().is_none_or(|program| program.contains(KEY)) {
            return Err(VaultError::BadBackend("`run` names no program".to_owned()));
        }
        if !run.iter().any(|word| word.contains(KEY)) {
            return Err(VaultError::BadBackend(format!("`run` has no `{KEY}`")));
        }
        Ok(Self { run: run.to_vec(), programs, fields: false })
    }

    /// 1Password's command-line tool: `op read op://KEY`.
    #[must_use]
    pub fn onepassword(account: Option<&str>, programs: Programs) -> Self {
        let mut run: Vec<String> = ["op", "read", "--no-newline"].map(str::to_owned).to_vec();
        if let Some(account) = account {
            run.extend(["--account".to_owned(), account.to_owned()]);
        }
        run.push(format!("op://{KEY}"));
        Self { run, programs, fields: false }
    }

    /// AWS Secrets Manager by AWS's command-line tool.
    #[must_use]
    pub fn aws(profile: Option<&str>, region: Option<&str>, programs: Programs) -> Self {
        let mut run: Vec<String> = ["aws", "secretsmanager", "get-secret-value"].map(str::to_owned).to_vec();
        for (option, text) in [("--profile", profile), ("--region", region)] {
            run.extend(text.into_iter().flat_map(|text| [option.to_owned(), text.to_owned()]));
        }
        run.extend(["--query", "SecretString", "--output", "text", "--secret-id", KEY].map(str::to_owned));
        Self { run, programs, fields: true }
    }
}

impl Backend for Command {
    fn word(&self) -> String {
        format!("`{}`", self.run.first().map_or("", String::as_str))
    }

    fn read(&self, key: &str) -> Result<Given> {
        let (whole, part) = match key.rsplit_once('#').filter(|_| self.fields) {
            Some((whole, part)) => (whole, Some(part)),
            None => (key, None),
        };
        // A key that begins with a dash would be an option.
        if whole.is_empty() || whole.starts_with('-') || whole.contains('\0') {
            return Err(VaultError::Missing { name: key.to_owned(), backend: self.word() });
        }
        let words: Vec<String> = self.run.iter().map(|word| word.replace(KEY, whole)).collect();
        let (program, rest) = words.split_first().ok_or_else(|| VaultError::NoBackend(self.word()))?;
        let missing = || VaultError::Missing { name: key.to_owned(), backend: self.word() };
        let printed = self.programs.run(program, rest, &[])?.ok_or_else(|| VaultError::Program {
            program: program.clone(),
            why: format!("did not give `{whole}`"),
        })?;
        let value = match part {
            Some(part) => field(&printed, part).ok_or_else(missing)?,
            None => value(&printed),
        };
        if value.expose_secret().is_empty() { Err(missing()) } else { Ok(value.into()) }
    }
}
