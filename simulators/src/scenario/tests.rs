//! The scenario is repeatable, valid and says what the demo promises.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn scans(scenario: &Scenario) -> Vec<(&Action, Value)> {
    let of = |action: &Action| match &action.deed {
        Deed::Scan(line) => Some(serde_json::from_str(line).unwrap()),
        _ => None,
    };
    scenario
        .actions
        .iter()
        .filter_map(|action| of(action).map(|line| (action, line)))
        .collect()
}

/// True if a line names the lot or its pallet.
fn names(line: &Value, lot: &Lot) -> bool {
    let text = line.to_string();
    [&lot.uri, &lot.pallet]
        .iter()
        .any(|key| text.contains(&format!("{key}\"")))
}

fn conduct(scenario: &Scenario, wanted: Conduct) -> &Organisation {
    scenario
        .suppliers()
        .find(|(_, conduct)| *conduct == wanted)
        .unwrap()
        .0
}

#[test]
fn one_seed_gives_one_scenario_and_another_seed_another() {
    assert_eq!(Scenario::from_seed(7), Scenario::from_seed(7));
    assert_ne!(
        Scenario::from_seed(7).actions,
        Scenario::from_seed(8).actions
    );
}

#[test]
fn actions_are_in_order_within_the_time_of_the_scenario() {
    for seed in 0..60 {
        let scenario = Scenario::from_seed(seed);
        let times: Vec<_> = scenario.actions.iter().map(|action| action.at).collect();
        assert!(times.is_sorted());
        assert!(times[0] > scenario.start && times[times.len() - 1] < scenario.end);
    }
}

#[test]
fn no_gateway_is_asked_for_two_things_at_once_or_while_it_reads_a_sensor() {
    for seed in 0..60 {
        let scenario = Scenario::from_seed(seed);
        let mut seen = BTreeSet::new();
        for action in scenario
            .actions
            .iter()
            .filter(|one| matches!(one.deed, Deed::Scan(_)))
        {
            assert!(
                seen.insert((action.at, &action.gateway)),
                "seed {seed}: {action:?}"
            );
            assert_ne!(action.at.as_seconds() % 600, 0);
        }
    }
}

#[test]
fn every_scan_names_a_step_that_its_gateway_may_report_and_fits_the_line_limit() {
    let scenario = Scenario::from_seed(DEFAULT_SEED);
    let gateways = scenario.gateways();
    for (action, line) in scans(&scenario) {
        let gateway = gateways[&action.gateway];
        assert!(
            gateway.steps.contains(&line["step"].as_str().unwrap()),
            "{line}"
        );
        assert!(line.to_string().len() <= 16 * 1024);
        let stated = Instant::parse_rfc3339(line["time"].as_str().unwrap());
        assert_eq!(stated, Some(action.at));
    }
    for gateway in gateways.values() {
        assert!(gateway.steps.is_sorted());
    }
}

#[test]
fn sold_lots_take_every_step_in_order() {
    let scenario = Scenario::from_seed(DEFAULT_SEED);
    let wanted = [
        "commissioning",
        "inspecting",
        "packing",
        "storing",
        "shipping",
        "loading",
        "departing",
        "unloading",
        "receiving",
        "unpacking",
        "retail_selling",
    ];
    for lot in scenario
        .lots
        .iter()
        .filter(|lot| lot.fate != Fate::Rejected)
    {
        let mut steps: Vec<String> = scans(&scenario)
            .into_iter()
            .filter(|(_, line)| names(line, lot))
            .map(|(_, line)| line["step"].as_str().unwrap().to_owned())
            .collect();
        steps.dedup();
        assert_eq!(steps, wanted, "{}", lot.uri);
    }
}

#[test]
fn every_supplier_makes_enough_and_one_of_each_conduct_is_there() {
    for seed in 0..50 {
        let scenario = Scenario::from_seed(seed);
        let conducts: Vec<_> = scenario.suppliers().map(|(_, conduct)| conduct).collect();
        assert_eq!(
            conducts,
            [Conduct::Good, Conduct::Excursion, Conduct::Hiding]
        );
        for (supplier, conduct) in scenario.suppliers() {
            let lots: Vec<_> = scenario
                .lots
                .iter()
                .filter(|lot| lot.supplier == supplier.slug)
                .collect();
            assert_eq!(lots.len(), 12);
            let late = lots.iter().filter(|lot| lot.fate == Fate::Late).count();
            assert!((1..=2).contains(&late));
            let rejected = lots.iter().filter(|lot| lot.fate == Fate::Rejected).count();
            assert_eq!(rejected, usize::from(conduct != Conduct::Good));
            assert_eq!(lots[0].fate, Fate::OnTime);
        }
    }
}

