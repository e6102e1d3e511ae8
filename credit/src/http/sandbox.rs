//! `GET /v1/sandbox`.

use axum::Json;
use axum::extract::State;
use kit::problem::Problem;
use serde::Serialize;

use super::{App, internal};
use crate::money::Money;
use crate::sandbox::Limits;

/// Limits, used and free.
#[derive(Serialize)]
pub(crate) struct Answer {
    limits: Limits,
    used: Money,
    free: Money,
}

/// The sandbox as it stands.
pub(crate) async fn show(State(app): State<App>) -> Result<Json<Answer>, Problem> {
    let sandbox = app
        .desk
        .credit()
        .sandbox()
        .await
        .map_err(|error| internal(&error))?;
    let free = sandbox.free().map_err(|error| internal(&error))?;
    Ok(Json(Answer {
        limits: sandbox.limits,
        used: sandbox.used,
        free,
    }))
}
