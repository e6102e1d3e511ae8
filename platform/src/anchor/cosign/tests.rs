//! Witnesses that are silent, slow, wrong, or lie.

use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post as route;
use schemas::hash::Hash;
use schemas::key::SecretKey;
use schemas::note::Checkpoint;
use schemas::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::anchor::confirm::Says;

const ORIGIN: &str = "log.example/t";

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn now() -> Instant {
    Instant::from_seconds(1_800_000_000)
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        now()
    }

    fn sleep_until(&self, _: Instant) -> schemas::time::Sleep<'_> {
        Box::pin(std::future::ready(()))
    }
}

fn tree() -> SharedTree {
    let tree = SharedTree::default();
    let entries: Vec<Vec<u8>> = (0_u8..9).map(|n| vec![3, n]).collect();
    tree.push(&entries).unwrap();
    tree
}

fn note(size: u64) -> Note {
    let root = tree().read(|tree| tree.root(size)).unwrap();
    let origin = ORIGIN.parse().unwrap();
    Note::sign(Checkpoint { origin, size, root }, &key(1))
}

fn section(name: &str, seed: u8, address: SocketAddr) -> WitnessSection {
    WitnessSection {
        name: name.into(),
        url: format!("http://{address}"),
        key: Hash(key(seed).public_bytes()),
        owner: None,
        own: true,
        ca: None,
        retiring: false,
    }
}

/// What a witness of the test answers to a body; the first argument counts its requests.
type Say = fn(usize, &str) -> axum::response::Response;

async fn witness(say: Say, shutdown: &CancellationToken) -> SocketAddr {
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = move |body: String| {
        let asked = Arc::clone(&asked);
        async move { say(asked.fetch_add(1, Ordering::Relaxed), &body) }
    };
    let router = Router::new().route("/add-checkpoint", route(answer));
    let listen = ([127, 0, 0, 1], 0).into();
    let served = kit::serve::serve(router, listen, None, shutdown.clone()).await;
    served.unwrap().address
}

fn cosigned(body: &str, name: &str, seed: u8, time: Instant) -> String {
    let (_, note) = body.split_once("\n\n").unwrap();
    let note = Note::parse(note.as_bytes()).unwrap();
    note.cosign(name, &key(seed), time).encode()
}

fn good(_: usize, body: &str) -> axum::response::Response {
    cosigned(body, "w", 10, now()).into_response()
}

async fn asked(say: Say) -> Result<Vec<Line>, Refusal> {
    let shutdown = CancellationToken::new();
    let address = witness(say, &shutdown).await;
    let cosigner = Cosigner::new(vec![section("w", 10, address)]).unwrap();
    let cosigner = cosigner.with_clock(Arc::new(Still));
    let mut answers = cosigner.ask(&note(9), &tree()).await;
    let answer = answers.remove(0).1;
    let state = cosigner.states().remove(0);
    assert_eq!(state.problem.is_empty(), answer.is_ok());
    shutdown.cancel();
    answer
}

#[tokio::test]
async fn a_lying_witness_does_not_count() {
    assert_eq!(asked(good).await.map(|lines| lines.len()), Ok(1));
    let worthless = |answer| matches!(answer, Err(Refusal::Worthless(_)));
    // By another key; under another name; over another checkpoint.
    let other_key: Say = |_, body| cosigned(body, "w", 11, now()).into_response();
    let other_name: Say = |_, body| cosigned(body, "v", 10, now()).into_response();
    let other_note: Say = |_, _| {
        note(5)
            .cosign("w", &key(10), now())
            .encode()
            .into_response()
    };
    let nothing: Say = |_, _| "".into_response();
    let noise: Say = |_, _| "— \u{202e}x AAAA\nhello\n".into_response();
    for say in [other_key, other_name, other_note, nothing, noise] {
        assert!(worthless(asked(say).await));
    }
    // Times far off, either way; a little is fine.
    let future: Say =
        |_, body| cosigned(body, "w", 10, Instant::from_seconds(1 << 52)).into_response();
    let past: Say = |_, body| cosigned(body, "w", 10, Instant::from_seconds(1)).into_response();
    let near: Say =
        |_, body| cosigned(body, "w", 10, Instant::from_seconds(1_800_003_000)).into_response();
    assert!(worthless(asked(future).await) && worthless(asked(past).await));
    assert!(asked(near).await.is_ok());
}

#[tokio::test]
async fn lines_of_other_keys_beside_the_own_one_are_ignored() {
    let beside: Say = |_, body| {
        let own = cosigned(body, "w", 10, now());
        format!("{}— 见证 AAAAAAAA\n{own}", cosigned(body, "v", 12, now())).into_response()
    };
    let lines = asked(beside).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].name, "w");
}

