//! The reading view of one EPCIS 2.0 event (§7.4): what a journey needs of it and no more.
//!
//! The bytes were validated at ingest; reading is tolerant, so that one odd member never hides an
//! event. All texts that a stranger wrote are cut to [`MAX_TEXT`] characters.

use std::collections::BTreeMap;

use schemas::hash::{Hash, sha256};
use schemas::time::Instant;
use serde_json::Value;

use super::curve::{Limits, Reading};

/// Longest free text that is kept, in characters.
pub const MAX_TEXT: usize = 160;

/// Most things of one list of one event that are kept (an event has at most 64 KiB).
pub const MAX_THINGS: usize = 2_048;

/// A time as an event states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stated {
    /// The instant.
    pub instant: Instant,
    /// Local offset east of UTC in minutes.
    pub offset_minutes: i32,
}

/// A thing with its quantity: `quantity` is `None` for a single piece.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    /// Canonical Digital Link URI.
    pub item: String,
    /// Decimal number as written in the event.
    pub quantity: Option<String>,
    /// UN/CEFACT unit code; `None` means pieces.
    pub uom: Option<String>,
}

/// The five kinds of EPCIS event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ObjectEvent.
    Object,
    /// AggregationEvent.
    Aggregation,
    /// TransactionEvent.
    Transaction,
    /// TransformationEvent.
    Transformation,
    /// AssociationEvent.
    Association,
}

/// `action` (§7.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// ADD.
    Add,
    /// OBSERVE.
    Observe,
    /// DELETE.
    Delete,
}

/// `errorDeclaration` (§7.4.1.4): this event says that an earlier, equal one was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorDeclaration {
    /// When it was declared, if stated.
    pub declared: Option<Instant>,
    /// Reason, bare CBV word or URI.
    pub reason: Option<String>,
}

/// One event, read.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Which of the five.
    pub kind: Kind,
    /// `eventTime` with `eventTimeZoneOffset`.
    pub time: Stated,
    /// `eventID` as sent.
    pub id: Option<String>,
    /// Hash of all top-level members but `eventID`, `recordTime` and `errorDeclaration`.
    pub fingerprint: Hash,
    /// `action`; none in a transformation.
    pub action: Option<Action>,
    /// Bare business step.
    pub step: Option<String>,
    /// Bare disposition.
    pub disposition: Option<String>,
    /// `readPoint.id`, else `bizLocation.id`.
    pub place: Option<String>,
    /// `epcList` and `quantityList`.
    pub things: Vec<Thing>,
    /// `parentID`.
    pub parent: Option<String>,
    /// `childEPCs` and `childQuantityList`.
    pub children: Vec<Thing>,
    /// Inputs of a transformation.
    pub inputs: Vec<Thing>,
    /// Outputs of a transformation.
    pub outputs: Vec<Thing>,
    /// `ilmd` `tb:productName`: language tag to name.
    pub names: BTreeMap<String, String>,
    /// `ilmd` `tb:minTemperature`, `tb:maxTemperature`.
    pub limits: Option<Limits>,
    /// Readings of `sensorElementList`, in the order of the event.
    pub readings: Vec<Reading>,
    /// `errorDeclaration`.
    pub error: Option<ErrorDeclaration>,
    /// `tb:assumption`.
    pub assumption: Option<String>,
}

impl View {
    /// Reads an event; `None` if it is no EPCIS event with a time. `leaf` names it in its readings.
    pub fn read(bytes: &[u8], leaf: Hash) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let kind = kind(&text(&value, "type")?)?;
        let time = stated(&value)?;
        let ilmd = value.get("ilmd").unwrap_or(&Value::Null);
        Some(Self {
            kind,
            time,
            id: text(&value, "eventID"),
            fingerprint: fingerprint(&value),
            action: text(&value, "action").and_then(|word| action(&word)),
            step: text(&value, "bizStep").map(|step| bare(&step)),
            disposition: text(&value, "disposition").map(|word| bare(&word)),
            place: place(&value),
            things: things(&value, "epcList", "quantityList"),
            parent: identifier(&value, "parentID"),
            children: things(&value, "childEPCs", "childQuantityList"),
            inputs: things(&value, "inputEPCList", "inputQuantityList"),
            outputs: things(&value, "outputEPCList", "outputQuantityList"),
            names: names(ilmd),
            limits: Limits::of_ilmd(ilmd),
            readings: super::curve::readings(&value, time, leaf),
            error: value.get("errorDeclaration").map(error),
            assumption: text(&value, "tb:assumption").map(|text| clip(&text)),
        })
    }

    /// True if the event puts children into a parent or takes them out (§7.4.3, §7.4.6).
    pub fn is_containment(&self) -> bool {
        matches!(self.kind, Kind::Aggregation | Kind::Association)
    }

    /// The thing with this key in any list of the event.
    pub fn thing(&self, key: &str) -> Option<&Thing> {
        let lists = [&self.things, &self.children, &self.outputs, &self.inputs];
        lists.into_iter().flatten().find(|thing| thing.item == key)
    }
}

