//! What an act of a loan tells the indicators of a trial: rows that are written with the act, in its
//! transaction, and never again.
//!
//! A row is read off the loan before and after: principal that went out, came back, was owed again,
//! was given up; and when principal is due, wherever that is not what a payment of the oldest
//! instalment leaves. Its id is made of the loan's name and the act's number, its instant is the
//! booking of the act, so rows of a month that is over never change: a correction is a row of the day
//! on which it is booked.

use chrono::NaiveDate;
use schemas::hash::sha256;
use schemas::ids::Slug;
use schemas::time::Instant;

use crate::ledger::{Class, LoanId};
use crate::loan::life::slot::{Slot, SlotStage};
use crate::loan::life::{Deed, Loan, Position};
use crate::money::{Money, MoneyError};
use crate::sandbox::indicators::{Fact, Principal, Row};
use crate::store::StoreError;

/// A loan as its rows name it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    loan: Slug,
    short: String,
    borrower: Slug,
    buyer: Option<Slug>,
    lent: Option<Money>,
}

impl Named {
    /// A loan; `buyer` is who pays in the end, and needed where money goes out.
    ///
    /// # Errors
    /// [`StoreError::Row`]; never in practice.
    pub(crate) fn of(
        id: &LoanId,
        borrower: &Slug,
        buyer: Option<&Slug>,
    ) -> Result<Self, StoreError> {
        let hash = sha256(id.as_str().as_bytes()).to_string();
        let short = hash.get(..20).unwrap_or_default().to_owned();
        // Loans are named as decisions, and those are short; others are told by their hash.
        let loan = id.as_str().parse();
        let loan = loan.or_else(|_| format!("loan-{short}").parse());
        Ok(Self {
            loan: loan.map_err(|_| broken())?,
            short,
            borrower: borrower.clone(),
            buyer: buyer.cloned(),
            lent: None,
        })
    }

    /// With what was paid out, which a new schedule is told from.
    pub(crate) fn with_file(mut self, loan: &Loan) -> Self {
        let acts = loan.file().acts().iter().rev();
        self.lent = acts
            .filter_map(|act| match act.deed {
                Deed::TokenUsed { amount, .. } => Some(amount),
                _ => None,
            })
            .next();
        self
    }

    /// Rows of what lies between two positions: that of one act, or of days that passed.
    ///
    /// # Errors
    /// [`StoreError::Row`]; never in practice.
    pub(crate) fn rows(
        &self,
        (before, after): (Option<&Position>, Option<&Position>),
        number: u32,
        at: Instant,
    ) -> Result<Vec<Row>, StoreError> {
        let Some(after) = after else {
            return Ok(Vec::new());
        };
        let facts = self.facts(before, after).map_err(|_| broken())?;
        let row = |(letter, fact)| {
            let id = self.row_id(number, letter)?;
            Ok(Row { id, at, fact })
        };
        facts.into_iter().map(row).collect()
    }

    fn facts(
        &self,
        before: Option<&Position>,
        after: &Position,
    ) -> Result<Vec<(char, Fact)>, MoneyError> {
        let (loan, owed) = (self.loan.clone(), principal(after)?);
        let Some(before) = before else {
            let (borrower, amount) = (self.borrower.clone(), owed);
            let buyer = self.buyer.clone().unwrap_or_else(|| borrower.clone());
            let lent = Fact::Disbursed {
                loan,
                borrower,
                buyer,
                amount,
            };
            return Ok(vec![('d', lent), ('s', self.scheduled(after)?)]);
        };
        let was = principal(before)?;
        let mut facts = Vec::new();
        match (before.is_written_off(), after.is_written_off()) {
            (false, true) => facts.push(('w', Fact::WrittenOff { loan, amount: was })),
            (true, _) => facts.extend(self.recovered(before, after)?),
            (false, false) => {
                if let Some(fact) = self.moved(was, owed)? {
                    facts.push(('m', fact));
                }
                // Days alone change no schedule, and of them no file is read.
                if self.lent.is_some() && left(before, was, owed) != due(after) {
                    facts.push(('s', self.scheduled(after)?));
                }
            }
        }
        Ok(facts)
    }

