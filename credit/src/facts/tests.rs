use rust_decimal::Decimal;
use schemas::event::Source;
use schemas::statement::Note;

use super::*;
use crate::evidence::chain::Missing;
use crate::evidence::verify;
use crate::testing::*;

fn facts_at(world: &mut World, until: Instant, as_of: Instant, hold_back: &HoldBack) -> Facts {
    let trusted = world.trusted();
    let bundle = world.bundle(until, hold_back).to_json().unwrap();
    let evidence = verify(&bundle, &trusted).unwrap();
    Facts::read(&evidence, &slug("qinghe"), as_of, Rules::default()).unwrap()
}

fn facts(world: &mut World) -> Facts {
    facts_at(world, at(24, 0), at(24, 0), &HoldBack::default())
}

fn missing(facts: &Facts) -> Vec<Missing> {
    facts.gaps.iter().map(|gap| gap.missing.clone()).collect()
}

#[test]
fn a_good_journey_gives_good_facts_with_their_leaves() {
    let facts = facts(&mut journey(&COLD));
    assert_eq!((facts.on_time.part, facts.on_time.whole), (1, 1));
    assert_eq!(facts.on_time.leaves.len(), 2);
    assert_eq!((facts.inspection.part, facts.inspection.whole), (1, 1));
    assert_eq!(
        (facts.excursions.readings, facts.excursions.minutes),
        (12, 0)
    );
    assert_eq!(facts.volume.deliveries, 1);
    assert_eq!(facts.volume.units, Decimal::from(40));
    assert_eq!(
        facts.volume.turnover_fen,
        BTreeMap::from([(Currency::CNY, 1_200_000)])
    );
    assert_eq!(facts.gaps, []);
    assert_eq!(facts.events, 16);
    assert_eq!(facts.sources["sensor"].part, 12);
    assert_eq!(facts.sources["scan"].part, 4);
    assert_eq!(facts.measured.share, Some(Decimal::ONE));
    assert_eq!(facts.late_records.part, 0);
}

#[test]
fn the_same_evidence_and_instant_give_the_same_bytes() {
    let mut world = journey(&WARM);
    let trusted = world.trusted();
    let bundle = world.pack(at(24, 0));
    let bytes = || {
        let evidence = verify(&bundle, &trusted).unwrap();
        let facts = Facts::read(&evidence, &slug("qinghe"), at(24, 0), Rules::default()).unwrap();
        facts.to_bytes().unwrap()
    };
    assert_eq!(bytes(), bytes());
    let read: Facts = serde_json::from_slice(&bytes()).unwrap();
    assert_eq!(read.to_bytes().unwrap(), bytes());
}

#[test]
fn consecutive_readings_outside_are_one_episode() {
    let facts = facts(&mut journey(&WARM));
    let [episode] = facts.excursions.episodes.as_slice() else {
        panic!("one episode")
    };
    assert_eq!((episode.minutes, episode.readings), (30, 4));
    assert_eq!(episode.extreme, Decimal::new(94, 1));
    assert_eq!((episode.from, episode.until), (at(2, 30), at(3, 0)));
    assert_eq!(
        (episode.sensor.as_str(), episode.leaves.len()),
        ("probe-1", 4)
    );
    assert_eq!(
        (facts.excursions.longest_minutes, facts.excursions.minutes),
        (30, 30)
    );
}

#[test]
fn a_single_reading_outside_is_a_minute_and_breaks_make_two_episodes() {
    let facts = facts(&mut journey(&["9.0", "4.0", "1.5"]));
    let minutes: Vec<u64> = facts
        .excursions
        .episodes
        .iter()
        .map(|one| one.minutes)
        .collect();
    assert_eq!(minutes, [1, 1]);
    assert_eq!(facts.excursions.episodes[1].extreme, Decimal::new(15, 1));
}

