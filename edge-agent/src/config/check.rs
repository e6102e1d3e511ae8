//! From the file's text to a [`Config`]: types, ranges and GS1 keys, each refusal with its line.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use schemas::event::Source;
use schemas::statement::ClockState;
use schemas::time::Instant;
use toml::Spanned;

use super::raw::{RawConfig, RawDevice, RawPeers, RawSource, RawUplink};
use super::{
    Config, ConfigError, DeviceConfig, LinesConfig, ModbusConfig, PEERS_MAX, PeersConfig,
    READINGS_PER_EVENT_MAX, RegisterKind, RegisterTable, SOURCES_MAX, SensorRule, SourceConfig,
    TEXT_MAX, UplinkConfig,
};
use crate::compose::presence::Presence;
use crate::compose::sensor::{self, Reading};
use crate::names;

/// Longest interval between readings: a day.
const INTERVAL_MAX_S: f64 = 86_400.0;
/// Longest heartbeat in seconds (`registry.md` section 2, key 11).
const HEARTBEAT_MAX_S: u64 = 31_536_000;
/// Longest time between two comparisons with other gateways, in seconds: a day.
const PEERS_INTERVAL_MAX_S: u64 = 86_400;
/// Longest wait that can be configured, in milliseconds: an hour.
const WAIT_MAX_MS: u64 = 3_600_000;

pub(super) fn parse(file: &str, text: &str) -> Result<Config, ConfigError> {
    let at = Place { file, text };
    let raw: RawConfig = schemas::config::parse(file, text)?;
    if raw.sources.len() > SOURCES_MAX {
        return Err(at.error(0..0, "source", format!("more than {SOURCES_MAX} sources")));
    }
    let sources = raw
        .sources
        .iter()
        .map(|source| check_source(&at, source))
        .collect::<Result<Vec<_>, _>>()?;
    check_series(&at, &raw.sources, &sources)?;
    Ok(Config {
        state: raw.state,
        log_level: log_level(&at, raw.log_level.as_ref())?,
        device: check_device(&at, &raw.device)?,
        uplink: check_uplink(&at, &raw.uplink)?,
        peers: check_peers(&at, raw.peers.as_ref())?,
        sources,
    })
}

/// Turns places in the text into messages.
struct Place<'a> {
    file: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn error(&self, span: Range<usize>, field: &str, problem: impl Into<String>) -> ConfigError {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        ConfigError {
            file: self.file.to_owned(),
            line,
            field: format!("{field}: "),
            problem: problem.into(),
        }
    }

    fn required<'v, T>(
        &self,
        table: &Range<usize>,
        field: &str,
        value: &'v Option<Spanned<T>>,
    ) -> Result<&'v Spanned<T>, ConfigError> {
        let missing = || self.error(table.clone(), field, "is missing");
        value.as_ref().ok_or_else(missing)
    }

    /// A text of 1 to [`TEXT_MAX`] bytes without control characters.
    fn text(&self, field: &str, value: &Spanned<String>) -> Result<String, ConfigError> {
        let text = value.get_ref();
        let refuse = |problem: &str| Err(self.error(value.span(), field, problem));
        match text {
            _ if text.trim().is_empty() => refuse("is empty"),
            _ if text.len() > TEXT_MAX => refuse("is longer than 512 bytes"),
            _ if text.chars().any(char::is_control) => refuse("has a control character"),
            _ => Ok(text.clone()),
        }
    }

    fn within(
        &self,
        field: &str,
        value: &Spanned<u64>,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let number = *value.get_ref();
        if range.contains(&number) {
            return Ok(number);
        }
        let problem = format!(
            "{number} is not between {} and {}",
            range.start(),
            range.end()
        );
        Err(self.error(value.span(), field, problem))
    }

    fn milliseconds(
        &self,
        field: &str,
        value: Option<&Spanned<u64>>,
        default: u64,
    ) -> Result<Duration, ConfigError> {
        let number = match value {
            Some(value) => self.within(field, value, 1..=WAIT_MAX_MS)?,
            None => default,
        };
        Ok(Duration::from_millis(number))
    }

    fn finite(&self, field: &str, value: &Spanned<f64>) -> Result<f64, ConfigError> {
        let number = *value.get_ref();
        if number.is_finite() {
            Ok(number)
        } else {
            Err(self.error(value.span(), field, "is not a finite number"))
        }
    }

    fn key<T>(
        &self,
        field: &str,
        value: &Spanned<String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let text = self.text(field, value)?;
        parse(&text).map_err(|problem| self.error(value.span(), field, problem))
    }
}

fn log_level(at: &Place<'_>, value: Option<&Spanned<String>>) -> Result<String, ConfigError> {
    let Some(value) = value else {
        return Ok("info".to_owned());
    };
    let text = at.text("log_level", value)?;
    text.parse::<tracing_subscriber::EnvFilter>()
        .map_err(|error| at.error(value.span(), "log_level", error.to_string()))?;
    Ok(text)
}

