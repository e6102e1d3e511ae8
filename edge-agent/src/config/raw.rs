//! The file as it is written: every field optional and with its place in the text, so that a rule
//! that cannot work is refused with its line. [`super::check`] turns this into
//! [`super::Config`].

use std::path::PathBuf;

use super::rule::raw::RawRule;
use serde::Deserialize;
use toml::Spanned;

/// The whole file but its sources, which [`super::source`] reads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    pub state: PathBuf,
    pub log_level: Option<Spanned<String>>,
    #[serde(default)]
    pub device: RawDevice,
    #[serde(default)]
    pub outbox: RawOutbox,
    #[serde(default)]
    pub uplink: RawUplink,
    pub peers: Option<RawPeers>,
    pub page: Option<Spanned<String>>,
    pub led: Option<RawLed>,
    #[serde(default, rename = "rule")]
    pub rules: Vec<Spanned<RawRule>>,
}

/// `[device]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDevice {
    pub name: Option<Spanned<String>>,
    pub heartbeat_s: Option<Spanned<u64>>,
    pub key: Option<Spanned<String>>,
    pub clock: Option<Spanned<String>>,
    pub time_zone: Option<Spanned<String>>,
}

/// `[outbox]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOutbox {
    pub max_mib: Option<Spanned<u64>>,
}

/// `[uplink]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUplink {
    pub broker: Option<Spanned<String>>,
    pub brokers: Option<Spanned<Vec<Spanned<String>>>>,
    pub return_after_s: Option<Spanned<u64>>,
    pub platforms: Option<Spanned<Vec<Spanned<String>>>>,
    pub in_flight: Option<Spanned<u64>>,
    pub back_off_min_ms: Option<Spanned<u64>>,
    pub back_off_max_ms: Option<Spanned<u64>>,
    pub receipt_timeout_ms: Option<Spanned<u64>>,
}

/// `[led]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLed {
    pub path: Spanned<String>,
}

/// `[peers]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPeers {
    pub listen: Spanned<String>,
    pub others: Spanned<Vec<Spanned<String>>>,
    pub interval_s: Option<Spanned<u64>>,
}
