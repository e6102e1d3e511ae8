//! Watches one sensor of pledged goods: breaches of its limits, and silence (`docs/pledge.md`,
//! "Watching goods").
//!
//! Pure: readings and the clock are given, alarms come back. A [`Watch`] is kept as JSON with the
//! alarm that it raised, so that a service that was stopped goes on where it was.

use std::str::FromStr as _;
use std::time::Duration;

use rust_decimal::Decimal;
use schemas::hash::{Hash, sha256_parts};
use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::ids::{Key, PledgeId};

mod limits;

pub use limits::{FIT_MIN, FIT_PERIOD, FitError, Limits};

/// An episode ends after so long a time of readings well inside.
pub const CALM: Duration = Duration::from_secs(12 * 3600);

/// The largest reading, either way: no sensor of goods says more.
pub const VALUE_MAX: i64 = 1_000_000_000;

/// Longest name of a stream in bytes.
pub const STREAM_MAX: usize = 200;

/// A value that no sensor has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a decimal number within a billion either way was expected")]
pub struct NotAReading;

/// The name of a stream that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name of 1 to 200 printable characters was expected")]
pub struct NotAStream;

/// What a sensor said, and when by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    at: Instant,
    value: Decimal,
}

impl Reading {
    /// A reading.
    ///
    /// # Errors
    /// [`NotAReading`] beyond [`VALUE_MAX`].
    pub fn new(at: Instant, value: Decimal) -> Result<Self, NotAReading> {
        if value.abs() > Decimal::from(VALUE_MAX) {
            return Err(NotAReading);
        }
        Ok(Self { at, value })
    }

    /// A reading from a number's text as JSON or CSV has it.
    ///
    /// # Errors
    /// [`NotAReading`] for anything but a finite number: `NaN`, `inf`, nothing, and beyond
    /// [`VALUE_MAX`].
    pub fn parse(at: Instant, text: &str) -> Result<Self, NotAReading> {
        let number = Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text));
        Self::new(at, number.map_err(|_| NotAReading)?)
    }

    /// When.
    #[must_use]
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// What.
    #[must_use]
    pub const fn value(&self) -> Decimal {
        self.value
    }
}

/// What was noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Noticed {
    /// A reading outside the limits.
    Breach {
        /// The reading.
        value: Decimal,
        /// Least allowed.
        low: Decimal,
        /// Greatest allowed.
        high: Decimal,
        /// The event that it is in, where it is known.
        leaf: Option<Hash>,
    },
    /// No reading for too long.
    Silence,
}

/// An alarm, which freezes draws.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// Which sensor.
    pub stream: String,
    /// Time of the first reading outside, or of the last one heard.
    #[serde(with = "crate::rfc3339")]
    pub since: Instant,
    /// What was noticed.
    pub noticed: Noticed,
}

impl Alarm {
    /// What was noticed in one line, for the trail.
    #[must_use]
    pub fn in_words(&self) -> String {
        let (stream, since) = (&self.stream, self.since);
        match &self.noticed {
            Noticed::Breach {
                value, low, high, ..
            } => format!("{stream}: {value} at {since}, {low} to {high} is allowed"),
            Noticed::Silence => format!("{stream}: nothing since {since}"),
        }
    }

    /// The request of this alarm: the same episode is the same request, however often it is seen.
    ///
    /// # Errors
    /// None that is known: 6 letters and 48 hex digits are a key.
    pub fn request(&self, pledge: &PledgeId) -> Result<Key, super::ids::NotAKey> {
        let kind: &[u8] = match self.noticed {
            Noticed::Breach { .. } => b"breach\n",
            Noticed::Silence => b"silence\n",
        };
        let hash = sha256_parts(&[
            b"tracebond/pledge-alarm/v1\n",
            pledge.as_bytes(),
            kind,
            &self.since.as_micros().to_be_bytes(),
            self.stream.as_bytes(),
        ]);
        format!("alarm:{}", &hash.to_string()[..48]).parse()
    }
}

