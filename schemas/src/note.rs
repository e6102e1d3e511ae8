//! Checkpoints as signed notes and their cosignatures (`log.md` section 5; C2SP `signed-note`,
//! `tlog-checkpoint`, `tlog-cosignature`).

pub mod open;

use sha2::{Digest, Sha256};

use crate::b64;
use crate::cbor::UINT_MAX;
use crate::hash::Hash;
use crate::ids::Origin;
use crate::key::{PublicKey, SecretKey};
use crate::log::Policy;
use crate::time::Instant;

/// Longest note in bytes.
pub const NOTE_MAX: usize = 16_384;
/// Most signature lines of a note.
pub const LINES_MAX: usize = 64;
pub(crate) const TYPE_ED25519: u8 = 1;
pub(crate) const TYPE_COSIGNATURE: u8 = 4;

/// A note that is no checkpoint of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum NoteError {
    /// Longer than allowed.
    #[error("a note has at most 16384 bytes and 64 lines of signature")]
    TooLong,
    /// Not the form of a checkpoint.
    #[error("not the form of a checkpoint: {0}")]
    Form(&'static str),
    /// Another log's.
    #[error("the checkpoint is of another origin")]
    Origin,
    /// No valid line of the log's key.
    #[error("the log's own signature is missing or wrong")]
    LogSignature,
    /// A line that is of no key of the policy, twice, or wrong.
    #[error("a signature line is of no key of the policy, stands twice or does not verify")]
    Line,
    /// Too few witnesses.
    #[error("{found} of {needed} witnesses")]
    Quorum {
        /// Valid cosignatures.
        found: u64,
        /// By the policy.
        needed: u64,
    },
}

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: Origin,
    /// Number of entries, at least 1.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The signed text: three lines.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            b64::encode(&self.root.0)
        )
    }

    fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.split('\n');
        let mut line = || lines.next().ok_or(NoteError::Form("three lines"));
        let origin = line()?.parse().map_err(|_| NoteError::Form("origin"))?;
        let size = parse_decimal(line()?)
            .filter(|&size| size >= 1)
            .ok_or(NoteError::Form("size"))?;
        let root = b64::decode(line()?).and_then(|root| Hash::from_slice(&root));
        let root = root.ok_or(NoteError::Form("root"))?;
        if line()?.is_empty() && lines.next().is_none() {
            Ok(Self { origin, size, root })
        } else {
            Err(NoteError::Form("exactly three lines"))
        }
    }
}

/// A decimal number in its one spelling, at most 2^53 - 1.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let spelled = !text.is_empty() && text.len() <= 16 && (text == "0" || !text.starts_with('0'));
    if plain && spelled {
        text.parse().ok().filter(|&n| n <= UINT_MAX)
    } else {
        None
    }
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who.
    pub name: String,
    /// First four bytes of the key's hash.
    pub key_id: [u8; 4],
    /// What follows the key id.
    pub signature: Vec<u8>,
}

impl Line {
    /// The line with its end.
    #[must_use]
    pub fn encode(&self) -> String {
        format!(
            "— {} {}\n",
            self.name,
            b64::encode(&[&self.key_id[..], &self.signature].concat())
        )
    }

    /// Reads a line without its end.
    ///
    /// # Errors
    /// [`NoteError::Form`].
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let form = NoteError::Form("signature line");
        let (name, blob) = line
            .strip_prefix("— ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or(form)?;
        let blob = b64::decode(blob).ok_or(form)?;
        let (key_id, signature) = blob.split_first_chunk::<4>().ok_or(form)?;
        if !crate::ids::is_printable(name, 255) {
            return Err(form);
        }
        Ok(Self {
            name: name.to_owned(),
            key_id: *key_id,
            signature: signature.to_vec(),
        })
    }
}

pub(crate) fn key_id(name: &str, kind: u8, key: &[u8; 32]) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', kind]);
    hasher.update(key);
    let hash: [u8; 32] = hasher.finalize().into();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// A checkpoint with its signature lines, parsed but not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it says.
    pub checkpoint: Checkpoint,
    text: String,
    /// In their order.
    pub lines: Vec<Line>,
}

