//! Single consent documents.

use schemas::attestation::Kind;
use schemas::consent::{Act, Consent, Grant, KIND, Purpose, SignedConsent, TYP_CONSENT};
use schemas::cose;
use schemas::hash::Hash;
use schemas::registry::{Record, Role};
use serde::Serialize;

use super::{DAY, Vector, at, entry, hex_block, key, log, slug};

/// The grant of the example.
pub fn grant() -> Grant {
    Grant {
        from: at(30),
        until: at(30 + 90 * DAY),
        purposes: vec![Purpose::Assess, Purpose::Watch],
        devices: vec![],
        steps: vec![],
        withheld: vec!["bizTransactionList".into(), "tb:invoiceAmount".into()],
        attestations: vec![Kind::TaxStanding, Kind::BuyerConfirmation],
    }
}

/// The first document of `qinghe` to `first-bank`.
pub fn first() -> Consent {
    Consent {
        log: log(),
        supplier: slug("qinghe"),
        bank: slug("first-bank"),
        number: 1,
        prev: Hash::ZERO,
        made: at(30),
        act: Act::Grant(grant()),
    }
}

/// The document after another.
pub fn after(before: &SignedConsent, seconds: i64, act: Act) -> SignedConsent {
    let next = Consent {
        number: before.consent.number + 1,
        prev: before.id(),
        made: at(seconds),
        act,
        ..first()
    };
    SignedConsent::sign(&key(3), &next).unwrap()
}

/// The record of the supplier's key.
pub fn record() -> Record {
    Record::first(log(), slug("qinghe"), Role::Organisation, key(3).public())
}

pub fn example() -> String {
    let one = SignedConsent::sign(&key(3), &first()).unwrap();
    let two = after(&one, 31 * DAY, Act::Withdrawal);
    format!(
        "## Example\nSeed of the supplier 03; the log is that of `log.md`. A grant for 90 days, and its withdrawal a month later.\n\n{}\nIts id, `prev` of the next: `{}`.\n\n{}\n{}\nIts id: `{}`.\n",
        hex_block("Grant", one.bytes()),
        one.id(),
        hex_block("Its log entry", &entry(KIND, one.hash(), at(31))),
        hex_block("Withdrawal", two.bytes()),
        two.id(),
    )
}

/// All vectors, with the key whose record the reader has.
#[derive(Serialize)]
pub struct Vectors {
    key: String,
    log: String,
    documents: Vec<Vector>,
}

fn vector(name: &str, bytes: Vec<u8>) -> Vector {
    let cose = hex::encode(&bytes);
    let holds = SignedConsent::parse(bytes).is_ok_and(|one| one.verify_by(&record()).is_ok());
    Vector {
        name: name.to_owned(),
        cose,
        holds,
    }
}

fn changed(change: impl FnOnce(&mut Consent, &mut Grant)) -> Vec<u8> {
    let (mut consent, mut grant) = (first(), grant());
    change(&mut consent, &mut grant);
    if consent.grant().is_some() {
        consent.act = Act::Grant(grant);
    }
    cose::sign(&key(3), TYP_CONSENT, &consent.payload())
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:03}")).collect()
}

fn good() -> Vec<(&'static str, Vec<u8>)> {
    let one = SignedConsent::sign(&key(3), &first()).unwrap();
    let withdrawal = after(&one, 60, Act::Withdrawal);
    vec![
        ("grant", one.bytes().to_vec()),
        ("withdrawal", withdrawal.bytes().to_vec()),
        ("366 days", changed(|_, g| g.until = at(30 + 366 * DAY))),
        (
            "named devices and steps",
            changed(|_, g| {
                g.devices = vec![slug("line-1"), slug("store-1")];
                g.steps = vec!["https://x.example/s".into(), "storing".into()];
            }),
        ),
        ("no attestations", changed(|_, g| g.attestations.clear())),
        ("begins later", changed(|_, g| g.from = at(40 * DAY))),
        (
            "most devices",
            changed(|_, g| g.devices = names(256).iter().map(|n| slug(n)).collect()),
        ),
        ("most steps", changed(|_, g| g.steps = names(64))),
        ("most members", changed(|_, g| g.withheld = names(64))),
    ]
}

