//! The layer: reads the key, runs the handler or gives the kept answer.

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use schemas::causes::causes;
use schemas::hash::{Hash, sha256, sha256_parts};
use schemas::time::Instant;
use tracing::Instrument as _;

use super::{
    ANSWER_MAX, Answer, Answers, BODY_MAX, HEADER, KEPT_FOR, KEPT_HEADERS, Kept, Key, Place,
    REPLAYED, RUNNING_LONGEST,
};
use crate::people::client::Granted;
use crate::people::{Machine, Person, StoreFailed};
use crate::problem::Problem;

/// Does a write once for each key; see the module.
pub async fn once(State(answers): State<Answers>, request: Request, next: Next) -> Response {
    if !writes(request.method()) {
        return next.run(request).await;
    }
    let key = match key(request.headers()) {
        Ok(key) => key,
        Err(problem) => return problem.into_response(),
    };
    let is_machine = request.extensions().get::<Machine>().is_some();
    match (key, actor(&request)) {
        (Some(key), Some(actor)) => {
            let key = key.hash();
            let place = Place { actor, key };
            let done = under_key(&answers, place, request, next).await;
            done.unwrap_or_else(IntoResponse::into_response)
        }
        (None, _) if answers.machines_must && is_machine => missing().into_response(),
        _ => next.run(request).await,
    }
}

fn writes(method: &Method) -> bool {
    matches!(
        *method,
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE
    )
}

fn key(headers: &HeaderMap) -> Result<Option<Key>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value.to_str().ok().and_then(Key::parse);
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key)),
        _ => Err(malformed()),
    }
}

/// Who asks; nothing for strangers, whose keys are not looked at.
fn actor(request: &Request) -> Option<String> {
    let extensions = request.extensions();
    if let Some(machine) = extensions.get::<Machine>() {
        // A client and a fixed token of one name are two.
        let kind = match extensions.get::<Granted>() {
            Some(_) => "client",
            None => "machine",
        };
        return Some(format!("{kind}/{}", machine.name));
    }
    let person = extensions.get::<Person>()?;
    Some(format!("person/{}/{}", person.organisation, person.name))
}

async fn under_key(
    answers: &Answers,
    place: Place,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_MAX).await.map_err(|_| too_large())?;
    let fingerprint = fingerprint(&parts, &body);
    let now = answers.clock.now();
    say(answers.clean().await);
    let found = answers.store.begin(&place, &fingerprint, now).await;
    if let Some(kept) = found.map_err(failed)?
        && let Some(response) = known(answers, &place, &fingerprint, kept, now).await?
    {
        return Ok(response);
    }
    let request = Request::from_parts(parts, Body::from(body));
    let running = Running {
        answers: answers.clone(),
        place,
        began: now,
    };
    // By itself, so that a caller who goes away in the middle finds the answer when they come back.
    let work = async move { running.end(next.run(request).await).await };
    let done = tokio::spawn(work.in_current_span()).await;
    // A handler that panicked may have done its work: the key stays taken for a while.
    done.map_err(|_| Problem::internal())
}

/// What is answered to a key that was sent before; nothing if this request takes its place.
async fn known(
    answers: &Answers,
    place: &Place,
    fingerprint: &Hash,
    kept: Kept,
    now: Instant,
) -> Result<Option<Response>, Problem> {
    let is_old = now.since(kept.began) >= KEPT_FOR;
    if is_old && kept.answer.is_some() {
        // Its time is over, though nobody has cleaned up yet.
        answers
            .store
            .free(place, kept.began)
            .await
            .map_err(failed)?;
        let again = answers.store.begin(place, fingerprint, now).await;
        return match again.map_err(failed)? {
            None => Ok(None),
            Some(_) => Err(running()),
        };
    }
    if kept.request != *fingerprint {
        return Err(reused());
    }
    if let Some(answer) = kept.answer {
        return Ok(Some(again(answer)));
    }
    if now.since(kept.began) < RUNNING_LONGEST {
        return Err(running());
    }
    let taken = answers.store.take_over(place, kept.began, now).await;
    if taken.map_err(failed)? {
        return Ok(None);
    }
    Err(running())
}

