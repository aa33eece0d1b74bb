//! What the pages show.

use crate::client::run;
use crate::support::sample;
use jiff::Timestamp;
use ledger::{Proof, verify_proof};

#[test]
fn the_story_is_there_with_its_proof() {
    let state = tempfile::tempdir().unwrap();
    sample(state.path(), Timestamp::now());
    let running = run(state.path());
    let browser = running.sign_in("ana");
    let session = running.wait_for(&browser, "/session/5f0c7a31", "git push --force origin main");
    // Prompt, sub-agent, the part that decided, hidden characters, the approval.
    for text in [
        "a voucher is used twice",
        "explorer",
        "git add -A &amp;&amp; <mark>git push --force origin main</mark>",
        "\\u{202e}",
        "floor/pipe-to-shell",
        "agreed",
        "not run",
    ] {
        assert!(session.body.contains(text), "{text} is missing: {}", session.body);
    }
    assert!(!session.body.contains('\u{202e}'), "a hidden character came through");
    let denied = browser.get("/session/5f0c7a31?show=deny").body;
    assert!(denied.contains("kubectl") && !denied.contains("cargo test -p shop"), "{denied}");
    let index = session.body.split("id=\"r").nth(3).unwrap().split('"').next().unwrap();
    let record = browser.get(&format!("/record/{index}"));
    assert_eq!(record.status, 200);
    let shown = browser.get(&format!("/record/{index}/proof"));
    assert!(shown.body.contains("holds"), "{}", shown.body);
    let file = browser.get(&format!("/record/{index}/proof.json?disclose=person"));
    assert_eq!(file.status, 200, "{}", file.body);
    let proof: Proof = serde_json::from_str(&file.body).unwrap();
    let proven = verify_proof(&proof, None).unwrap();
    assert_eq!(proven.record.index.to_string(), index);
    assert_eq!(proven.disclosed.get("person"), Some(&"ana".into()));
    let bundle: serde_json::Value =
        serde_json::from_str(&browser.get("/evidence/bundle?records=3,5-7").body).unwrap();
    let proofs: Vec<Proof> = serde_json::from_value(bundle["proofs"].clone()).unwrap();
    assert_eq!(proofs.iter().map(|p| p.index).collect::<Vec<_>>(), [3, 5, 6, 7]);
    assert!(proofs.iter().all(|proof| verify_proof(proof, None).is_ok()));
}

#[test]
fn all_pages_answer() {
    let state = tempfile::tempdir().unwrap();
    sample(state.path(), Timestamp::now());
    let running = run(state.path());
    let browser = running.sign_in("ana");
    running.wait_for(&browser, "/session/5f0c7a31", "git push --force origin main");
    for (page, text) in [
        ("/", "Waiting for a person"),
        ("/sessions", "5f0c7a31"),
        ("/guard", "denied the canary"),
        ("/policy?command=git+push", "a forced push drops commits"),
        ("/insight?days=30", "Rules that stopped most"),
        ("/insight?days=1", "questions per 100 calls"),
        ("/evidence", "Verify the whole record"),
        ("/approvals", "A3"),
        ("/approvals/A3", "This is critical: type"),
    ] {
        let answer = browser.get(page);
        assert_eq!(answer.status, 200, "{page}: {}", answer.body);
        assert!(answer.body.contains(text), "{page} lacks {text}: {}", answer.body);
        assert!(!answer.body.contains(" style=\"") && !answer.body.contains("<script>"), "{page} is inline");
    }
    let verified = browser.post("/evidence", "/evidence", "x=1");
    assert!(verified.body.contains(">whole</span>"), "{}", verified.body);
    for nothing in ["/session/nobody", "/record/99999999", "/approvals/A99", "/approvals/x", "/nowhere"] {
        assert_eq!(browser.get(nothing).status, 404, "{nothing}");
    }
}

#[test]
fn an_empty_record_has_pages_too() {
    let state = tempfile::tempdir().unwrap();
    let running = run(state.path());
    let browser = running.sign_in("ana");
    for page in ["/", "/sessions", "/search", "/approvals", "/insight", "/evidence"] {
        assert_eq!(browser.get(page).status, 200, "{page}");
    }
}
