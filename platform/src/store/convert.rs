//! Columns to the types of the domain and back, the same for both engines and whoever reads their
//! tables.

use schemas::event::{Salt, Source};
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};

use super::{BatchPlace, StoreError, Stored};

pub(crate) fn hash(bytes: &[u8]) -> Stored<Hash> {
    Hash::from_slice(bytes).ok_or(StoreError::Corrupt("hash"))
}

pub(crate) fn salt(bytes: &[u8]) -> Stored<Salt> {
    Salt::from_slice(bytes).ok_or(StoreError::Corrupt("salt"))
}

pub(crate) fn source(number: i64) -> Stored<Source> {
    u64::try_from(number)
        .ok()
        .and_then(Source::from_number)
        .ok_or(StoreError::Corrupt("source"))
}

pub(crate) fn unsigned(number: i64) -> Stored<u64> {
    u64::try_from(number).map_err(|_| StoreError::Corrupt("number"))
}

/// Integers of the formats are below 2^53 and fit.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn narrow(number: u64) -> Stored<u32> {
    u32::try_from(number).map_err(|_| StoreError::Corrupt("number"))
}

pub(crate) fn address(text: &str) -> Stored<DeviceAddress> {
    text.parse()
        .map_err(|_| StoreError::Corrupt("device address"))
}

pub(crate) fn slug(text: &str) -> Stored<Slug> {
    text.parse().map_err(|_| StoreError::Corrupt("slug"))
}

/// Columns of a place in a batch, all there or none.
pub(crate) fn place(
    log_index: Option<i64>,
    shard: Option<i64>,
    seq: Option<i64>,
    position: Option<i64>,
) -> Stored<Option<BatchPlace>> {
    let (Some(log_index), Some(shard), Some(seq), Some(position)) =
        (log_index, shard, seq, position)
    else {
        return Ok(None);
    };
    Ok(Some(BatchPlace {
        log_index: unsigned(log_index)?,
        shard: unsigned(shard)?,
        seq: unsigned(seq)?,
        position: unsigned(position)?,
    }))
}
