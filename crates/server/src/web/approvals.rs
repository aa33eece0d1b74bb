//! Approvals: what waits, one request in full, deciding it, and what became of all.

use super::failure::Failure;
use super::gate::Viewer;
use super::guards::Sent;
use super::layout::{self, Frame};
use super::{App, ask};
use crate::error::ServerError;
use crate::words::{Clock, fit, one_line};
use approvals::{ApprovalError, Case, Channel, Decision, Id, LONGEST_SCOPE_S, Risk, Scope, State as Settled};
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect};
use jiff::{SignedDuration, Timestamp};
use ledger::{Durability, Kind, Record};
use maud::{Markup, html};
use std::sync::Arc;

/// Requests in the history.
const HISTORY: usize = 100;

/// Asks the store away from the tasks that answer.
async fn stored<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&App, Timestamp) -> approvals::Result<T> + Send + 'static,
) -> Result<Result<T, ApprovalError>, Failure> {
    let app = Arc::clone(app);
    let done = tokio::task::spawn_blocking(move || work(&app, (app.now)())).await;
    done.map_err(|_| Failure::Ours(ServerError::Ended("the store of approvals")))
}

/// What waits, the oldest first.
pub(crate) async fn pending(app: &Arc<App>) -> Result<Vec<Case>, Failure> {
    Ok(stored(app, |app, now| app.store.pending(now)).await?.map_err(ServerError::from)?)
}

/// How many wait.
pub(crate) async fn number_pending(app: &Arc<App>) -> Result<usize, Failure> {
    Ok(pending(app).await?.len())
}

/// The number that wait, for open pages.
pub(crate) async fn count(State(app): State<Arc<App>>, _: Viewer) -> Result<Html<String>, Failure> {
    Ok(Html(layout::waiting_badge(number_pending(&app).await?).into_string()))
}

fn risk(risk: Risk) -> Markup {
    let look = match risk {
        Risk::Ordinary => "v-allow",
        Risk::High => "v-ask",
        Risk::Critical => "v-deny",
    };
    layout::chip(look, risk.word())
}

fn state(state: Settled) -> Markup {
    let look = match state {
        Settled::Pending => "v-ask",
        Settled::Approved => "v-allow",
        Settled::Denied => "v-deny",
        Settled::Consumed | Settled::Expired => "v-none",
    };
    layout::chip(look, state.word())
}

/// Requests as cards.
pub(crate) fn list(cases: &[Case], clock: &Clock) -> Markup {
    html! {
        ul .sessions {
            @for case in cases {
                @let question = &case.request.question;
                li class={ "card asks " (question.risk.word()) } {
                    a .cover href={ "/approvals/" (case.request.id) } { span .unseen { "Approval " (case.request.id) } }
                    div .top {
                        b { (case.request.id) }
                        (risk(question.risk))
                        span { (one_line(&question.story.title)) }
                        span .end.faint { (clock.until(question.expires_at)) " left" }
                    }
                    p .last { code { (layout::exact(&fit(&one_line(&question.story.text), 220), None)) } }
                    div .bottom.faint {
                        span { (one_line(&question.exact.agent)) " for " (one_line(&question.driver)) }
                        span { "needs " (one_line(&question.quorum.words())) }
                        @if !case.agreed.is_empty() { span { (case.agreed.len()) " of " (question.quorum.approve.max(1)) " agreed" } }
                    }
                }
            }
        }
    }
}

/// Inbox and history.
pub(crate) async fn page(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Html<String>, Failure> {
    let clock = app.clock();
    let waiting = pending(&app).await?;
    let history =
        stored(&app, |app, now| app.store.history(HISTORY, now)).await?.map_err(ServerError::from)?;
    let damaged = stored(&app, |app, now| app.store.damaged(now)).await?.map_err(ServerError::from)?;
    let content = html! {
        div #live hx-get="/approvals" hx-select="#live" hx-swap="outerHTML" hx-trigger="sse:approvals" {
            header .page { h1 { "Approvals" } }
            @for (id, why) in &damaged {
                p .bad { "Request " (id) " was tampered with and can be neither decided nor used: " (why.to_string()) }
            }
            section aria-labelledby="h-inbox" {
                h2 #h-inbox { "Waiting" }
                @if waiting.is_empty() { p .empty { "Nothing waits. A request appears here the moment an agent's call needs a person." } }
                @else { (list(&waiting, &clock)) }
            }
            section aria-labelledby="h-history" {
                h2 #h-history { "History" }
                @if history.is_empty() { p .empty { "Nobody was asked through Ambit yet." } }
                @else { (history_table(&history, &clock)) }
            }
        }
    };
    let frame = Frame { viewer: &viewer, place: "/approvals", title: "Approvals", waiting: waiting.len() };
    Ok(layout::page(&frame, &content))
}

fn history_table(cases: &[Case], clock: &Clock) -> Markup {
    html! {
        div .scroll tabindex="0" role="region" aria-label="Table of requests" {
            table {
                thead { tr { th { "Request" } th { "State" } th { "Asked" } th { "What" } th { "Risk" } th { "Decided by" } th { "Scope" } th .num { "Uses" } } }
                tbody {
                    @for case in cases {
                        @let question = &case.request.question;
                        tr {
                            td { a href={ "/approvals/" (case.request.id) } { (case.request.id) } }
                            td { (state(case.state)) }
                            td { (layout::ago(clock, question.asked_at)) }
                            td .what { (fit(&one_line(&question.story.title), 80)) }
                            td { (risk(question.risk)) }
                            td { (decided_by(case)) }
                            td { (case.scope.as_ref().map_or("", Scope::word)) }
                            td .num { (case.uses) }
                        }
                    }
                }
            }
        }
    }
}

