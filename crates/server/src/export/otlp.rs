//! OpenTelemetry logs as OTLP/JSON: the request that a collector's `/v1/logs` takes, one record in each. Field names
//! are those of `opentelemetry.proto.logs.v1` in the JSON of Protocol Buffers: lowerCamelCase, 64-bit numbers as text.

use super::{About, gravity, message, unmapped};
use crate::opened::Opened;
use serde_json::{Map, Value, json};

/// The semantic conventions whose names are used for what they know.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";

fn any(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(b) => json!({"boolValue": b}),
        Value::Number(n) if n.is_f64() => json!({"doubleValue": n}),
        Value::Number(n) => json!({"intValue": n.to_string()}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(list) => json!({"arrayValue": {"values": list.iter().map(any).collect::<Vec<_>>()}}),
        Value::Object(map) => json!({"kvlistValue": {"values": pairs(map)}}),
    }
}

fn pairs(map: &Map<String, Value>) -> Vec<Value> {
    map.iter().map(|(key, value)| json!({"key": key, "value": any(value)})).collect()
}

/// Number and text of a severity.
fn severity(record: &Opened) -> (u8, &'static str) {
    match gravity(record) {
        0 => (9, "INFO"),
        1 => (10, "INFO2"),
        2 => (13, "WARN"),
        3 => (14, "WARN2"),
        _ => (17, "ERROR"),
    }
}

pub(super) fn request(record: &Opened, about: &About) -> Value {
    let mut attributes = unmapped(record);
    for (name, word) in [
        ("session.id", &record.session),
        ("gen_ai.agent.name", &record.agent),
        ("gen_ai.tool.call.id", &record.call),
        ("user.hash", &record.subject),
    ] {
        if let Some(word) = word {
            attributes.insert(name.to_owned(), word.as_str().into());
        }
    }
    let mut resource = Map::new();
    resource.insert("service.name".to_owned(), "ambit".into());
    resource.insert("service.version".to_owned(), about.version.as_str().into());
    resource.insert("host.name".to_owned(), about.machine.as_str().into());
    let (number, text) = severity(record);
    let time = record.at.as_nanosecond().to_string();
    json!({
        "resourceLogs": [{
            "resource": {"attributes": pairs(&resource)},
            "schemaUrl": SCHEMA,
            "scopeLogs": [{
                "scope": {"name": "ambit.ledger", "version": about.version},
                "logRecords": [{
                    "timeUnixNano": time,
                    "observedTimeUnixNano": time,
                    "severityNumber": number,
                    "severityText": text,
                    "eventName": format!("ambit.{}", record.kind),
                    "body": {"stringValue": message(record)},
                    "attributes": pairs(&attributes),
                }],
            }],
        }],
    })
}
