//! The body of `add-checkpoint` (C2SP `tlog-witness`): an `old` line, the consistency proof, an
//! empty line, the checkpoint.

use schemas::b64;
use schemas::hash::Hash;
use schemas::note::open::{OPEN_NOTE_MAX, OpenNote};

/// Most lines of a consistency proof.
pub(super) const PROOF_MAX: usize = 63;
/// Longest request in bytes: the `old` line, the proof (44 characters and a line end each), the
/// note.
pub(super) const BODY_MAX: usize = 32 + PROOF_MAX * 45 + OPEN_NOTE_MAX;
/// Digits of the largest size, 2^53 - 1.
const SIZE_DIGITS: usize = 16;

/// What a log asks to have cosigned.
pub(super) struct Request {
    /// Size from which the proof leads, as the log believes the witness to have it.
    pub(super) old: u64,
    /// RFC 6962 consistency proof from there.
    pub(super) proof: Vec<Hash>,
    /// The checkpoint.
    pub(super) note: OpenNote,
}

impl Request {
    /// Reads a body; none if it is malformed.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > BODY_MAX {
            return None;
        }
        let text = std::str::from_utf8(body).ok()?;
        let (head, note) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = size(lines.next()?.strip_prefix("old ")?)?;
        let proof = lines
            .map(|line| Hash::from_slice(&b64::decode(line)?))
            .collect::<Option<Vec<_>>>()?;
        if proof.len() > PROOF_MAX {
            return None;
        }
        let note = OpenNote::parse(note.as_bytes()).ok()?;
        Some(Self { old, proof, note })
    }
}

/// A size in its one spelling.
fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let spelled = text == "0" || !text.starts_with('0');
    if digits && spelled && (1..=SIZE_DIGITS).contains(&text.len()) {
        text.parse().ok()
    } else {
        None
    }
}
