//! A device that lies, alone or together with the operator.

use platform::registry::AdmitError;
use schemas::event::{Event, Salt, Source};
use schemas::key::{KeyError, PublicKey};
use schemas::log::Refused;
use schemas::proof::{Bundle, Class};
use schemas::registry::{RecordError, SignedRecord};
use schemas::statement::{Message, WireEvent};

use crate::forge::{Paper, device, leaf_of, organisation, rows, rows_of};
use crate::world::World;
use crate::world::events::{commissioned, inspected, measured};
use crate::world::people::{Device, device_record, key_of};

fn colluding(source: Source, members: Vec<schemas::proof::MemberRow>) -> Paper {
    let key = key_of("qinghe/line-1");
    let record = device("qinghe/line-1", &key, &key_of("qinghe"));
    Paper::saying(key, record, organisation("qinghe"), source, members)
}

/// Caught by ingest, which recomputes the leaf from the event's own members, and by every reader
/// (`member`), should the operator collude.
#[tokio::test]
async fn a_device_that_hides_a_second_name_inside_a_member_is_caught() {
    let mut shown = rows_of(&inspected(500));
    let hidden = r#"{"en":"peaches"},"tb:secret":true"#;
    shown.extend(rows(&[("tb:note", hidden)]));
    let place = shown.len() - 1;
    let salt = Salt([7; 16]).field(place);
    shown[place].salt = Some(schemas::proof::Fixed(salt.0));
    let refusal = colluding(Source::Scan, shown.clone()).verify().unwrap_err();
    assert_eq!(refusal.class, Class::Member);

    // The same on the wire: the bytes have one member more than the signed commitment.
    let mut world = World::with_line_1().await;
    let text = inspected(500).to_string();
    let bytes = format!(
        "{},\"tb:note\":{hidden}}}",
        text.trim_end_matches('}').to_owned()
            + &"}".repeat(text.len() - text.trim_end_matches('}').len() - 1)
    );
    let event = Event::parse(bytes.into_bytes()).unwrap();
    assert_eq!(event.len(), shown.len() + 1);
    let wire = WireEvent {
        source: Source::Scan,
        salt: Salt([7; 16]),
        event,
    };
    let statement = world
        .device("qinghe/line-1")
        .sign_over(&[leaf_of(Source::Scan, &shown)]);
    let message = Message {
        statement,
        events: vec![wire],
    };
    assert_eq!(
        world.deliver_message(&message).await.word(),
        "root-mismatch"
    );
}

/// Caught wherever a key is read: nothing with such a key parses. A signature with such an R is
/// caught when it is verified.
#[tokio::test]
async fn a_device_that_uses_a_small_order_key_is_caught() {
    let mut world = World::with_line_1().await;
    // Under the neutral point every message has the same signature: R neutral, S zero.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(PublicKey::ed25519(&neutral), Err(KeyError::SmallOrder));
    let mut signature = [0; 64];
    signature[0] = 1;
    let mut record = device_record(world.policy.log, "qinghe/line-2", &key_of("x"), |_| ());
    record.key = PublicKey::Ed25519(neutral, None);
    record.consent = Some(signature);
    let signed = SignedRecord::sign(&key_of("qinghe"), record);
    let refused = world.admit_record(signed.bytes()).await;
    let small = AdmitError::Record(RecordError::Key(KeyError::SmallOrder));
    assert_eq!(
        format!("{refused:?}"),
        format!("{:?}", Err::<u64, _>(small))
    );

    // With an operator who admits it, every reader refuses the record.
    let mut bundle = Paper::honest().bundle();
    let place = bundle.statements[0].device;
    bundle.keys[place].record.0 = signed.bytes().to_vec();
    assert_eq!(
        crate::forge::verify(&bundle).unwrap_err().class,
        Class::Record
    );

    // A good key, a signature whose R has small order.
    let message = world.device("qinghe/line-1").say(&[commissioned()]);
    let mut bytes = message.encode();
    let statement = message.statement.bytes();
    let end = bytes
        .windows(statement.len())
        .position(|w| w == statement)
        .unwrap()
        + statement.len();
    bytes[end - 64..end].copy_from_slice(&signature);
    let address = world.device("qinghe/line-1").address.clone();
    assert_eq!(
        world.deliver(&address, &bytes).await.word(),
        "bad-signature"
    );
}

/// Caught by ingest, which refuses the event and lists it in the header, and by every reader
/// (`refused-event`, and `rule` should the operator collude).
#[tokio::test]
async fn a_device_that_claims_a_source_that_its_record_does_not_allow_is_caught() {
    let mut world = World::start().await;
    world.admit("qinghe").await;
    world
        .enrol_with("qinghe/line-1", |record| record.sources = vec![2])
        .await;
    let reading = measured(4.5).to_string().into_bytes();
    let message = world
        .device("qinghe/line-1")
        .say_bytes(Source::Sensor, &[reading]);
    let sent = world.deliver_message(&message).await;
    assert_eq!(
        (sent.word(), sent.refused()),
        ("stored", vec![(0, "source-not-allowed".to_owned())])
    );
    world.anchor().await;

    // The bundler leaves it out; one who puts it in is refused.
    let honest = world.bundle(&[sent.id()]).await;
    assert_eq!(world.verify(&honest).unwrap().events.len(), 0);
    let mut bundle = Bundle::parse(&honest).unwrap();
    let rows =
        schemas::proof::member_rows(&message.events[0].event, &message.events[0].salt, |_| false);
    bundle.events.push(schemas::proof::EventRow {
        statement: 0,
        index: 0,
        path: Vec::new().into(),
        leaf: None,
        source: Some(3),
        members: Some(rows.clone()),
    });
    let refusal = world.verify(&bundle.to_json().unwrap()).unwrap_err();
    assert_eq!(refusal.class, Class::RefusedEvent);

    // An operator who colludes does not list it: the record still says what the device may claim.
    let refusal = colluding(Source::Declared, rows_of(&inspected(1)))
        .verify()
        .unwrap_err();
    assert_eq!(
        (refusal.class, refusal.detail.as_str()),
        (Class::Rule, "source-not-allowed")
    );
    // And one that it lists cannot be shown.
    let mut paper = Paper::honest();
    paper.refused = vec![Refused {
        statement: 0,
        event: 0,
        code: "epcis".into(),
    }];
    assert_eq!(paper.verify().unwrap_err().class, Class::RefusedEvent);
}

/// Caught by ingest of the other log, and by every reader should its operator collude.
#[tokio::test]
async fn a_device_that_replays_a_statement_to_another_log_is_caught() {
    let mut here = World::with_line_1().await;
    let mut there = World::named("log.example.net/other").await;
    there.admit("qinghe").await;
    there.enrol("qinghe/line-1").await;
    let message = here.device("qinghe/line-1").say(&[commissioned()]);
    assert_eq!(here.deliver_message(&message).await.word(), "stored");
    assert_eq!(there.deliver_message(&message).await.word(), "foreign-log");

    let mut paper = Paper::honest();
    let key = key_of("qinghe/line-1");
    let record = device_record(here.policy.log, "qinghe/line-1", &key, |_| ());
    let elsewhere = SignedRecord::sign(&key_of("qinghe"), record);
    paper.statement =
        Device::new(key, elsewhere).sign_over(&[leaf_of(paper.source, &paper.members)]);
    assert_eq!(paper.verify().unwrap_err().class, Class::Statement);
}
