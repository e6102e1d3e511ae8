use schemas::attestation::{
    Attestation, BuyerFacts, Day, Facts, Kind, Period, Revocation, SignedAttestation,
    SignedRevocation, StandingFacts, Sum, TaxGrade,
};
use schemas::consent::{Act, Moment, Purpose};
use schemas::hash::{Hash, sha256};
use schemas::time::Instant;

use super::*;
use crate::evidence::consent::fixture::{Supplier, grant, key};
use crate::testing::{DEVICES, World, at, slug};

const CODE: &str = "91350100M000100Y43";
const OTHER_CODE: &str = "91100000100003962T";

fn hexed(name: &str) -> String {
    hex::encode(key(name).public_bytes())
}

fn list() -> String {
    format!(
        r#"format = "issuers/v1"
version = 3
[[issuers]]
slug = "tax-office"
name = "Tax office"
kinds = ["tax-invoices", "tax-standing"]
keys = ["{}", "{}"]
[[issuers]]
slug = "market"
name = "A buyer"
kinds = ["buyer-confirmation"]
keys = ["{}"]
"#,
        hexed("tax 1"),
        hexed("tax 2"),
        hexed("buyer 1"),
    )
}

fn subject() -> Subject {
    Subject {
        slug: slug("qinghe"),
        code: CODE.parse().unwrap(),
    }
}

fn cny(amount: u64) -> Sum {
    Sum {
        amount,
        currency: *b"CNY",
    }
}

fn standing(number: u64) -> (Attestation, &'static str) {
    let facts = Facts::Standing(StandingFacts {
        arrears: cny(0),
        period: Period {
            from: Day::new(20_000).unwrap(),
            to: Day::new(20_089).unwrap(),
        },
        grade: TaxGrade::A,
        document: None,
    });
    let said = Attestation {
        log: Hash::ZERO,
        issuer: slug("tax-office"),
        number,
        subject: slug("qinghe"),
        code: CODE.parse().unwrap(),
        consent: Hash::ZERO,
        issued: at(25, 0),
        expires: at(200, 0),
        facts,
    };
    (said, "tax 1")
}

fn confirmation() -> (Attestation, &'static str) {
    let (said, _) = standing(1);
    let said = Attestation {
        issuer: slug("market"),
        facts: Facts::Buyer(BuyerFacts {
            owed: cny(1_200_000),
            document: sha256(b"invoice"),
            reference: None,
            due: None,
            leaves: vec![],
        }),
        ..said
    };
    (said, "buyer 1")
}

/// A bank that asks on the second day, with a supplier that has granted.
struct Bank {
    supplier: Supplier,
    issuers: Issuers,
    clock: Instant,
}

impl Bank {
    fn new() -> Self {
        let supplier = Supplier::granting();
        let policy = supplier.world.trusted().policy().clone();
        Self {
            issuers: Issuers::parse("issuers.toml", &list(), &policy).unwrap(),
            supplier,
            clock: at(26, 0),
        }
    }

    /// Signs what an issuer says, resting on the newest consent.
    fn signed(&self, (said, by): (Attestation, &str)) -> SignedAttestation {
        let said = Attestation {
            log: self.supplier.parties.log,
            consent: self.supplier.signed.last().unwrap().id(),
            ..said
        };
        SignedAttestation::sign(&key(by), &said).unwrap()
    }

    fn judge(&self, held: &Held) -> Judged {
        let (subject, consents) = (subject(), self.supplier.chain());
        let reader = Reader {
            log: &self.supplier.parties.log,
            issuers: &self.issuers,
            subject: &subject,
            consents: &consents,
            signers: &self.supplier.signers,
            purpose: Purpose::Assess,
            moment: Moment::new(self.clock, None),
        };
        reader.judge(held)
    }

    fn held(&self, attestations: &[&SignedAttestation]) -> Held {
        Held {
            attestations: attestations
                .iter()
                .map(|one| one.bytes().to_vec())
                .collect(),
            revocations: vec![],
        }
    }

    /// Codes of what is refused, `counted` for what is not.
    fn codes(&self, held: &Held) -> Vec<&'static str> {
        let judged = self.judge(held);
        let counted = judged.counted.iter().map(|_| "counted");
        let refused = judged.refused.iter().map(|one| one.why.code());
        counted.chain(refused).collect()
    }

    fn code(&self, signed: &SignedAttestation) -> &'static str {
        let codes = self.codes(&self.held(&[signed]));
        assert_eq!(codes.len(), 1);
        codes[0]
    }
}

