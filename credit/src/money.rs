//! Amounts of money: whole fen with their currency, never negative, never a float.
//!
//! Every operation is checked: another currency, a negative result and an overflow are errors of
//! their own. Rates are [`Decimal`]; the one rounding here is named in [`Money::times_floor`].

use std::fmt;
use std::str::FromStr;

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The largest single amount that is read from outside: one trillion in whole units (10^14 fen).
/// 65,536 of them, the most that one bundle can name, still fit into an `i64`.
pub const MAX_AMOUNT_FEN: i64 = 100_000_000_000_000;

/// Why an amount or a calculation is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not digits, a point and two digits.
    #[error("`{0}` is not an amount: digits, a point and two digits, such as 1234.56")]
    Form(String),
    /// Less than nothing.
    #[error("an amount is never negative")]
    Negative,
    /// Beyond what an amount may be.
    #[error("the amount is too large")]
    Overflow,
    /// Two currencies in one calculation.
    #[error("{left} and {right} cannot be calculated together")]
    CurrencyMismatch {
        /// Currency of the left side.
        left: Currency,
        /// Currency of the right side.
        right: Currency,
    },
    /// Not three capital letters.
    #[error("`{0}` is not a currency: three capital letters as in ISO 4217")]
    Currency(String),
}

/// An ISO 4217 code of three capital letters, such as `CNY`. Its minor unit, a hundredth, is
/// called fen here whatever the currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The renminbi.
    pub const CNY: Self = Self(*b"CNY");

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(MoneyError::Currency(clip(text))),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// An amount in whole fen, zero or more, with its currency. In JSON
/// `{"amount":"1234.56","currency":"CNY"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Money {
    fen: i64,
    currency: Currency,
}

/// An amount as it is written in JSON and in configuration files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    amount: String,
    currency: Currency,
}

impl TryFrom<Written> for Money {
    type Error = MoneyError;
    fn try_from(written: Written) -> Result<Self, MoneyError> {
        Self::parse(&written.amount, written.currency)
    }
}

impl From<Money> for Written {
    fn from(money: Money) -> Self {
        Self {
            amount: money.amount(),
            currency: money.currency,
        }
    }
}

impl Money {
    /// Nothing, in a currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { fen: 0, currency }
    }

    /// From whole fen.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] below zero.
    pub fn from_fen(fen: i64, currency: Currency) -> Result<Self, MoneyError> {
        if fen < 0 {
            Err(MoneyError::Negative)
        } else {
            Ok(Self { fen, currency })
        }
    }

    /// Reads an amount such as `1234.56`: digits, a point, exactly two digits; no sign, no
    /// grouping, no leading zero but before the point.
    ///
    /// # Errors
    /// [`MoneyError::Form`], [`MoneyError::Negative`] for a minus sign, [`MoneyError::Overflow`]
    /// beyond [`MAX_AMOUNT_FEN`].
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        if text.starts_with('-') {
            return Err(MoneyError::Negative);
        }
        let form = || MoneyError::Form(clip(text));
        let (whole, hundredths) = text.split_once('.').ok_or_else(form)?;
        if !is_whole(whole) || hundredths.len() != 2 || !is_digits(hundredths) {
            return Err(form());
        }
        let fen = format!("{whole}{hundredths}")
            .parse()
            .map_err(|_| MoneyError::Overflow)?;
        if fen > MAX_AMOUNT_FEN {
            Err(MoneyError::Overflow)
        } else {
            Self::from_fen(fen, currency)
        }
    }

    /// Whole fen, zero or more.
    #[must_use]
    pub const fn fen(self) -> i64 {
        self.fen
    }

    /// Its currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// `1234.56`, without grouping and without the currency.
    #[must_use]
    pub fn amount(self) -> String {
        format!("{}.{:02}", self.fen / 100, self.fen % 100)
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`], [`MoneyError::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        let currency = self.common(other)?;
        let fen = self
            .fen
            .checked_add(other.fen)
            .ok_or(MoneyError::Overflow)?;
        Ok(Self { fen, currency })
    }

    /// The difference.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`], [`MoneyError::Negative`] if `other` is larger.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        let currency = self.common(other)?;
        if other.fen > self.fen {
            return Err(MoneyError::Negative);
        }
        Ok(Self {
            fen: self.fen - other.fen,
            currency,
        })
    }

    /// The smaller of the two.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`].
    pub fn min(self, other: Self) -> Result<Self, MoneyError> {
        let currency = self.common(other)?;
        Ok(Self {
            fen: self.fen.min(other.fen),
            currency,
        })
    }

    /// This amount times a rate, **rounded down to a whole fen** (floor): a limit never grows by
    /// rounding.
    ///
    /// # Errors
    /// [`MoneyError::Negative`] for a negative rate, [`MoneyError::Overflow`].
    pub fn times_floor(self, rate: Decimal) -> Result<Self, MoneyError> {
        if rate.is_sign_negative() && !rate.is_zero() {
            return Err(MoneyError::Negative);
        }
        let product = Decimal::from(self.fen)
            .checked_mul(rate)
            .ok_or(MoneyError::Overflow)?;
        let whole = product.round_dp_with_strategy(0, RoundingStrategy::ToZero);
        let fen = whole.to_i64().ok_or(MoneyError::Overflow)?;
        Ok(Self {
            fen,
            currency: self.currency,
        })
    }

    /// The currency of both sides, if it is the same.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`].
    pub fn common(self, other: Self) -> Result<Currency, MoneyError> {
        if self.currency == other.currency {
            Ok(self.currency)
        } else {
            Err(MoneyError::CurrencyMismatch {
                left: self.currency,
                right: other.currency,
            })
        }
    }
}

