//! `GET /v1/documents/{SHA-256 in hex}`: the proof that the log holds this hash (`document-proof.md`).
//! `PUT` hands a hash over for the log ([`crate::handed`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::log::Entry;
use schemas::proof::{Bytes, DOCUMENT_PROOF, DocumentProof};
use schemas::tlog::LogTree;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::asker::Asker;
use super::evidence::readers_of;
use super::{Shared, problem};
use crate::bundle::Bundler;
use crate::handed::{self, RefusedDocument};
use crate::policies::{for_bundle, signed_under};
use crate::store::{Store, StoreError};

/// Entries that are read at once.
const PAGE: u32 = 1_024;

/// Where the log holds which hash: the earliest entry of each. It is read from the log as far as nobody
/// has asked yet; there are few documents among the entries.
#[derive(Debug, Default)]
pub struct Documents {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    read: u64,
    places: BTreeMap<Hash, u64>,
}

impl Documents {
    /// Place of the earliest entry with this hash below `size`, the size of a checkpoint.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn place(
        &self,
        store: &Arc<dyn Store>,
        hash: &Hash,
        size: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut known = self.known.lock().await;
        while known.read < size {
            let entries = store.entries(known.read, PAGE).await?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                let place = known.read;
                known.read += 1;
                if let Some(hash) = hash_of(&entry) {
                    known.places.entry(hash).or_insert(place);
                }
            }
        }
        Ok(known
            .places
            .get(hash)
            .copied()
            .filter(|place| *place < size))
    }

    /// The proof of the earliest entry with this hash under the newest checkpoint; `None` while no
    /// witnessed entry holds it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn proof(
        &self,
        bundler: &Bundler,
        hash: &Hash,
    ) -> Result<Option<DocumentProof>, StoreError> {
        let store = &bundler.store;
        let Some(checkpoint) = store.newest_checkpoint().await? else {
            return Ok(None);
        };
        let Some(index) = self.place(store, hash, checkpoint.size).await? else {
            return Ok(None);
        };
        let entry = store.entries(index, 1).await?.into_iter().next();
        let tree = &bundler.tree;
        let path = tree.read(|tree: &LogTree| tree.inclusion(index, checkpoint.size));
        let chain = bundler.policies.chain();
        let reign = chain.get(signed_under(&chain, checkpoint.size));
        let (Some(entry), Some(path), Some(reign)) = (entry, path, reign) else {
            return Ok(None);
        };
        let note = for_bundle(&checkpoint.note, &reign.policy);
        Ok(note.map(|note| DocumentProof {
            tracebond: DOCUMENT_PROOF.to_owned(),
            entry: Bytes(entry),
            index,
            path: path.into(),
            checkpoint: Bytes(note),
            policy: Bytes(reign.entry.clone()),
        }))
    }
}

/// The hash that an entry of type 3 or 4 holds.
fn hash_of(entry: &[u8]) -> Option<Hash> {
    if !matches!(entry.first(), Some(3 | 4)) {
        return None;
    }
    match Entry::parse(entry).ok()? {
        Entry::Document { hash, .. } | Entry::Tombstones { hash, .. } => Some(hash),
        _ => None,
    }
}

/// The endpoint.
pub(super) async fn proof(
    State(app): State<Shared>,
    Path(hash): Path<String>,
) -> Result<Response, Problem> {
    let hash = read_hash(&hash)?;
    let proof = app
        .documents
        .proof(&app.bundler, &hash)
        .await
        .map_err(|error| {
            tracing::error!(error = causes(&error), "a document proof cannot be made");
            Problem::internal()
        })?;
    let proof = proof
        .ok_or_else(|| Problem::not_found("no witnessed entry of this log holds this hash"))?;
    Ok(([(CACHE_CONTROL, "no-cache")], axum::Json(proof)).into_response())
}

fn read_hash(text: &str) -> Result<Hash, Problem> {
    text.parse()
        .map_err(|_| Problem::bad_request("64 hex digits of SHA-256 are expected"))
}

/// What stands in the body of a hash that is handed over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Handed {
    kind: String,
}

/// `PUT /v1/documents/{SHA-256 in hex}` with `{"kind"}`: 202 if the hash is new, 200 if it was handed over
/// before.
pub(super) async fn hand(
    State(app): State<Shared>,
    Path(hash): Path<String>,
    asker: Asker,
    body: Result<Json<Handed>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let reader = reader_of(&app, &asker).ok_or_else(not_a_reader)?;
    let hash = read_hash(&hash)?;
    let Json(Handed { kind }) =
        body.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let taken = handed::take(&*app.store, &reader, &kind, hash, app.clock.now()).await;
    let is_new = taken.map_err(refused)?;
    app.ingest.wake.notary.notify_one();
    let status = if is_new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(json!({ "hash": hash, "kind": kind }))))
}

/// The first section of the asker that lets it hand documents over.
fn reader_of(app: &Shared, asker: &Asker) -> Option<Slug> {
    let mut readers = readers_of(app, asker).filter(|reader| reader.documents);
    readers.find_map(|reader| reader.name.parse().ok())
}

fn not_a_reader() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "documents-refused",
        "This reader hands no documents over",
    )
}

fn refused(error: RefusedDocument) -> Problem {
    let (status, field) = match error {
        RefusedDocument::Store(error) => return problem::store(error),
        RefusedDocument::Kind => (StatusCode::BAD_REQUEST, Some("kind")),
        RefusedDocument::Taken(_) => (StatusCode::CONFLICT, Some("hash")),
        RefusedDocument::Full => (StatusCode::TOO_MANY_REQUESTS, None),
    };
    let title = "The document's hash is not taken";
    let problem = Problem::new(status, "document-refused", title).detail(error.to_string());
    match field {
        Some(field) => problem.with("field", field),
        None => problem,
    }
}
