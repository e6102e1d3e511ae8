//! The tombstone list (`tombstones.md`): which events were erased, when, by whom and why, and
//! nothing of what they said.

use crate::cbor::{CborError, Reader, Writer};
use crate::hash::{Hash, sha256};
use crate::ids::is_printable;
use crate::statement::instant;
use crate::time::Instant;

/// Most leaves of a list.
pub const LEAVES_MAX: usize = 65_536;
/// Longest list in bytes: every leaf with its head, and the rest.
pub const LIST_MAX: usize = LEAVES_MAX * 34 + 256;
/// Longest reason, and longest name of who erased, in bytes.
pub const WORD_MAX: usize = 64;
const VERSION: u64 = 1;

/// Events that were erased in one act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TombstoneList {
    /// Log id.
    pub log: Hash,
    /// When they were erased.
    pub made: Instant,
    /// Who erased them: 1 to 64 printable ASCII characters.
    pub by: String,
    /// Why, as a code: 1 to 64 of `a-z`, `0-9` and `-`. No sentence fits in, so no name slips in.
    pub reason: String,
    /// The events' leaves, strictly increasing, 1 to 65,536.
    pub leaves: Vec<Hash>,
}

/// Bytes or values that are no list.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum TombstoneError {
    /// The form is broken.
    #[error("not the form of a tombstone list")]
    Form(#[from] CborError),
    /// A rule is broken.
    #[error("{0}")]
    Rule(&'static str),
}

/// True for a reason code.
#[must_use]
pub fn is_reason(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=WORD_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

impl TombstoneList {
    /// Deterministic CBOR.
    ///
    /// # Errors
    /// [`TombstoneError::Rule`] for values that no list may hold.
    pub fn encode(&self) -> Result<Vec<u8>, TombstoneError> {
        self.check()?;
        let mut w = Writer::new();
        w.map(6).uint(0).uint(VERSION).uint(1).bytes(&self.log.0);
        w.uint(2).uint(self.made.as_unsigned());
        w.uint(3).text(&self.by).uint(4).text(&self.reason);
        w.uint(5).array(self.leaves.len());
        for leaf in &self.leaves {
            w.bytes(&leaf.0);
        }
        Ok(w.finish())
    }

    /// Reads a list.
    ///
    /// # Errors
    /// [`TombstoneError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TombstoneError> {
        if bytes.len() > LIST_MAX {
            return Err(CborError::Limit("tombstone list").into());
        }
        let mut r = Reader::new(bytes);
        let mut keys = r.map("tombstone list")?;
        keys.required(&mut r, 0)?;
        if r.uint("version")? != VERSION {
            return Err(CborError::Limit("version").into());
        }
        keys.required(&mut r, 1)?;
        let log = r.hash("log")?;
        keys.required(&mut r, 2)?;
        let made = instant(&mut r, "made")?;
        keys.required(&mut r, 3)?;
        let by = r.text("by", WORD_MAX)?.to_owned();
        keys.required(&mut r, 4)?;
        let reason = r.text("reason", WORD_MAX)?.to_owned();
        keys.required(&mut r, 5)?;
        let count = r.array("leaves", LEAVES_MAX)?;
        // Each leaf takes 34 bytes, so the count cannot make room for more than is there.
        let mut leaves = Vec::with_capacity(count.min(bytes.len() / 34));
        for _ in 0..count {
            leaves.push(r.hash("leaf")?);
        }
        keys.end()?;
        r.end()?;
        let list = Self {
            log,
            made,
            by,
            reason,
            leaves,
        };
        list.check()?;
        Ok(list)
    }

    fn check(&self) -> Result<(), TombstoneError> {
        let rule = |holds, text| {
            if holds {
                Ok(())
            } else {
                Err(TombstoneError::Rule(text))
            }
        };
        rule(
            is_printable(&self.by, WORD_MAX),
            "`by` is 1 to 64 printable ASCII characters without space and `+`",
        )?;
        rule(
            is_reason(&self.reason),
            "`reason` is a code of 1 to 64 lower-case letters, digits and hyphens",
        )?;
        rule(
            (1..=LEAVES_MAX).contains(&self.leaves.len()),
            "a list has 1 to 65,536 leaves",
        )?;
        rule(
            self.leaves.windows(2).all(|pair| pair[0] < pair[1]),
            "leaves strictly increase",
        )
    }
}

/// SHA-256 of the list's bytes: what its log entry (type 4) names.
#[must_use]
pub fn list_hash(bytes: &[u8]) -> Hash {
    sha256(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(leaves: Vec<Hash>) -> TombstoneList {
        TombstoneList {
            log: Hash([1; 32]),
            made: Instant::from_seconds(1_795_305_600),
            by: "eraser".into(),
            reason: "subject-request".into(),
            leaves,
        }
    }

    #[test]
    fn list_reads_back_and_no_other_bytes_do() {
        let list = list(vec![Hash([2; 32]), Hash([3; 32])]);
        let bytes = list.encode().unwrap();
        assert_eq!(TombstoneList::parse(&bytes), Ok(list.clone()));
        for cut in 0..bytes.len() {
            assert!(TombstoneList::parse(&bytes[..cut]).is_err(), "{cut}");
        }
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 0x80;
            assert_ne!(TombstoneList::parse(&flipped), Ok(list.clone()), "{place}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(TombstoneList::parse(&longer).is_err());
    }

    #[test]
    fn longest_list_is_within_its_limit_and_one_leaf_more_is_not() {
        let leaf = |n: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&(n as u64).to_be_bytes());
            Hash(hash)
        };
        let mut most = list((0..LEAVES_MAX).map(leaf).collect());
        (most.by, most.reason) = ("b".repeat(WORD_MAX), "r".repeat(WORD_MAX));
        let bytes = most.encode().unwrap();
        assert!(bytes.len() <= LIST_MAX);
        assert_eq!(TombstoneList::parse(&bytes), Ok(most.clone()));
        most.leaves.push(leaf(LEAVES_MAX));
        assert!(most.encode().is_err());
    }

    #[test]
    fn leaves_out_of_order_twice_or_missing_are_refused() {
        let (a, b) = (Hash([2; 32]), Hash([3; 32]));
        for leaves in [vec![], vec![b, a], vec![a, a]] {
            assert!(list(leaves).encode().is_err());
        }
        let mut bytes = list(vec![a, b]).encode().unwrap();
        let first = bytes.len() - 68;
        bytes[first + 2..first + 34].copy_from_slice(&b.0);
        assert_eq!(
            TombstoneList::parse(&bytes),
            Err(TombstoneError::Rule("leaves strictly increase"))
        );
    }

    #[test]
    fn count_that_lies_takes_no_room() {
        let mut bytes = list(vec![Hash([2; 32])]).encode().unwrap();
        let head = bytes.len() - 35;
        bytes.splice(head..=head, [0x99, 0xff, 0xff]);
        assert_eq!(
            TombstoneList::parse(&bytes),
            Err(CborError::Truncated.into())
        );
    }

    #[test]
    fn reason_is_a_code_and_never_a_sentence() {
        assert!(is_reason("subject-request") && is_reason("court-order-7"));
        for text in ["", "Zhang San asked", "a_b", "A", &"r".repeat(65)] {
            assert!(!is_reason(text), "{text}");
        }
    }
}
