//! What a journey must show, told on the peaches of the fixture.

use std::time::Duration;

use schemas::time::Instant;
use serde_json::{Value, json};

use super::fixture::{
    CASE, LOT, Memory, ORCHARD, PACKHOUSE, SHOP, TRUCK, event, lot, measured, peaches, time,
};
use super::journey::Step;
use super::verdict::judge;
use super::*;

fn words(journey: &Journey) -> Vec<String> {
    let word = |step: &Step| {
        step.step
            .clone()
            .unwrap_or_else(|| format!("{} readings", step.entries.len()))
    };
    journey.steps.iter().map(word).collect()
}

fn at(minutes: i64) -> Instant {
    Instant::parse_rfc3339(&time(minutes)).unwrap()
}

#[test]
fn a_journey_follows_the_goods_through_their_case() {
    let journey = peaches(false).journey();
    let expected = [
        "commissioning",
        "24 readings",
        "inspecting",
        "packing",
        "shipping",
        "36 readings",
        "receiving",
        "unpacking",
        "retail_selling",
    ];
    assert_eq!(words(&journey), expected);
    assert_eq!(journey.containers.len(), 1);
    assert_eq!(journey.containers[0].span.from, at(300));
    assert_eq!(journey.containers[0].span.until, Some(at(550)));
    assert_eq!(journey.steps[4].container.as_deref(), Some(CASE));
    assert_eq!(journey.names["zh-CN"], "青禾水蜜桃 5 公斤装");
    let holders: Vec<_> = journey
        .holders
        .iter()
        .map(|one| one.organisation.as_str())
        .collect();
    assert_eq!(holders, ["qinghe", "northroad", "corner-shop"]);
    assert_eq!(journey.holders[0].until, Some(at(330)));
}

#[test]
fn what_it_was_made_from_is_listed_with_its_name() {
    let journey = peaches(false).journey();
    let [input] = &journey.ancestors[..] else {
        panic!("{:?}", journey.ancestors)
    };
    assert_eq!(input.thing.item, ORCHARD);
    assert_eq!(input.thing.quantity.as_deref(), Some("560"));
    assert_eq!(input.names["en"], "Peaches from the orchard");
    assert!(
        peaches(false)
            .journey_of(ORCHARD)
            .is_some_and(|one| one.steps.len() == 2)
    );
}

#[test]
fn an_unknown_item_has_no_journey() {
    let other = "https://id.gs1.org/01/09521001000017/10/OTHER";
    assert!(peaches(false).journey_of(other).is_none());
}

#[test]
fn a_refused_event_is_no_part_of_it() {
    let mut world = peaches(false);
    world.events.last_mut().unwrap().refused = Some("place-not-allowed".to_owned());
    assert_eq!(world.journey().steps.len(), 8);
}

#[test]
fn what_the_case_does_without_the_goods_is_left_out() {
    let mut world = peaches(false);
    let other = json!([{"epcClass": ORCHARD, "quantity": 5, "uom": "KGM"}]);
    let beside = json!({"action": "ADD", "parentID": CASE, "childQuantityList": other});
    world.add(
        "qinghe/line-1",
        Source::Scan,
        event("AggregationEvent", 305, PACKHOUSE, "packing", beside),
    );
    for minutes in [200, 700] {
        let alone = json!({"action": "OBSERVE", "epcList": [CASE]});
        world.add(
            "x/y",
            Source::Scan,
            event("ObjectEvent", minutes, SHOP, "cleaning", alone),
        );
    }
    assert_eq!(words(&world.journey()), words(&peaches(false).journey()));
}

#[test]
fn containers_are_followed_level_by_level_in_their_time() {
    let mut world = peaches(false);
    let vehicle = "https://id.gs1.org/00/095210010000000024";
    let move_case = |action| json!({"action": action, "parentID": vehicle, "childEPCs": [CASE]});
    world.add(
        "northroad/gate",
        Source::Scan,
        event("AggregationEvent", 320, TRUCK, "loading", move_case("ADD")),
    );
    world.add(
        "northroad/gate",
        Source::Scan,
        event(
            "AggregationEvent",
            530,
            TRUCK,
            "unloading",
            move_case("DELETE"),
        ),
    );
    for (minutes, step) in [(315, "before"), (400, "arriving"), (535, "after")] {
        let seen = json!({"action": "OBSERVE", "epcList": [vehicle]});
        world.add(
            "northroad/gate",
            Source::Scan,
            event("ObjectEvent", minutes, TRUCK, step, seen),
        );
    }
    let words = words(&world.journey());
    assert!(words.contains(&"loading".to_owned()) && words.contains(&"arriving".to_owned()));
    assert!(!words.contains(&"before".to_owned()) && !words.contains(&"after".to_owned()));
}