fn bad() -> Vec<(&'static str, Vec<u8>)> {
    let payload = first().payload();
    let sign = |payload: &[u8]| cose::sign(&key(3), TYP_CONSENT, payload);
    vec![
        ("number 0", changed(|c, _| c.number = 0)),
        ("prev at number 1", changed(|c, _| c.prev = Hash([1; 32]))),
        ("no prev at number 2", changed(|c, _| c.number = 2)),
        (
            "bank is the supplier",
            changed(|c, _| c.bank = slug("qinghe")),
        ),
        (
            "begins with a withdrawal",
            changed(|c, _| c.act = Act::Withdrawal),
        ),
        ("from before made", changed(|_, g| g.from = at(29))),
        ("until is from", changed(|_, g| g.until = g.from)),
        (
            "366 days and a second",
            changed(|_, g| g.until = at(31 + 366 * DAY)),
        ),
        ("no purpose", changed(|_, g| g.purposes.clear())),
        (
            "purposes out of order",
            changed(|_, g| g.purposes.reverse()),
        ),
        (
            "a device twice",
            changed(|_, g| g.devices = vec![slug("line-1"); 2]),
        ),
        (
            "an empty step",
            changed(|_, g| g.steps = vec![String::new()]),
        ),
        (
            "a step with a space",
            changed(|_, g| g.steps = vec!["a b".into()]),
        ),
        (
            "a long step",
            changed(|_, g| g.steps = vec!["s".repeat(65)]),
        ),
        ("members out of order", changed(|_, g| g.withheld.reverse())),
        (
            "a member with a quote",
            changed(|_, g| g.withheld = vec!["a\"".into()]),
        ),
        (
            "a noncharacter in a member",
            changed(|_, g| g.withheld = vec!["a\u{fdd0}".into()]),
        ),
        (
            "an attestation twice",
            changed(|_, g| g.attestations = vec![Kind::TaxStanding; 2]),
        ),
        (
            "too many devices",
            changed(|_, g| g.devices = names(257).iter().map(|n| slug(n)).collect()),
        ),
        ("too many steps", changed(|_, g| g.steps = names(65))),
        ("too many members", changed(|_, g| g.withheld = names(65))),
        ("a byte left over", sign(&[&payload[..], &[0]].concat())),
        ("cut short", sign(&payload[..payload.len() - 1])),
        (
            "an unknown kind",
            sign(&with(&payload, &[6, 0, 7], &[6, 2, 7])),
        ),
        (
            "kind of attestation 5",
            sign(&with(&payload, &[13, 0x82, 2, 4], &[13, 0x82, 2, 5])),
        ),
        (
            "purpose 3",
            sign(&with(&payload, &[9, 0x82, 0, 1], &[9, 0x82, 0, 3])),
        ),
        (
            "number not in its shortest form",
            sign(&with(&payload, &[3, 1, 4], &[3, 0x18, 1, 4])),
        ),
        (
            "a key too many",
            sign(&with(
                &[&payload[..], &[14, 0]].concat(),
                &[0xae, 0],
                &[0xaf, 0],
            )),
        ),
        (
            "another type",
            cose::sign(
                &key(3),
                "application/vnd.tracebond.disclosure.v1+cbor",
                &payload,
            ),
        ),
        ("another key", cose::sign(&key(4), TYP_CONSENT, &payload)),
    ]
}

/// Replaces the one place where `old` stands.
fn with(payload: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..=payload.len() - old.len())
        .filter(|&place| payload[place..].starts_with(old))
        .collect();
    assert_eq!(places.len(), 1, "{old:?}");
    let rest = &payload[places[0] + old.len()..];
    [&payload[..places[0]], new, rest].concat()
}

pub fn vectors() -> Vectors {
    let mut documents = Vec::new();
    for (name, bytes) in good() {
        let one = vector(name, bytes);
        assert!(one.holds, "{name}");
        documents.push(one);
    }
    for (name, bytes) in bad() {
        let one = vector(name, bytes);
        assert!(!one.holds, "{name}");
        documents.push(one);
    }
    Vectors {
        key: hex::encode(key(3).public_bytes()),
        log: log().to_string(),
        documents,
    }
}
