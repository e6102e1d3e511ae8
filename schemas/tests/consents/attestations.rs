//! Attestations and their revocations.

use schemas::attestation::{
    ApprovalFacts, Attestation, BuyerFacts, Day, Facts, InvoiceFacts, KIND, Period, Revocation,
    SignedAttestation, SignedRevocation, StandingFacts, Sum, TYP_ATTESTATION, TYP_REVOCATION,
    TaxGrade,
};
use schemas::consent::SignedConsent;
use schemas::cose;
use schemas::hash::{Hash, sha256};
use serde::Serialize;

use super::documents::first;
use super::{DAY, Vector, at, entry, hex_block, key, log, slug};

/// Seed of the issuer.
const ISSUER: u8 = 0x21;

fn cny(amount: u64) -> Sum {
    Sum {
        amount,
        currency: *b"CNY",
    }
}

/// The third quarter of 2026.
fn period() -> Period {
    Period {
        from: Day::new(20_635).unwrap(),
        to: Day::new(20_726).unwrap(),
    }
}

fn of(facts: Facts) -> Attestation {
    Attestation {
        log: log(),
        issuer: slug("tax-office"),
        number: 1,
        subject: slug("qinghe"),
        code: "91350100M000100Y43".parse().unwrap(),
        consent: SignedConsent::sign(&key(3), &first()).unwrap().id(),
        issued: at(DAY),
        expires: at(61 * DAY),
        facts,
    }
}

fn standing() -> StandingFacts {
    StandingFacts {
        arrears: cny(0),
        period: period(),
        grade: TaxGrade::B,
        document: None,
    }
}

fn invoices() -> InvoiceFacts {
    InvoiceFacts {
        invoiced: cny(123_456_789),
        period: period(),
        count: 42,
        document: Some(sha256(b"list")),
    }
}

fn approval() -> ApprovalFacts {
    ApprovalFacts {
        reference: "农产品〔2026〕12号".into(),
        period: period(),
        document: sha256(b"approval"),
    }
}

fn buyer() -> BuyerFacts {
    BuyerFacts {
        owed: cny(500_000),
        document: sha256(b"invoice"),
        reference: Some("PO-7".into()),
        due: Day::new(20_800),
        leaves: vec![Hash([1; 32]), Hash([2; 32])],
    }
}

fn revocation(attestation: Hash) -> Revocation {
    Revocation {
        log: log(),
        issuer: slug("tax-office"),
        attestation,
        made: at(10 * DAY),
        reason: "issued-in-error".into(),
    }
}

pub fn example() -> String {
    let one = SignedAttestation::sign(&key(ISSUER), &of(Facts::Standing(standing()))).unwrap();
    let ended = SignedRevocation::sign(&key(ISSUER), &revocation(one.id())).unwrap();
    format!(
        "## Example\nSeed of the issuer 21; it rests on the grant of `consent.md`. No arrears in the third quarter of 2026, grade B; revoked nine days later.\n\n{}\nIts id: `{}`.\n\n{}\n{}",
        hex_block("Attestation", one.bytes()),
        one.id(),
        hex_block("Its log entry", &entry(KIND, one.hash(), at(DAY + 1))),
        hex_block("Revocation", ended.bytes()),
    )
}

/// All vectors, with the issuer's key.
#[derive(Serialize)]
pub struct Vectors {
    key: String,
    attestations: Vec<Vector>,
    revocations: Vec<Vector>,
}

fn attestation(name: &str, bytes: Vec<u8>, expected: bool) -> Vector {
    let cose = hex::encode(&bytes);
    let key = key(ISSUER).public();
    let holds = SignedAttestation::parse(bytes).is_ok_and(|one| one.verify(&key).is_ok());
    assert_eq!(holds, expected, "{name}");
    let name = name.to_owned();
    Vector { name, cose, holds }
}

fn signed(attestation: &Attestation) -> Vec<u8> {
    cose::sign(&key(ISSUER), TYP_ATTESTATION, &attestation.payload())
}

fn good() -> Vec<(&'static str, Vec<u8>)> {
    let bare = BuyerFacts {
        reference: None,
        due: None,
        leaves: vec![],
        ..buyer()
    };
    let unlisted = InvoiceFacts {
        document: None,
        ..invoices()
    };
    vec![
        ("tax-invoices", signed(&of(Facts::Invoices(invoices())))),
        ("without a list", signed(&of(Facts::Invoices(unlisted)))),
        ("tax-standing", signed(&of(Facts::Standing(standing())))),
        (
            "government-approval",
            signed(&of(Facts::Approval(approval()))),
        ),
        ("buyer-confirmation", signed(&of(Facts::Buyer(buyer())))),
        ("of an amount alone", signed(&of(Facts::Buyer(bare)))),
        (
            "366 days",
            signed(&Attestation {
                expires: at(367 * DAY),
                ..of(Facts::Standing(standing()))
            }),
        ),
    ]
}

fn changed(change: fn(&mut Attestation)) -> Vec<u8> {
    let mut attestation = of(Facts::Invoices(invoices()));
    change(&mut attestation);
    signed(&attestation)
}

/// Replaces the first place where `old` stands.
fn with(facts: Facts, old: &[u8], new: &[u8]) -> Vec<u8> {
    let payload = of(facts).payload();
    let mut places = payload.windows(old.len());
    let place = places.position(|part| part == old).unwrap();
    let rest = &payload[place + old.len()..];
    let payload = [&payload[..place], new, rest].concat();
    cose::sign(&key(ISSUER), TYP_ATTESTATION, &payload)
}

