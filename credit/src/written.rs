//! What people write by hand into any form of the bank: amounts, days, plain text, brought to one form
//! or refused with the field's name.
//!
//! Machines write amounts in one way ([`Money::parse`]); people write `1,234.5`, `¥1234` or full-width
//! digits, and mean the same.

use chrono::NaiveDate;

use crate::money::{Currency, Money};

/// Longest text of a field in characters.
pub const FIELD_MAX: usize = 64;

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
pub(crate) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads a day.
///
/// # Errors
/// [`Refused`] for no real day, and before 2000.
pub fn day(field: &'static str, text: &str) -> Result<NaiveDate, Refused> {
    let wrong = Refused::new(field, "a day such as 2026-11-23 was expected");
    let plain = plain(field, text)?;
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
    let wrong = "an amount above zero such as 1234.56 was expected";
    let money = read(field, text, currency, wrong)?;
    let above = Some(money).filter(|money| money.fen() > 0);
    above.ok_or(Refused::new(field, wrong))
}

/// The same where nothing is an answer too, as of a limit.
///
/// # Errors
/// As [`amount`], but for zero.
pub fn amount_or_nothing(
    field: &'static str,
    text: &str,
    currency: Currency,
) -> Result<Money, Refused> {
    let wrong = "an amount such as 1234.56 was expected";
    read(field, text, currency, wrong)
}

fn read(
    field: &'static str,
    text: &str,
    currency: Currency,
    wrong: &'static str,
) -> Result<Money, Refused> {
    let wrong = Refused::new(field, wrong);
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
    money.map_err(|_| wrong)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_one_amount_in_many_ways() {
        for text in [
            "1234.5",
            "1,234.50",
            " ¥1 234.50 ",
            "￥１，２３４．５０",
            "01234.5",
        ] {
            let read = amount("amount", text, Currency::CNY).unwrap();
            assert_eq!(read.fen(), 123_450, "{text}");
        }
        for text in [
            "", "-1", "+1", "1e3", "12,34", "1.234", "1.2.3", "one", "1,234,5",
        ] {
            let error = amount("amount", text, Currency::CNY).unwrap_err();
            assert_eq!(error.field, "amount", "{text}");
        }
        assert!(amount("amount", "0.00", Currency::CNY).is_err());
        let nothing = amount_or_nothing("limit", "0", Currency::CNY).unwrap();
        assert_eq!(nothing.fen(), 0);
        assert!(amount_or_nothing("limit", "-0", Currency::CNY).is_err());
    }
}
