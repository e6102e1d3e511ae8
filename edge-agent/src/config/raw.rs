//! The file as it is written: every field optional and with its place in the text, so that a rule
//! that cannot work is refused with its line. [`super::check`] turns this into
//! [`super::Config`].

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    pub state: PathBuf,
    pub log_level: Option<Spanned<String>>,
    #[serde(default)]
    pub device: RawDevice,
    #[serde(default)]
    pub uplink: RawUplink,
    pub peers: Option<RawPeers>,
    #[serde(default, rename = "source")]
    pub sources: Vec<Spanned<RawSource>>,
}

/// `[device]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDevice {
    pub name: Option<Spanned<String>>,
    pub heartbeat_s: Option<Spanned<u64>>,
    pub clock: Option<Spanned<String>>,
    pub time_zone: Option<Spanned<String>>,
}

/// `[uplink]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUplink {
    pub broker: Option<Spanned<String>>,
    pub in_flight: Option<Spanned<u64>>,
    pub back_off_min_ms: Option<Spanned<u64>>,
    pub back_off_max_ms: Option<Spanned<u64>>,
    pub receipt_timeout_ms: Option<Spanned<u64>>,
}

/// `[peers]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPeers {
    pub listen: Spanned<String>,
    pub others: Spanned<Vec<Spanned<String>>>,
    pub interval_s: Option<Spanned<u64>>,
}

/// One `[[source]]`: the fields of every type, because an internally tagged enum loses the place
/// of its fields. [`RawSource::foreign`] refuses those that are not the type's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    #[serde(rename = "type")]
    pub type_name: Spanned<String>,
    pub place: Option<Spanned<String>>,
    pub biz_location: Option<Spanned<String>>,
    // modbus
    pub address: Option<Spanned<String>>,
    pub unit: Option<Spanned<u64>>,
    pub table: Option<Spanned<String>>,
    pub register: Option<Spanned<u64>>,
    pub kind: Option<Spanned<String>>,
    pub scale: Option<Spanned<f64>>,
    pub time_register: Option<Spanned<u64>>,
    pub interval_s: Option<Spanned<f64>>,
    pub sensor: Option<Spanned<String>>,
    pub measurement: Option<Spanned<String>>,
    pub uom: Option<Spanned<String>>,
    pub alarm_min: Option<Spanned<f64>>,
    pub alarm_max: Option<Spanned<f64>>,
    pub readings_per_event: Option<Spanned<u64>>,
    pub step: Option<Spanned<String>>,
    pub assumption: Option<Spanned<String>>,
    // scan, file
    pub path: Option<Spanned<String>>,
    pub rejects: Option<Spanned<String>>,
    pub poll_ms: Option<Spanned<u64>>,
}

impl RawSource {
    /// Names and places of the fields given that only a source of type `modbus` has.
    pub fn of_modbus(&self) -> Vec<(&'static str, std::ops::Range<usize>)> {
        let fields = [
            ("address", span(&self.address)),
            ("unit", span(&self.unit)),
            ("table", span(&self.table)),
            ("register", span(&self.register)),
            ("kind", span(&self.kind)),
            ("scale", span(&self.scale)),
            ("time_register", span(&self.time_register)),
            ("interval_s", span(&self.interval_s)),
            ("sensor", span(&self.sensor)),
            ("measurement", span(&self.measurement)),
            ("uom", span(&self.uom)),
            ("alarm_min", span(&self.alarm_min)),
            ("alarm_max", span(&self.alarm_max)),
            ("readings_per_event", span(&self.readings_per_event)),
            ("step", span(&self.step)),
            ("assumption", span(&self.assumption)),
        ];
        given(fields)
    }

    /// The same for types `scan` and `file`.
    pub fn of_lines(&self) -> Vec<(&'static str, std::ops::Range<usize>)> {
        given([
            ("path", span(&self.path)),
            ("rejects", span(&self.rejects)),
            ("poll_ms", span(&self.poll_ms)),
        ])
    }
}

fn span<T>(field: &Option<Spanned<T>>) -> Option<std::ops::Range<usize>> {
    field.as_ref().map(Spanned::span)
}

fn given<const N: usize>(
    fields: [(&'static str, Option<std::ops::Range<usize>>); N],
) -> Vec<(&'static str, std::ops::Range<usize>)> {
    fields
        .into_iter()
        .filter_map(|(name, at)| Some((name, at?)))
        .collect()
}
