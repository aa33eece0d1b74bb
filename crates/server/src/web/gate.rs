//! Who may come in: one-time links, sessions, the token of every form, and how often.

use crate::error::{Result, ServerError};
use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long a link can be used.
pub(crate) const LINK_FOR: SignedDuration = SignedDuration::from_mins(10);
/// How long a session lasts without a request.
const IDLE_FOR: SignedDuration = SignedDuration::from_hours(2);
/// How long a session lasts at most.
const SESSION_FOR: SignedDuration = SignedDuration::from_hours(12);
/// Sessions at a time; the one that was idle longest goes first.
const SESSIONS: usize = 64;

/// A person who may use the console.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The account's name.
    pub name: String,
    /// The pseudonym by which records know the person.
    pub subject: String,
}

/// Who sends a request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Viewer {
    /// The person.
    pub(crate) person: Person,
    /// What every form of this session carries.
    pub(crate) token: String,
}

/// The hash by which a secret is kept: what is in memory signs nobody in.
type Hash = [u8; 32];

fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

/// A secret of 256 random bits as text.
fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(ServerError::Random)?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

struct Link {
    person: Person,
    until: Timestamp,
}

struct Session {
    person: Person,
    token: String,
    begun: Timestamp,
    used: Timestamp,
    reads: Bucket,
    writes: Bucket,
}

/// So many at once, and so many a second after that.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    most: f64,
    a_second: f64,
    at: Timestamp,
}

impl Bucket {
    fn new(most: f64, a_second: f64, now: Timestamp) -> Self {
        Self { left: most, most, a_second, at: now }
    }

    fn take(&mut self, now: Timestamp) -> bool {
        let passed = now.duration_since(self.at).as_secs_f64().max(0.0);
        self.at = now;
        self.left = (self.left + passed * self.a_second).min(self.most);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

/// What a request wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// To look.
    Read,
    /// To change something.
    Write,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It may.
    In(Viewer),
    /// Nobody is signed in by it.
    Out,
    /// Too much of it; later.
    Slow,
}

/// What became of a sign-in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// The new session's secret, and whose it is.
    In(String, Person),
    /// The link is used, too old or none.
    Out,
    /// Too many wrong ones.
    Slow,
}

/// The gate. Its state lives in memory alone: when the console ends, all sessions end.
pub(crate) struct Gate {
    inner: Mutex<Inner>,
}

struct Inner {
    links: HashMap<Hash, Link>,
    sessions: HashMap<Hash, Session>,
    wrong: Bucket,
}

