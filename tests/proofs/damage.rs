//! Damage to every kind of field of both versions of a bundle, drawn from a seed and counted.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use schemas::b64;
use serde_json::{Value, json};

use super::corrupt::{Corrupted, places};

/// Every kind of value that documents name, but for objects and arrays: those of version 1.
pub const FIELDS_1: [&str; 37] = [
    "/tracebond",
    "/policy/entry",
    "/policy/index",
    "/policy/path/*",
    "/checkpoints/*",
    "/headers/*/entry",
    "/headers/*/index",
    "/headers/*/checkpoint",
    "/headers/*/path/*",
    "/headers/*/refused",
    "/keys/*/record",
    "/keys/*/salt",
    "/keys/*/header",
    "/keys/*/index",
    "/keys/*/path/*",
    "/statements/*/statement",
    "/statements/*/header",
    "/statements/*/index",
    "/statements/*/path/*",
    "/statements/*/device",
    "/statements/*/organisation",
    "/statements/*/later/*",
    "/events/*/statement",
    "/events/*/index",
    "/events/*/path/*",
    "/events/*/leaf",
    "/events/*/source",
    "/events/*/members/*/name",
    "/events/*/members/*/salt",
    "/events/*/members/*/value",
    "/events/*/members/*/hash",
    // Arrays that can be empty, and so are fields of their own.
    "/policy/path",
    "/headers/*/path",
    "/keys/*/path",
    "/statements/*/path",
    "/events/*/path",
    "/events",
];

/// Those of version 2 that version 1 has not.
pub const FIELDS_2: [&str; 22] = [
    "/policies/*/entry",
    "/policies/*/index",
    "/policies/*/path/*",
    "/policies/*/prefix/*",
    "/policies/*/handover/note",
    "/policies/*/handover/path/*",
    "/checkpoints/*/note",
    "/checkpoints/*/policy",
    "/checkpoints/*/prefix/*",
    "/checkpoints/*/prefix",
    "/fresh/entry",
    "/fresh/index",
    "/fresh/path/*",
    "/fresh/keys/*/record",
    "/fresh/keys/*/salt",
    "/fresh/keys/*/index",
    "/fresh/keys/*/path/*",
    "/statements/*/seen/note",
    "/statements/*/seen/policy",
    "/statements/*/seen/prefix/*",
    "/statements/*/seen",
    "/fresh",
];

/// The kind of what stands at a place: the place with its positions forgotten.
pub fn kind_of(place: &str) -> String {
    let names = place.split('/').map(|name| match name.parse::<usize>() {
        Ok(_) => "*",
        Err(_) => name,
    });
    names.collect::<Vec<_>>().join("/")
}

/// A parsed bundle and the places of each kind of value in it.
pub struct Anatomy {
    /// What it is.
    pub how: String,
    /// 1 or 2.
    pub version: u8,
    /// It, parsed.
    pub value: Value,
    /// Places by kind.
    pub kinds: BTreeMap<String, Vec<String>>,
}

impl Anatomy {
    /// Takes a bundle apart.
    pub fn of(how: &str, bytes: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(bytes).unwrap();
        let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for place in places(&value, |_| true) {
            kinds.entry(kind_of(&place)).or_default().push(place);
        }
        let version = if value["tracebond"] == "bundle/v2" {
            2
        } else {
            1
        };
        Self {
            how: how.to_owned(),
            version,
            value,
            kinds,
        }
    }
}

/// Damages one value of this kind. `donor` is another bundle, whose value of the kind may take the
/// place.
pub fn damage(chance: &mut StdRng, whole: &Anatomy, kind: &str, donor: &Anatomy) -> Corrupted {
    let place = whole.kinds[kind].choose(chance).unwrap();
    let mut value = whole.value.clone();
    let old = whole.value.pointer(place).unwrap();
    let like = |anatomy: &Anatomy, chance: &mut StdRng| {
        let place = anatomy.kinds.get(kind)?.choose(chance)?;
        anatomy.value.pointer(place).cloned()
    };
    let mut what = String::from("another of its kind");
    let mut new = match chance.random_range(0..4) {
        0 => like(whole, chance),
        1 => like(donor, chance),
        _ => None,
    };
    if new.as_ref().is_none_or(|new| new == old) {
        let (name, changed) = changed(chance, old);
        what = name.to_owned();
        new = Some(changed);
    }
    let new = new.unwrap();
    assert_ne!(new, *old, "{place}: {what}");
    *value.pointer_mut(place).unwrap() = new;
    Corrupted {
        how: format!("{}: {place}: {what}", whole.how),
        bytes: value.to_string().into_bytes(),
    }
}

