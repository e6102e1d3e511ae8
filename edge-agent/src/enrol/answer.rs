//! The platform's answer to a device that was admitted, and what is checked before it counts.

use schemas::enrol::Claim;
use schemas::key::Signer;
use schemas::registry::SignedRecord;

use super::http::Answer;
use super::{EnrolError, Pending};
use crate::trust::Enrolment;

/// The answer as an enrolment, after every check.
pub(super) fn accept(
    claim: &Claim,
    key: &dyn Signer,
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
        former: Vec::new(),
        former_receipts: Vec::new(),
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
