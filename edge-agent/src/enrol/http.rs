//! The platform's enrolment endpoints, as a client sees them.

use schemas::enrol::{Claim, Request};
use schemas::hash::Hash;
use serde::Deserialize;

use super::EnrolError;
use crate::clock::Floor;
use crate::http::{Answer as HttpAnswer, Client, Question};
use crate::tls;

/// What was asked for is there already, or in another form.
const CONFLICT: u16 = 409;

/// The platform, reached under the claim's CA.
pub(super) struct Platform {
    client: Client,
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
    pub async fn connect(claim: &Claim, floor: &Floor) -> Result<(Self, String), EnrolError> {
        let untrusted = || {
            EnrolError::Address(format!(
                "{:.200} is neither https:// nor http:// on loopback, so it cannot be trusted",
                claim.address
            ))
        };
        let first = Client::unverified(&claim.address).map_err(|_| untrusted())?;
        // Plain HTTP never leaves the machine.
        let (client, ca) = match first.is_tls() {
            true => {
                let ca = fetch_ca(&first, claim).await?;
                let client = Client::new(&claim.address, &ca, floor.clone());
                (client.map_err(EnrolError::Address)?, ca)
            }
            false if first.is_loopback() => (first, String::new()),
            false => return Err(untrusted()),
        };
        let claim = claim.claim.clone();
        Ok((Self { client, claim }, ca))
    }

    pub async fn post_request(&self, request: &[u8]) -> Result<(), EnrolError> {
        let question = Question::post("/v1/enrol", "application/octet-stream", request);
        // Handed in by an earlier run that broke off, or by another key: the progress tells.
        self.repeatable(&question).await
    }

    pub async fn progress(&self) -> Result<Progress, EnrolError> {
        let path = format!("/v1/enrol/{}", self.claim);
        let bytes = body(self.ask(&Question::get(&path)).await?)?;
        serde_json::from_slice(&bytes).map_err(|error| EnrolError::Http(error.to_string()))
    }

    pub async fn put_consent(&self, consent: &[u8; 64]) -> Result<(), EnrolError> {
        let path = format!("/v1/enrol/{}/consent", self.claim);
        let consent = serde_json::json!({ "consent": schemas::b64::encode(consent) });
        let consent = consent.to_string();
        let question = Question::put(&path, "application/json", consent.as_bytes());
        // An earlier run's consent to the same draft, of which the answer did not come back.
        self.repeatable(&question).await
    }

    /// Hands something in that may be there already.
    async fn repeatable(&self, question: &Question<'_>) -> Result<(), EnrolError> {
        let answer = self.ask(question).await?;
        match answer.status {
            CONFLICT => Ok(()),
            _ => body(answer).map(drop),
        }
    }

    async fn ask(&self, question: &Question<'_>) -> Result<HttpAnswer, EnrolError> {
        self.client.ask(question).await.map_err(EnrolError::Http)
    }
}

/// The CA that the platform shows, if it has the claim's fingerprint.
async fn fetch_ca(platform: &Client, claim: &Claim) -> Result<String, EnrolError> {
    let bytes = body(platform.get("/v1/ca").await.map_err(EnrolError::Http)?)?;
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

/// The body of a successful answer; anything else is an error with the beginning of what the
/// platform says.
fn body(answer: HttpAnswer) -> Result<Vec<u8>, EnrolError> {
    if answer.is_success() {
        return Ok(answer.body);
    }
    let text: String = String::from_utf8_lossy(&answer.body)
        .chars()
        .take(300)
        .collect();
    Err(EnrolError::Http(format!("{}: {text}", answer.status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn plain_http_is_for_loopback_only() {
        let claim = |address: &str| {
            let origin: schemas::ids::Origin = "log.example/t".parse().expect("origin");
            Claim {
                tracebond: "claim/v1".to_owned(),
                address: address.to_owned(),
                ca: String::new(),
                log: origin.log_id(&[7; 32]),
                log_key: Hash([7; 32]),
                origin,
                organisation: "qinghe".parse().expect("organisation"),
                claim: "0011223344556677".to_owned(),
                secret: "00112233445566778899aabbccddeeff".to_owned(),
            }
        };
        let floor = Floor::default();
        for good in [
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost:1/x",
        ] {
            assert!(
                Platform::connect(&claim(good), &floor).await.is_ok(),
                "{good}"
            );
        }
        for bad in [
            "http://10.0.0.1:80",
            "http://127.0.0.1.evil.example",
            "ftp://127.0.0.1",
        ] {
            let refused = Platform::connect(&claim(bad), &floor).await.err();
            assert!(matches!(refused, Some(EnrolError::Address(_))), "{bad}");
        }
    }
}
