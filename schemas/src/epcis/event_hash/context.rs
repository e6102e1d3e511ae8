//! Names with a prefix, resolved by the `@context` of the event.

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

/// Prefixes and terms with what they stand for; a later one replaces an earlier one.
pub(super) struct Names<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Names<'a> {
    pub(super) fn of(event: &'a Value) -> Self {
        let parts = match event.get("@context") {
            Some(Value::Array(parts)) => parts.as_slice(),
            Some(single) => std::slice::from_ref(single),
            None => &[],
        };
        let bound = parts.iter().filter_map(Value::as_object).flatten();
        let iri = |meaning: &'a Value| {
            let plain = meaning.as_str();
            plain.or_else(|| meaning.get("@id").and_then(Value::as_str))
        };
        Names(
            bound
                .filter_map(|(name, meaning)| Some((name.as_str(), iri(meaning)?)))
                .collect(),
        )
    }

    fn meaning(&self, name: &str) -> Option<&'a str> {
        let own = self.0.iter().rev();
        own.chain(&STANDARD)
            .find_map(|(known, iri)| (*known == name).then_some(*iri))
    }

    /// Writes the name of an extension as `{namespace}local name`; a name without a known namespace
    /// as it is.
    pub(super) fn write_full(&self, name: &str, out: &mut String) {
        if let Some((prefix, local)) = name.split_once(':')
            && let Some(namespace) = self.meaning(prefix)
        {
            return push_name(namespace, local, out);
        }
        let iri = self.meaning(name).unwrap_or(name);
        match iri.rfind(['/', '#']) {
            Some(at) => push_name(&iri[..=at], &iri[at + 1..], out),
            None => out.push_str(iri),
        }
    }
}

fn push_name(namespace: &str, local: &str, out: &mut String) {
    out.push('{');
    out.push_str(namespace);
    out.push('}');
    out.push_str(local);
}