/// A request that has its place.
struct Running {
    answers: Answers,
    place: Place,
    began: Instant,
}

impl Running {
    async fn end(self, response: Response) -> Response {
        let (parts, body) = response.into_parts();
        if !is_kept(parts.status) || !is_short(&body) {
            self.free().await;
            return Response::from_parts(parts, body);
        }
        let Ok(body) = to_bytes(body, ANSWER_MAX).await else {
            self.free().await;
            return Problem::internal().into_response();
        };
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: kept_headers(&parts.headers),
            body: body.to_vec(),
        };
        let store = &self.answers.store;
        say(store.finish(&self.place, self.began, &answer).await);
        Response::from_parts(parts, Body::from(body))
    }

    async fn free(&self) {
        say(self.answers.store.free(&self.place, self.began).await);
    }
}

/// The write goes on, though a repetition may not find its answer.
fn say(kept: Result<(), StoreFailed>) {
    if let Err(error) = kept {
        tracing::error!(error = causes(&error), "answers cannot be kept or removed");
    }
}

/// A longer answer, or one without an end, is nothing that a client repeats a write for.
fn is_short(body: &Body) -> bool {
    let bytes = body.size_hint().exact();
    bytes.is_some_and(|bytes| bytes <= ANSWER_MAX as u64)
}

/// Whether an answer depends on the request alone.
fn is_kept(status: StatusCode) -> bool {
    let of_the_moment = matches!(status.as_u16(), 401 | 403 | 408 | 412 | 425 | 429);
    !status.is_server_error() && !status.is_informational() && !of_the_moment
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let both = |name: &str| Some((name.to_owned(), value(name)?.to_owned()));
    KEPT_HEADERS.iter().filter_map(|name| both(name)).collect()
}

fn again(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Bytes::from(answer.body)).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name.as_str()),
            HeaderValue::from_str(value),
        ) {
            headers.insert(name, value);
        }
    }
    let yes = HeaderValue::from_static("true");
    headers.insert(HeaderName::from_static(REPLAYED), yes);
    let unkept = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, unkept);
    response
}

fn fingerprint(parts: &Parts, body: &[u8]) -> Hash {
    let original = parts.extensions.get::<OriginalUri>();
    let uri = original.map_or(&parts.uri, |OriginalUri(uri)| uri);
    let place = uri.path_and_query().map_or("/", |place| place.as_str());
    let kind = parts.headers.get(header::CONTENT_TYPE);
    let kind = kind.map_or(&b""[..], HeaderValue::as_bytes);
    let (method, place) = (parts.method.as_str().as_bytes(), place.as_bytes());
    // Neither a method nor an address nor a header holds a line break, so the parts cannot flow
    // into each other.
    let body = sha256(body);
    sha256_parts(&[method, b"\n", place, b"\n", kind, b"\n", body.as_bytes()])
}

fn failed(error: StoreFailed) -> Problem {
    tracing::error!(
        error = causes(&error),
        "kept answers cannot be read or written"
    );
    Problem::internal()
}

fn named(status: StatusCode, slug: &str, title: &str) -> Problem {
    Problem::new(status, slug, title).with("header", "Idempotency-Key")
}

fn missing() -> Problem {
    named(
        StatusCode::BAD_REQUEST,
        "idempotency-key-needed",
        "Every write of a machine carries an Idempotency-Key",
    )
}

fn malformed() -> Problem {
    named(
        StatusCode::BAD_REQUEST,
        "idempotency-key-refused",
        "The Idempotency-Key is not one string of 1 to 128 printable characters",
    )
}

fn reused() -> Problem {
    named(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency-key-reused",
        "The Idempotency-Key was sent with another request; nothing was done",
    )
}

fn running() -> Problem {
    named(
        StatusCode::CONFLICT,
        "idempotency-key-running",
        "The first request with this Idempotency-Key has not ended yet",
    )
    .retry_after(1)
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "The request is too large",
    )
}
