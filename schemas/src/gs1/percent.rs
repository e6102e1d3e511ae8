//! Percent encoding of path segments (RFC 3986 section 2.1).

use super::Gs1Error;

/// Escapes everything but the unreserved characters and the apostrophe, with upper-case digits: the
/// one spelling that canonical forms use. (A URI may hold an apostrophe, and the published vectors
/// of the CBV event hash leave it as it is.)
pub(super) fn encode(value: &str, out: &mut String) {
    escape(value, b"-._~'", out);
}

/// [`encode`] but for `;` and `=`, which the event hash leaves as they are.
pub(super) fn encode_for_hash(value: &str, out: &mut String) {
    escape(value, b"-._~';=", out);
}

fn escape(value: &str, bare: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || bare.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// Escapes what no field of an EPC URN may hold (EPC Tag Data Standard 6.3 and annex A): a `/` or
/// `#` would end it, the others no URN has.
pub(super) fn encode_urn(value: &str, out: &mut String) {
    for character in value.chars() {
        if "\"#%&/<>?".contains(character) {
            out.push_str(&format!("%{:02X}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
}

/// Undoes [`encode`] and [`encode_urn`]; refuses a `%` that is not followed by two hexadecimal digits.
pub(super) fn decode(value: &str) -> Result<String, Gs1Error> {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'%' {
            escaped(&mut bytes)?
        } else {
            byte
        });
    }
    String::from_utf8(out).map_err(|_| Gs1Error::PercentEncoding)
}

fn escaped(bytes: &mut std::str::Bytes<'_>) -> Result<u8, Gs1Error> {
    let mut digit = || {
        let digit = char::from(bytes.next()?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    let high = digit().ok_or(Gs1Error::PercentEncoding)?;
    let low = digit().ok_or(Gs1Error::PercentEncoding)?;
    Ok(high << 4 | low)
}
