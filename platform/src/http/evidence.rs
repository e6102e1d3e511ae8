//! Evidence for a reader that the organisation has consented to.
//!
//! A signed consent decides where there is one, also where it says no: then what the configuration
//! says of this organisation does not count any more (decision 0022).

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::consent;
use schemas::disclosure::Audience;
use schemas::ids::Slug;

use super::asker::Asker;
use super::{Shared, problem};
use crate::config::ReaderSection;
use crate::consent::Question;
use crate::store::Stored;

/// `GET /v1/evidence/{organisation}` with a bearer token: one proof bundle.
pub(super) async fn of_organisation(
    State(app): State<Shared>,
    Path(organisation): Path<Slug>,
    asker: Asker,
) -> Result<Response, Problem> {
    let audience = check_reader(&app, &organisation, &asker).await?;
    let made = app
        .bundler
        .evidence_for(&organisation, audience)
        .await
        .map_err(problem::bundle)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], made.bytes).into_response())
}

/// The sections of the reader that asks, by its fixed token or as a client.
pub(super) fn readers_of<'a>(
    app: &'a Shared,
    asker: &'a Asker,
) -> impl Iterator<Item = &'a ReaderSection> {
    let readers = app.readers.iter();
    readers.filter(move |reader| asker.is(&reader.name, reader.token_sha256))
}

/// Whether a known reader may read an organisation's evidence.
enum Permission {
    /// As this audience.
    As(Audience),
    /// Nobody has said so.
    None,
    /// What the organisation has signed is not in force.
    Refused(consent::Refused),
}

async fn permission(
    app: &Shared,
    organisation: &Slug,
    reader: &ReaderSection,
) -> Stored<Permission> {
    let is_listed = reader.organisations.contains(organisation);
    if is_listed && reader.name == organisation.as_str() {
        return Ok(Permission::As(reader.audience));
    }
    let registry = app.gate.snapshot();
    let question = Question {
        store: &app.store,
        registry: &registry,
        documents: &app.documents,
        log: &app.policy.log,
        now: app.clock.now(),
    };
    let signed = match reader.name.parse() {
        Ok(bank) => question.in_force(organisation, &bank).await?,
        Err(_) => None,
    };
    Ok(match signed {
        Some(Ok(_)) => Permission::As(reader.audience),
        Some(Err(refused)) => Permission::Refused(refused),
        None if is_listed && reader.unsigned_consent => Permission::As(reader.audience),
        None => Permission::None,
    })
}

/// What the first section says that lets the asker read, else what the first says that refuses for a
/// reason.
async fn permission_of(
    app: &Shared,
    organisation: &Slug,
    asker: &Asker,
) -> Result<Permission, Problem> {
    let mut found = Permission::None;
    for reader in readers_of(app, asker) {
        let permission = permission(app, organisation, reader).await;
        match permission.map_err(problem::store)? {
            Permission::As(audience) => return Ok(Permission::As(audience)),
            Permission::Refused(refused) if matches!(found, Permission::None) => {
                found = Permission::Refused(refused);
            }
            Permission::None | Permission::Refused(_) => {}
        }
    }
    Ok(found)
}

/// As whom a reader reads whose token is known and to whom the organisation has consented.
pub(super) async fn audience_of(
    app: &Shared,
    organisation: &Slug,
    asker: &Asker,
) -> Result<Option<Audience>, Problem> {
    match permission_of(app, organisation, asker).await? {
        Permission::As(audience) => Ok(Some(audience)),
        Permission::None | Permission::Refused(_) => Ok(None),
    }
}

/// Refuses all others; a stranger cannot tell whether token or consent is missing. A reader that the
/// organisation has signed for learns why that does not count now.
pub(super) async fn check_reader(
    app: &Shared,
    organisation: &Slug,
    asker: &Asker,
) -> Result<Audience, Problem> {
    match permission_of(app, organisation, asker).await? {
        Permission::As(audience) => Ok(audience),
        Permission::None => Err(no_consent()),
        Permission::Refused(refused) => {
            let kind = format!("consent-{}", refused.reason.code());
            let title = "The organisation's consent is not in force";
            Err(Problem::new(StatusCode::FORBIDDEN, &kind, title).detail(refused.to_string()))
        }
    }
}

pub(super) fn no_consent() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "no-consent",
        "This organisation's evidence is not open to you",
    )
}
