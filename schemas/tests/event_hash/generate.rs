//! Events of every type with every member, made from a seed.

mod members;
mod sensors;
mod things;

use serde_json::{Map, Value, json};

pub use members::MEMBERS;
use sensors::sensor_element;
use things::{business, document, location, number, quantity, thing, time, unit};

/// A small generator of its own (SplitMix64), so that a seed means the same event for ever.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .wrapping_add(0x1234_5678),
        )
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// True once in `in_every` times.
    fn once(&mut self, in_every: u64) -> bool {
        self.below(in_every) == 0
    }

    fn pick<'l, T: ?Sized>(&mut self, list: &[&'l T]) -> &'l T {
        list[self.below(list.len() as u64) as usize]
    }

    fn digits(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| char::from(b'0' + self.below(10) as u8))
            .collect()
    }

    /// 1 to `most` of them.
    fn list(&mut self, most: u64, mut one: impl FnMut(&mut Self) -> Value) -> Value {
        (0..=self.below(most)).map(|_| one(self)).collect()
    }
}

/// An event that the validator accepts.
pub fn event(random: &mut Random) -> Value {
    let kind = random.pick(&[
        "ObjectEvent",
        "AggregationEvent",
        "TransactionEvent",
        "TransformationEvent",
        "AssociationEvent",
    ]);
    let mut event = Map::new();
    event.insert("@context".into(), context());
    event.insert("type".into(), kind.into());
    event.insert("eventTime".into(), time(random));
    event.insert(
        "eventTimeZoneOffset".into(),
        random.pick(&["+08:00", "-03:30", "+00:00"]).into(),
    );
    match kind {
        "ObjectEvent" => object(random, &mut event),
        "TransactionEvent" => transaction(random, &mut event),
        "TransformationEvent" => transformation(random, &mut event),
        _ => parent(random, &mut event),
    }
    common(random, &mut event);
    // Members in any order.
    let mut members: Vec<_> = event.into_iter().collect();
    for at in (1..members.len()).rev() {
        members.swap(at, random.below(at as u64 + 1) as usize);
    }
    Value::Object(members.into_iter().collect())
}

fn context() -> Value {
    json!([
        "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
        {"ex": "https://ns.example.com/epcis/"},
        {"shop": "http://shop.example/terms#", "cbvmda": "urn:epcglobal:cbv:mda:"},
    ])
}

fn object(random: &mut Random, event: &mut Map<String, Value>) {
    event.insert("action".into(), "ADD".into());
    things(random, event, "epcList", "quantityList");
    if random.once(2) {
        event.insert("ilmd".into(), Value::Object(extensions(random, 2)));
    }
    dispositions(random, event);
}

fn parent(random: &mut Random, event: &mut Map<String, Value>) {
    event.insert(
        "action".into(),
        random.pick(&["ADD", "OBSERVE", "DELETE"]).into(),
    );
    event.insert("parentID".into(), unit(random));
    things(random, event, "childEPCs", "childQuantityList");
}

fn transaction(random: &mut Random, event: &mut Map<String, Value>) {
    event.insert("action".into(), random.pick(&["ADD", "OBSERVE"]).into());
    things(random, event, "epcList", "quantityList");
    // Not beside a list of things: the implementations differ in their order.
    if !event.contains_key("epcList") {
        event.insert("parentID".into(), unit(random));
    }
    event.insert("bizTransactionList".into(), random.list(2, business));
}

fn transformation(random: &mut Random, event: &mut Map<String, Value>) {
    things(random, event, "inputEPCList", "inputQuantityList");
    things(random, event, "outputEPCList", "outputQuantityList");
    if random.once(2) {
        event.insert("transformationID".into(), document(random));
        event.insert("ilmd".into(), Value::Object(extensions(random, 1)));
    }
    dispositions(random, event);
}

/// Things, or a class of things, or both.
fn things(random: &mut Random, event: &mut Map<String, Value>, list: &str, quantities: &str) {
    let which = random.below(3);
    if which != 0 {
        event.insert(list.into(), distinct(random.list(3, thing)));
    }
    if which != 1 {
        event.insert(quantities.into(), random.list(2, quantity));
    }
}

/// A list of instances names nothing twice.
fn distinct(list: Value) -> Value {
    let mut seen = std::collections::BTreeSet::new();
    let name = |entry: &Value| schemas::gs1::normalise(entry.as_str().unwrap_or("")).ok();
    let entries = list.as_array().cloned().unwrap_or_default();
    entries
        .into_iter()
        .filter(|entry| seen.insert(name(entry)))
        .collect()
}

