//! What a stranger may send to break a reader: each case is refused with a reason, quickly, in
//! bounded memory, and without a panic. Soundness of whole bundles and what ingest answers are in
//! `tests/proofs` and `tests/bad_input`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "support/made.rs"]
mod made;

#[path = "hostile/cbor.rs"]
mod cbor;
#[path = "hostile/counts.rs"]
mod counts;
#[path = "hostile/depth.rs"]
mod depth;
#[path = "hostile/keys.rs"]
mod keys;
#[path = "hostile/memory.rs"]
mod memory;
#[path = "hostile/nodes.rs"]
mod nodes;
#[path = "hostile/spelling.rs"]
mod spelling;

use schemas::causes::causes;
use schemas::cbor::Writer;
use schemas::document::{Document, Limits};
use schemas::enrol::{Claim, Request};
use schemas::event::Event;
use schemas::key::SecretKey;
use schemas::log::{Entry, PolicyFile, parse_refused};
use schemas::note::Note;
use schemas::proof;
use schemas::receipt::{Receipt, Reply};
use schemas::registry::SignedRecord;
use schemas::statement::{Message, Statement};

/// A parser of outside bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Statement,
    Message,
    Event,
    Record,
    Request,
    Claim,
    Receipt,
    Reply,
    Entry,
    Refused,
    Checkpoint,
    Bundle,
    PolicyFile,
    Document,
}

/// Every parser.
const ALL: [Read; 14] = [
    Read::Statement,
    Read::Message,
    Read::Event,
    Read::Record,
    Read::Request,
    Read::Claim,
    Read::Receipt,
    Read::Reply,
    Read::Entry,
    Read::Refused,
    Read::Checkpoint,
    Read::Bundle,
    Read::PolicyFile,
    Read::Document,
];

/// Why the parser refuses the bytes; `None` if it takes them.
fn refusal(read: Read, bytes: &[u8]) -> Option<String> {
    fn reason<T, E: std::error::Error>(outcome: Result<T, E>) -> Option<String> {
        outcome.err().map(|error| causes(&error))
    }
    let text = || String::from_utf8_lossy(bytes);
    let limits = Limits {
        events: 100,
        event_bytes: 1 << 20,
    };
    match read {
        Read::Statement => reason(Statement::parse(bytes.to_vec())),
        Read::Message => reason(Message::decode(bytes)),
        Read::Event => reason(Event::parse(bytes.to_vec())),
        Read::Record => reason(SignedRecord::parse(bytes.to_vec())),
        Read::Request => reason(Request::parse(bytes)),
        Read::Claim => reason(Claim::parse(&text())),
        Read::Receipt => reason(Receipt::open(bytes, &made::key(5).public())),
        Read::Reply => reason(Reply::decode(bytes)),
        Read::Entry => reason(Entry::parse(bytes)),
        Read::Refused => reason(parse_refused(bytes)),
        Read::Checkpoint => reason(Note::parse(bytes)),
        Read::Bundle => reason(proof::verify(bytes, None)),
        Read::PolicyFile => reason(PolicyFile::parse(bytes)),
        Read::Document => reason(Document::parse(bytes, limits)),
    }
}

/// Refused, and for a reason that can be told.
fn refused(read: Read, bytes: &[u8], what: &str) -> String {
    let reason = refusal(read, bytes);
    let reason = reason.unwrap_or_else(|| panic!("{read:?} takes {what}"));
    assert!(!reason.is_empty(), "{read:?} gives no reason for {what}");
    assert!(
        reason.len() < 600,
        "{read:?} answers {what} with {} bytes",
        reason.len()
    );
    reason
}

