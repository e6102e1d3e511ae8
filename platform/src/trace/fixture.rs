//! A small world for tests: a source in memory and the story of a crate of peaches.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use schemas::disclosure::Audience;
use schemas::hash::{Hash, sha256};
use schemas::ids::DeviceAddress;
use schemas::statement::Position;
use schemas::time::Instant;
use serde_json::{Value, json};

use super::event::View;
use super::{Item, Journey, JourneySource, Proof, Source, Standing, Witness, journey_of};
use crate::disclosure::Rules;
use crate::store::{Anchor, StoreError, StoredEvent};

pub const LOT: &str = "https://id.gs1.org/01/09521001000017/10/QH-0711";
pub const CASE: &str = "https://id.gs1.org/00/095210010000000017";
pub const ORCHARD: &str = "https://id.gs1.org/01/09521001000024/10/ORCHARD-7";
pub const PACKHOUSE: &str = "https://id.gs1.org/414/9521001000017";
pub const TRUCK: &str = "https://id.gs1.org/414/9521002000016";
pub const SHOP: &str = "https://id.gs1.org/414/9521003000015";

/// 2026-07-11T06:00:00+08:00.
pub const MORNING: Instant = Instant::from_seconds(1_783_720_800);

/// A source in memory.
#[derive(Default, Clone)]
pub struct Memory {
    pub events: Vec<StoredEvent>,
}

#[async_trait]
impl JourneySource for Memory {
    async fn events_of_items(
        &self,
        items: &[String],
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let read = |one: &StoredEvent| View::read(&one.bytes, one.leaf);
        let names = |one: &&StoredEvent| {
            read(one).is_some_and(|view| {
                items
                    .iter()
                    .any(|item| view.thing(item).is_some() || view.parent.as_ref() == Some(item))
            })
        };
        let mut found: Vec<StoredEvent> = self.events.iter().filter(names).cloned().collect();
        found.sort_by_cached_key(|one| (read(one).map(|view| view.time.instant), one.leaf));
        found.truncate(limit as usize);
        Ok(found)
    }

    /// In the order in which events were added: one statement for each.
    async fn positions(&self, statements: &[Hash]) -> Result<BTreeMap<Hash, Position>, StoreError> {
        let wanted: std::collections::BTreeSet<&Hash> = statements.iter().collect();
        let numbered = self
            .events
            .iter()
            .zip(0..)
            .filter(|(one, _)| wanted.contains(&one.statement));
        Ok(numbered
            .map(|(one, seq)| (one.statement, Position { epoch: 0, seq }))
            .collect())
    }
}

impl Memory {
    /// Adds an event of a device, signed half a minute after its time and anchored at once.
    pub fn add(&mut self, device: &str, source: Source, event: Value) -> &mut StoredEvent {
        let number = self.events.len() as u64;
        let bytes = event.to_string().into_bytes();
        let at = event["eventTime"]
            .as_str()
            .and_then(Instant::parse_rfc3339)
            .unwrap();
        let made = at + Duration::from_secs(30);
        let leaf = sha256(format!("{number}{event}").as_bytes());
        self.events.push(StoredEvent {
            leaf,
            statement: sha256(leaf.as_bytes()),
            index: 0,
            source,
            bytes,
            device: device.parse().unwrap(),
            captured_for: None,
            kid: sha256(device.as_bytes()),
            made,
            clock: 0,
            received: made + Duration::from_secs(1),
            refused: None,
            anchor: Some(Anchor {
                log_index: 4 + number,
                shard: 0,
                batch_seq: number,
                batch_index: 0,
                anchored: Some(made + Duration::from_secs(3)),
                checkpoint_size: Some(5 + number),
            }),
        });
        self.events.last_mut().unwrap()
    }

    /// The journey of [`LOT`].
    pub fn journey(&self) -> Journey {
        self.journey_of(LOT).unwrap()
    }

    /// The journey of any item.
    pub fn journey_of(&self, key: &str) -> Option<Journey> {
        let item = Item::parse(key).unwrap();
        let rules = Rules::default_for(Audience::Consumer);
        self.journey_seen(&item, &rules)
    }

    /// The journey of an item under rules.
    pub fn journey_seen(&self, item: &Item, rules: &Rules) -> Option<Journey> {
        ready(journey_of(self, item, rules)).unwrap()
    }

    /// A proof in which everything anchored holds.
    pub fn proof(&self) -> Proof {
        let standing = |one: &StoredEvent| match one.anchor {
            Some(_) => Standing::Verified,
            None => Standing::NotAnchored,
        };
        let standings = self
            .events
            .iter()
            .map(|one| (one.leaf, standing(one)))
            .collect();
        proof(standings)
    }
}

/// A proof with four witnesses.
pub fn proof(standings: BTreeMap<Hash, Standing>) -> Proof {
    let witness = |name: &str, owner: Option<&str>, own| Witness {
        name: name.to_owned(),
        owner: owner.map(str::to_owned),
        is_operators_own: own,
    };
    Proof {
        origin: "log.example.org/tracebond".to_owned(),
        checkpoint_size: 128,
        witnesses: vec![
            witness("association.example", Some("Fruit Association"), false),
            witness("bank.example", Some("Lakeside Bank"), false),
            witness("local-1", None, true),
        ],
        quorum: 3,
        standings,
        checked_at: MORNING + Duration::from_secs(9 * 86_400),
    }
}

