//! Identifiers of institutions and regions, read once and checked.
//!
//! - [`CreditCode`]: unified social credit code, GB 32100-2015; check character modulo 31.
//! - [`Lei`]: legal entity identifier, ISO 17442; check digits MOD 97-10 of ISO/IEC 7064.
//! - [`RegionCode`]: administrative division, GB/T 2260; its form and province only, since the list of
//!   counties changes every year.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a code is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Not its length or characters.
    #[error("`{text}` is not a {what}")]
    Form {
        /// The beginning of what was read.
        text: String,
        /// What it should be, with its form.
        what: &'static str,
    },
    /// The check character does not fit: a character is wrong, or two are swapped.
    #[error(
        "`{text}`: the check does not fit ({standard}): a character is wrong or two are swapped"
    )]
    Check {
        /// What was read.
        text: String,
        /// The standard that the check is of.
        standard: &'static str,
    },
    /// No province has these first two digits.
    #[error("`{0}`: no province begins so (GB/T 2260)")]
    Province(String),
}

fn form(text: &str, what: &'static str) -> CodeError {
    CodeError::Form {
        text: text.chars().take(32).collect(),
        what,
    }
}

fn check(text: &str, standard: &'static str) -> CodeError {
    CodeError::Check {
        text: text.to_owned(),
        standard,
    }
}

/// Makes a code a text in serde and `Display`.
macro_rules! text_code {
    ($name:ident) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = CodeError;
            fn try_from(text: String) -> Result<Self, CodeError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.0
            }
        }
    };
}

/// A unified social credit code: 18 of digits and capital letters without I, O, S, V, Z.
///
/// The check finds every wrong character and every two neighbours swapped: 31 is prime, and no
/// weight equals its neighbour's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CreditCode(String);

/// The characters of GB 32100-2015 in the order of their values.
const CREDIT_CODE_CHARACTERS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const CREDIT_CODE_FORM: &str =
    "unified social credit code: 18 of 0-9 and A-Z without I O S V Z, the third to eighth digits";

text_code!(CreditCode);

impl FromStr for CreditCode {
    type Err = CodeError;
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let wrong = || form(text, CREDIT_CODE_FORM);
        let bytes = text.as_bytes();
        if bytes.len() != 18 || !bytes[2..8].iter().all(u8::is_ascii_digit) {
            return Err(wrong());
        }
        let (mut sum, mut weight) = (0, 1);
        for byte in &bytes[..17] {
            sum += credit_value(*byte).ok_or_else(wrong)? * weight;
            weight = weight * 3 % 31;
        }
        let last = credit_value(bytes[17]).ok_or_else(wrong)?;
        if (sum + last) % 31 == 0 {
            Ok(Self(text.to_owned()))
        } else {
            Err(check(text, "GB 32100-2015"))
        }
    }
}

fn credit_value(byte: u8) -> Option<usize> {
    CREDIT_CODE_CHARACTERS.iter().position(|one| *one == byte)
}

/// A legal entity identifier: 18 of digits and capital letters, two check digits.
///
/// The check finds every digit taken for another digit, every letter for another letter, and all
/// neighbours swapped but `1B`, `2M` and `3X` with their reverse: a letter counts as two digits, so
/// the system's promise is for digits only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lei(String);

const LEI_FORM: &str = "LEI: 18 of 0-9 and A-Z, then two digits";

text_code!(Lei);

impl FromStr for Lei {
    type Err = CodeError;
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let bytes = text.as_bytes();
        let right = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        let is_lei = bytes.len() == 20
            && bytes.iter().all(right)
            && bytes[18..].iter().all(u8::is_ascii_digit);
        if !is_lei {
            return Err(form(text, LEI_FORM));
        }
        let rest = bytes.iter().fold(0u32, |rest, byte| match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
        });
        // The digits are 98 less a remainder: 00, 01 and 99 would leave 1 too, and are never made.
        let made = !matches!(&bytes[18..], b"00" | b"01" | b"99");
        if rest == 1 && made {
            Ok(Self(text.to_owned()))
        } else {
            Err(check(text, "ISO 17442, MOD 97-10"))
        }
    }
}

/// The code of a province, city or county: six digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegionCode(String);

const REGION_FORM: &str = "region code: six digits, a city's with 00 at its end, a province's 0000";

/// First two digits of the provinces, municipalities, autonomous and special regions.
const PROVINCES: [&str; 34] = [
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41",
    "42", "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71",
    "81", "82",
];

text_code!(RegionCode);

impl RegionCode {
    /// Whether the other region is this one or lies in it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let significant = match &self.0 {
            whole if whole.ends_with("0000") => 2,
            whole if whole.ends_with("00") => 4,
            _ => 6,
        };
        self.0[..significant] == other.0[..significant]
    }
}

impl FromStr for RegionCode {
    type Err = CodeError;
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let digits = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        // A county without a city does not exist.
        if !digits || (&text[2..4] == "00" && &text[4..] != "00") {
            return Err(form(text, REGION_FORM));
        }
        if !PROVINCES.contains(&&text[..2]) {
            return Err(CodeError::Province(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests;
