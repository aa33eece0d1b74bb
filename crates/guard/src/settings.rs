//! What is in force for a workspace: configuration, policy, programs. Compiled once, then found by the hash of its
//! sources; a change takes effect at the next call, and a broken one leaves the last good one in force.

use crate::roots::Roots;
use fs_err as fs;
use model::AbsPath;
use policy::{
    Config, ConfigError, Layer, Mode, Policy, PolicyError, Preset, Snapshot, Source, Sources, compile,
    load_dir, restrict,
};
use programs::Table;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Changes whenever the stored form below or the meaning of a source changes.
const FORMAT: &str = "2";

/// What is in force.
#[derive(Debug)]
pub struct Settings {
    /// The merged configuration.
    pub config: Config,
    /// The policy.
    pub policy: Policy,
    /// The table of programs, with the organisation's and the trusted repository's additions.
    pub table: Table,
    /// Short digest of the sources, for records.
    pub version: String,
    /// What the person must be told: broken sources, keys that were not followed.
    pub notices: Vec<String>,
    /// Why the sources as they are now are not in force, when they are broken.
    pub broken: Option<String>,
    /// Whether these sources are in force for the first time in this workspace.
    pub changed: bool,
}

/// Why nothing can be in force.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A source is broken and no good one was ever seen.
    #[error("{0}; no earlier policy is known to be good, so every call is denied until this is mended")]
    Broken(String),
    /// A file cannot be read or written.
    #[error("cannot read or keep Ambit's settings: {0}")]
    Io(#[from] std::io::Error),
}

/// All sources of a workspace, as bytes.
#[derive(Debug, Default)]
struct Files {
    organisation: Option<(PathBuf, String)>,
    repository: Option<(PathBuf, String)>,
    organisation_rules: Vec<Source>,
    repository_rules: Vec<Source>,
    organisation_programs: Vec<(String, String)>,
    repository_programs: Vec<(String, String)>,
    trusted: bool,
}

/// What is kept beside a compiled policy.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    config: Config,
    notices: Vec<String>,
    /// The programs that were added to the table: name and text of each file.
    #[serde(default)]
    programs: Vec<(String, String)>,
}

/// The repository's own directory.
pub const REPOSITORY_DIR: &str = ".ambit";
/// The configuration's name in it and in the organisation's directory.
pub const CONFIG_FILE: &str = "ambit.toml";

impl Files {
    fn read(roots: &Roots, workspace: &AbsPath) -> Result<Self, PolicyError> {
        let organisation_dir = roots.organisation_dir();
        let repository_dir = workspace.as_std().join(REPOSITORY_DIR);
        let mut files = Self {
            organisation: text(&organisation_dir.join(CONFIG_FILE))?,
            repository: text(&repository_dir.join(CONFIG_FILE))?,
            organisation_rules: load_dir(&organisation_dir.join("policies"), Layer::Organisation)?,
            repository_rules: load_dir(&repository_dir.join("policies"), Layer::Repository)?,
            organisation_programs: toml_files(&organisation_dir.join("programs"))?,
            repository_programs: toml_files(&repository_dir.join("programs"))?,
            trusted: false,
        };
        let nothing = files.repository.is_none() && files.repository_programs.is_empty();
        // Where an administrator speaks for the organisation, no person's trust loosens what he says.
        files.trusted = !nothing
            && !roots.admin.is_dir()
            && trusted_digest(roots, workspace).is_some_and(|d| d == files.repository_digest());
        Ok(files)
    }

    /// Digest of what the repository says and could loosen with: a person trusts exactly this.
    fn repository_digest(&self) -> String {
        let mut hash = Sha256::new();
        let parts = self.repository.iter().map(|(p, t)| (p.display().to_string(), t));
        let rules = self.repository_rules.iter().map(|s| (s.file.clone(), &s.text));
        for (name, text) in
            parts.chain(rules).chain(self.repository_programs.iter().map(|(n, t)| (n.clone(), t)))
        {
            part(&mut hash, &name);
            part(&mut hash, text);
        }
        hex(&hash.finalize())
    }

    fn key(&self) -> String {
        let mut hash = Sha256::new();
        part(&mut hash, FORMAT);
        part(&mut hash, env!("CARGO_PKG_VERSION"));
        // Built-in rules are part of the program.
        part(&mut hash, policy::POLICIES_DIGEST);
        part(&mut hash, if self.trusted { "trusted" } else { "untrusted" });
        for (layer, file) in [("organisation", &self.organisation), ("repository", &self.repository)] {
            part(&mut hash, layer);
            if let Some((path, text)) = file {
                part(&mut hash, &path.display().to_string());
                part(&mut hash, text);
            }
        }
        for source in self.organisation_rules.iter().chain(&self.repository_rules) {
            part(&mut hash, source.layer.word());
            part(&mut hash, &source.file);
            part(&mut hash, &source.text);
        }
        for (name, text) in self.organisation_programs.iter().chain(&self.repository_programs) {
            part(&mut hash, name);
            part(&mut hash, text);
        }
        hex(&hash.finalize())
    }

