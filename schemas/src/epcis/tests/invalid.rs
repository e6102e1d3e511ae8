//! Events that break one rule each, and where the validator finds it.

use serde_json::{Value, json};

use super::{
    ITEM, LOT, PALLET, PLACE, aggregation, breaks, event, merge, object, object_breaks, sensing,
};
use crate::epcis::{MAX_VIOLATIONS, Problem, first_violation, validate};
use crate::gs1::Gs1Error;

#[test]
fn the_events_that_the_cases_start_from_are_valid() {
    for event in [
        object(),
        aggregation(),
        sensing(json!({"type": "Temperature", "value": 4.5})),
    ] {
        assert_eq!(validate(&event), Ok(()), "{event}");
    }
}

#[test]
fn an_event_is_an_object_of_a_known_type() {
    breaks(&json!([]), "", "epcis");
    breaks(&json!({}), "type", "event-type");
    breaks(&event("QuantityEvent", json!({})), "type", "event-type");
}

#[test]
fn rule_set_1_is_part_of_it() {
    for (members, path, code) in [
        (json!({"eventTime": null}), "eventTime", "event-time"),
        (
            json!({"eventTime": "2026-02-30T00:00:00Z"}),
            "eventTime",
            "event-time",
        ),
        (
            json!({"eventTimeZoneOffset": null}),
            "eventTimeZoneOffset",
            "time-zone-offset",
        ),
        (
            json!({"eventTimeZoneOffset": "+15:00"}),
            "eventTimeZoneOffset",
            "time-zone-offset",
        ),
        (json!({"action": null}), "action", "action"),
        (json!({"action": "MOVE"}), "action", "action"),
    ] {
        let mut event = object();
        merge(&mut event, members);
        breaks(&event, path, code);
    }
    let transformation = json!({
        "action": "ADD", "inputEPCList": [ITEM], "outputQuantityList": [{"epcClass": LOT}],
    });
    breaks(
        &event("TransformationEvent", transformation),
        "action",
        "action",
    );
}

#[test]
fn an_object_event_names_something() {
    object_breaks(json!({"epcList": null}), "");
    object_breaks(json!({"epcList": []}), "");
    let unplaced = json!({"sensorElementList": [{"sensorReport": [{"type": "Speed"}]}]});
    object_breaks(
        json!({"epcList": null, "sensorElementList": unplaced["sensorElementList"]}),
        "",
    );
    object_breaks(json!({"ilmd": {"tb:x": 1}}), "ilmd");
}

#[test]
fn identifiers_must_be_whole() {
    let wrong = Problem::Identifier(Gs1Error::CheckDigit {
        ai: "01",
        expected: 7,
        found: 8,
    });
    let broken = "https://id.gs1.org/01/09521001000018/21/S1";
    assert_eq!(
        object_breaks(json!({"epcList": [ITEM, broken]}), "epcList[1]"),
        wrong
    );
    let broken = "https://id.gs1.org/01/09521001000018";
    let found = object_breaks(
        json!({"quantityList": [{"epcClass": broken}]}),
        "quantityList[0].epcClass",
    );
    assert_eq!(found, wrong);
    let broken = "urn:epc:id:sgln:9521001.0000.0";
    object_breaks(json!({"readPoint": {"id": broken}}), "readPoint.id");
    object_breaks(
        json!({"bizLocation": {"id": "the store"}}),
        "bizLocation.id",
    );
    object_breaks(json!({"readPoint": {}}), "readPoint.id");
    object_breaks(json!({"readPoint": PLACE}), "readPoint");
    object_breaks(json!({"epcList": ITEM}), "epcList");
    object_breaks(json!({"epcList": [7]}), "epcList[0]");
    object_breaks(
        json!({"epcList": ["(01)09521001000017(21)S1"]}),
        "epcList[0]",
    );
}

