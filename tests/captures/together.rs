//! Many at once, long lists, and a key that is taken back.

use std::collections::BTreeSet;

use platform::store::StoreError;
use platform::store::captures::ChainMove;
use schemas::registry::{SignedRecord, State};
use schemas::statement::Statement;
use serde_json::Value;

use super::{OTHER, Stack, TOKEN, document, json_of, location, shipping};
use crate::world::people::next_record;

/// Statements of a device in the order of its chain.
async fn chain(stack: &Stack, device: &str) -> Vec<Statement> {
    let (store, device) = (&stack.handle().store, device.parse().unwrap());
    let mut statements = Vec::new();
    for id in store.chain(&device).await.unwrap() {
        let kept = store.statement(&id).await.unwrap().unwrap();
        statements.push(Statement::parse(kept.bytes).unwrap());
    }
    statements
}

/// Each statement names the one before it, without a gap.
fn check_chain(statements: &[Statement]) {
    for (seq, pair) in statements.windows(2).enumerate() {
        assert_eq!(pair[1].payload.prev, pair[0].id(), "after {seq}");
        assert_eq!(
            pair[1].payload.position.seq,
            pair[0].payload.position.seq + 1
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_lose_and_double_nothing() {
    let stack = Stack::small().await;
    // Every document twice, and once by another caller.
    let post = |n: u64| {
        let token = if n % 3 == 2 { OTHER } else { TOKEN };
        let body = document(&[shipping(n / 3), shipping(1_000 + n / 3)]).to_string();
        let request = stack.post(token, body);
        async move { location(request.send().await.unwrap()).await }
    };
    let mut set = tokio::task::JoinSet::new();
    for n in 0..60 {
        set.spawn(post(n));
    }
    let paths: BTreeSet<String> = set.join_all().await.into_iter().collect();
    assert_eq!(paths.len(), 40);
    let totals = stack.handle().store.totals().await.unwrap();
    assert_eq!((totals.statements, totals.events), (40, 80));
    for device in ["operator/qinghe-erp", "operator/other-erp"] {
        let statements = chain(&stack, device).await;
        assert_eq!(statements.len(), 20);
        check_chain(&statements);
    }
    stack.anchored(80).await;
}

/// Whoever watches the platform sees what it did, by route template, and when it is not ready.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_health_tell_what_was_done() {
    let stack = Stack::small().await;
    let path = stack.capture(document(&[shipping(1)]).to_string()).await;
    stack.job(&path).await;
    stack.anchored(1).await;
    for (path, member) in [
        ("/health/live", "live"),
        ("/health/ready", "ready"),
        ("/health", "ready"),
    ] {
        let answer = stack.get("", path).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(json_of(answer).await[member], true);
    }
    let url = format!("http://{}/metrics", stack.handle().metrics.unwrap());
    let lines = [
        r#"tracebond_captures_total{outcome="captured"} 1"#,
        "tracebond_captured_events_total 1",
        r#"tracebond_http_answers_total{method="POST",route="/capture",status="202"} 1"#,
        r#"tracebond_http_answers_total{method="GET",route="/capture/{id}",status="200"} 1"#,
        r#"tracebond_database_seconds_count{call="capture"} 1"#,
        r#"tracebond_witness_up{witness="w1.example"} 1"#,
        "tracebond_link_up 1",
        "tracebond_gaps_open 0",
        "# TYPE tracebond_queue_oldest_seconds gauge",
    ];
    // Gauges are read every few seconds.
    let until = std::time::Instant::now() + super::DEADLINE;
    loop {
        let text = stack
            .http
            .get(&url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let missing: Vec<_> = lines.iter().filter(|line| !text.contains(**line)).collect();
        if missing.is_empty() {
            assert!(!text.contains(&path), "a stranger's path makes no series");
            return;
        }
        assert!(std::time::Instant::now() < until, "{missing:?}\n{text}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_travels_in_statements_of_the_usual_size() {
    let stack = Stack::small().await;
    let mut events: Vec<Value> = (0..130).map(shipping).collect();
    events[129]["x:long"] = "y".repeat(60_000).into();
    let path = stack.capture(document(&events).to_string()).await;
    assert_eq!(stack.job(&path).await["success"], true);
    let statements = chain(&stack, "operator/qinghe-erp").await;
    let counts: Vec<u64> = statements.iter().map(|one| one.payload.count).collect();
    assert_eq!(counts, [64, 64, 1, 1]);
    check_chain(&statements);
    let read = stack.events(&path).await;
    assert_eq!(read.len(), 130);
    assert_eq!(read[77]["epcList"], events[77]["epcList"]);
}

/// Two processes on one database: the slower one's chain step does not hold, and nothing of its
/// capture is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_has_moved_keeps_nothing() {
    let stack = Stack::small().await;
    let path = stack.capture(document(&[shipping(1)]).to_string()).await;
    let id = path.strip_prefix("/capture/").unwrap();
    let (store, caller) = (&stack.handle().store, "qinghe-erp".parse().unwrap());
    let kept = store.capture(&caller, id).await.unwrap().unwrap();
    let device: schemas::ids::DeviceAddress = "operator/qinghe-erp".parse().unwrap();
    let (position, last) = store.capture_chain(&device).await.unwrap().unwrap();
    let mut stale = platform::store::captures::NewCapture {
        pass: None,
        kept: platform::store::captures::KeptCapture {
            id: "0".repeat(32),
            attempt: 1,
            ..kept.clone()
        },
        document: b"{}".to_vec(),
        chain: Some(ChainMove {
            device: device.clone(),
            before: None,
            position,
            id: last,
        }),
        statements: Vec::new(),
        places: Vec::new(),
    };
    assert!(!store.add_capture(&stale).await.unwrap());
    let found = store.capture(&caller, &"0".repeat(32)).await.unwrap();
    assert_eq!(found, None);
    // The same id twice does not hold either.
    stale.kept = kept;
    let twice: Result<bool, StoreError> = store.add_capture(&stale).await;
    assert!(!twice.unwrap());
    assert_eq!(
        store.capture_chain(&device).await.unwrap(),
        Some((position, last))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_taken_back_declares_nothing() {
    let stack = Stack::small().await;
    let operator = &stack.handle().operator;
    let store = &stack.handle().store;
    let records = store.records_of(&operator.slug).await.unwrap();
    let of = |record: &platform::store::KeptRecord| record.device == "qinghe-erp";
    let kept = records.into_iter().find(of).unwrap();
    let before = SignedRecord::parse(kept.bytes).unwrap();
    let state = State::Revoked {
        compromised_since: None,
    };
    let next = next_record(&operator.keys.organisation, &before, state);
    let url = stack.url("/v1/registry/records");
    let answer = stack.http.post(url).body(next.bytes().to_vec()).send();
    assert_eq!(answer.await.unwrap().status(), 201);
    let body = document(&[shipping(1)]).to_string();
    let answer = stack.post(TOKEN, body.clone()).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let detail = json_of(answer).await["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("taken back"), "{detail}");
    // The other caller has a key of its own.
    location(stack.post(OTHER, body).send().await.unwrap()).await;
}
