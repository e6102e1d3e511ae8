//! The enrolment relay (`statement.md` section 7): the platform passes messages between a device
//! and its organisation, which trust each other by the claim's secret and never it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::b64;
use schemas::causes::causes;
use schemas::enrol::Request;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::registry::{Record, Role, State as KeyState};
use schemas::statement::{Note, Statement};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Shared, problem};
use crate::store::Enrolment;

/// Most enrolments that are kept.
const ENROLMENTS_MAX: u64 = 100_000;

fn refused(detail: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "enrolment-refused",
        "The enrolment message is refused",
    )
    .detail(detail)
}

/// `POST /v1/enrol`: a device's signed request.
pub(super) async fn request(State(app): State<Shared>, body: Bytes) -> Result<StatusCode, Problem> {
    let request = Request::parse(&body).map_err(|error| refused(causes(&error)))?;
    if request.log != app.policy.log {
        return Err(refused("the request names another log"));
    }
    let claim = hex::encode(request.claim);
    let enrolment = Enrolment {
        claim,
        request: body.to_vec(),
        draft: None,
        mac: None,
        consent: None,
    };
    let now = app.clock.now();
    let kept = app
        .store
        .add_enrolment(&enrolment, now, ENROLMENTS_MAX)
        .await
        .map_err(problem::store)?;
    if kept {
        Ok(StatusCode::ACCEPTED)
    } else {
        Err(Problem::new(
            StatusCode::CONFLICT,
            "claim-used",
            "This claim has been used",
        ))
    }
}

async fn find(app: &Shared, claim: &str) -> Result<Enrolment, Problem> {
    let found = app.store.enrolment(claim).await.map_err(problem::store)?;
    found.ok_or_else(|| Problem::not_found("no device has asked with this claim"))
}

