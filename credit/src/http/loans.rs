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
//!
//! Issuing, lowering and revoking a token take the `ETag` of `GET /v1/loans/{id}` as `If-Match`: another
//! one by now is 412. Payments take none, since money that came is booked whatever was read, and a draw
//! names its token.

mod read;
mod write;

use std::sync::Arc;

use axum::http::StatusCode;
use kit::problem::Problem;
use kit::routes::{Routes, get, post};

use super::{App, internal, refused};
use crate::ledger::LoanId;
use crate::lending::{LOAN_CHANGED, Lending, LendingError};

/// The routes.
pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/v1/loans", get(read::list).post(write::accept))
        .route("/v1/loans/{id}", get(read::show))
        .route("/v1/loans/{id}/acts", get(read::acts))
        .route("/v1/loans/{id}/entries", get(read::entries))
        .route("/v1/loans/{id}/denials", get(read::denials))
        .route("/v1/loans/{id}/payments", post(write::pay))
        .route("/v1/loans/{id}/tokens", post(write::issue))
        .route("/v1/loans/{id}/tokens/limit", post(write::limit))
        .route("/v1/loans/{id}/tokens/revoke", post(write::revoke))
        .route("/v1/loans/{id}/tokens/use", post(write::draw))
}

pub(super) fn lending(app: &App) -> Result<&Arc<Lending>, Problem> {
    let none = || Problem::not_found("This bank keeps no loans here: `lending` is not configured.");
    app.lending.as_ref().ok_or_else(none)
}

pub(super) fn name(id: &str) -> Result<LoanId, Problem> {
    id.parse()
        .map_err(|_| Problem::not_found("There is no loan with this id."))
}

/// One place where errors of lending become problem documents.
pub(super) fn problem(error: &LendingError) -> Problem {
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
            if *rule == LOAN_CHANGED {
                StatusCode::PRECONDITION_FAILED
            } else {
                unprocessable
            },
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
