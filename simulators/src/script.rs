//! What a run plays: the story of a seed, a measured series, or a file of deliveries.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use schemas::ids::{DeviceAddress, Origin};
use schemas::time::Instant;
use serde_json::json;

use crate::deliveries::{self, Deliveries};
use crate::folder::Played;
use crate::scenario::{self, Action, Conduct, DAYS, Deed, Organisation, Role, Scenario, gtin};
use crate::series::{ASSUMPTION, SLOT, Series};
use crate::stack::bank::{self, Lending};
use crate::stack::equipment;
use crate::stack::play::{Rhythm, STEP};
use crate::stack::post::Equipment;
use crate::summary::grouped;

/// Origin of the log of a story.
const STORY_ORIGIN: &str = "demo.tracebond.example/replay";
/// Origin of the log of a replayed series.
const SERIES_ORIGIN: &str = "series.tracebond.example/replay";
/// Origin of the log of replayed deliveries.
const DELIVERIES_ORIGIN: &str = "deliveries.tracebond.example/replay";

/// Time between batches: a run waits for each, so they are made as soon as something waits.
const BATCH_MILLISECONDS: u64 = 40;
/// The same where a run waits thousands of times for one event or two.
const SMALL_BATCH_MILLISECONDS: u64 = 5;

/// How long before its first reading a world is set up.
const BEFORE: Duration = Duration::from_secs(90);

/// What is played.
pub enum Script {
    /// The story of a seed.
    Story(Box<Scenario>),
    /// A measured series.
    Series(Box<Replay>),
    /// Real deliveries.
    Deliveries(Box<deliveries::Replay>),
}

/// A replayed series with the world that it is shown in.
pub struct Replay {
    series: Series,
    file: String,
    organisations: Vec<Organisation>,
    equipment: Equipment,
    machine: String,
    actions: Vec<Action>,
}

impl Script {
    /// The story of a seed.
    pub fn story(seed: u64) -> Script {
        Script::Story(Box::new(Scenario::from_seed(seed)))
    }

    /// The series in a file.
    ///
    /// # Errors
    /// When the file cannot be read or a row is none.
    pub fn series(path: &Path) -> anyhow::Result<Script> {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        Script::replay(Series::load(path)?, file.into_owned())
    }

    /// A series that is there already; `file` is what it is called.
    ///
    /// # Errors
    /// None that is known.
    pub fn replay(series: Series, file: String) -> anyhow::Result<Script> {
        Ok(Script::Series(Box::new(Replay::new(series, file)?)))
    }

    /// The deliveries in a file.
    ///
    /// # Errors
    /// When the file cannot be read or a line is none.
    pub fn deliveries(path: &Path) -> anyhow::Result<Script> {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        Script::delivered(&Deliveries::load(path)?, file.into_owned())
    }

    /// Deliveries that are there already; `file` is what they are called.
    ///
    /// # Errors
    /// When there are more parties than identifiers.
    pub fn delivered(deliveries: &Deliveries, file: String) -> anyhow::Result<Script> {
        let replay = deliveries::Replay::new(deliveries, file)?;
        Ok(Script::Deliveries(Box::new(replay)))
    }

    /// Everybody in it.
    pub fn organisations(&self) -> &[Organisation] {
        match self {
            Script::Story(scenario) => &scenario.organisations,
            Script::Series(replay) => &replay.organisations,
            Script::Deliveries(replay) => &replay.organisations,
        }
    }

    /// Every gateway with its sensor.
    pub fn equipment(&self) -> Vec<Equipment> {
        match self {
            Script::Story(scenario) => equipment::of_story(scenario),
            Script::Series(replay) => vec![replay.equipment.clone()],
            Script::Deliveries(replay) => replay.equipment.clone(),
        }
    }

    /// What is done, by time.
    pub fn actions(&self) -> &[Action] {
        match self {
            Script::Story(scenario) => &scenario.actions,
            Script::Series(replay) => &replay.actions,
            Script::Deliveries(replay) => &replay.actions,
        }
    }

    /// Origin of the log.
    ///
    /// # Errors
    /// None for the origins of this file.
    pub fn origin(&self) -> anyhow::Result<Origin> {
        let origin = match self {
            Script::Story(_) => STORY_ORIGIN,
            Script::Series(_) => SERIES_ORIGIN,
            Script::Deliveries(_) => DELIVERIES_ORIGIN,
        };
        Ok(origin.parse()?)
    }

    /// When the clock starts: everything is set up before the first reading.
    pub fn start(&self) -> Instant {
        match self {
            Script::Story(scenario) => scenario.start - BEFORE,
            Script::Series(replay) => replay.series.slot(0) - BEFORE,
            Script::Deliveries(replay) => replay.start(),
        }
    }

    /// When everything is over.
    pub fn end(&self) -> Instant {
        match self {
            Script::Story(scenario) => scenario.end,
            // Just before the slot after the last row would be read.
            Script::Series(replay) => {
                let rows = replay.series.rows().len();
                replay.series.slot(rows) - Duration::from_secs(1)
            }
            Script::Deliveries(replay) => replay.end(),
        }
    }

    /// When there is something to show, and the Digital Link URI of what is shown.
    pub fn first_journey(&self) -> (Instant, String) {
        match self {
            Script::Story(scenario) => scenario
                .first_finished()
                .map_or((scenario.end, String::new()), |lot| {
                    (lot.finished, lot.uri.clone())
                }),
            Script::Series(replay) => {
                let day = replay.series.rows().len().min(288);
                (
                    replay.series.slot(day) - Duration::from_secs(1),
                    replay.machine.clone(),
                )
            }
            Script::Deliveries(replay) => replay.first_receipt(),
        }
    }

