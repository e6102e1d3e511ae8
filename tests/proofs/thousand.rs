//! A thousand bundles drawn from a seed, half of them corrupted, before three verifiers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use schemas::hash::Hash;
use schemas::proof::{self, Bundle, Version, select};
use serde_json::Value;

use super::agreement::{forged, none, seed};
use super::corrupt::{Corrupted, Vandal};
use super::damage::{Anatomy, FIELDS_1, FIELDS_2, damage};
use super::judges::{Judge, disagreements};
use super::pasts::{Honest, Life};
use super::sample::{Samples, samples};

/// Bundles that hold, and as many that were corrupted.
const HONEST: usize = 500;
/// Of those that hold, how many are of the platform's own making; the others are of pasts.
const OF_PLATFORM: usize = 120;
/// Corrupted ones with every signature right, of each class and version, from the Python tests.
const FORGED: usize = 5;
/// Corrupted ones by hand of the vandal of `corrupt.rs`.
const VANDALISED: usize = 80;
const SHAPES: [&str; 4] = ["event", "product", "chain", "score"];

/// What is drawn: each with whether its reader trusts the first policy of the pasts.
struct Drawn {
    bundles: Vec<Corrupted>,
    trusts: Vec<bool>,
}

impl Drawn {
    fn push(&mut self, bundle: Corrupted, trusts: bool) {
        self.bundles.push(bundle);
        self.trusts.push(trusts);
    }
}

/// A bundle of one policy in the form of this version.
fn written_as(version: Version, mut bundle: Bundle) -> Vec<u8> {
    assert_eq!(bundle.policies.len(), 1);
    if version == Version::V1 {
        bundle.fresh = None;
        bundle.statements.iter_mut().for_each(|row| row.seen = None);
    }
    bundle.version = version;
    bundle.to_json().unwrap()
}

/// Some events out of what a platform has made, half of them in the form of version 1.
fn of_platform(chance: &mut StdRng, samples: &Samples) -> Honest {
    let names: Vec<&&str> = samples.bundles.keys().collect();
    let name = **names.choose(chance).unwrap();
    let whole = &samples.bundles[name];
    let report = proof::verify(whole, None).unwrap();
    let leaves: Vec<Hash> = report.events.iter().map(|event| event.leaf).collect();
    let least = chance.random_range(0..leaves.len());
    let chosen: BTreeSet<Hash> = (leaves.iter().enumerate())
        .filter(|(place, _)| *place == least || chance.random_bool(0.5))
        .map(|(_, leaf)| *leaf)
        .collect();
    // Statements without events, notes among them, are in the whole alone.
    let (events, bytes) = match chance.random_bool(0.3) {
        true => (leaves.len(), whole.clone()),
        false => (chosen.len(), select(whole, &chosen).unwrap()),
    };
    let version = *[Version::V1, Version::V2].choose(chance).unwrap();
    let bytes = written_as(version, Bundle::parse(&bytes).unwrap());
    Honest {
        shape: "platform",
        how: format!("{name} of the platform, {events} events, {version:?}"),
        bytes,
    }
}

/// Bundles that hold, and the policy that those of pasts begin with.
fn honest(chance: &mut StdRng, samples: &Samples) -> (Vec<Honest>, Vec<u8>) {
    let mut bundles: Vec<Honest> = (0..OF_PLATFORM)
        .map(|_| of_platform(chance, samples))
        .collect();
    let mut first = Vec::new();
    while bundles.len() < HONEST {
        let life = Life::draw(chance);
        first = life.first_policy();
        for shape in SHAPES.into_iter().cycle().take(12) {
            bundles.extend(life.bundle(chance, shape));
        }
    }
    bundles.truncate(HONEST);
    (bundles, first)
}

/// Damages each kind of value of each version at least once, then any, so many in all. How often
/// each was damaged.
fn damaged(
    chance: &mut StdRng,
    honest: &[Honest],
    count: usize,
    drawn: &mut Drawn,
) -> BTreeMap<(u8, String), usize> {
    let all: Vec<Anatomy> = honest
        .iter()
        .map(|bundle| Anatomy::of(&bundle.how, &bundle.bytes))
        .collect();
    let mut with: BTreeMap<(u8, String), Vec<usize>> = BTreeMap::new();
    for (place, anatomy) in all.iter().enumerate() {
        for kind in anatomy.kinds.keys().filter(|kind| !kind.is_empty()) {
            let of_kind = with.entry((anatomy.version, kind.clone())).or_default();
            of_kind.push(place);
        }
    }
    let kinds: Vec<&(u8, String)> = with.keys().collect();
    let mut counts = BTreeMap::new();
    for turn in 0..count {
        let kind = match kinds.get(turn) {
            Some(kind) => *kind,
            None => *kinds.choose(chance).unwrap(),
        };
        let place = *with[kind].choose(chance).unwrap();
        let donor = &all[chance.random_range(0..all.len())];
        let corrupted = damage(chance, &all[place], &kind.1, donor);
        drawn.push(corrupted, honest[place].shape != "platform");
        *counts.entry(kind.clone()).or_insert(0) += 1;
    }
    counts
}

fn vandalised(chance: &mut StdRng, samples: &Samples, drawn: &mut Drawn) {
    let mut vandal = Vandal::new(seed() + 1, samples);
    for _ in 0..VANDALISED {
        let Corrupted { how, mut bytes } = vandal.next();
        let whole = Bundle::parse(&bytes).ok();
        if let Some(bundle) = whole.filter(|bundle| bundle.policies.len() == 1) {
            let version = *[Version::V1, Version::V2].choose(chance).unwrap();
            bytes = written_as(version, bundle);
        }
        drawn.push(Corrupted { how, bytes }, false);
    }
}

