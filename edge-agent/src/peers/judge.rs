//! Whether two verified checkpoints are of one log. Pure.

use schemas::hash::Hash;
use schemas::note::Checkpoint;
use schemas::tlog::{PATH_MAX, verify_consistency};
use serde::Deserialize;

/// What two checkpoints are to each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// One tree.
    Same,
    /// Two roots of one size.
    Fork,
    /// The smaller one must be a beginning of the larger one.
    Needs {
        old: Box<Checkpoint>,
        new: Box<Checkpoint>,
    },
}

/// What the platform says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// It does not know one of the sizes.
    Unknown,
    /// It sent what is no proof at all.
    Malformed,
    /// An RFC 6962 consistency path.
    Path(Vec<Hash>),
}

/// What is to be thought of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Consistent,
    Fork,
    Unknown,
}

/// Compares two checkpoints of one origin.
pub(super) fn case(one: &Checkpoint, other: &Checkpoint) -> Case {
    if one.size == other.size {
        return if one.root == other.root {
            Case::Same
        } else {
            Case::Fork
        };
    }
    let (old, new) = if one.size < other.size {
        (one, other)
    } else {
        (other, one)
    };
    Case::Needs {
        old: Box::new(old.clone()),
        new: Box::new(new.clone()),
    }
}

/// Judges the platform's proof for two sizes.
pub(super) fn proven(old: &Checkpoint, new: &Checkpoint, proof: &Proof) -> Judged {
    match proof {
        Proof::Unknown | Proof::Malformed => Judged::Unknown,
        Proof::Path(path) => {
            let held = verify_consistency(old.size, old.root, new.size, new.root, path);
            if held.is_ok() {
                Judged::Consistent
            } else {
                Judged::Fork
            }
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    proof: Vec<String>,
}

/// Reads the platform's answer: `{"proof": [base64 of a hash, ...]}`.
pub(super) fn read_proof(bytes: &[u8]) -> Proof {
    let Ok(answer) = serde_json::from_slice::<Answer>(bytes) else {
        return Proof::Malformed;
    };
    if answer.proof.len() > PATH_MAX {
        return Proof::Malformed;
    }
    let hash = |text: &String| Hash::from_slice(&schemas::b64::decode(text)?);
    let path = answer.proof.iter().map(hash).collect::<Option<Vec<_>>>();
    path.map_or(Proof::Malformed, Proof::Path)
}
