//! The points table that the service scores by, registered at the start as what it is.

use std::path::Path;

use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::time::Instant;

use super::life::Standing;
use super::office::{OfficeError, find, taken_entry};
use crate::score::Model;
use crate::store::models::{KeptText, ModelStore, Origin, TableUse};
use crate::store::{StoreError, Tables};

/// A table that the service does not score by.
#[derive(Debug, thiserror::Error)]
pub enum InUseError {
    /// It names a scorecard that is not kept here.
    #[error("scorecard: the table names scorecard {0}, which is not kept here")]
    Unknown(Hash),
    /// Its scorecard is not promoted.
    #[error("scorecard: the table came from scorecard {artefact}, which is {state}, not promoted")]
    NotPromoted {
        /// The scorecard.
        artefact: Hash,
        /// Where it stands.
        state: &'static str,
    },
    /// It is not the text that was promoted.
    #[error("scorecard: the table is not the one that scorecard {0} gave when it was promoted")]
    Altered(Hash),
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Checks that a table which says it came from a scorecard was promoted with it.
///
/// # Errors
/// [`InUseError`], saying why it may not score.
pub async fn check(store: &dyn Tables, model: &Model) -> Result<(), InUseError> {
    let Some(artefact) = model.artefact else {
        return Ok(());
    };
    let kept = match find(store, &artefact).await {
        Ok(kept) => kept,
        Err(OfficeError::Unknown) => return Err(InUseError::Unknown(artefact)),
        Err(OfficeError::Store(error)) => return Err(error.into()),
        Err(error) => {
            tracing::error!(%artefact, error = causes(&error), "a kept scorecard is broken");
            return Err(InUseError::Altered(artefact));
        }
    };
    let Standing::Promoted(_) = kept.life.standing else {
        let state = kept.life.standing.word();
        return Err(InUseError::NotPromoted { artefact, state });
    };
    if kept.card.table == Some(model.hash) {
        Ok(())
    } else {
        Err(InUseError::Altered(artefact))
    }
}

/// Checks the table, and keeps that it scores from now on unless it did before.
///
/// # Errors
/// [`InUseError`].
pub async fn enter(
    store: &dyn Tables,
    model: &Model,
    file: Option<&Path>,
    now: Instant,
) -> Result<(), InUseError> {
    check(store, model).await?;
    let newest = store.table_uses(None).await?.into_iter().next();
    if newest.is_some_and(|newest| newest.table.sha256 == model.hash) {
        return Ok(());
    }
    let origin = match (model.artefact, file) {
        (Some(_), _) => Origin::Promoted,
        (None, Some(_)) => Origin::File,
        (None, None) => Origin::BuiltIn,
    };
    let taken = TableUse {
        table: KeptText {
            sha256: model.hash,
            text: model.text.clone(),
        },
        since: now,
        origin,
        artefact: model.artefact,
        name: model.name.clone(),
        version: model.version.clone(),
    };
    let (name, version, word) = (&model.name, &model.version, origin.word());
    let detail = format!("scores from now on: {name} {version} ({word})");
    let entry = taken_entry(&model.hash, now, detail);
    Ok(store.use_table(&taken, &entry).await?)
}

/// The table of a hash, as it scored.
///
/// # Errors
/// [`StoreError`].
pub async fn table_of(store: &dyn Tables, hash: &Hash) -> Result<Option<Model>, StoreError> {
    let uses = ModelStore::table_uses(store, Some(hash)).await?;
    let Some(taken) = uses.into_iter().next() else {
        return Ok(None);
    };
    let broken = StoreError::Row {
        what: "points table",
    };
    match Model::parse("kept", &taken.table.text) {
        Ok(model) if model.hash == *hash => Ok(Some(model)),
        _ => Err(broken),
    }
}
