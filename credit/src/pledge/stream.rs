//! A watched sensor by name, and how far its device's chain was proven.
//!
//! A chain is read link by link: a statement counts once the one that it names as the one before was
//! read. What comes behind a hole waits for it, unless it is a breach. So a platform that leaves a
//! statement out cannot pass the later ones off as the whole: its sensor falls silent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::watch::{NotAStream, STREAM_MAX};

/// One sensor of one device: `organisation/device sensor`, and nothing behind the blank for a device
/// whose readings name no sensor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    device: DeviceAddress,
    sensor: String,
}

impl Stream {
    /// A stream.
    ///
    /// # Errors
    /// [`NotAStream`] for a sensor with blanks or control characters, and beyond [`STREAM_MAX`] bytes
    /// of the whole name.
    pub fn new(device: DeviceAddress, sensor: &str) -> Result<Self, NotAStream> {
        let stream = Self {
            device,
            sensor: sensor.to_owned(),
        };
        let right = |c: char| !c.is_control() && !c.is_whitespace();
        if !sensor.chars().all(right) || stream.name().len() > STREAM_MAX {
            return Err(NotAStream);
        }
        Ok(stream)
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &DeviceAddress {
        &self.device
    }

    /// The sensor as its readings name it; empty if they do not.
    #[must_use]
    pub fn sensor(&self) -> &str {
        &self.sensor
    }

    /// Its name in rows and alarms.
    #[must_use]
    pub fn name(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.device, self.sensor)
    }
}

impl FromStr for Stream {
    type Err = NotAStream;
    fn from_str(name: &str) -> Result<Self, NotAStream> {
        let (device, sensor) = name.split_once(' ').ok_or(NotAStream)?;
        Self::new(device.parse().map_err(|_| NotAStream)?, sensor)
    }
}

/// The last link of a chain that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The device's epoch.
    pub epoch: u64,
    /// Place within the epoch.
    pub seq: u64,
    /// Statement id.
    pub id: Hash,
}

/// A link as a verified bundle shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it stands.
    pub end: End,
    /// Id of the statement before.
    pub prev: Hash,
}

/// What became of the last question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Heard {
    /// Nobody has asked yet.
    Nothing,
    /// Everything up to the size is proven.
    Proven,
    /// A statement is missing; later ones are there.
    Hole,
    /// The bundle did not verify: the class of the refusal. Nothing was read from it.
    Refused {
        /// Class of `proof-bundle.md` section 2.
        class: String,
    },
    /// No answer came, or none that is a bundle.
    Unreachable {
        /// In words.
        why: String,
    },
}

/// How far a stream's chain was read and proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Size of the log that the next bundle has to begin at.
    pub from_size: u64,
    /// The last link that was read; `None` before the first.
    pub end: Option<End>,
    /// What became of the last question.
    pub heard: Heard,
    /// Since when that is so.
    #[serde(with = "crate::rfc3339")]
    pub since: Instant,
    /// Statements that were given up as missing.
    pub missing: u64,
    /// How often bundles began not to verify.
    pub refused: u64,
}

/// What a bundle adds to a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Statements that follow without a hole, and old ones that came again.
    pub whole: BTreeSet<Hash>,
    /// The last link without a hole.
    pub end: Option<End>,
    /// The first and the last place behind a hole.
    pub behind: Option<(End, End)>,
}

impl Progress {
    /// Nothing is read yet of what the log took from `from_size` on; what was before ends with `end`.
    #[must_use]
    pub fn begin(from_size: u64, end: Option<End>, at: Instant) -> Self {
        Self {
            from_size,
            end,
            heard: Heard::Nothing,
            since: at,
            missing: 0,
            refused: 0,
        }
    }

    /// Notes what was heard; since when it is so changes only with it.
    pub fn note(&mut self, heard: Heard, at: Instant) {
        if self.heard != heard {
            if let Heard::Refused { .. } = heard {
                self.refused = self.refused.saturating_add(1);
            }
            self.heard = heard;
            self.since = at;
        }
    }

