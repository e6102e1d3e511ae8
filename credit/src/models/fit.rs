//! A draft with its card from settings and rows, and the identical table again.

use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::rows::{self, Rows, RowsError};
use super::sheet::{Sheet, SheetError};
use super::table::{self, TableError};
use crate::scorecard::artefact::ArtefactError;
use crate::scorecard::card::{CardError, ModelCard};
use crate::scorecard::dataset::DatasetError;
use crate::scorecard::fit::DropReason;
use crate::scorecard::stability::Verdict;
use crate::scorecard::{Artefact, Dataset, DevelopError, Number, Value, develop};
use crate::store::models::{KeptCard, KeptModel, KeptText};

/// Fewer bad or good rows than this are few to fit on.
const FEW_ROWS: u64 = 100;

/// From this information value on a feature may know the outcome itself.
const TOO_GOOD: &str = "0.5";

/// A fit that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The settings.
    #[error(transparent)]
    Sheet(#[from] SheetError),
    /// The rows.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// Nothing can be made of them.
    #[error(transparent)]
    Develop(#[from] DevelopError),
    /// The scorecard cannot be written.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// The card cannot be made.
    #[error("statement: {0}")]
    Card(#[from] CardError),
    /// The rows cannot be hashed.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// The file is not the one that the scorecard was made from.
    #[error("data: this file has SHA-256 {given}, the scorecard was made from {kept}")]
    OtherRows {
        /// Of the file that was given.
        given: Hash,
        /// Of the file that the scorecard was made from.
        kept: Hash,
    },
    /// The settings ask for a points table that the scorecard does not give.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A draft.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The scorecard.
    pub artefact: Artefact,
    /// Its card, without a review.
    pub card: ModelCard,
    /// Both as they are kept.
    pub kept: (KeptModel, KeptCard),
    /// What whoever reviews should look at.
    pub warnings: Vec<String>,
}

/// Fits a draft.
///
/// # Errors
/// [`FitError`], naming what is wrong.
pub fn fit(sheet: &Sheet, csv: &[u8], operator: &Slug, at: Instant) -> Result<Fitted, FitError> {
    let rows = rows::read(csv, sheet)?;
    let artefact = developed(sheet, &rows.development)?;
    let bytes = artefact.to_bytes()?;
    let hash = sha256(&bytes);
    let written = sheet.table.as_ref();
    let written = written.map(|terms| table::write(&artefact, hash, terms));
    let table = written.transpose()?.map(KeptText::new);
    let statement = sheet.statement(operator, at);
    let holdout = rows.holdout.as_ref();
    let mut card = ModelCard::new(&artefact, statement, &rows.development, holdout)?;
    card.table = table.as_ref().map(|table| table.sha256);
    let kept = KeptModel {
        artefact: hash,
        name: artefact.name.clone(),
        version: artefact.version.clone(),
        bytes,
        settings: sheet.text.clone(),
        rows_sha256: sha256(csv),
        table,
        made_at: at,
    };
    let kept_card = KeptCard::of(&card)?;
    Ok(Fitted {
        warnings: warnings(&artefact, &card, &rows),
        kept: (kept, kept_card),
        artefact,
        card,
    })
}

fn developed(sheet: &Sheet, data: &Dataset) -> Result<Artefact, DevelopError> {
    develop(&sheet.name, &sheet.version, data, &sheet.settings())
}

/// What came of fitting a kept scorecard again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// Every byte is the same.
    Identical {
        /// How many there are.
        bytes: usize,
    },
    /// Something differs: the kept scorecard or its settings were altered, or the program is another.
    Differs {
        /// The scorecard that came out.
        hash: Hash,
        /// Bytes that differ, those that one of both has more included.
        differing: usize,
        /// Where the first of them stands, from 0.
        first: usize,
        /// What stands there in the kept scorecard, and in the other one.
        around: [String; 2],
    },
}

/// Fits a kept scorecard again by the settings that are kept with it.
///
/// # Errors
/// [`FitError`]: the file is another than the scorecard's, or nothing can be made of it.
pub fn again(kept: &KeptModel, csv: &[u8]) -> Result<Again, FitError> {
    let (given, kept_rows) = (sha256(csv), kept.rows_sha256);
    if given != kept_rows {
        let kept = kept_rows;
        return Err(FitError::OtherRows { given, kept });
    }
    let sheet = Sheet::parse("the kept settings", &kept.settings)?;
    let rows = rows::read(csv, &sheet)?;
    let made = developed(&sheet, &rows.development)?;
    let bytes = made.to_bytes()?;
    if bytes == kept.bytes {
        return Ok(Again::Identical { bytes: bytes.len() });
    }
    let pairs = kept.bytes.iter().zip(&bytes);
    let first = pairs
        .clone()
        .take_while(|(one, other)| one == other)
        .count();
    let differing = pairs.filter(|(one, other)| one != other).count();
    Ok(Again::Differs {
        hash: sha256(&bytes),
        differing: differing + kept.bytes.len().abs_diff(bytes.len()),
        first,
        around: [&kept.bytes, &bytes].map(|text| around(text, first)),
    })
}

/// Some signs on both sides of a place.
fn around(text: &[u8], place: usize) -> String {
    let from = place.saturating_sub(30).min(text.len());
    let to = (place + 30).min(text.len());
    String::from_utf8_lossy(&text[from..to]).into_owned()
}

fn warnings(artefact: &Artefact, card: &ModelCard, rows: &Rows) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(watermark) = &card.watermark {
        said.push(format!("{watermark}: a simulation made the outcomes"));
    }
    let volume = &card.development.volume;
    if volume.good.min(volume.bad) < FEW_ROWS {
        let (good, bad) = (volume.good, volume.bad);
        said.push(format!("few rows of one outcome: {good} good, {bad} bad"));
    }
    for one in &card.dropped {
        let (feature, figure) = (&one.feature, one.figure);
        said.push(match one.reason {
            DropReason::LowInformationValue => {
                format!("{feature}: left out, information value {figure}")
            }
            DropReason::WrongSign => {
                format!("{feature}: left out, its sign is against theory ({figure})")
            }
        });
    }
    let limit: Number = TOO_GOOD.parse().unwrap_or(Number::ONE);
    for (feature, iv) in card.features.iter().filter(|(_, iv)| *iv >= limit) {
        said.push(format!(
            "{feature}: information value {iv}; is it known before the outcome?"
        ));
    }
    said.extend(often_missing(&rows.development));
    for one in card
        .stability
        .iter()
        .filter(|one| one.verdict != Verdict::Stable)
    {
        said.push(format!("{}: PSI {} on the rows held out", one.of, one.psi));
    }
    if card.holdout.is_none() {
        said.push("no rows are held out: every figure is of the rows that were fitted".to_owned());
    }
    if rows
        .development
        .rows()
        .iter()
        .all(|row| row.groups.iter().all(String::is_empty))
    {
        said.push("no groups are known: fairness was not looked at".to_owned());
    }
    if let Err(error) = table::facts(artefact) {
        said.push(format!("it cannot be tried beside decisions: {error}"));
    }
    said
}

/// Features of which more than three in ten rows have no value.
fn often_missing(data: &Dataset) -> Vec<String> {
    let all = data.rows().len();
    let features = data.features().iter().enumerate();
    let missing = features.filter_map(|(at, feature)| {
        let rows = data.rows().iter();
        let missing = rows.filter(|row| row.values[at] == Value::Missing).count();
        (missing * 10 > all * 3)
            .then(|| format!("{}: missing in {missing} of {all} rows", feature.name))
    });
    missing.collect()
}
