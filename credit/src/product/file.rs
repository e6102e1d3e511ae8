//! The form of a product file.
//!
//! Top level `id`, `version`, `kind`, `currency`, `minimum`, `maximum`; tables `[security]` (see
//! [`super::kind`]), `[interest]`, `[repayment]`, and where they differ from nothing `[grace]`,
//! `[holidays]`, `[rounding]`, `[[fees]]`; `[penalty]` and `[allocation]`. Amounts and percentages
//! are text. An unknown field is refused, and so is one that says nothing in its place.

use schemas::config::{self, ConfigError};
use schemas::hash::sha256;
use schemas::ids::Slug;
use serde::Deserialize;

use super::Definition;
use super::kind::{KindName, Security};
use crate::money::{Currency, Money};
use crate::schedule::{
    Accrual, Across, AllocationOrder, AllocationRule, Amortisation, DayCount, Fee, FeeBase,
    FeeTime, Frequency, Grace, InterestMethod, PenaltyBase, PenaltyTerms, Rate, Rounding,
    RoundingMode, Shift, ShiftRule, Terms, TermsError, Unit,
};

/// The longest name of a fee in characters.
pub const FEE_NAME_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: Slug,
    version: u32,
    kind: KindName,
    currency: Currency,
    minimum: String,
    maximum: String,
    security: Security,
    interest: RawInterest,
    repayment: RawRepayment,
    #[serde(default)]
    grace: RawGrace,
    #[serde(default)]
    holidays: RawHolidays,
    #[serde(default)]
    rounding: RawRounding,
    #[serde(default)]
    fees: Vec<RawFee>,
    penalty: RawPenalty,
    allocation: RawAllocation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInterest {
    annual_rate_percent: Rate,
    method: InterestMethod,
    day_count: DayCount,
    accrual: Accrual,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRepayment {
    amortisation: Amortisation,
    instalments_min: u32,
    instalments_max: u32,
    every: u32,
    unit: Unit,
    #[serde(default)]
    month_end: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawGrace {
    principal: u32,
    interest: u32,
    interest_free: u32,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawHolidays {
    calendar: Option<String>,
    shift: ShiftRule,
    interest_follows: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRounding {
    mode: RoundingMode,
    interest_unit_fen: u32,
    instalment_unit_fen: u32,
    evened: bool,
}

impl Default for RawRounding {
    fn default() -> Self {
        let usual = Rounding::default();
        Self {
            mode: usual.mode,
            interest_unit_fen: usual.interest_unit_fen,
            instalment_unit_fen: usual.instalment_unit_fen,
            evened: usual.evened,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFee {
    name: String,
    amount: Option<String>,
    percent: Option<Rate>,
    of: Option<FeeOf>,
    when: FeeTime,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FeeOf {
    Principal,
    Balance,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPenalty {
    annual_rate_percent: Rate,
    day_count: DayCount,
    grace_days: u32,
    on: PenaltyBase,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAllocation {
    order: AllocationOrder,
    across: Across,
}

/// Reads a product file.
///
/// # Errors
/// [`ConfigError`] with line, field and what was expected.
pub fn parse(file: &str, text: &str) -> Result<Definition, ConfigError> {
    let raw: Raw = config::parse(file, text)?;
    raw.read(text)
        .map_err(|wrong| ConfigError::at(file, text, wrong.field, wrong.problem))
}

impl Raw {
    fn read(self, text: &str) -> Result<Definition, TermsError> {
        if self.version == 0 {
            return Err(TermsError::new("version", "versions begin at 1"));
        }
        let minimum = money("minimum", &self.minimum, self.currency)?;
        let maximum = money("maximum", &self.maximum, self.currency)?;
        if minimum.fen() == 0 {
            return Err(TermsError::new("minimum", "above 0.00"));
        }
        if minimum.fen() > maximum.fen() {
            return Err(TermsError::new("minimum", "at most the maximum"));
        }
        let longest = self.terms()?;
        let kind = self.security.read(self.kind)?;
        let days = longest.frequency.days_at_most(longest.instalments);
        if days > kind.tenor_max_days().into() {
            let most = kind.tenor_max_days();
            let problem = format!("they may take {days} days, the security at most {most}");
            return Err(TermsError::new("repayment.instalments_max", problem));
        }
        Ok(Definition {
            id: self.id,
            version: self.version,
            hash: sha256(text.as_bytes()),
            kind,
            minimum,
            maximum,
            instalments_min: self.repayment.instalments_min,
            instalments_max: self.repayment.instalments_max,
            calendar: self.holidays.calendar,
            longest,
            penalty: self.penalty.read(),
            allocation: AllocationRule {
                order: self.allocation.order,
                across: self.allocation.across,
            },
        })
    }

    /// The terms with the most instalments, after those with the fewest were found possible.
    fn terms(&self) -> Result<Terms, TermsError> {
        let mut terms = Terms {
            annual_rate: self.interest.annual_rate_percent,
            interest: self.interest.method,
            day_count: self.interest.day_count,
            accrual: self.interest.accrual,
            amortisation: self.repayment.amortisation,
            instalments: self.repayment.instalments_min,
            frequency: self.repayment.frequency(),
            grace: self.grace.read(),
            shift: self.holidays.read()?,
            rounding: self.rounding.read(),
            fees: Vec::new(),
        };
        for fee in &self.fees {
            terms.fees.push(fee.read(self.currency)?);
        }
        let min = |wrong: TermsError| TermsError {
            field: match wrong.field {
                "repayment.instalments" => "repayment.instalments_min",
                field => field,
            },
            ..wrong
        };
        terms.check().map_err(min)?;
        if self.repayment.instalments_max < self.repayment.instalments_min {
            let problem = "at least instalments_min";
            return Err(TermsError::new("repayment.instalments_max", problem));
        }
        terms.instalments = self.repayment.instalments_max;
        terms
            .check()
            .map_err(|wrong| TermsError::new("repayment.instalments_max", wrong.problem))?;
        Ok(terms)
    }
}

impl RawRepayment {
    fn frequency(&self) -> Frequency {
        Frequency {
            every: self.every,
            unit: self.unit,
            month_end: self.month_end,
        }
    }
}

impl RawGrace {
    fn read(&self) -> Grace {
        Grace {
            principal: self.principal,
            interest: self.interest,
            interest_free: self.interest_free,
        }
    }
}

impl RawHolidays {
    fn read(&self) -> Result<Shift, TermsError> {
        let interest_follows = match (self.shift, &self.calendar, self.interest_follows) {
            (ShiftRule::None, None, None) => false,
            (ShiftRule::None, ..) => {
                let problem = "without a shift there is nothing else to say: following, modified-following or preceding";
                return Err(TermsError::new("holidays.shift", problem));
            }
            (_, None, _) => {
                let problem = "a shift needs the name of a calendar";
                return Err(TermsError::new("holidays.calendar", problem));
            }
            (_, _, None) => {
                let problem = "a shift needs it: true (interest to the moved date) or false";
                return Err(TermsError::new("holidays.interest_follows", problem));
            }
            (_, _, Some(follows)) => follows,
        };
        Ok(Shift {
            rule: self.shift,
            interest_follows,
        })
    }
}

impl RawRounding {
    fn read(&self) -> Rounding {
        Rounding {
            mode: self.mode,
            interest_unit_fen: self.interest_unit_fen,
            instalment_unit_fen: self.instalment_unit_fen,
            evened: self.evened,
        }
    }
}

impl RawFee {
    fn read(&self, currency: Currency) -> Result<Fee, TermsError> {
        if !(1..=FEE_NAME_MAX).contains(&self.name.chars().count()) {
            return Err(TermsError::new("fees.name", "1 to 64 characters"));
        }
        let base = match (&self.amount, self.percent, self.of) {
            (Some(amount), None, None) => FeeBase::Fixed(money("fees.amount", amount, currency)?),
            (None, Some(rate), Some(FeeOf::Principal)) => FeeBase::OfPrincipal(rate),
            (None, Some(rate), Some(FeeOf::Balance)) => FeeBase::OfBalance(rate),
            (None, Some(_), None) => {
                let problem = "a percentage needs it: principal or balance";
                return Err(TermsError::new("fees.of", problem));
            }
            _ => {
                let problem = format!("`{}` needs either amount, or percent and of", self.name);
                return Err(TermsError::new("fees.amount", problem));
            }
        };
        Ok(Fee {
            name: self.name.clone(),
            base,
            when: self.when,
        })
    }
}

impl RawPenalty {
    fn read(&self) -> PenaltyTerms {
        PenaltyTerms {
            annual_rate: self.annual_rate_percent,
            day_count: self.day_count,
            grace_days: self.grace_days,
            on: self.on,
        }
    }
}

fn money(field: &'static str, text: &str, currency: Currency) -> Result<Money, TermsError> {
    Money::parse(text, currency).map_err(|error| TermsError::new(field, error.to_string()))
}
