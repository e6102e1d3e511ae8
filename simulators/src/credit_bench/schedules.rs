//! Schedules of many instalments.

use anyhow::{Context, Result, ensure};
use chrono::NaiveDate;
use credit::money::{Currency, Money};
use credit::product::Definition;
use credit::schedule::{Calendar, calculate};

use super::{milliseconds, quantile};

/// Instalments of the schedule: thirty years by months.
const INSTALMENTS: u32 = 360;
/// How often it is calculated.
const TURNS: usize = 201;
/// A product by months in equal instalments.
const PRODUCT: &str = include_str!("../../../credit/products/purchase-order.toml");

/// Milliseconds for one; the median.
pub fn of_360_instalments() -> Result<f64> {
    let product = Definition::parse("purchase-order.toml", PRODUCT)?;
    let mut terms = product.longest;
    terms.instalments = INSTALMENTS;
    let (amount, calendar) = (
        Money::parse("299999.99", Currency::CNY)?,
        Calendar::every_day(),
    );
    let on = NaiveDate::from_ymd_opt(2026, 11, 30).context("a day")?;
    let mut times = Vec::with_capacity(TURNS);
    for _ in 0..TURNS {
        let (schedule, took) = milliseconds(|| calculate(&terms, amount, on, &calendar));
        ensure!(
            schedule?.instalments.len() == INSTALMENTS as usize,
            "all of them"
        );
        times.push(took);
    }
    Ok(quantile(times, 0.5))
}
