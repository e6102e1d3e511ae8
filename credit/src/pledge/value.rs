//! What pledged goods are worth to a lender: price, weight of its source, haircut, loan to value.
//!
//! Every rounding is **down to a whole fen** and named; lines are compared exactly. Whole numbers and
//! [`Rate`]s only. The table is a file ([`table::Table`]); which one was used is its hash.

pub mod table;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::quantity::Quantity;
use crate::money::{Money, MoneyError};
use crate::schedule::Rate;
use table::Table;

/// Hundred-millionths in one.
const PER_ONE: i128 = 100_000_000;

/// Where a price comes from, the best one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriceSource {
    /// An invoice whose buyer confirmed it.
    Invoice,
    /// The last sale that its buyer confirmed.
    ConfirmedSale,
    /// The borrower says so.
    Declared,
}

/// How well the goods are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// A sensor measured them.
    Measured,
    /// Somebody scanned them.
    Scanned,
    /// Somebody says so.
    Declared,
}

/// So much money for so much of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// How much money.
    pub money: Money,
    /// For how much.
    pub per: Quantity,
    /// By whose word.
    pub source: PriceSource,
}

/// What is valued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valued<'a> {
    /// Category of the table.
    pub category: &'a str,
    /// How much.
    pub quantity: Quantity,
    /// Its price.
    pub price: Price,
    /// Days since it was made.
    pub age_days: u32,
    /// How well it is known.
    pub evidence: Evidence,
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The table does not have this category.
    #[error("the table has no category `{0}`")]
    Category(String),
    /// The price is for another measure than the goods.
    #[error("the price is for something that is measured otherwise")]
    Measure,
    /// Amounts do not fit together.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// What goods are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// By price alone.
    pub market: Money,
    /// After the weight of the price's source.
    pub value: Money,
    /// After the haircut: the most that is lent.
    pub lending: Money,
}

impl Value {
    /// Values goods. Goods older than the last line of their category are worth nothing to lend on.
    ///
    /// # Errors
    /// [`ValueError`].
    pub fn of(goods: &Valued<'_>, table: &Table) -> Result<Self, ValueError> {
        let per = goods.price.per;
        if per.measure() != goods.quantity.measure() {
            return Err(ValueError::Measure);
        }
        let haircut = table.haircut(goods.category, goods.age_days, goods.evidence);
        let haircut = haircut.ok_or_else(|| ValueError::Category(goods.category.to_owned()))?;
        let market = floor_of(
            goods.price.money,
            i128::from(goods.quantity.smallest()),
            i128::from(per.smallest()),
        )?;
        let value = share_floor(market, table.weight(goods.price.source))?;
        let lending = share_floor(value, haircut.complement())?;
        Ok(Self {
            market,
            value,
            lending,
        })
    }

    /// Nothing, to add to.
    #[must_use]
    pub const fn zero(currency: crate::money::Currency) -> Self {
        let zero = Money::zero(currency);
        Self {
            market: zero,
            value: zero,
            lending: zero,
        }
    }

    /// The sum of two, each rounded before.
    ///
    /// # Errors
    /// [`MoneyError`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        Ok(Self {
            market: self.market.plus(other.market)?,
            value: self.value.plus(other.value)?,
            lending: self.lending.plus(other.lending)?,
        })
    }
}

/// `money x part / whole`, rounded down to a whole fen.
fn floor_of(money: Money, part: i128, whole: i128) -> Result<Money, MoneyError> {
    let product = i128::from(money.fen()).checked_mul(part);
    let fen = product.and_then(|product| product.checked_div(whole));
    let fen = fen.and_then(|fen| i64::try_from(fen).ok());
    Money::from_fen(fen.ok_or(MoneyError::Overflow)?, money.currency())
}

/// A share of an amount, rounded down to a whole fen.
fn share_floor(money: Money, rate: Rate) -> Result<Money, MoneyError> {
    floor_of(money, i128::from(rate.hundred_millionths()), PER_ONE)
}

/// How a loan stands against what secures it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Covered.
    Covered,
    /// Above the first line: more goods, or so much money back.
    MarginCall {
        /// What would bring the loan down to what is lent on these goods.
        missing: Money,
    },
    /// Above the second line: the loan may be called.
    Shortfall {
        /// What would bring the loan down to what is lent on these goods.
        missing: Money,
    },
}

/// Loan to value in percent, **rounded up** to two decimal places; `None` if the goods are worth
/// nothing.
///
/// # Errors
/// [`MoneyError::CurrencyMismatch`], [`MoneyError::Overflow`].
pub fn loan_to_value(loan: Money, value: Money) -> Result<Option<Decimal>, MoneyError> {
    loan.common(value)?;
    if value.fen() == 0 {
        return Ok(None);
    }
    // Both are at most 2^63: ten thousand times that is far below 2^127.
    let hundredths =
        (i128::from(loan.fen()) * 10_000 + i128::from(value.fen()) - 1) / i128::from(value.fen());
    let hundredths = i64::try_from(hundredths).map_err(|_| MoneyError::Overflow)?;
    Ok(Some(Decimal::new(hundredths, 2)))
}

/// How a loan stands against a value under the lines of a table. Exact: nothing is rounded.
///
/// # Errors
/// [`MoneyError::CurrencyMismatch`].
pub fn standing(loan: Money, worth: Value, table: &Table) -> Result<Standing, MoneyError> {
    loan.common(worth.value)?;
    let above = |line: Rate| {
        let allowed = i128::from(worth.value.fen()) * i128::from(line.hundred_millionths());
        i128::from(loan.fen()) * PER_ONE > allowed
    };
    let missing = loan.minus(worth.lending.min(loan)?)?;
    Ok(if above(table.shortfall()) {
        Standing::Shortfall { missing }
    } else if above(table.margin_call()) {
        Standing::MarginCall { missing }
    } else {
        Standing::Covered
    })
}

#[cfg(test)]
mod tests;
