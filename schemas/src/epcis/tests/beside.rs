//! Broken sensor data and what else stands beside the things of an event.

use serde_json::{Value, json};

use super::{PLACE, breaks, event, object_breaks, sensing};
use crate::epcis::{Problem, validate};

#[test]
fn sensor_data_has_its_form() {
    for (report, member) in [
        (json!({"value": 1}), "type"),
        (json!({"type": "Warmth", "value": 1}), "type"),
        (json!({"type": "Temperature", "value": "4.5"}), "value"),
        (
            json!({"type": "Temperature", "booleanValue": 1}),
            "booleanValue",
        ),
        (
            json!({"type": "Temperature", "hexBinaryValue": "xyz"}),
            "hexBinaryValue",
        ),
        (
            json!({"type": "Temperature", "uriValue": "here"}),
            "uriValue",
        ),
        (json!({"type": "Temperature", "time": "yesterday"}), "time"),
        (
            json!({"type": "Temperature", "exception": "ALARM"}),
            "exception",
        ),
        (
            json!({"type": "Temperature", "component": "w"}),
            "component",
        ),
        (
            json!({"type": "Temperature", "minValue": 5, "maxValue": 4}),
            "minValue",
        ),
        (
            json!({"type": "Temperature", "percRank": 101, "percValue": 4}),
            "percRank",
        ),
        (json!({"type": "Temperature", "sDev": -1}), "sDev"),
        (json!({"type": "Temperature", "valeu": 5}), "valeu"),
    ] {
        let path = format!("sensorElementList[0].sensorReport[1].{member}");
        breaks(&sensing(report), &path, "epcis");
    }
    breaks(
        &sensing(json!({"type": "Temperature", "percRank": 50})),
        "sensorElementList[0].sensorReport[1]",
        "epcis",
    );
    object_breaks(
        json!({"sensorElementList": [{"sensorReport": []}]}),
        "sensorElementList[0].sensorReport",
    );
    object_breaks(
        json!({"sensorElementList": [{}]}),
        "sensorElementList[0].sensorReport",
    );
    let backwards = json!([{
        "sensorMetadata": {"startTime": "2026-01-01T01:00:00Z", "endTime": "2026-01-01T01:30:00+01:00"},
        "sensorReport": [{"type": "Speed"}],
    }]);
    object_breaks(
        json!({"sensorElementList": backwards}),
        "sensorElementList[0].sensorMetadata.startTime",
    );
}

#[test]
fn what_stands_beside_the_event_has_its_form() {
    for (members, path) in [
        (
            json!({"errorDeclaration": {}}),
            "errorDeclaration.declarationTime",
        ),
        (
            json!({"errorDeclaration": {"declarationTime": "2026-01-01T00:00:00Z", "reason": "oops"}}),
            "errorDeclaration.reason",
        ),
        (
            json!({"errorDeclaration": {"declarationTime": "2026-01-01T00:00:00Z", "correctiveEventIDs": ["x"]}}),
            "errorDeclaration.correctiveEventIDs[0]",
        ),
        (
            json!({"persistentDisposition": {}}),
            "persistentDisposition",
        ),
        (
            json!({"persistentDisposition": {"set": []}}),
            "persistentDisposition.set",
        ),
        (
            json!({"persistentDisposition": {"set": ["expired", "expired"]}}),
            "persistentDisposition.set[1]",
        ),
        (
            json!({"persistentDisposition": {
                "set": ["expired", "recalled"], "unset": ["urn:epcglobal:cbv:disp:recalled"],
            }}),
            "persistentDisposition.unset",
        ),
        (
            json!({"sourceList": [{"source": PLACE}]}),
            "sourceList[0].type",
        ),
        (
            json!({"destinationList": [{"type": "location", "destination": "there"}]}),
            "destinationList[0].destination",
        ),
        (json!({"eventID": "4711"}), "eventID"),
        (json!({"recordTime": "2026-01-01"}), "recordTime"),
        (
            json!({"certificationInfo": ["https://a.example/1", 2]}),
            "certificationInfo[1]",
        ),
    ] {
        object_breaks(members, path);
    }
}

/// An event with one sensor element.
fn sensed(metadata: Value, report: Value) -> Value {
    let element = json!({"sensorMetadata": metadata, "sensorReport": [{"type": "Speed"}, report]});
    event(
        "ObjectEvent",
        json!({"action": "OBSERVE", "readPoint": {"id": PLACE}, "sensorElementList": [element]}),
    )
}

#[test]
fn what_metadata_say_no_report_repeats() {
    let all = json!({
        "time": "2026-01-01T00:00:00Z", "deviceID": "urn:x:1", "deviceMetadata": "urn:x:2",
        "rawData": "urn:x:3", "dataProcessingMethod": "urn:x:4", "bizRules": "urn:x:5",
    });
    for (name, value) in all.as_object().unwrap() {
        for repeated in [value.clone(), "urn:x:other".into()] {
            if name == "time" && repeated != *value {
                continue;
            }
            let report = json!({"type": "Speed", name: repeated});
            let path = format!("sensorElementList[0].sensorReport[1].{name}");
            let problem = breaks(&sensed(json!({name: value}), report), &path, "epcis");
            assert!(matches!(problem, Problem::Semantics(_)), "{problem}");
        }
        let mut others = all.clone();
        others.as_object_mut().unwrap().shift_remove(name);
        let apart = sensed(others, json!({"type": "Speed", name: value}));
        assert_eq!(validate(&apart), Ok(()), "{name}");
    }
    // A report that is whole in itself inherits nothing.
    let mut whole = all.clone();
    whole.as_object_mut().unwrap().shift_remove("bizRules");
    let mut report = whole.clone();
    report["type"] = "Speed".into();
    assert_eq!(validate(&sensed(whole, report)), Ok(()));
}

#[test]
fn a_unit_measures_what_the_type_says() {
    let report = |kind: &str, uom: &str| sensing(json!({"type": kind, "value": 1, "uom": uom}));
    for (kind, uom) in [
        ("Temperature", "CEL"),
        ("Temperature", "FAH"),
        ("gs1:Temperature", "KEL"),
        ("https://gs1.org/voc/AbsoluteHumidity", "A93"),
        ("RelativeHumidity", "P1"),
        ("Count", "H87"),
        // Of the right form, but not in the table: nothing is known of it.
        ("Temperature", "ZZ9"),
        // A type of one's own says nothing of its unit.
        ("https://own.example/warmth", "KGM"),
    ] {
        assert_eq!(validate(&report(kind, uom)), Ok(()), "{kind} {uom}");
    }
    let path = "sensorElementList[0].sensorReport[1].uom";
    for (kind, uom, message) in [
        (
            "Temperature",
            "KGM",
            "measures mass, but the type `Temperature` is of temperature",
        ),
        (
            "gs1:Mass",
            "CEL",
            "measures temperature, but the type `Mass` is of mass",
        ),
        (
            "https://www.gs1.org/voc/Speed",
            "MTR",
            "measures length, but the type `Speed` is of speed",
        ),
    ] {
        assert_eq!(
            breaks(&report(kind, uom), path, "epcis").to_string(),
            message
        );
    }
    for uom in ["kg", "°C", "CELSIUS", "", "C"] {
        breaks(&report("Temperature", uom), path, "epcis");
    }
}
