//! The points table: a versioned file in `credit/models/`, read and checked once at the start.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use schemas::config::ConfigError;
use schemas::hash::{Hash, sha256};
use serde::Deserialize;

use super::{FactName, Measures, Points, ReasonCode};

/// The table in use. A new one is a new file.
const FILE: (&str, &str) = (
    "credit/models/scorecard-1.toml",
    include_str!("../../models/scorecard-1.toml"),
);

/// A table that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The file does not have the form of a table.
    #[error(transparent)]
    Form(#[from] ConfigError),
    /// Bins do not rise, points go up and down, or the last bin has an end.
    #[error("the bins of {0:?} are not monotone")]
    Bins(FactName),
    /// A fact has two characteristics, or a knock-out's fact has none.
    #[error("{0:?} must have exactly one characteristic")]
    Characteristic(FactName),
    /// Grades do not fall to the base, or the offer's grade is none of them.
    #[error("the grades do not cover every total, or the offer's grade is unknown")]
    Grades,
}

/// A points table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Points before any characteristic.
    pub base: i32,
    /// From best to worst.
    pub grades: Vec<Grade>,
    /// What may be offered.
    pub offer: OfferRule,
    /// What points are given for.
    pub characteristics: Vec<Characteristic>,
    /// What declines by itself.
    pub knock_outs: Vec<KnockOut>,
    /// The scorecard that it says it came from; absent for a table that people wrote. The start
    /// compares ([`crate::models::in_use`]).
    #[serde(default)]
    pub artefact: Option<Hash>,
    /// SHA-256 of the file.
    #[serde(skip)]
    pub hash: Hash,
    /// The file's text.
    #[serde(skip)]
    pub text: String,
}

/// A grade and where it begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grade {
    /// Its name.
    pub name: String,
    /// The lowest total of it.
    pub at_least: i32,
}

/// What may be offered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferRule {
    /// The lowest grade.
    pub grade: String,
}

/// Which way a fact is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better: points never fall from bin to bin.
    HigherIsBetter,
    /// Less is better: points never rise from bin to bin.
    LowerIsBetter,
}

/// Points for one fact.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Characteristic {
    /// The fact.
    pub fact: FactName,
    /// The reason given where it is short of the best.
    pub code: ReasonCode,
    /// Which way it is good.
    pub direction: Direction,
    /// In rising order.
    pub bins: Vec<Bin>,
    /// Where the fact has no value.
    pub missing: MissingBin,
}

/// A range of values.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// Its end, exclusive; the last bin has none.
    pub below: Option<Decimal>,
    /// Points.
    pub points: i32,
}

/// The bin of no value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissingBin {
    /// Points.
    pub points: i32,
    /// The reason given.
    pub code: ReasonCode,
}

/// A rule that declines whatever the total.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnockOut {
    /// Its name.
    pub name: String,
    /// The fact.
    pub fact: FactName,
    /// Fires above this.
    pub above: Option<Decimal>,
    /// Fires below this.
    pub below: Option<Decimal>,
    /// The reason given.
    pub code: ReasonCode,
}

impl Model {
    /// The table that is built in.
    ///
    /// # Errors
    /// [`ModelError`]; a test sees to it that there is none.
    pub fn built_in() -> Result<Self, ModelError> {
        Self::parse(FILE.0, FILE.1)
    }

    /// Reads and checks a table.
    ///
    /// # Errors
    /// [`ModelError`], naming what is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, ModelError> {
        let mut model: Self = schemas::config::parse(file, text)?;
        model.hash = sha256(text.as_bytes());
        text.clone_into(&mut model.text);
        model.check()?;
        Ok(model)
    }

    fn check(&self) -> Result<(), ModelError> {
        let mut facts = BTreeSet::new();
        for one in &self.characteristics {
            if !facts.insert(one.fact) {
                return Err(ModelError::Characteristic(one.fact));
            }
            if !one.is_monotone() {
                return Err(ModelError::Bins(one.fact));
            }
        }
        if let Some(rule) = self
            .knock_outs
            .iter()
            .find(|rule| !facts.contains(&rule.fact))
        {
            return Err(ModelError::Characteristic(rule.fact));
        }
        if self.grades_hold() {
            Ok(())
        } else {
            Err(ModelError::Grades)
        }
    }

    fn grades_hold(&self) -> bool {
        let falling = self
            .grades
            .windows(2)
            .all(|pair| pair[0].at_least > pair[1].at_least);
        let least = self.base
            + self
                .characteristics
                .iter()
                .map(Characteristic::worst)
                .sum::<i32>();
        let covered = self
            .grades
            .last()
            .is_some_and(|grade| grade.at_least <= least);
        falling && covered && self.offer_from().is_some()
    }

    fn offer_from(&self) -> Option<i32> {
        let named = self
            .grades
            .iter()
            .find(|grade| grade.name == self.offer.grade);
        named.map(|grade| grade.at_least)
    }

    /// The grade of a total.
    #[must_use]
    pub fn grade_of(&self, total: i32) -> &str {
        let reached = self.grades.iter().find(|grade| total >= grade.at_least);
        reached
            .or(self.grades.last())
            .map_or("", |grade| &grade.name)
    }

    /// True if a total's grade may be offered something.
    #[must_use]
    pub fn may_offer(&self, total: i32) -> bool {
        self.offer_from().is_some_and(|least| total >= least)
    }
}

impl Characteristic {
    fn is_monotone(&self) -> bool {
        let Some((last, before)) = self.bins.split_last() else {
            return false;
        };
        let bounded = last.below.is_none() && before.iter().all(|bin| bin.below.is_some());
        let rising = before.windows(2).all(|pair| pair[0].below < pair[1].below);
        let ordered = self.bins.windows(2).all(|pair| match self.direction {
            Direction::HigherIsBetter => pair[0].points <= pair[1].points,
            Direction::LowerIsBetter => pair[0].points >= pair[1].points,
        });
        bounded && rising && ordered && self.missing.points <= self.best()
    }

    /// Points of the best bin.
    #[must_use]
    pub fn best(&self) -> i32 {
        self.bins.iter().map(|bin| bin.points).max().unwrap_or(0)
    }

    fn worst(&self) -> i32 {
        let bins = self.bins.iter().map(|bin| bin.points).min().unwrap_or(0);
        bins.min(self.missing.points)
    }

    /// The points of a value.
    #[must_use]
    pub fn points_for(&self, value: Option<Decimal>) -> Points {
        let (points, code) = match value {
            None => (self.missing.points, self.missing.code),
            Some(value) => (self.bin_of(value), self.code),
        };
        Points {
            fact: self.fact,
            value,
            points,
            best: self.best(),
            code,
        }
    }

    fn bin_of(&self, value: Decimal) -> i32 {
        let holds = |bin: &&Bin| bin.below.is_none_or(|below| value < below);
        self.bins.iter().find(holds).map_or(0, |bin| bin.points)
    }
}

impl KnockOut {
    /// True if the fact has a value beyond the rule's bounds.
    #[must_use]
    pub fn fires(&self, measures: &Measures) -> bool {
        let value = measures.get(&self.fact).copied().flatten();
        value.is_some_and(|value| {
            self.above.is_some_and(|above| value > above)
                || self.below.is_some_and(|below| value < below)
        })
    }
}
