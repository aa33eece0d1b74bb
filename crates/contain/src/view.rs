//! What a contained command sees of this machine: the lists of [`crate::places`] and the profile, held against what is
//! there. Looks and reads, changes nothing.

use crate::decoy;
use crate::environment;
use crate::places;
use crate::profile::Profile;
use crate::protect::Protection;
use model::AbsPath;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// A file that is made for the command, in the place of another or where none is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Where it is seen.
    pub(crate) path: AbsPath,
    /// What it holds.
    pub(crate) text: String,
    /// Whether it withholds a credential, so that opening it is told.
    pub(crate) decoy: bool,
    /// Whether the machine's own file is seen there otherwise, so that it must be covered.
    pub(crate) covers: Covers,
}

/// What a made file lies over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Covers {
    /// Nothing: it is made in private files.
    Nothing,
    /// A file of the machine's.
    File,
    /// A directory of the machine's, which is then seen with this one file in it.
    Directory,
}

/// What a contained command sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// Read-only, by their real paths.
    pub(crate) read: Vec<AbsPath>,
    /// To be read and written, by their real paths.
    pub(crate) write: Vec<AbsPath>,
    /// Read, with what is added kept apart.
    pub(crate) caches: Vec<AbsPath>,
    /// Links that are made: place and text.
    pub(crate) links: Vec<(AbsPath, String)>,
    /// Files that are made.
    pub(crate) made: Vec<Made>,
    /// How protected names are held.
    pub(crate) protection: Protection,
}

impl View {
    /// Looks at this machine for a profile.
    pub(crate) fn of(profile: &Profile) -> Self {
        let mut view = Self::default();
        view.write.push(profile.project.clone());
        view.system();
        view.toolchains(profile);
        view.settings(profile);
        view.credentials(profile);
        for path in &profile.read {
            view.show(path);
        }
        view.protection = Protection::of(&profile.project, &profile.unprotected);
        let state = profile.share_state.then_some(&profile.state);
        let more: Vec<AbsPath> =
            state.into_iter().chain(&profile.write).chain(&view.protection.beside).cloned().collect();
        for path in more {
            if let Some(real) = real(&path) {
                push(&mut view.write, real);
            }
        }
        for path in profile.held.iter().filter_map(real) {
            push(&mut view.protection.held, path);
        }
        view.dotenv(profile);
        view.etc();
        view.names();
        view
    }

    /// How names are looked up: by the supervisor's name server, whatever the machine's own files say.
    fn names(&mut self) {
        let files = [
            ("/etc/hosts", "127.0.0.1 localhost contained\n::1 localhost ip6-localhost\n"),
            ("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n"),
        ];
        for (path, text) in files {
            let Some(path) = AbsPath::parse(path).ok().and_then(|p| real(&p)) else { continue };
            let shown = self.read.iter().any(|r| path.is_under(r));
            let covers = if shown { Covers::File } else { Covers::Nothing };
            self.made.push(Made { path, text: text.to_owned(), decoy: false, covers });
        }
    }

    /// Shows a path read-only; a link is kept as one and its target shown.
    fn show(&mut self, path: &AbsPath) {
        let Ok(meta) = fs::symlink_metadata(path.as_std()) else { return };
        if !meta.is_symlink() {
            // The parents may be links.
            let Some(real) = real(path) else { return };
            if real != *path {
                self.links.push((path.clone(), real.to_string()));
            }
            return push(&mut self.read, real);
        }
        if let Ok(text) = fs::read_link(path.as_std()).map(|t| t.to_string_lossy().into_owned()) {
            self.links.push((path.clone(), text));
        }
        if let Some(real) = real(path) {
            push(&mut self.read, real);
        }
    }

    fn system(&mut self) {
        for path in places::SYSTEM.iter().filter_map(|p| AbsPath::parse(p).ok()) {
            self.show(&path);
        }
        if let Ok(etc) = AbsPath::parse("/etc") {
            self.show(&etc);
        }
    }

    fn toolchains(&mut self, profile: &Profile) {
        for name in places::TOOLCHAINS {
            self.show(&profile.home.join(name));
        }
        for path in environment::directories(&profile.variables, &profile.home) {
            // Shown already with a greater one, or the project itself, or not for showing at all.
            let known = self.read.iter().any(|r| path.is_under(r)) || path.is_under(&profile.project);
            if !known && !holds_secrets(&path, profile) {
                self.show(&path);
            }
        }
        for name in places::CACHES {
            let path = profile.home.join(name);
            if !path.as_std().is_dir() {
                continue;
            }
            if let Some(real) = real(&path).filter(|r| *r == path) {
                push(&mut self.caches, real);
            }
        }
    }

