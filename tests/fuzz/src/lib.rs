//! Every parser of outside bytes, one function each: it may refuse, it may not panic, and what it
//! takes must read back. The fuzz targets call these with what libFuzzer invents; the test
//! `schemas/tests/corpora.rs` calls them with every kept file.
//!
//! A function answers whether the bytes were taken; a broken property is a panic.

mod bundle;

pub use bundle::{bundle, bundle_row};

use schemas::cbor::Writer;
use schemas::cose::Sign1;
use schemas::disclosure::SignedDisclosure;
use schemas::document::{Document, Limits};
use schemas::enrol::{Claim, Request};
use schemas::epcis::{self, EventFacts};
use schemas::event::{Event, Salt, Source};
use schemas::gs1::{self, DigitalLink, ElementString, Identifier, ItemKey};
use schemas::log::{Entry, Policy, PolicyFile, encode_refused, parse_refused};
use schemas::note::{Note, open::OpenNote};
use schemas::receipt::Reply;
use schemas::registry::{Record, SignedRecord};
use schemas::statement::{Message, Statement};
use schemas::tlog::{TILE_WIDTH, encode_entries, parse_entries, parse_tile};
use schemas::tlog_policy::TlogPolicy;
use schemas::tombstone::TombstoneList;
use serde_json::Value;

/// Reads bytes; true if they were taken.
pub type Target = fn(&[u8]) -> bool;

/// Every target by the name of its corpus.
pub const TARGETS: [(&str, Target); 20] = [
    ("statement", statement),
    ("message", message),
    ("event", event),
    ("record", record),
    ("bundle", bundle),
    ("bundle_row", bundle_row),
    ("checkpoint", checkpoint),
    ("tile", tile),
    ("entries", entries),
    ("log_entry", log_entry),
    ("refused", refused),
    ("digital_link", digital_link),
    ("element_string", element_string),
    ("document", document),
    ("enrolment", enrolment),
    ("reply", reply),
    ("policy_file", policy_file),
    ("disclosure", disclosure),
    ("tombstones", tombstones),
    ("tlog_policy", tlog_policy),
];

/// The object in its one spelling, from what was read of it.
fn cose_again(bytes: &[u8], payload: &[u8]) -> Vec<u8> {
    let cose = Sign1::parse(bytes, bytes.len()).expect("it was read before");
    assert_eq!(cose.payload, payload, "the payload reads back");
    let mut header = Writer::new();
    header
        .map(3)
        .uint(1)
        .int(cose.alg)
        .uint(4)
        .bytes(&cose.kid.0);
    header.uint(16).text(cose.typ);
    let mut w = Writer::new();
    w.tag(18).array(4).bytes(&header.finish()).map(0);
    w.bytes(payload).bytes(&cose.signature);
    w.finish()
}

/// A signed statement or note (`statement.md` section 3).
pub fn statement(bytes: &[u8]) -> bool {
    let Ok(statement) = Statement::parse(bytes.to_vec()) else {
        return false;
    };
    assert_eq!(cose_again(bytes, &statement.payload.encode()), bytes);
    assert_eq!(statement.bytes(), bytes);
    true
}

/// A statement and its events on the wire (`statement.md` section 4).
pub fn message(bytes: &[u8]) -> bool {
    let Ok(message) = Message::decode(bytes) else {
        return false;
    };
    assert_eq!(message.encode(), bytes, "a message reads back");
    assert_eq!(message.events.len() as u64, message.statement.payload.count);
    // Whether it leads to the root is another matter than that it can be asked.
    let _ = message.check_root();
    true
}

/// An event's exact bytes (`statement.md` section 2).
pub fn event(bytes: &[u8]) -> bool {
    let Ok(event) = Event::parse(bytes.to_vec()) else {
        return false;
    };
    let mut again = Vec::new();
    for (name, value) in event.members() {
        again.push(if again.is_empty() { b'{' } else { b',' });
        let member = [b"\"", name.as_bytes(), b"\":", value].concat();
        let alone = [b"{", &*member, b"}"].concat();
        let alone: serde_json::Map<String, Value> =
            serde_json::from_slice(&alone).expect("each member alone is JSON");
        assert!(
            alone.len() == 1 && alone.contains_key(name),
            "and of one name"
        );
        again.extend(member);
    }
    again.push(b'}');
    assert_eq!(again, bytes, "an event is its members");
    let leaf = event.leaf(Source::Scan, &Salt([7; 16]));
    assert!(!leaf.is_zero(), "an event has a leaf");
    facts(&serde_json::from_slice(bytes).expect("an event is JSON"));
    true
}