fn bad() -> Vec<(&'static str, Vec<u8>)> {
    let standing = || Facts::Standing(standing());
    vec![
        ("number 0", changed(|a| a.number = 0)),
        ("about itself", changed(|a| a.subject = a.issuer.clone())),
        ("expires when issued", changed(|a| a.expires = a.issued)),
        ("too long", changed(|a| a.expires = at(367 * DAY + 1))),
        (
            "nothing invoiced",
            changed(|a| {
                a.facts = Facts::Invoices(InvoiceFacts {
                    invoiced: cny(0),
                    ..invoices()
                });
            }),
        ),
        (
            "no invoice",
            changed(|a| {
                a.facts = Facts::Invoices(InvoiceFacts {
                    count: 0,
                    ..invoices()
                })
            }),
        ),
        (
            "a period backwards",
            changed(|a| {
                let Period { from, to } = period();
                let period = Period { from: to, to: from };
                a.facts = Facts::Invoices(InvoiceFacts {
                    period,
                    ..invoices()
                });
            }),
        ),
        (
            "a control character",
            changed(|a| {
                let reference = "a\u{7f}".to_owned();
                a.facts = Facts::Approval(ApprovalFacts {
                    reference,
                    ..approval()
                });
            }),
        ),
        (
            "a long reference",
            changed(|a| {
                let reference = Some("r".repeat(129));
                a.facts = Facts::Buyer(BuyerFacts {
                    reference,
                    ..buyer()
                });
            }),
        ),
        (
            "leaves out of order",
            changed(|a| {
                let leaves = vec![Hash([2; 32]), Hash([1; 32])];
                a.facts = Facts::Buyer(BuyerFacts { leaves, ..buyer() });
            }),
        ),
        (
            "too many leaves",
            changed(|a| {
                let leaves = (0..65).map(|n| Hash([n; 32])).collect();
                a.facts = Facts::Buyer(BuyerFacts { leaves, ..buyer() });
            }),
        ),
        (
            "code with a wrong check",
            with(standing(), b"100Y43", b"100Y44"),
        ),
        (
            "code with an I",
            with(standing(), b"91350100M0001", b"91350100I0001"),
        ),
        (
            "code with a letter in its region",
            with(standing(), b"91350100", b"9135010A"),
        ),
        ("small letters", with(standing(), b"CNY", b"cny")),
        ("two letters", with(standing(), b"\x63CNY", b"\x62CN")),
        (
            "another kind",
            with(standing(), &[2, 1, 3, 2], &[2, 1, 3, 1]),
        ),
        ("kind 0", with(standing(), &[2, 1, 3, 2], &[2, 1, 3, 0])),
        ("kind 5", with(standing(), &[2, 1, 3, 2], &[2, 1, 3, 5])),
        ("grade 5", with(standing(), &[6, 1], &[6, 5])),
        (
            "a day too far",
            with(
                standing(),
                &[3, 0x19, 0x50, 0xf6],
                &[3, 0x1a, 0, 0x2c, 0xc0, 0xa1],
            ),
        ),
        (
            "an empty list of leaves",
            with(
                Facts::Buyer(BuyerFacts {
                    leaves: vec![Hash([7; 32])],
                    ..buyer()
                }),
                &[&[9, 0x81, 0x58, 32][..], &[7; 32]].concat(),
                &[9, 0x80],
            ),
        ),
        (
            "another type",
            cose::sign(&key(ISSUER), TYP_REVOCATION, &of(standing()).payload()),
        ),
        (
            "another key",
            cose::sign(&key(3), TYP_ATTESTATION, &of(standing()).payload()),
        ),
    ]
}

fn revocations() -> Vec<Vector> {
    let right = revocation(Hash([7; 32]));
    let sign =
        |revocation: &Revocation| cose::sign(&key(ISSUER), TYP_REVOCATION, &revocation.payload());
    let worded = |reason: &str| {
        sign(&Revocation {
            reason: reason.to_owned(),
            ..right.clone()
        })
    };
    let all = [
        ("revocation", sign(&right), true),
        ("no reason", worded(""), false),
        ("a sentence", worded("it was wrong"), false),
        ("a long reason", worded(&"r".repeat(65)), false),
        (
            "another key",
            cose::sign(&key(3), TYP_REVOCATION, &right.payload()),
            false,
        ),
        (
            "another type",
            cose::sign(&key(ISSUER), TYP_ATTESTATION, &right.payload()),
            false,
        ),
    ];
    let key = key(ISSUER).public();
    let vector = |(name, bytes, expected): (&str, Vec<u8>, bool)| {
        let cose = hex::encode(&bytes);
        let holds = SignedRevocation::parse(bytes).is_ok_and(|one| one.verify(&key).is_ok());
        assert_eq!(holds, expected, "{name}");
        let name = name.to_owned();
        Vector { name, cose, holds }
    };
    all.into_iter().map(vector).collect()
}

pub fn vectors() -> Vectors {
    let good = good()
        .into_iter()
        .map(|(name, bytes)| attestation(name, bytes, true));
    let bad = bad()
        .into_iter()
        .map(|(name, bytes)| attestation(name, bytes, false));
    Vectors {
        key: hex::encode(key(ISSUER).public_bytes()),
        attestations: good.chain(bad).collect(),
        revocations: revocations(),
    }
}
