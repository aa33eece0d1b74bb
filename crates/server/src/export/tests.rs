use super::*;
use ledger::Kind;
use serde_json::json;

fn about(sealed: bool) -> About {
    About { machine: "build|1".to_owned(), version: "0.1.0".to_owned(), sealed }
}

fn record(kind: Kind, what: Value, sealed: Value) -> Opened {
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    Opened {
        index: 7,
        at: "2026-11-22T14:03:59.123456Z".parse().unwrap(),
        kind,
        agent: Some("claude-code".to_owned()),
        session: Some("s-1".to_owned()),
        call: Some("toolu_1".to_owned()),
        subject: Some("p-1".to_owned()),
        body: Body { what: object(what), sealed: object(sealed), ..Body::default() },
    }
}

fn denial() -> Opened {
    record(
        Kind::DECISION,
        json!({"verdict": "deny", "rule": "floor/root", "layer": "floor", "policy": "abc", "tool": "shell",
            "effects": [{"kind": "delete", "surface": "data", "verdict": "deny", "rule": "floor/root", "understood": true}]}),
        json!({"person": "ana", "input": {"command": "rm -rf / # a=b|c\nend"}, "targets": ["/"], "reason": "it is the root"}),
    )
}

#[test]
fn sealed_values_go_out_only_when_asked_for() {
    for format in Format::ALL {
        let without = format.line(&denial(), &about(false));
        assert!(!without.contains("rm -rf") && !without.contains("ana\""), "{without}");
        let with = format.line(&denial(), &about(true));
        assert!(with.contains("rm -rf"), "{with}");
        assert!(!with.contains('\n'), "{with}");
        assert_eq!(Format::from_word(format.word()), Some(format));
    }
}

#[test]
fn cef_escapes_what_would_end_a_field() {
    let line = Format::Cef.line(&denial(), &about(true));
    assert!(
        line.starts_with("CEF:0|Ambit|ambit|0.1.0|decision:deny|decision by floor/root|7|rt=1795356239123 dvchost=build|1 externalId=7 "),
        "{line}"
    );
    assert!(
        line.contains(" act=deny ")
            && line.contains("cs3Label=rule cs3=floor/root cs4Label=effects cs4=delete"),
        "{line}"
    );
    assert!(line.ends_with("msg=rm -rf / # a\\=b|c end"), "{line}");
    let bare = Format::Cef.line(&record(Kind::SESSION_END, json!({}), json!({})), &about(true));
    assert!(!bare.contains("cs3Label") && bare.contains("cs1=s-1"), "{bare}");
}

#[test]
fn ocsf_has_what_its_classes_demand() {
    let value = |record: &Opened| -> Value {
        serde_json::from_str(&Format::Ocsf.line(record, &about(true))).unwrap()
    };
    let call = value(&denial());
    for required in [
        "activity_id",
        "category_uid",
        "class_uid",
        "metadata",
        "severity_id",
        "time",
        "type_uid",
        "actor",
        "api",
        "src_endpoint",
        "device",
    ] {
        assert!(call.get(required).is_some(), "{required} in {call}");
    }
    assert_eq!(
        (&call["class_uid"], &call["type_uid"], &call["activity_name"]),
        (&json!(6003), &json!(600_304), &json!("Delete"))
    );
    assert_eq!(
        (&call["type_name"], &call["category_name"]),
        (&json!("API Activity: Delete"), &json!("Application Activity"))
    );
    assert_eq!((&call["action_id"], &call["disposition"]), (&json!(2), &json!("Blocked")));
    assert_eq!(call["metadata"]["version"], json!(OCSF_VERSION));
    assert_eq!(call["resources"][0]["name"], json!("/"));
    let start = value(&record(Kind::SESSION_START, json!({"mode": "enforce"}), json!({})));
    assert_eq!(
        (&start["class_uid"], &start["type_uid"], &start["app"]["name"]),
        (&json!(6002), &json!(600_203), &json!("claude-code"))
    );
    let broken = value(&record(Kind::POLICY_BROKEN, json!({}), json!({"why": "x"})));
    assert_eq!((&broken["class_uid"], &broken["severity"]), (&json!(3004), &json!("Critical")));
    let failed =
        value(&record(Kind::OUTCOME, json!({"ok": false, "millis": 12, "tool": "shell"}), json!({})));
    assert_eq!((&failed["status"], &failed["duration"]), (&json!("Failure"), &json!(12)));
}

#[test]
fn otlp_and_hec_keep_the_time_exact() {
    let otlp: Value = serde_json::from_str(&Format::Otlp.line(&denial(), &about(true))).unwrap();
    let log = &otlp["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(log["timeUnixNano"], json!("1795356239123456000"));
    assert_eq!((&log["severityNumber"], &log["eventName"]), (&json!(14), &json!("ambit.decision")));
    let attributes = log["attributes"].as_array().unwrap();
    let find = |key: &str| attributes.iter().find(|a| a["key"] == key).map(|a| a["value"].clone());
    assert_eq!(find("ambit.verdict"), Some(json!({"stringValue": "deny"})));
    assert_eq!(find("ambit.index"), Some(json!({"intValue": "7"})));
    let hec: Value = serde_json::from_str(&Format::Hec.line(&denial(), &about(true))).unwrap();
    assert_eq!((&hec["time"], &hec["event"]["index"]), (&json!("1795356239.123456"), &json!(7)));
}
