//! State and metrics of a monitor over HTTP.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::kept::Raised;

/// Alarms that the state shows, newest last.
const SHOWN: usize = 1_000;

/// What `GET /status` answers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// The log's name.
    pub origin: String,
    /// Entries that were read and found whole.
    pub size: u64,
    /// Since when that is certain, RFC 3339; empty before the first checkpoint.
    pub anchored: String,
    /// When the last round ended, RFC 3339.
    pub last_round: String,
    /// What could not be read in the last round.
    pub trouble: Vec<String>,
    /// Alarms, oldest first.
    pub alarms: Vec<Raised>,
}

/// Shared between the rounds and the listener.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Status>>);

impl Shared {
    /// Puts a new state up.
    pub(super) fn set(&self, mut status: Status) {
        let from = status.alarms.len().saturating_sub(SHOWN);
        status.alarms.drain(..from);
        metrics::gauge!("tracebond_monitor_size").set(status.size as f64);
        metrics::gauge!("tracebond_monitor_trouble").set(status.trouble.len() as f64);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    fn get(&self) -> Status {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// `GET /status` (JSON; 503 while there is an alarm), `GET /metrics`, `GET /health/live`.
pub(super) fn routes(
    shared: Shared,
    render: impl Fn() -> String + Clone + Send + Sync + 'static,
) -> Router {
    let metrics = move || {
        let text = render();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
    };
    Router::new()
        .route("/status", get(status))
        .route("/health/live", get(|| async { "alive\n" }))
        .route("/metrics", get(metrics))
        .with_state(shared)
}

async fn status(State(shared): State<Shared>) -> Response {
    let status = shared.get();
    let code = if status.alarms.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, axum::Json(status)).into_response()
}
