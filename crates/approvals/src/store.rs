//! Requests on disk: a directory a request, in it `request.json` and the numbered entries of its own small log.
//!
//! Every change is one new entry under the next number, created whole and exclusively (`link`). Of any number of
//! processes that decide, use or close at once, one gets the number; the others read again and see what came of it. So
//! there is one order of events without any lock, and a process killed anywhere leaves a request as it was or as it
//! should be.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::decision::{CONTEXT, Choice, Decision, Entry, Scope, Signed, Use, What};
use crate::error::{ApprovalError, Result, io};
use crate::files;
use crate::keys::Key;
use crate::request::{Digest, Exact, Id, Question, Request};
use crate::state::{self, Case, LEAST_REASON, Objection, State};

/// Most entries of one request.
const MOST_ENTRIES: u32 = 9_999;
/// How often a change is tried when others come first.
const TRIES: u32 = 4_096;
/// How long a settled request stays among the open ones, in seconds, before it is put away.
const PUT_AWAY_AFTER_S: i64 = 60 * 60;
/// How often a waiting process looks, well within the 100 ms that a decision may take to reach it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The requests of one machine.
#[derive(Debug)]
pub struct Store {
    open: PathBuf,
    done: PathBuf,
    pub(crate) tasks: PathBuf,
    pub(crate) key: Key,
}

/// Proof that a person agreed to one call, and that this call used that consent up. Only [`Store::consume`] makes one,
/// and it cannot be copied.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "it was used up for a call: let that call through or record that it was not run"]
pub struct Consent {
    id: Id,
    people: Vec<String>,
    scope: &'static str,
    digest: Digest,
}

impl Consent {
    /// The request.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }

    /// The people who agreed.
    #[must_use]
    pub fn people(&self) -> &[String] {
        &self.people
    }

    /// `once`, `session` or `template`.
    #[must_use]
    pub fn scope(&self) -> &'static str {
        self.scope
    }

    /// The request's digest.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// A template that a person agreed to, in force in one session.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The request it comes from.
    pub id: Id,
    /// The effect it was made of.
    pub effect: model::Effect,
    /// The pattern for the target.
    pub pattern: String,
    /// The groups whose consent this is.
    pub groups: Vec<String>,
    /// When it ends.
    pub until: Timestamp,
}

impl Store {
    /// The requests below a state directory; nothing needs to be there.
    ///
    /// # Errors
    /// When the key that signs decisions can be neither read nor made.
    pub fn open(state: &Path) -> Result<Self> {
        let root = state.join("approvals");
        Ok(Self {
            open: root.join("open"),
            done: root.join("done"),
            tasks: root.join("tasks"),
            key: Key::open(&state.join("keys"))?,
        })
    }

