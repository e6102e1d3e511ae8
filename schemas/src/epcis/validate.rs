//! The walk over an event along its shape.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::facts::EventType;
use super::path::Path;
use super::rule;
use super::shape::{Kind, Level, List, MEMBERS_MOST, Shape, of_event};
use super::unit::is_code;
use super::violation::{Problem, Violation};
use crate::gs1::{self, is_absolute_uri};

/// Most violations that are collected of one event; a stranger's event could break thousands.
pub const MAX_VIOLATIONS: usize = 64;

/// Checks one event against EPCIS 2.0 and CBV 2.0: members and their forms, identifiers with their
/// check digits, standard words, units, rules between members, and rule set 1 but for what needs a
/// device's record. Extension values are not judged, their names must have a namespace.
///
/// # Errors
/// What is wrong, in the order of the standard's members, at most [`MAX_VIOLATIONS`] of it.
pub fn validate(event: &Value) -> Result<(), Vec<Violation>> {
    let violations = collect(event);
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations)
    }
}

/// The first of what [`validate`] reports; `None` for a valid event.
#[must_use]
pub fn first_violation(event: &Value) -> Option<Violation> {
    collect(event).into_iter().next()
}

fn collect(event: &Value) -> Vec<Violation> {
    let mut walk = Walk {
        bound: bound_terms(event.get("@context")),
        violations: Vec::new(),
    };
    walk.event(event);
    walk.violations
}

/// Names that the event's own `@context` binds, so that they need no prefix.
fn bound_terms(context: Option<&Value>) -> BTreeSet<&str> {
    let parts = match context {
        Some(Value::Array(parts)) => parts.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    parts
        .iter()
        .filter_map(Value::as_object)
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect()
}

struct Walk<'e> {
    bound: BTreeSet<&'e str>,
    violations: Vec<Violation>,
}