    /// Follows the chain over new links, in any order. Without an end the first place begins it.
    #[must_use]
    pub fn follow(&self, links: &[Link]) -> Step {
        let place = |end: &End| (end.epoch, end.seq);
        let mut sorted: Vec<&Link> = links.iter().collect();
        sorted.sort_by_key(|link| (place(&link.end), link.end.id));
        let mut after: BTreeMap<Hash, Vec<&Link>> = BTreeMap::new();
        for link in &sorted {
            after.entry(link.prev).or_default().push(link);
        }
        let (mut whole, mut open) = (BTreeSet::new(), Vec::new());
        let mut end = self.end;
        match (end, sorted.first()) {
            (Some(end), _) => open.push(end.id),
            (None, Some(first)) => {
                whole.insert(first.end.id);
                end = Some(first.end);
                open.push(first.end.id);
            }
            (None, None) => {}
        }
        while let Some(id) = open.pop() {
            for link in after.get(&id).map_or(&[][..], Vec::as_slice) {
                if whole.insert(link.end.id) {
                    open.push(link.end.id);
                    end = end
                        .filter(|last| place(last) >= place(&link.end))
                        .or(Some(link.end));
                }
            }
        }
        let old = |link: &&&Link| {
            self.end
                .is_some_and(|last| place(&link.end) <= place(&last))
        };
        whole.extend(sorted.iter().filter(old).map(|link| link.end.id));
        let mut beyond = sorted.iter().filter(|link| !whole.contains(&link.end.id));
        let first = beyond.next().map(|link| link.end);
        let last = beyond.next_back().map(|link| link.end).or(first);
        Step {
            behind: first.zip(last),
            whole,
            end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn end(epoch: u64, seq: u64) -> End {
        let id = schemas::hash::sha256(format!("{epoch}.{seq}").as_bytes());
        End { epoch, seq, id }
    }

    /// The link of a place whose one before is another place.
    fn link(this: (u64, u64), before: (u64, u64)) -> Link {
        Link {
            end: end(this.0, this.1),
            prev: end(before.0, before.1).id,
        }
    }

    #[test]
    fn stream_is_read_as_it_is_written() {
        for name in [
            "qinghe/cold-1 https://id.gs1.org/8004/9521001COLD1",
            "qinghe/cold-1 ",
        ] {
            assert_eq!(name.parse::<Stream>().unwrap().name(), name);
        }
        for name in [
            "qinghe/cold-1",
            "qinghe x",
            "qinghe/cold-1 a b",
            "qinghe/cold-1 a\n",
        ] {
            assert!(name.parse::<Stream>().is_err(), "{name}");
        }
        let device = "qinghe/cold-1".parse().unwrap();
        assert!(Stream::new(device, &"x".repeat(STREAM_MAX)).is_err());
    }

    #[test]
    fn chain_is_followed_in_any_order_and_into_a_new_epoch() {
        let links = [
            link((1, 0), (0, 2)),
            link((0, 2), (0, 1)),
            link((0, 1), (0, 0)),
        ];
        let step = Progress::begin(0, Some(end(0, 0)), at(0, 0)).follow(&links);
        assert_eq!((step.end, step.behind), (Some(end(1, 0)), None));
        assert_eq!(step.whole.len(), 3);
        // Without an end, the first place is the beginning.
        let step = Progress::begin(0, None, at(0, 0)).follow(&links);
        assert_eq!((step.end, step.behind), (Some(end(1, 0)), None));
    }

    #[test]
    fn what_is_behind_a_hole_waits_and_what_is_old_does_not() {
        let links = [
            link((0, 1), (0, 0)),
            link((0, 5), (0, 4)),
            link((0, 6), (0, 5)),
            link((0, 8), (0, 7)),
        ];
        let progress = Progress::begin(0, Some(end(0, 3)), at(0, 0));
        let step = progress.follow(&links);
        assert_eq!(step.end, Some(end(0, 3)));
        assert_eq!(step.behind, Some((end(0, 5), end(0, 8))));
        assert!(step.whole.contains(&end(0, 1).id));
        assert!(!step.whole.contains(&end(0, 5).id));
        let filled: Vec<Link> = (4..=8).map(|seq| link((0, seq), (0, seq - 1))).collect();
        let step = progress.follow(&filled);
        assert_eq!((step.end, step.behind), (Some(end(0, 8)), None));
    }

    #[test]
    fn since_when_it_is_so_changes_only_with_what_is_heard() {
        let mut progress = Progress::begin(7, None, at(0, 0));
        progress.note(Heard::Nothing, at(1, 0));
        assert_eq!(progress.since, at(0, 0));
        let refused = Heard::Refused {
            class: "log-path".into(),
        };
        progress.note(refused.clone(), at(2, 0));
        progress.note(refused, at(3, 0));
        assert_eq!((progress.since, progress.refused), (at(2, 0), 1));
        let kept = serde_json::to_vec(&progress).unwrap();
        assert_eq!(serde_json::from_slice::<Progress>(&kept).unwrap(), progress);
    }
}
