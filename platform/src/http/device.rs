//! What a device asks that has lost its memory or a message: where its chain ends here, and the
//! receipt for a statement.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::b64;
use schemas::hash::{Hash, sha256};
use schemas::ids::DeviceAddress;
use serde_json::{Value, json};

use super::{App, Shared, problem};

/// `GET /v1/receipts/{statement id}`: the reply of kind 0 for a statement that is stored, made anew;
/// for a device that has lost it. Whoever knows the id may ask, as for an inclusion.
pub(super) async fn receipt(
    State(app): State<Shared>,
    Path(id): Path<Hash>,
) -> Result<Response, Problem> {
    let reply = receipt_of(&app, &id).await?;
    let reply = reply.ok_or_else(|| Problem::not_found("this statement is not stored"))?;
    Ok(([(header::CONTENT_TYPE, "application/cbor")], reply).into_response())
}

/// `GET /v1/head/{organisation}/{device}`: the newest statement of a device that is stored, with the
/// receipt that names it: `{"statement", "receipt"}` in base64, the latter as a reply of kind 0. For
/// the device alone, with the name and password that it has at the broker. 404 while nothing of it
/// is stored.
///
/// A device that was given back an older copy of its memory learns by it where its chain goes on.
/// The receipt makes a lie provable: it names what the platform said was there.
pub(super) async fn head(
    State(app): State<Shared>,
    Path((organisation, device)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let address: DeviceAddress = format!("{organisation}/{device}")
        .parse()
        .map_err(|_| Problem::not_found("no such device"))?;
    if !is_device(&app, &address, &headers).await? {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "login",
            "Only the device itself may ask, as it logs in at the broker",
        ));
    }
    let newest = app
        .store
        .newest_of(&address)
        .await
        .map_err(problem::store)?;
    let nothing = || Problem::not_found("nothing of this device is stored");
    let id = newest.ok_or_else(nothing)?;
    let kept = app.store.statement(&id).await.map_err(problem::store)?;
    let kept = kept.ok_or_else(nothing)?;
    let receipt = receipt_of(&app, &id).await?.ok_or_else(nothing)?;
    Ok(Json(json!({
        "statement": b64::encode(&kept.bytes),
        "receipt": b64::encode(&receipt),
    })))
}

/// RFC 7617 with what the broker asks for: the address and 64 hex digits.
async fn is_device(
    app: &App,
    address: &DeviceAddress,
    headers: &HeaderMap,
) -> Result<bool, Problem> {
    let Some(password) = password_of(address, headers) else {
        return Ok(false);
    };
    if app.gate.snapshot().speaker(address).is_none() {
        return Ok(false);
    }
    let known = app.store.credential(&address.to_string()).await;
    Ok(known.map_err(problem::store)? == Some(sha256(&password)))
}

fn password_of(address: &DeviceAddress, headers: &HeaderMap) -> Option<[u8; 32]> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = b64::decode(value.strip_prefix("Basic ")?)?;
    let text = String::from_utf8(decoded).ok()?;
    let (name, password) = text.split_once(':')?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(password, &mut bytes).ok()?;
    (name == address.to_string()).then_some(bytes)
}

async fn receipt_of(app: &App, id: &Hash) -> Result<Option<Vec<u8>>, Problem> {
    let Some(kept) = app.store.statement(id).await.map_err(problem::store)? else {
        return Ok(None);
    };
    let events = app.store.events_of_statement(id).await;
    let events = events.map_err(problem::store)?;
    let refused = events.into_iter().filter_map(|event| {
        let code = event.refused?;
        Some((kept.position.seq, event.position, code))
    });
    Ok(Some(app.ingest.receipt_again(&kept, refused.collect())))
}