#[test]
fn the_reefer_fails_while_goods_are_in_the_truck() {
    for seed in 0..60 {
        let scenario = Scenario::from_seed(seed);
        let supplier = conduct(&scenario, Conduct::Excursion);
        let truck = supplier
            .gateways
            .iter()
            .find(|one| one.slug.as_str() == "truck")
            .unwrap();
        let climate = &truck.sensor.as_ref().unwrap().climate;
        let warming = climate.warmings[0];
        let inside = scans(&scenario).into_iter().filter(|(action, line)| {
            action.gateway.organisation == supplier.slug
                && matches!(line["step"].as_str(), Some("loading" | "unloading"))
        });
        let mut loaded = None;
        let mut caught = false;
        for (action, line) in inside {
            if line["step"] == "loading" {
                loaded = Some(action.at);
            } else if let Some(since) = loaded.take() {
                caught |= since < warming.until && warming.from < action.at;
            }
        }
        assert!(caught, "seed {seed}: nothing was in the truck");
        assert!(climate.at(warming.until) > f64::from(supplier.products[0].limits.1) + 5.0);
    }
}

#[test]
fn only_the_two_bad_suppliers_ever_leave_their_limits() {
    let scenario = Scenario::from_seed(DEFAULT_SEED);
    for (supplier, _) in scenario.suppliers() {
        for gateway in &supplier.gateways {
            let Some(sensor) = &gateway.sensor else {
                continue;
            };
            let readings = (0..u64::from(DAYS) * 144)
                .map(|slot| scenario.start + Duration::from_secs(slot * 600))
                .map(|at| sensor.climate.at(at));
            let outside = readings
                .filter(|value| *value < sensor.alarm.0 || *value > sensor.alarm.1)
                .count();
            let warm = !sensor.climate.warmings.is_empty();
            assert_eq!(
                outside > 0,
                warm,
                "{}/{}: {outside}",
                supplier.slug,
                gateway.slug
            );
        }
    }
}

#[test]
fn what_is_hidden_is_every_reading_outside_the_limits() {
    for seed in 0..60 {
        let scenario = Scenario::from_seed(seed);
        let supplier = conduct(&scenario, Conduct::Hiding);
        let deeds: Vec<_> = scenario
            .actions
            .iter()
            .filter(|one| !matches!(one.deed, Deed::Scan(_)))
            .collect();
        let [cut, hide, restore] = deeds[..] else {
            panic!("{deeds:?}")
        };
        assert_eq!((&cut.deed, &restore.deed), (&Deed::Cut, &Deed::Restore));
        assert_eq!(hide.deed, Deed::Hide);
        let (from, until) = (cut.at, hide.at);
        assert!(from < until && until < restore.at);
        let cold = supplier
            .gateways
            .iter()
            .find(|one| one.slug.as_str() == "cold")
            .unwrap();
        let sensor = cold.sensor.as_ref().unwrap();
        for slot in 0..u64::from(DAYS) * 144 {
            let at = scenario.start + Duration::from_secs(slot * 600);
            let value = sensor.climate.at(at);
            let outside = value < sensor.alarm.0 || value > sensor.alarm.1;
            assert!(
                !outside || (from <= at && at < until),
                "seed {seed}: {value} at {at}"
            );
        }
    }
}

#[test]
fn the_lots_in_trouble_are_those_that_were_there() {
    for seed in 0..60 {
        let scenario = Scenario::from_seed(seed);
        let [(_, warm), (_, missing)] = scenario.troubled()[..] else {
            panic!("seed {seed}")
        };
        let span = |lot: &Lot, from: &str, until: &str| {
            let of = |step: &str| {
                let scans = scans(&scenario).into_iter();
                let mut times = scans.filter(|(_, line)| line["step"] == step && names(line, lot));
                times.next().unwrap().0.at
            };
            (of(from), of(until))
        };
        let climate = |supplier: &Slug, device: &str| {
            let organisation = scenario.organisation(supplier).unwrap();
            let gateway = organisation
                .gateways
                .iter()
                .find(|one| one.slug.as_str() == device);
            gateway.unwrap().sensor.as_ref().unwrap().climate.warmings[0]
        };
        let (from, until) = span(warm, "loading", "unloading");
        let warming = climate(&warm.supplier, "truck");
        assert!(warming.from < until && from < warming.until, "seed {seed}");
        let (from, until) = span(missing, "storing", "shipping");
        let warming = climate(&missing.supplier, "cold");
        assert!(from < warming.from && warming.from < until, "seed {seed}");
    }
}

#[test]
fn a_first_journey_ends_within_three_days() {
    let scenario = Scenario::from_seed(DEFAULT_SEED);
    let first = scenario.first_finished().unwrap();
    assert!(first.finished.since(scenario.start) < Duration::from_secs(3 * 86_400));
}

#[test]
fn keys_are_distinct() {
    let scenario = Scenario::from_seed(DEFAULT_SEED);
    let lots: BTreeSet<_> = scenario.lots.iter().map(|lot| &lot.uri).collect();
    let pallets: BTreeSet<_> = scenario.lots.iter().map(|lot| &lot.pallet).collect();
    let places: BTreeSet<_> = scenario
        .gateways()
        .values()
        .map(|one| one.place.clone())
        .collect();
    assert_eq!((lots.len(), pallets.len(), places.len()), (36, 36, 11));
}