#[test]
fn a_cycle_of_containers_ends() {
    let mut world = Memory::default();
    let into = |parent, child| json!({"action": "ADD", "parentID": parent, "childEPCs": [child]});
    world.add(
        "a/b",
        Source::Scan,
        event("AggregationEvent", 0, SHOP, "packing", into(CASE, LOT)),
    );
    let other = "https://id.gs1.org/00/095210010000000024";
    world.add(
        "a/b",
        Source::Scan,
        event("AggregationEvent", 1, SHOP, "packing", into(other, CASE)),
    );
    world.add(
        "a/b",
        Source::Scan,
        event("AggregationEvent", 2, SHOP, "packing", into(CASE, other)),
    );
    let journey = world.journey();
    assert!(journey.truncated);
    assert_eq!(journey.steps.len(), 3);
}

#[test]
fn too_warm_a_truck_is_an_excursion_with_start_end_and_peak() {
    let journey = peaches(true).journey();
    let curve = &journey.steps[5].curves[0];
    let [excursion] = &curve.excursions[..] else {
        panic!("{:?}", curve.excursions)
    };
    assert_eq!(
        curve.readings[excursion.first].time.instant,
        at(330 + 14 * 5)
    );
    assert_eq!(curve.length(excursion), Duration::from_secs(7 * 300));
    assert_eq!(curve.readings[excursion.peak].value, Some(9.8));
    assert!(journey.steps[1].curves[0].excursions.is_empty());
    assert!(
        peaches(false).journey().steps[5].curves[0]
            .excursions
            .is_empty()
    );
}

fn series(readings: &[(i64, f64)]) -> Curve {
    let mut world = peaches(false);
    world.events.retain(|one| one.source != Source::Sensor);
    for (minutes, value) in readings {
        world.add(
            "qinghe/cold-1",
            Source::Sensor,
            measured(*minutes, PACKHOUSE, &lot(), *value),
        );
    }
    let journey = world.journey();
    let mut runs = journey.steps.iter().filter(|step| !step.curves.is_empty());
    runs.next().unwrap().curves[0].clone()
}

#[test]
fn time_that_repeats_or_jumps_back_is_kept_in_the_devices_order() {
    let curve = series(&[
        (60, 1.0),
        (70, 2.0),
        (70, 3.0),
        (80, 4.0),
        (65, 5.0),
        (90, 6.0),
    ]);
    let values: Vec<_> = curve.readings.iter().filter_map(|one| one.value).collect();
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let marks: Vec<_> = curve.readings.iter().map(|one| one.mark).collect();
    assert_eq!(
        marks,
        [
            None,
            None,
            Some(Mark::Repeats),
            None,
            Some(Mark::JumpsBack),
            None
        ]
    );
    assert!(curve.is_broken_before(4));
}

#[test]
fn a_long_interval_is_a_break_and_ends_an_excursion() {
    let curve = series(&[
        (0, 9.0),
        (10, 9.0),
        (20, 9.0),
        (45, 9.0),
        (71, 9.5),
        (81, 3.0),
    ]);
    assert_eq!(
        curve.breaks,
        [4],
        "25 minutes is not more than 2.5 times 10, 26 is"
    );
    let episodes: Vec<_> = curve
        .excursions
        .iter()
        .map(|one| (one.first, one.last, one.peak))
        .collect();
    assert_eq!(episodes, [(0, 3, 0), (4, 4, 4)]);
}

/// A gateway that tells windows: their mean lies within the limits, their extremes do not.
#[test]
fn an_excursion_within_a_window_is_seen_and_what_sums_it_up_is_no_reading() {
    let mut world = peaches(false);
    world.events.retain(|one| one.source != Source::Sensor);
    let report = |rest: Value| {
        let mut report = json!({"type": "Temperature", "uom": "CEL"});
        let members = rest.as_object().unwrap().clone();
        report.as_object_mut().unwrap().extend(members);
        report
    };
    let windows = [
        (
            60,
            json!([
                report(json!({"meanValue": 4.0, "minValue": 3.0, "maxValue": 5.0})),
                report(json!({"percRank": 95, "percValue": 4.9}))
            ]),
        ),
        (
            70,
            json!([report(
                json!({"meanValue": 6.0, "minValue": 3.5, "maxValue": 12.5})
            )]),
        ),
        (
            71,
            json!([report(json!({"maxValue": 12.5, "tb:excursion": "end"}))]),
        ),
        (
            80,
            json!([report(json!({"percRank": 50, "percValue": 4.0}))]),
        ),
    ];
    for (minutes, reports) in windows {
        let mut event = measured(minutes, PACKHOUSE, &lot(), 0.0);
        event["sensorElementList"] = json!([{
            "sensorMetadata": {"startTime": time(minutes - 10), "endTime": time(minutes)},
            "sensorReport": reports,
        }]);
        world.add("qinghe/cold-1", Source::Sensor, event);
    }
    let journey = world.journey();
    let mut runs = journey.steps.iter().filter(|step| !step.curves.is_empty());
    let curve = &runs.next().unwrap().curves[0];
    let values: Vec<_> = curve.readings.iter().map(|one| one.value).collect();
    assert_eq!(values, [Some(4.0), Some(12.5), Some(4.0)]);
    let told: Vec<_> = curve.readings.iter().map(|one| one.time.instant).collect();
    assert_eq!(told, [60, 70, 80].map(at));
    let found: Vec<_> = curve.excursions.iter().map(|one| one.peak).collect();
    assert_eq!(found, [1]);
}

