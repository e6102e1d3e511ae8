//! COSE_Sign1 as `statement.md` section 1.2 narrows it: tag 18, protected `{alg, kid, typ}`, an
//! empty unprotected header, one spelling of everything.

use crate::cbor::{CborError, Reader, Writer};
use crate::hash::Hash;
use crate::key::{ALG_ED25519, ALG_ESP256, KeyError, PublicKey, SecretKey, Signer, SignerError};

const TAG_SIGN1: u64 = 18;
/// Longest media type in bytes.
const TYP_MAX: usize = 128;

/// A signed object, parsed but not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign1<'a> {
    /// COSE algorithm number.
    pub alg: i64,
    /// SHA-256 of the signer's key.
    pub kid: Hash,
    /// Media type: what kind of object this is.
    pub typ: &'a str,
    protected: &'a [u8],
    /// The signed content.
    pub payload: &'a [u8],
    /// 64 bytes.
    pub signature: [u8; 64],
}

impl<'a> Sign1<'a> {
    /// Reads a signed object of at most `max` bytes.
    ///
    /// # Errors
    /// Whatever is not exactly the form of section 1.2.
    pub fn parse(bytes: &'a [u8], max: usize) -> Result<Self, CborError> {
        if bytes.len() > max {
            return Err(CborError::Limit("COSE object"));
        }
        let mut reader = Reader::new(bytes);
        reader.tag(TAG_SIGN1, "COSE_Sign1")?;
        reader.array_of("COSE_Sign1", 4)?;
        let protected = reader.bytes("protected header", 256)?;
        reader.map("unprotected header")?.end()?;
        let payload = reader.bytes("payload", max)?;
        let signature = reader.fixed("signature")?;
        reader.end()?;
        let (alg, kid, typ) = parse_protected(protected)?;
        Ok(Self {
            alg,
            kid,
            typ,
            protected,
            payload,
            signature,
        })
    }

    /// Checks the signature under `key`; the algorithm and kid must be the key's.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), KeyError> {
        if key.alg() != self.alg {
            return Err(KeyError::Algorithm);
        }
        if key.kid() != self.kid {
            return Err(KeyError::Mismatch);
        }
        key.verify(&to_be_signed(self.protected, self.payload), &self.signature)
    }
}

fn parse_protected(bytes: &[u8]) -> Result<(i64, Hash, &str), CborError> {
    let mut reader = Reader::new(bytes);
    let mut keys = reader.map("protected header")?;
    keys.required(&mut reader, 1)?;
    let alg = reader.int("alg")?;
    if alg != ALG_ED25519 && alg != ALG_ESP256 {
        return Err(CborError::Limit("alg"));
    }
    keys.required(&mut reader, 4)?;
    let kid = reader.hash("kid")?;
    keys.required(&mut reader, 16)?;
    let typ = reader.text("typ", TYP_MAX)?;
    keys.end()?;
    reader.end()?;
    Ok((alg, kid, typ))
}

fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer
        .array(4)
        .text("Signature1")
        .bytes(protected)
        .bytes(&[])
        .bytes(payload);
    writer.finish()
}

/// Signs `payload` as an object of kind `typ`.
#[must_use]
pub fn sign(key: &SecretKey, typ: &str, payload: &[u8]) -> Vec<u8> {
    let protected = protected(ALG_ED25519, &key.kid(), typ);
    let signature = key.sign(&to_be_signed(&protected, payload));
    object(&protected, payload, &signature)
}

/// The same by whoever holds the key, of either algorithm.
///
/// # Errors
/// [`SignerError`]: nothing was signed.
pub fn sign_by(signer: &dyn Signer, typ: &str, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
    let public = signer.public();
    let protected = protected(public.alg(), &public.kid(), typ);
    let signature = signer.sign(&to_be_signed(&protected, payload))?;
    Ok(object(&protected, payload, &signature))
}

fn protected(alg: i64, kid: &Hash, typ: &str) -> Vec<u8> {
    let mut header = Writer::new();
    header.map(3).uint(1).int(alg).uint(4).bytes(kid.as_bytes());
    header.uint(16).text(typ);
    header.finish()
}

fn object(protected: &[u8], payload: &[u8], signature: &[u8; 64]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.tag(TAG_SIGN1).array(4).bytes(protected).map(0);
    writer.bytes(payload).bytes(signature);
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use coset::TaggedCborSerializable;

    #[test]
    fn another_cose_library_reads_and_makes_the_same_bytes() {
        let key = SecretKey::from_seed(&[3; 32]);
        let ours = sign(&key, "application/x", b"payload");
        let theirs = coset::CoseSign1::from_tagged_slice(&ours).unwrap();
        assert_eq!(theirs.payload.as_deref(), Some(&b"payload"[..]));
        assert_eq!(theirs.protected.header.key_id, key.kid().as_bytes());
        let parsed = Sign1::parse(&ours, 1000).unwrap();
        assert_eq!(
            theirs.tbs_data(&[]),
            to_be_signed(parsed.protected, b"payload")
        );
        assert_eq!(theirs.clone().to_tagged_vec().unwrap(), ours);
        assert!(
            coset::ProtectedHeader::from_cbor_bstr(coset::cbor::Value::Bytes(
                parsed.protected.to_vec()
            ))
            .is_ok()
        );
        assert_eq!(parsed.verify(&key.public()), Ok(()));
    }

    #[test]
    fn a_p256_key_signs_what_the_other_library_reads() {
        let key = crate::key::P256SecretKey::from_scalar(&[3; 32]).unwrap();
        let ours = sign_by(&key, "application/x", b"payload").unwrap();
        let theirs = coset::CoseSign1::from_tagged_slice(&ours).unwrap();
        let alg = coset::Algorithm::Assigned(coset::iana::Algorithm::ESP256);
        assert_eq!(theirs.protected.header.alg, Some(alg));
        let parsed = Sign1::parse(&ours, 1000).unwrap();
        assert_eq!(parsed.alg, ALG_ESP256);
        assert_eq!(parsed.verify(&key.public()), Ok(()));
    }

    #[test]
    fn an_unprotected_header_is_refused() {
        let mut bytes = sign(&SecretKey::from_seed(&[3; 32]), "t", b"p");
        let at = bytes.iter().rposition(|&b| b == 0xa0).unwrap();
        bytes.splice(at..=at, [0xa1, 0x04, 0x40]);
        assert!(Sign1::parse(&bytes, 1000).is_err());
    }
}
