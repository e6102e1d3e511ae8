//! Pledges: JSON for machines, pages and forms for the bank's people.
//!
//! A machine offers and reads; everything that puts a pledge in force, thaws it or ends it is a
//! person's. Officers act, everybody of the bank reads.

mod deed;
mod json;
mod list;
mod offer;
mod show;
mod words;

use axum::http::StatusCode;
use kit::people::Person;
use kit::problem::Problem;
use kit::routes::{Routes, get, post};
use schemas::ids::Slug;

use super::{App, internal, refused, shell};
use crate::desk::DeskError;
use crate::evidence::EvidenceError;
use crate::pledge::PledgeId;
use crate::pledge::office::OfficeError;
use crate::service::ApplyError;

/// Routes of pledges.
pub(super) fn routes() -> Routes<App> {
    Routes::new()
        .route("/pledges", get(list::show).post(offer::send))
        .route("/pledges/new", get(offer::show))
        .route("/pledges/{id}", get(show::show))
        .route("/pledges/{id}/act", post(deed::act))
        .route("/pledges/{id}/watch", post(deed::watch))
        .route("/v1/pledges", get(json::list).post(json::offer))
        .route("/v1/pledges/{id}", get(json::lookup))
}

fn id(text: &str) -> Result<PledgeId, Problem> {
    text.parse()
        .map_err(|_| Problem::not_found("There is no pledge with this id."))
}

/// The officer who acts.
fn officer(person: &Person) -> Result<Slug, Problem> {
    let actor = shell::actor(person)?;
    if !actor.role.decides() {
        return Err(super::desk::problem(&DeskError::NotAllowed));
    }
    Ok(actor.name)
}

/// What the office refuses, as a problem.
fn problem(error: &OfficeError) -> Problem {
    let Some(class) = error.class() else {
        return internal(error);
    };
    let (status, title) = match class {
        "unknown" => return Problem::not_found("There is no pledge with this id."),
        "same-person" => (StatusCode::FORBIDDEN, "A second person has to do this"),
        "held" => (StatusCode::CONFLICT, "This is pledged already"),
        "held-with-other-details" => (
            StatusCode::CONFLICT,
            "This invoice is pledged already, and was written down with other details",
        ),
        "not-shown" => (
            StatusCode::CONFLICT,
            "Evidence does not show enough of the lot",
        ),
        "not-possible" => (
            StatusCode::CONFLICT,
            "This does not follow from where the pledge stands",
        ),
        "not-settled" => (StatusCode::CONFLICT, "The loan is not settled by the book"),
        "other-request" => (
            StatusCode::CONFLICT,
            "This request said something else before",
        ),
        "busy" => return Problem::unavailable(error.to_string()),
        "evidence" => return evidence(error),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "The pledge is refused"),
    };
    let slug = format!("pledge-{class}");
    refused(
        status,
        &slug,
        title,
        schemas::causes::causes(error).to_string(),
    )
}

fn evidence(error: &OfficeError) -> Problem {
    let away = matches!(
        error,
        OfficeError::Evidence(ApplyError::Evidence(
            EvidenceError::Unreachable(_) | EvidenceError::Status(_)
        ))
    );
    let status = if away {
        StatusCode::BAD_GATEWAY
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let title = "No evidence of these goods can be used; nothing was pledged";
    refused(
        status,
        "pledge-evidence",
        title,
        schemas::causes::causes(error).to_string(),
    )
}
