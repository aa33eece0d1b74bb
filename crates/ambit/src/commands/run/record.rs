//! What happens in a contained command, in the ledger at event time.

use contain::{Event, Observer};
use jiff::Timestamp;
use ledger::{Durability, Kind, Ledger, Options, Record};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a record waits for another process's; the command waits as long.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Whom the records are about.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) session: Option<String>,
    pub(super) call: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) login: String,
    pub(super) subject: String,
    pub(super) profile: String,
    pub(super) command: String,
    pub(super) project: String,
}

impl About {
    /// A record of this kind about them.
    pub(super) fn begin(&self, kind: Kind) -> Record {
        let mut record = Record::new(kind).subject(self.subject.as_str());
        if let Some(session) = &self.session {
            record = record.session(session.as_str());
        }
        if let Some(call) = &self.call {
            record = record.call(call.as_str());
        }
        if let Some(agent) = &self.agent {
            record = record.agent(agent.as_str());
        }
        record
    }
}

/// Writes every event into the ledger.
pub(super) struct Recorder {
    ledger: Mutex<Ledger>,
    about: About,
    failed: Mutex<Option<String>>,
    /// What a program is given on its command line may hold a secret; the record does not.
    filter: guard::Filter,
}

impl Recorder {
    /// Opens the ledger.
    ///
    /// # Errors
    /// When it cannot be opened: then nothing is run, because what it does could not be recorded.
    pub(super) fn open(
        state: &Path,
        about: About,
        filter: guard::Filter,
    ) -> Result<Self, ledger::LedgerError> {
        let ledger = Ledger::open(state, Options { lock_wait: LOCK_WAIT, ..Options::default() })?;
        Ok(Self { ledger: Mutex::new(ledger), about, failed: Mutex::new(None), filter })
    }

    /// Why a record could not be written, if one could not.
    pub(super) fn failure(&self) -> Option<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A lent secret that was put into a request, or that a request was refused for. Who the command is, its lease tells.
    fn used(&self, event: &egress::Event) -> Option<(Record, Durability)> {
        let lent = event.lent.as_deref()?;
        let denied = event.outcome == egress::Outcome::Denied;
        if !denied && event.what != egress::What::Lending {
            return None;
        }
        let mut record = self
            .about
            .begin(Kind::SECRET_USED)
            .with("secret", lent)
            .with("outcome", event.outcome.word())
            .with("rule", event.rule.as_str())
            .with("severe", event.severe)
            .seal("person", self.about.login.as_str())
            .seal("host", event.host.as_str())
            .seal("path", event.path.as_deref().unwrap_or_default());
        if let Some(port) = event.port {
            record = record.with("port", port);
        }
        if let Some(method) = &event.method {
            record = record.with("method", method.as_str());
        }
        if let Some(reason) = event.reason.filter(|_| denied) {
            record = record.with("reason", reason.word()).seal("detail", event.detail.as_str());
        }
        Some((record, Durability::Durable))
    }

    fn record(&self, event: Event) -> Result<Option<(Record, Durability)>, ledger::LedgerError> {
        let begin = |kind: &str| Ok::<_, ledger::LedgerError>(self.about.begin(Kind::new(kind)?));
        Ok(Some(match event {
            Event::Start { tier, without } => {
                let record = begin("contain.start")?
                    .with("tier", tier.word())
                    .with("profile", self.about.profile.as_str())
                    .seal("person", self.about.login.as_str())
                    .seal("command", self.about.command.as_str())
                    .seal("project", self.about.project.as_str())
                    .seal("without", without);
                (record, Durability::Relaxed)
            }
            Event::Exec { pid, program, arguments } => {
                let record = begin("contain.exec")?
                    .with("pid", pid)
                    .seal("program", program)
                    .seal("arguments", arguments);
                (record, Durability::Relaxed)
            }
            Event::Network(event) => {
                // The end of a connection tells its size; that of a lookup nothing.
                if event.what == egress::What::Lookup && event.outcome == egress::Outcome::Ended {
                    return Ok(None);
                }
                let denied = event.outcome == egress::Outcome::Denied;
                let mut record = begin(if denied { "contain.denied" } else { "contain.connection" })?
                    .with("what", event.what.word())
                    .with("via", event.via.word())
                    .with("outcome", event.outcome.word())
                    .with("rule", event.rule.as_str())
                    .with("up", event.up)
                    .with("down", event.down)
                    .seal("host", event.host)
                    .seal("detail", event.detail);
                if denied {
                    record = record.with("why", "network").with("severe", event.severe);
                }
                if let Some(reason) = event.reason {
                    record = record.with("reason", reason.word());
                }
                if let Some(port) = event.port {
                    record = record.with("port", port);
                }
                if let Some(lent) = event.lent {
                    record = record.with("lent", lent);
                }
                if let (Some(method), Some(path)) = (event.method, event.path) {
                    record = record.with("method", method).seal("path", path);
                }
                (record, if event.severe { Durability::Durable } else { Durability::Relaxed })
            }
            Event::Denied { why, pid, target } => {
                let mut record = begin("contain.denied")?.with("why", why.word()).seal("target", target);
                if let Some(pid) = pid {
                    record = record.with("pid", pid);
                }
                (record, Durability::Durable)
            }
            Event::End { status, millis } => {
                let record = begin("contain.end")?.with("status", status).with("millis", millis);
                (record, Durability::Relaxed)
            }
        }))
    }
}

impl Observer for Recorder {
    fn observe(&self, event: Event) {
        let used = if let Event::Network(event) = &event { self.used(event) } else { None };
        // A use that was permitted is one record; one that was refused stands as a denial of the network too.
        let alone =
            used.is_some() && matches!(&event, Event::Network(e) if e.outcome != egress::Outcome::Denied);
        let written = self.record(event).and_then(|made| {
            for (record, durability) in used.into_iter().chain(made.filter(|_| !alone)) {
                let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
                ledger.append(&self.filter.clean(record), durability, Timestamp::now()).map(drop)?;
            }
            Ok(())
        });
        if let Err(e) = written {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert_with(|| e.to_string());
        }
    }
}
