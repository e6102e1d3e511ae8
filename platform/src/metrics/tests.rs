use std::collections::BTreeSet;
use std::path::Path;

use super::*;

const MARK: &str =
    "<!-- series: begin (made by `UPDATE_DOCS=1 cargo test -p platform metrics`) -->\n";
const END: &str = "<!-- series: end -->";

fn sources(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// A name in the list that nobody counts under, or the other way round, is a mistake.
#[test]
fn the_list_is_what_the_sources_count() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut text, mut kit) = (String::new(), String::new());
    for file in ["src", "kit/src/serve"] {
        sources(&root.join(file), &mut text);
    }
    let list = std::fs::read_to_string(root.join("src/metrics.rs")).unwrap();
    let before = list.find("pub const ALL").unwrap();
    let after = list.find("/// Measures a store call.").unwrap();
    let text = text.replace(&list[before..after], "");
    sources(&root.join("kit/src"), &mut kit);
    let mut counted: BTreeSet<String> = kit::metrics::names_in(&text).into_iter().collect();
    counted.extend(HTTP.iter().map(|one| one.name.to_owned()));
    let listed: BTreeSet<String> = ALL.iter().map(|one| one.name.to_owned()).collect();
    assert_eq!(counted, listed);
    assert!(HTTP.iter().all(|one| kit.contains(one.name)));
}

#[test]
fn the_document_lists_every_series() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let (head, rest) = text.split_once(MARK).unwrap();
    let (table, tail) = rest.split_once(END).unwrap();
    let expected = kit::metrics::table(ALL);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, format!("{head}{MARK}{expected}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(table, expected, "run the test with UPDATE_DOCS=1");
}
