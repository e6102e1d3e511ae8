//! Element strings: what is in a bar code (GS1 General Specifications 7.8), read by the syntax
//! dictionary.

mod form;
mod pairs;

use super::identifier::Parts;
use super::{Gs1Error, Identifier, Key, MAX_ELEMENTS, MAX_INPUT_BYTES, Qualifier, dictionary};

/// Separator between elements of variable length, as scanners send FNC1.
const FNC1: char = '\u{1d}';

/// An application identifier and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    ai: String,
    value: String,
}

impl Element {
    /// Application identifier, 2 to 4 digits, for example `17`.
    #[must_use]
    pub fn ai(&self) -> &str {
        &self.ai
    }

    /// Its value as it stands in the bar code, for example `261231`.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// All that is in a bar code, each value checked against GS1's syntax dictionary: lengths,
/// characters, check digits and pairs, dates, codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementString(Vec<Element>);

impl ElementString {
    /// Reads what one thing bears as a whole: every element is checked, and whether all that it
    /// needs, and nothing that it excludes, stands beside it.
    ///
    /// Forms: bracketed `(01)09521001000017(10)L1` (in a value `\(` stands for a bracket; a GTIN of
    /// 8, 12 or 13 digits is filled up); as scanners send it, FNC1 as 0x1D behind elements of
    /// variable length; the same with `^` for FNC1, beginning with it; either behind a symbology
    /// identifier `]C1`, `]e0`, `]d2`, `]Q3`, `]J1`. A retail bar code (`]E0`, `]E4`, `]I0`, `]I1`)
    /// is its GTIN.
    ///
    /// # Errors
    /// [`Gs1Error`], which names the element.
    pub fn parse(text: &str) -> Result<Self, Gs1Error> {
        let whole = Self::parse_part(text)?;
        pairs::check(&whole.0)?;
        Ok(whole)
    }

    /// Like [`ElementString::parse`] for one of several bar codes of a thing: what an element needs
    /// may stand in another, so only the elements themselves are checked.
    ///
    /// # Errors
    /// [`Gs1Error`], which names the element.
    pub fn parse_part(text: &str) -> Result<Self, Gs1Error> {
        let elements = read(text)?;
        for element in &elements {
            check(&element.ai, &element.value)?;
        }
        Ok(ElementString(elements))
    }

    /// Puts elements together that were read elsewhere.
    pub(super) fn new(elements: Vec<(String, String)>) -> Result<Self, Gs1Error> {
        let mut list = Vec::new();
        for (ai, value) in elements {
            check(&ai, &value)?;
            push(&mut list, &ai, value)?;
        }
        Ok(ElementString(list))
    }

    /// The elements in their order.
    #[must_use]
    pub fn elements(&self) -> &[Element] {
        &self.0
    }

    /// The value of an application identifier.
    #[must_use]
    pub fn get(&self, ai: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|one| one.ai == ai)
            .map(|one| &*one.value)
    }

    /// The thing that it names: the one key with what qualifies it.
    ///
    /// # Errors
    /// [`Gs1Error::NoKeyElement`] or [`Gs1Error::TwoKeys`], and qualifiers that exclude each other.
    pub fn identifier(&self) -> Result<Identifier, Gs1Error> {
        identify(&self.0)?.finish(true)
    }

    /// `(01)09521001000017(10)L1`; an opening bracket in a value is written `\(`.
    #[must_use]
    pub fn bracketed(&self) -> String {
        form::bracketed(&self.0)
    }

    /// As a scanner sends it: FNC1 (0x1D) behind elements of variable length but the last.
    #[must_use]
    pub fn plain(&self) -> String {
        form::plain(&self.0)
    }
}

impl From<&Identifier> for ElementString {
    fn from(identifier: &Identifier) -> Self {
        let element = |ai: &str, value: &str| Element {
            ai: ai.to_owned(),
            value: value.to_owned(),
        };
        let mut elements = vec![element(identifier.key().ai(), identifier.value())];
        let pairs = identifier.pairs();
        elements.extend(pairs.map(|(qualifier, value)| element(qualifier.ai(), value)));
        ElementString(elements)
    }
}

impl std::str::FromStr for ElementString {
    type Err = Gs1Error;

    fn from_str(text: &str) -> Result<Self, Gs1Error> {
        Self::parse(text)
    }
}

/// Reads key and qualifiers; what does not identify is checked and passed over.
pub(super) fn parse(text: &str) -> Result<Parts, Gs1Error> {
    let elements = read(text)?;
    let parts = identify(&elements)?;
    // Without a mark only keys with a check digit speak for themselves: any number beginning with
    // 401 or 8004 would be a consignment or an asset.
    if !form::is_marked(text) && parts.key.head() == 0 {
        return Err(Gs1Error::BareNumber(text.len()));
    }
    // The key's own errors say more than those of the table, so it is judged first.
    parts.clone().finish(true)?;
    for element in &elements {
        check(&element.ai, &element.value)?;
    }
    Ok(parts)
}

fn read(text: &str) -> Result<Vec<Element>, Gs1Error> {
    if text.len() > MAX_INPUT_BYTES {
        return Err(Gs1Error::TooLong {
            found: text.len(),
            limit: MAX_INPUT_BYTES,
        });
    }
    form::read(text)
}

fn check(ai: &str, value: &str) -> Result<(), Gs1Error> {
    dictionary::entry(ai)
        .ok_or_else(|| unknown(ai))?
        .check(ai, value)
}

/// Picks the one key and what qualifies it.
fn identify(elements: &[Element]) -> Result<Parts, Gs1Error> {
    let mut found: Option<Parts> = None;
    for Element { ai, value } in elements {
        let Some(key) = Key::from_ai(ai) else {
            continue;
        };
        match &found {
            Some(first) if first.key != key => return Err(Gs1Error::TwoKeys(first.key, key)),
            _ => found = Some(Parts::new(key, value.clone())),
        }
    }
    let mut parts = found.ok_or(Gs1Error::NoKeyElement)?;
    for Element { ai, value } in elements {
        let qualifier = Qualifier::from_ai(ai).filter(|&qualifier| parts.key.takes(qualifier));
        if let Some(qualifier) = qualifier {
            parts.qualifiers.insert(qualifier, value.clone());
        }
    }
    Ok(parts)
}

/// Adds an element; the same once more changes nothing, another value is refused.
fn push(elements: &mut Vec<Element>, ai: &str, value: String) -> Result<(), Gs1Error> {
    if value.is_empty() {
        return Err(Gs1Error::NoValue(ai.to_owned()));
    }
    if let Some(before) = elements.iter().find(|element| element.ai == ai) {
        return if before.value == value {
            Ok(())
        } else {
            Err(repeated(ai))
        };
    }
    if elements.len() == MAX_ELEMENTS {
        return Err(Gs1Error::TooManyElements(MAX_ELEMENTS));
    }
    elements.push(Element {
        ai: ai.to_owned(),
        value,
    });
    Ok(())
}

fn repeated(ai: &str) -> Gs1Error {
    match (Key::from_ai(ai), Qualifier::from_ai(ai)) {
        (Some(key), _) => Gs1Error::TwoKeys(key, key),
        (None, Some(qualifier)) => Gs1Error::QualifierOrder(qualifier),
        (None, None) => Gs1Error::Repeated(ai.to_owned()),
    }
}

fn unknown(text: &str) -> Gs1Error {
    Gs1Error::UnknownElement(text.chars().take(6).collect())
}

#[cfg(test)]
mod tests;
