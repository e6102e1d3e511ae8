//! Recovery codes: what stands in for the app once.

use std::fmt;

use schemas::hash::{Hash, sha256_parts};
use schemas::ids::Slug;
use schemas::random::NoRandomness;

use super::super::totp::base32;

/// How many an account is given.
pub const RECOVERY_CODES: usize = 10;
/// Letters of one, without dashes: 80 random bits, so that one pass of a hash is enough.
const LETTERS: usize = 16;
/// Random bytes of one.
const BYTES: usize = 10;

/// A recovery code, in small letters without dashes.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(String);

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

impl fmt::Display for RecoveryCode {
    /// In groups of four: `mzxw-6ytb-oi2a-bcde`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, letter) in self.0.chars().enumerate() {
            if place > 0 && place % 4 == 0 {
                f.write_str("-")?;
            }
            write!(f, "{letter}")?;
        }
        Ok(())
    }
}

impl RecoveryCode {
    /// [`RECOVERY_CODES`] new ones.
    pub(super) fn new_set() -> Result<Vec<Self>, NoRandomness> {
        (0..RECOVERY_CODES).map(|_| Self::new()).collect()
    }

    fn new() -> Result<Self, NoRandomness> {
        let bytes = schemas::random::bytes::<BYTES>()?;
        Ok(Self(base32::encode(&bytes).to_ascii_lowercase()))
    }

    /// Of what somebody typed: capitals, spaces and dashes do not matter.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let letters = text.bytes().filter(|byte| !matches!(byte, b' ' | b'-'));
        let letters: Vec<u8> = letters.map(|byte| byte.to_ascii_lowercase()).collect();
        let right = |byte: &u8| matches!(byte, b'a'..=b'z' | b'2'..=b'7');
        let fits = letters.len() == LETTERS && letters.iter().all(right);
        fits.then(|| String::from_utf8(letters).ok().map(Self))?
    }

    /// What is kept: bound to its account, so that no two accounts share a row.
    pub(super) fn hash(&self, organisation: &Slug, name: &Slug) -> Hash {
        let account = format!("recovery code\n{organisation}/{name}\n");
        sha256_parts(&[account.as_bytes(), self.0.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = RecoveryCode::new().unwrap();
        let shown = code.to_string();
        assert_eq!(shown.len(), 19);
        for typed in [shown.clone(), shown.to_uppercase(), shown.replace('-', " ")] {
            assert_eq!(RecoveryCode::parse(&typed), Some(code.clone()), "{typed}");
        }
        for wrong in ["", "123456", &shown[1..], &shown.replace(&shown[..1], "1")] {
            assert_eq!(RecoveryCode::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn codes_of_two_accounts_and_of_one_set_differ() {
        let (bank, li, wang) = (
            "bank".parse().unwrap(),
            "li".parse().unwrap(),
            "wang".parse().unwrap(),
        );
        let code = RecoveryCode::new().unwrap();
        assert_ne!(code.hash(&bank, &li), code.hash(&bank, &wang));
        let set = RecoveryCode::new_set().unwrap();
        let hashes: std::collections::BTreeSet<_> =
            set.iter().map(|code| code.hash(&bank, &li).0).collect();
        assert_eq!(hashes.len(), RECOVERY_CODES);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_fail(text in ".*") {
            if let Some(code) = RecoveryCode::parse(&text) {
                prop_assert_eq!(RecoveryCode::parse(&code.to_string()), Some(code));
            }
        }
    }
}
