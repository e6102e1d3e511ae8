use super::*;
use crate::key::SecretKey;

fn rule(audience: Audience, step: &str, withheld: &[&str]) -> Rule {
    Rule {
        audience,
        step: step.to_owned(),
        withheld: withheld.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn document() -> Disclosure {
    Disclosure {
        log: Hash([1; 32]),
        organisation: "qinghe".parse().unwrap(),
        version: 1,
        prev: Hash::ZERO,
        made: Instant::from_seconds(1_795_305_600),
        rules: vec![
            rule(Audience::Consumer, "", &["bizTransactionList"]),
            rule(Audience::Consumer, "shipping", &["tb:invoiceAmount"]),
            rule(Audience::Partner, "", &[]),
            rule(Audience::Bank, "", &[]),
            rule(Audience::Regulator, "", &[]),
        ],
    }
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

#[test]
fn document_reads_back_and_no_other_bytes_do() {
    let signed = SignedDisclosure::sign(&key(), &document()).unwrap();
    assert_eq!(signed.disclosure, document());
    assert_eq!(signed.verify(&key().public()), Ok(()));
    let bytes = signed.bytes().to_vec();
    for cut in 0..bytes.len() {
        assert!(SignedDisclosure::parse(bytes[..cut].to_vec()).is_err());
    }
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 0x20;
        let taken = SignedDisclosure::parse(flipped);
        let holds = taken.is_ok_and(|one| one.verify(&key().public()).is_ok());
        assert!(!holds, "{place}");
    }
}

#[test]
fn a_rule_for_a_step_adds_to_that_for_all_events() {
    let document = document();
    let withholds = |audience, step, name| document.withholds(audience, step, name);
    let consumer = Audience::Consumer;
    assert!(withholds(consumer, None, "bizTransactionList"));
    assert!(withholds(consumer, Some("shipping"), "bizTransactionList"));
    assert!(withholds(consumer, Some("shipping"), "tb:invoiceAmount"));
    assert!(!withholds(consumer, Some("storing"), "tb:invoiceAmount"));
    assert!(!withholds(consumer, None, "tb:invoiceAmount"));
    for audience in [Audience::Partner, Audience::Bank, Audience::Regulator] {
        assert!(!withholds(audience, Some("shipping"), "bizTransactionList"));
    }
}

#[test]
fn what_a_document_may_not_say_is_refused() {
    type Change = fn(&mut Disclosure);
    let wrong: [(Change, &str); 9] = [
        (|d| d.version = 0, "version is at least 1"),
        (|d| d.version = 2, "exactly at version 1"),
        (|d| d.prev = Hash([1; 32]), "exactly at version 1"),
        (|d| drop(d.rules.pop()), "each audience"),
        (|d| d.rules.swap(0, 1), "strictly increase by audience"),
        (
            |d| d.rules.insert(0, d.rules[0].clone()),
            "strictly increase by audience",
        ),
        (|d| d.rules[1].step = "a b".into(), "a step is"),
        (
            |d| d.rules[0].withheld = vec!["b".into(), "a".into()],
            "names strictly increase",
        ),
        (
            |d| d.rules[0].withheld = vec!["a\"b".into()],
            "members as an event may have them",
        ),
    ];
    for (change, said) in wrong {
        let mut document = document();
        change(&mut document);
        let error = SignedDisclosure::sign(&key(), &document).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        // A stranger's tool may sign it all the same.
        let signed = crate::cose::sign(&key(), TYP_DISCLOSURE, &document.payload());
        assert!(SignedDisclosure::parse(signed).is_err(), "{said}");
    }
}

#[test]
fn documents_of_an_organisation_follow_each_other() {
    let first = SignedDisclosure::sign(&key(), &document()).unwrap();
    assert_eq!(first.check_follows(None), Ok(()));
    let next = |change: fn(&mut Disclosure)| {
        let mut next = document();
        (next.version, next.prev) = (2, first.id());
        change(&mut next);
        SignedDisclosure::sign(&key(), &next).unwrap()
    };
    assert_eq!(next(|_| ()).check_follows(Some(&first)), Ok(()));
    assert!(next(|_| ()).check_follows(None).is_err());
    assert!(first.check_follows(Some(&first)).is_err());
    let breaks: [fn(&mut Disclosure); 4] = [
        |d| d.version = 3,
        |d| d.prev = Hash([9; 32]),
        |d| d.log = Hash([9; 32]),
        |d| d.organisation = "other".parse().unwrap(),
    ];
    for change in breaks {
        assert!(next(change).check_follows(Some(&first)).is_err());
    }
}

#[test]
fn another_kind_of_signed_object_is_refused() {
    let other = crate::cose::sign(&key(), crate::registry::TYP_RECORD, &document().payload());
    assert!(matches!(
        SignedDisclosure::parse(other),
        Err(DisclosureError::Typ(_))
    ));
}
