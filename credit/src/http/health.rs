//! Whether the service lives, and whether it can answer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use kit::routes::{Routes, get};
use serde_json::{Value, json};

use crate::desk::Desk;

/// Routes for whoever watches the service.
pub(super) fn routes(desk: Arc<Desk>) -> Routes<()> {
    Routes::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(desk)
}

/// `GET /health/live`: 200 while the process answers at all.
async fn live() -> Json<Value> {
    Json(json!({ "live": true }))
}

/// `GET /health/ready`: 200 while the store answers, else 503.
async fn ready(State(desk): State<Arc<Desk>>) -> (StatusCode, Json<Value>) {
    let ready = desk.credit().store().list(0, 1).await.is_ok();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "live": true, "ready": ready, "store": ready })),
    )
}
