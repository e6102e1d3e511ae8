//! Messages that cannot be verified: kept in quarantine with their reason, never anchored.

use platform::ingest::check::QUARANTINE_BYTES;
use platform::store::TraceStore as _;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::event::{Salt, Source};
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::registry::State;
use schemas::statement::{MESSAGE_MAX, Message, Position, Statement, encode_message};

use crate::world::World;
use crate::world::events::{commissioned, inspected};
use crate::world::people::{Device, key_of, next_record};

fn line_1() -> DeviceAddress {
    "qinghe/line-1".parse().unwrap()
}

/// What the world keeps of everything that was delivered in vain: (code, bytes kept).
async fn quarantine(world: &World) -> Vec<(String, Vec<u8>)> {
    let rows = sqlx::query_as("SELECT code, bytes FROM quarantine ORDER BY received, id");
    rows.fetch_all(&mut world.tamper().await).await.unwrap()
}

/// Delivers, and expects that the message is kept with this code, is answered by nothing, and
/// leaves no other trace.
async fn refused(world: &World, sender: &DeviceAddress, bytes: &[u8], code: &str) {
    let before = world.store.totals().await.unwrap();
    let sent = world.deliver(sender, bytes).await;
    assert_eq!((sent.word(), sent.receipts.len()), (code, 0));
    let after = world.store.totals().await.unwrap();
    assert_eq!(
        (after.statements, after.quarantined),
        (before.statements, before.quarantined + 1)
    );
    let kept = quarantine(world).await;
    let cut = bytes.len().min(QUARANTINE_BYTES);
    assert!(kept.contains(&(code.to_owned(), bytes[..cut].to_vec())));
}

#[tokio::test]
async fn unknown_device_is_quarantined() {
    let mut world = World::with_line_1().await;
    let mut stranger = world.device("qinghe/line-1").clone();
    stranger.key = key_of("stranger");
    let message = stranger.say(&[commissioned()]);
    refused(&world, &line_1(), &message.encode(), "unknown-key").await;
    // An organisation's key is no device's either.
    stranger.key = key_of("qinghe");
    let message = stranger.say(&[commissioned()]);
    refused(&world, &line_1(), &message.encode(), "unknown-key").await;
}

#[tokio::test]
async fn one_device_speaking_for_another_is_quarantined() {
    let mut world = World::with_line_1().await;
    world.enrol("qinghe/line-2").await;
    let line_2 = world.device("qinghe/line-2").address.clone();
    let message = world.device("qinghe/line-1").say(&[commissioned()]);
    refused(&world, &line_2, &message.encode(), "wrong-device").await;
    let mut liar = world.device("qinghe/line-1").clone();
    liar.address = line_2.clone();
    let message = liar.say(&[commissioned()]);
    refused(&world, &line_2, &message.encode(), "wrong-device").await;
}

#[tokio::test]
async fn revoked_and_suspended_keys_are_quarantined_and_a_suspended_one_may_come_back() {
    let mut world = World::with_line_1().await;
    world.set_state("qinghe/line-1", State::Suspended).await;
    let message = world.device("qinghe/line-1").say(&[commissioned()]);
    refused(&world, &line_1(), &message.encode(), "key-state").await;
    world.set_state("qinghe/line-1", State::Active).await;
    assert_eq!(world.deliver_message(&message).await.word(), "stored");
    let revoked = State::Revoked {
        compromised_since: None,
    };
    world.set_state("qinghe/line-1", revoked).await;
    let message = world.device("qinghe/line-1").say(&[inspected(1)]);
    refused(&world, &line_1(), &message.encode(), "key-state").await;
    let back = world.device("qinghe/line-1").next_record(State::Active);
    assert!(world.admit_record(back.bytes()).await.is_err());
}

#[tokio::test]
async fn suspended_organisation_is_quarantined_until_it_is_active_again() {
    let mut world = World::start().await;
    let record = world.admit("qinghe").await;
    world.enrol("qinghe/line-1").await;
    let suspended = next_record(&key_of("association"), &record, State::Suspended);
    world.admit_record(suspended.bytes()).await.unwrap();
    let message = world.device("qinghe/line-1").say(&[commissioned()]);
    refused(&world, &line_1(), &message.encode(), "organisation-state").await;
    let active = next_record(&key_of("association"), &suspended, State::Active);
    world.admit_record(active.bytes()).await.unwrap();
    let sent = world.deliver_message(&message).await;
    assert_eq!(sent.word(), "stored");
    world.anchor().await;
    world.verify(&world.bundle(&[sent.id()]).await).unwrap();
}