fn dispositions(random: &mut Random, event: &mut Map<String, Value>) {
    if random.once(3) {
        let unset = random.list(1, |_| "urn:epcglobal:cbv:disp:recalled".into());
        let value = match random.below(3) {
            0 => json!({"set": ["expired", "completeness_verified"]}),
            1 => json!({"unset": unset}),
            _ => json!({"set": ["https://ref.gs1.org/cbv/Disp-damaged"], "unset": unset}),
        };
        event.insert("persistentDisposition".into(), value);
    }
}

fn common(random: &mut Random, event: &mut Map<String, Value>) {
    let mut put = |random: &mut Random, name: &str, make: &dyn Fn(&mut Random) -> Value| {
        if random.once(3) && !event.contains_key(name) {
            let value = make(random);
            event.insert(name.into(), value);
        }
    };
    put(random, "eventID", &|_| {
        "urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a8".into()
    });
    put(random, "recordTime", &time);
    put(random, "errorDeclaration", &|random| {
        json!({
            "declarationTime": time(random),
            "reason": random.pick(&["incorrect_data", "did_not_occur"]),
            "correctiveEventIDs": ["urn:uuid:1"],
        })
    });
    put(
        random,
        "certificationInfo",
        &|random| match random.below(2) {
            0 => "https://council.example/certificate/A1".into(),
            _ => json!(["https://council.example/b", "https://council.example/a"]),
        },
    );
    put(random, "bizStep", &|random| {
        let spellings = [
            "",
            "urn:epcglobal:cbv:bizstep:",
            "https://ref.gs1.org/cbv/BizStep-",
            "cbv:BizStep-",
        ];
        let word = random.pick(&["packing", "receiving", "storing", "transporting"]);
        format!("{}{word}", random.pick(&spellings)).into()
    });
    put(random, "disposition", &|random| {
        random
            .pick(&[
                "in_transit",
                "urn:epcglobal:cbv:disp:active",
                "https://own.example/disp/aged",
            ])
            .into()
    });
    for name in ["readPoint", "bizLocation"] {
        put(random, name, &|random| {
            let mut place = if random.once(3) {
                extensions(random, 0)
            } else {
                Map::new()
            };
            place.insert("id".into(), location(random));
            place.into()
        });
    }
    put(random, "bizTransactionList", &|random| {
        random.list(2, business)
    });
    for (name, party) in [("sourceList", "source"), ("destinationList", "destination")] {
        put(random, name, &|random| {
            random.list(2, |random| {
                let kind = random.pick(&[
                    "owning_party",
                    "urn:epcglobal:cbv:sdt:possessing_party",
                    "location",
                ]);
                json!({"type": kind, party: location(random)})
            })
        });
    }
    put(random, "sensorElementList", &|random| {
        random.list(1, sensor_element)
    });
    let extra = if random.once(2) {
        extensions(random, 2)
    } else {
        Map::new()
    };
    event.extend(extra);
}

/// Members of two namespaces: no name begins with another, and no lists of objects but of one.
fn extensions(random: &mut Random, depth: u32) -> Map<String, Value> {
    let names = [
        "ex:float",
        "ex:whole",
        "ex:text",
        "shop:list",
        "shop:truth",
        "ex:object",
        "https://other.example/terms/full",
        "cbvmda:countryOfOrigin",
        "shop:uri",
        "ex:zero",
    ];
    let mut members = Map::new();
    for _ in 0..=random.below(4) {
        let name = random.pick(&names.each_ref().map(|name| *name));
        let value = match name {
            "ex:float" => number(random),
            "ex:whole" => random
                .pick(&["20", "0020", "23.0", "+5", "1e3", "12a", "1.2.3"])
                .into(),
            "ex:zero" => random.below(2).into(),
            "shop:list" => random.list(3, |random| match random.below(3) {
                0 => number(random),
                1 => random.once(2).into(),
                _ => random
                    .pick(&["b", "a", "Größe", "茶", "2013-06-08T14:58:56.591Z"])
                    .into(),
            }),
            "shop:truth" => random.once(2).into(),
            "shop:uri" => thing(random),
            "ex:object" if depth > 0 => Value::Object(extensions(random, depth - 1)),
            _ => random
                .pick(&["CN", "a b", "x=y", "{z}", "ni:///x?y"])
                .into(),
        };
        members.insert(name.into(), value);
    }
    members
}
