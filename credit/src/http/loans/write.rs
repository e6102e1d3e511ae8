//! What machines do with loans: in a borrower's name, and the bank's core system in its own.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use kit::people::Machine;
use kit::problem::Problem;
use kit::{etag, idempotency};
use schemas::hash::{Hash, sha256, sha256_parts};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::read::shown;
use super::{lending, name, problem};
use crate::http::{App, internal, refused};
use crate::lending::{Acceptance, Draw, NewToken, Paid, Request, Seen};
use crate::loan::life::{Actor, Deed, Key, Loan};
use crate::money::Money;

type Body<T> = Result<Json<T>, JsonRejection>;

fn read<T: DeserializeOwned>(body: Body<T>) -> Result<T, Problem> {
    match body {
        Ok(Json(body)) => Ok(body),
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The request is too large",
            "A request has at most 16 KiB.",
        )),
        Err(rejection) => Err(Problem::bad_request(rejection.body_text())),
    }
}

fn money(amount: &str, currency: &str) -> Result<Money, Problem> {
    let wrong = |field: &'static str, why: String| {
        refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            "amount-refused",
            "The amount is refused",
            format!("{field}: {why}"),
        )
        .with("field", field)
    };
    let currency = currency
        .parse()
        .map_err(|error: crate::money::MoneyError| wrong("currency", error.to_string()))?;
    Money::parse(amount, currency).map_err(|error| wrong("amount", error.to_string()))
}

/// The act's key of a request: of who sends it and the `Idempotency-Key`.
fn key(machine: &Machine, headers: &HeaderMap) -> Result<Key, Problem> {
    let missing = || {
        Problem::bad_request("An Idempotency-Key of 1 to 128 printable characters is needed.")
            .with("field", "Idempotency-Key")
    };
    let sent = headers
        .get(idempotency::HEADER)
        .and_then(|value| value.to_str().ok());
    let sent = sent.and_then(idempotency::Key::parse).ok_or_else(missing)?;
    let hash = sha256_parts(&[
        b"loan act\n",
        machine.name.as_str().as_bytes(),
        b"\n",
        sent.hash().as_bytes(),
    ]);
    let digits: String = hash.to_string().chars().take(30).collect();
    format!("k/{digits}").parse().map_err(|_| missing())
}

/// No loan has so few acts: it is opened by one.
const ANOTHER: u32 = 0;