fn decided_by(case: &Case) -> String {
    let names: Vec<String> = case
        .decisions()
        .map(|(_, d)| format!("{} ({}, {})", one_line(&d.account), d.choice.word(), d.channel.word()))
        .collect();
    names.join("; ")
}

/// One request.
pub(crate) async fn one(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Html<String>, Failure> {
    let id: Id = id.parse().map_err(|_| Failure::NotFound("request"))?;
    let found = stored(&app, move |app, now| app.store.get(id, now)).await?;
    let case = found.map_err(|e| Failure::Refused(e.to_string()))?.ok_or(Failure::NotFound("request"))?;
    let clock = app.clock();
    let content = ask::request(&case, &viewer, &clock, app.read_only.as_deref());
    let title = format!("Approval {id}");
    let waiting = number_pending(&app).await?;
    let frame = Frame { viewer: &viewer, place: "/approvals", title: &title, waiting };
    Ok(layout::page(&frame, &content))
}

/// Chips for the page of one request.
pub(crate) fn chips(case: &Case) -> Markup {
    html! { (state(case.state)) " " (risk(case.request.question.risk)) }
}

/// What the form says.
fn decision(sent: &Sent, now: Timestamp) -> Result<Decision, Failure> {
    let account = sent.viewer.person.name.as_str();
    let words = Some(sent.field("words")).filter(|w| !w.is_empty()).map(str::to_owned);
    let looked_ms = sent
        .field("seen")
        .parse()
        .ok()
        .and_then(|micros| Timestamp::from_microsecond(micros).ok())
        .and_then(|seen| u64::try_from(now.duration_since(seen).as_millis()).ok());
    match sent.field("choice") {
        "deny" => Ok(Decision { looked_ms, ..Decision::deny(account, Channel::Console, words) }),
        "approve" => {
            let hours: i64 = sent.field("hours").parse().unwrap_or(1);
            let seconds = hours.saturating_mul(3600).clamp(60, LONGEST_SCOPE_S);
            let until = now + SignedDuration::from_secs(seconds);
            let scope = match sent.field("scope") {
                "session" => Scope::Session { until },
                "template" => {
                    let effect = sent.field("effect").parse().map_err(|_| Failure::Malformed)?;
                    Scope::Template { effect, pattern: sent.field("pattern").to_owned(), until }
                }
                _ => Scope::Once,
            };
            let typed = Some(sent.field("typed")).filter(|w| !w.is_empty()).map(str::to_owned);
            let break_glass = sent.field("break_glass") == "yes";
            Ok(Decision {
                scope,
                words,
                typed,
                looked_ms,
                break_glass,
                ..Decision::approve(account, Channel::Console)
            })
        }
        _ => Err(Failure::Malformed),
    }
}

/// Decides.
pub(crate) async fn decide(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    sent: Sent,
) -> Result<impl IntoResponse, Failure> {
    let id: Id = id.parse().map_err(|_| Failure::NotFound("request"))?;
    if let Some(why) = &app.read_only {
        return Err(Failure::Refused(format!("This console decides nothing: {why}.")));
    }
    let decision = decision(&sent, (app.now)())?;
    let subject = sent.viewer.person.subject.clone();
    let done = stored(&app, move |app, now| {
        let decided = decision.clone();
        let case = app.store.decide(id, decision, now)?;
        Ok(record(app, &case, &decided, subject, now))
    })
    .await?;
    match done {
        Ok(recorded) => recorded.map_err(Failure::from)?,
        Err(e) => return Err(Failure::Refused(e.to_string())),
    }
    Ok(Redirect::to(&format!("/approvals/{id}")))
}

/// Writes the decision into the ledger. It is signed and in force already; the record says so to everybody else.
fn record(
    app: &App,
    case: &Case,
    decision: &Decision,
    subject: String,
    now: Timestamp,
) -> ledger::Result<()> {
    let question = &case.request.question;
    let mut record = Record::new(Kind::APPROVAL_DECIDED)
        .agent(question.exact.agent.as_str())
        .session(question.exact.session.as_str())
        .subject(subject)
        .with("approval", case.request.id.to_string())
        .with("digest", case.request.digest.as_str())
        .with("decision", decision.choice.word())
        .with("channel", decision.channel.word())
        .with("scope", decision.scope.word())
        .with("rule", question.story.rule.as_str())
        .with("risk", question.risk.word())
        .with("state", case.state.word())
        .seal("person", decision.account.as_str());
    if decision.break_glass {
        record = record.with("break_glass", true);
    }
    if let Some(looked) = decision.looked_ms {
        record = record.with("looked_ms", looked);
    }
    if let Some(words) = &decision.words {
        record = record.seal("words", words.as_str());
    }
    if let Some(call) = &question.call {
        record = record.call(call.as_str());
    }
    app.ledger.append(&record, Durability::Durable, now).map(|_recorded| ())
}
