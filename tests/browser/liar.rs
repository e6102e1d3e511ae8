//! A server between the browser and a platform that alters what the platform says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::{CancellationToken, DropGuard};

#[derive(Default)]
struct Lies {
    /// Answers instead of the platform's, by path; `None` is an error 500.
    answers: BTreeMap<String, Option<Vec<u8>>>,
    /// Words in pages and what stands there instead, the first time they occur.
    words: Vec<(String, String)>,
}

/// The server; it ends with it.
pub struct Liar {
    /// Its address, without slash at the end.
    pub url: String,
    lies: Arc<Mutex<Lies>>,
    _running: DropGuard,
}

#[derive(Clone)]
struct Front {
    upstream: String,
    lies: Arc<Mutex<Lies>>,
}

impl Liar {
    /// Stands before `upstream` and is honest as yet.
    pub async fn before(upstream: &str) -> Self {
        let lies = Arc::new(Mutex::new(Lies::default()));
        let front = Front {
            upstream: upstream.to_owned(),
            lies: Arc::clone(&lies),
        };
        let shutdown = CancellationToken::new();
        let router = Router::new().fallback(answer).with_state(front);
        let listen = ([127, 0, 0, 1], 0).into();
        let served = kit::serve::serve(router, listen, None, shutdown.clone()).await;
        Self {
            url: served.unwrap().url(),
            lies,
            _running: shutdown.drop_guard(),
        }
    }

    /// Answers every request for a bundle with this one; `None` is an error.
    pub fn bundle(&self, bytes: Option<Vec<u8>>) {
        let mut lies = self.lies.lock().unwrap();
        lies.answers.insert("/v1/bundles/item".to_owned(), bytes);
    }

    /// Writes other words into pages; none for an honest page.
    pub fn words(&self, words: &[(&str, &str)]) {
        let own = |(from, to): &(&str, &str)| ((*from).to_owned(), (*to).to_owned());
        self.lies.lock().unwrap().words = words.iter().map(own).collect();
    }
}

async fn answer(State(front): State<Front>, uri: Uri) -> Response {
    let said = front.lies.lock().unwrap().answers.get(uri.path()).cloned();
    match said {
        Some(Some(bytes)) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Some(None) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        None => pass_on(&front, &uri).await,
    }
}

async fn pass_on(front: &Front, uri: &Uri) -> Response {
    let answer = reqwest::get(format!("{}{uri}", front.upstream))
        .await
        .unwrap();
    let status = answer.status();
    let kept = [
        header::CONTENT_TYPE,
        header::CONTENT_SECURITY_POLICY,
        header::CACHE_CONTROL,
    ];
    let mut headers = HeaderMap::new();
    for name in kept {
        if let Some(value) = answer.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let mut body = answer.bytes().await.unwrap().to_vec();
    let words = front.lies.lock().unwrap().words.clone();
    if !words.is_empty()
        && headers[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    {
        let mut page = String::from_utf8(body).unwrap();
        for (from, to) in words {
            assert!(page.contains(&from), "the page does not say {from}");
            page = page.replacen(&from, &to, 1);
        }
        body = page.into_bytes();
    }
    (status, headers, body).into_response()
}
