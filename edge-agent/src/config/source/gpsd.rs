//! A position by gpsd.

use serde::Deserialize;
use toml::Spanned;

use super::rule::Given;
use super::{Fields, Sampling, SensorRule, host_and_port, rule, sampling};
use crate::config::ConfigError;
use crate::config::place::Place;

/// WGS 84, longitude and latitude in degrees: what gpsd states.
const WGS_84: &str = "https://www.opengis.net/def/crs/EPSG/0/4326";

/// A receiver behind gpsd.
#[derive(Clone, Debug, PartialEq)]
pub struct GpsdConfig {
    /// `host:port`, `127.0.0.1:2947`.
    pub address: String,
    /// Receiver, where gpsd has several: `/dev/ttyACM0`.
    pub device: Option<String>,
    /// A fix that may be more wrong than this many metres is suspect.
    pub error_max_m: Option<f64>,
    /// When it is asked.
    pub sampling: Sampling,
    /// Latitude and longitude.
    pub rules: Box<[SensorRule; 2]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGpsd {
    address: Option<Spanned<String>>,
    device: Option<Spanned<String>>,
    error_max_m: Option<Spanned<f64>>,
}

pub(super) fn check(at: &Place<'_>, mut fields: Fields<'_>) -> Result<GpsdConfig, ConfigError> {
    let axis = |component| Given {
        measurement: "Angle",
        uom: "DD",
        component,
        reference_system: WGS_84,
    };
    let latitude = rule::take(at, &mut fields, Some(axis("latitude")))?;
    let sampling = sampling::take(at, &mut fields)?;
    let table = fields.span.clone();
    let raw: RawGpsd = fields.rest(at)?;
    let sampling = sampling.check(at, &table)?;
    let latitude = latitude.check(at, &table)?;
    let longitude = SensorRule {
        component: Some("longitude".to_owned()),
        ..latitude.clone()
    };
    let error_max_m = match &raw.error_max_m {
        Some(value) => {
            let metres = at.finite("source.error_max_m", value)?;
            if metres <= 0.0 {
                return Err(at.error(value.span(), "source.error_max_m", "is not above 0"));
            }
            Some(metres)
        }
        None => None,
    };
    let address = at.optional_key("source.address", raw.address.as_ref(), host_and_port)?;
    let device = raw.device.as_ref();
    Ok(GpsdConfig {
        address: address.unwrap_or_else(|| "127.0.0.1:2947".to_owned()),
        device: device
            .map(|value| at.text("source.device", value))
            .transpose()?,
        error_max_m,
        sampling,
        rules: Box::new([latitude, longitude]),
    })
}
