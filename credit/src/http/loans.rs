//! Loans for machines, below `/v1/loans`.
//!
//! | address | what |
//! |---|---|
//! | `GET /v1/loans?state=&supplier=&due_by=&after=&take=` | rows, by name |
//! | `POST /v1/loans` | the borrower accepts an offer: `{"decision_id","supplier","instalments"}`; 201, or 200 if it was accepted before |
//! | `GET /v1/loans/{id}` | one: where it stands, schedule, what ends it, tokens |
//! | `GET /v1/loans/{id}/acts?after=&take=` | what happened to it |
//! | `GET /v1/loans/{id}/entries` | what that booked |
//! | `GET /v1/loans/{id}/denials` | what was asked for and refused |
//! | `POST /v1/loans/{id}/payments` | the bank's core tells of money: `{"kind","amount","currency","value"}`, under an `Idempotency-Key` |
//! | `POST /v1/loans/{id}/tokens` | issues a token: `{"token_sha256","account","amount","currency","expires"}` |
//! | `POST /v1/loans/{id}/tokens/limit` | the borrower lowers it: `{"supplier","amount","currency"}`, under an `Idempotency-Key` |
//! | `POST /v1/loans/{id}/tokens/revoke` | the borrower takes it back: `{"supplier"}`, under an `Idempotency-Key` |
//! | `POST /v1/loans/{id}/tokens/use` | the borrower draws: `{"supplier","secret","account","amount","currency"}` |

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use kit::idempotency;
use kit::people::Machine;
use kit::problem::Problem;
use kit::routes::{Routes, get, post};
use schemas::hash::{Hash, sha256, sha256_parts};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

use super::{App, internal, refused};
use crate::ledger::LoanId;
use crate::lending::{Acceptance, Draw, Lending, LendingError, NewToken, Paid, Request};
use crate::loan::life::{Actor, Deed, Key, Loan};
use crate::money::Money;
use crate::store::ledger::LIST_MAX;
use crate::store::lending::{ACTS_MAX, Denial, Head, LOANS_MAX, Which};

/// Rows of a list where nothing is said.
const TAKE: u32 = 50;

/// The routes.
pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/v1/loans", get(list).post(accept))
        .route("/v1/loans/{id}", get(show))
        .route("/v1/loans/{id}/acts", get(acts))
        .route("/v1/loans/{id}/entries", get(entries))
        .route("/v1/loans/{id}/denials", get(denials))
        .route("/v1/loans/{id}/payments", post(pay))
        .route("/v1/loans/{id}/tokens", post(issue))
        .route("/v1/loans/{id}/tokens/limit", post(limit))
        .route("/v1/loans/{id}/tokens/revoke", post(revoke))
        .route("/v1/loans/{id}/tokens/use", post(draw))
}

type Body<T> = Result<Json<T>, JsonRejection>;
type Asked<T> = Result<Query<T>, QueryRejection>;

fn lending(app: &App) -> Result<&Arc<Lending>, Problem> {
    let none = || Problem::not_found("This bank keeps no loans here: `lending` is not configured.");
    app.lending.as_ref().ok_or_else(none)
}

fn name(id: &str) -> Result<LoanId, Problem> {
    id.parse()
        .map_err(|_| Problem::not_found("There is no loan with this id."))
}

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

