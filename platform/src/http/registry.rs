//! The registry: records in, heads and lists out.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use kit::problem::Problem;
use serde_json::{Value, json};

use super::{Shared, problem};

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
    let snapshot = app.gate.snapshot().await;
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
) -> Result<Json<Value>, Problem> {
    let head = app.store.head_at(version).await.map_err(problem::store)?;
    let head = head.ok_or_else(|| Problem::not_found("there is no such registry version"))?;
    let list = app
        .store
        .registry_list(version)
        .await
        .map_err(problem::store)?;
    Ok(Json(
        json!({ "version": version, "root": head.root, "keys": list }),
    ))
}