    /// The directory that changes whenever a request is made or put away.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.open
    }

    /// Asks. Where the same action of the same session waits already, that request is given back instead of a second
    /// one; with `true` if it is new.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn ask(&self, question: Question, now: Timestamp) -> Result<(Case, bool)> {
        let action = question.exact.digest()?;
        for id in self.open_ids()? {
            if let Ok(Some(case)) = self.get(id, now)
                && case.request.action == action
                && !case.state.settled()
            {
                return Ok((case, false));
            }
        }
        files::make_dir(&self.open)?;
        files::make_dir(&self.done)?;
        self.put_away(now);
        let mut number = self.last_number()?;
        for _ in 0..TRIES {
            number += 1;
            let request = Request::new(Id(number), question.clone())?;
            if self.place(&request)? {
                return Ok((state::fold(request, Vec::new(), now), true));
            }
        }
        Err(ApprovalError::Contended { id: Id(number).to_string() })
    }

    /// Puts a request in its place, whole; `false` if the name is taken.
    fn place(&self, request: &Request) -> Result<bool> {
        let new = files::temporary(&self.open)?;
        files::make_dir(&new)?;
        let bytes = serde_json::to_vec(request).map_err(ApprovalError::Canonical)?;
        files::write_new(&new.join("request.json"), &bytes)?;
        files::sync_dir(&new)?;
        let path = self.open.join(request.id.to_string());
        let moved = renameat_with(CWD, &new, CWD, &path, RenameFlags::NOREPLACE);
        if moved.is_err() {
            let _ = std::fs::remove_dir_all(&new);
        }
        match moved {
            // One that was put away in between keeps its name.
            Ok(()) if self.done.join(request.id.to_string()).exists() => {
                std::fs::remove_dir_all(&path).map_err(io("remove", &path))?;
                Ok(false)
            }
            Ok(()) => files::sync_dir(&self.open).map(|()| true),
            Err(rustix::io::Errno::EXIST) => Ok(false),
            Err(e) => Err(io("create", &path)(e.into())),
        }
    }

    fn ids(dir: &Path) -> Result<Vec<Id>> {
        let mut ids: Vec<Id> = files::names(dir)?.iter().filter_map(|n| n.parse().ok()).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    fn open_ids(&self) -> Result<Vec<Id>> {
        Self::ids(&self.open)
    }

    fn last_number(&self) -> Result<u64> {
        let last = |ids: Vec<Id>| ids.last().map_or(0, |id| id.0);
        Ok(last(Self::ids(&self.open)?).max(last(Self::ids(&self.done)?)))
    }

    /// Moves what has been settled for long out of the way of those who look for what is open. What fails is tried
    /// again the next time.
    fn put_away(&self, now: Timestamp) {
        for id in self.open_ids().unwrap_or_default() {
            let Ok(Some(case)) = self.get(id, now) else { continue };
            let last = case.entries.last().map_or(case.request.question.expires_at, |e| e.at);
            let last = case.until.map_or(last, |until| last.max(until));
            if case.state.settled() && now.duration_since(last).as_secs() > PUT_AWAY_AFTER_S {
                let name = id.to_string();
                let _ = std::fs::rename(self.open.join(&name), self.done.join(&name));
            }
        }
        // What a killed process left half made.
        for name in files::names(&self.open).unwrap_or_default() {
            let path = self.open.join(&name);
            let made = std::fs::metadata(&path).and_then(|m| m.modified()).ok();
            let made = made.and_then(|made| Timestamp::try_from(made).ok());
            let old = made.is_some_and(|made| now.duration_since(made).as_secs() > PUT_AWAY_AFTER_S);
            if name.starts_with(files::TEMPORARY) && old {
                let _ = std::fs::remove_dir_all(&path);
            }
        }
    }

    fn dir(&self, id: Id) -> PathBuf {
        let open = self.open.join(id.to_string());
        if open.exists() { open } else { self.done.join(id.to_string()) }
    }

    /// A request with what happened to it, every digest and signature checked; `None` if there is none.
    ///
    /// # Errors
    /// When it cannot be read, or anything in it was changed or forged.
    pub fn get(&self, id: Id, now: Timestamp) -> Result<Option<Case>> {
        let dir = self.dir(id);
        let Some(bytes) = files::read(&dir.join("request.json"))? else { return Ok(None) };
        let request: Request = serde_json::from_slice(&bytes)
            .map_err(|e| ApprovalError::RequestDamaged { id: id.to_string(), why: e.to_string() })?;
        // A field renamed to what nobody reads would change nothing that is checked, and is a change all the same.
        if serde_json::to_vec(&request).ok().as_ref() != Some(&bytes) {
            let why = "it is not written as Ambit writes it".to_owned();
            return Err(ApprovalError::RequestDamaged { id: id.to_string(), why });
        }
        request.check(id)?;
        let mut entries: Vec<Entry> = Vec::new();
        for seq in 1..=MOST_ENTRIES {
            let Some(bytes) = files::read(&dir.join(format!("{seq:04}.json")))? else { break };
            entries.push(self.checked(&request, entries.last(), seq, &bytes)?);
        }
        Ok(Some(state::fold(request, entries, now)))
    }

    fn checked(&self, request: &Request, last: Option<&Entry>, seq: u32, bytes: &[u8]) -> Result<Entry> {
        let bad = |why: String| ApprovalError::EntryDamaged { id: request.id.to_string(), seq, why };
        let entry: Entry = serde_json::from_slice(bytes).map_err(|e| bad(e.to_string()))?;
        if serde_json::to_vec(&entry).ok().as_deref() != Some(bytes) {
            return Err(bad("it is not written as Ambit writes it".to_owned()));
        }
        if entry.seq != seq || entry.before != before(request, last)? {
            return Err(bad("it does not follow the one before it".to_owned()));
        }
        if !self.key.holds(&signed(request, &entry), &entry.signature)? {
            return Err(bad("its signature is not this machine's".to_owned()));
        }
        Ok(entry)
    }

    /// Writes what follows the entries of `case`, if nothing else came first.
    fn append(&self, case: &Case, what: What, now: Timestamp) -> Result<bool> {
        let seq = u32::try_from(case.entries.len()).unwrap_or(MOST_ENTRIES) + 1;
        let id = || case.request.id.to_string();
        if seq > MOST_ENTRIES {
            return Err(ApprovalError::Contended { id: id() });
        }
        // Time never goes back within a request, whatever the clocks of those who write say.
        let at = case.entries.last().map_or(now, |last| last.at.max(now));
        let mut entry = Entry {
            seq,
            at,
            what,
            before: before(&case.request, case.entries.last())?,
            signature: String::new(),
        };
        entry.signature = self.key.sign(&signed(&case.request, &entry))?;
        let bytes = serde_json::to_vec(&entry).map_err(ApprovalError::Canonical)?;
        files::create_whole(&self.dir(case.request.id), &format!("{seq:04}.json"), &bytes)
    }

    /// The requests that wait for people, oldest first. One that was tampered with is left out: it can be neither
    /// decided nor used. [`Store::damaged`] names such.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn pending(&self, now: Timestamp) -> Result<Vec<Case>> {
        let cases = self.open_ids()?.into_iter().filter_map(|id| self.get(id, now).ok().flatten());
        Ok(cases.filter(|case| case.state == State::Pending).collect())
    }

    /// The requests that were not put away yet, settled or not, oldest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn open_cases(&self, now: Timestamp) -> Result<Vec<Case>> {
        Ok(self.open_ids()?.into_iter().filter_map(|id| self.get(id, now).ok().flatten()).collect())
    }

    /// The requests that wait for people or whose consent was not used up, oldest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn unsettled(&self, now: Timestamp) -> Result<Vec<Case>> {
        Ok(self.open_cases(now)?.into_iter().filter(|case| !case.state.settled()).collect())
    }

    /// All requests, newest first, at most `limit`; tampered ones left out.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn history(&self, limit: usize, now: Timestamp) -> Result<Vec<Case>> {
        let mut ids = self.open_ids()?;
        ids.extend(Self::ids(&self.done)?);
        ids.sort_unstable();
        ids.dedup();
        Ok(ids.into_iter().rev().filter_map(|id| self.get(id, now).ok().flatten()).take(limit).collect())
    }

    /// Open requests that were tampered with, with what does not hold.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn damaged(&self, now: Timestamp) -> Result<Vec<(Id, ApprovalError)>> {
        let ids = self.open_ids()?.into_iter();
        Ok(ids.filter_map(|id| self.get(id, now).err().map(|e| (id, e))).collect())
    }

    /// Decides. The decision counts from the moment this returns, for every process.
    ///
    /// # Errors
    /// When there is no such request, it is settled, this person may not, the channel or the scope does not do, or it
    /// cannot be written.
    pub fn decide(&self, id: Id, decision: Decision, now: Timestamp) -> Result<Case> {
        for _ in 0..TRIES {
            let case = self.get(id, now)?.ok_or_else(|| ApprovalError::Unknown(id.to_string()))?;
            let taken_back = case.state == State::Approved && decision.choice == Choice::Deny;
            if case.state != State::Pending && !taken_back {
                return Err(ApprovalError::Settled { id: id.to_string(), state: case.state });
            }
            if let Some(objection) = state::objection(&case.request, &decision, now) {
                return Err(refusal(&case.request, &decision, &objection));
            }
            if self.append(&case, What::Decided(decision.clone()), now)? {
                return self.get(id, now)?.ok_or_else(|| ApprovalError::Unknown(id.to_string()));
            }
        }
        Err(ApprovalError::Contended { id: id.to_string() })
    }

    /// Uses a consent to exactly this action up, if there is one: of any number that try, one gets it. Everything is
    /// checked again here: digests, signatures, people, time.
    ///
    /// # Errors
    /// When the requests cannot be read or the use cannot be written: then nothing may run.
    pub fn consume(&self, exact: &Exact, by: &Use, now: Timestamp) -> Result<Option<Consent>> {
        let action = exact.digest()?;
        for id in self.open_ids()? {
            // One that was tampered with gives no consent, and must not keep another from doing so.
            let mut next = self.get(id, now).ok().flatten();
            for _ in 0..TRIES {
                let Some(case) = next.take() else { break };
                if case.request.action != action || case.state != State::Approved || too_late(&case, now) {
                    break;
                }
                if self.append(&case, What::Used(by.clone()), now)? {
                    let scope = case.scope.as_ref().map_or("once", Scope::word);
                    let people = case.agreed.iter().cloned().collect();
                    return Ok(Some(Consent { id, people, scope, digest: case.request.digest }));
                }
                next = self.get(id, now).ok().flatten();
            }
        }
        Ok(None)
    }

    /// What became of this action's newest request, whatever its state; `None` if it was never asked about.
    ///
    /// # Errors
    /// When the requests cannot be read.
    pub fn of_action(&self, exact: &Exact, now: Timestamp) -> Result<Option<Case>> {
        let action = exact.digest()?;
        let mut ids = self.open_ids()?;
        ids.reverse();
        Ok(ids
            .into_iter()
            .filter_map(|id| self.get(id, now).ok().flatten())
            .find(|c| c.request.action == action))
    }

    /// Ends a request that nobody needs any more: its time is over, or the call ran by the agent's own question.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(&self, id: Id, now: Timestamp) -> Result<()> {
        for _ in 0..TRIES {
            let Some(case) = self.get(id, now)? else { return Ok(()) };
            if case.state.settled() && case.state != State::Expired {
                return Ok(());
            }
            if matches!(case.entries.last().map(|e| &e.what), Some(What::Closed))
                || self.append(&case, What::Closed, now)?
            {
                return Ok(());
            }
        }
        Err(ApprovalError::Contended { id: id.to_string() })
    }

    /// Waits until a request is no longer pending, at most `wait`. `now` is the time at the start.
    ///
    /// # Errors
    /// When it cannot be read or was tampered with.
    pub fn wait(&self, id: Id, wait: Duration, now: Timestamp) -> Result<Option<Case>> {
        let start = Instant::now();
        let mut seen = usize::MAX;
        loop {
            let gone = start.elapsed();
            let at = now
                .saturating_add(SignedDuration::try_from(gone).unwrap_or(SignedDuration::MAX))
                .unwrap_or(now);
            // Reading and checking all of it is only worth it when something is new.
            let entries = self.entries_there(id)?;
            if entries != seen || gone >= wait {
                seen = entries;
                let case = self.get(id, at)?;
                if case.as_ref().is_none_or(|c| c.state != State::Pending) || gone >= wait {
                    return Ok(case);
                }
            }
            std::thread::sleep(LOOK_EVERY.min(wait.saturating_sub(gone)));
        }
    }

    fn entries_there(&self, id: Id) -> Result<usize> {
        Ok(files::names(&self.dir(id))?.iter().filter(|n| !n.starts_with(files::TEMPORARY)).count())
    }

    /// The templates in force in a session.
    ///
    /// # Errors
    /// When the requests cannot be listed.
    pub fn templates(&self, session: &str, now: Timestamp) -> Result<Vec<Template>> {
        let mut found = Vec::new();
        for id in self.open_ids()? {
            let Ok(Some(case)) = self.get(id, now) else { continue };
            let question = &case.request.question;
            let (State::Approved, Some(Scope::Template { effect, pattern, until })) =
                (case.state, &case.scope)
            else {
                continue;
            };
            if question.exact.session != session {
                continue;
            }
            let Some(shown) = question.story.effects.get(*effect) else { continue };
            found.push(Template {
                id,
                effect: shown.effect.clone(),
                pattern: pattern.clone(),
                groups: question.quorum.groups.iter().map(|g| g.name.clone()).collect(),
                until: *until,
            });
        }
        Ok(found)
    }
}

