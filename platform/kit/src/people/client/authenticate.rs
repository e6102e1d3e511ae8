//! Who a client is: `client_secret_basic` (RFC 6749 section 2.3.1) or `private_key_jwt` (RFC 7523
//! section 2.2). Names are slugs and secrets hexadecimal digits, so that the form encoding which
//! the RFC asks for within Basic changes neither.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::Deserialize;

use super::super::StoreFailed;
use super::super::form::same;
use super::super::jose::{Key, Signed};
use super::super::limit::Who;
use super::{ASSERTION_LONGEST, Client, Clients, Credential};

/// What an assertion's type is called (RFC 7523 section 2.2).
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest `Authorization` header that is looked at, in bytes.
const BASIC_MAX: usize = 512;
/// The longest `jti`, in bytes.
const JTI_MAX: usize = 256;

/// Why a client is not taken for one.
#[derive(Debug)]
pub(super) enum Unknown {
    /// It shows nothing, or two things at once.
    Malformed(&'static str),
    /// Unknown name, wrong secret, wrong assertion, closed client: nobody learns which.
    Wrong,
    /// The same, too often.
    TooMany,
    /// The database failed.
    Store(StoreFailed),
}

impl From<StoreFailed> for Unknown {
    fn from(error: StoreFailed) -> Self {
        Self::Store(error)
    }
}

/// What of a form tells who asks.
#[derive(Default)]
pub(super) struct Shown<'f> {
    pub(super) client_id: Option<&'f str>,
    pub(super) assertion_type: Option<&'f str>,
    pub(super) assertion: Option<&'f str>,
}

/// The claims of an assertion (RFC 7523 section 3).
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    jti: String,
}

/// One or several (RFC 7519 section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
pub(in super::super) enum Audience {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Audience {
    pub(in super::super) fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

impl Clients {
    /// The client that a request comes from.
    pub(super) async fn authenticate(
        &self,
        headers: &HeaderMap,
        shown: &Shown<'_>,
    ) -> Result<Client, Unknown> {
        let basic = headers.contains_key(header::AUTHORIZATION);
        let (name, client) = match (basic, shown.assertion) {
            (true, None) => self.by_secret(headers, shown).await?,
            (false, Some(assertion)) => self.by_assertion(assertion, shown).await?,
            (true, Some(_)) => return Err(Unknown::Malformed("two ways to authenticate at once")),
            (false, None) => return Err(Unknown::Malformed("the client does not authenticate")),
        };
        client.ok_or_else(|| self.wrong(name))
    }

    fn wrong(&self, name: Option<Slug>) -> Unknown {
        tracing::warn!("a client is not known by what it shows");
        let Some(name) = name else {
            return Unknown::Wrong;
        };
        let free = self
            .0
            .wrong
            .try_once(&Who::Stranger(name), self.0.clock.now());
        if free {
            Unknown::Wrong
        } else {
            Unknown::TooMany
        }
    }

    async fn by_secret(
        &self,
        headers: &HeaderMap,
        shown: &Shown<'_>,
    ) -> Result<(Option<Slug>, Option<Client>), Unknown> {
        let (name, secret) = basic(headers).ok_or(Unknown::Malformed("malformed Basic"))?;
        if shown.client_id.is_some_and(|id| id != name) {
            return Err(Unknown::Malformed("two different clients are named"));
        }
        let Ok(name) = name.parse::<Slug>() else {
            return Ok((None, None));
        };
        let client = self.open_client(&name).await?;
        let given = sha256(secret.as_bytes());
        let fits = |client: &Client| match &client.credential {
            Credential::Secret(kept) => same(kept.as_bytes(), given.as_bytes()),
            Credential::PublicKey(_) => false,
        };
        Ok((Some(name), client.filter(fits)))
    }

    async fn by_assertion(
        &self,
        assertion: &str,
        shown: &Shown<'_>,
    ) -> Result<(Option<Slug>, Option<Client>), Unknown> {
        if shown.assertion_type != Some(ASSERTION_TYPE) {
            return Err(Unknown::Malformed("client_assertion_type"));
        }
        let signed = Signed::parse(assertion);
        let signed = signed.map_err(|_| Unknown::Malformed("malformed client_assertion"))?;
        // Whose it is, it says itself; that counts only once that client's key has verified it.
        let Some(name) = shown
            .client_id
            .map_or_else(|| claimed(assertion), |id| id.parse().ok())
        else {
            return Ok((None, None));
        };
        let Some(client) = self.open_client(&name).await? else {
            return Ok((Some(name), None));
        };
        let Credential::PublicKey(key) = &client.credential else {
            return Ok((Some(name), None));
        };
        let claims = signed.verify::<Claims>(&[Key::ed25519(*key)]);
        let accepted = claims
            .ok()
            .and_then(|claims| self.accepted(&client, &claims));
        let Some((id, expires)) = accepted else {
            return Ok((Some(name), None));
        };
        let (store, organisation) = (&self.0.store, &self.0.organisation);
        let fresh = store.use_assertion(organisation, &name, &id, expires);
        let fresh = fresh.await?;
        Ok((Some(name), Some(client).filter(|_| fresh)))
    }

    /// What an assertion is known by, and until when it counts, if it does.
    fn accepted(&self, client: &Client, claims: &Claims) -> Option<(Hash, Instant)> {
        let now = self.0.clock.now();
        let expires = Instant::from_seconds(claims.exp);
        let own = client.name.as_str();
        let issuer = &self.0.issuer;
        let endpoint = format!("{issuer}/oauth2/token");
        let is_for_us = |name: &String| name == issuer || *name == endpoint;
        let fits = claims.iss == own
            && claims.sub == own
            && claims.aud.names().iter().any(is_for_us)
            && !claims.jti.is_empty()
            && claims.jti.len() <= JTI_MAX
            && now < expires
            && expires.since(now) <= ASSERTION_LONGEST;
        fits.then(|| (sha256(claims.jti.as_bytes()), expires))
    }
}

/// The client that an assertion names, unverified.
fn claimed(assertion: &str) -> Option<Slug> {
    #[derive(Deserialize)]
    struct Subject {
        sub: Slug,
    }
    let payload = assertion.split('.').nth(1)?;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .ok()?;
    let subject: Subject = serde_json::from_slice(&payload).ok()?;
    Some(subject.sub)
}

/// Name and secret of a Basic header (RFC 7617).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, given) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || given.len() > BASIC_MAX {
        return None;
    }
    let both = String::from_utf8(STANDARD.decode(given.trim()).ok()?).ok()?;
    let (name, secret) = both.split_once(':')?;
    Some((name.to_owned(), secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header_of(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, text.parse().unwrap());
        headers
    }

    #[test]
    fn basic_is_read_as_it_is_defined() {
        let (name, secret) = basic(&header_of("basic YTpiOmM=")).unwrap();
        assert_eq!((name.as_str(), secret.as_str()), ("a", "b:c"));
        for wrong in [
            "Basic",
            "Basic ",
            "Basic YQ==",
            "Bearer YTpi",
            "Basic *",
            "Basic /w==",
        ] {
            assert!(basic(&header_of(wrong)).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_header_and_no_assertion_makes_the_reader_fail(text in "[ -~]*") {
            let _ = basic(&header_of(&text));
            let _ = basic(&header_of(&format!("Basic {text}")));
            let _ = claimed(&text);
        }
    }
}
