//! ArcSight Common Event Format: `CEF:0|vendor|product|version|class|name|severity|extension`.

use super::{About, gravity, message};
use crate::opened::Opened;

/// In the header `|` and `\` are escaped, and there are no line ends.
fn header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\r', '\n'], " ")
}

/// In the extension `=` and `\` are escaped, and line ends are written as `\n`.
fn value(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\r', "\\r").replace('\n', "\\n")
}

/// What the receiver may do with the severity: 0 to 10.
fn severity(record: &Opened) -> u8 {
    match gravity(record) {
        0 => 1,
        1 => 3,
        2 => 5,
        3 => 7,
        _ => 9,
    }
}

pub(super) fn line(record: &Opened, about: &About) -> String {
    let class = match record.clear("verdict") {
        "" => record.kind.to_string(),
        verdict => format!("{}:{verdict}", record.kind),
    };
    let name = match record.clear("rule") {
        "" => record.kind.to_string(),
        rule => format!("{} by {rule}", record.kind),
    };
    let mut out = format!(
        "CEF:0|Ambit|ambit|{}|{}|{}|{}|",
        header(&about.version),
        header(&class),
        header(&name),
        severity(record)
    );
    let outcome = match record.kind.as_str() {
        "outcome" => match record.flag("ok") {
            Some(true) => "success",
            _ => "failure",
        },
        _ => "",
    };
    let effects: Vec<&str> = record.effects().map(|e| e.kind).collect();
    let pairs = [
        ("rt", record.at.as_millisecond().to_string()),
        ("dvchost", about.machine.clone()),
        ("externalId", record.index.to_string()),
        ("suid", record.subject.clone().unwrap_or_default()),
        ("suser", record.sealed("person").unwrap_or_default().to_owned()),
        ("sproc", record.agent.clone().unwrap_or_default()),
        ("act", record.clear("verdict").to_owned()),
        ("outcome", outcome.to_owned()),
        ("reason", record.sealed("reason").unwrap_or_default().to_owned()),
        ("cs1Label", "session".to_owned()),
        ("cs1", record.session.clone().unwrap_or_default()),
        ("cs2Label", "call".to_owned()),
        ("cs2", record.call.clone().unwrap_or_default()),
        ("cs3Label", "rule".to_owned()),
        ("cs3", record.clear("rule").to_owned()),
        ("cs4Label", "effects".to_owned()),
        ("cs4", effects.join(" ")),
        ("cs5Label", "policy".to_owned()),
        ("cs5", record.clear("policy").to_owned()),
        ("msg", message(record)),
    ];
    let filled = |name: &str| pairs.iter().any(|(n, v)| *n == name && !v.is_empty());
    let mut first = true;
    for (name, text) in &pairs {
        // A label without its value says nothing.
        let there = match name.strip_suffix("Label") {
            Some(of) => filled(of),
            None => !text.is_empty(),
        };
        if there {
            if !first {
                out.push(' ');
            }
            first = false;
            out.push_str(&format!("{name}={}", value(text)));
        }
    }
    out
}
