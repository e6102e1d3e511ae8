//! Which events of a document can be captured, and what is wrong with the others.

use schemas::causes::causes;
use schemas::document::Document;
use schemas::epcis::{self, rule};
use schemas::event::Event;
use schemas::registry::Record;
use serde_json::{Value, json};

/// Most faults that are told of one document.
pub const FAULTS_MAX: usize = 100;
/// Encoded form of no fault.
pub(super) const NO_FAULTS: &str = "[]";

/// Something wrong with a document's event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Path from the document, for example `epcisBody.eventList[3].bizStep`.
    pub path: String,
    /// What is wrong, for people.
    pub detail: String,
}

/// An event that can be captured, with its place in the document.
pub(super) type Fit<'d> = (u64, &'d Event);

/// Parts a document's events into those that can be captured and what is wrong with the others, in
/// the order of the document; at most [`FAULTS_MAX`] faults are named.
pub(super) fn judge<'d>(document: &'d Document, record: &Record) -> (Vec<Fit<'d>>, Vec<Fault>) {
    let (mut fit, mut faults) = (Vec::new(), Vec::new());
    for (index, event) in document.events.iter().enumerate() {
        let found = match event {
            Ok(event) => faults_of(event, record),
            Err(error) => vec![(String::new(), causes(error))],
        };
        match event {
            Ok(event) if found.is_empty() => fit.push((index as u64, event)),
            _ => faults.extend(found.into_iter().map(|(member, detail)| Fault {
                path: document.kind.path(index, &member),
                detail,
            })),
        }
    }
    faults.truncate(FAULTS_MAX);
    (fit, faults)
}

/// (path within the event, what is wrong).
fn faults_of(event: &Event, record: &Record) -> Vec<(String, String)> {
    let value: Value = serde_json::from_slice(event.bytes()).unwrap_or(Value::Null);
    let mut faults: Vec<_> = epcis::validate(&value)
        .err()
        .into_iter()
        .flatten()
        .map(|violation| (violation.path.clone(), violation.problem.to_string()))
        .collect();
    let step = value
        .get("bizStep")
        .map(|step| rule::step(step, &record.steps));
    if let Some(Err(code)) = step {
        let detail = format!("this caller may not declare this step ({code})");
        faults.push(("bizStep".into(), detail));
    }
    let place = value
        .get("readPoint")
        .map(|at| rule::place(at, &record.places));
    if let Some(Err(code)) = place {
        let detail = format!("this caller may not declare this place ({code})");
        faults.push(("readPoint.id".into(), detail));
    }
    faults
}

/// Members that stood twice in an event.
pub(super) fn warnings(document: &Document) -> String {
    let one = |(index, name): &(usize, String)| {
        json!({
            "path": document.kind.path(*index, name),
            "detail": "stood more than once in the event; the last value counts",
        })
    };
    let named = document.repeated.iter().take(FAULTS_MAX).map(one);
    Value::from(named.collect::<Vec<_>>()).to_string()
}

/// As a job tells them: a list of problem details (RFC 9457) with `path` added.
pub(super) fn encode(faults: &[Fault]) -> String {
    let one = |fault: &Fault| {
        json!({
            "type": "epcisException:ValidationException",
            "title": "The event cannot be captured",
            "status": 400,
            "detail": format!("{}: {}", fault.path, fault.detail),
            "path": fault.path,
        })
    };
    Value::from(faults.iter().map(one).collect::<Vec<_>>()).to_string()
}
