//! Which places of a machine a contained command sees: data, without looking at any machine.

/// Directories of the system that are shown read-only. Links at the top (`/bin` → `usr/bin`) are kept as links.
pub(crate) const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    // Certificates of openSUSE and Fedora lie behind links to these.
    "/var/lib/ca-certificates",
    // Programs of NixOS and Guix; their profiles are links into the store.
    "/nix/store",
    "/nix/var/nix/profiles",
    "/run/current-system",
    "/gnu/store",
    "/home/linuxbrew/.linuxbrew",
    // How many processors there are: runtimes size their pools by it.
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
];

/// Entries of `/etc` that hold secrets of the machine or of its administrators.
pub(crate) const ETC_SECRETS: &[&str] = &[
    "shadow",
    "shadow-",
    "gshadow",
    "gshadow-",
    "sudoers",
    "sudoers.d",
    "ssh",
    "ssl/private",
    "pki/tls/private",
    "krb5.keytab",
    "NetworkManager",
    "wireguard",
    "openvpn",
    "ipsec.secrets",
    "ppp",
    "letsencrypt",
    "kubernetes",
    "rancher",
    "docker",
    "ambit",
    "apt/auth.conf",
    "apt/auth.conf.d",
    "security/opasswd",
    "polkit-1",
    "cups",
    "samba",
    "postgresql",
    "mysql",
    "credstore",
    "credstore.encrypted",
];

/// Toolchains below the home, read-only.
pub(crate) const TOOLCHAINS: &[&str] = &[
    ".cargo/bin",
    ".cargo/env",
    ".cargo/config",
    ".cargo/config.toml",
    ".rustup",
    ".nvm",
    ".fnm",
    ".local/share/fnm",
    ".volta",
    ".pyenv",
    ".local/share/uv",
    ".local/pipx",
    ".local/share/pipx",
    ".local/bin",
    ".local/lib",
    ".local/share/mise",
    ".asdf",
    ".rbenv",
    ".rvm",
    ".gem",
    ".sdkman",
    ".jdks",
    ".bun/bin",
    ".deno/bin",
    "go/bin",
    "sdk",
    ".ghcup",
    ".cabal/bin",
    ".dotnet",
    ".elan",
    ".juliaup",
    ".opam",
    ".nix-profile",
    ".cache/ms-playwright",
    ".cache/puppeteer",
    "miniconda3",
    "anaconda3",
    "mambaforge",
    "miniforge3",
];

/// Caches of builds below the home. Each is seen with what it holds, and what a command adds stays in a copy that is the
/// project's own: the host's cache is never written, so that one project cannot plant something for another.
pub(crate) const CACHES: &[&str] = &[
    ".cargo/registry",
    ".cargo/git",
    ".npm",
    ".cache/yarn",
    ".yarn/berry",
    ".cache/pnpm",
    ".local/share/pnpm",
    ".bun/install",
    ".cache/deno",
    ".cache/node",
    ".cache/pip",
    ".cache/uv",
    ".cache/pypoetry",
    ".cache/pre-commit",
    ".cache/go-build",
    "go/pkg",
    ".gradle/caches",
    ".gradle/wrapper",
    ".m2/repository",
    ".ivy2/cache",
    ".cache/coursier",
    ".sbt",
    ".nuget/packages",
    ".composer/cache",
    ".cache/composer",
    ".bundle/cache",
    ".cabal/packages",
    ".stack",
    ".hex",
    ".mix",
    ".pub-cache",
    ".cache/zig",
    ".ccache",
    ".cache/ccache",
];

/// Settings of tools below the home that a command sees without the lines that hold secrets.
pub(crate) const SETTINGS: &[&str] = &[
    ".gitconfig",
    ".config/git/config",
    ".config/git/ignore",
    ".config/git/attributes",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".bunfig.toml",
    ".config/pip/pip.conf",
    ".pip/pip.conf",
    ".config/uv/uv.toml",
    ".config/go/env",
    ".gemrc",
    ".bundle/config",
    ".gradle/gradle.properties",
    ".m2/settings.xml",
    ".editorconfig",
];

/// Credentials below the home. A decoy lies in the place of each that the home has.
pub(crate) const CREDENTIALS: &[&str] = &[
    ".ssh/",
    ".gnupg/",
    ".aws/",
    ".azure/",
    ".config/gcloud/",
    ".oci/",
    ".kube/",
    ".docker/config.json",
    ".config/containers/auth.json",
    ".netrc",
    "_netrc",
    ".git-credentials",
    ".config/git/credentials",
    ".config/gh/",
    ".config/glab-cli/",
    ".config/hub",
    ".pypirc",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".gem/credentials",
    ".config/rclone/",
    ".config/op/",
    ".config/sops/",
    ".config/doctl/",
    ".config/heroku/",
    ".config/configstore/",
    ".terraform.d/credentials.tfrc.json",
    ".terraformrc",
    ".vault-token",
    ".pgpass",
    ".my.cnf",
    ".mylogin.cnf",
    ".mongorc.js",
    ".s3cfg",
    ".boto",
    ".fly/",
    ".databrickscfg",
    ".snowflake/",
    ".huggingface/token",
    ".cache/huggingface/token",
    ".config/openai/",
    ".claude/.credentials.json",
    ".claude.json",
    ".codex/auth.json",
    ".gemini/oauth_creds.json",
    ".local/share/keyrings/",
    ".password-store/",
    ".mozilla/",
    ".config/google-chrome/",
    ".config/chromium/",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".psql_history",
    ".node_repl_history",
];

/// Whether a file directly in the project is one for secrets: `.env` and its kin, but not their samples.
pub(crate) fn is_dotenv(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(".env") else { return false };
    let sample = ["example", "sample", "template", "dist", "defaults", "schema", "test"];
    match rest.strip_prefix('.') {
        None => rest.is_empty(),
        Some(end) => !sample.iter().any(|s| end.split('.').any(|part| part == *s)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_dotenv_files_are_free() {
        for held in [".env", ".env.local", ".env.production", ".env.development.local"] {
            assert!(is_dotenv(held), "{held}");
        }
        for free in [".envrc", ".env.example", ".env.test", ".env.sample.local", "env", ".environment"] {
            assert!(!is_dotenv(free), "{free}");
        }
    }

    #[test]
    fn no_shown_place_holds_a_credential() {
        for shown in TOOLCHAINS.iter().chain(CACHES) {
            for credential in CREDENTIALS {
                let credential = credential.trim_end_matches('/');
                let inside =
                    credential.strip_prefix(shown).is_some_and(|r| r.is_empty() || r.starts_with('/'));
                // A decoy is laid over it there; only these are known to be so.
                assert!(!inside || *credential == *".gem/credentials", "{credential} lies in {shown}");
            }
        }
    }
}
