//! Verifier keys as text: `name+key id in hex+base64 of kind and key` (C2SP `signed-note`).

use crate::b64;
use crate::key::{KeyError, PublicKey};
use crate::note::{TYPE_COSIGNATURE, TYPE_ED25519, key_id};

/// Longest key in characters.
const VKEY_MAX: usize = 1_024;

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Notes: a log's checkpoints (Ed25519, type 0x01).
    Note,
    /// Timestamped cosignatures (Ed25519, type 0x04).
    Cosignature,
}

impl Kind {
    const fn number(self) -> u8 {
        match self {
            Self::Note => TYPE_ED25519,
            Self::Cosignature => TYPE_COSIGNATURE,
        }
    }
}

/// Text that is no key of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum VkeyError {
    /// Not the three parts.
    #[error("a key is written name+key id+base64")]
    Form,
    /// A name that no signature line can carry.
    #[error("the key's name is empty, or has white space or control characters")]
    Name,
    /// A kind that is not known here.
    #[error("signature type {0} is not known here (1 for logs, 4 for witnesses)")]
    Kind(u8),
    /// Not 32 bytes, or a key that is refused.
    #[error("the key is refused: {0}")]
    Key(KeyError),
    /// The id is not of this name and key.
    #[error("the key id is not of this name and key")]
    Id,
}

/// A key with its name and what it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    /// Name in signature lines; for a log its origin.
    pub name: String,
    /// What it signs.
    pub kind: Kind,
    /// Ed25519.
    pub key: PublicKey,
}

impl VerifierKey {
    /// Reads a key.
    ///
    /// # Errors
    /// [`VkeyError`].
    pub fn parse(text: &str) -> Result<Self, VkeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(blob)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VkeyError::Form);
        };
        if text.len() > VKEY_MAX {
            return Err(VkeyError::Form);
        }
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(VkeyError::Name);
        }
        let blob = b64::decode(blob).ok_or(VkeyError::Form)?;
        let (kind, raw) = blob.split_first().ok_or(VkeyError::Form)?;
        let kind = match *kind {
            TYPE_ED25519 => Kind::Note,
            TYPE_COSIGNATURE => Kind::Cosignature,
            other => return Err(VkeyError::Kind(other)),
        };
        let key = PublicKey::ed25519(raw).map_err(VkeyError::Key)?;
        let key = Self {
            name: name.to_owned(),
            kind,
            key,
        };
        let same = id.len() == 8 && id.eq_ignore_ascii_case(&key.id());
        if same { Ok(key) } else { Err(VkeyError::Id) }
    }

    fn raw(&self) -> [u8; 32] {
        self.key.ed25519_bytes().unwrap_or_default()
    }

    fn id(&self) -> String {
        hex::encode(key_id(&self.name, self.kind.number(), &self.raw()))
    }
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let blob = [&[self.kind.number()][..], &self.raw()].concat();
        write!(f, "{}+{}+{}", self.name, self.id(), b64::encode(&blob))
    }
}
