//! How rates are written in acts: the percentage as text, exactly.

/// For `#[serde(with = ...)]`: a rate as its percentage, such as `"6.25"`.
pub(super) mod rate_text {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::schedule::Rate;

    /// Six decimal places of a percentage are hundred-millionths.
    const PERCENT_PLACES: u32 = 6;

    pub(in crate::loan::life) fn serialize<S: Serializer>(
        rate: &Rate,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let percent = Decimal::new(rate.hundred_millionths(), PERCENT_PLACES).normalize();
        serializer.collect_str(&percent)
    }

    pub(in crate::loan::life) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Rate, D::Error> {
        Rate::deserialize(deserializer)
    }
}
