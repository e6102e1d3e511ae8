//! Making a scorecard again from the snapshot that it was made from.
//!
//! The snapshot is the canonical text of the rows; the scorecard names its hash and holds every
//! setting. Whoever has both can see that nobody touched the table by hand.

use schemas::hash::{Hash, sha256};

use super::artefact::{Artefact, ArtefactError, DevelopError, develop};
use super::dataset::{Dataset, DatasetError};

/// A scorecard that is not what its snapshot gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefitError {
    /// The snapshot is not the one that the scorecard names.
    #[error("data: the snapshot's hash is {found}, the scorecard names {named}")]
    OtherSnapshot {
        /// What the scorecard names.
        named: Hash,
        /// What the snapshot has.
        found: Hash,
    },
    /// The snapshot cannot be read.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// The scorecard cannot be made.
    #[error(transparent)]
    Develop(#[from] DevelopError),
    /// The scorecard cannot be written.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// Another table came out.
    #[error("{member}: another one comes out of the snapshot")]
    Different {
        /// The first member that differs.
        member: &'static str,
    },
}

/// Makes the scorecard again and compares every byte. Returns the bytes.
///
/// # Errors
/// [`RefitError`], naming what differs.
pub fn refit(artefact: &Artefact, snapshot: &[u8]) -> Result<Vec<u8>, RefitError> {
    let found = sha256(snapshot);
    if found != artefact.data {
        let named = artefact.data;
        return Err(RefitError::OtherSnapshot { named, found });
    }
    let data = Dataset::parse(snapshot)?;
    let again = develop(&artefact.name, &artefact.version, &data, &artefact.settings)?;
    let bytes = again.to_bytes()?;
    if bytes == artefact.to_bytes()? {
        Ok(bytes)
    } else {
        let member = different(artefact, &again);
        Err(RefitError::Different { member })
    }
}

fn different(one: &Artefact, other: &Artefact) -> &'static str {
    if one.table != other.table {
        "table"
    } else if one.fit != other.fit {
        "fit"
    } else if one.calibration != other.calibration {
        "calibration"
    } else if one.bands != other.bands {
        "bands"
    } else {
        "outcome"
    }
}
