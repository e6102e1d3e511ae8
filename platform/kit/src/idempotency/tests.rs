//! The layer around handlers that count how often they run.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use proptest::prelude::*;
use schemas::ids::Slug;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::people::Machine;
use crate::people::tests::engine::Sqlite;
use crate::people::tests::service::MovedClock;

struct World {
    _file: Sqlite,
    address: SocketAddr,
    shutdown: CancellationToken,
    clock: Arc<MovedClock>,
    answers: Answers,
    runs: Arc<AtomicUsize>,
    /// What lets slow handlers go on.
    gate: Arc<Semaphore>,
}

impl World {
    async fn new() -> Self {
        let file = Sqlite::new().await;
        let clock = Arc::new(MovedClock(Mutex::new(Instant::from_seconds(1_700_000_000))));
        let store = Arc::new(file.open().await);
        let answers = Answers::new(store, clock.clone(), true);
        let (runs, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let router = router(&runs, &gate)
            .layer(from_fn_with_state(answers.clone(), once))
            .layer(from_fn(name_the_machine));
        let shutdown = CancellationToken::new();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let served = crate::serve::serve(router, any, None, shutdown.clone());
        let address = served.await.unwrap().address;
        Self {
            _file: file,
            address,
            shutdown,
            clock,
            answers,
            runs,
            gate,
        }
    }

    fn pass(&self, time: Duration) {
        let mut now = self.clock.0.lock().unwrap();
        *now = *now + time;
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    async fn begin(&self, actor: &str, key: &str, path: &str, body: &str) -> TcpStream {
        let key = match key {
            "" => String::new(),
            some => format!("idempotency-key: {some}\r\n"),
        };
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\nactor: {actor}\r\n{key}\
             content-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn send(&self, actor: &str, key: &str, path: &str, body: &str) -> Answered {
        let stream = self.begin(actor, key, path, body).await;
        answered(stream).await
    }

    /// Waits until a handler runs for the nth time.
    async fn until_runs(&self, number: usize) {
        while self.runs() < number {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// What came back.
struct Answered {
    status: u16,
    head: String,
    body: String,
}

impl Answered {
    fn is_replayed(&self) -> bool {
        self.head.contains("idempotent-replayed: true")
    }
}

async fn answered(mut stream: TcpStream) -> Answered {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answered {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// Takes the header `actor` for a machine, as log-in does by better means.
async fn name_the_machine(mut request: Request, next: Next) -> Response {
    let name = request
        .headers()
        .get("actor")
        .and_then(|name| name.to_str().ok());
    if let Some(name) = name.and_then(|name| name.parse::<Slug>().ok()) {
        request.extensions_mut().insert(Machine { name });
    }
    next.run(request).await
}

fn router(runs: &Arc<AtomicUsize>, gate: &Arc<Semaphore>) -> Router {
    let count = |runs: &Arc<AtomicUsize>| {
        let runs = Arc::clone(runs);
        move || runs.fetch_add(1, Ordering::SeqCst) + 1
    };
    let (made, failing, slow, long) = (count(runs), count(runs), count(runs), count(runs));
    let gate = Arc::clone(gate);
    let make = move |body: Bytes| async move {
        let headers = [
            (header::LOCATION, format!("/made/{}", made())),
            (header::SET_COOKIE, "a=b".to_owned()),
        ];
        (StatusCode::CREATED, headers, body).into_response()
    };
    let wait = move || async move {
        let number = slow();
        gate.acquire().await.unwrap().forget();
        number.to_string()
    };
    let fail = move |body: String| async move {
        failing();
        let status: u16 = body.parse().unwrap();
        StatusCode::from_u16(status).unwrap()
    };
    let talk = move || async move {
        long();
        "a".repeat(ANSWER_MAX + 1)
    };
    Router::new()
        .route("/make", post(make))
        .route("/slow", post(wait))
        .route("/fail", post(fail))
        .route("/long", post(talk))
}

#[tokio::test]
async fn a_write_that_is_sent_twice_is_done_once() {
    let world = World::new().await;
    let first = world.send("portal", "\"k1\"", "/make", "hello").await;
    assert_eq!((first.status, first.body.as_str()), (201, "hello"));
    assert!(!first.is_replayed() && first.head.contains("set-cookie"));
    let again = world.send("portal", "k1", "/make", "hello").await;
    assert_eq!((again.status, again.body.as_str()), (201, "hello"));
    assert!(
        again.is_replayed() && again.head.contains("location: /made/1"),
        "{}",
        again.head
    );
    assert!(
        again
            .head
            .contains("content-type: application/octet-stream"),
        "{}",
        again.head
    );
    assert!(!again.head.contains("set-cookie"), "{}", again.head);
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_its_request_and_to_its_sender() {
    let world = World::new().await;
    world.send("portal", "k1", "/make", "hello").await;
    for (path, body) in [
        ("/make", "hallo"),
        ("/make?a=1", "hello"),
        ("/slow", "hello"),
    ] {
        let answer = world.send("portal", "k1", path, body).await;
        assert_eq!(answer.status, 422, "{path} {body}");
        assert!(
            answer.body.contains("\"header\":\"Idempotency-Key\""),
            "{}",
            answer.body
        );
    }
    assert_eq!(world.runs(), 1);
    let other = world.send("ledger", "k1", "/make", "other").await;
    assert_eq!((other.status, other.is_replayed()), (201, false));
}

#[tokio::test]
async fn while_the_first_runs_the_second_is_told_so() {
    let world = World::new().await;
    let first = world.begin("portal", "k1", "/slow", "").await;
    world.until_runs(1).await;
    let second = world.send("portal", "k1", "/slow", "").await;
    assert_eq!(second.status, 409);
    assert!(second.head.contains("retry-after: 1"));
    world.gate.add_permits(1);
    assert_eq!(answered(first).await.body, "1");
    let third = world.send("portal", "k1", "/slow", "").await;
    assert_eq!(
        (third.body.as_str(), third.is_replayed(), world.runs()),
        ("1", true, 1)
    );
}

#[tokio::test]
async fn who_goes_away_in_the_middle_finds_the_answer() {
    let world = World::new().await;
    let first = world.begin("portal", "k1", "/slow", "").await;
    world.until_runs(1).await;
    drop(first);
    world.gate.add_permits(1);
    let again = loop {
        let again = world.send("portal", "k1", "/slow", "").await;
        if again.status != 409 {
            break again;
        }
    };
    assert_eq!(
        (again.body.as_str(), again.is_replayed(), world.runs()),
        ("1", true, 1)
    );
}

#[tokio::test]
async fn a_lost_request_is_taken_over_after_a_while() {
    let world = World::new().await;
    let place = Place {
        actor: "machine/portal".to_owned(),
        key: Key("k1".to_owned()).hash(),
    };
    let fingerprint = {
        // Found out by sending it once under another key.
        world.send("portal", "k2", "/make", "hello").await;
        let place = Place {
            key: Key("k2".to_owned()).hash(),
            ..place.clone()
        };
        let now = world.clock.0.lock().unwrap().to_owned();
        let kept = world.answers.store.begin(&place, &Hash([0; 32]), now).await;
        kept.unwrap().unwrap().request
    };
    let now = world.clock.0.lock().unwrap().to_owned();
    let taken = world.answers.store.begin(&place, &fingerprint, now).await;
    assert_eq!(taken.unwrap(), None, "and its process is gone");
    assert_eq!(
        world.send("portal", "k1", "/make", "hello").await.status,
        409
    );
    world.pass(RUNNING_LONGEST);
    let taken = world.send("portal", "k1", "/make", "hello").await;
    assert_eq!((taken.status, taken.is_replayed()), (201, false));
    assert!(
        world
            .send("portal", "k1", "/make", "hello")
            .await
            .is_replayed()
    );
}

#[tokio::test]
async fn an_answer_of_the_moment_frees_its_key() {
    let world = World::new().await;
    for (number, status) in (1..).zip([500, 503, 401, 403, 412, 429]) {
        for _ in 0..2 {
            let (key, body) = (format!("k{number}"), status.to_string());
            let answer = world.send("portal", &key, "/fail", &body).await;
            assert_eq!((answer.status, answer.is_replayed()), (status, false));
        }
    }
    assert_eq!(world.runs(), 12);
    for _ in 0..2 {
        assert_eq!(
            world.send("portal", "kept", "/fail", "404").await.status,
            404
        );
        assert_eq!(
            world.send("portal", "long", "/long", "").await.body.len(),
            ANSWER_MAX + 1
        );
    }
    assert_eq!(world.runs(), 12 + 1 + 2);
}

#[tokio::test]
async fn answers_are_kept_for_a_day() {
    let world = World::new().await;
    world.send("portal", "k1", "/make", "hello").await;
    world.pass(KEPT_FOR - Duration::from_secs(1));
    world.answers.clean().await.unwrap();
    assert!(
        world
            .send("portal", "k1", "/make", "hello")
            .await
            .is_replayed()
    );
    world.pass(Duration::from_secs(1));
    let again = world.send("portal", "k1", "/make", "another").await;
    assert_eq!(
        (again.status, again.is_replayed()),
        (201, false),
        "though nobody has cleaned up"
    );
    world.pass(KEPT_FOR + Duration::from_secs(1));
    world.answers.clean().await.unwrap();
    assert!(
        !world
            .send("portal", "k1", "/make", "hello")
            .await
            .is_replayed()
    );
}

#[tokio::test]
async fn machines_send_a_key_and_it_is_one() {
    let world = World::new().await;
    let none = world.send("portal", "", "/make", "").await;
    assert_eq!(none.status, 400);
    assert!(
        none.body.contains("idempotency-key-needed"),
        "{}",
        none.body
    );
    let long = "k".repeat(KEY_MAX + 1);
    for wrong in ["\"\"", "\"a", "a\\b", &long, "a\r\nidempotency-key: b"] {
        let answer = world.send("portal", wrong, "/make", "").await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(
            answer.body.contains("idempotency-key-refused"),
            "{}",
            answer.body
        );
    }
    let large = world
        .send("portal", "k1", "/make", &"a".repeat(BODY_MAX + 1))
        .await;
    assert_eq!((large.status, world.runs()), (413, 0));
    // A stranger's key is nobody's: the handler decides.
    for _ in 0..2 {
        let answer = world.send("No Slug", "k1", "/make", "").await;
        assert_eq!((answer.status, answer.is_replayed()), (201, false));
    }
}

proptest! {
    #[test]
    fn a_key_is_what_stands_in_its_quotes(text in "[!#-\\[\\]-~]{1,128}") {
        let bare = Key::parse(&text);
        prop_assert!(bare.is_some());
        prop_assert_eq!(bare, Key::parse(&format!("\"{text}\"")));
    }

    #[test]
    fn no_text_makes_the_reader_fail(text in ".*") {
        let _ = Key::parse(&text);
    }
}
