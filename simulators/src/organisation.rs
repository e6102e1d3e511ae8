//! Organisations and the registrar with their own keys, and what they do with them: admit each
//! other to the registry, hand out claims, look at enrolment requests and sign the records of
//! their devices.
//!
//! The keys are made and held here. The platform sees only what they sign, over the same HTTP
//! interface that a real organisation's tool would use:
//!
//! | request | meaning |
//! |---|---|
//! | `POST /v1/registry/records` | a signed record (COSE bytes) |
//! | `GET /v1/enrol/{claim}` | how far an enrolment is: `request` and `consent` when they are there |
//! | `PUT /v1/enrol/{claim}/draft` | the record that the device is to consent to, with its HMAC |
//! | `GET /v1/disclosure/{org}` | the organisation's newest disclosure document |
//! | `POST /v1/disclosure` | the next one, signed |
//! | `POST /v1/consents` | a signed consent to a bank |

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Response, StatusCode};
use schemas::attestation;
use schemas::consent::{Act, Consent, ConsentError, Grant, Purpose, SignedConsent};
use schemas::disclosure::{Audience, Disclosure, DisclosureError, Rule, SignedDisclosure};
use schemas::enrol::{Claim, EnrolError, Request};
use schemas::event::Source;
use schemas::hash::Hash;
use schemas::ids::{Origin, Slug};
use schemas::key::SecretKey;
use schemas::log::Party;
use schemas::random::{self, NoRandomness};
use schemas::registry::{Record, Role, SignedRecord};
use schemas::time::Instant;
use serde::Deserialize;

use crate::scenario::{Gateway, Input};

/// How long a device may take to ask or to consent, in real time.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a bank may read: longer than any of its offers waits.
const CONSENT_LASTS: Duration = Duration::from_secs(90 * 24 * 3_600);

/// How often an organisation looks whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Longest text of a refusal that an error repeats, in characters.
const REFUSAL_CHARS: usize = 300;

