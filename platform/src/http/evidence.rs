//! Evidence for a reader that the organisation has consented to.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::disclosure::Audience;
use schemas::ids::Slug;

use super::asker::Asker;
use super::{Shared, problem};

/// `GET /v1/evidence/{organisation}` with a bearer token: one proof bundle.
pub(super) async fn of_organisation(
    State(app): State<Shared>,
    Path(organisation): Path<Slug>,
    asker: Asker,
) -> Result<Response, Problem> {
    let audience = check_reader(&app, &organisation, &asker)?;
    let made = app
        .bundler
        .evidence_for(&organisation, audience)
        .await
        .map_err(problem::bundle)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], made.bytes).into_response())
}

/// As whom a reader reads whose token is known and to whom the organisation has consented.
pub(super) fn audience_of(app: &Shared, organisation: &Slug, asker: &Asker) -> Option<Audience> {
    let mut readers = app.readers.iter();
    let found = readers.find(|reader| {
        asker.is(&reader.name, reader.token_sha256) && reader.organisations.contains(organisation)
    });
    found.map(|reader| reader.audience)
}

/// Refuses all others; a stranger cannot tell whether token or consent is missing.
pub(super) fn check_reader(
    app: &Shared,
    organisation: &Slug,
    asker: &Asker,
) -> Result<Audience, Problem> {
    audience_of(app, organisation, asker).ok_or_else(|| {
        Problem::new(
            StatusCode::FORBIDDEN,
            "no-consent",
            "This organisation's evidence is not open to you",
        )
    })
}
