//! What an event says, read into types: the platform's derived columns.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::Value;

use super::path::Path;
use super::rule::{self, bare_step, parse_event_time, parse_offset};
use super::violation::{Problem, Violation};
use super::vocabulary::DISPOSITIONS;
use crate::gs1::ItemKey;
use crate::time::Instant;

/// The five event types (EPCIS 2.0 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// Things were seen, made or destroyed.
    Object,
    /// Things were put into or taken out of a parent.
    Aggregation,
    /// Things were tied to a business transaction.
    Transaction,
    /// Inputs became outputs.
    Transformation,
    /// Things were tied to a parent for long, as a sensor to a container.
    Association,
}

impl EventType {
    /// All types.
    pub const ALL: [EventType; 5] = [
        EventType::Object,
        EventType::Aggregation,
        EventType::Transaction,
        EventType::Transformation,
        EventType::Association,
    ];

    /// The type with this name, for example `ObjectEvent`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Its name in an event, for example `ObjectEvent`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EventType::Object => "ObjectEvent",
            EventType::Aggregation => "AggregationEvent",
            EventType::Transaction => "TransactionEvent",
            EventType::Transformation => "TransformationEvent",
            EventType::Association => "AssociationEvent",
        }
    }
}

/// What the event does to the state of its things (EPCIS 2.0 section 7.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Made, put together.
    Add,
    /// Seen, nothing changed.
    Observe,
    /// Destroyed, taken apart.
    Delete,
}

impl Action {
    /// The action with this name, for example `ADD`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Action::Add, Action::Observe, Action::Delete]
            .into_iter()
            .find(|known| known.name() == name)
    }

    /// Its name in an event, for example `ADD`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Action::Add => "ADD",
            Action::Observe => "OBSERVE",
            Action::Delete => "DELETE",
        }
    }
}

/// How an event names a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// In `epcList` or `quantityList`.
    Subject,
    /// `parentID`.
    Parent,
    /// In `childEPCs` or `childQuantityList`.
    Child,
    /// In `inputEPCList` or `inputQuantityList`.
    Input,
    /// In `outputEPCList` or `outputQuantityList`.
    Output,
}

impl Role {
    /// A word for it in tables: `subject`, `parent`, `child`, `input`, `output`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Subject => "subject",
            Role::Parent => "parent",
            Role::Child => "child",
            Role::Input => "input",
            Role::Output => "output",
        }
    }
}

/// How much of a class an event names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// Amount, above zero in a valid event; `None` where the event does not say how much.
    pub amount: Option<Decimal>,
    /// UN/CEFACT unit code, for example `KGM`; `None` where pieces are counted.
    pub uom: Option<String>,
}

/// A thing that an event names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its canonical name.
    pub key: ItemKey,
    /// How it is named.
    pub role: Role,
    /// `None` for one thing; for a class of things how much of it.
    pub quantity: Option<Quantity>,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFacts {
    /// `type`.
    pub event_type: EventType,
    /// `eventTime`, cut to microseconds.
    pub event_time: Instant,
    /// `eventTimeZoneOffset`, minutes east of UTC.
    pub offset_minutes: i32,
    /// `action`; `None` in a transformation.
    pub action: Option<Action>,
    /// `bizStep` as a bare word if it is one of the CBV, else as it stands.
    pub biz_step: Option<String>,
    /// `disposition`, likewise.
    pub disposition: Option<String>,
    /// `readPoint.id`, canonical.
    pub read_point: Option<ItemKey>,
    /// `bizLocation.id`, canonical.
    pub biz_location: Option<ItemKey>,
    /// `eventID` as sent: a claim, not an identity.
    pub event_id: Option<String>,
    /// Whether it carries an `errorDeclaration`, which takes an event back.
    pub declares_error: bool,
    /// Every thing that it names, in the order parent, lists of things, lists of quantities.
    pub items: Vec<Item>,
}

