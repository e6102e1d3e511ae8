//! Rule set 1 (`schemas/docs/statement.md` section 5): what ingest demands of single members and
//! what a reader of a bundle repeats for those that are shown.
//!
//! Each function takes the parsed value of one member, so that it works on an event of which the
//! other members are withheld. The error is the code that a receipt carries. Membership of
//! `source` in the record needs no JSON and is checked by the callers.

use serde_json::Value;

use crate::time::Instant;

/// Code: `type` is not one of the five event types.
pub const EVENT_TYPE: &str = "event-type";
/// Code: `eventTime` is not an instant of the profile.
pub const EVENT_TIME: &str = "event-time";
/// Code: `eventTimeZoneOffset` is not an offset of the profile.
pub const TIME_ZONE_OFFSET: &str = "time-zone-offset";
/// Code: `action` is missing, unknown, or present in a TransformationEvent.
pub const ACTION: &str = "action";
/// Code: `bizStep` is not among the steps of the device's record.
pub const STEP_NOT_ALLOWED: &str = "step-not-allowed";
/// Code: `readPoint.id` is not among the places of the device's record.
pub const PLACE_NOT_ALLOWED: &str = "place-not-allowed";
/// Code: any further semantic rule of EPCIS (see [`super::validate`]); not part of rule set 1.
pub const EPCIS: &str = "epcis";

/// The five event types of EPCIS 2.0 section 7.4.
pub const EVENT_TYPES: [&str; 5] = [
    "ObjectEvent",
    "AggregationEvent",
    "TransactionEvent",
    "TransformationEvent",
    "AssociationEvent",
];

/// The three actions of EPCIS 2.0 section 7.3.2.
pub const ACTIONS: [&str; 3] = ["ADD", "OBSERVE", "DELETE"];

/// Largest distance of an offset from UTC, in minutes (14:00).
pub const MAX_OFFSET_MINUTES: i32 = 14 * 60;

/// What a full step URI may begin with: the Web URI and the URN form of the CBV.
pub const STEP_PREFIXES: [&str; 2] = [
    "https://ref.gs1.org/cbv/BizStep-",
    "urn:epcglobal:cbv:bizstep:",
];

/// The outcome of one rule: nothing, or the code that names it.
pub type Outcome = Result<(), &'static str>;

/// Rule `event-type`: `type` is one of [`EVENT_TYPES`].
pub fn event_type(value: &Value) -> Outcome {
    let known = value
        .as_str()
        .is_some_and(|name| EVENT_TYPES.contains(&name));
    require(known, EVENT_TYPE)
}

/// Rule `event-time`: `eventTime` is `YYYY-MM-DDThh:mm:ss[.f{1,9}](Z or +hh:mm or -hh:mm)`, a real
/// date (years 0001 to 9999), seconds at most 59, offset at most 14:00.
pub fn event_time(value: &Value) -> Outcome {
    require(
        value.as_str().and_then(parse_event_time).is_some(),
        EVENT_TIME,
    )
}

/// Rule `time-zone-offset`: `eventTimeZoneOffset` is `+hh:mm` or `-hh:mm`, at most 14:00.
pub fn time_zone_offset(value: &Value) -> Outcome {
    require(
        value.as_str().and_then(parse_offset).is_some(),
        TIME_ZONE_OFFSET,
    )
}

/// Rule `action`: one of [`ACTIONS`], and absent exactly in a TransformationEvent.
///
/// `event_type` is `None` where the reader cannot know the type (withheld); then only the value of
/// an action that is shown is judged.
pub fn action(event_type: Option<&str>, action: Option<&Value>) -> Outcome {
    let holds = match (event_type, action) {
        (Some("TransformationEvent"), action) => action.is_none(),
        (Some(_), None) => false,
        (None, None) => true,
        (_, Some(value)) => value.as_str().is_some_and(|word| ACTIONS.contains(&word)),
    };
    require(holds, ACTION)
}

/// Rule `step-not-allowed`: `bizStep`, reduced by [`bare_step`], is one of `steps`.
///
/// Called only for an event that has the member.
pub fn step(value: &Value, steps: &[String]) -> Outcome {
    let allowed = value
        .as_str()
        .map(bare_step)
        .is_some_and(|bare| contains(steps, bare));
    require(allowed, STEP_NOT_ALLOWED)
}

/// Rule `place-not-allowed`: `readPoint` is an object whose text `id` equals one of `places`.
pub fn place(read_point: &Value, places: &[String]) -> Outcome {
    let id = read_point.get("id").and_then(Value::as_str);
    require(id.is_some_and(|id| contains(places, id)), PLACE_NOT_ALLOWED)
}

/// A step without one leading prefix of [`STEP_PREFIXES`]; anything else comes back as it is.
pub fn bare_step(step: &str) -> &str {
    STEP_PREFIXES
        .iter()
        .find_map(|prefix| step.strip_prefix(prefix))
        .unwrap_or(step)
}

fn require(holds: bool, code: &'static str) -> Outcome {
    if holds { Ok(()) } else { Err(code) }
}

fn contains(list: &[String], word: &str) -> bool {
    list.iter().any(|entry| entry == word)
}

/// An instant as an event states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventTime {
    /// Whole seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    pub seconds: i64,
    /// Nanoseconds into that second, 0 to 999,999,999.
    pub nanos: u32,
    /// Offset in which it was written, minutes east of UTC, -840 to 840.
    pub offset_minutes: i32,
}

impl EventTime {
    /// The instant, what is below a microsecond cut off.
    #[must_use]
    pub fn instant(&self) -> Instant {
        Instant::from_micros(self.seconds * 1_000_000 + i64::from(self.nanos / 1_000))
    }
}

/// Reads an instant of the profile named at [`event_time`]; `None` if it is none.
pub fn parse_event_time(text: &str) -> Option<EventTime> {
    // All characters of the profile are ASCII, so that cutting by bytes is safe.
    let (date_time, rest) = text.is_ascii().then(|| text.split_at_checked(19))??;
    let seconds_local = parse_date_time(date_time)?;
    let (nanos, zone) = parse_fraction(rest)?;
    let offset_minutes = if zone == "Z" { 0 } else { parse_offset(zone)? };
    Some(EventTime {
        seconds: seconds_local - i64::from(offset_minutes) * 60,
        nanos,
        offset_minutes,
    })
}

/// `YYYY-MM-DDThh:mm:ss` to seconds since 1970 as if it were UTC.
fn parse_date_time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|&(at, mark)| bytes.get(at) != Some(&mark)) {
        return None;
    }
    let number = |from: usize, to: usize| digits(text.get(from..to)?);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if year == 0 {
        return None;
    }
    let date = chrono::NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some(
        date.and_hms_opt(hour, minute, second)?
            .and_utc()
            .timestamp(),
    )
}

/// Splits `[.f{1,9}]zone` into nanoseconds and zone.
fn parse_fraction(text: &str) -> Option<(u32, &str)> {
    let Some(fraction) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let (fraction, zone) = fraction.split_at(length);
    let scale = 10_u32.pow(9 - u32::try_from(length).ok()?);
    Some((digits(fraction)? * scale, zone))
}

/// Minutes east of UTC of `+hh:mm` or `-hh:mm`, at most 14:00 either way; `None` for anything else.
pub fn parse_offset(text: &str) -> Option<i32> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    let total = i32::try_from(hours * 60 + minutes).ok()?;
    (minutes <= 59 && total <= MAX_OFFSET_MINUTES).then_some(sign * total)
}

/// A number of ASCII digits only (`u32::from_str` would take a sign).
fn digits(text: &str) -> Option<u32> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
