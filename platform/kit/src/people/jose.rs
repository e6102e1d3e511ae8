//! Signed JSON in three parts (RFC 7515, compact form), as log-in providers and clients send it, and
//! the keys it is checked with (RFC 7517). Signatures are `ring`'s.
//!
//! Only RS256, ES256 and EdDSA: no algorithm without a key, none with a shared secret, so that a
//! provider's public key can never be taken for a secret (RFC 8725 section 2.1). A key belongs to
//! one algorithm, and a `crit` header is refused, since nothing critical is understood here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The longest text that is looked at, in bytes.
pub const JWS_MAX: usize = 16 * 1024;
/// Most keys of a set.
pub const KEYS_MAX: usize = 64;

/// Why a signed text counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoseError {
    /// Not three parts of base64url with a JSON object in front, or longer than [`JWS_MAX`].
    #[error("it is no signed JSON text")]
    Form,
    /// Another algorithm, or something critical.
    #[error("its algorithm is none of RS256, ES256, EdDSA, or it demands an extension")]
    Algorithm,
    /// No key of the set has this name and algorithm.
    #[error("its key is unknown")]
    Key,
    /// The signature does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// The payload is not the JSON that is expected.
    #[error("its content cannot be read")]
    Payload,
}

/// An algorithm that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2,048 to 8,192 bits (RFC 7518 section 3.3).
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519 (RFC 8037 section 3.1).
    #[serde(rename = "EdDSA")]
    EdDsa,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default)]
    crit: serde_json::Value,
}

/// A signed text that was taken apart; nothing in it counts before [`Self::verify`].
#[derive(Debug)]
pub struct Signed<'t> {
    algorithm: Algorithm,
    key_name: Option<String>,
    covered: &'t str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Signed<'t> {
    /// Takes a text apart.
    ///
    /// # Errors
    /// [`JoseError::Form`], [`JoseError::Algorithm`].
    pub fn parse(text: &'t str) -> Result<Self, JoseError> {
        if text.len() > JWS_MAX {
            return Err(JoseError::Form);
        }
        let (covered, signature) = text.rsplit_once('.').ok_or(JoseError::Form)?;
        let (header, payload) = covered.split_once('.').ok_or(JoseError::Form)?;
        let header: Header =
            serde_json::from_slice(&decode(header)?).map_err(|_| JoseError::Form)?;
        let algorithm = match header.alg.as_str() {
            "RS256" => Algorithm::Rs256,
            "ES256" => Algorithm::Es256,
            "EdDSA" => Algorithm::EdDsa,
            _ => return Err(JoseError::Algorithm),
        };
        if !header.crit.is_null() {
            return Err(JoseError::Algorithm);
        }
        Ok(Self {
            algorithm,
            key_name: header.kid,
            covered,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    /// True if one of the keys may be the one that signed; else they are worth fetching again.
    #[must_use]
    pub fn has_key(&self, keys: &[Key]) -> bool {
        keys.iter().any(|key| self.fits(key))
    }

    fn fits(&self, key: &Key) -> bool {
        let named = match (&self.key_name, &key.name) {
            (Some(wanted), Some(name)) => wanted == name,
            _ => true,
        };
        named && key.material.algorithm() == self.algorithm
    }

    /// What was signed with one of these keys.
    ///
    /// # Errors
    /// [`JoseError::Key`], [`JoseError::Signature`], [`JoseError::Payload`].
    pub fn verify<T: DeserializeOwned>(&self, keys: &[Key]) -> Result<T, JoseError> {
        if !self.has_key(keys) {
            return Err(JoseError::Key);
        }
        let mut fitting = keys.iter().filter(|key| self.fits(key));
        let covered = self.covered.as_bytes();
        if !fitting.any(|key| key.material.verifies(covered, &self.signature)) {
            return Err(JoseError::Signature);
        }
        serde_json::from_slice(&self.payload).map_err(|_| JoseError::Payload)
    }
}

/// A public key with its name, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    name: Option<String>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Material {
    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn verifies(&self, covered: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                let done = key.verify(&RSA_PKCS1_2048_8192_SHA256, covered, signature);
                done.is_ok()
            }
            Self::P256(point) => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                key.verify(covered, signature).is_ok()
            }
            Self::Ed25519(point) => {
                let key = UnparsedPublicKey::new(&ED25519, point);
                key.verify(covered, signature).is_ok()
            }
        }
    }
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<serde_json::Value>,
}

impl Key {
    /// An Ed25519 key.
    #[must_use]
    pub fn ed25519(point: [u8; 32]) -> Self {
        Self {
            name: None,
            material: Material::Ed25519(point.to_vec()),
        }
    }

    /// The keys of a set that are for signatures and of an algorithm that is taken; others are
    /// passed over (RFC 7517 section 5).
    ///
    /// # Errors
    /// [`JoseError::Form`] for what is no set, or has more than [`KEYS_MAX`].
    pub fn parse_set(json: &[u8]) -> Result<Vec<Self>, JoseError> {
        let set: JwkSet = serde_json::from_slice(json).map_err(|_| JoseError::Form)?;
        if set.keys.len() > KEYS_MAX {
            return Err(JoseError::Form);
        }
        let keys = set.keys.into_iter();
        let keys = keys.filter_map(|key| serde_json::from_value(key).ok());
        Ok(keys.filter_map(Self::of).collect())
    }

    fn of(jwk: Jwk) -> Option<Self> {
        if jwk.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |text: &Option<String>| decode(text.as_deref()?).ok();
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rsa {
                n: bytes(&jwk.n)?,
                e: bytes(&jwk.e)?,
            },
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
                let fits = x.len() == 32 && y.len() == 32;
                fits.then(|| Material::P256([vec![4], x, y].concat()))?
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&jwk.x)?),
            _ => return None,
        };
        let own = match material.algorithm() {
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
        };
        let fits = jwk.alg.is_none_or(|alg| alg == own);
        fits.then_some(Self {
            name: jwk.kid,
            material,
        })
    }
}

fn decode(text: &str) -> Result<Vec<u8>, JoseError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JoseError::Form)
}

#[cfg(test)]
mod tests;