    fn settings(&mut self, profile: &Profile) {
        for name in places::SETTINGS {
            let path = profile.home.join(name);
            let Ok(bytes) = fs::read(path.as_std()) else { continue };
            if let Some(text) = decoy::without_secrets(&bytes, name) {
                self.made.push(Made { path, text, decoy: false, covers: Covers::Nothing });
            }
        }
    }

    fn credentials(&mut self, profile: &Profile) {
        for name in places::CREDENTIALS {
            let path = profile.home.join(name);
            let Ok(meta) = fs::metadata(path.as_std()) else { continue };
            if profile.credentials.iter().any(|c| path.is_under(c)) {
                // In something that may be written it is seen already.
                if !profile.write.iter().any(|w| path.is_under(w)) {
                    self.show(&path);
                }
                continue;
            }
            let text = decoy::text(path.as_str(), &profile.ask);
            let covered = self.read.iter().chain(&self.caches).chain(&self.write).any(|r| path.is_under(r));
            let covers = match (covered, meta.is_dir()) {
                (false, _) => Covers::Nothing,
                (true, false) => Covers::File,
                (true, true) => Covers::Directory,
            };
            let at = if meta.is_dir() && covers == Covers::Nothing {
                path.join(decoy::IN_DIRECTORY)
            } else {
                path
            };
            self.made.push(Made { path: at, text, decoy: true, covers });
        }
    }

    /// Files for secrets directly in the project.
    fn dotenv(&mut self, profile: &Profile) {
        let Ok(entries) = fs::read_dir(profile.project.as_std()) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|n| places::is_dotenv(n)) else { continue };
            let path = profile.project.join(name);
            let is_file = entry.file_type().is_ok_and(|t| t.is_file());
            if is_file && !profile.credentials.contains(&path) {
                let text = decoy::text(path.as_str(), &profile.ask);
                self.made.push(Made { path, text, decoy: true, covers: Covers::File });
            }
        }
    }

    /// Secrets of the machine in `/etc`: those of the list, and for the user 0, to whom modes mean nothing, whatever its
    /// mode withholds from others.
    fn etc(&mut self) {
        let Ok(etc) = AbsPath::parse("/etc") else { return };
        let mut secrets: Vec<AbsPath> = places::ETC_SECRETS.iter().map(|n| etc.join(n)).collect();
        if rustix::process::getuid().is_root() {
            closed_below(&etc, 2, &mut secrets);
        }
        let mut seen: Vec<AbsPath> = Vec::new();
        for path in secrets {
            if seen.iter().any(|s| path.is_under(s)) {
                continue;
            }
            let Ok(meta) = fs::symlink_metadata(path.as_std()) else { continue };
            let covers = match (meta.is_dir(), meta.is_file()) {
                (true, _) => Covers::Directory,
                (_, true) => Covers::File,
                // A link's target is judged where it lies.
                _ => continue,
            };
            seen.push(path.clone());
            let text = decoy::text(path.as_str(), "");
            self.made.push(Made { path, text, decoy: true, covers });
        }
    }
}

/// Entries that others may not read, to a depth.
fn closed_below(dir: &AbsPath, depth: usize, found: &mut Vec<AbsPath>) {
    let Ok(entries) = fs::read_dir(dir.as_std()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        // Links are judged where they lead; most of `/etc` is links, and to ask for more of each takes time.
        let is_link = entry.file_type().is_ok_and(|t| t.is_symlink());
        let (Some(name), false) = (name.to_str(), is_link) else { continue };
        let Ok(meta) = entry.metadata() else { continue };
        let path = dir.join(name);
        if meta.mode() & 0o004 == 0 {
            found.push(path);
        } else if meta.is_dir() && depth > 1 {
            closed_below(&path, depth - 1, found);
        }
    }
}

/// Whether a directory that a variable names holds or lies in what is withheld.
fn holds_secrets(path: &AbsPath, profile: &Profile) -> bool {
    let real = real(path).unwrap_or_else(|| path.clone());
    if profile.home.is_under(&real) || profile.state.is_under(&real) || real.is_under(&profile.state) {
        return true;
    }
    places::CREDENTIALS.iter().map(|c| profile.home.join(c.trim_end_matches('/'))).any(|c| {
        real.is_under(&c)
            || (c.is_under(&real) && c.as_std().exists() && !c.is_under(&profile.home.join(".gem")))
    })
}

/// The real path of something that is there.
pub(crate) fn real(path: &AbsPath) -> Option<AbsPath> {
    let real = fs::canonicalize(path.as_std()).ok()?;
    AbsPath::parse(real.to_str()?).ok()
}

fn push(list: &mut Vec<AbsPath>, path: AbsPath) {
    if !list.contains(&path) {
        list.push(path);
    }
}
