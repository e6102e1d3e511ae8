//! Broken sensor data and what else stands beside the things of an event.

use serde_json::json;

use super::{PLACE, breaks, object_breaks, sensing};

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
