//! Where this machine's clients fetch packages from, read from their own configuration.
//!
//! Ambit names no registry of its own. The texts come in by argument and must be the person's or the system's (a home's
//! `.npmrc`, `/etc/pip.conf`, an installed client's own defaults), never a project's, which an agent could write.
//! A setting that cannot be read as an `http` or `https` URL names no host: what is not understood is not allowed.

use crate::name::{Target, read_host, url_target};
use crate::rules::{HostPattern, HostRule, RequestRule, RuleError, Traffic};
use model::Host;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The hosts of one kind of registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry(Vec<Target>);

impl Registry {
    /// Adds the host of a URL, as an environment variable such as `PIP_INDEX_URL` holds it, alone or in a list.
    pub fn url(&mut self, text: &str) {
        for url in text.split([',', '|', ' ', '\t', '\n']) {
            // A name before `=` is how uv names an index.
            let url =
                url.split_once("=http").map_or_else(|| url.to_owned(), |(_, rest)| format!("http{rest}"));
            if let Some(target) = url_target(&url)
                && !self.0.contains(&target)
            {
                self.0.push(target);
            }
        }
    }

    /// Adds a host alone, as where a client keeps files of an index.
    fn host(&mut self, text: &str) {
        if let Ok(host @ Host::Name(_)) = read_host(text) {
            let target = Target { host, port: 443 };
            if !self.0.contains(&target) {
                self.0.push(target);
            }
        }
    }

    /// Reads an `npmrc`: `registry`, and `@scope:registry`.
    pub fn npmrc(&mut self, text: &str) {
        for (key, value) in pairs(text) {
            if key == "registry" || (key.starts_with('@') && key.ends_with(":registry")) {
                self.url(value);
            }
        }
    }

    /// Reads the defaults of an installed npm (`@npmcli/config/lib/definitions/definitions.js`).
    pub fn npm_defaults(&mut self, text: &str) {
        let Some((_, after)) = text.split_once("new Definition('registry', {") else { return };
        let Some((_, after)) = after.split_once("default: '") else { return };
        self.url(after.split('\'').next().unwrap_or(""));
    }

    /// Reads a `pip.conf`: `index-url`, `extra-index-url` and `find-links` of any section; values may go on in indented lines.
    pub fn pip_conf(&mut self, text: &str) {
        let mut wanted = false;
        for line in text.lines() {
            if line.starts_with([' ', '\t']) {
                if wanted {
                    self.url(line.trim());
                }
                continue;
            }
            let pair = line.split_once(['=', ':']);
            wanted = pair.is_some_and(|(key, _)| {
                matches!(
                    key.trim().replace('_', "-").as_str(),
                    "index-url" | "extra-index-url" | "find-links" | "index"
                )
            });
            if let (true, Some((_, value))) = (wanted, pair) {
                self.url(value.trim());
            }
        }
    }

    /// Reads the defaults of an installed pip (`pip/_internal/models/index.py`): the index and the host of its files.
    pub fn pip_defaults(&mut self, text: &str) {
        let Some((_, after)) = text.split_once("\nPyPI = PackageIndex(") else { return };
        let quoted: Vec<&str> = after.split(')').next().unwrap_or("").split('"').skip(1).step_by(2).collect();
        for text in quoted {
            if text.contains("://") { self.url(text) } else { self.host(text) }
        }
    }

