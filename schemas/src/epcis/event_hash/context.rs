//! Names with a prefix, resolved by the `@context` of the event.

use std::collections::BTreeMap;

use serde_json::Value;

/// Comments do not change an event.
pub(super) const COMMENT: &str = "{http://www.w3.org/2000/01/rdf-schema#}comment";

/// Prefixes that the EPCIS context binds for everybody.
const STANDARD: [(&str, &str); 5] = [
    ("cbv", "https://ref.gs1.org/cbv/"),
    ("cbvmda", "urn:epcglobal:cbv:mda:"),
    ("epcis", "https://ref.gs1.org/epcis/"),
    ("gs1", "https://gs1.org/voc/"),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
];

/// Prefixes and terms with what they stand for.
pub(super) struct Names<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Names<'a> {
    pub(super) fn of(event: &'a Value) -> Self {
        let mut names: BTreeMap<&str, &str> = STANDARD.into();
        let parts = match event.get("@context") {
            Some(Value::Array(parts)) => parts.as_slice(),
            Some(single) => std::slice::from_ref(single),
            None => &[],
        };
        for (name, meaning) in parts.iter().filter_map(Value::as_object).flatten() {
            let iri = meaning
                .as_str()
                .or_else(|| meaning.get("@id").and_then(Value::as_str));
            if let Some(iri) = iri {
                names.insert(name, iri);
            }
        }
        Names(names)
    }

    /// The full URI of `prefix:name` where the prefix is known; any other text as it is.
    pub(super) fn expand(&self, text: &str) -> String {
        let known = text
            .split_once(':')
            .and_then(|(prefix, name)| Some((self.0.get(prefix)?, name)));
        known.map_or_else(|| text.to_owned(), |(iri, name)| format!("{iri}{name}"))
    }

    /// The name of an extension as `{namespace}local name`; a name without a known namespace as it
    /// is.
    pub(super) fn full(&self, name: &str) -> String {
        if let Some((prefix, local)) = name.split_once(':')
            && let Some(namespace) = self.0.get(prefix)
        {
            return format!("{{{namespace}}}{local}");
        }
        let iri = self.0.get(name).copied().unwrap_or(name);
        match iri.rfind(['/', '#']) {
            Some(at) => format!("{{{}}}{}", &iri[..=at], &iri[at + 1..]),
            None => iri.to_owned(),
        }
    }
}
