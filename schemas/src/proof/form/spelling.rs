//! What may stand outside strings.

use super::BUNDLE_MAX;
use super::rules::{format, require};
use crate::cbor::UINT_MAX;
use crate::proof::Refusal;

/// Deepest nesting of objects and arrays.
const DEPTH_MAX: usize = 8;

/// Outside strings only `{}[],:` and digits; no backslash; numbers within their limit; nothing
/// nested deeper than 8, and no array directly in an array: a row is an object, which serde would
/// also read from an array of its members.
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
            b',' | b':' => {}
            _ => {
                return Err(format(&format!(
                    "an unexpected byte outside strings at {at}"
                )));
            }
        }
    }
    Ok(())
}

fn check_opening(open: &mut Vec<u8>, byte: u8) -> Result<(), Refusal> {
    let in_array = open.last() == Some(&b'[');
    require(
        !(byte == b'[' && in_array),
        "an array stands directly in an array",
    )?;
    open.push(byte);
    require(open.len() <= DEPTH_MAX, "nested deeper than 8")
}
