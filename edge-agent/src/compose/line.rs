//! Scan lines to life-cycle events. The format is in the crate's README.

use rust_decimal::Decimal;
use schemas::epcis::rule;
use schemas::ijson;
use schemas::time::Instant;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::presence::{Amount, Change, Direction, Item};
use super::{
    ComposeError, Made, Weight, finish, head, offset_text, put_items, put_places, time_text,
};
use crate::names;

/// Longest line in bytes, its line feed not counted.
pub const LINE_MAX: usize = 16 * 1024;

/// Steps after which goods are here, unless the line says otherwise.
const STEPS_IN: [&str; 2] = ["storing", "loading"];
/// Steps after which goods are gone, unless the line says otherwise.
const STEPS_OUT: [&str; 4] = ["shipping", "departing", "unloading", "retail_selling"];

/// What a line is read with.
#[derive(Clone, Copy, Debug)]
pub struct LineContext<'a> {
    /// Read point.
    pub place: &'a str,
    /// Business location.
    pub biz_location: Option<&'a str>,
    /// Offset of events whose line states no time.
    pub time_zone_minutes: i32,
    /// Time of events whose line states none.
    pub now: Instant,
}

/// An event made of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// To be signed; of the goods' life always.
    pub made: Made,
    /// What the step does to presence.
    pub changes: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    step: String,
    #[serde(default)]
    items: Vec<ItemText>,
    parent: Option<String>,
    inputs: Option<Vec<ItemText>>,
    outputs: Option<Vec<ItemText>>,
    action: Option<Action>,
    disposition: Option<String>,
    time: Option<String>,
    presence: Option<Direction>,
    #[serde(default)]
    extra: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ItemText {
    Id(String),
    Amount(ItemAmount),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemAmount {
    id: String,
    quantity: Option<serde_json::Number>,
    uom: Option<String>,
}

/// What an event does to what it names (EPCIS 2.0 section 7.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// They come into being, or into the parent.
    Add,
    /// They are seen.
    Observe,
    /// They cease to be, or leave the parent.
    Delete,
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Observe => "OBSERVE",
            Self::Delete => "DELETE",
        }
    }
}

/// Reads one line (without its line feed).
///
/// # Errors
/// [`ComposeError`] with the reason in words; the line is a bad line.
pub fn compose(bytes: &[u8], context: LineContext<'_>) -> Result<Composed, ComposeError> {
    let line = parse(bytes)?;
    let step = names::step(&line.step).map_err(ComposeError::Name)?;
    let (time, offset) = when(&line, context)?;
    let stated = Stated {
        parts: Parts::read(&line)?,
        step: &step,
        action: line.action,
        disposition: line.disposition.as_deref(),
        time,
        offset,
        place: context.place,
        biz_location: context.biz_location,
        presence: line.presence,
        extra: line.extra,
    };
    stated.compose()
}

/// What a life-cycle event is made of, whoever stated it.
pub(super) struct Stated<'a> {
    pub parts: Parts,
    /// Bare.
    pub step: &'a str,
    /// `None` for what the step says.
    pub action: Option<Action>,
    pub disposition: Option<&'a str>,
    pub time: String,
    pub offset: String,
    pub place: &'a str,
    pub biz_location: Option<&'a str>,
    /// `None` for what the step says.
    pub presence: Option<Direction>,
    /// Further members.
    pub extra: Map<String, Value>,
}

impl Stated<'_> {
    pub(super) fn compose(self) -> Result<Composed, ComposeError> {
        let mut event = head(self.parts.kind(), self.time, self.offset);
        if let Some(action) = self.parts.action(self.action, self.step) {
            event.insert("action".to_owned(), action.word().into());
        }
        event.insert("bizStep".to_owned(), self.step.into());
        if let Some(disposition) = self.disposition {
            event.insert("disposition".to_owned(), disposition.into());
        }
        put_places(&mut event, self.place, self.biz_location);
        self.parts.put(&mut event);
        let direction = self.presence.or_else(|| default_direction(self.step));
        let changes = self.parts.changes(direction);
        put_extra(&mut event, self.extra)?;
        Ok(Composed {
            made: Made {
                event: finish(event)?,
                weight: Weight::LifeCycle,
            },
            changes,
        })
    }
}

fn parse(bytes: &[u8]) -> Result<Line, ComposeError> {
    if bytes.len() > LINE_MAX {
        return Err(ComposeError::Line(format!("longer than {LINE_MAX} bytes")));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|_| ComposeError::Line("not UTF-8".to_owned()))?;
    // Duplicate names and the like, which serde_json would let pass.
    ijson::check_value(text.trim(), 1)
        .map_err(|error| ComposeError::Line(format!("not I-JSON: {error}")))?;
    serde_json::from_str(text).map_err(|error| ComposeError::Line(error.to_string()))
}

/// Event time and offset: as the line states them, else now.
fn when(line: &Line, context: LineContext<'_>) -> Result<(String, String), ComposeError> {
    let default_offset = offset_text(context.time_zone_minutes);
    let Some(text) = &line.time else {
        return Ok((time_text(context.now), default_offset));
    };
    let time = rule::parse_event_time(text).ok_or_else(|| {
        ComposeError::Line(format!("time `{text:.40}` is not an instant with offset"))
    })?;
    let offset = if text.ends_with('Z') {
        default_offset
    } else {
        offset_text(time.offset_minutes)
    };
    Ok((text.clone(), offset))
}

