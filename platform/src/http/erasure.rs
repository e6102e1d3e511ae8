//! What was erased, for everybody, and what organisations withhold.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::ids::Slug;
use serde_json::{Value, json};

use super::{Shared, problem};
use crate::disclosure::{RefusedDisclosure, accept};

/// `GET /v1/tombstones`: the lists that the log has, in its order.
pub(super) async fn tombstones(State(app): State<Shared>) -> Result<Json<Value>, Problem> {
    let lists = app.store.tombstone_lists().await.map_err(problem::store)?;
    let row = |list: &crate::store::erasure::LoggedList| json!({ "hash": list.hash, "count": list.count, "index": list.log_index });
    Ok(Json(json!(lists.iter().map(row).collect::<Vec<_>>())))
}

/// `GET /v1/tombstones/{hash}`: a list.
pub(super) async fn tombstone_list(
    State(app): State<Shared>,
    Path(hash): Path<Hash>,
) -> Result<Response, Problem> {
    let list = app.store.tombstone_list(&hash).await;
    let list = list
        .map_err(problem::store)?
        .ok_or_else(|| Problem::not_found("there is no tombstone list of this hash"))?;
    let headers = [
        (header::CONTENT_TYPE, "application/cbor"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, list).into_response())
}

/// `POST /v1/disclosure`: a signed document.
pub(super) async fn disclose(
    State(app): State<Shared>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let registry = app.gate.snapshot();
    let now = app.clock.now();
    let taken = accept(&*app.store, &registry, &app.policy.log, body.to_vec(), now).await;
    let signed = taken.map_err(refused)?;
    app.ingest.wake.notary.notify_one();
    Ok(Json(json!({
        "organisation": signed.disclosure.organisation,
        "version": signed.disclosure.version,
        "hash": signed.hash(),
    })))
}

fn refused(error: RefusedDisclosure) -> Problem {
    let status = match error {
        RefusedDisclosure::Store(error) => return problem::store(error),
        RefusedDisclosure::Document(_) | RefusedDisclosure::Log => StatusCode::BAD_REQUEST,
        RefusedDisclosure::Signer(_) | RefusedDisclosure::Signature(_) => StatusCode::FORBIDDEN,
        RefusedDisclosure::Taken => StatusCode::CONFLICT,
    };
    Problem::new(
        status,
        "disclosure-refused",
        "The disclosure document is not taken",
    )
    .detail(causes(&error))
}

/// `GET /v1/disclosure/{organisation}`: its newest document.
pub(super) async fn newest_disclosure(
    State(app): State<Shared>,
    Path(organisation): Path<Slug>,
) -> Result<Response, Problem> {
    served(&app, &organisation, None, "no-cache").await
}

/// `GET /v1/disclosure/{organisation}/{version}`: one of its documents.
pub(super) async fn disclosure(
    State(app): State<Shared>,
    Path((organisation, version)): Path<(Slug, u64)>,
) -> Result<Response, Problem> {
    let cache = "public, max-age=31536000, immutable";
    served(&app, &organisation, Some(version), cache).await
}

async fn served(
    app: &Shared,
    organisation: &Slug,
    version: Option<u64>,
    cache: &'static str,
) -> Result<Response, Problem> {
    let kept = app.store.disclosure(organisation, version).await;
    let kept = kept
        .map_err(problem::store)?
        .ok_or_else(|| Problem::not_found("the organisation has no such disclosure document"))?;
    let headers = [
        (header::CONTENT_TYPE, schemas::disclosure::TYP_DISCLOSURE),
        (header::CACHE_CONTROL, cache),
    ];
    Ok((headers, kept.bytes).into_response())
}