#[test]
fn a_suspect_reading_and_an_unknown_unit_are_shown_and_not_judged() {
    let mut world = World::new(&DEVICES);
    let suspect =
        reading(at(2, 0), LOT, "-127").replace(r#""uom""#, r#""tb:quality":"suspect","uom""#);
    let unknown = reading(at(2, 10), LOT, "99").replace("CEL", "XYZ");
    let kelvin = reading(at(2, 20), LOT, "277.15").replace("CEL", "KEL");
    world.say(
        "qinghe/line-1",
        at(1, 0),
        &[(Source::Scan, commissioning(at(1, 0), LOT))],
    );
    let readings = [suspect, unknown, kelvin].map(|event| (Source::Sensor, event));
    world.say("qinghe/cold-1", at(2, 30), &readings);
    let found = facts(&mut world).excursions;
    assert_eq!((found.readings, found.suspect, found.unreadable), (1, 1, 1));
    assert_eq!(found.episodes, []);
}

#[test]
fn a_window_is_judged_by_its_extremes_and_what_sums_up_an_excursion_is_no_reading() {
    let mut world = World::new(&DEVICES);
    world.say(
        "qinghe/line-1",
        at(1, 0),
        &[(Source::Scan, commissioning(at(1, 0), LOT))],
    );
    let window = |minute, figures: &str| {
        let event = reading(at(2, minute), LOT, "0");
        (Source::Sensor, event.replace(r#""value":0"#, figures))
    };
    let told = [
        window(0, r#""meanValue":4.0,"minValue":3.0,"maxValue":5.0"#),
        window(10, r#""meanValue":5.0,"minValue":3.0,"maxValue":12.5"#),
        window(10, r#""percRank":95,"percValue":12.0"#),
        window(11, r#""maxValue":12.5,"tb:excursion":"end""#),
    ];
    world.say("qinghe/cold-1", at(2, 30), &told);
    let found = facts(&mut world).excursions;
    assert_eq!((found.readings, found.unreadable), (2, 0));
    let [episode] = found.episodes.as_slice() else {
        panic!("one episode")
    };
    assert_eq!(episode.extreme, Decimal::new(125, 1));
}

#[test]
fn what_happens_after_somebody_else_received_it_is_not_the_suppliers() {
    let mut world = journey(&COLD);
    for (hour, item) in [(12, PALLET), (13, LOT)] {
        let time = at(hour, 0);
        world.say(
            "market/dock-1",
            time,
            &[(Source::Sensor, reading(time, item, "20"))],
        );
    }
    assert_eq!(facts(&mut world).excursions.episodes, []);
    let before = reading(at(10, 0), PALLET, "20");
    world.say("market/dock-1", at(13, 30), &[(Source::Sensor, before)]);
    assert_eq!(facts(&mut world).excursions.episodes.len(), 1);
}

#[test]
fn only_promises_that_are_due_count() {
    let mut world = journey(&COLD);
    let early = facts_at(&mut world, at(24, 0), at(11, 30), &HoldBack::default());
    assert_eq!((early.on_time.whole, early.volume.deliveries), (0, 1));
    assert_eq!(early.on_time.share, None);
}

#[test]
fn what_a_compromised_key_signed_is_only_said() {
    let mut world = journey(&COLD);
    let trusted = world.trusted();
    let mut evidence = verify(&world.pack(at(24, 0)), &trusted).unwrap();
    assert!(evidence.events.iter().all(|event| !event.compromised));
    for event in &mut evidence.events {
        event.compromised = true;
    }
    let (qinghe, rules) = (slug("qinghe"), Rules::default());
    let facts = Facts::read(&evidence, &qinghe, at(24, 0), rules).unwrap();
    assert_eq!(facts.sources["declared"].part, 16);
    assert_eq!((facts.on_time.part, facts.late_records.part), (0, 0));
    assert_eq!(facts.measured.share, Some(Decimal::ZERO));
}

#[test]
fn facts_as_of_an_instant_know_nothing_of_what_came_later() {
    let mut world = journey(&COLD);
    let then = facts_at(&mut world, at(24, 0), at(6, 30), &HoldBack::default());
    assert_eq!((then.events, then.volume.deliveries), (16, 0));
    let then = facts_at(&mut world, at(24, 0), at(1, 45), &HoldBack::default());
    assert_eq!((then.events, then.excursions.readings), (3, 0));
}

#[test]
fn a_late_and_an_unconfirmed_delivery_are_not_on_time() {
    let mut world = World::new(&DEVICES);
    let second = "https://id.gs1.org/00/095210010000000022";
    for pallet in [PALLET, second] {
        let shipment = shipping(at(6, 0), pallet, at(8, 0), "100.00");
        world.say("qinghe/line-1", at(6, 0), &[(Source::Scan, shipment)]);
    }
    world.say(
        "market/dock-1",
        at(9, 0),
        &[(Source::Scan, receiving(at(9, 0), PALLET))],
    );
    let facts = facts(&mut world);
    assert_eq!((facts.on_time.part, facts.on_time.whole), (0, 2));
    assert_eq!(facts.volume.turnover_fen[&Currency::CNY], 10_000);
}

#[test]
fn the_suppliers_own_receipt_confirms_nothing() {
    let mut world = World::new(&DEVICES);
    let shipment = shipping(at(6, 0), PALLET, at(8, 0), "100.00");
    world.say("qinghe/line-1", at(6, 0), &[(Source::Scan, shipment)]);
    world.say(
        "qinghe/cold-1",
        at(7, 0),
        &[(Source::Scan, receiving(at(7, 0), PALLET))],
    );
    let facts = facts(&mut world);
    assert_eq!((facts.on_time.part, facts.volume.deliveries), (0, 0));
    assert!(facts.volume.turnover_fen.is_empty());
}

#[test]
fn one_receipt_confirms_one_shipment() {
    let mut world = World::new(&DEVICES);
    for hour in [6, 7] {
        let shipment = shipping(at(hour, 0), PALLET, at(12, 0), "100.00");
        world.say("qinghe/line-1", at(hour, 0), &[(Source::Scan, shipment)]);
    }
    world.say(
        "market/dock-1",
        at(9, 0),
        &[(Source::Scan, receiving(at(9, 0), PALLET))],
    );
    assert_eq!(facts(&mut world).volume.deliveries, 1);
}

#[test]
fn what_was_anchored_long_afterwards_weighs_as_declared_and_arrives_then() {
    let mut world = World::new(&DEVICES);
    let shipment = shipping(at(6, 0), PALLET, at(12, 0), "100.00");
    world.say_later(
        "qinghe/line-1",
        at(6, 0),
        at(60, 0),
        &[(Source::Scan, shipment)],
    );
    let receipt = receiving(at(9, 0), PALLET);
    world.say_later(
        "market/dock-1",
        at(9, 0),
        at(61, 0),
        &[(Source::Scan, receipt)],
    );
    let facts = facts_at(&mut world, at(72, 0), at(72, 0), &HoldBack::default());
    assert_eq!(
        (facts.sources["declared"].part, facts.late_records.part),
        (1, 1)
    );
    assert_eq!((facts.on_time.part, facts.on_time.whole), (0, 1));
}

#[test]
fn the_same_event_twice_is_counted_once() {
    let mut world = World::new(&DEVICES);
    let event = inspecting(at(1, 0), LOT, "conformant");
    let declared = (Source::Declared, event.clone());
    world.say(
        "qinghe/line-1",
        at(1, 0),
        &[declared, (Source::Scan, event)],
    );
    let facts = facts(&mut world);
    assert_eq!((facts.events, facts.inspection.whole), (1, 1));
    assert_eq!(facts.sources["scan"].part, 1);
}

#[test]
fn a_withdrawn_pass_counts_no_more_and_a_withdrawn_failure_still_does() {
    let mut world = World::new(&DEVICES);
    let withdrawn = |event: &str| {
        let error = r#","errorDeclaration":{"declarationTime":"2026-11-20T03:00:00Z"}}"#;
        format!("{}{error}", event.strip_suffix('}').unwrap())
    };
    let pass = inspecting(at(1, 0), LOT, "conformant");
    let failure = inspecting(at(1, 5), LOT, "non_conformant");
    let all = [withdrawn(&pass), withdrawn(&failure), pass, failure];
    let all = all.map(|event| (Source::Scan, event));
    world.say("qinghe/line-1", at(3, 0), &all);
    let facts = facts(&mut world);
    assert_eq!((facts.inspection.part, facts.inspection.whole), (0, 1));
}

#[test]
fn a_swallowed_statement_is_a_gap() {
    let mut world = journey(&COLD);
    world.swallow("qinghe/cold-1");
    let time = at(5, 0);
    world.say(
        "qinghe/cold-1",
        time,
        &[(Source::Sensor, reading(time, PALLET, "4.0"))],
    );
    assert_eq!(
        missing(&facts(&mut world)),
        [Missing::Seqs {
            epoch: 0,
            from: 12,
            to: 12
        }]
    );
}

#[test]
fn a_statement_left_out_of_the_bundle_is_a_gap() {
    let mut world = journey(&WARM);
    let hold_back = HoldBack {
        statements: [5, 6].into(),
        ..HoldBack::default()
    };
    let facts = facts_at(&mut world, at(24, 0), at(24, 0), &hold_back);
    assert_eq!(
        missing(&facts),
        [Missing::Seqs {
            epoch: 0,
            from: 4,
            to: 5
        }]
    );
}

#[test]
fn a_withheld_event_and_a_withheld_fact_are_gaps() {
    let mut world = journey(&WARM);
    let hold_back = HoldBack {
        events: [(5, 0)].into(),
        ..HoldBack::default()
    };
    let facts = facts_at(&mut world, at(24, 0), at(24, 0), &hold_back);
    assert_eq!(
        missing(&facts),
        [Missing::Withheld {
            epoch: 0,
            seq: 4,
            events: 1
        }]
    );
    let hold_back = HoldBack {
        member: Some("tb:promisedDelivery"),
        ..HoldBack::default()
    };
    let facts = facts_at(&mut world, at(24, 0), at(24, 0), &hold_back);
    assert_eq!(
        missing(&facts),
        [Missing::Withheld {
            epoch: 0,
            seq: 1,
            events: 1
        }]
    );
    let hold_back = HoldBack {
        member: Some("tb:invoiceAmount"),
        ..HoldBack::default()
    };
    let facts = facts_at(&mut world, at(24, 0), at(24, 0), &hold_back);
    assert_eq!(
        (missing(&facts), facts.volume.turnover_fen.len()),
        (vec![], 0)
    );
}

#[test]
fn a_new_epoch_and_thinned_events_are_gaps() {
    let mut world = journey(&COLD);
    let (last, id) = world.restart("qinghe/cold-1");
    world.note(
        "qinghe/cold-1",
        at(5, 0),
        Note::EpochStart {
            text: "lost".into(),
            last,
            id,
        },
    );
    let range = (at(4, 0), at(5, 0));
    let thinned = Note::Thinned {
        text: String::new(),
        range,
        dropped: 7,
    };
    world.note("qinghe/cold-1", at(5, 10), thinned);
    let expected = [
        Missing::EpochStart { epoch: 1 },
        Missing::Thinned {
            epoch: 1,
            seq: 1,
            dropped: 7,
        },
    ];
    assert_eq!(missing(&facts(&mut world)), expected);
}

#[test]
fn silence_beyond_the_heartbeat_is_a_gap() {
    let mut world = World::new(&[("qinghe/line-1", 3600)]);
    world.say(
        "qinghe/line-1",
        at(1, 0),
        &[(Source::Scan, commissioning(at(1, 0), LOT))],
    );
    let quiet = facts_at(&mut world, at(2, 10), at(24, 0), &HoldBack::default());
    assert_eq!(missing(&quiet), []);
    let silent = facts_at(&mut world, at(2, 17), at(24, 0), &HoldBack::default());
    assert_eq!(
        missing(&silent),
        [Missing::Silence {
            since: at(1, 1),
            until: at(2, 17)
        }]
    );
}

#[test]
fn a_tampered_bundle_is_refused() {
    let mut world = journey(&COLD);
    let trusted = world.trusted();
    let bundle = world.pack(at(24, 0));
    for place in [bundle.len() / 3, bundle.len() / 2, bundle.len() - 200] {
        let mut tampered = bundle.clone();
        tampered[place] = if tampered[place] == b'A' { b'B' } else { b'A' };
        assert!(verify(&tampered, &trusted).is_err(), "byte {place}");
    }
    let stranger = World::with_origin("log.test/other", &DEVICES).trusted();
    assert_eq!(verify(&bundle, &stranger).unwrap_err().class, "policy");
}

#[test]
fn packing_without_end_is_refused_instead_of_looked_through() {
    let mut world = World::new(&DEVICES);
    let children: Vec<String> = (0..1000)
        .map(|n| format!(r#""https://id.gs1.org/01/09521001000017/21/{n}""#))
        .collect();
    let children = format!("[{}]", children.join(","));
    for n in 0..4 {
        let packing = packing(at(1, n), PALLET, LOT);
        let (head, _) = packing.split_once(r#""childQuantityList""#).unwrap();
        let event = format!(r#"{head}"childEPCs":{children}}}"#);
        world.say("qinghe/line-1", at(1, n), &[(Source::Scan, event)]);
    }
    let look = reading(at(2, 0), PALLET, "4.0");
    let report = r#"{"type":"Temperature","value":4,"uom":"CEL"}"#;
    let reports = format!(r#""sensorReport":[{}]"#, vec![report; 50].join(","));
    let (head, _) = look.split_once(r#""sensorReport""#).unwrap();
    let event = format!("{head}{reports}}}]}}");
    for n in 0..5 {
        world.say(
            "qinghe/cold-1",
            at(2, n),
            &[(
                Source::Sensor,
                event.replace("02:00:00", &format!("02:{n:02}:00")),
            )],
        );
    }
    let bundle = world.pack(at(24, 0));
    let evidence = verify(&bundle, &world.trusted()).unwrap();
    let read = |work_max| {
        let rules = Rules {
            work_max,
            ..Rules::default()
        };
        Facts::read(&evidence, &slug("qinghe"), at(24, 0), rules).map(|facts| facts.events)
    };
    assert_eq!(read(500_000), Err(FactsError::TooMuch));
    assert_eq!(read(goods::WORK_MAX), Ok(9));
}
