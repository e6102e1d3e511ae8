//! One source: a register that is read, or a file of lines.

use std::ops::Range;
use std::time::Duration;

use schemas::event::Source;
use schemas::time::Instant;
use toml::Spanned;

use super::super::raw::RawSource;
use super::super::{
    ConfigError, LinesConfig, ModbusConfig, READINGS_PER_EVENT_MAX, RegisterKind, RegisterTable,
    SensorRule, SourceConfig,
};
use super::Place;
use crate::compose::presence::Presence;
use crate::compose::sensor::{self, Reading};
use crate::names;

/// Longest interval between readings: a day.
const INTERVAL_MAX_S: f64 = 86_400.0;

pub(super) fn check_source(
    at: &Place<'_>,
    raw: &Spanned<RawSource>,
) -> Result<SourceConfig, ConfigError> {
    let (source, table) = (raw.get_ref(), raw.span());
    let foreign = |fields: Vec<(&'static str, Range<usize>)>| match fields.into_iter().next() {
        Some((name, span)) => {
            let problem = format!("does not belong to type \"{}\"", source.type_name.get_ref());
            Err(at.error(span, &format!("source.{name}"), problem))
        }
        None => Ok(()),
    };
    match source.type_name.get_ref().as_str() {
        "modbus" => {
            foreign(source.of_lines())?;
            check_modbus(at, source, &table).map(SourceConfig::Modbus)
        }
        "scan" | "file" => {
            foreign(source.of_modbus())?;
            check_lines(at, source, &table).map(SourceConfig::Lines)
        }
        other => {
            let problem = format!("\"{other}\" is none of \"modbus\", \"scan\", \"file\"");
            Err(at.error(source.type_name.span(), "source.type", problem))
        }
    }
}

fn check_modbus(
    at: &Place<'_>,
    raw: &RawSource,
    table: &Range<usize>,
) -> Result<ModbusConfig, ConfigError> {
    let address = at.required(table, "source.address", &raw.address)?;
    let register = at.required(table, "source.register", &raw.register)?;
    let kind = at.required(table, "source.kind", &raw.kind)?;
    let kind = at.key("source.kind", kind, register_kind)?;
    let unit = raw
        .unit
        .as_ref()
        .map_or(Ok(1), |value| at.within("source.unit", value, 0..=255))?;
    let last = 65_536 - u64::from(kind.width());
    let register = at.within("source.register", register, 0..=last)?;
    let time_register = match &raw.time_register {
        Some(value) => Some(small(at.within(
            "source.time_register",
            value,
            0..=65_534,
        )?)),
        None => None,
    };
    Ok(ModbusConfig {
        address: at.key("source.address", address, socket_address)?,
        unit: u8::try_from(unit).unwrap_or(u8::MAX),
        table: match &raw.table {
            Some(value) => at.key("source.table", value, register_table)?,
            None => RegisterTable::Holding,
        },
        register: small(register),
        kind,
        scale: scale(at, raw)?,
        time_register,
        interval: interval(at, raw, table)?,
        rule: check_rule(at, raw, table)?,
    })
}

