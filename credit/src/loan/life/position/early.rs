//! Repayment before its time.

use super::{Position, rest_of};
use crate::ledger::{Class, EntryKind};
use crate::loan::life::books::{Booking, Cause, Draft};
use crate::loan::life::conditions::Conditions;
use crate::loan::life::refused::Refused;
use crate::loan::life::slot::{self, Slot, SlotStage};
use crate::money::Money;
use crate::schedule::{Due, Grace, Period, Rate, RoundingMode, calculate_over};

/// What ends a loan on its business day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payoff {
    /// Due and unpaid.
    pub due: Due,
    /// Earned and not due: interest up to the day, and what a restructuring put off.
    pub earned: Due,
    /// Principal that is not due.
    pub principal: Money,
    /// Fee on that principal, rounded half up.
    pub fee: Money,
    /// All of it.
    pub total: Money,
}

impl Position {
    /// What ends the loan on its business day.
    ///
    /// # Errors
    /// [`Refused::Money`] for what does not fit.
    pub fn payoff(&self, conditions: &Conditions) -> Result<Payoff, Refused> {
        let currency = self.books.currency();
        let (mut earned, mut principal) = (Due::nothing(currency), Money::zero(currency));
        for ahead in self.slots.iter().filter_map(Slot::ahead) {
            earned = slot::plus(&earned, &ahead.carried)?;
            earned.interest = earned.interest.plus(ahead.earned)?;
            principal = principal.plus(ahead.principal)?;
        }
        let due = self.due()?;
        let fee = early_fee(principal, conditions)?;
        let total = due.total()?.plus(earned.total()?)?.plus(principal)?;
        Ok(Payoff {
            due,
            earned,
            principal,
            fee,
            total: total.plus(fee)?,
        })
    }

    /// Money to repay principal early: first what is due, then what is earned, then the principal
    /// with its fee. What is too little to reach the principal is the borrower's credit.
    pub(super) fn repay_early(
        &mut self,
        amount: Money,
        cause: Cause,
        conditions: &Conditions,
        out: &mut Vec<Booking>,
    ) -> Result<(), Refused> {
        let mut draft = Draft::default();
        let rest = self.take(amount, Class::Cash, conditions, &mut draft)?;
        let rest = self.ahead_of_time(rest, conditions, &mut draft)?;
        draft.move_to(Class::Cash, Class::BorrowerCredit, rest)?;
        self.book(&draft, cause.clone(), EntryKind::Repayment, out)?;
        self.settle(cause, out)?;
        self.regrade(conditions);
        Ok(())
    }

    fn ahead_of_time(
        &mut self,
        rest: Money,
        conditions: &Conditions,
        draft: &mut Draft,
    ) -> Result<Money, Refused> {
        let payoff = self.payoff(conditions)?;
        let earned = payoff.earned.total()?;
        if rest.fen() <= earned.fen() {
            return Ok(rest);
        }
        let free = rest.minus(earned)?;
        let principal = principal_for(free, payoff.principal, conditions)?;
        if principal.fen() == 0 {
            return Ok(rest);
        }
        let fee = early_fee(principal, conditions)?;
        let paid = Due {
            principal,
            ..payoff.earned
        };
        self.receive(&paid, Class::Cash, draft)?;
        draft.move_to(Class::Cash, Class::FeeIncome, fee)?;
        self.reschedule(payoff.principal.minus(principal)?)?;
        Ok(free.minus(principal)?.minus(fee)?)
    }

    /// The rest of the principal over the rest of the periods, counted by days from today.
    fn reschedule(&mut self, principal: Money) -> Result<(), Refused> {
        let first = self.slots.iter().position(|slot| slot.ahead().is_some());
        let Some(first) = first else {
            return Ok(());
        };
        let ahead = self.slots.split_off(first);
        if principal.fen() == 0 {
            return Ok(());
        }
        let before = ahead
            .first()
            .map_or(0, |slot| slot.number.saturating_sub(1));
        let mut terms = rest_of(&self.terms, ahead.len())?;
        terms.grace = self.grace_left(before, terms.instalments);
        let schedule = calculate_over(&terms, principal, &self.periods(&ahead))?;
        self.slots.extend(Slot::of(&schedule, &terms, before));
        Ok(())
    }

    /// Periods of instalments that are ahead, the first one from today.
    fn periods(&self, ahead: &[Slot]) -> Vec<Period> {
        let mut start = self.day;
        let mut periods = Vec::with_capacity(ahead.len());
        for slot in ahead {
            if let SlotStage::Ahead(one) = &slot.stage {
                let end = one.until.max(start);
                periods.push(Period {
                    start,
                    end,
                    due: slot.due,
                });
                start = end;
            }
        }
        periods
    }

    /// What is left of the time without principal or interest; interest that was put off is paid.
    fn grace_left(&self, fallen: u32, instalments: u32) -> Grace {
        let left = |count: u32| count.saturating_sub(fallen).min(instalments - 1);
        let grace = self.terms.grace;
        Grace {
            principal: left(grace.principal),
            interest: left(grace.interest),
            interest_free: left(grace.interest_free),
        }
    }
}

/// The fee on principal repaid early, rounded half up.
fn early_fee(principal: Money, conditions: &Conditions) -> Result<Money, Refused> {
    let rate = conditions.rules.early_fee_percent;
    slot::share(principal, rate, RoundingMode::HalfUp)
}

/// The most principal that an amount repays together with its fee.
fn principal_for(free: Money, most: Money, conditions: &Conditions) -> Result<Money, Refused> {
    let fits = |principal: Money| {
        let with_fee = principal.plus(early_fee(principal, conditions)?)?;
        Ok::<_, Refused>(with_fee.fen() <= free.fen())
    };
    if fits(most)? {
        return Ok(most);
    }
    // `free / (1 + rate)` rounded down is at most a fen or two beside the answer.
    let one = Rate::ONE.hundred_millionths();
    let rate = conditions.rules.early_fee_percent.hundred_millionths();
    let near = i128::from(free.fen()) * i128::from(one) / (i128::from(one) + i128::from(rate));
    let near = i64::try_from(near).unwrap_or(i64::MAX);
    for fen in [near.saturating_add(1), near, near.saturating_sub(1)] {
        let principal = Money::from_fen(fen.clamp(0, most.fen()), free.currency())?;
        if fits(principal)? {
            return Ok(principal);
        }
    }
    Ok(Money::zero(free.currency()))
}
