//! Events that are refused one by one, in a statement that takes its place.

use platform::ingest::Incoming;
use schemas::event::Source;
use schemas::proof::Verdict;
use serde_json::{Value, json};

use crate::world::World;
use crate::world::events::{commissioned, inspected};

#[tokio::test]
async fn a_good_statement_is_stored_anchored_and_proven() {
    let mut world = World::with_line_1().await;
    let events = [commissioned(), inspected(500)];
    let sent = world.send("qinghe/line-1", &events).await;
    assert_eq!((sent.word(), sent.refused()), ("stored", vec![]));
    world.anchor().await;
    let report = world.verify(&world.bundle(&[sent.id()]).await).unwrap();
    assert_eq!(report.verdict, Verdict::Verified);
    assert_eq!(report.events.len(), 2);
    assert_eq!(world.monitor().await, Vec::<String>::new());
}

/// A good event with one member changed, or removed by `null`.
fn with(member: &str, value: Value) -> Value {
    let mut event = inspected(500);
    let object = event.as_object_mut().unwrap();
    if value.is_null() {
        object.shift_remove(member);
    } else {
        object.insert(member.to_owned(), value);
    }
    event
}

#[tokio::test]
async fn bad_events_are_refused_one_by_one_with_index_and_code_and_nothing_proves_them() {
    let bad = [
        (with("type", json!("SalesEvent")), "event-type"),
        (with("type", Value::Null), "event-type"),
        (
            with("eventTime", json!("2026-02-30T00:00:00Z")),
            "event-time",
        ),
        (
            with("eventTime", json!("2026-07-11 06:00:00Z")),
            "event-time",
        ),
        (with("eventTimeZoneOffset", Value::Null), "time-zone-offset"),
        (
            with("eventTimeZoneOffset", json!("+15:00")),
            "time-zone-offset",
        ),
        (with("action", json!("UPDATE")), "action"),
        (with("action", Value::Null), "action"),
        (with("bizStep", json!("retail_selling")), "step-not-allowed"),
        (
            with(
                "readPoint",
                json!({"id": "https://id.gs1.org/414/9521003000015"}),
            ),
            "place-not-allowed",
        ),
        (
            with("readPoint", json!("https://id.gs1.org/414/9521001000017")),
            "place-not-allowed",
        ),
        // The last digit of the GTIN should be 7.
        (
            with(
                "quantityList",
                json!([{"epcClass": "https://id.gs1.org/01/09521001000016/10/QH-0711", "quantity": 1, "uom": "KGM"}]),
            ),
            "epcis",
        ),
        (
            with(
                "quantityList",
                json!([{"epcClass": "urn:epc:class:lgtin:broken", "quantity": 1}]),
            ),
            "epcis",
        ),
        (with("quantityList", json!("many")), "epcis"),
        (with("epcList", json!(["not an identifier"])), "epcis"),
    ];
    let mut world = World::with_line_1().await;
    let mut events: Vec<Value> = bad.iter().map(|(event, _)| event.clone()).collect();
    events.insert(0, commissioned());
    events.push(inspected(500));
    let sent = world.send("qinghe/line-1", &events).await;
    let expected: Vec<(u64, String)> = (1..)
        .zip(&bad)
        .map(|(index, (_, code))| (index, (*code).to_owned()))
        .collect();
    assert_eq!((sent.word(), sent.refused()), ("stored", expected));
    world.anchor().await;
    let bundle = world.bundle(&[sent.id()]).await;
    let report = world.verify(&bundle).unwrap();
    assert_eq!(
        report
            .events
            .iter()
            .map(|event| event.index)
            .collect::<Vec<_>>(),
        [0, 16]
    );
    assert_eq!(world.monitor().await, Vec::<String>::new());
}

/// One gateway's refused events must not make the list of a batch longer than any reader takes: then
/// nothing of that batch could be proven, not even what others said.
#[tokio::test]
async fn batch_of_very_many_refused_events_can_still_be_proven() {
    let mut world = World::with_line_1().await;
    world.enrol("qinghe/line-2").await;
    let good = world.send("qinghe/line-2", &[commissioned()]).await.id();
    let device = world.device("qinghe/line-1");
    let address = device.address.clone();
    let events = vec![b"{\"a\":1}".to_vec(); 256];
    let say = |_| device.say_bytes(Source::Scan, &events).encode();
    let messages: Vec<Vec<u8>> = (0..300).map(say).collect();
    for message in &messages {
        let sender = Some(address.clone());
        let topic = address.capture_topic();
        let payload = message.clone().into();
        let incoming = Incoming {
            topic,
            sender,
            payload,
        };
        world.ingest.process(&[incoming]).await.unwrap();
    }
    world.anchor().await;
    let outcome = world.verify(&world.bundle(&[good]).await);
    assert!(outcome.is_ok(), "{outcome:?}");
}