fn revocation(bank: &Bank, of: Hash, issuer: &str, by: &str) -> Vec<u8> {
    let said = Revocation {
        log: bank.supplier.parties.log,
        issuer: slug(issuer),
        attestation: of,
        made: at(25, 30),
        reason: "issued-in-error".into(),
    };
    SignedRevocation::sign(&key(by), &said)
        .unwrap()
        .bytes()
        .to_vec()
}

#[test]
fn attestation_counts_with_everything_that_it_rests_on() {
    let bank = Bank::new();
    let (one, two) = (bank.signed(standing(1)), bank.signed(confirmation()));
    let judged = bank.judge(&bank.held(&[&one, &two]));
    assert_eq!(judged.refused, []);
    assert_eq!(judged.counted.len(), 2);
    let counted = &judged.counted[0];
    assert_eq!(counted.id, one.id());
    assert_eq!(counted.consent, bank.supplier.signed[0].id());
    assert_eq!(counted.facts, one.attestation.facts);
    let (said, _) = standing(2);
    assert_eq!(
        bank.code(&bank.signed((said, "tax 2"))),
        "counted",
        "either key"
    );
}

#[test]
fn no_flipped_bit_counts() {
    let bank = Bank::new();
    let signed = bank.signed(standing(1));
    let bytes = signed.bytes();
    let flipped = |bit: usize| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    let held = Held {
        attestations: (0..bytes.len() * 8).map(flipped).collect(),
        revocations: vec![],
    };
    let judged = bank.judge(&held);
    assert_eq!(judged.counted, []);
    assert_eq!(judged.refused.len(), bytes.len() * 8);
}

#[test]
fn what_does_not_count_says_why() {
    let bank = Bank::new();
    type Change = fn(&mut Attestation);
    let cases: [(&str, Change, &str); 8] = [
        ("tax 1", |_| (), "counted"),
        ("nobody", |_| (), "issuer"),
        ("buyer 1", |_| (), "issuer"),
        ("tax 1", |a| a.issuer = slug("nobody"), "issuer"),
        ("tax 1", |a| a.facts = confirmation().0.facts, "kind"),
        ("tax 1", |a| a.subject = slug("longjing"), "subject"),
        ("tax 1", |a| a.code = OTHER_CODE.parse().unwrap(), "subject"),
        ("tax 1", |a| a.issued = at(26, 1), "not-yet"),
    ];
    for (by, change, code) in cases {
        let (mut said, _) = standing(1);
        change(&mut said);
        assert_eq!(bank.code(&bank.signed((said, by))), code, "{by}");
    }
    let signed = bank.signed(standing(1));
    let mut elsewhere = signed.attestation.clone();
    elsewhere.log = Hash([9; 32]);
    let elsewhere = SignedAttestation::sign(&key("tax 1"), &elsewhere).unwrap();
    assert_eq!(bank.code(&elsewhere), "log");
    let mut forged = signed.bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let held = Held {
        attestations: vec![forged, b"no".to_vec()],
        revocations: vec![],
    };
    assert_eq!(bank.codes(&held), ["signature", "form"]);
}

#[test]
fn attestation_ends_when_it_says_so() {
    let mut bank = Bank::new();
    let signed = bank.signed(standing(1));
    for (clock, code) in [
        (at(24, 59), "not-yet"),
        (at(25, 0), "counted"),
        (at(199, 59), "counted"),
        (at(200, 0), "expired"),
    ] {
        bank.clock = clock;
        assert_eq!(bank.code(&signed), code, "{clock}");
    }
}

#[test]
fn its_issuer_revokes_it_and_nobody_else() {
    let bank = Bank::new();
    let signed = bank.signed(standing(1));
    let other = bank.signed(confirmation());
    let with = |revocation: Vec<u8>| Held {
        revocations: vec![revocation],
        ..bank.held(&[&signed, &other])
    };
    for by in ["tax 1", "tax 2"] {
        let revoked = with(revocation(&bank, signed.id(), "tax-office", by));
        assert_eq!(bank.codes(&revoked), ["counted", "revoked"]);
    }
    let foreign = [
        (
            revocation(&bank, signed.id(), "market", "buyer 1"),
            "not-held",
        ),
        (
            revocation(&bank, signed.id(), "tax-office", "buyer 1"),
            "issuer",
        ),
        (revocation(&bank, signed.id(), "nobody", "nobody"), "issuer"),
        (
            revocation(&bank, Hash([7; 32]), "tax-office", "tax 1"),
            "not-held",
        ),
        (b"no".to_vec(), "form"),
    ];
    for (revocation, code) in foreign {
        assert_eq!(bank.codes(&with(revocation)), ["counted", "counted", code]);
    }
}