/// A text member.
pub fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}

/// Cuts a stranger's text to [`MAX_TEXT`] characters.
pub fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The canonical form of an identifier; what is no GS1 identifier stays as it is.
pub fn canonical(id: &str) -> String {
    schemas::gs1::ItemKey::read(id).map_or_else(|_| id.to_owned(), String::from)
}

/// The bare word of a CBV URI, compact URI or URN: `.../cbv/BizStep-packing` is `packing`.
fn bare(word: &str) -> String {
    const PREFIXES: [&str; 10] = [
        "https://ref.gs1.org/cbv/BizStep-",
        "urn:epcglobal:cbv:bizstep:",
        "cbv:BizStep-",
        "https://ref.gs1.org/cbv/Disp-",
        "urn:epcglobal:cbv:disp:",
        "cbv:Disp-",
        "https://ref.gs1.org/cbv/ER-",
        "urn:epcglobal:cbv:er:",
        "cbv:ER-",
        "https://gs1.org/voc/",
    ];
    let rest = PREFIXES.iter().find_map(|prefix| word.strip_prefix(prefix));
    clip(rest.unwrap_or(word))
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "ObjectEvent" => Kind::Object,
        "AggregationEvent" => Kind::Aggregation,
        "TransactionEvent" => Kind::Transaction,
        "TransformationEvent" => Kind::Transformation,
        "AssociationEvent" => Kind::Association,
        _ => return None,
    })
}

fn action(word: &str) -> Option<Action> {
    Some(match word {
        "ADD" => Action::Add,
        "OBSERVE" => Action::Observe,
        "DELETE" => Action::Delete,
        _ => return None,
    })
}

fn stated(value: &Value) -> Option<Stated> {
    let instant = Instant::parse_rfc3339(&text(value, "eventTime")?)?;
    let offset = text(value, "eventTimeZoneOffset").and_then(|offset| minutes(&offset));
    Some(Stated {
        instant,
        offset_minutes: offset.unwrap_or(0),
    })
}

/// `+08:00` in minutes.
fn minutes(offset: &str) -> Option<i32> {
    let sign = match offset.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = offset.get(1..)?.split_once(':')?;
    let total = hours.parse::<i32>().ok()? * 60 + rest.parse::<i32>().ok()?;
    (0..=14 * 60).contains(&total).then_some(sign * total)
}

fn identifier(value: &Value, name: &str) -> Option<String> {
    text(value, name).map(|id| canonical(&id))
}

fn place(value: &Value) -> Option<String> {
    let of = |name| value.get(name).and_then(|place| identifier(place, "id"));
    of("readPoint").or_else(|| of("bizLocation"))
}

fn things(value: &Value, pieces: &str, amounts: &str) -> Vec<Thing> {
    let list = |name| {
        value
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let piece = |id: &Value| {
        Some(Thing {
            item: canonical(id.as_str()?),
            quantity: None,
            uom: None,
        })
    };
    let amount = |row: &Value| {
        let quantity = row.get("quantity").filter(|number| number.is_number());
        Some(Thing {
            item: identifier(row, "epcClass")?,
            quantity: quantity.map(Value::to_string),
            uom: text(row, "uom").map(|uom| clip(&uom)),
        })
    };
    list(pieces)
        .filter_map(piece)
        .chain(list(amounts).filter_map(amount))
        .take(MAX_THINGS)
        .collect()
}

/// At most eight languages; a bare text counts as language `und`.
fn names(ilmd: &Value) -> BTreeMap<String, String> {
    match ilmd.get("tb:productName") {
        Some(Value::Object(by_language)) => by_language
            .iter()
            .filter_map(|(tag, name)| Some((clip(tag), clip(name.as_str()?))))
            .take(8)
            .collect(),
        Some(Value::String(name)) => BTreeMap::from([("und".to_owned(), clip(name))]),
        _ => BTreeMap::new(),
    }
}

fn error(value: &Value) -> ErrorDeclaration {
    let declared = text(value, "declarationTime").and_then(|at| Instant::parse_rfc3339(&at));
    ErrorDeclaration {
        declared,
        reason: text(value, "reason").map(|reason| bare(&reason)),
    }
}

/// What stays the same when an event is declared wrong or recorded by a second signer.
fn fingerprint(value: &Value) -> Hash {
    const APART: [&str; 3] = ["eventID", "recordTime", "errorDeclaration"];
    let members: BTreeMap<&str, &Value> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
        .filter(|(name, _)| !APART.contains(name))
        .collect();
    sha256(&serde_json::to_vec(&members).unwrap_or_default())
}