/// How many acts the loan had that `If-Match` names by the tag of `GET /v1/loans/{id}`; nothing without
/// the header. Another tag is no refusal of this place: the loan itself refuses, and keeps that.
async fn seen(app: &App, id: &str, headers: &HeaderMap) -> Result<Option<u32>, Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(None);
    }
    let (shown, acts) = shown(app, id).await?;
    let bytes = serde_json::to_vec(&shown).map_err(|error| internal(&error))?;
    let is_same = etag::matches_content(headers, &bytes)?;
    Ok(Some(if is_same { acts } else { ANOTHER }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accept {
    decision_id: String,
    supplier: Slug,
    instalments: Option<u32>,
}

/// The borrower accepts an offer.
pub(crate) async fn accept(
    State(app): State<App>,
    _: Machine,
    body: Body<Accept>,
) -> Result<Response, Problem> {
    let body = read(body)?;
    let acceptance = Acceptance {
        decision_id: body.decision_id,
        supplier: body.supplier,
        instalments: body.instalments,
    };
    let done = lending(&app)?.accept(&acceptance).await;
    let done = done.map_err(|error| problem(&error))?;
    let status = if done.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let place = format!("/v1/loans/{}", done.loan.file().id());
    Ok((status, [(header::LOCATION, place)], Json(state(&done.loan))).into_response())
}

fn state(loan: &Loan) -> Value {
    json!({ "loan": loan.file().id().as_str(), "state": loan.word() })
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Paid,
    RepaidEarly,
    Recovered,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payment {
    kind: Kind,
    amount: String,
    currency: String,
    value: Option<NaiveDate>,
}

/// Money came.
pub(crate) async fn pay(
    State(app): State<App>,
    machine: Machine,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body<Payment>,
) -> Result<Json<Value>, Problem> {
    let key = key(&machine, &headers)?;
    let body = read(body)?;
    let amount = money(&body.amount, &body.currency)?;
    let deed = match body.kind {
        Kind::Paid => Deed::Paid { amount },
        Kind::RepaidEarly => Deed::RepaidEarly { amount },
        Kind::Recovered => Deed::Recovered { amount },
    };
    let request = Request {
        loan: name(&id)?,
        key,
        value: body.value,
        by: Actor::Bank,
        deed,
    };
    let done = lending(&app)?.act(request).await;
    Ok(Json(state(&done.map_err(|error| problem(&error))?.loan)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Issue {
    token_sha256: Hash,
    account: String,
    amount: String,
    currency: String,
    expires: Option<String>,
}

/// Issues a token. The secret is the borrower's: only its hash comes here.
pub(crate) async fn issue(
    State(app): State<App>,
    _: Machine,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body<Issue>,
) -> Result<Response, Problem> {
    let body = read(body)?;
    let seen = seen(&app, &id, &headers).await?;
    let expires = body.expires.as_deref().map(instant).transpose()?;
    let token = NewToken {
        loan: name(&id)?,
        token: body.token_sha256,
        account: body.account,
        amount: money(&body.amount, &body.currency)?,
        expires,
    };
    let lending = lending(&app)?;
    let done = match seen {
        Some(seen) => lending.issue_as_seen(&token, Actor::Machine, seen).await,
        None => lending.issue(&token, Actor::Machine).await,
    };
    let done = done.map_err(|error| problem(&error))?;
    Ok((StatusCode::CREATED, Json(state(&done.loan))).into_response())
}

fn instant(text: &str) -> Result<Instant, Problem> {
    let wrong = || Problem::bad_request("expires: an RFC 3339 instant is needed.");
    Instant::parse_rfc3339(text).ok_or_else(|| wrong().with("field", "expires"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    supplier: Slug,
    amount: String,
    currency: String,
}

/// The borrower lowers the open token.
pub(crate) async fn limit(
    State(app): State<App>,
    machine: Machine,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body<Limit>,
) -> Result<Json<Value>, Problem> {
    let key = key(&machine, &headers)?;
    let body = read(body)?;
    let amount = money(&body.amount, &body.currency)?;
    let seen = Seen {
        acts: seen(&app, &id, &headers).await?,
        token: None,
    };
    let done = lending(&app)?
        .limit(&name(&id)?, key, body.supplier, amount, seen)
        .await;
    Ok(Json(state(&done.map_err(|error| problem(&error))?.loan)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revoke {
    supplier: Slug,
}

/// The borrower takes the open token back.
pub(crate) async fn revoke(
    State(app): State<App>,
    machine: Machine,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body<Revoke>,
) -> Result<Json<Value>, Problem> {
    let key = key(&machine, &headers)?;
    let supplier = read(body)?.supplier;
    let by = Actor::Borrower { supplier };
    let seen = Seen {
        acts: seen(&app, &id, &headers).await?,
        token: None,
    };
    let done = lending(&app)?.revoke(&name(&id)?, key, by, seen).await;
    Ok(Json(state(&done.map_err(|error| problem(&error))?.loan)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Use {
    supplier: Slug,
    /// 64 hex digits.
    secret: Hash,
    account: String,
    amount: String,
    currency: String,
}

/// The borrower draws: 200 once the money is out, 202 while nobody knows, 409 if the bank refused.
pub(crate) async fn draw(
    State(app): State<App>,
    _: Machine,
    Path(id): Path<String>,
    body: Body<Use>,
) -> Result<Response, Problem> {
    let body = read(body)?;
    let draw = Draw {
        loan: name(&id)?,
        supplier: body.supplier,
        token: sha256(body.secret.as_bytes()),
        account: body.account,
        amount: money(&body.amount, &body.currency)?,
    };
    let paid = lending(&app)?.draw(&draw).await;
    Ok(match paid.map_err(|error| problem(&error))? {
        Paid::Out(loan) => Json(state(&loan)).into_response(),
        Paid::Waiting => {
            let waits = json!({ "loan": draw.loan.as_str(), "state": "disbursing" });
            (StatusCode::ACCEPTED, Json(waits)).into_response()
        }
        Paid::Refused(_) => refused(
            StatusCode::CONFLICT,
            "not-paid",
            "The bank has not paid",
            "The bank's core system has refused the payment; another token may be issued.",
        )
        .into_response(),
    })
}