#[test]
fn two_attestations_with_one_number_count_both_not() {
    let bank = Bank::new();
    let one = bank.signed(standing(1));
    let (mut said, by) = standing(1);
    said.expires = at(201, 0);
    let two = bank.signed((said, by));
    let three = bank.signed(standing(2));
    let held = bank.held(&[&one, &two, &three]);
    assert_eq!(bank.codes(&held), ["counted", "number", "number"]);
    let twice = bank.held(&[&one, &one]);
    assert_eq!(bank.codes(&twice), ["counted", "counted"], "the same bytes");
}

#[test]
fn consent_that_is_withdrawn_between_ends_it_even_if_granted_again() {
    let mut bank = Bank::new();
    let signed = bank.signed(standing(1));
    assert_eq!(bank.code(&signed), "counted");
    bank.supplier.sign(at(25, 30), Act::Withdrawal);
    assert_eq!(bank.code(&signed), "consent");
    let again = Act::Grant(grant(at(25, 45), at(240, 0)));
    bank.supplier.sign(at(25, 45), again);
    assert_eq!(bank.code(&signed), "consent");
    let (mut said, by) = standing(2);
    said.issued = at(25, 50);
    assert_eq!(bank.code(&bank.signed((said, by))), "counted");
}

#[test]
fn consent_must_have_covered_it_when_it_was_issued() {
    let mut bank = Bank::new();
    let (mut early, by) = standing(1);
    early.issued = at(0, 0) - std::time::Duration::from_secs(1);
    assert_eq!(bank.code(&bank.signed((early, by))), "consent");
    let signed = bank.signed(standing(2));
    let mut unknown = signed.attestation.clone();
    unknown.consent = Hash([7; 32]);
    let unknown = SignedAttestation::sign(&key("tax 1"), &unknown).unwrap();
    assert_eq!(bank.code(&unknown), "consent");
    // A renewal leaves what rests on the grant before as it was.
    let renewal = grant(at(25, 30), at(300, 0));
    bank.supplier.sign(at(25, 30), Act::Grant(renewal.clone()));
    assert_eq!(bank.code(&signed), "counted");
    // One that no longer names the kind ends it.
    let narrower = schemas::consent::Grant {
        attestations: vec![Kind::BuyerConfirmation],
        from: at(25, 40),
        ..renewal
    };
    bank.supplier.sign(at(25, 40), Act::Grant(narrower));
    assert_eq!(bank.code(&signed), "consent");
}

#[test]
fn an_issuers_key_has_no_other_role() {
    let bank = Bank::new();
    let policy = bank.supplier.world.trusted().policy().clone();
    let parse = |text: &str| Issuers::parse("issuers.toml", text, &policy);
    for of_policy in ["log", "witness 2", "registrar"] {
        let text = list().replace(&hexed("tax 2"), &hexed(of_policy));
        assert!(
            matches!(parse(&text), Err(IssuersError::Key { .. })),
            "{of_policy}"
        );
    }
    for registered in ["qinghe", "market", "market/dock-1"] {
        let text = list().replace(&hexed("tax 1"), &hexed(registered));
        let bank = Bank {
            issuers: parse(&text).unwrap(),
            ..Bank::new()
        };
        let (said, _) = standing(1);
        let signed = bank.signed((said, registered));
        assert_eq!(bank.code(&signed), "issuer", "{registered}");
    }
}

#[test]
fn a_list_that_breaks_a_rule_is_refused() {
    let policy = World::new(&DEVICES).trusted().policy().clone();
    let good = Issuers::parse("issuers.toml", &list(), &policy).unwrap();
    assert_eq!((good.version, good.hash), (3, sha256(list().as_bytes())));
    assert_eq!(good.find(&slug("market")).unwrap().name, "A buyer");
    let cases = [
        ("issuers/v1", "issuers/v2"),
        ("version = 3", "version = three"),
        ("version = 3", "version = 3\nmore = 1"),
        ("slug = \"market\"", "slug = \"tax-office\""),
        ("kinds = [\"buyer-confirmation\"]", "kinds = []"),
        ("kinds = [\"buyer-confirmation\"]", "kinds = [\"rumour\"]"),
        (&*hexed("tax 2"), &*hexed("tax 1")),
        (&*hexed("tax 2"), "00"),
        (&*hexed("tax 2"), "zz"),
    ];
    for (from, to) in cases {
        let text = list().replace(from, to);
        assert_ne!(text, list());
        assert!(
            Issuers::parse("issuers.toml", &text, &policy).is_err(),
            "{to}"
        );
    }
    let empty = list().replace(&format!("keys = [\"{}\"]", hexed("buyer 1")), "keys = []");
    assert!(matches!(
        Issuers::parse("issuers.toml", &empty, &policy),
        Err(IssuersError::Empty(_))
    ));
}
