//! The strict subset of deterministic CBOR that signed objects use (`statement.md` section 1.1,
//! RFC 8949 section 4.2.1): what is read re-encodes to the same bytes, because every other
//! spelling is refused.

use crate::hash::Hash;

/// Largest unsigned integer in any format: 2^53 - 1, so that JavaScript reads it exactly.
pub const UINT_MAX: u64 = (1 << 53) - 1;

/// Why bytes are not the item that was expected.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum CborError {
    /// The bytes end within an item.
    #[error("the bytes end within an item")]
    Truncated,
    /// Bytes are left after the item.
    #[error("{0} bytes are left after the item")]
    Trailing(usize),
    /// A length or an integer is not in its shortest form, or indefinite.
    #[error("an integer or length is not in its shortest form")]
    NotShortest,
    /// Another type than the format has here.
    #[error("expected {expected} for {field}")]
    Type {
        /// Name of the member.
        field: &'static str,
        /// What the format has there.
        expected: &'static str,
    },
    /// Outside the limits of the format.
    #[error("{0} is outside its limits")]
    Limit(&'static str),
    /// A map's keys do not strictly increase, or one is unknown or missing.
    #[error("map keys are not exactly the known ones in order (at {0})")]
    Keys(&'static str),
    /// Text is not UTF-8.
    #[error("{0} is not UTF-8")]
    Utf8(&'static str),
}

const UINT: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// Writes deterministic CBOR. The caller writes map keys in increasing order.
#[derive(Default, Debug)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn head(&mut self, major: u8, value: u64) -> &mut Self {
        let major = major << 5;
        match value {
            0..=23 => self.0.push(major | value.to_be_bytes()[7]),
            24..=0xff => self.0.extend([major | 24, value.to_be_bytes()[7]]),
            0x100..=0xffff => {
                self.0.push(major | 25);
                self.0.extend(&value.to_be_bytes()[6..]);
            }
            0x1_0000..=0xffff_ffff => {
                self.0.push(major | 26);
                self.0.extend(&value.to_be_bytes()[4..]);
            }
            _ => {
                self.0.push(major | 27);
                self.0.extend(value.to_be_bytes());
            }
        }
        self
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(UINT, value)
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        match u64::try_from(value) {
            Ok(value) => self.head(UINT, value),
            Err(_) => self.head(NEGATIVE, value.unsigned_abs() - 1),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.head(BYTES, value.len() as u64).0.extend(value);
        self
    }

    /// A text string.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.head(TEXT, value.len() as u64)
            .0
            .extend(value.as_bytes());
        self
    }

    /// The head of an array of `len` items.
    pub fn array(&mut self, len: usize) -> &mut Self {
        self.head(ARRAY, len as u64)
    }

    /// The head of a map of `len` pairs.
    pub fn map(&mut self, len: usize) -> &mut Self {
        self.head(MAP, len as u64)
    }

    /// A tag.
    pub fn tag(&mut self, tag: u64) -> &mut Self {
        self.head(TAG, tag)
    }
}

