//! What the follower ought to have written down, worked out a second time from the times at which
//! statements were stored and rounds were made (`DESIGN.md` section 5): a missing statement is a
//! gap once the one behind it has been there for the grace period; a new epoch is one, too, at once
//! where its first statement names the last one that was there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemas::hash::Hash;
use schemas::statement::Position;
use schemas::time::Instant;

/// A gap as a row says it: device, epoch, first seq, last seq.
pub type Gap = (usize, u64, u64, u64);

/// The first statement that came in a place of a chain.
#[derive(Debug, Clone, Copy)]
pub struct First {
    /// When it came.
    pub came: Instant,
    /// Its id.
    pub id: Hash,
    /// Of the one before it.
    pub prev: Hash,
}

/// Of each device what stands where.
pub type Places = BTreeMap<usize, BTreeMap<Position, First>>;

/// Gaps by the rule.
#[derive(Debug, Default)]
pub struct Expected {
    heads: BTreeMap<usize, (Position, Hash)>,
    /// Opened since something was missing.
    pub opened: BTreeSet<Gap>,
    /// Of those, filled.
    pub closed: BTreeSet<Gap>,
    /// Opened since an epoch began.
    pub epochs: BTreeSet<Gap>,
}

impl Expected {
    /// A round of the follower over what was stored by then.
    pub fn round(&mut self, now: Instant, grace: Duration, stored: &Places) {
        for (device, places) in stored {
            self.read(*device, places, now, grace);
            let open: Vec<Gap> = self.opened.difference(&self.closed).copied().collect();
            for gap in open.into_iter().filter(|gap| gap.0 == *device) {
                let (_, epoch, from, to) = gap;
                if (from..=to).all(|seq| places.contains_key(&Position { epoch, seq })) {
                    self.closed.insert(gap);
                }
            }
        }
    }

    fn read(
        &mut self,
        device: usize,
        places: &BTreeMap<Position, First>,
        now: Instant,
        grace: Duration,
    ) {
        for (place, first) in places {
            let head = self.heads.get(&device).copied();
            if head.is_some_and(|(at, _)| *place <= at) {
                continue;
            }
            let (epoch, seq) = (place.epoch, place.seq);
            let due = now.since(first.came) >= grace;
            let before = head.map_or((0, None), |(at, id)| (at.epoch, Some((at.seq, id))));
            if before.0 == epoch {
                let next = before.1.map_or(0, |(seq, _)| seq + 1);
                if next < seq {
                    if !due {
                        return;
                    }
                    self.opened.insert((device, epoch, next, seq - 1));
                }
            } else {
                let continues = seq == 0 && before.1.is_some_and(|(_, id)| id == first.prev);
                if !continues && !due {
                    return;
                }
                self.epochs.insert((device, epoch, 0, 0));
                if seq > 1 {
                    self.opened.insert((device, epoch, 0, seq - 1));
                }
            }
            self.heads.insert(device, (*place, first.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::hash::sha256;

    use super::*;

    const GRACE: Duration = Duration::from_secs(20);

    fn at(seconds: i64) -> Instant {
        Instant::from_seconds(seconds)
    }

    /// The id of whatever stands in a place.
    fn id(epoch: u64, seq: u64) -> Hash {
        sha256(format!("{epoch} {seq}").as_bytes())
    }

    /// (epoch, seq, when it came); the first of an epoch names 0/0.
    fn stored(places: &[(u64, u64, i64)]) -> Places {
        let place = |(epoch, seq, came): &(u64, u64, i64)| {
            let (epoch, seq) = (*epoch, *seq);
            let first = First {
                came: at(*came),
                id: id(epoch, seq),
                prev: id(0, 0),
            };
            (Position { epoch, seq }, first)
        };
        BTreeMap::from([(0, places.iter().map(place).collect())])
    }

    #[test]
    fn a_missing_place_is_a_gap_after_the_grace_period_and_closed_when_filled() {
        let mut expected = Expected::default();
        let mut all = vec![(0, 0, 0), (0, 3, 5)];
        expected.round(at(24), GRACE, &stored(&all));
        assert!(expected.opened.is_empty());
        expected.round(at(25), GRACE, &stored(&all));
        assert_eq!(expected.opened, BTreeSet::from([(0, 0, 1, 2)]));
        all.extend([(0, 1, 30), (0, 2, 31)]);
        expected.round(at(31), GRACE, &stored(&all));
        assert_eq!(expected.closed, expected.opened);
    }

    #[test]
    fn an_epoch_is_a_gap_at_once_where_nothing_older_can_come() {
        let mut expected = Expected::default();
        expected.round(at(1), GRACE, &stored(&[(0, 0, 0), (1, 0, 1)]));
        assert_eq!(expected.epochs, BTreeSet::from([(0, 1, 0, 0)]));
        assert!(expected.opened.is_empty());
    }

    #[test]
    fn an_epoch_of_a_device_that_was_never_heard_is_a_gap_after_the_grace_period() {
        let mut expected = Expected::default();
        let all = stored(&[(2, 0, 0), (2, 1, 0)]);
        expected.round(at(19), GRACE, &all);
        assert!(expected.epochs.is_empty());
        expected.round(at(20), GRACE, &all);
        assert_eq!(expected.epochs, BTreeSet::from([(0, 2, 0, 0)]));
        assert!(expected.opened.is_empty());
    }
}
