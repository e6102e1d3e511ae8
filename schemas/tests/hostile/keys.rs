//! Keys and signatures that libraries judge differently, in whole objects.

use schemas::hash::{Hash, sha256};
use schemas::key::{ALG_ED25519, ALG_ESP256, KeyError, PublicKey, SecretKey};
use schemas::note::NoteError;
use schemas::proof::{self, Bytes, CheckpointRow, Class};
use schemas::registry::{Role, SignedRecord};
use schemas::statement::Statement;

use super::{Read, made, refused, signed};

/// Every spelling of the points of small order, canonical or not, either sign.
fn small_order() -> Vec<[u8; 32]> {
    let texts = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];
    let points = texts.map(|text| text.parse::<Hash>().unwrap().0);
    let signed = points.map(|mut point| {
        point[31] |= 0x80;
        point
    });
    points.into_iter().chain(signed).collect()
}

/// A payload in which `from` stands once is given `to` instead, and its hash for the hash.
fn exchanged(payload: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    let pairs = [
        (from.to_vec(), to.to_vec()),
        (sha256(from).0.to_vec(), sha256(to).0.to_vec()),
    ];
    for (from, to) in pairs {
        let found = bytes.windows(from.len()).position(|window| window == from);
        if let Some(at) = found {
            bytes.splice(at..at + from.len(), to);
        }
    }
    bytes
}

#[test]
fn small_order_keys_are_refused_in_every_object_that_brings_a_key() {
    let made = made::made();
    let device = made::device().public_bytes();
    let record = made::record(made.policy.log, &made::device(), Role::Capture);
    for point in small_order() {
        assert!(PublicKey::parse(ALG_ED25519, &point).is_err());
        let payload = exchanged(&record.payload(), &device, &point);
        assert_ne!(payload, record.payload());
        let bytes = schemas::cose::sign(&made::key(3), schemas::registry::TYP_RECORD, &payload);
        let reason = refused(Read::Record, &bytes, "a key of small order");
        assert!(reason.contains("key is refused"), "{reason}");
        for key in [1, 2, 11] {
            let entry = &made.entries[0];
            let entry = exchanged(entry, &made::key(key).public_bytes(), &point);
            assert_ne!(&entry, &made.entries[0]);
            refused(Read::Entry, &entry, "a policy with a key of small order");
        }
    }
}

/// With R of small order, or S = 0, a signature of nothing at all can satisfy the equation.
#[test]
fn small_order_r_and_crafted_signatures_are_refused() {
    let key = made::device();
    for r in small_order() {
        for s in [[0; 32], [1; 32], [0xff; 32]] {
            let signature: [u8; 64] = [r, s].concat().try_into().unwrap();
            let error = key.public().verify(b"m", &signature).unwrap_err();
            assert_ne!(
                error,
                KeyError::Mismatch,
                "refused before a library is asked"
            );
        }
    }
    let made = made::made();
    let statement = made.message.statement.bytes();
    let unsigned = &statement[..statement.len() - 64];
    for r in small_order() {
        let bytes = [unsigned, &r, &[0; 32]].concat();
        let statement = Statement::parse(bytes).unwrap();
        assert!(statement.verify(&key.public()).is_err());
    }
}

/// Protected header of a statement by a key of P-256.
fn p256_header(kid: &Hash) -> Vec<u8> {
    let mut w = schemas::cbor::Writer::new();
    w.map(3)
        .uint(1)
        .int(ALG_ESP256)
        .uint(4)
        .bytes(&kid.0)
        .uint(16);
    w.text(schemas::statement::TYP_STATEMENT);
    w.finish()
}

#[test]
fn high_s_of_a_p256_device_is_refused_in_a_statement() {
    use p256::ecdsa::{Signature, SigningKey, signature::Signer};
    let secret = SigningKey::from_slice(&[9; 32]).unwrap();
    let point = secret.verifying_key().to_encoded_point(true);
    let public = PublicKey::parse(ALG_ESP256, point.as_bytes()).unwrap();
    let made = made::made();
    let protected = p256_header(&public.kid());
    // Signed by another key first, to have the object; then with a signature of this one.
    let payload = made.message.statement.payload.encode();
    let object = signed(&made::device(), &protected, &payload);
    let mut message = schemas::cbor::Writer::new();
    message
        .array(4)
        .text("Signature1")
        .bytes(&protected)
        .bytes(&[])
        .bytes(&payload);
    let signature: Signature = secret.sign(&message.finish());
    let low = signature.normalize_s().unwrap_or(signature);
    let high = Signature::from_scalars(low.r().to_bytes(), (-*low.s()).to_bytes()).unwrap();
    let with = |signature: Signature| {
        let bytes = [&object[..object.len() - 64], &signature.to_bytes()[..]].concat();
        Statement::parse(bytes).unwrap().verify(&public)
    };
    assert_eq!(with(low), Ok(()));
    assert_eq!(with(high), Err(KeyError::ScalarRange));
}

