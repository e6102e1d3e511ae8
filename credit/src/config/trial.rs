//! `[trial]`: the declared trial that loans are made in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemas::ids::Slug;
use serde::Deserialize;

use super::Wrong;
use crate::sandbox::Limits;
use crate::sandbox::codes::RegionCode;
use crate::trials::{self, Place};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrial {
    declaration: PathBuf,
    region: RegionCode,
    group: Slug,
    tenor_days: u32,
    #[serde(default)]
    borrowers: Vec<RawBorrower>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBorrower {
    name: Slug,
    region: Option<RegionCode>,
    group: Option<Slug>,
    buyer: Option<Slug>,
}

impl RawTrial {
    pub(super) fn read(self, sandbox: &Limits) -> Result<trials::Terms, Wrong> {
        let usual = Place {
            region: self.region,
            group: self.group,
            buyer: None,
        };
        if self.tenor_days == 0 {
            return Err(("tenor_days", "a day at least".to_owned()));
        }
        let mut borrowers = BTreeMap::new();
        for one in self.borrowers {
            let place = Place {
                region: one.region.unwrap_or_else(|| usual.region.clone()),
                group: one.group.unwrap_or_else(|| usual.group.clone()),
                buyer: one.buyer,
            };
            if borrowers.insert(one.name.clone(), place).is_some() {
                let twice = format!("`{}` stands twice", one.name);
                return Err(("borrowers.name", twice));
            }
        }
        Ok(trials::Terms {
            trial: sandbox.id.clone(),
            currency: sandbox.outstanding.currency(),
            declaration: self.declaration,
            tenor_days: self.tenor_days,
            usual,
            borrowers,
        })
    }
}
