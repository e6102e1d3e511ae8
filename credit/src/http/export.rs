//! `POST /export/{what}`: the queue, the decisions or the trail as a signed archive. A form and no
//! link, since taking something out is written down.

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use kit::negotiate::Language;
use kit::people::{Checked, Form, Person};
use kit::problem::Problem;
use serde::Deserialize;

use super::desk::problem;
use super::{App, shell};
use crate::desk::export::What;

/// The form: a button.
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

/// Takes it out.
pub(crate) async fn take(
    State(app): State<App>,
    Path(what): Path<String>,
    person: Person,
    language: Language,
    _: Checked<Button>,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("The desk exports queue, decisions and trail.");
    let what = What::of_word(&what).ok_or_else(unknown)?;
    let by = shell::actor(&person)?;
    let t = shell::text(language);
    let words = move |key: &str| t.get(key).to_owned();
    let export = app.desk.export(&by, what, &words).await;
    let export = export.map_err(|error| problem(&error))?;
    let headers = [
        (CONTENT_TYPE, kit::zip::MEDIA_TYPE.to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}\"", export.name),
        ),
    ];
    Ok((headers, export.bytes).into_response())
}
