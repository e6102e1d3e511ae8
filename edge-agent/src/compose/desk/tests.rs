use rust_decimal::Decimal;
use serde_json::Value;

use super::*;
use crate::config::{Part, Party, TransactionRule};

mod random;

const SSCC: &str = "(00)095210010000000017";
const LOT: &str = "(01)09521001000017(10)L1";
const MADE: &str = "(01)09521001000031(10)M1";

fn rule(kind: ScanKind) -> ScanRule {
    ScanRule {
        name: "desk".to_owned(),
        select: None,
        step: match &kind {
            ScanKind::Object { .. } => "receiving",
            ScanKind::Packing { unpacks: false, .. } => "packing",
            ScanKind::Packing { unpacks: true, .. } => "unpacking",
            ScanKind::Recipe { .. } => "creating_class_instance",
        }
        .to_owned(),
        disposition: None,
        place: "https://id.gs1.org/414/9521001000024".to_owned(),
        biz_location: None,
        presence: None,
        transaction: None,
        parties: Vec::new(),
        kind,
    }
}

fn single() -> ScanRule {
    rule(ScanKind::Object {
        action: None,
        repeat: Duration::from_secs(2),
    })
}

fn ending(count: Option<usize>, seconds: Option<u64>) -> Ending {
    Ending {
        close: Some("DONE".to_owned()),
        count,
        timeout: seconds.map(Duration::from_secs),
        cancel: Some("CANCEL".to_owned()),
    }
}

fn packing(unpacks: bool, ending: Ending) -> ScanRule {
    rule(ScanKind::Packing { unpacks, ending })
}

fn part(gtin: &str, quantity: Option<i64>, uom: Option<&str>, required: bool) -> Part {
    Part {
        gtin: gtin.to_owned(),
        quantity: quantity.map(Decimal::from),
        uom: uom.map(str::to_owned),
        required,
    }
}

fn recipe(ending: Ending) -> ScanRule {
    rule(ScanKind::Recipe {
        inputs: vec![
            part("09521001000017", Some(25), Some("KGM"), true),
            part("09521001000024", None, None, false),
        ],
        outputs: vec![part("09521001000031", Some(120), Some("KGM"), true)],
        ending,
    })
}

fn now(seconds: i64) -> Instant {
    Instant::from_seconds(1_795_000_000 + seconds)
}

fn json(composed: &Composed) -> Value {
    serde_json::from_slice(composed.made.event.bytes()).expect("json")
}

/// Scans codes one second after the other.
fn scan(desk: &mut Desk, codes: &[&str]) -> Taken {
    let mut taken = Taken::default();
    for (second, code) in (0..).zip(codes) {
        taken.and(desk.take(second as u64 + 1, code, now(second)));
    }
    taken
}

fn reasons(taken: &Taken) -> Vec<&str> {
    taken
        .refused
        .iter()
        .map(|refused| refused.reason.as_str())
        .collect()
}

#[test]
fn a_bare_scan_is_an_event_with_the_order_that_was_scanned_before() {
    let mut receiving = single();
    receiving.transaction = Some(TransactionRule {
        kind: "po".to_owned(),
        required: true,
        gln: Some("9521001000024".to_owned()),
        prefix: Some("PO:".to_owned()),
    });
    receiving.disposition = Some("in_progress".to_owned());
    receiving.parties = [(false, "9521001000048"), (true, "9521001000024")]
        .map(|(is_destination, gln)| Party {
            is_destination,
            kind: "owning_party".to_owned(),
            id: format!("https://id.gs1.org/417/{gln}"),
        })
        .to_vec();
    let mut desk = Desk::new(vec![receiving], 480);
    let serial = "(01)09521001000017(21)S1";
    let taken = scan(
        &mut desk,
        &[serial, "PO:4711", serial, "(01)09521001000017(10)L1(30)12"],
    );
    assert_eq!(reasons(&taken), ["no order was scanned before it"]);
    assert_eq!(taken.refused[0].line, 1);
    let event = json(&taken.events[0]);
    assert_eq!(event["type"], "ObjectEvent");
    assert_eq!(
        (&event["action"], &event["bizStep"]),
        (&"OBSERVE".into(), &"receiving".into())
    );
    assert_eq!(event["disposition"], "in_progress");
    assert_eq!(
        event["epcList"][0],
        "https://id.gs1.org/01/09521001000017/21/S1"
    );
    assert_eq!(
        event["bizTransactionList"][0],
        json!({"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:9521001000024:4711"})
    );
    assert_eq!(
        event["sourceList"][0]["source"],
        "https://id.gs1.org/417/9521001000048"
    );
    assert_eq!(
        event["destinationList"][0]["destination"],
        "https://id.gs1.org/417/9521001000024"
    );
    assert_eq!(event["eventTimeZoneOffset"], "+08:00");
    let lot = json(&taken.events[1]);
    assert_eq!(lot["quantityList"][0]["quantity"], 12);
}

