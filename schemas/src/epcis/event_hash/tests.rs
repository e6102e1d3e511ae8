use super::*;
use proptest::prelude::*;
use serde_json::json;

fn event() -> Value {
    json!({
        "@context": [
            "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
            {"tb": "https://ns.tracebond.example/epcis/"},
        ],
        "eventID": "urn:uuid:1",
        "type": "ObjectEvent",
        "eventTime": "2026-11-22T09:02:03.9995+08:00",
        "eventTimeZoneOffset": "+08:00",
        "recordTime": "2026-11-22T01:02:04Z",
        "errorDeclaration": {"declarationTime": "2026-11-23T01:02:04Z"},
        "action": "ADD",
        "bizStep": "packing",
        "epcList": ["urn:epc:id:sgtin:9521001.000001.B", "(01)", "https://id.gs1.org/01/09521001000017/21/A"],
        "quantityList": [{"uom": "KGM", "quantity": 2.50, "epcClass": "urn:epc:class:lgtin:9521001.000001.L1"}],
        "readPoint": {"id": "urn:epc:id:sgln:9521001.00000.0", "tb:gate": " 3 "},
        "ilmd": {"tb:maxTemperature": 8.0, "tb:productName": {"tb:en": "Tea", "tb:zh": "茶"}},
        "tb:list": ["b", {"tb:x": true}, "a"],
        "rdfs:comment": "nothing",
    })
}

#[test]
fn the_text_has_one_order_and_form() {
    let expected = concat!(
        "eventType=ObjectEvent",
        "eventTime=2026-11-22T01:02:04.000Z",
        "eventTimeZoneOffset=+08:00",
        "epcListepc=(01)",
        "epc=https://id.gs1.org/01/09521001000017/21/A",
        "epc=https://id.gs1.org/01/09521001000017/21/B",
        "quantityListquantityElementepcClass=https://id.gs1.org/01/09521001000017/10/L1",
        "quantity=2.5uom=KGM",
        "action=ADD",
        "bizStep=https://ref.gs1.org/cbv/BizStep-packing",
        "readPointid=https://id.gs1.org/414/9521001000000{https://ns.tracebond.example/epcis/}gate=3",
        "ilmd{https://ns.tracebond.example/epcis/}maxTemperature=8",
        "{https://ns.tracebond.example/epcis/}productName",
        "{https://ns.tracebond.example/epcis/}en=Tea{https://ns.tracebond.example/epcis/}zh=茶",
        "{https://ns.tracebond.example/epcis/}list=a{https://ns.tracebond.example/epcis/}list=b",
        "{https://ns.tracebond.example/epcis/}list{https://ns.tracebond.example/epcis/}x=true",
    );
    assert_eq!(pre_hash(&event(), &[]), expected);
    let hash = cbv_hash(&event());
    assert!(hash.starts_with("ni:///sha-256;") && hash.ends_with("?ver=CBV2.0"));
    assert_eq!(
        hash.len(),
        "ni:///sha-256;".len() + 64 + "?ver=CBV2.0".len()
    );
}

#[test]
fn words_have_one_spelling() {
    let spelled = |step: &str| cbv_hash(&json!({"type": "ObjectEvent", "bizStep": step}));
    for step in [
        "urn:epcglobal:cbv:bizstep:packing",
        "https://ref.gs1.org/cbv/BizStep-packing",
        "cbv:BizStep-packing",
        " packing ",
    ] {
        assert_eq!(spelled(step), spelled("packing"), "{step}");
    }
    assert_ne!(spelled("unpacking"), spelled("packing"));
}