/// Reads the strict subset, item by item; each call names the field for its error.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over the bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// # Errors
    /// [`CborError::Trailing`] if bytes are left.
    pub const fn end(&self) -> Result<(), CborError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(CborError::Trailing(self.rest.len()))
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CborError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let first = self.take(1)?[0];
        let (major, short) = (first >> 5, first & 31);
        let (width, least) = match short {
            0..=23 => return Ok((major, u64::from(short))),
            24 => (1, 24),
            25 => (2, 0x100),
            26 => (4, 0x1_0000),
            27 => (8, 0x1_0000_0000),
            _ => return Err(CborError::NotShortest),
        };
        let value = self
            .take(width)?
            .iter()
            .fold(0, |sum, &byte| (sum << 8) | u64::from(byte));
        if value < least {
            Err(CborError::NotShortest)
        } else {
            Ok((major, value))
        }
    }

    fn expect(
        &mut self,
        major: u8,
        field: &'static str,
        expected: &'static str,
    ) -> Result<u64, CborError> {
        let (found, value) = self.head()?;
        if found == major {
            Ok(value)
        } else {
            Err(CborError::Type { field, expected })
        }
    }

    /// An unsigned integer of at most 2^53 - 1.
    ///
    /// # Errors
    /// Another type, or a larger number.
    pub fn uint(&mut self, field: &'static str) -> Result<u64, CborError> {
        let value = self.expect(UINT, field, "an unsigned integer")?;
        if value > UINT_MAX {
            Err(CborError::Limit(field))
        } else {
            Ok(value)
        }
    }

    /// A signed integer (only `alg` has one).
    ///
    /// # Errors
    /// Another type, or outside i64.
    pub fn int(&mut self, field: &'static str) -> Result<i64, CborError> {
        let (major, value) = self.head()?;
        let value = i64::try_from(value).map_err(|_| CborError::Limit(field))?;
        match major {
            UINT => Ok(value),
            NEGATIVE => Ok(-1 - value),
            _ => Err(CborError::Type {
                field,
                expected: "an integer",
            }),
        }
    }

    /// A byte string of at most `max` bytes.
    ///
    /// # Errors
    /// Another type, or longer.
    pub fn bytes(&mut self, field: &'static str, max: usize) -> Result<&'a [u8], CborError> {
        let len = self.expect(BYTES, field, "a byte string")?;
        self.take(limited(len, max, field)?)
    }

    /// A byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// Another type or length.
    pub fn fixed<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CborError> {
        self.bytes(field, N)?
            .try_into()
            .map_err(|_| CborError::Limit(field))
    }

    /// A byte string of 32 bytes.
    ///
    /// # Errors
    /// Another type or length.
    pub fn hash(&mut self, field: &'static str) -> Result<Hash, CborError> {
        self.fixed(field).map(Hash)
    }

    /// A text string of at most `max` bytes.
    ///
    /// # Errors
    /// Another type, longer, or not UTF-8.
    pub fn text(&mut self, field: &'static str, max: usize) -> Result<&'a str, CborError> {
        let len = self.expect(TEXT, field, "a text string")?;
        let bytes = self.take(limited(len, max, field)?)?;
        std::str::from_utf8(bytes).map_err(|_| CborError::Utf8(field))
    }

    /// Head of an array of at most `max` items; its length.
    ///
    /// # Errors
    /// Another type, or longer.
    pub fn array(&mut self, field: &'static str, max: usize) -> Result<usize, CborError> {
        let len = self.expect(ARRAY, field, "an array")?;
        limited(len, max, field)
    }

    /// Head of an array of exactly `len` items.
    ///
    /// # Errors
    /// Another type or length.
    pub fn array_of(&mut self, field: &'static str, len: usize) -> Result<(), CborError> {
        if self.array(field, len)? == len {
            Ok(())
        } else {
            Err(CborError::Limit(field))
        }
    }

    /// Opens a map of at most 24 pairs.
    ///
    /// # Errors
    /// Another type, or larger.
    pub fn map(&mut self, field: &'static str) -> Result<MapKeys, CborError> {
        let len = self.expect(MAP, field, "a map")?;
        Ok(MapKeys {
            left: limited(len, 24, field)?,
            next: 0,
            field,
        })
    }

    /// A tag.
    ///
    /// # Errors
    /// Another type or tag.
    pub fn tag(&mut self, tag: u64, field: &'static str) -> Result<(), CborError> {
        if self.expect(TAG, field, "a tag")? == tag {
            Ok(())
        } else {
            Err(CborError::Limit(field))
        }
    }
}

fn limited(len: u64, max: usize, field: &'static str) -> Result<usize, CborError> {
    usize::try_from(len)
        .ok()
        .filter(|&len| len <= max)
        .ok_or(CborError::Limit(field))
}

/// Walks a map whose keys are known: each expected key is asked for in increasing order.
#[derive(Debug)]
pub struct MapKeys {
    left: usize,
    next: u64,
    field: &'static str,
}

impl MapKeys {
    /// The next key must be `key`; then its value is read.
    ///
    /// # Errors
    /// [`CborError::Keys`] if it is not.
    pub fn required(&mut self, reader: &mut Reader<'_>, key: u64) -> Result<(), CborError> {
        if self.optional(reader, key)? {
            Ok(())
        } else {
            Err(CborError::Keys(self.field))
        }
    }

    /// True, with the key read, if the next key is `key`.
    ///
    /// # Errors
    /// A key that is no unsigned integer.
    pub fn optional(&mut self, reader: &mut Reader<'_>, key: u64) -> Result<bool, CborError> {
        if self.left == 0 {
            return Ok(false);
        }
        let before = reader.rest;
        let found = reader.uint(self.field)?;
        if found < self.next {
            return Err(CborError::Keys(self.field));
        }
        if found != key {
            reader.rest = before;
            return Ok(false);
        }
        self.left -= 1;
        self.next = key + 1;
        Ok(true)
    }

    /// All keys were asked for.
    ///
    /// # Errors
    /// [`CborError::Keys`] if unknown ones are left.
    pub const fn end(&self) -> Result<(), CborError> {
        if self.left == 0 {
            Ok(())
        } else {
            Err(CborError::Keys(self.field))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_integer_width_reads_back() {
        for value in [
            0,
            23,
            24,
            255,
            256,
            65_535,
            65_536,
            u64::from(u32::MAX),
            1 << 32,
            UINT_MAX,
        ] {
            let mut writer = Writer::new();
            writer.uint(value);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.uint("x"), Ok(value));
            assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn longer_spellings_are_refused() {
        for bytes in [
            &[0x18, 5][..],
            &[0x19, 0, 5],
            &[0x1a, 0, 0, 0, 5],
            &[0x5f, 0xff],
            &[0x58, 1, 9],
        ] {
            let mut reader = Reader::new(bytes);
            assert_eq!(
                reader
                    .bytes("x", 10)
                    .or_else(|_| Reader::new(bytes).uint("x").map(|_| &[][..])),
                Err(CborError::NotShortest)
            );
        }
        assert_eq!(
            Reader::new(&[0xf6]).uint("x"),
            Err(CborError::Type {
                field: "x",
                expected: "an unsigned integer"
            })
        );
    }

    #[test]
    fn map_keys_must_be_known_and_in_order() {
        // {1: 0, 0: 0}
        let bytes = [0xa2, 1, 0, 0, 0];
        let mut reader = Reader::new(&bytes);
        let mut keys = reader.map("m").unwrap();
        assert_eq!(keys.optional(&mut reader, 0), Ok(false));
        keys.required(&mut reader, 1).unwrap();
        reader.uint("v").unwrap();
        assert!(keys.end().is_err());
        // {0: 0, 0: 0}
        let bytes = [0xa2, 0, 0, 0, 0];
        let mut reader = Reader::new(&bytes);
        let mut keys = reader.map("m").unwrap();
        keys.required(&mut reader, 0).unwrap();
        reader.uint("v").unwrap();
        assert_eq!(keys.optional(&mut reader, 1), Err(CborError::Keys("m")));
    }
}