impl Walk<'_> {
    fn fail(&mut self, path: &Path<'_>, problem: Problem) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(Violation::new(path, problem));
        }
    }

    fn require(&mut self, path: &Path<'_>, holds: bool, form: &'static str) {
        if !holds {
            self.fail(path, Problem::WrongForm(form));
        }
    }

    fn event(&mut self, event: &Value) {
        let path = Path::EVENT;
        let Some(members) = event.as_object() else {
            return self.fail(&path, Problem::WrongForm("an object"));
        };
        let name = members.get("type").and_then(Value::as_str);
        let Some(event_type) = name.and_then(EventType::from_name) else {
            return self.fail(&path.member("type"), Problem::Rule(rule::EVENT_TYPE));
        };
        if let Err(code) = rule::action(name, members.get("action")) {
            self.fail(&path.member("action"), Problem::Rule(code));
        }
        self.object(&path, event, of_event(event_type));
    }

    fn object(&mut self, path: &Path<'_>, value: &Value, shape: &'static Shape) {
        let Some(object) = value.as_object() else {
            return self.fail(path, Problem::WrongForm("an object"));
        };
        let (values, unknown) = self.sorted(object, shape);
        for (member, value) in shape.members().zip(values) {
            match value {
                Some(value) => self.value(&path.member(member.name), value, &member.kind),
                None if member.required => self.missing(path, member.name, &member.kind),
                None => {}
            }
        }
        for name in unknown {
            self.fail(&path.member(name), Problem::UnknownMember);
        }
        for rule in shape.rules {
            match rule(object) {
                Some(("", problem)) => self.fail(path, problem),
                Some((member, problem)) => self.fail(&path.member(member), problem),
                None => {}
            }
        }
        for fault in shape.inner.iter().flat_map(|rule| rule(object)) {
            let list = path.member(fault.list);
            let entry = list.index(fault.index);
            self.fail(&entry.member(fault.member), fault.problem);
        }
    }

    /// A member that rule set 1 asks for is missing by that rule's code.
    fn missing(&mut self, path: &Path<'_>, name: &'static str, kind: &Kind) {
        let problem = match kind {
            Kind::Rule(rule) => rule(&Value::Null).err().map(Problem::Rule),
            _ => None,
        };
        self.fail(&path.member(name), problem.unwrap_or(Problem::Missing));
    }

    /// The object's values in the order of the shape's members, and names that may not stand in it.
    /// The entries are gone through instead of being looked up: there are few of them.
    fn sorted<'v>(
        &self,
        object: &'v Map<String, Value>,
        shape: &Shape,
    ) -> ([Option<&'v Value>; MEMBERS_MOST], Vec<&'v str>) {
        let mut values = [None; MEMBERS_MOST];
        let mut unknown = Vec::new();
        for (name, value) in object {
            let place = shape.members().position(|member| member.name == name);
            match place.and_then(|place| values.get_mut(place)) {
                Some(found) => *found = Some(value),
                None if shape.extensible && self.may_extend(name) => {}
                None => unknown.push(name.as_str()),
            }
        }
        (values, unknown)
    }

    fn may_extend(&self, name: &str) -> bool {
        has_namespace(name) || self.bound.contains(name)
    }

    fn value(&mut self, path: &Path<'_>, value: &Value, kind: &Kind) {
        match kind {
            Kind::Any => {}
            Kind::Object(shape) => self.object(path, value, shape),
            Kind::List(list) => self.list(path, value, list),
            Kind::Item(level) => self.item(path, value, *level),
            Kind::UriOrUris => self.uri_or_uris(path, value),
            Kind::Context => self.context(path, value),
            Kind::Rule(rule) => {
                if let Err(code) = rule(value) {
                    self.fail(path, Problem::Rule(code));
                }
            }
            Kind::Word(vocabulary) => match value.as_str().map(|word| vocabulary.check(word)) {
                Some(Ok(())) => {}
                Some(Err(problem)) => self.fail(path, problem),
                None => self.fail(path, Problem::WrongForm("a word")),
            },
            _ => self.scalar(path, value, kind),
        }
    }

    fn scalar(&mut self, path: &Path<'_>, value: &Value, kind: &Kind) {
        let text = value.as_str();
        let (holds, form) = match kind {
            Kind::Time => (
                text.and_then(rule::parse_event_time).is_some(),
                "an instant with an offset",
            ),
            Kind::Uri => (text.is_some_and(is_absolute_uri), "an absolute URI"),
            Kind::Number => (value.is_number(), "a number"),
            Kind::Text => (text.is_some(), "a text"),
            Kind::Boolean => (value.is_boolean(), "true or false"),
            Kind::Hexadecimal => (text.is_some_and(is_hexadecimal), "hexadecimal digits"),
            Kind::Unit => (
                text.is_some_and(is_code),
                "a unit code of 2 or 3 capitals and digits",
            ),
            _ => return,
        };
        self.require(path, holds, form);
    }

    fn list(&mut self, path: &Path<'_>, value: &Value, list: &List) {
        let Some(entries) = value.as_array() else {
            return self.fail(path, Problem::WrongForm("a list"));
        };
        if entries.is_empty() && !list.may_be_empty {
            self.fail(path, Problem::Empty);
        }
        let mut seen = BTreeSet::new();
        for (index, entry) in entries.iter().enumerate() {
            let path = path.index(index);
            self.value(&path, entry, &list.of);
            if list.unique && !seen.insert(canonical(entry)) {
                self.fail(&path, Problem::Duplicate);
            }
        }
    }

    fn item(&mut self, path: &Path<'_>, value: &Value, level: Level) {
        let Some(uri) = value.as_str() else {
            return self.fail(path, Problem::WrongForm("a URI"));
        };
        match (gs1::is_class(uri), level) {
            (Err(error), _) => self.fail(path, Problem::Identifier(error)),
            (Ok(Some(true)), Level::Instance) => self.fail(path, Problem::NotAnInstance),
            (Ok(Some(false)), Level::Class) => self.fail(path, Problem::NotAClass),
            (Ok(_), _) => {}
        }
    }

    fn uri_or_uris(&mut self, path: &Path<'_>, value: &Value) {
        match value.as_array() {
            None => self.scalar(path, value, &Kind::Uri),
            Some(list) => {
                for (index, entry) in list.iter().enumerate() {
                    self.scalar(&path.index(index), entry, &Kind::Uri);
                }
            }
        }
    }

    fn context(&mut self, path: &Path<'_>, value: &Value) {
        let form = "a URI, an object, or a list of them";
        let is_part = |part: &Value| part.is_object() || part.as_str().is_some_and(is_absolute_uri);
        match value.as_array() {
            None => self.require(path, is_part(value), form),
            Some(parts) => self.require(path, parts.iter().all(is_part), form),
        }
    }
}

/// What makes two entries of a list the same thing.
fn canonical(entry: &Value) -> String {
    match entry.as_str() {
        Some(uri) => gs1::normalise(uri).unwrap_or_else(|_| uri.to_owned()),
        None => entry.to_string(),
    }
}

/// `prefix:name` or a full URI.
fn has_namespace(name: &str) -> bool {
    name.split_once(':')
        .is_some_and(|(prefix, rest)| !prefix.is_empty() && !rest.is_empty())
}

fn is_hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
