//! Checkpoints of any C2SP log, as a witness reads them (C2SP `signed-note`, `tlog-checkpoint`).
//!
//! Wider than [`Note`](super::Note), which is what *our* logs write: here a tree may be empty,
//! extension lines may follow (they are cosigned, and nothing is said about them), names of keys
//! may be any text without spaces and `+`, and signatures may be of kinds and lengths that are
//! unknown here; those are passed over.

use super::{
    Line, NoteError, TYPE_COSIGNATURE, TYPE_ED25519, cosignature, cosigned, key_id, parse_decimal,
    seconds_of,
};
use crate::b64;
use crate::hash::Hash;
use crate::key::{PublicKey, SecretKey};
use crate::time::Instant;

/// Longest note in bytes: sixteen signatures of 5 kB in base64, and room (C2SP `signed-note`).
pub const OPEN_NOTE_MAX: usize = 131_072;
/// Most signature lines.
pub const OPEN_LINES_MAX: usize = 64;

/// A checkpoint of some log with its signature lines, parsed but not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenNote {
    /// The log's name.
    pub origin: String,
    /// Number of entries; 0 is allowed.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    text: String,
    lines: Vec<Line>,
}

impl OpenNote {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError::TooLong`], [`NoteError::Form`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > OPEN_NOTE_MAX {
            return Err(NoteError::TooLong);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Form("UTF-8"))?;
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Form("control characters"));
        }
        let (text, rest) = note
            .rsplit_once("\n\n")
            .ok_or(NoteError::Form("empty line"))?;
        let rest = rest
            .strip_suffix('\n')
            .ok_or(NoteError::Form("last line end"))?;
        let lines = rest.split('\n').map(line).collect::<Option<Vec<_>>>();
        let lines = lines.ok_or(NoteError::Form("signature line"))?;
        if lines.len() > OPEN_LINES_MAX {
            return Err(NoteError::TooLong);
        }
        let (origin, size, root) = head(text)?;
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            text: format!("{text}\n"),
            lines,
        })
    }

    /// Checks the log's own signature under the keys that are trusted for its origin. Lines of
    /// other keys are ignored; a line that names one of these keys must verify.
    ///
    /// # Errors
    /// [`NoteError::LogSignature`] where no line is of such a key, or one of theirs is wrong.
    pub fn check_log(&self, keys: &[PublicKey]) -> Result<(), NoteError> {
        let mut valid = false;
        for line in &self.lines {
            match self.is_by(line, keys) {
                Some(false) => return Err(NoteError::LogSignature),
                Some(true) => valid = true,
                None => {}
            }
        }
        if valid {
            Ok(())
        } else {
            Err(NoteError::LogSignature)
        }
    }

    /// Whether the line verifies; none if it is of none of these keys.
    fn is_by(&self, line: &Line, keys: &[PublicKey]) -> Option<bool> {
        let named = |key: &&PublicKey| {
            key.ed25519_bytes().is_some_and(|raw| {
                line.name == self.origin && line.key_id == key_id(&self.origin, TYPE_ED25519, &raw)
            })
        };
        let mut named = keys.iter().filter(named).peekable();
        named.peek()?;
        let signature = <&[u8; 64]>::try_from(line.signature.as_slice());
        Some(signature.is_ok_and(|signature| {
            named.any(|key| key.verify(self.text.as_bytes(), signature).is_ok())
        }))
    }

    /// A witness's line for this checkpoint at `time`.
    #[must_use]
    pub fn cosign(&self, name: &str, key: &SecretKey, time: Instant) -> Line {
        let seconds = seconds_of(time);
        let message = cosigned(seconds, &self.text);
        let signature = [&seconds.to_be_bytes()[..], &key.sign(message.as_bytes())].concat();
        Line {
            name: name.to_owned(),
            key_id: key_id(name, TYPE_COSIGNATURE, &key.public_bytes()),
            signature,
        }
    }

    /// Seconds that a witness of this name and key states, if a line of it verifies.
    #[must_use]
    pub fn cosigned_by(&self, name: &str, key: &PublicKey) -> Option<u64> {
        let own = |line: &Line| cosignature(&self.text, line, name, key);
        self.lines.iter().find_map(own)
    }

    /// The note with only the log's own lines: what is kept as evidence.
    #[must_use]
    pub fn signed_by(&self, keys: &[PublicKey]) -> String {
        let own = self
            .lines
            .iter()
            .filter(|line| self.is_by(line, keys) == Some(true));
        let lines: String = own.map(Line::encode).collect();
        format!("{}\n{lines}", self.text)
    }
}

/// Origin, size, root; extension lines only have to be there.
fn head(text: &str) -> Result<(&str, u64, Hash), NoteError> {
    let mut lines = text.split('\n');
    let mut line = || {
        lines
            .next()
            .filter(|line| !line.is_empty())
            .ok_or(NoteError::Form("three lines"))
    };
    let origin = line()?;
    let size = parse_decimal(line()?).ok_or(NoteError::Form("size"))?;
    let root = b64::decode(line()?).and_then(|root| Hash::from_slice(&root));
    let root = root.ok_or(NoteError::Form("root"))?;
    if lines.all(|extension| !extension.is_empty()) {
        Ok((origin, size, root))
    } else {
        Err(NoteError::Form("empty extension line"))
    }
}

fn line(line: &str) -> Option<Line> {
    let (name, blob) = line.strip_prefix("— ")?.rsplit_once(' ')?;
    let wrong = |c: char| c.is_whitespace() || c == '+';
    if name.is_empty() || name.contains(wrong) {
        return None;
    }
    let blob = b64::decode(blob)?;
    let (key_id, signature) = blob.split_first_chunk::<4>()?;
    Some(Line {
        name: name.to_owned(),
        key_id: *key_id,
        signature: signature.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Checkpoint, Note};
    use super::*;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed(&[seed; 32])
    }

    /// A note over any text, signed by these keys under the name of its first line.
    fn note(text: &str, keys: &[u8]) -> String {
        let name = text.lines().next().unwrap();
        let line = |&seed: &u8| {
            Line {
                name: name.into(),
                key_id: key_id(name, TYPE_ED25519, &key(seed).public_bytes()),
                signature: key(seed).sign(text.as_bytes()).to_vec(),
            }
            .encode()
        };
        format!("{text}\n{}", keys.iter().map(line).collect::<String>())
    }

    fn root() -> String {
        b64::encode(&[7; 32])
    }

    #[test]
    fn our_own_notes_are_open_notes_and_are_cosigned_alike() {
        let checkpoint = Checkpoint {
            origin: "log.example/t".parse().unwrap(),
            size: 7,
            root: Hash([3; 32]),
        };
        let ours = Note::sign(checkpoint, &key(1));
        let open = OpenNote::parse(&ours.encode()).unwrap();
        assert_eq!(open.check_log(&[key(2).public(), key(1).public()]), Ok(()));
        assert_eq!(open.signed_by(&[key(1).public()]).as_bytes(), ours.encode());
        let time = Instant::from_seconds(1_679_315_147);
        let line = open.cosign("w", &key(9), time);
        assert_eq!(line, ours.cosign("w", &key(9), time));
        assert_eq!(
            ours.check_cosignature(&line, "w", &key(9).public()),
            Some(1_679_315_147)
        );
    }

    #[test]
    fn extension_lines_foreign_names_and_long_signatures_are_read() {
        let text = format!("日志.example\n0\n{}\nx\ny — z\n", root());
        let mut bytes = note(&text, &[1]);
        bytes.push_str(&format!("— 见证 {}\n", b64::encode(&[0; 2_432])));
        let open = OpenNote::parse(bytes.as_bytes()).unwrap();
        assert_eq!((open.origin.as_str(), open.size), ("日志.example", 0));
        assert_eq!(open.check_log(&[key(1).public()]), Ok(()));
        assert!(!open.signed_by(&[key(1).public()]).contains("见证"));
    }

    #[test]
    fn a_line_of_a_known_key_must_verify_and_lines_of_strangers_need_not() {
        let text = format!("log\n1\n{}\n", root());
        let good = note(&text, &[1]);
        let damaged = note(&text.replace("\n1\n", "\n2\n"), &[2]);
        let second = damaged.rsplit_once("\n\n").unwrap().1;
        let both = format!("{good}{second}");
        let open = OpenNote::parse(both.as_bytes()).unwrap();
        assert_eq!(open.check_log(&[key(1).public()]), Ok(()));
        let trusted = [key(1).public(), key(2).public()];
        assert_eq!(open.check_log(&trusted), Err(NoteError::LogSignature));
        assert_eq!(open.check_log(&[]), Err(NoteError::LogSignature));
    }

    #[test]
    fn broken_forms_are_refused() {
        let good = note(&format!("log\n1\n{}\n", root()), &[1]);
        assert!(OpenNote::parse(good.as_bytes()).is_ok());
        for (from, to) in [
            ("\n1\n", "\n01\n"),
            ("\n1\n", "\n-1\n"),
            ("\n1\n", "\n9007199254740992\n"),
            ("\n1\n", "\n\n1\n"),
            ("log\n", "\n"),
            ("log\n", "l\tog\n"),
            ("— log", "— l+g"),
            ("— log", "—  "),
            ("— log", "- log"),
            ("— log", "— l\u{3000}g"),
            ("=\n\n", "\n\n"),
            ("\n\n", "\n"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert!(OpenNote::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(OpenNote::parse(good.trim_end().as_bytes()).is_err());
        let many = format!("{good}{}", "— a AAAAAAAA\n".repeat(OPEN_LINES_MAX));
        assert_eq!(OpenNote::parse(many.as_bytes()), Err(NoteError::TooLong));
    }
}
