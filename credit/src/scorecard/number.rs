//! Binary floats that a frozen file can hold: written as text, read back to the same bits.
//!
//! In the file a number is a JSON **string** with the shortest decimal that reads back to the same
//! 64 bits. It is no JSON number, for `serde_json` as this product builds it (without its feature
//! `float_roundtrip`) may read the neighbour of what it wrote. Fitted numbers are rounded to
//! [`PLACES`] decimals before they are kept, so that machines whose logarithms differ in the last
//! bit agree; cut points are values of the data and are never rounded.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Decimals of a fitted number.
pub const PLACES: u32 = 6;

/// Ten to the power of [`PLACES`].
const SCALE: f64 = 1e6;

/// A finite binary float; zero has one sign.
#[derive(Clone, Copy, Debug, Default)]
pub struct Number(f64);

/// A number that is none, or that no frozen file can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no finite number")]
pub struct NotFinite(pub String);

impl Number {
    /// Zero.
    pub const ZERO: Self = Self(0.0);

    /// One.
    pub const ONE: Self = Self(1.0);

    /// As it is.
    ///
    /// # Errors
    /// [`NotFinite`] for infinities and NaN.
    pub fn exact(value: f64) -> Result<Self, NotFinite> {
        if value.is_finite() {
            // Adding zero turns the negative zero into the positive one.
            Ok(Self(value + 0.0))
        } else {
            Err(NotFinite(value.to_string()))
        }
    }

    /// Rounded to [`PLACES`] decimals, half away from zero.
    ///
    /// # Errors
    /// [`NotFinite`] for infinities and NaN.
    pub fn rounded(value: f64) -> Result<Self, NotFinite> {
        let scaled = value * SCALE;
        Self::exact(if scaled.is_finite() {
            scaled.round() / SCALE
        } else {
            value
        })
    }

    /// The hundredth part, rounded.
    #[must_use]
    pub fn hundredth(self) -> Self {
        Self::rounded(self.0 / 100.0).unwrap_or_default()
    }

    /// The float.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl From<u32> for Number {
    fn from(whole: u32) -> Self {
        Self(f64::from(whole))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}", self.0);
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

impl FromStr for Number {
    type Err = NotFinite;
    fn from_str(text: &str) -> Result<Self, NotFinite> {
        let value = text.parse().map_err(|_| NotFinite(text.to_owned()))?;
        Self::exact(value).map_err(|_| NotFinite(text.to_owned()))
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Figures that were measured, rounded; for reports, where a missing figure is `None`.
#[must_use]
pub fn figure(value: Option<f64>) -> Option<Number> {
    value.and_then(|value| Number::rounded(value).ok())
}
