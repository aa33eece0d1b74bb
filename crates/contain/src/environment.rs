//! Which variables a contained command gets. It starts with none; a list says which are taken over.

use crate::decoy::has_userinfo;
use crate::profile::Variable;
use model::AbsPath;
use std::ffi::{OsStr, OsString};

/// Names that are taken over.
const NAMES: &[&str] = &[
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TERM",
    "COLORTERM",
    "TZ",
    "CI",
    "PWD",
    "OLDPWD",
    "SHLVL",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "PAGER",
    "EDITOR",
    "VISUAL",
    "LESS",
    "MANPATH",
    "INFOPATH",
    "DEBIAN_FRONTEND",
    "SOURCE_DATE_EPOCH",
    "CLAUDECODE",
    // C and C++
    "CC",
    "CXX",
    "CPP",
    "AR",
    "AS",
    "LD",
    "NM",
    "RANLIB",
    "STRIP",
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "CPATH",
    "LIBRARY_PATH",
    "LD_LIBRARY_PATH",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG",
    "CMAKE_GENERATOR",
    "CMAKE_PREFIX_PATH",
    "CMAKE_BUILD_PARALLEL_LEVEL",
    "CTEST_OUTPUT_ON_FAILURE",
    "ACLOCAL_PATH",
    // Rust
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_INCREMENTAL",
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC_WRAPPER",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "RUST_MIN_STACK",
    "PROTOC",
    // JavaScript
    "NODE_ENV",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "NVM_DIR",
    "NVM_BIN",
    "VOLTA_HOME",
    "PNPM_HOME",
    "BUN_INSTALL",
    "DENO_DIR",
    "COREPACK_HOME",
    "PLAYWRIGHT_BROWSERS_PATH",
    // Python
    "PYENV_ROOT",
    "PYENV_VERSION",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
    "POETRY_HOME",
    // Go
    "GOPATH",
    "GOROOT",
    "GOBIN",
    "GOFLAGS",
    "GOPROXY",
    "GOCACHE",
    "GOMODCACHE",
    "GOOS",
    "GOARCH",
    "GOTOOLCHAIN",
    "GOSUMDB",
    "GO111MODULE",
    "CGO_ENABLED",
    // Java, .NET, Ruby, others
    "JAVA_HOME",
    "JDK_HOME",
    "GRADLE_USER_HOME",
    "GRADLE_OPTS",
    "MAVEN_OPTS",
    "M2_HOME",
    "JAVA_TOOL_OPTIONS",
    "DOTNET_ROOT",
    "DOTNET_CLI_TELEMETRY_OPTOUT",
    "GEM_HOME",
    "GEM_PATH",
    "BUNDLE_PATH",
    "RBENV_ROOT",
    "RUBYLIB",
    "RUBYOPT",
    "RAILS_ENV",
    "RACK_ENV",
    "MIX_ENV",
    "APP_ENV",
    "ASDF_DIR",
    "ASDF_DATA_DIR",
    "SDKMAN_DIR",
    "GHCUP_INSTALL_BASE_PREFIX",
    "OPAMROOT",
    "OPAM_SWITCH_PREFIX",
    // Certificates
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "DENO_CERT",
    "NIX_SSL_CERT_FILE",
];

/// Beginnings of names that are taken over.
const FAMILIES: &[&str] = &[
    "LC_",
    "CARGO_BUILD_",
    "CARGO_PROFILE_",
    "CARGO_NET_",
    "CARGO_TERM_",
    "CARGO_TARGET_",
    "RUST_TEST_",
    "NEXTEST_",
    "npm_config_",
    "NPM_CONFIG_",
    "PIP_",
    "UV_",
    "PYTHON",
    "PYTEST_",
    "GIT_AUTHOR_",
    "GIT_COMMITTER_",
    "JEST_",
    "VITEST",
    "CYPRESS_CACHE",
];

/// Parts of names that say "secret", whatever the lists say.
const SECRET: &[&str] = &[
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "AUTH_",
    "_AUTH",
    "CREDENTIAL",
    "API_KEY",
    "APIKEY",
    "PRIVATE_KEY",
];

/// Variables that name a toolchain's directory, which is then shown read-only.
const PLACES: &[&str] = &[
    "RUSTUP_HOME",
    "NVM_DIR",
    "VOLTA_HOME",
    "BUN_INSTALL",
    "PYENV_ROOT",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "POETRY_HOME",
    "GOROOT",
    "JAVA_HOME",
    "JDK_HOME",
    "M2_HOME",
    "DOTNET_ROOT",
    "GEM_HOME",
    "RBENV_ROOT",
    "ASDF_DIR",
    "ASDF_DATA_DIR",
    "SDKMAN_DIR",
    "PLAYWRIGHT_BROWSERS_PATH",
    "OPAMROOT",
];

