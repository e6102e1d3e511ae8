//! Which program asks: what it shows is a fixed token of the configuration, or one that it has
//! fetched as a client.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use kit::people::Machine;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use std::convert::Infallible;

/// What a request shows of the program that sends it.
pub(super) struct Asker {
    token: Option<String>,
    client: Option<Slug>,
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let shown = parts.headers.get(header::AUTHORIZATION);
        let shown = shown.and_then(|value| value.to_str().ok());
        let token = shown.and_then(|text| text.strip_prefix("Bearer "));
        let machine = parts.extensions.get::<Machine>();
        Ok(Self {
            token: token.map(str::to_owned),
            client: machine.map(|machine| machine.name.clone()),
        })
    }
}

impl Asker {
    /// The bearer token, of whatever kind.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The client whose token it is, if it is good for this route.
    pub(super) const fn client(&self) -> Option<&Slug> {
        self.client.as_ref()
    }

    /// Whether this is the program of this name, or with this token.
    pub(super) fn is(&self, name: &str, token: Option<Hash>) -> bool {
        match (&self.client, &self.token) {
            (Some(client), _) => client.as_str() == name,
            (None, Some(shown)) => token == Some(sha256(shown.as_bytes())),
            (None, None) => false,
        }
    }
}