#[tokio::test]
async fn absurd_answers_are_refused_within_limits() {
    let huge_size: Say = |_, _| (StatusCode::CONFLICT, "9007199254740993\n").into_response();
    assert!(matches!(asked(huge_size).await, Err(Refusal::Knows(_))));
    for text in [
        "99999999999999999999999\n",
        "-1\n",
        "+5\n",
        "five\n",
        "",
        "5 5\n",
    ] {
        let shutdown = CancellationToken::new();
        let answer = move || async move { (StatusCode::CONFLICT, text) };
        let router = Router::new().route("/add-checkpoint", route(answer));
        let listen = ([127, 0, 0, 1], 0).into();
        let served = kit::serve::serve(router, listen, None, shutdown.clone()).await;
        let address = served.unwrap().address;
        let cosigner = Cosigner::new(vec![section("w", 10, address)]).unwrap();
        let answer = cosigner.ask(&note(9), &tree()).await.remove(0).1;
        assert_eq!(answer, Err(Refusal::Refused(409)), "{text}");
        shutdown.cancel();
    }
    let huge: Say = |_, _| "— w AAAAAAAA\n".repeat(100_000).into_response();
    assert!(matches!(asked(huge).await, Err(Refusal::Silent(_))));
    // It always names another size: asked twice, then left alone.
    let restless: Say = |n, _| (StatusCode::CONFLICT, format!("{}\n", n + 1)).into_response();
    assert_eq!(asked(restless).await, Err(Refusal::Knows(2)));
    let elsewhere: Say = |_, _| {
        let to = [("location", "http://127.0.0.1:1/add-checkpoint")];
        (StatusCode::PERMANENT_REDIRECT, to).into_response()
    };
    assert_eq!(asked(elsewhere).await, Err(Refusal::Refused(308)));
    let broken: Say = |_, _| StatusCode::INTERNAL_SERVER_ERROR.into_response();
    assert_eq!(asked(broken).await, Err(Refusal::Refused(500)));
}

#[tokio::test]
async fn a_witness_that_knows_less_is_led_on_with_a_proof() {
    let behind: Say = |n, body| {
        if n == 0 {
            assert!(body.starts_with("old 0\n\n"));
            return (StatusCode::CONFLICT, "5\n").into_response();
        }
        let (head, _) = body.split_once("\n\n").unwrap();
        assert!(head.starts_with("old 5\n") && head.lines().count() > 1);
        cosigned(body, "w", 10, now()).into_response()
    };
    assert!(asked(behind).await.is_ok());
}

/// A listener that takes connections and never answers.
async fn silent() -> (SocketAddr, tokio::net::TcpListener) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap(), listener)
}

#[tokio::test]
async fn a_silent_witness_does_not_hold_up_a_quorum() {
    let shutdown = CancellationToken::new();
    let (dead, _listener) = silent().await;
    let mut sections = vec![section("w", 10, dead)];
    let all: [(&str, u8, Say); 3] = [
        ("x", 11, |_, body| {
            cosigned(body, "x", 11, now()).into_response()
        }),
        ("y", 12, |_, body| {
            cosigned(body, "y", 12, now()).into_response()
        }),
        ("z", 13, |_, body| {
            cosigned(body, "z", 13, now()).into_response()
        }),
    ];
    for (name, seed, say) in all {
        sections.push(section(name, seed, witness(say, &shutdown).await));
    }
    let cosigner = Cosigner::new(sections).unwrap().with_quorum(3);
    let began = tokio::time::Instant::now();
    let collected = cosigner.collect(note(9), &tree()).await;
    assert_eq!(collected.lines.len(), 4, "the log's line and three");
    assert!(began.elapsed() < PATIENCE, "it was waited for");
    let problems: Vec<bool> = cosigner
        .states()
        .iter()
        .map(|s| s.problem.is_empty())
        .collect();
    assert_eq!(problems, [false, true, true, true]);
    shutdown.cancel();
}

/// Its page has a line for every note that it has refused, of any log that it cosigns.
#[tokio::test]
async fn a_witness_that_keeps_much_evidence_is_heard() {
    let shutdown = CancellationToken::new();
    let refused = "unproven log.example/other 9 AAAA unproven-00.json\n".repeat(5_000);
    let known = format!("witness w 00\n{refused}{ORIGIN} 9 AAAA\n");
    let fresh = format!("witness w 00\n{refused}");
    let mut heard = Vec::new();
    for text in [known, fresh] {
        let router = Router::new().route("/", axum::routing::get(move || async { text }));
        let listen = ([127, 0, 0, 1], 0).into();
        let served = kit::serve::serve(router, listen, None, shutdown.clone()).await;
        let address = served.unwrap().address;
        let cosigner = Cosigner::new(vec![section("w", 10, address)]).unwrap();
        let (said, mut says) = tokio::sync::mpsc::channel(1);
        cosigner.ask_what_is_known(ORIGIN, &said).await;
        heard.push(says.recv().await.unwrap().1);
    }
    assert_eq!(heard, [Says::Contradicts(9), Says::Confirmed]);
    shutdown.cancel();
}
