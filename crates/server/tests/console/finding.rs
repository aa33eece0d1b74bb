//! The index finds what the ledger holds, is built again from it, and forgets with it.

use crate::client::run;
use crate::support::{Teller, sample};
use jiff::Timestamp;
use ledger::{Kind, Query, Reader};
use server::{Feeder, Filter, Index, Opened};
use std::path::Path;

/// The index over a state directory, with all of the ledger in it.
async fn indexed(state: &Path) -> Index {
    let index = Index::open(state).await.unwrap();
    let mut feeder = Feeder::new(index.clone(), Reader::open(state)).await.unwrap();
    while feeder.step().await.unwrap() > 0 {}
    assert_eq!(feeder.position(), Reader::open(state).len().unwrap());
    index
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// All records of the ledger that satisfy a question, newest first.
fn truth(state: &Path, fits: impl Fn(&Opened) -> bool) -> Vec<u64> {
    let reader = Reader::open(state);
    let hits = reader.find_newest(Query::default()).unwrap();
    let all = hits.map(|hit| hit.map(|(entry, record)| Opened::read(&reader, &entry, record)).unwrap());
    all.filter(|o| fits(o)).map(|o| o.index).collect()
}

#[test]
fn it_finds_what_the_ledger_holds() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path();
    sample(state, Timestamp::now());
    let some = |text: &str| Some(text.to_owned());
    block(async {
        let index = indexed(state).await;
        let cases: Vec<(Filter, Vec<u64>)> = vec![
            (
                Filter { verdict: some("deny"), ..Filter::default() },
                truth(state, |o| o.clear("verdict") == "deny"),
            ),
            (
                Filter { rule: some("standard/install"), ..Filter::default() },
                truth(state, |o| o.clear("rule") == "standard/install"),
            ),
            (
                Filter { effect: some("push"), ..Filter::default() },
                truth(state, |o| o.effects().any(|e| e.kind == "push")),
            ),
            (
                Filter { surface: some("tool"), ..Filter::default() },
                truth(state, |o| o.effects().any(|e| e.surface == "tool")),
            ),
            (
                Filter { person: some("ben"), ..Filter::default() },
                truth(state, |o| o.sealed("person") == Some("ben")),
            ),
            (
                Filter { person: some("p-be"), ..Filter::default() },
                truth(state, |o| o.subject.as_deref() == Some("p-ben")),
            ),
            (
                Filter { session: some("5f0c7a31"), kind: some("decision"), ..Filter::default() },
                truth(state, |o| {
                    o.kind == Kind::DECISION
                        && o.session.as_deref().is_some_and(|s| s.starts_with("5f0c7a31"))
                }),
            ),
            (
                Filter { kind: some("session"), ..Filter::default() },
                truth(state, |o| o.kind.as_str().starts_with("session.")),
            ),
            (
                Filter { text: some("VOUCHER"), ..Filter::default() },
                truth(state, |o| {
                    serde_json::to_string(&o.body.sealed).unwrap().to_lowercase().contains("voucher")
                }),
            ),
            (
                Filter { path: some("/home/ana/src/shop/src"), ..Filter::default() },
                truth(state, |o| {
                    o.effects().any(|e| e.target.is_some_and(|t| t.starts_with("/home/ana/src/shop/src/")))
                }),
            ),
            (
                Filter { path: some("src/cart.rs"), ..Filter::default() },
                truth(state, |o| o.effects().any(|e| e.target.is_some_and(|t| t.ends_with("/src/cart.rs")))),
            ),
            (
                Filter { host: some("example.com"), ..Filter::default() },
                truth(state, |o| o.effects().any(|e| e.target == Some("get.example.com"))),
            ),
            (Filter { text: some("100%_"), ..Filter::default() }, Vec::new()),
        ];
        for (filter, wanted) in cases {
            let found = index.find(&filter, 10_000).await.unwrap();
            let found: Vec<u64> = found.records.iter().map(|r| r.index).collect();
            assert_eq!(found, wanted, "{filter:?}");
            assert!(
                filter.text.as_deref() == Some("100%_") || !wanted.is_empty(),
                "{filter:?} finds nothing"
            );
        }
        // Pages follow one another without a gap.
        let whole = index.find(&Filter::default(), 10_000).await.unwrap().records;
        let mut pages = Vec::new();
        let mut filter = Filter::default();
        loop {
            let page = index.find(&filter, 100).await.unwrap();
            pages.extend(page.records);
            match page.next {
                Some(next) => filter.before = Some(next),
                None => break,
            }
        }
        assert_eq!(pages, whole);
        let session = index.session("5f0c7a31").await.unwrap().unwrap();
        let calls = truth(state, |o| o.kind == Kind::DECISION && o.session.as_ref() == Some(&session.id));
        assert_eq!(session.calls(), calls.len() as u64);
        assert_eq!(
            (session.person.as_str(), session.workspace.as_str(), session.ended),
            ("ana", "/home/ana/src/shop", false)
        );
    });
}

