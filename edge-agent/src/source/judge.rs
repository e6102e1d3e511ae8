//! Whether a reading can be believed. Pure: time is an argument.
//!
//! A doubtful reading is taken with its doubt (`tb:quality` `suspect`) or, where the configuration
//! asks for it, refused; either way the doubt is a state that shows and a signed note. What is
//! doubtful is never corrected.

use std::fmt;
use std::time::Duration;

use crate::source::remedy;
use crate::state::Text;
use schemas::time::Instant;

/// What a sensor can physically say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Less cannot be.
    pub min: Option<f64>,
    /// More cannot be.
    pub max: Option<f64>,
    /// What cannot be is refused instead of taken as suspect.
    pub refuse: bool,
    /// A value that has not changed for longer is suspect.
    pub stuck: Option<Duration>,
}

/// Why a reading is not believed.
#[derive(Clone, Debug, PartialEq)]
pub enum Doubt {
    /// The device answered something that is no number.
    NoNumber,
    /// The device's own words: a broken wire, a power-on value, a weak fix.
    Device(String),
    /// Beyond what can be.
    Beyond {
        /// What it said.
        value: f64,
        /// The limit.
        limit: f64,
    },
    /// The same for too long.
    Stuck {
        /// Since when.
        since: Instant,
    },
    /// Another scale or unit than before.
    Unit {
        /// Before.
        was: String,
        /// Now.
        is: String,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNumber => f.write_str("the device answers no number"),
            Self::Device(text) => f.write_str(text),
            Self::Beyond { value, limit } => {
                write!(f, "{value} is beyond {limit}, which cannot be")
            }
            Self::Stuck { since } => write!(f, "the same value since {since}"),
            Self::Unit { was, is } => write!(f, "the unit was {was} and is now {is}"),
        }
    }
}

impl Doubt {
    /// What a person can do about it.
    #[must_use]
    pub const fn remedy(&self) -> Text {
        match self {
            Self::NoNumber | Self::Device(_) => remedy::SENSOR,
            Self::Beyond { .. } => remedy::TRUE_VALUE,
            Self::Stuck { .. } => remedy::STUCK,
            Self::Unit { .. } => remedy::UNIT,
        }
    }
}

/// What a device answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When, where the device states it.
    pub time: Option<Instant>,
    /// In the unit of the configuration; `None` where it was no number.
    pub value: Option<f64>,
    /// What the device itself or its driver doubts.
    pub doubt: Option<Doubt>,
    /// Scale and unit by which the value was made, as text; empty where nothing is known. Another
    /// text later means another unit.
    pub unit: String,
}

/// What becomes of a reading.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Taken.
    Good,
    /// Taken and marked.
    Suspect(Doubt),
    /// Not taken.
    Refused(Doubt),
}

/// Judges the readings of one series in their order.
#[derive(Clone, Debug)]
pub struct Judge {
    limits: Limits,
    unit: Option<String>,
    same: Option<(u64, Instant)>,
}