/// One place where errors of lending become problem documents.
fn problem(error: &LendingError) -> Problem {
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    match error {
        LendingError::Unknown(_) => Problem::not_found("There is no loan with this id."),
        LendingError::NoOffer(_) => Problem::not_found("There is no offer with this id."),
        LendingError::NoMotion => Problem::not_found("There is no open motion with this id."),
        LendingError::Refused(refusal) => {
            let status = match refusal.rule() {
                "key-reused" | "state" | "frozen" | "daily-run" => StatusCode::CONFLICT,
                _ => unprocessable,
            };
            let detail = refusal.to_string();
            refused(
                status,
                "loan-refused",
                "The loan does not allow this",
                detail,
            )
            .with("rule", refusal.rule())
        }
        LendingError::Denied { rule, reason } => refused(
            unprocessable,
            "loan-refused",
            "This is not allowed",
            reason.clone(),
        )
        .with("rule", *rule),
        LendingError::NoStage(error) => refused(
            unprocessable,
            "no-offer",
            "There is no offer",
            error.to_string(),
        ),
        LendingError::Unavailable(..) | LendingError::Busy => {
            Problem::unavailable(error.to_string())
        }
        LendingError::Randomness | LendingError::Store(_) => internal(error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    state: Option<String>,
    supplier: Option<Slug>,
    due_by: Option<NaiveDate>,
    after: Option<String>,
    take: Option<u32>,
}

fn row(head: &Head) -> Value {
    json!({
        "loan": head.loan.as_str(),
        "state": head.state,
        "supplier": head.supplier,
        "approved": head.approved,
        "instalments": head.instalments,
        "acts": head.acts,
        "run_day": head.run_day,
        "due_day": head.due_day,
        "last_booked": head.last_booked.to_rfc3339(),
    })
}

/// Rows of a list.
pub(crate) async fn list(
    State(app): State<App>,
    wanted: Asked<Wanted>,
) -> Result<Json<Value>, Problem> {
    let Query(wanted) = wanted.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let which = match (wanted.state, wanted.supplier, wanted.due_by) {
        (None, None, None) => Which::All,
        (Some(state), None, None) => Which::In(state),
        (None, Some(supplier), None) => Which::Of(supplier),
        (None, None, Some(day)) => Which::DueBy(day),
        _ => {
            let why = "One of state, supplier and due_by is possible at a time.";
            return Err(Problem::bad_request(why));
        }
    };
    let after = wanted.after.as_deref().map(name).transpose()?;
    let take = wanted.take.unwrap_or(TAKE).min(LOANS_MAX);
    let heads = lending(&app)?.list(&which, after.as_ref(), take).await;
    let heads = heads.map_err(|error| problem(&error))?;
    Ok(Json(Value::Array(heads.iter().map(row).collect())))
}

/// One loan.
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (lending, id) = (lending(&app)?, name(&id)?);
    let loaded = lending.loan(&id).await.map_err(|error| problem(&error))?;
    let told = |error: crate::loan::life::Refused| problem(&error.into());
    let mut shown = row(&loaded.head);
    let file = loaded.loan.file();
    let more = json!({
        "product": file.conditions().product.id,
        "product_sha256": loaded.head.product,
        "rules_sha256": loaded.head.rules,
        "valid_until": file.opened().valid_until.to_rfc3339(),
        "frozen": file.frozen(),
        "standing": loaded.standing().map_err(told)?,
        "schedule": loaded.schedule().map_err(told)?,
        "payoff": loaded.payoff().map_err(told)?,
        "tokens": loaded.tokens(lending.clock().now()).iter().map(token).collect::<Vec<_>>(),
    });
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    Ok(Json(shown))
}

fn token(token: &crate::lending::view::TokenView) -> Value {
    json!({
        "token_sha256": token.token,
        "payee": token.payee,
        "amount": token.amount,
        "expires": token.expires.to_rfc3339(),
        "state": token.state,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    #[serde(default)]
    after: u32,
    take: Option<u32>,
}

/// Acts of a loan.
pub(crate) async fn acts(
    State(app): State<App>,
    Path(id): Path<String>,
    page: Asked<Page>,
) -> Result<Json<Value>, Problem> {
    let Query(page) = page.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let take = page.take.unwrap_or(TAKE).min(ACTS_MAX);
    let store = lending(&app)?.store();
    let acts = store.acts(&name(&id)?, page.after, take).await;
    let acts = acts.map_err(|error| internal(&error))?;
    let shown = acts
        .iter()
        .map(|one| json!({ "number": one.number, "act": one.act }));
    Ok(Json(Value::Array(shown.collect())))
}

/// Ledger entries of a loan.
pub(crate) async fn entries(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (lending, id) = (lending(&app)?, name(&id)?);
    let found = lending
        .store()
        .entries_of(lending.book(), &id, None, LIST_MAX)
        .await;
    let found = found.map_err(|error| internal(&error))?;
    let shown = found.iter().map(|kept| {
        let entry = &kept.entry;
        let postings = entry.postings().iter().map(|posting| {
            json!({
                "class": posting.account.class().word(),
                "side": posting.side.word(),
                "amount": posting.amount,
            })
        });
        json!({
            "key": entry.key().as_str(),
            "booked": entry.booked(),
            "kind": entry.kind().word(),
            "corrects": entry.corrects().map(crate::ledger::EntryKey::as_str),
            "postings": postings.collect::<Vec<_>>(),
            "lane": kept.lane.number(),
            "number": kept.number,
            "sha256": kept.hash,
        })
    });
    Ok(Json(Value::Array(shown.collect())))
}

/// What was refused.
pub(crate) async fn denials(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let found = lending(&app)?.denials(&name(&id)?).await;
    let found = found.map_err(|error| problem(&error))?;
    let shown = |one: &Denial| {
        json!({
            "at": one.at.to_rfc3339(),
            "who": one.who,
            "deed": one.deed,
            "key": one.key,
            "rule": one.rule,
            "reason": one.reason,
        })
    };
    Ok(Json(Value::Array(found.iter().map(shown).collect())))
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
    body: Body<Issue>,
) -> Result<Response, Problem> {
    let body = read(body)?;
    let expires = body.expires.as_deref().map(instant).transpose()?;
    let token = NewToken {
        loan: name(&id)?,
        token: body.token_sha256,
        account: body.account,
        amount: money(&body.amount, &body.currency)?,
        expires,
    };
    let done = lending(&app)?.issue(&token, Actor::Machine).await;
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
    let done = lending(&app)?
        .limit(&name(&id)?, key, body.supplier, amount)
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
    let done = lending(&app)?.revoke(&name(&id)?, key, by).await;
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
