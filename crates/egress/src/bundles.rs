//! Named lists of hosts, as data.

use crate::rules::{HostRule, RequestRule, RuleError, Traffic};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The lists that come with Ambit.
const SHIPPED: &str = include_str!("../data/code-hosts.toml");

/// What is put after a bundle's name to hold its rules on requests everywhere, by opening TLS.
const STRICTLY: &str = ":read-only";

/// Hosts with the same rules, as they are written in a bundle or a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// Host patterns.
    pub hosts: Vec<String>,
    /// Ports; none means 80 and 443.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Which requests; none means every request.
    #[serde(default)]
    pub requests: Vec<RequestEntry>,
    /// Whether TLS is opened to hold `requests`.
    #[serde(default)]
    pub open_tls: bool,
    /// Whether anything may flow, not only TLS and HTTP.
    #[serde(default)]
    pub raw: bool,
    /// Whether the name may lead to private addresses.
    #[serde(default)]
    pub private: bool,
    /// Whether a TLS greeting may have no name or hide it.
    #[serde(default)]
    pub hidden_name: bool,
}

/// Requests, as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestEntry {
    /// Methods in capital letters; none means every method.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Path patterns; none means every path.
    #[serde(default)]
    pub paths: Vec<String>,
}

impl HostEntry {
    /// The rules that the entry stands for, under this id.
    ///
    /// # Errors
    /// [`RuleError`] for a pattern or method that is none.
    pub fn rules(&self, id: &str) -> Result<Vec<HostRule>, RuleError> {
        let requests: Vec<RequestRule> = self
            .requests
            .iter()
            .map(|r| RequestRule::read(&r.methods, &r.paths))
            .collect::<Result<_, _>>()?;
        self.hosts
            .iter()
            .map(|host| {
                Ok(HostRule {
                    ports: self.ports.clone(),
                    traffic: if self.raw { Traffic::Raw } else { Traffic::Web },
                    requests: requests.clone(),
                    open_tls: self.open_tls,
                    hidden_name: self.hidden_name,
                    private: self.private,
                    ..HostRule::new(id, host)?
                })
            })
            .collect()
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bundle {
    #[serde(default)]
    about: String,
    #[serde(default)]
    entry: Vec<HostEntry>,
}

/// The bundles there are.
#[derive(Debug, Clone, Default)]
pub struct Bundles(BTreeMap<String, Bundle>);

impl Bundles {
    /// Those that come with Ambit.
    ///
    /// # Errors
    /// Never, as tests make sure; the data is read like anybody's.
    pub fn shipped() -> Result<Self, RuleError> {
        Self::read(SHIPPED)
    }

    /// Reads bundles: a table a bundle, with `about` and a list `entry`, as in the configuration's `[egress.bundles]`.
    ///
    /// # Errors
    /// [`RuleError`] when the text or a rule in it is not well formed.
    pub fn read(text: &str) -> Result<Self, RuleError> {
        let bundles: BTreeMap<String, Bundle> = toml::from_str(text)?;
        for (name, bundle) in &bundles {
            for entry in &bundle.entry {
                entry.rules(name)?;
            }
        }
        Ok(Self(bundles))
    }

    /// Adds others; one of the same name is replaced.
    pub fn add(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Names and what they are about.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, bundle)| (name.as_str(), bundle.about.as_str()))
    }

    /// The rules of a bundle, with the id `bundle/NAME`. `NAME:read-only` opens TLS for those that speak of requests.
    ///
    /// # Errors
    /// [`RuleError::Bundle`] when there is none.
    pub fn rules(&self, name: &str) -> Result<Vec<HostRule>, RuleError> {
        let (base, strictly) = match (self.0.get(name), name.strip_suffix(STRICTLY)) {
            (None, Some(base)) => (base, true),
            _ => (name, false),
        };
        let Some(bundle) = self.0.get(base) else {
            let known = self.0.keys().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
            return Err(RuleError::Bundle { text: name.to_owned(), known });
        };
        let id = format!("bundle/{name}");
        let mut rules: Vec<HostRule> = bundle
            .entry
            .iter()
            .map(|e| e.rules(&id))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect();
        for rule in &mut rules {
            rule.open_tls |= strictly && !rule.requests.is_empty();
        }
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rules, Target};

    fn rules(name: &str) -> Rules {
        Rules { hosts: Bundles::shipped().unwrap().rules(name).unwrap(), ..Rules::deny_all("") }
    }

    #[test]
    fn code_hosts_are_read_and_not_written() {
        let rules = rules("code-hosts");
        let target = Target::read("github.com:443", None).unwrap();
        assert!(!rules.judge_connection(&target).unwrap().open_tls);
        for (method, path, good) in [
            ("GET", "/rust-lang/rust", true),
            ("POST", "/rust-lang/rust.git/git-upload-pack", true),
            ("POST", "/rust-lang/rust.git/git-receive-pack", false),
            ("POST", "/gists", false),
            ("PUT", "/x", false),
            ("DELETE", "/x", false),
            ("POST", "/x/git-receive-pack/../git-upload-pack", false),
        ] {
            assert_eq!(rules.judge_request(&target, method, path).is_ok(), good, "{method} {path}");
        }
        assert!(rules.judge_connection(&Target::read("github.com:22", None).unwrap()).is_err());
        assert!(rules.judge_connection(&Target::read("gist.github.com:443", None).unwrap()).is_err());
    }

    #[test]
    fn read_only_opens_tls() {
        let strict = rules("code-hosts:read-only");
        assert!(strict.judge_connection(&Target::read("github.com:443", None).unwrap()).unwrap().open_tls);
        let ssh = rules("code-hosts-ssh");
        assert_eq!(
            ssh.judge_connection(&Target::read("github.com:22", None).unwrap()).unwrap().traffic,
            Traffic::Raw
        );
    }

    #[test]
    fn own_bundles_are_read_and_faults_told() {
        let mut bundles = Bundles::shipped().unwrap();
        bundles.add(
            Bundles::read("[team]\n[[team.entry]]\nhosts = [\"*.team.example\"]\nprivate = true\n").unwrap(),
        );
        assert_eq!(bundles.rules("team").unwrap().len(), 1);
        let missing = bundles.rules("teams").unwrap_err().to_string();
        assert!(missing.contains("`teams`") && missing.contains("`team`"), "{missing}");
        for bad in [
            "[team]\n[[team.entry]]\nhosts = [\"*\"]\n",
            "[team]\n[[team.entry]]\nhosts = [\"a.example\"]\nmethods = [\"GET\"]\n",
            "[team]\n[[team.entry]]\nhosts = [\"a.example\"]\nrequests = [{ methods = [\"get\"] }]\n",
            "[team]\n[[team.entry]]\nhosts = [\"a.example\"]\nrequests = [{ paths = [\"x\"] }]\n",
        ] {
            assert!(Bundles::read(bad).is_err(), "{bad}");
        }
    }
}
