//! Enrolment of a device (`statement.md` section 7): claim, request, draft.

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};

use crate::b64;
use crate::cbor::{CborError, Reader, Writer};
use crate::cose::{self, Sign1};
use crate::hash::{Hash, sha256};
use crate::ids::{Origin, Slug};
use crate::key::{KeyError, PublicKey, Signer, SignerError};

/// Media type of a request.
pub const TYP_REQUEST: &str = "application/vnd.tracebond.enrol-request.v1+cbor";
/// Longest request in bytes.
pub const REQUEST_MAX: usize = 2_048;
/// Longest claim in bytes; a QR code holds less than 3,000.
pub const CLAIM_MAX: usize = 4_096;

/// One-time permission to enrol a device, handed over as a file or QR code.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// `claim/v1`.
    pub tracebond: String,
    /// Base URL of the platform.
    pub address: String,
    /// SHA-256 of its CA certificate in hex; empty for plain HTTP on loopback.
    pub ca: String,
    /// Log id.
    pub log: Hash,
    /// Genesis log key.
    pub log_key: Hash,
    /// Log origin.
    pub origin: Origin,
    /// Who issues it.
    pub organisation: Slug,
    /// Claim id: 8 bytes in hex.
    pub claim: String,
    /// 16 bytes in hex.
    pub secret: String,
}

/// A claim, request or draft that is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnrolError {
    /// The claim is not one.
    #[error("the claim's {0} is wrong")]
    Claim(&'static str),
    /// The form is broken.
    #[error("not the form of an enrolment request")]
    Form(#[from] CborError),
    /// Another kind of signed object.
    #[error("the object is a `{0}`")]
    Typ(String),
    /// The request is not of the key that it brings.
    #[error("the request's signature does not count")]
    Signature(#[from] KeyError),
    /// Made by somebody without the secret.
    #[error("the proof of the claim's secret is wrong")]
    Secret,
    /// The new key's holder.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Claim({} of {})", self.claim, self.organisation)
    }
}

impl Claim {
    /// Reads a claim and checks that its parts fit together.
    ///
    /// # Errors
    /// [`EnrolError::Claim`] that names the member.
    pub fn parse(text: &str) -> Result<Self, EnrolError> {
        if text.len() > CLAIM_MAX {
            return Err(EnrolError::Claim("length"));
        }
        let claim: Self = serde_json::from_str(text).map_err(|_| EnrolError::Claim("form"))?;
        let rule = |holds, what| {
            if holds {
                Ok(())
            } else {
                Err(EnrolError::Claim(what))
            }
        };
        rule(claim.tracebond == "claim/v1", "version")?;
        rule(claim.origin.log_id(&claim.log_key.0) == claim.log, "log id")?;
        rule(claim.id().is_some(), "claim id")?;
        rule(claim.secret_bytes().is_some(), "secret")?;
        rule(
            claim.ca.is_empty() || claim.ca.parse::<Hash>().is_ok(),
            "CA fingerprint",
        )?;
        Ok(claim)
    }

    /// Claim id.
    #[must_use]
    pub fn id(&self) -> Option<[u8; 8]> {
        let mut id = [0; 8];
        hex::decode_to_slice(&self.claim, &mut id).ok().map(|()| id)
    }

    fn secret_bytes(&self) -> Option<[u8; 16]> {
        let mut secret = [0; 16];
        hex::decode_to_slice(&self.secret, &mut secret)
            .ok()
            .map(|()| secret)
    }

    fn mac(&self, parts: &[&[u8]]) -> Result<Hmac<Sha256>, EnrolError> {
        let secret = self.secret_bytes().ok_or(EnrolError::Claim("secret"))?;
        let mut mac = Hmac::new_from_slice(&secret).map_err(|_| EnrolError::Secret)?;
        for part in parts {
            mac.update(part);
        }
        Ok(mac)
    }

    /// HMAC over a draft payload, by which the device knows that its organisation made it.
    ///
    /// # Errors
    /// [`EnrolError::Claim`] if the claim has no secret.
    pub fn draft_mac(&self, payload: &[u8]) -> Result<Hash, EnrolError> {
        let mac = self.mac(&[b"draft", payload])?;
        Ok(Hash(mac.finalize().into_bytes().into()))
    }

    /// Checks [`Claim::draft_mac`] in constant time.
    ///
    /// # Errors
    /// [`EnrolError::Secret`].
    pub fn check_draft(&self, payload: &[u8], mac: &Hash) -> Result<(), EnrolError> {
        let expected = self.mac(&[b"draft", payload])?;
        expected
            .verify_slice(&mac.0)
            .map_err(|_| EnrolError::Secret)
    }
}

/// Bytes of a verifier's salt: what Mosquitto's password files have.
const SALT: usize = 12;
/// Bytes of a SHA-512.
const SHA512: usize = 64;

/// What somebody else's broker needs to check a password: a salt and SHA-512(text of the password
/// || salt), which Mosquitto, EMQX and others know.
///
/// One round is enough because the password is 32 random bytes: there is nothing to guess, and a
/// broker can check ten thousand of them at a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verifier {
    salt: [u8; SALT],
    hash: [u8; SHA512],
}

