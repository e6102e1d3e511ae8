//! EPCIS documents as others send them, taken apart into events that can be signed.
//!
//! A signed event stands alone (`statement.md` section 2.1): the document's `@context` is copied
//! into it, white space between members goes, an escaped member name is written out, and of a name
//! that stands twice the last value counts, as JSON readers have it (GS1's own examples have such an
//! event); [`Document::repeated`] names them. The bytes of every value stay as they were sent. What a document is: EPCIS 2.0 section 10 (JSON binding), an
//! `EPCISDocument`, an `EPCISQueryDocument`, or one bare event.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::epcis::rule;
use crate::event::{Event, EventError};
use crate::ijson::{DEPTH_MAX, IJsonError, Scanner};

/// Deepest nesting of a document: an event's own depth below the members that hold its list.
pub const DOCUMENT_DEPTH_MAX: usize = DEPTH_MAX + 5;

/// What a document may hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events.
    pub events: usize,
    /// Bytes of all events together, with the context in each.
    pub event_bytes: usize,
}

/// A text that is no document; nothing of it can be captured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not UTF-8, or with a byte order mark.
    #[error("the document is not UTF-8 without a byte order mark")]
    Utf8,
    /// Not one JSON value by RFC 7493.
    #[error("the document is not I-JSON")]
    Json(#[from] IJsonError),
    /// A member that a document must have is not there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A member of another type or form.
    #[error("`{path}` must be {form}")]
    Form {
        /// Path from the document, empty for the document itself.
        path: &'static str,
        /// What it must be.
        form: &'static str,
    },
    /// More events than are taken.
    #[error("the document holds more than {0} events")]
    TooManyEvents(usize),
    /// The events are too long with the context in each.
    #[error(
        "the events together with the document's context in each of them are longer than {0} bytes"
    )]
    TooLong(usize),
}

impl DocumentError {
    /// True for what a caller mends by sending less at once.
    #[must_use]
    pub const fn is_limit(&self) -> bool {
        matches!(self, Self::TooManyEvents(_) | Self::TooLong(_))
    }
}

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `EPCISDocument`.
    Document,
    /// `EPCISQueryDocument`.
    QueryDocument,
    /// One event.
    Event,
}

impl Kind {
    /// Path of the list of events; empty for a bare event.
    #[must_use]
    pub const fn list(self) -> &'static str {
        match self {
            Self::Document => "epcisBody.eventList",
            Self::QueryDocument => "epcisBody.queryResults.resultsBody.eventList",
            Self::Event => "",
        }
    }

    /// Path of a member of the event at `index`, `member` empty for the event itself.
    #[must_use]
    pub fn path(self, index: usize, member: &str) -> String {
        let event = match self {
            Self::Event => String::new(),
            list => format!("{}[{index}]", list.list()),
        };
        match (event.is_empty(), member.is_empty()) {
            (_, true) => event,
            (true, _) => member.to_owned(),
            (false, _) => format!("{event}.{member}"),
        }
    }
}

/// A document taken apart.
#[derive(Debug)]
pub struct Document {
    /// What was sent.
    pub kind: Kind,
    /// Its events in order, each on its own, or why one cannot be signed.
    pub events: Vec<Result<Event, EventError>>,
    /// (event, name) where a member stood twice in an event and the last one counts.
    pub repeated: Vec<(usize, String)>,
}

impl Document {
    /// Takes a document apart.
    ///
    /// # Errors
    /// [`DocumentError`] where the whole cannot be read; what is wrong with one event stands in its
    /// place in [`Document::events`].
    pub fn parse(bytes: &[u8], limits: Limits) -> Result<Self, DocumentError> {
        let text = std::str::from_utf8(bytes).map_err(|_| DocumentError::Utf8)?;
        if text.starts_with('\u{feff}') {
            return Err(DocumentError::Utf8);
        }
        let top = whole(text)?;
        let kind = kind(text, &top)?;
        if kind != Kind::Event {
            once(&top)?;
        }
        let context = find(&top, "@context").ok_or(DocumentError::Missing("@context"))?;
        let context = &text[context.clone()];
        check_context(context)?;
        let found = match kind {
            Kind::Event => vec![event_range(text)],
            _ => {
                check_head(text, &top)?;
                list(text, &top, kind)?
            }
        };
        if found.len() > limits.events {
            return Err(DocumentError::TooManyEvents(limits.events));
        }
        let inherited = (kind != Kind::Event).then_some(context);
        let mut document = Self {
            kind,
            events: Vec::with_capacity(found.len()),
            repeated: Vec::new(),
        };
        document.take(text, &found, inherited, limits.event_bytes)?;
        Ok(document)
    }