impl fmt::Display for Money {
    /// `¥1,234.56` for renminbi, `EUR 1,234.56` for others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.currency == Currency::CNY {
            "¥"
        } else {
            self.currency.as_str()
        };
        let space = if self.currency == Currency::CNY {
            ""
        } else {
            " "
        };
        write!(
            f,
            "{sign}{space}{}.{:02}",
            grouped(self.fen / 100),
            self.fen % 100
        )
    }
}

/// `1234567` as `1,234,567`.
fn grouped(whole: i64) -> String {
    let digits = whole.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_whole(text: &str) -> bool {
    is_digits(text) && (text == "0" || !text.starts_with('0'))
}

/// An excerpt for an error message, so that a stranger's megabyte stays out of the log.
fn clip(text: &str) -> String {
    text.chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cny(fen: i64) -> Money {
        Money::from_fen(fen, Currency::CNY).unwrap()
    }

    #[test]
    fn negative_and_overflowing_amounts_are_refused() {
        let parse = |text: &str| Money::parse(text, Currency::CNY);
        assert_eq!(parse("-1.00"), Err(MoneyError::Negative));
        assert_eq!(parse("1000000000000.01"), Err(MoneyError::Overflow));
        assert_eq!(
            parse(&format!("{}.00", "9".repeat(40))),
            Err(MoneyError::Overflow)
        );
        assert_eq!(parse("1000000000000.00").unwrap().fen(), MAX_AMOUNT_FEN);
        for text in [
            "", "1", "1.0", "1.000", "01.00", "1,000.00", "1e3.00", "+1.00", ".00", "٣.00",
        ] {
            assert!(matches!(parse(text), Err(MoneyError::Form(_))), "{text}");
        }
        assert_eq!(cny(i64::MAX).plus(cny(1)), Err(MoneyError::Overflow));
        assert_eq!(cny(1).minus(cny(2)), Err(MoneyError::Negative));
    }

    #[test]
    fn two_currencies_never_meet() {
        let eur: Currency = "EUR".parse().unwrap();
        let other = Money::from_fen(1, eur).unwrap();
        let wrong = MoneyError::CurrencyMismatch {
            left: Currency::CNY,
            right: eur,
        };
        assert_eq!(cny(1).plus(other), Err(wrong.clone()));
        assert_eq!(cny(1).min(other), Err(wrong));
        assert!("cny".parse::<Currency>().is_err() && "CNYX".parse::<Currency>().is_err());
    }

    #[test]
    fn amounts_are_grouped_for_people_and_plain_for_machines() {
        assert_eq!(cny(123_456_789).to_string(), "¥1,234,567.89");
        assert_eq!(cny(123_456_789).amount(), "1234567.89");
        assert_eq!(cny(5).to_string(), "¥0.05");
    }

    proptest! {
        #[test]
        fn writing_and_reading_give_the_same_amount(fen in 0..=MAX_AMOUNT_FEN) {
            prop_assert_eq!(Money::parse(&cny(fen).amount(), Currency::CNY), Ok(cny(fen)));
        }

        #[test]
        fn floor_never_rounds_up(fen in 0..MAX_AMOUNT_FEN, rate in 0i64..=10_000) {
            let product = cny(fen).times_floor(Decimal::new(rate, 4)).unwrap().fen();
            let exact = i128::from(fen) * i128::from(rate);
            prop_assert!(i128::from(product) * 10_000 <= exact);
            prop_assert!((i128::from(product) + 1) * 10_000 > exact);
        }
    }
}
