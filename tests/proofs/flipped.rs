//! No bit of a bundle can change without the bundle being refused.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::sample::{samples, smallest};

/// Set to any value: every single bit of the smallest bundle, which takes a minute or two.
const ALL_BITS: &str = "TRACEBOND_ALL_BITS";
/// Bits that are flipped otherwise.
const SAMPLE: usize = 4_000;

#[tokio::test]
async fn any_flipped_bit_is_refused() {
    let (world, bundle, _) = smallest().await;
    world.verify(&bundle).unwrap();
    let bits = bundle.len() * 8;
    let chosen: Vec<usize> = if std::env::var_os(ALL_BITS).is_some() {
        (0..bits).collect()
    } else {
        let mut chance = StdRng::seed_from_u64(1);
        (0..SAMPLE).map(|_| chance.random_range(0..bits)).collect()
    };
    let mut flipped = bundle;
    for bit in chosen {
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(
            world.verify(&flipped).is_err(),
            "bit {} of byte {} may change",
            bit % 8,
            bit / 8
        );
        flipped[bit / 8] ^= 1 << (bit % 8);
    }
    world.verify(&flipped).unwrap();
}

/// Also without a trusted policy, and in bundles of every kind; and no byte can go or come.
#[tokio::test]
async fn any_damage_to_any_bundle_is_refused() {
    let samples = samples().await;
    let mut chance = StdRng::seed_from_u64(3);
    for (name, bundle) in &samples.bundles {
        schemas::proof::verify(bundle, None).unwrap();
        for _ in 0..60 {
            let at = chance.random_range(0..bundle.len());
            let mut damaged = bundle.clone();
            match chance.random_range(0..3) {
                0 => damaged[at] ^= 1 << chance.random_range(0..8),
                1 => drop(damaged.remove(at)),
                _ => damaged.insert(at, chance.random()),
            }
            let outcome = schemas::proof::verify(&damaged, None);
            assert!(damaged == *bundle || outcome.is_err(), "{name}: byte {at}");
        }
    }
}
