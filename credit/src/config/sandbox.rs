//! `[sandbox]`: the limits where no trial is declared.

use schemas::ids::Slug;
use serde::Deserialize;

use super::{Wrong, money};
use crate::money::{Currency, Money};
use crate::sandbox::Limits;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSandbox {
    pub(super) id: Slug,
    version: Option<u32>,
    currency: Currency,
    per_loan: Option<String>,
    outstanding: Option<String>,
}

fn missing(field: &'static str) -> Wrong {
    let problem = "it is needed where no [trial] is declared";
    (field, problem.to_owned())
}

impl RawSandbox {
    /// Limits of the configuration, or none of them where a trial is declared: those are changed by
    /// two people, and a number here would be one that nobody holds anything to.
    pub(super) fn read(&self, declared: bool) -> Result<Limits, Wrong> {
        if declared {
            return self.of_trial();
        }
        let version = self.version.ok_or_else(|| missing("version"))?;
        if version == 0 {
            return Err(("version", "versions begin at 1".to_owned()));
        }
        let amount = |field, text: &Option<String>| {
            let text = text.as_ref().ok_or_else(|| missing(field))?;
            money(field, text, self.currency)
        };
        Ok(Limits {
            id: self.id.clone(),
            version,
            per_loan: amount("per_loan", &self.per_loan)?,
            outstanding: amount("outstanding", &self.outstanding)?,
        })
    }

    fn of_trial(&self) -> Result<Limits, Wrong> {
        let stated = [
            ("version", self.version.is_some()),
            ("per_loan", self.per_loan.is_some()),
            ("outstanding", self.outstanding.is_some()),
        ];
        if let Some((field, _)) = stated.into_iter().find(|(_, stated)| *stated) {
            let problem = "limits of a declared trial are changed by two people, not here";
            return Err((field, problem.to_owned()));
        }
        let nothing = Money::zero(self.currency);
        Ok(Limits {
            id: self.id.clone(),
            version: 0,
            per_loan: nothing,
            outstanding: nothing,
        })
    }
}