/// An episode that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    since: Instant,
    /// Since when every reading was well inside.
    calm: Option<Instant>,
}

/// What is known of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    stream: String,
    limits: Limits,
    /// The latest time that a reading spoke of, never after the clock.
    heard: Instant,
    /// The latest time that the clock said.
    clock: Instant,
    silent: bool,
    open: Option<Open>,
    /// First and last instant of the episode before.
    before: Option<(Instant, Instant)>,
}

impl Watch {
    /// Begins to watch at an instant.
    ///
    /// # Errors
    /// [`NotAStream`].
    pub fn begin(stream: &str, limits: Limits, at: Instant) -> Result<Self, NotAStream> {
        let fits = (1..=STREAM_MAX).contains(&stream.len());
        if !fits || stream.chars().any(char::is_control) {
            return Err(NotAStream);
        }
        Ok(Self {
            stream: stream.to_owned(),
            limits,
            heard: at,
            clock: at,
            silent: false,
            open: None,
            before: None,
        })
    }

    /// The stream's name.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Since when an episode goes on.
    #[must_use]
    pub fn breached_since(&self) -> Option<Instant> {
        self.open.map(|open| open.since)
    }

    /// Whether silence was noticed and nothing was heard since.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.silent
    }

    /// When silence is noticed if nothing comes.
    #[must_use]
    pub fn silent_from(&self) -> Instant {
        self.heard + self.limits.silence
    }

    /// Takes a reading that came at `now`; an alarm if it opens an episode. One from the future counts
    /// as read now. One that comes late is judged, and moves no clock.
    pub fn take(&mut self, reading: Reading, leaf: Option<Hash>, now: Instant) -> Option<Alarm> {
        self.clock = self.clock.max(now);
        let at = reading.at.min(self.clock);
        let late = at < self.heard;
        if at.since(self.heard) > self.limits.silence
            && let Some(open) = &mut self.open
        {
            open.calm = None;
        }
        if !late {
            self.heard = at;
            self.silent = false;
        }
        if self.open.is_some() {
            self.go_on(at, late, self.limits.is_calm(reading.value));
            return None;
        }
        if self.limits.allow(reading.value) || self.was_in_the_last_one(at) {
            return None;
        }
        let (since, calm) = (at, None);
        self.open = Some(Open { since, calm });
        Some(self.alarm(since, self.breach(reading.value, leaf)))
    }

    /// Looks at the clock; an alarm when silence has become too long, once until something is heard.
    /// What is quiet changes nothing, so that nothing has to be kept.
    pub fn look(&mut self, now: Instant) -> Option<Alarm> {
        let clock = self.clock.max(now);
        if self.silent || clock <= self.silent_from() {
            return None;
        }
        self.clock = clock;
        self.silent = true;
        Some(self.alarm(self.heard, Noticed::Silence))
    }

    /// An episode goes on, or ends after [`CALM`].
    fn go_on(&mut self, at: Instant, late: bool, is_calm: bool) {
        let Some(open) = self.open.as_mut().filter(|_| !late) else {
            return;
        };
        if !is_calm {
            open.calm = None;
            return;
        }
        let calm = *open.calm.get_or_insert(at);
        if at.since(calm) >= CALM {
            self.before = Some((open.since, calm));
            self.open = None;
        }
    }

    fn was_in_the_last_one(&self, at: Instant) -> bool {
        self.before
            .is_some_and(|(from, until)| (from..=until).contains(&at))
    }

    fn breach(&self, value: Decimal, leaf: Option<Hash>) -> Noticed {
        Noticed::Breach {
            value,
            low: self.limits.low,
            high: self.limits.high,
            leaf,
        }
    }

    fn alarm(&self, since: Instant, noticed: Noticed) -> Alarm {
        Alarm {
            stream: self.stream.clone(),
            since,
            noticed,
        }
    }
}

#[cfg(test)]
mod series;
#[cfg(test)]
mod tests;
