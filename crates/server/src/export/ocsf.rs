//! Open Cybersecurity Schema Framework. Calls become API Activity (6003) with the profile `security_control`, sessions
//! Application Lifecycle (6002), changes of rules and settings Entity Management (3004), everything else Base Event (0).

use super::{About, gravity, message, unmapped};
use crate::opened::Opened;
use model::VerdictKind;
use serde_json::{Map, Value, json};

/// The version of the schema.
pub(super) const VERSION: &str = "1.5.0";

/// Class, category, activity and the activity's name.
fn class(record: &Opened) -> (u32, u32, u32, &'static str) {
    match record.kind.as_str() {
        "decision" | "outcome" | "approval.asked" | "approval.decided" => {
            let (activity, name) = activity(record);
            (6003, 6, activity, name)
        }
        "session.start" | "subagent.start" => (6002, 6, 3, "Start"),
        "session.end" | "subagent.end" => (6002, 6, 4, "Stop"),
        "config.changed" | "policy.changed" | "policy.broken" => (3004, 3, 3, "Update"),
        _ => (0, 0, 99, "Other"),
    }
}

/// What an API call does: by the first effect, since most calls have one.
fn activity(record: &Opened) -> (u32, &'static str) {
    match record.effects().next().map(|e| e.kind) {
        Some("create" | "publish" | "install") => (1, "Create"),
        Some("read" | "fetch" | "query") => (2, "Read"),
        Some("write" | "push" | "rewrite") => (3, "Update"),
        Some("delete" | "discard") => (4, "Delete"),
        _ => (99, "Other"),
    }
}

/// Severity from 1 (informational) to 5 (critical), and its name.
fn severity(record: &Opened) -> (u32, &'static str) {
    match gravity(record) {
        0 => (1, "Informational"),
        1 => (2, "Low"),
        2 => (3, "Medium"),
        3 => (4, "High"),
        _ => (5, "Critical"),
    }
}

/// Number and name.
type Named = (u32, &'static str);

/// What the control did, and what became of the call.
fn control(record: &Opened) -> Option<(Named, Named)> {
    match record.kind.as_str() {
        "decision" => Some(match record.verdict()? {
            VerdictKind::Allow => ((1, "Allowed"), (1, "Allowed")),
            VerdictKind::Contain => ((4, "Modified"), (4, "Isolated")),
            VerdictKind::Ask => ((99, "Other"), (99, "Other")),
            VerdictKind::Deny => ((2, "Denied"), (2, "Blocked")),
        }),
        "approval.decided" if record.clear("decision") == "approve" => {
            Some(((1, "Allowed"), (19, "Approved")))
        }
        "approval.decided" => Some(((2, "Denied"), (2, "Blocked"))),
        _ => None,
    }
}

pub(super) fn event(record: &Opened, about: &About) -> Value {
    let (class_uid, category_uid, activity_id, activity_name) = class(record);
    let (severity_id, severity) = severity(record);
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    put("class_uid", class_uid.into());
    put("category_uid", category_uid.into());
    let (class_name, category_name) = match class_uid {
        6003 => ("API Activity", "Application Activity"),
        6002 => ("Application Lifecycle", "Application Activity"),
        3004 => ("Entity Management", "Identity & Access Management"),
        _ => ("Base Event", "Uncategorized"),
    };
    put("class_name", class_name.into());
    put("category_name", category_name.into());
    put("type_name", format!("{class_name}: {activity_name}").into());
    put("activity_id", activity_id.into());
    put("activity_name", activity_name.into());
    put("type_uid", (class_uid * 100 + activity_id).into());
    put("time", record.at.as_millisecond().into());
    put("severity_id", severity_id.into());
    put("severity", severity.into());
    put("message", message(record).into());
    let status = match (record.kind.as_str(), record.flag("ok")) {
        ("outcome", Some(true)) => Some((1, "Success")),
        ("outcome", Some(false)) => Some((2, "Failure")),
        _ => None,
    };
    if let Some((id, name)) = status {
        put("status_id", id.into());
        put("status", name.into());
    }
    if let Some(millis) = record.number("millis") {
        put("duration", millis.into());
    }
    let mut profiles = vec!["host"];
    put("device", json!({"hostname": about.machine, "type_id": 0, "type": "Unknown"}));
    if let Some(((action_id, action), (disposition_id, disposition))) = control(record) {
        profiles.push("security_control");
        put("action_id", action_id.into());
        put("action", action.into());
        put("disposition_id", disposition_id.into());
        put("disposition", disposition.into());
        if !record.clear("rule").is_empty() {
            put(
                "firewall_rule",
                json!({"uid": record.clear("rule"), "category": record.clear("layer"), "version": record.clear("policy")}),
            );
        }
    }
    let mut user = Map::new();
    if let Some(subject) = &record.subject {
        user.insert("uid".to_owned(), subject.as_str().into());
    }
    if let Some(name) = record.sealed("person") {
        user.insert("name".to_owned(), name.into());
    }
    let mut actor = Map::new();
    if !user.is_empty() {
        actor.insert("user".to_owned(), user.into());
    }
    if let Some(session) = &record.session {
        actor.insert("session".to_owned(), json!({"uid": session}));
    }
    actor.insert("app_name".to_owned(), record.agent.as_deref().unwrap_or("ambit").into());
    put("actor", actor.into());
    match class_uid {
        6003 => {
            let operation = [record.clear("tool"), record.kind.as_str()].into_iter().find(|w| !w.is_empty());
            let mut api = json!({"operation": operation.unwrap_or_default()});
            if let (Some(call), Some(api)) = (&record.call, api.as_object_mut()) {
                api.insert("request".to_owned(), json!({"uid": call}));
            }
            put("api", api);
            put("src_endpoint", json!({"hostname": about.machine}));
            let resources: Vec<Value> = record
                .effects()
                .map(|e| match e.target {
                    Some(target) => {
                        json!({"type": e.surface, "name": target, "labels": [format!("effect:{}", e.kind)]})
                    }
                    None => json!({"type": e.surface, "labels": [format!("effect:{}", e.kind)]}),
                })
                .collect();
            if !resources.is_empty() {
                put("resources", resources.into());
            }
        }
        6002 => {
            let name = record.agent.as_deref().unwrap_or("agent");
            put("app", json!({"name": name, "vendor_name": name}));
        }
        3004 => {
            put(
                "entity",
                json!({"name": record.kind.as_str(), "type": "policy", "uid": record.clear("policy")}),
            );
        }
        _ => {}
    }
    put(
        "metadata",
        json!({
            "version": VERSION,
            "uid": record.index.to_string(),
            "sequence": record.index,
            "log_name": "ambit ledger",
            "original_time": ledger::format_time(record.at),
            "profiles": profiles,
            "product": {"name": "ambit", "vendor_name": "Ambit", "version": about.version},
        }),
    );
    put("unmapped", unmapped(record).into());
    Value::Object(out)
}