impl Verifier {
    /// Bytes of its form: salt, then hash.
    pub const LEN: usize = SALT + SHA512;

    /// The verifier of a password of 32 random bytes, whose text is their 64 hex digits. The salt
    /// is derived from the password, so that a repeated request is the same to the byte.
    #[must_use]
    pub fn of(password: &[u8; 32]) -> Self {
        let digest = sha256(&[b"tracebond broker salt".as_slice(), password].concat());
        let mut salt = [0; SALT];
        salt.copy_from_slice(&digest.0[..SALT]);
        Self::of_text(&hex::encode(password), salt)
    }

    /// The verifier of a password of another kind.
    #[must_use]
    pub fn of_text(password: &str, salt: [u8; SALT]) -> Self {
        let text = Sha512::new().chain_update(password);
        let hash = text.chain_update(salt).finalize().into();
        Self { salt, hash }
    }

    /// Reads the form.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let (salt, hash) = bytes.split_at_checked(SALT)?;
        Some(Self {
            salt: salt.try_into().ok()?,
            hash: hash.try_into().ok()?,
        })
    }

    /// The form: salt, then hash.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..SALT].copy_from_slice(&self.salt);
        bytes[SALT..].copy_from_slice(&self.hash);
        bytes
    }

    /// As it stands in a password file of Mosquitto: `$6$salt$hash` in base64.
    #[must_use]
    pub fn mosquitto(&self) -> String {
        format!("$6${}${}", b64::encode(&self.salt), b64::encode(&self.hash))
    }
}

/// A device asks to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Log id.
    pub log: Hash,
    /// Claim id.
    pub claim: [u8; 8],
    /// The new key.
    pub key: PublicKey,
    /// Name asked for.
    pub device: Slug,
    /// SHA-256 of the broker password's 32 bytes.
    pub password_hash: Hash,
    /// HMAC with the claim's secret.
    pub mac: Hash,
    /// For brokers that cannot be taught to check `password_hash`; requests of older agents have
    /// none.
    pub verifier: Option<Verifier>,
}

impl Request {
    /// Makes and signs a request; `password` are the 32 random bytes of the broker password.
    ///
    /// # Errors
    /// [`EnrolError::Claim`] if the claim is broken, [`EnrolError::Signer`] if the key is away.
    pub fn sign(
        claim: &Claim,
        key: &dyn Signer,
        device: &Slug,
        password: &[u8; 32],
    ) -> Result<Vec<u8>, EnrolError> {
        let id = claim.id().ok_or(EnrolError::Claim("claim id"))?;
        let password_hash = sha256(password);
        let public = key.public();
        let public_bytes = public.to_bytes();
        let mac = claim.mac(&[
            b"request",
            &id,
            &public_bytes,
            &claim.log.0,
            &password_hash.0,
        ])?;
        let mac: [u8; 32] = mac.finalize().into_bytes().into();
        let mut w = Writer::new();
        w.map(8).uint(0).bytes(&claim.log.0).uint(1).bytes(&id);
        w.uint(2).bytes(&public_bytes).uint(3).int(public.alg());
        w.uint(4)
            .text(device.as_str())
            .uint(5)
            .bytes(&password_hash.0)
            .uint(6)
            .bytes(&mac);
        // Under the key's signature, and the key is under the HMAC: nobody can exchange it.
        w.uint(7).bytes(&Verifier::of(password).to_bytes());
        Ok(cose::sign_by(key, TYP_REQUEST, &w.finish())?)
    }