#[test]
fn numbers_have_one_spelling() {
    let written = |value: Value| pre_hash(&json!({"a:b": value}), &[]);
    for (value, text) in [
        (json!(452.0), "452"),
        (json!("452.0"), "452"),
        (json!("0020"), "20"),
        (json!("+1.50"), "1.5"),
        (json!(1e21), "1000000000000000000000"),
        (json!("-0"), "0"),
        // The published vector of a hexadecimal value that looks like a number.
        (
            json!("111100001111000011110000"),
            "111100001111000003641344",
        ),
        (json!("1.2.3"), "1.2.3"),
        (json!("12a"), "12a"),
        (json!("1e999"), "1e999"),
        (json!("NaN"), "NaN"),
        (json!("-"), "-"),
        (json!(true), "true"),
    ] {
        assert_eq!(written(value.clone()), format!("a:b={text}"), "{value}");
    }
    assert_eq!(written(json!("  ")), "a:b");
    assert_eq!(written(json!(null)), "");
    assert_eq!(written(json!([])), "");
}

#[test]
fn what_is_empty_is_left_out() {
    let empty = json!({
        "type": "ObjectEvent", "epcList": [], "readPoint": {}, "bizStep": " ",
        "sensorElementList": [{"sensorReport": []}], "quantityList": [{}],
    });
    assert_eq!(pre_hash(&empty, &[]), "eventType=ObjectEvent");
}

#[test]
fn only_prefixes_of_the_standard_are_resolved_in_values() {
    let event = json!({
        "@context": {"ex": "https://ns.example/"},
        "bizStep": "ex:ageing",
        "disposition": "cbv:Disp-active",
    });
    let text = "bizStep=ex:ageingdisposition=https://ref.gs1.org/cbv/Disp-active";
    assert_eq!(pre_hash(&event, &[]), text);
}

#[test]
fn tables_have_room() {
    fn fits(fields: &[Field]) {
        assert!(fields.len() <= MAX_FIELDS);
        for field in fields {
            match field.form {
                Form::Object(inner) | Form::Objects { fields: inner, .. } => fits(inner),
                _ => {}
            }
        }
    }
    fits(EVENT);
    assert!(hash_cost_us(&[], 1, || 0) == 0.0);
    let ticks = std::cell::Cell::new(0);
    let clock = || ticks.replace(ticks.get() + 4_000);
    assert_eq!(hash_cost_us(&[event(), event()], 2, clock), 1.0);
}

#[test]
fn what_a_repository_added_can_be_ignored() {
    let mut added = event();
    added["tb:captured"] = json!("yesterday");
    assert_ne!(cbv_hash(&added), cbv_hash(&event()));
    let ignored = ["{https://ns.tracebond.example/epcis/}captured"];
    assert_eq!(cbv_hash_ignoring(&added, &ignored), cbv_hash(&event()));
}

#[test]
fn names_are_resolved_by_the_context() {
    let named = |name: &str| {
        let context = json!([{"a": "https://ns.example/", "b": {"@id": "https://ns.example/"}, "c": "https://ns.example/x"}]);
        pre_hash(&json!({"@context": context, name: 1}), &[])
    };
    for name in ["a:x", "b:x", "c", "https://ns.example/x"] {
        assert_eq!(named(name), "{https://ns.example/}x=1", "{name}");
    }
    assert_eq!(named("unbound:x"), "unbound:x=1");
}

/// The same event with members and entries of lists in another order.
fn turned(value: &Value, by: usize) -> Value {
    match value {
        Value::Array(entries) => {
            let mut entries: Vec<Value> = entries.iter().map(|entry| turned(entry, by)).collect();
            let middle = by % entries.len().max(1);
            entries.rotate_left(middle);
            entries.into()
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(name, value)| (name.clone(), turned(value, by)))
                .collect();
            let middle = by % members.len().max(1);
            members.rotate_left(middle);
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn order_does_not_matter(by in 0_usize..100) {
        prop_assert_eq!(pre_hash(&turned(&event(), by), &[]), pre_hash(&event(), &[]));
    }

    #[test]
    fn nothing_that_parses_can_panic(text in "\\PC{0,60}", number in any::<f64>()) {
        let event = json!({"type": text, "eventTime": text, "epcList": text, "readPoint": [text], "sensorElementList": [{"sensorReport": {&text: number}}], &text: [number, {&text: text}]});
        let _ = cbv_hash(&event);
        let _ = crate::epcis::validate(&event);
        let _ = crate::epcis::EventFacts::read(&event);
        let _ = crate::epcis::readings(&event);
    }
}
