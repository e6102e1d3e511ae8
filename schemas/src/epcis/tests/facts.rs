//! What is read out of events.

use rust_decimal::Decimal;
use serde_json::json;

use crate::epcis::{Action, EventFacts, EventType, Role, readings, validate};
use crate::time::Instant;

#[test]
fn an_aggregation_is_read_into_types() {
    let event = json!({
        "type": "AggregationEvent",
        "eventTime": "2026-11-22T09:02:03.5+08:00",
        "eventTimeZoneOffset": "+08:00",
        "action": "ADD",
        "bizStep": "https://ref.gs1.org/cbv/BizStep-packing",
        "disposition": "urn:epcglobal:cbv:disp:in_progress",
        "readPoint": {"id": "urn:epc:id:sgln:9521001.00000.0"},
        "bizLocation": {"id": "https://example.org/hall/2"},
        "parentID": "urn:epc:id:sscc:9521001.0000000001",
        "childEPCs": ["https://shop.example/gtin/9521001000017/lot/L1/ser/S1"],
        "childQuantityList": [
            {"epcClass": "urn:epc:class:lgtin:9521001.000001.L1", "quantity": 2.50, "uom": "KGM"},
            {"epcClass": "https://id.gs1.org/01/09521001000017"},
        ],
    });
    assert_eq!(validate(&event), Ok(()));
    let facts = EventFacts::read(&event).unwrap();
    assert_eq!(
        (facts.event_type, facts.action),
        (EventType::Aggregation, Some(Action::Add))
    );
    assert_eq!(facts.event_time.to_rfc3339(), "2026-11-22T01:02:03.500000Z");
    assert_eq!(facts.offset_minutes, 480);
    assert_eq!(facts.biz_step.as_deref(), Some("packing"));
    assert_eq!(facts.disposition.as_deref(), Some("in_progress"));
    assert_eq!(
        facts.read_point.unwrap().as_str(),
        "https://id.gs1.org/414/9521001000000"
    );
    assert_eq!(
        facts.biz_location.unwrap().as_str(),
        "https://example.org/hall/2"
    );
    let items: Vec<_> = facts
        .items
        .iter()
        .map(|item| (item.role, item.key.as_str()))
        .collect();
    assert_eq!(
        items,
        [
            (Role::Parent, "https://id.gs1.org/00/095210010000000017"),
            (Role::Child, "https://id.gs1.org/01/09521001000017/21/S1"),
            (Role::Child, "https://id.gs1.org/01/09521001000017/10/L1"),
            (Role::Child, "https://id.gs1.org/01/09521001000017"),
        ]
    );
    let measured = facts.items[2].quantity.as_ref().unwrap();
    assert_eq!(
        (measured.amount, measured.uom.as_deref()),
        (Some(Decimal::new(25, 1)), Some("KGM"))
    );
    assert_eq!(facts.items[3].quantity.as_ref().unwrap().amount, None);
    assert_eq!(facts.items[1].quantity, None);
}

#[test]
fn a_transformation_has_inputs_and_outputs() {
    let event = json!({
        "type": "TransformationEvent",
        "eventTime": "2026-11-22T01:02:03Z",
        "eventTimeZoneOffset": "+00:00",
        "inputQuantityList": [{"epcClass": "urn:epc:class:lgtin:9521001.000001.L1", "quantity": 3}],
        "outputEPCList": ["urn:epc:id:sgtin:9521001.000001.S1"],
        "errorDeclaration": {"declarationTime": "2026-11-23T00:00:00Z"},
    });
    let facts = EventFacts::read(&event).unwrap();
    let roles: Vec<_> = facts.items.iter().map(|item| item.role).collect();
    assert_eq!(roles, [Role::Output, Role::Input]);
    assert!(facts.action.is_none() && facts.declares_error);
}

#[test]
fn what_cannot_be_read_is_named() {
    let event = json!({
        "type": "ObjectEvent",
        "eventTime": "2026-11-22T01:02:03Z",
        "eventTimeZoneOffset": "+00:00",
        "action": "ADD",
        "epcList": ["https://id.gs1.org/01/09521001000018/21/S1"],
    });
    let violation = EventFacts::read(&event).unwrap_err();
    assert_eq!(
        (&*violation.path, violation.code()),
        ("epcList[0]", "epcis")
    );
    let violation = EventFacts::read(&json!({"type": "ObjectEvent", "action": "ADD"})).unwrap_err();
    assert_eq!(
        (&*violation.path, violation.code()),
        ("eventTime", "event-time")
    );
}

#[test]
fn sensor_reports_become_readings() {
    let event = json!({
        "eventTime": "2026-11-22T01:00:00Z",
        "sensorElementList": [
            {
                "sensorMetadata": {"time": "2026-11-22T00:30:00Z", "deviceID": "urn:epc:id:giai:9521001.A"},
                "sensorReport": [
                    {"type": "Temperature", "value": 4.5, "uom": "CEL", "exception": "ALARM_CONDITION"},
                    {"type": "RelativeHumidity", "value": 61, "time": "2026-11-22T00:45:00Z"},
                ],
            },
            {
                "sensorMetadata": {"startTime": "2026-11-22T00:00:00Z", "endTime": "2026-11-22T00:10:00Z"},
                "sensorReport": [{"type": "Temperature", "minValue": 1, "maxValue": 3, "meanValue": 2}],
            },
            {"sensorReport": [{"type": "Count", "value": 9}]},
        ],
    });
    let at = |text| Instant::parse_rfc3339(text).unwrap();
    let readings = readings(&event);
    let times: Vec<_> = readings.iter().map(|reading| reading.at).collect();
    assert_eq!(
        times,
        [
            at("2026-11-22T00:30:00Z"),
            at("2026-11-22T00:45:00Z"),
            at("2026-11-22T00:10:00Z"),
            at("2026-11-22T01:00:00Z"),
        ]
    );
    assert_eq!(readings[0].exception.as_deref(), Some("ALARM_CONDITION"));
    assert_eq!(
        readings[1].device.as_deref(),
        Some("urn:epc:id:giai:9521001.A")
    );
    assert_eq!(readings[2].since, Some(at("2026-11-22T00:00:00Z")));
    assert_eq!((readings[2].min, readings[2].max), (Some(1.0), Some(3.0)));
    assert_eq!(
        (readings[3].element, readings[3].report, readings[3].value),
        (2, 0, Some(9.0))
    );
}