#[tokio::test]
async fn wrong_signature_is_quarantined() {
    let mut world = World::with_line_1().await;
    let message = world.device("qinghe/line-1").say(&[commissioned()]);
    let statement = message.statement.bytes();
    let mut bytes = message.encode();
    let end = bytes
        .windows(statement.len())
        .position(|w| w == statement)
        .unwrap()
        + statement.len();
    for at in [end - 64, end - 33, end - 32, end - 1] {
        bytes[at] ^= 1;
        refused(&world, &line_1(), &bytes, "bad-signature").await;
        bytes[at] ^= 1;
    }
    assert_eq!(world.deliver(&line_1(), &bytes).await.word(), "stored");
}

#[tokio::test]
async fn events_that_do_not_lead_to_the_root_are_quarantined() {
    let mut world = World::with_line_1().await;
    let device = world.device("qinghe/line-1");
    let good = device.say(&[commissioned(), inspected(1)]);
    let mut swapped = good.clone();
    swapped.events.swap(0, 1);
    let mut resalted = good.clone();
    resalted.events[0].salt = Salt([0; 16]);
    let mut resourced = good.clone();
    resourced.events[0].source = Source::Sensor;
    let mut other = good.clone();
    other.events[1] = device.clone().say(&[inspected(2)]).events.remove(0);
    for message in [swapped, resalted, resourced, other] {
        refused(&world, &line_1(), &message.encode(), "root-mismatch").await;
    }
    let mut fewer = good.clone();
    fewer.events.pop();
    refused(&world, &line_1(), &fewer.encode(), "malformed").await;
    assert_eq!(world.deliver_message(&good).await.word(), "stored");
}

#[tokio::test]
async fn duplicate_json_names_are_quarantined() {
    let mut world = World::with_line_1().await;
    for event in [
        r#"{"type":"ObjectEvent","type":"ObjectEvent"}"#,
        r#"{"type":"ObjectEvent","ilmd":{"a":1,"a":2}}"#,
        r#"{"type":"ObjectEvent","ilmd":[{"a":1,"\u0061":2}]}"#,
        r#"{"type":"ObjectEvent","\u0074ype":"ObjectEvent"}"#,
        r#"{"type": "ObjectEvent"}"#,
        r#"{"type":"ObjectEvent","n":9007199254740992}"#,
        r#"{"type":"ObjectEvent","n":1e400}"#,
        r#"{"type":"ObjectEvent","n":"\ud800"}"#,
        r#"[1]"#,
        "",
    ] {
        // The root cannot be right: what leaf would such an event have?
        let statement = world.device("qinghe/line-1").sign_over(&[Hash([1; 32])]);
        let parts = [(Source::Scan, Salt([0; 16]), event.as_bytes())];
        let bytes = encode_message(statement.bytes(), &parts);
        refused(&world, &line_1(), &bytes, "event-form").await;
    }
}

/// Every way in which the same message could be spelled another way.
#[tokio::test]
async fn non_canonical_cbor_is_quarantined() {
    let mut world = World::with_line_1().await;
    let message = world.device("qinghe/line-1").note("still here");
    let good = message.encode();
    let statement = message.statement.bytes();
    let head = 1;
    let at = good
        .windows(statement.len())
        .position(|w| w == statement)
        .unwrap();
    let spelled = |replace: &[(usize, usize, &[u8])]| {
        let mut bytes = good.clone();
        for (from, length, with) in replace {
            bytes.splice(*from..from + length, with.iter().copied());
        }
        bytes
    };
    let length = u16::try_from(statement.len()).unwrap().to_be_bytes();
    let long = [&[0x5a, 0, 0][..], &length].concat();
    let last = good.len() - 1;
    for bytes in [
        spelled(&[(0, head, &[0x98, 2])]),
        spelled(&[(0, head, &[0x9f]), (good.len(), 0, &[0xff])]),
        spelled(&[(head, at - head, &long)]),
        spelled(&[(last, 1, &[0x98, 0])]),
        spelled(&[(last, 1, &[0x9f, 0xff])]),
        spelled(&[(last, 1, &[0xf6])]),
        spelled(&[(good.len(), 0, &[0])]),
        spelled(&[(at, 1, &[0xd8, 18])]),
        spelled(&[(at, 1, &[0xd1])]),
        [&[0xd9, 0xd9, 0xf7], &good[..]].concat(),
    ] {
        refused(&world, &line_1(), &bytes, "malformed").await;
    }
    assert_eq!(world.deliver(&line_1(), &good).await.word(), "stored");
}

/// Payloads that break a rule between members, correctly signed.
#[tokio::test]
async fn statements_that_break_their_own_rules_are_quarantined() {
    let mut world = World::with_line_1().await;
    let mut device = world.device("qinghe/line-1").clone();
    device.next = Position { epoch: 1, seq: 0 };
    device.prev = Hash([1; 32]);
    let no_start = device.say(&[commissioned()]);
    device.next = Position { epoch: 0, seq: 0 };
    let first_with_prev = device.say(&[commissioned()]);
    device.next = Position { epoch: 0, seq: 1 };
    device.prev = Hash::ZERO;
    let later_without = device.say(&[commissioned()]);
    for message in [no_start, first_with_prev, later_without] {
        refused(&world, &line_1(), &message.encode(), "malformed").await;
    }
    let mut payload = device.payload();
    payload.agent = "\u{7}".into();
    payload.count = 1;
    payload.prev = Hash([1; 32]);
    let message = Message {
        statement: Statement::sign(&device.key, payload),
        events: device.say(&[commissioned()]).events,
    };
    refused(&world, &line_1(), &message.encode(), "malformed").await;
}