/// Runs a future that never waits.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// `MORNING` plus minutes, as an event states it.
pub fn time(minutes: i64) -> String {
    let at = Instant::from_micros(MORNING.as_micros() + minutes * 60_000_000);
    at.at_offset(8 * 3_600).to_rfc3339()
}

/// An event with its time, place and step, and the members of `rest`.
pub fn event(kind: &str, minutes: i64, place: &str, step: &str, rest: Value) -> Value {
    let mut event = json!({
        "type": kind,
        "eventTime": time(minutes),
        "eventTimeZoneOffset": "+08:00",
        "readPoint": {"id": place},
    });
    let members = event.as_object_mut().unwrap();
    if !step.is_empty() {
        members.insert("bizStep".to_owned(), json!(step));
    }
    for (name, value) in rest.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
    }
    event
}

/// `500 kg` of the lot.
pub fn lot() -> Value {
    json!([{"epcClass": LOT, "quantity": 500, "uom": "KGM"}])
}

/// A temperature reading of goods.
pub fn measured(minutes: i64, place: &str, goods: &Value, celsius: f64) -> Value {
    let goods = if goods.is_string() {
        json!({"epcList": [goods]})
    } else {
        json!({"quantityList": goods})
    };
    let mut rest = goods;
    rest["action"] = json!("OBSERVE");
    rest["sensorElementList"] = json!([{"sensorReport": [{
        "type": "Temperature", "value": celsius, "uom": "CEL", "time": time(minutes)
    }]}]);
    event("ObjectEvent", minutes, place, "", rest)
}

/// From the orchard to the shop: `warm` makes the truck too warm for a while.
pub fn peaches(warm: bool) -> Memory {
    let mut world = Memory::default();
    world.add("qinghe/orchard-1", Source::Scan, harvest());
    world.add("qinghe/line-1", Source::Scan, processed());
    for step in 0..24 {
        let value = 3.1 + f64::from(step % 5) * 0.3;
        let at = 60 + i64::from(step) * 10;
        world.add(
            "qinghe/cold-1",
            Source::Sensor,
            measured(at, PACKHOUSE, &lot(), value),
        );
    }
    let passed = json!({"action": "OBSERVE", "disposition": "conformant", "quantityList": lot()});
    world.add(
        "qinghe/line-1",
        Source::Declared,
        event("ObjectEvent", 120, PACKHOUSE, "inspecting", passed),
    );
    let packed = json!({"action": "ADD", "parentID": CASE, "childQuantityList": lot()});
    world.add(
        "qinghe/line-1",
        Source::Scan,
        event("AggregationEvent", 300, PACKHOUSE, "packing", packed),
    );
    let shipped = json!({"action": "OBSERVE", "disposition": "in_transit", "epcList": [CASE]});
    world.add(
        "qinghe/line-1",
        Source::Scan,
        event("ObjectEvent", 310, PACKHOUSE, "shipping", shipped),
    );
    for step in 0..36 {
        let hot = warm && (14..22).contains(&step);
        let value = 4.0 + f64::from(step % 4) * 0.4 + if hot { 4.6 } else { 0.0 };
        let at = 330 + i64::from(step) * 5;
        world.add(
            "northroad/truck-7",
            Source::Sensor,
            measured(at, TRUCK, &json!(CASE), value),
        );
    }
    arrive(&mut world);
    world
}

fn harvest() -> Value {
    let rest = json!({
        "action": "ADD",
        "quantityList": [{"epcClass": ORCHARD, "quantity": 620, "uom": "KGM"}],
        "ilmd": {"tb:productName": {"en": "Peaches from the orchard", "zh-CN": "果园鲜桃"}},
    });
    event("ObjectEvent", -200, PACKHOUSE, "commissioning", rest)
}

fn processed() -> Value {
    let rest = json!({
        "inputQuantityList": [{"epcClass": ORCHARD, "quantity": 560, "uom": "KGM"}],
        "outputQuantityList": lot(),
        "ilmd": {
            "tb:productName": {"en": "Qinghe honey peaches, 5 kg box", "zh-CN": "青禾水蜜桃 5 公斤装"},
            "tb:minTemperature": 0.0,
            "tb:maxTemperature": 8.0,
        },
    });
    event("TransformationEvent", 0, PACKHOUSE, "commissioning", rest)
}

fn arrive(world: &mut Memory) {
    let received = json!({"action": "OBSERVE", "epcList": [CASE]});
    world.add(
        "corner-shop/desk",
        Source::Scan,
        event("ObjectEvent", 540, SHOP, "receiving", received),
    );
    let unpacked = json!({"action": "DELETE", "parentID": CASE});
    world.add(
        "corner-shop/desk",
        Source::Scan,
        event("AggregationEvent", 550, SHOP, "unpacking", unpacked),
    );
    let sold = json!({"action": "OBSERVE", "disposition": "retail_sold", "quantityList": lot()});
    world.add(
        "corner-shop/desk",
        Source::Scan,
        event("ObjectEvent", 900, SHOP, "retail_selling", sold),
    );
}

/// A device.
pub fn device(address: &str) -> DeviceAddress {
    address.parse().unwrap()
}