/// Whether the consent would be over by the time its use is written, which is never earlier than its last entry.
fn too_late(case: &Case, now: Timestamp) -> bool {
    let at = case.entries.last().map_or(now, |last| last.at.max(now));
    case.until.is_none_or(|until| at >= until)
}

fn before(request: &Request, last: Option<&Entry>) -> Result<Digest> {
    last.map_or_else(|| Ok(request.digest.clone()), Digest::of)
}

fn signed<'a>(request: &'a Request, entry: &'a Entry) -> Signed<'a> {
    Signed {
        context: CONTEXT,
        request: &request.digest,
        expires_at: request.question.expires_at,
        seq: entry.seq,
        at: entry.at,
        what: &entry.what,
        before: &entry.before,
    }
}

fn refusal(request: &Request, decision: &Decision, objection: &Objection) -> ApprovalError {
    let id = request.id.to_string();
    match objection {
        Objection::NotAllowed => ApprovalError::NotAllowed {
            id,
            person: decision.account.clone(),
            needs: request.question.quorum.words(),
        },
        Objection::WrongChannel => {
            ApprovalError::WrongChannel { id, risk: request.question.risk, channel: decision.channel }
        }
        Objection::NotConfirmed => ApprovalError::NotConfirmed { id, word: request.word() },
        Objection::NoReason => ApprovalError::NoReason { id, least: LEAST_REASON },
        Objection::BadScope(why) => ApprovalError::BadScope { id, why: (*why).to_owned() },
    }
}
