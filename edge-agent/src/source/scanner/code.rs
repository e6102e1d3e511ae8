//! What a bar code names: GS1 element strings as scanners send them (FNC1 as 0x1D, with or without
//! AIM symbology identifier), the bare digits of retail codes, Digital Links.

use crate::compose::code::plain;
use crate::names;

/// A code that names a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Canonical Digital Link.
    pub uri: String,
    /// A GTIN or lot, not one thing.
    pub is_class: bool,
}

/// Reads a code; `separator` is the character that the scanner sends for FNC1 where it cannot send
/// 0x1D.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read(bytes: &[u8], separator: Option<char>) -> Result<Code, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    let thing = names::thing(&plain(text, separator))?;
    Ok(Code {
        uri: thing.uri,
        is_class: thing.is_class,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOT: &str = "https://id.gs1.org/01/09521001000017/10/L1";
    const ONE: &str = "https://id.gs1.org/01/09521001000017/21/S1";
    const GTIN: &str = "https://id.gs1.org/01/09521001000017";

    #[test]
    fn one_thing_is_the_same_in_every_code_that_bears_it() {
        let cases = [
            ("]C1010952100100001710L1", LOT),
            ("]e0010952100100001710L1", LOT),
            ("]d2010952100100001710L1\u{1d}", LOT),
            ("]Q3010952100100001710L1", LOT),
            ("]d2\u{1d}010952100100001710L1\u{1d}17271231", LOT),
            ("0109521001000017172712 31", ""),
            ("010952100100001721S1", ONE),
            ("]C1010952100100001721S1", ONE),
            ("(01)09521001000017(21)S1", ONE),
            ("https://id.gs1.org/01/09521001000017/21/S1", ONE),
            (
                "]Q1https://shop.example/01/09521001000017/21/S1?17=271231",
                ONE,
            ),
            ("]d1HTTPS://id.gs1.org/01/09521001000017/21/S1", ONE),
            ("9521001000017", GTIN),
            ("]E09521001000017", GTIN),
            (" 9521001000017\t", GTIN),
            (
                "00095210010000000017",
                "https://id.gs1.org/00/095210010000000017",
            ),
        ];
        for (text, uri) in cases {
            let found = read(text.as_bytes(), None).map(|code| code.uri);
            assert_eq!(found.unwrap_or_default(), uri, "{text:?}");
        }
        // One piece is named by its serial number, whatever lot it is of.
        let other = read(b"010952100100001710L1|21S1", Some('|')).expect("read");
        assert_eq!(other.uri, ONE);
        assert!(!other.is_class);
    }

    #[test]
    fn what_names_nothing_says_why() {
        for (text, reason) in [
            ("9521001000018", "check digit"),
            ("]C1010952100100001810L1", "check digit"),
            ("]E09521001000018", "check digit"),
            ("12345", ""),
            ("", ""),
            ("]C0HELLO", "symbology"),
            ("https://example.com/x", ""),
            ("HELLO", ""),
        ] {
            let found = read(text.as_bytes(), None).expect_err("no thing");
            assert!(found.contains(reason), "{text:?}: {found}");
        }
        assert!(read(b"\xff\xfe", None).is_err());
        assert!(read(&[b'1'; 5_000], None).is_err());
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_scanned_it_is_a_thing_or_a_reason(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        ) {
            let _ = read(&bytes, Some('|'));
        }
    }
}
