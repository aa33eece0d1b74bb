//! The one door to the environment: every variable that Ambit reads, and what it means.

use anyhow::{Context as _, Result};
use guard::{Person, Roots};
use model::AbsPath;
use std::path::PathBuf;

/// What git asks the environment for about a person: their configuration, their programs, their name.
pub(crate) const OF_GIT: [&str; 6] =
    [HOME, "XDG_CONFIG_HOME", "PATH", "USER", "LOGNAME", "GIT_CONFIG_NOSYSTEM"];
/// The person's home, as every program takes it.
pub(crate) const HOME: &str = "HOME";
/// Where state is kept, instead of `~/.local/state` (XDG base directory specification).
const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// Where configuration lies, instead of `~/.config` (XDG base directory specification).
const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// The directory for administrators' files, instead of `/etc`; for tests and images. An installed hook has it in its
/// arguments and does not look here.
const AMBIT_ADMIN_DIR: &str = "AMBIT_ADMIN_DIR";
/// Claude Code: the project's root.
pub(crate) const CLAUDE_PROJECT_DIR: &str = "CLAUDE_PROJECT_DIR";
/// Claude Code: `1` when a person sits at the session.
pub(crate) const CLAUDE_CODE_SESSION_ATTENDED: &str = "CLAUDE_CODE_SESSION_ATTENDED";
/// Claude Code: another directory for its settings.
pub(crate) const CLAUDE_CONFIG_DIR: &str = "CLAUDE_CONFIG_DIR";

/// Claude Code: set in everything that the agent runs.
pub(crate) const CLAUDECODE: &str = "CLAUDECODE";

/// A variable of the environment; empty counts as unset.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// Every variable, for a contained command; a list elsewhere says which of them it gets.
pub(crate) fn all() -> impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)> {
    std::env::vars_os()
}

/// An absolute path from a variable.
pub(crate) fn path_variable(name: &str) -> Option<AbsPath> {
    variable(name).and_then(|v| AbsPath::parse(&v).ok())
}

/// The options of `ambit hook` by which an installation says where things lie, in the order of [`places`].
pub(crate) const PLACES: [&str; 4] = ["--home", "--state", "--config", "--admin"];

/// Where things lie, as arguments for the installed hook: a repository's settings can set variables for the agent and
/// so for its hooks, but not what stands in the command.
pub(crate) fn places() -> Result<Vec<String>> {
    let roots = roots()?;
    let home = roots.home.context("the variable `HOME` is not set to an absolute path")?;
    let text =
        |p: &std::path::Path| p.to_str().map(str::to_owned).context("a path of Ambit's is not valid UTF-8");
    let places = [home.to_string(), text(&roots.state)?, text(&roots.config)?, text(&roots.admin)?];
    Ok(PLACES
        .iter()
        .map(|o| (*o).to_owned())
        .zip(places)
        .flat_map(|(option, place)| [option, place])
        .collect())
}

/// Where things lie, as arguments for hooks that serve every account of a machine: only where the administrator's
/// files are. The rest lies in the account's home, which the system tells.
pub(crate) fn managed_places() -> Result<Vec<String>> {
    let admin = admin_dir().join("ambit");
    let admin = admin.to_str().context("a path of Ambit's is not valid UTF-8")?;
    Ok(vec!["--admin".to_owned(), admin.to_owned()])
}

/// Where things lie for hooks with [`managed_places`]: no variable moves the record or the rules. An account that the
/// system's list does not name (one of a directory service) has its home from `HOME`.
fn managed_roots(admin: &AbsPath) -> Result<Roots> {
    let uid = rustix::process::getuid().as_raw();
    let home = account(uid).and_then(|(_, home)| AbsPath::parse(&home).ok()).or_else(|| path_variable(HOME));
    let home = home.context("neither the system nor the variable `HOME` tells where the home is")?;
    Ok(Roots {
        state: home.join(".local/state/ambit").as_std().to_owned(),
        config: home.join(".config/ambit").as_std().to_owned(),
        admin: admin.as_std().to_owned(),
        program: program(),
        home: Some(home),
    })
}

/// Where things lie for an installed hook, as its arguments say. `None` when it has none.
///
/// # Errors
/// When an argument is not one of [`PLACES`] with an absolute path.
pub(crate) fn given_places(arguments: &[String]) -> Result<Option<Roots>> {
    if arguments.is_empty() {
        return Ok(None);
    }
    let mut found: [Option<AbsPath>; 4] = [None, None, None, None];
    for pair in arguments.chunks(2) {
        let [option, place] = pair else { anyhow::bail!("`{}` has no value", pair.join(" ")) };
        let slot = PLACES.iter().position(|o| o == option).and_then(|at| found.get_mut(at));
        *slot.with_context(|| format!("`ambit hook` knows no option `{option}`"))? =
            Some(AbsPath::parse(place)?);
    }
    if let [None, None, None, Some(admin)] = &found {
        return managed_roots(admin).map(Some);
    }
    let [Some(home), Some(state), Some(config), Some(admin)] = found else {
        anyhow::bail!("the installed hook names some of Ambit's places and not all; run `ambit init` again");
    };
    Ok(Some(Roots {
        home: Some(home),
        state: state.as_std().to_owned(),
        config: config.as_std().to_owned(),
        admin: admin.as_std().to_owned(),
        program: program(),
    }))
}

