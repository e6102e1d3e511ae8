//! Fees beside interest.

use serde::Deserialize;

use super::ScheduleError;
use super::rate::{PER_ONE, Rate};
use super::rounding::Rounding;
use crate::money::Money;

/// When a fee is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeeTime {
    /// When the loan is paid out; it stands beside the schedule and lessens no principal.
    Disbursement,
    /// With each instalment.
    EachInstalment,
    /// With the last one.
    LastInstalment,
}

/// How much a fee is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeBase {
    /// An amount.
    Fixed(Money),
    /// A share of the amount disbursed.
    OfPrincipal(Rate),
    /// A share of what is owed before the instalment.
    OfBalance(Rate),
}

/// A fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fee {
    /// Its name.
    pub name: String,
    /// How much.
    pub base: FeeBase,
    /// When.
    pub when: FeeTime,
}

/// The sum of the fees of one time, each rounded by itself.
pub(super) fn due(
    fees: &[Fee],
    is_due: impl Fn(FeeTime) -> bool,
    principal: Money,
    balance_fen: i64,
    rounding: &Rounding,
) -> Result<Money, ScheduleError> {
    let mut sum = Money::zero(principal.currency());
    for fee in fees.iter().filter(|fee| is_due(fee.when)) {
        let share = |rate: Rate, fen: i64| {
            let product = i128::from(fen) * i128::from(rate.hundred_millionths());
            let fen = rounding.interest(product, PER_ONE.into())?;
            Ok::<_, ScheduleError>(Money::from_fen(fen, principal.currency())?)
        };
        let amount = match fee.base {
            FeeBase::Fixed(amount) => amount,
            FeeBase::OfPrincipal(rate) => share(rate, principal.fen())?,
            FeeBase::OfBalance(rate) => share(rate, balance_fen)?,
        };
        sum = sum.plus(amount)?;
    }
    Ok(sum)
}
