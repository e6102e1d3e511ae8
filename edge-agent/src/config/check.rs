//! From the file's text to a [`Config`]: types, ranges and GS1 keys, each refusal with its line.

mod place;
mod source;

use std::net::SocketAddr;
use std::time::Duration;

use schemas::statement::ClockState;
use toml::Spanned;

use super::raw::{RawConfig, RawDevice, RawPeers, RawSource, RawUplink};
use super::{
    Config, ConfigError, DeviceConfig, PEERS_MAX, PeersConfig, SOURCES_MAX, SourceConfig,
    UplinkConfig,
};
use place::Place;
use source::check_source;

/// Longest heartbeat in seconds (`registry.md` section 2, key 11).
const HEARTBEAT_MAX_S: u64 = 31_536_000;
/// Longest time between two comparisons with other gateways, in seconds: a day.
const PEERS_INTERVAL_MAX_S: u64 = 86_400;

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
