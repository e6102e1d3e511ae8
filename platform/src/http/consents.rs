//! Consents of suppliers to banks: in by anybody, since the signature decides; out to the two that a
//! chain names.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use kit::problem::Problem;
use schemas::b64;
use schemas::causes::causes;
use schemas::ids::Slug;
use serde_json::{Value, json};

use super::asker::Asker;
use super::evidence::{no_consent, readers_of};
use super::{Shared, problem};
use crate::consent::{Entrance, RefusedConsent};

/// `POST /v1/consents`: a signed grant or withdrawal.
pub(super) async fn take(State(app): State<Shared>, body: Bytes) -> Result<Json<Value>, Problem> {
    let registry = app.gate.snapshot();
    let banks: Vec<&str> = app.readers.iter().map(|one| one.name.as_str()).collect();
    let entrance = Entrance {
        store: &*app.store,
        registry: &registry,
        log: &app.policy.log,
        banks: &banks,
        now: app.clock.now(),
    };
    let signed = entrance.take(body.to_vec()).await.map_err(refused)?;
    app.ingest.wake.notary.notify_one();
    let consent = &signed.consent;
    Ok(Json(json!({
        "supplier": consent.supplier,
        "bank": consent.bank,
        "number": consent.number,
        "id": signed.id(),
        "hash": signed.hash(),
    })))
}

fn refused(error: RefusedConsent) -> Problem {
    let status = match &error {
        RefusedConsent::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        RefusedConsent::Signer { .. } | RefusedConsent::State { .. } => StatusCode::FORBIDDEN,
        RefusedConsent::Taken(_) | RefusedConsent::Full => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    };
    if let RefusedConsent::Store(error) = error {
        return problem::store(error);
    }
    let field = error.field().map(str::to_owned);
    let title = "The consent document is not taken";
    let refused = Problem::new(status, "consent-refused", title).detail(causes(&error));
    match field {
        Some(field) => refused.with("field", field),
        None => refused,
    }
}

/// `GET /v1/consents/{supplier}/{bank}` with the bearer token of either: the whole chain, each
/// document with its proof once a witnessed checkpoint has its log entry.
pub(super) async fn chain(
    State(app): State<Shared>,
    Path((supplier, bank)): Path<(Slug, Slug)>,
    asker: Asker,
) -> Result<Json<Value>, Problem> {
    let is_named = [bank.as_str(), supplier.as_str()];
    if !readers_of(&app, &asker).any(|reader| is_named.contains(&reader.name.as_str())) {
        return Err(no_consent());
    }
    let kept = app.store.consents(&supplier, &bank).await;
    let mut consents = Vec::new();
    for document in kept.map_err(problem::store)? {
        let proof = app.documents.proof(&app.bundler, &document.hash).await;
        let proof = proof.map_err(problem::store)?;
        let document = b64::encode(&document.bytes);
        consents.push(json!({ "document": document, "proof": proof }));
    }
    Ok(Json(json!({ "consents": consents })))
}