/// A good object for each parser, with a name.
fn good() -> Vec<(Read, &'static str, Vec<u8>)> {
    let made = made::made();
    let claim = made::claim();
    let request = Request::sign(
        &claim,
        &made::device(),
        &"store-1".parse().unwrap(),
        &[5; 32],
    );
    let Reply::Receipt(receipt) = &made.replies[0] else {
        panic!("a receipt comes first")
    };
    let file = PolicyFile::new(made.entries[0].clone());
    let entries = [
        "policy",
        "registry head",
        "document",
        "tombstones",
        "header",
    ];
    let mut good = vec![
        (
            Read::Statement,
            "statement",
            made.message.statement.bytes().to_vec(),
        ),
        (
            Read::Statement,
            "heartbeat",
            made.notes[0].statement.bytes().to_vec(),
        ),
        (
            Read::Statement,
            "epoch start",
            made.notes[1].statement.bytes().to_vec(),
        ),
        (Read::Message, "message", made.message.encode()),
        (Read::Event, "event", made::event_text(1).into_bytes()),
        (
            Read::Record,
            "organisation",
            made.records[0].bytes().to_vec(),
        ),
        (Read::Record, "device", made.records[1].bytes().to_vec()),
        (Read::Request, "request", request.unwrap()),
        (Read::Claim, "claim", serde_json::to_vec(&claim).unwrap()),
        (Read::Receipt, "receipt", receipt.clone()),
        (Read::Reply, "receipt's reply", made.replies[0].encode()),
        (Read::Reply, "inclusion", made.replies[1].encode()),
        (
            Read::Refused,
            "refused list",
            schemas::log::encode_refused(&made.refused),
        ),
        (Read::Checkpoint, "checkpoint", made.note.encode()),
        (Read::Bundle, "bundle", made.bundle.to_json().unwrap()),
        (
            Read::PolicyFile,
            "policy file",
            serde_json::to_vec(&file).unwrap(),
        ),
        (Read::Document, "document", made::event_text(1).into_bytes()),
    ];
    let entries = entries.into_iter().zip(made.entries);
    good.extend(entries.map(|(name, entry)| (Read::Entry, name, entry)));
    good
}

/// A COSE object over any protected header and payload, the signature right.
fn signed(key: &SecretKey, protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(4)
        .text("Signature1")
        .bytes(protected)
        .bytes(&[])
        .bytes(payload);
    let signature = key.sign(&w.finish());
    let mut w = Writer::new();
    w.tag(18)
        .array(4)
        .bytes(protected)
        .map(0)
        .bytes(payload)
        .bytes(&signature);
    w.finish()
}

/// Who signed the good object of a parser.
fn signer(read: Read, name: &str) -> Option<SecretKey> {
    match read {
        Read::Statement | Read::Request => Some(made::device()),
        Read::Record if name == "organisation" => Some(made::registrar()),
        Read::Record => Some(made::key(3)),
        Read::Receipt => Some(made::key(5)),
        _ => None,
    }
}

#[test]
fn the_good_objects_that_are_broken_here_are_good() {
    for (read, name, bytes) in good() {
        assert_eq!(refusal(read, &bytes), None, "{name}");
    }
    for read in ALL {
        assert!(
            good().iter().any(|(of, ..)| *of == read),
            "{read:?} has no good object"
        );
    }
}

#[test]
fn trailing_bytes_are_refused() {
    for (read, name, bytes) in good() {
        for tail in [&[0][..], b"\n\0", b"}", &bytes] {
            refused(
                read,
                &[&*bytes, tail].concat(),
                &format!("{name} with {} bytes behind", tail.len()),
            );
        }
    }
}

#[test]
fn what_is_cut_anywhere_is_refused() {
    for (read, name, bytes) in good() {
        // A note with a line less is a note; how many lines count is the policy's matter.
        if read == Read::Checkpoint {
            continue;
        }
        let step = bytes.len().div_ceil(400).max(1);
        for at in (0..bytes.len()).step_by(step) {
            refused(read, &bytes[..at], &format!("{name} cut at {at}"));
        }
        refused(read, &bytes[..bytes.len() - 1], name);
    }
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read() {
    use schemas::{enrol, event, log, note, receipt, registry, statement};
    for (read, limit) in [
        (Read::Statement, statement::STATEMENT_MAX),
        (Read::Message, statement::MESSAGE_MAX),
        (Read::Event, event::EVENT_MAX),
        (Read::Record, registry::RECORD_MAX),
        (Read::Request, enrol::REQUEST_MAX),
        (Read::Claim, enrol::CLAIM_MAX),
        (Read::Receipt, receipt::RECEIPT_MAX),
        (Read::Reply, statement::MESSAGE_MAX),
        (Read::Entry, log::ENTRY_MAX),
        (Read::Refused, log::REFUSED_MAX),
        (Read::Checkpoint, note::NOTE_MAX),
        (Read::Bundle, proof::BUNDLE_MAX),
        (Read::PolicyFile, log::POLICY_FILE_MAX),
    ] {
        for byte in [b' ', b'[', b'{', b'"', 0x81, 0x5b, 1] {
            refused(read, &vec![byte; limit + 1], "what is too long");
        }
    }
}
