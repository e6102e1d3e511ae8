//! The unified social credit code of an attestation's subject, GB 32100-2015.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The characters in the order of their values.
const CHARACTERS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// A text that is no unified social credit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no unified social credit code (GB 32100-2015): its form or its check character is wrong")]
pub struct NoCode;

/// 18 characters whose check character fits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubjectCode(String);

impl SubjectCode {
    /// Its length in characters.
    pub const LENGTH: usize = 18;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn fits(text: &str) -> bool {
        let region = text.bytes().skip(2).take(6);
        text.len() == Self::LENGTH
            && region.into_iter().all(|byte| byte.is_ascii_digit())
            && sum(text) == Some(0)
    }
}

/// Weighted sum of all characters modulo 31; the check character's weight is 1.
fn sum(text: &str) -> Option<usize> {
    let mut weight = 1;
    let mut sum = 0;
    for (place, byte) in text.bytes().enumerate() {
        let value = CHARACTERS.iter().position(|&known| known == byte)?;
        let last = place + 1 == SubjectCode::LENGTH;
        sum += value * if last { 1 } else { weight };
        weight = weight * 3 % 31;
    }
    Some(sum % 31)
}

impl FromStr for SubjectCode {
    type Err = NoCode;
    fn from_str(text: &str) -> Result<Self, NoCode> {
        if Self::fits(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoCode)
        }
    }
}

impl TryFrom<String> for SubjectCode {
    type Error = NoCode;
    fn try_from(text: String) -> Result<Self, NoCode> {
        text.parse()
    }
}

impl From<SubjectCode> for String {
    fn from(code: SubjectCode) -> Self {
        code.0
    }
}

impl fmt::Display for SubjectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A code of the public register.
    const KNOWN: &str = "91350100M000100Y43";

    #[test]
    fn known_code_is_read_and_every_wrong_character_is_found() {
        assert_eq!(KNOWN.parse::<SubjectCode>().unwrap().as_str(), KNOWN);
        for place in 0..KNOWN.len() {
            for &other in CHARACTERS {
                let mut bytes = KNOWN.as_bytes().to_vec();
                if bytes[place] == other {
                    continue;
                }
                bytes[place] = other;
                let text = String::from_utf8(bytes).unwrap();
                assert_eq!(text.parse::<SubjectCode>(), Err(NoCode), "{text}");
            }
        }
    }

    #[test]
    fn another_length_or_character_is_no_code() {
        for text in [
            "",
            "91350100M000100Y4",
            "91350100M000100Y430",
            "91350100m000100Y43",
        ] {
            assert_eq!(text.parse::<SubjectCode>(), Err(NoCode), "{text}");
        }
    }
}
