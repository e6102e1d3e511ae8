//! Single values can be withheld: the rest still proves, and nobody can guess them.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::event::{CORE_MEMBERS, Event, Salt, Source, value_hash};
use schemas::hash::sha256;
use schemas::proof::{Bundle, Bytes, Class, Digest, EventRow, Fixed, Verdict};

use super::sample::smallest;
use crate::forge::{self, Paper, device, organisation};
use crate::world::events::{commissioned, shipped};
use crate::world::people::key_of;

fn paper_of(event: &serde_json::Value, withhold: impl Fn(&str) -> bool) -> Paper {
    let key = key_of("qinghe/line-1");
    let record = device("qinghe/line-1", &key, &key_of("qinghe"));
    let parsed = Event::parse(event.to_string().into_bytes()).unwrap();
    let members = schemas::proof::member_rows(&parsed, &Salt([7; 16]), withhold);
    Paper::saying(key, record, organisation("qinghe"), Source::Scan, members)
}

/// Withholding these of the event's members changes neither leaf nor path, only the verdict.
fn still_proves(event: &serde_json::Value, hidden: u32) {
    let names: Vec<&String> = event.as_object().unwrap().keys().collect();
    let is_hidden = |name: &str| {
        let place = names.iter().position(|known| *known == name).unwrap();
        hidden >> place & 1 == 1
    };
    let whole = paper_of(event, |_| false);
    let partly = paper_of(event, is_hidden);
    assert_eq!(partly.statement.payload.root, whole.statement.payload.root);
    let report = partly.verify().unwrap();
    let core_hidden = CORE_MEMBERS
        .iter()
        .any(|name| event.get(name).is_some() && is_hidden(name));
    let expected = if core_hidden {
        Verdict::Incomplete
    } else {
        Verdict::Verified
    };
    assert_eq!(report.verdict, expected, "{hidden:b}");
    for member in &report.events[0].members {
        assert_eq!(member.value.is_none(), is_hidden(&member.name));
        let shown = member
            .value
            .as_ref()
            .map(|value| serde_json::from_slice(value).unwrap());
        assert_eq!(
            shown.unwrap_or(event[&member.name].clone()),
            event[&member.name]
        );
    }
}

#[test]
fn every_choice_of_withheld_members_still_proves() {
    let mut small = commissioned();
    for name in ["disposition", "ilmd", "quantityList"] {
        small.as_object_mut().unwrap().shift_remove(name);
    }
    let members = small.as_object().unwrap().len();
    for hidden in 0..1 << members {
        still_proves(&small, hidden);
    }
}

#[test]
fn sampled_choices_of_a_large_event_still_prove() {
    let mut large = shipped();
    for n in 0..18 {
        large[format!("tb:m{n}")] = serde_json::json!({"n": n});
    }
    assert!(large.as_object().unwrap().len() >= 28);
    let mut chance = StdRng::seed_from_u64(4);
    for _ in 0..60 {
        still_proves(&large, chance.random());
    }
}

/// The reader knows that the amount is one of a thousand, and the value itself does not help: the
/// salt of the field is missing, and none follows from the salts of the fields that are shown.
#[test]
fn guess_at_a_withheld_value_fails() {
    let event = shipped();
    let paper = paper_of(&event, |name| name == "tb:invoiceAmount");
    let bundle = paper.bundle();
    let rows = paper.members.clone();
    let place = rows
        .iter()
        .position(|row| row.name == "tb:invoiceAmount")
        .unwrap();
    let hidden = rows[place].hash.unwrap();
    let salts: Vec<[u8; 16]> = rows
        .iter()
        .filter_map(|row| row.salt.map(|salt| salt.0))
        .collect();
    let mut guesses: Vec<String> = (0..999)
        .map(|n| format!("\"{}.00\"", 17_001 + n * 7))
        .collect();
    guesses.push("\"18000.00\"".into());
    assert!(
        guesses
            .iter()
            .any(|guess| guess == &event["tb:invoiceAmount"].to_string())
    );
    for guess in &guesses {
        assert_ne!(sha256(guess.as_bytes()).0, hidden.0);
        for salt in salts.iter().chain(&[[0; 16]]) {
            assert_ne!(value_hash(&Salt(*salt), guess.as_bytes()).0, hidden.0);
            // A shown field's salt taken for the event's.
            assert_ne!(
                value_hash(&Salt(*salt).field(place), guess.as_bytes()).0,
                hidden.0
            );
        }
    }
    // The right value, shown with a salt that is not its own.
    for salt in salts {
        let mut forged = bundle.clone();
        let row = &mut forged.events[0].members.as_mut().unwrap()[place];
        row.hash = None;
        row.salt = Some(Fixed(salt));
        row.value = Some(Bytes(event["tb:invoiceAmount"].to_string().into_bytes()));
        assert_eq!(forge::verify(&forged).unwrap_err().class, Class::EventPath);
    }
}

/// A leaf alone shows that there is an event, and nothing else.
#[tokio::test]
async fn wholly_withheld_event_is_incomplete() {
    let (world, bytes, _) = smallest().await;
    let leaf = world.verify(&bytes).unwrap().events[0].leaf;
    let mut bundle = Bundle::parse(&bytes).unwrap();
    let path = bundle.events[0].path.clone();
    bundle.events[0] = EventRow {
        statement: 0,
        index: 0,
        path,
        leaf: Some(leaf.into()),
        source: None,
        members: None,
    };
    let report = world.verify(&bundle.to_json().unwrap()).unwrap();
    assert_eq!(report.verdict, Verdict::Incomplete);
    assert!(report.events[0].members.is_empty());
    bundle.events[0].leaf = Some(Digest::from(sha256(b"another event")));
    let refusal = world.verify(&bundle.to_json().unwrap()).unwrap_err();
    assert_eq!(refusal.class, Class::EventPath);
    bundle.events.clear();
    let report = world.verify(&bundle.to_json().unwrap()).unwrap();
    assert_eq!(
        (report.verdict, report.events.len()),
        (Verdict::Verified, 0)
    );
}

/// Names are always known, so the size rule counts them even where no value is shown.
#[test]
fn event_too_long_by_its_names_and_shown_values_is_refused() {
    let mut event = shipped();
    let size = event.to_string().len();
    event["tb:x"] = serde_json::json!("");
    let filler = 65_536 - size - r#","tb:x":"""#.len();
    for (length, holds) in [(filler, true), (filler + 1, false)] {
        event["tb:x"] = serde_json::json!("x".repeat(length));
        let bytes = event.to_string();
        let members: Vec<(&str, String)> = event
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_string()))
            .collect();
        let members: Vec<(&str, &str)> = members
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(bytes.len() <= 65_536, holds);
        let mut rows = forge::rows(&members);
        // One value withheld: its length is not known, and what is left is counted.
        let hidden = rows
            .iter_mut()
            .find(|row| row.name == "tb:invoiceCurrency")
            .unwrap();
        let value = hidden.value.take().unwrap();
        hidden.hash = Some(value_hash(&Salt(hidden.salt.take().unwrap().0), &value.0).into());
        let last = rows.iter_mut().find(|row| row.name == "tb:x").unwrap();
        let missing = vec![b'y'; value.0.len()];
        let longer = last.value.as_mut().unwrap();
        longer.0.splice(1..1, missing);
        let key = key_of("qinghe/line-1");
        let record = device("qinghe/line-1", &key, &key_of("qinghe"));
        let paper = Paper::saying(key, record, organisation("qinghe"), Source::Scan, rows);
        assert_eq!(
            paper.verify().map_err(|refusal| refusal.class).err(),
            (!holds).then_some(Class::Member)
        );
    }
}
