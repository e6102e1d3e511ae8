//! Two chains of one device, and a platform that answers one question and not the next.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use edge_agent::clock::Floor;
use edge_agent::head::{Comparison, Credentials, Platform};
use edge_agent::outbox::{self, DATABASE_FILE, HEAD_FILE, Opening};
use edge_agent::trust::{Enrolment, Trust};
use schemas::b64;
use schemas::key::{P256SecretKey, Signer};
use schemas::statement::{Message, Statement};
use tokio::sync::watch;

use crate::bench::{Bench, close, read};

/// What the platform says of the device's chain, and which questions fail.
#[derive(Default)]
struct Office {
    head: Option<(Vec<u8>, Vec<u8>)>,
    fails: Vec<&'static str>,
    asked: Vec<&'static str>,
}

type Shared = Arc<Mutex<Office>>;

impl Office {
    fn is_asked(&mut self, what: &'static str) -> bool {
        self.asked.push(what);
        !self.fails.contains(&what)
    }
}

async fn head(State(office): State<Shared>) -> axum::response::Response {
    let mut office = office.lock().expect("lock");
    if !office.is_asked("head") {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let Some((statement, receipt)) = &office.head else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (statement, receipt) = (b64::encode(statement), b64::encode(receipt));
    axum::Json(serde_json::json!({ "statement": statement, "receipt": receipt })).into_response()
}

async fn receipt(State(office): State<Shared>, Path(_): Path<String>) -> StatusCode {
    match office.lock().expect("lock").is_asked("receipt") {
        true => StatusCode::NOT_FOUND,
        false => StatusCode::BAD_GATEWAY,
    }
}

async fn serve(office: Shared) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("bound");
    let address = listener.local_addr().expect("address");
    let router = Router::new()
        .route("/v1/head/{organisation}/{device}", get(head))
        .route("/v1/receipts/{id}", get(receipt))
        .with_state(office);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn platform(bench: &Bench, trust: watch::Receiver<Trust>, url: &str) -> Platform {
    let enrolment = Enrolment::load(bench.state()).expect("read");
    let mut enrolment = enrolment.expect("enrolled");
    url.clone_into(&mut enrolment.platform);
    let (_, credentials) = watch::channel(Credentials::of(&enrolment));
    Platform::new(&enrolment, trust, &Floor::default(), credentials).expect("a client")
}

/// The head as the platform has it: a statement and the receipt that names it last.
fn known(bench: &Bench, statement: &Statement) -> Option<(Vec<u8>, Vec<u8>)> {
    let receipt = bench.platform.receipt(statement, Vec::new());
    Some((statement.bytes().to_vec(), receipt))
}

#[tokio::test]
async fn a_chain_that_does_not_follow_sends_nothing_until_it_has_begun_anew() {
    let mut bench = Bench::new();
    let open = bench.open().await;
    read(&open.0, &[1.0, 2.0]).await;
    open.0.flush().await.expect("flushed");
    let copied = bench.state().join("copied");
    edge_agent::identity::make_state_directory(&copied).expect("folder");
    for name in [DATABASE_FILE, "outbox.db-wal", HEAD_FILE] {
        std::fs::copy(bench.state().join(name), copied.join(name)).expect("copied");
    }
    read(&open.0, &[3.0, 4.0, 5.0, 6.0]).await;
    open.0.flush().await.expect("flushed");
    let statements = bench.collect(&open.0).await;
    close(open).await;
    // The copy has gone on by itself.
    let opening = Opening {
        state: copied,
        ..bench.opening.clone()
    };
    let open = outbox::open(opening).await.expect("open");
    read(&open.0, &[7.0, 8.0]).await;
    open.0.flush().await.expect("flushed");

    let office = Shared::default();
    let url = serve(office.clone()).await;
    let fails = |list: &[&'static str]| office.lock().expect("lock").fails = list.to_vec();
    let (_, trust) = watch::channel(bench.opening.trust.clone());
    let mut comparison = Comparison::new(platform(&bench, trust, &url), open.0.clone());
    fails(&["head"]);
    assert!(comparison.once().await, "a platform that cannot be asked");
    office.lock().expect("lock").head = known(&bench, statements.last().expect("one"));
    for broken in [&["receipt"][..], &["receipt"], &["head"]] {
        fails(broken);
        assert!(!comparison.once().await, "another chain is known by now");
        assert_eq!(open.0.status().borrow().head.expect("a head").epoch, 0);
    }
    fails(&[]);
    assert!(comparison.once().await);
    let now = open.0.status().borrow().head.expect("a head");
    assert_eq!(now.epoch, 1);
    let asked = office.lock().expect("lock").asked.len();
    assert!(comparison.once().await);
    assert_eq!(office.lock().expect("lock").asked.len(), asked);
    drop(comparison);
    close(open).await;
}

#[tokio::test]
async fn a_head_by_the_next_key_is_believed_as_soon_as_the_key_is_in_force() {
    let bench = Bench::new();
    let open = bench.open().await;
    let next: Arc<dyn Signer> = Arc::new(P256SecretKey::generate().expect("randomness"));
    open.0.say_last_word(next.kid()).await.expect("said");
    open.0.go_on_with(next.clone()).await.expect("goes on");
    read(&open.0, &[1.0, 2.0]).await;
    open.0.flush().await.expect("flushed");
    let waiting = open.0.waiting(0, 10).await.expect("waiting");
    let message = Message::decode(&waiting.last().expect("statements").message);
    let statement = message.expect("message").statement;
    let office = Shared::default();
    let url = serve(office.clone()).await;
    office.lock().expect("lock").head = known(&bench, &statement);
    let (trusts, trust) = watch::channel(bench.opening.trust.clone());
    let platform = platform(&bench, trust, &url);
    assert!(
        platform.head().await.is_err(),
        "a key that is not known yet"
    );
    trusts.send_modify(|trust| {
        let old = std::mem::replace(&mut trust.record.key, next.public());
        trust.former.push(old);
    });
    let head = platform.head().await.expect("believed");
    assert_eq!(head.map(|head| head.id), Some(statement.id()));
    close(open).await;
}