/// `GET /v1/enrol/{claim}`: how far it is; for the device the answer, for the organisation request
/// and consent. Nothing in it is secret.
pub(super) async fn state(
    State(app): State<Shared>,
    Path(claim): Path<String>,
) -> Result<Json<Value>, Problem> {
    let enrolment = find(&app, &claim).await?;
    let request = Request::parse(&enrolment.request).map_err(|_| Problem::internal())?;
    // The key of an old claim that does not count any more brings nothing back, least of all its
    // broker password.
    let snapshot = app.gate.snapshot();
    let gone = snapshot
        .key(&request.key.kid())
        .is_some_and(|signed| signed.record.state != KeyState::Active);
    let answer = match gone {
        true => None,
        false => answer(&app, &request).await?,
    };
    let state = match (&answer, &enrolment.consent, &enrolment.draft) {
        _ if gone => "refused",
        (Some(_), _, _) => "admitted",
        (None, Some(_), _) => "consented",
        (None, None, Some(_)) => "drafted",
        _ => "waiting",
    };
    let mut body = json!({ "state": state, "request": b64::encode(&enrolment.request) });
    if gone {
        body["reason"] = "this key is not in use any more".into();
    }
    let last_word = last_word(&app, &enrolment, &request).await?;
    let optional = [
        ("last_word", last_word),
        (
            "draft",
            enrolment
                .draft
                .map(|draft| Value::from(b64::encode(&draft))),
        ),
        ("hmac", enrolment.mac.map(Value::from)),
        (
            "consent",
            enrolment
                .consent
                .map(|consent| Value::from(b64::encode(&consent))),
        ),
        ("answer", answer),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    Ok(Json(body))
}

/// The last word of the key that this one shall replace: the newest statement of the device that
/// the draft names, if it names this key as the next one. So nobody learns anything of a device
/// from this that its present key has not said for them.
async fn last_word(
    app: &Shared,
    enrolment: &Enrolment,
    request: &Request,
) -> Result<Option<Value>, Problem> {
    let draft = enrolment.draft.as_deref().map(Record::parse_draft);
    let Some(address) = draft
        .and_then(Result::ok)
        .and_then(|record| record.address())
    else {
        return Ok(None);
    };
    let newest = app
        .store
        .newest_of(&address)
        .await
        .map_err(problem::store)?;
    let Some(id) = newest else { return Ok(None) };
    let kept = app.store.statement(&id).await.map_err(problem::store)?;
    let statement = kept.and_then(|kept| Statement::parse(kept.bytes).ok());
    let names = |statement: &Statement| {
        let next = statement.payload.note.as_ref().and_then(Note::next_key);
        next == Some(request.key.kid())
    };
    let statement = statement.filter(names);
    Ok(statement.map(|statement| Value::from(b64::encode(statement.bytes()))))
}

/// What an admitted device needs to begin; its broker credential becomes valid with it.
async fn answer(app: &Shared, request: &Request) -> Result<Option<Value>, Problem> {
    let snapshot = app.gate.snapshot();
    let Some(device) = snapshot.key(&request.key.kid()) else {
        return Ok(None);
    };
    let (Some(organisation), Some(address)) =
        (snapshot.organisation_of(device), device.record.address())
    else {
        return Ok(None);
    };
    let Some((receipt, receipt_organisation)) = app.operator.receipt_records(&snapshot) else {
        return Err(Problem::unavailable(
            "the platform's own receipt key is not admitted yet",
        ));
    };
    put_credential(app, &address, request).await?;
    Ok(Some(json!({
        "record": b64::encode(device.bytes()),
        "organisation_record": b64::encode(organisation.bytes()),
        "receipt_record": b64::encode(receipt.bytes()),
        "receipt_organisation_record": b64::encode(receipt_organisation.bytes()),
        // The claim names the first log key: from its policy the device follows the others.
        "policy": b64::encode(&app.policies().chain()[0].entry),
        "policies": super::log::chain_of(app),
        "broker": app.broker,
        "ca": app.ca_pem,
        "username": address.to_string(),
    })))
}

async fn put_credential(
    app: &Shared,
    address: &DeviceAddress,
    request: &Request,
) -> Result<(), Problem> {
    let hash = &request.password_hash;
    let username = address.to_string();
    let known = app
        .store
        .credential(&username)
        .await
        .map_err(problem::store)?;
    if known.as_ref() == Some(hash) {
        return Ok(());
    }
    app.store
        .put_credential(&username, hash, request.verifier.as_ref())
        .await
        .map_err(problem::store)?;
    app.ingest.wake.credentials.notify_one();
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DraftBody {
    draft: String,
    hmac: Hash,
}

/// `PUT /v1/enrol/{claim}/draft`: the organisation's draft of the device's record.
pub(super) async fn draft(
    State(app): State<Shared>,
    Path(claim): Path<String>,
    Json(body): Json<DraftBody>,
) -> Result<StatusCode, Problem> {
    let enrolment = find(&app, &claim).await?;
    let draft = b64::decode(&body.draft).ok_or_else(|| refused("draft is not base64"))?;
    let record = Record::parse_draft(&draft).map_err(|error| refused(causes(&error)))?;
    let request = Request::parse(&enrolment.request).map_err(|_| Problem::internal())?;
    if record.key != request.key || record.role != Role::Capture || record.log != app.policy.log {
        return Err(refused("the draft is not for the device that asked"));
    }
    let set = app
        .store
        .set_draft(&claim, &draft, &body.hmac.to_string())
        .await;
    once(set.map_err(problem::store)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsentBody {
    consent: String,
}

/// `PUT /v1/enrol/{claim}/consent`: the new key's signature over the draft.
pub(super) async fn consent(
    State(app): State<Shared>,
    Path(claim): Path<String>,
    Json(body): Json<ConsentBody>,
) -> Result<StatusCode, Problem> {
    let enrolment = find(&app, &claim).await?;
    let consent = b64::decode(&body.consent).and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
    let consent = consent.ok_or_else(|| refused("consent is not base64 of 64 bytes"))?;
    let draft = enrolment
        .draft
        .ok_or_else(|| refused("there is no draft to consent to"))?;
    let record = Record::parse_draft(&draft).map_err(|_| Problem::internal())?;
    record
        .key
        .verify(&record.consent_message(), &consent)
        .map_err(|error| refused(error.to_string()))?;
    once(
        app.store
            .set_consent(&claim, &consent)
            .await
            .map_err(problem::store)?,
    )
}

fn once(set: bool) -> Result<StatusCode, Problem> {
    if set {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(
            StatusCode::CONFLICT,
            "already-set",
            "This was set before and stays",
        ))
    }
}

/// `GET /v1/ca`: the CA certificate, to be compared with the claim's fingerprint. A phone offers to
/// install what has this type.
pub(super) async fn authority(State(app): State<Shared>) -> Result<Response, Problem> {
    if app.ca_pem.is_empty() {
        return Err(Problem::not_found(
            "this platform speaks plain HTTP on loopback",
        ));
    }
    let headers = [
        (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"tracebond-ca.crt\"",
        ),
    ];
    Ok((headers, app.ca_pem.clone()).into_response())
}
