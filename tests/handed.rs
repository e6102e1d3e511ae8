//! A bank hands hashes of its own documents over, and finds the proof that the log holds them.

use std::sync::Arc;
use std::time::Duration;

use credit::evidence::Http;
use credit::evidence::verify::TrustedPolicy;
use credit::logged::{Logged, LoggedError};
use credit::store::sandbox::LogEntry;
use reqwest::{Client, Response, StatusCode};
use schemas::hash::{Hash, sha256};
use schemas::log::PolicyFile;
use schemas::proof::verify_document;
use schemas::time::Clock as _;
use serde_json::{Value, json};

use crate::world::World;
use crate::world::served::{BANK_TOKEN, OTHER_BANK_TOKEN, Served};

async fn hand(served: &Served, token: &str, hash: &str, body: Value) -> Response {
    let url = format!("{}/v1/documents/{hash}", served.url);
    let request = Client::new().put(url).bearer_auth(token).json(&body);
    request.send().await.unwrap()
}

async fn problem(answer: Response) -> (u16, Value) {
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn proof(served: &Served, hash: &Hash) -> Response {
    let url = format!("{}/v1/documents/{hash}", served.url);
    reqwest::get(url).await.unwrap()
}

#[tokio::test]
async fn bank_hands_a_report_over_and_finds_its_proof() {
    let mut world = World::start().await;
    let served = world.serve().await;
    let report = sha256(b"a report of a month");
    let name = report.to_string();
    let kind = || json!({"kind": "sandbox-report"});
    let first = hand(&served, BANK_TOKEN, &name, kind()).await;
    assert_eq!(first.status(), StatusCode::ACCEPTED);
    let again = hand(&served, BANK_TOKEN, &name, kind()).await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(proof(&served, &report).await.status(), 404);

    world.anchor().await;
    let proven = proof(&served, &report).await.bytes().await.unwrap();
    let proven = verify_document(&proven, Some(&world.policy_entry())).unwrap();
    assert_eq!(proven.hash, report);
    assert_eq!(proven.kind.as_deref(), Some("sandbox-report"));
}

#[tokio::test]
async fn what_is_handed_over_wrongly_is_refused_with_its_field() {
    let world = World::start().await;
    let served = world.serve().await;
    let name = sha256(b"a report").to_string();
    let kind = |kind: &str| json!({ "kind": kind });
    for token in [OTHER_BANK_TOKEN, "nobody's"] {
        let refused = hand(&served, token, &name, kind("sandbox-report")).await;
        assert_eq!(problem(refused).await.0, 403, "{token}");
    }
    let ours = hand(&served, BANK_TOKEN, &name, kind("consent")).await;
    let (status, body) = problem(ours).await;
    assert_eq!((status, &body["field"]), (400, &json!("kind")));
    let no_hash = hand(&served, BANK_TOKEN, "abc", kind("sandbox-report")).await;
    assert_eq!(problem(no_hash).await.0, 400);
    let more = json!({"kind": "sandbox-report", "document": "itself"});
    assert_eq!(
        problem(hand(&served, BANK_TOKEN, &name, more).await)
            .await
            .0,
        400
    );
    let taken = hand(&served, BANK_TOKEN, &name, kind("sandbox-report")).await;
    assert_eq!(taken.status(), StatusCode::ACCEPTED);
    let other = hand(&served, BANK_TOKEN, &name, kind("model-card")).await;
    let (status, body) = problem(other).await;
    assert_eq!((status, &body["field"]), (409, &json!("hash")));
}

fn logged(world: &World, served: &Served, token: &str) -> Logged {
    let policy = serde_json::to_vec(&PolicyFile::new(world.policy_entry())).unwrap();
    let policy = TrustedPolicy::parse(&policy).unwrap();
    let source = Http::new(&served.url, Duration::from_secs(30), usize::MAX).unwrap();
    Logged::new(Arc::new(source.with_token(token.to_owned())), policy)
}

/// The bank's service hands its documents over by itself, and believes nothing but proofs.
#[tokio::test]
async fn bank_service_knows_which_of_its_documents_are_in_the_log() {
    let mut world = World::start().await;
    let served = world.serve().await;
    let time = world.clock.now();
    let document = |kind: &str, text: &[u8]| LogEntry {
        kind: kind.to_owned(),
        hash: sha256(text),
        time,
    };
    let documents = [
        document("sandbox-declaration", b"the declaration"),
        document("sandbox-report", b"a report"),
    ];
    let bank = logged(&world, &served, BANK_TOKEN);
    bank.round(&documents).await.unwrap();
    bank.round(&documents).await.unwrap();
    assert_eq!(
        bank.place(&documents[0].hash),
        None,
        "no witness has seen it"
    );
    world.anchor().await;
    bank.round(&documents).await.unwrap();
    let places = documents
        .each_ref()
        .map(|one| bank.place(&one.hash).unwrap());
    assert_eq!(places[0].index + 1, places[1].index);

    // The same hash is no other document.
    let other = LogEntry {
        kind: "model-card".to_owned(),
        ..documents[0].clone()
    };
    let again = logged(&world, &served, BANK_TOKEN);
    let refused = again.round(&[other]).await.unwrap_err();
    assert!(matches!(refused, LoggedError::Proof { .. }), "{refused}");

    // One that is not taken does not stop the others.
    let wrong = document("consent", b"not ours to log");
    let more = document("sandbox-limits", b"limits");
    let failed = bank.round(&[wrong, more.clone()]).await.unwrap_err();
    assert!(matches!(failed, LoggedError::Source(_)), "{failed}");
    world.anchor().await;
    bank.round(std::slice::from_ref(&more)).await.unwrap();
    assert!(bank.place(&more.hash).is_some());

    let stranger = logged(&world, &served, OTHER_BANK_TOKEN);
    let new = document("sandbox-report", b"of somebody else");
    assert!(stranger.round(&[new]).await.is_err());
}
