//! HashiCorp Vault and OpenBao over their HTTP API: the key-value engine of version 2, and engines that make
//! credentials on demand. Source of the interface: the projects' API documentation (`/v1/MOUNT/data/PATH`,
//! `/v1/MOUNT/metadata/PATH`, `/v1/sys/leases/revoke`).

use crate::backend::{Backend, Given, Programs, field, value};
use crate::error::io;
use crate::{Result, Value, VaultError};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::Method;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use zeroize::Zeroizing;

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer, in bytes.
const LONGEST: u64 = 4 << 20;

/// The server, as the configuration describes it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where it is.
    pub address: String,
    /// Where the key-value engine is mounted.
    pub mount: String,
    /// The namespace.
    pub namespace: Option<String>,
    /// Certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// The command that prints a token.
    pub token: Vec<String>,
    /// Whether credentials are made on demand.
    pub dynamic: bool,
    /// How programs are run.
    pub programs: Programs,
}

/// HashiCorp Vault or OpenBao.
#[derive(Debug)]
pub struct HashiCorp {
    server: Server,
    agent: ureq::Agent,
}

/// An answer, of which only what is needed is read. Values stay text until one is taken out.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default)]
    lease_id: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Versioned<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<String>,
}

impl HashiCorp {
    /// The server's interface.
    ///
    /// # Errors
    /// [`VaultError::BadBackend`] for an address that is neither HTTPS nor on this machine, or without a way to a token.
    pub fn new(server: Server) -> Result<Self> {
        let bad = |why: &str| VaultError::BadBackend(format!("`{}` {why}", server.address));
        let address: ureq::http::Uri = server.address.parse().map_err(|_| bad("is no address"))?;
        let local = matches!(address.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
        // A token and secrets do not go over a network in the clear.
        if address.scheme_str() != Some("https") && !(local && address.scheme_str() == Some("http")) {
            return Err(bad("must begin with https://"));
        }
        if server.token.is_empty() {
            return Err(bad("has no `token` command"));
        }
        let mut tls = TlsConfig::builder();
        if let Some(file) = &server.ca_file {
            let text = std::fs::read(file).map_err(io("read", file))?;
            let certificates = parse_pem(&text).filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            });
            let certificates: Vec<_> = certificates.collect();
            if certificates.is_empty() {
                return Err(VaultError::BadBackend(format!("`{}` holds no certificate", file.display())));
            }
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // A redirect would carry the token elsewhere.
            .max_redirects(0)
            .proxy(None)
            .tls_config(tls.build())
            .build()
            .new_agent();
        Ok(Self { server, agent })
    }

    fn failed(&self, why: impl Into<String>) -> VaultError {
        VaultError::Server { address: self.server.address.clone(), why: why.into() }
    }

    /// `None` where the server has nothing there.
    fn call(&self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let (program, words) = self.server.token.split_first().ok_or_else(|| self.failed("has no token"))?;
        let token = self.server.programs.run(program, words, &[])?.map(|printed| value(&printed));
        let token = token.ok_or_else(|| VaultError::Program {
            program: program.clone(),
            why: "printed no token".to_owned(),
        })?;
        let token = std::str::from_utf8(token.expose_secret()).unwrap_or_default();
        let method = Method::from_bytes(method.as_bytes()).map_err(|e| self.failed(e.to_string()))?;
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.server.address.trim_end_matches('/')))
            .header("X-Vault-Token", token)
            .header("X-Vault-Request", "true");
        if let Some(namespace) = &self.server.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        // The token may stand in the error's text.
        let refused = |_| self.failed("cannot be asked: the token or the namespace is no header's value");
        let request = request.body(body.unwrap_or_default()).map_err(refused)?;
        let mut answer = self.agent.run(request).map_err(|e| self.failed(format!("gave no answer: {e}")))?;
        let status = answer.status().as_u16();
        if status == 404 {
            return Ok(None);
        }
        if !(200..300).contains(&status) {
            let hint = match status {
                403 => ": the token may not do this",
                503 => ": it is sealed or in maintenance",
                _ => "",
            };
            return Err(self.failed(format!("answered {status}{hint}")));
        }
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec();
        body.map(|b| Some(Zeroizing::new(b))).map_err(|e| self.failed(format!("broke off: {e}")))
    }

    /// The path and the field of a key; every step of the path is a plain name.
    fn parts<'k>(&self, key: &'k str) -> Result<(&'k str, &'k str)> {
        let (path, field) = key.rsplit_once('#').unwrap_or((key, "value"));
        let plain = |step: &str| {
            !step.is_empty()
                && step != "."
                && step != ".."
                && step.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        if path.split('/').all(plain) && !field.is_empty() {
            return Ok((path, field));
        }
        Err(VaultError::BadBackend(format!("`{key}` is no key: write PATH#FIELD")))
    }

    fn wrong(&self) -> VaultError {
        self.failed("answered something else than the API describes")
    }

    fn missing(&self, key: &str) -> VaultError {
        VaultError::Missing { name: key.to_owned(), backend: self.word() }
    }

    /// All fields at a path, as JSON text, and the version they have.
    fn fields(&self, path: &str) -> Result<Option<(Zeroizing<String>, u64)>> {
        let Some(body) = self.call("GET", &format!("{}/data/{path}", self.server.mount), None)? else {
            return Ok(None);
        };
        let answer: Answer<'_> = serde_json::from_slice(&body).map_err(|_| self.wrong())?;
        let data = answer.data.ok_or_else(|| self.wrong())?;
        let inner: Versioned<'_> = serde_json::from_str(data.get()).map_err(|_| self.wrong())?;
        let version = inner.metadata.map_or(0, |m| m.version);
        Ok(inner.data.map(|data| (Zeroizing::new(data.get().to_owned()), version)))
    }
}

