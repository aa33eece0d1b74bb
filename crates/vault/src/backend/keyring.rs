//! The operating system's keyring, by the command that it brings: `secret-tool` (Secret Service) or `security` (macOS).
//! So no D-Bus client is linked into a program that starts thousands of times a day.

use crate::backend::{Backend, Given, Programs, value};
use crate::{Result, Value, VaultError};
use secrecy::ExposeSecret;

/// What all of Ambit's entries have in common.
const SERVICE: &str = "ambit";

/// The keyring.
#[derive(Debug)]
pub struct Keyring(Programs);

impl Keyring {
    /// The keyring of this login.
    #[must_use]
    pub fn new(programs: Programs) -> Self {
        Self(programs)
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// Keeps a value under a name.
pub(crate) fn put(programs: &Programs, name: &str, value: &[u8]) -> Result<()> {
    let done = if cfg!(target_os = "macos") {
        // In interactive mode the value is not seen in the list of processes. It takes hexadecimal.
        let hex = zeroize::Zeroizing::new(data_encoding::HEXLOWER.encode(value));
        let line = format!("add-generic-password -U -s {SERVICE} -a {name} -X {}\n", *hex);
        programs.run("security", &words(&["-i"]), zeroize::Zeroizing::new(line).as_bytes())?
    } else {
        let label = format!("Ambit: {name}");
        let call = ["store", "--label", &label, "service", SERVICE, "name", name];
        programs.run("secret-tool", &words(&call), value)?
    };
    done.map(drop).ok_or_else(|| VaultError::Program {
        program: program().to_owned(),
        why: "did not keep the value; the keyring may be locked or not running".to_owned(),
    })
}

fn program() -> &'static str {
    if cfg!(target_os = "macos") { "security" } else { "secret-tool" }
}

/// The value under a name; `None` if there is none.
pub(crate) fn get(programs: &Programs, name: &str) -> Result<Option<Value>> {
    let call = if cfg!(target_os = "macos") {
        words(&["find-generic-password", "-w", "-s", SERVICE, "-a", name])
    } else {
        words(&["lookup", "service", SERVICE, "name", name])
    };
    Ok(programs.run(program(), &call, &[])?.filter(|out| !out.is_empty()).map(|out| value(&out)))
}

impl Backend for Keyring {
    fn word(&self) -> String {
        "the keyring".to_owned()
    }

    fn read(&self, key: &str) -> Result<Given> {
        let missing = || VaultError::Missing { name: key.to_owned(), backend: self.word() };
        get(&self.0, key)?.map(Given::from).ok_or_else(missing)
    }

    fn write(&self, key: &str, value: &Value) -> Result<()> {
        put(&self.0, key, value.expose_secret())
    }

    fn remove(&self, key: &str) -> Result<bool> {
        if get(&self.0, key)?.is_none() {
            return Ok(false);
        }
        let call = if cfg!(target_os = "macos") {
            words(&["delete-generic-password", "-s", SERVICE, "-a", key])
        } else {
            words(&["clear", "service", SERVICE, "name", key])
        };
        Ok(self.0.run(program(), &call, &[])?.is_some())
    }
}
