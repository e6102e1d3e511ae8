//! The EPCIS 2.0 capture interface (section 12.6; OpenAPI `/capture`). Asynchronous in form only: a
//! job is done when its answer is sent.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::causes::causes;
use serde_json::{Value, json};

use super::asker::Asker;
use super::{Shared, problem};
use crate::capture::{
    Behaviour, Caller, CaptureError, CapturedAs, DOCUMENT_MAX, EVENTS_MAX, Sent, query_document,
};
use crate::store::captures::KeptCapture;

/// What a client asks for, or is told, about errors.
const BEHAVIOUR: &str = "gs1-capture-error-behaviour";

/// `OPTIONS /capture`: what this interface takes.
pub(super) async fn options() -> impl IntoResponse {
    let headers = [
        ("allow", "OPTIONS, POST".to_owned()),
        ("gs1-epcis-version", "2.0.0".to_owned()),
        ("gs1-cbv-version", "2.0.0".to_owned()),
        ("gs1-epcis-capture-limit", EVENTS_MAX.to_string()),
        (
            "gs1-epcis-capture-file-size-limit",
            DOCUMENT_MAX.to_string(),
        ),
        (BEHAVIOUR, "all".to_owned()),
    ];
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            map.insert(name, value);
        }
    }
    (StatusCode::NO_CONTENT, map)
}

/// `POST /capture` with a bearer token: an EPCISDocument, an EPCISQueryDocument or one event; 202
/// with the job's address.
pub(super) async fn capture(
    State(app): State<Shared>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = caller(&app, &asker)?;
    let media_type = media_type(&headers)?;
    let behaviour = behaviour(&headers)?;
    let bytes = to_bytes(body, DOCUMENT_MAX)
        .await
        .map_err(|_| too_large(None))?;
    let sent = Sent {
        bytes: &bytes,
        media_type: &media_type,
        behaviour,
    };
    let kept = app.captures.submit(caller, sent).await.map_err(refused)?;
    let location = format!("/capture/{}", kept.id);
    Ok((
        StatusCode::ACCEPTED,
        [(header::LOCATION, location)],
        versions(),
    )
        .into_response())
}

/// `GET /capture/{id}`: the job.
pub(super) async fn job(
    State(app): State<Shared>,
    Path(id): Path<String>,
    asker: Asker,
) -> Result<Response, Problem> {
    let kept = own(&app, &asker, &id).await?;
    let events = app.captures.events(&kept).await.map_err(problem::store)?;
    Ok((versions(), Json(job_of(&kept, &events))).into_response())
}

/// `GET /capture/{id}/document`: the bytes as they were sent.
pub(super) async fn document(
    State(app): State<Shared>,
    Path(id): Path<String>,
    asker: Asker,
) -> Result<Response, Problem> {
    let kept = own(&app, &asker, &id).await?;
    let store = &app.captures.store;
    let found = store.capture_document(&kept.capturer, &kept.document).await;
    let bytes = found
        .map_err(problem::store)?
        .ok_or_else(|| Problem::not_found("the document was erased; its statements are kept"))?;
    let etag = format!("\"{}\"", kept.document);
    let headers = [
        (header::CONTENT_TYPE, kept.media_type),
        (header::ETAG, etag),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_DISPOSITION, "attachment".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}

/// `GET /capture/{id}/events`: the captured events as signed, with `recordTime`.
pub(super) async fn events(
    State(app): State<Shared>,
    Path(id): Path<String>,
    asker: Asker,
) -> Result<Response, Problem> {
    let kept = own(&app, &asker, &id).await?;
    let events = app.captures.events(&kept).await.map_err(problem::store)?;
    Ok((versions(), Json(query_document(events, kept.received))).into_response())
}

fn versions() -> [(&'static str, &'static str); 2] {
    [("gs1-epcis-version", "2.0.0"), ("gs1-cbv-version", "2.0.0")]
}

/// The caller whose token this is.
fn caller<'a>(app: &'a Shared, asker: &Asker) -> Result<&'a Caller, Problem> {
    let found = match asker.client() {
        Some(client) => app.captures.client(client),
        None => asker.token().and_then(|token| app.captures.caller(token)),
    };
    found.ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorised",
            "Unauthorised request",
        )
        .of_type("epcisException:SecurityException")
        .detail("a bearer token of a capturer that the platform knows is needed")
    })
}

