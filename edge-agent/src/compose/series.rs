//! The readings of one sensor's series, one after the other, to events: batches, windows, dead
//! bands and excursions.
//!
//! Pure. What a series knows is what the outbox keeps of it: readings that no event holds yet are
//! rows, the little besides is [`Memory`], and both are stored in the transaction that stores the
//! events made of them. So a restart goes on where the last commit stood; nothing is rebuilt from
//! guesses. (Keeping sums instead of the readings was rejected: percentiles need the readings, and
//! a changed rule can still be applied to them.)
//!
//! Time only goes forward in a series: what is told is not opened again. So that one time far ahead (a
//! register that was never written, a clock that was wrong) does not make everything after it late for
//! years, what lies further ahead than a reading can be late is told and forgotten.
//!
//! Each reading is told exactly once, by [`Telemetry`]; an excursion is a happening of its own
//! that sums up readings told elsewhere, marked `tb:excursion`.

mod excursion;
mod outcome;

use std::time::Duration;

use schemas::time::Instant;
use serde::{Deserialize, Serialize};

use super::presence::Presence;
use super::sensor::{self, Reading};
use crate::config::{DeadBandRule, READINGS_WAITING_MAX, SensorRule, Telemetry, WindowRule};
pub use excursion::Excursion;
pub use outcome::Outcome;

/// A window whose end has passed waits so long for readings that are on their way.
pub const LATE: Duration = Duration::from_secs(30);

/// A reading that no event holds yet, and its row in the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Row.
    pub number: i64,
    /// Reading.
    pub reading: Reading,
}

/// What a series knows besides the readings that wait.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Windows are told up to here: none begins before.
    pub told_until: Option<Instant>,
    /// The reading that a dead band told last.
    pub told: Option<Told>,
    /// Readings beyond the limits: an excursion, or what may become one.
    pub excursion: Option<Excursion>,
}

/// A number that reads from JSON as it was written, to the last bit: as a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exact(pub f64);

impl Serialize for Exact {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// A reading that was told.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// When it was taken.
    pub time: Instant,
    /// Its value.
    pub value: Exact,
    /// It was beyond the limits.
    pub alarm: bool,
}

/// One series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Readings that no event holds yet, in the order in which they came.
    pub waiting: Vec<Waiting>,
    /// The rest.
    pub memory: Memory,
    /// When the newest reading came, by the agent's clock. Not stored: after a restart it is when
    /// somebody first asked.
    pub heard: Option<Instant>,
}

/// By what, and of which goods, a series is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// The rule.
    pub rule: &'a SensorRule,
    /// `eventTimeZoneOffset`, and where a window of a day begins.
    pub time_zone_minutes: i32,
    /// Goods that are here.
    pub presence: &'a Presence,
}

/// Why readings that wait become events before their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Goods come or go: what was read before is said of the goods of then.
    Goods,
    /// What comes next is read by another count of time: nothing of before goes on.
    Clock,
    /// The agent stops, or a run is over. Windows go on when it starts again.
    Stop,
}

impl Series {
    /// Takes a reading.
    pub fn take(&mut self, telling: Telling<'_>, waiting: Waiting) -> Outcome {
        let mut outcome = if self.is_far_ahead(telling.rule, waiting.reading.time) {
            self.cut(telling, Cut::Clock)
        } else {
            Outcome::default()
        };
        let turn = self.follow_excursion(telling, &waiting.reading);
        let begins = turn.is_begin();
        match &telling.rule.telemetry {
            Telemetry::Batch => self.batch(telling, waiting, begins, &mut outcome),
            Telemetry::Window(window) => {
                self.window(telling, window, waiting, begins, &mut outcome);
            }
            Telemetry::DeadBand(band) => {
                self.dead_band(telling, band, waiting, begins, &mut outcome)
            }
        }
        if let Some(said) = turn.said() {
            outcome.tell(telling, &said);
        }
        outcome
    }

