//! Enrolment by a claim (`schemas/docs/statement.md` section 7), from the device's side.
//!
//! The key and the broker password are made here and stored before anything leaves; the platform
//! learns the public key and the password's hash. A run that breaks off is repeated with the same
//! claim and goes on where it was.

mod http;

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemas::enrol::{Claim, EnrolError as ClaimError, Request};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::key::SecretKey;
use schemas::registry::{Record, RecordError, Role, SignedRecord};
use serde::{Deserialize, Serialize};

use self::http::{Answer, Platform};
use crate::identity::{self, IdentityError, write_private};
use crate::trust::{Enrolment, TrustError};

/// What is kept while an enrolment is under way, mode 0600: it holds the broker password.
const PENDING_FILE: &str = "enrolment.pending.json";
/// First and longest wait between questions to the platform.
const POLL_MIN: Duration = Duration::from_millis(50);
const POLL_MAX: Duration = Duration::from_secs(2);

/// Why the device is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// It has an enrolment; another one needs another state directory.
    #[error("{0} is enrolled already")]
    Already(PathBuf),
    /// The claim, or a proof of its secret.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The platform's address.
    #[error("{0}")]
    Address(String),
    /// The platform shows another CA than the claim names.
    #[error("the platform's CA has the fingerprint {found}, the claim says {expected}")]
    Ca {
        /// SHA-256 of what it shows.
        found: Hash,
        /// By the claim.
        expected: String,
    },
    /// Network or HTTP.
    #[error("the platform cannot be asked: {0}")]
    Http(String),
    /// The platform or the organisation said no.
    #[error("the enrolment was refused: {0}")]
    Refused(String),
    /// The organisation's draft.
    #[error("the draft is refused: {0}")]
    Draft(String),
    /// The answer does not hold together.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl From<RecordError> for EnrolError {
    fn from(error: RecordError) -> Self {
        Self::Draft(error.to_string())
    }
}

/// An enrolment under way.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    /// Claim id.
    claim: String,
    /// The broker password: 64 hex digits.
    password: Hash,
    /// Payload that this device has consented to.
    #[serde(with = "schemas::b64")]
    consented: Vec<u8>,
}

/// Reads a claim from a file, or from the JSON text itself where the argument begins with `{`.
///
/// # Errors
/// [`EnrolError`] if it is no claim.
pub fn read_claim(file_or_json: &str) -> Result<Claim, EnrolError> {
    if file_or_json.trim_start().starts_with('{') {
        return Ok(Claim::parse(file_or_json)?);
    }
    let path = PathBuf::from(file_or_json);
    let text =
        std::fs::read_to_string(&path).map_err(|source| IdentityError::Io { path, source })?;
    Ok(Claim::parse(&text)?)
}

/// Enrols the device of a state directory under `name`; `tell` hears each stage in words, first of
/// all the kid, which the organisation's tool shows too. Returns when the platform has admitted
/// the device; the caller sets a deadline if it wants one.
///
/// # Errors
/// [`EnrolError`]; running it again goes on where it broke off.
pub async fn enrol(
    state: &Path,
    name: &Slug,
    claim: &Claim,
    mut tell: impl FnMut(&str),
) -> Result<Enrolment, EnrolError> {
    if Enrolment::load(state)?.is_some() {
        return Err(EnrolError::Already(state.to_owned()));
    }
    let key = identity::load_or_make(state)?;
    tell(&format!("key {}", key.kid()));
    let mut pending = load_pending(state, claim)?;
    let (platform, ca) = Platform::connect(claim).await?;
    let request = Request::sign(claim, &key, name, &pending.password.0)?;
    platform.post_request(request).await?;
    tell("request handed in; waiting for the organisation");
    let answer = converse(state, &platform, claim, &key, &mut pending, &mut tell).await?;
    let enrolment = accept(claim, &key, &pending, answer, ca)?;
    enrolment.store(state)?;
    // The password is in the enrolment now; what is left behind would only be read again.
    let _ = std::fs::remove_file(state.join(PENDING_FILE));
    tell(&format!("enrolled as {}", enrolment.username));
    Ok(enrolment)
}

fn load_pending(state: &Path, claim: &Claim) -> Result<Pending, EnrolError> {
    let known = std::fs::read(state.join(PENDING_FILE))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Pending>(&bytes).ok())
        .filter(|pending| pending.claim == claim.claim);
    if let Some(pending) = known {
        return Ok(pending);
    }
    let password = schemas::random::bytes().map_err(IdentityError::from)?;
    let pending = Pending {
        claim: claim.claim.clone(),
        password: Hash(password),
        consented: Vec::new(),
    };
    store_pending(state, &pending)?;
    Ok(pending)
}

