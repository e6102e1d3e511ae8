//! Proof bundles: any bytes, and a good bundle with one row changed.

use schemas::proof::{self, Bundle, Bytes, Report};
use serde_json::Value;

/// A proof bundle (`proof-bundle.md`): its form, and the verdict under no policy of one's own.
pub fn bundle(bytes: &[u8]) -> bool {
    let verified = proof::verify(bytes, None);
    let Ok(bundle) = Bundle::parse(bytes) else {
        assert!(verified.is_err(), "what is no bundle proves nothing");
        return false;
    };
    let again = bundle.to_json().expect("rows are JSON");
    assert_eq!(Bundle::parse(&again).as_ref(), Ok(&bundle));
    // Members of an object may stand in any order; nothing else has two spellings.
    let sorted = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.sort_unstable();
        bytes
    };
    assert!(sorted(&again) == sorted(bytes), "a bundle reads back");
    assert_eq!(proof::verify(&again, None).is_ok(), verified.is_ok());
    true
}

/// Kept bundles that verify: one of version 1, one of version 2 with everything that it can say.
const GOOD: [&[u8]; 2] = [
    include_bytes!("../corpus/bundle/good"),
    include_bytes!("../corpus/bundle/good-v2"),
];

/// A good bundle in which one row has other bytes: the first byte says what kind of row, the second
/// which one of which bundle, the rest is put there. Whatever is put there, nothing else is proven
/// than before.
pub fn bundle_row(bytes: &[u8]) -> bool {
    let Some((&[kind, place], rest)) = bytes.split_first_chunk() else {
        return false;
    };
    let good = GOOD[usize::from(place >> 7)];
    let mut changed = Bundle::parse(good).expect("the kept bundle is good");
    let trusted = changed.policies[0].entry.0.clone();
    put(&mut changed, kind, usize::from(place & 127), rest);
    let Ok(json) = changed.to_json() else {
        return false;
    };
    let Ok(report) = proof::verify(&json, Some(&trusted)) else {
        return false;
    };
    let before = proof::verify(good, Some(&trusted)).expect("the kept bundle verifies");
    assert_eq!(proven(&report), proven(&before), "nothing else is proven");
    true
}

fn row<T>(rows: &mut [T], place: usize) -> Option<&mut T> {
    let count = rows.len().max(1);
    rows.get_mut(place % count)
}

/// The bytes of this kind at this place, if the bundle has any.
fn bytes_at(bundle: &mut Bundle, kind: u8, place: usize) -> Option<&mut Bytes> {
    let fresh = bundle.fresh.as_mut();
    match kind {
        0 => row(&mut bundle.checkpoints, place).map(|row| &mut row.note),
        1 => row(&mut bundle.headers, place).map(|row| &mut row.entry),
        2 => row(&mut bundle.headers, place).map(|row| row.refused.get_or_insert(Bytes(vec![]))),
        3 => row(&mut bundle.keys, place).map(|row| &mut row.record),
        4 => row(&mut bundle.statements, place).map(|row| &mut row.statement),
        5 => {
            let statement = row(&mut bundle.statements, place)?;
            let later = statement.later.get_or_insert(vec![Bytes(vec![])]);
            row(later, place)
        }
        6 => row(&mut bundle.policies, place).map(|row| &mut row.entry),
        7 => row(&mut bundle.policies, place)?
            .handover
            .as_mut()
            .map(|row| &mut row.note),
        8 => fresh.map(|fresh| &mut fresh.entry),
        9 => row(&mut fresh?.keys, place).map(|row| &mut row.record),
        10 => row(&mut bundle.statements, place)?
            .seen
            .as_mut()
            .map(|row| &mut row.note),
        11 => {
            let members = row(&mut bundle.events, 0)?.members.as_deref_mut()?;
            row(members, place)?.value.as_mut()
        }
        _ => None,
    }
}

/// The index of this kind at this place.
fn index_at(bundle: &mut Bundle, kind: u8, place: usize) -> Option<&mut u64> {
    let fresh = bundle.fresh.as_mut();
    match kind {
        16 => row(&mut bundle.headers, place).map(|row| &mut row.index),
        17 => row(&mut bundle.keys, place).map(|row| &mut row.index),
        18 => row(&mut bundle.statements, place).map(|row| &mut row.index),
        19 => row(&mut bundle.events, place).map(|row| &mut row.index),
        20 => row(&mut bundle.policies, place).map(|row| &mut row.index),
        21 => fresh.map(|fresh| &mut fresh.index),
        22 => row(&mut fresh?.keys, place).map(|row| &mut row.index),
        _ => None,
    }
}

/// The path of this kind at this place.
fn path_at(bundle: &mut Bundle, kind: u8, place: usize) -> Option<&mut proof::Path> {
    let fresh = bundle.fresh.as_mut();
    match kind {
        32 => row(&mut bundle.headers, place).map(|row| &mut row.path),
        33 => row(&mut bundle.keys, place).map(|row| &mut row.path),
        34 => row(&mut bundle.statements, place).map(|row| &mut row.path),
        35 => row(&mut bundle.events, place).map(|row| &mut row.path),
        36 => row(&mut bundle.policies, place).map(|row| &mut row.path),
        37 => row(&mut bundle.policies, place)?.prefix.as_mut(),
        38 => row(&mut bundle.policies, place)?
            .handover
            .as_mut()
            .map(|row| &mut row.path),
        39 => row(&mut bundle.checkpoints, place).map(|row| &mut row.prefix),
        40 => fresh.map(|fresh| &mut fresh.path),
        41 => row(&mut fresh?.keys, place).map(|row| &mut row.path),
        42 => row(&mut bundle.statements, place)?
            .seen
            .as_mut()
            .map(|row| &mut row.prefix),
        _ => None,
    }
}

fn put(bundle: &mut Bundle, kind: u8, place: usize, rest: &[u8]) {
    if let Some(bytes) = bytes_at(bundle, kind, place) {
        bytes.0 = rest.to_vec();
    } else if let Some(index) = index_at(bundle, kind, place) {
        let digits = rest.iter().take(7);
        *index = digits.fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
    } else if let Some(path) = path_at(bundle, kind, place) {
        put_path(path, rest);
    }
}

fn put_path(path: &mut proof::Path, rest: &[u8]) {
    let (hashes, _) = rest.as_chunks::<32>();
    path.0 = hashes.iter().map(|hash| proof::Fixed(*hash)).collect();
}

/// What a reader is told: the events with the device that signed them.
fn proven(report: &Report) -> Vec<(String, u64, Value)> {
    let row = |event: &proof::VerifiedEvent| {
        let statement = &report.statements[event.statement];
        let device = statement.statement.payload.device.to_string();
        (device, event.index, event.shown())
    };
    report.events.iter().map(row).collect()
}
