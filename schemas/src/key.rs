//! Keys and signatures (`statement.md` section 1.3): Ed25519, and P-256 with low S for devices
//! whose key lives in a TPM or phone. What libraries disagree about is refused before one is
//! called.

mod signer;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use p256::ecdsa::signature::Verifier;

use crate::hash::{Hash, sha256};
use crate::random::{self, NoRandomness};

pub use signer::{P256SecretKey, Signer, SignerError};

/// COSE number of Ed25519 (RFC 9864).
pub const ALG_ED25519: i64 = -19;
/// COSE number of ECDSA on P-256 with SHA-256 (RFC 9864).
pub const ALG_ESP256: i64 = -9;

/// A key or signature that counts for nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum KeyError {
    /// An algorithm that version 1 does not know.
    #[error("unknown algorithm")]
    Algorithm,
    /// Not 32 (Ed25519) or 33 (P-256) bytes.
    #[error("wrong key length")]
    Length,
    /// A coordinate is spelled in a way that is not its own.
    #[error("not the canonical spelling of a point")]
    NotCanonical,
    /// One of the eight points of small order.
    #[error("a point of small order")]
    SmallOrder,
    /// No point on the curve.
    #[error("not a point on the curve")]
    NotOnCurve,
    /// S is not below L, or not low.
    #[error("the signature's S is out of range")]
    ScalarRange,
    /// The equation does not hold.
    #[error("the signature does not verify")]
    Mismatch,
}

/// y coordinates of the points of small order, sign bit cleared.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0x7f,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// An encoded Edwards point that is canonical and of large order.
fn check_point(bytes: &[u8; 32]) -> Result<(), KeyError> {
    let mut y = *bytes;
    y[31] &= 0x7f;
    if y[31] == 0x7f && y[1..31].iter().all(|&byte| byte == 0xff) && y[0] >= 0xed {
        return Err(KeyError::NotCanonical);
    }
    if SMALL_ORDER.contains(&y) {
        Err(KeyError::SmallOrder)
    } else {
        Ok(())
    }
}

/// L = 2^252 + 27742317777372353535851937790883648493, little-endian.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn check_scalar(scalar: &[u8]) -> Result<(), KeyError> {
    if scalar.iter().rev().lt(GROUP_ORDER.iter().rev()) {
        Ok(())
    } else {
        Err(KeyError::ScalarRange)
    }
}

/// A public key with its algorithm, checked.
#[derive(Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// Ed25519: its 32 bytes, and the point if they are one. A key that is none never verifies.
    Ed25519([u8; 32], Option<VerifyingKey>),
    /// P-256, kept compressed (33 bytes).
    P256(p256::ecdsa::VerifyingKey),
}

impl PublicKey {
    /// Reads and checks a key.
    ///
    /// # Errors
    /// Everything of `statement.md` section 1.3.
    pub fn parse(alg: i64, bytes: &[u8]) -> Result<Self, KeyError> {
        match alg {
            ALG_ED25519 => Self::ed25519(bytes),
            ALG_ESP256 => Self::p256(bytes),
            _ => Err(KeyError::Algorithm),
        }
    }

    /// Reads an Ed25519 key.
    ///
    /// # Errors
    /// As [`PublicKey::parse`].
    pub fn ed25519(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyError::Length)?;
        check_point(&bytes)?;
        Ok(Self::Ed25519(bytes, VerifyingKey::from_bytes(&bytes).ok()))
    }

    fn p256(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() != 33 {
            return Err(KeyError::Length);
        }
        // The library also reads the compact form, which is another spelling of half the keys.
        if !matches!(bytes[0], 2 | 3) {
            return Err(KeyError::NotCanonical);
        }
        p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes)
            .map(Self::P256)
            .map_err(|_| KeyError::NotOnCurve)
    }

    /// COSE algorithm number.
    #[must_use]
    pub const fn alg(&self) -> i64 {
        match self {
            Self::Ed25519(..) => ALG_ED25519,
            Self::P256(_) => ALG_ESP256,
        }
    }

    /// 32 or 33 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(bytes, _) => bytes.to_vec(),
            Self::P256(key) => key.to_encoded_point(true).as_bytes().to_vec(),
        }
    }

    /// The 32 bytes of an Ed25519 key.
    #[must_use]
    pub fn ed25519_bytes(&self) -> Option<[u8; 32]> {
        match self {
            Self::Ed25519(bytes, _) => Some(*bytes),
            Self::P256(_) => None,
        }
    }

    /// kid = SHA-256 of the key.
    #[must_use]
    pub fn kid(&self) -> Hash {
        sha256(&self.to_bytes())
    }

    /// Checks a signature of 64 bytes.
    ///
    /// # Errors
    /// Everything of `statement.md` section 1.3.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), KeyError> {
        match self {
            Self::Ed25519(_, Some(key)) => verify_ed25519(key, message, signature),
            Self::Ed25519(_, None) => Err(KeyError::NotOnCurve),
            Self::P256(key) => verify_p256(key, message, signature),
        }
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "PublicKey({}, {})",
            self.alg(),
            hex::encode(self.to_bytes())
        )
    }
}

