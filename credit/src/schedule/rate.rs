//! Rates and shares, exact: whole hundred-millionths.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};

/// Hundred-millionths in one: six decimal places of a percentage.
pub(super) const PER_ONE: i64 = 100_000_000;

/// Decimal places that a percentage may have.
const PERCENT_PLACES: u32 = 6;

/// A percentage that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a percentage: text of digits such as \"6.25\", at most six decimal places, 0 to 100"
)]
pub struct RateError(String);

/// A yearly rate or a share, 0 to 100 percent, in whole hundred-millionths. In files it is a
/// percentage in quotes, such as `"6.25"`: a number without them would be a float on its way here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate(i64);

impl Rate {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Everything.
    pub const ONE: Self = Self(PER_ONE);

    /// Reads a percentage such as `6.25`.
    ///
    /// # Errors
    /// [`RateError`] for anything but digits and a point, for more than six decimal places, and
    /// above 100.
    pub fn from_percent(text: &str) -> Result<Self, RateError> {
        let wrong = || RateError(text.chars().take(32).collect());
        let plain = text.len() <= 16
            && text.starts_with(|first: char| first.is_ascii_digit())
            && text.ends_with(|last: char| last.is_ascii_digit())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.');
        let percent = Decimal::from_str_exact(text).ok().filter(|_| plain);
        let mut percent = percent.ok_or_else(wrong)?.normalize();
        if percent > Decimal::ONE_HUNDRED || percent.scale() > PERCENT_PLACES {
            return Err(wrong());
        }
        percent.rescale(PERCENT_PLACES);
        i64::try_from(percent.mantissa())
            .map(Self)
            .map_err(|_| wrong())
    }

    /// Hundred-millionths.
    #[must_use]
    pub const fn hundred_millionths(self) -> i64 {
        self.0
    }

    /// As a factor: `0.0625` for 6.25 percent.
    #[must_use]
    pub fn factor(self) -> Decimal {
        Decimal::new(self.0, 8)
    }

    /// What is left of the whole: 30 percent for 70.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(PER_ONE - self.0)
    }
}

impl Serialize for Rate {
    /// The percentage as text, exactly, as [`Rate::from_percent`] reads it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Decimal::new(self.0, PERCENT_PLACES).normalize())
    }
}

impl TryFrom<String> for Rate {
    type Error = RateError;
    fn try_from(text: String) -> Result<Self, RateError> {
        Self::from_percent(&text)
    }
}

impl fmt::Display for Rate {
    /// `6.25 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", Decimal::new(self.0, PERCENT_PLACES).normalize())
    }
}
