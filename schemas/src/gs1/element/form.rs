//! The ways in which an element string is written.

use super::{Element, FNC1, push, unknown};
use crate::gs1::{Gs1Error, dictionary};

/// Symbology identifiers (ISO/IEC 15424) of bar codes that carry element strings: GS1-128, GS1
/// DataBar, GS1 DataMatrix, GS1 QR Code, GS1 DotCode.
const GS1_SYMBOLOGIES: [&str; 5] = ["]C1", "]e0", "]d2", "]Q3", "]J1"];

/// Those of bar codes that carry a bare GTIN: EAN-13 and UPC, EAN-8, ITF-14 without and with its
/// check digit verified.
const RETAIL_SYMBOLOGIES: [&str; 4] = ["]E0", "]E4", "]I0", "]I1"];

/// FNC1 as tools write it where a control character cannot stand.
const CARET: char = '^';

/// Whether the text says by itself that it is an element string: only such a text may begin with
/// any number.
pub(super) fn is_marked(text: &str) -> bool {
    text.starts_with(['(', ']', CARET]) || text.contains(FNC1)
}

/// Splits a text of any form into elements; values are not judged.
pub(super) fn read(text: &str) -> Result<Vec<Element>, Gs1Error> {
    if text.starts_with('(') {
        return read_bracketed(text);
    }
    if let Some(rest) = text.strip_prefix(CARET) {
        return read_plain(rest, CARET);
    }
    if text.starts_with(']') {
        return read_scanned(text);
    }
    if !text.starts_with(FNC1) && !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(Gs1Error::Unrecognised);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && matches!(text.len(), 8 | 12 | 13 | 14) {
        return Err(Gs1Error::BareNumber(text.len()));
    }
    read_plain(text.trim_start_matches(FNC1), FNC1)
}

/// Behind a symbology identifier, of which each has three characters.
fn read_scanned(text: &str) -> Result<Vec<Element>, Gs1Error> {
    let (symbology, rest) = text.split_at_checked(3).unwrap_or((text, ""));
    if GS1_SYMBOLOGIES.contains(&symbology) {
        return read_plain(rest.trim_start_matches(FNC1), FNC1);
    }
    let gtin = rest.bytes().all(|byte| byte.is_ascii_digit());
    if RETAIL_SYMBOLOGIES.contains(&symbology) && gtin && matches!(rest.len(), 8 | 12..=14) {
        let mut elements = Vec::new();
        push(&mut elements, "01", format!("{rest:0>14}"))?;
        return Ok(elements);
    }
    Err(Gs1Error::Symbology(symbology.chars().take(3).collect()))
}

/// `(01)09521001000017(10)L1`; inside a value `\(` stands for a bracket.
fn read_bracketed(mut rest: &str) -> Result<Vec<Element>, Gs1Error> {
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (ai, after) = opening(rest).ok_or_else(|| unknown(rest))?;
        dictionary::entry(ai).ok_or_else(|| unknown(ai))?;
        let end = value_end(after);
        let value = after[..end].replace("\\(", "(");
        push(&mut elements, ai, filled_up(ai, value))?;
        rest = &after[end..];
    }
    Ok(elements)
}

/// People write a GTIN as it stands below its bar code, without leading zeros.
fn filled_up(ai: &str, value: String) -> String {
    if ai == "01" && matches!(value.len(), 8 | 12 | 13) {
        return format!("{value:0>14}");
    }
    value
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

/// As a scanner sends it: elements of a length that every scanner knows, others ended by FNC1.
fn read_plain(mut rest: &str, separator: char) -> Result<Vec<Element>, Gs1Error> {
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (ai, entry) = dictionary::leading(rest).ok_or_else(|| unknown(rest))?;
        let after = &rest[ai.len()..];
        let to_separator = after.find(separator).unwrap_or(after.len());
        let end = match entry.length().filter(|_| entry.fixed) {
            // Cut short by a separator, it is reported with the length that it has.
            Some(length) => length.min(to_separator),
            None => to_separator,
        };
        let (value, next) = after
            .split_at_checked(end)
            .ok_or_else(|| Gs1Error::NoValue(ai.to_owned()))?;
        push(&mut elements, ai, value.to_owned())?;
        rest = next.strip_prefix(separator).unwrap_or(next);
    }
    if elements.is_empty() {
        return Err(Gs1Error::Unrecognised);
    }
    Ok(elements)
}

pub(super) fn bracketed(elements: &[Element]) -> String {
    let one = |element: &Element| format!("({}){}", element.ai, element.value.replace('(', "\\("));
    elements.iter().map(one).collect()
}

pub(super) fn plain(elements: &[Element]) -> String {
    let mut out = String::new();
    for (index, element) in elements.iter().enumerate() {
        out += &element.ai;
        out += &element.value;
        let fixed = dictionary::entry(&element.ai).is_some_and(|entry| entry.fixed);
        if !fixed && index + 1 < elements.len() {
            out.push(FNC1);
        }
    }
    out
}