impl Gate {
    pub(crate) fn new(now: Timestamp) -> Self {
        let inner =
            Inner { links: HashMap::new(), sessions: HashMap::new(), wrong: Bucket::new(10.0, 0.2, now) };
        Self { inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the secret of a link that signs `person` in once.
    pub(crate) fn link(&self, person: Person, now: Timestamp) -> Result<String> {
        let secret = secret()?;
        self.lock().links.insert(hash(&secret), Link { person, until: now + LINK_FOR });
        Ok(secret)
    }

    /// Uses a link.
    pub(crate) fn sign_in(&self, link: &str, now: Timestamp) -> Result<SignIn> {
        let mut inner = self.lock();
        inner.links.retain(|_, link| link.until > now);
        // A right link works however many wrong ones were tried.
        let Some(found) = inner.links.remove(&hash(link)) else {
            return Ok(if inner.wrong.take(now) { SignIn::Out } else { SignIn::Slow });
        };
        let session = secret()?;
        let new = Session {
            person: found.person.clone(),
            token: secret()?,
            begun: now,
            used: now,
            reads: Bucket::new(200.0, 20.0, now),
            writes: Bucket::new(20.0, 1.0, now),
        };
        if inner.sessions.len() >= SESSIONS {
            let oldest = inner.sessions.iter().min_by_key(|(_, s)| s.used).map(|(hash, _)| *hash);
            oldest.and_then(|hash| inner.sessions.remove(&hash));
        }
        inner.sessions.insert(hash(&session), new);
        Ok(SignIn::In(session, found.person))
    }

    /// Lets a request in by its session's secret.
    pub(crate) fn enter(&self, session: &str, wish: Wish, now: Timestamp) -> Entry {
        let mut inner = self.lock();
        inner.sessions.retain(|_, s| s.used + IDLE_FOR > now && s.begun + SESSION_FOR > now);
        let Some(found) = inner.sessions.get_mut(&hash(session)) else { return Entry::Out };
        let bucket = match wish {
            Wish::Read => &mut found.reads,
            Wish::Write => &mut found.writes,
        };
        if !bucket.take(now) {
            return Entry::Slow;
        }
        found.used = now;
        Entry::In(Viewer { person: found.person.clone(), token: found.token.clone() })
    }

    /// Ends a session.
    pub(crate) fn sign_out(&self, session: &str) {
        self.lock().sessions.remove(&hash(session));
    }
}

/// Whether a form's token is the session's. Compared by hash, so that time tells nothing.
pub(crate) fn same(given: &str, wanted: &str) -> bool {
    hash(given) == hash(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ana() -> Person {
        Person { name: "ana".to_owned(), subject: "p-1".to_owned() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_link_works_once_and_not_for_long() {
        let gate = Gate::new(at(0));
        let link = gate.link(ana(), at(0)).unwrap();
        let SignIn::In(session, person) = gate.sign_in(&link, at(1)).unwrap() else { panic!("not let in") };
        assert_eq!(person, ana());
        assert!(gate.sign_in(&link, at(2)).unwrap() == SignIn::Out);
        assert!(
            matches!(gate.enter(&session, Wish::Read, at(3)), Entry::In(viewer) if viewer.person == ana())
        );
        assert!(gate.enter("x", Wish::Read, at(3)) == Entry::Out);
        gate.sign_out(&session);
        assert!(gate.enter(&session, Wish::Read, at(4)) == Entry::Out);
        let late = gate.link(ana(), at(0)).unwrap();
        assert!(gate.sign_in(&late, at(601)).unwrap() == SignIn::Out);
    }

    #[test]
    fn sessions_end_by_themselves() {
        let gate = Gate::new(at(0));
        let link = gate.link(ana(), at(0)).unwrap();
        let SignIn::In(session, _) = gate.sign_in(&link, at(0)).unwrap() else { panic!("not let in") };
        // Used every hour it lasts, but not for ever.
        for hour in 1..12 {
            assert!(matches!(gate.enter(&session, Wish::Read, at(hour * 3600)), Entry::In(_)), "{hour}");
        }
        assert!(gate.enter(&session, Wish::Read, at(12 * 3600)) == Entry::Out);
        let link = gate.link(ana(), at(0)).unwrap();
        let SignIn::In(session, _) = gate.sign_in(&link, at(0)).unwrap() else { panic!("not let in") };
        assert!(gate.enter(&session, Wish::Read, at(2 * 3600)) == Entry::Out);
    }

    #[test]
    fn too_much_is_too_much() {
        let gate = Gate::new(at(0));
        let link = gate.link(ana(), at(0)).unwrap();
        let wrong: Vec<_> = (0..12).map(|_| gate.sign_in("wrong", at(1)).unwrap()).collect();
        assert!(wrong[..10].iter().all(|w| *w == SignIn::Out) && wrong[11] == SignIn::Slow);
        let SignIn::In(session, _) = gate.sign_in(&link, at(1)).unwrap() else { panic!("not let in") };
        let writes =
            (0..30).filter(|_| matches!(gate.enter(&session, Wish::Write, at(2)), Entry::In(_))).count();
        assert_eq!(writes, 20);
        assert!(matches!(gate.enter(&session, Wish::Write, at(4)), Entry::In(_)));
        assert!(matches!(gate.enter(&session, Wish::Read, at(4)), Entry::In(_)));
    }
}
