//! An instalment while it lives: what it has earned, what is unpaid of it, what its lateness costs.

use chrono::NaiveDate;

use super::refused::Refused;
use crate::money::{Currency, Money, MoneyError};
use crate::schedule::{
    AllocationRule, Due, Instalment, Overdue, PenaltyTerms, Rate, Rounding, RoundingMode, Schedule,
    Terms, allocate,
};

/// An instalment that is not settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// From 1; 0 is what was due with the disbursement.
    pub number: u32,
    /// When it is due.
    pub due: NaiveDate,
    /// Where it stands.
    pub stage: SlotStage,
}

/// Where an instalment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotStage {
    /// It is not due.
    Ahead(Ahead),
    /// It is due.
    Fallen(Fallen),
}

/// An instalment that is not due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// First day of the interest that it collects.
    pub from: NaiveDate,
    /// End of it, not counted.
    pub until: NaiveDate,
    /// Principal.
    pub principal: Money,
    /// All interest of it.
    pub interest: Money,
    /// Interest earned so far; all of it by `until` or the due date, whichever comes first.
    pub earned: Money,
    /// Fees.
    pub fees: Money,
    /// What was owed before a restructuring and is due with this one.
    pub carried: Due,
}

/// An instalment that is due and not paid in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallen {
    /// What is not paid.
    pub unpaid: Due,
    /// All penalty that was charged on it so far.
    pub charged: Money,
    /// Times with an unchanged unpaid amount that bears penalty.
    pub spans: Vec<Overdue>,
    /// Since when the amount that is unpaid now is.
    pub since: NaiveDate,
}

impl Ahead {
    /// Interest earned by a day: **rounded down** from the cumulative amount, so that the days of an
    /// instalment sum to its interest exactly.
    pub(super) fn earned_by(&self, terms: &Terms, due: NaiveDate, day: NaiveDate) -> Money {
        if day >= self.until || day >= due {
            return self.interest;
        }
        let units = terms.day_count.fraction(self.from, day).units;
        let whole = terms.day_count.fraction(self.from, self.until).units;
        if whole <= 0 {
            return Money::zero(self.interest.currency());
        }
        let product = i128::from(self.interest.fen()) * i128::from(units.clamp(0, whole));
        let fen = i64::try_from(product / i128::from(whole)).unwrap_or(i64::MAX);
        let earned = Money::from_fen(fen, self.interest.currency());
        larger(earned.unwrap_or(self.interest), self.earned)
    }
}

/// The larger of two amounts of one currency.
const fn larger(one: Money, other: Money) -> Money {
    if other.fen() > one.fen() { other } else { one }
}

impl Fallen {
    /// Penalty charged by a day in all; it never falls.
    pub(super) fn penalty_by(
        &self,
        terms: &PenaltyTerms,
        rounding: &Rounding,
        due: NaiveDate,
        day: NaiveDate,
    ) -> Result<Money, Refused> {
        let amount = terms.base(&self.unpaid)?;
        let currency = amount.currency();
        if amount.fen() == 0 {
            return Ok(self.charged);
        }
        let now = Overdue {
            amount,
            from: self.since,
            until: day,
        };
        let sum = if self.spans.is_empty() {
            terms.penalty(rounding, currency, due, &[now])?
        } else {
            let mut spans = self.spans.clone();
            spans.push(now);
            terms.penalty(rounding, currency, due, &spans)?
        };
        Ok(larger(sum, self.charged))
    }

    /// Takes a payment of a day off.
    pub(super) fn take(
        &mut self,
        paid: &Due,
        terms: &PenaltyTerms,
        day: NaiveDate,
    ) -> Result<(), Refused> {
        let before = terms.base(&self.unpaid)?;
        self.unpaid = less(&self.unpaid, paid)?;
        if terms.base(&self.unpaid)? != before && self.since < day {
            self.spans.push(Overdue {
                amount: before,
                from: self.since,
                until: day,
            });
            self.since = day;
        }
        Ok(())
    }
}

/// The sum of two dues, part by part.
pub(super) fn plus(one: &Due, other: &Due) -> Result<Due, Refused> {
    Ok(Due {
        penalty: one.penalty.plus(other.penalty)?,
        fees: one.fees.plus(other.fees)?,
        interest: one.interest.plus(other.interest)?,
        principal: one.principal.plus(other.principal)?,
    })
}

/// The difference of two dues, part by part.
fn less(one: &Due, other: &Due) -> Result<Due, Refused> {
    Ok(Due {
        penalty: one.penalty.minus(other.penalty)?,
        fees: one.fees.minus(other.fees)?,
        interest: one.interest.minus(other.interest)?,
        principal: one.principal.minus(other.principal)?,
    })
}