    /// Readings that wait become events now.
    pub fn cut(&mut self, telling: Telling<'_>, why: Cut) -> Outcome {
        let mut outcome = Outcome::default();
        match (&telling.rule.telemetry, why) {
            (Telemetry::Batch, _) => {
                outcome.tell_each(telling, &std::mem::take(&mut self.waiting));
            }
            (_, Cut::Stop) => {}
            (Telemetry::Window(window), Cut::Goods | Cut::Clock) => {
                self.close_windows(telling, window, None, &mut outcome);
                self.cut_window(telling, window, &mut outcome);
            }
            (Telemetry::DeadBand(_), Cut::Goods | Cut::Clock) => {
                let held = std::mem::take(&mut self.waiting);
                outcome.tell_all(telling, Vec::new(), &held);
            }
        }
        if why != Cut::Stop
            && let Some(said) = self.cut_excursion(telling)
        {
            outcome.tell(telling, &said);
        }
        if why == Cut::Clock {
            self.memory = Memory::default();
        }
        outcome
    }

    /// True if what is open or told lies further ahead of a reading, and of the agent's clock when
    /// the reading came, than a reading can be late.
    fn is_far_ahead(&self, rule: &SensorRule, time: Instant) -> bool {
        let length = match &rule.telemetry {
            Telemetry::Batch => return false,
            Telemetry::Window(window) => window.length,
            Telemetry::DeadBand(band) => band.every,
        };
        let waiting = self.waiting.iter().map(|one| one.reading.time).max();
        let told = self.memory.told.map(|told| told.time);
        let newest = waiting.max(told).max(self.memory.told_until);
        // What is late by both may be so: it is told by itself. A late reading alone is no reason.
        let now = self.heard.map_or(time, |heard| heard.max(time));
        newest.is_some_and(|newest| newest.since(now) > length + LATE)
    }

    /// When a window has to be told although no reading comes: as long after the newest one came
    /// as its window still had to go, and [`LATE`]. So a device's clock may differ from the
    /// agent's.
    #[must_use]
    pub fn due(&self, rule: &SensorRule, time_zone_minutes: i32) -> Option<Instant> {
        let Telemetry::Window(window) = &rule.telemetry else {
            return None;
        };
        let newest = self.waiting.iter().map(|one| one.reading.time).max()?;
        let (_, until) = self.bounds(window, time_zone_minutes, newest);
        Some(self.heard? + until.since(newest) + LATE)
    }

    /// Tells the window that waits, if its sensor has fallen silent.
    pub fn expire(&mut self, telling: Telling<'_>, now: Instant) -> Outcome {
        let mut outcome = Outcome::default();
        let due = self.due(telling.rule, telling.time_zone_minutes);
        if let Telemetry::Window(window) = &telling.rule.telemetry
            && due.is_some_and(|due| due <= now)
        {
            let end = Instant::from_micros(i64::MAX);
            self.close_windows(telling, window, Some(end), &mut outcome);
        }
        outcome
    }

    fn batch(
        &mut self,
        telling: Telling<'_>,
        waiting: Waiting,
        begins: bool,
        outcome: &mut Outcome,
    ) {
        self.waiting.push(waiting);
        if begins || self.waiting.len() >= telling.rule.readings_per_event {
            let waiting = std::mem::take(&mut self.waiting);
            outcome.tell_each(telling, &waiting);
        }
    }

    fn window(
        &mut self,
        telling: Telling<'_>,
        window: &WindowRule,
        waiting: Waiting,
        begins: bool,
        outcome: &mut Outcome,
    ) {
        let time = waiting.reading.time;
        self.close_windows(telling, window, Some(time), outcome);
        let opened = self.waiting.first().map(|first| {
            self.bounds(window, telling.time_zone_minutes, first.reading.time)
                .0
        });
        // Its window has been told, or lies before the one that is open: it is told by itself.
        if opened
            .or(self.memory.told_until)
            .is_some_and(|from| time < from)
        {
            return outcome.tell_each(telling, &[waiting]);
        }
        if begins {
            self.cut_window(telling, window, outcome);
            self.memory.told_until = self.memory.told_until.max(Some(time));
            return outcome.tell_each(telling, &[waiting]);
        }
        self.waiting.push(waiting);
        if self.waiting.len() >= READINGS_WAITING_MAX {
            self.cut_window(telling, window, outcome);
        }
    }

