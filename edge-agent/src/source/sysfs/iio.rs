//! Industrial I/O: `in_<channel>_input` in the ABI's unit, or `in_<channel>_raw` with offset and
//! scale: (raw + offset) * scale.

use std::path::Path;

use super::{folder, number, unread};
use crate::compose::figures::rounded;
use crate::config::SysfsConfig;
use crate::source::Trouble;
use crate::source::judge::Sample;

/// Reads a channel (`temp`, `humidityrelative`, `voltage0`).
pub(super) fn read(config: &SysfsConfig, channel: &str) -> Result<Sample, Trouble> {
    let folder = folder(config, "bus/iio/devices")?;
    let input = folder.join(format!("in_{channel}_input"));
    if let Some(value) = number(&input)? {
        return Ok(sample(value, config, "input".to_owned()));
    }
    let path = folder.join(format!("in_{channel}_raw"));
    let raw = number(&path)?.ok_or_else(|| unread(&path, &std::io::ErrorKind::NotFound.into()))?;
    let scale = shared(&folder, channel, "scale")?.unwrap_or(1.0);
    let offset = shared(&folder, channel, "offset")?.unwrap_or(0.0);
    let unit = format!("scale {scale} offset {offset}");
    Ok(sample((raw + offset) * scale, config, unit))
}

fn sample(value: f64, config: &SysfsConfig, unit: String) -> Sample {
    // A converter that changes its range by itself changes its scale with it.
    let unit = if config.scale_may_change {
        String::new()
    } else {
        unit
    };
    Sample {
        time: None,
        value: Some(rounded(value * config.scale)),
        doubt: None,
        unit,
    }
}

/// A channel's own attribute (`in_voltage0_scale`), or the one that all of its type share
/// (`in_voltage_scale`).
fn shared(folder: &Path, channel: &str, what: &str) -> Result<Option<f64>, Trouble> {
    if let Some(own) = number(&folder.join(format!("in_{channel}_{what}")))? {
        return Ok(Some(own));
    }
    let kind = channel.trim_end_matches(|c: char| c.is_ascii_digit());
    number(&folder.join(format!("in_{kind}_{what}")))
}
