//! The table of weights, lines and haircuts: a file that says what its fields mean, refused with the
//! line and the field of what is wrong.

use std::collections::BTreeMap;

use schemas::config::{self, ConfigError};
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use serde::Deserialize;

use super::{Evidence, PriceSource};
use crate::schedule::Rate;

/// Most rows of a table.
pub const ROWS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u32,
    weights: Weights,
    lines: Lines,
    haircuts: Vec<Haircut>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Weights {
    invoice_percent: Rate,
    confirmed_sale_percent: Rate,
    declared_percent: Rate,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    margin_call_percent: Rate,
    shortfall_percent: Rate,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Haircut {
    category: Slug,
    up_to_days: u32,
    measured_percent: Rate,
    scanned_percent: Rate,
    declared_percent: Rate,
}

/// A table that was checked.
#[derive(Clone, Debug)]
pub struct Table {
    version: u32,
    hash: Hash,
    weights: Weights,
    lines: Lines,
    /// Rows of a category by the age that they reach to.
    haircuts: BTreeMap<Slug, Vec<Haircut>>,
}

impl Table {
    /// The table that comes with the service, an example.
    ///
    /// # Errors
    /// None: a test reads it.
    pub fn built_in() -> Result<Self, ConfigError> {
        Self::parse("haircuts-1.toml", include_str!("../haircuts-1.toml"))
    }

    /// Reads a table.
    ///
    /// # Errors
    /// [`ConfigError`] names the line and the field: a percentage that is none, a better source or
    /// fresher goods that weigh less, rows of a category whose ages do not rise, lines in the wrong
    /// order, no rows or more than [`ROWS_MAX`].
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let raw: Raw = config::parse(file, text)?;
        let wrong = |field: &str, problem: &str| ConfigError::at(file, text, field, problem);
        if raw.version == 0 {
            return Err(wrong("version", "it counts from 1"));
        }
        let weights = raw.weights;
        if weights.confirmed_sale_percent > weights.invoice_percent {
            return Err(wrong(
                "weights.confirmed_sale_percent",
                "it is above invoice_percent",
            ));
        }
        if weights.declared_percent > weights.confirmed_sale_percent {
            // The field's name stands in other tables, too.
            return Err(in_table(file, text, ("[weights]", 0), "declared_percent")
                .because("it is above confirmed_sale_percent"));
        }
        let lines = raw.lines;
        if lines.margin_call_percent >= lines.shortfall_percent {
            let problem = "it is not above margin_call_percent";
            return Err(wrong("lines.shortfall_percent", problem));
        }
        let haircuts = haircuts(file, text, raw.haircuts)?;
        Ok(Self {
            version: raw.version,
            hash: sha256(text.as_bytes()),
            weights,
            lines,
            haircuts,
        })
    }

    /// Its version, from 1.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// SHA-256 of its file.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// What a price counts by its source.
    #[must_use]
    pub const fn weight(&self, source: PriceSource) -> Rate {
        match source {
            PriceSource::Invoice => self.weights.invoice_percent,
            PriceSource::ConfirmedSale => self.weights.confirmed_sale_percent,
            PriceSource::Declared => self.weights.declared_percent,
        }
    }

    /// Above this loan to value, more is asked for.
    #[must_use]
    pub const fn margin_call(&self) -> Rate {
        self.lines.margin_call_percent
    }

    /// Above this loan to value, the loan may be called.
    #[must_use]
    pub const fn shortfall(&self) -> Rate {
        self.lines.shortfall_percent
    }

    /// Its categories, in order.
    pub fn categories(&self) -> impl Iterator<Item = &Slug> {
        self.haircuts.keys()
    }

    /// What is not lent on; everything of goods older than the category's last row. `None` for a
    /// category that the table does not have.
    #[must_use]
    pub fn haircut(&self, category: &str, age_days: u32, evidence: Evidence) -> Option<Rate> {
        let rows = self.haircuts.get(&category.parse::<Slug>().ok()?)?;
        let row = rows.iter().find(|row| age_days <= row.up_to_days);
        Some(row.map_or(Rate::ONE, |row| match evidence {
            Evidence::Measured => row.measured_percent,
            Evidence::Scanned => row.scanned_percent,
            Evidence::Declared => row.declared_percent,
        }))
    }
}

/// Rows by category, each checked against the one before.
fn haircuts(
    file: &str,
    text: &str,
    rows: Vec<Haircut>,
) -> Result<BTreeMap<Slug, Vec<Haircut>>, ConfigError> {
    if rows.is_empty() || rows.len() > ROWS_MAX {
        let problem = "1 to 1,000 rows were expected";
        return Err(ConfigError::at(file, text, "haircuts", problem));
    }
    let mut found: BTreeMap<Slug, Vec<Haircut>> = BTreeMap::new();
    for (place, row) in rows.into_iter().enumerate() {
        let before = found.entry(row.category.clone()).or_default();
        if let Some((field, problem)) = fault(before.last(), &row) {
            let place = in_table(file, text, ("[[haircuts]]", place), field);
            return Err(place.because(problem));
        }
        before.push(row);
    }
    Ok(found)
}

/// The field of a row that is wrong, and why.
fn fault(before: Option<&Haircut>, row: &Haircut) -> Option<(&'static str, &'static str)> {
    if row.scanned_percent < row.measured_percent {
        return Some(("scanned_percent", "it is below measured_percent"));
    }
    if row.declared_percent < row.scanned_percent {
        return Some(("declared_percent", "it is below scanned_percent"));
    }
    let before = before?;
    if row.up_to_days <= before.up_to_days {
        return Some(("up_to_days", "it is not above the category's row before"));
    }
    let rises = [
        (
            "measured_percent",
            before.measured_percent,
            row.measured_percent,
        ),
        (
            "scanned_percent",
            before.scanned_percent,
            row.scanned_percent,
        ),
        (
            "declared_percent",
            before.declared_percent,
            row.declared_percent,
        ),
    ];
    let fallen = rises.into_iter().find(|(_, before, now)| now < before);
    fallen.map(|(field, ..)| (field, "it is below the category's row before"))
}

/// A place in a file.
struct Place {
    file: String,
    line: usize,
    field: String,
}

impl Place {
    fn because(self, problem: &str) -> ConfigError {
        ConfigError {
            file: self.file,
            line: self.line,
            field: self.field,
            problem: problem.into(),
        }
    }
}

/// The line of a field in the table behind the n-th header of this text.
fn in_table(file: &str, text: &str, (header, place): (&str, usize), field: &str) -> Place {
    let lines = text.lines().enumerate();
    let mut heads = lines.filter(|(_, line)| line.trim().starts_with(header));
    let from = heads.nth(place).map_or(0, |(at, _)| at + 1);
    let is_field = |line: &str| {
        line.split('=')
            .next()
            .is_some_and(|name| name.trim() == field)
    };
    let behind = text.lines().skip(from).position(is_field);
    Place {
        file: file.into(),
        line: behind.map_or(0, |behind| from + behind + 1),
        field: format!("{}.{field}: ", header.trim_matches(['[', ']'])),
    }
}