/// A register number; the caller has checked its range.
fn small(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn register_kind(text: &str) -> Result<RegisterKind, String> {
    match text {
        "u16" => Ok(RegisterKind::U16),
        "i16" => Ok(RegisterKind::I16),
        "f32" => Ok(RegisterKind::F32),
        _ => Err("is none of \"u16\", \"i16\", \"f32\"".to_owned()),
    }
}

fn register_table(text: &str) -> Result<RegisterTable, String> {
    match text {
        "holding" => Ok(RegisterTable::Holding),
        "input" => Ok(RegisterTable::Input),
        _ => Err("is neither \"holding\" nor \"input\"".to_owned()),
    }
}

fn socket_address(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').ok_or("is not host:port")?;
    let port_fits = port.parse::<u16>().is_ok_and(|port| port != 0);
    if host.is_empty() || !port_fits {
        Err("is not host:port".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn scale(at: &Place<'_>, raw: &RawSource) -> Result<f64, ConfigError> {
    let Some(value) = &raw.scale else {
        return Ok(1.0);
    };
    let scale = at.finite("source.scale", value)?;
    if scale == 0.0 || scale.abs() > 1e9 {
        return Err(at.error(value.span(), "source.scale", "is zero or beyond 1e9"));
    }
    Ok(scale)
}

fn interval(
    at: &Place<'_>,
    raw: &RawSource,
    table: &Range<usize>,
) -> Result<Duration, ConfigError> {
    let value = at.required(table, "source.interval_s", &raw.interval_s)?;
    let seconds = at.finite("source.interval_s", value)?;
    if !(0.001..=INTERVAL_MAX_S).contains(&seconds) {
        let problem = format!("{seconds} is not between 0.001 and {INTERVAL_MAX_S}");
        return Err(at.error(value.span(), "source.interval_s", problem));
    }
    // Whole microseconds, like every instant.
    Ok(Duration::from_micros(
        Duration::from_secs_f64(seconds).as_micros() as u64,
    ))
}

fn check_rule(
    at: &Place<'_>,
    raw: &RawSource,
    table: &Range<usize>,
) -> Result<SensorRule, ConfigError> {
    let text = |field: &str, value: &Option<Spanned<String>>| {
        at.required(table, field, value)
            .and_then(|value| at.text(field, value))
    };
    let sensor = at.required(table, "source.sensor", &raw.sensor)?;
    let (alarm_min, alarm_max) = alarms(at, raw)?;
    let readings_per_event = match &raw.readings_per_event {
        Some(value) => at.within(
            "source.readings_per_event",
            value,
            1..=READINGS_PER_EVENT_MAX as u64,
        )?,
        None => 1,
    };
    let rule = SensorRule {
        sensor: at.key("source.sensor", sensor, names::sensor)?,
        measurement: text("source.measurement", &raw.measurement)?,
        uom: text("source.uom", &raw.uom)?,
        alarm_min,
        alarm_max,
        readings_per_event: usize::try_from(readings_per_event).unwrap_or(1),
        place: place(at, raw, table)?,
        biz_location: biz_location(at, raw)?,
        step: match &raw.step {
            Some(value) => at.key("source.step", value, names::step)?,
            None => "sensor_reporting".to_owned(),
        },
        assumption: match &raw.assumption {
            Some(value) => Some(at.text("source.assumption", value)?),
            None => None,
        },
    };
    check_event(at, table, &rule)?;
    Ok(rule)
}

/// A rule whose events nobody would accept is found out now, by making one.
fn check_event(at: &Place<'_>, table: &Range<usize>, rule: &SensorRule) -> Result<(), ConfigError> {
    let reading = Reading {
        time: Instant::from_seconds(1_600_000_000),
        value: Some(1.0),
        suspect: false,
    };
    match sensor::events(rule, 0, &[reading], &Presence::default()) {
        Ok(_) => Ok(()),
        Err(error) => Err(at.error(table.clone(), "source", error.to_string())),
    }
}

fn alarms(at: &Place<'_>, raw: &RawSource) -> Result<(Option<f64>, Option<f64>), ConfigError> {
    let limit = |field: &str, value: &Option<Spanned<f64>>| {
        value
            .as_ref()
            .map(|value| at.finite(field, value))
            .transpose()
    };
    let min = limit("source.alarm_min", &raw.alarm_min)?;
    let max = limit("source.alarm_max", &raw.alarm_max)?;
    match (min, max, &raw.alarm_max) {
        (Some(min), Some(max), Some(value)) if max < min => {
            Err(at.error(value.span(), "source.alarm_max", "is below alarm_min"))
        }
        _ => Ok((min, max)),
    }
}

fn place(at: &Place<'_>, raw: &RawSource, table: &Range<usize>) -> Result<String, ConfigError> {
    let value = at.required(table, "source.place", &raw.place)?;
    at.key("source.place", value, names::place)
}

fn biz_location(at: &Place<'_>, raw: &RawSource) -> Result<Option<String>, ConfigError> {
    let value = raw.biz_location.as_ref();
    value
        .map(|value| at.key("source.biz_location", value, names::place))
        .transpose()
}

fn check_lines(
    at: &Place<'_>,
    raw: &RawSource,
    table: &Range<usize>,
) -> Result<LinesConfig, ConfigError> {
    let path = at.text("source.path", at.required(table, "source.path", &raw.path)?)?;
    let rejects = match &raw.rejects {
        Some(value) => at.text("source.rejects", value)?,
        None => format!("{path}.rejects"),
    };
    if rejects == path {
        let span = raw.rejects.as_ref().map_or(0..0, Spanned::span);
        return Err(at.error(span, "source.rejects", "is the file of lines itself"));
    }
    Ok(LinesConfig {
        source: match raw.type_name.get_ref().as_str() {
            "file" => Source::File,
            _ => Source::Scan,
        },
        path: path.into(),
        rejects: rejects.into(),
        place: place(at, raw, table)?,
        biz_location: biz_location(at, raw)?,
        poll: at.milliseconds("source.poll_ms", raw.poll_ms.as_ref(), 200)?,
    })
}
