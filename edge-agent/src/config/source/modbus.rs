//! Registers of a Modbus device.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::{Fields, Sampling, SensorRule, SerialLine, host_and_port, line, rule, sampling};
use crate::config::ConfigError;
use crate::config::place::Place;

/// A Modbus source.
#[derive(Clone, Debug, PartialEq)]
pub struct ModbusConfig {
    /// Where it hangs.
    pub link: ModbusLink,
    /// Unit id (slave), 0 to 255.
    pub unit: u8,
    /// Which table the registers are in.
    pub table: RegisterTable,
    /// First register of the value, counted from 0.
    pub register: u16,
    /// How the register is read.
    pub kind: RegisterKind,
    /// Which of two registers is the high one.
    pub order: WordOrder,
    /// What the raw value is multiplied by.
    pub scale: f64,
    /// First of two registers that hold the reading's time in unix seconds, high word first.
    pub time_register: Option<u16>,
    /// Register in which the device says its unit, and the code that it must have there.
    pub uom_code: Option<(u16, u16)>,
    /// When it is read and what it can say.
    pub sampling: Sampling,
    /// What the readings mean and where they are taken.
    pub rule: SensorRule,
}

/// How a Modbus device is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModbusLink {
    /// Modbus TCP at `host:port`.
    Tcp(String),
    /// Modbus RTU.
    Rtu {
        /// `/dev/ttyUSB0`, better `/dev/serial/by-id/...`. Devices on one line name it alike.
        port: PathBuf,
        /// How the line is set.
        line: SerialLine,
    },
}

/// Which of two registers comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordOrder {
    /// As Modbus itself writes numbers.
    HighFirst,
    /// As some devices do.
    LowFirst,
}

/// Modbus tables that hold 16-bit registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterTable {
    /// Function 3.
    Holding,
    /// Function 4.
    Input,
}

/// How a value lies in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterKind {
    /// One register, unsigned.
    U16,
    /// One register, two's complement.
    I16,
    /// Two registers, unsigned.
    U32,
    /// Two registers, two's complement.
    I32,
    /// Two registers, IEEE 754 single.
    F32,
}

impl RegisterKind {
    /// Registers that a value takes.
    #[must_use]
    pub const fn width(self) -> u16 {
        match self {
            Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModbus {
    address: Option<Spanned<String>>,
    port: Option<Spanned<String>>,
    unit: Option<Spanned<u64>>,
    table: Option<Spanned<String>>,
    register: Option<Spanned<u64>>,
    kind: Option<Spanned<String>>,
    scale: Option<Spanned<f64>>,
    words: Option<Spanned<String>>,
    time_register: Option<Spanned<u64>>,
    uom_register: Option<Spanned<u64>>,
    uom_code: Option<Spanned<u64>>,
}

pub(super) fn check(at: &Place<'_>, mut fields: Fields<'_>) -> Result<ModbusConfig, ConfigError> {
    let rule = rule::take(at, &mut fields, None)?;
    let sampling = sampling::take(at, &mut fields)?;
    let line = line::take(at, &mut fields)?;
    let table = &fields.span.clone();
    let raw: RawModbus = fields.rest(at)?;
    let sampling = sampling.check(at, table)?;
    let mut rule = rule.check(at, table)?;
    rule.interval = Some(sampling.interval);
    let register = at.required(table, "source.register", &raw.register)?;
    let kind = at.required(table, "source.kind", &raw.kind)?;
    let kind = at.key("source.kind", kind, register_kind)?;
    let unit = raw
        .unit
        .as_ref()
        .map_or(Ok(1), |value| at.within("source.unit", value, 0..=255))?;
    let last = 65_536 - u64::from(kind.width());
    let register = at.within("source.register", register, 0..=last)?;
    let time_register = match &raw.time_register {
        Some(value) => Some(small(at.within(
            "source.time_register",
            value,
            0..=65_534,
        )?)),
        None => None,
    };
    Ok(ModbusConfig {
        link: link(at, table, &raw, line)?,
        unit: u8::try_from(unit).unwrap_or(u8::MAX),
        table: match &raw.table {
            Some(value) => at.key("source.table", value, register_table)?,
            None => RegisterTable::Holding,
        },
        register: small(register),
        kind,
        order: at
            .optional_key("source.words", raw.words.as_ref(), word_order)?
            .unwrap_or(WordOrder::HighFirst),
        scale: match &raw.scale {
            Some(value) => at.scale("source.scale", value)?,
            None => 1.0,
        },
        time_register,
        uom_code: uom_code(at, &raw)?,
        sampling,
        rule,
    })
}

/// A register number; the caller has checked its range.
fn small(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn register_kind(text: &str) -> Result<RegisterKind, String> {
    match text {
        "u16" => Ok(RegisterKind::U16),
        "i16" => Ok(RegisterKind::I16),
        "u32" => Ok(RegisterKind::U32),
        "i32" => Ok(RegisterKind::I32),
        "f32" => Ok(RegisterKind::F32),
        _ => Err("is none of \"u16\", \"i16\", \"u32\", \"i32\", \"f32\"".to_owned()),
    }
}

fn register_table(text: &str) -> Result<RegisterTable, String> {
    match text {
        "holding" => Ok(RegisterTable::Holding),
        "input" => Ok(RegisterTable::Input),
        _ => Err("is neither \"holding\" nor \"input\"".to_owned()),
    }
}

fn word_order(text: &str) -> Result<WordOrder, String> {
    match text {
        "high_first" => Ok(WordOrder::HighFirst),
        "low_first" => Ok(WordOrder::LowFirst),
        _ => Err("is neither \"high_first\" nor \"low_first\"".to_owned()),
    }
}

/// Either an address or a serial port.
fn link(
    at: &Place<'_>,
    table: &std::ops::Range<usize>,
    raw: &RawModbus,
    line: Option<SerialLine>,
) -> Result<ModbusLink, ConfigError> {
    match (&raw.port, &raw.address, line) {
        (Some(_), Some(address), _) => {
            let problem = "does not go with port";
            Err(at.error(address.span(), "source.address", problem))
        }
        (Some(port), None, line) => Ok(ModbusLink::Rtu {
            port: at.text("source.port", port)?.into(),
            line: line.unwrap_or_default(),
        }),
        (None, _, Some(_)) => {
            let problem = "is missing, which baud, parity and stop_bits are for";
            Err(at.error(table.clone(), "source.port", problem))
        }
        (None, address, None) => {
            let address = at.required(table, "source.address", address)?;
            let address = at.key("source.address", address, host_and_port)?;
            Ok(ModbusLink::Tcp(address))
        }
    }
}

fn uom_code(at: &Place<'_>, raw: &RawModbus) -> Result<Option<(u16, u16)>, ConfigError> {
    match (&raw.uom_register, &raw.uom_code) {
        (Some(register), Some(code)) => {
            let register = at.within("source.uom_register", register, 0..=65_535)?;
            let code = at.within("source.uom_code", code, 0..=65_535)?;
            Ok(Some((small(register), small(code))))
        }
        (None, None) => Ok(None),
        (Some(register), None) => {
            Err(at.error(register.span(), "source.uom_register", "needs uom_code"))
        }
        (None, Some(code)) => Err(at.error(code.span(), "source.uom_code", "needs uom_register")),
    }
}
