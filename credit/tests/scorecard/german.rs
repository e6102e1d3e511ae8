//! The Statlog German credit data with its fixed fold, as rows of a scorecard.

use std::path::Path;

use anyhow::{Context, Result};
use credit::scorecard::{Dataset, Feature, Kind, Labels, Number, Outcome, Row, Value};

/// The file within the fixtures.
pub const FILE: &str = "scorecard/german_credit_with_fold.csv";

/// Both halves of the fold.
pub struct German {
    /// 700 rows.
    pub train: Dataset,
    /// 300 rows.
    pub test: Dataset,
}

/// Reads the file: a column is numeric if all its values are numbers.
pub fn read(path: &Path) -> Result<German> {
    let mut file = csv::Reader::from_path(path)?;
    let names: Vec<String> = file.headers()?.iter().map(str::to_owned).collect();
    let records: Vec<csv::StringRecord> = file.records().collect::<Result<_, _>>()?;
    let columns: Vec<usize> = (0..names.len())
        .filter(|at| !matches!(names[*at].as_str(), "fold" | "creditability"))
        .collect();
    let kind = |at: usize| {
        let numeric = records.iter().all(|row| row[at].parse::<Number>().is_ok());
        if numeric {
            Kind::Numeric
        } else {
            Kind::Categorical
        }
    };
    let features: Vec<Feature> = columns
        .iter()
        .map(|at| Feature::new(&names[*at], kind(*at)))
        .collect();
    let fold = names
        .iter()
        .position(|name| name == "fold")
        .context("fold")?;
    let label = names
        .iter()
        .position(|name| name == "creditability")
        .context("creditability")?;
    let half = |wanted: &str| -> Result<Dataset> {
        let rows: Result<Vec<Row>> = records
            .iter()
            .filter(|record| &record[fold] == wanted)
            .map(|record| row(record, &columns, &features, &record[label] == "bad"))
            .collect();
        Ok(Dataset::new(
            outcome(),
            features.clone(),
            Vec::new(),
            rows?,
        )?)
    };
    Ok(German {
        train: half("train")?,
        test: half("test")?,
    })
}

fn outcome() -> Outcome {
    Outcome {
        good: "good credit".to_owned(),
        bad: "bad credit".to_owned(),
        labels: Labels::Other,
        simulated: false,
    }
}

fn row(
    record: &csv::StringRecord,
    columns: &[usize],
    features: &[Feature],
    bad: bool,
) -> Result<Row> {
    let value = |(at, feature): (&usize, &Feature)| {
        Ok(match feature.kind {
            Kind::Numeric => Value::Number(record[*at].parse()?),
            Kind::Categorical => Value::Category(record[*at].to_owned()),
        })
    };
    Ok(Row {
        values: columns
            .iter()
            .zip(features)
            .map(value)
            .collect::<Result<_>>()?,
        bad,
        weight: Number::ONE,
        groups: Vec::new(),
    })
}
