//! Units of measure: codes of UN/CEFACT Recommendation 20, what they measure and how they convert.
//!
//! EPCIS 2.0 section 7.3.7 names every unit by such a code, CBV 2.0 names the physical property by
//! the type of a sensor report; the two must agree ([`Property::of_measurement`], [`find`]). The
//! table has the codes that the measurement types of EPCIS use. Recommendation 20 has more: a code
//! that is not here says nothing, and is neither converted nor found wrong.
//!
//! Values are 64-bit floats. One conversion is at most three operations on a factor that is itself
//! rounded once, so its relative error is below 1e-15 (of the absolute temperature, where degrees
//! are converted); there and back stays below 4e-15.

mod table;

pub use table::Property;

/// A unit of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// Code of Recommendation 20, for example `CEL`.
    pub code: &'static str,
    /// What it measures.
    pub property: Property,
    /// Size in the SI unit of the property.
    factor: f64,
    /// What is added before that, in the unit itself: the distance of its zero from absolute zero.
    shift: f64,
}

impl Unit {
    /// A value of this unit in the SI unit of its property ([`Property::si_unit`]).
    #[must_use]
    pub fn to_si(&self, value: f64) -> f64 {
        (value + self.shift) * self.factor
    }

    /// A value of the SI unit in this unit.
    #[must_use]
    pub fn from_si(&self, value: f64) -> f64 {
        value / self.factor - self.shift
    }
}

/// Why a value cannot be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// A code that the table does not have.
    #[error("unit `{0}` is not known here")]
    Unknown(String),
    /// Units of two properties.
    #[error("`{from}` measures {measured}, `{to}` measures {asked}")]
    Mismatch {
        /// Code of the unit given.
        from: &'static str,
        /// What it measures.
        measured: &'static str,
        /// Code of the unit asked for.
        to: &'static str,
        /// What that measures.
        asked: &'static str,
    },
}

/// The unit with this code; `None` where the table does not have it.
#[must_use]
pub fn find(code: &str) -> Option<Unit> {
    table::find(code)
}

/// A value of one unit in another of the same property.
///
/// # Errors
/// [`UnitError`] for an unknown code or another property.
pub fn convert(value: f64, from: &str, to: &str) -> Result<f64, UnitError> {
    let known = |code: &str| find(code).ok_or_else(|| UnitError::Unknown(code.to_owned()));
    let (from, to) = (known(from)?, known(to)?);
    if from.property != to.property {
        return Err(UnitError::Mismatch {
            from: from.code,
            measured: from.property.name(),
            to: to.code,
            asked: to.property.name(),
        });
    }
    if from.code == to.code {
        return Ok(value);
    }
    Ok(to.from_si(from.to_si(value)))
}

/// Whether a text has the form of a code: two or three capitals and digits.
#[must_use]
pub fn is_code(text: &str) -> bool {
    let letters = text
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    letters && (2..=3).contains(&text.len())
}

#[cfg(test)]
mod tests;