    /// Reads a `uv.toml`.
    ///
    /// # Errors
    /// [`RuleError::Toml`].
    pub fn uv_toml(&mut self, text: &str) -> Result<(), RuleError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Uv {
            index_url: Option<String>,
            #[serde(default)]
            extra_index_url: Vec<String>,
            #[serde(default)]
            index: Vec<Index>,
            pip: Option<Box<Uv>>,
        }
        #[derive(Deserialize)]
        struct Index {
            url: String,
        }
        let mut next = Some(Box::new(toml::from_str::<Uv>(text)?));
        while let Some(uv) = next.take() {
            for url in uv.index_url.iter().chain(&uv.extra_index_url).chain(uv.index.iter().map(|i| &i.url)) {
                self.url(url);
            }
            next = uv.pip;
        }
        Ok(())
    }

    /// Reads cargo's `config.toml`: the registries of `[source]` and `[registries]`.
    ///
    /// # Errors
    /// [`RuleError::Toml`].
    pub fn cargo_config(&mut self, text: &str) -> Result<(), RuleError> {
        #[derive(Deserialize)]
        struct Cargo {
            #[serde(default)]
            source: BTreeMap<String, Place>,
            #[serde(default)]
            registries: BTreeMap<String, Place>,
        }
        #[derive(Deserialize)]
        struct Place {
            registry: Option<String>,
            index: Option<String>,
        }
        let cargo: Cargo = toml::from_str(text)?;
        for place in cargo.source.values().chain(cargo.registries.values()) {
            for url in place.registry.iter().chain(&place.index) {
                self.url(url);
            }
        }
        Ok(())
    }

    /// Reads what cargo keeps of an index it has used: the name of its directory under `registry/index`
    /// (`HOST-0123456789abcdef`) and the `config.json` there, which names where packages are downloaded.
    pub fn cargo_index(&mut self, directory: &str, config: &str) {
        if let Some((host, hash)) = directory.rsplit_once('-')
            && hash.len() == 16
            && hash.bytes().all(|b| b.is_ascii_hexdigit())
            && host.contains('.')
        {
            self.host(host);
        }
        #[derive(Deserialize)]
        struct Config {
            dl: Option<String>,
            api: Option<String>,
        }
        if let Ok(config) = serde_json::from_str::<Config>(config) {
            for url in config.dl.iter().chain(&config.api) {
                // What follows the host may hold marks such as `{crate}`.
                self.url(url);
            }
        }
    }

    /// Reads Go's settings, `NAME=value` a line, as `go.env` of an installation or of a person holds them.
    pub fn go_env(&mut self, text: &str) {
        for (key, value) in pairs(text) {
            if key == "GOPROXY" || key == "GOSUMDB" {
                self.go_setting(value);
            }
        }
    }

    /// Reads the value of `GOPROXY` (URLs, `direct`, `off`) or `GOSUMDB` (a host, or a name and a URL).
    pub fn go_setting(&mut self, value: &str) {
        let value = value.trim().trim_matches(['"', '\'']);
        self.url(value);
        let first = value.split_ascii_whitespace().next().unwrap_or("");
        if !value.contains("://") && first.contains('.') {
            self.host(first.split('+').next().unwrap_or(""));
        }
    }

    /// Reads Maven's `settings.xml`: the URLs of mirrors and repositories. Text that is no XML names none.
    pub fn maven_settings(&mut self, text: &str) {
        let Ok(document) = roxmltree::Document::parse(text) else { return };
        for node in document.descendants().filter(|n| n.tag_name().name() == "url") {
            let parent = node.parent().map(|p| p.tag_name().name().to_owned()).unwrap_or_default();
            if matches!(parent.as_str(), "mirror" | "repository" | "pluginRepository") {
                self.url(node.text().unwrap_or_default().trim());
            }
        }
    }

    /// The hosts and ports.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.0
    }

    /// The rules for reading from these hosts, with the id `bundle/NAME`, and the ports of this machine's own loopback
    /// that they need. A host that a person's own configuration names may lie in a private network.
    #[must_use]
    pub fn rules(&self, name: &str) -> (Vec<HostRule>, Vec<u16>) {
        let id = format!("bundle/{name}");
        let (local, remote): (Vec<&Target>, Vec<&Target>) = self.0.iter().partition(|t| is_local(&t.host));
        let reading = RequestRule {
            methods: vec!["GET".to_owned(), "HEAD".to_owned(), "OPTIONS".to_owned()],
            paths: Vec::new(),
        };
        let rules = remote.into_iter().map(|target| HostRule {
            id: id.clone(),
            host: HostPattern::Exact(target.host.clone()),
            ports: vec![target.port],
            traffic: Traffic::Web,
            requests: vec![reading.clone()],
            open_tls: false,
            hidden_name: false,
            private: true,
        });
        (rules.collect(), local.into_iter().map(|t| t.port).collect())
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Name(name) => name == "localhost",
        Host::Address(ip) => ip.is_loopback(),
    }
}

