//! What a contained command was refused, told to the agent after the call: which rule withheld what, and how to ask for
//! exactly that.

use crate::roots::Roots;
use crate::words::{shortened, visible};
use agents::Outcome;
use ledger::{Entry, Reader, Sealed};
use model::ToolCall;

/// Records looked through for those of one call: what came later than this belongs to other calls.
const MAX_RECORDS: usize = 2_000;
/// Refusals told one by one.
const MAX_TOLD: usize = 8;

/// What programs say when they were refused something by the system itself, which tells nobody else.
const SIGNS: [&str; 10] = [
    "permission denied",
    "operation not permitted",
    "read-only file system",
    "could not resolve",
    "name or service not known",
    "temporary failure in name resolution",
    "network is unreachable",
    "connection refused",
    "getaddrinfo",
    "no such file or directory",
];

/// The words for the agent, if anything was withheld from the call that ran under this ticket.
pub(crate) fn words(roots: &Roots, call: &ToolCall, ticket: &str, outcome: &Outcome) -> Option<String> {
    let refused = refusals(roots, call, ticket);
    let error = outcome.error.as_deref().unwrap_or_default().to_lowercase();
    let looks_refused = !outcome.ok && SIGNS.iter().any(|sign| error.contains(sign));
    if refused.is_empty() && !looks_refused {
        return None;
    }
    let mut text =
        "Ambit ran this command in its sandbox: it may read the system and toolchains, write only in the \
                    project, and reach only listed hosts; it has no credentials."
            .to_owned();
    for refusal in refused.iter().take(MAX_TOLD) {
        text.push_str(&format!("\n  withheld: {refusal}"));
    }
    if refused.len() > MAX_TOLD {
        text.push_str(&format!("\n  and {} more", refused.len() - MAX_TOLD));
    }
    text.push_str(
        "\nDo not try another way round. If the work needs it, tell the person exactly what and why: one more host goes \
         into `read_hosts` of `.ambit/ambit.toml`, one more directory into `extra` of its `[workspace]`; or the person \
         runs this one command themselves.",
    );
    Some(text)
}

/// What was refused, as the record has it, without repetitions, the first one first.
fn refusals(roots: &Roots, call: &ToolCall, ticket: &str) -> Vec<String> {
    let reader = Reader::open(&roots.state);
    let Ok(backward) = reader.backward() else { return Vec::new() };
    let id = call.call.as_ref().map(|c| c.0.as_str());
    let mut out: Vec<String> = Vec::new();
    for entry in backward.take(MAX_RECORDS) {
        let Ok(entry) = entry else { break };
        let Ok(record) = entry.record() else { continue };
        if record.call.as_deref() != id {
            continue;
        }
        if entry.kind() == "decision" && record.text("ticket") == Some(ticket) {
            break;
        }
        let refused = entry.kind() == "contain.denied" || record.text("verdict") == Some("deny");
        if entry.kind().starts_with("contain.") && refused {
            let why = record.text("rule").or_else(|| record.text("why")).unwrap_or("the sandbox").to_owned();
            let words = match target(&reader, &entry) {
                Some(target) => format!("{} ({why})", shortened(&visible(&target))),
                None => why,
            };
            if !out.contains(&words) {
                out.push(words);
            }
        }
    }
    out.reverse();
    out
}

/// The sealed name of what was refused.
fn target(reader: &Reader, entry: &Entry) -> Option<String> {
    let sealed = reader.sealed(entry).ok()?;
    ["target", "host", "path"].iter().find_map(|name| {
        let Sealed::Value(value) = sealed.get(*name)? else { return None };
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    })
}
