//! How a serial line is set.

use serde::Deserialize;
use toml::Spanned;

use super::Fields;
use crate::config::ConfigError;
use crate::config::place::Place;

/// A serial line of eight data bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialLine {
    /// Bits a second, 300 to 4,000,000.
    pub baud: u32,
    /// Parity bit.
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

impl Default for SerialLine {
    fn default() -> Self {
        Self {
            baud: 9_600,
            parity: Parity::None,
            stop_bits: 1,
        }
    }
}

/// Parity of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// None.
    None,
    /// Even.
    Even,
    /// Odd.
    Odd,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSerial {
    baud: Option<Spanned<u64>>,
    parity: Option<Spanned<String>>,
    stop_bits: Option<Spanned<u64>>,
}

/// Takes the line's settings out of a source's fields; `None` where none is given.
pub(super) fn take(
    at: &Place<'_>,
    fields: &mut Fields<'_>,
) -> Result<Option<SerialLine>, ConfigError> {
    let names = ["baud", "parity", "stop_bits"];
    if !fields.has_any(&names) {
        return Ok(None);
    }
    let raw: RawSerial = fields.take(at, &names)?;
    let default = SerialLine::default();
    let baud = match &raw.baud {
        Some(value) => at.within("source.baud", value, 300..=4_000_000)?,
        None => default.baud.into(),
    };
    let stop_bits = match &raw.stop_bits {
        Some(value) => at.within("source.stop_bits", value, 1..=2)?,
        None => default.stop_bits.into(),
    };
    Ok(Some(SerialLine {
        baud: u32::try_from(baud).unwrap_or(default.baud),
        parity: at
            .optional_key("source.parity", raw.parity.as_ref(), parity)?
            .unwrap_or(default.parity),
        stop_bits: u8::try_from(stop_bits).unwrap_or(default.stop_bits),
    }))
}

fn parity(text: &str) -> Result<Parity, String> {
    match text {
        "none" => Ok(Parity::None),
        "even" => Ok(Parity::Even),
        "odd" => Ok(Parity::Odd),
        _ => Err("is none of \"none\", \"even\", \"odd\"".to_owned()),
    }
}
