//! What `ambit.toml` says of secrets: where they lie, and to whom each may be lent.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The part `[secrets]` of `ambit.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretTerms {
    /// Where secrets lie, by a name of one's own. `file`, the encrypted file in Ambit's state directory, is always there.
    pub backends: BTreeMap<String, BackendTerms>,
    /// The secrets that may be lent, by the name that a reference `secret://NAME` uses.
    pub lend: BTreeMap<String, LendTerms>,
    /// A file of certificates (PEM) trusted beside the system's, where a host that secrets are lent for has its own
    /// authority.
    pub ca_file: Option<String>,
}

/// Where secrets lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum BackendTerms {
    /// The file that Ambit encrypts itself (age), in its state directory.
    File {},
    /// The keyring of the operating system.
    Keyring {},
    /// HashiCorp Vault or OpenBao. A key is `PATH#FIELD` of the key-value engine of version 2, or, where `dynamic` is
    /// set, of an engine that makes credentials on demand, such as `database/creds/ROLE#password`.
    Vault {
        /// The server, such as `https://vault.example:8200`.
        address: String,
        /// Where the key-value engine is mounted; `secret` where left out.
        #[serde(default = "mount")]
        mount: String,
        /// The namespace, where the server has them.
        #[serde(default)]
        namespace: Option<String>,
        /// A file of certificates to trust, where the server's is not from a public authority.
        #[serde(default)]
        ca_file: Option<String>,
        /// The command that prints a token, such as `["vault", "print", "token"]`.
        token: Vec<String>,
        /// Whether credentials are made on demand and taken back at the end of the lease.
        #[serde(default)]
        dynamic: bool,
    },
    /// 1Password's command `op`. A key is a reference without its scheme: `VAULT/ITEM/FIELD`.
    Onepassword {
        /// The account, where there are several.
        #[serde(default)]
        account: Option<String>,
    },
    /// AWS Secrets Manager by the command `aws`. A key is a secret's name, with `#FIELD` where its value is JSON.
    Aws {
        /// The profile.
        #[serde(default)]
        profile: Option<String>,
        /// The region.
        #[serde(default)]
        region: Option<String>,
    },
    /// Any command that prints the value; `{key}` stands for the key in its words.
    Command {
        /// The program and its words.
        run: Vec<String>,
    },
}

fn mount() -> String {
    "secret".to_owned()
}

/// To whom a secret may be lent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LendTerms {
    /// The backend; `file` where left out.
    pub from: Option<String>,
    /// The key there; the secret's name where left out.
    pub key: Option<String>,
    /// How it reaches the process.
    pub how: Delivery,
    /// The variable that holds it (or its stand-in) in the process; the name in capitals where left out.
    pub variable: Option<String>,
    /// Programs that may have it, by name; none named means none.
    pub programs: Vec<String>,
    /// Hosts that its value may be sent to; for a stand-in at least one.
    pub hosts: Vec<String>,
    /// Methods of requests; any where none is named.
    pub methods: Vec<String>,
    /// Beginnings of the paths of requests; any where none is named.
    pub paths: Vec<String>,
    /// Where in a request it may stand; headers where left out.
    pub places: Vec<Placement>,
    /// How long one lease lasts, in minutes; 15 where left out.
    pub minutes: Option<u32>,
    /// How often it may be used under one lease; unlimited where left out.
    pub uses: Option<u32>,
    /// Whether every lease needs a person's consent, even where these terms fit.
    pub ask: bool,
}

/// Whether terms let a program have a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lending {
    /// Configured terms or a grant fit.
    Fits,
    /// Terms fit, and say that a person must agree each time.
    Asks,
    /// No terms let this program have it.
    #[default]
    None,
}

impl Lending {
    /// The word policies use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::Asks => "asks",
            Self::None => "none",
        }
    }
}

/// How a secret reaches a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The process has a worthless stand-in; the proxy puts the value into requests to the named hosts.
    #[default]
    Sentinel,
    /// The value stands in the environment of the one contained process.
    Environment,
}

/// A part of a request that may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// A header's value, but for Basic credentials.
    Header,
    /// The user or password of Basic credentials.
    Basic,
    /// The query.
    Query,
    /// The body.
    Body,
}
