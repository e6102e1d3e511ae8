//! What a person sends, as a form or as JSON: the session's token is a field of either.

use axum::Json;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use kit::people::{Checked, Form, Person};
use kit::problem::Problem;

use crate::trials::office::Done;

/// Fields whose token is that of the person's session.
#[derive(Debug)]
pub(super) struct Sent<T> {
    /// The fields.
    pub(super) fields: T,
    /// Whether they came as JSON.
    json: bool,
}

impl<S: Send + Sync, T: Form> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if !kind.starts_with("application/json") {
            let Checked(fields) = Checked::<T>::from_request(request, state).await?;
            return Ok(Self {
                fields,
                json: false,
            });
        }
        let person = request.extensions().get::<Person>().cloned();
        let json = Json::<T>::from_request(request, state).await;
        let Json(fields) = json.map_err(|error| Problem::bad_request(error.body_text()))?;
        let fits = person.is_some_and(|person| person.csrf.fits(fields.csrf()));
        if !fits {
            let title = "csrf: the token of your session is needed, so nothing was done";
            return Err(Problem::new(StatusCode::FORBIDDEN, "form-refused", title));
        }
        Ok(Self { fields, json: true })
    }
}

impl<T> Sent<T> {
    /// The answer: the page again for a form, what was done for JSON.
    pub(super) fn answer(&self, done: &Done, back: &str) -> Response {
        if !self.json {
            return Redirect::to(back).into_response();
        }
        let (status, body) = match done {
            Done::Done => (StatusCode::OK, serde_json::json!({"done": true})),
            Done::Waits(hash) => {
                let body = serde_json::json!({"done": false, "motion": hash});
                (StatusCode::ACCEPTED, body)
            }
        };
        (status, Json(body)).into_response()
    }
}
