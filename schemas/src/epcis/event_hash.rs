//! The event hash of CBV 2.0 (section 8.9): one name for one event, however it is written.
//!
//! Members are brought into one order and form and joined to a text, whose SHA-256 is the name. It
//! leaves out `recordTime`, `eventID`, `errorDeclaration`, `@context` and comments, so nothing that
//! is proven may rest on it: it serves to find the same event again.
//!
//! Where the standard leaves room, the published vectors decide: sensor data comes before business
//! transactions, those before destinations, those before sources; a type before what it qualifies;
//! times are rounded to the millisecond by their fourth digit; what looks like a number is written
//! as the shortest one (`452.0` is `452`), also where JSON has it as text, because the XML of the
//! same event knows no difference and must have the same hash; prefixes in values are resolved where
//! they are GS1's own, in names always; what is empty is left out.
//!
//! `schemas/tests/event_hash.rs` compares it with a second implementation and names each case in
//! which that one differs, with the reason.

mod context;
mod order;
mod scalar;

use serde_json::{Map, Value};

use self::context::Names;
use self::order::{EVENT, Field, Form, MAX_FIELDS};
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
    let Some(members) = event.as_object() else {
        return String::new();
    };
    let mut writer = Writer {
        names: Names::of(event),
        ignored,
        out: String::with_capacity(TEXT_BYTES),
        pieces: Vec::with_capacity(PIECES),
        arranged: String::new(),
    };
    if let Some(event_type) = members.get("type").and_then(Value::as_str) {
        writer.out.push_str("eventType=");
        writer.out.push_str(event_type);
    }
    writer.object(members, EVENT);
    writer.out
}

/// Mean cost of [`cbv_hash`] in microseconds, over `rounds` times all events, by the caller's clock
/// (which counts nanoseconds; this crate has none). 0 for no events.
pub fn hash_cost_us(events: &[Value], rounds: u32, nanoseconds: impl Fn() -> u64) -> f64 {
    let began = nanoseconds();
    let mut bytes = 0;
    for _ in 0..rounds {
        bytes += events
            .iter()
            .map(|event| cbv_hash(event).len())
            .sum::<usize>();
    }
    // The sum is used, so that no compiler may leave the work out.
    if bytes == 0 {
        return 0.0;
    }
    let hashes = f64::from(rounds) * events.len() as f64;
    nanoseconds().saturating_sub(began) as f64 / 1_000.0 / hashes
}

/// Bytes that the text of most events does not exceed.
const TEXT_BYTES: usize = 2_048;

/// Pieces that most events do not exceed.
const PIECES: usize = 64;

/// Writes the text into one buffer; what must be sorted is written in its own order and arranged
/// afterwards, which most of it needs not.
struct Writer<'a> {
    names: Names<'a>,
    ignored: &'a [&'a str],
    out: String,
    /// Ends of the pieces that are to be sorted, a stack of lists.
    pieces: Vec<usize>,
    /// Room for arranging.
    arranged: String,
}

impl Writer<'_> {
    /// Members of the standard in their order, then all others as extensions, sorted.
    fn object(&mut self, members: &Map<String, Value>, fields: &'static [Field]) {
        let mut known: [Option<&Value>; MAX_FIELDS] = [None; MAX_FIELDS];
        let mut others = false;
        for (name, value) in members {
            match position(fields, name) {
                Some(at) => known[at] = Some(value),
                None => others |= !left_out(name),
            }
        }
        for (field, value) in fields.iter().zip(known) {
            if let Some(value) = value {
                self.field(field, value);
            }
        }
        if others {
            let own = |name: &str| position(fields, name).is_some() || left_out(name);
            self.sorted(
                members.iter().filter(|(name, _)| !own(name)),
                Self::extension,
            );
        }
    }

    fn field(&mut self, field: &Field, value: &Value) {
        match field.form {
            Form::LeftOut => {}
            Form::Time | Form::Text | Form::Word(_) => self.pairs(field.name, &field.form, value),
            Form::Things(label) => {
                self.headed(field.name, |writer| writer.pairs(label, &Form::Text, value));
            }
            Form::Object(fields) => self.headed(field.name, |writer| writer.members(value, fields)),
            Form::Objects {
                heading,
                label,
                fields,
            } => self.headed(heading, |writer| {
                writer.sorted(entries(value), |writer, entry| {
                    writer.headed(label, |writer| writer.members(entry, fields));
                });
            }),
        }
    }

    /// A heading with something behind it; nothing where that is empty.
    fn headed(&mut self, heading: &str, write: impl FnOnce(&mut Self)) {
        let before = self.out.len();
        self.out.push_str(heading);
        let after = self.out.len();
        write(self);
        if self.out.len() == after {
            self.out.truncate(before);
        }
    }

    fn members(&mut self, value: &Value, fields: &'static [Field]) {
        if let Some(members) = value.as_object() {
            self.object(members, fields);
        }
    }

    /// `name=value` for each entry of a list or for the value itself.
    fn pairs(&mut self, name: &str, form: &Form, value: &Value) {
        match value {
            Value::Array(list) => self.sorted(list, |writer, entry| writer.pair(name, form, entry)),
            _ => self.pair(name, form, value),
        }
    }

    fn pair(&mut self, name: &str, form: &Form, value: &Value) {
        self.headed(name, |writer| {
            writer.headed("=", |writer| scalar::write(&mut writer.out, form, value));
        });
    }

    /// An extension with its full name; a list repeats the name, as XML would.
    fn extension(&mut self, (name, value): (&String, &Value)) {
        let before = self.out.len();
        self.names.write_full(name, &mut self.out);
        let full = &self.out[before..];
        if full == context::COMMENT || self.ignored.contains(&full) || value.is_null() {
            self.out.truncate(before);
            return;
        }
        match value {
            Value::Array(list) => {
                self.out.truncate(before);
                self.sorted(list, |writer, entry| writer.extension((name, entry)));
            }
            Value::Object(members) => self.sorted(members, Self::extension),
            _ => self.headed("=", |writer| {
                scalar::write(&mut writer.out, &Form::Text, value)
            }),
        }
    }

    /// Writes each item and brings the pieces into the order of their bytes.
    fn sorted<T>(&mut self, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        let (start, first) = (self.out.len(), self.pieces.len());
        for item in items {
            write(self, item);
            self.pieces.push(self.out.len());
        }
        self.arrange(start, first);
        self.pieces.truncate(first);
    }

    fn arrange(&mut self, start: usize, first: usize) {
        let begins = std::iter::once(start).chain(self.pieces[first..].iter().copied());
        let ends = self.pieces[first..].iter().copied();
        let pieces = begins.zip(ends).map(|(begin, end)| &self.out[begin..end]);
        if pieces.clone().is_sorted() {
            return;
        }
        let mut pieces: Vec<&str> = pieces.collect();
        pieces.sort_unstable();
        self.arranged.clear();
        self.arranged.extend(pieces);
        self.out.truncate(start);
        self.out.push_str(&self.arranged);
    }
}

fn position(fields: &[Field], name: &str) -> Option<usize> {
    fields.iter().position(|field| field.name == name)
}

/// JSON-LD's own members, which say nothing about the event.
fn left_out(name: &str) -> bool {
    name.starts_with('@')
}

/// The entries of a list, or the value itself.
fn entries(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
}

#[cfg(test)]
mod tests;
