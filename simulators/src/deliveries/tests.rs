//! The file and its replay, without anything running.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::{Datelike, Weekday};
use schemas::ids::Slug;
use schemas::time::Instant;
use serde_json::Value;

use super::*;
use crate::scenario::Deed;

const HEAD: &str = "\u{feff}ID,PO / SO #,Country,Fulfill Via,PQ First Sent to Client Date,PO Sent to Vendor Date,Scheduled Delivery Date,Delivered to Client Date,Delivery Recorded Date,Vendor,Line Item Quantity,Line Item Value\n";

const LINES: &str = "1,SCMS-4,Côte d'Ivoire,Direct Drop,x,y,02-Jun-06,02-Jun-06,05-Jun-06,RANBAXY Fine Chemicals LTD.,19,551\n\
    2,SCMS-5,Vietnam,From RDC,x,y,02-Jun-06,02-Jun-06,02-Jun-06,SCMS from RDC,19,551\n\
    3,SCMS-6,Vietnam,Direct Drop,x,y,14-Nov-06,20-Nov-06,19-Nov-06,\"Orgenics, Ltd\",1000,6200.5\n";

fn parse(text: &str) -> Result<Deliveries, DeliveriesError> {
    Deliveries::parse("x.csv", text.as_bytes())
}

/// The fixture, or `None` where it is not here, which is no excuse in CI.
fn fixture() -> Option<PathBuf> {
    let folder = std::env::var("TRACEBOND_FIXTURES").unwrap_or("../../shared/fixtures".into());
    let path = PathBuf::from(folder).join("suppliers/SCMS_Delivery_History_Dataset.csv");
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{} is needed in CI",
        path.display()
    );
    eprintln!("skipped: {} is not here", path.display());
    None
}

#[test]
fn only_what_vendors_deliver_by_themselves_is_taken() {
    let deliveries = parse(&format!("{HEAD}{LINES}")).unwrap();
    let [first, second] = deliveries.lines() else {
        panic!()
    };
    assert_eq!(
        (first.id, first.is_late(), first.value_cents),
        (1, false, 55_100)
    );
    assert_eq!(
        (first.country.as_str(), first.quantity),
        ("Côte d'Ivoire", 19)
    );
    assert_eq!(
        (second.id, second.is_late(), second.value_cents),
        (3, true, 620_050)
    );
    // Recorded a day before it was delivered: a slip.
    assert_eq!(second.known(), second.delivered);
    assert_eq!(
        deliveries.of_vendors(&["Orgenics, Ltd"]).unwrap().lines(),
        std::slice::from_ref(second)
    );
    assert_eq!(deliveries.of_vendors(&["nobody"]), None);
}

#[test]
fn a_wrong_line_is_named_with_its_column() {
    for (from, to, line, problem) in [
        (
            "02-Jun-06,05-Jun-06",
            "2-6-06,05-Jun-06",
            2,
            "Delivered to Client Date: is no day like 02-Jun-06",
        ),
        (
            "1000,6200.5",
            "0,6200.5",
            4,
            "Line Item Quantity: is no whole number above zero",
        ),
        (
            "1000,6200.5",
            "1000,-1",
            4,
            "Line Item Value: is no amount with at most two places",
        ),
        (
            "1000,6200.5",
            "1000,6200.505",
            4,
            "Line Item Value: is no amount with at most two places",
        ),
        ("3,SCMS-6", "1,SCMS-6", 4, "ID: another line has it too"),
        ("\"Orgenics, Ltd\"", "\"\"", 4, "Vendor: is empty"),
    ] {
        let error = parse(&format!("{HEAD}{}", LINES.replace(from, to))).unwrap_err();
        assert_eq!(error.to_string(), format!("x.csv line {line}: {problem}"));
    }
    let error = parse(&format!("{}{LINES}", HEAD.replace("Vendor,", "Seller,"))).unwrap_err();
    assert_eq!(error.to_string(), "x.csv has no column \"Vendor\"");
    let error = parse(HEAD).unwrap_err();
    assert_eq!(
        error.to_string(),
        "x.csv has no line fulfilled by \"Direct Drop\""
    );
    let bytes = format!("{HEAD}{LINES}").replace('ô', "\u{1}").into_bytes();
    let latin: Vec<u8> = bytes
        .into_iter()
        .map(|byte| if byte == 1 { 0xf4 } else { byte })
        .collect();
    assert!(matches!(
        Deliveries::parse("x.csv", &latin),
        Err(DeliveriesError::Form(..))
    ));
}

