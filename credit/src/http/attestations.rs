//! `POST /v1/attestations`: what an issuer says about a supplier, or that it says it no longer. From
//! anybody: the issuer's signature decides, and the bank's own list says who is one.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use kit::problem::Problem;
use kit::routes::{Routes, post};
use schemas::causes::causes;
use serde_json::{Value, json};

use super::{internal, refused};
use crate::desk::Desk;
use crate::service::AttestError;
use crate::store::papers::PaperKept;

/// The route, outside of what needs a person or a machine.
pub(super) fn routes(desk: Arc<Desk>) -> Routes<()> {
    Routes::new()
        .route("/v1/attestations", post(take))
        .with_state(desk)
}

/// 201 where it is new, 200 where it was held before.
async fn take(
    State(desk): State<Arc<Desk>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let held = desk.credit().attest(body.to_vec()).await;
    let (paper, kept) = held.map_err(|error| problem(&error))?;
    let status = match kept {
        PaperKept::New => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let body = json!({
        "kind": paper.kind.word(),
        "id": paper.id,
        "issuer": paper.issuer,
        "supplier": paper.supplier,
        "hash": paper.hash,
    });
    Ok((status, Json(body)))
}

fn problem(error: &AttestError) -> Problem {
    let status = match error {
        AttestError::Store(_) => return internal(error),
        AttestError::None => StatusCode::UNPROCESSABLE_ENTITY,
        AttestError::Issuer { .. } | AttestError::Signature | AttestError::Kind { .. } => {
            StatusCode::FORBIDDEN
        }
        AttestError::NotHeld(_) | AttestError::Full(_) => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    };
    let title = "The attestation is not taken";
    let refused = refused(status, "attestation-refused", title, causes(error));
    match error.field() {
        Some(field) => refused.with("field", field),
        None => refused,
    }
}
