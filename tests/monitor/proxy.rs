//! What stands between a monitor and its platform, and may say something else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio_util::sync::{CancellationToken, DropGuard};

type Lies = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Passes everything on, but for what it was told to say.
pub struct Proxy {
    /// Its address, without slash at the end.
    pub url: String,
    lies: Lies,
    _running: DropGuard,
}

#[derive(Clone)]
struct Between {
    upstream: String,
    client: reqwest::Client,
    lies: Lies,
}

impl Proxy {
    /// In front of a platform.
    pub async fn start(upstream: &str) -> Self {
        let (shutdown, lies) = (CancellationToken::new(), Lies::default());
        let between = Between {
            upstream: upstream.to_owned(),
            client: reqwest::Client::new(),
            lies: Arc::clone(&lies),
        };
        let router = Router::new().fallback(pass).with_state(between);
        let listen = ([127, 0, 0, 1], 0).into();
        let served = kit::serve::serve(router, listen, None, shutdown.clone()).await;
        Self {
            url: served.unwrap().url(),
            lies,
            _running: shutdown.drop_guard(),
        }
    }

    /// From now on this path answers this.
    pub fn say(&self, path: &str, answer: impl Into<Vec<u8>>) {
        let mut lies = self.lies.lock().unwrap();
        lies.insert(path.to_owned(), answer.into());
    }

    /// The truth again.
    pub fn stop_lying(&self) {
        self.lies.lock().unwrap().clear();
    }
}

async fn pass(State(between): State<Between>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if let Some(lie) = between.lies.lock().unwrap().get(&path) {
        return lie.clone().into_response();
    }
    let mut asked = between.client.get(format!("{}{path}", between.upstream));
    if let Some(token) = request.headers().get("authorization") {
        asked = asked.header("authorization", token.clone());
    }
    let answer = asked.send().await.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    let body: Bytes = answer.bytes().await.unwrap();
    (status, body).into_response()
}
