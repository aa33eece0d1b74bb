//! Splunk's HTTP Event Collector: an event a line, as `/services/collector/event` takes them one after the other.

use super::About;
use crate::opened::Opened;
use serde_json::{Value, json};

pub(super) fn event(record: &Opened, about: &About) -> Value {
    let micros = record.at.as_microsecond();
    // Seconds with microseconds, as text: a double would round.
    let time = format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    json!({
        "time": time,
        "host": about.machine,
        "source": "ambit",
        "sourcetype": "ambit:record",
        "event": record.json(),
    })
}