impl Judge {
    /// Knows nothing yet.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            unit: None,
            same: None,
        }
    }

    /// Judges what was read at `now`.
    pub fn judge(&mut self, now: Instant, sample: &Sample) -> Verdict {
        let stuck = self.stuck(now, sample.value);
        let unit = self.unit_changed(&sample.unit);
        if let Some(doubt) = self.beyond(sample.value) {
            return if self.limits.refuse {
                Verdict::Refused(doubt)
            } else {
                Verdict::Suspect(doubt)
            };
        }
        let finite = sample.value.is_some_and(f64::is_finite);
        let none = (!finite).then_some(Doubt::NoNumber);
        let doubt = sample.doubt.clone().or(none).or(unit).or(stuck);
        doubt.map_or(Verdict::Good, Verdict::Suspect)
    }

    fn beyond(&self, value: Option<f64>) -> Option<Doubt> {
        let value = value.filter(|value| value.is_finite())?;
        let low = self.limits.min.filter(|&min| value < min);
        let limit = low.or_else(|| self.limits.max.filter(|&max| value > max))?;
        Some(Doubt::Beyond { value, limit })
    }

    /// The first unit that was seen stays the right one until the agent is started again.
    fn unit_changed(&mut self, unit: &str) -> Option<Doubt> {
        let was = self.unit.get_or_insert_with(|| unit.to_owned());
        (was != unit).then(|| Doubt::Unit {
            was: was.clone(),
            is: unit.to_owned(),
        })
    }

    fn stuck(&mut self, now: Instant, value: Option<f64>) -> Option<Doubt> {
        let bits = value?.to_bits();
        let since = match self.same {
            Some((before, since)) if before == bits => since,
            _ => now,
        };
        self.same = Some((bits, since));
        let longest = self.limits.stuck?;
        (now.since(since) > longest).then_some(Doubt::Stuck { since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(value: f64) -> Sample {
        Sample {
            time: None,
            value: Some(value),
            doubt: None,
            unit: "x".to_owned(),
        }
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_seconds(seconds)
    }

    #[test]
    fn what_cannot_be_is_suspect_or_refused() {
        let limits = Limits {
            min: Some(-40.0),
            max: Some(85.0),
            ..Limits::default()
        };
        let mut judge = Judge::new(limits);
        assert_eq!(judge.judge(at(0), &sample(-40.0)), Verdict::Good);
        let doubt = Doubt::Beyond {
            value: 85.1,
            limit: 85.0,
        };
        assert_eq!(
            judge.judge(at(1), &sample(85.1)),
            Verdict::Suspect(doubt.clone())
        );
        let mut strict = Judge::new(Limits {
            refuse: true,
            ..limits
        });
        assert_eq!(strict.judge(at(1), &sample(85.1)), Verdict::Refused(doubt));
        assert!(matches!(
            strict.judge(at(2), &sample(-41.0)),
            Verdict::Refused(Doubt::Beyond { .. })
        ));
    }

    #[test]
    fn no_number_is_suspect_and_never_a_value() {
        let mut judge = Judge::new(Limits::default());
        for value in [f64::NAN, f64::INFINITY] {
            assert_eq!(
                judge.judge(at(0), &sample(value)),
                Verdict::Suspect(Doubt::NoNumber)
            );
        }
        let none = Sample {
            value: None,
            ..sample(0.0)
        };
        assert_eq!(judge.judge(at(0), &none), Verdict::Suspect(Doubt::NoNumber));
    }

    #[test]
    fn a_value_that_stays_too_long_is_stuck_until_it_moves() {
        let mut judge = Judge::new(Limits {
            stuck: Some(Duration::from_secs(120)),
            ..Limits::default()
        });
        for second in [0, 60, 120] {
            assert_eq!(judge.judge(at(second), &sample(4.0)), Verdict::Good);
        }
        assert_eq!(
            judge.judge(at(121), &sample(4.0)),
            Verdict::Suspect(Doubt::Stuck { since: at(0) })
        );
        assert_eq!(judge.judge(at(180), &sample(4.1)), Verdict::Good);
        assert_eq!(judge.judge(at(240), &sample(4.0)), Verdict::Good);
    }

    #[test]
    fn another_unit_is_suspect_until_it_is_the_first_again() {
        let mut judge = Judge::new(Limits::default());
        assert_eq!(judge.judge(at(0), &sample(4.0)), Verdict::Good);
        let fahrenheit = Sample {
            unit: "y".to_owned(),
            ..sample(39.2)
        };
        let changed = Doubt::Unit {
            was: "x".to_owned(),
            is: "y".to_owned(),
        };
        for second in [1, 2] {
            assert_eq!(
                judge.judge(at(second), &fahrenheit),
                Verdict::Suspect(changed.clone())
            );
        }
        assert_eq!(judge.judge(at(3), &sample(4.0)), Verdict::Good);
    }
}
