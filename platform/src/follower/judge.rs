//! How a link stands to what was read before it. Pure.

use std::time::Duration;

use schemas::hash::Hash;
use schemas::statement::Position;
use schemas::time::Instant;

use crate::store::ChainLink;
use crate::store::chains::MISSING;

/// What the first row of an epoch says: a device that begins one has lost its state.
pub(super) const NEW_EPOCH: &str = "the device began a new epoch";

/// A stretch of an epoch that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hole {
    /// First seq.
    pub(super) from: u64,
    /// Last seq.
    pub(super) to: u64,
    /// [`MISSING`] or [`NEW_EPOCH`].
    pub(super) detail: &'static str,
}

/// What to make of a link.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// It stands behind the head.
    Follows,
    /// It stands in the head's own place: the store has written that down as a fork.
    Beside,
    /// What is before it had its time and did not come.
    Jumps(Vec<Hole>),
    /// What is before it may still come until then.
    Waits(Instant),
}

/// Judges a link that is not behind `head`; `now` only tells what had its time.
pub(super) fn judge(
    head: Option<(Position, Hash)>,
    link: &ChainLink,
    grace: Duration,
    now: Instant,
) -> Judged {
    let Position { epoch, seq } = link.position;
    let mut holes = Vec::new();
    let mut continues = false;
    match head {
        Some((at, _)) if at == link.position => return Judged::Beside,
        Some((at, _)) if at.epoch == epoch && at.seq + 1 == seq => return Judged::Follows,
        Some((at, _)) if at.epoch == epoch => holes.push(missing(at.seq + 1, seq)),
        None if epoch == 0 && seq == 0 => return Judged::Follows,
        None if epoch == 0 => holes.push(missing(0, seq)),
        // Another epoch. Its first statement names the last one before it that the device knows:
        // where that is the head, nothing older is on its way.
        before => {
            continues = seq == 0 && before.is_some_and(|(_, id)| id == link.prev);
            holes.push(Hole {
                from: 0,
                to: 0,
                detail: NEW_EPOCH,
            });
            // One that lacks its first statement only has lost that with the rest.
            if seq > 1 {
                holes.push(missing(0, seq));
            }
        }
    }
    if continues || now.since(link.received) >= grace {
        Judged::Jumps(holes)
    } else {
        Judged::Waits(link.received.plus(grace))
    }
}

/// The seqs from..to that did not come.
const fn missing(from: u64, to: u64) -> Hole {
    Hole {
        from,
        to: to.saturating_sub(1),
        detail: MISSING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(60);

    fn judged(head: Option<(u64, u64)>, link: (u64, u64), prev: Hash, seconds: i64) -> Judged {
        let place = |(epoch, seq)| Position { epoch, seq };
        let link = ChainLink {
            position: place(link),
            id: Hash([2; 32]),
            prev,
            received: Instant::from_seconds(1_000),
            bytes: Vec::new(),
        };
        let head = head.map(|at| (place(at), Hash([1; 32])));
        judge(head, &link, GRACE, Instant::from_seconds(1_000 + seconds))
    }

    #[test]
    fn what_is_missing_has_its_time() {
        let any = Hash([9; 32]);
        assert_eq!(judged(None, (0, 0), any, 0), Judged::Follows);
        assert_eq!(judged(Some((0, 4)), (0, 5), any, 0), Judged::Follows);
        assert_eq!(judged(Some((0, 4)), (0, 4), any, 0), Judged::Beside);
        let due = Judged::Waits(Instant::from_seconds(1_060));
        for (head, link) in [
            (None, (0, 3)),
            (None, (2, 0)),
            (Some((0, 4)), (0, 6)),
            (Some((0, 4)), (1, 0)),
            (Some((0, 4)), (1, 3)),
        ] {
            assert_eq!(judged(head, link, any, 59), due, "{head:?} {link:?}");
        }
        let hole = |from: u64, to: u64| missing(from, to + 1);
        let epoch = Hole {
            from: 0,
            to: 0,
            detail: NEW_EPOCH,
        };
        let jumps = |head, link| match judged(head, link, any, 60) {
            Judged::Jumps(holes) => holes,
            other => panic!("{other:?}"),
        };
        assert_eq!(jumps(None, (0, 3)), [hole(0, 2)]);
        assert_eq!(jumps(None, (2, 0)), [epoch]);
        assert_eq!(jumps(Some((0, 4)), (0, 8)), [hole(5, 7)]);
        assert_eq!(jumps(Some((0, 4)), (1, 0)), [epoch]);
        assert_eq!(jumps(Some((0, 4)), (1, 1)), [epoch]);
        assert_eq!(jumps(Some((0, 4)), (1, 3)), [epoch, hole(0, 2)]);
    }

    #[test]
    fn an_epoch_that_names_the_head_need_not_wait() {
        let head = Some((0, 4));
        assert!(matches!(
            judged(head, (1, 0), Hash([1; 32]), 0),
            Judged::Jumps(_)
        ));
        assert!(matches!(
            judged(head, (1, 1), Hash([1; 32]), 0),
            Judged::Waits(_)
        ));
    }
}