    fn take(
        &mut self,
        text: &str,
        found: &[Range<usize>],
        context: Option<&str>,
        most: usize,
    ) -> Result<(), DocumentError> {
        let mut total = 0_usize;
        for (index, range) in found.iter().enumerate() {
            let mut repeated = Vec::new();
            let compact = compact(text, range, context, &mut repeated);
            total += compact.as_ref().map_or(0, Vec::len);
            if total > most {
                return Err(DocumentError::TooLong(most));
            }
            self.events.push(compact.and_then(Event::parse));
            let named = repeated.into_iter().map(|name| (index, name));
            self.repeated.extend(named);
        }
        Ok(())
    }
}

/// A member: its unescaped name, its value.
struct Member {
    name: String,
    value: Range<usize>,
}

/// The last value of a name.
fn find<'m>(members: &'m [Member], name: &str) -> Option<&'m Range<usize>> {
    members.iter().rfind(|m| m.name == name).map(|m| &m.value)
}

/// Members of the one object that the text is.
fn whole(text: &str) -> Result<Vec<Member>, DocumentError> {
    let mut scanner = Scanner::at(text, 0, DOCUMENT_DEPTH_MAX);
    scanner.space();
    if scanner.peek() != Some(b'{') {
        return Err(form("", "an object"));
    }
    let (members, end) = members(text, scanner.at, DOCUMENT_DEPTH_MAX)?;
    scanner.at = end;
    scanner.space();
    if scanner.at == text.len() {
        Ok(members)
    } else {
        Err(IJsonError::Grammar(scanner.at).into())
    }
}

/// Members of the object that begins at `at`, repeated names too, and where it ends. Its values may
/// reach down to `deepest`, the object itself being depth 1.
fn members(text: &str, at: usize, deepest: usize) -> Result<(Vec<Member>, usize), IJsonError> {
    let mut scanner = Scanner::lenient(text, at, deepest);
    let mut members = Vec::new();
    scanner.eat(b'{')?;
    scanner.space();
    if scanner.eat(b'}').is_ok() {
        return Ok((members, scanner.at));
    }
    loop {
        let name = scanner.string()?.into_owned();
        scanner.space();
        scanner.eat(b':')?;
        scanner.space();
        let start = scanner.at;
        scanner.value(2)?;
        let value = start..scanner.at;
        members.push(Member { name, value });
        if scanner.closed(b'}')? {
            return Ok((members, scanner.at));
        }
    }
}

/// Entries of the array in `range`, which was scanned before.
fn entries(text: &str, range: &Range<usize>) -> Result<Vec<Range<usize>>, IJsonError> {
    let mut scanner = Scanner::lenient(text, range.start, DOCUMENT_DEPTH_MAX);
    let mut entries = Vec::new();
    scanner.eat(b'[')?;
    scanner.space();
    if scanner.eat(b']').is_ok() {
        return Ok(entries);
    }
    loop {
        let start = scanner.at;
        scanner.value(1)?;
        entries.push(start..scanner.at);
        if scanner.closed(b']')? {
            return Ok(entries);
        }
    }
}

const fn form(path: &'static str, form: &'static str) -> DocumentError {
    DocumentError::Form { path, form }
}

/// A member's value if it is a string.
fn string(text: &str, range: &Range<usize>) -> Option<String> {
    let mut scanner = Scanner::at(text, range.start, 1);
    scanner.string().ok().map(Cow::into_owned)
}

fn kind(text: &str, top: &[Member]) -> Result<Kind, DocumentError> {
    let value = find(top, "type").ok_or(DocumentError::Missing("type"))?;
    match string(text, value).as_deref() {
        Some("EPCISDocument") => Ok(Kind::Document),
        Some("EPCISQueryDocument") => Ok(Kind::QueryDocument),
        Some(name) if rule::EVENT_TYPES.contains(&name) => Ok(Kind::Event),
        _ => Err(form(
            "type",
            "`EPCISDocument`, `EPCISQueryDocument` or the type of an event",
        )),
    }
}

/// A context is a URI, an object, or a list of these.
fn check_context(context: &str) -> Result<(), DocumentError> {
    match context.as_bytes().first() {
        Some(b'"' | b'{' | b'[') => Ok(()),
        _ => Err(form("@context", "a URI, an object or a list of these")),
    }
}

/// Version and date of a document.
fn check_head(text: &str, top: &[Member]) -> Result<(), DocumentError> {
    let member = |name| find(top, name).ok_or(DocumentError::Missing(name));
    let version = string(text, member("schemaVersion")?);
    if !version.is_some_and(|version| version == "2" || version.starts_with("2.")) {
        return Err(form("schemaVersion", "a version 2 of EPCIS, as \"2.0\""));
    }
    let date = string(text, member("creationDate")?);
    match date.as_deref().and_then(rule::parse_event_time) {
        Some(_) => Ok(()),
        None => Err(form("creationDate", "an instant with its offset")),
    }
}

