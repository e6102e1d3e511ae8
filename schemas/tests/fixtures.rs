//! What others have published and we must agree with: data that is not part of this project, read
//! from the folder named by `TRACEBOND_FIXTURES`.

#[path = "fixtures/dictionary.rs"]
mod dictionary;
#[path = "fixtures/elements.rs"]
mod elements;

use std::path::PathBuf;

use schemas::epcis::{self, EventFacts};
use schemas::gs1::{self, ElementString, Gs1Error, Identifier};
use serde_json::Value;

/// Default place of the fixtures, seen from this crate.
const DEFAULT_FOLDER: &str = "../../shared/fixtures";

/// A folder of the fixtures; `None`, said plainly, where they are not there. In CI their absence is
/// a failure, because a skipped check looks like one that passed.
fn folder(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TRACEBOND_FIXTURES")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(DEFAULT_FOLDER));
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "fixtures not found at {}",
        folder.display()
    );
    println!("SKIPPED: fixtures not found at {}", folder.display());
    None
}

fn json(path: &std::path::Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// 71 of 71: the canonical form of the reference, and from it back to the URN.
#[test]
fn urn_to_digital_link() {
    let Some(folder) = folder("identifiers") else {
        return;
    };
    let pairs = json(&folder.join("urn-to-digital-link.json"));
    let pairs = pairs.as_array().expect("a list of pairs");
    assert_eq!(pairs.len(), 71);
    let mut wrong_check_digits = Vec::new();
    let mut back = 0;
    for pair in pairs {
        // One entry is a number: nothing that a text function could be given.
        let Some(written) = pair["urn"].as_str() else {
            continue;
        };
        let canonical = pair["canonical"].as_str();
        assert_eq!(
            gs1::normalise(written).ok().as_deref(),
            canonical,
            "{written}"
        );
        match Identifier::parse_any(written) {
            Ok(identifier) => {
                assert_eq!(Some(&*identifier.canonical()), canonical, "{written}");
                back += usize::from(leads_back(written, &identifier));
            }
            Err(Gs1Error::CheckDigit { .. }) => wrong_check_digits.push(written),
            Err(error) => assert_eq!(canonical, None, "{written}: {error}"),
        }
    }
    // Two of the reference's own examples carry a wrong check digit; the hash ignores it, we refuse.
    let known = [
        "http://example.de/gtin-8/01/97803111",
        "http://example.de/01/040123451234/cpv/344/lot/ABD",
    ];
    assert_eq!(wrong_check_digits, known);
    assert_eq!(back, 31, "URNs that the links lead back to");
}

/// Whether it was a URN: then its Digital Link, read again, leads back to it, byte by byte.
fn leads_back(written: &str, identifier: &Identifier) -> bool {
    let Some(fields) = written.strip_prefix("urn:epc:") else {
        return false;
    };
    let prefix = fields
        .split(':')
        .nth(2)
        .and_then(|fields| fields.split('.').next());
    let prefix = prefix.expect("a company prefix").len();
    let again = Identifier::parse_any(&identifier.canonical()).expect("a canonical link");
    // A pattern of the two kinds of serials names one class, the trade item.
    let expected = written.replace("urn:epc:idpat:upui:", "urn:epc:idpat:sgtin:");
    assert_eq!(again.urn(prefix).as_deref(), Ok(&*expected));
    true
}

/// The reader of element strings does what GS1's syntax dictionary says of every application
/// identifier: form, separators, characters, checks, what it needs and excludes, Digital Links.
#[test]
fn element_strings() {
    let Some(folder) = folder("identifiers") else {
        return;
    };
    let file = folder.join("gs1-syntax-dictionary.txt");
    let entries = dictionary::read(&std::fs::read_to_string(file).expect("the dictionary"));
    assert_eq!(entries.len(), 541);
    elements::every_form(&entries);
    elements::separators(&entries);
    let refused = elements::values(&entries);
    let (needed, excluded) = elements::pairs(&entries);
    let (keys, attributes) = elements::links(&entries);
    println!("{refused} values refused, {needed} that need others, {excluded} that exclude others");
    println!("{keys} sequences of qualifiers, {attributes} attributes of links");
    // What has no entry is no application identifier.
    for ai in (0..10_000).flat_map(|n| [format!("{n:02}"), format!("{n:03}"), format!("{n:04}")]) {
        if !entries.contains_key(&ai) {
            assert!(
                ElementString::parse_part(&format!("({ai})1")).is_err(),
                "{ai}"
            );
        }
    }
}

/// All files below a folder with this ending, by name.
fn files(folder: &std::path::Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path
            .extension()
            .is_some_and(|extension| extension == ending)
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The events of a capture or query document, each with the document's `@context`, as a capture
/// copies it into them.
fn events(document: &Value) -> Vec<Value> {
    let body = &document["epcisBody"];
    let lists = [
        &body["eventList"],
        &body["queryResults"]["resultsBody"]["eventList"],
    ];
    let list = lists
        .into_iter()
        .find_map(Value::as_array)
        .expect("a list of events");
    let mut events = list.clone();
    for event in &mut events {
        event["@context"] = document["@context"].clone();
    }
    events
}

#[test]
fn every_published_example_event_is_accepted_and_read() {
    let Some(folder) = folder("epcis-json") else {
        return;
    };
    let documents = files(&folder, "jsonld");
    let mut count = 0;
    for path in &documents {
        for event in events(&json(path)) {
            epcis::validate(&event).unwrap_or_else(|all| panic!("{}: {all:?}", path.display()));
            let facts = EventFacts::read(&event).expect("a valid event can be read");
            assert_eq!(Some(facts.event_type.name()), event["type"].as_str());
            count += 1;
        }
    }
    assert_eq!((documents.len(), count), (47, 56));
}

/// What the reference's own tests leave out: members that a repository added on the way.
const ADDED_BY_REPOSITORY: [&str; 2] = [
    "{https://repository-x.example.com/}hash",
    "{https://ns.example.com/epcis/}captureID",
];

/// 43 of 43: every event hash that the reference publishes for JSON.
#[test]
fn event_hash_vectors() {
    let Some(folder) = folder("event-hash") else {
        return;
    };
    let (mut equal, mut different) = (0, Vec::new());
    for path in files(&folder, "jsonld") {
        let hashes = std::fs::read_to_string(path.with_extension("hashes")).expect("hashes");
        let hashes: Vec<&str> = hashes.lines().filter(|line| !line.is_empty()).collect();
        let events = events(&json(&path));
        assert_eq!(events.len(), hashes.len(), "{}", path.display());
        for (index, (event, hash)) in events.iter().zip(hashes).enumerate() {
            if epcis::cbv_hash_ignoring(event, &ADDED_BY_REPOSITORY) == hash {
                equal += 1;
            } else {
                let text = epcis::pre_hash(event, &ADDED_BY_REPOSITORY);
                different.push(format!("{} [{index}]: {text}", path.display()));
            }
        }
    }
    assert_eq!((equal, different), (43, Vec::new()));
}

/// One vector has sensor data and a business transaction; it exists as XML only. This is the same
/// event as JSON, and must have the same text.
#[test]
fn sensor_data_comes_before_business_transactions() {
    let Some(folder) = folder("event-hash") else {
        return;
    };
    let file = folder.join("SensorDataExamples.prehashes");
    let texts = std::fs::read_to_string(file).expect("texts");
    let published = texts.lines().nth(10).expect("eleven texts");
    let event = serde_json::json!({
        "type": "TransactionEvent",
        "eventTime": "2020-07-03T06:05:00.000Z",
        "eventTimeZoneOffset": "-06:00",
        "epcList": [
            "urn:epc:id:sgtin:0614141.107340.2",
            "urn:epc:id:sgtin:0614141.107340.1",
        ],
        "action": "ADD",
        "bizStep": "inspecting",
        "disposition": "needs_replacement",
        "readPoint": {"id": "urn:epc:id:sgln:4012345.00000.5"},
        "bizTransactionList": [
            {"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:4012345123456:RE100099"},
        ],
        "sensorElementList": [{"sensorReport": [{
            "type": "https://gs1.org/voc/MT-EffectiveDoseRate", "value": 0.005, "uom": "P71",
        }]}],
    });
    assert_eq!(epcis::pre_hash(&event, &[]), published);
}
