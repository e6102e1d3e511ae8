//! What an issuer must not do, and a bank must refuse.

use schemas::attestation::{Attestation, SignedAttestation, TYP_ATTESTATION, TYP_REVOCATION};
use schemas::consent::TYP_CONSENT;
use schemas::cose;
use schemas::key::SecretKey;

/// A key that signs whatever it is given.
pub struct Hostile<'k> {
    key: &'k SecretKey,
}

impl<'k> Hostile<'k> {
    /// Somebody with this key.
    pub fn of(key: &'k SecretKey) -> Hostile<'k> {
        Hostile { key }
    }

    /// Signs an attestation that breaks rules between its members, as it stands.
    pub fn sign(&self, attestation: &Attestation) -> Vec<u8> {
        cose::sign(self.key, TYP_ATTESTATION, &attestation.payload())
    }

    /// An attestation's payload signed as another kind of object: a revocation, a consent.
    pub fn sign_as_others(&self, attestation: &Attestation) -> [Vec<u8>; 2] {
        [TYP_REVOCATION, TYP_CONSENT].map(|typ| cose::sign(self.key, typ, &attestation.payload()))
    }

    /// Another attestation with the number of a first one: it counts a day longer.
    pub fn same_number(&self, first: &SignedAttestation) -> Vec<u8> {
        let day = std::time::Duration::from_secs(24 * 3600);
        let mut said = first.attestation.clone();
        said.expires = said.expires + day;
        self.sign(&said)
    }

    /// Every attestation that is one flipped bit away.
    pub fn flipped(signed: &SignedAttestation) -> impl Iterator<Item = Vec<u8>> + '_ {
        let bytes = signed.bytes();
        (0..bytes.len() * 8).map(|bit| {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        })
    }
}
