use schemas::attestation::TYP_ATTESTATION;
use schemas::consent::{Act, TYP_CONSENT};
use schemas::cose;
use schemas::event::Source;

use super::fixture::{Supplier, grant, key};
use super::*;
use crate::evidence::Refused;
use crate::testing::*;

fn right(clock: Instant) -> Moment {
    Moment::new(clock, None)
}

#[test]
fn consent_is_read_from_its_documents_and_counts_while_it_is_in_force() {
    let supplier = Supplier::granting();
    let chain = supplier.chain();
    let answer = |hours| supplier.answer(&chain, right(at(hours, 0)));
    assert_eq!(answer(24), "granted");
    assert_eq!(answer(239), "granted");
    assert_eq!(answer(240), "consent-expired");
    let none = supplier.read(&[], Remembered::default()).unwrap();
    assert_eq!(supplier.answer(&none, right(at(24, 0))), NO_CONSENT);
}

#[test]
fn withdrawal_counts_without_a_proof_and_a_grant_does_not() {
    let mut supplier = Supplier::granting();
    let mut shown = supplier.shown();
    shown[0].proof = None;
    let unlogged = supplier.read(&shown, Remembered::default()).unwrap();
    assert_eq!(
        supplier.answer(&unlogged, right(at(24, 0))),
        "consent-not-logged"
    );
    supplier.sign(at(30, 0), Act::Withdrawal);
    let mut shown = supplier.shown();
    shown[1].proof = None;
    let withdrawn = supplier.read(&shown, Remembered::default()).unwrap();
    assert_eq!(
        supplier.answer(&withdrawn, right(at(31, 0))),
        "consent-withdrawn"
    );
}

#[test]
fn a_proof_of_something_else_proves_nothing() {
    let supplier = Supplier::granting();
    let hash = supplier.signed[0].hash();
    let other = World::with_origin("log.test/other", &DEVICES);
    let mut forged: serde_json::Value =
        serde_json::from_slice(&supplier.proof(KIND, hash)).unwrap();
    forged["index"] = serde_json::json!(0);
    let proofs = [
        supplier.proof(KIND, sha256_of(b"another")),
        supplier.proof("disclosure", hash),
        serde_json::to_vec(&forged).unwrap(),
        b"{}".to_vec(),
    ];
    for proof in proofs {
        let mut shown = supplier.shown();
        shown[0].proof = Some(proof);
        let unread = supplier.read(&shown, Remembered::default()).unwrap_err();
        assert!(
            unread
                .to_string()
                .starts_with("consent document 0: proof: ")
        );
        assert_eq!(Refused::from(unread).class, "consent-document");
    }
    let (parties, shown) = (&supplier.parties, supplier.shown());
    let nothing = Remembered::default();
    let foreign = other.trusted();
    let unread = read(
        parties,
        &shown,
        &supplier.signers,
        &foreign,
        nothing,
        at(24, 0),
    );
    assert!(unread.unwrap_err().to_string().contains("proof: policy"));
}

fn sha256_of(bytes: &[u8]) -> Hash {
    schemas::hash::sha256(bytes)
}

#[test]
fn documents_of_strangers_and_broken_ones_are_refused_and_named() {
    let supplier = Supplier::granting();
    let payload = supplier.signed[0].consent.payload();
    let mut flipped = supplier.signed[0].bytes().to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let cases = [
        (cose::sign(&key("market"), TYP_CONSENT, &payload), "kid: "),
        (cose::sign(&key("nobody"), TYP_CONSENT, &payload), "kid: "),
        (
            cose::sign(&key("qinghe/line-1"), TYP_CONSENT, &payload),
            "kid: ",
        ),
        (
            cose::sign(&key("qinghe"), TYP_ATTESTATION, &payload),
            "the object is of type",
        ),
        (flipped, "the document is refused: the signature"),
        (vec![0; 4], "not the form"),
    ];
    for (document, said) in cases {
        let shown = Shown {
            document,
            proof: None,
        };
        let unread = supplier.read(&[shown], Remembered::default());
        let told = unread.unwrap_err().to_string();
        assert!(told.contains(said), "{told}");
    }
    let many = vec![supplier.shown().remove(0); DOCUMENTS_MAX + 1];
    assert_eq!(
        supplier.read(&many, Remembered::default()).unwrap_err(),
        Unread::TooMany
    );
}

#[test]
fn what_was_seen_is_remembered_and_a_withdrawal_cannot_be_hidden_again() {
    let mut supplier = Supplier::granting();
    supplier.sign(at(30, 0), Act::Withdrawal);
    let chain = supplier.chain();
    let remembered = Remembered::default().after(&chain, right(at(31, 0)));
    assert_eq!(remembered.mark.unwrap().number, 2);
    for documents in [0, 1] {
        let older = supplier
            .read(&supplier.shown()[..documents], remembered)
            .unwrap();
        assert_eq!(
            supplier.answer(&older, right(at(32, 0))),
            "consent-rolled-back"
        );
        assert_eq!(
            remembered.after(&older, right(at(32, 0))).mark,
            remembered.mark
        );
    }
}

