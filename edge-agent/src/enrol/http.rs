//! The platform's enrolment endpoints, as a client sees them.

use schemas::enrol::{Claim, Request};
use schemas::hash::Hash;
use serde::Deserialize;

use super::EnrolError;
use crate::{http, tls};

/// The platform, reached under the claim's CA.
pub(super) struct Platform {
    client: reqwest::Client,
    base: String,
    claim: String,
}

/// `GET /v1/enrol/{claim}`.
#[derive(Deserialize)]
pub(super) struct Progress {
    pub state: String,
    pub reason: Option<String>,
    request: Option<String>,
    draft: Option<String>,
    hmac: Option<Hash>,
    pub answer: Option<Answer>,
}

impl Progress {
    /// kid of the key whose request the platform keeps under the claim, where it shows it.
    pub fn asked_by(&self) -> Option<Hash> {
        let bytes = schemas::b64::decode(self.request.as_deref()?)?;
        Some(Request::parse(&bytes).ok()?.key.kid())
    }

    /// The draft's payload and the organisation's proof.
    pub fn draft(&self) -> Result<(Vec<u8>, Hash), EnrolError> {
        let missing = || EnrolError::Draft("it is incomplete".to_owned());
        let draft = self
            .draft
            .as_deref()
            .and_then(schemas::b64::decode)
            .ok_or_else(missing)?;
        Ok((draft, self.hmac.ok_or_else(missing)?))
    }
}

/// What an admitted device is answered.
#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(with = "schemas::b64")]
    pub record: Vec<u8>,
    #[serde(with = "schemas::b64")]
    pub organisation_record: Vec<u8>,
    #[serde(with = "schemas::b64")]
    pub receipt_record: Vec<u8>,
    #[serde(with = "schemas::b64")]
    pub receipt_organisation_record: Vec<u8>,
    #[serde(with = "schemas::b64")]
    pub policy: Vec<u8>,
    #[serde(default)]
    pub policies: Option<schemas::log::PolicyChain>,
    pub broker: String,
    #[serde(default)]
    pub ca: String,
    pub username: String,
}

impl Platform {
    /// The platform of a claim, and its CA in PEM (empty without TLS).
    pub async fn connect(claim: &Claim) -> Result<(Self, String), EnrolError> {
        let base = claim.address.trim_end_matches('/').to_owned();
        let (config, ca) = if base.starts_with("https://") {
            let ca = fetch_ca(&base, claim).await?;
            (tls::under_ca(&ca), ca)
        } else {
            check_loopback(&base)?;
            (tls::unverified(), String::new())
        };
        let config = config.map_err(|error| EnrolError::Address(error.to_string()))?;
        Ok((
            Self {
                client: client(config)?,
                base,
                claim: claim.claim.clone(),
            },
            ca,
        ))
    }

    pub async fn post_request(&self, request: Vec<u8>) -> Result<(), EnrolError> {
        let sending = self
            .client
            .post(format!("{}/v1/enrol", self.base))
            .header("content-type", "application/octet-stream")
            .body(request);
        match read(sending).await {
            // Handed in by an earlier run that broke off, or by another key: the progress tells.
            Err(EnrolError::Http(text)) if text.starts_with("409") => Ok(()),
            other => other.map(drop),
        }
    }

    pub async fn progress(&self) -> Result<Progress, EnrolError> {
        let bytes = read(
            self.client
                .get(format!("{}/v1/enrol/{}", self.base, self.claim)),
        )
        .await?;
        serde_json::from_slice(&bytes).map_err(|error| EnrolError::Http(error.to_string()))
    }

    pub async fn put_consent(&self, consent: &[u8; 64]) -> Result<(), EnrolError> {
        let url = format!("{}/v1/enrol/{}/consent", self.base, self.claim);
        let body = serde_json::json!({ "consent": schemas::b64::encode(consent) });
        match read(self.client.put(url).json(&body)).await {
            // An earlier run's consent to the same draft, of which the answer did not come back.
            Err(EnrolError::Http(text)) if text.starts_with("409") => Ok(()),
            other => other.map(drop),
        }
    }
}

fn client(config: rustls::ClientConfig) -> Result<reqwest::Client, EnrolError> {
    http::client(config).map_err(EnrolError::Http)
}

/// The CA that the platform shows, if it has the claim's fingerprint.
async fn fetch_ca(base: &str, claim: &Claim) -> Result<String, EnrolError> {
    let config = tls::unverified().map_err(|error| EnrolError::Address(error.to_string()))?;
    let bytes = read(client(config)?.get(format!("{base}/v1/ca"))).await?;
    let pem = String::from_utf8(bytes).map_err(|_| EnrolError::Http("a CA in PEM".to_owned()))?;
    let found = tls::fingerprint(&pem).map_err(|error| EnrolError::Address(error.to_string()))?;
    if claim.ca.parse() == Ok(found) {
        Ok(pem)
    } else {
        Err(EnrolError::Ca {
            found,
            expected: claim.ca.clone(),
        })
    }
}

/// Plain HTTP never leaves the machine.
fn check_loopback(base: &str) -> Result<(), EnrolError> {
    let refuse = || {
        EnrolError::Address(format!(
            "{base:.200} is neither https:// nor http:// on loopback, so it cannot be trusted"
        ))
    };
    let rest = base.strip_prefix("http://").ok_or_else(refuse)?;
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let loops = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if loops { Ok(()) } else { Err(refuse()) }
}

/// The body of a successful answer; anything else is an error with the beginning of what the
/// platform says.
async fn read(request: reqwest::RequestBuilder) -> Result<Vec<u8>, EnrolError> {
    let (status, bytes) = http::send(request).await.map_err(EnrolError::Http)?;
    if status.is_success() {
        return Ok(bytes);
    }
    let text: String = String::from_utf8_lossy(&bytes).chars().take(300).collect();
    Err(EnrolError::Http(format!("{status}: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in [
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost:1/x",
        ] {
            assert!(check_loopback(good).is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.1:80",
            "http://127.0.0.1.evil.example",
            "ftp://127.0.0.1",
        ] {
            assert!(check_loopback(bad).is_err(), "{bad}");
        }
    }
}