impl Backend for HashiCorp {
    fn word(&self) -> String {
        format!("the server `{}`", self.server.address)
    }

    fn read(&self, key: &str) -> Result<Given> {
        let (path, name) = self.parts(key)?;
        if !self.server.dynamic {
            let (fields, _) = self.fields(path)?.ok_or_else(|| self.missing(key))?;
            return field(fields.as_bytes(), name).map(Given::from).ok_or_else(|| self.missing(key));
        }
        let body = self.call("GET", path, None)?.ok_or_else(|| self.missing(key))?;
        let answer: Answer<'_> = serde_json::from_slice(&body).map_err(|_| self.wrong())?;
        let data = answer.data.ok_or_else(|| self.wrong())?;
        let value = field(data.get().as_bytes(), name).ok_or_else(|| self.missing(key))?;
        let made = Some(answer.lease_id).filter(|id| !id.is_empty());
        Ok(Given { value, seconds: made.as_ref().map(|_| answer.lease_duration), made })
    }

    fn write(&self, key: &str, value: &Value) -> Result<()> {
        let (path, name) = self.parts(key)?;
        if self.server.dynamic {
            return Err(VaultError::ReadOnly { backend: self.word(), what: "set it" });
        }
        let text = std::str::from_utf8(value.expose_secret())
            .map_err(|_| self.failed("keeps text only, and this value is none"))?;
        // The other fields at the path stay; a writer in between makes the server refuse.
        let (fields, version) = self.fields(path)?.unwrap_or((Zeroizing::new("{}".to_owned()), 0));
        let mut fields: std::collections::BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&fields).map_err(|_| self.wrong())?;
        fields.insert(name.to_owned(), text.into());
        let body = serde_json::json!({ "options": { "cas": version }, "data": fields });
        let body = Zeroizing::new(body.to_string());
        let path = format!("{}/data/{path}", self.server.mount);
        self.call("POST", &path, Some(body.as_bytes()))?.map(drop).ok_or_else(|| self.missing(key))
    }

    fn remove(&self, key: &str) -> Result<bool> {
        let (path, _) = self.parts(key)?;
        if self.server.dynamic {
            return Err(VaultError::ReadOnly { backend: self.word(), what: "remove it" });
        }
        if self.fields(path)?.is_none() {
            return Ok(false);
        }
        Ok(self.call("DELETE", &format!("{}/metadata/{path}", self.server.mount), None)?.is_some())
    }

    fn list(&self) -> Result<Vec<String>> {
        if self.server.dynamic {
            return Err(VaultError::ReadOnly { backend: self.word(), what: "list them" });
        }
        let (mut out, mut todo) = (Vec::new(), vec![String::new()]);
        while let Some(dir) = todo.pop() {
            let path = format!("{}/metadata/{dir}?list=true", self.server.mount);
            let Some(body) = self.call("GET", &path, None)? else { continue };
            let answer: Answer<'_> = serde_json::from_slice(&body).map_err(|_| self.wrong())?;
            let data = answer.data.ok_or_else(|| self.wrong())?;
            let keys: Keys = serde_json::from_str(data.get()).map_err(|_| self.wrong())?;
            for key in keys.keys {
                let whole = format!("{dir}{key}");
                if whole.ends_with('/') { todo.push(whole) } else { out.push(whole) }
            }
        }
        out.sort_unstable();
        Ok(out)
    }

    fn give_back(&self, made: &str) -> Result<()> {
        let body = serde_json::json!({ "lease_id": made }).to_string();
        self.call("PUT", "sys/leases/revoke", Some(body.as_bytes())).map(drop)
    }
}
