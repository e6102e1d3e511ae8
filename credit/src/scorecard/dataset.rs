//! The rows that a scorecard is made from, and the one text of them that its hash is over.
//!
//! A row has a value for each feature, what became of it, what it counts, and the groups that
//! fairness is looked at by. Groups are never features: nothing is fitted on them. The canonical
//! bytes are the JSON of [`Dataset`] without blanks, members in the order of the structs; numbers
//! are text ([`super::number`]). Equal rows in equal order give equal bytes.

use std::collections::BTreeSet;

use schemas::hash::{Hash, sha256};
use serde::{Deserialize, Serialize};

use super::number::Number;
use super::outcome::{NameError, Outcome, check_length};

/// What the canonical text calls itself.
pub const FORMAT: &str = "tracebond-scorecard-data/v1";

/// Rows at most: bounds the memory and the time of a fit.
pub const ROWS_MAX: usize = 1_000_000;

/// Features at most.
pub const FEATURES_MAX: usize = 200;

/// Special values of one feature at most.
pub const SPECIAL_MAX: usize = 20;

/// What a feature's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Numbers.
    Numeric,
    /// Names.
    Categorical,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Nothing was told.
    Missing,
    /// A number.
    Number(Number),
    /// A name.
    Category(String),
}

impl Value {
    /// True if a feature of this kind may have it.
    #[must_use]
    pub fn fits(&self, kind: Kind) -> bool {
        match self {
            Self::Missing => true,
            Self::Number(_) => kind == Kind::Numeric,
            Self::Category(_) => kind == Kind::Categorical,
        }
    }
}

/// A value that means something of its own, such as -1 for "no account": it has a bin of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Special {
    /// The value.
    pub value: Value,
    /// What it means.
    pub label: String,
}

/// Something that is known of each row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// Values with bins of their own.
    pub special: Vec<Special>,
}

impl Feature {
    /// A feature without special values.
    #[must_use]
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            special: Vec::new(),
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// In the order of the features.
    pub values: Vec<Value>,
    /// What became of it.
    pub bad: bool,
    /// What it counts; above zero.
    pub weight: Number,
    /// In the order of the groupings; empty text where the group is not known.
    pub groups: Vec<String>,
}

/// Rows that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    /// A name is wrong.
    #[error("{field}: {source}")]
    Name {
        /// Where it stands.
        field: &'static str,
        /// What is wrong.
        source: NameError,
    },
    /// A name stands twice.
    #[error("{field}: `{name}` stands twice")]
    Twice {
        /// Where it stands.
        field: &'static str,
        /// The name.
        name: String,
    },
    /// A special value is of another kind, is no value, or has two labels.
    #[error("special: `{0}` must be a value of the feature's kind that stands once")]
    Special(String),
    /// A bound is passed.
    #[error("{field}: more than {most}")]
    TooMany {
        /// What there are too many of.
        field: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// A value is not of its feature's kind.
    #[error("row {row}: {feature}: the value is not of the feature's kind")]
    Kind {
        /// From 0.
        row: usize,
        /// The feature.
        feature: String,
    },
    /// A row has more or fewer values or groups than it must.
    #[error("row {0}: as many values as features and groups as groupings are needed")]
    Width(usize),
    /// A weight is not above zero.
    #[error("row {0}: weight: must be above zero")]
    Weight(usize),
    /// One of both outcomes does not occur.
    #[error("bad: both outcomes must occur")]
    OneOutcome,
    /// The text is not the canonical one.
    #[error("the text is not canonical {FORMAT}: {0}")]
    Form(String),
}

/// The rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    format: String,
    outcome: Outcome,
    features: Vec<Feature>,
    groupings: Vec<String>,
    rows: Vec<Row>,
}

impl Dataset {
    /// Takes the rows.
    ///
    /// # Errors
    /// [`DatasetError`], naming the field or the row.
    pub fn new(
        outcome: Outcome,
        features: Vec<Feature>,
        groupings: Vec<String>,
        rows: Vec<Row>,
    ) -> Result<Self, DatasetError> {
        let data = Self {
            format: FORMAT.to_owned(),
            outcome,
            features,
            groupings,
            rows,
        };
        data.check()?;
        Ok(data)
    }

