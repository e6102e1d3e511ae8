//! Bundles of version 2: the table of cases, what each check refuses, selection.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "past/bundle.rs"]
mod bundle;
#[path = "past/cases.rs"]
mod cases;
#[path = "past/log.rs"]
mod log;

use std::collections::BTreeSet;

use bundle::Shown;
use cases::{FEWER, OTHER_KEY, leaf, succeeded};
use log::{FIRST, Past, Terms};
use schemas::audit::{Alarm, LogAudit};
use schemas::hash::{Hash, sha256};
use schemas::proof::{
    Bundle, Bytes, Class, Mark, MergeError, Refusal, Report, Version, merge, select, verify,
};
use schemas::registry::State;

const TIME: &str = "2026-11-22T08:00:00+08:00";
const ALL: Shown = Shown {
    fresh: true,
    seen: true,
};

fn check(bundle: &Bundle) -> Result<Report, Refusal> {
    verify(&bundle.to_json().unwrap(), None)
}

fn class(bundle: &Bundle) -> Class {
    check(bundle).unwrap_err().class
}

#[test]
fn the_table_of_cases_holds() {
    let cases = cases::all();
    assert_eq!(cases.len(), 19);
    for case in &cases {
        let outcome = verify(&case.bundle.to_json().unwrap(), Some(&case.trusted));
        match outcome {
            Ok(report) => {
                assert_eq!(report.verdict.to_string(), case.expected, "{}", case.name);
                let marks = &report.events[0].marks;
                let marks: Vec<String> = marks.iter().map(Mark::to_string).collect();
                assert_eq!(marks, case.marks, "{}", case.name);
            }
            Err(refusal) => {
                let found = refusal.class.to_string();
                assert_eq!(found, case.expected, "{}: {refusal}", case.name);
            }
        }
    }
}

/// Three policies: a witness leaves, then the log key changes.
fn long() -> (Past, [Hash; 3]) {
    let (mut past, first, second) = succeeded(FEWER);
    let seen = past.witness();
    past.succeed(OTHER_KEY);
    past.wait(60);
    let third = past.say("qinghe/store-1", TIME, Some(seen));
    past.anchor();
    past.witness();
    past.wait(60);
    past.admit("southroad", "association");
    past.witness();
    (past, [first, second, third])
}

#[test]
fn any_policy_of_the_chain_may_be_the_trusted_one() {
    let (past, ids) = long();
    let bytes = past.bundle(&ids, ALL).to_json().unwrap();
    for reign in 0..3 {
        let report = verify(&bytes, Some(&past.policy_entry(reign))).unwrap();
        assert!(report.policy_compared);
        assert_eq!(report.policy, past.reigns[2].policy);
    }
    let (stranger, ..) = succeeded(Terms { quorum: 1, ..FEWER });
    let refusal = verify(&bytes, Some(&stranger.policy_entry(1))).unwrap_err();
    assert_eq!(refusal.class, Class::Policy);
}

#[test]
fn what_a_statement_had_seen_bounds_it_from_below() {
    let (past, ids) = long();
    let good = past.bundle(&ids, ALL);
    let report = check(&good).unwrap();
    let last = report.statements.last().unwrap();
    assert_eq!(last.not_before.map(|time| time.as_seconds()), {
        let noted = past
            .notes
            .iter()
            .find(|noted| noted.note.checkpoint.size == last.statement.payload.seen.unwrap().0);
        let witnessed = noted.unwrap().note.check_bundled(&past.reigns[1].policy);
        let times = witnessed.unwrap().witnesses;
        times.iter().map(|(_, seconds)| *seconds as i64).min()
    });
    assert!(last.not_before.unwrap() < last.anchored);
    assert_eq!(report.statements[0].not_before, None);

    let mut bundle = good.clone();
    bundle.statements[0].seen = bundle.statements[2].seen.clone();
    assert_eq!(class(&bundle), Class::Statement);
    let mut bundle = good.clone();
    bundle.statements[2].seen.as_mut().unwrap().policy = 0;
    assert_eq!(class(&bundle), Class::Checkpoint);
    let mut bundle = good.clone();
    let note = bundle.checkpoints[0].note.clone();
    let seen = bundle.statements[2].seen.as_mut().unwrap();
    (seen.note, seen.policy) = (note, 0);
    assert_eq!(class(&bundle), Class::Checkpoint);
    let mut bundle = good.clone();
    let seen = bundle.statements[2].seen.as_mut().unwrap();
    seen.prefix.0.pop();
    assert_eq!(class(&bundle), Class::LogPath);
    let mut bundle = good;
    bundle.statements[2].seen.as_mut().unwrap().policy = 3;
    assert_eq!(class(&bundle), Class::Format);
}