#[test]
fn classes_and_things_have_their_own_lists() {
    assert_eq!(
        object_breaks(json!({"epcList": [LOT]}), "epcList[0]"),
        Problem::NotAnInstance
    );
    let found = object_breaks(
        json!({"quantityList": [{"epcClass": ITEM}]}),
        "quantityList[0].epcClass",
    );
    assert_eq!(found, Problem::NotAClass);
    let twice = json!([ITEM, "urn:epc:id:sgtin:9521001.000001.S1"]);
    assert_eq!(
        object_breaks(json!({"epcList": twice}), "epcList[1]"),
        Problem::Duplicate
    );
}

#[test]
fn quantities_are_counted_or_measured() {
    for (element, member) in [
        (json!({"epcClass": LOT, "quantity": 0}), "quantity"),
        (
            json!({"epcClass": LOT, "quantity": -2, "uom": "KGM"}),
            "quantity",
        ),
        (json!({"epcClass": LOT, "quantity": 1.5}), "quantity"),
        (json!({"epcClass": LOT, "quantity": "3"}), "quantity"),
        (
            json!({"epcClass": LOT, "quantity": 1e200, "uom": "KGM"}),
            "quantity",
        ),
        (json!({"epcClass": LOT, "uom": "KGM"}), "uom"),
        (
            json!({"epcClass": LOT, "quantity": 1, "uom": "kilos"}),
            "uom",
        ),
        (json!({"epcClass": LOT, "tb:note": "x"}), "tb:note"),
        (json!({"quantity": 1}), "epcClass"),
    ] {
        object_breaks(
            json!({"quantityList": [element]}),
            &format!("quantityList[0].{member}"),
        );
    }
}

#[test]
fn words_are_standard_or_uris() {
    for (member, word) in [
        ("bizStep", "teleporting"),
        ("bizStep", "Packing"),
        ("bizStep", "https://ref.gs1.org/cbv/BizStep-teleporting"),
        ("bizStep", "urn:epcglobal:cbv:bizstep:teleporting"),
        ("disposition", "fine"),
        ("disposition", "urn:epcglobal:cbv:disp:fine"),
    ] {
        let problem = object_breaks(json!({member: word}), member);
        assert!(
            matches!(problem, Problem::UnknownWord { .. }),
            "{word}: {problem}"
        );
    }
    object_breaks(json!({"bizStep": 1}), "bizStep");
    for (member, word) in [
        ("bizStep", "https://ref.gs1.org/cbv/BizStep-packing"),
        ("bizStep", "https://example.org/step/ageing"),
        ("disposition", "urn:epcglobal:cbv:disp:in_transit"),
    ] {
        let mut event = object();
        merge(&mut event, json!({member: word}));
        assert_eq!(validate(&event), Ok(()), "{word}");
    }
}

#[test]
fn own_members_need_a_namespace() {
    for name in ["colour", "epclist", ":colour", "tb:"] {
        assert_eq!(
            object_breaks(json!({name: 1}), name),
            Problem::UnknownMember,
            "{name}"
        );
    }
    assert_eq!(
        object_breaks(json!({"parentID": PALLET}), "parentID"),
        Problem::UnknownMember
    );
    object_breaks(
        json!({"readPoint": {"id": PLACE, "gate": 3}}),
        "readPoint.gate",
    );
    object_breaks(json!({"action": "ADD", "ilmd": {"lot": "L1"}}), "ilmd.lot");
    let mut bound = object();
    merge(
        &mut bound,
        json!({"@context": [{"colour": "https://example.org/colour"}], "colour": 1}),
    );
    assert_eq!(validate(&bound), Ok(()));
    object_breaks(json!({"@context": "nowhere"}), "@context");
}

