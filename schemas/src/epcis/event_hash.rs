//! The event hash of CBV 2.0 (section 8.9): one name for one event, however it is written.
//!
//! Members are brought into one order and form and joined to a text, whose SHA-256 is the name. It
//! leaves out `recordTime`, `eventID`, `errorDeclaration`, `@context` and comments, so nothing that
//! is proven may rest on it: it serves to find the same event again.
//!
//! Where the standard leaves room, the published vectors decide: destinations come before sources,
//! a type before what it qualifies, times are rounded to the millisecond by their fourth digit.
//! Numbers are reduced (`452.0` is `452`), text that looks like one is not.

mod context;
mod order;

use serde_json::{Map, Value};

use self::context::Names;
use self::order::{EVENT, Field, Form};
use super::rule::parse_event_time;
use crate::gs1;
use crate::hash::sha256;

/// The hash of an event as `ni:///sha-256;<64 hex digits>?ver=CBV2.0`. Prefixes are resolved by
/// the event's own `@context`. An event that is not valid has a hash too, of no use.
#[must_use]
pub fn cbv_hash(event: &Value) -> String {
    cbv_hash_ignoring(event, &[])
}

/// [`cbv_hash`] without some extension members of the event, each named as
/// `{namespace}local name`: those that a repository has added on the way.
#[must_use]
pub fn cbv_hash_ignoring(event: &Value, ignored: &[&str]) -> String {
    let hash = sha256(pre_hash(event, ignored).as_bytes());
    format!("ni:///sha-256;{hash}?ver=CBV2.0")
}

/// The text that is hashed, for finding out why two hashes differ.
#[must_use]
pub fn pre_hash(event: &Value, ignored: &[&str]) -> String {
    let mut text = String::new();
    if let Some(members) = event.as_object() {
        if let Some(event_type) = members.get("type").and_then(Value::as_str) {
            text = format!("eventType={event_type}");
        }
        let writer = Writer {
            names: Names::of(event),
            ignored,
        };
        writer.object(&mut text, members, EVENT);
    }
    text
}

struct Writer<'a> {
    names: Names<'a>,
    ignored: &'a [&'a str],
}

impl Writer<'_> {
    /// Members of the standard in their order, then all others as extensions, sorted.
    fn object(&self, out: &mut String, members: &Map<String, Value>, fields: &[Field]) {
        for field in fields {
            if let Some(value) = members.get(field.name) {
                self.field(out, field, value);
            }
        }
        let own = |name: &str| fields.iter().any(|field| field.name == name) || left_out(name);
        let others = members.iter().filter(|(name, _)| !own(name));
        out.push_str(&self.extensions(others));
    }

    fn field(&self, out: &mut String, field: &Field, value: &Value) {
        let name = field.name;
        match field.form {
            Form::LeftOut => {}
            Form::Time | Form::Text | Form::Word(_) => {
                out.push_str(&joined(
                    entries(value).map(|entry| self.pair(name, &field.form, entry)),
                ));
            }
            Form::Things(label) => {
                out.push_str(name);
                out.push_str(&joined(
                    entries(value).map(|entry| self.pair(label, &Form::Text, entry)),
                ));
            }
            Form::Object(fields) => {
                out.push_str(name);
                self.members(out, value, fields);
            }
            Form::Objects {
                heading,
                label,
                fields,
            } => {
                out.push_str(heading);
                out.push_str(&joined(entries(value).map(|entry| {
                    let mut text = label.to_owned();
                    self.members(&mut text, entry, fields);
                    text
                })));
            }
        }
    }

    fn members(&self, out: &mut String, value: &Value, fields: &[Field]) {
        if let Some(members) = value.as_object() {
            self.object(out, members, fields);
        }
    }

    fn pair(&self, name: &str, form: &Form, value: &Value) -> String {
        let text = scalar(value);
        let text = match form {
            Form::Time => utc_milliseconds(&text).unwrap_or(text),
            Form::Word(vocabulary) => vocabulary.full(&self.names.expand(&text)),
            _ => gs1::normalise_uri(&text).unwrap_or(text),
        };
        format!("{name}={text}")
    }

    fn extensions<'v>(&self, members: impl Iterator<Item = (&'v String, &'v Value)>) -> String {
        joined(members.filter_map(|(name, value)| {
            let name = self.names.full(name);
            let counts = !self.ignored.contains(&&*name) && name != context::COMMENT;
            counts.then(|| self.extension(&name, value))
        }))
    }

    /// An extension with its full name; a list repeats the name, as XML would.
    fn extension(&self, name: &str, value: &Value) -> String {
        match value {
            Value::Array(entries) => {
                joined(entries.iter().map(|entry| self.extension(name, entry)))
            }
            Value::Object(members) => format!("{name}{}", self.extensions(members.iter())),
            _ => self.pair(name, &Form::Text, value),
        }
    }
}

/// JSON-LD's own members, which say nothing about the event.
fn left_out(name: &str) -> bool {
    name.starts_with('@')
}

/// The entries of a list, or the value itself.
fn entries(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter()
}

/// Sorted by bytes and put together.
fn joined(texts: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    texts.concat()
}

/// A value as text without surrounding white space; numbers without trailing zeros.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        // Rust writes a float with the fewest digits that give it back, and never an exponent.
        Value::Number(number) if number.is_f64() => number
            .as_f64()
            .map_or_else(String::new, |float| float.to_string()),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `YYYY-MM-DDThh:mm:ss.SSSZ`; the fourth digit of the fraction rounds.
fn utc_milliseconds(text: &str) -> Option<String> {
    let time = parse_event_time(text)?;
    let rounded = (i64::from(time.nanos) / 100_000 + 5) / 10;
    let instant = chrono::DateTime::from_timestamp_millis(time.seconds * 1_000 + rounded)?;
    Some(instant.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests;