/// A checkpoint that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// Witnesses and the seconds that they state, by name.
    pub witnesses: Vec<(String, u64)>,
    /// The quorum-th smallest of these: an upper bound for everything covered.
    pub anchored: Instant,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_MAX {
            return Err(NoteError::TooLong);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Form("UTF-8"))?;
        let (text, rest) = note
            .split_once("\n\n")
            .ok_or(NoteError::Form("empty line"))?;
        let text = format!("{text}\n");
        let checkpoint = Checkpoint::parse(&text)?;
        let rest = rest
            .strip_suffix('\n')
            .ok_or(NoteError::Form("last line end"))?;
        let lines = rest
            .split('\n')
            .map(Line::parse)
            .collect::<Result<Vec<_>, _>>()?;
        if lines.len() > LINES_MAX {
            Err(NoteError::TooLong)
        } else {
            Ok(Self {
                checkpoint,
                text,
                lines,
            })
        }
    }

    /// A checkpoint with the log's own line.
    #[must_use]
    pub fn sign(checkpoint: Checkpoint, key: &SecretKey) -> Self {
        let text = checkpoint.text();
        let name = checkpoint.origin.as_str().to_owned();
        let key_id = key_id(&name, TYPE_ED25519, &key.public_bytes());
        let signature = key.sign(text.as_bytes()).to_vec();
        Self {
            checkpoint,
            text,
            lines: vec![Line {
                name,
                key_id,
                signature,
            }],
        }
    }

    /// The note as it is served.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let lines: String = self.lines.iter().map(Line::encode).collect();
        format!("{}\n{lines}", self.text).into_bytes()
    }

    /// A witness's line for this checkpoint at `time`.
    #[must_use]
    pub fn cosign(&self, name: &str, key: &SecretKey, time: Instant) -> Line {
        let seconds = seconds_of(time);
        let message = cosigned(seconds, &self.text);
        let signature = [&seconds.to_be_bytes()[..], &key.sign(message.as_bytes())].concat();
        let key_id = key_id(name, TYPE_COSIGNATURE, &key.public_bytes());
        Line {
            name: name.to_owned(),
            key_id,
            signature,
        }
    }

    /// # Errors
    /// [`NoteError::LogSignature`] unless a line is the log's and verifies.
    pub fn check_log_line(&self, origin: &Origin, key: &PublicKey) -> Result<(), NoteError> {
        let valid = |line: &Line| line_of_log(self, line, origin, key);
        if self.lines.iter().any(valid) {
            Ok(())
        } else {
            Err(NoteError::LogSignature)
        }
    }

    /// Seconds that the witness states, if the line is its and verifies.
    #[must_use]
    pub fn check_cosignature(&self, line: &Line, name: &str, key: &PublicKey) -> Option<u64> {
        cosignature(&self.text, line, name, key)
    }

    /// Checks the note as served: lines of strangers are ignored.
    ///
    /// # Errors
    /// [`NoteError`] unless the checkpoint counts under the policy.
    pub fn check_served(&self, policy: &Policy) -> Result<Witnessed, NoteError> {
        if self.checkpoint.origin != policy.origin {
            return Err(NoteError::Origin);
        }
        self.check_log_line(&policy.origin, &policy.log_key)?;
        let mut witnesses = Vec::new();
        for party in &policy.witnesses {
            let seconds = |line| self.check_cosignature(line, &party.name, &party.key);
            if let Some(seconds) = self.lines.iter().find_map(seconds) {
                witnesses.push((party.name.clone(), seconds));
            }
        }
        self.count(policy, witnesses)
    }

    /// Checks the note of a bundle: every line is of a key of the policy and verifies, the first
    /// is the log's.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn check_bundled(&self, policy: &Policy) -> Result<Witnessed, NoteError> {
        if self.checkpoint.origin != policy.origin {
            return Err(NoteError::Origin);
        }
        let (first, rest) = self.lines.split_first().ok_or(NoteError::LogSignature)?;
        if !line_of_log(self, first, &policy.origin, &policy.log_key) {
            return Err(NoteError::LogSignature);
        }
        let mut witnesses: Vec<(String, u64)> = Vec::new();
        for line in rest {
            let party = policy
                .witnesses
                .iter()
                .find(|party| party.name == line.name);
            let seconds = party.and_then(|p| self.check_cosignature(line, &p.name, &p.key));
            let seconds = seconds.ok_or(NoteError::Line)?;
            if witnesses.iter().any(|(name, _)| *name == line.name) {
                return Err(NoteError::Line);
            }
            witnesses.push((line.name.clone(), seconds));
        }
        self.count(policy, witnesses)
    }

    /// The note with only the lines of keys of the policy that verify: what a bundle carries.
    #[must_use]
    pub fn for_bundle(&self, policy: &Policy) -> Self {
        let mut kept = self.clone();
        let log = |line: &&Line| line_of_log(self, line, &policy.origin, &policy.log_key);
        kept.lines = self.lines.iter().find(log).cloned().into_iter().collect();
        for party in &policy.witnesses {
            let own = |line: &&Line| {
                self.check_cosignature(line, &party.name, &party.key)
                    .is_some()
            };
            kept.lines.extend(self.lines.iter().find(own).cloned());
        }
        kept
    }

    fn count(
        &self,
        policy: &Policy,
        witnesses: Vec<(String, u64)>,
    ) -> Result<Witnessed, NoteError> {
        let found = witnesses.len() as u64;
        let needed = policy.quorum;
        let mut times: Vec<u64> = witnesses.iter().map(|(_, seconds)| *seconds).collect();
        times.sort_unstable();
        let place = usize::try_from(needed).unwrap_or(usize::MAX).checked_sub(1);
        let time = place
            .and_then(|place| times.get(place))
            .ok_or(NoteError::Quorum { found, needed })?;
        let anchored = Instant::from_seconds(i64::try_from(*time).unwrap_or(i64::MAX));
        Ok(Witnessed {
            checkpoint: self.checkpoint.clone(),
            witnesses,
            anchored,
        })
    }
}

