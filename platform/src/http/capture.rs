//! Statements over HTTP: the same checks as over MQTT, the receipt in the answer.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;

use super::{Shared, problem};
use crate::ingest::{Incoming, Outcome};

/// `POST /v1/statements`: a message of `statement.md` section 4; 200 with the reply of section 6.
pub(super) async fn statement(State(app): State<Shared>, body: Bytes) -> Result<Response, Problem> {
    let message = Incoming {
        topic: "https".into(),
        sender: None,
        payload: body.to_vec(),
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