impl Slot {
    /// The instalments of a schedule, numbered after `before`.
    pub(super) fn of(schedule: &Schedule, terms: &Terms, before: u32) -> Vec<Self> {
        let deferred = deferral(schedule, terms);
        let mut slots = Vec::with_capacity(schedule.instalments.len());
        for one in &schedule.instalments {
            let from = deferred
                .filter(|(number, _)| *number == one.number)
                .map_or(one.period.start, |(_, from)| from);
            slots.push(Self {
                number: before.saturating_add(one.number),
                due: one.period.due,
                stage: SlotStage::Ahead(ahead(one, from)),
            });
        }
        slots
    }

    /// What is asked for when the money goes out.
    pub(super) fn at_disbursement(day: NaiveDate, fees: Money) -> Self {
        let nothing = Money::zero(fees.currency());
        Self {
            number: 0,
            due: day,
            stage: SlotStage::Ahead(Ahead {
                from: day,
                until: day,
                principal: nothing,
                interest: nothing,
                earned: nothing,
                fees,
                carried: Due::nothing(fees.currency()),
            }),
        }
    }

    /// Asks for what was owed before, too.
    pub(super) fn carry(&mut self, carried: Due) {
        if let SlotStage::Ahead(ahead) = &mut self.stage {
            ahead.carried = carried;
        }
    }

    /// It falls due: everything is unpaid.
    pub(super) fn fall(&mut self) -> Result<Money, Refused> {
        let SlotStage::Ahead(ahead) = &self.stage else {
            return Err(Refused::RunOrder);
        };
        let due = Due {
            penalty: Money::zero(ahead.principal.currency()),
            fees: ahead.fees,
            interest: ahead.interest,
            principal: ahead.principal,
        };
        let (fees, unpaid) = (ahead.fees, plus(&due, &ahead.carried)?);
        self.stage = SlotStage::Fallen(Fallen {
            charged: Money::zero(fees.currency()),
            unpaid,
            spans: Vec::new(),
            since: self.due,
        });
        Ok(fees)
    }

    /// What is due and unpaid of it.
    #[must_use]
    pub const fn unpaid(&self) -> Option<&Due> {
        match &self.stage {
            SlotStage::Fallen(fallen) => Some(&fallen.unpaid),
            SlotStage::Ahead(_) => None,
        }
    }

    pub(super) const fn ahead(&self) -> Option<&Ahead> {
        match &self.stage {
            SlotStage::Ahead(ahead) => Some(ahead),
            SlotStage::Fallen(_) => None,
        }
    }

    /// Whether it is due and nothing of it is unpaid.
    pub(super) fn is_paid(&self) -> bool {
        self.unpaid().is_some_and(is_nothing)
    }
}

/// Whether all parts are zero.
pub(super) fn is_nothing(due: &Due) -> bool {
    let parts = [due.penalty, due.fees, due.interest, due.principal];
    parts.iter().all(|part| part.fen() == 0)
}

fn ahead(one: &Instalment, from: NaiveDate) -> Ahead {
    let currency = one.principal.currency();
    Ahead {
        from,
        until: one.period.end,
        principal: one.principal,
        interest: one.interest,
        earned: Money::zero(currency),
        fees: one.fees,
        carried: Due::nothing(currency),
    }
}

/// The instalment that asks for the interest of those before it, and from when it collects it.
fn deferral(schedule: &Schedule, terms: &Terms) -> Option<(u32, NaiveDate)> {
    let grace = &terms.grace;
    if grace.interest <= grace.interest_free {
        return None;
    }
    let first = schedule.instalments.get(grace.interest_free as usize)?;
    Some((grace.interest.checked_add(1)?, first.period.start))
}

/// Splits a payment over what is due, oldest first, in the product's order.
pub(super) fn split(
    rule: AllocationRule,
    amount: Money,
    unpaid: &[Due],
) -> Result<(Vec<Due>, Money), Refused> {
    let made = allocate(rule, amount, unpaid)?;
    Ok((made.paid, made.rest))
}

/// Everything due of several instalments in one.
pub(super) fn sum<'a>(
    currency: Currency,
    mut dues: impl Iterator<Item = &'a Due>,
) -> Result<Due, Refused> {
    dues.try_fold(Due::nothing(currency), |sum, due| plus(&sum, due))
}

/// A share of an amount, rounded once.
pub(super) fn share(amount: Money, rate: Rate, mode: RoundingMode) -> Result<Money, Refused> {
    let product = i128::from(amount.fen()) * i128::from(rate.hundred_millionths());
    let one = i128::from(Rate::ONE.hundred_millionths());
    let (whole, rest) = (product / one, product % one);
    let half = (rest * 2).cmp(&one);
    let up = match mode {
        RoundingMode::Down => false,
        RoundingMode::Up => rest > 0,
        RoundingMode::HalfUp => half.is_ge(),
        RoundingMode::HalfEven => half.is_gt() || (half.is_eq() && whole % 2 == 1),
    };
    let fen = i64::try_from(whole + i128::from(up)).map_err(|_| MoneyError::Overflow)?;
    Ok(Money::from_fen(fen, amount.currency())?)
}
