//! Pairs in order of their keys, of which version follows version.
//!
//! A copy costs one pointer for each few hundred pairs, a change copies those few hundred. That is
//! what one more record in a registry of a million keys may cost; a tree map would be copied whole.

use std::sync::Arc;

/// Most pairs that are shared or copied together.
const CHUNK: usize = 512;

/// A sorted map; clones are cheap.
#[derive(Clone, Debug)]
pub(super) struct Sorted<K, V> {
    /// Each sorted, none empty, in order.
    chunks: Vec<Arc<Vec<(K, V)>>>,
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Sorted<K, V> {
    /// Number of pairs; one step for each few hundred of them.
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let (chunk, place) = self.find(key);
        Some(&self.chunks.get(chunk)?.get(place.ok()?)?.1)
    }

    /// How many keys are smaller than this one, if it is there.
    pub(super) fn position(&self, key: &K) -> Option<usize> {
        let (chunk, place) = self.find(key);
        let before: usize = self.chunks[..chunk].iter().map(|chunk| chunk.len()).sum();
        Some(before + place.ok()?)
    }

    /// Sets the value of a key; true if the key is new.
    pub(super) fn insert(&mut self, key: K, value: V) -> bool {
        let (index, place) = self.find(&key);
        let is_last = index + 1 == self.chunks.len();
        let Some(shared) = self.chunks.get_mut(index) else {
            self.chunks.push(Arc::new(vec![(key, value)]));
            return true;
        };
        match place {
            Ok(place) => {
                Arc::make_mut(shared)[place] = (key, value);
                false
            }
            // Behind all others, as while everything is loaded: full chunks stay full.
            Err(place) if place >= CHUNK && is_last => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push((key, value));
                self.chunks.push(Arc::new(chunk));
                true
            }
            Err(place) => {
                let chunk = Arc::make_mut(shared);
                chunk.insert(place, (key, value));
                if chunk.len() > CHUNK {
                    let upper = chunk.split_off(CHUNK / 2);
                    self.chunks.insert(index + 1, Arc::new(upper));
                }
                true
            }
        }
    }

    /// All pairs in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let pairs = self.chunks.iter().flat_map(|chunk| chunk.iter());
        pairs.map(|(key, value)| (key, value))
    }

    /// The pairs from a key on, that key included, in order.
    pub(super) fn from<'s>(
        &'s self,
        key: &K,
    ) -> impl Iterator<Item = (&'s K, &'s V)> + use<'s, K, V> {
        let (chunk, place) = self.find(key);
        let place = place.unwrap_or_else(|place| place);
        let pairs = self
            .chunks
            .iter()
            .skip(chunk)
            .flat_map(|chunk| chunk.iter());
        pairs.skip(place).map(|(key, value)| (key, value))
    }

    /// The chunk that a key belongs into, and its place there: found, or to be put.
    fn find(&self, key: &K) -> (usize, Result<usize, usize>) {
        let behind = self.chunks.partition_point(|chunk| chunk[0].0 <= *key);
        let index = behind.saturating_sub(1);
        let place = match self.chunks.get(index) {
            Some(chunk) => chunk.binary_search_by(|(known, _)| known.cmp(key)),
            None => Err(0),
        };
        (index, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn check(sorted: &Sorted<u64, u64>, expected: &BTreeMap<u64, u64>) {
        assert_eq!(sorted.len(), expected.len());
        assert!(sorted.iter().eq(expected));
        for (place, key) in expected.keys().enumerate().step_by(97) {
            assert_eq!(sorted.position(key), Some(place));
            assert_eq!(sorted.get(key), expected.get(key));
            assert!(sorted.from(key).eq(expected.range(key..)));
            assert!(sorted.from(&(key + 1)).eq(expected.range(key + 1..)));
        }
    }

    #[test]
    fn it_is_a_sorted_map_whose_copies_stay() {
        let (mut sorted, mut expected) = (Sorted::default(), BTreeMap::new());
        check(&sorted, &expected);
        for key in 0..2_000_u64 {
            assert!(sorted.insert(key * 10, key));
            expected.insert(key * 10, key);
        }
        let (before, was) = (sorted.clone(), expected.clone());
        let mut key = 1_u64;
        for value in 0..5_000 {
            key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (key >> 33) % 30_000;
            assert_eq!(
                sorted.insert(at, value),
                expected.insert(at, value).is_none()
            );
        }
        check(&sorted, &expected);
        check(&before, &was);
        assert_eq!(
            (sorted.get(&40_000), sorted.position(&40_000)),
            (None, None)
        );
    }
}
