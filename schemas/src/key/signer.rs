//! Whoever signs for a device: a key in a file, later one that a TPM holds.

use p256::ecdsa::signature::Signer as _;

use super::{PublicKey, SecretKey};
use crate::hash::Hash;
use crate::random::{self, NoRandomness};

/// A key's holder that did not sign. Nothing was signed; it may be asked again.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[error("the key's holder does not sign: {0}")]
pub struct SignerError(pub String);

/// Holds a secret key, which never leaves it, and signs with it (`statement.md` section 1.3): with
/// Ed25519, or with P-256 and a low S.
pub trait Signer: Send + Sync + std::fmt::Debug {
    /// The public half.
    fn public(&self) -> PublicKey;

    /// Signs; 64 bytes as [`PublicKey::verify`] accepts them.
    ///
    /// # Errors
    /// [`SignerError`] where the holder cannot be reached. A key in memory always signs.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerError>;

    /// kid of the public half.
    fn kid(&self) -> Hash {
        self.public().kid()
    }
}

impl Signer for SecretKey {
    fn public(&self) -> PublicKey {
        Self::public(self)
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerError> {
        Ok(Self::sign(self, message))
    }
}

/// A P-256 secret key. Its scalar leaves it only through [`P256SecretKey::scalar`], for the key
/// file.
#[derive(Clone)]
pub struct P256SecretKey(p256::ecdsa::SigningKey);

impl P256SecretKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// Only where there is none.
    pub fn generate() -> Result<Self, NoRandomness> {
        loop {
            // All but one of 2^32 are below the group's order.
            if let Some(key) = Self::from_scalar(&random::bytes()?) {
                return Ok(key);
            }
        }
    }

    /// The key of a big-endian scalar; `None` for zero and for what is not below the group's order.
    #[must_use]
    pub fn from_scalar(scalar: &[u8; 32]) -> Option<Self> {
        p256::ecdsa::SigningKey::from_slice(scalar).ok().map(Self)
    }

    /// The scalar, to be written with owner-only permissions and nowhere else.
    #[must_use]
    pub fn scalar(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }
}

impl Signer for P256SecretKey {
    fn public(&self) -> PublicKey {
        PublicKey::P256(*self.0.verifying_key())
    }

    /// By RFC 6979, so that one message has one signature; S is brought into the lower half.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerError> {
        let signature: p256::ecdsa::Signature = self
            .0
            .try_sign(message)
            .map_err(|error| SignerError(error.to_string()))?;
        Ok(signature
            .normalize_s()
            .unwrap_or(signature)
            .to_bytes()
            .into())
    }
}

impl std::fmt::Debug for P256SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "P256SecretKey(of {})", self.kid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{ALG_ESP256, KeyError};

    #[test]
    fn p256_signs_low_and_deterministically_and_its_file_form_is_the_key() {
        let key = P256SecretKey::generate().expect("randomness");
        let again = P256SecretKey::from_scalar(&key.scalar()).expect("a scalar");
        assert_eq!(key.public(), again.public());
        assert_eq!(key.public().alg(), ALG_ESP256);
        // Half of all raw signatures have a high S: verification, which refuses those, would not
        // pass sixty-four times by chance.
        for number in 0u8..64 {
            let signature = key.sign(&[number]).expect("signed");
            assert_eq!(signature, again.sign(&[number]).expect("signed"));
            assert_eq!(key.public().verify(&[number], &signature), Ok(()));
            assert_eq!(
                key.public().verify(&[number, 0], &signature),
                Err(KeyError::Mismatch)
            );
        }
    }

    #[test]
    fn zero_and_the_groups_order_are_no_scalars() {
        assert!(P256SecretKey::from_scalar(&[0; 32]).is_none());
        assert!(P256SecretKey::from_scalar(&[0xff; 32]).is_none());
    }
}
