//! GS1 Digital Link URIs, uncompressed (GS1 Digital Link Standard: URI Syntax).

use super::identifier::Parts;
use super::{
    ElementString, Gs1Error, Identifier, Key, MAX_ELEMENTS, MAX_INPUT_BYTES, Qualifier, dictionary,
    is_absolute_uri, percent,
};

/// A Digital Link with all that it says: the thing, the elements in its query (dates, weights) and
/// the query's other members, which mean something to the host only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitalLink {
    identifier: Identifier,
    elements: ElementString,
    others: Vec<(String, String)>,
}

impl DigitalLink {
    /// Reads a Digital Link on any host, behind any path, with numbers or the short names of
    /// version 1.1 of its standard; the query may come in any order.
    ///
    /// # Errors
    /// [`Gs1Error`] for the path as in [`Identifier::parse_any`], and for a query whose elements
    /// are wrong, repeated, unknown or have no place there.
    pub fn parse(uri: &str) -> Result<Self, Gs1Error> {
        if uri.len() > MAX_INPUT_BYTES {
            return Err(Gs1Error::TooLong {
                found: uri.len(),
                limit: MAX_INPUT_BYTES,
            });
        }
        let identifier = parse(uri)?.finish(true)?;
        let mut elements = Vec::new();
        let mut others = Vec::new();
        for (name, value) in query(uri)? {
            if !name.bytes().all(|byte| byte.is_ascii_digit()) {
                others.push((name, value));
                continue;
            }
            let entry = dictionary::entry(&name);
            match entry {
                None => return Err(Gs1Error::UnknownElement(name.chars().take(6).collect())),
                Some(entry) if !entry.attribute => return Err(Gs1Error::NoAttribute(name)),
                Some(_) if stands_in_path(&identifier, &name) => {
                    return Err(Gs1Error::Repeated(name));
                }
                Some(_) => elements.push((name, value)),
            }
        }
        let elements = ElementString::new(elements)?;
        Ok(DigitalLink {
            identifier,
            elements,
            others,
        })
    }

    /// The thing that the path names.
    #[must_use]
    pub fn identifier(&self) -> &Identifier {
        &self.identifier
    }

    /// A value of the query by its application identifier, for example `17`.
    #[must_use]
    pub fn attribute(&self, ai: &str) -> Option<&str> {
        self.elements.get(ai)
    }

    /// Members of the query that are no application identifiers (`linkType`), decoded, in order.
    #[must_use]
    pub fn others(&self) -> &[(String, String)] {
        &self.others
    }

    /// All elements, of the path first, as a bar code would carry them.
    ///
    /// # Errors
    /// [`Gs1Error::TooManyElements`] where path and query together exceed the limit.
    pub fn elements(&self) -> Result<ElementString, Gs1Error> {
        let path = ElementString::from(&self.identifier);
        let all = path.elements().iter().chain(self.elements.elements());
        ElementString::new(
            all.map(|one| (one.ai().to_owned(), one.value().to_owned()))
                .collect(),
        )
    }
}

impl ElementString {
    /// All of it as a Digital Link behind a stem such as `https://shop.example/goods` (without a
    /// query, without a slash at its end): the key and its qualifiers in the path, the rest in the
    /// query.
    ///
    /// # Errors
    /// [`Gs1Error::Unrecognised`] for a stem that is none, [`Gs1Error::NoAttribute`] for an element
    /// that has no place in a query, and those of [`ElementString::identifier`].
    pub fn digital_link(&self, stem: &str) -> Result<String, Gs1Error> {
        let usable = is_link(stem) && is_absolute_uri(stem) && !stem.contains(['?', '#']);
        if !usable || stem.ends_with('/') {
            return Err(Gs1Error::Unrecognised);
        }
        let identifier = self.identifier()?;
        let mut out = identifier.full_on(stem);
        let mut mark = '?';
        for element in self.elements() {
            if stands_in_path(&identifier, element.ai()) {
                continue;
            }
            if !dictionary::entry(element.ai()).is_some_and(|entry| entry.attribute) {
                return Err(Gs1Error::NoAttribute(element.ai().to_owned()));
            }
            out.push(mark);
            out += element.ai();
            out.push('=');
            percent::encode(element.value(), &mut out);
            mark = '&';
        }
        Ok(out)
    }
}

fn stands_in_path(identifier: &Identifier, ai: &str) -> bool {
    identifier.key().ai() == ai
        || identifier
            .pairs()
            .any(|(qualifier, _)| qualifier.ai() == ai)
}

/// Names and values of the query, decoded. Both `&` and `;` part them, as the standard allows.
fn query(uri: &str) -> Result<Vec<(String, String)>, Gs1Error> {
    let without_fragment = uri.split('#').next().unwrap_or(uri);
    let Some((_, query)) = without_fragment.split_once('?') else {
        return Ok(Vec::new());
    };
    let mut members = Vec::new();
    for member in query.split(['&', ';']).filter(|member| !member.is_empty()) {
        if members.len() == MAX_ELEMENTS {
            return Err(Gs1Error::TooManyElements(MAX_ELEMENTS));
        }
        let (name, value) = member.split_once('=').unwrap_or((member, ""));
        members.push((percent::decode(name)?, percent::decode(value)?));
    }
    Ok(members)
}

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

/// What a canonical form says at a glance.
pub(super) struct Glance<'u> {
    key: Key,
    value: &'u str,
    /// Whether it names a class of things, as [`Identifier::is_class_level`].
    pub(super) is_class: bool,
}

impl Glance<'_> {
    /// Whether the check digit holds.
    pub(super) fn is_valid(&self) -> bool {
        self.key.verify(self.value).is_ok()
    }
}

/// The text where it is, as it stands, the canonical form of one of the commonest keys but perhaps
/// for its check digit: told without taking it apart. `None` says nothing.
pub(super) fn canonical(text: &str) -> Option<Glance<'_>> {
    let path = text.strip_prefix("https://id.gs1.org/")?;
    let digits =
        |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    let plain = |text: &str| {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        (1..=20).contains(&text.len()) && text.bytes().all(unreserved)
    };
    let mut segments = path.split('/');
    let key = segments.next()?;
    let value = segments.next()?;
    let (qualifier, narrower) = (segments.next(), segments.next());
    let narrowed = narrower.is_none_or(plain) && segments.next().is_none();
    let (key, length, is_class) = match (key, qualifier, narrower) {
        ("01", None, None) | ("01", Some("10"), Some(_)) => (Key::Gtin, 14, true),
        ("01", Some("21"), Some(_)) => (Key::Gtin, 14, false),
        ("00", None, None) => (Key::Sscc, 18, false),
        ("414", None, None) | ("414", Some("254"), Some(_)) => (Key::Gln, 13, false),
        ("417", None, None) => (Key::Party, 13, false),
        _ => return None,
    };
    (narrowed && digits(value, length)).then_some(Glance {
        key,
        value,
        is_class,
    })
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
