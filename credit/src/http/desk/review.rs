//! `POST /decisions/{id}/review`: accept or refuse.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use kit::people::{Checked, Form, Person};
use kit::problem::Problem;
use schemas::hash::Hash;
use schemas::ids::Slug;
use serde::Deserialize;

use crate::desk::Wish;
use crate::http::{App, refused, shell};
use crate::loan::review::Choice;

/// The form. `reason` comes with a refusal only.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    #[serde(default)]
    csrf: String,
    version: String,
    act: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    note: String,
}

impl Form for Fields {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Decides, and shows the offer as it is then.
pub(crate) async fn review(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    Checked(fields): Checked<Fields>,
) -> Result<Response, Problem> {
    let wish = Wish {
        decision_id: id.clone(),
        version: version(&fields.version)?,
        choice: choice(&fields)?,
        note: fields.note,
    };
    let reviewed = app.desk.review(&shell::actor(&person)?, wish).await;
    reviewed.map_err(|error| super::problem(&error))?;
    Ok(Redirect::to(&format!("/decisions/{id}#decision")).into_response())
}

fn version(text: &str) -> Result<Hash, Problem> {
    text.parse()
        .map_err(|_| Problem::bad_request("version: 64 hex digits are expected"))
}

fn choice(fields: &Fields) -> Result<Choice, Problem> {
    match (fields.act.as_str(), fields.reason.as_str()) {
        ("accept", "") => Ok(Choice::Accept),
        ("refuse", "") => Err(missing_reason()),
        ("refuse", reason) => reason
            .parse::<Slug>()
            .map(Choice::Refuse)
            .map_err(|_| missing_reason()),
        ("accept", _) => Err(Problem::bad_request("reason: an acceptance has none")),
        _ => Err(Problem::bad_request("act: accept or refuse is expected")),
    }
}

fn missing_reason() -> Problem {
    let title = "A refusal needs a reason from the list; nothing was stored";
    refused(
        axum::http::StatusCode::UNPROCESSABLE_ENTITY,
        "reason-missing",
        title,
        "reason: choose one of the list",
    )
}
