//! A position as bytes: what the daily run reads in place of all acts of a loan.
//!
//! It is a copy. The acts are what counts, and folding them gives the same position; the test of this
//! module and a check of the store compare the two. Terms are not written out: they are those of the
//! product, and what new terms have changed of them.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::Position;
use crate::ledger::Class;
use crate::loan::life::act::Repaid;
use crate::loan::life::books::Books;
use crate::loan::life::conditions::Conditions;
use crate::loan::life::grading::Grading;
use crate::loan::life::slot::{Ahead, Fallen, Slot, SlotStage};
use crate::loan::life::written::rate_text;
use crate::money::{Currency, Money, MoneyError};
use crate::product::ProductError;
use crate::schedule::{
    Accrual, Amortisation, Due, FeeTime, Grace, InterestMethod, Overdue, Rate, Terms,
};

/// Bytes that are no position.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// They cannot be read.
    #[error("a kept position cannot be read")]
    Json(#[from] serde_json::Error),
    /// An amount in it is none.
    #[error("a kept position has an amount that is none")]
    Money(#[from] MoneyError),
    /// Its product has no such terms.
    #[error("a kept position has terms that its product has not")]
    Product(#[from] ProductError),
    /// It has another number of accounts.
    #[error("a kept position has other accounts")]
    Accounts,
}

/// What is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    day: NaiveDate,
    disbursed: NaiveDate,
    rest: Option<Rest>,
    slots: Vec<KeptSlot>,
    numbered: u32,
    currency: Currency,
    fen: Vec<i64>,
    grading: Grading,
    suspended: bool,
    written_off: bool,
}

/// What differs from the product's terms once a loan has new terms.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rest {
    instalments: u32,
    #[serde(with = "rate_text")]
    annual_rate: Rate,
    repaid: Repaid,
    flat: bool,
    evened: bool,
    grace: [u32; 3],
}

/// Fen of penalty, fees, interest, principal.
type Four = [i64; 4];

#[derive(Serialize, Deserialize)]
enum KeptSlot {
    /// Number, due, from, until; principal, interest, earned, fees; carried.
    #[serde(rename = "a")]
    Ahead(u32, NaiveDate, NaiveDate, NaiveDate, Four, Option<Four>),
    /// Number, due; unpaid; charged; since; spans.
    #[serde(rename = "f")]
    Fallen(
        u32,
        NaiveDate,
        Four,
        i64,
        NaiveDate,
        Vec<(i64, NaiveDate, NaiveDate)>,
    ),
}

impl Position {
    /// The position, of a loan in so many instalments that was opened under these conditions, as a
    /// text.
    ///
    /// # Errors
    /// [`NotKept::Product`] for another number of instalments than the product has.
    pub fn keep(&self, conditions: &Conditions, instalments: u32) -> Result<String, NotKept> {
        let is_rest = *self.terms != conditions.product.terms(instalments)?;
        Ok(serde_json::to_string(&Kept {
            day: self.day,
            disbursed: self.disbursed,
            rest: is_rest.then(|| rest(&self.terms)),
            slots: self.slots.iter().map(kept_slot).collect(),
            numbered: self.numbered,
            currency: self.books.currency(),
            fen: Class::ALL
                .iter()
                .map(|class| self.books.fen(*class))
                .collect(),
            grading: self.grading,
            suspended: self.suspended,
            written_off: self.is_written_off,
        })?)
    }

    /// The position of a loan in so many instalments that was opened under these conditions.
    ///
    /// # Errors
    /// [`NotKept`].
    pub fn of_kept(text: &str, conditions: &Conditions, instalments: u32) -> Result<Self, NotKept> {
        let kept: Kept = serde_json::from_str(text)?;
        let mut terms = conditions.product.terms(instalments)?;
        if let Some(rest) = kept.rest {
            change(&mut terms, &rest);
        }
        let currency = kept.currency;
        let books = Books::of_fen(currency, &kept.fen).ok_or(NotKept::Accounts)?;
        let slots: Result<_, _> = kept
            .slots
            .into_iter()
            .map(|one| slot(one, currency))
            .collect();
        Ok(Self {
            day: kept.day,
            disbursed: kept.disbursed,
            terms: Arc::new(terms),
            slots: slots?,
            numbered: kept.numbered,
            books,
            grading: kept.grading,
            suspended: kept.suspended,
            is_written_off: kept.written_off,
        })
    }
}

