//! `ambit secrets scan`: the sweep.

use super::allow::{AllowFile, Baseline, marked};
use super::places::{Place, below, files};
use super::report::{self, Hit, Scanned, shown};
use super::{git, store};
use crate::environment;
use crate::output::{line, print};
use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use secrets::{Finding, Key, Rules, Scanner, Surroundings};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Files are read in pieces of this size, so that memory does not grow with them.
const PIECE: usize = 8 << 20;

/// How much of a piece is looked at again with the next one: longer than any credential.
const OVERLAP: usize = 128 << 10;

/// Options of `ambit secrets scan`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files and directories; without any, the project and what lies in your home where agents read
    paths: Vec<PathBuf>,
    /// What these commits added, `main..HEAD` for example
    #[arg(long, value_name = "RANGE", conflicts_with_all = ["history", "stdin", "paths"])]
    git: Option<String>,
    /// What all commits of all branches added
    #[arg(long, conflicts_with_all = ["stdin", "paths"])]
    history: bool,
    /// Standard input
    #[arg(long, conflicts_with = "paths")]
    stdin: bool,
    /// Directories with downloaded or built files too
    #[arg(long)]
    all: bool,
    /// Leave out findings that are only possible
    #[arg(long)]
    likely: bool,
    /// One JSON object
    #[arg(long, conflicts_with = "sarif")]
    json: bool,
    /// SARIF 2.1.0, for code scanning
    #[arg(long)]
    sarif: bool,
    /// Leave out what this file holds
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what is found to a file that `--baseline` reads
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    write_baseline: Option<PathBuf>,
    /// Rules in gitleaks' or betterleaks' form, beside Ambit's own
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
}

/// Runs it. Exit code 1 when a credential is found.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let here = environment::current_dir()?.as_std().to_owned();
    let roots = environment::roots()?;
    let store = store()?;
    let mut scanner = Scanner::new();
    if let Some(path) = &args.rules {
        let rules =
            Rules::parse(&fs_err::read_to_string(path)?).with_context(|| format!("`{}`", path.display()))?;
        scanner = scanner.with_rules(Arc::new(rules));
    }
    let today = jiff::Zoned::now().date();
    let (baseline, new_baseline) = match (&args.baseline, &args.write_baseline) {
        (Some(path), _) => (Some(Baseline::load(path)?), None),
        (None, Some(_)) => (None, Some(Baseline::new()?)),
        (None, None) => (None, None),
    };
    let baseline_key = baseline.as_ref().or(new_baseline.as_ref()).map(Baseline::key).transpose()?;
    let allow = AllowFile::load(&here, today)?;
    let scanned = Scanned { expired: allow.expired.clone(), ..Scanned::default() };
    let mut sweep = Sweep {
        key: store.key(),
        baseline_key,
        baseline,
        new_baseline,
        scanner,
        allow,
        here: here.clone(),
        tracked: None,
        ours: args.baseline.as_ref().or(args.write_baseline.as_ref()).map(|p| here.join(p)),
        likely: args.likely,
        hits: Vec::new(),
        scanned,
        progress: progress(),
    };
    if args.stdin {
        sweep.stream(&mut std::io::stdin().lock(), Path::new("-"), Place::Input)?;
    } else if args.history || args.git.is_some() {
        sweep.commits(args.git.as_deref())?;
    } else {
        sweep.tracked = git::tracked(&here);
        let mut list: Vec<(Place, PathBuf)> =
            args.paths.iter().map(|p| (Place::Project, here.join(p).components().collect())).collect();
        if list.is_empty() {
            list.push((Place::Project, here.clone()));
            list.extend(roots.home.as_ref().map(below).unwrap_or_default());
        }
        sweep.files(&list, args.all)?;
    }
    sweep.finish(&args)
}

/// A bar on a terminal, nothing elsewhere.
fn progress() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(
        None,
        if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        },
    );
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

