//! What a provider says of itself (OpenID Connect Discovery 1.0 section 4) and its keys, kept for
//! [`KNOWN_FOR`](super::KNOWN_FOR).

use std::sync::Arc;
use std::time::Duration;

use schemas::time::Instant;
use serde::Deserialize;

use super::super::jose::{Key, Signed};
use super::fetch::is_safe;
use super::{Ask, Fetch, KNOWN_FOR, Provider, ProviderError};

/// Keys that are missing are fetched again at most this often.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The part of a description that counts here.
#[derive(Clone, Deserialize)]
struct Description {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// A provider as it was found.
pub(super) struct Known {
    /// Where people are sent.
    pub(super) authorization_endpoint: String,
    /// Where codes are redeemed.
    pub(super) token_endpoint: String,
    /// Whether its answers name it (RFC 9207).
    pub(super) names_itself: bool,
    /// Its keys.
    pub(super) keys: Vec<Key>,
    jwks_uri: String,
    found: Instant,
}

impl Provider {
    /// The provider as it is known, asked for where that is too long ago.
    pub(super) async fn known(&self, now: Instant) -> Result<Arc<Known>, ProviderError> {
        let mut kept = self.known.lock().await;
        if let Some(known) = kept
            .as_ref()
            .filter(|known| known.is_younger(KNOWN_FOR, now))
        {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new(discover(&self.settings.issuer, &*self.fetch, now).await?);
        *kept = Some(Arc::clone(&known));
        Ok(known)
    }

    /// The keys for a token; fetched again, not too often, where none of them has signed it.
    pub(super) async fn keys_for(
        &self,
        signed: &Signed<'_>,
        known: Arc<Known>,
        now: Instant,
    ) -> Result<Arc<Known>, ProviderError> {
        if signed.has_key(&known.keys) || known.is_younger(AGAIN_AFTER, now) {
            return Ok(known);
        }
        let mut kept = self.known.lock().await;
        let fresh = Arc::new(Known {
            authorization_endpoint: known.authorization_endpoint.clone(),
            token_endpoint: known.token_endpoint.clone(),
            names_itself: known.names_itself,
            keys: keys(&known.jwks_uri, &*self.fetch).await?,
            jwks_uri: known.jwks_uri.clone(),
            found: now,
        });
        *kept = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}

/// What a provider says of itself, with its keys.
pub(super) async fn discover(
    issuer: &str,
    fetch: &dyn Fetch,
    now: Instant,
) -> Result<Known, ProviderError> {
    let place = issuer.trim_end_matches('/');
    let url = format!("{place}/.well-known/openid-configuration");
    let body = fetch.fetch(get(url)).await?;
    let found: Description =
        serde_json::from_slice(&body).map_err(|_| ProviderError::Description("no description"))?;
    if found.issuer != *issuer {
        return Err(ProviderError::Description("another issuer"));
    }
    let places = [
        &found.authorization_endpoint,
        &found.token_endpoint,
        &found.jwks_uri,
    ];
    if !places.iter().all(|url| is_safe(url)) {
        return Err(ProviderError::Description("an address is not https"));
    }
    Ok(Known {
        keys: keys(&found.jwks_uri, fetch).await?,
        authorization_endpoint: found.authorization_endpoint,
        token_endpoint: found.token_endpoint,
        names_itself: found.authorization_response_iss_parameter_supported,
        jwks_uri: found.jwks_uri,
        found: now,
    })
}

async fn keys(url: &str, fetch: &dyn Fetch) -> Result<Vec<Key>, ProviderError> {
    let body = fetch.fetch(get(url.to_owned())).await?;
    Ok(Key::parse_set(&body)?)
}

impl Known {
    fn is_younger(&self, age: Duration, now: Instant) -> bool {
        self.found <= now && now.since(self.found) < age
    }
}

const fn get(url: String) -> Ask {
    Ask {
        url,
        form: None,
        basic: None,
    }
}
