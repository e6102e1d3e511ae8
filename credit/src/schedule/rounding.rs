//! The only place where a schedule rounds.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Deserialize;

use super::ScheduleError;

/// Decimal places of a fen beyond which a quotient of decimals is noise.
const NOISE_PLACES: u32 = 10;

/// Which neighbour an amount between two of them goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundingMode {
    /// The nearer one; from the middle up.
    #[default]
    HalfUp,
    /// The nearer one; from the middle to the even one.
    HalfEven,
    /// The smaller one.
    Down,
    /// The larger one.
    Up,
}

/// How amounts become payable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounding {
    /// Which way.
    pub mode: RoundingMode,
    /// Interest, fees and penalties are multiples of this many fen.
    pub interest_unit_fen: u32,
    /// The equal instalment, or the equal part of the principal, is a multiple of this many fen.
    pub instalment_unit_fen: u32,
    /// Whether the equal instalment is moved by units as long as that brings the last one nearer to
    /// it. Without this the last instalment absorbs whatever rounding leaves.
    pub evened: bool,
}

impl Default for Rounding {
    /// Half up to the fen.
    fn default() -> Self {
        Self {
            mode: RoundingMode::default(),
            interest_unit_fen: 1,
            instalment_unit_fen: 1,
            evened: false,
        }
    }
}

impl Rounding {
    /// `numerator / denominator` fen as a payable amount of interest.
    pub(super) fn interest(
        &self,
        numerator: i128,
        denominator: i128,
    ) -> Result<i64, ScheduleError> {
        to_unit(self.mode, self.interest_unit_fen, numerator, denominator)
    }

    /// `numerator / denominator` fen as an equal instalment.
    pub(super) fn instalment(
        &self,
        numerator: i128,
        denominator: i128,
    ) -> Result<i64, ScheduleError> {
        to_unit(self.mode, self.instalment_unit_fen, numerator, denominator)
    }

    /// A decimal number of fen as an equal instalment.
    pub(super) fn instalment_of(&self, fen: Decimal) -> Result<i64, ScheduleError> {
        let unit = Decimal::from(self.instalment_unit_fen);
        let clean = fen.round_dp(NOISE_PLACES);
        let units = clean.checked_div(unit).ok_or(ScheduleError::Overflow)?;
        let whole = units.round_dp_with_strategy(0, self.mode.strategy());
        let rounded = whole.checked_mul(unit).and_then(|fen| fen.to_i64());
        rounded.ok_or(ScheduleError::Overflow)
    }
}

impl RoundingMode {
    fn strategy(self) -> RoundingStrategy {
        match self {
            Self::HalfUp => RoundingStrategy::MidpointAwayFromZero,
            Self::HalfEven => RoundingStrategy::MidpointNearestEven,
            Self::Down => RoundingStrategy::ToZero,
            Self::Up => RoundingStrategy::AwayFromZero,
        }
    }
}

fn to_unit(
    mode: RoundingMode,
    unit: u32,
    numerator: i128,
    denominator: i128,
) -> Result<i64, ScheduleError> {
    let unit = i128::from(unit);
    let units = denominator
        .checked_mul(unit)
        .and_then(|denominator| divide(mode, numerator, denominator));
    let fen = units.and_then(|units| units.checked_mul(unit));
    fen.and_then(|fen| i64::try_from(fen).ok())
        .ok_or(ScheduleError::Overflow)
}

/// A quotient of two whole numbers, zero or more, rounded once and exactly; `None` for a divisor
/// that is not positive.
pub(super) fn divide(mode: RoundingMode, numerator: i128, denominator: i128) -> Option<i128> {
    if denominator <= 0 || numerator < 0 {
        return None;
    }
    let whole = numerator / denominator;
    let rest = numerator % denominator;
    // `rest` against what is missing to the next: the comparison with one half without doubling.
    let half = rest.cmp(&(denominator - rest));
    let up = match mode {
        RoundingMode::Down => false,
        RoundingMode::Up => rest > 0,
        RoundingMode::HalfUp => half.is_ge(),
        RoundingMode::HalfEven => half.is_gt() || (half.is_eq() && whole % 2 == 1),
    };
    Some(whole + i128::from(up))
}
