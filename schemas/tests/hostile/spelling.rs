//! One spelling: whatever means the same in other words is refused, signatures made anew over it.

use schemas::cose::Sign1;

use super::cbor::{breaches, item};
use super::{Read, good, refused, signed, signer};

/// Protected header and payload of a COSE object.
fn parts(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let outer = item(bytes, 0);
    let members = &outer.children[0].children;
    let part = |index: usize| bytes[members[index].body..members[index].end].to_vec();
    (part(0), part(2))
}

#[test]
fn non_canonical_cbor_outside_is_refused_at_every_item() {
    let mut count = 0;
    for (read, name, bytes) in good() {
        let start = match read {
            Read::Statement
            | Read::Message
            | Read::Record
            | Read::Request
            | Read::Receipt
            | Read::Reply
            | Read::Refused => 0,
            Read::Entry => 1,
            _ => continue,
        };
        for (how, broken) in breaches(&bytes, start) {
            refused(read, &broken, &format!("{name} with {how}"));
            count += 1;
        }
    }
    assert!(count > 2_000, "only {count} cases");
}

/// The outside is right, and so is the signature: only the payload is spelled another way.
#[test]
fn non_canonical_cbor_in_a_payload_is_refused_though_it_is_signed() {
    let mut count = 0;
    for (read, name, bytes) in good() {
        let Some(key) = signer(read, name) else {
            continue;
        };
        let (protected, payload) = parts(&bytes);
        assert_eq!(
            signed(&key, &protected, &payload),
            bytes,
            "{name} is made anew"
        );
        for (how, broken) in breaches(&payload, 0) {
            // What a signer may say of itself: another number or text in the same form is no breach.
            if how.starts_with("nothing") {
                continue;
            }
            refused(
                read,
                &signed(&key, &protected, &broken),
                &format!("{name} with {how}"),
            );
            count += 1;
        }
    }
    assert!(count > 2_000, "only {count} cases");
}

#[test]
fn non_canonical_cbor_in_a_protected_header_is_refused_though_it_is_signed() {
    for (read, name, bytes) in good() {
        let Some(key) = signer(read, name) else {
            continue;
        };
        let (protected, payload) = parts(&bytes);
        for (how, broken) in breaches(&protected, 0) {
            refused(
                read,
                &signed(&key, &broken, &payload),
                &format!("{name} with {how}"),
            );
        }
        assert!(
            Sign1::parse(&bytes, bytes.len() - 1).is_err(),
            "{name} is longer than its limit"
        );
    }
}

/// JSON has more spellings than CBOR; a bundle has one but for the order of members.
#[test]
fn another_spelling_of_a_bundle_is_refused() {
    let bundle = String::from_utf8(super::made::made().bundle.to_json().unwrap()).unwrap();
    let once = |from: &str, to: &str| {
        let spelled = bundle.replacen(from, to, 1);
        assert_ne!(spelled, bundle, "{from} is in it");
        spelled
    };
    for (what, spelled) in [
        ("a space", once(":", ": ")),
        ("a line end", format!("{bundle}\n")),
        ("a byte order mark", format!("\u{feff}{bundle}")),
        ("an escape", once("bundle/v1", "bundle\\/v1")),
        ("a leading zero", once("\"index\":4", "\"index\":04")),
        ("a sign", once("\"index\":0", "\"index\":-0")),
        ("a fraction", once("\"index\":4", "\"index\":4.0")),
        ("an exponent", once("\"index\":4", "\"index\":4e0")),
        (
            "a number above 2^53 - 1",
            once("\"index\":4", "\"index\":9007199254740992"),
        ),
        (
            "a member twice",
            once("\"index\":4", "\"index\":4,\"index\":4"),
        ),
        (
            "an unknown member",
            once("\"index\":4", "\"index\":4,\"note\":4"),
        ),
        (
            "a null for a member that is not there",
            once("\"index\":4", "\"index\":4,\"later\":null"),
        ),
        ("base64 without its padding", once("=\"", "\"")),
        ("base64 in two lines", once("=\"", "=\n\"")),
        (
            "a row as an array",
            once("{\"name\":\"@context\",", "[{\"name\":\"@context\","),
        ),
        ("a comment", once("{", "{/**/")),
        ("another version", once("bundle/v1", "bundle/v9")),
    ] {
        let reason = refused(Read::Bundle, spelled.as_bytes(), what);
        assert!(reason.starts_with("format"), "{what}: {reason}");
    }
}
