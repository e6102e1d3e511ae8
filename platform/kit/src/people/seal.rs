//! Secrets that a service must read again (a second factor's key), sealed with a key that stands in
//! a file and not in the database: ChaCha20-Poly1305 (RFC 8439) as `ring` computes it.
//!
//! What this is worth, plainly: who has a copy of the database, a backup or a reader's role learns
//! nothing. Who can read the service's own files or memory learns everything; no sealing helps
//! there. A sealed text is bound to a purpose and to its row, so that it cannot be moved to another.
//!
//! Nonces are random: with 96 bits, a key is good for far more texts (2^32, NIST SP 800-38D 8.3 by
//! analogy) than a service has people.
//!
//! Form: one byte 1, four bytes that name the key, twelve bytes of nonce, ciphertext with its tag.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use schemas::hash::{Hash, sha256_parts};
use schemas::random::NoRandomness;

/// First byte of every sealed text.
const VERSION: u8 = 1;
/// Bytes in front of the ciphertext.
const HEAD: usize = 1 + 4 + 12;

/// Why something was not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A key is not 64 hexadecimal digits.
    #[error("a sealing key is 64 hexadecimal digits")]
    Key,
    /// The operating system has no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// Altered, of another row or purpose, or sealed with a key that is not here.
    #[error("a sealed value does not open with the keys of this service")]
    Refused,
}

struct Key {
    name: [u8; 4],
    key: LessSafeKey,
}

/// The keys of a service: the first seals, every one opens, so that a key can be changed.
pub struct Seal {
    first: Key,
    older: Vec<Key>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}

impl Seal {
    /// Of the lines of a key file: 64 hexadecimal digits a line, the newest first.
    ///
    /// # Errors
    /// [`SealError::Key`].
    pub fn parse(lines: &str) -> Result<Self, SealError> {
        let mut keys = lines.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = key(keys.next().ok_or(SealError::Key)?)?;
        let older = keys.map(key).collect::<Result<_, _>>()?;
        Ok(Self { first, older })
    }

    /// A new line for a key file.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn new_key() -> Result<String, SealError> {
        Ok(Hash(schemas::random::bytes()?).to_string())
    }

    /// Seals a text for a purpose, such as `totp bank/li-wei`.
    ///
    /// # Errors
    /// [`SealError::Random`].
    pub fn seal(&self, purpose: &str, text: &[u8]) -> Result<Vec<u8>, SealError> {
        let nonce: [u8; 12] = schemas::random::bytes()?;
        let mut head = vec![VERSION];
        head.extend(self.first.name);
        head.extend(nonce);
        let mut body = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let aad = Aad::from(purpose.as_bytes());
        let sealed = self
            .first
            .key
            .seal_in_place_append_tag(nonce, aad, &mut body);
        sealed.map_err(|_| SealError::Refused)?;
        head.extend(body);
        Ok(head)
    }

    /// What was sealed for this purpose.
    ///
    /// # Errors
    /// [`SealError::Refused`].
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (head, body) = sealed.split_at_checked(HEAD).ok_or(SealError::Refused)?;
        let named = head.get(1..5).ok_or(SealError::Refused)?;
        let nonce = head.get(5..).ok_or(SealError::Refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Refused)?;
        let mut keys = std::iter::once(&self.first).chain(&self.older);
        let key = keys.find(|key| key.name == named && head.first() == Some(&VERSION));
        let key = key.ok_or(SealError::Refused)?;
        let mut body = body.to_vec();
        let aad = Aad::from(purpose.as_bytes());
        let opened = key.key.open_in_place(nonce, aad, &mut body);
        opened
            .map(|text| text.to_vec())
            .map_err(|_| SealError::Refused)
    }
}

fn key(line: &str) -> Result<Key, SealError> {
    let bytes = line.parse::<Hash>().map_err(|_| SealError::Key)?;
    let unbound = UnboundKey::new(&CHACHA20_POLY1305, &bytes.0).map_err(|_| SealError::Key)?;
    let Hash([a, b, c, d, ..]) = sha256_parts(&[b"name of a sealing key\n", &bytes.0]);
    Ok(Key {
        name: [a, b, c, d],
        key: LessSafeKey::new(unbound),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_older_key_opens_and_the_newest_seals() {
        let (old, new) = (Seal::new_key().unwrap(), Seal::new_key().unwrap());
        let before = Seal::parse(&old).unwrap();
        let after = Seal::parse(&format!("{new}\n{old}\n")).unwrap();
        let sealed = before.seal("totp a/b", b"secret").unwrap();
        assert_eq!(after.open("totp a/b", &sealed).unwrap(), b"secret");
        let sealed = after.seal("totp a/b", b"secret").unwrap();
        assert!(matches!(
            before.open("totp a/b", &sealed),
            Err(SealError::Refused)
        ));
    }

    #[test]
    fn a_key_file_that_is_none_is_refused() {
        for text in ["", "\n", "abc", &"g".repeat(64), &"0".repeat(63)] {
            assert!(matches!(Seal::parse(text), Err(SealError::Key)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_altered_moved_or_cut_does_not_open(
            text in proptest::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(),
            bit in 0_u32..8,
        ) {
            let seal = Seal::parse(&"ab".repeat(32)).unwrap();
            let sealed = seal.seal("totp a/b", &text).unwrap();
            prop_assert_eq!(seal.open("totp a/b", &sealed).unwrap(), text);
            prop_assert!(seal.open("totp a/c", &sealed).is_err());
            prop_assert!(seal.open("totp a/b", &sealed[..at.index(sealed.len())]).is_err());
            let mut altered = sealed.clone();
            altered[at.index(sealed.len())] ^= 1 << bit;
            prop_assert!(seal.open("totp a/b", &altered).is_err());
        }
    }
}