    /// The configuration of both files, merged, with what was not followed.
    fn config(&self) -> Result<(Config, Vec<String>), ConfigError> {
        let parse = |file: &Option<(PathBuf, String)>| match file {
            Some((path, text)) => Config::parse(&path.display().to_string(), text),
            None => Ok(Config::default()),
        };
        let organisation = parse(&self.organisation)?;
        let repository = parse(&self.repository)?;
        let (config, ignored) = restrict(&repository, &organisation, self.trusted);
        let mut notices: Vec<String> = ignored
            .iter()
            .map(|i| format!("`{}` in {REPOSITORY_DIR}/{CONFIG_FILE} is not followed: {}", i.key, i.why))
            .collect();
        if !self.trusted && !self.repository_programs.is_empty() {
            notices.push(format!("{REPOSITORY_DIR}/programs is not followed: the repository is not trusted; run `ambit trust` if it is yours"));
        }
        Ok((config, notices))
    }

    fn sources(&self, config: &Config) -> Sources {
        let base = if self.organisation_rules.is_empty() {
            Sources::preset(config.preset.unwrap_or_default())
        } else {
            Sources::organisation(self.organisation_rules.clone())
        };
        base.with_repository(self.repository_rules.clone(), &config.delegates.kinds)
    }

    /// The files of programs that are followed.
    fn programs(&self) -> Vec<(String, String)> {
        let mut programs = self.organisation_programs.clone();
        if self.trusted {
            programs.extend(self.repository_programs.iter().cloned());
        }
        programs
    }
}

/// The built-in table with these files' programs.
fn table(programs: &[(String, String)]) -> Result<Table, String> {
    if programs.is_empty() {
        return Ok(Table::builtin());
    }
    Table::builtin().with_extra(programs).map_err(|errors| {
        errors.first().map_or_else(|| "a programs file is broken".to_owned(), ToString::to_string)
    })
}