fn store_pending(state: &Path, pending: &Pending) -> Result<(), EnrolError> {
    let path = state.join(PENDING_FILE);
    let bytes = serde_json::to_vec(pending).map_err(|error| EnrolError::Http(error.to_string()))?;
    let written = write_private(&path, &bytes);
    written.map_err(|source| IdentityError::Io { path, source }.into())
}

/// Asks until the platform has an answer, and consents to the draft on the way.
async fn converse(
    state: &Path,
    platform: &Platform,
    claim: &Claim,
    key: &SecretKey,
    pending: &mut Pending,
    tell: &mut impl FnMut(&str),
) -> Result<Answer, EnrolError> {
    let mut wait = POLL_MIN;
    loop {
        let progress = platform.progress().await?;
        match progress.state.as_str() {
            "refused" => {
                let reason = progress
                    .reason
                    .unwrap_or_else(|| "no reason given".to_owned());
                return Err(EnrolError::Refused(reason));
            }
            "drafted" => {
                let (draft, mac) = progress.draft()?;
                let record = check_draft(claim, key, &draft, &mac)?;
                pending.consented = draft;
                store_pending(state, pending)?;
                platform.put_consent(&record.consent_by(key)).await?;
                tell("draft checked and consented to");
            }
            "admitted" => {
                let missing = || EnrolError::Http("admitted without an answer".to_owned());
                return progress.answer.ok_or_else(missing);
            }
            "waiting" | "consented" => {}
            other => return Err(EnrolError::Http(format!("unknown state `{other:.32}`"))),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(POLL_MAX);
    }
}

/// The draft comes from the claim's organisation and is about this key, in this log.
fn check_draft(
    claim: &Claim,
    key: &SecretKey,
    draft: &[u8],
    mac: &Hash,
) -> Result<Record, EnrolError> {
    claim.check_draft(draft, mac)?;
    let record = Record::parse_draft(draft)?;
    let checks = [
        (record.log == claim.log, "another log than the claim"),
        (
            record.organisation == claim.organisation,
            "another organisation than the claim",
        ),
        (record.key == key.public(), "another key than this device's"),
        (record.role == Role::Capture, "another role than capture"),
        (record.version == 1, "another version than 1"),
    ];
    match checks.into_iter().find(|(holds, _)| !holds) {
        Some((_, problem)) => Err(EnrolError::Draft(format!("it names {problem}"))),
        None => Ok(record),
    }
}

/// The answer as an enrolment, after every check.
fn accept(
    claim: &Claim,
    key: &SecretKey,
    pending: &Pending,
    answer: Answer,
    ca: String,
) -> Result<Enrolment, EnrolError> {
    let record = SignedRecord::parse(answer.record.clone())?;
    if record.record.draft() != pending.consented {
        return Err(EnrolError::Draft(
            "the record is not the draft consented to".to_owned(),
        ));
    }
    let ca = ca_of(claim, &answer.ca, ca)?;
    let enrolment = Enrolment {
        log: claim.log,
        origin: claim.origin.clone(),
        log_key: claim.log_key,
        organisation: claim.organisation.clone(),
        record: answer.record,
        organisation_record: answer.organisation_record,
        receipt_record: answer.receipt_record,
        receipt_organisation_record: answer.receipt_organisation_record,
        policy: answer.policy,
        policies: answer.policies,
        broker: answer.broker,
        platform: claim.address.clone(),
        ca,
        username: answer.username,
        password: pending.password.to_string(),
    };
    enrolment.trust(&key.public())?;
    Ok(enrolment)
}

/// The CA of the claim's fingerprint: an answer may repeat it, not replace it. A claim for plain
/// HTTP on loopback names none; there the answer is as good as the machine and may bring one.
fn ca_of(claim: &Claim, answered: &str, fetched: String) -> Result<String, EnrolError> {
    let answered = answered.trim();
    if claim.ca.is_empty() {
        return Ok(answered.to_owned());
    }
    if answered.is_empty() || answered == fetched.trim() {
        return Ok(fetched);
    }
    Err(EnrolError::Http(
        "the answer names another CA than the claim".to_owned(),
    ))
}
