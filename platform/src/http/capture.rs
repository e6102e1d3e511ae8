//! Statements over HTTP: the same checks as over MQTT, the receipt in the answer.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::receipt::Reply;

use super::{Shared, problem};
use crate::anchor;
use crate::ingest::{Incoming, Outcome};

/// `POST /v1/statements`: a message of `statement.md` section 4; 200 with the reply of section 6.
pub(super) async fn statement(State(app): State<Shared>, body: Bytes) -> Result<Response, Problem> {
    let message = Incoming {
        topic: "https".into(),
        sender: None,
        payload: body,
    };
    let processed = app
        .ingest
        .process(&[message])
        .await
        .map_err(problem::store)?;
    match (
        processed.outcomes.into_iter().next(),
        processed.replies.into_iter().next(),
    ) {
        (Some(Outcome::Stored { .. }), Some((_, reply))) => {
            Ok(([(header::CONTENT_TYPE, "application/cbor")], reply).into_response())
        }
        (Some(Outcome::Quarantined(rejection)), _) => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "quarantined",
            "The message cannot be verified and was put into quarantine",
        )
        .detail(rejection.detail)
        .with("code", rejection.code)),
        _ => Err(Problem::internal()),
    }
}

/// `GET /v1/inclusions/{statement id}`: the reply of kind 1, for a device that has lost it.
pub(super) async fn inclusion(
    State(app): State<Shared>,
    Path(id): Path<Hash>,
) -> Result<Response, Problem> {
    let found = anchor::inclusion_of(&*app.store, &app.bundler.tree, &id).await;
    let found = found.map_err(|error| {
        tracing::error!(error = causes(&error), "an inclusion could not be made");
        Problem::internal()
    })?;
    let waiting = "no witnessed checkpoint covers this statement, or it is unknown";
    let inclusion = found.ok_or_else(|| Problem::not_found(waiting))?;
    let reply = Reply::Inclusion(inclusion).encode();
    Ok(([(header::CONTENT_TYPE, "application/cbor")], reply).into_response())
}
