use super::*;
use serde_json::json;

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn event_types_are_exactly_five() {
    for name in EVENT_TYPES {
        assert_eq!(event_type(&json!(name)), Ok(()));
    }
    for value in [
        json!("objectEvent"),
        json!("QuantityEvent"),
        json!(""),
        json!(1),
        json!(null),
    ] {
        assert_eq!(event_type(&value), Err("event-type"), "{value}");
    }
}

#[test]
fn event_times_of_the_profile_pass() {
    for text in [
        "2026-11-22T01:02:03Z",
        "2026-11-22T01:02:03.5Z",
        "2024-02-29T23:59:59.123456789+14:00",
        "2000-02-29T00:00:00-14:00",
        "0001-01-01T00:00:00-00:00",
        "9999-12-31T23:59:59+05:45",
    ] {
        assert_eq!(event_time(&json!(text)), Ok(()), "{text}");
    }
}

#[test]
fn event_times_off_the_profile_fail() {
    for text in [
        "",
        "2026-11-22",
        "2026-11-22T01:02:03",
        "2026-11-22 01:02:03Z",
        "2026-11-22t01:02:03Z",
        "2026-11-22T01:02:03z",
        "2026-11-22T01:02Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T23:59:60Z",
        "2026-11-22T01:02:03.Z",
        "2026-11-22T01:02:03,5Z",
        "2026-11-22T01:02:03.1234567890Z",
        "2026-11-22T01:02:03+14:01",
        "2026-11-22T01:02:03+0800",
        "2026-11-22T01:02:03+08",
        "2026-11-22T01:02:03+8:00",
        "2026-11-22T01:02:03+08:60",
        "2026-11-22T01:02:03ZZ",
        "2026-11-22T01:02:03 Z",
        "2026-11-22T+1:02:03Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "+2026-01-01T00:00:00Z",
        "-026-01-01T00:00:00Z",
        "2026-11-22T01:02:03Ä",
        "２026-11-22T01:02:03Z",
    ] {
        assert_eq!(event_time(&json!(text)), Err("event-time"), "{text}");
    }
    assert_eq!(event_time(&json!(1_700_000_000)), Err("event-time"));
}

#[test]
fn event_time_is_read_as_an_instant() {
    let time = parse_event_time("1970-01-01T08:00:01.000002999+08:00").unwrap();
    assert_eq!(
        (time.seconds, time.nanos, time.offset_minutes),
        (1, 2_999, 480)
    );
    assert_eq!(time.instant().as_micros(), 1_000_002);
    let before = parse_event_time("1969-12-31T23:59:59.25Z").unwrap();
    assert_eq!(before.instant().as_micros(), -750_000);
}

#[test]
fn offsets_are_signed_and_bounded() {
    for (text, minutes) in [
        ("+00:00", 0),
        ("-00:00", 0),
        ("+14:00", 840),
        ("-09:30", -570),
    ] {
        assert_eq!(parse_offset(text), Some(minutes), "{text}");
    }
    for text in [
        "Z", "", "+", "00:00", "+14:01", "+00:60", "+1:00", "+001:0", "+0a:00", "+00:00 ",
    ] {
        assert_eq!(
            time_zone_offset(&json!(text)),
            Err("time-zone-offset"),
            "{text}"
        );
    }
    assert_eq!(time_zone_offset(&json!({})), Err("time-zone-offset"));
}

#[test]
fn action_is_absent_exactly_in_a_transformation() {
    let add = json!("ADD");
    assert_eq!(action(Some("ObjectEvent"), Some(&add)), Ok(()));
    assert_eq!(action(Some("ObjectEvent"), None), Err("action"));
    assert_eq!(action(Some("TransformationEvent"), None), Ok(()));
    assert_eq!(
        action(Some("TransformationEvent"), Some(&add)),
        Err("action")
    );
    assert_eq!(
        action(Some("TransformationEvent"), Some(&json!(null))),
        Err("action")
    );
    for value in [json!("add"), json!("ADD "), json!(null), json!(["ADD"])] {
        assert_eq!(
            action(Some("ObjectEvent"), Some(&value)),
            Err("action"),
            "{value}"
        );
        assert_eq!(action(None, Some(&value)), Err("action"), "{value}");
    }
    assert_eq!(action(None, None), Ok(()));
}

#[test]
fn steps_are_compared_without_their_prefix() {
    let steps = words(&["packing", "https://other.example/step"]);
    for text in [
        "packing",
        "https://ref.gs1.org/cbv/BizStep-packing",
        "urn:epcglobal:cbv:bizstep:packing",
        "https://other.example/step",
    ] {
        assert_eq!(step(&json!(text), &steps), Ok(()), "{text}");
    }
    for value in [
        json!("Packing"),
        json!("shipping"),
        json!(""),
        json!(3),
        json!("https://ref.gs1.org/cbv/BizStep-https://ref.gs1.org/cbv/BizStep-packing"),
    ] {
        assert_eq!(step(&value, &steps), Err("step-not-allowed"), "{value}");
    }
    assert_eq!(step(&json!("packing"), &[]), Err("step-not-allowed"));
}

#[test]
fn places_are_compared_byte_by_byte() {
    let places = words(&["https://id.gs1.org/414/9521001000000"]);
    let at = |id: &str| json!({ "id": id });
    assert_eq!(
        place(&at("https://id.gs1.org/414/9521001000000"), &places),
        Ok(())
    );
    for nowhere in [
        json!({}),
        json!(null),
        json!("https://id.gs1.org/414/9521001000000"),
    ] {
        assert_eq!(place(&nowhere, &places), Err("place-not-allowed"));
    }
    assert_eq!(
        place(&at("urn:epc:id:sgln:9521001.00000.0"), &places),
        Err("place-not-allowed")
    );
    assert_eq!(
        place(&json!({"id": null}), &places),
        Err("place-not-allowed")
    );
}
