mod force;

use std::collections::BTreeSet;

use super::*;
use crate::key::SecretKey;
use crate::registry::{Record, Role, State};

const LOG: Hash = Hash([1; 32]);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn at(days: u32) -> Instant {
    Instant::from_seconds(1_795_305_600) + DAY * days
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

fn record_of(key: &SecretKey, state: State) -> Record {
    let supplier = "qinghe".parse().unwrap();
    Record {
        state,
        ..Record::first(LOG, supplier, Role::Organisation, key.public())
    }
}

fn record() -> Record {
    record_of(&key(), State::Active)
}

fn grant() -> Grant {
    Grant {
        from: at(0),
        until: at(90),
        purposes: vec![Purpose::Assess],
        devices: vec![],
        steps: vec![],
        withheld: vec!["tb:invoiceAmount".into()],
        attestations: vec![AttestationKind::TaxStanding],
    }
}

fn first() -> Consent {
    Consent {
        log: LOG,
        supplier: "qinghe".parse().unwrap(),
        bank: "first-bank".parse().unwrap(),
        number: 1,
        prev: Hash::ZERO,
        made: at(0),
        act: Act::Grant(grant()),
    }
}

fn sign(consent: &Consent) -> SignedConsent {
    SignedConsent::sign(&key(), consent).unwrap()
}

fn next(before: &SignedConsent, made: Instant, act: Act) -> SignedConsent {
    sign(&Consent {
        number: before.consent.number + 1,
        prev: before.id(),
        made,
        act,
        ..first()
    })
}

/// A chain whose documents were all taken and logged on the day that they were made.
fn chain(documents: &[&SignedConsent], known: Option<Mark>) -> Consents {
    let first = first();
    let mut chain = Consents::new(LOG, first.supplier, first.bank, known);
    for signed in documents {
        let now = signed.consent.made;
        chain.take((*signed).clone(), &record(), now).unwrap();
        assert!(chain.prove_logged(&signed.hash()));
    }
    chain
}

fn need() -> Need {
    Need::whole(Purpose::Assess)
}

/// Code of the answer on a day, with the clock right.
fn answer(chain: &Consents, need: &Need, day: u32) -> &'static str {
    let record = record();
    let found = chain.in_force(need, Moment::new(at(day), None), |_| Some(&record));
    found.map_or_else(|refused| refused.reason.code(), |_| "granted")
}

#[test]
fn document_reads_back_and_no_other_bytes_do() {
    let grant = sign(&first());
    let withdrawal = next(&grant, at(1), Act::Withdrawal);
    for signed in [grant, withdrawal] {
        assert_eq!(
            SignedConsent::parse(signed.bytes().to_vec()).unwrap(),
            signed
        );
        signed.verify_by(&record()).unwrap();
        let bytes = signed.bytes().to_vec();
        for cut in 0..bytes.len() {
            assert!(SignedConsent::parse(bytes[..cut].to_vec()).is_err());
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let taken = SignedConsent::parse(flipped);
            let holds = taken.is_ok_and(|one| one.verify_by(&record()).is_ok());
            assert!(!holds, "bit {bit}");
        }
    }
}

#[test]
fn longest_document_is_within_its_limit() {
    let names = |count: usize, long: usize| -> Vec<String> {
        (0..count).map(|n| format!("{n:0>long$}")).collect()
    };
    let slugs = names(DEVICES_MAX, 32);
    let most = Grant {
        purposes: Purpose::ALL.to_vec(),
        devices: slugs.iter().map(|text| text.parse().unwrap()).collect(),
        steps: names(STEPS_MAX, STEP_MAX),
        withheld: names(WITHHELD_MAX, crate::event::NAME_MAX),
        attestations: AttestationKind::ALL.to_vec(),
        until: at(366),
        ..grant()
    };
    let mut consent = first();
    consent.act = Act::Grant(most);
    assert!(sign(&consent).bytes().len() <= CONSENT_MAX);
}

