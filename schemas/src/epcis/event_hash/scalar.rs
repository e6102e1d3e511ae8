//! How single values are written.

use std::fmt::Write as _;

use chrono::{Datelike as _, Timelike as _};
use serde_json::Value;

use super::gs1;
use super::order::Form;
use crate::epcis::rule::parse_event_time;

/// Prefixes of GS1's own vocabularies, which values may be shortened by.
const PREFIXES: [(&str, &str); 2] = [
    ("cbv:", "https://ref.gs1.org/cbv/"),
    ("gs1:", "https://gs1.org/voc/"),
];

/// Writes a value; nothing for what is empty.
pub(super) fn write(out: &mut String, form: &Form, value: &Value) {
    match value {
        Value::String(written) => text(out, form, written.trim()),
        Value::Number(number) => match number.as_f64() {
            Some(float) => shortest(out, float),
            None => out.push_str(&number.to_string()),
        },
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Null => {}
        // No scalar at all: such an event is not valid, its hash of no use.
        other => out.push_str(&other.to_string()),
    }
}

fn text(out: &mut String, form: &Form, text: &str) {
    match form {
        Form::Time if time(out, text) => {}
        Form::Word(vocabulary) => {
            let prefix = PREFIXES.iter().find(|(prefix, _)| text.starts_with(prefix));
            match prefix {
                Some((prefix, iri)) => {
                    out.push_str(iri);
                    out.push_str(&text[prefix.len()..]);
                }
                None => vocabulary.write_full(text, out),
            }
        }
        _ => match number(text) {
            Some(float) => shortest(out, float),
            None if gs1::write_normalised_uri(text, out) => {}
            None => out.push_str(text),
        },
    }
}

/// A text that is a finite decimal number, as XML would have it.
fn number(text: &str) -> Option<f64> {
    let first = text.bytes().next()?;
    if !first.is_ascii_digit() && !b"+-.".contains(&first) {
        return None;
    }
    let digits = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if !text.bytes().all(digits) {
        return None;
    }
    text.parse().ok().filter(|float: &f64| float.is_finite())
}

/// A whole number with all its digits, any other with the fewest that give it back; never an
/// exponent.
fn shortest(out: &mut String, float: f64) {
    let _ = if float == 0.0 {
        // Negative zero is zero.
        out.write_char('0')
    } else if float.fract() == 0.0 {
        write!(out, "{float:.0}")
    } else {
        write!(out, "{float}")
    };
}

/// `YYYY-MM-DDThh:mm:ss.SSSZ`; the fourth digit of the fraction rounds.
fn time(out: &mut String, text: &str) -> bool {
    let Some(time) = parse_event_time(text) else {
        return false;
    };
    if text.len() == MILLISECOND_FORM && text.ends_with('Z') {
        out.push_str(text);
        return true;
    }
    let rounded = (i64::from(time.nanos) / 100_000 + 5) / 10;
    let Some(at) = chrono::DateTime::from_timestamp_millis(time.seconds * 1_000 + rounded) else {
        return false;
    };
    let (year, month, day) = (at.year(), at.month(), at.day());
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    let millisecond = at.timestamp_subsec_millis();
    let _ = write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z"
    );
    true
}

/// Bytes of an instant in UTC to the millisecond.
const MILLISECOND_FORM: usize = "2026-11-22T01:02:03.000Z".len();
