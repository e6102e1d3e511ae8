//! Sensors of the Linux kernel.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::{Fields, Sampling, SensorRule, rule, sampling};
use crate::config::ConfigError;
use crate::config::place::Place;

/// A sensor below `/sys`.
#[derive(Clone, Debug, PartialEq)]
pub struct SysfsConfig {
    /// Where sysfs is, `/sys`.
    pub root: PathBuf,
    /// Its bus, and what of the device is read.
    pub bus: Bus,
    /// Name of its folder (`iio:device0`, `28-00000720b1f3`, `hwmon2`), or what its file `name`
    /// says (`bme280`).
    pub device: String,
    /// What the kernel's number is multiplied by.
    pub scale: f64,
    /// The device changes its range by itself, so that another scale is no other unit (IIO).
    pub scale_may_change: bool,
    /// When it is read and what it can say.
    pub sampling: Sampling,
    /// What the readings mean and where they are taken.
    pub rule: SensorRule,
}

/// How the kernel shows a sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bus {
    /// Industrial I/O: `in_<channel>_input`, or `_raw` with `_offset` and `_scale`.
    Iio {
        /// `temp`, `humidityrelative`, `voltage0`.
        channel: String,
    },
    /// A 1-Wire thermometer: `w1_slave`.
    OneWire,
    /// A hwmon chip: `<channel>_input`.
    Hwmon {
        /// `temp1`, `humidity1`, `in0`.
        channel: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSysfs {
    root: Option<Spanned<String>>,
    device: Option<Spanned<String>>,
    channel: Option<Spanned<String>>,
    scale: Option<Spanned<f64>>,
    scale_may_change: Option<bool>,
}

/// Reads types `iio`, `onewire` and `hwmon`.
pub(super) fn check(
    at: &Place<'_>,
    mut fields: Fields<'_>,
    bus: impl Fn(String) -> Bus,
) -> Result<SysfsConfig, ConfigError> {
    let rule = rule::take(at, &mut fields, None)?;
    let sampling = sampling::take(at, &mut fields)?;
    let table = fields.span.clone();
    let raw: RawSysfs = fields.rest(at)?;
    let sampling = sampling.check(at, &table)?;
    let mut rule = rule.check(at, &table)?;
    rule.interval = Some(sampling.interval);
    let device = at.required(&table, "source.device", &raw.device)?;
    let bus = match (bus(String::new()), &raw.channel) {
        (Bus::OneWire, None) => Bus::OneWire,
        (Bus::OneWire, Some(value)) => {
            let problem = "does not belong to type \"onewire\"";
            return Err(at.error(value.span(), "source.channel", problem));
        }
        (_, channel) => {
            let channel = at.required(&table, "source.channel", channel)?;
            bus(at.key("source.channel", channel, file_name)?)
        }
    };
    let scale = match &raw.scale {
        Some(value) => at.scale("source.scale", value)?,
        None => default_scale(&bus),
    };
    let root = at.optional_key("source.root", raw.root.as_ref(), |text| Ok(text.to_owned()))?;
    Ok(SysfsConfig {
        root: root.unwrap_or_else(|| "/sys".to_owned()).into(),
        device: at.key("source.device", device, file_name)?,
        scale,
        scale_may_change: raw.scale_may_change.unwrap_or(false),
        sampling,
        rule,
        bus,
    })
}

/// The kernel counts temperature, humidity and hwmon's voltages in thousandths.
fn default_scale(bus: &Bus) -> f64 {
    match bus {
        Bus::OneWire | Bus::Hwmon { .. } => 0.001,
        Bus::Iio { channel } => {
            let thousandths = ["temp", "humidityrelative"];
            if thousandths.iter().any(|kind| channel.starts_with(kind)) {
                0.001
            } else {
                1.0
            }
        }
    }
}

/// A name within a folder, so that nothing outside of the root is read.
fn file_name(text: &str) -> Result<String, String> {
    if text.contains('/') || text.starts_with('.') || text.len() > 100 {
        Err("is not the name of a file".to_owned())
    } else {
        Ok(text.to_owned())
    }
}
