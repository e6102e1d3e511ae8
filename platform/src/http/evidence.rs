//! Evidence for a reader that the organisation has consented to.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::hash::sha256;
use schemas::ids::Slug;

use super::{Shared, problem};

/// `GET /v1/evidence/{organisation}` with a bearer token: one proof bundle.
pub(super) async fn of_organisation(
    State(app): State<Shared>,
    Path(organisation): Path<Slug>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    check_reader(&app, &organisation, &headers)?;
    let made = app
        .bundler
        .evidence(&organisation)
        .await
        .map_err(problem::bundle)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], made.bytes).into_response())
}

/// The reader's token is known and the organisation has consented; a stranger cannot tell which
/// of the two is missing.
fn check_reader(app: &Shared, organisation: &Slug, headers: &HeaderMap) -> Result<(), Problem> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = token.and_then(|text| text.strip_prefix("Bearer "));
    let hash = sha256(token.unwrap_or_default().as_bytes());
    let consented = app
        .readers
        .iter()
        .any(|reader| reader.token_sha256 == hash && reader.organisations.contains(organisation));
    if consented {
        Ok(())
    } else {
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "no-consent",
            "This organisation's evidence is not open to you",
        ))
    }
}