    fn moved(&self, was: Money, is: Money) -> Result<Option<Fact>, MoneyError> {
        let loan = self.loan.clone();
        Ok(match was.fen().cmp(&is.fen()) {
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Fact::Repaid {
                loan,
                amount: was.minus(is)?,
            }),
            std::cmp::Ordering::Less => Some(Fact::Unpaid {
                loan,
                amount: is.minus(was)?,
            }),
        })
    }

    /// A claim that was written off gets smaller by what comes, and larger if that was none.
    fn recovered(
        &self,
        before: &Position,
        after: &Position,
    ) -> Result<Option<(char, Fact)>, MoneyError> {
        let claim = |position: &Position| position.books().amount(Class::WrittenOffClaim);
        let (was, is, loan) = (claim(before)?, claim(after)?, self.loan.clone());
        Ok(match was.fen().cmp(&is.fen()) {
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => {
                let amount = was.minus(is)?;
                Some(('m', Fact::Recovered { loan, amount }))
            }
            std::cmp::Ordering::Less => {
                let amount = is.minus(was)?;
                Some(('m', Fact::Unrecovered { loan, amount }))
            }
        })
    }

    /// When principal is due, from the first day on: what is settled by now stands on the day of the
    /// money, so that what is settled is never more than what was due by then.
    fn scheduled(&self, position: &Position) -> Result<Fact, MoneyError> {
        let owed = principal(position)?;
        let settled = self.lent.unwrap_or(owed).minus(owed)?;
        let mut all = Vec::new();
        if settled.fen() > 0 {
            let on = position.disbursed();
            all.push(Principal {
                on,
                amount: settled,
            });
        }
        for (on, fen) in due(position) {
            let amount = Money::from_fen(fen, owed.currency())?;
            all.push(Principal { on, amount });
        }
        Ok(Fact::Scheduled {
            loan: self.loan.clone(),
            due: all,
        })
    }

    /// Ids of one loan stand in the order of its acts.
    fn row_id(&self, number: u32, letter: char) -> Result<Slug, StoreError> {
        let id = format!("l-{}-{number:07}{letter}", self.short).parse();
        id.map_err(|_| broken())
    }
}

fn broken() -> StoreError {
    StoreError::Row { what: "loan" }
}

fn principal(position: &Position) -> Result<Money, MoneyError> {
    position.books().amount(Class::Principal)
}

const fn part(slot: &Slot) -> Money {
    match &slot.stage {
        SlotStage::Ahead(ahead) => ahead.principal,
        SlotStage::Fallen(fallen) => fallen.unpaid.principal,
    }
}

/// Principal that is owed, by the day on which it is due.
fn due(position: &Position) -> Vec<(NaiveDate, i64)> {
    let mut all: Vec<(NaiveDate, i64)> = Vec::new();
    for slot in position.slots() {
        match (all.last_mut(), part(slot).fen()) {
            (_, 0) => {}
            (Some((day, sum)), fen) if *day == slot.due => *sum = sum.saturating_add(fen),
            (_, fen) => all.push((slot.due, fen)),
        }
    }
    all
}

/// What is left of what was due once the oldest of it is paid; nothing fits where more is owed.
fn left(before: &Position, was: Money, is: Money) -> Vec<(NaiveDate, i64)> {
    let Some(mut paid) = was.fen().checked_sub(is.fen()).filter(|paid| *paid >= 0) else {
        return Vec::new();
    };
    let mut all = due(before);
    for (_, fen) in &mut all {
        let part = paid.min(*fen);
        (*fen, paid) = (*fen - part, paid - part);
    }
    all.retain(|(_, fen)| *fen > 0);
    all
}
