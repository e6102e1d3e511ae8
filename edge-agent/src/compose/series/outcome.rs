//! What readings come to: events, each told by the rule of its series.

use schemas::time::Instant;

use super::{Telling, Waiting};
use crate::compose::figures::Stretch;
use crate::compose::sensor::{self, Reading, Said};
use crate::compose::{ComposeError, Made, Weight};
use crate::config::Figure;

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// To be signed, in this order.
    pub made: Vec<Made>,
    /// Readings of which no valid event could be made; they are left out.
    pub failed: Option<ComposeError>,
}

impl Outcome {
    pub(super) fn tell(&mut self, telling: Telling<'_>, said: &Said) {
        let Telling {
            rule,
            time_zone_minutes,
            presence,
        } = telling;
        match sensor::tell(rule, time_zone_minutes, said, presence) {
            Ok(made) => self.made.extend(made),
            Err(error) => self.failed = Some(error),
        }
    }

    /// Readings one by one, as many an event as the rule says.
    pub(super) fn tell_each(&mut self, telling: Telling<'_>, waiting: &[Waiting]) {
        let readings: Vec<Reading> = waiting.iter().map(|one| one.reading.clone()).collect();
        for readings in readings.chunks(telling.rule.readings_per_event) {
            if let Some(said) = sensor::said(telling.rule, readings) {
                self.tell(telling, &said);
            }
        }
    }

    /// What was said, and what the readings held back come to, in one event.
    pub(super) fn tell_all(&mut self, telling: Telling<'_>, said: Vec<Said>, held: &[Waiting]) {
        let times = || held.iter().map(|one| one.reading.time);
        let Some(bounds) = times().min().zip(times().max()) else {
            for said in said {
                self.tell(telling, &said);
            }
            return;
        };
        self.tell_stretch(telling, said, bounds, held, |stretch| {
            stretch.element(telling.rule, &[Figure::Min, Figure::Max])
        });
    }

    pub(super) fn tell_stretch(
        &mut self,
        telling: Telling<'_>,
        before: Vec<Said>,
        (from, until): (Instant, Instant),
        of_it: &[Waiting],
        element: impl FnOnce(&mut Stretch<'_>) -> serde_json::Value,
    ) {
        let readings: Vec<Reading> = of_it.iter().map(|one| one.reading.clone()).collect();
        let mut stretch = Stretch {
            from,
            until,
            readings: &readings,
            expected: None,
        };
        let element = element(&mut stretch);
        let is_alarm = element["sensorReport"][0].get("exception").is_some();
        let mut said = Said {
            time: until,
            elements: vec![element],
            weight: if is_alarm {
                Weight::LifeCycle
            } else {
                Weight::Telemetry
            },
        };
        for one in before {
            said.time = said.time.max(one.time);
            said.elements.extend(one.elements);
            if one.weight == Weight::LifeCycle {
                said.weight = one.weight;
            }
        }
        self.tell(telling, &said);
    }
}
