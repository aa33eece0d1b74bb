//! Evidence: is the record whole, and proofs to take away.

use super::failure::Failure;
use super::gate::Viewer;
use super::guards::Sent;
use super::layout::{self, Frame};
use super::{App, approvals};
use crate::index::blocking;
use crate::words::{Clock, one_line, thousands};
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};
use ledger::{PublicKey, Report, Severity, SignedCheckpoint, VerifyOptions};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

/// Most records in one bundle: each proof carries its own path.
const MOST: usize = 200;

struct Standing {
    records: u64,
    checkpoint: Option<SignedCheckpoint>,
    keys: Vec<PublicKey>,
}

async fn standing(app: &Arc<App>) -> Result<Standing, Failure> {
    let reader = app.reader.clone();
    let found = blocking(move || {
        Ok(Standing { records: reader.len()?, checkpoint: reader.checkpoint()?, keys: reader.keys()? })
    })
    .await?;
    Ok(found)
}

/// The page.
pub(crate) async fn page(State(app): State<Arc<App>>, viewer: Viewer) -> Result<Html<String>, Failure> {
    show(&app, &viewer, None).await
}

/// Verifies the whole ledger, then shows the page with what was found.
pub(crate) async fn verify(State(app): State<Arc<App>>, sent: Sent) -> Result<Html<String>, Failure> {
    let (state, now) = (app.state.clone(), (app.now)());
    let report =
        blocking(move || Ok(ledger::verify(&state, &VerifyOptions::full(now), &mut |_| {})?)).await?;
    let whole = if report.intact() { "whole" } else { "tampered" };
    app.note("console.verified", &sent.viewer.person, &[("result", whole)])?;
    show(&app, &sent.viewer, Some(&report)).await
}

async fn show(app: &Arc<App>, viewer: &Viewer, report: Option<&Report>) -> Result<Html<String>, Failure> {
    let clock = app.clock();
    let standing = standing(app).await?;
    let content = html! {
        header .page { h1 { "Evidence" } p .figures { span { b { (thousands(standing.records)) } " records" } } }
        section aria-labelledby="h-verify" {
            h2 #h-verify { "Is the record whole?" }
            p { "Reads every record and rebuilds the tree: nothing before the last checkpoint was changed, removed or reordered without the signing key." }
            form method="post" action="/evidence" {
                input type="hidden" name="token" value=(viewer.token);
                button type="submit" { "Verify the whole record" }
            }
            @if let Some(report) = report { (findings(report)) }
        }
        section aria-labelledby="h-checkpoint" {
            h2 #h-checkpoint { "Checkpoint" }
            (checkpoint(&standing, &clock))
        }
        section aria-labelledby="h-bundle" {
            h2 #h-bundle { "Proofs to take away" }
            p { "A file with the proofs of several records, which " code { "ambit verify FILE" } " checks offline, without this ledger: " (MOST) " at most." }
            form .inline method="get" action="/evidence/bundle" {
                label for="records" { "Records" }
                input #records name="records" placeholder="17, 40-60" required pattern="[0-9, -]+" title="numbers and ranges, such as 17, 40-60";
                button type="submit" { "Download the bundle" }
            }
        }
    };
    let waiting = approvals::number_pending(app).await?;
    let frame = Frame { viewer, place: "/evidence", title: "Evidence", waiting };
    Ok(layout::page(&frame, &content))
}

fn checkpoint(standing: &Standing, clock: &Clock) -> Markup {
    html! {
        @match &standing.checkpoint {
            None => p .empty { "Nothing is sealed yet." },
            Some(signed) => {
                @let checkpoint = signed.checkpoint();
                dl .facts.wide {
                    dt { "records" } dd { (thousands(checkpoint.size)) ", " (standing.records.saturating_sub(checkpoint.size)) " after it" }
                    dt { "root" } dd { code .break { (data_encoding::HEXLOWER.encode(&checkpoint.root)) } }
                    @if let Some(at) = checkpoint.time { dt { "time" } dd { (clock.full(at)) } }
                    dt { "origin" } dd { code .break { (one_line(&checkpoint.origin)) } }
                    @for key in &standing.keys { dt { "key" } dd { code .break { (key) } } }
                }
                details { summary { "The signed note, to keep elsewhere" } pre tabindex="0" { code { (signed.note()) } } }
                p .faint { "Kept on another machine, it proves later that nothing before it was changed even by who has the key: " code { "ambit verify --checkpoint FILE" } }
            }
        }
    }
}

fn findings(report: &Report) -> Markup {
    html! {
        div .verified role="status" {
            p {
                @if report.intact() { (layout::chip("v-allow", "whole")) } @else { (layout::chip("v-deny", "tampered")) }
                " " (thousands(report.records)) " records in " (report.segments) @if report.segments == 1 { " segment" } @else { " segments" }
                ", " (report.checkpoints) " checkpoints, " (thousands(report.sealed.0)) " sealed values fit, " (thousands(report.sealed.1)) " erased."
            }
            @if !report.findings.is_empty() {
                ul .findings {
                    @for finding in report.findings.iter().take(200) {
                        li {
                            @match finding.severity {
                                Severity::Broken => (layout::chip("v-deny", "tampering")),
                                Severity::Warning => (layout::chip("v-ask", "warning")),
                                Severity::Notice => (layout::chip("v-none", "note")),
                            }
                            div {
                                p { @if let Some(index) = finding.index { a href={ "/record/" (index) } { "record " (index) } " " } (one_line(&finding.what)) }
                                p .faint { (finding.mend) }
                            }
                        }
                    }
                }
                @if report.findings.len() > 200 { p .faint { "and " (report.findings.len() - 200) " more; " code { "ambit verify" } " lists all" } }
            }
        }
    }
}

/// Which records.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    records: String,
}

/// Reads `17, 40-60`.
fn numbers(text: &str) -> Option<Vec<u64>> {
    let mut out = Vec::new();
    for part in text.split([',', ' ']).map(str::trim).filter(|p| !p.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u64, u64) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        if to < from || to - from > MOST as u64 {
            return None;
        }
        out.extend(from..=to);
    }
    out.sort_unstable();
    out.dedup();
    (!out.is_empty() && out.len() <= MOST).then_some(out)
}

/// The bundle as a file.
pub(crate) async fn bundle(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<impl IntoResponse, Failure> {
    let numbers = numbers(&wanted.records).ok_or_else(|| {
        Failure::Refused(format!(
            "`{}` names no records: give numbers and ranges such as `17, 40-60`, {MOST} at most.",
            wanted.records
        ))
    })?;
    let reader = app.reader.clone();
    let proofs = blocking(move || {
        let proofs = numbers.into_iter().map(|index| reader.prove(index, &[])).collect::<Result<Vec<_>, _>>();
        Ok(proofs)
    })
    .await?
    .map_err(|e| Failure::Refused(e.to_string()))?;
    app.note("console.proof", &viewer.person, &[("records", &wanted.records)])?;
    let text = serde_json::to_string_pretty(&serde_json::json!({ "proofs": proofs }))
        .map_err(|e| Failure::Refused(e.to_string()))?;
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CONTENT_DISPOSITION, "attachment; filename=\"ambit-proofs.json\""),
    ];
    Ok((headers, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_as_people_name_them() {
        assert_eq!(numbers("17, 40-42 3"), Some(vec![3, 17, 40, 41, 42]));
        for bad in ["", "x", "5-3", "1-9999", "-1"] {
            assert_eq!(numbers(bad), None, "{bad}");
        }
    }
}
