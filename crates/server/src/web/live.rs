//! What keeps the index, and tells open pages that something is new.

use super::App;
use super::gate::Viewer;
use crate::error::Result;
use crate::index::Feeder;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the ledger and the approvals are looked at: news are on open pages well within a second.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a page is left alone after news, so that a busy agent does not make it flicker.
const CALM_FOR: Duration = Duration::from_millis(400);

/// Numbers that grow with every change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Records in the index.
    pub(crate) records: u64,
    /// Changes of what waits.
    pub(crate) approvals: u64,
}

/// Keeps the index, for ever.
pub(crate) async fn keep(app: Arc<App>, mut feeder: Feeder, sender: watch::Sender<Change>) -> Result<()> {
    let mut change = Change { records: feeder.position(), approvals: 0 };
    let mut seen = None;
    loop {
        while feeder.step().await? > 0 {
            change.records = feeder.position();
            sender.send_if_modified(|now| std::mem::replace(now, change) != change);
        }
        let asked = Arc::clone(&app);
        let waiting = tokio::task::spawn_blocking(move || {
            let cases = asked.store.pending((asked.now)()).unwrap_or_default();
            cases.iter().map(|c| (c.request.digest.clone(), c.entries.len())).collect::<Vec<_>>()
        })
        .await
        .unwrap_or_default();
        if seen.as_ref() != Some(&waiting) {
            seen = Some(waiting);
            change.approvals += 1;
            sender.send_if_modified(|now| std::mem::replace(now, change) != change);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Tells a page what is new, as it happens.
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    _: Viewer,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = app.changes.clone();
    let begin = *changes.borrow_and_update();
    let stream =
        stream::unfold((changes, begin, Vec::new()), |(mut changes, mut last, mut ready)| async move {
            loop {
                if let Some(event) = ready.pop() {
                    return Some((Ok(event), (changes, last, ready)));
                }
                changes.changed().await.ok()?;
                tokio::time::sleep(CALM_FOR).await;
                let now = *changes.borrow_and_update();
                if now.records != last.records {
                    ready.push(Event::default().event("ledger").data(now.records.to_string()));
                }
                if now.approvals != last.approvals {
                    ready.push(Event::default().event("approvals").data(now.approvals.to_string()));
                }
                last = now;
            }
        });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
