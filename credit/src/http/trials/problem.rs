//! What stands against an act, as a problem.

use axum::http::StatusCode;
use kit::problem::Problem;

use crate::http::{App, internal, refused};
use crate::sandbox::report::ReportError;
use crate::store::sandbox::{OfficeError, StepError};
use crate::trials::{ActError, Office};

/// The office; 404 where no trial is declared.
pub(super) fn office(app: &App) -> Result<&Office, Problem> {
    let office = app.desk.credit().office();
    office.ok_or_else(|| Problem::not_found("This bank has declared no trial."))
}

/// Of an act.
pub(super) fn of(error: &ActError) -> Problem {
    let says = |status, slug: &str, title: &str| refused(status, slug, title, causes(error));
    let conflict = StatusCode::CONFLICT;
    match error {
        error if error.is_same_person() => {
            let title = "You proposed this: another person has to agree; nothing was changed";
            says(StatusCode::FORBIDDEN, "same-person", title)
        }
        ActError::NotAllowed => says(
            StatusCode::FORBIDDEN,
            "not-allowed",
            "Your role may not do this",
        ),
        ActError::Field { field, .. } => says(
            StatusCode::UNPROCESSABLE_ENTITY,
            "field-refused",
            "A field is refused; nothing was changed",
        )
        .with("field", *field),
        ActError::Unknown(_) | ActError::Office(OfficeError::NoMotion(_)) => {
            Problem::not_found(error.to_string())
        }
        ActError::Report(ReportError::NotOver(_)) => {
            says(conflict, "month-not-over", "The month is not over")
        }
        ActError::Office(OfficeError::Store(_) | OfficeError::NoTrial(_))
        | ActError::Step(StepError::Office(OfficeError::Store(_)))
        | ActError::Store(_)
        | ActError::Rows(_)
        | ActError::Report(_) => internal(error),
        ActError::Office(_) | ActError::Step(_) => says(
            conflict,
            "trial-refused",
            "The trial does not take this; nothing was changed",
        ),
    }
}

fn causes(error: &ActError) -> String {
    schemas::causes::causes(error)
}