#[test]
fn form_of_the_chain_is_strict() {
    let (past, ids) = long();
    let good = past.bundle(&ids, ALL);
    let format = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        assert_eq!(class(&bundle), Class::Format);
    };
    format(&|bundle| bundle.policies[1].prefix = None);
    format(&|bundle| bundle.policies[1].handover = None);
    format(&|bundle| bundle.policies[0].prefix = bundle.policies[1].prefix.clone());
    format(&|bundle| bundle.policies[0].handover = bundle.policies[1].handover.clone());
    format(&|bundle| bundle.policies.swap(0, 1));
    format(&|bundle| bundle.policies.clear());
    format(&|bundle| bundle.checkpoints[0].policy = 2);
    format(&|bundle| bundle.checkpoints.last_mut().unwrap().policy = 1);
    format(&|bundle| bundle.fresh.as_mut().unwrap().keys.reverse());
    format(&|bundle| bundle.fresh.as_mut().unwrap().keys.truncate(1));
    format(&|bundle| bundle.checkpoints[0].prefix = vec![Hash::ZERO; 65].into());
    format(&|bundle| bundle.version = Version::V1);
    let text = String::from_utf8(good.to_json().unwrap()).unwrap();
    let class = |text: String| verify(text.as_bytes(), None).unwrap_err().class;
    assert_eq!(class(text.replace("bundle/v2", "bundle/v1")), Class::Format);
    assert_eq!(class(text.replace("bundle/v2", "bundle/v3")), Class::Format);
    let more = text.replace("\"policies\"", "\"policy\":{},\"policies\"");
    assert_eq!(class(more), Class::Format);
}

#[test]
fn what_leads_from_one_policy_to_the_next_is_checked() {
    let (past, ids) = long();
    let good = past.bundle(&ids, ALL);
    let found = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        class(&bundle)
    };
    // The chain has a gap, or begins with one that stands elsewhere.
    assert_eq!(
        found(&|bundle| {
            bundle.policies.remove(1);
            bundle.checkpoints.retain(|row| row.policy != 1);
            bundle
                .checkpoints
                .iter_mut()
                .for_each(|row| row.policy /= 2);
            let last = bundle.checkpoints.len() - 1;
            bundle
                .headers
                .iter_mut()
                .for_each(|row| row.checkpoint = row.checkpoint.min(last));
            bundle.statements[2].seen = None;
        }),
        Class::Policy
    );
    assert_eq!(
        found(&|bundle| bundle.policies[1].index += 1),
        Class::Policy
    );
    // The hand-over of another size, of other signers, of another place.
    let note = |size: u64, reign: usize| Bytes(past.sign(reign, size).encode());
    let at = past.reigns[1].index + 1;
    for (size, reign, expected) in [
        (at + 1, 0, Class::Checkpoint),
        (at - 1, 0, Class::Checkpoint),
        (at, 1, Class::Checkpoint),
    ] {
        let changed = found(&|bundle| {
            bundle.policies[1].handover.as_mut().unwrap().note = note(size, reign);
        });
        assert_eq!(changed, expected, "{size} under {reign}");
    }
    let other = found(&|bundle| {
        let forged = past.sign_root(0, at, sha256(b"another history"));
        bundle.policies[1].handover.as_mut().unwrap().note = Bytes(forged.encode());
    });
    assert_eq!(other, Class::LogPath);
    let paths = [
        found(&|bundle| bundle.policies[1].path.0.truncate(1)),
        found(&|bundle| bundle.policies[2].prefix.as_mut().unwrap().0.truncate(1)),
        found(&|bundle| {
            bundle.checkpoints[0]
                .prefix
                .0
                .push(schemas::proof::Fixed([0; 32]))
        }),
        found(&|bundle| {
            let last = bundle.checkpoints.last_mut().unwrap();
            last.prefix = vec![Hash::ZERO].into();
        }),
    ];
    assert_eq!(paths, [Class::LogPath; 4]);
}