/// `key = value` lines; comments and sections are passed over.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .map(str::trim)
        .filter(|l| !l.starts_with(['#', ';', '[']))
        .filter_map(|l| l.split_once('='))
        .map(|(k, v)| (k.trim(), v.trim().trim_matches(['"', '\''])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(read: impl Fn(&mut Registry)) -> Vec<String> {
        let mut registry = Registry::default();
        read(&mut registry);
        registry.targets().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn npm() {
        let text = "; mine\nregistry = \"https://user:pw@npm.corp.example/repo/\"\n@team:registry=http://team.example:4873\n\
                    //npm.corp.example/:_authToken=x\nproxy=http://proxy.example:1\n# registry=https://no.example\nregistry=${HOST}\n";
        assert_eq!(found(|r| r.npmrc(text)), ["npm.corp.example:443", "team.example:4873"]);
        let defaults = "  other: new Definition('other', { default: 'https://no.example/' }),\n  registry: new Definition('registry', {\n    default: 'https://reg.example/',\n    type: url,\n";
        assert_eq!(found(|r| r.npm_defaults(defaults)), ["reg.example:443"]);
    }

    #[test]
    fn python() {
        let conf = "[global]\nindex-url = https://py.corp.example/simple\nextra_index_url =\n    https://a.example/simple\n    https://b.example:8443/simple\ntimeout = 60\n    https://no.example\nproxy = http://no.example\nfind-links = /opt/wheels\n";
        assert_eq!(found(|r| r.pip_conf(conf)), ["py.corp.example:443", "a.example:443", "b.example:8443"]);
        let defaults = "class PackageIndex:\n    pass\n\nPyPI = PackageIndex(\"https://index.example/\", file_storage_domain=\"files.example\")\nTestPyPI = PackageIndex(\"https://no.example/\", file_storage_domain=\"no.example\")\n";
        assert_eq!(found(|r| r.pip_defaults(defaults)), ["index.example:443", "files.example:443"]);
        let uv = "index-url = \"https://a.example\"\nextra-index-url = [\"https://b.example\"]\n[[index]]\nname = \"x\"\nurl = \"https://c.example\"\n[pip]\nindex-url = \"https://d.example\"\n";
        assert_eq!(
            found(|r| r.uv_toml(uv).unwrap()),
            ["a.example:443", "b.example:443", "c.example:443", "d.example:443"]
        );
        assert_eq!(
            found(|r| r.url("https://a.example/simple x=https://b.example")),
            ["a.example:443", "b.example:443"]
        );
    }

    #[test]
    fn cargo() {
        let config = "[source.main]\nreplace-with = \"mirror\"\n[source.mirror]\nregistry = \"sparse+https://mirror.example/index/\"\n[source.vendored]\ndirectory = \"vendor\"\n[registries.own]\nindex = \"https://own.example/git\"\n[registries.ssh]\nindex = \"ssh://git@no.example/x\"\n";
        assert_eq!(found(|r| r.cargo_config(config).unwrap()), ["mirror.example:443", "own.example:443"]);
        let json = "{\"dl\": \"https://static.example/crates/{crate}\", \"api\": \"https://api.example\", \"auth-required\": true}";
        assert_eq!(
            found(|r| r.cargo_index("index.mirror.example-0123456789abcdef", json)),
            ["index.mirror.example:443", "static.example:443", "api.example:443"]
        );
        assert!(found(|r| r.cargo_index("no-host", "no json")).is_empty());
    }

    #[test]
    fn go_and_maven() {
        let env = "# defaults\nGOPROXY=https://go.example,direct\nGOSUMDB=sum.example\nGOTOOLCHAIN=auto\n";
        assert_eq!(found(|r| r.go_env(env)), ["go.example:443", "sum.example:443"]);
        assert_eq!(
            found(|r| r.go_setting("https://a.example|http://b.example:3000|off")),
            ["a.example:443", "b.example:3000"]
        );
        assert_eq!(
            found(|r| r.go_setting("sum.example+0123+AbCd https://sums.example")),
            ["sums.example:443"]
        );
        assert!(found(|r| r.go_setting("off")).is_empty());
        let settings = "<settings xmlns='x'><mirrors><mirror><id>a</id><url>https://mvn.example/repo</url></mirror></mirrors>\
             <proxies><proxy><url>https://no.example</url></proxy></proxies><profiles><profile><repositories><repository>\
             <url> https://own.example:8081/x </url></repository></repositories></profile></profiles></settings>";
        assert_eq!(found(|r| r.maven_settings(settings)), ["mvn.example:443", "own.example:8081"]);
        assert!(found(|r| r.maven_settings("<settings>")).is_empty());
    }

    #[test]
    fn rules_are_for_reading_and_loopback_is_told_apart() {
        let mut registry = Registry::default();
        registry.url("http://127.0.0.1:4873/ https://reg.example/ http://localhost:8081");
        registry.url("file:///etc/passwd");
        let (rules, ports) = registry.rules("registry:npm");
        assert_eq!((rules.len(), ports), (1, vec![4873, 8081]));
        assert_eq!(rules[0].id, "bundle/registry:npm");
        let all = crate::Rules { hosts: rules, ..crate::Rules::deny_all("") };
        let target = Target::read("reg.example:443", None).unwrap();
        assert!(all.judge_request(&target, "GET", "/@scope%2fname").is_ok());
        assert!(all.judge_request(&target, "PUT", "/package").is_err());
    }
}
