//! What others have published and we must agree with: data that is not part of this project, read
//! from the folder named by `TRACEBOND_FIXTURES`.

use std::path::PathBuf;

use schemas::epcis::{self, EventFacts};
use schemas::gs1::{self, Gs1Error, Identifier};
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

#[test]
fn urns_and_links_have_the_canonical_form_of_the_reference() {
    let Some(folder) = folder("identifiers") else {
        return;
    };
    let pairs = json(&folder.join("urn-to-digital-link.json"));
    let pairs = pairs.as_array().expect("a list of pairs");
    assert_eq!(pairs.len(), 71);
    let mut wrong_check_digits = Vec::new();
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
            Ok(identifier) => assert_eq!(Some(&*identifier.canonical()), canonical, "{written}"),
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

#[test]
fn every_published_event_hash_is_reproduced() {
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