impl Settings {
    /// Whether verdicts are carried out.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.config.mode.unwrap_or_default()
    }

    /// What is in force in a workspace.
    ///
    /// # Errors
    /// [`SettingsError::Broken`] when a source is broken and nothing good was ever in force here.
    pub fn load(roots: &Roots, workspace: &AbsPath) -> Result<Self, SettingsError> {
        let dir = roots.state.join("policy");
        let last = dir.join(format!("last-{}", short(&hash_text(workspace.as_str()))));
        let files = Files::read(roots, workspace);
        let why = match &files {
            Ok(files) => {
                let key = files.key();
                let known = fs::read_to_string(&last).unwrap_or_default();
                match Self::in_force(&dir, &key, files) {
                    Ok(mut settings) => {
                        if known != key {
                            settings.changed = true;
                            write_atomically(&last, key.as_bytes())?;
                        }
                        return Ok(settings);
                    }
                    Err(why) => why,
                }
            }
            Err(why) => why.to_string(),
        };
        // The sources as they are now are broken: the last good ones stay in force, and that is said loudly.
        let key = fs::read_to_string(&last).map_err(|_| SettingsError::Broken(why.clone()))?;
        let (mut settings, programs) =
            Self::compiled(&dir, &key).ok_or_else(|| SettingsError::Broken(why.clone()))?;
        // They were good then; only another build of Ambit can find fault with them.
        settings.table = table(&programs).unwrap_or_else(|_| Table::builtin());
        settings.notices.insert(0, format!("POLICY BROKEN, the last good one stays in force: {why}"));
        settings.broken = Some(why);
        Ok(settings)
    }

    /// Without a machine: a preset, or a directory of an organisation's rules with its `ambit.toml`.
    ///
    /// # Errors
    /// [`SettingsError::Broken`] with the place of the mistake.
    pub fn of(preset: Preset, dir: Option<&Path>) -> Result<Self, SettingsError> {
        let broken = |e: String| SettingsError::Broken(e);
        let mut files = Files::default();
        if let Some(dir) = dir {
            let rules = if dir.join("policies").is_dir() { dir.join("policies") } else { dir.to_owned() };
            files.organisation_rules =
                load_dir(&rules, Layer::Organisation).map_err(|e| broken(e.to_string()))?;
            files.organisation = text(&dir.join(CONFIG_FILE)).map_err(|e| broken(e.to_string()))?;
            files.organisation_programs =
                toml_files(&dir.join("programs")).map_err(|e| broken(e.to_string()))?;
        }
        let (mut config, notices) = files.config().map_err(|e| broken(e.to_string()))?;
        config.preset = config.preset.or(Some(preset));
        let compiled = compile(&files.sources(&config)).map_err(|e| broken(e.to_string()))?;
        Ok(Self {
            version: short(&files.key()),
            table: table(&files.programs()).map_err(broken)?,
            policy: compiled.into(),
            config,
            notices,
            broken: None,
            changed: false,
        })
    }

    fn in_force(dir: &Path, key: &str, files: &Files) -> Result<Self, String> {
        let programs = files.programs();
        let table = table(&programs)?;
        if let Some((mut settings, _)) = Self::compiled(dir, key) {
            settings.table = table;
            return Ok(settings);
        }
        let (config, notices) = files.config().map_err(|e| e.to_string())?;
        let compiled = compile(&files.sources(&config)).map_err(|e| e.to_string())?;
        // A disk that takes nothing more does not stop the judging, only the short cut to it.
        let kept = serde_json::to_vec(&Kept { config: config.clone(), notices: notices.clone(), programs });
        if fs::create_dir_all(dir).is_ok()
            && let Ok(kept) = kept
            && compiled.write(&dir.join(format!("{key}.policy"))).is_ok()
        {
            let _ = write_atomically(&dir.join(format!("{key}.json")), &kept);
        }
        Ok(Self {
            config,
            policy: compiled.into(),
            table,
            version: short(key),
            notices,
            broken: None,
            changed: false,
        })
    }

    /// What was compiled from the sources with this digest, without its table, and the programs that belong to it.
    fn compiled(dir: &Path, key: &str) -> Option<(Self, Vec<(String, String)>)> {
        if key.len() != 64 || !key.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let kept: Kept = serde_json::from_slice(&fs::read(dir.join(format!("{key}.json"))).ok()?).ok()?;
        let snapshot = Snapshot::open(&dir.join(format!("{key}.policy"))).ok()?;
        let settings = Self {
            config: kept.config,
            policy: Policy::from(snapshot).remembering(&dir.join(format!("{key}.answers"))),
            table: Table::builtin(),
            version: short(key),
            notices: kept.notices,
            broken: None,
            changed: false,
        };
        Some((settings, kept.programs))
    }
}

/// The sources of a workspace for `ambit policy check` and `test`, as they are now.
///
/// # Errors
/// A text that names the file and the place of the mistake.
pub fn sources(roots: &Roots, workspace: &AbsPath) -> Result<(Sources, Config), String> {
    let files = Files::read(roots, workspace).map_err(|e| e.to_string())?;
    let (config, _) = files.config().map_err(|e| e.to_string())?;
    Ok((files.sources(&config), config))
}

/// Declares that what the repository's own `.ambit` says now may loosen rules. Any later change needs this again.
///
/// # Errors
/// When the files cannot be read or the declaration not kept.
pub fn trust(roots: &Roots, workspace: &AbsPath) -> Result<(), SettingsError> {
    let files = Files::read(roots, workspace).map_err(|e| SettingsError::Broken(e.to_string()))?;
    let path = trust_file(roots, workspace);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    write_atomically(&path, files.repository_digest().as_bytes())?;
    Ok(())
}

/// Whether what the repository's own `.ambit` says now was declared trusted.
#[must_use]
pub fn is_trusted(roots: &Roots, workspace: &AbsPath) -> bool {
    Files::read(roots, workspace).is_ok_and(|files| files.trusted)
}

fn trust_file(roots: &Roots, workspace: &AbsPath) -> PathBuf {
    roots.state.join("trust").join(short(&hash_text(workspace.as_str())))
}

fn trusted_digest(roots: &Roots, workspace: &AbsPath) -> Option<String> {
    fs::read_to_string(trust_file(roots, workspace)).ok()
}

fn text(path: &Path) -> Result<Option<(PathBuf, String)>, PolicyError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(PolicyError::Io(e)),
    }
}

fn toml_files(dir: &Path) -> Result<Vec<(String, String)>, PolicyError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(PolicyError::Io(e)),
    };
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|x| x == "toml")).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|p| Ok((p.display().to_string(), fs::read_to_string(&p).map_err(PolicyError::Io)?)))
        .collect()
}

/// Writes beside the file and renames, so that a reader sees the old or the new one whole.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// A part with its length, so that no two lists of parts have one hash.
fn part(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

pub(crate) fn hash_text(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn short(hex: &str) -> String {
    hex.chars().take(16).collect()
}
