//! Broken bundles, drawn from a seed: damaged, rearranged, and forged with every signature right.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use schemas::b64;
use schemas::cose;
use schemas::event::Source;
use schemas::log::Entry;
use schemas::statement::{Statement, TYP_NOTE, TYP_STATEMENT};
use serde_json::{Value, json};

use super::sample::Samples;
use crate::forge::{self, Paper, device, organisation, rows, rows_of};
use crate::world::events::inspected;
use crate::world::people::key_of;

/// A bundle that may be broken, with what was done to it.
pub struct Corrupted {
    /// What was done.
    pub how: String,
    /// The result.
    pub bytes: Vec<u8>,
}

/// Where values of one kind stand in a bundle.
pub fn places(value: &Value, kind: fn(&Value) -> bool) -> Vec<String> {
    fn walk(value: &Value, at: &str, kind: fn(&Value) -> bool, found: &mut Vec<String>) {
        if kind(value) {
            found.push(at.to_owned());
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    walk(member, &format!("{at}/{name}"), kind, found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &format!("{at}/{index}"), kind, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", kind, &mut found);
    found
}

/// The last name in a place: what kind of thing stands there.
fn field(place: &str) -> &str {
    let mut names = place.rsplit('/');
    names
        .find(|name| name.parse::<usize>().is_err())
        .unwrap_or("")
}

/// Draws corruptions of the samples.
pub struct Vandal<'s> {
    chance: StdRng,
    samples: &'s Samples,
}

impl<'s> Vandal<'s> {
    /// With this seed.
    pub fn new(seed: u64, samples: &'s Samples) -> Self {
        let chance = StdRng::seed_from_u64(seed);
        Self { chance, samples }
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        list.choose(&mut self.chance).unwrap()
    }

    fn sample(&mut self) -> (&'static str, Value) {
        let names: Vec<&'static str> = self.samples.bundles.keys().copied().collect();
        let name = *self.pick(&names);
        let bundle = &self.samples.bundles[name];
        (name, serde_json::from_slice(bundle).unwrap())
    }

    /// The next one.
    pub fn next(&mut self) -> Corrupted {
        match self.chance.random_range(0..12) {
            0 => self.bit(),
            1 | 2 => self.decoded_bit(),
            3 => self.number(),
            4 | 5 => self.swap(),
            6 => self.transplant(),
            7 => self.rows(),
            8 => self.member(),
            9 => self.spelling(),
            10 => self.resigned(),
            _ => self.colluding(),
        }
    }

    fn bit(&mut self) -> Corrupted {
        let (name, bundle) = self.sample();
        let mut bytes = bundle.to_string().into_bytes();
        let at = self.chance.random_range(0..bytes.len());
        bytes[at] ^= 1 << self.chance.random_range(0..8);
        let how = format!("{name}: bit of byte {at}");
        Corrupted { how, bytes }
    }

    /// A bit of what a base64 text stands for, so that the form stays good.
    fn decoded_bit(&mut self) -> Corrupted {
        let (name, mut bundle) = self.sample();
        let texts = places(&bundle, |value| {
            value
                .as_str()
                .and_then(b64::decode)
                .is_some_and(|raw| raw.len() > 9)
        });
        let place = self.pick(&texts).clone();
        let text = bundle.pointer_mut(&place).unwrap();
        let mut raw = b64::decode(text.as_str().unwrap()).unwrap();
        let at = self.chance.random_range(0..raw.len());
        match self.chance.random_range(0..4) {
            0 => drop(raw.pop()),
            1 => raw.push(0),
            _ => raw[at] ^= 1 << self.chance.random_range(0..8),
        }
        *text = b64::encode(&raw).into();
        Corrupted {
            how: format!("{name}: byte {at} of {place}"),
            bytes: bundle.to_string().into_bytes(),
        }
    }

    fn number(&mut self) -> Corrupted {
        let (name, mut bundle) = self.sample();
        let place = self.pick(&places(&bundle, Value::is_u64)).clone();
        let number = bundle.pointer_mut(&place).unwrap();
        let old = number.as_u64().unwrap();
        let max = (1_u64 << 53) - 1;
        let new = *self.pick(&[old + 1, old.saturating_sub(1), 0, 3, max, max + 1, u64::MAX]);
        *number = json!(new);
        Corrupted {
            how: format!("{name}: {place} from {old} to {new}"),
            bytes: bundle.to_string().into_bytes(),
        }
    }

    /// Two values of the same kind change places: salts, paths, hashes, positions, statements.
    fn swap(&mut self) -> Corrupted {
        let (name, mut bundle) = self.sample();
        let all = places(&bundle, |value| !value.is_object());
        let first = self.pick(&all).clone();
        let like: Vec<String> = all
            .into_iter()
            .filter(|place| field(place) == field(&first))
            .collect();
        let second = self.pick(&like).clone();
        let (one, other) = (
            bundle.pointer(&first).cloned(),
            bundle.pointer(&second).cloned(),
        );
        *bundle.pointer_mut(&first).unwrap() = other.unwrap();
        if let Some(place) = bundle.pointer_mut(&second) {
            *place = one.unwrap();
        }
        Corrupted {
            how: format!("{name}: {first} and {second} swapped"),
            bytes: bundle.to_string().into_bytes(),
        }
    }

    /// The same place of another bundle.
    fn transplant(&mut self) -> Corrupted {
        let (name, mut bundle) = self.sample();
        let (donor, other) = self.sample();
        let shared = places(&bundle, |_| true);
        let shared: Vec<String> = shared
            .into_iter()
            .filter(|place| other.pointer(place).is_some() && !place.is_empty())
            .collect();
        let place = self.pick(&shared).clone();
        *bundle.pointer_mut(&place).unwrap() = other.pointer(&place).unwrap().clone();
        Corrupted {
            how: format!("{name}: {place} of {donor}"),
            bytes: bundle.to_string().into_bytes(),
        }
    }

    /// A row too few, twice, or in another order.
    fn rows(&mut self) -> Corrupted {
        let (name, mut bundle) = self.sample();
        let arrays = places(&bundle, |value| {
            value.as_array().is_some_and(|rows| !rows.is_empty())
        });
        let place = self.pick(&arrays).clone();
        let rows = bundle.pointer_mut(&place).unwrap().as_array_mut().unwrap();
        let at = self.chance.random_range(0..rows.len());
        let what = self.chance.random_range(0..5);
        match what {
            0 => drop(rows.remove(at)),
            1 => rows.insert(at, rows[at].clone()),
            2 => rows.reverse(),
            3 => rows.truncate(at),
            _ => rows.clear(),
        }
        Corrupted {
            how: format!("{name}: rows of {place}, {what} at {at}"),
            bytes: bundle.to_string().into_bytes(),
        }
    }

    /// A member gone, unknown, of another type; an object as an array of its members.
    fn member(&mut self) -> Corrupted {
        let (name, mut bundle) = self.sample();
        let place = self.pick(&places(&bundle, Value::is_object)).clone();
        let value = bundle.pointer_mut(&place).unwrap();
        let members = value.as_object_mut().unwrap();
        let names: Vec<String> = members.keys().cloned().collect();
        let member = self.pick(&names).clone();
        let strange = [
            json!(null),
            json!(true),
            json!([]),
            json!({}),
            json!(""),
            json!("AAAA"),
            json!(0),
            json!([[]]),
        ];
        let what = self.chance.random_range(0..5);
        match what {
            0 => drop(members.shift_remove(&member)),
            1 => drop(members.insert("unknown".into(), json!(1))),
            2 => *value = members.values().cloned().collect::<Vec<_>>().into(),
            _ => drop(members.insert(member.clone(), self.pick(&strange).clone())),
        }
        Corrupted {
            how: format!("{name}: member {member} of {place}, {what}"),
            bytes: bundle.to_string().into_bytes(),
        }
    }

    /// Text that means the same elsewhere.
    fn spelling(&mut self) -> Corrupted {
        let (name, bundle) = self.sample();
        let text = bundle.to_string();
        let spelled = [
            ("space", text.replacen(':', ": ", 1)),
            ("line end", format!("{text}\n")),
            ("byte order mark", format!("\u{feff}{text}")),
            ("escape", text.replacen("tracebond", "trac\\u0065bond", 1)),
            (
                "leading zero",
                text.replacen("\"index\":", "\"index\":0", 1),
            ),
            ("fraction", text.replacen("\"index\":0", "\"index\":0.0", 1)),
            ("exponent", text.replacen("\"index\":0", "\"index\":0e0", 1)),
            ("sign", text.replacen("\"index\":0", "\"index\":-0", 1)),
            (
                "twice",
                text.replacen("\"index\":0", "\"index\":0,\"index\":0", 1),
            ),
            ("version", text.replacen("bundle/v", "bundle/v9", 1)),
            ("base64 padding", text.replacen("=\"", "\"", 1)),
            ("URL base64", text.replacen('+', "-", 1)),
            ("control", text.replacen("bundle/v", "bundle/v\u{1}", 1)),
            ("cut", text[..text.len() / 2].to_owned()),
            ("twice the whole", format!("{text}{text}")),
            ("array around", format!("[{text}]")),
            ("comma", text.replacen("],", ",],", 1)),
        ];
        let (how, text) = self.pick(&spelled).clone();
        Corrupted {
            how: format!("{name}: {how}"),
            bytes: text.into_bytes(),
        }
    }

    /// A statement or header with damaged CBOR, all signatures and roots made anew over it.
    fn resigned(&mut self) -> Corrupted {
        let mut paper = Paper::honest();
        let how;
        if self.chance.random_bool(0.6) {
            let mut payload = paper.statement.payload.encode();
            how = self.damage(&mut payload);
            let typ = if self.chance.random_bool(0.9) {
                TYP_STATEMENT
            } else {
                TYP_NOTE
            };
            let bytes = cose::sign(&key_of("qinghe/line-1"), typ, &payload);
            if let Ok(statement) = Statement::parse(bytes.clone()) {
                paper.statement = statement;
            }
            paper.spelled = Some(bytes);
        } else {
            let mut header = paper.entries().remove(2);
            how = self.damage(&mut header);
            paper.header = Some(header);
        }
        Corrupted {
            how: format!("re-signed: {how}"),
            bytes: paper.bundle().to_json().unwrap(),
        }
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) -> String {
        let at = self.chance.random_range(0..bytes.len());
        let before = bytes[at];
        match self.chance.random_range(0..5) {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, self.chance.random()),
            2 => bytes[at] = bytes[at].wrapping_add(1),
            3 => {
                bytes[at] =
                    *self.pick(&[0x00, 0x18, 0x1b, 0x5f, 0x7f, 0x9f, 0xa0, 0xbf, 0xf6, 0xff])
            }
            _ => bytes[at] ^= 1 << self.chance.random_range(0..8),
        }
        format!("byte {at}, was {before}")
    }

    /// Device and operator together sign what no honest ingest would take.
    fn colluding(&mut self) -> Corrupted {
        let index = self.chance.random_range(0..COLLUSIONS.len());
        let (name, value) = COLLUSIONS[index];
        let mut event = inspected(1);
        let mut members = if value == "absent" {
            event.as_object_mut().unwrap().shift_remove(name);
            rows_of(&event)
        } else if event.get(name).is_some() {
            let texts: Vec<(String, String)> = event
                .as_object()
                .unwrap()
                .iter()
                .map(|(known, old)| {
                    let text = if known == name {
                        value.to_owned()
                    } else {
                        old.to_string()
                    };
                    (known.clone(), text)
                })
                .collect();
            let texts: Vec<(&str, &str)> = texts
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            rows(&texts)
        } else {
            let texts: Vec<(String, String)> = event
                .as_object()
                .unwrap()
                .iter()
                .map(|(known, old)| (known.clone(), old.to_string()))
                .collect();
            let mut texts: Vec<(&str, &str)> = texts
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            texts.push((name, value));
            rows(&texts)
        };
        if self.chance.random_bool(0.3) {
            let place = self.chance.random_range(0..members.len());
            hide(&mut members[place]);
        }
        let key = key_of("qinghe/line-1");
        let record = device("qinghe/line-1", &key, &key_of("qinghe"));
        let source = *self.pick(&[
            Source::Scan,
            Source::Scan,
            Source::Scan,
            Source::Sensor,
            Source::File,
        ]);
        let paper = Paper::saying(key, record, organisation("qinghe"), source, members);
        Corrupted {
            how: format!(
                "colluding: {name} is {}",
                value.chars().take(60).collect::<String>()
            ),
            bytes: paper.bundle().to_json().unwrap(),
        }
    }
}

fn hide(row: &mut schemas::proof::MemberRow) {
    let (salt, value) = (row.salt.take().unwrap(), row.value.take().unwrap());
    let salt = schemas::event::Salt(salt.0);
    row.hash = Some(schemas::event::value_hash(&salt, &value.0).into());
}

/// Members of an event as no honest device writes them; some are allowed all the same.
const COLLUSIONS: [(&str, &str); 64] = [
    ("type", "\"ObjectEvent\""),
    ("type", "\"\\u004fbjectEvent\""),
    ("type", "\"objectevent\""),
    ("type", "\"TransformationEvent\""),
    ("type", "[\"ObjectEvent\"]"),
    ("type", "null"),
    ("type", "absent"),
    ("action", "\"\\u0041DD\""),
    ("action", "\"add\""),
    ("action", "absent"),
    ("action", "1"),
    ("eventTime", "absent"),
    ("eventTime", "\"2024-02-29T23:59:59.123456789-14:00\""),
    ("eventTime", "\"2023-02-29T00:00:00Z\""),
    ("eventTime", "\"1900-02-29T00:00:00Z\""),
    ("eventTime", "\"2000-02-29T00:00:00Z\""),
    ("eventTime", "\"0000-01-01T00:00:00Z\""),
    ("eventTime", "\"0001-01-01T00:00:00-00:00\""),
    ("eventTime", "\"9999-12-31T23:59:59Z\""),
    ("eventTime", "\"2026-07-11T24:00:00Z\""),
    ("eventTime", "\"2026-07-11T23:59:60Z\""),
    ("eventTime", "\"2026-07-11T06:00:00.Z\""),
    ("eventTime", "\"2026-07-11T06:00:00.1234567890Z\""),
    ("eventTime", "\"2026-07-11T06:00:00z\""),
    ("eventTime", "\"2026-07-11t06:00:00Z\""),
    ("eventTime", "\"2026-07-11T06:00:00\""),
    ("eventTime", "\"2026-07-11T06:00:00+14:01\""),
    ("eventTime", "\"2026-07-11T06:00:00+8:00\""),
    ("eventTime", "\"٢٠٢٦-07-11T06:00:00Z\""),
    ("eventTime", "\"2026-07-11T06:00:00Z\\n\""),
    ("eventTime", "1783720800"),
    ("eventTimeZoneOffset", "absent"),
    ("eventTimeZoneOffset", "\"+14:00\""),
    ("eventTimeZoneOffset", "\"+14:01\""),
    ("eventTimeZoneOffset", "\"-00:00\""),
    ("eventTimeZoneOffset", "\"Z\""),
    ("eventTimeZoneOffset", "\"+08:60\""),
    ("eventTimeZoneOffset", "\"+08:00 \""),
    ("bizStep", "\"https://ref.gs1.org/cbv/BizStep-inspecting\""),
    ("bizStep", "\"urn:epcglobal:cbv:bizstep:inspecting\""),
    (
        "bizStep",
        "\"https://ref.gs1.org/cbv/BizStep-urn:epcglobal:cbv:bizstep:inspecting\"",
    ),
    ("bizStep", "\"Inspecting\""),
    ("bizStep", "\"\""),
    ("bizStep", "[]"),
    (
        "readPoint",
        "{\"id\":\"https://id.gs1.org/414/9521001000017\",\"more\":1}",
    ),
    (
        "readPoint",
        "{\"id\":\"https:\\/\\/id.gs1.org\\/414\\/9521001000017\"}",
    ),
    (
        "readPoint",
        "{\"id\":\"https://id.gs1.org/414/9521001000018\"}",
    ),
    (
        "readPoint",
        "[{\"id\":\"https://id.gs1.org/414/9521001000017\"}]",
    ),
    ("readPoint", "{\"id\":\"a\",\"\\u0069d\":\"b\"}"),
    ("readPoint", "{}"),
    ("tb:x", "1e400"),
    ("tb:x", "-0"),
    ("tb:x", "1e-400"),
    ("tb:x", "9007199254740993"),
    ("tb:x", "01"),
    ("tb:x", "NaN"),
    ("tb:x", "\"\\ud800\""),
    ("tb:x", "\"\\ud83d\\ude00\""),
    ("tb:x", "\"\\ufdd0\""),
    ("tb:x", " 1"),
    ("tb:x", "1,\"y\":2"),
    (
        "tb:x",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    ),
    ("tb:x", "[ 1 , {\"a\" : \"\u{7f}\"} ]"),
    ("", "1"),
];

/// Bundles that are good in themselves, but not under the trusted policy.
pub fn under_another_policy() -> Corrupted {
    let entry = Entry::Policy(forge::policy()).encode();
    assert!(!entry.is_empty());
    Corrupted {
        how: "another policy".into(),
        bytes: Paper::honest().bundle().to_json().unwrap(),
    }
}
