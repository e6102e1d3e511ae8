//! Readings beyond the alarm limits as one happening: begin, end, extremes, duration.
//!
//! Its begin is told by the reading itself, at once. Its end is an event of its own that sums it
//! up; where goods come or go meanwhile, the part until then is summed up for the goods of then.

use schemas::time::Instant;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Exact, Series, Telling};
use crate::compose::figures::{put_counts, put_number};
use crate::compose::sensor::{Reading, Said};
use crate::compose::{Weight, time_text};
use crate::config::{ExcursionRule, SensorRule};

/// An excursion, or readings that may become one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Excursion {
    /// When its first reading was taken.
    began: Instant,
    /// Where the part begins that no event has summed up.
    from: Instant,
    /// Newest reading beyond the limits.
    last: Instant,
    /// Lowest and highest of the part's readings beyond the limits.
    extremes: Option<(Exact, Exact)>,
    /// The part's readings beyond the limits.
    readings: u64,
    /// Readings of the part that are doubted.
    suspect: u64,
    /// Consecutive readings beyond the limits, while it has not begun.
    beyond: u32,
    /// Consecutive readings within the limits, and the first of them.
    within: u32,
    within_since: Option<Instant>,
    /// It has begun: enough readings were beyond.
    has_begun: bool,
}

/// What a reading does.
pub(super) enum Turn {
    Nothing,
    /// The excursion has begun with it.
    Begin,
    /// It has ended.
    End(Box<Said>),
}

impl Turn {
    pub(super) const fn is_begin(&self) -> bool {
        matches!(self, Self::Begin)
    }

    pub(super) fn said(self) -> Option<Said> {
        match self {
            Self::End(said) => Some(*said),
            Self::Nothing | Self::Begin => None,
        }
    }
}

impl Excursion {
    fn new(time: Instant) -> Self {
        Self {
            began: time,
            from: time,
            last: time,
            extremes: None,
            readings: 0,
            suspect: 0,
            beyond: 0,
            within: 0,
            within_since: None,
            has_begun: false,
        }
    }

    /// True if it has begun with this reading.
    fn beyond(&mut self, rule: ExcursionRule, time: Instant, value: f64) -> bool {
        let (low, high) = self.extremes.unwrap_or((Exact(value), Exact(value)));
        self.extremes = Some((Exact(low.0.min(value)), Exact(high.0.max(value))));
        self.last = self.last.max(time);
        self.readings += 1;
        self.beyond = self.beyond.saturating_add(1);
        (self.within, self.within_since) = (0, None);
        let begins = !self.has_begun && self.beyond >= rule.begin_after;
        self.has_begun |= begins;
        begins
    }

    /// True if it is over with this reading.
    fn within(&mut self, rule: ExcursionRule, time: Instant) -> bool {
        self.within = self.within.saturating_add(1);
        self.within_since.get_or_insert(time);
        !self.has_begun || self.within >= rule.end_after
    }

    /// What the part comes to.
    fn said(&self, rule: &SensorRule, until: Instant, word: &str) -> Said {
        let until = until.max(self.from);
        let mut report = Map::new();
        report.insert("type".to_owned(), rule.measurement.as_str().into());
        put_number(
            &mut report,
            "minValue",
            self.extremes.map(|extremes| extremes.0.0),
        );
        put_number(
            &mut report,
            "maxValue",
            self.extremes.map(|extremes| extremes.1.0),
        );
        report.insert("uom".to_owned(), rule.uom.as_str().into());
        report.insert("exception".to_owned(), "ALARM_CONDITION".into());
        report.insert("tb:excursion".to_owned(), word.into());
        report.insert("tb:excursionBegan".to_owned(), time_text(self.began).into());
        let seconds = until.since(self.began).as_micros() as f64 / 1e6;
        put_number(&mut report, "tb:durationSeconds", Some(seconds));
        put_counts(&mut report, self.readings, self.suspect, None);
        let element = json!({
            "sensorMetadata": {
                "deviceID": rule.sensor,
                "startTime": time_text(self.from),
                "endTime": time_text(until),
            },
            "sensorReport": [Value::Object(report)],
        });
        Said {
            time: until,
            elements: vec![element],
            weight: Weight::LifeCycle,
        }
    }
}

impl Series {
    pub(super) fn follow_excursion(&mut self, telling: Telling<'_>, reading: &Reading) -> Turn {
        let Some(rule) = telling.rule.excursion else {
            self.memory.excursion = None;
            return Turn::Nothing;
        };
        let open = &mut self.memory.excursion;
        match (reading.good(), open) {
            (None, None) => Turn::Nothing,
            (None, Some(open)) => {
                open.suspect += 1;
                Turn::Nothing
            }
            (Some(value), open) if reading.is_alarm(telling.rule) => {
                let open = open.get_or_insert_with(|| Excursion::new(reading.time));
                if open.beyond(rule, reading.time, value) {
                    Turn::Begin
                } else {
                    Turn::Nothing
                }
            }
            (Some(_), open) => {
                let is_over = open
                    .as_mut()
                    .is_some_and(|open| open.within(rule, reading.time));
                let over = open.take_if(|_| is_over).filter(|open| open.has_begun);
                over.map_or(Turn::Nothing, |over| {
                    let until = over.within_since.unwrap_or(reading.time);
                    Turn::End(Box::new(over.said(telling.rule, until, "end")))
                })
            }
        }
    }

    /// Sums up the part of an open excursion that is over because goods come or go.
    pub(super) fn cut_excursion(&mut self, telling: Telling<'_>) -> Option<Said> {
        let open = self.memory.excursion.as_mut();
        let open = open.filter(|open| open.has_begun && open.readings > 0)?;
        let said = open.said(telling.rule, open.last, "part");
        open.from = open.last.max(open.from);
        (open.extremes, open.readings, open.suspect) = (None, 0, 0);
        Some(said)
    }
}