#[test]
fn parents_have_children() {
    let broken = |members: Value| {
        let mut event = aggregation();
        merge(&mut event, members);
        event
    };
    breaks(&broken(json!({"parentID": null})), "parentID", "epcis");
    breaks(
        &broken(json!({"parentID": null, "action": "DELETE"})),
        "parentID",
        "epcis",
    );
    breaks(&broken(json!({"childEPCs": null})), "", "epcis");
    breaks(
        &broken(json!({"childEPCs": [], "action": "OBSERVE"})),
        "",
        "epcis",
    );
    breaks(
        &broken(json!({"childEPCs": [ITEM, PALLET]})),
        "parentID",
        "epcis",
    );
    breaks(&broken(json!({"parentID": LOT})), "parentID", "epcis");
    let association = json!({"type": "AssociationEvent", "action": "OBSERVE", "parentID": null});
    breaks(&broken(association), "parentID", "epcis");
    for allowed in [
        json!({"parentID": null, "action": "OBSERVE"}),
        json!({"childEPCs": null, "action": "DELETE"}),
        json!({"childEPCs": null, "childQuantityList": [{"epcClass": LOT, "quantity": 2}]}),
    ] {
        assert_eq!(validate(&broken(allowed.clone())), Ok(()), "{allowed}");
    }
}

#[test]
fn a_transformation_has_two_sides() {
    let make = |members| event("TransformationEvent", members);
    breaks(&make(json!({})), "", "epcis");
    breaks(
        &make(json!({"transformationID": "urn:uuid:1"})),
        "",
        "epcis",
    );
    breaks(&make(json!({"inputEPCList": [ITEM]})), "", "epcis");
    breaks(&make(json!({"outputEPCList": [ITEM]})), "", "epcis");
    breaks(
        &make(json!({"inputEPCList": [ITEM], "outputEPCList": [PALLET, PALLET]})),
        "outputEPCList[1]",
        "epcis",
    );
    let one_side = make(json!({"inputEPCList": [ITEM], "transformationID": "urn:uuid:1"}));
    assert_eq!(validate(&one_side), Ok(()));
}

#[test]
fn a_transaction_is_named() {
    let make = |members| event("TransactionEvent", members);
    let order = json!([{"type": "po", "bizTransaction": "urn:epc:id:gdti:9521001.00001.7"}]);
    breaks(
        &make(json!({"action": "ADD", "epcList": [ITEM]})),
        "bizTransactionList",
        "epcis",
    );
    breaks(
        &make(json!({"action": "ADD", "epcList": [ITEM], "bizTransactionList": []})),
        "bizTransactionList",
        "epcis",
    );
    breaks(
        &make(json!({"action": "ADD", "bizTransactionList": order})),
        "",
        "epcis",
    );
    let unnamed =
        json!({"action": "ADD", "epcList": [ITEM], "bizTransactionList": [{"type": "po"}]});
    breaks(
        &make(unnamed),
        "bizTransactionList[0].bizTransaction",
        "epcis",
    );
    let odd = json!([{"type": "bill", "bizTransaction": "urn:x:1"}]);
    breaks(
        &make(json!({"action": "ADD", "epcList": [ITEM], "bizTransactionList": odd})),
        "bizTransactionList[0].type",
        "epcis",
    );
    assert_eq!(
        validate(&make(
            json!({"action": "DELETE", "bizTransactionList": order})
        )),
        Ok(())
    );
}

#[test]
fn all_is_reported_up_to_the_limit() {
    let mut event = object();
    merge(
        &mut event,
        json!({"bizStep": "x", "disposition": "y", "colour": 1}),
    );
    let paths: Vec<String> = validate(&event)
        .unwrap_err()
        .into_iter()
        .map(|v| v.path)
        .collect();
    assert_eq!(paths, ["bizStep", "disposition", "colour"]);
    let many: Vec<u32> = (0..1_000).collect();
    merge(&mut event, json!({"epcList": many}));
    assert_eq!(validate(&event).unwrap_err().len(), MAX_VIOLATIONS);
    let long = format!("x{}", "y".repeat(60_000));
    let mut event = object();
    merge(&mut event, json!({long: 1}));
    assert!(first_violation(&event).unwrap().to_string().len() < 200);
}