#[test]
fn nobody_counted_a_lot_whose_code_states_no_amount() {
    let mut desk = Desk::new(vec![single()], 0);
    let event = json(&scan(&mut desk, &[LOT]).events[0]);
    assert!(event["quantityList"][0].get("quantity").is_none());
}

#[test]
fn a_stutter_is_one_scan() {
    let mut desk = Desk::new(vec![single()], 0);
    let serial = "(01)09521001000017(21)S1";
    let taken = scan(&mut desk, &[serial, serial, LOT, LOT]);
    // A lot scanned twice is two scans; a thing is one.
    assert_eq!(taken.events.len(), 3);
    assert_eq!(
        reasons(&taken),
        ["the same thing again: the scanner stutters"]
    );
    let later = desk.take(9, serial, now(10));
    assert_eq!(later.events.len(), 1);
    // Also across a restart.
    let mut again = Desk::new(vec![single()], 0);
    assert_eq!(again.restore(desk.kept()), Taken::default());
    assert_eq!(again.take(10, serial, now(11)).events.len(), 0);
}

#[test]
fn a_packing_ends_by_command_by_count_and_by_silence() {
    let children = ["(01)09521001000017(21)S1", "(01)09521001000017(21)S2"];
    let codes = [SSCC, children[0], children[1]];
    let ended = |ending: Ending, more: &[&str]| {
        let mut desk = Desk::new(vec![packing(false, ending)], 0);
        let mut taken = scan(&mut desk, &[&codes[..], more].concat());
        if taken.events.is_empty() {
            assert_eq!(desk.due(), Some(now(62)));
            assert_eq!(desk.expire(now(61)), Taken::default());
            taken.and(desk.expire(now(62)));
        }
        assert!(taken.refused.is_empty(), "{taken:?}");
        assert_eq!((taken.events.len(), desk.kept().len()), (1, 0));
        let event = json(&taken.events[0]);
        assert_eq!(event["type"], "AggregationEvent");
        assert_eq!(event["action"], "ADD");
        assert_eq!(
            event["parentID"],
            "https://id.gs1.org/00/095210010000000017"
        );
        assert_eq!(event["childEPCs"].as_array().map(Vec::len), Some(2));
        event["eventTime"].as_str().map(str::to_owned)
    };
    let last = Some("2026-11-18T11:06:42Z".to_owned());
    assert_eq!(ended(ending(Some(2), None), &[]), last);
    assert_eq!(ended(ending(None, Some(60)), &[]), last);
    let closed = Some("2026-11-18T11:06:43Z".to_owned());
    assert_eq!(ended(ending(None, None), &["DONE"]), closed);
}

#[test]
fn a_code_after_the_time_out_belongs_to_the_next_packing() {
    let mut desk = Desk::new(vec![packing(false, ending(None, Some(60)))], 0);
    scan(&mut desk, &[SSCC, LOT]);
    let taken = desk.take(3, "(00)095210010000000024", now(100));
    assert_eq!(taken.events.len(), 1);
    assert_eq!(
        json(&taken.events[0])["parentID"],
        "https://id.gs1.org/00/095210010000000017"
    );
    let kept = desk.kept();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].text, "(00)095210010000000024");
}