fn program() -> Option<AbsPath> {
    std::env::current_exe().ok().and_then(|p| AbsPath::parse(p.to_str()?).ok())
}

/// Where things lie for the person who runs this.
pub(crate) fn roots() -> Result<Roots> {
    let home = path_variable(HOME);
    let base = |name: &str, below: &str| -> Result<PathBuf> {
        if let Some(dir) = path_variable(name) {
            return Ok(dir.as_std().join("ambit"));
        }
        let home = home.as_ref().context(
            "the variable `HOME` is not set to an absolute path; set it, so that Ambit finds its files",
        )?;
        Ok(home.join(below).as_std().join("ambit"))
    };
    let admin =
        path_variable(AMBIT_ADMIN_DIR).map_or_else(|| PathBuf::from("/etc"), |p| p.as_std().to_owned());
    Ok(Roots {
        state: base(XDG_STATE_HOME, ".local/state")?,
        config: base(XDG_CONFIG_HOME, ".config")?,
        admin: admin.join("ambit"),
        program: program(),
        home,
    })
}

/// The directory for administrators' files of agents: `/etc`.
pub(crate) fn admin_dir() -> PathBuf {
    path_variable(AMBIT_ADMIN_DIR).map_or_else(|| PathBuf::from("/etc"), |p| p.as_std().to_owned())
}

/// Whether there is a desktop that can show a notice.
pub(crate) fn has_desktop() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| variable(name).is_some())
}

/// The current directory.
pub(crate) fn current_dir() -> Result<AbsPath> {
    let dir = std::env::current_dir()
        .context("the current directory cannot be found; change to one that exists")?;
    let text = dir.to_str().context("the current directory's name is not valid UTF-8")?;
    Ok(AbsPath::parse(text)?)
}

/// Who runs this, by the system's own word and not by a variable that an agent could set: the user's number, with the
/// login name where it is known for it.
pub(crate) fn person() -> Person {
    let uid = rustix::process::getuid().as_raw();
    let login = account(uid).map(|(login, _)| login).unwrap_or_else(|| format!("uid-{uid}"));
    Person { login, subject: pseudonym(&uid.to_string()) }
}

/// This machine's name, as the system has it.
pub(crate) fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"));
    name.map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The pseudonym of an account of this machine, or of a name that is none.
pub(crate) fn subject_of(login: &str) -> String {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let uid = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == login).then(|| fields.nth(1).map(str::to_owned))?
    });
    pseudonym(&uid.unwrap_or_else(|| format!("name\0{login}")))
}

/// A pseudonym that nobody can turn into an account without knowing this machine.
fn pseudonym(account: &str) -> String {
    use sha2::{Digest, Sha256};
    let host = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let digest = Sha256::digest(format!("ambit subject\0{}\0{account}", host.trim()));
    let subject: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("p-{subject}")
}

/// The login name and the home of an account, from the system's list of accounts (passwd(5)).
fn account(uid: u32) -> Option<(String, String)> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, number, _, _, home, ..] = fields.as_slice() else { return None };
        (number.parse::<u32>().ok()? == uid).then(|| ((*name).to_owned(), (*home).to_owned()))
    })
}

/// What programs that keep secrets need to find the person's keyring, session or account.
const OF_KEEPERS: [&str; 12] = [
    HOME,
    "USER",
    "LOGNAME",
    "LANG",
    "TERM",
    XDG_RUNTIME_DIR,
    XDG_CONFIG_HOME,
    "DBUS_SESSION_BUS_ADDRESS",
    "VAULT_ADDR",
    "AWS_CONFIG_FILE",
    "AWS_PROFILE",
    "OP_ACCOUNT",
];
/// A directory in memory for this login (XDG base directory specification).
const XDG_RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";

/// How programs that keep secrets are run.
pub(crate) fn programs() -> vault::Programs {
    vault::Programs {
        path: std::env::var_os("PATH").unwrap_or_default(),
        variables: OF_KEEPERS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?)))
            .collect(),
    }
}

/// Where what lasts only as long as the login lies: in memory where the system has such a place.
pub(crate) fn runtime_dir(roots: &Roots) -> PathBuf {
    path_variable(XDG_RUNTIME_DIR).map_or_else(|| roots.state.join("run"), |p| p.as_std().join("ambit"))
}