struct Sweep<'a> {
    key: &'a Key,
    baseline_key: Option<Key>,
    baseline: Option<Baseline>,
    new_baseline: Option<Baseline>,
    scanner: Scanner,
    allow: AllowFile,
    here: PathBuf,
    tracked: Option<BTreeSet<PathBuf>>,
    /// The file of the baseline.
    ours: Option<PathBuf>,
    likely: bool,
    hits: Vec<Hit>,
    scanned: Scanned,
    progress: ProgressBar,
}

impl Sweep<'_> {
    fn files(&mut self, list: &[(Place, PathBuf)], all: bool) -> Result<()> {
        let mut todo = Vec::new();
        for (place, path) in list {
            // A path that was named and is not there is a mistake, not an empty place.
            fs_err::symlink_metadata(path)?;
            let (found, left_out) = files(path, all);
            self.scanned
                .skipped
                .extend(left_out.iter().map(|p| format!("{} (downloaded or built)", shown(p, &self.here))));
            todo.extend(found.into_iter().map(|f| (*place, f)));
        }
        // A baseline's random salt and hashes are no secrets.
        todo.retain(|(_, path)| self.ours.as_ref() != Some(path));
        self.progress.set_length(u64::try_from(todo.len()).unwrap_or(0));
        for (place, path) in todo {
            self.progress.set_message(shown(&path, &self.here));
            let read = fs_err::File::open(&path)
                .map_err(anyhow::Error::from)
                .and_then(|mut file| self.stream(&mut file, &path, place));
            if let Err(e) = read {
                self.scanned.skipped.push(format!("{} ({e:#})", shown(&path, &self.here)));
            }
            self.progress.inc(1);
        }
        Ok(())
    }

    /// Looks through what `source` gives, piece by piece.
    fn stream(&mut self, source: &mut dyn Read, path: &Path, place: Place) -> Result<()> {
        let surroundings = match place {
            Place::Global => Surroundings::Bearing,
            _ => Surroundings::of_path(&path.to_string_lossy()),
        };
        let scanner = self.scanner.clone().in_surroundings(surroundings);
        let mut buffer = Vec::new();
        let (mut line, mut done) = (1_u64, false);
        // What lies before this place of the buffer was reported with the piece before.
        let mut fresh = 0;
        while !done {
            let read = source.take(u64::try_from(PIECE).unwrap_or(u64::MAX)).read_to_end(&mut buffer)?;
            done = read == 0;
            self.scanned.bytes += u64::try_from(read).unwrap_or(0);
            if done && buffer.len() == fresh {
                break;
            }
            if line == 1 && is_binary(&buffer) {
                self.scanned.skipped.push(format!("{} (not text)", shown(path, &self.here)));
                return Ok(());
            }
            let stop = if done { buffer.len() } else { buffer.len().saturating_sub(OVERLAP) };
            let mut lines = Lines::new(&buffer, line);
            for finding in
                scanner.scan(&buffer).iter().filter(|f| f.span.end > fresh && (done || f.span.end <= stop))
            {
                let (number, column) = lines.of(finding.span.start);
                self.hit(&buffer, finding, path, place, (number, column), None);
            }
            // A finding that ends after `stop` is reported with the next piece, which begins well before it.
            let cut = stop.saturating_sub(OVERLAP);
            line = lines.of(cut).0;
            buffer.drain(..cut);
            fresh = stop - cut;
        }
        self.scanned.files += 1;
        Ok(())
    }

    fn commits(&mut self, range: Option<&str>) -> Result<()> {
        let here = self.here.clone();
        let bar = self.progress.clone();
        let mut seen = BTreeSet::new();
        git::added(&here, range, |added| {
            bar.set_message(format!("{} {}", added.commit.get(..12).unwrap_or_default(), added.path));
            bar.inc(1);
            self.scanned.files += 1;
            self.scanned.bytes += u64::try_from(added.text.len()).unwrap_or(0);
            if is_binary(&added.text) {
                return;
            }
            let path = here.join(&added.path);
            let scanner = self.scanner.clone().in_surroundings(Surroundings::of_path(&added.path));
            for finding in scanner.scan(&added.text) {
                let column = column(&added.text, finding.span.start);
                let before = self.hits.len();
                self.hit(
                    &added.text,
                    &finding,
                    &path,
                    Place::History,
                    (added.line(finding.span.start), column),
                    Some(added.commit.clone()),
                );
                // The same credential in the same file is told of once, with the newest commit.
                if let Some(hit) = self.hits.get(before)
                    && !seen.insert((hit.path.clone(), hit.fingerprint.clone()))
                {
                    self.hits.truncate(before);
                }
            }
        })
    }

    fn hit(
        &mut self,
        text: &[u8],
        finding: &Finding,
        path: &Path,
        place: Place,
        at: (u64, u64),
        commit: Option<String>,
    ) {
        if self.likely && !finding.blocks() {
            return;
        }
        let value = text.get(finding.span.clone()).unwrap_or_default();
        let fingerprint = self.key.fingerprint(value);
        let path_shown = shown(path, &self.here);
        let accepted = self.baseline_key.as_ref().map(|k| k.fingerprint(value)).unwrap_or_default();
        if let Some(new) = &mut self.new_baseline {
            new.add(accepted.clone(), &finding.kind, &path_shown);
        }
        let from = text
            .get(..finding.span.start)
            .and_then(|t| t.iter().rposition(|b| *b == b'\n'))
            .map_or(0, |p| p + 1);
        let rest = text.get(finding.span.end..).unwrap_or_default();
        let to = rest.iter().position(|b| *b == b'\n').map_or(text.len(), |p| finding.span.end + p);
        let allowed = marked(text.get(from..to).unwrap_or_default())
            || self.allow.allows(path, &finding.kind, &fingerprint)
            || self.baseline.as_ref().is_some_and(|b| b.holds(&accepted, &finding.kind, &path_shown));
        if allowed {
            self.scanned.allowed += 1;
            return;
        }
        self.hits.push(Hit {
            place,
            path: path_shown,
            line: at.0,
            column: at.1,
            kind: finding.kind.clone().into_owned(),
            tier: finding.tier.word(),
            certainty: finding.certainty.word(),
            fingerprint,
            tracked: self.tracked.as_ref().filter(|_| place == Place::Project).map(|t| t.contains(path)),
            commit,
        });
    }

    fn finish(self, args: &Args) -> Result<ExitCode> {
        self.progress.finish_and_clear();
        if let (Some(new), Some(path)) = (&self.new_baseline, &args.write_baseline) {
            new.save(path)?;
        }
        if args.json {
            line(report::json(&self.hits, &self.scanned).to_string());
        } else if args.sarif {
            line(report::sarif(&self.hits).to_string());
        } else {
            print(&report::text(&self.hits, &self.scanned));
        }
        Ok(ExitCode::from(u8::from(!self.hits.is_empty() && args.write_baseline.is_none())))
    }
}

