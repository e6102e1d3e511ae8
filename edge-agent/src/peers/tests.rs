//! Two gateways and a platform that may show each of them another log.

use std::time::Duration;

use axum::Router;
use axum::extract::Path as Segments;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemas::ids::Origin;
use schemas::key::SecretKey;
use schemas::log::{Party, Policy};
use schemas::note::Checkpoint;
use schemas::time::Instant;
use schemas::tlog::LogTree;
use tempfile::TempDir;

use super::*;
use crate::http::tests::{NEXT_CENTURY, of_the_next_century};

struct Fixed(Option<Vec<u8>>);

#[async_trait]
impl Checkpoints for Fixed {
    async fn newest(&self) -> Option<Vec<u8>> {
        self.0.clone()
    }
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn origin() -> Origin {
    "log.example/t".parse().unwrap()
}

fn policy() -> Policy {
    let party = |n: u8| Party {
        name: format!("w{n}"),
        key: key(10 + n).public(),
    };
    Policy {
        log: origin().log_id(&key(1).public_bytes()),
        origin: origin(),
        log_key: key(1).public(),
        witnesses: (0..4).map(party).collect(),
        quorum: 3,
        registrars: vec![],
        prev: None,
        time: Instant::from_seconds(1),
    }
}

fn tree(fork: &str, size: u64) -> LogTree {
    let mut tree = LogTree::new();
    for n in 0..size {
        let fork = if n < 3 { "" } else { fork };
        tree.push(sha256(format!("{fork}{n}").as_bytes())).unwrap();
    }
    tree
}

/// A checkpoint that the log and three lying witnesses have signed.
fn note(tree: &LogTree, size: u64) -> Vec<u8> {
    let root = tree.root(size).unwrap();
    let checkpoint = Checkpoint {
        origin: origin(),
        size,
        root,
    };
    let mut note = Note::sign(checkpoint, &key(1));
    for n in 0..3 {
        let line = note.cosign(&format!("w{n}"), &key(10 + n), Instant::from_seconds(100));
        note.lines.push(line);
    }
    note.encode()
}

/// A platform that proves what is in its own tree of nine entries.
async fn platform(fork: &'static str) -> (String, tokio::task::JoinHandle<()>) {
    let answer = move |Segments((old, new)): Segments<(u64, u64)>| async move {
        answered(tree(fork, 9).consistency(old, new))
    };
    let router = Router::new().route("/v1/consistency/{from}/{to}", get(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, task)
}

fn answered(proof: Option<Vec<schemas::hash::Hash>>) -> Response {
    match proof {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(path) => {
            let path: Vec<String> = path.iter().map(|h| schemas::b64::encode(&h.0)).collect();
            serde_json::json!({ "proof": path })
                .to_string()
                .into_response()
        }
    }
}

/// A gateway that has seen `own`, beside one that serves `theirs`; contradictions after two rounds.
async fn found(own: Vec<u8>, theirs: Option<Vec<u8>>, fork: &'static str) -> (u64, TempDir) {
    let shutdown = CancellationToken::new();
    let (url, handle) = platform(fork).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = listener.local_addr().unwrap();
    let serving = crate::serve::run(
        listener,
        Arc::new(serve::Seen(Arc::new(Fixed(theirs)))),
        shutdown.clone(),
    );
    let serving = tokio::spawn(serving);
    let config = PeersConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        others: vec![other],
        interval: Duration::from_secs(60),
    };
    let folder = tempfile::tempdir().unwrap();
    let (alarms, heard) = watch::channel(0);
    let own = Arc::new(Fixed(Some(own)));
    let mut peers = Peers::new(
        config,
        own,
        Followed::only(policy()),
        (&url, "", &Floor::default()),
        folder.path(),
        alarms,
    )
    .unwrap();
    peers.round().await;
    peers.round().await;
    shutdown.cancel();
    serving.await.unwrap();
    handle.abort();
    let count = *heard.borrow();
    (count, folder)
}

#[tokio::test]
async fn gateways_that_were_shown_two_logs_notice() {
    let (honest, forked) = (tree("a", 9), tree("b", 9));
    // Two roots of one size: no platform is needed to see that.
    let (count, folder) = found(note(&honest, 7), Some(note(&forked, 7)), "a").await;
    assert_eq!(count, 1);
    let mut files = std::fs::read_dir(folder.path().join(EVIDENCE)).unwrap();
    let text = std::fs::read_to_string(files.next().unwrap().unwrap().path()).unwrap();
    let evidence: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        evidence["own"].as_str().unwrap().as_bytes(),
        note(&honest, 7)
    );
    assert_eq!(
        evidence["theirs"].as_str().unwrap().as_bytes(),
        note(&forked, 7)
    );
    // Two sizes: whichever tree the platform proves from, it is not both.
    for fork in ["a", "b"] {
        let (count, _folder) = found(note(&honest, 6), Some(note(&forked, 8)), fork).await;
        assert_eq!(count, 1);
        let (count, _folder) = found(note(&honest, 8), Some(note(&forked, 6)), fork).await;
        assert_eq!(count, 1);
    }
    // A witnessed size of which the platform knows nothing.
    let longer = tree("a", 20);
    let (count, _folder) = found(note(&honest, 6), Some(note(&longer, 20)), "a").await;
    assert_eq!(count, 1);
}

#[tokio::test]
async fn gateways_that_were_shown_one_log_are_content() {
    let honest = tree("a", 9);
    for (own, theirs) in [(6, 6), (6, 9), (9, 6), (1, 9)] {
        let (count, _folder) = found(note(&honest, own), Some(note(&honest, theirs)), "a").await;
        assert_eq!(count, 0, "{own} {theirs}");
    }
}

#[tokio::test]
async fn what_does_not_verify_says_nothing() {
    let (honest, forked) = (tree("a", 9), tree("b", 9));
    let mut unwitnessed = Note::parse(&note(&forked, 7)).unwrap();
    unwitnessed.lines.truncate(3);
    let stranger = b"hello".to_vec();
    for theirs in [None, Some(unwitnessed.encode()), Some(stranger)] {
        let (count, _folder) = found(note(&honest, 7), theirs, "a").await;
        assert_eq!(count, 0);
    }
}

#[tokio::test]
async fn the_platforms_certificate_is_judged_by_what_has_passed_for_certain() {
    let (base, ca) = of_the_next_century(Router::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let peers = |floor: &Floor| {
        let config = PeersConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            others: Vec::new(),
            interval: Duration::from_secs(60),
        };
        let own = Arc::new(Fixed(None));
        let platform = (&*base, &*ca, floor);
        let policies = Followed::only(policy());
        let (alarms, _) = watch::channel(0);
        Peers::new(config, own, policies, platform, folder.path(), alarms).unwrap()
    };
    let early = peers(&Floor::default()).proof(1, 2).await;
    assert!(early.is_err_and(|problem| problem.contains("certificate")));
    let asked = peers(&Floor::at(NEXT_CENTURY)).proof(1, 2).await;
    assert_eq!(asked, Ok(Proof::Unknown));
}
