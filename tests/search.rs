//! Search with proof: what is found can be proven, and nobody finds what is another's.

use std::sync::Arc;

use platform::command::prove::{ProveError, Wanted, prove};
use platform::search::Sizes;
use platform::store::Store;
use platform::store::search::Span;
use reqwest::{Client, StatusCode};
use schemas::disclosure::Audience;
use schemas::proof::Verdict;
use serde_json::Value;

use crate::world::World;
use crate::world::events::{LOT, commissioned, inspected, shipped};
use crate::world::served::{READER_TOKEN, Served};

/// An event of the lot at an hour of the morning.
fn at_hour(mut event: Value, hour: u32) -> Value {
    event["eventTime"] = format!("2026-07-11T{hour:02}:00:00.000+08:00").into();
    event
}

async fn peaches() -> World {
    let mut world = World::with_line_1().await;
    let line = "qinghe/line-1";
    let morning = [at_hour(commissioned(), 6), at_hour(inspected(1), 7)];
    world.send(line, &morning).await;
    world.anchor().await;
    world.send(line, &[at_hour(inspected(2), 8)]).await;
    world.send(line, &[at_hour(shipped(), 9)]).await;
    world.anchor().await;
    world
}

async fn get(served: &Served, path: &str, token: Option<&str>) -> (StatusCode, Vec<u8>) {
    let mut request = Client::new().get(format!("{}{path}", served.url));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.bytes().await.unwrap().to_vec())
}

