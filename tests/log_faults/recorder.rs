//! Who writes down every checkpoint that leaves the process: a door in front of each witness. It can
//! also be shut, or answer in the witness's place.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use platform::config::WitnessSection;
use schemas::note::{Checkpoint, Note};
use schemas::tlog::LogTree;
use tokio_util::sync::CancellationToken;

/// Every checkpoint that was seen outside.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Vec<Checkpoint>>);

impl Seen {
    /// Writes one down.
    pub fn note(&self, bytes: &[u8]) {
        let checkpoint = Note::parse(bytes).unwrap().checkpoint;
        self.0.lock().unwrap().push(checkpoint);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// All of them are of this one log, so each is consistent with each other; how many there are.
    pub fn are_all_of(&self, tree: &LogTree) -> usize {
        let seen = self.0.lock().unwrap();
        for checkpoint in &*seen {
            let (size, root) = (checkpoint.size, Some(checkpoint.root));
            assert_eq!(tree.root(size), root, "another history of size {size} left");
        }
        seen.len()
    }
}

/// What a door does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Lets the witness answer.
    Open,
    /// Answers that something is broken.
    Shut,
    /// Says that the witness knows more than any log has.
    Lies,
}

/// Doors of all witnesses.
pub struct Doors {
    /// The witnesses with the addresses of their doors.
    pub sections: Vec<WitnessSection>,
    ways: Vec<Arc<Mutex<Way>>>,
}

impl Doors {
    /// Puts a door in front of each.
    pub async fn in_front_of(
        witnesses: &[WitnessSection],
        seen: &Arc<Seen>,
        ends: &CancellationToken,
    ) -> Self {
        platform::tls::install_provider();
        let (mut sections, mut ways) = (Vec::new(), Vec::new());
        for witness in witnesses {
            let way = Arc::new(Mutex::new(Way::Open));
            sections.push(in_front_of(witness, seen, &way, ends).await);
            ways.push(way);
        }
        Self { sections, ways }
    }

    /// What each does from now on.
    pub fn are(&self, ways: [Way; 4]) {
        for (door, way) in self.ways.iter().zip(ways) {
            *door.lock().unwrap() = way;
        }
    }
}

#[derive(Clone)]
struct Door {
    url: String,
    seen: Arc<Seen>,
    way: Arc<Mutex<Way>>,
    http: reqwest::Client,
}

impl Door {
    /// The answer in the witness's place.
    fn answer(&self) -> Option<Response> {
        match *self.way.lock().unwrap() {
            Way::Open => None,
            Way::Shut => Some(StatusCode::BAD_GATEWAY.into_response()),
            Way::Lies => {
                let kind = [(header::CONTENT_TYPE, "text/x.tlog.size")];
                Some((StatusCode::CONFLICT, kind, "1000000\n").into_response())
            }
        }
    }
}

async fn in_front_of(
    witness: &WitnessSection,
    seen: &Arc<Seen>,
    way: &Arc<Mutex<Way>>,
    ends: &CancellationToken,
) -> WitnessSection {
    let door = Door {
        url: witness.url.clone(),
        seen: Arc::clone(seen),
        way: Arc::clone(way),
        http: reqwest::Client::new(),
    };
    let router = Router::new()
        .route("/add-checkpoint", post(pass))
        .route("/", get(about))
        .with_state(door);
    let listen: SocketAddr = ([127, 0, 0, 1], 0).into();
    let served = kit::serve::serve(router, listen, None, ends.clone())
        .await
        .unwrap();
    WitnessSection {
        url: served.url(),
        ..witness.clone()
    }
}

async fn pass(State(door): State<Door>, body: Bytes) -> Response {
    let text = std::str::from_utf8(&body).unwrap();
    let (_, note) = text.split_once("\n\n").unwrap();
    door.seen.note(note.as_bytes());
    if let Some(answer) = door.answer() {
        return answer;
    }
    let url = format!("{}/add-checkpoint", door.url);
    answer(door.http.post(url).body(body).send().await).await
}

async fn about(State(door): State<Door>) -> Response {
    if let Some(answer) = door.answer() {
        return answer;
    }
    answer(door.http.get(door.url).send().await).await
}

async fn answer(answer: reqwest::Result<reqwest::Response>) -> Response {
    let answer = answer.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    let kind = answer.headers().get("content-type").cloned();
    let kind = kind.map_or("text/plain".to_owned(), |kind| {
        kind.to_str().unwrap().to_owned()
    });
    let body = answer.bytes().await.unwrap();
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}