#[test]
fn it_follows_and_is_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path();
    let teller = Teller::new(state, "s-1", "ana");
    let now = Timestamp::now();
    teller.start(now, "/w");
    block(async {
        let index = indexed(state).await;
        assert_eq!(index.len().await.unwrap(), Reader::open(state).len().unwrap());
        teller.free(now, "cargo build");
        let index2 = indexed(state).await;
        assert_eq!(index2.session("s-1").await.unwrap().unwrap().calls(), 1);
        index.len().await.unwrap();
    });
    // Gone, damaged, or of another ledger: it is only an index.
    let file = state.join("console/index.db");
    for damage in [None, Some(b"this is no database, and long enough to be looked at as one".as_slice())] {
        match damage {
            None => std::fs::remove_file(&file).unwrap(),
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
        }
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(state.join(format!("console/index.db{end}")));
        }
        block(async {
            let index = indexed(state).await;
            assert_eq!(index.session("s-1").await.unwrap().unwrap().calls(), 1);
        });
    }
    std::fs::remove_dir_all(state.join("ledger")).unwrap();
    let other = Teller::new(state, "s-2", "ben");
    for _ in 0..5 {
        other.free(now, "ls");
    }
    block(async {
        let index = indexed(state).await;
        assert_eq!(index.session("s-1").await.unwrap(), None);
        assert_eq!(index.session("s-2").await.unwrap().unwrap().calls(), 5);
    });
}

#[test]
fn what_is_erased_from_the_record_is_gone_from_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path();
    let teller = Teller::new(state, "s-1", "ana");
    let now = Timestamp::now();
    let index = teller.free(now, "mysql -p geheim");
    teller.seal(now);
    let running = run(state);
    let browser = running.sign_in("ana");
    running.wait_for(&browser, "/search?text=geheim", "mysql -p geheim");
    let ledger = ledger::Ledger::open(state, ledger::Options::default()).unwrap();
    for field in ["input", "targets"] {
        let _recorded =
            ledger.erase(index, field, "it held a password", teller.begin(Kind::LEDGER_ERASED), now).unwrap();
    }
    running.wait_for(&browser, "/search?text=geheim", "No record fits");
    let record = browser.get(&format!("/record/{index}")).body;
    assert!(record.contains("(erased)") && !record.contains("geheim"), "{record}");
    let holds = |name: &str| {
        let bytes = std::fs::read(state.join(name)).unwrap_or_default();
        bytes.windows(6).any(|w| w == b"geheim")
    };
    // Neither in the file nor in what is written ahead of it.
    let mut left = true;
    for _ in 0..50 {
        left = holds("console/index.db") || holds("console/index.db-wal");
        if !left {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(!left, "the erased text is still in the index's files");
}

#[test]
fn exports_hold_all_that_fits() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path(), Timestamp::now());
    let running = run(dir.path());
    let browser = running.sign_in("ana");
    running.wait_for(&browser, "/session/5f0c7a31", "git push --force origin main");
    let wanted = truth(dir.path(), |o| o.kind == Kind::DECISION);
    let lines = browser.get("/search/export?format=jsonl&kind=decision").body;
    let found: Vec<u64> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["index"].as_u64().unwrap())
        .collect();
    assert_eq!(found, wanted);
    let csv = browser.get("/search/export?format=csv&kind=decision").body;
    assert_eq!(csv.lines().count(), wanted.len() + 1);
    assert_eq!(browser.get("/search/export?format=xml").status, 409);
    let kept = browser.post("/search", "/search/save", "name=my+denials&query=verdict%3Ddeny");
    assert_eq!(kept.status, 303);
    assert!(browser.get("/search").body.contains("my denials"));
    assert!(
        !running.sign_in("ben").get("/search").body.contains("my denials"),
        "a search is its person's own"
    );
    assert_eq!(browser.post("/search", "/search/forget", "name=my+denials").status, 303);
    assert!(!browser.get("/search").body.contains("my denials"));
}
