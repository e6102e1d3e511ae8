//! `/loans`: loans at the desk, for the bank's people.
//!
//! | address | who | what |
//! |---|---|---|
//! | `GET /loans?state=&supplier=&late=&after=` | people | loans by name, 50 a page |
//! | `GET /loans/{id}` | people | one: schedule, accounts, class, tokens, motions, what happened |
//! | `POST /loans/{id}/motions` | officers | proposes what takes two people |
//! | `POST /loans/{id}/motions/{motion}/agree`, `.../end` | officers | the second person agrees; refuses, or its maker withdraws |
//! | `POST /loans/{id}/tokens` | officers | issues a token; its secret is shown once |
//! | `POST /loans/{id}/acts` | officers | what one person may do: take a token back, freeze, close |
//!
//! A form that decides names how many acts the loan had when it was shown; one that was filled in from
//! an older page is refused with 412, and the refusal is kept with the loan. A token is taken back by its
//! own name, and a proposal ended by its own, whatever else happened. Everything else that is refused is
//! refused by [`crate::lending`], which keeps it too.

mod deed;
mod fields;
mod list;
mod look;
mod motion;
mod show;
mod words;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use kit::people::Person;
use kit::problem::Problem;
use kit::routes::{Routes, get, post};
use schemas::ids::Slug;

pub(super) use motion::{Inbox, inbox};

use super::{App, loans, refused, shell};
use crate::desk::DeskError;
use crate::ledger::LoanId;
use crate::lending::{LOAN_CHANGED, LendingError};

/// The routes.
pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/loans", get(list::show))
        .route("/loans/{id}", get(show::show))
        .route("/loans/{id}/motions", post(motion::propose))
        .route("/loans/{id}/motions/{motion}/agree", post(motion::agree))
        .route("/loans/{id}/motions/{motion}/end", post(motion::end))
        .route("/loans/{id}/tokens", post(deed::issue))
        .route("/loans/{id}/acts", post(deed::act))
}

/// The officer who acts.
fn officer(person: &Person) -> Result<Slug, Problem> {
    let actor = shell::actor(person)?;
    if actor.role.decides() {
        Ok(actor.name)
    } else {
        Err(super::desk::problem(&DeskError::NotAllowed))
    }
}

/// What lending refuses, in the words of the desk.
fn problem(error: &LendingError) -> Problem {
    match (error, error.refusal()) {
        (LendingError::NoMotion, _) => {
            let title = "The proposal was ended meanwhile; nothing was changed";
            refused(
                StatusCode::CONFLICT,
                "motion-ended",
                title,
                error.to_string(),
            )
        }
        (_, Some((LOAN_CHANGED, why))) => {
            let title = "The loan has changed since you opened it; nothing was changed";
            refused(StatusCode::PRECONDITION_FAILED, LOAN_CHANGED, title, why)
        }
        (_, Some(("same-person", why))) => {
            let title = "You proposed this: another person has to agree; nothing was changed";
            refused(StatusCode::FORBIDDEN, "motion-same-person", title, why)
        }
        _ => loans::problem(error),
    }
}

fn back(loan: &LoanId) -> Response {
    Redirect::to(&format!("/loans/{loan}")).into_response()
}