/// What holds the events must be read alike by everybody.
fn once(members: &[Member]) -> Result<(), DocumentError> {
    let mut names = BTreeSet::new();
    match members.iter().find(|member| !names.insert(&member.name)) {
        None => Ok(()),
        Some(twice) => Err(IJsonError::DuplicateName(twice.value.start).into()),
    }
}

/// Where the events stand.
fn list(text: &str, top: &[Member], kind: Kind) -> Result<Vec<Range<usize>>, DocumentError> {
    let body = inner(text, top, "epcisBody", "epcisBody")?;
    let list = if kind == Kind::Document {
        let path = "epcisBody.eventList";
        find(&body, "eventList")
            .ok_or(DocumentError::Missing(path))?
            .clone()
    } else {
        let path = "epcisBody.queryResults";
        let results = inner(text, &body, "queryResults", path)?;
        let path = "epcisBody.queryResults.resultsBody";
        let results = inner(text, &results, "resultsBody", path)?;
        let path = "epcisBody.queryResults.resultsBody.eventList";
        find(&results, "eventList")
            .ok_or(DocumentError::Missing(path))?
            .clone()
    };
    if text.as_bytes().get(list.start) != Some(&b'[') {
        return Err(form(kind.list(), "a list of events"));
    }
    Ok(entries(text, &list)?)
}

/// Members of a member that is an object.
fn inner(
    text: &str,
    of: &[Member],
    name: &str,
    path: &'static str,
) -> Result<Vec<Member>, DocumentError> {
    let value = find(of, name).ok_or(DocumentError::Missing(path))?;
    if text.as_bytes().get(value.start) != Some(&b'{') {
        return Err(form(path, "an object"));
    }
    let (members, _) = members(text, value.start, DOCUMENT_DEPTH_MAX)?;
    once(&members)?;
    Ok(members)
}

/// A bare event without the white space around it.
fn event_range(text: &str) -> Range<usize> {
    let start = text.len() - text.trim_start().len();
    start..text.trim_end().len()
}

/// One event without white space between its members and with the context in it.
fn compact(
    text: &str,
    range: &Range<usize>,
    context: Option<&str>,
    repeated: &mut Vec<String>,
) -> Result<Vec<u8>, EventError> {
    if text.as_bytes().get(range.start) != Some(&b'{') {
        return Err(EventError::Form(0));
    }
    let (members, _) = members(text, range.start, DEPTH_MAX)?;
    let later = repeated_later(&members);
    let own = find(&members, "@context").map(|value| &text[value.clone()]);
    let mut out = Vec::with_capacity(range.len() + context.map_or(0, str::len) + 16);
    out.push(b'{');
    if let Some(context) = context {
        push(&mut out, "@context", &joined(context, own));
    }
    for (at, member) in members.iter().enumerate() {
        if context.is_some() && member.name == "@context" {
            continue;
        }
        if later.contains(&(member.name.as_str(), at)) {
            repeated.push(member.name.clone());
            continue;
        }
        // A name with a quote, a backslash or a control character has no unescaped form; the
        // bytes made of it are refused by the event's own rules.
        push(&mut out, &member.name, &text[member.value.clone()]);
    }
    out.push(b'}');
    Ok(out)
}

/// Members whose name stands again behind them.
fn repeated_later(members: &[Member]) -> BTreeSet<(&str, usize)> {
    let mut seen = BTreeSet::new();
    let backwards = members.iter().enumerate().rev();
    backwards
        .filter(|(_, member)| !seen.insert(member.name.as_str()))
        .map(|(at, member)| (member.name.as_str(), at))
        .collect()
}

fn push(out: &mut Vec<u8>, name: &str, value: &str) {
    if out.len() > 1 {
        out.push(b',');
    }
    out.push(b'"');
    if name
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        out.extend_from_slice(name.as_bytes());
    }
    out.extend_from_slice(b"\":");
    out.extend_from_slice(value.as_bytes());
}

/// The document's context, and after it the event's own where it has one: a list applies from left
/// to right (JSON-LD 1.1 section 4.1).
fn joined(outer: &str, own: Option<&str>) -> String {
    let Some(own) = own else {
        return outer.to_owned();
    };
    let parts: Vec<&str> = [outer, own]
        .into_iter()
        .map(|part| {
            let inner = part
                .strip_prefix('[')
                .and_then(|part| part.strip_suffix(']'));
            inner.unwrap_or(part).trim()
        })
        .filter(|part| !part.is_empty())
        .collect();
    format!("[{}]", parts.join(","))
}

#[cfg(test)]
mod tests;
