//! What people write by hand about a pledge and two people write differently, brought to one form or
//! refused with the field's name (`docs/pledge.md`, "What is normalised, and what is refused"). Amounts
//! and days are read by [`crate::written`], as in every form.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub(super) use crate::written::is_digits;
pub use crate::written::{FIELD_MAX, Refused, amount, plain};

/// Characters of a unified social credit code in the order of their values (GB 32100-2015).
const CREDIT_CODE: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Weights of its first 17 characters: powers of 3 modulo 31 (GB 32100-2015).
const WEIGHTS: [usize; 17] = [
    1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28,
];

/// A unified social credit code: 18 characters with a right check character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CreditCode(String);

impl CreditCode {
    /// Reads what somebody wrote into a field.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn read(field: &'static str, text: &str) -> Result<Self, Refused> {
        let form = |c: char| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' => '1',
            other => other,
        };
        let plain = plain(field, text)?;
        let code: String = plain.chars().filter(|c| *c != '-').map(form).collect();
        let value = |byte: u8| CREDIT_CODE.iter().position(|known| *known == byte);
        let values: Option<Vec<usize>> = code.bytes().map(value).collect();
        let values = values.filter(|values| values.len() == 18);
        let values = values.ok_or(Refused::new(field, "it is no credit code of 18 characters"))?;
        let sum: usize = values.iter().zip(WEIGHTS).map(|(v, w)| v * w).sum();
        if values[17] != (31 - sum % 31) % 31 {
            return Err(Refused::new(field, "its check character is wrong"));
        }
        Ok(Self(code))
    }

    /// The 18 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CreditCode {
    type Error = Refused;
    fn try_from(text: String) -> Result<Self, Refused> {
        Self::read("credit code", &text)
    }
}

impl From<CreditCode> for String {
    fn from(code: CreditCode) -> Self {
        code.0
    }
}

/// The number of a warehouse receipt: letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceiptNumber(String);

impl ReceiptNumber {
    /// Reads what somebody wrote.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn read(text: &str) -> Result<Self, Refused> {
        const FIELD: &str = "receipt number";
        let plain = plain(FIELD, text)?;
        let kept = plain.chars().filter(|c| !"-/._".contains(*c));
        let number: String = kept.map(|c| c.to_ascii_uppercase()).collect();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Refused::new(FIELD, "only letters and digits are expected"));
        }
        if !is_digits(&number) {
            return Ok(Self(number));
        }
        match number.trim_start_matches('0') {
            "" => Err(Refused::new(FIELD, "it is all zeros")),
            digits => Ok(Self(digits.to_owned())),
        }
    }

    /// The letters and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads the day of an invoice.
///
/// # Errors
/// [`Refused`] for no real day, and before 2000.
pub fn date(text: &str) -> Result<NaiveDate, Refused> {
    crate::written::day("date", text)
}
