//! Readings and scan lines to EPCIS 2.0 events, as compact JSON in the exact form of
//! `schemas/docs/statement.md` section 2.1.
//!
//! Every event is self-contained (it carries its `@context`) and is parsed and validated again by
//! [`schemas`] before it goes on, so that what this crate writes is what the platform accepts.
//! Pure: no clock, no disk. What has to outlive a restart (readings that wait, an open window, a
//! half-packed case) is a value that the outbox stores with the events made of it.

pub(crate) mod code;
pub mod desk;
pub(crate) mod figures;
pub mod line;
pub mod presence;
pub mod sensor;
pub mod series;

use schemas::event::Event;
use schemas::time::Instant;
use serde_json::{Map, Value, json};

use self::presence::Item;

/// Context of EPCIS 2.0 itself.
pub const EPCIS_CONTEXT: &str = "https://ref.gs1.org/standards/epcis/epcis-context.jsonld";
/// Namespace of our own members (`schemas/docs/vocabulary.md`).
pub const TB_NAMESPACE: &str = "https://ns.tracebond.example/epcis/";

/// An event that may not be signed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ComposeError {
    /// The line is not what the scan format says.
    #[error("{0}")]
    Line(String),
    /// An identifier that GS1 does not know.
    #[error("{0}")]
    Name(String),
    /// It breaks `statement.md` section 2.1.
    #[error("not the form of an event: {0}")]
    Form(String),
    /// It breaks a rule of EPCIS.
    #[error("{0}")]
    Rule(String),
}

/// What an event is worth when room runs out: the outbox never drops what is of a thing's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Something happened to goods, or a reading was beyond its limits: kept at any cost.
    LifeCycle,
    /// Readings that say nothing but that all is as before: old ones may be thinned.
    Telemetry,
}

/// An event to be signed and what it is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// To be signed.
    pub event: Event,
    /// Whether it may be thinned.
    pub weight: Weight,
}

/// The members that every event begins with.
fn head(kind: &str, time: String, offset: String) -> Map<String, Value> {
    let mut event = Map::new();
    event.insert(
        "@context".to_owned(),
        json!([EPCIS_CONTEXT, { "tb": TB_NAMESPACE }]),
    );
    event.insert("type".to_owned(), kind.into());
    event.insert("eventTime".to_owned(), time.into());
    event.insert("eventTimeZoneOffset".to_owned(), offset.into());
    event
}

/// Things under one name, amounts of classes under another; neither where there are none.
fn put_items(event: &mut Map<String, Value>, things: &str, classes: &str, items: &[Item]) {
    let one = items.iter().filter(|item| item.amount.is_none());
    let one: Vec<&str> = one.map(|item| item.uri.as_str()).collect();
    let many: Vec<Value> = items.iter().filter_map(Item::quantity_element).collect();
    if !one.is_empty() {
        event.insert(things.to_owned(), json!(one));
    }
    if !many.is_empty() {
        event.insert(classes.to_owned(), json!(many));
    }
}

/// Where an event took place.
fn put_places(event: &mut Map<String, Value>, place: &str, biz_location: Option<&str>) {
    event.insert("readPoint".to_owned(), json!({ "id": place }));
    if let Some(location) = biz_location {
        event.insert("bizLocation".to_owned(), json!({ "id": location }));
    }
}

/// `2026-11-22T01:02:03Z`, with microseconds only where there are some.
fn time_text(at: Instant) -> String {
    let text = at.to_rfc3339();
    match text.strip_suffix(".000000Z") {
        Some(whole) => format!("{whole}Z"),
        None => text,
    }
}

/// `+08:00` of minutes east of UTC.
pub(crate) fn offset_text(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// The event to be signed, if it obeys form and rules: the same that ingest repeats.
fn finish(event: Map<String, Value>) -> Result<Event, ComposeError> {
    let event = Value::Object(event);
    if let Some(violation) = schemas::epcis::first_violation(&event) {
        return Err(ComposeError::Rule(violation.to_string()));
    }
    let bytes = event.to_string().into_bytes();
    Event::parse(bytes).map_err(|error| ComposeError::Form(error.to_string()))
}

#[cfg(test)]
mod tests;
