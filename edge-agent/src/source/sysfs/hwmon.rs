//! hwmon chips: `<channel>_input` in thousandths, with `<channel>_fault` where the chip notices a
//! broken sensor.

use super::{folder, number, unread};
use crate::compose::figures::rounded;
use crate::config::SysfsConfig;
use crate::source::Trouble;
use crate::source::judge::Sample;
use crate::source::remedy;

/// Reads a channel (`temp1`, `humidity1`, `in0`).
pub(super) fn read(config: &SysfsConfig, channel: &str) -> Result<Sample, Trouble> {
    let folder = folder(config, "class/hwmon")?;
    if number(&folder.join(format!("{channel}_fault")))?.is_some_and(|fault| fault != 0.0) {
        let cause = format!("{channel}_fault: the chip reports a broken sensor");
        return Err(Trouble::new(cause, remedy::CHIP_INPUT));
    }
    let path = folder.join(format!("{channel}_input"));
    let raw = number(&path)?.ok_or_else(|| unread(&path, &std::io::ErrorKind::NotFound.into()))?;
    Ok(Sample {
        time: None,
        value: Some(rounded(raw * config.scale)),
        doubt: None,
        unit: String::new(),
    })
}