#[test]
fn a_recent_head_shows_exactly_the_keys_that_the_bundle_rests_on() {
    let (past, ids) = long();
    let good = past.bundle(&ids, ALL);
    let report = check(&good).unwrap();
    assert_eq!(report.fresh.unwrap().0.version, 4);
    let key = &report.statements[0].key;
    assert_eq!((key.registry_version, key.version), (4, 1));
    assert_eq!(key.time, Some(report.fresh.unwrap().1));
    let found = |change: &dyn Fn(&mut Bundle)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        class(&bundle)
    };
    let fresh = |bundle: &mut Bundle, change: &dyn Fn(&mut schemas::proof::Fresh)| {
        change(bundle.fresh.as_mut().unwrap());
    };
    // An older head, a header's entry, another place.
    let old = found(&|bundle| {
        fresh(bundle, &|fresh| {
            fresh.entry = Bytes(past.entries[past.registers[0].index as usize].clone());
        });
    });
    assert_eq!(old, Class::Header);
    let entry = good.headers[0].entry.clone();
    let header = found(&|bundle| fresh(bundle, &|fresh| fresh.entry = entry.clone()));
    assert_eq!(header, Class::Header);
    let moved = found(&|bundle| fresh(bundle, &|fresh| fresh.index -= 1));
    assert_eq!(moved, Class::LogPath);
    let path = found(&|bundle| fresh(bundle, &|fresh| fresh.keys[0].path.0.truncate(1)));
    assert_eq!(path, Class::RegistryPath);
    // A third organisation's record that nothing needs.
    let more = found(&|bundle| {
        fresh(bundle, &|fresh| {
            let register = past.registers.last().unwrap();
            let kid = log::key("southroad").kid();
            let (signed, salt) = &register.records[&kid];
            let (index, path) = register.tree().path(&kid).unwrap();
            fresh.keys.push(schemas::proof::FreshKey {
                record: Bytes(signed.bytes().to_vec()),
                salt: schemas::proof::Fixed(salt.0),
                index,
                path: path.into(),
            });
            fresh.keys.sort_by_key(|row| row.index);
        });
    });
    assert_eq!(more, Class::RegistryPath);
}

#[test]
fn a_monitor_reads_a_succession_and_alarms_at_a_policy_that_follows_nothing() {
    let (past, _) = long();
    let mut audit = LogAudit::new();
    for entry in &past.entries {
        audit.read(entry).unwrap();
    }
    let size = past.entries.len() as u64;
    let again = audit.read(&past.policy_entry(2));
    assert_eq!(again, Err(Alarm::PolicyChain(size)));
    let first = audit.read(&past.policy_entry(0));
    assert_eq!(first, Err(Alarm::PolicyChain(size + 1)));
}

#[test]
fn a_key_of_any_policy_has_no_record() {
    let mut past = Past::new();
    past.admit("witness-1", "association");
    past.enrol("witness-1/store-1");
    let id = past.say("witness-1/store-1", TIME, None);
    past.anchor();
    past.witness();
    past.succeed(Terms {
        witnesses: &["witness-2", "witness-4"],
        ..FIRST
    });
    past.witness();
    assert_eq!(class(&past.bundle(&[id], Shown::default())), Class::Record);
}

#[test]
fn a_registrar_is_asked_at_the_statements_own_header() {
    let (past, old, new) = succeeded(Terms {
        registrars: &["chamber"],
        ..FEWER
    });
    // Beside the older event, whose header shows the same registry first.
    let both = past.bundle(&[old, new], Shown::default());
    assert_eq!(class(&both), Class::Organisation);
    let first = past.bundle(&[old], Shown::default());
    assert!(check(&first).is_ok());
}

#[test]
fn any_selection_of_a_bundle_of_version_2_holds_and_adds_nothing() {
    let (past, ids) = long();
    let whole = past.bundle(&ids, ALL);
    let bytes = whole.to_json().unwrap();
    let leaves: Vec<Hash> = (0..3).map(|row| leaf(&whole, row)).collect();
    for chosen in 1..8_u32 {
        let wanted = (0..3).filter(|place| chosen & (1 << place) != 0);
        let wanted: BTreeSet<Hash> = wanted.map(|place| leaves[place]).collect();
        let part = select(&bytes, &wanted).unwrap();
        let report = verify(&part, Some(&past.policy_entry(0))).unwrap();
        let shown: BTreeSet<Hash> = report.events.iter().map(|event| event.leaf).collect();
        assert_eq!(shown, wanted);
        let form = Bundle::parse(&part).unwrap();
        assert_eq!(form.policies, whole.policies);
        assert_eq!(form.statements.len(), wanted.len());
        assert_eq!(form.to_json().unwrap(), part);
        assert_eq!(select(&part, &wanted).unwrap(), part);
    }
}

