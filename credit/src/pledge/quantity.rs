//! Quantities of lots as whole numbers of the smallest unit, so that their sum is exact.
//!
//! Codes are those of UN/CEFACT Recommendation 20. A quantity that is no whole number of its smallest
//! unit is refused, not rounded.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::written::Refused;

/// The largest quantity in smallest units: eight of them still fit into an `i64`.
pub const QUANTITY_MAX: i64 = 1_000_000_000_000_000_000;

/// What a quantity measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Pieces.
    Pieces,
    /// Mass, in milligrams.
    Mass,
    /// Volume, in millilitres.
    Volume,
    /// Length, in millimetres.
    Length,
    /// Area, in square millimetres.
    Area,
}

impl Measure {
    const ALL: [Self; 5] = [
        Self::Pieces,
        Self::Mass,
        Self::Volume,
        Self::Length,
        Self::Area,
    ];

    /// Its word in rows.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pieces => "pieces",
            Self::Mass => "mass",
            Self::Volume => "volume",
            Self::Length => "length",
            Self::Area => "area",
        }
    }

    /// The measure of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.word() == word)
    }
}

/// Unit codes with what they measure and how many smallest units they hold.
const UNITS: [(&str, Measure, i64); 19] = [
    ("", Measure::Pieces, 1),
    ("EA", Measure::Pieces, 1),
    ("C62", Measure::Pieces, 1),
    ("H87", Measure::Pieces, 1),
    ("DZN", Measure::Pieces, 12),
    ("MIL", Measure::Pieces, 1_000),
    ("MGM", Measure::Mass, 1),
    ("GRM", Measure::Mass, 1_000),
    ("KGM", Measure::Mass, 1_000_000),
    ("TNE", Measure::Mass, 1_000_000_000),
    ("MLT", Measure::Volume, 1),
    ("LTR", Measure::Volume, 1_000),
    ("HLT", Measure::Volume, 100_000),
    ("MTQ", Measure::Volume, 1_000_000),
    ("MMT", Measure::Length, 1),
    ("CMT", Measure::Length, 10),
    ("MTR", Measure::Length, 1_000),
    ("KMT", Measure::Length, 1_000_000),
    ("MTK", Measure::Area, 1_000_000),
];

/// A quantity above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Kept", into = "Kept")]
pub struct Quantity {
    measure: Measure,
    smallest: i64,
}

/// A quantity as it is kept in rows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    measure: Measure,
    smallest: i64,
}

impl TryFrom<Kept> for Quantity {
    type Error = Refused;
    fn try_from(kept: Kept) -> Result<Self, Refused> {
        Self::new(kept.measure, kept.smallest)
    }
}

impl From<Quantity> for Kept {
    fn from(quantity: Quantity) -> Self {
        Self {
            measure: quantity.measure,
            smallest: quantity.smallest,
        }
    }
}

impl Quantity {
    /// One piece.
    pub const PIECE: Self = Self {
        measure: Measure::Pieces,
        smallest: 1,
    };

    /// So many smallest units.
    ///
    /// # Errors
    /// [`Refused`] for zero, less, and beyond [`QUANTITY_MAX`].
    pub fn new(measure: Measure, smallest: i64) -> Result<Self, Refused> {
        if (1..=QUANTITY_MAX).contains(&smallest) {
            Ok(Self { measure, smallest })
        } else {
            Err(Refused::new(
                "quantity",
                "it is not above zero, or too large",
            ))
        }
    }

    /// A number with its unit; no unit means pieces.
    ///
    /// # Errors
    /// [`Refused`] for an unknown unit, for what is no whole number of smallest units, zero and less.
    pub fn read(number: Decimal, unit: Option<&str>) -> Result<Self, Refused> {
        let code = unit.unwrap_or("");
        let known = UNITS.iter().find(|(known, ..)| *known == code);
        let (_, measure, size) = known.ok_or(Refused::new("unit", "it is not known"))?;
        let exact = number.checked_mul(Decimal::from(*size));
        // A product that had to be rounded to fit is no exact one.
        let exact = exact.filter(|product| {
            product
                .checked_div(Decimal::from(*size))
                .map(|d| d.normalize())
                == Some(number.normalize())
        });
        let whole = exact.filter(|exact| exact.fract().is_zero());
        let whole = whole.and_then(|exact| exact.to_i64());
        let problem = "it is no whole number of its smallest unit";
        Self::new(*measure, whole.ok_or(Refused::new("quantity", problem))?)
    }

    /// What it measures.
    #[must_use]
    pub const fn measure(self) -> Measure {
        self.measure
    }

    /// How many smallest units, 1 to [`QUANTITY_MAX`].
    #[must_use]
    pub const fn smallest(self) -> i64 {
        self.smallest
    }

    /// The sum.
    ///
    /// # Errors
    /// [`Refused`] for two measures, and beyond [`QUANTITY_MAX`].
    pub fn plus(self, other: Self) -> Result<Self, Refused> {
        if self.measure != other.measure {
            return Err(Refused::new("quantity", "one lot is measured in two ways"));
        }
        Self::new(self.measure, self.smallest.saturating_add(other.smallest))
    }
}

impl fmt::Display for Quantity {
    /// `1500000 mg`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.measure {
            Measure::Pieces => "pieces",
            Measure::Mass => "mg",
            Measure::Volume => "ml",
            Measure::Length => "mm",
            Measure::Area => "mm2",
        };
        write!(f, "{} {unit}", self.smallest)
    }
}
