//! Tiles and entry bundles as a log serves them (C2SP `tlog-tiles`), for whoever reads a log: how
//! many there are is told by a signed size, never by the file.

use crate::hash::Hash;
use crate::log::ENTRY_MAX;

/// Hashes of a full tile, entries of a full bundle.
pub const TILE_WIDTH: usize = 256;
/// Longest entry bundle in bytes: full, of the longest entries.
pub const ENTRIES_BYTES_MAX: usize = TILE_WIDTH * (2 + ENTRY_MAX);

/// A served file that is not what the signed size says it must be.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum ServedError {
    /// Nothing has this width.
    #[error("a tile or entry bundle has 1 to 256 rows, not {0}")]
    Width(usize),
    /// Another length than the width asks for.
    #[error("a tile of {expected} bytes was expected, not of {found}")]
    Length {
        /// 32 for each hash.
        expected: usize,
        /// In the file.
        found: usize,
    },
    /// The bundle ends within an entry.
    #[error("the entry bundle ends within entry {0}")]
    Truncated(usize),
    /// An entry of no bytes, which no log has.
    #[error("entry {0} of the bundle is empty")]
    Empty(usize),
    /// Bytes are left after the last entry.
    #[error("{0} bytes are left after the last entry of the bundle")]
    Trailing(usize),
}

const fn check_width(width: usize) -> Result<(), ServedError> {
    if width >= 1 && width <= TILE_WIDTH {
        Ok(())
    } else {
        Err(ServedError::Width(width))
    }
}

/// Hashes of a tile; `width` of them by the signed size of the log.
///
/// # Errors
/// [`ServedError`].
pub fn parse_tile(bytes: &[u8], width: usize) -> Result<Vec<Hash>, ServedError> {
    check_width(width)?;
    let (hashes, rest) = bytes.as_chunks::<32>();
    if hashes.len() != width || !rest.is_empty() {
        let (expected, found) = (width * 32, bytes.len());
        return Err(ServedError::Length { expected, found });
    }
    Ok(hashes.iter().map(|hash| Hash(*hash)).collect())
}

/// Entries of a bundle, each behind its length of two bytes; `width` of them by the signed size of
/// the log. What they say is read by [`crate::log::Entry::parse`].
///
/// # Errors
/// [`ServedError`].
pub fn parse_entries(bytes: &[u8], width: usize) -> Result<Vec<&[u8]>, ServedError> {
    check_width(width)?;
    let mut rest = bytes;
    let mut entries = Vec::new();
    for index in 0..width {
        let cut = ServedError::Truncated(index);
        let (length, after) = rest.split_first_chunk::<2>().ok_or(cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 {
            return Err(ServedError::Empty(index));
        }
        let (entry, after) = after.split_at_checked(length).ok_or(cut)?;
        entries.push(entry);
        rest = after;
    }
    if rest.is_empty() {
        Ok(entries)
    } else {
        Err(ServedError::Trailing(rest.len()))
    }
}

/// The bundle of 1 to 256 entries; `None` for another number, or an entry that is empty or longer
/// than [`ENTRY_MAX`].
#[must_use]
pub fn encode_entries<E: AsRef<[u8]>>(entries: &[E]) -> Option<Vec<u8>> {
    check_width(entries.len()).ok()?;
    let mut bytes = Vec::new();
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len())
            .ok()
            .filter(|&length| length > 0)?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(entry);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_has_as_many_hashes_as_the_size_says() {
        let bytes = [7; 96];
        assert_eq!(parse_tile(&bytes, 3), Ok(vec![Hash([7; 32]); 3]));
        let length = |expected, found| Err(ServedError::Length { expected, found });
        assert_eq!(parse_tile(&bytes, 2), length(64, 96));
        assert_eq!(parse_tile(&bytes, 4), length(128, 96));
        assert_eq!(parse_tile(&bytes[..95], 3), length(96, 95));
        for width in [0, 257, usize::MAX] {
            assert_eq!(parse_tile(&bytes, width), Err(ServedError::Width(width)));
        }
    }

    #[test]
    fn an_entry_bundle_reads_back_and_nothing_else_does() {
        let entries = [vec![1; 3], vec![2; ENTRY_MAX]];
        let bytes = encode_entries(&entries).unwrap();
        assert_eq!(parse_entries(&bytes, 2).unwrap(), entries);
        let cut = &bytes[..bytes.len() - 1];
        assert_eq!(parse_entries(cut, 2), Err(ServedError::Truncated(1)));
        assert_eq!(parse_entries(&bytes, 3), Err(ServedError::Truncated(2)));
        let left = Err(ServedError::Trailing(2 + ENTRY_MAX));
        assert_eq!(parse_entries(&bytes, 1), left);
        assert_eq!(parse_entries(&[0, 0], 1), Err(ServedError::Empty(0)));
        assert_eq!(parse_entries(&bytes, 257), Err(ServedError::Width(257)));
        assert_eq!(encode_entries(&[vec![0; ENTRY_MAX + 1]]), None);
        assert_eq!(encode_entries(&[vec![]]), None);
        assert_eq!(encode_entries::<Vec<u8>>(&[]), None);
    }
}