#[test]
fn what_is_not_whole_stays_open_or_is_shown() {
    let mut desk = Desk::new(vec![packing(false, ending(None, Some(60)))], 0);
    let twice = "(01)09521001000017(21)S1";
    let taken = scan(
        &mut desk,
        &[
            "DONE",
            LOT,
            SSCC,
            "DONE",
            SSCC,
            twice,
            twice,
            "(01)09521001000018",
        ],
    );
    let reasons = reasons(&taken);
    let expected = [
        "nothing is open",
        "is a class of things, a parent is one thing",
        "no children",
        "scanned already",
        "scanned already",
        "check digit",
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for (reason, part) in reasons.iter().zip(expected) {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(desk.kept().len(), 2);
    let cancelled = desk.take(20, "CANCEL", now(20));
    assert_eq!(cancelled.refused.len(), 2);
    assert_eq!(cancelled.refused[0].line, 3);
    scan(&mut desk, &[SSCC]);
    let silent = desk.expire(now(1_000));
    assert!(
        silent.refused[0].reason.starts_with("timed out: "),
        "{silent:?}"
    );
    assert!(desk.kept().is_empty());
}

#[test]
fn unpacking_without_children_takes_out_all() {
    let mut desk = Desk::new(vec![packing(true, ending(None, None))], 0);
    let event = json(&scan(&mut desk, &[SSCC, "DONE"]).events[0]);
    assert_eq!(
        (&event["action"], &event["bizStep"]),
        (&"DELETE".into(), &"unpacking".into())
    );
    assert!(event.get("childEPCs").is_none());
}

#[test]
fn a_recipe_says_what_went_in_and_what_came_out() {
    let mut desk = Desk::new(vec![recipe(ending(None, None))], 0);
    let early = scan(&mut desk, &[LOT, "DONE"]);
    assert!(
        reasons(&early)[0].contains("output (01)09521001000031"),
        "{early:?}"
    );
    let codes = [
        LOT,
        "(01)09521001000017(10)L2(3101)000123",
        "(01)09521001000024(21)TANK1",
        "(01)09521001000048(10)X",
        MADE,
        "DONE",
    ];
    let taken = scan(&mut desk, &codes);
    assert_eq!(
        reasons(&taken),
        ["is neither input nor output of the recipe"]
    );
    let event = json(&taken.events[0]);
    assert_eq!(event["type"], "TransformationEvent");
    assert!(event.get("action").is_none());
    let inputs = event["inputQuantityList"].as_array().expect("inputs");
    assert_eq!(
        (&inputs[0]["quantity"], &inputs[0]["uom"]),
        (&50.into(), &"KGM".into())
    );
    assert_eq!(
        (&inputs[1]["quantity"], &inputs[1]["uom"]),
        (&12.3.into(), &"KGM".into())
    );
    assert_eq!(
        event["inputEPCList"][0],
        "https://id.gs1.org/01/09521001000024/21/TANK1"
    );
    assert_eq!(event["outputQuantityList"][0]["quantity"], 120);
}

#[test]
fn command_codes_choose_among_rules() {
    let mut pack = packing(false, ending(None, None));
    pack.select = Some("PACK".to_owned());
    let mut desk = Desk::new(vec![single(), pack], 0);
    let child = "(01)09521001000017(21)S1";
    let taken = scan(&mut desk, &[child, "PACK", SSCC, "PACK", LOT, "DONE"]);
    let kinds: Vec<String> = taken
        .events
        .iter()
        .map(|event| json(event)["type"].to_string())
        .collect();
    assert_eq!(kinds, ["\"ObjectEvent\"", "\"AggregationEvent\""]);
    assert_eq!(reasons(&taken), ["desk is open: close or cancel it first"]);
}

#[test]
fn what_a_scanner_puts_around_a_code_is_no_part_of_it() {
    let mut pack = packing(false, ending(None, None));
    pack.select = Some("PACK".to_owned());
    pack.transaction = Some(TransactionRule {
        kind: "po".to_owned(),
        required: true,
        gln: Some("9521001000024".to_owned()),
        prefix: Some("PO|".to_owned()),
    });
    let mut desk = Desk::new(vec![single(), pack], 0).with_separator(Some('|'));
    let codes = [
        "]C0PACK",
        // What stands for FNC1 in codes of goods is itself in a number of an order.
        "]Q1PO|4711",
        "]C100095210010000000017",
        "]C1010952100100001710L1|21S1",
        "010952100100001710L1|",
        "]E09521001000017",
        "9521001000017",
        "9521001000018",
        "]C0HELLO",
    ];
    let taken = scan(&mut desk, &codes);
    let refused: Vec<&str> = taken.refused.iter().map(|one| &*one.text).collect();
    assert_eq!(refused, ["9521001000018", "]C0HELLO"]);
    assert!(reasons(&taken)[0].contains("check digit"), "{taken:?}");
    // The codes wait as they were read, and mean the same when they are read again.
    let kept = desk.kept();
    assert_eq!(kept[1].text, "]Q1PO|4711");
    assert_eq!(desk.restore(kept.clone()), Taken::default());
    assert_eq!(desk.kept(), kept);
    let closed = desk.take(10, "]A0DONE", now(10));
    let event = json(&closed.events[0]);
    assert_eq!(
        event["parentID"],
        "https://id.gs1.org/00/095210010000000017"
    );
    assert_eq!(
        event["childEPCs"],
        json!(["https://id.gs1.org/01/09521001000017/21/S1"])
    );
    assert_eq!(
        event["childQuantityList"],
        json!([
            {"epcClass": "https://id.gs1.org/01/09521001000017/10/L1", "quantity": 1},
            {"epcClass": "https://id.gs1.org/01/09521001000017", "quantity": 2},
        ])
    );
    assert_eq!(
        event["bizTransactionList"][0]["bizTransaction"],
        "urn:epcglobal:cbv:bt:9521001000024:4711"
    );
}

#[test]
fn more_codes_than_an_event_can_hold_are_refused() {
    let mut desk = Desk::new(vec![packing(false, ending(None, None))], 0);
    let mut taken = scan(&mut desk, &[SSCC]);
    for serial in 0..=SCANS_MAX {
        let code = format!("(01)09521001000017(21)S{serial}");
        taken.and(desk.take(serial as u64, &code, now(1)));
    }
    assert!(
        reasons(&taken)
            .iter()
            .all(|reason| reason.contains("close first"))
    );
    assert!(!taken.refused.is_empty());
    let closed = desk.take(999, "DONE", now(2));
    let children = json(&closed.events[0])["childEPCs"]
        .as_array()
        .map_or(0, Vec::len);
    assert_eq!(children + taken.refused.len(), SCANS_MAX + 1);
}

#[test]
fn codes_that_a_changed_rule_does_not_take_are_shown() {
    let mut desk = Desk::new(vec![packing(false, ending(None, None))], 0);
    scan(&mut desk, &[SSCC, LOT]);
    let mut other = Desk::new(vec![recipe(ending(None, None))], 0);
    let taken = other.restore(desk.kept());
    assert_eq!(
        reasons(&taken),
        ["the rules have changed: is neither input nor output of the recipe"]
    );
    assert_eq!(other.kept().len(), 1);
    assert_eq!(other.changes(&desk.kept()).expect("changed").gone, [1]);
    // A smaller count is reached already: the event is made now.
    let mut counted = Desk::new(vec![packing(false, ending(Some(1), None))], 0);
    assert_eq!(counted.restore(desk.kept()).events.len(), 1);
}

#[test]
fn a_clock_that_is_set_ends_no_packing_and_keeps_none_open() {
    let start = |seconds| Instant::from_seconds(seconds);
    // Known, lost, lost again by a restart, put right after a year.
    for (before, after) in [
        (start(40), now(0)),
        (now(0), start(40)),
        (start(5_000), start(40)),
        (now(31_536_000), now(0)),
    ] {
        let later = |seconds| Instant::from_seconds(after.as_micros() / 1_000_000 + seconds);
        let mut desk = Desk::new(vec![packing(false, ending(None, Some(60)))], 0);
        assert_eq!(desk.take(1, SSCC, before), Taken::default());
        assert_eq!(desk.take(2, LOT, before), Taken::default());
        assert_eq!(
            desk.expire(after),
            Taken::default(),
            "the step is no minute"
        );
        assert_eq!(desk.due(), Some(later(60)));
        let taken = desk.expire(later(60));
        let [packed] = &taken.events[..] else {
            panic!("{taken:?}");
        };
        let time = json(packed)["eventTime"].as_str().map(str::to_owned);
        assert_eq!(time, Some(super::time_text(after)));
    }
}

#[test]
fn a_clock_that_went_back_makes_no_stutter_of_a_scan() {
    let piece = "(01)09521001000017(21)S1";
    let mut desk = Desk::new(vec![single()], 0);
    for at in [now(0), Instant::from_seconds(40), now(9), now(5)] {
        assert_eq!(desk.take(1, piece, at).events.len(), 1, "{at:?}");
    }
    assert_eq!(desk.take(1, piece, now(6)).refused.len(), 1);
}
