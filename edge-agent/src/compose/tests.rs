use proptest::prelude::*;
use schemas::event::Event;
use schemas::time::Instant;
use serde_json::Value;

use super::Weight;
use super::line::{Composed, LineContext, compose};
use super::presence::{Change, Direction, Presence};
use super::sensor::{self, GOODS_PER_EVENT_MAX, Reading};
use crate::config::{SensorRule, Telemetry};

const PLACE: &str = "https://id.gs1.org/414/9521001000024";
const LOT: &str = "https://id.gs1.org/01/09521001000017/10/L1";

fn context() -> LineContext<'static> {
    LineContext {
        place: PLACE,
        biz_location: None,
        time_zone_minutes: 480,
        now: Instant::from_seconds(1_795_000_000),
    }
}

pub(super) fn rule() -> SensorRule {
    SensorRule {
        sensor: "https://id.gs1.org/8004/9521001PROBE1".to_owned(),
        measurement: "Temperature".to_owned(),
        uom: "CEL".to_owned(),
        component: None,
        reference_system: None,
        alarm_min: Some(0.0),
        alarm_max: Some(8.0),
        readings_per_event: 4,
        place: PLACE.to_owned(),
        biz_location: None,
        step: "sensor_reporting".to_owned(),
        assumption: Some("degrees Celsius".to_owned()),
        interval: None,
        telemetry: Telemetry::Batch,
        excursion: None,
    }
}