    /// Reads a request and checks that the key it brings signed it.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EnrolError> {
        let cose = Sign1::parse(bytes, REQUEST_MAX)?;
        if cose.typ != TYP_REQUEST {
            return Err(EnrolError::Typ(cose.typ.to_owned()));
        }
        let mut r = Reader::new(cose.payload);
        let mut keys = r.map("request")?;
        keys.required(&mut r, 0)?;
        let log = r.hash("log")?;
        keys.required(&mut r, 1)?;
        let claim = r.fixed("claim id")?;
        keys.required(&mut r, 2)?;
        let key = r.bytes("key", 33)?;
        keys.required(&mut r, 3)?;
        let key = PublicKey::parse(r.int("alg")?, key)?;
        keys.required(&mut r, 4)?;
        let device = r
            .text("device", 32)?
            .parse()
            .map_err(|_| CborError::Limit("device"))?;
        keys.required(&mut r, 5)?;
        let password_hash = r.hash("password hash")?;
        keys.required(&mut r, 6)?;
        let mac = r.hash("mac")?;
        let verifier = if keys.optional(&mut r, 7)? {
            let bytes = r.fixed::<{ Verifier::LEN }>("password verifier")?;
            Verifier::from_slice(&bytes)
        } else {
            None
        };
        keys.end()?;
        r.end()?;
        cose.verify(&key)?;
        Ok(Self {
            log,
            claim,
            key,
            device,
            password_hash,
            mac,
            verifier,
        })
    }

    /// The organisation's check that the request comes from whom it gave the claim to.
    ///
    /// # Errors
    /// [`EnrolError::Secret`].
    pub fn check(&self, claim: &Claim) -> Result<(), EnrolError> {
        let key = self.key.to_bytes();
        let parts: [&[u8]; 5] = [
            b"request",
            &self.claim,
            &key,
            &self.log.0,
            &self.password_hash.0,
        ];
        claim
            .mac(&parts)?
            .verify_slice(&self.mac.0)
            .map_err(|_| EnrolError::Secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    fn claim() -> Claim {
        let origin: Origin = "log.example/t".parse().unwrap();
        Claim {
            tracebond: "claim/v1".into(),
            address: "http://127.0.0.1:1".into(),
            ca: String::new(),
            log: origin.log_id(&[7; 32]),
            log_key: Hash([7; 32]),
            origin,
            organisation: "qinghe".parse().unwrap(),
            claim: "0011223344556677".into(),
            secret: "00112233445566778899aabbccddeeff".into(),
        }
    }

    /// Made by `hashlib` of Python: `sha512(b"05" * 32 + salt)`.
    #[test]
    fn a_verifier_is_the_salted_hash_that_brokers_know() {
        let verifier = Verifier::of(&[5; 32]);
        assert_eq!(Verifier::from_slice(&verifier.to_bytes()), Some(verifier));
        assert_eq!(Verifier::from_slice(&[0; Verifier::LEN - 1]), None);
        assert_eq!(
            verifier.mosquitto(),
            "$6$mHe72JUzLqpPepJj$/TTcrTBL++FCv3e5HTAEAqdHaHxGUfONMdtjusEoQ9j+uquVqdVlw2d0EGLPI1uC1IWGcWlAuwb2vjQ9qGbIrw=="
        );
    }

    #[test]
    fn a_request_of_an_older_agent_has_no_verifier() {
        let claim = claim();
        let key = SecretKey::from_seed(&[1; 32]);
        let bytes = Request::sign(&claim, &key, &"line-1".parse().unwrap(), &[5; 32]).unwrap();
        let cose = Sign1::parse(&bytes, REQUEST_MAX).unwrap();
        let (map, rest) = cose.payload.split_first().unwrap();
        let members = &rest[..rest.len() - 3 - Verifier::LEN];
        let older = [&[map - 1], members].concat();
        let request = Request::parse(&cose::sign(&key, TYP_REQUEST, &older)).unwrap();
        assert_eq!((request.verifier, request.check(&claim)), (None, Ok(())));
    }

    #[test]
    fn only_the_holder_of_the_claim_can_ask() {
        let claim = claim();
        assert_eq!(
            Claim::parse(&serde_json::to_string(&claim).unwrap()),
            Ok(claim.clone())
        );
        let key = SecretKey::from_seed(&[1; 32]);
        let bytes = Request::sign(&claim, &key, &"line-1".parse().unwrap(), &[5; 32]).unwrap();
        let request = Request::parse(&bytes).unwrap();
        assert_eq!(request.check(&claim), Ok(()));
        let stranger = Claim {
            secret: "ff".repeat(16),
            ..claim.clone()
        };
        assert_eq!(request.check(&stranger), Err(EnrolError::Secret));
        assert_eq!(request.verifier, Some(Verifier::of(&[5; 32])));
        let mac = claim.draft_mac(b"draft").unwrap();
        assert_eq!(claim.check_draft(b"draft", &mac), Ok(()));
        assert_eq!(claim.check_draft(b"other", &mac), Err(EnrolError::Secret));
        let broken = Claim {
            log: Hash([1; 32]),
            ..claim
        };
        assert_eq!(
            Claim::parse(&serde_json::to_string(&broken).unwrap()),
            Err(EnrolError::Claim("log id"))
        );
    }
}
