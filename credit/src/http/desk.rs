//! Pages of the desk: one file a page, views without markup, forms that are checked.

pub(super) mod event;
pub(super) mod format;
pub(super) mod live;
mod look;
pub(super) mod offer;
pub(super) mod queue;
mod queue_filter;
pub(super) mod reasons;
pub(super) mod review;
mod rules;
mod stage;
pub(super) mod trail;
pub(super) mod work;

use askama::Template;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use kit::people::door::FACTOR_AFTERWARDS;
use kit::people::{Framed, LogInPage, LogInProblem, LogInView};
use kit::problem::Problem;

use super::shell::{self, Shell};
use super::{internal, refused};
use crate::desk::DeskError;
use crate::desk::export::ExportError;
use crate::desk::work::WorkError;
use crate::evidence::OpenError;

/// The log-in page.
pub(super) struct LogIn;

#[derive(Template)]
#[template(path = "login.html")]
struct LogInTemplate<'v> {
    shell: Shell,
    view: &'v LogInView,
    problem: Option<&'static str>,
    factor: &'static str,
}

/// A page behind the log-in form, whose markup is finished.
#[derive(Template)]
#[template(path = "framed.html")]
struct FramedTemplate<'v> {
    shell: Shell,
    framed: &'v Framed,
}

impl LogInPage for LogIn {
    fn render(&self, view: &LogInView) -> Response {
        let uri = Uri::from_static("/login");
        let problem = view.problem.map(|problem| match problem {
            LogInProblem::Wrong => "login.wrong",
            LogInProblem::TooMany => "login.too-many",
            LogInProblem::Busy => "login.busy",
            LogInProblem::Form => "login.form",
        });
        let page = LogInTemplate {
            shell: Shell::plain(&uri, view.language),
            view,
            problem,
            factor: FACTOR_AFTERWARDS,
        };
        shell::page(&uri, StatusCode::OK, &page).unwrap_or_else(IntoResponse::into_response)
    }

    fn framed(&self, framed: &Framed) -> Response {
        let uri = Uri::from_static("/login");
        let page = FramedTemplate {
            shell: Shell::plain(&uri, framed.language),
            framed,
        };
        shell::page(&uri, framed.status, &page).unwrap_or_else(IntoResponse::into_response)
    }
}

/// What cannot be kept beside a decision, as a problem; the detail names the field.
fn work_problem(error: &WorkError) -> Problem {
    let (status, slug) = match error {
        WorkError::Reassigned => (StatusCode::CONFLICT, "work-reassigned"),
        WorkError::Full => (StatusCode::CONFLICT, "work-full"),
        WorkError::Proposer(_) => (StatusCode::CONFLICT, "work-proposer"),
        WorkError::NoTask => (StatusCode::CONFLICT, "work-no-task"),
        WorkError::FileSize => (StatusCode::PAYLOAD_TOO_LARGE, "work-file-size"),
        WorkError::FileType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "work-file-type"),
        WorkError::FileName => (StatusCode::UNPROCESSABLE_ENTITY, "work-file-name"),
        WorkError::Text { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "work-text"),
        WorkError::Person(_) => (StatusCode::UNPROCESSABLE_ENTITY, "work-person"),
        WorkError::NoOfficer(_) => (StatusCode::UNPROCESSABLE_ENTITY, "work-no-officer"),
        WorkError::NoReason => (StatusCode::UNPROCESSABLE_ENTITY, "work-no-reason"),
        WorkError::Until => (StatusCode::UNPROCESSABLE_ENTITY, "work-until"),
        WorkError::Key => (StatusCode::UNPROCESSABLE_ENTITY, "work-key"),
    };
    let title = "It cannot be kept beside the decision; nothing was stored";
    refused(status, slug, title, error.to_string())
}

/// What the desk refuses, as a problem.
pub(super) fn problem(error: &DeskError) -> Problem {
    let says = |status: StatusCode, slug: &str, title: &str| {
        refused(status, slug, title, error.to_string())
    };
    match error {
        DeskError::NotAllowed => says(
            StatusCode::FORBIDDEN,
            "not-allowed",
            "Your role may not do this",
        ),
        DeskError::Unknown => Problem::not_found("There is no decision with this id."),
        DeskError::Settled => says(
            StatusCode::CONFLICT,
            "offer-settled",
            "The offer was decided meanwhile; nothing was stored",
        ),
        DeskError::Stale => says(
            StatusCode::PRECONDITION_FAILED,
            "offer-changed",
            "The offer has changed since you opened it; nothing was stored",
        ),
        DeskError::Lapsed => says(
            StatusCode::CONFLICT,
            "offer-lapsed",
            "The offer has run out; nothing was stored",
        ),
        DeskError::SamePerson => says(
            StatusCode::FORBIDDEN,
            "same-person",
            "You have decided on this offer before; a second officer must be another person",
        ),
        DeskError::Reason(_) => says(
            StatusCode::UNPROCESSABLE_ENTITY,
            "reason-unknown",
            "There is no such reason in the list; nothing was stored",
        ),
        DeskError::ReasonChanged(_) => says(
            StatusCode::PRECONDITION_FAILED,
            "reason-changed",
            "The reason was retired since you opened the page; nothing was stored",
        ),
        DeskError::ReasonTaken(_) => says(
            StatusCode::CONFLICT,
            "reason-taken",
            "A reason has this code already; nothing was stored",
        ),
        DeskError::ReasonsFull | DeskError::Words(_) => says(
            StatusCode::UNPROCESSABLE_ENTITY,
            "reason-refused",
            "The reason cannot be added; nothing was stored",
        ),
        DeskError::Note => says(
            StatusCode::UNPROCESSABLE_ENTITY,
            "note-refused",
            "The note cannot be kept; nothing was stored",
        ),
        DeskError::NoStage(crate::loan::review::NoStage::NoOffer) => says(
            StatusCode::CONFLICT,
            "no-offer",
            "The application was declined; there is nothing to decide",
        ),
        DeskError::Evidence(OpenError::Unnamed | OpenError::Missing(_)) => {
            Problem::not_found("The evidence of this decision is not kept.")
        }
        DeskError::Evidence(OpenError::Refused(_)) => says(
            StatusCode::UNPROCESSABLE_ENTITY,
            "evidence-refused",
            "The kept evidence does not hold under the bank's policy",
        ),
        DeskError::Work(error) => work_problem(error),
        DeskError::Export(ExportError::NoKey) => says(
            StatusCode::CONFLICT,
            "export-unsigned",
            "The bank has no key for exports; nothing left the desk",
        ),
        DeskError::Stopping => Problem::unavailable(error.to_string()),
        DeskError::Evidence(OpenError::Altered(_))
        | DeskError::Export(_)
        | DeskError::People(_)
        | DeskError::NoStage(_)
        | DeskError::Store(_) => internal(error),
    }
}
