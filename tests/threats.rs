//! The threat model names a test for each attack that is caught; each of them exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Folders of tests, from the root of the workspace.
const SOURCES: [&str; 6] = [
    "schemas",
    "edge-agent",
    "platform",
    "credit",
    "simulators",
    "tests",
];

fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.extend(text.split("fn ").skip(1).map(name));
        }
    }
}

fn name(after: &str) -> String {
    let name = after
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
    name.collect()
}

/// What stands in backticks in the last column of a table's rows.
fn named(document: &str) -> Vec<&str> {
    let rows = document
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| attack"));
    rows.flat_map(|row| {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        last.split('`').skip(1).step_by(2)
    })
    .collect()
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = fs::read_to_string(root.join("platform/docs/threat-model.md")).unwrap();
    let mut found = BTreeSet::new();
    for folder in SOURCES {
        functions(&root.join(folder), &mut found);
    }
    let named = named(&document);
    assert!(named.len() > 50, "only {} tests are named", named.len());
    let missing: Vec<&str> = named
        .into_iter()
        .filter(|name| !found.contains(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "the threat model names {missing:?}, which do not exist"
    );
}

#[test]
fn a_name_that_is_no_test_would_be_noticed() {
    let rows = "| attack | who | test |\n|---|---|---|\n| `x` lies | reader | `no_such_test` |\n";
    assert_eq!(named(rows), ["no_such_test"]);
}
