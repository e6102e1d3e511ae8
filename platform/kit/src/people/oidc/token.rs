//! From a code to a subject: the token endpoint (OpenID Connect Core 1.0 section 3.1.3) and the ID
//! token's checks (section 3.1.3.7).

use schemas::time::Instant;
use serde::Deserialize;

use super::super::client::Audience;
use super::super::jose::Signed;
use super::{ASKED_LONGEST, Ask, LEEWAY, Provider, ProviderError, SUBJECT_MAX};
use crate::page::query_value;

/// The part of the token endpoint's answer that counts here; the access token is not used.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

/// The claims that are checked.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nonce: Option<String>,
}

impl Provider {
    /// The subject that a code stands for.
    pub(super) async fn redeem(
        &self,
        code: &str,
        verifier: &str,
        nonce: &str,
        now: Instant,
    ) -> Result<String, ProviderError> {
        let known = self.known(now).await?;
        let ask = self.redeeming(known.token_endpoint.clone(), code, verifier);
        let body = self.fetch.fetch(ask).await?;
        let tokens: Tokens = serde_json::from_slice(&body)
            .map_err(|_| ProviderError::Answer("there is no ID token in it"))?;
        let signed = Signed::parse(&tokens.id_token)?;
        let known = self.keys_for(&signed, known, now).await?;
        let claims: Claims = signed.verify(&known.keys)?;
        self.check(claims, nonce, now)
    }

    fn redeeming(&self, url: String, code: &str, verifier: &str) -> Ask {
        let value = |text: &str| query_value(text).replace('/', "%2F");
        let settings = &self.settings;
        let mut form = format!(
            "grant_type=authorization_code&code={}&redirect_uri={}&code_verifier={}",
            value(code),
            value(&self.way_back()),
            value(verifier),
        );
        // Within Basic, name and secret are in form encoding (RFC 6749 section 2.3.1).
        let basic = settings
            .client_secret
            .as_ref()
            .map(|secret| (value(&settings.client_id), value(secret)));
        if basic.is_none() {
            form.push_str("&client_id=");
            form.push_str(&value(&settings.client_id));
        }
        Ask {
            url,
            form: Some(form),
            basic,
        }
    }

    fn check(&self, claims: Claims, nonce: &str, now: Instant) -> Result<String, ProviderError> {
        let (settings, audience) = (&self.settings, claims.aud.names());
        let own = |name: &String| *name == settings.client_id;
        let party = claims.azp.as_ref();
        let until = Instant::from_seconds(claims.exp) + LEEWAY;
        let since = Instant::from_seconds(claims.iat);
        let checks = [
            (claims.iss == settings.issuer, "another issuer"),
            (audience.iter().any(own), "another audience"),
            (audience.len() == 1 || party.is_some(), "several audiences"),
            (party.is_none_or(own), "another authorized party"),
            (now < until, "it has run out"),
            (since <= now + LEEWAY, "it is of the future"),
            (now.since(since) <= ASKED_LONGEST, "it is too old"),
            (claims.nonce.as_deref() == Some(nonce), "another nonce"),
            (!claims.sub.is_empty(), "no subject"),
            (claims.sub.len() <= SUBJECT_MAX, "too long a subject"),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, why)) => Err(ProviderError::Token(why)),
            None => Ok(claims.sub),
        }
    }
}