fn verify_ed25519(
    key: &VerifyingKey,
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), KeyError> {
    let signature = Signature::from_bytes(signature);
    check_point(signature.r_bytes())?;
    check_scalar(signature.s_bytes())?;
    key.verify_strict(message, &signature)
        .map_err(|_| KeyError::Mismatch)
}

fn verify_p256(
    key: &p256::ecdsa::VerifyingKey,
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), KeyError> {
    let signature =
        p256::ecdsa::Signature::from_slice(signature).map_err(|_| KeyError::ScalarRange)?;
    if signature.normalize_s().is_some() {
        return Err(KeyError::ScalarRange);
    }
    key.verify(message, &signature)
        .map_err(|_| KeyError::Mismatch)
}

/// An Ed25519 secret key. Its seed leaves it only through [`SecretKey::seed`], for the key file.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// Only where there is none.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self::from_seed(&random::bytes()?))
    }

    /// The key of a seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, to be written with owner-only permissions and nowhere else.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let key = self.0.verifying_key();
        PublicKey::Ed25519(key.to_bytes(), Some(key))
    }

    /// The public half's 32 bytes.
    #[must_use]
    pub fn public_bytes(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// kid of the public half.
    #[must_use]
    pub fn kid(&self) -> Hash {
        sha256(&self.public_bytes())
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(of {})", self.kid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_order_and_uncanonical_keys_are_refused() {
        for mut key in SMALL_ORDER {
            assert_eq!(PublicKey::ed25519(&key), Err(KeyError::SmallOrder));
            key[31] |= 0x80;
            assert_eq!(PublicKey::ed25519(&key), Err(KeyError::SmallOrder));
        }
        let mut p_plus_one = [0xff; 32];
        p_plus_one[0] = 0xee;
        p_plus_one[31] = 0x7f;
        assert_eq!(PublicKey::ed25519(&p_plus_one), Err(KeyError::NotCanonical));
    }

    #[test]
    fn a_signature_moved_by_the_group_order_is_refused() {
        let key = SecretKey::from_seed(&[7; 32]);
        let mut signature = key.sign(b"m");
        assert_eq!(key.public().verify(b"m", &signature), Ok(()));
        let mut carry = 0u16;
        for (byte, add) in signature[32..].iter_mut().zip(GROUP_ORDER) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert_eq!(
            key.public().verify(b"m", &signature),
            Err(KeyError::ScalarRange)
        );
    }

    #[test]
    fn high_s_on_p256_is_refused() {
        use p256::ecdsa::{SigningKey, signature::Signer};
        let key = SigningKey::from_slice(&[9; 32]).unwrap();
        let public = PublicKey::parse(
            ALG_ESP256,
            key.verifying_key().to_encoded_point(true).as_bytes(),
        )
        .unwrap();
        let signature: p256::ecdsa::Signature = key.sign(b"m");
        let low = signature.normalize_s().unwrap_or(signature);
        let low_bytes: [u8; 64] = low.to_bytes().into();
        assert_eq!(public.verify(b"m", &low_bytes), Ok(()));
        let (r, s) = (low.r(), low.s());
        let high = p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
        assert_eq!(
            public.verify(b"m", &high.to_bytes().into()),
            Err(KeyError::ScalarRange)
        );
    }
}