#[test]
fn what_a_document_may_not_say_is_refused_and_named() {
    type Change = fn(&mut Consent);
    fn of(consent: &mut Consent, change: impl Fn(&mut Grant)) {
        if let Act::Grant(grant) = &mut consent.act {
            change(grant);
        }
    }
    let wrong: [(Change, &str); 16] = [
        (|c| c.number = 0, "number: "),
        (|c| c.number = 2, "prev: "),
        (|c| c.prev = Hash([1; 32]), "prev: "),
        (|c| c.bank = c.supplier.clone(), "bank: "),
        (|c| c.act = Act::Withdrawal, "kind: "),
        (|c| c.made = at(1), "from: "),
        (|c| of(c, |g| g.until = g.from), "until: it is later"),
        (
            |c| of(c, |g| g.until = at(366) + Duration::from_micros(1)),
            "until: it is at most 366",
        ),
        (|c| of(c, |g| g.purposes.clear()), "purposes: "),
        (
            |c| of(c, |g| g.purposes = vec![Purpose::Watch, Purpose::Assess]),
            "purposes: ",
        ),
        (
            |c| of(c, |g| g.devices = vec!["a".parse().unwrap(); 2]),
            "devices: ",
        ),
        (|c| of(c, |g| g.steps = vec!["a b".into()]), "steps: each"),
        (|c| of(c, |g| g.steps = vec![String::new()]), "steps: each"),
        (
            |c| of(c, |g| g.withheld = vec!["b".into(), "a".into()]),
            "withheld: at most",
        ),
        (
            |c| of(c, |g| g.withheld = vec!["a\"b".into()]),
            "withheld: names",
        ),
        (
            |c| {
                of(c, |g| {
                    g.attestations = vec![AttestationKind::TaxStanding; 2]
                })
            },
            "attestations: ",
        ),
    ];
    for (change, said) in wrong {
        let mut consent = first();
        change(&mut consent);
        let error = SignedConsent::sign(&key(), &consent).unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
        // A stranger's tool may sign it all the same.
        let signed = crate::cose::sign(&key(), TYP_CONSENT, &consent.payload());
        assert!(SignedConsent::parse(signed).is_err(), "{said}");
    }
}

#[test]
fn another_kind_of_signed_object_is_refused() {
    let other = crate::cose::sign(&key(), crate::registry::TYP_CONSENT, &first().payload());
    assert!(matches!(
        SignedConsent::parse(other),
        Err(ConsentError::Typ(_))
    ));
}

#[test]
fn only_an_active_organisation_key_of_the_supplier_signs() {
    let signed = sign(&first());
    let other = SecretKey::from_seed(&[4; 32]);
    let breaks: [fn(&mut Record); 5] = [
        |r| r.role = Role::Configuration,
        |r| r.organisation = "other".parse().unwrap(),
        |r| r.log = Hash([9; 32]),
        |r| r.state = State::Suspended,
        |r| r.state = State::Retired { last: None },
    ];
    for change in breaks {
        let mut record = record();
        change(&mut record);
        let refused = signed.verify_by(&record);
        assert!(matches!(refused, Err(ConsentError::Signer(..))));
    }
    let foreign = record_of(&other, State::Active);
    assert!(signed.verify_by(&foreign).is_err());
    // A stranger signs in the supplier's name and names the supplier's key.
    let forged = crate::cose::sign(&other, TYP_CONSENT, &first().payload());
    let place = forged.windows(32).position(|part| part == other.kid().0);
    let mut renamed = forged;
    let place = place.unwrap();
    renamed[place..place + 32].copy_from_slice(&key().kid().0);
    let parsed = SignedConsent::parse(renamed).unwrap();
    assert!(matches!(
        parsed.verify_by(&record()),
        Err(ConsentError::Key(_))
    ));
}

#[test]
fn documents_follow_each_other() {
    let one = sign(&first());
    assert_eq!(one.check_follows(None), Ok(()));
    let two = next(&one, at(1), Act::Withdrawal);
    assert_eq!(two.check_follows(Some(&one)), Ok(()));
    assert!(two.check_follows(None).is_err());
    let three = next(&two, at(1), Act::Withdrawal);
    assert!(three.check_follows(Some(&two)).is_err());
    let breaks: [fn(&mut Consent); 6] = [
        |c| c.number = 3,
        |c| c.prev = Hash([9; 32]),
        |c| c.log = Hash([9; 32]),
        |c| c.supplier = "other".parse().unwrap(),
        |c| c.bank = "other".parse().unwrap(),
        |c| c.made = at(0) - DAY,
    ];
    for change in breaks {
        let mut consent = two.consent.clone();
        change(&mut consent);
        assert!(sign(&consent).check_follows(Some(&one)).is_err());
    }
}
