//! `GET /v1/decisions` and `GET /v1/decisions/{id}`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use kit::problem::Problem;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{App, internal};
use crate::loan::{Decision, Record};
use crate::store::PAGE_MAX;

/// Which part of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    #[serde(default)]
    skip: u32,
    take: Option<u32>,
}

/// Decisions, newest first.
pub(crate) async fn list(
    State(app): State<App>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Vec<Decision>>, Problem> {
    let Query(page) = page.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let take = page.take.unwrap_or(50).min(PAGE_MAX);
    let list = app.desk.credit().store().list(page.skip, take).await;
    list.map(Json).map_err(|error| internal(&error))
}

/// One decision with its inputs and facts, as they were hashed.
pub(crate) async fn lookup(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let record = find(&app, &id).await?;
    let (inputs, facts) = kept(&record).map_err(|error| internal(&error))?;
    Ok(Json(
        json!({ "decision": record.decision, "inputs": inputs, "facts": facts }),
    ))
}

fn kept(record: &Record) -> Result<(Value, Value), serde_json::Error> {
    Ok((
        serde_json::from_slice(&record.inputs)?,
        serde_json::from_slice(&record.facts)?,
    ))
}

/// The record of a decision.
async fn find(app: &App, id: &str) -> Result<Record, Problem> {
    let record = app
        .desk
        .credit()
        .store()
        .lookup(id)
        .await
        .map_err(|error| internal(&error))?;
    record.ok_or_else(|| Problem::not_found("There is no decision with this id."))
}
