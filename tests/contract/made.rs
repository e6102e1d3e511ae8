//! Rows for stores: validly signed statements over events of which only what is stored matters.

use platform::store::{
    Append, BatchPlace, KeptRecord, MadeBatch, NewBatch, NewEvent, NewQuarantine, NewStatement,
    Store, Whose, filed,
};
use schemas::event::{Salt, Source};
use schemas::hash::{Hash, sha256};
use schemas::registry::{Head, SignedRecord};
use schemas::statement::{Message, WireEvent};
use schemas::time::Instant;

use crate::world::events::{LOT, inspected};
use crate::world::people::{Device, device_record, key_of};

/// A morning, in microseconds that are no whole second.
pub fn at(seconds: i64) -> Instant {
    Instant::from_micros((1_783_720_800 + seconds) * 1_000_000 + 123_457)
}

/// A hash of its own for each name.
pub fn hash(name: &str) -> Hash {
    sha256(name.as_bytes())
}

/// A device `organisation/device`.
pub fn device(address: &str) -> Device {
    let key = key_of(address);
    let record = device_record(hash("log"), address, &key, |_| ());
    let signer = key_of(record.organisation.as_str());
    Device::new(key, SignedRecord::sign(&signer, record))
}

/// The device's next statement over inspections of the lot, received at a second.
pub fn statement(device: &mut Device, kilograms: &[u32], second: i64) -> NewStatement {
    let events: Vec<_> = kilograms.iter().map(|weight| inspected(*weight)).collect();
    kept(&device.say(&events), second)
}

/// A statement with one event; `weight` tells it apart.
pub fn single(device: &mut Device, weight: u32, second: i64) -> NewStatement {
    statement(device, &[weight], second)
}

/// A message as ingest hands it on.
pub fn kept(message: &Message, second: i64) -> NewStatement {
    let statement = &message.statement;
    NewStatement {
        id: statement.id(),
        device: statement.payload.device.clone(),
        position: statement.payload.position,
        kid: statement.kid,
        prev: statement.payload.prev,
        bytes: statement.bytes().to_vec(),
        received: at(second),
        made: filed(statement.payload.made, statement.payload.clock, at(second)),
        registry_version: 1,
        events: message.events.iter().map(|e| event(e, second)).collect(),
    }
}

fn event(wire: &WireEvent, second: i64) -> NewEvent {
    NewEvent {
        leaf: wire.leaf(),
        source: wire.source,
        salt: wire.salt,
        bytes: wire.event.bytes().to_vec(),
        refused: None,
        event_time: Some(at(second - 60)),
        step: Some("inspecting".into()),
        items: vec![(LOT.into(), "quantity")],
    }
}

/// A statement of the same place in the chain, but another one.
pub fn rival(device: &Device, weight: u32, second: i64) -> NewStatement {
    single(&mut device.clone(), weight, second)
}

/// A message that cannot be verified.
pub fn unreadable(name: &str, code: &str) -> NewQuarantine {
    NewQuarantine {
        id: hash(name),
        received: at(0),
        topic: "tracebond/v1/a/b/capture".into(),
        code: code.into(),
        detail: "it is no statement".into(),
        bytes: name.as_bytes().to_vec(),
    }
}

/// Entries for the log from a position on, under a fence.
pub fn append(fence: u64, first: u64, entries: &[&str]) -> Append {
    Append {
        fence,
        first,
        entries: entries.iter().map(|e| e.as_bytes().to_vec()).collect(),
        root: hash(&format!("root at {}", first + entries.len() as u64)),
        ..Append::default()
    }
}

/// A batch of statements that wait.
pub fn made(seq: u64, statements: &[Hash]) -> MadeBatch {
    MadeBatch {
        shard: 0,
        seq,
        registry_version: 1,
        header: format!("header {seq}").into_bytes(),
        refused: None,
        statements: statements.to_vec(),
    }
}

/// Where a statement that is stored stands in a batch.
pub async fn place_of(store: &dyn Store, id: &Hash) -> Option<BatchPlace> {
    store.statement(id).await.unwrap().unwrap().batch
}

/// One entry that gives a made batch its place.
pub fn placed(fence: u64, index: u64, batch: &MadeBatch) -> Append {
    let placed = NewBatch {
        shard: batch.shard,
        seq: batch.seq,
        log_index: index,
        refused: batch.refused.clone(),
    };
    Append {
        batches: vec![placed],
        ..append(fence, index, &[&format!("header {index}")])
    }
}

/// Makes a batch of statements that wait and gives it its place.
pub async fn anchor(store: &dyn Store, fence: u64, index: u64, seq: u64, statements: &[Hash]) {
    let batch = made(seq, statements);
    assert!(store.make_batch(&batch).await.unwrap());
    store.append(&placed(fence, index, &batch)).await.unwrap();
}

/// Everything that waits in shard 0.
pub const OWN: Whose = Whose {
    shard: 0,
    before: Instant::from_seconds(0),
    below: 0,
};

/// A version of the record of a key, counting from a registry version.
pub fn record(key: &str, organisation: &str, version: u64, head: u64) -> KeptRecord {
    KeptRecord {
        kid: hash(key),
        version,
        organisation: organisation.parse().unwrap(),
        device: format!("of {key}"),
        role: 2,
        bytes: format!("{key} {version}").into_bytes(),
        salt: Salt([7; 16]),
        hash: hash(&format!("record {key} {version}")),
        head,
    }
}

/// A head of the registry.
pub fn head(version: u64, count: u64) -> Head {
    Head {
        version,
        count,
        root: hash(&format!("registry {version}")),
    }
}

/// Some source.
pub const SCAN: Source = Source::Scan;