impl EventFacts {
    /// Reads an event. Cheap beside [`super::validate`], and never a substitute for it.
    ///
    /// # Errors
    /// The first member that cannot be read; none for an event that [`super::validate`] accepts.
    pub fn read(event: &Value) -> Result<Self, Violation> {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let failed = |name, code| Violation::new(&Path::EVENT.member(name), Problem::Rule(code));
        let needed = |name, code| text(name).ok_or_else(|| failed(name, code));
        rule::action(text("type"), event.get("action")).map_err(|code| failed("action", code))?;
        Ok(EventFacts {
            event_type: EventType::from_name(needed("type", rule::EVENT_TYPE)?)
                .ok_or_else(|| failed("type", rule::EVENT_TYPE))?,
            event_time: parse_event_time(needed("eventTime", rule::EVENT_TIME)?)
                .ok_or_else(|| failed("eventTime", rule::EVENT_TIME))?
                .instant(),
            offset_minutes: parse_offset(needed("eventTimeZoneOffset", rule::TIME_ZONE_OFFSET)?)
                .ok_or_else(|| failed("eventTimeZoneOffset", rule::TIME_ZONE_OFFSET))?,
            action: text("action").and_then(Action::from_name),
            biz_step: text("bizStep").map(|step| bare_step(step).to_owned()),
            disposition: text("disposition").map(|word| DISPOSITIONS.bare(word).to_owned()),
            read_point: place(event, "readPoint")?,
            biz_location: place(event, "bizLocation")?,
            event_id: text("eventID").map(str::to_owned),
            declares_error: event.get("errorDeclaration").is_some(),
            items: items(event)?,
        })
    }
}

fn place(event: &Value, name: &'static str) -> Result<Option<ItemKey>, Violation> {
    let Some(id) = event.get(name).and_then(|place| place.get("id")) else {
        return Ok(None);
    };
    key(id, &Path::EVENT.member(name).member("id")).map(Some)
}

const INSTANCES: [(&str, Role); 4] = [
    ("epcList", Role::Subject),
    ("childEPCs", Role::Child),
    ("inputEPCList", Role::Input),
    ("outputEPCList", Role::Output),
];

const CLASSES: [(&str, Role); 4] = [
    ("quantityList", Role::Subject),
    ("childQuantityList", Role::Child),
    ("inputQuantityList", Role::Input),
    ("outputQuantityList", Role::Output),
];

/// Every thing that an event names, with its canonical name and role.
///
/// # Errors
/// The first identifier or amount that cannot be read.
pub fn items(event: &Value) -> Result<Vec<Item>, Violation> {
    let mut items = Vec::new();
    if let Some(parent) = event.get("parentID") {
        let key = key(parent, &Path::EVENT.member("parentID"))?;
        items.push(Item {
            key,
            role: Role::Parent,
            quantity: None,
        });
    }
    for (name, role) in INSTANCES {
        for (index, entry) in entries(event, name) {
            let key = key(entry, &Path::EVENT.member(name).index(index))?;
            items.push(Item {
                key,
                role,
                quantity: None,
            });
        }
    }
    for (name, role) in CLASSES {
        for (index, entry) in entries(event, name) {
            items.push(quantity_item(
                entry,
                role,
                &Path::EVENT.member(name).index(index),
            )?);
        }
    }
    Ok(items)
}

fn entries<'a>(event: &'a Value, name: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    event
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
}

fn quantity_item(entry: &Value, role: Role, path: &Path<'_>) -> Result<Item, Violation> {
    let key = key(
        entry.get("epcClass").unwrap_or(&Value::Null),
        &path.member("epcClass"),
    )?;
    let amount = match entry.get("quantity") {
        None => None,
        Some(value) => Some(decimal(value).ok_or_else(|| {
            Violation::new(&path.member("quantity"), Problem::WrongForm("a number"))
        })?),
    };
    let uom = entry.get("uom").and_then(Value::as_str).map(str::to_owned);
    Ok(Item {
        key,
        role,
        quantity: Some(Quantity { amount, uom }),
    })
}

fn key(value: &Value, path: &Path<'_>) -> Result<ItemKey, Violation> {
    let uri = value
        .as_str()
        .ok_or_else(|| Violation::new(path, Problem::WrongForm("a URI")))?;
    ItemKey::read(uri).map_err(|error| Violation::new(path, Problem::Identifier(error)))
}

/// A JSON number as a decimal; `None` beyond its 28 digits.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    let text = value.as_number()?.to_string();
    if text.contains(['e', 'E']) {
        Decimal::from_scientific(&text).ok()
    } else {
        Decimal::from_str(&text).ok()
    }
}
