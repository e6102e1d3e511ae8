//! Accounts of people who read an organisation's page, and of machines that fetch their own tokens.
//!
//! Names are unique on a platform, and kept under the operator's slug; a person's role is the
//! organisation whose page they may read, read anew at every request. A client's name is that of the
//! `[[capturer]]` or `[[reader]]` that it is; what it may do stands there.

use std::sync::Arc;

use axum::http::Method;
use kit::people::client::Reach;
use kit::people::{AccessStore, Clients, People, SetUpError, Settings};
use schemas::time::Clock;

use crate::config::Config;

/// Scope of clients that declare events over `POST /capture`.
pub const CAPTURE: &str = "capture";
/// Scope of clients that read evidence.
pub const EVIDENCE: &str = "evidence";
/// Scope of clients that hand hashes of documents over for the log.
pub const DOCUMENTS: &str = "documents";

/// Every scope of clients.
pub const SCOPES: [&str; 3] = [CAPTURE, EVIDENCE, DOCUMENTS];

/// What clients reach, with the scope that each route needs.
const OPEN: [(Method, &str, &str); 12] = [
    (Method::OPTIONS, "/capture", CAPTURE),
    (Method::POST, "/capture", CAPTURE),
    (Method::GET, "/capture/{id}", CAPTURE),
    (Method::GET, "/capture/{id}/document", CAPTURE),
    (Method::GET, "/capture/{id}/events", CAPTURE),
    (Method::GET, "/v1/evidence/{organisation}", EVIDENCE),
    (Method::GET, "/v1/registry/records/{organisation}", EVIDENCE),
    (Method::GET, "/v1/consents/{supplier}/{bank}", EVIDENCE),
    (Method::GET, "/v1/events", EVIDENCE),
    (
        Method::GET,
        "/v1/bundles/event/{statement}/{place}",
        EVIDENCE,
    ),
    (
        Method::GET,
        "/v1/bundles/device/{organisation}/{device}",
        EVIDENCE,
    ),
    (Method::PUT, "/v1/documents/{hash}", DOCUMENTS),
];

/// The people of a platform that browsers know by `public_url` (empty: plain HTTP on loopback);
/// `own` is its address in any case.
///
/// # Errors
/// [`SetUpError`].
pub fn people(
    config: &Config,
    public_url: String,
    own: &str,
    store: Arc<dyn AccessStore>,
    clock: Arc<dyn Clock>,
) -> Result<People, SetUpError> {
    let settings = Settings {
        organisation: config.organisation.clone(),
        origin: Some(public_url).filter(|url| !url.is_empty()),
        cookie: "tracebond-platform",
    };
    let section = config.log_in_in_data();
    People::configured(settings, section.as_ref(), own, store, clock)
}

/// The clients of a platform that is known by this address.
#[must_use]
pub fn clients(
    config: &Config,
    own: &str,
    store: Arc<dyn AccessStore>,
    clock: Arc<dyn Clock>,
) -> Clients {
    Clients::new(config.organisation.clone(), own, store, clock)
}

/// What clients reach.
#[must_use]
pub fn reach() -> Reach {
    let open = |reach: Reach, (method, route, scope)| reach.open(method, route, scope);
    OPEN.into_iter().fold(Reach::default(), open)
}
