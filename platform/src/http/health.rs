//! Health and totals.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use kit::problem::Problem;
use serde_json::{Value, json};

use super::{Shared, problem};
use crate::store::{ChainEvent, Totals};

/// `GET /health`: 200 while the store answers and the log has its quorum, else 503, with reasons.
pub(super) async fn health(State(app): State<Shared>) -> (StatusCode, Json<Value>) {
    let totals = app.store.totals().await;
    let witnesses = app.cosigner.states();
    let answering = witnesses
        .iter()
        .filter(|witness| witness.problem.is_empty())
        .count() as u64;
    let ready = totals.is_ok() && answering >= app.policy.quorum;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "live": true,
        "ready": ready,
        "store": totals.is_ok(),
        "quorum": app.policy.quorum,
        "witnesses": witnesses,
        "stopping": app.shutdown.is_cancelled(),
    });
    (status, Json(body))
}

/// `GET /v1/totals`: how much of everything there is, and what was refused by reason.
pub(super) async fn totals(State(app): State<Shared>) -> Result<Json<Value>, Problem> {
    let totals: Totals = app.store.totals().await.map_err(problem::store)?;
    let reasons = app
        .store
        .quarantine_by_code()
        .await
        .map_err(problem::store)?;
    let reasons: serde_json::Map<String, Value> = reasons
        .into_iter()
        .map(|(code, count)| (code, count.into()))
        .collect();
    Ok(Json(json!({ "totals": totals, "quarantine": reasons })))
}

/// `GET /v1/chains`: gaps, forks and silences of all devices. Public: nobody may hide them.
pub(super) async fn chains(State(app): State<Shared>) -> Result<Json<Vec<ChainEvent>>, Problem> {
    app.store
        .chain_events(None)
        .await
        .map(Json)
        .map_err(problem::store)
}

/// Counts answers by status.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("tracebond_http_answers_total", "status" => status).increment(1);
    response
}
