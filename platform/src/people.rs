//! Accounts of people who read an organisation's page.
//!
//! Names are unique on a platform, and kept under the operator's slug; a person's role is the
//! organisation whose page they may read, read anew at every request.

use std::sync::Arc;

use kit::people::{People, PeopleStore, Settings, password::PasswordError};
use schemas::time::Clock;

use crate::config::Config;

/// The people of a platform that browsers know by `public_url` (empty: plain HTTP on loopback).
///
/// # Errors
/// [`PasswordError`] where the operating system has no randomness.
pub fn people(
    config: &Config,
    public_url: String,
    store: Arc<dyn PeopleStore>,
    clock: Arc<dyn Clock>,
) -> Result<People, PasswordError> {
    let settings = Settings {
        organisation: config.organisation.clone(),
        origin: Some(public_url).filter(|url| !url.is_empty()),
        cookie: "tracebond-platform",
    };
    People::new(settings, store, clock)
}
