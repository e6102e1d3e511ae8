//! The model of late delivery: its figures and how good they were, for people and as JSON.

mod texts;
mod view;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;

use super::shell::{self, Shell};
use super::{App, refused};
use crate::lateness::Evaluation;
use texts::Texts;
use view::View;

/// The page.
#[derive(Template)]
#[template(path = "late_delivery.html")]
struct LateDeliveryPage {
    shell: Shell,
    texts: &'static Texts,
    view: Option<View>,
}

/// `GET /models/late-delivery`.
pub(super) async fn page(
    State(app): State<App>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let shell = Shell::new(&uri, language, &person, "models")?;
    let evaluation = app.desk.credit().late_deliveries();
    let page = made(shell, language, evaluation.as_deref());
    shell::page(&uri, StatusCode::OK, &page)
}

/// `GET /v1/models/late-delivery`.
pub(super) async fn json(State(app): State<App>) -> Result<Json<Evaluation>, Problem> {
    let evaluation = app.desk.credit().late_deliveries().ok_or_else(|| {
        refused(
            StatusCode::NOT_FOUND,
            "not-evaluated",
            "Not evaluated",
            "The model of late delivery was not evaluated since this service started.",
        )
    })?;
    Ok(Json(Evaluation::clone(&evaluation)))
}

fn made(shell: Shell, language: Language, evaluation: Option<&Evaluation>) -> LateDeliveryPage {
    let texts = texts::of(language);
    LateDeliveryPage {
        shell,
        texts,
        view: evaluation.map(|evaluation| View::of(evaluation, texts)),
    }
}

#[cfg(test)]
mod tests;
