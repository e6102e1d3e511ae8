//! `[uplink]`.

use std::time::Duration;

use toml::Spanned;

use super::super::place::Place;
use super::super::raw::RawUplink;
use super::super::{BROKERS_MAX, BrokerAddress, ConfigError, UplinkConfig};

/// Longest time until the first address is looked at again, in seconds: a day.
const RETURN_AFTER_MAX_S: u64 = 86_400;
/// The default of that: ten minutes.
const RETURN_AFTER_S: u64 = 600;

pub(super) fn check_uplink(at: &Place<'_>, raw: &RawUplink) -> Result<UplinkConfig, ConfigError> {
    let broker = match &raw.broker {
        Some(value) => Some(address(at, "uplink.broker", value)?),
        None => None,
    };
    let in_flight = match &raw.in_flight {
        Some(value) => at.within("uplink.in_flight", value, 1..=1024)?,
        None => 32,
    };
    let return_after = match &raw.return_after_s {
        Some(value) => at.within("uplink.return_after_s", value, 1..=RETURN_AFTER_MAX_S)?,
        None => RETURN_AFTER_S,
    };
    let (back_off_min, back_off_max) = back_off(at, raw)?;
    let receipt_timeout = raw.receipt_timeout_ms.as_ref();
    Ok(UplinkConfig {
        broker,
        brokers: list(at, "uplink.brokers", raw.brokers.as_ref(), address)?,
        return_after: Duration::from_secs(return_after),
        platforms: list(at, "uplink.platforms", raw.platforms.as_ref(), base)?,
        in_flight: u16::try_from(in_flight).unwrap_or(u16::MAX),
        back_off_min,
        back_off_max,
        receipt_timeout: at.milliseconds("uplink.receipt_timeout_ms", receipt_timeout, 30_000)?,
    })
}

fn back_off(at: &Place<'_>, raw: &RawUplink) -> Result<(Duration, Duration), ConfigError> {
    let (least, most) = (raw.back_off_min_ms.as_ref(), raw.back_off_max_ms.as_ref());
    let least = at.milliseconds("uplink.back_off_min_ms", least, 200)?;
    let longest = at.milliseconds("uplink.back_off_max_ms", most, 30_000)?;
    match most {
        Some(value) if longest < least => {
            let problem = "is shorter than back_off_min_ms";
            Err(at.error(value.span(), "uplink.back_off_max_ms", problem))
        }
        _ => Ok((least, longest.max(least))),
    }
}

fn list<T>(
    at: &Place<'_>,
    field: &str,
    raw: Option<&Spanned<Vec<Spanned<String>>>>,
    one: impl Fn(&Place<'_>, &str, &Spanned<String>) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    let Some(values) = raw else {
        return Ok(Vec::new());
    };
    if values.get_ref().len() > BROKERS_MAX {
        let problem = format!("more than {BROKERS_MAX} addresses");
        return Err(at.error(values.span(), field, problem));
    }
    values
        .get_ref()
        .iter()
        .map(|value| one(at, field, value))
        .collect()
}

fn address(
    at: &Place<'_>,
    field: &str,
    value: &Spanned<String>,
) -> Result<BrokerAddress, ConfigError> {
    at.key(field, value, |text| text.parse().map_err(str::to_owned))
}

/// A base URL: what comes back is verified, so that plain HTTP harms nobody but its reader.
fn base(at: &Place<'_>, field: &str, value: &Spanned<String>) -> Result<String, ConfigError> {
    at.key(field, value, |text| {
        let is_base = text.starts_with("https://") || text.starts_with("http://");
        if is_base && !text.contains(['?', '#', '@', ' ']) {
            Ok(text.trim_end_matches('/').to_owned())
        } else {
            Err("expected https://host[:port]".to_owned())
        }
    })
}