#[test]
fn a_run_goes_on_over_a_step_at_its_place_and_ends_with_one_elsewhere() {
    let mut world = peaches(false);
    let away = json!({"action": "OBSERVE", "quantityList": lot()});
    world.add(
        "qinghe/line-1",
        Source::Scan,
        event("ObjectEvent", 195, SHOP, "sampling", away),
    );
    let words = words(&world.journey());
    assert_eq!(
        words[1..5],
        ["14 readings", "inspecting", "sampling", "10 readings"]
    );
}

#[test]
fn a_correction_and_what_it_corrects_are_both_shown() {
    let mut world = peaches(false);
    let recalled = json!({"action": "OBSERVE", "disposition": "recalled", "quantityList": lot(), "eventID": "urn:uuid:1"});
    let event = event("ObjectEvent", 950, PACKHOUSE, "holding", recalled);
    world.add("qinghe/line-1", Source::Declared, event.clone());
    assert!(world.journey().recall.is_some());
    let mut declared = event;
    declared["errorDeclaration"] = json!({"declarationTime": time(960), "reason": "did_not_occur"});
    world.add("qinghe/line-1", Source::Declared, declared);
    let journey = world.journey();
    assert_eq!(journey.recall, None);
    let corrections: Vec<_> = journey
        .steps
        .iter()
        .filter_map(|step| step.correction.clone())
        .collect();
    assert_eq!(corrections.len(), 2);
    assert!(corrections.contains(&Correction::DeclaredWrong));
}

#[test]
fn a_stranger_can_neither_correct_nor_recall() {
    let mut world = peaches(false);
    let recalled = json!({"action": "OBSERVE", "disposition": "recalled", "quantityList": lot()});
    world.add(
        "stranger/pc",
        Source::Declared,
        event("ObjectEvent", 950, SHOP, "holding", recalled),
    );
    let mut wrong: serde_json::Value = serde_json::from_slice(&world.events[1].bytes).unwrap();
    wrong["errorDeclaration"] = json!({"reason": "did_not_occur"});
    world.add("stranger/pc", Source::Declared, wrong);
    let journey = world.journey();
    assert_eq!(journey.recall, None);
    assert!(
        journey
            .steps
            .iter()
            .all(|step| step.correction != Some(Correction::DeclaredWrong))
    );
}

#[test]
fn the_maker_is_who_stands_first_in_the_log_not_who_claims_the_earlier_time() {
    let mut world = peaches(false);
    let again =
        json!({"action": "ADD", "quantityList": lot(), "ilmd": {"tb:productName": {"en": "Fake"}}});
    world.add(
        "copycat/pc",
        Source::Declared,
        event("ObjectEvent", -900, SHOP, "commissioning", again),
    );
    let journey = world.journey();
    let makers: Vec<_> = journey
        .makers
        .iter()
        .map(schemas::ids::Slug::as_str)
        .collect();
    assert_eq!(makers, ["qinghe", "copycat"]);
    assert_eq!(journey.names["en"], "Qinghe honey peaches, 5 kg box");
    let facts = Facts::of(&journey, Some(&world.proof()), &[]);
    assert!(matches!(judge(&facts).reasons[0], Reason::SeveralMakers(_)));
}

#[test]
fn two_signers_of_one_event_are_one_step_with_the_stronger_source() {
    let mut world = peaches(false);
    let first: serde_json::Value = serde_json::from_slice(&world.events[1].bytes).unwrap();
    world.add("qinghe/office", Source::File, first);
    let journey = world.journey();
    assert_eq!(journey.steps.len(), 9);
    assert_eq!(journey.steps[0].source, Source::Scan);
    assert_eq!(journey.steps[0].entries.len(), 2);
}

#[test]
fn what_is_anchored_after_two_days_is_late() {
    let mut world = peaches(false);
    let last = world.events.last_mut().unwrap();
    let anchor = last.anchor.as_mut().unwrap();
    anchor.anchored = Some(at(900) + Duration::from_secs(48 * 3_600));
    assert!(!world.journey().steps[8].is_late());
    world
        .events
        .last_mut()
        .unwrap()
        .anchor
        .as_mut()
        .unwrap()
        .anchored = Some(at(900) + Duration::from_secs(48 * 3_600 + 1));
    assert!(world.journey().steps[8].is_late());
}

#[test]
fn odd_members_never_hide_an_event() {
    let mut world = peaches(false);
    let odd = json!({
        "action": "SING", "disposition": 7, "quantityList": [1, {"epcClass": LOT, "quantity": "x"}],
        "sensorElementList": [{}, {"sensorReport": [{"type": "Temperature"}, {"value": 3}, 5]}],
        "ilmd": [], "errorDeclaration": 3, "parentID": {"a": 1},
    });
    world.add(
        "a/b",
        Source::Sensor,
        event("ObjectEvent", 50, SHOP, "storing", odd),
    );
    let journey = world.journey();
    assert!(words(&journey).contains(&"storing".to_owned()));
    let odd = journey
        .steps
        .iter()
        .find(|step| step.step.as_deref() == Some("storing"))
        .unwrap();
    assert_eq!(odd.curves[0].readings[0].value, None);
}