/// Every field that the documents name was damaged, in each version that has it.
fn every_field_was_damaged(counts: &BTreeMap<(u8, String), usize>) {
    let of = |version, fields: &[&str]| -> Vec<(u8, String)> {
        let key = |field: &&str| (version, (*field).to_owned());
        fields.iter().map(key).collect()
    };
    let in_both = |field: &&&str| !field.starts_with("/policy/") && **field != "/checkpoints/*";
    let both: Vec<&str> = FIELDS_1.iter().filter(in_both).copied().collect();
    for field in [of(1, &FIELDS_1), of(2, &both), of(2, &FIELDS_2)].concat() {
        assert!(counts.contains_key(&field), "{field:?} was never damaged");
    }
    let least = counts.values().min().unwrap();
    println!(
        "{} kinds of values damaged, each at least {least} times",
        counts.len()
    );
}

/// Judges all, those whose reader trusts the first policy of the pasts apart from the others. What
/// Rust says of each, in the order of `drawn`.
fn judged(drawn: Drawn, first: &[u8]) -> Vec<(Corrupted, Value)> {
    let (mut trusting, mut others) = (Vec::new(), Vec::new());
    for (bundle, trusts) in drawn.bundles.into_iter().zip(drawn.trusts) {
        let readers = if trusts { &mut trusting } else { &mut others };
        readers.push(bundle);
    }
    let mut said = Vec::new();
    for (bundles, policy) in [(trusting, Some(first)), (others, None)] {
        let (found, ours) = disagreements(&[Judge::Python, Judge::Browser], &bundles, policy);
        none(&found);
        said.extend(bundles.into_iter().zip(ours));
    }
    said
}

/// Rust, Python and the browser's script say the same of a thousand bundles: verdict, class, marks,
/// states of keys and lower bounds.
#[tokio::test]
async fn bundles_agree() {
    let samples = samples().await;
    let mut chance = StdRng::seed_from_u64(seed());
    let (bundles, first) = honest(&mut chance, &samples);
    let shapes = bundles.iter().fold(BTreeMap::new(), |mut shapes, bundle| {
        *shapes.entry(bundle.shape).or_insert(0) += 1;
        shapes
    });
    assert!(SHAPES.iter().all(|shape| shapes[shape] >= 40), "{shapes:?}");
    let (mut good, mut bad) = (
        Drawn {
            bundles: vec![],
            trusts: vec![],
        },
        Drawn {
            bundles: vec![],
            trusts: vec![],
        },
    );
    for version in ["1", "2"] {
        for forged in forged(version, FORGED) {
            bad.push(forged, false);
        }
    }
    vandalised(&mut chance, &samples, &mut bad);
    let count = HONEST - bad.bundles.len();
    every_field_was_damaged(&damaged(&mut chance, &bundles, count, &mut bad));
    for Honest { shape, how, bytes } in bundles {
        good.push(Corrupted { how, bytes }, shape != "platform");
    }
    let began = Instant::now();
    let (good, bad) = (judged(good, &first), judged(bad, &first));
    println!("{shapes:?}, judged three times in {:?}", began.elapsed());
    assert_eq!((good.len(), bad.len()), (HONEST, HONEST));
    all_hold(&good);
    every_class_is_reached(&bad);
}

/// What is honest holds; every mark occurs, and so do both verdicts, recent states and bounds.
fn all_hold(good: &[(Corrupted, Value)]) {
    let (mut marks, mut verdicts): (BTreeMap<String, usize>, BTreeMap<String, usize>) =
        Default::default();
    let (mut recent, mut bounded) = (0, 0);
    for (bundle, said) in good {
        let verdict = said["verdict"].as_str().unwrap();
        assert_ne!(verdict, "refused", "{}: {said}", bundle.how);
        *verdicts.entry(verdict.to_owned()).or_default() += 1;
        for mark in said["marks"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap())
        {
            *marks.entry(mark.as_str().unwrap().to_owned()).or_default() += 1;
        }
        let rows = |name: &str| said[name].as_array().unwrap().clone();
        recent += usize::from(rows("keys").iter().any(|key| !key[1].is_null()));
        bounded += usize::from(rows("after").iter().any(|after| !after.is_null()));
    }
    println!(
        "honest: {verdicts:?}, {marks:?}, {recent} with a recent head, {bounded} with a bound"
    );
    assert_eq!((marks.len(), verdicts.len()), (5, 2));
    assert!(recent > 50 && bounded > 50);
}

/// The classes that corruptions reach are all that there are.
fn every_class_is_reached(bad: &[(Corrupted, Value)]) {
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    for (_, said) in bad {
        let word = said["class"].as_str().or(said["verdict"].as_str()).unwrap();
        *classes.entry(word.to_owned()).or_default() += 1;
    }
    println!("corrupted: {classes:?}");
    for class in [
        "format",
        "policy",
        "checkpoint",
        "log-path",
        "header",
        "registry-path",
        "record",
        "organisation",
        "statement",
        "batch-path",
        "event-path",
        "member",
        "rule",
        "refused-event",
    ] {
        assert!(classes.contains_key(class), "{class} was not reached");
    }
    // Some damage is none: a name that may be unknown, a value that its rules allow.
    let held: usize = ["verified", "incomplete"]
        .iter()
        .filter_map(|word| classes.get(*word))
        .sum();
    assert!(held < 40, "{held} corrupted bundles hold");
}