/// EPCIS's rules, facts and hash over any event.
fn facts(event: &Value) {
    let valid = epcis::validate(event);
    let violations = valid.as_ref().err().map_or(0, Vec::len);
    assert!(violations <= epcis::MAX_VIOLATIONS);
    let facts = EventFacts::read(event);
    assert!(valid.is_err() || facts.is_ok(), "a valid event has facts");
    let _ = epcis::cbv_hash(event);
}

/// A registry record or its draft (`registry.md` section 2).
pub fn record(bytes: &[u8]) -> bool {
    if let Ok(draft) = Record::parse_draft(bytes) {
        assert_eq!(draft.draft(), bytes, "a draft reads back");
        return true;
    }
    let Ok(signed) = SignedRecord::parse(bytes.to_vec()) else {
        return false;
    };
    assert_eq!(cose_again(bytes, &signed.record.payload()), bytes);
    true
}

/// A checkpoint as a signed note (`log.md` section 5), of our log or of any.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let any = OpenNote::parse(bytes);
    let Ok(note) = Note::parse(bytes) else {
        return false;
    };
    assert_eq!(note.encode(), bytes, "a note reads back");
    assert!(any.is_ok(), "a note of ours is one of any log");
    let policy = kept_policy();
    let _ = note.check_served(&policy);
    let bundled = note.for_bundle(&policy);
    assert!(bundled.lines.len() <= policy.witnesses.len() + 1);
    if note.check_bundled(&policy).is_ok() {
        assert!(
            note.check_served(&policy).is_ok(),
            "the stricter check implies the other"
        );
    }
    true
}

fn kept_policy() -> Policy {
    Policy::parse(include_bytes!("../corpus/log_entry/policy")).expect("the kept policy is one")
}

/// Hashes of a tile (C2SP `tlog-tiles`), of the width that its length would be.
pub fn tile(bytes: &[u8]) -> bool {
    for width in [0, 1, TILE_WIDTH, TILE_WIDTH + 1] {
        let fits = parse_tile(bytes, width).is_ok();
        assert_eq!(
            fits,
            bytes.len() == width * 32 && (1..=TILE_WIDTH).contains(&width)
        );
    }
    let Ok(hashes) = parse_tile(bytes, bytes.len() / 32) else {
        return false;
    };
    let again: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    assert_eq!(again, bytes, "a tile reads back");
    true
}

/// Entries of a bundle (C2SP `tlog-tiles`); the first byte says how many are expected.
pub fn entries(bytes: &[u8]) -> bool {
    let Some((&width, bytes)) = bytes.split_first() else {
        return false;
    };
    let width = usize::from(width) + 1;
    let Ok(entries) = parse_entries(bytes, width) else {
        return false;
    };
    assert_eq!(entries.len(), width);
    let again = encode_entries(&entries).expect("what was read can be written");
    assert_eq!(again, bytes, "an entry bundle reads back");
    true
}

/// An entry of the log (`log.md` sections 1 to 4).
pub fn log_entry(bytes: &[u8]) -> bool {
    let Ok(entry) = Entry::parse(bytes) else {
        return false;
    };
    assert_eq!(entry.encode(), bytes, "an entry reads back");
    true
}

/// The list of refused events behind a batch header (`log.md` section 3).
pub fn refused(bytes: &[u8]) -> bool {
    let Ok(list) = parse_refused(bytes) else {
        return false;
    };
    assert_eq!(
        encode_refused(&list),
        bytes,
        "a list of refused events reads back"
    );
    true
}

/// What a URI may be: a Digital Link of any host, an EPC URN, any other URI.
pub fn digital_link(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let _ = gs1::normalise(text);
    if let Ok(key) = ItemKey::read(text) {
        assert_eq!(
            ItemKey::read(key.as_str()).as_ref(),
            Ok(&key),
            "a name names itself"
        );
    }
    if let Ok(link) = DigitalLink::parse(text) {
        let whole = Identifier::parse_any(text);
        assert_eq!(
            whole.as_ref(),
            Ok(link.identifier()),
            "a link names its thing"
        );
    }
    identifier(text)
}

