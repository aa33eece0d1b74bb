//! Back ends: where secrets lie.

pub(crate) mod age_file;
pub(crate) mod command;
pub(crate) mod hashicorp;
pub(crate) mod keyring;

use crate::{Identity, Result, Unlocked, Value, VaultError};
use jiff::Timestamp;
use model::BackendTerms;
use secrecy::SecretSlice;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long a program that keeps secrets may take: some ask the person first.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longest value, in bytes.
const LONGEST: u64 = 1 << 20;

/// A value as a backend gives it.
pub struct Given {
    /// The value.
    pub value: Value,
    /// What to give back at the end, where the credentials were made for this lease.
    pub made: Option<String>,
    /// How long the backend lets it live, in seconds, where it says.
    pub seconds: Option<u64>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given")
            .field("made", &self.made)
            .field("seconds", &self.seconds)
            .finish_non_exhaustive()
    }
}

impl From<Value> for Given {
    fn from(value: Value) -> Self {
        Self { value, made: None, seconds: None }
    }
}

/// Where secrets lie. `key` is the backend's own name for one.
pub trait Backend {
    /// What it is, for messages.
    fn word(&self) -> String;

    /// The value.
    ///
    /// # Errors
    /// [`VaultError::Missing`] if there is none; else why it cannot be had.
    fn read(&self, key: &str) -> Result<Given>;

    /// Keeps a value, in place of an earlier one.
    ///
    /// # Errors
    /// [`VaultError::ReadOnly`] where Ambit only reads; else why it cannot be kept.
    fn write(&self, _key: &str, _value: &Value) -> Result<()> {
        Err(VaultError::ReadOnly { backend: self.word(), what: "set it" })
    }

    /// Removes a value; false if there was none.
    ///
    /// # Errors
    /// As for [`Backend::write`].
    fn remove(&self, _key: &str) -> Result<bool> {
        Err(VaultError::ReadOnly { backend: self.word(), what: "remove it" })
    }

    /// The keys, in order.
    ///
    /// # Errors
    /// As for [`Backend::write`].
    fn list(&self) -> Result<Vec<String>> {
        Err(VaultError::ReadOnly { backend: self.word(), what: "list them" })
    }

    /// Gives credentials back that were made for a lease.
    ///
    /// # Errors
    /// Why that failed; they end by themselves then.
    fn give_back(&self, _made: &str) -> Result<()> {
        Ok(())
    }
}

/// What back ends need to run programs: nothing comes from the environment of this process by itself.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    /// The search path.
    pub path: OsString,
    /// Further variables, such as the home and what tells a keyring's bus.
    pub variables: Vec<(String, OsString)>,
}

impl Programs {
    /// Runs a program with `input` and returns what it prints; `None` if it ends with another status than 0. What it
    /// prints is kept out of every message.
    fn run(&self, program: &str, words: &[String], input: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let failed = |why: String| VaultError::Program { program: program.to_owned(), why };
        let mut command = Command::new(program);
        command.args(words).env_clear().env("PATH", &self.path).envs(self.variables.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| failed(format!("cannot be started: {e}")))?;
        let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let printed = std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let mut out = Zeroizing::new(Vec::new());
                match stdout {
                    Some(pipe) => pipe.take(LONGEST + 1).read_to_end(&mut out).map(|_| out),
                    None => Ok(out),
                }
            });
            if let Some(pipe) = &mut stdin {
                // A program that wants no input closes its end.
                let _ = pipe.write_all(input);
            }
            drop(stdin);
            let end = Instant::now() + PATIENCE;
            let status = loop {
                match child.try_wait() {
                    Ok(Some(status)) => break Ok(status),
                    Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
                    other => {
                        let _ = child.kill();
                        let _ = child.wait();
                        let text = format!("gave no answer within {} s", PATIENCE.as_secs());
                        break Err(other.err().map_or(text, |e| e.to_string()));
                    }
                }
            };
            let read = reader.join().map_err(|_| failed("could not be read".to_owned()))?;
            Ok((status.map_err(failed)?, read.map_err(|e| failed(e.to_string()))?))
        });
        let (status, out) = printed?;
        if out.len() as u64 > LONGEST {
            return Err(failed("printed more than 1 MB".to_owned()));
        }
        Ok(status.success().then_some(out))
    }
}

/// A value from what a program printed: without the line's end.
fn value(bytes: &[u8]) -> Value {
    let end = bytes.iter().rposition(|b| !matches!(b, b'\n' | b'\r')).map_or(0, |at| at + 1);
    SecretSlice::from(bytes.get(..end).unwrap_or_default().to_vec())
}

/// One field of a JSON object, for keys with `#FIELD`.
fn field(json: &[u8], name: &str) -> Option<Value> {
    let object: std::collections::BTreeMap<String, serde_json::Value> = serde_json::from_slice(json).ok()?;
    let text = match object.get(name)? {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(SecretSlice::from(text.into_bytes()))
}

/// The backend that `terms` describe. `dir` is where the encrypted file lies.
///
/// # Errors
/// [`VaultError::BadBackend`] if the description cannot work.
pub fn open(
    terms: &BackendTerms,
    dir: PathBuf,
    programs: &Programs,
    unlocked: &Unlocked,
    now: Timestamp,
) -> Result<Box<dyn Backend>> {
    Ok(match terms {
        BackendTerms::File {} => {
            let (programs, unlocked, place) = (programs.clone(), unlocked.clone(), dir.clone());
            let key = move || Identity::open(&place, &programs, &unlocked, now);
            Box::new(age_file::AgeFile::new(dir, Box::new(key)))
        }
        BackendTerms::Keyring {} => Box::new(keyring::Keyring::new(programs.clone())),
        BackendTerms::Vault { address, mount, namespace, ca_file, token, dynamic } => {
            Box::new(hashicorp::HashiCorp::new(hashicorp::Server {
                address: address.clone(),
                mount: mount.clone(),
                namespace: namespace.clone(),
                ca_file: ca_file.clone().map(PathBuf::from),
                token: token.clone(),
                dynamic: *dynamic,
                programs: programs.clone(),
            })?)
        }
        BackendTerms::Onepassword { account } => {
            Box::new(command::Command::onepassword(account.as_deref(), programs.clone()))
        }
        BackendTerms::Aws { profile, region } => {
            Box::new(command::Command::aws(profile.as_deref(), region.as_deref(), programs.clone()))
        }
        BackendTerms::Command { run } => Box::new(command::Command::of(run, programs.clone())?),
    })
}