/// What went wrong between an organisation and the platform.
#[derive(Debug, thiserror::Error)]
pub enum OrganisationError {
    /// The platform cannot be reached.
    #[error("the platform cannot be reached")]
    Http(#[from] reqwest::Error),
    /// The platform refused.
    #[error("the platform refused to {what}: {status} {text}")]
    Refused {
        /// What it was asked to do.
        what: &'static str,
        /// Its status.
        status: StatusCode,
        /// The beginning of what it said.
        text: String,
    },
    /// The platform's answer is not what the interface says.
    #[error("the platform's answer has no proper {0}")]
    Answer(&'static str),
    /// A device asked with a wrong proof, or the claim is broken.
    #[error("the enrolment request does not count")]
    Request(#[from] EnrolError),
    /// The device asked for another log or name than the claim is for.
    #[error("the enrolment request asks for {0}")]
    Asked(String),
    /// The device did not ask or consent in time.
    #[error("{device} has not sent its {what} within {} s", PATIENCE.as_secs())]
    Silent {
        /// Which device.
        device: Slug,
        /// `request` or `consent`.
        what: &'static str,
    },
    /// What an organisation withholds cannot be written or read.
    #[error("the disclosure document does not count")]
    Disclosure(#[from] DisclosureError),
    /// A consent cannot be written.
    #[error("the consent does not count")]
    Consent(#[from] ConsentError),
    /// No random numbers.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// Where a platform is and which log it keeps: what a claim tells a device.
#[derive(Debug, Clone)]
pub struct Platform {
    /// Base URL without a slash at its end.
    pub address: String,
    /// SHA-256 fingerprint of its CA in hex; empty for plain HTTP on loopback.
    pub ca: String,
    /// Log origin.
    pub origin: Origin,
    /// Genesis log key.
    pub log_key: [u8; 32],
}

impl Platform {
    /// Log id.
    pub fn log(&self) -> Hash {
        self.origin.log_id(&self.log_key)
    }
}

/// Who admits organisations. Its key stands in the policy, never in the registry.
pub struct Registrar {
    name: Slug,
    key: SecretKey,
}

impl Registrar {
    /// A registrar with a new key.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn new(name: Slug) -> Result<Registrar, NoRandomness> {
        Ok(Registrar {
            name,
            key: SecretKey::generate()?,
        })
    }

    /// A registrar whose key was made before.
    pub fn with_key(name: Slug, key: SecretKey) -> Registrar {
        Registrar { name, key }
    }

    /// Its name and key as they stand in the policy.
    pub fn party(&self) -> Party {
        Party {
            name: self.name.to_string(),
            key: self.key.public(),
        }
    }

    /// Signs an organisation's record.
    pub fn admit(&self, record: Record) -> SignedRecord {
        SignedRecord::sign(&self.key, record)
    }
}

/// An organisation with its key.
pub struct Organisation {
    slug: Slug,
    key: SecretKey,
    platform: Platform,
    http: Client,
}

impl Organisation {
    /// An organisation with a new key that deals with one platform.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn new(slug: Slug, platform: Platform, http: Client) -> Result<Organisation, NoRandomness> {
        Ok(Organisation::with_key(
            slug,
            SecretKey::generate()?,
            platform,
            http,
        ))
    }

    /// An organisation whose key was made before the platform was there.
    pub fn with_key(slug: Slug, key: SecretKey, platform: Platform, http: Client) -> Organisation {
        Organisation {
            slug,
            key,
            platform,
            http,
        }
    }

    /// Its name.
    pub fn slug(&self) -> &Slug {
        &self.slug
    }

    /// Applies to the registrar and hands the signed record to the platform.
    ///
    /// # Errors
    /// When the platform cannot be reached or refuses.
    pub async fn join(&self, registrar: &Registrar) -> Result<(), OrganisationError> {
        let record = own_record(self.platform.log(), &self.slug, &self.key);
        self.hand_over(&registrar.admit(record)).await
    }

    /// Publishes what the organisation withholds from whom, as the document that follows its newest
    /// one: `withheld` from each audience in all events, and nothing where an audience is not named.
    ///
    /// # Errors
    /// When the platform cannot be reached or refuses.
    pub async fn disclose(
        &self,
        withheld: &BTreeMap<Audience, BTreeSet<String>>,
        now: Instant,
    ) -> Result<SignedDisclosure, OrganisationError> {
        let newest = self.newest_disclosure().await?;
        let rule = |audience| Rule {
            audience,
            step: String::new(),
            withheld: withheld
                .get(&audience)
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
        };
        let document = Disclosure {
            log: self.platform.log(),
            organisation: self.slug.clone(),
            version: newest.as_ref().map_or(1, |one| one.disclosure.version + 1),
            prev: newest.map_or(Hash::ZERO, |one| one.id()),
            made: now,
            rules: Audience::ALL.map(rule).to_vec(),
        };
        let signed = SignedDisclosure::sign(&self.key, &document)?;
        let url = format!("{}/v1/disclosure", self.platform.address);
        let request = self.http.post(url).body(signed.bytes().to_vec());
        accepted("take a disclosure document", request.send().await?).await?;
        Ok(signed)
    }

    /// Lets a bank read everything for a quarter, to assess an application and to test models: the
    /// first consent of this organisation to it.
    ///
    /// # Errors
    /// When the platform cannot be reached or refuses.
    pub async fn consent(
        &self,
        bank: &Slug,
        now: Instant,
    ) -> Result<SignedConsent, OrganisationError> {
        let consent = Consent {
            log: self.platform.log(),
            supplier: self.slug.clone(),
            bank: bank.clone(),
            number: 1,
            prev: Hash::ZERO,
            made: now,
            act: Act::Grant(Grant {
                from: now,
                until: now + CONSENT_LASTS,
                purposes: vec![Purpose::Assess, Purpose::Watch, Purpose::Model],
                devices: Vec::new(),
                steps: Vec::new(),
                withheld: Vec::new(),
                attestations: attestation::Kind::ALL.to_vec(),
            }),
        };
        let signed = SignedConsent::sign(&self.key, &consent)?;
        let url = format!("{}/v1/consents", self.platform.address);
        let request = self.http.post(url).body(signed.bytes().to_vec());
        accepted("take a consent", request.send().await?).await?;
        Ok(signed)
    }

    async fn newest_disclosure(&self) -> Result<Option<SignedDisclosure>, OrganisationError> {
        let url = format!("{}/v1/disclosure/{}", self.platform.address, self.slug);
        let answer = self.http.get(url).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = accepted("show the disclosure document", answer).await?;
        Ok(Some(SignedDisclosure::parse(
            answer.bytes().await?.to_vec(),
        )?))
    }

    /// A new claim for one device.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn claim(&self) -> Result<Claim, NoRandomness> {
        let (claim, secret) = (random::bytes::<8>()?, random::bytes::<16>()?);
        Ok(Claim {
            tracebond: "claim/v1".to_owned(),
            address: self.platform.address.clone(),
            ca: self.platform.ca.clone(),
            log: self.platform.log(),
            log_key: Hash(self.platform.log_key),
            origin: self.platform.origin.clone(),
            organisation: self.slug.clone(),
            claim: hex::encode(claim),
            secret: hex::encode(secret),
        })
    }

    /// Waits for the device to use its claim, checks that it did so rightly, drafts its record,
    /// and signs that when the device has consented.
    ///
    /// # Errors
    /// When the device asks for something else, takes too long, or the platform refuses.
    pub async fn enrol(&self, claim: &Claim, gateway: &Gateway) -> Result<(), OrganisationError> {
        let bytes = self
            .watch(claim, gateway, "request", |state| state.request)
            .await?;
        let request = Request::parse(&bytes)?;
        request.check(claim)?;
        if request.log != self.platform.log() || request.device != gateway.slug {
            return Err(OrganisationError::Asked(format!(
                "{} on {}",
                request.device, request.log
            )));
        }
        let mut record = device_record(&self.slug, gateway, &request);
        self.draft(claim, &record).await?;
        let consent = self
            .watch(claim, gateway, "consent", |state| state.consent)
            .await?;
        let consent = consent
            .try_into()
            .map_err(|_| OrganisationError::Answer("consent"))?;
        record.consent = Some(consent);
        self.hand_over(&SignedRecord::sign(&self.key, record)).await
    }

    async fn draft(&self, claim: &Claim, record: &Record) -> Result<(), OrganisationError> {
        let draft = record.draft();
        let hmac = claim.draft_mac(&draft)?.to_string();
        let body = serde_json::json!({ "draft": STANDARD.encode(&draft), "hmac": hmac });
        let url = format!("{}/v1/enrol/{}/draft", self.platform.address, claim.claim);
        let answer = self.http.put(url).json(&body).send().await?;
        accepted("take the draft", answer).await.map(drop)
    }

    /// Looks at an enrolment until the platform has what the organisation waits for.
    async fn watch(
        &self,
        claim: &Claim,
        gateway: &Gateway,
        what: &'static str,
        part: impl Fn(EnrolmentState) -> Option<String>,
    ) -> Result<Vec<u8>, OrganisationError> {
        let url = format!("{}/v1/enrol/{}", self.platform.address, claim.claim);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            let answer = self.http.get(&url).send().await?;
            // Until the device has asked, the platform knows nothing of the claim.
            if answer.status() != StatusCode::NOT_FOUND {
                let answer = accepted("show the enrolment", answer).await?;
                let state: EnrolmentState = answer.json().await?;
                if let Some(text) = part(state) {
                    return STANDARD
                        .decode(text)
                        .map_err(|_| OrganisationError::Answer(what));
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(OrganisationError::Silent {
            device: gateway.slug.clone(),
            what,
        })
    }

    async fn hand_over(&self, record: &SignedRecord) -> Result<(), OrganisationError> {
        hand_over(&self.http, &self.platform.address, record).await
    }
}

/// Hands a signed record to the platform at `address`.
///
/// # Errors
/// When the platform cannot be reached or refuses.
pub async fn hand_over(
    http: &Client,
    address: &str,
    record: &SignedRecord,
) -> Result<(), OrganisationError> {
    let url = format!("{address}/v1/registry/records");
    let answer = http.post(url).body(record.bytes().to_vec()).send().await?;
    accepted("take a record", answer).await.map(drop)
}

/// What the platform shows of an enrolment; further members are of no use here.
#[derive(Deserialize)]
struct EnrolmentState {
    request: Option<String>,
    consent: Option<String>,
}

async fn accepted(what: &'static str, answer: Response) -> Result<Response, OrganisationError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.unwrap_or_default();
    let text = text.chars().take(REFUSAL_CHARS).collect();
    Err(OrganisationError::Refused { what, status, text })
}

/// The first record of an organisation's own key, with the key's consent.
pub fn own_record(log: Hash, slug: &Slug, key: &SecretKey) -> Record {
    Record::first(log, slug.clone(), Role::Organisation, key.public()).consented(key)
}

/// The first record of a gateway's key, not yet consented.
fn device_record(organisation: &Slug, gateway: &Gateway, request: &Request) -> Record {
    let lines = match gateway.input {
        Input::File => Source::File,
        Input::Scanner => Source::Scan,
    };
    let sensor = gateway.sensor.as_ref().map(|_| Source::Sensor);
    let sources = [lines].into_iter().chain(sensor);
    Record {
        device: Some(gateway.slug.clone()),
        places: vec![gateway.place.clone()],
        steps: gateway
            .steps
            .iter()
            .map(|step| (*step).to_owned())
            .collect(),
        sources: sources.map(Source::number).collect(),
        heartbeat: gateway.heartbeat_seconds,
        ..Record::first(
            request.log,
            organisation.clone(),
            Role::Capture,
            request.key.clone(),
        )
    }
}