/// Reads a text as an identifier of any syntax; its canonical form is its own.
fn identifier(text: &str) -> bool {
    let Ok(identifier) = Identifier::parse_any(text) else {
        return false;
    };
    let canonical = identifier.canonical();
    // Not always the same identifier: where a serial names the thing, its lot is not in its name.
    let again = Identifier::parse_any(&canonical).map(|again| again.canonical());
    assert_eq!(
        again.as_ref(),
        Ok(&canonical),
        "the canonical form is its own"
    );
    assert_eq!(gs1::normalise(text).as_ref(), Ok(&canonical));
    true
}

/// What a scanner sends (GS1 General Specifications 7.8), and its bracketed form.
pub fn element_string(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    if let Ok(elements) = ElementString::parse_part(text) {
        // Marked, since eight digits alone might be a GTIN.
        let plain = format!("\u{1d}{}", elements.plain());
        for form in [elements.bracketed(), plain] {
            // Brackets take room: the longest string has no bracketed form that is read.
            if form.len() <= gs1::MAX_INPUT_BYTES {
                let again = ElementString::parse_part(&form);
                assert_eq!(again.as_ref(), Ok(&elements), "elements read back");
            }
        }
        let _ = elements.identifier();
        return true;
    }
    identifier(text)
}

/// Bytes of events that [`document`] takes.
const DOCUMENT_BYTES: usize = 1 << 18;

/// An EPCIS document taken apart.
pub fn document(bytes: &[u8]) -> bool {
    let limits = Limits {
        events: 100,
        event_bytes: DOCUMENT_BYTES,
    };
    let Ok(document) = Document::parse(bytes, limits) else {
        return false;
    };
    assert!(document.events.len() <= limits.events);
    let mut total = 0;
    for taken in document.events.iter().flatten() {
        total += taken.bytes().len();
        assert!(event(taken.bytes()), "an event of a document is an event");
    }
    assert!(total <= limits.event_bytes);
    true
}

/// A claim as text, or a device's request (`statement.md` section 7).
pub fn enrolment(bytes: &[u8]) -> bool {
    let claim = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| Claim::parse(text).ok());
    if let Some(claim) = claim {
        let text = serde_json::to_string(&claim).expect("a claim is JSON");
        assert_eq!(
            Claim::parse(&text).as_ref(),
            Ok(&claim),
            "a claim reads back"
        );
        return true;
    }
    let Ok(request) = Request::parse(bytes) else {
        return false;
    };
    let cose = Sign1::parse(bytes, bytes.len()).expect("it was read before");
    assert_eq!(
        cose.kid,
        request.key.kid(),
        "a request is of the key that it brings"
    );
    assert_eq!(cose_again(bytes, cose.payload), bytes);
    true
}

/// What a device reads from the receipt topic (`statement.md` section 6).
pub fn reply(bytes: &[u8]) -> bool {
    let Ok(reply) = Reply::decode(bytes) else {
        return false;
    };
    assert_eq!(reply.encode(), bytes, "a reply reads back");
    if let Reply::Inclusion(inclusion) = &reply {
        let _ = inclusion.verify(&kept_policy());
    }
    true
}

/// A policy file.
pub fn policy_file(bytes: &[u8]) -> bool {
    let Ok((entry, policy)) = PolicyFile::parse(bytes) else {
        return false;
    };
    assert_eq!(Entry::Policy(policy).encode(), entry, "a policy reads back");
    true
}

/// What an organisation withholds (`disclosure.md`).
pub fn disclosure(bytes: &[u8]) -> bool {
    let Ok(signed) = SignedDisclosure::parse(bytes.to_vec()) else {
        return false;
    };
    assert_eq!(cose_again(bytes, &signed.disclosure.payload()), bytes);
    true
}

/// A list of erased events (`tombstones.md`).
pub fn tombstones(bytes: &[u8]) -> bool {
    let Ok(list) = TombstoneList::parse(bytes) else {
        return false;
    };
    assert_eq!(list.encode().as_deref(), Ok(bytes), "a list reads back");
    true
}

/// A trust policy of any log (C2SP `tlog-policy`).
pub fn tlog_policy(bytes: &[u8]) -> bool {
    let Ok(policy) = TlogPolicy::parse(bytes) else {
        return false;
    };
    let again = TlogPolicy::parse(&policy.encode());
    assert_eq!(again.as_ref(), Ok(&policy), "a policy reads back");
    let _ = policy.check(include_bytes!("../corpus/checkpoint/cosigned"));
    true
}
