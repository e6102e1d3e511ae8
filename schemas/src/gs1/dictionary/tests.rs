use super::*;

#[test]
fn entries_are_sorted_and_apart() {
    let bounds: Vec<_> = table::ENTRIES.iter().map(Entry::bounds).collect();
    assert!(bounds.is_sorted());
    for pair in bounds.windows(2) {
        assert!(pair[0].1 < pair[1].0, "{pair:?}");
        assert!(!pair[1].0.starts_with(pair[0].1), "{pair:?}");
    }
}

#[test]
fn identifiers_are_found() {
    let range = |ai: &str| entry(ai).map(|entry| entry.range);
    assert_eq!(range("01"), Some("01"));
    assert_eq!(range("3103"), Some("3100-3105"));
    assert_eq!(range("95"), Some("91-99"));
    for ai in ["", "0", "05", "3106", "310", "23", "9999", "01 ", "é"] {
        assert_eq!(range(ai), None, "{ai:?}");
    }
    assert_eq!(leading("3103001234").map(|(ai, _)| ai), Some("3103"));
    assert_eq!(leading("10A").map(|(ai, _)| ai), Some("10"));
    assert!(leading("1é").is_none() && leading("").is_none());
    assert!(matches("31nn", "3105") && !matches("31nn", "310") && !matches("01", "02"));
}

#[test]
fn only_what_scanners_know_needs_no_separator() {
    for entry in &table::ENTRIES {
        assert!(!entry.fixed || entry.length().is_some(), "{}", entry.range);
    }
}

#[test]
fn keys_and_qualifiers_are_those_of_the_table() {
    use crate::gs1::{Key, Qualifier};
    let keys: Vec<&str> = table::ENTRIES
        .iter()
        .filter(|entry| entry.qualifiers.is_some())
        .map(|entry| entry.range)
        .collect();
    let own: Vec<&str> = Key::ALL.iter().map(|key| key.ai()).collect();
    assert_eq!(own, keys);
    for key in Key::ALL {
        let listed = entry(key.ai()).and_then(|entry| entry.qualifiers).unwrap();
        let mut listed: Vec<&str> = listed
            .split([',', '|'])
            .filter(|ai| !ai.is_empty())
            .collect();
        let takes = |qualifier: &&Qualifier| key.takes(**qualifier);
        let mut own: Vec<&str> = Qualifier::ALL
            .iter()
            .filter(takes)
            .map(|q| q.ai())
            .collect();
        listed.sort_unstable();
        own.sort_unstable();
        assert_eq!(own, listed, "{key}");
    }
    for entry in &table::ENTRIES {
        for lint in entry.parts.iter().flat_map(|part| part.lints) {
            assert!(!lint.name.is_empty());
        }
    }
}
