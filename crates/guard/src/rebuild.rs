//! A session's state from the ledger, where its files were lost or torn.

use crate::roots::Roots;
use crate::session::{Marks, Session, SessionError};
use ledger::{Kind, Query, Reader, Sealed};
use model::AbsPath;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long the ledger is searched. What is not reached is taken for the worst: exposed, and nothing its own.
const BUDGET: Duration = Duration::from_millis(250);

/// Adds to the state what the ledger says the session has done and seen. What was erased there cannot be had back and
/// stays unknown, which policy treats as not the session's own.
pub(crate) fn from_ledger(
    session: &mut Session,
    roots: &Roots,
    id: &str,
    wait: Duration,
) -> Result<(), SessionError> {
    let mut paths: Vec<(AbsPath, Marks)> = Vec::new();
    let mut own = Marks::default();
    if roots.state.join("ledger").is_dir() {
        let unreadable = |e: ledger::LedgerError| SessionError::Io(std::io::Error::other(e.to_string()));
        let reader = Reader::open(&roots.state);
        let query = Query { session: Some(id.to_owned()), kinds: vec![Kind::DECISION], ..Query::default() };
        let begin = Instant::now();
        for hit in reader.find_newest(query).map_err(unreadable)? {
            if begin.elapsed() > BUDGET {
                own = own.and(Marks::UNTRUSTED_SEEN).and(Marks::SENSITIVE_READ);
                break;
            }
            let Ok((entry, record)) = hit else { continue };
            if !matches!(record.text("verdict"), Some("allow" | "contain")) {
                continue;
            }
            let effects = record.what.get("effects").and_then(Value::as_array);
            let kinds: Vec<&str> = effects
                .into_iter()
                .flatten()
                .map(|e| e.get("kind").and_then(Value::as_str).unwrap_or(""))
                .collect();
            let sealed = reader.sealed(&entry).unwrap_or_default();
            let targets = match sealed.get("targets") {
                Some(Sealed::Value(Value::Array(list))) => list.as_slice(),
                _ => &[],
            };
            for (kind, target) in kinds.iter().zip(targets) {
                let path = target.as_str().and_then(|t| AbsPath::parse(t).ok());
                match (*kind, path) {
                    // Whether something was there before is not told apart here: the stricter reading holds.
                    ("write" | "create", Some(path)) => paths.push((path, Marks::WROTE)),
                    ("reveal", _) => own = own.and(Marks::SENSITIVE_READ),
                    ("fetch" | "call", _) => own = own.and(Marks::UNTRUSTED_SEEN),
                    _ => {}
                }
            }
        }
    }
    session.add(&paths, own, wait)
}