fn rest(terms: &Terms) -> Rest {
    Rest {
        instalments: terms.instalments,
        annual_rate: terms.annual_rate,
        repaid: match terms.amortisation {
            Amortisation::EqualInstalments => Repaid::EqualInstalments,
            Amortisation::EqualPrincipal => Repaid::EqualPrincipal,
            Amortisation::Bullet => Repaid::Bullet,
        },
        flat: terms.interest == InterestMethod::Flat,
        evened: terms.rounding.evened,
        grace: [
            terms.grace.principal,
            terms.grace.interest,
            terms.grace.interest_free,
        ],
    }
}

/// The product's terms as new terms have changed them.
fn change(terms: &mut Terms, rest: &Rest) {
    terms.instalments = rest.instalments;
    terms.accrual = Accrual::ByDays;
    terms.fees.retain(|fee| fee.when != FeeTime::Disbursement);
    terms.annual_rate = rest.annual_rate;
    terms.amortisation = rest.repaid.into();
    terms.interest = if rest.flat {
        InterestMethod::Flat
    } else {
        InterestMethod::DecliningBalance
    };
    terms.rounding.evened = rest.evened;
    let [principal, interest, interest_free] = rest.grace;
    terms.grace = Grace {
        principal,
        interest,
        interest_free,
    };
}

const fn four(due: &Due) -> Four {
    [
        due.penalty.fen(),
        due.fees.fen(),
        due.interest.fen(),
        due.principal.fen(),
    ]
}

fn due(four: Four, currency: Currency) -> Result<Due, MoneyError> {
    let [penalty, fees, interest, principal] = four;
    let money = |fen| Money::from_fen(fen, currency);
    Ok(Due {
        penalty: money(penalty)?,
        fees: money(fees)?,
        interest: money(interest)?,
        principal: money(principal)?,
    })
}

fn kept_slot(slot: &Slot) -> KeptSlot {
    match &slot.stage {
        SlotStage::Ahead(ahead) => KeptSlot::Ahead(
            slot.number,
            slot.due,
            ahead.from,
            ahead.until,
            [
                ahead.principal.fen(),
                ahead.interest.fen(),
                ahead.earned.fen(),
                ahead.fees.fen(),
            ],
            Some(four(&ahead.carried)).filter(|carried| *carried != [0; 4]),
        ),
        SlotStage::Fallen(fallen) => KeptSlot::Fallen(
            slot.number,
            slot.due,
            four(&fallen.unpaid),
            fallen.charged.fen(),
            fallen.since,
            fallen
                .spans
                .iter()
                .map(|span| (span.amount.fen(), span.from, span.until))
                .collect(),
        ),
    }
}

fn slot(kept: KeptSlot, currency: Currency) -> Result<Slot, MoneyError> {
    let money = |fen| Money::from_fen(fen, currency);
    Ok(match kept {
        KeptSlot::Ahead(
            number,
            due_on,
            from,
            until,
            [principal, interest, earned, fees],
            carried,
        ) => Slot {
            number,
            due: due_on,
            stage: SlotStage::Ahead(Ahead {
                from,
                until,
                principal: money(principal)?,
                interest: money(interest)?,
                earned: money(earned)?,
                fees: money(fees)?,
                carried: due(carried.unwrap_or_default(), currency)?,
            }),
        },
        KeptSlot::Fallen(number, due_on, unpaid, charged, since, spans) => {
            let span = |(fen, from, until)| {
                Ok(Overdue {
                    amount: money(fen)?,
                    from,
                    until,
                })
            };
            let spans: Result<Vec<_>, MoneyError> = spans.into_iter().map(span).collect();
            Slot {
                number,
                due: due_on,
                stage: SlotStage::Fallen(Fallen {
                    unpaid: due(unpaid, currency)?,
                    charged: money(charged)?,
                    spans: spans?,
                    since,
                }),
            }
        }
    })
}
