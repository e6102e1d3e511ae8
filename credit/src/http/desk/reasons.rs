//! `/reasons`: why officers refuse. Everybody reads the list, supervisors keep it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use kit::negotiate::Language;
use kit::people::{Checked, Form, Person};
use kit::problem::Problem;
use schemas::ids::Slug;
use serde::Deserialize;

use crate::desk::DeskError;
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::loan::RefusalReason;
use crate::loan::reason::WORDS_MAX;

#[derive(Template)]
#[template(path = "reasons.html")]
struct Page {
    shell: Shell,
    reasons: Vec<RefusalReason>,
    words_max: usize,
}

/// The list.
pub(crate) async fn show(
    State(app): State<App>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let shell = Shell::new(&uri, language, &person, "reasons")?;
    let reasons = app.desk.credit().store().reasons().await;
    let reasons = reasons.map_err(|error| internal(&error))?;
    let page = Page {
        shell,
        reasons,
        words_max: WORDS_MAX,
    };
    shell::page(&uri, StatusCode::OK, &page)
}

/// A new reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    #[serde(default)]
    csrf: String,
    code: String,
    en: String,
    zh: String,
}

impl Form for New {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// A button without further fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Button {
    #[serde(default)]
    csrf: String,
}

impl Form for Button {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Adds a reason.
pub(crate) async fn add(
    State(app): State<App>,
    person: Person,
    Checked(new): Checked<New>,
) -> Result<Response, Problem> {
    let actor = shell::actor(&person)?;
    let code: Slug = new.code.trim().parse().map_err(|_| {
        Problem::bad_request("code: 1 to 32 of a-z 0-9 - are expected, not beginning with -")
    })?;
    let reason = RefusalReason::new(code, &new.en, &new.zh).map_err(DeskError::from);
    let added = match reason {
        Ok(reason) => app.desk.add_reason(&actor, reason).await,
        Err(error) => Err(error),
    };
    added.map_err(|error| super::problem(&error))?;
    Ok(Redirect::to("/reasons").into_response())
}

/// Retires a reason.
pub(crate) async fn retire(
    State(app): State<App>,
    Path(code): Path<Slug>,
    person: Person,
    _: Checked<Button>,
) -> Result<Response, Problem> {
    let retired = app.desk.retire_reason(&shell::actor(&person)?, code).await;
    retired.map_err(|error| super::problem(&error))?;
    Ok(Redirect::to("/reasons").into_response())
}