    /// When gateways hand over.
    pub fn rhythm(&self) -> Rhythm {
        match self {
            Script::Story(_) => Rhythm::Every(STEP),
            Script::Series(_) => Rhythm::Every(STEP * 4),
            Script::Deliveries(_) => Rhythm::AfterActions,
        }
    }

    /// What the bank lends.
    pub fn lending(&self) -> Lending {
        match self {
            Script::Deliveries(_) => bank::ORDERS,
            _ => bank::RECEIVABLES,
        }
    }

    /// Time between batches in milliseconds of real time.
    pub fn batch_milliseconds(&self) -> u64 {
        match self {
            Script::Deliveries(_) => SMALL_BATCH_MILLISECONDS,
            _ => BATCH_MILLISECONDS,
        }
    }

    /// What a line of progress says of the present.
    pub fn caption(&self, now: Instant) -> String {
        match self {
            Script::Story(scenario) => {
                let day = now.since(scenario.start).as_secs() / 86_400 + 1;
                format!("day {} of {DAYS}", day.min(u64::from(DAYS)))
            }
            Script::Series(replay) => {
                let rows = replay.series.rows().len() as u64;
                let row = now.since(replay.series.slot(0)).as_secs() / SLOT.as_secs() + 1;
                format!("row {} of {}", grouped(row.min(rows)), grouped(rows))
            }
            Script::Deliveries(_) => now.utc().format("%Y-%m-%d").to_string(),
        }
    }

    /// For whoever checks.
    pub fn played(&self) -> Played {
        match self {
            Script::Story(scenario) => Played::Story {
                seed: scenario.seed,
                days: DAYS,
            },
            Script::Series(replay) => Played::Series {
                file: replay.file.clone(),
                stamps: replay.series.stamps(),
                rows: replay.series.rows().to_vec(),
                assumption: ASSUMPTION.to_owned(),
            },
            Script::Deliveries(replay) => Played::Deliveries {
                file: replay.file.clone(),
                lines: replay.replayed.len() as u64,
                assumptions: deliveries::assumptions(),
                replayed: replay.replayed.clone(),
            },
        }
    }

    /// Digital Link URIs of everything that has a page, or of some of it where it is thousands.
    pub fn products(&self) -> Vec<String> {
        match self {
            Script::Story(scenario) => scenario.lots.iter().map(|lot| lot.uri.clone()).collect(),
            Script::Series(replay) => vec![replay.machine.clone()],
            Script::Deliveries(replay) => replay.samples(),
        }
    }

    /// Digital Link URIs of what is worth a look, each with the reason.
    pub fn sights(&self) -> Vec<(&'static str, String)> {
        match self {
            Script::Story(scenario) => scenario
                .troubled()
                .into_iter()
                .map(|(what, lot)| (what, lot.uri.clone()))
                .collect(),
            Script::Series(_) | Script::Deliveries(_) => Vec::new(),
        }
    }

    /// Those who apply for credit, with their conduct where the script knows it.
    pub fn applicants(&self) -> Vec<(&Organisation, Option<Conduct>)> {
        let story = matches!(self, Script::Story(_));
        let mut applicants = Vec::new();
        for organisation in self.organisations() {
            if let Role::Supplier(conduct) = organisation.role {
                applicants.push((organisation, story.then_some(conduct)));
            }
        }
        applicants
    }
}

impl Replay {
    fn new(series: Series, file: String) -> anyhow::Result<Replay> {
        let organisations = scenario::of_series();
        let owner = organisations.iter().find(|one| !one.gateways.is_empty());
        let owner = owner.context("nobody in the world of a series has a gateway")?;
        let gateway = &owner.gateways[0];
        let address = DeviceAddress {
            organisation: owner.slug.clone(),
            device: gateway.slug.clone(),
        };
        let machine = format!("https://id.gs1.org/01/{}/21/NAB1", gtin(&owner.prefix, 1));
        let installed = json!({
            "step": "installing",
            "items": [machine],
            "presence": "in",
            "disposition": "active",
            "extra": { "tb:assumption": "the file names no machine: this identity is simulated" },
        });
        let actions = vec![Action {
            at: series.slot(0) - BEFORE / 2,
            gateway: address.clone(),
            deed: Deed::Scan(installed.to_string()),
        }];
        let equipment = equipment::of_series(address, gateway, &owner.prefix, &series);
        Ok(Replay {
            series,
            file,
            equipment,
            machine,
            actions,
            organisations,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_ends_after_its_last_row_and_before_the_next_reading() {
        let series = Series::parse("x.csv", "timestamp,value\n2014-01-07 02:50:00,90.5\n").unwrap();
        let script = Script::Series(Box::new(Replay::new(series, "x.csv".to_owned()).unwrap()));
        let first = Instant::parse_rfc3339("2014-01-07T02:50:00Z").unwrap();
        assert!(script.start() < first && script.end() > first);
        assert!(script.end() < first + SLOT);
        assert!(script.origin().unwrap().is_replay());
        assert_eq!(script.caption(script.end()), "row 1 of 1");
        assert_eq!(script.applicants().len(), 1);
    }

    #[test]
    fn a_story_shows_its_first_journey_before_it_ends() {
        let script = Script::story(7);
        let (at, item) = script.first_journey();
        assert!(at < script.end() && script.products().contains(&item));
        assert_eq!(script.applicants().len(), 3);
    }
}