/// Another value in place of this one, and what was done.
fn changed(chance: &mut StdRng, old: &Value) -> (&'static str, Value) {
    if chance.random_bool(0.05) && !old.is_null() {
        return ("null", Value::Null);
    }
    match old {
        Value::Number(number) => ("number", other_number(chance, number.as_u64().unwrap())),
        Value::String(text) => other_text(chance, text),
        Value::Array(rows) => other_rows(chance, rows),
        Value::Object(members) => other_members(chance, members),
        _ => ("text", json!("")),
    }
}

fn other_number(chance: &mut StdRng, old: u64) -> Value {
    let most = (1_u64 << 53) - 1;
    let all = [
        old + 1,
        old.saturating_sub(1),
        old + 2,
        0,
        1,
        most,
        most + 1,
    ];
    let others: Vec<u64> = all.into_iter().filter(|new| *new != old).collect();
    json!(others.choose(chance).unwrap())
}

fn other_text(chance: &mut StdRng, old: &str) -> (&'static str, Value) {
    let Some(mut raw) = b64::decode(old).filter(|raw| !raw.is_empty()) else {
        return ("a letter more", json!(format!("{old}x")));
    };
    let what = match chance.random_range(0..8) {
        0 => {
            raw.pop();
            "a byte less"
        }
        1 => {
            raw.push(0);
            "a byte more"
        }
        2 if old.ends_with('=') => {
            return ("base64 without its end", json!(old.trim_end_matches('=')));
        }
        _ => {
            let at = chance.random_range(0..raw.len());
            raw[at] ^= 1 << chance.random_range(0..8);
            "a bit"
        }
    };
    let new = b64::encode(&raw);
    if new == old {
        return ("a letter more", json!(format!("{old}A")));
    }
    (what, new.into())
}

fn other_rows(chance: &mut StdRng, old: &[Value]) -> (&'static str, Value) {
    let mut rows = old.to_vec();
    if rows.is_empty() {
        return ("a row more", json!([b64::encode(&[7; 32])]));
    }
    let at = chance.random_range(0..rows.len());
    let what = match chance.random_range(0..5) {
        0 => {
            rows.remove(at);
            "a row less"
        }
        1 => {
            rows.insert(at, rows[at].clone());
            "a row twice"
        }
        2 => {
            rows.reverse();
            "turned round"
        }
        3 => {
            rows.truncate(at);
            "cut"
        }
        _ => {
            rows.clear();
            "no rows"
        }
    };
    if rows == old {
        rows.clear();
    }
    (what, rows.into())
}

fn other_members(
    chance: &mut StdRng,
    old: &serde_json::Map<String, Value>,
) -> (&'static str, Value) {
    let mut members = old.clone();
    let names: Vec<String> = members.keys().cloned().collect();
    let what = match chance.random_range(0..3) {
        0 => {
            members.shift_remove(names.choose(chance).unwrap());
            "a member less"
        }
        1 => {
            members.insert("unknown".into(), json!(1));
            "a member more"
        }
        _ => {
            return (
                "an array",
                members.values().cloned().collect::<Vec<_>>().into(),
            );
        }
    };
    (what, members.into())
}

/// What counts as damage is another value, whatever stood there and whatever is drawn.
#[test]
fn damaged_values_are_other_values() {
    let mut chance = StdRng::seed_from_u64(7);
    let olds = [
        Value::Null,
        json!(true),
        json!(0),
        json!(1),
        json!("no base64"),
        json!(""),
        json!(b64::encode(&[7; 30])),
        json!(b64::encode(&[7; 31])),
        json!(b64::encode(&[7; 32])),
        json!([]),
        json!(["one"]),
        json!(["same", "same"]),
        json!({"name": 1}),
    ];
    for old in olds {
        for _ in 0..500 {
            let (what, new) = changed(&mut chance, &old);
            assert_ne!(new, old, "{what}");
        }
    }
}
