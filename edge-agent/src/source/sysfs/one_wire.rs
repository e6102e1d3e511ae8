//! 1-Wire thermometers (DS18B20 and its kin) by the kernel's `w1_slave`: nine bytes with the
//! verdict on their CRC, then the temperature in thousandths of a degree.

use super::{text, unread};
use crate::compose::figures::rounded;
use crate::config::SysfsConfig;
use crate::source::Trouble;
use crate::source::judge::{Doubt, Sample};
use crate::source::remedy;

/// What a sensor holds between power-on and its first conversion, in thousandths of a degree.
const POWER_ON: i64 = 85_000;
/// The byte that tells the power-on value from 85 degrees measured, in sensors by Maxim.
const RESERVED: usize = 6;
const RESERVED_AT_POWER_ON: u8 = 0x0c;
/// A sensor that was within this of 85 degrees may well be there, in degrees.
const NEAR: f64 = 10.0;
/// How often a reading whose CRC is wrong is repeated: one disturbed reading is no fault.
const TRIES: usize = 3;

/// Reads a thermometer; `known` is the newest value that was not doubted, in the rule's unit.
pub(super) fn read(config: &SysfsConfig, known: Option<f64>) -> Result<Sample, Trouble> {
    let device = config.root.join("bus/w1/devices").join(&config.device);
    let path = device.join("w1_slave");
    let mut answer = Err(Trouble::new("not read", remedy::ONE_WIRE));
    for _ in 0..TRIES {
        let text = text(&path).map_err(|error| unread(&path, &error))?;
        answer = parse(&text);
        if !matches!(&answer, Err(trouble) if trouble.cause.starts_with("CRC")) {
            break;
        }
    }
    let (bytes, millis) = answer?;
    #[expect(clippy::cast_precision_loss, reason = "at most 127,937")]
    let degrees = rounded(millis as f64 * config.scale);
    Ok(Sample {
        time: None,
        value: Some(degrees),
        doubt: power_on(&bytes, millis, degrees, known)?,
        unit: String::new(),
    })
}

/// 85 degrees exactly: refused where the sensor's own memory shows that nothing was measured, true
/// where the value before was near, else doubtful.
fn power_on(
    bytes: &[u8],
    millis: i64,
    degrees: f64,
    known: Option<f64>,
) -> Result<Option<Doubt>, Trouble> {
    if millis != POWER_ON {
        return Ok(None);
    }
    if bytes.get(RESERVED) == Some(&RESERVED_AT_POWER_ON) {
        let cause = "85 degrees: the power-on value, nothing was measured";
        return Err(Trouble::new(cause, remedy::ONE_WIRE_POWER));
    }
    if known.is_some_and(|known| (known - degrees).abs() <= NEAR) {
        return Ok(None);
    }
    let cause = "85 degrees exactly may be the power-on value";
    Ok(Some(Doubt::Device(cause.to_owned())))
}

/// The nine bytes and the temperature.
fn parse(text: &str) -> Result<(Vec<u8>, i64), Trouble> {
    let broken = || {
        Trouble::new(
            format!("`{text:.60}` is not what w1_slave holds"),
            remedy::ONE_WIRE,
        )
    };
    let (first, second) = text.split_once('\n').ok_or_else(broken)?;
    let (bytes, verdict) = first.split_once(": crc=").ok_or_else(broken)?;
    let bytes = bytes
        .split_ascii_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<Vec<u8>, _>>()
        .map_err(|_| broken())?;
    if bytes.len() != 9 {
        return Err(broken());
    }
    if !verdict.ends_with("YES") {
        return Err(Trouble::new(
            "CRC of the sensor's answer is wrong",
            remedy::ONE_WIRE,
        ));
    }
    // Nine zeros have a right CRC: the data line lies on ground.
    if bytes.iter().all(|&byte| byte == 0) {
        return Err(Trouble::new(
            "the data line is shorted to ground",
            remedy::ONE_WIRE,
        ));
    }
    let (_, millis) = second.split_once("t=").ok_or_else(broken)?;
    let millis = millis.trim().parse().map_err(|_| broken())?;
    Ok((bytes, millis))
}
