//! The 47 published documents, from the first byte to the proof.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use platform::bundle::Choice;
use schemas::event::Source;
use schemas::hash::{Hash, sha256};
use schemas::proof::{self, Verdict};
use serde_json::Value;

use super::{OTHER, Stack, TOKEN, fixtures, json_of};

/// A published document and its events, each with the document's context.
struct Published {
    file: PathBuf,
    bytes: Vec<u8>,
    events: Vec<Value>,
}

fn published(folder: &Path, into: &mut Vec<Published>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for file in entries {
        if file.is_dir() {
            published(&file, into);
        } else if file.extension().is_some_and(|ending| ending == "jsonld") {
            let bytes = std::fs::read(&file).unwrap();
            let events = events_of(&serde_json::from_slice(&bytes).unwrap());
            into.push(Published {
                file,
                bytes,
                events,
            });
        }
    }
}

fn events_of(document: &Value) -> Vec<Value> {
    let body = &document["epcisBody"];
    let lists = [
        &body["eventList"],
        &body["queryResults"]["resultsBody"]["eventList"],
    ];
    let mut events = lists.into_iter().find_map(Value::as_array).unwrap().clone();
    for event in &mut events {
        event["@context"] = document["@context"].clone();
    }
    events
}

/// Places and steps that the documents name, as they name them.
fn allowed(documents: &[Published]) -> (Vec<String>, Vec<String>) {
    let (mut places, mut steps) = (BTreeSet::new(), BTreeSet::new());
    for event in documents.iter().flat_map(|document| &document.events) {
        places.extend(event["readPoint"]["id"].as_str().map(str::to_owned));
        steps.extend(event["bizStep"].as_str().map(str::to_owned));
    }
    (places.into_iter().collect(), steps.into_iter().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_examples_are_captured_kept_anchored_and_proven() {
    let Some(folder) = fixtures("epcis-json") else {
        return;
    };
    let mut documents = Vec::new();
    published(&folder, &mut documents);
    let (places, steps) = allowed(&documents);
    let mut stack = Stack::start(places, steps).await;

    let (mut statements, mut states, mut jobs) = (BTreeSet::new(), Vec::new(), Vec::new());
    let mut warnings = Vec::new();
    for one in &documents {
        let path = stack.capture(one.bytes.clone()).await;
        let job = stack.job(&path).await;
        assert_eq!(job["success"], true, "{}: {job}", one.file.display());
        assert_eq!(job["running"], false);
        for event in job["events"].as_array().unwrap() {
            let id: Hash = event["statement"].as_str().unwrap().parse().unwrap();
            statements.insert(id);
            states.push(event["eventID"].as_str().unwrap().to_owned());
        }
        let named = job["warnings"].as_array().unwrap().iter();
        warnings.extend(named.map(|one| one["path"].as_str().unwrap().to_owned()));
        jobs.push(path);
    }
    // One of GS1's own events has two ids.
    assert_eq!(warnings, ["epcisBody.eventList[0].eventID"]);
    assert_eq!((documents.len(), states.len()), (47, 56));
    // None of the published ids is the hash of its event: kept as sent, marked.
    let wrong = states.iter().filter(|state| *state == "wrong").count();
    assert_eq!(wrong, 45, "{states:?}");
    assert!(!states.iter().any(|state| state == "right"));

    check_kept(&stack, &documents, &jobs).await;
    check_again(&stack, &documents, &jobs).await;
    check_proven(&stack, &statements).await;
    check_pages(&stack).await;
    stack.restart().await;
    check_kept(&stack, &documents, &jobs).await;
    check_again(&stack, &documents, &jobs).await;
}

/// Documents are byte-equal, events say what they said and when they were recorded; nobody else
/// sees them.
async fn check_kept(stack: &Stack, documents: &[Published], jobs: &[String]) {
    for (one, path) in documents.iter().zip(jobs) {
        let answer = stack.get(TOKEN, &format!("{path}/document")).await;
        assert_eq!(answer.headers()["content-type"], "application/ld+json");
        let etag = format!("\"{}\"", sha256(&one.bytes));
        assert_eq!(answer.headers()["etag"].to_str().unwrap(), etag);
        assert_eq!(answer.bytes().await.unwrap(), one.bytes, "{path}");
        let mut events = stack.events(path).await;
        for (event, sent) in events.iter_mut().zip(&one.events) {
            let recorded = event["recordTime"].take();
            assert!(recorded.is_string(), "{event}");
            let (mut event, mut sent) = (event.clone(), sent.clone());
            event.as_object_mut().unwrap().remove("recordTime");
            sent.as_object_mut().unwrap().remove("recordTime");
            assert_eq!(event, sent, "{}", one.file.display());
        }
        assert_eq!(events.len(), one.events.len());
        for what in ["", "/document", "/events"] {
            let answer = stack.get(OTHER, &format!("{path}{what}")).await;
            assert_eq!(answer.status(), 404);
            let answer = stack.get("nobody's", &format!("{path}{what}")).await;
            assert_eq!(answer.status(), 401);
        }
    }
}

/// The same again is the same job, and nothing is doubled.
async fn check_again(stack: &Stack, documents: &[Published], jobs: &[String]) {
    for (one, path) in documents.iter().zip(jobs) {
        assert_eq!(stack.capture(one.bytes.clone()).await, *path);
    }
    let totals = stack.handle().store.totals().await.unwrap();
    assert_eq!(
        (totals.events, totals.refused, totals.quarantined),
        (56, 0, 0)
    );
}

/// A reader who has only the policy checks every event, and sees that nobody measured it.
async fn check_proven(stack: &Stack, statements: &BTreeSet<Hash>) {
    stack.anchored(56).await;
    let mut choice = Choice::default();
    for id in statements {
        choice.add_statement(*id);
    }
    let handle = stack.handle();
    let bundle = handle.bundler.make(&choice, |_| false).await.unwrap().bytes;
    let report = proof::verify(&bundle, Some(&handle.policy_entry)).unwrap();
    assert_eq!(report.verdict, Verdict::Verified);
    assert_eq!(report.distinct_events(), 56);
    assert!(
        report
            .events
            .iter()
            .all(|e| e.source == Some(Source::Declared))
    );
    for statement in &report.statements {
        let payload = &statement.statement.payload;
        assert_eq!(payload.device.to_string(), "operator/qinghe-erp");
        assert!(payload.agent.ends_with(" for qinghe"), "{}", payload.agent);
    }
    let device = "operator/qinghe-erp".parse().unwrap();
    assert_eq!(handle.store.chain_events(Some(&device)).await.unwrap(), []);
}

/// A product page shows who declared, and that nothing was measured.
async fn check_pages(stack: &Stack) {
    let page = stack.get(TOKEN, "/01/10614141073464/21/2018?lang=en").await;
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("Declared"), "{page}");
    assert!(page.contains("qinghe declared this"), "{page}");
    let job = json_of(stack.get(TOKEN, "/capture/0").await).await;
    assert_eq!(job["type"], "epcisException:NoSuchResourceException");
}