    /// Reads the canonical text.
    ///
    /// # Errors
    /// [`DatasetError`] for any other text, also one that says the same in another way.
    pub fn parse(bytes: &[u8]) -> Result<Self, DatasetError> {
        let form = |what: String| DatasetError::Form(what);
        let data: Self = serde_json::from_slice(bytes).map_err(|error| form(error.to_string()))?;
        if data.format != FORMAT {
            return Err(form(format!("format `{}`", data.format)));
        }
        data.check()?;
        if data.to_bytes()? != bytes {
            return Err(form("another spelling of the same rows".to_owned()));
        }
        Ok(data)
    }

    /// The canonical text.
    ///
    /// # Errors
    /// [`DatasetError::Form`] if it cannot be written, which no dataset is known to cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DatasetError> {
        serde_json::to_vec(self).map_err(|error| DatasetError::Form(error.to_string()))
    }

    /// SHA-256 of the canonical text.
    ///
    /// # Errors
    /// As [`Dataset::to_bytes`].
    pub fn hash(&self) -> Result<Hash, DatasetError> {
        Ok(sha256(&self.to_bytes()?))
    }

    /// What is told apart.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The features, in their order.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// What fairness is looked at by.
    #[must_use]
    pub fn groupings(&self) -> &[String] {
        &self.groupings
    }

    /// The rows, in their order.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Bad rows.
    #[must_use]
    pub fn bads(&self) -> usize {
        self.rows.iter().filter(|row| row.bad).count()
    }

    fn check(&self) -> Result<(), DatasetError> {
        let named = |field| move |source| DatasetError::Name { field, source };
        self.outcome.check().map_err(named("outcome"))?;
        at_most("features", self.features.len(), FEATURES_MAX)?;
        at_most("rows", self.rows.len(), ROWS_MAX)?;
        let names = self.features.iter().map(|feature| feature.name.as_str());
        check_names("features", names)?;
        check_names("groupings", self.groupings.iter().map(String::as_str))?;
        for feature in &self.features {
            check_special(feature)?;
        }
        for (number, row) in self.rows.iter().enumerate() {
            self.check_row(number, row)?;
        }
        match self.bads() {
            bads if bads == 0 || bads == self.rows.len() => Err(DatasetError::OneOutcome),
            _ => Ok(()),
        }
    }

    fn check_row(&self, number: usize, row: &Row) -> Result<(), DatasetError> {
        let whole =
            row.values.len() == self.features.len() && row.groups.len() == self.groupings.len();
        if !whole {
            return Err(DatasetError::Width(number));
        }
        if row.weight <= Number::ZERO {
            return Err(DatasetError::Weight(number));
        }
        for (value, feature) in row.values.iter().zip(&self.features) {
            if !value.fits(feature.kind) {
                return Err(DatasetError::Kind {
                    row: number,
                    feature: feature.name.clone(),
                });
            }
        }
        Ok(())
    }
}

fn at_most(field: &'static str, there: usize, most: usize) -> Result<(), DatasetError> {
    if there > most {
        Err(DatasetError::TooMany { field, most })
    } else {
        Ok(())
    }
}

fn check_names<'a>(
    field: &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), DatasetError> {
    let mut seen = BTreeSet::new();
    for name in names {
        check_length(name).map_err(|source| DatasetError::Name { field, source })?;
        if !seen.insert(name) {
            let name = name.to_owned();
            return Err(DatasetError::Twice { field, name });
        }
    }
    Ok(())
}

fn check_special(feature: &Feature) -> Result<(), DatasetError> {
    at_most("special", feature.special.len(), SPECIAL_MAX)?;
    let labels = feature.special.iter().map(|special| special.label.as_str());
    check_names("special", labels)?;
    let mut seen = BTreeSet::new();
    for special in &feature.special {
        let fits = special.value.fits(feature.kind) && special.value != Value::Missing;
        if !fits || !seen.insert(&special.value) {
            return Err(DatasetError::Special(special.label.clone()));
        }
    }
    Ok(())
}