    /// The window that `time` is in, which begins where the one before ended.
    fn bounds(
        &self,
        window: &WindowRule,
        time_zone_minutes: i32,
        time: Instant,
    ) -> (Instant, Instant) {
        let length = i64::try_from(window.length.as_micros())
            .unwrap_or(i64::MAX)
            .max(1);
        let zone = i64::from(time_zone_minutes) * 60_000_000;
        let local = time.as_micros().saturating_add(zone);
        let from = (local - local.rem_euclid(length)).saturating_sub(zone);
        let until = Instant::from_micros(from.saturating_add(length));
        let from = Instant::from_micros(from);
        let told = self.memory.told_until.filter(|told| *told < until);
        (from.max(told.unwrap_or(from)), until)
    }

    /// Tells every window that ends at `now` or before; those of the first readings for `None`
    /// (all but the last).
    fn close_windows(
        &mut self,
        telling: Telling<'_>,
        window: &WindowRule,
        now: Option<Instant>,
        outcome: &mut Outcome,
    ) {
        while let Some(first) = self.waiting.iter().map(|one| one.reading.time).min() {
            let (from, until) = self.bounds(window, telling.time_zone_minutes, first);
            let (of_it, rest): (Vec<Waiting>, Vec<Waiting>) = std::mem::take(&mut self.waiting)
                .into_iter()
                .partition(|one| one.reading.time < until);
            let is_over = now.map_or(!rest.is_empty(), |now| until <= now);
            if !is_over {
                self.waiting = of_it.into_iter().chain(rest).collect();
                return;
            }
            self.waiting = rest;
            self.tell_window(telling, window, (from, until), &of_it, outcome);
        }
    }

    /// Tells what there is of the open window; the next one begins at its newest reading.
    fn cut_window(&mut self, telling: Telling<'_>, window: &WindowRule, outcome: &mut Outcome) {
        let of_it = std::mem::take(&mut self.waiting);
        let times = || of_it.iter().map(|one| one.reading.time);
        if let (Some(first), Some(last)) = (times().min(), times().max()) {
            let (from, _) = self.bounds(window, telling.time_zone_minutes, first);
            self.tell_window(telling, window, (from, last.max(from)), &of_it, outcome);
        }
    }

    fn tell_window(
        &mut self,
        telling: Telling<'_>,
        window: &WindowRule,
        (from, until): (Instant, Instant),
        of_it: &[Waiting],
        outcome: &mut Outcome,
    ) {
        let whole = until.as_micros().saturating_sub(from.as_micros())
            == i64::try_from(window.length.as_micros()).unwrap_or(i64::MAX);
        outcome.tell_stretch(telling, Vec::new(), (from, until), of_it, |stretch| {
            stretch.expected = telling
                .rule
                .interval
                .filter(|interval| whole && !interval.is_zero())
                .and_then(|interval| {
                    u64::try_from(window.length.as_micros() / interval.as_micros()).ok()
                });
            stretch.element(telling.rule, &window.figures)
        });
        self.memory.told_until = Some(until);
    }

    fn dead_band(
        &mut self,
        telling: Telling<'_>,
        band: &DeadBandRule,
        waiting: Waiting,
        begins: bool,
        outcome: &mut Outcome,
    ) {
        let reading = &waiting.reading;
        let alarm = reading.is_alarm(telling.rule);
        let good = reading.good();
        let first = self.waiting.first().map(|first| first.reading.time);
        let since = self.memory.told.map(|told| told.time).or(first);
        let moved = match (self.memory.told, good) {
            (Some(told), Some(value)) => {
                (value - told.value.0).abs() > band.band || alarm != told.alarm
            }
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let long = since.is_some_and(|since| reading.time.since(since) >= band.every);
        let full = self.waiting.len() + 1 >= READINGS_WAITING_MAX;
        if !(moved || long || full || begins) {
            return self.waiting.push(waiting);
        }
        self.memory.told = match good {
            Some(value) => Some(Told {
                time: reading.time,
                value: Exact(value),
                alarm,
            }),
            // Doubtful for so long: that is told, and the time counts from here.
            None => self.memory.told.map(|told| Told {
                time: reading.time,
                ..told
            }),
        };
        let held = std::mem::take(&mut self.waiting);
        let itself = sensor::said(telling.rule, std::slice::from_ref(&waiting.reading));
        outcome.tell_all(telling, itself.into_iter().collect(), &held);
    }
}

#[cfg(test)]
mod tests;