#[test]
fn clock_that_is_moved_back_is_held_against_what_was_seen_and_said() {
    let supplier = Supplier::granting();
    let chain = supplier.chain();
    let late = right(at(250, 0));
    assert_eq!(supplier.answer(&chain, late), "consent-expired");
    let remembered = Remembered::default().after(&chain, late);
    let back = remembered.moment(at(20, 0), None);
    assert_eq!((back.counted, back.clock), (at(250, 0), at(20, 0)));
    assert_eq!(supplier.answer(&chain, back), "consent-expired");
    let need = consent::Need::whole(consent::Purpose::Assess);
    let refused = chain.in_force(&need, back, |kid| supplier.signers.record(kid));
    let told = Refused::from(refused.unwrap_err()).detail;
    assert!(told.contains("behind what was seen"), "{told}");
    assert_eq!(remembered.after(&chain, back), remembered, "it never falls");
    // The evidence itself was witnessed at the end of the day.
    let witnessed = Remembered::default().moment(at(3, 0), Some(&supplier.evidence));
    assert_eq!(witnessed.counted, at(24, 0));
}

#[test]
fn two_documents_with_one_number_are_a_fork_that_the_answer_names() {
    let mut supplier = Supplier::granting();
    supplier.sign(at(30, 0), Act::Withdrawal);
    let mut shown = supplier.shown();
    supplier.signed.pop();
    supplier.sign(at(30, 0), Act::Grant(grant(at(30, 0), at(200, 0))));
    shown.extend(supplier.shown().pop());
    let forked = supplier.read(&shown, Remembered::default()).unwrap();
    assert_eq!(supplier.answer(&forked, right(at(31, 0))), "consent-forked");
}

#[test]
fn evidence_of_another_supplier_is_foreign() {
    let supplier = Supplier::granting();
    let grant = grant(at(0, 0), at(240, 0));
    assert_eq!(
        keeps_to(&supplier.evidence, &slug("qinghe"), &grant),
        Ok(())
    );
    let other = slug("longjing");
    let beyond = keeps_to(&supplier.evidence, &other, &grant).unwrap_err();
    assert_eq!(beyond, Beyond::Foreign(other));
    assert_eq!(Refused::from(beyond).class, "foreign");
}

#[test]
fn evidence_beyond_the_granted_devices_and_steps_is_refused_and_others_confirmations_are_not() {
    let supplier = Supplier::granting();
    let own = slug("qinghe");
    let judge = |devices: &[&str], steps: &[&str]| {
        let narrow = Grant {
            devices: devices.iter().map(|device| slug(device)).collect(),
            steps: steps.iter().map(|step| (*step).to_owned()).collect(),
            ..grant(at(0, 0), at(240, 0))
        };
        keeps_to(&supplier.evidence, &own, &narrow)
    };
    let all = [
        "commissioning",
        "inspecting",
        "packing",
        "shipping",
        "storing",
    ];
    assert_eq!(judge(&["cold-1", "line-1"], &all), Ok(()));
    for (devices, steps) in [(&["line-1"][..], &[][..]), (&[], &all[..4])] {
        let beyond = judge(devices, steps).unwrap_err();
        assert!(matches!(&beyond, Beyond::NotGranted { device, .. } if device == "qinghe/cold-1"));
        assert_eq!(Refused::from(beyond).class, "consent-beyond");
    }
}

#[test]
fn event_that_is_wholly_withheld_shows_nothing_and_is_not_beyond() {
    let mut world = World::new(&DEVICES);
    tell_journey(&mut world, &COLD);
    let told = inspecting(at(7, 0), LOT, "conformant");
    let order = world.say("qinghe/line-1", at(7, 0), &[(Source::Scan, told)]);
    let narrow = Grant {
        steps: ["commissioning", "packing", "shipping", "storing"]
            .map(str::to_owned)
            .to_vec(),
        ..grant(at(0, 0), at(240, 0))
    };
    let verified = |world: &mut World, events: &[(usize, u64)]| {
        let held_back = HoldBack {
            events: events.iter().copied().collect(),
            ..HoldBack::default()
        };
        let bundle = world.bundle(at(24, 0), &held_back).to_json().unwrap();
        verify::verify(&bundle, &world.trusted()).unwrap()
    };
    let own = slug("qinghe");
    let shown = verified(&mut world, &[(0, 1)]);
    assert!(keeps_to(&shown, &own, &narrow).is_err());
    let withheld = verified(&mut world, &[(0, 1), (order, 0)]);
    assert_eq!(keeps_to(&withheld, &own, &narrow), Ok(()));
}

#[test]
fn signers_are_the_organisations_and_every_key_is_known() {
    let supplier = Supplier::new();
    for name in ["qinghe", "market"] {
        let record = supplier.signers.record(&key(name).kid()).unwrap();
        assert_eq!(record.organisation, slug(name));
    }
    let device = key("qinghe/line-1").kid();
    assert!(supplier.signers.record(&device).is_none());
    assert!(supplier.signers.is_registered(&device));
    assert!(!supplier.signers.is_registered(&key("nobody").kid()));
    assert!(Signers::of(b"{}").is_err());
}
