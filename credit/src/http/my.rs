//! `/my`: the borrower's side. What a supplier's own people see, and what is theirs to do.
//!
//! | address | what |
//! |---|---|
//! | `GET /my` | applications, offers and loans, and where each stands |
//! | `GET /my/loans/{id}?instalments=` | one: the offer with its schedule, or the loan; tokens; why |
//! | `POST /my/loans/{id}/accept` | accepts the offer that was shown |
//! | `POST /my/loans/{id}/decline` | declines it: nothing can be made of it afterwards, its room is free |
//! | `POST /my/loans/{id}/draw` | draws: shows the secret of the open token, its account and an amount |
//! | `POST /my/loans/{id}/limit` | lowers what the open token draws |
//! | `POST /my/loans/{id}/revoke` | takes the open token back |
//! | `GET /my/consents` | what the supplier lets the bank read, until when, and how to end it |
//!
//! A borrower's account has a role that the desk does not know, and [`only`] lets it to these pages
//! alone, and nobody else to them. The supplier is the account's, never the request's; what is another
//! supplier's is 404 like what does not exist. No page names a person of the bank.

mod act;
mod consents;
mod page;
mod view;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use kit::people::Person;
use kit::problem::Problem;
use kit::routes::{Routes, get, post};
use schemas::ids::Slug;

use super::{App, internal};
use crate::accounts::{AccountsError, BORROWER};
use crate::ledger::LoanId;
use crate::lending::{Lending, LendingError, Loaded};
use crate::loan::Record;

/// The routes.
pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/my", get(page::home))
        .route("/my/loans/{id}", get(page::one))
        .route("/my/loans/{id}/accept", post(act::accept))
        .route("/my/loans/{id}/decline", post(act::decline))
        .route("/my/loans/{id}/draw", post(act::draw))
        .route("/my/consents", get(consents::show))
        .route("/my/loans/{id}/limit", post(act::limit))
        .route("/my/loans/{id}/revoke", post(act::revoke))
}

/// Lets borrowers to their own pages only, and the bank's people to none of them. Machines are not
/// stopped here: these pages ask for a person.
pub(super) async fn only(request: Request, next: Next) -> Response {
    let Some(person) = request.extensions().get::<Person>() else {
        return next.run(request).await;
    };
    let path = request.uri().path();
    let own = path == "/my" || path.starts_with("/my/");
    let borrows = person.role.as_str() == BORROWER;
    match (borrows, own) {
        (true, true) | (false, false) => next.run(request).await,
        (true, false) if path == "/" => Redirect::to("/my").into_response(),
        (true, false) => not_allowed("borrowers-only").into_response(),
        (false, true) => not_allowed("of-borrowers").into_response(),
    }
}

/// 403 in words for a borrower, or for whoever is none.
fn not_allowed(slug: &str) -> Problem {
    let title = "Your account may not do this";
    Problem::new(StatusCode::FORBIDDEN, slug, title)
}

fn nothing() -> Problem {
    Problem::not_found("There is nothing of yours with this id.")
}

/// The supplier that the person is of.
async fn supplier(app: &App, person: &Person) -> Result<Slug, Problem> {
    match app.accounts.supplier_of(&person.name).await {
        Ok(supplier) => Ok(supplier),
        Err(AccountsError::NoBorrower(_)) => Err(not_allowed("of-borrowers")),
        Err(error) => Err(internal(&error)),
    }
}

/// The decision of this id, if it is on the supplier's own application.
async fn own(app: &App, supplier: &Slug, id: &str) -> Result<Record, Problem> {
    let found = app.desk.credit().store().lookup(id).await;
    let found = found.map_err(|error| internal(&error))?;
    let own = found.filter(|record| record.decision.application.supplier == *supplier);
    own.ok_or_else(nothing)
}

/// The loan of an accepted offer, if there is one.
async fn loan(app: &App, id: &str) -> Result<Option<(Loaded, LoanId)>, Problem> {
    let Some(lending) = &app.lending else {
        return Ok(None);
    };
    let id: LoanId = id.parse().map_err(|_| nothing())?;
    match lending.loan(&id).await {
        Ok(loaded) => Ok(Some((loaded, id))),
        Err(LendingError::Unknown(_)) => Ok(None),
        Err(error) => Err(super::loans::problem(&error)),
    }
}

fn lending(app: &App) -> Result<&Lending, Problem> {
    app.lending.as_deref().ok_or_else(nothing)
}
