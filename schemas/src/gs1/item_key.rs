use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Gs1Error, Identifier, MAX_INPUT_BYTES, link, urn};

/// The name under which a thing is stored: the canonical Digital Link of a GS1 identifier, or any
/// other absolute URI as it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemKey(String);

impl ItemKey {
    /// Reads what an event may name a thing by (see [`read_uri`]).
    ///
    /// # Errors
    /// [`Gs1Error`] for a broken GS1 identifier or something that is no absolute URI.
    pub fn read(uri: &str) -> Result<Self, Gs1Error> {
        if link::canonical(uri).is_some_and(|glance| glance.is_valid()) {
            return Ok(ItemKey(uri.to_owned()));
        }
        Ok(read_uri(uri)?.map_or_else(
            || ItemKey(uri.to_owned()),
            |identifier| Self::from(&identifier),
        ))
    }

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The GS1 identifier, `None` for any other URI.
    pub fn identifier(&self) -> Option<Identifier> {
        read_uri(&self.0).ok().flatten()
    }
}

/// Reads a URI as an event may hold it: the GS1 identifier, or `None` for an absolute URI that is
/// none. Element strings are refused.
///
/// An EPC URN of a GS1 scheme and a URI on `id.gs1.org` must be valid. On other hosts a path that
/// does not have the form of a Digital Link is just a URI, but one that has it and a wrong check
/// digit is refused.
///
/// # Errors
/// [`Gs1Error`] for a broken GS1 identifier; [`Gs1Error::NotAbsolute`] for what is no absolute URI.
pub fn read_uri(uri: &str) -> Result<Option<Identifier>, Gs1Error> {
    if uri.len() > MAX_INPUT_BYTES {
        return Err(Gs1Error::TooLong {
            found: uri.len(),
            limit: MAX_INPUT_BYTES,
        });
    }
    if !is_absolute_uri(uri) {
        return Err(Gs1Error::NotAbsolute);
    }
    let is_link = link::is_link(uri);
    if !is_link && (!urn::is_epc(uri) || urn::is_foreign_epc(uri)) {
        return Ok(None);
    }
    match Identifier::parse_any(uri) {
        Ok(identifier) => Ok(Some(identifier)),
        Err(error @ Gs1Error::CheckDigit { .. }) => Err(error),
        Err(_) if is_link && !link::is_on_gs1_host(uri) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a URI names a class of things ([`Identifier::is_class_level`]); `None` for an absolute URI
/// that is no GS1 identifier. Quick for canonical forms of the commonest keys.
///
/// # Errors
/// Those of [`read_uri`].
pub fn is_class(uri: &str) -> Result<Option<bool>, Gs1Error> {
    if let Some(glance) = link::canonical(uri).filter(link::Glance::is_valid) {
        return Ok(Some(glance.is_class));
    }
    Ok(read_uri(uri)?.map(|found| found.is_class_level()))
}

/// Whether the text is `scheme:` (RFC 3986 section 3.1) and something after it, without white
/// space, control characters or the delimiters that no URI contains. Characters beyond ASCII are
/// allowed, as JSON-LD speaks of IRIs.
pub fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let begins = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let letters = scheme
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    begins && letters && !rest.is_empty() && !rest.contains(is_no_part_of_a_uri)
}

/// White space, controls, and what RFC 3986 leaves out.
fn is_no_part_of_a_uri(c: char) -> bool {
    match c {
        '\0'..=' ' | '\x7f' | '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`' => true,
        // The tables of Unicode are asked only where they can say yes.
        _ if c.is_ascii() => false,
        _ => c.is_whitespace() || c.is_control(),
    }
}

impl From<&Identifier> for ItemKey {
    fn from(identifier: &Identifier) -> Self {
        ItemKey(identifier.canonical())
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for ItemKey {
    type Err = Gs1Error;

    fn from_str(text: &str) -> Result<Self, Gs1Error> {
        Self::read(text)
    }
}

impl TryFrom<String> for ItemKey {
    type Error = Gs1Error;

    fn try_from(text: String) -> Result<Self, Gs1Error> {
        Self::read(&text)
    }
}

impl From<ItemKey> for String {
    fn from(key: ItemKey) -> Self {
        key.0
    }
}