/// Whether a file is not text: a zero byte in its first 8 KiB.
fn is_binary(text: &[u8]) -> bool {
    text.iter().take(8192).any(|b| *b == 0)
}

fn column(text: &[u8], place: usize) -> u64 {
    let before = text.get(..place).unwrap_or_default();
    let from = before.iter().rposition(|b| *b == b'\n').map_or(0, |p| p + 1);
    u64::try_from(place - from).unwrap_or(0) + 1
}

/// Counts lines forward, each byte once.
struct Lines<'a> {
    text: &'a [u8],
    place: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8], line: u64) -> Self {
        Self { text, place: 0, line }
    }

    /// Line and column of a place that is not before the last one asked for.
    fn of(&mut self, place: usize) -> (u64, u64) {
        if place >= self.place {
            let passed = self.text.get(self.place..place).unwrap_or_default();
            self.line += u64::try_from(passed.iter().filter(|b| **b == b'\n').count()).unwrap_or(0);
            self.place = place;
            return (self.line, column(self.text, place));
        }
        let back = self.text.get(place..self.place).unwrap_or_default();
        let lines = u64::try_from(back.iter().filter(|b| **b == b'\n').count()).unwrap_or(0);
        (self.line.saturating_sub(lines), column(self.text, place))
    }
}