fn check_device(at: &Place<'_>, raw: &RawDevice) -> Result<DeviceConfig, ConfigError> {
    let name = match &raw.name {
        Some(value) => Some(at.key("device.name", value, |text| {
            text.parse()
                .map_err(|error: schemas::ids::NameError| error.to_string())
        })?),
        None => None,
    };
    let heartbeat = match &raw.heartbeat_s {
        Some(value) => Some(Duration::from_secs(at.within(
            "device.heartbeat_s",
            value,
            2..=HEARTBEAT_MAX_S,
        )?)),
        None => None,
    };
    let clock = match &raw.clock {
        Some(value) => at.key("device.clock", value, |text| match text {
            "synced" => Ok(ClockState::Synced),
            "unsynced" => Ok(ClockState::Unsynced),
            _ => Err("is neither \"synced\" nor \"unsynced\"".to_owned()),
        })?,
        None => ClockState::Unsynced,
    };
    let time_zone_minutes = match &raw.time_zone {
        Some(value) => at.key("device.time_zone", value, |text| {
            schemas::epcis::rule::parse_offset(text)
                .ok_or_else(|| "is not +hh:mm or -hh:mm up to 14:00".to_owned())
        })?,
        None => 0,
    };
    Ok(DeviceConfig {
        name,
        heartbeat,
        clock,
        time_zone_minutes,
    })
}

fn check_peers(at: &Place<'_>, raw: Option<&RawPeers>) -> Result<Option<PeersConfig>, ConfigError> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    let address = |field: &str, value: &Spanned<String>| -> Result<SocketAddr, ConfigError> {
        let problem = "expected an address and a port, for example 192.0.2.7:7878";
        let parsed = value.get_ref().parse();
        parsed.map_err(|_| at.error(value.span(), field, problem))
    };
    let others = raw.others.get_ref();
    if others.is_empty() || others.len() > PEERS_MAX {
        let problem = format!("1 to {PEERS_MAX} other gateways");
        return Err(at.error(raw.others.span(), "peers.others", problem));
    }
    let interval = match &raw.interval_s {
        Some(value) => at.within("peers.interval_s", value, 1..=PEERS_INTERVAL_MAX_S)?,
        None => 60,
    };
    let others = others.iter().map(|other| address("peers.others", other));
    Ok(Some(PeersConfig {
        listen: address("peers.listen", &raw.listen)?,
        others: others.collect::<Result<_, _>>()?,
        interval: Duration::from_secs(interval),
    }))
}

fn check_uplink(at: &Place<'_>, raw: &RawUplink) -> Result<UplinkConfig, ConfigError> {
    let broker = match &raw.broker {
        Some(value) => Some(at.key("uplink.broker", value, |text| {
            text.parse().map_err(str::to_owned)
        })?),
        None => None,
    };
    let in_flight = match &raw.in_flight {
        Some(value) => at.within("uplink.in_flight", value, 1..=1024)?,
        None => 32,
    };
    let back_off_min =
        at.milliseconds("uplink.back_off_min_ms", raw.back_off_min_ms.as_ref(), 200)?;
    let back_off_max = at.milliseconds(
        "uplink.back_off_max_ms",
        raw.back_off_max_ms.as_ref(),
        30_000,
    )?;
    if let Some(value) = raw
        .back_off_max_ms
        .as_ref()
        .filter(|_| back_off_max < back_off_min)
    {
        let problem = "is shorter than back_off_min_ms";
        return Err(at.error(value.span(), "uplink.back_off_max_ms", problem));
    }
    Ok(UplinkConfig {
        broker,
        in_flight: u16::try_from(in_flight).unwrap_or(u16::MAX),
        back_off_min,
        back_off_max: back_off_max.max(back_off_min),
        receipt_timeout: at.milliseconds(
            "uplink.receipt_timeout_ms",
            raw.receipt_timeout_ms.as_ref(),
            30_000,
        )?,
    })
}

fn check_source(at: &Place<'_>, raw: &Spanned<RawSource>) -> Result<SourceConfig, ConfigError> {
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

/// Two sources that would share a series or a file would mix up their positions.
fn check_series(
    at: &Place<'_>,
    raw: &[Spanned<RawSource>],
    sources: &[SourceConfig],
) -> Result<(), ConfigError> {
    let mut seen = std::collections::BTreeSet::new();
    for (source, raw) in sources.iter().zip(raw) {
        let (name, field) = match source {
            SourceConfig::Modbus(modbus) => (modbus.rule.series(), "source.sensor"),
            SourceConfig::Lines(lines) => (lines.path.display().to_string(), "source.path"),
        };
        if !seen.insert(name) {
            let problem = "another source has the same sensor and measurement, or path";
            return Err(at.error(raw.span(), field, problem));
        }
    }
    Ok(())
}