#[test]
fn keys_of_p256_have_one_spelling() {
    use p256::ecdsa::SigningKey;
    let secret = SigningKey::from_slice(&[9; 32]).unwrap();
    let long = secret.verifying_key().to_encoded_point(false);
    let short = secret.verifying_key().to_encoded_point(true);
    assert_eq!(
        PublicKey::parse(ALG_ESP256, long.as_bytes()),
        Err(KeyError::Length)
    );
    for first in (0..=255).filter(|first| ![2, 3].contains(first)) {
        let mut bytes = short.as_bytes().to_vec();
        bytes[0] = first;
        let parsed = PublicKey::parse(ALG_ESP256, &bytes);
        assert_eq!(parsed, Err(KeyError::NotCanonical), "{first}");
    }
    // x of the field's modulus and above.
    let mut bytes = vec![0xff; 33];
    bytes[0] = 2;
    assert_eq!(
        PublicKey::parse(ALG_ESP256, &bytes),
        Err(KeyError::NotOnCurve)
    );
}

/// One signature for another object of the same key, and one key's for another's.
#[test]
fn swapped_signatures_are_refused() {
    let made = made::made();
    let key = made::device();
    let (first, second) = (
        made.message.statement.bytes(),
        made.notes[0].statement.bytes(),
    );
    for (object, other) in [(first, second), (second, first)] {
        let cut = object.len() - 64;
        let bytes = [&object[..cut], &other[other.len() - 64..]].concat();
        let statement = Statement::parse(bytes.clone()).unwrap();
        assert_eq!(statement.verify(&key.public()), Err(KeyError::Mismatch));
        let mut bundle = made.bundle.clone();
        bundle.statements[0].statement = Bytes(bytes);
        assert!(proof::verify(&bundle.to_json().unwrap(), None).is_err());
    }
    let mut note = made.note.clone();
    let lines = note.lines.clone();
    note.lines[1].signature.clone_from(&lines[2].signature);
    note.lines[2].signature.clone_from(&lines[1].signature);
    assert_eq!(note.check_bundled(&made.policy), Err(NoteError::Line));
    assert!(matches!(
        note.check_served(&made.policy),
        Err(NoteError::Quorum { found: 1, .. })
    ));
    // A witness's signature under the log's name, and the other way round.
    note.lines = vec![lines[1].clone(), lines[0].clone(), lines[2].clone()];
    assert_eq!(
        note.check_bundled(&made.policy),
        Err(NoteError::LogSignature)
    );
    let mut bundle = made.bundle;
    bundle.checkpoints = vec![CheckpointRow::only(note.encode())];
    let refusal = proof::verify(&bundle.to_json().unwrap(), None).unwrap_err();
    assert_eq!(refusal.class, Class::Checkpoint);
}

#[test]
fn consent_and_signature_of_a_record_cannot_change_places() {
    let made = made::made();
    let (owner, device) = (made::key(3), made::device());
    let mut record = made::record(made.policy.log, &device, Role::Capture);
    record.consent = Some(record.consent_by(&owner));
    let bytes = SignedRecord::sign(&owner, record.clone()).bytes().to_vec();
    let reason = refused(Read::Record, &bytes, "the organisation's consent");
    assert!(reason.contains("consent"), "{reason}");
    // The device consents and signs: its record is one, but not its organisation's.
    record.consent = Some(record.consent_by(&device));
    let own = SignedRecord::sign(&device, record);
    assert_eq!(own.verify(&owner.public()), Err(KeyError::Mismatch));
    // A signature over one kind of object does not count for another.
    let payload = made.message.statement.payload.encode();
    for typ in [
        "application/vnd.tracebond.receipt.v1+cbor",
        "",
        "x",
        schemas::registry::TYP_RECORD,
    ] {
        let bytes = schemas::cose::sign(&device, typ, &payload);
        refused(Read::Statement, &bytes, "another kind of object");
    }
    assert!(SecretKey::from_seed(&[4; 32]).public() == device.public());
}
