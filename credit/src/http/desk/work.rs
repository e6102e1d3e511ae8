//! What people add beside a decision: `POST /decisions/{id}/assignment`, `/notes`, `/tasks`,
//! `/tasks/{key}/done`, `/documents`; and `GET /decisions/{id}/documents/{sha256}`.

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use kit::people::{Checked, Form, Person, Uploaded};
use kit::problem::Problem;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::Deserialize;

use super::problem;
use crate::desk::DeskError;
use crate::desk::item::{DOCUMENT_MAX, Media, What};
use crate::desk::work::Asked;
use crate::http::{App, shell};

/// Largest form with a note: each character may come as three escaped bytes, or four.
pub(crate) const NOTE_FORM_MAX: usize = 64 * 1024;

/// Largest form with a document.
pub(crate) const DOCUMENT_FORM_MAX: usize = DOCUMENT_MAX + 64 * 1024;

/// What is done with a document of the desk: nothing, whatever it is.
const NO_ACTION: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// Who looks after it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    #[serde(default)]
    csrf: String,
    /// Assignments that the page showed.
    known: usize,
    /// Empty for nobody.
    #[serde(default)]
    officer: String,
    #[serde(default)]
    reason: String,
}

/// A note.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    #[serde(default)]
    csrf: String,
    key: String,
    text: String,
}

/// A task.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    #[serde(default)]
    csrf: String,
    key: String,
    what: String,
    who: String,
    /// A day; the task ends with it in Beijing.
    until: String,
}

/// A button without further fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Button {
    #[serde(default)]
    csrf: String,
}

macro_rules! forms {
    ($($form:ty),*) => {$(
        impl Form for $form {
            fn csrf(&self) -> &str {
                &self.csrf
            }
        }
    )*};
}

forms!(Assignment, Note, Task, Button);

fn back(id: &str, to: &str) -> Response {
    Redirect::to(&format!("/decisions/{id}#{to}")).into_response()
}

fn told(error: DeskError) -> Problem {
    problem(&error)
}

fn slug(field: &str, text: &str) -> Result<Slug, Problem> {
    let wrong = |_| Problem::bad_request(format!("{field}: a name of the list is expected"));
    text.trim().parse().map_err(wrong)
}

/// Gives the decision to somebody, or to nobody.
pub(crate) async fn assign(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    Checked(form): Checked<Assignment>,
) -> Result<Response, Problem> {
    let by = shell::actor(&person)?;
    let officer = match form.officer.as_str() {
        "" => None,
        name => Some(slug("officer", name)?),
    };
    let assigned = app
        .desk
        .assign(&by, &id, form.known, officer, &form.reason)
        .await;
    assigned.map_err(told)?;
    Ok(back(&id, "work"))
}

/// Writes a note.
pub(crate) async fn note(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    Checked(form): Checked<Note>,
) -> Result<Response, Problem> {
    let by = shell::actor(&person)?;
    let added = app.desk.add_note(&by, &id, &form.key, &form.text).await;
    added.map_err(told)?;
    Ok(back(&id, "notes"))
}

/// Sets a task.
pub(crate) async fn task(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    Checked(form): Checked<Task>,
) -> Result<Response, Problem> {
    let by = shell::actor(&person)?;
    let asked = Asked {
        what: form.what,
        who: slug("who", &form.who)?,
        until: end_of_day(&form.until)?,
    };
    let added = app.desk.add_task(&by, &id, &form.key, asked).await;
    added.map_err(told)?;
    Ok(back(&id, "tasks"))
}

/// The last second of a day in Beijing, where the bank is: 15:59:59 UTC.
fn end_of_day(day: &str) -> Result<Instant, Problem> {
    let wrong = || Problem::bad_request("until: a day as 2026-11-30 is expected");
    let right = day.len() == 10;
    let at = Instant::parse_rfc3339(&format!("{day}T15:59:59Z"));
    at.filter(|_| right).ok_or_else(wrong)
}

/// Says that a task is done.
pub(crate) async fn done(
    State(app): State<App>,
    Path((id, key)): Path<(String, String)>,
    person: Person,
    _: Checked<Button>,
) -> Result<Response, Problem> {
    let by = shell::actor(&person)?;
    app.desk.finish_task(&by, &id, &key).await.map_err(told)?;
    Ok(back(&id, "tasks"))
}

/// Adds a document.
pub(crate) async fn upload(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    form: Uploaded,
) -> Result<Response, Problem> {
    let by = shell::actor(&person)?;
    if !by.role.works() {
        return Err(told(DeskError::NotAllowed));
    }
    let missing = || Problem::bad_request("file: choose a file");
    let file = form.file.ok_or_else(missing)?;
    let added = app
        .desk
        .add_document(&by, &id, &file.name, &file.content)
        .await;
    added.map_err(told)?;
    Ok(back(&id, "documents"))
}

/// A document: saved, never shown, whatever it is.
pub(crate) async fn document(
    State(app): State<App>,
    Path((id, sha256)): Path<(String, String)>,
    _: Person,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("No document of this decision has this SHA-256.");
    let sha256: Hash = sha256.parse().map_err(|_| unknown())?;
    let found = app.desk.document(&id, &sha256).await;
    let (item, content) = match found {
        Err(DeskError::Unknown) => return Err(unknown()),
        found => found.map_err(told)?,
    };
    let What::Document { name, media, .. } = item.what else {
        return Err(unknown());
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media.media_type()));
    headers.insert(CONTENT_DISPOSITION, disposition(&name, media, &sha256));
    headers.insert(CONTENT_SECURITY_POLICY, NO_ACTION);
    Ok((headers, content).into_response())
}

/// `attachment` with a plain name for old browsers and the real one (RFC 6266, RFC 8187).
fn disposition(name: &str, media: Media, sha256: &Hash) -> HeaderValue {
    let digits = sha256.to_string();
    let plain = format!(
        "{}.{}",
        digits.get(..12).unwrap_or_default(),
        media.ending()
    );
    // In a value of a query `/` stays; a name of a document has none.
    let real = kit::page::query_value(name);
    let text = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{real}");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_saved_under_its_name_and_a_day_ends_in_beijing() {
        let hash = Hash([0xab; 32]);
        let header = disposition("合同 \"1\".pdf", Media::Pdf, &hash);
        let expected = "attachment; filename=\"abababababab.pdf\"; \
            filename*=UTF-8''%E5%90%88%E5%90%8C%20%221%22.pdf";
        assert_eq!(header.to_str().unwrap(), expected);
        let end = end_of_day("2026-11-30").unwrap();
        assert_eq!(
            end.to_rfc3339(),
            Instant::parse_rfc3339("2026-11-30T15:59:59Z")
                .unwrap()
                .to_rfc3339()
        );
        for day in ["", "2026-13-01", "30.11.2026", "2026-11-30T00:00:00"] {
            assert!(end_of_day(day).is_err(), "{day}");
        }
    }
}
