//! What people write by hand and two people write differently, brought to one form or refused with
//! the field's name (`docs/pledge.md`, "What is normalised, and what is refused").

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::money::{Currency, Money};

/// Longest text of a field in characters.
pub const FIELD_MAX: usize = 64;

/// Characters of a unified social credit code in the order of their values (GB 32100-2015).
const CREDIT_CODE: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Weights of its first 17 characters: powers of 3 modulo 31 (GB 32100-2015).
const WEIGHTS: [usize; 17] = [
    1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28,
];

/// A field that cannot be brought to its one form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Refused {
    /// Which field.
    pub field: &'static str,
    /// What is wrong.
    pub problem: &'static str,
}

impl Refused {
    /// A field and what is wrong with it.
    #[must_use]
    pub const fn new(field: &'static str, problem: &'static str) -> Self {
        Self { field, problem }
    }
}

/// Full-width letters and digits as ASCII; white space and invisible characters left out.
///
/// # Errors
/// [`Refused`] if nothing is left, for a control character, and beyond [`FIELD_MAX`] characters.
pub fn plain(field: &'static str, text: &str) -> Result<String, Refused> {
    if text.chars().count() > FIELD_MAX {
        return Err(Refused::new(field, "it is longer than 64 characters"));
    }
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Refused::new(field, "it holds a control character"));
    }
    let seen = |c: &char| !c.is_whitespace() && !matches!(c, '\u{200b}' | '\u{feff}');
    let found: String = text.chars().filter(seen).map(narrow).collect();
    if found.is_empty() {
        return Err(Refused::new(field, "it is empty"));
    }
    Ok(found)
}

/// A full-width form (U+FF01 to U+FF5E) as its ASCII character.
fn narrow(c: char) -> char {
    let code = u32::from(c);
    let ascii = (0xff01..=0xff5e).contains(&code).then(|| code - 0xfee0);
    ascii.and_then(char::from_u32).unwrap_or(c)
}

/// Whether a text is digits and nothing else.
pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

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

/// Reads a day.
///
/// # Errors
/// [`Refused`] for no real day, and before 2000.
pub fn date(text: &str) -> Result<NaiveDate, Refused> {
    let wrong = Refused::new("date", "a day such as 2026-11-23 was expected");
    let plain = plain("date", text)?;
    let (year, month, day) = parts(&plain).ok_or_else(|| wrong.clone())?;
    let number = |text: &str, most: usize| {
        let fits = is_digits(text) && text.len() <= most;
        fits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let year = number(year, 4).and_then(|year| i32::try_from(year).ok());
    let found = year.zip(number(month, 2)).zip(number(day, 2));
    let found = found.and_then(|((year, month), day)| NaiveDate::from_ymd_opt(year, month, day));
    let earliest = NaiveDate::from_ymd_opt(2000, 1, 1);
    found.filter(|day| Some(*day) >= earliest).ok_or(wrong)
}

/// Year, month and day of a text in one of the usual forms.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    if is_digits(text) && text.len() == 8 {
        return Some((&text[..4], &text[4..6], &text[6..]));
    }
    for (first, second, last) in [
        ("-", "-", ""),
        ("/", "/", ""),
        (".", ".", ""),
        ("年", "月", "日"),
    ] {
        if let Some((year, rest)) = text.split_once(first) {
            let (month, day) = rest.split_once(second)?;
            return Some((year, month, day.strip_suffix(last).unwrap_or(day)));
        }
    }
    None
}

/// Reads an amount of money above zero as people write it, into whole fen.
///
/// # Errors
/// [`Refused`] for a sign, an exponent, a wrong grouping, more than two decimals, and zero.
pub fn amount(field: &'static str, text: &str, currency: Currency) -> Result<Money, Refused> {
    let wrong = Refused::new(field, "an amount above zero such as 1234.56 was expected");
    let plain = plain(field, text)?;
    let bare = plain.trim_start_matches(['¥', '￥']);
    let (whole, hundredths) = bare.split_once('.').unwrap_or((bare, "00"));
    let whole = ungrouped(whole).ok_or_else(|| wrong.clone())?;
    if !is_digits(hundredths) || hundredths.len() > 2 {
        return Err(wrong);
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let money = Money::parse(&format!("{whole}.{hundredths:0<2}"), currency);
    money.ok().filter(|money| money.fen() > 0).ok_or(wrong)
}

/// Digits whose commas, if there are any, group them in threes.
fn ungrouped(text: &str) -> Option<String> {
    let mut groups = text.split(',');
    let first = groups.next().filter(|first| is_digits(first))?;
    let mut digits = first.to_owned();
    for group in groups {
        if first.len() > 3 || group.len() != 3 || !is_digits(group) {
            return None;
        }
        digits.push_str(group);
    }
    Some(digits)
}