async fn events(served: &Served, query: &str, token: Option<&str>) -> Value {
    let (status, body) = get(served, &format!("/v1/events?{query}"), token).await;
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

fn steps(found: &Value) -> Vec<&str> {
    let events = found["events"].as_array().unwrap().iter();
    events
        .map(|event| event["step"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn thing_is_found_by_any_spelling_page_by_page_and_proven() {
    let world = peaches().await;
    let served = world.serve().await;
    let urn = "item=urn:epc:class:lgtin:9521001.000001.QH-0711";
    let first = events(&served, &format!("{urn}&limit=3"), None).await;
    assert_eq!(steps(&first), ["commissioning", "inspecting", "inspecting"]);
    let next = first["next"].as_str().unwrap();
    let rest = events(&served, &format!("item={LOT}&after={next}"), None).await;
    assert_eq!(
        (steps(&rest), &rest["next"]),
        (vec!["shipping"], &Value::Null)
    );

    let path = rest["events"][0]["bundle"].as_str().unwrap();
    let (_, open) = get(&served, path, None).await;
    let report = world.verify(&open).unwrap();
    assert_eq!(
        (report.events.len(), report.verdict),
        (1, Verdict::Verified)
    );
    assert!(report.events[0].value("tb:invoiceAmount").is_none());
    let (_, full) = get(&served, path, Some(READER_TOKEN)).await;
    let report = world.verify(&full).unwrap();
    assert_eq!(
        report.events[0].value("tb:invoiceAmount").unwrap(),
        "18000.00"
    );
}

#[tokio::test]
async fn time_and_device_are_for_readers_with_consent() {
    let world = peaches().await;
    let served = world.serve().await;
    let span = "from=2026-07-10T23:00:00Z&until=2026-07-11T01:00:00Z";
    for query in ["device=qinghe/line-1", "organisation=qinghe"] {
        let found = events(&served, &format!("{query}&{span}"), Some(READER_TOKEN)).await;
        assert_eq!(steps(&found), ["inspecting", "inspecting"], "{query}");
        let page = events(&served, &format!("{query}&limit=1"), Some(READER_TOKEN)).await;
        // A statement is never cut: its second event comes with the first.
        assert_eq!(page["events"].as_array().unwrap().len(), 2, "{query}");
        let next = page["next"].as_str().unwrap();
        let rest = events(
            &served,
            &format!("{query}&after={next}"),
            Some(READER_TOKEN),
        )
        .await;
        assert_eq!(steps(&rest), ["inspecting", "shipping"], "{query}");
        for token in [None, Some("another")] {
            let (status, _) = get(&served, &format!("/v1/events?{query}"), token).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{query}");
        }
    }
    let foreign = "/v1/events?device=northroad/truck-7";
    let (status, _) = get(&served, foreign, Some(READER_TOKEN)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn chain_between_two_log_sizes_is_one_bundle() {
    let world = peaches().await;
    let served = world.serve().await;
    let sizes =
        |from, to| format!("/v1/bundles/device/qinghe/line-1?from_size={from}&to_size={to}");
    let (_, all) = get(&served, &sizes(0, 1_000), Some(READER_TOKEN)).await;
    let whole = world.verify(&all).unwrap();
    assert_eq!((whole.statements.len(), whole.events.len()), (3, 4));
    let second = whole.statements[1].log_index;
    let (_, later) = get(&served, &sizes(second, 1_000), Some(READER_TOKEN)).await;
    assert_eq!(world.verify(&later).unwrap().statements.len(), 2);
    let (status, _) = get(&served, &sizes(0, 1), Some(READER_TOKEN)).await;
    assert_eq!(status, StatusCode::CONFLICT, "nothing is that old");
    let (status, _) = get(&served, &sizes(5, 5), Some(READER_TOKEN)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = get(&served, &sizes(0, 9), None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn bad_searches_name_the_field() {
    let world = peaches().await;
    let served = world.serve().await;
    let item = format!("item={LOT}");
    let bad = [
        ("", "exactly one"),
        ("item=x&device=qinghe/line-1", "exactly one"),
        ("item=%2801%2909521001000018%2810%29QH", "`item`"),
        ("device=Q/x", "`device`"),
        ("organisation=%20", "`organisation`"),
        (&format!("{item}&from=yesterday"), "`from`"),
        (&format!("{item}&limit=501"), "`limit`"),
        (&format!("{item}&limit=0"), "`limit`"),
        (&format!("{item}&after=x"), "`after`"),
        (
            &format!("{item}&after=c.qinghe/line-1.0.0.{}", "0".repeat(64)),
            "`after`",
        ),
    ];
    for (query, word) in bad {
        let (status, body) = get(&served, &format!("/v1/events?{query}"), None).await;
        let text = String::from_utf8(body).unwrap();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}: {text}");
        assert!(text.contains(word), "{query}: {text}");
    }
    for path in ["0/0", &format!("{}/0", "0".repeat(64))] {
        let (status, _) = get(&served, &format!("/v1/bundles/event/{path}"), None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn operator_proves_from_the_database_and_cannot_prove_what_was_changed() {
    let world = peaches().await;
    let store = || Arc::clone(&world.store) as Arc<dyn Store>;
    let lot = Wanted::Item(schemas::gs1::ItemKey::read(LOT).unwrap(), Span::default());
    let proven = prove(store(), &lot, Some(Audience::Consumer))
        .await
        .unwrap();
    assert_eq!((proven.report.events.len(), proven.waiting), (4, 0));
    let line = "qinghe/line-1".parse().unwrap();
    let sizes = Sizes {
        from: 0,
        below: 1_000,
    };
    let chain = prove(store(), &Wanted::Chain(line, sizes), None)
        .await
        .unwrap();
    assert_eq!(chain.report.statements.len(), 3);
    let nothing = prove(
        store(),
        &Wanted::Event(schemas::hash::Hash([7; 32]), 0),
        None,
    )
    .await;
    assert!(matches!(nothing, Err(ProveError::Nothing)));

    let change = "UPDATE event_contents SET bytes = CAST(replace(CAST(bytes AS TEXT), '500', '900') AS BLOB)";
    sqlx::query(change)
        .execute(&mut world.tamper().await)
        .await
        .unwrap();
    let changed = prove(store(), &lot, Some(Audience::Consumer)).await;
    assert!(
        matches!(changed, Err(ProveError::Refused(_) | ProveError::Bundle(_))),
        "{changed:?}"
    );
}