fn default_direction(step: &str) -> Option<Direction> {
    if STEPS_IN.contains(&step) {
        Some(Direction::In)
    } else if STEPS_OUT.contains(&step) {
        Some(Direction::Out)
    } else {
        None
    }
}

/// What the event is about; decides its type.
pub(super) enum Parts {
    Object(Vec<Item>),
    Aggregation {
        parent: String,
        children: Vec<Item>,
    },
    Transformation {
        inputs: Vec<Item>,
        outputs: Vec<Item>,
    },
}

impl Parts {
    fn read(line: &Line) -> Result<Self, ComposeError> {
        let refuse = |text: &str| Err(ComposeError::Line(text.to_owned()));
        let transforms = line.inputs.is_some() || line.outputs.is_some();
        match (&line.parent, transforms) {
            (Some(_), true) => refuse("parent does not go with inputs and outputs"),
            (None, true) if !line.items.is_empty() || line.action.is_some() => {
                refuse("items and action do not go with inputs and outputs")
            }
            (None, true) => Ok(Self::Transformation {
                inputs: items(line.inputs.as_deref().unwrap_or_default())?,
                outputs: items(line.outputs.as_deref().unwrap_or_default())?,
            }),
            (Some(parent), false) => {
                let thing = names::thing(parent).map_err(ComposeError::Name)?;
                if thing.is_class {
                    return refuse("parent is a class of things, not one thing");
                }
                Ok(Self::Aggregation {
                    parent: thing.uri,
                    children: items(&line.items)?,
                })
            }
            (None, false) if line.items.is_empty() => refuse("names no item"),
            (None, false) => Ok(Self::Object(items(&line.items)?)),
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Object(_) => "ObjectEvent",
            Self::Aggregation { .. } => "AggregationEvent",
            Self::Transformation { .. } => "TransformationEvent",
        }
    }

    fn action(&self, stated: Option<Action>, step: &str) -> Option<Action> {
        let default = match (self, step) {
            (Self::Transformation { .. }, _) => return None,
            (Self::Object(_), "commissioning") => Action::Add,
            (Self::Aggregation { .. }, "packing" | "loading") => Action::Add,
            (_, "unpacking" | "decommissioning") => Action::Delete,
            _ => Action::Observe,
        };
        Some(stated.unwrap_or(default))
    }

    fn put(&self, event: &mut Map<String, Value>) {
        match self {
            Self::Object(items) => put_items(event, "epcList", "quantityList", items),
            Self::Aggregation { parent, children } => {
                event.insert("parentID".to_owned(), parent.as_str().into());
                put_items(event, "childEPCs", "childQuantityList", children);
            }
            Self::Transformation { inputs, outputs } => {
                put_items(event, "inputEPCList", "inputQuantityList", inputs);
                put_items(event, "outputEPCList", "outputQuantityList", outputs);
            }
        }
    }

    fn changes(&self, direction: Option<Direction>) -> Vec<Change> {
        let Some(direction) = direction else {
            return Vec::new();
        };
        let items = match (self, direction) {
            (Self::Object(items), _) => items,
            (Self::Aggregation { children, .. }, _) => children,
            (Self::Transformation { outputs, .. }, Direction::In) => outputs,
            (Self::Transformation { inputs, .. }, Direction::Out) => inputs,
        };
        items
            .iter()
            .map(|item| Change {
                direction,
                item: item.clone(),
            })
            .collect()
    }
}

fn items(texts: &[ItemText]) -> Result<Vec<Item>, ComposeError> {
    texts.iter().map(item).collect()
}

fn item(text: &ItemText) -> Result<Item, ComposeError> {
    let (id, quantity, uom) = match text {
        ItemText::Id(id) => (id, None, None),
        ItemText::Amount(amount) => (&amount.id, amount.quantity.as_ref(), amount.uom.as_ref()),
    };
    let thing = names::thing(id).map_err(ComposeError::Name)?;
    if !thing.is_class && (quantity.is_some() || uom.is_some()) {
        let problem = format!("{} is one thing, a quantity does not fit it", thing.uri);
        return Err(ComposeError::Line(problem));
    }
    if uom.is_some() && quantity.is_none() {
        return Err(ComposeError::Line("uom without quantity".to_owned()));
    }
    let quantity = quantity.map(decimal).transpose()?;
    let amount = thing.is_class.then(|| Amount {
        quantity,
        uom: uom.cloned(),
    });
    Ok(Item {
        uri: thing.uri,
        amount,
    })
}

fn decimal(number: &serde_json::Number) -> Result<Decimal, ComposeError> {
    let text = number.to_string();
    let parsed = text.parse().or_else(|_| Decimal::from_scientific(&text));
    parsed
        .ok()
        .filter(|quantity| *quantity > Decimal::ZERO)
        .ok_or_else(|| ComposeError::Line(format!("quantity {text} is not a positive number")))
}

/// Further members; they may add to what the line says, never replace it.
fn put_extra(
    event: &mut Map<String, Value>,
    extra: Map<String, Value>,
) -> Result<(), ComposeError> {
    for (name, value) in extra {
        if event.contains_key(&name) || name == "action" {
            return Err(ComposeError::Line(format!(
                "extra may not set `{name:.64}`"
            )));
        }
        event.insert(name, value);
    }
    Ok(())
}
