//! The platform as the organisation's tool sees it: its public HTTP interface.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response};
use schemas::b64;
use schemas::causes::causes;
use schemas::consent::SignedConsent;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::registry::SignedRecord;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::folder::Settings;
use crate::monitor::shown::Shown;
use crate::tls;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer in bytes: the list of a million keys is 150 MB.
const ANSWER_MAX: usize = 256 * 1024 * 1024;
/// Longest text of a refusal that is repeated, in characters.
const REFUSAL_CHARS: usize = 300;

/// The platform did not do it.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// It cannot be reached, or its certificate is not the one that is trusted.
    #[error("cannot be asked: {0}")]
    Network(String),
    /// It refused.
    #[error("refuses to {what}: {status} {text}")]
    Refused {
        /// What it was asked to do.
        what: &'static str,
        /// Its status.
        status: u16,
        /// The beginning of what it said.
        text: String,
    },
    /// Its answer is not what the interface says.
    #[error("its answer has no proper {0}")]
    Answer(&'static str),
}

/// How far an enrolment is.
#[derive(Debug)]
pub struct Asked {
    /// The device's request.
    pub request: Vec<u8>,
    /// There is a draft.
    pub drafted: bool,
    /// The device's consent to the draft.
    pub consent: Option<Vec<u8>>,
    /// The last word of the device's present key, as the platform has it.
    pub last_word: Option<Vec<u8>>,
    /// The platform's word for it.
    pub state: String,
}

#[derive(Deserialize)]
struct AskedBody {
    state: String,
    request: String,
    draft: Option<String>,
    consent: Option<String>,
    last_word: Option<String>,
}

#[derive(Deserialize)]
struct VersionBody {
    registry_version: u64,
}

#[derive(Deserialize)]
struct ConsentsBody {
    consents: Vec<ConsentBody>,
}

/// A proof stands beside it, which the supplier does not need.
#[derive(Deserialize)]
struct ConsentBody {
    document: String,
}

/// A served list: (kid, record hash) of every key at a registry version, and the root that the
/// platform names.
#[derive(Debug, Deserialize)]
pub struct Listed {
    /// Registry version.
    pub version: u64,
    /// Root.
    pub root: Hash,
    /// By kid.
    pub keys: Vec<(Hash, Hash)>,
}

/// A platform.
#[derive(Clone, Debug)]
pub struct Platform {
    base: String,
    http: Client,
}

impl Platform {
    /// The platform of these settings, under its own CA.
    ///
    /// # Errors
    /// [`PlatformError::Network`] if no client can be made.
    pub fn of(settings: &Settings) -> Result<Self, PlatformError> {
        tls::install_provider();
        let failed = |why: String| PlatformError::Network(why);
        let mut builder = Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none());
        if !settings.ca.is_empty() {
            let config = tls::client_config(&settings.ca);
            let config = config.map_err(|error| failed(causes(&error)))?;
            builder = builder.tls_backend_preconfigured(std::sync::Arc::unwrap_or_clone(config));
        }
        Ok(Self {
            base: settings.address.clone(),
            http: builder.build().map_err(|error| failed(causes(&error)))?,
        })
    }

    /// Hands in a signed record; the registry version that holds it.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn admit(&self, signed: &SignedRecord) -> Result<u64, PlatformError> {
        let url = format!("{}/v1/registry/records", self.base);
        let request = self.http.post(url).body(signed.bytes().to_vec());
        let body: VersionBody = self.json("take the record", request).await?;
        Ok(body.registry_version)
    }

    /// An enrolment; `None` while nobody has asked with the claim.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn asked(&self, claim: &str) -> Result<Option<Asked>, PlatformError> {
        let request = self.http.get(format!("{}/v1/enrol/{claim}", self.base));
        let body: AskedBody = match self.json("show the enrolment", request).await {
            Err(PlatformError::Refused { status: 404, .. }) => return Ok(None),
            body => body?,
        };
        let bytes = |text: &str, what| b64::decode(text).ok_or(PlatformError::Answer(what));
        let consent = body.consent.as_deref().map(|text| bytes(text, "consent"));
        let last_word = body.last_word.as_deref();
        let last_word = last_word.map(|text| bytes(text, "last word"));
        Ok(Some(Asked {
            request: bytes(&body.request, "request")?,
            drafted: body.draft.is_some(),
            consent: consent.transpose()?,
            last_word: last_word.transpose()?,
            state: body.state,
        }))
    }

    /// Hands in a draft with its HMAC.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn draft(&self, claim: &str, draft: &[u8], mac: &Hash) -> Result<(), PlatformError> {
        let body = serde_json::json!({ "draft": b64::encode(draft), "hmac": mac });
        let url = format!("{}/v1/enrol/{claim}/draft", self.base);
        let request = self.http.put(url).json(&body);
        self.answer("take the draft", request).await.map(drop)
    }

    /// Hands in a signed consent or its withdrawal.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn consent(&self, signed: &SignedConsent) -> Result<(), PlatformError> {
        let url = format!("{}/v1/consents", self.base);
        let request = self.http.post(url).body(signed.bytes().to_vec());
        self.answer("take the consent", request).await.map(drop)
    }

    /// The chain of consents of a supplier to a bank as the platform has it, for one of the two.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn consents(
        &self,
        supplier: &Slug,
        bank: &Slug,
        token: &str,
    ) -> Result<Vec<Vec<u8>>, PlatformError> {
        let url = format!("{}/v1/consents/{supplier}/{bank}", self.base);
        let request = self.http.get(url).bearer_auth(token);
        let body: ConsentsBody = self.json("show the consents", request).await?;
        let bytes = |one: ConsentBody| b64::decode(&one.document);
        let all: Option<Vec<_>> = body.consents.into_iter().map(bytes).collect();
        all.ok_or(PlatformError::Answer("consent"))
    }

    /// Records of an organisation's keys, for its readers.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn records(&self, organisation: &Slug, token: &str) -> Result<Shown, PlatformError> {
        let url = format!("{}/v1/registry/records/{organisation}", self.base);
        let request = self.http.get(url).bearer_auth(token);
        self.json("show the records", request).await
    }

    /// The list of a registry version.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub async fn list(&self, version: u64) -> Result<Listed, PlatformError> {
        let url = format!("{}/v1/registry/list/{version}", self.base);
        self.json("show the list of keys", self.http.get(url)).await
    }

    async fn json<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<T, PlatformError> {
        let mut answer = self.answer(what, request).await?;
        let mut bytes = Vec::new();
        let failed = |error: reqwest::Error| PlatformError::Network(causes(&error));
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > ANSWER_MAX {
                return Err(PlatformError::Answer("length"));
            }
            bytes.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&bytes).map_err(|_| PlatformError::Answer("form"))
    }

    async fn answer(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<Response, PlatformError> {
        let answer = request.send().await;
        let answer = answer.map_err(|error| PlatformError::Network(causes(&error)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.text().await.unwrap_or_default();
        Err(PlatformError::Refused {
            what,
            status: status.as_u16(),
            text: text.chars().take(REFUSAL_CHARS).collect(),
        })
    }
}