#[test]
fn a_line_becomes_a_promise_and_a_receipt_and_nothing_else() {
    let deliveries = parse(&format!("{HEAD}{LINES}")).unwrap();
    let replay = Replay::new(&deliveries, "x.csv".to_owned()).unwrap();
    let lines: Vec<(Instant, String, Value)> = replay.actions.iter().flat_map(exported).collect();
    assert_eq!(lines.len(), 4);
    let of = |step: &str| {
        lines
            .iter()
            .find(|(_, _, line)| line["step"] == step)
            .unwrap()
    };
    let (at, gateway, promise) = of("other");
    assert_eq!(gateway, "ranbaxy-fine-chemicals-ltd/orders");
    assert_eq!(at.to_rfc3339(), "2006-04-03T18:00:00.000000Z");
    assert_eq!(
        promise["extra"]["tb:promisedDelivery"],
        "2006-06-02T23:59:59Z"
    );
    assert_eq!(promise["items"][0]["quantity"], 19);
    assert_eq!(
        (
            &promise["extra"]["tb:orderAmount"],
            &promise["extra"]["tb:orderCurrency"]
        ),
        (&"551.00".into(), &"USD".into())
    );
    let (at, gateway, receipt) = of("receiving");
    assert_eq!(gateway, "client-c-te-d-ivoire/receipts");
    assert_eq!(
        (at.to_rfc3339().as_str(), &receipt["time"]),
        (
            "2006-06-05T18:00:00.000000Z",
            &"2006-06-02T12:00:00Z".into()
        )
    );
    assert_eq!(receipt["items"], promise_without_quantity(promise));
    assert!(lines.iter().all(|(_, _, line)| line["step"] != "shipping"));
    assert!(replay.start() < replay.actions[0].at && replay.end() > *at);
}

fn promise_without_quantity(promise: &Value) -> Value {
    serde_json::json!([{ "id": promise["items"][0]["id"] }])
}

fn exported(action: &crate::scenario::Action) -> Vec<(Instant, String, Value)> {
    let Deed::Export(lines) = &action.deed else {
        panic!("{action:?}")
    };
    let line = |line: &String| {
        (
            action.at,
            action.gateway.to_string(),
            serde_json::from_str(line).unwrap(),
        )
    };
    lines.iter().map(line).collect()
}

#[test]
fn the_file_has_4920_lines_of_72_vendors_and_259_came_late() {
    let Some(path) = fixture() else { return };
    let deliveries = Deliveries::load(&path).unwrap();
    let lines = deliveries.lines();
    assert_eq!(
        (
            lines.len(),
            deliveries.vendors().len(),
            deliveries.countries().len()
        ),
        (4_920, 72, 40)
    );
    assert_eq!(lines.iter().filter(|line| line.is_late()).count(), 259);
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.recorded < line.delivered)
            .count(),
        3
    );
    let replay = Replay::new(&deliveries, "x.csv".to_owned()).unwrap();
    let slugs: BTreeSet<&Slug> = replay.organisations.iter().map(|one| &one.slug).collect();
    assert_eq!(
        (slugs.len(), replay.equipment.len()),
        (3 + 72 + 40, 72 + 40)
    );
    let goods: BTreeSet<&str> = replay
        .replayed
        .iter()
        .map(|line| line.goods.as_str())
        .collect();
    assert_eq!((goods.len(), replay.samples().len()), (4_920, 72));
    for line in lines.iter().zip(&replay.replayed) {
        let (line, replayed) = line;
        assert_eq!(line.is_late(), replayed.delivered > replayed.promised.due);
    }
}

#[test]
fn promises_are_signed_on_mondays_before_everything_and_exports_are_in_order() {
    let Some(path) = fixture() else { return };
    let deliveries = Deliveries::load(&path).unwrap();
    let replay = Replay::new(&deliveries, "x.csv".to_owned()).unwrap();
    assert!(replay.actions.is_sorted_by_key(|action| action.at));
    let known: std::collections::BTreeMap<&str, &crate::folder::Replayed> = replay
        .replayed
        .iter()
        .map(|line| (line.goods.as_str(), line))
        .collect();
    for (at, _, line) in replay.actions.iter().flat_map(exported) {
        let replayed = known[line["items"][0]["id"].as_str().unwrap()];
        if line["step"] == "other" {
            assert_eq!(at.utc().weekday(), Weekday::Mon);
            assert!(at < replayed.delivered && at < replayed.promised.due);
        } else {
            assert!(at == replayed.known && at >= replayed.delivered);
        }
    }
}
