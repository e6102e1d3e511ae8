//! `[consent]` and `[[suppliers]]`: by which name suppliers consent to this bank, whom it believes
//! about them, and their codes in the commercial register.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemas::attestation::SubjectCode;
use schemas::ids::Slug;
use serde::Deserialize;

use super::Wrong;

/// Longest reason for a waiver in characters.
const REASON_MAX: usize = 200;

/// Whether suppliers must have signed a consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// They must have.
    Asked {
        /// The bank's name in their documents.
        bank: Slug,
        /// File with the bank's list of issuers, if it takes attestations.
        issuers: Option<PathBuf>,
        /// Their codes, by name.
        codes: BTreeMap<Slug, SubjectCode>,
    },
    /// The operator says why not.
    Waived(String),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConsent {
    bank: Option<Slug>,
    issuers: Option<PathBuf>,
    waived: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSupplier {
    slug: Slug,
    code: String,
}

impl RawConsent {
    pub(super) fn read(&self, suppliers: &[RawSupplier]) -> Result<Consent, Wrong> {
        match (&self.bank, &self.waived) {
            (Some(bank), None) => Ok(Consent::Asked {
                bank: bank.clone(),
                issuers: self.issuers.clone(),
                codes: codes(suppliers)?,
            }),
            (None, Some(reason)) => self.waive(reason),
            (None, None) => {
                let needed = "the name is needed by which suppliers sign their consent to this bank \
                              (or `waived` with the reason why none is asked for)";
                Err(("consent.bank", needed.to_owned()))
            }
            (Some(_), Some(_)) => {
                let problem = "either `bank` or `waived` is possible";
                Err(("consent.waived", problem.to_owned()))
            }
        }
    }

    fn waive(&self, reason: &str) -> Result<Consent, Wrong> {
        if self.issuers.is_some() {
            let problem = "nothing that is attested counts without consents";
            return Err(("consent.issuers", problem.to_owned()));
        }
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_MAX {
            let problem = format!("a reason of 1 to {REASON_MAX} characters is needed");
            return Err(("consent.waived", problem));
        }
        Ok(Consent::Waived(reason.to_owned()))
    }
}

fn codes(suppliers: &[RawSupplier]) -> Result<BTreeMap<Slug, SubjectCode>, Wrong> {
    let mut codes = BTreeMap::new();
    for RawSupplier { slug, code } in suppliers {
        let code: SubjectCode = code.parse().map_err(|_| {
            (
                "suppliers.code",
                format!("`{slug}` has none (GB 32100-2015)"),
            )
        })?;
        if codes.insert(slug.clone(), code).is_some() {
            return Err(("suppliers.slug", format!("`{slug}` stands twice")));
        }
    }
    Ok(codes)
}
