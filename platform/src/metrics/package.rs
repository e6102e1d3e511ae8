//! The dashboard and the alert rules of the package name what is counted, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kit::metrics::Kind;

use super::ALL;

/// Labels that the collector adds, and the one of buckets.
const OF_COLLECTOR: [&str; 3] = ["instance", "job", "le"];

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("package")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Every series name as it is collected, with the labels that it has.
fn described() -> BTreeMap<String, (&'static str, &'static [&'static str])> {
    let mut names = BTreeMap::new();
    for one in ALL {
        let known = (one.name, one.labels);
        if one.kind == Kind::Histogram {
            for end in ["bucket", "sum", "count"] {
                names.insert(format!("{}_{end}", one.name), known);
            }
        } else {
            names.insert(one.name.to_owned(), known);
        }
    }
    names
}

/// The queries of a text: what stands between one `expr` and the end of its string or line.
fn dashboard_queries() -> Vec<(String, String)> {
    let dashboard: serde_json::Value =
        serde_json::from_str(&file("grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let queries = targets.flatten().map(|target| {
        let text = |name: &str| target[name].as_str().unwrap().to_owned();
        (text("expr"), text("legendFormat"))
    });
    queries.collect()
}

fn alert_queries() -> Vec<(String, String)> {
    let text = file("alerts.yml");
    let rules = text.split("- alert:").skip(1);
    let queries = rules.map(|rule| {
        let line = rule
            .lines()
            .find_map(|line| line.trim().strip_prefix("expr: "));
        (line.unwrap().to_owned(), rule.replace("{{ $labels.", "{{"))
    });
    queries.collect()
}

fn is_word(byte: char) -> bool {
    byte.is_ascii_alphanumeric() || byte == '_'
}

/// Names of series in a query.
fn names(query: &str) -> Vec<String> {
    let words = query.split(|byte| !is_word(byte));
    let ours = words.filter(|word| word.starts_with("tracebond_"));
    ours.map(str::to_owned).collect()
}

/// Labels in matchers (`{reason="..."`), in groups (`by (reason)`) and in a legend (`{{reason}}`).
fn labels(query: &str, legend: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for inside in query.split('{').skip(1) {
        let inside = inside.split('}').next().unwrap();
        for matcher in inside.split("\",") {
            let end = matcher.find(['=', '!']).unwrap();
            found.insert(matcher[..end].trim().to_owned());
        }
    }
    for inside in query.split("by (").skip(1) {
        let inside = inside.split(')').next().unwrap();
        found.extend(inside.split(',').map(|label| label.trim().to_owned()));
    }
    for inside in legend.split("{{").skip(1) {
        let inside = inside.split("}}").next().unwrap().trim();
        let is_label = inside.chars().all(is_word);
        found.extend(is_label.then(|| inside.to_owned()));
    }
    found
}

fn agree(queries: &[(String, String)]) -> BTreeSet<&'static str> {
    let described = described();
    let mut used = BTreeSet::new();
    assert!(!queries.is_empty());
    for (query, legend) in queries {
        let names = names(query);
        assert!(!names.is_empty(), "{query}");
        let mut known: BTreeSet<&str> = OF_COLLECTOR.into();
        for name in names {
            let found = described.get(&name);
            let (series, labels) =
                found.unwrap_or_else(|| panic!("{name} is not counted: {query}"));
            used.insert(*series);
            known.extend(labels.iter().copied());
        }
        for label in labels(query, legend) {
            assert!(known.contains(label.as_str()), "no label {label}: {query}");
        }
    }
    used
}

#[test]
fn the_dashboard_shows_every_series_and_names_no_other() {
    let shown = agree(&dashboard_queries());
    let missing: Vec<&str> = (ALL.iter().map(|one| one.name))
        .filter(|name| !shown.contains(name))
        .collect();
    assert!(missing.is_empty(), "not on the dashboard: {missing:?}");
}

#[test]
fn the_alerts_name_what_is_counted_and_each_says_what_it_means() {
    let queries = alert_queries();
    agree(&queries);
    for (query, rule) in queries {
        assert!(
            rule.contains("summary: ") && rule.contains("severity: "),
            "{query}"
        );
    }
}

#[test]
fn a_query_is_taken_apart() {
    let query = "sum by (code, le) (rate(tracebond_a_total{instance=~\"$i\", code!=\"a,b\"}[5m]))";
    assert_eq!(names(query), [format!("tracebond_{}", "a_total")]);
    let found = labels(query, "{{code}} of {{ $value | humanize }}");
    assert_eq!(found, ["code", "instance", "le"].map(String::from).into());
}
