//! From the file's text to a [`Config`]: types, ranges and GS1 keys, each refusal with its line.

mod rule;
mod uplink;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;

use super::environment::Override;
use super::place::Place;
use super::raw::{RawConfig, RawDevice, RawLed, RawOutbox, RawPeers};
use super::written::{Mistake, read};
use super::{
    ClockSetting, Config, ConfigError, DeviceConfig, OutboxConfig, PEERS_MAX, PeersConfig, source,
};
use crate::identity::Algorithm;
use uplink::check_uplink;

/// Longest heartbeat in seconds (`registry.md` section 2, key 11).
const HEARTBEAT_MAX_S: u64 = 31_536_000;
/// Largest outbox in MiB: a terabyte.
const OUTBOX_MAX_MIB: u64 = 1024 * 1024;
/// Longest time between two comparisons with other gateways, in seconds: a day.
const PEERS_INTERVAL_MAX_S: u64 = 86_400;

pub(super) fn parse(file: &str, text: &str, overrides: &[Override]) -> Result<Config, ConfigError> {
    let at = Place {
        file,
        text,
        overrides,
    };
    let refused = |mistake: Mistake| at.refused("", &mistake);
    let table = DeTable::parse(text).map_err(|error| refused(error.into()))?;
    let (whole, mut table) = (table.span(), table.into_inner());
    for (one, place) in overrides.iter().zip(at.beyond()) {
        one.put(&mut table, place);
    }
    let (written, mut sources) = source::take(&at, &mut table)?;
    let raw: RawConfig = read(table, whole).map_err(refused)?;
    rule::attach(&at, &raw.rules, &written, &mut sources)?;
    Ok(Config {
        state: raw.state,
        log_level: log_level(&at, raw.log_level.as_ref())?,
        device: check_device(&at, &raw.device)?,
        outbox: check_outbox(&at, &raw.outbox)?,
        uplink: check_uplink(&at, &raw.uplink)?,
        peers: check_peers(&at, raw.peers.as_ref())?,
        page: check_page(&at, raw.page.as_ref())?,
        led: check_led(&at, raw.led.as_ref())?,
        sources,
    })
}

fn log_level(at: &Place<'_>, value: Option<&Spanned<String>>) -> Result<String, ConfigError> {
    let Some(value) = value else {
        return Ok("info".to_owned());
    };
    let text = at.text("log_level", value)?;
    text.parse::<tracing_subscriber::filter::Targets>()
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
    let key = match &raw.key {
        Some(value) => at.key("device.key", value, |text| {
            text.parse().map_err(str::to_owned)
        })?,
        None => Algorithm::default(),
    };
    let clock = match &raw.clock {
        Some(value) => at.key("device.clock", value, |text| match text {
            "auto" => Ok(ClockSetting::Auto),
            "synced" => Ok(ClockSetting::Synced),
            "unsynced" => Ok(ClockSetting::Unsynced),
            _ => Err("is neither \"auto\", \"synced\" nor \"unsynced\"".to_owned()),
        })?,
        None => ClockSetting::Unsynced,
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
        key,
        clock,
        time_zone_minutes,
    })
}

/// The page names sources and positions, and asks nobody who they are.
fn check_page(
    at: &Place<'_>,
    raw: Option<&Spanned<String>>,
) -> Result<Option<SocketAddr>, ConfigError> {
    let Some(value) = raw else {
        return Ok(None);
    };
    let address = at.key("page", value, |text| {
        let address: SocketAddr = text.parse().map_err(|_| "is no address and port")?;
        if address.ip().is_loopback() {
            Ok(address)
        } else {
            Err(
                "must be on loopback, for example 127.0.0.1:9465: it asks nobody who they are"
                    .into(),
            )
        }
    })?;
    Ok(Some(address))
}

fn check_led(at: &Place<'_>, raw: Option<&RawLed>) -> Result<Option<PathBuf>, ConfigError> {
    let path = raw.map(|raw| at.text("led.path", &raw.path));
    Ok(path.transpose()?.map(PathBuf::from))
}

fn check_outbox(at: &Place<'_>, raw: &RawOutbox) -> Result<OutboxConfig, ConfigError> {
    let mebibytes = match &raw.max_mib {
        Some(value) => at.within("outbox.max_mib", value, 1..=OUTBOX_MAX_MIB)?,
        None => 512,
    };
    Ok(OutboxConfig {
        bytes_max: mebibytes * 1024 * 1024,
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