fn line_of_log(note: &Note, line: &Line, origin: &Origin, key: &PublicKey) -> bool {
    let Some(raw) = key.ed25519_bytes() else {
        return false;
    };
    let Ok(signature) = <&[u8; 64]>::try_from(line.signature.as_slice()) else {
        return false;
    };
    line.name == origin.as_str()
        && line.key_id == key_id(origin.as_str(), TYPE_ED25519, &raw)
        && key.verify(note.text.as_bytes(), signature).is_ok()
}

/// Seconds that a witness states over this text, if the line is its and verifies.
fn cosignature(text: &str, line: &Line, name: &str, key: &PublicKey) -> Option<u64> {
    let raw = key.ed25519_bytes()?;
    if line.name != name || line.key_id != key_id(name, TYPE_COSIGNATURE, &raw) {
        return None;
    }
    let (seconds, signature) = line.signature.split_first_chunk::<8>()?;
    let seconds = u64::from_be_bytes(*seconds);
    let signature: &[u8; 64] = signature.try_into().ok()?;
    let valid = (1..=UINT_MAX).contains(&seconds)
        && key
            .verify(cosigned(seconds, text).as_bytes(), signature)
            .is_ok();
    valid.then_some(seconds)
}

/// Whole seconds as a cosignature states them.
fn seconds_of(time: Instant) -> u64 {
    u64::try_from(time.as_seconds()).unwrap_or(0).max(1)
}

fn cosigned(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_elses_note_library_reads_and_verifies_ours() {
        let key = SecretKey::from_seed(&[5; 32]);
        let checkpoint = Checkpoint {
            origin: "log.example/t".parse().unwrap(),
            size: 7,
            root: Hash([3; 32]),
        };
        let note = Note::sign(checkpoint.clone(), &key);
        let bytes = note.encode();
        assert_eq!(Note::parse(&bytes), Ok(note));
        let raw = [&[TYPE_ED25519][..], &key.public_bytes()].concat();
        let id = u32::from_be_bytes(key_id("log.example/t", TYPE_ED25519, &key.public_bytes()));
        let vkey = format!("log.example/t+{id:08x}+{}", b64::encode(&raw));
        let verifier = signed_note::StandardVerifier::new(&vkey).unwrap();
        let theirs = signed_note::Note::from_bytes(&bytes).unwrap();
        let (verified, _) = theirs
            .verify(&signed_note::VerifierList::new(vec![Box::new(verifier)]))
            .unwrap();
        assert_eq!(verified.len(), 1);
        let parsed = tlog_tiles::Checkpoint::from_bytes(theirs.text()).unwrap();
        assert_eq!((parsed.size(), parsed.hash().0), (7, [3; 32]));
    }

    #[test]
    fn sizes_have_one_spelling() {
        for bad in ["", "01", "+1", "1 ", "9007199254740992", "-1"] {
            assert_eq!(parse_decimal(bad), None, "{bad}");
        }
        assert_eq!(parse_decimal("9007199254740991"), Some(UINT_MAX));
    }
}
