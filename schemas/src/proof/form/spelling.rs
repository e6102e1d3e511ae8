//! What may stand outside strings.

use super::rules::{format, require};
use super::{BUNDLE_MAX, LATER_MAX, ROWS_MAX};
use crate::cbor::UINT_MAX;
use crate::proof::Refusal;

/// Deepest nesting of objects and arrays.
const DEPTH_MAX: usize = 8;
/// Down to here an array is a table of [`ROWS_MAX`]; below, a list of at most [`LATER_MAX`].
const TABLE_DEPTH: usize = 3;

/// An object or array that has begun.
struct Open {
    byte: u8,
    commas: usize,
}

/// Outside strings only `{}[],:` and digits; no backslash; numbers within their limit; nothing
/// nested deeper than 8, and no array directly in an array: a row is an object, which serde would
/// also read from an array of its members. No array is longer than any may be, so that rows are not
/// read before they are counted.
pub(super) fn check(bytes: &[u8]) -> Result<(), Refusal> {
    require(
        bytes.len() <= BUNDLE_MAX,
        "a bundle has at most 33554432 bytes",
    )?;
    let (mut in_string, mut number) = (false, 0u64);
    let mut open = Vec::with_capacity(DEPTH_MAX);
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == b'\\' {
            return Err(format(&format!("a backslash at byte {at}")));
        }
        if byte == b'"' {
            in_string = !in_string;
        }
        if in_string || byte == b'"' {
            number = 0;
            continue;
        }
        if byte.is_ascii_digit() {
            number = number
                .saturating_mul(10)
                .saturating_add(u64::from(byte - b'0'));
            require(number <= UINT_MAX, "a number is above 2^53 - 1")?;
            continue;
        }
        number = 0;
        match byte {
            b'{' | b'[' => check_opening(&mut open, byte)?,
            b'}' | b']' => drop(open.pop()),
            b',' => check_comma(&mut open)?,
            b':' => {}
            _ => {
                return Err(format(&format!(
                    "an unexpected byte outside strings at {at}"
                )));
            }
        }
    }
    Ok(())
}

fn check_opening(open: &mut Vec<Open>, byte: u8) -> Result<(), Refusal> {
    let in_array = open.last().is_some_and(|last| last.byte == b'[');
    require(
        !(byte == b'[' && in_array),
        "an array stands directly in an array",
    )?;
    open.push(Open { byte, commas: 0 });
    require(open.len() <= DEPTH_MAX, "nested deeper than 8")
}

fn check_comma(open: &mut [Open]) -> Result<(), Refusal> {
    let most = if open.len() <= TABLE_DEPTH {
        ROWS_MAX
    } else {
        LATER_MAX
    };
    let Some(last) = open.last_mut() else {
        return Ok(());
    };
    last.commas += 1;
    require(last.commas < most, "an array has too many rows")
}