#[test]
fn bundles_of_one_end_merge_and_what_they_share_stands_once() {
    let (past, ids) = long();
    let whole = past.bundle(&ids, ALL).to_json().unwrap();
    let leaves: Vec<Hash> = {
        let form = Bundle::parse(&whole).unwrap();
        (0..3).map(|row| leaf(&form, row)).collect()
    };
    let part = |chosen: &[usize]| {
        let chosen = chosen.iter().map(|&place| leaves[place]).collect();
        select(&whole, &chosen).unwrap()
    };
    for parts in [
        vec![part(&[0]), part(&[1]), part(&[2])],
        vec![part(&[2]), part(&[0, 1])],
        vec![part(&[0, 2]), part(&[1, 2]), part(&[1])],
        vec![whole.clone()],
    ] {
        let merged = merge(parts.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(merged, whole);
    }
    let alone = part(&[0]);
    assert_eq!(merge([&alone[..], &alone]).unwrap(), alone);
}

#[test]
fn bundles_of_different_ends_do_not_merge() {
    let (mut past, ids) = long();
    let early = past.bundle(&ids[..1], ALL).to_json().unwrap();
    let bare = past.bundle(&ids[1..2], Shown::default()).to_json().unwrap();
    past.event(TIME);
    let late = past.bundle(&ids[1..2], ALL).to_json().unwrap();
    let refused = |parts: &[&[u8]]| merge(parts.iter().copied()).unwrap_err();
    let at = refused(&[&early, &late]);
    assert!(matches!(at, MergeError::Checkpoint), "{at:?}");
    let at = refused(&[&early, &bare]);
    assert!(matches!(at, MergeError::Fresh), "{at:?}");
    assert!(matches!(refused(&[]), MergeError::Nothing));
    assert!(matches!(refused(&[b"{}"]), MergeError::Bundle(_)));
}

#[test]
fn bundles_that_hold_alone_but_not_together_do_not_merge() {
    let mut past = Past::new();
    let mut anchored = || {
        let id = past.say("qinghe/store-1", TIME, None);
        past.anchor();
        id
    };
    let (first, second) = (anchored(), anchored());
    past.witness();
    past.wait(60);
    past.admit("southroad", "association");
    past.witness();
    // The first header at the last checkpoint, though an earlier one covers it too.
    let mut late = past.bundle(&[first], ALL);
    late.checkpoints.remove(0);
    let (index, last) = (late.headers[0].index, past.tree.size());
    late.headers[0].path = past.tree.inclusion(index, last).unwrap().into();
    late.headers[0].checkpoint = 0;
    let early = past.bundle(&[second], ALL);
    for bundle in [&late, &early] {
        check(bundle).unwrap();
    }
    let parts = [late.to_json().unwrap(), early.to_json().unwrap()];
    let error = merge(parts.iter().map(Vec::as_slice)).unwrap_err();
    assert!(matches!(error, MergeError::Together(_)), "{error:?}");
}

#[test]
fn a_merged_event_shows_what_any_of_its_disclosures_shows() {
    let (past, ids) = long();
    let whole = past.bundle(&ids[..1], ALL);
    let hidden = |which: usize| {
        let mut bundle = whole.clone();
        let row = &mut bundle.events[0].members.as_mut().unwrap()[which];
        let (salt, value) = (row.salt.take().unwrap(), row.value.take().unwrap());
        let salt = schemas::event::Salt(salt.0);
        row.hash = Some(schemas::event::value_hash(&salt, &value.0).into());
        check(&bundle).unwrap();
        bundle.to_json().unwrap()
    };
    let merged = merge([&hidden(0)[..], &hidden(5)]).unwrap();
    assert_eq!(merged, whole.to_json().unwrap());
}

#[test]
fn no_byte_of_a_bundle_of_version_2_can_change() {
    let (past, ids) = long();
    let bytes = past.bundle(&ids[2..], ALL).to_json().unwrap();
    check(&Bundle::parse(&bytes).unwrap()).unwrap();
    // Every seventh byte: each kind of field is met, and the test stays short.
    for at in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let outcome = verify(&damaged, None);
        assert!(outcome.is_err(), "byte {at} of {}", bytes.len());
    }
}

#[test]
fn without_a_recent_head_the_newest_record_of_the_bundle_counts() {
    let mut past = Past::new();
    let first = past.event(TIME);
    let last = Some(past.last_of("qinghe/store-1"));
    past.enrol("qinghe/store-2");
    past.set_state("qinghe/store-1", State::Retired { last }, "qinghe");
    let late = past.say("qinghe/store-2", TIME, None);
    past.anchor();
    past.witness();
    let alone = check(&past.bundle(&[first], Shown::default())).unwrap();
    assert_eq!(alone.events[0].marks, []);
    assert_eq!(alone.statements[0].key.registry_version, 2);
    let beside = check(&past.bundle(&[first, late], Shown::default())).unwrap();
    assert_eq!(beside.statements[0].key.registry_version, 2);
}