#[tokio::test]
async fn oversized_messages_are_quarantined_with_their_beginning() {
    let mut world = World::with_line_1().await;
    let mut bytes = world
        .device("qinghe/line-1")
        .say(&[commissioned()])
        .encode();
    bytes.resize(MESSAGE_MAX, 0);
    refused(&world, &line_1(), &bytes, "malformed").await;
    bytes.resize(MESSAGE_MAX + 1, 0);
    refused(&world, &line_1(), &bytes, "too-large").await;
    // An event of 65,536 bytes is the longest, one byte more is none.
    for (length, word) in [(65_536, "stored"), (65_537, "malformed")] {
        let mut event = commissioned().to_string();
        let filler = length - event.len() - r#","tb:x":"""#.len();
        event.pop();
        event = format!(r#"{event},"tb:x":"{}"}}"#, "x".repeat(filler));
        assert_eq!(event.len(), length);
        let device = world.device("qinghe/line-1");
        let bytes = if word == "stored" {
            device
                .say_bytes(Source::Scan, &[event.into_bytes()])
                .encode()
        } else {
            let statement = device.sign_over(&[Hash([1; 32])]);
            encode_message(
                statement.bytes(),
                &[(Source::Scan, Salt([0; 16]), event.as_bytes())],
            )
        };
        assert_eq!(world.deliver(&line_1(), &bytes).await.word(), word);
    }
}

#[tokio::test]
async fn truncated_messages_are_quarantined_wherever_they_are_cut() {
    let mut world = World::with_line_1().await;
    let bytes = world
        .device("qinghe/line-1")
        .say(&[commissioned()])
        .encode();
    let cut: Vec<&[u8]> = (0..bytes.len()).map(|end| &bytes[..end]).collect();
    for sent in world.deliver_all(&line_1(), &cut).await {
        assert_eq!(sent.word(), "malformed");
    }
    assert_eq!(quarantine(&world).await.len(), bytes.len());
    assert_eq!(world.deliver(&line_1(), &bytes).await.word(), "stored");
}

/// Random bytes, and a good message with random damage: nothing panics, nothing is stored that was
/// not signed, and everything is kept.
#[tokio::test]
async fn garbage_is_quarantined() {
    let mut world = World::with_line_1().await;
    let good = world
        .device("qinghe/line-1")
        .say(&[commissioned(), inspected(3)])
        .encode();
    let mut chance = StdRng::seed_from_u64(2);
    let mut garbage: Vec<Vec<u8>> = vec![Vec::new()];
    for _ in 0..500 {
        let length = chance.random_range(1..200);
        garbage.push((0..length).map(|_| chance.random()).collect());
        let mut damaged = good.clone();
        for _ in 0..chance.random_range(1..4) {
            let at = chance.random_range(0..damaged.len());
            damaged[at] ^= 1 << chance.random_range(0..8);
        }
        garbage.push(damaged);
    }
    garbage.retain(|bytes| *bytes != good);
    garbage.sort();
    garbage.dedup();
    let messages: Vec<&[u8]> = garbage.iter().map(Vec::as_slice).collect();
    let sent = world.deliver_all(&line_1(), &messages).await;
    assert!(
        sent.iter()
            .all(|sent| !["stored", "known"].contains(&sent.word()))
    );
    assert_eq!(quarantine(&world).await.len(), garbage.len());
    assert_eq!(world.store.totals().await.unwrap().statements, 0);
    // The same garbage again is one row still.
    world.deliver_all(&line_1(), &messages).await;
    assert_eq!(quarantine(&world).await.len(), garbage.len());
}

#[tokio::test]
async fn bad_and_good_messages_of_one_transaction_do_not_touch_each_other() {
    let mut world = World::with_line_1().await;
    let device: &mut Device = world.device("qinghe/line-1");
    let (first, second) = (
        device.say(&[commissioned()]).encode(),
        device.say(&[inspected(1)]).encode(),
    );
    let sent = world
        .deliver_all(&line_1(), &[&first, b"garbage", &second])
        .await;
    let words: Vec<&str> = sent.iter().map(|sent| sent.word()).collect();
    assert_eq!(words, ["stored", "malformed", "stored"]);
    let receipt = &sent[0].receipts[0];
    assert_eq!(
        (receipt.ranges.clone(), receipt.ids.clone()),
        (vec![(0, 1)], vec![sent[0].id(), sent[2].id()])
    );
}
