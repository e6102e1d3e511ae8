//! Enrolment by a claim (`schemas/docs/statement.md` section 7), from the device's side.
//!
//! The key and the broker password are made here and stored before anything leaves; the platform
//! learns the public key and the password's hash. A run that breaks off is repeated with the same
//! claim and goes on where it was.

mod answer;
mod http;
pub mod rotate;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemas::enrol::{CLAIM_MAX, Claim, EnrolError as ClaimError, Request};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::key::{Signer, SignerError};
use schemas::registry::{Record, RecordError, Role};
use serde::{Deserialize, Serialize};

use self::answer::accept;
use self::http::{Answer, Platform};
use crate::clock::Floor;
use crate::identity::{self, Algorithm, IdentityError, write_private};
use crate::trust::{Enrolment, TrustError};

/// What is kept while an enrolment is under way, mode 0600: it holds the broker password.
pub(crate) const PENDING_FILE: &str = "enrolment.pending.json";
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
    /// Somebody has asked with this claim before, under another key.
    #[error(
        "claim {0} has been used by another key: ask the organisation for a new one, and whether it \
         knows that key"
    )]
    Used(String),
    /// No enrolment to rotate the key of.
    #[error("{0} is not enrolled: a key that is not there cannot be rotated")]
    NotEnrolled(PathBuf),
    /// The claim is of another log, platform or organisation than the enrolment.
    #[error("the claim is for another {0} than this device's enrolment")]
    Foreign(&'static str),
    /// The new key.
    #[error(transparent)]
    Signer(#[from] SignerError),
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

impl Pending {
    /// A new password for a claim.
    fn begin(claim: &Claim) -> Result<Self, IdentityError> {
        Ok(Self {
            claim: claim.claim.clone(),
            password: Hash(schemas::random::bytes()?),
            consented: Vec::new(),
        })
    }
}

/// Reads a claim: from the JSON text itself where the argument begins with `{` (what a QR code of
/// the organisation's tool holds), from standard input for `-`, else from a file.
///
/// # Errors
/// [`EnrolError`] if it is no claim.
pub fn read_claim(argument: &str) -> Result<Claim, EnrolError> {
    let argument = argument.trim();
    if argument.starts_with('{') {
        return Ok(Claim::parse(argument)?);
    }
    let read = |from: &mut dyn Read| {
        let mut text = String::new();
        // One byte more than a claim may have, so that a longer text is refused as one.
        from.take(CLAIM_MAX as u64 + 1).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    let (path, text) = if argument == "-" {
        ("standard input".into(), read(&mut std::io::stdin().lock()))
    } else {
        let opened = std::fs::File::open(argument);
        (argument.into(), opened.and_then(|mut file| read(&mut file)))
    };
    let text = text.map_err(|source| IdentityError::Io { path, source })?;
    // An editor's byte order mark and line feed are no part of it.
    Ok(Claim::parse(text.trim_start_matches('\u{feff}').trim())?)
}

/// [`enrol_as`] with an Ed25519 key.
///
/// # Errors
/// As [`enrol_as`].
pub async fn enrol(
    state: &Path,
    name: &Slug,
    claim: &Claim,
    tell: impl FnMut(&str),
) -> Result<Enrolment, EnrolError> {
    enrol_as(state, name, Algorithm::Ed25519, claim, tell).await
}

/// Enrols the device of a state directory under `name` with a key of the kind asked for; `tell`
/// hears each stage in words, first of all the kid, which the organisation's tool shows too.
/// Returns when the platform has admitted the device; the caller sets a deadline if it wants one.
///
/// # Errors
/// [`EnrolError`]; running it again goes on where it broke off. Nothing of an enrolment that is
/// there is ever changed.
pub async fn enrol_as(
    state: &Path,
    name: &Slug,
    algorithm: Algorithm,
    claim: &Claim,
    mut tell: impl FnMut(&str),
) -> Result<Enrolment, EnrolError> {
    if Enrolment::load(state)?.is_some() {
        return Err(EnrolError::Already(state.to_owned()));
    }
    let key = identity::load_or_make(state, algorithm)?;
    tell(&format!("key {}", key.kid()));
    let mut pending = load_pending(state, claim)?;
    let (platform, ca) = Platform::connect(claim, &Floor::default()).await?;
    let request = Request::sign(claim, &*key, name, &pending.password.0)?;
    platform.post_request(&request).await?;
    tell("request handed in; waiting for the organisation");
    let asking = Asking {
        platform: &platform,
        claim,
        key: &*key,
    };
    let draft = asking.draft_or_answer().await?;
    let answer = match draft {
        Progressed::Answer(answer) => answer,
        Progressed::Draft(record) => {
            pending.consented = record.draft();
            store_pending(state, &pending)?;
            asking.consent(&record).await?;
            tell("draft checked and consented to");
            asking.answer().await?
        }
    };
    let enrolment = accept(claim, &*key, &pending, *answer, ca)?;
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
    let pending = Pending::begin(claim)?;
    store_pending(state, &pending)?;
    Ok(pending)
}

fn store_pending(state: &Path, pending: &Pending) -> Result<(), EnrolError> {
    let path = state.join(PENDING_FILE);
    let bytes = serde_json::to_vec(pending).map_err(|error| EnrolError::Http(error.to_string()))?;
    let written = write_private(&path, &bytes);
    written.map_err(|source| IdentityError::Io { path, source }.into())
}

/// A device that has handed in its request and waits.
struct Asking<'a> {
    platform: &'a Platform,
    claim: &'a Claim,
    key: &'a dyn Signer,
}

/// What came of the waiting.
enum Progressed {
    /// A draft that was checked and waits for the device's consent.
    Draft(Box<Record>),
    /// The record is in the registry.
    Answer(Box<Answer>),
}

impl Asking<'_> {
    /// Asks until there is a draft to consent to, or an answer at once: an earlier run has
    /// consented.
    async fn draft_or_answer(&self) -> Result<Progressed, EnrolError> {
        let progress = self.until(&["drafted", "admitted"]).await?;
        if progress.state == "admitted" {
            return answer_of(progress).map(Progressed::Answer);
        }
        let (draft, mac) = progress.draft()?;
        let record = check_draft(self.claim, self.key, &draft, &mac)?;
        Ok(Progressed::Draft(Box::new(record)))
    }

    async fn consent(&self, record: &Record) -> Result<(), EnrolError> {
        let consent = record.consent_of(self.key)?;
        self.platform.put_consent(&consent).await
    }

    /// Asks until the record is in the registry.
    async fn answer(&self) -> Result<Box<Answer>, EnrolError> {
        answer_of(self.until(&["admitted"]).await?)
    }

    /// Asks until it is in one of these states.
    async fn until(&self, states: &[&str]) -> Result<http::Progress, EnrolError> {
        let mut wait = POLL_MIN;
        loop {
            let progress = self.progress().await?;
            if states.contains(&progress.state.as_str()) {
                return Ok(progress);
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(POLL_MAX);
        }
    }

    /// How far it is, unless it has come to an end without an enrolment.
    async fn progress(&self) -> Result<http::Progress, EnrolError> {
        let progress = self.platform.progress().await?;
        // A claim works once: under it the platform keeps the first request that came.
        if progress.asked_by().is_some_and(|kid| kid != self.key.kid()) {
            return Err(EnrolError::Used(self.claim.claim.clone()));
        }
        match progress.state.as_str() {
            "waiting" | "drafted" | "consented" | "admitted" => Ok(progress),
            "refused" => {
                let reason = progress.reason;
                let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
                Err(EnrolError::Refused(reason))
            }
            other => Err(EnrolError::Http(format!("unknown state `{other:.32}`"))),
        }
    }
}

fn answer_of(progress: http::Progress) -> Result<Box<Answer>, EnrolError> {
    let missing = || EnrolError::Http("admitted without an answer".to_owned());
    progress.answer.map(Box::new).ok_or_else(missing)
}

/// The draft comes from the claim's organisation and is about this key, in this log.
fn check_draft(
    claim: &Claim,
    key: &dyn Signer,
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
