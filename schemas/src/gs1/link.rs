//! GS1 Digital Link URIs, uncompressed (GS1 Digital Link Standard: URI Syntax).

use super::identifier::Parts;
use super::{Gs1Error, Key, Qualifier, percent};

/// Host whose paths are always Digital Links.
const GS1_HOST: &str = "id.gs1.org";

/// Host and path of an `http` or `https` URI, without query and fragment; `None` if it is none.
fn split(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

/// Whether the text is an `http` or `https` URI at all.
pub(super) fn is_link(text: &str) -> bool {
    split(text).is_some()
}

/// Whether the URI is on GS1's own host, where every path must be a Digital Link.
pub(super) fn is_on_gs1_host(text: &str) -> bool {
    split(text).is_some_and(|(host, _)| host.eq_ignore_ascii_case(GS1_HOST))
}

/// Reads key and qualifiers from the end of the path; what comes before the key is the host's own.
pub(super) fn parse(uri: &str) -> Result<Parts, Gs1Error> {
    let (host, path) = split(uri).ok_or(Gs1Error::Unrecognised)?;
    if host.is_empty() {
        return Err(Gs1Error::Unrecognised);
    }
    let segments: Vec<&str> = path.split('/').collect();
    let mut first_error = None;
    for start in 0..segments.len() {
        let Some(key) = Key::from_segment(segments[start]) else {
            continue;
        };
        match parse_from(key, &segments[start..]) {
            Ok(parts) => return Ok(parts),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or(Gs1Error::NoKey))
}

/// `segments` is key, value, then pairs of qualifier and value.
fn parse_from(key: Key, segments: &[&str]) -> Result<Parts, Gs1Error> {
    let mut pairs = segments.chunks(2).map(|pair| match *pair {
        [name, value] => Ok((name, value)),
        _ => Err(Gs1Error::NoValue(pair.concat())),
    });
    let Some(first) = pairs.next() else {
        return Err(Gs1Error::NoKey);
    };
    let mut parts = Parts::new(key, percent::decode(first?.1)?);
    for pair in pairs {
        let (name, value) = pair?;
        let qualifier = Qualifier::from_segment(name)
            .filter(|&qualifier| key.takes(qualifier))
            .ok_or_else(|| Gs1Error::UnknownQualifier {
                key,
                qualifier: name.to_owned(),
            })?;
        if parts
            .qualifiers
            .last_key_value()
            .is_some_and(|(&last, _)| last >= qualifier)
        {
            return Err(Gs1Error::QualifierOrder(qualifier));
        }
        parts.qualifiers.insert(qualifier, percent::decode(value)?);
    }
    // A path may begin with something that looks like a key, so shape decides which one it is.
    parts.shaped()
}