/// The variables that a contained command gets of those given. `secret` tells whether a value looks like a secret; such
/// a variable is dropped whatever its name.
pub fn allowed(all: impl IntoIterator<Item = Variable>, secret: &dyn Fn(&str) -> bool) -> Vec<Variable> {
    all.into_iter()
        .filter(|(name, value)| {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { return false };
            is_listed(name) && !has_userinfo(value) && !secret(value)
        })
        .collect()
}

fn is_listed(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let listed = NAMES.contains(&name) || FAMILIES.iter().any(|f| name.starts_with(f));
    listed && !SECRET.iter().any(|s| upper.contains(s))
}

/// The value of a variable.
pub(crate) fn value<'a>(variables: &'a [Variable], name: &str) -> Option<&'a OsStr> {
    variables.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_os_str())
}

/// Directories that the variables name: toolchains and the entries of `PATH` with the libraries beside them. None of them
/// holds the home or stands above it.
pub(crate) fn directories(variables: &[Variable], home: &AbsPath) -> Vec<AbsPath> {
    let mut found = Vec::new();
    let mut take = |path: AbsPath| {
        if !home.is_under(&path) && !found.contains(&path) {
            found.push(path);
        }
    };
    for name in PLACES {
        if let Some(path) =
            value(variables, name).and_then(OsStr::to_str).and_then(|t| AbsPath::parse(t).ok())
        {
            take(path);
        }
    }
    let path = value(variables, "PATH").and_then(OsStr::to_str).unwrap_or_default();
    for entry in path.split(':').filter_map(|t| AbsPath::parse(t).ok()) {
        let prefix = entry.parent().filter(|p| !home.is_under(p) && *p != home.join(".local"));
        take(entry);
        for beside in ["lib", "lib64", "libexec", "include"] {
            if let Some(prefix) = &prefix {
                take(prefix.join(beside));
            }
        }
    }
    found
}

/// Sets a variable, in place of an older value.
pub(crate) fn set(variables: &mut Vec<Variable>, name: &str, value: impl Into<OsString>) {
    variables.retain(|(n, _)| n != name);
    variables.push((name.into(), value.into()));
}

/// Tells clients where the proxy is, in every spelling that is in use.
pub(crate) fn name_proxy(variables: &mut Vec<Variable>, http: u16, socks: u16) {
    let http = format!("http://127.0.0.1:{http}");
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "CARGO_HTTP_PROXY"] {
        set(variables, name, &http);
    }
    // `socks5h`: names are resolved by the proxy, never by the client.
    let socks = format!("socks5h://127.0.0.1:{socks}");
    for name in ["all_proxy", "ALL_PROXY"] {
        set(variables, name, &socks);
    }
    for name in ["no_proxy", "NO_PROXY"] {
        set(variables, name, "localhost,127.0.0.1,::1");
    }
    // Node's own `fetch` heeds the variables above only with this (Node 24 and later; others ignore it).
    set(variables, "NODE_USE_ENV_PROXY", "1");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn var(name: &str, value: &str) -> Variable {
        (name.into(), value.into())
    }

    #[test]
    fn only_what_is_listed_comes_in_and_no_secret() {
        let all = [
            var("PATH", "/bin"),
            var("LC_ALL", "C"),
            var("PIP_INDEX_URL", "https://u:p@host/simple"),
            var("PIP_TIMEOUT", "9"),
            var("AWS_SECRET_ACCESS_KEY", "x"),
            var("SSH_AUTH_SOCK", "/run/x"),
            var("npm_config__authToken", "x"),
            var("npm_config_//r/:_auth", "x"),
            var("CARGO_REGISTRY_TOKEN", "x"),
            var("PYTHONPATH", "ghp_secret"),
            var("LD_PRELOAD", "/x.so"),
        ];
        let kept = allowed(all, &|v| v.starts_with("ghp_"));
        let names: Vec<_> = kept.iter().filter_map(|(n, _)| n.to_str()).collect();
        assert_eq!(names, ["PATH", "LC_ALL", "PIP_TIMEOUT"]);
    }

    #[test]
    fn directories_never_hold_the_home() {
        let home = AbsPath::parse("/home/ann").unwrap();
        let variables = [
            var("PATH", "/home/ann:/:/home/ann/.pyenv/shims:/data/node/bin:rel:/home/ann/.local/bin"),
            var("JAVA_HOME", "/home"),
            var("NVM_DIR", "/home/ann/.nvm"),
        ];
        let found: Vec<String> = directories(&variables, &home).iter().map(ToString::to_string).collect();
        assert!(found.contains(&"/data/node/lib".to_owned()) && found.contains(&"/home/ann/.nvm".to_owned()));
        for never in ["/", "/home", "/home/ann", "/home/ann/.local/lib"] {
            assert!(!found.contains(&never.to_owned()), "{never} in {found:?}");
        }
    }
}