fn line(text: &str) -> Composed {
    compose(text.as_bytes(), context()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("json")
}

#[test]
fn a_commissioning_line_is_an_object_event_that_adds() {
    let composed = line(
        r#"{"step":"commissioning","items":[{"id":"(01)09521001000017(10)L1","quantity":500}],"extra":{"ilmd":{"tb:maxTemperature":8}}}"#,
    );
    let text = String::from_utf8(composed.made.event.into_bytes()).expect("utf-8");
    assert_eq!(
        text,
        r#"{"@context":["https://ref.gs1.org/standards/epcis/epcis-context.jsonld",{"tb":"https://ns.tracebond.example/epcis/"}],"type":"ObjectEvent","eventTime":"2026-11-18T11:06:40Z","eventTimeZoneOffset":"+08:00","action":"ADD","bizStep":"commissioning","readPoint":{"id":"https://id.gs1.org/414/9521001000024"},"quantityList":[{"epcClass":"https://id.gs1.org/01/09521001000017/10/L1","quantity":500}],"ilmd":{"tb:maxTemperature":8}}"#
    );
    assert!(composed.changes.is_empty());
}

#[test]
fn a_parent_makes_an_aggregation() {
    let event = json(
        line(r#"{"step":"packing","parent":"(00)095210010000000017","items":["(01)09521001000017(21)S1"],"disposition":"in_progress","time":"2026-11-20T08:00:00.5+08:00"}"#)
            .made.event.bytes(),
    );
    assert_eq!(event["type"], "AggregationEvent");
    assert_eq!(event["action"], "ADD");
    assert_eq!(
        event["parentID"],
        "https://id.gs1.org/00/095210010000000017"
    );
    assert_eq!(
        event["childEPCs"][0],
        "https://id.gs1.org/01/09521001000017/21/S1"
    );
    assert_eq!(event["eventTime"], "2026-11-20T08:00:00.5+08:00");
    assert_eq!(event["eventTimeZoneOffset"], "+08:00");
}

#[test]
fn inputs_and_outputs_make_a_transformation_without_action() {
    let composed = line(
        r#"{"step":"creating_class_instance","inputs":[{"id":"(01)09521001000017(10)L1","quantity":2.5,"uom":"KGM"}],"outputs":["(01)09521001000017(10)L2"],"presence":"in"}"#,
    );
    let event = json(composed.made.event.bytes());
    assert_eq!(event["type"], "TransformationEvent");
    assert!(event.get("action").is_none());
    assert_eq!(event["inputQuantityList"][0]["quantity"], 2.5);
    assert_eq!(
        composed.changes[0].item.uri,
        "https://id.gs1.org/01/09521001000017/10/L2"
    );
}

#[test]
fn storing_brings_goods_in_and_shipping_takes_them_out() {
    let stored = line(&format!(r#"{{"step":"storing","items":["{LOT}"]}}"#));
    assert_eq!(stored.changes[0].direction, Direction::In);
    let shipped = line(&format!(r#"{{"step":"shipping","items":["{LOT}"]}}"#));
    assert_eq!(shipped.changes[0].direction, Direction::Out);
    let kept = line(&format!(
        r#"{{"step":"storing","items":["{LOT}"],"presence":"out"}}"#
    ));
    assert_eq!(kept.changes[0].direction, Direction::Out);
}

#[test]
fn bad_lines_are_refused_with_their_reason() {
    let cases = [
        (r#"{"step":"packing"}"#, "names no item"),
        (r#"{"items":["(01)09521001000017(21)S1"]}"#, "step"),
        (
            r#"{"step":"storing","items":["(01)09521001000018(21)S1"]}"#,
            "check digit",
        ),
        (r#"{"step":"storing","items":["x"],"items":[]}"#, "I-JSON"),
        (r#"{"step":"storing","item":["x"]}"#, "unknown field"),
        (
            r#"{"step":"storing","items":[{"id":"(01)09521001000017(21)S1","quantity":2}]}"#,
            "one thing",
        ),
        (
            r#"{"step":"storing","items":[{"id":"(01)09521001000017(10)A","quantity":-2}]}"#,
            "positive",
        ),
        (
            r#"{"step":"storing","items":["(01)09521001000017(10)A"],"time":"yesterday"}"#,
            "instant",
        ),
        (
            r#"{"step":"storing","items":["(01)09521001000017(10)A"],"extra":{"type":"x"}}"#,
            "may not set",
        ),
        (
            r#"{"step":"packing","items":[],"parent":"(01)09521001000017(10)A"}"#,
            "class",
        ),
        ("not json", "I-JSON"),
        ("", "I-JSON"),
    ];
    for (text, reason) in cases {
        let error = compose(text.as_bytes(), context())
            .expect_err(text)
            .to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
    let long = format!(r#"{{"step":"{}"}}"#, "a".repeat(line::LINE_MAX));
    assert!(compose(long.as_bytes(), context()).is_err());
}

use super::line;

#[test]
fn a_sensor_event_names_goods_alarms_and_doubts() {
    let mut presence = Presence::default();
    for text in [LOT, "(01)09521001000017(21)S1"] {
        let stored = line(&format!(r#"{{"step":"storing","items":["{text}"]}}"#));
        stored
            .changes
            .iter()
            .for_each(|change| drop(presence.apply(change)));
    }
    let at = |seconds: i64, value, suspect| Reading {
        time: Instant::from_seconds(1_795_000_000 + seconds),
        value,
        suspect,
    };
    let readings = [
        at(0, Some(4.5), false),
        at(60, Some(8.5), false),
        at(60, None, true),
    ];
    let events = sensor::events(&rule(), 0, &readings, &presence).expect("events");
    let event = json(events[0].event.bytes());
    let reports = &event["sensorElementList"][0]["sensorReport"];
    assert_eq!(
        event["epcList"][0],
        "https://id.gs1.org/01/09521001000017/21/S1"
    );
    assert_eq!(event["quantityList"][0]["epcClass"], LOT);
    assert_eq!(event["tb:assumption"], "degrees Celsius");
    assert_eq!(event["eventTime"], "2026-11-18T11:07:40Z");
    assert!(reports[0].get("exception").is_none());
    assert_eq!(reports[1]["exception"], "ALARM_CONDITION");
    assert_eq!(reports[2]["tb:quality"], "suspect");
    assert!(reports[2].get("value").is_none());
}

#[test]
fn more_goods_than_fit_make_further_events_with_the_same_readings() {
    let mut presence = Presence::default();
    for serial in 0..=GOODS_PER_EVENT_MAX {
        let thing =
            crate::names::thing(&format!("(01)09521001000017(21)S{serial}")).expect("thing");
        let item = super::presence::Item {
            uri: thing.uri,
            amount: None,
        };
        presence.apply(&Change {
            direction: Direction::In,
            item,
        });
    }
    let reading = Reading {
        time: Instant::from_seconds(0),
        value: Some(1.0),
        suspect: false,
    };
    let events = sensor::events(&rule(), 0, &[reading], &presence).expect("events");
    assert_eq!(events.len(), 2);
    assert_eq!(
        json(events[1].event.bytes())["epcList"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

fn any_reading() -> impl Strategy<Value = Reading> {
    (
        any::<u32>(),
        proptest::option::of(any::<f64>()),
        any::<bool>(),
    )
        .prop_map(|(seconds, value, suspect)| Reading {
            time: Instant::from_seconds(i64::from(seconds)),
            value,
            suspect,
        })
}

proptest! {
    #[test]
    fn whatever_is_read_the_event_is_valid(
        readings in proptest::collection::vec(any_reading(), 1..=128),
        goods in 0usize..300,
        zone in -840i32..=840,
    ) {
        let mut presence = Presence::default();
        for serial in 0..goods {
            let uri = format!("https://id.gs1.org/01/09521001000017/21/{serial:020}");
            presence.restore(super::presence::Item { uri, amount: None });
        }
        for made in sensor::events(&rule(), zone, &readings, &presence).expect("valid") {
            let again = Event::parse(made.event.bytes().to_vec());
            prop_assert_eq!(again.as_ref(), Ok(&made.event));
            prop_assert_eq!(schemas::epcis::validate(&json(made.event.bytes())), Ok(()));
            let alarm = |reading: &Reading| reading.good().is_some() && reading.is_alarm(&rule());
            let alarms = readings.iter().any(alarm);
            prop_assert_eq!(made.weight == Weight::LifeCycle, alarms);
        }
    }

    #[test]
    fn whatever_a_line_holds_it_is_an_event_or_a_reason(text in "\\PC{0,200}") {
        if let Ok(composed) = compose(text.as_bytes(), context()) {
            prop_assert!(Event::parse(composed.made.event.into_bytes()).is_ok());
        }
    }
}
