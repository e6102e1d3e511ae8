//! Evidence for a reader that the organisation has consented to.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::disclosure::Audience;
use schemas::hash::sha256;
use schemas::ids::Slug;

use super::{Shared, problem};

/// `GET /v1/evidence/{organisation}` with a bearer token: one proof bundle.
pub(super) async fn of_organisation(
    State(app): State<Shared>,
    Path(organisation): Path<Slug>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let audience = check_reader(&app, &organisation, &headers)?;
    let made = app
        .bundler
        .evidence_for(&organisation, audience)
        .await
        .map_err(problem::bundle)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], made.bytes).into_response())
}

/// As whom a reader reads whose token is known and to whom the organisation has consented.
pub(super) fn audience_of(
    app: &Shared,
    organisation: &Slug,
    headers: &HeaderMap,
) -> Option<Audience> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = token.and_then(|text| text.strip_prefix("Bearer "));
    let hash = sha256(token.unwrap_or_default().as_bytes());
    app.readers
        .iter()
        .find(|reader| reader.token_sha256 == hash && reader.organisations.contains(organisation))
        .map(|reader| reader.audience)
}

/// Refuses all others; a stranger cannot tell whether token or consent is missing.
pub(super) fn check_reader(
    app: &Shared,
    organisation: &Slug,
    headers: &HeaderMap,
) -> Result<Audience, Problem> {
    audience_of(app, organisation, headers).ok_or_else(|| {
        Problem::new(
            StatusCode::FORBIDDEN,
            "no-consent",
            "This organisation's evidence is not open to you",
        )
    })
}
