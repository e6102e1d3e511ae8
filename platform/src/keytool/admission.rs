//! How an organisation comes into the registry: with which log it deals, its application, and the
//! registrar's side of it.

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::key::SecretKey;
use schemas::log::PolicyFile;
use schemas::registry::{Record, Role, SignedRecord};

use super::KeytoolError;
use super::folder::Settings;

/// Settings for a platform, from the log's first policy file and the platform's CA (empty for plain
/// HTTP on loopback).
///
/// # Errors
/// [`KeytoolError::Policy`].
pub fn settings(
    organisation: Slug,
    address: &str,
    ca: String,
    policy: &[u8],
) -> Result<Settings, KeytoolError> {
    let parsed = PolicyFile::parse(policy);
    let (_, policy) = parsed.map_err(|_| KeytoolError::Policy("it is none"))?;
    let key = policy.log_key.ed25519_bytes();
    let key = key.ok_or(KeytoolError::Policy("its log key is not Ed25519"))?;
    if policy.origin.log_id(&key) != policy.log {
        let why = "it is a later one; the log's first is needed";
        return Err(KeytoolError::Policy(why));
    }
    Ok(Settings {
        organisation,
        address: address.trim_end_matches('/').to_owned(),
        ca,
        origin: policy.origin,
        log_key: Hash(key),
        log: policy.log,
    })
}

/// The first record of the organisation's own key, with the key's consent: what a registrar signs.
#[must_use]
pub fn application(settings: &Settings, key: &SecretKey) -> Record {
    let organisation = settings.organisation.clone();
    Record::first(settings.log, organisation, Role::Organisation, key.public()).consented(key)
}

/// The registrar's side: signs an organisation's application after a person has compared its kid.
///
/// # Errors
/// [`KeytoolError::Kid`] for another kid, [`KeytoolError::Record`] for what is no application.
pub fn admit(
    registrar: &SecretKey,
    application: &[u8],
    compared: &str,
) -> Result<SignedRecord, KeytoolError> {
    // Signed by anybody, the application reads as a record: its consent is checked by that.
    let signed = SignedRecord::parse(application.to_vec())?;
    let (record, kid) = (signed.record, signed.signer);
    if record.role != Role::Organisation || record.version != 1 || record.kid() != kid {
        return Err(schemas::registry::RecordError::Rule("it is no application").into());
    }
    compare(&kid, compared)?;
    Ok(SignedRecord::sign(registrar, record))
}

/// A person has compared the kid on both ends: at least eight digits of it.
pub(super) fn compare(kid: &Hash, compared: &str) -> Result<(), KeytoolError> {
    let compared = compared.to_ascii_lowercase();
    if compared.len() >= 8 && kid.to_string().starts_with(&compared) {
        Ok(())
    } else {
        Err(KeytoolError::Kid { found: *kid })
    }
}
