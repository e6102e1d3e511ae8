//! Who this device is, and whether its configuration is its own and asks for no more than its record
//! allows.

use std::sync::Arc;

use schemas::key::Signer;
use schemas::registry::Record;

use super::RunError;
use crate::clock::Floor;
use crate::config::{Config, ScanRule, SourceConfig};
use crate::identity;
use crate::trust::{Enrolment, Trust};

/// Key, enrolment and what follows from them.
pub(super) struct Identity {
    pub key: Arc<dyn Signer>,
    pub enrolment: Enrolment,
    pub trust: Trust,
}

impl Identity {
    /// Reads and checks it; a change of the key that was cut off is ended.
    pub fn load(config: &Config) -> Result<Self, RunError> {
        let enrolment = Enrolment::load(&config.state)?.ok_or(RunError::NotEnrolled)?;
        let key = match identity::settle(&config.state, &enrolment.kid()?)? {
            Some(key) => key,
            // Of another key: the check of the enrolment says so.
            None => identity::load(&config.state)?.ok_or(RunError::NotEnrolled)?,
        };
        let trust = enrolment.trust(&key.public())?;
        check_device(config, &trust)?;
        check_allowed(config, &trust)?;
        Ok(Self {
            key,
            enrolment,
            trust,
        })
    }

    /// What has passed for certain: the policies that this device was led to.
    pub fn floor(&self) -> Floor {
        Floor::of(&self.trust.policies)
    }
}

/// A configuration that was copied from another device says another name than the enrolment.
fn check_device(config: &Config, trust: &Trust) -> Result<(), RunError> {
    let enrolled = &trust.device.device;
    match &config.device.name {
        Some(name) if name != enrolled => Err(RunError::OtherDevice {
            name: name.to_string(),
            enrolled: enrolled.to_string(),
        }),
        _ => Ok(()),
    }
}

/// What the platform would refuse event by event is refused here at once.
fn check_allowed(config: &Config, trust: &Trust) -> Result<(), RunError> {
    if let Some((number, what)) = first_not_allowed(&config.sources, &trust.record) {
        return Err(RunError::NotAllowed { number, what });
    }
    if let Some((rule, what)) = first_rule_not_allowed(&config.sources, &trust.record) {
        let rule = rule.name.clone();
        return Err(RunError::RuleNotAllowed { rule, what });
    }
    Ok(())
}

/// The first source that a record forbids, from 1, and what of it.
pub(crate) fn first_not_allowed(
    sources: &[SourceConfig],
    record: &Record,
) -> Option<(usize, String)> {
    sources.iter().enumerate().find_map(|(index, source)| {
        let (place, origin) = (source.place(), source.origin());
        let is_allowed = |step: &&str| record.steps.iter().any(|allowed| allowed == step);
        let step = source.steps().into_iter().find(|step| !is_allowed(step));
        let what = if !record.places.iter().any(|allowed| allowed == place) {
            format!("the place {place}")
        } else if let Some(step) = step {
            format!("the step {step}")
        } else if !record.sources.contains(&origin.number()) {
            format!("the source {}", origin.word())
        } else {
            return None;
        };
        Some((index + 1, what))
    })
}

/// The first rule of scans that a record forbids, and what of it.
pub(crate) fn first_rule_not_allowed<'s>(
    sources: &'s [SourceConfig],
    record: &Record,
) -> Option<(&'s ScanRule, String)> {
    let mut rules = sources.iter().flat_map(SourceConfig::scan_rules);
    rules.find_map(|rule| {
        let what = if !record.places.contains(&rule.place) {
            format!("the place {}", rule.place)
        } else if !record.steps.contains(&rule.step) {
            format!("the step {}", rule.step)
        } else {
            return None;
        };
        Some((rule, what))
    })
}
