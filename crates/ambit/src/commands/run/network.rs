//! What a contained command may reach: registries, as this machine's own clients are set up, code hosts, and what was
//! let in.

use anyhow::Context as _;
use egress::{Bundles, HostRule, Network, NetworkGrant, Registry, Rules};
use model::AbsPath;
use std::fs;
use std::path::{Path, PathBuf};

/// What was let in beside the usual.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Host patterns.
    pub(super) hosts: Vec<String>,
    /// Ranges of addresses to which allowed names may lead.
    pub(super) networks: Vec<String>,
    /// Ports of this machine's own loopback.
    pub(super) loopback: Vec<u16>,
    /// Bundles by name.
    pub(super) bundles: Vec<String>,
}

/// The variables that tell where registries lie.
pub(super) type Lookup = Box<dyn Fn(&str) -> Option<String>>;

/// Checks what a person wrote, before anything runs.
pub(super) fn check(wanted: &Wanted) -> anyhow::Result<()> {
    for range in &wanted.networks {
        Network::read(range).with_context(|| {
            format!("`{range}` is no range of addresses; write one such as `10.1.0.0/16`")
        })?;
    }
    for host in &wanted.hosts {
        HostRule::new("allowed", host)?;
    }
    let bundles = Bundles::shipped()?;
    for name in &wanted.bundles {
        bundles.rules(name)?;
    }
    Ok(())
}

/// The rules for one command. Looks at files of the clients; called when the first connection comes.
pub(super) fn rules(wanted: &Wanted, home: &AbsPath, ask: &str, variable: &Lookup) -> Rules {
    let mut rules = Rules::deny_all(ask);
    // What was written was checked before; the shipped bundles are tested.
    for host in &wanted.hosts {
        rules.hosts.extend(HostRule::new("allowed", host));
    }
    for network in wanted.networks.iter().filter_map(|r| Network::read(r)) {
        rules.networks.push(NetworkGrant { id: "allowed".to_owned(), network, ports: Vec::new() });
    }
    if let Ok(bundles) = Bundles::shipped() {
        for name in &wanted.bundles {
            rules.hosts.extend(bundles.rules(name).unwrap_or_default());
        }
    }
    let registries = [
        ("registry:cargo", cargo(home, variable)),
        ("registry:npm", npm(home, variable)),
        ("registry:pip", pip(home, variable)),
        ("registry:go", go(home, variable)),
        ("registry:maven", maven(home)),
    ];
    for (name, registry) in registries {
        let (hosts, loopback) = registry.rules(name);
        rules.hosts.extend(hosts);
        rules.loopback_ports.extend(loopback);
    }
    rules.loopback_ports.extend(&wanted.loopback);
    rules
}

/// Settings larger than this are nobody's.
const LARGEST: u64 = 4 << 20;

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() <= LARGEST => fs::read_to_string(path).unwrap_or_default(),
        _ => String::new(),
    }
}

fn entries(dir: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path())
}

fn cargo(home: &AbsPath, variable: &Lookup) -> Registry {
    let mut found = Registry::default();
    let base = variable("CARGO_HOME").map_or_else(|| home.join(".cargo").as_std().to_owned(), PathBuf::from);
    for name in ["config.toml", "config"] {
        // A file that cannot be read names none.
        let _ = found.cargo_config(&read(base.join(name)));
    }
    for index in entries(base.join("registry/index")) {
        let name = index.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        found.cargo_index(&name, &read(index.join("config.json")));
    }
    found
}

fn npm(home: &AbsPath, variable: &Lookup) -> Registry {
    let mut found = Registry::default();
    found.npmrc(&read(home.join(".npmrc").as_std()));
    found.npmrc(&read("/etc/npmrc"));
    for name in ["npm_config_registry", "NPM_CONFIG_REGISTRY"] {
        found.url(&variable(name).unwrap_or_default());
    }
    // `npm` is a link to `…/npm/bin/npm-cli.js`.
    const DEFINITIONS: &str = "node_modules/@npmcli/config/lib/definitions/definitions.js";
    if let Some(package) = on_path("npm", home, variable).and_then(|p| Some(p.parent()?.parent()?.to_owned()))
    {
        found.npm_defaults(&read(package.join(DEFINITIONS)));
        found.npmrc(&read(package.join("npmrc")));
    }
    found
}

fn pip(home: &AbsPath, variable: &Lookup) -> Registry {
    const DEFAULTS: &str = "pip/_internal/models/index.py";
    let mut found = Registry::default();
    for path in ["/etc/pip.conf", "/etc/xdg/pip/pip.conf"] {
        found.pip_conf(&read(path));
    }
    for path in [".config/pip/pip.conf", ".pip/pip.conf"] {
        found.pip_conf(&read(home.join(path).as_std()));
    }
    let _ = found.uv_toml(&read(home.join(".config/uv/uv.toml").as_std()));
    for name in ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX"] {
        found.url(&variable(name).unwrap_or_default());
    }
    let mut prefixes: Vec<PathBuf> = vec!["/usr".into(), "/usr/local".into()];
    prefixes.extend(entries(home.join(".pyenv/versions").as_std()));
    prefixes.extend(on_path("python3", home, variable).and_then(|p| Some(p.parent()?.parent()?.to_owned())));
    for prefix in prefixes {
        found.pip_defaults(&read(prefix.join("lib/python3/dist-packages").join(DEFAULTS)));
        for lib in entries(prefix.join("lib")) {
            if lib.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("python3.")) {
                found.pip_defaults(&read(lib.join("site-packages").join(DEFAULTS)));
            }
        }
        if !found.targets().is_empty() {
            break;
        }
    }
    found
}

fn go(home: &AbsPath, variable: &Lookup) -> Registry {
    let mut found = Registry::default();
    found.go_env(&read(home.join(".config/go/env").as_std()));
    for name in ["GOPROXY", "GOSUMDB"] {
        found.go_setting(&variable(name).unwrap_or_default());
    }
    let installed = variable("GOROOT")
        .map(PathBuf::from)
        .or_else(|| on_path("go", home, variable).and_then(|p| Some(p.parent()?.parent()?.to_owned())));
    if let Some(installed) = installed {
        found.go_env(&read(installed.join("go.env")));
    }
    found
}

fn maven(home: &AbsPath) -> Registry {
    let mut found = Registry::default();
    found.maven_settings(&read(home.join(".m2/settings.xml").as_std()));
    found
}

/// The real path of a program on the person's path. Directories that are not the system's or below the home are passed
/// over: a project may have put itself there.
fn on_path(program: &str, home: &AbsPath, variable: &Lookup) -> Option<PathBuf> {
    let path = variable("PATH")?;
    path.split(':')
        .filter(|d| {
            d.starts_with("/usr/")
                || d.starts_with("/opt/")
                || Path::new(d).starts_with(home.join(".").as_std())
        })
        .find_map(|dir| fs::canonicalize(Path::new(dir).join(program)).ok())
}
