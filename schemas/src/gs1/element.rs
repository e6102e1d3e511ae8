//! Element strings: what is in a bar code (GS1 General Specifications 7.8).

use super::identifier::Parts;
use super::{Gs1Error, Key, MAX_ELEMENTS, Qualifier};

/// Separator between elements of variable length, as scanners send FNC1.
const FNC1: char = '\u{1d}';

/// An application identifier and its value.
type Element = (String, String);

/// Reads key and qualifiers; elements that do not identify are passed over.
pub(super) fn parse(text: &str) -> Result<Parts, Gs1Error> {
    if text.starts_with('(') {
        return identify(&bracketed(text)?);
    }
    if !text.starts_with([']', FNC1]) && !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(Gs1Error::Unrecognised);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && matches!(text.len(), 8 | 12 | 13 | 14) {
        return Err(Gs1Error::BareNumber(text.len()));
    }
    let parts = identify(&plain(text)?)?;
    // Without a mark only keys with a check digit speak for themselves: any number beginning with
    // 401 or 8004 would be a consignment or an asset.
    let marked = text.starts_with(']') || text.contains(FNC1);
    if !marked && parts.key.head() == 0 {
        return Err(Gs1Error::BareNumber(text.len()));
    }
    Ok(parts)
}

/// Picks the one key and what qualifies it.
fn identify(elements: &[Element]) -> Result<Parts, Gs1Error> {
    let mut found: Option<Parts> = None;
    for (ai, value) in elements {
        let Some(key) = Key::from_ai(ai) else {
            continue;
        };
        match &found {
            Some(first) if first.key != key || first.value != *value => {
                return Err(Gs1Error::TwoKeys(first.key, key));
            }
            _ => found = Some(Parts::new(key, value.clone())),
        }
    }
    let mut parts = found.ok_or(Gs1Error::NoKeyElement)?;
    for (ai, value) in elements {
        let qualifier = Qualifier::from_ai(ai).filter(|&qualifier| parts.key.takes(qualifier));
        let Some(qualifier) = qualifier else { continue };
        let before = parts.qualifiers.insert(qualifier, value.clone());
        if before.is_some_and(|before| before != *value) {
            return Err(Gs1Error::QualifierOrder(qualifier));
        }
    }
    Ok(parts)
}

/// `(01)09521001000017(10)L1`; inside a value `\(` stands for a bracket.
fn bracketed(mut rest: &str) -> Result<Vec<Element>, Gs1Error> {
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (ai, after) = opening(rest).ok_or_else(|| unknown(rest))?;
        check_ai(ai)?;
        let end = value_end(after);
        push(&mut elements, ai, after[..end].replace("\\(", "("))?;
        rest = &after[end..];
    }
    Ok(elements)
}

/// Where the value ends: at the next unescaped `(NN)`, or at the end of the text.
fn value_end(text: &str) -> usize {
    let starts = text.match_indices('(').map(|(at, _)| at);
    let mut openings =
        starts.filter(|&at| !text[..at].ends_with('\\') && opening(&text[at..]).is_some());
    openings.next().unwrap_or(text.len())
}

/// Splits `(NN)rest`, 2 to 4 digits.
fn opening(text: &str) -> Option<(&str, &str)> {
    let (ai, rest) = text.strip_prefix('(')?.split_once(')')?;
    let holds = (2..=4).contains(&ai.len()) && ai.bytes().all(|byte| byte.is_ascii_digit());
    holds.then_some((ai, rest))
}

/// As a scanner sends it: elements of predefined length, others ended by FNC1.
fn plain(text: &str) -> Result<Vec<Element>, Gs1Error> {
    let mut rest = without_symbology(text).trim_start_matches(FNC1);
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let length = ai_length(rest).ok_or_else(|| unknown(rest))?;
        let (ai, after) = rest.split_at_checked(length).ok_or_else(|| unknown(rest))?;
        check_ai(ai)?;
        let end = match predefined_length(ai) {
            Some(total) => total - length,
            None => after.find(FNC1).unwrap_or(after.len()),
        };
        let (value, next) = after
            .split_at_checked(end)
            .ok_or_else(|| Gs1Error::NoValue(ai.to_owned()))?;
        push(&mut elements, ai, value.to_owned())?;
        rest = next.strip_prefix(FNC1).unwrap_or(next);
    }
    Ok(elements)
}

/// Cuts off a symbology identifier (ISO/IEC 15424) such as `]d2`.
fn without_symbology(text: &str) -> &str {
    match text.strip_prefix(']') {
        Some(rest) if rest.is_char_boundary(2) => &rest[2..],
        _ => text,
    }
}

fn push(elements: &mut Vec<Element>, ai: &str, value: String) -> Result<(), Gs1Error> {
    if value.is_empty() {
        return Err(Gs1Error::NoValue(ai.to_owned()));
    }
    if elements.len() == MAX_ELEMENTS {
        return Err(Gs1Error::TooManyElements(MAX_ELEMENTS));
    }
    elements.push((ai.to_owned(), value));
    Ok(())
}

fn check_ai(ai: &str) -> Result<(), Gs1Error> {
    let digits = ai.bytes().all(|byte| byte.is_ascii_digit());
    if digits && ai_length(ai) == Some(ai.len()) {
        Ok(())
    } else {
        Err(unknown(ai))
    }
}

fn unknown(text: &str) -> Gs1Error {
    Gs1Error::UnknownElement(text.chars().take(6).collect())
}

/// How many digits the application identifier at the start has, told by its first two.
fn ai_length(text: &str) -> Option<usize> {
    match text.get(..2)? {
        "00" | "01" | "02" | "03" | "04" | "10" | "11" | "12" | "13" | "14" | "15" | "16"
        | "17" | "18" | "19" | "20" | "21" | "22" | "30" | "37" | "90" | "91" | "92" | "93"
        | "94" | "95" | "96" | "97" | "98" | "99" => Some(2),
        "23" | "24" | "25" | "40" | "41" | "42" | "71" => Some(3),
        "31" | "32" | "33" | "34" | "35" | "36" | "39" | "43" | "70" | "72" | "80" | "81"
        | "82" => Some(4),
        _ => None,
    }
}

/// Characters of identifier and value together where no FNC1 is needed (General Specifications,
/// table of element strings of predefined length).
fn predefined_length(ai: &str) -> Option<usize> {
    match ai.get(..2)? {
        "00" => Some(20),
        "01" | "02" | "03" | "41" => Some(16),
        "04" => Some(18),
        "11" | "12" | "13" | "14" | "15" | "16" | "17" | "18" | "19" => Some(8),
        "20" => Some(4),
        "31" | "32" | "33" | "34" | "35" | "36" => Some(10),
        _ => None,
    }
}
