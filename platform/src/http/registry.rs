//! The registry: records in, heads and lists out.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use kit::problem::Problem;
use schemas::hash::Hash;
use schemas::ids::Slug;
use serde::Serialize;
use serde_json::{Value, json};

use super::asker::Asker;
use super::{Shared, evidence, problem};
use crate::monitor::shown::{Shown, ShownRecord};
use crate::registry::{Entry, Snapshot};

/// `POST /v1/registry/records`: a signed record; 201 with the registry version that holds it.
pub(super) async fn admit(
    State(app): State<Shared>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let version = app
        .registrar
        .admit(body.to_vec())
        .await
        .map_err(problem::admit)?;
    app.operator
        .register_own_keys(&app.gate, &app.registrar)
        .await
        .map_err(problem::admit)?;
    app.ingest.wake.credentials.notify_one();
    Ok((
        StatusCode::CREATED,
        Json(json!({ "registry_version": version })),
    ))
}

/// `GET /v1/registry`: the newest head.
pub(super) async fn head(State(app): State<Shared>) -> Json<Value> {
    let snapshot = app.gate.snapshot();
    Json(match snapshot.head {
        None => json!({ "version": 0, "count": 0 }),
        Some(head) => json!({ "version": head.version, "count": head.count, "root": head.root }),
    })
}

/// `GET /v1/registry/list/{version}`: (kid, record hash) of every key, so that anyone can rebuild
/// the root.
pub(super) async fn list(
    State(app): State<Shared>,
    Path(version): Path<u64>,
) -> Result<Json<Listed>, Problem> {
    let head = app.store.head_at(version).await.map_err(problem::store)?;
    let head = head.ok_or_else(|| Problem::not_found("there is no such registry version"))?;
    let keys = app.store.registry_list(version).await;
    Ok(Json(Listed {
        version,
        root: head.root,
        keys: keys.map_err(problem::store)?,
    }))
}

/// What is served of a registry version; written as it is, without a tree of values between: there
/// may be a million keys.
#[derive(Serialize)]
pub(super) struct Listed {
    version: u64,
    root: Hash,
    keys: Vec<(Hash, Hash)>,
}

/// `GET /v1/registry/organisations`: the newest record of every organisation's own key, with the
/// salt that leads to its leaf, so that anybody sees who was admitted and by whom.
pub(super) async fn organisations(State(app): State<Shared>) -> Json<Shown> {
    let snapshot = app.gate.snapshot();
    Json(shown(&snapshot, snapshot.organisations()))
}

/// `GET /v1/registry/records/{organisation}` with a bearer token: the newest records of all keys
/// of an organisation that has opened its evidence to the reader.
pub(super) async fn records(
    State(app): State<Shared>,
    Path(organisation): Path<Slug>,
    asker: Asker,
) -> Result<Json<Shown>, Problem> {
    evidence::check_reader(&app, &organisation, &asker).await?;
    let snapshot = app.gate.snapshot();
    Ok(Json(shown(
        &snapshot,
        snapshot.of_organisation(&organisation),
    )))
}

fn shown<'e>(snapshot: &Snapshot, entries: impl Iterator<Item = &'e Entry>) -> Shown {
    let record = |entry: &Entry| ShownRecord {
        record: entry.bytes().to_vec(),
        salt: entry.salt().0.to_vec(),
    };
    Shown {
        version: snapshot.head.map_or(0, |head| head.version),
        records: entries.map(record).collect(),
    }
}
