//! An operator who lies about who holds which key.

use platform::registry::AdmitError;
use schemas::audit::{Alarm, check_list};
use schemas::event::Source;
use schemas::proof::{Class, Refusal};
use schemas::registry::{SignedRecord, State};

use crate::forge::{self, Paper, device, organisation, rows_of, verify};
use crate::world::World;
use crate::world::events::inspected;
use crate::world::people::{device_record, key_of, next_record, organisation_record};

fn class<T>(outcome: Result<T, Refusal>) -> Option<Class> {
    outcome.err().map(|refusal| refusal.class)
}

#[test]
fn what_the_forge_makes_honestly_verifies() {
    let paper = Paper::honest();
    paper.verify().unwrap();
    check_list(&paper.head(), &paper.list(), &[]).unwrap();
}

/// Caught by every reader of a bundle: no organisation that a registrar admitted answers for the
/// device. An honest platform would not have admitted it either.
#[tokio::test]
async fn an_operator_who_invents_a_device_is_caught() {
    let (invented, own) = (key_of("invented"), key_of("operator"));
    // Signed by the operator's own organisation.
    let record = device("qinghe/line-9", &invented, &own);
    let paper = Paper::of(invented.clone(), record, organisation("operator"));
    assert_eq!(class(paper.verify()), Some(Class::Organisation));
    // Signed by the operator's key, shown as if qinghe had.
    let mut paper = Paper::of(
        invented.clone(),
        device("qinghe/line-9", &invented, &own),
        organisation("operator"),
    );
    paper.records.push(organisation("qinghe"));
    paper.records.sort_by_key(|signed| signed.record.kid());
    paper.organisation = key_of("qinghe").kid();
    assert_eq!(class(paper.verify()), Some(Class::Organisation));
    // Signed by a second key of "qinghe" that no registrar has seen.
    let second = organisation_record(forge::policy().log, "qinghe", &own);
    let second = SignedRecord::sign(&own, second);
    let paper = Paper::of(
        invented.clone(),
        device("qinghe/line-9", &invented, &own),
        second,
    );
    assert_eq!(class(paper.verify()), Some(Class::Organisation));

    let mut world = World::start().await;
    world.admit("operator").await;
    world.admit("qinghe").await;
    let record = device_record(world.policy.log, "qinghe/line-9", &invented, |_| ());
    let signed = SignedRecord::sign(&own, record);
    let refused = world.admit_record(signed.bytes()).await;
    assert!(
        matches!(refused, Err(AdmitError::Organisation(_))),
        "{refused:?}"
    );
}

/// Caught by every reader: the organisation has not signed the record that holds the other key,
/// and a record put into an honest bundle has no path to its registry.
#[tokio::test]
async fn an_operator_who_swaps_a_key_is_caught() {
    let swapped = key_of("swapped");
    // The record is rewritten around the organisation's signature.
    let honest = device("qinghe/line-1", &key_of("qinghe/line-1"), &key_of("qinghe"));
    let forged = device("qinghe/line-1", &swapped, &key_of("operator"));
    let mut bytes = forged.bytes().to_vec();
    let (signature, kid) = (honest.bytes().len() - 64, key_of("operator").kid());
    let at = bytes.len() - 64;
    bytes[at..].copy_from_slice(&honest.bytes()[signature..]);
    let place = bytes
        .windows(32)
        .position(|window| window == kid.0)
        .unwrap();
    bytes[place..place + 32].copy_from_slice(&key_of("qinghe").kid().0);
    let forged = SignedRecord::parse(bytes).unwrap();
    let paper = Paper::of(swapped.clone(), forged, organisation("qinghe"));
    assert_eq!(class(paper.verify()), Some(Class::Organisation));

    // In an honest bundle the other key's record is not under the registry's root.
    let honest = Paper::honest();
    let other = Paper::of(
        swapped.clone(),
        device("qinghe/line-1", &swapped, &key_of("qinghe")),
        organisation("qinghe"),
    );
    let mut bundle = honest.bundle();
    let place = honest
        .records
        .iter()
        .position(|r| r.record.kid() == honest.device)
        .unwrap();
    let from = other
        .records
        .iter()
        .position(|r| r.record.kid() == other.device)
        .unwrap();
    bundle.keys[place].record = other.bundle().keys[from].record.clone();
    assert_eq!(class(verify(&bundle)), Some(Class::RegistryPath));

    // The platform does not let even the organisation swap a key silently: the old one is first
    // to be retired or revoked, which every later bundle shows.
    let world = World::with_line_1().await;
    let record = device_record(world.policy.log, "qinghe/line-1", &swapped, |_| ());
    let signed = SignedRecord::sign(&key_of("qinghe"), record);
    let refused = world.admit_record(signed.bytes()).await;
    assert!(matches!(refused, Err(AdmitError::Taken(_))), "{refused:?}");
}

/// Caught by the monitor, who rebuilds the root from the served list: a list with a key twice has
/// no root, one with it once has another. A bundle that shows both places is refused too.
#[test]
fn an_operator_who_lists_one_key_twice_is_caught() {
    let mut paper = Paper::honest();
    let active = paper
        .records
        .iter()
        .find(|r| r.record.kid() == paper.device)
        .unwrap()
        .clone();
    let revoked = next_record(
        &key_of("qinghe"),
        &active,
        State::Revoked {
            compromised_since: None,
        },
    );
    let once = paper.list();
    paper.records.push(revoked);
    paper.records.sort_by_key(|signed| signed.record.kid());
    let head = paper.head();
    assert_eq!(check_list(&head, &paper.list(), &[]), Err(Alarm::List(1)));
    assert_eq!(check_list(&head, &once, &[]), Err(Alarm::List(1)));
    let own = |index: &usize| paper.records[*index].record.kid() == paper.device;
    let twice: Vec<usize> = (0..3).filter(own).collect();
    let mut bundle = paper.bundle();
    bundle.keys = twice.iter().map(|&index| paper.key_row(index)).collect();
    (
        bundle.statements[0].device,
        bundle.statements[0].organisation,
    ) = (0, 1);
    assert_eq!(class(verify(&bundle)), Some(Class::RegistryPath));
}

/// Caught by the monitor: a key of an earlier list may change its state, never vanish.
#[test]
fn an_operator_who_hides_a_key_is_caught() {
    let paper = Paper::honest();
    let mut fewer = Paper::honest();
    fewer
        .records
        .retain(|record| record.record.kid() != paper.device);
    let mut head = fewer.head();
    head.version = 2;
    let alarm = check_list(&head, &fewer.list(), &paper.list());
    assert_eq!(
        alarm,
        Err(Alarm::KeyMissing {
            version: 2,
            kid: paper.device
        })
    );
}

/// Caught by every reader: the address in the statement is compared with the record's.
#[test]
fn an_operator_who_shows_another_devices_record_is_caught() {
    let (key, qinghe) = (key_of("qinghe/line-1"), key_of("qinghe"));
    let honest = device("qinghe/line-1", &key, &qinghe);
    let other = device("qinghe/line-2", &key_of("qinghe/line-2"), &qinghe);
    let mut paper = Paper::saying(
        key,
        honest,
        organisation("qinghe"),
        Source::Scan,
        rows_of(&inspected(1)),
    );
    paper.device = other.record.kid();
    paper.records = vec![other, organisation("qinghe")];
    paper.records.sort_by_key(|signed| signed.record.kid());
    assert_eq!(class(paper.verify()), Some(Class::Statement));
}