/// A capture of the caller; another's is as unknown as one that never was.
async fn own(app: &Shared, asker: &Asker, id: &str) -> Result<KeptCapture, Problem> {
    let caller = caller(app, asker)?;
    let unknown = || {
        Problem::not_found("you have no capture of this id")
            .of_type("epcisException:NoSuchResourceException")
    };
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let found = app.captures.store.capture(&caller.section.name, id).await;
    found.map_err(problem::store)?.ok_or_else(unknown)
}

/// JSON, and nothing else.
fn media_type(headers: &HeaderMap) -> Result<String, Problem> {
    let sent = headers.get(header::CONTENT_TYPE);
    let sent = sent
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let bare = sent
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if matches!(bare.as_str(), "application/json" | "application/ld+json") && sent.len() <= 256 {
        return Ok(sent.to_owned());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "media-type",
        "Unsupported Media Type",
    )
    .of_type("epcisException:UnsupportedMediaTypeException")
    .detail("send application/json or application/ld+json"))
}

fn behaviour(headers: &HeaderMap) -> Result<Behaviour, Problem> {
    let Some(sent) = headers.get(BEHAVIOUR) else {
        return Ok(Behaviour::Rollback);
    };
    let known = sent.to_str().ok().and_then(Behaviour::from_word);
    known.ok_or_else(|| {
        invalid("GS1-Capture-Error-Behaviour must be `rollback` or `proceed`".to_owned())
    })
}

fn invalid(detail: String) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "document",
        "The document cannot be captured",
    )
    .of_type("epcisException:ValidationException")
    .detail(detail)
}

fn too_large(what: Option<String>) -> Problem {
    let detail =
        what.unwrap_or_else(|| format!("the document is longer than {DOCUMENT_MAX} bytes"));
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "document-too-large",
        "Capture Payload too large",
    )
    .of_type("epcisException:CaptureLimitExceededException")
    .detail(detail)
    .with("events", EVENTS_MAX)
    .with("bytes", DOCUMENT_MAX)
}

fn refused(error: CaptureError) -> Problem {
    match error {
        CaptureError::Document(error) if error.is_limit() => too_large(Some(causes(&error))),
        CaptureError::Document(error) => invalid(causes(&error)),
        CaptureError::TooOften => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-often",
            "Too many documents",
        )
        .detail(error.to_string()),
        CaptureError::NotRecorded | CaptureError::Contended => {
            Problem::unavailable(error.to_string())
        }
        CaptureError::Store(error) => problem::store(error),
        CaptureError::Inconsistent(_) | CaptureError::Random(_) => {
            tracing::error!(error = causes(&error), "a document was not captured");
            Problem::internal()
        }
    }
}

/// A capture job as the standard has it, with where each event went.
fn job_of(kept: &KeptCapture, events: &[CapturedAs]) -> Value {
    let list = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!([]));
    let errors: Value = list(&kept.errors);
    let success = errors.as_array().is_some_and(Vec::is_empty);
    let event = |one: &CapturedAs| {
        json!({
            "place": one.place,
            "leaf": one.leaf,
            "statement": one.statement,
            "eventID": one.event_id.map(|state| state.word()),
        })
    };
    json!({
        "captureID": kept.id,
        "createdAt": kept.received.to_rfc3339(),
        "finishedAt": kept.received.to_rfc3339(),
        "running": false,
        "success": success,
        "captureErrorBehaviour": kept.behaviour,
        "errors": errors,
        "warnings": list(&kept.warnings),
        "document": {
            "sha256": kept.document,
            "mediaType": kept.media_type,
            "events": kept.events,
            "captured": kept.captured,
        },
        "events": events.iter().map(event).collect::<Vec<_>>(),
    })
}
